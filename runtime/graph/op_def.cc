#include "runtime/graph/op_def.h"

#include <algorithm>
#include <charconv>

#include "runtime/graph/node.h"

namespace cairn {

Grads not_differentiable(const Operation& op, const Grads&) {
  return Grads(static_cast<size_t>(op.num_inputs()));
}

const AttrDef* Op::find_attr(std::string_view attr) const {
  for (const AttrDef& def : attrs) {
    if (def.name == attr) return &def;
  }
  return nullptr;
}

namespace {

constexpr DType kNumberTypes[] = {
    DType::kFloat,  DType::kDouble,    DType::kInt32,  DType::kUInt8,      DType::kInt16,
    DType::kInt8,   DType::kComplex64, DType::kInt64,  DType::kQInt8,      DType::kQUInt8,
    DType::kQInt32, DType::kBFloat16,  DType::kUInt16, DType::kComplex128, DType::kHalf,
    DType::kUInt32, DType::kUInt64};

// Reads the signature grammar of one OpDef string, left to right.
class Scanner {
 public:
  Scanner(std::string_view op, std::string_view text) : op_(op), text_(text) { skip_blanks(); }

  bool done() const { return at_ == text_.size(); }
  bool accept(std::string_view token) {
    if (text_.substr(at_, token.size()) != token) return false;
    at_ += token.size();
    skip_blanks();
    return true;
  }
  void expect(std::string_view token) {
    if (!accept(token)) fail_here(str_cat("expected '", token, "'"));
  }
  std::string word() {
    size_t end = at_;
    const auto in_word = [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
    };
    while (end < text_.size() && in_word(text_[end])) ++end;
    if (end == at_) fail_here("expected a name");
    return take(end);
  }
  int64_t integer() { return number<int64_t>(); }
  float real() { return number<float>(); }
  bool at(char c) const { return at_ < text_.size() && text_[at_] == c; }
  std::string quoted() {
    expect("'");
    const size_t end = text_.find('\'', at_);
    if (end == std::string_view::npos) fail_here("expected a closing quote");
    std::string text(text_.substr(at_, end - at_));
    at_ = end + 1;
    skip_blanks();
    return text;
  }
  DType type() {
    const std::string name = word();
    const auto parsed = parse_dtype(name);
    if (!parsed) fail_here(str_cat("'", name, "' is not a type"));
    return *parsed;
  }
  [[noreturn]] void fail_here(const std::string& message) const {
    fail(Code::kInvalidArgument, "op ", op_, ": signature \"", text_, "\": at ", at_, ": ",
         message);
  }

 private:
  void skip_blanks() {
    while (at_ < text_.size() && text_[at_] == ' ') ++at_;
  }
  std::string take(size_t end) {
    std::string token(text_.substr(at_, end - at_));
    at_ = end;
    skip_blanks();
    return token;
  }
  template <class T>
  T number() {
    T value{};
    const auto [end, error] =
        std::from_chars(text_.data() + at_, text_.data() + text_.size(), value);
    if (error != std::errc()) fail_here("expected a number");
    at_ = static_cast<size_t>(end - text_.data());
    skip_blanks();
    return value;
  }

  std::string_view op_, text_;
  size_t at_ = 0;
};

template <class T, class Read>
std::vector<T> list_of(Scanner& s, std::string_view open, std::string_view close, Read read) {
  std::vector<T> values;
  s.expect(open);
  while (!s.accept(close)) {
    values.push_back(read());
    if (!s.accept(",")) {
      s.expect(close);
      break;
    }
  }
  return values;
}

Shape default_shape(Scanner& s) {
  if (s.accept("{unknown_rank: true}")) return Shape::unknown();
  return Shape(list_of<int64_t>(s, "[", "]", [&] { return s.integer(); }));
}

Attr default_attr(Scanner& s, const std::string& type) {
  if (type == "bool") return s.accept("true") ? true : (s.expect("false"), false);
  if (type == "int") return s.integer();
  if (type == "float") return s.real();
  if (type == "string") return s.quoted();
  if (type == "type") return s.type();
  if (type == "shape") return default_shape(s);
  if (type == "list(int)") return list_of<int64_t>(s, "[", "]", [&] { return s.integer(); });
  if (type == "list(float)")
    return Attr(Attr::Value(list_of<float>(s, "[", "]", [&] { return s.real(); })));
  if (type == "list(string)") return list_of<std::string>(s, "[", "]", [&] { return s.quoted(); });
  if (type == "list(type)") return list_of<DType>(s, "[", "]", [&] { return s.type(); });
  if (type == "list(shape)") return list_of<Shape>(s, "[", "]", [&] { return default_shape(s); });
  s.fail_here("a default for an attribute of type " + type + " cannot be written");
}

void parse_attr_type(Scanner& s, AttrDef& attr) {
  const auto set_types = [&](std::span<const DType> types, bool real_only) {
    for (DType t : types) {
      if (!real_only || (!is_complex(t) && !is_quantized(t))) attr.allowed_types.push_back(t);
    }
  };
  const auto allowed = [&] {
    if (s.accept("numbertype")) return set_types(kNumberTypes, false), true;
    if (s.accept("realnumbertype")) return set_types(kNumberTypes, true), true;
    if (!s.at('{')) return false;
    s.expect("{");
    if (s.at('\'')) {
      do attr.allowed_strings.push_back(s.quoted());
      while (s.accept(","));
    } else {
      do attr.allowed_types.push_back(s.type());
      while (s.accept(","));
    }
    s.expect("}");
    return true;
  };
  const auto name_of_allowed = [&] { return attr.allowed_strings.empty() ? "type" : "string"; };
  if (allowed()) {
    attr.type = name_of_allowed();
  } else {
    attr.type = s.word();
    if (attr.type == "list") {
      s.expect("(");
      attr.type = str_cat("list(", allowed() ? std::string(name_of_allowed()) : s.word(), ")");
      s.expect(")");
    }
  }
}

std::vector<AttrDef> parse_attrs(const OpDef& def) {
  std::vector<AttrDef> attrs;
  Scanner s(def.name, def.attrs);
  while (!s.done()) {
    AttrDef attr;
    attr.name = s.word();
    s.expect(":");
    parse_attr_type(s, attr);
    if (s.accept(">=")) attr.minimum = s.integer();
    if (s.accept("=")) attr.default_value = default_attr(s, attr.type);
    attrs.push_back(std::move(attr));
    if (!s.done()) s.expect(",");
  }
  return attrs;
}

std::vector<ArgDef> parse_args(const OpDef& def, std::string_view text, const Op& op) {
  std::vector<ArgDef> args;
  Scanner s(def.name, text);
  while (!s.done()) {
    ArgDef arg;
    arg.name = s.word();
    s.expect(":");
    if (s.accept("Ref(")) arg.is_ref = true;
    std::string type = s.word();
    if (s.accept("*")) {
      arg.number_attr = type;
      if (!op.find_attr(type)) s.fail_here(str_cat("there is no attribute ", type));
      type = s.word();
    }
    if (arg.is_ref) s.expect(")");
    if (const AttrDef* attr = op.find_attr(type)) {
      (attr->type == "list(type)" ? arg.type_list_attr : arg.type_attr) = type;
    } else if (const auto dtype = parse_dtype(type)) {
      arg.type = *dtype;
    } else {
      s.fail_here(str_cat("'", type, "' is neither a type nor an attribute"));
    }
    args.push_back(std::move(arg));
    if (!s.done()) s.expect(",");
  }
  return args;
}

}  // namespace

Op parse_op(const OpDef& def) {
  Op op;
  op.name = def.name;
  op.attrs = parse_attrs(def);
  op.inputs = parse_args(def, def.inputs, op);
  op.outputs = parse_args(def, def.outputs, op);
  op.stateful = def.stateful;
  op.commutative = def.commutative;
  op.aggregate = def.aggregate;
  op.allows_uninitialized_input = def.allows_uninitialized_input;
  op.def = &def;
  return op;
}

OpSet::OpSet(std::span<const OpDef* const> defs) {
  for (const OpDef* def : defs) add(def);
}

void OpSet::add(const OpDef* def) {
  const auto [at, added] = by_name_.emplace(def->name, def);
  if (!added && at->second != def) fail(Code::kAlreadyExists, "two ops are called ", def->name);
}

const OpDef* OpSet::find(std::string_view name) const {
  const auto at = by_name_.find(name);
  return at == by_name_.end() ? nullptr : at->second;
}

std::vector<const OpDef*> OpSet::all() const {
  std::vector<const OpDef*> defs;
  for (const auto& [name, def] : by_name_) defs.push_back(def);
  std::sort(defs.begin(), defs.end(),
            [](const OpDef* a, const OpDef* b) { return a->name < b->name; });
  return defs;
}

OpSet operator+(const OpSet& a, const OpSet& b) {
  OpSet sum = a;
  for (const auto& [name, def] : b.by_name_) sum.add(def);
  return sum;
}

}  // namespace cairn
