// Where a test's database is: a file, or, with PENSTOCK_TEST_DATABASE (see tests/fake/postgres.py), a schema of its own
// on that PostgreSQL server.
#ifndef TESTS_TEST_DATABASE_H
#define TESTS_TEST_DATABASE_H

#include "check.h"
#include "temp_dir.h"

#include "store/datadir.h"

static inline const char *test_server(void) {
    const char *url = getenv("PENSTOCK_TEST_DATABASE");
    return url && *url ? url : NULL;
}

// Runs a script on the server, outside of any test's schema.
static inline void test_server_exec(const char *script) {
    struct err err;
    struct sql *db;
    struct sql_options options = {.mode = SQL_READ_WRITE, .busy_ms = 20000};
    if (!sql_open(str_c(test_server()), &options, &db, &err) || !sql_exec(db, str_c(script), &err)) {
        fprintf(stderr, "%s\n", err.message);
        exit(1);
    }
    sql_close(db);
}

// The same name is the same database, within this process and those it forks. One of a few rotating buffers.
static inline struct str test_database(const char *name) {
    static char urls[8][512];
    static unsigned next;
    static pid_t owner;
    char schema[64], script[500];
    if (!test_server()) return temp_path(name);
    if (!owner) owner = getpid();
    snprintf(schema, sizeof schema, "t%ld_%s", (long)owner, name);
    for (char *p = schema; *p; p++)
        if (!((*p >= 'a' && *p <= 'z') || (*p >= '0' && *p <= '9'))) *p = '_';
    // One process at a time, or the server's catalogue refuses the second. zeroblob: as SQLite has it, for scripts that
    // serve both.
    snprintf(script, sizeof script,
             "SELECT pg_advisory_xact_lock(1); CREATE SCHEMA IF NOT EXISTS %s; CREATE OR REPLACE FUNCTION "
             "%s.zeroblob(n INTEGER) RETURNS bytea LANGUAGE sql "
             "IMMUTABLE AS $$ SELECT decode(repeat('00', n), 'hex') $$",
             schema, schema);
    test_server_exec(script);
    char *url = urls[next++ % 8];
    snprintf(url, sizeof urls[0], "%s%soptions=-c%%20search_path%%3D%s", test_server(),
             strchr(test_server(), '?') ? "&" : "?", schema);
    return str_c(url);
}

// A data directory of that name, whose database is test_database's.
static inline bool test_datadir(const char *name, struct datadir *out_dir, struct err *err) {
    struct conf_storage storage = {.master_key.source = MASTER_FILE};
    if (!test_server()) return datadir_open(temp_path(name), out_dir, err);
    if (!secret_set(&storage.url, test_database(name))) return err_no_memory(err);
    bool ok = datadir_open_as(temp_path(name), &storage, NULL, out_dir, err);
    secret_free(&storage.url);
    return ok;
}

#endif
