// A read-only view of a checkpoint directory for readers. If a writer is overwriting a checkpoint,
// or died doing so, the view shows the older one under its own names. It takes no lock.
//
//   const auto view = view_for(fs, prefix);  // null: no journal exists, the usual case
//   FileSystem& as_it_counts = view ? *view : fs;
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "persist/files/file.h"

namespace cairn {

class SettledView final : public FileSystem {
 public:
  // Evaluates `journals` (paths in `directory`) once, whatever becomes of them later.
  SettledView(FileSystem& inner, std::string directory, const std::vector<std::string>& journals);
  // Evaluates all journals of a directory. Lists the directory once, also for list_dir().
  static std::unique_ptr<SettledView> of_directory(FileSystem& inner, const std::string& directory);

  // From now on stat() returns nullopt for links that cannot be followed.
  void pass_over_links() { passes_over_links_ = true; }

  // The paths of the journals that existed.
  const std::set<std::string>& journals() const { return journals_; }
  // Those that are in force.
  const std::set<std::string>& followed() const { return followed_; }
  // Those that are not followed, with the reason.
  const std::map<std::string, std::string>& foreign() const { return foreign_; }

  std::unique_ptr<RandomAccessFile> open(const std::string& path) override;
  std::vector<std::string> list_dir(const std::string& path) override;
  std::optional<FileInfo> stat(const std::string& path) override;
  bool is_being_written(const std::string& path) override { return inner_.is_being_written(path); }
  uint64_t space(const std::string& directory) override { return inner_.space(directory); }
  size_t name_max(const std::string& directory) override { return inner_.name_max(directory); }
  bool can_write(const std::string&) override { return false; }

  // All throw FailedPrecondition.
  std::unique_ptr<WritableFile> create(const std::string& path) override;
  void rename(const std::string& from, const std::string& to) override;
  void link(const std::string& from, const std::string& to) override;
  void remove(const std::string& path) override;
  void create_dir(const std::string& path) override;
  void remove_dir(const std::string& path) override;
  void sync_dir(const std::string& path) override;
  std::unique_ptr<DirLock> lock_dir(const std::string& path) override;

 private:
  void follow(const std::string& journal);
  // The path in inner_ that the view shows as `path`; nullopt if it shows none.
  std::optional<std::string> place_of(const std::string& path) const;
  std::vector<std::string> shown(std::vector<std::string> names) const;

  FileSystem& inner_;
  std::string directory_;
  std::set<std::string> journals_, followed_;
  std::map<std::string, std::string> foreign_;
  // From names of the older files to the names they have now.
  std::map<std::string, std::string> places_;
  std::set<std::string> hidden_;  // names of new files and of recovery files
  std::optional<std::vector<std::string>> listed_;
  bool passes_over_links_ = false;
};

// True if stat() failed because of the target of a symbolic link, provided the directory itself is
// readable.
bool is_about_link(const Error& e);

// The view for reading a checkpoint: `path` is its prefix or any of its files. Null if no journal
// concerns it: read from `fs` then.
std::unique_ptr<SettledView> view_for(FileSystem& fs, const std::string& path);

}  // namespace cairn
