#include "persist/extras/checkpoint_doctor.h"

#include <algorithm>
#include <map>
#include <set>
#include <unordered_map>
#include <unordered_set>

#include "persist/checkpoint/bundle.h"
#include "persist/checkpoint/checkpoint_state.h"
#include "persist/checkpoint/checkpoint_v1.h"
#include "persist/checkpoint/retention.h"
#include "persist/files/kept.h"
#include "persist/files/overwrite_journal.h"
#include "persist/files/publication.h"
#include "persist/files/settled_view.h"
#include "persist/graph/meta_graph.h"
#include "persist/graph/saved_model.h"

namespace cairn {
namespace {

constexpr std::string_view kIndexEnding = ".index", kMetaEnding = ".meta";

std::string without(const std::string& name, std::string_view ending) {
  return name.substr(0, name.size() - ending.size());
}

// The checkpoint that a data file belongs to, and the number of data files, according to its name;
// nullopt for other names.
struct DataName {
  std::string checkpoint;
  int shard = 0, shards = 0;
};
std::optional<DataName> parse_data_name(const std::string& name) {
  constexpr std::string_view kForm = ".data-00000-of-00001";
  if (name.size() <= kForm.size()) return std::nullopt;
  const size_t at = name.size() - kForm.size();
  for (size_t i = 0; i < kForm.size(); ++i) {
    const char c = name[at + i];
    const bool digit = c >= '0' && c <= '9';
    if (kForm[i] == '0' || kForm[i] == '1' ? !digit : c != kForm[i]) return std::nullopt;
  }
  return DataName{name.substr(0, at), std::stoi(name.substr(at + 6, 5)),
                  std::stoi(name.substr(at + 15, 5))};
}

// "model-100" is number 100 of the series "model".
std::pair<std::string, int64_t> series_of(const std::string& prefix) {
  const std::string name = base_name(without_shard_ending(prefix));
  const size_t dash = name.find_last_of('-');
  constexpr size_t kMostDigits = 18;
  const bool number = dash != std::string::npos && dash + 1 < name.size() &&
                      name.size() - dash - 1 <= kMostDigits &&
                      name.find_first_not_of("0123456789", dash + 1) == std::string::npos;
  return number ? std::pair(name.substr(0, dash),
                            static_cast<int64_t>(std::stoll(name.substr(dash + 1))))
                : std::pair(name, int64_t{-1});
}

bool by_number(const std::string& a, const std::string& b) {
  const auto of_a = series_of(a), of_b = series_of(b);
  return std::tuple(of_a.second, of_a.first, a) < std::tuple(of_b.second, of_b.first, b);
}

class Examination {
 public:
  // `locked`: the caller holds the directory's lock, so there is no other writer.
  Examination(const std::string& directory, FileSystem& fs, bool locked = false)
      : fs_(fs), view_(SettledView::of_directory(fs, directory)) {
    report_.directory = directory;
    fs_.exists(path(
        "."));  // throws if the directory is not readable, so that later errors are due to links
    view_->pass_over_links();
    if (locked) has_writer_ = false;
    for (const std::string& name : fs_.list_dir(directory))
      report_.files.push_back(classify(name, fs_));
    examine_saved_model();
    for (const DirectoryFile& file : report_.files) files_of_[file.checkpoint].push_back(&file);
    std::vector<DirectoryFile> as_it_counts = in_saved_model_;
    for (const std::string& name : view_->list_dir(directory))
      as_it_counts.push_back(classify(name, *view_));
    for (const DirectoryFile& file : as_it_counts) {
      if (file.role == FileRole::kIndex) examine_v2(file.checkpoint);
      if (file.role == FileRole::kV1) v1_.insert(file.checkpoint);
    }
    for (const std::string& name : v1_) examine_v1(name);
    std::sort(report_.checkpoints.begin(), report_.checkpoints.end(),
              [](const auto& a, const auto& b) { return by_number(a.prefix, b.prefix); });
    find_remains();
    examine_strays();
    examine_leftovers();
    for (const DirectoryCheckpoint& c : report_.checkpoints) {
      for (const std::string& what : c.problems) {
        const bool unread = unread_.count(c.prefix) > 0;
        problem(str_cat(base_name(c.prefix), ": ", what),
                unread ? "make it readable, or try again later: it is not known whether it is whole"
                       : "use another copy of it, or remove its files",
                false);
      }
    }
    examine_kept();
    examine_state();
    report_.being_written = has_writer_.value_or(false);
  }

  DirectoryReport take() { return std::move(report_); }
  // The prefixes that the checkpoint file should list, oldest first; empty if it is correct.
  const std::vector<std::string>& new_state() const { return new_state_; }

 private:
  std::string path(const std::string& name) const { return join_path(report_.directory, name); }
  void problem(std::string what, std::string remedy, bool can_repair) {
    report_.problems.push_back({std::move(what), std::move(remedy), can_repair});
  }

  // True if another writer holds the lock. Called only for findings that a writer could explain,
  // since the test takes the lock for a moment, in which a starting writer would be refused.
  bool has_writer() {
    if (has_writer_) return *has_writer_;
    has_writer_ = false;
    try {
      fs_.lock_dir(report_.directory);
    } catch (const Error& e) {
      has_writer_ = e.code() == Code::kFailedPrecondition;
    }
    return *has_writer_;
  }

  // Describes a file; nullopt if it does not exist or is a link that cannot be followed, which sets
  // `is_lost_link`.
  std::optional<FileInfo> look(const std::string& name, FileSystem& fs,
                               bool* is_lost_link = nullptr) const {
    try {
      return fs.stat(path(name));
    } catch (const Error& e) {
      if (!is_about_link(e)) throw;
      if (is_lost_link) *is_lost_link = true;
      return std::nullopt;
    }
  }

  DirectoryFile classify(const std::string& name, FileSystem& fs) const {
    bool is_lost_link = false;
    const auto info = look(name, fs, &is_lost_link);
    DirectoryFile file{name, is_lost_link ? FileRole::kLink : FileRole::kOther,
                       info && !info->is_directory ? info->size : 0, ""};
    const auto is = [&](FileRole role, std::string checkpoint = "") {
      file.role = role;
      file.checkpoint = std::move(checkpoint);
      return file;
    };
    if (info && info->is_directory)
      return is(is_parts_directory_name(name) ? FileRole::kParts : FileRole::kDirectory);
    // These are pipes, devices, sockets, dangling links, and links with names that Cairn makes for
    // itself.
    if (!info || info->is_special || (info->is_link && is_own_name(name))) return file;
    if (is_temporary_name(name)) return is(FileRole::kTemporary);
    if (is_journal_name(name)) return is(FileRole::kJournal);
    if (is_recovery_name(name)) return is(FileRole::kRecovery);
    if (name == kCheckpointFileName) return is(FileRole::kState);
    if (name == kKeptFileName) return is(FileRole::kKept);
    if (path(name) == saved_model_graph_path(report_.directory, view_.get()))
      return is(FileRole::kSavedModel);
    if (name.ends_with(kIndexEnding) && name.size() > kIndexEnding.size()) {
      return is(FileRole::kIndex, without(name, kIndexEnding));
    }
    if (const auto data = parse_data_name(name)) return is(FileRole::kData, data->checkpoint);
    if (name.ends_with(kMetaEnding) && name.size() > kMetaEnding.size()) {
      return is(FileRole::kMetaGraph, without(name, kMetaEnding));
    }
    if (name.find("tfevents") != std::string::npos) return is(FileRole::kEvents);
    // A damaged V1 file is recognised by its meta graph.
    if (is_table(name, fs) || is_file(meta_graph_path(name), fs)) {
      return is(FileRole::kV1, v1_checkpoint(name));
    }
    return file;
  }

  bool is_table(const std::string& name, FileSystem& fs) const {
    try {
      return looks_like_table(fs, path(name));
    } catch (const Error&) {  // an unreadable file is assumed to be unrelated
      return false;
    }
  }

  // "m-00000-of-00002" -> "m-?????-of-00002", the common name of all its files.
  static std::string v1_checkpoint(const std::string& name) {
    const std::string begin = without_shard_ending(name);
    if (begin == name) return name;
    std::string pattern = name;
    std::fill_n(pattern.begin() + static_cast<std::ptrdiff_t>(begin.size()) + 1, 5, '?');
    return pattern;
  }

  bool is_file(const std::string& name, FileSystem& fs) const {
    const auto info = look(name, fs);
    return info && info->is_file();
  }

  // True if a writer began or completed overwriting it during the examination.
  bool is_disturbed(const std::string& prefix) const {
    const std::string journal = journal_path(prefix);
    return fs_.exists(journal) != (view_->journals().count(journal) > 0);
  }

  template <class Check>
  void add(const std::string& name, CheckpointFormat format, Check check) {
    DirectoryCheckpoint c{path(name), format, 0, {}};
    bool damaged = false, unread = false;
    const auto try_to = [&](auto action) {
      try {
        action();
      } catch (const Error& e) {
        c.problems.push_back(e.what());
        const bool of_its_bytes = e.code() == Code::kDataLoss || e.code() == Code::kNotFound ||
                                  e.code() == Code::kInvalidArgument ||
                                  e.code() == Code::kFailedPrecondition;
        (of_its_bytes ? damaged : unread) = true;
      }
    };
    const std::string graphs_of = without_shard_ending(name);
    for (const DirectoryFile* file : files_of_[name]) {
      if (file->role != FileRole::kMetaGraph) c.size += file->size;
    }
    for (const DirectoryFile* file : files_of_[graphs_of]) {
      if (file->role != FileRole::kMetaGraph) continue;
      c.size += file->size;
      try_to([&] { MetaGraph::read(path(file->name), {.tags = {}, .file_system = view_.get()}); });
    }
    try_to([&] { check(c); });
    // A mixture of the older and the newer files was read, which is not damage.
    if (is_disturbed(c.prefix)) c.problems.clear();
    if (!c.whole() && unread && !damaged) unread_.insert(c.prefix);
    // Removed by the retention of a writer since the directory was listed.
    const bool just_removed = !c.whole() && !is_still_there(c.prefix);
    if (!just_removed) report_.checkpoints.push_back(std::move(c));
  }

  bool is_still_there(const std::string& prefix) const {
    try {
      return checkpoint_exists(prefix, &fs_);
    } catch (const Error& e) {
      if (!is_about_link(e)) throw;
      return true;
    }
  }

  // Examines the graph, and lists the files in variables/ as if they were in this directory.
  void examine_saved_model() {
    const std::string graph = saved_model_graph_path(report_.directory, view_.get());
    if (graph.empty()) return;
    is_saved_model_ = true;
    try {
      MetaGraph::read(graph, {.tags = {}, .file_system = view_.get()});
    } catch (const Error& e) {
      problem(e.what(), "use another copy of the SavedModel", false);
    }
    const std::string below =
        base_name(directory_of(saved_model_variables_path(report_.directory)));
    const auto info = view_->stat(path(below));
    if (!info || !info->is_directory) return;
    for (const std::string& name : view_->list_dir(path(below))) {
      DirectoryFile file = classify(join_path(below, name), *view_);
      if (file.role == FileRole::kIndex || file.role == FileRole::kData)
        in_saved_model_.push_back(std::move(file));
    }
    report_.files.insert(report_.files.end(), in_saved_model_.begin(), in_saved_model_.end());
  }

  // True for a SavedModel and its variables/: it has one set of values and needs no checkpoint
  // file.
  bool belongs_to_saved_model() const {
    const std::string above = directory_of(report_.directory);
    return is_saved_model_ ||
           (!saved_model_graph_path(above, view_.get()).empty() &&
            report_.directory == directory_of(saved_model_variables_path(above)));
  }

  void examine_v2(const std::string& name) {
    add(name, CheckpointFormat::kV2, [&](DirectoryCheckpoint& c) {
      const BundleReader reader(*view_, c.prefix);
      shards_[name] = reader.num_shards();
      std::set<int> needed;
      for (const BundlePiece& piece : reader.pieces_in_file_order()) {
        if (piece.size > 0) needed.insert(piece.shard);
      }
      std::vector<std::string> missing;
      for (const int shard : needed) {
        const std::string data = bundle_data_path(c.prefix, shard, reader.num_shards());
        if (!view_->exists(data)) missing.push_back(base_name(data));
      }
      if (!missing.empty()) fail(Code::kDataLoss, "missing: ", join_for_people(missing));
      reader.verify();
    });
  }

  void examine_v1(const std::string& name) {
    add(name, CheckpointFormat::kV1, [&](DirectoryCheckpoint& c) {
      const CheckpointV1Reader reader(*view_, c.prefix);
      if (reader.missing_files() > 0)
        fail(Code::kDataLoss, reader.missing_files(), " of its files are missing");
      reader.verify();
    });
  }

  void find_remains() {
    try {
      const auto remains = remains_of_removals(report_.directory, fs_);
      remains_.insert(remains.begin(), remains.end());
    } catch (const Error&) {  // examine_kept() reports a damaged .cairn
    }
  }

  // Reports data files that no index lists.
  void examine_strays() {
    std::map<std::string, std::vector<std::string>> strays;
    for (const DirectoryFile& file : report_.files) {
      // hidden by the view: restoring the older checkpoint removes it
      const bool in_place = view_->exists(path(file.name));
      if (file.role != FileRole::kData || !in_place || is_disturbed(path(file.checkpoint)) ||
          remains_.count(path(file.name)))
        continue;
      const auto shards = shards_.find(file.checkpoint);
      const bool has_index = view_->exists(bundle_index_path(path(file.checkpoint)));
      if (!has_index) strays[file.checkpoint + " has no index"].push_back(file.name);
      if (shards != shards_.end() && parse_data_name(file.name)->shards != shards->second) {
        strays[str_cat(file.checkpoint, " has ", shards->second,
                       shards->second == 1 ? " data file" : " data files")]
            .push_back(file.name);
      }
    }
    for (const auto& [why, names] : strays) {
      problem(str_cat(why, ", so that ", join_for_people(names), names.size() == 1 ? " is" : " are",
                      " of no use"),
              str_cat("unless the index can be found, remove by hand what is of no use: --fix does "
                      "not, for ",
                      kKeptFileName, " does not say that Cairn was removing it"),
              false);
    }
  }

  bool is_in_use(const std::string& name) const {
    try {
      return fs_.is_being_written(path(name));
    } catch (const Error& e) {
      if (e.code() != Code::kNotFound) throw;
      return true;  // just renamed by its writer
    }
  }

  // The files in a directory of parts that keep it from being removed; empty if all may be removed.
  std::vector<std::string> strangers_in(const std::string& parts) {
    std::vector<std::string> strangers;
    try {
      for (const std::string& name : fs_.list_dir(path(parts))) {
        const std::string below = join_path(parts, name);
        const auto info = look(below, fs_);
        if (!is_part_name(name) || !info || !info->is_file() || info->is_link) {
          strangers.push_back(name);
        } else if (is_in_use(below)) {
          has_writer_ = true;
        }
      }
    } catch (const Error& e) {
      if (e.code() != Code::kNotFound)
        strangers.push_back(str_cat("what may not be looked at (", e.what(), ")"));
    }
    return strangers;
  }

  void examine_leftovers() {
    examine_strangers();
    std::vector<std::string> leftovers, recovery, journals;
    std::map<std::string, std::vector<std::string>> kept_parts;
    for (const DirectoryFile& file : report_.files) {
      const bool temporary = file.role == FileRole::kTemporary;
      if (temporary && is_in_use(file.name)) has_writer_ = true;
      if (file.role == FileRole::kParts) {
        auto strangers = strangers_in(file.name);
        if (strangers.empty()) leftovers.push_back(file.name);
        if (!strangers.empty()) kept_parts[file.name] = std::move(strangers);
      }
      if (temporary) leftovers.push_back(file.name);
      if (file.role == FileRole::kJournal && !view_->foreign().count(path(file.name)))
        journals.push_back(file.name);
      if (file.role == FileRole::kRecovery) recovery.push_back(file.name);
    }
    const bool none = leftovers.empty() && recovery.empty() && journals.empty() &&
                      kept_parts.empty() && remains_.empty();
    if (none || has_writer()) return;
    if (!remains_.empty()) {
      std::vector<std::string> names;
      for (const std::string& file : remains_) names.push_back(base_name(file));
      problem(str_cat("left by a writer that died while it removed an old checkpoint: ",
                      join_for_people(names)),
              "remove the rest", true);
    }
    for (const auto& [parts, strangers] : kept_parts) {
      problem(
          str_cat(
              parts,
              " is left by a writer that died, and is kept for files in it that no save makes: ",
              join_for_people(strangers)),
          "put that elsewhere, and --fix will remove the rest", false);
    }
    // recovery files are kept as long as there is a foreign journal
    if (!view_->foreign().empty()) recovery.clear();
    if (!journals.empty()) {
      problem(str_cat("a writer died while it overwrote a checkpoint: ", join_for_people(journals)),
              "put back the one that was there before", true);
    } else {
      leftovers.insert(leftovers.end(), recovery.begin(), recovery.end());
    }
    if (leftovers.empty()) return;
    problem(str_cat("left by a writer that died: ", join_for_people(leftovers)),
            "remove what it left", true);
  }

  // Reports links, pipes and the like under names of Cairn's files.
  void examine_strangers() {
    for (const auto& [journal, why] : view_->foreign()) {
      problem(str_cat(base_name(journal), " has the name of a journal and is not followed: ", why),
              "find out whose it is and remove it", false);
    }
    for (const DirectoryFile& file : report_.files) {
      const bool is_link = file.role == FileRole::kLink;
      const bool has_role = is_own_name(file.name) || file.name == kCheckpointFileName ||
                            file.name == kKeptFileName || file.name.ends_with(kIndexEnding) ||
                            file.name.ends_with(kMetaEnding) || parse_data_name(file.name);
      if ((file.role != FileRole::kOther && !is_link) || !has_role) continue;
      const auto info = look(file.name, fs_);
      // A plain file that only has such a name belongs to the user.
      const bool is_plain = info && !info->is_link && !info->is_special;
      if (is_plain || view_->foreign().count(path(file.name))) continue;
      const char* what = is_link         ? "a symbolic link that cannot be followed"
                         : !info         ? "a symbolic link that leads nowhere"
                         : info->is_link ? "a symbolic link"
                                         : "neither a file nor a directory";
      problem(str_cat(file.name, " is ", what, ", and nothing reads or removes it"),
              "find out whose it is and remove it", false);
    }
  }

  void examine_kept() {
    try {
      kept_checkpoints(report_.directory, view_.get());
    } catch (const Error& e) {
      problem(e.what(), "remove it; older checkpoints then stay until they are removed by hand",
              false);
    }
  }

  const DirectoryCheckpoint* find_whole(const std::string& prefix) const {
    const auto at = std::find_if(report_.checkpoints.begin(), report_.checkpoints.end(),
                                 [&](const auto& c) { return c.prefix == prefix && c.whole(); });
    return at == report_.checkpoints.end() ? nullptr : &*at;
  }

  double modified(const DirectoryCheckpoint& c) const {
    const auto files = c.format == CheckpointFormat::kV2
                           ? std::vector<std::string>{bundle_index_path(c.prefix)}
                           : checkpoint_v1_files(*view_, c.prefix);
    const auto info = files.empty() ? std::nullopt : view_->stat(files[0]);
    return info ? info->modified : 0;
  }

  // The checkpoint to continue from: the last one of the series that was written most recently.
  const DirectoryCheckpoint* newest_whole() const {
    std::map<std::string, std::pair<double, const DirectoryCheckpoint*>> series;
    for (const DirectoryCheckpoint& c : report_.checkpoints) {
      if (!c.whole()) continue;
      auto& [time, last] = series[series_of(c.prefix).first];
      time = std::max(time, modified(c));
      last = &c;  // checkpoints are ordered by number
    }
    const DirectoryCheckpoint* newest = nullptr;
    double newest_time = -1;
    for (const auto& [name, entry] : series) {
      if (entry.first <= newest_time) continue;
      newest_time = entry.first;
      newest = entry.second;
    }
    return newest;
  }

  // Reports a directory under the name of the checkpoint file, which neither a save nor a repair
  // can replace.
  bool is_state_a_directory() {
    const auto info = look(kCheckpointFileName, fs_);
    if (!info || !info->is_directory || info->is_link) return false;
    problem(str_cat(kCheckpointFileName,
                    " is a directory, where the file belongs that names the newest checkpoint; ",
                    "saves fail for it"),
            "give it another name", false);
    return true;
  }

  void examine_state() {
    if (is_state_a_directory()) return;
    std::optional<CheckpointState> state;
    std::string wrong;
    bool damaged = false;
    try {
      state = get_checkpoint_state(report_.directory, kCheckpointFileName, view_.get());
      if (!state && belongs_to_saved_model()) return;
      if (!state && !report_.checkpoints.empty())
        wrong = "there is no checkpoint file, which names the newest one";
    } catch (const Error& e) {
      wrong = e.what();
      damaged = true;
    }
    if (state && directory_of(state->model_checkpoint_path) != report_.directory &&
        checkpoint_exists(state->model_checkpoint_path, view_.get())) {
      // a checkpoint of another directory, which is not examined
      report_.newest = state->model_checkpoint_path;
      return;
    }
    // If the named checkpoint could not be read, it is unknown whether the checkpoint file is
    // correct.
    if (state && unread_.count(state->model_checkpoint_path)) return;
    const DirectoryCheckpoint* newest = state ? newest_of_state(*state, wrong) : newest_whole();
    if (newest) report_.newest = newest->prefix;
    if (state && wrong.empty()) check_listed(*state, wrong);
    // A running save may not have written the checkpoint file yet.
    if (wrong.empty() || has_writer()) return;
    // Commands that write a checkpoint write no checkpoint file, so only in a saver's directory is
    // its absence a problem.
    const bool wanted = state || damaged || fs_.exists(path(kKeptFileName));
    (wanted ? report_.problems : report_.notes)
        .push_back({wrong,
                    newest ? str_cat("write it anew, naming ", base_name(newest->prefix))
                           : "no checkpoint here is whole",
                    newest != nullptr});
    if (newest) decide_state(state, newest->prefix);
  }

  // The checkpoint that the checkpoint file names or should name; describes a difference in
  // `wrong`.
  const DirectoryCheckpoint* newest_of_state(const CheckpointState& state,
                                             std::string& wrong) const {
    const DirectoryCheckpoint* named = find_whole(state.model_checkpoint_path);
    if (!named) {
      wrong = str_cat("the checkpoint file names ", base_name(state.model_checkpoint_path),
                      ", which is not ", is_there(state.model_checkpoint_path) ? "whole" : "there");
      return newest_whole();
    }
    const DirectoryCheckpoint* newest = named;
    for (const DirectoryCheckpoint& c : report_.checkpoints) {
      const auto a = series_of(c.prefix), b = series_of(newest->prefix);
      if (c.whole() && a.first == b.first && a.second > b.second &&
          modified(c) >= modified(*newest))
        newest = &c;
    }
    if (newest != named) {
      wrong = str_cat("the checkpoint file names ", base_name(named->prefix), ", and ",
                      base_name(newest->prefix), " is newer");
    }
    return newest;
  }

  bool is_there(const std::string& prefix) const {
    return std::any_of(report_.checkpoints.begin(), report_.checkpoints.end(),
                       [&](const auto& c) { return c.prefix == prefix; });
  }

  void check_listed(const CheckpointState& state, std::string& wrong) const {
    std::unordered_set<std::string> there;
    for (const DirectoryCheckpoint& c : report_.checkpoints) there.insert(c.prefix);
    std::vector<std::string> gone;
    for (const std::string& prefix : state.all_model_checkpoint_paths) {
      if (directory_of(prefix) == report_.directory && !there.count(prefix))
        gone.push_back(base_name(prefix));
    }
    if (gone.empty()) return;
    wrong = str_cat("the checkpoint file lists ", join_for_people(gone),
                    gone.size() == 1 ? ", which is" : ", which are", " not there");
  }

  // Fills new_state_: the complete checkpoints that the file listed, and newer ones of the same
  // series.
  void decide_state(const std::optional<CheckpointState>& state, const std::string& newest) {
    const auto [series, number] = series_of(newest);
    std::set<std::string> listed;
    int64_t known = -2;  // less than all numbers
    if (state) {
      listed.insert(state->all_model_checkpoint_paths.begin(),
                    state->all_model_checkpoint_paths.end());
      const auto named = series_of(state->model_checkpoint_path);
      known = named.first == series ? named.second : number;
    }
    for (const DirectoryCheckpoint& c : report_.checkpoints) {
      const auto of = series_of(c.prefix);
      const bool missed = of.first == series && of.second > known && of.second <= number;
      if (c.whole() && c.prefix != newest && (missed || listed.count(c.prefix)))
        new_state_.push_back(c.prefix);
    }
    new_state_.push_back(newest);
  }

  FileSystem& fs_;
  std::unique_ptr<SettledView> view_;
  std::vector<DirectoryFile> in_saved_model_;  // the files of its variables/
  bool is_saved_model_ = false;
  DirectoryReport report_;
  std::unordered_map<std::string, std::vector<const DirectoryFile*>> files_of_;  // by checkpoint
  std::set<std::string> v1_;
  std::set<std::string> unread_;   // prefixes that could not be read for other reasons than damage
  std::set<std::string> remains_;  // paths of files of checkpoints that were being removed
  std::map<std::string, int> shards_;  // the number of data files, from the indexes
  std::optional<bool> has_writer_;
  std::vector<std::string> new_state_;
};

// Removes slashes at the end, and throws if `directory` is not one.
std::string plain(const std::string& directory, FileSystem& fs) {
  std::string path = directory;
  while (path.size() > 1 && path.ends_with('/')) path.pop_back();
  const auto info = fs.stat(path);
  if (!info) fail(Code::kNotFound, directory, ": there is no such directory");
  if (!info->is_directory)
    fail(Code::kFailedPrecondition, directory, ": this is a file; give the directory it is in");
  return path;
}

}  // namespace

std::string role_name(FileRole role) {
  static constexpr const char* kNames[] = {"checkpoint state",
                                           "retention record",
                                           "index",
                                           "data",
                                           "V1 checkpoint",
                                           "graph",
                                           "graph of a SavedModel",
                                           "temporary",
                                           "parts of a save",
                                           "recovery journal",
                                           "recovery file",
                                           "events",
                                           "directory",
                                           "link that cannot be followed",
                                           "other"};
  return kNames[static_cast<size_t>(role)];
}

DirectoryReport examine_directory(const std::string& directory, FileSystem* file_system) {
  FileSystem& fs = or_posix(file_system);
  return Examination(plain(directory, fs), fs).take();
}

std::vector<std::string> repair_directory(const std::string& directory, FileSystem* file_system) {
  FileSystem& fs = or_posix(file_system);
  const std::string path = plain(directory, fs);
  std::vector<std::string> done;
  const auto names = [&](auto is) {
    std::vector<std::string> found = fs.list_dir(path);
    std::erase_if(found, [&](const std::string& name) { return !is(name); });
    return found;
  };
  const auto is_leftover = [](const std::string& name) {
    return is_temporary_name(name) || is_recovery_name(name) || is_parts_directory_name(name);
  };
  const auto lock = fs.lock_dir(path);
  const size_t journals = names(is_journal_name).size();
  recover_directory(fs, path);
  if (names(is_journal_name).size() < journals)
    done.push_back("put back what was there before an overwriting that was interrupted");
  const auto before = names(is_leftover);
  std::vector<std::string> failed = sweep_directory(fs, path), removed;
  const auto after = names(is_leftover);
  std::set_difference(before.begin(), before.end(), after.begin(), after.end(),
                      std::back_inserter(removed));
  if (!removed.empty()) done.push_back(str_cat("removed ", join_for_people(removed)));
  done.insert(done.end(), failed.begin(), failed.end());
  removed.clear();
  try {
    for (const std::string& file : remains_of_removals(path, fs)) {
      fs.remove(file);
      removed.push_back(base_name(file));
    }
  } catch (const Error& e) {
    failed = {str_cat("the rest of an old checkpoint could not be removed: ", e.what())};
    done.insert(done.end(), failed.begin(), failed.end());
  }
  if (!removed.empty())
    done.push_back(str_cat("removed the rest of an old checkpoint: ", join_for_people(removed)));
  if (std::vector<std::string> state = Examination(path, fs, true).new_state(); !state.empty()) {
    const std::string newest = state.back();
    update_checkpoint_state(path, newest, std::move(state), kCheckpointFileName, &fs);
    done.push_back(str_cat("wrote the checkpoint file, which names ", base_name(newest)));
  }
  return done;
}

}  // namespace cairn
