// Errors: the one exception type, and the place in the user's program that an error is about.
//
// Every fault of a caller, a file or the machine is thrown as cairn::Error. Nothing aborts,
// whatever a file or a user gives.
//
//   try {
//     saver.restore(session, "model_ckpt-1000");
//   } catch (const cairn::Error& e) {
//     if (e.code() == cairn::Code::kNotFound) ...   // no such checkpoint: start fresh
//     std::cerr << e.what() << "\n";                // which file or key, and what to do
//   }
//
// A message names the op, the node, the line that made it, expected and actual:
//
//   matmul(images, w);   // throws Error, code() kInvalidArgument, node() "MatMul", what():
//                        // MatMul 'MatMul' (mnist.cc:41): inner dimensions differ: 784 and 128
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

// TensorFlow's status codes (tensorflow/core/lib/core/error_codes.proto), number for number. The
// remarks say when Cairn throws them.
enum class Code {
  kOk = 0,                  // never thrown
  kCancelled = 1,           // not thrown
  kUnknown = 2,             // an error of the system that has no code here
  kInvalidArgument = 3,     // a wrong value, shape, dtype, name or graph
  kDeadlineExceeded = 4,    // not thrown
  kNotFound = 5,            // no such node, variable, key or file
  kAlreadyExists = 6,       // a name or file that is taken
  kPermissionDenied = 7,    // by the file system
  kResourceExhausted = 8,   // no memory, no space on disk
  kFailedPrecondition = 9,  // an uninitialized variable, an empty handle
  kAborted = 10,            // a file that its network file system lost
  kOutOfRange = 11,         // an index beyond the end
  kUnimplemented = 12,      // an op or dtype without a kernel
  kInternal = 13,           // a bug of Cairn, or of an op of your own
  kUnavailable = 14,        // not thrown
  kDataLoss = 15,           // a damaged or incomplete file
  kUnauthenticated = 16,    // not thrown
};

// The code's name as TensorFlow prints it: "InvalidArgument", "NotFound", ...
std::string_view code_name(Code code);

// Holds copies of its texts: it may outlive the graph and the session.
class Error : public std::runtime_error {
 public:
  // `message`: a whole sentence for a person. `node`: the name of the graph node where it happened,
  // or empty. Names from files may be part of the message: what() contains no control character but
  // line ends, and no bytes that are not UTF-8.
  Error(Code code, const std::string& message, std::string node = "");

  Code code() const { return code_; }
  const std::string& node() const { return node_; }

 private:
  Code code_;
  std::string node_;
};

// A line of the user's program. Builders take it as a defaulted argument, or from their operands,
// and keep it in the node: every error about the node names it.
//
//   void f(SourceLocation at = SourceLocation::current());   // `at` is the line of the caller
//
// A function that calls builders can pass the line of its own caller on, as Operand(x, at) or
// GraphAt{graph, at}; otherwise errors name the line inside it. `file` is not copied: it must
// outlive the node, as a string literal does.
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

// One value for a message: text, a character, a number, or anything else with an operator<< for
// streams. It refers to the value, which must outlive it.
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

// Joins values into one string, independent of the locale of the program: integers in full,
// floating point in six digits as printf's %g, anything else by its operator<<.
//
//   str_cat("expected ", 3, ", got ", Shape{2, 4})   // "expected 3, got [2,4]"
template <class... Args>
std::string str_cat(const Args&... args) {
  return internal::concatenate({internal::Piece(args)...});
}

// Throws Error(code, str_cat(args...)). Errors at a node are thrown by fail_at() or the contexts of
// shape functions (runtime/graph/shape_context.h) and kernels (runtime/exec/context.h), which name
// the node.
//
//   if (rank != 2) fail(Code::kInvalidArgument, "expected a matrix, got ", shape);
template <class... Args>
[[noreturn]] void fail(Code code, const Args&... args) {
  internal::throw_error(code, {internal::Piece(args)...});
}

// For "did you mean" in messages: the candidates closest to `name` by edit distance, nearest first,
// at most `most`. None is further away than two edits or, for longer names, a third of the name's
// length. The same name in a scope ("inputs/x" for "x", or the reverse) counts as one edit. None
// for names of more than 512 bytes.
//
//   nearest_names("wieghts", {"weights", "bias"})   // {"weights"}
//   nearest_names("zzz", {"weights", "bias"})       // {}
std::vector<std::string> nearest_names(std::string_view name,
                                       const std::vector<std::string>& candidates, size_t most = 3);

// Names for a message, made printable: "a", "a and b", "a, b and c"; after `most` items "a, b, c
// and 7 more".
std::string join_for_people(const std::vector<std::string>& items, size_t most = 20);

// One under the other: the first as it is, the others indented by two blanks, which is how a line
// of an Error begins.
std::string join_lines(const std::vector<std::string>& lines);

// What ends "there is no node 'mult' in the graph": "; did you mean matmul?" with the names of
// `there` that are near, else "; there are a, b, c and 39 more", or "; there are none".
std::string names_instead_of(std::string_view name, const std::vector<std::string>& there);

}  // namespace cairn
