// penstock config migrate: rewrites a configuration file of an older format, after showing what changes.
#include "cli/commands.h"
#include "conf/conf.h"
#include "conf/migrate.h"
#include "conf/text_diff.h"
#include "os/file.h"

#define TEXT_MAX (4 * CONF_FILE_MAX)
#define BACKUPS_MAX 1000

struct migrating {
    const struct cli_args *args;
    const struct cli_io *io;
    struct str path;
    struct file_info info;
    struct buf text, result;
    int64_t from;
    struct buf backup; // its path, once it is there
};

static void put_json(const struct migrating *m, const char *state) {
    struct json_writer w;
    BUF_AUTO struct buf out = BUF_INIT(TEXT_MAX);
    json_writer_init(&w, &out);
    json_put_object(&w);
    json_put_member_str(&w, STR("file"), m->path);
    json_put_member_str(&w, STR("state"), str_c(state));
    json_put_member_i64(&w, STR("from_version"), m->from);
    json_put_member_i64(&w, STR("to_version"), CONF_VERSION);
    if (m->backup.n) json_put_member_str(&w, STR("backup"), buf_str(&m->backup));
    json_put_object_end(&w);
    buf_putc(&out, '\n');
    (void)cli_print(m->io, &out);
}

static void say(const struct migrating *m, const char *state, const char *text) {
    if (cli_given(m->args, CLI_JSON))
        put_json(m, state);
    else if (!cli_given(m->args, CLI_QUIET))
        fprintf(m->io->err, "%.*s: %s\n", STR_ARG(m->path), text);
}

static int problems_show(const struct migrating *m, struct conf_problems *problems) {
    BUF_AUTO struct buf out = BUF_INIT(TEXT_MAX);
    conf_problems_sort(problems);
    conf_problems_print(problems, &out);
    fwrite(out.p ? out.p : "", 1, out.n, m->io->err);
    return CLI_CONFIG_INVALID;
}

static int migrate(struct migrating *m) {
    struct conf_source source = {.name = m->path, .text = buf_str(&m->text), .layer = LAYER_FILE};
    struct conf_problems problems;
    conf_problems_init(&problems);
    bool ok = conf_migrate_text(&source, &problems, &m->result, &m->from);
    int code = ok ? CLI_OK : problems_show(m, &problems);
    conf_problems_free(&problems);
    return code;
}

static int diff_show(const struct migrating *m) {
    BUF_AUTO struct buf out = BUF_INIT(TEXT_MAX);
    if (cli_given(m->args, CLI_JSON)) return CLI_OK;
    text_diff(buf_str(&m->text), buf_str(&m->result), m->path, m->path, m->io->color_out, &out);
    return cli_print(m->io, &out);
}

// Anything but a clear yes is a no.
static bool agreed(const struct migrating *m) {
    char answer[16] = "";
    if (cli_given(m->args, CLI_YES)) return true;
    fprintf(m->io->err, "Write it? [y/N] ");
    fflush(m->io->err);
    if (!fgets(answer, sizeof answer, m->io->in)) return false;
    struct str s = str_trim(str_c(answer));
    return str_eq_nocase(s, STR("y")) || str_eq_nocase(s, STR("yes"));
}

static bool backup_make(struct migrating *m, struct err *err) {
    bool created = false;
    for (unsigned i = 1; !created && i <= BACKUPS_MAX; i++) {
        buf_clear(&m->backup);
        buf_printf(&m->backup, "%.*s.bak-v%lld", STR_ARG(m->path), (long long)m->from);
        if (i > 1) buf_printf(&m->backup, ".%u", i);
        if (!file_create_once(buf_str(&m->backup), buf_str(&m->text), m->info.mode, &created, err)) return false;
    }
    return created || err_set(err, ERR_EXISTS, "there are %d backups already", BACKUPS_MAX);
}

// What was shown and agreed to is what gets written: a file that has changed since is left alone.
static bool unchanged(const struct migrating *m, struct err *err) {
    BUF_AUTO struct buf now = BUF_INIT(CONF_FILE_MAX);
    if (!file_read_all(m->path, CONF_FILE_MAX, &now, err)) return false;
    return str_eq(buf_str(&now), buf_str(&m->text)) || err_set(err, ERR_EXISTS, "the file has changed meanwhile");
}

static int write_out(struct migrating *m) {
    struct err err;
    if (!unchanged(m, &err)) return cli_fail_err(m->io, &err, "nothing was written", "the command again");
    if (!backup_make(m, &err)) {
        buf_clear(&m->backup);
        return cli_fail_err(m->io, &err, "no backup could be made, so nothing was written", NULL);
    }
    if (!file_replace(m->path, buf_str(&m->result), m->info.mode, &err))
        return cli_fail_err(m->io, &err, "the file could not be written; it is as before", NULL);
    char text[768];
    snprintf(text, sizeof text, "now version %d; the old one is kept as %.*s", CONF_VERSION,
             STR_ARG(buf_str(&m->backup)));
    say(m, "migrated", text);
    return CLI_OK;
}

static int run(struct migrating *m) {
    struct err err;
    bool there = file_stat(m->path, &m->info, &err);
    if (str_eq(m->path, STR("-")) || (there && m->info.kind == FILE_KIND_OTHER))
        return cli_fail(m->io, CLI_USAGE, "config migrate rewrites a file, and this is none", NULL,
                        "penstock config migrate FILE");
    if (!there || !file_read_all(m->path, CONF_FILE_MAX, &m->text, &err))
        return cli_fail_err(m->io, &err, "the configuration file cannot be read", "penstock config migrate FILE");
    int code = migrate(m);
    if (code != CLI_OK) return code;
    if (str_eq(buf_str(&m->text), buf_str(&m->result))) {
        say(m, "current", "nothing to do, it has the current format");
        return CLI_OK;
    }
    code = diff_show(m);
    if (code != CLI_OK) return code;
    if (cli_given(m->args, CLI_DRY_RUN)) {
        say(m, "would migrate", "not written (--dry-run)");
        return CLI_OK;
    }
    if (!cli_given(m->args, CLI_YES) && !m->io->in_tty)
        return cli_fail(m->io, CLI_REFUSED, "nothing was written: there is no terminal to ask on", NULL,
                        "penstock config migrate --yes");
    if (!agreed(m)) {
        say(m, "refused", "left as it is");
        return CLI_REFUSED;
    }
    return write_out(m);
}

int cmd_config_migrate(const struct cli_args *args) {
    struct migrating m = {.args = args,
                          .io = args->io,
                          .path = args->n_operands ? str_c(args->operands[0]) : STR("penstock.yaml"),
                          .text = BUF_INIT(CONF_FILE_MAX),
                          .result = BUF_INIT(CONF_FILE_MAX),
                          .backup = BUF_INIT(8192)};
    int code = run(&m);
    secret_wipe(m.text.p, m.text.p ? m.text.cap : 0);
    secret_wipe(m.result.p, m.result.p ? m.result.cap : 0);
    buf_free(&m.text);
    buf_free(&m.result);
    buf_free(&m.backup);
    return code;
}
