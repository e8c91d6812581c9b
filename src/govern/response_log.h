// Keeps responses for clients that go on from them: handed over by event loops, written by a thread of its own.
//
// What waits is bounded to RESPONSES_WAITING_MAX bytes; what happens when it cannot be written says store/row_writer.h.
// A look-up in the same process waits for a response that is about to be written, so that a client may go on at once;
// what another server has taken over is there a moment later. What has expired is deleted.
//
// Ownership: response_log_start … response_log_end; the options' parts are borrowed. Thread rule: any thread;
// response_log_put copies and takes a short lock, the others block on the database. Units: unix nanoseconds. Errors:
// those of store/response.h; a failure to write is logged.
#ifndef GOVERN_RESPONSE_LOG_H
#define GOVERN_RESPONSE_LOG_H

#include "store/response.h"
#include "store/row_writer.h"

#define RESPONSES_WAITING_MAX ((size_t)64 << 20)

struct response_log;
NODISCARD bool response_log_start(const struct row_writer_options *options, struct response_log **out_log,
                                  struct err *err);
void response_log_end(struct response_log *log, uint64_t until_ns); // as row_writer_end; NULL is fine

void response_log_put(struct response_log *log, const struct response_row *row);

// Who asks, and for which.
struct response_ask {
    int64_t tenant;
    struct str place, name;
};
NODISCARD bool response_log_get(struct response_log *log, const struct response_ask *ask, struct arena *arena,
                                struct response_row *out_row, struct err *err);
NODISCARD bool response_log_delete(struct response_log *log, const struct response_ask *ask, struct err *err);
// Whether another server may have taken over what was not found, and is about to write it.
bool response_log_is_shared(const struct response_log *log);

#endif
