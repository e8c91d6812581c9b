// penstock audit list, tail, export.
#include "cli/audit_command.h"
#include "cli/server_call.h"

#include "os/clock.h"

#define ARENA_MAX ((size_t)256 * 1024 * 1024)
#define OUT_MAX ((size_t)64 * 1024 * 1024)
#define SHOWN 50      // in a table, unless --limit says otherwise
#define TAIL_SHOWN 10 // before those that come
#define LOOK_NS (500 * NS_PER_MS)

int audit_command_open(const struct cli_args *args, struct cli_data *out_data, int64_t *out_tenant) {
    struct err err;
    int code = cli_data_open(args, false, out_data);
    if (code != CLI_OK) return code;
    *out_tenant = AUDIT_TENANT_DEFAULT;
    if (!cli_given(args, CLI_TENANT) || tenant_find(out_data->db, cli_value(args, CLI_TENANT), out_tenant, &err))
        return CLI_OK;
    code = cli_fail_err(args->io, &err, "there is no such tenant", NULL);
    cli_data_close(out_data);
    return code;
}

// --- what is looked for ---

static bool field_take(struct audit_query *q, struct str name, struct str value) {
    const struct {
        struct str name;
        struct str *to;
    } fields[] = {{STR("actor"), &q->actor},       {STR("action"), &q->action},   {STR("type"), &q->resource_type},
                  {STR("resource"), &q->resource}, {STR("outcome"), &q->outcome}, {STR("address"), &q->address},
                  {STR("request"), &q->request_id}};
    for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
        if (!str_eq(name, fields[i].name)) continue;
        *fields[i].to = value;
        return true;
    }
    return false;
}

static int query_read(const struct cli_args *args, struct arena *a, struct audit_query *q) {
    *q = (struct audit_query){.limit = AUDIT_PAGE_MAX};
    for (size_t i = 0; i < args->n_operands; i++) {
        struct str word = str_c(args->operands[i]);
        size_t equals = str_find_char(word, '=');
        if (equals == word.n) {
            q->search = q->search.n ? arena_printf(a, "%.*s %.*s", STR_ARG(q->search), STR_ARG(word)) : word;
            continue;
        }
        if (field_take(q, str_head(word, equals), str_from(word, equals + 1))) continue;
        char what[200];
        snprintf(what, sizeof what, "an event has no field \"%.*s\"", STR_ARG(str_head(str_head(word, equals), 100)));
        return cli_fail(args->io, CLI_USAGE, what, NULL,
                        "actor, action, type, resource, outcome, address or request; or words, without =");
    }
    if (!cli_when_option(args, CLI_SINCE, true, 0, &q->since) || !cli_when_option(args, CLI_UNTIL, true, 0, &q->until))
        return CLI_USAGE;
    return CLI_OK;
}

static bool query_is_empty(const struct cli_args *args) {
    return !args->n_operands && !cli_given(args, CLI_SINCE) && !cli_given(args, CLI_UNTIL);
}

// --- list ---

struct listing {
    const struct cli_args *args;
    struct arena arena;
    struct buf out;
    struct cli_table table;
    uint64_t left; // to be shown
    bool json;
};

const struct cli_column AUDIT_TABLE[AUDIT_COLUMNS] = {{.title = "SEQ", .right = true},  {.title = "TIME", .min = 10},
                                                      {.title = "ACTOR", .min = 10},    {.title = "ACTION", .min = 8},
                                                      {.title = "RESOURCE", .min = 10}, {.title = "OUTCOME"},
                                                      {.title = "FROM", .min = 6},      {.title = "REASON", .min = 6}};

static void put_row(struct listing *l, const struct audit_record *r) {
    const struct audit_event *e = &r->event;
    struct str resource = e->resource_name.n ? e->resource_name : e->resource_id;
    const struct str cells[] = {arena_printf(&l->arena, "%lld", (long long)e->seq),
                                cli_time_short(&l->arena, e->at),
                                e->actor_name.n ? e->actor_name : e->actor_kind,
                                e->action,
                                resource.n ? resource : e->resource_type,
                                audit_outcome_name(e->outcome),
                                e->address,
                                e->reason};
    cli_table_add(&l->table, cells);
}

static bool put_json(struct listing *l, const struct audit_record *r) {
    struct json_writer w;
    json_writer_init(&w, &l->out);
    audit_put_json(&w, r, STR_NONE);
    buf_putc(&l->out, '\n');
    return !l->out.failed;
}

static bool list_event(void *arg, const struct audit_record *record, struct err *err) {
    struct listing *l = arg;
    if (!l->left) return true;
    l->left--;
    if (l->json) return put_json(l, record) || err_no_memory(err);
    put_row(l, record);
    return !l->table.failed || err_no_memory(err);
}

static bool list_pages(struct listing *l, struct sql_scope scope, struct audit_query *q, struct err *err) {
    struct buf next = BUF_INIT(200);
    bool ok = true;
    while (ok && l->left) {
        if (l->left < q->limit) q->limit = l->left;
        ok = audit_search(scope, q, list_event, l, &next, err);
        if (!next.n) break;
        q->cursor = arena_str(&l->arena, buf_str(&next));
    }
    buf_free(&next);
    return ok;
}

static struct listing listing_begin(const struct cli_args *args, uint64_t shown) {
    struct listing l = {.args = args, .out = BUF_INIT(OUT_MAX), .json = cli_given(args, CLI_JSON)};
    arena_init(&l.arena, NULL, 0, ARENA_MAX);
    l.left = cli_number(args, CLI_LIMIT, shown);
    if (!l.left) l.left = UINT64_MAX;
    return l;
}

int cmd_audit_list(const struct cli_args *args) {
    struct cli_data data;
    struct err err;
    struct audit_query q;
    int64_t tenant;
    struct listing l = listing_begin(args, SHOWN);
    l.table = (struct cli_table){.columns = AUDIT_TABLE, .n_columns = AUDIT_COLUMNS, .arena = &l.arena};
    int code = query_read(args, &l.arena, &q);
    if (code == CLI_OK && server_named(args).n) {
        code = audit_list_by_api(args, &q);
    } else if (code == CLI_OK && (code = audit_command_open(args, &data, &tenant)) == CLI_OK) {
        if (!list_pages(&l, sql_tenant(data.db, tenant), &q, &err)) {
            code = cli_fail_err(args->io, &err, "cannot read the audit trail", NULL);
        } else {
            if (l.table.n) cli_table_print(&l.table, args->io, &l.out);
            code = cli_print(args->io, &l.out);
            if (!l.json && !l.table.n && !cli_given(args, CLI_QUIET)) fputs("There is no such event.\n", args->io->err);
        }
        cli_data_close(&data);
    }
    buf_free(&l.out);
    arena_free(&l.arena);
    return code;
}

// --- tail ---

static bool tail_event(void *arg, const struct audit_record *r, struct err *err) {
    struct listing *l = arg;
    const struct audit_event *e = &r->event;
    char time[TIME_TEXT_LEN];
    l->left = (uint64_t)e->seq + 1;
    if (l->json) return put_json(l, r) || err_no_memory(err);
    struct str resource = e->resource_id.n ? e->resource_id : e->resource_type;
    time_text(time, e->at);
    buf_printf(&l->out, "%.*s #%lld %.*s %.*s %.*s %.*s%s%.*s\n", TIME_TEXT_LEN, time, (long long)e->seq,
               STR_ARG(e->actor_name.n ? e->actor_name : e->actor_kind), STR_ARG(e->action), STR_ARG(resource),
               STR_ARG(audit_outcome_name(e->outcome)), e->reason.n ? ": " : "", STR_ARG(e->reason));
    return !l->out.failed || err_no_memory(err);
}

int cmd_audit_tail(const struct cli_args *args) {
    struct cli_data data;
    struct err err;
    struct audit_head head;
    int64_t tenant, checkpoint;
    bool has;
    int code = audit_command_open(args, &data, &tenant);
    if (code != CLI_OK) return code;
    struct listing l = listing_begin(args, TAIL_SHOWN);
    struct sql_scope scope = sql_tenant(data.db, tenant);
    bool ok = audit_head_read(scope, &head, &checkpoint, &has, &err);
    uint64_t newest = ok && has ? (uint64_t)head.seq : 0;
    l.left = newest > l.left ? newest - l.left + 1 : 1; // the next to show, from here on
    while (ok && code == CLI_OK) {
        ok = audit_each(scope, (int64_t)l.left, 0, tail_event, &l, &err);
        if (ok && l.out.n) code = cli_print(args->io, &l.out);
        if (fflush(args->io->out) != 0) break; // nobody reads any more
        buf_clear(&l.out);
        if (ok) clock_pause_ns(LOOK_NS);
    }
    if (!ok) code = cli_fail_err(args->io, &err, "cannot read the audit trail", NULL);
    buf_free(&l.out);
    arena_free(&l.arena);
    cli_data_close(&data);
    return code;
}

// --- export ---

struct output {
    const struct cli_args *args;
    struct file file; // closed: standard output
};

static bool write_piece(void *arg, struct str bytes, struct err *err) {
    struct output *o = arg;
    if (o->file.path) return file_append(&o->file, bytes, err);
    if (fwrite(bytes.p, 1, bytes.n, o->args->io->out) == bytes.n) return true;
    return err_set(err, ERR_IO, "cannot write to standard output");
}

static bool export_to(struct output *o, struct sql_scope scope, const struct audit_query *q, struct err *err) {
    struct str path = cli_value(o->args, CLI_OUTPUT), format = cli_value(o->args, CLI_FORMAT);
    struct audit_export e = {.search = query_is_empty(o->args) ? NULL : q, .version = str_c(cli_version())};
    if (format.n && !audit_format_parse(format, &e.format)) return err_set(err, ERR_INVALID_FIELD, "no such format");
    // Only for its owner: it says who did what.
    if (path.n && !str_eq(path, STR("-")) &&
        !file_open(path, FILE_WRITE | FILE_CREATE | FILE_TRUNCATE | FILE_APPEND, 0600, &o->file, err))
        return false;
    bool ok = audit_export(scope, &e, write_piece, o, err);
    if (ok && o->file.path) ok = file_sync(&o->file, err);
    file_close(&o->file);
    return ok && (fflush(o->args->io->out) == 0 || err_set(err, ERR_IO, "cannot write to standard output"));
}

int cmd_audit_export(const struct cli_args *args) {
    struct cli_data data;
    struct err err;
    struct audit_query q;
    struct arena arena;
    int64_t tenant;
    struct output o = {.args = args};
    arena_init(&arena, NULL, 0, ARENA_MAX);
    int code = query_read(args, &arena, &q);
    if (code == CLI_OK && server_named(args).n) {
        code = audit_export_by_api(args, &q);
    } else if (code == CLI_OK && (code = audit_command_open(args, &data, &tenant)) == CLI_OK) {
        // That the trail was taken out is itself told, before it is.
        struct audit_event told = {.action = STR("audit.export"), .resource_type = STR("audit")};
        if (!audit_command_tell(&data, tenant, &told, &err) || !export_to(&o, sql_tenant(data.db, tenant), &q, &err))
            code = cli_fail_err(args->io, &err, "cannot export the audit trail", NULL);
        cli_data_close(&data);
    }
    arena_free(&arena);
    return code;
}
