// For tests of quotas: a database with a tenant, budgets by one line each, and requests against them.
#ifndef TESTS_QUOTA_RIG_H
#define TESTS_QUOTA_RIG_H

#include "check.h"
#include "test_database.h"

#include "access/quota.h"
#include "store/migrate.h"

#define SECOND INT64_C(1000000000)
#define TENANT 7

static struct err err;

static void rig_sql(struct sql *db, const char *text) {
    bool ok = sql_exec(db, str_c(text), &err);
    if (!ok) fprintf(stderr, "%s: %s\n", text, err.message);
    REQUIRE(ok);
}

static struct sql *rig_open(const char *name) {
    struct sql_options options = {.mode = SQL_CREATE, .busy_ms = 1000};
    struct sql *db = NULL;
    REQUIRE(sql_open(test_database(name), &options, &db, &err));
    REQUIRE(migrate_to(db, MIGRATE_STEPS, &err));
    rig_sql(db, "INSERT INTO tenant (id, name) VALUES (7, 'acme'), (8, 'other')");
    return db;
}

// more: ", 'action', 'downgrade_to'", or empty.
static void rig_budget(struct sql *db, int id, const char *scope, const char *of, const char *metric,
                       const char *period, long long amount, const char *more) {
    char text[600];
    bool words = of[0] < '0' || of[0] > '9';
    snprintf(
        text, sizeof text,
        "INSERT INTO budget (tenant_id, created_at, updated_at, id, name, scope_kind, %s, metric, period, amount%s)"
        " VALUES (7, 0, 0, %d, 'b%d', '%s', '%s', '%s', '%s', %lld%s)",
        words ? "scope_text" : "scope_id", more[0] ? ", action, downgrade_to" : "", id, id, scope, of, metric, period,
        amount, more);
    rig_sql(db, text);
}

static struct quota *rig_load(struct sql *db, int64_t now) {
    struct quota *q = NULL;
    uint64_t damaged = 99;
    REQUIRE(quota_create(&q, &err));
    if (!quota_load(q, db, now, &damaged, &err)) fprintf(stderr, "%s\n", err.message);
    CHECK_INT(damaged, 0);
    return q;
}

static const struct quota_ask k_one = {.requests = 1, .tokens = 100, .cost_nano = 1000};

#endif
