// Which tables hold a tenant's rows, and what their columns are: for the deletion and the export of a tenant.
//
// Thread rule: constant.
#ifndef STORE_TENANT_TABLE_H
#define STORE_TENANT_TABLE_H

#include "base/str.h"

enum tenant_rows {
    TENANT_ROWS_FEW,   // deleted in one statement
    TENANT_ROWS_MANY,  // lot by lot, by their id
    TENANT_ROWS_USAGE, // on the lane of usage; what has an id lot by lot
    TENANT_ROWS_AUDIT, // all at once, with the head of the chain, at the very end
    TENANT_ROWS_WORDS, // the words of audit events: a table of PostgreSQL's alone
    TENANT_ROWS_KEYS,  // data keys: destroyed first, by their keeper
};
struct tenant_table {
    struct str name;
    enum tenant_rows rows;
    struct str columns;
};
size_t tenant_table_count(void);
const struct tenant_table *tenant_table_at(size_t i);

struct tenant_column {
    struct str name;
    char mark;          // as in tenant_table.def; 0 = a text
    struct str purpose; // of a sealed one
    bool key;
};
// Takes the next column off the front; false at the end.
bool tenant_column_next(struct str *columns, struct tenant_column *out_column);
// Whether there is a column id, by which rows go lot by lot.
bool tenant_table_has_id(const struct tenant_table *t);

#endif
