// A graph to try ops in: operands whose values the graph knows and operands it knows nothing of,
// and one session.
#pragma once

#include "ops/array/array.h"
#include "runtime/exec/session.h"

namespace cairn {

//   Lab lab;
//   CHECK(lab.told(reverse(lab.fed(Tensor::vector<float>({1, 2})), {0})) == "float [2] [2. 1.]");
class Lab {
 public:
  Graph graph;

  Output known(const Tensor& value) { return constant(graph, value); }
  // A placeholder of a shape that shows only when it runs, or of the given one.
  Output fed(const Tensor& value, const Shape& shape = Shape::unknown()) {
    const Output x = placeholder(graph, value.dtype(), shape);
    feeds_.push_back({x, value});
    return x;
  }
  Tensor run(const Output& y) { return Session(graph).run(y, feeds_); }
  // Dtype, shape and elements of what y comes to.
  std::string told(const Output& y) { return told(run(y)); }
  static std::string told(const Tensor& t) {
    return str_cat(dtype_name(t.dtype()), " ", t.shape(), " ", t.str());
  }

 private:
  Feeds feeds_;
};

// 0, 1, 2 … of some shape.
template <class T = float>
Tensor count_up(const Shape& shape) {
  Tensor t = Tensor::uninitialized(dtype_of<T>, shape);
  for (int64_t i = 0; i < t.num_elements(); ++i) t.data<T>()[i] = static_cast<T>(i);
  return t;
}

}  // namespace cairn
