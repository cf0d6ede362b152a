#include "persist/internal/message.h"

#include <google/protobuf/any.pb.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/tokenizer.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <google/protobuf/text_format.h>
#include <google/protobuf/util/json_util.h>
#include <google/protobuf/util/type_resolver_util.h>

#include <climits>
#include <functional>
#include <memory>
#include <string_view>

#include "persist/internal/message_cost.h"
#include "proto/meta_graph.pb.h"
#include "runtime/error.h"

namespace cairn {
namespace {

namespace proto = google::protobuf;

// Keeps the library from printing what is said in our own errors.
#if GOOGLE_PROTOBUF_VERSION < 4022000
using Quiet = proto::LogSilencer;
#else
struct Quiet {};
#endif

class FirstError final : public proto::io::ErrorCollector {
 public:
  void AddError(int line, int column, const std::string& message) override {
    if (text.empty()) text = str_cat("line ", line + 1, ", column ", column + 1, ": ", message);
  }
  std::string text;
};

// Writers that know the type inside an Any print it as [type.googleapis.com/tensorflow.X] { ... }: it is our X.
class TensorFlowTypes final : public proto::TextFormat::Finder {
 public:
  const proto::Descriptor* FindAnyType(const proto::Message& message, const std::string&,
                                       const std::string& name) const override {
    const std::string_view theirs = "tensorflow.";
    if (name.compare(0, theirs.size(), theirs) != 0) return nullptr;
    const auto* pool = message.GetDescriptor()->file()->pool();
    if (const auto* found = pool->FindMessageTypeByName("cairn.pb." + name.substr(theirs.size()))) return found;
    return proto::DescriptorPool::generated_pool()->FindMessageTypeByName("cairn.pb." + name.substr(theirs.size()));
  }
};

}  // namespace

bool parse_bytes(std::string_view bytes, proto::Message& into) {
  if (bytes.size() > INT_MAX) return false;
  check_message_cost(bytes, into.GetDescriptor(), bytes.size());
  [[maybe_unused]] const Quiet quiet;
  // Nesting is limited to 100 by itself. Through a stream, whose end it does not see, protobuf would take 50 MB for any
  // length that a few bytes claim.
  return into.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()));
}

bool parse_text(const std::string& text, proto::Message& into, std::string* why) {
  [[maybe_unused]] const Quiet quiet;
  FirstError error;
  const TensorFlowTypes types;
  proto::TextFormat::Parser parser;
  parser.RecordErrorsTo(&error);
  parser.SetFinder(&types);
  parser.SetRecursionLimit(kMaxNesting);
  bool parsed = parser.ParseFromString(text, &into);
  // Text may hold what bytes may not: what is read here must be readable again once it is written.
  const std::unique_ptr<proto::Message> probe(into.New());
  const std::string bytes = parsed ? into.SerializeAsString() : "";
  check_message_cost(bytes, into.GetDescriptor(), text.size());
  if (parsed && !parse_bytes(bytes, *probe)) {
    parsed = false;
    error.text = "a string in it is not UTF-8";
  }
  if (!parsed && why) *why = error.text;
  return parsed;
}

std::string to_bytes(const proto::Message& message) {
  const size_t size = message.ByteSizeLong();
  if (size > INT_MAX) {
    fail(Code::kResourceExhausted, "a message of ", size, " bytes cannot be written: readers take less than 2 GiB");
  }
  std::string bytes;
  bytes.reserve(size);
  {
    proto::io::StringOutputStream stream(&bytes);
    proto::io::CodedOutputStream out(&stream);
    out.SetSerializationDeterministic(true);
    message.SerializeWithCachedSizes(&out);
  }
  return bytes;
}

std::string to_text(const proto::Message& message) {
  proto::TextFormat::Printer printer;
  printer.SetHideUnknownFields(true);
  std::string text;
  printer.PrintToString(message, &text);
  return text;
}

namespace {

constexpr char kTypeUrl[] = "type.googleapis.com/";
constexpr char kTheirs[] = "tensorflow.";
constexpr char kOurs[] = "cairn.pb.";

// What is after the last slash; TensorFlow's types are ours.
std::string type_name(const std::string& type_url) {
  const std::string name = type_url.substr(type_url.rfind('/') + 1);
  return name.starts_with(kTheirs) ? kOurs + name.substr(sizeof kTheirs - 1) : name;
}

class Types final : public proto::util::TypeResolver {
 public:
  using Status = decltype(proto::util::MessageToJsonString(proto::Any(), nullptr));
  Status ResolveMessageType(const std::string& type_url, proto::Type* type) override {
    return known_->ResolveMessageType(kTypeUrl + type_name(type_url), type);
  }
  Status ResolveEnumType(const std::string& type_url, proto::Enum* type) override {
    return known_->ResolveEnumType(type_url, type);
  }

 private:
  const std::unique_ptr<proto::util::TypeResolver> known_{
      proto::util::NewTypeResolverForDescriptorPool("type.googleapis.com", proto::DescriptorPool::generated_pool())};
};

// Calls `visit` with every Any in `message`.
void for_each_any(proto::Message& message, const std::function<void(proto::Any&)>& visit) {
  if (message.GetDescriptor() == proto::Any::descriptor()) return visit(static_cast<proto::Any&>(message));
  const auto* reflection = message.GetReflection();
  std::vector<const proto::FieldDescriptor*> fields;
  reflection->ListFields(message, &fields);
  for (const auto* field : fields) {
    if (field->cpp_type() != proto::FieldDescriptor::CPPTYPE_MESSAGE) continue;
    if (!field->is_repeated()) {
      for_each_any(*reflection->MutableMessage(&message, field), visit);
      continue;
    }
    for (int i = 0; i < reflection->FieldSize(message, field); ++i) {
      for_each_any(*reflection->MutableRepeatedMessage(&message, field, i), visit);
    }
  }
}

// JSON can tell all that the Any holds.
bool is_telling(const proto::Any& any) {
  const auto* type = proto::DescriptorPool::generated_pool()->FindMessageTypeByName(type_name(any.type_url()));
  if (!type || !any.type_url().starts_with(kTypeUrl) || type == pb::OpaqueAny::descriptor()) return false;
  const std::unique_ptr<proto::Message> inside(proto::MessageFactory::generated_factory()->GetPrototype(type)->New());
  if (!parse_bytes(any.value(), *inside)) return false;
  inside->DiscardUnknownFields();
  bool nested = false;
  for_each_any(*inside, [&](proto::Any&) { nested = true; });
  return !nested && to_bytes(*inside) == any.value();
}

void wrap(proto::Any& any) {
  if (is_telling(any) || (any.type_url().empty() && any.value().empty())) return;
  pb::OpaqueAny opaque;
  opaque.set_type_url(any.type_url());
  opaque.set_value(any.value());
  any.PackFrom(opaque);
}
void unwrap(proto::Any& any) {
  pb::OpaqueAny opaque;
  if (!any.UnpackTo(&opaque)) return;
  any.set_type_url(opaque.type_url());
  any.set_value(opaque.value());
}

// JSON in which "-0" is "-0.0": protobuf's reader takes the former for an integer, which has one zero only.
std::string with_signed_zeros(const std::string& json) {
  std::string told;
  told.reserve(json.size());
  bool quoted = false;
  for (size_t i = 0; i < json.size(); ++i) {
    told += json[i];
    if (quoted && json[i] == '\\' && i + 1 < json.size()) {
      told += json[++i];
    } else if (json[i] == '"') {
      quoted = !quoted;
    } else if (!quoted && json[i] == '0' && i > 0 && json[i - 1] == '-') {
      const bool begins = i < 2 || std::string_view(":,[ \t\r\n").find(json[i - 2]) != std::string_view::npos;
      const bool ends =
          i + 1 == json.size() || std::string_view(",]} \t\r\n").find(json[i + 1]) != std::string_view::npos;
      if (begins && ends) told += ".0";
    }
  }
  return told;
}

}  // namespace

std::string to_json(const proto::Message& message) {
  [[maybe_unused]] const Quiet quiet;
  const std::unique_ptr<proto::Message> telling(message.New());
  telling->CopyFrom(message);
  for_each_any(*telling, wrap);
  proto::util::JsonPrintOptions options;
  options.add_whitespace = true;
  options.preserve_proto_field_names = true;
  Types types;
  std::string json;
  const auto status = proto::util::BinaryToJsonString(&types, kTypeUrl + message.GetDescriptor()->full_name(),
                                                      to_bytes(*telling), &json, options);
  if (!status.ok()) fail(Code::kInternal, "no JSON can tell this message: ", status.ToString());
  return with_signed_zeros(json);
}

bool parse_json(const std::string& json, proto::Message& into, std::string* why) {
  [[maybe_unused]] const Quiet quiet;
  Types types;
  std::string bytes;
  const auto status = proto::util::JsonToBinaryString(&types, kTypeUrl + into.GetDescriptor()->full_name(),
                                                      with_signed_zeros(json), &bytes);
  if (!status.ok()) {
    if (why) *why = std::string(status.message());
    return false;
  }
  if (!parse_bytes(bytes, into)) {
    if (why) *why = "it is nested too deeply";
    return false;
  }
  for_each_any(into, unwrap);
  return true;
}

}  // namespace cairn
