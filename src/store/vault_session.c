// A session with one Vault under one identity: its settings, and all that was read with it.
#include "store/vault_internal.h"

static bool copy_to(struct arena *a, struct str *text) {
    char *copy = arena_cstr(a, *text);
    text->p = copy;
    return copy != NULL;
}

static bool settings_copy(struct vault_session *s, const struct conf_vault *from) {
    struct conf_vault *to = &s->settings;
    *to = *from;
    to->token = to->secret_id = (struct secret){0};
    struct str *texts[] = {&to->address, &to->name_space, &to->mount, &to->role_id,
                           &to->role,    &to->jwt_file,   &to->tls_ca};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        if (!copy_to(&s->arena, texts[i])) return false;
    }
    return secret_set(&to->token, secret_str(&from->token)) && secret_set(&to->secret_id, secret_str(&from->secret_id));
}

struct vault_session *vault_session_new(const struct conf_vault *settings, const uint64_t *skew_ns) {
    struct vault_session *s = mem_zalloc(1, sizeof *s);
    if (!s) return NULL;
    s->skew_ns = skew_ns;
    arena_init(&s->arena, NULL, 0, 1 << 20);
    if (settings_copy(s, settings)) return s;
    vault_session_free(s);
    return NULL;
}

void vault_session_free(struct vault_session *s) {
    if (!s) return;
    for (size_t i = 0; i < s->mounts.n; i++) mem_free(s->mounts.p[i].path);
    for (size_t i = 0; i < s->docs.n; i++) vault_doc_free(&s->docs.p[i]);
    for (size_t i = 0; i < s->values.n; i++) {
        mem_free(s->values.p[i].name);
        secret_free(&s->values.p[i].handed);
    }
    vec_free(&s->mounts);
    vec_free(&s->docs);
    vec_free(&s->values);
    secret_free(&s->token);
    secret_free(&s->settings.token);
    secret_free(&s->settings.secret_id);
    arena_free(&s->arena);
    mem_free(s);
}

bool vault_session_fits(const struct vault_session *s, const struct conf_vault *b) {
    const struct conf_vault *a = &s->settings;
    return str_eq(a->address, b->address) && str_eq(a->name_space, b->name_space) && a->auth == b->auth &&
           str_eq(a->mount, b->mount) && str_eq(a->role_id, b->role_id) && str_eq(a->role, b->role) &&
           str_eq(a->jwt_file, b->jwt_file) && str_eq(a->tls_ca, b->tls_ca) && a->tls_verify == b->tls_verify &&
           str_eq_secret(secret_str(&a->token), secret_str(&b->token)) &&
           str_eq_secret(secret_str(&a->secret_id), secret_str(&b->secret_id));
}

void vault_session_tune(struct vault_session *s, const struct conf_vault *settings) {
    s->settings.timeout = settings->timeout;
    s->settings.poll_interval = settings->poll_interval;
}
