// Lists of an entity's rows: those the caller may see, page by page, with how many there are.
#include "admin/api_impl.h"

#include "base/json_write.h"
#include "base/vec.h"

struct listing {
    struct api_call *call;
    const struct api_kind *kind;
    struct json_writer *w;
    struct str only;
    size_t limit, shown;
    uint64_t seen; // rows the caller may see, on all pages
    bool more;
    bool checks; // row by row
    struct buf *cursor;
    struct entity_query *query;
};

static bool parse_limit(struct api_call *call, size_t *out_limit, struct err *err) {
    struct str text = api_param(call, "limit");
    uint64_t v = 50;
    if (text.p && (!str_to_u64(text, &v) || v < 1 || v > ENTITY_LIMIT_MAX))
        return api_wrong(err, "limit", "limit is a number from 1 to %d", ENTITY_LIMIT_MAX);
    *out_limit = (size_t)v;
    return true;
}

static bool parse_sort(struct api_call *call, const struct entity *e, struct entity_query *q, struct err *err) {
    struct str text = api_param(call, "sort");
    q->sort = ENTITY_AT_ID;
    if (!text.p) return true;
    if (text.n && text.p[0] == '-') {
        q->descending = true;
        text = str_from(text, 1);
    }
    size_t i = entity_column_index(e, text);
    if (i == SIZE_MAX || !(entity_column(e, i)->flags & ENTITY_SORT))
        return api_wrong(err, "sort", "%.*s cannot be sorted by \"%.*s\"", STR_ARG(e->plural),
                         STR_ARG(str_head(text, 60)));
    q->sort = i;
    return true;
}

bool api_list_query(struct api_call *call, const struct entity *e, struct sql_scope scope, struct entity_query *q,
                    struct err *err) {
    *q = (struct entity_query){.cursor = api_param(call, "cursor"), .search = api_param(call, "q")};
    if (q->search.n > 200) return api_wrong(err, "q", "q is at most 200 bytes long");
    if (!parse_limit(call, &q->limit, err) || !parse_sort(call, e, q, err)) return false;
    for (size_t i = 0; i < call->n_query; i++) {
        const struct api_param *p = &call->query[i];
        if (api_query_known(call->endpoint, p->name)) continue;
        if (q->n_filters == ENTITY_FILTERS_MAX)
            return api_wrong(err, "", "a list takes at most %d filters", ENTITY_FILTERS_MAX);
        if (!entity_filter_parse(scope, e, p->name, p->value, call->arena, &q->filters[q->n_filters], err))
            return false;
        q->n_filters++;
    }
    return true;
}

bool api_list_wrong(struct api_call *call, enum resource_type type, struct err *err) {
    struct policy_resource all = {.type = type, .tenant = call->who.tenant};
    struct err why = *err;
    bool allowed = false;
    bool alike =
        policy_decides_alike(call->policy, &call->subject, ACTION_READ, type, call->who.tenant, call->now, &allowed);
    if (alike && !allowed && api_check(call, ACTION_READ, &all, err)) *err = why;
    return false;
}

// --- rows ---

static bool may_see(struct listing *l, const struct entity_row *row, bool *out_may, struct err *err) {
    struct policy_resource r;
    struct policy_decision d;
    *out_may = true;
    if (!l->checks) return true;
    if (!api_locate(l->call, l->kind, row, &r, err)) return false;
    *out_may = api_decide(l->call, ACTION_READ, &r, &d);
    return true;
}

static bool show(void *arg, const struct entity_row *row, struct err *err) {
    struct listing *l = arg;
    bool may;
    if (!may_see(l, row, &may, err)) return false;
    if (!may) return true;
    if (l->shown == l->limit) {
        l->more = true;
        return false;
    }
    api_put_row(l->call, l->kind, l->w, row, l->only);
    l->shown++;
    buf_clear(l->cursor);
    return entity_cursor(l->kind->entity, l->query, row, l->cursor) || err_no_memory(err);
}

static bool tally(void *arg, const struct entity_row *row, struct err *err) {
    struct listing *l = arg;
    bool may;
    if (!may_see(l, row, &may, err)) return false;
    l->seen += may;
    return true;
}

// Which project is of which team: looked up at once, since no other statement may run within a list's.
static bool load_project_teams(struct api_call *call, struct err *err) {
    VEC(int64_t) pairs = {0};
    struct sql_stmt *st;
    bool row, ok = true;
    if (!sql_prepare(call->scope, STR("SELECT id, team_id FROM project WHERE tenant_id = ?1 AND team_id IS NOT NULL"),
                     &st, err))
        return false;
    for (;;) {
        if (!sql_step(st, &row, err)) {
            vec_free(&pairs);
            return false;
        }
        if (!row) break;
        ok = ok && vec_push(&pairs, sql_col_i64(st, 0)) && vec_push(&pairs, sql_col_i64(st, 1));
    }
    call->project_teams = ok ? arena_alloc(call->arena, pairs.n * sizeof(int64_t) + 1) : NULL;
    if (call->project_teams && pairs.n) memcpy(call->project_teams, pairs.p, pairs.n * sizeof(int64_t));
    call->n_project_teams = call->project_teams ? pairs.n / 2 : 0;
    call->has_project_teams = true;
    vec_free(&pairs);
    return call->project_teams || err_no_memory(err);
}

static bool begin(struct listing *l, struct err *err) {
    struct api_call *call = l->call;
    struct policy_resource all = {.type = l->kind->resource, .tenant = l->kind->platform ? 0 : call->who.tenant};
    struct policy_decision d;
    bool allowed = false;
    call->checked = true;
    if (l->kind->platform) {
        // Rows of many tenants: alike only for who is above them all.
        l->checks = !(api_decide(call, ACTION_READ, &all, &d) && d.reason == POLICY_OPERATOR);
        return true;
    }
    if (!policy_decides_alike(call->policy, &call->subject, ACTION_READ, l->kind->resource, call->who.tenant, call->now,
                              &allowed))
        allowed = false;
    else if (!allowed && !api_check(call, ACTION_READ, &all, err))
        return false;
    if (allowed) return true;
    l->checks = true;
    return load_project_teams(call, err);
}

static bool total(struct listing *l, struct sql_scope scope, uint64_t *out_total, struct err *err) {
    struct entity_query q = *l->query;
    // One page, and all of it is on it.
    if (!l->more && !q.cursor.n) {
        *out_total = l->shown;
        return true;
    }
    if (!l->checks) return entity_count(scope, l->kind->entity, &q, out_total, err);
    q.cursor = STR_NONE;
    q.limit = SIZE_MAX;
    if (!entity_list(scope, l->kind->entity, &q, tally, l, err)) return false;
    *out_total = l->seen;
    return true;
}

void api_put_page_end(struct json_writer *w, bool more, struct str cursor, uint64_t total) {
    json_put_array_end(w);
    if (more)
        json_put_member_str(w, STR("next_cursor"), cursor);
    else
        json_put_member_null(w, STR("next_cursor"));
    json_put_member_u64(w, STR("total"), total);
    json_put_object_end(w);
}

bool api_list_into(struct api_call *call, const struct api_kind *kind, struct entity_query *query,
                   struct json_writer *w, struct buf *cursor, bool *out_more, uint64_t *out_total, struct err *err) {
    struct sql_scope scope = kind->platform ? sql_platform(call->db) : call->scope;
    struct listing l = {.call = call,
                        .kind = kind,
                        .w = w,
                        .only = api_param(call, "fields"),
                        .limit = query->limit,
                        .cursor = cursor,
                        .query = query};
    if (!begin(&l, err)) return false;
    struct entity_query q = *query;
    q.limit = l.checks ? SIZE_MAX : query->limit + 1;
    if (!entity_list(scope, kind->entity, &q, show, &l, err) || !total(&l, scope, out_total, err)) return false;
    *out_more = l.more;
    return true;
}

bool api_entity_list(struct api_call *call, struct err *err) {
    const struct api_kind *kind = call->endpoint->kind;
    BUF_AUTO struct buf cursor = BUF_INIT(ENTITY_CURSOR_MAX * 2);
    struct sql_scope scope = kind->platform ? sql_platform(call->db) : call->scope;
    struct entity_query query;
    struct json_writer w;
    uint64_t n;
    bool more;
    if (!api_list_query(call, kind->entity, scope, &query, err) ||
        !entity_check_only(kind->entity, api_param(call, "fields"), NULL, err))
        return kind->platform ? false : api_list_wrong(call, kind->resource, err);
    api_answer(call, &w);
    json_put_object(&w);
    json_put_member_array(&w, STR("data"));
    if (!api_list_into(call, kind, &query, &w, &cursor, &more, &n, err)) return false;
    api_put_page_end(&w, more, buf_str(&cursor), n);
    return true;
}
