// The layers over the files: environment variables, a profile, the command line's overrides, live changes.
#include "conf/conf_impl.h"
#include "conf/tree.h"

#include "base/secret.h"

#define PREFIX STR("PENSTOCK_")
#define SHOWN 100
#define INCLUDE_IN_FILES "include: is taken up in files only; put it into the main file"

static bool no_memory(struct load *l) { return load_fail(l, NULL, "out of memory"); }

static bool complain(struct load *l, struct str origin, const char *message) {
    struct conf_source source = {.name = origin};
    conf_problem_add(l->problems, CONF_ERROR, &source, (struct conf_pos){0}, "%s", message);
    return false;
}

// What takes one value is given as it stands; lists and maps are YAML.
static bool is_scalar(const struct conf_place *place) {
    if (!place->opt) return false;
    if (place->item) return place->opt->type == OPT_STRS || place->opt->type == OPT_MAP;
    return place->opt->type < OPT_STRUCT;
}

static bool literal(struct load *l, struct str text, struct str origin, enum conf_layer layer,
                    struct conf_node **out_node) {
    struct arena *a = &l->conf->tree_arena;
    struct conf_source *source = ARENA_NEW(a, struct conf_source);
    struct conf_node *node = ARENA_NEW(a, struct conf_node);
    char *z = arena_cstr(a, text);
    if (!source || !node || !z) return no_memory(l);
    *source = (struct conf_source){.name = arena_str(a, origin), .layer = layer};
    // Such values have no types: "4" is a number where one is wanted. An empty text is a text, not nothing.
    // Nor is "~" nothing, when it is text as it stands.
    *node = (struct conf_node){.kind = NODE_SCALAR, .plain = true, .weight = 1, .source = source};
    node->text = str_of(z, text.n);
    node->plain = !conf_node_is_null(node);
    *out_node = node;
    return true;
}

static struct str yaml_of(struct arena *a, struct str json) {
    struct buf text = BUF_INIT(2 * CONF_FILE_MAX);
    conf_json_as_yaml(json, &text);
    struct str kept = text.failed ? STR_NONE : arena_str(a, buf_str(&text));
    secret_wipe(text.p, text.p ? text.cap : 0);
    buf_free(&text);
    return kept;
}

enum reading {
    AS_IS,   // text, whatever is in it
    BY_TYPE, // YAML for lists and maps, text for others
    AS_YAML,
};

static bool set_value(struct load *l, struct str key, struct str value, enum reading reading, struct str origin,
                      enum conf_layer layer) {
    struct arena *a = &l->conf->tree_arena;
    struct conf_path path;
    struct conf_place place;
    struct err err;
    struct conf_node *node = NULL;
    if (l->tree && l->tree->kind != NODE_MAP) return true; // refused when it is bound
    if (!conf_path_parse(key, a, &path, &err) || !conf_path_find(&conf_table, &path, &place, &err))
        return complain(l, origin, err.message);
    if (str_eq(path.steps[0], STR("include"))) return complain(l, origin, INCLUDE_IN_FILES);
    if (str_eq(path.steps[0], STR("profiles")) && layer > LAYER_PROFILE)
        return complain(l, origin, "profiles: is taken up before this; choose one with --env");
    struct str text = reading == AS_YAML ? yaml_of(a, value) : arena_str(a, value);
    if (value.n && !text.p) return no_memory(l);
    bool unset = str_eq(value, STR("null"));
    bool as_text = reading == AS_IS || (reading == BY_TYPE && is_scalar(&place) && !unset);
    bool ok =
        as_text ? literal(l, text, origin, layer, &node) : load_parse(l, text, arena_str(a, origin), layer, &node);
    if (!ok) return false;
    return conf_tree_set(&conf_table, &l->tree, &path, node, a, &err) || complain(l, origin, err.message);
}

// --- environment ---

static int by_name(const void *a, const void *b) { return strcmp(*(const char *const *)a, *(const char *const *)b); }

// PENSTOCK_LOG__LEVEL names an option; so does PENSTOCK_ and the name of an option that has no section. What else
// begins with PENSTOCK_ is somebody else's: Kubernetes alone makes half a dozen.
static bool names_option(struct str name) {
    if (!str_starts(name, PREFIX)) return false;
    struct str rest = str_from(name, PREFIX.n);
    if (str_find(rest, STR("__")) < rest.n) return true;
    for (size_t i = 0; i < conf_table.n; i++) {
        const struct opt *opt = &conf_table.opts[i];
        if (opt->type < OPT_STRUCT && opt->type != OPT_INT && str_eq_nocase(str_c(opt->name), rest)) return true;
        if (opt->type > OPT_STRUCT && opt->type != OPT_PROFILES && str_eq_nocase(str_c(opt->name), rest)) return true;
    }
    return false;
}

static bool set_variable(struct load *l, const char *text) {
    struct str name = str_c(text), value;
    size_t eq = str_find_char(name, '=');
    if (eq == name.n) return true;
    value = str_from(name, eq + 1);
    name = str_head(name, eq);
    if (!names_option(name)) return true;
    struct arena *a = &l->conf->tree_arena;
    struct buf path = BUF_INIT(4096);
    struct err err;
    struct str origin = arena_printf(a, "$%.*s", STR_ARG(str_head(name, SHOWN)));
    bool ok = conf_path_of_variable(&conf_table, l->tree, name, a, &path, &err)
                  ? set_value(l, buf_str(&path), value, BY_TYPE, origin, LAYER_ENV)
                  : complain(l, origin, err.message);
    buf_free(&path);
    return ok;
}

static bool config_json(struct load *l) {
    const char *text = l->env->get ? l->env->get(l->env->ctx, "PENSTOCK_CONFIG_JSON") : NULL;
    struct conf_node *root = NULL;
    if (!text || !*text) return true;
    struct str kept = yaml_of(&l->conf->tree_arena, str_c(text));
    if (!kept.p) return no_memory(l);
    if (!load_parse(l, kept, STR("$PENSTOCK_CONFIG_JSON"), LAYER_ENV, &root)) return false;
    if (root && root->kind != NODE_MAP)
        return complain(l, STR("$PENSTOCK_CONFIG_JSON"), "expected a JSON object of options");
    if (conf_node_get(root, STR("include"))) return complain(l, STR("$PENSTOCK_CONFIG_JSON"), INCLUDE_IN_FILES);
    return conf_tree_join(&conf_table, l->tree, root, &l->conf->tree_arena, &l->tree) || no_memory(l);
}

bool layer_environment(struct load *l) {
    VEC(const char *) names = {0};
    if (!l->env) return true;
    bool ok = config_json(l), room = true;
    for (const char *const *v = l->env->variables; v && *v; v++)
        if (str_starts(str_c(*v), PREFIX)) room = vec_push(&names, *v) && room;
    if (names.n) qsort(names.p, names.n, sizeof *names.p, by_name);
    for (size_t i = 0; i < names.n; i++) ok = set_variable(l, names.p[i]) && ok;
    vec_free(&names);
    return room ? ok : no_memory(l);
}

// --- profiles ---

static struct str profile_name(const struct load *l) {
    if (!l->env) return STR_NONE;
    if (l->env->profile.n) return l->env->profile;
    const char *name = l->env->get ? l->env->get(l->env->ctx, "PENSTOCK_ENV") : NULL;
    return name ? str_c(name) : STR_NONE;
}

static bool no_profile(struct load *l, const struct conf_node *profiles, struct str name) {
    struct str names[64] = {STR_NONE};
    size_t n = 0;
    for (; profiles && profiles->kind == NODE_MAP && n < profiles->n && n < ARRAY_LEN(names); n++)
        names[n] = profiles->keys[n]->text;
    struct str near = opt_nearest(name, names, n);
    conf_problem_add(l->problems, CONF_ERROR, profiles ? profiles->source : NULL,
                     profiles ? profiles->pos : (struct conf_pos){0}, "there is no profile \"%.*s\"%s%.*s%s",
                     STR_ARG(str_head(name, SHOWN)), near.n ? "; did you mean \"" : "", STR_ARG(near),
                     near.n ? "\"?"
                     : n    ? ""
                            : ": `profiles` is not set");
    return false;
}

// A part of a configuration, checked on its own so that mistakes show before it is wanted.
static bool check_part(struct load *l, const struct conf_node *part) {
    struct conf *scratch = mem_zalloc(1, sizeof *scratch);
    struct arena arena;
    if (!scratch) return no_memory(l);
    struct conf_env env = *l->env;
    env.offline = true;
    arena_init(&arena, NULL, 4096, (size_t)64 << 20);
    struct opt_bind b = {.arena = &arena, .env = &env, .problems = l->problems, .partial = true};
    size_t before = l->problems->errors;
    opt_bind_root(&b, &conf_table, part, scratch);
    opt_bind_free(&b);
    arena_wipe_free(&arena);
    mem_free(scratch);
    return l->problems->errors == before;
}

static const struct conf_node *key_of(const struct conf_node *map, struct str name) {
    for (size_t i = 0; map->kind == NODE_MAP && i < map->n; i++)
        if (str_eq(map->keys[i]->text, name)) return map->keys[i];
    return NULL;
}

static bool check_profiles(struct load *l, const struct conf_node *profiles, struct str chosen) {
    static const struct str barred[] = {STR_INIT("profiles"), STR_INIT("include"), STR_INIT("version")};
    bool ok = true;
    for (size_t i = 0; i < profiles->n; i++) {
        const struct conf_node *part = profiles->values[i];
        for (size_t k = 0; k < ARRAY_LEN(barred); k++) {
            const struct conf_node *key = key_of(part, barred[k]);
            if (!key) continue;
            conf_problem_add(l->problems, CONF_ERROR, key->source, key->pos,
                             "profiles.%.*s: \"%.*s\" cannot be in a profile", STR_ARG(profiles->keys[i]->text),
                             STR_ARG(barred[k]));
            ok = false;
        }
        bool unchecked = !str_eq(profiles->keys[i]->text, chosen) && !conf_node_is_null(part);
        if (unchecked) ok = check_part(l, part) && ok;
    }
    return ok;
}

// As it is joined, a value is the profile's, wherever its file stands in the order.
static struct conf_node *relabel(struct load *l, const struct conf_node *old, const struct conf_source *source) {
    struct arena *a = &l->conf->tree_arena;
    struct conf_node *node = ARENA_NEW(a, struct conf_node);
    if (!node) return NULL;
    *node = *old;
    node->source = source;
    if (old->n) {
        node->values = ARENA_ARRAY(a, struct conf_node *, old->n);
        if (!node->values) return NULL;
        for (size_t i = 0; i < old->n; i++)
            if (!(node->values[i] = relabel(l, old->values[i], source))) return NULL;
    }
    return node;
}

bool layer_profile(struct load *l) {
    struct str name = profile_name(l);
    const struct conf_node *profiles = conf_node_get(l->tree, STR("profiles"));
    bool map = profiles && profiles->kind == NODE_MAP;
    if (profiles && !map && !conf_node_is_null(profiles)) {
        conf_problem_add(l->problems, CONF_ERROR, profiles->source, profiles->pos,
                         "profiles: expected a map from names to parts of a configuration");
        return false;
    }
    bool ok = !map || check_profiles(l, profiles, name);
    if (!name.n) return ok;
    const struct conf_node *part = map ? conf_node_get(profiles, name) : NULL;
    if (!part) return no_profile(l, profiles, name);
    if (part->kind != NODE_MAP) return conf_node_is_null(part) ? ok : check_part(l, part) && ok;
    struct conf_source *source = ARENA_NEW(&l->conf->tree_arena, struct conf_source);
    if (!source || !vec_push(&l->sources, source)) return no_memory(l);
    *source = *part->source;
    source->layer = LAYER_PROFILE;
    struct conf_node *own = relabel(l, part, source);
    l->conf->profile = arena_str(&l->conf->tree_arena, name);
    return (own && conf_tree_join(&conf_table, l->tree, own, &l->conf->tree_arena, &l->tree)) ? ok : no_memory(l);
}

// --- overrides and live changes ---

bool layer_overrides(struct load *l) {
    bool ok = true;
    for (size_t i = 0; l->env && i < l->env->n_overrides; i++) {
        const struct conf_override *o = &l->env->overrides[i];
        ok = set_value(l, o->key, o->value, o->literal ? AS_IS : BY_TYPE, o->origin, LAYER_OVERRIDE) && ok;
    }
    return ok;
}

bool layer_live(struct load *l) {
    struct conf_override *list = NULL;
    size_t n = 0;
    struct err err;
    bool ok = true;
    if (!l->env || !l->env->read_live) return true;
    if (!l->env->read_live(l->env->ctx, &l->stores, &l->conf->tree_arena, &list, &n, &err))
        return complain(l, STR("live changes"), err.message);
    // Stored as JSON, so that lists and maps and quoted text come back as they were.
    for (size_t i = 0; i < n; i++)
        ok = set_value(l, list[i].key, list[i].value, AS_YAML, list[i].origin, LAYER_LIVE) && ok;
    return ok;
}
