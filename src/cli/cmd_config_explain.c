// penstock config explain.
#include "cli/commands.h"
#include "cli/text.h"
#include "conf/conf.h"
#include "conf/opt_explain.h"
#include "conf/opt_text.h"

#define TEXT_MAX ((size_t)1024 * 1024)
#define LABEL_INDENT 2
#define TEXT_INDENT 15

struct page {
    struct buf *out;
    const struct opt_facts *facts;
    bool color;
};

static void put_bold(const struct page *p, const char *text) {
    buf_printf(p->out, "%s%s%s", p->color ? "\x1b[1m" : "", text, p->color ? "\x1b[0m" : "");
}

static void put_spaces(struct buf *out, size_t n) {
    while (n-- > 0) buf_putc(out, ' ');
}

// Markdown's backticks become quotation marks; each line after the first is indented.
static void put_wrapped(const struct page *p, struct str text, size_t indent, size_t column) {
    BUF_AUTO struct buf plain = BUF_INIT(TEXT_MAX);
    for (size_t i = 0; i < text.n; i++) buf_putc(&plain, text.p[i] == '`' ? '"' : text.p[i]);
    if (plain.failed) p->out->failed = true;
    cli_wrap(p->out, buf_str(&plain), indent, &column);
    buf_putc(p->out, '\n');
}

static void put_paragraph(const struct page *p, const char *text) {
    put_spaces(p->out, LABEL_INDENT);
    put_wrapped(p, str_c(text), LABEL_INDENT, LABEL_INDENT);
}

// "  Default      32 MiB"
static void put_fact(const struct page *p, const char *label, struct str text) {
    if (!text.n) return;
    put_spaces(p->out, LABEL_INDENT);
    put_bold(p, label);
    put_spaces(p->out, TEXT_INDENT - LABEL_INDENT - strlen(label));
    put_wrapped(p, text, TEXT_INDENT, TEXT_INDENT);
}

static void put_heading(const struct page *p, const char *text) {
    buf_putc(p->out, '\n');
    put_spaces(p->out, LABEL_INDENT);
    put_bold(p, text);
    buf_putc(p->out, '\n');
}

// "    name            text": the text starts in the same column on each line, or below a name that is too long.
static void put_row(const struct page *p, struct str name, const char *text) {
    size_t indent = LABEL_INDENT + 2, start = 24, column = indent + name.n;
    put_spaces(p->out, indent);
    buf_put(p->out, name);
    if (!text || !*text) {
        buf_putc(p->out, '\n');
        return;
    }
    if (column + 2 > start) {
        buf_putc(p->out, '\n');
        column = 0;
    }
    put_spaces(p->out, start - column);
    put_wrapped(p, str_c(text), start, start);
}

static void put_type(const struct page *p) {
    const struct opt_facts *f = p->facts;
    char text[512];
    const char *how = f->item ? "" : opt_writing(f->opt->type);
    struct str type = f->opt->type == OPT_ENUM ? STR("one of the values below") : f->type;
    snprintf(text, sizeof text, "%s%.*s%s%s", f->item ? "an entry of a " : "", STR_ARG(type), *how ? ", written " : "",
             how);
    put_fact(p, "Type", str_c(text));
}

static void put_default(const struct page *p) {
    const struct opt *opt = p->facts->opt;
    if (p->facts->item) return;
    if (opt->flags & OPT_REQUIRED)
        put_fact(p, "Default", STR("none: it is required"));
    else if (opt->def && *opt->def)
        put_fact(p, "Default", str_c(opt->def));
    else if (opt_is_number(opt) || opt->type == OPT_STR || opt->type == OPT_SECRET)
        put_fact(p, "Default", STR("not set"));
    else if (opt->type == OPT_BOOL)
        put_fact(p, "Default", STR("false"));
}

static void put_facts(const struct page *p) {
    const struct opt_facts *f = p->facts;
    char text[512];
    put_type(p);
    put_default(p);
    if (!f->item) put_fact(p, opt_is_number(f->opt) ? "Range" : "Limits", f->limits);
    if (opt_is_secret(f->opt)) put_fact(p, "Secret", STR("yes: it is never shown; best given as a reference"));
    if (f->opt->type != OPT_STRUCT) put_fact(p, "Change", str_c(opt_apply_text(f->opt)));
    put_fact(p, "Since", str_c(opt_since(f->opt)));
    put_fact(p, "Variable", f->variable);
    if (!f->opt->deprecated) return;
    snprintf(text, sizeof text, "yes: use %s", f->opt->deprecated);
    put_fact(p, "Deprecated", str_c(text));
}

static void put_values(const struct page *p) {
    if (p->facts->opt->type != OPT_ENUM) return;
    put_heading(p, "Values");
    for (const struct opt_enum *e = p->facts->opt->values; e->name; e++) put_row(p, str_c(e->name), e->help);
}

static void put_example(const struct page *p) {
    struct str rest = p->facts->example, line;
    if (!rest.n) return;
    put_heading(p, "Example");
    while (rest.p && str_split(&rest, '\n', &line)) buf_printf(p->out, "    %.*s\n", STR_ARG(line));
}

static void put_options(const struct page *p) {
    const struct opt_table *table = p->facts->below;
    if (!table) return;
    char heading[512];
    struct str prefix = p->facts->below_key;
    snprintf(heading, sizeof heading, "Options%s%.*s", prefix.n ? " of " : "", (int)(prefix.n ? prefix.n - 1 : 0),
             prefix.n ? prefix.p : "");
    put_heading(p, heading);
    for (size_t i = 0; i < table->n; i++) put_row(p, str_c(table->opts[i].name), table->opts[i].help);
}

static void put_related(const struct page *p) {
    size_t column = LABEL_INDENT + 2;
    if (!p->facts->n_related) return;
    put_heading(p, p->facts->opt->see ? "See also" : "Beside it");
    put_spaces(p->out, column);
    for (size_t i = 0; i < p->facts->n_related; i++) {
        char word[512];
        bool last = i + 1 == p->facts->n_related;
        snprintf(word, sizeof word, "%.*s%s", STR_ARG(p->facts->related[i]), last ? "" : ",");
        cli_wrap(p->out, str_c(word), LABEL_INDENT + 2, &column);
    }
    buf_putc(p->out, '\n');
}

static void put_page(const struct page *p) {
    const struct opt_facts *f = p->facts;
    char key[512];
    snprintf(key, sizeof key, "%.*s", STR_ARG(f->key));
    put_bold(p, f->opt ? key : "The configuration");
    buf_putc(p->out, '\n');
    if (f->opt) {
        put_paragraph(p, f->opt->help);
        buf_putc(p->out, '\n');
        put_facts(p);
        put_values(p);
        put_example(p);
    }
    put_options(p);
    put_related(p);
}

// --- As JSON --------------------------------------------------------------------------------------------------------

static void json_text(struct json_writer *w, struct str key, struct str text) {
    if (text.n)
        json_put_member_str(w, key, text);
    else
        json_put_member_null(w, key);
}

static void json_lists(struct json_writer *w, const struct opt_facts *f) {
    json_put_member_array(w, STR("values"));
    for (const struct opt_enum *e = f->opt ? f->opt->values : NULL; e && e->name; e++) {
        json_put_object(w);
        json_put_member_str(w, STR("name"), str_c(e->name));
        json_text(w, STR("help"), str_c(e->help));
        json_put_object_end(w);
    }
    json_put_array_end(w);
    json_put_member_array(w, STR("options"));
    for (size_t i = 0; f->below && i < f->below->n; i++) {
        char name[256];
        snprintf(name, sizeof name, "%.*s%s", STR_ARG(f->below_key), f->below->opts[i].name);
        json_put_object(w);
        json_put_member_str(w, STR("key"), str_c(name));
        json_put_member_str(w, STR("help"), str_c(f->below->opts[i].help));
        json_put_object_end(w);
    }
    json_put_array_end(w);
    json_put_member_array(w, STR("related"));
    for (size_t i = 0; i < f->n_related; i++) json_put_str(w, f->related[i]);
    json_put_array_end(w);
}

static void put_json(struct buf *out, const struct opt_facts *f) {
    struct json_writer w;
    json_writer_init(&w, out);
    json_put_object(&w);
    json_put_member_str(&w, STR("key"), f->key);
    if (f->opt) {
        json_put_member_str(&w, STR("help"), str_c(f->opt->help));
        json_put_member_str(&w, STR("type"), f->type);
        json_put_member_bool(&w, STR("item"), f->item);
        json_put_member_bool(&w, STR("required"), (f->opt->flags & OPT_REQUIRED) != 0);
        json_put_member_bool(&w, STR("secret"), opt_is_secret(f->opt));
        json_text(&w, STR("default"), f->item ? STR_NONE : str_c(f->opt->def));
        json_text(&w, STR("limits"), f->item ? STR_NONE : f->limits);
        json_text(&w, STR("apply"), f->opt->type == OPT_STRUCT ? STR_NONE : str_c(opt_apply_name(f->opt)));
        json_put_member_str(&w, STR("since"), str_c(opt_since(f->opt)));
        json_text(&w, STR("deprecated"), str_c(f->opt->deprecated));
        json_text(&w, STR("variable"), f->variable);
        json_text(&w, STR("example"), f->example);
    }
    json_lists(&w, f);
    json_put_object_end(&w);
    json_writer_done(&w);
    buf_putc(out, '\n');
}

static int explain(const struct cli_args *args, struct arena *arena) {
    struct opt_facts facts;
    struct str near;
    struct err err;
    BUF_AUTO struct buf out = BUF_INIT(TEXT_MAX);
    if (!opt_explain(&conf_table, str_c(args->operands[0]), arena, &facts, &near, &err)) {
        char next[512];
        snprintf(next, sizeof next, "penstock config explain %.*s", STR_ARG(near));
        err.code = ERR_NOT_FOUND;
        return cli_fail_err(args->io, &err, "there is no such option", near.n ? next : "penstock config docs");
    }
    struct page page = {.out = &out, .facts = &facts, .color = args->io->color_out};
    if (cli_given(args, CLI_JSON))
        put_json(&out, &facts);
    else
        put_page(&page);
    return cli_print(args->io, &out);
}

int cmd_config_explain(const struct cli_args *args) {
    struct arena arena;
    arena_init(&arena, NULL, 0, TEXT_MAX);
    int code = explain(args, &arena);
    arena_free(&arena);
    return code;
}
