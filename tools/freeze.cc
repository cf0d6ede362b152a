#include <algorithm>
#include <iostream>

#include "persist/extras/freeze.h"
#include "persist/saver/saver.h"
#include "tools/command_files.h"
#include "tools/commands.h"
#include "tools/feeds.h"
#include "tools/json.h"
#include "tools/values.h"

namespace cairn {
namespace {

struct FreezeArguments {
  std::string meta, checkpoint, destination;
  std::vector<std::string> outputs, variables, tags;
  FeedArguments constants;
  bool keep_devices = false, strip = false, text = false, json = false;
};

// Throws NotFound for names without a variable, which would be ignored otherwise.
void check_variables(const Graph& graph, const std::vector<std::string>& names) {
  std::vector<std::string> there, unknown;
  for (const Operation& op : graph.operations()) {
    const std::string& type = op.type();
    if (type == "Variable" || type == "VariableV2" || type == "VarHandleOp")
      there.push_back(op.name());
  }
  for (const std::string& name : names) {
    if (std::find(there.begin(), there.end(), name) != there.end()) continue;
    unknown.push_back(str_cat("--keep-variable: there is no variable '", printable(name),
                              "' in the graph", names_instead_of(name, there)));
  }
  if (!unknown.empty()) fail(Code::kNotFound, join_lines(unknown));
}

int freeze(const FreezeArguments& o) {
  CommandFiles& fs = command_files();
  check_is_new_file(fs, o.destination);
  Graph graph;
  const Saver saver = import_meta_graph(graph, read_meta_graph(find_meta_graph(o.meta), o.tags),
                                        {.clear_devices = !o.keep_devices});
  if (!saver)
    fail(Code::kInvalidArgument, o.meta,
         ": the graph has no variables, so there is nothing to freeze");
  check_variables(graph, o.variables);
  Session session(graph);
  const auto lacking = restore_what_is_there(saver, session, o.checkpoint).lacking;
  const NodeNames outputs(o.outputs.begin(), o.outputs.end());
  FreezeOptions options = {.variable_names_blacklist = o.variables};
  for (const Fed& fixed : read_values(graph, o.constants))
    options.constants.emplace(fixed.tensor.name(), fixed.value);
  MetaGraph frozen = [&] {
    try {
      return convert_variables_to_constants(session, outputs, options);
    } catch (const Error& e) {
      if (lacking && e.code() == Code::kFailedPrecondition) throw *lacking;
      throw;
    }
  }();
  if (o.strip) frozen = remove_training_nodes(frozen, outputs);
  make_directory_for_files(fs, directory_of(o.destination));
  write_graph(frozen, o.destination, {.as_text = o.text, .file_system = &fs});
  fs.keep();
  const auto bytes = static_cast<int64_t>(fs.stat(o.destination)->size);
  if (o.json) {
    Json j;
    j.object()
        .key("file")
        .value(o.destination)
        .key("nodes")
        .value(frozen.num_nodes())
        .key("of")
        .value(graph.num_nodes());
    std::cout << j.key("bytes").value(bytes).key("outputs").value(o.outputs).end().text() << "\n";
  } else {
    std::cout << o.destination << ": " << frozen.num_nodes() << " of " << graph.num_nodes()
              << " nodes, " << bytes << " bytes\n";
  }
  return kFine;
}

}  // namespace

Work make_freeze(CLI::App& app) {
  auto o = std::make_shared<FreezeArguments>();
  app.add_option("META", o->meta, kMetaHelp)->required();
  add_tag_argument(app, o->tags);
  app.add_option("CKPT", o->checkpoint, "the checkpoint with the values of the variables")
      ->required();
  app.add_option("DST", o->destination, "the .pb file to write")->required();
  app.add_option("--output", o->outputs, "NAME of a node to compute; may be repeated")
      ->required()
      ->allow_extra_args(false);
  add_value_arguments(app, o->constants);
  app.add_option("--keep-variable", o->variables,
                 "NAME of a variable that is not made a constant; may be repeated")
      ->allow_extra_args(false);
  app.add_flag("--strip", o->strip,
               "remove nodes that are used in training only (CheckNumerics, Identity)");
  app.add_flag("--keep-devices", o->keep_devices, "keep the devices of the nodes");
  app.add_flag("--text", o->text, "write protobuf text (.pbtxt) instead of bytes");
  app.add_flag("--json", o->json, "print one JSON object about the written file");
  return [o] { return freeze(*o); };
}

}  // namespace cairn
