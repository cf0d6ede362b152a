// Lookup tables: from words to numbers and back, for models that read categories or text. Tables
// belong to the session, as variables do, but are not saved in checkpoints: their initializers fill
// them again.
//
//   HashTable ids = hash_table(graph, words, numbers, -1);
//   session.run(ids.lookup(x));              // FailedPrecondition: the table 'hash_table' is not
//                                            // initialized: run its initializer, or
//                                            // tables_initializer()
//   session.run(tables_initializer(graph));  // also of a graph that was imported
//   session.run(ids.lookup(x));
#pragma once

#include <span>
#include <string>

#include "ops/core/operand.h"

namespace CAIRN_API cairn {

struct HashTable {
  Output handle;          // a resource
  Operation initializer;  // fills the table; in the collection table_initializer
  Output default_value;   // a scalar: the value of keys that are not in the table

  // The values of `keys`, in the shape of `keys` (TensorFlow's LookupTableFindV2). Fails the run
  // with FailedPrecondition if the table is not initialized, with InvalidArgument for keys of
  // another dtype.
  Output lookup(const Operand& keys, const NameOptions& options = {}) const;
  // The number of entries: an int64 scalar (TensorFlow's LookupTableSizeV2). Fails as lookup().
  Output size(const NameOptions& options = {}, SourceLocation at = SourceLocation::current()) const;
};

struct HashTableOptions {
  std::string shared_name = "";  // tables with one name are one table; empty: the node's name
  std::string name = "hash_table";
};
// A table that maps keys[i] to values[i] (TensorFlow's HashTableV2 and InitializeTableV2;
// tf.contrib.lookup.HashTable with a KeyValueTensorInitializer). keys: a vector of strings, int32
// or int64; values: a vector of the same length, of any dtype; default_value: a scalar of that
// dtype. The initializer fails with InvalidArgument if a key is repeated with another value, and
// with FailedPrecondition if the table was initialized with other entries; the table is unchanged
// then.
HashTable hash_table(GraphAt graph, const Operand& keys, const Operand& values,
                     const Operand& default_value, const HashTableOptions& options = {});

// One operation that runs the initializers of all tables (tf.tables_initializer); a NoOp if there
// are none.
Operation tables_initializer(GraphAt graph);

// For the catalog (ops/catalog.h).
std::span<const OpDef* const> lookup_ops();

}  // namespace cairn
