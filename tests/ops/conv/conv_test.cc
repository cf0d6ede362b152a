#include "ops/conv/conv.h"

#include <algorithm>
#include <cmath>

#include "ops/array/array.h"
#include "ops/core/gradients.h"
#include "ops/math/math.h"
#include "runtime/exec/session.h"
#include "tests/support/catch.h"
#include "tests/support/fixtures.h"
#include "tests/support/numeric_gradient.h"

using namespace cairn;

namespace {

// Where windows begin along an extent, and how many there are, by the definition of the two
// paddings.
struct Along {
  int64_t out, before;
  Along(int64_t in, int64_t window, int64_t stride, bool same) {
    out = same ? (in + stride - 1) / stride : (in - window) / stride + 1;
    before = same ? std::max<int64_t>(0, (out - 1) * stride + window - in) / 2 : 0;
  }
};

// Calls f(n, oh, ow, kh, kw, h, w) for each place of each window that is inside its image.
template <class F>
Shape slide_over(const Shape& in, int64_t kh, int64_t kw, int64_t sh, int64_t sw, bool same,
                 const F& f) {
  const Along y(in[1], kh, sh, same), x(in[2], kw, sw, same);
  for (int64_t n = 0; n < in[0]; ++n)
    for (int64_t oh = 0; oh < y.out; ++oh)
      for (int64_t ow = 0; ow < x.out; ++ow)
        for (int64_t i = 0; i < kh; ++i)
          for (int64_t j = 0; j < kw; ++j) {
            const int64_t h = oh * sh - y.before + i, w = ow * sw - x.before + j;
            if (h >= 0 && h < in[1] && w >= 0 && w < in[2]) f(n, oh, ow, i, j, h, w);
          }
  return {in[0], y.out, x.out, in[3]};
}

int64_t at(const Shape& s, int64_t a, int64_t b, int64_t c, int64_t d) {
  return ((a * s[1] + b) * s[2] + c) * s[3] + d;
}

Tensor naive_conv(const Tensor& x, const Tensor& f, int64_t sh, int64_t sw, bool same) {
  const Shape xs = x.shape(), fs = f.shape();
  Shape out = slide_over(xs, fs[0], fs[1], sh, sw, same, [](auto...) {});
  out.set_dim(3, fs[3]);
  Tensor y = Tensor::zeros(DType::kDouble, out);
  slide_over(xs, fs[0], fs[1], sh, sw, same,
             [&](int64_t n, int64_t oh, int64_t ow, int64_t i, int64_t j, int64_t h, int64_t w) {
               for (int64_t c = 0; c < fs[2]; ++c)
                 for (int64_t o = 0; o < fs[3]; ++o)
                   y.data<double>()[at(out, n, oh, ow, o)] +=
                       x.data<double>()[at(xs, n, h, w, c)] * f.data<double>()[at(fs, i, j, c, o)];
             });
  return y;
}

void check_close(const Tensor& got, const Tensor& expected, double tolerance = 1e-10) {
  REQUIRE(got.shape() == expected.shape());
  for (int64_t i = 0; i < got.num_elements(); ++i) {
    const double g =
        got.dtype() == DType::kDouble ? got.data<double>()[i] : double(got.data<float>()[i]);
    INFO("element " << i);
    REQUIRE(std::abs(g - expected.data<double>()[i]) <=
            tolerance * (1 + std::abs(expected.data<double>()[i])));
  }
}

struct Case {
  Shape x;
  int64_t kh, kw, sh, sw;
};
const Case kCases[] = {{{2, 7, 6, 3}, 3, 3, 1, 1}, {{1, 8, 9, 2}, 2, 3, 2, 2},
                       {{3, 5, 5, 1}, 1, 1, 1, 1}, {{2, 4, 4, 2}, 4, 4, 1, 1},
                       {{1, 9, 5, 2}, 2, 2, 3, 2}, {{1, 3, 11, 1}, 3, 5, 1, 4}};

}  // namespace

TEST_CASE("Conv2D agrees with the sum over each window, for both paddings", "[conv]") {
  for (const Case& c : kCases) {
    for (const char* padding : {"SAME", "VALID"}) {
      INFO(c.x << " window " << c.kh << "x" << c.kw << " strides " << c.sh << "," << c.sw << " "
               << padding);
      const Tensor x = doubles(c.x), f = doubles({c.kh, c.kw, c.x[3], 4}, -1, 1, 1);
      const Tensor expected = naive_conv(x, f, c.sh, c.sw, std::string(padding) == "SAME");
      Graph graph;
      const Output X = constant(graph, x), F = constant(graph, f);
      const Conv2DOptions options = {.strides = {1, c.sh, c.sw, 1}, .padding = padding};
      const Output y = conv2d(X, F, options);
      CHECK(y.shape() == expected.shape());
      Session session(graph);
      check_close(session.run(y), expected);
      check_close(session.run(conv2d(cast(X, DType::kFloat), cast(F, DType::kFloat), options)),
                  expected, 1e-5);
    }
  }
}

TEST_CASE("Gradients of conv2d agree with differences", "[conv][gradient]") {
  for (const Case& c : {kCases[1], kCases[3], kCases[4]}) {
    for (const char* padding : {"SAME", "VALID"}) {
      const Conv2DOptions options = {.strides = {1, c.sh, c.sw, 1}, .padding = padding};
      check_gradient([&](Output x, Output f) { return conv2d(x, f, options); },
                     {doubles(c.x), doubles({c.kh, c.kw, c.x[3], 2}, -1, 1, 1)});
    }
  }
}

TEST_CASE("Second gradients of conv2d agree with differences", "[conv][gradient]") {
  check_gradient([](Output x, Output f) { return gradients(square(conv2d(x, f)), {f})[0]; },
                 {doubles({1, 3, 3, 1}), doubles({2, 2, 1, 2}, -1, 1, 1)}, {.tolerance = 1e-5});
  check_gradient([](Output x, Output f) { return gradients(square(conv2d(x, f)), {x})[0]; },
                 {doubles({1, 3, 3, 1}), doubles({2, 2, 1, 2}, -1, 1, 1)}, {.tolerance = 1e-5});
}

TEST_CASE("Conv2D and its gradients are the same for any number of threads", "[conv]") {
  Graph graph;
  const Output x = cast(constant(graph, doubles({40, 14, 14, 4})), DType::kFloat);
  const Output f = cast(constant(graph, doubles({5, 5, 4, 8}, -1, 1, 1)), DType::kFloat);
  const Output y = conv2d(x, f);
  const auto grads = gradients(square(y), {x, f});
  Session one(graph, {.threads = 1}), four(graph, {.threads = 4});
  const auto a = one.run({y, grads[0], grads[1]}), b = four.run({y, grads[0], grads[1]});
  for (size_t i = 0; i < 3; ++i) CHECK(bit_equal(a[i], b[i]));
}

TEST_CASE("Pools agree with the greatest value and the mean of each window", "[conv]") {
  for (const Case& c : kCases) {
    for (const char* padding : {"SAME", "VALID"}) {
      const bool same = std::string(padding) == "SAME";
      INFO(c.x << " window " << c.kh << "x" << c.kw << " strides " << c.sh << "," << c.sw << " "
               << padding);
      const Tensor x = doubles(c.x);
      const Shape out = slide_over(c.x, c.kh, c.kw, c.sh, c.sw, same, [](auto...) {});
      Tensor most = Tensor::zeros(DType::kDouble, out), mean = most.clone(), count = most.clone();
      for (double& v : most.span<double>()) v = -100;
      slide_over(c.x, c.kh, c.kw, c.sh, c.sw, same,
                 [&](int64_t n, int64_t oh, int64_t ow, int64_t, int64_t, int64_t h, int64_t w) {
                   for (int64_t ch = 0; ch < c.x[3]; ++ch) {
                     const int64_t o = at(out, n, oh, ow, ch);
                     const double v = x.data<double>()[at(c.x, n, h, w, ch)];
                     most.data<double>()[o] = std::max(most.data<double>()[o], v);
                     mean.data<double>()[o] += v;
                     count.data<double>()[o] += 1;
                   }
                 });
      for (int64_t i = 0; i < mean.num_elements(); ++i)
        mean.data<double>()[i] /= count.data<double>()[i];
      Graph graph;
      const PoolOptions options = {
          .ksize = {1, c.kh, c.kw, 1}, .strides = {1, c.sh, c.sw, 1}, .padding = padding};
      const Output X = constant(graph, x);
      Session session(graph);
      check_close(session.run(max_pool(X, options)), most);
      check_close(session.run(avg_pool(X, options)), mean);
    }
  }
}

TEST_CASE("Gradients of pools agree with differences", "[conv][gradient]") {
  for (const Case& c : {kCases[0], kCases[1], kCases[4]}) {
    for (const char* padding : {"SAME", "VALID"}) {
      const PoolOptions options = {
          .ksize = {1, c.kh, c.kw, 1}, .strides = {1, c.sh, c.sw, 1}, .padding = padding};
      check_gradient([&](Output x) { return max_pool(x, options); }, {doubles(c.x)});
      check_gradient([&](Output x) { return avg_pool(x, options); }, {doubles(c.x)});
    }
  }
  check_gradient([](Output x) { return gradients(square(avg_pool(x)), {x})[0]; },
                 {doubles({1, 4, 4, 1})});
}

TEST_CASE("Of equal values the gradient of max_pool goes to the first", "[conv]") {
  Graph graph;
  const Output x = constant(graph, Tensor::of<float>({1, 2, 2, 1}, {1, 5, 5, 5}));
  Session session(graph);
  CHECK(bit_equal(session.run(gradients(max_pool(x), {x})[0]),
                  Tensor::of<float>({1, 2, 2, 1}, {0, 1, 0, 0})));
}

TEST_CASE("MaxPool takes integers and half", "[conv]") {
  Graph graph;
  const Output x = constant(graph, Tensor::of<int32_t>({1, 2, 2, 1}, {-4, -2, -9, -3}));
  Session session(graph);
  CHECK(session.run(max_pool(x)).span<int32_t>()[0] == -2);
  CHECK(float(session.run(max_pool(cast(x, DType::kHalf))).span<Half>()[0]) == -2);
}

TEST_CASE("Images without a batch are convolved to nothing", "[conv]") {
  Graph graph;
  const Output x = constant(graph, Tensor::zeros(DType::kFloat, {0, 4, 4, 2}));
  const Output f = constant(graph, Tensor::zeros(DType::kFloat, {3, 3, 2, 5}));
  const auto grads = gradients(conv2d(x, f), {x, f});
  Session session(graph);
  CHECK(session.run(conv2d(x, f)).shape() == Shape{0, 4, 4, 5});
  CHECK(bit_equal(session.run(grads[1]), Tensor::zeros(DType::kFloat, {3, 3, 2, 5})));
  CHECK(session.run(grads[0]).shape() == Shape{0, 4, 4, 2});
}

TEST_CASE("Conv2D refuses a filter for other channels, when built and when run", "[conv]") {
  Graph graph;
  const Output x = placeholder(graph, DType::kFloat, {-1, 4, 4, 2}),
               f3 = placeholder(graph, DType::kFloat, {3, 3, 3, 5});
  CHECK_THAT(error_of([&] { conv2d(x, f3); }).what(),
             Catch::Contains("channels of input and filter"));
  const Output f = placeholder(graph, DType::kFloat);
  const Output y = conv2d(x, f);
  Session session(graph);
  CHECK_THAT(error_of([&] {
               session.run(y, {{x, Tensor::zeros(DType::kFloat, {1, 4, 4, 2})},
                               {f, Tensor::zeros(DType::kFloat, {3, 3, 3, 5})}});
             }).what(),
             Catch::Contains("takes 3"));
}

TEST_CASE("A window larger than the image is refused without padding", "[conv]") {
  Graph graph;
  const Output x = placeholder(graph, DType::kFloat, {-1, 4, 4, 2}),
               f = placeholder(graph, DType::kFloat, {6, 6, 2, 5});
  CHECK_THAT(error_of([&] { conv2d(x, f, {.padding = "VALID"}); }).what(),
             Catch::Contains("does not fit"));
}

TEST_CASE("A layout that no kernel takes can be built, and says so when it is run", "[conv]") {
  Graph graph;
  const Output x = placeholder(graph, DType::kFloat, {-1, 2, 4, 4}),
               f = placeholder(graph, DType::kFloat, {3, 3, 2, 5});
  const Output y = conv2d(x, f, {.data_format = "NCHW"});
  CHECK(y.shape() == Shape{-1, 5, 4, 4});
  Session session(graph);
  const Error error = error_of([&] {
    session.run(y, {{x, Tensor::zeros(DType::kFloat, {1, 2, 4, 4})},
                    {f, Tensor::zeros(DType::kFloat, {3, 3, 2, 5})}});
  });
  CHECK(error.code() == Code::kUnimplemented);
  CHECK_THAT(error.what(), Catch::Contains("NCHW"));
}

TEST_CASE("Conv2D, pooling and their gradients make the nodes TensorFlow's Python makes",
          "[conv]") {
  Graph graph;
  const Output x = placeholder(graph, DType::kFloat, {-1, 4, 4, 2}),
               f = placeholder(graph, DType::kFloat, {3, 3, 2, 5});
  const Output y = max_pool(conv2d(x, f));
  gradients(y, {x, f});
  for (const char* name :
       {"Conv2D", "MaxPool", "gradients/MaxPool_grad/MaxPoolGrad", "gradients/Conv2D_grad/ShapeN",
        "gradients/Conv2D_grad/Conv2DBackpropInput", "gradients/Conv2D_grad/Conv2DBackpropFilter"})
    CHECK(graph.contains(name));
}
