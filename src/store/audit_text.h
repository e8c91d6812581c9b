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
// A search in the database's own notation: all words of `text`, the last of which may be the beginning of one when
// `text` ends in '*'. *out_any: whether there is a word at all.
NODISCARD bool audit_text_query(struct sql *db, int64_t tenant, struct str text, struct buf *out, bool *out_any,
                                struct err *err);
// Of the search above as ?INDEX: joins audit_event e with the words, and the condition.
bool audit_text_is_fts5(const struct sql *db);

#endif
