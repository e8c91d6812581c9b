// Draws bars and points as SVG.
#include "cli/bench_chart.h"

#include "base/utf8.h"

#define WIDTH 560
#define LEFT 186  // where bars begin
#define RIGHT 452 // where the longest ends; behind it stands its value
#define ROW 32
#define LABEL_MAX 25

void html_put(struct buf *out, struct str text) {
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        if (c == '<')
            buf_lit(out, "&lt;");
        else if (c == '>')
            buf_lit(out, "&gt;");
        else if (c == '&')
            buf_lit(out, "&amp;");
        else if (c == '"')
            buf_lit(out, "&quot;");
        else if (c == '\'')
            buf_lit(out, "&#39;");
        else
            buf_putc(out, (unsigned char)c < 0x20 ? ' ' : c);
    }
}

// So much of a name as there is room for; where it is cut, its end says more than its beginning.
static void put_label(struct buf *out, struct str text) {
    size_t n = utf8_count(text);
    if (n > LABEL_MAX) buf_lit(out, "\xe2\x80\xa6");
    for (; n > LABEL_MAX - 1 && utf8_count(text) > LABEL_MAX - 1;) {
        uint32_t c;
        size_t len = utf8_decode(text, &c);
        text = str_from(text, len ? len : 1);
    }
    html_put(out, text);
}

static void open_figure(struct buf *out, const char *title, const char *note, unsigned height) {
    buf_printf(out, "<figure class=\"card\"><figcaption><b>%s</b><span>%s</span></figcaption>", title, note);
    buf_printf(out, "<svg viewBox=\"0 0 %d %u\" role=\"img\" aria-label=\"%s\">", WIDTH, height, title);
}

static double place(double v, double most) { return LEFT + (RIGHT - LEFT) * (most > 0 ? MIN(v / most, 1.0) : 0); }

static void put_whisker(struct buf *out, const struct chart_bar *b, double most, double y) {
    double low = place(b->low, most), high = place(b->high, most);
    if (b->low < 0 || b->high < 0) return;
    buf_printf(out, "<path class=\"whisker\" d=\"M%.1f %.1fH%.1fM%.1f %.1fv8M%.1f %.1fv8\"/>", low, y, high, low, y - 4,
               high, y - 4);
}

static void put_bar(struct buf *out, const struct chart_bar *b, double most, size_t row) {
    double top = (double)row * ROW + 6, middle = top + 9, end = place(MAX(b->value, 0), most);
    buf_printf(out, "<g><title>");
    html_put(out, b->label);
    buf_lit(out, ": ");
    html_put(out, b->text);
    buf_printf(out, "</title><text class=\"label\" x=\"%d\" y=\"%.1f\">", LEFT - 12, middle + 4.5);
    put_label(out, b->label);
    buf_lit(out, "</text>");
    buf_printf(out, "<rect class=\"track\" x=\"%d\" y=\"%.1f\" width=\"%d\" height=\"18\" rx=\"4\"/>", LEFT, top,
               RIGHT - LEFT);
    if (b->value >= 0)
        buf_printf(out, "<rect class=\"bar%s\" x=\"%d\" y=\"%.1f\" width=\"%.1f\" height=\"18\" rx=\"4\"/>",
                   b->best ? " best" : "", LEFT, top, MAX(end - LEFT, 2.0));
    put_whisker(out, b, most, middle);
    if (b->mark >= 0)
        buf_printf(out, "<circle class=\"mark\" cx=\"%.1f\" cy=\"%.1f\" r=\"3.5\"/>", place(b->mark, most), middle);
    buf_printf(out, "<text class=\"value\" x=\"%d\" y=\"%.1f\">", RIGHT + 10, middle + 4.5);
    html_put(out, b->text);
    buf_lit(out, "</text></g>");
}

void chart_bars_put(struct buf *out, const char *title, const char *note, const struct chart_bar *bars, size_t n,
                    double most) {
    bool given = most > 0;
    for (size_t i = 0; i < n && !given; i++) most = MAX(MAX(most, bars[i].value), MAX(bars[i].high, bars[i].mark));
    open_figure(out, title, note, (unsigned)(n * ROW + 4));
    for (size_t i = 0; i < n; i++) put_bar(out, &bars[i], most, i);
    buf_lit(out, "</svg></figure>\n");
}

#define FIELD_LEFT 46
#define FIELD_RIGHT 540
#define FIELD_TOP 12
#define FIELD_BOTTOM 260

static void put_grid(struct buf *out) {
    for (int i = 0; i <= 4; i++) {
        double y = FIELD_BOTTOM - (FIELD_BOTTOM - FIELD_TOP) * i / 4.0;
        buf_printf(out, "<path class=\"grid\" d=\"M%d %.1fH%d\"/>", FIELD_LEFT, y, FIELD_RIGHT);
        buf_printf(out, "<text class=\"axis end\" x=\"%d\" y=\"%.1f\">%.2f</text>", FIELD_LEFT - 8, y + 4, i / 4.0);
    }
}

// Where the names of points already stand, so that none is written over another.
struct label {
    double left, right, y;
};
#define LABELS_MAX 64
#define LETTER 7.0 // wide
#define LINE 15.0

static bool is_free(const struct label *placed, size_t n, const struct label *l) {
    for (size_t i = 0; i < n; i++) {
        double apart = placed[i].y > l->y ? placed[i].y - l->y : l->y - placed[i].y;
        if (apart < LINE && placed[i].left < l->right && l->left < placed[i].right) return false;
    }
    return l->left >= FIELD_LEFT && l->right <= FIELD_RIGHT + 14 && l->y > FIELD_TOP - 8 && l->y < FIELD_BOTTOM + 4;
}

// Beside its point, where there is room, else above or below that, ever further away.
static struct label place_label(const struct label *placed, size_t n, double x, double y, double width) {
    struct label l = {x + 11, x + 11 + width, y};
    for (int lines = 0; lines < 12; lines++) {
        for (int way = 0; way < 4; way++) {
            double left = way % 2 ? x - 11 - width : x + 11, away = LINE * lines;
            l = (struct label){left, left + width, way < 2 ? y - away : y + away};
            if (is_free(placed, n, &l)) return l;
        }
    }
    return l;
}

static double point_x(const struct chart_point *p, double most) {
    return FIELD_LEFT + (FIELD_RIGHT - FIELD_LEFT) * 0.94 * (most > 0 ? p->x / most : 0);
}
static double point_y(const struct chart_point *p) { return FIELD_BOTTOM - (FIELD_BOTTOM - FIELD_TOP) * p->y; }

static void put_point(struct buf *out, const struct chart_point *p, double most, struct label *placed, size_t n) {
    double x = point_x(p, most), y = point_y(p);
    double width = LETTER * (double)MIN(utf8_count(p->label), (size_t)LABEL_MAX);
    struct label l = place_label(placed, n, x, y, width);
    placed[n] = l;
    buf_lit(out, "<g><title>");
    html_put(out, p->label);
    buf_lit(out, ": ");
    html_put(out, p->text);
    buf_printf(out, "</title><circle class=\"point\" cx=\"%.1f\" cy=\"%.1f\" r=\"6\"/>", x, y);
    bool left = l.left < x;
    buf_printf(out, "<text%s x=\"%.1f\" y=\"%.1f\">", left ? " class=\"end\"" : "", left ? l.right : l.left, l.y + 4);
    put_label(out, p->label);
    buf_lit(out, "</text></g>");
}

void chart_points_put(struct buf *out, const char *title, const char *note, const struct chart_point *points, size_t n,
                      const char *axis_x, const char *axis_y, struct str most_x) {
    struct label placed[2 * LABELS_MAX]; // the points first
    double most = 0;
    n = MIN(n, (size_t)LABELS_MAX);
    for (size_t i = 0; i < n; i++) most = MAX(most, points[i].x);
    open_figure(out, title, note, FIELD_BOTTOM + 32);
    put_grid(out);
    buf_printf(out, "<text class=\"axis\" x=\"%d\" y=\"%d\">0</text>", FIELD_LEFT, FIELD_BOTTOM + 18);
    buf_printf(out, "<text class=\"axis end\" x=\"%d\" y=\"%d\">", FIELD_RIGHT, FIELD_BOTTOM + 18);
    html_put(out, most_x);
    buf_printf(out, " %s</text><text class=\"axis\" x=\"%d\" y=\"%d\">%s</text>", axis_x, FIELD_LEFT + 6,
               FIELD_TOP + 14, axis_y);
    for (size_t i = 0; i < n; i++)
        placed[i] = (struct label){point_x(&points[i], most) - 8, point_x(&points[i], most) + 8, point_y(&points[i])};
    for (size_t i = 0; i < n; i++) put_point(out, &points[i], most, placed, n + i);
    buf_lit(out, "</svg></figure>\n");
}
