// Applies schema steps and remembers which.
#include "store/migrate.h"

#include "base/hash.h"
#include "os/clock.h"

static uint32_t checksum(const struct migration *m) { return crc32c(0, m->script.p, m->script.n); }

bool migrate_version(struct sql *db, int *out_version, struct err *err) {
    bool has;
    int64_t v = 0;
    if (!sql_has_table(db, STR("schema_migration"), &has, err)) return false;
    if (has && !sql_query_i64(sql_platform(db), STR("SELECT coalesce(max(version), 0) FROM schema_migration"), &v, err))
        return false;
    if (v < 0 || v > INT32_MAX) return err_set(err, ERR_STORE, "the database's schema version is out of range");
    *out_version = (int)v;
    return true;
}

// The steps the database has had must be the ones this build knows.
static bool check_applied(struct sql *db, struct migrations steps, struct err *err) {
    struct sql_stmt *st;
    if (!sql_prepare(sql_platform(db), STR("SELECT version, checksum FROM schema_migration ORDER BY version"), &st,
                     err))
        return false;
    for (bool row;;) {
        if (!sql_step(st, &row, err)) return false;
        if (!row) return true;
        int64_t version = sql_col_i64(st, 0), sum = sql_col_i64(st, 1);
        const struct migration *m = version >= 1 && (uint64_t)version <= steps.n ? &steps.p[version - 1] : NULL;
        if (m && sum == (int64_t)checksum(m)) continue;
        sql_reset(st);
        return err_set(
            err, ERR_STORE,
            "the database's schema step %lld differs from this build's: it was made by another build; use that "
            "one, or start with a new data directory",
            (long long)version);
    }
}

static bool check_known(struct sql *db, struct migrations steps, int version, struct err *err) {
    if ((size_t)version > steps.n)
        return err_set(
            err, ERR_STORE,
            "the database was written by a newer Penstock (schema %d; this one knows up to %zu): run the newer "
            "version, or restore the backup taken before the upgrade",
            version, steps.n);
    if (version > 0) return check_applied(db, steps, err);
    bool any, ours;
    if (!sql_has_table(db, STR_NONE, &any, err) || !sql_has_table(db, STR("schema_migration"), &ours, err))
        return false;
    if (any && !ours)
        return err_set(err, ERR_STORE,
                       "the database holds tables of another program: give Penstock a data directory, or on "
                       "PostgreSQL a database, of its own");
    return true;
}

static bool record_step(struct sql *db, const struct migration *m, struct err *err) {
    struct sql_stmt *st;
    if (!sql_prepare(sql_platform(db),
                     STR("INSERT INTO schema_migration (version, name, checksum, applied_at) VALUES (?1, ?2, ?3, ?4)"),
                     &st, err))
        return false;
    sql_bind_i64(st, 1, m->version);
    sql_bind_text(st, 2, m->name);
    sql_bind_i64(st, 3, (int64_t)checksum(m));
    sql_bind_i64(st, 4, clock_unix_ns());
    return sql_run(st, err);
}

// Within the transaction, where no other process can be half-way through the same.
static bool apply_locked(struct sql *db, const struct migration *m, struct str after, struct err *err) {
    int version;
    if (!migrate_version(db, &version, err)) return false;
    if (version >= m->version) return true;
    if (version == 0 && !sql_exec(db,
                                  STR("CREATE TABLE IF NOT EXISTS schema_migration (version BIGINT PRIMARY KEY, name "
                                      "TEXT NOT NULL, checksum BIGINT NOT NULL, applied_at BIGINT NOT NULL)"),
                                  err))
        return false;
    return sql_exec(db, m->script, err) && (after.n == 0 || sql_exec(db, after, err)) && record_step(db, m, err);
}

static bool apply(struct sql *db, const struct migration *m, struct str after, struct err *err) {
    if (!sql_begin(db, err)) return false;
    if (apply_locked(db, m, after, err)) return sql_commit(db, err);
    sql_rollback(db);
    return false;
}

bool migrate(struct sql *db, struct migrations steps, struct err *err) {
    int version;
    for (size_t i = 0; i < steps.n; i++) INVARIANT(steps.p[i].version == (int)i + 1);
    if (!migrate_version(db, &version, err) || !check_known(db, steps, version, err)) return false;
    for (size_t i = (size_t)version; i < steps.n; i++)
        if (!apply(db, &steps.p[i], steps.after, err))
            return err_wrap(err, "schema step %d (%.*s)", steps.p[i].version, STR_ARG(steps.p[i].name));
    return true;
}
