// The collections of a graph.
#include "runtime/base/text.h"
#include "runtime/graph/graph.h"

namespace cairn {

void Graph::add_to_collection(std::string_view key, CollectionItem item) {
  const std::string what = str_cat("add_to_collection('", key, "')");
  if (const auto* output = std::get_if<Output>(&item)) check_owns(*output, what);
  if (const auto* op = std::get_if<Operation>(&item)) check_owns(*op, what);
  if (const auto* variable = std::get_if<Variable>(&item)) check_owns(variable->ref(), what);
  about_to_change("collection", key);
  CollectionChange change{
      .key = std::string(key), .is_new = data_.collections.count(key) == 0, .cleared = {}};
  auto& items = data_.collections[change.key];
  if (builders_ > 0) collection_changes_.push_back(std::move(change));
  try {
    items.push_back(std::move(item));
  } catch (...) {  // no memory
    if (builders_ > 0) collection_changes_.pop_back();
    throw;
  }
  ++data_.collections_revision;
}

const std::vector<CollectionItem>& Graph::items(std::string_view key) const {
  // never destroyed: static objects may have graphs
  static const auto& kNone = *new std::vector<CollectionItem>();
  const auto at = data_.collections.find(key);
  return at == data_.collections.end() ? kNone : at->second;
}

std::vector<std::string> Graph::collection_keys() const {
  std::vector<std::string> keys;
  for (const auto& [key, items] : data_.collections) keys.push_back(key);
  return keys;
}

void Graph::clear_collection(std::string_view key) {
  const auto at = data_.collections.find(key);
  if (at == data_.collections.end()) return;
  about_to_change("collection", key);
  if (builders_ > 0) {
    collection_changes_.push_back({.key = at->first, .is_new = false, .cleared = {}});
    collection_changes_.back().cleared = data_.collections.extract(at);
  } else {
    data_.collections.erase(at);
  }
  ++data_.collections_revision;
}

namespace {

std::string item_name(const CollectionItem& item) {
  if (const auto* output = std::get_if<Output>(&item)) return output->name();
  if (const auto* op = std::get_if<Operation>(&item)) return op->name();
  if (const auto* variable = std::get_if<Variable>(&item)) return variable->name();
  if (const auto* unresolved = std::get_if<UnresolvedName>(&item)) return unresolved->name;
  return "";
}

template <class T>
std::optional<T> item_as(const CollectionItem& item) {
  if (const T* same = std::get_if<T>(&item)) return *same;
  if constexpr (std::is_same_v<T, Output>) {
    if (const auto* variable = std::get_if<Variable>(&item)) return variable->value();
  }
  if constexpr (std::is_same_v<T, Operation>) {
    if (const auto* output = std::get_if<Output>(&item)) return output->op();
  }
  return std::nullopt;
}

}  // namespace

// Why there is no item in a collection.
std::string Graph::absence(std::string_view key, std::string_view scope) const {
  if (!items(key).empty())
    return str_cat("no item of collection '", key, "' has a name that begins with '", scope, "'");
  return str_cat("there is no collection '", printable(key), "' in the graph",
                 names_instead_of(key, collection_keys()));
}

template <class T>
Collected<T> Graph::collection(std::string_view key, std::string_view scope) const {
  static constexpr const char* kKinds[] = {
      "a tensor",   "an operation", "a variable", "bytes",
      "an integer", "a float",      "an Any",     "a name that no node of the graph has"};
  std::vector<T> all;
  for (const CollectionItem& item : items(key)) {
    const std::string name = item_name(item);
    if (!scope.empty() && !name.empty() && name.compare(0, scope.size(), scope) != 0) continue;
    const std::optional<T> wanted = item_as<T>(item);
    if (!wanted) {
      fail(Code::kInvalidArgument, "collection '", key, "' holds ", kKinds[item.index()],
           name.empty() ? "" : ", '" + name + "'", ", where ", kKinds[CollectionItem(T()).index()],
           " was asked for");
    }
    all.push_back(*wanted);
  }
  std::string what = all.empty() ? absence(key, scope) : str_cat("collection '", key, "'");
  return {std::move(all), std::move(what)};
}

template Collected<Output> Graph::collection(std::string_view, std::string_view) const;
template Collected<Operation> Graph::collection(std::string_view, std::string_view) const;
template Collected<Variable> Graph::collection(std::string_view, std::string_view) const;
template Collected<std::string> Graph::collection(std::string_view, std::string_view) const;
template Collected<int64_t> Graph::collection(std::string_view, std::string_view) const;
template Collected<float> Graph::collection(std::string_view, std::string_view) const;
template Collected<AnyItem> Graph::collection(std::string_view, std::string_view) const;

}  // namespace cairn
