// A routing decision in words and as JSON.
#include "route/explain.h"

#include "route/filter.h"

#define NS_PER_S UINT64_C(1000000000)
#define NS_PER_MS UINT64_C(1000000)
#define SCORE_UNKNOWN 1e20 // and above: the strategy knows nothing to score it by

// --- lists ---

static struct str ability_name(unsigned bit) {
    static const struct str names[] = {
#define CAPABILITY(id, name, help) [MODEL_CAN_BIT_##id] = STR_INIT(name),
#include "conf/capability.def"
#undef CAPABILITY
    };
    return names[bit];
}

static void separate(struct buf *out, size_t *n) {
    if ((*n)++) buf_lit(out, ", ");
}

static void put_abilities(unsigned can, struct buf *out) {
    size_t n = 0;
    for (unsigned bit = 0; bit < MODEL_CAN_COUNT; bit++) {
        if (!(can >> bit & 1)) continue;
        separate(out, &n);
        buf_put(out, ability_name(bit));
    }
}

static void put_tiers(unsigned set, struct buf *out) {
    size_t n = 0;
    for (unsigned t = 0; t < TIER_COUNT; t++) {
        if (!(set >> t & 1)) continue;
        separate(out, &n);
        buf_put(out, tier_name((enum conf_tier)t));
    }
}

static void put_names(const struct str *names, size_t count, struct buf *out) {
    size_t n = 0;
    for (size_t i = 0; i < count; i++) {
        separate(out, &n);
        buf_put(out, names[i]);
    }
}

static void put_dollars(uint64_t nano, struct buf *out) {
    char text[40];
    int n = snprintf(text, sizeof text, "$%llu.%09llu", (unsigned long long)(nano / NS_PER_S),
                     (unsigned long long)(nano % NS_PER_S));
    while (n > 2 && text[n - 1] == '0' && text[n - 2] != '.') n--;
    buf_append(out, text, (size_t)n);
}

// --- why ---

static void why_context(const struct model_need *need, const struct candidate *c, struct buf *out) {
    buf_printf(out, "the prompt has %s%llu tokens, and its context window takes %llu", need->counted ? "" : "about ",
               (unsigned long long)need->tokens, (unsigned long long)c->node->facts->context_window);
}

static void why_output(const struct model_need *need, const struct candidate *c, struct buf *out) {
    buf_printf(out, "the answer may have %llu tokens, and it gives no more than %llu", (unsigned long long)need->each,
               (unsigned long long)c->node->facts->max_output);
}

static void why_region(const struct route_need *need, const struct candidate *c, struct buf *out) {
    struct str region = c->node->conf->region;
    if (region.n)
        buf_printf(out, "it is in %.*s, and the request may go to: ", STR_ARG(region));
    else
        buf_lit(out, "it is not known where it is, and the request may go to: ");
    put_names(need->regions, need->region_count, out);
}

static bool has_tag(const struct conf_target *t, struct str tag) {
    for (size_t i = 0; i < t->tags.n; i++)
        if (str_eq(t->tags.p[i], tag)) return true;
    return false;
}

static void why_tag(const struct route_need *need, const struct candidate *c, struct buf *out) {
    size_t n = 0;
    buf_lit(out, "it does not have the tag ");
    for (size_t i = 0; i < need->tag_count; i++) {
        if (has_tag(c->node->conf, need->tags[i])) continue;
        separate(out, &n);
        buf_put(out, need->tags[i]);
    }
}

static void why_tier(const struct route_need *need, const struct candidate *c, struct buf *out) {
    buf_lit(out, "it is for prompts that are ");
    put_tiers(c->node->conf->tier_set, out);
    buf_printf(out, ", and this one is %.*s", STR_ARG(tier_name(need->tier)));
}

static void why_cost(const struct route_explained *e, const struct candidate *c, struct buf *out) {
    if (!c->priced) {
        buf_lit(out, "nobody knows what the request would cost there, and there is a max_cost");
        return;
    }
    buf_lit(out, "the request would cost ");
    put_dollars(c->cost_nano, out);
    buf_lit(out, " there, and max_cost is ");
    put_dollars((uint64_t)e->route->model->policy.max_cost * 1000, out);
}

static const struct board_view *view_of(const struct route_explained *e, const struct candidate *c) {
    return &e->trace->views[c - e->trace->candidates];
}

static void put_when(const struct route_explained *e, const struct candidate *c, struct buf *out) {
    uint64_t at = view_of(e, c)->retry_at_ns;
    if (at == UINT64_MAX || at <= e->now_ns) return;
    uint64_t ms = (at - e->now_ns + NS_PER_MS - 1) / NS_PER_MS;
    buf_printf(out, "; it may be asked again in %llu.%llu s", (unsigned long long)(ms / 1000),
               (unsigned long long)(ms % 1000 / 100));
}

static void why_state(const struct route_explained *e, const struct candidate *c, struct buf *out) {
    buf_put(out, e->load ? board_why_words((enum board_why)c->state.why) : drop_text(c->drop));
    put_when(e, c, out);
}

static void why_kept(const struct route_explained *e, const struct candidate *c, struct buf *out) {
    buf_put(out, drop_text(c->drop));
    if (!c->state.usable) buf_lit(out, "; it fails, but so do too many of the others to leave it out");
    if (c->state.usable && view_of(e, c)->probe) buf_lit(out, "; it has failed, and this would be a trial");
}

void route_explain_why(const struct route_explained *e, const struct candidate *c, struct buf *out) {
    switch (c->drop) {
    case ROUTE_DROP_KEPT:
        why_kept(e, c, out);
        break;
    case ROUTE_DROP_CAPABILITY:
        buf_lit(out, "it lacks what the request needs: ");
        put_abilities(e->need->model.can & ~c->node->facts->can, out);
        break;
    case ROUTE_DROP_CONTEXT:
        why_context(&e->need->model, c, out);
        break;
    case ROUTE_DROP_OUTPUT:
        why_output(&e->need->model, c, out);
        break;
    case ROUTE_DROP_REGION:
        why_region(e->need, c, out);
        break;
    case ROUTE_DROP_TAG:
        why_tag(e->need, c, out);
        break;
    case ROUTE_DROP_CONDITION:
        buf_put(out, drop_text(c->drop));
        if (e->open) buf_printf(out, ": %.*s", STR_ARG(c->node->conf->when));
        break;
    case ROUTE_DROP_TIER:
        why_tier(e->need, c, out);
        break;
    case ROUTE_DROP_COST:
        why_cost(e, c, out);
        break;
    case ROUTE_DROP_QUALITY:
        buf_printf(out, "its answers score %.2f, and min_quality is %.2f", c->quality,
                   (double)e->route->model->policy.min_quality / 1e6);
        break;
    case ROUTE_DROP_UNHEALTHY:
    case ROUTE_DROP_COOLDOWN:
    case ROUTE_DROP_KEY_REFUSED:
    case ROUTE_DROP_BREAKER:
    case ROUTE_DROP_LIMIT:
        why_state(e, c, out);
        break;
    default:
        buf_put(out, drop_text(c->drop));
    }
}

// --- JSON: the request ---

static void put_request(struct json_writer *w, const struct route_need *need) {
    const struct model_need *m = &need->model;
    json_put_member_object(w, STR("request"));
    json_put_member_u64(w, STR("tokens"), m->tokens);
    json_put_member_bool(w, STR("tokens_counted"), m->counted);
    json_put_member_u64(w, STR("expected_output_tokens"), need->expected.output);
    json_put_member_u64(w, STR("messages"), m->turns);
    json_put_member_array(w, STR("needs"));
    for (unsigned bit = 0; bit < MODEL_CAN_COUNT; bit++)
        if (m->can >> bit & 1) json_put_str(w, ability_name(bit));
    json_put_array_end(w);
    json_put_member_bool(w, STR("private"), need->private);
    json_put_member_text(w, STR("private_because"), need->private_why);
    json_put_member_array(w, STR("regions"));
    for (size_t i = 0; i < need->region_count; i++) json_put_str(w, need->regions[i]);
    json_put_array_end(w);
    json_put_member_array(w, STR("tags"));
    for (size_t i = 0; i < need->tag_count; i++) json_put_str(w, need->tags[i]);
    json_put_array_end(w);
    json_put_object_end(w);
}

static void put_complexity(struct json_writer *w, const struct route_explained *e) {
    const struct complexity *c = e->complexity;
    char text[COMPLEXITY_TEXT_MAX];
    if (!c) {
        json_put_member_null(w, STR("complexity"));
        return;
    }
    json_put_member_object(w, STR("complexity"));
    json_put_member_u64(w, STR("score"), c->score);
    json_put_member_str(w, STR("tier"), tier_name(c->tier));
    json_put_member_str(w, STR("task"), task_name(c->task));
    json_put_member_text(w, STR("language"), language_code(c->language));
    json_put_member_bool(w, STR("decides"), e->decides);
    json_put_member_object(w, STR("points"));
    for (unsigned i = 0; i < COMPLEXITY_FEATURE_COUNT; i++)
        if (c->points[i]) json_put_member_i64(w, complexity_feature_name((enum complexity_feature)i), c->points[i]);
    json_put_object_end(w);
    size_t n = complexity_put(c, text, sizeof text);
    json_put_member_str(w, STR("text"), str_of(text, n));
    json_put_object_end(w);
}

// --- JSON: targets ---

static struct str breaker_text(enum breaker_state state) {
    return state == BREAKER_CLOSED ? STR("closed") : state == BREAKER_OPEN ? STR("open") : STR("half_open");
}

static void put_ms(struct json_writer *w, struct str name, double ns) {
    if (ns > 0)
        json_put_member_fixed(w, name, (int64_t)(ns / 1e3), 3);
    else
        json_put_member_null(w, name);
}

static void put_free(struct json_writer *w, struct str name, const struct board_view *v, enum limit_kind kind) {
    json_put_member_fixed(w, name, (int64_t)((double)v->share[kind] * 1000), 3);
}

// How it does: nothing was looked at for those that cannot serve it whatever their state.
static void put_view(struct json_writer *w, const struct route_explained *e, const struct candidate *c) {
    const struct board_view *v = view_of(e, c);
    put_ms(w, STR("first_token_ms"), (double)v->first_token_ns);
    if (!e->load) return;
    json_put_member_str(w, STR("breaker"), breaker_text(v->breaker));
    json_put_member_u64(w, STR("in_flight"), v->in_flight);
    json_put_member_fixed(w, STR("error_rate"), (int64_t)((double)v->error_rate * 1000), 3);
    put_free(w, STR("requests_free"), v, LIMIT_OF_REQUESTS);
    put_free(w, STR("tokens_free"), v, LIMIT_OF_TOKENS);
    put_free(w, STR("input_tokens_free"), v, LIMIT_OF_INPUT_TOKENS);
    put_free(w, STR("output_tokens_free"), v, LIMIT_OF_OUTPUT_TOKENS);
}

static void put_weighed(struct json_writer *w, const struct candidate *c) {
    if (c->priced)
        json_put_member_fixed(w, STR("cost_usd"), (int64_t)MIN(c->cost_nano, (uint64_t)INT64_MAX), 9);
    else
        json_put_member_null(w, STR("cost_usd"));
    json_put_member_fixed(w, STR("quality"), (int64_t)(c->quality * 1000 + 0.5), 3);
    if (c->drop != ROUTE_DROP_KEPT) return;
    if (c->score < SCORE_UNKNOWN)
        json_put_member_double(w, STR("score"), c->score);
    else
        json_put_member_null(w, STR("score"));
}

static void put_candidate(struct json_writer *w, const struct route_explained *e, const struct candidate *c,
                          size_t place) {
    const struct conf_target *t = c->node->conf;
    bool soft = drop_is_soft(c->drop);
    BUF_AUTO struct buf why = BUF_INIT(8192);
    json_put_object(w);
    if (soft)
        json_put_member_u64(w, STR("place"), place);
    else
        json_put_member_null(w, STR("place"));
    json_put_member_str(w, STR("provider"), t->provider);
    json_put_member_str(w, STR("model"), t->model);
    json_put_member_i64(w, STR("priority"), t->priority);
    json_put_member_i64(w, STR("weight"), t->weight);
    if (t->arm.n) json_put_member_str(w, STR("arm"), t->arm);
    json_put_member_bool(w, STR("kept"), c->drop == ROUTE_DROP_KEPT);
    json_put_member_bool(w, STR("last_resort"), soft && c->drop != ROUTE_DROP_KEPT);
    json_put_member_str(w, STR("reason"), drop_name(c->drop));
    route_explain_why(e, c, &why);
    json_put_member_str(w, STR("why"), buf_str(&why));
    bool weighed = soft && c->drop < ROUTE_DROP_UNHEALTHY;
    if (weighed) put_weighed(w, c);
    if (soft) put_view(w, e, c);
    json_put_object_end(w);
}

static void put_order(struct json_writer *w, const struct route *r) {
    json_put_member_array(w, STR("order"));
    for (size_t i = 0; i < r->count; i++) {
        const struct route_target *t = &r->targets[i];
        json_put_object(w);
        json_put_member_str(w, STR("provider"), t->provider->name);
        json_put_member_str(w, STR("model"), t->model);
        json_put_member_bool(w, STR("last_resort"), t->last);
        json_put_object_end(w);
    }
    json_put_array_end(w);
}

// Of a chain: each is a request of its own, and can be explained so.
static void put_steps(struct json_writer *w, const struct route_explained *e, const struct conf_model *m) {
    json_put_member_array(w, STR("steps"));
    for (size_t i = 0; i < m->chain.n; i++) {
        const struct conf_step *s = &m->chain.p[i];
        json_put_object(w);
        json_put_member_str(w, STR("name"), s->name);
        json_put_member_str(w, STR("model"), s->model);
        json_put_member_bool(w, STR("asked"), e->steps >> i & 1);
        if (e->open) json_put_member_text(w, STR("when"), s->when);
        json_put_object_end(w);
    }
    json_put_array_end(w);
}

static void put_fallback(struct json_writer *w, struct str name, const struct str *names, size_t n) {
    if (!n) return;
    bool none = str_eq(names[0], STR(CONF_FALLBACK_NONE));
    json_put_member_array(w, name);
    for (size_t i = 0; i < n && !none; i++) json_put_str(w, names[i]);
    json_put_array_end(w);
}

static void put_fallbacks(struct json_writer *w, const struct conf_fallbacks *f) {
    json_put_member_object(w, STR("fallbacks"));
    put_fallback(w, STR("general"), f->general.p, f->general.n);
    put_fallback(w, STR("context_window"), f->context_window.p, f->context_window.n);
    put_fallback(w, STR("content_policy"), f->content_policy.p, f->content_policy.n);
    put_fallback(w, STR("timeout"), f->timeout.p, f->timeout.n);
    put_fallback(w, STR("rate_limit"), f->rate_limit.p, f->rate_limit.n);
    json_put_object_end(w);
}

// --- the whole ---

static void put_error(struct json_writer *w, const struct err *err) {
    json_put_member_object(w, STR("error"));
    json_put_member_str(w, STR("code"), str_c(err_info(err->code)->wire_code));
    json_put_member_str(w, STR("message"), str_c(err->message));
    json_put_object_end(w);
}

void route_explain_put(struct json_writer *w, const struct route_explained *e) {
    const struct conf_model *m = e->route->model;
    json_put_member_str(w, STR("model"), e->name);
    json_put_member_text(w, STR("task"), e->task);
    json_put_member_text(w, STR("task_ignored"), e->odd_task);
    json_put_member_text(w, STR("task_model"), e->task_model);
    json_put_member_bool(w, STR("served"), !e->err);
    if (e->err) put_error(w, e->err);
    json_put_member_text(w, STR("strategy"), m ? strategy_name((enum conf_strategy)m->strategy) : STR(""));
    json_put_member_fixed(w, STR("explore"), e->trace->explores ? m->policy.quality.explore : 0, 6);
    if (m && m->chain.n) put_steps(w, e, m);
    put_request(w, e->need);
    put_complexity(w, e);
    json_put_member_array(w, STR("candidates"));
    for (size_t i = 0; i < e->trace->count; i++) put_candidate(w, e, &e->trace->candidates[i], i + 1);
    json_put_array_end(w);
    if (e->err)
        put_order(w, &(struct route){.count = 0});
    else
        put_order(w, e->route);
    if (m && e->open) put_fallbacks(w, &m->policy.fallbacks);
}
