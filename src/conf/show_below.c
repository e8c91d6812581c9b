// Says what the levels below a tenant, team or project make of a value that it has: inherit it, or set their own.
#include "conf/conf_tables.h"
#include "conf/show_impl.h"
#include "conf/tree.h"

#include "base/utf8.h"

#define BELOW_TEXT 20 // levels told; of more it is told how many
#define BELOW_JSON 100
#define TEXT_MAX ((size_t)1 << 20)

struct below {
    const struct conf_tenant *level;
    struct str label;
    const struct conf_tenant *from; // what decides: itself, another level below the one that is asked for, or that one
    const struct conf_node *node;   // what it sets; NULL: nothing in this value's place
};
struct belows {
    struct below list[BELOW_JSON];
    size_t n, more;
};

static bool is_below(const struct conf_tenant *level, const struct conf_tenant *top) {
    if (level == top) return false;
    while (level && level != top) level = level->up;
    return level;
}

// An item of a list or map goes before one of the same name as a whole.
static struct conf_path whole_of(const struct conf_path *path) {
    const struct opt *section = opt_get(&tenant_table, path->steps[0]);
    struct conf_path whole = *path;
    bool items = section && (section->type == OPT_LIST || section->type == OPT_MAP); // prices join amount by amount
    if (items && whole.n > 2) whole.n = 2;
    return whole;
}

static struct below below_of(struct show_walk *w, const struct conf_tenant *level, const struct conf_path *path) {
    struct conf_path whole = whole_of(path);
    struct below b = {.level = level, .label = show_level_label(level, w->arena), .from = level};
    if (level->of != w->tenant->of && level->kind != LEVEL_TENANT)
        b.label = arena_printf(w->arena, "%.*s of tenant %.*s", STR_ARG(b.label), STR_ARG(level->of->name));
    for (; b.from && b.from != w->tenant; b.from = b.from->up) {
        const struct opt_table *table = show_level_table(b.from->kind);
        const struct conf_node *node = show_level_node(w->conf, b.from);
        if (conf_node_is_null(conf_tree_get(table, node, &whole))) continue;
        b.node = conf_tree_get(table, node, path);
        break;
    }
    return b;
}

// What is no level's to inherit has no levels below.
static bool is_own(const struct conf_path *path) {
    static const char *const own[] = {"name", "parent", "team", "project", "teams", "projects", "keys"};
    for (size_t i = 0; i < ARRAY_LEN(own); i++)
        if (str_eq(path->steps[0], str_c(own[i]))) return true;
    return false;
}

static void belows_find(struct show_walk *w, const struct show_row *row, size_t most, struct belows *out) {
    struct conf_level_at at = {0};
    struct conf_path path;
    struct err err;
    out->n = out->more = 0;
    if (!conf_path_parse(row->path, w->arena, &path, &err) || is_own(&path)) return;
    for (const struct conf_tenant *t; (t = conf_level_next(w->conf, &at)) != NULL;) {
        if (!is_below(t, w->tenant)) continue;
        if (out->n < most)
            out->list[out->n++] = below_of(w, t, &path);
        else
            out->more++;
    }
}

static void value_put(struct show_walk *w, const struct show_row *row, const struct below *b, struct buf *out) {
    if (b->from == w->tenant) {
        buf_lit(out, "inherits\n");
        return;
    }
    if (b->node)
        opt_shown_yaml(out, opt_shown_node(row->opt, b->node, w->arena));
    else
        buf_lit(out, "none: an item of its own goes before it");
    if (b->from != b->level) buf_printf(out, " (from %.*s)", STR_ARG(show_level_label(b->from, w->arena)));
    if (b->from == b->level && b->node) {
        buf_lit(out, " (");
        show_node_put(out, w->conf, b->node);
        buf_putc(out, ')');
    }
    buf_putc(out, '\n');
}

void show_below_put(struct show_walk *w, const struct show_row *row, struct buf *out) {
    struct belows *b = ARENA_NEW(w->arena, struct belows);
    size_t width = 0;
    if (!b) {
        w->failed = true;
        return;
    }
    belows_find(w, row, BELOW_TEXT, b);
    if (b->n) buf_lit(out, "  below:\n");
    for (size_t i = 0; i < b->n; i++) width = MAX(width, utf8_count(b->list[i].label));
    for (size_t i = 0; i < b->n; i++) {
        buf_printf(out, "    %.*s", STR_ARG(b->list[i].label));
        for (size_t n = utf8_count(b->list[i].label); n < width + 2; n++) buf_putc(out, ' ');
        value_put(w, row, &b->list[i], out);
    }
    if (b->more) buf_printf(out, "    and %zu more\n", b->more);
}

void show_below_json(struct show_walk *w, const struct show_row *row, struct json_writer *j) {
    struct belows *all = ARENA_NEW(w->arena, struct belows);
    if (!all) {
        w->failed = true;
        return;
    }
    belows_find(w, row, BELOW_JSON, all);
    json_put_member_array(j, STR("below"));
    for (size_t i = 0; i < all->n; i++) {
        const struct below *b = &all->list[i];
        json_put_object(j);
        json_put_member_str(j, STR("level"), b->label);
        json_put_key(j, STR("value"));
        bool inherits = b->from == w->tenant;
        struct str from = inherits ? row->level : show_level_label(b->from, w->arena);
        if (b->node)
            opt_shown_json(j, opt_shown_node(row->opt, b->node, w->arena));
        else
            json_put_raw(j, inherits ? row->json : STR("null"));
        json_put_member_bool(j, STR("inherits"), inherits);
        if (from.n) json_put_member_str(j, STR("from"), from);
        if (b->node) show_node_json(j, w->conf, b->node);
        json_put_object_end(j);
    }
    json_put_array_end(j);
    if (all->more) json_put_member_u64(j, STR("more"), all->more);
}
