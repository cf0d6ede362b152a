#include "tests/fuzz/heap.h"

#include <sys/resource.h>

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <new>

#include "tests/support/sanitized.h"

#ifdef CAIRN_SANITIZED
// <sanitizer/allocator_interface.h> of clang; GCC has the functions, and no header that says so.
extern "C" {
int __sanitizer_install_malloc_and_free_hooks(void (*taken)(const volatile void* memory,
                                                            size_t size),
                                              void (*given_back)(const volatile void* memory));
size_t __sanitizer_get_allocated_size(const volatile void* memory);
}
#else
#include <malloc.h>
#endif

namespace cairn {
namespace {

std::atomic<int64_t> held{0}, peak{0};

void taken(size_t bytes) {
  const int64_t now = held.fetch_add(static_cast<int64_t>(bytes), std::memory_order_relaxed) +
                      static_cast<int64_t>(bytes);
  int64_t most = peak.load(std::memory_order_relaxed);
  while (now > most && !peak.compare_exchange_weak(most, now, std::memory_order_relaxed)) {
  }
}
void given_back(size_t bytes) {
  held.fetch_sub(static_cast<int64_t>(bytes), std::memory_order_relaxed);
}

#ifdef CAIRN_SANITIZED
[[maybe_unused]] const int hooked = __sanitizer_install_malloc_and_free_hooks(
    [](const volatile void*, size_t size) { taken(size); },
    [](const volatile void* memory) { given_back(__sanitizer_get_allocated_size(memory)); });
#endif

}  // namespace

void start_counting_heap() {
  held = 0;
  peak = 0;
}
size_t peak_heap() { return static_cast<size_t>(peak.load()); }

void limit_heap([[maybe_unused]] size_t bytes) {
#ifndef CAIRN_SANITIZED
  const rlimit limit{bytes, bytes};
  setrlimit(RLIMIT_AS, &limit);
#endif
}

}  // namespace cairn

#if !defined(CAIRN_SANITIZED) && defined(__GLIBC__)
// The C library's own functions under their other names: whatever asks for memory, operator new
// too, comes through here.
extern "C" {
void* __libc_malloc(size_t size);
void* __libc_calloc(size_t count, size_t size);
void* __libc_realloc(void* memory, size_t size);
void* __libc_memalign(size_t alignment, size_t size);
void __libc_free(void* memory);

static void* counted(void* memory) {
  if (memory) cairn::taken(malloc_usable_size(memory));
  return memory;
}
void* malloc(size_t size) { return counted(__libc_malloc(size)); }
void* calloc(size_t count, size_t size) { return counted(__libc_calloc(count, size)); }
void* realloc(void* memory, size_t size) {
  const size_t before = memory ? malloc_usable_size(memory) : 0;
  void* moved = __libc_realloc(memory, size);
  if (moved || size == 0) cairn::given_back(before);
  return counted(moved);
}
void* aligned_alloc(size_t alignment, size_t size) {
  return counted(__libc_memalign(alignment, size));
}
void free(void* memory) {
  if (memory) cairn::given_back(malloc_usable_size(memory));
  __libc_free(memory);
}
}
#endif
