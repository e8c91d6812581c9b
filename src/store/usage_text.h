// A statement over usage in the making: its text, its values, and the conditions of a query in it.
//
// Ownership: usage_begin gives a text that usage_end frees; texts bound are those of the query. Thread rule: the
// connection's. Errors: those of sql.h; memory that ran out is told by usage_end.
#ifndef STORE_USAGE_TEXT_H
#define STORE_USAGE_TEXT_H

#include "base/buf.h"
#include "store/usage_sql.h"

#define USAGE_VALUES_MAX 48
struct usage_text {
    const struct usage_sql *s;
    const struct ledger_query *q;
    struct buf text;
    struct {
        bool is_text;
        int64_t i;
        struct str s;
    } values[USAGE_VALUES_MAX];
    int n;
};

void usage_begin(struct usage_text *b, const struct usage_sql *s);
// The statement, with its values bound.
NODISCARD bool usage_end(struct usage_text *b, struct sql_stmt **out_stmt, struct err *err);
// The same, of so many columns of numbers, for sql_scan.
NODISCARD bool usage_end_scan(struct usage_text *b, unsigned columns, struct sql_stmt **out_stmt, struct err *err);

void usage_put(struct usage_text *b, const char *text);
// The text before it, and a place for the number.
void usage_put_i64(struct usage_text *b, const char *before, int64_t v);
void usage_put_id(struct usage_text *b, const char *before, uint64_t v); // nothing where it is 0
// " AND column = ", the query's tenant, if it has one.
void usage_put_tenant(struct usage_text *b, const char *column);
// The query's conditions on a facet, USAGE_FACET_NONE: on each of them. Of a row d of usage_dim, or of a row r of the
// facet's sums.
void usage_put_facet(struct usage_text *b, enum usage_facet facet, bool of_dim);

#endif
