// Reports over usage against a plain look at every record: any filter, any range, any group.
#include "ledger_fixture.h"

#include "store/ledger_read.h"
#include "store/usage_range.h"

#define HOUR 3600000000000LL
#define RECORDS 3000
#define QUERIES (test_server() ? 10 : 40)

static uint64_t state = 88172645463325252ULL;
static uint64_t roll(uint64_t n) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state % n;
}

static const struct str models[] = {STR_INIT("small"), STR_INIT("large"), STR_INIT("huge")};
static const struct str providers[] = {STR_INIT("one"), STR_INIT("two")};
static const struct str tags[] = {STR_INIT(""), STR_INIT("{\"env\":\"prod\"}"),
                                  STR_INIT("{\"env\":\"test\",\"app\":\"a_b\"}"),
                                  STR_INIT("{\"env\":\"PROD\",\"app\":\"axb\"}")};

static const struct str tasks[] = {STR_INIT(""), STR_INIT("code"), STR_INIT("summarise")};

static struct usage_record all[RECORDS];

// Many in three days, the others over four months.
static int64_t random_hour(void) { return 490000 + (int64_t)(roll(2) ? roll(70) : roll(120 * 24)); }

static struct usage_record random_record(uint64_t id) {
    bool failed = roll(9) == 0;
    struct usage_record rec = {.id = id,
                               .tenant_id = 1 + roll(3),
                               .key_id = roll(4),
                               .team_id = roll(3),
                               .project_id = roll(3),
                               .owner_kind = (uint8_t)(2 + roll(2)),
                               .owner_id = roll(3),
                               .ts = random_hour() * HOUR + (int64_t)roll(3600) * 1000000000,
                               .provider = providers[roll(2)],
                               .model = models[roll(3)],
                               .upstream_model = models[roll(3)],
                               .error = failed && roll(2) ? STR("upstream_timeout") : STR_NONE,
                               .tags = tags[roll(ARRAY_LEN(tags))],
                               .endpoint = (uint16_t)(1 + roll(2)),
                               .status = failed ? 500 : 200,
                               .flags = roll(5) ? 0 : USAGE_PRICE_UNKNOWN,
                               .tokens_in = roll(1000),
                               .tokens_cached = roll(10),
                               .tokens_out = roll(500),
                               .cost_nano = (int64_t)roll(100000),
                               .latency_us = 1 + roll(5000),
                               .ttft_us = roll(2) ? roll(300) : 0,
                               .attempts = 1 + roll(3),
                               .task = tasks[roll(3)]};
    if (roll(2)) {
        rec.flags |= USAGE_COMPARED;
        rec.reference_nano = (int64_t)roll(150000);
    }
    if (rec.tenant_id != 1) return rec;
    // Of this one what it uses tells what else it does, so that some conditions leave out nothing.
    rec.provider = providers[str_eq(rec.model, models[0])];
    rec.upstream_model = rec.model;
    rec.endpoint = 1;
    rec.task = tasks[1];
    rec.error = failed ? STR("upstream_timeout") : STR_NONE;
    rec.team_id = rec.key_id ? 1 : 0;
    return rec;
}

static struct ledger_query random_query(const struct fixture *f) {
    struct ledger_query q = {.data_dir = str_c(f->dir), .database = str_c(f->db)};
    int64_t from = random_hour() * HOUR + (int64_t)(roll(2) * roll(3600)) * 1000000000;
    if (roll(2)) q.since = from;
    if (roll(2))
        q.until =
            from + (int64_t)(1 + roll(roll(2) ? 60 : 100 * 24)) * HOUR + (int64_t)(roll(2) * roll(3600)) * 1000000000;
    if (!roll(3)) q.tenant_id = 1 + roll(3);
    if (!roll(6)) q.key_id = 1 + roll(3);
    if (!roll(6)) q.team_id = 1 + roll(2);
    if (!roll(6)) q.project_id = 1 + roll(2);
    if (!roll(6)) q.owner_id = 1 + roll(2), q.owner_kind = (uint8_t)(2 + roll(2));
    if (!roll(6)) q.model = models[roll(3)];
    if (!roll(6)) q.provider = providers[roll(2)];
    if (!roll(9)) q.error = STR("upstream_timeout");
    if (!roll(9)) q.tag = roll(2) ? STR("env=prod") : STR("app=a_b");
    if (!roll(6)) q.task = tasks[1 + roll(2)];
    if (!roll(9)) q.endpoint = 2;
    if (!roll(9)) q.status = 500;
    if (!roll(9)) q.errors = true;
    if (!roll(9)) q.min_cost_nano = 50000;
    if (!roll(9)) q.min_latency_us = 2500;
    return q;
}

static const struct ledger_place places[] = {{1, 1}, {2, 0}, {0, 2}};

// A series of one facet.
static struct ledger_query random_series(const struct fixture *f) {
    struct ledger_query q = random_query(f), one = {.data_dir = q.data_dir, .database = q.database};
    one.since = q.since;
    one.until = q.until;
    one.tenant_id = q.tenant_id;
    one.errors = roll(3) == 0;
    one.group = roll(2) ? LEDGER_GROUP_HOUR : LEDGER_GROUP_DAY;
    switch (roll(8)) {
    case 0:
        one.model = models[roll(3)];
        break;
    case 1:
        one.provider = providers[roll(2)];
        break;
    case 2:
        one.task = tasks[1 + roll(2)];
        break;
    case 3:
        one.tag = roll(2) ? STR("env=prod") : STR("app=a_b");
        break;
    case 4:
        one.team_id = roll(3), one.project_id = roll(3);
        break;
    case 5:
        one.status = roll(2) ? 500 : 200;
        if (roll(2)) one.error = STR("upstream_timeout");
        break;
    case 6:
        one.endpoint = 2 + (unsigned)roll(3);
        break;
    case 7:
        one.in_places = true, one.places = places, one.n_places = roll(4), one.team_id = roll(2);
        break;
    }
    return one;
}

// Of that tenant's and others', with few conditions, of which some follow from others.
static struct ledger_query random_plain(const struct fixture *f) {
    struct ledger_query q = random_query(f), one = {.data_dir = q.data_dir, .database = q.database};
    one.since = q.since;
    one.until = q.until;
    one.tenant_id = roll(2) ? 1 : q.tenant_id;
    one.group = (enum ledger_group)(1 + roll(LEDGER_GROUP_COUNT - 1));
    for (uint64_t i = 0, n = roll(4); i < n; i++) {
        uint64_t condition = roll(9);
        if (condition == 0) one.model = models[roll(3)];
        if (condition == 1) one.provider = providers[roll(2)];
        if (condition == 2) one.task = tasks[1];
        if (condition == 3) one.tag = STR("env=prod");
        if (condition == 4) one.endpoint = 2;
        if (condition == 5) one.status = roll(2) ? 500 : 200;
        if (condition == 6) one.error = STR("upstream_timeout");
        if (condition == 7) one.errors = true;
        if (condition == 8) one.team_id = 1;
    }
    return one;
}

static bool is_placed(const struct ledger_query *q, const struct usage_record *r) {
    bool found = !q->in_places;
    for (size_t i = 0; i < q->n_places; i++)
        found |= q->places[i].team_id == r->team_id && q->places[i].project_id == r->project_id;
    return found;
}

static bool has_tag(struct str json, struct str tag) {
    if (!tag.n) return true;
    if (str_eq(tag, STR("env=prod"))) return str_eq(json, tags[1]);
    return str_eq(json, tags[2]);
}

static bool means(const struct ledger_query *q, const struct usage_record *r) {
    bool error = r->status >= 400 || r->error.n;
    return is_placed(q, r) && r->ts >= q->since && (!q->until || r->ts < q->until) &&
           (!q->tenant_id || q->tenant_id == r->tenant_id) && (!q->key_id || q->key_id == r->key_id) &&
           (!q->team_id || q->team_id == r->team_id) && (!q->project_id || q->project_id == r->project_id) &&
           (!q->owner_id || (q->owner_id == r->owner_id && q->owner_kind == r->owner_kind)) &&
           (!q->model.n || str_eq(q->model, r->model) || str_eq(q->model, r->upstream_model)) &&
           (!q->provider.n || str_eq(q->provider, r->provider)) && (!q->error.n || str_eq(q->error, r->error)) &&
           has_tag(r->tags, q->tag) && (!q->task.n || str_eq(q->task, r->task)) &&
           (!q->endpoint || q->endpoint == r->endpoint + 1U) && (!q->status || q->status == r->status) &&
           (!q->errors || error) && r->cost_nano >= q->min_cost_nano && r->latency_us >= (uint64_t)q->min_latency_us;
}

struct seen {
    uint64_t rows, requests, errors, unpriced, in, out, attempts, id_sum;
    int64_t cost, reference, saved, last_ts;
    uint64_t last_id;
    bool unordered;
};

static bool see(void *arg, const struct ledger_row *row) {
    struct seen *s = arg;
    if (s->rows && (row->rec.ts > s->last_ts || (row->rec.ts == s->last_ts && row->rec.id > s->last_id)))
        s->unordered = true;
    s->last_ts = row->rec.ts;
    s->last_id = row->rec.id;
    s->rows++;
    s->requests += row->requests;
    s->errors += row->errors;
    s->unpriced += row->unpriced;
    s->in += row->rec.tokens_in;
    s->out += row->rec.tokens_out;
    s->cost += row->rec.cost_nano;
    s->attempts += row->rec.attempts;
    s->reference += row->rec.reference_nano;
    s->saved += row->saved_nano;
    s->id_sum += row->rec.id;
    return true;
}

static struct seen plainly(const struct ledger_query *q) {
    struct seen s = {0};
    for (size_t i = 0; i < RECORDS; i++) {
        const struct usage_record *r = &all[i];
        if (!means(q, r)) continue;
        s.requests++;
        s.errors += r->status >= 400 || r->error.n;
        s.unpriced += (r->flags & USAGE_PRICE_UNKNOWN) != 0;
        s.in += r->tokens_in;
        s.out += r->tokens_out;
        s.cost += r->cost_nano;
        s.attempts += r->attempts;
        s.reference += r->reference_nano;
        if (r->flags & USAGE_COMPARED) s.saved += r->reference_nano - r->cost_nano;
        s.id_sum += r->id;
    }
    return s;
}

// Whether a record is in the group that a row stands for.
static bool is_of(enum ledger_group by, const struct usage_record *row, const struct usage_record *r) {
    switch (by) {
    case LEDGER_GROUP_KEY:
        return row->key_id == r->key_id;
    case LEDGER_GROUP_TENANT:
        return row->tenant_id == r->tenant_id;
    case LEDGER_GROUP_TEAM:
        return row->team_id == r->team_id;
    case LEDGER_GROUP_PROJECT:
        return row->project_id == r->project_id;
    case LEDGER_GROUP_OWNER:
        return row->owner_id == r->owner_id && row->owner_kind == r->owner_kind;
    case LEDGER_GROUP_MODEL:
        return str_eq(row->model, r->model);
    case LEDGER_GROUP_UPSTREAM_MODEL:
        return str_eq(row->upstream_model, r->upstream_model);
    case LEDGER_GROUP_PROVIDER:
        return str_eq(row->provider, r->provider);
    case LEDGER_GROUP_ENDPOINT:
        return row->endpoint == r->endpoint;
    case LEDGER_GROUP_STATUS:
        return row->status == r->status;
    case LEDGER_GROUP_ERROR:
        return str_eq(row->error, r->error);
    case LEDGER_GROUP_TAGS:
        return str_eq(row->tags, r->tags);
    case LEDGER_GROUP_TASK:
        return str_eq(row->task, r->task);
    case LEDGER_GROUP_HOUR:
        return r->ts >= row->ts && r->ts < row->ts + HOUR;
    case LEDGER_GROUP_DAY:
        return r->ts >= row->ts && r->ts < row->ts + 24 * HOUR;
    case LEDGER_GROUP_MONTH:
        return r->ts >= row->ts && usage_unit_end(USAGE_UNIT_MONTH, row->ts) > r->ts;
    case LEDGER_GROUP_NONE:
    case LEDGER_GROUP_COUNT:
        break;
    }
    return false;
}

// Each group by itself.
static bool check_group(void *arg, const struct ledger_row *row) {
    const struct ledger_query *q = arg;
    uint64_t requests = 0, errors = 0, in = 0, latency = 0, ttft = 0, n_ttft = 0;
    int64_t cost = 0, saved = 0;
    for (size_t i = 0; i < RECORDS; i++) {
        const struct usage_record *r = &all[i];
        if (!means(q, r) || !is_of(q->group, &row->rec, r)) continue;
        requests++;
        errors += r->status >= 400 || r->error.n;
        in += r->tokens_in;
        cost += r->cost_nano;
        latency += r->latency_us;
        ttft += r->ttft_us;
        n_ttft += r->ttft_us > 0;
        if (r->flags & USAGE_COMPARED) saved += r->reference_nano - r->cost_nano;
    }
    CHECK_INT(row->requests, requests);
    CHECK_INT(row->errors, errors);
    CHECK_INT(row->rec.tokens_in, in);
    CHECK_INT(row->rec.cost_nano, cost);
    CHECK_INT(row->saved_nano, saved);
    CHECK_INT(row->rec.latency_us, requests ? latency / requests : 0);
    CHECK_INT(row->rec.ttft_us, n_ttft ? ttft / n_ttft : 0);
    return true;
}

static void check_sums(struct ledger_query q) {
    struct err err;
    struct seen want = plainly(&q), sums = {0};
    CHECK(ledger_read(&q, see, &sums, &err));
    CHECK_INT(sums.requests, want.requests);
    CHECK_INT(sums.errors, want.errors);
    CHECK_INT(sums.unpriced, want.unpriced);
    CHECK_INT(sums.in, want.in);
    CHECK_INT(sums.out, want.out);
    CHECK_INT(sums.cost, want.cost);
    CHECK_INT(sums.attempts, want.attempts);
    CHECK_INT(sums.reference, want.reference);
    CHECK_INT(sums.saved, want.saved);
    CHECK(ledger_read(&q, check_group, &q, &err));
}

static void check_one(struct ledger_query q) {
    struct err err;
    struct seen want = plainly(&q), list = {0};
    CHECK(ledger_read(&q, see, &list, &err));
    CHECK_INT(list.requests, want.requests);
    CHECK_INT(list.id_sum, want.id_sum);
    CHECK_INT(list.attempts, want.attempts);
    CHECK_INT(list.saved, want.saved);
    CHECK(!list.unordered);
    q.group = (enum ledger_group)(1 + roll(LEDGER_GROUP_COUNT - 1));
    check_sums(q);
}

// Page by page all are met, each once.
static void check_pages(struct ledger_query q) {
    struct err err;
    struct seen want = plainly(&q), pages = {0};
    q.limit = 1 + roll(40);
    for (int n = 0; n < RECORDS; n++) {
        struct seen page = {0};
        CHECK(ledger_read(&q, see, &page, &err));
        CHECK(!page.unordered);
        pages.rows += page.rows;
        pages.id_sum += page.id_sum;
        if (page.rows < q.limit) break;
        q.before_ts = page.last_ts;
        q.before_id = page.last_id;
    }
    CHECK_INT(pages.rows, want.requests);
    CHECK_INT(pages.id_sum, want.id_sum);
}

static void fill(struct ledger *l, size_t from, size_t to) {
    for (size_t i = from; i < to; i++) {
        all[i] = random_record(i + 1);
        CHECK(ledger_end(ledger_writer(l, i % 2), &all[i]) != LEDGER_LOST);
        if (i % 100 == 99) usleep(2000);
    }
}

static void test_any_query(void) {
    struct fixture f;
    struct err err;
    fixture_make(&f);
    struct ledger *l = fixture_open(&f);
    fill(l, 0, RECORDS - 100);
    WAIT_FOR(fixture_health(l).applied == RECORDS - 100);
    struct sql *db = fixture_db(&f);
    REQUIRE(sql_begin(db, &err)); // the rest stays in the segments
    fill(l, RECORDS - 100, RECORDS);
    WAIT_FOR(fixture_health(l).queued == 0);
    for (int i = 0; i < QUERIES; i++) check_one(random_query(&f));
    for (int i = 0; i < QUERIES; i++) check_sums(random_series(&f));
    for (int i = 0; i < 2 * QUERIES; i++) check_sums(random_plain(&f));
    for (int i = 0; i < 5; i++) check_pages(random_query(&f));
    sql_rollback(db);
    WAIT_FOR(fixture_health(l).applied == RECORDS);
    for (int i = 0; i < QUERIES; i++) check_one(random_query(&f));
    for (int i = 0; i < QUERIES; i++) check_sums(random_series(&f));
    for (int i = 0; i < 2 * QUERIES; i++) check_sums(random_plain(&f));
    sql_close(db);
    ledger_close(l, 20000);
}

// --- databases of before ---

#define BEFORE_FACETS 22 // the step of the schema after which sums of facets are made of those that are there

static struct sql_stmt *rows_of(struct sql *db, const char *table) {
    struct sql_stmt *st;
    struct err err;
    char text[200];
    // By all that keys are made of: the others have fewer columns.
    bool facets = strstr(table, "facet");
    snprintf(text, sizeof text, "SELECT * FROM %s ORDER BY 1, 2%s", table, facets ? ", 3, 4, 5, 6" : ", 3");
    if (str_eq(str_c(table), STR("name"))) snprintf(text, sizeof text, "SELECT * FROM name ORDER BY id");
    REQUIRE(sql_prepare(sql_platform(db), str_c(text), &st, &err));
    return st;
}

static void copy(struct sql *from, struct sql *to, const char *table, int columns) {
    struct sql_stmt *get = rows_of(from, table), *put;
    struct err err;
    char text[300];
    int n = snprintf(text, sizeof text, "INSERT INTO %s VALUES (?1", table);
    for (int c = 2; c <= columns; c++) n += snprintf(text + n, sizeof text - (size_t)n, ", ?%d", c);
    snprintf(text + n, sizeof text - (size_t)n, ")");
    REQUIRE(sql_prepare(sql_platform(to), str_c(text), &put, &err));
    for (bool row;;) {
        REQUIRE(sql_step(get, &row, &err));
        if (!row) return;
        for (int c = 0; c < columns; c++) sql_bind_i64(put, c + 1, sql_col_i64(get, c));
        if (columns == 2) sql_bind_text(put, 2, sql_col_text(get, 1));
        REQUIRE(sql_run(put, &err));
    }
}

// Returns how many rows there are.
static int64_t check_same(struct sql *a, struct sql *b, const char *table, int columns) {
    struct sql_stmt *left = rows_of(a, table), *right = rows_of(b, table);
    struct err err;
    for (int64_t n = 0;; n++) {
        bool more, other;
        REQUIRE(sql_step(left, &more, &err) && sql_step(right, &other, &err));
        CHECK_INT(more, other);
        if (more && !other) sql_reset(left);
        if (other && !more) sql_reset(right);
        if (!more || !other) return n;
        for (int c = 0; c < columns; c++) CHECK_INT(sql_col_i64(left, c), sql_col_i64(right, c));
    }
}

// The same records, in a database that the ledger has kept in today's shape from the beginning, and in one of before
// that was brought there.
static void test_database_of_before(void) {
    static const struct {
        const char *name;
        int columns;
    } before[] = {{"name", 2},        {"usage_dim", 15}, {"usage", 17},
                  {"usage_hour", 17}, {"usage_day", 17}, {"usage_month", 17}},
      made[] = {{"usage_month", 17},
                {"usage_dekad", 17},
                {"usage_six_hours", 17},
                {"usage_facet_hour", 20},
                {"usage_facet_day", 20}};
    struct fixture f, old;
    struct err err;
    fixture_make(&f);
    struct ledger *l = fixture_open(&f);
    fill(l, 0, RECORDS);
    WAIT_FOR(fixture_health(l).applied == RECORDS);
    ledger_close(l, 20000);
    fixture_make_at(&old, BEFORE_FACETS);
    struct sql *kept = fixture_db(&f), *brought = fixture_db(&old);
    REQUIRE(sql_begin(brought, &err));
    for (size_t i = 0; i < ARRAY_LEN(before); i++) copy(kept, brought, before[i].name, before[i].columns);
    REQUIRE(sql_commit(brought, &err));
    CHECK(migrate_to(brought, MIGRATE_STEPS, &err));
    for (size_t i = 0; i < ARRAY_LEN(made); i++)
        CHECK(check_same(kept, brought, made[i].name, made[i].columns) > RECORDS / 10);
    sql_close(kept);
    sql_close(brought);
    for (int i = 0; i < QUERIES; i++) check_sums(random_plain(&old));
}

TEST_MAIN(test_any_query, test_database_of_before)
