// GET /v1/models and /v1/models/NAME: the models and aliases that the caller's key may use.
#include "gateway/pipeline.h"

#include "base/json_write.h"
#include "gateway/answer.h"
#include "gateway/catalog.h"
#include "os/clock.h"

static const struct str k_demo_models[] = {STR_INIT("demo"),     STR_INIT("echo"), STR_INIT("slow"),
                                           STR_INIT("fail-503"), STR_INIT("cut"),  STR_INIT("stall")};

static void put_model(struct json_writer *w, struct str name, struct str owner, int64_t created) {
    json_put_object(w);
    json_put_member_str(w, STR("id"), name);
    json_put_member_str(w, STR("object"), STR("model"));
    json_put_member_i64(w, STR("created"), created);
    json_put_member_str(w, STR("owned_by"), owner);
    json_put_object_end(w);
}

// A configuration that names models means those; without any, the providers say what they have.
static bool asks_providers(const struct conf *conf) { return conf->models.n == 0 && conf->passthrough_models; }

// What the caller's people know the service as.
static struct str own_name(const struct call *call) {
    return call->tenant && call->tenant->branding.name.n ? call->tenant->branding.name : STR("penstock");
}

struct listing {
    const struct call *call;
    struct json_writer *w;
    struct str wanted;            // empty = all
    const struct conf_tenant *at; // whose names are being shown; NULL = general
    size_t n;
};

// A tenant nearer to the caller has the name too, and goes before.
static bool is_hidden(const struct listing *l, struct str name) {
    for (const struct conf_tenant *t = l->call->tenant; t && t != l->at; t = t->up)
        if (map_get(&t->model_map, name) || map_get(&t->alias_map, name)) return true;
    return false;
}

static void show(struct listing *l, struct str name, struct str owner) {
    const struct call *call = l->call;
    if (l->wanted.n && !str_eq(l->wanted, name)) return;
    if (call->key && !keyring_allows_model(call->ring, call->key, name, call->ts)) return;
    if (!conf_tenant_allows(call->tenant, name) || is_hidden(l, name)) return;
    put_model(l->w, name, owner, call->ts / (int64_t)NS_PER_SEC);
    l->n++;
}

// Walks over all that the caller may see; wanted empty: writes all, else only that one. Returns how many were written.
static size_t put_models(const struct call *call, struct json_writer *w, struct str wanted) {
    const struct conf *conf = call->runtime->conf;
    size_t listed_n = 0;
    const struct catalog_model *listed = asks_providers(conf) ? catalog_models(call->gl->catalog, &listed_n) : NULL;
    struct listing l = {.call = call, .w = w, .wanted = wanted};
    for (l.at = call->tenant; l.at; l.at = l.at->up) {
        for (size_t i = 0; i < l.at->models.n; i++) show(&l, l.at->models.p[i].name, own_name(call));
        for (size_t i = 0; i < l.at->aliases.n; i++) show(&l, l.at->aliases.p[i].name, own_name(call));
    }
    for (size_t i = 0; i < conf->models.n; i++) show(&l, conf->models.p[i].name, own_name(call));
    for (size_t i = 0; i < conf->aliases.n; i++) show(&l, conf->aliases.p[i].name, own_name(call));
    for (size_t i = 0; i < conf->providers.n; i++) {
        const struct conf_provider *p = &conf->providers.p[i];
        if (p->kind != PROVIDER_DEMO || !conf->passthrough_models) continue;
        for (size_t k = 0; k < ARRAY_LEN(k_demo_models); k++) {
            struct str name = arena_printf(&call->req->arena, "%.*s/%.*s", STR_ARG(p->name), STR_ARG(k_demo_models[k]));
            if (name.p) show(&l, name, p->name);
        }
    }
    for (size_t i = 0; i < listed_n; i++) show(&l, listed[i].name, listed[i].owner);
    return l.n;
}

enum stage_result stage_models(struct call *call, struct err *err) {
    struct json_writer w;
    struct str wanted = STR("");
    size_t count;
    bool ask = asks_providers(call->runtime->conf) && !call->asked && !catalog_models(call->gl->catalog, &count);
    call->asked = true;
    if (ask && catalog_refresh(call->gl->catalog, call)) return STAGE_WAIT;
    if (call->endpoint->below)
        wanted = http_path_decode(&call->req->arena, str_from(call->req->path, call->endpoint->path.n));
    json_writer_init(&w, &call->answer);
    if (wanted.n) {
        if (put_models(call, &w, wanted) == 0) {
            err_set(err, ERR_MODEL_NOT_FOUND,
                    "there is no model \"%.*s\" that this key may use; GET /v1/models lists those there are",
                    STR_ARG(str_head(wanted, 100)));
            return STAGE_FAIL;
        }
    } else {
        json_put_object(&w);
        json_put_member_str(&w, STR("object"), STR("list"));
        json_put_member_array(&w, STR("data"));
        put_models(call, &w, wanted);
        json_put_array_end(&w);
        json_put_object_end(&w);
    }
    call_reply(call, 200, STR("application/json"), buf_str(&call->answer));
    return STAGE_ANSWERED;
}
