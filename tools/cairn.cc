// `cairn`: checkpoints and meta graphs from the command line.
//
// Exit status: 0 fine, 1 a difference or a problem, 2 wrong usage. Errors are on standard error.
#include <iostream>
#include <vector>

#include "persist/version.h"
#include "runtime/error.h"
#include "tools/commands.h"

namespace {

using namespace cairn;

struct Command {
  const char *name, *about, *example;
  CommandMaker make;
};

constexpr Command kCommands[] = {
    {"inspect", "Lists what a checkpoint holds: names, dtypes, shapes, values; checks it.",
     "cairn inspect run/model-1000 --tensor W --values", make_inspect},
    {"meta", "Tells what a .meta file says: who wrote it, its saver, collections, ops, variables.",
     "cairn meta run/model-1000.meta --collections", make_meta},
    {"copy", "Writes a checkpoint again, whole and checked, with its .meta file if it has one.",
     "cairn copy run/model-1000 backup/model-1000", make_copy},
    {"convert",
     "Writes the values of a checkpoint in the other format. A .meta file names savers of one format and is "
     "not converted.",
     "cairn convert old/model.ckpt new/model --format v2", make_convert},
    {"freeze", "Writes what computing some outputs takes, graph and values, as one GraphDef without variables.",
     "cairn freeze run/model-1000.meta run/model-1000 --output softmax serve/model.pb", make_freeze},
    {"run", "Runs part of a graph and prints tensors, or writes them to .npy files.",
     "cairn run run/model-1000.meta --checkpoint run/model-1000 --feed X=images.npy --set keep_prob=1 --fetch Mean:0",
     make_run},
    {"train", "Goes on training from a checkpoint, with none of the model's code.",
     "cairn train run/model-1000.meta --checkpoint run/model-1000 --train-op GradientDescent --loss Mean:0 \\\n"
     "    --feed X=images.npy --feed Y=labels.npy --batch 100 --steps 1000 --save-every 100 --dir resumed",
     make_train},
};

int report(const std::string& command, const std::string& message, int status) {
  std::cerr << "cairn " << command << ": " << message << "\n";
  return status;
}

int run(const std::string& name, const Work& work) {
  try {
    const int status = work();
    if (!std::cout.flush()) return report(name, "standard output cannot be written", kProblem);
    return status;
  } catch (const UsageError& e) {
    return report(name, str_cat(e.what(), "\nRun with --help for more information."), kWrongUsage);
  } catch (const std::exception& e) {
    return report(name, e.what(), kProblem);
  }
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Checkpoints and meta graphs in TensorFlow's formats: seen, checked, copied, run and trained on.");
  app.set_version_flag("--version", kVersion);
  app.require_subcommand(1);
  app.footer(
      "A checkpoint is named by its prefix, one of its files, or its directory (the newest one there).\n"
      "Exit status: 0 fine, 1 a difference or a problem, 2 wrong usage.\n"
      "Example:\n  cairn inspect run/model-1000");
  std::vector<std::pair<CLI::App*, Work>> commands;
  for (const Command& c : kCommands) {
    CLI::App* command = app.add_subcommand(c.name, c.about);
    command->footer(str_cat("Example:\n  ", c.example));
    commands.emplace_back(command, c.make(*command));
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? kFine : kWrongUsage;
  }
  for (const auto& [command, work] : commands) {
    if (command->parsed()) return run(command->get_name(), work);
  }
  return kWrongUsage;
}
