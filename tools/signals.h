// Handling of signals that end a command.
#pragma once

namespace cairn {

// From now on the first SIGINT, SIGTERM, SIGHUP or SIGPIPE calls `end` on a thread of its own, with
// the number of the signal; `end` must end the process. SIGHUP remains ignored if it is (nohup).
// SIGXFSZ is ignored: the write returns an error, which is reported.
void end_on_signals(void (*end)(int signal));

// If such a signal came, waits until `end` ends the process; else returns. Called before the result
// of the work is reported.
void wait_if_ending();

}  // namespace cairn
