#include "persist/files/settled_view.h"

#include <algorithm>

#include "persist/files/overwrite_journal.h"
#include "persist/files/own_names.h"

namespace cairn {
namespace {

[[noreturn]] void refuse(const std::string& path) {
  fail(Code::kFailedPrecondition, path, ": nothing is changed while a directory is only read");
}

}  // namespace

bool is_about_link(const Error& e) {
  return e.code() == Code::kPermissionDenied || e.code() == Code::kInvalidArgument;
}

SettledView::SettledView(FileSystem& inner, std::string directory,
                         const std::vector<std::string>& journals)
    : inner_(inner), directory_(std::move(directory)) {
  for (const std::string& journal : journals) follow(journal);
}

std::unique_ptr<SettledView> SettledView::of_directory(FileSystem& inner,
                                                       const std::string& directory) {
  std::vector<std::string> names = inner.list_dir(directory), journals;
  for (const std::string& name : names) {
    if (is_journal_name(name)) journals.push_back(join_path(directory, name));
  }
  auto view = std::make_unique<SettledView>(inner, directory, journals);
  view->listed_ = view->shown(std::move(names));
  return view;
}

void SettledView::follow(const std::string& path) {
  using Standing = OverwriteJournal::Standing;
  OverwriteJournal journal(inner_, path);
  std::optional<Standing> standing;
  constexpr int kMostTimes = 100;
  for (int times = 1;; ++times) {
    try {
      standing = journal.look();
      break;
    } catch (const Error& e) {
      // A concurrent writer has removed a file in between.
      if (e.code() != Code::kNotFound || times == kMostTimes) throw;
    }
  }
  if (standing) journals_.insert(path);
  if (standing == Standing::kForeign) foreign_[path] = journal.why();
  if (standing != Standing::kInForce) return;
  followed_.insert(path);
  for (auto& [name, place] : journal.older()) {
    if (place != name) hidden_.insert(place);
    places_[name] = place;
  }
  for (const std::string& name : journal.newcomers()) hidden_.insert(name);
}

std::optional<std::string> SettledView::place_of(const std::string& path) const {
  const std::string name = base_name(path);
  if (is_journal_name(name)) return std::nullopt;
  if (followed_.empty() || directory_of(path) != directory_) return path;
  if (const auto at = places_.find(name); at != places_.end())
    return join_path(directory_, at->second);
  return hidden_.count(name) ? std::nullopt : std::optional(path);
}

std::unique_ptr<RandomAccessFile> SettledView::open(const std::string& path) {
  const auto place = place_of(path);
  if (!place) fail(Code::kNotFound, path, ": opening for reading: there is no such file");
  return inner_.open(*place);
}

std::optional<FileInfo> SettledView::stat(const std::string& path) {
  const auto place = place_of(path);
  try {
    return place ? inner_.stat(*place) : std::nullopt;
  } catch (const Error& e) {
    if (!passes_over_links_ || !is_about_link(e)) throw;
    return std::nullopt;
  }
}

std::vector<std::string> SettledView::shown(std::vector<std::string> names) const {
  std::erase_if(names, [&](const std::string& name) {
    return is_journal_name(name) || hidden_.count(name) > 0;
  });
  const size_t there = names.size();
  for (const auto& [name, place] : places_) {
    if (!std::binary_search(names.begin(), names.begin() + static_cast<std::ptrdiff_t>(there),
                            name))
      names.push_back(name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::vector<std::string> SettledView::list_dir(const std::string& path) {
  if (path != directory_) return inner_.list_dir(path);
  return listed_ ? *listed_ : shown(inner_.list_dir(path));
}

std::unique_ptr<WritableFile> SettledView::create(const std::string& path) { refuse(path); }
void SettledView::rename(const std::string& from, const std::string&) { refuse(from); }
void SettledView::link(const std::string& from, const std::string&) { refuse(from); }
void SettledView::remove(const std::string& path) { refuse(path); }
void SettledView::create_dir(const std::string& path) { refuse(path); }
void SettledView::remove_dir(const std::string& path) { refuse(path); }
void SettledView::sync_dir(const std::string& path) { refuse(path); }
std::unique_ptr<DirLock> SettledView::lock_dir(const std::string& path) { refuse(path); }

std::unique_ptr<SettledView> view_for(FileSystem& fs, const std::string& path) {
  try {
    std::vector<std::string> journals = journals_about(path);
    std::erase_if(journals, [&](const std::string& journal) { return !fs.exists(journal); });
    if (journals.empty()) return nullptr;
    return std::make_unique<SettledView>(fs, directory_of(path), journals);
  } catch (const Error& e) {
    throw Error(e.code(), str_cat(path, ": looking for a journal about it: ", e.what()));
  }
}

}  // namespace cairn
