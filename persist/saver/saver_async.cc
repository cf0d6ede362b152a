#include <iostream>
#include <system_error>

#include "persist/checkpoint/retention.h"
#include "persist/saver/background_save.h"
#include "persist/saver/save_restore.h"

namespace cairn {
namespace internal {

void BackgroundSaves::settle() {
  if (!running) return;
  if (thread.get_id() == std::this_thread::get_id()) {
    fail(Code::kFailedPrecondition, "the save of '", running->checkpoint,
         "' in the background is not done yet, and this is its own thread: nothing can be saved "
         "with this saver before ",
         "it is");
  }
  thread.join();
  const auto done = std::move(running);
  running = nullptr;
  if (done->told) return;
  try {
    done->result.get();
  } catch (const Error& e) {
    done->told = true;
    throw Error(e.code(), str_cat("the save of '", done->checkpoint, "' in the background failed: ",
                                  e.what(), "; nothing was saved now, try again"));
  }
}

namespace {

// Passes the message to the user's function; if that throws, prints both to standard error.
void warn_or_print(const std::function<void(const std::string&)>& warn,
                   const std::string& message) {
  std::string why = "something that is no std::exception";
  try {
    return warn(message);
  } catch (const std::exception& e) {
    why = e.what();
  } catch (...) {
  }
  std::cerr << "cairn: " << message << " (on_warning threw " << why << ")\n";
}

}  // namespace

// A destructor must not throw, whatever the save or on_warning threw.
BackgroundSaves::~BackgroundSaves() {
  std::string message;
  try {
    settle();
  } catch (const std::exception& e) {
    message = e.what();
  } catch (...) {
    message = "a save in the background failed: something was thrown that is no std::exception";
  }
  if (!message.empty()) warn_or_print(warn, message);
}

Session& BackgroundSaves::session_for(Session& session) {
  const bool fits = values && &values->graph() == &session.graph() &&
                    epoch == session.graph().epoch() &&
                    values->file_system() == session.file_system();
  if (!fits) {
    values = std::make_unique<Session>(
        session.graph(), SessionOptions{.threads = 1, .file_system = session.file_system()});
    epoch = session.graph().epoch();
  }
  return *values;
}

}  // namespace internal

namespace {

// Releases the values of the session. If its graph was reset or destroyed meanwhile they remain
// until the saver is destroyed; such a session is not used again.
void forget_values(Session& session) noexcept {
  try {
    session.load({});
  } catch (const Error&) {
  }
}

}  // namespace

std::string PendingSave::wait() const {
  if (!save_)
    fail(Code::kFailedPrecondition, "this PendingSave is empty; save_async() returns one");
  save_->result.wait();
  save_->told = true;
  return save_->result.get();
}

bool PendingSave::done() const {
  return !save_ || save_->result.wait_for(std::chrono::seconds(0)) == std::future_status::ready;
}

PendingSave Saver::save_async(Session& session, const std::string& path,
                              const SaveOptions& options) {
  if (&session.graph() != &graph())
    fail(Code::kInvalidArgument,
         "Saver::save_async: the session runs another graph than the saver's");
  internal::BackgroundSaves& saves = *background_;
  const std::lock_guard turn(saves.turn);
  saves.settle();
  // The graph is accessed only here: the caller may add nodes as soon as this returns.
  Session& values = saves.session_for(session);
  values.load(session.snapshot());
  internal::SaveJob job;
  Call call;
  try {
    job = begin_save(values, path, options, files_of(session));
    if (!saves_nothing())
      call = values.prepare({def_.save_tensor_name}, {def_.filename_tensor_name});
  } catch (...) {
    forget_values(values);
    throw;
  }
  auto save = std::make_shared<internal::BackgroundSave>();
  save->checkpoint = job.checkpoint;
  std::promise<std::string> promise;
  save->result = promise.get_future().share();
  // A copy of the saver, since this one may be moved. It shares the retention, but must not wait
  // for itself.
  Saver saver = *this;
  saver.background_ = nullptr;
  auto work = [saver = std::move(saver), job = std::move(job), call = std::move(call),
               promise = std::move(promise), &values]() mutable {
    try {
      std::string saved = saver.finish_save(job, [&] { return call({Tensor(job.checkpoint)})[0]; });
      forget_values(values);
      promise.set_value(std::move(saved));
    } catch (...) {
      forget_values(values);
      promise.set_exception(std::current_exception());
    }
  };
  try {
    saves.thread = std::thread(std::move(work));
  } catch (const std::system_error& e) {
    forget_values(values);
    fail(Code::kResourceExhausted, "Saver::save_async: '", save->checkpoint,
         "': no thread could be started: ", e.what());
  }
  saves.running = save;
  PendingSave pending;
  pending.save_ = std::move(save);
  return pending;
}

}  // namespace cairn
