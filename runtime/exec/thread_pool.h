// The worker threads of the process, shared by all sessions.
#pragma once

#include <cstdint>
#include <functional>

namespace cairn::internal {

// Calls body(0) … body(pieces - 1), on the calling thread and up to threads - 1 workers, and
// returns after all calls have returned. If some throw, the exception of the lowest piece is
// rethrown then. Workers start when they are first needed, spin for a moment between jobs and then
// sleep. While one job uses the workers, other callers run their pieces on their own thread.
void run_in_parallel(int64_t pieces, int threads, const std::function<void(int64_t)>& body);

// The number of threads of a session whose options do not set it: CAIRN_THREADS (up to 1024), else
// the number of cores.
int default_threads();

}  // namespace cairn::internal
