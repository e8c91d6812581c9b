// Which build this is.
#include "cli/commands.h"

#ifndef PENSTOCK_VERSION
#define PENSTOCK_VERSION "unknown"
#endif

const char *cli_version(void) { return PENSTOCK_VERSION; }

int cmd_version(const struct cli_args *args) {
    BUF_AUTO struct buf out = BUF_INIT(4096);
    if (cli_given(args, CLI_JSON)) {
        struct json_writer w;
        json_writer_init(&w, &out);
        json_put_object(&w);
        json_put_member_str(&w, STR("name"), STR("penstock"));
        json_put_member_str(&w, STR("version"), str_c(cli_version()));
        json_put_object_end(&w);
        buf_putc(&out, '\n');
    } else {
        buf_printf(&out, "penstock %s\n", cli_version());
    }
    return cli_print(args->io, &out);
}
