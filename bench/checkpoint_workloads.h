// Measures saving and restoring, and for comparison the same bytes written and read by hand: by
// write() and fsync(), or read(), with the checksums of the format, in pieces that fit the cache.
// Both are measured alternately in one run, so that the ratio is valid on a noisy machine. Ratios
// are time by hand over time of Cairn: with 0.9 Cairn has nine tenths of the speed.
#pragma once

#include "bench/bench.h"

namespace cairn::bench {

// W6: 1 GB in 100 tensors, and 10,000 tensors of 10 floats, without meta graphs, in a new directory
// in o.dir (/tmp). With o.quick a sixteenth of that.
void measure_checkpoints(const Options& o);

}  // namespace cairn::bench
