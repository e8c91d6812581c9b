// Finds the fewest lines to take out and put in (Myers' algorithm) and writes them as a unified diff.
#include "conf/text_diff.h"
#include "base/vec.h"

#define CONTEXT 3
#define STEPS_MAX 600 // lines out and in; texts that differ by more are shown as replaced where they differ

typedef VEC(struct str) line_vec;
enum { SAME, OUT, IN };
struct change {
    int kind;
    size_t a, b; // the line in the old text, in the new one
};
typedef VEC(struct change) change_vec;

static bool lines_split(struct str text, line_vec *out) {
    while (text.n) {
        size_t n = MIN(str_find_char(text, '\n') + 1, text.n);
        if (!vec_push(out, str_head(text, n))) return false;
        text = str_from(text, n);
    }
    return true;
}

struct search {
    const struct str *a, *b;
    size_t n, m;
    int32_t *rows; // how far each diagonal was reached, a row a step
};

static int32_t *row(const struct search *s, size_t step) {
    return s->rows + step * (2 * STEPS_MAX + 3) + STEPS_MAX + 1;
}

static bool goes_down(const int32_t *v, int32_t k, int32_t d) { return k == -d || (k != d && v[k - 1] < v[k + 1]); }

// The least number of steps, or STEPS_MAX + 1.
static size_t search_run(struct search *s) {
    for (int32_t d = 0; d <= STEPS_MAX; d++) {
        int32_t *v = row(s, (size_t)d);
        const int32_t *up = d ? row(s, (size_t)d - 1) : v;
        for (int32_t k = -d; k <= d; k += 2) {
            int32_t x = d == 0 ? 0 : goes_down(up, k, d) ? up[k + 1] : up[k - 1] + 1;
            int32_t y = x - k;
            while (y >= 0 && (size_t)x < s->n && (size_t)y < s->m && str_eq(s->a[x], s->b[y])) x++, y++;
            v[k] = x;
            if ((size_t)x >= s->n && y >= 0 && (size_t)y >= s->m) return (size_t)d;
        }
    }
    return STEPS_MAX + 1;
}

// Fills kinds[] from the end backwards.
static bool search_back(const struct search *s, size_t steps, size_t skip, change_vec *out) {
    int32_t x = (int32_t)s->n, y = (int32_t)s->m;
    bool ok = true;
    for (int32_t d = (int32_t)steps; d > 0 && ok; d--) {
        const int32_t *up = row(s, (size_t)d - 1);
        bool down = goes_down(up, x - y, d);
        int32_t k = down ? x - y + 1 : x - y - 1, from = up[k];
        int32_t start = down ? from : from + 1;
        for (; x > start && ok; x--, y--)
            ok = vec_push(out, (struct change){SAME, skip + (size_t)x - 1, skip + (size_t)y - 1});
        x = from, y = from - k;
        ok = ok && vec_push(out, (struct change){down ? IN : OUT, skip + (size_t)x, skip + (size_t)y});
    }
    for (; x > 0 && ok; x--, y--) ok = vec_push(out, (struct change){SAME, skip + (size_t)x - 1, skip + (size_t)y - 1});
    for (size_t i = 0, n = out->n; i < n / 2; i++) {
        struct change c = out->p[i];
        out->p[i] = out->p[n - 1 - i];
        out->p[n - 1 - i] = c;
    }
    return ok;
}

static bool changes_find(const line_vec *a, const line_vec *b, change_vec *out) {
    size_t skip = 0, tail = 0, least = MIN(a->n, b->n);
    while (skip < least && str_eq(a->p[skip], b->p[skip])) skip++;
    while (tail < least - skip && str_eq(a->p[a->n - 1 - tail], b->p[b->n - 1 - tail])) tail++;
    struct search s = {.n = a->n - skip - tail, .m = b->n - skip - tail};
    if (s.n) s.a = a->p + skip;
    if (s.m) s.b = b->p + skip;
    s.rows = mem_zalloc((STEPS_MAX + 1) * (2 * STEPS_MAX + 3), sizeof *s.rows);
    if (!s.rows) return false;
    change_vec middle = {0};
    size_t steps = search_run(&s);
    bool ok = steps > STEPS_MAX || search_back(&s, steps, skip, &middle);
    mem_free(s.rows);
    for (size_t i = 0; ok && i < skip; i++) ok = vec_push(out, (struct change){SAME, i, i});
    for (size_t i = 0; ok && i < middle.n; i++) ok = vec_push(out, middle.p[i]);
    for (size_t i = 0; ok && steps > STEPS_MAX && i < s.n; i++)
        ok = vec_push(out, (struct change){OUT, skip + i, skip});
    for (size_t i = 0; ok && steps > STEPS_MAX && i < s.m; i++)
        ok = vec_push(out, (struct change){IN, skip + s.n, skip + i});
    for (size_t i = 0; ok && i < tail; i++) ok = vec_push(out, (struct change){SAME, a->n - tail + i, b->n - tail + i});
    vec_free(&middle);
    return ok;
}

static void line_put(struct buf *out, char sign, struct str line, bool colour) {
    const char *code = sign == '+' ? "\x1b[32m" : sign == '-' ? "\x1b[31m" : "";
    bool ended = str_ends(line, STR("\n"));
    if (ended) line.n--;
    bool returned = str_ends(line, STR("\r"));
    if (returned) line.n--;
    if (colour) buf_put(out, str_c(code));
    buf_putc(out, sign);
    for (size_t i = 0; i < line.n; i++) {
        unsigned char c = (unsigned char)line.p[i];
        buf_putc(out, (c < 0x20 && c != '\t') || c == 0x7f ? '?' : (char)c);
    }
    if (colour && *code) buf_lit(out, "\x1b[0m");
    if (returned) buf_putc(out, '\r');
    buf_putc(out, '\n');
    if (!ended) buf_lit(out, "\\ No newline at end of file\n");
}

static void range_put(struct buf *out, char sign, size_t at, size_t n) {
    buf_printf(out, "%c%zu", sign, n ? at + 1 : at);
    if (n != 1) buf_printf(out, ",%zu", n);
}

// Changes [from, to) as one hunk.
static void hunk_put(struct buf *out, const change_vec *all, size_t from, size_t to, const line_vec *a,
                     const line_vec *b, bool colour) {
    size_t n = 0, m = 0;
    for (size_t i = from; i < to; i++) n += all->p[i].kind != IN, m += all->p[i].kind != OUT;
    if (colour) buf_lit(out, "\x1b[36m");
    buf_lit(out, "@@ ");
    range_put(out, '-', all->p[from].a, n);
    buf_putc(out, ' ');
    range_put(out, '+', all->p[from].b, m);
    buf_put(out, colour ? STR(" @@\x1b[0m\n") : STR(" @@\n"));
    for (size_t i = from; i < to; i++) {
        const struct change *c = &all->p[i];
        if (c->kind == IN)
            line_put(out, '+', b->p[c->b], colour);
        else
            line_put(out, c->kind == OUT ? '-' : ' ', a->p[c->a], colour);
    }
}

static void hunks_put(struct buf *out, const change_vec *all, const line_vec *a, const line_vec *b, bool colour) {
    for (size_t i = 0; i < all->n;) {
        if (all->p[i].kind == SAME) {
            i++;
            continue;
        }
        size_t from = i > CONTEXT ? i - CONTEXT : 0, last = i;
        for (i++; i < all->n && i - last <= (size_t)2 * CONTEXT + 1; i++) {
            if (all->p[i].kind != SAME) last = i;
        }
        size_t to = MIN(last + 1 + CONTEXT, all->n);
        hunk_put(out, all, from, to, a, b, colour);
        i = to;
    }
}

void text_diff(struct str old_text, struct str new_text, struct str old_name, struct str new_name, bool colour,
               struct buf *out) {
    if (str_eq(old_text, new_text)) return;
    line_vec a = {0}, b = {0};
    change_vec all = {0};
    if (!lines_split(old_text, &a) || !lines_split(new_text, &b) || !changes_find(&a, &b, &all)) {
        out->failed = true;
    } else {
        buf_printf(out, "--- %.*s\n+++ %.*s\n", STR_ARG(old_name), STR_ARG(new_name));
        hunks_put(out, &all, &a, &b, colour);
    }
    vec_free(&a);
    vec_free(&b);
    vec_free(&all);
}
