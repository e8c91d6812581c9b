// Lists the environment variable of each option.
#include "conf/opt_explain.h"
#include "conf/opt_text.h"

static void variables_put(const struct opt_table *table, const char *key, const char *variable, struct buf *out);

static void variable_row(const struct opt *opt, const char *key, const char *variable, struct buf *out) {
    buf_printf(out, "| `" OPT_VARIABLE_PREFIX "%s` | `%s` | ", variable, key);
    opt_type_put(out, opt);
    if (opt_has_items(opt)) buf_lit(out, ", as YAML");
    buf_lit(out, " | ");
    if (opt->def && *opt->def) buf_printf(out, "`%s`", opt->def);
    buf_lit(out, " |\n");
}

static void option_variables(const struct opt *opt, const char *key, const char *variable, struct buf *out) {
    char keys[256], names[256];
    if (opt_is_about_files(opt)) return;
    if (opt->type != OPT_STRUCT) variable_row(opt, key, variable, out);
    bool items = opt_has_items(opt);
    snprintf(keys, sizeof keys, "%s%s", key, items ? opt_item_text(opt) : "");
    snprintf(names, sizeof names, "%s%s%s", variable, items ? "__" : "", items ? opt_item_variable(opt) : "");
    if (opt->sub) variables_put(opt->sub, keys, names, out);
}

static void variables_put(const struct opt_table *table, const char *key, const char *variable, struct buf *out) {
    for (size_t i = 0; i < table->n; i++) {
        char keys[256];
        struct buf names = BUF_INIT(256);
        snprintf(keys, sizeof keys, "%s%s%s", key, *key ? "." : "", table->opts[i].name);
        buf_put(&names, str_c(variable));
        opt_variable_put(&names, table->opts[i].name);
        const char *name = buf_cstr(&names);
        if (name) option_variables(&table->opts[i], keys, name, out);
        buf_free(&names);
    }
}

void opt_variables(const struct opt_table *root, struct buf *out) {
    for (size_t i = 0; i < root->n; i++) {
        const struct opt *opt = &root->opts[i];
        if (opt_is_about_files(opt)) continue;
        const struct opt_table one = {.title = "", .opts = opt, .n = 1};
        buf_printf(out, "## `%s`\n\n| variable | option | value | default |\n|---|---|---|---|\n", opt->name);
        variables_put(&one, "", "", out);
        buf_putc(out, '\n');
    }
}
