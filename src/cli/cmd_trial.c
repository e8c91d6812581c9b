// penstock canary, shadow and experiment: how models do beside those that they are tried against.
#include "base/json_read.h"
#include "cli/resource.h"

#define ARENA_MAX ((size_t)64 << 20)
#define TEXT_MAX ((size_t)1 << 20)

static const struct cli_column k_columns[] = {{.title = "MODEL", .min = 8},
                                              {.title = "AGAINST", .min = 8},
                                              {.title = "STATE"},
                                              {.title = "SHARE", .right = true},
                                              {.title = "ARM"},
                                              {.title = "REQUESTS", .right = true},
                                              {.title = "ERRORS", .right = true},
                                              {.title = "P50 MS", .right = true},
                                              {.title = "P95 MS", .right = true},
                                              {.title = "COST", .right = true},
                                              {.title = "QUALITY", .right = true}};
struct listing {
    const struct cli_args *args;
    struct arena a;
    struct buf out;
    struct cli_table table;
};

static struct str text(struct listing *l, struct str row, const char *name) {
    return cli_json_text(&l->a, row, str_c(name));
}

// 0.05 is "5%"; that of an experiment, which has none, is nothing.
static struct str share_of(struct listing *l, struct str trial) {
    double share;
    struct str raw;
    if (!text(l, trial, "against").n || !JSON_GET(trial, &raw, STR("share")) || !json_raw_double(raw, &share))
        return STR("");
    return arena_printf(&l->a, "%.4g%%", share * 100);
}

// "-": nothing is known of it yet.
static struct str or_none(struct str cell) { return cell.n ? cell : STR("-"); }

// As money is written elsewhere, never as a power of ten.
static struct str cost_of(struct listing *l, struct str arm) {
    double cost;
    struct str raw;
    if (!JSON_GET(arm, &raw, STR("cost_per_request_usd")) || !json_raw_double(raw, &cost)) return STR("");
    return arena_printf(&l->a, "%.7f", cost);
}

// What it is, where the configuration is a tenant's.
static struct str model_of(struct listing *l, struct str trial) {
    struct str level = text(l, trial, "level"), model = text(l, trial, "model");
    return level.n ? arena_printf(&l->a, "%.*s (%.*s)", STR_ARG(model), STR_ARG(level)) : model;
}

// A row an arm; of those behind the first, only what differs.
static void put_arm(struct listing *l, struct str trial, struct str arm, bool first) {
    struct str none = STR("");
    const struct str cells[] = {first ? model_of(l, trial) : none,
                                first ? text(l, trial, "against") : none,
                                first ? text(l, trial, "state") : none,
                                first ? share_of(l, trial) : none,
                                text(l, arm, "arm"),
                                text(l, arm, "requests"),
                                text(l, arm, "errors"),
                                or_none(text(l, arm, "p50_ms")),
                                or_none(text(l, arm, "p95_ms")),
                                or_none(cost_of(l, arm)),
                                or_none(text(l, arm, "quality"))};
    cli_table_add(&l->table, cells);
}

static void put(struct listing *l, struct str trial) {
    struct json_reader r;
    enum json_kind kind;
    struct str arms, raw;
    bool first = true;
    if (cli_given(l->args, CLI_JSON)) {
        buf_put(&l->out, trial);
        buf_putc(&l->out, '\n');
        return;
    }
    if (!JSON_GET(trial, &arms, STR("arms"))) return;
    json_reader_init(&r, arms, 0);
    for (bool ok = json_enter_array(&r); ok && json_element(&r, &kind) && json_skip(&r, &raw); first = false)
        put_arm(l, trial, raw, first);
    if (first) put_arm(l, trial, STR("{}"), true);
}

// Why one was taken back, below the table.
static void put_reason(struct listing *l, struct str trial) {
    struct str reason = text(l, trial, "reason");
    if (!reason.n || cli_given(l->args, CLI_JSON) || cli_given(l->args, CLI_QUIET)) return;
    fprintf(l->args->io->err, "%.*s: %.*s: %.*s\n", STR_ARG(model_of(l, trial)), STR_ARG(text(l, trial, "state")),
            STR_ARG(reason));
}

static void each(struct listing *l, struct str answer, void (*fn)(struct listing *l, struct str trial)) {
    struct json_reader r;
    enum json_kind kind;
    struct str data, raw;
    if (!JSON_GET(answer, &data, STR("data"))) return;
    json_reader_init(&r, data, 0);
    for (bool ok = json_enter_array(&r); ok && json_element(&r, &kind) && json_skip(&r, &raw);) fn(l, raw);
}

static int list(const struct cli_args *args, struct str path, const char *none) {
    struct listing l = {.args = args, .out = BUF_INIT(ARENA_MAX)};
    BUF_AUTO struct buf query = BUF_INIT(TEXT_MAX);
    struct cli_answer answer = {0};
    struct cli_api api;
    int code = cli_api_open(args, false, &api);
    if (code != CLI_OK) return code;
    arena_init(&l.a, NULL, 0, ARENA_MAX);
    l.table = (struct cli_table){.columns = k_columns, .n_columns = ARRAY_LEN(k_columns), .arena = &l.a};
    if (args->n_operands) buf_put(&query, STR("model="));
    if (args->n_operands) cli_url_put(&query, str_c(args->operands[0]));
    code = cli_api_call(&api, HTTP_GET, path, buf_str(&query), STR(""), &answer);
    if (code == CLI_OK) {
        each(&l, buf_str(&answer.body), put);
        if (l.table.n) cli_table_print(&l.table, args->io, &l.out);
        bool any = l.out.n > 0;
        code = cli_print(args->io, &l.out);
        each(&l, buf_str(&answer.body), put_reason);
        if (!any && !cli_given(args, CLI_JSON) && !cli_given(args, CLI_QUIET)) fprintf(args->io->err, "%s\n", none);
    }
    cli_answer_free(&answer);
    buf_free(&l.out);
    arena_free(&l.a);
    cli_api_close(&api);
    return code;
}

int cmd_canary_list(const struct cli_args *args) {
    return list(args, STR("/api/v1/canaries"), "No model has a canary, or no server has run with it yet.");
}

int cmd_shadow_report(const struct cli_args *args) {
    return list(args, STR("/api/v1/shadows"), "No model has a shadow, or no server has run with it yet.");
}

int cmd_experiment_report(const struct cli_args *args) {
    return list(args, STR("/api/v1/experiments"), "No model has the strategy ab, or no server has run with it yet.");
}

// --- by hand ---

static int act(const struct cli_args *args, const char *verb, const char *done) {
    BUF_AUTO struct buf path = BUF_INIT(TEXT_MAX);
    struct cli_api api;
    int code = cli_api_open(args, false, &api);
    if (code != CLI_OK) return code;
    buf_put(&path, STR("/api/v1/canaries/"));
    cli_url_put(&path, str_c(args->operands[0]));
    buf_printf(&path, "/%s", verb);
    code = resource_send(&api, HTTP_POST, buf_str(&path), STR(""), done);
    cli_api_close(&api);
    return code;
}

int cmd_canary_pause(const struct cli_args *args) { return act(args, "pause", "Its share stays as it is."); }
int cmd_canary_resume(const struct cli_args *args) { return act(args, "resume", "Its share grows again."); }
int cmd_canary_promote(const struct cli_args *args) {
    return act(args, "promote", "It gets all requests, from some seconds on.");
}
int cmd_canary_rollback(const struct cli_args *args) {
    return act(args, "rollback", "It gets no requests any more, from some seconds on.");
}
int cmd_canary_restart(const struct cli_args *args) {
    return act(args, "restart", "It begins anew, with its first share.");
}
