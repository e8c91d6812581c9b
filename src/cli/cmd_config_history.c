// penstock config history: who changed the configuration when, and what.
#include "base/json_read.h"
#include "cli/commands.h"
#include "store/config_history.h"

#define TEXT_MAX ((size_t)256 << 20)
#define LIMIT_DEFAULT 30
#define KEYS_SHOWN 3

struct listing {
    struct cli_table table;
    struct buf *out;
    bool json;
};

struct change {
    struct str key, kind, before, after, apply;
};

static struct str decode(struct str raw, struct arena *a) {
    struct buf text = BUF_INIT(TEXT_MAX);
    struct str s = STR_NONE;
    if (raw.n && json_string_decode(raw, &text)) s = arena_str(a, buf_str(&text));
    buf_free(&text);
    return s;
}

// The next change of a list that conf_changes_json wrote.
static bool next_change(struct json_reader *r, struct arena *a, struct change *out) {
    struct str key, raw;
    enum json_kind kind;
    *out = (struct change){0};
    if (!json_element(r, &kind) || !json_enter_object(r)) return false;
    while (json_member(r, &key, &kind)) {
        if (kind != JSON_STRING || !json_string(r, &raw)) continue;
        if (json_string_eq(key, STR("key"))) out->key = decode(raw, a);
        if (json_string_eq(key, STR("change"))) out->kind = decode(raw, a);
        if (json_string_eq(key, STR("before"))) out->before = decode(raw, a);
        if (json_string_eq(key, STR("after"))) out->after = decode(raw, a);
        if (json_string_eq(key, STR("apply"))) out->apply = decode(raw, a);
    }
    return true;
}

static struct str summary(struct str changes, struct arena *a) {
    struct json_reader r;
    struct change change;
    struct buf text = BUF_INIT(4096);
    size_t n = 0;
    json_reader_init(&r, changes, 0);
    if (json_enter_array(&r))
        for (; next_change(&r, a, &change); n++)
            if (n < KEYS_SHOWN) buf_printf(&text, "%s%.*s", n ? ", " : "", STR_ARG(change.key));
    if (n > KEYS_SHOWN) buf_printf(&text, " and %zu more", n - KEYS_SHOWN);
    struct str s = arena_str(a, n ? buf_str(&text) : STR("-"));
    buf_free(&text);
    return s;
}

static void put_json(struct buf *out, struct arena *a, const struct config_version_row *row) {
    struct json_writer w;
    json_writer_init(&w, out);
    json_put_object(&w);
    json_put_member_i64(&w, STR("version"), row->version);
    json_put_member_str(&w, STR("at"), cli_time(a, row->at));
    json_put_member_str(&w, STR("actor"), row->actor);
    json_put_member_str(&w, STR("cause"), row->cause);
    json_put_member_str(&w, STR("file"), row->file);
    json_put_member_raw(&w, STR("changes"), row->changes.n ? str_trim(row->changes) : STR("[]"));
    json_put_object_end(&w);
    buf_putc(out, '\n');
}

static bool on_version(void *arg, const struct config_version_row *row, struct err *err) {
    struct listing *l = arg;
    struct arena *a = l->table.arena;
    if (l->json) {
        put_json(l->out, a, row);
        return !l->out->failed || err_no_memory(err);
    }
    const struct str cells[] = {arena_printf(a, "%lld", (long long)row->version), cli_time_short(a, row->at),
                                row->actor, row->cause, summary(row->changes, a)};
    cli_table_add(&l->table, cells);
    return !l->table.failed || err_no_memory(err);
}

static int list(const struct cli_args *args, struct cli_data *data, struct arena *a) {
    static const struct cli_column columns[] = {{.title = "VERSION", .right = true},
                                                {.title = "WHEN"},
                                                {.title = "WHO", .min = 12},
                                                {.title = "CAUSE"},
                                                {.title = "CHANGED", .min = 12}};
    BUF_AUTO struct buf out = BUF_INIT(TEXT_MAX);
    struct listing l = {.table = {.columns = columns, .n_columns = ARRAY_LEN(columns), .arena = a},
                        .out = &out,
                        .json = cli_given(args, CLI_JSON)};
    struct err err;
    if (!config_version_each(data->db, (size_t)cli_number(args, CLI_LIMIT, LIMIT_DEFAULT), on_version, &l, &err))
        return cli_fail_err(args->io, &err, "cannot read the history", NULL);
    if (!l.json) cli_table_print(&l.table, args->io, &out);
    return cli_print(args->io, &out);
}

static void put_version(struct buf *out, struct arena *a, const struct config_version_row *row) {
    struct json_reader r;
    struct change c;
    buf_printf(out, "Version %lld, %.*s, by %.*s (%.*s)\n", (long long)row->version,
               STR_ARG(cli_time_short(a, row->at)), STR_ARG(row->actor), STR_ARG(row->cause));
    json_reader_init(&r, row->changes, 0);
    if (!json_enter_array(&r)) return;
    while (next_change(&r, a, &c))
        buf_printf(out, "  %.*s: %.*s → %.*s%s\n", STR_ARG(c.key), STR_ARG(c.before.n ? c.before : STR("-")),
                   STR_ARG(c.after.n ? c.after : STR("-")),
                   str_eq(c.apply, STR("restart")) ? "   (needs a restart)" : "");
}

static int show(const struct cli_args *args, struct cli_data *data, struct arena *a) {
    BUF_AUTO struct buf out = BUF_INIT(TEXT_MAX);
    struct config_version_row row;
    struct err err;
    uint64_t version;
    if (!str_to_u64(str_c(args->operands[0]), &version) || version > INT64_MAX)
        return cli_fail(args->io, CLI_USAGE, "VERSION is a number", args->operands[0], "penstock config history");
    if (!config_version_find(data->db, &data->dir, (int64_t)version, a, &row, &err))
        return cli_fail_err(args->io, &err, "cannot read that version", "penstock config history");
    if (cli_given(args, CLI_JSON))
        put_json(&out, a, &row);
    else
        put_version(&out, a, &row);
    return cli_print(args->io, &out);
}

int cmd_config_history(const struct cli_args *args) {
    struct cli_data data;
    struct arena arena;
    int code = cli_data_open(args, false, &data);
    if (code != CLI_OK) return code;
    arena_init(&arena, NULL, 0, TEXT_MAX);
    code = args->n_operands ? show(args, &data, &arena) : list(args, &data, &arena);
    arena_wipe_free(&arena);
    cli_data_close(&data);
    return code;
}
