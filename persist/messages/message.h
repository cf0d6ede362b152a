// Conversion between messages and bytes, text and JSON.
#pragma once

#include <google/protobuf/message_lite.h>

#include <string>
#include <string_view>
#include <vector>

namespace cairn {

// The maximum nesting of messages that are read.
inline constexpr int kMaxNesting = 100;

// The parsers return false for input that is not such a message. They limit nesting, and never
// trust a length beyond the bytes that exist. They throw DataLoss for a message that takes far more
// memory than its bytes (message_cost.h).
bool parse_bytes(std::string_view bytes, google::protobuf::MessageLite& into);
// `why` is set to the error: "line 3, column 14: Expected identifier." If `left_out` is given,
// fields and enum values that the schema does not have, as later versions write them, are not
// errors: they are skipped (an enum value counts as 0) and listed there: "NodeDef has no field
// named \"x\" (40 times, first in line 12)".
bool parse_text(const std::string& text, google::protobuf::MessageLite& into,
                std::string* why = nullptr, std::vector<std::string>* left_out = nullptr);

// Serializes deterministically: equal messages give equal bytes; maps are ordered by key. Throws
// ResourceExhausted from 2 GiB on, which no reader accepts.
std::string to_bytes(const google::protobuf::MessageLite& message);
// Protobuf text. Fields that are not in this version of the schema have no name and are omitted.
std::string to_text(const google::protobuf::MessageLite& message);
// The same, on one line.
std::string to_line(const google::protobuf::MessageLite& message);
// JSON in protobuf's mapping, with field names as in the schema. Unknown fields are omitted as in
// text. An Any whose type is not available, or whose bytes contain more than its type describes, is
// written as an Any of an OpaqueAny, with its type_url and its bytes in base64.
std::string to_json(const google::protobuf::MessageLite& message);
// Accepts field names in both spellings, graph_def and graphDef. `why` is set to the error and its
// position. `left_out` as for text, but only the first omission is listed.
bool parse_json(const std::string& json, google::protobuf::MessageLite& into,
                std::string* why = nullptr, std::vector<std::string>* left_out = nullptr);

// True if all fields are equal, known ones and unknown ones.
inline bool same_message(const google::protobuf::MessageLite& a,
                         const google::protobuf::MessageLite& b) {
  return to_bytes(a) == to_bytes(b);
}

}  // namespace cairn
