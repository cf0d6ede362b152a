#include "persist/saver/restore_fit.h"

#include <algorithm>
#include <charconv>
#include <unordered_map>
#include <unordered_set>

#include "persist/checkpoint/exact_dtype.h"
#include "persist/files/quote.h"
#include "persist/saver/name_hints.h"

namespace cairn {
namespace {

std::optional<int64_t> step_of(const std::string& prefix) {
  const size_t dash = prefix.rfind('-');
  if (dash == std::string::npos || dash + 1 == prefix.size()) return std::nullopt;
  int64_t step = 0;
  const char* end = prefix.data() + prefix.size();
  const auto read = std::from_chars(prefix.data() + dash + 1, end, step);
  return read.ec == std::errc() && read.ptr == end && step >= 0 ? std::optional(step)
                                                                : std::nullopt;
}

// The names in the checkpoint by their names after renaming.
class StoredNames {
 public:
  StoredNames(const CheckpointReader& reader, const NameRules& rules, RestoreReport& report)
      : renamed_(!rules.empty()) {
    if (!renamed_) return;
    Renaming renaming(rules, reader.names());
    for (auto& [stored, name] : renaming.names)
      by_name_.emplace(std::move(name), SharedString(std::move(stored)));
    clashes_ = std::move(renaming.clashes);
    report.unmatched_rules = std::move(renaming.unmatched);
  }

  // The name in the checkpoint of the tensor `key`; empty if there is none.
  const SharedString& of(const SharedString& key) {
    if (!renamed_) return key;
    if (const auto clash = clashes_.find(key); clash != clashes_.end())
      asked_clashes_.insert(*clash);
    const auto found = by_name_.find(key);
    return found == by_name_.end() ? none_ : found->second;
  }

  void require_no_clash(const std::string& prefix) const {
    if (asked_clashes_.empty()) return;
    std::string text = str_cat("cannot restore from '", prefix,
                               "'; no variable was changed: the renaming is ambiguous");
    for (const auto& [name, from] : asked_clashes_)
      text += str_cat("\n  ", quote_list(from), " would be ", quote(name));
    fail(Code::kInvalidArgument, text);
  }

 private:
  bool renamed_;
  SharedString none_;
  std::unordered_map<std::string, SharedString> by_name_;
  std::map<std::string, std::vector<std::string>> clashes_, asked_clashes_;
};

// Looks up one item and adds it to the report.
void sort_item(const CheckpointReader& reader, const RestoreItem& item, const SharedString& stored,
               const RestoreOptions& options, RestoreFit& fit) {
  RestoreReport::Item line;
  line.key = item.key;
  line.variable = item.variable_name;
  line.dtype = item.dtype;
  line.shape = item.shape;
  const auto entry = stored.empty() ? std::nullopt : reader.find(stored);
  if (!entry) {
    fit.report.missing.push_back(std::move(line));
    return;
  }
  line.stored = stored;
  line.stored_dtype = entry->dtype;
  line.stored_shape = entry->shape;
  bool fits = item.reshapes ? item.shape.num_elements() < 0 ||
                                  item.shape.num_elements() == entry->shape.num_elements()
                            : item.shape.is_compatible_with(entry->shape);
  if (const auto part = parse_shape_and_slice(item.spec)) {
    line.shape = part->full;
    fits = part->full == entry->shape;
  }
  const bool right_dtype = entry->dtype == item.dtype ||
                           (options.convert_dtypes && is_convertible(entry->dtype, item.dtype));
  if (!right_dtype) fit.report.dtype_mismatches.push_back(line);
  if (!fits) fit.report.shape_mismatches.push_back(line);
  if (!fits || !right_dtype) return;
  fit.report.restored.push_back(std::move(line));
  fit.restored.push_back(&item);
}

std::string about_missing(const RestoreReport& report,
                          const std::vector<const RestoreReport::Item*>& missing) {
  const NameHints hints(report.unused);
  std::string text;
  for (size_t i = 0; i < missing.size() && i < kMostLines; ++i) {
    const auto& item = *missing[i];
    const auto near = hints.nearest(item.key);
    text +=
        str_cat("\n  Key ", printable(item.key.str()), " not found in checkpoint: graph ",
                item.dtype, " ", item.shape,
                item.variable == item.key ? "" : str_cat(" (variable ", quote(item.variable), ")"),
                near.empty() ? "" : "; nearest: " + quote_list(near));
  }
  if (missing.size() > kMostLines)
    text += str_cat("\n  and ", missing.size() - kMostLines, " more keys not found");
  return text;
}

std::string about_mismatches(const std::vector<RestoreReport::Item>& items, const char* what) {
  std::string text;
  for (size_t i = 0; i < items.size() && i < kMostLines; ++i) {
    const auto& item = items[i];
    text += str_cat("\n  variable ", quote(item.variable),
                    item.stored == item.variable ? "" : str_cat(" (key ", quote(item.stored), ")"),
                    ": graph ", item.dtype, " ", item.shape, ", checkpoint ", item.stored_dtype,
                    " ", item.stored_shape);
  }
  if (items.size() > kMostLines)
    text += str_cat("\n  and ", items.size() - kMostLines, " more of another ", what);
  return text;
}

// The options that help if dtypes differ.
std::string about_dtypes(const std::vector<RestoreReport::Item>& items,
                         const RestoreOptions& options) {
  const auto converts = [](const auto& item) {
    return is_convertible(item.stored_dtype, item.dtype);
  };
  const bool some = !options.convert_dtypes && std::any_of(items.begin(), items.end(), converts);
  return str_cat(
      "\n  ",
      some ? ".convert_dtypes = true converts values that the other dtype holds exactly; " : "",
      ".ignore_dtype = true leaves variables of another dtype alone");
}

// The rule as a C++ literal.
std::string literal(const std::string& rule) {
  return rule.find('\\') == std::string::npos ? str_cat('"', rule, '"')
                                              : str_cat("R\"(", rule, ")\"");
}

}  // namespace

bool RestoreFit::whole(const std::vector<RestoreItem>& items) const {
  return restored.size() == items.size() &&
         std::all_of(report.restored.begin(), report.restored.end(), [](const auto& item) {
           return item.stored == item.key && item.stored_dtype == item.dtype;
         });
}

RestoreFit fit_to_checkpoint(const CheckpointReader& reader, const std::vector<RestoreItem>& items,
                             const RestoreOptions& options) {
  RestoreFit fit;
  fit.report.prefix = reader.prefix();
  fit.report.step = step_of(reader.prefix());
  StoredNames stored(reader, options.rename, fit.report);
  std::vector<std::string_view> asked;
  asked.reserve(items.size());
  fit.report.restored.reserve(items.size());
  fit.restored.reserve(items.size());
  for (const RestoreItem& item : items) {
    const SharedString& name = stored.of(item.key);
    sort_item(reader, item, name, options, fit);
    asked.push_back(name.str());
  }
  stored.require_no_clash(reader.prefix());
  if (!std::is_sorted(asked.begin(), asked.end())) std::sort(asked.begin(), asked.end());
  fit.report.unused = reader.names_but(asked);
  return fit;
}

void require_fit(const RestoreReport& report, const RestoreOptions& options) {
  std::vector<const RestoreReport::Item*> missing;
  for (const auto& item : report.missing) {
    if (!options.allow_missing.matches(item.key)) missing.push_back(&item);
  }
  const bool bad_shapes = !options.ignore_shape && !report.shape_mismatches.empty();
  const bool bad_dtypes = !options.ignore_dtype && !report.dtype_mismatches.empty();
  if (missing.empty() && !bad_shapes && !bad_dtypes) return;
  std::string text = str_cat("cannot restore from '", report.prefix,
                             "'; no variable was changed: ", report.summary());
  text += about_missing(report, missing);
  if (bad_shapes) text += about_mismatches(report.shape_mismatches, "shape");
  // If shape and dtype differ, one line reports both.
  std::unordered_set<std::string> shown;
  for (const auto& item : report.shape_mismatches) shown.insert(item.variable);
  std::vector<RestoreReport::Item> dtypes;
  for (const auto& item : report.dtype_mismatches) {
    if (bad_dtypes && (!bad_shapes || shown.count(item.variable) == 0)) dtypes.push_back(item);
  }
  text += about_mismatches(dtypes, "dtype");
  if (bad_dtypes) text += about_dtypes(report.dtype_mismatches, options);
  if (!missing.empty() && !report.unused.empty())
    text += "\n  in the checkpoint and not asked for: " + quote_list(report.unused);
  for (const std::string& rule : report.unmatched_rules)
    text += str_cat("\n  the rule ", quote(rule), " fits no name in the checkpoint");
  const auto rename = missing.size() > 1 ? report.suggested_rename() : std::nullopt;
  if (rename) {
    text += str_cat(
        "\n  ", rename->finds == report.missing.size() ? "all" : "of these", " ", rename->finds,
        rename->finds == report.missing.size() ? " missing keys are found" : " keys are found",
        " with .rename = ", literal(rename->rule));
  }
  if (!missing.empty()) {
    text +=
        "\n  .allow_missing = true (or a pattern) leaves such variables alone; then "
        "initialize_rest(session) initializes them";
  }
  throw Error(missing.empty() ? Code::kInvalidArgument : Code::kNotFound, text);
}

Tensor read_item(const CheckpointReader& reader, const RestoreItem& item,
                 const std::string& stored) {
  const auto part = parse_shape_and_slice(item.spec);
  const Tensor tensor = part ? reader.get_tensor(stored, part->slice) : reader.get_tensor(stored);
  if (tensor.dtype() == item.dtype) return tensor;
  try {
    return converted_exactly(tensor, item.dtype);
  } catch (const Error& e) {
    fail(e.code(), "cannot restore from '", reader.prefix(),
         "'; no variable was changed: variable ", quote(item.variable_name), " (key ",
         quote(stored), "): ", e.what());
  }
}

}  // namespace cairn
