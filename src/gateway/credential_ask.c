// Asks for credentials, and reads what comes.
#include "gateway/credential_ask.h"

#include "base/json_read.h"
#include "base/text.h"
#include "os/file.h"

#define LIFETIME_S 3600
#define NEAR_CONNECT_MS 1000 // outside of a cloud nobody answers there
#define TOKEN_FILE_MAX ((size_t)64 * 1024)

// What the server says, without anything of what it was sent.
static bool refused(const struct conf_provider *p, const struct fetch_answer *answer, struct err *err) {
    static const struct str names[] = {STR_INIT("error_description"), STR_INIT("error"), STR_INIT("message"),
                                       STR_INIT("Message")};
    struct str why = STR_NONE, body = buf_str(&answer->body);
    for (size_t i = 0; i < ARRAY_LEN(names) && why.n <= 2; i++)
        if (!json_get(body, &names[i], 1, &why) || json_raw_kind(why) != JSON_STRING) why = STR_NONE;
    if (!why.n && !JSON_GET(body, &why, STR("Error"), STR("Message"))) why = STR_NONE;
    if (why.n <= 2) why = STR("\"no reason\"");
    return err_set(err, ERR_UPSTREAM_STATUS, "provider \"%.*s\": no credentials: status %d, %.*s", STR_ARG(p->name),
                   answer->status, STR_ARG(str_head(why, 200)));
}

static bool is_near(struct str url) {
    static const struct str near[] = {STR_INIT("http://169.254."),  STR_INIT("http://127."),
                                      STR_INIT("http://localhost"), STR_INIT("http://[fd00:ec2:"),
                                      STR_INIT("http://[::1]"),     STR_INIT("http://metadata.google.internal")};
    for (size_t i = 0; i < ARRAY_LEN(near); i++)
        if (str_starts(url, near[i])) return true;
    return false;
}

void credential_answer_free(struct fetch_answer *answer) {
    secret_wipe(answer->body.p, answer->body.n);
    fetch_answer_free(answer);
}

bool credential_ask(const struct credential_asker *by, struct fetch_request *request, struct fetch_answer *out,
                    struct err *err) {
    const struct conf_provider *p = by->provider;
    request->stop = by->stop;
    if (is_near(request->url))
        request->connect_ms = NEAR_CONNECT_MS;
    else
        request->proxy = p->proxy;
    request->tls_ca = p->tls_ca;
    request->no_verify = !p->tls_verify;
    if (!fetch(request, out, err)) return err_wrap(err, "provider \"%.*s\": no credentials", STR_ARG(p->name));
    if (out->status == 200) return true;
    (void)refused(p, out, err);
    credential_answer_free(out);
    return false;
}

// Azure's metadata server writes the seconds as a text.
static uint64_t lifetime(const struct json_field *field) {
    struct str text = field->raw;
    uint64_t s;
    if (!field->found) return LIFETIME_S;
    if (field->kind == JSON_STRING && !json_string_borrow(field->raw, &text)) return LIFETIME_S;
    return json_raw_u64(text, &s) ? s : LIFETIME_S;
}

static bool read_token(const struct conf_provider *p, struct str body, struct credential_token *out, struct err *err) {
    struct json_field f[] = {{.name = STR_INIT("access_token"), .kinds = JSON_IS(JSON_STRING), .required = true},
                             {.name = STR_INIT("expires_in"), .kinds = JSON_IS(JSON_NUMBER) | JSON_IS(JSON_STRING)}};
    struct err ignored;
    struct str text;
    bool good = json_scan(body, f, ARRAY_LEN(f), &ignored) && json_string_borrow(f[0].raw, &text) && text.n &&
                http_is_field_value(text);
    if (!good)
        return err_set(err, ERR_UPSTREAM_INVALID, "provider \"%.*s\": what came is no access token", STR_ARG(p->name));
    *out = (struct credential_token){.lifetime_s = lifetime(&f[1])};
    return secret_set(&out->text, text) || err_no_memory(err);
}

bool credential_ask_token(const struct credential_asker *by, struct fetch_request *request,
                          struct credential_token *out, struct err *err) {
    struct fetch_answer answer;
    if (!credential_ask(by, request, &answer, err)) return false;
    bool ok = read_token(by->provider, buf_str(&answer.body), out, err);
    credential_answer_free(&answer);
    return ok;
}

void credential_pair_put(struct buf *out, const char *name, struct str value) {
    buf_printf(out, "&%s=", name);
    percent_put(out, value, "");
}

bool credential_read_token(const struct conf_provider *p, struct secret *out, struct err *err) {
    const struct conf_identity *id = &p->identity;
    struct buf text = BUF_INIT(TOKEN_FILE_MAX);
    *out = (struct secret){0};
    if (!id->token_file.n) return secret_set(out, secret_str(&id->token)) || err_no_memory(err);
    bool ok = file_read_all(id->token_file, TOKEN_FILE_MAX, &text, err);
    if (ok && !http_is_field_value(str_trim(buf_str(&text))))
        ok = err_set(err, ERR_CONFIG_INVALID, "%.*s holds no token", STR_ARG(id->token_file));
    if (!ok)
        ok = err_wrap(err, "provider \"%.*s\": no credentials", STR_ARG(p->name));
    else
        ok = secret_set(out, str_trim(buf_str(&text))) || err_no_memory(err);
    secret_wipe(text.p, text.n);
    buf_free(&text);
    return ok;
}
