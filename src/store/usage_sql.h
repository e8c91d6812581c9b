// The SQL of reports over usage: from a query to statements, for records and for sums.
//
// Sums come from usage_day where whole days are asked for, from usage_hour at the edges of the range, and from usage
// itself only at the edges of hours. Records are found day by day and hour by hour, in those that hold some by the
// sums. Ownership: texts bound are those of the query, which must outlive the statement. Thread rule: the connection's.
// Errors: those of sql.h.
#ifndef STORE_USAGE_SQL_H
#define STORE_USAGE_SQL_H

#include "store/ledger_read.h"
#include "store/sql.h"

#define USAGE_TAG_PATTERN_MAX 1100
struct usage_sql {
    struct sql *db;
    const struct ledger_query *q;
    char tag[USAGE_TAG_PATTERN_MAX]; // what q->tag looks like in the JSON of tags, as LIKE has it
    size_t tag_n;
};
// Borrows both, and must stay where it is while statements of it run.
void usage_sql_init(struct usage_sql *s, struct sql *db, const struct ledger_query *q);

// Columns: the group (its number or text), its owner's kind (LEDGER_GROUP_OWNER), then requests, errors, unpriced, five
// tokens, cost, latency, ttft, and how many have a time to first token.
NODISCARD bool usage_sql_groups(const struct usage_sql *s, struct sql_stmt **out_stmt, struct err *err);
// Days, newest first, that hold records of the query; and the hours of one day.
NODISCARD bool usage_sql_days(const struct usage_sql *s, struct sql_stmt **out_stmt, struct err *err);
NODISCARD bool usage_sql_hours(const struct usage_sql *s, int64_t day, struct sql_stmt **out_stmt, struct err *err);
// Records from a time to before another, newest first; limit 0 = all.
NODISCARD bool usage_sql_records(const struct usage_sql *s, int64_t from, int64_t to, uint64_t limit,
                                 struct sql_stmt **out_stmt, struct err *err);
// As the last one's columns have it.
void usage_sql_record(struct sql_stmt *st, struct usage_record *out_rec);
// Whether a group is a text.
bool usage_group_is_text(enum ledger_group group);

#define USAGE_HOUR_NS 3600000000000
#define USAGE_DAY_NS (24 * USAGE_HOUR_NS)

#endif
