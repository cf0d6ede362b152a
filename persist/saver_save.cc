#include <algorithm>
#include <cstdio>

#include "persist/bundle.h"
#include "persist/checkpoint_v1.h"
#include "persist/internal/publication.h"
#include "persist/internal/save_restore.h"
#include "persist/saver.h"

namespace cairn {
namespace {

void check_names(const SaveOptions& options, const std::string& path, bool has_step) {
  if (options.latest_filename.empty() || options.latest_filename.find('/') != std::string::npos) {
    fail(Code::kInvalidArgument, "'latest_filename' must not contain path components, got '", options.latest_filename,
         "'");
  }
  if (base_name(path).empty())
    fail(Code::kInvalidArgument, "save path '", path, "' names a directory; add the checkpoint's name, as in '",
         join_path(path, "model.ckpt"), "'");
  if (!has_step && base_name(path) == options.latest_filename) {
    fail(Code::kInvalidArgument, "'latest_filename' collides with 'save_path': '", options.latest_filename, "' and '",
         path, "'");
  }
}

// "run/model-100" is of the series "run/model".
bool is_of_series(const std::string& stored, const std::string& path) {
  const std::string prefix = without_shard_ending(stored);
  if (prefix == path) return true;
  if (!prefix.starts_with(path + "-")) return false;
  const std::string number = prefix.substr(path.size() + 1);
  return !number.empty() && number.find_first_not_of("0123456789") == std::string::npos;
}

}  // namespace

std::optional<int64_t> StepNumber::evaluate(Session& session) const {
  if (!target_) return number_;
  const Tensor value = session.run(*target_);
  if (value.valid() && value.num_elements() == 1 && is_integer(value.dtype())) return value.to_int64s()[0];
  if (value.valid() && value.num_elements() == 1 && value.dtype() == DType::kFloat)
    return static_cast<int64_t>(value.scalar<float>());
  fail(Code::kInvalidArgument, "global_step must be one number, got ", value.dtype(), " ", value.shape());
}

std::string Saver::save(Session& session, const std::string& path, const SaveOptions& options) {
  if (&session.graph() != &graph())
    fail(Code::kInvalidArgument, "Saver::save: the session runs another graph than the saver's");
  const std::optional<int64_t> step = options.global_step.evaluate(session);
  check_names(options, path, step.has_value());
  std::string checkpoint = path;
  if (step) {
    char number[32];
    std::snprintf(number, sizeof number, options_.pad_step_number ? "-%08lld" : "-%lld", static_cast<long long>(*step));
    checkpoint += number;
  }
  FileSystem& fs = files_of(session);
  const std::string directory = directory_of(checkpoint);
  const auto above = fs.stat(directory_of(directory));
  if (!fs.exists(directory) && !(above && above->is_directory)) {
    fail(Code::kNotFound, "Parent directory of ", checkpoint, " doesn't exist, can't save.");
  }
  const auto meta = options.write_meta_graph ? meta_graph_bytes(options.strip_default_attrs) : nullptr;
  const auto lock = lock_for_saving(fs, directory);
  const std::string saved = write_checkpoint(session, checkpoint, options.meta_graph_suffix, meta.get());
  if (!options.write_state) return saved;
  adopt_earlier_run(path, options.latest_filename, fs);
  std::erase_if(kept_, [&](const Kept& kept) { return kept.prefix == saved; });
  kept_.push_back({saved, now()});
  // What is about to go is not named any more when it goes.
  std::vector<std::string> named = last_checkpoints();
  if (options_.max_to_keep > 0 && named.size() > static_cast<size_t>(options_.max_to_keep)) {
    named.erase(named.begin(), named.end() - options_.max_to_keep);
  }
  update_checkpoint_state(directory, saved, named, options.latest_filename, &fs);
  remove_surplus(options.meta_graph_suffix, fs);
  return saved;
}

// What an export depends on besides the nodes themselves, which never change once they are made.
struct Saver::Exported {
  uint64_t epoch;
  int num_nodes;
  bool strip_default_attrs;
  SaverDef saver_def;
  GraphVersions versions;
  std::string library;
  std::shared_ptr<const void> from_file;
  std::map<std::string, std::vector<CollectionItem>> collections;
  friend bool operator==(const Exported&, const Exported&) = default;
};

std::shared_ptr<const std::string> Saver::meta_graph_bytes(bool strip_default_attrs) {
  const Graph& g = graph();
  Exported now{g.epoch(), g.num_nodes(), strip_default_attrs, def_, g.versions, g.library, g.from_file, {}};
  for (const std::string& key : g.collection_keys()) now.collections[key] = g.items(key);
  if (!meta_graph_bytes_ || !exported_ || !(*exported_ == now)) {
    meta_graph_bytes_ = std::make_shared<const std::string>(
        export_meta_graph("", {.strip_default_attrs = strip_default_attrs}).bytes());
    exported_ = std::make_shared<const Exported>(std::move(now));
  }
  return meta_graph_bytes_;
}

std::unique_ptr<DirLock> Saver::lock_for_saving(FileSystem& fs, const std::string& directory) const {
  if (!fs.exists(directory)) {
    fs.create_dir(directory);
    fs.sync_dir(directory_of(directory));
  }
  auto lock = fs.lock_dir(directory);
  recover_directory(fs, directory);
  if (lock) {
    for (const std::string& warning : sweep_directory(fs, directory)) warn(warning);
  }
  return lock;
}

// Values and meta graph get their names together: no prefix has new values and an old meta graph.
std::string Saver::write_checkpoint(Session& session, const std::string& checkpoint,
                                    const std::string& meta_graph_suffix, const std::string* meta) const {
  FileSystem& fs = files_of(session);
  Publication publication(fs, checkpoint);
  publication.gather();
  std::string saved =
      session.run(def_.save_tensor_name, {{def_.filename_tensor_name, checkpoint}}).scalar<std::string>();
  if (meta) {
    AtomicFile file(fs, meta_graph_path(saved, meta_graph_suffix));
    file.append(*meta);
    publication.add(file, Publication::kBefore);
  }
  publication.commit();
  return saved;
}

void Saver::adopt_earlier_run(const std::string& path, const std::string& latest_filename, FileSystem& fs) {
  const std::string file = join_path(directory_of(path), latest_filename);
  if (std::find(adopted_.begin(), adopted_.end(), file) != adopted_.end()) return;
  adopted_.push_back(file);
  std::vector<std::string> earlier;
  try {
    const auto state = get_checkpoint_state(directory_of(path), latest_filename, &fs);
    if (!state) return;
    for (const std::string& prefix : state->all_model_checkpoint_paths) {
      const bool known =
          std::any_of(kept_.begin(), kept_.end(), [&](const Kept& kept) { return kept.prefix == prefix; });
      if (!known && is_of_series(prefix, path)) earlier.push_back(prefix);
    }
  } catch (const Error& e) {
    return warn(str_cat("earlier checkpoints stay where they are: ", e.what()));
  }
  std::vector<Kept> own = std::move(kept_);
  kept_.clear();
  recover_last_checkpoints(earlier, &fs);
  kept_.insert(kept_.end(), own.begin(), own.end());
}

void Saver::remove_surplus(const std::string& meta_graph_suffix, FileSystem& fs) {
  while (options_.max_to_keep > 0 && kept_.size() > static_cast<size_t>(options_.max_to_keep)) {
    const Kept oldest = kept_.front();
    kept_.erase(kept_.begin());
    if (oldest.time > next_preserved_) {
      next_preserved_ += options_.keep_checkpoint_every_n_hours * 3600;
      continue;
    }
    try {
      remove_checkpoint(oldest.prefix, meta_graph_suffix, &fs);
    } catch (const Error& e) {
      warn(str_cat("an old checkpoint could not be removed: ", e.what()));
    }
  }
}

std::vector<std::string> Saver::last_checkpoints() const {
  std::vector<std::string> prefixes;
  for (const Kept& kept : kept_) prefixes.push_back(kept.prefix);
  return prefixes;
}

void Saver::recover_last_checkpoints(const std::vector<std::string>& prefixes, FileSystem* file_system) {
  FileSystem& fs = file_system ? *file_system : posix_file_system();
  kept_.clear();
  for (const std::string& prefix : prefixes) {
    auto info = fs.stat(bundle_index_path(prefix));
    if (const auto files = info ? std::vector<std::string>() : checkpoint_v1_files(fs, prefix); !files.empty()) {
      info = fs.stat(files[0]);
    }
    if (info) kept_.push_back({prefix, info->modified});
  }
}

void Saver::set_last_checkpoints_with_time(const std::vector<std::pair<std::string, double>>& checkpoints) {
  kept_.clear();
  for (const auto& [prefix, time] : checkpoints) kept_.push_back({prefix, time});
}

}  // namespace cairn
