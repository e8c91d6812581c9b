// Tries listeners: whether their addresses can be had, and their certificates used.
#include "admin/check_impl.h"
#include "base/json_read.h"
#include "net/tls.h"
#include "os/file.h"
#include "os/tcp.h"

#define LOOK_MS 3000

// --- addresses ---

// Where a client on this machine finds what listens there.
static bool own_url(const struct conf_listener *listener, struct buf *out) {
    struct str host = listener->addr.host;
    if (!host.n || str_eq(host, STR("*")) || str_eq(host, STR("0.0.0.0"))) host = STR("127.0.0.1");
    if (str_eq(host, STR("::"))) host = STR("::1");
    bool v6 = str_find_char(host, ':') < host.n;
    buf_printf(out, v6 ? "%s://[%.*s]:%u/readyz" : "%s://%.*s:%u/readyz", listener->tls.cert.n ? "https" : "http",
               STR_ARG(host), listener->addr.port);
    return !out->failed;
}

// {"status", "version", "uptime_seconds", "checks": {…}, …}: as /readyz answers, ready or not.
static bool is_penstock(struct str body, struct arena *a, struct str *out_version) {
    struct json_field f[] = {{.name = STR_INIT("status"), .kinds = JSON_IS(JSON_STRING), .required = true},
                             {.name = STR_INIT("version"), .kinds = JSON_IS(JSON_STRING), .required = true},
                             {.name = STR_INIT("uptime_seconds"), .kinds = JSON_IS(JSON_NUMBER), .required = true},
                             {.name = STR_INIT("checks"), .kinds = JSON_IS(JSON_OBJECT), .required = true}};
    struct err err;
    return json_scan(body, f, ARRAY_LEN(f), &err) && json_string_text(f[1].raw, a, out_version);
}

static bool plain_text(struct str text) {
    for (size_t i = 0; i < text.n; i++)
        if ((unsigned char)text.p[i] <= 0x20 || (unsigned char)text.p[i] >= 0x7f) return false;
    return text.n > 0 && text.n < 40;
}

// Something has the port already: good when it is a Penstock, for then this is the configuration of one that runs.
static void note_taken(struct check_list *l, struct check *c, const struct conf_listener *listener,
                       const struct err *taken) {
    struct buf url BUF_AUTO = BUF_INIT(512);
    struct fetch_request request = {.timeout_ms = check_time_left(l, LOOK_MS), .no_verify = true};
    struct fetch_answer answer;
    struct arena arena;
    struct err err;
    struct str version = STR_NONE;
    if (!own_url(listener, &url)) return;
    request.url = buf_str(&url);
    arena_init(&arena, NULL, 0, 1 << 20);
    bool answered = fetch(&request, &answer, &err);
    if (answered && is_penstock(buf_str(&answer.body), &arena, &version)) {
        if (plain_text(version))
            check_note(c, CHECK_OK, "already served by a running Penstock (%.*s)", STR_ARG(version));
        else
            check_note(c, CHECK_OK, "already served by a running Penstock");
    } else if (!answered && listener->tls.client_auth == CLIENT_AUTH_REQUIRED) {
        check_note(c, CHECK_WARNING, "in use; whether by a Penstock it does not tell without a client certificate");
    } else {
        check_note(c, CHECK_FAILED, "%s", taken->message);
        check_advise(c, "what has it does not answer as a Penstock does");
    }
    if (answered) fetch_answer_free(&answer);
    arena_free(&arena);
}

static void run_listener(struct check_list *l, struct check *c) {
    const struct conf_listener *listener = c->subject;
    struct listener *socket = NULL;
    struct err err;
    uint16_t port;
    if (listener_prepare(listener->addr.host, listener->addr.port, false, 1, &socket, &port, &err)) {
        listener_close(socket);
        check_note(c, CHECK_OK, listener->addr.port ? "free to be listened on" : "any free port");
        return;
    }
    note_taken(l, c, listener, &err);
}

void check_add_listeners(struct check_list *l) {
    for (size_t i = 0; i < l->conf->listeners.n; i++) {
        const struct conf_listener *listener = &l->conf->listeners.p[i];
        check_add(l, CHECK_LISTENER, listener->address, run_listener, listener, "listeners[%zu].address", i);
    }
}

// --- certificates ---

static void note_key_mode(struct check *c, struct str file) {
    struct file_info info;
    struct err err;
    if (!file_stat(file, &info, &err) || !(info.mode & 007)) return;
    check_note(c, CHECK_WARNING, "everybody on this machine can read its key");
    check_advise(c, "chmod o= %.*s", STR_ARG(file));
}

static void look_at(struct check *c, const struct tls_cert *cert) {
    struct tls_cert_facts facts;
    struct err err;
    if (!tls_cert_look(cert->cert, cert->name, &facts, &err)) {
        check_note(c, CHECK_FAILED, "%s", err.message);
        return;
    }
    if (facts.left_s >= CHECK_CERT_SOON_S)
        check_note(c, CHECK_OK, "good for %lld days", (long long)(facts.left_s / 86400));
    check_cert_end(c, facts.left_s, true);
    if (!facts.covers) {
        check_note(c, CHECK_WARNING, "it is not for \"%.*s\"", STR_ARG(cert->name));
        check_advise(c, "clients that ask for this name will refuse it");
    }
}

static void try_pair(struct check *c, const struct conf_tls *tls, const struct tls_cert *cert) {
    struct tls_server_options o = {.certs = cert,
                                   .cert_count = 1,
                                   .client_ca = tls->client_ca,
                                   .client_auth = (enum tls_client_auth)tls->client_auth,
                                   .allow_tls12 = tls->min_version == TLS_1_2};
    struct tls_ctx *ctx;
    struct err err;
    if (!tls_ctx_server(&o, &ctx, &err)) {
        check_note(c, CHECK_FAILED, "%s", err.message);
        check_advise(c, "look at %.*s and its key", STR_ARG(c->key));
        return;
    }
    tls_ctx_unref(ctx);
    look_at(c, cert);
    note_key_mode(c, cert->key);
}

static void run_default(struct check_list *l, struct check *c) {
    (void)l;
    const struct conf_tls *tls = c->subject;
    try_pair(c, tls, &(struct tls_cert){.cert = tls->cert, .key = tls->key});
}

static void run_sni(struct check_list *l, struct check *c) {
    (void)l;
    const struct conf_sni *sni = c->subject;
    const struct conf_tls plain = {.min_version = TLS_1_2};
    try_pair(c, &plain, &(struct tls_cert){.name = sni->name, .cert = sni->cert, .key = sni->key});
}

void check_add_certificates(struct check_list *l) {
    for (size_t i = 0; i < l->conf->listeners.n; i++) {
        const struct conf_tls *tls = &l->conf->listeners.p[i].tls;
        if (!tls->cert.n) continue;
        check_add(l, CHECK_CERTIFICATE, tls->cert, run_default, tls, "listeners[%zu].tls.cert", i);
        for (size_t k = 0; k < tls->sni.n; k++)
            check_add(l, CHECK_CERTIFICATE, tls->sni.p[k].cert, run_sni, &tls->sni.p[k],
                      "listeners[%zu].tls.sni[%zu].cert", i, k);
    }
}
