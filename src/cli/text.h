// Text that is generated from the command table: help, completion scripts, the manual page.
//
// Everything is appended to a buf of the caller's. Thread rule: pure.
#ifndef CLI_TEXT_H
#define CLI_TEXT_H

#include "base/buf.h"
#include "cli/command.h"

#define CLI_COLUMNS 80

// The whole program; one group; one command.
void cli_help_all(struct buf *out);
void cli_help_group(struct buf *out, const struct cli_group *group);
void cli_help_command(struct buf *out, const struct cli_command *command);
// Of those that take FIELD=VALUE.
void cli_help_fields(struct buf *out, const struct cli_command *command);

void cli_complete_bash(struct buf *out);
void cli_complete_zsh(struct buf *out);
void cli_complete_fish(struct buf *out);

// mdoc(7).
void cli_man(struct buf *out);

// text in lines of at most CLI_COLUMNS columns, each indented; *column is where the cursor stands. A word that is too
// long stands alone. Ends without a line end.
void cli_wrap(struct buf *out, struct str text, size_t indent, size_t *column);

#endif
