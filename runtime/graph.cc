#include "runtime/graph.h"

#include <algorithm>
#include <atomic>

#include "runtime/context.h"
#include "runtime/internal/executor.h"
#include "runtime/internal/name_table.h"
#include "runtime/internal/signature.h"

namespace cairn {

namespace {

uint64_t next_epoch() {
  static std::atomic<uint64_t> last{0};
  return ++last;
}

}  // namespace

bool is_valid_node_name(std::string_view name) {
  if (name.empty()) return false;
  for (size_t i = 0; i < name.size(); ++i) {
    const char c = name[i];
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.';
    if (!letter && (i == 0 || (c != '_' && c != '-' && c != '/' && c != '\\' && c != '>'))) return false;
  }
  return true;
}

Scope& Scope::operator=(Scope&& other) noexcept {
  close();
  name_ = std::move(other.name_);
  undo_ = std::exchange(other.undo_, nullptr);
  return *this;
}

void Scope::close() {
  if (auto undo = std::exchange(undo_, nullptr)) undo();
}

Graph::Graph() : epoch_(next_epoch()), names_(std::make_unique<internal::NameTable>()) {}
Graph::~Graph() = default;

void Graph::reset() {
  epoch_ = next_epoch();  // first, or runs that begin without a pause would keep this waiting
  std::unique_lock runs(runs_mutex_);
  std::unique_lock lock(mutex_);
  collections_.clear();
  ++collections_revision_;
  {
    std::lock_guard values(static_mutex_);
    static_values_.clear();
    static_bytes_ = 0;
  }
  names_->clear();
  nodes_.clear();
  parsed_.clear();
  carried_.clear();
  scope_.clear();
  variable_scope_.clear();
  reuse_variables_ = false;
  control_scopes_.clear();
  colocation_.clear();
  device_.clear();
  flow_.reset();
  made_at_ = {};
  seed_.reset();
  versions = {};
  library.clear();
  from_file.reset();
}

// ---- handles ------------------------------------------------------------------------------------------------------

namespace {

[[noreturn]] void refuse_handle(std::string_view what, const std::string& name) {
  fail(Code::kFailedPrecondition, what, ": '", name, "' belongs to another graph");
}

[[noreturn]] void refuse_stale_handle(std::string_view what) {
  fail(Code::kFailedPrecondition, what,
       ": a handle into a graph was used after Graph::reset() forgot what it stands for");
}

}  // namespace

void Graph::check_owns(const Output& output, std::string_view what) const {
  if (!output) fail(Code::kFailedPrecondition, what, ": an empty Output handle, which stands for no tensor");
  if (output.graph_ != this) refuse_handle(what, output.name());
  if (output.epoch_ != epoch_) refuse_stale_handle(what);
}

void Graph::check_owns(const Operation& op, std::string_view what) const {
  if (!op) fail(Code::kFailedPrecondition, what, ": an empty Operation handle, which stands for no node");
  if (op.graph_ != this) refuse_handle(what, op.name());
  if (op.epoch_ != epoch_) refuse_stale_handle(what);
}

// ---- adding -------------------------------------------------------------------------------------------------------

const Op& Graph::parsed(const OpDef& def) {
  if (const auto known = parsed_.find(&def); known != parsed_.end()) return *known->second;
  auto op = std::make_unique<Op>(parse_op(def));
  std::unique_lock lock(mutex_);  // sessions look into it meanwhile, to say what they cannot run
  return *parsed_.emplace(&def, std::move(op)).first->second;
}

std::vector<const Node*> Graph::control_inputs_for(const Node& node) const {
  std::vector<const Node*> controls = node.control_inputs;
  for (const auto& scope : control_scopes_) {
    // A node fed by one made inside waits already.
    const bool waits = std::any_of(node.inputs.begin(), node.inputs.end(),
                                   [&](const Endpoint& e) { return scope->made_inside.count(e.node) > 0; });
    if (waits) continue;
    for (const Node* op : scope->ops) {
      const bool is_input =
          std::any_of(node.inputs.begin(), node.inputs.end(), [&](const Endpoint& e) { return e.node == op; });
      if (!is_input) controls.push_back(op);
    }
  }
  std::sort(controls.begin(), controls.end(), [](const Node* a, const Node* b) { return a->name < b->name; });
  controls.erase(std::unique(controls.begin(), controls.end()), controls.end());
  return controls;
}

std::vector<std::string> Graph::colocation_groups(const Node& node) {
  const Attr* attr = node.attrs.find("_class");
  const auto* groups = attr ? attr->get<std::vector<std::string>>() : nullptr;
  return groups && !groups->empty() ? *groups : std::vector{"loc:@" + node.name};
}

void Graph::set_colocation(Node& node) const {
  if (node.attrs.find("_class")) return;
  std::vector<std::string> groups = colocation_;
  for (size_t i = 0; i < std::min(node.inputs.size(), node.op->inputs.size()); ++i) {
    const ArgDef& arg = node.op->inputs[i];
    if (!arg.number_attr.empty() || !arg.type_list_attr.empty()) break;  // from here on inputs are not arguments
    if (!arg.is_ref) continue;
    const auto there = colocation_groups(*node.inputs[i].node);
    groups.insert(groups.end(), there.begin(), there.end());
  }
  if (groups.empty()) return;
  std::sort(groups.begin(), groups.end());
  groups.erase(std::unique(groups.begin(), groups.end()), groups.end());
  node.attrs.set("_class", std::move(groups));
}

void Graph::amend(NodeSpec& spec, const std::string& node_name) {
  const Scope inside = name_scope(node_name + "/");
  const Scope no_waiting = control_dependencies({});
  const std::shared_ptr<FlowContext> context = flow_;
  const Scope no_context = control_flow(nullptr);
  context->amend(*this, spec);
}

Operation Graph::add_node(NodeSpec spec) {
  auto node = std::make_unique<Node>();
  node->op = &parsed(*spec.op);
  node->made_at = current_location(spec.at);
  std::string wish = spec.name.empty() ? node->op->name : std::move(spec.name);
  const bool exact = wish.back() == '/';
  if (exact) wish.pop_back();
  auto choice = exact ? internal::NameTable::exactly(std::move(wish)) : names_->choose(scoped(wish));
  node->name = std::move(choice.name);
  if (!is_valid_node_name(node->name)) fail_at(*node, Code::kInvalidArgument, "this is not a valid name for a node");
  if (exact && names_->find({node->name, choice.hash})) {
    fail_at(*node, Code::kInvalidArgument, "a node of this name exists");
  }
  if (flow_) amend(spec, node->name);
  node->id = static_cast<int>(nodes_.size());
  node->inputs.reserve(spec.inputs.size());
  for (const Output& input : spec.inputs) {
    if (input.graph_ != this || input.epoch_ != epoch_) check_owns(input, node->str());
    node->inputs.push_back({input.node_, input.index_});
  }
  for (const Operation& op : spec.control_inputs) {
    if (op.graph_ != this || op.epoch_ != epoch_) check_owns(op, node->str());
    node->control_inputs.push_back(op.node_);
  }
  node->control_inputs = control_inputs_for(*node);
  node->attrs = std::move(spec.attrs);
  node->device = spec.device.empty() ? device_ : std::move(spec.device);
  set_colocation(*node);
  internal::bind_signature(*node, /*strict=*/true);
  if (spec.op->shape) {
    ShapeContext context(*this, *node);
    try {
      spec.op->shape(context);
    } catch (...) {
      rethrow_at(*node);
    }
  }

  const Node* added = node.get();
  for (const auto& scope : control_scopes_) scope->made_inside.insert(added);
  {
    std::unique_lock lock(mutex_);
    names_->take(choice, added);
    nodes_.push_back(std::move(node));
  }
  if (flow_) flow_->added(handle(*added));
  return handle(*added);
}

Output add_node(const OpDef& op, std::vector<Output> inputs, Attrs attrs, std::string_view name, SourceLocation at) {
  if (inputs.empty() || !inputs[0]) {
    fail(Code::kFailedPrecondition, op.name, " (", at.str(), "): an empty Output handle, which stands for no tensor");
  }
  const GraphAt graph(inputs[0].graph(), at);
  return add_operation(graph, op, std::move(inputs), std::move(attrs), name).output();
}

Operation add_operation(GraphAt graph, const OpDef& op, std::vector<Output> inputs, Attrs attrs,
                        std::string_view name) {
  return graph->add_node({.op = &op,
                          .name = std::string(name),
                          .inputs = std::move(inputs),
                          .attrs = std::move(attrs),
                          .control_inputs = {},
                          .device = "",
                          .at = graph.at});
}

// ---- finding ------------------------------------------------------------------------------------------------------

int Graph::num_nodes() const {
  std::shared_lock lock(mutex_);
  return static_cast<int>(nodes_.size());
}

Operation Graph::node_at(int id) const {
  std::shared_lock lock(mutex_);
  if (id < 0 || static_cast<size_t>(id) >= nodes_.size()) {
    fail(Code::kOutOfRange, "there is no node ", id, " in a graph of ", nodes_.size());
  }
  return handle(*nodes_[static_cast<size_t>(id)]);
}

std::vector<Operation> Graph::operations() const {
  std::shared_lock lock(mutex_);
  std::vector<Operation> all;
  all.reserve(nodes_.size());
  for (const auto& node : nodes_) all.push_back(handle(*node));
  return all;
}

bool Graph::contains(std::string_view node_name) const {
  std::shared_lock lock(mutex_);
  return names_->find(node_name) != nullptr;
}

std::vector<std::string> Graph::names_like(std::string_view name) const {
  std::shared_lock lock(mutex_);
  std::vector<std::string> names;
  for (const auto& node : nodes_) names.push_back(node->name);
  return nearest_names(name, names);
}

Operation Graph::find_op(std::string_view name) const {
  {
    std::shared_lock lock(mutex_);
    if (const Node* node = names_->find(name)) return handle(*node);
  }
  const auto close = names_like(name);
  fail(Code::kNotFound, "there is no node '", name, "' in the graph",
       close.empty() ? "" : "; did you mean " + join_for_people(close) + "?");
}

Output Graph::find(std::string_view tensor_name) const {
  const size_t colon = tensor_name.rfind(':');
  const std::string_view digits = colon == std::string_view::npos ? "" : tensor_name.substr(colon + 1);
  if (digits.empty() || digits.size() > 9 || digits.find_first_not_of("0123456789") != std::string_view::npos) {
    fail(Code::kInvalidArgument, "'", tensor_name,
         "' is not the name of a tensor, which is node:output, as in 'loss:0'");
  }
  const Operation op = find_op(tensor_name.substr(0, colon));
  const int index = std::stoi(std::string(digits));
  if (index >= op.num_outputs()) {
    fail(Code::kNotFound, "there is no tensor '", tensor_name, "': ", op.node().str(), " has ", op.num_outputs(),
         op.num_outputs() == 1 ? " output" : " outputs");
  }
  return op.output(index);
}

// ---- static values ------------------------------------------------------------------------------------------------

namespace {

// What is computed while a graph is built are shapes, axes and the like: few numbers and short strings. A value beyond
// these bounds is not known. They also hold what a file can cost that is imported, whose nodes may each double what the
// one before made: a value, all values of a graph, and what computing one takes.
constexpr int64_t kMostStaticElements = 1024, kMostStaticText = int64_t{1} << 16;
constexpr int64_t kMostStaticBytes = int64_t{1} << 25, kStaticBytesPerNode = 128;

// The bytes of a value's strings, or of its longest one.
std::pair<int64_t, int64_t> text_of(const Tensor& value) {
  std::pair<int64_t, int64_t> all_and_longest;
  if (value.dtype() != DType::kString) return all_and_longest;
  for (const std::string& text : value.span<std::string>()) {
    const auto size = static_cast<int64_t>(text.size());
    all_and_longest.first += size;
    all_and_longest.second = std::max(all_and_longest.second, size);
  }
  return all_and_longest;
}
int64_t bytes_of(const std::vector<Tensor>& values) {
  int64_t bytes = 0;
  for (const Tensor& value : values) {
    const auto size =
        static_cast<int64_t>(value.dtype() == DType::kString ? sizeof(std::string) : dtype_size(value.dtype()));
    bytes += static_cast<int64_t>(sizeof(Tensor)) + value.num_elements() * size + text_of(value).first;
  }
  return bytes;
}

// Whether strings of inputs may become more than a value may have: each of the elements made holds one of each input's
// at most.
bool makes_much_text(const Node& node, const std::vector<Tensor>& inputs) {
  int64_t longest = 0, elements = 0;
  for (const Tensor& value : inputs) longest += text_of(value).second;
  for (const Shape& shape : node.output_shapes)
    elements += shape.num_elements() < 0 ? kMostStaticElements : shape.num_elements();
  return longest > 0 && elements > kMostStaticText / longest;
}

bool may_be_static(const Node& node) {
  const OpDef* def = node.op->def;
  return def && !def->stateful && !def->never_static && def->flow == Flow::kPlain && def->prepare &&
         !node.inputs.empty() &&
         std::none_of(node.inputs.begin(), node.inputs.end(),
                      [](const Endpoint& e) { return is_ref(e.node->output_dtypes[static_cast<size_t>(e.index)]); }) &&
         std::all_of(node.output_shapes.begin(), node.output_shapes.end(),
                     [](const Shape& shape) { return shape.num_elements() <= kMostStaticElements; });
}

}  // namespace

// The value, or that there is none (an invalid tensor), without computing; nothing where that takes computing.
std::optional<Tensor> Graph::known_static_value(Endpoint e) const {
  const Node& node = *e.node;
  const OpDef* def = node.op->def;
  if (def && def->static_value && e.index == 0) return def->static_value(handle(node));
  std::lock_guard lock(static_mutex_);
  const auto known = static_values_.find(&node);
  if (known == static_values_.end()) return may_be_static(node) ? std::nullopt : std::optional(Tensor());
  return known->second.empty() ? Tensor() : known->second[static_cast<size_t>(e.index)];
}

bool Graph::static_values_may_grow() const {
  std::lock_guard lock(static_mutex_);
  const auto nodes = static_cast<int64_t>(static_values_.size());
  return static_bytes_ < kMostStaticBytes + nodes * kStaticBytesPerNode;
}

// The inputs' values being known. Kernels may ask for static values themselves: no lock is held meanwhile.
void Graph::compute_static_values(const Node& node) const {
  {
    std::lock_guard lock(static_mutex_);
    if (static_values_.count(&node) > 0) return;
  }
  std::vector<Tensor> inputs, outputs;
  for (const Endpoint& input : node.inputs) {
    Tensor value = known_static_value(input).value_or(Tensor());
    if (!value.valid() || value.num_elements() > kMostStaticElements || text_of(value).first > kMostStaticText) break;
    inputs.push_back(std::move(value));
  }
  const bool known = inputs.size() == node.inputs.size() && !makes_much_text(node, inputs) && static_values_may_grow();
  if (known) {
    try {
      outputs = internal::evaluate(*this, node, inputs, /*own_values=*/true, kMostStaticBytes / 32);
    } catch (const Error&) {
      // What is wrong with the node shows when it runs, if it ever does.
    }
  }
  const bool too_long = std::any_of(outputs.begin(), outputs.end(),
                                    [](const Tensor& output) { return text_of(output).first > kMostStaticText; });
  if (too_long) outputs.clear();
  std::lock_guard lock(static_mutex_);
  if (known) static_bytes_ += bytes_of(inputs) + bytes_of(outputs);
  static_values_[&node] = std::move(outputs);
}

Tensor Graph::static_value(const Output& output) const {
  check_owns(output, "static_value");
  if (std::optional<Tensor> value = known_static_value(output.endpoint())) return *std::move(value);
  std::vector<const Node*> open = {&output.node()};
  std::unordered_set<const Node*> seen;
  while (!open.empty()) {
    const Node& node = *open.back();
    const size_t before = open.size();
    if (seen.insert(&node).second) {
      for (const Endpoint& input : node.inputs) {
        const std::optional<Tensor> known = known_static_value(input);
        // One input that nobody can know settles it.
        if (known && !known->valid()) {
          open.resize(before);
          break;
        }
        if (!known && seen.count(input.node) == 0) open.push_back(input.node);
      }
      if (open.size() > before) continue;
    }
    open.pop_back();
    compute_static_values(node);
  }
  return known_static_value(output.endpoint()).value_or(Tensor());
}

// ---- scopes -------------------------------------------------------------------------------------------------------

std::string Graph::scoped(std::string_view name) const {
  std::string full;
  full.reserve(scope_.size() + 1 + name.size());
  if (!scope_.empty()) full.append(scope_).append("/");
  return full.append(name);
}

std::string Graph::unique_name(std::string_view wish, bool mark) {
  internal::NameTable::Choice choice = names_->choose(scoped(wish));
  if (mark) {
    std::unique_lock lock(mutex_);
    names_->take(choice, nullptr);
  }
  return std::move(choice.name);
}

// What was in force when a graph was reset does not come back.
Scope Graph::undo_later(std::string name, std::function<void()> undo) {
  return Scope(std::move(name), [this, epoch = epoch(), undo = std::move(undo)] {
    if (epoch_ == epoch) undo();
  });
}

Scope Graph::name_scope(std::string_view name) {
  std::string entered(name);
  if (!entered.empty() && entered.back() == '/') {
    entered.pop_back();
  } else if (!entered.empty()) {
    if (!is_valid_node_name(scope_.empty() ? entered : "x" + entered)) {
      fail(Code::kInvalidArgument, "'", name, "' is not a valid name for a scope");
    }
    entered = unique_name(entered);
  }
  std::string full = entered.empty() ? "" : entered + "/";
  return undo_later(std::move(full), [this, left = std::exchange(scope_, entered)] { scope_ = left; });
}

Scope Graph::control_dependencies(std::span<const Operation> ops) {
  auto left = control_scopes_;
  if (ops.empty()) {
    control_scopes_.clear();
  } else {
    auto scope = std::make_shared<ControlScope>();
    for (const Operation& op : ops) {
      check_owns(op, "control_dependencies");
      scope->ops.push_back(&op.node());
    }
    control_scopes_.push_back(std::move(scope));
  }
  return undo_later("", [this, left = std::move(left)] { control_scopes_ = left; });
}

Scope Graph::colocate_with(const Operation& op) {
  auto left = colocation_;
  if (!op) {
    colocation_.clear();
  } else {
    check_owns(op, "colocate_with");
    const auto groups = colocation_groups(op.node());
    colocation_.insert(colocation_.end(), groups.begin(), groups.end());
  }
  return undo_later("", [this, left = std::move(left)] { colocation_ = left; });
}

Scope Graph::colocate_with_future(std::string_view node_name) {
  if (!colocation_.empty()) return {};
  colocation_.push_back(str_cat("loc:@", node_name));
  return undo_later("", [this] { colocation_.clear(); });
}

Scope Graph::device(std::string_view device) {
  return undo_later("", [this, left = std::exchange(device_, std::string(device))] { device_ = left; });
}

Scope Graph::control_flow(std::shared_ptr<FlowContext> context) {
  return undo_later("", [this, left = std::exchange(flow_, std::move(context))] { flow_ = left; });
}

Scope Graph::made_at(SourceLocation at) {
  return undo_later("", [this, left = std::exchange(made_at_, current_location(at))] { made_at_ = left; });
}

Scope Graph::variable_scope(std::string_view name, bool reuse) {
  auto names = std::make_shared<Scope>(name_scope(name));
  std::string full = variable_scope_.empty() ? std::string(name) : variable_scope_ + "/" + std::string(name);
  const bool reuse_inside = reuse || reuse_variables_;
  return undo_later(full + "/", [this, names, left = std::exchange(variable_scope_, full),
                                 reused = std::exchange(reuse_variables_, reuse_inside)] {
    variable_scope_ = left;
    reuse_variables_ = reused;
    names->close();
  });
}

// ---- seeds --------------------------------------------------------------------------------------------------------

std::pair<int64_t, int64_t> Graph::random_seeds(std::optional<int64_t> op_seed) const {
  constexpr int64_t kDefaultGraphSeed = 87654321, kMaxInt32 = 2147483647;
  if (!seed_ && !op_seed) return {0, 0};
  const auto truncated = [](int64_t seed) { return (seed % kMaxInt32 + kMaxInt32) % kMaxInt32; };
  const int64_t first = truncated(seed_.value_or(kDefaultGraphSeed));
  const int64_t second = truncated(op_seed.value_or(static_cast<int64_t>(nodes_.size())));
  return first == 0 && second == 0 ? std::pair{int64_t{0}, kMaxInt32} : std::pair{first, second};
}

// ---- collections --------------------------------------------------------------------------------------------------

void Graph::add_to_collection(std::string_view key, CollectionItem item) {
  const std::string what = str_cat("add_to_collection('", key, "')");
  if (const auto* output = std::get_if<Output>(&item)) check_owns(*output, what);
  if (const auto* op = std::get_if<Operation>(&item)) check_owns(*op, what);
  if (const auto* variable = std::get_if<Variable>(&item)) check_owns(variable->ref(), what);
  collections_[std::string(key)].push_back(std::move(item));
  ++collections_revision_;
}

const std::vector<CollectionItem>& Graph::items(std::string_view key) const {
  static const auto& kNone = *new std::vector<CollectionItem>();  // never destroyed: static objects may have graphs
  const auto at = collections_.find(key);
  return at == collections_.end() ? kNone : at->second;
}

std::vector<std::string> Graph::collection_keys() const {
  std::vector<std::string> keys;
  for (const auto& [key, items] : collections_) keys.push_back(key);
  return keys;
}

void Graph::clear_collection(std::string_view key) {
  const auto at = collections_.find(key);
  if (at == collections_.end()) return;
  collections_.erase(at);
  ++collections_revision_;
}

namespace {

std::string item_name(const CollectionItem& item) {
  if (const auto* output = std::get_if<Output>(&item)) return output->name();
  if (const auto* op = std::get_if<Operation>(&item)) return op->name();
  if (const auto* variable = std::get_if<Variable>(&item)) return variable->name();
  if (const auto* unresolved = std::get_if<UnresolvedName>(&item)) return unresolved->name;
  return "";
}

template <class T>
std::optional<T> item_as(const CollectionItem& item) {
  if (const T* same = std::get_if<T>(&item)) return *same;
  if constexpr (std::is_same_v<T, Output>) {
    if (const auto* variable = std::get_if<Variable>(&item)) return variable->value();
  }
  if constexpr (std::is_same_v<T, Operation>) {
    if (const auto* output = std::get_if<Output>(&item)) return output->op();
  }
  return std::nullopt;
}

}  // namespace

// Why there is no item in a collection.
std::string Graph::absence(std::string_view key, std::string_view scope) const {
  if (!items(key).empty()) return str_cat("no item of collection '", key, "' has a name that begins with '", scope, "'");
  std::vector<std::string> close = nearest_names(key, collection_keys());
  for (std::string& name : close) name = "'" + name + "'";
  return str_cat("there is no collection '", key, "'",
                 close.empty() ? "" : "; did you mean " + join_for_people(close) + "?");
}

template <class T>
Collected<T> Graph::collection(std::string_view key, std::string_view scope) const {
  static constexpr const char* kKinds[] = {
      "a tensor",   "an operation", "a variable", "bytes",
      "an integer", "a float",      "an Any",     "a name that no node of the graph has"};
  std::vector<T> all;
  for (const CollectionItem& item : items(key)) {
    const std::string name = item_name(item);
    if (!scope.empty() && !name.empty() && name.compare(0, scope.size(), scope) != 0) continue;
    const std::optional<T> wanted = item_as<T>(item);
    if (!wanted) {
      fail(Code::kInvalidArgument, "collection '", key, "' holds ", kKinds[item.index()],
           name.empty() ? "" : ", '" + name + "'", ", where ", kKinds[CollectionItem(T()).index()], " was asked for");
    }
    all.push_back(*wanted);
  }
  std::string what = all.empty() ? absence(key, scope) : str_cat("collection '", key, "'");
  return {std::move(all), std::move(what)};
}

template Collected<Output> Graph::collection(std::string_view, std::string_view) const;
template Collected<Operation> Graph::collection(std::string_view, std::string_view) const;
template Collected<Variable> Graph::collection(std::string_view, std::string_view) const;
template Collected<std::string> Graph::collection(std::string_view, std::string_view) const;
template Collected<int64_t> Graph::collection(std::string_view, std::string_view) const;
template Collected<float> Graph::collection(std::string_view, std::string_view) const;
template Collected<AnyItem> Graph::collection(std::string_view, std::string_view) const;

}  // namespace cairn
