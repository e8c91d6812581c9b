// Rows of entities as people read them: a table of many, a line a field of one.
#include "cli/resource.h"

#include "base/json_read.h"
#include "base/secret.h"
#include "cli/names.h"

#define ARENA_MAX ((size_t)256 << 20)
#define TEXT_MAX ((size_t)16 << 20)
#define PAGE 200
#define COLUMNS_MAX 8

// --- a table ---

// The fields of a table: what tells rows apart first.
static size_t columns_of(const struct cli_args *args, const struct entity *e, struct str *out) {
    size_t n = 0;
    struct str only = cli_value(args, CLI_FIELDS), one;
    if (!only.n) only = e->columns;
    if (only.n) {
        while (n < CLI_TABLE_COLUMNS && str_split(&only, ',', &one))
            if (str_trim(one).n) out[n++] = str_trim(one);
        return n;
    }
    if (e->called_by.n) out[n++] = e->called_by;
    for (size_t i = 0; i < e->n && n < COLUMNS_MAX; i++) {
        const struct entity_field *f = &e->fields[i];
        bool shown = !(f->flags & ENTITY_HIDDEN) && f->type != ENTITY_MAP && !str_eq(f->name, e->called_by);
        if (shown) out[n++] = f->name;
    }
    out[n++] = STR("id");
    return n;
}

struct listing {
    struct cli_api *api;
    const struct entity *e;
    struct arena arena;
    struct cli_names names;
    struct buf out;
    struct cli_table table;
    struct str fields[CLI_TABLE_COLUMNS];
    size_t n_fields, shown, limit;
};

// "2026-11-21T07:30:00.000Z" for people.
static struct str short_time(struct arena *a, struct str text) {
    int64_t ns;
    bool is = text.n == TIME_TEXT_LEN && text.p[10] == 'T' && time_parse(text, &ns);
    return is ? cli_time_short(a, ns) : text;
}

// What ids mean instead of them: "search" for a team_id, "user/ada@example.com" where it may be of several kinds.
static struct str cell_of(struct listing *l, struct str raw, struct str field) {
    struct str text = cli_json_text(&l->arena, raw, field), kind, name;
    if (str_eq(field, STR("id"))) return text;
    // Of a tenant's own, as it would be written.
    if (str_eq(field, STR("scope")) && str_starts(text, STR("tenant_"))) return STR("tenant");
    if (!cli_name_of(&l->names, text, &kind, &name)) return short_time(&l->arena, text);
    if (str_ends(field, STR("_id"))) return name;
    struct str both = arena_printf(&l->arena, "%.*s/%.*s", STR_ARG(kind), STR_ARG(name));
    return both.p ? both : text;
}

// Columns that have nothing to show in any row are left out.
static void drop_empty(struct cli_table *t, struct cli_column *columns) {
    bool used[CLI_TABLE_COLUMNS] = {false};
    size_t n = 0, rows = t->n / t->n_columns, to = 0;
    for (size_t i = 0; i < t->n; i++) used[i % t->n_columns] = used[i % t->n_columns] || t->cells[i].n;
    for (size_t i = 0; i < t->n; i++)
        if (used[i % t->n_columns]) t->cells[to++] = t->cells[i];
    for (size_t i = 0; i < t->n_columns; i++)
        if (used[i]) columns[n++] = columns[i];
    t->n_columns = n;
    t->n = rows * n;
}

static void list_row(struct listing *l, struct str raw) {
    struct str cells[CLI_TABLE_COLUMNS];
    l->shown++;
    if (cli_given(l->api->args, CLI_JSON)) {
        buf_put(&l->out, raw);
        buf_putc(&l->out, '\n');
        return;
    }
    for (size_t i = 0; i < l->n_fields; i++) cells[i] = cell_of(l, raw, l->fields[i]);
    cli_table_add(&l->table, cells);
}

// *out_cursor: of the next page; empty at the end.
static bool page_read(struct listing *l, struct str body, struct str *out_cursor) {
    struct json_reader r;
    enum json_kind kind;
    struct str data, raw;
    *out_cursor = arena_str(&l->arena, cli_json_text(&l->arena, body, STR("next_cursor")));
    if (!JSON_GET(body, &data, STR("data"))) return false;
    json_reader_init(&r, data, 0);
    if (!json_enter_array(&r)) return false;
    while (json_element(&r, &kind)) {
        if (!json_skip(&r, &raw)) return false;
        if (l->limit && l->shown == l->limit) {
            *out_cursor = STR("");
            return true;
        }
        list_row(l, raw);
    }
    return true;
}

static void put_parameter(struct buf *out, struct str name, struct str value) {
    if (!value.n) return;
    if (out->n) buf_putc(out, '&');
    cli_url_put(out, name);
    buf_putc(out, '=');
    cli_url_put(out, value);
}

static int list_query(const struct cli_args *args, size_t first, struct buf *out) {
    for (size_t i = first; i < args->n_operands; i++) {
        struct str word = str_c(args->operands[i]);
        size_t at = str_find(word, STR("="));
        if (at == word.n) {
            char what[200];
            snprintf(what, sizeof what, "\"%.*s\" is not FIELD=VALUE", (int)MIN(word.n, (size_t)80), word.p);
            return cli_fail(args->io, CLI_USAGE, what, NULL, "status=active");
        }
        put_parameter(out, str_head(word, at), str_from(word, at + 1));
    }
    put_parameter(out, STR("sort"), cli_value(args, CLI_SORT));
    put_parameter(out, STR("q"), cli_value(args, CLI_SEARCH));
    return CLI_OK;
}

static int list_pages(struct listing *l, struct str path, struct str filter) {
    struct str cursor = STR("");
    do {
        BUF_AUTO struct buf query = BUF_INIT(TEXT_MAX);
        struct cli_answer answer;
        buf_put(&query, filter);
        put_parameter(&query, STR("limit"), arena_printf(&l->arena, "%d", PAGE));
        put_parameter(&query, STR("cursor"), cursor);
        int code = cli_api_call(l->api, HTTP_GET, path, buf_str(&query), STR(""), &answer);
        bool read = code == CLI_OK && page_read(l, buf_str(&answer.body), &cursor);
        cli_answer_free(&answer);
        if (code != CLI_OK) return code;
        if (!read || l->out.failed || l->table.failed)
            return cli_fail(l->api->args->io, CLI_FAILED, "the answer is not a list", NULL, NULL);
    } while (cursor.n);
    return CLI_OK;
}

// "LAST USED AT" of last_used_at, "TEAM" of team_id.
static const char *title_of(struct arena *a, struct str field) {
    if (str_ends(field, STR("_id"))) field = str_head(field, field.n - 3);
    char *z = arena_alloc(a, field.n + 1);
    if (!z) return "";
    for (size_t i = 0; i < field.n; i++) {
        char c = field.p[i];
        z[i] = c == '_' ? ' ' : (char)(c >= 'a' && c <= 'z' ? c - 32 : c);
    }
    z[field.n] = '\0';
    return z;
}

int resource_list(struct cli_api *api, const struct entity *e, struct str path, size_t first) {
    const struct cli_args *args = api->args;
    BUF_AUTO struct buf filter = BUF_INIT(TEXT_MAX);
    struct cli_column columns[CLI_TABLE_COLUMNS];
    struct listing l = {.api = api, .e = e, .out = BUF_INIT(ARENA_MAX), .limit = cli_number(args, CLI_LIMIT, 0)};
    int code = list_query(args, first, &filter);
    if (code != CLI_OK) return code;
    arena_init(&l.arena, NULL, 0, ARENA_MAX);
    l.names = (struct cli_names){.api = api, .arena = &l.arena};
    l.n_fields = columns_of(args, e, l.fields);
    for (size_t i = 0; i < l.n_fields; i++)
        columns[i] = (struct cli_column){.title = title_of(&l.arena, l.fields[i]), .min = i ? 6 : 0};
    l.table = (struct cli_table){.columns = columns, .n_columns = l.n_fields, .arena = &l.arena};
    code = list_pages(&l, path, buf_str(&filter));
    if (code == CLI_OK) {
        if (l.table.n && !cli_given(args, CLI_FIELDS)) drop_empty(&l.table, columns);
        if (l.table.n) cli_table_print(&l.table, args->io, &l.out);
        code = cli_print(args->io, &l.out);
        if (!l.shown && !cli_given(args, CLI_JSON) && !cli_given(args, CLI_QUIET))
            fprintf(args->io->err, "There are no %.*s to show.\n", STR_ARG(e->plural));
    }
    buf_free(&l.out);
    cli_names_free(&l.names);
    arena_free(&l.arena);
    return code;
}

// --- one row ---

static void put_line(struct buf *out, struct cli_names *names, struct str name, struct str text) {
    struct str kind, called;
    if (!text.n) return;
    buf_printf(out, "%-20.*s  %.*s", STR_ARG(name), STR_ARG(text));
    bool own = str_eq(name, STR("id"));
    if (names && !own && cli_name_of(names, text, &kind, &called)) buf_printf(out, " (%.*s)", STR_ARG(called));
    buf_putc(out, '\n');
}

static int print_row(const struct cli_args *args, struct cli_api *api, struct str row) {
    BUF_AUTO struct buf out = BUF_INIT(ARENA_MAX);
    struct arena arena;
    struct json_reader r;
    struct str key, name, raw;
    enum json_kind kind;
    arena_init(&arena, NULL, 0, ARENA_MAX);
    struct cli_names names = {.api = api, .arena = &arena};
    if (cli_given(args, CLI_JSON)) {
        buf_put(&out, str_trim(row));
        buf_putc(&out, '\n');
    } else {
        json_reader_init(&r, row, 0);
        bool ok = json_enter_object(&r);
        while (ok && json_member(&r, &key, &kind)) {
            if (!json_skip(&r, &raw) || !json_string_text(key, &arena, &name)) break;
            put_line(&out, api ? &names : NULL, name, cli_json_text(&arena, row, name));
        }
    }
    int code = cli_print(args->io, &out);
    if (out.p) secret_wipe(out.p, out.n);
    cli_names_free(&names);
    arena_wipe_free(&arena);
    return code;
}

int resource_print(const struct cli_args *args, struct str row) { return print_row(args, NULL, row); }
int resource_show(struct cli_api *api, struct str row) { return print_row(api->args, api, row); }
