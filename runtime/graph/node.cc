#include "runtime/graph/node.h"
#include "runtime/graph/shape_context.h"

#include <mutex>
#include <new>
#include <ostream>
#include <utility>

#include "runtime/base/text.h"
#include "runtime/graph/graph.h"

namespace cairn {

std::string Node::str() const {
  const std::string text = str_cat(printable(op->name), " '", printable(name), "'");
  return made_at.known() ? str_cat(text, " (", made_at.str(), ")") : text;
}

void fail_at(const Node& node, Code code, const std::string& message) {
  throw Error(code, str_cat(node.str(), ": ", message), node.name);
}

void rethrow_at(const Node& node) {
  try {
    throw;
  } catch (const Error& e) {
    if (!e.node().empty()) throw;
    throw Error(e.code(), str_cat(node.str(), ": ", e.what()), node.name);
  } catch (const std::bad_alloc&) {
    throw Error(Code::kResourceExhausted, str_cat(node.str(), ": no memory"), node.name);
  } catch (const std::exception& e) {
    throw Error(Code::kInternal, str_cat(node.str(), ": ", e.what()), node.name);
  }
}

std::string endpoint_name(const Node& node, int index, bool with_zero) {
  return index == 0 && !with_zero ? node.name : str_cat(node.name, ":", index);
}

// ---- attributes ---------------------------------------------------------------------------------

const Attr* AttrReader::find(std::string_view name) const {
  if (const Attr* attr = reader_node_->attrs.find(name)) return attr;
  const AttrDef* def = reader_node_->op->find_attr(name);
  return def && def->default_value ? &*def->default_value : nullptr;
}

template <class T>
const T& AttrReader::get(std::string_view name, const char* kind) const {
  const Attr* attr = find(name);
  if (!attr)
    fail_at(*reader_node_, Code::kInvalidArgument, str_cat("attribute '", name, "' is missing"));
  const T* value = attr->get<T>();
  if (!value) {
    fail_at(*reader_node_, Code::kInvalidArgument,
            str_cat("attribute '", name, "': expected ", kind, ", got ", attr->str()));
  }
  return *value;
}

bool AttrReader::flag(std::string_view name) const { return get<bool>(name, "a bool"); }
int64_t AttrReader::integer(std::string_view name) const { return get<int64_t>(name, "an int"); }
float AttrReader::real(std::string_view name) const { return get<float>(name, "a float"); }
DType AttrReader::dtype(std::string_view name) const { return get<DType>(name, "a type"); }
const std::string& AttrReader::str(std::string_view name) const {
  return get<std::string>(name, "a string");
}
const Shape& AttrReader::shape(std::string_view name) const { return get<Shape>(name, "a shape"); }
const Tensor& AttrReader::tensor(std::string_view name) const {
  return get<Tensor>(name, "a tensor");
}
const std::vector<int64_t>& AttrReader::integers(std::string_view name) const {
  return get<std::vector<int64_t>>(name, "a list of ints");
}
const std::vector<float>& AttrReader::reals(std::string_view name) const {
  return get<std::vector<float>>(name, "a list of floats");
}
const std::vector<std::string>& AttrReader::strings(std::string_view name) const {
  return get<std::vector<std::string>>(name, "a list of strings");
}
const std::vector<DType>& AttrReader::dtypes(std::string_view name) const {
  return get<std::vector<DType>>(name, "a list of types");
}
const std::vector<Shape>& AttrReader::shapes(std::string_view name) const {
  return get<std::vector<Shape>>(name, "a list of shapes");
}

// ---- anchors ------------------------------------------------------------------------------------

namespace internal {
namespace {

std::mutex free_anchors_mutex;
GraphAnchor* free_anchors = nullptr;

}  // namespace

uint64_t next_epoch() {
  static std::atomic<uint64_t> last{0};
  return ++last;
}

GraphAnchor* take_anchor(Graph* graph) {
  GraphAnchor* anchor = nullptr;
  {
    const std::lock_guard lock(free_anchors_mutex);
    if (free_anchors) anchor = std::exchange(free_anchors, free_anchors->next_free);
  }
  if (!anchor) anchor = new GraphAnchor;
  anchor->graph = graph;
  const uint64_t epoch = next_epoch();
  anchor->first_epoch = epoch;
  anchor->epoch = epoch;
  return anchor;
}

void ReleaseAnchor::operator()(GraphAnchor* anchor) const noexcept {
  anchor->graph = nullptr;
  const std::lock_guard lock(free_anchors_mutex);
  anchor->next_free = free_anchors;
  free_anchors = anchor;
}

void GraphAnchor::refuse(uint64_t of, std::string_view who) const {
  if (is_gone(of)) {
    fail(Code::kFailedPrecondition, "the graph of ", who,
         " is gone: the Graph was destroyed before this use; keep it as long as its handles, "
         "sessions and savers are used (return it with them, declare it before them)");
  }
  fail(
      Code::kFailedPrecondition, "the graph of ", who,
      " was reset: Graph::reset() forgot all that was made before it; make a new Session, Saver or "
      "handle for what the graph holds now");
}

}  // namespace internal

// ---- handles ------------------------------------------------------------------------------------

namespace {

void check_alive(const internal::GraphAnchor* anchor, uint64_t epoch, const Node* node) {
  if (!anchor)
    fail(Code::kFailedPrecondition, "an empty handle was used: it stands for no part of a graph");
  if (anchor->epoch != epoch) anchor->refuse(epoch, "a handle");
  if (node->id < 0) {
    fail(Code::kFailedPrecondition, node->str(),
         ": its handle was used after the builder that made it had thrown");
  }
}

}  // namespace

Graph& Output::graph() const {
  check_alive(anchor_, epoch_, node_);
  return *anchor_->graph;
}
const Node& Output::node() const {
  check_alive(anchor_, epoch_, node_);
  return *node_;
}
Operation Output::op() const {
  check_alive(anchor_, epoch_, node_);
  return Operation(anchor_, node_, epoch_);
}
DType Output::dtype() const { return node().output_dtypes[static_cast<size_t>(index_)]; }
const Shape& Output::shape() const { return node().output_shapes[static_cast<size_t>(index_)]; }
std::string Output::name() const { return endpoint_name(node(), index_, true); }

Graph& Operation::graph() const {
  check_alive(anchor_, epoch_, node_);
  return *anchor_->graph;
}
const Node& Operation::node() const {
  check_alive(anchor_, epoch_, node_);
  return *node_;
}
Output Operation::input(int i) const {
  if (i < 0 || i >= num_inputs())
    fail_at(node(), Code::kOutOfRange, str_cat("there is no input ", i));
  const Endpoint& e = node().inputs[static_cast<size_t>(i)];
  return Output(anchor_, e.node, e.index, epoch_);
}
Output Operation::output(int i) const {
  if (i < 0 || i >= num_outputs())
    fail_at(node(), Code::kOutOfRange, str_cat("there is no output ", i));
  return Output(anchor_, node_, i, epoch_);
}
std::vector<Output> Operation::inputs() const {
  std::vector<Output> all;
  for (const Endpoint& e : node().inputs) all.push_back(Output(anchor_, e.node, e.index, epoch_));
  return all;
}
std::vector<Operation> Operation::control_inputs() const {
  std::vector<Operation> all;
  for (const Node* n : node().control_inputs) all.push_back(Operation(anchor_, n, epoch_));
  return all;
}

std::ostream& operator<<(std::ostream& out, const Output& output) {
  return output ? out << output.name() << ", " << output.dtype() << ' ' << output.shape()
                : out << "no tensor";
}
std::ostream& operator<<(std::ostream& out, const Operation& op) {
  return op ? out << op.node().str() : out << "no operation";
}

// ---- variables ----------------------------------------------------------------------------------

const VariableInfo& Variable::info() const {
  if (!info_)
    fail(Code::kFailedPrecondition, "an empty Variable handle was used: it stands for no variable");
  return *info_;
}

std::ostream& operator<<(std::ostream& out, const Variable& variable) {
  if (!variable) return out << "no variable";
  return out << variable.name() << ", " << variable.dtype() << ' ' << variable.shape();
}

std::string SaveSliceInfo::spec() const {
  std::string text;
  for (int64_t d : full_shape) text += str_cat(d, " ");
  for (size_t i = 0; i < var_offset.size(); ++i)
    text += str_cat(i > 0 ? ":" : "", var_offset[i], ",", var_shape.at(i));
  return text;
}

}  // namespace cairn
