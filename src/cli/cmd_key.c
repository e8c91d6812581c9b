// penstock key create, list, revoke.
#include "access/key.h"
#include "base/json_read.h"
#include "cli/audit_command.h"
#include "cli/resource.h"
#include "conf/conf.h"
#include "os/clock.h"
#include "store/config_env.h"

#define ARENA_MAX ((size_t)256 * 1024 * 1024)
#define OUT_MAX ((size_t)256 * 1024 * 1024)

static void put_time(struct json_writer *w, struct str name, struct arena *arena, int64_t ns) {
    if (ns)
        json_put_member_str(w, name, cli_time(arena, ns));
    else
        json_put_member_null(w, name);
}

// --- create
// -----------------------------------------------------------------------------------------------------------

static bool read_wanted(const struct cli_args *args, struct str models[KEY_MODELS_MAX], struct key_wanted *out) {
    *out = (struct key_wanted){.name = cli_value(args, CLI_NAME),
                               .is_admin = cli_given(args, CLI_ADMIN),
                               .tenant = cli_value(args, CLI_TENANT)};
    const char *expected = cli_given(args, CLI_TENANT) ? key_tenant_check(out->tenant) : NULL;
    if (expected) {
        char why[120];
        snprintf(why, sizeof why, "it takes %s", expected);
        cli_fail(args->io, CLI_USAGE, "--tenant is not a tenant's name", why, "penstock config show tenants");
        return false;
    }
    if (out->is_admin && out->tenant.n) {
        cli_fail(args->io, CLI_USAGE, "--admin and --tenant exclude each other",
                 "an admin key governs the whole server, all tenants of it", NULL);
        return false;
    }
    if (!cli_when_option(args, CLI_EXPIRES, false, 0, &out->expires_at)) return false;
    if (out->expires_at && out->expires_at <= clock_unix_ns()) {
        cli_fail(args->io, CLI_USAGE, "--expires is in the past", NULL, "a length of time from now, such as 30d");
        return false;
    }
    struct str rest = cli_value(args, CLI_MODELS), one;
    while (rest.n && str_split(&rest, ',', &one)) {
        one = str_trim(one);
        if (!one.n) continue;
        if (out->n_models == KEY_MODELS_MAX) {
            cli_fail(args->io, CLI_USAGE, "--models names too many models", "256 are allowed",
                     "a name may end in * for all that begin so");
            return false;
        }
        models[out->n_models++] = one;
    }
    out->models = models;
    return true;
}

static void put_created_json(struct buf *out, struct arena *arena, const struct key_created *key,
                             const struct key_wanted *wanted) {
    char id[KEY_ID_TEXT_LEN];
    struct json_writer w;
    key_id_text(id, key->id);
    json_writer_init(&w, out);
    json_put_object(&w);
    json_put_member_str(&w, STR("id"), str_of(id, sizeof id));
    json_put_member_str(&w, STR("key"), secret_str(&key->text));
    json_put_member_str(&w, STR("name"), wanted->name);
    json_put_member_bool(&w, STR("admin"), wanted->is_admin);
    json_put_key(&w, STR("models"));
    if (wanted->n_models) {
        json_put_array(&w);
        for (size_t i = 0; i < wanted->n_models; i++) json_put_str(&w, wanted->models[i]);
        json_put_array_end(&w);
    } else {
        json_put_null(&w);
    }
    json_put_member_text(&w, STR("tenant"), wanted->tenant);
    put_time(&w, STR("expires_at"), arena, wanted->expires_at);
    json_put_object_end(&w);
    buf_putc(out, '\n');
}

static int print_created(const struct cli_args *args, const struct key_created *key, const struct key_wanted *wanted) {
    struct arena arena;
    BUF_AUTO struct buf out = BUF_INIT(OUT_MAX);
    arena_init(&arena, NULL, 0, ARENA_MAX);
    if (cli_given(args, CLI_JSON)) {
        put_created_json(&out, &arena, key, wanted);
    } else {
        // The key alone on standard output, so that a script can take it from there.
        buf_put(&out, secret_str(&key->text));
        buf_putc(&out, '\n');
        char id[KEY_ID_TEXT_LEN];
        key_id_text(id, key->id);
        if (!cli_given(args, CLI_QUIET))
            fprintf(args->io->err, "Made key %.*s%s. It is shown only this once: keep it safe.\n", KEY_ID_TEXT_LEN, id,
                    wanted->is_admin ? ", an admin key" : "");
    }
    int code = cli_print(args->io, &out);
    secret_wipe(out.p, out.n);
    arena_free(&arena);
    return code;
}

// The key can be made before its tenant is configured; but a slip of the pen should not wait for its first refusal.
static void warn_unknown_tenant(const struct cli_args *args, struct str tenant) {
    struct str file = tenant.n && !cli_given(args, CLI_QUIET) ? cli_config_file(args) : STR("");
    struct config_env stores = {0};
    struct conf_problems problems;
    struct conf *conf = NULL;
    if (!file.n) return;
    struct conf_env env = config_env_system(&stores);
    env.offline = true;
    conf_problems_init(&problems);
    if (conf_load(file, &env, &problems, &conf) && !conf_tenant_find(conf, tenant))
        fprintf(args->io->err,
                "Warning: %.*s has no tenant \"%.*s\"; the key is refused until it is configured under `tenants`.\n",
                STR_ARG(file), STR_ARG(tenant));
    conf_unref(conf);
    conf_problems_free(&problems);
    config_env_end(&stores);
}

// Ends the transaction of an act on a key, with its event.
static bool act_end(struct cli_data *data, bool ok, const char *action, int64_t tenant, int64_t key, struct str name,
                    struct err *err) {
    char id[KEY_ID_TEXT_LEN];
    key_id_text(id, key);
    struct audit_event event = {.action = str_c(action),
                                .resource_type = STR("key"),
                                .resource_id = str_of(id, sizeof id),
                                .resource_name = name};
    if (!ok || !audit_command_tell(data, tenant, &event, err)) {
        sql_rollback(data->db);
        return false;
    }
    if (!sql_commit(data->db, err)) return false;
    datadir_key_changed(&data->dir); // once more: a server may have looked before the commit
    return true;
}

static bool create_told(struct cli_data *data, const struct key_wanted *wanted, struct key_created *out_key,
                        struct err *err) {
    int64_t tenant = TENANT_DEFAULT;
    struct key_created key = {0};
    if (!sql_begin(data->db, err)) return false;
    bool ok = key_create(data->db, &data->dir, wanted, clock_unix_ns(), &key, err) &&
              (!wanted->tenant.n || tenant_find(data->db, wanted->tenant, &tenant, err));
    ok = act_end(data, ok, "key.create", tenant, key.id, wanted->name, err);
    if (ok)
        *out_key = key;
    else
        key_created_free(&key);
    return ok;
}

int cmd_key_create(const struct cli_args *args) {
    struct str models[KEY_MODELS_MAX];
    struct key_wanted wanted;
    struct cli_data data;
    struct key_created key;
    struct err err;
    if (key_by_api(args, false) || args->n_operands) return key_create_by_api(args);
    if (!read_wanted(args, models, &wanted)) return CLI_USAGE;
    warn_unknown_tenant(args, wanted.tenant);
    int code = cli_data_open(args, true, &data);
    if (code != CLI_OK) return code;
    if (create_told(&data, &wanted, &key, &err)) {
        code = print_created(args, &key, &wanted);
        key_created_free(&key);
    } else {
        code = cli_fail_err(args->io, &err, "cannot make the key", NULL);
    }
    cli_data_close(&data);
    return code;
}

// --- list
// -------------------------------------------------------------------------------------------------------------

struct listing {
    const struct cli_args *args;
    struct arena arena;
    struct buf out;
    struct cli_table table;
    int64_t now;
};

static struct str state_of(const struct key_row *row, int64_t now) {
    if (row->revoked_at) return STR("revoked");
    if (row->expires_at && row->expires_at <= now) return STR("expired");
    return STR("active");
}

static void put_row_json(struct listing *l, const struct key_row *row, struct str id) {
    struct json_writer w;
    struct err err;
    json_writer_init(&w, &l->out);
    json_put_object(&w);
    json_put_member_str(&w, STR("id"), id);
    json_put_member_str(&w, STR("prefix"), row->prefix);
    json_put_member_str(&w, STR("name"), row->name);
    json_put_member_str(&w, STR("state"), state_of(row, l->now));
    json_put_member_bool(&w, STR("admin"), row->is_admin);
    if (!row->any_model && json_validate(row->allowed_models, 0, &err))
        json_put_member_raw(&w, STR("models"), row->allowed_models);
    else
        json_put_member_null(&w, STR("models"));
    json_put_member_text(&w, STR("tenant"), row->tenant);
    put_time(&w, STR("created_at"), &l->arena, row->created_at);
    put_time(&w, STR("expires_at"), &l->arena, row->expires_at);
    put_time(&w, STR("revoked_at"), &l->arena, row->revoked_at);
    put_time(&w, STR("last_used_at"), &l->arena, row->last_used_at);
    json_put_member_text(&w, STR("last_used_address"), row->last_used_address);
    json_put_object_end(&w);
    buf_putc(&l->out, '\n');
}

static bool list_row(void *arg, const struct key_row *row, struct err *err) {
    struct listing *l = arg;
    char text[KEY_ID_TEXT_LEN];
    key_id_text(text, row->id);
    struct str id = str_of(text, sizeof text);
    if (cli_given(l->args, CLI_JSON)) {
        put_row_json(l, row, id);
    } else {
        const struct str cells[] = {id,
                                    row->prefix,
                                    row->name,
                                    row->tenant,
                                    row->is_admin ? STR("admin") : STR(""),
                                    state_of(row, l->now),
                                    str_head(cli_time_short(&l->arena, row->expires_at), 10),
                                    cli_time_short(&l->arena, row->last_used_at),
                                    row->last_used_address};
        cli_table_add(&l->table, cells);
    }
    return !l->out.failed && !l->table.failed ? true : err_no_memory(err);
}

static const struct cli_column KEY_COLUMNS[] = {{.title = "ID"},
                                                {.title = "PREFIX"},
                                                {.title = "NAME", .min = 4},
                                                {.title = "TENANT", .min = 6},
                                                {.title = "ROLE"},
                                                {.title = "STATE"},
                                                {.title = "EXPIRES"},
                                                {.title = "LAST USED", .min = 10},
                                                {.title = "FROM", .min = 7}};

int cmd_key_list(const struct cli_args *args) {
    struct cli_data data;
    struct err err;
    if (key_by_api(args, true) || args->n_operands) return key_list_by_api(args);
    int code = cli_data_open(args, false, &data);
    if (code != CLI_OK) return code;
    struct listing l = {.args = args, .out = BUF_INIT(OUT_MAX), .now = clock_unix_ns()};
    arena_init(&l.arena, NULL, 0, ARENA_MAX);
    l.table = (struct cli_table){.columns = KEY_COLUMNS, .n_columns = ARRAY_LEN(KEY_COLUMNS), .arena = &l.arena};
    if (!key_each(data.db, list_row, &l, &err)) {
        code = cli_fail_err(args->io, &err, "cannot read the keys", NULL);
    } else {
        if (l.table.n) cli_table_print(&l.table, args->io, &l.out);
        code = cli_print(args->io, &l.out);
        if (!cli_given(args, CLI_JSON) && !l.table.n && !cli_given(args, CLI_QUIET))
            fputs("There are no keys yet. Make one: penstock key create\n", args->io->err);
    }
    buf_free(&l.out);
    arena_free(&l.arena);
    cli_data_close(&data);
    return code;
}

// --- revoke
// -----------------------------------------------------------------------------------------------------------

static bool revoke_told(struct cli_data *data, const struct key_row *row, int64_t now, struct err *err) {
    if (!sql_begin(data->db, err)) return false;
    bool ok = key_revoke(data->db, &data->dir, row->id, now, err);
    return act_end(data, ok, "key.revoke", row->tenant_id, row->id, row->name.n ? row->name : row->prefix, err);
}

static int revoke(const struct cli_args *args, struct cli_data *data, struct arena *arena) {
    struct key_row row;
    struct err err;
    int64_t now = clock_unix_ns();
    if (!key_find(data->db, str_c(args->operands[0]), arena, &row, &err))
        return cli_fail_err(args->io, &err, "cannot find the key", "penstock key list");
    if (!row.revoked_at && !revoke_told(data, &row, now, &err))
        return cli_fail_err(args->io, &err, "cannot revoke the key", NULL);
    char id[KEY_ID_TEXT_LEN];
    key_id_text(id, row.id);
    BUF_AUTO struct buf out = BUF_INIT(OUT_MAX);
    if (cli_given(args, CLI_JSON)) {
        struct json_writer w;
        json_writer_init(&w, &out);
        json_put_object(&w);
        json_put_member_str(&w, STR("id"), str_of(id, sizeof id));
        json_put_member_str(&w, STR("prefix"), row.prefix);
        json_put_member_str(&w, STR("name"), row.name);
        json_put_member_str(&w, STR("state"), STR("revoked"));
        json_put_member_str(&w, STR("revoked_at"), cli_time(arena, row.revoked_at ? row.revoked_at : now));
        json_put_object_end(&w);
        buf_putc(&out, '\n');
    } else if (!cli_given(args, CLI_QUIET)) {
        fprintf(args->io->err, "%s key %.*s (%.*s).\n", row.revoked_at ? "It was revoked before:" : "Revoked",
                KEY_ID_TEXT_LEN, id, STR_ARG(row.prefix));
    }
    return cli_print(args->io, &out);
}

int cmd_key_revoke(const struct cli_args *args) {
    struct cli_data data;
    struct arena arena;
    if (key_by_api(args, true)) return key_revoke_by_api(args);
    int code = cli_data_open(args, false, &data);
    if (code != CLI_OK) return code;
    arena_init(&arena, NULL, 0, ARENA_MAX);
    code = revoke(args, &data, &arena);
    arena_free(&arena);
    cli_data_close(&data);
    return code;
}
