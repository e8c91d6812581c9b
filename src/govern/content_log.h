// The log of contents: requests and answers of those tenants whose configuration says so, masked, sealed, for a time.
//
// An entry is handed over by an event loop and written by a thread of its own (store/row_writer.h, which says what
// happens when it cannot); at most CONTENT_WAITING_MAX bytes wait. What has expired is deleted.
//
// Thread rule: any thread; content_read and content_delete block on the database.
#ifndef GOVERN_CONTENT_LOG_H
#define GOVERN_CONTENT_LOG_H

#include "conf/conf.h"
#include "store/row_writer.h"

#define CONTENT_WAITING_MAX ((size_t)64 << 20)

extern const struct row_kind content_log_kind;

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
void content_log_put(struct row_writer *log, const struct conf_content *rule, const struct content_entry *entry);

// The newest entry of a request, opened. ERR_NOT_FOUND.
typedef bool content_visit(void *arg, const struct content_entry *entry, struct err *err);
NODISCARD bool content_read(struct sql_scope scope, const struct datadir *dir, struct str request_id, int64_t now_ns,
                            content_visit *visit, void *arg, struct err *err);
// *out_n: how many were deleted.
NODISCARD bool content_delete(struct sql_scope scope, struct str request_id, int64_t *out_n, struct err *err);

#endif
