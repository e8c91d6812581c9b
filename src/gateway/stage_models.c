// GET /v1/models and /v1/models/NAME: the models and aliases that the caller's key may use.
#include "gateway/pipeline.h"

#include "base/json_write.h"
#include "base/text.h"
#include "gateway/answer.h"
#include "gateway/model_list.h"
#include "gateway/store_reply.h"
#include "model/provider.h"
#include "os/clock.h"

struct shown {
    const struct call *call;
    struct json_writer *w;
    struct str first, last; // the names shown
};

// The matrix of a model with several targets: what each of them can, where it is. For those whose configuration it is:
// what stands behind the operator's models is no tenant's affair.
static void put_targets(const struct call *call, struct str name, struct json_writer *w) {
    const struct route_model *m = route_model_find(call->runtime->routes, call->tenant, name);
    if (!m || m->count < 2 || !(call_is_operators(call) || call_owns(call, m))) return;
    json_put_member_array(w, STR("targets"));
    for (size_t i = 0; i < m->count; i++) {
        const struct route_node *node = &m->nodes[i];
        json_put_object(w);
        json_put_member_str(w, STR("provider"), node->conf->provider);
        json_put_member_str(w, STR("model"), node->conf->model);
        model_entry_put_abilities(w, node->facts, node->known);
        json_put_member_text(w, STR("region"), node->conf->region);
        json_put_member_bool(w, STR("local"), node->conf->peer->privacy == PRIVACY_LOCAL);
        json_put_object_end(w);
    }
    json_put_array_end(w);
}

static bool is_out(const struct route_node *node) { return node->conf->weight <= 0; }

// What all of its targets can by the way they are asked.
static unsigned lent_to(const struct call *call, struct str name, const struct model_named *named) {
    const struct route_model *m = route_model_find(call->runtime->routes, call->tenant, name);
    unsigned all = named->facts.can ? provider_lends(named->target.peer) : 0;
    for (size_t i = 0; m && i < m->count; i++)
        if (!is_out(&m->nodes[i])) all &= provider_lends(m->nodes[i].conf->peer);
    return all;
}

// What one of several targets has at least: a request that needs it goes there. Of one that nobody knows it is not
// known what it lacks.
static void put_any_target(const struct call *call, struct str name, struct json_writer *w) {
    const struct route_model *m = route_model_find(call->runtime->routes, call->tenant, name);
    struct model_entry any = {0};
    bool known = true, window = true, output = true;
    size_t n = 0;
    for (size_t i = 0; m && i < m->count; i++) {
        const struct model_entry *facts = m->nodes[i].facts;
        if (is_out(&m->nodes[i])) continue;
        n++;
        known = known && m->nodes[i].known;
        window = window && facts->context_window;
        output = output && facts->max_output;
        any.can |= facts->can;
        any.context_window = MAX(any.context_window, facts->context_window);
        any.max_output = MAX(any.max_output, facts->max_output);
    }
    if (n < 2) return;
    if (!window) any.context_window = 0;
    if (!output) any.max_output = 0;
    json_put_member_object(w, STR("any_target"));
    model_entry_put_abilities(w, &any, known);
    json_put_object_end(w);
}

static void put_model(void *arg, struct str name, struct str owner) {
    const struct shown *shown = arg;
    const struct call *call = shown->call;
    struct model_named named;
    struct json_writer *w = shown->w;
    json_put_object(w);
    json_put_member_str(w, STR("id"), name);
    json_put_member_str(w, STR("object"), STR("model"));
    json_put_member_i64(w, STR("created"), shown->call->ts / (int64_t)NS_PER_SEC);
    json_put_member_str(w, STR("owned_by"), owner);
    if (model_facts_named(call->runtime->models, call->runtime->conf, call->tenant, name, &named) &&
        model_entry_known(&named.facts)) {
        named.facts.can |= lent_to(call, name, &named);
        model_entry_put(w, &named.facts);
    }
    put_any_target(call, name, w);
    put_targets(call, name, w);
    json_put_object_end(w);
}

// --- pages of them ---

#define PAGE_MAX 1000

struct page {
    struct str *names; // all of them
    size_t n;
    size_t from, to; // those of the page
};

static void count_name(void *arg, struct str name, struct str owner) { (void)arg, (void)name, (void)owner; }

struct gathering {
    struct page *page;
    struct arena *arena;
};

static void gather_name(void *arg, struct str name, struct str owner) {
    struct gathering *g = arg;
    (void)owner;
    g->page->names[g->page->n++] = arena_str(g->arena, name);
}

static bool page_of_all(const struct call *call, struct page *out, struct err *err) {
    struct gathering g = {out, &call->req->arena};
    size_t n = model_list(call, STR(""), count_name, NULL);
    *out = (struct page){.names = ARENA_ARRAY(&call->req->arena, struct str, n + 1)};
    if (!out->names) return err_no_memory(err);
    model_list(call, STR(""), gather_name, &g);
    out->to = out->n;
    return true;
}

// The place of the name that a parameter gives; *out_at is the list's length where it gives none.
static bool page_find(const struct call *call, const struct page *page, const char *param, size_t *out_at,
                      struct err *err) {
    struct str name;
    if (!store_query(call, str_c(param), &name, err)) return false;
    *out_at = page->n;
    if (!name.n) return true;
    for (*out_at = 0; *out_at < page->n; ++*out_at)
        if (str_eq(page->names[*out_at], name)) return true;
    err_set(err, ERR_INVALID_FIELD, "%s names no model of this list", param);
    snprintf(err->param, sizeof err->param, "%s", param);
    return false;
}

// --- in Anthropic's shape ---

static void put_time(struct json_writer *w, struct str key, int64_t ts) {
    char text[TIME_TEXT_LEN];
    time_text(text, ts);
    json_put_member_str(w, key, str_of(text, sizeof text));
}

static void put_count(struct json_writer *w, struct str key, uint64_t n) {
    if (n)
        json_put_member_u64(w, key, n);
    else
        json_put_member_null(w, key);
}

static void put_anthropic_model(void *arg, struct str name, struct str owner) {
    struct shown *shown = arg;
    const struct runtime *rt = shown->call->runtime;
    struct model_named named;
    struct json_writer *w = shown->w;
    (void)owner;
    if (!model_facts_named(rt->models, rt->conf, shown->call->tenant, name, &named)) named = (struct model_named){0};
    json_put_object(w);
    json_put_member_str(w, STR("type"), STR("model"));
    json_put_member_str(w, STR("id"), name);
    json_put_member_str(w, STR("display_name"), name);
    put_time(w, STR("created_at"), shown->call->ts);
    put_count(w, STR("max_input_tokens"), named.facts.context_window);
    put_count(w, STR("max_tokens"), named.facts.max_output);
    json_put_object_end(w);
    shown->last = arena_str(&shown->call->req->arena, name);
    if (!shown->first.p) shown->first = shown->last;
}

static void put_id(struct json_writer *w, struct str key, struct str id) {
    if (id.p)
        json_put_member_str(w, key, id);
    else
        json_put_member_null(w, key);
}

// Who asks for no limit gets all of them on one page.
static bool anthropic_page(const struct call *call, struct page *out, struct err *err) {
    size_t after, before;
    int64_t limit;
    if (!page_of_all(call, out, err) || !store_query_limit(call, 1, PAGE_MAX, 0, &limit, err) ||
        !page_find(call, out, "after_id", &after, err) || !page_find(call, out, "before_id", &before, err))
        return false;
    out->from = after < out->n ? after + 1 : 0;
    out->to = MAX(before, out->from);
    if (limit && before < out->n && after == out->n)
        out->from = out->to - MIN(out->to, (size_t)limit);
    else if (limit)
        out->to = MIN(out->to, out->from + (size_t)limit);
    return true;
}

static bool put_anthropic_list(struct shown *shown, struct err *err) {
    struct json_writer *w = shown->w;
    struct page page;
    struct str before;
    if (!anthropic_page(shown->call, &page, err) || !store_query(shown->call, STR("before_id"), &before, err))
        return false;
    json_put_object(w);
    json_put_member_array(w, STR("data"));
    for (size_t i = page.from; i < page.to; i++) put_anthropic_model(shown, page.names[i], STR(""));
    json_put_array_end(w);
    // More of them in the direction that is being gone.
    json_put_member_bool(w, STR("has_more"), before.n ? page.from > 0 : page.to < page.n);
    put_id(w, STR("first_id"), shown->first);
    put_id(w, STR("last_id"), shown->last);
    json_put_object_end(w);
    return true;
}

// --- in Google's ---

// Of a model that nothing is known of, all of them.
static void put_gemini_methods(struct json_writer *w, const struct model_entry *facts) {
    bool known = model_entry_known(facts), embeds = facts->mode == MODEL_EMBEDDING;
    json_put_member_array(w, STR("supportedGenerationMethods"));
    if (!known || !embeds) json_put_str(w, STR("generateContent"));
    json_put_str(w, STR("countTokens"));
    if (!known || embeds) json_put_str(w, STR("embedContent"));
    json_put_array_end(w);
}

static void put_gemini_model(void *arg, struct str name, struct str owner) {
    struct shown *shown = arg;
    const struct runtime *rt = shown->call->runtime;
    struct model_named named;
    struct json_writer *w = shown->w;
    (void)owner;
    if (!model_facts_named(rt->models, rt->conf, shown->call->tenant, name, &named)) named = (struct model_named){0};
    struct str full = arena_printf(&shown->call->req->arena, "models/%.*s", STR_ARG(name));
    json_put_object(w);
    json_put_member_str(w, STR("name"), full);
    json_put_member_str(w, STR("displayName"), name);
    if (named.facts.context_window) json_put_member_u64(w, STR("inputTokenLimit"), named.facts.context_window);
    if (named.facts.max_output) json_put_member_u64(w, STR("outputTokenLimit"), named.facts.max_output);
    put_gemini_methods(w, &named.facts);
    json_put_object_end(w);
}

// A page's token is the name that the one before it ended with.
static bool gemini_page(const struct call *call, struct page *out, struct err *err) {
    struct str text;
    size_t after;
    int64_t size = 0;
    if (!page_of_all(call, out, err) || !page_find(call, out, "pageToken", &after, err) ||
        !store_query(call, STR("pageSize"), &text, err))
        return false;
    if (text.n && (!str_to_i64(text, &size) || size < 0)) {
        err_set(err, ERR_INVALID_FIELD, "pageSize must be a whole number");
        snprintf(err->param, sizeof err->param, "pageSize");
        return false;
    }
    out->from = after < out->n ? after + 1 : 0;
    if (size) out->to = MIN(out->n, out->from + (size_t)MIN(size, PAGE_MAX));
    return true;
}

static bool put_gemini_list(struct shown *shown, struct err *err) {
    struct page page;
    if (!gemini_page(shown->call, &page, err)) return false;
    json_put_object(shown->w);
    json_put_member_array(shown->w, STR("models"));
    for (size_t i = page.from; i < page.to; i++) put_gemini_model(shown, page.names[i], STR(""));
    json_put_array_end(shown->w);
    if (page.to < page.n) json_put_member_str(shown->w, STR("nextPageToken"), page.names[page.to - 1]);
    json_put_object_end(shown->w);
    return true;
}

// --- in OpenAI's ---

static void put_list(struct shown *shown) {
    json_put_object(shown->w);
    json_put_member_str(shown->w, STR("object"), STR("list"));
    json_put_member_array(shown->w, STR("data"));
    model_list(shown->call, STR(""), put_model, shown);
    json_put_array_end(shown->w);
    json_put_object_end(shown->w);
}

enum stage_result stage_models(struct call *call, struct err *err) {
    struct json_writer w;
    struct str wanted = STR("");
    struct shown shown = {.call = call, .w = &w};
    bool anthropic = call->dialect->dialect == DIALECT_ANTHROPIC, gemini = call->dialect->dialect == DIALECT_GEMINI;
    if (model_list_waits(call)) return STAGE_WAIT;
    if (endpoint_is_below(call->endpoint))
        wanted = http_path_decode(&call->req->arena, str_from(call->req->path, call->endpoint->path.n));
    json_writer_init(&w, &call->answer);
    if (wanted.n) {
        if (model_list(call, wanted,
                       anthropic ? put_anthropic_model
                       : gemini  ? put_gemini_model
                                 : put_model,
                       &shown) == 0) {
            err_set(err, ERR_MODEL_NOT_FOUND,
                    "there is no model \"%.*s\" that this key may use; GET /v1/models lists those there are",
                    STR_ARG(str_head(wanted, 100)));
            return STAGE_FAIL;
        }
    } else if (anthropic) {
        if (!put_anthropic_list(&shown, err)) return STAGE_FAIL;
    } else if (gemini) {
        if (!put_gemini_list(&shown, err)) return STAGE_FAIL;
    } else {
        put_list(&shown);
    }
    call_reply(call, 200, STR("application/json"), buf_str(&call->answer));
    return STAGE_ANSWERED;
}
