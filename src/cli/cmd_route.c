// penstock route explain: where a request would go, and why, by the configuration at hand or as a server has it now.
#include "base/json_edit.h"
#include "base/json_read.h"
#include "cli/api_client.h"
#include "cli/data_client.h"
#include "cli/models.h"
#include "gateway/explain.h"
#include "os/file.h"

#define FILE_MAX ((size_t)256 << 20)
#define TEXT_MAX ((size_t)64 << 20)
#define ARENA_MAX ((size_t)512 << 20)
#define DEPTH 128

struct explaining {
    const struct cli_args *args;
    struct arena arena;
    struct http_field fields[CLI_HEADERS_MAX];
    size_t field_count;
    struct buf request, answer;
};

// --- the request ---

static bool read_headers(struct explaining *e) {
    char what[200];
    for (size_t i = 0; i < e->args->n_headers; i++) {
        struct str text = str_c(e->args->headers[i]);
        size_t at = str_find_char(text, '=');
        struct str value = str_from(text, MIN(at + 1, text.n));
        char *name = arena_alloc(&e->arena, at + 1);
        if (name && at && at < text.n && http_is_field_value(text)) {
            for (size_t k = 0; k < at; k++) // as a server has them
                name[k] = (char)(text.p[k] >= 'A' && text.p[k] <= 'Z' ? text.p[k] + 32 : text.p[k]);
            e->fields[e->field_count++] = (struct http_field){str_of(name, at), value};
            continue;
        }
        snprintf(what, sizeof what, "--header %.*s is not NAME=VALUE", STR_ARG(str_head(text, 100)));
        cli_fail(e->args->io, CLI_USAGE, what, NULL, "--header x-penstock-privacy=private");
        return false;
    }
    return true;
}

static bool read_input(struct cli_io *io, struct buf *text, struct err *err) {
    while (!feof(io->in)) {
        if (!buf_reserve(text, 65536)) return err_set(err, ERR_BODY_TOO_LARGE, "the limit is 256 MiB");
        text->n += fread(text->p + text->n, 1, text->cap - text->n, io->in);
        if (ferror(io->in)) return err_set(err, ERR_INTERNAL, "standard input cannot be read");
    }
    return true;
}

// With --model in the place of its own.
static bool request_of(struct explaining *e, struct str text, struct err *err) {
    struct json_field f[] = {{.name = STR_INIT("model")}, {.name = STR_INIT("body"), .kinds = JSON_IS(JSON_OBJECT)}};
    struct json_edits edits;
    struct buf member = BUF_INIT(4096);
    text = str_trim(text);
    if (!json_validate(text, DEPTH, err) || !json_scan(text, f, ARRAY_LEN(f), err)) return false;
    if (f[1].found && !f[0].found) { // a line of a batch
        text = f[1].raw;
        if (!json_scan(text, f, 1, err)) return false;
    }
    json_edits_init(&edits, text);
    if (cli_given(e->args, CLI_MODEL)) {
        struct json_writer w;
        json_writer_init(&w, &member);
        json_put_str(&w, cli_value(e->args, CLI_MODEL));
        struct str name = arena_str(&e->arena, buf_str(&member));
        buf_free(&member);
        struct str whole = arena_printf(&e->arena, "\"model\":%.*s", STR_ARG(name));
        if (!whole.p) return err_no_memory(err);
        if (f[0].found)
            json_edit_replace(&edits, f[0].raw, name);
        else
            json_edit_insert(&edits, text, whole);
    }
    return json_edits_put(&edits, &e->request, err);
}

static int read_request(struct explaining *e) {
    BUF_AUTO struct buf text = BUF_INIT(FILE_MAX);
    const char *file = e->args->operands[0];
    struct err err;
    char what[300];
    bool standard = str_eq(str_c(file), STR("-"));
    bool ok = standard ? read_input(e->args->io, &text, &err) : file_read_all(str_c(file), FILE_MAX, &text, &err);
    if (ok && request_of(e, buf_str(&text), &err)) return CLI_OK;
    snprintf(what, sizeof what, "%.200s is no request", file);
    return cli_fail_err(e->args->io, &err, what, "a JSON object with model and messages");
}

// --- asking ---

static int ask_server_for(struct explaining *e) {
    struct data_client client;
    struct cli_answer answer = {.body = BUF_INIT(0)};
    int code = data_client_open(e->args, &client);
    if (code != CLI_OK) return code;
    const struct data_request r = {.method = HTTP_POST,
                                   .target = STR("/v1/route/explain"),
                                   .body = buf_str(&e->request),
                                   .fields = e->fields,
                                   .field_count = e->field_count};
    code = data_call(&client, &r, &answer);
    if (code == CLI_OK) buf_put(&e->answer, buf_str(&answer.body));
    cli_answer_free(&answer);
    return code;
}

static int ask_here(struct explaining *e) {
    struct conf *conf;
    struct model_catalog *catalog;
    struct err err;
    int code = cli_models_here(e->args, false, &conf, &catalog);
    if (code != CLI_OK) return code;
    const struct explain_ask ask = {conf, catalog, buf_str(&e->request), e->fields, e->field_count};
    if (!explain_here(&ask, &e->answer, &err))
        code = cli_fail_err(e->args->io, &err, "the request cannot be routed", "penstock models");
    model_catalog_unref(catalog);
    conf_unref(conf);
    return code;
}

// --- the answer ---

static struct str member(struct explaining *e, struct str object, const char *name) {
    return cli_json_text(&e->arena, object, str_c(name));
}

static struct str object_of(struct str object, const char *name) {
    struct str raw, key = str_c(name);
    return json_get(object, &key, 1, &raw) ? raw : STR("{}");
}

static void add(struct cli_table *t, const char *name, struct str value) {
    const struct str cells[] = {str_c(name), value};
    if (value.n) cli_table_add(t, cells);
}

static struct str request_text(struct explaining *e, struct str answer) {
    struct str q = object_of(answer, "request");
    struct str needs = member(e, q, "needs"), regions = member(e, q, "regions"), tags = member(e, q, "tags");
    bool private = str_eq(member(e, q, "private"), STR("true"));
    struct str because = member(e, q, "private_because");
    return arena_printf(&e->arena, "%.*s tokens, %.*s expected back%s%s%.*s%s%.*s%s%.*s%s%.*s",
                        STR_ARG(member(e, q, "tokens")), STR_ARG(member(e, q, "expected_output_tokens")),
                        private ? "; private" : "", because.n ? ": " : "", STR_ARG(because), needs.n ? "; needs " : "",
                        STR_ARG(needs), regions.n ? "; only in " : "", STR_ARG(regions), tags.n ? "; tags " : "",
                        STR_ARG(tags));
}

static void put_names(struct explaining *e, struct str list, struct buf *out) {
    struct json_reader r;
    enum json_kind kind;
    struct str one;
    json_reader_init(&r, list, 0);
    if (!json_enter_array(&r)) return;
    for (bool first = true; json_element(&r, &kind) && json_skip(&r, &one); first = false)
        buf_printf(out, "%s%.*s/%.*s", first ? "" : ", ", STR_ARG(member(e, one, "provider")),
                   STR_ARG(member(e, one, "model")));
}

static struct str explored_text(struct explaining *e, struct str answer) {
    double share;
    if (!json_raw_double(member(e, answer, "explore"), &share) || share <= 0) return STR("");
    return arena_printf(&e->arena, "with %.4g%% of such requests another of them may be first, to see how good it is",
                        share * 100);
}

// "plan=small (left out: tokens > 1k); draft=large"
static struct str steps_text(struct explaining *e, struct str answer) {
    struct json_reader r;
    enum json_kind kind;
    struct str one;
    BUF_AUTO struct buf out = BUF_INIT(TEXT_MAX);
    json_reader_init(&r, object_of(answer, "steps"), 0);
    bool list = json_enter_array(&r);
    for (bool first = true; list && json_element(&r, &kind) && json_skip(&r, &one); first = false) {
        bool asked = str_eq(member(e, one, "asked"), STR("true"));
        struct str when = member(e, one, "when");
        buf_printf(&out, "%s%.*s=%.*s", first ? "" : "; ", STR_ARG(member(e, one, "name")),
                   STR_ARG(member(e, one, "model")));
        if (!asked || when.n)
            buf_printf(&out, " (%s%s%.*s)", asked ? "asked" : "left out", when.n ? ": " : "", STR_ARG(when));
    }
    struct str text = arena_str(&e->arena, buf_str(&out));
    return text.p ? text : STR("");
}

static struct str ignored_text(struct explaining *e, struct str answer) {
    struct str ignored = member(e, answer, "task_ignored");
    if (!ignored.n) return ignored;
    return arena_printf(&e->arena,
                        "metadata.task \"%.*s\": a task's name has a-z, 0-9, \"-\", \"_\" and \".\", at most 64",
                        STR_ARG(str_head(ignored, 80)));
}

static void print_head(struct explaining *e, struct str answer, struct buf *out) {
    static const struct cli_column columns[] = {{"ROUTE", false, 0}, {"", false, 40}};
    struct cli_table t = {.columns = columns, .n_columns = ARRAY_LEN(columns), .arena = &e->arena};
    struct str complexity = object_of(answer, "complexity"), text = member(e, complexity, "text");
    bool decides = str_eq(member(e, complexity, "decides"), STR("true"));
    BUF_AUTO struct buf order = BUF_INIT(TEXT_MAX);
    add(&t, "model", member(e, answer, "model"));
    add(&t, "task", member(e, answer, "task"));
    add(&t, "task's model", member(e, answer, "task_model"));
    add(&t, "ignored", ignored_text(e, answer));
    struct str steps = steps_text(e, answer);
    if (!steps.n) add(&t, "strategy", member(e, answer, "strategy"));
    add(&t, "steps", steps);
    add(&t, "request", request_text(e, answer));
    if (text.n)
        add(&t, "reads as",
            arena_printf(&e->arena, "%.*s%s", STR_ARG(text), decides ? "" : " (which nothing here asks for)"));
    put_names(e, object_of(answer, "order"), &order);
    add(&t, "order", buf_str(&order));
    add(&t, "explores", explored_text(e, answer));
    add(&t, "not served", member(e, object_of(answer, "error"), "message"));
    cli_table_print(&t, e->args->io, out);
}

enum { PLACE, TARGET, KEPT, COST, QUALITY, FIRST, SCORE, WHY, COLUMNS };
static const struct cli_column k_columns[COLUMNS] = {[PLACE] = {.title = "#", .right = true},
                                                     [TARGET] = {.title = "TARGET", .min = 20},
                                                     [KEPT] = {.title = "KEPT"},
                                                     [COST] = {.title = "$", .right = true},
                                                     [QUALITY] = {.title = "QUALITY", .right = true},
                                                     [FIRST] = {.title = "FIRST MS", .right = true},
                                                     [SCORE] = {.title = "SCORE", .right = true},
                                                     [WHY] = {.title = "WHY", .min = 24}};

static void add_candidate(struct explaining *e, struct cli_table *t, struct str c) {
    bool kept = str_eq(member(e, c, "kept"), STR("true")), last = str_eq(member(e, c, "last_resort"), STR("true"));
    struct str score = member(e, c, "score");
    double value = 0;
    struct json_reader r;
    json_reader_init(&r, score, 0);
    if (score.n && json_double(&r, &value)) score = arena_printf(&e->arena, "%.6g", value);
    const struct str cells[COLUMNS] = {
        [PLACE] = member(e, c, "place"),
        [TARGET] =
            arena_printf(&e->arena, "%.*s/%.*s", STR_ARG(member(e, c, "provider")), STR_ARG(member(e, c, "model"))),
        [KEPT] = kept   ? STR("yes")
                 : last ? STR("last")
                        : STR("no"),
        [COST] = member(e, c, "cost_usd"),
        [QUALITY] = member(e, c, "quality"),
        [FIRST] = member(e, c, "first_token_ms"),
        [SCORE] = score,
        [WHY] = member(e, c, "why")};
    cli_table_add(t, cells);
}

static int print(struct explaining *e) {
    BUF_AUTO struct buf out = BUF_INIT(TEXT_MAX);
    struct str answer = buf_str(&e->answer), one;
    struct cli_table t = {.columns = k_columns, .n_columns = COLUMNS, .arena = &e->arena};
    struct json_reader r;
    enum json_kind kind;
    struct err err;
    if (!json_validate(answer, DEPTH, &err)) return cli_fail_err(e->args->io, &err, "the answer is no JSON", NULL);
    if (cli_given(e->args, CLI_JSON)) {
        buf_put(&out, answer);
        buf_putc(&out, '\n');
        return cli_print(e->args->io, &out);
    }
    print_head(e, answer, &out);
    json_reader_init(&r, object_of(answer, "candidates"), 0);
    bool list = json_enter_array(&r);
    while (list && json_element(&r, &kind) && json_skip(&r, &one)) add_candidate(e, &t, one);
    if (t.n) buf_putc(&out, '\n');
    if (t.n) cli_table_print(&t, e->args->io, &out);
    return cli_print(e->args->io, &out);
}

int cmd_route_explain(const struct cli_args *args) {
    struct explaining e = {.args = args, .request = BUF_INIT(FILE_MAX), .answer = BUF_INIT(TEXT_MAX)};
    arena_init(&e.arena, NULL, 0, ARENA_MAX);
    int code = read_headers(&e) ? read_request(&e) : CLI_USAGE;
    if (code == CLI_OK) code = server_named(args).n ? ask_server_for(&e) : ask_here(&e);
    if (code == CLI_OK) code = print(&e);
    buf_free(&e.request);
    buf_free(&e.answer);
    arena_free(&e.arena);
    return code;
}
