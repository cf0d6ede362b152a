// The schemas of Cairn's messages at run time, for code that accesses fields by name: text, JSON,
// renaming.
//
// protobuf has one table of generated schemas per process and aborts if a schema is registered
// twice, as it would be by two plugins that each contain this library. Therefore the messages are
// generated without descriptors (LITE_RUNTIME in proto/cairn/), and the descriptors are built here
// on first use, in a table of this copy of the library.
#pragma once

#include <google/protobuf/message.h>

#include <memory>
#include <string>

namespace cairn {

// Finds one of Cairn's types, "cairn.pb.GraphDef", or else a type linked into the program; null if
// there is none.
const google::protobuf::Descriptor* find_message_type(const std::string& full_name);
const google::protobuf::Descriptor& descriptor_of(const google::protobuf::MessageLite& message);

// An empty message of the type, with descriptor and reflection.
std::unique_ptr<google::protobuf::Message> new_message(const google::protobuf::Descriptor& type);
// A copy of `message` with descriptor and reflection.
std::unique_ptr<google::protobuf::Message> reflected(const google::protobuf::MessageLite& message);

}  // namespace cairn
