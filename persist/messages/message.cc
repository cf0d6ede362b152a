#include "persist/messages/message.h"

#include <google/protobuf/any.pb.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/tokenizer.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <google/protobuf/text_format.h>
#include <google/protobuf/util/json_util.h>
#include <google/protobuf/util/type_resolver_util.h>

#include <algorithm>
#include <climits>
#include <functional>
#include <memory>
#include <set>
#include <string_view>
#include <unordered_map>

#include "cairn/meta_graph.pb.h"
#include "persist/messages/message_cost.h"
#include "persist/messages/schema.h"
#include "runtime/base/error.h"

namespace cairn {
namespace {

namespace proto = google::protobuf;

// Keeps protobuf from printing faults that Cairn's errors report.
#if GOOGLE_PROTOBUF_VERSION < 4022000
using Quiet = proto::LogSilencer;
#else
struct Quiet {};
#endif

// Collects the first error, and each kind of warning once with its number of occurrences.
class Findings final : public proto::io::ErrorCollector {
 public:
  void AddError(int line, int column, const std::string& message) override {
    if (error.empty()) error = str_cat("line ", line + 1, ", column ", column + 1, ": ", message);
  }
  // 'Message type "cairn.pb.NodeDef" has no field named "x".'
  void AddWarning(int line, int, const std::string& message) override {
    static constexpr std::string_view kBegin = "Message type \"cairn.pb.";
    std::string text = message;
    if (text.starts_with(kBegin)) {
      text.erase(0, kBegin.size());
      text.erase(std::min(text.find('"'), text.size() - 1), 1);
    }
    if (text.ends_with('.')) text.pop_back();
    note(text, line);
  }
  void note(const std::string& text, int line) {
    const auto [found, added] = places_.emplace(text, notes_.size());
    if (added) notes_.push_back({text, line + 1, 0});
    ++notes_[found->second].times;
  }

  std::vector<std::string> notes() const {
    std::vector<std::string> texts;
    for (const Note& n : notes_) {
      texts.push_back(n.times == 1
                          ? str_cat(n.text, " (line ", n.line, ")")
                          : str_cat(n.text, " (", n.times, " times, first in line ", n.line, ")"));
    }
    return texts;
  }

  bool empty() const { return error.empty() && notes_.empty(); }

  std::string error;

 private:
  struct Note {
    std::string text;
    int line, times;
  };
  std::vector<Note> notes_;
  std::unordered_map<std::string, size_t> places_;
};

constexpr char kTypeUrl[] = "type.googleapis.com/";
constexpr char kTheirs[] = "tensorflow.";
constexpr char kOurs[] = "cairn.pb.";

// The type after the last slash; TensorFlow's types are mapped to Cairn's.
std::string type_name(const std::string& type_url) {
  const std::string name = type_url.substr(type_url.rfind('/') + 1);
  return name.starts_with(kTheirs) ? kOurs + name.substr(sizeof kTheirs - 1) : name;
}

// Resolves the expanded form of an Any, [type.googleapis.com/tensorflow.X] { ... }, to Cairn's X.
class AnyTypes final : public proto::TextFormat::Finder {
 public:
  const proto::Descriptor* FindAnyType(const proto::Message&, const std::string&,
                                       const std::string& name) const override {
    return find_message_type(type_name(name));
  }
};

// Looks up the schema only for messages that are large enough to be checked.
void check_cost(std::string_view bytes, const proto::MessageLite& message, uint64_t size) {
  if (bytes.size() > kSmallMessage) check_message_cost(bytes, &descriptor_of(message), size);
}

}  // namespace

bool parse_bytes(std::string_view bytes, proto::MessageLite& into) {
  if (bytes.size() > INT_MAX) return false;
  check_cost(bytes, into, bytes.size());
  [[maybe_unused]] const Quiet quiet;
  // protobuf's default limit on nesting is 100. From a stream, whose end it cannot see, it would
  // allocate 50 MB for any length that a few bytes claim.
  return into.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()));
}

namespace {

// The names of all enum values in the schema of a file and its imports.
void gather_enum_values(const proto::FileDescriptor& file, std::set<std::string_view>& names) {
  const auto gather = [&](const proto::EnumDescriptor& type) {
    for (int i = 0; i < type.value_count(); ++i) names.insert(type.value(i)->name());
  };
  const std::function<void(const proto::Descriptor&)> gather_inside =
      [&](const proto::Descriptor& type) {
        for (int i = 0; i < type.enum_type_count(); ++i) gather(*type.enum_type(i));
        for (int i = 0; i < type.nested_type_count(); ++i) gather_inside(*type.nested_type(i));
      };
  for (int i = 0; i < file.enum_type_count(); ++i) gather(*file.enum_type(i));
  for (int i = 0; i < file.message_type_count(); ++i) gather_inside(*file.message_type(i));
  for (int i = 0; i < file.dependency_count(); ++i) gather_enum_values(*file.dependency(i), names);
}

// Replaces enum values that the schema does not have by 0. They are the only capitalized words that
// occur where a value is expected.
std::string without_unknown_values(const std::string& text, const proto::Descriptor& type,
                                   Findings& findings) {
  std::set<std::string_view> known = {"INF", "INFINITY", "NAN"};
  gather_enum_values(*type.file(), known);
  std::string replaced = text;
  Findings ignored;
  proto::io::ArrayInputStream in(text.data(), static_cast<int>(text.size()));
  proto::io::Tokenizer tokens(&in, &ignored);
  tokens.set_comment_style(proto::io::Tokenizer::SH_COMMENT_STYLE);
  // The offset of (line, column). A tab advances the column to the next multiple of 8.
  size_t at = 0;
  int line = 0, column = 0;
  bool after_colon = false, in_list = false;
  while (tokens.Next()) {
    const auto& token = tokens.current();
    while (line < token.line || column < token.column) {
      const char c = text[at++];
      line += c == '\n';
      column = c == '\n' ? 0 : c == '\t' ? column + 8 - column % 8 : column + 1;
    }
    const bool capitals =
        token.text.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") == std::string::npos;
    if ((after_colon || in_list) && token.type == proto::io::Tokenizer::TYPE_IDENTIFIER &&
        capitals && !known.count(token.text)) {
      replaced.replace(at, token.text.size(), "0" + std::string(token.text.size() - 1, ' '));
      findings.note(str_cat("there is no enum value named ", token.text, "; it counts as 0"), line);
    }
    in_list = token.text == "[" ? after_colon : in_list && token.text != "]";
    after_colon = token.text == ":";
  }
  return replaced;
}

}  // namespace

bool parse_text(const std::string& text, proto::MessageLite& into, std::string* why,
                std::vector<std::string>* left_out) {
  [[maybe_unused]] const Quiet quiet;
  Findings findings, again;
  const AnyTypes types;
  proto::TextFormat::Parser parser;
  parser.RecordErrorsTo(&findings);
  parser.SetFinder(&types);
  parser.SetRecursionLimit(kMaxNesting);
  parser.AllowUnknownField(left_out != nullptr);
  const auto message = new_message(descriptor_of(into));
  bool parsed = parser.ParseFromString(text, message.get());
  if (!parsed && left_out &&
      findings.error.find("Unknown enumeration value") != std::string::npos) {
    parser.RecordErrorsTo(&again);
    message->Clear();
    parsed = parser.ParseFromString(without_unknown_values(text, descriptor_of(into), again),
                                    message.get());
  }
  Findings& last = again.empty() ? findings : again;
  // The text format accepts strings that the binary format does not; the message must be readable
  // after it is written.
  const std::string bytes = parsed ? message->SerializeAsString() : "";
  check_cost(bytes, into, text.size());
  if (parsed && !parse_bytes(bytes, into)) {
    parsed = false;
    last.error = "a string in it is not UTF-8";
  }
  if (!parsed && why) *why = last.error;
  if (parsed && left_out) *left_out = last.notes();
  return parsed;
}

std::string to_bytes(const proto::MessageLite& message) {
  [[maybe_unused]] const Quiet quiet;  // callers report text that is not UTF-8
  const size_t size = message.ByteSizeLong();
  if (size > INT_MAX) {
    fail(Code::kResourceExhausted, "a message of ", size,
         " bytes cannot be written: readers take less than 2 GiB");
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

namespace {

std::string printed(const proto::MessageLite& message, bool in_one_line) {
  proto::TextFormat::Printer printer;
  printer.SetHideUnknownFields(true);
  printer.SetSingleLineMode(in_one_line);
  std::string text;
  printer.PrintToString(*reflected(message), &text);
  if (in_one_line && text.ends_with(' ')) text.pop_back();
  return text;
}

}  // namespace

std::string to_text(const proto::MessageLite& message) { return printed(message, false); }

std::string to_line(const proto::MessageLite& message) { return printed(message, true); }

namespace {

// Resolves Cairn's types in its own pool and all others in the program's.
class Types final : public proto::util::TypeResolver {
 public:
  using Status = decltype(proto::util::MessageToJsonString(proto::Any(), nullptr));
  Status ResolveMessageType(const std::string& type_url, proto::Type* type) override {
    const std::string name = type_name(type_url);
    return of(name).ResolveMessageType(kTypeUrl + name, type);
  }
  Status ResolveEnumType(const std::string& type_url, proto::Enum* type) override {
    return of(type_name(type_url)).ResolveEnumType(type_url, type);
  }

 private:
  using Resolver = std::unique_ptr<proto::util::TypeResolver>;
  static Resolver resolver(const proto::DescriptorPool* pool) {
    return Resolver(proto::util::NewTypeResolverForDescriptorPool("type.googleapis.com", pool));
  }
  proto::util::TypeResolver& of(const std::string& name) {
    return name.starts_with(kOurs) ? *ours_ : *program_s_;
  }

  const Resolver ours_ = resolver(descriptor_of(pb::MetaGraphDef()).file()->pool());
  const Resolver program_s_ = resolver(proto::DescriptorPool::generated_pool());
};

// Calls `visit` with every Any in `message`.
void for_each_any(proto::Message& message, const std::function<void(proto::Any&)>& visit) {
  if (message.GetDescriptor()->full_name() == proto::Any::descriptor()->full_name()) {
    proto::Any any;
    any.ParseFromString(message.SerializeAsString());
    visit(any);
    message.ParseFromString(any.SerializeAsString());
    return;
  }
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

// True if JSON can express the whole content of the Any.
bool is_telling(const proto::Any& any) {
  const auto* type = find_message_type(type_name(any.type_url()));
  if (!type || !any.type_url().starts_with(kTypeUrl) || type == &descriptor_of(pb::OpaqueAny()))
    return false;
  const auto inside = new_message(*type);
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

// Replaces "-0" by "-0.0": protobuf's reader takes the former for an integer, which has no negative
// zero.
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
      const bool begins =
          i < 2 || std::string_view(":,[ \t\r\n").find(json[i - 2]) != std::string_view::npos;
      const bool ends = i + 1 == json.size() ||
                        std::string_view(",]} \t\r\n").find(json[i + 1]) != std::string_view::npos;
      if (begins && ends) told += ".0";
    }
  }
  return told;
}

}  // namespace

std::string to_json(const proto::MessageLite& message) {
  [[maybe_unused]] const Quiet quiet;
  const auto telling = reflected(message);
  for_each_any(*telling, wrap);
  proto::util::JsonPrintOptions options;
  options.add_whitespace = true;
  options.preserve_proto_field_names = true;
  Types types;
  std::string json;
  const auto status = proto::util::BinaryToJsonString(&types, kTypeUrl + message.GetTypeName(),
                                                      to_bytes(*telling), &json, options);
  if (!status.ok()) fail(Code::kInternal, "no JSON can tell this message: ", status.ToString());
  return with_signed_zeros(json);
}

bool parse_json(const std::string& json, proto::MessageLite& into, std::string* why,
                std::vector<std::string>* left_out) {
  [[maybe_unused]] const Quiet quiet;
  Types types;
  std::string bytes;
  const std::string type = kTypeUrl + into.GetTypeName(), zeros = with_signed_zeros(json);
  auto status = proto::util::JsonToBinaryString(&types, type, zeros, &bytes);
  if (!status.ok() && left_out) {
    proto::util::JsonParseOptions lenient;
    lenient.ignore_unknown_fields = true;
    bytes.clear();
    const auto again = proto::util::JsonToBinaryString(&types, type, zeros, &bytes, lenient);
    if (again.ok()) *left_out = {std::string(status.message())};
    if (again.ok()) status = again;
  }
  if (!status.ok()) {
    if (why) *why = std::string(status.message());
    return false;
  }
  const auto message = new_message(descriptor_of(into));
  if (parse_bytes(bytes, *message)) {
    for_each_any(*message, unwrap);
    if (parse_bytes(to_bytes(*message), into)) return true;
  }
  if (why) *why = "it is nested too deeply";
  return false;
}

}  // namespace cairn
