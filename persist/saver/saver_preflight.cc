#include <algorithm>
#include <charconv>
#include <cstdio>
#include <unordered_set>

#include "persist/checkpoint/bundle.h"
#include "persist/checkpoint/retention.h"
#include "persist/checkpoint/save_names.h"
#include "persist/files/own_names.h"
#include "persist/saver/background_save.h"
#include "persist/saver/save_restore.h"
#include "persist/saver/saver.h"

namespace cairn {
namespace {

// The tensors that are written by the nodes behind `save`.
std::vector<Endpoint> saved_tensors(const Node& save) {
  std::vector<Endpoint> tensors;
  std::vector<const Node*> open = {&save};
  std::unordered_set<const Node*> seen = {&save};
  while (!open.empty()) {
    const Node* node = open.back();
    open.pop_back();
    const std::string_view op = node->op->name;
    const size_t first = op == "SaveV2" || op == "SaveSlices" ? 3
                         : op == "Save"                       ? 2
                                                              : node->inputs.size();
    for (size_t i = first; i < node->inputs.size(); ++i) tensors.push_back(node->inputs[i]);
    const auto visit = [&](const Node* from) {
      if (seen.insert(from).second) open.push_back(from);
    };
    for (size_t i = 0; i < first && i < node->inputs.size(); ++i) visit(node->inputs[i].node);
    for (const Node* control : node->control_inputs) visit(control);
  }
  return tensors;
}

// Formats two sizes in the same unit, for comparison in a message.
std::pair<std::string, std::string> in_one_unit(uint64_t a, uint64_t b) {
  const bool large = std::max(a, b) >= 10'000'000;
  const auto text = [&](uint64_t bytes) {
    if (!large) return str_cat(bytes, " bytes");
    char digits[32];
    const auto end = std::to_chars(digits, digits + sizeof digits, static_cast<double>(bytes) / 1e6,
                                   std::chars_format::fixed, bytes < 1'000'000 ? 3 : 1);
    return str_cat(std::string_view(digits, static_cast<size_t>(end.ptr - digits)), " MB");
  };
  return {text(a), text(b)};
}

class Problems {
 public:
  // The first problem determines the error's code.
  void add(Code code, const std::string& what) {
    if (texts_.empty()) code_ = code;
    texts_.push_back(what);
  }
  template <class F>
  void collect(F&& f) {
    try {
      f();
    } catch (const Error& e) {
      add(e.code(), e.what());
    }
  }
  void throw_if_any(const std::string& path) const {
    if (texts_.empty()) return;
    std::string all = str_cat("saving to '", path, "' would fail:");
    for (const std::string& text : texts_) all += "\n  " + text;
    throw Error(code_, all);
  }

 private:
  Code code_ = Code::kUnknown;
  std::vector<std::string> texts_;
};

// Performs the operations of a save on a small file.
void try_out(FileSystem& fs, const std::string& directory, std::vector<std::string>& warnings) {
  constexpr size_t kDigits = 8;
  const std::string first = join_path(directory, ".t-" + random_digits(kDigits)),
                    second = join_path(directory, ".t-" + random_digits(kDigits));
  const auto remove = [&](const std::string& path) {
    if (fs.exists(path)) fs.remove(path);
  };
  try {
    write_file(fs, first, "Cairn tries out whether files can be written here.\n");
    try {
      fs.link(first, second);
      fs.remove(first);
    } catch (const Error& e) {
      warnings.push_back(
          str_cat("saving over a checkpoint of the same name will not be safe, since files cannot "
                  "be linked ",
                  "here: ", e.what()));
      fs.rename(first, second);
    }
    fs.rename(second, first);
    fs.remove(first);
    fs.sync_dir(directory);
  } catch (...) {
    try {
      remove(first);
      remove(second);
    } catch (const Error&) {  // the original error matters more
    }
    throw;
  }
}

void try_out_directory(FileSystem& fs, const std::string& directory,
                       std::vector<std::string>& warnings) {
  if (const auto there = fs.stat(directory)) {
    if (!there->is_directory)
      fail(Code::kFailedPrecondition, directory, ": it is a file, not a directory");
    fs.lock_dir(directory);  // throws if another writer holds it
    return try_out(fs, directory, warnings);
  }
  const auto above = fs.stat(directory_of(directory));
  if (!above || !above->is_directory)
    fail(Code::kNotFound, directory_of(directory),
         ": there is no such directory; save() makes only the last one");
  const NewDirectories made(fs, directory, NewDirectories::kLast);
  try_out(fs, directory, warnings);
}

}  // namespace

uint64_t Saver::size_of_values(std::vector<std::string>& warnings) const {
  if (saves_nothing()) return 0;
  uint64_t bytes = 0;
  std::vector<std::string> unknown;
  for (const Endpoint& e : saved_tensors(graph().find(def_.save_tensor_name).node())) {
    const Shape& shape = e.node->output_shapes[static_cast<size_t>(e.index)];
    const DType dtype = base_dtype(e.node->output_dtypes[static_cast<size_t>(e.index)]);
    if (shape.is_fully_defined() && dtype != DType::kString) {
      bytes += static_cast<uint64_t>(shape.num_elements()) * dtype_size(dtype) +
               e.node->name.size() + 48;
    } else {
      unknown.push_back("'" + e.node->name + "'");
    }
  }
  if (!unknown.empty())
    warnings.push_back(str_cat("the sizes of these are not known yet: ", join_for_people(unknown)));
  return bytes;
}

// The length of the longest name that a save creates in the directory.
size_t Saver::longest_name(const std::string& path, const SaveOptions& options) const {
  const size_t step = options.global_step.given() ? std::string("-9999999999").size() : 0;
  const bool v1 = def_.version != CheckpointFormat::kV2;
  const std::string ending = def_.sharded
                                 ? (v1 ? "-00000-of-00002" : "_temp_" + std::string(32, 'f'))
                                 : (v1 ? "" : ".data-00000-of-00001");
  return base_name(path).size() + step +
         std::max(ending.size(), options.meta_graph_suffix.size() + 1);
}

Preflight Saver::preflight(Session& session, const std::string& path, const SaveOptions& options) {
  FileSystem& fs = files_of(session);
  Preflight result;
  Problems problems;
  std::unique_lock<std::recursive_mutex> turn;
  if (background_) {
    turn = std::unique_lock(background_->turn);
    background_->settle();
  }
  problems.collect([&] { check_save_names(options, def_, path, options.global_step.given()); });
  const std::string directory = directory_of(path);
  const std::string existing = fs.exists(directory) ? directory : directory_of(directory);
  problems.collect([&] { try_out_directory(fs, directory, result.warnings); });
  if (!fs.exists(existing)) problems.throw_if_any(path);
  problems.collect([&] {
    const size_t longest = longest_name(path, options), most = fs.name_max(existing);
    if (longest > most) {
      fail(Code::kInvalidArgument, "file names would have up to ", longest, " bytes, but ",
           existing, " takes ", most, "; shorten '", base_name(path), "' by ", longest - most);
    }
  });
  problems.collect([&] {
    // an allowance for the index, .cairn and the checkpoint file, in disk blocks
    constexpr uint64_t kTables = 16384;
    result.checkpoint_bytes = size_of_values(result.warnings) + kTables;
    if (options.write_meta_graph)
      result.checkpoint_bytes += meta_graph_bytes(options.strip_default_attrs)->size();
    result.free_bytes = fs.space(existing);
    if (result.free_bytes < result.checkpoint_bytes) {
      const auto [free, taken] = in_one_unit(result.free_bytes, result.checkpoint_bytes);
      fail(Code::kResourceExhausted, existing, ": ", free, " are free, one checkpoint takes ",
           taken, "; free some or save elsewhere");
    }
    // When a checkpoint is written, max_to_keep others may exist; those that exist now take no more
    // space.
    const auto kept = options_.max_to_keep > 0 ? static_cast<uint64_t>(options_.max_to_keep) : 0;
    const uint64_t there = fs.exists(directory) ? kept_checkpoints(directory, &fs).size() : 0;
    const uint64_t to_come = kept + 1 - std::min(there, kept);
    if (result.free_bytes / to_come < result.checkpoint_bytes) {
      const auto [free, taken] = in_one_unit(result.free_bytes, result.checkpoint_bytes * to_come);
      result.warnings.push_back(str_cat(existing, ": ", free, " are free, but the ", to_come,
                                        " checkpoints still to come with max_to_keep = ", kept,
                                        " take ", taken));
    }
  });
  problems.throw_if_any(path);
  for (const std::string& warning : result.warnings) retention().warn(warning);
  return result;
}

}  // namespace cairn
