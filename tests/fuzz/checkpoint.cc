// The `checkpoint` file of a directory that has one checkpoint, run/m.
#include <set>

#include "persist/checkpoint/checkpoint_state.h"
#include "tests/fuzz/fuzz.h"
#include "tests/support/memory_fs.h"

namespace cairn::fuzz {
namespace {

void one(std::string_view bytes) {
  MemoryFileSystem fs;
  fs.create_dir("run");
  fs.set("run/m.index", "");
  fs.set("run/checkpoint", std::string(bytes));
  accepted([&] {
    const auto state = get_checkpoint_state("run", kCheckpointFileName, &fs);
    require(state.has_value(), "a checkpoint file that is there is not seen");
    const auto latest = latest_checkpoint("run", kCheckpointFileName, &fs);
    require(!latest || checkpoint_exists(*latest, &fs), "the latest checkpoint is not there");
    // Another directory: paths of this one stay what they are.
    const bool written = accepted([&] {
      fs.create_dir("other");
      update_checkpoint_state("other", state->model_checkpoint_path,
                              state->all_model_checkpoint_paths, kCheckpointFileName, &fs);
    });
    if (!written) return;
    const auto again = get_checkpoint_state("other", kCheckpointFileName, &fs);
    require(again && !again->all_model_checkpoint_paths.empty(),
            "a checkpoint file that was written again is empty");
    // The newest one is written once, however often it was listed.
    const auto distinct = [](const CheckpointState& each) {
      return std::set(each.all_model_checkpoint_paths.begin(),
                      each.all_model_checkpoint_paths.end())
          .size();
    };
    require(distinct(*again) >= distinct(*state),
            "a checkpoint file that was written again has lost paths");
  });
}

std::vector<std::string> seeds() {
  return {"model_checkpoint_path: \"m\"\nall_model_checkpoint_paths: \"m\"\n",
          "model_checkpoint_path: \"/old/run/m\"\nall_model_checkpoint_paths: \"/old/run/l\"\n"
          "all_model_checkpoint_paths: \"/old/run/m\"\nall_model_checkpoint_timestamps: 1.5e9\n"
          "all_model_checkpoint_timestamps: 0x5\nlast_preserved_timestamp: nan\n",
          "# nothing\nmodel_checkpoint_path: 'a\\303\\244\\n' \"b\"\n",
          "model_checkpoint_path: \"\"", ""};
}

}  // namespace

const Target checkpoint{"checkpoint", one, seeds};

}  // namespace cairn::fuzz
