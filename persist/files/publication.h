// Publications: the files of a checkpoint get their names as one transaction.
//
// If no file has the names yet, the files are renamed, and the index or V1 file, which makes them a
// checkpoint, comes last. If an older checkpoint is overwritten, its files are first linked to
// recovery names and listed in a journal, so that readers find the older checkpoint and the next
// writer restores it: see docs/formats.md, "Overwriting".
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "persist/files/file.h"
#include "persist/files/own_names.h"

namespace cairn {

class Publication {
 public:
  // kLast: an index or a V1 file, which identifies a checkpoint to readers.
  enum Place { kBefore, kLast };

  // For the checkpoint `prefix`. Files are added before commit(). The destructor removes the
  // temporary files if commit() was not called.
  Publication(FileSystem& fs, std::string prefix);
  ~Publication();
  Publication(const Publication&) = delete;
  Publication& operator=(const Publication&) = delete;

  // From now on publish() with this prefix and file system adds its files to this object. The
  // caller must hold the directory's lock.
  void gather();

  // Forbids replacing files, including those that appear before commit(), which then throws
  // AlreadyExists. It does so also if the prefix has other files afterwards: two writers with
  // different formats or numbers of files would leave a mixture.
  void only_new() { only_new_ = true; }

  // Adds a file, which must be in the prefix's directory, and seals it.
  void add(AtomicFile& file, Place place);
  // Adds a complete file that is to be renamed to `path`. If the publication fails it has its old
  // name.
  void move(std::string from, std::string path, Place place);
  // Adds an action to perform when everything is durable. Its errors are ignored.
  void afterwards(std::function<void()> action) { afterwards_.push_back(std::move(action)); }

  // Gives all files their names, durably. On an error the files that were under these names are
  // restored. Throws FailedPrecondition if an older checkpoint must be overwritten or restored and
  // another writer holds the directory's lock.
  void commit();

 private:
  struct Move {
    std::string from, path;
    bool temporary;
    std::unique_ptr<WritableFile> open;  // held open to mark the temporary file as in use
  };
  std::vector<std::string> files_to_replace() const;
  void place_new();
  void check_alone() const;
  void overwrite(const std::vector<std::string>& old);
  std::unique_ptr<DirLock> lock_alone();
  void rename_until(size_t end);

  FileSystem& fs_;
  std::string prefix_, directory_;
  bool gathers_ = false, only_new_ = false;
  std::vector<Move> moves_, last_moves_;
  std::vector<std::function<void()>> afterwards_;
  size_t renamed_ = 0, first_last_ = 0;

  friend void publish(FileSystem&, const std::string&, const std::function<void(Publication&)>&);
};

// Calls `fill` with the publication that gathers the files of `prefix`, or with a new one, which is
// then committed. For a V1 file `prefix` may be its own path.
void publish(FileSystem& fs, const std::string& prefix,
             const std::function<void(Publication&)>& fill);

// Renames a file to a name that must not exist, and throws AlreadyExists naming `to` if it does,
// without a race against other writers. Without hard links a file that appears at the last moment
// is replaced.
void rename_to_new(FileSystem& fs, const std::string& from, const std::string& to);

// Restores the checkpoints that dead writers left half overwritten. The caller must hold the
// directory's lock. Returns a line for each journal that was not followed, with the reason.
std::vector<std::string> recover_directory(FileSystem& fs, const std::string& directory);
// Removes the files that dead writers left: temporary and recovery files, parts of sharded saves.
// Only names of own_names.h that are plain files, or directories that contain only such files. The
// caller must hold the directory's lock. Returns a line for each file that could not be removed.
std::vector<std::string> sweep_directory(FileSystem& fs, const std::string& directory);
// For writers without the directory's lock: removes the temporary files that no process is writing,
// and directories of parts if no other writer holds the lock. Errors are ignored.
void sweep_dead(FileSystem& fs, const std::string& directory);
// Removes a directory of parts if it contains nothing else and no process is writing them. Errors
// are ignored.
void remove_parts(FileSystem& fs, const std::string& directory);

}  // namespace cairn
