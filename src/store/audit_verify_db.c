// Verifies the chains of a database: events and checkpoints are read side by side, nothing is gathered.
#include "store/audit_key.h"
#include "store/audit_verify.h"
#include "store/entity.h"
#include "store/tenant_proof.h"

#define PAGE 1000
#define PAGE_TEXT "1000"

struct run {
    struct sql *db;
    const struct audit_verify_options *o;
    struct audit_keyset keys;
    struct audit_verdict verdict;
    struct audit_verifier v;
    struct sql_stmt *checkpoints; // of the chain being verified; NULL at their end
    int64_t checkpoint_seq;       // of the row it stands at
};

static bool take_key(void *arg, const struct audit_public *key, struct err *err) {
    struct run *r = arg;
    return audit_keyset_add(&r->keys, key, err);
}

static bool keys_read(struct run *r, struct err *err) {
    struct audit_public own;
    const unsigned char *trusted = r->o->key;
    if (!trusted) {
        if (!audit_key_own(r->db, r->o->dir, &own, err)) return false;
        trusted = own.p;
    }
    if (!audit_key_each(r->db, take_key, r, err)) return false;
    memcpy(r->verdict.key, trusted, AUDIT_KEY_SIZE);
    return audit_keyset_trust(&r->keys, trusted) ||
           err_set(err, ERR_NOT_FOUND,
                   "this trail was never signed by that key: it is another server's, or its keys were exchanged; "
                   "`penstock audit key` shows them");
}

// --- checkpoints, one ahead ---

static bool checkpoint_step(struct run *r, struct err *err) {
    bool row;
    if (!sql_step(r->checkpoints, &row, err)) return false;
    if (row)
        r->checkpoint_seq = sql_col_i64(r->checkpoints, 1);
    else
        r->checkpoints = NULL;
    return true;
}

static bool checkpoints_begin(struct run *r, int64_t tenant, int64_t first, struct err *err) {
    if (!sql_prepare(sql_tenant(r->db, tenant),
                     STR("SELECT " AUDIT_HEAD_COLUMNS " FROM audit_checkpoint WHERE tenant_id = ?1 AND seq >= ?2"
                         " ORDER BY seq"),
                     &r->checkpoints, err))
        return false;
    sql_bind_i64(r->checkpoints, 2, first > 1 ? first : INT64_MIN);
    return checkpoint_step(r, err);
}

// Those up to and with the event `seq`. *out_sound: the chain may go on.
static bool checkpoints_until(struct run *r, int64_t seq, bool *out_sound, struct err *err) {
    *out_sound = true;
    while (r->checkpoints && r->checkpoint_seq <= seq) {
        struct audit_head head;
        *out_sound = audit_head_row(r->checkpoints, &head)
                         ? audit_verifier_checkpoint(&r->v, &head)
                         : audit_verifier_fail(&r->v, r->checkpoint_seq, "the checkpoint at event %lld is damaged",
                                               (long long)r->checkpoint_seq);
        if (!*out_sound) return true;
        if (!checkpoint_step(r, err)) return false;
    }
    return true;
}

// --- events ---

// The default tenant's chain, which is being proven, says so; and the proof it tells of is the one that is kept.
static bool was_deleted(struct sql *db, int64_t tenant) {
    char id[ENTITY_ID_TEXT_MAX];
    struct sql_stmt *st;
    struct err ignored;
    bool row, proven = false;
    if (!sql_prepare(sql_platform(db),
                     STR("SELECT e.after_json, d.proof FROM audit_event e, tenant_deletion d WHERE e.tenant_id = 1"
                         " AND e.action = '" TENANT_DELETED_EVENT "' AND e.outcome = 0 AND e.resource_id = ?1"
                         " AND d.tenant = ?2 AND d.finished_at <> 0"),
                     &st, &ignored))
        return false;
    sql_bind_text(st, 1, entity_id_text(&entity_tenant, tenant, id));
    sql_bind_i64(st, 2, tenant);
    while (!proven && sql_step(st, &row, &ignored) && row)
        proven = tenant_proof_told(sql_col_text(st, 0), sql_col_text(st, 1));
    sql_reset(st);
    return proven;
}

// A chain that began is told of in the default tenant's chain: it cannot be gone as a whole.
static bool begun_is_there(struct run *r, const struct audit_event *event) {
    struct audit_head head;
    int64_t checkpoint, tenant;
    bool has;
    if (!str_eq(event->action, STR("audit.begin")) || !str_to_i64(event->resource_id, &tenant) || tenant < 1)
        return true;
    struct err why;
    if (!audit_head_read(sql_tenant(r->db, tenant), &head, &checkpoint, &has, &why)) return true; // told in its turn
    if (!has && !was_deleted(r->db, tenant))
        return audit_verifier_fail(&r->v, event->seq, "the chain of tenant %lld, which event %lld says began, is gone",
                                   (long long)tenant, (long long)event->seq);
    return true;
}

static bool row_verify(struct run *r, struct sql_stmt *st, bool *out_sound, struct err *err) {
    struct audit_record record;
    struct err why;
    char key[AUDIT_ADDRESS_KEY_MAX];
    int64_t seq = sql_col_i64(st, 2);
    if (!checkpoints_until(r, seq - 1, out_sound, err)) return false;
    if (!*out_sound) return true;
    if (!audit_record_read(st, &record, &why)) {
        *out_sound = audit_verifier_fail(&r->v, seq, "%s", why.message);
        return true;
    }
    *out_sound = audit_verifier_event(&r->v, record.tenant, &record.event, &record.hash);
    if (*out_sound && !str_eq(record.address_key, audit_address_key(record.event.address, key)))
        *out_sound =
            audit_verifier_fail(&r->v, seq, "event %lld is filed under another address than its own", (long long)seq);
    if (*out_sound && record.tenant == AUDIT_TENANT_DEFAULT) *out_sound = begun_is_there(r, &record.event);
    return true;
}

// A page of them, for a driver may hold a whole result in memory. *from becomes the next; *out_end: there are no more.
static bool page_verify(struct run *r, int64_t tenant, int64_t *from, bool *out_end, bool *out_sound, struct err *err) {
    struct sql_stmt *st;
    int64_t n = 0;
    if (!sql_prepare(sql_tenant(r->db, tenant),
                     STR("SELECT " AUDIT_RECORD_COLUMNS " FROM audit_event e WHERE e.tenant_id = ?1 AND e.seq >= ?2"
                         " ORDER BY e.seq LIMIT " PAGE_TEXT),
                     &st, err))
        return false;
    sql_bind_i64(st, 2, *from);
    for (bool row;; n++) {
        if (!sql_step(st, &row, err)) return false;
        if (!row) break;
        int64_t seq = sql_col_i64(st, 2);
        *from = seq == INT64_MAX ? seq : seq + 1;
        bool ok = row_verify(r, st, out_sound, err);
        if (ok && *out_sound) continue;
        sql_reset(st);
        return ok;
    }
    *out_end = n < PAGE;
    return true;
}

static bool events_verify(struct run *r, int64_t tenant, int64_t first, bool *out_sound, struct err *err) {
    // Of a whole chain also what stands before its beginning, where nothing may.
    int64_t from = first > 1 ? first : INT64_MIN;
    bool end = false;
    *out_sound = true;
    while (!end && *out_sound)
        if (!page_verify(r, tenant, &from, &end, out_sound, err)) return false;
    return !*out_sound || checkpoints_until(r, INT64_MAX, out_sound, err);
}

// The hash that the event before `first` has, which the signatures that follow prove along with the rest.
static bool take_hash(void *arg, const struct audit_record *record, struct err *err UNUSED) {
    *(struct audit_hash *)arg = record->hash;
    return true;
}

static bool head_verify(struct run *r, int64_t tenant, struct err *err) {
    struct audit_head head;
    struct err why;
    int64_t checkpoint = 0;
    bool has = false;
    if (!audit_head_read(sql_tenant(r->db, tenant), &head, &checkpoint, &has, &why)) {
        if (!has) {
            *err = why;
            return false;
        }
        audit_verifier_fail(&r->v, r->v.next - 1, "the head of the chain is damaged");
        return true;
    }
    if (audit_verifier_end(&r->v, has ? &head : NULL) && r->v.checkpoint_known && r->v.checkpoints &&
        checkpoint != r->v.checkpoint_seq)
        audit_verifier_fail(&r->v, checkpoint, "the head says the last checkpoint is at event %lld, and it is at %lld",
                            (long long)checkpoint, (long long)r->v.checkpoint_seq);
    return true;
}

static bool chain_verify(struct run *r, int64_t tenant, struct err *err) {
    int64_t first = r->o->since > 1 ? r->o->since : 1;
    struct audit_hash previous = {0};
    struct err why;
    bool sound = true;
    if (first > 1 && !audit_get(sql_tenant(r->db, tenant), first - 1, take_hash, &previous, &why)) first = 1;
    audit_verifier_begin(&r->v, &r->keys, tenant, first, first > 1 ? &previous : NULL);
    if (!checkpoints_begin(r, tenant, first, err) || !events_verify(r, tenant, first, &sound, err)) return false;
    if (r->checkpoints) sql_reset(r->checkpoints);
    if (sound && !head_verify(r, tenant, err)) return false;
    r->verdict.chains++;
    r->verdict.events += r->v.events;
    r->verdict.checkpoints += r->v.checkpoints;
    r->verdict.faulty = r->v.faulty;
    r->verdict.fault = r->v.fault;
    return true;
}

static bool chains_verify(struct run *r, struct err *err) {
    if (!keys_read(r, err)) return false;
    if (r->o->tenant) return chain_verify(r, r->o->tenant, err);
    for (int64_t tenant = 0; !r->verdict.faulty;) {
        if (!audit_tenant_next(r->db, tenant, &tenant, err)) return false;
        if (!tenant) break;
        if (!chain_verify(r, tenant, err)) return false;
    }
    return true;
}

bool audit_verify(struct sql *db, const struct audit_verify_options *options, struct audit_verdict *out_verdict,
                  struct err *err) {
    struct run r = {.db = db, .o = options};
    if (!sql_begin_read(db, err)) return false;
    bool ok = chains_verify(&r, err);
    sql_rollback(db);
    audit_keyset_free(&r.keys);
    if (ok) *out_verdict = r.verdict;
    return ok;
}
