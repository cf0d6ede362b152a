// The schemas of our messages at run time, for what goes through fields by their names: text, JSON,
// renaming.
//
// protobuf has one table of generated schemas per process and ends the process when one comes
// twice, as it does where two plugins each hold a copy of this library. So our messages are
// generated without descriptors (LITE_RUNTIME in proto/cairn/), and the descriptors are built here
// when they are first asked for, in a table of this copy's own.
#pragma once

#include <google/protobuf/message.h>

#include <memory>
#include <string>

namespace cairn {

// One of our types, "cairn.pb.GraphDef", or else one of those that the program has linked; null
// where there is none.
const google::protobuf::Descriptor* find_message_type(const std::string& full_name);
const google::protobuf::Descriptor& descriptor_of(const google::protobuf::MessageLite& message);

// An empty message of that type that has descriptor and reflection.
std::unique_ptr<google::protobuf::Message> new_message(const google::protobuf::Descriptor& type);
// A copy of `message` that has them.
std::unique_ptr<google::protobuf::Message> reflected(const google::protobuf::MessageLite& message);

}  // namespace cairn
