// Appends events to their tenant's chain, signs its head and keeps checkpoints.
#include "store/audit.h"

#include "base/ip.h"
#include "base/json_read.h"
#include "base/text.h"
#include "base/utf8.h"
#include "os/clock.h"
#include "store/audit_key.h"
#include "store/audit_text.h"

static const struct str k_outcomes[] = {
    [AUDIT_OK] = STR_INIT("ok"), [AUDIT_DENIED] = STR_INIT("denied"), [AUDIT_FAILED] = STR_INIT("failed")};

struct str audit_outcome_name(enum audit_outcome outcome) {
    return k_outcomes[outcome];
}

bool audit_outcome_parse(struct str name, enum audit_outcome *out_outcome) {
    for (size_t i = 0; i < ARRAY_LEN(k_outcomes); i++) {
        if (!str_eq(name, k_outcomes[i])) continue;
        *out_outcome = (enum audit_outcome)i;
        return true;
    }
    return false;
}

struct str audit_address_key(struct str address, char out[AUDIT_ADDRESS_KEY_MAX]) {
    static const char digits[] = "0123456789abcdef";
    struct ip ip;
    if (!ip_parse(address, &ip)) return STR("");
    for (size_t i = 0; i < sizeof ip.p; i++) {
        out[2 * i] = digits[ip.p[i] >> 4];
        out[2 * i + 1] = digits[ip.p[i] & 15];
    }
    return str_of(out, 2 * sizeof ip.p);
}

// --- what may be stored ---

// Whole characters without NUL, which not every database takes, at most `max` bytes.
static bool text_clean(struct str *text, size_t max, struct arena *a, struct err *err) {
    if (text->n <= max && utf8_valid(*text) && (!text->n || !memchr(text->p, '\0', text->n))) return true;
    BUF_AUTO struct buf clean = BUF_INIT(4 * AUDIT_JSON_MAX);
    for (struct str rest = *text; rest.n && clean.n < max;) {
        uint32_t c;
        size_t n = utf8_decode(rest, &c);
        if (n && c)
            buf_put(&clean, str_head(rest, n));
        else
            buf_lit(&clean, "\xef\xbf\xbd");
        rest = str_from(rest, n ? n : 1);
    }
    *text = arena_str(a, utf8_head(buf_str(&clean), max));
    return clean.failed || (clean.n && !text->p) ? err_no_memory(err) : true;
}

// White space between its parts becomes spaces: an event is one line of an export.
static bool json_one_line(struct str *json, struct arena *a, struct err *err) {
    struct str text = str_trim(*json);
    size_t i = 0;
    while (i < text.n && (unsigned char)text.p[i] >= ' ') i++;
    if (i < text.n) {
        char *copy = arena_alloc(a, text.n);
        if (!copy) return err_no_memory(err);
        for (i = 0; i < text.n; i++) copy[i] = (unsigned char)text.p[i] < ' ' ? ' ' : text.p[i];
        text.p = copy;
    }
    *json = text;
    return true;
}

// A JSON object without raw bytes that a database refuses; anything else becomes one that says what it was.
static bool json_clean(struct str *json, struct arena *a, struct err *err) {
    struct err why;
    if (!json->n) return true;
    if (json->n <= AUDIT_JSON_MAX && json_validate(*json, 0, &why) && json_raw_kind(str_trim(*json)) == JSON_OBJECT) {
        return json_one_line(json, a, err);
    }
    *json =
        arena_printf(a, "{\"%s\":true,\"bytes\":%zu}", json->n > AUDIT_JSON_MAX ? "truncated" : "unreadable", json->n);
    return json->n ? true : err_no_memory(err);
}

static bool event_clean(struct audit_event *e, struct arena *a, struct err *err) {
    struct str *texts[] = {&e->actor_kind, &e->actor_id,      &e->actor_name,  &e->on_behalf,
                           &e->action,     &e->resource_type, &e->resource_id, &e->resource_name,
                           &e->reason,     &e->address,       &e->agent,       &e->request_id};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        if (!text_clean(texts[i], AUDIT_TEXT_MAX, a, err)) return false;
    return json_clean(&e->before, a, err) && json_clean(&e->after, a, err);
}

// --- the chain ---

struct link {
    struct audit_head head;
    struct audit_hash previous;
    int64_t checkpoint_seq, checkpoint_at;
};

static bool head_make(struct sql_scope scope, struct err *err) {
    struct sql_stmt *st;
    static const char nothing[AUDIT_HASH_SIZE];
    if (!sql_prepare(scope,
                     STR("INSERT INTO audit_head (tenant_id, seq, at, hash, key_id, signature, checkpoint_seq,"
                         " checkpoint_at) VALUES (?1, 0, 0, ?2, 0, ?3, 0, 0) ON CONFLICT (tenant_id) DO NOTHING"),
                     &st, err))
        return false;
    sql_bind_blob(st, 2, str_of(nothing, sizeof nothing));
    sql_bind_blob(st, 3, STR(""));
    return sql_run(st, err);
}

// Gives out the next number. From here to the end of the transaction the chain is this writer's alone: the update holds
// the row (PostgreSQL) or the transaction the database (SQLite), so no two events get one place.
static bool head_take(struct sql_scope scope, struct link *link, bool *out_has, struct err *err) {
    struct sql_stmt *st;
    if (!sql_prepare(scope,
                     STR("UPDATE audit_head SET seq = seq + 1 WHERE tenant_id = ?1"
                         " RETURNING seq, hash, checkpoint_seq, checkpoint_at"),
                     &st, err) ||
        !sql_step(st, out_has, err))
        return false;
    if (!*out_has) return true;
    struct str hash = sql_col_blob(st, 1);
    link->head.seq = sql_col_i64(st, 0);
    link->checkpoint_seq = sql_col_i64(st, 2);
    link->checkpoint_at = sql_col_i64(st, 3);
    bool ok = hash.n == AUDIT_HASH_SIZE && link->head.seq > 0;
    if (ok) memcpy(link->previous.p, hash.p, sizeof link->previous.p);
    if (!ok) sql_reset(st);
    return ok ? sql_run(st, err) : err_set(err, ERR_STORE, "the head of the audit trail is damaged");
}

static bool event_insert(struct sql_scope scope, const struct audit_event *e, const struct audit_hash *hash,
                         int64_t *out_id, struct err *err) {
    struct sql_stmt *st;
    char key[AUDIT_ADDRESS_KEY_MAX];
    bool row;
    if (!sql_prepare(scope,
                     STR("INSERT INTO audit_event (tenant_id, seq, at, outcome, hash, address_key, actor_kind,"
                         " actor_id, actor_name, on_behalf, action, resource_type, resource_id, resource_name, reason,"
                         " address, agent, request_id, before_json, after_json) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7,"
                         " ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20) RETURNING id"),
                     &st, err))
        return false;
    int at = 0;
    sql_bind_i64(st, 2, e->seq);
    sql_bind_i64(st, 3, e->at);
    sql_bind_i64(st, 4, (int64_t)e->outcome);
    sql_bind_blob(st, 5, str_of((const char *)hash->p, sizeof hash->p));
    sql_bind_text(st, 6, audit_address_key(e->address, key));
#define BIND(field) sql_bind_text(st, 7 + at++, e->field);
    AUDIT_TEXTS(BIND)
#undef BIND
    if (!sql_step(st, &row, err)) return false;
    if (!row) return err_set(err, ERR_STORE, "the audit trail took no event");
    *out_id = sql_col_i64(st, 0);
    return sql_run(st, err);
}

static bool checkpoint_insert(struct sql_scope scope, const struct audit_head *head, struct err *err) {
    struct sql_stmt *st;
    if (!sql_prepare(scope,
                     STR("INSERT INTO audit_checkpoint (tenant_id, seq, at, hash, key_id, signature)"
                         " VALUES (?1, ?2, ?3, ?4, ?5, ?6)"),
                     &st, err))
        return false;
    sql_bind_i64(st, 2, head->seq);
    sql_bind_i64(st, 3, head->at);
    sql_bind_blob(st, 4, str_of((const char *)head->hash.p, sizeof head->hash.p));
    sql_bind_i64(st, 5, head->key_id);
    sql_bind_blob(st, 6, str_of((const char *)head->signature, sizeof head->signature));
    return sql_run(st, err);
}

static bool head_put(struct sql_scope scope, const struct link *link, struct err *err) {
    struct sql_stmt *st;
    if (!sql_prepare(scope,
                     STR("UPDATE audit_head SET at = ?2, hash = ?3, key_id = ?4, signature = ?5, checkpoint_seq = ?6,"
                         " checkpoint_at = ?7 WHERE tenant_id = ?1"),
                     &st, err))
        return false;
    sql_bind_i64(st, 2, link->head.at);
    sql_bind_blob(st, 3, str_of((const char *)link->head.hash.p, sizeof link->head.hash.p));
    sql_bind_i64(st, 4, link->head.key_id);
    sql_bind_blob(st, 5, str_of((const char *)link->head.signature, sizeof link->head.signature));
    sql_bind_i64(st, 6, link->checkpoint_seq);
    sql_bind_i64(st, 7, link->checkpoint_at);
    return sql_run(st, err);
}

static bool checkpoint_due(const struct link *link) {
    return link->head.seq == 1 || link->head.seq % AUDIT_CHECKPOINT_EVENTS == 0 ||
           link->head.at - link->checkpoint_at >= AUDIT_CHECKPOINT_NS;
}

static bool append_clean(struct sql_scope scope, const struct audit_signer *signer, struct audit_event *e,
                         struct err *err);

// That a tenant's chain begins is an event of the default tenant's chain, so that it cannot vanish as a whole unseen.
static bool begin_told(struct sql_scope scope, const struct audit_signer *signer, int64_t at, struct err *err) {
    char id[24];
    if (scope.tenant == AUDIT_TENANT_DEFAULT) return true;
    snprintf(id, sizeof id, "%lld", (long long)scope.tenant);
    struct audit_event begin = {.at = at,
                                .actor_kind = STR("system"),
                                .action = STR("audit.begin"),
                                .resource_type = STR("tenant"),
                                .resource_id = str_c(id)};
    return append_clean(sql_tenant(scope.db, AUDIT_TENANT_DEFAULT), signer, &begin, err);
}

static bool tenant_gone(struct sql *db, int64_t tenant, bool *out_gone, struct err *err) {
    struct sql_stmt *st;
    if (!sql_prepare(sql_platform(db), STR("SELECT 1 FROM tenant_deletion WHERE tenant = ?1 AND finished_at <> 0"), &st,
                     err))
        return false;
    sql_bind_i64(st, 1, tenant);
    if (!sql_step(st, out_gone, err)) return false;
    sql_reset(st);
    return true;
}

static bool append_clean(struct sql_scope scope, const struct audit_signer *signer, struct audit_event *e,
                         struct err *err) {
    struct link link = {.head.tenant = scope.tenant};
    bool has;
    int64_t id = 0;
    if (!head_take(scope, &link, &has, err)) return false;
    if (!has && scope.tenant != AUDIT_TENANT_DEFAULT) {
        bool gone;
        if (!tenant_gone(scope.db, scope.tenant, &gone, err)) return false;
        // Its chain ended with it: what still comes is of no one tenant.
        if (gone) return append_clean(sql_tenant(scope.db, AUDIT_TENANT_DEFAULT), signer, e, err);
    }
    if (!has && (!head_make(scope, err) || !head_take(scope, &link, &has, err))) return false;
    if (!has) return err_set(err, ERR_STORE, "the head of the audit trail is gone");
    if (link.head.seq == 1 && !begin_told(scope, signer, e->at, err)) return false;
    e->seq = link.head.seq;
    if (!e->at) e->at = clock_unix_ns();
    link.head.at = e->at;
    audit_hash_event(scope.tenant, &link.previous, e, &link.head.hash);
    if (!audit_signer_sign(signer, scope.db, &link.head, err) || !event_insert(scope, e, &link.head.hash, &id, err) ||
        !audit_text_add(scope.db, scope.tenant, id, e, err))
        return false;
    if (checkpoint_due(&link)) {
        link.checkpoint_seq = link.head.seq;
        link.checkpoint_at = link.head.at;
        if (!checkpoint_insert(scope, &link.head, err)) return false;
    }
    return head_put(scope, &link, err);
}

bool audit_append(struct sql_scope scope, const struct audit_signer *signer, struct audit_event *event,
                  struct err *err) {
    struct audit_event clean = *event;
    struct arena arena;
    if (scope.tenant == SQL_PLATFORM) scope = sql_tenant(scope.db, AUDIT_TENANT_DEFAULT);
    INVARIANT(event->outcome >= 0 && event->outcome < AUDIT_OUTCOME_COUNT);
    arena_init(&arena, NULL, 0, 4 * AUDIT_JSON_MAX);
    bool ok =
        sql_durable(scope.db, err) && event_clean(&clean, &arena, err) && append_clean(scope, signer, &clean, err);
    arena_free(&arena);
    if (!ok) return err_wrap(err, "audit trail");
    event->seq = clean.seq;
    event->at = clean.at;
    return true;
}

bool audit_append_alone(struct sql_scope scope, const struct audit_signer *signer, struct audit_event *event,
                        struct err *err) {
    if (!sql_begin(scope.db, err)) return false;
    if (audit_append(scope, signer, event, err)) return sql_commit(scope.db, err);
    sql_rollback(scope.db);
    return false;
}

bool audit_append_or_lose(struct sql_scope scope, const struct audit_signer *signer, struct audit_event *event,
                          bool *out_lost, struct err *out_why, struct err *err) {
    if (!sql_exec(scope.db, STR("SAVEPOINT audit_append"), err)) return false;
    *out_lost = !audit_append(scope, signer, event, out_why);
    return (!*out_lost || sql_exec(scope.db, STR("ROLLBACK TO audit_append"), err)) &&
           sql_exec(scope.db, STR("RELEASE audit_append"), err);
}
