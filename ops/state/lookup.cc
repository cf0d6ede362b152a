#include "ops/state/lookup.h"

#include <string_view>
#include <unordered_map>

#include "ops/core/building.h"
#include "ops/core/move.h"
#include "ops/core/new_variable.h"
#include "ops/flow/flow.h"

namespace cairn {
namespace {

// The content of an initialized table. Replaced, never changed, so that lookups of other runs can
// continue to read it.
struct Table {
  Tensor keys, values;
  int64_t size = 0;                    // repeated keys count once
  std::shared_ptr<const void> places;  // Places<Key>, of the keys' type

  template <class Key>
  using Places = std::unordered_map<
      std::conditional_t<std::is_same_v<Key, std::string>, std::string_view, Key>, int64_t>;

  template <class Key>
  const Places<Key>& places_of() const {
    return *static_cast<const Places<Key>*>(places.get());
  }
};

using Keys = TypeList<std::string, int64_t, int32_t>;

const Table& table_at(KernelContext& c, int i) {
  const VariableState& state = c.variable(i);
  if (!state.resource) {
    c.fail(str_cat("the table '", state.name,
                   "' is not initialized: run its initializer, or tables_initializer()"),
           Code::kFailedPrecondition);
  }
  return *static_cast<const Table*>(state.resource.get());
}

void require_dtype(KernelContext& c, const char* what, DType got, DType table) {
  if (got != table) c.fail(str_cat(what, " of dtype ", got, " for a table of ", table));
}

// ---- HashTable, HashTableV2 ---------------------------------------------------------------------

constexpr OpDef table_op(std::string_view name, std::string_view output) {
  return {
      .name = name,
      .inputs = "",
      .outputs = output,
      .attrs =
          "container: string = '', shared_name: string = '', use_node_name_sharing: bool = false, "
          "key_dtype: type, value_dtype: type",
      .stateful = true,
      .shape = scalar_shape,
      .prepare = do_nothing,
      .gradient = not_differentiable};
}
constexpr OpDef kHashTable = table_op("HashTable", "table_handle: Ref(string)");
constexpr OpDef kHashTableV2 = table_op("HashTableV2", "table_handle: resource");

// ---- InitializeTable, LookupTableImport ---------------------------------------------------------

template <class T>
bool same(const void* a, const void* b) {
  return *static_cast<const T*>(a) == *static_cast<const T*>(b);
}
using Same = bool (*)(const void* a, const void* b);

void import_shape(ShapeContext& c) {
  c.require(c.input(1).is_compatible_with(c.input(2)),
            str_cat("keys are of shape ", c.input(1), ", values of shape ", c.input(2)));
}

template <class Key>
void import(KernelContext& c, const Mover& m, Same same) {
  if (c.input(1).shape() != c.input(2).shape())
    c.fail(str_cat("keys are of shape ", c.input(1).shape(), ", values of shape ",
                   c.input(2).shape()));
  auto table = std::make_shared<Table>(Table{c.input(1).clone(), c.input(2).clone(), 0, nullptr});
  auto places = std::make_shared<Table::Places<Key>>();
  const Key* keys = table->keys.data<Key>();
  const Tensor& values = table->values;
  for (int64_t i = 0; i < table->keys.num_elements(); ++i) {
    const auto [known, is_new] = places->emplace(keys[i], i);
    if (!is_new && !same(m.at(values, known->second), m.at(values, i)))
      c.fail(str_cat("key ", keys[i], " stands at ", known->second, " and ", i,
                     ", with different values"));
  }
  table->size = static_cast<int64_t>(places->size());
  table->places = places;
  VariableState& state = c.variable(0);
  if (state.resource) {
    const Table& old = table_at(c, 0);
    bool equal = old.keys.dtype() == table->keys.dtype() &&
                 old.values.dtype() == table->values.dtype() && old.size == table->size;
    for (auto entry = places->begin(); equal && entry != places->end(); ++entry) {
      const auto at = old.places_of<Key>().find(entry->first);
      equal = at != old.places_of<Key>().end() &&
              same(m.at(old.values, at->second), m.at(values, entry->second));
    }
    if (!equal) {
      c.fail(str_cat("the table '", state.name, "' was already initialized, with other entries"),
             Code::kFailedPrecondition);
    }
  }
  state.resource = std::move(table);
}

// Fails unless the table behind input 0 was made for `dtype`, if that is known.
void require_made_for(const KernelSetup& s, const char* attr, DType dtype) {
  const Node& holder = *s.node().inputs[0].node;
  const Attr* made_for = holder.attrs.find(attr);
  if (made_for && made_for->get<DType>() && *made_for->get<DType>() != dtype)
    s.fail(str_cat("the table '", holder.name, "' is made with ", attr, " ",
                   *made_for->get<DType>(), ", not ", dtype));
}

Kernel import_prepare(const KernelSetup& s) {
  require_made_for(s, "key_dtype", s.input_dtype(1));
  require_made_for(s, "value_dtype", s.input_dtype(2));
  const DType values = s.input_dtype(2);
  const auto put = by_types(Keys(), s, s.input_dtype(1), []<class Key>() { return import <Key>; });
  const Same same_value = by_width(s, values, []<class Value>() { return same<Value>; });
  return [=, &m = mover_of(s, values)](KernelContext& c) { put(c, m, same_value); };
}

// As TensorFlow declares the ops of tables: those whose handle is a string are not stateful.
constexpr bool has_resource(std::string_view inputs) {
  return inputs.find("resource") != std::string_view::npos;
}

constexpr OpDef import_op(std::string_view name, std::string_view inputs, std::string_view attrs) {
  return {.name = name,
          .inputs = inputs,
          .outputs = "",
          .attrs = attrs,
          .stateful = has_resource(inputs),
          .access = Access::kAssign,
          .shape = import_shape,
          .prepare = import_prepare,
          .gradient = not_differentiable};
}
constexpr OpDef kInitializeTable =
    import_op("InitializeTable", "table_handle: Ref(string), keys: Tkey, values: Tval",
              "Tkey: type, Tval: type");
constexpr OpDef kInitializeTableV2 =
    import_op("InitializeTableV2", "table_handle: resource, keys: Tkey, values: Tval",
              "Tkey: type, Tval: type");
constexpr OpDef kLookupTableImport =
    import_op("LookupTableImport", "table_handle: Ref(string), keys: Tin, values: Tout",
              "Tin: type, Tout: type");
constexpr OpDef kLookupTableImportV2 =
    import_op("LookupTableImportV2", "table_handle: resource, keys: Tin, values: Tout",
              "Tin: type, Tout: type");

// ---- LookupTableFind ----------------------------------------------------------------------------

void find_shape(ShapeContext& c) {
  c.with_rank(2, 0, "default_value");
  c.set_output(c.input(1));
}
template <class Key>
void find(KernelContext& c, const Mover& m) {
  const Table& table = table_at(c, 0);
  require_dtype(c, "keys", c.input(1).dtype(), table.keys.dtype());
  require_dtype(c, "default_value", c.input(2).dtype(), table.values.dtype());
  if (c.input(2).rank() != 0)
    c.fail(str_cat("default_value is of shape ", c.input(2).shape(), ", no scalar"));
  const auto& places = table.places_of<Key>();
  const Key* keys = c.in<Key>(1);
  const void* otherwise = c.input(2).raw_data();
  Tensor& out = c.allocate(0, c.input(1).shape());
  for (int64_t i = 0; i < c.input(1).num_elements(); ++i) {
    const auto place = places.find(keys[i]);
    m.copy(m.at(out, i), place == places.end() ? otherwise : m.at(table.values, place->second), 1);
  }
}
Kernel find_prepare(const KernelSetup& s) {
  const auto look = by_types(Keys(), s, s.dtype("Tin"), []<class Key>() { return find<Key>; });
  return [look, &m = mover_of(s, s.dtype("Tout"))](KernelContext& c) { look(c, m); };
}
constexpr OpDef find_op(std::string_view name, std::string_view inputs) {
  return {.name = name,
          .inputs = inputs,
          .outputs = "values: Tout",
          .attrs = "Tin: type, Tout: type",
          .stateful = has_resource(inputs),
          .access = Access::kQuery,
          .shape = find_shape,
          .prepare = find_prepare,
          .gradient = not_differentiable};
}
constexpr OpDef kLookupTableFind =
    find_op("LookupTableFind", "table_handle: Ref(string), keys: Tin, default_value: Tout");
constexpr OpDef kLookupTableFindV2 =
    find_op("LookupTableFindV2", "table_handle: resource, keys: Tin, default_value: Tout");

// ---- LookupTableSize ----------------------------------------------------------------------------

Kernel size_prepare(const KernelSetup&) {
  return [](KernelContext& c) { *c.allocate(0, {}).data<int64_t>() = table_at(c, 0).size; };
}
constexpr OpDef size_op(std::string_view name, std::string_view inputs) {
  return {.name = name,
          .inputs = inputs,
          .outputs = "size: int64",
          .attrs = "",
          .stateful = has_resource(inputs),
          .access = Access::kQuery,
          .shape = scalar_shape,
          .prepare = size_prepare,
          .gradient = not_differentiable};
}
constexpr OpDef kLookupTableSize = size_op("LookupTableSize", "table_handle: Ref(string)");
constexpr OpDef kLookupTableSizeV2 = size_op("LookupTableSizeV2", "table_handle: resource");

}  // namespace

Output HashTable::lookup(const Operand& keys, const NameOptions& options) const {
  Operand(handle, keys.at()).require("hash_table_Lookup");
  const BuilderScope b(handle.graph(), "hash_table_Lookup", options.name);
  const DType key = AttrReader(handle.node()).dtype("key_dtype");
  return b.add(kLookupTableFindV2, {handle, keys.in(b.graph(), key, "keys"), default_value});
}
Output HashTable::size(const NameOptions& options, SourceLocation at) const {
  Operand(handle, at).require("hash_table_Size");
  return add_node(kLookupTableSizeV2, {handle}, {},
                  options.name.empty() ? "hash_table_Size" : options.name, at);
}

HashTable hash_table(GraphAt graph, const Operand& keys, const Operand& values,
                     const Operand& default_value, const HashTableOptions& options) {
  const Graph::Transaction whole(*graph.graph, graph.at);
  for (const Operand* given : {&keys, &values}) {
    if (given->is_output()) internal::check_made_outside(graph, given->output(), "hash_table");
  }
  const Scope once = graph->init_scope();
  HashTable table;
  Output from, to;
  std::string initializer;
  {
    const BuilderScope init(graph, "key_value_init", "");
    from = keys.in(init.graph(), keys.natural_dtype(), "keys");
    to = values.in(init.graph(), values.natural_dtype(), "values");
    initializer = init.name();
  }
  const BuilderScope b(graph, "hash_table", options.name);
  table.handle = b.add(kHashTableV2, {},
                       {{"shared_name", options.shared_name},
                        {"key_dtype", from.dtype()},
                        {"value_dtype", to.dtype()}});
  table.default_value = default_value.in(b.graph(), to.dtype(), "Const");
  table.initializer =
      add_operation(graph, kInitializeTableV2, {table.handle, from, to}, {}, initializer);
  graph->add_to_collection(GraphKeys::kTableInitializers, table.initializer);
  return table;
}

Operation tables_initializer(GraphAt graph) {
  const auto initializers = graph->collection<Operation>(GraphKeys::kTableInitializers);
  return initializers.empty() ? no_op(graph, {.name = "init_all_tables"})
                              : group(initializers, {.name = "init_all_tables"}, graph.at);
}

std::span<const OpDef* const> lookup_ops() {
  static constexpr const OpDef* kOps[] = {
      &kHashTable,         &kHashTableV2,         &kInitializeTable, &kInitializeTableV2,
      &kLookupTableImport, &kLookupTableImportV2, &kLookupTableFind, &kLookupTableFindV2,
      &kLookupTableSize,   &kLookupTableSizeV2};
  return kOps;
}

}  // namespace cairn
