// Asks the questions of the interactive builder.
#include "cli/builder.h"
#include "os/term.h"

#include <stdarg.h>

#define ANSWER_MAX 4096
#define PROMPT_MAX 1024

void build_say(struct builder *b, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    vfprintf(b->args->io->err, fmt, ap);
    va_end(ap);
    fflush(b->args->io->err);
}

bool build_stop(struct builder *b, int code) {
    b->code = code;
    return false;
}

bool build_keep(struct builder *b, struct str text, struct str *out_text) {
    char *z = arena_cstr(&b->arena, text);
    if (!z) return build_stop(b, cli_fail(b->args->io, CLI_FAILED, "out of memory", NULL, NULL));
    *out_text = str_of(z, text.n);
    return true;
}

static bool interrupted(struct builder *b) {
    build_say(b, "Nothing was written.\n");
    return build_stop(b, CLI_INTERRUPTED);
}

static bool ask_line(struct builder *b, bool hidden, const char *prompt, struct buf *line) {
    const struct cli_io *io = b->args->io;
    enum term_answer answer;
    struct err err;
    int in = fileno(io->in), out = fileno(io->err);
    if (!buf_reserve(line, line->max)) return build_stop(b, cli_fail(io, CLI_FAILED, "out of memory", NULL, NULL));
    fflush(io->err);
    bool ok = hidden ? term_ask_hidden(in, out, str_c(prompt), line, &answer, &err)
                     : term_ask(in, out, str_c(prompt), line, &answer, &err);
    if (!ok) return build_stop(b, cli_fail_err(io, &err, "cannot read the answer", NULL));
    return answer == TERM_ANSWERED || interrupted(b);
}

static void wiped_free(struct buf *line) {
    secret_wipe(line->p, line->cap);
    buf_free(line);
}

// Somebody may have typed a secret where none belongs.
bool build_ask(struct builder *b, const char *question, struct str fallback, struct str *out_answer) {
    struct buf line = BUF_INIT(ANSWER_MAX);
    char prompt[PROMPT_MAX];
    if (fallback.n)
        snprintf(prompt, sizeof prompt, "%s [%.*s]: ", question, STR_ARG(fallback));
    else
        snprintf(prompt, sizeof prompt, "%s: ", question);
    bool ok = ask_line(b, false, prompt, &line);
    struct str said = str_trim(buf_str(&line));
    ok = ok && build_keep(b, said.n ? said : fallback, out_answer);
    wiped_free(&line);
    return ok;
}

bool build_ask_yes(struct builder *b, const char *question, bool fallback, bool *out_yes) {
    static const char *const words[] = {"yes", "no", NULL};
    size_t choice;
    if (!build_ask_choice(b, question, words, fallback ? 0 : 1, &choice)) return false;
    *out_yes = choice == 0;
    return true;
}

static bool find(const char *const *words, struct str said, size_t *out_choice) {
    size_t matches = 0;
    for (size_t i = 0; words[i]; i++) {
        struct str word = str_c(words[i]);
        if (said.n > word.n || !str_eq_nocase(str_head(word, said.n), said)) continue;
        *out_choice = i;
        if (said.n == word.n) return true;
        matches++;
    }
    return said.n && matches == 1;
}

bool build_ask_choice(struct builder *b, const char *question, const char *const *words, size_t fallback,
                      size_t *out_choice) {
    for (;;) {
        struct str said;
        size_t choice = fallback;
        if (!build_ask(b, question, str_c(words[fallback]), &said)) return false;
        if (find(words, said, &choice)) {
            *out_choice = choice;
            return true;
        }
        build_say(b, "  Please answer with one of:");
        for (size_t i = 0; words[i]; i++) build_say(b, "%s %s", i ? "," : "", words[i]);
        build_say(b, "\n");
    }
}

static struct built_secret *secret_slot(struct builder *b, struct str name) {
    for (size_t i = 0; i < b->secrets.n; i++)
        if (str_eq(b->secrets.p[i].name, name)) return &b->secrets.p[i];
    if (!vec_push(&b->secrets, (struct built_secret){.name = name})) return NULL;
    return &b->secrets.p[b->secrets.n - 1];
}

bool build_ask_secret(struct builder *b, struct str name) {
    char prompt[PROMPT_MAX];
    snprintf(prompt, sizeof prompt, "  Value of the secret %.*s (not shown): ", STR_ARG(str_head(name, 128)));
    for (;;) {
        struct buf line = BUF_INIT(65536);
        bool ok = ask_line(b, true, prompt, &line);
        struct str value = str_trim(buf_str(&line));
        bool kept = false;
        if (ok && value.n) {
            struct built_secret *slot = secret_slot(b, name);
            kept = slot && secret_set(&slot->value, value);
            if (!kept) ok = build_stop(b, cli_fail(b->args->io, CLI_FAILED, "out of memory", NULL, NULL));
        }
        wiped_free(&line);
        if (!ok || kept) return ok;
    }
}
