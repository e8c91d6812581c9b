// Full text over the audit trail: one way to take text apart into words, whatever the database searches with.
//
// A word is a run of letters, digits and bytes beyond ASCII, in lower case where it is ASCII. Every event's words stand
// in audit_text under its id, with one more that names its tenant. SQLite keeps them with FTS5, PostgreSQL as a
// tsvector.
//
// Ownership: text borrowed. Thread rule: the connection's. Errors: those of sql.h.
#ifndef STORE_AUDIT_TEXT_H
#define STORE_AUDIT_TEXT_H

#include "base/buf.h"
#include "store/audit.h"

NODISCARD bool audit_text_add(struct sql *db, int64_t tenant, int64_t id, const struct audit_event *event,
                              struct err *err);
// Takes its words out of the index again, where the index is not a table that goes by itself: only with SQLite.
NODISCARD bool audit_text_remove(struct sql *db, int64_t tenant, int64_t id, const struct audit_event *event,
                                 struct err *err);
// Once many were taken out: what is left of them goes too.
NODISCARD bool audit_text_compact(struct sql *db, struct err *err);
// A search in the database's own notation: all words of `search`, the last of which may be the beginning of one when it
// ends in '*', and all words of the values. ERR_INVALID_FIELD when `search` is given and has no word.
NODISCARD bool audit_text_query(struct sql *db, int64_t tenant, struct str search, const struct str *values, size_t n,
                                struct buf *out, struct err *err);
// The pieces of a statement that searches: up to the search's placeholder; then up to that of the id below which, at or
// above which it looks; and the order, newest first, up to that of the limit. Selects id and seq of audit_event e.
const char *audit_text_join(const struct sql *db);
const char *audit_text_bound(const struct sql *db);
const char *audit_text_low(const struct sql *db);
const char *audit_text_order(const struct sql *db);

#endif
