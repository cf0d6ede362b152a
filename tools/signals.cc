#include "tools/signals.h"

#include <semaphore.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <thread>

namespace cairn {
namespace {

sem_t g_came;
std::atomic<int> g_signal{0};  // the first signal; lock-free, so that a handler may set it
static_assert(std::atomic<int>::is_always_lock_free);

void take_note(int signal) {
  const int error_number = errno;
  int none = 0;
  if (g_signal.compare_exchange_strong(none, signal)) ::sem_post(&g_came);
  errno = error_number;
}

}  // namespace

void end_on_signals(void (*end)(int signal)) {
  ::sem_init(&g_came, 0, 0);
  std::thread([end] {
    while (::sem_wait(&g_came) != 0) {
    }
    end(g_signal);
  }).detach();
  struct sigaction action = {};
  action.sa_handler = take_note;
  action.sa_flags = SA_RESTART;
  // Then a write beyond the limit on file sizes (ulimit -f) returns an error, as on a full disk.
  ::signal(SIGXFSZ, SIG_IGN);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGPIPE}) {
    struct sigaction before = {};
    ::sigaction(signal, nullptr, &before);
    if (signal == SIGHUP && before.sa_handler == SIG_IGN) continue;
    ::sigaction(signal, &action, nullptr);
  }
}

void wait_if_ending() {
  while (g_signal != 0) ::pause();
}

}  // namespace cairn
