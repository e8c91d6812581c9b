// The SQL of reports over usage: from a query to statements, for records and for sums.
//
// First the combinations that the query means are gathered in a temporary table. Sums are then added up by the caller
// from rows of usage_month, usage_dekad, usage_day, usage_hour and usage itself (usage_range.h). Records are looked for
// in those days and hours that hold some by the sums. Ownership: texts bound are those of the query, which must outlive
// the statement. Thread rule: the connection's. Errors: those of sql.h.
#ifndef STORE_USAGE_SQL_H
#define STORE_USAGE_SQL_H

#include "store/ledger_read.h"
#include "store/sql.h"
#include "store/usage_range.h"
#include "store/usage_rollup.h"

#define USAGE_TAG_PATTERN_MAX 1100
struct usage_sql {
    struct sql *db;
    const struct ledger_query *q;
    char tag[USAGE_TAG_PATTERN_MAX]; // what q->tag looks like in the JSON of tags, as LIKE has it
    size_t tag_n;
    int64_t since, until; // of sums: the query's range, cut to what there is
    enum { USAGE_MEANT_MOST, USAGE_MEANT_SOME, USAGE_MEANT_FEW } meant; // how many of all combinations the query means
};
// Borrows both, and must stay where it is while statements of it run.
void usage_sql_init(struct usage_sql *s, struct sql *db, const struct ledger_query *q);

// Makes the temporary table; before all others, in a transaction.
NODISCARD bool usage_sql_gather(struct usage_sql *s, struct err *err);
// The combinations that the query means, by id, but not USAGE_DIM_ALL and USAGE_DIM_ERRORS, which stand in the sums
// where all are meant. Columns: id, the group (its number or text; of time 0), its owner's kind (LEDGER_GROUP_OWNER),
// whether it is an error.
NODISCARD bool usage_sql_dims(const struct usage_sql *s, struct sql_stmt **out_stmt, struct err *err);
// What there is in the range, of whatever combination. Columns: combination, sign (1, or -1: to be taken away), hour,
// and as SUM_… in usage_rollup.h.
NODISCARD bool usage_sql_sums(const struct usage_sql *s, struct sql_stmt **out_stmt, struct err *err);
// Whether the hours from one to before the other, a whole day or a single one, hold records of the query.
NODISCARD bool usage_sql_any(const struct usage_sql *s, int64_t hour, bool day, bool *out_any, struct err *err);
// From when to when there are records, of whatever combination of the query's tenant, in whole hours.
NODISCARD bool usage_sql_span(const struct usage_sql *s, bool *out_any, int64_t *out_first, int64_t *out_last,
                              struct err *err);
// Whether only time, tenant and page narrow the query: then records need not be looked for.
bool usage_sql_open(const struct ledger_query *q);
// Whether sums come from what all combinations, or a facet of them, add up to, as USAGE_DIM_ALL and USAGE_DIM_ERRORS.
bool usage_sql_in_all(const struct ledger_query *q);
// Records from a time to before another, newest first; limit 0 = all.
NODISCARD bool usage_sql_records(const struct usage_sql *s, int64_t from, int64_t to, uint64_t limit,
                                 struct sql_stmt **out_stmt, struct err *err);
// As the last one's columns have it.
void usage_sql_record(struct sql_stmt *st, struct usage_record *out_rec);
// Whether a group is a text, or a time.
bool usage_group_is_time(enum ledger_group group);
bool usage_group_is_text(enum ledger_group group);

#endif
