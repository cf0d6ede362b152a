// Saves on disks that fail, fill up or are shared, and what they leave behind.
#include <malloc.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <system_error>
#include <thread>

#include "ops/state/variables.h"
#include "persist/checkpoint/bundle.h"
#include "persist/files/publication.h"
#include "tests/support/catch.h"
#include "tests/support/faulty_fs.h"
#include "tests/support/fixtures.h"
#include "tests/support/generations.h"
#include "tests/support/memory_fs.h"
#include "tests/support/recording_fs.h"

namespace cairn {
namespace {

using Catch::Matchers::Contains;
using Catch::Matchers::StartsWith;
using Strings = std::vector<std::string>;

struct Disk : MemoryFileSystem {
  Disk() { create_dirs("/run"); }
  explicit Disk(const std::map<std::string, std::string>& files) : Disk() {
    for (const auto& [path, bytes] : files) set(path, bytes);
  }
};

// An old save and a new one, tried on every way a disk can fail.
struct Saves {
  std::string name;
  Generation old, next;
  SaveOptions old_options = {}, options = {};
};

std::vector<std::unique_ptr<Saves>> all_saves() {
  std::vector<std::unique_ptr<Saves>> all;
  const auto add = [&](const char* name, Form old, Form next, bool numbered = false) {
    const SaverOptions quiet = {.max_to_keep = 1, .on_warning = [](const std::string&) {}};
    all.push_back(std::unique_ptr<Saves>(
        new Saves{name, Generation(1, old, quiet), Generation(2, next, quiet)}));
    if (numbered) {
      all.back()->old_options.global_step = 1;
      all.back()->options.global_step = 2;
    }
  };
  add("numbered, the one before removed", Form::kV2, Form::kV2, true);
  add("numbered and sharded", Form::kShardedV2, Form::kShardedV2, true);
  add("in place", Form::kV2, Form::kV2);
  add("in place, sharded", Form::kShardedV2, Form::kShardedV2);
  add("in place, V1", Form::kV1, Form::kV1);
  add("in place, sharded V1", Form::kShardedV1, Form::kShardedV1);
  add("in place, V2 by V1", Form::kV2, Form::kV1);
  return all;
}

void check_generation(FileSystem& fs, int64_t at_least, int64_t at_most) {
  const auto newest = latest_checkpoint("/run", kCheckpointFileName, &fs);
  REQUIRE(newest);
  const int64_t values = generation_of_values(fs, *newest);
  CHECK(values >= at_least);
  CHECK(values <= at_most);
  CHECK(generation_of_meta(fs, *newest) == values);
}

// Returns false when the save makes fewer than i + 1 calls.
bool fail_at(const Saves& saves, const std::map<std::string, std::string>& before, size_t i,
             int error, FaultyFileSystem::Span span) {
  Disk memory(before);
  FaultyFileSystem disk(memory, i, error, span);
  const Error thrown = error_of([&] { saves.next.save(disk, "/run/m", saves.options); });
  if (!disk.failed()) return false;
  const FileOp& op = *disk.failed_op();
  CAPTURE(saves.name, error, i, span, op.str(), thrown.what());
  const bool saved = thrown.code() == Code::kOk;
  if (!saved) {
    CHECK_THAT(thrown.what(), Contains(std::generic_category().message(error)));
    // the directory above is looked at too
    CHECK_THAT(thrown.what(), Contains("/run") || StartsWith("/: "));
  }
  const bool removing = op.kind == FileOp::kRemove || op.kind == FileOp::kRemoveDir;
  if (span == FaultyFileSystem::kOnce && !removing) CHECK(leftovers(memory, "/run") == Strings{});
  // What fails after the new files have their names, the checkpoint file for one, leaves the new
  // ones.
  check_generation(memory, saved ? 2 : 1, 2);
  if (i % 5 == 0) {
    saves.next.save(memory, "/run/m", saves.options);
    check_generation(memory, 2, 2);
    CHECK(leftovers(memory, "/run") == Strings{});
  }
  return true;
}

}  // namespace

// ---- disks that fail ----------------------------------------------------------------------------

TEST_CASE(
    "Whichever file operation of a save fails, once or from then on, the checkpoint before is "
    "whole",
    "[persist][faults]") {
  for (const auto& saves : all_saves()) {
    Disk first;
    saves->old.save(first, "/run/m", saves->old_options);
    const auto before = first.contents();
    for (const auto& [error, span] :
         {std::pair(EIO, FaultyFileSystem::kOnce), std::pair(ENOSPC, FaultyFileSystem::kForever),
          std::pair(ENOSPC, FaultyFileSystem::kOnce), std::pair(EINTR, FaultyFileSystem::kOnce)}) {
      // One error stands for the others where only the message differs.
      const size_t step = error == EINTR || span == FaultyFileSystem::kForever ? 3 : 1;
      for (size_t i = 0; fail_at(*saves, before, i, error, span); i += step) {
      }
    }
  }
}

TEST_CASE("A disk that is full at any 4 KiB leaves the checkpoint before, and nothing else",
          "[persist][faults]") {
  for (const Form form : {Form::kV2, Form::kV1}) {
    const Generation old(1, form, {}, 20'000), next(2, form, {}, 20'000);
    for (const bool in_place : {true, false}) {
      Disk first;
      old.save(first, "/run/m", {.global_step = in_place ? StepNumber() : StepNumber(1)});
      const auto before = first.contents();
      uint64_t used = 0;
      for (const auto& [path, bytes] : before) used += bytes.size();
      int refused = 0;
      for (uint64_t room = 0;; room += 4096) {
        Disk disk(before);
        disk.set_capacity(used + room);
        const Error error = error_of([&] {
          next.save(disk, "/run/m", {.global_step = in_place ? StepNumber() : StepNumber(2)});
        });
        CAPTURE(in_place, room, error.what());
        CHECK(leftovers(disk, "/run") == Strings{});
        check_generation(disk, error.code() == Code::kOk ? 2 : 1, 2);
        if (error.code() == Code::kOk) break;
        CHECK(error.code() == Code::kResourceExhausted);
        CHECK_THAT(error.what(), Contains("/run/") && Contains("No space left on device"));
        ++refused;
      }
      CHECK(refused > 15);
    }
  }
}

// ---- overwriting --------------------------------------------------------------------------------

TEST_CASE("Where a file system has no links, overwriting copies", "[persist][overwrite]") {
  Disk memory;
  struct NoLinks final : HookedFileSystem {
    using HookedFileSystem::HookedFileSystem;
    void hook(const FileOp& op, const Proceed& proceed) override {
      if (op.kind == FileOp::kLink) fail_with_errno(op.path, "linking", EPERM);
      proceed(op.bytes);
    }
  } disk(memory);
  Generation(1, Form::kV2).save(disk, "/run/m");
  Generation(2, Form::kV2).save(disk, "/run/m");
  check_generation(memory, 2, 2);
  CHECK(leftovers(memory, "/run") == Strings{});
}

TEST_CASE("Overwriting leaves files of the name that no checkpoint wrote", "[persist][overwrite]") {
  Disk disk;
  Generation(1, Form::kShardedV2).save(disk, "/run/m");
  disk.set("/run/m", "a script");
  disk.set("/run/m.data-00003-of-00007", "someone else's");
  Generation(2, Form::kV2).save(disk, "/run/m");
  CHECK(read_file(disk, "/run/m") == "a script");
  CHECK(disk.exists("/run/m.data-00003-of-00007"));
  CHECK_FALSE(disk.exists("/run/m.data-00000-of-00002"));
}

TEST_CASE("A save run by hand leaves the meta graph that is there", "[persist][overwrite]") {
  Disk disk;
  const Generation g(1, Form::kV2);
  g.save(disk, "/run/m");
  const std::string meta = read_file(disk, "/run/m.meta");
  Session session(g.graph(), {.file_system = &disk});
  session.run(global_variables_initializer(g.graph()));
  session.run("save/control_dependency", {{"save/Const:0", std::string("/run/m")}});
  CHECK(read_file(disk, "/run/m.meta") == meta);
  CHECK(generation_of_values(disk, "/run/m") == 0);
}

namespace {

// A disk as a writer leaves it that is killed when it has renamed the new data file and not yet the
// index.
std::map<std::string, std::string> half_overwritten() {
  Disk memory;
  Generation(1, Form::kV2).save(memory, "/run/m");
  std::map<std::string, std::string> frozen;
  struct Freezing final : HookedFileSystem {
    Freezing(MemoryFileSystem& m, std::map<std::string, std::string>& to)
        : HookedFileSystem(m), memory(m), into(to) {}
    void hook(const FileOp& op, const Proceed& proceed) override {
      if (op.kind == FileOp::kRename && op.to == "/run/m.index" && into.empty())
        into = memory.contents();
      proceed(op.bytes);
    }
    MemoryFileSystem& memory;
    std::map<std::string, std::string>& into;
  } disk(memory, frozen);
  Generation(2, Form::kV2).save(disk, "/run/m");
  return frozen;
}

}  // namespace

TEST_CASE("Whoever looks for a checkpoint whose overwriting was interrupted finds the one before",
          "[persist][overwrite]") {
  const auto interrupted = half_overwritten();
  const std::vector<std::function<void(FileSystem&)>> looks = {
      [](FileSystem& fs) {
        CHECK(latest_checkpoint("/run", kCheckpointFileName, &fs) == "/run/m");
      },
      [](FileSystem& fs) {
        CHECK(latest_checkpoint("/run", {.verify = true, .file_system = &fs}) == "/run/m");
      },
      [](FileSystem& fs) { CHECK(checkpoint_prefix("/run/m", &fs) == "/run/m"); },
      [](FileSystem& fs) { CHECK(checkpoint_prefix("/run/m.meta", &fs) == "/run/m"); },
      [](FileSystem& fs) { CHECK(checkpoint_exists("/run/m", &fs)); },
      [](FileSystem& fs) { CHECK(find_checkpoints("/run", &fs) == Strings{"/run/m"}); }};
  for (const auto& look : looks) {
    Disk disk(interrupted);
    REQUIRE(leftovers(disk, "/run").size() > 3);
    look(disk);
    CHECK(disk.contents() == interrupted);
    CHECK(BundleReader(disk, "/run/m").read("b").scalar<int64_t>() == 1);
    CHECK(generation_of_meta(disk, "/run/m") == 1);
  }
}

TEST_CASE("What was written over an interrupted overwriting by someone else stays",
          "[persist][overwrite]") {
  Disk disk(half_overwritten());
  Disk other;
  Generation(7, Form::kV2).save(other, "/run/m");
  for (const auto& [path, bytes] : other.contents()) disk.set(path, bytes);
  check_generation(disk, 7, 7);
  recover_directory(disk, "/run");
  CHECK_FALSE(disk.exists(journal_path("/run/m")));
  check_generation(disk, 7, 7);
}

TEST_CASE("A damaged journal is not believed, reported, and in nobody's way",
          "[persist][overwrite]") {
  const auto interrupted = half_overwritten();
  const std::string path = journal_path("/run/m");
  const std::string good = interrupted.at(path);
  for (size_t i = 0; i < good.size(); i += 3) {
    std::string flipped = good;
    flipped[i] = static_cast<char>(flipped[i] ^ 4);
    for (const std::string& bytes : {flipped, good.substr(0, i)}) {
      Disk disk(interrupted);
      disk.set(path, bytes);
      const auto before = disk.contents();
      CHECK(checkpoint_prefix("/run/m", &disk) == "/run/m");
      const auto warnings = recover_directory(disk, "/run");
      REQUIRE(warnings.size() == 1);
      CHECK_THAT(warnings[0], StartsWith(path) && Contains("is not followed"));
      CHECK(interrupted_overwriting("/run/m", &disk) == warnings[0]);
      CHECK(sweep_directory(disk, "/run").empty());
      CHECK(read_file(disk, path) == bytes);
      for (const auto& [name, content] : before)
        CHECK((is_temporary_name(base_name(name)) || disk.exists(name)));
    }
  }
  Disk disk(interrupted);
  disk.set(path, "nonsense");
  Generation(3, Form::kV2).save(disk, "/run/m");
  Generation(4, Form::kV2).save(disk, "/run/m");
  CHECK(leftovers(disk, "/run") == Strings{});
  check_generation(disk, 4, 4);
}

TEST_CASE(
    "A reader does not wait for a writer that is overwriting, and finds the checkpoint before",
    "[persist][overwrite]") {
  Disk disk(half_overwritten());
  const auto before = disk.contents();
  const auto lock = disk.lock_dir("/run");
  check_generation(disk, 1, 1);
  CHECK(latest_checkpoint("/run", {.verify = true, .file_system = &disk}) == "/run/m");
  CHECK(interrupted_overwriting("/run/m", &disk) == std::nullopt);
  CHECK(disk.contents() == before);
}

// ---- several writers ----------------------------------------------------------------------------

TEST_CASE("A second writer into a directory is refused and told which", "[persist][writers]") {
  Disk disk;
  const Generation g(1, Form::kV2);
  {
    const auto lock = disk.lock_dir("/run");
    const Error error = error_of([&] { g.save(disk, "/run/m"); });
    CHECK(error.code() == Code::kFailedPrecondition);
    CHECK_THAT(error.what(), Contains("/run: another writer is saving into this directory"));
  }
  CHECK(disk.contents().empty());
  CHECK_NOTHROW(g.save(disk, "/run/m"));
}

TEST_CASE(
    "What dead writers left is removed by the next save, and what live ones are writing is not",
    "[persist][writers]") {
  Disk disk;
  BundleWriter alive(disk, "/run/other");
  alive.add("v", Tensor(1.0f));
  const std::string parts = "/run/m_temp_0123456789abcdef0123456789abcdef";
  for (const std::string& path :
       {std::string("/run/.t-0123abcd"), std::string("/run/.o-0123abcd000000"),
        parts + "/part-00000-of-00002.index"}) {
    disk.create_dirs(directory_of(path));
    disk.set(path, "left");
  }
  disk.create_dirs("/run/n_temp_0123456789abcdef0123456789abcdef");
  const Strings foreign = {"/run/.t-notours", "/run/.hidden",
                           "/run/n_temp_0123456789abcdef0123456789abcdef/thesis"};
  for (const std::string& path : foreign) disk.set(path, "someone else's");
  Generation(1, Form::kV2).save(disk, "/run/m");
  for (const std::string& path : foreign) CHECK(disk.exists(path));
  CHECK_FALSE(disk.exists(parts));
  CHECK_FALSE(disk.exists("/run/.t-0123abcd"));
  CHECK_FALSE(disk.exists("/run/.o-0123abcd000000"));
  alive.finish();
  CHECK_NOTHROW(BundleReader(disk, "/run/other").verify());
}

// ---- saves without end --------------------------------------------------------------------------

namespace {

void save_often(int times) {
  Disk disk;
  const Generation g(1, Form::kV2, {.max_to_keep = 3});
  Session session(g.graph(), {.threads = 1, .file_system = &disk});
  session.run(global_variables_initializer(g.graph()));
  Saver saver(g.graph(), {.max_to_keep = 3});
  const auto descriptors = [] {
    const std::filesystem::directory_iterator open("/proc/self/fd");
    return std::distance(begin(open), end(open));
  };
  size_t memory = 0, files = 0;
  const int nodes = g.graph().num_nodes();
  const auto open = descriptors();
  for (int i = 1; i <= times; ++i) {
    saver.save(session, "/run/m", {.global_step = i});
    if (i == times / 4) {
      memory = mallinfo2().uordblks;
      files = disk.contents().size();
    }
  }
  CHECK(g.graph().num_nodes() == nodes);
  CHECK(descriptors() == open);
  CHECK(disk.contents().size() == files);
  CHECK(mallinfo2().uordblks < memory + (64 << 10));
}

}  // namespace

TEST_CASE("Hundreds of saves leave the graph, memory, descriptors and directory as a few do",
          "[persist][faults]") {
  save_often(400);
}

TEST_CASE("Ten thousand saves leave them so too", "[.][saves-long]") { save_often(10'000); }

TEST_CASE("The meta graph follows the graph from save to save", "[persist][overwrite]") {
  Disk disk;
  const Generation g(1, Form::kV2);
  Session session(g.graph(), {.file_system = &disk});
  session.run(global_variables_initializer(g.graph()));
  Saver saver(g.graph());
  saver.save(session, "/run/m");
  const std::string first = read_file(disk, "/run/m.meta");
  saver.save(session, "/run/m");
  CHECK(read_file(disk, "/run/m.meta") == first);
  g.graph().add_to_collection("more", std::string("text"));
  saver.save(session, "/run/m");
  CHECK(read_file(disk, "/run/m.meta") == saver.export_meta_graph("").bytes());
  CHECK(read_file(disk, "/run/m.meta") != first);
}

}  // namespace cairn
