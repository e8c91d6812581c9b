// Access tokens of Google's: for a service account's key (OAuth 2.0, RFC 7523), or from the metadata server of a
// machine in Google's cloud.
#include "gateway/credential.h"

#include "base/json_read.h"
#include "base/json_write.h"
#include "net/fetch.h"
#include "net/jwt_sign.h"
#include "os/clock.h"

#define SCOPE "https://www.googleapis.com/auth/cloud-platform"
#define METADATA "http://metadata.google.internal"
#define METADATA_PATH "/computeMetadata/v1/instance/service-accounts/default/token"
#define LIFETIME_S 3600

// What the token's endpoint says, without anything of what it was sent.
static bool refused(const struct conf_provider *p, const struct fetch_answer *answer, struct err *err) {
    struct str why, body = buf_str(&answer->body);
    bool said = (JSON_GET(body, &why, STR("error_description")) || JSON_GET(body, &why, STR("error"))) && why.n > 2 &&
                why.p[0] == '"';
    if (!said) why = STR("\"no reason\"");
    return err_set(err, ERR_UPSTREAM_STATUS, "provider \"%.*s\": no access token: status %d, %.*s", STR_ARG(p->name),
                   answer->status, STR_ARG(str_head(why, 200)));
}

static bool read_token(const struct conf_provider *p, const struct fetch_answer *answer,
                       struct credential_token *out_token, struct err *err) {
    struct json_field f[] = {{.name = STR_INIT("access_token"), .kinds = JSON_IS(JSON_STRING), .required = true},
                             {.name = STR_INIT("expires_in"), .kinds = JSON_IS(JSON_NUMBER)}};
    struct err ignored;
    struct str text;
    if (answer->status != 200) return refused(p, answer, err);
    bool good = json_scan(buf_str(&answer->body), f, ARRAY_LEN(f), &ignored) && json_string_borrow(f[0].raw, &text) &&
                text.n && http_is_field_value(text);
    if (!good)
        return err_set(err, ERR_UPSTREAM_INVALID, "provider \"%.*s\": what came is no access token", STR_ARG(p->name));
    out_token->text = (struct secret){0};
    if (!f[1].found || !json_raw_u64(f[1].raw, &out_token->lifetime_s)) out_token->lifetime_s = LIFETIME_S;
    return secret_set(&out_token->text, text) || err_no_memory(err);
}

static bool ask(const struct conf_provider *p, struct fetch_request *request, struct credential_token *out_token,
                struct err *err) {
    struct fetch_answer answer;
    request->proxy = p->proxy;
    request->tls_ca = p->tls_ca;
    request->no_verify = !p->tls_verify;
    if (!fetch(request, &answer, err)) return err_wrap(err, "provider \"%.*s\": no access token", STR_ARG(p->name));
    bool ok = read_token(p, &answer, out_token, err);
    secret_wipe(answer.body.p, answer.body.n);
    fetch_answer_free(&answer);
    return ok;
}

static bool from_metadata(const struct conf_provider *p, struct str at, struct credential_token *out_token,
                          struct err *err) {
    const struct http_field fields[] = {{STR("metadata-flavor"), STR("Google")}};
    struct buf url = BUF_INIT(1024);
    buf_printf(&url, "%.*s" METADATA_PATH, STR_ARG(at));
    struct fetch_request request = {.url = buf_str(&url), .fields = fields, .n_fields = 1};
    bool ok = !url.failed && ask(p, &request, out_token, err);
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

static bool from_account(const struct conf_provider *p, struct credential_token *out_token, struct err *err) {
    const struct http_field fields[] = {{STR("content-type"), STR("application/x-www-form-urlencoded")}};
    struct account a = {.email = STR("")};
    struct buf body = BUF_INIT(1 << 16);
    arena_init(&a.arena, NULL, 0, 1 << 18);
    buf_lit(&body, "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion=");
    bool ok = read_account(p, &a, err);
    if (ok && !sign(&a, &body, err)) ok = err_wrap(err, "provider \"%.*s\"", STR_ARG(p->name));
    struct fetch_request request = {
        .method = STR("POST"), .url = a.token_uri, .fields = fields, .n_fields = 1, .body = buf_str(&body)};
    ok = ok && ask(p, &request, out_token, err);
    secret_wipe(body.p, body.n);
    buf_free(&body);
    arena_wipe_free(&a.arena);
    return ok;
}

bool credential_fetch_google(const struct conf_provider *p, struct credential_token *out_token, struct err *err) {
    struct str given = str_trim(secret_str(&p->credentials));
    if (str_eq(given, STR("metadata"))) return from_metadata(p, STR(METADATA), out_token, err);
    if (str_starts(given, STR("http://"))) return from_metadata(p, given, out_token, err);
    return from_account(p, out_token, err);
}
