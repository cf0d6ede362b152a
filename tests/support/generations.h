// Checkpoints with the number of their save (the generation) in every value and in the meta graph.
#pragma once

#include <optional>
#include <string>

#include "persist/saver/saver.h"

namespace cairn {

enum class Form { kV2, kShardedV2, kV1, kShardedV1 };

// A model on two devices whose variables all hold the number of the generation. The meta graph
// differs with the generation.
class Generation {
 public:
  Generation(int64_t number, Form form, SaverOptions options = {}, int64_t elements = 300);

  // Saves into `fs` with a new saver, as after a restart of the program.
  std::string save(FileSystem& fs, const std::string& path, const SaveOptions& options = {}) const;
  int64_t number() const { return number_; }
  // Sets the values for the next save; the graph is the same.
  void set_number(int64_t number) { number_ = number; }
  std::string meta_bytes() const;
  Graph& graph() const { return graph_; }

 private:
  mutable Graph graph_;
  int64_t number_, elements_;
  SaverOptions options_;
  Saver saver_;
};

// The generation of a checkpoint, read with all checksums. Throws DataLoss if its values are of
// several generations.
int64_t generation_of_values(FileSystem& fs, const std::string& prefix);
// The generation in its meta graph.
int64_t generation_of_meta(FileSystem& fs, const std::string& prefix);

// The names in a directory that a complete save must not leave: temporary files, recovery files,
// journals, directories of parts.
std::vector<std::string> leftovers(FileSystem& fs, const std::string& directory);

}  // namespace cairn
