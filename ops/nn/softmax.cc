#include "ops/nn/softmax.h"

#include <cmath>
#include <cstring>
#include <limits>

#include "ops/array/array.h"
#include "ops/array/joining.h"
#include "ops/array/slicing.h"
#include "ops/core/building.h"
#include "ops/core/extents.h"
#include "ops/core/gemm.h"
#include "ops/core/packets.h"
#include "ops/core/sums.h"
#include "ops/math/math.h"
#include "ops/math/reduce.h"
#include "runtime/exec/context.h"

namespace cairn {
namespace {

// ---- what all kernels here do to rows -----------------------------------------------------------
// Computed in W, float or double: 16-bit operands are made floats before, results 16-bit after.

// A tensor as rows of its last extent.
struct Rows {
  int64_t count = 0, cols = 0;
  Rows(KernelContext& c, const Shape& shape) {
    if (shape.rank() < 1) c.fail("expected at least a vector of logits, got a scalar");
    cols = shape.dim(-1);
    count = cols == 0 ? 0 : shape.num_elements() / cols;
  }
};

// What a kernel works on, all of W.
struct Task {
  const void* x;
  void* out;  // for what comes of x; where they are one, finish finds nothing in Row::in
  int64_t cols;
  // Of the losses.
  const void* labels = nullptr;
  const IntReader* classes = nullptr;
  void* loss = nullptr;
};

// One row on its way: exps[j] = exp(in[j] - greatest), whose sum is `sum`. What is to become of it
// goes to `out`, which may be where the exps are.
template <class W>
struct Row {
  int64_t index;
  const W* in;
  W greatest, sum;
  const W* exps;
  W* out;
};
// Rows that are finished together.
template <class W>
struct Block {
  int64_t first, count, cols;
  const W* in;
  const W *greatest, *sums, *exps;
  int64_t stride;  // from the exps of a row to those of the next
  W* out;
  Row<W> row(int64_t i) const {
    return {first + i, in + i * cols, greatest[i], sums[i], exps + i * stride, out + i * cols};
  }
};
using Finish = void (*)(const void* block, const Task& task);  // of a Block<W>

template <class W>
W greatest(const W* x, int64_t n) {
  W lanes[kPacket];
  std::fill_n(lanes, kPacket, -std::numeric_limits<W>::infinity());
  for (int64_t i = 0; i < n; i += kPacket) {
    const int64_t m = std::min(kPacket, n - i);
    each(m,
         [&lanes, from = x + i](int64_t j) { lanes[j] = lanes[j] < from[j] ? from[j] : lanes[j]; });
  }
  return *std::max_element(lanes, lanes + kPacket);
}

// Long rows, one at a time.
template <class W>
void long_rows(const Task& t, int64_t begin, int64_t end, Finish finish) {
  for (int64_t row = begin; row < end; ++row) {
    const W* const in = static_cast<const W*>(t.x) + row * t.cols;
    W* const e = static_cast<W*>(t.out) + row * t.cols;
    const W most = greatest(in, t.cols);
    each(t.cols, [=](int64_t j) { e[j] = in[j] - most; });
    by_packets(e, e, t.cols, packet_functions<W>().exp, [](W, W y) { return y; });
    const W sum = steady_sum<W>(t.cols, [e](int64_t j) { return e[j]; });
    const Block<W> block = {row, 1, t.cols, in, &most, &sum, e, 0, e};
    finish(&block, t);
  }
}

// Short rows, some at a time, each filled up to whole registers with what does not count: -inf for
// the maximum, and then, as that is slow to take the exponential of, kFaint, which vanishes beside
// the 1 that the greatest makes.
template <class W>
constexpr W kFaint = sizeof(W) == 4 ? W(-87) : W(-708);
constexpr int64_t kShort = 64;
template <class W>
void short_rows(const Task& t, int64_t begin, int64_t end, Finish finish) {
  constexpr int64_t kBlock = 1024;
  alignas(64) W memory[kBlock];
  W most[kBlock / kPacket], sums[kBlock / kPacket];
  const int64_t cols = t.cols, width = (cols + kPacket - 1) / kPacket * kPacket,
                at_once = kBlock / width;
  W floor[kPacket];  // under the last register of a row
  std::fill_n(floor, kPacket, kFaint<W>);
  std::fill_n(floor, cols - (width - kPacket), -std::numeric_limits<W>::infinity());
  for (int64_t first = begin; first < end; first += at_once) {
    const int64_t n = std::min(at_once, end - first);
    const W* const in = static_cast<const W*>(t.x) + first * cols;
    for (int64_t i = 0; i < n; ++i) {
      W* const row = memory + i * width;
      std::copy_n(in + i * cols, cols, row);
      std::fill(row + cols, row + width, -std::numeric_limits<W>::infinity());
    }
    subtract_greatest(memory, n, width, most);
    for (int64_t i = 0; i < n; ++i) {
      each(kPacket, [&floor, last = memory + (i + 1) * width - kPacket](int64_t j) {
        last[j] = last[j] < floor[j] ? floor[j] : last[j];
      });
    }
    packet_functions<W>().exp(memory, memory, n * width);
    sum_each_row(memory, n, width, sums);
    const Block<W> block = {
        first, n, cols, in, most, sums, memory, width, static_cast<W*>(t.out) + first * cols};
    finish(&block, t);
  }
}

// What depends on the dtype.
struct Loops {
  DType wide;   // of W
  bool narrow;  // 16-bit elements
  void (*widen)(const void* x, int64_t n, void* out);
  void (*round)(const void* x, int64_t n, void* out);
  void (*long_rows)(const Task& t, int64_t begin, int64_t end, Finish finish);
  void (*short_rows)(const Task& t, int64_t begin, int64_t end, Finish finish);
  Finish finish;
};

// F::finish(Row<W>, Task) is what becomes of a row.
template <class F, class T>
Loops loops_of() {
  using W = Wide<T>;
  return {dtype_of<W>,
          is_half<T>,
          [](const void* x, int64_t n, void* out) {
            each(n, [from = static_cast<const T*>(x), to = static_cast<W*>(out)](int64_t i) {
              to[i] = widen(from[i]);
            });
          },
          [](const void* x, int64_t n, void* out) {
            each(n, [from = static_cast<const W*>(x), to = static_cast<T*>(out)](int64_t i) {
              to[i] = T(from[i]);
            });
          },
          long_rows<W>,
          short_rows<W>,
          [](const void* of, const Task& t) {
            const auto& block = *static_cast<const Block<W>*>(of);
            for (int64_t i = 0; i < block.count; ++i) F::finish(block.row(i), t);
          }};
}
template <class F>
Kernel rows_prepare(const KernelSetup& s, void kernel(KernelContext&, const Loops&)) {
  const Loops loops =
      by_types(Floats(), s, s.dtype("T"), []<class T>() { return loops_of<F, T>(); });
  return [kernel, loops](KernelContext& c) { kernel(c, loops); };
}

// The elements of input i as W.
const void* wide_input(KernelContext& c, const Loops& f, int i) {
  const void* x = c.input(i).raw_data();
  if (!f.narrow) return x;
  void* wide = c.scratch(f.wide, c.input(i).shape()).raw_data();
  constexpr int64_t kFrom = sizeof(Half), kTo = sizeof(float);
  c.parallel_for(c.input(i).num_elements(), 0.5, [&](int64_t begin, int64_t end) {
    f.widen(static_cast<const char*>(x) + begin * kFrom, end - begin,
            static_cast<char*>(wide) + begin * kTo);
  });
  return wide;
}

// Memory to work in for an output: its own, or floats beside it when it holds 16-bit values; done()
// brings them over.
class Work {
 public:
  Work(KernelContext& c, const Loops& f, Tensor& out)
      : f_(f),
        out_(out.raw_data()),
        n_(out.num_elements()),
        data_(f.narrow ? c.scratch(f.wide, out.shape()).raw_data() : out_) {}
  void* data() { return data_; }
  void done() {
    if (f_.narrow) f_.round(data_, n_, out_);
  }

 private:
  const Loops& f_;
  void* out_;
  int64_t n_;
  void* data_;
};

void for_rows(KernelContext& c, const Loops& f, const Task& task, int64_t rows) {
  const double cost = 2 * static_cast<double>(task.cols) + 10;
  const auto piece = [&](int64_t begin, int64_t end) {
    (task.cols <= kShort ? f.short_rows : f.long_rows)(task, begin, end, f.finish);
  };
  // 16-bit rows are not whole before Work::done().
  f.narrow ? c.parallel_for(rows, cost, piece) : c.parallel_rows(rows, cost, piece);
}

// ---- Softmax, LogSoftmax ------------------------------------------------------------------------

void rows_shape(ShapeContext& c) { c.set_output(c.with_rank_at_least(0, 1, "logits")); }

struct SoftmaxOf {
  static constexpr bool kInPlace = true;
  template <class W>
  static void finish(const Row<W>& row, const Task& t) {
    each(t.cols,
         [out = row.out, e = row.exps, scale = 1 / row.sum](int64_t j) { out[j] = e[j] * scale; });
  }
};
struct LogSoftmaxOf {
  static constexpr bool kInPlace = false;
  template <class W>
  static void finish(const Row<W>& row, const Task& t) {
    each(t.cols, [out = row.out, in = row.in, most = row.greatest,
                  log_sum = std::log(row.sum)](int64_t j) { out[j] = (in[j] - most) - log_sum; });
  }
};

template <bool kInPlace>
void softmax_kernel(KernelContext& c, const Loops& f) {
  const Shape shape = c.input(0).shape();
  const Rows rows(c, shape);
  const void* x = wide_input(c, f, 0);
  Work work(c, f, kInPlace ? c.allocate_or_reuse(0, 0, shape) : c.allocate(0, shape));
  for_rows(c, f, {x, work.data(), rows.cols}, rows.count);
  work.done();
}
template <class F>
Kernel softmax_prepare(const KernelSetup& s) {
  return rows_prepare<F>(s, softmax_kernel<F::kInPlace>);
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
                            .prepare = softmax_prepare<SoftmaxOf>,
                            .gradient = softmax_gradient};
constexpr OpDef kLogSoftmax = {.name = "LogSoftmax",
                               .inputs = "logits: T",
                               .outputs = "logsoftmax: T",
                               .attrs = kFloatAttrs,
                               .by_rows = ByRows::kTakesFirst,
                               .shape = rows_shape,
                               .prepare = softmax_prepare<LogSoftmaxOf>,
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

struct CrossEntropyOf {
  template <class W>
  static void finish(const Row<W>& row, const Task& t) {
    const W* const p = static_cast<const W*>(t.labels) + row.index * t.cols;
    const W log_sum = std::log(row.sum);
    static_cast<W*>(t.loss)[row.index] =
        steady_sum<W>(t.cols, [=, in = row.in, most = row.greatest](int64_t j) -> W {
          return p[j] * (log_sum - (in[j] - most));
        });
    each(t.cols,
         [=, to = row.out, e = row.exps, sum = row.sum](int64_t j) { to[j] = e[j] / sum - p[j]; });
  }
};

void cross_entropy_kernel(KernelContext& c, const Loops& f) {
  const Shape shape = c.input(0).shape();
  const Given given(c);
  if (given.labels != given.logits) c.fail(different_shapes(given.labels, given.logits));
  if (shape.rank() != 2 || c.input(1).shape() != shape)
    c.fail(different_shapes(c.input(1).shape(), shape));
  const Rows rows(c, shape);
  const void *x = wide_input(c, f, 0), *y = wide_input(c, f, 1);
  Work loss(c, f, c.allocate(0, {shape[0]})), backprop(c, f, c.allocate(1, shape));
  if (rows.cols == 0)
    std::memset(loss.data(), 0, static_cast<size_t>(shape[0]) * dtype_size(f.wide));
  for_rows(c, f, {x, backprop.data(), rows.cols, y, nullptr, loss.data()}, rows.count);
  loss.done();
  backprop.done();
}
Kernel cross_entropy_prepare(const KernelSetup& s) {
  return rows_prepare<CrossEntropyOf>(s, cross_entropy_kernel);
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

struct SparseCrossEntropyOf {
  template <class W>
  static void finish(const Row<W>& row, const Task& t) {
    const int64_t own = (*t.classes)[row.index];
    static_cast<W*>(t.loss)[row.index] = std::log(row.sum) - (row.in[own] - row.greatest);
    each(t.cols, [=, to = row.out, e = row.exps, sum = row.sum](int64_t j) { to[j] = e[j] / sum; });
    row.out[own] -= 1;
  }
};

void sparse_cross_entropy_kernel(KernelContext& c, const Loops& f) {
  const Tensor &logits = c.input(0), &labels = c.input(1);
  if (logits.rank() != 2 || labels.rank() != 1)
    c.fail(no_class_for_each_row(labels.shape(), logits.shape()));
  const Given given(c);
  if (given.labels != given.logits.slice(0, -1))
    c.fail(no_class_for_each_row(given.labels, given.logits));
  const Shape shape = logits.shape();
  const Rows rows(c, shape);
  const IntReader label(labels);
  for (int64_t row = 0; row < shape[0]; ++row) {
    if (label[row] < 0 || label[row] >= rows.cols)
      c.fail(str_cat("label ", label[row], " at row ", row, " is outside the valid range [0, ",
                     rows.cols, ")"));
  }
  const void* x = wide_input(c, f, 0);
  Work loss(c, f, c.allocate(0, {shape[0]})), backprop(c, f, c.allocate(1, shape));
  for_rows(c, f, {x, backprop.data(), rows.cols, nullptr, &label, loss.data()}, rows.count);
  loss.done();
  backprop.done();
}
Kernel sparse_cross_entropy_prepare(const KernelSetup& s) {
  return rows_prepare<SparseCrossEntropyOf>(s, sparse_cross_entropy_kernel);
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
