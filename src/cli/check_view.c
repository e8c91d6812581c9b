// Shows checks as they end.
#include "cli/check_view.h"

#include "base/json_write.h"
#include "cli/commands.h"
#include "os/clock.h"

#define OUT_MAX ((size_t)1 << 20)

static const char *color_of(enum check_verdict verdict) {
    static const char *const colors[] = {
        [CHECK_OK] = "\x1b[32m", [CHECK_WARNING] = "\x1b[33m", [CHECK_FAILED] = "\x1b[31m"};
    return colors[verdict];
}

// Text that others may have written must not move the cursor.
static void put_plain(struct buf *out, struct str text) {
    for (size_t i = 0; i < text.n; i++) {
        unsigned char c = (unsigned char)text.p[i];
        buf_putc(out, c < 0x20 || c == 0x7f ? '?' : (char)c);
    }
}

static void put_time(struct buf *out, uint64_t us) {
    if (us < 10000)
        buf_printf(out, "%.1f ms", (double)us / 1e3);
    else if (us < 1000000)
        buf_printf(out, "%llu ms", (unsigned long long)(us / 1000));
    else
        buf_printf(out, "%.1f s", (double)us / 1e6);
}

static void put_title(struct buf *out, const struct check *c) {
    const char *kind = check_kind_name(c->kind);
    for (const char *p = kind; *p; p++) buf_putc(out, *p == '_' ? ' ' : *p);
    if (str_eq_nocase(str_c(kind), c->name) || c->kind == CHECK_OPEN_FILES) return;
    buf_putc(out, ' ');
    put_plain(out, c->name);
}

void check_view_put_outcome(struct buf *out, const struct check *c, bool color) {
    if (color) buf_put(out, str_c(color_of(c->verdict)));
    buf_put(out, str_c(check_verdict_name(c->verdict)));
    if (color) buf_lit(out, "\x1b[0m");
    buf_lit(out, ", ");
    put_plain(out, str_c(c->detail));
    buf_lit(out, ", ");
    put_time(out, c->us);
}

// --- a line each ---

static void put_line(struct check_view *v, const struct check *c) {
    static const char *const words[] = {
        [CHECK_OK] = "ok     ", [CHECK_WARNING] = "warning", [CHECK_FAILED] = "failed "};
    static const char *const signs[] = {
        [CHECK_OK] = "\xe2\x9c\x93", [CHECK_WARNING] = "!", [CHECK_FAILED] = "\xe2\x9c\x97"};
    const struct cli_io *io = v->args->io;
    if (io->color_out) buf_put(&v->out, str_c(color_of(c->verdict)));
    buf_put(&v->out, str_c(io->out_tty ? signs[c->verdict] : words[c->verdict]));
    if (io->color_out) buf_lit(&v->out, "\x1b[0m");
    buf_putc(&v->out, ' ');
    put_title(&v->out, c);
    buf_lit(&v->out, ": ");
    put_plain(&v->out, str_c(c->detail));
    buf_lit(&v->out, " (");
    put_time(&v->out, c->us);
    buf_lit(&v->out, ")\n");
    if (c->verdict == CHECK_OK) return;
    const char *indent = io->out_tty ? "  " : "        ";
    buf_printf(&v->out, "%sat ", indent);
    put_plain(&v->out, c->where);
    if (!str_eq(c->where, c->key)) {
        buf_lit(&v->out, ", ");
        put_plain(&v->out, c->key);
    }
    buf_putc(&v->out, '\n');
    if (!c->hint[0]) return;
    buf_put(&v->out, str_c(indent));
    put_plain(&v->out, str_c(c->hint));
    buf_putc(&v->out, '\n');
}

static void put_json(struct check_view *v, const struct check *c) {
    struct json_writer w;
    json_writer_init(&w, &v->out);
    json_put_object(&w);
    json_put_member_str(&w, STR("check"), str_c(check_kind_name(c->kind)));
    json_put_member_str(&w, STR("name"), c->name);
    json_put_member_str(&w, STR("key"), c->key);
    json_put_member_str(&w, STR("where"), c->where);
    json_put_member_str(&w, STR("verdict"), str_c(check_verdict_name(c->verdict)));
    json_put_member_str(&w, STR("detail"), str_c(c->detail));
    if (c->hint[0]) json_put_member_str(&w, STR("hint"), str_c(c->hint));
    if (c->models) json_put_member_u64(&w, STR("models"), c->models);
    json_put_member_u64(&w, STR("duration_us"), c->us);
    json_put_object_end(&w);
    buf_putc(&v->out, '\n');
}

static void flush(struct check_view *v) {
    if (!v->broken && cli_print(v->args->io, &v->out) != CLI_OK) v->broken = true;
    buf_clear(&v->out);
}

// --- what is under way ---

static void erase(struct check_view *v) {
    if (v->block) buf_printf(&v->out, "\x1b[%zuA\x1b[J", v->block);
    v->block = 0;
}

// Not wider than the screen: a line that goes on below would be left there.
static void put_cut(struct check_view *v, struct str line) {
    size_t n = 0, columns = v->args->io->columns ? v->args->io->columns : 80, shown = 0;
    for (; n < line.n; n++) {
        bool begins = ((unsigned char)line.p[n] & 0xc0) != 0x80;
        if (begins && ++shown >= columns) break;
    }
    buf_put(&v->out, str_head(line, n));
    buf_putc(&v->out, '\n');
    v->block++;
}

static void on_tick(void *ctx, const struct check *const *running, size_t n, size_t left) {
    static const char *const turns[] = {"\xe2\xa0\x8b", "\xe2\xa0\x99", "\xe2\xa0\xb9", "\xe2\xa0\xb8",
                                        "\xe2\xa0\xbc", "\xe2\xa0\xb4", "\xe2\xa0\xa6", "\xe2\xa0\xa7"};
    struct check_view *v = ctx;
    struct buf line BUF_AUTO = BUF_INIT(4096);
    erase(v);
    v->turn++;
    for (size_t i = 0; i < n; i++) {
        buf_clear(&line);
        buf_printf(&line, "%s ", turns[v->turn % ARRAY_LEN(turns)]);
        put_title(&line, running[i]);
        buf_lit(&line, "  ");
        put_time(&line, check_running_us(running[i]));
        put_cut(v, buf_str(&line));
    }
    if (left > n) {
        buf_clear(&line);
        buf_printf(&line, "  %zu more to come", left - n);
        put_cut(v, buf_str(&line));
    }
    flush(v);
}

static void on_done(void *ctx, const struct check *c) {
    struct check_view *v = ctx;
    bool json = cli_given(v->args, CLI_JSON);
    v->counts[c->verdict]++;
    if (cli_given(v->args, CLI_QUIET) && !json && c->verdict == CHECK_OK) return;
    if (json) {
        put_json(v, c);
    } else {
        erase(v);
        put_line(v, c);
    }
    flush(v);
}

// --- the whole ---

static void put_summary(struct check_view *v, size_t n, uint64_t us) {
    buf_printf(&v->out, "%zu check%s: %zu ok", n, n == 1 ? "" : "s", v->counts[CHECK_OK]);
    if (v->counts[CHECK_WARNING])
        buf_printf(&v->out, ", %zu warning%s", v->counts[CHECK_WARNING], v->counts[CHECK_WARNING] == 1 ? "" : "s");
    if (v->counts[CHECK_FAILED]) buf_printf(&v->out, ", %zu failed", v->counts[CHECK_FAILED]);
    buf_lit(&v->out, ", in ");
    put_time(&v->out, us);
    buf_putc(&v->out, '\n');
}

int check_view_run(const struct cli_args *args, struct check_list *list) {
    struct check_view v = {.args = args, .out = BUF_INIT(OUT_MAX)};
    bool json = cli_given(args, CLI_JSON), quiet = cli_given(args, CLI_QUIET);
    uint64_t began = clock_mono_ns();
    struct check_watch watch = {.ctx = &v, .done = on_done};
    if (args->io->out_tty && !json && !quiet) watch.tick = on_tick;
    check_list_run(list, &watch);
    if (!json && !quiet) put_summary(&v, check_list_count(list), (clock_mono_ns() - began) / NS_PER_US);
    flush(&v);
    buf_free(&v.out);
    return v.counts[CHECK_FAILED] || v.broken ? CLI_FAILED : CLI_OK;
}
