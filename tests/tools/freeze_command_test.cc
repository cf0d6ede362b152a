// cairn freeze.
#include <cairn/cairn.h>

#include "tests/support/catch.h"
#include "tests/support/program.h"

using namespace cairn;

namespace {

Finished cairn_command(const std::vector<std::string>& args) {
  return run_program(built_program("tools/cairn"), args);
}
bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

// DIR/model-1: y = 2 x + 1, with an op that only training runs.
struct ServedLine {
  ServedLine() {
    Graph graph;
    const Output x = placeholder(graph, DType::kFloat, {}, {.name = "x"});
    const Scope device = graph.device("/device:GPU:7");
    const Variable a = variable(graph, 2.0f, {.name = "a"}),
                   b = variable(graph, 1.0f, {.name = "b"});
    const Output y = identity(check_numerics(a * x + b, "y"), {.name = "y"});
    GradientDescentOptimizer(0.1).minimize(square(y));
    Saver saver(graph);
    Session session(graph);
    session.run(global_variables_initializer(graph));
    prefix = saver.save(session, (dir / "model").string(), {.global_step = 1});
  }
  std::string path(const std::string& name) const { return (dir / name).string(); }
  TempDir dir;
  std::string prefix;
};

float served(const std::string& path) {
  Graph graph;
  import_graph_def(graph, path, {.name = ""});
  for (const Operation& op : graph.operations()) CHECK(op.node().device.empty());
  return Session(graph).run("y:0", {{"x:0", 5.0f}}).scalar<float>();
}

}  // namespace

TEST_CASE("The command cairn freeze writes one file that is enough to serve", "[tools][freeze]") {
  const ServedLine saved;
  const Finished plain = cairn_command(
      {"freeze", saved.prefix + ".meta", saved.prefix, "--output", "y", saved.path("m.pb")});
  CAPTURE(plain.err);
  REQUIRE(plain.status == 0);
  CHECK(contains(plain.out, "m.pb: "));
  CHECK(served(saved.path("m.pb")) == 11);
  const Finished text =
      cairn_command({"freeze", saved.prefix, saved.dir.path().string(), saved.path("serve/m.pbtxt"),
                     "--output", "y:0", "--strip", "--text", "--json"});
  CAPTURE(text.err, text.out);
  REQUIRE(text.status == 0);
  CHECK(contains(text.out, R"("nodes": 6, "of": )"));
  CHECK(contains(text.out, R"("outputs": ["y:0"]})"));
  CHECK(served(saved.path("serve/m.pbtxt")) == 11);
}

TEST_CASE("The command cairn freeze says what is wrong, with status 1", "[tools][freeze]") {
  const ServedLine saved;
  const Finished no_node =
      cairn_command({"freeze", saved.prefix, saved.prefix, "--output", "yy", saved.path("m.pb")});
  CHECK(no_node.status == 1);
  CHECK(contains(no_node.err, "there is no node 'yy' in the graph; did you mean y"));
  CHECK(!std::filesystem::exists(saved.path("m.pb")));
  const Finished no_values = cairn_command(
      {"freeze", saved.prefix, saved.path("gone"), "--output", "y", saved.path("m.pb")});
  CHECK(no_values.status == 1);
  CHECK(contains(no_values.err, "gone"));
}

TEST_CASE("The command cairn freeze wants an output, and shows an example of itself",
          "[tools][freeze]") {
  CHECK(cairn_command({"freeze", "a.meta", "a", "b.pb"}).status == 2);
  const Finished help = cairn_command({"freeze", "--help"});
  CHECK(help.status == 0);
  CHECK(contains(help.out, "Example:\n  cairn freeze "));
}
