// A string that does not change and that its copies share: what reports of many names are made of.
//
//   SharedString name("layer_1/kernel"), same = name;  // one string
//   const std::string& text = same;
#pragma once

#include <memory>
#include <ostream>
#include <string>
#include <string_view>
#include <utility>

#include "runtime/base/api.h"

namespace CAIRN_API cairn {

class SharedString {
 public:
  SharedString() = default;  // empty
  explicit SharedString(std::string text)
      : text_(std::make_shared<const std::string>(std::move(text))) {}

  const std::string& str() const {
    // never destroyed: static objects may save
    static const std::string& kEmpty = *new std::string();
    return text_ ? *text_ : kEmpty;
  }
  operator const std::string&() const { return str(); }  // NOLINT: implicit on purpose
  bool empty() const { return str().empty(); }

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
