// One exchange with Vault over HTTP, and what its refusals mean.
#include "base/json_read.h"
#include "base/text.h"
#include "net/fetch.h"
#include "store/vault_internal.h"

#define SAID_MAX 200 // of Vault's own words in a message

void vault_answer_free(struct vault_answer *a) {
    secret_wipe(a->body.p, a->body.n);
    buf_free(&a->body);
}

static struct str address_of(const struct vault_session *s) {
    struct str address = s->settings.address;
    while (address.n && address.p[address.n - 1] == '/') address.n--;
    return address;
}

bool vault_call(struct vault_session *s, const char *method, struct str path, struct str body,
                struct vault_answer *out_answer, struct err *err) {
    struct http_field fields[5];
    size_t n = 0;
    fields[n++] = (struct http_field){STR("X-Vault-Request"), STR("true")}; // asked for by agents that proxy
    if (s->token.n) fields[n++] = (struct http_field){STR("X-Vault-Token"), secret_str(&s->token)};
    if (s->settings.name_space.n) fields[n++] = (struct http_field){STR("X-Vault-Namespace"), s->settings.name_space};
    if (body.n) fields[n++] = (struct http_field){STR("Content-Type"), STR("application/json")};
    struct buf url BUF_AUTO = BUF_INIT(8192);
    buf_put(&url, address_of(s));
    buf_lit(&url, "/v1/");
    buf_put(&url, path);
    if (url.failed) return err_set(err, ERR_CONFIG_INVALID, "the path is too long");
    const struct fetch_request request = {.method = str_c(method),
                                          .url = buf_str(&url),
                                          .fields = fields,
                                          .n_fields = n,
                                          .body = body,
                                          .tls_ca = s->settings.tls_ca,
                                          .no_verify = !s->settings.tls_verify,
                                          .timeout_ms = (unsigned)MIN(MAX(s->settings.timeout, 0), 3600000),
                                          .max_body = VAULT_ANSWER_MAX};
    struct fetch_answer answer;
    s->calls++;
    if (!fetch(&request, &answer, err)) return err_wrap(err, "Vault");
    *out_answer = (struct vault_answer){.status = answer.status, .body = answer.body};
    return true;
}

bool vault_is_unreachable(const struct err *err) {
    return err->code == ERR_UPSTREAM_REFUSED || err->code == ERR_UPSTREAM_RESET || err->code == ERR_UPSTREAM_TIMEOUT;
}

// --- refusals ---

// Appends printable text only: it goes to logs and terminals.
static void put_printable(struct buf *out, struct str text) {
    for (size_t i = 0; i < text.n && out->n < SAID_MAX; i++) {
        char c = text.p[i];
        buf_putc(out, c >= 0x20 && c < 0x7f ? c : ' ');
    }
}

// Vault's own words, {"errors":["…", …]}, joined.
static void put_said(struct buf *out, struct str body) {
    struct json_field errors = {.name = STR_INIT("errors"), .kinds = JSON_IS(JSON_ARRAY)};
    struct json_reader r;
    struct err ignored;
    enum json_kind kind;
    if (!json_scan(body, &errors, 1, &ignored) || !errors.found) return;
    json_reader_init(&r, errors.raw, 0);
    if (!json_enter_array(&r)) return;
    while (json_element(&r, &kind)) {
        struct str raw;
        struct buf text BUF_AUTO = BUF_INIT(VAULT_ANSWER_MAX);
        if (kind != JSON_STRING || !json_string(&r, &raw) || !json_string_decode(raw, &text)) continue;
        if (out->n) buf_lit(out, "; ");
        put_printable(out, str_trim(buf_str(&text)));
    }
}

static const char *advice_for(int status, struct str said) {
    switch (status) {
    case 301:
    case 302:
    case 307:
    case 308:
        return "it sends its clients elsewhere; set vault.address to the active node or to what stands before all of "
               "them";
    case 400:
        return "check the reference and the vault settings";
    case 403:
        if (str_find(said, STR("invalid token")) < said.n) return "the token is unknown or has expired; give a new one";
        return "the token has expired, its policies do not allow this path, or there is no such mount";
    case 404:
        return "there is nothing at this path; check it, its mount and vault.namespace";
    case 429:
        return "a rate limit quota of it is used up";
    case 503:
        return str_find(said, STR("sealed")) < said.n ? "unseal it (vault operator unseal)"
                                                      : "it can't work at present";
    default:
        return "see Vault's own log";
    }
}

bool vault_refused(const struct vault_session *s, const struct vault_answer *a, struct str path, struct err *err) {
    struct buf said BUF_AUTO = BUF_INIT(SAID_MAX + 8);
    put_said(&said, buf_str(&a->body));
    struct str words = str_head(buf_str(&said), SAID_MAX);
    return err_set(err, vault_answer_down(a) ? ERR_UPSTREAM_REFUSED : ERR_UPSTREAM_STATUS,
                   "Vault at %.*s answered %d to %.*s%s%.*s: %s", STR_ARG(str_head(address_of(s), 100)), a->status,
                   STR_ARG(str_head(path, 120)), words.n ? ": " : "", STR_ARG(words), advice_for(a->status, words));
}

bool vault_answer_odd(struct str path, const char *what, struct err *err) {
    return err_set(err, ERR_UPSTREAM_INVALID, "the answer to %.*s is not one of Vault: %s; is vault.address right?",
                   STR_ARG(str_head(path, 120)), what);
}

// --- paths ---

const char *vault_path_fault(struct str path) {
    if (!path.n) return "the path is missing";
    if (path.n > VAULT_PATH_MAX) return "the path is too long";
    struct str rest = path, part;
    while (str_split(&rest, '/', &part)) {
        if (!part.n) return "the path must not begin or end with a slash, nor have two in a row";
        if (str_eq(part, STR(".")) || str_eq(part, STR(".."))) return "the path must not have the parts . or ..";
    }
    for (size_t i = 0; i < path.n; i++) {
        if ((unsigned char)path.p[i] < 0x20 || path.p[i] == 0x7f) return "the path holds a control character";
    }
    return NULL;
}

void vault_path_put(struct buf *out, struct str path) { percent_put(out, path, "/"); }
