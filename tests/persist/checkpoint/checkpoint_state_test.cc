#include "persist/checkpoint/checkpoint_state.h"

#include "persist/checkpoint/bundle.h"
#include "tests/support/catch.h"
#include "tests/support/fixtures.h"
#include "tests/support/memory_fs.h"
#include "tests/support/small_model.h"

using namespace cairn;
using Catch::Matchers::Contains;

namespace {

struct Disk : MemoryFileSystem {
  Disk() { create_dirs("/run"); }
  void checkpoint(const std::string& prefix) {
    BundleWriter writer(*this, prefix);
    writer.add("v", Tensor(1.0f));
    writer.finish();
  }
};

using Strings = std::vector<std::string>;

}  // namespace

TEST_CASE("The checkpoint file is TensorFlow's text, with paths relative to its directory",
          "[checkpoint_state]") {
  Disk disk;
  update_checkpoint_state("/run", "/run/m-2", {"/run/m-1", "/run/m-2"}, kCheckpointFileName, &disk);
  CHECK(read_file(disk, "/run/checkpoint") ==
        "model_checkpoint_path: \"m-2\"\nall_model_checkpoint_paths: "
        "\"m-1\"\nall_model_checkpoint_paths: \"m-2\"\n");
  const auto state = get_checkpoint_state("/run", kCheckpointFileName, &disk);
  REQUIRE(state);
  CHECK(state->model_checkpoint_path == "/run/m-2");
  CHECK(state->all_model_checkpoint_paths == Strings{"/run/m-1", "/run/m-2"});
}

TEST_CASE("A directory without a checkpoint file has no state and no latest checkpoint",
          "[checkpoint_state]") {
  Disk disk;
  CHECK_FALSE(get_checkpoint_state("/run", kCheckpointFileName, &disk));
  CHECK_FALSE(latest_checkpoint("/run", kCheckpointFileName, &disk));
}

TEST_CASE("The latest checkpoint is one whose files are there", "[checkpoint_state]") {
  Disk disk;
  update_checkpoint_state("/run", "/run/m-1", {}, kCheckpointFileName, &disk);
  CHECK_FALSE(latest_checkpoint("/run", kCheckpointFileName, &disk));
  disk.checkpoint("/run/m-1");
  CHECK(latest_checkpoint("/run", kCheckpointFileName, &disk) == "/run/m-1");
}

TEST_CASE("Absolute paths of a directory that was moved are found where it is now",
          "[checkpoint_state]") {
  Disk disk;
  disk.checkpoint("/run/m-1");
  for (const char* path : {"/old/place/m-1", R"(C:\\old\\m-1)"}) {
    disk.set("/run/checkpoint", std::string("model_checkpoint_path: \"") + path + "\"\n");
    CHECK(latest_checkpoint("/run", kCheckpointFileName, &disk) == "/run/m-1");
  }
}

TEST_CASE("A name with a backslash is a name, before it is taken for a path of Windows",
          "[checkpoint_state]") {
  for (const std::string name : {R"(a\b-1)", R"(c:m-1)", R"(\)", R"(a\)"}) {
    CAPTURE(name);
    Disk disk;
    disk.checkpoint("/run/b-1");
    disk.checkpoint("/run/" + name);
    update_checkpoint_state("/run", "/run/" + name, {}, kCheckpointFileName, &disk);
    CHECK(latest_checkpoint("/run", kCheckpointFileName, &disk) == "/run/" + name);
    CHECK(latest_checkpoint("/run", {.verify = true, .file_system = &disk}) == "/run/" + name);
    // Of another directory that was moved, too.
    std::string escaped;
    for (const char c : name) escaped += c == '\\' ? "\\\\" : std::string(1, c);
    disk.set("/run/checkpoint", "model_checkpoint_path: \"/old/" + escaped + "\"\n");
    CHECK(latest_checkpoint("/run", kCheckpointFileName, &disk) == "/run/" + name);
  }
}

TEST_CASE("What stands in the place of the checkpoint file is no state", "[checkpoint_state]") {
  Disk disk;
  disk.create_dir("/run/checkpoint");
  CHECK_FALSE(get_checkpoint_state("/run", kCheckpointFileName, &disk));
  CHECK(says(
      error_of([&] { update_checkpoint_state("/run", "/run/m", {}, kCheckpointFileName, &disk); }),
      "/run/checkpoint"));
}

TEST_CASE("Quotes and bytes beyond ASCII in a path survive the checkpoint file",
          "[checkpoint_state]") {
  Disk disk;
  const std::string prefix = "/run/m \"\xC3\xA4\" \\";
  update_checkpoint_state("/run", prefix, {}, kCheckpointFileName, &disk);
  CHECK_THAT(read_file(disk, "/run/checkpoint"), Contains(R"(m \"\303\244\" \\)"));
}

TEST_CASE("A checkpoint file that names itself as the checkpoint is refused",
          "[checkpoint_state]") {
  Disk disk;
  const Error error = error_of(
      [&] { update_checkpoint_state("/run", "/run/checkpoint", {}, kCheckpointFileName, &disk); });
  CHECK(error.code() == Code::kInvalidArgument);
}

TEST_CASE(
    "A checkpoint file cut or changed anywhere is read or refused with its name and the line, "
    "never worse",
    "[checkpoint_state][corruption]") {
  const std::string good = "model_checkpoint_path: \"m-2\"\nall_model_checkpoint_paths: \"m-1\"\n";
  const auto try_bytes = [](const std::string& bytes) {
    Disk disk;
    disk.set("/run/checkpoint", bytes);
    const Error error = error_of([&] { get_checkpoint_state("/run", kCheckpointFileName, &disk); });
    if (error.code() == Code::kOk) return true;
    CHECK(error.code() == Code::kDataLoss);
    CHECK_THAT(error.what(), Contains("/run/checkpoint"));
    return false;
  };
  int refused = 0;
  for (size_t n = 0; n < good.size(); ++n) refused += !try_bytes(good.substr(0, n));
  for (size_t bit = 0; bit < good.size() * 8; ++bit) {
    std::string bytes = good;
    bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << bit % 8));
    refused += !try_bytes(bytes);
  }
  CHECK(refused > 200);
  CHECK(try_bytes(good));
}

TEST_CASE("Removing a checkpoint leaves others whose names begin alike", "[checkpoint_state]") {
  Disk disk;
  for (const char* prefix : {"/run/m-1", "/run/m-10", "/run/m-1.data"}) disk.checkpoint(prefix);
  remove_checkpoint("/run/m-1", "meta", &disk);
  CHECK_FALSE(checkpoint_exists("/run/m-1", &disk));
  CHECK_NOTHROW(BundleReader(disk, "/run/m-10").verify());
  CHECK_NOTHROW(BundleReader(disk, "/run/m-1.data").verify());
}

TEST_CASE("A checkpoint file written by hand may name a file of the checkpoint",
          "[checkpoint_state]") {
  for (const char* name : {"m-1.index", "m-1.meta", "m-1.data-00000-of-00001", "m-1",
                           "/gone/m-1.meta", "C:\\\\run\\\\m-1.meta"}) {
    RunDisk disk;
    SmallModel m(disk);
    m.save(1);
    disk.set("/run/checkpoint", str_cat("model_checkpoint_path: \"", name, "\"\n"));
    INFO(name);
    CHECK(latest_checkpoint("/run", kCheckpointFileName, &disk) == "/run/m-1");
    CHECK(latest_checkpoint("/run", {.verify = true, .file_system = &disk}) == "/run/m-1");
    m.saver.restore(m.session, "/run");
  }
  RunDisk disk;
  SmallModel m(disk);
  m.saver.save(m.session, "/run/m");
  m.saver.save(m.session, "/run/m.index");  // a name like a file's is looked for as it stands first
  CHECK(latest_checkpoint("/run", kCheckpointFileName, &disk) == "/run/m.index");
}
