// The journal of an overwriting: which files a checkpoint had, under which recovery names they are
// still there, and which files are to take their place. While it exists the older checkpoint
// counts: readers read it where it is, and the next writer puts it back. docs/formats.md has its
// bytes.
//
// A journal is a file that anybody may have put there. It is followed only where it can do no harm:
// every name in it is one of the files of the prefix that its own name stands for, the older files
// are there as it describes them, and it belongs to the user of this process or to the one whose
// the checkpoint's files are.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "persist/files/file.h"

namespace cairn {

class OverwriteJournal {
 public:
  struct NewFile {
    std::string name;  // it will have
    std::string path;  // where it is now
  };

  OverwriteJournal(FileSystem& fs, std::string path);

  // Gives every file of `old` (paths) a recovery name and writes the journal, durably. On an error,
  // call undo().
  void begin(const std::vector<std::string>& old, const std::vector<NewFile>& new_files);
  // The new files count from here on, durably. On an error, call undo().
  void end();
  // Removes the recovery names; what cannot be removed is left to the next save.
  void tidy();
  // Everything as before begin(), the new files gone. Throws when that cannot be done now: the
  // journal then stays for the next who looks.
  void undo();

  enum class Standing {
    kInForce,  // the older checkpoint counts
    kSpent,    // the names have other files by now than the older and the new ones
    kForeign   // not to be followed: why() says what is wrong with it
  };
  // Reads the journal and what it speaks of, and changes nothing. Nothing where it is not there.
  std::optional<Standing> look();
  const std::string& why() const { return why_; }
  // Where each of the older files is now, by its name: under its recovery name, or already back.
  // For one in force.
  std::map<std::string, std::string> older() const;
  // The names of new files that replace none of the older. For one in force.
  std::vector<std::string> newcomers() const;

  // Looks, and puts the older checkpoint back where the journal is in force; removes one that is
  // spent, with its recovery files; leaves a foreign one alone. The caller has the directory's
  // lock.
  std::optional<Standing> recover();

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
  bool parse(std::string_view bytes);
  std::string what_is_wrong(const FileInfo& journal);
  std::string unfit_name() const;
  bool belongs_to_owner_of_files(const FileInfo& journal) const;
  void roll_back();
  void remove_journal();

  FileSystem& fs_;
  std::string path_, directory_;
  std::vector<File> old_, new_;
  // what the names and the recovery names have, when look() looked
  std::map<std::string, Identity> there_;
  std::string why_;
  bool written_ = false, ended_ = false;
};

// Where a journal would be that has to do with the file `path`, or with the checkpoint of that
// prefix.
std::vector<std::string> journals_about(const std::string& path);

// True for a file that ends as tables do: what a V1 checkpoint is.
bool looks_like_table(FileSystem& fs, const std::string& path);

}  // namespace cairn
