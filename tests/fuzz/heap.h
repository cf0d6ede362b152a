// How much memory an action takes, in every thread and every library.
#pragma once

#include <cstddef>
#include <utility>

namespace cairn {

// Starts to count from here; what was taken before and is given back does not go below zero. One at
// a time.
void start_counting_heap();
// The most bytes held at one time since.
size_t peak_heap();

template <class Action>
size_t peak_heap_of(Action&& action) {
  start_counting_heap();
  std::forward<Action>(action)();
  return peak_heap();
}

// For the rest of this program no more than about this many bytes: the allocator says no where the
// machine would be brought to its knees. Sanitizers, which map address space as they please, are
// told by ASAN_OPTIONS instead.
void limit_heap(size_t bytes);

}  // namespace cairn
