// What is true of every op there is.
#include <algorithm>
#include <functional>
#include <set>

#include "ops/catalog.h"
#include "runtime/graph/graph.h"
#include "tests/support/catch.h"

namespace cairn {
namespace {

// No gradient is defined for these, in TensorFlow neither: to differentiate through them is a
// mistake, and refused.
bool may_refuse(std::string_view op) {
  static const std::set<std::string_view> kRefused = {"Switch",        "RefSwitch", "Merge",
                                                      "RandomShuffle", "Mod",       "TruncateMod"};
  return op.starts_with("Apply") || op.starts_with("ResourceApply") || kRefused.count(op) > 0;
}

TEST_CASE("The signature of every op parses and names what its operands need", "[every op]") {
  for (const OpDef* def : compute_ops().all()) {
    INFO(def->name);
    REQUIRE_NOTHROW(parse_op(*def));
    const Op op = parse_op(*def);
    CHECK(is_valid_node_name(op.name));
    std::set<std::string> names;
    for (const auto* args : {&op.inputs, &op.outputs}) {
      for (const ArgDef& arg : *args) CHECK(names.insert(arg.name).second);
    }
    for (const AttrDef& attr : op.attrs) CHECK(names.insert(attr.name).second);
  }
}

TEST_CASE("The default of every attribute is among the values allowed", "[every op]") {
  for (const OpDef* def : compute_ops().all()) {
    for (const AttrDef& attr : parse_op(*def).attrs) {
      INFO(def->name << " " << attr.name);
      if (!attr.default_value) continue;
      const auto& types = attr.allowed_types;
      const auto& strings = attr.allowed_strings;
      if (const DType* type = attr.default_value->get<DType>(); type && !types.empty())
        CHECK(std::find(types.begin(), types.end(), *type) != types.end());
      if (const auto* text = attr.default_value->get<std::string>(); text && !strings.empty())
        CHECK(std::find(strings.begin(), strings.end(), *text) != strings.end());
    }
  }
}

TEST_CASE("Every op declares its gradient", "[every op]") {
  for (const OpDef* def : compute_ops().all()) {
    INFO(def->name);
    CHECK((def->gradient != nullptr || may_refuse(def->name)));
  }
}

TEST_CASE("Every op can be run, or must be fed", "[every op]") {
  for (const OpDef* def : compute_ops().all()) {
    INFO(def->name);
    CHECK(def->prepare != nullptr);
  }
}

TEST_CASE("Every op with outputs has a shape function", "[every op]") {
  for (const OpDef* def : compute_ops().all()) {
    INFO(def->name);
    CHECK((def->shape != nullptr || def->outputs.empty()));
  }
}

TEST_CASE("Ops on resources are stateful, and ops that write variables declare it", "[every op]") {
  for (const OpDef* def : compute_ops().all()) {
    INFO(def->name);
    const Op op = parse_op(*def);
    for (const ArgDef& arg : op.inputs) {
      if (arg.type == DType::kResource) CHECK(def->stateful);
      if (arg.is_ref) CHECK(def->access != Access::kRead);
    }
    if (def->allows_uninitialized_input)
      CHECK((def->access == Access::kAssign || def->access == Access::kQuery));
  }
}

// The names of the ops for which `holds`, in the order of the alphabet.
std::string names_of_ops(const std::function<bool(const OpDef&)>& holds) {
  std::set<std::string> names;
  for (const OpDef* def : compute_ops().all()) {
    if (holds(*def)) names.insert(std::string(def->name));
  }
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : " ") + name;
  return text;
}

TEST_CASE("Ops are commutative, aggregate or stateful where TensorFlow's are", "[every op]") {
  CHECK(names_of_ops([](const OpDef& def) { return def.commutative; }) ==
        "AddN AddV2 ApproximateEqual Equal LogicalAnd LogicalOr Maximum Minimum Mul NotEqual "
        "SquaredDifference");
  CHECK(names_of_ops([](const OpDef& def) { return def.aggregate; }) == "AddN AddV2");
  const auto has_resource = [](const OpDef& def) {
    return (str_cat(def.inputs, def.outputs)).find("resource") != std::string::npos;
  };
  CHECK(names_of_ops([&](const OpDef& def) { return def.stateful && !has_resource(def); }) ==
        "Assert HashTable Print RandomShuffle RandomStandardNormal RandomUniform "
        "RandomUniformInt TruncatedNormal Variable VariableV2");
  CHECK(names_of_ops([&](const OpDef& def) { return has_resource(def) && !def.stateful; }) == "");
}

TEST_CASE("Ops that take a reference to a variable without a value are the known ones",
          "[every op]") {
  CHECK(names_of_ops([](const OpDef& def) { return def.allows_uninitialized_input; }) ==
        "Assign IsVariableInitialized RefSwitch");
}

}  // namespace
}  // namespace cairn
