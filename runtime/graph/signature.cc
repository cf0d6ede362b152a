#include "runtime/graph/signature.h"
#include "runtime/graph/shape_context.h"

#include <algorithm>

namespace cairn::internal {
namespace {

[[noreturn]] void refuse(const Node& node, const std::string& message) {
  fail_at(node, Code::kInvalidArgument, message);
}

DType input_dtype(const Endpoint& e) { return e.node->output_dtypes[static_cast<size_t>(e.index)]; }

// The number of tensors of `arg`; -1 if it follows from the number of inputs only.
int64_t arg_count(const Node& node, const ArgDef& arg) {
  if (!arg.number_attr.empty()) {
    const Attr* n = node.attrs.find(arg.number_attr);
    if (!n) return -1;
    const int64_t* count = n->get<int64_t>();
    if (!count)
      refuse(node, str_cat("attribute '", arg.number_attr, "' is not an int but ", n->str()));
    if (*count < 0 || *count > kMostOutputs)
      refuse(node,
             str_cat("attribute '", arg.number_attr, "' is ", *count,
                     "; it counts inputs or outputs, of which there can be 0 to ", kMostOutputs));
    return *count;
  }
  if (!arg.type_list_attr.empty()) {
    const Attr* types = node.attrs.find(arg.type_list_attr);
    if (!types) return -1;
    if (!types->get<std::vector<DType>>()) {
      refuse(node, str_cat("attribute '", arg.type_list_attr, "' is not a list of types but ",
                           types->str()));
    }
    return static_cast<int64_t>(types->get<std::vector<DType>>()->size());
  }
  return 1;
}

void decide_count(Node& node, const ArgDef& arg, size_t first, size_t count) {
  if (!arg.number_attr.empty()) {
    node.attrs.set(arg.number_attr, static_cast<int64_t>(count));
  } else {
    std::vector<DType> types;
    for (size_t i = first; i < first + count; ++i)
      types.push_back(base_dtype(input_dtype(node.inputs[i])));
    node.attrs.set(arg.type_list_attr, std::move(types));
  }
}

void check_input(Node& node, const ArgDef& arg, size_t i, size_t index_in_arg, bool strict) {
  const DType got = input_dtype(node.inputs[i]);
  const auto from = [&] {
    return str_cat("input ", i, " ('", arg.name, "') is '", node.inputs[i].node->name, ":",
                   node.inputs[i].index, "' of dtype ", got);
  };
  if (arg.is_ref && !is_ref(got) && got != DType::kInvalid)
    refuse(node, str_cat(from(), "; expected a variable's reference"));
  DType expected = arg.type;
  if (!arg.type_attr.empty()) {
    if (const Attr* t = node.attrs.find(arg.type_attr)) {
      if (!t->get<DType>())
        refuse(node, str_cat("attribute '", arg.type_attr, "' is not a type but ", t->str()));
      expected = *t->get<DType>();
    } else if (const AttrDef* def = node.op->find_attr(arg.type_attr);
               !strict && def && def->default_value) {
      expected = *def->default_value->get<DType>();
    } else {
      expected = base_dtype(got);
      node.attrs.set(arg.type_attr, expected);
    }
  } else if (!arg.type_list_attr.empty()) {
    expected = node.attrs.find(arg.type_list_attr)->get<std::vector<DType>>()->at(index_in_arg);
  }
  // The output of an op without a description has no known dtype: accepted.
  if (got != DType::kInvalid && base_dtype(got) != base_dtype(expected))
    refuse(node, str_cat(from(), "; expected ", expected));
}

void bind_inputs(Node& node, bool strict) {
  const Op& op = *node.op;
  int64_t fixed = 0;
  int open = 0;
  for (const ArgDef& arg : op.inputs) {
    const int64_t count = arg_count(node, arg);
    count < 0 ? ++open : fixed += count;
  }
  const auto have = static_cast<int64_t>(node.inputs.size());
  if (open > 1 || have < fixed || (open == 0 && have != fixed)) {
    refuse(node, str_cat("expected ", fixed, open ? " or more" : "", " inputs, got ", have));
  }
  size_t next = 0;
  for (const ArgDef& arg : op.inputs) {
    int64_t count = arg_count(node, arg);
    if (count < 0) {
      count = have - fixed;
      decide_count(node, arg, next, static_cast<size_t>(count));
    }
    if (count < 0 || next + static_cast<size_t>(count) > node.inputs.size()) {
      refuse(node, str_cat("expected ", count, " inputs for '", arg.name, "', got ",
                           node.inputs.size() - next));
    }
    for (size_t k = 0; k < static_cast<size_t>(count); ++k)
      check_input(node, arg, next++, k, strict);
  }
}

template <class T>
bool is_list_of(const Attr& attr) {
  return attr.get<std::vector<T>>() != nullptr;
}

// Attribute types that this version does not know accept any value.
bool is_of_kind(const Attr& attr, std::string_view type) {
  static const std::pair<std::string_view, bool (*)(const Attr&)> kKinds[] = {
      {"int", [](const Attr& a) { return a.get<int64_t>() != nullptr; }},
      {"float", [](const Attr& a) { return a.get<float>() != nullptr; }},
      {"bool", [](const Attr& a) { return a.get<bool>() != nullptr; }},
      {"string", [](const Attr& a) { return a.get<std::string>() != nullptr; }},
      {"type", [](const Attr& a) { return a.get<DType>() != nullptr; }},
      {"shape", [](const Attr& a) { return a.get<Shape>() != nullptr; }},
      {"tensor", [](const Attr& a) { return a.get<Tensor>() != nullptr; }},
      {"list(int)", is_list_of<int64_t>},
      {"list(float)", is_list_of<float>},
      {"list(bool)", is_list_of<bool>},
      {"list(string)", is_list_of<std::string>},
      {"list(type)", is_list_of<DType>},
      {"list(shape)", is_list_of<Shape>},
      {"list(tensor)", is_list_of<Tensor>}};
  if (std::holds_alternative<std::monostate>(attr.value)) return true;
  const auto* kind = std::find_if(std::begin(kKinds), std::end(kKinds),
                                  [&](const auto& k) { return k.first == type; });
  return kind == std::end(kKinds) || kind->second(attr);
}

// Kernels and shape functions rely on minimums, so they are checked for nodes from files too.
void check_minimum(const Node& node, const AttrDef& def, const Attr& attr) {
  if (!def.minimum) return;
  int64_t size = INT64_MAX;
  if (const auto* i = attr.get<int64_t>()) size = *i;
  const auto count_of = [&]<class... T>(std::variant<T...>*) {
    const auto count = [&]<class E>(const std::vector<E>* list) {
      if (list) size = static_cast<int64_t>(list->size());
    };
    (count(attr.get<std::vector<T>>()), ...);
  };
  count_of(
      static_cast<std::variant<int64_t, float, bool, std::string, DType, Shape, Tensor>*>(nullptr));
  if (size < *def.minimum)
    refuse(node, str_cat("attribute '", def.name, "' is ", attr.str(), "; at least ", *def.minimum,
                         " is needed"));
}

void check_attr(const Node& node, const AttrDef& def, const Attr& attr) {
  if (!is_of_kind(attr, def.type)) {
    refuse(node, str_cat("attribute '", def.name, "' is ", attr.str(), "; expected ", def.type));
  }
  const auto check_type = [&](DType t) {
    if (!def.allowed_types.empty() && std::find(def.allowed_types.begin(), def.allowed_types.end(),
                                                t) == def.allowed_types.end()) {
      std::vector<std::string> names;
      for (DType allowed : def.allowed_types) names.push_back(dtype_name(allowed));
      refuse(node, str_cat("attribute '", def.name, "' is ", dtype_name(t), "; allowed are ",
                           join_for_people(names)));
    }
  };
  if (const auto* t = attr.get<DType>()) check_type(*t);
  if (const auto* types = attr.get<std::vector<DType>>())
    std::for_each(types->begin(), types->end(), check_type);
  if (const auto* s = attr.get<std::string>();
      s && !def.allowed_strings.empty() &&
      std::find(def.allowed_strings.begin(), def.allowed_strings.end(), *s) ==
          def.allowed_strings.end()) {
    refuse(node, str_cat("attribute '", def.name, "' is '", *s, "'; allowed are ",
                         join_for_people(def.allowed_strings)));
  }
  check_minimum(node, def, attr);
}

}  // namespace

void check_attrs(const Node& node) {
  for (const AttrDef& def : node.op->attrs) {
    if (const Attr* attr = node.attrs.find(def.name)) check_attr(node, def, *attr);
  }
}

DType expected_dtype(const Node& node, size_t i) {
  const AttrReader attrs(node);
  for (const ArgDef& arg : node.op->inputs) {
    const int64_t count = arg_count(node, arg);
    if (count < 0) break;
    if (i >= static_cast<size_t>(count)) {
      i -= static_cast<size_t>(count);
    } else if (!arg.type_list_attr.empty()) {
      return attrs.dtypes(arg.type_list_attr)[i];
    } else {
      return arg.type_attr.empty() ? arg.type : attrs.dtype(arg.type_attr);
    }
  }
  return DType::kInvalid;
}

DType input_dtype(const Node& node, size_t i) {
  const DType told = base_dtype(input_dtype(node.inputs[i]));
  return told == DType::kInvalid ? base_dtype(expected_dtype(node, i)) : told;
}

DType dtype_to_feed(const Graph& graph, const Output& output) {
  DType told = base_dtype(output.dtype());
  if (told != DType::kInvalid) return told;
  for (int id = 0; id < graph.num_nodes(); ++id) {
    const Node& reader = graph.node_at(id).node();
    for (size_t i = 0; i < reader.inputs.size(); ++i) {
      if (reader.inputs[i] != output.endpoint()) continue;
      DType expected = DType::kInvalid;
      try {
        expected = base_dtype(expected_dtype(reader, i));
      } catch (const Error&) {  // a carried node whose attributes do not fit: unknown
      }
      if (expected == DType::kInvalid) continue;
      if (told != DType::kInvalid && told != expected) return DType::kInvalid;
      told = expected;
    }
  }
  return told;
}

void bind_outputs(Node& node) {
  const AttrReader attrs(node);
  node.output_dtypes.clear();
  for (const ArgDef& arg : node.op->outputs) {
    if (!arg.type_list_attr.empty()) {
      const auto& types = attrs.dtypes(arg.type_list_attr);
      node.output_dtypes.insert(node.output_dtypes.end(), types.begin(), types.end());
      continue;
    }
    const int64_t count = arg.number_attr.empty() ? 1 : attrs.integer(arg.number_attr);
    const DType type = arg.type_attr.empty() ? arg.type : attrs.dtype(arg.type_attr);
    if (count < 0 || count > kMostOutputs) refuse(node, str_cat("has ", count, " outputs"));
    if (!is_known_dtype(type))
      refuse(node, str_cat("output '", arg.name, "' is of unknown dtype ", static_cast<int>(type)));
    node.output_dtypes.insert(node.output_dtypes.end(), static_cast<size_t>(count),
                              arg.is_ref ? make_ref(type) : type);
  }
  node.output_shapes.assign(node.output_dtypes.size(), Shape::unknown());
}

void bind_signature(Node& node, bool strict) {
  bind_inputs(node, strict);
  if (strict) {
    for (const AttrDef& def : node.op->attrs) {
      if (const Attr* attr = node.attrs.find(def.name)) {
        check_attr(node, def, *attr);
      } else if (def.default_value) {
        node.attrs.set(def.name, *def.default_value);
      } else {
        refuse(node, str_cat("attribute '", def.name, "' is missing"));
      }
    }
  } else {
    for (const AttrDef& def : node.op->attrs) {
      if (const Attr* attr = node.attrs.find(def.name)) check_minimum(node, def, *attr);
    }
  }
  bind_outputs(node);
}

std::vector<std::string> foreign_attrs(const Attrs& attrs, const Op& known, const Op* told) {
  // Hints of TensorFlow 2.13 and later that an input is itself a gradient; they change no result.
  static constexpr std::string_view kHints[] = {"grad_a", "grad_b", "grad_x", "grad_y"};
  std::vector<std::string> foreign;
  for (const auto& [name, value] : attrs) {
    if (std::find(std::begin(kHints), std::end(kHints), name) != std::end(kHints)) continue;
    if (name.empty() || name[0] == '_' || known.find_attr(name)) continue;
    const AttrDef* def = told ? told->find_attr(name) : nullptr;
    if (!def || !def->default_value || *def->default_value != value) foreign.push_back(name);
  }
  return foreign;
}

}  // namespace cairn::internal
