// cairn average.
#include <complex>

#include "persist/checkpoint/checkpoint_reader.h"
#include "persist/checkpoint/checkpoint_state.h"
#include "tests/support/catch.h"
#include "tests/tools/commands.h"

using namespace cairn;

namespace {

std::string write_step(const TempDir& dir, int64_t step, float value) {
  return write_tensors(dir / str_cat("m-", step),
                       {{"W", Tensor::vector<float>({value, 1})},
                        {"d", Tensor(double{value})},
                        {"h", Tensor(Half(value))},
                        {"z", Tensor(std::complex<float>(value, -value))},
                        {"name", Tensor(str_cat("step ", step))},
                        {"step", Tensor(step)}});
}

}  // namespace

TEST_CASE(
    "The command cairn average writes means of floating-point tensors and the rest of the last "
    "checkpoint",
    "[tools]") {
  const TempDir dir;
  const std::string a = write_step(dir, 1, 1), b = write_step(dir, 2, 2), c = write_step(dir, 3, 6);
  write_bytes(dir / "m-3.meta", "the graph");
  update_checkpoint_state(dir.path().string(), b);
  const std::string state = read_bytes(dir / "checkpoint"), to = (dir / "new/mean").string();
  const Finished run = cairn_run({"average", a, b + ".index", c, to});
  CHECK(run.err.empty());
  REQUIRE(run.status == 0);
  CHECK(run.out ==
        str_cat(to, ": the mean of 3 checkpoints, 4 tensors; as in ", c, ": name and step\n"));
  const CheckpointReader mean(to);
  CHECK(bit_equal(mean.get_tensor("W"), Tensor::vector<float>({3, 1})));
  CHECK(mean.get_tensor("d").scalar<double>() == 3);
  CHECK(static_cast<float>(mean.get_tensor("h").scalar<Half>()) == 3);
  CHECK(mean.get_tensor("z").scalar<std::complex<float>>() == std::complex<float>(3, -3));
  CHECK(mean.get_tensor("name").scalar<std::string>() == "step 3");
  CHECK(mean.get_tensor("step").scalar<int64_t>() == 3);
  CHECK(read_bytes(to + ".meta") == "the graph");
  CHECK(read_bytes(dir / "checkpoint") == state);
  CHECK(!std::filesystem::exists(dir / "new/checkpoint"));
}

TEST_CASE("The command cairn average keeps the format and the slices of the last checkpoint",
          "[tools]") {
  const TempDir dir;
  const auto write = [&](const char* name, float v) {
    BundleWriter writer(posix_file_system(), (dir / name).string());
    writer.add_slice("P", {2, 1}, TensorSlice::parse("1,1:0,1"), Tensor::matrix<float>({{v}}));
    writer.add_slice("P", {2, 1}, TensorSlice::parse("0,1:0,1"), Tensor::matrix<float>({{2 * v}}));
    writer.finish();
    return (dir / name).string();
  };
  const std::string a = write("a", 1), b = write("b", 3), v1 = (dir / "old").string();
  REQUIRE(cairn_run({"average", a, b, (dir / "mean").string()}).status == 0);
  const CheckpointReader mean((dir / "mean").string());
  CHECK(mean.find("P")->slices.size() == 2);
  CHECK(bit_equal(mean.get_tensor("P"), Tensor::matrix<float>({{4}, {2}})));
  REQUIRE(cairn_run({"convert", b, v1, "--format", "v1"}).status == 0);
  const Finished json = cairn_run({"average", a, v1, (dir / "mean1").string(), "--json"});
  CHECK(contains(json.out, R"("averaged": ["P"], "from_last": []})"));
  CHECK(CheckpointReader((dir / "mean1").string()).version() == CheckpointFormat::kV1);
}

TEST_CASE(
    "The command cairn average names everything that keeps checkpoints from having a mean, and "
    "writes nothing",
    "[tools]") {
  const TempDir dir;
  const std::string a =
      write_tensors(dir / "a", {{"W", Tensor(1.0f)}, {"x", Tensor(1.0f)}, {"s", Tensor(1.0)}});
  const std::string b = write_tensors(
      dir / "b", {{"W", Tensor::vector<float>({1})}, {"y", Tensor(1.0f)}, {"s", Tensor(1.0)}});
  const Finished run = cairn_run({"average", a, b, (dir / "mean").string()});
  CHECK(run.status == 1);
  CHECK(contains(run.err, "W is float [] in " + a));
  CHECK(contains(run.err, a + " lacks y"));
  CHECK(contains(run.err, b + " lacks x"));
  CHECK(!checkpoint_exists((dir / "mean").string()));
  CHECK(is_wrong_usage(cairn_run({"average", a, b})));
  const Finished there = cairn_run({"average", a, a, b});
  CHECK(there.status == 1);
  CHECK(contains(there.err, "there is a checkpoint already"));
}
