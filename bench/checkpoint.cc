// Measures saving and restoring: see checkpoint_workloads.h.
//
//   checkpoint [--dir DIR] [--only PREFIX] [--quick] [--table]
#include "bench/checkpoint_workloads.h"

int main(int argc, char** argv) {
  return cairn::bench::main_of("checkpoint", argc, argv, cairn::bench::measure_checkpoints);
}
