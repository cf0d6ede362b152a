#include "ops/nn/softmax.h"

#include <cmath>
#include <limits>

#include "ops/array/array.h"
#include "ops/array/joining.h"
#include "ops/array/slicing.h"
#include "ops/core/building.h"
#include "ops/core/eigen.h"
#include "ops/core/packets.h"
#include "ops/core/sums.h"
#include "ops/math/math.h"
#include "ops/math/reduce.h"
#include "runtime/exec/context.h"

namespace cairn {
namespace {

// ---- what all kernels here do to a row ----------------------------------------------------------

// A tensor as rows of its last extent.
struct Rows {
  int64_t count = 0, cols = 0;
  Rows(KernelContext& c, const Shape& shape) {
    if (shape.rank() < 1) c.fail("expected at least a vector of logits, got a scalar");
    cols = shape.dim(-1);
    count = cols == 0 ? 0 : shape.num_elements() / cols;
  }
};

template <class T>
Wide<T> greatest(const T* x, int64_t n) {
  using W = Wide<T>;
  W lanes[kPacket];
  std::fill_n(lanes, kPacket, -std::numeric_limits<W>::infinity());
  for (int64_t i = 0; i < n; i += kPacket) {
    const int64_t m = std::min(kPacket, n - i);
    each(m, [&lanes, from = x + i](int64_t j) {
      lanes[j] = lanes[j] < widen(from[j]) ? W(widen(from[j])) : lanes[j];
    });
  }
  return *std::max_element(lanes, lanes + kPacket);
}

// One row on its way: exps[j] = exp(in[j] - greatest), whose sum is `sum`. What is to become of it
// goes to `out`, which may be where the exps are.
template <class T>
struct Row {
  int64_t index;
  const T* in;
  Wide<T> greatest, sum;
  const Wide<T>* exps;
  Wide<T>* out;
};

// Calls finish(Row) for each row of x that a piece of work has, long rows one at a time.
template <class T, class Finish>
void long_rows(const T* x, Wide<T>* out, int64_t cols, int64_t begin, int64_t end,
               const Finish& finish) {
  using W = Wide<T>;
  for (int64_t row = begin; row < end; ++row) {
    const T* const in = x + row * cols;
    W* const e = out + row * cols;
    const W most = greatest(in, cols);
    each(cols, [=](int64_t j) { e[j] = widen(in[j]) - most; });
    by_packets(e, e, cols, packet_functions<W>().exp, [](W, W y) { return y; });
    finish(Row<T>{row, in, most, steady_sum<W>(cols, [e](int64_t j) { return e[j]; }), e, e});
  }
}

// Short rows, some at a time, each filled up to whole registers with what does not count: -inf for
// the maximum, and then, as that is slow to take the exponential of, kFaint, which vanishes beside
// the 1 that the greatest makes.
template <class W>
constexpr W kFaint = sizeof(W) == 4 ? W(-87) : W(-708);
constexpr int64_t kShort = 64;
template <class T, class Finish>
void short_rows(const T* x, Wide<T>* out, int64_t cols, int64_t begin, int64_t end,
                const Finish& finish) {
  using W = Wide<T>;
  using Array = Eigen::Map<Eigen::Array<W, Eigen::Dynamic, 1>, Eigen::Aligned64>;
  constexpr int64_t kBlock = 1024;
  alignas(64) W block[kBlock];
  W most[kBlock / kPacket];
  const int64_t width = (cols + kPacket - 1) / kPacket * kPacket, at_once = kBlock / width;
  W floor[kPacket];  // under the last register of a row
  std::fill_n(floor, kPacket, kFaint<W>);
  std::fill_n(floor, cols - (width - kPacket), -std::numeric_limits<W>::infinity());
  for (int64_t first = begin; first < end; first += at_once) {
    const int64_t n = std::min(at_once, end - first);
    for (int64_t i = 0; i < n; ++i) {
      W* const row = block + i * width;
      each(cols, [row, in = x + (first + i) * cols](int64_t j) { row[j] = widen(in[j]); });
      std::fill(row + cols, row + width, -std::numeric_limits<W>::infinity());
      Array d(row, width);
      most[i] = d.maxCoeff();
      d -= most[i];
      each(kPacket, [&floor, last = row + width - kPacket](int64_t j) {
        last[j] = last[j] < floor[j] ? floor[j] : last[j];
      });
    }
    packet_functions<W>().exp(block, block, n * width);
    for (int64_t i = 0; i < n; ++i) {
      W* const row = block + i * width;
      const int64_t at = (first + i) * cols;
      finish(Row<T>{first + i, x + at, most[i], Array(row, width).sum(), row, out + at});
    }
  }
}

// Calls finish(Row) for all rows of x, with `out` for what comes of it. Where x and `out` are one,
// finish finds nothing in Row::in.
template <class T, class Finish>
void for_rows(KernelContext& c, const T* x, Wide<T>* out, const Rows& rows, const Finish& finish) {
  const int64_t cols = rows.cols;
  const double cost = 2 * static_cast<double>(cols) + 10;
  const auto piece = [=, &finish](int64_t begin, int64_t end) {
    (cols <= kShort ? short_rows<T, Finish> : long_rows<T, Finish>)(x, out, cols, begin, end,
                                                                    finish);
  };
  // 16-bit rows are not whole before Work::done().
  is_half<T> ? c.parallel_for(rows.count, cost, piece) : c.parallel_rows(rows.count, cost, piece);
}

// Memory to work in for an output: its own, or floats beside it when it holds 16-bit values; done()
// brings them over.
template <class T>
class Work {
 public:
  using W = Wide<T>;
  Work(KernelContext& c, Tensor& out)
      : out_(static_cast<T*>(out.raw_data())), n_(out.num_elements()) {
    if constexpr (is_half<T>) {
      scratch_ = c.scratch(DType::kFloat, out.shape());
      data_ = scratch_.data<float>();
    } else {
      data_ = out_;
    }
  }
  W* data() { return data_; }
  void done() {
    if constexpr (is_half<T>)
      each(n_, [out = out_, from = data_](int64_t i) { out[i] = T(from[i]); });
  }

 private:
  T* out_;
  int64_t n_;
  Tensor scratch_;
  W* data_;
};

// ---- Softmax, LogSoftmax ------------------------------------------------------------------------

void rows_shape(ShapeContext& c) { c.set_output(c.with_rank_at_least(0, 1, "logits")); }

Kernel softmax_prepare(const KernelSetup& s) {
  return by_types(Floats(), s, s.dtype("T"), []<class T>() -> Kernel {
    return [](KernelContext& c) {
      const Shape shape = c.input(0).shape();
      const Rows rows(c, shape);
      const T* x = c.in<T>(0);
      Work<T> work(c, c.allocate_or_reuse(0, 0, shape));
      for_rows(c, x, work.data(), rows, [cols = rows.cols](const Row<T>& row) {
        each(cols, [out = row.out, e = row.exps, scale = 1 / row.sum](int64_t j) {
          out[j] = e[j] * scale;
        });
      });
      work.done();
    };
  });
}

Kernel log_softmax_prepare(const KernelSetup& s) {
  return by_types(Floats(), s, s.dtype("T"), []<class T>() -> Kernel {
    return [](KernelContext& c) {
      const Shape shape = c.input(0).shape();
      const Rows rows(c, shape);
      const T* x = c.in<T>(0);
      Work<T> work(c, c.allocate(0, shape));
      for_rows(c, x, work.data(), rows, [cols = rows.cols](const Row<T>& row) {
        each(cols, [out = row.out, in = row.in, most = row.greatest, log_sum = std::log(row.sum)](
                       int64_t j) { out[j] = (widen(in[j]) - most) - log_sum; });
      });
      work.done();
    };
  });
}

Grads softmax_gradient(const Operation& op, const Grads& dy) {
  const Output y = op.output();
  const Output along_row = reduce_sum(dy[0] * y, -1, {.keep_dims = true});
  return {(dy[0] - along_row) * y};
}
Grads log_softmax_gradient(const Operation& op, const Grads& dy) {
  const Output y = exp(op.output());
  return {dy[0] - reduce_sum(dy[0], -1, {.keep_dims = true}) * y};
}

constexpr OpDef kSoftmax = {.name = "Softmax",
                            .inputs = "logits: T",
                            .outputs = "softmax: T",
                            .attrs = kFloatAttrs,
                            .by_rows = ByRows::kTakesFirst,
                            .shape = rows_shape,
                            .prepare = softmax_prepare,
                            .gradient = softmax_gradient};
constexpr OpDef kLogSoftmax = {.name = "LogSoftmax",
                               .inputs = "logits: T",
                               .outputs = "logsoftmax: T",
                               .attrs = kFloatAttrs,
                               .by_rows = ByRows::kTakesFirst,
                               .shape = rows_shape,
                               .prepare = log_softmax_prepare,
                               .gradient = log_softmax_gradient};

// ---- SoftmaxCrossEntropyWithLogits --------------------------------------------------------------

std::string different_shapes(const Shape& labels, const Shape& logits) {
  return str_cat(
      "labels are of shape ", labels, ", logits of shape ", logits, "; expected one shape, ",
      logits.rank() == 2 ? "[batch, classes]" : "[..., classes]", ": a probability for each logit");
}

// Rows do not tell what they were made of: [2,3,4] and [3,2,4] both are six rows of four. Where the
// builder could not see that labels and logits are alike, the kernel is shown them as they were
// given too.
bool is_marked(const Node& node) { return node.attrs.find(kSameShape) != nullptr; }
struct Given {
  explicit Given(const KernelContext& c)
      : logits(c.input(c.num_inputs() > 2 ? 2 : 0).shape()),
        labels(c.input(c.num_inputs() > 2 ? 3 : 1).shape()) {}
  const Shape &logits, &labels;
};

void cross_entropy_shape(ShapeContext& c) {
  const Shape logits = c.with_rank(0, 2, "logits"), labels = c.with_rank(1, 2, "labels");
  c.require(labels.is_compatible_with(logits), different_shapes(labels, logits));
  const Shape shape = merge(logits, labels);
  c.set_output(0, {shape[0]});
  c.set_output(1, shape);
}

Kernel cross_entropy_prepare(const KernelSetup& s) {
  return by_types(Floats(), s, s.dtype("T"), []<class T>() -> Kernel {
    return [](KernelContext& c) {
      using W = Wide<T>;
      const Shape shape = c.input(0).shape();
      const Given given(c);
      if (given.labels != given.logits) c.fail(different_shapes(given.labels, given.logits));
      if (shape.rank() != 2 || c.input(1).shape() != shape)
        c.fail(different_shapes(c.input(1).shape(), shape));
      const Rows rows(c, shape);
      const T *x = c.in<T>(0), *y = c.in<T>(1);
      Work<T> loss(c, c.allocate(0, {shape[0]})), backprop(c, c.allocate(1, shape));
      if (rows.cols == 0) std::fill_n(loss.data(), shape[0], W(0));
      for_rows(c, x, backprop.data(), rows,
               [out = loss.data(), y, cols = rows.cols](const Row<T>& row) {
                 const T* const p = y + row.index * cols;
                 const W log_sum = std::log(row.sum);
                 out[row.index] =
                     steady_sum<W>(cols, [=, in = row.in, most = row.greatest](int64_t j) -> W {
                       return widen(p[j]) * (log_sum - (widen(in[j]) - most));
                     });
                 each(cols, [=, to = row.out, e = row.exps, sum = row.sum](int64_t j) {
                   to[j] = e[j] / sum - widen(p[j]);
                 });
               });
      loss.done();
      backprop.done();
    };
  });
}

// A row's loss times each element of its row.
Output times_rows(const Output& loss, const Output& rows) { return expand_dims(loss, -1) * rows; }

bool is_zero(const Output& grad) {
  if (!grad) return true;
  const std::string& type = grad.op().type();
  return type == "ZerosLike" || type == "Zeros";
}

// The op's second output is the loss's derivative by the logits.
Grads cross_entropy_gradient(const Operation& op, const Grads& dy) {
  const Output logits = op.input(0), loss = dy[0] ? dy[0] : zeros_like(op.output(0));
  Output by_logits = times_rows(loss, op.output(1));
  if (!is_zero(dy[1])) {
    const Output p = softmax(logits);
    by_logits = by_logits + (dy[1] - reduce_sum(dy[1] * p, 1, {.keep_dims = true})) * p;
  }
  Output by_labels = times_rows(loss, -log_softmax(logits));
  if (!is_zero(dy[1])) by_labels = by_labels - dy[1];  // the derivative by the logits is p - labels
  return {by_logits, by_labels};
}

constexpr OpDef kCrossEntropy = {.name = "SoftmaxCrossEntropyWithLogits",
                                 .inputs = "features: T, labels: T",
                                 .outputs = "loss: T, backprop: T",
                                 .attrs = kFloatAttrs,
                                 .by_rows = ByRows::kTakesFirst,
                                 .shape = cross_entropy_shape,
                                 .prepare = cross_entropy_prepare,
                                 .sees_before_reshape = is_marked,
                                 .gradient = cross_entropy_gradient};

// ---- SparseSoftmaxCrossEntropyWithLogits --------------------------------------------------------

void sparse_cross_entropy_shape(ShapeContext& c) {
  const Shape features = c.with_rank(0, 2, "features"), labels = c.with_rank(1, 1, "labels");
  const int64_t batch = c.same(features[0], labels[0], "rows of features and labels");
  c.set_output(0, {batch});
  c.set_output(1, {batch, features[1]});
}

std::string no_class_for_each_row(const Shape& labels, const Shape& logits) {
  return str_cat("labels are of shape ", labels, ", logits of shape ", logits, "; expected labels ",
                 logits.rank() == 2 ? "[batch], a class for each row of logits [batch, classes]"
                                    : "[...], a class for each row of logits [..., classes]");
}

Kernel sparse_cross_entropy_prepare(const KernelSetup& s) {
  const bool narrow = s.dtype("Tlabels") == DType::kInt32;
  return by_types(Floats(), s, s.dtype("T"), [narrow]<class T>() -> Kernel {
    return [narrow](KernelContext& c) {
      const Tensor &logits = c.input(0), &labels = c.input(1);
      if (logits.rank() != 2 || labels.rank() != 1)
        c.fail(no_class_for_each_row(labels.shape(), logits.shape()));
      const Given given(c);
      if (given.labels != given.logits.slice(0, -1))
        c.fail(no_class_for_each_row(given.labels, given.logits));
      const Shape shape = logits.shape();
      const Rows rows(c, shape);
      const auto label = [narrow, data = labels.raw_data()](int64_t row) -> int64_t {
        return narrow ? static_cast<const int32_t*>(data)[row]
                      : static_cast<const int64_t*>(data)[row];
      };
      for (int64_t row = 0; row < shape[0]; ++row) {
        if (label(row) < 0 || label(row) >= rows.cols)
          c.fail(str_cat("label ", label(row), " at row ", row, " is outside the valid range [0, ",
                         rows.cols, ")"));
      }
      const T* x = c.in<T>(0);
      Work<T> loss(c, c.allocate(0, {shape[0]})), backprop(c, c.allocate(1, shape));
      for_rows(c, x, backprop.data(), rows, [&, out = loss.data()](const Row<T>& row) {
        const int64_t own = label(row.index);
        out[row.index] = std::log(row.sum) - (widen(row.in[own]) - row.greatest);
        each(rows.cols,
             [=, to = row.out, e = row.exps, sum = row.sum](int64_t j) { to[j] = e[j] / sum; });
        row.out[own] -= 1;
      });
      loss.done();
      backprop.done();
    };
  });
}

Grads sparse_cross_entropy_gradient(const Operation& op, const Grads& dy) {
  const Output loss = dy[0] ? dy[0] : zeros_like(op.output(0));
  const Output backprop = prevent_gradient(
      op.output(1),
      {.message = "Currently there is no way to take the second derivative of "
                  "sparse_softmax_cross_entropy_with_logits due to the fused implementation's "
                  "interaction with tf.gradients()"});
  return {times_rows(loss, backprop), Output()};
}

constexpr OpDef kSparseCrossEntropy = {
    .name = "SparseSoftmaxCrossEntropyWithLogits",
    .inputs = "features: T, labels: Tlabels",
    .outputs = "loss: T, backprop: T",
    .attrs = "T: {half, bfloat16, float, double}, Tlabels: {int32, int64} = DT_INT64",
    .by_rows = ByRows::kTakesFirst,
    .shape = sparse_cross_entropy_shape,
    .prepare = sparse_cross_entropy_prepare,
    .sees_before_reshape = is_marked,
    .gradient = sparse_cross_entropy_gradient};

// ---- builders -----------------------------------------------------------------------------------

// The n-th of several nodes of one name in a scope: "Slice", "Slice_1".
std::string nth(const char* name, int n) { return n == 0 ? name : str_cat(name, "_", n); }

// x as [rows, last extent], by the nodes TensorFlow's Python makes; n counts the calls in one
// scope.
Output as_rows(const Output& x, int n) {
  const Output extents = rank(x);
  const Output all = shape(x);
  const Output last = subtract(extents, 1);
  const Output begin = stack({last}, {.name = nth("Slice", n) + "/begin"});
  const Output cols = slice(all, begin, {1});
  return reshape(x, concat({Tensor::vector<int32_t>({-1}), cols}, 0));
}

// 16-bit logits are made floats first.
Output precise(const Output& logits) {
  const DType dtype = base_dtype(logits.dtype());
  return dtype == DType::kHalf || dtype == DType::kBFloat16 ? cast(logits, DType::kFloat) : logits;
}

// Throws, in the name of `builder`, where labels and logits are known to be of shapes that do not
// go together: labels with a row for each of the logits' or, where `sparse`, with one class number.
void check_shapes(const CrossEntropyOptions& options, std::string_view builder,
                  bool sparse = false) {
  const Shape &labels = options.labels.output().shape(), &logits = options.logits.output().shape();
  const Shape expected = sparse ? logits.slice(0, -1) : logits;
  if (labels.is_compatible_with(expected)) return;
  const bool is_other_kind = builder.find("softmax") != std::string_view::npos &&
                             labels.rank() == logits.rank() - (sparse ? 0 : 1);
  const std::string other = !is_other_kind ? ""
                            : sparse
                                ? "; rows of probabilities go to softmax_cross_entropy_with_logits"
                                : "; class numbers go to sparse_softmax_cross_entropy_with_logits";
  fail(Code::kInvalidArgument, builder, " (", options.labels.at().str(), "): labels are of shape ",
       labels, ", logits of shape ", logits, ": expected labels of shape ", expected, other);
}

// The mark of a cross entropy whose labels and logits, of such extents but for the classes, may be
// as many rows and yet not alike. Matrices are their own rows, which the kernel compares.
Attrs mark_for(const Shape& labels, const Shape& logits) {
  const bool known = labels.is_fully_defined() && logits.is_fully_defined();
  const bool flat = labels.has_rank() && logits.has_rank() && labels.rank() <= 1;
  Attrs attrs;
  if (!known && !flat) attrs.set(kSameShape, std::string("labels and logits"));
  return attrs;
}

// `labels` and `logits` in the scope of `b`, whose name the op itself bears.
Output dense_cross_entropy(const BuilderScope& b, const Output& labels_as_given,
                           const Output& logits_as_given) {
  const Output logits = precise(logits_as_given),
               labels = cast(labels_as_given, base_dtype(logits.dtype()));
  const Output extents = rank(logits);
  const Output all = shape(logits);
  const Output logit_rows = as_rows(logits, 0), label_rows = as_rows(labels, 1);
  const Output loss = b.add(kCrossEntropy, {logit_rows, label_rows},
                            mark_for(labels.shape().slice(0, -1), logits.shape().slice(0, -1)));
  const Output outer = subtract(extents, 1);
  const Output begin = constant(b, Tensor::vector<int32_t>({0}), {.name = "Slice_2/begin"});
  const Output size = stack({outer}, {.name = "Slice_2/size"});
  return cast(reshape(loss, slice(all, begin, size, {.name = "Slice_2"})),
              base_dtype(logits_as_given.dtype()));
}

}  // namespace

namespace {

void require_both(const CrossEntropyOptions& options, const std::string& builder) {
  options.labels.require(builder + ": labels");
  options.logits.require(builder + ": logits");
}

// A scalar has no extent that could be the classes.
void refuse_scalars(const CrossEntropyOptions& options, const char* builder) {
  for (const auto& [name, given] :
       {std::pair{"labels", &options.labels}, {"logits", &options.logits}}) {
    if (given->output().shape().is_scalar())
      fail(Code::kInvalidArgument, builder, " (", given->at().str(), "): ", name,
           " must not be a scalar; expected [..., classes]");
  }
}

}  // namespace

Output softmax(const Operand& logits, const NameOptions& options) {
  return unary_op(kSoftmax, logits, options);
}
Output log_softmax(const Operand& logits, const NameOptions& options) {
  return unary_op(kLogSoftmax, logits, options);
}

Output softmax_cross_entropy_with_logits(const CrossEntropyOptions& options) {
  require_both(options, "softmax_cross_entropy_with_logits");
  refuse_scalars(options, "softmax_cross_entropy_with_logits");
  check_shapes(options, "softmax_cross_entropy_with_logits");
  const BuilderScope b(options.labels, "softmax_cross_entropy_with_logits_sg", options.name);
  const Output labels = stop_gradient(options.labels, {.name = "labels_stop_gradient"});
  return dense_cross_entropy(b, labels, options.logits);
}

Output softmax_cross_entropy_with_logits_v2(const CrossEntropyOptions& options) {
  require_both(options, "softmax_cross_entropy_with_logits_v2");
  refuse_scalars(options, "softmax_cross_entropy_with_logits_v2");
  check_shapes(options, "softmax_cross_entropy_with_logits_v2");
  const BuilderScope b(options.labels, "softmax_cross_entropy_with_logits", options.name);
  return dense_cross_entropy(b, options.labels, options.logits);
}

Output sparse_softmax_cross_entropy_with_logits(const CrossEntropyOptions& options) {
  require_both(options, "sparse_softmax_cross_entropy_with_logits");
  const Output &given = options.logits, &labels = options.labels;
  if (given.shape().is_scalar())
    fail(Code::kInvalidArgument, "sparse_softmax_cross_entropy_with_logits (",
         options.logits.at().str(), "): logits must not be a scalar; expected [..., classes]");
  check_shapes(options, "sparse_softmax_cross_entropy_with_logits", /*sparse=*/true);
  const BuilderScope b(options.labels, "SparseSoftmaxCrossEntropyWithLogits", options.name);
  const Output logits = precise(given), extents = shape(labels);
  Output loss;
  if (given.shape().rank() == 2) {
    loss = add_node(kSparseCrossEntropy, {logits, labels}, {}, options.name);
  } else {
    const Output rows = as_rows(logits, 0);
    const Attrs mark = mark_for(labels.shape(), given.shape().slice(0, -1));
    loss = add_node(kSparseCrossEntropy, {rows, reshape(labels, {-1})}, mark, options.name);
    loss = reshape(loss, extents);
  }
  return cast(loss, base_dtype(given.dtype()));
}

Output sigmoid_cross_entropy_with_logits(const CrossEntropyOptions& options) {
  require_both(options, "sigmoid_cross_entropy_with_logits");
  const Output &x = options.logits, &labels = options.labels;
  check_shapes(options, "sigmoid_cross_entropy_with_logits");
  const BuilderScope b(options.logits, "logistic_loss", options.name);
  const Output zeros = zeros_like(x);
  const Output positive = greater_equal(x, zeros);
  const Output relu_x = where(positive, x, zeros);
  const Output minus_abs_x = where(positive, -x, x);
  const Output product = multiply_alike(x, labels, "logits and labels", options.labels.at());
  const Output linear = relu_x - product;
  return add(linear, log1p(exp(minus_abs_x)), {.name = b.name()});
}

std::span<const OpDef* const> softmax_ops() {
  static constexpr const OpDef* kOps[] = {&kLogSoftmax, &kSoftmax, &kCrossEntropy,
                                          &kSparseCrossEntropy};
  return kOps;
}

}  // namespace cairn
