#include <algorithm>
#include <chrono>
#include <regex>
#include <thread>

#include "persist/checkpoint/checkpoint_state.h"
#include "samples/random.h"
#include "tests/samples/idx_files.h"
#include "tests/support/catch.h"
#include "tests/support/program.h"

using namespace cairn;
namespace fs = std::filesystem;

namespace {

const fs::path kSample = built_program("samples/mnist_softmax");
using Args = std::vector<std::string>;

// A folder with a little data, on which a run takes milliseconds, and room for runs.
struct Room : TempDir {
  Room() { write_digits(path() / "data", 300, 100); }

  Args args(const std::string& dir, const Args& more) const {
    Args all = {"--data", path() / "data", "--dir", path() / dir};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }
  Finished run(const std::string& dir, const Args& more) const {
    return run_program(kSample, args(dir, more));
  }

  // The bytes of the three files of a checkpoint.
  std::string checkpoint(const std::string& dir, int64_t step) const {
    const std::string prefix = path() / dir / str_cat("model_ckpt-", step);
    return read_bytes(prefix + ".data-00000-of-00001") + read_bytes(prefix + ".index") +
           read_bytes(prefix + ".meta");
  }
  int files_ending(const std::string& dir, const std::string& extension) const {
    const fs::directory_iterator files(path() / dir);
    return static_cast<int>(std::count_if(begin(files), end(files), [&](const auto& file) {
      return file.path().extension() == extension;
    }));
  }
};

bool says(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

// What follows "LABEL: " on the line so labelled.
std::string value_of(const Finished& run, const std::string& label) {
  for (const std::string& line : run.lines()) {
    if (line.starts_with(label + ": ")) return line.substr(label.size() + 2);
  }
  return "";
}

}  // namespace

TEST_CASE(
    "A run of the MNIST sample ends with its two accuracies, the test accuracy and its checkpoint",
    "[samples]") {
  const Room room;
  const Finished run = room.run("run", {"--steps", "20"});
  CAPTURE(run.out, run.err);
  REQUIRE(run.status == 0);
  const auto lines = run.lines();
  REQUIRE(lines.size() > 4);
  const std::vector<std::string> last(lines.end() - 4, lines.end());
  CHECK(std::regex_match(last[0], std::regex(R"(accuracy before reset: [01]\.\d{4})")));
  CHECK(std::regex_match(last[1], std::regex(R"(restored accuracy: [01]\.\d{4})")));
  CHECK(std::regex_match(last[2], std::regex(R"(test accuracy: [01]\.\d{4})")));
  CHECK(last[3] == "checkpoint: " + (room / "run/model_ckpt-20").string());
  CHECK(value_of(run, "accuracy before reset") == value_of(run, "restored accuracy"));
  CHECK(fs::exists(room / "run/model_ckpt-20.index"));
}

TEST_CASE("Without --data the MNIST sample says first that its digits are drawn, and learns them",
          "[samples]") {
  const TempDir dir;
  const Finished run =
      run_program(kSample, {"--dir", dir.path(), "--steps", "200", "--save-every", "100"});
  CAPTURE(run.out, run.err);
  REQUIRE(run.status == 0);
  CHECK(run.lines().at(0) == "drawn digits, not MNIST; --data DIR for MNIST");
  CHECK(std::stod(value_of(run, "test accuracy")) > 0.88);
  CHECK(std::stod(value_of(run, "test accuracy")) > std::stod(value_of(run, "restored accuracy")));
}

TEST_CASE(
    "Killed again and again and resumed, the MNIST sample ends with the bytes of a run never "
    "stopped",
    "[samples]") {
  const Room room;
  const Args settings = {"--steps", "300", "--batch", "20", "--save-every", "10", "--seed", "3"};
  REQUIRE(room.run("whole", settings).status == 0);

  Args resumed = settings;
  resumed.push_back("--resume");
  SplitMix random = random_stream(GENERATE(1, 2), 0);
  const auto state = room / "killed/checkpoint";
  const auto newest = [&] { return fs::exists(state) ? read_bytes(state) : ""; };
  int killed = 0;
  for (; killed < 12; ++killed) {
    // At a random moment: from the start on, or in what comes after a save (a removal, a step,
    // another save).
    const std::string before = newest();
    Program program(kSample, room.args("killed", resumed));
    while (killed % 4 != 0 && program.running() && newest() == before)
      std::this_thread::sleep_for(std::chrono::microseconds(200));
    std::this_thread::sleep_for(std::chrono::microseconds(random.next() % 10000));
    program.kill();
    const int status = program.wait().status;
    if (status == 0) break;
    REQUIRE(status == -9);
  }
  CHECK(killed >= 2);
  const Finished last = room.run("killed", resumed);
  CAPTURE(last.out, last.err);
  REQUIRE(last.status == 0);
  CHECK(value_of(last, "accuracy before reset").empty());
  CHECK(value_of(last, "checkpoint") == (room / "killed/model_ckpt-300").string());
  CHECK(room.checkpoint("killed", 300) == room.checkpoint("whole", 300));
  CHECK(get_checkpoint_state((room / "killed").string())->all_model_checkpoint_paths.size() == 5);
}

TEST_CASE("A resumed MNIST run keeps the batches, the seed and the learning rate it was begun with",
          "[samples]") {
  const Room room;
  const Args begun = {"--batch", "7", "--seed", "5", "--learning-rate", "0.1", "--steps"};
  const auto until = [&](const std::string& steps) {
    Args args = begun;
    args.push_back(steps);
    return args;
  };
  REQUIRE(room.run("whole", until("40")).status == 0);
  REQUIRE(room.run("parts", until("20")).status == 0);
  REQUIRE(room.run("parts", {"--steps", "40", "--resume"}).status == 0);
  CHECK(room.checkpoint("parts", 40) == room.checkpoint("whole", 40));
}

TEST_CASE("The MNIST sample's command to resume works as it is printed", "[samples]") {
  const Room room;
  const Finished first = room.run("it's a run", {"--steps", "10"});
  const Finished second = run_program("/bin/sh", {"-c", value_of(first, "to go on")});
  CAPTURE(first.out, second.out, second.err);
  REQUIRE(second.status == 0);
  CHECK(value_of(second, "checkpoint") == (room / "it's a run/model_ckpt-20").string());
}

TEST_CASE("The MNIST sample saves the same bytes on one thread and on two", "[samples]") {
  const Room room;
  REQUIRE(room.run("one", {"--steps", "40", "--threads", "1"}).status == 0);
  REQUIRE(room.run("two", {"--steps", "40", "--threads", "2"}).status == 0);
  CHECK(room.checkpoint("one", 40) == room.checkpoint("two", 40));
}

TEST_CASE("Resumed in an empty folder, the MNIST sample says so and starts afresh", "[samples]") {
  const Room room;
  const Finished run = room.run("empty", {"--steps", "10", "--resume"});
  CAPTURE(run.out, run.err);
  REQUIRE(run.status == 0);
  CHECK(says(run.out, "no checkpoint in " + (room / "empty").string() + ": starting afresh"));
  CHECK_FALSE(value_of(run, "accuracy before reset").empty());
}

TEST_CASE(
    "Started over in a folder that was used, the MNIST sample saves at once, so that --resume "
    "means the new run",
    "[samples]") {
  const Room room;
  REQUIRE(room.run("fresh", {"--steps", "20", "--seed", "2"}).status == 0);
  REQUIRE(room.run("used", {"--steps", "50", "--seed", "1"}).status == 0);
  const Finished again = room.run("used", {"--steps", "20", "--seed", "2", "--save-every", "1000"});
  CHECK(says(again.out, "starting over"));
  CHECK(fs::exists(room / "used/model_ckpt-0.index"));
  CHECK(room.checkpoint("used", 20) == room.checkpoint("fresh", 20));
}

TEST_CASE("The MNIST sample keeps as many checkpoints as --max-to-keep says, through the reset",
          "[samples]") {
  const Room room;
  const auto kept = [&](const std::string& number) {
    REQUIRE(
        room.run(number, {"--steps", "80", "--save-every", "10", "--max-to-keep", number}).status ==
        0);
    return room.files_ending(number, ".index");
  };
  CHECK(kept("2") == 2);
  CHECK(fs::exists(room / "2/model_ckpt-70.meta"));
  CHECK(kept("0") == 8);
}

TEST_CASE("The MNIST sample refuses flags that it does not know or cannot take, with status 2",
          "[samples]") {
  const TempDir dir;
  for (const Args& args :
       {Args{"--stpes", "10"}, Args{"--steps", "many"}, Args{"--steps", "1"}, Args{"--batch", "0"},
        Args{"--learning-rate", "-1"}, Args{"--threads"}, Args{"extra"}}) {
    const Finished run = run_program(kSample, args, dir.path());
    CAPTURE(args, run.out, run.err);
    CHECK(run.status == 2);
    CHECK(says(run.err, args[0]));
    CHECK(fs::is_empty(dir.path()));
  }
}

TEST_CASE("The MNIST sample's --help names every flag and shows an example", "[samples]") {
  const Finished run = run_program(kSample, {"--help"});
  CHECK(run.status == 0);
  for (const char* flag : {"--data", "--dir", "--steps", "--batch", "--learning-rate", "--seed",
                           "--threads", "--save-every", "--max-to-keep", "--resume", "Example:"}) {
    CAPTURE(flag);
    CHECK(says(run.out, flag));
  }
}

TEST_CASE("The MNIST sample without its data says what is missing, with status 1", "[samples]") {
  const TempDir dir;
  const Finished run = run_program(kSample, {"--data", dir / "nowhere", "--dir", dir / "run"});
  CHECK(run.status == 1);
  CHECK(says(run.err, "train-images-idx3-ubyte"));
  CHECK(says(run.err, (dir / "nowhere").string()));
  CHECK_FALSE(fs::exists(dir / "run"));
}

TEST_CASE("The MNIST sample cannot be resumed from a damaged checkpoint, and says which file is",
          "[samples]") {
  const Room room;
  REQUIRE(room.run("run", {"--steps", "10"}).status == 0);
  const fs::path meta = room / "run/model_ckpt-10.meta";
  write_bytes(meta, read_bytes(meta).substr(0, 1000));
  const Finished run = room.run("run", {"--steps", "20", "--resume"});
  CHECK(run.status == 1);
  CHECK(says(run.err, meta.string()));
}

TEST_CASE("The MNIST sample gets 0.915 of MNIST's test digits right within ten epochs",
          "[samples]") {
  const auto all = fixtures();
  const fs::path mnist = all ? *all / ".." / "mnist" : "";
  if (!all || !fs::exists(mnist)) return skip("no MNIST beside the fixtures (-Dfixtures=DIR)");
  const TempDir dir;
  const Finished run = run_program(
      kSample, {"--data", mnist, "--dir", dir.path(), "--steps", "6000", "--save-every", "3000"});
  CAPTURE(run.out, run.err);
  REQUIRE(run.status == 0);
  CHECK(says(run.lines().at(0), "MNIST in "));
  CHECK(std::stod(value_of(run, "test accuracy")) >= 0.915);
}
