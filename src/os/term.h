// What the standard streams are connected to: a terminal or not, and how wide it is.
#ifndef OS_TERM_H
#define OS_TERM_H

#include "base/defs.h"

#define TERM_STDIN 0
#define TERM_STDOUT 1
#define TERM_STDERR 2

bool term_is_tty(int fd);
// Columns, 0 when it is no terminal or does not say.
unsigned term_columns(int fd);

#endif
