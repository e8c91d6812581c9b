// penstock usage: reads the ledger and prints records or sums.
#include "access/who.h"
#include "base/json_csv.h"
#include "base/map.h"
#include "cli/commands.h"
#include "os/rand.h"
#include "store/entity.h"
#include "store/key.h"
#include "store/lease.h"
#include "store/ledger_read.h"

#define ARENA_MAX ((size_t)1024 * 1024 * 1024)
#define OUT_MAX ((size_t)64 * 1024 * 1024)
#define FLUSH_BYTES ((size_t)64 * 1024)
#define RECORDS_SHOWN 50 // in a table, unless --limit says otherwise

struct report {
    const struct cli_args *args;
    struct ledger_query query;
    struct arena arena; // key names and the table's cells
    struct arena line;  // one row's texts
    struct map names;   // the 8 bytes of a key's id → struct str *
    struct map tenants; // likewise of a tenant's id
    struct buf out;
    struct cli_table table;
    uint64_t requests, unpriced;
    int64_t cost_nano, reference_nano, saved_nano;
    bool json; // or CSV
    bool csv, named;
    bool savings;      // a table of them
    struct buf object; // of a line of CSV
    int code;
};

// What can be added up by.
static const struct {
    const char *name, *title;
} GROUPS[LEDGER_GROUP_COUNT] = {
    [LEDGER_GROUP_NONE] = {NULL, ""},
    [LEDGER_GROUP_KEY] = {"key", "KEY"},
    [LEDGER_GROUP_MODEL] = {"model", "MODEL"},
    [LEDGER_GROUP_PROVIDER] = {"provider", "PROVIDER"},
    [LEDGER_GROUP_DAY] = {"day", "DAY"},
    [LEDGER_GROUP_HOUR] = {"hour", "HOUR"},
    [LEDGER_GROUP_TENANT] = {"tenant", "TENANT"},
    [LEDGER_GROUP_TEAM] = {"team", "TEAM"},
    [LEDGER_GROUP_PROJECT] = {"project", "PROJECT"},
    [LEDGER_GROUP_OWNER] = {"owner", "OWNER"},
    [LEDGER_GROUP_ENDPOINT] = {"endpoint", "ENDPOINT"},
    [LEDGER_GROUP_STATUS] = {"status", "STATUS"},
    [LEDGER_GROUP_ERROR] = {"error", "ERROR"},
    [LEDGER_GROUP_TAGS] = {"tags", "TAGS"},
    [LEDGER_GROUP_TASK] = {"task", "TASK"},
    [LEDGER_GROUP_UPSTREAM_MODEL] = {"upstream_model", "UPSTREAM MODEL"},
    [LEDGER_GROUP_MONTH] = {"month", "MONTH"},
};

// --- Keys
// -------------------------------------------------------------------------------------------------------------

static bool note_name(void *arg, const struct key_row *row, struct err *err) {
    struct report *r = arg;
    uint64_t *id = ARENA_NEW(&r->arena, uint64_t);
    struct str *name = ARENA_NEW(&r->arena, struct str);
    if (!id || !name) return err_no_memory(err);
    *id = (uint64_t)row->id;
    *name = arena_str(&r->arena, row->name.n ? row->name : row->prefix);
    return map_put(&r->names, str_of((const char *)id, sizeof *id), name) || err_no_memory(err);
}

static bool note_tenant(void *arg, int64_t id, struct str name, struct err *err) {
    struct report *r = arg;
    uint64_t *key = ARENA_NEW(&r->arena, uint64_t);
    struct str *copy = ARENA_NEW(&r->arena, struct str);
    if (!key || !copy) return err_no_memory(err);
    *key = (uint64_t)id;
    *copy = arena_str(&r->arena, name);
    return map_put(&r->tenants, str_of((const char *)key, sizeof *key), copy) || err_no_memory(err);
}

// Empty for calls under the general configuration.
static struct str tenant_name(struct report *r, uint64_t id) {
    const struct str *name = map_get(&r->tenants, str_of((const char *)&id, sizeof id));
    return name ? *name : STR_NONE;
}

static struct str key_text(struct report *r, uint64_t id) {
    char text[KEY_ID_TEXT_LEN];
    if (id == 0) return STR_NONE;
    key_id_text(text, (int64_t)id);
    return arena_str(&r->line, str_of(text, sizeof text));
}

static struct str key_name(struct report *r, uint64_t id) {
    struct str *name = map_get(&r->names, str_of((const char *)&id, sizeof id));
    if (name) return *name;
    return id ? key_text(r, id) : STR("(none)");
}

static struct str count(struct report *r, uint64_t v) { return cli_count_text(&r->line, v); }

// --- JSON
// -------------------------------------------------------------------------------------------------------------

static void put_key(struct report *r, struct json_writer *w, uint64_t id) {
    json_put_member_text(w, STR("key"), key_text(r, id));
    json_put_member_text(w, STR("key_name"), id ? key_name(r, id) : STR_NONE);
}

static void put_tokens(struct json_writer *w, const struct usage_record *rec) {
    json_put_member_u64(w, STR("input_tokens"), rec->tokens_in);
    json_put_member_u64(w, STR("cached_tokens"), rec->tokens_cached);
    json_put_member_u64(w, STR("cache_write_tokens"), rec->tokens_cache_write);
    json_put_member_u64(w, STR("output_tokens"), rec->tokens_out);
    json_put_member_u64(w, STR("reasoning_tokens"), rec->tokens_reasoning);
}

// Microseconds as milliseconds, exactly.
static void put_ms(struct report *r, struct json_writer *w, struct str name, uint64_t us) {
    json_put_member_raw(w, name,
                        arena_printf(&r->line, "%llu.%03u", (unsigned long long)(us / 1000), (unsigned)(us % 1000)));
}

static struct str row_id(struct report *r, const struct entity *e, uint64_t id) {
    char text[ENTITY_ID_TEXT_MAX];
    return id ? arena_str(&r->line, entity_id_text(e, (int64_t)id, text)) : STR_NONE;
}

static struct str owner_id(struct report *r, const struct usage_record *rec) {
    bool service = rec->owner_kind == PRINCIPAL_SERVICE_ACCOUNT;
    return row_id(r, service ? &entity_service_account : &entity_user, rec->owner_id);
}

static void put_compared(struct report *r, struct json_writer *w, const struct ledger_row *row, bool known) {
    if (known) {
        json_put_member_raw(w, STR("reference_usd"), cli_dollars(&r->line, row->rec.reference_nano));
        json_put_member_raw(w, STR("saved_usd"), cli_dollars(&r->line, row->saved_nano));
    } else {
        json_put_member_null(w, STR("reference_usd"));
        json_put_member_null(w, STR("saved_usd"));
    }
}

static void put_record(struct report *r, struct json_writer *w, const struct ledger_row *row) {
    const struct usage_record *rec = &row->rec;
    char id[REQUEST_ID_TEXT_LEN];
    request_id_text(id, rec->id);
    json_put_member_str(w, STR("request_id"), str_of(id, sizeof id));
    json_put_member_str(w, STR("ts"), cli_time(&r->line, rec->ts));
    put_key(r, w, rec->key_id);
    json_put_member_text(w, STR("tenant"), tenant_name(r, rec->tenant_id));
    json_put_member_text(w, STR("team"), row_id(r, &entity_team, rec->team_id));
    json_put_member_text(w, STR("project"), row_id(r, &entity_project, rec->project_id));
    json_put_member_text(w, STR("owner"), owner_id(r, rec));
    json_put_member_text(w, STR("provider"), rec->provider);
    json_put_member_text(w, STR("model"), rec->model);
    json_put_member_text(w, STR("upstream_model"), rec->upstream_model);
    json_put_member_str(w, STR("endpoint"), usage_endpoint_name(rec->endpoint));
    // Begun, and the server died before it was answered.
    if (rec->status == USAGE_STATUS_UNKNOWN)
        json_put_member_null(w, STR("status"));
    else
        json_put_member_u64(w, STR("status"), rec->status);
    json_put_member_text(w, STR("error"), rec->error);
    json_put_member_bool(w, STR("stream"), (rec->flags & USAGE_STREAM) != 0);
    put_tokens(w, rec);
    json_put_member_bool(w, STR("tokens_estimated"), (rec->flags & USAGE_ESTIMATED) != 0);
    json_put_member_bool(w, STR("client_gone"), (rec->flags & USAGE_CLIENT_GONE) != 0);
    json_put_member_bool(w, STR("downgraded"), (rec->flags & USAGE_DOWNGRADED) != 0);
    json_put_member_bool(w, STR("coalesced"), (rec->flags & USAGE_COALESCED) != 0);
    json_put_member_bool(w, STR("batch"), (rec->flags & USAGE_BATCH) != 0);
    json_put_member_bool(w, STR("part"), (rec->flags & USAGE_PART) != 0);
    // An unknown price is not zero.
    bool known = (rec->flags & USAGE_PRICE_UNKNOWN) == 0;
    if (known)
        json_put_member_raw(w, STR("cost_usd"), cli_dollars(&r->line, rec->cost_nano));
    else
        json_put_member_null(w, STR("cost_usd"));
    json_put_member_bool(w, STR("price_known"), known);
    put_compared(r, w, row, (rec->flags & USAGE_COMPARED) != 0);
    json_put_member_u64(w, STR("attempts"), rec->attempts);
    json_put_member_text(w, STR("task"), rec->task);
    put_ms(r, w, STR("latency_ms"), rec->latency_us);
    if (rec->ttft_us)
        put_ms(r, w, STR("time_to_first_token_ms"), rec->ttft_us);
    else
        json_put_member_null(w, STR("time_to_first_token_ms"));
    json_put_member_raw(w, STR("tags"), rec->tags.n ? rec->tags : STR("{}"));
}

// What a group is, but for keys.
static struct str group_text(struct report *r, const struct usage_record *rec) {
    switch (r->query.group) {
    case LEDGER_GROUP_MODEL:
        return rec->model;
    case LEDGER_GROUP_UPSTREAM_MODEL:
        return rec->upstream_model;
    case LEDGER_GROUP_PROVIDER:
        return rec->provider;
    case LEDGER_GROUP_DAY:
        return str_head(cli_time(&r->line, rec->ts), 10);
    case LEDGER_GROUP_HOUR:
        return arena_printf(&r->line, "%.13s:00Z", cli_time(&r->line, rec->ts).p);
    case LEDGER_GROUP_TENANT:
        return tenant_name(r, rec->tenant_id);
    case LEDGER_GROUP_TEAM:
        return row_id(r, &entity_team, rec->team_id);
    case LEDGER_GROUP_PROJECT:
        return row_id(r, &entity_project, rec->project_id);
    case LEDGER_GROUP_OWNER:
        return owner_id(r, rec);
    case LEDGER_GROUP_ENDPOINT:
        return usage_endpoint_name(rec->endpoint);
    case LEDGER_GROUP_STATUS:
        return rec->status ? count(r, rec->status) : STR_NONE;
    case LEDGER_GROUP_ERROR:
        return rec->error;
    case LEDGER_GROUP_MONTH:
        return str_head(cli_time(&r->line, rec->ts), 7);
    case LEDGER_GROUP_TAGS:
        return rec->tags;
    case LEDGER_GROUP_TASK:
        return rec->task;
    case LEDGER_GROUP_KEY:
    case LEDGER_GROUP_NONE:
    case LEDGER_GROUP_COUNT:
        break;
    }
    return STR_NONE;
}

static void put_group(struct report *r, struct json_writer *w, const struct ledger_row *row) {
    const struct usage_record *rec = &row->rec;
    if (r->query.group == LEDGER_GROUP_KEY)
        put_key(r, w, rec->key_id);
    else
        json_put_member_text(w, str_c(GROUPS[r->query.group].name), group_text(r, rec));
    json_put_member_u64(w, STR("requests"), row->requests);
    json_put_member_u64(w, STR("errors"), row->errors);
    put_tokens(w, rec);
    json_put_member_raw(w, STR("cost_usd"), cli_dollars(&r->line, rec->cost_nano));
    json_put_member_u64(w, STR("unpriced_requests"), row->unpriced);
    put_compared(r, w, row, true);
    json_put_member_u64(w, STR("attempts"), rec->attempts);
    put_ms(r, w, STR("latency_ms"), rec->latency_us);
}

// --- Tables
// -----------------------------------------------------------------------------------------------------------

static const struct cli_column RECORD_COLUMNS[] = {{.title = "TIME (UTC)"},
                                                   {.title = "KEY", .min = 6},
                                                   {.title = "MODEL", .min = 8},
                                                   {.title = "STATUS", .right = true},
                                                   {.title = "INPUT", .right = true},
                                                   {.title = "OUTPUT", .right = true},
                                                   {.title = "COST $", .right = true},
                                                   {.title = "MS", .right = true}};
static const struct cli_column GROUP_COLUMNS[] = {
    {.title = "", .min = 10},          {.title = "REQUESTS", .right = true}, {.title = "ERRORS", .right = true},
    {.title = "INPUT", .right = true}, {.title = "OUTPUT", .right = true},   {.title = "COST $", .right = true},
    {.title = "MS", .right = true}};

static const struct cli_column SAVING_COLUMNS[] = {{.title = "", .min = 10},
                                                   {.title = "REQUESTS", .right = true},
                                                   {.title = "COST $", .right = true},
                                                   {.title = "REFERENCE $", .right = true},
                                                   {.title = "SAVED $", .right = true},
                                                   {.title = "SAVED %", .right = true}};

// Where some price is not known the sum is a lower bound, marked by a "+"; where none is, a "?".
static struct str cost_text(struct report *r, const struct ledger_row *row) {
    if (row->unpriced == 0) return cli_dollars_short(&r->line, row->rec.cost_nano);
    if (row->unpriced >= row->requests) return STR("?");
    return arena_printf(&r->line, "%.*s+", STR_ARG(cli_dollars_short(&r->line, row->rec.cost_nano)));
}

static void add_record(struct report *r, const struct ledger_row *row) {
    const struct usage_record *rec = &row->rec;
    const struct str cells[] = {cli_time_short(&r->line, rec->ts),
                                key_name(r, rec->key_id),
                                rec->model,
                                rec->status ? count(r, rec->status) : STR("?"),
                                count(r, rec->tokens_in),
                                count(r, rec->tokens_out),
                                cost_text(r, row),
                                count(r, rec->latency_us / 1000)};
    cli_table_add(&r->table, cells);
}

static struct str group_name(struct report *r, const struct ledger_row *row) {
    if (r->query.group == LEDGER_GROUP_KEY) return key_name(r, row->rec.key_id);
    struct str name = group_text(r, &row->rec);
    if (!name.n && r->query.group == LEDGER_GROUP_TENANT) return STR(TENANT_DEFAULT_NAME);
    return name.n ? name : STR("(none)");
}

// Of what the reference model would have cost, in tenths of a percent.
static struct str share_text(struct report *r, const struct ledger_row *row) {
    int64_t reference = row->rec.reference_nano;
    if (reference <= 0) return STR("-");
    double share = (double)row->saved_nano / (double)reference * 100;
    return arena_printf(&r->line, "%.1f", share);
}

static void add_saving(struct report *r, const struct ledger_row *row) {
    bool compared = row->rec.reference_nano || row->saved_nano;
    const struct str cells[] = {group_name(r, row),
                                count(r, row->requests),
                                cost_text(r, row),
                                compared ? cli_dollars_short(&r->line, row->rec.reference_nano) : STR("-"),
                                compared ? cli_dollars_short(&r->line, row->saved_nano) : STR("-"),
                                share_text(r, row)};
    cli_table_add(&r->table, cells);
}

static void add_group(struct report *r, const struct ledger_row *row) {
    const struct usage_record *rec = &row->rec;
    const struct str cells[] = {
        group_name(r, row),        count(r, row->requests), count(r, row->errors),           count(r, rec->tokens_in),
        count(r, rec->tokens_out), cost_text(r, row),       count(r, rec->latency_us / 1000)};
    cli_table_add(&r->table, cells);
}

// --- Reading
// ----------------------------------------------------------------------------------------------------------

static void put_line(struct report *r, const struct ledger_row *row) {
    struct json_writer w;
    buf_clear(&r->object);
    json_writer_init(&w, r->csv ? &r->object : &r->out);
    json_put_object(&w);
    if (r->query.group != LEDGER_GROUP_NONE)
        put_group(r, &w, row);
    else
        put_record(r, &w, row);
    json_put_object_end(&w);
    if (!r->csv) {
        buf_putc(&r->out, '\n');
        return;
    }
    struct str object = buf_str(&r->object);
    if ((!r->named && !json_csv_names(&r->out, object)) || !json_csv_row(&r->out, object))
        r->code = cli_fail(r->args->io, CLI_FAILED, "a record cannot be written as CSV", NULL, NULL);
    r->named = true;
}

static bool take_row(void *arg, const struct ledger_row *row) {
    struct report *r = arg;
    bool group = r->query.group != LEDGER_GROUP_NONE;
    r->requests += row->requests;
    r->unpriced += row->unpriced;
    r->cost_nano += row->rec.cost_nano;
    r->reference_nano += row->rec.reference_nano;
    r->saved_nano += row->saved_nano;
    if (r->json) {
        put_line(r, row);
        if (r->out.n > FLUSH_BYTES) {
            r->code = cli_print(r->args->io, &r->out);
            buf_clear(&r->out);
        }
    } else if (group && r->savings) {
        add_saving(r, row);
    } else if (group) {
        add_group(r, row);
    } else {
        add_record(r, row);
    }
    arena_free(&r->line);
    return r->code == CLI_OK && !r->table.failed;
}

static int run_query(struct report *r) {
    struct err err;
    r->requests = r->unpriced = 0;
    r->cost_nano = r->reference_nano = r->saved_nano = 0;
    if (!ledger_read(&r->query, take_row, r, &err))
        return cli_fail_err(r->args->io, &err, "cannot read the usage ledger", NULL);
    return r->code;
}

static int print_table(struct report *r, const char *first_title) {
    struct cli_column columns[CLI_TABLE_COLUMNS];
    bool group = r->query.group != LEDGER_GROUP_NONE;
    const struct cli_column *from = group ? GROUP_COLUMNS : RECORD_COLUMNS;
    size_t n = group ? ARRAY_LEN(GROUP_COLUMNS) : ARRAY_LEN(RECORD_COLUMNS);
    if (r->savings) from = SAVING_COLUMNS, n = ARRAY_LEN(SAVING_COLUMNS);
    memcpy(columns, from, n * sizeof *columns);
    if (group) columns[0].title = first_title;
    r->table = (struct cli_table){.columns = columns, .n_columns = n, .arena = &r->arena};
    int code = run_query(r);
    if (code != CLI_OK || r->table.n == 0) return code;
    cli_table_print(&r->table, r->args->io, &r->out);
    code = cli_print(r->args->io, &r->out);
    buf_clear(&r->out);
    return code;
}

static int print_by_key_and_model(struct report *r) {
    r->query.group = LEDGER_GROUP_KEY;
    int code = print_table(r, "KEY");
    if (code != CLI_OK || r->requests == 0) return code;
    r->query.group = LEDGER_GROUP_MODEL;
    fputc('\n', r->args->io->out);
    return print_table(r, "MODEL");
}

static void print_notes(struct report *r) {
    FILE *err = r->args->io->err;
    if (cli_given(r->args, CLI_QUIET) || r->json) return;
    if (r->requests == 0 && r->table.n == 0) {
        fputs("There are no requests to show.\n", err);
        return;
    }
    fprintf(err, "\n%.*s requests, %.*s dollars", STR_ARG(count(r, r->requests)),
            STR_ARG(cli_dollars_short(&r->line, r->cost_nano)));
    if (r->unpriced)
        fprintf(err, ", and %.*s requests whose price is not known (set it under `prices`)",
                STR_ARG(count(r, r->unpriced)));
    fputs(".\n", err);
    if (r->reference_nano)
        fprintf(err, "On the reference model they would have cost %.*s dollars: %.*s were saved.\n",
                STR_ARG(cli_dollars_short(&r->line, r->reference_nano)),
                STR_ARG(cli_dollars_short(&r->line, r->saved_nano)));
    else if (r->savings)
        fputs("Nothing was compared: `usage.reference_model` is not set, or no price is known for that model or for "
              "those that were asked.\n",
              err);
    if (r->query.limit && r->query.group == LEDGER_GROUP_NONE && r->table.n == r->query.limit)
        fprintf(err, "The newest %.*s; --limit 0 shows all.\n", STR_ARG(count(r, r->query.limit)));
}

static int print_report(struct report *r) {
    bool records = cli_given(r->args, CLI_RECORDS);
    int code;
    if (r->json) {
        code = run_query(r);
        if (code == CLI_OK) code = cli_print(r->args->io, &r->out);
    } else if (r->query.group != LEDGER_GROUP_NONE || records) {
        if (records && !cli_given(r->args, CLI_LIMIT)) r->query.limit = RECORDS_SHOWN;
        code = print_table(r, GROUPS[r->query.group].title);
    } else {
        code = print_by_key_and_model(r);
    }
    if (code == CLI_OK) print_notes(r);
    return code;
}

// --- Arguments
// --------------------------------------------------------------------------------------------------------

static enum ledger_group group_of(struct str by) {
    for (unsigned i = 1; i < LEDGER_GROUP_COUNT; i++)
        if (GROUPS[i].name && str_eq(by, str_c(GROUPS[i].name))) return (enum ledger_group)i;
    return LEDGER_GROUP_NONE;
}

// As ledger_query has it: one more than the endpoint's number, 0 = any.
static unsigned endpoint_of(struct str name) {
    for (unsigned i = 0; i < USAGE_ENDPOINT_COUNT; i++)
        if (str_eq(usage_endpoint_name(i), name)) return i + 1;
    return 0;
}

static int read_arguments(struct report *r) {
    const struct cli_args *args = r->args;
    r->savings = cli_given(args, CLI_SAVINGS);
    if (r->savings && cli_given(args, CLI_RECORDS))
        return cli_fail(args->io, CLI_USAGE, "--savings and --records exclude each other", NULL,
                        "penstock usage --help");
    if (cli_given(args, CLI_BY) && cli_given(args, CLI_RECORDS))
        return cli_fail(args->io, CLI_USAGE, "--by and --records exclude each other", NULL, "penstock usage --help");
    struct str format = cli_value(args, CLI_FORMAT);
    r->csv = str_eq(format, STR("csv"));
    r->json = cli_given(args, CLI_JSON) || format.n;
    if (format.n && !r->csv && !str_eq(format, STR("jsonl")))
        return cli_fail(args->io, CLI_USAGE, "usage is written as jsonl or csv", NULL, "penstock usage --format csv");
    if (r->csv && cli_given(args, CLI_JSON))
        return cli_fail(args->io, CLI_USAGE, "--json and --format csv exclude each other", NULL, NULL);
    if (cli_given(args, CLI_BY) && group_of(cli_value(args, CLI_BY)) == LEDGER_GROUP_NONE)
        return cli_fail(args->io, CLI_USAGE, "usage is not added up by target", NULL,
                        "penstock usage --by upstream_model");
    struct str tag = cli_value(args, CLI_TAG);
    if (tag.n && str_find_char(tag, '=') == tag.n)
        return cli_fail(args->io, CLI_USAGE, "--tag is a name and a value", NULL, "penstock usage --tag env=prod");
    if (cli_number(args, CLI_STATUS, 0) > 999)
        return cli_fail(args->io, CLI_USAGE, "--status is a number of three digits", NULL,
                        "penstock usage --status 429");
    r->query = (struct ledger_query){.model = cli_value(args, CLI_MODEL),
                                     .provider = cli_value(args, CLI_PROVIDER),
                                     .error = cli_value(args, CLI_ERROR),
                                     .errors = cli_given(args, CLI_ERRORS),
                                     .tag = cli_value(args, CLI_TAG),
                                     .task = cli_value(args, CLI_TASK),
                                     .status = (unsigned)cli_number(args, CLI_STATUS, 0),
                                     .endpoint = endpoint_of(cli_value(args, CLI_ENDPOINT)),
                                     .limit = cli_number(args, CLI_LIMIT, 0),
                                     .group = group_of(cli_value(args, CLI_BY))};
    if (!cli_when_option(args, CLI_SINCE, true, 0, &r->query.since)) return CLI_USAGE;
    if (!cli_when_option(args, CLI_UNTIL, true, 0, &r->query.until)) return CLI_USAGE;
    if (r->query.until && r->query.until <= r->query.since)
        return cli_fail(args->io, CLI_USAGE, "--until is not after --since", NULL, "penstock usage --help");
    return CLI_OK;
}

// The row of the tenant that an option names; *out_id stays 0 without one.
static int find_row(struct report *r, struct sql *db, enum cli_option_id option, const struct entity *e,
                    struct str name, uint64_t *out_id) {
    struct entity_row *row = ARENA_NEW(&r->arena, struct entity_row);
    int64_t tenant = r->query.tenant_id ? (int64_t)r->query.tenant_id : 1;
    struct err err;
    char what[80];
    if (!cli_given(r->args, option)) return CLI_OK;
    if (row && entity_resolve(sql_tenant(db, tenant), e, name, &r->arena, row, &err)) {
        *out_id = (uint64_t)row->id;
        r->query.tenant_id = (uint64_t)tenant;
        return CLI_OK;
    }
    if (!row) err_no_memory(&err);
    snprintf(what, sizeof what, "cannot find the %.*s", STR_ARG(e->name));
    return cli_fail_err(r->args->io, &err, what, "name the --tenant it is of");
}

static int find_rows(struct report *r, struct sql *db) {
    struct str owner = cli_value(r->args, CLI_OWNER);
    size_t slash = str_find(owner, STR("/"));
    bool service =
        str_eq(str_head(owner, slash), STR("service_account")) || str_starts(owner, entity_service_account.prefix);
    struct str name = slash < owner.n ? str_from(owner, slash + 1) : owner;
    int code = find_row(r, db, CLI_TEAM, &entity_team, cli_value(r->args, CLI_TEAM), &r->query.team_id);
    if (code == CLI_OK)
        code = find_row(r, db, CLI_PROJECT, &entity_project, cli_value(r->args, CLI_PROJECT), &r->query.project_id);
    r->query.owner_kind = service ? PRINCIPAL_SERVICE_ACCOUNT : PRINCIPAL_USER;
    if (code != CLI_OK) return code;
    return find_row(r, db, CLI_OWNER, service ? &entity_service_account : &entity_user, name, &r->query.owner_id);
}

// Names of keys and tenants to show, and the numbers of those that were asked for.
static int read_names(struct report *r) {
    struct cli_data data;
    struct err err;
    int64_t tenant;
    int code = cli_data_open(r->args, false, &data);
    if (code != CLI_OK) return code;
    r->query.data_dir = arena_str(&r->arena, str_c(data.dir.path));
    r->query.database = arena_str(&r->arena, str_c(data.dir.database));
    if (cli_given(r->args, CLI_TENANT)) {
        if (tenant_find(data.db, cli_value(r->args, CLI_TENANT), &tenant, &err))
            r->query.tenant_id = (uint64_t)tenant;
        else
            code = cli_fail_err(r->args->io, &err, "cannot find the tenant", "penstock key list");
    }
    if (code != CLI_OK) {
        cli_data_close(&data);
        return code;
    }
    if (!key_each(data.db, note_name, r, &err) || !tenant_each(data.db, note_tenant, r, &err)) {
        code = cli_fail_err(r->args->io, &err, "cannot read the keys", NULL);
    } else if (cli_given(r->args, CLI_KEY)) {
        struct key_row row;
        if (key_find(data.db, cli_value(r->args, CLI_KEY), &r->arena, &row, &err))
            r->query.key_id = (uint64_t)row.id;
        else
            code = cli_fail_err(r->args->io, &err, "cannot find the key", "penstock key list");
    }
    if (code == CLI_OK) code = find_rows(r, data.db);
    cli_data_close(&data);
    return code;
}

int cmd_usage(const struct cli_args *args) {
    struct report r = {.args = args, .out = BUF_INIT(OUT_MAX), .object = BUF_INIT(OUT_MAX)};
    arena_init(&r.arena, NULL, 0, ARENA_MAX);
    arena_init(&r.line, NULL, 0, ARENA_MAX);
    map_init(&r.names, rand_u64());
    map_init(&r.tenants, rand_u64());
    int code = read_arguments(&r);
    if (code == CLI_OK) code = read_names(&r);
    if (code == CLI_OK) code = print_report(&r);
    buf_free(&r.out);
    buf_free(&r.object);
    map_free(&r.names);
    map_free(&r.tenants);
    arena_free(&r.line);
    arena_free(&r.arena);
    return code;
}
