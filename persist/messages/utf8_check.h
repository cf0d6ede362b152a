// Text that cannot be written: protobuf takes any bytes into a field of text, and no reader takes
// the message again unless they are UTF-8.
#pragma once

#include <google/protobuf/message_lite.h>

#include "runtime/graph/node.h"

namespace cairn {

// Throws InvalidArgument when a field of text anywhere in `message` is not UTF-8, naming those
// fields: "collection_def key '\xe9t\xe9'". `except`: the full name of a field that is not looked
// into, as its text was checked elsewhere.
void require_utf8(const google::protobuf::MessageLite& message, const std::string& except = "");

// The same of what a node's message will hold; names the node and where it was made.
void require_utf8(const Node& node);

}  // namespace cairn
