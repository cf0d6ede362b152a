// Beginning a training run with values of another one.
//
//   Session session(graph);
//   init_from_checkpoint(session, "old/model-1000", {{"encoder/", "model/encoder/"}});
//   initialize_rest(session);  // what was not taken over begins as the graph says
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "persist/saver/restore_report.h"
#include "runtime/exec/session.h"

namespace CAIRN_API cairn {

// Runs the initializers of the variables (of the collections "variables" and "local_variables")
// that have no value in the session, and of no others; returns their names. An initial value that
// is made of other variables' finds those initialised, whichever came first. Throws what running
// throws, FailedPrecondition where initial values need each other; variables that were initialised
// before that keep their values, and a second call goes on with the rest.
std::vector<std::string> initialize_rest(Session& session);

// Where a tensor of the checkpoint goes: to a variable, by handle or by name; of one in slices, to
// all of them; or, from a scope ("old/", or "/" for everything), to the variables of a scope
// ("new/", "/").
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

// Sets variables of the session from a checkpoint of another graph (TensorFlow's
// tf.train.init_from_checkpoint, which changes initializers instead, and the graph with them).
// Which tensor goes where, in the words of TensorFlow's assignment map:
//   {"old/", "new/"}       each variable new/x from old/x; all variables of the scope must be there
//   {"/", "new/"}          each variable new/x from x;  {"old/", "/"}: each variable x from old/x
//   {"old/W", "new/V"}     the variable new/V (one in slices too: new/V/part_0 ...) from old/W
//   {"old/W", variable}    this one
// Of `options`, allow_missing goes by the names in the checkpoint, and `rename` changes those
// first. All or nothing: throws what does not fit in one Error, as Saver::restore does, and
// NotFound or InvalidArgument for assignments that name nothing, mix a scope with a variable, or
// give one variable two values.
RestoreReport init_from_checkpoint(Session& session, const std::string& path,
                                   const Assignments& assignments,
                                   const RestoreOptions& options = {});

}  // namespace cairn
