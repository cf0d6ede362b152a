#include "persist/checkpoint/retention_state.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <set>

#include "persist/checkpoint/checkpoint_v1.h"
#include "persist/files/crc.h"
#include "persist/files/own_names.h"

namespace cairn {
namespace {

constexpr const char* kFirstLine = "cairn 1";
constexpr uint64_t kLargest = 64 << 20;

bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }

std::string escaped(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '\n') {
      out += "\\n";
    } else if (is_control(c)) {
      out += "\\x" + hex_digits(static_cast<unsigned char>(c), 2);
    } else {
      if (c == '"' || c == '\\') out += '\\';
      out += c;
    }
  }
  return out + '"';
}

std::string number_text(double value) {
  char text[32];
  return {text, std::to_chars(text, text + sizeof text, value).ptr};
}

std::string checksum(std::string_view bytes) {
  char text[16];
  std::snprintf(text, sizeof text, "%08x", crc32c(bytes));
  return text;
}

// A line of the file, parsed word by word.
class Line {
 public:
  Line(const std::string& path, int number, std::string_view text)
      : path_(path), number_(number), rest_(text) {}

  bool done() const { return rest_.empty(); }
  std::string word() {
    const size_t end = std::min(rest_.find(' '), rest_.size());
    std::string word(rest_.substr(0, end));
    if (word.empty()) corrupt("a word is missing");
    step_over(end);
    return word;
  }
  std::string string() {
    if (!rest_.starts_with('"')) corrupt("a string in quotes is missing");
    std::string text;
    for (size_t i = 1; i < rest_.size(); ++i) {
      if (rest_[i] == '"') {
        step_over(i + 1);
        return text;
      }
      if (is_control(rest_[i])) corrupt("a string has a control character");
      if (rest_[i] != '\\') {
        text += rest_[i];
        continue;
      }
      if (++i == rest_.size()) break;
      if (rest_[i] == 'x') {
        text += byte_at(i + 1);
        i += 2;
      } else {
        text += rest_[i] == 'n' ? '\n' : rest_[i];
      }
    }
    corrupt("a quote is not closed");
  }
  // A string that is used as the name of a file: must not be a path.
  std::string name() {
    std::string text = string();
    if (!is_plain_name(text)) corrupt("a name is not that of a checkpoint");
    return text;
  }
  double finite() {
    const double value = number();
    if (!std::isfinite(value)) corrupt("a time is not a number");
    return value;
  }
  double number() {
    const std::string text = word();
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size())
      corrupt(str_cat("'", text, "' is no number"));
    return value;
  }
  [[noreturn]] void corrupt(const std::string& what) const {
    fail(Code::kDataLoss, path_, ": line ", number_, ": ", what,
         "; the file says why checkpoints are kept, and without it none is deleted");
  }

 private:
  char byte_at(size_t at) const {
    unsigned value = 0;
    const std::string_view digits = rest_.substr(std::min(at, rest_.size()), 2);
    const auto [end, error] =
        std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
    if (digits.size() != 2 || error != std::errc() || end != digits.data() + 2)
      corrupt("'\\x' without two digits");
    return static_cast<char>(value);
  }
  void step_over(size_t n) {
    rest_.remove_prefix(n);
    if (rest_.empty()) return;
    if (rest_[0] != ' ') corrupt("a blank is missing");
    rest_.remove_prefix(1);
  }
  const std::string& path_;
  int number_;
  std::string_view rest_;
};

KeptRecord parse_record(Line& line) {
  KeptRecord record;
  record.name = line.name();
  record.series = line.name();
  if (!record.name.starts_with(record.series))
    line.corrupt("a checkpoint is not named after its series");
  record.time = line.finite();
  record.written = line.finite();
  while (!line.done()) {
    const std::string word = line.word();
    if (word == "newest") {
      record.newest = true;
    } else if (word == "hours") {
      record.hours = true;
    } else if (word == "pinned") {
      record.pinned = true;
    } else if (word == "foreign") {
      record.foreign = true;
    } else if (word == "finite" || word == "nonfinite") {
      record.finite = word == "finite";
    } else if (word == "metric") {
      const std::string name = line.string();
      if (!record.metrics.emplace(name, line.number()).second) line.corrupt("a metric comes twice");
    } else {
      line.corrupt(str_cat("'", word, "' is not known"));
    }
  }
  return record;
}

// The names of checkpoints, and the pairs of series and metric, in the lines before.
using Seen = std::set<std::pair<std::string, std::optional<std::string>>>;

void parse_line(Line& line, RetentionState& state, Seen& seen) {
  const std::string kind = line.word();
  if (kind == "hours") {
    const std::string series = line.name();
    if (!state.hours.emplace(series, line.finite()).second) line.corrupt("a series comes twice");
  } else if (kind == "best") {
    const std::string series = line.name();
    BestRule rule{.metric = line.string()};
    const double count = line.number();
    if (!(count >= 0 && count <= INT32_MAX && count == std::floor(count)))
      line.corrupt("a count is out of range");
    rule.count = static_cast<int>(count);
    const std::string order = line.word();
    if (order != "higher" && order != "lower") line.corrupt("neither 'higher' nor 'lower'");
    rule.higher_is_better = order == "higher";
    if (!seen.insert({series, rule.metric}).second) line.corrupt("a metric comes twice");
    state.best[series].push_back(rule);
  } else if (kind == "model") {
    state.records.push_back(parse_record(line));
    if (!seen.insert({state.records.back().name, std::nullopt}).second)
      line.corrupt("a checkpoint comes twice");
  } else {
    line.corrupt(str_cat("'", kind, "' is not known"));
  }
  if (!line.done()) line.corrupt("it is too long");
}

}  // namespace

KeptRecord* RetentionState::find(const std::string& name) {
  const auto at = std::find_if(records.begin(), records.end(),
                               [&](const KeptRecord& r) { return r.name == name; });
  return at == records.end() ? nullptr : &*at;
}

RetentionState::Merits RetentionState::merits() const {
  std::map<std::string, std::string> last_good;
  // The values of each metric by series, in the order of the records.
  std::map<std::pair<std::string, std::string>, std::vector<std::pair<double, const KeptRecord*>>>
      measured;
  for (const KeptRecord& record : records) {
    if (record.finite == true) last_good[record.series] = record.name;
    for (const auto& [metric, value] : record.metrics) {
      if (!std::isnan(value)) measured[{record.series, metric}].emplace_back(value, &record);
    }
  }
  Merits merits;
  for (const auto& [series, name] : last_good) merits.good.insert(name);
  for (const auto& [series, rules] : best) {
    for (const BestRule& rule : rules) {
      const auto found = measured.find({series, rule.metric});
      if (found == measured.end()) continue;
      auto ranked = found->second;
      // Of equal values the older checkpoint ranks first, so that a constant metric changes
      // nothing.
      std::stable_sort(ranked.begin(), ranked.end(), [&](const auto& a, const auto& b) {
        return rule.higher_is_better ? a.first > b.first : a.first < b.first;
      });
      ranked.resize(std::min(ranked.size(), static_cast<size_t>(rule.count)));
      for (const auto& [value, record] : ranked) merits.best.emplace(record->name, rule.metric);
    }
  }
  return merits;
}

std::vector<KeptCheckpoint> RetentionState::kept(const std::string& directory) const {
  const Merits why = merits();
  std::vector<KeptCheckpoint> list;
  for (const KeptRecord& record : records) {
    KeptCheckpoint& kept = list.emplace_back();
    kept.prefix = join_path(directory, record.name);
    kept.time = record.time;
    kept.metrics = record.metrics;
    kept.finite = record.finite;
    if (record.newest) kept.reasons.push_back("newest");
    if (record.hours) kept.reasons.push_back("hours");
    const auto [first, last] = why.best.equal_range(record.name);
    for (auto at = first; at != last; ++at) kept.reasons.push_back("best " + at->second);
    if (record.pinned) kept.reasons.push_back("pinned");
    if (why.good.count(record.name)) kept.reasons.push_back("last good");
  }
  return list;
}

std::string series_of(const std::string& name) {
  const std::string prefix = without_shard_ending(name);
  const size_t dash = prefix.rfind('-');
  const bool numbered = dash != std::string::npos && dash > 0 && dash + 1 < prefix.size() &&
                        prefix.find_first_not_of("0123456789", dash + 1) == std::string::npos;
  return numbered ? prefix.substr(0, dash) : prefix;
}

std::string to_text(const RetentionState& state) {
  std::string text = str_cat(kFirstLine, "\n");
  for (const auto& [series, since] : state.hours)
    text += str_cat("hours ", escaped(series), " ", number_text(since), "\n");
  for (const auto& [series, rules] : state.best) {
    for (const BestRule& rule : rules) {
      text += str_cat("best ", escaped(series), " ", escaped(rule.metric), " ", rule.count,
                      rule.higher_is_better ? " higher" : " lower", "\n");
    }
  }
  for (const KeptRecord& r : state.records) {
    text += str_cat("model ", escaped(r.name), " ", escaped(r.series), " ", number_text(r.time),
                    " ", number_text(r.written), r.newest ? " newest" : "", r.hours ? " hours" : "",
                    r.pinned ? " pinned" : "", r.foreign ? " foreign" : "");
    if (r.finite) text += *r.finite ? " finite" : " nonfinite";
    for (const auto& [name, value] : r.metrics)
      text += str_cat(" metric ", escaped(name), " ", number_text(value));
    text += "\n";
  }
  return str_cat(text, "end ", checksum(text), "\n");
}

RetentionState parse_retention_state(const std::string& path, const std::string& text) {
  const std::string_view all(text);
  // In every version of the format the last line is the checksum of those before it.
  const size_t end_at = all.rfind("end ");
  if (end_at == std::string_view::npos ||
      all.substr(end_at) != str_cat("end ", checksum(all.substr(0, end_at)), "\n")) {
    Line(path, static_cast<int>(std::count(all.begin(), all.end(), '\n')), "")
        .corrupt("the checksum is wrong or missing");
  }
  RetentionState state;
  Seen seen;
  int number = 0;
  for (size_t at = 0; at < end_at;) {
    const size_t end = std::min(all.find('\n', at), end_at);
    Line line(path, ++number, all.substr(at, end - at));
    at = end + 1;
    if (number > 1) {
      parse_line(line, state, seen);
    } else if (all.substr(0, end) != kFirstLine) {
      fail(Code::kUnimplemented, path, ": line 1: '", all.substr(0, std::min(end, size_t{40})),
           "': a newer Cairn wrote it; this one reads '", kFirstLine, "'");
    }
  }
  if (number == 0) Line(path, 1, "").corrupt("it is empty");
  return state;
}

std::optional<RetentionState> read_retention_state(FileSystem& fs, const std::string& directory) {
  const std::string path = join_path(directory, kKeptFileName);
  const auto info = fs.stat(path);
  if (!info) return std::nullopt;
  if (!info->is_file() || info->size > kLargest) {
    fail(Code::kDataLoss, path, ": this is ",
         info->is_directory ? "a directory"
         : info->is_special ? "a pipe, a device or a socket"
                            : "a file of more than 64 MiB",
         ", not a list of the checkpoints that are kept");
  }
  return parse_retention_state(path, read_file(fs, path));
}

std::vector<KeptCheckpoint> kept_checkpoints(const std::string& directory, FileSystem* fs) {
  const auto state = read_retention_state(or_posix(fs), directory);
  return state ? state->kept(directory) : std::vector<KeptCheckpoint>();
}

}  // namespace cairn
