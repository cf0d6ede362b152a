#include <iostream>

#include "persist/internal/publication.h"
#include "persist/internal/save_restore.h"
#include "persist/saver.h"

namespace cairn {

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
  std::shared_ptr<const std::string> bytes = nullptr;

  bool is_of_same_graph(const Exported& o) const {
    return epoch == o.epoch && num_nodes == o.num_nodes && strip_default_attrs == o.strip_default_attrs &&
           saver_def == o.saver_def && versions == o.versions && library == o.library && from_file == o.from_file &&
           collections == o.collections;
  }
};

std::shared_ptr<const std::string> Saver::meta_graph_bytes(bool strip_default_attrs) {
  const Graph& g = graph();
  Exported now{g.epoch(), g.num_nodes(), strip_default_attrs, def_, g.versions, g.library, g.from_file, {}};
  for (const std::string& key : g.collection_keys()) now.collections[key] = g.items(key);
  if (!exported_ || !exported_->is_of_same_graph(now)) {
    now.bytes = std::make_shared<const std::string>(
        export_meta_graph("", {.strip_default_attrs = strip_default_attrs}).bytes());
    exported_ = std::make_shared<const Exported>(std::move(now));
  }
  return exported_->bytes;
}

std::unique_ptr<DirLock> Saver::lock_for_saving(FileSystem& fs, const std::string& directory) const {
  if (!fs.exists(directory)) {
    fs.create_dir(directory);
    fs.sync_dir(directory_of(directory));
  }
  auto lock = fs.lock_dir(directory);
  recover_directory(fs, directory);
  if (!lock) return lock;
  for (const std::string& warning : sweep_directory(fs, directory)) {
    if (options_.on_warning) {
      options_.on_warning(warning);
    } else {
      std::cerr << "cairn: " << warning << "\n";
    }
  }
  return lock;
}

// Values and meta graph get their names together: no prefix has new values and an old meta graph.
std::string Saver::write_checkpoint(Session& session, const std::string& checkpoint,
                                    const std::string& meta_graph_suffix, const std::string* meta) const {
  FileSystem& fs = files_of(session);
  Publication publication(fs, checkpoint);
  publication.gather();
  std::string saved = checkpoint;
  if (!saves_nothing()) {
    saved = session.run(def_.save_tensor_name, {{def_.filename_tensor_name, checkpoint}}).scalar<std::string>();
  }
  if (meta) {
    AtomicFile file(fs, meta_graph_path(saved, meta_graph_suffix));
    file.append(*meta);
    publication.add(file, Publication::kBefore);
  }
  publication.commit();
  return saved;
}

}  // namespace cairn
