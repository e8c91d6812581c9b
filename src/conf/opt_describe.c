// Writes the reference of an option table as Markdown.
#include "conf/opt_impl.h"

static void type_put(struct buf *out, const struct opt *opt) {
    static const char *const names[] = {
        [OPT_BOOL] = "true or false",
        [OPT_INT] = "number",
        [OPT_SIZE] = "size",
        [OPT_DURATION] = "duration",
        [OPT_DECIMAL] = "amount",
        [OPT_STR] = "text",
        [OPT_SECRET] = "secret",
        [OPT_ENUM] = NULL,
        [OPT_STRUCT] = "map of options",
        [OPT_LIST] = "list",
        [OPT_STRS] = "list of texts",
        [OPT_MAP] = "map of texts",
        [OPT_STRUCT_MAP] = "map, by name",
    };
    if (opt->type != OPT_ENUM) {
        buf_put(out, str_c(names[opt->type]));
        return;
    }
    for (const struct opt_enum *e = opt->values; e->name; e++)
        buf_printf(out, "%s`%s`", e == opt->values ? "" : ", ", e->name);
}

static bool is_number(const struct opt *opt) {
    return opt->type == OPT_INT || opt->type == OPT_SIZE || opt->type == OPT_DURATION || opt->type == OPT_DECIMAL;
}

// A "|" would end the cell.
static void cell_put(struct buf *out, struct str text) {
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] == '|') buf_putc(out, '\\');
        buf_putc(out, text.p[i]);
    }
}

static void row_put(struct buf *out, const struct opt *opt) {
    buf_printf(out, "| `%s` | ", opt->name);
    type_put(out, opt);
    buf_lit(out, " | ");
    if (opt->flags & OPT_REQUIRED)
        buf_lit(out, "**required**");
    else if (opt->def && *opt->def)
        buf_printf(out, "`%s`", opt->def);
    buf_lit(out, " | ");
    cell_put(out, str_c(opt->help));
    if (is_number(opt) && (opt->min || opt->max)) {
        buf_lit(out, " Range: ");
        opt_range_put(out, opt);
        buf_putc(out, '.');
    }
    if (opt->example) {
        buf_lit(out, " Example: `");
        cell_put(out, str_c(opt->example));
        buf_lit(out, "`.");
    }
    bool leaf = opt->type != OPT_STRUCT && opt->type != OPT_LIST && opt->type != OPT_STRUCT_MAP;
    if (leaf && !(opt->flags & OPT_RELOAD)) buf_lit(out, " *Needs a restart.*");
    buf_lit(out, " |\n");
}

static void table_put(struct buf *out, const struct opt_table *table, const char *path, unsigned depth) {
    buf_printf(out, "| option | type | default | meaning |\n|---|---|---|---|\n");
    for (size_t i = 0; i < table->n; i++) row_put(out, &table->opts[i]);
    buf_putc(out, '\n');
    for (size_t i = 0; i < table->n; i++) {
        const struct opt *opt = &table->opts[i];
        if (!opt->sub) continue;
        char below[256];
        snprintf(below, sizeof below, "%s%s%s%s", path, *path ? "." : "", opt->name,
                 opt->type == OPT_LIST         ? "[]"
                 : opt->type == OPT_STRUCT_MAP ? ".NAME"
                                               : "");
        buf_printf(out, "%.*s `%s`: %s\n\n", (int)MIN(depth + 2, 6U), "######", below, opt->sub->title);
        table_put(out, opt->sub, below, depth + 1);
    }
}

void opt_describe(const struct opt_table *table, struct buf *out) { table_put(out, table, "", 0); }
