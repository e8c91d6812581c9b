// The living state of routing's targets: shown as metrics and JSON, and told of when it changes.
#include "server/server_internal.h"

#include "base/json_write.h"
#include "base/mem.h"
#include "base/text.h"
#include "os/clock.h"

#define OUTLIER_TARGETS 3 // fewer are not compared

// --- all of them ---

struct target_list {
    struct board_slot **slots;
    size_t n;
    struct runtime *runtime; // of `keyed`
    struct map keyed;        // by a slot's address: a route_node, where its provider has several keys
};

typedef size_t some_slots(struct board *board, struct board_slot **out_slots, size_t max);

// Targets alone: a provider as a whole has a slot too, and so has each of its keys.
static bool list_some(struct server *s, some_slots *some, struct target_list *list) {
    *list = (struct target_list){.slots = mem_alloc(BOARD_SLOTS_MAX * sizeof(struct board_slot *))};
    if (!list->slots) return false;
    size_t n = some(s->board, list->slots, BOARD_SLOTS_MAX);
    for (size_t i = 0; i < n; i++)
        if (board_slot_model(list->slots[i]).n && !board_slot_key(list->slots[i]).n)
            list->slots[list->n++] = list->slots[i];
        else
            board_slot_put(list->slots[i]);
    return true;
}

// Of one that several models have, any of the nodes says the same of the keys.
static bool find_keyed(struct server *s, struct target_list *list) {
    mutex_lock(&s->setting_lock);
    list->runtime = runtime_ref(s->setting->runtime);
    mutex_unlock(&s->setting_lock);
    const struct route_table *table = list->runtime->routes;
    map_init(&list->keyed, 0);
    for (size_t i = 0; i < table->count; i++)
        for (size_t k = 0; k < table->models[i].count; k++) {
            struct route_node *node = &table->models[i].nodes[k];
            struct str slot = str_of((const char *)&node->slot, sizeof(void *));
            if (node->keys && !map_put(&list->keyed, slot, node)) return false;
        }
    return true;
}

static void list_free(struct target_list *list) {
    for (size_t i = 0; i < list->n; i++) board_slot_put(list->slots[i]);
    mem_free(list->slots);
    map_free(&list->keyed);
    runtime_unref(list->runtime);
}

static bool list_take(struct server *s, struct target_list *list) {
    if (!list_some(s, board_slots, list)) return false;
    if (find_keyed(s, list)) return true;
    list_free(list);
    return false;
}

static void look_at(const struct target_list *list, size_t i, uint64_t now, struct board_view *out) {
    const struct board_slot *slot = list->slots[i];
    const struct route_node *node = map_get(&list->keyed, str_of((const char *)&slot, sizeof(void *)));
    if (node)
        route_node_view(node, now, out);
    else
        board_view(slot, now, out);
}

// --- metrics ---

static uint64_t state_number(const struct board_view *v) {
    switch (v->why) {
    case BOARD_USABLE:
        return v->probe;
    case BOARD_PROBING:
        return 1;
    case BOARD_COOLDOWN:
    case BOARD_KEY_REFUSED:
        return 3;
    case BOARD_OPEN:
        return 4;
    case BOARD_UNHEALTHY:
        return 5;
    default:
        return 2;
    }
}

static uint64_t breaker_number(enum breaker_state state) { return state == BREAKER_OPEN ? 2 : state != BREAKER_CLOSED; }

// To the thousandth: more is not known.
static uint64_t in_billionths(float score) { return (uint64_t)((double)score * 1e3 + 0.5) * 1000000; }

static void collect_attempts(struct metrics *m, const struct str names[2], const struct board_totals *totals) {
    for (unsigned f = 0; f < FAILURE_COUNT; f++) {
        const struct str labels[] = {names[0], names[1], failure_info((enum failure)f)->name};
        if (totals->ended[f]) metrics_set(m, metric_series(m, METRIC_TARGET_ATTEMPTS, labels, 3), totals->ended[f]);
    }
}

static void collect_one(struct metrics *m, const struct target_list *list, size_t i, uint64_t now) {
    const struct board_slot *slot = list->slots[i];
    const struct str names[] = {board_slot_provider(slot), board_slot_model(slot)};
    struct board_view view;
    struct board_totals totals;
    look_at(list, i, now, &view);
    board_totals(slot, &totals);
    metrics_set(m, metric_series(m, METRIC_TARGET_STATE, names, 2), state_number(&view));
    metrics_set(m, metric_series(m, METRIC_TARGET_IN_FLIGHT, names, 2), view.in_flight);
    metrics_set(m, metric_series(m, METRIC_TARGET_REFUSED, names, 2), totals.refused);
    metrics_set(m, metric_series(m, METRIC_TARGET_OPENINGS, names, 2), totals.openings);
    metrics_set(m, metric_series(m, METRIC_TARGET_COOLDOWNS, names, 2), totals.cooldowns);
    metrics_set(m, metric_series(m, METRIC_TARGET_BREAKER, names, 2), breaker_number(view.breaker));
    metrics_set(m, metric_series(m, METRIC_TARGET_EJECTIONS, names, 2), totals.ejections);
    metrics_set(m, metric_series(m, METRIC_TARGET_QUALITY, names, 2), in_billionths(board_quality(slot, 0, now)));
    collect_attempts(m, names, &totals);
}

// Those that are configured no more have nothing under way, and nobody is to be alarmed because of them.
static void collect_left(struct server *s, struct metrics *m) {
    static const enum metric_family gone[] = {METRIC_TARGET_STATE, METRIC_TARGET_IN_FLIGHT, METRIC_TARGET_BREAKER};
    struct target_list list;
    if (!list_some(s, board_slots_left, &list)) return;
    for (size_t i = 0; i < list.n; i++) {
        const struct str names[] = {board_slot_provider(list.slots[i]), board_slot_model(list.slots[i])};
        for (size_t k = 0; k < ARRAY_LEN(gone); k++) metrics_set(m, metric_series(m, gone[k], names, 2), 0);
    }
    list_free(&list);
}

void targets_collect(struct server *s, struct metrics *m) {
    struct target_list list;
    if (!list_take(s, &list)) return; // the figures stay as they are
    uint64_t now = clock_mono_ns();
    for (size_t i = 0; i < list.n; i++) collect_one(m, &list, i, now);
    list_free(&list);
    collect_left(s, m);
}

// --- JSON ---

static void put_known(struct json_writer *w, struct str name, double v, bool known) {
    if (known)
        json_put_member_double(w, name, v);
    else
        json_put_member_null(w, name);
}

static double rounded(double v, double parts) { return (double)(int64_t)(v * parts + 0.5) / parts; }

static double ms(double ns) { return rounded(ns / 1e6, 10); }

static double share(float v) { return rounded((double)v, 1000); }

static void put_until(struct json_writer *w, const struct board_view *v, uint64_t now, int64_t unix_ns) {
    char text[TIME_TEXT_LEN];
    if (v->usable || v->retry_at_ns == UINT64_MAX || v->retry_at_ns < now) {
        json_put_member_null(w, STR("until"));
        return;
    }
    time_text(text, unix_ns + (int64_t)(v->retry_at_ns - now));
    json_put_member_str(w, STR("until"), str_of(text, sizeof text));
}

static void put_room(struct json_writer *w, struct str name, const struct board_view *v, enum limit_kind kind,
                     float *least) {
    put_known(w, name, rounded((double)v->room[kind], 1), v->room[kind] >= 0);
    *least = MIN(*least, v->share[kind]);
}

static void put_headroom(struct json_writer *w, const struct board_view *v) {
    float least = 1;
    json_put_member_object(w, STR("headroom"));
    put_room(w, STR("requests"), v, LIMIT_OF_REQUESTS, &least);
    put_room(w, STR("tokens"), v, LIMIT_OF_TOKENS, &least);
    put_room(w, STR("input_tokens"), v, LIMIT_OF_INPUT_TOKENS, &least);
    put_room(w, STR("output_tokens"), v, LIMIT_OF_OUTPUT_TOKENS, &least);
    put_known(w, STR("concurrency"), v->concurrency > v->in_flight ? (double)(v->concurrency - v->in_flight) : 0,
              v->concurrency);
    json_put_member_double(w, STR("share"), share(least));
    json_put_object_end(w);
}

static void put_totals(struct json_writer *w, const struct board_slot *slot) {
    struct board_totals totals;
    board_totals(slot, &totals);
    json_put_member_object(w, STR("totals"));
    json_put_member_u64(w, STR("attempts"), totals.begun);
    json_put_member_u64(w, STR("refused"), totals.refused);
    json_put_member_u64(w, STR("openings"), totals.openings);
    json_put_member_u64(w, STR("cooldowns"), totals.cooldowns);
    json_put_member_object(w, STR("failures"));
    for (unsigned f = 1; f < FAILURE_COUNT; f++)
        if (totals.ended[f]) json_put_member_u64(w, failure_info((enum failure)f)->name, totals.ended[f]);
    json_put_object_end(w);
    json_put_object_end(w);
}

static struct str breaker_text(enum breaker_state state) {
    return state == BREAKER_CLOSED ? STR("closed") : state == BREAKER_OPEN ? STR("open") : STR("half_open");
}

static void put_one(struct json_writer *w, const struct target_list *list, size_t i, uint64_t now, int64_t unix_ns) {
    const struct board_slot *slot = list->slots[i];
    struct board_view v;
    look_at(list, i, now, &v);
    json_put_object(w);
    json_put_member_str(w, STR("provider"), board_slot_provider(slot));
    json_put_member_str(w, STR("model"), board_slot_model(slot));
    json_put_member_str(w, STR("state"), !v.usable ? STR("out") : v.probe ? STR("probe") : STR("usable"));
    json_put_member_text(w, STR("why"), v.usable ? STR("") : board_why_text(v.why));
    put_until(w, &v, now, unix_ns);
    json_put_member_str(w, STR("breaker"), breaker_text(v.breaker));
    json_put_member_bool(w, STR("healthy"), v.healthy);
    json_put_member_u64(w, STR("in_flight"), v.in_flight);
    put_known(w, STR("first_token_ms"), ms((double)v.first_token_ns), v.first_token_ns > 0);
    put_known(w, STR("first_token_slow_ms"), ms((double)v.first_token_slow_ns), v.first_token_slow_ns > 0);
    put_known(w, STR("total_ms"), ms((double)v.total_ns), v.total_ns > 0);
    put_known(w, STR("tokens_per_second"), rounded((double)v.tokens_second, 10), v.tokens_second > 0);
    json_put_member_double(w, STR("error_rate"), share(v.error_rate));
    json_put_member_u64(w, STR("requests"), v.window_requests);
    json_put_member_double(w, STR("quality"), share(board_quality(slot, 0, now)));
    json_put_member_double(w, STR("share"), share(v.slow_start));
    put_headroom(w, &v);
    put_totals(w, slot);
    json_put_object_end(w);
}

bool targets_put(struct server *s, struct buf *out, struct err *err) {
    struct target_list list;
    struct json_writer w;
    if (!list_take(s, &list)) return err_no_memory(err);
    uint64_t now = clock_mono_ns();
    int64_t unix_ns = clock_unix_ns();
    json_writer_init(&w, out);
    json_put_array(&w);
    for (size_t i = 0; i < list.n; i++) put_one(&w, &list, i, now, unix_ns);
    json_put_array_end(&w);
    list_free(&list);
    return !out->failed || err_no_memory(err);
}

// --- what has changed ---

static void tell(struct server *s, const struct board_slot *slot, const struct board_view *v, enum board_why before,
                 enum board_why now) {
    struct str provider = board_slot_provider(slot), model = board_slot_model(slot);
    struct str why = board_why_text(now == BOARD_USABLE ? before : now);
    BUF_AUTO struct buf data = BUF_INIT(4096);
    struct json_writer w;
    json_writer_init(&w, &data);
    json_put_object(&w);
    json_put_member_str(&w, STR("provider"), provider);
    json_put_member_str(&w, STR("model"), model);
    json_put_member_str(&w, STR("why"), why);
    json_put_object_end(&w);
    event_tell(s->events, now == BOARD_USABLE ? STR("target.recovered") : STR("target.down"), buf_str(&data));
    if (now == BOARD_USABLE)
        log_info(s->log, LOG_MSG("a target is well again"), LOG_STR("provider", provider), LOG_STR("model", model),
                 LOG_STR("was", why));
    else if (now == BOARD_OPEN)
        log_warn(s->log, LOG_MSG("a target has failed too often and is left out for a while; its breaker has opened"),
                 LOG_STR("provider", provider), LOG_STR("model", model),
                 LOG_INT("error_percent", (uint64_t)(v->error_rate * 100)));
    else
        log_warn(s->log, LOG_MSG("a target does not pass its health checks and is left out"),
                 LOG_STR("provider", provider), LOG_STR("model", model));
}

static void tell_changes(struct server *s, uint64_t now) {
    struct target_list list;
    if (!list_take(s, &list)) return; // the next look tells
    for (size_t i = 0; i < list.n; i++) {
        struct board_view view;
        enum board_why before, after;
        board_view(list.slots[i], now, &view);
        if (board_turned(list.slots[i], &view, &before, &after)) tell(s, list.slots[i], &view, before, after);
    }
    list_free(&list);
}

// --- those that do worse than the others ---

static void eject_outliers(struct server *s, uint64_t now) {
    const struct route_table *table = s->setting->runtime->routes;
    struct board_slot *slots[ROUTE_NODES_MAX];
    for (size_t i = 0; i < table->count; i++) {
        const struct route_model *m = &table->models[i];
        if (m->count < OUTLIER_TARGETS) continue;
        struct outlier_rules rules = outlier_rules_default();
        rules.max_out_permille = (uint32_t)(m->conf->policy.breaker.max_ejected / 1000);
        for (size_t k = 0; k < m->count; k++) slots[k] = m->nodes[k].slot;
        (void)board_outliers(slots, m->count, &rules, now, gateway_draw(s->loops[0].gl));
    }
}

void targets_look(struct server *s) {
    uint64_t now = clock_mono_ns();
    eject_outliers(s, now);
    tell_changes(s, now);
}
