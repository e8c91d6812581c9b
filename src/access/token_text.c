// Writes, reads and checks the text of access tokens.
#include "access/token_impl.h"

#include "base/json_read.h"
#include "base/text.h"
#include "os/clock.h"

#include <sodium.h>

#define PART_MAX 6144
#define HEADER_MAX 512
#define ISSUER "penstock"

static_assert(TOKEN_PUBLIC_SIZE == crypto_sign_ed25519_PUBLICKEYBYTES, "the stored key is an Ed25519 key");

// --- ids ---

static const struct {
    enum principal_kind kind;
    struct str prefix;
} k_subjects[] = {{PRINCIPAL_USER, STR_INIT("user_")},
                  {PRINCIPAL_SERVICE_ACCOUNT, STR_INIT("sa_")},
                  {PRINCIPAL_KEY, STR_INIT("key_")}};

static void put_id(struct json_writer *w, struct str member, struct str prefix, int64_t id) {
    char text[32];
    INVARIANT(prefix.n + BASE32_U64_LEN <= sizeof text && id > 0);
    memcpy(text, prefix.p, prefix.n);
    base32_u64(text + prefix.n, (uint64_t)id);
    json_put_member_str(w, member, str_of(text, prefix.n + BASE32_U64_LEN));
}

static bool read_id(struct str raw, struct str prefix, int64_t *out_id) {
    struct str text;
    uint64_t id;
    if (!json_string_borrow(raw, &text) || !str_starts(text, prefix) ||
        !base32_u64_parse(str_from(text, prefix.n), &id) || id == 0 || id > INT64_MAX)
        return false;
    *out_id = (int64_t)id;
    return true;
}

// --- writing ---

static void put_scope(struct json_writer *w, const struct permission_set *scopes) {
    struct buf text = BUF_INIT(PART_MAX);
    for (unsigned type = 0; type < RESOURCE_TYPE_COUNT; type++)
        for (unsigned action = 0; action < ACTION_COUNT; action++) {
            if (!permission_has(scopes, (enum resource_type)type, (enum action)action)) continue;
            if (text.n) buf_putc(&text, ' ');
            buf_put(&text, resource_type_name((enum resource_type)type));
            buf_putc(&text, ':');
            buf_put(&text, action_name((enum action)action));
        }
    json_put_member_str(w, STR("scope"), text.failed ? STR("") : buf_str(&text));
    buf_free(&text);
}

static void put_claims(struct buf *out, const struct token_claims *c) {
    struct json_writer w;
    json_writer_init(&w, out);
    json_put_object(&w);
    json_put_member_str(&w, STR("iss"), STR(ISSUER));
    for (size_t i = 0; i < ARRAY_LEN(k_subjects); i++)
        if (k_subjects[i].kind == c->principal.kind) put_id(&w, STR("sub"), k_subjects[i].prefix, c->principal.id);
    put_id(&w, STR("tenant"), STR("tenant_"), c->tenant);
    put_id(&w, STR("home"), STR("tenant_"), c->home);
    put_scope(&w, &c->scopes);
    json_put_member_i64(&w, STR("iat"), c->issued_at / (int64_t)NS_PER_SEC);
    json_put_member_i64(&w, STR("nbf"), c->not_before / (int64_t)NS_PER_SEC);
    json_put_member_i64(&w, STR("exp"), c->expires_at / (int64_t)NS_PER_SEC);
    json_put_member_str(&w, STR("jti"), str_of(c->jti, sizeof c->jti));
    if (c->key_id) put_id(&w, STR("key"), STR("key_"), c->key_id);
    if (c->session_id) put_id(&w, STR("sid"), STR("session_"), c->session_id);
    json_put_object_end(&w);
    json_writer_done(&w);
}

void token_body_put(struct buf *out, struct str kid, const struct token_claims *claims) {
    BUF_AUTO struct buf header = BUF_INIT(HEADER_MAX), payload = BUF_INIT(PART_MAX);
    struct json_writer w;
    json_writer_init(&w, &header);
    json_put_object(&w);
    json_put_member_str(&w, STR("alg"), STR("EdDSA"));
    json_put_member_str(&w, STR("typ"), STR("at+jwt")); // RFC 9068
    json_put_member_str(&w, STR("kid"), kid);
    json_put_object_end(&w);
    json_writer_done(&w);
    put_claims(&payload, claims);
    base64url_put(out, buf_str(&header));
    buf_putc(out, '.');
    base64url_put(out, buf_str(&payload));
    out->failed = out->failed || header.failed || payload.failed;
}

// --- reading ---

static bool invalid(struct err *err, const char *what) {
    return err_set(err, ERR_UNAUTHENTICATED, "the access token is not valid: %s", what);
}

// Strict: no padding, no other alphabet, no bits left over.
static bool decode(struct str text, char *out, size_t max, struct str *out_bytes) {
    size_t n;
    const char *end;
    if (!text.n || sodium_base642bin((unsigned char *)out, max, text.p, text.n, NULL, &n, &end,
                                     sodium_base64_VARIANT_URLSAFE_NO_PADDING) != 0)
        return false;
    if (end != text.p + text.n) return false;
    *out_bytes = str_of(out, n);
    return true;
}

static bool check_header(struct str json, struct str *out_kid, struct err *err) {
    struct json_field f[] = {{.name = STR_INIT("alg"), .kinds = JSON_IS(JSON_STRING), .required = true},
                             {.name = STR_INIT("kid"), .kinds = JSON_IS(JSON_STRING), .required = true},
                             {.name = STR_INIT("typ"), .kinds = JSON_IS(JSON_STRING), .required = true},
                             {.name = STR_INIT("crit")},
                             {.name = STR_INIT("b64")}};
    struct err ignored;
    if (!json_scan(json, f, ARRAY_LEN(f), &ignored)) return invalid(err, "its header");
    if (!json_string_eq(f[0].raw, STR("EdDSA"))) return invalid(err, "its algorithm is not EdDSA");
    if (!json_string_eq(f[2].raw, STR("at+jwt"))) return invalid(err, "it is of another type");
    if (f[3].found || f[4].found) return invalid(err, "its header asks for what is not known here");
    return json_string_borrow(f[1].raw, out_kid) || invalid(err, "the name of its key");
}

static bool read_time(struct str raw, int64_t *out_ns) {
    int64_t s;
    if (!json_raw_i64(raw, &s) || s < 0 || s > INT64_MAX / (int64_t)NS_PER_SEC) return false;
    *out_ns = s * (int64_t)NS_PER_SEC;
    return true;
}

static bool read_subject(struct str raw, struct principal *out) {
    for (size_t i = 0; i < ARRAY_LEN(k_subjects); i++) {
        if (!read_id(raw, k_subjects[i].prefix, &out->id)) continue;
        out->kind = k_subjects[i].kind;
        return true;
    }
    return false;
}

static bool read_scopes(struct str raw, struct permission_set *out) {
    struct str text, part;
    struct err ignored;
    if (!json_string_borrow(raw, &text)) return false;
    while (text.n) {
        if (!str_split(&text, ' ', &part) || !permission_add(out, part, &ignored)) return false;
    }
    return true;
}

enum { ISS, SUB, TENANT, HOME, SCOPE, IAT, NBF, EXP, JTI, KEY, SID, CLAIMS };

static bool read_claims(struct str json, struct token_claims *out) {
#define TEXT(name_)                                                                                                    \
    { .name = STR_INIT(name_), .kinds = JSON_IS(JSON_STRING), .required = true }
#define NUMBER(name_)                                                                                                  \
    { .name = STR_INIT(name_), .kinds = JSON_IS(JSON_NUMBER), .required = true }
    struct json_field f[CLAIMS] = {[ISS] = TEXT("iss"),
                                   [SUB] = TEXT("sub"),
                                   [TENANT] = TEXT("tenant"),
                                   [HOME] = TEXT("home"),
                                   [SCOPE] = TEXT("scope"),
                                   [IAT] = NUMBER("iat"),
                                   [NBF] = NUMBER("nbf"),
                                   [EXP] = NUMBER("exp"),
                                   [JTI] = TEXT("jti"),
                                   [KEY] = {.name = STR_INIT("key"), .kinds = JSON_IS(JSON_STRING)},
                                   [SID] = {.name = STR_INIT("sid"), .kinds = JSON_IS(JSON_STRING)}};
#undef TEXT
#undef NUMBER
    struct token_claims c = {0};
    struct str jti;
    struct err ignored;
    if (!json_scan(json, f, CLAIMS, &ignored) || !json_string_eq(f[ISS].raw, STR(ISSUER))) return false;
    if (!read_subject(f[SUB].raw, &c.principal) || !read_id(f[TENANT].raw, STR("tenant_"), &c.tenant) ||
        !read_id(f[HOME].raw, STR("tenant_"), &c.home) || !read_scopes(f[SCOPE].raw, &c.scopes))
        return false;
    if (!read_time(f[IAT].raw, &c.issued_at) || !read_time(f[NBF].raw, &c.not_before) ||
        !read_time(f[EXP].raw, &c.expires_at))
        return false;
    if (!json_string_borrow(f[JTI].raw, &jti) || jti.n != sizeof c.jti) return false;
    memcpy(c.jti, jti.p, sizeof c.jti);
    if (f[KEY].found && !read_id(f[KEY].raw, STR("key_"), &c.key_id)) return false;
    if (f[SID].found && !read_id(f[SID].raw, STR("session_"), &c.session_id)) return false;
    *out = c;
    return true;
}

static bool check_time(const struct token_claims *c, int64_t now_ns, struct err *err) {
    if (c->expires_at <= now_ns) return invalid(err, "it has expired; get another one");
    if (c->not_before > now_ns + TOKEN_LEEWAY_NS) return invalid(err, "its time has not come yet");
    return true;
}

// header.claims.signature
struct parts {
    struct str body, header, claims, signature;
};
static bool split(struct str text, struct parts *out) {
    struct str rest = str_from(text, strlen(TOKEN_PREFIX));
    if (!token_looks_like(text) || text.n > TOKEN_MAX) return false;
    size_t first = str_find_char(rest, '.'), second = first + 1;
    if (first >= rest.n) return false;
    second += str_find_char(str_from(rest, second), '.');
    if (second >= rest.n) return false;
    *out = (struct parts){str_head(rest, second), str_head(rest, first), str_of(rest.p + first + 1, second - first - 1),
                          str_from(rest, second + 1)};
    return str_find_char(out->signature, '.') == out->signature.n;
}

bool token_check(const struct token_keys *keys, struct str text, int64_t now_ns, struct token_claims *out_claims,
                 struct err *err) {
    char header_bytes[HEADER_MAX], claim_bytes[PART_MAX], signature_bytes[crypto_sign_ed25519_BYTES];
    struct parts p;
    struct str header, claims, signature, kid;
    struct token_claims c;
    if (!split(text, &p)) return invalid(err, "it was cut, or is none");
    if (!decode(p.header, header_bytes, sizeof header_bytes, &header) ||
        !decode(p.signature, signature_bytes, sizeof signature_bytes, &signature) ||
        signature.n != sizeof signature_bytes)
        return invalid(err, "its text is damaged");
    if (!check_header(header, &kid, err)) return false;
    const struct token_key *key = token_key_find(keys, kid);
    if (!key) return err_set(err, ERR_NOT_FOUND, "the access token was signed with a key that is not known here");
    if (key->retires_at <= now_ns) return invalid(err, "the key it was signed with is no longer in use");
    if (crypto_sign_ed25519_verify_detached((const unsigned char *)signature.p, (const unsigned char *)p.body.p,
                                            p.body.n, key->public_key) != 0)
        return invalid(err, "its signature");
    if (!decode(p.claims, claim_bytes, sizeof claim_bytes, &claims) || !read_claims(claims, &c))
        return invalid(err, "its claims");
    if (!check_time(&c, now_ns, err)) return false;
    *out_claims = c;
    return true;
}
