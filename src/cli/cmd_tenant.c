// penstock tenant branding, logo, export, delete, proof, verify-proof: all of a tenant taken along, or gone, and what
// proves that.
#include "cli/resource.h"

#include "base/json_read.h"
#include "base/text.h"
#include "govern/audit_export.h"
#include "os/file.h"
#include "store/audit_key.h"
#include "store/audit_verify.h"
#include "store/tenant_proof.h"

#include <stdio.h>

#define ARENA_MAX ((size_t)4 << 20)

// --- delete, proof ---

// As it is: what is signed must not be written anew.
static int print_proof(const struct cli_args *args, struct str document) {
    BUF_AUTO struct buf out = BUF_INIT(ARENA_MAX);
    buf_put(&out, str_trim(document));
    buf_putc(&out, '\n');
    return cli_print(args->io, &out);
}

static int ask(struct cli_api *api, enum http_method method, struct str path, struct str body) {
    struct cli_answer answer;
    int code = cli_api_call(api, method, path, STR(""), body, &answer);
    if (code == CLI_OK) code = print_proof(api->args, buf_str(&answer.body));
    cli_answer_free(&answer);
    return code;
}

int tenant_remove(struct cli_api *api, struct str path) {
    const struct cli_args *args = api->args;
    BUF_AUTO struct buf body = BUF_INIT(ARENA_MAX);
    struct json_writer w;
    struct str reason = STR("");
    if (!cli_given(args, CLI_CONFIRM))
        return cli_fail(args->io, CLI_USAGE, "all that the tenant has would be deleted for good", NULL,
                        "give its name once more: --confirm NAME");
    if (args->n_operands > 1) {
        reason = str_c(args->operands[1]);
        if (!str_starts(reason, STR("reason=")))
            return cli_fail(args->io, CLI_USAGE, "only a reason can be given", NULL, "reason=TEXT");
        reason = str_from(reason, 7);
    }
    json_writer_init(&w, &body);
    json_put_object(&w);
    json_put_member_str(&w, STR("confirm"), cli_value(args, CLI_CONFIRM));
    json_put_member_str(&w, STR("reason"), reason);
    json_put_object_end(&w);
    return ask(api, HTTP_DELETE, path, buf_str(&body));
}

int cmd_tenant_proof(const struct cli_args *args) {
    struct cli_api api;
    struct arena a;
    int code = cli_api_open(args, false, &api);
    if (code != CLI_OK) return code;
    arena_init(&a, NULL, 0, ARENA_MAX);
    code = ask(&api, HTTP_GET, resource_path(&a, &entity_tenant, args->operands[0], "proof"), STR(""));
    arena_free(&a);
    cli_api_close(&api);
    return code;
}

// --- export ---

struct export {
    const struct cli_args *args;
    struct file file;
    bool to_file;
    struct err err;
};

static bool take_piece(void *ctx, struct str piece) {
    struct export *x = ctx;
    if (x->to_file) return file_append(&x->file, piece, &x->err);
    return fwrite(piece.p, 1, piece.n, x->args->io->out) == piece.n;
}

int cmd_tenant_export(const struct cli_args *args) {
    struct export x = {.args = args};
    struct cli_api api;
    struct arena a;
    struct str path = cli_value(args, CLI_OUTPUT);
    int code = cli_api_open(args, false, &api);
    if (code != CLI_OK) return code;
    x.to_file = path.n && !str_eq(path, STR("-"));
    // Only for its owner: it says who did what.
    if (x.to_file && !file_open(path, FILE_WRITE | FILE_CREATE | FILE_TRUNCATE | FILE_APPEND, 0600, &x.file, &x.err)) {
        cli_api_close(&api);
        return cli_fail_err(args->io, &x.err, "cannot write the export", NULL);
    }
    arena_init(&a, NULL, 0, ARENA_MAX);
    code = cli_api_pull(&api, resource_path(&a, &entity_tenant, args->operands[0], "export"), take_piece, &x);
    if (code == CLI_OK && x.to_file && !file_sync(&x.file, &x.err))
        code = cli_fail_err(args->io, &x.err, "cannot write the export", NULL);
    if (x.to_file) file_close(&x.file);
    arena_free(&a);
    cli_api_close(&api);
    return code;
}

// --- branding ---

// With fields: changes them. Prints how it then is.
int cmd_tenant_branding(const struct cli_args *args) {
    struct cli_api api;
    struct arena a;
    BUF_AUTO struct buf body = BUF_INIT(ARENA_MAX);
    int code = cli_api_open(args, false, &api);
    if (code != CLI_OK) return code;
    arena_init(&a, NULL, 0, ARENA_MAX);
    struct str path = resource_path(&a, &entity_tenant, args->operands[0], "branding");
    if (args->n_operands > 1) code = resource_body(args, NULL, 1, &body);
    if (code == CLI_OK)
        code = resource_send(&api, args->n_operands > 1 ? HTTP_PATCH : HTTP_GET, path, buf_str(&body), NULL);
    arena_free(&a);
    cli_api_close(&api);
    return code;
}

int cmd_tenant_logo(const struct cli_args *args) {
    struct cli_api api;
    struct arena a;
    struct err err;
    BUF_AUTO struct buf bytes = BUF_INIT(ARENA_MAX);
    if (!file_read_all(str_c(args->operands[1]), ARENA_MAX, &bytes, &err))
        return cli_fail_err(args->io, &err, "cannot read the picture", NULL);
    int code = cli_api_open(args, false, &api);
    if (code != CLI_OK) return code;
    arena_init(&a, NULL, 0, ARENA_MAX);
    code = resource_send(&api, HTTP_PUT, resource_path(&a, &entity_tenant, args->operands[0], "logo"), buf_str(&bytes),
                         NULL);
    arena_free(&a);
    cli_api_close(&api);
    return code;
}

// --- verify-proof ---

static int read_all(const struct cli_args *args, struct buf *out) {
    struct str path = str_c(args->operands[0]);
    CLEANUP(file_close) struct file in = {0};
    struct err err;
    char piece[16384];
    size_t n;
    if (!file_open(path, FILE_READ, 0, &in, &err)) return cli_fail_err(args->io, &err, "cannot read the proof", NULL);
    do {
        if (!file_read_at(&in, out->n, piece, sizeof piece, &n, &err))
            return cli_fail_err(args->io, &err, "cannot read the proof", NULL);
        buf_append(out, piece, n);
    } while (n && !out->failed);
    return out->failed
               ? cli_fail(args->io, CLI_FAILED, "this is no proof of a tenant's deletion", "it is too long", NULL)
               : CLI_OK;
}

static bool take_key(void *arg, const struct audit_public *key, struct err *err) {
    return audit_keyset_add(arg, key, err);
}

// Whether a key that the data directory's own audit trail leads to is this one.
static bool known_here(struct cli_data *data, const unsigned char key[AUDIT_KEY_SIZE], struct err *err) {
    struct audit_keyset keys = {0};
    struct audit_public own;
    bool known = false;
    if (!audit_key_own(data->db, &data->dir, &own, err)) return false;
    if (audit_key_each(data->db, take_key, &keys, err) && audit_keyset_trust(&keys, own.p))
        for (size_t i = 0; i < keys.keys.n; i++)
            known |= keys.keys.p[i].trusted && !memcmp(keys.keys.p[i].key.p, key, AUDIT_KEY_SIZE);
    audit_keyset_free(&keys);
    return known || err_set(err, ERR_STORE, "it was signed with a key that is not of this server's audit trail");
}

// *out_how: by what it was checked.
static int check_key(const struct cli_args *args, const struct tenant_proof_verdict *v, const char **out_how) {
    unsigned char key[AUDIT_KEY_SIZE];
    struct cli_data data;
    struct err err;
    if (cli_given(args, CLI_KEY)) {
        if (!audit_key_parse(str_trim(cli_value(args, CLI_KEY)), key))
            return cli_fail(args->io, CLI_USAGE, "this is no public key", "it has 64 hexadecimal digits",
                            "penstock audit key");
        *out_how = "the given key";
        if (!memcmp(key, v->key, sizeof key)) return CLI_OK;
        return cli_fail(args->io, CLI_FAILED, "the proof is not sound", "it was signed with another key", NULL);
    }
    bool there;
    int code = cli_data_open_existing(args, &data, &there);
    if (code != CLI_OK || !there) return code;
    *out_how = "the audit trail's keys";
    if (!known_here(&data, v->key, &err)) code = cli_fail_err(args->io, &err, "the proof is not sound", NULL);
    cli_data_close(&data);
    return code;
}

int cmd_tenant_verify_proof(const struct cli_args *args) {
    BUF_AUTO struct buf document = BUF_INIT(TENANT_PROOF_MAX);
    BUF_AUTO struct buf out = BUF_INIT(ARENA_MAX);
    struct tenant_proof_verdict v;
    struct err err;
    const char *how = NULL;
    struct arena a;
    struct str tenant;
    int code = read_all(args, &document);
    if (code != CLI_OK) return code;
    if (!tenant_proof_check(buf_str(&document), &v, &err))
        return cli_fail_err(args->io, &err, "cannot check the proof", NULL);
    if (!v.sound)
        return cli_fail(args->io, CLI_FAILED, "the proof is not sound", "it was changed after it was signed", NULL);
    code = check_key(args, &v, &how);
    if (code != CLI_OK) return code;
    arena_init(&a, NULL, 0, ARENA_MAX);
    if (!JSON_GET(v.proof, &tenant, STR("tenant"))) tenant = STR("{}");
    buf_printf(&out, "Sound: tenant %.*s (%.*s) was deleted, completed at %.*s; signed by ",
               STR_ARG(cli_json_text(&a, tenant, STR("name"))), STR_ARG(cli_json_text(&a, tenant, STR("id"))),
               STR_ARG(cli_json_text(&a, v.proof, STR("completed_at"))));
    hex_put(&out, str_of((const char *)v.key, sizeof v.key));
    buf_printf(&out, how ? ", which is of %s.\n" : ".\n", how);
    if (!how) buf_lit(&out, "That key is the file's own: compare it with one that you kept, or give it with --key.\n");
    arena_free(&a);
    return cli_given(args, CLI_QUIET) ? CLI_OK : cli_print(args->io, &out);
}
