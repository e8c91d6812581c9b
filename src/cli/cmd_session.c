// penstock session list, revoke: who is signed in, and ending that.
#include "base/json_read.h"
#include "cli/resource.h"

#define ARENA_MAX ((size_t)64 << 20)
#define TEXT_MAX ((size_t)1 << 20)

static const struct cli_column COLUMNS[] = {
    {.title = "USER", .min = 8}, {.title = "SIGNED IN"},      {.title = "LAST SEEN"}, {.title = "EXPIRES"},
    {.title = "FROM"},           {.title = "WITH", .min = 8}, {.title = "FACTORS"},   {.title = "ID"}};
struct listing {
    struct cli_api api;
    struct arena a;
    struct buf out;
    struct cli_table table;
};

static struct str when(struct listing *l, struct str row, struct str field) {
    int64_t ns;
    struct str text = cli_json_text(&l->a, row, field);
    return time_parse(text, &ns) ? cli_time_short(&l->a, ns) : text;
}

static void put(struct listing *l, struct str row) {
    if (cli_given(l->api.args, CLI_JSON)) {
        buf_put(&l->out, row);
        buf_putc(&l->out, '\n');
        return;
    }
    bool two = str_eq(cli_json_text(&l->a, row, STR("second_factor")), STR("true"));
    const struct str cells[] = {cli_json_text(&l->a, row, STR("email")),
                                when(l, row, STR("created_at")),
                                when(l, row, STR("seen_at")),
                                when(l, row, STR("expires_at")),
                                cli_json_text(&l->a, row, STR("address")),
                                cli_json_text(&l->a, row, STR("agent")),
                                two ? STR("2") : STR("1"),
                                cli_json_text(&l->a, row, STR("id"))};
    cli_table_add(&l->table, cells);
}

static int read_page(struct listing *l, struct str user, struct str *io_cursor) {
    BUF_AUTO struct buf query = BUF_INIT(TEXT_MAX);
    struct cli_answer answer;
    struct json_reader r;
    enum json_kind kind;
    struct str data, raw;
    buf_put(&query, STR("limit=200&user="));
    cli_url_put(&query, user);
    if (io_cursor->n) buf_printf(&query, "&cursor=%.*s", STR_ARG(*io_cursor));
    int code = cli_api_call(&l->api, HTTP_GET, STR("/api/v1/sessions"), buf_str(&query), STR(""), &answer);
    *io_cursor = STR("");
    if (code == CLI_OK && JSON_GET(buf_str(&answer.body), &data, STR("data"))) {
        *io_cursor = arena_str(&l->a, cli_json_text(&l->a, buf_str(&answer.body), STR("next_cursor")));
        json_reader_init(&r, data, 0);
        for (bool ok = json_enter_array(&r); ok && json_element(&r, &kind) && json_skip(&r, &raw);) put(l, raw);
    }
    cli_answer_free(&answer);
    return code;
}

// "ada@example.com" as the API has it.
static int user_id(struct listing *l, const char *word, struct str *out_id) {
    struct cli_answer answer;
    int code = cli_api_call(&l->api, HTTP_GET, resource_path(&l->a, &entity_user, word, NULL), STR("fields=id"),
                            STR(""), &answer);
    if (code == CLI_OK) *out_id = cli_json_text(&l->a, buf_str(&answer.body), STR("id"));
    cli_answer_free(&answer);
    return code;
}

int cmd_session_list(const struct cli_args *args) {
    struct listing l = {.out = BUF_INIT(ARENA_MAX)};
    struct str user = STR("all"), cursor = STR("");
    int code = cli_api_open(args, false, &l.api);
    if (code != CLI_OK) return code;
    arena_init(&l.a, NULL, 0, ARENA_MAX);
    l.table = (struct cli_table){.columns = COLUMNS, .n_columns = ARRAY_LEN(COLUMNS), .arena = &l.a};
    if (args->n_operands && !strcmp(args->operands[0], "me"))
        user = STR("me");
    else if (args->n_operands)
        code = user_id(&l, args->operands[0], &user);
    do {
        if (code == CLI_OK) code = read_page(&l, user, &cursor);
    } while (code == CLI_OK && cursor.n);
    if (code == CLI_OK) {
        if (l.table.n) cli_table_print(&l.table, args->io, &l.out);
        code = cli_print(args->io, &l.out);
        if (!l.table.n && !cli_given(args, CLI_JSON) && !cli_given(args, CLI_QUIET))
            fputs("Nobody is signed in.\n", args->io->err);
    }
    buf_free(&l.out);
    arena_free(&l.a);
    cli_api_close(&l.api);
    return code;
}

int cmd_session_revoke(const struct cli_args *args) {
    BUF_AUTO struct buf path = BUF_INIT(TEXT_MAX);
    struct cli_api api;
    int code = cli_api_open(args, false, &api);
    if (code != CLI_OK) return code;
    buf_put(&path, STR("/api/v1/sessions/"));
    cli_url_put(&path, str_c(args->operands[0]));
    code = resource_send(&api, HTTP_DELETE, buf_str(&path), STR(""), "Ended: whoever had it must sign in again.");
    cli_api_close(&api);
    return code;
}
