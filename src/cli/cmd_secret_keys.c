// penstock secret rekey, rotate-master.
#include "cli/audit_command.h"
#include "store/rekey.h"
#include "store/tenant.h"

#define OUT_MAX ((size_t)64 * 1024 * 1024)
#define NAME_MAX_SHOWN 128

// --- rekey ---

struct rekeying {
    const struct cli_args *args;
    struct sql *db;
    struct buf out;
    int64_t resealed, unopened, kept;
    size_t tenants;
};

static bool tenant_name(struct sql *db, int64_t id, char out_name[NAME_MAX_SHOWN], struct err *err) {
    struct sql_stmt *st;
    bool row;
    if (!sql_prepare(sql_platform(db), STR("SELECT name FROM tenant WHERE id = ?1"), &st, err)) return false;
    sql_bind_i64(st, 1, id);
    if (!sql_step(st, &row, err)) return false;
    snprintf(out_name, NAME_MAX_SHOWN, "%.*s", STR_ARG(row ? str_head(sql_col_text(st, 0), 100) : STR("")));
    if (row) sql_reset(st);
    return true;
}

static void put_report_json(struct buf *out, const char *name, const struct rekey_report *r) {
    struct json_writer w;
    json_writer_init(&w, out);
    json_put_object(&w);
    json_put_member_str(&w, STR("tenant"), str_c(name));
    json_put_member_i64(&w, STR("version"), r->version);
    json_put_member_bool(&w, STR("resumed"), r->resumed);
    json_put_member_i64(&w, STR("resealed"), r->resealed);
    json_put_member_i64(&w, STR("unopened"), r->unopened);
    json_put_member_i64(&w, STR("destroyed_keys"), r->destroyed);
    json_put_member_i64(&w, STR("kept_keys"), r->kept);
    json_put_object_end(&w);
    buf_putc(out, '\n');
}

static bool told(void *arg, const struct rekey_report *r, struct err *err) {
    struct rekeying *k = arg;
    char name[NAME_MAX_SHOWN];
    if (!tenant_name(k->db, r->tenant, name, err)) return false;
    k->resealed += r->resealed;
    k->unopened += r->unopened;
    k->kept += r->kept;
    k->tenants++;
    if (cli_given(k->args, CLI_JSON)) put_report_json(&k->out, name, r);
    if (r->unopened && !cli_given(k->args, CLI_QUIET))
        fprintf(k->args->io->err, "%s%s: %lld values do not open; they and their key are left as they are.\n",
                name[0] ? "Tenant " : "No tenant", name, (long long)r->unopened);
    return true;
}

static bool rekey(struct rekeying *k, const struct datadir *dir, struct err *err) {
    struct rekey_report report;
    int64_t id;
    if (!cli_given(k->args, CLI_TENANT)) return rekey_all(k->db, dir, told, k, err);
    return tenant_find(k->db, cli_value(k->args, CLI_TENANT), &id, err) &&
           rekey_tenant(sql_tenant(k->db, id), dir, &report, err) && told(k, &report, err);
}

static void say_rekeyed(const struct rekeying *k) {
    FILE *out = k->args->io->err;
    if (cli_given(k->args, CLI_QUIET) || cli_given(k->args, CLI_JSON)) return;
    fprintf(out, "%lld values of %zu tenants are sealed anew under new data keys.\n", (long long)k->resealed,
            k->tenants);
    if (k->kept)
        fprintf(out, "%lld old keys go in a minute, by a running server or the next call, when nothing uses them.\n",
                (long long)k->kept);
}

int cmd_secret_rekey(const struct cli_args *args) {
    struct cli_data data;
    struct err err;
    int code = cli_data_open(args, false, &data);
    if (code != CLI_OK) return code;
    struct rekeying k = {.args = args, .db = data.db, .out = BUF_INIT(OUT_MAX)};
    struct audit_event event = {.action = STR("secret.rekey"), .resource_type = STR("secret")};
    bool ok = audit_command_tell(&data, AUDIT_TENANT_DEFAULT, &event, &err) && rekey(&k, &data.dir, &err);
    code = cli_print(args->io, &k.out);
    if (!ok)
        code =
            cli_fail_err(args->io, &err, "re-keying was stopped; it goes on at the next call", "penstock secret rekey");
    else
        say_rekeyed(&k);
    if (ok && k.unopened) code = CLI_FAILED;
    buf_free(&k.out);
    cli_data_close(&data);
    return code;
}

// --- rotate-master ---

static int say_rotated(const struct cli_args *args, struct sql *db, int64_t count, bool fresh) {
    BUF_AUTO struct buf out = BUF_INIT(OUT_MAX);
    struct keeper_state state;
    struct json_writer w;
    struct err err;
    if (!keeper_state_get(db, &state, &err)) return cli_fail_err(args->io, &err, "cannot read the new state", NULL);
    if (!cli_given(args, CLI_JSON)) {
        if (cli_given(args, CLI_QUIET)) return CLI_OK;
        fprintf(args->io->err, "%lld data keys are wrapped anew; the master key is now: %s.\n", (long long)count,
                state.source);
        if (fresh)
            fputs("Back it up: a backup of the database from now on needs the new one.\n", args->io->err);
        else
            fputs("Put it in storage.master_key now, and remove storage.next_master_key.\n", args->io->err);
        return CLI_OK;
    }
    json_writer_init(&w, &out);
    json_put_object(&w);
    json_put_member_str(&w, STR("source"), str_c(state.source));
    json_put_member_i64(&w, STR("generation"), state.generation);
    json_put_member_i64(&w, STR("wrapped_keys"), count);
    json_put_object_end(&w);
    buf_putc(&out, '\n');
    return cli_print(args->io, &out);
}

int cmd_secret_rotate_master(const struct cli_args *args) {
    struct cli_data data;
    struct err err;
    int64_t count;
    if (!cli_given(args, CLI_TO))
        return cli_fail(args->io, CLI_USAGE, "it is not said what to change the master key to", NULL,
                        "--to next, for storage.next_master_key; --to file, for a new key in the present file");
    bool fresh = str_eq(cli_value(args, CLI_TO), STR("file"));
    int code = cli_data_open(args, false, &data);
    if (code != CLI_OK) return code;
    struct audit_event event = {.action = STR("secret.rotate_master"), .resource_type = STR("secret")};
    if (audit_command_tell(&data, AUDIT_TENANT_DEFAULT, &event, &err) &&
        keeper_rotate_master(data.dir.keeper, data.db, fresh, &count, &err))
        code = say_rotated(args, data.db, count, fresh);
    else
        code = cli_fail_err(args->io, &err, "the master key was not changed", NULL);
    cli_data_close(&data);
    return code;
}
