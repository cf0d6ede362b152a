// The journal of an overwritten checkpoint: its old files, the recovery names under which they
// still exist, and the files that replace them. While the journal exists the older checkpoint is
// the valid one: readers read it from the recovery names, and the next writer restores it.
// docs/formats.md has the format.
//
// Anybody may create a file with a journal's name. A journal is followed only if that is harmless:
// every name in it is a file of the prefix that the journal's name stands for, the older files
// exist as it describes them, and it belongs to the user of this process or to the owner of the
// checkpoint's files.
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
    std::string name;  // the name it will have
    std::string path;  // its present path
  };

  OverwriteJournal(FileSystem& fs, std::string path);

  // Links every file of `old` (paths) to a recovery name and writes the journal, durably. After an
  // error, call undo().
  void begin(const std::vector<std::string>& old, const std::vector<NewFile>& new_files);
  // Removes the journal, durably: the new files are valid from here on. After an error, call
  // undo().
  void end();
  // Removes the recovery names. Errors are ignored; the next save removes what is left.
  void tidy();
  // Restores the files as before begin() and removes the new ones. If that fails, throws, and the
  // journal remains for the next reader or writer.
  void undo();

  enum class Standing {
    // the older checkpoint is the valid one
    kInForce,
    // the files are neither the older nor the new ones: replaced since
    kSpent,
    // not followed: why() says what is wrong with it
    kForeign
  };
  // Reads the journal and checks the files it names. Changes nothing. nullopt if there is no
  // journal.
  std::optional<Standing> look();
  const std::string& why() const { return why_; }
  // The present name of each older file, by its own name: its recovery name, or its own name if it
  // was restored. For a journal in force.
  std::map<std::string, std::string> older() const;
  // The names of new files that do not replace an older one. For a journal in force.
  std::vector<std::string> newcomers() const;

  // Calls look(). Restores the older checkpoint if the journal is in force; removes a spent journal
  // with its recovery files; leaves a foreign one alone. The caller must hold the directory's lock.
  std::optional<Standing> recover();

 private:
  struct Identity {
    uint64_t size = 0;
    uint32_t crc = 0;  // of the last 64 KiB
    friend bool operator==(const Identity&, const Identity&) = default;
  };
  struct File {
    std::string name, link;  // link: the recovery name, of old files only
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
  // the files under names and recovery names at the time of look()
  std::map<std::string, Identity> there_;
  std::string why_;
  bool written_ = false, ended_ = false;
};

// The paths that a journal about the file or prefix `path` could have.
std::vector<std::string> journals_about(const std::string& path);

// True for a file that ends like a table, as V1 checkpoints do.
bool looks_like_table(FileSystem& fs, const std::string& path);

}  // namespace cairn
