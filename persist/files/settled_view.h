// A checkpoint directory as a reader sees it: where a writer died while it overwrote a checkpoint,
// or is doing so now, the older checkpoint is under its names, read from where it is. Nothing can
// be changed through it, and it asks for no lock.
//
//   const auto view = view_for(fs, prefix);  // null: no journal is about it, as most of the time
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
  // What `journals` (paths in `directory`) say holds from now on, whatever becomes of them.
  SettledView(FileSystem& inner, std::string directory, const std::vector<std::string>& journals);
  // All journals of a directory. Lists the directory once, for all who ask.
  static std::unique_ptr<SettledView> of_directory(FileSystem& inner, const std::string& directory);

  // From now on a link that cannot be followed is as one that leads nowhere: to stat() nothing is
  // there.
  void pass_over_links() { passes_over_links_ = true; }

  // The paths of the journals that were there.
  const std::set<std::string>& journals() const { return journals_; }
  // Of those that are in force.
  const std::set<std::string>& followed() const { return followed_; }
  // Of those that are not to be followed, and why.
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
  // Where `path` is in inner_; nothing where the view has no such file.
  std::optional<std::string> place_of(const std::string& path) const;
  std::vector<std::string> shown(std::vector<std::string> names) const;

  FileSystem& inner_;
  std::string directory_;
  std::set<std::string> journals_, followed_;
  std::map<std::string, std::string> foreign_;
  std::map<std::string, std::string> places_;  // names of the older files, and of where they are
  std::set<std::string> hidden_;               // names of new files and of recovery files
  std::optional<std::vector<std::string>> listed_;
  bool passes_over_links_ = false;
};

// Whether stat() of a name in a directory that may be looked into failed for what a link of this
// name leads to.
bool is_about_link(const Error& e);

// How the files of a checkpoint are to be read: `path` is its prefix or any file of it. Null where
// no journal has to do with it.
std::unique_ptr<SettledView> view_for(FileSystem& fs, const std::string& path);

}  // namespace cairn
