// Chooses the variables that a saver saves and restores, and their names in the checkpoint: all
// variables, a list, a map of names, renamed ones.
#include <cairn/cairn.h>

#include <filesystem>
#include <iostream>

using namespace cairn;

namespace {

void print(Session& session, const Variable& v) {
  std::cout << v.name() << " : "
            << (session.is_initialized(v) ? session.run(v).str() : "(no value)") << "\n";
}

// Saves a checkpoint of v1 (ones) and v2 (minus ones).
void save_both(const std::string& path) {
  Graph graph;
  variable(ones(graph, {3}), {.name = "v1"});
  variable(-ones(graph, {5}), {.name = "v2"});
  Saver saver(graph);
  Session session(graph);
  session.run(global_variables_initializer(graph));
  saver.save(session, path);
}

void restore_one_by_name(const std::string& path) {
  Graph graph;
  auto v1 = get_variable(graph, "v1", {3}, {.initializer = zeros_initializer()});
  auto v2 = get_variable(graph, "v2", {5}, {.initializer = zeros_initializer()});
  Saver saver(graph, {.var_list = {{"v2", v2}}});  // only v2, which the checkpoint has as "v2"
  Session session(graph);
  session.run(v1.initializer());  // not restored by the saver
  saver.restore(session, path);
  print(session, v1);
  print(session, v2);
}

void restore_a_list(const std::string& path) {
  Graph graph;
  auto v1 = get_variable(graph, "v1", {3});
  auto v2 = get_variable(graph, "v2", {5});
  Saver saver(graph, {.var_list = {v1}});
  Session session(graph);
  saver.restore(session, path);
  print(session, v1);
  print(session, v2);
  for (const auto& name : session.uninitialized_variables())
    std::cout << "not restored: " << name << "\n";
}

void restore_under_other_names(const std::string& path) {
  Graph graph;
  auto weight = get_variable(graph, "weight", {3});
  auto bias = get_variable(graph, "bias", {5});
  Saver saver(graph, {.var_list = {{"v1", weight}, {"v2", bias}}});
  Session session(graph);
  saver.restore(session, path);
  print(session, weight);
  print(session, bias);
}

void save_what_is_there_by_then(const std::string& path) {
  Graph graph;
  auto early = variable(ones(graph, {2}), {.name = "early"});
  Saver saver(graph);  // saves the variables made so far
  auto late = variable(ones(graph, {2}), {.name = "late"});
  Session session(graph);
  session.run(global_variables_initializer(graph));
  CheckpointReader reader(saver.save(session, path));
  for (const Variable& v : {early, late}) {
    std::cout << v.name() << (reader.has_tensor(v.name()) ? " is" : " is not")
              << " in the checkpoint\n";
  }
}

}  // namespace

int main(int argc, char** argv) try {
  const std::filesystem::path dir = argc > 1 ? argv[1] : ".";
  save_both(dir / "model.ckpt");
  restore_one_by_name(dir / "model.ckpt");
  restore_a_list(dir / "model.ckpt");
  restore_under_other_names(dir / "model.ckpt");
  save_what_is_there_by_then(dir / "early.ckpt");
} catch (const Error& error) {
  std::cerr << error.what() << "\n";
  return 1;
}
