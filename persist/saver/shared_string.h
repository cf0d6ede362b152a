// An immutable string that its copies share; reports with many names consist of these. Copying
// costs a reference count, and copies may be used by different threads.
//
//   SharedString name("layer_1/kernel"), same = name;  // one string
//   const std::string& text = same;                    // valid as long as one of the copies
//
// There is no way to change the text; assign another SharedString:
//
//   name.str() += "x";                                 // does not compile
//   name = SharedString("layer_1/bias");               // `same` is still "layer_1/kernel"
#pragma once

#include <memory>
#include <ostream>
#include <string>
#include <string_view>
#include <utility>

#include "runtime/base/api.h"

namespace CAIRN_API cairn {

// The text is freed with the last copy. A default-constructed string is empty and allocates
// nothing.
class SharedString {
 public:
  SharedString() = default;  // empty
  explicit SharedString(std::string text)
      : text_(std::make_shared<const std::string>(std::move(text))) {}

  // The text; valid until this object and all its copies are destroyed or assigned.
  const std::string& str() const {
    // never destroyed: static objects may still save when the program ends
    static const std::string& kEmpty = *new std::string();
    return text_ ? *text_ : kEmpty;
  }
  operator const std::string&() const { return str(); }  // NOLINT: implicit on purpose
  bool empty() const { return str().empty(); }

  // Equal if the texts are equal, whether they are shared or not.
  friend bool operator==(const SharedString& a, const SharedString& b) {
    return a.text_ == b.text_ || a.str() == b.str();
  }
  friend bool operator==(const SharedString& a, std::string_view b) { return a.str() == b; }
  friend std::ostream& operator<<(std::ostream& out, const SharedString& s) {
    return out << s.str();
  }

 private:
  std::shared_ptr<const std::string> text_;
};

}  // namespace cairn
