// The log of contents: requests and answers of those tenants whose configuration says so, masked, sealed, for a time.
//
// An entry is handed over by an event loop and written by a thread of its own; when the writer falls behind by more
// than CONTENT_WAITING_MAX bytes, entries are dropped, and the log says how many. What has expired is deleted.
//
// Ownership: content_log_start … content_log_end, which writes what waits; the options' parts are borrowed. Thread
// rule: any thread; content_log_put copies and takes a short lock. Errors: those of starting; a failure to write is
// logged.
#ifndef GOVERN_CONTENT_LOG_H
#define GOVERN_CONTENT_LOG_H

#include "conf/conf.h"
#include "obs/log.h"
#include "store/datadir.h"

#define CONTENT_WAITING_MAX ((size_t)64 << 20)

struct content_log;
struct content_log_options {
    const struct datadir *dir;
    struct log *log;
};
NODISCARD bool content_log_start(const struct content_log_options *options, struct content_log **out_log,
                                 struct err *err);
void content_log_end(struct content_log *log); // NULL is fine

struct content_entry {
    int64_t tenant, key;
    int64_t at, expires_at; // unix ns
    struct str request_id, model;
    int status;
    struct str request, answer;
};
// What the configuration says of a tenant; NULL: nothing is kept.
const struct conf_content *content_rule(const struct conf *conf, struct str tenant);
// The rule's patterns are applied by the writer.
void content_log_put(struct content_log *log, const struct conf_content *rule, const struct content_entry *entry);

// The newest entry of a request, opened. ERR_NOT_FOUND.
typedef bool content_visit(void *arg, const struct content_entry *entry, struct err *err);
NODISCARD bool content_read(struct sql_scope scope, const struct datadir *dir, struct str request_id, int64_t now_ns,
                            content_visit *visit, void *arg, struct err *err);
// *out_n: how many were deleted.
NODISCARD bool content_delete(struct sql_scope scope, struct str request_id, int64_t *out_n, struct err *err);

#endif
