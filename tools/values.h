// Prepares a session before a run: values of variables, contents of lookup tables.
#pragma once

#include <optional>
#include <string>

#include "persist/saver/saver.h"
#include "runtime/exec/session.h"

namespace cairn {

struct Restored {
  RestoreReport report;
  std::optional<Error> lacking;  // names the variables that the checkpoint lacks; empty if none
};
// Restores a checkpoint. If it lacks variables, the others are restored, as the run may not need
// all of them. Throws InvalidArgument if the graph has no variables, else as Saver::restore;
// messages advise options of commands.
Restored restore_what_is_there(const Saver& saver, Session& session, const std::string& checkpoint);

// Replaces the advice for programs in an error about uninitialized variables by `advice`; other
// errors are returned unchanged.
Error advised(const Error& e, const std::string& advice);

// Fills the lookup tables, which checkpoints do not contain. Tables that this build cannot fill are
// skipped; ops that need one throw.
void initialize_tables(Session& session);

}  // namespace cairn
