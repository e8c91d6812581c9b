// Asks the kernel about terminals, and people for secrets.
#include "os/term.h"

#include "base/secret.h"

#include <errno.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

bool term_is_tty(int fd) { return isatty(fd) == 1; }

unsigned term_columns(int fd) {
    struct winsize size;
    if (ioctl(fd, TIOCGWINSZ, &size) != 0) return 0;
    return size.ws_col;
}

#define BACKSPACE 0x08

enum key_press { KEY_TEXT, KEY_ENTER, KEY_STOP };

// Takes back the last character, all of its UTF-8 bytes.
static void erase(struct buf *out, size_t from) {
    while (out->n > from && ((unsigned char)out->p[--out->n] & 0xc0) == 0x80) continue;
}

static enum key_press press(const struct termios *keys, unsigned char c, struct buf *out, size_t from) {
    if (c == '\n' || c == '\r') return KEY_ENTER;
    if (c == keys->c_cc[VINTR] || c == keys->c_cc[VQUIT]) return KEY_STOP;
    if (c == keys->c_cc[VEOF]) return KEY_ENTER;
    if (c == keys->c_cc[VERASE] || c == BACKSPACE)
        erase(out, from);
    else if (c == keys->c_cc[VKILL])
        out->n = from;
    else if (c != '\0' && c != keys->c_cc[VSUSP]) // a process that stops would leave the terminal without echo
        buf_append(out, &c, 1);
    return KEY_TEXT;
}

static bool read_keys(int fd, const struct termios *keys, struct buf *out, enum term_answer *out_answer,
                      struct err *err) {
    size_t from = out->n;
    for (;;) {
        unsigned char c;
        ssize_t n = read(fd, &c, 1);
        if (n < 0 && errno == EINTR) continue;
        // EIO is how a terminal that was closed reads.
        if (n < 0 && errno != EIO) return err_set(err, ERR_IO, "cannot read from the terminal: %s", strerror(errno));
        enum key_press what = n <= 0 ? KEY_STOP : press(keys, c, out, from);
        secret_wipe(&c, 1);
        if (what == KEY_TEXT) continue;
        *out_answer = what == KEY_ENTER ? TERM_ANSWERED : TERM_INTERRUPTED;
        return true;
    }
}

static void put(int fd, struct str text) {
    // A prompt that cannot be shown is no reason not to read the answer.
    if (write(fd, text.p, text.n) < 0) return;
}

bool term_ask_hidden(int fd, int prompt_fd, struct str prompt, struct buf *out, enum term_answer *out_answer,
                     struct err *err) {
    struct termios saved, quiet;
    enum term_answer answer = TERM_INTERRUPTED;
    size_t before = out->n;
    if (tcgetattr(fd, &saved) != 0) return err_set(err, ERR_IO, "cannot ask on the terminal: %s", strerror(errno));
    quiet = saved;
    // Key by key, and signals as keys, so that Ctrl-C finds its way here and the echo comes back.
    quiet.c_lflag &= ~(tcflag_t)(ECHO | ECHONL | ICANON | ISIG | IEXTEN);
    quiet.c_cc[VMIN] = 1;
    quiet.c_cc[VTIME] = 0;
    if (tcsetattr(fd, TCSAFLUSH, &quiet) != 0)
        return err_set(err, ERR_IO, "cannot turn the terminal's echo off: %s", strerror(errno));
    put(prompt_fd, prompt);
    bool ok = read_keys(fd, &saved, out, &answer, err);
    // What was pasted behind the line is dropped and not left for the shell to run.
    (void)tcsetattr(fd, TCSAFLUSH, &saved);
    put(prompt_fd, STR("\n"));
    if (ok && answer == TERM_ANSWERED && out->failed)
        ok = err_set(err, ERR_INVALID_FIELD, "the answer is too long: the limit is %zu bytes", out->max - before);
    if (!ok || answer == TERM_INTERRUPTED) {
        secret_wipe(out->p ? out->p + before : NULL, out->n - before);
        out->n = before;
    }
    if (ok) *out_answer = answer;
    return ok;
}
