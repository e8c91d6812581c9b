// penstock models: what models there are, what they can do and cost; and having the catalogue read again.
#include "admin/models.h"
#include "admin/wish_text.h"
#include "base/json_read.h"
#include "cli/api_client.h"
#include "cli/ask_server.h"
#include "cli/models.h"
#include "model/catalog_query.h"
#include "net/fetch.h"
#include "store/ledger.h"

#define ARENA_MAX ((size_t)256 << 20)
#define TEXT_MAX ((size_t)64 << 20)

int cli_models_here(const struct cli_args *args, bool fetched, struct conf **out_conf,
                    struct model_catalog **out_models) {
    struct cli_conf_wanted wanted = {0};
    struct conf *conf = NULL;
    struct err err;
    int code = cli_conf_load(args, &wanted, CLI_CONFIG_INVALID, &conf);
    if (code != CLI_OK) return code;
    bool ok = !fetched || fetch_global_begin(&err);
    ok = ok && (fetched ? models_load(conf, !cli_given(args, CLI_DRY_RUN), out_models, &err)
                        : models_load_kept(conf, out_models, &err));
    if (!ok) {
        conf_unref(conf);
        return cli_fail_err(args->io, &err, "the catalogue of models cannot be used", NULL);
    }
    *out_conf = conf;
    return CLI_OK;
}

// --- the list ---

enum { MODEL, CONTEXT, OUTPUT, PRICE_IN, PRICE_OUT, ABLE, COLUMNS };
static const struct cli_column k_columns[COLUMNS] = {
    [MODEL] = {.title = "MODEL", .min = 30},           [CONTEXT] = {.title = "CONTEXT", .right = true},
    [OUTPUT] = {.title = "OUTPUT", .right = true},     [PRICE_IN] = {.title = "$/M IN", .right = true},
    [PRICE_OUT] = {.title = "$/M OUT", .right = true}, [ABLE] = {.title = "CAN", .min = 12}};

static struct str tokens(struct arena *a, struct str number) {
    uint64_t n;
    return str_to_u64(number, &n) ? cli_count_text(a, n) : STR("?");
}

static struct str price(struct arena *a, struct str entry, const char *name) {
    struct str raw;
    if (!JSON_GET(entry, &raw, STR("price")) || json_raw_kind(raw) != JSON_OBJECT) return STR("?");
    struct str text = cli_json_text(a, raw, str_c(name));
    return text.n ? text : STR("?");
}

static void add_row(struct cli_table *table, struct arena *a, struct str entry) {
    const struct str cells[COLUMNS] = {[MODEL] = cli_json_text(a, entry, STR("id")),
                                       [CONTEXT] = tokens(a, cli_json_text(a, entry, STR("context_window"))),
                                       [OUTPUT] = tokens(a, cli_json_text(a, entry, STR("max_output_tokens"))),
                                       [PRICE_IN] = price(a, entry, "input"),
                                       [PRICE_OUT] = price(a, entry, "output"),
                                       [ABLE] = cli_json_text(a, entry, STR("capabilities"))};
    cli_table_add(table, cells);
}

// JSON: one object a line, as other lists.
static int print(const struct cli_args *args, struct str answer) {
    BUF_AUTO struct buf out = BUF_INIT(TEXT_MAX);
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
    if (none && !cli_given(args, CLI_QUIET)) fputs("There is no such model.\n", args->io->err);
    arena_free(&a);
    return code;
}

static void put_param(struct buf *out, const char *name, struct str value) {
    if (!value.n) return;
    if (out->n) buf_putc(out, '&');
    buf_printf(out, "%s=", name);
    cli_url_put(out, value);
}

static int list_of_server(const struct cli_args *args, const struct model_query_text *text) {
    BUF_AUTO struct buf query = BUF_INIT(8192);
    struct cli_answer answer = {0};
    struct cli_api api;
    int code = cli_api_open(args, false, &api);
    if (code != CLI_OK) return code;
    put_param(&query, "can", text->can);
    put_param(&query, "mode", text->mode);
    put_param(&query, "sort", text->sort);
    put_param(&query, "provider", text->provider);
    put_param(&query, "q", text->search);
    code = cli_api_call(&api, HTTP_GET, STR("/api/v1/models/catalog"), buf_str(&query), STR(""), &answer);
    if (code == CLI_OK) code = print(args, buf_str(&answer.body));
    cli_answer_free(&answer);
    cli_api_close(&api);
    return code;
}

static int list_here(const struct cli_args *args, const struct model_query_text *text) {
    BUF_AUTO struct buf answer = BUF_INIT(TEXT_MAX);
    struct model_catalog *models = NULL;
    struct model_query query;
    struct conf *conf = NULL;
    struct arena a;
    struct err err;
    if (!model_query_read(text, &query, &err)) return cli_fail(args->io, CLI_USAGE, err.message, NULL, NULL);
    int code = cli_models_here(args, false, &conf, &models);
    if (code != CLI_OK) return code;
    arena_init(&a, NULL, 0, ARENA_MAX);
    if (model_query_put(models, &query, &a, &answer, &err))
        code = print(args, buf_str(&answer));
    else
        code = cli_fail_err(args->io, &err, "the models cannot be listed", NULL);
    arena_free(&a);
    model_catalog_unref(models);
    conf_unref(conf);
    return code;
}

// --- reading it again ---

static int refresh_of_server(const struct cli_args *args) {
    struct cli_answer answer = {0};
    struct cli_api api;
    int code = cli_api_open(args, true, &api);
    if (code != CLI_OK) return code;
    struct str query = cli_given(args, CLI_DRY_RUN) ? STR("dry_run=true") : STR("");
    code = cli_api_call(&api, HTTP_POST, STR("/api/v1/models/catalog/refresh"), query, STR(""), &answer);
    if (code == CLI_OK) code = cli_print(args->io, &answer.body);
    cli_answer_free(&answer);
    cli_api_close(&api);
    return code;
}

// The server that runs on the data directory; *out_asked: there is one.
static int refresh_beside(const struct cli_args *args, struct arena *a, bool *out_asked) {
    const char *user = args->io->env("USER");
    struct admin_wish wish = {.kind = WISH_MODELS, .expected = -1, .dry_run = cli_given(args, CLI_DRY_RUN)};
    struct wish_answer answer;
    struct cli_data data;
    struct err err;
    bool there;
    *out_asked = false;
    int code = cli_data_open_existing(args, &data, &there);
    if (code != CLI_OK || !there) return code;
    wish.actor = user && *user ? arena_printf(a, "command line (%.60s)", user) : STR("command line");
    bool ok = ledger_in_use(str_c(data.dir.path), out_asked, &err);
    if (ok && *out_asked) ok = ask_server(data.db, &data.dir, &wish, a, &answer, &err);
    if (ok && *out_asked && !answer.ok) ok = (err = answer.err, false);
    cli_data_close(&data);
    if (!ok) return cli_fail_err(args->io, &err, "the catalogue of models stays as it was", NULL);
    if (*out_asked) fwrite(answer.shown.p ? answer.shown.p : "", 1, answer.shown.n, args->io->out);
    return CLI_OK;
}

static int refresh_here(const struct cli_args *args) {
    struct model_catalog *models = NULL;
    struct conf *conf = NULL;
    int code = cli_models_here(args, true, &conf, &models);
    if (code != CLI_OK) return code;
    fprintf(args->io->out, "%zu models, %zu of them from: %.*s\n", model_catalog_count(models),
            model_catalog_own(models), STR_ARG(model_catalog_source(models)));
    model_catalog_unref(models);
    conf_unref(conf);
    return CLI_OK;
}

static int refresh(const struct cli_args *args) {
    struct arena a;
    bool asked;
    if (server_named(args).n) return refresh_of_server(args);
    arena_init(&a, NULL, 0, ARENA_MAX);
    int code = refresh_beside(args, &a, &asked);
    if (code == CLI_OK && !asked) code = refresh_here(args);
    arena_free(&a);
    return code;
}

int cmd_models(const struct cli_args *args) {
    const struct model_query_text text = {.can = cli_value(args, CLI_CAN),
                                          .mode = cli_value(args, CLI_MODE),
                                          .sort = cli_value(args, CLI_SORT),
                                          .provider = cli_value(args, CLI_PROVIDER),
                                          .search = cli_value(args, CLI_SEARCH)};
    if (args->n_operands && str_eq(str_c(args->operands[0]), STR("refresh"))) return refresh(args);
    if (args->n_operands && !str_eq(str_c(args->operands[0]), STR("list")))
        return cli_fail(args->io, CLI_USAGE, "expected list or refresh", args->operands[0],
                        "penstock models --search NAME, to look for a model");
    return server_named(args).n ? list_of_server(args, &text) : list_here(args, &text);
}
