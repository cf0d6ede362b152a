#include "persist/internal/message.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/tokenizer.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <google/protobuf/text_format.h>
#include <google/protobuf/util/json_util.h>

#include <climits>
#include <memory>

#include "runtime/error.h"

namespace cairn {
namespace {

namespace proto = google::protobuf;

constexpr int kMaxNesting = 100;

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
  if (parsed && !parse_bytes(into.SerializeAsString(), *probe)) {
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

std::string to_json(const proto::Message& message) {
  [[maybe_unused]] const Quiet quiet;
  proto::util::JsonPrintOptions options;
  options.add_whitespace = true;
  options.preserve_proto_field_names = true;
  std::string json;
  const auto status = proto::util::MessageToJsonString(message, &json, options);
  if (!status.ok()) fail(Code::kUnimplemented, "no JSON can tell this message: ", status.ToString());
  return json;
}

}  // namespace cairn
