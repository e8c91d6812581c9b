// Puts statements of reports over usage together: numbers, texts, and the conditions of a query.
#include "store/usage_text.h"

#define TEXT_MAX ((size_t)4 << 20) // places are many where a tenant has many projects

void usage_put(struct usage_text *b, const char *text) { buf_put(&b->text, str_c(text)); }

static void put_number(struct usage_text *b, int at) {
    char digits[24];
    buf_putc(&b->text, '?');
    buf_put(&b->text, str_of(digits, fmt_u64(digits, (uint64_t)at)));
}

void usage_put_i64(struct usage_text *b, const char *before, int64_t v) {
    INVARIANT(b->n < USAGE_VALUES_MAX);
    b->values[b->n].is_text = false;
    b->values[b->n++].i = v;
    usage_put(b, before);
    put_number(b, b->n);
}

// Where what a query asks for stands: in a combination; in a facet, of which there is one at a time.
struct columns {
    const char *team, *project, *endpoint, *status, *provider, *task, *error, *model, *upstream_model, *tags, *key,
        *owner, *owner_kind;
};
static const struct columns k_of_dim = {.team = "d.team_id",
                                        .project = "d.project_id",
                                        .endpoint = "d.endpoint",
                                        .status = "d.status",
                                        .provider = "d.provider_id",
                                        .task = "d.task_id",
                                        .error = "d.error_id",
                                        .model = "d.model_id",
                                        .upstream_model = "d.upstream_model_id",
                                        .tags = "d.tags_id",
                                        .key = "d.key_id",
                                        .owner = "d.owner_id",
                                        .owner_kind = "d.owner_kind"},
                            k_of_facet = {.team = "r.value",
                                          .project = "r.value2",
                                          .endpoint = "r.value",
                                          .status = "r.value",
                                          .provider = "r.value",
                                          .task = "r.value",
                                          .error = "r.value2",
                                          .model = "r.value",
                                          .upstream_model = "r.value2",
                                          .tags = "r.value",
                                          .key = "r.value",
                                          .owner = "r.value",
                                          .owner_kind = "r.value2"};

void usage_put_id(struct usage_text *b, const char *before, uint64_t v) {
    if (v) usage_put_i64(b, before, (int64_t)MIN(v, (uint64_t)INT64_MAX));
}

static void put_text(struct usage_text *b, const char *before, struct str s, const char *after) {
    INVARIANT(b->n < USAGE_VALUES_MAX);
    b->values[b->n].is_text = true;
    b->values[b->n++].s = s;
    usage_put(b, before);
    put_number(b, b->n);
    usage_put(b, after);
}

void usage_begin(struct usage_text *b, const struct usage_sql *s) {
    *b = (struct usage_text){.s = s, .q = s->q, .text = BUF_INIT(TEXT_MAX)};
    // ?1, as sql_tenant has it.
    if (s->q->tenant_id) b->values[b->n++].i = (int64_t)s->q->tenant_id;
}

void usage_put_tenant(struct usage_text *b, const char *column) {
    if (!b->q->tenant_id) return;
    usage_put(b, " AND ");
    usage_put(b, column);
    usage_put(b, " = ?1");
}

// Numbers of ours, and too many of them to be bound.
static void put_places(struct usage_text *b, const struct columns *c) {
    const struct ledger_query *q = b->q;
    if (!q->in_places) return;
    if (!q->n_places) {
        usage_put(b, " AND 1 = 0");
        return;
    }
    usage_put(b, " AND (");
    usage_put(b, c->team);
    usage_put(b, ", ");
    usage_put(b, c->project);
    usage_put(b, ") IN (VALUES ");
    for (size_t i = 0; i < q->n_places; i++) {
        char team[24], project[24];
        buf_put(&b->text, i ? STR(", (") : STR("("));
        buf_put(&b->text, str_of(team, fmt_u64(team, MIN(q->places[i].team_id, (uint64_t)INT64_MAX))));
        buf_put(&b->text, STR(", "));
        buf_put(&b->text, str_of(project, fmt_u64(project, MIN(q->places[i].project_id, (uint64_t)INT64_MAX))));
        buf_putc(&b->text, ')');
    }
    usage_put(b, ")");
}

static void put_number_of(struct usage_text *b, const char *column, uint64_t v) {
    if (!v) return;
    usage_put(b, " AND ");
    usage_put(b, column);
    usage_put_id(b, " = ", v);
}

static void put_name_of(struct usage_text *b, const char *before, const char *column, struct str name) {
    if (!name.n) return;
    usage_put(b, before);
    usage_put(b, column);
    put_text(b, " = (SELECT id FROM name WHERE text = ", name, ")");
}

// Which facet each condition is of; of all of them: USAGE_FACET_NONE.
static bool is_of(enum usage_facet asked, enum usage_facet facet) { return !asked || asked == facet; }

void usage_put_facet(struct usage_text *b, enum usage_facet facet, bool of_dim) {
    const struct ledger_query *q = b->q;
    const struct columns *c = of_dim ? &k_of_dim : &k_of_facet;
    if (is_of(facet, USAGE_FACET_PLACE)) {
        put_number_of(b, c->team, q->team_id);
        put_number_of(b, c->project, q->project_id);
        put_places(b, c);
    }
    if (is_of(facet, USAGE_FACET_OUTCOME)) {
        put_number_of(b, c->status, q->status);
        put_name_of(b, " AND ", c->error, q->error);
    }
    if (is_of(facet, USAGE_FACET_PROVIDER)) put_name_of(b, " AND ", c->provider, q->provider);
    if (is_of(facet, USAGE_FACET_TASK)) put_name_of(b, " AND ", c->task, q->task);
    if (is_of(facet, USAGE_FACET_MODEL) && q->model.n) {
        put_name_of(b, " AND (", c->model, q->model);
        put_name_of(b, " OR ", c->upstream_model, q->model);
        usage_put(b, ")");
    }
    if (is_of(facet, USAGE_FACET_ENDPOINT) && q->endpoint) {
        usage_put(b, " AND ");
        usage_put(b, c->endpoint);
        usage_put_i64(b, " = ", (int64_t)q->endpoint - 1);
    }
    if (is_of(facet, USAGE_FACET_KEY)) put_number_of(b, c->key, q->key_id);
    if (is_of(facet, USAGE_FACET_OWNER) && q->owner_id) {
        put_number_of(b, c->owner, q->owner_id);
        usage_put(b, " AND ");
        usage_put(b, c->owner_kind);
        usage_put_i64(b, " = ", q->owner_kind);
    }
    if (is_of(facet, USAGE_FACET_TAGS) && q->tag.n) {
        usage_put(b, " AND ");
        usage_put(b, c->tags);
        // LIKE would not tell small letters from capitals in SQLite.
        put_text(b,
                 sql_is_postgres(b->s->db) ? " IN (SELECT id FROM name WHERE strpos(text, "
                                           : " IN (SELECT id FROM name WHERE instr(text, ",
                 str_of(b->s->tag, b->s->tag_n), ") > 0)");
    }
}

bool usage_end_scan(struct usage_text *b, unsigned columns, struct sql_stmt **out_stmt, struct err *err) {
    struct sql *db = b->s->db;
    struct sql_scope scope = b->q->tenant_id ? sql_tenant(db, (int64_t)b->q->tenant_id) : sql_platform(db);
    struct str text = buf_str(&b->text);
    bool ok = b->text.failed ? err_no_memory(err)
              : columns      ? sql_prepare_scan(scope, text, columns, out_stmt, err)
                             : sql_prepare(scope, text, out_stmt, err);
    buf_free(&b->text);
    for (int i = 0; ok && i < b->n; i++) {
        if (b->values[i].is_text)
            sql_bind_text(*out_stmt, i + 1, b->values[i].s);
        else
            sql_bind_i64(*out_stmt, i + 1, b->values[i].i);
    }
    return ok;
}

bool usage_end(struct usage_text *b, struct sql_stmt **out_stmt, struct err *err) {
    return usage_end_scan(b, 0, out_stmt, err);
}
