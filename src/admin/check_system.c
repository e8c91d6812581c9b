// Looks at what this machine gives: open files, a clock that is right.
#include "admin/check_impl.h"
#include "os/clock.h"
#include "os/signals.h"

#define FILES_WANTED 4096
#define AHEAD_MAX_S 60
#define JUMP_MAX_MS 1000

static void run_open_files(struct check_list *l, struct check *c) {
    (void)l;
    uint64_t files = process_raise_files();
    check_note(c, files < FILES_WANTED ? CHECK_WARNING : CHECK_OK, "up to %llu", (unsigned long long)files);
    if (files < FILES_WANTED)
        check_advise(
            c, "raise the limit to at least %d (ulimit -n, or LimitNOFILE= of the service): each connection is one",
            FILES_WANTED);
}

void check_add_open_files(struct check_list *l) {
    check_add(l, CHECK_OPEN_FILES, STR("open files"), run_open_files, NULL, "server");
}

// The one in the middle: a single server whose own clock is wrong does not count.
static int64_t middle(int64_t *p, size_t n) {
    for (size_t i = 1; i < n; i++) {
        int64_t v = p[i];
        size_t k = i;
        for (; k > 0 && p[k - 1] > v; k--) p[k] = p[k - 1];
        p[k] = v;
    }
    return p[n / 2];
}

static void run_clock(struct check_list *l, struct check *c) {
    int64_t ahead[64];
    size_t n = 0;
    for (size_t i = 0; i < l->checks.n && n < ARRAY_LEN(ahead); i++)
        if (l->checks.p[i].dated) ahead[n++] = l->checks.p[i].clock_ahead_s;
    // Both clocks have run for as long as the checks took; if they do not agree, somebody has set the one of the wall.
    int64_t wall = clock_unix_ns() - l->began_unix_ns, mono = (int64_t)(clock_mono_ns() - l->began_ns);
    int64_t jumped_ms = (wall - mono) / (int64_t)NS_PER_MS;
    if (jumped_ms > JUMP_MAX_MS || jumped_ms < -JUMP_MAX_MS) {
        check_note(c, CHECK_WARNING, "it was set by %lld ms while the checks ran", (long long)jumped_ms);
        check_advise(c, "let it be kept right steadily (chrony, systemd-timesyncd)");
    }
    if (!n) {
        check_note(c, CHECK_OK, "nobody answered with the time to compare it with");
        return;
    }
    int64_t off = middle(ahead, n), size = off < 0 ? -off : off;
    if (size <= AHEAD_MAX_S) {
        check_note(c, CHECK_OK, "agrees with %zu server%s", n, n == 1 ? "" : "s");
        return;
    }
    check_note(c, CHECK_WARNING, "%lld s %s of what %zu server%s say%s", (long long)size, off > 0 ? "ahead" : "short",
               n, n == 1 ? "" : "s", n == 1 ? "s" : "");
    check_advise(c, "keep the clock right (chrony, systemd-timesyncd): keys, certificates and signatures depend on it");
}

void check_add_clock(struct check_list *l) { check_add(l, CHECK_CLOCK, STR("clock"), run_clock, NULL, "server"); }
