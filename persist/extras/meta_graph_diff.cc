#include "persist/extras/meta_graph_diff.h"

#include <google/protobuf/descriptor.h>

#include <algorithm>
#include <cstdio>
#include <map>
#include <set>

#include "persist/files/crc.h"
#include "persist/graph/convert.h"
#include "persist/graph/meta_graph_rep.h"
#include "persist/graph/rewrite.h"
#include "persist/messages/message.h"
#include "persist/messages/schema.h"
#include "runtime/base/text.h"

namespace cairn {
namespace {

// Ordered as in the listing.
constexpr const char* kParts[] = {"meta_info", "versions", "saver",      "node",
                                  "function",  "gradient", "collection", "signature",
                                  "asset",     "op",       "other"};

struct Fact {
  std::string what, text;  // the whole value on one line
  std::string exact;       // the value that is compared; "": the text
  const std::string& compared() const { return exact.empty() ? text : exact; }
};

using Key = std::pair<size_t, std::string>;  // part, name
using Facts = std::map<Key, std::vector<Fact>>;

std::string one_line(const std::string& text) {
  std::string line;
  for (const char c : text) {
    const bool blank = c == '\n' || c == ' ';
    if (!blank) line += c;
    if (blank && !line.empty() && line.back() != ' ') line += ' ';
  }
  if (line.ends_with(' ')) line.pop_back();
  return line;
}

std::string checksum(const std::string& bytes) {
  char hex[16];
  std::snprintf(hex, sizeof hex, "%08x", crc32c(bytes));
  return str_cat("crc32c ", hex);
}

// the maximum length of a text shown in full, and the length of an abbreviated one
constexpr size_t kMost = 400, kShown = 120;

bool continues_character(char c) { return (static_cast<unsigned char>(c) & 0xc0) == 0x80; }

// Abbreviates a long text to its beginning and a checksum.
std::string shortened(const Fact& fact) {
  if (fact.text.size() <= kMost) return fact.text;
  size_t end = kShown;
  while (continues_character(fact.text[end])) --end;
  return str_cat(fact.text.substr(0, end), "... (", fact.text.size(), " characters, ",
                 checksum(fact.compared()), ")");
}

// Two different texts, each abbreviated around the first difference if one is long.
std::pair<std::string, std::string> told_apart(const Fact& a, const Fact& b) {
  constexpr size_t kBefore = 40;
  const size_t same = static_cast<size_t>(
      std::mismatch(a.text.begin(), a.text.end(), b.text.begin(), b.text.end()).first -
      a.text.begin());
  const bool alike = a.text == b.text;  // the difference is in unknown fields
  if (alike || (a.text.size() <= kMost && b.text.size() <= kMost))
    return {shortened(a), shortened(b)};
  size_t begin = same > kBefore ? same - kBefore : 0;
  while (begin > 0 && continues_character(a.text[begin])) --begin;
  const auto piece = [begin](const std::string& text) {
    size_t end = std::min(text.size(), begin + kShown);
    while (end < text.size() && continues_character(text[end])) ++end;
    return str_cat(begin > 0 ? "..." : "", text.substr(begin, end - begin),
                   end < text.size() ? "..." : "", " (", text.size(), " characters)");
  };
  return {piece(a.text), piece(b.text)};
}

// Sorts the fields of a collection's message that are sets (the tensors of a context), which
// writers list in any order.
void sort_sets(google::protobuf::Message& message) {
  const auto& reflection = *message.GetReflection();
  std::vector<const google::protobuf::FieldDescriptor*> fields;
  reflection.ListFields(message, &fields);
  for (const auto* field : fields) {
    if (field->full_name() == "cairn.pb.ValuesDef.values") {
      const int count = reflection.FieldSize(message, field);
      std::vector<std::string> values;
      for (int i = 0; i < count; ++i)
        values.push_back(reflection.GetRepeatedString(message, field, i));
      std::sort(values.begin(), values.end());
      for (int i = 0; i < count; ++i)
        reflection.SetRepeatedString(&message, field, i, values[static_cast<size_t>(i)]);
    }
    if (field->cpp_type() != field->CPPTYPE_MESSAGE) continue;
    if (!field->is_repeated()) sort_sets(*reflection.MutableMessage(&message, field));
    for (int i = 0; field->is_repeated() && i < reflection.FieldSize(message, field); ++i) {
      sort_sets(*reflection.MutableRepeatedMessage(&message, field, i));
    }
  }
}

class Gatherer {
 public:
  explicit Gatherer(const pb::MetaGraphDef& def)
      : allowance_(Allowance::to_look(def.ByteSizeLong())) {
    meta_info(def.meta_info_def());
    versions(def.graph_def());
    if (def.has_saver_def()) fields("saver", def.saver_def());
    std::set<std::string> seen;
    for (const auto& node : def.graph_def().node()) {
      // A damaged file may have two nodes with the same name.
      std::string name = node.name();
      while (!seen.insert(name).second) name += " (again)";
      add_node(node, name);
    }
    for (const auto& f : def.graph_def().library().function())
      whole("function", f.signature().name(), f);
    for (const auto& g : def.graph_def().library().gradient())
      whole("gradient", g.function_name(), g);
    for (const auto& [key, collection] : def.collection_def()) add_collection(key, collection);
    for (const auto& [key, signature] : def.signature_def()) whole("signature", key, signature);
    for (const auto& asset : def.asset_file_def()) whole("asset", asset.filename(), asset);
    for (const auto& op : def.meta_info_def().stripped_op_list().op()) whole("op", op.name(), op);
    if (def.has_object_graph_def()) {
      bytes("other", "", "object_graph_def", to_bytes(def.object_graph_def()));
    }
    bytes("other", "", "fields of newer versions", unknown_fields_of(def));
  }

  Facts take() { return std::move(facts_); }

 private:
  std::vector<Fact>& of(std::string_view part, const std::string& name) {
    const auto index = static_cast<size_t>(std::find(std::begin(kParts), std::end(kParts), part) -
                                           std::begin(kParts));
    return facts_[{index, name}];
  }

  void add(std::string_view part, const std::string& name, const std::string& what,
           const std::string& text, std::string exact = "") {
    std::vector<Fact>& facts = of(part, name);
    if (exact.empty()) exact = text;
    facts.push_back({what, one_line(text), std::move(exact)});
  }

  void bytes(std::string_view part, const std::string& name, const std::string& what,
             const std::string& content) {
    if (content.empty()) return;
    add(part, name, what, str_cat(content.size(), " bytes, ", checksum(content)), content);
  }

  void whole(std::string_view part, const std::string& name,
             const google::protobuf::MessageLite& message) {
    add(part, name, "definition", to_line(message), to_bytes(message));
  }

  template <class M>
  void fields(std::string_view part, const M& message, const std::set<std::string>& but = {}) {
    const auto all = reflected(message);
    std::vector<const google::protobuf::FieldDescriptor*> set;
    all->GetReflection()->ListFields(*all, &set);
    for (const auto* field : set) {
      if (but.count(field->name())) continue;
      const std::unique_ptr<google::protobuf::Message> alone(all->New());
      alone->CopyFrom(*all);
      for (const auto* other : set) {
        if (other != field) alone->GetReflection()->ClearField(alone.get(), other);
      }
      alone->GetReflection()->MutableUnknownFields(alone.get())->Clear();
      const std::string text = to_line(*alone);
      const bool plain = !field->is_repeated() && text.starts_with(field->name() + ": ");
      add(part, "", field->name(), plain ? text.substr(field->name().size() + 2) : text,
          to_bytes(*alone));
    }
    bytes(part, "", "fields of newer versions", unknown_fields_of(message));
  }

  void meta_info(const pb::MetaGraphDef::MetaInfoDef& info) {
    fields("meta_info", info, {"stripped_op_list"});
  }

  void versions(const pb::GraphDef& graph) {
    if (graph.version() != 0) add("versions", "", "version", str_cat(graph.version()));
    fields("versions", graph.versions());
    bytes("other", "", "graph_def's fields of newer versions", unknown_fields_of(graph));
  }

  void add_node(const pb::NodeDef& node, const std::string& name) {
    add("node", name, "op", node.op());
    if (!node.device().empty()) add("node", name, "device", node.device());
    int index = 0;
    std::set<std::string> control;
    for (const std::string& input : node.input()) {
      if (input.starts_with('^')) {
        control.insert(input);
      } else {
        add("node", name, str_cat("input ", index++),
            input.ends_with(":0") ? input.substr(0, input.size() - 2) : input);
      }
    }
    for (const std::string& input : control) add("node", name, "control input " + input, "");
    // The order of a protobuf map is unspecified.
    std::map<std::string, const pb::AttrValue*> attrs;
    for (const auto& [key, attr] : node.attr()) attrs[key] = &attr;
    for (const auto& [key, attr] : attrs) add_attr(name, key, *attr);
    if (node.has_experimental_debug_info()) {
      add("node", name, "debug info", to_line(node.experimental_debug_info()),
          to_bytes(node.experimental_debug_info()));
    }
    if (node.has_experimental_type()) {
      add("node", name, "type", to_line(node.experimental_type()),
          to_bytes(node.experimental_type()));
    }
    bytes("node", name, "fields of newer versions", unknown_fields_of(node));
  }

  void add_attr(const std::string& node, const std::string& key, const pb::AttrValue& proto) {
    std::string text = to_line(proto), exact = to_bytes(proto);
    try {
      Attr attr = from_proto(proto, allowance_);
      if (attr.get<Tensor>()) {  // a tensor has several encodings
        attr.wire = nullptr;
        exact = to_bytes(to_proto(attr));
      }
      if (!std::holds_alternative<std::monostate>(attr.value)) text = attr_text(attr, exact);
    } catch (const Error&) {  // shown as it is in the file
    }
    add("node", node, "attr " + key, text.empty() ? "{}" : text, exact.empty() ? "{}" : exact);
  }

  static std::string attr_text(const Attr& attr, const std::string& exact) {
    const Tensor* tensor = attr.get<Tensor>();
    if (!tensor) return attr.str();
    constexpr int64_t kShown = 16;
    const std::string text =
        str_cat(dtype_name(tensor->dtype()), " ", tensor->shape(), " ", tensor->str(kShown));
    return tensor->num_elements() > kShown ? str_cat(text, " (", checksum(exact), ")") : text;
  }

  void add_collection(const std::string& key, const pb::CollectionDef& collection) {
    static constexpr const char* kKinds[] = {"none",       "node_list",  "bytes_list",
                                             "int64_list", "float_list", "any_list"};
    add("collection", key, "kind", kKinds[collection.kind_case()]);
    std::map<std::string, int> seen;
    const auto item = [&](std::string what, const std::string& text, const std::string& exact) {
      if (const int times = ++seen[what]; times > 1) what += str_cat(" (", times, ")");
      add("collection", key, "item " + what, text, exact);
    };
    for (const std::string& name : collection.node_list().value()) item(name, "", "");
    for (const int64_t number : collection.int64_list().value()) item(str_cat(number), "", "");
    for (const float number : collection.float_list().value()) item(Tensor(number).str(), "", "");
    for (const std::string& content : collection.bytes_list().value())
      bytes_item(key, content, item);
    for (const auto& any : collection.any_list().value())
      item(any.type_url(), to_line(any), to_bytes(any));
    bytes("collection", key, "fields of newer versions", unknown_fields_of(collection));
  }

  template <class Item>
  static void bytes_item(const std::string& key, const std::string& content, Item& item) {
    const auto message = message_of_names(key);
    if (message && parse_bytes(content, *message)) {
      sort_sets(*message);
      return item(subject(*message), to_line(*message), to_bytes(*message));
    }
    const bool printable = std::all_of(content.begin(), content.end(),
                                       [](unsigned char c) { return c >= 0x20 && c < 0x7f; });
    if (printable && content.size() <= 200) return item("'" + content + "'", "", "");
    item(str_cat(content.size(), " bytes, ", checksum(content)), "", content);
  }

  Facts facts_;
  Allowance allowance_;  // for this file
};

// A one-line summary of a node, a collection, ... that one side lacks.
std::string summary(const Key& key, const std::vector<Fact>& facts) {
  const std::string_view part = kParts[key.first];
  if (part == "node") return shortened(facts[0]);
  if (part == "collection") {
    const auto items = std::count_if(facts.begin(), facts.end(),
                                     [](const Fact& f) { return f.what.starts_with("item "); });
    return str_cat(items, items == 1 ? " item" : " items");
  }
  return facts.size() == 1 ? shortened(facts[0]) : str_cat(facts.size(), " facts");
}

void compare(const Key& key, const std::vector<Fact>& a, const std::vector<Fact>& b,
             std::vector<MetaGraphDifference>& differences) {
  const std::string part = kParts[key.first];
  const size_t before = differences.size();
  std::map<std::string, const Fact*> of_b;
  for (const Fact& fact : b) of_b[fact.what] = &fact;
  for (const Fact& fact : a) {
    const auto other = of_b.find(fact.what);
    if (other == of_b.end()) {
      differences.push_back({part, key.second, fact.what, shortened(fact), std::nullopt});
      continue;
    }
    if (fact.compared() != other->second->compared()) {
      auto [in_a, in_b] = told_apart(fact, *other->second);
      differences.push_back({part, key.second, fact.what, std::move(in_a), std::move(in_b)});
    }
    of_b.erase(other);
  }
  for (const Fact& fact : b) {
    if (of_b.count(fact.what))
      differences.push_back({part, key.second, fact.what, std::nullopt, shortened(fact)});
  }
  if (part != "collection" || differences.size() > before) return;
  const auto order = [](const std::vector<Fact>& facts) {
    std::vector<std::string> items;
    for (size_t i = 1; i < facts.size(); ++i)
      items.push_back(facts[i].what.substr(facts[i].what.find(' ') + 1));
    return items;
  };
  if (order(a) == order(b)) return;
  differences.push_back(
      {part, key.second, "order", join_for_people(order(a)), join_for_people(order(b))});
}

}  // namespace

std::string MetaGraphDifference::str() const {
  std::string text = part;
  if (!name.empty()) text += " " + name;
  if (!what.empty()) text += ": " + what;
  if (a && b) return printable(str_cat(text, ": ", *a, " -> ", *b));
  const std::string& value = a ? *a : *b;
  return printable(str_cat(text, ": only in ", a ? "A" : "B", value.empty() ? "" : ": ", value));
}

std::vector<MetaGraphDifference> diff_meta_graphs(const MetaGraph& a, const MetaGraph& b) {
  const Facts of_a = Gatherer(a.rep().def).take(), of_b = Gatherer(b.rep().def).take();
  std::set<Key> keys;
  for (const auto& [key, facts] : of_a) keys.insert(key);
  for (const auto& [key, facts] : of_b) keys.insert(key);
  std::vector<MetaGraphDifference> differences;
  for (const Key& key : keys) {
    const auto in_a = of_a.find(key), in_b = of_b.find(key);
    if (in_a != of_a.end() && in_b != of_b.end()) {
      compare(key, in_a->second, in_b->second, differences);
    } else if (in_a != of_a.end()) {
      differences.push_back(
          {kParts[key.first], key.second, "", summary(key, in_a->second), std::nullopt});
    } else {
      differences.push_back(
          {kParts[key.first], key.second, "", std::nullopt, summary(key, in_b->second)});
    }
  }
  return differences;
}

std::string meta_graph_listing(const MetaGraph& meta) {
  std::string text;
  for (const auto& [key, facts] : Gatherer(meta.rep().def).take()) {
    text += str_cat(kParts[key.first], key.second.empty() ? "" : " ", printable(key.second), "\n");
    for (const Fact& fact : facts) {
      text += str_cat("  ",
                      printable(str_cat(fact.what, fact.text.empty() ? "" : ": ", shortened(fact))),
                      "\n");
    }
  }
  return text;
}

}  // namespace cairn
