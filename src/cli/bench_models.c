// Finds the models to compare, and what they cost, in the server's own list: what it charges is what counts.
#include "base/json_read.h"
#include "cli/api_client.h"
#include "cli/bench.h"
#include "cli/data_client.h"
#include "model/catalog.h"

#define DEFAULT_MAX 20 // that are compared without having been named

// The price in an entry of the list, which is written as one of a catalogue.
static void read_price(struct str entry, struct price *out) {
    BUF_AUTO struct buf text = BUF_INIT((size_t)1 << 20);
    struct model_catalog *catalog;
    struct str raw;
    struct err ignored;
    *out = (struct price)PRICE_UNKNOWN;
    if (!JSON_GET(entry, &raw, STR("price")) || json_raw_kind(raw) != JSON_OBJECT) return;
    buf_printf(&text, "{\"penstock_models\":1,\"models\":{\"of/it\":{\"mode\":\"chat\",\"price\":%.*s}}}",
               STR_ARG(raw));
    if (text.failed || !model_catalog_read(buf_str(&text), STR("the server"), NULL, &catalog, &ignored)) return;
    if (model_catalog_count(catalog)) *out = model_catalog_at(catalog, 0)->price;
    model_catalog_unref(catalog);
}

// What the server tells of a name that is not in its list, since models can be asked for that no list has.
static void ask_price(const struct data_client *c, struct str name, struct price *out) {
    BUF_AUTO struct buf target = BUF_INIT(4096);
    struct cli_answer answer = {.body = BUF_INIT(0)};
    struct err ignored;
    *out = (struct price)PRICE_UNKNOWN;
    buf_lit(&target, "/v1/models/");
    cli_url_put(&target, name);
    const struct server_call call = {
        .server = c->server, .method = HTTP_GET, .target = buf_str(&target), .bearer = c->key};
    if (target.failed || !server_call(&call, &answer, &ignored)) return;
    if (answer.status == 200 && json_validate(buf_str(&answer.body), 0, &ignored))
        read_price(buf_str(&answer.body), out);
    cli_answer_free(&answer);
}

// The entry of the list with that name; false: there is none.
static bool entry_of(struct str data, struct str name, struct str *out) {
    struct json_reader r;
    enum json_kind kind;
    struct str id;
    json_reader_init(&r, data, 0);
    for (bool in = json_enter_array(&r); in && json_element(&r, &kind) && json_skip(&r, out);)
        if (JSON_GET(*out, &id, STR("id")) && json_string_eq(id, name)) return true;
    return false;
}

static void price_of(const struct data_client *c, struct str data, struct str name, struct price *out) {
    struct str entry;
    if (entry_of(data, name, &entry))
        read_price(entry, out);
    else
        ask_price(c, name, out);
}

static int too_many(const struct bench *b, size_t n) {
    char what[120];
    snprintf(what, sizeof what, "more than %zu models are too many to compare", n);
    return cli_fail(b->args->io, CLI_USAGE, what, NULL, "--models a,b,…");
}

static bool is_there(const struct bench *b, struct str name) {
    for (size_t i = 0; i < b->n_models; i++)
        if (str_eq(b->models[i].name, name)) return true;
    return false;
}

static int named(struct bench *b, const struct data_client *c, struct str data) {
    struct str list = cli_value(b->args, CLI_MODELS), name;
    while (list.n && str_split(&list, ',', &name)) {
        name = str_trim(name);
        if (!name.n || is_there(b, name)) continue;
        if (b->n_models >= BENCH_MODELS_MAX) return too_many(b, BENCH_MODELS_MAX);
        b->models[b->n_models].name = name;
        price_of(c, data, name, &b->models[b->n_models++].price);
    }
    return b->n_models ? CLI_OK : cli_fail(b->args->io, CLI_USAGE, "--models names no model", NULL, NULL);
}

// A model of which it is not known what it is for may be asked as well.
static bool chats(struct str entry) {
    struct str mode;
    return !JSON_GET(entry, &mode, STR("mode")) || json_raw_kind(mode) != JSON_STRING ||
           json_string_eq(mode, STR("chat"));
}

static int all(struct bench *b, struct str data) {
    struct json_reader r;
    enum json_kind kind;
    struct str entry, id;
    json_reader_init(&r, data, 0);
    for (bool in = json_enter_array(&r); in && json_element(&r, &kind) && json_skip(&r, &entry);) {
        struct bench_model *m = &b->models[b->n_models];
        if (!chats(entry) || !JSON_GET(entry, &id, STR("id"))) continue;
        if (b->n_models >= DEFAULT_MAX) return too_many(b, DEFAULT_MAX);
        if (!json_string_text(id, &b->arena, &m->name)) continue;
        m->name = arena_str(&b->arena, m->name);
        if (!m->name.n) continue;
        read_price(entry, &m->price);
        b->n_models++;
    }
    if (b->n_models) return CLI_OK;
    return cli_fail(b->args->io, CLI_NOT_FOUND, "the server lists no model for chats", NULL, "--models a,b,…");
}

int bench_models_find(struct bench *b) {
    struct cli_answer answer = {.body = BUF_INIT(0)};
    struct data_client c;
    struct err ignored;
    struct str data = STR("[]");
    int code = data_client_open(b->args, &c);
    if (code != CLI_OK) return code;
    b->server = c.server;
    b->models = ARENA_ARRAY(&b->arena, struct bench_model, BENCH_MODELS_MAX + 1);
    if (!b->models) return cli_fail(b->args->io, CLI_FAILED, "out of memory", NULL, NULL);
    const struct data_request r = {.method = HTTP_GET, .target = STR("/v1/models")};
    code = data_call(&c, &r, &answer);
    struct str body = buf_str(&answer.body);
    bool list = code == CLI_OK && json_validate(body, 0, &ignored) && JSON_GET(body, &data, STR("data"));
    if (code == CLI_OK && !list) data = STR("[]");
    if (code == CLI_OK) code = cli_given(b->args, CLI_MODELS) ? named(b, &c, data) : all(b, data);
    if (code == CLI_OK && b->judge.n) price_of(&c, data, b->judge, &b->judge_price);
    cli_answer_free(&answer);
    return code;
}
