#include "runtime/base/attr.h"

#include <algorithm>

namespace cairn {

namespace {

bool same(const Tensor& a, const Tensor& b) { return bit_equal(a, b); }
bool same(const std::vector<Tensor>& a, const std::vector<Tensor>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), bit_equal);
}
template <class T>
bool same(const T& a, const T& b) {
  return a == b;
}

std::string print(std::monostate) { return "<none>"; }
std::string print(const std::string& v) { return "'" + v + "'"; }
std::string print(int64_t v) { return std::to_string(v); }
std::string print(float v) { return str_cat(v); }
std::string print(bool v) { return v ? "true" : "false"; }
std::string print(DType v) { return dtype_enum_name(v); }
std::string print(const Shape& v) { return v.str(); }
std::string print(const Tensor& v) { return str_cat(v.dtype(), v.shape(), " ", v.str(16)); }
std::string print(const FuncAttr& v) { return "function " + v.name; }
std::string print(EmptyList) { return "[]"; }
template <class T>
std::string print(const std::vector<T>& v) {
  std::string text = "[";
  for (size_t i = 0; i < v.size(); ++i) text += (i > 0 ? "," : "") + print(T(v[i]));
  return text + "]";
}

}  // namespace

bool Attr::operator==(const Attr& other) const {
  if (value.index() != other.value.index()) return false;
  // A kind that this version does not know is equal only if the bytes are.
  if (std::holds_alternative<std::monostate>(value)) {
    return wire == other.wire || (wire && other.wire && *wire == *other.wire);
  }
  return std::visit(
      [&](const auto& v) { return same(v, std::get<std::decay_t<decltype(v)>>(other.value)); },
      value);
}

std::string Attr::str() const {
  return std::visit([](const auto& v) { return print(v); }, value);
}

const Attr* Attrs::find(std::string_view name) const {
  for (const auto& [key, value] : items_) {
    if (key == name) return &value;
  }
  return nullptr;
}

void Attrs::set(std::string_view name, Attr value) {
  const auto at = std::lower_bound(items_.begin(), items_.end(), name,
                                   [](const auto& item, auto key) { return item.first < key; });
  if (at != items_.end() && at->first == name) {
    at->second = std::move(value);
  } else {
    items_.emplace(at, std::string(name), std::move(value));
  }
}

void Attrs::erase(std::string_view name) {
  std::erase_if(items_, [&](const auto& item) { return item.first == name; });
}

}  // namespace cairn
