// Readers held against bytes that nobody meant to write.
//
// A target takes any bytes for what one reader reads, and runs two ways. `./dev test --fuzz` builds
// it with clang's libFuzzer, which looks for bytes that reach code that none before reached. The
// test program fuzz_tests runs the kept corpus (corpus/TARGET/, one file per input) and changes of
// it made from a fixed seed; it needs no clang.
//
// What a target must find: the bytes are read, or refused with a clear Error, in memory of the
// order of their number. What was read must come out the same when it is written and read again.
// Any other exception is a defect, as is what the sanitizers report.
#pragma once

#include <map>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "runtime/base/error.h"

namespace cairn::fuzz {

struct Target {
  const char* name;  // the folder of its corpus
  void (*one)(std::string_view bytes);
  std::vector<std::string> (*seeds)();  // inputs to begin with: well-formed, small, of every kind
};

// Each in a file of its name.
extern const Target bundle, bundle_entry, checkpoint, checkpoint_v1, idx, meta_graph, npy,
    table_block, table_footer;
inline constexpr const Target* kTargets[] = {&bundle,        &bundle_entry, &checkpoint,
                                             &checkpoint_v1, &idx,          &npy,
                                             &meta_graph,    &table_block,  &table_footer};

// Throws what is no Error, so that nothing takes it for a refusal.
inline void require(bool condition, const std::string& what) {
  if (!condition) throw std::logic_error(what);
}

// True when `action` came to an end; false when it threw an Error as users should see it.
template <class Action>
bool accepted(Action&& action) {
  try {
    std::forward<Action>(action)();
    return true;
  } catch (const Error& error) {
    require(*error.what() != '\0', "an error without a message");
    require(error.code() != Code::kInternal && error.code() != Code::kUnknown,
            std::string("bytes are called a fault of Cairn's: ") + error.what());
    return false;
  }
}

// ---- inputs of several parts --------------------------------------------------------------------

// Takes `count` bytes off the front, or all there are.
inline std::string_view take(std::string_view& bytes, size_t count) {
  const std::string_view front = bytes.substr(0, count);
  bytes.remove_prefix(front.size());
  return front;
}

// A part that begins with its length in two bytes, low one first.
inline std::string_view take_part(std::string_view& bytes) {
  const std::string_view length = take(bytes, 2);
  size_t count = 0;
  for (size_t i = length.size(); i-- > 0;)
    count = count << 8 | static_cast<unsigned char>(length[i]);
  return take(bytes, count);
}
inline std::string part(std::string_view bytes) {
  return std::string{static_cast<char>(bytes.size()), static_cast<char>(bytes.size() >> 8)} +
         std::string(bytes);
}

// Keys and values, a part each; of equal keys the last.
using Records = std::map<std::string, std::string>;
inline Records take_records(std::string_view bytes) {
  Records records;
  while (!bytes.empty()) {
    const std::string key(take_part(bytes));
    records[key] = take_part(bytes);
  }
  return records;
}
inline std::string records_bytes(const Records& records) {
  std::string bytes;
  for (const auto& [key, value] : records) bytes += part(key) + part(value);
  return bytes;
}

}  // namespace cairn::fuzz
