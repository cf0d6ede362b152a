#include "ops/core/onednn.h"

#include <dlfcn.h>

#include <cstdlib>
#include <string_view>

namespace cairn {
namespace {

struct Library {
  using Sgemm = int (*)(char, char, int64_t, int64_t, int64_t, float, const float*, int64_t,
                        const float*, int64_t, float, float*, int64_t);
  Sgemm sgemm = nullptr;
  int (*get_threads)() = nullptr;
  void (*set_threads)(int) = nullptr;

  Library() {
    const char* wish = std::getenv("CAIRN_ONEDNN");
    if (wish && std::string_view(wish) == "0") return;
    void* handle = nullptr;
    for (const char* name : {"libdnnl.so.3", "libdnnl.so.2"}) {
      if (!handle) handle = dlopen(name, RTLD_NOW | RTLD_LOCAL);
    }
    if (!handle) return;
    sgemm = reinterpret_cast<Sgemm>(dlsym(handle, "dnnl_sgemm"));
    // A oneDNN built with OpenMP would start threads of its own, while ours are busy with the other
    // pieces.
    get_threads = reinterpret_cast<int (*)()>(dlsym(handle, "omp_get_max_threads"));
    set_threads = reinterpret_cast<void (*)(int)>(dlsym(handle, "omp_set_num_threads"));
  }
};

// Limits OpenMP on the calling thread to one thread, and restores the setting of the program.
class OneThread {
 public:
  explicit OneThread(const Library& library) : library_(library) {
    if (!library_.get_threads || !library_.set_threads) return;
    before_ = library_.get_threads();
    if (before_ != 1) library_.set_threads(1);
  }
  ~OneThread() {
    if (before_ > 1) library_.set_threads(before_);
  }
  OneThread(const OneThread&) = delete;
  OneThread& operator=(const OneThread&) = delete;

 private:
  const Library& library_;
  int before_ = 1;
};

const Library& library() {
  static const Library loaded;
  return loaded;
}

}  // namespace

bool onednn_sgemm(bool ta, bool tb, int64_t m, int64_t n, int64_t k, float alpha, const float* a,
                  int64_t lda, const float* b, int64_t ldb, float beta, float* c, int64_t ldc) {
  if (!library().sgemm) return false;
  const OneThread alone(library());
  return library().sgemm(ta ? 'T' : 'N', tb ? 'T' : 'N', m, n, k, alpha, a, lda, b, ldb, beta, c,
                         ldc) == 0;
}

bool onednn_reads_in_place() { return library().sgemm && !__builtin_cpu_supports("avx512f"); }

}  // namespace cairn
