// What the standard streams are connected to: a terminal or not, how wide it is; and asking for what must not be shown.
#ifndef OS_TERM_H
#define OS_TERM_H

#include "base/buf.h"
#include "base/err.h"

#define TERM_STDIN 0
#define TERM_STDOUT 1
#define TERM_STDERR 2

bool term_is_tty(int fd);
// Columns, 0 when it is no terminal or does not say.
unsigned term_columns(int fd);

enum term_answer { TERM_ANSWERED, TERM_INTERRUPTED };
// Writes the prompt to prompt_fd, reads a line from the terminal fd without showing it, and appends it to *out without
// its end. A line may be longer than a terminal's usual 4095 bytes; out->max bounds it. To leave no copies behind,
// reserve out's room before. TERM_INTERRUPTED: Ctrl-C, or the terminal is gone, or a signal came that would end the
// process (it does so then, with the terminal as it was before); *out is wiped back to what it was.
NODISCARD bool term_ask_hidden(int fd, int prompt_fd, struct str prompt, struct buf *out, enum term_answer *out_answer,
                               struct err *err);

// As term_ask_hidden, but what is typed is shown, and lines typed ahead are kept for the questions that follow.
NODISCARD bool term_ask(int fd, int prompt_fd, struct str prompt, struct buf *out, enum term_answer *out_answer,
                        struct err *err);

#endif
