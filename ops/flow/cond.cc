#include "ops/flow/cond.h"

#include <map>
#include <set>

#include "ops/array/array.h"
#include "ops/flow/flow.h"

namespace cairn {
namespace {

// Writes fields of a message in protobuf's encoding; protobuf itself is not a dependency of ops/.
class MessageWriter {
 public:
  MessageWriter& field(unsigned number, std::string_view bytes) {
    varint(number << 3 | 2);
    varint(bytes.size());
    bytes_ += bytes;
    return *this;
  }
  MessageWriter& field(unsigned number, unsigned value) {
    if (value == 0) return *this;
    varint(number << 3);
    varint(value);
    return *this;
  }
  const std::string& bytes() const { return bytes_; }

 private:
  void varint(size_t value) {
    for (; value >= 0x80; value >>= 7) bytes_ += static_cast<char>(value | 0x80);
    bytes_ += static_cast<char>(value);
  }
  std::string bytes_;
};

// One side of a condition while its function makes nodes: TensorFlow's CondContext.
class Branch final : public FlowContext {
 public:
  Branch(std::string name, const Output& pred, const Output& pivot, int side, Branch* outer)
      : name_(std::move(name)), pred_(pred), pivot_(pivot), side_(side), outer_(outer) {
    values_ = {pred.name(), pivot.name()};
    external_[pred.name()] = pred;
  }

  void amend(Graph&, NodeSpec& spec) override {
    for (Output& input : spec.inputs) {
      if (input) input = inside(input);
    }
    if (spec.inputs.empty()) spec.control_inputs.push_back(pivot_.op());
  }
  void added(const Operation& op) override {
    for (int i = 0; i < op.num_outputs(); ++i) add_value(op.output(i).name());
  }
  void taken_back(const Operation& op) override {
    for (int i = 0; i < op.num_outputs(); ++i) {
      values_.erase(op.output(i).name());
      std::erase_if(external_, [&](const auto& came) {
        if (came.second != op.output(i)) return false;
        values_.erase(came.first);
        return true;
      });
    }
    std::erase_if(nested_, [&](const auto& inner) { return inner->pivot_.op() == op; });
    if (outer_) outer_->taken_back(op);
  }
  bool holds(const Output& x) const override {
    return (values_.count(x.name()) > 0 && external_.count(x.name()) == 0) ||
           (outer_ && outer_->holds(x));
  }

  // `x` for use by nodes of this side: x itself if it was made here, else the output of a Switch,
  // one for each x.
  Output inside(const Output& x) {
    if (values_.count(x.name()) > 0) {
      const auto known = external_.find(x.name());
      return known == external_.end() ? x : known->second;
    }
    const Output outside = outer_ ? outer_->inside(x) : x;
    const auto sides = switch_by(outside, pred_, {.name = "Switch"});  // RefSwitch for a reference
    const Output taken = side_ == 1 ? sides.second : sides.first;
    values_.insert(x.name());
    if (outer_) {
      values_.insert(outside.name());
      external_[outside.name()] = outside;
    }
    add_value(taken.name());
    return external_[x.name()] = taken;
  }

  // A result of this side. A tensor that was only passed through needs a Switch too: without one it
  // would be live on both sides, and Merge could not choose.
  Output result(const Output& made) {
    const Output x = is_ref(made.dtype()) ? identity(made) : made;
    if (values_.count(x.name()) > 0) return inside(x);
    const Scope nobody = x.graph().control_flow(nullptr);
    const Output taken = inside(x);
    added(taken.op());
    return taken;
  }
  Output result(const Operation& op) { return with_dependencies({op}, pivot_); }

  void nest(const std::shared_ptr<Branch>& inner) { nested_.push_back(inner); }

  // CondContextDef.
  std::string message() const {
    MessageWriter values, all;
    for (const std::string& value : values_) values.field(1, value);
    for (const auto& [outside, taken] : external_) {
      values.field(2, MessageWriter().field(1, outside).field(2, taken.name()).bytes());
    }
    all.field(1, name_)
        .field(2, pred_.name())
        .field(3, pivot_.name())
        .field(4, static_cast<unsigned>(side_));
    all.field(5, values.bytes());
    for (const auto& inner : nested_)
      all.field(6, MessageWriter().field(1, inner->message()).bytes());
    return all.bytes();
  }

 private:
  void add_value(const std::string& name) {
    values_.insert(name);
    if (outer_) outer_->add_value(name);
  }

  std::string name_;
  Output pred_, pivot_;
  int side_;
  Branch* outer_;  // the condition around this one, or null
  std::vector<std::shared_ptr<Branch>> nested_;
  std::set<std::string> values_;            // names of all tensors on this side
  std::map<std::string, Output> external_;  // tensors from outside, and their Switch outputs
};

template <class T>
std::vector<T> as_list(const T& one) {
  return {one};
}
std::vector<Output> as_list(const std::vector<Output>& several) { return several; }

// Calls `make`; the nodes it makes belong to `side`.
template <class Made>
std::vector<Output> make_side(Graph& graph, const std::shared_ptr<Branch>& side,
                              const std::function<Made()>& make) {
  const Scope no_waiting = graph.control_dependencies({});
  const Scope here = graph.control_flow(side);
  const auto returned = [&] {
    const Scope own_places = graph.made_at({});
    return as_list(make());
  }();
  std::vector<Output> results;
  for (const auto& made : returned) {
    graph.check_owns(made, "cond");
    results.push_back(side->result(made));
  }
  return results;
}

void check_sides(const std::vector<Output>& when_true, const std::vector<Output>& when_false,
                 const Operand& pred) {
  const std::string cond = pred.at().known() ? "cond (" + pred.at().str() + ")" : "cond";
  if (when_true.size() != when_false.size()) {
    fail(Code::kInvalidArgument, cond, ": true_fn gives ", when_true.size(), " tensors, false_fn ",
         when_false.size());
  }
  for (size_t i = 0; i < when_true.size(); ++i) {
    const DType a = base_dtype(when_true[i].dtype()), b = base_dtype(when_false[i].dtype());
    if (a == b) continue;
    fail(Code::kInvalidArgument, cond, ": true_fn gives '", when_true[i].name(), "' of dtype ", a,
         ", false_fn '", when_false[i].name(), "' of dtype ", b);
  }
}

template <class Made>
std::vector<Output> make_cond(const Operand& given, const std::function<Made()>& true_fn,
                              const std::function<Made()>& false_fn, const NameOptions& options) {
  Graph& graph = given.graph();
  const Graph::Transaction whole(graph, given.at());
  const Scope scope = graph.name_scope(options.name.empty() ? "cond" : options.name);
  const auto outer = std::dynamic_pointer_cast<Branch>(graph.control_flow());
  const auto [pivot_false, pivot_true] =
      switch_by(given.output(), given.output(), {.colocate = false});
  const Output switch_t = identity(pivot_true, {.name = "switch_t"});
  const Output switch_f = identity(pivot_false, {.name = "switch_f"});
  const Output pred = identity(given.output(), {.name = "pred_id"});
  const auto side = [&](const Output& pivot, int number) {
    return std::make_shared<Branch>(graph.unique_name("cond_text"), pred, pivot, number,
                                    outer.get());
  };
  const auto when_true = side(switch_t, 1);
  const auto true_results = make_side(graph, when_true, true_fn);
  const auto when_false = side(switch_f, 0);
  const auto false_results = make_side(graph, when_false, false_fn);
  check_sides(true_results, false_results, given);
  std::vector<Output> merged;
  for (size_t i = 0; i < true_results.size(); ++i)
    merged.push_back(merge({false_results[i], true_results[i]}).value);
  for (const auto& branch : {when_true, when_false}) {
    outer ? outer->nest(branch)
          : graph.add_to_collection(GraphKeys::kCondContext, branch->message());
  }
  return merged;
}

}  // namespace

Output cond(const Operand& pred, const std::function<Output()>& true_fn,
            const std::function<Output()>& false_fn, const NameOptions& options) {
  return make_cond(pred, true_fn, false_fn, options)[0];
}
std::vector<Output> cond(const Operand& pred, const std::function<std::vector<Output>()>& true_fn,
                         const std::function<std::vector<Output>()>& false_fn,
                         const NameOptions& options) {
  return make_cond(pred, true_fn, false_fn, options);
}
Output cond(const Operand& pred, const std::function<Operation()>& true_fn,
            const std::function<Operation()>& false_fn, const NameOptions& options) {
  return make_cond(pred, true_fn, false_fn, options)[0];
}

}  // namespace cairn
