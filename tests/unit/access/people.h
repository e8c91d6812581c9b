// A data directory with tenants and people for tests of signing in.
#ifndef TESTS_PEOPLE_H
#define TESTS_PEOPLE_H

#include "check.h"
#include "test_database.h"

#include "access/account.h"

#define S INT64_C(1000000000)
#define T0 (INT64_C(1700000000) * S)
#define GOOD "correct horse battery staple"
#define BETTER "seven blue goats ride a bike"

static struct err err;
static const struct conf_auth k_auth = {
    .required = true,
    .sign_in = {.max_failures = 5, .max_address_failures = 50, .lock_base = 30000, .lock_max = 900000},
    .session = {.idle = 3600000, .lifetime = 86400000},
    .password = {.memory = 8 << 20, .passes = 1},
    .tokens = {.lifetime = 3600000, .rotate = INT64_C(30) * 86400000},
};

struct people {
    struct datadir dir;
    struct sql *db;
    struct audit_signer *signer;
    struct conf_auth auth;
    struct sign_in_room room;
    struct arena arena;
};

static inline void people_begin(struct people *p, const char *name) {
    *p = (struct people){.auth = k_auth};
    REQUIRE(test_datadir(name, &p->dir, &err) && datadir_open_db(&p->dir, 1000, &p->db, &err));
    REQUIRE(audit_signer_create(&p->dir, &p->signer, &err));
    arena_init(&p->arena, NULL, 0, 64 << 20);
    p->room = (struct sign_in_room){.db = p->db,
                                    .dir = &p->dir,
                                    .auth = &p->auth,
                                    .signer = p->signer,
                                    .from = {.address = STR("192.0.2.7"), .agent = STR("test/1")}};
}

static inline void people_end(struct people *p) {
    audit_signer_free(p->signer);
    sql_close(p->db);
    datadir_close(&p->dir);
    arena_free(&p->arena);
}

static inline void run(struct people *p, const char *script) {
    if (sql_exec(p->db, str_c(script), &err)) return;
    fprintf(stderr, "%s: %s\n", script, err.message);
    REQUIRE(false);
}

static inline int64_t query(struct people *p, const char *text) {
    int64_t v = -1;
    if (!sql_query_i64(sql_platform(p->db), str_c(text), &v, &err)) fprintf(stderr, "%s: %s\n", text, err.message);
    return v;
}

// A user of a tenant, who has this password.
static inline int64_t add_user(struct people *p, int64_t tenant, const char *email, const char *password) {
    char text[512];
    snprintf(text, sizeof text,
             "INSERT INTO app_user (tenant_id, created_at, updated_at, email, name) VALUES (%lld, 1, 1, '%s', 'Ada')",
             (long long)tenant, email);
    run(p, text);
    snprintf(text, sizeof text, "SELECT max(id) FROM app_user WHERE tenant_id = %lld AND email = '%s'",
             (long long)tenant, email);
    int64_t id = query(p, text);
    if (*password)
        REQUIRE(account_reset_password(&p->room, sql_tenant(p->db, tenant), id, str_c(password), false, T0, &p->arena,
                                       &err));
    return id;
}

static inline bool enter(struct people *p, const char *email, const char *password, const char *tenant,
                         const char *code, int64_t now, struct sign_in_done *out) {
    struct sign_in_wanted w = {str_c(email), str_c(password), str_c(tenant), str_c(code)};
    err = (struct err){0};
    return sign_in(&p->room, &w, now, &p->arena, out, &err);
}

static inline bool alive(struct people *p, struct str text, int64_t now, struct session_found *out) {
    err = (struct err){0};
    return session_check(p->db, &p->auth, text, now, &p->arena, out, &err);
}

static inline struct str text_of(const struct sign_in_done *done) { return session_text_str(&done->session.text); }

static inline int64_t events(struct people *p, const char *action, enum audit_outcome outcome) {
    char text[256];
    snprintf(text, sizeof text, "SELECT count(*) FROM audit_event WHERE action = '%s' AND outcome = %d", action,
             (int)outcome);
    return query(p, text);
}

#endif
