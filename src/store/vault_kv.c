// Secrets in Vault: finding the engine behind a path, reading a document, taking values out, renewing leases.
#include "base/json_write.h"
#include "store/vault_internal.h"

#define KEYS_NAMED_MAX 160 // bytes of key names in a message

void vault_doc_free(struct vault_doc *doc) {
    secret_free(&doc->data);
    mem_free(doc->path);
    mem_free(doc->lease_id);
    *doc = (struct vault_doc){0};
}

// --- the engine ---

static const struct vault_mount *mount_find(const struct vault_session *s, struct str path) {
    const struct vault_mount *best = NULL;
    for (size_t i = 0; i < s->mounts.n; i++) {
        const struct vault_mount *m = &s->mounts.p[i];
        if (str_starts(path, str_c(m->path)) && (!best || strlen(m->path) > strlen(best->path))) best = m;
    }
    return best;
}

static void mount_forget(struct vault_session *s, struct str path) {
    const struct vault_mount *m = mount_find(s, path);
    if (!m) return;
    size_t at = (size_t)(m - s->mounts.p);
    mem_free(s->mounts.p[at].path);
    s->mounts.p[at] = s->mounts.p[--s->mounts.n];
}

static bool mount_add(struct vault_session *s, struct str mount, bool kv2, const struct vault_mount **out_mount,
                      struct err *err) {
    char *copy = mem_strdup(mount);
    if (!copy || !vec_push(&s->mounts, (struct vault_mount){copy, kv2})) {
        mem_free(copy);
        return err_no_memory(err);
    }
    *out_mount = &s->mounts.p[s->mounts.n - 1];
    return true;
}

// {"data": {"path": "secret/", "type": "kv", "options": {"version": "2"}}}
static bool mount_read(struct vault_session *s, struct str path, struct str asked, struct str body,
                       const struct vault_mount **out_mount, struct err *err) {
    struct json_field top = {.name = STR_INIT("data"), .kinds = JSON_IS(JSON_OBJECT), .required = true};
    struct json_field f[] = {
        {.name = STR_INIT("path"), .kinds = JSON_IS(JSON_STRING), .required = true},
        {.name = STR_INIT("type"), .kinds = JSON_IS(JSON_STRING), .required = true},
        {.name = STR_INIT("options"), .kinds = JSON_IS(JSON_OBJECT) | JSON_OR_NULL},
    };
    struct err odd;
    struct str version;
    if (!json_scan(body, &top, 1, &odd) || !json_scan(top.raw, f, ARRAY_LEN(f), &odd))
        return vault_answer_odd(asked, odd.message, err);
    struct buf mount BUF_AUTO = BUF_INIT(VAULT_PATH_MAX + 1);
    bool named = json_string_decode(f[0].raw, &mount);
    if (named && mount.n == path.n + 1 && str_starts(buf_str(&mount), path))
        return err_set(err, ERR_CONFIG_INVALID, "%.*s is a mount; add the path of a secret in it", STR_ARG(path));
    if (!named || !str_ends(buf_str(&mount), STR("/")) || !str_starts(path, buf_str(&mount)))
        return vault_answer_odd(asked, "it names a mount that the path is not under", err);
    bool kv = json_string_eq(f[1].raw, STR("kv")) || json_string_eq(f[1].raw, STR("generic"));
    bool v2 = kv && f[2].kind == JSON_OBJECT && JSON_GET(f[2].raw, &version, STR("version")) &&
              json_string_eq(version, STR("2"));
    return mount_add(s, buf_str(&mount), v2, out_mount, err);
}

static bool mount_of(struct vault_session *s, struct str path, const struct vault_mount **out_mount, struct err *err) {
    *out_mount = mount_find(s, path);
    if (*out_mount) return true;
    struct buf asked BUF_AUTO = BUF_INIT(4096);
    buf_lit(&asked, "sys/internal/ui/mounts/");
    vault_path_put(&asked, path);
    if (asked.failed) return err_no_memory(err);
    struct vault_answer answer;
    if (!vault_ask(s, "GET", buf_str(&asked), STR_NONE, &answer, err)) return false;
    bool ok = true;
    if (vault_answer_ok(&answer))
        ok = mount_read(s, path, buf_str(&asked), buf_str(&answer.body), out_mount, err);
    else if (answer.status != 404) // which old versions answer, and these have only version 1
        ok = vault_refused(s, &answer, path, err);
    vault_answer_free(&answer);
    return ok;
}

// "secret/app" is asked for as "secret/data/app" where the engine keeps versions; both may be written.
static bool read_path(struct str path, const struct vault_mount *mount, struct buf *out, struct err *err) {
    struct str rest = mount && mount->kv2 ? str_from(path, strlen(mount->path)) : STR_NONE;
    if (rest.n && !str_starts(rest, STR("data/"))) {
        vault_path_put(out, str_c(mount->path));
        buf_lit(out, "data/");
        vault_path_put(out, rest);
    } else {
        vault_path_put(out, path);
    }
    return !out->failed || err_no_memory(err);
}

// --- a document ---

struct lease {
    struct str id; // raw JSON string
    int64_t ttl_s;
    bool renewable;
};

static bool doc_take(struct vault_session *s, struct str path, struct str data, const struct lease *lease,
                     struct vault_doc *doc, struct err *err) {
    struct vault_doc fresh = {.path = mem_strdup(path)};
    struct buf id BUF_AUTO = BUF_INIT(4096);
    bool leased = lease->id.n && json_string_len(lease->id) > 0;
    if (leased && !json_string_decode(lease->id, &id)) {
        vault_doc_free(&fresh);
        return vault_answer_odd(path, "lease_id is too long", err);
    }
    if (leased) fresh.lease_id = mem_strdup(buf_str(&id));
    if (!fresh.path || (leased && !fresh.lease_id) || !secret_set(&fresh.data, data)) {
        vault_doc_free(&fresh);
        return err_no_memory(err);
    }
    if (leased) vault_lifetime_set(&fresh.lease, vault_now(s), lease->ttl_s, lease->renewable);
    vault_doc_free(doc);
    *doc = fresh;
    return true;
}

// {"data": {…}, "lease_id": "", "lease_duration": 0, "renewable": false}; with versions, {"data": {"data": {…}}}.
bool vault_doc_parse(struct vault_session *s, struct str path, bool kv2, struct str body, struct vault_doc *doc,
                     struct err *err) {
    struct json_field f[] = {
        {.name = STR_INIT("data"), .kinds = JSON_IS(JSON_OBJECT) | JSON_OR_NULL, .required = true},
        {.name = STR_INIT("lease_id"), .kinds = JSON_IS(JSON_STRING) | JSON_OR_NULL},
        {.name = STR_INIT("lease_duration"), .kinds = JSON_IS(JSON_NUMBER) | JSON_OR_NULL},
        {.name = STR_INIT("renewable"), .kinds = JSON_IS(JSON_BOOL) | JSON_OR_NULL},
    };
    struct json_field inner = {
        .name = STR_INIT("data"), .kinds = JSON_IS(JSON_OBJECT) | JSON_OR_NULL, .required = true};
    struct err odd;
    if (!json_scan(body, f, ARRAY_LEN(f), &odd)) return vault_answer_odd(path, odd.message, err);
    if (kv2 && f[0].kind == JSON_OBJECT && !json_scan(f[0].raw, &inner, 1, &odd))
        return vault_answer_odd(path, odd.message, err);
    const struct json_field *data = kv2 ? &inner : &f[0];
    if (data->kind != JSON_OBJECT)
        return err_set(err, ERR_UPSTREAM_STATUS, "the secret %.*s holds no data: it was deleted or never written",
                       STR_ARG(path));
    struct lease lease = {.id = f[1].kind == JSON_STRING ? f[1].raw : STR_NONE};
    if (f[2].kind == JSON_NUMBER && !json_raw_i64(f[2].raw, &lease.ttl_s))
        return vault_answer_odd(path, "lease_duration is no number of seconds", err);
    if (f[3].kind == JSON_BOOL && !json_raw_bool(f[3].raw, &lease.renewable))
        return vault_answer_odd(path, "renewable is neither true nor false", err);
    return doc_take(s, path, data->raw, &lease, doc, err);
}

// Versioned engines answer 404 with the version's metadata when it was deleted.
static bool was_deleted(struct str body) {
    struct str raw;
    return json_validate(body, 0, &(struct err){0}) && JSON_GET(body, &raw, STR("data"), STR("metadata"));
}

bool vault_doc_read(struct vault_session *s, struct str path, struct vault_doc *doc, struct err *err) {
    const struct vault_mount *mount = NULL;
    struct buf asked BUF_AUTO = BUF_INIT(4096);
    if (!mount_of(s, path, &mount, err) || !read_path(path, mount, &asked, err)) return false;
    bool kv2 = mount && mount->kv2;
    struct vault_answer answer;
    if (!vault_ask(s, "GET", buf_str(&asked), STR_NONE, &answer, err)) return false;
    bool ok = false;
    if (vault_answer_ok(&answer)) {
        ok = vault_doc_parse(s, path, kv2, buf_str(&answer.body), doc, err);
    } else if (answer.status == 404 && kv2 && was_deleted(buf_str(&answer.body))) {
        err_set(err, ERR_UPSTREAM_STATUS,
                "the newest version of the secret %.*s was deleted; write a new one or "
                "undelete it",
                STR_ARG(path));
    } else {
        if (answer.status == 404) mount_forget(s, path); // it may have become another kind of engine
        vault_refused(s, &answer, buf_str(&asked), err);
    }
    vault_answer_free(&answer);
    return ok;
}

// --- values ---

static bool put_value(struct str raw, enum json_kind kind, struct buf *out) {
    if (kind == JSON_STRING) return json_string_decode(raw, out);
    buf_put(out, raw); // numbers and truth as they are written; lists and objects as JSON
    return !out->failed;
}

// The names of the keys there are; values are never shown.
static void put_keys(struct str data, struct buf *out) {
    struct json_reader r;
    struct str key;
    enum json_kind kind;
    json_reader_init(&r, data, 0);
    if (!json_enter_object(&r)) return;
    while (json_member(&r, &key, &kind)) {
        struct buf name BUF_AUTO = BUF_INIT(VAULT_ANSWER_MAX);
        if (out->n > KEYS_NAMED_MAX) {
            buf_lit(out, ", …");
            return;
        }
        if (!json_string_decode(key, &name)) return;
        if (out->n) buf_lit(out, ", ");
        for (size_t i = 0; i < MIN(name.n, (size_t)64); i++) buf_putc(out, name.p[i] < 0x20 ? '?' : name.p[i]);
    }
}

static bool no_such_key(const struct vault_doc *doc, struct str key, struct err *err) {
    struct buf names BUF_AUTO = BUF_INIT(1024);
    put_keys(secret_str(&doc->data), &names);
    if (!names.n) return err_set(err, ERR_CONFIG_INVALID, "the secret %s has no keys at all", doc->path);
    if (!key.n)
        return err_set(err, ERR_CONFIG_INVALID, "the secret %.200s has several keys; name one with #: %.*s", doc->path,
                       STR_ARG(buf_str(&names)));
    return err_set(err, ERR_CONFIG_INVALID, "the secret %.160s has no key \"%.*s\"; it has: %.*s", doc->path,
                   STR_ARG(str_head(key, 64)), STR_ARG(buf_str(&names)));
}

bool vault_doc_value(const struct vault_doc *doc, struct str key, struct buf *out, struct err *err) {
    if (doc->transit) {
        buf_put(out, secret_str(&doc->data));
        return !out->failed || err_no_memory(err);
    }
    struct json_reader r;
    struct str name, raw = STR_NONE, one;
    enum json_kind kind, found_kind = JSON_NULL;
    size_t members = 0, matches = 0;
    json_reader_init(&r, secret_str(&doc->data), 0);
    if (!json_enter_object(&r)) return json_error(&r, err);
    while (json_member(&r, &name, &kind)) {
        members++;
        if (key.n && !json_string_eq(name, key)) continue;
        if (!json_skip(&r, &one)) return json_error(&r, err);
        raw = one;
        found_kind = kind;
        matches++;
    }
    if (!json_ok(&r)) return json_error(&r, err);
    if (!matches || (!key.n && members != 1)) return no_such_key(doc, key, err);
    if (matches > 1) return vault_answer_odd(str_c(doc->path), "it has the same key twice", err);
    if (found_kind == JSON_NULL)
        return err_set(err, ERR_CONFIG_INVALID, "the key \"%.*s\" of the secret %.200s is null",
                       STR_ARG(str_head(key, 64)), doc->path);
    return put_value(raw, found_kind, out) ||
           err_set(err, ERR_UPSTREAM_TOO_LARGE, "the value of %.200s is too long", doc->path);
}

// --- leases ---

bool vault_lease_renew(struct vault_session *s, struct vault_doc *doc, struct err *err) {
    struct str path = STR("sys/leases/renew");
    struct buf body BUF_AUTO = BUF_INIT(8192);
    struct json_writer w;
    json_writer_init(&w, &body);
    json_put_object(&w);
    json_put_member_str(&w, STR("lease_id"), str_c(doc->lease_id));
    json_put_object_end(&w);
    struct vault_answer answer;
    if (body.failed) return err_no_memory(err);
    if (!vault_ask(s, "POST", path, buf_str(&body), &answer, err)) return false;
    struct json_field f[] = {{.name = STR_INIT("lease_duration"), .kinds = JSON_IS(JSON_NUMBER), .required = true},
                             {.name = STR_INIT("renewable"), .kinds = JSON_IS(JSON_BOOL)}};
    struct err odd;
    int64_t ttl = 0;
    bool renewable = false, ok = false;
    if (!vault_answer_ok(&answer))
        vault_refused(s, &answer, path, err);
    else if (!json_scan(buf_str(&answer.body), f, ARRAY_LEN(f), &odd) || !json_raw_i64(f[0].raw, &ttl) || ttl < 0 ||
             (f[1].found && !json_raw_bool(f[1].raw, &renewable)))
        vault_answer_odd(path, "lease_duration is no number of seconds", err);
    else if (!vault_lifetime_renewed(&doc->lease, vault_now(s), ttl, renewable))
        err_set(err, ERR_UPSTREAM_STATUS, "the lease of %s nears its last end", doc->path);
    else
        ok = true;
    vault_answer_free(&answer);
    return ok;
}
