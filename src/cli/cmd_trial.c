// penstock canary, shadow and experiment: how models do beside those that they are tried against.
#include "base/json_read.h"
#include "base/mem.h"
#include "cli/resource.h"
#include "conf/show.h"

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

// --- whose ---

// As the API names it: "acme", "acme/team/search"; empty: the general configuration.
static int level_of(const struct cli_args *args, struct arena *a, struct str *out_level) {
    struct conf_show whose = {0};
    int code = cli_conf_whose(args, &whose);
    if (code != CLI_OK) return code;
    struct str below = whose.team.n ? whose.team : whose.project.n ? whose.project : whose.api_key;
    const char *kind = whose.team.n ? "team" : whose.project.n ? "project" : "key";
    *out_level = below.n ? arena_printf(a, "%.*s/%s/%.*s", STR_ARG(whose.tenant), kind, STR_ARG(below)) : whose.tenant;
    return CLI_OK;
}

// The other way.
static struct str options_of(struct arena *a, struct str level) {
    struct str tenant, kind, rest = level;
    if (!level.n || !str_split(&rest, '/', &tenant)) return STR("");
    if (!rest.p || !str_split(&rest, '/', &kind)) return arena_printf(a, "--tenant %.*s ", STR_ARG(tenant));
    return arena_printf(a, "--tenant %.*s --%.*s %.*s ", STR_ARG(tenant), STR_ARG(kind), STR_ARG(rest));
}

// --tenant says whose configuration is meant, not for whom the API acts.
static int open_api(const struct cli_args *args, struct cli_api *out_api) {
    int code = cli_api_open(args, false, out_api);
    out_api->tenant = STR("");
    return code;
}

// --- the table ---

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

static void put(void *listing, struct str trial) {
    struct listing *l = listing;
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
static void put_reason(void *listing, struct str trial) {
    struct listing *l = listing;
    struct str reason = text(l, trial, "reason");
    if (!reason.n || cli_given(l->args, CLI_JSON) || cli_given(l->args, CLI_QUIET)) return;
    fprintf(l->args->io->err, "%.*s: %.*s: %.*s\n", STR_ARG(model_of(l, trial)), STR_ARG(text(l, trial, "state")),
            STR_ARG(reason));
}

static void each(struct str answer, void (*fn)(void *arg, struct str trial), void *arg) {
    struct json_reader r;
    enum json_kind kind;
    struct str data, raw;
    if (!JSON_GET(answer, &data, STR("data"))) return;
    json_reader_init(&r, data, 0);
    for (bool ok = json_enter_array(&r); ok && json_element(&r, &kind) && json_skip(&r, &raw);) fn(arg, raw);
}

static void put_query(struct buf *query, const char *name, struct str value) {
    buf_printf(query, "%s%s=", query->n ? "&" : "", name);
    cli_url_put(query, value);
}

static int list(const struct cli_args *args, struct str path, const char *none) {
    struct listing l = {.args = args, .out = BUF_INIT(ARENA_MAX)};
    BUF_AUTO struct buf query = BUF_INIT(TEXT_MAX);
    struct cli_answer answer = {0};
    struct cli_api api;
    struct str level;
    arena_init(&l.a, NULL, 0, ARENA_MAX);
    int code = level_of(args, &l.a, &level);
    if (code == CLI_OK) code = open_api(args, &api);
    if (code != CLI_OK) {
        arena_free(&l.a);
        return code;
    }
    l.table = (struct cli_table){.columns = k_columns, .n_columns = ARRAY_LEN(k_columns), .arena = &l.a};
    if (args->n_operands) put_query(&query, "model", str_c(args->operands[0]));
    if (level.n) put_query(&query, "level", level);
    code = cli_api_call(&api, HTTP_GET, path, buf_str(&query), STR(""), &answer);
    if (code == CLI_OK) {
        each(buf_str(&answer.body), put, &l);
        if (l.table.n) cli_table_print(&l.table, args->io, &l.out);
        bool any = l.out.n > 0;
        code = cli_print(args->io, &l.out);
        each(buf_str(&answer.body), put_reason, &l);
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

#define KNOWN_MAX 256
#define NAMED_MAX 8 // in an error

struct canaries {
    struct arena a;
    struct str models[KNOWN_MAX], levels[KNOWN_MAX];
    size_t n;
};

static void know(void *canaries, struct str trial) {
    struct canaries *c = canaries;
    if (c->n == KNOWN_MAX) return;
    c->models[c->n] = cli_json_text(&c->a, trial, STR("model"));
    c->levels[c->n++] = cli_json_text(&c->a, trial, STR("level"));
}

// The one that may have been meant: of the same name elsewhere, else of the nearest; n: none.
static size_t likely(const struct canaries *c, struct str model) {
    struct str near = opt_nearest(model, c->models, c->n);
    size_t i = 0;
    while (i < c->n && !str_eq(c->models[i], model)) i++;
    for (size_t k = 0; i == c->n && k < c->n; k++)
        if (str_eq(c->models[k], near)) return k;
    return i;
}

static int tell_missing(const struct cli_args *args, const char *verb, struct canaries *c, struct str level) {
    struct str model = str_c(args->operands[0]);
    char what[400], why[1200] = "no model has one, or no server has run with it yet",
                    next[400] = "penstock canary list";
    BUF_AUTO struct buf names = BUF_INIT(TEXT_MAX);
    size_t at = likely(c, model);
    for (size_t i = 0; i < MIN(c->n, (size_t)NAMED_MAX); i++) {
        buf_printf(&names, "%s%.*s", i ? ", " : "", STR_ARG(c->models[i]));
        if (c->levels[i].n) buf_printf(&names, " (%.*s)", STR_ARG(c->levels[i]));
    }
    if (c->n > NAMED_MAX) buf_lit(&names, " and others");
    snprintf(what, sizeof what, "model \"%.*s\" has no canary%s%.*s", STR_ARG(str_head(model, 150)),
             level.n ? " of " : "", STR_ARG(str_head(level, 150)));
    if (c->n) snprintf(why, sizeof why, "there are those of %.*s", STR_ARG(str_head(buf_str(&names), 1000)));
    if (at < c->n)
        snprintf(next, sizeof next, "penstock canary %s %.*s%.*s", verb, STR_ARG(options_of(&c->a, c->levels[at])),
                 STR_ARG(c->models[at]));
    return cli_fail(args->io, CLI_NOT_FOUND, what, why, next);
}

// Says so where no such canary is known; who may not look is told by the API.
static int check(struct cli_api *api, const char *verb, struct str level) {
    struct canaries *c = mem_zalloc(1, sizeof *c);
    struct str model = str_c(api->args->operands[0]);
    struct cli_answer answer;
    int code = CLI_OK;
    if (!c) return cli_fail(api->args->io, CLI_FAILED, "out of memory", NULL, NULL);
    arena_init(&c->a, NULL, 0, ARENA_MAX);
    if (cli_api_ask(api, HTTP_GET, STR("/api/v1/canaries"), STR(""), STR(""), &answer)) {
        each(buf_str(&answer.body), know, c);
        bool there = c->n == KNOWN_MAX;
        for (size_t i = 0; i < c->n; i++) there |= str_eq(c->models[i], model) && str_eq(c->levels[i], level);
        if (!there) code = tell_missing(api->args, verb, c, level);
    }
    cli_answer_free(&answer);
    arena_free(&c->a);
    mem_free(c);
    return code;
}

static int send(struct cli_api *api, const char *verb, struct str level, const char *done) {
    BUF_AUTO struct buf path = BUF_INIT(TEXT_MAX), query = BUF_INIT(TEXT_MAX);
    const struct cli_args *args = api->args;
    struct cli_answer answer;
    buf_put(&path, STR("/api/v1/canaries/"));
    cli_url_put(&path, str_c(args->operands[0]));
    buf_printf(&path, "/%s", verb);
    if (level.n) put_query(&query, "level", level);
    int code = cli_api_call(api, HTTP_POST, buf_str(&path), buf_str(&query), STR(""), &answer);
    if (code == CLI_OK) code = resource_show(api, buf_str(&answer.body));
    if (code == CLI_OK && !cli_given(args, CLI_QUIET) && !cli_given(args, CLI_JSON))
        fprintf(args->io->err, "%s\n", done);
    cli_answer_free(&answer);
    return code;
}

static int act(const struct cli_args *args, const char *verb, const char *done) {
    struct cli_api api;
    struct arena a;
    struct str level;
    arena_init(&a, NULL, 0, ARENA_MAX);
    int code = level_of(args, &a, &level);
    if (code == CLI_OK) code = open_api(args, &api);
    if (code == CLI_OK) {
        code = check(&api, verb, level);
        if (code == CLI_OK) code = send(&api, verb, level, done);
        cli_api_close(&api);
    }
    arena_free(&a);
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
