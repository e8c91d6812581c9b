// Tries the PostgreSQL database that storage.url names: whether it opens, and whether tables may be made in it.
#include "admin/check_impl.h"
#include "store/migrate.h"

static bool text_of(struct sql *db, struct str query, char *out, size_t size, struct err *err) {
    struct sql_stmt *st;
    bool row;
    if (!sql_prepare(sql_platform(db), query, &st, err) || !sql_step(st, &row, err)) return false;
    if (!row) return err_set(err, ERR_STORE, "the database gives no answer");
    snprintf(out, size, "%.*s", STR_ARG(str_head(sql_col_text(st, 0), size - 1)));
    sql_reset(st);
    return true;
}

// Who may not make tables can still use those that are there, until a newer version brings a step of the schema.
static bool look(struct check *c, struct sql *db, struct err *err) {
    char server[64];
    int64_t may;
    int version;
    if (!text_of(db, STR("SELECT current_setting('server_version')"), server, sizeof server, err) ||
        !sql_query_i64(sql_platform(db), STR("SELECT has_schema_privilege(current_schema(), 'CREATE')"), &may, err) ||
        !migrate_version(db, &version, err))
        return false;
    check_note(c, CHECK_OK, "PostgreSQL %s", server);
    if (version > MIGRATE_STEPS) {
        check_note(c, CHECK_FAILED, "its schema (%d) is that of a newer Penstock", version);
        check_advise(c, "run the newer version, or restore the backup taken before the upgrade");
    } else if (!may) {
        check_note(c, version == MIGRATE_STEPS ? CHECK_WARNING : CHECK_FAILED, "its user may make no tables");
        check_advise(c, "make the user the owner of the database: ALTER DATABASE … OWNER TO …");
    } else {
        check_note(c, CHECK_OK, version ? "schema %d of %d" : "empty: the server makes its tables", version,
                   MIGRATE_STEPS);
    }
    return true;
}

static void run_database(struct check_list *l, struct check *c) {
    struct sql_options options = {.mode = SQL_READ_WRITE, .busy_ms = check_time_left(l, CHECK_OWN_MS)};
    struct sql *db;
    struct err err;
    if (!sql_open(secret_str(&l->conf->storage.url), &options, &db, &err)) {
        check_note(c, CHECK_FAILED, "%s", err.message);
        return;
    }
    if (!look(c, db, &err)) check_note(c, CHECK_FAILED, "%s", err.message);
    sql_close(db);
}

void check_add_database(struct check_list *l) {
    if (l->conf->storage.url.n) check_add(l, CHECK_DATABASE, STR("database"), run_database, NULL, "storage.url");
}
