// A directory of checkpoints that somebody prepares, beside one that nothing may reach, and the
// bytes of files that others could make.
#pragma once

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <functional>
#include <map>

#include "persist/checkpoint/bundle.h"
#include "persist/checkpoint/checkpoint_reader.h"
#include "persist/checkpoint/checkpoint_v1.h"
#include "persist/extras/checkpoint_doctor.h"
#include "persist/files/crc.h"
#include "persist/messages/wire.h"
#include "tests/support/catch.h"
#include "tests/support/fixtures.h"
#include "tests/support/generations.h"
#include "tests/support/hooked_fs.h"

namespace cairn::hostile {

// The real file system, but that nothing waits for the disk.
struct Unsynced final : HookedFileSystem {
  Unsynced() : HookedFileSystem(posix_file_system()) {}
  void hook(const FileOp& op, const Proceed& proceed) override {
    if (op.kind != FileOp::kSync && op.kind != FileOp::kSyncDir) proceed(op.bytes);
  }
};

// What waits for ever ends the test.
struct Patience {
  Patience() { alarm(300); }
  ~Patience() { alarm(0); }
};

// Everything below `root`, links as links: kind, mode, where a link leads, bytes.
inline std::map<std::string, std::string> tree(const std::filesystem::path& root) {
  std::map<std::string, std::string> all;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(root)) {
    struct stat s;
    REQUIRE(lstat(entry.path().c_str(), &s) == 0);
    std::string what = str_cat(s.st_mode, " ", s.st_uid, " ");
    if (S_ISLNK(s.st_mode)) what += std::filesystem::read_symlink(entry.path()).string();
    if (S_ISREG(s.st_mode)) what += read_bytes(entry.path());
    all[entry.path().lexically_relative(root).string()] = std::move(what);
  }
  return all;
}

// ---- bytes that others could make ---------------------------------------------------------------

inline std::string retention_text(const std::vector<std::string>& lines) {
  std::string text = "cairn 1\n";
  for (const std::string& line : lines) text += line + "\n";
  char end[32];
  std::snprintf(end, sizeof end, "end %08x\n", crc32c(text));
  return text + end;
}

struct JournalFile {
  std::string name, link, bytes;
};
inline std::string journal(const std::vector<JournalFile>& old,
                           const std::vector<JournalFile>& replaced) {
  std::string bytes = "Cairn is overwriting 1\n";
  for (const auto* files : {&old, &replaced}) {
    put_varint(bytes, files->size());
    for (const JournalFile& f : *files) {
      put_varint(bytes, f.name.size());
      bytes += f.name;
      put_varint(bytes, f.link.size());
      bytes += f.link;
      put_varint(bytes, f.bytes.size());
      const size_t end = std::min<size_t>(f.bytes.size(), 65536);
      put_fixed(bytes, crc32c(std::string_view(f.bytes).substr(f.bytes.size() - end)));
    }
  }
  put_fixed(bytes, mask_crc(crc32c(bytes)));
  return bytes;
}

// ---- a directory --------------------------------------------------------------------------------

struct Models {
  const SaverOptions quiet = {.max_to_keep = 1, .on_warning = [](const std::string&) {}};
  Generation first{1, Form::kV2, {.max_to_keep = 5}}, v2{1, Form::kV2, quiet},
      sharded{2, Form::kShardedV2, quiet}, v1{3, Form::kV1, quiet};

  // "_temp_" and the 32 digits that the sharded saver's graph was made with.
  std::string parts_ending() const {
    Session session(sharded.graph());
    const std::string text = session.run("save/StringJoin/inputs_1:0").scalar<std::string>();
    return text.substr(0, text.find('/'));
  }
};
inline const Models& models() {
  static const Models all;
  return all;
}

// T/run with the checkpoints m-1 and m-2, and T/outside with another one and files of all names
// that are swept.
class Place {
 public:
  Place() {
    std::filesystem::create_directory(run());
    std::filesystem::create_directories(outside() / "parts");
    for (const int step : {1, 2}) {
      models().first.save(fs, run() / "m", {.global_step = step});
      models().first.save(fs, outside() / "m", {.global_step = step});
    }
    for (const char* name : {"victim", "parts/part-00000-of-00002.index", ".t-01234567",
                             ".o-0123456789abcd", "parts/.t-01234567"}) {
      write_bytes(outside() / name, "someone else's");
    }
    write_bytes(run() / "thesis.txt", "a user's");
  }
  std::filesystem::path run() const { return dir / "run"; }
  std::filesystem::path outside() const { return dir / "outside"; }
  // Takes what is there away first.
  void plant(const std::string& name,
             const std::function<void(const std::filesystem::path&)>& make) const {
    std::filesystem::remove_all(run() / name);
    make(run() / name);
  }

  TempDir dir;
  mutable Unsynced fs;
};

// Errors are fine, whatever they say; anything else is not.
inline void let(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error&) {
  }
}

// Everything that reads a directory `run` with the checkpoint m-2.
inline void run_readers(const std::string& run, FileSystem& fs) {
  const std::string m = run + "/m-2";
  const std::vector<std::function<void()>> readers = {
      [&] { latest_checkpoint(run, kCheckpointFileName, &fs); },
      [&] { latest_checkpoint(run, {.verify = true, .file_system = &fs}); },
      [&] { get_checkpoint_state(run, kCheckpointFileName, &fs); },
      [&] { find_checkpoints(run, &fs); },
      [&] { checkpoint_exists(m, &fs); },
      [&] { checkpoint_prefix(run, &fs); },
      [&] { checkpoint_prefix(m + ".meta", &fs); },
      [&] { interrupted_overwriting(m, &fs); },
      [&] { CheckpointReader(m, &fs).verify(); },
      [&] { CheckpointReader(run, &fs).verify(); },
      [&] { BundleReader(fs, m).verify(); },
      [&] { CheckpointV1Reader(fs, m).verify(); },
      [&] { MetaGraph::read(m + ".meta", {.tags = {}, .file_system = &fs}); },
      [&] { kept_checkpoints(run, &fs); },
      [&] { examine_directory(run, &fs); },
      [&] {
        Session session(models().v2.graph(), {.threads = 1, .file_system = &fs});
        Saver::from_proto(models().v2.graph(), SaverDef{Saver(models().v2.graph()).as_saver_def()},
                          models().quiet)
            .restore(session, run);
      },
      [&] {
        for (const std::string& name : fs.list_dir(run))
          let([&] { read_file(fs, run + "/" + name); });
      }};
  for (const auto& reader : readers) let(reader);
}

}  // namespace cairn::hostile
