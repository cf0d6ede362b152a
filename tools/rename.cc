#include <algorithm>
#include <iostream>

#include "persist/checkpoint/checkpoint_state.h"
#include "persist/extras/rename_checkpoint.h"
#include "tools/command_files.h"
#include "tools/commands.h"
#include "tools/json.h"

namespace cairn {
namespace {

struct RenameArguments {
  std::string source, destination;
  std::vector<std::string> rules, exact;
  bool dry_run = false, json = false;
};

// OLD and NEW of "OLD=NEW"; an = that belongs to OLD is written \=.
std::pair<std::string, std::string> names_of(const std::string& pair) {
  std::string old;
  for (size_t i = 0; i < pair.size(); ++i) {
    if (pair[i] == '=') return {old, pair.substr(i + 1)};
    if (pair.compare(i, 2, "\\=") == 0) ++i;
    old += pair[i];
  }
  throw UsageError(str_cat("--map ", pair, ": there is no = between two names"));
}

NameRules rules_of(const RenameArguments& o) {
  if (o.rules.empty() && o.exact.empty())
    throw UsageError("give --re 's/OLD/NEW/' or --map OLD=NEW");
  try {
    NameRules rules(o.rules);
    for (const std::string& pair : o.exact) {
      const auto [from, to] = names_of(pair);
      rules.add(from, to);
    }
    return rules;
  } catch (const Error& e) {
    throw UsageError(e.what());
  }
}

void print_json(const RenameArguments& o,
                const std::vector<std::pair<std::string, std::string>>& names) {
  Json j;
  j.object()
      .key("source")
      .value(o.source)
      .key("destination")
      .value(o.destination)
      .key("dry_run")
      .value(o.dry_run);
  j.key("renamed").array();
  for (const auto& [from, to] : names) {
    if (from != to) j.object().key("from").value(from).key("to").value(to).end();
  }
  j.end().key("unchanged").array();
  for (const auto& [from, to] : names) {
    if (from == to) j.value(from);
  }
  j.end().end();
  std::cout << j.text() << "\n";
}

void print_text(const RenameArguments& o,
                const std::vector<std::pair<std::string, std::string>>& names) {
  size_t renamed = 0, width = 0;
  for (const auto& [from, to] : names) {
    if (from != to) width = std::max(width, std::min<size_t>(from.size(), 60));
  }
  for (const auto& [from, to] : names) {
    if (from == to) continue;
    ++renamed;
    std::cout << printable(from) << std::string(width - std::min(width, from.size()), ' ') << " -> "
              << printable(to) << "\n";
  }
  std::cout << o.destination << (o.dry_run ? ": not written (--dry-run), " : ": ") << renamed
            << " of " << names.size() << (names.size() == 1 ? " name" : " names") << " changed\n";
}

int rename(const RenameArguments& o) {
  const auto names = rename_checkpoint(o.source, o.destination, rules_of(o),
                                       {.dry_run = o.dry_run, .file_system = &command_files()});
  command_files().keep();
  o.json ? print_json(o, names) : print_text(o, names);
  return kFine;
}

}  // namespace

Work make_rename(CLI::App& app) {
  auto o = std::make_shared<RenameArguments>();
  app.add_option("SRC", o->source, "a checkpoint: its prefix, one of its files, or its directory")
      ->required();
  app.add_option("DST", o->destination, "the prefix of the new checkpoint, which must not exist")
      ->required();
  app.add_option("--re", o->rules,
                 "a rule in the form of sed: s/PATTERN/REPLACEMENT/, then g (all matches) or i "
                 "(ignore case). PATTERN is a regular expression (RE2); in REPLACEMENT \\1 is a "
                 "group and & the match. Several rules are applied one after the other")
      ->allow_extra_args(false);
  app.add_option(
         "--map", o->exact,
         "OLD=NEW: renames the tensor OLD, before the rules (an = in OLD is written \\=); may "
         "be repeated")
      ->allow_extra_args(false);
  app.add_flag("--dry-run", o->dry_run, "print the new names, and write nothing");
  app.add_flag("--json", o->json, "print one JSON object");
  return [o] { return rename(*o); };
}

}  // namespace cairn
