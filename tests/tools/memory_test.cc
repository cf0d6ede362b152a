// Commands on large tensors: a fixed buffer beside one tensor, whatever they make of it.
#include <iostream>

#include "../../tools/commands.h"  // not the tests' own
#include "persist/checkpoint/checkpoint_reader.h"
#include "tests/fuzz/heap.h"
#include "tests/support/catch.h"
#include "tests/tools/commands.h"

using namespace cairn;

namespace {

constexpr size_t kMega = size_t{1} << 20, kLarge = 32 * kMega, kBeside = 8 * kMega;

// Takes all that is printed and keeps nothing of it.
class Nowhere final : public std::streambuf {
 public:
  Nowhere() : before_(std::cout.rdbuf(this)) {}
  ~Nowhere() override { std::cout.rdbuf(before_); }

 private:
  int_type overflow(int_type c) override { return traits_type::not_eof(c); }
  std::streamsize xsputn(const char*, std::streamsize size) override { return size; }
  std::streambuf* before_;
};

// The most memory that a command takes, in this process.
size_t peak_of(CommandMaker make, std::vector<std::string> args) {
  CLI::App app;
  const Work work = make(app);
  std::reverse(args.begin(), args.end());
  app.parse(args);
  const Nowhere nowhere;
  int status = kProblem;
  const size_t peak = peak_heap_of([&] { status = work(); });
  CHECK(status == kFine);
  return peak;
}

Tensor counted(int64_t bytes) {
  Tensor tensor = Tensor::uninitialized(DType::kFloat, {bytes / 4});
  for (int64_t i = 0; i < bytes / 4; ++i)
    tensor.data<float>()[i] = static_cast<float>(i % 1000) / 8;
  return tensor;
}

}  // namespace

TEST_CASE("Commands hold one tensor and a buffer, however large the tensor", "[tools][memory]") {
  const TempDir dir;
  const std::string a = write_tensors(dir / "a", {{"W", counted(kLarge)}, {"X", counted(kLarge)}});
  const std::string b = write_tensors(dir / "b", {{"W", counted(kLarge)}, {"X", counted(kLarge)}});
  const auto path = [&](const char* name) { return (dir / name).string(); };
  CHECK(peak_of(make_copy, {a, path("copy")}) <= kLarge + kBeside);
  CHECK(peak_of(make_convert, {a, path("v2"), "--format", "v2"}) <= kLarge + kBeside);
  CHECK(peak_of(make_convert, {a, path("v1"), "--format", "v1"}) <= kLarge + kBeside);
  CHECK(peak_of(make_average, {a, b, path("mean")}) <= kLarge + kBeside);
  CHECK(peak_of(make_export, {a, path("a.npz")}) <= kLarge + kBeside);
  CHECK(peak_of(make_export, {a, path("a.safetensors")}) <= kLarge + kBeside);
  CHECK(peak_of(make_inspect, {a, "--verify", "--stats"}) <= kLarge + kBeside);
  for (const char* made : {"copy", "v2", "v1", "mean"}) {
    const CheckpointReader reader(path(made));
    CHECK(bit_equal(reader.get_tensor("W"), counted(kLarge)));
  }
}

TEST_CASE("Printing every element holds the tensor and a buffer", "[tools][memory]") {
  const TempDir dir;
  const std::string a = write_tensors(dir / "a", {{"W", counted(4 * kMega)}});
  CHECK(peak_of(make_inspect, {a, "--values", "--json"}) <= 4 * kMega + kBeside);
}
