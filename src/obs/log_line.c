// Formats one log line, as JSON or for people, on the caller's stack.
#include "obs/log_impl.h"

#include "base/buf.h"
#include "base/text.h"
#include "base/utf8.h"
#include "os/clock.h"

#include <math.h>
#include <stdio.h>

#define TAIL ",\"truncated\":true}\n"
#define TAIL_PRETTY " truncated=true\n"
#define FIELDS_MAX (LOG_LINE_MAX - sizeof TAIL)
#define DIM "\x1b[2m"
#define RESET "\x1b[0m"

struct level_text {
    struct str json;   // up to the message
    struct str pretty; // five columns
    struct str color;
};
static const struct level_text LEVELS[] = {
    [LOG_TRACE] = {STR_INIT("\",\"level\":\"trace\",\"msg\":\""), STR_INIT("trace"), STR_INIT("\x1b[2m")},
    [LOG_DEBUG] = {STR_INIT("\",\"level\":\"debug\",\"msg\":\""), STR_INIT("debug"), STR_INIT("\x1b[36m")},
    [LOG_INFO] = {STR_INIT("\",\"level\":\"info\",\"msg\":\""), STR_INIT("info "), STR_INIT("\x1b[32m")},
    [LOG_WARN] = {STR_INIT("\",\"level\":\"warn\",\"msg\":\""), STR_INIT("warn "), STR_INIT("\x1b[33m")},
    [LOG_ERROR] = {STR_INIT("\",\"level\":\"error\",\"msg\":\""), STR_INIT("error"), STR_INIT("\x1b[31m")},
};

static void put(struct log_line *line, struct str s) {
    memcpy(line->text + line->n, s.p, s.n);
    line->n += s.n;
}

// Whether n more bytes fit; if not, the line is marked.
static bool fits(struct log_line *line, size_t n) {
    if (LIKELY(FIELDS_MAX - line->n >= n)) return true;
    line->full = true;
    return false;
}

static struct str value_cut(struct log_line *line, struct str value) {
    if (LIKELY(value.n <= LOG_VALUE_MAX)) return value;
    line->full = true;
    // Not in the middle of a character; what is not UTF-8 anyway is cut anywhere.
    size_t n = LOG_VALUE_MAX;
    for (int back = 0; back < 3 && ((unsigned char)value.p[n] & 0xc0) == 0x80; back++) n--;
    return str_head(value, n);
}

static void begin_pretty(struct log_line *line, enum log_level level, int64_t unix_ns, struct str message) {
    bool color = line->color;
    if (color) put(line, STR(DIM));
    time_text(line->text + line->n, unix_ns);
    line->n += TIME_TEXT_LEN;
    if (color) put(line, STR(RESET));
    put(line, STR(" "));
    if (color) put(line, LEVELS[level].color);
    put(line, LEVELS[level].pretty);
    if (color) put(line, STR(RESET));
    put(line, STR(" "));
    if (!log_text_json(line->text, FIELDS_MAX, &line->n, message)) line->full = true;
}

void log_line_begin(struct log_line *line, struct log *log, enum log_level level, int64_t unix_ns, struct str message) {
    line->log = log;
    line->level = level;
    line->full = false;
    line->n = 0;
    if (!log) return;
    uint64_t style = atom_load_relaxed(&log->style);
    line->json = (style & ~(uint64_t)LOG_STYLE_COLOR) == LOG_JSON;
    line->color = (style & LOG_STYLE_COLOR) != 0;
    if (unix_ns == 0) unix_ns = clock_unix_ns();
    message = value_cut(line, message);
    if (!line->json) {
        begin_pretty(line, level, unix_ns, message);
        return;
    }
    put(line, STR("{\"ts\":\""));
    time_text(line->text + line->n, unix_ns);
    line->n += TIME_TEXT_LEN;
    put(line, LEVELS[level].json);
    if (!log_text_json(line->text, FIELDS_MAX - 1, &line->n, message)) line->full = true;
    line->text[line->n++] = '"';
}

// The key in the line's format; `json_key` is ,"key": so that JSON takes it as it is.
static bool put_key(struct log_line *line, struct str json_key, size_t value_max) {
    if (UNLIKELY(!line->log) || !fits(line, json_key.n + value_max + sizeof DIM + sizeof RESET)) return false;
    if (LIKELY(line->json)) {
        put(line, json_key);
        return true;
    }
    put(line, STR(" "));
    if (line->color) put(line, STR(DIM));
    put(line, str_of(json_key.p + 2, json_key.n - 4));
    put(line, STR("="));
    if (line->color) put(line, STR(RESET));
    return true;
}

void log_line_put_str(struct log_line *line, struct str json_key, struct str value) {
    size_t before = line->n;
    if (!put_key(line, json_key, 2)) return;
    value = value_cut(line, value);
    bool whole;
    if (LIKELY(line->json)) {
        line->text[line->n++] = '"';
        whole = log_text_json(line->text, FIELDS_MAX - 1, &line->n, value);
        line->text[line->n++] = '"';
    } else {
        whole = log_text_visible(line->text, FIELDS_MAX, &line->n, value);
    }
    if (LIKELY(whole)) return;
    line->n = before;
    line->full = true;
}

void log_line_put_u64(struct log_line *line, struct str json_key, uint64_t value) {
    if (put_key(line, json_key, 20)) line->n += fmt_u64(line->text + line->n, value);
}

void log_line_put_i64(struct log_line *line, struct str json_key, int64_t value) {
    if (!put_key(line, json_key, 21)) return;
    if (value < 0) line->text[line->n++] = '-';
    line->n += fmt_u64(line->text + line->n, value < 0 ? 0 - (uint64_t)value : (uint64_t)value);
}

void log_line_put_bool(struct log_line *line, struct str json_key, bool value) {
    if (put_key(line, json_key, 5)) put(line, value ? STR("true") : STR("false"));
}

void log_line_put_float(struct log_line *line, struct str json_key, double value) {
    char text[32];
    int n = isfinite(value) ? snprintf(text, sizeof text, "%.9g", value) : snprintf(text, sizeof text, "null");
    if (n > 0 && put_key(line, json_key, (size_t)n)) put(line, str_of(text, (size_t)n));
}

void log_line_put_fixed(struct log_line *line, struct str json_key, uint64_t value, unsigned decimals) {
    uint64_t unit = 1;
    for (unsigned i = 0; i < decimals; i++) unit *= 10;
    if (!put_key(line, json_key, 21 + decimals)) return;
    line->n += fmt_u64(line->text + line->n, value / unit);
    uint64_t rest = value % unit;
    if (rest == 0) return;
    while (rest % 10 == 0) rest /= 10, decimals--;
    line->text[line->n++] = '.';
    for (unsigned i = decimals; i-- > 0; rest /= 10) line->text[line->n + i] = (char)('0' + rest % 10);
    line->n += decimals;
}

void log_line_finish(struct log_line *line) {
    if (line->json)
        put(line, line->full ? STR(TAIL) : STR("}\n"));
    else
        put(line, line->full ? STR(TAIL_PRETTY) : STR("\n"));
}

void log_line_end(struct log_line *line) {
    if (!line->log) return;
    log_line_finish(line);
    log_queue_put(line->log, str_of(line->text, line->n), line->level == LOG_ERROR);
}

static void field_put(struct log_line *line, const struct log_field *field) {
    switch (field->type) {
    case LOG_TYPE_STR:
        log_line_put_str(line, field->json_key, field->s);
        break;
    case LOG_TYPE_INT:
        log_line_put_i64(line, field->json_key, field->i);
        break;
    case LOG_TYPE_FLOAT:
        log_line_put_float(line, field->json_key, field->f);
        break;
    case LOG_TYPE_BOOL:
        log_line_put_bool(line, field->json_key, field->i != 0);
        break;
    }
}

void log_event(struct log *log, enum log_level level, const struct log_field *fields, size_t count) {
    if (!log_on(log, level)) return;
    struct log_line line;
    log_line_begin(&line, log, level, 0, fields[0].s);
    for (size_t i = 1; i < count; i++) field_put(&line, &fields[i]);
    log_line_end(&line);
}
