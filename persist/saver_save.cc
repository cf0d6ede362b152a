#include <algorithm>
#include <cstdio>

#include "persist/bundle.h"
#include "persist/checkpoint_v1.h"
#include "persist/internal/retention.h"
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
  if (saves_nothing()) return "";
  if (!options.write_state) return saved;
  const std::vector<std::string> named = retention().record({.path = path,
                                                             .prefix = saved,
                                                             .time = now(),
                                                             .finite = std::nullopt,
                                                             .metrics = options.metrics,
                                                             .latest_filename = options.latest_filename},
                                                            fs);
  update_checkpoint_state(directory, saved, named, options.latest_filename, &fs);
  // What goes is not named any more when it goes.
  retention().remove_surplus(options.meta_graph_suffix, fs);
  return saved;
}

// ---- what stays -----------------------------------------------------------------------------------------------------

Retention& Saver::retention() const {
  graph();
  return *retention_;
}

std::vector<std::string> Saver::last_checkpoints() const {
  std::vector<std::string> prefixes;
  if (!retention_) return prefixes;
  for (auto& [prefix, time] : retention_->newest()) prefixes.push_back(prefix);
  return prefixes;
}

void Saver::recover_last_checkpoints(const std::vector<std::string>& prefixes, FileSystem* fs) {
  retention().recover(prefixes, fs ? *fs : posix_file_system());
}

void Saver::set_last_checkpoints_with_time(const std::vector<std::pair<std::string, double>>& checkpoints) {
  retention().set_newest(checkpoints);
}

void Saver::keep_best(const std::string& metric, int count, const KeepBestOptions& options) {
  if (count < 0) fail(Code::kInvalidArgument, "keep_best: ", count, " checkpoints; 0 (none) or more are needed");
  retention().keep_best(metric, count, options.higher_is_better);
}

void Saver::pin(const std::string& prefix, FileSystem* fs) {
  retention().set_pinned(prefix, true, fs ? *fs : posix_file_system());
}

void Saver::pin(int64_t step, FileSystem* fs) { pin(retention().prefix_of_step(step), fs); }

void Saver::unpin(const std::string& prefix, FileSystem* fs) {
  retention().set_pinned(prefix, false, fs ? *fs : posix_file_system());
}

void Saver::unpin(int64_t step, FileSystem* fs) { unpin(retention().prefix_of_step(step), fs); }

std::vector<KeptCheckpoint> Saver::kept() const { return retention().kept(); }

}  // namespace cairn
