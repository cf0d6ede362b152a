// Starts a training run with values of an earlier one.
//
//   Session session(graph);
//   init_from_checkpoint(session, "old/model-1000", {{"encoder/", "model/encoder/"}});
//   initialize_rest(session);  // all other variables get their initial values
//
// A call that fails:
//
//   init_from_checkpoint(session, "old/model-1000", {{"encoder/", "modle/encoder/"}});
//   // NotFound: init_from_checkpoint: no variable was changed: the graph has no variables in the
//   // scope 'modle/encoder/'
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "persist/saver/restore_report.h"
#include "runtime/exec/session.h"

namespace CAIRN_API cairn {

// Runs the initializers of those variables in the collections "variables" and "local_variables"
// that have no value in the session; returns their names. An initial value that depends on other
// variables is computed after these are initialised. Throws what running throws, and
// FailedPrecondition if initial values depend on each other in a cycle. Variables that were
// initialised before the error keep their values, and a second call continues with the rest.
std::vector<std::string> initialize_rest(Session& session);

// The destination of a tensor of the checkpoint: a variable, by handle or name; for a partitioned
// variable all its slices; or, if the source is a scope ("old/", or "/" for everything), the
// variables of a scope ("new/", "/").
class AssignmentTarget {
 public:
  AssignmentTarget(const char* name) : name_(name) {}                   // NOLINT: implicit on
  AssignmentTarget(std::string name) : name_(std::move(name)) {}        // NOLINT: purpose, as
  AssignmentTarget(const Variable& variable) : variables_{variable} {}  // NOLINT: are all here
  AssignmentTarget(std::vector<Variable> slices) : variables_(std::move(slices)) {}  // NOLINT

  const std::string& name() const { return name_; }
  const std::vector<Variable>& variables() const { return variables_; }

 private:
  std::string name_;
  std::vector<Variable> variables_;
};
using Assignments = std::vector<std::pair<std::string, AssignmentTarget>>;

// Sets variables of the session from a checkpoint of another graph. (tf.train.init_from_checkpoint
// changes the initializers in the graph instead.) The pairs are those of TensorFlow's assignment
// map:
//
//   {"old/", "new/"}       each variable new/x from old/x; all variables of the scope must be there
//   {"/", "new/"}          each variable new/x from x;  {"old/", "/"}: each variable x from old/x
//   {"old/W", "new/V"}     the variable new/V (also a partitioned one: new/V/part_0 ...) from old/W
//   {"old/W", variable}    this variable
//
// In `options`, allow_missing matches the names in the checkpoint, and `rename` changes those
// first. All or nothing: throws one error about everything that does not fit, as Saver::restore()
// does, and NotFound or InvalidArgument for assignments that name nothing, mix a scope with a
// variable, or assign two values to one variable. No variable is changed then.
RestoreReport init_from_checkpoint(Session& session, const std::string& path,
                                   const Assignments& assignments,
                                   const RestoreOptions& options = {});

}  // namespace cairn
