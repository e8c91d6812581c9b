// Parses POSIX TZ texts and applies them.
#include "base/zone_rule.h"

#include "base/zone.h"

#define DAY 86400

static bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
static bool is_digit(char c) { return c >= '0' && c <= '9'; }

static bool take(struct str *s, char c) {
    if (s->n == 0 || s->p[0] != c) return false;
    *s = str_from(*s, 1);
    return true;
}

static bool take_number(struct str *s, int max, int *out_value) {
    int v = 0;
    size_t n = 0;
    while (n < s->n && n < 4 && is_digit(s->p[n])) v = v * 10 + (s->p[n++] - '0');
    if (n == 0 || v > max) return false;
    *s = str_from(*s, n);
    *out_value = v;
    return true;
}

// "CET" or "<+0530>".
static bool take_name(struct str *s) {
    size_t n = 0;
    bool quoted = take(s, '<');
    while (n < s->n && (is_letter(s->p[n]) || (quoted && (is_digit(s->p[n]) || s->p[n] == '+' || s->p[n] == '-')))) n++;
    *s = str_from(*s, n);
    return n >= 3 && (!quoted || take(s, '>'));
}

// "[+-]h[:m[:s]]" in seconds.
static bool take_time(struct str *s, int hours_max, int32_t *out_seconds) {
    bool negative = take(s, '-');
    int h, m = 0, sec = 0;
    if (!negative) take(s, '+');
    if (!take_number(s, hours_max, &h)) return false;
    if (take(s, ':') && (!take_number(s, 59, &m) || (take(s, ':') && !take_number(s, 59, &sec)))) return false;
    int32_t v = h * 3600 + m * 60 + sec;
    *out_seconds = negative ? -v : v;
    return true;
}

static bool take_date(struct str *s, struct zone_date *out_date) {
    struct zone_date d = {.time = 7200};
    if (!take(s, ',')) return false;
    if (take(s, 'M')) {
        d.kind = 'M';
        if (!take_number(s, 12, &d.month) || !take(s, '.') || !take_number(s, 5, &d.week) || !take(s, '.') ||
            !take_number(s, 6, &d.day) || d.month == 0 || d.week == 0)
            return false;
    } else {
        d.kind = take(s, 'J') ? 'J' : 'n';
        if (!take_number(s, 365, &d.day) || (d.kind == 'J' && d.day == 0)) return false;
    }
    if (take(s, '/') && !take_time(s, 167, &d.time)) return false;
    *out_date = d;
    return true;
}

bool zone_rule_parse(struct str text, struct zone_rule *out_rule) {
    struct zone_rule r = {0};
    int32_t west;
    if (!take_name(&text) || !take_time(&text, 24, &west)) return false;
    r.standard = -west;
    r.has_summer = text.n != 0;
    if (r.has_summer) {
        if (!take_name(&text)) return false;
        r.summer = r.standard + 3600;
        if (text.n && text.p[0] != ',') {
            if (!take_time(&text, 24, &west)) return false;
            r.summer = -west;
        }
        if (!take_date(&text, &r.starts) || !take_date(&text, &r.ends) || text.n) return false;
    }
    *out_rule = r;
    return true;
}

static bool is_leap(int64_t year) { return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0; }

// Seconds since 1970 by the clocks before the change.
static int64_t date_wall(const struct zone_date *d, int64_t year) {
    int64_t days = civil_days(year, 1, 1);
    if (d->kind == 'n') days += d->day;
    if (d->kind == 'J') days += d->day - 1 + (is_leap(year) && d->day >= 60);
    if (d->kind == 'M') {
        int64_t first = civil_days(year, (unsigned)d->month, 1);
        int64_t next = d->month == 12 ? civil_days(year + 1, 1, 1) : civil_days(year, (unsigned)d->month + 1, 1);
        int weekday = (int)((first % 7 + 11) % 7); // 1970-01-01 was a Thursday
        days = first + (d->day - weekday + 7) % 7 + (d->week - 1) * 7;
        if (days >= next) days -= 7;
    }
    return days * DAY + d->time;
}

int32_t zone_rule_offset(const struct zone_rule *r, int64_t t) {
    int64_t year, days = (t + r->standard) / DAY - ((t + r->standard) % DAY < 0);
    unsigned month, day;
    if (!r->has_summer) return r->standard;
    civil_from_days(days, &year, &month, &day);
    int64_t starts = date_wall(&r->starts, year) - r->standard, ends = date_wall(&r->ends, year) - r->summer;
    bool summer = starts < ends ? t >= starts && t < ends : !(t >= ends && t < starts);
    return summer ? r->summer : r->standard;
}
