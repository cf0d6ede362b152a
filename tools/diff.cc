#include <algorithm>
#include <iostream>

#include "persist/checkpoint/checkpoint_state.h"
#include "persist/extras/checkpoint_diff.h"
#include "persist/extras/meta_graph_diff.h"
#include "persist/graph/saved_model.h"
#include "tools/commands.h"
#include "tools/json.h"

namespace cairn {
namespace {

struct DiffArguments {
  std::string a, b;
  double tolerance = 0;
  bool json = false;
};

void put_side(Json& j, const char* key, const std::optional<TensorDifference::Side>& side,
              bool compared) {
  if (!side) return;
  j.key(key).object().key("dtype").value(dtype_name(side->dtype)).key("shape").value(side->shape);
  if (compared) j.key("nan").value(side->nans);
  j.end();
}

void put(Json& j, const TensorDifference& d) {
  j.object().key("name").value(d.name);
  put_side(j, "a", d.a, d.has_numbers);
  put_side(j, "b", d.b, d.has_numbers);
  if (d.same_type()) j.key("elements").value(d.elements).key("differing").value(d.differing);
  if (d.has_numbers)
    j.key("max_absolute").value(d.max_absolute).key("max_relative").value(d.max_relative);
  j.end();
}

void put(Json& j, const MetaGraphDifference& d) {
  j.object().key("part").value(d.part).key("name").value(d.name).key("what").value(d.what);
  if (d.a) j.key("a").value(*d.a);
  if (d.b) j.key("b").value(*d.b);
  j.end();
}

template <class Difference>
int print(const std::string& a, const std::string& b, const std::vector<Difference>& differences,
          const std::string& alike, bool json) {
  if (json) {
    Json j;
    j.object().key("a").value(a).key("b").value(b).key("same").value(differences.empty());
    j.key("differences").array();
    for (const Difference& d : differences) put(j, d);
    std::cout << j.end().end().text() << "\n";
  } else {
    for (const Difference& d : differences) std::cout << d.str() << "\n";
    std::cout << "A " << a << "\nB " << b << "\n"
              << (differences.empty()       ? "no difference"
                  : differences.size() == 1 ? "1 difference"
                                            : str_cat(differences.size(), " differences"))
              << alike << "\n";
  }
  return differences.empty() ? kFine : kProblem;
}

int diff_graphs(const DiffArguments& o) {
  return print(o.a, o.b, diff_meta_graphs(MetaGraph::read(o.a), MetaGraph::read(o.b)), "", o.json);
}

bool is_saved_model(const std::string& path) {
  const auto info = posix_file_system().stat(path);
  return info && info->is_directory && !saved_model_graph_path(path).empty();
}

int diff_checkpoints(const DiffArguments& o) {
  const CheckpointReader a(o.a), b(o.b);
  for (const CheckpointReader* reader : {&a, &b}) reader->check_no_file_is_missing();
  const CheckpointDiff diff = diff_checkpoints(a, b, {.tolerance = o.tolerance});
  const std::string alike =
      str_cat(", ", diff.same, diff.same == 1 ? " tensor is" : " tensors are", " alike");
  return print(a.prefix(), b.prefix(), diff.differences, alike, o.json);
}

// Two SavedModels are compared by graph and values; a SavedModel and a file by what the file holds.
int diff_saved_models(const DiffArguments& o) {
  const bool both = is_saved_model(o.a) && is_saved_model(o.b);
  const bool graph = both || holds_graph(o.a) || holds_graph(o.b);
  const auto has_values = [](const std::string& path) {
    return checkpoint_exists(saved_model_variables_path(path));
  };
  const bool values = both ? has_values(o.a) || has_values(o.b) : !graph;
  if (o.json && graph && values) std::cout << R"({"graph": )";
  const int of_graphs = graph ? diff_graphs(o) : kFine;
  if (o.json && graph && values) std::cout << R"(, "values": )";
  const int of_values = values ? diff_checkpoints(o) : kFine;
  if (o.json && graph && values) std::cout << "}\n";
  return std::max(of_graphs, of_values);
}

int diff(const DiffArguments& o) {
  if (is_saved_model(o.a) || is_saved_model(o.b)) return diff_saved_models(o);
  const bool graphs = holds_graph(o.a);
  if (graphs != holds_graph(o.b)) {
    throw UsageError(str_cat(graphs ? o.a : o.b, " holds a graph and ", graphs ? o.b : o.a,
                             " is a checkpoint; give two of a kind"));
  }
  return graphs ? diff_graphs(o) : diff_checkpoints(o);
}

}  // namespace

Work make_diff(CLI::App& app) {
  auto o = std::make_shared<DiffArguments>();
  app.add_option("A", o->a,
                 "a checkpoint (prefix, .index, .data-..., directory), a .meta, .pb or .pbtxt "
                 "file, or a SavedModel's "
                 "directory")
      ->required();
  app.add_option("B", o->b, "another one of the same kind")->required();
  app.add_option("--tolerance", o->tolerance,
                 "numbers a and b are equal if |a - b| <= TOLERANCE * max(1, |a|, |b|); by default "
                 "they must be equal in every bit")
      ->check(at_least(0));
  app.add_flag("--json", o->json, "print one JSON object");
  return [o] { return diff(*o); };
}

}  // namespace cairn
