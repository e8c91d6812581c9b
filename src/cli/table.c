// Prints rows in columns as wide as they need, cut where the terminal is narrower.
#include "cli/commands.h"

#include "base/mem.h"
#include "base/utf8.h"

#define GAP 2
#define CELL_MAX 512

// What would move the cursor or colour the terminal is shown as a question mark, and so is what is no UTF-8.
static struct str cell_clean(struct arena *arena, struct str text) {
    char out[CELL_MAX];
    size_t n = 0;
    while (text.n && n + UTF8_MAX_BYTES <= sizeof out) {
        uint32_t c;
        size_t len = utf8_decode(text, &c);
        bool shown = len && c >= 0x20 && (c < 0x7f || c >= 0xa0) && !(c >= 0x200b && c <= 0x200f) &&
                     !(c >= 0x2028 && c <= 0x202e) && !(c >= 0x2060 && c <= 0x206f) && c != 0xfeff;
        if (shown)
            memcpy(out + n, text.p, len);
        else
            out[n] = '?';
        n += shown ? len : 1;
        text = str_from(text, len ? len : 1);
    }
    return arena_str(arena, str_of(out, n));
}

void cli_table_add(struct cli_table *table, const struct str *cells) {
    if (table->n + table->n_columns > table->cap) {
        size_t cap = table->cap ? table->cap * 2 : 64 * table->n_columns;
        struct str *p = arena_alloc(table->arena, cap * sizeof *p);
        if (!p) {
            table->failed = true;
            return;
        }
        if (table->n) memcpy(p, table->cells, table->n * sizeof *p);
        table->cells = p;
        table->cap = cap;
    }
    for (size_t i = 0; i < table->n_columns; i++) table->cells[table->n++] = cell_clean(table->arena, cells[i]);
}

static void widths_find(const struct cli_table *table, size_t limit, size_t widths[CLI_TABLE_COLUMNS]) {
    size_t total = 0;
    for (size_t c = 0; c < table->n_columns; c++) {
        widths[c] = strlen(table->columns[c].title);
        for (size_t i = c; i < table->n; i += table->n_columns) widths[c] = MAX(widths[c], utf8_count(table->cells[i]));
        total += widths[c] + (c ? GAP : 0);
    }
    // The widest that may be cut gives way, one column at a time.
    while (limit && total > limit) {
        size_t widest = table->n_columns;
        for (size_t c = 0; c < table->n_columns; c++) {
            size_t min = table->columns[c].min;
            if (min && widths[c] > min && (widest == table->n_columns || widths[c] > widths[widest])) widest = c;
        }
        if (widest == table->n_columns) break;
        widths[widest]--;
        total--;
    }
}

static struct str head_of(struct str text, size_t characters) {
    size_t at = 0;
    while (characters-- > 0 && at < text.n) {
        uint32_t c;
        size_t len = utf8_decode(str_from(text, at), &c);
        at += len ? len : 1;
    }
    return str_head(text, at);
}

static void put_spaces(struct buf *out, size_t n) {
    while (n-- > 0) buf_putc(out, ' ');
}

static void put_cell(struct buf *out, struct str text, size_t width, bool right, bool last) {
    size_t n = utf8_count(text);
    bool cut = n > width;
    if (right) put_spaces(out, cut ? 0 : width - n);
    buf_put(out, cut ? head_of(text, width - 1) : text);
    if (cut) buf_lit(out, "\xe2\x80\xa6");
    if (!right && !last) put_spaces(out, cut ? 0 : width - n);
}

static void put_row(const struct cli_table *table, struct buf *out, const size_t *widths, const struct str *cells) {
    for (size_t c = 0; c < table->n_columns; c++) {
        if (c) put_spaces(out, GAP);
        put_cell(out, cells[c], widths[c], table->columns[c].right, c + 1 == table->n_columns);
    }
    buf_putc(out, '\n');
}

void cli_table_print(struct cli_table *table, const struct cli_io *io, struct buf *out) {
    size_t widths[CLI_TABLE_COLUMNS];
    struct str titles[CLI_TABLE_COLUMNS];
    if (table->failed) out->failed = true;
    widths_find(table, io->out_tty ? io->columns : 0, widths);
    for (size_t c = 0; c < table->n_columns; c++) titles[c] = str_c(table->columns[c].title);
    if (io->color_out) buf_lit(out, "\x1b[1m");
    put_row(table, out, widths, titles);
    if (io->color_out) buf_lit(out, "\x1b[0m");
    for (size_t i = 0; i < table->n; i += table->n_columns) put_row(table, out, widths, table->cells + i);
}
