// Reads and writes the rows of config_live and config_version.
#include "store/config_history.h"

#include "store/audit.h"
#include "store/sealed.h"

#define PURPOSE_LIVE STR("config_live")
#define PURPOSE_TREE STR("config_history")
#define SEALED_MAX ((size_t)1 << 30) // SQLite's own limit for a value
#define COLUMNS "version, at, actor, cause, file, changes, digest"

static bool own(struct arena *a, struct str *text) {
    struct str copy = arena_str(a, *text);
    bool ok = copy.p || text->n == 0;
    *text = copy;
    return ok;
}

// Opens a sealed column into the arena; what was written on the way is wiped.
static bool open_into(struct sql *db, const struct datadir *dir, struct str purpose, struct str label, struct str bytes,
                      struct arena *a, struct str *out_text, struct err *err) {
    BUF_AUTO struct buf text = BUF_INIT(SEALED_MAX);
    if (!unseal(sql_tenant(db, TENANT_DEFAULT), dir, purpose, label, bytes, &text, err)) return false;
    struct str copy = buf_str(&text);
    bool ok = own(a, &copy);
    secret_wipe(text.p, text.n);
    if (!ok) return err_no_memory(err);
    *out_text = copy;
    return true;
}

// A version's tree opens in that version's row only.
#define NUMBER_MAX 24
static struct str number_label(char out[NUMBER_MAX], int64_t version) {
    int n = snprintf(out, NUMBER_MAX, "%lld", (long long)version);
    return str_of(out, (size_t)n);
}

// --- live changes ---

static bool live_row_read(struct sql_stmt *st, const struct datadir *dir, struct arena *a, struct config_live_row *row,
                          struct err *err) {
    *row = (struct config_live_row){.key = sql_col_text(st, 0),
                                    .actor = sql_col_text(st, 2),
                                    .at = sql_col_i64(st, 3),
                                    .version = sql_col_i64(st, 4)};
    if (!row->key.p || !row->actor.p || !own(a, &row->key) || !own(a, &row->actor)) return err_no_memory(err);
    return open_into(st->db, dir, PURPOSE_LIVE, row->key, sql_col_blob(st, 1), a, &row->value, err) ||
           err_wrap(err, "the live change of %.*s", STR_ARG(str_head(row->key, 100)));
}

static bool live_rows_read(struct sql_stmt *st, const struct datadir *dir, struct arena *a,
                           struct config_live_list *list, struct err *err) {
    VEC(struct config_live_row) rows = {0};
    bool ok = true, has = false;
    while ((ok = sql_step(st, &has, err)) && has) {
        struct config_live_row row;
        ok = live_row_read(st, dir, a, &row, err);
        if (ok && !vec_push(&rows, row)) ok = err_no_memory(err);
        if (!ok) {
            sql_reset(st);
            break;
        }
    }
    if (ok && rows.n) {
        list->p = ARENA_ARRAY(a, struct config_live_row, rows.n);
        if (list->p) {
            memcpy(list->p, rows.p, rows.n * sizeof *rows.p);
            list->n = rows.n;
        } else {
            ok = err_no_memory(err);
        }
    }
    vec_free(&rows);
    return ok;
}

bool config_live_read(struct sql *db, const struct datadir *dir, struct arena *a, struct config_live_list *out_list,
                      struct err *err) {
    struct sql_stmt *st;
    struct config_live_list list = {0};
    if (!sql_prepare(sql_platform(db), STR("SELECT key, value, actor, at, version FROM config_live ORDER BY position"),
                     &st, err))
        return false;
    if (!live_rows_read(st, dir, a, &list, err)) return false;
    *out_list = list;
    return true;
}

static bool live_row_write(struct sql_stmt *st, const struct datadir *dir, size_t position,
                           const struct config_live_row *row, int64_t version, struct err *err) {
    BUF_AUTO struct buf value = BUF_INIT(SEALED_MAX);
    if (row->key.n == 0) return err_set(err, ERR_INVALID_FIELD, "a live change names no key");
    if (!seal(sql_tenant(st->db, TENANT_DEFAULT), dir, PURPOSE_LIVE, row->key, row->value, &value, err)) return false;
    sql_bind_i64(st, 1, (int64_t)position);
    sql_bind_text(st, 2, row->key);
    sql_bind_blob(st, 3, buf_str(&value));
    sql_bind_text(st, 4, row->actor);
    sql_bind_i64(st, 5, row->at);
    sql_bind_i64(st, 6, row->version ? row->version : version);
    if (sql_run(st, err)) return true;
    if (err->code == ERR_EXISTS)
        err_set(err, ERR_INVALID_FIELD, "%.*s stands twice among the live changes", STR_ARG(str_head(row->key, 100)));
    return false;
}

static bool live_replace(struct sql *db, const struct datadir *dir, const struct config_live_list *live,
                         int64_t version, struct err *err) {
    struct sql_stmt *st;
    if (!sql_prepare(sql_platform(db), STR("DELETE FROM config_live"), &st, err) || !sql_run(st, err)) return false;
    if (!sql_prepare(sql_platform(db),
                     STR("INSERT INTO config_live (position, key, value, actor, at, version)"
                         " VALUES (?1, ?2, ?3, ?4, ?5, ?6)"),
                     &st, err))
        return false;
    for (size_t i = 0; i < live->n; i++)
        if (!live_row_write(st, dir, i + 1, &live->p[i], version, err)) return false;
    return true;
}

// --- versions ---

bool config_version_newest(struct sql *db, int64_t *out_version, uint64_t *out_digest, struct err *err) {
    struct sql_stmt *st;
    bool has;
    if (!sql_prepare(sql_platform(db), STR("SELECT version, digest FROM config_version ORDER BY version DESC LIMIT 1"),
                     &st, err) ||
        !sql_step(st, &has, err))
        return false;
    *out_version = has ? sql_col_i64(st, 0) : 0;
    if (out_digest) *out_digest = has ? (uint64_t)sql_col_i64(st, 1) : 0;
    if (has) sql_reset(st);
    return true;
}

static bool version_insert(struct sql *db, const struct datadir *dir, const struct config_version_row *row,
                           int64_t version, struct err *err) {
    struct sql_stmt *st;
    char number[NUMBER_MAX];
    BUF_AUTO struct buf tree = BUF_INIT(SEALED_MAX);
    if (!seal(sql_tenant(db, TENANT_DEFAULT), dir, PURPOSE_TREE, number_label(number, version), row->tree, &tree, err))
        return false;
    if (!sql_prepare(sql_platform(db),
                     STR("INSERT INTO config_version (" COLUMNS ", tree) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)"), &st,
                     err))
        return false;
    sql_bind_i64(st, 1, version);
    sql_bind_i64(st, 2, row->at);
    sql_bind_text(st, 3, row->actor);
    sql_bind_text(st, 4, row->cause);
    sql_bind_text(st, 5, row->file);
    sql_bind_text(st, 6, row->changes);
    sql_bind_i64(st, 7, (int64_t)row->digest);
    sql_bind_blob(st, 8, buf_str(&tree));
    return sql_run(st, err);
}

static bool prune(struct sql *db, int64_t newest, struct err *err) {
    struct sql_stmt *st;
    if (!sql_prepare(sql_platform(db), STR("DELETE FROM config_version WHERE version <= ?1"), &st, err)) return false;
    sql_bind_i64(st, 1, newest - CONFIG_HISTORY_KEEP);
    return sql_run(st, err);
}

// The event of the audit trail, in the same transaction: no change without one.
static bool tell(struct sql *db, const struct datadir *dir, const struct config_version_row *row, int64_t version,
                 struct err *err) {
    bool person =
        str_eq(row->cause, STR("api")) || str_eq(row->cause, STR("cli")) || str_starts(row->cause, STR("rollback"));
    char number[NUMBER_MAX];
    struct audit_signer *signer;
    BUF_AUTO struct buf after = BUF_INIT(SEALED_MAX);
    buf_printf(&after, "{\"version\":%lld,\"changes\":", (long long)version);
    buf_put(&after, row->changes.n ? row->changes : STR("[]"));
    buf_lit(&after, "}");
    if (after.failed) return err_no_memory(err);
    struct audit_event event = {.at = row->at,
                                .actor_kind = person ? STR("operator") : STR("system"),
                                .actor_name = row->actor,
                                .action = STR("config.change"),
                                .resource_type = STR("config"),
                                .resource_id = number_label(number, version),
                                .resource_name = row->file,
                                .reason = row->cause,
                                .after = buf_str(&after)};
    if (!audit_signer_create(dir, &signer, err)) return false;
    bool ok = audit_append(sql_tenant(db, AUDIT_TENANT_DEFAULT), signer, &event, err);
    audit_signer_free(signer);
    return ok;
}

static bool add_locked(struct sql *db, const struct datadir *dir, const struct config_version_row *row,
                       const struct config_live_list *live, int64_t expected, int64_t *out_version, struct err *err) {
    int64_t newest;
    uint64_t digest;
    if (!config_version_newest(db, &newest, &digest, err)) return false;
    if (expected >= 0 && newest > expected)
        return err_set(err, ERR_EXISTS,
                       "the configuration was changed meanwhile: it is at version %lld, and this change was made from "
                       "%lld; look at it again and repeat the change",
                       (long long)newest, (long long)expected);
    if (newest < 0 || newest >= INT64_MAX - 1)
        return err_set(err, ERR_STORE, "the number of the newest configuration version is damaged");
    if (!live && newest && !row->again && row->digest && row->digest == digest) {
        *out_version = newest;
        return true;
    }
    *out_version = newest + 1;
    return version_insert(db, dir, row, newest + 1, err) && prune(db, newest + 1, err) &&
           (!live || live_replace(db, dir, live, newest + 1, err)) && tell(db, dir, row, newest + 1, err);
}

bool config_version_add(struct sql *db, const struct datadir *dir, const struct config_version_row *row,
                        const struct config_live_list *live, int64_t expected, int64_t *out_version, struct err *err) {
    int64_t version = 0;
    if (!sql_begin(db, err)) return false;
    if (!add_locked(db, dir, row, live, expected, &version, err)) {
        sql_rollback(db);
        return false;
    }
    if (!sql_commit(db, err)) return false;
    *out_version = version;
    return true;
}

// Borrowed from the statement.
static bool version_row_read(struct sql_stmt *st, struct config_version_row *row, struct err *err) {
    *row = (struct config_version_row){.version = sql_col_i64(st, 0),
                                       .at = sql_col_i64(st, 1),
                                       .actor = sql_col_text(st, 2),
                                       .cause = sql_col_text(st, 3),
                                       .file = sql_col_text(st, 4),
                                       .changes = sql_col_text(st, 5),
                                       .digest = (uint64_t)sql_col_i64(st, 6)};
    return row->actor.p && row->cause.p && row->file.p && row->changes.p ? true : err_no_memory(err);
}

static bool find_read(struct sql_stmt *st, const struct datadir *dir, struct arena *a, struct config_version_row *row,
                      struct err *err) {
    char number[NUMBER_MAX];
    if (!version_row_read(st, row, err)) return false;
    if (!own(a, &row->actor) || !own(a, &row->cause) || !own(a, &row->file) || !own(a, &row->changes))
        return err_no_memory(err);
    return open_into(st->db, dir, PURPOSE_TREE, number_label(number, row->version), sql_col_blob(st, 7), a, &row->tree,
                     err) ||
           err_wrap(err, "configuration version %lld", (long long)row->version);
}

bool config_version_find(struct sql *db, const struct datadir *dir, int64_t version, struct arena *a,
                         struct config_version_row *out_row, struct err *err) {
    struct sql_stmt *st;
    struct config_version_row row;
    bool has;
    if (!sql_prepare(sql_platform(db), STR("SELECT " COLUMNS ", tree FROM config_version WHERE version = ?1"), &st,
                     err))
        return false;
    sql_bind_i64(st, 1, version);
    if (!sql_step(st, &has, err)) return false;
    if (!has)
        return err_set(err, ERR_NOT_FOUND,
                       "there is no configuration version %lld: `penstock config history` shows those that are kept",
                       (long long)version);
    bool ok = find_read(st, dir, a, &row, err);
    sql_reset(st);
    if (ok) *out_row = row;
    return ok;
}

bool config_version_each(struct sql *db, size_t limit, config_version_visit *visit, void *arg, struct err *err) {
    struct sql_stmt *st;
    if (!sql_prepare(sql_platform(db), STR("SELECT " COLUMNS " FROM config_version ORDER BY version DESC LIMIT ?1"),
                     &st, err))
        return false;
    sql_bind_i64(st, 1, limit == 0 || limit > INT64_MAX ? INT64_MAX : (int64_t)limit);
    for (bool has;;) {
        struct config_version_row row;
        if (!sql_step(st, &has, err)) return false;
        if (!has) return true;
        if (!version_row_read(st, &row, err) || !visit(arg, &row, err)) break;
    }
    sql_reset(st);
    return false;
}
