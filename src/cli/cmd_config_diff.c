// penstock config diff.
#include "cli/commands.h"
#include "cli/diff_keys.h"
#include "conf/change.h"
#include "os/clock.h"
#include "store/config_env.h"

#define TEXT_MAX ((size_t)64 << 20)
#define SHOWN 200

enum operand_kind { OPERAND_FILE, OPERAND_RUNNING, OPERAND_VERSION };
struct operand {
    enum operand_kind kind;
    struct str text;          // as given
    struct str file, profile; // OPERAND_FILE
    int64_t version;          // OPERAND_VERSION
    struct conf *conf;
};
struct diffing {
    const struct cli_args *args;
    struct operand a, b;
    struct cli_data data; // db NULL: none at hand
    struct conf_changes changes;
    struct diff_keys keys;
};

static bool is_file(struct str path) {
    struct file_info info;
    struct err err;
    return file_stat(path, &info, &err) && (info.kind == FILE_KIND_REGULAR || info.kind == FILE_KIND_OTHER);
}

// A file of the name goes before FILE@PROFILE.
static struct operand operand_of(struct str text) {
    struct operand o = {.kind = OPERAND_FILE, .text = text, .file = text};
    uint64_t version;
    if (str_eq(text, STR("running"))) {
        o.kind = OPERAND_RUNNING;
    } else if (str_starts(text, STR("@")) && str_to_u64(str_from(text, 1), &version) && version <= INT64_MAX) {
        o.kind = OPERAND_VERSION;
        o.version = (int64_t)version;
    } else if (!is_file(text)) {
        size_t at = text.n;
        while (at && text.p[at - 1] != '@') at--;
        if (at > 1 && at < text.n) o.file = str_head(text, at - 1), o.profile = str_from(text, at);
    }
    return o;
}

// --- loading ---

static const char *without_layers(void *ctx, const char *name) {
    bool layer = strcmp(name, "PENSTOCK_ENV") == 0 || strcmp(name, "PENSTOCK_CONFIG_JSON") == 0;
    return layer ? NULL : conf_env_system().get(ctx, name);
}

// A version of the history is all layers joined: only its references are looked up.
static int load_tree(const struct cli_args *args, const struct config_version_row *row, struct conf **out_conf) {
    struct config_env stores = {.no_live = true};
    struct conf_env env = config_env_system(&stores);
    struct conf_problems problems;
    BUF_AUTO struct buf text = BUF_INIT(TEXT_MAX);
    char name[64];
    snprintf(name, sizeof name, "version %lld", (long long)row->version);
    env.get = without_layers;
    env.match_files = NULL;
    env.variables = NULL;
    env.read_live = NULL;
    env.offline = cli_given(args, CLI_OFFLINE);
    conf_problems_init(&problems);
    bool ok = conf_load_text(row->tree, str_c(name), &env, &problems, out_conf);
    if (!ok) conf_problems_print(&problems, &text);
    fwrite(text.p ? text.p : "", 1, text.n, args->io->err);
    conf_problems_free(&problems);
    config_env_end(&stores);
    if (ok) return CLI_OK;
    return cli_fail(args->io, CLI_CONFIG_INVALID, "a version of the history cannot be loaded", name,
                    "penstock config diff --offline, where what it refers to is not at hand");
}

static int load_version(struct diffing *d, struct operand *o) {
    struct config_version_row row;
    struct arena arena;
    struct err err;
    int64_t version = o->version;
    int code = CLI_OK;
    if (o->kind == OPERAND_RUNNING && !config_version_newest(d->data.db, &version, NULL, &err))
        return cli_fail_err(d->args->io, &err, "cannot read the history", NULL);
    if (o->kind == OPERAND_RUNNING && !version)
        return cli_fail(d->args->io, CLI_NOT_FOUND, "nothing is known of a running configuration",
                        "no server has run on this data directory yet", "--data DIR, with the server's directory");
    arena_init(&arena, NULL, 0, TEXT_MAX * 2);
    if (config_version_find(d->data.db, &d->data.dir, version, &arena, &row, &err))
        code = load_tree(d->args, &row, &o->conf);
    else
        code =
            cli_fail_err(d->args->io, &err, "cannot read this version of the configuration", "penstock config history");
    arena_wipe_free(&arena);
    return code;
}

static int load(struct diffing *d, struct operand *o, bool with_live) {
    // Between two files live changes would hide differences; what is running has them.
    struct cli_conf_wanted wanted = {.file = o->file, .profile = o->profile, .files_only = !with_live};
    if (o->kind == OPERAND_FILE) return cli_conf_load(d->args, &wanted, CLI_CONFIG_INVALID, &o->conf);
    int code = d->data.db ? CLI_OK : cli_data_open(d->args, false, &d->data);
    return code == CLI_OK ? load_version(d, o) : code;
}

// --- keys ---

// Where no data directory is, there are no keys.
static int find_keys(struct diffing *d) {
    BUF_AUTO struct buf database = BUF_INIT(64 * 1024);
    struct err err;
    struct str data = cli_given(d->args, CLI_DATA) ? cli_data_dir(d->args) : d->b.conf->storage.data;
    path_join(&database, data, STR("penstock.db"));
    if (!d->data.db && !d->b.conf->storage.url.n && !is_file(buf_str(&database))) return CLI_OK;
    int code = d->data.db ? CLI_OK : cli_data_open_at(d->args, data, d->b.conf, false, &d->data);
    if (code != CLI_OK) return code;
    if (diff_keys_find(d->data.db, d->a.conf, d->b.conf, &d->changes, clock_unix_ns(), &d->keys, &err)) return CLI_OK;
    return cli_fail_err(d->args->io, &err, "cannot read the keys", NULL);
}

// --- printing ---

static void put_text(const struct diffing *d, struct buf *out) {
    conf_changes_print(&d->changes, out);
    if (d->keys.list.n) buf_lit(out, "\nAPI keys touched:\n");
    for (size_t i = 0; i < d->keys.list.n; i++) {
        const struct diff_key *key = &d->keys.list.p[i];
        char id[KEY_ID_TEXT_LEN + 1] = {0};
        key_id_text(id, key->id);
        buf_printf(out, "  %s  %.*s…  %.*s%s(%.*s)\n", id, STR_ARG(key->prefix), STR_ARG(key->name),
                   key->name.n ? "  " : "", STR_ARG(key->why));
    }
}

static void put_json(const struct diffing *d, struct buf *out) {
    struct json_writer w;
    BUF_AUTO struct buf list = BUF_INIT(TEXT_MAX);
    conf_changes_json(&d->changes, &list);
    if (list.failed) out->failed = true;
    json_writer_init(&w, out);
    json_put_object(&w);
    json_put_member_str(&w, STR("from"), d->a.text);
    json_put_member_str(&w, STR("to"), d->b.text);
    json_put_member_bool(&w, STR("same"), !d->changes.list.n);
    json_put_member_raw(&w, STR("changes"), list.failed ? STR("[]") : str_trim(buf_str(&list)));
    json_put_member_array(&w, STR("keys"));
    for (size_t i = 0; i < d->keys.list.n; i++) {
        const struct diff_key *key = &d->keys.list.p[i];
        char id[KEY_ID_TEXT_LEN + 1] = {0};
        key_id_text(id, key->id);
        json_put_object(&w);
        json_put_member_str(&w, STR("id"), str_c(id));
        json_put_member_str(&w, STR("name"), key->name);
        json_put_member_str(&w, STR("prefix"), key->prefix);
        json_put_member_str(&w, STR("because"), key->why);
        json_put_object_end(&w);
    }
    json_put_array_end(&w);
    json_put_object_end(&w);
    json_writer_done(&w);
    buf_putc(out, '\n');
}

static int diff(struct diffing *d) {
    BUF_AUTO struct buf out = BUF_INIT(TEXT_MAX);
    bool with_live = d->a.kind != OPERAND_FILE || d->b.kind != OPERAND_FILE;
    int code = load(d, &d->a, with_live);
    if (code == CLI_OK) code = load(d, &d->b, with_live);
    if (code != CLI_OK) return code;
    conf_compare(d->a.conf, d->b.conf, &d->changes);
    if (d->changes.failed) return cli_fail(d->args->io, CLI_FAILED, "out of memory", NULL, NULL);
    if (d->changes.list.n) code = find_keys(d);
    if (code != CLI_OK) return code;
    if (cli_given(d->args, CLI_JSON))
        put_json(d, &out);
    else
        put_text(d, &out);
    return cli_print(d->args->io, &out);
}

int cmd_config_diff(const struct cli_args *args) {
    struct diffing d = {.args = args};
    d.a = operand_of(args->n_operands > 1 ? str_c(args->operands[0]) : STR("running"));
    d.b = operand_of(str_c(args->operands[args->n_operands - 1]));
    conf_changes_init(&d.changes);
    diff_keys_init(&d.keys);
    int code = diff(&d);
    bool differ = d.changes.list.n != 0;
    if (d.data.db) cli_data_close(&d.data);
    conf_unref(d.a.conf);
    conf_unref(d.b.conf);
    conf_changes_free(&d.changes);
    diff_keys_free(&d.keys);
    if (code == CLI_OK) return differ ? 1 : 0;
    return code == CLI_FAILED ? CLI_USAGE : code; // 1 says that they differ
}
