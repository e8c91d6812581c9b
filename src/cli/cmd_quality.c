// penstock quality: what scored answers were found to be worth, and what was wrong with them.
#include "base/json_csv.h"
#include "base/json_read.h"
#include "base/text.h"
#include "cli/api_client.h"
#include "cli/commands.h"

#define ARENA_MAX ((size_t)64 << 20)
#define TEXT_MAX ((size_t)1 << 20)
#define LIMIT_MAX 1000 // as the API has it

enum { NAME, ANSWERS, SCORE, FAULTS, JUDGES, USERS, COLUMNS };
static const struct cli_column k_columns[COLUMNS] = {
    [NAME] = {.title = "", .min = 12},
    [ANSWERS] = {.title = "ANSWERS", .right = true},
    [SCORE] = {.title = "SCORE", .right = true},
    [FAULTS] = {.title = "FAULTS", .min = 12},
    [JUDGES] = {.title = "JUDGES"},
    [USERS] = {.title = "USERS"},
};
static const struct {
    const char *name, *title;
} k_groups[] = {{"model", "MODEL"},    {"provider", "PROVIDER"}, {"upstream_model", "UPSTREAM MODEL"},
                {"target", "TARGET"},  {"task", "TASK"},         {"day", "DAY (UTC)"},
                {"hour", "HOUR (UTC)"}};

struct report {
    const struct cli_args *args;
    struct arena a;
    struct buf out, line; // the answer; an object of CSV
    struct cli_table table;
    struct str by;
    bool csv, jsonl;
};

// --- a row ---

static struct str or_dash(struct str text) { return text.n ? text : STR("-"); }

// "schema 3, empty 1": those that were found.
static struct str faults_text(struct report *r, struct str row) {
    struct str faults, key, name, raw, out = STR("");
    struct json_reader reader;
    enum json_kind kind;
    int64_t n;
    if (!JSON_GET(row, &faults, STR("faults"))) return STR("-");
    json_reader_init(&reader, faults, 0);
    bool ok = json_enter_object(&reader);
    while (ok && json_member(&reader, &key, &kind) && json_skip(&reader, &raw)) {
        if (!json_raw_i64(raw, &n) || n <= 0 || !json_string_text(key, &r->a, &name)) continue;
        out = arena_printf(&r->a, "%.*s%s%.*s %.*s", STR_ARG(out), out.n ? ", " : "", STR_ARG(name),
                           STR_ARG(cli_count_text(&r->a, (uint64_t)n)));
    }
    return or_dash(out);
}

// "0.812 of 40".
static struct str said(struct report *r, struct str row, const char *score, const char *count) {
    struct str mean = cli_json_text(&r->a, row, str_c(score));
    if (!mean.n) return STR("-");
    return arena_printf(&r->a, "%.*s of %.*s", STR_ARG(mean), STR_ARG(cli_json_text(&r->a, row, str_c(count))));
}

static struct str name_of(struct report *r, struct str row) {
    struct str name = cli_json_text(&r->a, row, r->by);
    bool day = str_eq(r->by, STR("day")), hour = str_eq(r->by, STR("hour"));
    if (!name.n) return STR("(none)");
    if (day) return str_head(name, 10);
    return hour ? arena_printf(&r->a, "%.*s:00", STR_ARG(str_head(name, 13))) : name;
}

static void add_row(struct report *r, struct str row) {
    const struct str cells[COLUMNS] = {[NAME] = name_of(r, row),
                                       [ANSWERS] = cli_json_text(&r->a, row, STR("answers")),
                                       [SCORE] = or_dash(cli_json_text(&r->a, row, STR("score"))),
                                       [FAULTS] = faults_text(r, row),
                                       [JUDGES] = said(r, row, "judge_score", "judged"),
                                       [USERS] = said(r, row, "feedback_score", "feedbacks")};
    cli_table_add(&r->table, cells);
}

// Of the faults, a column each.
static void put_flat(struct json_writer *w, struct str object) {
    struct json_reader reader;
    enum json_kind kind;
    struct str key, raw;
    json_reader_init(&reader, object, 0);
    bool ok = json_enter_object(&reader);
    while (ok && json_member(&reader, &key, &kind) && json_skip(&reader, &raw)) {
        if (kind == JSON_OBJECT)
            put_flat(w, raw);
        else
            json_put_member_raw(w, str_from(str_head(key, key.n - 1), 1), raw);
    }
}

static bool put_csv(struct report *r, struct str row) {
    struct json_writer w;
    buf_clear(&r->line);
    json_writer_init(&w, &r->line);
    json_put_object(&w);
    put_flat(&w, row);
    json_put_object_end(&w);
    bool named = r->out.n || json_csv_names(&r->out, buf_str(&r->line));
    return named && json_csv_row(&r->out, buf_str(&r->line));
}

static bool put_row(struct report *r, struct str row) {
    if (r->csv) return put_csv(r, row);
    if (r->jsonl) {
        buf_put(&r->out, row);
        buf_putc(&r->out, '\n');
    } else {
        add_row(r, row);
    }
    return true;
}

static int print(struct report *r, struct str answer) {
    struct cli_column columns[COLUMNS];
    struct json_reader reader;
    enum json_kind kind;
    struct str data, raw;
    memcpy(columns, k_columns, sizeof columns);
    for (size_t i = 0; i < ARRAY_LEN(k_groups); i++)
        if (str_eq(r->by, str_c(k_groups[i].name))) columns[NAME].title = k_groups[i].title;
    r->table = (struct cli_table){.columns = columns, .n_columns = COLUMNS, .arena = &r->a};
    if (JSON_GET(answer, &data, STR("data"))) {
        json_reader_init(&reader, data, 0);
        bool ok = json_enter_array(&reader);
        while (ok && json_element(&reader, &kind) && json_skip(&reader, &raw))
            if (!put_row(r, raw))
                return cli_fail(r->args->io, CLI_FAILED, "a row cannot be written as CSV", NULL, NULL);
    }
    if (r->table.n) cli_table_print(&r->table, r->args->io, &r->out);
    if (!r->out.n && !r->csv && !r->jsonl && !cli_given(r->args, CLI_QUIET))
        fputs("No answers were scored. Which are: `routing.quality` and the strategies that go by quality.\n",
              r->args->io->err);
    return cli_print(r->args->io, &r->out);
}

// --- what is asked ---

static void put_text(struct buf *query, const char *name, struct str value) {
    if (!value.n) return;
    buf_printf(query, "%s%s=", query->n ? "&" : "", name);
    cli_url_put(query, value);
}

static bool put_time(struct report *r, struct buf *query, const char *name, enum cli_option_id id) {
    char text[TIME_TEXT_LEN];
    int64_t at;
    if (!cli_when_option(r->args, id, true, 0, &at)) return false;
    if (!cli_given(r->args, id)) return true;
    time_text(text, at);
    put_text(query, name, str_of(text, sizeof text));
    return true;
}

static bool read_format(struct report *r, int *out_code) {
    const struct cli_args *args = r->args;
    struct str format = cli_value(args, CLI_FORMAT);
    r->csv = str_eq(format, STR("csv"));
    r->jsonl = cli_given(args, CLI_JSON) || str_eq(format, STR("jsonl"));
    *out_code = CLI_OK;
    if (format.n && !r->csv && !r->jsonl)
        *out_code =
            cli_fail(args->io, CLI_USAGE, "quality is written as jsonl or csv", NULL, "penstock quality --format csv");
    else if (r->csv && cli_given(args, CLI_JSON))
        *out_code = cli_fail(args->io, CLI_USAGE, "--json and --format csv exclude each other", NULL, NULL);
    return *out_code == CLI_OK;
}

static int read_arguments(struct report *r, struct buf *query) {
    const struct cli_args *args = r->args;
    bool known = !cli_given(args, CLI_BY);
    uint64_t limit = cli_number(args, CLI_LIMIT, LIMIT_MAX);
    int code;
    r->by = cli_given(args, CLI_BY) ? cli_value(args, CLI_BY) : STR("model");
    for (size_t i = 0; i < ARRAY_LEN(k_groups); i++) known |= str_eq(r->by, str_c(k_groups[i].name));
    if (!known)
        return cli_fail(args->io, CLI_USAGE, "quality is not added up by that",
                        "it is by model, provider, upstream_model, target, task, day or hour",
                        "penstock quality --help");
    if (!read_format(r, &code)) return code;
    put_text(query, "by", r->by);
    put_text(query, "model", cli_value(args, CLI_MODEL));
    put_text(query, "provider", cli_value(args, CLI_PROVIDER));
    put_text(query, "task", cli_value(args, CLI_TASK));
    if (!put_time(r, query, "since", CLI_SINCE) || !put_time(r, query, "until", CLI_UNTIL)) return CLI_USAGE;
    put_text(query, "limit", arena_printf(&r->a, "%llu", (unsigned long long)(limit ? limit : LIMIT_MAX)));
    return CLI_OK;
}

int cmd_quality(const struct cli_args *args) {
    struct report r = {.args = args, .out = BUF_INIT(ARENA_MAX), .line = BUF_INIT(TEXT_MAX)};
    BUF_AUTO struct buf query = BUF_INIT(TEXT_MAX);
    struct cli_answer answer = {0};
    struct cli_api api;
    arena_init(&r.a, NULL, 0, ARENA_MAX);
    int code = read_arguments(&r, &query);
    if (code == CLI_OK && (code = cli_api_open(args, false, &api)) == CLI_OK) {
        code = cli_api_call(&api, HTTP_GET, STR("/api/v1/quality"), buf_str(&query), STR(""), &answer);
        if (code == CLI_OK) code = print(&r, buf_str(&answer.body));
        cli_api_close(&api);
    }
    cli_answer_free(&answer);
    buf_free(&r.out);
    buf_free(&r.line);
    arena_free(&r.a);
    return code;
}
