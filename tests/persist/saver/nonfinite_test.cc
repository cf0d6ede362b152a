// NaN and infinity among the values that are saved.
#include <limits>

#include "persist/checkpoint/bundle.h"
#include "persist/saver/finite_watch.h"
#include "tests/support/catch.h"
#include "tests/support/small_model.h"

using namespace cairn;
using Catch::Matchers::Contains;

namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN(),
                kInf = std::numeric_limits<float>::infinity();

// Elements of 16 bits, told by their bits.
Tensor bits16(DType dtype, const std::vector<uint16_t>& bits) {
  Tensor t = Tensor::zeros(dtype, {static_cast<int64_t>(bits.size())});
  std::copy(bits.begin(), bits.end(), static_cast<uint16_t*>(t.raw_data()));
  return t;
}

std::string found_in(const Tensor& tensor) {
  MemoryFileSystem fs;
  FiniteWatch watch;
  BundleWriter writer(fs, "m", &watch);
  writer.add("t", tensor);
  writer.finish();
  return watch.report();
}

}  // namespace

TEST_CASE("NaN and infinity are told apart and counted in every kind of float", "[nonfinite]") {
  CHECK(found_in(Tensor::vector<float>({1, kNan, -kInf, kInf, 0})) ==
        "'t' (float [5]): 1 NaN and 2 infinite of 5 values");
  CHECK(found_in(Tensor::vector<double>({kNan, -kNan})) == "'t' (double [2]): 2 NaN of 2 values");
  CHECK(found_in(bits16(DType::kHalf, {0x7c00, 0xfc01, 0x7bff, 0xfbff})) ==
        "'t' (half [4]): 1 NaN and 1 infinite of 4 values");
  CHECK(found_in(bits16(DType::kBFloat16, {0xff80, 0x7fc0, 0x7f7f})) ==
        "'t' (bfloat16 [3]): 1 NaN and 1 infinite of 3 values");
  Tensor pair = Tensor::zeros(DType::kComplex64, {1});
  static_cast<float*>(pair.raw_data())[1] = kInf;
  CHECK(found_in(pair) == "'t' (complex64 [1]): 1 infinite of 2 values");
  CHECK(found_in(Tensor(kNan)) == "'t' (float []): 1 NaN of 1 value");
}

TEST_CASE("The largest and smallest numbers, integers and strings are finite", "[nonfinite]") {
  using Limits = std::numeric_limits<float>;
  CHECK(found_in(Tensor::vector<float>(
            {Limits::max(), Limits::lowest(), Limits::denorm_min(), -0.0f})) == "");
  CHECK(found_in(Tensor::vector<double>({std::numeric_limits<double>::max()})) == "");
  CHECK(found_in(Tensor::vector<int32_t>({0x7f800000, -1})) == "");
  CHECK(found_in(Tensor::vector<std::string>({"nan"})) == "");
}

TEST_CASE("One value anywhere in a tensor of many pieces is found", "[nonfinite]") {
  Tensor t = Tensor::zeros(DType::kFloat, {300'000});
  for (const int64_t at : {int64_t{0}, int64_t{65535}, int64_t{65536}, int64_t{299'999}}) {
    t.data<float>()[at] = kNan;
    CHECK(found_in(t) == "'t' (float [300000]): 1 NaN of 300000 values");
    t.data<float>()[at] = 0;
  }
}

TEST_CASE("By default a save warns of what is not finite and names every tensor", "[nonfinite]") {
  RunDisk disk;
  SmallModel m(disk);
  m.set_a(kNan);
  m.session.set_value(m.b, Tensor::matrix<float>({{kInf, 1}, {2, 3}}));
  m.save(1);
  REQUIRE(m.warnings.size() == 1);
  CHECK(m.warnings[0] ==
        "'/run/m-1': values are not finite: 'a' (float [3]): 3 NaN of 3 values; "
        "'b' (float [2,2]): 1 infinite of 4 values");
  CHECK(disk.steps() == std::vector<int>{1});
}

TEST_CASE("A save may be told not to look", "[nonfinite]") {
  RunDisk disk;
  SmallModel m(disk);
  m.set_a(kNan);
  m.save(1, {.on_nonfinite = OnNonfinite::kIgnore});
  CHECK(m.warnings.empty());
  CHECK_FALSE(m.saver.kept().at(0).finite.has_value());
}

TEST_CASE("A save that refuses leaves every file as it was", "[nonfinite]") {
  for (const auto format : {CheckpointFormat::kV1, CheckpointFormat::kV2}) {
    for (const bool sharded : {false, true}) {
      RunDisk disk;
      Graph graph;
      Variable a, b;
      {
        auto on = graph.device("/job:ps/task:0");
        a = variable(graph, 1.0f, {.name = "a"});
      }
      {
        auto on = graph.device("/job:ps/task:1");
        b = variable(graph, 2.0f, {.name = "b"});
      }
      Saver saver(graph, {.sharded = sharded, .max_to_keep = 1, .write_version = format});
      Session session(graph, {.file_system = &disk});
      session.run(global_variables_initializer(graph));
      const std::string prefix = saver.save(session, "/run/m");
      const auto before = disk.contents();
      session.set_value(a, kNan);
      session.set_value(b, kInf);
      INFO(static_cast<int>(format) << " sharded " << sharded);
      // over the old one, and beside it
      for (const StepNumber& step : {StepNumber(), StepNumber(2)}) {
        CHECK_THROWS_WITH(saver.save(session, "/run/m",
                                     {.global_step = step, .on_nonfinite = OnNonfinite::kRefuse}),
                          Contains("'a' (float []): 1 NaN of 1 value; 'b' (float []): 1 infinite "
                                   "of 1 value; nothing was saved"));
        CHECK(disk.contents() == before);
      }
      saver.restore(session, prefix);
      CHECK(session.value(b).scalar<float>() == 2);
    }
  }
}
