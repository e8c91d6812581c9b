// penstock audit list, export, verify of a server, by its admin API.
#include "base/json_read.h"
#include "cli/audit_command.h"
#include "cli/resource.h"
#include "os/file.h"

#define ARENA_MAX ((size_t)256 << 20)
#define TEXT_MAX ((size_t)1 << 20)
#define SHOWN 50
#define PAGE 200

static void put(struct buf *out, const char *name, struct str value) {
    if (!value.n) return;
    if (out->n) buf_putc(out, '&');
    buf_printf(out, "%s=", name);
    cli_url_put(out, value);
}

static void put_time(struct buf *out, const char *name, int64_t at) {
    char text[TIME_TEXT_LEN];
    if (!at) return;
    time_text(text, at);
    put(out, name, str_of(text, sizeof text));
}

static void put_filters(struct buf *out, const struct audit_query *q) {
    put(out, "actor", q->actor);
    put(out, "action", q->action);
    put(out, "resource_type", q->resource_type);
    put(out, "resource", q->resource);
    put(out, "outcome", q->outcome);
    put(out, "address", q->address);
    put(out, "request_id", q->request_id);
    put(out, "q", q->search);
    put_time(out, "since", q->since);
    put_time(out, "until", q->until);
}

// --- list ---

struct listing {
    struct cli_api api;
    struct arena a;
    struct buf out;
    struct cli_table table;
    uint64_t left;
};

static struct str either(struct listing *l, struct str event, const char *name, const char *other) {
    struct str text = cli_json_text(&l->a, event, str_c(name));
    return text.n ? text : cli_json_text(&l->a, event, str_c(other));
}

static void put_event(struct listing *l, struct str event) {
    int64_t at;
    l->left--;
    if (cli_given(l->api.args, CLI_JSON)) {
        buf_put(&l->out, event);
        buf_putc(&l->out, '\n');
        return;
    }
    struct str time = cli_json_text(&l->a, event, STR("time")),
               resource = either(l, event, "resource_name", "resource_id");
    const struct str cells[AUDIT_COLUMNS] = {cli_json_text(&l->a, event, STR("seq")),
                                             time_parse(time, &at) ? cli_time_short(&l->a, at) : time,
                                             either(l, event, "actor_name", "actor_kind"),
                                             cli_json_text(&l->a, event, STR("action")),
                                             resource.n ? resource : cli_json_text(&l->a, event, STR("resource_type")),
                                             cli_json_text(&l->a, event, STR("outcome")),
                                             cli_json_text(&l->a, event, STR("address")),
                                             cli_json_text(&l->a, event, STR("reason"))};
    cli_table_add(&l->table, cells);
}

static int read_page(struct listing *l, struct str filter, struct str *io_cursor) {
    BUF_AUTO struct buf query = BUF_INIT(TEXT_MAX);
    struct cli_answer answer;
    struct json_reader r;
    enum json_kind kind;
    struct str data, raw;
    buf_put(&query, filter);
    put(&query, "limit", arena_printf(&l->a, "%llu", (unsigned long long)MIN(l->left, (uint64_t)PAGE)));
    put(&query, "cursor", *io_cursor);
    int code = cli_api_call(&l->api, HTTP_GET, STR("/api/v1/audit"), buf_str(&query), STR(""), &answer);
    *io_cursor = STR("");
    if (code == CLI_OK && JSON_GET(buf_str(&answer.body), &data, STR("data"))) {
        *io_cursor = arena_str(&l->a, cli_json_text(&l->a, buf_str(&answer.body), STR("next_cursor")));
        json_reader_init(&r, data, 0);
        bool ok = json_enter_array(&r);
        while (ok && l->left && json_element(&r, &kind) && json_skip(&r, &raw)) put_event(l, raw);
    }
    cli_answer_free(&answer);
    return code;
}

int audit_list_by_api(const struct cli_args *args, const struct audit_query *q) {
    struct listing l = {.out = BUF_INIT(ARENA_MAX), .left = cli_number(args, CLI_LIMIT, SHOWN)};
    BUF_AUTO struct buf filter = BUF_INIT(TEXT_MAX);
    struct str cursor = STR("");
    int code = cli_api_open(args, false, &l.api);
    if (code != CLI_OK) return code;
    if (!l.left) l.left = UINT64_MAX;
    arena_init(&l.a, NULL, 0, ARENA_MAX);
    l.table = (struct cli_table){.columns = AUDIT_TABLE, .n_columns = AUDIT_COLUMNS, .arena = &l.a};
    put_filters(&filter, q);
    do {
        code = read_page(&l, buf_str(&filter), &cursor);
    } while (code == CLI_OK && l.left && cursor.n);
    if (code == CLI_OK) {
        if (l.table.n) cli_table_print(&l.table, args->io, &l.out);
        bool none = !l.table.n && !l.out.n;
        code = cli_print(args->io, &l.out);
        if (none && !cli_given(args, CLI_QUIET)) fputs("There is no such event.\n", args->io->err);
    }
    buf_free(&l.out);
    arena_free(&l.a);
    cli_api_close(&l.api);
    return code;
}

// --- export ---

struct output {
    FILE *out;
    struct file file; // closed: standard output
    bool failed;
};

static bool take_piece(void *ctx, struct str piece) {
    struct output *o = ctx;
    struct err err;
    bool ok = o->file.path ? file_append(&o->file, piece, &err) : fwrite(piece.p, 1, piece.n, o->out) == piece.n;
    o->failed = o->failed || !ok;
    return ok;
}

int audit_export_by_api(const struct cli_args *args, const struct audit_query *q) {
    struct str path = cli_value(args, CLI_OUTPUT);
    struct output o = {.out = args->io->out};
    BUF_AUTO struct buf query = BUF_INIT(TEXT_MAX), target = BUF_INIT(TEXT_MAX);
    struct cli_api api;
    struct err err;
    int code = cli_api_open(args, false, &api);
    if (code != CLI_OK) return code;
    put_filters(&query, q);
    put(&query, "format", cli_value(args, CLI_FORMAT));
    buf_put(&target, STR("/api/v1/audit/export"));
    if (query.n) buf_printf(&target, "?%.*s", STR_ARG(buf_str(&query)));
    // Only for its owner: it says who did what.
    bool to_file = path.n && !str_eq(path, STR("-"));
    if (to_file && !file_open(path, FILE_WRITE | FILE_CREATE | FILE_TRUNCATE | FILE_APPEND, 0600, &o.file, &err))
        code = cli_fail_err(args->io, &err, "cannot write the export", NULL);
    if (code == CLI_OK) code = cli_api_pull(&api, buf_str(&target), take_piece, &o);
    bool kept = !o.failed && (to_file ? !o.file.path || file_sync(&o.file, &err) : fflush(o.out) == 0);
    if (code == CLI_OK && !kept) code = cli_fail(args->io, CLI_FAILED, "cannot write the export", NULL, NULL);
    file_close(&o.file);
    cli_api_close(&api);
    return code;
}

// --- verify ---

int audit_verify_by_api(const struct cli_args *args, int64_t since) {
    BUF_AUTO struct buf body = BUF_INIT(TEXT_MAX);
    struct cli_api api;
    struct cli_answer answer;
    struct arena a;
    struct json_writer w;
    int code = cli_api_open(args, false, &api);
    if (code != CLI_OK) return code;
    arena_init(&a, NULL, 0, ARENA_MAX);
    json_writer_init(&w, &body);
    json_put_object(&w);
    if (since) json_put_member_i64(&w, STR("since"), since);
    if (cli_given(args, CLI_KEY)) json_put_member_str(&w, STR("key"), str_trim(cli_value(args, CLI_KEY)));
    json_put_object_end(&w);
    code = cli_api_call(&api, HTTP_POST, STR("/api/v1/audit/verify"), STR(""), buf_str(&body), &answer);
    if (code == CLI_OK) {
        struct str verdict = buf_str(&answer.body), why = cli_json_text(&a, verdict, STR("reason"));
        bool sound = str_eq(cli_json_text(&a, verdict, STR("sound")), STR("true"));
        code = resource_print(args, verdict);
        if (code == CLI_OK && !sound)
            code = cli_fail(args->io, CLI_FAILED, "the audit trail is not sound",
                            arena_printf(&a, "%.*s", STR_ARG(why)).p, NULL);
    }
    cli_answer_free(&answer);
    arena_free(&a);
    cli_api_close(&api);
    return code;
}
