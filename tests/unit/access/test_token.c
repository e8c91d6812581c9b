// Tests of access/token.h: what is signed passes, everything else is refused; rotation with overlap; the key set.
#include "check.h"
#include "people.h"

#include "access/token.h"
#include "base/json_read.h"
#include "base/text.h"

#include <sodium.h>

static struct token_claims wanted(int64_t now) {
    struct token_claims c = {
        .principal = {PRINCIPAL_USER, 42}, .home = 1, .tenant = 3, .session_id = 9, .expires_at = now + 600 * S};
    REQUIRE(permission_add(&c.scopes, STR("model:use"), &err) && permission_add(&c.scopes, STR("key:*"), &err));
    return c;
}

static struct token_keys *load(struct people *p, int64_t now) {
    struct token_keys *keys;
    REQUIRE(token_keys_load(p->db, now, &keys, &err));
    return keys;
}

static struct str make(struct people *p, struct token_claims c, int64_t now, struct buf *out) {
    bool fresh;
    buf_init(out, TOKEN_MAX);
    REQUIRE(token_make(p->db, &p->dir, &p->auth, now, &c, out, &fresh, &err));
    return buf_str(out);
}

static bool passes(const struct token_keys *keys, struct str text, int64_t now, struct token_claims *out) {
    err = (struct err){0};
    return token_check(keys, text, now, out, &err);
}

static bool refused(const struct token_keys *keys, struct str text, int64_t now, const char *why) {
    struct token_claims c;
    if (passes(keys, text, now, &c)) return false;
    bool ok = err.code == ERR_UNAUTHENTICATED && strstr(err.message, why);
    if (!ok) fprintf(stderr, "got: %s\n", err.message);
    return ok;
}

static void test_round(void) {
    struct people p;
    struct buf text;
    struct token_claims c;
    people_begin(&p, "round");
    struct str token = make(&p, wanted(T0), T0, &text);
    struct token_keys *keys = load(&p, T0);
    CHECK(token_looks_like(token));
    REQUIRE(passes(keys, token, T0, &c));
    CHECK(c.principal.kind == PRINCIPAL_USER && c.principal.id == 42);
    CHECK(c.home == 1 && c.tenant == 3 && c.session_id == 9 && c.key_id == 0);
    CHECK(c.issued_at == T0 && c.not_before == T0 && c.expires_at == T0 + 600 * S);
    CHECK(permission_has(&c.scopes, RESOURCE_MODEL, ACTION_USE) &&
          permission_has(&c.scopes, RESOURCE_KEY, ACTION_ROTATE));
    CHECK(!permission_has(&c.scopes, RESOURCE_MODEL, ACTION_READ) &&
          !permission_has(&c.scopes, RESOURCE_USER, ACTION_READ));
    CHECK(passes(keys, token, T0 + 600 * S - 1, &c));
    CHECK(refused(keys, token, T0 + 600 * S, "expired"));
    CHECK(passes(keys, token, T0 - 10 * S, &c)); // another replica's clock
    CHECK(refused(keys, token, T0 - 11 * S, "its time has not come"));
    // Each is another one.
    struct buf again;
    CHECK(!str_eq(token, make(&p, wanted(T0), T0, &again)));
    buf_free(&again);
    static const struct principal kinds[] = {{PRINCIPAL_SERVICE_ACCOUNT, 7}, {PRINCIPAL_KEY, INT64_MAX}};
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        struct token_claims w = wanted(T0);
        w.principal = kinds[i], w.key_id = 5, w.session_id = 0;
        CHECK(passes(keys, make(&p, w, T0, &again), T0, &c));
        CHECK(c.principal.kind == kinds[i].kind && c.principal.id == kinds[i].id && c.key_id == 5 && !c.session_id);
        buf_free(&again);
    }
    // The whole matrix fits.
    struct token_claims w = wanted(T0);
    REQUIRE(permission_add(&w.scopes, STR("*"), &err));
    CHECK(passes(keys, make(&p, w, T0, &again), T0, &c) && permission_subset(&w.scopes, &c.scopes));
    buf_free(&again);
    token_keys_unref(keys);
    buf_free(&text);
    people_end(&p);
}

static void test_lifetime(void) {
    struct people p;
    bool fresh;
    struct buf out = BUF_INIT(TOKEN_MAX);
    people_begin(&p, "lifetime");
    static const int64_t bad[] = {0, -1, 3600 * S + 1, INT64_MAX - T0};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct token_claims c = wanted(T0);
        c.expires_at = T0 + bad[i];
        CHECK(!token_make(p.db, &p.dir, &p.auth, T0, &c, &out, &fresh, &err) && err.code == ERR_INVALID_FIELD);
    }
    CHECK_INT(query(&p, "SELECT count(*) FROM token_key"), 0);
    buf_free(&out);
    people_end(&p);
}

// Any change of any character.
static void test_tampered(void) {
    struct people p;
    struct buf text;
    struct token_claims c;
    people_begin(&p, "tampered");
    struct str token = make(&p, wanted(T0), T0, &text);
    struct token_keys *keys = load(&p, T0);
    size_t bad = 0;
    for (size_t i = 0; i < token.n; i++) {
        char was = text.p[i];
        text.p[i] = was == 'A' ? 'B' : 'A';
        bad += passes(keys, token, T0, &c);
        text.p[i] = (char)(was ^ 1);
        bad += passes(keys, token, T0, &c);
        text.p[i] = was;
        bad += passes(keys, str_head(token, i), T0, &c);
    }
    CHECK_INT(bad, 0);
    CHECK(passes(keys, token, T0, &c));
    static const char *const junk[] = {"",          "ps_at_",      "ps_at_.",     "ps_at_..",
                                       "ps_at_...", "ps_at_a.b.c", "ps_at_=.=.=", "ey.ey.ey"};
    for (size_t i = 0; i < ARRAY_LEN(junk); i++) CHECK(!passes(keys, str_c(junk[i]), T0, &c));
    CHECK(!passes(keys, str_from(token, 6), T0, &c)); // without its prefix
    buf_putc(&text, '=');
    CHECK(refused(keys, buf_str(&text), T0, "damaged"));
    text.n--;
    buf_lit(&text, ".x");
    CHECK(refused(keys, buf_str(&text), T0, "cut, or is none"));
    static char huge[TOKEN_MAX + 100];
    memset(huge, 'a', sizeof huge);
    memcpy(huge, "ps_at_", 6);
    huge[1000] = huge[4000] = '.';
    CHECK(refused(keys, str_of(huge, sizeof huge), T0, "cut"));
    CHECK(!passes(keys, str_of(huge, TOKEN_MAX), T0, &c));
    token_keys_unref(keys);
    buf_free(&text);
    people_end(&p);
}

// --- tokens of our own making, rightly signed ---

struct forge {
    struct token_key_row row;
    unsigned char secret[crypto_sign_ed25519_SECRETKEYBYTES];
};

static void forge_begin(struct people *p, struct forge *f, const char *kid) {
    f->row =
        (struct token_key_row){.kid = str_c(kid), .signs_from = T0, .signs_until = T0 + 1, .retires_at = T0 + 900 * S};
    crypto_sign_ed25519_keypair((unsigned char *)f->row.public_key, f->secret);
    REQUIRE(token_key_insert(p->db, &f->row, &f->row.id, &err));
}

static struct str forged(const struct forge *f, const char *header, const char *claims, struct buf *out) {
    unsigned char signature[crypto_sign_ed25519_BYTES];
    buf_init(out, 100000);
    buf_lit(out, "ps_at_");
    base64url_put(out, str_c(header));
    buf_putc(out, '.');
    base64url_put(out, str_c(claims));
    crypto_sign_ed25519_detached(signature, NULL, (unsigned char *)out->p + 6, out->n - 6, f->secret);
    buf_putc(out, '.');
    base64url_put(out, str_of((char *)signature, sizeof signature));
    return buf_str(out);
}

#define KID "0123456789012345678901234567890123456789012"
#define HEADER "{\"alg\":\"EdDSA\",\"typ\":\"at+jwt\",\"kid\":\"" KID "\"}"
#define CLAIMS_FROM(iss, sub, tenant, scope, exp, jti, more)                                                           \
    "{\"iss\":\"" iss "\",\"sub\":\"" sub "\",\"tenant\":\"" tenant "\",\"home\":\"tenant_0000000000001\","            \
    "\"scope\":\"" scope "\",\"iat\":1700000000,\"nbf\":1700000000,\"exp\":" exp ",\"jti\":\"" jti "\"" more "}"
#define SUB "user_000000000001a"
#define TEN "tenant_0000000000003"
#define JTI "0123456789012345678901"

static void forged_claims(const struct forge *f, const struct token_keys *keys) {
    struct buf text;
    static const char *const claims[] = {
        CLAIMS_FROM("else", SUB, TEN, "model:use", "1700000500", JTI, ""),
        CLAIMS_FROM("penstock", "root", TEN, "model:use", "1700000500", JTI, ""),
        CLAIMS_FROM("penstock", "operator_0000000000001", TEN, "model:use", "1700000500", JTI, ""),
        CLAIMS_FROM("penstock", "user_0000000000000", TEN, "model:use", "1700000500", JTI, ""),
        CLAIMS_FROM("penstock", "user_fzzzzzzzzzzzz", TEN, "model:use", "1700000500", JTI, ""),
        CLAIMS_FROM("penstock", SUB, "3", "model:use", "1700000500", JTI, ""),
        CLAIMS_FROM("penstock", SUB, "tenant_0000000000000", "model:use", "1700000500", JTI, ""),
        CLAIMS_FROM("penstock", SUB, TEN, "model:fly", "1700000500", JTI, ""),
        CLAIMS_FROM("penstock", SUB, TEN, "model:use", "1e10", JTI, ""),
        CLAIMS_FROM("penstock", SUB, TEN, "model:use", "-5", JTI, ""),
        CLAIMS_FROM("penstock", SUB, TEN, "model:use", "99999999999999999", JTI, ""),
        CLAIMS_FROM("penstock", SUB, TEN, "model:use", "\\\"1700000500\\\"", JTI, ""),
        CLAIMS_FROM("penstock", SUB, TEN, "model:use", "1700000500", "short", ""),
        CLAIMS_FROM("penstock", SUB, TEN, "model:use", "1700000500", JTI, ",\"key\":\"user_0000000000001\""),
        CLAIMS_FROM("penstock", SUB, TEN, "model:use", "1700000500", JTI, ",\"key\":5"),
        CLAIMS_FROM("penstock", SUB, TEN, "model:use", "1700000500", JTI, ",\"sid\":null"),
        CLAIMS_FROM("penstock", SUB, TEN, "model:use", "1700000500", JTI, ",\"exp\":1700009999"),
        "{}",
        "[]",
        ""};
    for (size_t i = 0; i < ARRAY_LEN(claims); i++) {
        if (!refused(keys, forged(f, HEADER, claims[i], &text), T0, "not valid"))
            fprintf(stderr, "%s\n", claims[i]), g_check_failures++;
        buf_free(&text);
    }
}

static void forged_keys(const struct forge *f, const struct token_keys *keys, const char *good) {
    struct buf text;
    struct token_claims c;
    // Another's key, under a known and under an unknown name.
    struct forge other = *f;
    crypto_sign_ed25519_keypair((unsigned char *)other.row.public_key, other.secret);
    CHECK(refused(keys, forged(&other, HEADER, good, &text), T0, "its signature"));
    buf_free(&text);
    CHECK(!passes(keys, forged(f, "{\"alg\":\"EdDSA\",\"typ\":\"at+jwt\",\"kid\":\"other\"}", good, &text), T0, &c));
    CHECK(err.code == ERR_NOT_FOUND);
    buf_free(&text);
    // A key that is gone takes its tokens with it, whatever they say.
    const char *later = CLAIMS_FROM("penstock", SUB, TEN, "model:use", "1700005000", JTI, "");
    CHECK(refused(keys, forged(f, HEADER, later, &text), T0 + 900 * S, "no longer in use"));
    buf_free(&text);
}

static void test_forged(void) {
    struct people p;
    struct forge f;
    struct buf text;
    struct token_claims c;
    people_begin(&p, "forged");
    forge_begin(&p, &f, KID);
    struct token_keys *keys = load(&p, T0);
    const char *good = CLAIMS_FROM("penstock", SUB, TEN, "model:use", "1700000500", JTI, "");
    CHECK(passes(keys, forged(&f, HEADER, good, &text), T0, &c) && c.principal.id == 42);
    buf_free(&text);
    static const char *const headers[] = {"{\"alg\":\"none\",\"typ\":\"at+jwt\",\"kid\":\"" KID "\"}",
                                          "{\"alg\":\"HS256\",\"typ\":\"at+jwt\",\"kid\":\"" KID "\"}",
                                          "{\"alg\":\"eddsa\",\"typ\":\"at+jwt\",\"kid\":\"" KID "\"}",
                                          "{\"alg\":\"EdDSA\",\"typ\":\"JWT\",\"kid\":\"" KID "\"}",
                                          "{\"alg\":\"EdDSA\",\"typ\":\"at+jwt\"}",
                                          "{\"alg\":\"EdDSA\",\"typ\":\"at+jwt\",\"kid\":5}",
                                          "{\"alg\":\"EdDSA\",\"typ\":\"at+jwt\",\"kid\":\"" KID "\",\"crit\":[\"x\"]}",
                                          "{\"alg\":\"EdDSA\",\"typ\":\"at+jwt\",\"kid\":\"" KID "\",\"b64\":false}",
                                          "{\"alg\":\"none\",\"alg\":\"EdDSA\",\"typ\":\"at+jwt\",\"kid\":\"" KID "\"}",
                                          "{\"alg\":[\"EdDSA\"],\"typ\":\"at+jwt\",\"kid\":\"" KID "\"}",
                                          "[]",
                                          "",
                                          "{",
                                          "null",
                                          HEADER "x"};
    for (size_t i = 0; i < ARRAY_LEN(headers); i++) {
        if (!refused(keys, forged(&f, headers[i], good, &text), T0, "not valid"))
            fprintf(stderr, "%s\n", headers[i]), g_check_failures++;
        buf_free(&text);
    }
    forged_claims(&f, keys);
    forged_keys(&f, keys, good);
    token_keys_unref(keys);
    people_end(&p);
}

static int64_t key_count(struct people *p) { return query(p, "SELECT count(*) FROM token_key"); }

static void test_rotation(void) {
    struct people p;
    struct buf first, second, third;
    struct token_claims c;
    int64_t day = 86400 * S, turn = 30 * day;
    bool fresh;
    people_begin(&p, "rotation");
    make(&p, wanted(T0), T0, &first);
    CHECK_INT(key_count(&p), 1);
    CHECK(query(&p, "SELECT length(secret_key) FROM token_key") > 64); // sealed
    make(&p, wanted(T0 + 28 * day), T0 + 28 * day, &second);
    CHECK_INT(key_count(&p), 1);
    buf_free(&second);
    // A day ahead the next one is made, and not used yet.
    struct token_claims w = wanted(T0 + 29 * day + 1);
    buf_init(&second, TOKEN_MAX);
    CHECK(token_make(p.db, &p.dir, &p.auth, T0 + 29 * day, &w, &second, &fresh, &err) && fresh);
    CHECK_INT(key_count(&p), 2);
    struct token_keys *keys = load(&p, T0 + 29 * day);
    buf_free(&second);
    // The last one of the old key, and the first one of the new.
    make(&p, wanted(T0 + turn - 1), T0 + turn - 1, &second);
    make(&p, wanted(T0 + turn), T0 + turn, &third);
    CHECK_INT(key_count(&p), 2);
    CHECK(passes(keys, buf_str(&second), T0 + turn + 500 * S, &c) && passes(keys, buf_str(&third), T0 + turn, &c));
    CHECK(!str_eq(str_head(buf_str(&second), 80), str_head(buf_str(&third), 80))); // by another kid
    CHECK(str_eq(str_head(buf_str(&first), 80), str_head(buf_str(&second), 80)));
    buf_free(&third);
    token_keys_unref(keys);
    // Long after, with nothing made meanwhile: a fresh one, at once.
    make(&p, wanted(T0 + 100 * turn), T0 + 100 * turn, &third);
    CHECK_INT(key_count(&p), 1);
    keys = load(&p, T0 + 100 * turn);
    CHECK(passes(keys, buf_str(&third), T0 + 100 * turn, &c));
    CHECK(!passes(keys, buf_str(&second), T0 + 100 * turn, &c) && err.code == ERR_NOT_FOUND);
    token_keys_unref(keys);
    buf_free(&first);
    buf_free(&second);
    buf_free(&third);
    people_end(&p);
}

static void test_key_set(void) {
    struct people p;
    struct buf text, out = BUF_INIT(10000);
    struct json_writer w;
    people_begin(&p, "jwks");
    make(&p, wanted(T0), T0, &text);
    struct token_keys *keys = load(&p, T0);
    json_writer_init(&w, &out);
    token_keys_put(&w, keys, T0);
    json_writer_done(&w);
    CHECK(json_validate(buf_str(&out), 0, &err));
    CHECK(str_starts(buf_str(&out),
                     STR("{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"alg\":\"EdDSA\",\"use\":\"sig\",")));
    buf_clear(&out);
    json_writer_init(&w, &out);
    token_keys_put(&w, keys, T0 + 1000 * 86400 * S);
    CHECK_STR(buf_str(&out), STR("{\"keys\":[]}"));
    token_keys_unref(token_keys_ref(keys));
    token_keys_unref(keys);
    token_keys_unref(NULL);
    buf_free(&out);
    buf_free(&text);
    people_end(&p);
}

TEST_MAIN(test_round, test_lifetime, test_tampered, test_forged, test_rotation, test_key_set)
