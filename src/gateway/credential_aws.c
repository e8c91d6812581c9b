// Temporary keys of a role at AWS: of the machine (EC2's metadata server, version 2), of the container (ECS, EKS Pod
// Identity), or of a service account whose token the token service takes (AssumeRoleWithWebIdentity).
#include "gateway/credential_ask.h"

#include "base/json_read.h"
#include "base/text.h"
#include "os/clock.h"

#define BODY_MAX ((size_t)128 * 1024)
#define URL_MAX ((size_t)2048)
#define LIFETIME_S 900 // the least that is given

// --- what comes ---

// A time as a text, or as seconds since 1970.
static uint64_t lifetime(struct str raw) {
    int64_t now = clock_unix_ns(), end;
    double seconds;
    struct str text;
    if (json_raw_kind(raw) == JSON_NUMBER && json_raw_double(raw, &seconds) && seconds > 0 && seconds < 9e9)
        end = (int64_t)(seconds * (double)NS_PER_SEC);
    else if (json_raw_kind(raw) != JSON_STRING || !json_string_borrow(raw, &text) || !time_parse(text, &end))
        return LIFETIME_S;
    return end > now ? (uint64_t)(end - now) / NS_PER_SEC : 0;
}

static bool keep(struct secret *out, struct str raw) {
    struct str text;
    return json_string_borrow(raw, &text) && text.n && http_is_field_value(text) && secret_set(out, text);
}

// session: how the token of the session is called.
static bool read_key(const struct conf_provider *p, struct str json, const char *session, struct credential_token *out,
                     struct err *err) {
    struct json_field f[] = {
        {.name = STR_INIT("AccessKeyId"), .kinds = JSON_IS(JSON_STRING), .required = true},
        {.name = STR_INIT("SecretAccessKey"), .kinds = JSON_IS(JSON_STRING), .required = true},
        {.name = str_c(session), .kinds = JSON_IS(JSON_STRING), .required = true},
        {.name = STR_INIT("Expiration"), .kinds = JSON_IS(JSON_STRING) | JSON_IS(JSON_NUMBER), .required = true}};
    struct err ignored;
    *out = (struct credential_token){.lifetime_s = LIFETIME_S};
    bool ok = json_scan(json, f, ARRAY_LEN(f), &ignored) && keep(&out->id, f[0].raw) && keep(&out->text, f[1].raw) &&
              keep(&out->session, f[2].raw);
    if (ok) {
        out->lifetime_s = lifetime(f[3].raw);
        return true;
    }
    credential_token_free(out);
    return err_set(err, ERR_UPSTREAM_INVALID, "provider \"%.*s\": what came are no credentials of a role",
                   STR_ARG(p->name));
}

static bool ask_key(const struct credential_asker *by, struct fetch_request *request, struct credential_token *out,
                    struct err *err) {
    const struct conf_provider *p = by->provider;
    struct fetch_answer answer;
    if (!credential_ask(by, request, &answer, err)) return false;
    bool ok = read_key(p, buf_str(&answer.body), "Token", out, err);
    credential_answer_free(&answer);
    return ok;
}

// --- a machine's role ---

#define ROLES "/latest/meta-data/iam/security-credentials/"

static bool ask_role(const struct credential_asker *by, const struct http_field *token, struct buf *url,
                     struct err *err) {
    const struct conf_provider *p = by->provider;
    struct fetch_answer answer;
    buf_printf(url, "%.*s" ROLES, STR_ARG(p->identity.url));
    struct fetch_request request = {.url = buf_str(url), .fields = token, .n_fields = 1};
    if (url->failed) return err_no_memory(err);
    if (!credential_ask(by, &request, &answer, err)) return false;
    struct str body = str_trim(buf_str(&answer.body)), role = str_head(body, str_find_char(body, '\n'));
    bool ok = role.n > 0 ||
              err_set(err, ERR_UPSTREAM_INVALID,
                      "provider \"%.*s\": this machine has no role; give its instance profile one", STR_ARG(p->name));
    percent_put(url, str_trim(role), "");
    credential_answer_free(&answer);
    return ok && (!url->failed || err_no_memory(err));
}

// Source: "Use the Instance Metadata Service", version 2: a token for a session first.
static bool of_machine(const struct credential_asker *by, struct credential_token *out, struct err *err) {
    const struct conf_provider *p = by->provider;
    const struct http_field wish[] = {{STR("x-aws-ec2-metadata-token-ttl-seconds"), STR("300")}};
    struct buf url = BUF_INIT(URL_MAX);
    struct fetch_answer answer;
    buf_printf(&url, "%.*s/latest/api/token", STR_ARG(p->identity.url));
    struct fetch_request first = {.method = STR("PUT"), .url = buf_str(&url), .fields = wish, .n_fields = 1};
    bool ok = url.failed ? err_no_memory(err) : credential_ask(by, &first, &answer, err);
    if (ok) {
        const struct http_field token = {STR("x-aws-ec2-metadata-token"), str_trim(buf_str(&answer.body))};
        buf_clear(&url);
        ok = http_is_field_value(token.value) ||
             err_set(err, ERR_UPSTREAM_INVALID,
                     "provider \"%.*s\": no credentials: the machine's metadata server gave "
                     "no token",
                     STR_ARG(p->name));
        ok = ok && ask_role(by, &token, &url, err);
        struct fetch_request second = {.url = buf_str(&url), .fields = &token, .n_fields = 1};
        ok = ok && ask_key(by, &second, out, err);
        credential_answer_free(&answer);
    }
    buf_free(&url);
    return ok;
}

// --- a container's ---

static bool of_container(const struct credential_asker *by, struct credential_token *out, struct err *err) {
    const struct conf_provider *p = by->provider;
    SECRET_AUTO struct secret token = {0};
    if (!credential_read_token(p, &token, err)) return false;
    const struct http_field fields[] = {{STR("authorization"), secret_str(&token)}};
    struct fetch_request request = {.url = p->identity.url, .fields = fields, .n_fields = token.n ? 1 : 0};
    return ask_key(by, &request, out, err);
}

// --- a service account's ---

// Source: STS's API reference; as JSON, when that is accepted, the members are called as in XML.
static bool of_service_account(const struct credential_asker *by, struct credential_token *out, struct err *err) {
    const struct conf_provider *p = by->provider;
    const struct http_field fields[] = {{STR("content-type"), STR("application/x-www-form-urlencoded")},
                                        {STR("accept"), STR("application/json")}};
    static const struct str path[] = {STR_INIT("AssumeRoleWithWebIdentityResponse"),
                                      STR_INIT("AssumeRoleWithWebIdentityResult"), STR_INIT("Credentials")};
    const struct conf_identity *id = &p->identity;
    struct buf body = BUF_INIT(BODY_MAX);
    SECRET_AUTO struct secret token = {0};
    struct fetch_answer answer;
    struct str key;
    if (!credential_read_token(p, &token, err)) return false;
    buf_lit(&body, "Action=AssumeRoleWithWebIdentity&Version=2011-06-15");
    credential_pair_put(&body, "RoleArn", id->account);
    credential_pair_put(&body, "RoleSessionName", id->session);
    credential_pair_put(&body, "WebIdentityToken", secret_str(&token));
    struct fetch_request request = {
        .method = STR("POST"), .url = id->url, .fields = fields, .n_fields = ARRAY_LEN(fields), .body = buf_str(&body)};
    bool ok = body.failed ? err_no_memory(err) : credential_ask(by, &request, &answer, err);
    if (ok) {
        if (!json_get(buf_str(&answer.body), path, ARRAY_LEN(path), &key)) key = STR("{}");
        ok = read_key(p, key, "SessionToken", out, err);
        credential_answer_free(&answer);
    }
    secret_wipe(body.p, body.n);
    buf_free(&body);
    return ok;
}

bool credential_fetch_aws(const struct credential_asker *by, struct credential_token *out, struct err *err) {
    const struct conf_provider *p = by->provider;
    if (p->identity.from == IDENTITY_WEB) return of_service_account(by, out, err);
    if (p->identity.from == IDENTITY_CONTAINER) return of_container(by, out, err);
    return of_machine(by, out, err);
}
