// The SQL of reports over usage: from a query to statements, for records and for sums.
//
// First the combinations that the query means are gathered in a temporary table. Sums are then added up by the caller
// from rows of usage_month, usage_dekad, usage_day, usage_six_hours, usage_hour and usage itself (usage_range.h), or,
// of days and hours, from what one facet of them adds up to, where that is the same. Records are looked for in those
// days and hours that hold some by the sums. Ownership: texts bound are those of the query, which must outlive the
// statement. Thread rule: the connection's. Errors: those of sql.h.
#ifndef STORE_USAGE_SQL_H
#define STORE_USAGE_SQL_H

#include "base/arena.h"
#include "store/ledger_read.h"
#include "store/sql.h"
#include "store/usage_range.h"
#include "store/usage_rollup.h"

// What the rows of sums are of.
enum usage_rows {
    USAGE_ROWS_COMBINATIONS,
    USAGE_ROWS_ALL,   // of a tenant, together
    USAGE_ROWS_FACET, // of a tenant, by one thing
    USAGE_ROWS_RECORDS
};

#define USAGE_TAG_MAX 600
struct usage_sql {
    struct sql *db;
    const struct ledger_query *q;
    char tag[USAGE_TAG_MAX]; // what q->tag looks like in the JSON of tags
    size_t tag_n;
    int64_t since, until; // of sums: the query's range, cut to what there is
    enum { USAGE_MEANT_MOST, USAGE_MEANT_SOME, USAGE_MEANT_FEW } meant;  // how many of all combinations the query means
    enum usage_rows made_of;                                             // sums by hour and day
    enum usage_facet facet;                                              // of USAGE_ROWS_FACET
    enum { USAGE_FAILED_OR_NOT, USAGE_FAILED_NOT, USAGE_FAILED } failed; // which rows of all and of a facet
    bool rest; // what is in no row of the facet belongs to the group 0: it is what all add up to, less the facet's
};
// Borrows both, and must stay where it is while statements of it run.
void usage_sql_init(struct usage_sql *s, struct sql *db, const struct ledger_query *q);

// Makes the temporary tables; before all others, in a transaction.
NODISCARD bool usage_sql_gather(struct usage_sql *s, struct err *err);
// The combinations that the query means, by id. Columns: id, the group (its number, which is that of its text; of time
// 0), its owner's kind (LEDGER_GROUP_OWNER), whether it is an error.
NODISCARD bool usage_sql_dims(const struct usage_sql *s, struct sql_stmt **out_stmt, struct err *err);

// The query's range. Returns how many.
size_t usage_sql_parts(const struct usage_sql *s, struct usage_part out[USAGE_PARTS_MAX]);
// What a part's sums are to be of. Beside those of a facet, where there is a rest, also USAGE_ROWS_ALL.
enum usage_rows usage_sql_rows(const struct usage_sql *s, const struct usage_part *part);
// Goes over what there is in the part. The first column: the combination, which need not be one that the query means;
// of all and of a facet the group.
NODISCARD bool usage_sql_sums(const struct usage_sql *s, const struct usage_part *part, enum usage_rows rows,
                              const struct sql_scan *scan, struct err *err);
// The other columns.
struct usage_sums_row {
    bool failed;        // of all and of a facet
    int64_t hour;       // of a group by time
    int64_t owner_kind; // of all and of a facet, LEDGER_GROUP_OWNER
    int64_t v[SUM_COUNT];
};
void usage_sql_row(const struct usage_sql *s, enum usage_rows rows, const int64_t *columns,
                   struct usage_sums_row *out_row);

// The text that a number stands for, in the arena; 0: the empty one.
NODISCARD bool usage_sql_text(const struct usage_sql *s, int64_t id, struct arena *arena, struct str *out_text,
                              struct err *err);
// Whether the hours from one to before the other, a whole day or a single one, hold records of the query.
NODISCARD bool usage_sql_any(const struct usage_sql *s, int64_t hour, bool day, bool *out_any, struct err *err);
// From when to when there are records, of whatever combination of the query's tenant, in whole hours.
NODISCARD bool usage_sql_span(const struct usage_sql *s, bool *out_any, int64_t *out_first, int64_t *out_last,
                              struct err *err);
// Whether only time, tenant and page narrow the query: then records need not be looked for.
bool usage_sql_open(const struct ledger_query *q);
// Records from a time to before another, newest first; limit 0 = all.
NODISCARD bool usage_sql_records(const struct usage_sql *s, int64_t from, int64_t to, uint64_t limit,
                                 struct sql_stmt **out_stmt, struct err *err);
// As the last one's columns have it.
void usage_sql_record(struct sql_stmt *st, struct usage_record *out_rec);
// Whether a group is a text, or a time.
bool usage_group_is_time(enum ledger_group group);
bool usage_group_is_text(enum ledger_group group);

#endif
