// What is said when a name means nothing, or nothing that it means can serve the request.
#include "route/unserved.h"

#include "model/provider.h"
#include "route/filter.h"

// --- no such name ---

static void nearest(struct str name, struct str candidate, struct str *best, size_t *best_distance) {
    size_t d = str_distance(name, candidate, *best_distance);
    if (d < *best_distance) {
        *best = candidate;
        *best_distance = d;
    }
}

struct suggestion {
    const struct conf_tenant *tenant; // only what it may use is suggested
    struct str name, best;
    size_t distance;
};

static void consider(struct suggestion *s, struct str candidate) {
    size_t before = s->distance;
    struct str best = s->best;
    nearest(s->name, candidate, &best, &before);
    if (before == s->distance || !conf_tenant_allows(s->tenant, candidate)) return;
    s->best = best;
    s->distance = before;
}

static struct str suggest(const struct conf *conf, const struct conf_tenant *tenant, struct str name) {
    struct suggestion s = {.tenant = tenant, .name = name, .distance = name.n / 3 + 2};
    for (const struct conf_tenant *t = tenant; t; t = t->up) {
        for (size_t i = 0; i < t->models.n; i++) consider(&s, t->models.p[i].name);
        for (size_t i = 0; i < t->aliases.n; i++) consider(&s, t->aliases.p[i].name);
    }
    for (size_t i = 0; i < conf->models.n; i++) consider(&s, conf->models.p[i].name);
    for (size_t i = 0; i < conf->aliases.n; i++) consider(&s, conf->aliases.p[i].name);
    return s.best;
}

bool route_unknown(const struct route_ask *ask, struct str name, struct err *err) {
    struct str best = suggest(ask->table->conf, ask->tenant, name);
    if (best.p)
        err_set(err, ERR_MODEL_NOT_FOUND,
                "there is no model \"%.*s\"; did you mean \"%.*s\"? GET /v1/models lists what there is",
                STR_ARG(str_head(name, 100)), STR_ARG(best));
    else
        err_set(err, ERR_MODEL_NOT_FOUND,
                "there is no model \"%.*s\"; GET /v1/models lists what there is, and \"provider/model\" asks a "
                "provider directly",
                STR_ARG(str_head(name, 100)));
    memcpy(err->param, "model", sizeof "model");
    return false;
}

// --- nobody can ---

// Of the models that the tenant can see, one with a target that has it all; the one with the nearest name.
static struct str able_model(const struct route_ask *ask, struct str name) {
    struct str best = STR_NONE;
    size_t best_distance = SIZE_MAX;
    for (size_t i = 0; i < ask->table->count; i++) {
        const struct route_model *m = &ask->table->models[i];
        struct conf_choice choice;
        bool able = false;
        for (size_t k = 0; k < m->count && !able; k++)
            able = !m->nodes[k].when &&
                   (m->nodes[k].known || !(ask->need->model.can & ~(unsigned)MODEL_CAN_STREAMING)) &&
                   filter_node(&m->nodes[k], ask->need, false) == ROUTE_DROP_KEPT;
        if (!able || !conf_tenant_allows(ask->tenant, m->conf->name)) continue;
        if (!conf_resolve(ask->table->conf, ask->tenant, m->conf->name, &choice) || choice.model != m->conf) continue;
        size_t d = str_distance(name, m->conf->name, 64);
        if (!best.p || d < best_distance) best = m->conf->name, best_distance = d;
    }
    return best;
}

static struct str ability_text(unsigned missing) {
    static const struct str texts[] = {
#define CAPABILITY(id, name, help) [MODEL_CAN_BIT_##id] = STR_INIT("that " help " (" name ")"),
#include "conf/capability.def"
#undef CAPABILITY
    };
    for (unsigned bit = 0; bit < MODEL_CAN_COUNT; bit++)
        if (missing >> bit & 1) return texts[bit];
    return STR("that can do all of it at once");
}

// The reason that keeps out the target which comes nearest: the others fail for the same or an earlier one.
static enum route_drop reason_of(const struct route_model *m, const struct candidate *list) {
    enum route_drop furthest = ROUTE_DROP_WEIGHT;
    for (size_t i = 0; i < m->count; i++) furthest = MAX(furthest, list[i].drop);
    return furthest;
}

// What all targets together have.
struct sum {
    unsigned can; // what one of them has at least, or might have
    uint64_t window, output;
    bool one; // there is but one, and it is named
};

static void add_facts(struct sum *sum, const struct model_entry *facts) {
    sum->can |= facts->can | ~facts->cannot;
    sum->window = MAX(sum->window, facts->context_window);
    sum->output = MAX(sum->output, facts->max_output);
}

#define LACK_MAX 400

// What was found in it, named by its kind and place.
struct private_text {
    char text[240];
};
static struct private_text private_text(const struct route_need *need) {
    struct private_text t = {""};
    if (need->found.n) snprintf(t.text, sizeof t.text, " (it holds personal data: %.*s)", STR_ARG(need->found));
    return t;
}

static void lack_text(const struct route_ask *ask, const struct sum *all, enum route_drop why, char out[LACK_MAX]) {
    const char *who = all->one ? "it does not take" : "none of its targets takes";
    const struct model_need *need = &ask->need->model;
    if (why == ROUTE_DROP_CAPABILITY)
        snprintf(out, LACK_MAX, "the request needs a model %.*s", STR_ARG(ability_text(need->can & ~all->can)));
    else if (why == ROUTE_DROP_CONTEXT)
        snprintf(out, LACK_MAX, "the prompt has %s%llu tokens, and %s more than %llu", need->counted ? "" : "about ",
                 (unsigned long long)need->tokens, who, (unsigned long long)all->window);
    else if (why == ROUTE_DROP_OUTPUT)
        snprintf(out, LACK_MAX, "the answer may have %llu tokens, and %s more than %llu (max_output_tokens)",
                 (unsigned long long)need->each, all->one ? "it does not give" : "none of its targets gives",
                 (unsigned long long)all->output);
    else if (why == ROUTE_DROP_PRIVACY)
        snprintf(out, LACK_MAX,
                 "the request is private%s, and none of its targets runs in the house (providers[].privacy)",
                 private_text(ask->need).text);
    else if (why == ROUTE_DROP_REGION)
        snprintf(out, LACK_MAX, "none of its targets is in a region that the request may go to");
    else if (why == ROUTE_DROP_TAG)
        snprintf(out, LACK_MAX, "none of its targets has the tags that the request asks for");
    else
        snprintf(out, LACK_MAX, "the conditions of its targets do not hold for it");
}

static bool lacks(const struct route_ask *ask, struct str name, const struct sum *all, enum route_drop why,
                  struct err *err) {
    char lack[LACK_MAX];
    lack_text(ask, all, why, lack);
    struct str able = able_model(ask, name);
    err_set(err, why == ROUTE_DROP_CONTEXT ? ERR_CONTEXT_WINDOW : ERR_NO_TARGET,
            "model \"%.*s\" cannot serve this request: %s%s%.*s%s", STR_ARG(str_head(name, 100)), lack,
            able.p ? "; \"" : "", STR_ARG(able), able.p ? "\" can" : "; no model here can");
    memcpy(err->param, "model", sizeof "model");
    return false;
}

bool route_unserved(const struct route_ask *ask, struct str name, const struct route_model *model,
                    const struct candidate *list, struct err *err) {
    enum route_drop why = reason_of(model, list);
    struct sum all = {0};
    if (why == ROUTE_DROP_WEIGHT || !ask->need)
        return err_set(err, ERR_OVERLOADED, "all targets of model \"%.*s\" are taken out (weight 0)",
                       STR_ARG(str_head(name, 100)));
    for (size_t i = 0; i < model->count; i++)
        if (model->nodes[i].conf->weight > 0) add_facts(&all, model->nodes[i].facts);
    return lacks(ask, name, &all, why, err);
}

bool route_unable(const struct route_ask *ask, struct str name, const struct conf_provider *provider,
                  const struct model_entry *entry, struct err *err) {
    struct model_entry facts = *entry;
    struct sum all = {.one = true};
    facts.can |= provider_lends(provider);
    facts.cannot = ask->sure ? ~facts.can : facts.cannot & ~facts.can;
    add_facts(&all, &facts);
    return lacks(ask, name, &all, filter_facts(&facts, &ask->need->model, true), err);
}

bool route_kept_in(const struct route_ask *ask, struct str name, const struct conf_provider *provider,
                   struct err *err) {
    bool private = ask->need->private && provider->privacy != PRIVACY_LOCAL;
    bool tagged = !private && ask->need->tag_count;
    err_set(err, ERR_NO_TARGET, "\"%.*s\" cannot be asked: %s%s%s", STR_ARG(str_head(name, 100)),
            private ? "the request is private" : "", private ? private_text(ask->need).text : "",
            private  ? ", and this provider does not run in the house (providers[].privacy)"
            : tagged ? "the request asks for tags, which only models' targets have (x-penstock-tags)"
                     : "the request may not leave its region (providers[].region)");
    memcpy(err->param, "model", sizeof "model");
    return false;
}
