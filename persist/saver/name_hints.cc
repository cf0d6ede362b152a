#include "persist/saver/name_hints.h"

#include <algorithm>
#include <map>
#include <set>
#include <unordered_set>

#include "runtime/base/error.h"

namespace cairn {
namespace {

// The maximum number of candidates for one ending: "kernel" may have thousands.
constexpr size_t kFew = 8;

// The beginnings of a name's parts: 0 and after each slash.
std::vector<size_t> part_starts(std::string_view name) {
  std::vector<size_t> starts = {0};
  for (size_t slash = name.find('/'); slash != std::string_view::npos && slash + 1 < name.size();
       slash = name.find('/', slash + 1)) {
    starts.push_back(slash + 1);
  }
  return starts;
}

std::string_view scope_of(std::string_view name) {
  const size_t slash = name.rfind('/');
  return slash == std::string_view::npos ? std::string_view() : name.substr(0, slash + 1);
}

// A rewriting of names: replaces the text `from` at the beginning (or at the end, or at the end of
// the first scope) by `to`.
struct Rewrite {
  enum Kind { kBeginning, kEnd, kFirstScope } kind;
  std::string from, to;
  auto operator<=>(const Rewrite&) const = default;

  std::optional<std::string> apply(std::string_view name) const {
    if (kind == kBeginning) {
      if (!name.starts_with(from)) return std::nullopt;
      return to + std::string(name.substr(from.size()));
    }
    const size_t end = kind == kEnd ? name.size() : name.find('/');
    if (end == std::string_view::npos || !name.substr(0, end).ends_with(from)) return std::nullopt;
    return str_cat(name.substr(0, end - from.size()), to, name.substr(end));
  }

  std::string rule() const {
    const char mark = (from + to).find('/') == std::string::npos && kind != kFirstScope ? '/' : '|';
    std::string pattern, replacement;
    // special characters are literal in brackets
    for (const char c : from) {
      const bool special = std::string_view(".*+?()[{}|$").find(c) != std::string_view::npos;
      pattern += c == '^' || c == '\\' || c == ']' || c == mark ? str_cat('\\', c)
                 : special                                      ? str_cat('[', c, ']')
                                                                : std::string(1, c);
    }
    for (const char c : to)
      replacement += (c == '&' || c == '\\' || c == mark ? "\\" : "") + std::string(1, c);
    switch (kind) {
      case kBeginning:
        return str_cat('s', mark, '^', pattern, mark, replacement, mark);
      case kEnd:
        return str_cat('s', mark, pattern, '$', mark, replacement, mark);
      case kFirstScope:
        return str_cat('s', mark, "^([^/]*)", pattern, '/', mark, "\\1", replacement, '/', mark);
    }
    return "";
  }
};

constexpr const char* kEndings[] = {":0", "_1", "_2", "/.ATTRIBUTES/VARIABLE_VALUE"};

// The rewrites by endings that other programs append to names; each maps one candidate to `name`.
std::vector<Rewrite> ending_rewrites(const std::string& name) {
  std::vector<Rewrite> rewrites;
  for (const std::string ending : kEndings) {
    rewrites.push_back({Rewrite::kEnd, ending, ""});
    if (name.ends_with(ending)) rewrites.push_back({Rewrite::kEnd, "", ending});
    if (ending[0] == '_' && name.find('/') != std::string::npos) {
      rewrites.push_back({Rewrite::kFirstScope, ending, ""});
      if (name.substr(0, name.find('/')).ends_with(ending))
        rewrites.push_back({Rewrite::kFirstScope, "", ending});
    }
  }
  return rewrites;
}

// The name that `rewrite` maps to `name`.
std::string source_of(const Rewrite& rewrite, const std::string& name) {
  return Rewrite{rewrite.kind, rewrite.to, rewrite.from}.apply(name).value_or("");
}

}  // namespace

NameHints::NameHints(const std::vector<std::string>& candidates) : candidates_(candidates) {
  const auto put = [](Places& places, const std::string& name) {
    if (places.size() < kFew) places.push_back(&name);
  };
  for (const std::string& name : candidates) {
    for (const size_t start : part_starts(name))
      put(by_ending_[std::string_view(name).substr(start)], name);
    put(by_scope_[scope_of(name)], name);
  }
}

const NameHints::Places* NameHints::at(const std::unordered_map<std::string_view, Places>& index,
                                       std::string_view part) const {
  const auto found = index.find(part);
  return found == index.end() ? nullptr : &found->second;
}

std::vector<std::string> NameHints::nearest(const std::string& name) const {
  constexpr size_t kMost = 3;
  std::vector<std::string> found;
  const auto add = [&](const std::string& candidate) {
    if (found.size() < kMost && std::find(found.begin(), found.end(), candidate) == found.end())
      found.push_back(candidate);
  };
  const auto is_candidate = [&](const std::string& text) {
    const Places* places = at(by_ending_, text);
    return places && std::any_of(places->begin(), places->end(),
                                 [&](const auto* one) { return *one == text; });
  };
  for (const Rewrite& rewrite : ending_rewrites(name)) {
    if (const std::string source = source_of(rewrite, name); is_candidate(source)) add(source);
  }
  const std::string_view view = name;
  for (const size_t start : part_starts(view)) {
    const Places* places = at(by_ending_, view.substr(start));
    if (!places) continue;
    // The last part alone, "kernel", is weak evidence unless it is the whole of one of the names or
    // is unique.
    const bool telling =
        start == 0 || view.find('/', start) != std::string_view::npos || places->size() == 1;
    for (const std::string* candidate : *places) {
      if (telling || candidate->size() == view.size() - start) add(*candidate);
    }
    break;
  }
  if (found.size() < kMost) {
    for (const std::string& candidate : nearest_names(name, candidates_, kMost)) add(candidate);
  }
  return found;
}

std::optional<std::pair<std::string, size_t>> NameHints::common_rule(
    const std::vector<std::string>& wanted) const {
  std::map<Rewrite, size_t> votes;
  for (const std::string& name : wanted) {
    const std::string_view view = name;
    for (const size_t start : part_starts(view)) {
      const Places* places = at(by_ending_, view.substr(start));
      if (!places) continue;
      for (const std::string* candidate : *places) {
        const std::string before = candidate->substr(0, candidate->size() - (view.size() - start));
        if (before != view.substr(0, start))
          ++votes[{Rewrite::kBeginning, before, name.substr(0, start)}];
      }
      break;
    }
    if (const Places* places = at(by_scope_, scope_of(view))) {
      for (const std::string* candidate : *places) {
        const size_t scope = scope_of(view).size(), slash = scope > 0 ? scope - 1 : 0;
        if (scope > 0) ++votes[{Rewrite::kEnd, candidate->substr(slash), name.substr(slash)}];
      }
    }
    for (const Rewrite& rewrite : ending_rewrites(name)) {
      const std::string source = source_of(rewrite, name);
      const Places* places = source.empty() ? nullptr : at(by_ending_, source);
      if (places && std::any_of(places->begin(), places->end(),
                                [&](const auto* one) { return *one == source; }))
        ++votes[rewrite];
    }
  }
  std::vector<std::pair<size_t, const Rewrite*>> ranking;
  for (const auto& [rewrite, count] : votes) {
    if (count > 1) ranking.emplace_back(count, &rewrite);
  }
  constexpr size_t kTried = 8;
  std::stable_sort(ranking.begin(), ranking.end(),
                   [](const auto& a, const auto& b) { return a.first > b.first; });
  ranking.resize(std::min(ranking.size(), kTried));
  const std::unordered_set<std::string> missing(wanted.begin(), wanted.end());
  std::optional<std::pair<std::string, size_t>> best;
  for (const auto& [count, rewrite] : ranking) {
    std::unordered_set<std::string> found;
    for (const std::string& candidate : candidates_) {
      const auto renamed = rewrite->apply(candidate);
      if (renamed && missing.count(*renamed) > 0) found.insert(*renamed);
    }
    if (found.size() > 1 && (!best || found.size() > best->second))
      best = {rewrite->rule(), found.size()};
  }
  return best;
}

}  // namespace cairn
