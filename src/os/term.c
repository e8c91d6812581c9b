// Asks the kernel about terminals, and people for secrets.
#include "os/term.h"

#include "base/secret.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
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

static void put(int fd, struct str text) {
    // A prompt that cannot be shown is no reason not to read the answer.
    if (write(fd, text.p, text.n) < 0) return;
}

static size_t characters(const struct buf *text, size_t from) {
    size_t n = 0;
    for (size_t i = from; i < text->n; i++) n += ((unsigned char)text->p[i] & 0xc0) != 0x80;
    return n;
}

// The answer as it stands where the cursor is: what was taken back goes from the screen, what came is shown.
static void show(int fd, const struct buf *out, size_t from, size_t before_n, size_t before_characters) {
    if (out->n > before_n) put(fd, str_of(out->p + before_n, out->n - before_n));
    for (size_t now = characters(out, from); out->n < before_n && now < before_characters; now++) put(fd, STR("\b \b"));
}

// Cursor keys and the like: ESC, "[" or "O", and up to a letter or "~". They have no use here and must not be text.
struct sequence {
    bool escaped, open;
};
static bool sequence_takes(struct sequence *s, unsigned char c) {
    if (s->open) {
        s->open = c < 0x40;
        return true;
    }
    if (s->escaped) {
        s->escaped = false;
        s->open = c == '[' || c == 'O';
        return true;
    }
    s->escaped = c == 0x1b;
    return s->escaped;
}

// Signals that would end the process with the terminal's echo off. They wait until it is on again.
struct held {
    sigset_t before;
    int fd; // readable when one has come; -1 = none is held
};

static void hold(struct held *h) {
    static const int ends[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT};
    struct sigaction action;
    sigset_t set;
    sigemptyset(&set);
    // One that is ignored ends nothing.
    for (size_t i = 0; i < ARRAY_LEN(ends); i++)
        if (sigaction(ends[i], NULL, &action) == 0 && action.sa_handler != SIG_IGN) sigaddset(&set, ends[i]);
    h->fd = signalfd(-1, &set, SFD_CLOEXEC);
    if (h->fd >= 0) pthread_sigmask(SIG_BLOCK, &set, &h->before);
}

// What has come meanwhile arrives now.
static void let_go(struct held *h) {
    if (h->fd < 0) return;
    close(h->fd);
    pthread_sigmask(SIG_SETMASK, &h->before, NULL);
}

// Until there is something to read. False: a signal came.
static bool wait_for_key(int fd, const struct held *h) {
    struct pollfd fds[] = {{.fd = fd, .events = POLLIN}, {.fd = h->fd, .events = POLLIN}};
    while (poll(fds, ARRAY_LEN(fds), -1) < 0 && errno == EINTR) continue;
    return !(fds[1].revents & POLLIN);
}

// show_fd: where what is typed is shown; -1 = nowhere.
static bool read_keys(int fd, int show_fd, const struct termios *keys, const struct held *held, struct buf *out,
                      enum term_answer *out_answer, struct err *err) {
    size_t from = out->n;
    struct sequence sequence = {0};
    for (;;) {
        unsigned char c = 0;
        ssize_t n = wait_for_key(fd, held) ? read(fd, &c, 1) : 0;
        if (n < 0 && errno == EINTR) continue;
        // EIO is how a terminal that was closed reads.
        if (n < 0 && errno != EIO) return err_set(err, ERR_IO, "cannot read from the terminal: %s", strerror(errno));
        if (n > 0 && show_fd >= 0 && sequence_takes(&sequence, c)) continue;
        size_t before_n = out->n, before = show_fd >= 0 ? characters(out, from) : 0;
        enum key_press what = n <= 0 ? KEY_STOP : press(keys, c, out, from);
        if (show_fd >= 0) show(show_fd, out, from, before_n, before);
        secret_wipe(&c, 1);
        if (what == KEY_TEXT) continue;
        *out_answer = what == KEY_ENTER ? TERM_ANSWERED : TERM_INTERRUPTED;
        return true;
    }
}

static void wipe_back(struct buf *out, size_t n) {
    secret_wipe(out->p ? out->p + n : NULL, out->n - n);
    out->n = n;
}

static bool ask(int fd, int prompt_fd, bool hidden, struct str prompt, struct buf *out, enum term_answer *out_answer,
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
    int how = hidden ? TCSAFLUSH : TCSADRAIN;
    struct held held;
    hold(&held);
    bool ok = tcsetattr(fd, how, &quiet) == 0 ||
              err_set(err, ERR_IO, "cannot turn the terminal's echo off: %s", strerror(errno));
    if (ok) {
        put(prompt_fd, prompt);
        ok = read_keys(fd, hidden ? -1 : prompt_fd, &saved, &held, out, &answer, err);
        // What was pasted behind a hidden line is dropped and not left for the shell to run.
        (void)tcsetattr(fd, how, &saved);
        put(prompt_fd, STR("\n"));
    }
    if (!ok || answer == TERM_INTERRUPTED) wipe_back(out, before);
    let_go(&held);
    if (ok && answer == TERM_ANSWERED && out->failed)
        ok = err_set(err, ERR_INVALID_FIELD, "the answer is too long: the limit is %zu bytes", out->max - before);
    if (!ok) wipe_back(out, before);
    if (ok) *out_answer = answer;
    return ok;
}

bool term_ask_hidden(int fd, int prompt_fd, struct str prompt, struct buf *out, enum term_answer *out_answer,
                     struct err *err) {
    return ask(fd, prompt_fd, true, prompt, out, out_answer, err);
}

bool term_ask(int fd, int prompt_fd, struct str prompt, struct buf *out, enum term_answer *out_answer,
              struct err *err) {
    return ask(fd, prompt_fd, false, prompt, out, out_answer, err);
}
