// Where commands write: never over anything, and nothing is left by a command that fails.
#include <cairn/cairn.h>

#include <map>

#include "persist/files/publication.h"
#include "tests/support/catch.h"
#include "tests/support/memory_fs.h"
#include "tests/tools/commands.h"
#include "tests/tools/line_model.h"
#include "tools/command_files.h"

using namespace cairn;
namespace fs = std::filesystem;

namespace {

using Args = std::vector<std::string>;

// Every name in a directory and below, with what is behind it.
std::map<std::string, std::string> tree(const fs::path& directory) {
  std::map<std::string, std::string> names;
  for (const auto& entry : fs::recursive_directory_iterator(directory)) {
    const std::string name = fs::relative(entry.path(), directory).string();
    names[name] = entry.is_symlink()     ? "link to " + fs::read_symlink(entry.path()).string()
                  : entry.is_directory() ? "directory"
                                         : read_bytes(entry.path());
  }
  return names;
}

// A command that writes, but for where to; and the endings that what it writes has.
struct Writer {
  Args args;
  Args after;                        // the destination
  std::vector<std::string> endings;  // of the destination's own files
  std::string destination = "";      // of a kind that the command asks for
};

std::vector<Writer> writers(const Trained& t) {
  const std::vector<std::string> v2 = {".index", ".meta", ".data-00000-of-00001",
                                       ".data-00001-of-00003"};
  return {{{"copy", t.prefix}, {}, v2},
          {{"convert", t.prefix}, {"--format", "v1"}, {"", ".meta", "-00001-of-00002"}},
          {{"average", t.prefix, t.prefix}, {}, v2},
          {{"rename", t.prefix}, {"--map", "w=v"}, v2},
          {{"export", t.prefix}, {}, {".npz"}, ".npz"},
          {{"export", t.prefix}, {}, {".safetensors"}, ".safetensors"},
          {{"freeze", t.prefix, t.prefix}, {"--output", "add"}, {""}}};
}

Finished write(const Writer& writer, const std::string& destination) {
  Args args = writer.args + Args{destination + writer.destination};
  return cairn_run(args + writer.after);
}

}  // namespace

TEST_CASE("No command writes over a file of its destination, a link or a link to nothing",
          "[tools]") {
  const Trained t;
  for (const Writer& writer : writers(t)) {
    for (const std::string& ending : writer.endings) {
      for (const char* const kind_of : {"file", "link", "hard link", "link to nothing"}) {
        const std::string kind = kind_of;
        CAPTURE(writer.args[0], ending, kind);
        const TempDir to;
        const std::string taken = (to / "out").string() + ending;
        if (kind == "file") write_bytes(taken, "somebody's own");
        if (kind == "link") fs::create_symlink(t.prefix + ".index", taken);
        if (kind == "hard link") fs::create_hard_link(t.prefix + ".index", taken);
        if (kind == "link to nothing") fs::create_symlink("nothing", taken);
        const auto before = tree(to.path()), source = tree(t.dir.path());
        const Finished run = write(writer, (to / "out").string());
        CHECK(run.status == 1);
        CHECK(contains(run.err, "give another name"));
        CHECK(run.out.empty());
        CHECK(tree(to.path()) == before);
        CHECK(tree(t.dir.path()) == source);
      }
    }
    const TempDir to;
    const Finished fine = write(writer, (to / "new/out").string());
    CAPTURE(writer.args[0], fine.err);
    CHECK(fine.status == 0);
  }
}

TEST_CASE("No command writes over the files that it reads", "[tools]") {
  const Trained t;
  const auto before = tree(t.dir.path());
  for (const Writer& writer : writers(t)) {
    for (const std::string ending : {"", ".index", ".meta", ".data-00000-of-00001"}) {
      CAPTURE(writer.args[0], ending);
      if (!writer.destination.empty() || (ending.empty() && writer.args[0] == "freeze")) continue;
      CHECK(write(writer, (t.dir / "./line-7").string() + ending).status == 1);
    }
  }
  Finished run = cairn_run(
      {"run", t.prefix, "--feed", "x=" + t.x_file(), "--fetch", "x", "--output", t.dir.path()});
  CHECK(run.status == 1);
  CHECK(contains(run.err, "x.npy: the file exists"));
  run = cairn_run(t.train_args(t.dir.path()) + Args{"--steps", "1", "--save-every", "1"});
  CHECK(run.status == 0);  // line-8, beside it
  for (const auto& [name, bytes] : before) {
    CAPTURE(name);
    if (name != "checkpoint" && name != ".cairn") CHECK(read_bytes(t.dir / name) == bytes);
  }
}

TEST_CASE(
    "The command cairn train never saves over the checkpoint it goes on from, under whatever name",
    "[tools]") {
  Trained t;
  // The name says 6, the global step 7: one step makes it line-8, which is where the link leads.
  const TempDir to;
  for (const std::string ending : {".index", ".meta", ".data-00000-of-00001"}) {
    fs::create_hard_link(t.prefix + ending, (to / "line-8").string() + ending);
  }
  const auto before = tree(t.dir.path()), there = tree(to.path());
  for (const std::string steps : {"1", "3"}) {
    const Finished run =
        cairn_run(t.train_args(to.path()) + Args{"--steps", steps, "--save-every", "1"});
    CHECK(run.status == 1);
    CHECK(contains(run.err, "line-8 is the checkpoint that the training continues from"));
    CHECK(run.out.empty());
  }
  CHECK(tree(t.dir.path()) == before);
  CHECK(tree(to.path()) == there);
}

TEST_CASE(
    "Of two commands that write one new file, the second one fails and what the first wrote stays",
    "[tools]") {
  MemoryFileSystem memory;
  CommandFiles one(memory), two(memory);
  AtomicFile first(one, "x"), second(two, "x");
  first.append("first");
  second.append("second");
  first.publish();
  try {
    second.publish();
    FAIL("the second took the place of the first");
  } catch (const Error& e) {
    CHECK(e.code() == Code::kAlreadyExists);
    CHECK(contains(e.what(), "x: another program has made this file meanwhile"));
  }
  two.undo();
  CHECK(read_file(memory, "x") == "first");
}

TEST_CASE("A command that is told to replace files does", "[tools]") {
  MemoryFileSystem memory;
  write_file(memory, "x", "old");
  CommandFiles files(memory);
  files.let_replace();
  write_file_atomically(files, "x", "new");
  files.undo();
  CHECK(read_file(memory, "x") == "new");
}

TEST_CASE("A checkpoint that another program's files would be mixed with is taken back",
          "[tools]") {
  for (const std::string other :
       {"x", "x-00001-of-00002", "x.data-00000-of-00002", "x.meta", "x.index"}) {
    CAPTURE(other);
    MemoryFileSystem memory;
    memory.create_dir("run");
    CommandFiles files(memory);
    {
      Publication publication(files, "run/x");
      publication.gather();
      publication.only_new();
      BundleWriter writer(files, "run/x");
      writer.add("w", Tensor(1.0f));
      writer.finish();
      write_file(memory, "run/" + other, "another program's");
      CHECK_THROWS_AS(publication.commit(), Error);
    }
    CHECK(memory.list_dir("run") == std::vector<std::string>{other});
    CHECK(read_file(memory, "run/" + other) == "another program's");
  }
}

TEST_CASE(
    "Of two commands at once with one destination, at most one ends well, and nothing is mixed",
    "[tools]") {
  const TempDir from;
  const Tensor many = Tensor::zeros(DType::kFloat, {500000});
  const std::string source = write_tensors(from / "m", {{"v", many}, {"w", many}});
  const std::string to_v1 = "convert", to_other_names = "rename";
  for (const std::string& other : {to_other_names, to_v1, to_other_names, to_v1}) {
    const TempDir to;
    const std::string out = (to / "new/x").string();
    const Args more = other == to_v1 ? Args{"--format", "v1"} : Args{"--map", "w=u"};
    Program copy(built_program("tools/cairn"), {"copy", source, out});
    Program second(built_program("tools/cairn"), Args{other, source, out} + more);
    const Finished copied = copy.wait(), done = second.wait();
    CAPTURE(other, copied.err, done.err);
    CHECK(copied.status + done.status >= 1);
    if (copied.status == 0) {
      CHECK(read_bytes(out + ".data-00000-of-00001") ==
            read_bytes(source + ".data-00000-of-00001"));
      CHECK(read_bytes(out + ".index") == read_bytes(source + ".index"));
      CHECK(tree(to.path()).size() == 3);
    } else if (done.status == 0) {
      CHECK(CheckpointReader(out).has_tensor(other == to_v1 ? "w" : "u"));
      CHECK(tree(to.path()).size() == (other == to_v1 ? 2 : 3));
    } else {
      CHECK(tree(to.path()).empty());
    }
  }
}

TEST_CASE(
    "A copy of several data files leaves them and nothing else, and a copy that fails no parts",
    "[tools]") {
  const TempDir from;
  Args parts;
  for (const std::string name : {"a", "b"}) {
    parts.push_back((from / "parts" / name).string());
    write_tensors(parts.back(), {{name, Tensor::zeros(DType::kFloat, {300000})}});
  }
  const std::string source = (from / "m").string();
  merge_bundles(posix_file_system(), parts, source);
  for (const Args& more : {Args{"copy"}, Args{"rename", "--re", "s/$/_/"}}) {
    const TempDir to;
    CHECK(cairn_run(more + Args{source, (to / "x").string()}).status == 0);
    CHECK(tree(to.path()).size() == 3);
  }
  // The loser of two has moved its parts back before they go.
  for (int round = 0; round < 3; ++round) {
    const TempDir to;
    const Args args = {"copy", source, (to / "x").string()};
    Program one(built_program("tools/cairn"), args), two(built_program("tools/cairn"), args);
    const Finished first = one.wait(), second = two.wait();
    CAPTURE(first.err, second.err);
    CHECK(first.status + second.status >= 1);
    CHECK(tree(to.path()).size() == (first.status + second.status == 1 ? 3 : 0));
  }
  const std::string last = source + ".data-00001-of-00002";
  std::string bytes = read_bytes(last);
  bytes[5] ^= 1;
  write_bytes(last, bytes);
  for (const Args& more : {Args{"copy"}, Args{"rename", "--re", "s/$/_/"}}) {
    const TempDir to;
    CHECK(cairn_run(more + Args{source, (to / "x").string()}).status == 1);
    CHECK(tree(to.path()).empty());
  }
}

TEST_CASE(
    "No command takes what can only be a directory, or one file of several, for the name of its "
    "file",
    "[tools]") {
  const Trained t;
  const TempDir to;
  for (const Writer& writer : writers(t)) {
    const bool checkpoint =
        !writer.after.empty() || writer.args[0] == "copy" || writer.args[0] == "average";
    for (const std::string name : {"new/.", "new/..", "new/", "x-00000-of-00002"}) {
      if (!writer.destination.empty()) continue;  // its ending makes a name of it
      if (name.starts_with("x") && (!checkpoint || writer.args[0] == "freeze")) continue;
      CAPTURE(writer.args[0], name);
      const Finished run = write(writer, (to / name).string());
      CAPTURE(run.err);
      CHECK(run.status == 1);
      CHECK((contains(run.err, "names a directory; ") ||
             contains(run.err, "one file of a V1 checkpoint of several")));
      CHECK(tree(to.path()).empty());
    }
  }
}

TEST_CASE(
    "Commands remove what dead writers left where they write, but nothing of writers that live",
    "[tools]") {
  const Trained t;
  std::vector<Writer> all = writers(t);
  all.push_back(
      {{"run", t.prefix, "--feed", "x=" + t.x_file(), "--fetch", "x", "--output"}, {}, {}});
  const std::string parts = "x_temp_0123456789abcdef0123456789abcdef",
                    living = "y" + parts.substr(1);
  for (const Writer& writer : all) {
    CAPTURE(writer.args[0]);
    const TempDir to;
    for (const std::string& name : {parts, living}) {
      fs::create_directory(to / name);
      write_bytes(to / name / "part-00000-of-00002.index", "half");
    }
    const auto in_use = posix_file_system().create((to / living / ".t-89abcdef").string());
    write_bytes(to / ".t-01234567", "half");
    write_bytes(to / ".t-mine", "mine");
    const Finished run =
        write(writer, writer.args[0] == "run" ? to.path().string() : (to / "out").string());
    CAPTURE(run.err);
    CHECK(run.status == 0);
    CHECK(!fs::exists(to / ".t-01234567"));
    CHECK(!fs::exists(to / parts));
    CHECK(fs::exists(to / ".t-mine"));
    CHECK(fs::exists(to / living / "part-00000-of-00002.index"));
  }
}

TEST_CASE("Where a saver has the directory, commands leave parts of a save alone", "[tools]") {
  const Trained t;
  const TempDir to;
  const fs::path parts = to / "x_temp_0123456789abcdef0123456789abcdef";
  fs::create_directory(parts);
  write_bytes(parts / "part-00000-of-00002.index", "complete");
  const auto lock = posix_file_system().lock_dir(to.path().string());
  CHECK(cairn_run({"copy", t.prefix, (to / "out").string()}).status == 0);
  CHECK(fs::exists(parts / "part-00000-of-00002.index"));
}

TEST_CASE("A command that fails leaves no file and no directory", "[tools]") {
  const Trained t;
  const TempDir to;
  const std::string out = (to / "new/deep/out").string();
  Trained other(true);
  const std::string wrong =
      write_tensors(other.dir / "wrong", {{"w", Tensor(1.0f)}, {"b", Tensor(true)}});
  const std::string damaged =
      write_tensors(other.dir / "damaged", {{"w", Tensor::zeros(DType::kFloat, {4000})}});
  std::string bytes = read_bytes(damaged + ".data-00000-of-00001");
  bytes[5] ^= 1;
  write_bytes(damaged + ".data-00000-of-00001", bytes);
  const std::vector<Args> failing = {
      {"copy", damaged, out},
      {"convert", damaged, out, "--format", "v1"},
      {"average", damaged, damaged, out},
      {"rename", damaged, out, "--map", "w=v"},
      {"export", damaged, out + ".npz"},
      {"export", damaged, out + ".safetensors"},
      {"freeze", t.prefix, t.prefix, out, "--output", "GradientDescent"},
      {"run", t.prefix, "--fetch", "loss", "--output", out},
      t.train_args(out) + Args{"--steps", "1", "--loss", "loss:0", "--train-op", "none"},
      {"train", t.prefix, "--checkpoint", t.prefix, "--loss", "loss", "--steps", "1", "--dir", out},
      {"train", t.prefix, "--checkpoint", t.prefix, "--loss", "MatMul", "--feed", "x=" + t.x_file(),
       "--feed", "y=" + t.y_file(), "--set", "rate=1", "--steps", "1", "--dir", out},
      {"train", t.prefix, "--checkpoint", wrong, "--loss", "loss", "--steps", "1", "--dir", out}};
  for (const Args& args : failing) {
    CAPTURE(args);
    const Finished run = cairn_run(args);
    CHECK(run.status != 0);
    CHECK(!run.err.empty());
    CHECK(tree(to.path()).empty());
  }
}
