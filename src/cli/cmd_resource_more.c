// penstock tenant suspend, team add, key rotate, elevation approve, …: what is more than rows.
#include "cli/resource.h"

#include "base/json_read.h"

#define ARENA_MAX ((size_t)64 << 20)

struct running {
    struct cli_api api;
    struct arena a;
    struct buf body;
};

static int begin(struct running *r, const struct cli_args *args) {
    int code = cli_api_open(args, false, &r->api);
    if (code != CLI_OK) return code;
    arena_init(&r->a, NULL, 0, ARENA_MAX);
    buf_init(&r->body, ARENA_MAX);
    return CLI_OK;
}

static int end(struct running *r, int code) {
    buf_free(&r->body);
    arena_free(&r->a);
    cli_api_close(&r->api);
    return code;
}

// POST to an action of the row that the first operand names, with the rest as its body.
static int act(const struct cli_args *args, const struct entity *e, const char *action, const char *done) {
    struct running r;
    int code = begin(&r, args);
    if (code != CLI_OK) return code;
    const char *row;
    code = resource_row(&r.api, &r.a, e, args->operands[0], &row);
    if (code == CLI_OK) code = resource_body(args, NULL, 1, &r.body);
    if (code == CLI_OK)
        code = resource_send(&r.api, HTTP_POST, resource_path(&r.a, e, row, action), buf_str(&r.body), done);
    return end(&r, code);
}

int cmd_tenant_suspend(const struct cli_args *args) {
    return act(args, &entity_tenant, "suspend", "Suspended: its keys and people are refused from now on.");
}
int cmd_tenant_resume(const struct cli_args *args) { return act(args, &entity_tenant, "resume", "Resumed."); }
int cmd_key_rotate(const struct cli_args *args) {
    return act(args, &entity_key, "rotate", "The new key is shown only this once: keep it safe.");
}
// What the key used in all its time; empty when there is nothing, or the caller may not see it.
static struct str key_usage(struct running *r, const char *id) {
    struct cli_answer answer;
    struct json_reader j;
    enum json_kind kind;
    struct str data, one = STR("");
    struct str query = arena_printf(&r->a, "by=key&key=%s", id);
    r->api.quiet = true;
    int code = cli_api_call(&r->api, HTTP_GET, STR("/api/v1/usage/sums"), query, STR(""), &answer);
    r->api.quiet = false;
    if (code == CLI_OK && JSON_GET(buf_str(&answer.body), &data, STR("data"))) {
        json_reader_init(&j, data, 0);
        if (!json_enter_array(&j) || !json_element(&j, &kind) || !json_skip(&j, &one)) one = STR("");
    }
    one = arena_str(&r->a, one);
    cli_answer_free(&answer);
    return one;
}

static void put_used(struct running *r, struct str usage) {
    static const struct {
        const char *name, *title;
    } fields[] = {{"requests", "requests"},
                  {"errors", "errors"},
                  {"input_tokens", "input tokens"},
                  {"output_tokens", "output tokens"},
                  {"cost_usd", "cost $"}};
    for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
        struct str value = cli_json_text(&r->a, usage, str_c(fields[i].name));
        if (value.n) buf_printf(&r->body, "%-20s  %.*s\n", fields[i].title, STR_ARG(value));
    }
}

static int show_key(struct running *r, const struct cli_args *args, const char *id) {
    struct cli_answer answer;
    int code = cli_api_call(&r->api, HTTP_GET, resource_path(&r->a, &entity_key, id, NULL), STR(""), STR(""), &answer);
    struct str row = str_trim(buf_str(&answer.body));
    if (code == CLI_OK && row.n) {
        struct str usage = key_usage(r, id);
        bool json = cli_given(args, CLI_JSON);
        if (json) // before the brace that closes it
            row = arena_printf(&r->a, "%.*s,\"usage\":%.*s}", STR_ARG(str_head(row, row.n - 1)),
                               STR_ARG(usage.n ? usage : STR("null")));
        code = resource_print(args, row);
        if (!json) put_used(r, usage);
        if (code == CLI_OK) code = cli_print(args->io, &r->body);
    }
    cli_answer_free(&answer);
    return code;
}

int cmd_key_show(const struct cli_args *args) {
    struct running r;
    const char *row;
    int code = begin(&r, args);
    if (code != CLI_OK) return code;
    code = resource_row(&r.api, &r.a, &entity_key, args->operands[0], &row);
    if (code == CLI_OK) code = show_key(&r, args, row);
    return end(&r, code);
}
int cmd_key_collect(const struct cli_args *args) {
    return act(args, &entity_key, "collect", "The key is shown only this once: keep it safe. The overlap has begun.");
}
int cmd_elevation_approve(const struct cli_args *args) { return act(args, &entity_elevation, "approve", "Approved."); }
int cmd_elevation_refuse(const struct cli_args *args) { return act(args, &entity_elevation, "refuse", "Refused."); }

// --- budgets ---

static void put_periods(struct running *r, struct str body) {
    bool json = cli_given(r->api.args, CLI_JSON);
    struct str data, one;
    struct json_reader j;
    enum json_kind kind;
    if (!JSON_GET(body, &data, STR("data"))) return;
    json_reader_init(&j, data, 0);
    if (!json) buf_printf(&r->body, "%-24s  %-24s  USED\n", "FROM", "TO");
    for (bool ok = json_enter_array(&j); ok && json_element(&j, &kind) && json_skip(&j, &one);) {
        if (json)
            buf_printf(&r->body, "%.*s\n", STR_ARG(one));
        else
            buf_printf(&r->body, "%-24.*s  %-24.*s  %.*s\n", STR_ARG(cli_json_text(&r->a, one, STR("period_start"))),
                       STR_ARG(cli_json_text(&r->a, one, STR("period_end"))),
                       STR_ARG(cli_json_text(&r->a, one, STR("used"))));
    }
}

int cmd_budget_history(const struct cli_args *args) {
    struct running r;
    struct cli_answer answer;
    uint64_t limit = cli_number(args, CLI_LIMIT, 0);
    int code = begin(&r, args);
    if (code != CLI_OK) return code;
    struct str query = limit ? arena_printf(&r.a, "limit=%llu", (unsigned long long)limit) : STR("");
    code = cli_api_call(&r.api, HTTP_GET, resource_path(&r.a, &entity_budget, args->operands[0], "history"), query,
                        STR(""), &answer);
    if (code == CLI_OK) {
        put_periods(&r, buf_str(&answer.body));
        code = cli_print(args->io, &r.body);
    }
    cli_answer_free(&answer);
    return end(&r, code);
}

// --- members of teams ---

int cmd_team_members(const struct cli_args *args) {
    struct running r;
    int code = begin(&r, args);
    if (code != CLI_OK) return code;
    struct cli_answer answer;
    code = cli_api_call(&r.api, HTTP_GET, resource_path(&r.a, &entity_team, args->operands[0], "members"), STR(""),
                        STR(""), &answer);
    struct str data;
    struct json_reader j;
    enum json_kind kind;
    if (code == CLI_OK && JSON_GET(buf_str(&answer.body), &data, STR("data"))) {
        json_reader_init(&j, data, 0);
        bool ok = json_enter_array(&j);
        for (struct str one; ok && json_element(&j, &kind) && json_skip(&j, &one);) {
            if (cli_given(args, CLI_JSON))
                buf_put(&r.body, one);
            else
                buf_printf(&r.body, "%-28.*s %-16.*s %.*s", STR_ARG(cli_json_text(&r.a, one, STR("principal"))),
                           STR_ARG(cli_json_text(&r.a, one, STR("kind"))),
                           STR_ARG(cli_json_text(&r.a, one, STR("name"))));
            buf_putc(&r.body, '\n');
        }
        code = cli_print(args->io, &r.body);
    }
    cli_answer_free(&answer);
    return end(&r, code);
}

static int member(const struct cli_args *args, enum http_method method, const char *done) {
    struct running r;
    int code = begin(&r, args);
    if (code != CLI_OK) return code;
    buf_put(&r.body, resource_path(&r.a, &entity_team, args->operands[0], "members/"));
    cli_url_put(&r.body, str_c(args->operands[1]));
    struct str path = arena_str(&r.a, buf_str(&r.body));
    return end(&r, resource_send(&r.api, method, path, STR(""), done));
}
int cmd_team_add(const struct cli_args *args) { return member(args, HTTP_PUT, "Added."); }
int cmd_team_remove(const struct cli_args *args) { return member(args, HTTP_DELETE, "Removed."); }
