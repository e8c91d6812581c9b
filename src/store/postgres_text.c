// Turns the placeholders of a statement into PostgreSQL's.
#include "store/postgres.h"

// The length of a quoted part or a comment that begins here; 0 when none does.
static size_t quoted(struct str s) {
    char open = s.p[0];
    if (open == '\'' || open == '"') {
        // A doubled quote ends one part and begins the next.
        size_t end = str_find_char(str_from(s, 1), open);
        return MIN(end + 2, s.n);
    }
    if (str_starts(s, STR("--"))) return str_find_char(s, '\n');
    if (str_starts(s, STR("/*"))) return MIN(str_find(s, STR("*/")) + 2, s.n);
    return 0;
}

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool pg_text_convert(struct str text, struct buf *out, unsigned *out_values) {
    unsigned values = 0;
    for (size_t i = 0; i < text.n;) {
        size_t n = quoted(str_from(text, i));
        if (n) {
            buf_append(out, text.p + i, n);
            i += n;
            continue;
        }
        if (text.p[i] != '?' || i + 1 == text.n || !is_digit(text.p[i + 1])) {
            buf_putc(out, text.p[i++]);
            continue;
        }
        unsigned number = 0;
        for (i++; i < text.n && is_digit(text.p[i]) && number <= PG_VALUES_MAX; i++)
            number = number * 10 + (unsigned)(text.p[i] - '0');
        if (number < 1 || number > PG_VALUES_MAX) return false;
        values = MAX(values, number);
        buf_printf(out, "$%u", number);
    }
    *out_values = values;
    return buf_cstr(out) != NULL;
}
