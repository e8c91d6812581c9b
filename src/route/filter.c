// Which of a model's targets can and may serve a request.
#include "route/filter.h"

// --- what it can ---

static bool fits(const struct model_entry *facts, const struct model_need *need) {
    uint64_t window = facts->context_window;
    if (!window || need->most <= window) return true;
    return need->tokens <= window;
}

static bool has_all(const struct str *wanted, size_t n, const struct route_node *node) {
    for (size_t i = 0; i < n; i++) {
        bool found = false;
        for (size_t k = 0; k < node->conf->tags.n && !found; k++) found = str_eq(node->conf->tags.p[k], wanted[i]);
        if (!found) return false;
    }
    return true;
}

// "eu" takes in "eu-central-1".
static bool in_region(struct str region, const struct route_need *need) {
    for (size_t i = 0; i < need->region_count; i++) {
        struct str wanted = need->regions[i];
        if (!str_eq_nocase(str_head(region, wanted.n), wanted)) continue;
        if (region.n == wanted.n || region.p[wanted.n] == '-') return true;
    }
    return !need->region_count;
}

// By its own name it has no tags.
bool filter_provider(const struct conf_provider *provider, const struct route_need *need) {
    return !need || ((!need->private || provider->privacy == PRIVACY_LOCAL) && in_region(provider->region, need) &&
                     !need->tag_count);
}

// What is set for it holds also of a model that nobody knows.
static enum route_drop has_room(const struct model_entry *facts, const struct model_need *need) {
    if (!fits(facts, need)) return ROUTE_DROP_CONTEXT;
    return facts->max_output && need->each > facts->max_output ? ROUTE_DROP_OUTPUT : ROUTE_DROP_KEPT;
}

enum route_drop filter_facts(const struct model_entry *facts, const struct model_need *need, bool lenient) {
    unsigned lacks = lenient ? facts->cannot & ~facts->can : ~facts->can;
    return need->can & lacks ? ROUTE_DROP_CAPABILITY : has_room(facts, need);
}

enum route_drop filter_node(const struct route_node *node, const struct route_need *need, bool lenient) {
    if (node->weight <= 0) return ROUTE_DROP_WEIGHT;
    if (!need) return ROUTE_DROP_KEPT;
    if (need->private && node->conf->peer->privacy != PRIVACY_LOCAL) return ROUTE_DROP_PRIVACY;
    if (need->region_count && !in_region(node->conf->region, need)) return ROUTE_DROP_REGION;
    if (need->tag_count && !has_all(need->tags, need->tag_count, node)) return ROUTE_DROP_TAG;
    return node->known ? filter_facts(node->facts, &need->model, lenient) : has_room(node->facts, &need->model);
}

// Whether it is plain for the whole model that all of its targets can and may serve it, as most requests are: then none
// of them has to be asked.
static bool all_can(const struct route_model *m, const struct route_need *need) {
    if (!m->whole || !need) return m->whole;
    bool anywhere = !need->private && !need->region_count && !need->tag_count;
    return anywhere && filter_facts(&m->least, &need->model, false) == ROUTE_DROP_KEPT;
}

// --- how it is ---

static enum route_drop drop_of_state(const struct board_state *state) {
    static const enum route_drop drops[BOARD_WHY_COUNT] = {[BOARD_USABLE] = ROUTE_DROP_KEPT,
                                                           [BOARD_UNHEALTHY] = ROUTE_DROP_UNHEALTHY,
                                                           [BOARD_COOLDOWN] = ROUTE_DROP_COOLDOWN,
                                                           [BOARD_OPEN] = ROUTE_DROP_BREAKER,
                                                           [BOARD_PROBING] = ROUTE_DROP_BREAKER,
                                                           [BOARD_CONCURRENCY] = ROUTE_DROP_LIMIT,
                                                           [BOARD_KEY_REFUSED] = ROUTE_DROP_KEY_REFUSED,
                                                           [BOARD_REQUESTS] = ROUTE_DROP_LIMIT,
                                                           [BOARD_TOKENS] = ROUTE_DROP_LIMIT,
                                                           [BOARD_INPUT_TOKENS] = ROUTE_DROP_LIMIT,
                                                           [BOARD_OUTPUT_TOKENS] = ROUTE_DROP_LIMIT,
                                                           [BOARD_TOO_LARGE] = ROUTE_DROP_LIMIT,
                                                           [BOARD_REDIS_AWAY] = ROUTE_DROP_LIMIT};
    return state->usable ? ROUTE_DROP_KEPT : drops[state->why];
}

static bool is_sick(enum route_drop drop) { return drop == ROUTE_DROP_BREAKER || drop == ROUTE_DROP_UNHEALTHY; }

// More of them are out than may be: then the fault is likely elsewhere, and all are candidates.
static void end_panic(const struct filter_in *in, struct candidate *list) {
    size_t out = 0, able = 0;
    for (size_t i = 0; i < in->model->count; i++) {
        if (list[i].drop != ROUTE_DROP_KEPT && !drop_is_soft(list[i].drop)) continue;
        able++;
        out += is_sick(list[i].drop);
    }
    uint64_t most = (uint64_t)in->model->conf->policy.breaker.max_ejected * able;
    if (!out || out == able || (uint64_t)out * 1000000 <= most) return;
    for (size_t i = 0; i < in->model->count; i++)
        if (is_sick(list[i].drop)) list[i].drop = ROUTE_DROP_KEPT;
}

// --- conditions: each is asked once a request ---

static bool holds(const struct filter_in *in, size_t when, signed char known[ROUTE_CONDITIONS_MAX]) {
    signed char *k = &known[when - 1];
    if (!*k) *k = in->need->env && condition_holds(in->model->conditions[when - 1], in->need->env) ? 1 : -1;
    return *k > 0;
}

void filter_targets(const struct filter_in *in, struct candidate *list) {
    signed char known[ROUTE_CONDITIONS_MAX] = {0};
    bool all = all_can(in->model, in->need), sick = false;
    for (size_t i = 0; i < in->model->count; i++) {
        const struct route_node *node = &in->model->nodes[i];
        struct candidate *c = &list[i];
        *c = (struct candidate){.node = node, .drop = all ? ROUTE_DROP_KEPT : filter_node(node, in->need, in->lenient)};
        if (c->drop == ROUTE_DROP_KEPT && in->need && node->when && !holds(in, node->when, known))
            c->drop = ROUTE_DROP_CONDITION;
        if (c->drop != ROUTE_DROP_KEPT) continue;
        route_node_state(node, in->now_ns, &c->state);
        c->drop = drop_of_state(&c->state);
        sick = sick || is_sick(c->drop);
    }
    if (sick) end_panic(in, list);
}

// --- reasons ---

struct reason {
    struct str name, text;
    bool soft;
};

static const struct reason *reason_of(enum route_drop drop) {
    static const struct reason all[] = {
#define DROP(id, word, is_soft, words) [ROUTE_DROP_##id] = {STR_INIT(word), STR_INIT(words), is_soft},
#include "route/drop.def"
#undef DROP
    };
    return &all[drop];
}

bool drop_is_soft(enum route_drop drop) { return reason_of(drop)->soft; }
struct str drop_name(enum route_drop drop) {
    return reason_of(drop)->name;
}
struct str drop_text(enum route_drop drop) {
    return reason_of(drop)->text;
}
