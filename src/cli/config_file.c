// Writes configuration files for commands, without taking the place of one that is there.
#include "cli/config_file.h"
#include "cli/commands.h"
#include "os/file.h"

int cli_file_put(const struct cli_args *args, struct str path, struct str text) {
    struct err err;
    struct file_info info;
    bool created = true, force = cli_given(args, CLI_FORCE);
    bool ok = file_stat(path, &info, &err);
    // Not for everybody's eyes: sooner or later somebody writes a key into it.
    if (ok && force)
        ok = file_replace(path, text, info.kind == FILE_KIND_ABSENT ? 0640 : info.mode, &err);
    else if (ok)
        ok = file_create_once(path, text, 0640, &created, &err);
    if (!ok) return cli_fail_err(args->io, &err, "the file cannot be written", NULL);
    if (created) return CLI_OK;
    char what[512];
    snprintf(what, sizeof what, "%.400s is there already", path.p);
    return cli_fail(args->io, CLI_REFUSED, what, "it is left as it is", "another --output, or --force");
}

int cli_config_written(const struct cli_args *args, struct str path) {
    BUF_AUTO struct buf out = BUF_INIT(65536);
    if (cli_given(args, CLI_JSON)) {
        struct json_writer w;
        json_writer_init(&w, &out);
        json_put_object(&w);
        json_put_member_str(&w, STR("file"), path);
        json_put_object_end(&w);
        buf_putc(&out, '\n');
    } else if (!cli_given(args, CLI_QUIET)) {
        buf_printf(&out, "Wrote %.*s. Next:\n", STR_ARG(path));
        buf_lit(&out, "  penstock config schema >penstock.schema.json   so that an editor completes and checks\n");
        buf_printf(&out, "  penstock config validate %.*s\n", STR_ARG(path));
        buf_printf(&out, "  penstock serve --config %.*s\n", STR_ARG(path));
    }
    return cli_print(args->io, &out);
}
