// Rewrites a configuration file of an older format, and makes sure that the result says the same.
#include "conf/conf.h"
#include "conf/migrate.h"
#include "conf/migrate_edit.h"

#define ARENA_MAX ((size_t)128 << 20)
#define NOT_THE_SAME "this file has to be changed by hand: rewritten, it would not say the same as before"

// The map at the path before its last dot, and that last step. *out_map is NULL when something on the way is absent;
// *out_up and *out_slot say which pair holds it (out_up is NULL for the root).
struct spot {
    const struct conf_node *map, *up;
    size_t slot;
    struct str name, section; // section: the name of the map in a path of two steps
};

static bool spot_find(struct edit *e, struct str path, struct spot *out_spot) {
    struct spot s = {.map = e->root};
    struct str step;
    (void)!str_split(&path, '.', &s.name);
    while (path.p && str_split(&path, '.', &step)) {
        s.section = s.name, s.name = step, s.up = s.map;
        s.slot = 0;
        if (!s.up || s.up->kind != NODE_MAP) {
            s.map = NULL;
            continue;
        }
        if (!edit_slot(e, s.up, s.section, &s.slot)) return false;
        if (!edit_below(e, s.up, s.slot, &s.map)) return false;
    }
    *out_spot = s;
    return true;
}

static bool put_at(struct edit *e, struct str path, const struct edit_pair *pair) {
    struct spot to;
    if (!spot_find(e, path, &to)) return false;
    if (to.map && to.map->kind == NODE_MAP) return edit_put(e, to.map, STR_NONE, to.name, pair);
    if (to.map && to.up) return edit_put_empty(e, to.up, to.slot, to.name, pair);
    return edit_put(e, e->root, to.section, to.name, pair);
}

// Whether the path is there; one whose map stands elsewhere is found too, and refused later.
static const struct conf_node *key_find(const struct conf_node *map, struct str path) {
    const struct conf_node *key = NULL;
    struct str step;
    while (str_split(&path, '.', &step)) {
        size_t i = 0;
        if (!map || map->kind != NODE_MAP) return NULL;
        while (i < map->n && !str_eq(map->keys[i]->text, step)) i++;
        if (i == map->n) return NULL;
        key = map->keys[i], map = map->values[i];
    }
    return key;
}

static bool rule_edit(struct edit *e, const struct migrate_rule *rule) {
    struct spot from, to;
    struct edit_pair pair;
    size_t slot;
    if (!spot_find(e, rule->from, &from) || !edit_slot(e, from.map, from.name, &slot)) return false;
    if (rule->to.n && !spot_find(e, rule->to, &to)) return false;
    if (rule->to.n && to.map == from.map) return edit_rename(e, from.map, slot, to.name);
    if (!edit_take(e, from.map, slot, &pair)) return false;
    if (from.up && from.map->n == 1 && !edit_take_header(e, from.up, from.slot)) return false;
    return !rule->to.n || put_at(e, rule->to, &pair);
}

// One change after the other, each on the text that the one before has left.
struct rewrite {
    const struct migrate_rules *rules;
    struct conf_problems *problems;
    struct str name;
    struct buf text, next;
};

static bool step(struct rewrite *w, const struct migrate_rule *rule) {
    struct conf_source source = {.name = w->name, .text = buf_str(&w->text), .layer = LAYER_FILE};
    struct conf_problems inner; // the text as it came has been read, so that none of this is about it
    struct arena arena;
    struct edit e;
    conf_problems_init(&inner);
    arena_init(&arena, NULL, 16384, ARENA_MAX);
    bool ok = edit_begin(&e, &source, &arena, &inner);
    e.problems = w->problems;
    if (!ok) conf_problem_add(w->problems, CONF_ERROR, &source, (struct conf_pos){0}, "%s", NOT_THE_SAME);
    bool needed = ok && (!rule || key_find(e.root, rule->from));
    if (needed) ok = rule ? rule_edit(&e, rule) : edit_version(&e, w->rules->current);
    if (ok && needed) {
        buf_clear(&w->next);
        edit_finish(&e, &w->next);
        struct buf old = w->text;
        w->text = w->next, w->next = old;
        if (w->text.failed) {
            conf_problem_add(w->problems, CONF_ERROR, &source, (struct conf_pos){0},
                             "the result would be larger than 1 MiB, the most that is read");
            ok = false;
        }
    }
    arena_free(&arena);
    conf_problems_free(&inner);
    return ok;
}

static bool is_nothing(const struct conf_node *node) {
    return conf_node_is_null(node) || (node->kind == NODE_MAP && node->n == 0);
}

static bool same(const struct conf_node *a, const struct conf_node *b, bool top);

static bool same_maps(const struct conf_node *a, const struct conf_node *b, bool top) {
    for (size_t i = 0; i < a->n; i++) {
        if (top && str_eq(a->keys[i]->text, STR("version"))) continue;
        if (!same(a->values[i], conf_node_get(b, a->keys[i]->text), false)) return false;
    }
    for (size_t i = 0; i < b->n; i++) {
        if (top && str_eq(b->keys[i]->text, STR("version"))) continue;
        if (!conf_node_get(a, b->keys[i]->text) && !is_nothing(b->values[i])) return false;
    }
    return true;
}

// A map's order says nothing, and an empty map is as good as none.
static bool same(const struct conf_node *a, const struct conf_node *b, bool top) {
    if (is_nothing(a) && is_nothing(b)) return true;
    static const struct conf_node empty = {.kind = NODE_MAP};
    if (!a && top) a = &empty;
    if (!b && top) b = &empty;
    if (!a || !b || a->kind != b->kind || a->plain != b->plain) return false;
    if (a->kind == NODE_MAP) return same_maps(a, b, top);
    if (a->kind == NODE_SCALAR) return str_eq(a->text, b->text);
    for (size_t i = 0; i < a->n; i++) {
        if (i >= b->n || !same(a->values[i], b->values[i], false)) return false;
    }
    return a->n == b->n;
}

// What the tree of a text is once it is brought up to date in memory. problems: where errors go.
static bool tree_of(const struct rewrite *w, struct str text, struct arena *arena, struct conf_problems *problems,
                    struct conf_node **out_root) {
    struct conf_source *source = ARENA_NEW(arena, struct conf_source);
    if (!source) return false;
    *source = (struct conf_source){.name = w->name, .text = text, .layer = LAYER_FILE};
    *out_root = NULL;
    return conf_parse(source, arena, problems, out_root) && conf_migrate_tree_by(w->rules, out_root, arena, problems);
}

static bool verify(struct rewrite *w, const struct conf_source *source) {
    struct conf_problems problems;
    struct arena arena;
    struct conf_node *old, *new;
    int64_t version = 0;
    conf_problems_init(&problems);
    arena_init(&arena, NULL, 16384, ARENA_MAX);
    bool ok = tree_of(w, buf_str(&w->text), &arena, &problems, &new) && problems.list.n == 0 && problems.dropped == 0 &&
              conf_migrate_version(w->rules, new, &problems, &version) && version == w->rules->current &&
              tree_of(w, source->text, &arena, &problems, &old) && problems.errors == 0 && same(old, new, true);
    if (!ok) conf_problem_add(w->problems, CONF_ERROR, source, (struct conf_pos){0}, "%s", NOT_THE_SAME);
    arena_free(&arena);
    conf_problems_free(&problems);
    return ok;
}

// Warnings of a tree's migration are no news to who rewrites the text.
static bool check_old(struct rewrite *w, const struct conf_source *source, int64_t *out_version) {
    struct conf_problems problems;
    struct arena arena;
    struct conf_node *root = NULL;
    size_t before = w->problems->errors;
    conf_problems_init(&problems);
    arena_init(&arena, NULL, 16384, ARENA_MAX);
    bool ok = conf_parse(source, &arena, w->problems, &root) && w->problems->errors == before &&
              conf_migrate_version(w->rules, root, w->problems, out_version);
    if (ok && !conf_migrate_tree_by(w->rules, &root, &arena, &problems)) {
        for (size_t i = 0; i < problems.list.n; i++) {
            const struct conf_problem *p = &problems.list.p[i];
            if (p->severity == CONF_ERROR)
                conf_problem_add(w->problems, CONF_ERROR, source, p->pos, "%.*s", STR_ARG(p->message));
        }
        ok = false;
    }
    arena_free(&arena);
    conf_problems_free(&problems);
    return ok;
}

bool conf_migrate_text_by(const struct migrate_rules *rules, const struct conf_source *source,
                          struct conf_problems *problems, struct buf *out, int64_t *out_from) {
    struct rewrite w = {rules, problems, source->name, BUF_INIT(CONF_FILE_MAX), BUF_INIT(CONF_FILE_MAX)};
    int64_t version = 1;
    buf_put(&w.text, source->text);
    bool ok = check_old(&w, source, &version);
    for (size_t i = 0; ok && i < rules->n; i++) {
        if (version <= rules->p[i].version) ok = step(&w, &rules->p[i]);
    }
    if (ok && version < rules->current) ok = step(&w, NULL) && verify(&w, source);
    if (ok) buf_put(out, buf_str(&w.text));
    if (ok) *out_from = version;
    buf_free(&w.text);
    buf_free(&w.next);
    return ok;
}

bool conf_migrate_text(const struct conf_source *source, struct conf_problems *problems, struct buf *out,
                       int64_t *out_from) {
    return conf_migrate_text_by(&conf_migrate_rules, source, problems, out, out_from);
}
