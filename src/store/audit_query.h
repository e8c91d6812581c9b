// Searches a tenant's audit trail by any field and by words, newest first, page by page.
//
// A page goes on after the last event of the one before it: events that come meanwhile neither repeat nor hide others.
// Events of one field's value are found by its index; with words, or when several fields are given of which none says
// much alone, by the index of words, and then in the order in which they were written.
//
// Ownership: texts of a query are borrowed; a visitor's record lives for the call. Thread rule: the connection's.
// Units: unix ns. Errors: those of sql.h; ERR_INVALID_FIELD for a bad cursor, address range or search.
#ifndef STORE_AUDIT_QUERY_H
#define STORE_AUDIT_QUERY_H

#include "base/buf.h"
#include "store/audit_read.h"

#define AUDIT_PAGE_MAX 1000

struct audit_query {
    int64_t since, until;     // since <= at < until; 0 = open
    struct str actor;         // id or name
    struct str action;        // "key.create", or "key.*" for all that begin so
    struct str resource_type; // "key"
    struct str resource;      // id
    struct str outcome;       // "ok", "denied", "failed"
    struct str address;       // one, or a range in CIDR notation
    struct str request_id;
    struct str search; // words; all must be there, anywhere in the event; the last may end in *
    struct str cursor; // of the page before; empty = the newest
    size_t limit;      // 1 … AUDIT_PAGE_MAX
};
// out_cursor gets the cursor of the next page; it is empty when there is none.
NODISCARD bool audit_search(struct sql_scope scope, const struct audit_query *query, audit_visit *visit, void *arg,
                            struct buf *out_cursor, struct err *err);

#endif
