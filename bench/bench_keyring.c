// Measures how long the key ring, with the rights of those who own the keys, and the budgets take to load.
//
// usage: bench_keyring FOLDER [ROUNDS]: makes the data directory if there is none; keyring.py fills it.
#include "access/keyring.h"
#include "access/policy_load.h"
#include "access/quota.h"
#include "base/mem.h"
#include "os/clock.h"
#include "store/datadir.h"
#include "store/key.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define NOW INT64_C(1795000000000000000)

static void fail(const struct err *err) {
    fprintf(stderr, "bench_keyring: %s\n", err->message);
    exit(1);
}

static double cpu_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void print(const char *metric, const char *unit, double ours) {
    printf("{\"metric\":\"%s\",\"unit\":\"%s\",\"ours\":%.2f}\n", metric, unit, ours);
    fflush(stdout);
}

static bool ignore(void *arg, const struct key_row *row, struct err *err) {
    (void)arg, (void)row, (void)err;
    return true;
}

// SQL alone, as a lower bound of what a load can cost.
static void time_rows(struct sql *db) {
    struct err err;
    double start = cpu_ms();
    if (!key_each(db, ignore, NULL, &err)) fail(&err);
    print("rows of keys alone", "ms", cpu_ms() - start);
}

static void time_renewal(struct sql *db, const char *name, const char *change, struct keyring **io_ring) {
    struct keyring *renewed;
    struct err err;
    if (!sql_exec(db, str_c(change), &err)) fail(&err);
    double start = cpu_ms();
    if (!keyring_renew(db, *io_ring, &renewed, &err)) fail(&err);
    print(name, "ms", cpu_ms() - start);
    keyring_unref(*io_ring);
    *io_ring = renewed;
}

static void time_renewals(struct sql *db, struct keyring **io_ring) {
    time_renewal(db, "renewed, nothing changed", "UPDATE api_key SET last_used_at = 1 WHERE id = 1", io_ring);
    time_renewal(db, "renewed, a user was made",
                 "INSERT INTO app_user (tenant_id, created_at, updated_at, email)"
                 " VALUES (2, 0, 0, hex(randomblob(8)))",
                 io_ring);
    time_renewal(db, "renewed, a key was made",
                 "INSERT INTO api_key (tenant_id, hash, prefix, created_at, owner_kind, owner_id)"
                 " VALUES (2, randomblob(32), 'ps-new', 1, 'user', 7)",
                 io_ring);
    time_renewal(db, "renewed, a key was revoked", "UPDATE api_key SET revoked_at = 1 WHERE id = 77", io_ring);
    time_renewal(db, "renewed, a grant was revoked",
                 "UPDATE access_grant SET revoked_at = 1 WHERE id = (SELECT min(id) FROM access_grant WHERE"
                 " principal_kind = 'user' AND principal_id = 99)",
                 io_ring);
    for (int i = 0; i < 200; i++) {
        struct err err;
        if (!sql_exec(db, STR("UPDATE api_key SET name = name || 'x' WHERE id = (SELECT 1 + abs(random()) % 1000)"),
                      &err))
            fail(&err);
    }
    time_renewal(db, "renewed, 200 keys were changed", "UPDATE api_key SET name = 'y' WHERE id = 1", io_ring);
    time_renewal(db, "renewed, a role was made",
                 "INSERT INTO role (tenant_id, created_at, updated_at, name) VALUES (2, 0, 0, hex(randomblob(8)))",
                 io_ring);
}

static void time_ring(struct sql *db, const struct datadir *dir) {
    struct keyring *ring;
    struct err err;
    struct mem_stats before, after;
    mem_stats_get(&before);
    double start = cpu_ms();
    if (!keyring_load(db, dir, &ring, &err)) fail(&err);
    print("key ring", "ms", cpu_ms() - start);
    mem_stats_get(&after);
    print("memory of the key ring", "MiB", (double)(after.bytes - before.bytes) / 1048576.0);
    print("grants in it", "", (double)policy_grant_count(keyring_policy(ring)));
    time_renewals(db, &ring);
    start = cpu_ms();
    keyring_unref(ring);
    print("its end", "ms", cpu_ms() - start);
}

static void time_policy(struct sql *db) {
    struct policy *policy;
    struct err err;
    double start = cpu_ms();
    if (!policy_load_owners(db, &policy, &err)) fail(&err);
    print("rights of the owners", "ms", cpu_ms() - start);
    policy_unref(policy);
}

static void time_budgets(struct sql *db) {
    struct quota *quota;
    struct err err;
    uint64_t damaged;
    if (!quota_create(&quota, &err)) fail(&err);
    double start = cpu_ms();
    if (!quota_load(quota, db, NOW, &damaged, &err)) fail(&err);
    print("budgets, at the start", "ms", cpu_ms() - start);
    start = cpu_ms();
    if (!quota_load(quota, db, NOW, &damaged, &err)) fail(&err);
    print("budgets, again", "ms", cpu_ms() - start);
    quota_free(quota);
}

int main(int argc, char **argv) {
    struct datadir dir;
    struct sql *db;
    struct err err;
    if (argc < 2) {
        fprintf(stderr, "usage: bench_keyring FOLDER [ROUNDS]\n");
        return 2;
    }
    if (!datadir_open(str_c(argv[1]), &dir, &err) || !datadir_open_db(&dir, 1000, &db, &err)) fail(&err);
    for (long i = argc > 2 ? strtol(argv[2], NULL, 10) : 0; i > 0; i--) {
        time_rows(db);
        time_policy(db);
        time_ring(db, &dir);
        time_budgets(db);
    }
    sql_close(db);
    datadir_close(&dir);
    return 0;
}
