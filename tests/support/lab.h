// A graph and a session for tests of ops, with constant operands and operands of unknown value and
// shape.
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
  // A placeholder that is fed with the tensor, of unknown or of the given shape.
  Output fed(const Tensor& value, const Shape& shape = Shape::unknown()) {
    const Output x = placeholder(graph, value.dtype(), shape);
    feeds_.push_back({x, value});
    return x;
  }
  Tensor run(const Output& y) { return Session(graph).run(y, feeds_); }
  // Dtype, shape and elements of the value of y, as text.
  std::string told(const Output& y) { return told(run(y)); }
  static std::string told(const Tensor& t) {
    return str_cat(dtype_name(t.dtype()), " ", t.shape(), " ", t.str());
  }

 private:
  Feeds feeds_;
};

// The numbers 0, 1, 2 … in the given shape.
template <class T = float>
Tensor count_up(const Shape& shape) {
  Tensor t = Tensor::uninitialized(dtype_of<T>, shape);
  for (int64_t i = 0; i < t.num_elements(); ++i) t.data<T>()[i] = static_cast<T>(i);
  return t;
}

}  // namespace cairn
