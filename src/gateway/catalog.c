// The models that providers say they have.
#include "gateway/catalog.h"

#include "base/json_read.h"
#include "base/mem.h"
#include "gateway/pipeline.h"
#include "model/provider.h"
#include "net/http1_parse.h"

#define KEEP_MS 60000
#define WAIT_MS 5000
#define ANSWER_MAX ((size_t)8 << 20)
#define MODELS_MAX 5000

// One provider being asked.
struct asking {
    struct catalog *catalog;
    const struct runtime_provider *provider;
    struct http_exchange *x;
    struct buf body;
    bool failed;
};

struct catalog {
    struct gateway_loop *gl;
    struct runtime *runtime; // what the list was made for; NULL = no list
    uint64_t fetched_ms;
    struct arena arena;
    VEC(struct catalog_model) models;
    struct asking *asking; // one a provider of runtime
    size_t pending;
    bool complete;
    struct timer timer;
    struct wait_list waiting;
};

static void on_late(struct timer *timer);

bool catalog_create(struct gateway_loop *gl, struct catalog **out_catalog, struct err *err) {
    struct catalog *c = mem_zalloc(1, sizeof *c);
    if (!c) return err_no_memory(err);
    c->gl = gl;
    arena_init(&c->arena, NULL, 0, (size_t)4 << 20);
    timer_init(&c->timer, gl->loop, on_late);
    *out_catalog = c;
    return true;
}

static void forget(struct catalog *c) {
    timer_stop(&c->timer);
    for (size_t i = 0; c->asking && i < c->runtime->conf->providers.n; i++) {
        if (c->asking[i].x) http_exchange_cancel(c->asking[i].x);
        buf_free(&c->asking[i].body);
    }
    mem_free(c->asking);
    c->asking = NULL;
    runtime_unref(c->runtime);
    c->runtime = NULL;
    c->pending = 0;
    c->complete = false;
    c->models.n = 0;
    arena_free(&c->arena);
}

void catalog_stop(struct catalog *c) { forget(c); }

void catalog_free(struct catalog *c) {
    if (!c) return;
    forget(c);
    vec_free(&c->models);
    mem_free(c);
}

const struct catalog_model *catalog_models(const struct catalog *c, size_t *out_count) {
    static const struct catalog_model none;
    bool fresh = c->complete && c->runtime == c->gl->runtime && loop_now_ms(c->gl->loop) - c->fetched_ms < KEEP_MS;
    *out_count = fresh ? c->models.n : 0;
    return !fresh ? NULL : c->models.n ? c->models.p : &none;
}

// --- reading an answer ---

static void add_model(struct catalog *c, const struct runtime_provider *p, struct str raw_id) {
    struct conf_choice choice;
    struct str id;
    if (c->models.n >= MODELS_MAX || !json_string_text(raw_id, &c->arena, &id) || id.n == 0 || id.n > 256) return;
    id = arena_str(&c->arena, id);
    bool own = id.p && conf_resolve(c->runtime->conf, NULL, id, &choice) && choice.peer == p->conf &&
               str_eq(choice.upstream, id);
    struct str name = own ? id : arena_printf(&c->arena, "%.*s/%.*s", STR_ARG(p->conf->name), STR_ARG(id));
    if (name.p) (void)!vec_push(&c->models, (struct catalog_model){name, p->conf->name});
}

// One model of {"data":[{"id":…},…]}, or of Google's {"models":[{"name":"models/…"},…]}.
static void read_model(struct catalog *c, struct asking *a, struct str model) {
    struct str id;
    if (JSON_GET(model, &id, STR("id")) && json_raw_kind(id) == JSON_STRING)
        add_model(c, a->provider, id);
    else if (JSON_GET(model, &id, STR("name")) && str_starts(id, STR("\"models/")))
        add_model(c, a->provider, arena_printf(&c->arena, "\"%.*s", STR_ARG(str_from(id, sizeof "\"models/" - 1))));
}

static void read_answer(struct catalog *c, struct asking *a) {
    struct json_field f[] = {{.name = STR_INIT("data"), .kinds = JSON_IS(JSON_ARRAY)},
                             {.name = STR_INIT("models"), .kinds = JSON_IS(JSON_ARRAY)}};
    struct json_reader r;
    struct err err;
    struct str model;
    enum json_kind kind;
    if (a->failed || a->body.failed || !json_scan(buf_str(&a->body), f, 2, &err)) return;
    if (!f[0].found && !f[1].found) return;
    json_reader_init(&r, f[0].found ? f[0].raw : f[1].raw, 0);
    json_enter_array(&r);
    while (json_element(&r, &kind))
        if (json_skip(&r, &model) && kind == JSON_OBJECT) read_model(c, a, model);
}

static void wake_all(struct catalog *c) {
    struct wait_list woken;
    wait_move(&c->waiting, &woken);
    for (struct call *call; (call = wait_take(&woken));) pipeline_resume(call);
}

static void all_answered(struct catalog *c) {
    for (size_t i = 0; i < c->runtime->conf->providers.n; i++) {
        if (c->asking[i].provider) read_answer(c, &c->asking[i]);
        buf_free(&c->asking[i].body);
    }
    timer_stop(&c->timer);
    mem_free(c->asking);
    c->asking = NULL;
    c->complete = true;
    c->fetched_ms = loop_now_ms(c->gl->loop);
    wake_all(c);
}

static void answered(struct asking *a, bool failed) {
    a->x = NULL;
    a->failed = failed;
    if (--a->catalog->pending == 0) all_answered(a->catalog);
}

static void on_head(struct http_exchange *x, const struct http1_head *head) {
    struct asking *a = http_exchange_user(x);
    if (head->status == 200) return;
    http_exchange_cancel(x);
    answered(a, true);
}

static void on_data(struct http_exchange *x, struct str data, bool last) {
    struct asking *a = http_exchange_user(x);
    buf_put(&a->body, data);
    if (last) answered(a, false);
}

static void on_error(struct http_exchange *x, const struct err *err) {
    struct asking *a = http_exchange_user(x);
    log_debug(a->catalog->gl->gateway->o.log, LOG_MSG("a provider did not list its models"),
              LOG_STR("provider", a->provider->conf->name), LOG_ERR(err));
    answered(a, true);
}

// --- asking ---

// All on one page; else there are 20 or 50.
static const char *one_page(enum dialect dialect) {
    if (dialect == DIALECT_GEMINI) return "?pageSize=1000";
    return dialect == DIALECT_ANTHROPIC ? "?limit=1000" : "";
}

static void ask(struct catalog *c, struct asking *a, const struct runtime_provider *p) {
    static const struct http_exchange_ops ops = {.on_head = on_head, .on_data = on_data, .on_error = on_error};
    const struct dialect_ops *speaks = dialect_get(provider_dialect(p->conf));
    struct http_field fields[RUNTIME_FIELDS_MAX + 1];
    struct err err;
    *a = (struct asking){.catalog = c, .provider = p};
    buf_init(&a->body, ANSWER_MAX);
    memcpy(fields, p->fields, p->field_count * sizeof *fields);
    fields[p->field_count] = (struct http_field){speaks->dialect_field, speaks->dialect_version};
    struct http_request request = {
        .method = STR("GET"),
        .target = arena_printf(&c->arena, "%.*s/models%s", STR_ARG(p->conf->url.path), one_page(speaks->dialect)),
        .authority = p->authority,
        .fields = fields,
        .field_count = p->field_count + (speaks->dialect_field.n > 0)};
    a->failed = !request.target.p || !http_client_send(c->gl->client, &p->origin, &request, &ops, a, &a->x, &err);
    if (!a->failed) c->pending++;
}

// Those who have not answered by now are left out.
static void on_late(struct timer *timer) {
    struct catalog *c = CONTAINER_OF(timer, struct catalog, timer);
    for (size_t i = 0; i < c->runtime->conf->providers.n; i++) {
        struct asking *a = &c->asking[i];
        if (!a->x) continue;
        http_exchange_cancel(a->x);
        a->x = NULL;
        a->failed = true;
    }
    c->pending = 0;
    all_answered(c);
}

// Beside where the models are called, that is.
static bool has_list(const struct runtime_provider *p) {
    return !p->demo && p->conf->kind != PROVIDER_BEDROCK && p->conf->kind != PROVIDER_COHERE;
}

bool catalog_refresh(struct catalog *c, struct call *call) {
    if (!c->asking || c->runtime != c->gl->runtime) {
        forget(c);
        c->runtime = runtime_ref(c->gl->runtime);
        const struct conf *conf = c->runtime->conf;
        c->asking = mem_zalloc(conf->providers.n, sizeof *c->asking);
        if (!c->asking) {
            wake_all(c); // they answer without
            return false;
        }
        for (size_t i = 0; i < conf->providers.n; i++)
            if (has_list(&c->runtime->providers[i])) ask(c, &c->asking[i], &c->runtime->providers[i]);
        timer_set(&c->timer, WAIT_MS);
    }
    if (c->pending == 0) {
        all_answered(c);
        return false;
    }
    wait_add(&c->waiting, call);
    return true;
}
