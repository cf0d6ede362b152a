#include "persist/checkpoint/save_names.h"

#include "persist/checkpoint/bundle_format.h"
#include "persist/checkpoint/checkpoint_state.h"
#include "persist/checkpoint/checkpoint_v1.h"
#include "persist/checkpoint/retention_state.h"
#include "persist/files/publication.h"
#include "persist/files/quote.h"

namespace cairn {
namespace {

// True for names that Cairn reserves for its own files.
bool is_reserved(const std::string& name) {
  return name == kKeptFileName || is_temporary_name(name) || is_journal_name(name) ||
         is_recovery_name(name) || is_parts_directory_name(name);
}

bool holds_values(const std::string& name) {
  return name.ends_with(".index") || prefix_of_data_file(name);
}

// True if a save to `stem` can write a file called `name`: "m" itself or, with a step, "m-1000" and
// "m--1".
bool may_become(std::string_view name, const std::string& stem, bool has_step) {
  if (!has_step) return name == stem;
  if (!name.starts_with(stem + "-")) return false;
  name.remove_prefix(stem.size() + 1);
  if (name.starts_with('-')) name.remove_prefix(1);
  return !name.empty() && name.find_first_not_of("0123456789") == std::string_view::npos;
}

[[noreturn]] void refuse(const char* option, const std::string& name, const std::string& why) {
  fail(Code::kInvalidArgument, "'", option, "' gives a file the name '", name, "', ", why);
}

// Checks the name of a file other than the checkpoint's own.
void check_other_name(const char* option, const std::string& name) {
  if (name.find('\0') != std::string::npos) refuse(option, name, "which has a zero byte in it");
  if (name == "." || name == "..") refuse(option, name, "which is a directory's");
  if (is_reserved(name)) refuse(option, name, "in which Cairn keeps records of its own");
  if (holds_values(name))
    refuse(option, name, "by which a reader would take it for the values of a checkpoint");
}

void check_path(const std::string& path) {
  const std::string name = base_name(path);
  if (name.empty())
    fail(Code::kInvalidArgument, "save path '", path,
         "' names a directory; add the checkpoint's name, as in '", join_path(path, "model.ckpt"),
         "'");
  if (name == "." || name == "..")
    fail(Code::kInvalidArgument, "'", path,
         "' names a directory; give the name of a checkpoint in it");
  if (path.find('\0') != std::string::npos)
    fail(Code::kInvalidArgument, "save path '", path,
         "' has a zero byte in it, at which the system would cut it off");
}

}  // namespace

void check_checkpoint_name(const std::string& prefix) {
  check_path(prefix);
  const std::string name = base_name(prefix);
  const auto refuse_name = [&](const std::string& why) {
    fail(Code::kInvalidArgument, "a checkpoint cannot be called '", prefix, "': ", why);
  };
  if (is_reserved(name)) refuse_name("Cairn keeps records of its own under that name");
  if (name == kCheckpointFileName)
    refuse_name("that is the file that names a directory's newest checkpoint");
  if (holds_values(name) || name.ends_with(".meta"))
    refuse_name(
        "readers take the name for one file of a checkpoint; give the prefix, without its ending");
}

void check_save_names(const SaveOptions& options, const SaverDef& saver, const std::string& path,
                      bool has_step) {
  const std::string &latest = options.latest_filename, &suffix = options.meta_graph_suffix;
  if (latest.empty() || latest.find('/') != std::string::npos)
    fail(Code::kInvalidArgument, "'latest_filename' must not contain path components, got '",
         latest, "'");
  check_path(path);
  const std::string name = base_name(path);
  const bool v1 = saver.version != CheckpointFormat::kV2;
  if (v1 && !saver.sharded && !has_step && name != latest) check_checkpoint_name(path);
  if ((!has_step || v1) &&
      may_become(saver.sharded ? without_shard_ending(latest) : latest, name, has_step)) {
    fail(Code::kInvalidArgument, "'latest_filename' collides with 'save_path': '", latest,
         "' and '", path, "'");
  }
  check_other_name("latest_filename", latest);
  if (!options.write_meta_graph) return;
  if (suffix.find('/') != std::string::npos)
    fail(Code::kInvalidArgument, "'meta_graph_suffix' must not contain path components, got '",
         suffix, "'");
  // The check does not depend on the step that may come before the suffix.
  const std::string meta = base_name(meta_graph_path(path, suffix)), ending = "." + suffix;
  check_other_name("meta_graph_suffix", meta);
  const std::string_view stem =
      std::string_view(latest).substr(0, latest.size() - std::min(latest.size(), ending.size()));
  if (latest.ends_with(ending) && may_become(stem, without_shard_ending(name), has_step)) {
    refuse("meta_graph_suffix", meta, str_cat("and so does 'latest_filename', '", latest, "'"));
  }
}

void check_state_place(FileSystem& fs, const std::string& directory,
                       const std::string& latest_filename) {
  const std::string path = join_path(directory, latest_filename);
  try {
    const auto there = fs.stat(path);
    if (!there || !there->is_directory || there->is_link) return;
  } catch (const Error&) {  // a link that cannot be followed: the save replaces it
    return;
  }
  fail(Code::kFailedPrecondition, path,
       ": this is a directory, where a save writes the file that names the newest ",
       "checkpoint; nothing was saved: give it another name, or save into another directory");
}

namespace {

// True for "-00000-of-00002". The numbers have five digits or more, as printf pads them.
bool ends_as_shard(std::string_view rest) {
  const auto digits = [&] {
    const size_t end = std::min(rest.find_first_not_of("0123456789"), rest.size());
    rest.remove_prefix(end);
    return end >= 5;
  };
  if (!rest.starts_with('-')) return false;
  rest.remove_prefix(1);
  if (!digits() || !rest.starts_with("-of-")) return false;
  rest.remove_prefix(4);
  return digits() && rest.empty();
}

}  // namespace

std::vector<std::string> files_of_prefix(FileSystem& fs, const std::string& prefix) {
  std::vector<std::string> taken;
  const std::string directory = directory_of(prefix),
                    base = base_name(without_shard_ending(prefix));
  if (!fs.exists(directory)) return taken;
  for (const std::string& name : fs.list_dir(directory)) {
    if (!name.starts_with(base)) continue;
    const std::string_view rest = std::string_view(name).substr(base.size());
    if (rest.empty() || rest == ".index" || rest == ".meta" || ends_as_shard(rest) ||
        (rest.starts_with(".data") && ends_as_shard(rest.substr(5)))) {
      taken.push_back(name);
    }
  }
  return taken;
}

std::string about_missing_checkpoint(FileSystem& fs, const std::string& prefix) {
  const std::string directory = directory_of(prefix), base = base_name(prefix);
  try {
    const auto info = fs.stat(directory);
    if (!info || !info->is_directory) return str_cat("; there is no directory '", directory, "'");
    const std::vector<std::string> found = find_checkpoints(directory, &fs);
    // For "m" the newest of "m-5" and the like; for a step that does not exist, the nearest names.
    std::vector<std::string> near;
    for (size_t i = found.size(); i-- > 0;) {
      if (base_name(found[i]).starts_with(base + "-")) near.push_back(found[i]);
    }
    constexpr size_t kMost = 3;
    near.resize(std::min(near.size(), kMost));
    if (near.empty()) {
      std::vector<std::string> names;
      for (const std::string& each : found) names.push_back(base_name(each));
      for (const std::string& name : nearest_names(base, names, kMost))
        near.push_back(join_path(directory, name));
    }
    if (!near.empty()) return str_cat("; did you mean ", quote_list(near), "?");
    if (found.empty()) return "; there is no checkpoint in this directory";
    return str_cat(found.size() == 1 ? "; there is " : "; there are ", quote_list(found, kMost));
  } catch (const Error&) {  // the directory cannot be read
    return "";
  }
}

}  // namespace cairn
