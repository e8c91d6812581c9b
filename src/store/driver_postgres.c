// The PostgreSQL driver: one database for several servers, whose tenants' rows it keeps apart.
//
// Transactions: READ COMMITTED, and each begins with an advisory lock of its lane, held to its end, so that what one
// reads no other changes meanwhile; lanes do not wait for each other, so records of usage never hold up people. A
// statement outside of a transaction takes no such lock and must be right by itself; what only reads, in several
// statements, has REPEATABLE READ. The lock's number is made from
// the schema's name: several installations in one database do not meet.
//
// Tenants: the setting penstock.tenant says whose rows the session may see (schema/isolation.postgres.sql). Row-level
// security does not bind superusers, so such a role is refused.
#include "store/postgres.h"

#include "base/mem.h"

#include <stdio.h>

#define VERSION_MIN 130000
// How long a server that does not answer is waited for, at connecting and within a connection.
#define CONNECT_S "5"
#define SILENT_MS "20000"

// --- connections ---

void pg_note(struct pg *db) {
    PGTransactionStatusType status = PQtransactionStatus(db->os);
    // Of a broken connection the transaction, if there was one, is still to be ended by its owner.
    if (status != PQTRANS_UNKNOWN) db->in_transaction = status != PQTRANS_IDLE;
}

static void ignore_notice(void *arg UNUSED, const PGresult *result UNUSED) {}

bool pg_command(struct pg *db, const char *text, const char *doing, struct err *err) {
    PGresult *result = PQexec(db->os, text);
    ExecStatusType status = PQresultStatus(result);
    pg_note(db);
    bool ok = status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK || status == PGRES_EMPTY_QUERY ||
              pg_failed(db, result, doing, err);
    PQclear(result);
    return ok;
}

static bool settle_session(struct pg *db, struct err *err) {
    char text[512];
    // 0 would mean: as long as it takes.
    unsigned wait_ms = MIN(MAX(db->options.busy_ms, 1U), (unsigned)INT32_MAX);
    snprintf(
        text, sizeof text,
        "SET client_min_messages = warning; SET lock_timeout = %u; SET standard_conforming_strings = on;"
        "SET default_transaction_isolation = '%s'; SET extra_float_digits = 1; SET default_transaction_read_only = off;"
        "%s SELECT pg_catalog.set_config('penstock.tenant', '', false)",
        wait_ms, db->options.mode == SQL_READ_ONLY ? "repeatable read" : "read committed",
        db->options.durable ? "SET synchronous_commit = on;" : "");
    return pg_command(db, text, "open the database", err);
}

// Of the role in force, which "options=-c role=…" in the URL may have changed.
static bool check_role(struct pg *db, struct err *err) {
    PGresult *result = PQexec(db->os, "SELECT 1 FROM pg_catalog.pg_roles WHERE rolname = current_user"
                                      " AND (rolsuper OR rolbypassrls)");
    bool ok = PQresultStatus(result) == PGRES_TUPLES_OK || pg_failed(db, result, "open the database", err);
    if (ok && PQntuples(result) > 0)
        ok =
            err_set(err, ERR_STORE,
                    "the user of the database %s is a superuser or has BYPASSRLS, so PostgreSQL would not keep tenants "
                    "apart: make an ordinary one (CREATE ROLE penstock LOGIN PASSWORD '…'; CREATE DATABASE penstock "
                    "OWNER penstock) and name it in storage.url",
                    db->shown);
    PQclear(result);
    return ok;
}

static bool check_session(struct pg *db, struct err *err) {
    int version = PQserverVersion(db->os);
    const char *encoding = PQparameterStatus(db->os, "server_encoding");
    if (version < VERSION_MIN)
        return err_set(err, ERR_STORE, "the server of the database %s is PostgreSQL %d; version %d or later is needed",
                       db->shown, version / 10000, VERSION_MIN / 10000);
    if (!encoding || strcmp(encoding, "UTF8") != 0)
        return err_set(err, ERR_STORE,
                       "the database %s has the encoding %s: make one with CREATE DATABASE … ENCODING 'UTF8' TEMPLATE "
                       "template0",
                       db->shown, encoding ? encoding : "?");
    return settle_session(db, err) && check_role(db, err);
}

static bool connected(struct pg *db, struct err *err) {
    db->session++;
    db->entered = -1;
    db->in_transaction = db->entered_here = false;
    if (PQstatus(db->os) != CONNECTION_OK) return pg_failed(db, NULL, "open the database", err);
    (void)PQsetNoticeReceiver(db->os, ignore_notice, NULL);
    if (PQsetClientEncoding(db->os, "UTF8") != 0) return pg_failed(db, NULL, "open the database", err);
    return check_session(db, err);
}

static bool connect_new(struct pg *db, struct err *err) {
    // What the URL says comes later, and so wins.
    static const char *const names[] = {"connect_timeout",
                                        "keepalives_idle",
                                        "keepalives_interval",
                                        "keepalives_count",
                                        "tcp_user_timeout",
                                        "application_name",
                                        "dbname",
                                        NULL};
    const char *const values[] = {CONNECT_S, "10", "5", "2", SILENT_MS, "penstock", db->url.p, NULL};
    static_assert(ARRAY_LEN(names) == ARRAY_LEN(values), "a value for each name");
    db->os = PQconnectdbParams(names, values, 1);
    return db->os ? connected(db, err) : err_no_memory(err);
}

bool pg_ready(struct pg *db, struct err *err) {
    // What the server said since, at last that it went away: the first look may find no more than its farewell. A lost
    // connection is to be known before a statement is sent, since afterwards nobody knows whether it was carried out.
    for (int looks = 0; looks < 2 && !db->in_transaction && PQstatus(db->os) == CONNECTION_OK; looks++)
        (void)PQconsumeInput(db->os);
    if (LIKELY(PQstatus(db->os) == CONNECTION_OK)) return true;
    if (db->in_transaction)
        return err_set(err, ERR_STORE, "the connection to the database %s broke within a transaction, which is undone",
                       db->shown);
    PQreset(db->os);
    return connected(db, err);
}

bool pg_enter(struct pg *db, int64_t tenant, struct err *err) {
    char text[96];
    if (LIKELY(db->entered == tenant)) return true;
    snprintf(text, sizeof text, "SELECT pg_catalog.set_config('penstock.tenant', '%lld', false)", (long long)tenant);
    db->entered = -1;
    if (!pg_command(db, text, "choose whose rows are meant", err)) return false;
    db->entered = tenant;
    db->entered_here = db->in_transaction;
    return true;
}

static void pg_enters(struct sql *base, int64_t tenant) { pg_of(base)->wanted = tenant; }

// --- open and close ---

static bool pg_accepts(struct str where) {
    return str_starts(where, STR("postgres://")) || str_starts(where, STR("postgresql://"));
}

static const char *option_of(const PQconninfoOption *options, const char *name) {
    for (const PQconninfoOption *o = options; o->keyword; o++)
        if (strcmp(o->keyword, name) == 0) return o->val && *o->val ? o->val : NULL;
    return NULL;
}

// Where the database is, without who asks and the password. The library's own complaint may hold the whole URL.
static bool set_shown(struct pg *db, struct err *err) {
    char *complaint = NULL;
    BUF_AUTO struct buf shown = BUF_INIT(1024);
    PQconninfoOption *options = PQconninfoParse(db->url.p, &complaint);
    PQfreemem(complaint);
    if (!options)
        return err_set(err, ERR_STORE,
                       "the database's URL is not of the form postgres://user:password@host:port/database (in the "
                       "password, write characters such as @ : / %% as %%40 %%3A %%2F %%25)");
    const char *name = option_of(options, "dbname"), *user = option_of(options, "user");
    const char *host = option_of(options, "host"), *port = option_of(options, "port");
    buf_printf(&shown, "%.200s on %.300s", name ? name : user ? user : "(default)", host ? host : "this machine");
    if (port) buf_printf(&shown, ":%.20s", port);
    PQconninfoFree(options);
    db->shown = shown.failed ? NULL : mem_strdup(buf_str(&shown));
    return db->shown || err_no_memory(err);
}

static void pg_close(struct sql *base) {
    struct pg *db = pg_of(base);
    pg_statements_free(db);
    pg_bulk_end(base);
    PQfinish(db->os); // a transaction that is open is rolled back
    secret_free(&db->url);
    mem_free(db->shown);
    mem_free(db);
}

static bool open_parts(struct pg *db, struct str where, struct err *err) {
    if (memchr(where.p, '\0', where.n))
        return err_set(err, ERR_INVALID_FIELD, "the database's URL contains a NUL byte");
    if (!secret_set(&db->url, where)) return err_no_memory(err);
    return set_shown(db, err) && connect_new(db, err);
}

static bool pg_open(struct str where, const struct sql_options *options, struct sql **out_db, struct err *err) {
    struct pg *db = mem_zalloc(1, sizeof *db);
    if (!db) return err_no_memory(err);
    db->base.ops = &sql_driver_postgres;
    db->options = *options;
    map_init(&db->statements, 0); // texts are our own
    if (!open_parts(db, where, err)) {
        pg_close(&db->base);
        return false;
    }
    *out_db = &db->base;
    return true;
}

// --- transactions ---

static bool pg_exec(struct sql *base, struct str script, struct err *err) {
    struct pg *db = pg_of(base);
    BUF_AUTO struct buf text = BUF_INIT(script.n + 1);
    buf_put(&text, script);
    if (!buf_cstr(&text)) return err_no_memory(err);
    if (!pg_ready(db, err)) return false;
    // After a statement that failed the server hears nothing but what ends the transaction or goes back in it.
    bool failed = PQtransactionStatus(db->os) == PQTRANS_INERROR;
    bool ok = (failed || pg_enter(db, SQL_PLATFORM, err)) && pg_command(db, text.p, "run a script", err);
    db->entered = -1; // a savepoint takes it back, and a script may say otherwise
    return ok;
}

static bool pg_begin(struct sql *base, struct err *err) {
    struct pg *db = pg_of(base);
    char text[160];
    snprintf(text, sizeof text,
             "BEGIN; SELECT pg_catalog.pg_advisory_xact_lock("
             "pg_catalog.hashtextextended('penstock ' || current_schema(), %d))",
             (int)db->options.lane);
    if (!pg_ready(db, err)) return false;
    if (pg_command(db, text, "begin a transaction", err)) return true;
    sql_rollback(base);
    return false;
}

static bool pg_begin_read(struct sql *base, struct err *err) {
    struct pg *db = pg_of(base);
    return pg_ready(db, err) &&
           pg_command(db, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", "begin a transaction", err);
}

static void ended(struct pg *db, bool kept) {
    if (db->entered_here && !kept) db->entered = -1;
    db->entered_here = db->in_transaction = false;
}

static void pg_rollback(struct sql *base) {
    struct pg *db = pg_of(base);
    struct err ignored;
    // A connection that is lost has taken the transaction with it; the next statement makes another one.
    if (PQstatus(db->os) == CONNECTION_OK) (void)!pg_command(db, "ROLLBACK", "end a transaction", &ignored);
    ended(db, false);
}

// A transaction in which a statement failed ends by COMMIT as well, but is undone.
static bool pg_commit(struct sql *base, struct err *err) {
    struct pg *db = pg_of(base);
    PGresult *result = PQexec(db->os, "COMMIT");
    pg_note(db);
    bool ok = PQresultStatus(result) == PGRES_COMMAND_OK || pg_failed(db, result, "commit a transaction", err);
    if (ok && strcmp(PQcmdStatus(result), "COMMIT") != 0)
        ok = err_set(err, ERR_STORE, "cannot commit a transaction in the database %s: a statement of it failed",
                     db->shown);
    PQclear(result);
    ended(db, ok);
    return ok;
}

static bool pg_in_transaction(struct sql *base) { return pg_of(base)->in_transaction; }

static bool pg_durable(struct sql *base, struct err *err) {
    return pg_command(pg_of(base), "SET LOCAL synchronous_commit = on", "make a transaction durable", err);
}

// --- questions ---

static int64_t pg_changes(struct sql *base) { return pg_of(base)->changes; }

static bool pg_has_table(struct sql *base, struct str name, bool *out_has, struct err *err) {
    struct sql_stmt *st;
    bool row;
    if (!sql_prepare(sql_platform(base),
                     STR("SELECT 1 FROM pg_catalog.pg_tables WHERE schemaname = current_schema()"
                         " AND (tablename = ?1 OR ?1 = '') LIMIT 1"),
                     &st, err))
        return false;
    sql_bind_text(st, 1, name);
    if (!sql_step(st, &row, err)) return false;
    sql_reset(st);
    *out_has = row;
    return true;
}

// Which transactions are over: changes with every one that wrote, of the whole server.
static bool pg_data_version(struct sql *base, uint64_t *out_version, struct err *err) {
    int64_t v;
    if (!sql_query_i64(sql_platform(base), STR("SELECT hashtextextended(pg_current_snapshot()::text, 0)"), &v, err))
        return false;
    *out_version = (uint64_t)v;
    return true;
}

const struct sql_ops sql_driver_postgres = {
    .name = "postgres",
    .accepts = pg_accepts,
    .open = pg_open,
    .close = pg_close,
    .exec = pg_exec,
    .prepare = pg_prepare,
    .enter = pg_enters,
    .bind_i64 = pg_bind_i64,
    .bind_text = pg_bind_text,
    .bind_blob = pg_bind_blob,
    .bind_null = pg_bind_null,
    .step = pg_step,
    .reset = pg_reset,
    .col_is_null = pg_col_is_null,
    .col_i64 = pg_col_i64,
    .col_text = pg_col_text,
    .col_blob = pg_col_blob,
    .changes = pg_changes,
    .begin = pg_begin,
    .begin_read = pg_begin_read,
    .commit = pg_commit,
    .rollback = pg_rollback,
    .in_transaction = pg_in_transaction,
    .has_table = pg_has_table,
    .bulk_begin = pg_bulk_begin,
    .bulk_add = pg_bulk_add,
    .bulk_load = pg_bulk_load,
    .bulk_insert = pg_bulk_insert,
    .bulk_end = pg_bulk_end,
    .data_version = pg_data_version,
    .durable = pg_durable,
};
