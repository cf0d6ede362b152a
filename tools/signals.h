// Signals that end a command.
#pragma once

namespace cairn {

// From now on SIGINT, SIGTERM, SIGHUP and SIGPIPE call `end`, in a thread of its own, with the
// number of the signal. It is to end the process. A SIGHUP that is ignored (nohup) stays so.
// SIGXFSZ is ignored: what it comes with is an error of the write, and told as such.
void end_on_signals(void (*end)(int signal));

// Returns unless such a signal came; then it waits until `end` has ended the process. For whoever
// is about to say how the work went.
void wait_if_ending();

}  // namespace cairn
