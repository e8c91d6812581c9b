// Writes JSON objects as CSV.
#include "base/json_csv.h"

#include "base/json_read.h"

void csv_put_text(struct buf *out, struct str text) {
    bool formula = text.n && text.p[0] && strchr("=+-@\t\r", text.p[0]), quoted = formula;
    for (size_t i = 0; i < text.n && !quoted; i++) quoted = text.p[i] && strchr(",\"\r\n", text.p[i]);
    if (quoted) buf_putc(out, '"');
    if (formula) buf_putc(out, '\'');
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] == '"') buf_putc(out, '"');
        buf_putc(out, text.p[i]);
    }
    if (quoted) buf_putc(out, '"');
}

static bool put_value(struct buf *out, enum json_kind kind, struct str raw) {
    BUF_AUTO struct buf text = BUF_INIT(raw.n + 1);
    switch (kind) {
    case JSON_NULL:
        return true;
    case JSON_BOOL:
    case JSON_NUMBER:
        buf_put(out, raw);
        return true;
    case JSON_STRING:
        if (raw.n > 2 && !json_string_decode(raw, &text)) return false;
        csv_put_text(out, buf_str(&text));
        return true;
    case JSON_ARRAY:
    case JSON_OBJECT:
        csv_put_text(out, raw);
        return true;
    }
    return false;
}

static bool put_line(struct buf *out, struct str object, bool names) {
    struct json_reader r;
    struct str key, raw;
    enum json_kind kind;
    struct err ignored;
    bool first = true;
    json_reader_init(&r, object, 0);
    if (!json_enter_object(&r)) return false;
    while (json_member(&r, &key, &kind)) {
        if (!json_skip(&r, &raw)) return false;
        if (!first) buf_putc(out, ',');
        first = false;
        if (!put_value(out, names ? JSON_STRING : kind, names ? key : raw)) return false;
    }
    buf_lit(out, "\r\n");
    return json_end(&r, &ignored);
}

bool json_csv_names(struct buf *out, struct str object) { return put_line(out, object, true); }

bool json_csv_row(struct buf *out, struct str object) { return put_line(out, object, false); }
