// penstock config import: turns another gateway's configuration into one of Penstock's.
#include "cli/commands.h"
#include "cli/config_file.h"
#include "conf/conf.h"
#include "conf/import.h"
#include "os/file.h"

#define TEXT_MAX (8 * CONF_FILE_MAX)

static void put_json(struct buf *out, const struct import_result *result, struct str output) {
    struct json_writer w;
    json_writer_init(&w, out);
    json_put_object(&w);
    if (output.n)
        json_put_member_str(&w, STR("file"), output);
    else
        json_put_member_str(&w, STR("yaml"), buf_str(&result->yaml));
    json_put_member_bool(&w, STR("complete"), result->unfinished == 0);
    json_put_member_array(&w, STR("notes"));
    for (size_t i = 0; i < result->notes.n; i++) {
        const struct import_note *n = &result->notes.p[i];
        json_put_object(&w);
        json_put_member_str(&w, STR("fate"), str_c(import_fate_name(n->fate)));
        json_put_member_str(&w, STR("file"), n->file);
        json_put_member_i64(&w, STR("line"), n->pos.line);
        json_put_member_i64(&w, STR("column"), n->pos.col);
        json_put_member_str(&w, STR("path"), n->path);
        json_put_member_str(&w, STR("why"), n->why);
        if (n->instead.n) json_put_member_str(&w, STR("instead"), n->instead);
        json_put_object_end(&w);
    }
    json_put_array_end(&w);
    json_put_object_end(&w);
    buf_putc(out, '\n');
}

static void notes_show(const struct cli_args *args, const struct import_result *result) {
    BUF_AUTO struct buf out = BUF_INIT(TEXT_MAX);
    import_notes_print(result, &out);
    fwrite(out.p ? out.p : "", 1, out.n, args->io->err);
    if (result->unfinished && !cli_given(args, CLI_QUIET))
        fprintf(args->io->err, "%zu setting%s could not be carried over as %s\n", result->unfinished,
                result->unfinished == 1 ? "" : "s", result->unfinished == 1 ? "it is" : "they are");
}

static int result_put(const struct cli_args *args, const struct import_result *result) {
    struct str output = cli_value(args, CLI_OUTPUT);
    bool to_file = cli_given(args, CLI_OUTPUT) && !str_eq(output, STR("-"));
    BUF_AUTO struct buf out = BUF_INIT(TEXT_MAX);
    int code = to_file ? cli_file_put(args, output, buf_str(&result->yaml)) : CLI_OK;
    if (code != CLI_OK) return code;
    if (cli_given(args, CLI_JSON))
        put_json(&out, result, to_file ? output : STR_NONE);
    else
        notes_show(args, result);
    if (!cli_given(args, CLI_JSON) && !to_file) buf_put(&out, buf_str(&result->yaml));
    code = cli_print(args->io, &out);
    return code != CLI_OK ? code : result->unfinished ? CLI_PARTLY : CLI_OK;
}

static int problems_show(const struct cli_args *args, struct conf_problems *problems) {
    BUF_AUTO struct buf out = BUF_INIT(TEXT_MAX);
    conf_problems_sort(problems);
    conf_problems_print(problems, &out);
    fwrite(out.p ? out.p : "", 1, out.n, args->io->err);
    return CLI_CONFIG_INVALID;
}

int cmd_config_import(const struct cli_args *args) {
    struct str format = str_c(args->operands[0]), file = str_c(args->operands[1]);
    enum import_format from = str_eq(format, STR("portkey")) ? IMPORT_PORTKEY : IMPORT_LITELLM;
    const struct conf_env env = conf_env_system();
    struct buf text = BUF_INIT(CONF_FILE_MAX + 1);
    struct err err;
    if (!file_read_all(file, CONF_FILE_MAX, &text, &err))
        return cli_fail_err(args->io, &err, "the file cannot be read", NULL);
    struct conf_problems problems;
    struct import_result result;
    conf_problems_init(&problems);
    int code;
    if (import_run(from, buf_str(&text), file, &env, &problems, &result)) {
        code = result_put(args, &result);
        import_result_free(&result);
    } else {
        code = problems_show(args, &problems);
    }
    conf_problems_free(&problems);
    secret_wipe(text.p, text.p ? text.cap : 0);
    buf_free(&text);
    return code;
}
