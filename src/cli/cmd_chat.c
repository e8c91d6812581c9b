// penstock chat: sends one prompt to a running server and streams the answer to the terminal.
#include "base/json_write.h"
#include "base/utf8.h"
#include "cli/chat_client.h"

#define URL_DEFAULT "http://127.0.0.1:8080"
#define PROMPT_MAX ((size_t)16 * 1024 * 1024)
#define BODY_MAX ((size_t)64 * 1024 * 1024)
#define TEXT_MAX ((size_t)64 * 1024)

struct chat {
    const struct cli_args *args;
    struct chat_client client;
    struct chat_call call;
    struct buf body;
    bool line_open; // the last character printed was no line end
};

// --- The answer
// -------------------------------------------------------------------------------------------------------

// What a model writes is not to act on the terminal.
static void print_safely(FILE *out, struct str text) {
    while (text.n) {
        uint32_t c;
        size_t len = utf8_decode(text, &c);
        bool plain = len && (c >= 0x20 || c == '\n' || c == '\t') && (c < 0x7f || c >= 0xa0);
        if (plain)
            fwrite(text.p, 1, len, out);
        else
            fputc('?', out);
        text = str_from(text, len ? len : 1);
    }
}

static void print_delta(void *arg, struct str text) {
    struct chat *chat = arg;
    struct cli_io *io = chat->args->io;
    if (io->out_tty)
        print_safely(io->out, text);
    else
        fwrite(text.p, 1, text.n, io->out);
    fflush(io->out);
    chat->line_open = text.p[text.n - 1] != '\n';
}

static void on_ended(struct chat_call *call) { chat_client_stop(call->client); }

// --- The request
// ------------------------------------------------------------------------------------------------------

static bool read_prompt(const struct cli_args *args, struct buf *out) {
    const char *prompt = args->operands[1];
    if (!str_eq(str_c(prompt), STR("-"))) {
        buf_put(out, str_c(prompt));
        return true;
    }
    char chunk[16384];
    size_t n;
    while ((n = fread(chunk, 1, sizeof chunk, args->io->in)) > 0) buf_append(out, chunk, n);
    return !ferror(args->io->in) && !out->failed;
}

static void put_message(struct json_writer *w, const char *role, struct str content) {
    json_put_object(w);
    json_put_member_str(w, STR("role"), str_c(role));
    json_put_member_str(w, STR("content"), content);
    json_put_object_end(w);
}

static int build_body(struct chat *chat) {
    const struct cli_args *args = chat->args;
    BUF_AUTO struct buf prompt = BUF_INIT(PROMPT_MAX);
    if (!read_prompt(args, &prompt))
        return cli_fail(args->io, CLI_FAILED, "cannot read the prompt from standard input", NULL, NULL);
    if (!utf8_valid(buf_str(&prompt))) return cli_fail(args->io, CLI_USAGE, "the prompt is not UTF-8 text", NULL, NULL);
    bool stream = !cli_given(args, CLI_JSON);
    struct json_writer w;
    json_writer_init(&w, &chat->body);
    json_put_object(&w);
    json_put_member_str(&w, STR("model"), str_c(args->operands[0]));
    json_put_member_array(&w, STR("messages"));
    if (cli_given(args, CLI_SYSTEM)) put_message(&w, "system", cli_value(args, CLI_SYSTEM));
    put_message(&w, "user", buf_str(&prompt));
    json_put_array_end(&w);
    json_put_member_bool(&w, STR("stream"), stream);
    if (stream) {
        json_put_member_object(&w, STR("stream_options"));
        json_put_member_bool(&w, STR("include_usage"), true);
        json_put_object_end(&w);
    }
    json_put_object_end(&w);
    return chat->body.failed ? cli_fail(args->io, CLI_FAILED, "the prompt is too long", NULL, NULL) : CLI_OK;
}

static int open_client(struct chat *chat) {
    const struct cli_args *args = chat->args;
    const char *env = args->io->env("PENSTOCK_URL");
    struct str url = cli_given(args, CLI_URL) ? cli_value(args, CLI_URL)
                     : env && env[0]          ? str_c(env)
                                              : STR(URL_DEFAULT);
    return chat_client_open(args, url, "--url", &chat->client);
}

static bool talk(struct chat *chat, struct err *err) {
    if (!chat_client_ready(&chat->client, err) || !chat_call_start(&chat->call, buf_str(&chat->body), err))
        return false;
    chat_client_run(&chat->client);
    chat_call_cancel(&chat->call);
    return true;
}

// --- What came of it
// --------------------------------------------------------------------------------------------------

static int fail_status(struct chat *chat) {
    char what[96];
    BUF_AUTO struct buf why = BUF_INIT(TEXT_MAX);
    chat_error_text(buf_str(&chat->call.answer), &why);
    snprintf(what, sizeof what, "the server answered %d %s", chat->call.status, http_status_text(chat->call.status));
    const char *next = NULL;
    if (chat->call.status == 401)
        next = chat->client.key.n ? "penstock key list" : "PENSTOCK_API_KEY=$(penstock key create) penstock chat …";
    const char *text = buf_cstr(&why);
    return cli_fail(chat->args->io, chat_exit_of_status(chat->call.status), what, text, next);
}

static int fail_talk(struct chat *chat, const struct err *err) {
    if (chat->line_open) fputc('\n', chat->args->io->out);
    if (chat->call.status) return cli_fail_err(chat->args->io, err, "the answer broke off", NULL);
    char what[256];
    snprintf(what, sizeof what, "cannot reach Penstock at %.*s", STR_ARG(str_head(chat->client.authority, 200)));
    return cli_fail_err(chat->args->io, err, what, "penstock serve, or --url with the address where it runs");
}

static int print_answer(struct chat *chat) {
    struct cli_io *io = chat->args->io;
    const struct chat_call *call = &chat->call;
    if (!call->streaming) {
        struct str body = str_trim(buf_str(&call->answer));
        fwrite(body.p ? body.p : "", 1, body.n, io->out);
        fputc('\n', io->out);
    } else if (chat->line_open) {
        fputc('\n', io->out);
    }
    bool written = fflush(io->out) == 0 && !ferror(io->out);
    if (!written) return cli_fail(io, CLI_FAILED, "cannot write to standard output", NULL, NULL);
    if (call->streaming && !call->stream.done)
        return cli_fail(io, CLI_FAILED, "the answer broke off", "the server closed the stream before its end", NULL);
    if (cli_given(chat->args, CLI_VERBOSE))
        fprintf(io->err, "%s: %llu tokens in, %llu out\n", call->request_id[0] ? call->request_id : "answer",
                (unsigned long long)call->stream.usage.prompt, (unsigned long long)call->stream.usage.output);
    return CLI_OK;
}

static int ask(struct chat *chat) {
    struct err err;
    int code = open_client(chat);
    if (code == CLI_OK) code = build_body(chat);
    if (code != CLI_OK) return code;
    if (!talk(chat, &err)) return fail_talk(chat, &err);
    if (chat->client.interrupted) {
        if (chat->line_open) fputc('\n', chat->args->io->out);
        return CLI_INTERRUPTED;
    }
    if (chat->call.failed) return fail_talk(chat, &chat->call.err);
    if (chat->call.status != 200) return fail_status(chat);
    return print_answer(chat);
}

int cmd_chat(const struct cli_args *args) {
    struct chat chat = {.args = args, .body = BUF_INIT(BODY_MAX)};
    chat_call_init(&chat.call, &chat.client, print_delta, on_ended, &chat);
    int code = ask(&chat);
    chat_call_free(&chat.call);
    chat_client_close(&chat.client);
    buf_free(&chat.body);
    return code;
}
