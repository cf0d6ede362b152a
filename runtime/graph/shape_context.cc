#include "runtime/graph/shape_context.h"

#include "runtime/graph/graph.h"

namespace cairn {

int ShapeContext::producer() const { return graph_.versions.producer; }

Tensor ShapeContext::constant(int i) const {
  return graph_.static_value(graph_.handle(node_.inputs[static_cast<size_t>(i)]));
}

Shape ShapeContext::shape_from(int i) const {
  const Tensor value = constant(i);
  if (value.valid()) {
    if (value.rank() != 1)
      fail(str_cat("a shape must be a vector, got a tensor of shape ", value.shape()));
    return Shape(value.to_int64s());
  }
  const Shape vector = with_rank(i, 1, "shape");
  constexpr int64_t kHighestRank = 254;
  return vector[0] < 0 || vector[0] > kHighestRank ? Shape::unknown()
                                                   : Shape::unknown(static_cast<int>(vector[0]));
}

Shape ShapeContext::with_rank(int i, int rank, std::string_view what) const {
  const Shape& shape = input(i);
  if (!shape.has_rank()) return Shape::unknown(rank);
  if (shape.rank() != rank) fail(str_cat(what, " must be of rank ", rank, ", got shape ", shape));
  return shape;
}

Shape ShapeContext::with_rank_at_least(int i, int rank, std::string_view what) const {
  const Shape& shape = input(i);
  if (shape.has_rank() && shape.rank() < rank)
    fail(str_cat(what, " must be of rank ", rank, " or more, got shape ", shape));
  return shape;
}

std::pair<int64_t, int64_t> ShapeContext::matrix(int i, std::string_view what,
                                                 bool transposed) const {
  const Shape shape = with_rank(i, 2, what);
  return transposed ? std::pair{shape[1], shape[0]} : std::pair{shape[0], shape[1]};
}

int64_t ShapeContext::same(int64_t a, int64_t b, std::string_view what) const {
  if (a >= 0 && b >= 0 && a != b) {
    std::string inputs;
    for (int i = 0; i < num_inputs(); ++i) {
      const Endpoint& e = node_.inputs[static_cast<size_t>(i)];
      inputs += str_cat(i > 0 ? ", " : "", "'", endpoint_name(*e.node, e.index, false), "' is ",
                        input(i));
    }
    fail(str_cat(what, " differ: ", a, " and ", b, " (", inputs, ")"));
  }
  return a >= 0 ? a : b;
}

void unchanged_shape(ShapeContext& c) {
  for (int i = 0; i < c.num_outputs(); ++i) c.set_output(i, c.input(0));
}

void broadcast_shape(ShapeContext& c) {
  try {
    c.set_output(broadcast(c.input(0), c.input(1)));
  } catch (const Error& e) {
    c.fail(e.what());
  }
}

void scalar_shape(ShapeContext& c) {
  for (int i = 0; i < c.num_outputs(); ++i) c.set_output(i, {});
}

}  // namespace cairn
