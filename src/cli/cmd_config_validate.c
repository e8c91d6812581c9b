// penstock config validate.
#include "cli/commands.h"
#include "conf/conf.h"

#define TEXT_MAX ((size_t)16 * 1024 * 1024)

static void put_json(struct buf *out, const struct conf_problems *problems, bool valid, struct str file) {
    struct json_writer w;
    BUF_AUTO struct buf list = BUF_INIT(TEXT_MAX);
    conf_problems_json(problems, &list);
    json_writer_init(&w, out);
    json_put_object(&w);
    json_put_member_str(&w, STR("file"), file);
    json_put_member_bool(&w, STR("valid"), valid);
    json_put_member_raw(&w, STR("problems"), str_trim(buf_str(&list)));
    json_put_object_end(&w);
    buf_putc(out, '\n');
    if (list.failed) out->failed = true;
}

int cmd_config_validate(const struct cli_args *args) {
    struct conf_problems problems;
    struct conf *conf = NULL;
    struct conf_env env = conf_env_system();
    struct str file = str_c(args->operands[0]);
    BUF_AUTO struct buf out = BUF_INIT(TEXT_MAX), faults = BUF_INIT(TEXT_MAX);
    conf_problems_init(&problems);
    bool valid = conf_load(file, &env, &problems, &conf);
    if (cli_given(args, CLI_JSON)) {
        put_json(&out, &problems, valid, file);
    } else {
        conf_problems_print(&problems, &faults);
        if (valid && !cli_given(args, CLI_QUIET)) buf_printf(&out, "%.*s: valid\n", STR_ARG(file));
    }
    fwrite(faults.p ? faults.p : "", 1, faults.n, args->io->err);
    int code = cli_print(args->io, &out);
    conf_unref(conf);
    conf_problems_free(&problems);
    return code == CLI_OK && !valid ? CLI_CONFIG_INVALID : code;
}
