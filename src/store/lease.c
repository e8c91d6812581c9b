// Takes epochs from the database and counts request ids within them.
#include "store/lease.h"

bool lease_take(struct sql *db, uint32_t *out_epoch, struct err *err) {
    struct sql_stmt *st;
    bool row;
    if (!sql_prepare(sql_platform(db),
                     STR("UPDATE id_lease SET epoch = epoch + 1 WHERE one = 1 AND epoch < ?1 RETURNING epoch"), &st,
                     err))
        return false;
    sql_bind_i64(st, 1, LEASE_EPOCH_MAX);
    if (!sql_step(st, &row, err)) return false;
    if (!row)
        return err_set(err, ERR_STORE,
                       "no epoch for request ids is left in this database: start with a new data directory");
    int64_t epoch = sql_col_i64(st, 0);
    // The change is committed when the statement has run to its end, not before.
    if (!sql_run(st, err)) return false;
    if (epoch < 1)
        return err_set(err, ERR_STORE, "the database's epoch for request ids is damaged (%lld)", (long long)epoch);
    *out_epoch = (uint32_t)epoch;
    return true;
}

void request_ids_init(struct request_ids *ids, uint32_t epoch) {
    INVARIANT(epoch >= 1 && epoch <= LEASE_EPOCH_MAX);
    ids->next = (uint64_t)epoch << LEASE_COUNTER_BITS;
    ids->end = (uint64_t)(epoch + 1) << LEASE_COUNTER_BITS;
}

void request_id_text(char out[REQUEST_ID_TEXT_LEN], uint64_t id) {
    memcpy(out, "req_", 4);
    base32_u64(out + 4, id);
}

bool request_id_parse(struct str text, uint64_t *out_id) {
    uint64_t id;
    if (!str_starts(text, STR("req_")) || !base32_u64_parse(str_from(text, 4), &id)) return false;
    if (id == 0 || id > INT64_MAX) return false;
    *out_id = id;
    return true;
}
