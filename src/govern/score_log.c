// Rows of scores for their writer.
#include "govern/score_log.h"

#include "os/clock.h"

static bool write_row(const struct datadir *dir UNUSED, struct sql *db, const void *row, struct err *err) {
    const struct score_row *r = row;
    return score_put(sql_tenant(db, r->tenant), r, err);
}

const struct row_kind score_log_kind = {.name = "score-log",
                                        .max_rows = SCORES_WAITING_MAX,
                                        .max_bytes = SIZE_MAX / 2,
                                        .gather_ns = 100 * NS_PER_MS,
                                        .write = write_row};

void score_log_put(struct row_writer *log, const struct score_row *row) {
    struct score_row r = *row;
    const struct str *const texts[] = {&r.provider, &r.model, &r.upstream_model, &r.task, &r.comment};
    row_writer_put(log, &r, sizeof r, texts, ARRAY_LEN(texts), 0);
}
