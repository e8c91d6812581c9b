// Reading providers' rate-limit fields.
#include "route/rate_headers.h"

#include "base/text.h"

#define SECOND UINT64_C(1000000000)

enum rate_part {
    PART_LIMIT,
    PART_REMAINING,
    PART_RESET,
};

struct rate_field {
    struct str name;
    enum rate_of of;
    enum rate_part part;
};
#define THREE(prefix, suffix, of)                                                                                      \
    {STR_INIT(prefix "limit" suffix), of, PART_LIMIT}, {STR_INIT(prefix "remaining" suffix), of, PART_REMAINING}, {    \
        STR_INIT(prefix "reset" suffix), of, PART_RESET                                                                \
    }
#define ANTHROPIC(what, of)                                                                                            \
    {STR_INIT("anthropic-ratelimit-" what "-limit"), of, PART_LIMIT},                                                  \
        {STR_INIT("anthropic-ratelimit-" what "-remaining"), of, PART_REMAINING}, {                                    \
        STR_INIT("anthropic-ratelimit-" what "-reset"), of, PART_RESET                                                 \
    }
static const struct rate_field k_fields[] = {
    THREE("x-ratelimit-", "-requests", RATE_OF_REQUESTS),
    THREE("x-ratelimit-", "-tokens", RATE_OF_TOKENS),
    THREE("x-ratelimit-", "", RATE_OF_REQUESTS),
    THREE("ratelimit-", "", RATE_OF_REQUESTS),
    ANTHROPIC("requests", RATE_OF_REQUESTS),
    ANTHROPIC("tokens", RATE_OF_TOKENS),
    ANTHROPIC("input-tokens", RATE_OF_INPUT),
    ANTHROPIC("output-tokens", RATE_OF_OUTPUT),
};

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

// Digits with an optional fraction, as a multiple of `unit` ns; takes them off *s. Cut at RATE_MAX_NS.
static bool take_number(struct str *s, uint64_t unit, uint64_t *out_ns) {
    uint64_t whole = 0, part = unit, ns = 0;
    size_t i = 0, digits = 0;
    for (; i < s->n && is_digit(s->p[i]); i++, digits++)
        if (whole <= RATE_MAX_NS) whole = whole * 10 + (uint64_t)(s->p[i] - '0');
    ns = whole > RATE_MAX_NS / unit ? RATE_MAX_NS : whole * unit;
    if (i < s->n && s->p[i] == '.')
        for (i++; i < s->n && is_digit(s->p[i]); i++, digits++) {
            part /= 10;
            ns += part * (uint64_t)(s->p[i] - '0');
        }
    *s = str_from(*s, i);
    *out_ns = MIN(ns, RATE_MAX_NS);
    return digits > 0;
}

static uint64_t take_unit(struct str *s) {
    static const struct {
        struct str name;
        uint64_t ns;
    } units[] = {{STR_INIT("ms"), 1000000},
                 {STR_INIT("us"), 1000},
                 {STR_INIT("\xc2\xb5s"), 1000},
                 {STR_INIT("\xce\xbcs"), 1000},
                 {STR_INIT("ns"), 1},
                 {STR_INIT("s"), SECOND},
                 {STR_INIT("m"), 60 * SECOND},
                 {STR_INIT("h"), 3600 * SECOND},
                 {STR_INIT("d"), 86400 * SECOND}};
    for (size_t i = 0; i < ARRAY_LEN(units); i++)
        if (str_starts(*s, units[i].name)) {
            *s = str_from(*s, units[i].name.n);
            return units[i].ns;
        }
    return 0;
}

bool rate_duration_parse(struct str s, uint64_t *out_ns) {
    uint64_t total = 0, ns;
    struct str plain = s;
    if (s.n == 0 || s.n > 40) return false;
    if (take_number(&plain, SECOND, &ns) && plain.n == 0) {
        *out_ns = ns;
        return true;
    }
    while (s.n) {
        struct str number = s;
        if (!take_number(&s, 1, &ns)) return false;
        uint64_t unit = take_unit(&s);
        if (!unit || !take_number(&number, unit, &ns)) return false;
        total = MIN(total + ns, RATE_MAX_NS);
    }
    *out_ns = total;
    return true;
}

static bool two(struct str s, size_t at, unsigned *out) {
    if (at + 2 > s.n || !is_digit(s.p[at] == ' ' ? '0' : s.p[at]) || !is_digit(s.p[at + 1])) return false;
    *out = (s.p[at] == ' ' ? 0U : (unsigned)(s.p[at] - '0')) * 10 + (unsigned)(s.p[at + 1] - '0');
    return true;
}

static unsigned month_of(struct str s) {
    static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    for (unsigned i = 0; i < 12; i++)
        if (str_eq(s, str_of(names + (size_t)i * 3, 3))) return i + 1;
    return 0;
}

struct date_shape {
    size_t length, day, month, year, time;
    bool short_year;
};

static bool read_date(struct str s, const struct date_shape *shape, int64_t *out_unix_ns) {
    unsigned day, century = 20, year, month;
    char text[32];
    if (s.n != shape->length || !two(s, shape->day, &day)) return false;
    if (shape->short_year) {
        if (!two(s, shape->year, &year)) return false;
        century = year < 70 ? 20 : 19;
    } else if (!two(s, shape->year, &century) || !two(s, shape->year + 2, &year)) {
        return false;
    }
    month = month_of(str_of(s.p + shape->month, 3));
    if (!month) return false;
    int n = snprintf(text, sizeof text, "%02u%02u-%02u-%02uT%.8sZ", century, year, month, day, s.p + shape->time);
    return n == 20 && time_parse(str_of(text, 20), out_unix_ns);
}

bool rate_http_date_parse(struct str s, int64_t *out_unix_ns) {
    // "Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"
    static const struct date_shape fixed = {29, 5, 8, 12, 17, false}, old = {24, 2, 5, 9, 12, true},
                                   asctime_shape = {24, 8, 4, 20, 11, false};
    size_t comma = str_find_char(s, ',');
    if (comma == s.n) return read_date(s, &asctime_shape, out_unix_ns);
    if (!str_ends(s, STR(" GMT"))) return false;
    return read_date(s, &fixed, out_unix_ns) || read_date(str_from(s, comma), &old, out_unix_ns);
}

static uint64_t until(int64_t then_ns, int64_t unix_ns) {
    if (then_ns <= unix_ns) return 0;
    uint64_t ns = (uint64_t)then_ns - (uint64_t)unix_ns;
    return MIN(ns, RATE_MAX_NS);
}

// A plain number so large that it can only be a moment: seconds, or milliseconds, since 1970.
static bool moment_parse(struct str s, int64_t *out_unix_ns) {
    uint64_t n;
    if (!str_to_u64(s, &n) || n < UINT64_C(1000000000) || n > UINT64_C(9000000000000)) return false;
    *out_unix_ns = (int64_t)(n < UINT64_C(100000000000) ? n * SECOND : n * 1000000);
    return n < UINT64_C(9000000000) || n >= UINT64_C(100000000000);
}

static bool time_from_now(struct str s, int64_t unix_ns, uint64_t *out_ns) {
    int64_t then;
    if (moment_parse(s, &then) || (s.n >= 10 && time_parse(s, &then)) || rate_http_date_parse(s, &then)) {
        *out_ns = until(then, unix_ns);
        return true;
    }
    return rate_duration_parse(s, out_ns);
}

static bool add_retry(struct rate_headers *h, uint64_t ns) {
    h->has_retry_after = true;
    h->retry_after_ns = MAX(h->retry_after_ns, ns);
    return true;
}

// "12", also "12.0" as some write it.
static bool count_parse(struct str s, uint64_t *out) {
    size_t dot = str_find_char(s, '.');
    for (size_t i = dot + 1; i < s.n; i++)
        if (!is_digit(s.p[i])) return false;
    return str_to_u64(str_head(s, dot), out);
}

static bool add_counter(struct rate_counter *c, enum rate_part part, struct str value, int64_t unix_ns) {
    uint64_t n;
    if (part == PART_RESET) {
        if (!time_from_now(value, unix_ns, &n)) return false;
        c->reset_ns = n;
        c->has_reset = true;
        return true;
    }
    if (!count_parse(value, &n)) return false;
    if (part == PART_LIMIT) {
        c->limit = n;
        c->has_limit = true;
    } else {
        c->remaining = n;
        c->has_remaining = true;
    }
    return true;
}

bool rate_headers_add(struct rate_headers *h, struct str name, struct str value, int64_t unix_ns) {
    uint64_t ns;
    value = str_trim(value);
    // Most fields of an answer are none of these.
    if (name.n < 11 || name.n > 48 || value.n == 0 || value.n > 64 || !memchr("raxRAX", name.p[0], 6)) return false;
    if (str_eq_nocase(name, STR("retry-after"))) return time_from_now(value, unix_ns, &ns) && add_retry(h, ns);
    if (str_eq_nocase(name, STR("retry-after-ms")))
        return take_number(&value, 1000000, &ns) && value.n == 0 && add_retry(h, ns);
    for (size_t i = 0; i < ARRAY_LEN(k_fields); i++)
        if (str_eq_nocase(name, k_fields[i].name))
            return add_counter(&h->of[k_fields[i].of], k_fields[i].part, value, unix_ns);
    return false;
}

bool rate_headers_read(struct rate_headers *h, const struct http_field *fields, size_t count, int64_t unix_ns) {
    bool any = false;
    for (size_t i = 0; i < count; i++) any |= rate_headers_add(h, fields[i].name, fields[i].value, unix_ns);
    return any;
}

static bool is_told(const struct rate_counter *c) { return c->has_remaining && c->has_reset; }

bool rate_headers_told(const struct rate_headers *h, enum rate_of of) {
    const struct rate_counter *all = &h->of[RATE_OF_TOKENS], *in = &h->of[RATE_OF_INPUT], *out = &h->of[RATE_OF_OUTPUT];
    if (!is_told(&h->of[of])) return false;
    // Of Anthropic it is the sum of both, unless a workspace has less.
    bool apart = is_told(in) && is_told(out) && in->has_limit && out->has_limit && all->has_limit;
    return of != RATE_OF_TOKENS || !apart || all->limit < out->limit || all->limit - out->limit < in->limit;
}

uint64_t rate_headers_wait(const struct rate_headers *h) {
    uint64_t wait = 0;
    if (h->has_retry_after) return h->retry_after_ns;
    for (int i = 0; i < RATE_OF_COUNT; i++)
        if (h->of[i].has_remaining && h->of[i].remaining == 0 && h->of[i].has_reset)
            wait = MAX(wait, h->of[i].reset_ns);
    return wait;
}
