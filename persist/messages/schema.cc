#include "persist/messages/schema.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>
#include <google/protobuf/dynamic_message.h>

#include "cairn/schema_bytes.h"
#include "persist/messages/message.h"
#include "runtime/base/error.h"

namespace cairn {
namespace {

namespace proto = google::protobuf;

struct Schema {
  proto::DescriptorPool pool;
  proto::DynamicMessageFactory factory;

  Schema() {
    proto::FileDescriptorSet files;
    bool built = files.ParseFromArray(kSchemaBytes, sizeof kSchemaBytes);
    for (const auto& file : files.file()) built = built && pool.BuildFile(file);
    if (!built) fail(Code::kInternal, "the protobuf library cannot read the schemas of this one");
  }
};

// Never destroyed: static objects may save while the program ends.
Schema& schema() {
  static Schema& once = *new Schema;
  return once;
}

}  // namespace

const proto::Descriptor* find_message_type(const std::string& full_name) {
  const auto* ours = schema().pool.FindMessageTypeByName(full_name);
  return ours ? ours : proto::DescriptorPool::generated_pool()->FindMessageTypeByName(full_name);
}

const proto::Descriptor& descriptor_of(const proto::MessageLite& message) {
  const auto* type = find_message_type(message.GetTypeName());
  if (!type) fail(Code::kInternal, "there is no schema of ", message.GetTypeName());
  return *type;
}

std::unique_ptr<proto::Message> new_message(const proto::Descriptor& type) {
  return std::unique_ptr<proto::Message>(schema().factory.GetPrototype(&type)->New());
}

std::unique_ptr<proto::Message> reflected(const proto::MessageLite& message) {
  auto copy = new_message(descriptor_of(message));
  if (!parse_bytes(to_bytes(message), *copy))
    fail(Code::kInvalidArgument, "text in a ", message.GetTypeName(), " is not UTF-8");
  return copy;
}

}  // namespace cairn
