// Compares two structs of the same option table, value by value.
#include "conf/opt_impl.h"

struct differ {
    opt_diff_fn *fn;
    void *ctx;
    struct buf path;
};

static void diff_table(struct differ *d, const struct opt_table *table, const char *a, const char *b);

static void text_put(struct buf *out, struct str s) { buf_printf(out, "\"%.*s\"", STR_ARG(str_head(s, 200))); }

static_assert(sizeof(struct secret) == sizeof(struct str) && offsetof(struct secret, n) == offsetof(struct str, n),
              "a secret is compared as text");

static struct str str_at(const char *field) {
    struct str s;
    memcpy(&s, field, sizeof s);
    return s;
}

static struct opt_list list_at(const char *field) {
    struct opt_list l;
    memcpy(&l, field, sizeof l);
    return l;
}

static int64_t number_at(const struct opt *opt, const char *field) {
    if (opt->type == OPT_BOOL) return *(const bool *)field;
    if (opt->type == OPT_ENUM) return *(const int *)(const void *)field;
    return *(const int64_t *)(const void *)field;
}

static void value_put(struct buf *out, const struct opt *opt, const char *field) {
    int64_t v;
    switch (opt->type) {
    case OPT_BOOL:
        buf_put(out, *(const bool *)field ? STR("true") : STR("false"));
        break;
    case OPT_INT:
    case OPT_SIZE:
    case OPT_DURATION:
    case OPT_DECIMAL:
        v = number_at(opt, field);
        if (v == OPT_UNSET && (opt->flags & OPT_MAYBE))
            buf_lit(out, "not set");
        else
            opt_number_put(out, opt->type, v);
        break;
    case OPT_ENUM:
        for (const struct opt_enum *e = opt->values; e->name; e++) {
            if (e->value == number_at(opt, field)) buf_put(out, str_c(e->name));
        }
        break;
    case OPT_STR:
        text_put(out, str_at(field));
        break;
    case OPT_SECRET:
        buf_lit(out, "***");
        break;
    case OPT_STRUCT:
    case OPT_LIST:
    case OPT_STRS:
    case OPT_MAP:
    case OPT_STRUCT_MAP:
    case OPT_PROFILES:
        buf_printf(out, "%zu %s", list_at(field).n, list_at(field).n == 1 ? "entry" : "entries");
        break;
    }
}

static void report(struct differ *d, const struct opt *opt, const char *a, const char *b) {
    struct buf old_text = BUF_INIT(512), new_text = BUF_INIT(512);
    value_put(&old_text, opt, a);
    value_put(&new_text, opt, b);
    d->fn(d->ctx, opt, buf_str(&d->path), buf_str(&old_text), buf_str(&new_text));
    buf_free(&old_text);
    buf_free(&new_text);
}

static bool pairs_equal(struct opt_list a, struct opt_list b, size_t texts_each) {
    const struct str *x = a.p, *y = b.p;
    for (size_t i = 0; i < a.n * texts_each; i++) {
        if (!str_eq(x[i], y[i])) return false;
    }
    return true;
}

static void diff_items(struct differ *d, const struct opt *opt, struct opt_list a, struct opt_list b) {
    size_t base = d->path.n;
    for (size_t i = 0; i < a.n; i++) {
        const char *x = (const char *)a.p + i * opt->sub->size, *y = (const char *)b.p + i * opt->sub->size;
        if (opt->type == OPT_LIST)
            buf_printf(&d->path, "[%zu]", i);
        else
            buf_printf(&d->path, ".%.*s", STR_ARG(str_at(x)));
        diff_table(d, opt->sub, x, y);
        d->path.n = base;
    }
}

static bool names_equal(const struct opt *opt, struct opt_list a, struct opt_list b) {
    for (size_t i = 0; opt->type == OPT_STRUCT_MAP && i < a.n; i++) {
        size_t at = i * opt->sub->size;
        if (!str_eq(str_at((const char *)a.p + at), str_at((const char *)b.p + at))) return false;
    }
    return true;
}

static void diff_value(struct differ *d, const struct opt *opt, const char *a, const char *b) {
    struct opt_list x, y;
    switch (opt->type) {
    case OPT_BOOL:
    case OPT_INT:
    case OPT_SIZE:
    case OPT_DURATION:
    case OPT_DECIMAL:
    case OPT_ENUM:
        if (number_at(opt, a) != number_at(opt, b)) report(d, opt, a, b);
        break;
    case OPT_STR:
    case OPT_SECRET:
        if (!str_eq(str_at(a), str_at(b))) report(d, opt, a, b);
        break;
    case OPT_STRUCT:
        diff_table(d, opt->sub, a, b);
        break;
    case OPT_STRS:
    case OPT_MAP:
        x = list_at(a), y = list_at(b);
        if (x.n != y.n || !pairs_equal(x, y, opt->type == OPT_MAP ? 2 : 1)) report(d, opt, a, b);
        break;
    case OPT_PROFILES:
        break;
    case OPT_LIST:
    case OPT_STRUCT_MAP:
        x = list_at(a), y = list_at(b);
        if (x.n != y.n || !names_equal(opt, x, y))
            report(d, opt, a, b);
        else
            diff_items(d, opt, x, y);
        break;
    }
}

static void diff_table(struct differ *d, const struct opt_table *table, const char *a, const char *b) {
    size_t base = d->path.n;
    for (size_t i = 0; i < table->n; i++) {
        const struct opt *opt = &table->opts[i];
        buf_printf(&d->path, "%s%s", base ? "." : "", opt->name);
        diff_value(d, opt, a + opt->offset, b + opt->offset);
        d->path.n = base;
    }
}

void opt_diff(const struct opt_table *table, const void *a, const void *b, opt_diff_fn *fn, void *ctx) {
    struct differ d = {.fn = fn, .ctx = ctx, .path = BUF_INIT(4096)};
    diff_table(&d, table, a, b);
    buf_free(&d.path);
}
