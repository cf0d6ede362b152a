#include "persist/checkpoint/checkpoint_state.h"

#include <algorithm>
#include <set>
#include <unordered_set>

#include "cairn/checkpoint.pb.h"
#include "persist/checkpoint/bundle.h"
#include "persist/checkpoint/bundle_format.h"
#include "persist/checkpoint/checkpoint_reader.h"
#include "persist/checkpoint/checkpoint_v1.h"
#include "persist/checkpoint/save_names.h"
#include "persist/files/overwrite_journal.h"
#include "persist/files/own_names.h"
#include "persist/files/settled_view.h"
#include "persist/graph/meta_graph.h"
#include "persist/graph/saved_model.h"
#include "persist/messages/message.h"
#include "runtime/base/text.h"

namespace cairn {
namespace {

bool is_absolute(const std::string& path) { return !path.empty() && path[0] == '/'; }

// Checkpoints written on Windows have paths such as C:\run\m.
std::string last_component(const std::string& path) {
  const size_t at = path.find_last_of("/\\");
  return at == std::string::npos ? path : path.substr(at + 1);
}

std::string relative_to(const std::string& directory, const std::string& path) {
  const std::string inside = directory == "/" ? "/" : directory + "/";
  if (directory == ".") return path.starts_with("./") ? path.substr(2) : path;
  return path.size() > inside.size() && path.starts_with(inside) ? path.substr(inside.size())
                                                                 : path;
}

// Like checkpoint_exists(), but does not list the directory: a checkpoint file may name any number
// of checkpoints.
bool is_there_as_named(FileSystem& fs, const std::string& prefix) {
  const auto view = view_for(fs, prefix);
  FileSystem& as_it_counts = view ? *view : fs;
  const auto is_file = [&](const std::string& path) {
    const auto info = as_it_counts.stat(path);
    return info && info->is_file();
  };
  const std::string begin = without_shard_ending(prefix);
  std::string first = prefix;  // the first V1 file that a pattern stands for
  std::replace(first.begin() + static_cast<std::ptrdiff_t>(begin.size()), first.end(), '?', '0');
  return is_file(bundle_index_path(prefix)) || is_file(prefix) ||
         (first != prefix && is_file(first));
}

std::string locate(FileSystem& fs, const std::string& directory, const std::string& stored) {
  const bool foreign =
      stored.find('\\') != std::string::npos || (stored.size() > 1 && stored[1] == ':');
  const std::string as_it_stands = join_path(directory, stored);
  if ((!is_absolute(stored) && !foreign) || is_there_as_named(fs, as_it_stands))
    return as_it_stands;
  // On Linux a backslash may be part of a file's name.
  const std::string last = join_path(directory, base_name(stored));
  return !foreign || is_there_as_named(fs, last) ? last
                                                 : join_path(directory, last_component(stored));
}

// Checkpoint files written by hand sometimes name one file of the checkpoint.
std::string as_prefix(FileSystem& fs, const std::string& path) {
  const auto prefix = prefix_of_file(path);
  return prefix && !fs.exists(bundle_index_path(path)) ? *prefix : path;
}

}  // namespace

std::optional<CheckpointState> get_checkpoint_state(const std::string& directory,
                                                    const std::string& latest_filename,
                                                    FileSystem* file_system) {
  FileSystem& fs = or_posix(file_system);
  const std::string path = join_path(directory, latest_filename);
  const auto info = fs.stat(path);
  if (!info || info->is_directory) return std::nullopt;
  if (!info->is_file())
    fail(Code::kDataLoss, path, ": it is no file, and this name is that of a checkpoint file");
  constexpr uint64_t kLargest = 64 << 20;
  if (info->size > kLargest)
    fail(Code::kDataLoss, path, ": ", info->size,
         " bytes are no checkpoint file, which is a short text");
  pb::CheckpointState proto;
  std::string why;
  if (!parse_text(read_file(fs, path), proto, &why)) {
    fail(Code::kDataLoss, path, ": ", why,
         "; this file names the newest checkpoint and can be written again");
  }
  if (proto.model_checkpoint_path().empty()) {
    fail(Code::kDataLoss, path,
         ": at offset 0: it has no model_checkpoint_path; this file names the newest checkpoint "
         "and can be written "
         "again");
  }
  CheckpointState state;
  state.model_checkpoint_path = as_prefix(fs, locate(fs, directory, proto.model_checkpoint_path()));
  for (const std::string& stored : proto.all_model_checkpoint_paths()) {
    state.all_model_checkpoint_paths.push_back(as_prefix(fs, locate(fs, directory, stored)));
  }
  state.all_model_checkpoint_timestamps.assign(proto.all_model_checkpoint_timestamps().begin(),
                                               proto.all_model_checkpoint_timestamps().end());
  state.last_preserved_timestamp = proto.last_preserved_timestamp();
  return state;
}

void update_checkpoint_state(const std::string& directory, const std::string& path,
                             std::vector<std::string> all, const std::string& latest_filename,
                             FileSystem* file_system, bool relative_paths) {
  FileSystem& fs = or_posix(file_system);
  const std::string file = join_path(directory, latest_filename);
  if (file == path) {
    fail(Code::kInvalidArgument, "Save path '", path,
         "' conflicts with path used for checkpoint state.  Please use a different save path.");
  }
  std::erase(all, path);
  all.push_back(path);
  pb::CheckpointState proto;
  const auto stored = [&](const std::string& each) {
    return relative_paths || !each.starts_with('/') ? relative_to(directory, each) : each;
  };
  proto.set_model_checkpoint_path(stored(path));
  for (const std::string& each : all) proto.add_all_model_checkpoint_paths(stored(each));
  write_file_atomically(fs, file, to_text(proto));
}

std::optional<std::string> interrupted_overwriting(const std::string& prefix,
                                                   FileSystem* file_system) {
  FileSystem& fs = or_posix(file_system);
  const auto view = view_for(fs, prefix);
  if (!view || (view->followed().empty() && view->foreign().empty())) return std::nullopt;
  try {
    fs.lock_dir(directory_of(prefix));
  } catch (const Error& e) {
    if (e.code() == Code::kFailedPrecondition)
      return std::nullopt;  // a live writer is overwriting it
  }
  if (!view->followed().empty()) {
    return str_cat(*view->followed().begin(), ": a writer was interrupted while it overwrote ",
                   prefix,
                   "; what was there before is read from its recovery files, and the next save "
                   "into this directory or "
                   "`cairn doctor --fix` puts it back");
  }
  const auto& [journal, why] = *view->foreign().begin();
  return str_cat(journal, ": it has the name of a journal and is not followed, for ", why,
                 "; find out whose it is and remove it");
}

bool checkpoint_exists(const std::string& prefix, FileSystem* file_system) {
  FileSystem& fs = or_posix(file_system);
  const auto view = view_for(fs, prefix);
  FileSystem& as_it_counts = view ? *view : fs;
  const auto index = as_it_counts.stat(bundle_index_path(prefix));
  return (index && index->is_file()) || !checkpoint_v1_files(as_it_counts, prefix).empty();
}

std::optional<std::string> latest_checkpoint(const std::string& directory,
                                             const std::string& latest_filename, FileSystem* fs) {
  const auto state = get_checkpoint_state(directory, latest_filename, fs);
  if (!state || !checkpoint_exists(state->model_checkpoint_path, fs)) return std::nullopt;
  return state->model_checkpoint_path;
}

// ---- finding complete checkpoints ---------------------------------------------------------------

namespace {

// The number that ends the name, or -1.
int64_t step_of(const std::string& prefix) {
  const std::string name = base_name(without_shard_ending(prefix));
  const size_t last = name.find_last_not_of("0123456789");
  if (last == std::string::npos || name[last] != '-' || last + 1 == name.size()) return -1;
  constexpr size_t kMostDigits = 18;
  const std::string digits =
      name.substr(std::min(name.find_first_not_of('0', last + 1), name.size() - 1));
  return digits.size() > kMostDigits ? -1 : std::stoll(digits);
}

class LatestSearch {
 public:
  LatestSearch(const std::string& directory, const LatestOptions& options)
      : directory_(directory), options_(options), fs_(or_posix(options.file_system)) {}

  std::optional<std::string> run() {
    constexpr int kMostTimes = 10;
    std::optional<std::string> whole;
    // A concurrent writer may remove a checkpoint between reading its name and opening it. The
    // checkpoint file has then changed, and the search is repeated.
    for (int times = 0; times < kMostTimes; ++times) {
      const auto before = contents();
      skipped_.clear();
      tried_.clear();
      whole = search();
      if (skipped_.empty() || contents() == before) break;
    }
    for (const auto& [prefix, why] : skipped_) {
      if (options_.on_skip) options_.on_skip(prefix, why);
    }
    return whole;
  }

 private:
  // The bytes of the checkpoint file.
  std::optional<std::string> contents() const {
    const std::string path = join_path(directory_, options_.latest_filename);
    const auto info = fs_.stat(path);
    return info && info->is_file() ? std::optional(read_file(fs_, path)) : std::nullopt;
  }

  std::optional<std::string> search() {
    std::vector<std::string> named;
    try {
      if (const auto state = get_checkpoint_state(directory_, options_.latest_filename, &fs_)) {
        named = state->all_model_checkpoint_paths;
        std::erase(named, state->model_checkpoint_path);
        named.push_back(state->model_checkpoint_path);
      }
    } catch (const Error& e) {
      if (e.code() != Code::kDataLoss) throw;
      skip(join_path(directory_, options_.latest_filename), e.what());
    }
    if (auto whole = newest_whole(named)) return whole;
    const auto info = fs_.stat(directory_);
    if (!info || !info->is_directory) return std::nullopt;
    return newest_whole(find_checkpoints(directory_, &fs_));
  }

  void skip(const std::string& prefix, const std::string& why) {
    skipped_.emplace_back(prefix, why);
  }

  // `prefixes` are ordered from oldest to newest, as in checkpoint files.
  std::optional<std::string> newest_whole(const std::vector<std::string>& prefixes) {
    for (size_t i = prefixes.size(); i-- > 0;) {
      if (!tried_.insert(prefixes[i]).second) continue;
      try {
        check(prefixes[i]);
        return prefixes[i];
      } catch (const Error& e) {
        skip(prefixes[i], e.what());
      }
    }
    return std::nullopt;
  }

  void check(const std::string& prefix) const {
    // Finding V1 files by the beginning of their names lists the directory, so it is limited to
    // this many prefixes.
    constexpr size_t kMostSearched = 100;
    const bool searches = tried_.size() <= kMostSearched;
    if (!is_there_as_named(fs_, prefix) && !(searches && checkpoint_exists(prefix, &fs_))) {
      fail(Code::kNotFound, prefix, ": there is neither ", bundle_index_path(prefix),
           " nor a V1 file of that name");
    }
    CheckpointReader(prefix, &fs_).verify();
    const std::string meta = meta_graph_path(prefix);
    if (fs_.exists(meta)) MetaGraph::read(meta, {.tags = {}, .file_system = &fs_});
  }

  const std::string& directory_;
  const LatestOptions& options_;
  FileSystem& fs_;
  std::unordered_set<std::string> tried_;
  std::vector<std::pair<std::string, std::string>> skipped_;
};

// The checkpoint of a directory whose checkpoint file does not lead to one: a SavedModel's
// variables, or the only checkpoint in it.
std::string checkpoint_in_directory(FileSystem& fs, const std::string& directory) {
  if (!saved_model_graph_path(directory, &fs).empty()) {
    const std::string variables = saved_model_variables_path(directory);
    if (checkpoint_exists(variables, &fs)) return variables;
    fail(Code::kNotFound, directory, ": this SavedModel has no variables (there is no ",
         bundle_index_path(variables), ")");
  }
  const std::vector<std::string> found = find_checkpoints(directory, &fs);
  const auto state = get_checkpoint_state(directory, kCheckpointFileName, &fs);
  if (!state && found.size() == 1) return found[0];
  const std::string here = found.empty() ? "; there is no checkpoint in this directory"
                                         : str_cat("; give one that is: ", join_for_people(found));
  if (!state) {
    fail(Code::kNotFound, directory,
         found.empty()
             ? ": there is no checkpoint in this directory"
             : str_cat(": no file named checkpoint says which of several is meant; give one: ",
                       join_for_people(found)));
  }
  fail(Code::kNotFound, directory, ": its checkpoint file names ",
       printable(state->model_checkpoint_path), ", which is not there", here);
}

}  // namespace

std::vector<std::string> find_checkpoints(const std::string& directory, FileSystem* file_system) {
  // The view also shows checkpoints whose overwriting was interrupted, which exist under hidden
  // names only.
  const auto view = SettledView::of_directory(or_posix(file_system), directory);
  FileSystem& fs = *view;
  std::set<std::string> found;
  constexpr std::string_view kIndex = ".index";
  for (const std::string& name : fs.list_dir(directory)) {
    const std::string path = join_path(directory, name);
    if (is_own_name(name)) continue;
    if (name.ends_with(kIndex) && name.size() > kIndex.size()) {
      if (const auto info = fs.stat(path); info && info->is_file())
        found.insert(path.substr(0, path.size() - kIndex.size()));
    } else if (looks_like_table(fs, path)) {
      found.insert(shard_pattern(path));
    }
  }
  std::vector<std::string> prefixes(found.begin(), found.end());
  std::stable_sort(
      prefixes.begin(), prefixes.end(),
      [](const std::string& a, const std::string& b) { return step_of(a) < step_of(b); });
  return prefixes;
}

std::optional<std::string> latest_checkpoint(const std::string& directory,
                                             const LatestOptions& options) {
  if (options.verify) return LatestSearch(directory, options).run();
  return latest_checkpoint(directory, options.latest_filename, options.file_system);
}

std::string checkpoint_prefix(const std::string& path, FileSystem* file_system) {
  const auto view = view_for(or_posix(file_system), path);
  FileSystem& fs = view ? *view : or_posix(file_system);
  if (fs.exists(bundle_index_path(path))) return path;
  const auto info = fs.stat(path);
  if (info && info->is_directory) {
    if (const auto newest = latest_checkpoint(path, kCheckpointFileName, &fs)) return *newest;
    return checkpoint_in_directory(fs, path);
  }
  if (const auto prefix = prefix_of_file(path)) return *prefix;
  const std::string name = base_name(path);
  if (info && name == kCheckpointFileName) return checkpoint_prefix(directory_of(path), &fs);
  if (const std::string in = directory_of(path); path == saved_model_graph_path(in, &fs)) {
    return checkpoint_prefix(saved_model_variables_path(in), &fs);
  }
  if (info) return shard_pattern(path);
  if (!checkpoint_v1_files(fs, path).empty()) return path;
  fail(Code::kNotFound, "The passed save_path is not a valid checkpoint: ", path, " (there is no ",
       bundle_index_path(path), ")", about_missing_checkpoint(fs, path));
}

std::string meta_graph_path(const std::string& prefix, const std::string& meta_graph_suffix) {
  return without_shard_ending(prefix) + "." + meta_graph_suffix;
}

void remove_checkpoint(const std::string& prefix, const std::string& meta_graph_suffix,
                       FileSystem* file_system) {
  FileSystem& fs = or_posix(file_system);
  const auto remove = [&](const std::string& path) {
    if (fs.exists(path)) fs.remove(path);
  };
  remove(meta_graph_path(prefix, meta_graph_suffix));
  if (fs.exists(bundle_index_path(prefix))) {
    fs.remove(bundle_index_path(prefix));
    const std::string directory = directory_of(prefix);
    for (const std::string& name : fs.list_dir(directory)) {
      if (prefix_of_data_file(name) == base_name(prefix)) fs.remove(join_path(directory, name));
    }
  } else if (without_shard_ending(prefix) == prefix) {
    remove(prefix);
  } else {
    for (const std::string& file : checkpoint_v1_files(fs, prefix)) fs.remove(file);
  }
}

}  // namespace cairn
