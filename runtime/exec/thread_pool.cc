#include "runtime/exec/thread_pool.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdlib>
#include <exception>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

namespace cairn::internal {
namespace {

struct Job {
  const std::function<void(int64_t)>* body = nullptr;
  int64_t pieces = 0;
  int max_helpers = 0;
  std::atomic<int64_t> next{0};
  std::atomic<int> helpers{0};
  std::mutex error_mutex;
  std::exception_ptr error;
  int64_t failed_piece = 0;

  void work() {
    for (int64_t i; (i = next.fetch_add(1, std::memory_order_relaxed)) < pieces;) {
      try {
        (*body)(i);
      } catch (...) {
        std::lock_guard lock(error_mutex);
        if (!error || i < failed_piece) {
          error = std::current_exception();
          failed_piece = i;
        }
      }
    }
  }
};

inline void relax() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#endif
}

// With more threads than cores, the thread that is waited for may need this one's core.
inline void relax_or_yield(int spin) {
  constexpr int kPatience = 256;
  spin < kPatience ? relax() : std::this_thread::yield();
}

class Pool {
 public:
  static Pool& instance() {
    // Never destroyed: workers may still be spinning while the process exits.
    static Pool* pool = new Pool;
    return *pool;
  }

  void run(Job& job) {
    start(job.max_helpers);
    Job* none = nullptr;
    if (!job_.compare_exchange_strong(none, &job)) return job.work();
    if (sleeping_.load() > 0) {
      std::lock_guard lock(mutex_);
      wake_.notify_all();
    }
    job.work();
    // Workers that saw the job may be inside it until visitors_ is 0. No other job can begin before
    // job_ is null, so this waits for pieces of this job only.
    job_.store(&closing_);
    for (int spin = 0; visitors_.load() > 0; ++spin) relax_or_yield(spin);
    job_.store(nullptr);
  }

 private:
  void start(int helpers) {
    if (started_.load(std::memory_order_relaxed) >= helpers) return;
    std::lock_guard lock(mutex_);
    try {
      for (; started_ < helpers; ++started_) std::thread([this] { serve(); }).detach();
    } catch (const std::system_error&) {
      // The system gives no more threads: the existing ones, or the caller alone, do the work.
    }
  }

  Job* job() const {
    Job* job = job_.load();
    return job == &closing_ ? nullptr : job;
  }

  void serve() {
    constexpr int kSpins = 2000;
    for (;;) {
      for (int spin = 0; spin < kSpins; ++spin) {
        if (job()) {
          visit();
          spin = 0;
        }
        relax();
      }
      std::unique_lock lock(mutex_);
      sleeping_.fetch_add(1);
      wake_.wait(lock, [this] { return job() != nullptr; });
      sleeping_.fetch_sub(1);
    }
  }

  void visit() {
    visitors_.fetch_add(1);
    if (Job* job = this->job()) {
      if (job->next.load(std::memory_order_relaxed) < job->pieces &&
          job->helpers.fetch_add(1) < job->max_helpers) {
        job->work();
      }
    }
    visitors_.fetch_sub(1);
    // All pieces are taken; wait a moment, as the caller is about to remove the job.
    for (int spin = 0; spin < 64; ++spin) relax();
  }

  Job closing_{};  // placeholder in job_ while the last pieces of a job finish
  std::atomic<Job*> job_{nullptr};
  std::atomic<int> visitors_{0}, sleeping_{0}, started_{0};
  std::mutex mutex_;
  std::condition_variable wake_;
};

}  // namespace

void run_in_parallel(int64_t pieces, int threads, const std::function<void(int64_t)>& body) {
  Job job;
  job.body = &body;
  job.pieces = pieces;
  job.max_helpers = static_cast<int>(std::min<int64_t>(threads, pieces)) - 1;
  if (job.max_helpers > 0) {
    Pool::instance().run(job);
  } else {
    job.work();
  }
  if (job.error) std::rethrow_exception(job.error);
}

int default_threads() {
  if (const char* text = std::getenv("CAIRN_THREADS")) {
    const int threads = std::atoi(text);
    if (threads > 0) return std::min(threads, 1024);
  }
  return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

}  // namespace cairn::internal
