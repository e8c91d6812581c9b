// Everything that a tenant has, as lines of JSON, page by page and of one moment: for who takes it elsewhere.
//
// The first line tells of the export and the tenant, the last how many rows of each table there were; between them one
// line a row, {"table": "team", "row": {…}}, table by table (store/tenant_table.def). Passwords, hashes, sealed secrets
// and keys are left out; logged contents are opened. An export without its last line is not whole.
//
// Ownership: tenant_export_open … tenant_export_free; it has a connection of its own, which holds a snapshot of the
// database meanwhile. Thread rule: one thread at a time; blocks. Errors: those of sql.h.
#ifndef STORE_TENANT_EXPORT_H
#define STORE_TENANT_EXPORT_H

#include "base/buf.h"
#include "store/datadir.h"

struct tenant_export;
// head: members of the first line besides, as JSON text without braces; copied. dir outlives it.
NODISCARD bool tenant_export_open(const struct datadir *dir, int64_t tenant, struct str head,
                                  struct tenant_export **out_export, struct err *err);
void tenant_export_free(struct tenant_export *x); // NULL is fine

#define TENANT_EXPORT_PIECE ((size_t)128 * 1024)
#define TENANT_EXPORT_PIECE_MAX ((size_t)64 << 20) // a row more than a piece, at most
// Appends whole lines, about a piece of them. *out_end: that was the last.
NODISCARD bool tenant_export_next(struct tenant_export *x, struct buf *out, bool *out_end, struct err *err);

#endif
