// Tests of store/audit_query.h: every filter and their combinations against a plain look at all events; pages; words.
#include "audit_fixture.h"

#include "store/audit_query.h"

#define N 900
static struct {
    struct audit_event e;
    char actor[32], name[48], action[32], resource[32], address[48], request[32];
} g_events[N];

static const char *const k_actions[] = {"key.create", "key.delete", "key_ring.read", "session.sign_in",
                                        "config.change"};

static void events_make(void) {
    unsigned x = 7;
    for (int i = 0; i < N; i++) {
        struct audit_event *e = &g_events[i].e;
        x = x * 1103515245 + 12345;
        unsigned r = x >> 8;
        snprintf(g_events[i].actor, 32, "user_%u", r % 5);
        snprintf(g_events[i].name, 48, "person%u@example.com", r % 5);
        snprintf(g_events[i].action, 32, "%s", k_actions[(r >> 3) % 5]);
        snprintf(g_events[i].resource, 32, "res_%u", (r >> 5) % 40);
        if (r % 7)
            snprintf(g_events[i].address, 48, "10.0.%u.%u", (r >> 6) % 3, (r >> 9) % 100);
        else
            snprintf(g_events[i].address, 48, "2001:db8::%x", (r >> 9) % 4);
        snprintf(g_events[i].request, 32, "req_%d", i);
        *e = (struct audit_event){.at = 1000000000LL * (1000 + i - (i % 10 == 3 ? 20 : 0)), // the clock jumps back
                                  .actor_kind = STR("user"),
                                  .actor_id = str_c(g_events[i].actor),
                                  .actor_name = str_c(g_events[i].name),
                                  .action = str_c(g_events[i].action),
                                  .resource_type = (r >> 3) % 5 < 2 ? STR("key") : STR("other"),
                                  .resource_id = str_c(g_events[i].resource),
                                  .outcome = (enum audit_outcome)((r >> 7) % 3),
                                  .reason = i % 11 == 0 ? STR("Gr\xc3\xbc\xc3\x9f Quota exceeded") : STR("fine"),
                                  .address = str_c(g_events[i].address),
                                  .request_id = str_c(g_events[i].request)};
        REQUIRE(audit_append(sql_tenant(db, 1), signer, e, &err));
        struct audit_event other = *e;
        if (i % 9 == 0) REQUIRE(audit_append(sql_tenant(db, 2), signer, &other, &err));
    }
}

static bool word_in(struct str text, const char *word) {
    size_t n = strlen(word);
    for (size_t i = 0; i + n <= text.n; i++)
        if (strncasecmp(text.p + i, word, n) == 0) return true;
    return false;
}

static bool in_range(struct str address, struct str range) {
    if (!range.n) return true;
    if (str_eq(range, STR("10.0.1.0/24"))) return str_starts(address, STR("10.0.1."));
    if (str_eq(range, STR("10.0.0.0/8"))) return str_starts(address, STR("10."));
    if (str_eq(range, STR("2001:db8::/32"))) return str_starts(address, STR("2001:"));
    return str_eq(address, range);
}

static bool meant(const struct audit_query *q, const struct audit_event *e) {
    if (q->since && e->at < q->since) return false;
    if (q->until && e->at >= q->until) return false;
    if (q->actor.n && !str_eq(q->actor, e->actor_id) && !str_eq(q->actor, e->actor_name)) return false;
    if (q->action.n && str_ends(q->action, STR("*"))) {
        if (!str_starts(e->action, str_head(q->action, q->action.n - 1))) return false;
    } else if (q->action.n && !str_eq(q->action, e->action)) {
        return false;
    }
    if (q->resource_type.n && !str_eq(q->resource_type, e->resource_type)) return false;
    if (q->resource.n && !str_eq(q->resource, e->resource_id)) return false;
    if (q->outcome.n && !str_eq(q->outcome, audit_outcome_name(e->outcome))) return false;
    if (q->request_id.n && !str_eq(q->request_id, e->request_id)) return false;
    if (q->search.n && !word_in(e->reason, "quota")) return false;
    return in_range(e->address, q->address);
}

struct seen {
    bool by_words;
    unsigned char hit[N + 200];
    size_t n;
    int64_t last_at, last_id;
    bool ordered;
};

static bool on_event(void *arg, const struct audit_record *r, struct err *e UNUSED) {
    struct seen *s = arg;
    CHECK_INT(r->tenant, 1);
    if (str_eq(r->event.action, STR("audit.begin"))) return true;
    s->hit[r->event.seq]++;
    s->ordered = s->ordered && (r->event.at <= s->last_at || r->id < s->last_id);
    s->last_at = r->event.at;
    s->last_id = r->id;
    s->n++;
    return true;
}

// All pages give all that is meant, once.
static void all_pages(struct audit_query q) {
    struct seen s = {.last_at = INT64_MAX, .last_id = INT64_MAX, .ordered = true};
    struct buf cursor = BUF_INIT(200);
    char text[200];
    size_t want = 0, pages = 0;
    do {
        size_t before = s.n;
        bool ok = audit_search(sql_tenant(db, 1), &q, on_event, &s, &cursor, &err);
        if (!ok) fprintf(stderr, "%s\n", err.message);
        REQUIRE(ok);
        CHECK(s.n - before <= q.limit);
        snprintf(text, sizeof text, "%.*s", STR_ARG(buf_str(&cursor)));
        q.cursor = str_c(text);
        pages++;
    } while (cursor.n && pages < 2000);
    bool same = true;
    for (int i = 0; i < N; i++) {
        bool is = meant(&q, &g_events[i].e);
        want += is;
        same = same && s.hit[g_events[i].e.seq] == is;
    }
    CHECK(same && s.ordered);
    CHECK_INT(s.n, want);
    if (!same || s.n != want)
        fprintf(stderr, "actor %.*s action %.*s type %.*s resource %.*s outcome %.*s address %.*s search %.*s\n",
                STR_ARG(q.actor), STR_ARG(q.action), STR_ARG(q.resource_type), STR_ARG(q.resource), STR_ARG(q.outcome),
                STR_ARG(q.address), STR_ARG(q.search));
    buf_free(&cursor);
}

static void test_filters(void) {
    static const char *const actors[] = {"", "user_3", "person2@example.com", "nobody"},
                             *const actions[] = {"", "key.create", "key.*", "key*", "*", "none.*"},
                             *const addresses[] = {"", "10.0.1.5", "10.0.1.0/24", "10.0.0.0/8", "2001:db8::/32"},
                             *const outcomes[] = {"", "denied"}, *const types[] = {"", "key"},
                             *const resources[] = {"", "res_7"}, *const searches[] = {"", "quota EXCEEDED", "quot*"};
    trail_open("filters");
    REQUIRE(sql_begin(db, &err));
    events_make();
    REQUIRE(sql_commit(db, &err));
    unsigned n = 0;
    for (size_t i = 0; i < 4 * 6 * 5 * 2 * 2 * 2 * 3; i++) {
        size_t k = i;
        struct audit_query q = {.limit = 17};
        q.actor = str_c(actors[k % 4]), k /= 4;
        q.action = str_c(actions[k % 6]), k /= 6;
        q.address = str_c(addresses[k % 5]), k /= 5;
        q.outcome = str_c(outcomes[k % 2]), k /= 2;
        q.resource_type = str_c(types[k % 2]), k /= 2;
        q.resource = str_c(resources[k % 2]), k /= 2;
        q.search = str_c(searches[k % 3]);
        if (i % 3 == 1) q.since = 1000000000LL * 1200;
        if (i % 5 == 1) q.until = 1000000000LL * 1700;
        if (i % 4 == 0 || n++ % 3 == 0) all_pages(q);
    }
    all_pages((struct audit_query){.limit = 1000});
    all_pages((struct audit_query){.limit = 1});
    all_pages((struct audit_query){.limit = 5, .request_id = STR("req_77")});
    trail_close();
}

static void refused(struct audit_query q) {
    struct seen s = {0};
    BUF_AUTO struct buf cursor = BUF_INIT(200);
    CHECK(!audit_search(sql_tenant(db, 1), &q, on_event, &s, &cursor, &err));
    CHECK_INT(err.code, ERR_INVALID_FIELD);
}

static void test_refusals(void) {
    trail_open("refusals");
    trail_fill(1, 3, 3);
    refused((struct audit_query){.limit = 0});
    refused((struct audit_query){.limit = 1001});
    refused((struct audit_query){.limit = 10, .address = STR("10.0.0.0/40")});
    refused((struct audit_query){.limit = 10, .outcome = STR("good")});
    refused((struct audit_query){.limit = 10, .search = STR("\"'*&|")});
    static const char *const cursors[] = {"x", "t", "t1", "t1.", "t.1", "w1.1", "t1.1.1", "t99999999999999999999.1"};
    for (size_t i = 0; i < ARRAY_LEN(cursors); i++)
        refused((struct audit_query){.limit = 10, .cursor = str_c(cursors[i])});
    trail_close();
}

// What is in the notation of a search engine is only words.
static void test_words(void) {
    static const char *const searches[] = {"because",         "BECAUSE",     "because OR nothing",
                                           "words:because",   "\"because\"", "because NOT ada",
                                           "because)",        "b*cause",     "bec*",
                                           "(bec*",           "user_1",      "ada",
                                           "ada@example.com", "qtenant2",    "curl/8"};
    static const size_t wanted[] = {3, 3, 0, 0, 3, 0, 3, 0, 3, 3, 3, 3, 3, 0, 3};
    trail_open("words");
    trail_fill(1, 3, 3);
    for (size_t i = 0; i < ARRAY_LEN(searches); i++) {
        struct seen s = {.ordered = true};
        BUF_AUTO struct buf cursor = BUF_INIT(200);
        struct audit_query q = {.limit = 10, .search = str_c(searches[i])};
        CHECK(audit_search(sql_tenant(db, 1), &q, on_event, &s, &cursor, &err));
        CHECK_INT(s.n, wanted[i]);
        if (s.n != wanted[i]) fprintf(stderr, "%s: %s\n", searches[i], err.message);
    }
    trail_close();
}

TEST_MAIN(test_filters, test_refusals, test_words)
