#include <algorithm>
#include <cstdio>

#include "persist/checkpoint/bundle.h"
#include "persist/checkpoint/checkpoint_v1.h"
#include "persist/checkpoint/retention.h"
#include "persist/checkpoint/save_names.h"
#include "persist/files/publication.h"
#include "persist/saver/background_save.h"
#include "persist/saver/save_restore.h"
#include "persist/saver/saver.h"

namespace cairn {

std::optional<int64_t> StepNumber::evaluate(Session& session) const {
  if (!target_) return number_;
  const Tensor value = session.run(*target_);
  if (value.valid() && value.num_elements() == 1 && is_integer(value.dtype()))
    return value.to_int64s()[0];
  if (value.valid() && value.num_elements() == 1 && value.dtype() == DType::kFloat)
    return static_cast<int64_t>(value.scalar<float>());
  fail(Code::kInvalidArgument, "global_step must be one number, got ", value.dtype(), " ",
       value.shape());
}

internal::SaveJob Saver::begin_save(Session& session, const std::string& path,
                                    const SaveOptions& options, FileSystem& fs) {
  const std::optional<int64_t> step = options.global_step.evaluate(session);
  check_save_names(options, def_, path, step.has_value());
  internal::SaveJob job{
      .path = path, .checkpoint = path, .options = options, .time = now(), .fs = &fs};
  if (step) {
    char number[32];
    std::snprintf(number, sizeof number, options_.pad_step_number ? "-%08lld" : "-%lld",
                  static_cast<long long>(*step));
    job.checkpoint += number;
  }
  const std::string directory = directory_of(job.checkpoint);
  const auto above = fs.stat(directory_of(directory));
  if (!fs.exists(directory) && !(above && above->is_directory)) {
    fail(Code::kNotFound, "Parent directory of ", job.checkpoint, " doesn't exist, can't save.");
  }
  if (options.write_state) check_state_place(fs, directory, options.latest_filename);
  if (options.write_meta_graph) job.meta = meta_graph_bytes(options.strip_default_attrs);
  return job;
}

namespace {

// Removes the parts of a failed sharded save. Ignores errors, since the original one matters more.
void sweep_quietly(FileSystem& fs, const std::string& directory) {
  try {
    sweep_directory(fs, directory);
  } catch (const Error&) {
  }
}

}  // namespace

std::string Saver::finish_save(const internal::SaveJob& job,
                               const std::function<Tensor()>& run) const {
  FileSystem& fs = *job.fs;
  const SaveOptions& options = job.options;
  NewDirectories made(fs, directory_of(job.checkpoint), NewDirectories::kLast);
  const auto lock = lock_for_saving(fs, directory_of(job.checkpoint));
  std::optional<bool> finite;
  std::string saved;
  try {
    saved = write_checkpoint(job, run, finite);
  } catch (...) {
    if (lock) sweep_quietly(fs, directory_of(job.checkpoint));
    throw;
  }
  made.keep();
  if (saves_nothing()) return "";
  if (!options.write_state) return saved;
  const std::vector<std::string> named =
      retention().record({.path = job.path,
                          .prefix = saved,
                          .time = job.time,
                          .finite = finite,
                          .metrics = options.metrics,
                          .latest_filename = options.latest_filename},
                         fs);
  update_checkpoint_state(directory_of(saved), saved, named, options.latest_filename, &fs,
                          options_.save_relative_paths);
  // Removed only now, when the checkpoint file no longer names them.
  retention().remove_surplus(options.meta_graph_suffix, fs);
  return saved;
}

std::string Saver::save(Session& session, const std::string& path, const SaveOptions& options) {
  if (&session.graph() != &graph())
    fail(Code::kInvalidArgument, "Saver::save: the session runs another graph than the saver's");
  std::unique_lock<std::recursive_mutex> turn;
  if (background_) {
    turn = std::unique_lock(background_->turn);
    background_->settle();
  }
  const internal::SaveJob job = begin_save(session, path, options, files_of(session));
  return finish_save(job, [&] {
    return session.run(def_.save_tensor_name, {{def_.filename_tensor_name, job.checkpoint}});
  });
}

// ---- retention ----------------------------------------------------------------------------------

Retention& Saver::retention() const {
  require_some();
  return *retention_;
}

std::vector<std::string> Saver::last_checkpoints() const {
  std::vector<std::string> prefixes;
  if (!retention_) return prefixes;
  for (auto& [prefix, time] : retention_->newest()) prefixes.push_back(prefix);
  return prefixes;
}

void Saver::recover_last_checkpoints(const std::vector<std::string>& prefixes, FileSystem* fs) {
  retention().recover(prefixes, or_posix(fs));
}

void Saver::set_last_checkpoints_with_time(
    const std::vector<std::pair<std::string, double>>& checkpoints) {
  retention().set_newest(checkpoints);
}

void Saver::protect(const std::vector<std::string>& prefixes) { retention().protect(prefixes); }

void Saver::keep_best(const std::string& metric, int count, const KeepBestOptions& options) {
  if (count < 0)
    fail(Code::kInvalidArgument, "keep_best: ", count, " checkpoints; 0 (none) or more are needed");
  retention().keep_best(metric, count, options.higher_is_better);
}

void Saver::pin(const std::string& prefix, FileSystem* fs) {
  retention().set_pinned(prefix, true, or_posix(fs));
}

void Saver::pin(int64_t step, FileSystem* fs) { pin(retention().prefix_of_step(step), fs); }

void Saver::unpin(const std::string& prefix, FileSystem* fs) {
  retention().set_pinned(prefix, false, or_posix(fs));
}

void Saver::unpin(int64_t step, FileSystem* fs) { unpin(retention().prefix_of_step(step), fs); }

std::vector<KeptCheckpoint> Saver::kept() const { return retention().kept(); }

}  // namespace cairn
