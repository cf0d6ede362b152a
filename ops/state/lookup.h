// Lookup tables: words to numbers and back, as models that read categories or text keep them.
// Tables live in sessions, beside the variables, but are no part of a checkpoint: their
// initializers fill them again.
//
//   HashTable ids = hash_table(graph, words, numbers, -1);
//   session.run(tables_initializer(graph));  // also of a graph that came from a file
//   session.run(ids.lookup(x));
#pragma once

#include <span>
#include <string>

#include "ops/core/operand.h"

namespace CAIRN_API cairn {

struct HashTable {
  Output handle;          // a resource
  Operation initializer;  // fills the table; in the collection table_initializer
  Output default_value;   // a scalar: what keys that are not in the table are looked up as

  // The values of `keys`, in the shape of `keys` (TensorFlow's LookupTableFindV2). Run before the
  // table is initialized it fails with FailedPrecondition.
  Output lookup(const Operand& keys, const NameOptions& options = {}) const;
  // How many entries there are: an int64 scalar (TensorFlow's LookupTableSizeV2).
  Output size(const NameOptions& options = {}, SourceLocation at = SourceLocation::current()) const;
};

struct HashTableOptions {
  std::string shared_name = "";  // tables of one shared name are one; empty: the node's own name
  std::string name = "hash_table";
};
// A table from each of `keys` to the one of `values` in the same place (TensorFlow's HashTableV2
// and InitializeTableV2; tf.contrib.lookup.HashTable with a KeyValueTensorInitializer). keys: a
// vector of strings, int32 or int64; values: a vector as long, of any dtype; default_value: a
// scalar of that dtype. When it is initialized, a key that stands there twice with different values
// fails with InvalidArgument; initializing it again with other entries, with FailedPrecondition;
// and the table is then as before.
HashTable hash_table(GraphAt graph, const Operand& keys, const Operand& values,
                     const Operand& default_value, const HashTableOptions& options = {});

// One operation that runs the initializers of all tables (tf.tables_initializer); where there is
// none it does nothing.
Operation tables_initializer(GraphAt graph);

std::span<const OpDef* const> lookup_ops();

}  // namespace cairn
