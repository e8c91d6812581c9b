// Asks the kernel about terminals.
#include "os/term.h"

#include <sys/ioctl.h>
#include <unistd.h>

bool term_is_tty(int fd) { return isatty(fd) == 1; }

unsigned term_columns(int fd) {
    struct winsize size;
    if (ioctl(fd, TIOCGWINSZ, &size) != 0) return 0;
    return size.ws_col;
}
