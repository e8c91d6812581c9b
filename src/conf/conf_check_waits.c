// The rules between lengths of time, and between sizes: what can never come to pass because another one ends it first.
#include "conf/conf_impl.h"
#include "conf/value.h"

// One of a pair: where it may have been set, the nearest place first.
struct wait {
    const int64_t *own, *general; // general may be NULL
    const char *own_where, *general_where;
};

// The value that was set explicitly, or NULL when it is a default.
static const int64_t *stated(struct opt_bind *b, const struct wait *w, const char **out_where) {
    bool own = opt_mark_find(b, w->own) != NULL;
    *out_where = own ? w->own_where : w->general_where;
    if (own) return w->own;
    return w->general && opt_mark_find(b, w->general) ? w->general : NULL;
}

static struct str duration(struct buf *out, int64_t ms) {
    value_put_duration(out, ms);
    return buf_str(out);
}

// Said at the one that was set for itself, so that a general pair is not told again for each provider.
static void check_pair(struct opt_bind *b, const char *name, const struct wait *part, const struct wait *whole) {
    const char *part_where, *whole_where;
    const int64_t *p = stated(b, part, &part_where), *w = stated(b, whole, &whole_where);
    if (!p || !w || *p <= *w || (p != part->own && w != whole->own)) return;
    BUF_AUTO struct buf a = BUF_INIT(64), z = BUF_INIT(64);
    struct str p_text = duration(&a, *p), w_text = duration(&z, *w);
    bool at_part = p == part->own;
    conf_complain(b, CONF_ERROR, at_part ? p : w, w,
                  "%stimeouts.%s is %.*s, but %stimeouts.total at line %u ends every call after %.*s: "
                  "lower the one or raise the other",
                  part_where, name, STR_ARG(p_text), whole_where, conf_line_of(b, w), STR_ARG(w_text));
}

// Only where both were set: a short total is often set alone, and then rules.
static void check_general(struct opt_bind *b, const struct conf *c) {
    const struct wait total = {.own = &c->timeouts.total, .own_where = ""};
    check_pair(b, "first_byte", &(struct wait){.own = &c->timeouts.first_byte, .own_where = ""}, &total);
    check_pair(b, "idle", &(struct wait){.own = &c->timeouts.idle, .own_where = ""}, &total);
}

static void check_provider(struct opt_bind *b, const struct conf *c, size_t i) {
    const struct conf_provider *p = &c->providers.p[i];
    char where[40];
    snprintf(where, sizeof where, "providers[%zu].", i);
    const struct wait first = {&p->timeouts.first_byte, &c->timeouts.first_byte, where, ""};
    const struct wait idle = {&p->timeouts.idle, &c->timeouts.idle, where, ""};
    const struct wait total = {&p->timeouts.total, &c->timeouts.total, where, ""};
    check_pair(b, "first_byte", &first, &total);
    check_pair(b, "idle", &idle, &total);
}

static void check_buffer(struct opt_bind *b, const struct conf_limits *l) {
    if (l->stream_buffer <= l->max_response) return;
    if (!opt_mark_find(b, &l->stream_buffer) && !opt_mark_find(b, &l->max_response)) return;
    BUF_AUTO struct buf a = BUF_INIT(64), z = BUF_INIT(64);
    value_put_size(&a, l->stream_buffer);
    value_put_size(&z, l->max_response);
    conf_complain(b, CONF_WARNING, &l->stream_buffer, &l->max_response,
                  "limits.stream_buffer (%.*s) is above limits.max_response (%.*s): a slow reader of a stream may hold "
                  "more memory than a whole answer",
                  STR_ARG(buf_str(&a)), STR_ARG(buf_str(&z)));
}

void conf_check_waits(struct opt_bind *b, struct conf *c) {
    check_general(b, c);
    for (size_t i = 0; i < c->providers.n; i++) check_provider(b, c, i);
    check_buffer(b, &c->limits);
}
