// penstock batch: runs a file of requests on a server and fetches what came of it; lists, shows and cancels batches.
#include "base/hash.h"
#include "base/json_read.h"
#include "base/text.h"
#include "cli/api_client.h"
#include "cli/data_client.h"
#include "os/clock.h"
#include "os/file.h"

#define ARENA_MAX ((size_t)64 << 20)
#define FILE_MAX ((size_t)1 << 30)
#define TEXT_MAX ((size_t)64 << 20)
#define PATH_BYTES_MAX ((size_t)4096)
#define LOOK_FIRST_NS (50 * NS_PER_MS)
#define LOOK_NS (500 * NS_PER_MS)
#define AWAY_NS (120 * NS_PER_SEC) // so long a server may be away
#define BAR 30

struct running {
    const struct cli_args *args;
    struct data_client client;
    struct arena arena;
    struct buf input, output, errors, state; // bytes of the file; paths
    struct buf id;                           // of the batch
    char mark[17];                           // of the file's bytes
    // As last seen.
    struct str status;
    uint64_t total, completed, failed;
    struct buf answer;
    uint64_t began_ns, began_done;
    unsigned told; // tenths, where nobody watches
    bool line_open;
};

static int batch_call(const struct data_client *c, enum http_method method, struct str id, const char *action,
                      bool quiet, struct cli_answer *out) {
    BUF_AUTO struct buf target = BUF_INIT(PATH_BYTES_MAX);
    buf_lit(&target, "/v1/batches/");
    cli_url_put(&target, id);
    buf_put(&target, str_c(action));
    const struct data_request r = {.method = method, .target = buf_str(&target), .quiet = quiet};
    return data_call(c, &r, out);
}

// --- what it goes on from ---

static void paths(struct running *r) {
    struct str file = str_c(r->args->operands[0]);
    if (cli_given(r->args, CLI_OUTPUT)) {
        buf_put(&r->output, cli_value(r->args, CLI_OUTPUT));
    } else {
        buf_put(&r->output, str_ends(file, STR(".jsonl")) ? str_head(file, file.n - 6) : file);
        buf_lit(&r->output, ".out.jsonl");
    }
    buf_printf(&r->errors, "%.*s.errors", STR_ARG(buf_str(&r->output)));
    buf_printf(&r->state, "%.*s.batch", STR_ARG(buf_str(&r->output)));
}

static void state_put(const struct running *r, struct buf *out) {
    struct json_writer w;
    json_writer_init(&w, out);
    json_put_object(&w);
    json_put_member_str(&w, STR("server"), r->client.server);
    json_put_member_str(&w, STR("batch"), buf_str(&r->id));
    json_put_member_str(&w, STR("file"), str_c(r->mark));
    json_put_object_end(&w);
    buf_putc(out, '\n');
}

// Of the same file on the same server.
static bool state_read(struct running *r) {
    BUF_AUTO struct buf text = BUF_INIT(PATH_BYTES_MAX);
    struct err ignored;
    if (!file_read_all(buf_str(&r->state), PATH_BYTES_MAX, &text, &ignored) ||
        !json_validate(buf_str(&text), 0, &ignored))
        return false;
    struct str json = buf_str(&text);
    if (!str_eq(cli_json_text(&r->arena, json, STR("server")), r->client.server) ||
        !str_eq(cli_json_text(&r->arena, json, STR("file")), str_c(r->mark)))
        return false;
    buf_put(&r->id, cli_json_text(&r->arena, json, STR("batch")));
    return r->id.n > 0;
}

// --- beginning ---

// What the first line is for; empty: it is none.
static struct str endpoint_of(struct running *r) {
    struct str line = str_trim(buf_str(&r->input));
    struct err ignored;
    line = str_trim(str_head(line, str_find_char(line, '\n')));
    return json_validate(line, 0, &ignored) ? cli_json_text(&r->arena, line, STR("url")) : STR("");
}

static void put_wanted(const struct running *r, struct str file, struct str endpoint, struct buf *out) {
    struct json_writer w;
    json_writer_init(&w, out);
    json_put_object(&w);
    json_put_member_str(&w, STR("input_file_id"), file);
    json_put_member_str(&w, STR("endpoint"), endpoint);
    json_put_member_str(&w, STR("completion_window"), STR("24h"));
    if (cli_given(r->args, CLI_CONCURRENCY))
        json_put_member_u64(&w, STR("concurrency"), cli_number(r->args, CLI_CONCURRENCY, 1));
    json_put_object_end(&w);
}

static int make(struct running *r) {
    BUF_AUTO struct buf file = BUF_INIT(256);
    BUF_AUTO struct buf wanted = BUF_INIT(PATH_BYTES_MAX);
    BUF_AUTO struct buf state = BUF_INIT(PATH_BYTES_MAX);
    struct cli_answer answer = {.body = BUF_INIT(0)};
    struct str endpoint = endpoint_of(r);
    struct err err;
    if (!endpoint.n)
        return cli_fail(
            r->args->io, CLI_USAGE, "the file's first line is not a request of a batch",
            "a line is {\"custom_id\": …, \"method\": \"POST\", \"url\": \"/v1/chat/completions\", \"body\": …}", NULL);
    int code = data_put_file(&r->client, buf_str(&r->input), STR("requests.jsonl"), STR("batch"), &file);
    if (code != CLI_OK) return code;
    put_wanted(r, buf_str(&file), endpoint, &wanted);
    const struct data_request request = {.method = HTTP_POST, .target = STR("/v1/batches"), .body = buf_str(&wanted)};
    code = data_call(&r->client, &request, &answer);
    if (code == CLI_OK) buf_put(&r->id, cli_json_text(&r->arena, buf_str(&answer.body), STR("id")));
    cli_answer_free(&answer);
    if (code != CLI_OK) return code;
    state_put(r, &state);
    if (!file_replace(buf_str(&r->state), buf_str(&state), 0600, &err))
        return cli_fail_err(r->args->io, &err, "cannot note which batch it is", NULL);
    return CLI_OK;
}

// --- watching ---

static uint64_t count_of(struct running *r, struct str counts, struct str name) {
    uint64_t n = 0;
    return str_to_u64(cli_json_text(&r->arena, counts, name), &n) ? n : 0;
}

static void look(struct running *r, struct str body) {
    struct str counts;
    arena_free(&r->arena);
    buf_clear(&r->answer);
    buf_put(&r->answer, body);
    body = buf_str(&r->answer);
    r->status = cli_json_text(&r->arena, body, STR("status"));
    if (!JSON_GET(body, &counts, STR("request_counts"))) return;
    r->total = count_of(r, counts, STR("total"));
    r->completed = count_of(r, counts, STR("completed"));
    r->failed = count_of(r, counts, STR("failed"));
}

static void tell_bar(struct running *r, uint64_t done) {
    char bar[BAR + 1];
    size_t full = r->total ? (size_t)(done * BAR / r->total) : 0;
    uint64_t ns = clock_mono_ns() - r->began_ns, new_ones = done - MIN(done, r->began_done);
    uint64_t rate = ns ? new_ones * NS_PER_SEC / MAX(ns, NS_PER_MS) : 0;
    for (size_t i = 0; i < BAR; i++) bar[i] = i < full ? '#' : '.';
    bar[BAR] = '\0';
    fprintf(r->args->io->err, "\r[%s] %llu/%llu %.*s", bar, (unsigned long long)done, (unsigned long long)r->total,
            STR_ARG(r->status));
    if (r->failed) fprintf(r->args->io->err, ", %llu failed", (unsigned long long)r->failed);
    if (rate) {
        uint64_t left = (r->total - done) / rate;
        fprintf(r->args->io->err, ", %llu/s, %llu:%02llu left", (unsigned long long)rate,
                (unsigned long long)(left / 60), (unsigned long long)(left % 60));
    }
    fprintf(r->args->io->err, "\x1b[K");
    fflush(r->args->io->err);
    r->line_open = true;
}

static void tell(struct running *r) {
    uint64_t done = r->completed + r->failed;
    if (cli_given(r->args, CLI_QUIET)) return;
    if (r->args->io->err_tty) {
        tell_bar(r, done);
        return;
    }
    unsigned tenth = r->total ? (unsigned)(done * 10 / r->total) : 0;
    if (tenth <= r->told) return;
    r->told = tenth;
    fprintf(r->args->io->err, "%llu of %llu lines, %llu failed\n", (unsigned long long)done,
            (unsigned long long)r->total, (unsigned long long)r->failed);
}

static bool has_ended(struct str status) {
    static const struct str ends[] = {STR_INIT("completed"), STR_INIT("failed"), STR_INIT("expired"),
                                      STR_INIT("cancelled")};
    for (size_t i = 0; i < ARRAY_LEN(ends); i++)
        if (str_eq(status, ends[i])) return true;
    return false;
}

static int watch(struct running *r) {
    uint64_t seen_ns = clock_mono_ns(), wait = LOOK_FIRST_NS;
    for (bool first = true;; first = false) {
        struct cli_answer answer = {.body = BUF_INIT(0)};
        bool patient = clock_mono_ns() - seen_ns < AWAY_NS;
        int code = batch_call(&r->client, HTTP_GET, buf_str(&r->id), "", patient, &answer);
        if (code == CLI_OK) look(r, buf_str(&answer.body));
        cli_answer_free(&answer);
        if (code != CLI_OK && (code != CLI_UNREACHABLE || !patient)) return code;
        if (code == CLI_OK) {
            seen_ns = clock_mono_ns();
            if (first) r->began_ns = seen_ns, r->began_done = r->completed + r->failed;
            tell(r);
            if (has_ended(r->status)) return CLI_OK;
        }
        clock_pause_ns(wait);
        wait = MIN(wait * 2, LOOK_NS);
    }
}

// --- the end ---

static int tell_faults(const struct running *r) {
    struct json_reader reader;
    struct arena a;
    struct str data, fault;
    enum json_kind kind;
    arena_init(&a, NULL, 0, ARENA_MAX);
    if (JSON_GET(buf_str(&r->answer), &data, STR("errors"), STR("data"))) {
        json_reader_init(&reader, data, 0);
        for (bool in = json_enter_array(&reader); in && json_element(&reader, &kind) && json_skip(&reader, &fault);)
            fprintf(r->args->io->err, "line %.*s: %.*s\n", STR_ARG(cli_json_text(&a, fault, STR("line"))),
                    STR_ARG(cli_json_text(&a, fault, STR("message"))));
    }
    arena_free(&a);
    return cli_fail(r->args->io, CLI_USAGE, "the file is not a batch of requests", NULL, NULL);
}

static int fetch_results(struct running *r) {
    struct str output = cli_json_text(&r->arena, buf_str(&r->answer), STR("output_file_id"));
    struct str errors = cli_json_text(&r->arena, buf_str(&r->answer), STR("error_file_id"));
    int code = CLI_OK;
    if (output.n) code = data_get_file(&r->client, output, buf_str(&r->output));
    if (code == CLI_OK && errors.n) code = data_get_file(&r->client, errors, buf_str(&r->errors));
    return code;
}

static int finish(struct running *r) {
    const struct cli_io *io = r->args->io;
    struct err ignored;
    if (r->line_open) fputc('\n', io->err);
    bool wrong = str_eq(r->status, STR("failed"));
    int code = wrong ? tell_faults(r) : fetch_results(r);
    if (!wrong && code != CLI_OK) return code; // the same command fetches them again
    (void)!file_remove(buf_str(&r->state), &ignored);
    if (wrong) return code;
    if (cli_given(r->args, CLI_JSON)) {
        buf_putc(&r->answer, '\n');
        code = cli_print(io, &r->answer);
    } else if (!cli_given(r->args, CLI_QUIET)) {
        fprintf(io->err, "%.*s: %llu of %llu lines answered, in %.*s", STR_ARG(r->status),
                (unsigned long long)r->completed, (unsigned long long)r->total, STR_ARG(buf_str(&r->output)));
        if (r->completed < r->total) fprintf(io->err, "; the others are in %.*s", STR_ARG(buf_str(&r->errors)));
        fputc('\n', io->err);
    }
    bool all = str_eq(r->status, STR("completed")) && r->completed == r->total;
    return code == CLI_OK && !all ? CLI_PARTLY : code;
}

static int run_all(struct running *r) {
    struct err err;
    const struct cli_io *io = r->args->io;
    int code = data_client_open(r->args, &r->client);
    if (code != CLI_OK) return code;
    if (!file_read_all(str_c(r->args->operands[0]), FILE_MAX, &r->input, &err))
        return cli_fail_err(io, &err, "cannot read the file", NULL);
    snprintf(r->mark, sizeof r->mark, "%016llx", (unsigned long long)hash_bytes(buf_str(&r->input), 0));
    paths(r);
    bool again = state_read(r);
    if (!again) code = make(r);
    if (code != CLI_OK) return code;
    if (!cli_given(r->args, CLI_QUIET))
        fprintf(io->err, "%.*s %s; it goes on without this command, and the same command comes back to it\n",
                STR_ARG(buf_str(&r->id)), again ? "is under way" : "has begun");
    code = watch(r);
    if (code == CLI_NOT_FOUND && again) {
        (void)!file_remove(buf_str(&r->state), &err);
        return cli_fail(io, code, "the batch that was under way is gone", NULL, "the same command again begins anew");
    }
    return code == CLI_OK ? finish(r) : code;
}

int cmd_batch_run(const struct cli_args *args) {
    struct running r = {.args = args,
                        .input = BUF_INIT(FILE_MAX),
                        .output = BUF_INIT(PATH_BYTES_MAX),
                        .errors = BUF_INIT(PATH_BYTES_MAX),
                        .state = BUF_INIT(PATH_BYTES_MAX),
                        .id = BUF_INIT(256),
                        .answer = BUF_INIT(TEXT_MAX),
                        .status = STR("")};
    arena_init(&r.arena, NULL, 0, ARENA_MAX);
    int code = run_all(&r);
    buf_free(&r.input);
    buf_free(&r.output);
    buf_free(&r.errors);
    buf_free(&r.state);
    buf_free(&r.id);
    buf_free(&r.answer);
    arena_free(&r.arena);
    return code;
}

// --- lists ---

static void put_row(struct cli_table *table, struct arena *a, struct str row) {
    struct str counts = STR("{}"), progress;
    int64_t made = 0;
    (void)(JSON_GET(row, &counts, STR("request_counts")) && counts.n);
    if (!str_to_i64(cli_json_text(a, row, STR("created_at")), &made)) made = 0;
    progress = arena_printf(a, "%.*s/%.*s", STR_ARG(cli_json_text(a, counts, STR("completed"))),
                            STR_ARG(cli_json_text(a, counts, STR("total"))));
    const struct str cells[] = {cli_json_text(a, row, STR("id")),
                                cli_json_text(a, row, STR("status")),
                                progress,
                                cli_json_text(a, counts, STR("failed")),
                                str_head(cli_time(a, made * 1000000000), 16),
                                cli_json_text(a, row, STR("endpoint"))};
    cli_table_add(table, cells);
}

static int print_batches(const struct cli_args *args, struct str data) {
    static const struct cli_column columns[] = {{"BATCH", false, 0}, {"STATUS", false, 0},  {"DONE", true, 0},
                                                {"FAILED", true, 0}, {"CREATED", false, 0}, {"ENDPOINT", false, 0}};
    struct arena a;
    arena_init(&a, NULL, 0, ARENA_MAX);
    struct cli_table table = {.columns = columns, .n_columns = ARRAY_LEN(columns), .arena = &a};
    BUF_AUTO struct buf out = BUF_INIT(TEXT_MAX);
    struct json_reader r;
    struct str row;
    enum json_kind kind;
    json_reader_init(&r, data, 0);
    for (bool in = json_enter_array(&r); in && json_element(&r, &kind) && json_skip(&r, &row);) {
        if (cli_given(args, CLI_JSON)) {
            buf_put(&out, row);
            buf_putc(&out, '\n');
        } else {
            put_row(&table, &a, row);
        }
    }
    if (!cli_given(args, CLI_JSON)) cli_table_print(&table, args->io, &out);
    int code = cli_print(args->io, &out);
    arena_free(&a);
    return code;
}

int cmd_batch_list(const struct cli_args *args) {
    struct data_client c;
    struct cli_answer answer = {.body = BUF_INIT(0)};
    struct str data;
    char target[64];
    int code = data_client_open(args, &c);
    if (code != CLI_OK) return code;
    uint64_t limit = cli_number(args, CLI_LIMIT, 20);
    int n = snprintf(target, sizeof target, "/v1/batches?limit=%llu", (unsigned long long)(limit ? limit : 100));
    const struct data_request r = {.method = HTTP_GET, .target = str_of(target, (size_t)n)};
    code = data_call(&c, &r, &answer);
    if (code == CLI_OK && JSON_GET(buf_str(&answer.body), &data, STR("data"))) code = print_batches(args, data);
    cli_answer_free(&answer);
    return code;
}

static int one(const struct cli_args *args, enum http_method method, const char *action) {
    struct data_client c;
    struct cli_answer answer = {.body = BUF_INIT(0)};
    BUF_AUTO struct buf list = BUF_INIT(TEXT_MAX);
    int code = data_client_open(args, &c);
    if (code != CLI_OK) return code;
    code = batch_call(&c, method, str_c(args->operands[0]), action, false, &answer);
    buf_printf(&list, "[%.*s]", STR_ARG(buf_str(&answer.body)));
    if (code == CLI_OK) code = print_batches(args, buf_str(&list));
    cli_answer_free(&answer);
    return code;
}

int cmd_batch_show(const struct cli_args *args) { return one(args, HTTP_GET, ""); }
int cmd_batch_cancel(const struct cli_args *args) { return one(args, HTTP_POST, "/cancel"); }
