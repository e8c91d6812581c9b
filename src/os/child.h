// Runs another program to its end: bytes in, bytes out, within a time and a size.
//
// Ownership: everything belongs to the caller; no process outlives the call, nor do those it started and left in its
// process group. Thread rule: blocks until the program has ended, so never on an event loop; any number at a time.
// Units: nanoseconds, bytes. Errors: ERR_NOT_FOUND when there is no such program, ERR_UPSTREAM_TIMEOUT when it took too
// long, ERR_UPSTREAM_TOO_LARGE when it wrote too much, ERR_IO when it could not be run or failed: the message has the
// program's name, how it ended and the first line of what it wrote on standard error, and none of the bytes in or out.
#ifndef OS_CHILD_H
#define OS_CHILD_H

#include "base/buf.h"
#include "base/err.h"

struct child_task {
    const char *const *argv; // NULL at its end; argv[0] is looked for in PATH when it has no slash. There is no shell
    struct str input;        // on its standard input, which then ends
    size_t output_max;       // of its standard output
    uint64_t timeout_ns;
};
// Appends what it wrote on standard output, into memory reserved at once, so that no copies are left behind. It must
// end with status 0. The environment is this process's; signals are as a new process has them.
NODISCARD bool child_run(const struct child_task *task, struct buf *out, struct err *err);

#endif
