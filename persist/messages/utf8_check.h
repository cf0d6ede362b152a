// Checks that text is UTF-8 before it is written: protobuf accepts any bytes in a string field, but
// no reader accepts such a message.
#pragma once

#include <google/protobuf/message_lite.h>

#include "runtime/graph/node.h"

namespace cairn {

// Throws InvalidArgument if string fields anywhere in `message` are not UTF-8, naming them:
// "collection_def key '\xe9t\xe9'". `except` is the full name of a field that is skipped because it
// was checked elsewhere.
void require_utf8(const google::protobuf::MessageLite& message, const std::string& except = "");

// The same for the message of a node; the error names the node and the line that made it.
void require_utf8(const Node& node);

}  // namespace cairn
