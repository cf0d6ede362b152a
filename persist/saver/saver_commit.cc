#include "persist/checkpoint/retention.h"
#include "persist/files/publication.h"
#include "persist/saver/background_save.h"
#include "persist/saver/finite_watch.h"
#include "persist/saver/save_restore.h"
#include "persist/saver/saver.h"

namespace cairn {

// Everything that an export depends on besides the nodes, which never change.
struct Saver::Exported {
  uint64_t epoch;
  int num_nodes;
  bool strip_default_attrs;
  SaverDef saver_def;
  GraphVersions versions;
  std::string library;
  std::shared_ptr<const void> from_file;
  uint64_t collections_revision;
  std::shared_ptr<const std::string> bytes = nullptr;

  bool is_of_same_graph(const Exported& o) const {
    return epoch == o.epoch && num_nodes == o.num_nodes &&
           strip_default_attrs == o.strip_default_attrs && saver_def == o.saver_def &&
           versions == o.versions && library == o.library && from_file == o.from_file &&
           collections_revision == o.collections_revision;
  }
};

std::shared_ptr<const std::string> Saver::meta_graph_bytes(bool strip_default_attrs) {
  const Graph& g = graph();
  Exported now{g.epoch(),  g.num_nodes(), strip_default_attrs, def_,
               g.versions, g.library,     g.from_file,         g.collections_revision()};
  if (!exported_ || !exported_->is_of_same_graph(now)) {
    now.bytes = std::make_shared<const std::string>(
        export_meta_graph("", {.strip_default_attrs = strip_default_attrs}).bytes());
    exported_ = std::make_shared<const Exported>(std::move(now));
  }
  return exported_->bytes;
}

std::unique_ptr<DirLock> Saver::lock_for_saving(FileSystem& fs,
                                                const std::string& directory) const {
  auto lock = fs.lock_dir(directory);
  for (const std::string& warning : recover_directory(fs, directory)) retention().warn(warning);
  if (lock) {
    for (const std::string& warning : sweep_directory(fs, directory)) retention().warn(warning);
  }
  return lock;
}

// Publishes values and meta graph together, so that no prefix has new values and an old meta graph.
std::string Saver::write_checkpoint(const internal::SaveJob& job,
                                    const std::function<Tensor()>& run,
                                    std::optional<bool>& finite) const {
  FileSystem& fs = *job.fs;
  FiniteWatch watch;
  const OnNonfinite on_nonfinite = job.options.on_nonfinite;
  Publication publication(fs, job.checkpoint);
  publication.gather();
  std::string saved = job.checkpoint;
  if (!saves_nothing()) {
    const FiniteWatch::Scope scope(on_nonfinite == OnNonfinite::kIgnore ? nullptr : &watch);
    saved = run().scalar<std::string>();
    if (on_nonfinite != OnNonfinite::kIgnore) finite = watch.all_finite();
  }
  if (!watch.all_finite()) {
    const std::string found =
        str_cat("'", job.checkpoint, "': values are not finite: ", watch.report());
    if (on_nonfinite == OnNonfinite::kRefuse)
      fail(Code::kFailedPrecondition, found, "; nothing was saved (SaveOptions::on_nonfinite)");
    retention().warn(found);
  }
  if (job.meta) {
    AtomicFile file(fs, meta_graph_path(saved, job.options.meta_graph_suffix));
    file.append(*job.meta);
    publication.add(file, Publication::kBefore);
  }
  publication.commit();
  return saved;
}

}  // namespace cairn
