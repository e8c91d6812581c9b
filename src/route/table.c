// Puts together what choosing needs to know of each configured model's targets.
#include "route/table.h"

#include "base/hash.h"
#include "base/mem.h"
#include "model/provider.h"

#define NS_PER_MS UINT64_C(1000000)

// --- tuning ---

static uint64_t limit_of(int64_t stated) { return stated == OPT_UNSET ? 0 : (uint64_t)stated; }

// Anthropic does not count what it has read from its prompt cache as input.
static struct limit_rules limits_of(const struct conf_rate_limits *l, const struct conf_provider *p) {
    return (struct limit_rules){.requests = limit_of(l->requests_per_minute),
                                .tokens = limit_of(l->tokens_per_minute),
                                .input_tokens = limit_of(l->input_tokens_per_minute),
                                .output_tokens = limit_of(l->output_tokens_per_minute),
                                .concurrency = (uint32_t)MIN(limit_of(l->concurrency), (uint64_t)UINT32_MAX),
                                .cached_free = provider_dialect(p) == DIALECT_ANTHROPIC};
}

static struct board_tuning tuning_of(const struct conf_routing *policy, const struct conf_rate_limits *limits,
                                     const struct conf_provider *p) {
    struct board_tuning t = board_tuning_default();
    const struct conf_breaker *b = &policy->breaker;
    t.quantile = (float)policy->hedge.quantile / 1e6F;
    t.limits = limits_of(limits, p);
    t.slow_start_ns = (uint64_t)b->slow_start * NS_PER_MS;
    t.breaker.consecutive = (uint32_t)b->failures;
    t.breaker.error_permille = (uint32_t)(b->error_rate / 1000);
    t.breaker.min_requests = (uint32_t)b->min_requests;
    t.breaker.window_ns = (uint64_t)b->window * NS_PER_MS;
    t.breaker.open_ns = (uint64_t)b->open * NS_PER_MS;
    t.breaker.open_max_ns = (uint64_t)b->max_open * NS_PER_MS;
    t.breaker.probes = t.breaker.successes = (uint32_t)b->probes;
    return t;
}

// A provider as a whole has limits and a concurrency; what fails is one of its models.
static struct board_tuning provider_tuning(const struct conf_provider *p, const struct conf_routing *general) {
    struct board_tuning t = tuning_of(general, &p->limits, p);
    t.cooldown_ns = t.cooldown_auth_ns = 0;
    t.breaker.consecutive = 0;
    t.breaker.error_permille = 0;
    return t;
}

// A key is never sick: it has limits, and is left alone when it is refused or told to wait.
static struct board_tuning key_tuning(const struct conf_rate_limits *limits, const struct conf_provider *p,
                                      const struct conf_routing *general) {
    struct board_tuning t = tuning_of(general, limits, p);
    t.breaker.consecutive = 0;
    t.breaker.error_permille = 0;
    return t;
}

static struct board_tuning node_tuning(const struct route_node *node) {
    const struct conf_target *conf = node->conf;
    struct board_tuning t = tuning_of(&node->model->policy, &conf->limits, conf->peer);
    t.rise = (uint32_t)conf->peer->health_check.rise;
    t.fall = (uint32_t)conf->peer->health_check.fall;
    // Where there is no other, its answer says more than that it was not asked.
    if (node->model->targets.n == 1 || conf->peer->keys.n) t.cooldown_ns = t.cooldown_auth_ns = 0;
    return t;
}

// Of a target, or, where there is none, of all together; only: there is nothing else that could be asked.
static void keys_tune(const struct route_table *t, const struct conf_provider *p, const struct conf_target *target,
                      bool only, struct board_slot **slots) {
    static const struct conf_rate_limits none = {OPT_UNSET, OPT_UNSET, OPT_UNSET, OPT_UNSET, OPT_UNSET};
    for (size_t k = 0; slots && k < p->keys.n; k++) {
        struct board_tuning tuning = key_tuning(target ? &none : &p->keys.p[k].limits, p, &t->conf->routing);
        // A key may be refused for one model and taken for others.
        if (!target || only) tuning.cooldown_ns = tuning.cooldown_auth_ns = 0;
        board_slot_tune(slots[k], &tuning);
    }
}

static uint64_t least_known(uint64_t a, uint64_t b) { return !a ? b : !b ? a : MIN(a, b); }

// A target of several models is one: what each of them says of its limits holds. In all else the first model's word
// does, but that it is left alone only where all of them have others to ask.
static void join(struct board_tuning *t, const struct board_tuning *other) {
    for (int kind = 0; kind < LIMIT_KINDS; kind++)
        t->limits.minute[kind] = least_known(t->limits.minute[kind], other->limits.minute[kind]);
    t->limits.concurrency = (uint32_t)least_known(t->limits.concurrency, other->limits.concurrency);
    t->cooldown_ns = MIN(t->cooldown_ns, other->cooldown_ns);
    t->cooldown_auth_ns = MIN(t->cooldown_auth_ns, other->cooldown_auth_ns);
}

// Tunes the slot that n nodes share.
static void nodes_tune(const struct route_table *t, struct route_node *const *nodes, size_t n) {
    const struct conf_target *conf = nodes[0]->conf;
    struct board_tuning tuning = node_tuning(nodes[0]);
    bool only = false;
    for (size_t i = 0; i < n; i++) {
        const struct board_tuning other = node_tuning(nodes[i]);
        join(&tuning, &other);
        only = only || (nodes[i]->model->targets.n == 1 && conf->peer->keys.n == 1);
    }
    board_slot_tune(nodes[0]->slot, &tuning);
    keys_tune(t, conf->peer, conf, only, nodes[0]->keys);
}

void route_table_tune(const struct route_table *t) {
    for (size_t i = 0; i < t->conf->providers.n; i++) {
        const struct conf_provider *p = &t->conf->providers.p[i];
        const struct board_tuning tuning = provider_tuning(p, &t->conf->routing);
        board_slot_tune(t->providers[i], &tuning);
        keys_tune(t, p, NULL, false, t->keys[i]);
    }
    for (size_t from = 0, to; from < t->nodes; from = to) {
        for (to = from + 1; to < t->nodes && t->by_slot[to]->slot == t->by_slot[from]->slot;) to++;
        nodes_tune(t, t->by_slot + from, to - from);
    }
}

// --- slots ---

static bool slot_of(struct board *board, struct str provider, struct str model, struct str key,
                    struct board_slot **out_slot, struct err *err) {
    *out_slot = board_slot_get(board, provider, model, key);
    return *out_slot || err_set(err, ERR_CONFIG_INVALID, "no memory for what is known of target \"%.*s/%.*s\"",
                                STR_ARG(provider), STR_ARG(model));
}

// The slots of a model, or of all together where it is empty, under each of its provider's keys.
static bool keys_init(struct route_table *t, const struct conf_provider *p, struct str model, struct board *board,
                      struct board_slot ***out_slots, struct err *err) {
    *out_slots = NULL;
    if (!p->keys.n) return true;
    struct board_slot **slots = *out_slots = ARENA_ARRAY(&t->arena, struct board_slot *, p->keys.n);
    if (!slots) return err_no_memory(err);
    for (size_t k = 0; k < p->keys.n; k++)
        if (!slot_of(board, p->name, model, p->keys.p[k].name, &slots[k], err)) return false;
    return true;
}

static void keys_put(const struct conf_provider *p, struct board_slot **slots) {
    for (size_t k = 0; slots && k < p->keys.n; k++)
        if (slots[k]) board_slot_put(slots[k]);
}

// --- a model ---

// Targets that ask the same share the answer. Returns its place + 1.
static size_t condition_place(struct route_model *m, const struct conf_target *conf) {
    for (size_t k = 0; k < m->count; k++)
        if (m->nodes[k].when && str_eq(m->nodes[k].conf->when, conf->when)) return m->nodes[k].when;
    m->conditions[m->condition_count] = conf->condition;
    m->uses |= condition_uses(conf->condition);
    return ++m->condition_count;
}

static bool node_init(struct route_table *t, struct route_model *m, struct route_node *node,
                      const struct conf_target *conf, struct board *board, struct err *err) {
    const struct model_target of = {m->conf, conf->peer, conf->model};
    *node = (struct route_node){.conf = conf,
                                .priority = conf->priority,
                                .weight = (double)conf->weight,
                                .model = m->conf,
                                .provider = t->providers[conf->peer->index],
                                .facts = ARENA_NEW(&t->arena, struct model_entry)};
    if (!node->facts) return err_no_memory(err);
    node->known = model_facts(t->catalog, t->conf, m->level, &of, node->facts) || m->conf->capabilities.n;
    if (node->known) node->facts->can |= provider_lends(conf->peer);
    node->facts->cannot &= ~node->facts->can;
    node->place = hash_bytes(conf->model, hash_bytes(conf->provider, 0));
    node->arm = conf->arm.n ? hash_bytes(conf->arm, 1) : node->place;
    node->wholes = t->keys[conf->peer->index];
    if (conf->condition) node->when = condition_place(m, conf);
    return slot_of(board, conf->provider, conf->model, STR(""), &node->slot, err) &&
           keys_init(t, conf->peer, conf->model, board, &node->keys, err);
}

static struct retry_rules retries_of(const struct conf_retry *r) {
    struct retry_rules rules = retry_rules_default();
    rules.share_permille = (uint32_t)(r->share / 1000);
    rules.base_ns = (uint64_t)r->base * NS_PER_MS;
    rules.max_ns = rules.after_max_ns = (uint64_t)r->max * NS_PER_MS;
    return rules;
}

// A second call is no help that somebody is owed: nothing besides the share.
static struct retry_rules hedges_of(const struct conf_hedge *h) {
    return (struct retry_rules){.share_permille = (uint32_t)(h->share / 1000), .burst = 1};
}

// What holds of all its targets together.
static void sum_up(struct route_model *m) {
    m->way = prompt_way_of(m->count ? m->nodes[0].conf->model : STR(""));
    m->whole = m->one_priority = true;
    m->least.can = ~0U;
    for (size_t i = 0; i < m->count; i++) {
        const struct route_node *node = &m->nodes[i];
        m->known |= node->known;
        if (node->known) m->least.can &= node->facts->can;
        m->least.context_window = least_known(m->least.context_window, node->facts->context_window);
        m->least.max_output = least_known(m->least.max_output, node->facts->max_output);
        m->whole = m->whole && node->weight > 0;
        m->one_priority = m->one_priority && node->priority == m->nodes[0].priority;
    }
}

static bool model_init(struct route_table *t, const struct conf_model *conf, const struct conf_tenant *level,
                       struct board *board, uint64_t now_ns, struct err *err) {
    struct route_model *m = &t->models[conf->index];
    m->conf = conf;
    m->level = level;
    m->retry_rules = retries_of(&conf->policy.retry);
    m->hedge_rules = hedges_of(&conf->policy.hedge);
    retry_budget_init(&m->retries, &m->retry_rules, now_ns);
    retry_budget_init(&m->hedges, &m->hedge_rules, now_ns);
    m->nodes = ARENA_ARRAY(&t->arena, struct route_node, conf->targets.n);
    for (size_t i = 0; i < conf->chain.n; i++)
        if (conf->chain.p[i].condition) m->uses |= condition_uses(conf->chain.p[i].condition);
    if (!m->nodes && conf->targets.n) return err_no_memory(err);
    while (m->count < conf->targets.n) { // what has failed half-way is let go of with the rest
        size_t i = m->count++;
        if (!node_init(t, m, &m->nodes[i], &conf->targets.p[i], board, err)) return false;
    }
    sum_up(m);
    for (size_t i = 0; i < m->count; i++)
        for (size_t k = 0; k < m->count; k++)
            if (m->nodes[k].arm == m->nodes[i].arm) m->nodes[i].arm_weight += m->nodes[k].weight;
    return true;
}

// --- the whole ---

static bool providers_init(struct route_table *t, struct board *board, struct err *err) {
    for (size_t i = 0; i < t->conf->providers.n; i++) {
        const struct conf_provider *p = &t->conf->providers.p[i];
        if (!slot_of(board, p->name, STR(""), STR(""), &t->providers[i], err) ||
            !keys_init(t, p, STR(""), board, &t->keys[i], err))
            return false;
    }
    return true;
}

static bool models_init(struct route_table *t, struct board *board, uint64_t now_ns, struct err *err) {
    struct conf_level_at at = {0};
    const struct conf_tenant *level;
    for (size_t i = 0; i < t->conf->models.n; i++)
        if (!model_init(t, &t->conf->models.p[i], NULL, board, now_ns, err)) return false;
    while ((level = conf_level_next(t->conf, &at)))
        for (size_t i = 0; i < level->models.n; i++)
            if (!model_init(t, &level->models.p[i], level, board, now_ns, err)) return false;
    return true;
}

static int by_slot(const void *a, const void *b) {
    const struct route_node *x = *(struct route_node *const *)a, *y = *(struct route_node *const *)b;
    if (x->slot != y->slot) return x->slot < y->slot ? -1 : 1;
    if (x->model->index != y->model->index) return x->model->index < y->model->index ? -1 : 1;
    return x < y ? -1 : x > y;
}

static bool nodes_sort(struct route_table *t, struct err *err) {
    size_t n = 0;
    for (size_t i = 0; i < t->count; i++) n += t->models[i].count;
    t->by_slot = ARENA_ARRAY(&t->arena, struct route_node *, n);
    if (!t->by_slot && n) return err_no_memory(err);
    for (size_t i = 0; i < t->count; i++)
        for (size_t k = 0; k < t->models[i].count; k++) t->by_slot[t->nodes++] = &t->models[i].nodes[k];
    if (n) qsort(t->by_slot, n, sizeof(struct route_node *), by_slot);
    return true;
}

bool route_table_create(const struct conf *conf, const struct model_catalog *catalog, struct board *board,
                        uint64_t now_ns, struct route_table **out_table, struct err *err) {
    struct route_table *t = mem_zalloc(1, sizeof *t);
    if (!t) return err_no_memory(err);
    arena_init(&t->arena, NULL, 0, (size_t)256 << 20);
    t->conf = conf;
    t->catalog = catalog;
    t->count = conf->model_count;
    complexity_lexicon_init(&t->lexicon);
    t->models = ARENA_ARRAY(&t->arena, struct route_model, conf->model_count);
    t->providers = ARENA_ARRAY(&t->arena, struct board_slot *, conf->providers.n);
    t->keys = ARENA_ARRAY(&t->arena, struct board_slot **, conf->providers.n);
    bool memory = (t->models || !conf->model_count) && ((t->providers && t->keys) || !conf->providers.n);
    if ((memory || err_no_memory(err)) && providers_init(t, board, err) && models_init(t, board, now_ns, err) &&
        nodes_sort(t, err)) {
        *out_table = t;
        return true;
    }
    route_table_free(t);
    return false;
}

static void node_free(struct route_node *node) {
    if (node->slot) board_slot_put(node->slot);
    if (node->conf) keys_put(node->conf->peer, node->keys);
}

void route_table_free(struct route_table *t) {
    if (!t) return;
    for (size_t i = 0; t->models && i < t->count; i++)
        for (size_t k = 0; k < t->models[i].count; k++) node_free(&t->models[i].nodes[k]);
    for (size_t i = 0; t->providers && i < t->conf->providers.n; i++)
        if (t->providers[i]) board_slot_put(t->providers[i]);
    for (size_t i = 0; t->keys && i < t->conf->providers.n; i++) keys_put(&t->conf->providers.p[i], t->keys[i]);
    arena_free(&t->arena);
    mem_free(t);
}

// --- how a target is ---

static bool key_is_free(const struct route_node *node, size_t k, uint64_t now_ns) {
    struct board_state whole, own;
    board_state(node->wholes[k], now_ns, &whole);
    board_state(node->keys[k], now_ns, &own);
    return whole.usable && own.usable;
}

// False: one of its keys can be used, or it has no several.
static bool keys_are_out(const struct route_node *node, uint64_t now_ns, struct board_refusal *out) {
    const struct conf_provider *p = node->conf->peer;
    for (size_t k = 0; k < p->keys.n; k++)
        if (p->keys.p[k].weight && key_is_free(node, k, now_ns)) return false;
    *out = (struct board_refusal){BOARD_TOO_LARGE, UINT64_MAX};
    for (size_t k = 0; k < p->keys.n; k++) {
        struct board_view whole, own;
        if (!p->keys.p[k].weight) continue;
        board_view(node->wholes[k], now_ns, &whole);
        board_view(node->keys[k], now_ns, &own);
        const struct board_view *later = own.usable || whole.retry_at_ns > own.retry_at_ns ? &whole : &own;
        const struct board_refusal refusal = {later->why, later->retry_at_ns};
        if (board_refusal_before(&refusal, out)) *out = refusal;
    }
    return p->keys.n > 0;
}

void route_node_state(const struct route_node *node, uint64_t now_ns, struct board_state *out) {
    struct board_refusal refusal;
    board_state(node->slot, now_ns, out);
    if (!node->keys || !out->usable || !keys_are_out(node, now_ns, &refusal)) return;
    out->usable = false;
    out->why = (uint8_t)refusal.why;
}

void route_node_view(const struct route_node *node, uint64_t now_ns, struct board_view *out) {
    struct board_refusal refusal;
    board_view(node->slot, now_ns, out);
    if (!node->keys || !out->usable || !keys_are_out(node, now_ns, &refusal)) return;
    out->usable = out->probe = false;
    out->why = refusal.why;
    out->retry_at_ns = refusal.retry_at_ns;
}
