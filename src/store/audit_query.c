// Chooses the index for a search of the audit trail, gathers the places of a page, then reads its events.
#include "store/audit_query.h"

#include "base/arena.h"
#include "base/ip.h"
#include "base/utf8.h"
#include "base/vec.h"
#include "store/audit_text.h"

#define VALUES_MAX 64    // of one field that a range means, each looked up by itself
#define ACTIONS_MAX 2000 // kinds of actions a trail may have for a prefix to be looked up by them
#define BINDS_MAX 24
#define CLOCK_SLACK                                                                                                    \
    ((int64_t)86400 * 1000000000) // by how much clocks may have jumped for time to bound the words' index

// Where an event stands in the order: its time and number, or (words) its id and number.
struct place {
    int64_t major, seq;
};

struct bind {
    bool text;
    int64_t i;
    struct str s;
};
// A statement in the making.
struct maker {
    struct buf text;
    struct bind binds[BINDS_MAX];
    int n; // binds, the tenant's included
};

struct search {
    struct sql_scope scope;
    const struct audit_query *q;
    struct str actor_column;
    bool by_words, outcome_known, has_range;
    enum audit_outcome outcome;
    char first[AUDIT_ADDRESS_KEY_MAX], last[AUDIT_ADDRESS_KEY_MAX]; // of the address
    struct place after;
    struct str driver; // the column whose index is used; empty = time
    struct buf words;
    VEC(struct place) places;
};

// --- cursors: "t" or "w", the place ---

static bool cursor_parse(struct search *s, struct err *err) {
    struct str rest = s->q->cursor, part;
    char kind = s->by_words ? 'w' : 't';
    s->after = (struct place){INT64_MAX, INT64_MAX};
    if (!rest.n) return true;
    bool ok = rest.p[0] == kind;
    rest = str_from(rest, 1);
    ok = ok && str_split(&rest, '.', &part) && str_to_i64(part, &s->after.major) && rest.p &&
         str_to_i64(rest, &s->after.seq);
    return ok || err_set(err, ERR_INVALID_FIELD, "the cursor is not one of this search: start again without it");
}

static void cursor_put(const struct search *s, struct place place, struct buf *out) {
    buf_printf(out, "%c%lld.%lld", s->by_words ? 'w' : 't', (long long)place.major, (long long)place.seq);
}

// --- what was asked for ---

static void address_keys(const struct ip_range *range, struct search *s) {
    for (size_t i = 0; i < sizeof range->first.p; i++) {
        snprintf(s->first + 2 * i, 3, "%02x", range->first.p[i]);
        snprintf(s->last + 2 * i, 3, "%02x", range->last.p[i]);
    }
}

static bool one_address(const struct search *s) { return s->has_range && !memcmp(s->first, s->last, 32); }

// Whether the actor is given by id or by name: by id if any event has it so.
static bool actor_resolve(struct search *s, struct err *err) {
    struct sql_stmt *st;
    bool row;
    s->actor_column = STR("actor_id");
    if (!s->q->actor.n) return true;
    if (!sql_prepare(s->scope, STR("SELECT 1 FROM audit_event WHERE tenant_id = ?1 AND actor_id = ?2 LIMIT 1"), &st,
                     err))
        return false;
    sql_bind_text(st, 2, s->q->actor);
    if (!sql_step(st, &row, err)) return false;
    if (row)
        sql_reset(st);
    else
        s->actor_column = STR("actor_name");
    return true;
}

static bool is_prefix(struct str action) { return str_ends(action, STR("*")); }
static struct str prefix_of(struct str action) { return str_head(action, action.n - 1); }

static bool search_begin(struct search *s, struct err *err) {
    const struct audit_query *q = s->q;
    struct ip_range range;
    s->has_range = q->address.n != 0;
    if (s->has_range && !ip_range_parse(q->address, &range))
        return err_set(err, ERR_INVALID_FIELD, "\"%.*s\" is no address and no range like 10.0.0.0/8",
                       STR_ARG(str_head(q->address, 60)));
    if (s->has_range) address_keys(&range, s);
    s->outcome_known = q->outcome.n != 0;
    if (s->outcome_known && !audit_outcome_parse(q->outcome, &s->outcome))
        return err_set(err, ERR_INVALID_FIELD, "\"%.*s\" is no outcome: ok, denied or failed",
                       STR_ARG(str_head(q->outcome, 60)));
    if (!q->limit || q->limit > AUDIT_PAGE_MAX)
        return err_set(err, ERR_INVALID_FIELD, "a page has 1 to %d events", AUDIT_PAGE_MAX);
    int vague = (q->actor.n != 0) + (q->action.n != 0) + (q->resource_type.n != 0) + s->outcome_known;
    s->by_words = q->search.n || (vague > 1 && !q->request_id.n && !q->resource.n && !one_address(s));
    return actor_resolve(s, err) && cursor_parse(s, err);
}

// --- statements ---

static void bind_i64(struct maker *m, int64_t v) {
    INVARIANT(m->n < BINDS_MAX);
    m->binds[m->n++] = (struct bind){.i = v};
    buf_printf(&m->text, "?%d", m->n);
}
static void bind_text(struct maker *m, struct str v) {
    INVARIANT(m->n < BINDS_MAX);
    m->binds[m->n++] = (struct bind){.text = true, .s = v};
    buf_printf(&m->text, "?%d", m->n);
}

static struct maker maker_begin(const char *text) {
    struct maker m = {.text = BUF_INIT(8192), .n = 1};
    buf_put(&m.text, str_c(text));
    return m;
}

// An equality; only the driver's may use an index, the others are compared as expressions.
static void put_equal(struct maker *m, const struct search *s, struct str column, struct str value) {
    if (!value.n) return;
    buf_lit(&m->text, " AND e.");
    buf_put(&m->text, column);
    if (!str_eq(column, s->driver)) buf_lit(&m->text, " || ''");
    buf_lit(&m->text, " = ");
    bind_text(m, value);
}

static void put_outcome(struct maker *m, const struct search *s) {
    if (!s->outcome_known) return;
    buf_put(&m->text, str_eq(s->driver, STR("outcome")) ? STR(" AND e.outcome = ") : STR(" AND e.outcome + 0 = "));
    bind_i64(m, (int64_t)s->outcome);
}

static void put_action(struct maker *m, const struct search *s, struct str value) {
    struct str action = s->q->action;
    if (str_eq(s->driver, STR("action"))) {
        put_equal(m, s, STR("action"), value);
    } else if (action.n && !is_prefix(action)) {
        put_equal(m, s, STR("action"), action);
    } else if (action.n > 1) {
        struct str prefix = prefix_of(action);
        buf_lit(&m->text, " AND substr(e.action, 1, CAST(");
        bind_i64(m, (int64_t)utf8_count(prefix));
        buf_lit(&m->text, " AS INTEGER)) = ");
        bind_text(m, prefix);
    }
}

static void put_address(struct maker *m, const struct search *s, struct str value) {
    if (str_eq(s->driver, STR("address_key"))) {
        put_equal(m, s, STR("address_key"), value);
    } else if (s->has_range) {
        buf_lit(&m->text, " AND e.address_key || '' >= ");
        bind_text(m, str_of(s->first, 32));
        buf_lit(&m->text, " AND e.address_key || '' <= ");
        bind_text(m, str_of(s->last, 32));
    }
}

// All that the query asks of an event but its time; value: the driver's, when it is one of several.
static void put_filters(struct maker *m, const struct search *s, struct str value) {
    const struct audit_query *q = s->q;
    put_equal(m, s, STR("request_id"), q->request_id);
    put_equal(m, s, STR("resource_id"), q->resource);
    put_equal(m, s, s->actor_column, q->actor);
    put_equal(m, s, STR("resource_type"), q->resource_type);
    put_action(m, s, value);
    put_address(m, s, value);
    put_outcome(m, s);
}

static bool gather(struct search *s, struct maker *m, struct err *err) {
    struct sql_stmt *st;
    if (m->text.failed) return err_no_memory(err);
    if (!sql_prepare(s->scope, buf_str(&m->text), &st, err)) return false;
    for (int i = 1; i < m->n; i++) {
        if (m->binds[i].text)
            sql_bind_text(st, i + 1, m->binds[i].s);
        else
            sql_bind_i64(st, i + 1, m->binds[i].i);
    }
    for (bool row;;) {
        if (!sql_step(st, &row, err)) return false;
        if (!row) return true;
        if (vec_push(&s->places, (struct place){sql_col_i64(st, 0), sql_col_i64(st, 1)})) continue;
        sql_reset(st);
        return err_no_memory(err);
    }
}

// By the driver's index, each of which is in the order of time.
static bool gather_by_index(struct search *s, struct str value, struct err *err) {
    const struct audit_query *q = s->q;
    struct maker m = maker_begin("SELECT e.at, e.seq FROM audit_event e WHERE e.tenant_id = ?1 AND e.at <= ");
    int64_t newest = q->until ? q->until - 1 : INT64_MAX;
    bind_i64(&m, newest < s->after.major ? newest : s->after.major);
    buf_lit(&m.text, " AND e.at >= ");
    bind_i64(&m, q->since);
    buf_lit(&m.text, " AND (e.at < ");
    bind_i64(&m, s->after.major);
    buf_lit(&m.text, " OR e.seq < ");
    bind_i64(&m, s->after.seq);
    buf_lit(&m.text, ")");
    put_filters(&m, s, value);
    buf_lit(&m.text, " ORDER BY e.at DESC, e.seq DESC LIMIT ");
    bind_i64(&m, (int64_t)q->limit + 1);
    bool ok = gather(s, &m, err);
    buf_free(&m.text);
    return ok;
}

// The id of the event nearest to a time, from which on, or up to which, ids can lie.
static bool id_bound(struct search *s, int64_t at, bool upper, int64_t *out_id, struct err *err) {
    struct sql_stmt *st;
    bool row;
    struct str text =
        upper ? STR("SELECT id FROM audit_event WHERE tenant_id = ?1 AND at >= ?2 ORDER BY at, seq LIMIT 1")
              : STR("SELECT id FROM audit_event WHERE tenant_id = ?1 AND at <= ?2 ORDER BY at DESC, seq DESC LIMIT 1");
    if (!sql_prepare(s->scope, text, &st, err)) return false;
    sql_bind_i64(st, 2, at);
    if (!sql_step(st, &row, err)) return false;
    if (row) *out_id = sql_col_i64(st, 0);
    if (row) sql_reset(st);
    return true;
}

// The words of the search, and those of the fields' values: the index meets them, the fields are then compared exactly.
static bool words_make(struct search *s, struct err *err) {
    const struct audit_query *q = s->q;
    struct str action = is_prefix(q->action) ? prefix_of(q->action) : q->action;
    // The last word of a prefix may be the beginning of one.
    size_t dot = action.n;
    while (is_prefix(q->action) && dot && action.p[dot - 1] != '.') dot--;
    const struct str values[] = {q->actor,    str_head(action, dot), q->resource_type,
                                 q->resource, q->request_id,         q->outcome};
    return audit_text_query(s->scope.db, s->scope.tenant, q->search, values, ARRAY_LEN(values), &s->words, err);
}

static bool gather_by_words(struct search *s, struct err *err) {
    const struct audit_query *q = s->q;
    int64_t low = 0, high = INT64_MAX;
    if (!words_make(s, err) || (q->since > CLOCK_SLACK && !id_bound(s, q->since - CLOCK_SLACK, false, &low, err)) ||
        (q->until && q->until < INT64_MAX - CLOCK_SLACK && !id_bound(s, q->until + CLOCK_SLACK, true, &high, err)))
        return false;
    struct maker m = maker_begin(audit_text_join(s->scope.db));
    bind_text(&m, buf_str(&s->words));
    buf_put(&m.text, str_c(audit_text_bound(s->scope.db)));
    bind_i64(&m, s->after.major < high ? s->after.major : high);
    buf_put(&m.text, str_c(audit_text_low(s->scope.db)));
    bind_i64(&m, low);
    buf_lit(&m.text, " AND e.tenant_id + 0 = ?1 AND e.at + 0 >= ");
    bind_i64(&m, q->since);
    buf_lit(&m.text, " AND e.at + 0 < ");
    bind_i64(&m, q->until ? q->until : INT64_MAX);
    put_filters(&m, s, STR(""));
    buf_put(&m.text, str_c(audit_text_order(s->scope.db)));
    bind_i64(&m, (int64_t)q->limit + 1);
    bool ok = gather(s, &m, err);
    buf_free(&m.text);
    return ok;
}

// --- ranges: the values that are there, each by itself ---

struct values {
    struct arena arena;
    struct str p[VALUES_MAX];
    size_t n;
    bool too_many;
};

// The value after `*value` that a column has; STR_NONE at the end.
static bool value_next(struct search *s, struct str text, struct arena *a, struct str *value, struct err *err) {
    struct sql_stmt *st;
    bool row;
    if (!sql_prepare(s->scope, text, &st, err)) return false;
    sql_bind_text(st, 2, *value);
    if (!sql_step(st, &row, err)) return false;
    bool none = !row || sql_col_is_null(st, 0);
    *value = none ? STR_NONE : arena_str(a, sql_col_text(st, 0));
    if (row) sql_reset(st);
    return none || value->p ? true : err_no_memory(err);
}

static void values_add(struct values *v, struct str value) {
    if (v->n == VALUES_MAX)
        v->too_many = true;
    else
        v->p[v->n++] = value;
}

static bool actions_list(struct search *s, struct values *v, struct err *err) {
    struct str value = STR(""), prefix = prefix_of(s->q->action);
    for (size_t i = 0; i < ACTIONS_MAX; i++) {
        if (!value_next(s, STR("SELECT min(action) FROM audit_event WHERE tenant_id = ?1 AND action > ?2"), &v->arena,
                        &value, err))
            return false;
        if (!value.p) return true;
        if (str_starts(value, prefix)) values_add(v, value);
        if (v->too_many) return true;
    }
    v->too_many = true;
    return true;
}

static bool addresses_list(struct search *s, struct values *v, struct err *err) {
    struct str value = str_of(s->first, 32), last = str_of(s->last, 32);
    struct str text = STR("SELECT min(address_key) FROM audit_event WHERE tenant_id = ?1 AND address_key >= ?2");
    while (!v->too_many) {
        if (!value_next(s, text, &v->arena, &value, err)) return false;
        if (!value.p || str_cmp(value, last) > 0) return true;
        values_add(v, value);
        text = STR("SELECT min(address_key) FROM audit_event WHERE tenant_id = ?1 AND address_key > ?2");
    }
    return true;
}

static bool gather_range(struct search *s, struct err *err) {
    bool actions = str_eq(s->driver, STR("action")), ok;
    struct values v = {.n = 0};
    arena_init(&v.arena, NULL, 0, 1 << 20);
    ok = actions ? actions_list(s, &v, err) : addresses_list(s, &v, err);
    // So many that the time's index comes upon them soon.
    if (ok && v.too_many) {
        s->driver = STR("");
        ok = gather_by_index(s, STR(""), err);
    }
    for (size_t i = 0; ok && !v.too_many && i < v.n; i++) ok = gather_by_index(s, v.p[i], err);
    arena_free(&v.arena);
    return ok;
}

static bool gather_places(struct search *s, struct err *err) {
    const struct audit_query *q = s->q;
    if (s->by_words) return gather_by_words(s, err);
    // The first of these that is given says most.
    if (q->request_id.n || q->resource.n || q->actor.n) {
        s->driver = q->request_id.n ? STR("request_id") : q->resource.n ? STR("resource_id") : s->actor_column;
        return gather_by_index(s, STR(""), err);
    }
    if (s->has_range) {
        s->driver = STR("address_key");
        return gather_range(s, err);
    }
    if (q->action.n > 1 || (q->action.n && !is_prefix(q->action))) {
        s->driver = STR("action");
        return is_prefix(q->action) ? gather_range(s, err) : gather_by_index(s, q->action, err);
    }
    if (q->resource_type.n) s->driver = STR("resource_type");
    if (!q->resource_type.n && s->outcome_known) s->driver = STR("outcome");
    return gather_by_index(s, STR(""), err);
}

// --- the page ---

static int newest_first(const void *a, const void *b) {
    const struct place *x = a, *y = b;
    if (x->major != y->major) return x->major < y->major ? 1 : -1;
    return x->seq < y->seq ? 1 : x->seq > y->seq ? -1 : 0;
}

bool audit_search(struct sql_scope scope, const struct audit_query *query, audit_visit *visit, void *arg,
                  struct buf *out_cursor, struct err *err) {
    struct search s = {.scope = scope, .q = query, .words = BUF_INIT(16384)};
    buf_clear(out_cursor);
    bool ok = search_begin(&s, err) && gather_places(&s, err);
    if (ok && s.places.n) qsort(s.places.p, s.places.n, sizeof *s.places.p, newest_first);
    for (size_t i = 0; ok && i < s.places.n && i < query->limit; i++)
        ok = audit_get(scope, s.places.p[i].seq, visit, arg, err);
    if (ok && s.places.n > query->limit) cursor_put(&s, s.places.p[query->limit - 1], out_cursor);
    vec_free(&s.places);
    buf_free(&s.words);
    return ok;
}
