// Vault tokens: logging in by token, AppRole or Kubernetes, renewing, and noticing when one is gone.
#include "base/json_write.h"
#include "os/clock.h"
#include "os/file.h"
#include "store/vault_internal.h"

#define JWT_FILE "/var/run/secrets/kubernetes.io/serviceaccount/token"
#define JWT_MAX ((size_t)64 * 1024)
#define LOGIN_MAX (JWT_MAX + 16384)

uint64_t vault_now(const struct vault_session *s) { return clock_mono_ns() + *s->skew_ns; }

// --- lifetimes ---

static uint64_t seconds_of(int64_t ttl_s) { return ttl_s <= 0 ? 0 : (uint64_t)MIN(ttl_s, VAULT_TTL_MAX_S); }

void vault_lifetime_set(struct vault_lifetime *l, uint64_t now_ns, int64_t ttl_s, bool renewable) {
    *l = (struct vault_lifetime){now_ns, seconds_of(ttl_s), seconds_of(ttl_s), renewable};
}

bool vault_lifetime_renewed(struct vault_lifetime *l, uint64_t now_ns, int64_t ttl_s, bool renewable) {
    uint64_t first = l->first_s, ttl = seconds_of(ttl_s);
    *l = (struct vault_lifetime){now_ns, ttl, MAX(first, ttl), renewable};
    return ttl == 0 || ttl >= first / 2;
}

bool vault_lifetime_due(const struct vault_lifetime *l, uint64_t now_ns, uint64_t wait_ns) {
    if (!l->ttl_s) return false;
    uint64_t age = now_ns - l->from_ns, whole = l->ttl_s * NS_PER_SEC;
    // Not in the first third, or something shorter than the wait would be renewed before every request.
    return age >= whole / 3 * 2 || (age >= whole / 3 && age + wait_ns >= whole);
}

bool vault_lifetime_over(const struct vault_lifetime *l, uint64_t now_ns) {
    return l->ttl_s && now_ns - l->from_ns >= l->ttl_s * NS_PER_SEC;
}

// --- logging in ---

static struct str mount_of(const struct vault_session *s, struct str usual) {
    struct str mount = s->settings.mount.n ? s->settings.mount : usual;
    while (mount.n && mount.p[mount.n - 1] == '/') mount.n--;
    return str_starts(mount, STR("auth/")) ? str_from(mount, 5) : mount;
}

// {"auth": {"client_token", "lease_duration", "renewable"}} of a login or a renewal.
static bool grant_read(struct str path, struct str body, struct buf *out_token, int64_t *out_ttl, bool *out_renewable,
                       struct err *err) {
    struct json_field top = {.name = STR_INIT("auth"), .kinds = JSON_IS(JSON_OBJECT), .required = true};
    struct json_field f[] = {
        {.name = STR_INIT("client_token"), .kinds = JSON_IS(JSON_STRING), .required = true},
        {.name = STR_INIT("lease_duration"), .kinds = JSON_IS(JSON_NUMBER), .required = true},
        {.name = STR_INIT("renewable"), .kinds = JSON_IS(JSON_BOOL)},
    };
    struct err odd;
    if (!json_scan(body, &top, 1, &odd) || !json_scan(top.raw, f, ARRAY_LEN(f), &odd))
        return vault_answer_odd(path, odd.message, err);
    int64_t ttl;
    bool renewable = false;
    if (!json_raw_i64(f[1].raw, &ttl) || ttl < 0 || (f[2].found && !json_raw_bool(f[2].raw, &renewable)))
        return vault_answer_odd(path, "auth.lease_duration is no number of seconds", err);
    if (!json_string_decode(f[0].raw, out_token)) return vault_answer_odd(path, "auth.client_token is too long", err);
    *out_ttl = ttl;
    *out_renewable = renewable;
    return true;
}

static void token_forget(struct vault_session *s) {
    secret_free(&s->token);
    s->life = (struct vault_lifetime){0};
}

static bool grant_take(struct vault_session *s, struct str path, struct str body, struct err *err) {
    struct buf token = BUF_INIT(8192);
    int64_t ttl = 0;
    bool renewable = false;
    // Room at once, so that growing leaves no copy behind.
    bool ok = buf_reserve(&token, 4096) && grant_read(path, body, &token, &ttl, &renewable, err);
    if (!ok && token.failed) err_no_memory(err);
    if (ok && !token.n) ok = vault_answer_odd(path, "auth.client_token is empty", err);
    if (ok && !secret_set(&s->token, buf_str(&token))) ok = err_no_memory(err);
    if (ok) vault_lifetime_set(&s->life, vault_now(s), ttl, renewable);
    secret_wipe(token.p, token.n);
    buf_free(&token);
    return ok;
}

static bool login_with(struct vault_session *s, struct str mount, struct str body, struct err *err) {
    struct buf path BUF_AUTO = BUF_INIT(4096);
    buf_lit(&path, "auth/");
    vault_path_put(&path, mount);
    buf_lit(&path, "/login");
    const char *fault = vault_path_fault(mount);
    if (fault || path.failed) return err_set(err, ERR_CONFIG_INVALID, "vault.mount: %s", fault ? fault : "too long");
    struct vault_answer answer;
    token_forget(s); // a login is made without one
    if (!vault_call(s, "POST", buf_str(&path), body, &answer, err)) return false;
    bool ok = vault_answer_ok(&answer) ? grant_take(s, buf_str(&path), buf_str(&answer.body), err)
                                       : vault_refused(s, &answer, buf_str(&path), err);
    vault_answer_free(&answer);
    return ok || err_wrap(err, "logging in to Vault");
}

static bool login_approle(struct vault_session *s, struct buf *body, struct err *err) {
    const struct conf_vault *v = &s->settings;
    if (!v->role_id.n) return err_set(err, ERR_CONFIG_INVALID, "vault.role_id is not set, and auth is approle");
    struct json_writer w;
    json_writer_init(&w, body);
    json_put_object(&w);
    json_put_member_str(&w, STR("role_id"), v->role_id);
    if (v->secret_id.n) json_put_member_str(&w, STR("secret_id"), secret_str(&v->secret_id)); // a role may need none
    json_put_object_end(&w);
    if (body->failed) return err_no_memory(err);
    return login_with(s, mount_of(s, STR("approle")), buf_str(body), err);
}

static bool login_kubernetes(struct vault_session *s, struct buf *body, struct err *err) {
    const struct conf_vault *v = &s->settings;
    if (!v->role.n) return err_set(err, ERR_CONFIG_INVALID, "vault.role is not set, and auth is kubernetes");
    struct buf jwt = BUF_INIT(JWT_MAX);
    struct json_writer w;
    // Read each time: Kubernetes puts a new one there before the old one ends.
    bool ok = buf_reserve(&jwt, JWT_MAX) || err_no_memory(err);
    if (ok && !file_read_all(v->jwt_file.n ? v->jwt_file : STR(JWT_FILE), JWT_MAX, &jwt, err))
        ok = err_wrap(err, "vault.jwt_file");
    if (ok) {
        json_writer_init(&w, body);
        json_put_object(&w);
        json_put_member_str(&w, STR("role"), v->role);
        json_put_member_str(&w, STR("jwt"), str_trim(buf_str(&jwt)));
        json_put_object_end(&w);
        ok = body->failed ? err_no_memory(err) : login_with(s, mount_of(s, STR("kubernetes")), buf_str(body), err);
    }
    secret_wipe(jwt.p, jwt.n);
    buf_free(&jwt);
    return ok;
}

// Whether Vault knows the token; learns how long it lasts.
static bool token_look_up(struct vault_session *s, bool *out_known, struct err *err) {
    struct str path = STR("auth/token/lookup-self");
    struct vault_answer answer;
    if (!vault_call(s, "GET", path, STR_NONE, &answer, err)) return false;
    bool ok = true;
    if (vault_answer_ok(&answer)) {
        struct json_field top = {.name = STR_INIT("data"), .kinds = JSON_IS(JSON_OBJECT), .required = true};
        struct json_field f[] = {{.name = STR_INIT("ttl"), .kinds = JSON_IS(JSON_NUMBER), .required = true},
                                 {.name = STR_INIT("renewable"), .kinds = JSON_IS(JSON_BOOL)}};
        struct err odd;
        int64_t ttl;
        bool renewable = false;
        if (!json_scan(buf_str(&answer.body), &top, 1, &odd) || !json_scan(top.raw, f, ARRAY_LEN(f), &odd) ||
            !json_raw_i64(f[0].raw, &ttl) || (f[1].found && !json_raw_bool(f[1].raw, &renewable)))
            ok = vault_answer_odd(path, "it does not tell the token's time", err);
        else
            vault_lifetime_set(&s->life, vault_now(s), ttl, renewable);
        *out_known = ok;
    } else if (vault_answer_down(&answer)) {
        ok = vault_refused(s, &answer, path, err);
    } else {
        *out_known = false;
    }
    vault_answer_free(&answer);
    return ok;
}

static bool login_token(struct vault_session *s, struct err *err) {
    if (!s->settings.token.n) return err_set(err, ERR_CONFIG_INVALID, "vault.token is not set, and auth is token");
    if (!secret_set(&s->token, secret_str(&s->settings.token))) return err_no_memory(err);
    s->life = (struct vault_lifetime){0};
    // A token that may not look itself up can still be good: then the reads will tell.
    bool known = false;
    if (token_look_up(s, &known, err)) return true;
    token_forget(s);
    return false;
}

static bool login(struct vault_session *s, struct err *err) {
    if (s->settings.auth == VAULT_AUTH_TOKEN) return login_token(s, err);
    struct buf body = BUF_INIT(LOGIN_MAX * 2);
    bool ok = buf_reserve(&body, LOGIN_MAX) || err_no_memory(err);
    if (ok)
        ok = s->settings.auth == VAULT_AUTH_APPROLE ? login_approle(s, &body, err) : login_kubernetes(s, &body, err);
    secret_wipe(body.p, body.n);
    buf_free(&body);
    return ok;
}

// --- keeping ---

// False: it was not renewed, and err says why.
static bool token_renew(struct vault_session *s, struct err *err) {
    struct str path = STR("auth/token/renew-self");
    struct vault_answer answer;
    if (!vault_call(s, "POST", path, STR("{}"), &answer, err)) return false;
    struct vault_lifetime before = s->life;
    bool ok = vault_answer_ok(&answer) ? grant_take(s, path, buf_str(&answer.body), err)
                                       : vault_refused(s, &answer, path, err);
    vault_answer_free(&answer);
    if (!ok) return false;
    struct vault_lifetime now = s->life;
    s->life = before;
    if (vault_lifetime_renewed(&s->life, now.from_ns, (int64_t)now.ttl_s, now.renewable)) return true;
    return s->settings.auth == VAULT_AUTH_TOKEN || err_set(err, ERR_UPSTREAM_STATUS, "the token nears its last end");
}

bool vault_auth_ready(struct vault_session *s, struct err *err) {
    uint64_t now = vault_now(s), wait = (uint64_t)MAX(s->settings.poll_interval, 0) * NS_PER_MS;
    if (!s->token.n) return login(s, err);
    if (!vault_lifetime_due(&s->life, now, wait)) return true;
    bool over = vault_lifetime_over(&s->life, now);
    struct err why;
    if (s->life.renewable && !over && token_renew(s, &why)) return true;
    if (s->settings.auth == VAULT_AUTH_TOKEN) {
        if (!over) return true; // nothing better is at hand, and it is still good
        return login(s, err);
    }
    // While the old token is good, a login that fails takes nothing away.
    struct secret old = s->token;
    struct vault_lifetime life = s->life;
    s->token = (struct secret){0};
    bool ok = login(s, err);
    if (!ok && !over) {
        secret_free(&s->token);
        s->token = old;
        s->life = life;
        return true;
    }
    secret_free(&old);
    return ok;
}

static bool ask_once(struct vault_session *s, const char *method, struct str path, struct str body,
                     struct vault_answer *out_answer, struct err *err) {
    return vault_auth_ready(s, err) && vault_call(s, method, path, body, out_answer, err);
}

bool vault_ask(struct vault_session *s, const char *method, struct str path, struct str body,
               struct vault_answer *out_answer, struct err *err) {
    struct vault_answer answer;
    if (!ask_once(s, method, path, body, &answer, err)) return false;
    if (answer.status == 403 && s->settings.auth != VAULT_AUTH_TOKEN) {
        // A policy's no and an unknown token look alike; only the latter is cured by a login.
        bool known = true;
        struct err ignored;
        if (token_look_up(s, &known, &ignored) && !known) {
            vault_answer_free(&answer);
            token_forget(s);
            if (!ask_once(s, method, path, body, &answer, err)) return false;
        }
    }
    *out_answer = answer;
    return true;
}
