#include "tools/commands.h"

#include <algorithm>
#include <iostream>
#include <limits>
#include <set>

#include "persist/checkpoint_state.h"
#include "persist/saver.h"
#include "tools/feeds.h"
#include "tools/json.h"
#include "tools/npy.h"

namespace cairn {
namespace {

struct RunOptions {
  std::string meta, checkpoint, output;
  FeedArguments feeds;
  std::vector<std::string> fetches;
  bool json = false;
};

struct TrainOptions {
  std::string meta, checkpoint, train_op, loss, dir;
  FeedArguments feeds;
  int64_t batch = 0, steps = 0, save_every = 0;
  std::optional<uint64_t> shuffle;
  bool json = false;
};

// "layer/loss:0" -> "layer_loss.npy", "split:1" -> "split_1.npy".
std::string npy_name(const std::string& fetch) {
  std::string name = fetch.ends_with(":0") ? fetch.substr(0, fetch.size() - 2) : fetch;
  std::replace_if(
      name.begin(), name.end(), [](char c) { return c == '/' || c == ':'; }, '_');
  return name + ".npy";
}

// Lookup tables are no part of a checkpoint. Those that this build cannot fill are left: whatever needs one says so.
void initialize_tables(Session& session) {
  const Graph& graph = session.graph();
  if (graph.items(GraphKeys::kTableInitializers).empty()) return;
  for (const Operation& initializer : graph.collection<Operation>(GraphKeys::kTableInitializers)) {
    try {
      session.run(initializer);
    } catch (const Error& e) {
      if (e.code() != Code::kUnimplemented) throw;
    }
  }
}

int run(const RunOptions& o) {
  Graph graph;
  const Saver saver = import_meta_graph(graph, find_meta_graph(o.meta));
  Session session(graph);
  if (!o.checkpoint.empty()) {
    if (!saver) fail(Code::kInvalidArgument, o.meta, ": the graph has no variables; run it without --checkpoint");
    saver.restore(session, o.checkpoint);
  }
  initialize_tables(session);
  Feeds feeds = read_files(graph, o.feeds);
  for (Feed& feed : read_values(graph, o.feeds)) feeds.push_back(std::move(feed));
  std::vector<Target> targets;
  std::set<std::string> files;
  for (const std::string& name : o.fetches) {
    const bool is_op = name.find(':') == std::string::npos && graph.find_op(name).num_outputs() == 0;
    is_op ? targets.emplace_back(graph.find_op(name)) : targets.emplace_back(find_tensor(graph, name));
    if (!o.output.empty() && !files.insert(npy_name(name)).second) {
      throw UsageError(str_cat("two fetches would be written to ", npy_name(name)));
    }
  }
  const std::vector<Tensor> results = session.run_all(targets, feeds);
  FileSystem& fs = posix_file_system();
  if (!o.output.empty()) fs.create_dirs(o.output);
  Json j;
  j.object();
  for (size_t i = 0; i < results.size(); ++i) {
    const Tensor& value = results[i];
    const std::string& name = o.fetches[i];
    if (!value.valid()) continue;  // an operation
    const std::string file = o.output.empty() ? "" : join_path(o.output, npy_name(name));
    if (!file.empty()) write_npy(fs, file, value);
    j.key(name).object().key("dtype").value(dtype_name(value.dtype())).key("shape").value(value.shape());
    file.empty() ? j.key("value").value(value) : j.key("file").value(file);
    j.end();
    if (o.json) continue;
    std::cout << name << "  " << dtype_name(value.dtype()) << "  " << value.shape() << "  ";
    if (file.empty()) {
      std::cout << (value.rank() > 1 ? "\n" : "") << value.str(std::numeric_limits<int64_t>::max()) << "\n";
    } else {
      std::cout << file << "\n";
    }
  }
  if (o.json) std::cout << j.end().text() << "\n";
  return kFine;
}

// Nodes that stand for a whole training step: what waits for variables to be updated, and nothing waits for.
std::vector<std::string> likely_train_ops(const Graph& graph) {
  std::set<std::string> updating, waited_for;
  for (const Operation& op : graph.operations()) {
    bool updates = op.type().find("Apply") != std::string::npos;
    std::vector<Operation> needed = op.control_inputs();
    for (const Output& input : op.inputs()) needed.push_back(input.op());
    for (const Operation& before : needed) {
      if (!updating.count(before.name())) continue;
      updates = true;
      waited_for.insert(before.name());
    }
    if (updates) updating.insert(op.name());
  }
  std::vector<std::string> names;
  std::set_difference(updating.begin(), updating.end(), waited_for.begin(), waited_for.end(),
                      std::back_inserter(names));
  return names;
}

Operation find_train_op(const Graph& graph, const std::string& name) {
  if (!name.empty()) return graph.find_op(name.substr(0, name.find(':')));
  const auto ops = graph.items(GraphKeys::kTrainOp).empty() ? std::vector<Operation>()
                                                            : graph.collection<Operation>(GraphKeys::kTrainOp);
  if (ops.size() == 1) return ops[0];
  std::vector<std::string> candidates;
  for (const Operation& op : ops) candidates.push_back(op.name());
  if (ops.empty()) candidates = likely_train_ops(graph);
  throw UsageError(str_cat("the collection train_op holds ", ops.empty() ? "no op" : "several ops",
                           "; say which with --train-op", candidates.empty() ? "" : ": could be ",
                           join_for_people(candidates)));
}

// Numbers of checkpoints: the global step where the training counts one, else the number in the name of the checkpoint
// that was resumed and the steps since.
class StepCounter {
 public:
  StepCounter(Session& session, const std::string& prefix) : session_(session) {
    const Graph& graph = session.graph();
    for (const Variable& v : graph.variables()) {
      if (v.name() == "global_step" || v.name().ends_with("/global_step")) variable_ = v;
    }
    const size_t dash = prefix.find_last_of("-/");
    base_ = base_name(prefix);
    if (dash != std::string::npos && prefix[dash] == '-' && dash + 1 < prefix.size() && prefix.size() - dash < 19 &&
        prefix.find_first_not_of("0123456789", dash + 1) == std::string::npos) {
      base_ = base_name(prefix.substr(0, dash));
      start_ = std::stoll(prefix.substr(dash + 1));
    }
    if (const auto counted = value()) counted_from_ = *counted;
  }

  const std::string& base() const { return base_; }
  int64_t after(int64_t steps) {
    const auto counted = value();
    return counted && *counted > counted_from_ ? *counted : start_ + steps;
  }

 private:
  std::optional<int64_t> value() {
    if (!variable_ || !session_.is_initialized(variable_)) return std::nullopt;
    const Tensor value = session_.value(variable_);
    if (value.num_elements() != 1 || !is_integer(value.dtype())) return std::nullopt;
    return value.to_int64s()[0];
  }

  Session& session_;
  Variable variable_;
  std::string base_;
  int64_t start_ = 0, counted_from_ = 0;
};

// The rows that the files have: the same number each.
int64_t count_rows(const Feeds& files, const FeedArguments& args) {
  if (files.empty()) return 0;
  for (size_t i = 0; i < files.size(); ++i) {
    const Tensor &first = files[0].value, &value = files[i].value;
    if (value.rank() == 0 || value.dim(0) == 0) fail(Code::kInvalidArgument, args.files[i], " has no rows");
    if (value.dim(0) != first.dim(0)) {
      fail(Code::kInvalidArgument, args.files[i], " has ", value.dim(0), " rows, ", args.files[0], " ", first.dim(0));
    }
  }
  return files[0].value.tensor().dim(0);
}

void print_step(int64_t step, const Tensor& loss, bool json) {
  if (loss.num_elements() != 1)
    fail(Code::kInvalidArgument, "--loss is a tensor of shape ", loss.shape(), ", no scalar");
  const Tensor scalar = loss.reshaped({});
  if (json) {
    Json j;
    std::cout << j.object().key("step").value(step).key("loss").value(scalar).end().text() << std::endl;
  } else {
    std::cout << "step " << step << "  loss " << scalar.str() << std::endl;
  }
}

int train(const TrainOptions& o) {
  Graph graph;
  Saver saver = import_meta_graph(graph, find_meta_graph(o.meta));
  if (!saver) fail(Code::kInvalidArgument, o.meta, ": the graph has no variables, so there is nothing to train");
  const Operation train_op = find_train_op(graph, o.train_op);
  const Output loss = find_tensor(graph, o.loss);
  const Feeds files = read_files(graph, o.feeds), values = read_values(graph, o.feeds);
  const int64_t rows = count_rows(files, o.feeds), batch = o.batch > 0 ? o.batch : rows;
  Session session(graph);
  saver.restore(session, o.checkpoint);
  initialize_tables(session);
  StepCounter counter(session, checkpoint_prefix(o.checkpoint));
  posix_file_system().create_dirs(o.dir);

  std::vector<Target> fed;
  std::vector<Tensor> now(files.size());
  for (const Feed& feed : files) fed.push_back(feed.target);
  for (const Feed& feed : values) {
    fed.push_back(feed.target);
    now.push_back(feed.value);
  }
  Call call = session.prepare({loss}, fed, {train_op});
  RowOrder order(rows, o.shuffle);
  for (int64_t step = 1; step <= o.steps; ++step) {
    if (rows > 0) {
      const auto chosen = order.next(batch);
      for (size_t i = 0; i < files.size(); ++i) now[i] = take_rows(files[i].value, chosen);
    }
    print_step(step, call(now)[0], o.json);
    if (step != o.steps && (o.save_every == 0 || step % o.save_every != 0)) continue;
    const std::string saved =
        saver.save(session, join_path(o.dir, counter.base()), {.global_step = counter.after(step)});
    if (!o.json) std::cout << "saved " << saved << std::endl;
  }
  return kFine;
}

}  // namespace

Work make_run(CLI::App& app) {
  auto o = std::make_shared<RunOptions>();
  app.add_option("META", o->meta, "a .meta file, SavedModel or GraphDef, or a checkpoint that has one")->required();
  app.add_option("--checkpoint", o->checkpoint, "the checkpoint that gives the variables their values");
  add_feed_arguments(app, o->feeds);
  app.add_option("--fetch", o->fetches, "NAME of a tensor to compute, or of an op to run; may be repeated")
      ->required()
      ->allow_extra_args(false);
  app.add_option("--output", o->output, "the directory to write the tensors to as .npy files, in place of printing");
  app.add_flag("--json", o->json, "one JSON object");
  return [o] { return run(*o); };
}

Work make_train(CLI::App& app) {
  auto o = std::make_shared<TrainOptions>();
  app.add_option("META", o->meta, "a .meta file, or a checkpoint that has one")->required();
  app.add_option("--checkpoint", o->checkpoint, "the checkpoint to go on from")->required();
  app.add_option("--train-op", o->train_op, "the op that is one step; without it the one in the collection train_op");
  app.add_option("--loss", o->loss, "the tensor to print, computed in the same run")->required();
  add_feed_arguments(app, o->feeds);
  app.add_option("--batch", o->batch, "rows in a step, from the last on to the first; without it all of them")
      ->check(at_least(1));
  app.add_option("--steps", o->steps, "how many steps")->required()->check(at_least(1));
  app.add_option("--save-every", o->save_every, "save after so many steps; after the last one in any case")
      ->check(at_least(1));
  app.add_option("--dir", o->dir, "the directory to save checkpoints in, made if need be")->required();
  app.add_option("--shuffle", o->shuffle, "take the rows in another order in each epoch, from this SEED");
  app.add_flag("--json", o->json, R"(a line for each step: {"step": 1, "loss": 0.2416})");
  return [o] { return train(*o); };
}

}  // namespace cairn
