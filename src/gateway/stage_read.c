// What is asked: reads the body of a model call and checks that key and tenant may use the model.
#include "gateway/read.h"

#include "base/json_read.h"
#include "conf/value.h"
#include "gateway/native_call.h"
#include "gateway/pipeline.h"

// A provider whose base_url is this very server would multiply one request until something breaks.
static bool came_back(const struct call *call) {
    const struct http_req *req = call->req;
    struct str mark = str_c(call->gl->gateway->via);
    for (size_t i = 0; i < req->field_count; i++) {
        if (req->fields[i].name.n != 3 || !str_eq_nocase(req->fields[i].name, STR("via"))) continue;
        if (str_find(req->fields[i].value, mark) < req->fields[i].value.n) return true;
    }
    return false;
}

static bool check_tenant_model(const struct call *call, struct str name, struct err *err) {
    struct str model = str_head(name, 100);
    const struct conf_tenant *by = conf_tenant_refuser(call->tenant, name);
    char list[200] = "";
    size_t n = 0, shown = 0;
    if (!by) return true;
    for (; shown < by->allow_models.n; shown++) {
        struct str m = by->allow_models.p[shown];
        if (m.n + 3 > sizeof list - n) break;
        n += (size_t)snprintf(list + n, sizeof list - n, "%s%.*s", shown ? ", " : "", STR_ARG(m));
    }
    static const char *const whose[LEVEL_KIND_COUNT] = {"Tenant", "Team", "Project", "Key"};
    err_set(err, ERR_MODEL_NOT_ALLOWED, "%s \"%.*s\" may not use the model \"%.*s\". It may use: %s%s", whose[by->kind],
            STR_ARG(by->name), STR_ARG(model), n ? list : "what its operator says",
            shown < by->allow_models.n ? ", …" : ".");
    snprintf(err->param, sizeof err->param, "model");
    return false;
}

// The server takes bodies up to the general limit; who sends it is known only now.
static bool check_tenant_body(const struct call *call, struct err *err) {
    const struct conf_tenant *t = call->tenant;
    if (!t || call->req->body.n <= (size_t)t->limits.max_body) return true;
    BUF_AUTO struct buf most = BUF_INIT(64);
    value_put_size(&most, t->limits.max_body);
    return err_set(err, ERR_BODY_TOO_LARGE,
                   "the request body has %zu bytes; %s \"%.*s\" may send %.*s (its limits.max_body)", call->req->body.n,
                   conf_level_word(t->kind), STR_ARG(t->name), STR_ARG(buf_str(&most)));
}

static bool check_coding(const struct http_req *req, struct err *err) {
    struct str coding = http_field_get(req->fields, req->field_count, STR("content-encoding"));
    if (!coding.n || str_eq_nocase(coding, STR("identity"))) return true;
    err_set(err, ERR_INVALID_REQUEST, "bodies with Content-Encoding \"%.*s\" are not accepted; send it as it is",
            STR_ARG(str_head(coding, 40)));
    err->status = 415;
    return false;
}

bool read_admits(struct call *call, struct err *err) {
    if (came_back(call))
        return err_set(err, ERR_LOOP,
                       "the request came back to this server: a provider's base_url points at Penstock itself");
    if (!check_coding(call->req, err) || !check_tenant_body(call, err)) return false;
    if (call->tenant) call->answer.max = (size_t)call->tenant->limits.max_response;
    return true;
}

// Of "/v1beta/models/MODEL:generateContent": model and action, decoded.
static bool path_parts(const struct call *call, struct model_request_in *in, struct err *err) {
    const struct endpoint *e = call->endpoint;
    if (!endpoint_is_below(e)) return true;
    struct str rest = str_from(call->req->path, e->path.n);
    in->action = e->suffix.n ? str_from(e->suffix, 1) : STR("");
    in->model = http_path_decode(&call->req->arena, str_head(rest, rest.n - e->suffix.n));
    return in->model.p || err_no_memory(err);
}

static bool read_request(struct call *call, unsigned depth, struct err *err) {
    struct http_req *req = call->req;
    struct model_request_in in = {.operation = call->endpoint->operation,
                                  .body = req->body,
                                  .content_type = http_field_get(req->fields, req->field_count, STR("content-type")),
                                  .query = req->query,
                                  .depth = depth};
    bool strict;
    if (!path_parts(call, &in, err) || !call->dialect->peek(&in, &req->arena, &call->request, err)) return false;
    struct str wish = str_trim(http_field_get(req->fields, req->field_count, STR("x-penstock-strict")));
    if (wish.n && !str_eq_nocase(wish, STR("true")) && !str_eq_nocase(wish, STR("false")))
        return err_set(err, ERR_INVALID_REQUEST, "x-penstock-strict is \"true\" or \"false\", not \"%.*s\"",
                       STR_ARG(str_head(wish, 40)));
    call->strict = call->runtime->conf->translation.strict || str_eq_nocase(wish, STR("true"));
    if (call->request.strict.p && json_raw_bool(call->request.strict, &strict)) call->strict = strict;
    return true;
}

// Before rights are asked: they are of the name that it goes on by.
static void read_name(struct call *call) {
    enum dialect d = call->dialect->dialect;
    if (d != DIALECT_OLLAMA && d != DIALECT_OLLAMA_GENERATE) return;
    struct str name = read_untagged(call, call->request.model);
    call->request.renamed = call->request.renamed || name.n != call->request.model.n;
    call->request.model = name;
}

// --- models in the place of those that fail ---

#define FALLBACKS_MAX 8

static bool check_model(const struct call *call, struct str name, struct err *err) {
    if (call->key && !keyring_check_model(call->ring, call->key, name, call->ts, err)) return false;
    return check_tenant_model(call, name, err);
}

static bool at_fallbacks(struct err *err) {
    snprintf(err->param, sizeof err->param, "fallbacks");
    return false;
}

static bool add_fallback(struct call *call, struct str name, struct err *err) {
    struct conf_choice choice;
    struct arena *arena = &call->req->arena;
    if (call->fallback_count == FALLBACKS_MAX) {
        err_set(err, ERR_INVALID_REQUEST, "there may be %d fallbacks at most", FALLBACKS_MAX);
        return at_fallbacks(err);
    }
    if (!check_model(call, name, err)) return at_fallbacks(err);
    if (!conf_resolve(call->runtime->conf, call->tenant, name, &choice)) {
        err_set(err, ERR_MODEL_NOT_FOUND, "there is no model \"%.*s\" to fall back on", STR_ARG(str_head(name, 100)));
        return at_fallbacks(err);
    }
    if (!call->fallbacks) call->fallbacks = ARENA_ARRAY(arena, struct str, FALLBACKS_MAX);
    if (!call->fallbacks) return err_no_memory(err);
    call->fallbacks[call->fallback_count++] = name;
    return true;
}

// The body's member goes before the header.
static bool read_fallbacks(struct call *call, struct err *err) {
    struct http_req *req = call->req;
    struct str rest = http_field_get(req->fields, req->field_count, STR("x-penstock-fallbacks")), part, raw;
    struct json_reader r;
    enum json_kind kind;
    if (!call->request.fallbacks.p) {
        bool said = rest.n > 0;
        while (rest.n && str_split(&rest, ',', &part))
            if ((part = str_trim(part)).n && !add_fallback(call, part, err)) return false;
        return !said || call->fallback_count ||
               err_set(err, ERR_INVALID_REQUEST,
                       "x-penstock-fallbacks names one to %d models, with commas between them, such as \"gpt-5-mini, "
                       "local/qwen3\"",
                       FALLBACKS_MAX);
    }
    json_reader_init(&r, call->request.fallbacks, 1);
    if (!json_enter_array(&r)) return err_no_memory(err);
    while (json_element(&r, &kind)) {
        if (kind != JSON_STRING || !json_string(&r, &raw)) {
            err_set(err, ERR_INVALID_REQUEST, "fallbacks has to be a list of models' names");
            return at_fallbacks(err);
        }
        if (!json_string_text(raw, &req->arena, &part)) return err_no_memory(err);
        if (!add_fallback(call, part, err)) return false;
    }
    return true;
}

enum stage_result stage_read(struct call *call, struct err *err) {
    const struct conf_limits *limits = &call->runtime->conf->limits;
    if (!read_admits(call, err)) return STAGE_FAIL;
    if (!read_request(call, (unsigned)limits->json_depth, err)) return STAGE_FAIL;
    read_name(call);
    if (native_is(call, NATIVE_ANSWER)) return STAGE_DONE;    // it was allowed when it was sent
    if (call->inner && call->inner->judge) return STAGE_DONE; // so it is configured
    if (!check_model(call, call->request.model, err)) return STAGE_FAIL;
    if (call->inner && call->inner->shadow) return STAGE_DONE; // the client's fallbacks are for its own answer
    return read_fallbacks(call, err) ? STAGE_DONE : STAGE_FAIL;
}
