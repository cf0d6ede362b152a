#include "persist/internal/retention_book.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <set>

#include "persist/internal/crc.h"

namespace cairn {
namespace {

constexpr const char* kFirstLine = "cairn 1";
constexpr uint64_t kLargest = 64 << 20;

std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '\n') {
      out += "\\n";
      continue;
    }
    if (c == '"' || c == '\\') out += '\\';
    out += c;
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

// One line, word by word.
class Line {
 public:
  Line(const std::string& path, int number, std::string_view text) : path_(path), number_(number), rest_(text) {}

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
      const bool escaped = rest_[i] == '\\';
      if (escaped && ++i == rest_.size()) break;
      text += escaped && rest_[i] == 'n' ? '\n' : rest_[i];
    }
    corrupt("a quote is not closed");
  }
  double number() {
    const std::string text = word();
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size()) corrupt(str_cat("'", text, "' is no number"));
    return value;
  }
  [[noreturn]] void corrupt(const std::string& what) const {
    fail(Code::kDataLoss, path_, ": line ", number_, ": ", what,
         "; the file says why checkpoints are kept, and without it none is deleted");
  }

 private:
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
  record.name = line.string();
  record.series = line.string();
  record.time = line.number();
  record.written = line.number();
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
      record.metrics[name] = line.number();
    } else {
      line.corrupt(str_cat("'", word, "' is not known"));
    }
  }
  return record;
}

void parse_line(Line& line, RetentionBook& book) {
  const std::string kind = line.word();
  if (kind == "hours") {
    const std::string series = line.string();
    book.hours[series] = line.number();
  } else if (kind == "best") {
    const std::string series = line.string();
    BestRule rule{.metric = line.string()};
    const double count = line.number();
    if (!(count >= 0 && count <= INT32_MAX)) line.corrupt("a count is out of range");
    rule.count = static_cast<int>(count);
    rule.higher_is_better = line.word() == "higher";
    book.best[series].push_back(rule);
  } else if (kind == "model") {
    book.records.push_back(parse_record(line));
  } else {
    line.corrupt(str_cat("'", kind, "' is not known"));
  }
  if (!line.done()) line.corrupt("it is too long");
}

}  // namespace

KeptRecord* RetentionBook::find(const std::string& name) {
  const auto at = std::find_if(records.begin(), records.end(), [&](const KeptRecord& r) { return r.name == name; });
  return at == records.end() ? nullptr : &*at;
}

std::multimap<std::string, std::string> RetentionBook::best_of(const std::string& series) const {
  std::multimap<std::string, std::string> names;
  const auto rules = best.find(series);
  if (rules == best.end()) return names;
  for (const BestRule& rule : rules->second) {
    std::vector<std::pair<double, const KeptRecord*>> ranked;  // the better, the smaller
    for (const KeptRecord& record : records) {
      const auto value = record.metrics.find(rule.metric);
      if (record.series != series || value == record.metrics.end() || std::isnan(value->second)) continue;
      ranked.emplace_back(rule.higher_is_better ? -value->second : value->second, &record);
    }
    // Of equals the older one stays, so that a metric that stands still moves nothing.
    std::stable_sort(ranked.begin(), ranked.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    ranked.resize(std::min(ranked.size(), static_cast<size_t>(rule.count)));
    for (const auto& [value, record] : ranked) names.emplace(record->name, rule.metric);
  }
  return names;
}

std::string RetentionBook::last_good(const std::string& series) const {
  for (auto at = records.rbegin(); at != records.rend(); ++at) {
    if (at->series == series && at->finite == true) return at->name;
  }
  return "";
}

std::vector<KeptCheckpoint> RetentionBook::kept(const std::string& directory) const {
  std::multimap<std::string, std::string> best_in;
  std::set<std::string> good, all_series;
  for (const KeptRecord& record : records) all_series.insert(record.series);
  for (const std::string& series : all_series) {
    best_in.merge(best_of(series));
    good.insert(last_good(series));
  }
  std::vector<KeptCheckpoint> list;
  for (const KeptRecord& record : records) {
    KeptCheckpoint& kept = list.emplace_back();
    kept.prefix = join_path(directory, record.name);
    kept.time = record.time;
    kept.metrics = record.metrics;
    kept.finite = record.finite;
    if (record.newest) kept.reasons.push_back("newest");
    if (record.hours) kept.reasons.push_back("hours");
    const auto [first, last] = best_in.equal_range(record.name);
    for (auto at = first; at != last; ++at) kept.reasons.push_back("best " + at->second);
    if (record.pinned) kept.reasons.push_back("pinned");
    if (good.count(record.name)) kept.reasons.push_back("last good");
  }
  return list;
}

std::string to_text(const RetentionBook& book) {
  std::string text = str_cat(kFirstLine, "\n");
  for (const auto& [series, since] : book.hours)
    text += str_cat("hours ", quoted(series), " ", number_text(since), "\n");
  for (const auto& [series, rules] : book.best) {
    for (const BestRule& rule : rules) {
      text += str_cat("best ", quoted(series), " ", quoted(rule.metric), " ", rule.count,
                      rule.higher_is_better ? " higher" : " lower", "\n");
    }
  }
  for (const KeptRecord& r : book.records) {
    text += str_cat("model ", quoted(r.name), " ", quoted(r.series), " ", number_text(r.time), " ",
                    number_text(r.written), r.newest ? " newest" : "", r.hours ? " hours" : "",
                    r.pinned ? " pinned" : "", r.foreign ? " foreign" : "");
    if (r.finite) text += *r.finite ? " finite" : " nonfinite";
    for (const auto& [name, value] : r.metrics) text += str_cat(" metric ", quoted(name), " ", number_text(value));
    text += "\n";
  }
  return str_cat(text, "end ", checksum(text), "\n");
}

RetentionBook parse_retention_book(const std::string& path, const std::string& text) {
  const std::string_view all(text);
  // The last line is the checksum of those before it, in every version.
  const size_t end_at = all.rfind("end ");
  if (end_at == std::string_view::npos ||
      all.substr(end_at) != str_cat("end ", checksum(all.substr(0, end_at)), "\n")) {
    Line(path, static_cast<int>(std::count(all.begin(), all.end(), '\n')), "")
        .corrupt("the checksum is wrong or missing");
  }
  RetentionBook book;
  int number = 0;
  for (size_t at = 0; at < end_at;) {
    const size_t end = std::min(all.find('\n', at), end_at);
    Line line(path, ++number, all.substr(at, end - at));
    at = end + 1;
    if (number > 1) {
      parse_line(line, book);
    } else if (all.substr(0, end) != kFirstLine) {
      fail(Code::kUnimplemented, path, ": line 1: '", all.substr(0, std::min(end, size_t{40})),
           "': a newer Cairn wrote it; this one reads '", kFirstLine, "'");
    }
  }
  if (number == 0) Line(path, 1, "").corrupt("it is empty");
  return book;
}

std::optional<RetentionBook> read_retention_book(FileSystem& fs, const std::string& directory) {
  const std::string path = join_path(directory, kKeptFileName);
  const auto info = fs.stat(path);
  if (!info) return std::nullopt;
  if (info->is_directory || info->size > kLargest)
    fail(Code::kDataLoss, path, ": ", info->is_directory ? "a directory" : "so large a file",
         " is no list of what is kept");
  return parse_retention_book(path, read_file(fs, path));
}

std::vector<KeptCheckpoint> kept_checkpoints(const std::string& directory, FileSystem* fs) {
  const auto book = read_retention_book(fs ? *fs : posix_file_system(), directory);
  return book ? book->kept(directory) : std::vector<KeptCheckpoint>();
}

}  // namespace cairn
