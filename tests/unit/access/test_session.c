// Tests of access/session.h and access/account.h: life times, renewal, revocation, what is due, cookies, origins,
// plans.
#include "check.h"
#include "people.h"

#include <sqlite3.h>

static struct sign_in_done done;
static struct session_found found;

static struct session_text signed_in(struct people *p, const char *email, int64_t now) {
    REQUIRE(enter(p, email, GOOD, "", "", now, &done));
    return done.session.text;
}

static void test_life(void) {
    struct people p;
    people_begin(&p, "life");
    add_user(&p, 1, "ada@example.com", GOOD);
    struct session_text t = signed_in(&p, "ada@example.com", T0);
    struct str text = session_text_str(&t);
    CHECK(session_text_valid(text));
    CHECK(alive(&p, text, T0 + 3599 * S, &found));
    CHECK(alive(&p, text, T0 + 3599 * S + 3599 * S, &found)); // it was in use
    CHECK(!alive(&p, text, T0 + 3 * 3600 * S + 3600 * S, &found) && err.code == ERR_UNAUTHENTICATED);
    // Used all the time, it ends all the same.
    t = signed_in(&p, "ada@example.com", T0);
    for (int64_t h = 1; h < 48; h++) CHECK(alive(&p, text, T0 + h * 1800 * S, &found));
    CHECK(!alive(&p, text, T0 + 86400 * S, &found));
    // A stricter configuration holds for those that are there.
    t = signed_in(&p, "ada@example.com", T0);
    p.auth.session.idle = 60000;
    CHECK(alive(&p, text, T0 + 59 * S, &found));
    CHECK(!alive(&p, text, T0 + 59 * S + 60 * S, &found));
    p.auth = k_auth;
    // Neither user nor tenant may be suspended meanwhile.
    t = signed_in(&p, "ada@example.com", T0);
    run(&p, "UPDATE app_user SET status = 'suspended'");
    CHECK(!alive(&p, text, T0, &found));
    run(&p, "UPDATE app_user SET status = 'active'; UPDATE tenant SET status = 'suspended'");
    CHECK(!alive(&p, text, T0, &found));
    run(&p, "UPDATE tenant SET status = 'active'");
    CHECK(alive(&p, text, T0, &found));
    run(&p, "DELETE FROM app_user");
    CHECK(!alive(&p, text, T0, &found));
    people_end(&p);
}

static void test_bad_text(void) {
    struct people p;
    people_begin(&p, "text");
    add_user(&p, 1, "ada@example.com", GOOD);
    struct session_text t = signed_in(&p, "ada@example.com", T0);
    for (size_t i = 0; i < SESSION_TEXT_LEN; i++) {
        struct session_text bad = t;
        bad.p[i] = bad.p[i] == 'x' ? 'y' : 'x';
        CHECK(!alive(&p, session_text_str(&bad), T0, &found) && err.code == ERR_UNAUTHENTICATED);
    }
    CHECK(!alive(&p, STR(""), T0, &found) && !alive(&p, STR_NONE, T0, &found));
    CHECK(!alive(&p, str_of(t.p, SESSION_TEXT_LEN - 1), T0, &found));
    CHECK(!session_text_valid(STR("pss-0123456789012345678901234567890123456789-_=")));
    people_end(&p);
}

// When rights change, the session gets another text, and the old one goes.
static void test_renewal(void) {
    struct people p;
    people_begin(&p, "renewal");
    add_user(&p, 1, "ada@example.com", GOOD);
    struct session_text old = signed_in(&p, "ada@example.com", T0);
    CHECK(alive(&p, session_text_str(&old), T0, &found) && !found.renewed);
    run(&p, "INSERT INTO access_grant (tenant_id, created_at, updated_at, principal_kind, principal_id, role)"
            " VALUES (1, 5, 5, 'user', 1, 'admin')");
    REQUIRE(alive(&p, session_text_str(&old), T0 + S, &found) && found.renewed);
    struct session_text fresh = found.text;
    CHECK(!str_eq(session_text_str(&old), session_text_str(&fresh)));
    struct str csrf = found.csrf;
    CHECK(alive(&p, session_text_str(&fresh), T0 + S, &found) && !found.renewed);
    CHECK_STR(found.csrf, csrf); // pages that are open go on
    CHECK(alive(&p, session_text_str(&old), T0 + 30 * S, &found) && !found.renewed);
    CHECK(!alive(&p, session_text_str(&old), T0 + 31 * S, &found));
    // Taken, changed, given through a team: each time.
    static const char *const changes[] = {
        "UPDATE access_grant SET revoked_at = 9, updated_at = 9", "DELETE FROM access_grant",
        "INSERT INTO team (id, tenant_id, created_at, updated_at, name) VALUES (7, 1, 1, 1, 'core');"
        "INSERT INTO team_member (tenant_id, team_id, principal_kind, principal_id, created_at)"
        " VALUES (1, 7, 'user', 1, 3)",
        "DELETE FROM team_member"};
    for (size_t i = 0; i < ARRAY_LEN(changes); i++) {
        run(&p, changes[i]);
        REQUIRE(alive(&p, session_text_str(&fresh), T0 + 2 * S, &found) && found.renewed);
        fresh = found.text;
    }
    // A revoked session is renewed no more.
    CHECK(session_revoke(sql_tenant(p.db, 1), found.who.session_id, T0, &err));
    run(&p, "INSERT INTO access_grant (tenant_id, created_at, updated_at, principal_kind, principal_id, role)"
            " VALUES (1, 5, 50, 'user', 1, 'admin')");
    CHECK(!alive(&p, session_text_str(&fresh), T0 + 2 * S, &found));
    people_end(&p);
}

struct listed {
    int64_t ids[16];
    size_t n;
};
static bool list_one(void *arg, const struct session_row *row, struct err *e) {
    struct listed *l = arg;
    (void)e;
    if (l->n < ARRAY_LEN(l->ids)) l->ids[l->n++] = row->id;
    return true;
}
static size_t list(struct people *p, int64_t tenant, int64_t user, int64_t before, int64_t limit, struct listed *l) {
    struct session_wanted w = {user, before, limit, T0 + S, 3600 * S};
    l->n = 0;
    REQUIRE(session_each(sql_tenant(p->db, tenant), &w, list_one, l, &err));
    return l->n;
}

static void test_list_and_revoke(void) {
    struct people p;
    struct listed l;
    int64_t n, user;
    people_begin(&p, "list");
    run(&p, "INSERT INTO tenant (id, name) VALUES (2, 'acme')");
    int64_t ada = add_user(&p, 1, "ada@example.com", GOOD), bob = add_user(&p, 1, "bob@example.com", GOOD);
    add_user(&p, 2, "eve@example.com", GOOD);
    struct session_text a1 = signed_in(&p, "ada@example.com", T0), a2 = signed_in(&p, "ada@example.com", T0);
    int64_t second = done.session.id;
    struct session_text b = signed_in(&p, "bob@example.com", T0);
    signed_in(&p, "eve@example.com", T0);
    CHECK_INT(list(&p, 1, ada, 0, 10, &l), 2);
    CHECK(l.ids[0] == second); // newest first
    CHECK_INT(list(&p, 1, ada, second, 10, &l), 1);
    CHECK_INT(list(&p, 1, 0, 0, 10, &l), 3);
    CHECK_INT(list(&p, 1, 0, 0, 2, &l), 2);
    CHECK_INT(list(&p, 2, 0, 0, 10, &l), 1);
    CHECK_INT(list(&p, 2, ada, 0, 10, &l), 0); // another tenant's
    CHECK(!session_revoke(sql_tenant(p.db, 2), second, T0, &err) && err.code == ERR_NOT_FOUND);
    CHECK(!session_owner(sql_tenant(p.db, 2), second, &user, &err) && err.code == ERR_NOT_FOUND);
    CHECK(session_owner(sql_tenant(p.db, 1), second, &user, &err) && user == ada);
    CHECK(session_revoke(sql_tenant(p.db, 1), second, T0, &err));
    CHECK(alive(&p, session_text_str(&a1), T0, &found) && !alive(&p, session_text_str(&a2), T0, &found));
    CHECK_INT(list(&p, 1, ada, 0, 10, &l), 1);
    CHECK(session_revoke_all(sql_tenant(p.db, 1), bob, 0, T0, &n, &err) && n == 1);
    CHECK(!alive(&p, session_text_str(&b), T0, &found));
    CHECK(session_purge(p.db, T0 + 2 * 86400 * S, &err));
    CHECK_INT(query(&p, "SELECT count(*) FROM session"), 0);
    char text[SESSION_ID_TEXT_LEN];
    session_id_text(text, second);
    CHECK(session_id_parse(str_of(text, sizeof text), &n) && n == second);
    CHECK(!session_id_parse(STR("session_"), &n) && !session_id_parse(STR("user_0000000000001"), &n));
    people_end(&p);
}

static void test_password_change(void) {
    struct people p;
    people_begin(&p, "change");
    add_user(&p, 1, "ada.lovelace@example.com", GOOD);
    struct session_text other = signed_in(&p, "ada.lovelace@example.com", T0),
                        own = signed_in(&p, "ada.lovelace@example.com", T0), fresh;
    REQUIRE(alive(&p, session_text_str(&own), T0, &found));
    struct who who = found.who;
    CHECK(!account_change_password(&p.room, &who, session_text_str(&own), STR("not the password"), STR(BETTER), T0,
                                   &p.arena, &fresh, &err) &&
          err.code == ERR_FORBIDDEN);
    CHECK(!account_change_password(&p.room, &who, session_text_str(&own), STR(GOOD), STR(GOOD), T0, &p.arena, &fresh,
                                   &err) &&
          err.code == ERR_INVALID_FIELD);
    static const char *const bad[] = {"short", "password123", "ada.lovelace1"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        CHECK(!account_change_password(&p.room, &who, session_text_str(&own), STR(GOOD), str_c(bad[i]), T0, &p.arena,
                                       &fresh, &err) &&
              err.code == ERR_INVALID_FIELD);
    CHECK(alive(&p, session_text_str(&other), T0, &found));
    REQUIRE(account_change_password(&p.room, &who, session_text_str(&own), STR(GOOD), STR(BETTER), T0, &p.arena, &fresh,
                                    &err));
    CHECK(!alive(&p, session_text_str(&other), T0, &found));
    CHECK(alive(&p, session_text_str(&fresh), T0, &found) && found.who.session_id == who.session_id);
    CHECK(!enter(&p, "ada.lovelace@example.com", GOOD, "", "", T0, &done));
    CHECK(enter(&p, "ada.lovelace@example.com", BETTER, "", "", T0, &done));
    CHECK_INT(events(&p, "user.change_password", AUDIT_OK), 1);
    CHECK_INT(events(&p, "user.change_password", AUDIT_DENIED), 1);
    // Guessing with a stolen session is locked like signing in.
    for (int i = 0; i < 5; i++)
        CHECK(!account_change_password(&p.room, &who, session_text_str(&fresh), STR("not the password"), STR(GOOD), T0,
                                       &p.arena, &own, &err));
    CHECK(!account_change_password(&p.room, &who, session_text_str(&fresh), STR(BETTER), STR(GOOD), T0, &p.arena, &own,
                                   &err) &&
          err.code == ERR_RATE_LIMITED);
    struct who key = {.principal = {PRINCIPAL_KEY, 1}, .home = 1};
    CHECK(!account_change_password(&p.room, &key, STR(""), STR(GOOD), STR(BETTER), T0, &p.arena, &own, &err) &&
          err.code == ERR_FORBIDDEN);
    people_end(&p);
}

static void test_due(void) {
    struct people p;
    struct session_text fresh;
    people_begin(&p, "due");
    int64_t ada = add_user(&p, 1, "ada@example.com", "");
    CHECK(!account_reset_password(&p.room, sql_tenant(p.db, 2), ada, STR(GOOD), true, T0, &p.arena, &err) &&
          err.code == ERR_NOT_FOUND);
    REQUIRE(account_reset_password(&p.room, sql_tenant(p.db, 1), ada, STR(GOOD), true, T0, &p.arena, &err));
    struct session_text t = signed_in(&p, "ada@example.com", T0);
    CHECK(done.due == SESSION_DUE_PASSWORD);
    REQUIRE(alive(&p, session_text_str(&t), T0, &found) && found.due == SESSION_DUE_PASSWORD);
    CHECK_STR(session_due_name(found.due), STR("password"));
    REQUIRE(account_change_password(&p.room, &found.who, session_text_str(&t), STR(GOOD), STR(BETTER), T0, &p.arena,
                                    &fresh, &err));
    CHECK(alive(&p, session_text_str(&fresh), T0, &found) && found.due == SESSION_DUE_NOTHING);
    p.auth.sign_in.second_factor = SECOND_FACTOR_REQUIRED;
    CHECK(alive(&p, session_text_str(&fresh), T0, &found) && found.due == SESSION_DUE_FACTOR);
    char secret[TOTP_SECRET_SIZE], code[8];
    struct recovery_codes codes, others;
    struct who who = found.who;
    REQUIRE(account_begin_totp(&p.room, &who, STR(BETTER), T0, &p.arena, secret, &err));
    CHECK(alive(&p, session_text_str(&fresh), T0, &found) && found.due == SESSION_DUE_FACTOR);
    snprintf(code, sizeof code, "%06u", totp_code(str_of(secret, sizeof secret), T0 / TOTP_STEP_NS));
    REQUIRE(account_confirm_totp(&p.room, &who, str_c(code), T0, &p.arena, &codes, &err));
    CHECK(alive(&p, session_text_str(&fresh), T0, &found) && found.due == SESSION_DUE_NOTHING);
    CHECK(!account_renew_codes(&p.room, &who, STR("wrong password 1"), T0, &p.arena, &others, &err));
    REQUIRE(account_renew_codes(&p.room, &who, STR(BETTER), T0, &p.arena, &others, &err));
    CHECK(memcmp(&codes, &others, sizeof codes) != 0);
    CHECK_INT(query(&p, "SELECT count(*) FROM recovery_code"), RECOVERY_CODES);
    CHECK(!account_end_totp(&p.room, &who, STR("wrong password 1"), T0, &p.arena, &err) && err.code == ERR_FORBIDDEN);
    REQUIRE(account_end_totp(&p.room, &who, STR(BETTER), T0, &p.arena, &err));
    CHECK(!account_end_totp(&p.room, &who, STR(BETTER), T0, &p.arena, &err) && err.code == ERR_NOT_FOUND);
    CHECK_INT(query(&p, "SELECT count(*) FROM recovery_code"), 0);
    CHECK(alive(&p, session_text_str(&fresh), T0, &found) && found.due == SESSION_DUE_FACTOR);
    people_end(&p);
}

static struct str cookie_of(const char *field, bool tls, const char *peer, const char *host) {
    struct session_door door = {tls, str_c(peer), str_c(host)};
    struct str text;
    return session_cookie_find(str_c(field), &door, &text) ? text : STR("(none)");
}

static void test_cookie(void) {
    struct session_door tls = {true, STR("192.0.2.1"), STR("ai.example.com")};
    struct session_door plain = {false, STR("127.0.0.1"), STR("localhost:8080")};
    struct session_door proxied = {false, STR("127.0.0.1"), STR("ai.example.com")};
    CHECK(!session_door_is_plain(&tls) && session_door_is_plain(&plain) && !session_door_is_plain(&proxied));
    CHECK(session_door_is_plain(&(struct session_door){false, STR("::1"), STR("[::1]:8080")}));
    CHECK(!session_door_is_plain(&(struct session_door){false, STR("192.0.2.1"), STR("localhost")}));
    struct buf out = BUF_INIT(1000);
    session_cookie_put(&out, &tls, STR("abc"), 60);
    CHECK_STR(buf_str(&out), STR("__Host-penstock-session=abc; Path=/; HttpOnly; SameSite=Strict; Max-Age=60; Secure"));
    buf_clear(&out);
    session_cookie_put(&out, &plain, STR("abc"), 60);
    CHECK_STR(buf_str(&out), STR("penstock-session=abc; Path=/; HttpOnly; SameSite=Strict; Max-Age=60"));
    buf_clear(&out);
    session_cookie_put(&out, &plain, STR(""), 60);
    CHECK_STR(buf_str(&out), STR("penstock-session=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0"));
    buf_free(&out);
    CHECK_STR(cookie_of("a=b; __Host-penstock-session=xyz; c=d", true, "1.2.3.4", "x"), STR("xyz"));
    CHECK_STR(cookie_of("penstock-session=xyz", true, "1.2.3.4", "x"), STR("(none)"));
    CHECK_STR(cookie_of("penstock-session=xyz", false, "127.0.0.1", "localhost"), STR("xyz"));
    CHECK_STR(cookie_of("__Host-penstock-session=a; __Host-penstock-session=b", true, "1.2.3.4", "x"), STR("(none)"));
    static const char *const none[] = {"",
                                       ";",
                                       "=",
                                       "__Host-penstock-session",
                                       "__Host-penstock-session=",
                                       "x=1;;;= ;",
                                       "__host-penstock-session=a",
                                       "a__Host-penstock-session=a"};
    for (size_t i = 0; i < ARRAY_LEN(none); i++) CHECK_STR(cookie_of(none[i], true, "1.2.3.4", "x"), STR("(none)"));
}

static bool origin_ok(const char *csrf, const char *origin, const char *site, const char *host) {
    struct session_origin from = {
        .csrf_header = str_c(csrf), .origin = str_c(origin), .fetch_site = str_c(site), .host = str_c(host)};
    struct str token = STR("token-of-the-session");
    err = (struct err){0};
    bool ok = session_origin_check(&from, &token, &err);
    CHECK(ok || err.code == ERR_FORBIDDEN);
    return ok;
}

static void test_origin(void) {
    const char *t = "token-of-the-session";
    CHECK(origin_ok(t, "", "", "ai.example.com"));
    CHECK(origin_ok(t, "https://ai.example.com", "same-origin", "ai.example.com"));
    CHECK(origin_ok(t, "https://AI.example.com", "", "ai.example.com:443"));
    CHECK(origin_ok(t, "http://localhost:8080", "none", "localhost:8080"));
    CHECK(!origin_ok("", "https://ai.example.com", "same-origin", "ai.example.com"));
    CHECK(!origin_ok("token-of-the-sessioo", "", "", "ai.example.com"));
    CHECK(!origin_ok("token-of-the-session ", "", "", "ai.example.com"));
    static const char *const others[] = {"https://evil.example",
                                         "https://ai.example.com.evil.example",
                                         "https://ai.example.com:8443",
                                         "null",
                                         "ai.example.com",
                                         "ftp://ai.example.com",
                                         "https://",
                                         "https://evil.example/ai.example.com",
                                         "https://xai.example.com"};
    for (size_t i = 0; i < ARRAY_LEN(others); i++) CHECK(!origin_ok(t, others[i], "", "ai.example.com"));
    CHECK(!origin_ok(t, "https://ai.example.com", "cross-site", "ai.example.com"));
    CHECK(!origin_ok(t, "", "same-site", "ai.example.com"));
    CHECK(!origin_ok(t, "https://ai.example.com", "", ""));
    // Before there is a session, only where it comes from counts.
    struct session_origin from = {.host = STR("ai.example.com")};
    CHECK(session_origin_check(&from, NULL, &err));
    from.origin = STR("https://evil.example");
    CHECK(!session_origin_check(&from, NULL, &err));
    // Who came by TLS was not sent by a page that did not.
    from.origin = STR("http://ai.example.com");
    CHECK(session_origin_check(&from, NULL, &err));
    from.tls = true;
    CHECK(!session_origin_check(&from, NULL, &err));
    from.origin = STR("https://ai.example.com");
    CHECK(session_origin_check(&from, NULL, &err));
    // A session without a token, of a damaged row, is not matched by none.
    from.origin = STR("");
    CHECK(!session_origin_check(&from, &(struct str){"", 0}, &err));
}

// --- with a hundred thousand users, nothing is searched row by row ---

static int64_t g_scanned, g_steps, g_statements;

static int on_profile(unsigned what, void *ctx, void *stmt, void *ns) {
    (void)what, (void)ctx, (void)ns;
    g_scanned += sqlite3_stmt_status(stmt, SQLITE_STMTSTATUS_FULLSCAN_STEP, 1);
    g_steps += sqlite3_stmt_status(stmt, SQLITE_STMTSTATUS_VM_STEP, 1);
    g_statements++;
    return 0;
}

static int on_open(sqlite3 *db, const char **message, const struct sqlite3_api_routines *api) {
    (void)message, (void)api;
    return sqlite3_trace_v2(db, SQLITE_TRACE_PROFILE, on_profile, NULL);
}

static void test_plans(void) {
    struct people p;
    int (*hook)(sqlite3 *, const char **, const struct sqlite3_api_routines *) = on_open;
    void (*entry)(void);
    memcpy(&entry, &hook, sizeof entry);
    REQUIRE(sqlite3_auto_extension(entry) == SQLITE_OK);
    people_begin(&p, "plans");
    sqlite3_reset_auto_extension();
    run(&p, "BEGIN; WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000)"
            " INSERT INTO app_user (tenant_id, created_at, updated_at, email)"
            " SELECT 1, 1, 1, 'user' || i || '@example.com' FROM n;"
            " INSERT INTO session (tenant_id, user_id, hash, created_at, seen_at, expires_at)"
            " SELECT 1, id, CAST(substr('00000000000000000000000000000000' || id, -32, 32) AS BLOB), 1, 1, "
            "9000000000000000000"
            " FROM app_user WHERE id < 20000;"
            " INSERT INTO access_grant (tenant_id, created_at, updated_at, principal_kind, principal_id, role)"
            " SELECT 1, 1, 1, 'user', id, 'viewer' FROM app_user WHERE id < 20000; COMMIT");
    REQUIRE(account_reset_password(&p.room, sql_tenant(p.db, 1), 77777, STR(GOOD), false, T0, &p.arena, &err));
    struct session_text t = signed_in(&p, "user77777@example.com", T0);
    g_scanned = g_steps = g_statements = 0;
    t = signed_in(&p, "user77777@example.com", T0);
    CHECK(!enter(&p, "user77777@example.com", "wrong password 1", "", "", T0, &done));
    CHECK(!enter(&p, "nobody@example.com", "wrong password 1", "", "", T0, &done));
    REQUIRE(alive(&p, session_text_str(&t), T0 + 100 * S, &found));
    CHECK(g_statements > 10);
    CHECK_INT(g_scanned, 0);
    CHECK(g_steps < 20000); // of the virtual machine, for all of it: some hundred for each statement
    // What this looks at would show: it is not blind.
    g_scanned = 0;
    CHECK_INT(query(&p, "SELECT count(*) FROM app_user WHERE name = 'x'"), 0);
    CHECK(g_scanned > 90000);
    people_end(&p);
}

TEST_MAIN(test_life, test_bad_text, test_renewal, test_list_and_revoke, test_password_change, test_due, test_cookie,
          test_origin, test_plans)
