// Attributes: the constants a node is made with, as TensorFlow's AttrValue knows them.
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

// A function named by an attribute (AttrValue.func). Cairn carries functions and does not call
// them.
struct FuncAttr {
  std::string name;
  friend bool operator==(const FuncAttr&, const FuncAttr&) = default;
};

// A list without elements: in a file nothing says of what.
struct EmptyList {
  friend bool operator==(EmptyList, EmptyList) = default;
};

// One value. monostate: the file set none, or a kind this version does not know (then `wire` has
// it).
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

  // The value when it is a T, else null. An EmptyList is an empty list of any kind.
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

  // Equal values; tensors compare bit by bit.
  bool operator==(const Attr& other) const;

  // "DT_FLOAT", "true", "[1,2]", "'SAME'": for messages.
  std::string str() const;

  Value value;
  // The AttrValue as it stood in the file the node was read from, where writing `value` anew could
  // lose something (the way a tensor was written, functions, fields of newer versions). Written
  // back as it is.
  std::shared_ptr<const std::string> wire;
};

// The attributes of one node: few, looked up by name, in order of name.
class Attrs {
 public:
  Attrs() = default;
  Attrs(std::initializer_list<std::pair<std::string, Attr>> items) {
    for (const auto& [name, value] : items) set(name, value);
  }

  const Attr* find(std::string_view name) const;
  void set(std::string_view name, Attr value);
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
