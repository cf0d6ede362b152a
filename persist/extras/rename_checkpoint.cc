#include "persist/extras/rename_checkpoint.h"

#include <unordered_map>

#include "persist/checkpoint/checkpoint_reader.h"
#include "persist/checkpoint/copying.h"
#include "persist/files/publication.h"

namespace cairn {
namespace {

void require_use(const Renaming& renaming, const std::string& prefix,
                 const std::vector<std::string>& names) {
  if (renaming.unmatched.empty()) return;
  std::string text = str_cat(prefix, ": nothing was written; no name fits");
  for (const std::string& rule : renaming.unmatched) {
    text += str_cat("\n  ", rule);
    if (rule.find('=') == std::string::npos) continue;
    const auto near = nearest_names(rule.substr(0, rule.find('=')), names);
    if (!near.empty()) text += str_cat("   (did you mean ", join_for_people(near), "?)");
  }
  fail(Code::kNotFound, text);
}

}  // namespace

std::vector<std::pair<std::string, std::string>> rename_checkpoint(
    const std::string& source, const std::string& destination, const NameRules& rules,
    const RenameCheckpointOptions& options) {
  FileSystem& fs = or_posix(options.file_system);
  const CheckpointReader reader(source, &fs);
  const auto names = reader.names();
  Renaming renaming(rules, names);
  if (!renaming.clashes.empty())
    fail(Code::kInvalidArgument, reader.prefix(),
         ": nothing was written; names would be the same:\n  ", renaming.clash_text());
  require_use(renaming, reader.prefix(), names);
  check_copy_paths(fs, reader.prefix(), destination, /*make_folder=*/!options.dry_run);
  if (!options.dry_run) {
    const std::unordered_map<std::string, std::string> new_names(renaming.names.begin(),
                                                                 renaming.names.end());
    Publication publication(fs, destination);
    publication.gather();
    publication.only_new();
    copy_checkpoint(fs, reader.prefix(), destination,
                    [&](const std::string& name) { return new_names.at(name); });
    publication.commit();
  }
  return std::move(renaming.names);
}

}  // namespace cairn
