// What a restore is asked to do, and what it did.
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

struct RestoreOptions {
  // Variables that may be missing from the checkpoint, by the key under which they are looked for:
  // none, all (true), or those that a regular expression (RE2's) finds. They are left alone.
  NamePattern allow_missing = false;
  // From names in the checkpoint to the keys that the graph asks for: what `cairn rename` would
  // have written is read.
  NameRules rename = {};
  // Variables whose shape is not the stored one are left alone instead of being an error.
  bool ignore_shape = false;
  // Values of another dtype are converted where the variable's dtype holds each of them exactly: a
  // step that was int32 is read into an int64, 3.0 into an integer, 0.1 of a double into no float.
  // A value that it does not hold is an InvalidArgument that names it. Numbers and bool; text is
  // never converted.
  bool convert_dtypes = false;
  // Variables whose dtype is not the stored one (and that convert_dtypes does not convert) are left
  // alone instead of being an error.
  bool ignore_dtype = false;
};

struct RestoreReport {
  // A variable and the tensor for it.
  struct Item {
    SharedString key;       // what it is called in the checkpoint, after any renaming
    SharedString stored;    // before renaming; empty when it is missing
    SharedString variable;  // in the graph; the key where the graph does not say
    DType dtype = DType::kInvalid, stored_dtype = DType::kInvalid;
    Shape shape, stored_shape;  // of a slice: those of the whole tensor
  };

  std::string prefix;
  std::optional<int64_t> step;         // as the prefix ends: 1000 of "run/model-1000"
  std::vector<Item> restored;          // converted where stored_dtype is another than dtype
  std::vector<Item> missing;           // not in the checkpoint; left alone
  std::vector<Item> shape_mismatches;  // left alone
  std::vector<Item> dtype_mismatches;  // left alone
  std::vector<std::string> unused;     // names in the checkpoint that nothing asked for
  std::vector<std::string>
      unmatched_rules;  // of RestoreOptions::rename, those that fit no name of the checkpoint
  // Variables of the graph that have no value afterwards: initialize_rest() gives them theirs.
  std::vector<std::string> uninitialized;

  // "1 missing / 2 unused / 0 shape / 0 dtype"
  std::string summary() const;
  // A table for people; of long lists the beginning.
  std::string str() const;

  // Unused names that look most like a missing key, the likeliest first: but for a scope before it,
  // a ":0" or "_1" behind, a few letters.
  std::vector<std::string> nearest(const std::string& key) const;
  // One rule for RestoreOptions::rename under which several missing keys are found, or nothing; and
  // how many it finds.
  struct Rename {
    std::string rule;
    size_t finds = 0;
  };
  std::optional<Rename> suggested_rename() const;
};

}  // namespace cairn
