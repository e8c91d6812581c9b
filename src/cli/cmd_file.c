// penstock file: files that a server keeps, for batches among others.
#include "base/json_read.h"
#include "cli/api_client.h"
#include "cli/data_client.h"
#include "os/file.h"

#define ARENA_MAX ((size_t)64 << 20)
#define FILE_MAX ((size_t)1 << 30)
#define TEXT_MAX ((size_t)64 << 20)
#define TARGET_MAX ((size_t)4096)

static struct str time_of(struct arena *a, struct str object, struct str name) {
    int64_t s;
    return str_to_i64(cli_json_text(a, object, name), &s) ? str_head(cli_time(a, s * 1000000000), 16) : STR("");
}

static int list_files(const struct data_client *c, struct arena *a, struct str body) {
    static const struct cli_column columns[] = {
        {"FILE", false, 0}, {"PURPOSE", false, 0}, {"BYTES", true, 0}, {"CREATED", false, 0}, {"NAME", false, 20}};
    struct cli_table table = {.columns = columns, .n_columns = ARRAY_LEN(columns), .arena = a};
    BUF_AUTO struct buf out = BUF_INIT(TEXT_MAX);
    struct json_reader r;
    struct str data, row;
    enum json_kind kind;
    if (!JSON_GET(body, &data, STR("data"))) data = STR("[]");
    json_reader_init(&r, data, 0);
    for (bool in = json_enter_array(&r); in && json_element(&r, &kind) && json_skip(&r, &row);) {
        if (cli_given(c->args, CLI_JSON)) {
            buf_put(&out, row);
            buf_putc(&out, '\n');
            continue;
        }
        uint64_t bytes = 0;
        (void)(str_to_u64(cli_json_text(a, row, STR("bytes")), &bytes) || bytes);
        const struct str cells[] = {cli_json_text(a, row, STR("id")), cli_json_text(a, row, STR("purpose")),
                                    cli_count_text(a, bytes), time_of(a, row, STR("created_at")),
                                    cli_json_text(a, row, STR("filename"))};
        cli_table_add(&table, cells);
    }
    if (!cli_given(c->args, CLI_JSON)) cli_table_print(&table, c->args->io, &out);
    return cli_print(c->args->io, &out);
}

int cmd_file_list(const struct cli_args *args) {
    struct data_client c;
    struct arena a;
    struct cli_answer answer = {.body = BUF_INIT(0)};
    char target[64];
    int code = data_client_open(args, &c);
    if (code != CLI_OK) return code;
    uint64_t limit = cli_number(args, CLI_LIMIT, 100);
    int n = snprintf(target, sizeof target, "/v1/files?limit=%llu", (unsigned long long)(limit ? limit : 10000));
    const struct data_request r = {.method = HTTP_GET, .target = str_of(target, (size_t)n)};
    arena_init(&a, NULL, 0, ARENA_MAX);
    code = data_call(&c, &r, &answer);
    if (code == CLI_OK) code = list_files(&c, &a, buf_str(&answer.body));
    cli_answer_free(&answer);
    arena_free(&a);
    return code;
}

static struct str base_name(struct str path) {
    for (size_t i = path.n; i > 0; i--)
        if (path.p[i - 1] == '/') return str_from(path, i);
    return path;
}

int cmd_file_put(const struct cli_args *args) {
    struct data_client c;
    struct err err;
    struct str path = str_c(args->operands[0]), purpose = STR("user_data");
    BUF_AUTO struct buf bytes = BUF_INIT(FILE_MAX);
    BUF_AUTO struct buf id = BUF_INIT(256);
    if (args->n_operands > 1)
        purpose = str_c(args->operands[1]);
    else if (str_ends(path, STR(".jsonl")))
        purpose = STR("batch");
    int code = data_client_open(args, &c);
    if (code != CLI_OK) return code;
    if (!file_read_all(path, FILE_MAX, &bytes, &err)) return cli_fail_err(args->io, &err, "cannot read the file", NULL);
    code = data_put_file(&c, buf_str(&bytes), base_name(path), purpose, &id);
    if (code != CLI_OK) return code;
    buf_putc(&id, '\n');
    return cli_print(args->io, &id);
}

int cmd_file_get(const struct cli_args *args) {
    struct data_client c;
    int code = data_client_open(args, &c);
    struct str path = cli_given(args, CLI_OUTPUT) ? cli_value(args, CLI_OUTPUT) : STR("-");
    return code == CLI_OK ? data_get_file(&c, str_c(args->operands[0]), path) : code;
}

int cmd_file_delete(const struct cli_args *args) {
    struct data_client c;
    struct cli_answer answer = {.body = BUF_INIT(0)};
    BUF_AUTO struct buf target = BUF_INIT(TARGET_MAX);
    int code = data_client_open(args, &c);
    if (code != CLI_OK) return code;
    buf_lit(&target, "/v1/files/");
    cli_url_put(&target, str_c(args->operands[0]));
    const struct data_request r = {.method = HTTP_DELETE, .target = buf_str(&target)};
    code = data_call(&c, &r, &answer);
    cli_answer_free(&answer);
    return code;
}
