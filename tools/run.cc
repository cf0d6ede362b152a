#include "tools/commands.h"

#include <algorithm>
#include <iostream>
#include <set>

#include "persist/checkpoint/checkpoint_state.h"
#include "persist/graph/saved_model.h"
#include "persist/saver/saver.h"
#include "tools/command_files.h"
#include "tools/feeds.h"
#include "tools/json.h"
#include "tools/npy.h"
#include "tools/signature.h"
#include "tools/values.h"

namespace cairn {
namespace {

struct RunOptions {
  std::string meta, checkpoint, output, signature;
  std::vector<std::string> tags;
  FeedArguments feeds;
  std::vector<std::string> fetches;
  std::optional<uint64_t> seed;
  bool json = false;
};

// "layer/loss:0" -> "layer_loss.npy", "split:1" -> "split_1.npy".
std::string npy_name(const std::string& fetch) {
  std::string name = fetch.ends_with(":0") ? fetch.substr(0, fetch.size() - 2) : fetch;
  std::replace_if(
      name.begin(), name.end(), [](char c) { return c == '/' || c == ':'; }, '_');
  return name + ".npy";
}

// Advice for a message: "; give --checkpoint run/model-1000", or PREFIX if META has no checkpoint.
std::string checkpoint_to_give(const std::string& meta) {
  std::string prefix = "PREFIX";
  try {
    if (const std::string own = checkpoint_prefix(meta); checkpoint_exists(own)) prefix = own;
  } catch (const Error&) {  // META has no checkpoint
  }
  return str_cat("; give --checkpoint ", prefix);
}

std::vector<Tensor> compute(const RunOptions& o, Session& session, const Saver& saver,
                            const std::vector<Target>& targets, const Feeds& feeds,
                            const MetaGraph& meta, const std::string& saved_model) {
  std::optional<Error> lacking;
  if (!o.checkpoint.empty()) lacking = restore_what_is_there(saver, session, o.checkpoint).lacking;
  initialize_tables(session);
  if (!saved_model.empty()) run_saved_model_init(session, meta, saved_model);
  try {
    return session.run_all(targets, feeds);
  } catch (const Error& e) {
    if (e.code() != Code::kFailedPrecondition) throw;
    if (lacking) throw *lacking;
    throw advised(e, !saver ? "; the graph has no saver, so no checkpoint can be given for it"
                     : o.checkpoint.empty() ? checkpoint_to_give(o.meta)
                                            : "; the graph's saver restores no value for it");
  }
}

// The file of each fetch; "" if it is printed.
std::vector<std::string> files_for(const RunOptions& o, const std::vector<bool>& is_tensor) {
  std::vector<std::string> files(o.fetches.size());
  std::set<std::string> names;
  for (size_t i = 0; i < files.size(); ++i) {
    if (o.output.empty() || !is_tensor[i]) continue;
    const std::string name = npy_name(o.fetches[i]);
    if (!names.insert(name).second)
      throw UsageError(str_cat("two fetches would be written to ", name));
    files[i] = join_path(o.output, name);
    check_is_new_file(command_files(), files[i]);
  }
  return files;
}

void print(const RunOptions& o, const std::vector<Tensor>& results,
           const std::vector<std::string>& files) {
  Json j;
  j.object();
  for (size_t i = 0; i < results.size(); ++i) {
    const Tensor& value = results[i];
    const std::string &name = o.fetches[i], &file = files[i];
    if (!value.valid()) continue;  // an operation
    j.key(name)
        .object()
        .key("dtype")
        .value(dtype_name(value.dtype()))
        .key("shape")
        .value(value.shape());
    if (o.json) file.empty() ? j.key("value").value(value) : j.key("file").value(file);
    j.end();
    if (o.json) continue;
    std::cout << name << "  " << dtype_name(value.dtype()) << "  " << value.shape() << "  ";
    if (file.empty()) {
      std::cout << (value.rank() > 1 ? "\n" : "") << value << "\n";
    } else {
      std::cout << file << "\n";
    }
  }
  if (o.json) std::cout << j.end().text() << "\n";
}

// The directory of the SavedModel with the graph `file`; "" if it is another file.
std::string saved_model_of(const std::string& file) {
  const std::string directory = directory_of(file);
  return saved_model_graph_path(directory) == file ? directory : "";
}

// The names without duplicates: each value is printed once.
std::vector<std::string> without_repeats(const std::vector<std::string>& names) {
  std::vector<std::string> once;
  for (const std::string& name : names) {
    if (std::find(once.begin(), once.end(), name) == once.end()) once.push_back(name);
  }
  return once;
}

int run(const RunOptions& given) {
  if (given.fetches.empty() && given.signature.empty())
    throw UsageError("give --fetch NAME, or --signature NAME");
  RunOptions o = given;
  o.fetches = without_repeats(given.fetches);
  const std::string file = find_meta_graph(given.meta), saved_model = saved_model_of(file);
  const MetaGraph meta = read_meta_graph(file, given.tags);
  Graph graph;
  const Saver saver = import_meta_graph(graph, meta);
  Session session(graph, {.seed = session_seed(given.seed)});
  const RunNames names = names_of_run(meta, graph, given.signature, given.feeds, o.fetches);
  o.feeds = names.feeds;
  o.fetches = names.labels;
  const std::string variables = saved_model_variables_path(saved_model);
  if (o.checkpoint.empty() && !saved_model.empty() && saver && checkpoint_exists(variables))
    o.checkpoint = variables;
  Feeds feeds;
  for (const auto& fed : {read_files(graph, o.feeds), read_values(graph, o.feeds)}) {
    for (const Fed& feed : fed) feeds.push_back({feed.tensor, feed.value});
  }
  std::vector<Target> targets;
  std::vector<bool> is_tensor;
  for (const std::string& name : names.fetches) {
    const bool is_op =
        name.find(':') == std::string::npos && graph.find_op(name).num_outputs() == 0;
    is_op ? targets.emplace_back(graph.find_op(name))
          : targets.emplace_back(find_tensor(graph, name));
    is_tensor.push_back(!is_op);
  }
  const std::vector<std::string> files = files_for(o, is_tensor);
  const std::vector<Tensor> results = compute(o, session, saver, targets, feeds, meta, saved_model);
  CommandFiles& fs = command_files();
  if (!o.output.empty()) make_directory_for_files(fs, o.output);
  for (size_t i = 0; i < files.size(); ++i) {
    if (!files[i].empty() && results[i].valid()) write_npy(fs, files[i], results[i]);
  }
  fs.keep();
  print(o, results, files);
  return kFine;
}

}  // namespace

Work make_run(CLI::App& app) {
  auto o = std::make_shared<RunOptions>();
  app.add_option("META", o->meta, kMetaHelp)->required();
  add_tag_argument(app, o->tags);
  app.add_option(
      "--checkpoint", o->checkpoint,
      "the checkpoint with the values of the variables; by default that of the SavedModel");
  app.add_option("--signature", o->signature,
                 "for a SavedModel: --feed, --set and --fetch use the names of this signature "
                 "(cairn meta lists them); by default all its outputs are fetched");
  add_file_arguments(app, o->feeds);
  add_value_arguments(app, o->feeds);
  app.add_option("--fetch", o->fetches,
                 "NAME of a tensor to compute, or of an op to run; may be repeated")
      ->allow_extra_args(false);
  app.add_option("--seed", o->seed, "the seed for random ops that have none")->check(any_seed());
  app.add_option(
      "--output", o->output,
      "write the tensors to .npy files in this directory instead of printing them, which "
      "shows only the first and last of more than 1000 elements");
  app.add_flag("--json", o->json, "print one JSON object");
  return [o] { return run(*o); };
}

}  // namespace cairn
