// Where commands write: never over anything, and nothing is left by a command that fails.
#include <cairn/cairn.h>

#include <map>

#include "tests/support/catch.h"
#include "tests/tools/commands.h"
#include "tests/tools/line_model.h"

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
  const std::vector<std::string> v2 = {".index", ".meta", ".data-00000-of-00001", ".data-00001-of-00003"};
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

TEST_CASE("No command writes over a file of its destination, a link or a link to nothing", "[tools]") {
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
  Finished run = cairn_run({"run", t.prefix, "--feed", "x=" + t.x_file(), "--fetch", "x", "--output", t.dir.path()});
  CHECK(run.status == 1);
  CHECK(contains(run.err, "x.npy: there is a file already"));
  run = cairn_run(t.train_args(t.dir.path()) + Args{"--steps", "1", "--save-every", "1"});
  CHECK(run.status == 0);  // line-8, beside it
  for (const auto& [name, bytes] : before) {
    CAPTURE(name);
    if (name != "checkpoint" && name != ".cairn") CHECK(read_bytes(t.dir / name) == bytes);
  }
}

TEST_CASE("cairn train never saves over the checkpoint it goes on from, under whatever name", "[tools]") {
  Trained t;
  // The name says 6, the global step 7: one step makes it line-8, which is where the link leads.
  const TempDir to;
  for (const std::string ending : {".index", ".meta", ".data-00000-of-00001"}) {
    fs::create_hard_link(t.prefix + ending, (to / "line-8").string() + ending);
  }
  const auto before = tree(t.dir.path()), there = tree(to.path());
  for (const std::string steps : {"1", "3"}) {
    const Finished run = cairn_run(t.train_args(to.path()) + Args{"--steps", steps, "--save-every", "1"});
    CHECK(run.status == 1);
    CHECK(contains(run.err, "line-8 is the checkpoint that is trained on"));
    CHECK(run.out.empty());
  }
  CHECK(tree(t.dir.path()) == before);
  CHECK(tree(to.path()) == there);
}

TEST_CASE("A command that fails leaves no file and no directory", "[tools]") {
  const Trained t;
  const TempDir to;
  const std::string out = (to / "new/deep/out").string();
  Trained other(true);
  const std::string wrong = write_tensors(other.dir / "wrong", {{"w", Tensor(1.0f)}, {"b", Tensor(true)}});
  const std::string damaged = write_tensors(other.dir / "damaged", {{"w", Tensor::zeros(DType::kFloat, {4000})}});
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
      {"train", t.prefix, "--checkpoint", t.prefix, "--loss", "MatMul", "--feed", "x=" + t.x_file(), "--feed",
       "y=" + t.y_file(), "--set", "rate=1", "--steps", "1", "--dir", out},
      {"train", t.prefix, "--checkpoint", wrong, "--loss", "loss", "--steps", "1", "--dir", out}};
  for (const Args& args : failing) {
    CAPTURE(args);
    const Finished run = cairn_run(args);
    CHECK(run.status != 0);
    CHECK(!run.err.empty());
    CHECK(tree(to.path()).empty());
  }
}
