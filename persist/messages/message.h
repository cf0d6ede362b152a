// Messages as bytes and as text.
#pragma once

#include <google/protobuf/message_lite.h>

#include <string>
#include <string_view>
#include <vector>

namespace cairn {

// How deep messages may be nested in what is read.
inline constexpr int kMaxNesting = 100;

// Both false when `bytes` are not such a message. Nesting is limited, and lengths are those the
// bytes back. Both throw DataLoss for a message that takes far more memory than its bytes
// (message_cost.h).
bool parse_bytes(std::string_view bytes, google::protobuf::MessageLite& into);
// `why`: "line 3, column 14: Expected identifier." With `left_out`, fields and values of enums that
// the schema does not have, as later versions write them, do not make it false: they are passed
// over (a value counts as 0) and told there, "NodeDef has no field named \"x\" (40 times, first in
// line 12)".
bool parse_text(const std::string& text, google::protobuf::MessageLite& into,
                std::string* why = nullptr, std::vector<std::string>* left_out = nullptr);

// The same bytes for equal messages: maps in order of key. Throws ResourceExhausted from 2 GiB on,
// which no reader takes.
std::string to_bytes(const google::protobuf::MessageLite& message);
// Fields that this version of the schema does not name cannot be told in text and are left out.
std::string to_text(const google::protobuf::MessageLite& message);
// The same on one line.
std::string to_line(const google::protobuf::MessageLite& message);
// Protobuf's mapping to JSON, with the names of fields as they are in the schema; unknown fields
// are left out as in text. An Any of a type that is not at hand, or whose bytes hold more than its
// type tells, is written as an Any that holds an OpaqueAny: its type_url and its bytes in base64.
std::string to_json(const google::protobuf::MessageLite& message);
// Takes names of fields in both spellings, graph_def and graphDef. `why`: what is wrong, and where.
// `left_out`: as for text, but only the first of them is told.
bool parse_json(const std::string& json, google::protobuf::MessageLite& into,
                std::string* why = nullptr, std::vector<std::string>* left_out = nullptr);

// Equal by every field, known or not.
inline bool same_message(const google::protobuf::MessageLite& a,
                         const google::protobuf::MessageLite& b) {
  return to_bytes(a) == to_bytes(b);
}

}  // namespace cairn
