// penstock estimate: what requests in files would use and cost, before they are sent.
#include "base/json_read.h"
#include "base/vec.h"
#include "cli/models.h"
#include "conf/conf.h"
#include "model/catalog_query.h"
#include "model/forecast.h"
#include "os/file.h"

#define FILE_MAX ((size_t)1 << 30)
#define ARENA_MAX ((size_t)2 << 30)
#define TEXT_MAX ((size_t)64 << 20)
#define DEPTH 128

struct estimating {
    const struct cli_args *args;
    struct conf *conf;
    struct model_catalog *catalog;
    struct arena arena;
    struct forecast_model *models;
    size_t n_models;
    struct forecast *sum; // one a model, in their order
    size_t requests;
};

static int fail(const struct estimating *e, const char *file, size_t line, const struct err *err) {
    char what[400];
    if (line)
        snprintf(what, sizeof what, "%s, line %zu, cannot be estimated", file, line);
    else
        snprintf(what, sizeof what, "%s cannot be estimated", file);
    return cli_fail_err(e->args->io, err, what, NULL);
}

// --- models ---

static const struct model_entry *entry_of(const struct estimating *e, struct str name, struct str *out_model) {
    size_t slash = str_find_char(name, '/');
    *out_model = slash < name.n ? str_from(name, slash + 1) : name;
    if (slash < name.n) return model_catalog_get(e->catalog, name);
    for (int kind = 0; kind < PROVIDER_KIND_COUNT; kind++) {
        const struct provider_preset *preset = provider_preset_get((enum provider_kind)kind);
        if (provider_preset_owns(preset, name)) return model_catalog_find(e->catalog, preset->name, name);
    }
    return NULL;
}

// A model that is configured; else one of the catalogue, whether or not there is a key for it; else what the
// configuration makes of the name.
static bool find_model(const struct estimating *e, struct str name, struct forecast_model *out) {
    struct conf_choice choice;
    struct model_named named;
    struct str model;
    bool configured = conf_resolve(e->conf, NULL, name, &choice);
    const struct model_entry *entry = configured && choice.model ? NULL : entry_of(e, name, &model);
    if (entry) {
        *out = (struct forecast_model){.name = name,
                                       .provider = str_head(entry->name, str_find_char(entry->name, '/')),
                                       .upstream = model,
                                       .facts = *entry};
        return true;
    }
    // Of providers that were only found to be there, no name is a model's because there is nobody else.
    if (e->conf->discovered && str_find_char(name, '/') == name.n) return false;
    if (!configured || !model_facts_named(e->catalog, e->conf, NULL, name, &named)) return false;
    *out = (struct forecast_model){
        .name = name, .provider = named.target.peer->name, .upstream = named.target.upstream, .facts = named.facts};
    return true;
}

static int named_models(struct estimating *e, struct str list) {
    struct str one;
    e->models = ARENA_ARRAY(&e->arena, struct forecast_model, list.n + 1);
    if (!e->models) return cli_fail(e->args->io, CLI_FAILED, "out of memory", NULL, NULL);
    while (list.n && str_split(&list, ',', &one)) {
        one = str_trim(one);
        if (one.n && find_model(e, one, &e->models[e->n_models])) {
            e->n_models++;
            continue;
        }
        char what[200];
        snprintf(what, sizeof what, "there is no model \"%.*s\"", STR_ARG(str_head(one, 100)));
        return cli_fail(e->args->io, CLI_NOT_FOUND, what, NULL, "penstock models --search NAME");
    }
    return CLI_OK;
}

static void add(struct estimating *e, struct str name) {
    if (find_model(e, name, &e->models[e->n_models])) e->n_models++;
}

// Those configured, else the catalogue's, as far as options leave.
static int all_models(struct estimating *e) {
    const struct model_query_text text = {.can = cli_value(e->args, CLI_CAN),
                                          .mode = cli_value(e->args, CLI_MODE),
                                          .provider = cli_value(e->args, CLI_PROVIDER),
                                          .search = cli_value(e->args, CLI_SEARCH)};
    struct model_query query;
    struct err err;
    size_t n = 0;
    bool filtered = text.can.n || text.mode.n || text.provider.n || text.search.n;
    if (!model_query_read(&text, &query, &err)) return cli_fail(e->args->io, CLI_USAGE, err.message, NULL, NULL);
    const struct model_entry **list = model_query_run(e->catalog, &query, &e->arena, &n);
    e->models = ARENA_ARRAY(&e->arena, struct forecast_model, n + e->conf->models.n + 1);
    if (!list || !e->models) return cli_fail(e->args->io, CLI_FAILED, "out of memory", NULL, NULL);
    if (e->conf->models.n && !filtered)
        for (size_t i = 0; i < e->conf->models.n; i++) add(e, e->conf->models.p[i].name);
    else
        for (size_t i = 0; i < n; i++) add(e, list[i]->name);
    if (e->n_models) return CLI_OK;
    return cli_fail(e->args->io, CLI_NOT_FOUND, "there is no such model", NULL, "penstock models");
}

// --- requests ---

// Only those that are for such a request; with --model each that was named.
static bool is_meant(const struct estimating *e, const struct forecast_request *q, const struct forecast_model *m) {
    return cli_given(e->args, CLI_MODEL) || !m->facts.name.n || forecast_fits_mode(q, m->facts.mode);
}

static bool one_request(struct estimating *e, struct str body, struct err *err) {
    struct forecast_request q;
    struct arena arena;
    arena_init(&arena, NULL, 0, ARENA_MAX);
    bool ok = forecast_read(body, DEPTH, &arena, &q, err);
    uint64_t otherwise = (uint64_t)e->conf->quota.default_output_tokens;
    struct forecast *list = ok ? forecast_make(&q, e->models, e->n_models, otherwise, &arena) : NULL;
    if (ok && !list) ok = err_no_memory(err);
    for (size_t i = 0; ok && i < e->n_models; i++) {
        struct forecast *sum = &e->sum[list[i].model - e->models];
        if (!is_meant(e, &q, list[i].model)) continue;
        if (sum->model)
            forecast_add(sum, &list[i]);
        else
            *sum = list[i];
    }
    e->requests += ok;
    arena_free(&arena);
    return ok;
}

// What the file holds as a request: itself, the "body" of a line of a batch, or a message with the text.
static bool request_of(struct str text, struct buf *out) {
    struct json_writer w;
    struct str raw;
    struct err ignored;
    text = str_trim(text);
    bool object = str_starts(text, STR("{")) && json_validate(text, DEPTH, &ignored);
    if (object && JSON_GET(text, &raw, STR("body")) && json_raw_kind(raw) == JSON_OBJECT) text = raw;
    bool request = object && (JSON_GET(text, &raw, STR("messages")) || JSON_GET(text, &raw, STR("input")) ||
                              JSON_GET(text, &raw, STR("prompt")));
    if (request) {
        bool named = JSON_GET(text, &raw, STR("model"));
        buf_put(out, named ? STR("{") : STR("{\"model\":\"-\","));
        buf_put(out, str_from(text, 1));
        return !out->failed;
    }
    json_writer_init(&w, out);
    json_put_object(&w);
    json_put_member_str(&w, STR("model"), STR("-"));
    json_put_member_array(&w, STR("messages"));
    json_put_object(&w);
    json_put_member_str(&w, STR("role"), STR("user"));
    json_put_member_str(&w, STR("content"), text);
    json_put_object_end(&w);
    json_put_array_end(&w);
    json_put_object_end(&w);
    return !out->failed;
}

static bool estimate_text(struct estimating *e, struct str text, struct err *err) {
    BUF_AUTO struct buf body = BUF_INIT(FILE_MAX);
    return request_of(text, &body) ? one_request(e, buf_str(&body), err) : err_no_memory(err);
}

static bool read_input(struct cli_io *io, struct buf *text, struct err *err) {
    while (!feof(io->in)) {
        if (!buf_reserve(text, 65536)) return err_set(err, ERR_BODY_TOO_LARGE, "the limit is 1 GiB");
        text->n += fread(text->p + text->n, 1, text->cap - text->n, io->in);
        if (ferror(io->in)) return err_set(err, ERR_INTERNAL, "standard input cannot be read");
    }
    return true;
}

static int one_file(struct estimating *e, const char *name) {
    BUF_AUTO struct buf text = BUF_INIT(FILE_MAX);
    struct str path = str_c(name), rest, line;
    struct err err;
    size_t n = 0;
    bool ok =
        str_eq(path, STR("-")) ? read_input(e->args->io, &text, &err) : file_read_all(path, FILE_MAX, &text, &err);
    if (!ok) return fail(e, name, 0, &err);
    if (!str_ends(path, STR(".jsonl"))) return estimate_text(e, buf_str(&text), &err) ? CLI_OK : fail(e, name, 0, &err);
    for (rest = buf_str(&text); str_split(&rest, '\n', &line);) {
        n++;
        if (str_trim(line).n && !estimate_text(e, line, &err)) return fail(e, name, n, &err);
    }
    return CLI_OK;
}

// --- the answer ---

enum { MODEL, INPUT, OUTPUT, LOW, EXPECTED, HIGH, COLUMNS };
static const struct cli_column k_columns[COLUMNS] = {[MODEL] = {.title = "MODEL", .min = 24},
                                                     [INPUT] = {.title = "INPUT", .right = true},
                                                     [OUTPUT] = {.title = "OUTPUT", .right = true},
                                                     [LOW] = {.title = "$ LOW", .right = true},
                                                     [EXPECTED] = {.title = "$ EXPECTED", .right = true},
                                                     [HIGH] = {.title = "$ HIGH", .right = true}};

static struct str dollars(struct arena *a, const struct forecast *f, uint64_t nano) {
    return f->cost_known ? cli_dollars_short(a, (int64_t)MIN(nano, (uint64_t)INT64_MAX)) : STR("?");
}

static struct str input_text(struct arena *a, const struct forecast *f) {
    struct str count = cli_count_text(a, f->input.total);
    return f->input.exact ? count : arena_printf(a, "~%.*s", STR_ARG(count));
}

static int print(struct estimating *e, struct forecast *list, size_t n) {
    BUF_AUTO struct buf out = BUF_INIT(TEXT_MAX);
    struct arena *a = &e->arena;
    struct cli_table table = {.columns = k_columns, .n_columns = COLUMNS, .arena = a};
    for (size_t i = 0; i < n; i++) {
        const struct forecast *f = &list[i];
        if (cli_given(e->args, CLI_JSON)) {
            struct json_writer w;
            json_writer_init(&w, &out);
            forecast_put(&w, f);
            buf_putc(&out, '\n');
            continue;
        }
        struct str name = f->fits ? f->model->name : arena_printf(a, "%.*s (too long)", STR_ARG(f->model->name));
        const struct str cells[COLUMNS] = {[MODEL] = name,
                                           [INPUT] = input_text(a, f),
                                           [OUTPUT] = cli_count_text(a, f->output.expected),
                                           [LOW] = dollars(a, f, f->cost.low),
                                           [EXPECTED] = dollars(a, f, f->cost.expected),
                                           [HIGH] = dollars(a, f, f->cost.high)};
        cli_table_add(&table, cells);
    }
    if (table.n) cli_table_print(&table, e->args->io, &out);
    int code = cli_print(e->args->io, &out);
    if (code == CLI_OK && !cli_given(e->args, CLI_JSON) && !cli_given(e->args, CLI_QUIET))
        fprintf(e->args->io->err, "%zu request%s; ~ where the vendor's own tokenizer or rules are not known.\n",
                e->requests, e->requests == 1 ? "" : "s");
    return code;
}

static int conclude(struct estimating *e) {
    size_t n = 0;
    for (size_t i = 0; i < e->n_models; i++)
        if (e->sum[i].model) e->sum[n++] = e->sum[i];
    if (!n)
        return cli_fail(e->args->io, CLI_NOT_FOUND, "no model is for such requests", NULL, "penstock models --mode");
    forecast_sort(e->sum, n);
    return print(e, e->sum, n);
}

static int estimate(struct estimating *e) {
    struct str names = cli_value(e->args, CLI_MODEL);
    int code = names.n ? named_models(e, names) : all_models(e);
    if (code != CLI_OK) return code;
    e->sum = ARENA_ARRAY(&e->arena, struct forecast, e->n_models + 1);
    if (!e->sum) return cli_fail(e->args->io, CLI_FAILED, "out of memory", NULL, NULL);
    for (size_t i = 0; i < e->args->n_operands && code == CLI_OK; i++) code = one_file(e, e->args->operands[i]);
    return code == CLI_OK ? conclude(e) : code;
}

int cmd_estimate(const struct cli_args *args) {
    struct estimating e = {.args = args};
    if (cli_given(args, CLI_MODEL) == cli_given(args, CLI_ALL))
        return cli_fail(args->io, CLI_USAGE, "for which models: --model NAMES, or --all?", NULL, NULL);
    int code = cli_models_here(args, false, &e.conf, &e.catalog);
    if (code != CLI_OK) return code;
    arena_init(&e.arena, NULL, 0, ARENA_MAX);
    code = estimate(&e);
    arena_free(&e.arena);
    model_catalog_unref(e.catalog);
    conf_unref(e.conf);
    return code;
}
