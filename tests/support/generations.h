// Checkpoints that tell which save they are of: in every value and in the meta graph.
#pragma once

#include <optional>
#include <string>

#include "persist/saver/saver.h"

namespace cairn {

enum class Form { kV2, kShardedV2, kV1, kShardedV1 };

// A model whose variables all hold its generation's number, on two devices, with a saver of some
// form. The meta graph differs with the generation.
class Generation {
 public:
  Generation(int64_t number, Form form, SaverOptions options = {}, int64_t elements = 300);

  // Saves into `fs` with a saver that has not saved yet, as a program that was started anew.
  std::string save(FileSystem& fs, const std::string& path, const SaveOptions& options = {}) const;
  int64_t number() const { return number_; }
  // The next save has these values, with the same graph.
  void set_number(int64_t number) { number_ = number; }
  std::string meta_bytes() const;
  Graph& graph() const { return graph_; }

 private:
  mutable Graph graph_;
  int64_t number_, elements_;
  SaverOptions options_;
  Saver saver_;
};

// The generation of a checkpoint, read with all checksums. Throws DataLoss where its values are of
// several.
int64_t generation_of_values(FileSystem& fs, const std::string& prefix);
// What its meta graph says.
int64_t generation_of_meta(FileSystem& fs, const std::string& prefix);

// The names in a directory that no save should leave: temporary files, recovery files, journals,
// directories of parts.
std::vector<std::string> leftovers(FileSystem& fs, const std::string& directory);

}  // namespace cairn
