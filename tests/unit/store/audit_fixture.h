// A data directory with an audit trail, for its tests.
#ifndef TESTS_AUDIT_FIXTURE_H
#define TESTS_AUDIT_FIXTURE_H

#include "check.h"
#include "test_database.h"

#include "base/mem.h"
#include "store/audit_key.h"
#include "store/datadir.h"

static struct err err;
static struct datadir dir;
static struct sql *db;
static struct audit_signer *signer;

static inline void trail_open(const char *name) {
    REQUIRE(test_datadir(name, &dir, &err));
    REQUIRE(datadir_open_db(&dir, 20000, &db, &err));
    REQUIRE(audit_signer_create(&dir, &signer, &err));
}

static inline void trail_close(void) {
    audit_signer_free(signer);
    sql_close(db);
    datadir_close(&dir);
}

static inline struct audit_event trail_event(int64_t i) {
    static char id[32], request[32];
    snprintf(id, sizeof id, "key_%lld", (long long)i);
    snprintf(request, sizeof request, "req_%lld", (long long)i);
    return (struct audit_event){.at = 1000000000 * (i + 1),
                                .actor_kind = STR("user"),
                                .actor_id = STR("user_1"),
                                .actor_name = STR("ada@example.com"),
                                .action = i % 2 ? STR("key.create") : STR("session.sign_in"),
                                .resource_type = STR("key"),
                                .resource_id = str_c(id),
                                .resource_name = STR("ops"),
                                .outcome = i % 3 ? AUDIT_OK : AUDIT_DENIED,
                                .reason = STR("because"),
                                .address = STR("192.0.2.7"),
                                .agent = STR("curl/8"),
                                .request_id = str_c(request),
                                .before = STR("{\"name\":\"old\"}"),
                                .after = STR("{\"name\":\"new\"}")};
}

// n events of the tenant, in one transaction each `lot`.
static inline void trail_fill(int64_t tenant, int64_t n, int64_t lot) {
    for (int64_t i = 0; i < n; i++) {
        struct audit_event e = trail_event(i);
        if (i % lot == 0) REQUIRE(sql_begin(db, &err));
        REQUIRE(audit_append(sql_tenant(db, tenant), signer, &e, &err));
        if (i % lot == lot - 1 || i == n - 1) REQUIRE(sql_commit(db, &err));
    }
}

static inline int64_t trail_number(const char *text) {
    int64_t v = -1;
    REQUIRE(sql_query_i64(sql_platform(db), str_c(text), &v, &err));
    return v;
}

#endif
