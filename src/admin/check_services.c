// Tries the services besides providers: Vault and who is told of events.
#include "admin/check_impl.h"
#include "base/json_write.h"
#include "base/text.h"
#include "net/webhook_sign.h"
#include "os/clock.h"
#include "os/rand.h"
#include "store/vault.h"

// --- Vault ---

#define HEALTH "/v1/sys/health?standbyok=true&perfstandbyok=true"

static void note_health(struct check *c, int status) {
    switch (status) {
    case 200:
    case 429: // a standby
    case 472: // a disaster recovery secondary
    case 473: // a performance standby
        return;
    case 501:
        check_note(c, CHECK_FAILED, "it has not been set up yet (501)");
        check_advise(c, "vault operator init");
        return;
    case 503:
        check_note(c, CHECK_FAILED, "it is sealed (503)");
        check_advise(c, "vault operator unseal");
        return;
    default:
        check_note(c, CHECK_FAILED, "it does not answer as a Vault does (%d to sys/health)", status);
        check_advise(c, "is vault.address right?");
    }
}

static const char *login_name(int auth) {
    switch ((enum conf_vault_auth)auth) {
    case VAULT_AUTH_TOKEN:
        return "by token";
    case VAULT_AUTH_APPROLE:
        return "as an AppRole";
    case VAULT_AUTH_KUBERNETES:
        return "as a Kubernetes service account";
    }
    return "";
}

static void run_vault(struct check_list *l, struct check *c) {
    const struct conf_vault *v = &l->conf->vault;
    struct buf url BUF_AUTO = BUF_INIT(8192);
    struct str address = v->address;
    struct fetch_answer answer;
    struct err err;
    while (address.n && address.p[address.n - 1] == '/') address.n--;
    buf_put(&url, address);
    buf_lit(&url, HEALTH);
    struct fetch_request request = {.url = buf_str(&url),
                                    .tls_ca = v->tls_ca,
                                    .no_verify = !v->tls_verify,
                                    .timeout_ms = check_time_left(l, v->timeout)};
    if (!check_fetch(c, &request, c->key, &answer)) return;
    note_health(c, answer.status);
    fetch_answer_free(&answer);
    if (c->verdict == CHECK_FAILED) return;
    struct conf_vault settings = *v;
    // A login and a look at its token take up to three requests.
    settings.timeout = MAX(check_time_left(l, INT32_MAX) / 3, 1U);
    settings.timeout = MIN(settings.timeout, v->timeout);
    if (!vault_login_check(&settings, &err)) {
        check_note(c, CHECK_FAILED, "%s", err.message);
        check_advise(c, "look at vault.auth and what belongs to it");
        return;
    }
    check_note(c, CHECK_OK, "logged in %s", login_name(v->auth));
    if (l->conf->vault_refs.n)
        check_note(c, CHECK_OK, "%zu reference%s read", l->conf->vault_refs.n, l->conf->vault_refs.n == 1 ? "" : "s");
}

void check_add_vault(struct check_list *l) {
    if (l->conf->vault.address.n) check_add(l, CHECK_VAULT, STR("vault"), run_vault, NULL, "vault");
}

// --- webhooks ---

#define BODY_MAX ((size_t)4096)

// A real event, of a type of its own, so that whoever takes it can tell it from news.
static void put_event(struct buf *out, struct str id, int64_t now_ns) {
    struct json_writer w;
    char at[TIME_TEXT_LEN];
    time_text(at, now_ns);
    json_writer_init(&w, out);
    json_put_object(&w);
    json_put_member_str(&w, STR("id"), id);
    json_put_member_str(&w, STR("type"), STR("config.test"));
    json_put_member_str(&w, STR("timestamp"), str_of(at, TIME_TEXT_LEN));
    json_put_member_object(&w, STR("data"));
    json_put_member_str(&w, STR("message"), STR("A trial of the configuration; nothing has happened"));
    json_put_object_end(&w);
    json_put_object_end(&w);
}

static void note_delivery(struct check *c, const struct conf_webhook *w, int status) {
    const char *how = w->secret.n ? "signed" : "unsigned";
    if (status / 100 == 2) {
        check_note(c, CHECK_OK, "took a test event, %s (%d)", how, status);
        return;
    }
    check_note(c, CHECK_FAILED, "did not take a test event, %s (%d)", how, status);
    if (status == 401 || status == 403)
        check_advise(c, "does it know the secret of %.*s.secret, and is its clock right?", STR_ARG(c->key));
    else if (status == 404 || status == 405 || status / 100 == 3)
        check_advise(c, "is %.*s.url right, to its last character?", STR_ARG(c->key));
    else
        check_advise(c, "it must answer with 200 to 299 to a POST, also to events it has no use for");
}

static void run_webhook(struct check_list *l, struct check *c) {
    const struct conf_webhook *w = c->subject;
    struct buf body BUF_AUTO = BUF_INIT(BODY_MAX), signature BUF_AUTO = BUF_INIT(256);
    char id[40], time[24];
    int64_t now_ns = clock_unix_ns(), now_s = now_ns / (int64_t)NS_PER_SEC;
    struct fetch_answer answer;
    struct err err;
    snprintf(id, sizeof id, "test-%016llx", (unsigned long long)rand_u64());
    snprintf(time, sizeof time, "%lld", (long long)now_s);
    put_event(&body, str_c(id), now_ns);
    if (w->secret.n && !webhook_sign(secret_str(&w->secret), str_c(id), now_s, buf_str(&body), &signature, &err)) {
        check_note(c, CHECK_FAILED, "%s", err.message);
        check_advise(c, "look at %.*s.secret", STR_ARG(c->key));
        return;
    }
    const struct http_field fields[] = {{STR("content-type"), STR("application/json")},
                                        {STR("webhook-id"), str_c(id)},
                                        {STR("webhook-timestamp"), str_c(time)},
                                        {STR("webhook-signature"), buf_str(&signature)}};
    struct fetch_request request = {.method = STR("POST"),
                                    .url = w->url,
                                    .fields = fields,
                                    .n_fields = ARRAY_LEN(fields) - (w->secret.n ? 0 : 1),
                                    .body = buf_str(&body),
                                    .timeout_ms = check_time_left(l, MIN(w->timeout, (int64_t)CHECK_OWN_MS))};
    if (!check_fetch(c, &request, c->key, &answer)) return;
    note_delivery(c, w, answer.status);
    fetch_answer_free(&answer);
}

void check_add_webhooks(struct check_list *l) {
    for (size_t i = 0; i < l->conf->webhooks.n; i++) {
        const struct conf_webhook *w = &l->conf->webhooks.p[i];
        check_add(l, CHECK_WEBHOOK, w->name, run_webhook, w, "webhooks.%.*s", STR_ARG(w->name));
    }
}
