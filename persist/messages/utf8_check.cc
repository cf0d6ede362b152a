#include "persist/messages/utf8_check.h"

#include <google/protobuf/descriptor.h>

#include <map>

#include "persist/messages/message.h"
#include "persist/messages/schema.h"
#include "persist/messages/wire.h"
#include "runtime/base/text.h"

namespace cairn {
namespace {

namespace proto = google::protobuf;
using Field = proto::FieldDescriptor;

// Finds string fields that are not UTF-8 in a serialized message, with their paths. Works on bytes,
// since such a message can be written but not parsed.
class Search {
 public:
  explicit Search(const std::string& except) : except_(except) {}

  void look(std::string_view bytes, const proto::Descriptor* type, const std::string& way) {
    std::map<const Field*, int> seen;
    for_each_field(bytes, type, [&](const Field& field, std::string_view content) {
      const bool text = field.type() == Field::TYPE_STRING;
      if ((!text && !field.message_type()) || field.full_name() == except_) return;
      const int index = seen[&field]++;
      std::string here = str_cat(way, way.empty() ? "" : ".", field.name());
      if (text) {
        check(content, field.is_repeated() ? str_cat(here, "[", index, "]") : here);
      } else {
        if (field.is_repeated())
          here += str_cat("[", label(content, field.message_type(), index), "]");
        look(content, field.message_type(), here);
      }
    });
  }

  std::vector<std::string> found;

 private:
  // Calls `visit` with each length-delimited field: strings, messages, packed numbers.
  template <class Visit>
  static void for_each_field(std::string_view bytes, const proto::Descriptor* type,
                             const Visit& visit) {
    while (!bytes.empty()) {
      const auto tag = take_varint<uint32_t>(bytes);
      if (!tag) return;
      const uint32_t wire_type = *tag & 7;
      uint64_t length = wire_type == 1 ? 8 : wire_type == 5 ? 4 : 0;
      if (wire_type == 0 || wire_type == 2) {
        const auto number = take_varint(bytes);
        if (!number) return;
        if (wire_type == 2) length = *number;
      }
      if (length > bytes.size()) return;
      const Field* field =
          wire_type == 2 ? type->FindFieldByNumber(static_cast<int>(*tag >> 3)) : nullptr;
      if (field) visit(*field, bytes.substr(0, length));
      bytes.remove_prefix(length);
    }
  }

  // The label of an item in a path: its key in a map or its name, otherwise its index.
  static std::string label(std::string_view item, const proto::Descriptor* type, int index) {
    const Field* named = type->map_key() ? type->map_key() : type->FindFieldByName("name");
    if (!named || named->type() != Field::TYPE_STRING || named->is_repeated())
      return str_cat(index);
    std::string name;
    for_each_field(item, type, [&](const Field& field, std::string_view content) {
      if (&field == named) name = content;
    });
    return "'" + printable(name) + "'";
  }

  void check(std::string_view text, const std::string& where) {
    if (!is_utf8(text)) found.push_back(str_cat(where, " is '", printable(std::string(text)), "'"));
  }

  const std::string& except_;
};

// The names of the functions in an attribute.
std::vector<std::string> functions_in(const Attr& attr) {
  std::vector<std::string> names;
  if (const auto* one = attr.get<FuncAttr>()) names.push_back(one->name);
  if (const auto* several = attr.get<std::vector<FuncAttr>>()) {
    for (const FuncAttr& function : *several) names.push_back(function.name);
  }
  return names;
}

}  // namespace

void require_utf8(const proto::MessageLite& message, const std::string& except) {
  const proto::Descriptor& type = descriptor_of(message);
  Search search(except);
  search.look(to_bytes(message), &type, "");
  if (search.found.empty()) return;
  fail(Code::kInvalidArgument, "a ", type.name(),
       " cannot be written with text that is not UTF-8, for no program could read it again: ",
       join_for_people(search.found));
}

void require_utf8(const Node& node) {
  const auto check = [&](const std::string& text, const char* what) {
    if (is_utf8(text)) return;
    throw Error(
        Code::kInvalidArgument,
        str_cat(
            node.str(), ": ", what, " '", printable(text),
            "' is not UTF-8; a node cannot be written with it, for no program could read it again"),
        node.name);
  };
  check(node.name, "its name");
  check(node.op->name, "its op");
  check(node.device, "its device");
  for (const auto& [name, attr] : node.attrs) {
    check(name, "the name of its attribute");
    for (const std::string& function : functions_in(attr))
      check(function, "a function that it names,");
  }
}

}  // namespace cairn
