#include "tools/signature.h"

namespace cairn {
namespace {

std::vector<std::string> keys_of(const auto& map) {
  std::vector<std::string> keys;
  for (const auto& [key, value] : map) keys.push_back(key);
  return keys;
}

const Signature& find_signature(const std::map<std::string, Signature>& signatures,
                                const std::string& name) {
  const auto found = signatures.find(name);
  if (found != signatures.end()) return found->second;
  fail(Code::kNotFound, "there is no signature '", name, "'; ",
       signatures.empty() ? "the graph has none: name tensors with --feed and --fetch"
                          : "the graph has " + join_for_people(keys_of(signatures)));
}

// The tensor that `name` refers to, among the inputs or outputs of a signature.
std::string tensor_of(const std::string& name, const std::map<std::string, TensorInfo>& side,
                      const char* what, const std::string& signature, const Graph& graph) {
  const auto found = side.find(name);
  if (found == side.end()) {
    if (graph.contains(name.substr(0, name.find(':')))) return name;
    fail(Code::kNotFound, "the signature '", signature, "' has no ", what, " '", name,
         "', and the graph no such tensor; ",
         side.empty() ? str_cat("it has no ", what, "s")
                      : str_cat("its ", what, "s: ", join_for_people(keys_of(side))));
  }
  if (found->second.name.empty()) {
    fail(Code::kUnimplemented, "the ", what, " '", name, "' of the signature '", signature,
         "' is several tensors; name them with --",
         what == std::string("input") ? "feed" : "fetch");
  }
  return found->second.name;
}

}  // namespace

RunNames names_of_run(const MetaGraph& meta, const Graph& graph, const std::string& signature,
                      const FeedArguments& feeds, const std::vector<std::string>& fetches) {
  RunNames names{feeds, fetches, fetches};
  if (signature.empty()) return names;
  const auto signatures = meta.signatures();
  const Signature& chosen = find_signature(signatures, signature);
  for (auto* arguments : {&names.feeds.files, &names.feeds.values}) {
    for (std::string& argument : *arguments) {
      const size_t equals = argument.find('=');
      if (equals == std::string::npos || equals == 0) continue;  // refused when it is parsed
      argument = tensor_of(argument.substr(0, equals), chosen.inputs, "input", signature, graph) +
                 argument.substr(equals);
    }
  }
  if (names.labels.empty()) names.labels = keys_of(chosen.outputs);
  names.fetches.clear();
  for (const std::string& label : names.labels) {
    names.fetches.push_back(tensor_of(label, chosen.outputs, "output", signature, graph));
  }
  return names;
}

}  // namespace cairn
