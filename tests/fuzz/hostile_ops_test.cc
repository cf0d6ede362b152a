// Every op with attributes, shapes and values that make no sense: an Error, or a result; never a
// crash, an endless loop or the machine's whole memory.
#include <chrono>
#include <functional>
#include <limits>
#include <random>

#include "ops/core/gradients.h"
#include "persist/catalog.h"
#include "persist/checkpoint/bundle.h"
#include "runtime/exec/session.h"
#include "tests/fuzz/heap.h"
#include "tests/support/catch.h"
#include "tests/support/fixtures.h"
#include "tests/support/memory_fs.h"

namespace cairn {
namespace {

constexpr size_t kHeap = size_t{1} << 30;

class Dice {
 public:
  explicit Dice(uint32_t seed) : random_(seed) {}
  size_t below(size_t n) { return static_cast<size_t>(random_()) % n; }
  bool one_in(size_t n) { return below(n) == 0; }
  template <class List>
  const auto& pick(const List& list) {
    return *(std::begin(list) + static_cast<std::ptrdiff_t>(below(std::size(list))));
  }

 private:
  std::mt19937 random_;
};

const std::vector<std::vector<int64_t>> kShapes = {
    {},        {0},          {1},          {2},       {3},
    {4},       {0, 3},       {2, 3},       {3, 2},    {1, 1},
    {2, 3, 2}, {1, 4, 4, 2}, {2, 2, 2, 1}, {4, 0, 2}, {1, 1, 1, 1, 1, 1, 1, 1}};
// Nothing in them, and so many rows of it that no machine comes to their end.
const std::vector<std::vector<int64_t>> kHuge = {{int64_t{1} << 31, 0},
                                                 {0, int64_t{1} << 40},
                                                 {int64_t{1} << 62, 0},
                                                 {int64_t{1} << 40, 4, 0, 2},
                                                 {int64_t{1} << 40, 0, 3},
                                                 {0, int64_t{1} << 62, 1},
                                                 {0},
                                                 {2, 0, int64_t{1} << 40, 3},
                                                 {int64_t{1} << 40, 2, 2, 0},
                                                 {1, int64_t{1} << 40, 0},
                                                 {},
                                                 {2},
                                                 {int64_t{1} << 20, 0, int64_t{1} << 20}};
const std::vector<int64_t> kMild = {0, 1, 2, 3};
const std::vector<int64_t> kWild = {
    -1,        -2,           7, INT32_MAX, INT32_MIN, int64_t{1} << 31, int64_t{1} << 33, INT64_MAX,
    INT64_MIN, INT64_MAX - 1};
const std::vector<double> kWildReals = {-1.5, 1e38, -1e38, 1e-45, NAN, INFINITY, -INFINITY, 4.6e18};
const std::vector<std::string> kStrings = {"",  "a",    "m",    "W",     "0,1",  "3 0,2",
                                           "-", "\xff", "SAME", "VALID", "NHWC", "float"};
const std::vector<DType> kDtypes = {
    DType::kFloat,    DType::kDouble,    DType::kInt32,      DType::kInt64, DType::kBool,
    DType::kString,   DType::kComplex64, DType::kHalf,       DType::kUInt8, DType::kQInt8,
    DType::kBFloat16, DType::kUInt64,    DType::kComplex128, DType::kInt8};
const std::vector<DType> kNoDtypes = {DType::kInvalid,        DType::kResource,
                                      DType::kVariant,        make_ref(DType::kFloat),
                                      static_cast<DType>(99), static_cast<DType>(-1)};

// One node of one op, in a graph of its own, with what it needs.
class Trial {
 public:
  Trial(const OpDef& def, uint32_t seed, const std::vector<std::vector<int64_t>>& shapes)
      : def_(def),
        op_(parse_op(def)),
        dice_(seed),
        wild_(&shapes == &kShapes && dice_.one_in(2)),
        shapes_(shapes),
        usual_(&dice_.pick(shapes)) {
    told_ = str_cat(def.name, ", seed ", seed, ":");
  }

  const std::string& told() const { return told_; }

  // Throws what the ops that make the inputs throw.
  void choose_all() {
    for (const AttrDef& attr : op_.attrs) choose(attr);
    for (const ArgDef& arg : op_.inputs) {
      for (const DType dtype : dtypes_of(arg)) inputs_.push_back(input(dtype, arg.is_ref));
    }
    imported_ = wild_ && dice_.one_in(2);
    if (imported_) told_ += " (imported)";
  }

  void run() {
    const Operation op =
        imported_ ? imported() : add_operation(graph_, def_, inputs_, attrs_, "hostile");
    std::vector<Output> outputs;
    for (int i = 0; i < op.num_outputs(); ++i) outputs.push_back(op.output(i));
    run_all(outputs, op);
    if (!def_.gradient || inputs_.empty() || outputs.empty()) return;
    std::vector<GradientTarget> xs(inputs_.begin(), inputs_.end());
    std::vector<Output> grads;
    for (const Output& grad : gradients(outputs, xs)) {
      if (grad) grads.push_back(grad);
    }
    run_all(grads, op);
  }

 private:
  // As a file would bring it: attributes are taken as they stand.
  Operation imported() {
    ImportedNode node{.name = "hostile",
                      .op = std::string(def_.name),
                      .inputs = {},
                      .attrs = attrs_,
                      .device = "",
                      .unknown_fields = ""};
    for (const Output& input : inputs_) node.inputs.push_back(input ? disguised(input) : "nobody");
    return graph_.import_nodes({node}, all_ops())[0];
  }

  // The name of `input`, or of a node that gives it on and is said to be of another shape.
  std::string disguised(const Output& input) {
    if (is_ref(input.dtype()) || input.dtype() == DType::kResource || dice_.one_in(2))
      return input.name();
    const Shape lie = some_shape();
    told_ += str_cat(" said to be ", lie);
    ImportedNode node{.name = str_cat("lie", graph_.num_nodes()),
                      .op = "Identity",
                      .inputs = {input.name()},
                      .attrs = {{"T", input.dtype()}, {"_output_shapes", std::vector<Shape>{lie}}},
                      .device = "",
                      .unknown_fields = ""};
    return graph_.import_nodes({node}, all_ops())[0].name();
  }

  int64_t number() { return wild_ && dice_.one_in(3) ? dice_.pick(kWild) : dice_.pick(kMild); }
  double real() {
    return wild_ && dice_.one_in(3) ? dice_.pick(kWildReals)
                                    : static_cast<double>(dice_.pick(kMild));
  }

  DType dtype_among(const std::vector<DType>& allowed) {
    if (dice_.one_in(40)) return dice_.pick(kNoDtypes);
    if (allowed.empty()) return dice_.one_in(2) ? DType::kFloat : dice_.pick(kDtypes);
    return dice_.one_in(40) ? dice_.pick(kDtypes) : dice_.pick(allowed);
  }

  Shape some_shape() {
    if (dice_.one_in(8)) return Shape::unknown();
    std::vector<int64_t> dims = dice_.pick(kShapes);
    for (int64_t& dim : dims) {
      if (wild_ && dice_.one_in(4))
        dim = dice_.one_in(2) ? -1 : std::max<int64_t>(dice_.pick(kWild), 0);
    }
    return Shape(dims);
  }

  Tensor some_tensor(DType dtype) {
    // Of huge shapes most operands have one and the same, or few ops would come to their loops.
    const bool same = &shapes_ != &kShapes && !dice_.one_in(4);
    const std::vector<int64_t>& dims = same ? *usual_ : dice_.pick(shapes_);
    if (is_ref(dtype) || !is_known_dtype(dtype) ||
        (dtype != DType::kString && dtype_size(dtype) == 0))
      return {};
    Tensor t = Tensor::zeros(dtype, Shape(dims));
    for (int64_t i = 0; i < t.num_elements(); ++i) {
      switch (dtype) {
        case DType::kString:
          t.data<std::string>()[i] = dice_.pick(kStrings);
          break;
        case DType::kFloat:
          t.data<float>()[i] = static_cast<float>(real());
          break;
        case DType::kDouble:
          t.data<double>()[i] = real();
          break;
        case DType::kHalf:
          t.data<Half>()[i] = Half(static_cast<float>(real()));
          break;
        case DType::kInt32:
          t.data<int32_t>()[i] = static_cast<int32_t>(number());
          break;
        case DType::kInt64:
          t.data<int64_t>()[i] = number();
          break;
        case DType::kBool:
          t.data<bool>()[i] = dice_.one_in(2);
          break;
        case DType::kUInt8:
          t.data<uint8_t>()[i] = static_cast<uint8_t>(number());
          break;
        default:
          break;
      }
    }
    return t;
  }

  void choose(const AttrDef& attr) {
    if (attr.default_value && dice_.one_in(2)) return;
    if (dice_.one_in(60)) return;  // left out
    set(attr.name, dice_.one_in(60) ? Attr("of another kind") : value_of(attr));
  }

  Attr value_of(const AttrDef& attr) {
    const std::string& type = attr.type;
    const size_t count = dice_.below(5);
    if (type == "int")
      return attr.minimum && !dice_.one_in(8) ? Attr(*attr.minimum + dice_.pick(kMild))
                                              : Attr(number());
    if (type == "float") return Attr(static_cast<float>(real()));
    if (type == "bool") return Attr(dice_.one_in(2));
    if (type == "type") return Attr(dtype_among(attr.allowed_types));
    if (type == "shape") return Attr(some_shape());
    if (type == "tensor") return Attr(some_tensor(dice_.pick(kDtypes)));
    if (type == "string") {
      const bool sense = !attr.allowed_strings.empty() && !dice_.one_in(20);
      return Attr(sense ? dice_.pick(attr.allowed_strings) : dice_.pick(kStrings));
    }
    if (type == "list(int)")
      return Attr(list<int64_t>(4, [&] { return dice_.one_in(2) ? 1 : number(); }));
    if (type == "list(type)")
      return Attr(list<DType>(count, [&] { return dtype_among(attr.allowed_types); }));
    if (type == "list(shape)") return Attr(list<Shape>(count, [&] { return some_shape(); }));
    if (type == "list(string)")
      return Attr(list<std::string>(count, [&] { return dice_.pick(kStrings); }));
    return Attr(Attr::Value(EmptyList{}));
  }

  template <class T, class Make>
  std::vector<T> list(size_t count, const Make& make) {
    std::vector<T> items;
    if (dice_.one_in(10)) count = dice_.below(7);
    for (size_t i = 0; i < count; ++i) items.push_back(make());
    return items;
  }

  void set(const std::string& name, Attr value) {
    told_ += str_cat(" ", name, "=", value.str());
    attrs_.set(name, std::move(value));
  }

  std::vector<DType> dtypes_of(const ArgDef& arg) {
    if (!arg.type_list_attr.empty()) {
      const Attr* types = attrs_.find(arg.type_list_attr);
      const auto* list = types ? types->get<std::vector<DType>>() : nullptr;
      return list ? *list : std::vector<DType>{};
    }
    DType dtype = arg.type;
    if (!arg.type_attr.empty()) {
      const Attr* type = attrs_.find(arg.type_attr);
      const AttrDef* def = op_.find_attr(arg.type_attr);
      if (!type && def->default_value) type = &*def->default_value;
      dtype = type && type->get<DType>() ? *type->get<DType>() : DType::kFloat;
    }
    int64_t count = 1;
    if (!arg.number_attr.empty()) {
      const Attr* number = attrs_.find(arg.number_attr);
      count =
          number && number->get<int64_t>() ? std::clamp<int64_t>(*number->get<int64_t>(), 0, 5) : 2;
    }
    if (dice_.one_in(60)) dtype = dice_.pick(kDtypes);
    if (dice_.one_in(60)) ++count;
    return std::vector<DType>(static_cast<size_t>(count), dtype);
  }

  Output input(DType dtype, bool ref) {
    if (dtype == DType::kResource) return resource();
    const Tensor value = some_tensor(dtype);
    if (!value.valid()) return {};
    told_ += str_cat(" ", ref ? "ref " : "", dtype, value.shape(), value.str());
    if (ref && !dice_.one_in(20)) return variable(value);
    if (dice_.one_in(3))
      return add_operation(graph_, op("Const"), {}, {{"dtype", dtype}, {"value", value}}).output();
    const Shape shape = dice_.one_in(2) ? Shape::unknown() : value.shape();
    const Output x =
        add_operation(graph_, op("Placeholder"), {}, {{"dtype", dtype}, {"shape", shape}}).output();
    feeds_.push_back({x, value});
    return x;
  }

  Output variable(const Tensor& value) {
    const Shape shape = dice_.one_in(2) ? value.shape() : Shape::unknown();
    const Output ref =
        add_operation(graph_, op("VariableV2"), {}, {{"dtype", value.dtype()}, {"shape", shape}})
            .output();
    const Output from =
        add_operation(graph_, op("Const"), {}, {{"dtype", value.dtype()}, {"value", value}})
            .output();
    if (!dice_.one_in(10))
      before_.push_back(
          add_operation(graph_, op("Assign"), {ref, from}, {{"validate_shape", false}}));
    return ref;
  }

  Output resource() {
    const DType dtype = dice_.one_in(3) ? dice_.pick(kDtypes) : DType::kFloat;
    const Tensor value = some_tensor(dtype);
    told_ += str_cat(" resource ", dtype, value.shape(), value.str());
    const Output handle =
        add_operation(graph_, op("VarHandleOp"), {}, {{"dtype", dtype}, {"shape", value.shape()}})
            .output();
    const Output from =
        add_operation(graph_, op("Const"), {}, {{"dtype", dtype}, {"value", value}}).output();
    if (!dice_.one_in(10))
      before_.push_back(add_operation(graph_, op("AssignVariableOp"), {handle, from}));
    return handle;
  }

  void run_all(const std::vector<Output>& outputs, const Operation& op) {
    MemoryFileSystem fs;
    BundleWriter writer(fs, "m");
    writer.add("W", Tensor::vector<float>({1, 2, 3}));
    writer.finish();
    Session session(graph_, {.threads = 1, .seed = 1, .file_system = &fs});
    for (const Operation& assign : before_) session.run(assign);
    if (outputs.empty()) {
      session.run(op, feeds_);
    } else {
      session.run(outputs, feeds_);
    }
  }

  static const OpDef& op(std::string_view name) { return *all_ops().find(name); }

  const OpDef& def_;
  const Op op_;
  Dice dice_;
  bool wild_;
  const std::vector<std::vector<int64_t>>& shapes_;
  const std::vector<int64_t>* usual_;
  std::string told_;
  Graph graph_;
  Attrs attrs_;
  std::vector<Output> inputs_;
  bool imported_ = false;
  Feeds feeds_;
  std::vector<Operation> before_;
};

struct Tally {
  int results = 0, refusals = 0;
};

// What went wrong with it, or "".
template <class Action>
std::string defect_of(const Action& action, Tally& tally) {
  try {
    action();
    ++tally.results;
  } catch (const Error& e) {
    ++tally.refusals;
    if (*e.what() == '\0') return "an error without a message";
    if (e.code() == Code::kInternal || e.code() == Code::kUnknown) return e.what();
  } catch (const std::exception& e) {
    return str_cat("no Error, but ", e.what());
  }
  return "";
}

void try_op(const OpDef& def, uint32_t seed, Tally& tally,
            const std::vector<std::vector<int64_t>>& shapes = kShapes) {
  Trial trial(def, seed, shapes);
  bool chosen = false;
  std::string defect = defect_of(
      [&] {
        trial.choose_all();
        chosen = true;
      },
      tally);
  INFO(trial.told());
  const size_t heap = peak_heap_of([&] {
    if (chosen) defect += defect_of([&] { trial.run(); }, tally);
  });
  if (heap > kHeap) defect += str_cat(" ", heap, " bytes of memory");
  if (!defect.empty()) FAIL_CHECK(defect);
}

}  // namespace

TEST_CASE("Whatever an op is given, it gives a result or an Error", "[fuzz][every op]") {
  limit_heap(kHeap);
  Tally tally;
  uint32_t seed = 0;
  for (const OpDef* def : all_ops().all()) {
    for (int i = 0; i < 100; ++i) try_op(*def, ++seed, tally);
  }
  // Both kinds, or nothing was tried.
  CHECK(tally.results > 1000);
  CHECK(tally.refusals > 1000);
  WARN(tally.results << " results, " << tally.refusals << " refusals");
}

TEST_CASE("Where there is no element there is no work, however many rows have none",
          "[fuzz][every op]") {
  limit_heap(kHeap);
  Tally tally;
  uint32_t seed = 0;
  const auto begin = std::chrono::steady_clock::now();
  for (const OpDef* def : all_ops().all()) {
    for (int i = 0; i < 30; ++i) try_op(*def, ++seed, tally, kHuge);
  }
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
  // A single loop over 2^40 rows takes many minutes.
  CHECK(seconds.count() < 300);
  CHECK(tally.results > 1000);
  WARN(tally.results << " results, " << tally.refusals << " refusals in " << seconds.count()
                     << " s");
}

}  // namespace cairn
