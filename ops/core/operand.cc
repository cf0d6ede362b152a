#include "ops/core/operand.h"

#include <algorithm>
#include <cmath>

#include "ops/array/array.h"

namespace cairn {

namespace {

[[noreturn]] void refuse_plain_value(SourceLocation at) {
  fail(Code::kInvalidArgument, at.known() ? at.str() + ": " : "",
       "expected a tensor of a graph, got a plain number or value; use constant()");
}

// The name that a node made by the current builder would get: "Reshape/shape".
std::string place_of(const Graph& graph, std::string_view name) {
  const std::string scope = graph.current_scope();
  return scope.empty() ? std::string(name) : str_cat(scope, "/", name);
}

bool fits_int32(int64_t v) { return v == static_cast<int32_t>(v); }

}  // namespace

const Output& Operand::output() const {
  if (const Variable* variable = std::get_if<Variable>(&value_)) {
    require("");
    value_ = variable->as_tensor(at_);
  }
  if (!is_output()) refuse_plain_value(at_);
  require("");
  return std::get<Output>(value_);
}

Graph& Operand::graph() const {
  if (!is_output()) refuse_plain_value(at_);
  require("");
  const Variable* variable = std::get_if<Variable>(&value_);
  return variable ? variable->graph() : std::get<Output>(value_).graph();
}

void Operand::require(std::string_view op) const {
  const Output* output = std::get_if<Output>(&value_);
  const Variable* variable = std::get_if<Variable>(&value_);
  const auto refuse = [&](std::string_view why) {
    const std::string line = at_.known() ? op.empty() ? at_.str() : " (" + at_.str() + ")" : "";
    fail(Code::kFailedPrecondition, op, line, op.empty() && line.empty() ? "" : ": ", why);
  };
  if (!output && !variable) return;
  if (output ? bool(*output) : bool(*variable)) {
    try {
      (void)(output ? output->node() : variable->ref().node());
    } catch (const Error& e) {
      refuse(e.what());
    }
    return;
  }
  refuse(
      "an empty handle, which stands for no tensor: a default Output or Variable, an option left "
      "out, or the gradient "
      "for an x that no y depends on");
}

DType Operand::natural_dtype() const {
  if (const Variable* variable = std::get_if<Variable>(&value_)) return variable->dtype();
  if (is_output()) return base_dtype(std::get<Output>(value_).dtype());
  if (const Tensor* tensor = std::get_if<Tensor>(&value_)) return tensor->dtype();
  return std::holds_alternative<int64_t>(std::get<Number>(value_)) ? DType::kInt32 : DType::kFloat;
}

Output Operand::in(Graph& graph, DType dtype, std::string_view name) const {
  if (is_output()) {
    const Output* given = std::get_if<Output>(&value_);
    // For an operand in a std::optional, at_ is a line of <optional>.
    if (given ? !*given : variable() && !*variable())
      Operand(Output(), graph.current_location(at_)).require(place_of(graph, name));
    return output();
  }
  if (const Tensor* tensor = std::get_if<Tensor>(&value_))
    return constant({graph, at_}, *tensor, {.name = std::string(name)});
  const Number& number = std::get<Number>(value_);
  Tensor value = Tensor::uninitialized(base_dtype(dtype), {});
  const bool made =
      for_dtype<float, double, Half, BFloat16, int8_t, int16_t, int32_t, int64_t, uint8_t, uint16_t,
                uint32_t, uint64_t, std::complex<float>, std::complex<double>>(
          base_dtype(dtype), [&]<class T> {
            std::visit(
                [&](auto n) {
                  if constexpr (std::is_integral_v<T> && std::is_floating_point_v<decltype(n)>) {
                    if (n != std::trunc(n))
                      fail(Code::kInvalidArgument, place_of(graph, name), " (",
                           graph.current_location(at_).str(), "): ", n, " is not a value of dtype ",
                           base_dtype(dtype),
                           ", which is that of the tensor it is used with; cast that tensor to a "
                           "floating dtype, as in cast(x, DType::kFloat), or give a whole number");
                  }
                  if constexpr (std::is_arithmetic_v<T>) {
                    *value.data<T>() = static_cast<T>(n);
                  } else {
                    *value.data<T>() = T(static_cast<float>(n));
                  }
                },
                number);
          });
  if (!made) {
    fail(Code::kInvalidArgument, place_of(graph, name), " (", graph.current_location(at_).str(),
         "): a number cannot stand for a tensor of dtype ", base_dtype(dtype),
         "; give a Tensor of that dtype");
  }
  return constant({graph, at_}, value, {.name = std::string(name)});
}

IntList::IntList(const Shape& shape) : value_(std::vector<int64_t>(shape.begin(), shape.end())) {
  if (!shape.has_rank())
    fail(Code::kInvalidArgument, "a shape of unknown rank is not a list of integers");
}

Tensor IntList::tensor(std::optional<DType> dtype) const {
  if (!list()) return {};
  const auto wide = std::find_if_not(list()->begin(), list()->end(), fits_int32);
  if (!dtype) dtype = wide == list()->end() ? DType::kInt32 : DType::kInt64;
  if (*dtype == DType::kInt64) return Tensor::vector<int64_t>(*list());
  if (wide != list()->end())
    fail(Code::kInvalidArgument, *wide, " does not fit int32; ask for int64");
  return Tensor::vector<int32_t>(std::vector<int32_t>(list()->begin(), list()->end()));
}

Output IntList::in(GraphAt graph, std::string_view name, std::optional<DType> dtype) const {
  if (list()) {
    const bool fits =
        dtype != DType::kInt32 || std::all_of(list()->begin(), list()->end(), fits_int32);
    if (fits) return constant(graph, tensor(dtype), {.name = std::string(name)});
    fail(Code::kInvalidArgument, place_of(graph, name), " (", graph.at.str(), "): ", Shape(*list()),
         " does not fit int32, which the other tensors are of; cast them to int64");
  }
  const Output& given = std::get<Output>(value_);
  if (!given) Operand(given, graph.at).require(place_of(graph, name));
  return given;
}

DType IntList::common_dtype(std::initializer_list<const IntList*> lists) {
  DType dtype = DType::kInt32;
  for (const IntList* l : lists) {
    const Output* given = std::get_if<Output>(&l->value_);
    if (given && *given) return base_dtype(given->dtype());
    if (!given && l->tensor().dtype() == DType::kInt64) dtype = DType::kInt64;
  }
  return dtype;
}

Output binary_op(const OpDef& op, std::string_view default_name, const Operand& x, const Operand& y,
                 const NameOptions& options) {
  const std::string_view own_name = default_name.empty() ? op.name : default_name;
  const std::string_view name = options.name.empty() ? own_name : std::string_view(options.name);
  x.require(op.name);
  y.require(op.name);
  Graph& graph = (x.is_output() ? x : y).graph();
  const Graph::Transaction whole(graph);
  if (x.is_output() && y.is_output())
    return add_node(op, {x.output(), y.output()}, {}, name, x.at());
  Scope scope = graph.name_scope(name);
  const Output& known = x.is_output() ? x.output() : y.output();
  return add_node(op, {x.in(graph, known.dtype(), "x"), y.in(graph, known.dtype(), "y")}, {},
                  scope.name(), x.at());
}

}  // namespace cairn
