#include <algorithm>
#include <iostream>

#include "persist/extras/checkpoint_doctor.h"
#include "tools/command_files.h"
#include "tools/commands.h"
#include "tools/json.h"

namespace cairn {
namespace {

struct DoctorArguments {
  std::string directory;
  bool fix = false, json = false;
};

void print_json(const DirectoryReport& report, const std::vector<std::string>& done) {
  Json j;
  j.object().key("directory").value(report.directory).key("healthy").value(report.healthy());
  if (report.newest) j.key("newest").value(*report.newest);
  j.key("being_written").value(report.being_written).key("files").array();
  for (const DirectoryFile& file : report.files) {
    j.object()
        .key("name")
        .value(file.name)
        .key("role")
        .value(role_name(file.role))
        .key("bytes")
        .value(file.size);
    if (!file.checkpoint.empty()) j.key("checkpoint").value(file.checkpoint);
    j.end();
  }
  j.end().key("checkpoints").array();
  for (const DirectoryCheckpoint& c : report.checkpoints) {
    j.object()
        .key("prefix")
        .value(c.prefix)
        .key("format")
        .value(format_name(c.format))
        .key("bytes")
        .value(c.size);
    j.key("whole").value(c.whole()).key("problems").value(c.problems).end();
  }
  for (const auto& [key, list] :
       {std::pair("notes", &report.notes), {"problems", &report.problems}}) {
    j.end().key(key).array();
    for (const DirectoryProblem& p : *list) {
      j.object()
          .key("what")
          .value(p.what)
          .key("remedy")
          .value(p.remedy)
          .key("can_repair")
          .value(p.can_repair)
          .end();
    }
  }
  std::cout << j.end().key("done").value(done).end().text() << "\n";
}

void print_text(const DirectoryReport& report, const std::vector<std::string>& done) {
  size_t width = 0;
  for (const DirectoryFile& file : report.files)
    width = std::max(width, std::min<size_t>(file.name.size(), 60));
  for (const DirectoryFile& file : report.files) {
    std::cout << printable(file.name) << std::string(width - std::min(width, file.name.size()), ' ')
              << "  " << role_name(file.role)
              << (file.checkpoint.empty() ? "" : " of " + printable(file.checkpoint));
    const bool is_folder = file.role == FileRole::kDirectory || file.role == FileRole::kParts;
    if (!is_folder) std::cout << "  " << file.size << " bytes";
    std::cout << "\n";
  }
  for (const DirectoryCheckpoint& c : report.checkpoints) {
    std::cout << printable(c.prefix) << ": " << format_name(c.format) << ", " << c.size
              << " bytes, " << (c.whole() ? "whole, every checksum right" : "not whole") << "\n";
  }
  for (const std::string& line : done) std::cout << "done: " << printable(line) << "\n";
  for (const auto& [kind, list] :
       {std::pair("note", &report.notes), {"problem", &report.problems}}) {
    for (const DirectoryProblem& p : *list) {
      std::cout << kind << ": " << printable(p.what) << "\n  "
                << (p.can_repair ? "--fix will " : "") << printable(p.remedy) << "\n";
    }
  }
  std::cout << report.directory << ": ";
  if (report.newest) std::cout << "the newest checkpoint is " << printable(*report.newest) << ", ";
  if (report.being_written) std::cout << "a writer has it now, ";
  if (report.healthy()) {
    std::cout << "nothing is wrong\n";
  } else {
    std::cout << report.problems.size()
              << (report.problems.size() == 1 ? " problem\n" : " problems\n");
  }
}

int doctor(const DoctorArguments& o) {
  command_files().let_replace();
  const std::vector<std::string> done =
      o.fix ? repair_directory(o.directory, &command_files()) : std::vector<std::string>();
  const DirectoryReport report = examine_directory(o.directory);
  o.json ? print_json(report, done) : print_text(report, done);
  return report.healthy() ? kFine : kProblem;
}

}  // namespace

Work make_doctor(CLI::App& app) {
  auto o = std::make_shared<DoctorArguments>();
  app.add_option("DIR", o->directory, "a directory with checkpoints")->required();
  app.add_flag("--fix", o->fix,
               "repair: restore checkpoints that a dead writer was replacing, remove its temporary "
               "files, write a missing or stale file `checkpoint`; without it nothing is changed");
  app.add_flag("--json", o->json, "print one JSON object");
  return [o] { return doctor(*o); };
}

}  // namespace cairn
