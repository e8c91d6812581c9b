// Times, counts and amounts as text, and times given on the command line.
#include "cli/commands.h"

#include "base/text.h"
#include "os/clock.h"

#define NANO UINT64_C(1000000000)
#define SECOND INT64_C(1000000000)

static int64_t unit_ns(char c) {
    switch (c) {
    case 's':
        return SECOND;
    case 'm':
        return 60 * SECOND;
    case 'h':
        return 3600 * SECOND;
    case 'd':
        return 86400 * SECOND;
    case 'w':
        return 7 * 86400 * SECOND;
    default:
        return 0;
    }
}

bool cli_when(struct str text, int64_t now_ns, bool past, int64_t *out_ns) {
    uint64_t n;
    int64_t span, at, unit = text.n > 1 ? unit_ns(text.p[text.n - 1]) : 0;
    if (unit == 0 || !str_to_u64(str_head(text, text.n - 1), &n)) return time_parse(text, out_ns);
    if (__builtin_mul_overflow(n, unit, &span)) return false;
    if (__builtin_add_overflow(now_ns, past ? -span : span, &at) || at <= 0) return false;
    *out_ns = at;
    return true;
}

bool cli_when_option(const struct cli_args *args, enum cli_option_id id, bool past, int64_t fallback, int64_t *out_ns) {
    *out_ns = fallback;
    if (!cli_given(args, id) || cli_when(cli_value(args, id), clock_unix_ns(), past, out_ns)) return true;
    char what[160];
    snprintf(what, sizeof what, "--%s cannot be \"%.80s\"", CLI_OPTIONS[id].name, args->values[id]);
    cli_fail(args->io, CLI_USAGE, what, "it is a date (2026-11-21), a time (2026-11-21T07:30:00Z), or a length of time",
             "90s, 15m, 24h, 7d or 4w");
    return false;
}

struct str cli_count_text(struct arena *arena, uint64_t v) {
    char digits[20], text[27];
    size_t n = fmt_u64(digits, v), at = 0;
    for (size_t i = 0; i < n; i++) {
        if (i && (n - i) % 3 == 0) text[at++] = ',';
        text[at++] = digits[i];
    }
    return arena_str(arena, str_of(text, at));
}

static struct str dollars(struct arena *arena, int64_t nano, size_t least, size_t most) {
    uint64_t v = nano < 0 ? 0 - (uint64_t)nano : (uint64_t)nano;
    uint64_t step = 1;
    for (size_t i = most; i < 9; i++) step *= 10;
    v += step / 2;
    v -= v % step;
    char decimals[16];
    snprintf(decimals, sizeof decimals, "%09llu", (unsigned long long)(v % NANO));
    size_t n = most;
    while (n > least && decimals[n - 1] == '0') n--;
    return arena_printf(arena, "%s%llu%s%.*s", nano < 0 ? "-" : "", (unsigned long long)(v / NANO), n ? "." : "",
                        (int)n, decimals);
}

struct str cli_dollars(struct arena *arena, int64_t nano) {
    return dollars(arena, nano, 0, 9);
}
struct str cli_dollars_short(struct arena *arena, int64_t nano) {
    return dollars(arena, nano, 2, 6);
}

struct str cli_time(struct arena *arena, int64_t ns) {
    char text[TIME_TEXT_LEN];
    time_text(text, ns);
    return arena_str(arena, str_of(text, sizeof text));
}

struct str cli_time_short(struct arena *arena, int64_t ns) {
    char text[TIME_TEXT_LEN];
    if (ns == 0) return STR("never");
    time_text(text, ns);
    text[10] = ' ';
    return arena_str(arena, str_of(text, 16));
}
