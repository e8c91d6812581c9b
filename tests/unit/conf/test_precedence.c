// Which layer goes before which, for every option that the tables have: a new one is tested without a line here.
#include "conf/value.h"
#include "world.h"

// --- precedence, for every option of the tables ---

enum { STEPS = 8 };
static const enum conf_layer step_layers[STEPS] = {LAYER_INCLUDE, LAYER_INCLUDE, LAYER_FILE,     LAYER_ENV,
                                                   LAYER_ENV,     LAYER_PROFILE, LAYER_OVERRIDE, LAYER_LIVE};

struct leaf {
    const struct opt *opt;
    struct str open, close;   // around the value in YAML's flow style: "{log: {level: ", "}}"
    struct str key, variable; // log.level, PENSTOCK_LOG__LEVEL
    bool chained;             // each layer's value is under the next one's; not so inside lists that are replaced whole
};

static bool is_texts(const struct opt *opt) { return opt->type == OPT_STRS || opt->type == OPT_MAP; }

static void text_for(const struct opt *opt, int step, struct buf *out) {
    // X is for the step.
    static const char *const forms[] = {"vX",       "h.example.com:400X", "http://hX",  "hX.example.com",
                                        "config.*", "postgres://hX/d",    "redis://hX", "tcp://hX:1",
                                        "text:vX",  "10.0.0.X",           "k/mX",       "/hX",
                                        "0.5X"};
    static const char *const abilities[] = {"vision",    "pdf",     "tools",     "parallel_tools", "json_schema",
                                            "reasoning", "caching", "streaming", "video_input",    "audio_input"};
    if (opt->check && !opt->check(STR("vision")) && opt->check(STR("v1"))) {
        buf_put(out, str_c(abilities[step]));
        return;
    }
    static const char *const tiers[] = {"simple", "medium", "complex", "reasoning"};
    if (opt->check && !opt->check(STR("simple")) && opt->check(STR("v1"))) {
        buf_put(out, str_c(tiers[(size_t)step % ARRAY_LEN(tiers)]));
        return;
    }
    static const char *const faults[] = {"schema", "empty", "refused", "truncated", "repetition"};
    if (opt->check && !opt->check(STR("truncated")) && opt->check(STR("v1"))) {
        buf_put(out, str_c(faults[(size_t)step % ARRAY_LEN(faults)]));
        return;
    }
    static const char *const kinds[] = {"email", "iban", "phone", "us_ssn", "credit_card"};
    if (opt->check && !opt->check(STR("iban")) && opt->check(STR("v1"))) {
        buf_put(out, str_c(kinds[(size_t)step % ARRAY_LEN(kinds)]));
        return;
    }
    static const char digits[] = "0123456789", letters[] = "abcdefghij";
    for (size_t i = 0; i < 2 * ARRAY_LEN(forms); i++) {
        char text[64];
        snprintf(text, sizeof text, "%s", forms[i / 2]);
        char *x = strchr(text, 'X'), *star = strchr(text, '*');
        if (x) *x = (i % 2 ? letters : digits)[step];
        if (star) *star = letters[step];
        if (opt->check && opt->check(str_c(text))) continue;
        buf_put(out, str_c(text));
        return;
    }
    fprintf(stderr, "no value is known for %s: add a form\n", opt->name);
    REQUIRE(false);
}

// A value that no other step has (of bool and enum: not the one before or after it).
static void value_for(const struct opt *opt, int step, struct buf *out) {
    int64_t room = opt->max - opt->min + 1; // a narrow range is gone through again
    int64_t v = (opt->min || opt->max ? opt->min : 1) + (room > 1 && room <= step ? step % room : step);
    size_t n = 0;
    buf_clear(out);
    switch (opt->type) {
    case OPT_BOOL:
        buf_put(out, step % 2 ? STR("true") : STR("false"));
        break;
    case OPT_INT:
        buf_printf(out, "%lld", (long long)v);
        break;
    case OPT_SIZE:
        value_put_size(out, v);
        break;
    case OPT_DURATION:
        value_put_duration(out, v);
        break;
    case OPT_DECIMAL:
        value_put_decimal(out, v);
        break;
    case OPT_ENUM:
        while (opt->values[n].name) n++;
        buf_put(out, str_c(opt->values[(size_t)step % n].name));
        break;
    case OPT_STR:
    case OPT_SECRET:
    case OPT_MAP:
    case OPT_STRS:
        text_for(opt, step, out);
        break;
    case OPT_STRUCT:
    case OPT_LIST:
    case OPT_STRUCT_MAP:
    case OPT_PROFILES:
        REQUIRE(false);
    }
}

static struct str written(const struct leaf *leaf, int step, bool bare, struct arena *a) {
    struct buf value = BUF_INIT(4096);
    value_for(leaf->opt, step, &value);
    bool text = leaf->opt->type == OPT_STR || leaf->opt->type == OPT_SECRET || leaf->opt->type == OPT_ENUM ||
                is_texts(leaf->opt);
    struct str v = buf_str(&value), made;
    if (leaf->opt->type == OPT_STRS)
        made = arena_printf(a, "[\"%.*s\"]", STR_ARG(v));
    else if (text && !bare)
        made = arena_printf(a, "\"%.*s\"", STR_ARG(v));
    else
        made = arena_str(a, v);
    REQUIRE(made.p != NULL);
    buf_free(&value);
    return made;
}

static const char *tree_with(const struct leaf *leaf, int step, struct arena *a) {
    return arena_cstr(a, arena_printf(a, "%.*s%.*s%.*s", STR_ARG(leaf->open), STR_ARG(written(leaf, step, false, a)),
                                      STR_ARG(leaf->close)));
}

static void make_world(struct world *w, const struct leaf *leaf, int steps, struct arena *a) {
    *w = (struct world){.profile = "p"};
    const char *own = steps > 2 ? tree_with(leaf, 2, a) : "{}";
    struct str file = arena_printf(a, "{include: [inc.yaml], profiles: {p: %s}%s%s",
                                   steps > 5 ? tree_with(leaf, 5, a) : "", steps > 2 ? ", " : "", own + 1);
    w->files[0].path = "main.yaml", w->files[0].text = arena_cstr(a, file);
    w->files[1].path = "inc.yaml", w->files[1].text = steps > 0 ? tree_with(leaf, 0, a) : "";
    w->files[2].path = "conf.d/a.yaml", w->files[2].text = steps > 1 ? tree_with(leaf, 1, a) : "";
    size_t n = 0;
    if (steps > 3) w->vars[n++] = arena_cstr(a, arena_printf(a, "PENSTOCK_CONFIG_JSON=%s", tree_with(leaf, 3, a)));
    if (steps > 4)
        w->vars[n++] =
            arena_cstr(a, arena_printf(a, "%.*s=%.*s", STR_ARG(leaf->variable), STR_ARG(written(leaf, 4, true, a))));
    if (steps > 6)
        w->given[w->n_given++] = (struct conf_override){leaf->key, written(leaf, 6, true, a), STR("given"), false};
    if (steps > 7)
        w->live[w->n_live++] = (struct conf_override){leaf->key, written(leaf, 7, false, a), STR("live"), false};
}

static struct str text_of(const struct conf_node *node) {
    if (node->kind == NODE_LIST) return node->n == 1 ? node->values[0]->text : STR("(no single value)");
    return node->kind == NODE_SCALAR ? node->text : STR("(a map)");
}

static void check_chain(const struct leaf *leaf, const struct conf_node *node, int steps) {
    struct buf want = BUF_INIT(4096);
    for (int i = steps - 1; i >= 0; i--, node = node->under) {
        value_for(leaf->opt, i, &want);
        bool right =
            node && str_eq(text_of(node), buf_str(&want)) && node->source && node->source->layer == step_layers[i];
        if (!right)
            fprintf(stderr, "%.*s with %d layers, %d: wanted %.*s, found %.*s\n", STR_ARG(leaf->key), steps, i,
                    STR_ARG(buf_str(&want)), STR_ARG(node ? text_of(node) : STR("nothing")));
        CHECK(right);
        if (!node || !leaf->chained) break;
    }
    buf_free(&want);
}

static void no_problems(const struct conf_problems *ps, const struct leaf *leaf) {
    struct buf text = BUF_INIT(1 << 20);
    conf_problems_print(ps, &text);
    if (ps->errors) fprintf(stderr, "%.*s: %.*s\n", STR_ARG(leaf->key), STR_ARG(buf_str(&text)));
    CHECK_INT(ps->errors, 0);
    buf_free(&text);
}

// With the first `steps` layers the value is that of the last of them, and the others are under it. Much of what comes
// up is no valid whole (a target without its provider), so the layers are joined and bound, not loaded.
static void check_steps(const struct leaf *leaf, int steps) {
    struct world w;
    struct arena a;
    struct conf_problems ps;
    struct conf_path path;
    struct err err;
    struct conf *c = mem_zalloc(1, sizeof *c), *bound = mem_zalloc(1, sizeof *bound);
    arena_init(&a, NULL, 0, (size_t)4 << 20);
    arena_init(&c->tree_arena, NULL, 0, (size_t)4 << 20);
    make_world(&w, leaf, steps, &a);
    w.asked = (struct buf)BUF_INIT(4096);
    struct conf_env env = {.ctx = &w, .get = world_get, .read_file = world_read, .match_files = world_match};
    env.variables = w.vars, env.profile = STR("p"), env.read_live = world_live;
    env.overrides = w.given, env.n_overrides = w.n_given;
    struct load l = {.env = &env, .problems = &ps, .conf = c};
    conf_problems_init(&ps);
    bool ok = layer_files(&l, str_c(w.files[0].text), STR("main.yaml")) && layer_environment(&l) && layer_profile(&l) &&
              layer_overrides(&l) && layer_live(&l);
    CHECK(ok);
    struct opt_bind b = {.arena = &a, .env = &env, .problems = &ps, .partial = true};
    opt_bind_root(&b, &conf_table, l.tree, bound);
    no_problems(&ps, leaf);
    REQUIRE(conf_path_parse(leaf->key, &a, &path, &err));
    const struct conf_node *node = conf_tree_get(&conf_table, l.tree, &path);
    if (steps)
        check_chain(leaf, node, steps);
    else
        CHECK(!node);
    opt_bind_free(&b);
    vec_free(&l.files);
    vec_free(&l.sources);
    for (size_t i = 0; i < l.texts.n; i++) buf_free(&l.texts.p[i]);
    vec_free(&l.texts);
    conf_problems_free(&ps);
    buf_free(&w.asked);
    arena_free(&c->tree_arena);
    arena_free(&a);
    mem_free(c);
    mem_free(bound);
}

static struct str upper(struct str s, struct arena *a) {
    char *p = arena_cstr(a, s);
    for (size_t i = 0; i < s.n; i++) {
        if (p[i] >= 'a' && p[i] <= 'z') p[i] = (char)(p[i] - 32);
        if (strchr("-./: ", p[i])) p[i] = '_';
    }
    return str_of(p, s.n);
}

static struct str dotted(struct str above, struct str step, struct arena *a) {
    struct buf out = BUF_INIT(4096);
    buf_put(&out, above);
    conf_path_put(&out, step);
    struct str kept = arena_str(a, buf_str(&out));
    buf_free(&out);
    return kept;
}

static size_t walk(const struct opt_table *table, const struct leaf *above, struct arena *a, bool skip_first);

// The option, with what leads to it filled in; `below` gets what leads to its items.
static size_t walk_option(const struct opt *opt, const struct leaf *above, struct arena *a) {
    struct str name = str_c(opt->name);
    struct leaf here = {.opt = opt, .chained = above->chained};
    bool in_map = str_ends(above->open, STR(", ")); // behind an item's name
    here.open = arena_printf(a, "%.*s%s%s: ", STR_ARG(above->open), in_map ? "" : "{", opt->name);
    here.close = arena_printf(a, "}%.*s", STR_ARG(above->close));
    here.key = dotted(above->key, name, a);
    here.variable = arena_printf(a, "%.*s%s%.*s", STR_ARG(above->variable),
                                 str_eq(above->variable, STR("PENSTOCK_")) ? "" : "__", STR_ARG(upper(name, a)));
    struct leaf below = here;
    if (opt->type == OPT_PROFILES || str_eq(here.key, STR("include")) || str_eq(here.key, STR("version"))) return 0;
    if (opt->type == OPT_STRUCT) return walk(opt->sub, &here, a, false);
    if (opt->type == OPT_LIST && (opt->flags & OPT_NAMED)) {
        const struct opt *first = &opt->sub->opts[0];
        struct buf item = BUF_INIT(256);
        text_for(first, 9, &item);
        below.key = dotted(here.key, buf_str(&item), a);
        below.variable = arena_printf(a, "%.*s__%.*s", STR_ARG(here.variable), STR_ARG(upper(buf_str(&item), a)));
        below.open = arena_printf(a, "%.*s[{%s: \"%.*s\", ", STR_ARG(here.open), first->name, STR_ARG(buf_str(&item)));
        below.close = arena_printf(a, "]%.*s", STR_ARG(here.close));
        buf_free(&item);
        return walk(opt->sub, &below, a, true);
    }
    if (opt->type == OPT_LIST) {
        below.key = arena_printf(a, "%.*s[0]", STR_ARG(here.key));
        below.variable = arena_printf(a, "%.*s__0", STR_ARG(here.variable));
        below.open = arena_printf(a, "%.*s[", STR_ARG(here.open));
        below.close = arena_printf(a, "]%.*s", STR_ARG(here.close));
        below.chained = false;
        return walk(opt->sub, &below, a, false);
    }
    if (opt->type == OPT_STRUCT_MAP || opt->type == OPT_MAP) {
        below.key = dotted(here.key, STR("an-item"), a);
        below.variable = arena_printf(a, "%.*s__AN_ITEM", STR_ARG(here.variable));
        below.open = arena_printf(a, "%.*s{an-item: ", STR_ARG(here.open));
        below.close = arena_printf(a, "}%.*s", STR_ARG(here.close));
        if (opt->type == OPT_STRUCT_MAP) return walk(opt->sub, &below, a, false);
    }
    for (int steps = 0; steps <= STEPS; steps++) check_steps(&below, steps);
    return 1;
}

static size_t walk(const struct opt_table *table, const struct leaf *above, struct arena *a, bool skip_first) {
    size_t n = 0;
    for (size_t i = skip_first; i < table->n; i++) n += walk_option(&table->opts[i], above, a);
    return n;
}

static void precedence(void) {
    struct arena a;
    struct leaf root = {
        .open = STR(""), .close = STR(""), .key = STR(""), .variable = STR("PENSTOCK_"), .chained = true};
    arena_init(&a, NULL, 0, (size_t)64 << 20);
    size_t leaves = walk(&conf_table, &root, &a, false);
    CHECK(leaves > 100);
    arena_free(&a);
}

TEST_MAIN(precedence)
