// Restoring into variables of another dtype than the checkpoint's.
#include <complex>
#include <cstring>
#include <limits>

#include "persist/checkpoint/exact_dtype.h"
#include "persist/extras/warm_start.h"
#include "tests/support/catch.h"
#include "tests/support/small_model.h"

using namespace cairn;
using Catch::Matchers::Contains;

namespace {

// `values` as the checkpoint /run/old of one variable called v, beside w of 2.0.
void save_old(RunDisk& disk, const Tensor& values,
              CheckpointFormat format = CheckpointFormat::kV2) {
  Graph graph;
  const Variable v = variable(constant(graph, values), {.name = "v", .trainable = false});
  const Variable w = variable(constant(graph, 2.0f), {.name = "w"});
  Session session(graph, {.file_system = &disk});
  session.run({v.initializer(), w.initializer()});
  Saver(graph, {.write_version = format}).save(session, "/run/old");
}

// A graph whose v begins as `initial`; w begins as 1.
struct Reader {
  Reader(RunDisk& disk, const Tensor& initial, SaverOptions options = {})
      : session(graph, {.file_system = &disk}) {
    v = variable(constant(graph, initial), {.name = "v", .trainable = false});
    w = variable(constant(graph, 1.0f), {.name = "w"});
    saver = Saver(graph, options);
    session.run({v.initializer(), w.initializer()});
  }
  Graph graph;
  Variable v, w;
  Session session;
  Saver saver;
};

std::string message_of(const std::function<void()>& f) {
  try {
    f();
  } catch (const Error& e) {
    CHECK(e.code() == Code::kInvalidArgument);
    return e.what();
  }
  return "";
}

}  // namespace

TEST_CASE("A variable of another dtype is an error that names both options", "[restore_dtype]") {
  RunDisk disk;
  save_old(disk, Tensor(int32_t{7}));
  Reader r(disk, Tensor(int64_t{1}));
  const std::string message = message_of([&] { r.saver.restore(r.session, "/run/old"); });
  CHECK_THAT(message, Contains("variable 'v': graph int64 [], checkpoint int32 []") &&
                          Contains(".convert_dtypes = true converts") &&
                          Contains(".ignore_dtype = true leaves"));
  CHECK(r.session.value(r.v).scalar<int64_t>() == 1);
  CHECK(r.session.value(r.w).scalar<float>() == 1);
}

TEST_CASE(
    "With convert_dtypes, values that the other dtype holds exactly are restored and reported",
    "[restore_dtype]") {
  for (const auto format : {CheckpointFormat::kV2, CheckpointFormat::kV1}) {
    for (const bool sequentially : {false, true}) {
      RunDisk disk;
      save_old(disk, Tensor(int32_t{7}), format);
      Reader r(disk, Tensor(int64_t{1}), {.restore_sequentially = sequentially});
      const RestoreReport report = r.saver.restore(r.session, "/run/old", {.convert_dtypes = true});
      CHECK(r.session.value(r.v).scalar<int64_t>() == 7);
      CHECK(r.session.value(r.w).scalar<float>() == 2);
      CHECK(report.restored.size() == 2);
      CHECK(report.dtype_mismatches.empty());
      CHECK_THAT(report.str(), Contains("int64 []  from int32"));
    }
  }
}

TEST_CASE("A value that the dtype does not hold exactly is refused by name, and nothing is changed",
          "[restore_dtype]") {
  RunDisk disk;
  save_old(disk, Tensor::vector<double>({1, 2, 16777217}));
  Reader r(disk, Tensor::vector<float>({0, 0, 0}));
  const std::string message = message_of([&] {
    r.saver.restore(r.session, "/run/old", {.convert_dtypes = true, .ignore_dtype = true});
  });
  CHECK_THAT(message, Contains("variable 'v' (key 'v'): element 2, 16777217, is no float") &&
                          Contains("no variable was changed"));
  CHECK(r.session.value(r.w).scalar<float>() == 1);
}

TEST_CASE("With ignore_dtype, a variable of another dtype is left alone and the rest restored",
          "[restore_dtype]") {
  RunDisk disk;
  save_old(disk, Tensor(int32_t{7}));
  Reader r(disk, Tensor(int64_t{1}));
  const RestoreReport report = r.saver.restore(r.session, "/run/old", {.ignore_dtype = true});
  CHECK(r.session.value(r.v).scalar<int64_t>() == 1);
  CHECK(r.session.value(r.w).scalar<float>() == 2);
  REQUIRE(report.dtype_mismatches.size() == 1);
  CHECK_THAT(report.str(),
             Contains("of another dtype, left alone\n    v  graph int64 [], checkpoint int32 []"));
}

TEST_CASE("Text and numbers are never converted into each other", "[restore_dtype]") {
  RunDisk disk;
  save_old(disk, Tensor(std::string("7")));
  Reader r(disk, Tensor(int64_t{1}));
  const std::string message =
      message_of([&] { r.saver.restore(r.session, "/run/old", {.convert_dtypes = true}); });
  CHECK_THAT(message, Contains("checkpoint string []") && Contains(".ignore_dtype = true") &&
                          !Contains(".convert_dtypes"));
  r.saver.restore(r.session, "/run/old", {.convert_dtypes = true, .ignore_dtype = true});
  CHECK(r.session.value(r.w).scalar<float>() == 2);
}

TEST_CASE("A variable of another shape and dtype is named with its dtype while shapes are ignored",
          "[restore_dtype]") {
  RunDisk disk;
  save_old(disk, Tensor::vector<int32_t>({7, 8}));
  Reader r(disk, Tensor(int64_t{1}));
  const auto restore = [&](const RestoreOptions& options) {
    return message_of([&] { r.saver.restore(r.session, "/run/old", options); });
  };
  constexpr char kLine[] = "variable 'v': graph int64 [], checkpoint int32 [2]";
  const std::string both = restore({});
  CHECK_THAT(both, Contains(kLine) && Contains("1 shape / 1 dtype"));
  CHECK(both.find(kLine) == both.rfind(kLine));
  CHECK_THAT(restore({.ignore_shape = true}), Contains(kLine));
  CHECK_THAT(restore({.ignore_dtype = true}), Contains(kLine));
  const RestoreReport report =
      r.saver.restore(r.session, "/run/old", {.ignore_shape = true, .ignore_dtype = true});
  CHECK(report.shape_mismatches.size() == 1);
  CHECK(report.dtype_mismatches.size() == 1);
  CHECK(r.session.value(r.v).scalar<int64_t>() == 1);
}

TEST_CASE("Warm starts convert dtypes too", "[restore_dtype]") {
  RunDisk disk;
  save_old(disk, Tensor(int32_t{7}));
  Reader r(disk, Tensor(int64_t{1}));
  CHECK_THAT(message_of([&] {
               init_from_checkpoint(r.session, "/run/old", {{"v", "v"}});
             }),
             Contains(".convert_dtypes = true"));
  init_from_checkpoint(r.session, "/run/old", {{"v", "v"}}, {.convert_dtypes = true});
  CHECK(r.session.value(r.v).scalar<int64_t>() == 7);
}

TEST_CASE("Numbers become another dtype only where that holds them", "[exact_dtype]") {
  constexpr double kInf = std::numeric_limits<double>::infinity(),
                   kNan = std::numeric_limits<double>::quiet_NaN();
  const auto fits = [](const Tensor& tensor, DType to) {
    try {
      const Tensor converted = converted_exactly(tensor, to);
      CHECK(converted.dtype() == to);
      CHECK(converted.shape() == tensor.shape());
      // What was exact comes back.
      const Tensor back = converted_exactly(converted, tensor.dtype());
      CHECK(std::memcmp(back.raw_data(), tensor.raw_data(), tensor.num_bytes()) == 0);
      return true;
    } catch (const Error& e) {
      CHECK(e.code() == Code::kInvalidArgument);
      return false;
    }
  };
  using enum DType;
  CHECK(fits(Tensor(int64_t{2147483647}), kInt32));
  CHECK_FALSE(fits(Tensor(int64_t{2147483648}), kInt32));
  CHECK(fits(Tensor(int64_t{-2147483648}), kInt32));
  CHECK_FALSE(fits(Tensor(int64_t{-1}), kUInt64));
  CHECK_FALSE(fits(Tensor(uint64_t{1} << 63), kInt64));
  CHECK(fits(Tensor(uint64_t{1} << 63), kFloat));
  CHECK_FALSE(fits(Tensor(std::numeric_limits<uint64_t>::max()), kDouble));
  CHECK_FALSE(fits(Tensor(std::numeric_limits<int64_t>::max()), kDouble));
  CHECK_FALSE(fits(Tensor(std::numeric_limits<int64_t>::max()), kFloat));
  CHECK(fits(Tensor(std::numeric_limits<int64_t>::lowest()), kFloat));
  CHECK(fits(Tensor(-9223372036854775808.0), kInt64));
  CHECK_FALSE(fits(Tensor(9223372036854775808.0), kInt64));
  CHECK(fits(Tensor(9223372036854775808.0), kUInt64));
  CHECK_FALSE(fits(Tensor(18446744073709551616.0), kUInt64));
  CHECK(fits(Tensor(int32_t{16777216}), kFloat));
  CHECK_FALSE(fits(Tensor(int32_t{16777217}), kFloat));
  CHECK(fits(Tensor(int32_t{2048}), kHalf));
  CHECK_FALSE(fits(Tensor(int32_t{2049}), kHalf));
  CHECK_FALSE(fits(Tensor(int32_t{70000}), kHalf));
  CHECK(fits(Tensor(int32_t{256}), kBFloat16));
  CHECK_FALSE(fits(Tensor(int32_t{257}), kBFloat16));
  CHECK(fits(Tensor(3.0f), kUInt8));
  CHECK_FALSE(fits(Tensor(3.5f), kUInt8));
  CHECK_FALSE(fits(Tensor(256.0f), kUInt8));
  CHECK_FALSE(fits(Tensor(0.1), kFloat));
  CHECK(fits(Tensor(0.1f), kDouble));
  CHECK_FALSE(fits(Tensor(1e300), kFloat));
  CHECK(fits(Tensor(kInf), kHalf));
  CHECK_FALSE(fits(Tensor(kInf), kInt64));
  CHECK_FALSE(fits(Tensor(kNan), kInt32));
  CHECK(std::isnan(converted_exactly(Tensor(kNan), kFloat).scalar<float>()));
  CHECK(fits(Tensor(true), kInt32));
  CHECK(fits(Tensor(int32_t{1}), kBool));
  CHECK_FALSE(fits(Tensor(int32_t{2}), kBool));
  CHECK(fits(Tensor(std::complex<float>(1.5f, -2)), kComplex128));
  CHECK_FALSE(fits(Tensor(std::complex<double>(0.1, 0)), kComplex64));
  CHECK_FALSE(fits(Tensor(std::complex<float>(1, 0)), kFloat));
  CHECK_FALSE(fits(Tensor(std::string("1")), kInt32));
  CHECK(fits(Tensor::zeros(kInt32, {0, 1 << 20}), kInt64));
}
