#include "persist/saver/restore_report.h"

#include <algorithm>

#include "persist/saver/name_hints.h"
#include "runtime/base/error.h"
#include "runtime/base/text.h"

namespace cairn {
namespace {

template <class Items, class Line>
std::string section(const std::string& title, const Items& items, const Line& line) {
  if (items.empty()) return "";
  std::string text = str_cat("\n  ", title);
  for (size_t i = 0; i < items.size() && i < kMostLines; ++i) text += "\n    " + line(items[i]);
  if (items.size() > kMostLines) text += str_cat("\n    and ", items.size() - kMostLines, " more");
  return text;
}

std::string padded(std::string text, size_t width) {
  text.resize(std::max(text.size(), width), ' ');
  return text;
}

std::string described(const RestoreReport::Item& item) {
  return printable(item.variable == item.key ? item.key.str()
                                             : str_cat(item.variable, " (", item.key, ")"));
}

size_t width_of(const std::vector<RestoreReport::Item>& items) {
  constexpr size_t kWidest = 60;
  size_t width = 0;
  for (size_t i = 0; i < items.size() && i < kMostLines; ++i)
    width = std::max(width, std::min(described(items[i]).size(), kWidest));
  return width;
}

std::vector<std::string> keys_of(const std::vector<RestoreReport::Item>& items) {
  std::vector<std::string> keys;
  for (const auto& item : items) keys.push_back(item.key);
  return keys;
}

}  // namespace

std::string RestoreReport::summary() const {
  return str_cat(missing.size(), " missing / ", unused.size(), " unused / ",
                 shape_mismatches.size(), " shape / ", dtype_mismatches.size(), " dtype");
}

std::string RestoreReport::str() const {
  std::string text = str_cat(prefix, ": ", step ? str_cat("step ", *step, ", ") : "",
                             restored.size(), " restored, ", summary());
  const auto table = [&](const std::string& title, const std::vector<Item>& items, bool both) {
    const size_t width = width_of(items);
    text += section(title, items, [&](const Item& item) {
      const std::string graph = str_cat(item.dtype, " ", item.shape);
      const bool renamed = !item.stored.empty() && item.stored != item.key;
      const bool converted = !both && !item.stored.empty() && item.stored_dtype != item.dtype;
      return str_cat(padded(described(item), width), "  ",
                     both ? str_cat("graph ", graph, ", checkpoint ", item.stored_dtype, " ",
                                    item.stored_shape)
                          : graph,
                     renamed || converted ? "  from" : "",
                     renamed ? str_cat(" ", printable(item.stored.str())) : "",
                     converted ? str_cat(" ", item.stored_dtype) : "");
    });
  };
  const auto names = [&](const std::string& title, const std::vector<std::string>& items) {
    text += section(title, items, [](const std::string& name) { return printable(name); });
  };
  table("restored", restored, false);
  table("missing in the checkpoint, left alone", missing, false);
  table("of another shape, left alone", shape_mismatches, true);
  table("of another dtype, left alone", dtype_mismatches, true);
  names("in the checkpoint, not asked for", unused);
  names("renaming rules that fit nothing", unmatched_rules);
  names("without a value in the session", uninitialized);
  return text + "\n";
}

std::vector<std::string> RestoreReport::nearest(const std::string& key) const {
  return NameHints(unused).nearest(key);
}

std::optional<RestoreReport::Rename> RestoreReport::suggested_rename() const {
  if (missing.size() < 2 || unused.size() < 2) return std::nullopt;
  const auto rule = NameHints(unused).common_rule(keys_of(missing));
  if (!rule) return std::nullopt;
  return Rename{rule->first, rule->second};
}

}  // namespace cairn
