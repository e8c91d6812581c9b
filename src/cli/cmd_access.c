// penstock access explain, access matrix: who may do what, and why.
#include "cli/resource.h"

#include "base/json_read.h"
#include "cli/names.h"
#include "os/clock.h"

#define ARENA_MAX ((size_t)64 << 20)
#define CONSIDERED_SHOWN 12

struct running {
    struct cli_api api;
    struct arena a;
    struct buf body;
    struct cli_names names;
};

static int begin(struct running *r, const struct cli_args *args) {
    int code = cli_api_open(args, false, &r->api);
    if (code != CLI_OK) return code;
    arena_init(&r->a, NULL, 0, ARENA_MAX);
    buf_init(&r->body, ARENA_MAX);
    r->names = (struct cli_names){.api = &r->api, .arena = &r->a};
    return CLI_OK;
}

static int end(struct running *r, int code) {
    buf_free(&r->body);
    cli_names_free(&r->names);
    arena_free(&r->a);
    cli_api_close(&r->api);
    return code;
}

// --- the question ---

static void put_parameter(struct buf *query, const char *name, struct str value) {
    if (query->n) buf_putc(query, '&');
    buf_printf(query, "%s=", name);
    cli_url_put(query, value);
}

static const char *parameter_of(struct str word) {
    static const char *const names[] = {"team", "project", "tags", "scopes", "at"};
    struct str name = str_head(word, str_find_char(word, '='));
    for (size_t i = 0; name.n < word.n && i < ARRAY_LEN(names); i++)
        if (str_eq(name, str_c(names[i]))) return names[i];
    return NULL;
}

static int put_at(struct running *r, const struct cli_args *args, struct buf *query, struct str value) {
    char text[TIME_TEXT_LEN];
    int64_t ns;
    if (!cli_when(value, clock_unix_ns(), false, &ns))
        return cli_fail(args->io, CLI_USAGE, "at is a time from now or a date", NULL, "at=24h, at=2027-01-31");
    time_text(text, ns);
    put_parameter(query, "at", arena_str(&r->a, str_of(text, sizeof text)));
    return CLI_OK;
}

// "key/NAME" and "key/PREFIX" as the key's id.
static int put_who(struct running *r, struct buf *query, const char *who) {
    const char *row = who;
    int code = CLI_OK;
    if (str_starts(str_c(who), STR("key/"))) code = resource_row(&r->api, &r->a, &entity_key, who + 4, &row);
    if (code == CLI_OK) put_parameter(query, "principal", str_c(row));
    return code;
}

static int put_question(struct running *r, const struct cli_args *args, struct buf *query) {
    bool resource = false;
    int code = put_who(r, query, args->operands[0]);
    put_parameter(query, "action", str_c(args->operands[1]));
    for (size_t i = 2; code == CLI_OK && i < args->n_operands; i++) {
        struct str word = str_c(args->operands[i]);
        const char *name = parameter_of(word);
        struct str value = name ? str_from(word, strlen(name) + 1) : word;
        if (!name && resource) {
            char what[200];
            snprintf(what, sizeof what, "\"%.*s\" is not understood", (int)MIN(word.n, (size_t)80), word.p);
            return cli_fail(args->io, CLI_USAGE, what,
                            "one resource can be asked about, and team=, project=, tags=, "
                            "scopes= and at= may be given",
                            NULL);
        }
        resource = resource || !name;
        if (name && !strcmp(name, "at"))
            code = put_at(r, args, query, value);
        else
            put_parameter(query, name ? name : "resource", value);
    }
    return code;
}

// --- the answer ---

static struct str member(struct running *r, struct str object, const char *name) {
    return cli_json_text(&r->a, object, str_c(name));
}

static struct str inner(struct str object, struct str name) {
    struct str raw;
    return json_get(object, &name, 1, &raw) ? raw : STR("{}");
}

// An id as what it is called.
static void put_part(struct running *r, const char *before, struct str text) {
    struct str kind, name;
    if (text.n)
        buf_printf(&r->body, "%s%.*s", before, STR_ARG(cli_name_of(&r->names, text, &kind, &name) ? name : text));
}

// "grant_0… gives the role viewer to team search in project web on model/gpt-* until …, given by user ada@example.com"
static void put_grant(struct running *r, struct str grant) {
    struct str to = inner(grant, STR("principal")), by = inner(grant, STR("granted_by")),
               role = member(r, grant, "role");
    bool deny = str_eq(member(r, grant, "effect"), STR("deny"));
    put_part(r, "", member(r, grant, "id"));
    buf_put(&r->body, deny ? STR(" denies ") : STR(" gives "));
    put_part(r, role.n ? "the role " : "", role.n ? role : member(r, grant, "permissions"));
    put_part(r, " to ", member(r, to, "kind"));
    put_part(r, " ", member(r, to, "id"));
    put_part(r, " in ", member(r, grant, "scope"));
    put_part(r, " ", member(r, grant, "scope_id"));
    put_part(r, " on ", member(r, grant, "resource"));
    put_part(r, " if ", member(r, grant, "condition"));
    put_part(r, " from ", member(r, grant, "not_before"));
    put_part(r, " until ", member(r, grant, "expires_at"));
    put_part(r, ", given by ", member(r, by, "kind"));
    put_part(r, " ", member(r, by, "id"));
    buf_putc(&r->body, '\n');
}

static void put_chain(struct running *r, struct str body) {
    struct str chain, one;
    struct json_reader j;
    enum json_kind kind;
    if (!JSON_GET(body, &chain, STR("chain"))) return;
    json_reader_init(&j, chain, 0);
    bool first = true;
    for (bool ok = json_enter_array(&j); ok && json_element(&j, &kind) && json_skip(&j, &one); first = false) {
        buf_put(&r->body, first ? STR("  by    ") : STR("  from  "));
        put_grant(r, one);
    }
}

// What there is, and why it does not say yes.
static void put_considered(struct running *r, struct str body) {
    struct str list, one;
    struct json_reader j;
    enum json_kind kind;
    size_t n = 0;
    if (!JSON_GET(body, &list, STR("considered"))) return;
    json_reader_init(&j, list, 0);
    for (bool ok = json_enter_array(&j); ok && json_element(&j, &kind) && json_skip(&j, &one);) {
        struct str why = member(r, one, "why_not");
        if (!why.n || n++ >= CONSIDERED_SHOWN) continue;
        buf_put(&r->body, STR("  not   "));
        put_grant(r, inner(one, STR("grant")));
        buf_printf(&r->body, "        %.*s\n", STR_ARG(why));
    }
    if (n > CONSIDERED_SHOWN) buf_printf(&r->body, "  and %zu more, which --json shows\n", n - CONSIDERED_SHOWN);
}

static void put_answer(struct running *r, struct str body) {
    bool allowed = str_eq(member(r, body, "allowed"), STR("true"));
    struct str resource = inner(body, STR("resource"));
    buf_printf(&r->body, "%s: %.*s\n", allowed ? "yes" : "no", STR_ARG(member(r, body, "because")));
    struct str who = inner(body, STR("principal"));
    put_part(r, "  who   ", member(r, who, "kind"));
    put_part(r, " ", member(r, who, "id"));
    put_part(r, "\n  what  ", member(r, body, "permission"));
    put_part(r, " on ", member(r, resource, "name"));
    put_part(r, " in ", member(r, resource, "tenant"));
    put_part(r, ", ", member(r, resource, "team"));
    put_part(r, ", ", member(r, resource, "project"));
    buf_putc(&r->body, '\n');
    put_chain(r, body);
    if (!allowed) put_considered(r, body);
}

int cmd_access_explain(const struct cli_args *args) {
    struct running r;
    BUF_AUTO struct buf query = BUF_INIT(ARENA_MAX);
    struct cli_answer answer = {0};
    int code = begin(&r, args);
    if (code != CLI_OK) return code;
    code = put_question(&r, args, &query);
    if (code == CLI_OK)
        code = cli_api_call(&r.api, HTTP_GET, STR("/api/v1/access/explain"), buf_str(&query), STR(""), &answer);
    if (code == CLI_OK) {
        struct str body = str_trim(buf_str(&answer.body));
        if (cli_given(args, CLI_JSON)) {
            buf_put(&r.body, body);
            buf_putc(&r.body, '\n');
        } else {
            put_answer(&r, body);
        }
        code = cli_print(args->io, &r.body);
        // The answer is the exit code too, for scripts.
        if (code == CLI_OK && !str_eq(cli_json_text(&r.a, body, STR("allowed")), STR("true"))) code = CLI_REFUSED;
    }
    cli_answer_free(&answer);
    return end(&r, code);
}

// --- the matrix ---

static void put_matrix_row(struct running *r, struct str role) {
    struct str permissions, key, name, actions;
    struct json_reader j;
    enum json_kind kind;
    buf_printf(&r->body, "%.*s\n", STR_ARG(cli_json_text(&r->a, role, STR("name"))));
    if (!JSON_GET(role, &permissions, STR("permissions"))) return;
    json_reader_init(&j, permissions, 0);
    if (!json_enter_object(&j)) return;
    while (json_member(&j, &key, &kind)) {
        if (!json_skip(&j, &actions) || !json_string_text(key, &r->a, &name)) return;
        struct str text = cli_json_text(&r->a, permissions, name);
        if (text.n) buf_printf(&r->body, "  %-16.*s %.*s\n", STR_ARG(name), STR_ARG(text));
    }
}

int cmd_access_matrix(const struct cli_args *args) {
    struct running r;
    struct cli_answer answer;
    int code = begin(&r, args);
    if (code != CLI_OK) return code;
    code = cli_api_call(&r.api, HTTP_GET, STR("/api/v1/access/matrix"), STR(""), STR(""), &answer);
    if (code == CLI_OK) {
        struct str body = str_trim(buf_str(&answer.body)), roles, one;
        struct json_reader j;
        enum json_kind kind;
        if (cli_given(args, CLI_JSON)) {
            buf_put(&r.body, body);
            buf_putc(&r.body, '\n');
        } else if (JSON_GET(body, &roles, STR("roles"))) {
            json_reader_init(&j, roles, 0);
            for (bool ok = json_enter_array(&j); ok && json_element(&j, &kind) && json_skip(&j, &one);)
                put_matrix_row(&r, one);
        }
        code = cli_print(args->io, &r.body);
    }
    cli_answer_free(&answer);
    return end(&r, code);
}
