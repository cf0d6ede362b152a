// The process's worker threads.
#pragma once

#include <cstdint>
#include <functional>

namespace cairn::internal {

// Calls body(0) … body(pieces - 1), on the caller and up to threads - 1 workers, and returns when
// all have returned. If any throws, the first exception is rethrown after the others have ended.
// Workers are started when first needed, spin for a moment between jobs and then sleep. While one
// job has the workers, another caller runs its pieces alone.
void run_in_parallel(int64_t pieces, int threads, const std::function<void(int64_t)>& body);

// The threads a session gets when it does not say: CAIRN_THREADS, else the machine's cores.
int default_threads();

}  // namespace cairn::internal
