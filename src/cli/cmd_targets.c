// penstock targets: whether the targets of routing can be asked, and how they do.
#include "base/json_read.h"
#include "base/text.h"
#include "cli/api_client.h"
#include "cli/commands.h"

#define ARENA_MAX ((size_t)64 << 20)

enum { PROVIDER, MODEL, STATE, WHY, UNTIL, UNDER_WAY, FIRST_TOKEN, ERRORS, QUALITY, HEADROOM, COLUMNS };
static const struct cli_column k_columns[COLUMNS] = {
    [PROVIDER] = {.title = "PROVIDER", .min = 8},
    [MODEL] = {.title = "MODEL", .min = 12},
    [STATE] = {.title = "STATE"},
    [WHY] = {.title = "WHY"},
    [UNTIL] = {.title = "UNTIL (UTC)"},
    [UNDER_WAY] = {.title = "UNDER WAY", .right = true},
    [FIRST_TOKEN] = {.title = "1ST TOKEN", .right = true},
    [ERRORS] = {.title = "ERRORS", .right = true},
    [QUALITY] = {.title = "QUALITY", .right = true},
    [HEADROOM] = {.title = "HEADROOM", .right = true},
};

static struct str when(struct arena *a, struct str row) {
    int64_t ns;
    struct str text = cli_json_text(a, row, STR("until"));
    char full[TIME_TEXT_LEN];
    if (!time_parse(text, &ns)) return STR("-");
    time_text(full, ns);
    return arena_printf(a, "%.8s", full + 11); // seconds or minutes from now
}

// 0.034 is "3.4%".
static struct str percent(struct arena *a, struct str object, struct str name) {
    double v;
    struct str raw;
    if (!JSON_GET(object, &raw, name) || !json_raw_double(raw, &v)) return STR("-");
    return arena_printf(a, "%.1f%%", v * 100);
}

static struct str why(struct arena *a, struct str row) {
    struct str text = cli_json_text(a, row, STR("why"));
    if (str_eq(text, STR("open"))) return STR("breaker open");
    if (str_eq(text, STR("probing"))) return STR("breaker on trial");
    if (str_eq(text, STR("key_refused"))) return STR("key refused");
    return text.n ? text : STR("-");
}

static struct str milliseconds(struct arena *a, struct str row) {
    struct str text = cli_json_text(a, row, STR("first_token_ms"));
    return text.n ? arena_printf(a, "%.*s ms", STR_ARG(text)) : STR("-");
}

static void add_row(struct cli_table *table, struct arena *a, struct str row) {
    struct str headroom;
    if (!JSON_GET(row, &headroom, STR("headroom"))) headroom = STR("{}");
    const struct str cells[COLUMNS] = {[PROVIDER] = cli_json_text(a, row, STR("provider")),
                                       [MODEL] = cli_json_text(a, row, STR("model")),
                                       [STATE] = cli_json_text(a, row, STR("state")),
                                       [WHY] = why(a, row),
                                       [UNTIL] = when(a, row),
                                       [UNDER_WAY] = cli_json_text(a, row, STR("in_flight")),
                                       [FIRST_TOKEN] = milliseconds(a, row),
                                       [ERRORS] = percent(a, row, STR("error_rate")),
                                       [QUALITY] = cli_json_text(a, row, STR("quality")),
                                       [HEADROOM] = percent(a, headroom, STR("share"))};
    cli_table_add(table, cells);
}

static int print(const struct cli_args *args, struct str answer) {
    BUF_AUTO struct buf out = BUF_INIT(ARENA_MAX);
    struct arena a;
    struct json_reader r;
    enum json_kind kind;
    struct str data, raw;
    arena_init(&a, NULL, 0, ARENA_MAX);
    struct cli_table table = {.columns = k_columns, .n_columns = COLUMNS, .arena = &a};
    if (JSON_GET(answer, &data, STR("data"))) {
        json_reader_init(&r, data, 0);
        bool ok = json_enter_array(&r);
        while (ok && json_element(&r, &kind) && json_skip(&r, &raw)) {
            if (!cli_given(args, CLI_JSON)) {
                add_row(&table, &a, raw);
                continue;
            }
            buf_put(&out, raw);
            buf_putc(&out, '\n');
        }
    }
    if (table.n) cli_table_print(&table, args->io, &out);
    bool none = !out.n;
    int code = cli_print(args->io, &out);
    if (none && !cli_given(args, CLI_QUIET)) fputs("No models are configured.\n", args->io->err);
    arena_free(&a);
    return code;
}

int cmd_targets(const struct cli_args *args) {
    struct cli_answer answer = {0};
    struct cli_api api;
    if (!server_named(args).n)
        return cli_fail(args->io, CLI_USAGE, "only a running server knows how its targets are", NULL,
                        "penstock targets --server http://127.0.0.1:8080");
    int code = cli_api_open(args, false, &api);
    if (code != CLI_OK) return code;
    code = cli_api_call(&api, HTTP_GET, STR("/api/v1/targets"), STR(""), STR(""), &answer);
    if (code == CLI_OK) code = print(args, buf_str(&answer.body));
    cli_answer_free(&answer);
    cli_api_close(&api);
    return code;
}
