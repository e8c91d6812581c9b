// Access tokens of Google's: for a service account's key (OAuth 2.0, RFC 7523), or from the metadata server of a
// machine in Google's cloud.
#include "gateway/credential_ask.h"

#include "base/json_read.h"
#include "base/json_write.h"
#include "net/jwt_sign.h"
#include "os/clock.h"

#define SCOPE "https://www.googleapis.com/auth/cloud-platform"
#define METADATA "http://metadata.google.internal"
#define METADATA_PATH "/computeMetadata/v1/instance/service-accounts/default/token"
#define LIFETIME_S 3600

static bool from_metadata(const struct credential_asker *by, struct str at, struct credential_token *out_token,
                          struct err *err) {
    const struct http_field fields[] = {{STR("metadata-flavor"), STR("Google")}};
    struct buf url = BUF_INIT(1024);
    buf_printf(&url, "%.*s" METADATA_PATH, STR_ARG(at));
    struct fetch_request request = {.url = buf_str(&url), .fields = fields, .n_fields = 1};
    bool ok = !url.failed && credential_ask_token(by, &request, out_token, err);
    if (url.failed) err_no_memory(err);
    buf_free(&url);
    return ok;
}

// --- a service account ---

struct account {
    struct arena arena; // wiped
    struct str email, key, key_id, token_uri;
};

static bool member(struct account *a, struct str json, struct str name, struct str *out) {
    struct str raw;
    return json_get(json, &name, 1, &raw) && json_string_text(raw, &a->arena, out) && out->n;
}

static bool read_account(const struct conf_provider *p, struct account *a, struct err *err) {
    struct str json = secret_str(&p->credentials);
    if (!member(a, json, STR("private_key_id"), &a->key_id)) a->key_id = STR("");
    if (member(a, json, STR("client_email"), &a->email) && member(a, json, STR("private_key"), &a->key) &&
        member(a, json, STR("token_uri"), &a->token_uri))
        return true;
    return err_set(
        err, ERR_CONFIG_INVALID,
        "provider \"%.*s\": credentials are no key of a service account (client_email, private_key, token_uri)",
        STR_ARG(p->name));
}

static bool sign(const struct account *a, struct buf *out, struct err *err) {
    struct buf claims = BUF_INIT(8192);
    struct json_writer w;
    int64_t now = clock_unix_ns() / (int64_t)NS_PER_SEC;
    json_writer_init(&w, &claims);
    json_put_object(&w);
    json_put_member_str(&w, STR("iss"), a->email);
    json_put_member_str(&w, STR("scope"), STR(SCOPE));
    json_put_member_str(&w, STR("aud"), a->token_uri);
    json_put_member_i64(&w, STR("iat"), now);
    json_put_member_i64(&w, STR("exp"), now + LIFETIME_S);
    json_put_object_end(&w);
    bool ok = (!claims.failed || err_no_memory(err)) && jwt_sign_rs256(a->key, a->key_id, buf_str(&claims), out, err);
    buf_free(&claims);
    return ok;
}

static bool from_account(const struct credential_asker *by, struct credential_token *out_token, struct err *err) {
    const struct conf_provider *p = by->provider;
    const struct http_field fields[] = {{STR("content-type"), STR("application/x-www-form-urlencoded")}};
    struct account a = {.email = STR("")};
    struct buf body = BUF_INIT(1 << 16);
    arena_init(&a.arena, NULL, 0, 1 << 18);
    buf_lit(&body, "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion=");
    bool ok = read_account(p, &a, err);
    if (ok && !sign(&a, &body, err)) ok = err_wrap(err, "provider \"%.*s\"", STR_ARG(p->name));
    struct fetch_request request = {
        .method = STR("POST"), .url = a.token_uri, .fields = fields, .n_fields = 1, .body = buf_str(&body)};
    ok = ok && credential_ask_token(by, &request, out_token, err);
    secret_wipe(body.p, body.n);
    buf_free(&body);
    arena_wipe_free(&a.arena);
    return ok;
}

bool credential_fetch_google(const struct credential_asker *by, struct credential_token *out_token, struct err *err) {
    const struct conf_provider *p = by->provider;
    struct str given = str_trim(secret_str(&p->credentials));
    if (str_eq(given, STR("metadata"))) return from_metadata(by, STR(METADATA), out_token, err);
    if (str_starts(given, STR("http://"))) return from_metadata(by, given, out_token, err);
    return from_account(by, out_token, err);
}
