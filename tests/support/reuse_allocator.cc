// An allocator for tests, loaded instead of the system's (LD_PRELOAD). It reuses the last freed
// block for the next allocation that fits into it, so code that uses a freed block, or its address,
// finds another owner there; allocators that spread addresses, and the quarantine of sanitizers,
// hide such errors. All unused memory is filled with 0xFF, which is NaN for floats, so that
// uninitialized values are seen. The program is aborted if a block was written after it was freed
// or beyond its end, or is freed twice.
//
// At most the first MiB of a block is filled and checked. One lock guards everything.
#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>

namespace {

constexpr size_t kAlignment = 16, kFilled = size_t{1} << 20, kChunk = size_t{1} << 22,
                 kMostKept = size_t{1} << 24;
constexpr int kUnused = 0xFF;

// The header before the memory of a block, which exists as long as the process.
struct Block {
  size_t capacity;
  size_t asked;    // requested bytes, while in use
  uint64_t freed;  // the time of the free, counted in frees
  Block* next;     // the block of the same class that was freed before this one
};
// The header before the returned address.
struct Handle {
  uint64_t state;
  Block* block;
};
constexpr uint64_t kLive = 0x6C6976656C697665, kFree = 0x6672656566726565;
static_assert(sizeof(Block) % kAlignment == 0 && sizeof(Handle) == kAlignment);

pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
constexpr int kClasses = 4 * 64;
Block* lists[kClasses];
uint64_t frees = 0;
char *chunk = nullptr, *chunk_end = nullptr;

struct Locked {
  Locked() { pthread_mutex_lock(&mutex); }
  ~Locked() { pthread_mutex_unlock(&mutex); }
  Locked(const Locked&) = delete;
  Locked& operator=(const Locked&) = delete;
};

// A child process has a copy of the lock, which must not be held by a thread that the child does
// not have.
const int at_fork =
    pthread_atfork([] { pthread_mutex_lock(&mutex); }, [] { pthread_mutex_unlock(&mutex); },
                   [] { pthread_mutex_unlock(&mutex); });

[[noreturn]] void end(const char* what) {
  const char* const texts[] = {"reuse_allocator: ", what, "\n"};
  for (const char* text : texts) {
    if (write(STDERR_FILENO, text, std::strlen(text)) < 0) break;
  }
  std::abort();
}

char* body(Block* block) { return reinterpret_cast<char*>(block + 1) + sizeof(Handle); }
Handle* handle_of(void* memory) { return static_cast<Handle*>(memory) - 1; }

// The smallest size class that `bytes` fits into: four classes for each power of two, from 64 on.
int class_of(size_t bytes, size_t& capacity) {
  if (bytes <= 64) return capacity = 64, 0;
  const int octave = std::bit_width(bytes - 1) - 1;
  const size_t step = size_t{1} << (octave - 2), base = size_t{1} << octave;
  const size_t steps = (bytes - base + step - 1) / step;  // 1..4
  capacity = base + steps * step;
  return (octave - 6) * 4 + static_cast<int>(steps);
}

void* system_memory(size_t bytes) {
  void* const memory =
      mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return memory == MAP_FAILED ? nullptr : memory;
}

void fill(char* begin, const char* end) {
  if (begin < end) std::memset(begin, kUnused, static_cast<size_t>(end - begin));
}
bool is_filled(const char* begin, const char* end) {
  return begin >= end || (static_cast<unsigned char>(*begin) == kUnused &&
                          std::memcmp(begin, begin + 1, static_cast<size_t>(end - begin) - 1) == 0);
}
char* filled_end(Block* block) { return body(block) + std::min(block->capacity, kFilled); }

Block* new_block(size_t capacity) {
  const size_t bytes = sizeof(Block) + sizeof(Handle) + capacity;
  char* memory = nullptr;
  if (bytes > kChunk / 8) {
    memory = static_cast<char*>(system_memory(bytes));
  } else {
    if (static_cast<size_t>(chunk_end - chunk) < bytes) {
      chunk = static_cast<char*>(system_memory(kChunk));
      chunk_end = chunk ? chunk + kChunk : nullptr;
    }
    memory = chunk;
    if (chunk) chunk += bytes;
  }
  if (!memory) return nullptr;
  auto* const block = new (memory) Block{capacity, 0, 0, nullptr};
  fill(body(block), filled_end(block));
  return block;
}

// The last freed block among those that are large enough, and at most about sixteen times as large.
Block* last_freed(int from) {
  constexpr int kAbove = 16;
  Block** best = nullptr;
  for (int k = from; k <= std::min(from + kAbove, kClasses - 1); ++k) {
    if (lists[k] && (!best || lists[k]->freed > (*best)->freed)) best = &lists[k];
  }
  if (!best) return nullptr;
  Block* const block = *best;
  *best = block->next;
  if (!is_filled(body(block), filled_end(block))) end("a block was written after it was freed");
  return block;
}

void* take(size_t bytes, size_t alignment) {
  const size_t room = alignment > kAlignment ? alignment : 0;
  if (bytes > (size_t{1} << 47)) return errno = ENOMEM, nullptr;
  size_t capacity = 0;
  const int from = class_of(bytes + room, capacity);
  const Locked lock;
  Block* block = last_freed(from);
  if (!block) block = new_block(capacity);
  if (!block) return errno = ENOMEM, nullptr;
  char* const memory =
      body(block) + (room ? -reinterpret_cast<uintptr_t>(body(block)) % alignment : 0);
  block->asked = bytes;
  new (handle_of(memory)) Handle{kLive, block};
  return memory;
}

void give_back(void* memory) {
  Handle* const handle = handle_of(memory);
  const Locked lock;
  if (handle->state != kLive)
    end(handle->state == kFree ? "a block was freed twice" : "what is freed is no block");
  Block* const block = handle->block;
  char* const asked_end = static_cast<char*>(memory) + block->asked;
  if (!is_filled(asked_end, filled_end(block))) end("a block was written behind its end");
  handle->state = kFree;
  if (block->capacity > kMostKept) {
    munmap(block, sizeof(Block) + sizeof(Handle) + block->capacity);
    return;
  }
  // The handle of an aligned block is in its memory.
  fill(reinterpret_cast<char*>(handle) < body(block) ? static_cast<char*>(memory)
                                                     : reinterpret_cast<char*>(handle),
       std::min(asked_end, filled_end(block)));
  size_t capacity = 0;
  Block*& list = lists[class_of(block->capacity, capacity)];
  block->freed = ++frees;
  block->next = list;
  list = block;
}

}  // namespace

extern "C" {

void* malloc(size_t bytes) { return take(bytes, kAlignment); }

void free(void* memory) {
  const int error = errno;
  if (memory) give_back(memory);
  errno = error;
}

void* calloc(size_t count, size_t bytes) {
  size_t all = 0;
  if (__builtin_mul_overflow(count, bytes, &all)) return errno = ENOMEM, nullptr;
  void* const memory = take(all, kAlignment);
  if (memory) std::memset(memory, 0, all);
  return memory;
}

void* realloc(void* memory, size_t bytes) {
  void* const moved = take(bytes, kAlignment);
  if (!moved || !memory) return moved;
  std::memcpy(moved, memory, std::min(bytes, handle_of(memory)->block->asked));
  give_back(memory);
  return moved;
}

void* aligned_alloc(size_t alignment, size_t bytes) { return take(bytes, alignment); }
void* memalign(size_t alignment, size_t bytes) { return take(bytes, alignment); }

int posix_memalign(void** memory, size_t alignment, size_t bytes) {
  *memory = take(bytes, alignment);
  return *memory ? 0 : ENOMEM;
}

size_t malloc_usable_size(void* memory) { return memory ? handle_of(memory)->block->asked : 0; }

}  // extern "C"
