// Attributes: the constants a node is made with, as in TensorFlow's AttrValue.
//
//   Attrs attrs = {{"transpose_a", true}, {"T", DType::kFloat}};
//   const bool* transposed = attrs.find("transpose_a")->get<bool>();   // true
//   attrs.find("transpose_a")->get<int64_t>();                         // null: it is a bool
//   attrs.find("transpose_b");                                         // null: not set
//
// Attrs and Attr are values: copies are independent, except that they share the elements of
// tensors. Lookup never throws; readers that throw with the name of the node are in
// runtime/graph/node.h (AttrReader).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "runtime/base/dtype.h"
#include "runtime/base/shape.h"
#include "runtime/base/tensor.h"

namespace CAIRN_API cairn {

// A function named by an attribute (AttrValue.func). Only its name is kept here; the whole
// attribute, with the function's own attributes, is in Attr::wire. Cairn keeps functions for the
// file and does not call them.
struct FuncAttr {
  std::string name;
  friend bool operator==(const FuncAttr&, const FuncAttr&) = default;
};

// A list without elements. A file does not say which kind of elements it would have: Attr::get()
// takes it for an empty list of any kind.
struct EmptyList {
  friend bool operator==(EmptyList, EmptyList) = default;
};

// One value: a string, int64, float, bool, dtype, shape, tensor or function, or a list of these.
// Text is always a std::string, also where it is bytes; an int becomes an int64_t.
//
//   Attr("SAME"), Attr(3), Attr(DType::kInt32), Attr(std::vector<int64_t>{1, 2, 2, 1})
//
// std::monostate means that the file set no value, or one of a kind that this version does not
// know; the unknown value is then in `wire`.
struct Attr {
  using Value =
      std::variant<std::monostate, std::string, int64_t, float, bool, DType, Shape, Tensor,
                   FuncAttr, EmptyList, std::vector<std::string>, std::vector<int64_t>,
                   std::vector<float>, std::vector<bool>, std::vector<DType>, std::vector<Shape>,
                   std::vector<Tensor>, std::vector<FuncAttr>>;

  Attr() = default;
  Attr(Value v) : value(std::move(v)) {}          // NOLINT: implicit on purpose, as are all below
  Attr(const char* v) : value(std::string(v)) {}  // NOLINT
  Attr(std::string_view v) : value(std::string(v)) {}        // NOLINT
  Attr(std::string v) : value(std::move(v)) {}               // NOLINT
  Attr(bool v) : value(v) {}                                 // NOLINT
  Attr(int v) : value(int64_t{v}) {}                         // NOLINT
  Attr(int64_t v) : value(v) {}                              // NOLINT
  Attr(float v) : value(v) {}                                // NOLINT
  Attr(DType v) : value(v) {}                                // NOLINT
  Attr(Shape v) : value(std::move(v)) {}                     // NOLINT
  Attr(Tensor v) : value(std::move(v)) {}                    // NOLINT
  Attr(std::vector<std::string> v) : value(std::move(v)) {}  // NOLINT
  Attr(std::vector<int64_t> v) : value(std::move(v)) {}      // NOLINT
  Attr(std::vector<DType> v) : value(std::move(v)) {}        // NOLINT
  Attr(std::vector<Shape> v) : value(std::move(v)) {}        // NOLINT

  // The value if it is a T, else null; no conversion (an int64_t is not read as float). An
  // EmptyList is an empty list of any kind. The pointer is valid while the Attr is, and unchanged.
  template <class T>
  const T* get() const {
    if constexpr (requires {
                    typename T::value_type;
                    T().begin();
                  } &&
                  !std::is_same_v<T, std::string> && !std::is_same_v<T, Shape>) {
      static const T kEmpty{};
      if (std::holds_alternative<EmptyList>(value)) return &kEmpty;
    }
    return std::get_if<T>(&value);
  }

  // Equal kinds and values; tensors compare bit by bit. Unknown kinds are equal if their bytes are.
  bool operator==(const Attr& other) const;

  // For messages: "DT_FLOAT", "true", "[1,2]", "'SAME'".
  std::string str() const;

  Value value;
  // The serialized AttrValue of the file that the node was read from, where writing `value` again
  // could lose something (the encoding of a tensor, functions, fields of newer versions). Written
  // back unchanged. Null: `value` is all there is.
  std::shared_ptr<const std::string> wire;
};

// The attributes of one node: few, sorted by name. Lookup is a binary search. Iteration gives pairs
// of name and Attr in order of name, as files have them.
class Attrs {
 public:
  Attrs() = default;
  Attrs(std::initializer_list<std::pair<std::string, Attr>> items) {
    for (const auto& [name, value] : items) set(name, value);
  }

  // Null where there is none. Valid until the next set() or erase().
  const Attr* find(std::string_view name) const;
  // Adds the attribute, or replaces its value.
  void set(std::string_view name, Attr value);
  // Does nothing where there is none.
  void erase(std::string_view name);
  bool empty() const { return items_.empty(); }
  size_t size() const { return items_.size(); }
  auto begin() const { return items_.begin(); }
  auto end() const { return items_.end(); }
  friend bool operator==(const Attrs&, const Attrs&) = default;

 private:
  std::vector<std::pair<std::string, Attr>> items_;
};

}  // namespace cairn
