#include "ops/array/joining.h"

#include "tests/support/catch.h"
#include "tests/support/fixtures.h"
#include "tests/support/lab.h"

using namespace cairn;

namespace {

// `parts` joined along `axis`, element by element.
Tensor naive_concat(const std::vector<Tensor>& parts, int axis) {
  Shape shape = parts[0].shape();
  int64_t along = 0;
  for (const Tensor& p : parts) along += p.dim(axis);
  shape.set_dim(axis, along);
  Tensor all = Tensor::zeros(DType::kFloat, shape);
  const int64_t after = shape.slice(axis + 1).num_elements();
  int64_t first = 0;
  for (const Tensor& p : parts) {
    for (int64_t i = 0; i < p.num_elements(); ++i) {
      const int64_t outer = i / (p.dim(axis) * after), at = i / after % p.dim(axis),
                    inner = i % after;
      all.data<float>()[(outer * along + first + at) * after + inner] = p.data<float>()[i];
    }
    first += p.dim(axis);
  }
  return all;
}

}  // namespace

TEST_CASE("Concat along any axis agrees with a naive concatenation", "[joining]") {
  for (int axis = 0; axis < 3; ++axis) {
    Lab lab;
    std::vector<Tensor> parts;
    std::vector<Operand> known, fed;
    for (int64_t n : {2, 0, 3, 1}) {
      Shape shape{4, 3, 2};
      shape.set_dim(axis, n);
      parts.push_back(count_up(shape));
      known.push_back(lab.known(parts.back()));
      fed.push_back(lab.fed(parts.back()));
    }
    const Tensor expected = naive_concat(parts, axis);
    CHECK(concat(known, axis - 3).shape() == expected.shape());
    CHECK(bit_equal(lab.run(concat(known, axis - 3)), expected));
    CHECK(bit_equal(lab.run(concat(fed, lab.fed(int64_t{axis}))), expected));
  }
}

TEST_CASE("Concat takes strings, bytes and wide elements", "[joining]") {
  Lab lab;
  const auto twice = [&](const Tensor& t) { return lab.told(concat({lab.fed(t), lab.fed(t)}, 0)); };
  CHECK(twice(Tensor::vector<std::string>({"a", "b"})) == "string [4] [b'a' b'b' b'a' b'b']");
  CHECK(twice(Tensor::vector<bool>({true, false})) == "bool [4] [ True False  True False]");
  CHECK(twice(Tensor::vector<int16_t>({1, 2})) == "int16 [4] [1 2 1 2]");
  CHECK(twice(Tensor::vector<std::complex<double>>({{1, 2}})) == "complex128 [2] [1.+2.j 1.+2.j]");
}

TEST_CASE("Concat infers its shape as far as the shapes of its parts are known", "[joining]") {
  Lab lab;
  const Output a = lab.fed(count_up({2, 3}), {-1, 3}), b = lab.fed(count_up({2, 3}), {2, -1});
  CHECK(concat({a, b}, 0).shape() == Shape{-1, 3});
  CHECK(concat({a, b}, 1).shape() == Shape{2, -1});
  CHECK(concat({a, b}, lab.fed(int32_t{0})).shape() == Shape{-1, -1});
  CHECK(concat({lab.fed(count_up({2, 3})), b}, 0).shape() == Shape{-1, -1});
}

TEST_CASE("Concat of one value is an Identity of the requested name", "[joining]") {
  Lab lab;
  const Output one = concat({lab.fed(count_up({2}))}, 0, {.name = "joined"});
  CHECK(one.op().type() == "Identity");
  CHECK(one.op().name() == "joined");
}

TEST_CASE("Concat refuses parts that differ elsewhere, scalars and axes out of range",
          "[joining]") {
  Lab lab;
  const auto code = [&](const Tensor& a, const Tensor& b, int axis) {
    const Code known = error_of([&] { concat({lab.known(a), lab.known(b)}, axis); }).code();
    CHECK(error_of([&] { lab.run(concat({lab.fed(a), lab.fed(b)}, axis)); }).code() == known);
    return known;
  };
  CHECK(code(count_up({2, 3}), count_up({2, 4}), 0) == Code::kInvalidArgument);
  CHECK(code(count_up({2, 3}), count_up({6}), 0) == Code::kInvalidArgument);
  CHECK(code(count_up({2, 3}), count_up({2, 3}), 2) == Code::kInvalidArgument);
  CHECK(code(1.0f, 2.0f, 0) == Code::kInvalidArgument);
  CHECK(error_of([&] { concat({}, 0); }).code() == Code::kInvalidArgument);
}

TEST_CASE("The older Concat takes its axis first", "[joining]") {
  Lab lab;
  const auto ops = joining_ops();
  const OpDef* old =
      *std::find_if(ops.begin(), ops.end(), [](const OpDef* op) { return op->name == "Concat"; });
  const Output joined =
      add_node(*old, {lab.known(int32_t{1}), lab.fed(count_up({2, 1})), lab.fed(count_up({2, 2}))});
  CHECK(lab.told(joined) == "float [2,3] [[0. 0. 1.]\n [1. 2. 3.]]");
}

TEST_CASE("Pack inserts an extent and Unpack removes it again", "[joining]") {
  Lab lab;
  const Tensor a = count_up({2, 3}), b = Tensor::matrix<float>({{9, 8, 7}, {6, 5, 4}});
  for (int axis : {0, 1, 2, -1}) {
    const Output known = stack({lab.known(a), lab.known(b)}, {.axis = axis});
    const Output fed = stack({lab.fed(a), lab.fed(b)}, {.axis = axis});
    CHECK(known.shape().dim(axis) == 2);
    CHECK(bit_equal(lab.run(known), lab.run(fed)));
    for (const auto& parts : {unstack(known, {.axis = axis}), unstack(fed, 2, {.axis = axis})}) {
      CHECK(bit_equal(lab.run(parts[0]), a));
      CHECK(bit_equal(lab.run(parts[1]), b));
    }
  }
  CHECK(lab.told(stack({lab.fed(a), lab.fed(b)}, {.axis = 2})) ==
        "float [2,3,2] [[[0. 9.]\n  [1. 8.]\n  [2. 7.]]\n\n [[3. 6.]\n  [4. 5.]\n  [5. 4.]]]");
}

TEST_CASE("Numbers in a stack become constants named by their place", "[joining]") {
  Lab lab;
  const Output rows = stack({size(lab.fed(count_up({2, 3}))), 1});
  CHECK(rows.op().name() == "stack");
  CHECK(rows.op().input(1).name() == "stack/1:0");
  CHECK(lab.told(rows) == "int32 [2] [6 1]");
}

TEST_CASE("Pack and Unpack refuse shapes that differ and extents that are not num", "[joining]") {
  Lab lab;
  CHECK(error_of([&] {
          stack({lab.known(count_up({2})), lab.known(count_up({3}))});
        }).code() == Code::kInvalidArgument);
  CHECK(error_of([&] {
          lab.run(stack({lab.fed(count_up({2})), lab.fed(count_up({3}))}));
        }).code() == Code::kInvalidArgument);
  CHECK(error_of([&] { unstack(lab.fed(count_up({2}))); }).code() == Code::kInvalidArgument);
  CHECK(error_of([&] { unstack(lab.known(count_up({2})), 3); }).code() == Code::kInvalidArgument);
  CHECK(error_of([&] { lab.run(unstack(lab.fed(count_up({2})), 3)[0]); }).code() ==
        Code::kInvalidArgument);
}

TEST_CASE("Split cuts equal pieces or the given sizes, and Concat undoes it", "[joining]") {
  Lab lab;
  const Tensor x = count_up({6, 4});
  for (const Output& y : {lab.known(x), lab.fed(x)}) {
    for (int axis : {0, 1, -1}) {
      for (const auto& pieces :
           {split(y, 2, {.axis = axis}), split(y, {1, -1, 2}, {.axis = axis})}) {
        CHECK(bit_equal(lab.run(concat({pieces.begin(), pieces.end()}, axis)), x));
      }
    }
    CHECK(lab.told(split(y, {1, -1}, {.axis = 1})[0]) ==
          "float [6,1] [[ 0.]\n [ 4.]\n [ 8.]\n [12.]\n [16.]\n [20.]]");
  }
  CHECK(split(lab.known(x), 3)[1].shape() == Shape{2, 4});
  CHECK(split(lab.known(x), {1, -1, 2})[1].shape() == Shape{3, 4});
  CHECK(split(lab.fed(x, {-1, 4}), 3)[1].shape() == Shape{-1, 4});
  const Output sizes = lab.fed(Tensor::vector<int64_t>({4, 2}));
  CHECK(lab.run(split_v(lab.fed(x), sizes, 0, 2)[1]).shape() == Shape{2, 4});
}

TEST_CASE("Split refuses pieces that do not add up to the extent", "[joining]") {
  Lab lab;
  for (const Output& y : {lab.known(count_up({6})), lab.fed(count_up({6}))}) {
    CHECK(error_of([&] { lab.run(split(y, 4)[0]); }).code() == Code::kInvalidArgument);
    for (const std::vector<int64_t>& sizes :
         std::vector<std::vector<int64_t>>{{1, 2}, {7, -1}, {-1, -1}, {-2, 8}}) {
      CHECK(error_of([&] { lab.run(split(y, sizes)[0]); }).code() == Code::kInvalidArgument);
    }
  }
}

TEST_CASE("ConcatOffset tells where each part begins", "[joining]") {
  Lab lab;
  const auto ints = [&](std::vector<int32_t> v) { return lab.fed(Tensor::vector<int32_t>(v)); };
  const auto offsets =
      concat_offset(lab.known(int32_t{1}), {ints({2, 3}), ints({2, 5}), ints({2, 1})});
  CHECK(lab.told(offsets[0]) == "int32 [2] [0 0]");
  CHECK(lab.told(offsets[1]) == "int32 [2] [0 3]");
  CHECK(lab.told(offsets[2]) == "int32 [2] [0 8]");
}
