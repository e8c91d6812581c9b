// The rules of chains: names are told apart, models exist and are no chains, templates speak of what came before.
#include "conf/conf_impl.h"
#include "conf/step_template.h"

struct checked {
    struct opt_bind *b;
    struct conf *c;
    const struct conf_level *level;
    const struct conf_model *model;
    struct conf_step *step;
    size_t k;
    char where[160];
};

static void check_model(const struct checked *x, const char *what, struct str name, const void *at) {
    struct conf_choice choice;
    if (!name.n) return;
    if (!conf_resolve(x->c, x->level->tenant, name, &choice)) {
        struct str near = conf_nearest_model(x->b, x->c, x->level->tenant, name);
        conf_complain(x->b, CONF_ERROR, at, x->step, "%s.%s: there is no model \"%.*s\"%s%.*s%s", x->where, what,
                      STR_ARG(name), near.n ? "; did you mean \"" : "", STR_ARG(near), near.n ? "\"?" : "");
    } else if (choice.model && choice.model->chain.n) {
        conf_complain(x->b, CONF_ERROR, at, x->step, "%s.%s: \"%.*s\" is a chain; a step asks a model that is none",
                      x->where, what, STR_ARG(name));
    }
}

static void check_template(const struct checked *x, const char *what, struct str text, const void *at) {
    struct str piece, name;
    while (step_template_next(&text, &piece, &name)) {
        bool known = !name.p || str_eq(name, STR("input")) || str_eq(name, STR("system"));
        for (size_t i = 0; i < x->k && !known; i++) known = str_eq(name, x->model->chain.p[i].name);
        if (known) continue;
        conf_complain(x->b, CONF_ERROR, at, x->step,
                      "%s.%s: {{%.*s}} is neither `input` nor `system` nor an earlier step", x->where, what,
                      STR_ARG(str_head(name, 60)));
        return;
    }
}

static void check_name(const struct checked *x) {
    struct str name = x->step->name;
    bool taken = str_eq(name, STR("input")) || str_eq(name, STR("system"));
    for (size_t i = 0; i < x->k && !taken; i++) taken = str_eq(name, x->model->chain.p[i].name);
    if (taken && name.n)
        conf_complain(x->b, CONF_ERROR, &x->step->name, x->step, "%s.name: \"%.*s\" is taken", x->where, STR_ARG(name));
}

static void check_failure(const struct checked *x) {
    const struct conf_step *s = x->step;
    if (s->on_failure == STEP_FALLBACK && !s->fallback.n)
        conf_complain(x->b, CONF_ERROR, &s->on_failure, s, "%s: fallback is missing: which model is asked?", x->where);
    if (s->on_failure != STEP_FALLBACK && s->fallback.n)
        conf_complain(x->b, CONF_ERROR, &s->fallback, s, "%s: fallback is for `on_failure: fallback`", x->where);
}

static void check_step(const struct checked *x) {
    struct conf_step *s = x->step;
    struct err err;
    check_name(x);
    check_model(x, "model", s->model, &s->model);
    check_model(x, "fallback", s->fallback, &s->fallback);
    check_template(x, "prompt", s->prompt, &s->prompt);
    check_template(x, "system", s->system, &s->system);
    check_failure(x);
    if (s->when.n && !condition_compile(s->when, &x->c->arena, &s->condition, &err))
        conf_complain(x->b, CONF_ERROR, &s->when, s, "%s.when: %s", x->where, err.message);
}

void conf_check_chain(struct opt_bind *b, struct conf *c, const struct conf_level *l, size_t i) {
    struct conf_model *m = &l->models[i];
    size_t marked = 0;
    m->chain_answer = m->chain.n ? m->chain.n - 1 : 0;
    for (size_t k = 0; k < m->chain.n; k++) {
        struct checked x = {.b = b, .c = c, .level = l, .model = m, .step = &m->chain.p[k], .k = k};
        snprintf(x.where, sizeof x.where, "%smodels[%zu].chain[%zu]", l->where, i, k);
        check_step(&x);
        if (!m->chain.p[k].answer) continue;
        m->chain_answer = k;
        if (marked++)
            conf_complain(b, CONF_ERROR, &m->chain.p[k].answer, &m->chain.p[k],
                          "%s.answer: another step's answer is the chain's already", x.where);
    }
}
