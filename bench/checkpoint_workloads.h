// What saving and restoring cost beside the same bytes written and read by hand: one write() after
// the other and fsync(), one read() after the other, checksummed as the format asks, in pieces that
// stay in the cache. Both take turns in one run, so that the ratio holds on a noisy machine. Ratios
// are by hand to Cairn: 0.9 is nine tenths as fast.
#pragma once

#include "bench/bench.h"

namespace cairn::bench {

// W6: 1 GB in 100 tensors and 10,000 tensors of 10 floats, without meta graphs, in a directory of
// its own in o.dir
// (/tmp); a sixteenth of that where o.quick.
void measure_checkpoints(const Options& o);

}  // namespace cairn::bench
