// penstock NOUN list, show, create, update, delete: the rows of every entity, from the one table of its fields.
#include "cli/resource.h"

#include "base/json_read.h"
#include "conf/opt.h"
#include "os/clock.h"

#define ARENA_MAX ((size_t)256 << 20)
#define TEXT_MAX ((size_t)16 << 20)

// --- from words to JSON ---

// "team" is taken for "team_id" too.
static const struct entity_field *field_find(const struct entity *e, struct str name) {
    char id[64];
    size_t i = entity_field_index(e, name);
    if (i >= e->n && name.n < 60) {
        int n = snprintf(id, sizeof id, "%.*s_id", STR_ARG(name));
        i = entity_field_index(e, str_of(id, (size_t)n));
    }
    return i < e->n ? &e->fields[i] : NULL;
}

static int unknown_field(const struct cli_args *args, const struct entity *e, struct str name) {
    struct str names[ENTITY_FIELDS_MAX];
    char what[200], next[200];
    for (size_t i = 0; i < e->n; i++) names[i] = e->fields[i].name;
    struct str near = opt_nearest(name, names, e->n);
    snprintf(what, sizeof what, "a %.*s has no field \"%.*s\"", STR_ARG(e->name), (int)MIN(name.n, (size_t)80), name.p);
    if (near.n) snprintf(next, sizeof next, "did you mean %.*s?", STR_ARG(near));
    return cli_fail(args->io, CLI_USAGE, what, NULL,
                    near.n ? next : "penstock help, with the command, lists the fields");
}

static void put_list(struct json_writer *w, struct str value, bool numbers) {
    struct str one;
    json_put_array(w);
    while (value.n && str_split(&value, ',', &one)) {
        one = str_trim(one);
        if (!one.n) continue;
        if (numbers)
            json_put_raw(w, one);
        else
            json_put_str(w, one);
    }
    json_put_array_end(w);
}

static void put_map(struct json_writer *w, struct str value) {
    struct str one;
    json_put_object(w);
    while (value.n && str_split(&value, ',', &one)) {
        size_t at = str_find(one, STR("="));
        json_put_member_str(w, str_trim(str_head(one, at)), str_trim(str_from(one, MIN(at + 1, one.n))));
    }
    json_put_object_end(w);
}

static bool is_number(struct str text) {
    struct err err;
    return text.n && json_validate(text, 1, &err) && json_raw_kind(text) == JSON_NUMBER;
}

static bool put_time(struct json_writer *w, struct str value) {
    char text[TIME_TEXT_LEN];
    int64_t ns;
    if (!cli_when(value, clock_unix_ns(), false, &ns)) return false;
    time_text(text, ns);
    json_put_str(w, str_of(text, sizeof text));
    return true;
}

// What does not fit the field's type goes as text: the API says what it expected.
static void put_field(struct json_writer *w, const struct entity_field *f, struct str value) {
    bool empty = value.n == 0;
    switch (f->type) {
    case ENTITY_BOOL:
        if (str_eq(value, STR("true")) || str_eq(value, STR("yes")))
            json_put_bool(w, true);
        else if (str_eq(value, STR("false")) || str_eq(value, STR("no")))
            json_put_bool(w, false);
        else
            json_put_str(w, value);
        return;
    case ENTITY_I64:
    case ENTITY_MONEY:
    case ENTITY_AMOUNT:
        if (is_number(value))
            json_put_raw(w, value);
        else
            json_put_str(w, value);
        return;
    case ENTITY_LIST:
    case ENTITY_NUMBERS:
        put_list(w, value, f->type == ENTITY_NUMBERS);
        return;
    case ENTITY_MAP:
        put_map(w, value);
        return;
    case ENTITY_TIME:
        if (empty)
            json_put_null(w);
        else if (!put_time(w, value))
            json_put_str(w, value);
        return;
    case ENTITY_REF:
    case ENTITY_ANY_REF:
    case ENTITY_DURATION:
        if (empty)
            json_put_null(w);
        else
            json_put_str(w, value);
        return;
    case ENTITY_TEXT:
    case ENTITY_ENUM:
    case ENTITY_BLOB:
        json_put_str(w, value);
        return;
    }
}

// A bare first word is the name that a new row is called by.
static bool takes_name(const struct entity *e, size_t first, struct str word) {
    return e && first == 0 && e->called_by.n && str_find(word, STR("=")) == word.n;
}

int resource_body(const struct cli_args *args, const struct entity *e, size_t first, struct buf *out) {
    struct json_writer w;
    json_writer_init(&w, out);
    json_put_object(&w);
    if (first < args->n_operands && takes_name(e, first, str_c(args->operands[first]))) {
        json_put_member_str(&w, e->called_by, str_c(args->operands[first]));
        first++;
    }
    for (size_t i = first; i < args->n_operands; i++) {
        struct str word = str_c(args->operands[i]);
        size_t at = str_find(word, STR("="));
        struct str name = str_head(word, at), value = str_from(word, MIN(at + 1, word.n));
        if (at == word.n) {
            char what[200], next[200];
            snprintf(what, sizeof what, "\"%.*s\" is not FIELD=VALUE", (int)MIN(word.n, (size_t)80), word.p);
            snprintf(next, sizeof next, "penstock %s --help, which lists the fields", args->command->name);
            return cli_fail(args->io, CLI_USAGE, what, NULL, next);
        }
        const struct entity_field *f = e ? field_find(e, name) : NULL;
        if (e && (!f || f->flags & ENTITY_HIDDEN)) return unknown_field(args, e, name);
        json_put_key(&w, f ? f->name : name);
        if (f)
            put_field(&w, f, value);
        else
            json_put_str(&w, value);
    }
    json_put_object_end(&w);
    return out->failed ? cli_fail(args->io, CLI_USAGE, "too many values were given", NULL, NULL) : CLI_OK;
}

// --- the verbs ---

static struct str path_of(struct arena *a, const struct entity *e, const char *row, const char *action) {
    BUF_AUTO struct buf out = BUF_INIT(TEXT_MAX);
    buf_printf(&out, "/api/v1/%.*s", STR_ARG(e->plural));
    if (row) {
        buf_putc(&out, '/');
        cli_url_put(&out, str_c(row));
    }
    if (action) buf_printf(&out, "/%s", action);
    return arena_str(a, buf_str(&out));
}

struct str resource_path(struct arena *a, const struct entity *e, const char *row, const char *action) {
    return path_of(a, e, row, action);
}

static void put_parameter(struct buf *out, struct str name, struct str value) {
    cli_url_put(out, name);
    buf_putc(out, '=');
    cli_url_put(out, value);
}

// Adds the ids of the rows that have this value; the first into *out_id.
static int rows_with(struct cli_api *api, struct arena *a, const char *field, const char *value, struct str *out_id,
                     size_t *io_n) {
    BUF_AUTO struct buf query = BUF_INIT(TEXT_MAX);
    struct cli_answer answer;
    struct json_reader r;
    enum json_kind kind;
    struct str data, raw;
    put_parameter(&query, str_c(field), str_c(value));
    int code = cli_api_call(api, HTTP_GET, STR("/api/v1/keys"), buf_str(&query), STR(""), &answer);
    if (code == CLI_OK && JSON_GET(buf_str(&answer.body), &data, STR("data"))) {
        json_reader_init(&r, data, 0);
        for (bool ok = json_enter_array(&r); ok && json_element(&r, &kind) && json_skip(&r, &raw);) {
            // One that was revoked or replaced does not stand in the way of another of its name.
            bool by_name = strcmp(field, "name") == 0;
            if (cli_json_text(a, raw, STR("revoked_at")).n) continue;
            if (by_name && cli_json_text(a, raw, STR("replaced_by")).n) continue;
            if ((*io_n)++ == 0) *out_id = cli_json_text(a, raw, STR("id"));
        }
    }
    cli_answer_free(&answer);
    return code;
}

int resource_row(struct cli_api *api, struct arena *a, const struct entity *e, const char *word, const char **out_row) {
    struct str id = STR_NONE;
    size_t n = 0;
    char what[200];
    *out_row = word;
    if (e != &entity_key || str_starts(str_c(word), e->prefix)) return CLI_OK;
    int code = rows_with(api, a, "name", word, &id, &n);
    if (code == CLI_OK) code = rows_with(api, a, "prefix", word, &id, &n);
    if (code != CLI_OK) return code;
    if (n == 1) {
        *out_row = arena_printf(a, "%.*s", STR_ARG(id)).p;
        return *out_row ? CLI_OK : CLI_FAILED;
    }
    snprintf(what, sizeof what, n ? "\"%.80s\" means %zu keys" : "there is no key \"%.80s\"", word, n);
    return cli_fail(api->args->io, n ? CLI_USAGE : CLI_NOT_FOUND, what, NULL, "penstock key list");
}

int resource_send(struct cli_api *api, enum http_method method, struct str path, struct str body, const char *done) {
    struct cli_answer answer;
    const struct cli_args *args = api->args;
    int code = cli_api_call(api, method, path, STR(""), body, &answer);
    if (code == CLI_OK && answer.body.n) code = resource_show(api, buf_str(&answer.body));
    if (code == CLI_OK && done && !cli_given(args, CLI_QUIET) && !cli_given(args, CLI_JSON))
        fprintf(args->io->err, "%s\n", done);
    cli_answer_free(&answer);
    return code;
}

static int run(struct cli_api *api, const struct entity *e, enum resource_verb verb, struct arena *a) {
    const struct cli_args *args = api->args;
    BUF_AUTO struct buf body = BUF_INIT(TEXT_MAX);
    const char *row = NULL;
    int code = CLI_OK;
    if (verb != RESOURCE_LIST && verb != RESOURCE_NEW) code = resource_row(api, a, e, args->operands[0], &row);
    if (code != CLI_OK) return code;
    struct str path = path_of(a, e, row, NULL);
    switch (verb) {
    case RESOURCE_LIST:
        return resource_list(api, e, path, 0);
    case RESOURCE_SHOW:
        return resource_send(api, HTTP_GET, path, STR(""), NULL);
    case RESOURCE_NEW:
        code = resource_body(args, e, 0, &body);
        return code == CLI_OK ? resource_send(api, HTTP_POST, path, buf_str(&body), NULL) : code;
    case RESOURCE_CHANGE:
        code = resource_body(args, e, 1, &body);
        return code == CLI_OK ? resource_send(api, HTTP_PATCH, path, buf_str(&body), NULL) : code;
    case RESOURCE_REMOVE:
        if (e == &entity_tenant) return tenant_remove(api, path);
        return resource_send(api, HTTP_DELETE, path, STR(""), "Deleted.");
    }
    return CLI_FAILED;
}

int resource_run(const struct cli_args *args, const struct entity *e, enum resource_verb verb) {
    struct cli_api api;
    struct arena a;
    int code = cli_api_open(args, verb == RESOURCE_NEW, &api);
    if (code != CLI_OK) return code;
    arena_init(&a, NULL, 0, ARENA_MAX);
    code = run(&api, e, verb, &a);
    arena_free(&a);
    cli_api_close(&api);
    return code;
}

const struct entity *resource_entity(const struct cli_command *command) {
    char noun[40];
    struct str group = cli_command_group(command);
    size_t n = 0;
    for (; n < group.n && n < sizeof noun; n++) noun[n] = group.p[n] == '-' ? '_' : group.p[n];
    return entity_find(str_of(noun, n));
}

int cmd_resource(const struct cli_args *args) {
    static const struct {
        const char *word;
        enum resource_verb verb;
    } verbs[] = {{"list", RESOURCE_LIST},
                 {"show", RESOURCE_SHOW},
                 {"create", RESOURCE_NEW},
                 {"update", RESOURCE_CHANGE},
                 {"delete", RESOURCE_REMOVE}};
    const struct entity *e = resource_entity(args->command);
    struct str word = cli_command_word(args->command);
    for (size_t i = 0; e && i < ARRAY_LEN(verbs); i++)
        if (str_eq(word, str_c(verbs[i].word))) return resource_run(args, e, verbs[i].verb);
    return CLI_FAILED;
}
