// `cairn`: checkpoints and meta graphs from the command line.
//
// Exit status: 0 success, 1 a difference or a problem, 2 wrong usage. Errors are on standard error.
#include <algorithm>
#include <charconv>
#include <iostream>
#include <sstream>
#include <vector>

#include "persist/files/quote.h"
#include "persist/version.h"
#include "runtime/base/error.h"
#include "runtime/base/text.h"
#include "tools/command_files.h"
#include "tools/commands.h"
#include "tools/help.h"
#include "tools/signals.h"
#include "tools/terminal.h"

namespace {

using namespace cairn;

struct Command {
  const char *name, *about, *example;
  CommandMaker make;
};

constexpr Command kCommands[] = {
    {"average",
     "Writes the mean of each floating-point tensor of several checkpoints. Other tensors are "
     "those of the last checkpoint.",
     "cairn average run/model-800 run/model-900 run/model-1000 run/mean", make_average},
    {"convert",
     "Writes a checkpoint in the other format, V1 or V2. Its .meta file is not copied, as the "
     "saver in it reads one format only.",
     "cairn convert old/model.ckpt new/model --format v2", make_convert},
    {"copy", "Checks a checkpoint and writes a copy of it, with its .meta file if it has one.",
     "cairn copy run/model-1000 backup/model-1000", make_copy},
    {"diff",
     "Shows the differences between two checkpoints (tensors) or two graphs (nodes, attributes, "
     "collections, savers).",
     "cairn diff run/model-1000 run/model-2000 --tolerance 1e-6\n  cairn diff old/model.meta "
     "new/model.meta",
     make_diff},
    {"doctor",
     "Checks a checkpoint directory or SavedModel: shows the role of each file, and all problems. "
     "--fix repairs problems that can be repaired.",
     "cairn doctor run --fix", make_doctor},
    {"export",
     "Writes the tensors of a checkpoint to one file, for NumPy (.npz) or as .safetensors.",
     "cairn export run/model-1000 weights.npz --tensor 'layer1/.*'", make_export},
    {"freeze",
     "Writes the part of a graph that computes some outputs, and the values that it needs, as one "
     "GraphDef without variables.",
     "cairn freeze run/model-1000.meta run/model-1000 serve/model.pb \\\n"
     "    --output softmax --set is_training=false",
     make_freeze},
    {"inspect",
     "Lists the tensors of a checkpoint (names, dtypes, shapes; with options values and "
     "statistics) and checks it.",
     "cairn inspect run/model-1000 --tensor W --values", make_inspect},
    {"meta",
     "Describes a graph: writer, inputs, outputs, losses, train ops, signatures, saver, "
     "collections, ops and variables.",
     "cairn meta run/model-1000.meta --collections", make_meta},
    {"rename",
     "Writes a checkpoint with other names of tensors. Its .meta file uses the old names and is "
     "not copied.",
     "cairn rename run/model-1000 renamed/model-1000 \\\n"
     "    --re 's/^net/model/' --map global_step=step --dry-run",
     make_rename},
    {"run", "Runs part of a graph and prints tensors, or writes them to .npy files.",
     "cairn run run/model-1000.meta --checkpoint run/model-1000 \\\n"
     "    --feed X=images.npy --set keep_prob=1 --fetch Mean:0",
     make_run},
    {"show",
     "Prints one file as text, for comparing files line by line: equal contents give equal text.",
     "cairn show run/model-1000.meta\n\n"
     "To compare such files in git, name a driver for them in .gitattributes:\n"
     "  *.meta diff=cairn\n  *.index diff=cairn\n  *.pb diff=cairn\n  *.data-*-of-* diff=cairn\n"
     "and define the driver once:\n"
     "  git config diff.cairn.textconv \"cairn show\"",
     make_show},
    {"train", "Continues training from a checkpoint, without the code of the model.",
     "cairn train run/model-1000.meta --checkpoint run/model-1000 \\\n"
     "    --train-op GradientDescent --loss Mean:0 --feed X=images.npy \\\n"
     "    --feed Y=labels.npy --batch 100 --steps 1000 --save-every 100 \\\n"
     "    --dir resumed",
     make_train},
};

int report(const std::string& command, const std::string& message, int status) {
  wait_if_ending();
  std::cerr << "cairn " << command << ": " << printable(message, "\n\t") << "\n";
  return status;
}

// While it lives, standard output goes through PrintableBuffer.
class PrintableOutput {
 public:
  PrintableOutput() : plain_(std::cout.rdbuf()), printable_(*plain_) {
    std::cout.rdbuf(&printable_);
  }
  ~PrintableOutput() { std::cout.rdbuf(plain_); }
  PrintableOutput(const PrintableOutput&) = delete;
  PrintableOutput& operator=(const PrintableOutput&) = delete;

 private:
  std::streambuf* plain_;
  PrintableBuffer printable_;
};

int run(const std::string& name, const Work& work) {
  const PrintableOutput output;
  try {
    const int status = work();
    command_files().keep();
    if (!std::cout.flush()) return report(name, "standard output cannot be written", kProblem);
    return status;
  } catch (const UsageError& e) {
    command_files().undo();
    return report(name, str_cat(e.what(), "\nRun with --help for more information."), kWrongUsage);
  } catch (const std::exception& e) {
    command_files().undo();
    return report(name, e.what(), kProblem);
  }
}

// Undoes the command and exits with the status that shells report for a signal.
void end_command(int signal) { command_files().undo_and_exit(128 + signal); }

// Refuses empty values of all options: they come from unset variables of the shell, and must not
// mean that the option was left out, or the current directory.
void refuse_empty_values(CLI::App& command) {
  for (CLI::Option* option : command.get_options()) {
    if (option->get_items_expected_max() == 0) continue;  // a flag
    option->check(CLI::Validator(
        [](std::string& text) {
          return text.empty()
                     ? std::string(
                           "the value is empty, as from an unset variable of the shell; give one")
                     : std::string();
        },
        ""));
  }
}

// A message about arguments that belong to no option or positional; "" if there are none.
std::string about_extras(const CLI::App& command) {
  const std::vector<std::string> extras = command.remaining();
  for (const std::string& extra : extras) {
    const bool option = extra.size() > 1 && extra[0] == '-' &&
                        std::string_view("0123456789.").find(extra[1]) == std::string_view::npos;
    if (!option || extra == "--") continue;
    const std::string given = extra.substr(0, extra.find('='));
    std::vector<std::string> names;
    for (const CLI::Option* known : command.get_options()) {
      for (const std::string& name : known->get_lnames()) names.push_back("--" + name);
    }
    const auto near = nearest_names(given, names);
    return str_cat("there is no option ", given,
                   near.empty() ? "" : str_cat("; did you mean ", join_for_people(near), "?"));
  }
  if (extras.empty()) return "";
  return str_cat(extras.size() == 1 ? "an argument too many: " : "arguments too many: ",
                 quote_list(extras));
}

// Prints the help text, or a message about wrong arguments; returns the exit status.
int print_exit(const CLI::App& app, const CLI::ParseError& e) {
  if (e.get_exit_code() == 0) {
    std::ostringstream out;
    app.exit(e, out, out);
    std::cout << printable(out.str(), "\n\t") << std::flush;
    return kFine;
  }
  const auto parsed = app.get_subcommands();
  const std::string extras = about_extras(parsed.empty() ? app : *parsed[0]);
  std::cerr << "cairn" << (parsed.empty() ? "" : " " + parsed[0]->get_name()) << ": "
            << printable(extras.empty() ? e.what() : extras, "\n\t")
            << "\nRun with --help for more information.\n";
  return kWrongUsage;
}

// A message if the arguments name no command; "" if they do, or ask for help.
std::string missing_command(int argc, char** argv) {
  std::vector<std::string> names;
  for (const Command& c : kCommands) names.emplace_back(c.name);
  const std::string known = str_cat("Commands: ", join_for_people(names, names.size()), ".");
  if (argc < 2) return str_cat("no command is given. ", known);
  const std::string given = argv[1];
  if (given.starts_with('-') || std::find(names.begin(), names.end(), given) != names.end())
    return "";
  const auto near = nearest_names(given, names);
  return str_cat(
      "there is no command '", given, "'",
      near.empty() ? str_cat(". ", known) : str_cat("; did you mean ", join_for_people(near), "?"));
}

}  // namespace

namespace cairn {

CLI::Validator at_least(int64_t least) {
  const auto check = [least](std::string& text) {
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    const bool fine = error == std::errc() && end == text.data() + text.size() &&
                      value >= static_cast<double>(least);
    return fine || text.empty() ? std::string()
                                : str_cat(text, " is not a number of at least ", least);
  };
  return CLI::Validator(check, str_cat(">= ", least));
}

CLI::Validator whole_number(uint64_t least, uint64_t most) {
  const auto check = [least, most](std::string& text) {
    uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    const bool fine =
        error == std::errc() && end == text.data() + text.size() && value >= least && value <= most;
    return fine || text.empty()
               ? std::string()
               : str_cat(text, " is not a whole number from ", least, " to ", most);
  };
  return CLI::Validator(check, str_cat(">= ", least));
}

}  // namespace cairn

int main(int argc, char** argv) {
  end_on_signals(end_command);
  if (const std::string wrong = missing_command(argc, argv); !wrong.empty()) {
    std::cerr << "cairn: " << printable(wrong) << "\nRun with --help for more information.\n";
    return kWrongUsage;
  }
  CLI::App app(
      "Shows, checks, compares, copies, runs and trains TensorFlow checkpoints and graphs.",
      "cairn");
  app.formatter(help_formatter());
  app.set_version_flag("--version", kVersion);
  app.require_subcommand(1);
  app.footer(
      "A checkpoint is given by its prefix, one of its files, or its directory (the newest one in "
      "it).\n"
      "Exit status: 0 success, 1 a difference or a problem, 2 wrong usage.\n"
      "Example:\n  cairn inspect run/model-1000");
  std::vector<std::pair<CLI::App*, Work>> commands;
  for (const Command& c : kCommands) {
    CLI::App* command = app.add_subcommand(c.name, c.about);
    command->footer(str_cat("Example:\n  ", c.example));
    commands.emplace_back(command, c.make(*command));
    refuse_empty_values(*command);
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return print_exit(app, e);
  }
  for (const auto& [command, work] : commands) {
    if (command->parsed()) return run(command->get_name(), work);
  }
  return kWrongUsage;
}
