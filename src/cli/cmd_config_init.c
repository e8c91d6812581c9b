// penstock config init: writes a configuration file to begin with, from one of the templates.
#include "cli/commands.h"
#include "cli/config_file.h"
#include "conf/template.h"

#define TEXT_MAX ((size_t)1 << 20)
#define DEFAULT_FILE "penstock.yaml"

static int templates_list(const struct cli_args *args) {
    BUF_AUTO struct buf out = BUF_INIT(TEXT_MAX);
    for (size_t i = 0; i < conf_template_count(); i++) {
        struct conf_template t = conf_template_at(i);
        if (cli_given(args, CLI_JSON)) {
            struct json_writer w;
            json_writer_init(&w, &out);
            json_put_object(&w);
            json_put_member_str(&w, STR("name"), t.name);
            json_put_member_str(&w, STR("summary"), t.summary);
            json_put_object_end(&w);
            buf_putc(&out, '\n');
        } else {
            buf_printf(&out, "%-18.*s %.*s\n", STR_ARG(t.name), STR_ARG(t.summary));
        }
    }
    return cli_print(args->io, &out);
}

static int template_unknown(const struct cli_args *args, struct str name) {
    BUF_AUTO struct buf names = BUF_INIT(4096);
    char what[256];
    for (size_t i = 0; i < conf_template_count(); i++)
        buf_printf(&names, "%s%.*s", i ? ", " : "there are ", STR_ARG(conf_template_at(i).name));
    snprintf(what, sizeof what, "there is no template \"%.100s\"", name.p);
    return cli_fail(args->io, CLI_NOT_FOUND, what, buf_cstr(&names), "penstock config init --list");
}

int cmd_config_init(const struct cli_args *args) {
    if (cli_given(args, CLI_LIST)) return templates_list(args);
    if (cli_given(args, CLI_INTERACTIVE)) return cmd_config_init_interactive(args);
    struct str name = cli_given(args, CLI_TEMPLATE) ? cli_value(args, CLI_TEMPLATE) : conf_template_at(0).name;
    struct str path = cli_given(args, CLI_OUTPUT) ? cli_value(args, CLI_OUTPUT) : STR(DEFAULT_FILE);
    struct conf_template t;
    if (!conf_template_find(name, &t)) return template_unknown(args, name);
    if (str_eq(path, STR("-"))) {
        BUF_AUTO struct buf out = BUF_INIT(TEXT_MAX);
        buf_put(&out, t.text);
        return cli_print(args->io, &out);
    }
    int code = cli_file_put(args, path, t.text);
    return code == CLI_OK ? cli_config_written(args, path) : code;
}
