// penstock audit verify, key, rotate.
#include "cli/audit_command.h"
#include "cli/server_call.h"
#include "os/clock.h"
#include "store/audit_key.h"

#define PIECE ((size_t)256 * 1024)
#define OUT_MAX ((size_t)4 * 1024 * 1024)

bool audit_command_tell(struct cli_data *data, int64_t tenant, struct audit_event *event, struct err *err) {
    struct audit_signer *signer;
    event->actor_kind = STR("operator");
    event->actor_name = STR("command line");
    event->agent = STR("penstock");
    if (!audit_signer_create(&data->dir, &signer, err)) return false;
    struct sql_scope scope = sql_tenant(data->db, tenant);
    bool inside = data->db->ops->in_transaction(data->db);
    bool ok = inside ? audit_append(scope, signer, event, err) : audit_append_alone(scope, signer, event, err);
    audit_signer_free(signer);
    return ok;
}

// --- verify ---

static void put_verdict_json(struct buf *out, const struct audit_verdict *v) {
    struct json_writer w;
    BUF_AUTO struct buf hex = BUF_INIT(100);
    hex_put(&hex, str_of((const char *)v->key, sizeof v->key));
    json_writer_init(&w, out);
    json_put_object(&w);
    json_put_member_bool(&w, STR("sound"), !v->faulty);
    json_put_member_u64(&w, STR("chains"), v->chains);
    json_put_member_u64(&w, STR("events"), v->events);
    json_put_member_u64(&w, STR("checkpoints"), v->checkpoints);
    json_put_member_str(&w, STR("key"), buf_str(&hex));
    if (v->faulty) {
        json_put_member_i64(&w, STR("tenant"), v->fault.tenant);
        json_put_member_i64(&w, STR("seq"), v->fault.seq);
        json_put_member_str(&w, STR("reason"), str_c(v->fault.why));
    }
    json_put_object_end(&w);
    buf_putc(out, '\n');
}

static int tell_verdict(const struct cli_args *args, const struct audit_verdict *v, bool pinned) {
    BUF_AUTO struct buf out = BUF_INIT(OUT_MAX);
    if (cli_given(args, CLI_JSON)) {
        put_verdict_json(&out, v);
    } else if (!v->faulty && !cli_given(args, CLI_QUIET)) {
        buf_printf(&out, "Sound: %llu events in %llu chains, %llu checkpoints, signed by ",
                   (unsigned long long)v->events, (unsigned long long)v->chains, (unsigned long long)v->checkpoints);
        hex_put(&out, str_of((const char *)v->key, sizeof v->key));
        buf_putc(&out, '\n');
        if (!pinned && cli_given(args, CLI_FILE))
            buf_lit(&out, "That key is the file's own: compare it with one that you kept, or give it with --key.\n");
    }
    int code = cli_print(args->io, &out);
    if (code != CLI_OK || !v->faulty) return code;
    char what[64];
    snprintf(what, sizeof what, "the audit trail is not sound");
    return cli_fail(args->io, CLI_FAILED, what, v->fault.why, NULL);
}

static int verify_file(const struct cli_args *args, const unsigned char *key) {
    struct err err;
    struct audit_verdict v;
    CLEANUP(file_close) struct file in = {0};
    struct audit_file f;
    bool more = true;
    if (!file_open(cli_value(args, CLI_FILE), FILE_READ, 0, &in, &err))
        return cli_fail_err(args->io, &err, "cannot read the export", NULL);
    char *piece = mem_alloc(PIECE);
    if (!piece) return cli_fail(args->io, CLI_FAILED, "out of memory", NULL, NULL);
    audit_file_begin(&f, key);
    uint64_t at = 0;
    int code = CLI_OK;
    while (more) {
        size_t n;
        if (!file_read_at(&in, at, piece, PIECE, &n, &err)) {
            code = cli_fail_err(args->io, &err, "cannot read the export", NULL);
            break;
        }
        at += n;
        more = n > 0 && audit_file_put(&f, str_of(piece, n), &err);
    }
    audit_file_end(&f, &v);
    audit_file_free(&f);
    mem_free(piece);
    return code == CLI_OK ? tell_verdict(args, &v, key != NULL) : code;
}

static int verify_data(const struct cli_args *args, const unsigned char *key, int64_t since) {
    struct cli_data data;
    struct audit_verdict v;
    struct err err;
    int64_t tenant;
    int code = audit_command_open(args, &data, &tenant);
    if (code != CLI_OK) return code;
    struct audit_verify_options o = {
        .tenant = cli_given(args, CLI_TENANT) ? tenant : 0, .since = since, .key = key, .dir = &data.dir};
    if (audit_verify(data.db, &o, &v, &err))
        code = tell_verdict(args, &v, key != NULL);
    else
        code = cli_fail_err(args->io, &err, "cannot verify the audit trail", NULL);
    cli_data_close(&data);
    return code;
}

int cmd_audit_verify(const struct cli_args *args) {
    unsigned char key[AUDIT_KEY_SIZE];
    int64_t since = 0;
    bool pinned = cli_given(args, CLI_KEY);
    if (pinned && !audit_key_parse(str_trim(cli_value(args, CLI_KEY)), key))
        return cli_fail(args->io, CLI_USAGE, "this is no public key", "it has 64 hexadecimal digits",
                        "penstock audit key");
    if (cli_given(args, CLI_SINCE) && (!str_to_i64(cli_value(args, CLI_SINCE), &since) || since < 1))
        return cli_fail(args->io, CLI_USAGE, "--since is the number of an event here", NULL,
                        "penstock audit verify --since 1000");
    if (cli_given(args, CLI_FILE)) return verify_file(args, pinned ? key : NULL);
    if (server_named(args).n) return audit_verify_by_api(args, since);
    return verify_data(args, pinned ? key : NULL, since);
}

// --- keys ---

struct keys {
    const struct cli_args *args;
    struct buf out;
};

static bool put_key(void *arg, const struct audit_public *key, struct err *err) {
    struct keys *k = arg;
    struct json_writer w;
    char made[TIME_TEXT_LEN], retired[TIME_TEXT_LEN];
    if (cli_given(k->args, CLI_JSON)) {
        json_writer_init(&w, &k->out);
        audit_put_key_json(&w, key, STR_NONE);
        buf_putc(&k->out, '\n');
        return !k->out.failed || err_no_memory(err);
    }
    hex_put(&k->out, str_of((const char *)key->p, sizeof key->p));
    time_text(made, key->created_at);
    buf_printf(&k->out, "  key %lld, made %.*s", (long long)key->id, TIME_TEXT_LEN, made);
    if (key->retired_at) {
        time_text(retired, key->retired_at);
        buf_printf(&k->out, ", retired %.*s", TIME_TEXT_LEN, retired);
    }
    buf_putc(&k->out, '\n');
    return !k->out.failed || err_no_memory(err);
}

int cmd_audit_key(const struct cli_args *args) {
    struct cli_data data;
    struct err err;
    struct keys k = {.args = args, .out = BUF_INIT(OUT_MAX)};
    int code = cli_data_open(args, false, &data);
    if (code != CLI_OK) return code;
    if (!audit_key_each(data.db, put_key, &k, &err))
        code = cli_fail_err(args->io, &err, "cannot read the keys of the audit trail", NULL);
    else if (!k.out.n)
        code = cli_fail(args->io, CLI_NOT_FOUND, "there is no key yet", "it is made with the first event", NULL);
    else
        code = cli_print(args->io, &k.out);
    buf_free(&k.out);
    cli_data_close(&data);
    return code;
}

// The event that tells of it is the first that the new key signs.
static bool rotate(struct cli_data *data, const struct audit_signer *signer, struct keys *k, struct err *err) {
    struct audit_public key;
    struct audit_event told = {.actor_kind = STR("operator"),
                               .actor_name = STR("command line"),
                               .action = STR("audit_key.rotate"),
                               .resource_type = STR("audit_key"),
                               .agent = STR("penstock")};
    if (!sql_begin(data->db, err)) return false;
    if (audit_key_rotate(data->db, signer, clock_unix_ns(), &key, err) &&
        audit_append(sql_tenant(data->db, AUDIT_TENANT_DEFAULT), signer, &told, err))
        return sql_commit(data->db, err) && put_key(k, &key, err);
    sql_rollback(data->db);
    return false;
}

int cmd_audit_rotate(const struct cli_args *args) {
    struct cli_data data;
    struct err err;
    struct audit_signer *signer;
    struct keys k = {.args = args, .out = BUF_INIT(OUT_MAX)};
    int code = cli_data_open(args, false, &data);
    if (code != CLI_OK) return code;
    bool ok = audit_signer_create(&data.dir, &signer, &err);
    if (ok) {
        ok = rotate(&data, signer, &k, &err);
        audit_signer_free(signer);
    }
    code = ok ? cli_print(args->io, &k.out) : cli_fail_err(args->io, &err, "cannot make a new key", NULL);
    buf_free(&k.out);
    cli_data_close(&data);
    return code;
}
