// What commands are given: numbers out of range, nothing where something is meant, options that
// would do nothing.
#include <cairn/cairn.h>

#include "tests/support/catch.h"
#include "tests/tools/commands.h"
#include "tests/tools/line_model.h"

using namespace cairn;

namespace {

using Args = std::vector<std::string>;

}  // namespace

TEST_CASE("A number that an option cannot take is wrong usage, and the range is named", "[tools]") {
  const Trained t;
  const std::string to = (t.dir / "to").string(),
                    steps = " is not a whole number from 1 to 1000000000000000",
                    seed = " is not a whole number from 0 to 18446744073709551615";
  const std::vector<std::tuple<std::string, std::string, std::string>> wrong = {
      {"--steps", "99999999999999999999", steps},
      {"--steps", "9223372036854775807", steps},
      {"--steps", "-1", steps},
      {"--steps", "1.5", steps},
      {"--steps", "1x", steps},
      {"--save-every", "18446744073709551617", steps},
      {"--batch", "2147483648", " is not a whole number from 1 to 2147483647"},
      {"--start-row", "-1", " is not a whole number from 0 to 1000000000000000"},
      {"--seed", "-1", seed},
      {"--seed", "18446744073709551616", seed},
      {"--shuffle", "-1", seed}};
  for (const auto& [option, number, why] : wrong) {
    CAPTURE(option, number);
    Args args = t.train_args(to) + Args{option, number};
    if (option != "--steps") args = args + Args{"--steps", "1"};
    const Finished run = cairn_run(args);
    CHECK(is_wrong_usage(run));
    CHECK(contains(run.err, str_cat(option, ": ", number, why)));
  }
  for (const std::string number : {"-1", "18446744073709551616"}) {
    CHECK(is_wrong_usage(
        cairn_run({"run", t.prefix, "--fetch", "rate", "--set", "rate=1", "--seed", number})));
  }
  CHECK(is_wrong_usage(cairn_run({"diff", t.prefix, t.prefix, "--tolerance", "1e999"})));
  CHECK(!std::filesystem::exists(to));
  CHECK(cairn_run({"run", t.prefix, "--fetch", "rate", "--set", "rate=1", "--seed",
                   "18446744073709551615"})
            .status == 0);
}

TEST_CASE(
    "An empty value, as of an unset variable of the shell, is wrong usage wherever a value is "
    "taken",
    "[tools]") {
  const std::vector<Args> empty = {
      {"average", "a", "", "c"},
      {"convert", "a", "", "--format", "v1"},
      {"copy", "", "b"},
      {"copy", "a", ""},
      {"diff", "a", ""},
      {"diff", "a", "b", "--tolerance", ""},
      {"doctor", ""},
      {"export", "a", "b.npz", "--tensor", ""},
      {"freeze", "a", "b", "", "--output", "o"},
      {"freeze", "a", "b", "c", "--output", ""},
      {"freeze", "a", "b", "c", "--output", "o", "--keep-variable", ""},
      {"inspect", ""},
      {"inspect", "a", "--tensor", ""},
      {"meta", ""},
      {"meta", "a", "--tag", ""},
      {"rename", "a", "b", "--re", ""},
      {"run", "a", "--fetch", ""},
      {"run", "a", "--fetch", "f", "--output", ""},
      {"run", "a", "--fetch", "f", "--output="},
      {"run", "a", "--fetch", "f", "--checkpoint", ""},
      {"run", "a", "--signature", ""},
      {"show", ""},
      {"train", "a", "--checkpoint", "b", "--loss", "c", "--steps", "1", "--dir", ""}};
  for (const Args& args : empty) {
    CAPTURE(args);
    const Finished run = cairn_run(args);
    CAPTURE(run.err);
    CHECK(is_wrong_usage(run));
    CHECK((contains(run.err, "the value is empty, as from an unset variable of the shell") ||
           args.back() == "--output="));
  }
}

TEST_CASE("An option that would do nothing is refused and says what it is for", "[tools]") {
  const Trained t;
  const std::string out = (t.dir / "out.pb").string();
  const Args freeze = {"freeze", t.prefix, t.prefix, out, "--output", "add", "--keep-variable"};
  Finished run = cairn_run(freeze + Args{"global_stp"});
  CHECK(run.status == 1);
  CHECK(contains(run.err,
                 "--keep-variable: there is no variable 'global_stp' in the graph; did you mean "
                 "global_step?"));
  CHECK(!std::filesystem::exists(out));
  CHECK(cairn_run(freeze + Args{"w"}).status == 0);
  const std::string why = "--tag selects a graph of a SavedModel";
  for (const Args& args : {Args{"meta", t.prefix + ".meta"}, Args{"run", t.prefix, "--fetch", "w"},
                           Args{"freeze", t.prefix, t.prefix, out + "2", "--output", "add"},
                           t.train_args((t.dir / "to").string()) + Args{"--steps", "1"}}) {
    run = cairn_run(args + Args{"--tag", "serve"});
    CAPTURE(args, run.err);
    CHECK(is_wrong_usage(run));
    CHECK(contains(run.err, why));
  }
  for (const std::string option : {"--start-row", "--batch", "--shuffle"}) {
    run = cairn_run({"train", t.prefix, "--checkpoint", t.prefix, "--loss", "loss", "--steps", "1",
                     "--dir", out + "3", "--set", "rate=1", "--set", "x=[[1]]", "--set", "y=[[1]]",
                     option, "1"});
    CAPTURE(option, run.err);
    CHECK(is_wrong_usage(run));
    CHECK(contains(run.err, option + " selects rows of the feeds"));
  }
  CHECK(!std::filesystem::exists(out + "3"));
}

TEST_CASE("An option that a command does not have is named, with the command and the nearest one",
          "[tools]") {
  const std::vector<std::tuple<Args, std::string>> wrong = {
      {{"inspect", "a", "--stat"},
       "cairn inspect: there is no option --stat; did you mean --stats?\n"},
      {{"run", "a", "--fetch", "f", "--chekpoint", "run/net-200"},
       "cairn run: there is no option --chekpoint; did you mean --checkpoint?\n"},
      {{"run", "a", "--fetch", "f", "--chekpoint=run/net-200"},
       "cairn run: there is no option --chekpoint; did you mean --checkpoint?\n"},
      // Not what it lacks for it.
      {{"train", "a", "--chekpoint", "b", "--loss", "c", "--steps", "1", "--dir", "d"},
       "cairn train: there is no option --chekpoint; did you mean --checkpoint?\n"},
      {{"inspect", "a", "--nothing-like-it"},
       "cairn inspect: there is no option --nothing-like-it\n"},
      {{"inspect", "a", "b"}, "cairn inspect: an argument too many: 'b'\n"},
      {{"inspect", "a", "b", "-1"}, "cairn inspect: arguments too many: 'b' and '-1'\n"},
      {{"train", "a", "--loss", "c", "--steps", "1", "--dir", "d"},
       "cairn train: --checkpoint is required\n"}};
  for (const auto& [args, says] : wrong) {
    const Finished run = cairn_run(args);
    CAPTURE(args, run.err, says);
    CHECK(is_wrong_usage(run));
    CHECK(run.err == says + "Run with --help for more information.\n");
  }
}

TEST_CASE("Arguments that are told back do not speak to the terminal", "[tools]") {
  for (const Args& args :
       {Args{"inspect", "a", "b\x1b[31m"}, Args{"inspect", "a", "--none\x1b[31m"},
        Args{"train", "a", "--checkpoint", "b", "--loss", "c", "--dir", "d", "--steps", "\x1b[31m"},
        Args{"convert", "a", "b", "--format", "\x1b[31m"}, Args{"\x1b[31m"}}) {
    const Finished run = cairn_run(args);
    CAPTURE(run.err);
    CHECK(is_wrong_usage(run));
    CHECK(!contains(run.err, "\x1b"));
    CHECK(contains(run.err, "\\x1b[31m"));
  }
}

TEST_CASE("Standard output that reaches the limit on file sizes is an error as a full disk is",
          "[tools]") {
  const TempDir dir;
  const std::string prefix =
      write_tensors(dir / "m", {{"w", Tensor::zeros(DType::kFloat, {100000})}});
  const Finished run = run_program(
      "/bin/sh",
      {"-c", str_cat("ulimit -f 1; exec '", built_program("tools/cairn").string(), "' inspect '",
                     prefix, "' --values > '", (dir / "log").string(), "'")});
  CHECK(run.status == 1);
  CHECK(contains(run.err, "standard output cannot be written"));
}

TEST_CASE("A tensor that is fetched twice is printed once", "[tools]") {
  const Trained t;
  const Finished run = cairn_run(
      {"run", t.prefix, "--fetch", "rate", "--fetch", "rate", "--set", "rate=1", "--json"});
  CHECK(run.out == "{\"rate\": {\"dtype\": \"float\", \"shape\": [], \"value\": 1}}\n");
}

TEST_CASE("A file of strings that numbers are asked of is named", "[tools]") {
  const Trained t;
  const std::string file = (t.dir / "s.npy").string();
  write_npy(posix_file_system(), file, Tensor::vector<std::string>({"a", "b"}));
  const Finished run = cairn_run({"run", t.prefix, "--fetch", "x", "--feed", "x=" + file});
  CHECK(run.status == 1);
  CHECK(contains(
      run.err,
      file + ": 'x' takes float, into which string is not converted; give an array of float"));
}
