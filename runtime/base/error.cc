#include "runtime/base/error.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <locale>
#include <sstream>

#include "runtime/base/text.h"

namespace cairn {

std::string_view code_name(Code code) {
  static constexpr std::string_view kNames[] = {
      "Ok",       "Cancelled",      "Unknown",          "InvalidArgument",   "DeadlineExceeded",
      "NotFound", "AlreadyExists",  "PermissionDenied", "ResourceExhausted", "FailedPrecondition",
      "Aborted",  "OutOfRange",     "Unimplemented",    "Internal",          "Unavailable",
      "DataLoss", "Unauthenticated"};
  const auto i = static_cast<size_t>(code);
  return i < std::size(kNames) ? kNames[i] : "Unknown";
}

namespace {

// The library breaks messages into lines only before two spaces. Any other line end comes from a
// name in a file and is escaped: otherwise the name could imitate a line of the message.
std::string in_lines(std::string_view message) {
  std::string text;
  for (size_t at; (at = message.find("\n  ")) != message.npos; message.remove_prefix(at + 1)) {
    text += printable(message.substr(0, at), "\t") + "\n";
  }
  return text + printable(message, "\t");
}

}  // namespace

Error::Error(Code code, const std::string& message, std::string node)
    : std::runtime_error(in_lines(message)), code_(code), node_(std::move(node)) {}

namespace internal {

void Piece::write_text(const Piece& piece, std::string& out) { out += piece.text_; }
void Piece::write_char(const Piece& piece, std::string& out) { out += piece.char_; }

namespace {

template <class... Number>
void append_number(std::string& out, Number... number) {
  char digits[32];
  const auto end = std::to_chars(digits, std::end(digits), number...).ptr;
  out.append(digits, end);
}

}  // namespace

void Piece::write_signed(const Piece& piece, std::string& out) {
  append_number(out, piece.signed_);
}
void Piece::write_unsigned(const Piece& piece, std::string& out) {
  append_number(out, piece.unsigned_);
}
void Piece::write_double(const Piece& piece, std::string& out) {
  append_number(out, piece.double_, std::chars_format::general, 6);
}

void Piece::write_streamed(std::string& out, const void* object,
                           void (*write)(std::ostream&, const void*)) {
  std::ostringstream stream;
  stream.imbue(std::locale::classic());
  write(stream, object);
  out += stream.view();
}

std::string concatenate(std::initializer_list<Piece> pieces) {
  std::string text;
  for (const Piece& piece : pieces) piece.append_to(text);
  return text;
}

void throw_error(Code code, std::initializer_list<Piece> pieces) {
  throw Error(code, concatenate(pieces));
}

}  // namespace internal

std::string SourceLocation::str() const {
  if (!known()) return "";
  const char* slash = std::strrchr(file, '/');
  return str_cat(slash ? slash + 1 : file, ":", line);
}

namespace {

// The edit distance if it is at most `limit`, else something larger. Computes only the cells that
// can stay within the limit.
size_t edit_distance(std::string_view a, std::string_view b, size_t limit) {
  while (!a.empty() && !b.empty() && a.front() == b.front()) a.remove_prefix(1), b.remove_prefix(1);
  while (!a.empty() && !b.empty() && a.back() == b.back()) a.remove_suffix(1), b.remove_suffix(1);
  const size_t far = limit + 1;
  if (std::max(a.size(), b.size()) - std::min(a.size(), b.size()) > limit) return far;
  if (a.empty() || b.empty()) return a.size() + b.size();
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = std::min(j, far);
  for (size_t i = 1; i <= a.size(); ++i) {
    const size_t begin = i > limit ? i - limit : 1, end = std::min(b.size(), i + limit);
    size_t diagonal = row[begin - 1], least = far;
    row[begin - 1] = begin == 1 ? std::min(i, far) : far;
    for (size_t j = begin; j <= end; ++j) {
      const size_t above = j == i + limit ? far : row[j];
      const size_t substitute = diagonal + (a[i - 1] != b[j - 1]);
      diagonal = row[j];
      row[j] = std::min({substitute, above + 1, row[j - 1] + 1, far});
      least = std::min(least, row[j]);
    }
    if (least > limit && row[begin - 1] > limit) return far;
  }
  return row[b.size()];
}

// "inputs/states" for "states": the same name in a scope.
bool ends_with_name(std::string_view scoped, std::string_view name) {
  return scoped.size() > name.size() && !name.empty() && scoped.ends_with(name) &&
         scoped[scoped.size() - name.size() - 1] == '/';
}

}  // namespace

std::vector<std::string> nearest_names(std::string_view name,
                                       const std::vector<std::string>& candidates, size_t most) {
  // Long names are rare and the comparison is quadratic: beyond this length a suggestion is not
  // worth the time.
  constexpr size_t kLongest = 512;
  if (name.size() > kLongest || most == 0) return {};
  size_t limit = std::max<size_t>(2, name.size() / 3);
  std::vector<std::pair<size_t, const std::string*>> close;  // the nearest so far, in order
  for (const std::string& candidate : candidates) {
    const size_t longer = std::max(candidate.size(), name.size()),
                 shorter = std::min(candidate.size(), name.size());
    const bool scoped = ends_with_name(candidate, name) || ends_with_name(name, candidate);
    if (!scoped && longer - shorter > limit) continue;
    const size_t distance = scoped ? 1 : edit_distance(name, candidate, limit);
    if (distance > limit) continue;
    const auto after =
        std::upper_bound(close.begin(), close.end(), distance,
                         [](size_t d, const auto& other) { return d < other.first; });
    close.insert(after, {distance, &candidate});
    if (close.size() > most) close.pop_back();
    if (close.size() == most) limit = std::min(limit, close.back().first);
  }
  std::vector<std::string> names;
  for (const auto& [distance, candidate] : close) names.push_back(*candidate);
  return names;
}

std::string join_for_people(const std::vector<std::string>& items, size_t most) {
  const size_t shown = std::min(items.size(), most);
  std::string text;
  for (size_t i = 0; i < shown; ++i) {
    if (i > 0) text += i + 1 == items.size() ? " and " : ", ";
    text += printable(items[i]);
  }
  if (shown < items.size()) text += str_cat(" and ", items.size() - shown, " more");
  return text;
}

std::string join_lines(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text += (text.empty() ? "" : "\n  ") + line;
  return text;
}

std::string names_instead_of(std::string_view name, const std::vector<std::string>& there) {
  constexpr size_t kShown = 8;
  const auto close = nearest_names(name, there);
  if (!close.empty()) return "; did you mean " + join_for_people(close) + "?";
  if (there.empty()) return "; there are none";
  return (there.size() == 1 ? "; there is " : "; there are ") + join_for_people(there, kShown);
}

}  // namespace cairn
