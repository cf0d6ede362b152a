#include "tools/values.h"

namespace cairn {

Restored restore_what_is_there(const Saver& saver, Session& session,
                               const std::string& checkpoint) {
  if (!saver) {
    fail(Code::kInvalidArgument,
         "the graph has no variables, so there is nothing to restore; leave out ", checkpoint);
  }
  try {
    return {saver.restore(session, checkpoint), std::nullopt};
  } catch (const Error& e) {
    if (e.code() != Code::kNotFound) throw;
    checkpoint_prefix(checkpoint);  // throws where there is no checkpoint at all
    return {saver.restore(session, checkpoint, {.allow_missing = true}), e};
  }
}

void initialize_tables(Session& session) {
  const Graph& graph = session.graph();
  if (graph.items(GraphKeys::kTableInitializers).empty()) return;
  for (const Operation& initializer : graph.collection<Operation>(GraphKeys::kTableInitializers)) {
    try {
      session.run(initializer);
    } catch (const Error& e) {
      if (e.code() != Code::kUnimplemented) throw;
    }
  }
}

}  // namespace cairn
