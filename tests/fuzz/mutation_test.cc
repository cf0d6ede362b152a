// The files of a checkpoint, damaged in every way that disks and copying do: cut at every length,
// every bit turned, pieces swapped, files doubled. What has checksums reads as it was written or is
// refused; nothing crashes, and memory stays of the order of the file.
#include <functional>

#include "ops/array/array.h"
#include "ops/state/variables.h"
#include "persist/checkpoint/bundle.h"
#include "persist/checkpoint/checkpoint_reader.h"
#include "persist/checkpoint/checkpoint_state.h"
#include "persist/graph/meta_graph.h"
#include "persist/saver/saver.h"
#include "tests/fuzz/heap.h"
#include "tests/support/bytes.h"
#include "tests/support/catch.h"
#include "tests/support/fixtures.h"
#include "tests/support/memory_fs.h"
#include "tests/support/sanitized.h"

namespace cairn {
namespace {

using Files = std::map<std::string, std::string>;

#if defined(CAIRN_SANITIZED)
constexpr size_t kEvery = 5;  // of the cuts and bits: all of them take minutes
#else
constexpr size_t kEvery = 1;
#endif

// A checkpoint of a few variables, with its meta graph and the checkpoint file.
Files saved(CheckpointFormat format) {
  MemoryFileSystem fs;
  fs.create_dir("run");
  Graph graph;
  variable(constant(graph, Tensor::matrix<float>({{1, -2.5f}, {3, 4}})), {.name = "W"});
  variable(constant(graph, Tensor::vector<std::string>({"ab", "", "c"})), {.name = "names"});
  variable(constant(graph, int64_t{7}), {.name = "step"});
  Saver saver(graph, {.write_version = format});
  Session session(graph, {.threads = 1, .file_system = &fs});
  session.run(global_variables_initializer(graph));
  saver.save(session, "run/m");
  return fs.contents();
}

std::string values_in(FileSystem& fs) {
  const CheckpointReader reader("run/m", &fs);
  reader.verify();
  std::string text;
  for (const std::string& name : reader.names())
    text += str_cat(name, " ", reader.get_tensor(name), "\n");
  return text;
}

// Of one file of a checkpoint: how it is read, whether a checksum guards all of it, and how many
// cuts and bits to take one of.
struct Subject {
  CheckpointFormat format;
  std::string path;
  std::function<std::string(FileSystem&)> read;
  bool guarded;
  size_t every = 1;
};

const Subject kIndex{CheckpointFormat::kV2, "run/m.index", values_in, true};
const Subject kData{CheckpointFormat::kV2, "run/m.data-00000-of-00001", values_in, true};
const Subject kV1{CheckpointFormat::kV1, "run/m", values_in, true};
const Subject kMeta{CheckpointFormat::kV2, "run/m.meta",
                    [](FileSystem& fs) {
                      Graph graph;
                      import_meta_graph(graph, "run/m.meta", {.file_system = &fs});
                      return export_meta_graph(graph).bytes();
                    },
                    false, 37};
const Subject kCheckpoint{
    CheckpointFormat::kV2, "run/checkpoint",
    [](FileSystem& fs) {
      return latest_checkpoint("run", kCheckpointFileName, &fs).value_or("none");
    },
    false};

class Damage {
 public:
  explicit Damage(const Subject& subject)
      : subject_(subject), files_(saved(subject.format)), good_(read()) {}

  const std::string& bytes() const { return files_.at(subject_.path); }

  // Files of these bytes are refused, or read as the good ones where a checksum guards them.
  void check(const std::string& damaged) {
    const std::string original = std::exchange(files_[subject_.path], damaged);
    std::string content = good_;
    Error error(Code::kOk, "");
    const size_t heap = peak_heap_of([&] { error = error_of([&] { content = read(); }); });
    files_[subject_.path] = original;
    if (subject_.guarded && content != good_) FAIL_CHECK("read otherwise: " << content);
    if (error.code() == Code::kInternal || error.code() == Code::kUnknown) FAIL_CHECK(error.what());
    const size_t allowed = (size_t{1} << 20) + 1000 * std::max(damaged.size(), original.size());
    if (heap > allowed) FAIL_CHECK(heap << " bytes of memory for a file of " << damaged.size());
    refused_ += error.code() != Code::kOk;
  }
  int refused() const { return refused_; }

 private:
  std::string read() const {
    MemoryFileSystem fs;
    fs.create_dir("run");
    for (const auto& [path, bytes] : files_) fs.set(path, bytes);
    return subject_.read(fs);
  }

  const Subject& subject_;
  Files files_;
  std::string good_;
  int refused_ = 0;
};

void cut_everywhere(const Subject& subject) {
  Damage damage(subject);
  for (size_t n = 0; n < damage.bytes().size(); n += kEvery * subject.every)
    damage.check(damage.bytes().substr(0, n));
  CHECK(damage.refused() > 0);
}

void turn_every_bit(const Subject& subject) {
  Damage damage(subject);
  for (size_t bit = 0; bit < damage.bytes().size() * 8; bit += kEvery * subject.every) {
    damage.check(with_bit_flipped(damage.bytes(), bit));
  }
  CHECK(damage.refused() > 0);
}

void swap_pieces(const Subject& subject) {
  Damage damage(subject);
  const std::string good = damage.bytes();
  for (size_t size = 4; size <= good.size() / 2; size *= 2) {
    for (size_t at = 0; at + 2 * size <= good.size(); at += size * kEvery * subject.every) {
      damage.check(good.substr(0, at) + good.substr(at + size, size) + good.substr(at, size) +
                   good.substr(at + 2 * size));
    }
  }
  damage.check(good + good);
  damage.check(good + std::string(1, '\0'));
  damage.check(std::string(1, '\0') + good);
  damage.check(std::string(good.size(), '\0'));
  damage.check(std::string(good.size(), '\xff'));
}

}  // namespace

TEST_CASE("An index cut, changed or put together wrongly is refused or reads the same",
          "[fuzz][mutation]") {
  cut_everywhere(kIndex);
  turn_every_bit(kIndex);
  swap_pieces(kIndex);
}

TEST_CASE("A data file cut, changed or put together wrongly is refused or reads the same",
          "[fuzz][mutation]") {
  cut_everywhere(kData);
  turn_every_bit(kData);
  swap_pieces(kData);
}

TEST_CASE("A V1 checkpoint cut, changed or put together wrongly is refused or reads the same",
          "[fuzz][mutation]") {
  cut_everywhere(kV1);
  turn_every_bit(kV1);
  swap_pieces(kV1);
}

TEST_CASE("A meta graph cut, changed or put together wrongly does no harm", "[fuzz][mutation]") {
  cut_everywhere(kMeta);
  turn_every_bit(kMeta);
  swap_pieces(kMeta);
}

TEST_CASE("A checkpoint file cut, changed or put together wrongly does no harm",
          "[fuzz][mutation]") {
  cut_everywhere(kCheckpoint);
  turn_every_bit(kCheckpoint);
  swap_pieces(kCheckpoint);
}

TEST_CASE("Files of two checkpoints that were mixed up are refused", "[fuzz][mutation]") {
  MemoryFileSystem fs;
  fs.create_dir("run");
  for (const auto& [path, bytes] : saved(CheckpointFormat::kV2)) fs.set(path, bytes);
  BundleWriter other(fs, "run/other");
  other.add("W", Tensor::matrix<float>({{1, -2.5f}, {3, 5}}));
  other.add("names", Tensor::vector<std::string>({"ab", "", "c"}));
  other.add("step", Tensor(int64_t{7}));
  other.finish();
  fs.set(kData.path, fs.contents().at("run/other.data-00000-of-00001"));
  const Error error = error_of([&] { values_in(fs); });
  CHECK(error.code() == Code::kDataLoss);
  CHECK_THAT(error.what(),
             Catch::Contains("tensor 'W'") && Catch::Contains("Checksum does not match"));
}

}  // namespace cairn
