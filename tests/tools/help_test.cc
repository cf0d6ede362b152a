// What `cairn` says of itself.
#include "tests/support/catch.h"
#include "tests/tools/commands.h"

using namespace cairn;

TEST_CASE("An unknown command is answered with the nearest, and none with all of them", "[tools]") {
  const Finished near = cairn_run({"trian"});
  CHECK(is_wrong_usage(near));
  CHECK(contains(near.err, "there is no command 'trian'; did you mean train?"));
  for (const std::vector<std::string>& args : {std::vector<std::string>{}, {"nosuch"}}) {
    const Finished far = cairn_run(args);
    CHECK(is_wrong_usage(far));
    CHECK(contains(far.err, "Commands: average, convert, copy"));
    CHECK(contains(far.err, "--help"));
  }
}

TEST_CASE("Help texts fit 80 columns, and are broken between words", "[tools]") {
  std::vector<std::string> commands = {""};
  const Finished all = cairn_run({"--help"});
  for (const std::string& line : all.lines()) {
    if (line.size() > 3 && line.starts_with("  ") && line[2] != ' ' && line[2] != '-') {
      commands.push_back(line.substr(2, line.find(' ', 2) - 2));
    }
  }
  commands.pop_back();  // of the example
  REQUIRE(commands.size() > 10);
  for (const std::string& command : commands) {
    const Finished help = command.empty() ? all : cairn_run({command, "--help"});
    CHECK(help.status == 0);
    std::string words;
    for (const std::string& line : help.lines()) {
      CAPTURE(command, line);
      if (command != "show") CHECK(line.size() <= 80);  // its example is lines of git's
      words += line.substr(std::min(line.find_first_not_of(' '), line.size())) + " ";
    }
    if (command == "train")
      CHECK(contains(words, "rows per step; wraps around at the end; without it all of them"));
  }
}
