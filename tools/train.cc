#include <algorithm>
#include <charconv>
#include <filesystem>
#include <iostream>
#include <limits>
#include <set>

#include "persist/checkpoint/checkpoint_state.h"
#include "persist/checkpoint/checkpoint_v1.h"
#include "persist/checkpoint/retention.h"
#include "persist/checkpoint/save_names.h"
#include "persist/extras/warm_start.h"
#include "persist/saver/saver.h"
#include "tools/batches.h"
#include "tools/command_files.h"
#include "tools/commands.h"
#include "tools/json.h"
#include "tools/values.h"

namespace cairn {
namespace {

// The collection in a saved .meta file with the number of rows and the number of rows used so far.
constexpr const char* kRowsKey = "cairn_rows";

struct TrainOptions {
  std::string meta, checkpoint, train_op, loss, dir;
  FeedArguments feeds;
  BatchOptions rows;
  std::vector<std::string> tags;
  int64_t steps = 0, save_every = 0;
  std::optional<int64_t> start_row;
  std::optional<uint64_t> seed;
  bool init_rest = false, json = false;
};

// Nodes that may be a whole training step: they run after updates of variables, and before no other
// node.
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
  const auto ops = graph.items(GraphKeys::kTrainOp).empty()
                       ? std::vector<Operation>()
                       : graph.collection<Operation>(GraphKeys::kTrainOp);
  if (ops.size() == 1) return ops[0];
  std::vector<std::string> candidates;
  for (const Operation& op : ops) candidates.push_back(op.name());
  if (ops.empty()) candidates = likely_train_ops(graph);
  throw UsageError(str_cat("the collection train_op holds ", ops.empty() ? "no op" : "several ops",
                           "; say which with --train-op", candidates.empty() ? "" : ": could be ",
                           join_for_people(candidates)));
}

// Numbers checkpoints: by the global step if the training increases one, else by the number in the
// name of the resumed checkpoint plus the steps since.
class StepCounter {
 public:
  StepCounter(Session& session, const std::string& prefix) : session_(session) {
    const Graph& graph = session.graph();
    for (const Variable& v : graph.variables()) {
      if (v.name() == "global_step" || v.name().ends_with("/global_step")) variable_ = v;
    }
    const size_t dash = prefix.find_last_of("-/");
    base_ = base_name(prefix);
    if (dash != std::string::npos && prefix[dash] == '-' && dash + 1 < prefix.size() &&
        prefix.size() - dash < 19 &&
        prefix.find_first_not_of("0123456789", dash + 1) == std::string::npos) {
      base_ = base_name(prefix.substr(0, dash));
      start_ = std::stoll(prefix.substr(dash + 1));
    }
    if (const auto counted = value()) {
      counts_ = true;
      counted_from_ = *counted;
    }
  }

  const std::string& base() const { return base_; }
  // The expected result of after(0); after(n) is greater by n if each step counts one.
  int64_t begin() const { return counts_ ? counted_from_ : start_; }
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
  bool counts_ = false;
};

// Prints a warning of a saver, without its advice for programs.
void print_warning(const std::string& text) {
  std::cerr << "cairn train: " << printable(text.substr(0, text.find("; recover_last_checkpoints")))
            << "\n";
}

// `number`: the number of a checkpoint that is saved after this step.
void print_step(int64_t step, int64_t number, const TrainOptions& o, const Tensor& loss) {
  if (loss.num_elements() != 1)
    fail(Code::kInvalidArgument, "--loss is a tensor of shape ", loss.shape(), ", not a scalar");
  const Tensor scalar = loss.reshaped({});
  if (o.json) {
    Json j;
    j.object().key("step").value(step).key("number").value(number).key("loss").value(scalar).end();
    std::cout << j.text() << std::endl;
  } else {
    std::cout << "step " << number << " (" << step << " of " << o.steps << ")  loss "
              << scalar.str() << std::endl;
  }
}

// True if running `op` changes a variable, or may: ops that this build does not have count as well.
bool changes_a_variable(const Operation& op) {
  std::vector<Operation> open = {op};
  std::set<int> seen;
  while (!open.empty()) {
    const Operation at = open.back();
    open.pop_back();
    if (!seen.insert(at.node().id).second) continue;
    const OpDef* def = at.node().op->def;
    if (!def || def->access == Access::kUpdate || def->access == Access::kAssign) return true;
    for (const Output& input : at.inputs()) open.push_back(input.op());
    for (const Operation& before : at.control_inputs()) open.push_back(before);
  }
  return false;
}

// The error with a hint at --init-rest, for variables without a value.
Error with_hint(const Error& e) {
  return Error(e.code(),
               str_cat(advised(e, "").what(),
                       "\n--init-rest initializes variables that the checkpoint lacks with the ",
                       "graph's initial values"),
               e.node());
}

// Sets the variables to their values. If the graph's saver does not save all variables that
// --init-rest initialized, it is replaced by a saver of all variables, as its checkpoints could not
// be resumed.
void restore(const TrainOptions& o, Saver& saver, Session& session) {
  const Restored restored = restore_what_is_there(saver, session, o.checkpoint);
  if (restored.lacking && !o.init_rest) throw with_hint(*restored.lacking);
  if (o.init_rest) {
    const std::vector<std::string> begun = initialize_rest(session);
    if (begun.empty()) return;
    std::cerr << "cairn train: not in the checkpoint, set to the graph's initial values: "
              << printable(join_for_people(begun)) << "\n";
    std::set<std::string> unsaved;
    for (const Variable& v : session.graph().variables()) unsaved.insert(v.name());
    for (const auto* items : {&restored.report.restored, &restored.report.missing}) {
      for (const auto& item : *items) unsaved.erase(std::string(item.variable));
    }
    if (std::any_of(begun.begin(), begun.end(),
                    [&](const std::string& name) { return unsaved.count(name) > 0; })) {
      std::cerr
          << "cairn train: the graph's saver does not save all of these; new checkpoints have "
             "all variables\n";
      const SaverDef& def = saver.as_saver_def();
      saver = Saver(session.graph(),
                    {.max_to_keep = def.max_to_keep,
                     .keep_checkpoint_every_n_hours = def.keep_checkpoint_every_n_hours,
                     .on_warning = print_warning});
    }
  }
}

// The number of rows that were used for the checkpoint; 0 if its training had another number of
// rows.
int64_t rows_taken_before(const TrainOptions& o, int64_t rows) {
  const std::string meta = meta_graph_path(checkpoint_prefix(o.checkpoint));
  if (!posix_file_system().exists(meta)) return 0;
  Graph graph;
  import_meta_graph_def(graph, meta);
  const auto& items = graph.items(kRowsKey);
  const auto number = [&](size_t i) {
    const int64_t* value = i < items.size() ? std::get_if<int64_t>(&items[i]) : nullptr;
    return value ? *value : int64_t{0};
  };
  return items.size() == 2 && number(0) == rows && number(1) > 0 ? number(1) : 0;
}

void begin_rows(const TrainOptions& o, Batches& batches) {
  if (batches.rows() == 0) return;
  if (o.start_row) {
    batches.start_at(*o.start_row);
  } else if (const int64_t taken = rows_taken_before(o, batches.rows()); taken > 0) {
    batches.start_at(taken);
    std::cerr << "cairn train: continues with row " << taken % batches.rows()
              << ", after those used for the "
              << "checkpoint; --start-row selects another\n";
  }
  if (const std::string about = batches.about(); !about.empty())
    std::cerr << "cairn train: " << printable(about) << "\n";
}

// Saves checkpoints into the directory. Earlier checkpoints there of `cairn train` or a Saver may
// be replaced, and are removed by max_to_keep; the resumed checkpoint is kept during this run, and
// files of other programs always.
class Saves {
 public:
  Saves(const TrainOptions& o, const std::string& meta, Saver& saver, Session& session)
      : o_(o),
        saver_(saver),
        session_(session),
        counter_(session, checkpoint_prefix(o.checkpoint)),
        sources_({meta}) {
    const std::string source = checkpoint_prefix(o.checkpoint);
    for (const std::string& name : files_of_prefix(posix_file_system(), source)) {
      sources_.push_back(join_path(directory_of(source), name));
    }
    check_state_place(posix_file_system(), o.dir, kCheckpointFileName);
    check_expected();
    protect_sources();
    command_files().let_replace();
    command_files().create_dirs(o.dir);
  }

  int64_t number_after(int64_t steps) { return counter_.after(steps); }

  void save(int64_t steps, const Batches& batches) {
    const int64_t number = number_after(steps);
    check_may_write(prefix_of(number));
    Graph& graph = session_.graph();
    graph.clear_collection(kRowsKey);
    if (batches.rows() > 0) {
      graph.add_to_collection(kRowsKey, batches.rows());
      graph.add_to_collection(kRowsKey, batches.taken());
    }
    const std::string saved =
        saver_.save(session_, join_path(o_.dir, counter_.base()), {.global_step = number});
    command_files().keep();
    if (!o_.json) std::cout << "saved " << saved << std::endl;
  }

 private:
  std::string prefix_of(int64_t number) const {
    return str_cat(join_path(o_.dir, counter_.base()), "-", number);
  }
  std::vector<std::string> names_there() const {
    FileSystem& fs = posix_file_system();
    return fs.exists(o_.dir) ? fs.list_dir(o_.dir) : std::vector<std::string>();
  }

  // Checks the expected checkpoints before the training begins, which may take hours.
  void check_expected() const {
    const std::string stem = counter_.base() + "-";
    std::set<int64_t> numbers;
    for (const std::string& name : names_there()) {
      int64_t number = -1;
      if (name.starts_with(stem))
        std::from_chars(name.data() + stem.size(), name.data() + name.size(), number);
      if (number <= counter_.begin()) continue;
      const uint64_t steps =
          static_cast<uint64_t>(number) - static_cast<uint64_t>(counter_.begin());
      const auto last = static_cast<uint64_t>(o_.steps),
                 every = static_cast<uint64_t>(o_.save_every);
      if (steps == last || (every > 0 && steps < last && steps % every == 0))
        numbers.insert(number);
    }
    for (const int64_t number : numbers) check_may_write(prefix_of(number));
  }

  void check_may_write(const std::string& prefix) const {
    FileSystem& fs = posix_file_system();
    const auto files = files_of_prefix(fs, prefix);
    for (const std::string& name : files) {
      if (!is_source(join_path(o_.dir, name))) continue;
      fail(Code::kAlreadyExists, prefix,
           " is the checkpoint that the training continues from, and is not overwritten; give ",
           "another --dir");
    }
    if (files.empty() || was_saved_here(prefix)) return;
    fail(Code::kAlreadyExists, prefix, ": files of this prefix exist (", join_for_people(files, 5),
         "), which ", join_path(o_.dir, kKeptFileName), " does not list as saved here; files of ",
         "other programs are not overwritten; give another --dir, or remove them first");
  }

  // True if the record in the directory lists the checkpoint, and no other program has replaced it.
  bool was_saved_here(const std::string& prefix) const {
    FileSystem& fs = posix_file_system();
    try {
      const auto state = read_retention_state(fs, o_.dir);
      if (!state) return false;
      return std::any_of(
          state->records.begin(), state->records.end(), [&](const KeptRecord& record) {
            return without_shard_ending(record.name) == base_name(prefix) && !record.foreign &&
                   record.written == written_at(join_path(o_.dir, record.name), fs);
          });
    } catch (const Error&) {  // the state cannot be read
      return false;
    }
  }

  // Compares files, not names, so that links are recognized.
  bool is_source(const std::string& path) const {
    return std::any_of(sources_.begin(), sources_.end(), [&](const std::string& source) {
      std::error_code none;
      return std::filesystem::equivalent(path, source, none);
    });
  }

  // Files of the resumed checkpoint in the directory are kept until the end of this run.
  void protect_sources() {
    const std::string directory = directory_of(prefix_of(0));
    std::vector<std::string> prefixes;
    for (const std::string& name : names_there()) {
      if (!is_source(join_path(directory, name))) continue;
      prefixes.push_back(join_path(directory, shard_pattern(name)));
      const std::string shardless = without_shard_ending(name);
      for (const std::string ending : {".index", ".meta", ".data"}) {
        if (!shardless.ends_with(ending)) continue;
        prefixes.push_back(
            join_path(directory, shardless.substr(0, shardless.size() - ending.size())));
      }
    }
    saver_.protect(prefixes);
  }

  const TrainOptions& o_;
  Saver& saver_;
  Session& session_;
  StepCounter counter_;
  std::vector<std::string> sources_;  // the files of the resumed checkpoint
};

// Options that select rows need a feed that is cut into batches.
void check_rows(const TrainOptions& o, const Batches& batches) {
  const char* option = o.rows.batch > 0 ? "--batch"
                       : o.rows.shuffle ? "--shuffle"
                       : o.start_row    ? "--start-row"
                                        : "";
  if (*option == '\0' || batches.rows() > 0) return;
  throw UsageError(str_cat(option,
                           " selects rows of the feeds, and no --feed has rows to cut into ",
                           "batches; give one, or leave out ", option));
}

int train(const TrainOptions& o) {
  Graph graph;
  const std::string meta = find_meta_graph(o.meta);
  Saver saver =
      import_meta_graph(graph, read_meta_graph(meta, o.tags), {}, {.on_warning = print_warning});
  if (!saver)
    fail(Code::kInvalidArgument, o.meta,
         ": the graph has no variables, so there is nothing to train");
  const Operation train_op = find_train_op(graph, o.train_op);
  if (!changes_a_variable(train_op)) {
    const auto candidates = likely_train_ops(graph);
    throw UsageError(str_cat(
        "'", train_op.name(), "' (", train_op.type(), ") changes no variable, so it trains nothing",
        candidates.empty() ? "" : "; --train-op could be ", join_for_people(candidates)));
  }
  const Output loss = find_tensor(graph, o.loss);
  Batches batches(read_files(graph, o.feeds), o.rows);
  check_rows(o, batches);
  const std::vector<Fed> values = read_values(graph, o.feeds);
  Session session(graph, {.seed = session_seed(o.seed), .file_system = &command_files()});
  restore(o, saver, session);
  initialize_tables(session);
  begin_rows(o, batches);
  Saves saves(o, meta, saver, session);

  std::vector<Target> fed;
  std::vector<Tensor> now(batches.feeds().size());
  for (const Fed& feed : batches.feeds()) fed.push_back(feed.tensor);
  for (const Fed& feed : values) {
    fed.push_back(feed.tensor);
    now.push_back(feed.value);
  }
  Call call = session.prepare({loss}, fed, {train_op});
  for (int64_t step = 1; step <= o.steps; ++step) {
    batches.next(now);
    try {
      const Tensor value = call(now)[0];
      print_step(step, saves.number_after(step), o, value);
    } catch (const Error& e) {
      if (e.code() == Code::kFailedPrecondition && !o.init_rest) throw with_hint(e);
      throw advised(e, "");
    }
    if (step == o.steps || (o.save_every > 0 && step % o.save_every == 0))
      saves.save(step, batches);
  }
  return kFine;
}

}  // namespace

Work make_train(CLI::App& app) {
  auto o = std::make_shared<TrainOptions>();
  app.add_option("META", o->meta, kMetaHelp)->required();
  add_tag_argument(app, o->tags);
  app.add_option("--checkpoint", o->checkpoint, "the checkpoint to continue from")->required();
  app.add_option("--train-op", o->train_op,
                 "the op to run in each step; by default the one in the collection train_op");
  app.add_option("--loss", o->loss,
                 "the scalar tensor to print in each step, computed in the same run")
      ->required();
  add_file_arguments(app, o->feeds);
  add_value_arguments(app, o->feeds);
  app.add_option("--batch", o->rows.batch,
                 "rows per step; wraps around at the end; without it all of them")
      ->check(whole_number(1, std::numeric_limits<int32_t>::max()));
  app.add_option(
         "--whole", o->rows.whole,
         "NAME of a --feed that is fed whole in each step, and not cut into batches; may be "
         "repeated. By default the feeds whose number of rows differs from that of most "
         "feeds")
      ->allow_extra_args(false);
  app.add_option("--start-row", o->start_row,
                 "the first row to use, counted from 0; by default the row after the last one that "
                 "`cairn train` used for the checkpoint, or row 0")
      ->check(whole_number(0, kMostSteps));
  app.add_option("--steps", o->steps, "the number of steps")
      ->required()
      ->check(whole_number(1, kMostSteps));
  app.add_option("--save-every", o->save_every,
                 "save each time after this number of steps; the last step is always saved")
      ->check(whole_number(1, kMostSteps));
  app.add_option("--dir", o->dir, "the directory for checkpoints, made if it does not exist")
      ->required();
  app.add_flag("--init-rest", o->init_rest,
               "initialize variables that the checkpoint lacks (slots of an optimizer) with the "
               "graph's initial values");
  app.add_option("--seed", o->seed, "the seed for random ops that have none")->check(any_seed());
  app.add_option("--shuffle", o->rows.shuffle, "shuffle the rows in each epoch, with this seed")
      ->check(any_seed());
  app.add_flag(
      "--json", o->json,
      R"(one line per step: {"step": 1, "number": 1001, "loss": 0.2416}; a checkpoint saved )"
      "after the step has that number");
  return [o] { return train(*o); };
}

}  // namespace cairn
