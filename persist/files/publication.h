// Publications: the files of one checkpoint get their names together, or none does.
//
// Where nothing is under the names yet, files are renamed into place, the one that makes it a
// checkpoint last. Where an older checkpoint is overwritten, its files are linked to recovery names
// first and a journal says which is which, so that readers find the older checkpoint and the next
// writer puts it back: see docs/formats.md, "Overwriting".
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
  // kLast: an index or a V1 file, by which readers know a checkpoint
  enum Place { kBefore, kLast };

  // `prefix` is the checkpoint's. Files are added until commit(). Destroyed without it, removes the
  // temporary files.
  Publication(FileSystem& fs, std::string prefix);
  ~Publication();
  Publication(const Publication&) = delete;
  Publication& operator=(const Publication&) = delete;

  // From now on everything that publish() is asked to publish under this prefix in this file system
  // is added here. The caller holds the directory's lock.
  void gather();

  // From now on nothing is replaced, also what comes between a look beforehand and commit(), which
  // then throws AlreadyExists. Nor is a file of the prefix left beside these that is not among
  // them: two writers of different formats, or of different numbers of files, would make a mixture.
  void only_new() { only_new_ = true; }

  // Takes over a file, which must be in the prefix's directory. Seals it.
  void add(AtomicFile& file, Place place);
  // A complete file that is to be called `path`. It keeps its old name if the publication fails.
  void move(std::string from, std::string path, Place place);
  // What to do once all is durable. Errors of it are passed over.
  void afterwards(std::function<void()> action) { afterwards_.push_back(std::move(action)); }

  // Everything under its name, durably. On an error, what was under the names before is there
  // again. Throws FailedPrecondition when something is to be overwritten, or to be put back first,
  // and another writer has the directory.
  void commit();

 private:
  struct Move {
    std::string from, path;
    bool temporary;
    std::unique_ptr<WritableFile> open;  // says that the temporary file is in use
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

// Lets `fill` add to the publication that gathers what is saved under `prefix`, or to one of its
// own, which is committed. A file of V1 may give its own name.
void publish(FileSystem& fs, const std::string& prefix,
             const std::function<void(Publication&)>& fill);

// Gives a file a name that none has, however late another writer takes it: then throws
// AlreadyExists, saying `to`. Where the file system has no second names, a moment is left in which
// it is replaced.
void rename_to_new(FileSystem& fs, const std::string& from, const std::string& to);

// For whoever has the directory's lock: puts back what dead writers left half overwritten. Says
// which journals were not followed, and why.
std::vector<std::string> recover_directory(FileSystem& fs, const std::string& directory);
// And removes the files they left: temporary and recovery files, parts of sharded saves. Only what
// has a name of own_names.h and is a plain file, or a directory with nothing but such files. Says
// what could not be removed.
std::vector<std::string> sweep_directory(FileSystem& fs, const std::string& directory);
// For whoever is about to write into a directory without having its lock: removes the temporary
// files in it that nobody is writing, and directories of parts where no writer has the lock. What
// cannot be removed stays.
void sweep_dead(FileSystem& fs, const std::string& directory);
// Removes a directory of parts, if nothing else is in it and none of it is being written. Passes
// over errors.
void remove_parts(FileSystem& fs, const std::string& directory);

}  // namespace cairn
