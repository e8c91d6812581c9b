// Reads the log's segments for reports.
#include "store/ledger_pending.h"

#include "base/map.h"
#include "os/rand.h"
#include "store/ledger_files.h"
#include "store/wal.h"

#define ARENA_MAX ((size_t)1 << 30)

void ledger_pending_init(struct ledger_pending *p) {
    *p = (struct ledger_pending){0};
    arena_init(&p->arena, NULL, 0, ARENA_MAX);
}

void ledger_pending_free(struct ledger_pending *p) {
    vec_free(&p->list);
    vec_free(&p->begun);
    arena_free(&p->arena);
}

// As usage_sql.c looks for it in the JSON.
static bool has_tag(struct str tags, struct str tag) {
    BUF_AUTO struct buf want = BUF_INIT(2048);
    size_t at = str_find(tag, STR("="));
    buf_putc(&want, '"');
    buf_put(&want, str_head(tag, at));
    buf_put(&want, STR("\":\""));
    buf_put(&want, str_from(tag, MIN(at + 1, tag.n)));
    buf_putc(&want, '"');
    return !want.failed && str_find(tags, buf_str(&want)) < tags.n;
}

static bool is_in(const struct ledger_query *q, const struct usage_record *r) {
    for (size_t i = 0; i < q->n_places; i++)
        if (q->places[i].team_id == r->team_id && q->places[i].project_id == r->project_id) return true;
    return false;
}

static bool owner_means(const struct ledger_query *q, const struct usage_record *r) {
    return (!q->key_id || r->key_id == q->key_id) && (!q->team_id || r->team_id == q->team_id) &&
           (!q->project_id || r->project_id == q->project_id) && (!q->in_places || is_in(q, r)) &&
           (!q->owner_id || (r->owner_id == q->owner_id && r->owner_kind == q->owner_kind)) &&
           (!q->tag.n || has_tag(r->tags, q->tag));
}

static bool range_means(const struct ledger_query *q, const struct usage_record *r) {
    if (r->ts < q->since || (q->until && r->ts >= q->until)) return false;
    return !q->before_id || r->ts < q->before_ts || (r->ts == q->before_ts && r->id < q->before_id);
}

bool ledger_query_means(const struct ledger_query *q, const struct usage_record *r) {
    return range_means(q, r) && owner_means(q, r) &&
           (!q->tenant_id || (r->tenant_id ? r->tenant_id : 1) == q->tenant_id) &&
           (!q->request_id || r->id == q->request_id) && (!q->endpoint || r->endpoint == q->endpoint - 1) &&
           (!q->status || r->status == q->status) && (!q->errors || usage_is_error(r)) &&
           (!q->provider.n || str_eq(r->provider, q->provider)) && (!q->task.n || str_eq(r->task, q->task)) &&
           (!q->error.n || str_eq(r->error, q->error)) &&
           (!q->model.n || str_eq(r->model, q->model) || str_eq(r->upstream_model, q->model)) &&
           r->cost_nano >= q->min_cost_nano && r->latency_us >= (uint64_t)q->min_latency_us;
}

struct segments {
    struct ledger_pending *p;
    const struct ledger_query *q;
    struct map ended, begun; // ids
};

static struct str id_key(const uint64_t *id) { return str_of((const char *)id, sizeof *id); }

static bool keep(struct segments *s, bool ended, const struct usage_record *rec, struct err *err) {
    struct ledger_pending *p = s->p;
    struct map *seen = ended ? &s->ended : &s->begun;
    struct str *texts[6];
    struct usage_record r = *rec;
    uint64_t *id = ARENA_NEW(&p->arena, uint64_t);
    if (!id) return err_no_memory(err);
    *id = r.id;
    if (map_get(seen, id_key(id))) return true;
    if (!r.tenant_id) r.tenant_id = 1;
    texts[0] = &r.provider, texts[1] = &r.model, texts[2] = &r.upstream_model, texts[3] = &r.error, texts[4] = &r.tags;
    texts[5] = &r.task;
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct str copy = arena_str(&p->arena, *texts[i]);
        if (texts[i]->n && !copy.p) return err_no_memory(err);
        *texts[i] = copy;
    }
    bool ok = ended ? vec_push(&p->list, r) : vec_push(&p->begun, r);
    return (ok && map_put(seen, id_key(id), id)) || err_no_memory(err);
}

static bool segment_read(struct segments *s, struct str bytes, struct err *err) {
    struct wal_scan scan;
    struct wal_record r;
    struct usage_record rec;
    if (!wal_scan_init(&scan, bytes)) return true;
    while (wal_scan_live(&scan, &r) == WAL_RECORD) {
        bool ended = r.type == WAL_END;
        if ((ended || s->p->with_begun) && usage_decode(r.payload, &rec) && ledger_query_means(s->q, &rec) &&
            !keep(s, ended, &rec, err))
            return false;
    }
    return true;
}

static void drop_ended(struct segments *s) {
    struct ledger_pending *p = s->p;
    size_t n = 0;
    for (size_t i = 0; i < p->begun.n; i++)
        if (!map_get(&s->ended, id_key(&p->begun.p[i].id))) p->begun.p[n++] = p->begun.p[i];
    p->begun.n = n;
}

bool ledger_pending_read(struct ledger_pending *p, const struct ledger_query *q, struct err *err) {
    BUF_AUTO struct buf dir = BUF_INIT(LEDGER_PATH_MAX);
    BUF_AUTO struct buf bytes = BUF_INIT(WAL_SEGMENT_MAX);
    struct ledger_numbers numbers;
    struct segments s = {.p = p, .q = q};
    if (!ledger_wal_dir(&dir, q->data_dir, err) || !ledger_files_list(buf_str(&dir), &numbers, err)) return false;
    bool ok = true;
    map_init(&s.ended, rand_u64());
    map_init(&s.begun, rand_u64());
    for (size_t i = 0; ok && i < numbers.list.n; i++) {
        if (ledger_file_read(buf_str(&dir), numbers.list.p[i], &bytes, err))
            ok = segment_read(&s, buf_str(&bytes), err);
        else
            ok = err->code == ERR_NOT_FOUND; // applied and removed since
    }
    if (ok) drop_ended(&s);
    map_free(&s.ended);
    map_free(&s.begun);
    vec_free(&numbers.list);
    return ok;
}

// *out_stands: in the table, to stay.
static bool settle_one(struct sql *db, uint64_t id, bool *out_stands, ledger_pending_visit *unknown, void *arg,
                       struct err *err) {
    struct sql_stmt *st;
    bool row;
    if (!sql_prepare(
            sql_platform(db),
            STR("SELECT u.ts, u.tenant_id, u.flags, u.tokens_out, u.cost_nano, d.status, d.key_id, d.team_id,"
                " d.project_id, d.owner_kind, d.owner_id, d.endpoint, (SELECT text FROM name WHERE id = d.provider_id),"
                " (SELECT text FROM name WHERE id = d.model_id), (SELECT text FROM name WHERE id ="
                " d.upstream_model_id), (SELECT text FROM name WHERE id = d.tags_id), u.reserved_tokens,"
                " u.reserved_nano, u.attempts, (SELECT text FROM name WHERE id = d.task_id) FROM usage u JOIN"
                " usage_dim d ON d.id = u.dim_id WHERE u.id = ?1"),
            &st, err))
        return false;
    sql_bind_i64(st, 1, (int64_t)id);
    if (!sql_step(st, &row, err)) return false;
    *out_stands = row && sql_col_i64(st, 5) != USAGE_STATUS_UNKNOWN;
    bool ok = true;
    if (row && !*out_stands) {
        struct usage_record old = {.id = id,
                                   .ts = sql_col_i64(st, 0),
                                   .tenant_id = (uint64_t)sql_col_i64(st, 1),
                                   .flags = (uint32_t)sql_col_i64(st, 2),
                                   .tokens_out = (uint64_t)sql_col_i64(st, 3),
                                   .cost_nano = sql_col_i64(st, 4),
                                   .key_id = (uint64_t)sql_col_i64(st, 6),
                                   .team_id = (uint64_t)sql_col_i64(st, 7),
                                   .project_id = (uint64_t)sql_col_i64(st, 8),
                                   .owner_kind = (uint8_t)sql_col_i64(st, 9),
                                   .owner_id = (uint64_t)sql_col_i64(st, 10),
                                   .endpoint = (uint16_t)sql_col_i64(st, 11),
                                   .provider = sql_col_text(st, 12),
                                   .model = sql_col_text(st, 13),
                                   .upstream_model = sql_col_text(st, 14),
                                   .tags = sql_col_text(st, 15),
                                   .reserved_tokens = (uint64_t)sql_col_i64(st, 16),
                                   .reserved_nano = (uint64_t)sql_col_i64(st, 17),
                                   .attempts = (uint64_t)sql_col_i64(st, 18),
                                   .task = sql_col_text(st, 19)};
        ok = unknown(arg, &old, err);
    }
    if (row) sql_reset(st);
    return ok;
}

static bool is_row(struct sql *db, uint64_t id, bool *out_is, struct err *err) {
    struct sql_stmt *st;
    if (!sql_prepare(sql_platform(db), STR("SELECT 1 FROM usage WHERE id = ?1"), &st, err)) return false;
    sql_bind_i64(st, 1, (int64_t)id);
    if (!sql_step(st, out_is, err)) return false;
    if (*out_is) sql_reset(st);
    return true;
}

bool ledger_pending_settle(struct ledger_pending *p, struct sql *db, ledger_pending_visit *unknown, void *arg,
                           struct err *err) {
    size_t n = 0;
    for (size_t i = 0; i < p->list.n; i++) {
        bool stands;
        if (!settle_one(db, p->list.p[i].id, &stands, unknown, arg, err)) return false;
        if (!stands) p->list.p[n++] = p->list.p[i];
    }
    p->list.n = n;
    n = 0;
    for (size_t i = 0; i < p->begun.n; i++) {
        bool row;
        if (!is_row(db, p->begun.p[i].id, &row, err)) return false;
        if (!row) p->begun.p[n++] = p->begun.p[i];
    }
    p->begun.n = n;
    return true;
}

static int newest_first(const void *a, const void *b) {
    const struct usage_record *x = a, *y = b;
    if (x->ts != y->ts) return x->ts < y->ts ? 1 : -1;
    return (x->id < y->id) - (x->id > y->id);
}

void ledger_pending_sort(struct ledger_pending *p) {
    if (p->list.n) qsort(p->list.p, p->list.n, sizeof *p->list.p, newest_first);
}
