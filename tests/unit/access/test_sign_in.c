// Tests of access/sign_in.h: who gets in, that what is wrong does not show, locks, tenants, the second factor.
#include "check.h"
#include "people.h"

static struct sign_in_done done;

// Refused with the one answer there is.
static bool refused(struct people *p, const char *email, const char *password, const char *tenant, const char *code,
                    int64_t now) {
    return !enter(p, email, password, tenant, code, now, &done) && err.code == ERR_CREDENTIALS && err.status == 401 &&
           !strcmp(err.message, "the e-mail address or the password is wrong, or the code") && !err.param[0];
}

static void test_enters(void) {
    struct people p;
    struct session_found found;
    people_begin(&p, "enters");
    int64_t id = add_user(&p, 1, "ada@example.com", GOOD);
    REQUIRE(enter(&p, "ada@example.com", GOOD, "", "", T0, &done));
    CHECK_INT(done.user.id, id);
    CHECK(!done.second_factor && done.due == SESSION_DUE_NOTHING);
    CHECK(alive(&p, text_of(&done), T0 + S, &found) && found.who.principal.id == id);
    CHECK_STR(found.who.name, STR("ada@example.com"));
    CHECK_INT(found.who.session_id, done.session.id);
    CHECK_STR(found.csrf, str_of(done.session.csrf, SESSION_CSRF_LEN));
    // Every time another session.
    struct sign_in_done again;
    REQUIRE(enter(&p, "  ADA@Example.COM ", GOOD, "", "", T0, &again));
    CHECK(!str_eq(text_of(&done), text_of(&again)));
    CHECK_INT(events(&p, "session.sign_in", AUDIT_OK), 2);
    CHECK_INT(query(&p, "SELECT last_sign_in_at FROM app_user WHERE id = 1"), T0);
    // Neither text nor password is anywhere in the database.
    CHECK_INT(query(&p, "SELECT count(*) FROM app_user WHERE password_hash LIKE '$argon2id$v=19$m=8192,t=1,p=1$%'"), 1);
    struct who who = found.who;
    CHECK(sign_out(&p.room, &who, T0 + S, &err));
    CHECK(!alive(&p, text_of(&done), T0 + S, &found) && err.code == ERR_UNAUTHENTICATED);
    CHECK(!sign_out(&p.room, &who, T0 + S, &err) && err.code == ERR_NOT_FOUND);
    CHECK(alive(&p, text_of(&again), T0 + S, &found));
    CHECK_INT(events(&p, "session.sign_out", AUDIT_OK), 1);
    people_end(&p);
}

// Whether an address is known shows in nothing.
static void test_enumeration(void) {
    struct people p;
    people_begin(&p, "enumeration");
    p.auth.sign_in.max_failures = 3;
    add_user(&p, 1, "known@example.com", GOOD);
    add_user(&p, 1, "nopassword@example.com", "");
    int64_t gone = add_user(&p, 1, "gone@example.com", GOOD);
    (void)gone;
    run(&p, "UPDATE app_user SET status = 'suspended' WHERE email = 'gone@example.com'");
    static const struct {
        const char *email, *password;
    } k[] = {{"known@example.com", "wrong password 1"},
             {"unknown@example.com", "wrong password 1"},
             {"nopassword@example.com", "wrong password 1"},
             {"gone@example.com", GOOD}};
    for (size_t i = 0; i < ARRAY_LEN(k); i++) {
        for (int n = 0; n < 3; n++) CHECK(refused(&p, k[i].email, k[i].password, n == 1 ? "nowhere" : "", "", T0 + n));
        // Locked alike, told alike, and then not even the right password helps.
        CHECK(!enter(&p, k[i].email, GOOD, "", "", T0 + 3, &done) && err.code == ERR_RATE_LIMITED);
        CHECK_STR(str_c(err.message), STR("too many failed sign-ins with this e-mail address: try again in 30 s"));
    }
    CHECK_INT(query(&p, "SELECT failed_count FROM app_user WHERE email = 'known@example.com'"), 3);
    CHECK_INT(events(&p, "session.lock_out", AUDIT_DENIED), 4);
    CHECK_INT(events(&p, "session.sign_in", AUDIT_DENIED), 12);
    // What was typed is not kept in the clear.
    CHECK_INT(query(&p, "SELECT count(*) FROM sign_in_failure WHERE subject LIKE '%example%'"), 0);
    people_end(&p);
}

static void test_lock(void) {
    struct people p;
    people_begin(&p, "lock");
    add_user(&p, 1, "ada@example.com", GOOD);
    int64_t now = T0;
    for (int i = 0; i < 5; i++) CHECK(refused(&p, "ada@example.com", "wrong password 1", "", "", now++));
    CHECK(!enter(&p, "ada@example.com", GOOD, "", "", now, &done) && err.code == ERR_RATE_LIMITED && err.status == 429);
    CHECK(!enter(&p, "ada@example.com", GOOD, "", "", now + 29 * S, &done) && strstr(err.message, "in 1 s"));
    now += 30 * S;
    CHECK(refused(&p, "ada@example.com", "wrong password 1", "", "", now)); // twice as long now
    CHECK(!enter(&p, "ada@example.com", GOOD, "", "", now + 59 * S, &done) && err.code == ERR_RATE_LIMITED);
    CHECK(enter(&p, "ada@example.com", GOOD, "", "", now + 60 * S, &done));
    // Success forgets.
    now += 61 * S;
    for (int i = 0; i < 4; i++) CHECK(refused(&p, "ada@example.com", "wrong password 1", "", "", now++));
    CHECK(enter(&p, "ada@example.com", GOOD, "", "", now, &done));
    CHECK_INT(query(&p, "SELECT failed_count + locked_until FROM app_user WHERE id = 1"), 0);
    // An administrator's reset takes a lock off.
    for (int i = 0; i < 5; i++) CHECK(refused(&p, "ada@example.com", "wrong password 1", "", "", now++));
    CHECK(!enter(&p, "ada@example.com", GOOD, "", "", now, &done) && err.code == ERR_RATE_LIMITED);
    CHECK(account_reset_password(&p.room, sql_tenant(p.db, 1), 1, STR(BETTER), false, now, &p.arena, &err));
    CHECK(enter(&p, "ada@example.com", BETTER, "", "", now, &done));
    people_end(&p);
}

static void test_address(void) {
    struct people p;
    people_begin(&p, "address");
    p.auth.sign_in.max_address_failures = 10;
    add_user(&p, 1, "ada@example.com", GOOD);
    char email[64];
    p.room.from.address = STR("2001:db8:1:2::1");
    for (int i = 0; i < 10; i++) {
        snprintf(email, sizeof email, "guess%d@example.com", i);
        CHECK(refused(&p, email, "wrong password 1", "", "", T0));
    }
    // Another address of the same network.
    p.room.from.address = STR("2001:db8:1:2:ffff::9");
    CHECK(!enter(&p, "ada@example.com", GOOD, "", "", T0, &done) && err.code == ERR_RATE_LIMITED);
    CHECK(strstr(err.message, "client address"));
    p.room.from.address = STR("2001:db8:1:3::1");
    CHECK(enter(&p, "ada@example.com", GOOD, "", "", T0, &done));
    // Those who get in are not counted; a command has no address.
    for (int i = 0; i < 20; i++) CHECK(enter(&p, "ada@example.com", GOOD, "", "", T0, &done));
    p.room.from.address = STR("");
    CHECK(enter(&p, "ada@example.com", GOOD, "", "", T0, &done));
    people_end(&p);
}

static void test_tenants(void) {
    struct people p;
    people_begin(&p, "tenants");
    run(&p, "INSERT INTO tenant (id, name) VALUES (2, 'acme'), (3, 'globex'), (4, 'initech'), (5, 'umbrella')");
    int64_t a = add_user(&p, 2, "ada@example.com", GOOD), b = add_user(&p, 3, "ada@example.com", BETTER);
    CHECK(enter(&p, "ada@example.com", GOOD, "", "", T0, &done) && done.user.id == a);
    CHECK(enter(&p, "ada@example.com", BETTER, "", "", T0, &done) && done.user.id == b);
    CHECK_STR(done.user.tenant, STR("globex"));
    CHECK(enter(&p, "ada@example.com", GOOD, "acme", "", T0, &done) && done.user.id == a);
    CHECK(enter(&p, "ada@example.com", GOOD, "tenant_0000000000002", "", T0, &done) && done.user.id == a);
    CHECK(refused(&p, "ada@example.com", GOOD, "globex", "", T0));
    CHECK(refused(&p, "ada@example.com", GOOD, "initech", "", T0));
    CHECK(refused(&p, "ada@example.com", GOOD, "no-such-tenant", "", T0));
    CHECK(refused(&p, "ada@example.com", GOOD, "tenant_0000000000999", "", T0));
    CHECK(enter(&p, "ada@example.com", GOOD, "acme", "", T0, &done));
    // The same password in two: it must be said which.
    add_user(&p, 4, "ada@example.com", GOOD);
    CHECK(!enter(&p, "ada@example.com", GOOD, "", "", T0, &done) && err.code == ERR_INVALID_FIELD);
    CHECK(enter(&p, "ada@example.com", GOOD, "initech", "", T0, &done) && done.user.tenant_id == 4);
    // Beyond the bound it must be named.
    add_user(&p, 5, "ada@example.com", "a fourth password it is");
    CHECK(refused(&p, "ada@example.com", "a fourth password it is", "", "", T0));
    CHECK(enter(&p, "ada@example.com", "a fourth password it is", "umbrella", "", T0, &done));
    run(&p, "UPDATE tenant SET status = 'suspended' WHERE id = 3");
    CHECK(refused(&p, "ada@example.com", BETTER, "globex", "", T0));
    people_end(&p);
}

static void code_of(const char secret[TOTP_SECRET_SIZE], int64_t now, char out[8]) {
    snprintf(out, 8, "%06u", totp_code(str_of(secret, TOTP_SECRET_SIZE), now / TOTP_STEP_NS));
}

// Sets up a second factor for who signed in last.
static void enrol(struct people *p, int64_t now, char secret[TOTP_SECRET_SIZE], struct recovery_codes *codes) {
    struct session_found found;
    char code[8];
    REQUIRE(alive(p, text_of(&done), now, &found));
    CHECK(!account_confirm_totp(&p->room, &found.who, STR("123456"), now, &p->arena, codes, &err));
    CHECK(!account_begin_totp(&p->room, &found.who, STR("wrong password 1"), now, &p->arena, secret, &err) &&
          err.code == ERR_FORBIDDEN);
    REQUIRE(account_begin_totp(&p->room, &found.who, STR(GOOD), now, &p->arena, secret, &err));
    CHECK(!account_confirm_totp(&p->room, &found.who, STR("000000"), now, &p->arena, codes, &err) &&
          err.code == ERR_INVALID_FIELD);
    code_of(secret, now, code);
    REQUIRE(account_confirm_totp(&p->room, &found.who, str_c(code), now, &p->arena, codes, &err));
    CHECK(!account_begin_totp(&p->room, &found.who, STR(GOOD), now, &p->arena, secret, &err) && err.code == ERR_EXISTS);
}

static void test_second_factor(void) {
    struct people p;
    struct recovery_codes codes;
    char secret[TOTP_SECRET_SIZE], code[8];
    people_begin(&p, "factor");
    add_user(&p, 1, "ada@example.com", GOOD);
    REQUIRE(enter(&p, "ada@example.com", GOOD, "", "", T0, &done));
    enrol(&p, T0, secret, &codes);
    CHECK_INT(query(&p, "SELECT count(*) FROM recovery_code"), RECOVERY_CODES);
    // The secret is sealed.
    CHECK(query(&p, "SELECT length(totp_secret) FROM app_user WHERE id = 1") > TOTP_SECRET_SIZE);
    for (int i = 0; i < 20; i++) // asking for the code is no failure
        CHECK(!enter(&p, "ada@example.com", GOOD, "", "", T0, &done) && err.code == ERR_SECOND_FACTOR);
    CHECK(
        refused(&p, "ada@example.com", "wrong password 1", "", "", T0)); // nor does it say more than the password does
    int64_t now = T0 + 60 * S;
    code_of(secret, T0, code);
    CHECK(refused(&p, "ada@example.com", GOOD, "", code, now)); // the code it was confirmed with
    code_of(secret, now, code);
    CHECK(refused(&p, "ada@example.com", "wrong password 1", "", code, now));
    REQUIRE(enter(&p, "ada@example.com", GOOD, "", code, now, &done));
    CHECK(done.second_factor && !done.recovery);
    CHECK(refused(&p, "ada@example.com", GOOD, "", code, now)); // once each
    char recovery[RECOVERY_CODE_LEN + 1] = "";
    memcpy(recovery, codes.p[3], RECOVERY_CODE_LEN);
    REQUIRE(enter(&p, "ada@example.com", GOOD, "", recovery, now, &done));
    CHECK(done.second_factor && done.recovery);
    CHECK(refused(&p, "ada@example.com", GOOD, "", recovery, now)); // likewise
    CHECK_INT(query(&p, "SELECT count(*) FROM recovery_code WHERE used_at > 0"), 1);
    people_end(&p);
}

// Guessing codes with the right password is locked like guessing passwords.
static void test_code_guessing(void) {
    struct people p;
    struct recovery_codes codes;
    char secret[TOTP_SECRET_SIZE], code[8];
    people_begin(&p, "guessing");
    add_user(&p, 1, "ada@example.com", GOOD);
    REQUIRE(enter(&p, "ada@example.com", GOOD, "", "", T0, &done));
    enrol(&p, T0, secret, &codes);
    int64_t now = T0 + 90 * S;
    code_of(secret, now + 3600 * S, code);
    for (int i = 0; i < 5; i++) {
        CHECK(refused(&p, "ada@example.com", GOOD, "", code, now));
        CHECK(!enter(&p, "ada@example.com", GOOD, "", "", now, &done)); // sets nothing back
    }
    code_of(secret, now, code);
    CHECK(!enter(&p, "ada@example.com", GOOD, "", code, now, &done) && err.code == ERR_RATE_LIMITED);
    people_end(&p);
}

static void test_renewed_hash(void) {
    struct people p;
    people_begin(&p, "rehash");
    add_user(&p, 1, "ada@example.com", GOOD);
    p.auth.password.passes = 2;
    CHECK(refused(&p, "ada@example.com", "wrong password 1", "", "", T0));
    CHECK_INT(query(&p, "SELECT count(*) FROM app_user WHERE password_hash LIKE '%,t=1,%'"), 1);
    CHECK(enter(&p, "ada@example.com", GOOD, "", "", T0, &done));
    CHECK_INT(query(&p, "SELECT count(*) FROM app_user WHERE password_hash LIKE '%,t=2,%'"), 1);
    CHECK(enter(&p, "ada@example.com", GOOD, "", "", T0, &done));
    p.auth.password.passes = 1; // never back
    CHECK(enter(&p, "ada@example.com", GOOD, "", "", T0, &done));
    CHECK_INT(query(&p, "SELECT count(*) FROM app_user WHERE password_hash LIKE '%,t=2,%'"), 1);
    people_end(&p);
}

static void test_bad_input(void) {
    struct people p;
    people_begin(&p, "bad");
    add_user(&p, 1, "ada@example.com", GOOD);
    static char huge[100001];
    memset(huge, 'a', sizeof huge - 1);
    static const char *const k[] = {"",        " ",     "ada", "@", "@example.com", "ada@", "ada @example.com",
                                    "a\x01@b", "\xff@b"};
    for (size_t i = 0; i < ARRAY_LEN(k); i++)
        CHECK(!enter(&p, k[i], GOOD, "", "", T0, &done) && err.code == ERR_INVALID_FIELD &&
              !strcmp(err.param, "email"));
    CHECK(!enter(&p, huge, GOOD, "", "", T0, &done) && err.code == ERR_INVALID_FIELD);
    CHECK(refused(&p, "ada@example.com", "", "", "", T0));
    CHECK(refused(&p, "ada@example.com", huge, "", "", T0));
    CHECK(refused(&p, "ada@example.com", GOOD " ", huge, huge, T0));
    CHECK(refused(&p, "ada@example.com'or'1'='1", GOOD, "", "", T0));
    people_end(&p);
}

TEST_MAIN(test_enters, test_enumeration, test_lock, test_address, test_tenants, test_second_factor, test_code_guessing,
          test_renewed_hash, test_bad_input)
