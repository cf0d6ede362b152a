#include "tests/support/crash_model.h"

#include <memory>
#include <random>

namespace cairn {
namespace {

constexpr size_t kSector = 512;

struct Inode {
  std::string synced, now;
  double modified = 0;
};
using File = std::shared_ptr<Inode>;

// A change of names in a directory, not certain until the directory is synced.
struct NameChange {
  std::string removed, added;  // one or both
  File file;                   // the file called `added`; null: a directory
  bool of_directory = false;
};

enum Bytes { kLost, kZeroed, kTorn, kWritten };

class Disk {
 public:
  explicit Disk(const CrashState& state) : directories_(state.directories), clock_(state.clock) {
    for (const auto& [path, bytes] : state.files) {
      const auto changed = state.modified.find(path);
      const double modified = changed == state.modified.end() ? 0 : changed->second;
      names_[path] = certain_[path] = std::make_shared<Inode>(Inode{bytes, bytes, modified});
    }
  }

  void apply(const FileOp& op) {
    switch (op.kind) {
      case FileOp::kCreate: {
        File& file = names_[op.path];
        if (file) {  // truncated
          file->now.clear();
          file->modified = clock_++;
          break;
        }
        file = std::make_shared<Inode>(Inode{"", "", clock_++});
        pending_.push_back({"", op.path, file});
        break;
      }
      case FileOp::kAppend:
        names_.at(op.path)->now += op.bytes;
        names_.at(op.path)->modified = clock_++;
        break;
      case FileOp::kSync:
        names_.at(op.path)->synced = names_.at(op.path)->now;
        break;
      case FileOp::kRename: {
        const File file = names_.at(op.path);
        if (names_.count(op.to) && names_.at(op.to) == file) break;
        names_.erase(op.path);
        names_[op.to] = file;
        pending_.push_back({op.path, op.to, file});
        break;
      }
      case FileOp::kLink:
        names_[op.to] = names_.at(op.path);
        pending_.push_back({"", op.to, names_.at(op.path)});
        break;
      case FileOp::kRemove:
        pending_.push_back({op.path, "", names_.at(op.path)});
        names_.erase(op.path);
        break;
      case FileOp::kCreateDir:
        if (!directories_.count(op.path)) pending_.push_back({"", op.path, nullptr, true});
        break;
      case FileOp::kRemoveDir:
        pending_.push_back({op.path, "", nullptr, true});
        break;
      case FileOp::kSyncDir:
        sync_directory(op.path);
        break;
      default:
        break;
    }
  }

  // Adds all states in which some of the pending changes of names, and some bytes of unsynced
  // files, have reached the disk.
  void enumerate(const CrashOptions& options, const std::function<void(CrashState)>& visit) const {
    for (const std::vector<bool>& kept : choices(options)) {
      auto names = certain_;
      auto directories = directories_;
      for (size_t i = 0; i < pending_.size(); ++i) {
        if (kept[i]) change(pending_[i], names, directories);
      }
      bool unsynced = false;
      for (const auto& [path, file] : names) unsynced |= file->synced != file->now;
      for (const Bytes how : {kWritten, kLost, kZeroed, kTorn}) {
        CrashState state{.files = {}, .directories = directories, .modified = {}, .clock = clock_};
        for (const auto& [path, file] : names) {
          // A name in a directory that is not on the disk is not on the disk either.
          if (const std::string in = directory_of(path);
              in == "." || in == "/" || directories.count(in)) {
            state.files[path] = bytes_of(*file, how);
            state.modified[path] = file->modified;
          }
        }
        visit(std::move(state));
        if (!unsynced) break;
      }
    }
  }

 private:
  using Names = std::map<std::string, File>;

  static void change(const NameChange& c, Names& names, std::set<std::string>& directories) {
    if (c.of_directory) {
      if (!c.removed.empty()) directories.erase(c.removed);
      if (!c.added.empty()) directories.insert(c.added);
      return;
    }
    const auto old = names.find(c.removed);
    if (old != names.end() && old->second == c.file) names.erase(old);
    if (!c.added.empty()) names[c.added] = c.file;
  }

  void sync_directory(const std::string& directory) {
    std::vector<NameChange> left;
    for (NameChange& c : pending_) {
      const bool here = (!c.added.empty() && directory_of(c.added) == directory) ||
                        (!c.removed.empty() && directory_of(c.removed) == directory);
      if (here) {
        change(c, certain_, directories_);
      } else {
        left.push_back(std::move(c));
      }
    }
    pending_ = std::move(left);
  }

  static std::string bytes_of(const Inode& file, Bytes how) {
    if (file.now == file.synced || how == kWritten) return file.now;
    if (how == kLost || file.now.size() <= file.synced.size()) return file.synced;
    const size_t more = file.now.size() - file.synced.size();
    if (how == kZeroed) return file.synced + std::string(more, '\0');
    const size_t sectors = (more + kSector - 1) / kSector;
    return file.now.substr(0, file.synced.size() + sectors / 2 * kSector);
  }

  std::vector<std::vector<bool>> choices(const CrashOptions& options) const {
    const size_t n = pending_.size();
    std::vector<std::vector<bool>> all;
    if (n <= options.most_combined) {
      for (size_t bits = 0; bits < size_t{1} << n; ++bits) {
        all.emplace_back(n);
        for (size_t i = 0; i < n; ++i) all.back()[i] = ((bits >> i) & 1) != 0;
      }
      return all;
    }
    all.emplace_back(n, true);
    for (size_t i = 0; i < n; ++i) {
      all.emplace_back(n, true);
      all.back()[i] = false;
      all.emplace_back(n, false);
      all.back()[i] = true;
      all.emplace_back(n, false);
      for (size_t k = 0; k < i; ++k) all.back()[k] = true;
    }
    std::mt19937 random(static_cast<unsigned>(n));
    for (size_t draw = 0; draw < options.draws; ++draw) {
      all.emplace_back(n);
      for (size_t i = 0; i < n; ++i) all.back()[i] = (random() & 1) != 0;
    }
    return all;
  }

  Names names_, certain_;
  std::set<std::string> directories_;
  double clock_;
  std::vector<NameChange> pending_;
};

}  // namespace

size_t for_each_crash_state(const CrashState& before, const std::vector<FileOp>& changes,
                            const CrashOptions& options,
                            const std::function<void(const CrashState&)>& check) {
  Disk disk(before);
  std::set<CrashState> seen;
  for (size_t n = 0; n <= changes.size(); ++n) {
    if (n > 0) disk.apply(changes[n - 1]);
    disk.enumerate(options, [&](CrashState state) {
      state.acknowledged = n >= options.acknowledged_after;
      if (const auto [at, is_new] = seen.insert(std::move(state)); is_new) check(*at);
    });
  }
  return seen.size();
}

}  // namespace cairn
