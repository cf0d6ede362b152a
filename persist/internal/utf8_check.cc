#include "persist/internal/utf8_check.h"

#include <google/protobuf/descriptor.h>

#include "runtime/text.h"

namespace cairn {
namespace {

namespace proto = google::protobuf;
using Field = proto::FieldDescriptor;

// Finds the fields of text that are not UTF-8, with the way to each.
class Search {
 public:
  explicit Search(const std::string& except) : except_(except) {}

  void look(const proto::Message& message, const std::string& way) {
    std::vector<const Field*> fields;
    message.GetReflection()->ListFields(message, &fields);
    for (const Field* field : fields) {
      const bool text = field->type() == Field::TYPE_STRING, deep = field->cpp_type() == Field::CPPTYPE_MESSAGE;
      if ((text || deep) && field->full_name() != except_) look_at(message, *field, way);
    }
  }

  std::vector<std::string> found;

 private:
  void look_at(const proto::Message& message, const Field& field, const std::string& way) {
    const auto* reflection = message.GetReflection();
    const std::string here = str_cat(way, way.empty() ? "" : ".", field.name());
    if (!field.is_repeated()) {
      if (field.type() == Field::TYPE_STRING) return check(reflection->GetString(message, &field), here);
      return look(reflection->GetMessage(message, &field), here);
    }
    for (int i = 0; i < reflection->FieldSize(message, &field); ++i) {
      if (field.type() == Field::TYPE_STRING) {
        check(reflection->GetRepeatedString(message, &field, i), str_cat(here, "[", i, "]"));
      } else {
        const proto::Message& item = reflection->GetRepeatedMessage(message, &field, i);
        look(item, str_cat(here, "[", label(item, i), "]"));
      }
    }
  }

  // What people know the item by: its key in a map or its name, else its number.
  static std::string label(const proto::Message& item, int i) {
    const auto* type = item.GetDescriptor();
    const Field* named = type->map_key() ? type->map_key() : type->FindFieldByName("name");
    if (!named || named->type() != Field::TYPE_STRING || named->is_repeated()) return str_cat(i);
    return "'" + printable(item.GetReflection()->GetString(item, named)) + "'";
  }

  void check(const std::string& text, const std::string& where) {
    if (!is_utf8(text)) found.push_back(str_cat(where, " is '", printable(text), "'"));
  }

  const std::string& except_;
};

// The functions that an attribute names.
std::vector<std::string> functions_in(const Attr& attr) {
  std::vector<std::string> names;
  if (const auto* one = attr.get<FuncAttr>()) names.push_back(one->name);
  if (const auto* several = attr.get<std::vector<FuncAttr>>()) {
    for (const FuncAttr& function : *several) names.push_back(function.name);
  }
  return names;
}

}  // namespace

void require_utf8(const proto::Message& message, const std::string& except) {
  Search search(except);
  search.look(message, "");
  if (search.found.empty()) return;
  fail(Code::kInvalidArgument, "a ", message.GetDescriptor()->name(),
       " cannot be written with text that is not UTF-8, for no program could read it again: ",
       join_for_people(search.found));
}

void require_utf8(const Node& node) {
  const auto check = [&](const std::string& text, const char* what) {
    if (is_utf8(text)) return;
    throw Error(Code::kInvalidArgument,
                str_cat(node.str(), ": ", what, " '", printable(text),
                        "' is not UTF-8; a node cannot be written with it, for no program could read it again"),
                node.name);
  };
  check(node.name, "its name");
  check(node.op->name, "its op");
  check(node.device, "its device");
  for (const auto& [name, attr] : node.attrs) {
    check(name, "the name of its attribute");
    for (const std::string& function : functions_in(attr)) check(function, "a function that it names,");
  }
}

}  // namespace cairn
