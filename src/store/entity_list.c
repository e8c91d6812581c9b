// Lists of entities: filters, search, order, and pages that go on after a row (keyset cursors).
#include "store/entity_impl.h"

#include "base/hash.h"

// --- what is asked, as SQL ---

static const char *const k_signs[] = {
    [ENTITY_EQ] = "=", [ENTITY_NE] = "<>", [ENTITY_GE] = ">=", [ENTITY_LT] = "<", [ENTITY_CONTAINS] = "LIKE"};

static bool is_null_filter(const struct entity_field *f, const struct entity_value *v) {
    return f->flags & ENTITY_NULL && (f->type == ENTITY_ANY_REF || entity_is_text(f->type) ? !v->s.n : !v->i);
}

static int put_filter(struct buf *text, const struct entity *e, const struct entity_filter *filter, int index) {
    const struct entity_field *f = entity_column(e, filter->field);
    struct str name = f->type == ENTITY_ANY_REF ? f->name : entity_sql_name(f);
    const char *sign = k_signs[filter->op];
    if (f->type == ENTITY_ANY_REF) {
        bool ne = filter->op == ENTITY_NE;
        buf_printf(text, " AND %s(%.*s_kind = ?%d AND %.*s_id = ?%d)", ne ? "NOT " : "", STR_ARG(name), index,
                   STR_ARG(name), index + 1);
        return index + 2;
    }
    if (filter->op == ENTITY_CONTAINS) {
        buf_printf(text, " AND lower(%.*s) LIKE lower(?%d) ESCAPE '\\'", STR_ARG(name), index);
        return index + 1;
    }
    if (is_null_filter(f, &filter->value)) {
        buf_printf(text, " AND %.*s IS %sNULL", STR_ARG(name), filter->op == ENTITY_NE ? "NOT " : "");
        return index;
    }
    if (filter->op == ENTITY_NE && f->flags & ENTITY_NULL)
        buf_printf(text, " AND (%.*s IS NULL OR %.*s <> ?%d)", STR_ARG(name), STR_ARG(name), index);
    else
        buf_printf(text, " AND %.*s %s ?%d", STR_ARG(name), sign, index);
    return index + 1;
}

static bool is_searched(const struct entity_field *f) {
    return f->type == ENTITY_TEXT && !(f->flags & (ENTITY_HIDDEN | ENTITY_NULL));
}

static int put_search(struct buf *text, const struct entity *e, int index) {
    bool first = true;
    buf_lit(text, " AND (");
    for (size_t i = 0; i < e->n; i++) {
        if (!is_searched(&e->fields[i])) continue;
        buf_printf(text, "%slower(%.*s) LIKE lower(?%d) ESCAPE '\\'", first ? "" : " OR ",
                   STR_ARG(entity_sql_name(&e->fields[i])), index);
        first = false;
    }
    if (first) buf_printf(text, "?%d = ''", index);
    buf_putc(text, ')');
    return index + 1;
}

// " WHERE …" of scope, filters and search; the next placeholder.
static int put_where(struct buf *text, struct sql_scope scope, const struct entity *e, const struct entity_query *q) {
    int index = entity_first(scope);
    buf_lit(text, " WHERE ");
    entity_put_scope(text, scope, e);
    for (size_t i = 0; i < q->n_filters; i++) index = put_filter(text, e, &q->filters[i], index);
    if (q->search.n) index = put_search(text, e, index);
    return index;
}

// '%' and '_' of what is looked for stand for themselves.
static struct str pattern(struct arena *arena, struct str part) {
    char *p = arena_alloc(arena, part.n * 2 + 2);
    size_t n = 0;
    if (!p) return STR_NONE;
    p[n++] = '%';
    for (size_t i = 0; i < part.n; i++) {
        if (part.p[i] == '%' || part.p[i] == '_' || part.p[i] == '\\') p[n++] = '\\';
        p[n++] = part.p[i];
    }
    p[n++] = '%';
    return str_of(p, n);
}

static bool bind_where(struct sql_stmt *st, struct sql_scope scope, const struct entity *e,
                       const struct entity_query *q, struct arena *arena, int *out_index, struct err *err) {
    int index = entity_first(scope);
    for (size_t i = 0; i < q->n_filters; i++) {
        const struct entity_filter *filter = &q->filters[i];
        const struct entity_field *f = entity_column(e, filter->field);
        if (filter->op == ENTITY_CONTAINS) {
            struct str like = pattern(arena, filter->value.s);
            if (!like.p) return err_no_memory(err);
            sql_bind_text(st, index++, like);
        } else if (!is_null_filter(f, &filter->value)) {
            index = entity_bind(st, index, f, &filter->value);
        }
    }
    if (q->search.n) {
        struct str like = pattern(arena, q->search);
        if (!like.p) return err_no_memory(err);
        sql_bind_text(st, index++, like);
    }
    *out_index = index;
    return true;
}

// --- cursors: a checksum of the query, the row's id, and its value in the column that is sorted by ---

#define CURSOR_HEAD 16

static uint32_t crc_str(uint32_t crc, struct str s) {
    uint64_t n = s.n;
    return crc32c(crc32c(crc, &n, sizeof n), s.p, s.n);
}

// A cursor that is used with another query would go on at a wrong place.
static uint32_t query_mark(const struct entity *e, const struct entity_query *q) {
    uint32_t crc = crc_str(0, e->name);
    uint64_t head[] = {q->sort, q->descending, q->n_filters};
    crc = crc_str(crc32c(crc, head, sizeof head), q->search);
    for (size_t i = 0; i < q->n_filters; i++) {
        const struct entity_filter *f = &q->filters[i];
        int64_t parts[] = {(int64_t)f->field, (int64_t)f->op, f->value.i};
        crc = crc_str(crc32c(crc, parts, sizeof parts), f->value.s);
    }
    return crc;
}

static const struct entity_value *sort_value(const struct entity_query *q, const struct entity_row *row,
                                             struct entity_value *out_common) {
    if (q->sort < ENTITY_AT_ID) return &row->v[q->sort];
    *out_common = (struct entity_value){.i = q->sort == ENTITY_AT_CREATED   ? row->created_at
                                             : q->sort == ENTITY_AT_UPDATED ? row->updated_at
                                                                            : row->id};
    return out_common;
}

bool entity_cursor(const struct entity *e, const struct entity_query *query, const struct entity_row *row,
                   struct buf *out) {
    BUF_AUTO struct buf raw = BUF_INIT(ENTITY_CURSOR_MAX);
    struct entity_value common;
    const struct entity_value *v = sort_value(query, row, &common);
    uint32_t mark = query_mark(e, query), crc;
    bool text = entity_is_text(entity_column(e, query->sort)->type);
    char head[CURSOR_HEAD] = {0};
    memcpy(head + 4, &mark, 4);
    memcpy(head + 8, &row->id, 8);
    buf_append(&raw, head, sizeof head);
    if (text)
        buf_put(&raw, v->s);
    else
        buf_append(&raw, &v->i, sizeof v->i);
    if (raw.failed) return false;
    crc = crc32c(0, raw.p + 4, raw.n - 4);
    memcpy(raw.p, &crc, 4);
    base64url_put(out, buf_str(&raw));
    return !out->failed;
}

static int digit_of(char c) {
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    return c == '-' ? 62 : c == '_' ? 63 : -1;
}

static bool base64url_read(struct str text, struct buf *out) {
    uint32_t bits = 0;
    unsigned n = 0;
    for (size_t i = 0; i < text.n; i++) {
        int d = digit_of(text.p[i]);
        if (d < 0) return false;
        bits = bits << 6 | (uint32_t)d;
        n += 6;
        if (n >= 8) {
            n -= 8;
            buf_putc(out, (char)(bits >> n & 0xff));
        }
    }
    return !out->failed && n < 6 && (bits & ((1u << n) - 1)) == 0;
}

struct cursor {
    int64_t id;
    struct entity_value value;
};

static bool bad_cursor(struct err *err) {
    err_set(err, ERR_INVALID_FIELD,
            "cursor: expected the next_cursor of a page that was asked for with the same filters and order");
    snprintf(err->param, sizeof err->param, "cursor");
    return false;
}

static bool read_cursor(const struct entity *e, const struct entity_query *q, struct buf *raw, struct cursor *out,
                        struct err *err) {
    uint32_t crc, mark;
    bool text = entity_is_text(entity_column(e, q->sort)->type);
    if (q->cursor.n > ENTITY_CURSOR_MAX * 4 / 3 + 4 || !base64url_read(q->cursor, raw)) return bad_cursor(err);
    if (raw->n < CURSOR_HEAD || (!text && raw->n != CURSOR_HEAD + 8)) return bad_cursor(err);
    memcpy(&crc, raw->p, 4);
    memcpy(&mark, raw->p + 4, 4);
    memcpy(&out->id, raw->p + 8, 8);
    if (crc != crc32c(0, raw->p + 4, raw->n - 4) || mark != query_mark(e, q)) return bad_cursor(err);
    out->value = (struct entity_value){0};
    if (text)
        out->value.s = str_from(buf_str(raw), CURSOR_HEAD);
    else
        memcpy(&out->value.i, raw->p + CURSOR_HEAD, 8);
    return true;
}

// --- pages ---

static void put_page(struct buf *text, const struct entity *e, const struct entity_query *q, int index) {
    struct str sort = entity_sql_name(entity_column(e, q->sort));
    const char *order = q->descending ? "DESC" : "ASC";
    char sign = q->descending ? '<' : '>';
    bool by_id = q->sort == ENTITY_AT_ID;
    if (q->cursor.n && by_id) {
        buf_printf(text, " AND id %c ?%d", sign, index++);
    } else if (q->cursor.n) {
        // As one comparison, for which an index serves.
        buf_printf(text, " AND (%.*s, id) %c (?%d, ?%d)", STR_ARG(sort), sign, index, index + 1);
        index += 2;
    }
    buf_lit(text, " ORDER BY ");
    if (!by_id) buf_printf(text, "%.*s %s, ", STR_ARG(sort), order);
    buf_printf(text, "id %s LIMIT ?%d", order, index);
}

static bool each(struct sql_stmt *st, const struct entity *e, entity_visit *visit, void *arg, struct err *err) {
    err->code = ERR_COUNT; // tells whether the visitor set an error
    for (;;) {
        struct entity_row row;
        bool has;
        if (!sql_step(st, &has, err)) return false;
        if (!has) return true;
        bool ok = entity_read_row(st, e, &row, err);
        if (ok && visit(arg, &row, err)) continue;
        sql_reset(st);
        return ok && err->code == ERR_COUNT;
    }
}

bool entity_list(struct sql_scope scope, const struct entity *e, const struct entity_query *query, entity_visit *visit,
                 void *arg, struct err *err) {
    BUF_AUTO struct buf text = BUF_INIT(ENTITY_SQL_MAX);
    BUF_AUTO struct buf raw = BUF_INIT(ENTITY_CURSOR_MAX + 4);
    struct cursor cursor;
    struct sql_stmt *st;
    struct arena arena;
    int index;
    if (query->cursor.n && !read_cursor(e, query, &raw, &cursor, err)) return false;
    buf_lit(&text, "SELECT ");
    entity_put_columns(&text, e);
    buf_printf(&text, " FROM %.*s", STR_ARG(e->table));
    put_page(&text, e, query, put_where(&text, scope, e, query));
    if (!entity_prepare(scope, &text, &st, err)) return false;
    arena_init(&arena, NULL, 0, (size_t)1 << 20);
    bool ok = bind_where(st, scope, e, query, &arena, &index, err);
    if (ok) {
        if (query->cursor.n && query->sort != ENTITY_AT_ID)
            index = entity_bind(st, index, entity_column(e, query->sort), &cursor.value);
        if (query->cursor.n) sql_bind_i64(st, index++, cursor.id);
        sql_bind_i64(st, index, query->limit > INT64_MAX ? INT64_MAX : (int64_t)query->limit);
        ok = each(st, e, visit, arg, err);
    }
    arena_free(&arena);
    return ok;
}

bool entity_count(struct sql_scope scope, const struct entity *e, const struct entity_query *query, uint64_t *out_count,
                  struct err *err) {
    BUF_AUTO struct buf text = BUF_INIT(ENTITY_SQL_MAX);
    struct sql_stmt *st;
    struct arena arena;
    int index;
    bool has = false;
    // What is counted is not more than people look at: of a million rows, that would take longer than the page does.
    buf_printf(&text, "SELECT count(*) FROM (SELECT id%s FROM %.*s", e == &entity_tenant ? " AS tenant_id" : "",
               STR_ARG(e->table));
    put_where(&text, scope, e, query);
    buf_printf(&text, " LIMIT %d) counted", ENTITY_COUNT_MAX);
    if (!entity_prepare(scope, &text, &st, err)) return false;
    arena_init(&arena, NULL, 0, (size_t)1 << 20);
    bool ok = bind_where(st, scope, e, query, &arena, &index, err) && sql_step(st, &has, err);
    if (ok) *out_count = has ? (uint64_t)sql_col_i64(st, 0) : 0;
    if (ok && has) sql_reset(st);
    arena_free(&arena);
    return ok;
}

// --- filters from text ---

static const struct {
    struct str suffix;
    enum entity_op op;
} k_ops[] = {{STR_INIT(".ne"), ENTITY_NE},
             {STR_INIT(".ge"), ENTITY_GE},
             {STR_INIT(".lt"), ENTITY_LT},
             {STR_INIT(".contains"), ENTITY_CONTAINS}};

static bool op_fits(const struct entity_field *f, enum entity_op op) {
    bool list = f->type == ENTITY_LIST || f->type == ENTITY_MAP || f->type == ENTITY_NUMBERS;
    if (op == ENTITY_CONTAINS) return f->type == ENTITY_TEXT || list;
    if (list) return false;
    if (op == ENTITY_EQ || op == ENTITY_NE) return true;
    return f->type != ENTITY_REF && f->type != ENTITY_ANY_REF && f->type != ENTITY_ENUM && f->type != ENTITY_BOOL;
}

bool entity_filter_parse(struct sql_scope scope, const struct entity *e, struct str name, struct str text,
                         struct arena *arena, struct entity_filter *out_filter, struct err *err) {
    struct entity_filter filter = {.op = ENTITY_EQ};
    struct str field = name;
    for (size_t i = 0; i < ARRAY_LEN(k_ops); i++) {
        if (!str_ends(name, k_ops[i].suffix)) continue;
        filter.op = k_ops[i].op;
        field = str_head(name, name.n - k_ops[i].suffix.n);
    }
    filter.field = entity_column_index(e, field);
    const struct entity_field *f = filter.field == SIZE_MAX ? NULL : entity_column(e, filter.field);
    if (!f || !(f->flags & ENTITY_FILTER) || !op_fits(f, filter.op)) {
        err_set(err, ERR_INVALID_FIELD, "%.*s cannot be filtered by \"%.*s\"", STR_ARG(e->plural),
                STR_ARG(str_head(name, 60)));
        snprintf(err->param, sizeof err->param, "%.*s", STR_ARG(str_head(name, 60)));
        return false;
    }
    if (text.n > ENTITY_TEXT_MAX) return entity_field_wrong(err, f, str_head(text, 60), "a shorter text");
    if (filter.op == ENTITY_CONTAINS)
        filter.value.s = text;
    else if (!str_eq(text, STR("null")) && !entity_value_parse(scope, f, text, arena, &filter.value, err))
        return false;
    if (f->empty && str_eq(filter.value.s, str_c(f->empty))) filter.value.s = STR("");
    *out_filter = filter;
    return true;
}
