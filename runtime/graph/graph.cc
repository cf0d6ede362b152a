#include "runtime/graph/graph.h"
#include "runtime/graph/shape_context.h"

#include <algorithm>
#include <atomic>

#include "runtime/base/text.h"
#include "runtime/exec/executor.h"
#include "runtime/graph/graph_scopes.h"
#include "runtime/graph/name_table.h"
#include "runtime/graph/signature.h"

namespace cairn {

bool is_valid_node_name(std::string_view name) {
  if (name.empty()) return false;
  for (size_t i = 0; i < name.size(); ++i) {
    const char c = name[i];
    const bool letter =
        (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.';
    if (!letter && (i == 0 || (c != '_' && c != '-' && c != '/' && c != '\\' && c != '>')))
      return false;
  }
  return true;
}

Graph::Data::Data()
    : names(std::make_unique<internal::NameTable>()),
      scopes(std::make_shared<internal::GraphScopes>()) {}
Graph::Data::~Data() = default;
Graph::Data::Data(Data&&) noexcept = default;
Graph::Data& Graph::Data::operator=(Data&&) noexcept = default;

Graph::Graph() : anchor_(internal::take_anchor(this)) {}
Graph::~Graph() {
  anchor_->first_epoch = UINT64_MAX;
  anchor_->epoch = 0;  // runs that begin now throw
  std::unique_lock runs(anchor_->runs_mutex);
}

Graph::Graph(Graph&& other) : Graph() { swap(other); }

Graph& Graph::operator=(Graph&& other) {
  if (this == &other) return *this;
  swap(other);
  other.reset();
  return *this;
}

void Graph::swap(Graph& other) {
  check_not_building("a graph is moved");
  other.check_not_building("a graph is moved");
  std::swap(data_, other.data_);
  std::swap(anchor_, other.anchor_);
  anchor_->graph = this;
  other.anchor_->graph = &other;
  std::swap(versions, other.versions);
  std::swap(library, other.library);
  std::swap(from_file, other.from_file);
  complete_ = other.complete_.exchange(complete_);
}

void Graph::reset() {
  std::lock_guard building(building_);
  check_not_building("Graph::reset()");
  // Before the lock: new runs throw, so that only those that have begun are waited for.
  anchor_->epoch = internal::next_epoch();
  std::unique_lock runs(anchor_->runs_mutex);
  Data fresh;
  std::scoped_lock lock(mutex_, static_mutex_);
  fresh.collections_revision = data_.collections_revision + 1;
  std::swap(data_, fresh);
  complete_ = 0;
  versions = {};
  library.clear();
  from_file.reset();
}

// ---- handles ------------------------------------------------------------------------------------

namespace {

[[noreturn]] void refuse_handle(std::string_view what, const std::string& name) {
  fail(Code::kFailedPrecondition, what, ": '", name, "' belongs to another graph");
}

[[noreturn]] void refuse_stale_handle(std::string_view what, const internal::GraphAnchor* anchor,
                                      uint64_t epoch) {
  try {
    anchor->refuse(epoch, "a handle");
  } catch (const Error& e) {
    throw Error(e.code(), str_cat(what, ": ", e.what()));
  }
}

[[noreturn]] void refuse_taken_back(std::string_view what, const Node& node) {
  fail(Code::kFailedPrecondition, what, ": ", node.str(),
       " was taken back with the builder that made it, which threw");
}

}  // namespace

void Graph::check_owns(const Output& output, std::string_view what) const {
  if (!output)
    fail(Code::kFailedPrecondition, what, ": an empty Output handle, which stands for no tensor");
  if (output.epoch_ != output.anchor_->epoch)
    refuse_stale_handle(what, output.anchor_, output.epoch_);
  if (output.anchor_ != anchor_.get()) refuse_handle(what, output.name());
  if (output.node_->id < 0) refuse_taken_back(what, *output.node_);
}

void Graph::check_owns(const Operation& op, std::string_view what) const {
  if (!op)
    fail(Code::kFailedPrecondition, what, ": an empty Operation handle, which stands for no node");
  if (op.epoch_ != op.anchor_->epoch) refuse_stale_handle(what, op.anchor_, op.epoch_);
  if (op.anchor_ != anchor_.get()) refuse_handle(what, op.name());
  if (op.node_->id < 0) refuse_taken_back(what, *op.node_);
}

bool Graph::owns(const Output& output) const {
  return output && output.anchor_ == anchor_.get() && output.epoch_ == epoch() &&
         output.node_->id >= 0;
}

// ---- adding -------------------------------------------------------------------------------------

const Op& Graph::parsed(const OpDef& def) {
  if (const auto known = data_.parsed.find(&def); known != data_.parsed.end())
    return *known->second;
  auto op = std::make_unique<Op>(parse_op(def));
  std::unique_lock lock(mutex_);  // sessions on other threads read it for error messages
  return *data_.parsed.emplace(&def, std::move(op)).first->second;
}

std::vector<const Node*> Graph::control_inputs_for(const Node& node) const {
  std::vector<const Node*> controls = node.control_inputs;
  data_.scopes->controls.for_each_in_force([&](const internal::ControlScope& scope) {
    // A node with an input from inside the scope already runs later.
    const bool waits = std::any_of(node.inputs.begin(), node.inputs.end(), [&](const Endpoint& e) {
      return scope.made_inside->count(e.node) > 0;
    });
    if (waits) return;
    for (const Node* op : scope.ops) {
      const bool is_input = std::any_of(node.inputs.begin(), node.inputs.end(),
                                        [&](const Endpoint& e) { return e.node == op; });
      if (!is_input) controls.push_back(op);
    }
  });
  std::sort(controls.begin(), controls.end(),
            [](const Node* a, const Node* b) { return a->name < b->name; });
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
  std::vector<std::string> groups = data_.scopes->colocation();
  for (size_t i = 0; i < std::min(node.inputs.size(), node.op->inputs.size()); ++i) {
    const ArgDef& arg = node.op->inputs[i];
    // After an argument that is a list, the index of an input is not that of its argument.
    if (!arg.number_attr.empty() || !arg.type_list_attr.empty()) break;
    if (!arg.is_ref) continue;
    const auto there = colocation_groups(*node.inputs[i].node);
    groups.insert(groups.end(), there.begin(), there.end());
  }
  if (groups.empty()) return;
  std::sort(groups.begin(), groups.end());
  groups.erase(std::unique(groups.begin(), groups.end()), groups.end());
  node.attrs.set("_class", std::move(groups));
}

void Graph::amend(FlowContext& context, NodeSpec& spec, const std::string& node_name) {
  const Scope inside = name_scope(node_name + "/");
  const Scope alone = init_scope();
  const Scope place = made_at(current_location(spec.at));
  context.amend(*this, spec);
}

Operation Graph::add_node(NodeSpec spec) {
  const Transaction whole(*this);
  auto node = std::make_unique<Node>();
  node->op = &parsed(*spec.op);
  node->made_at = current_location(spec.at);
  std::string wish = spec.name.empty() ? node->op->name : std::move(spec.name);
  const bool exact = wish.back() == '/';
  if (exact) wish.pop_back();
  auto choice =
      exact ? internal::NameTable::exactly(std::move(wish)) : data_.names->choose(scoped(wish));
  node->name = std::move(choice.name);
  about_to_change(node->op->name, node->name);
  if (!is_valid_node_name(node->name))
    fail_at(*node, Code::kInvalidArgument, "this is not a valid name for a node");
  if (exact && data_.names->find({node->name, choice.hash})) {
    fail_at(*node, Code::kInvalidArgument, "a node of this name exists");
  }
  const std::shared_ptr<FlowContext> flow = control_flow();
  if (flow) amend(*flow, spec, node->name);
  node->id = static_cast<int>(data_.nodes.size());
  node->inputs.reserve(spec.inputs.size());
  for (const Output& input : spec.inputs) {
    if (!owns(input)) check_owns(input, node->str());
    node->inputs.push_back({input.node_, input.index_});
  }
  for (const Operation& op : spec.control_inputs) {
    check_owns(op, node->name);
    node->control_inputs.push_back(op.node_);
  }
  node->control_inputs = control_inputs_for(*node);
  node->attrs = std::move(spec.attrs);
  node->device = spec.device.empty() ? std::string(data_.scopes->device()) : std::move(spec.device);
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
  data_.scopes->controls.for_each_in_force(
      [&](const internal::ControlScope& scope) { scope.made_inside->insert(added); });
  {
    std::unique_lock lock(mutex_);
    // First the node: a transaction that undoes this releases the names of its nodes.
    data_.nodes.push_back(std::move(node));
    data_.names->take(choice, added);
  }
  if (flow) flow->added(handle(*added));
  return handle(*added);
}

Output add_node(const OpDef& op, std::vector<Output> inputs, Attrs attrs, std::string_view name,
                SourceLocation at) {
  if (inputs.empty() || !inputs[0]) {
    fail(Code::kFailedPrecondition, op.name, " (", at.str(),
         "): an empty Output handle, which stands for no tensor");
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

// ---- finding ------------------------------------------------------------------------------------

// Nodes of a builder that has not returned are visible only to the thread of that builder.
size_t Graph::nodes_shown() const {
  return builder_.load() == std::this_thread::get_id() ? data_.nodes.size() : complete_.load();
}

const Node* Graph::find_node(std::string_view name) const {
  std::shared_lock lock(mutex_);
  const Node* node = data_.names->find(name);
  return node && static_cast<size_t>(node->id) < nodes_shown() ? node : nullptr;
}

int Graph::num_nodes() const {
  std::shared_lock lock(mutex_);
  return static_cast<int>(nodes_shown());
}

Operation Graph::node_at(int id) const {
  std::shared_lock lock(mutex_);
  if (id < 0 || static_cast<size_t>(id) >= nodes_shown()) {
    fail(Code::kOutOfRange, "there is no node ", id, " in a graph of ", nodes_shown());
  }
  return handle(*data_.nodes[static_cast<size_t>(id)]);
}

std::vector<Operation> Graph::operations() const {
  std::shared_lock lock(mutex_);
  std::vector<Operation> all;
  all.reserve(nodes_shown());
  for (size_t i = 0; i < nodes_shown(); ++i) all.push_back(handle(*data_.nodes[i]));
  return all;
}

bool Graph::contains(std::string_view node_name) const { return find_node(node_name) != nullptr; }

std::vector<std::string> Graph::node_names() const {
  std::shared_lock lock(mutex_);
  std::vector<std::string> names;
  for (size_t i = 0; i < nodes_shown(); ++i) names.push_back(data_.nodes[i]->name);
  return names;
}

Operation Graph::find_op(std::string_view name) const {
  if (const Node* node = find_node(name)) return handle(*node);
  fail(Code::kNotFound, "there is no node '", printable(name), "' in the graph",
       names_instead_of(name, node_names()));
}

Output Graph::find(std::string_view tensor_name) const {
  const size_t colon = tensor_name.rfind(':');
  const std::string_view digits =
      colon == std::string_view::npos ? "" : tensor_name.substr(colon + 1);
  if (digits.empty() || digits.size() > 9 ||
      digits.find_first_not_of("0123456789") != std::string_view::npos) {
    fail(Code::kInvalidArgument, "'", printable(tensor_name),
         "' is not the name of a tensor, which is node:output, as in 'loss:0'");
  }
  const Operation op = find_op(tensor_name.substr(0, colon));
  const int index = std::stoi(std::string(digits));
  if (index >= op.num_outputs()) {
    fail(Code::kNotFound, "there is no tensor '", tensor_name, "': ", op.node().str(), " has ",
         op.num_outputs(), op.num_outputs() == 1 ? " output" : " outputs");
  }
  return op.output(index);
}

// ---- static values ------------------------------------------------------------------------------

namespace {

// Bounds on static values, which are meant for shapes, axes and other small values: elements and
// bytes of text of one value; bytes to compute all values of a graph. Beyond them a value counts as
// unknown. They also bound the cost of importing a file in which each node doubles the size of its
// input.
constexpr int64_t kMostStaticElements = 1024, kMostStaticText = int64_t{1} << 16;
constexpr int64_t kMostStaticBytes = int64_t{1} << 25, kStaticBytesPerNode = 128;

// The bytes of all strings of a value, and of the longest one.
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
    const auto size = static_cast<int64_t>(
        value.dtype() == DType::kString ? sizeof(std::string) : dtype_size(value.dtype()));
    bytes +=
        static_cast<int64_t>(sizeof(Tensor)) + value.num_elements() * size + text_of(value).first;
  }
  return bytes;
}

// True if the outputs may exceed the bound on text, assuming that each output element holds at most
// one string of each input.
bool makes_much_text(const Node& node, const std::vector<Tensor>& inputs) {
  int64_t longest = 0, elements = 0;
  for (const Tensor& value : inputs) longest += text_of(value).second;
  for (const Shape& shape : node.output_shapes)
    elements += shape.num_elements() < 0 ? kMostStaticElements : shape.num_elements();
  return longest > 0 && elements > kMostStaticText / longest;
}

bool may_be_static(const Node& node) {
  const OpDef* def = node.op->def;
  return def && !def->stateful && !def->must_run && def->flow == Flow::kPlain && def->prepare &&
         !node.inputs.empty() &&
         std::none_of(node.inputs.begin(), node.inputs.end(),
                      [](const Endpoint& e) {
                        return is_ref(e.node->output_dtypes[static_cast<size_t>(e.index)]);
                      }) &&
         std::all_of(node.output_shapes.begin(), node.output_shapes.end(), [](const Shape& shape) {
           return shape.num_elements() <= kMostStaticElements;
         });
}

}  // namespace

// The value if it is known without running a kernel, an invalid tensor if it is known that there is
// none, else empty.
std::optional<Tensor> Graph::known_static_value(Endpoint e) const {
  const Node& node = *e.node;
  const OpDef* def = node.op->def;
  if (def && def->static_value && e.index == 0) return def->static_value(handle(node));
  std::lock_guard lock(static_mutex_);
  const auto known = data_.static_values.find(&node);
  if (known == data_.static_values.end())
    return may_be_static(node) ? std::nullopt : std::optional(Tensor());
  return known->second.empty() ? Tensor() : known->second[static_cast<size_t>(e.index)];
}

bool Graph::static_values_may_grow() const {
  std::lock_guard lock(static_mutex_);
  const auto nodes = static_cast<int64_t>(data_.static_values.size());
  return data_.static_bytes < kMostStaticBytes + nodes * kStaticBytesPerNode;
}

// Computes and stores the static values of a node whose inputs were computed before. Holds no lock
// while the kernel runs, as kernels may ask for static values.
void Graph::compute_static_values(const Node& node) const {
  {
    std::lock_guard lock(static_mutex_);
    if (data_.static_values.count(&node) > 0) return;
  }
  std::vector<Tensor> inputs, outputs;
  for (const Endpoint& input : node.inputs) {
    Tensor value = known_static_value(input).value_or(Tensor());
    if (!value.valid() || value.num_elements() > kMostStaticElements ||
        text_of(value).first > kMostStaticText)
      break;
    inputs.push_back(std::move(value));
  }
  const bool known = inputs.size() == node.inputs.size() && !makes_much_text(node, inputs) &&
                     static_values_may_grow();
  if (known) {
    try {
      outputs = internal::evaluate(*this, node, inputs, /*own_values=*/true, kMostStaticBytes / 32);
    } catch (const Error&) {
      // A run of the node will report the error.
    }
  }
  const bool too_long = std::any_of(outputs.begin(), outputs.end(), [](const Tensor& output) {
    return text_of(output).first > kMostStaticText;
  });
  if (too_long) outputs.clear();
  std::lock_guard lock(static_mutex_);
  if (known) data_.static_bytes += bytes_of(inputs) + bytes_of(outputs);
  data_.static_values[&node] = std::move(outputs);
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
        // If one input has no static value, the node has none.
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

// ---- names --------------------------------------------------------------------------------------

std::string Graph::scoped(std::string_view name) const {
  const std::string_view scope = data_.scopes->name();
  std::string full;
  full.reserve(scope.size() + 1 + name.size());
  if (!scope.empty()) full.append(scope).append("/");
  return full.append(name);
}

std::string Graph::unique_name(std::string_view wish, bool mark) {
  internal::NameTable::Choice choice = data_.names->choose(scoped(wish));
  if (mark) {
    std::unique_lock lock(mutex_);
    data_.names->take(choice, nullptr);
  }
  return std::move(choice.name);
}

// ---- seeds --------------------------------------------------------------------------------------

std::pair<int64_t, int64_t> Graph::random_seeds(std::optional<int64_t> op_seed) const {
  constexpr int64_t kDefaultGraphSeed = 87654321, kMaxInt32 = 2147483647;
  if (!data_.seed && !op_seed) return {0, 0};
  const auto truncated = [](int64_t seed) { return (seed % kMaxInt32 + kMaxInt32) % kMaxInt32; };
  const int64_t first = truncated(data_.seed.value_or(kDefaultGraphSeed));
  const int64_t second = truncated(op_seed.value_or(static_cast<int64_t>(data_.nodes.size())));
  return first == 0 && second == 0 ? std::pair{int64_t{0}, kMaxInt32} : std::pair{first, second};
}

}  // namespace cairn
