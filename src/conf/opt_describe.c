// Writes the reference of an option table as Markdown.
#include "conf/opt_impl.h"
#include "conf/opt_text.h"

#include "base/mem.h"

// A "|" would end the cell.
static void cell_put(struct buf *out, struct str text) {
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] == '|') buf_putc(out, '\\');
        buf_putc(out, text.p[i]);
    }
}

// Names that stand for themselves have no help, and a long list has a table of its own.
#define VALUES_MAX 8
static void values_put(struct buf *out, const struct opt *opt) {
    size_t n = 0;
    while (opt->values && opt->values[n].name) n++;
    if (!n || n > VALUES_MAX || !opt->values[0].help) return;
    for (size_t i = 0; i < n; i++) {
        buf_printf(out, "%s `%s`: ", i ? ";" : "", opt->values[i].name);
        cell_put(out, str_c(opt->values[i].help));
    }
    buf_putc(out, '.');
}

// A change applies at once unless it says otherwise.
static void apply_put(struct buf *out, const struct opt *opt) {
    bool leaf = opt->type != OPT_STRUCT && opt->type != OPT_STRUCT_MAP && opt->type != OPT_PROFILES;
    if (!leaf) return;
    if (!(opt->flags & OPT_RELOAD)) buf_lit(out, " *Needs a restart.*");
    if ((opt->flags & OPT_RELOAD) && (opt->flags & OPT_DRAIN)) buf_lit(out, " *Open connections keep the old value.*");
}

static void row_put(struct buf *out, const struct opt *opt) {
    struct buf limits = BUF_INIT(1024);
    buf_printf(out, "| `%s` | ", opt->name);
    opt_type_put(out, opt);
    buf_lit(out, " | ");
    if (opt->flags & OPT_REQUIRED)
        buf_lit(out, "**required**");
    else if (opt->def && *opt->def)
        buf_printf(out, "`%s`", opt->def);
    buf_lit(out, " | ");
    cell_put(out, str_c(opt->help));
    values_put(out, opt);
    opt_limits_put(&limits, opt);
    if (limits.n) buf_printf(out, " %s: %.*s.", opt_is_number(opt) ? "Range" : "Limits", STR_ARG(buf_str(&limits)));
    buf_free(&limits);
    if (opt->example) {
        buf_lit(out, " Example: `");
        cell_put(out, str_c(opt->example));
        buf_lit(out, "`.");
    }
    apply_put(out, opt);
    if (opt->since) buf_printf(out, " *Since %s.*", opt->since);
    if (opt->deprecated) buf_printf(out, " **Deprecated:** use %s.", opt->deprecated);
    buf_lit(out, " |\n");
}

#define SEEN_MAX 128
#define REPEATED_FROM 2 // tables so far in are not described twice

struct describing {
    struct buf *out;
    struct {
        const struct opt_table *table;
        char path[256];
    } seen[SEEN_MAX]; // where each table is described first
    size_t n;
};

static const char *seen_at(const struct describing *d, const struct opt_table *table) {
    for (size_t i = 0; i < d->n; i++)
        if (d->seen[i].table == table) return d->seen[i].path;
    return NULL;
}

static void see(struct describing *d, const struct opt_table *table, const char *path) {
    if (d->n == SEEN_MAX || seen_at(d, table)) return;
    d->seen[d->n].table = table;
    snprintf(d->seen[d->n++].path, sizeof d->seen[0].path, "%s", path);
}

// One sentence for all that stands elsewhere.
static void repeated_put(const struct describing *d, const struct opt_table *table) {
    bool any = false;
    for (size_t i = 0; i < table->n; i++) {
        const struct opt *opt = &table->opts[i];
        const char *path = opt->sub ? seen_at(d, opt->sub) : NULL;
        if (!path) continue;
        buf_printf(d->out, "%s`%s` has the options of `%s`", any ? ", " : "", opt->name, path);
        any = true;
    }
    if (any) buf_lit(d->out, ".\n\n");
}

static void table_put(struct describing *d, const struct opt_table *table, const char *path, unsigned depth) {
    struct buf *out = d->out;
    buf_printf(out, "| option | type | default | meaning |\n|---|---|---|---|\n");
    for (size_t i = 0; i < table->n; i++) row_put(out, &table->opts[i]);
    buf_putc(out, '\n');
    if (depth >= REPEATED_FROM) repeated_put(d, table);
    for (size_t i = 0; i < table->n; i++) {
        const struct opt *opt = &table->opts[i];
        if (!opt->sub || (depth >= REPEATED_FROM && seen_at(d, opt->sub))) continue;
        char below[256];
        snprintf(below, sizeof below, "%s%s%s%s", path, *path ? "." : "", opt->name,
                 opt->type == OPT_LIST         ? "[]"
                 : opt->type == OPT_STRUCT_MAP ? ".NAME"
                                               : "");
        see(d, opt->sub, below);
        buf_printf(out, "%.*s `%s`: %s\n\n", (int)MIN(depth + 2, 6U), "######", below, opt->sub->title);
        table_put(d, opt->sub, below, depth + 1);
    }
}

void opt_describe(const struct opt_table *table, struct buf *out) {
    struct describing *d = mem_zalloc(1, sizeof *d);
    if (!d) {
        out->failed = true;
        return;
    }
    d->out = out;
    table_put(d, table, "", 0);
    mem_free(d);
}
