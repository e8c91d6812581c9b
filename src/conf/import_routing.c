// What LiteLLM's router is told of strategies, retries, cooldowns and fallbacks by kind, as Penstock's routing.
#include "conf/import_impl.h"

#define RETRIES_MAX 10
#define FAILS_MAX 999
#define USUAL_MAX_OPEN (INT64_C(300) * 1000)

static const struct {
    const char *theirs, *ours;
} strategies[] = {
    {"simple-shuffle", ""},           {"latency-based-routing", "latency"}, {"least-busy", "least_busy"},
    {"usage-based-routing", "usage"}, {"usage-based-routing-v2", "usage"},  {"cost-based-routing", "cost"},
};

bool import_strategy(struct importer *im, const struct conf_node *router) {
    struct str text = STR("simple-shuffle");
    (void)!import_str(im, router, "routing_strategy", STR("router_settings"), &text);
    for (size_t i = 0; i < ARRAY_LEN(strategies); i++) {
        if (!str_eq(text, str_c(strategies[i].theirs))) continue;
        im->strategy = str_c(strategies[i].ours);
        return i == 0;
    }
    import_note(im, IMPORT_LOST, conf_node_get(router, STR("routing_strategy")),
                STR("router_settings.routing_strategy"), "set models[].strategy",
                "%.*s: targets of the same priority are picked by weight", STR_ARG(str_head(text, 60)));
    return false;
}

// A whole number of what is counted, else a note.
static int64_t count_of(struct importer *im, const struct conf_node *map, const char *key, struct str path,
                        int64_t max) {
    const struct conf_node *node = conf_node_get(map, str_c(key));
    double v;
    if (import_is_false(node)) return 0;
    if (import_number(node, &v) && v <= (double)max) return (int64_t)v;
    import_note(im, IMPORT_LOST, node, import_path(im, path, key), NULL, "it is no number of up to %lld",
                (long long)max);
    return 0;
}

static void add_fallback(struct importer *im, const struct conf_node *from, const struct conf_node *to, bool policy,
                         struct str path) {
    const struct draft_model *model = import_model_find(im, from->text);
    const struct draft_model *other = to->kind == NODE_SCALAR ? import_model_find(im, to->text) : NULL;
    if (!model || !other) {
        import_note(im, IMPORT_LOST, to, path, "set models[].routing.fallbacks by hand",
                    "there is no such model in what was carried over");
        return;
    }
    if (model == other) return;
    struct draft_fallback f = {.model = (size_t)(model - im->models.p), .policy = policy, .to = other->name};
    if (!vec_push(&im->fallbacks, f)) im->failed = true;
}

// [{"gpt-4": ["claude"]}]
static void read_fallbacks(struct importer *im, const struct conf_node *section, struct str where, const char *key,
                           bool policy) {
    const struct conf_node *list = conf_node_get(section, str_c(key));
    struct str path = import_path(im, where, key);
    for (size_t i = 0; list && list->kind == NODE_LIST && i < list->n; i++) {
        const struct conf_node *map = list->values[i];
        for (size_t k = 0; map->kind == NODE_MAP && k < map->n; k++) {
            const struct conf_node *names = map->values[k];
            for (size_t n = 0; names->kind == NODE_LIST && n < names->n && n < 16; n++)
                add_fallback(im, map->keys[k], names->values[n], policy, import_path_index(im, path, i));
        }
    }
}

static void read_section(struct importer *im, const struct conf_node *section, struct str where) {
    int64_t fails = count_of(im, section, "allowed_fails", where, FAILS_MAX);
    if (!im->retries) im->retries = count_of(im, section, "num_retries", where, RETRIES_MAX);
    if (!im->failures && fails) im->failures = fails + 1; // so many are allowed, and the next one is too much
    if (!im->open) (void)!import_duration(im, section, "cooldown_time", where, 1000, &im->open);
    read_fallbacks(im, section, where, "context_window_fallbacks", false);
    read_fallbacks(im, section, where, "content_policy_fallbacks", true);
}

void import_routing(struct importer *im, const struct conf_node *router, const struct conf_node *library) {
    read_section(im, router, STR("router_settings"));
    read_section(im, library, STR("litellm_settings"));
    if (im->open > USUAL_MAX_OPEN) im->max_open = im->open;
}
