// Errors: the one exception type, and where in the user's program something was made.
//
// Everything in Cairn that can go wrong because of a caller, a file or the machine throws
// cairn::Error. Nothing aborts.
//
//   try {
//     saver.restore(session, "model_ckpt-1000");
//   } catch (const cairn::Error& e) {
//     // e.what() says which file or key, and what to do
//     if (e.code() == cairn::Code::kNotFound) ...
//   }
#pragma once

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <iosfwd>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "runtime/base/api.h"

namespace CAIRN_API cairn {

// TensorFlow's status codes (tensorflow/core/lib/core/error_codes.proto), number for number.
enum class Code {
  kOk = 0,
  kCancelled = 1,
  kUnknown = 2,
  kInvalidArgument = 3,
  kDeadlineExceeded = 4,
  kNotFound = 5,
  kAlreadyExists = 6,
  kPermissionDenied = 7,
  kResourceExhausted = 8,
  kFailedPrecondition = 9,
  kAborted = 10,
  kOutOfRange = 11,
  kUnimplemented = 12,
  kInternal = 13,
  kUnavailable = 14,
  kDataLoss = 15,
  kUnauthenticated = 16,
};

// The code's name as TensorFlow prints it: "InvalidArgument", "NotFound", ...
std::string_view code_name(Code code);

class Error : public std::runtime_error {
 public:
  // `message` is a whole sentence for a person; `node` the name of the graph node it happened at,
  // or empty. Names from files may be in the message: what() has no control character but line
  // ends, and nothing that is not UTF-8.
  Error(Code code, const std::string& message, std::string node = "");

  Code code() const { return code_; }
  const std::string& node() const { return node_; }

 private:
  Code code_;
  std::string node_;
};

// A place in a source file, taken where a builder is called. It follows a node into every error
// about it.
//
//   void f(SourceLocation at = SourceLocation::current());   // at is the caller's line
struct SourceLocation {
  const char* file = "";
  int line = 0;

  static constexpr SourceLocation current(const char* file = __builtin_FILE(),
                                          int line = __builtin_LINE()) {
    return {file, line};
  }
  bool known() const { return line > 0; }
  // "mnist.cc:41" (the file without its folders), or "" when unknown.
  std::string str() const;
};

namespace internal {

// One value to be written into a string: text, a character, a number, or anything else that has an
// operator<< for streams. It refers to the value, which must outlive it.
class Piece {
 public:
  Piece(const char* text) : Piece(std::string_view(text)) {}
  Piece(const std::string& text) : Piece(std::string_view(text)) {}
  Piece(std::string_view text) : write_(write_text), text_(text) {}
  Piece(char c) : write_(write_char), char_(c) {}
  Piece(std::signed_integral auto number) : write_(write_signed), signed_(number) {}
  Piece(std::unsigned_integral auto number) : write_(write_unsigned), unsigned_(number) {}
  Piece(double number) : write_(write_double), double_(number) {}
  Piece(float number) : Piece(double{number}) {}
  template <class T>
  Piece(const T& value) requires(std::is_class_v<T> || std::is_enum_v<T>)
      : write_([](const Piece& piece, std::string& out) {
          write_streamed(out, piece.object_, [](std::ostream& stream, const void* object) {
            stream << *static_cast<const T*>(object);
          });
        }),
        object_(&value) {}

  void append_to(std::string& out) const { write_(*this, out); }

 private:
  static void write_text(const Piece& piece, std::string& out);
  static void write_char(const Piece& piece, std::string& out);
  static void write_signed(const Piece& piece, std::string& out);
  static void write_unsigned(const Piece& piece, std::string& out);
  static void write_double(const Piece& piece, std::string& out);
  static void write_streamed(std::string& out, const void* object,
                             void (*write)(std::ostream&, const void*));

  void (*write_)(const Piece&, std::string&);
  union {
    std::string_view text_;
    char char_;
    int64_t signed_;
    uint64_t unsigned_;
    double double_;
    const void* object_;
  };
};

std::string concatenate(std::initializer_list<Piece> pieces);
[[noreturn]] void throw_error(Code code, std::initializer_list<Piece> pieces);

}  // namespace internal

// Joins values into one string: str_cat("expected ", 3, ", got ", shape). Numbers are written alike
// whatever locale the program has set: integers whole, floating point in six digits as printf's %g.
template <class... Args>
std::string str_cat(const Args&... args) {
  return internal::concatenate({internal::Piece(args)...});
}

// throw Error(code, str_cat(args...)), short enough to stand at the end of a condition:
//   if (rank != 2) fail(Code::kInvalidArgument, "expected a matrix, got ", shape);
template <class... Args>
[[noreturn]] void fail(Code code, const Args&... args) {
  internal::throw_error(code, {internal::Piece(args)...});
}

// The candidates closest to `name` by edit distance, nearest first, at most `most`, none further
// than about a third of the name's length; the same name in a scope ("inputs/x" for "x", or the
// other way round) is as near as one letter. For "did you mean" in messages.
std::vector<std::string> nearest_names(std::string_view name,
                                       const std::vector<std::string>& candidates, size_t most = 3);

// Names from anywhere, made printable: "a", "a and b", "a, b and c"; after `most` items "a, b, c
// and 7 more".
std::string join_for_people(const std::vector<std::string>& items, size_t most = 20);

// One under the other.
std::string join_lines(const std::vector<std::string>& lines);

// What ends "there is no node 'mult' in the graph": "; did you mean matmul?" with the names of
// `there` that are near, else "; there are a, b, c and 39 more", or "; there are none".
std::string names_instead_of(std::string_view name, const std::vector<std::string>& there);

}  // namespace cairn
