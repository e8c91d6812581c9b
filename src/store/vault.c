// The Vault client's front: what was read is kept, read again on demand, and its health told.
#include "store/vault.h"

#include "os/clock.h"
#include "store/vault_internal.h"

bool vault_create(struct vault **out_vault, struct err *err) {
    struct vault *v = mem_zalloc(1, sizeof *v);
    if (!v) return err_no_memory(err);
    mutex_init(&v->lock);
    mutex_init(&v->health_lock);
    *out_vault = v;
    return true;
}

void vault_free(struct vault *v) {
    if (!v) return;
    vault_session_free(v->session);
    mutex_free(&v->lock);
    mutex_free(&v->health_lock);
    mem_free(v);
}

// --- health ---

static void health_note(struct vault *v, bool used, const struct err *err) {
    mutex_lock(&v->health_lock);
    v->health.used = used;
    v->health.ok = err == NULL;
    if (err) {
        size_t n = MIN(strlen(err->message), sizeof v->health.last_error - 1);
        memcpy(v->health.last_error, err->message, n);
        v->health.last_error[n] = '\0';
    } else {
        v->health.last_ok_ns = clock_unix_ns();
        v->health.last_error[0] = '\0';
    }
    mutex_unlock(&v->health_lock);
}

void vault_health_get(struct vault *v, struct vault_health *out_health) {
    mutex_lock(&v->health_lock);
    *out_health = v->health;
    mutex_unlock(&v->health_lock);
}

// --- reading ---

struct name {
    struct str whole, path, key;
    bool transit;
    struct str doc; // what the document is kept as
};

static bool name_parse(struct str text, struct name *out, struct err *err) {
    size_t hash = str_find_char(text, '#');
    struct name n = {.whole = text, .path = str_head(text, hash), .key = str_from(text, hash + 1)};
    const char *fault = text.n > VAULT_NAME_MAX ? "the reference is too long" : vault_path_fault(n.path);
    if (!fault && hash + 1 == text.n) fault = "a key must follow the #";
    if (fault) return err_set(err, ERR_CONFIG_INVALID, "%s; write path#key, as in secret/app/openai#api_key", fault);
    n.transit = vault_is_transit(n.path, n.key);
    n.doc = n.transit ? text : n.path;
    *out = n;
    return true;
}

static struct vault_doc *doc_find(struct vault_session *s, struct str path) {
    for (size_t i = 0; i < s->docs.n; i++) {
        if (str_eq(str_c(s->docs.p[i].path), path)) return &s->docs.p[i];
    }
    return NULL;
}

static bool doc_get(struct vault_session *s, const struct name *name, struct vault_doc **out_doc, struct err *err) {
    *out_doc = doc_find(s, name->doc);
    // A lease that has run out is read anew, and only then: what can be renewed is vault_refresh's to renew.
    if (*out_doc && !vault_lifetime_over(&(*out_doc)->lease, vault_now(s))) return true;
    struct vault_doc fresh = {0};
    bool ok = name->transit ? vault_transit_read(s, name->path, name->key, &fresh, err)
                            : vault_doc_read(s, name->path, &fresh, err);
    if (!ok) {
        s->faulty = *out_doc != NULL && vault_is_unreachable(err);
        s->fault = *err;
        return s->faulty; // with the last good value
    }
    if (*out_doc) {
        vault_doc_free(*out_doc);
        **out_doc = fresh;
        return true;
    }
    if (s->docs.n >= VAULT_DOCS_MAX || !vec_push(&s->docs, fresh)) {
        vault_doc_free(&fresh);
        return err_set(err, ERR_NO_MEMORY, "there is no room for more secrets (at most %d)", VAULT_DOCS_MAX);
    }
    *out_doc = &s->docs.p[s->docs.n - 1];
    return true;
}

static struct vault_value *value_find(struct vault_session *s, struct str name) {
    for (size_t i = 0; i < s->values.n; i++) {
        if (str_eq(str_c(s->values.p[i].name), name)) return &s->values.p[i];
    }
    return NULL;
}

static bool value_note(struct vault_session *s, struct str name, struct str value) {
    struct vault_value *known = value_find(s, name);
    if (known) return secret_set(&known->handed, value);
    struct vault_value fresh = {.name = mem_strdup(name)};
    if (fresh.name && secret_set(&fresh.handed, value) && vec_push(&s->values, fresh)) return true;
    secret_free(&fresh.handed);
    mem_free(fresh.name);
    return false;
}

static bool session_read(struct vault_session *s, const struct name *name, struct buf *out, struct err *err) {
    struct vault_doc *doc;
    size_t before = out->n;
    if (!doc_get(s, name, &doc, err) || !vault_doc_value(doc, name->key, out, err)) {
        out->n = before;
        return false;
    }
    if (value_note(s, name->whole, str_of(out->p + before, out->n - before))) return true;
    out->n = before;
    return err_no_memory(err);
}

// Other settings are tried beside the ones in use, which stay when they don't serve.
static bool read_with(struct vault *v, const struct conf_vault *settings, const struct name *name, struct buf *out,
                      struct err *err) {
    struct vault_session *s = v->session;
    if (s && vault_session_fits(s, settings)) {
        vault_session_tune(s, settings);
        return session_read(s, name, out, err);
    }
    s = vault_session_new(settings, &v->skew_ns);
    if (!s) return err_no_memory(err);
    bool ok = session_read(s, name, out, err);
    // The first one is kept as soon as it has logged in, so that a wrong reference does not cost a login each time.
    if (!ok && (v->session || !s->token.n)) {
        vault_session_free(s);
        return false;
    }
    vault_session_free(v->session);
    v->session = s;
    return ok;
}

// A reference at fault says nothing about Vault; neither does what was answered from memory.
static void read_note(struct vault *v, const struct vault_session *s, uint64_t calls, bool ok, const struct err *err) {
    bool used = s && s->docs.n;
    if (s && s->faulty)
        health_note(v, used, &s->fault);
    else if (!ok && err->code != ERR_CONFIG_INVALID)
        health_note(v, used, err);
    else if (s && s->calls != calls)
        health_note(v, used, NULL);
}

bool vault_read(struct vault *v, const struct conf_vault *settings, struct str text, struct buf *out, struct err *err) {
    struct name name;
    if (!settings->address.n) return err_set(err, ERR_CONFIG_INVALID, "vault.address is not set");
    if (!name_parse(text, &name, err)) return false;
    mutex_lock(&v->lock);
    bool fits = v->session && vault_session_fits(v->session, settings);
    bool other = v->session && !fits;
    uint64_t calls = fits ? v->session->calls : 0;
    if (fits) v->session->faulty = false;
    bool ok = read_with(v, settings, &name, out, err);
    if (ok || !other) read_note(v, v->session, calls, ok, err); // settings that did not serve are not in use
    mutex_unlock(&v->lock);
    return ok;
}

// --- refreshing ---

// One document: its lease is renewed where there is one, else it is read again.
static bool doc_refresh(struct vault_session *s, struct vault_doc *doc, struct err *err) {
    uint64_t wait = (uint64_t)MAX(s->settings.poll_interval, 0) * NS_PER_MS;
    if (doc->transit) return true; // the same ciphertext always gives the same
    if (doc->lease_id) {
        if (!vault_lifetime_due(&doc->lease, vault_now(s), wait)) return true;
        bool renewable = doc->lease.renewable && !vault_lifetime_over(&doc->lease, vault_now(s));
        if (renewable && vault_lease_renew(s, doc, err)) return true;
        if (renewable && vault_is_unreachable(err)) return false;
    }
    return vault_doc_read(s, str_c(doc->path), doc, err);
}

static bool value_changed(struct vault_session *s, const struct vault_value *value) {
    struct name name;
    struct err ignored;
    if (!name_parse(str_c(value->name), &name, &ignored)) return false;
    const struct vault_doc *doc = doc_find(s, name.doc);
    if (!doc) return false;
    struct buf now = BUF_INIT(VAULT_ANSWER_MAX);
    bool same = buf_reserve(&now, doc->data.n + 1) && vault_doc_value(doc, name.key, &now, &ignored) &&
                str_eq_secret(buf_str(&now), secret_str(&value->handed));
    secret_wipe(now.p, now.n);
    buf_free(&now);
    return !same;
}

// Everything once. A secret that Vault refuses keeps its value and is told as the session's fault; false when Vault is
// not there.
static bool session_refresh(struct vault_session *s, bool *out_changed, struct err *err) {
    bool changed = false;
    s->faulty = false;
    if (!vault_auth_ready(s, err)) return false;
    for (size_t i = 0; i < s->docs.n; i++) {
        struct err why;
        if (doc_refresh(s, &s->docs.p[i], &why)) continue;
        if (vault_is_unreachable(&why)) {
            *err = why;
            return false;
        }
        if (!s->faulty) s->fault = why;
        s->faulty = true;
    }
    for (size_t i = 0; i < s->values.n && !changed; i++) changed = value_changed(s, &s->values.p[i]);
    *out_changed = changed;
    return true;
}

bool vault_refresh(struct vault *v, bool *out_changed, struct err *err) {
    mutex_lock(&v->lock);
    struct vault_session *s = v->session;
    bool ok = true;
    if (s && s->docs.n) {
        ok = session_refresh(s, out_changed, err);
        health_note(v, true, !ok ? err : s->faulty ? &s->fault : NULL);
    } else {
        *out_changed = false;
    }
    mutex_unlock(&v->lock);
    return ok;
}

// --- what is in use ---

static bool name_in(struct str name, const struct str *names, size_t n) {
    for (size_t i = 0; i < n; i++) {
        if (str_eq(name, names[i])) return true;
    }
    return false;
}

static bool doc_used(struct vault_session *s, const struct vault_doc *doc) {
    struct str path = str_c(doc->path);
    for (size_t i = 0; i < s->values.n; i++) {
        struct str name = str_c(s->values.p[i].name);
        if (str_starts(name, path) && (name.n == path.n || (!doc->transit && name.p[path.n] == '#'))) return true;
    }
    return false;
}

void vault_retain(struct vault *v, const struct str *names, size_t n) {
    mutex_lock(&v->lock);
    struct vault_session *s = v->session;
    for (size_t i = s ? s->values.n : 0; i-- > 0;) {
        struct vault_value *value = &s->values.p[i];
        if (name_in(str_c(value->name), names, n)) continue;
        secret_free(&value->handed);
        mem_free(value->name);
        *value = s->values.p[--s->values.n];
    }
    for (size_t i = s ? s->docs.n : 0; i-- > 0;) {
        if (doc_used(s, &s->docs.p[i])) continue;
        vault_doc_free(&s->docs.p[i]);
        s->docs.p[i] = s->docs.p[--s->docs.n];
    }
    bool used = s && s->docs.n;
    mutex_unlock(&v->lock);
    mutex_lock(&v->health_lock);
    v->health.used = used;
    mutex_unlock(&v->health_lock);
}

// --- when to look again ---

static void due_earlier(const struct vault_lifetime *l, uint64_t now, uint64_t *io_wait_ns) {
    if (!l->ttl_s) return;
    uint64_t at = l->from_ns + l->ttl_s * NS_PER_SEC / 3 * 2;
    *io_wait_ns = MIN(*io_wait_ns, at > now ? at - now : 0);
}

uint64_t vault_due_in(struct vault *v) {
    mutex_lock(&v->lock);
    const struct vault_session *s = v->session;
    uint64_t wait = UINT64_MAX;
    if (s && s->docs.n) {
        uint64_t now = vault_now(s);
        wait = (uint64_t)MAX(s->settings.poll_interval, 1000) * NS_PER_MS;
        due_earlier(&s->life, now, &wait);
        for (size_t i = 0; i < s->docs.n; i++) due_earlier(&s->docs.p[i].lease, now, &wait);
        wait = MAX(wait, (uint64_t)NS_PER_SEC); // a Vault that is down is not asked without pause
    }
    mutex_unlock(&v->lock);
    return wait;
}
