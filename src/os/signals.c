// Signals as loop callbacks, and process-wide settings.
#include "os/signals.h"

#include "base/mem.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>
#include <uv.h>

#define WATCHED 3

struct signals {
    uv_signal_t handles[WATCHED];
    size_t open;
    void (*fn)(void *ctx, enum signal_kind kind);
    void *ctx;
};

static void on_signal(uv_signal_t *handle, int number) {
    struct signals *s = handle->data;
    s->fn(s->ctx, number == SIGHUP ? SIGNAL_RELOAD : SIGNAL_STOP);
}

bool signals_watch(struct loop *loop, void (*fn)(void *ctx, enum signal_kind kind), void *ctx,
                   struct signals **out_signals, struct err *err) {
    static const int numbers[WATCHED] = {SIGTERM, SIGINT, SIGHUP};
    struct signals *s = mem_zalloc(1, sizeof *s);
    if (!s) return err_no_memory(err);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
    *s = (struct signals){.fn = fn, .ctx = ctx};
    for (size_t i = 0; i < WATCHED; i++) {
        uv_signal_init(loop_uv(loop), &s->handles[i]);
        s->handles[i].data = s;
        s->open++;
        uv_signal_start(&s->handles[i], on_signal, numbers[i]);
        uv_unref((uv_handle_t *)&s->handles[i]);
    }
    *out_signals = s;
    return true;
}

static void on_closed(uv_handle_t *handle) {
    struct signals *s = handle->data;
    if (--s->open == 0) mem_free(s);
}

void signals_end(struct signals *s) {
    if (!s) return;
    for (size_t i = 0; i < WATCHED; i++) uv_close((uv_handle_t *)&s->handles[i], on_closed);
}

uint64_t process_raise_files(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return 0;
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0) getrlimit(RLIMIT_NOFILE, &limit);
    return limit.rlim_cur;
}

void process_no_core(void) {
    struct rlimit limit;
    // The soft limit only: prctl(PR_SET_DUMPABLE) would keep debuggers and the system's own figures of the process away
    // as well.
    if (getrlimit(RLIMIT_CORE, &limit) != 0) return;
    limit.rlim_cur = 0;
    setrlimit(RLIMIT_CORE, &limit);
    // The limit does not hold for a handler that cores are piped to, nor once somebody raises it: then at least no
    // memory is in them, only which program it was (core(5); bit 4: ELF headers).
    int fd = open("/proc/self/coredump_filter", O_WRONLY | O_CLOEXEC);
    if (fd < 0) return;
    (void)!write(fd, "0x10", 4);
    close(fd);
}
