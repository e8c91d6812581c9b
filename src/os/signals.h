// Signals as loop callbacks, and process-wide settings a server makes once.
//
// Thread rule: the main loop's thread.
#ifndef OS_SIGNALS_H
#define OS_SIGNALS_H

#include "os/loop.h"

enum signal_kind { SIGNAL_STOP, SIGNAL_RELOAD };
struct signals;
// SIGTERM and SIGINT come as SIGNAL_STOP, SIGHUP as SIGNAL_RELOAD. SIGPIPE is ignored from here on, and so is SIGXFSZ:
// a file too large becomes an error of the write.
NODISCARD bool signals_watch(struct loop *loop, void (*fn)(void *ctx, enum signal_kind kind), void *ctx,
                             struct signals **out_signals, struct err *err);
// Ends the watching; the memory goes once the loop has turned or is freed.
void signals_end(struct signals *signals);

// As many open files as the system lets this process have; returns how many that is.
uint64_t process_raise_files(void);
// No core file is written when the process crashes, for its memory holds secrets and what people ask. Who needs one can
// allow it from outside (prlimit --core=unlimited --pid PID), and memory in it (/proc/PID/coredump_filter).
void process_no_core(void);

#endif
