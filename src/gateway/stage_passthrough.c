// What has no dialect here: which provider is meant, and whether the caller may use all of it.
#include "gateway/pipeline.h"

#include "base/json_read.h"
#include "gateway/finding.h"
#include "gateway/need.h"
#include "gateway/read.h"
#include "govern/audit_note.h"
#include "model/provider.h"
#include "route/filter.h"
#include "route/unserved.h"

static struct str named(const struct call *call) {
    struct str rest = str_from(call->req->path, call->endpoint->path.n);
    return str_head(rest, str_find_char(rest, '/'));
}

static const struct conf_provider *find(struct call *call, struct err *err) {
    struct str name = named(call);
    const struct conf *conf = call->runtime->conf;
    for (size_t i = 0; i < conf->providers.n; i++) {
        const struct conf_provider *p = &conf->providers.p[i];
        if (!str_eq(p->name, name) || p->kind == PROVIDER_DEMO) continue;
        if (p->passthrough) return p;
        err_set(err, ERR_FORBIDDEN,
                "provider \"%.*s\" is not passed through to; the operator can allow it (providers[].passthrough: true)",
                STR_ARG(name));
        return NULL;
    }
    err_set(err, ERR_NOT_FOUND, "there is no provider \"%.*s\"; the path is /passthrough/PROVIDER/…",
            STR_ARG(str_head(name, 64)));
    return NULL;
}

// Also where a provider takes a backslash for a slash.
static bool leaves(struct str path) {
    for (size_t i = 0, from = 0; i <= path.n; i++) {
        if (i < path.n && path.p[i] != '/' && path.p[i] != '\\') continue;
        struct str part = str_of(path.p + from, i - from);
        if (str_eq(part, STR("..")) || str_eq(part, STR("."))) return true;
        from = i + 1;
    }
    return false;
}

// A path that leaves the provider's base address would reach what nobody has meant. There may be a proxy before the
// provider that decodes as well.
static bool check_path(const struct call *call, struct err *err) {
    struct str path = call->req->path;
    for (int times = 0; times < 2; times++) {
        path = http_path_decode(&call->req->arena, path);
        if (!path.p) return err_no_memory(err);
        if (leaves(path)) return err_set(err, ERR_INVALID_REQUEST, "the path must not hold \".\" or \"..\"");
    }
    return true;
}

// Who answers these tells what was sent: the provider's key. CONNECT is no request for something below an address.
static bool check_method(const struct call *call, struct err *err) {
    static const struct str never[] = {STR_INIT("TRACE"), STR_INIT("TRACK"), STR_INIT("CONNECT")};
    struct str method = call->req->method_text;
    for (size_t i = 0; i < ARRAY_LEN(never); i++)
        if (str_eq_nocase(method, never[i]))
            return err_set(err, ERR_METHOD_NOT_ALLOWED, "%.*s is not passed through", STR_ARG(method));
    return true;
}

// The model that the body names, for rights, budgets and prices; "*" where it names none. Of two names none could say
// which one the provider takes.
static bool read_model(struct call *call, struct str *out_model, struct err *err) {
    struct json_field f[] = {{.name = STR_INIT("model")}, {.name = STR_INIT("stream")}};
    struct str model;
    *out_model = STR("*");
    if (!json_scan(call->req->body, f, ARRAY_LEN(f), err)) return err->code != ERR_INVALID_FIELD; // else no JSON
    call->request.stream = f[1].found && f[1].kind == JSON_BOOL && f[1].raw.p[0] == 't';
    bool has = f[0].found && json_string_text(f[0].raw, &call->req->arena, &model) && model.n && model.n <= 256;
    if (has) *out_model = model;
    return true;
}

// Each method at each provider has events of its own; what the method is called is of a fixed set.
static void note(const struct call *call, const struct conf_provider *p) {
    const struct http_req *req = call->req;
    struct str method = req->method == HTTP_METHOD_OTHER ? STR("OTHER") : req->method_text;
    struct str reason = arena_printf(&call->req->arena, "%.*s %.*s", STR_ARG(method), STR_ARG(p->name));
    struct audit_denial d = {.tenant = call->key ? call->key->tenant_id : 0,
                             .key = call->key ? call->key->id : 0,
                             .name = call->key ? call->key->prefix : STR(""),
                             .action = STR("provider.passthrough"),
                             .resource_type = STR("provider"),
                             .resource = p->name,
                             .reason = reason.n ? reason : method,
                             .address = call->req->peer,
                             .request_id = str_of(call->id_text, REQUEST_ID_TEXT_LEN),
                             .was_allowed = true};
    audit_note_denied(call->gl->gateway->o.audit, &d);
}

enum stage_result stage_passthrough(struct call *call, struct err *err) {
    const struct conf_provider *p = find(call, err);
    if (!p || !check_method(call, err) || !check_path(call, err) || !read_admits(call, err)) return STAGE_FAIL;
    struct str model;
    if (!read_model(call, &model, err)) return STAGE_FAIL;
    struct str name = arena_printf(&call->req->arena, "%.*s/%.*s", STR_ARG(p->name), STR_ARG(model));
    if (!name.n) return err_no_memory(err) ? STAGE_DONE : STAGE_FAIL;
    call->request.operation = OPERATION_PASSTHROUGH;
    call->request.model = name;
    call->request.input = call->req->body;
    call->request.wants_usage = true;
    // All of the provider's models: the endpoint may know of others than the body names; that one may be denied.
    struct str all = arena_printf(&call->req->arena, "%.*s/*", STR_ARG(p->name));
    if (call->key && (!keyring_check_model(call->ring, call->key, all, call->ts, err) ||
                      !keyring_check_model(call->ring, call->key, name, call->ts, err)))
        return STAGE_FAIL;
    if (!conf_tenant_allows(call->tenant, all)) {
        err_set(err, ERR_MODEL_NOT_ALLOWED, "the tenant may not use all models of provider \"%.*s\"", STR_ARG(p->name));
        return STAGE_FAIL;
    }
    enum stage_result ahead = finding_ahead(call, err);
    if (ahead != STAGE_DONE) return ahead;
    if (!need_fill(call, err)) return STAGE_FAIL;
    const struct route_ask ask = call_route_ask(call);
    if (!filter_provider(p, ask.need)) return route_kept_in(&ask, name, p, err) ? STAGE_DONE : STAGE_FAIL;
    call->route.count = 1;
    route_direct(&ask, p, model, &call->route.targets[0]);
    call->dialect = dialect_get(provider_dialect(p));
    call->request.dialect = call->dialect->dialect;
    note(call, p);
    return STAGE_DONE;
}
