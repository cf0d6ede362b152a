// What a session needs before it runs: values of variables, contents of lookup tables.
#pragma once

#include <optional>
#include <string>

#include "persist/saver/saver.h"
#include "runtime/exec/session.h"

namespace cairn {

struct Restored {
  RestoreReport report;
  std::optional<Error> lacking;  // names the variables that the checkpoint lacks, if any
};
// Restores a checkpoint, or of one that lacks variables what it has: what runs may not need the
// others. Throws as Saver::restore for everything else, and where the graph has no variables; what
// it advises is done with commands.
Restored restore_what_is_there(const Saver& saver, Session& session, const std::string& checkpoint);

// An error about variables without a value, with `advice` in the place of what only a program can
// do; other errors as they are.
Error advised(const Error& e, const std::string& advice);

// Lookup tables are no part of a checkpoint. Those that this build cannot fill are left: whatever
// needs one says so.
void initialize_tables(Session& session);

}  // namespace cairn
