// Names in quotes, for messages.
#pragma once

#include <string>
#include <vector>

#include "runtime/base/error.h"
#include "runtime/base/text.h"

namespace cairn {

inline std::string quote(const std::string& name) { return "'" + printable(name) + "'"; }

// "'a', 'b' and 'c'"; after `most` names "... and 7 more".
inline std::string quote_list(std::vector<std::string> names, size_t most = 20) {
  for (std::string& name : names) name = quote(name);
  return join_for_people(names, most);
}

}  // namespace cairn
