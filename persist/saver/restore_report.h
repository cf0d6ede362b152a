// The options of a restore, and the report of what it did.
//
//   RestoreReport report = saver.restore(session, "run/model-1000", {.allow_missing = "^head/"});
//   std::cout << report.str();
//
//   run/model-1000: step 1000, 2 restored, 1 missing / 1 unused / 0 shape / 0 dtype
//     restored
//       conv/W            float [3,3,1,8]
//       conv/b            float [8]
//     missing in the checkpoint, left alone
//       head/W            float [8,2]
//     in the checkpoint, not asked for
//       logits/W
//
// Without the option the restore fails and changes no variable:
//
//   saver.restore(session, "run/model-1000");
//   // NotFound: cannot restore from 'run/model-1000'; no variable was changed: 1 missing / ...
//   //   Key head/W not found in checkpoint: graph float [8,2]; nearest: 'logits/W'
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "persist/saver/name_rules.h"
#include "persist/saver/shared_string.h"
#include "runtime/base/dtype.h"
#include "runtime/base/shape.h"

namespace CAIRN_API cairn {

// By default every variable must be in the checkpoint with the same dtype and shape.
struct RestoreOptions {
  // The variables that may be missing from the checkpoint, by the key that is looked up: none, all
  // (true), or those that match a regular expression (RE2's). They keep their values.
  NamePattern allow_missing = false;
  // Renames the tensors of the checkpoint before they are looked up, as if `cairn rename` had
  // written a checkpoint with these rules.
  NameRules rename = {};
  // Leave variables alone whose shape differs from the stored one, instead of throwing.
  bool ignore_shape = false;
  // Convert values of another dtype if the variable's dtype represents each of them exactly: an
  // int32 step to int64, 3.0 to an integer, but not the double 0.1 to float. A value that is not
  // representable is InvalidArgument and named. Applies to numbers and bool, never to strings.
  bool convert_dtypes = false;
  // Leave variables alone whose dtype differs from the stored one (and is not converted), instead
  // of throwing.
  bool ignore_dtype = false;
};

// What Saver::restore() did. A value, independent of graph and session.
struct RestoreReport {
  // A variable and its tensor in the checkpoint.
  struct Item {
    SharedString key;       // the name that is looked up, after any renaming
    SharedString stored;    // the name in the checkpoint; empty if missing
    SharedString variable;  // the name in the graph; the key if unknown
    DType dtype = DType::kInvalid, stored_dtype = DType::kInvalid;
    Shape shape, stored_shape;  // for a slice those of the whole tensor
  };

  std::string prefix;
  std::optional<int64_t> step;         // the end of the prefix: 1000 for "run/model-1000"
  std::vector<Item> restored;          // converted if stored_dtype differs from dtype
  std::vector<Item> missing;           // not in the checkpoint; left alone
  std::vector<Item> shape_mismatches;  // left alone
  std::vector<Item> dtype_mismatches;  // left alone
  std::vector<std::string> unused;     // names in the checkpoint that were not used
  // The rules of RestoreOptions::rename that match no name of the checkpoint.
  std::vector<std::string> unmatched_rules;
  // Variables of the graph without a value after the restore; initialize_rest() initialises them.
  std::vector<std::string> uninitialized;

  // "1 missing / 2 unused / 0 shape / 0 dtype"
  std::string summary() const;
  // A table for the user; long lists are abbreviated.
  std::string str() const;

  // The unused names most similar to a missing key, best first: those that differ by a scope in
  // front, a ":0" or "_1" at the end, or a few letters.
  std::vector<std::string> nearest(const std::string& key) const;
  // A rule for RestoreOptions::rename that finds several missing keys, and their number; nullopt if
  // there is none.
  struct Rename {
    std::string rule;
    size_t finds = 0;
  };
  std::optional<Rename> suggested_rename() const;
};

}  // namespace cairn
