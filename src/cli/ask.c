// Asks people for lines that are perhaps secret.
#include "cli/ask.h"

#include "base/secret.h"
#include "os/term.h"

#define PIPED_MAX ((size_t)16 * 1024)

bool cli_answer_room(struct buf *out) {
    buf_init(out, CLI_ANSWER_MAX);
    return buf_reserve(out, CLI_ANSWER_MAX);
}

void cli_answer_wipe(struct buf *out) {
    if (out->p) secret_wipe(out->p, out->cap);
    buf_free(out);
}

void cli_asker_end(struct cli_asker *asker) {
    if (asker->piped.p) secret_wipe(asker->piped.p, asker->piped.cap);
    buf_free(&asker->piped);
}

static int out_of_memory(const struct cli_args *args) {
    return cli_fail(args->io, CLI_FAILED, "out of memory", NULL, NULL);
}

// All of standard input, not through a buffer of the stream's, which would keep a copy.
static int read_all(struct cli_asker *asker) {
    FILE *in = asker->args->io->in;
    buf_init(&asker->piped, PIPED_MAX);
    if (!buf_reserve(&asker->piped, PIPED_MAX)) return out_of_memory(asker->args);
    setvbuf(in, NULL, _IONBF, 0);
    asker->piped.n = fread(asker->piped.p, 1, asker->piped.cap, in);
    if (ferror(in)) return cli_fail(asker->args->io, CLI_FAILED, "cannot read standard input", NULL, NULL);
    asker->rest = buf_str(&asker->piped);
    asker->read = true;
    return CLI_OK;
}

static int take_line(struct cli_asker *asker, const char *prompt, struct buf *out) {
    struct str line;
    char what[200];
    int code = asker->read ? CLI_OK : read_all(asker);
    if (code != CLI_OK) return code;
    if (!asker->rest.n || !str_split(&asker->rest, '\n', &line)) {
        snprintf(what, sizeof what, "standard input ended before the answer to \"%.100s\"", prompt);
        return cli_fail(asker->args->io, CLI_USAGE, what, NULL, NULL);
    }
    if (str_ends(line, STR("\r"))) line.n--;
    buf_put(out, line);
    return out->failed ? cli_fail(asker->args->io, CLI_USAGE, "a line of standard input is too long", NULL, NULL)
                       : CLI_OK;
}

int cli_ask(struct cli_asker *asker, const char *prompt, bool hidden, struct buf *out) {
    const struct cli_io *io = asker->args->io;
    enum term_answer answer;
    struct err err;
    if (!io->in_tty) return take_line(asker, prompt, out);
    fflush(io->err);
    bool ok = hidden ? term_ask_hidden(fileno(io->in), fileno(io->err), str_c(prompt), out, &answer, &err)
                     : term_ask(fileno(io->in), fileno(io->err), str_c(prompt), out, &answer, &err);
    if (!ok) return cli_fail_err(io, &err, "cannot ask on the terminal", "give it on standard input");
    return answer == TERM_INTERRUPTED ? CLI_INTERRUPTED : CLI_OK;
}

int cli_ask_password(struct cli_asker *asker, const char *prompt, struct buf *out) {
    struct buf again;
    int code = cli_ask(asker, prompt, true, out);
    if (code != CLI_OK || !asker->args->io->in_tty) return code;
    if (!cli_answer_room(&again)) return out_of_memory(asker->args);
    code = cli_ask(asker, "Once more: ", true, &again);
    if (code == CLI_OK && !str_eq(buf_str(out), buf_str(&again)))
        code = cli_fail(asker->args->io, CLI_USAGE, "the two are not the same", NULL, NULL);
    cli_answer_wipe(&again);
    return code;
}
