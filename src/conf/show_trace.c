// Shows the way of a value through the layers.
#include "conf/show_impl.h"
#include "conf/tree.h"

#include "base/utf8.h"

#define TEXT_MAX ((size_t)1 << 20)

struct step {
    struct str origin; // as text
    struct str yaml, json;
    const struct conf_node *node; // NULL: the default, or what follows from others
    struct str level;
    bool wins, derived, inherits;
};
struct steps {
    VEC(struct step) list;
    struct show_walk *walk;
    bool failed;
};

static struct str origin_of(struct steps *s, struct str level, const struct conf_node *node) {
    BUF_AUTO struct buf text = BUF_INIT(TEXT_MAX);
    if (level.n) buf_printf(&text, "%.*s (", STR_ARG(level));
    show_node_put(&text, s->walk->conf, node);
    if (level.n) buf_putc(&text, ')');
    return arena_str(s->walk->arena, buf_str(&text));
}

static void step_push(struct steps *s, struct step step) {
    if (!vec_push(&s->list, step)) s->failed = true;
}

static void step_node(struct steps *s, const struct opt *opt, const struct conf_node *node, struct str level) {
    BUF_AUTO struct buf yaml = BUF_INIT(TEXT_MAX), json = BUF_INIT(TEXT_MAX);
    struct opt_shown shown = opt_shown_node(opt, node, s->walk->arena);
    struct json_writer j;
    json_writer_init(&j, &json);
    opt_shown_yaml(&yaml, shown);
    opt_shown_json(&j, shown);
    if (conf_node_is_null(node)) buf_lit(&yaml, " (taken away)");
    step_push(s, (struct step){.origin = origin_of(s, level, node),
                               .yaml = arena_str(s->walk->arena, buf_str(&yaml)),
                               .json = arena_str(s->walk->arena, buf_str(&json)),
                               .node = node,
                               .level = level});
}

// A live change takes a value away by leaving nothing of it: what there was is still in the tree below.
static void steps_taken_live(struct steps *s, const struct show_row *row) {
    struct conf_path path;
    struct err err;
    const struct conf *c = s->walk->conf;
    if (row->node || s->walk->how->tenant.n || !conf_path_parse(row->path, s->walk->arena, &path, &err)) return;
    const struct conf_node *node = conf_tree_get(&conf_table, c->base, &path);
    if (!node) return;
    step_push(s, (struct step){.origin = STR("live change"), .yaml = STR("null (taken away)"), .json = STR("null")});
    for (; node; node = node->under) step_node(s, row->opt, node, STR_NONE);
}

// The levels between the one that is asked for and the one that decides.
static void steps_inherit(struct steps *s, const struct show_row *row) {
    for (const struct conf_tenant *t = s->walk->tenant; t; t = t->up) {
        struct str label = show_level_label(t, s->walk->arena);
        if (str_eq(label, row->level)) break;
        step_push(s,
                  (struct step){
                      .origin = label, .yaml = STR("inherits"), .json = row->json, .level = label, .inherits = true});
    }
}

// From the top down, the default last.
static void steps_make(struct steps *s, const struct show_row *row) {
    const struct conf_node *u = row->node;
    s->list.n = 0;
    steps_inherit(s, row);
    size_t first = s->list.n;
    if (row->origin == FROM_RULE) {
        step_push(s,
                  (struct step){
                      .origin = row->rule, .yaml = row->yaml, .json = row->json, .level = row->level, .derived = true});
    } else if (row->origin == FROM_NODE) {
        step_push(s, (struct step){.origin = origin_of(s, row->level, u),
                                   .yaml = row->yaml,
                                   .json = row->json,
                                   .node = u,
                                   .level = row->level});
        u = u->under;
    }
    bool won = s->list.n > first;
    if (won) s->list.p[first].wins = true;
    for (; u; u = u->under) step_node(s, row->opt, u, row->level);
    for (const struct show_lower *l = row->lower; l; l = l->next) {
        size_t top = s->list.n;
        for (u = l->node; u; u = u->under) step_node(s, l->opt, u, l->level);
        if (row->within && s->list.n > top) s->list.p[top].wins = true; // it holds too
    }
    steps_taken_live(s, row);
    step_push(s, (struct step){.origin = STR("default"), .yaml = row->def_yaml, .json = row->def, .wins = !won});
}

static void steps_put(const struct steps *s, const struct show_row *row, struct buf *out) {
    size_t width = 0;
    for (size_t i = 0; i < s->list.n; i++) width = MAX(width, utf8_count(s->list.p[i].origin));
    buf_printf(out, "%.*s\n", STR_ARG(row->path));
    for (size_t i = s->list.n; i-- > 0;) {
        const struct step *step = &s->list.p[i];
        buf_printf(out, "  %s %.*s", step->wins ? "*" : " ", STR_ARG(step->origin));
        for (size_t n = utf8_count(step->origin); n < width + 2; n++) buf_putc(out, ' ');
        buf_printf(out, "%.*s\n", STR_ARG(step->yaml));
    }
    if (s->walk->tenant) show_below_put(s->walk, row, out);
}

static void steps_json(const struct steps *s, const struct show_row *row, struct buf *out) {
    struct json_writer j;
    json_writer_init(&j, out);
    json_put_object(&j);
    json_put_member_str(&j, STR("key"), row->path);
    json_put_member_array(&j, STR("steps"));
    for (size_t i = s->list.n; i-- > 0;) {
        const struct step *step = &s->list.p[i];
        json_put_object(&j);
        json_put_member_raw(&j, STR("value"), step->json);
        if (step->inherits) {
            json_put_member_bool(&j, STR("inherits"), true);
        } else if (step->node) {
            show_node_json(&j, s->walk->conf, step->node);
        } else {
            bool live = !step->derived && i + 1 < s->list.n;
            json_put_member_str(&j, STR("layer"), step->derived ? STR("derived") : live ? STR("live") : STR("default"));
            if (step->derived) json_put_member_str(&j, STR("name"), step->origin);
        }
        if (step->level.n) json_put_member_str(&j, STR("level"), step->level);
        json_put_member_bool(&j, STR("wins"), step->wins);
        json_put_object_end(&j);
    }
    json_put_array_end(&j);
    if (s->walk->tenant) show_below_json(s->walk, row, &j);
    json_put_object_end(&j);
    json_writer_done(&j);
    buf_putc(out, '\n');
}

typedef void steps_fn(const struct steps *s, const struct show_row *row, struct buf *out);

static bool trace_mode(const struct conf *c, const struct conf_show *how, steps_fn *put, struct buf *out, size_t *out_n,
                       struct err *err) {
    struct show_walk w;
    struct arena arena;
    show_begin(&w, &arena, c, how);
    struct steps s = {.walk = &w};
    bool ok = show_rows(&w, err);
    *out_n = 0;
    for (size_t i = 0; ok && i < w.rows.n; i++) {
        const struct show_row *row = &w.rows.p[i];
        if (!row->opt || row->section) continue;
        ++*out_n;
        steps_make(&s, row);
        put(&s, row, out);
        if (s.failed || w.failed) ok = err_no_memory(err);
    }
    vec_free(&s.list);
    return show_end(&w, out, ok, err);
}

static bool trace(const struct conf *c, const struct conf_show *of, steps_fn *put, struct buf *out, struct err *err) {
    struct conf_show how = *of;
    size_t n;
    how.what = SHOW_SET;
    if (!trace_mode(c, &how, put, out, &n, err)) return false;
    if (n) return true;
    how.what = SHOW_EFFECTIVE;
    if (!trace_mode(c, &how, put, out, &n, err)) return false;
    return n || err_set(err, ERR_NOT_FOUND, "there is nothing of the name \"%.*s\"", STR_ARG(str_head(of->key, 100)));
}

bool conf_trace(const struct conf *c, const struct conf_show *of, struct buf *out, struct err *err) {
    return trace(c, of, steps_put, out, err);
}

bool conf_trace_json(const struct conf *c, const struct conf_show *of, struct buf *out, struct err *err) {
    return trace(c, of, steps_json, out, err);
}
