// Asks people for a line: on the terminal, or from standard input where that is none.
//
// Ownership: answers are wiped by cli_asker_end. Thread rule: the main thread. Errors: printed; the exit code is
// returned (CLI_INTERRUPTED: Ctrl-C).
#ifndef CLI_ASK_H
#define CLI_ASK_H

#include "base/buf.h"
#include "cli/cli.h"

#define CLI_ANSWER_MAX 1024

struct cli_asker {
    const struct cli_args *args;
    struct buf piped; // standard input, when it is no terminal
    struct str rest;  // of it
    bool read;
};
static inline void cli_asker_init(struct cli_asker *asker, const struct cli_args *args) {
    *asker = (struct cli_asker){.args = args};
}
void cli_asker_end(struct cli_asker *asker);
// hidden: what is typed is not shown. out: empty, with room for CLI_ANSWER_MAX bytes (cli_answer_room).
int cli_ask(struct cli_asker *asker, const char *prompt, bool hidden, struct buf *out);
// Twice on a terminal, once from elsewhere.
int cli_ask_password(struct cli_asker *asker, const char *prompt, struct buf *out);

// Room for an answer that is wiped when it is no more needed.
NODISCARD bool cli_answer_room(struct buf *out);
void cli_answer_wipe(struct buf *out);

#endif
