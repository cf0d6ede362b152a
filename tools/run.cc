#include "tools/commands.h"

#include <algorithm>
#include <iostream>
#include <set>

#include "persist/checkpoint_state.h"
#include "persist/saver.h"
#include "tools/command_files.h"
#include "tools/feeds.h"
#include "tools/json.h"
#include "tools/npy.h"
#include "tools/values.h"

namespace cairn {
namespace {

struct RunOptions {
  std::string meta, checkpoint, output;
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

// "; --checkpoint run/model-1000" where META belongs to a checkpoint.
std::string checkpoint_to_give(const std::string& meta) {
  std::string prefix = "CKPT";
  try {
    if (const std::string own = checkpoint_prefix(meta); checkpoint_exists(own)) prefix = own;
  } catch (const Error&) {  // META is a graph alone
  }
  return str_cat(": --checkpoint ", prefix);
}

std::vector<Tensor> compute(const RunOptions& o, Session& session, const Saver& saver,
                            const std::vector<Target>& targets, const Feeds& feeds) {
  std::optional<Error> lacking;
  if (!o.checkpoint.empty()) lacking = restore_what_is_there(saver, session, o.checkpoint).lacking;
  initialize_tables(session);
  try {
    return session.run_all(targets, feeds);
  } catch (const Error& e) {
    if (e.code() != Code::kFailedPrecondition) throw;
    if (lacking) throw *lacking;
    if (saver && o.checkpoint.empty()) throw Error(e.code(), e.what() + checkpoint_to_give(o.meta), e.node());
    throw;
  }
}

// Where each fetch is written; "" for all where they are printed.
std::vector<std::string> files_for(const RunOptions& o, const std::vector<bool>& is_tensor) {
  std::vector<std::string> files(o.fetches.size());
  std::set<std::string> names;
  for (size_t i = 0; i < files.size(); ++i) {
    if (o.output.empty() || !is_tensor[i]) continue;
    const std::string name = npy_name(o.fetches[i]);
    if (!names.insert(name).second) throw UsageError(str_cat("two fetches would be written to ", name));
    files[i] = join_path(o.output, name);
    check_is_new_file(command_files(), files[i]);
  }
  return files;
}

void print(const RunOptions& o, const std::vector<Tensor>& results, const std::vector<std::string>& files) {
  Json j;
  j.object();
  for (size_t i = 0; i < results.size(); ++i) {
    const Tensor& value = results[i];
    const std::string &name = o.fetches[i], &file = files[i];
    if (!value.valid()) continue;  // an operation
    j.key(name).object().key("dtype").value(dtype_name(value.dtype())).key("shape").value(value.shape());
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

int run(const RunOptions& o) {
  Graph graph;
  const Saver saver = import_meta_graph(graph, find_meta_graph(o.meta));
  Session session(graph, {.seed = session_seed(o.seed)});
  Feeds feeds;
  for (const auto& fed : {read_files(graph, o.feeds), read_values(graph, o.feeds)}) {
    for (const Fed& feed : fed) feeds.push_back({feed.tensor, feed.value});
  }
  std::vector<Target> targets;
  std::vector<bool> is_tensor;
  for (const std::string& name : o.fetches) {
    const bool is_op = name.find(':') == std::string::npos && graph.find_op(name).num_outputs() == 0;
    is_op ? targets.emplace_back(graph.find_op(name)) : targets.emplace_back(find_tensor(graph, name));
    is_tensor.push_back(!is_op);
  }
  const std::vector<std::string> files = files_for(o, is_tensor);
  const std::vector<Tensor> results = compute(o, session, saver, targets, feeds);
  CommandFiles& fs = command_files();
  if (!o.output.empty()) fs.create_dirs(o.output);
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
  app.add_option("META", o->meta, "a .meta file, SavedModel or GraphDef, or a checkpoint that has one")->required();
  app.add_option("--checkpoint", o->checkpoint, "the checkpoint that gives the variables their values");
  add_file_arguments(app, o->feeds);
  add_value_arguments(app, o->feeds);
  app.add_option("--fetch", o->fetches, "NAME of a tensor to compute, or of an op to run; may be repeated")
      ->required()
      ->allow_extra_args(false);
  app.add_option("--seed", o->seed, "what random ops without a seed of their own take theirs from");
  app.add_option("--output", o->output, "the directory to write the tensors to as .npy files, in place of printing");
  app.add_flag("--json", o->json, "one JSON object");
  return [o] { return run(*o); };
}

}  // namespace cairn
