// Tries providers: asks each for its models, with the credentials that requests carry.
#include "admin/check_impl.h"
#include "base/json_read.h"
#include "model/provider.h"

#define FIELDS_MAX 32
#define LIST_MAX ((size_t)16 << 20)
#define SHOWN_MAX 3 // names in a message

struct ask {
    const struct conf_provider *p;
    struct http_field fields[FIELDS_MAX];
    size_t n_fields;
    struct buf url, bearer;
};

static void add_field(struct ask *a, struct str name, struct str value) {
    if (a->n_fields < FIELDS_MAX) a->fields[a->n_fields++] = (struct http_field){name, value};
}

static bool ask_init(struct ask *a, const struct conf_provider *p) {
    struct str key = conf_provider_key(p), base = p->base_url;
    *a = (struct ask){.p = p, .url = BUF_INIT(8192), .bearer = BUF_INIT(key.n + 16)};
    while (base.n && base.p[base.n - 1] == '/') base.n--;
    buf_put(&a->url, base);
    buf_lit(&a->url, "/models");
    const struct dialect_ops *speaks = dialect_get(provider_dialect(p));
    enum provider_auth auth = provider_auth_of(p);
    if (speaks->dialect == DIALECT_ANTHROPIC) buf_lit(&a->url, "?limit=1000");
    if (speaks->dialect_field.n) add_field(a, speaks->dialect_field, speaks->dialect_version);
    if (key.n && auth == PROVIDER_AUTH_X_API_KEY) add_field(a, STR("x-api-key"), key);
    if (key.n && auth == PROVIDER_AUTH_API_KEY) add_field(a, STR("api-key"), key);
    if (key.n && auth == PROVIDER_AUTH_GOOG) add_field(a, STR("x-goog-api-key"), key);
    if (key.n && auth == PROVIDER_AUTH_BEARER && buf_reserve(&a->bearer, key.n + 7)) {
        buf_lit(&a->bearer, "Bearer ");
        buf_put(&a->bearer, key);
        add_field(a, STR("authorization"), buf_str(&a->bearer));
    }
    for (size_t i = 0; i < p->headers.n; i++) add_field(a, p->headers.p[i].name, p->headers.p[i].value);
    return !a->url.failed && !a->bearer.failed;
}

static void ask_free(struct ask *a) {
    secret_wipe(a->bearer.p, a->bearer.n);
    buf_free(&a->bearer);
    buf_free(&a->url);
}

// --- the list ---

struct models {
    struct arena arena;
    VEC(struct str) names;
    bool more; // there are other pages
};

static bool model_name(struct str element, struct models *m) {
    struct json_field id = {.name = STR_INIT("id"), .kinds = JSON_IS(JSON_STRING), .required = true};
    struct err err;
    struct str name;
    return json_scan(element, &id, 1, &err) && json_string_text(id.raw, &m->arena, &name) && vec_push(&m->names, name);
}

// {"data": [{"id": "…"}, …], "has_more": false}
static bool models_read(struct str body, struct models *m) {
    struct json_field f[] = {{.name = STR_INIT("data"), .kinds = JSON_IS(JSON_ARRAY), .required = true},
                             {.name = STR_INIT("has_more"), .kinds = JSON_IS(JSON_BOOL) | JSON_OR_NULL}};
    struct json_reader r;
    struct err err;
    struct str raw;
    enum json_kind kind;
    if (!json_scan(body, f, ARRAY_LEN(f), &err)) return false;
    if (f[1].found && f[1].kind == JSON_BOOL && !json_raw_bool(f[1].raw, &m->more)) return false;
    json_reader_init(&r, f[0].raw, 0);
    if (!json_enter_array(&r)) return false;
    while (json_element(&r, &kind))
        if (kind != JSON_OBJECT || !json_skip(&r, &raw) || !model_name(raw, m)) return false;
    return json_end(&r, &err);
}

// Gemini writes "models/NAME", Ollama "NAME:latest".
static bool models_have(const struct models *m, struct str wanted) {
    for (size_t i = 0; i < m->names.n; i++) {
        struct str name = m->names.p[i];
        if (str_eq(name, wanted)) return true;
        if (str_starts(name, STR("models/")) && str_eq(str_from(name, 7), wanted)) return true;
        if (str_ends(name, STR(":latest")) && str_eq(str_head(name, name.n - 7), wanted)) return true;
    }
    return false;
}

struct missing {
    const struct models *models;
    struct str shown[SHOWN_MAX];
    size_t n;
};

static void look_for(struct missing *missing, const struct conf_provider *p, const struct conf_model *models,
                     size_t n) {
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < models[i].targets.n; k++) {
            const struct conf_target *t = &models[i].targets.p[k];
            if (t->peer != p || models_have(missing->models, t->model)) continue;
            bool said = false;
            for (size_t s = 0; s < MIN(missing->n, (size_t)SHOWN_MAX); s++) said |= str_eq(missing->shown[s], t->model);
            if (said) continue;
            if (missing->n < SHOWN_MAX) missing->shown[missing->n] = t->model;
            missing->n++;
        }
    }
}

static void note_missing(const struct conf *conf, struct check *c, const struct conf_provider *p,
                         const struct models *models) {
    struct missing missing = {.models = models};
    look_for(&missing, p, conf->models.p, conf->models.n);
    struct conf_level_at at = {0};
    for (const struct conf_tenant *t; (t = conf_level_next(conf, &at)) != NULL;)
        look_for(&missing, p, t->models.p, t->models.n);
    if (!missing.n) return;
    char text[300] = "";
    size_t n = 0;
    for (size_t i = 0; i < MIN(missing.n, (size_t)SHOWN_MAX); i++)
        n += (size_t)MAX(
            snprintf(text + n, sizeof text - n, "%s\"%.*s\"", i ? ", " : "", STR_ARG(str_head(missing.shown[i], 60))),
            0);
    if (missing.n > SHOWN_MAX) snprintf(text + n, sizeof text - n, " and %zu more", missing.n - SHOWN_MAX);
    check_note(c, CHECK_WARNING, "its list does not have %s", text);
    check_advise(c, "is the model's name the provider's own, and may this key use it?");
}

static void note_models(struct check_list *l, struct check *c, const struct conf_provider *p, struct str body) {
    struct models models = {0};
    arena_init(&models.arena, NULL, 0, LIST_MAX);
    if (!models_read(body, &models)) {
        check_note(c, CHECK_FAILED, "it answers, but not with a list of models");
        check_advise(c, "does %.*s.base_url name its API, and not a web page? It usually ends with /v1",
                     STR_ARG(c->key));
    } else {
        c->models = models.names.n;
        check_note(c, CHECK_OK, "%zu model%s%s", models.names.n, models.names.n == 1 ? "" : "s",
                   models.more ? " on the first page" : "");
        if (!models.more) note_missing(l->conf, c, p, &models);
    }
    vec_free(&models.names);
    arena_free(&models.arena);
}

// --- refusals ---

static void note_refused(struct check *c, const struct conf_provider *p, int status) {
    if (p->api_key.n) {
        check_note(c, CHECK_FAILED, "the key was refused (%d)", status);
        check_advise(c, "give a valid key in %.*s.api_key%s", STR_ARG(c->key),
                     status == 403 ? ", one with the right to list models" : "");
        return;
    }
    if (p->credentials.n || p->identity.from) {
        check_note(c, CHECK_OK, "reached; its credentials are fetched when it is called");
        return;
    }
    check_note(c, CHECK_FAILED, "it wants a key (%d), and none is set", status);
    check_advise(c, "set %.*s.api_key", STR_ARG(c->key));
}

// Some have no list beside where their models are called; that they answer is then all there is to see.
static bool has_list(const struct conf_provider *p) {
    return p->kind != PROVIDER_BEDROCK && p->kind != PROVIDER_COHERE;
}

static void note_status(struct check *c, const struct conf_provider *p, int status) {
    struct str key = c->key;
    bool reached = status == 404 || (status == 403 && p->kind == PROVIDER_BEDROCK);
    if (!has_list(p) && reached) {
        check_note(c, CHECK_OK, "reached; it has no list of models to ask for");
    } else if (status == 401 || status == 403) {
        note_refused(c, p, status);
    } else if (status == 404 || status == 405) {
        check_note(c, CHECK_FAILED, "there is no list of models at base_url (%d)", status);
        check_advise(c, "is %.*s.base_url right? It usually ends with /v1", STR_ARG(key));
    } else if (status == 407) {
        check_note(c, CHECK_FAILED, "the proxy wants a login (407)");
        check_advise(c, "use a proxy that lets this machine through");
    } else if (status == 429) {
        check_note(c, CHECK_WARNING, "reached, but it has had too many requests (429)");
        check_advise(c, "its limit, or the credit behind the key, is used up for now");
    } else if (status >= 300 && status < 400) {
        check_note(c, CHECK_FAILED, "it sends its clients elsewhere (%d)", status);
        check_advise(c, "write the address it sends them to in %.*s.base_url", STR_ARG(key));
    } else {
        check_note(c, CHECK_FAILED, "it answered with an error (%d)", status);
        if (status >= 500)
            check_advise(c, "it has trouble of its own; try again");
        else
            check_advise(c, "does %.*s.base_url name its API?", STR_ARG(key));
    }
}

static void run(struct check_list *l, struct check *c) {
    const struct conf_provider *p = c->subject;
    struct fetch_answer answer;
    struct ask ask;
    if (p->kind == PROVIDER_DEMO) {
        check_note(c, CHECK_OK, "answers in process");
        return;
    }
    bool ready = ask_init(&ask, p);
    int64_t own = p->timeouts.total > 0 ? MIN(p->timeouts.total, (int64_t)CHECK_OWN_MS) : CHECK_OWN_MS;
    struct fetch_request request = {.url = buf_str(&ask.url),
                                    .fields = ask.fields,
                                    .n_fields = ask.n_fields,
                                    .proxy = p->proxy,
                                    .tls_ca = p->tls_ca,
                                    .no_verify = !p->tls_verify,
                                    .timeout_ms = check_time_left(l, own),
                                    .connect_ms = check_time_left(l, p->timeouts.connect),
                                    .max_body = LIST_MAX};
    if (!ready) {
        check_note(c, CHECK_FAILED, "out of memory");
    } else if (check_fetch(c, &request, c->key, &answer)) {
        if (answer.status == 200)
            note_models(l, c, p, buf_str(&answer.body));
        else
            note_status(c, p, answer.status);
        fetch_answer_free(&answer);
    }
    ask_free(&ask);
}

void check_add_providers(struct check_list *l) {
    for (size_t i = 0; i < l->conf->providers.n; i++) {
        const struct conf_provider *p = &l->conf->providers.p[i];
        check_add(l, CHECK_PROVIDER, p->name, run, p, "providers.%.*s", STR_ARG(p->name));
    }
}
