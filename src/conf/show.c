// Prints the rows of a configuration as YAML, with or without sources, and as JSON.
#include "conf/show_impl.h"

#include "base/utf8.h"

#define ARENA_MAX ((size_t)256 << 20)
#define LINE_MAX ((size_t)4 << 20)
#define COLUMN_MAX 56 // where comments stand at most; a longer line has its own behind it

static void line_put(struct buf *out, const struct show_row *row) {
    unsigned depth = row->dash ? row->depth - 1 : row->depth;
    for (unsigned i = 0; i < depth; i++) buf_lit(out, "  ");
    if (row->dash) buf_lit(out, "- ");
    buf_put(out, row->key);
    if (row->key.n) buf_put(out, row->section ? STR(":") : STR(": "));
    buf_put(out, row->yaml);
}

// A section has a comment when it took the place of another.
static bool has_comment(const struct show_row *row) {
    if (row->section) return row->node && row->node->under;
    return row->opt != NULL;
}

static void lower_put(struct buf *out, const struct conf *c, const struct opt *opt, struct str level,
                      const struct conf_node *node, struct arena *a) {
    if (level.n) buf_printf(out, "%.*s (", STR_ARG(level));
    show_node_put(out, c, node);
    if (level.n) buf_putc(out, ')');
    buf_putc(out, ' ');
    opt_shown_yaml(out, opt_shown_node(opt, node, a));
}

static void comment_put(struct buf *out, const struct show_walk *w, const struct show_row *row) {
    bool any = false;
    buf_lit(out, "# ");
    show_origin_put(out, w->conf, row);
    for (const struct conf_node *u = row->node ? row->node->under : NULL; u; u = u->under) {
        buf_put(out, any ? STR(", ") : STR("; over: "));
        lower_put(out, w->conf, row->opt, STR_NONE, u, w->arena);
        any = true;
    }
    any = any && !row->within;
    for (const struct show_lower *l = row->lower; l; l = l->next) {
        buf_put(out, any ? STR(", ") : row->within ? STR("; within: ") : STR("; over: "));
        lower_put(out, w->conf, l->opt, l->level, l->node, w->arena);
        any = true;
    }
}

static void rows_put(const struct show_walk *w, size_t column, struct buf *out) {
    for (size_t i = 0; i < w->rows.n; i++) {
        const struct show_row *row = &w->rows.p[i];
        size_t start = out->n;
        line_put(out, row);
        if (column && has_comment(row) && !out->failed) {
            size_t width = utf8_count(str_from(buf_str(out), start));
            do {
                buf_putc(out, ' ');
            } while (++width < column);
            buf_putc(out, ' ');
            comment_put(out, w, row);
        }
        buf_putc(out, '\n');
    }
}

static size_t comment_column(const struct show_walk *w) {
    BUF_AUTO struct buf line = BUF_INIT(LINE_MAX);
    size_t column = 1;
    for (size_t i = 0; i < w->rows.n; i++) {
        buf_clear(&line);
        line_put(&line, &w->rows.p[i]);
        size_t width = utf8_count(buf_str(&line)) + 1;
        if (width > column && width <= COLUMN_MAX && has_comment(&w->rows.p[i])) column = width;
    }
    return column;
}

void show_begin(struct show_walk *w, struct arena *arena, const struct conf *c, const struct conf_show *how) {
    arena_init(arena, NULL, 16384, ARENA_MAX);
    *w = (struct show_walk){.conf = c, .how = how, .arena = arena, .path = BUF_INIT(65536)};
}

bool show_end(struct show_walk *w, const struct buf *out, bool ok, struct err *err) {
    vec_free(&w->rows);
    buf_free(&w->path);
    arena_free(w->arena);
    return ok && (!out->failed || err_no_memory(err));
}

bool conf_show_yaml(const struct conf *c, const struct conf_show *how, struct buf *out, struct err *err) {
    struct show_walk w;
    struct arena arena;
    show_begin(&w, &arena, c, how);
    bool ok = show_rows(&w, err);
    if (ok) rows_put(&w, how->sources ? comment_column(&w) : 0, out);
    return show_end(&w, out, ok, err);
}

// --- JSON ---

static void json_lower(struct json_writer *j, const struct show_walk *w, const struct opt *opt, struct str level,
                       const struct conf_node *node) {
    json_put_object(j);
    json_put_key(j, STR("value"));
    opt_shown_json(j, opt_shown_node(opt, node, w->arena));
    show_node_json(j, w->conf, node);
    if (level.n) json_put_member_str(j, STR("level"), level);
    json_put_object_end(j);
}

static void json_row(struct json_writer *j, const struct show_walk *w, const struct show_row *row) {
    json_put_object(j);
    json_put_member_str(j, STR("key"), row->path);
    json_put_member_raw(j, STR("value"), row->json);
    json_put_member_object(j, STR("source"));
    show_origin_json(j, w->conf, row);
    json_put_object_end(j);
    json_put_member_array(j, STR("overrides"));
    for (const struct conf_node *u = row->node ? row->node->under : NULL; u; u = u->under)
        json_lower(j, w, row->opt, STR_NONE, u);
    for (const struct show_lower *l = row->lower; l; l = l->next) json_lower(j, w, l->opt, l->level, l->node);
    json_put_array_end(j);
    json_put_member_raw(j, STR("default"), row->def);
    if (row->level.n) json_put_member_str(j, STR("level"), row->level);
    json_put_object_end(j);
    json_writer_done(j);
}

bool conf_show_json(const struct conf *c, const struct conf_show *how, struct buf *out, struct err *err) {
    struct show_walk w;
    struct arena arena;
    show_begin(&w, &arena, c, how);
    bool ok = show_rows(&w, err);
    for (size_t i = 0; ok && i < w.rows.n; i++) {
        struct json_writer j;
        if (w.rows.p[i].section || !w.rows.p[i].opt) continue;
        json_writer_init(&j, out);
        json_row(&j, &w, &w.rows.p[i]);
        buf_putc(out, '\n');
    }
    return show_end(&w, out, ok, err);
}
