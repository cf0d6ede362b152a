// The journal of an overwriting: which files a checkpoint had, under which recovery names they are still there, and
// which files are to take their place. While it exists the older checkpoint counts; whoever finds it puts that back.
// docs/formats.md has its bytes.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "persist/file.h"

namespace cairn {

class OverwriteJournal {
 public:
  struct NewFile {
    std::string name;  // it will have
    std::string path;  // where it is now
  };

  OverwriteJournal(FileSystem& fs, std::string path);

  // Gives every file of `old` (paths) a recovery name and writes the journal, durably. On an error, call undo().
  void begin(const std::vector<std::string>& old, const std::vector<NewFile>& new_files);
  // The new files count from here on, durably. On an error, call undo().
  void end();
  // Removes the recovery names; what cannot be removed is left to the next save.
  void tidy();
  // Everything as before begin(), the new files gone. Throws when that cannot be done now: the journal then stays for
  // the next who looks.
  void undo();

  // Reads the journal and does what it says: undo(), or, where the names have other files by now than the older and
  // the new ones, nothing but removing it. A journal that cannot be read is removed. The caller has the directory's
  // lock.
  void recover();

 private:
  struct Identity {
    uint64_t size = 0;
    uint32_t crc = 0;  // of the last 64 KiB
    friend bool operator==(const Identity&, const Identity&) = default;
  };
  struct File {
    std::string name, link;  // link: of old files
    Identity identity;
  };
  Identity identify(const std::string& path) const;
  std::string in_directory(const std::string& name) const { return join_path(directory_, name); }
  void keep(const std::string& path, const std::string& link);
  void write();
  bool read();
  bool is_superseded() const;
  void roll_back();
  void remove_journal();

  FileSystem& fs_;
  std::string path_, directory_;
  std::vector<File> old_, new_;
  bool written_ = false, ended_ = false;
};

// True for a file that ends as tables do: what a V1 checkpoint is.
bool looks_like_table(FileSystem& fs, const std::string& path);

}  // namespace cairn
