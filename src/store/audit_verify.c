// Follows a chain of audit events, its checkpoints and its head.
#include "store/audit_verify.h"

#include <stdarg.h>

// --- keys ---

bool audit_keyset_add(struct audit_keyset *set, const struct audit_public *key, struct err *err) {
    if (set->keys.n == AUDIT_KEYS_MAX) return err_set(err, ERR_STORE, "the audit trail has too many keys");
    return vec_push(&set->keys, (struct audit_keyset_key){.key = *key}) || err_no_memory(err);
}

void audit_keyset_free(struct audit_keyset *set) { vec_free(&set->keys); }

static struct audit_keyset_key *keyset_find(const struct audit_keyset *set, int64_t id) {
    for (size_t i = 0; i < set->keys.n; i++)
        if (set->keys.p[i].key.id == id) return &set->keys.p[i];
    return NULL;
}

// Whether a trusted neighbour vouches for it: the one before it signed it, or the one after it signed it.
static bool vouched_for(const struct audit_keyset *set, const struct audit_public *key) {
    const struct audit_keyset_key *before = keyset_find(set, key->id - 1), *after = keyset_find(set, key->id + 1);
    if (before && before->trusted && key->has_by_previous && audit_key_signed(key, key->by_previous, before->key.p))
        return true;
    return after && after->trusted && after->key.has_of_previous &&
           audit_key_signed(key, after->key.of_previous, after->key.p);
}

bool audit_keyset_trust(struct audit_keyset *set, const unsigned char public_key[AUDIT_KEY_SIZE]) {
    size_t at = 0;
    while (at < set->keys.n && memcmp(set->keys.p[at].key.p, public_key, AUDIT_KEY_SIZE) != 0) at++;
    if (at == set->keys.n) return false;
    set->keys.p[at].trusted = true;
    for (bool more = true; more;) {
        more = false;
        for (size_t i = 0; i < set->keys.n; i++) {
            if (set->keys.p[i].trusted || !vouched_for(set, &set->keys.p[i].key)) continue;
            set->keys.p[i].trusted = more = true;
        }
    }
    // Each says when it was made, signed by the one before it, the first one by itself.
    for (size_t i = 0; i < set->keys.n; i++) {
        struct audit_keyset_key *k = &set->keys.p[i];
        const struct audit_keyset_key *by = k->key.id == 1 ? k : keyset_find(set, k->key.id - 1);
        if (!by || !k->key.has_by_previous || !audit_key_signed(&k->key, k->key.by_previous, by->key.p))
            k->trusted = false;
    }
    return true;
}

// --- the verifier ---

bool audit_verifier_fail(struct audit_verifier *v, int64_t seq, const char *fmt, ...) {
    va_list ap;
    if (v->faulty) return false;
    v->faulty = true;
    v->fault.tenant = v->tenant;
    v->fault.seq = seq;
    va_start(ap, fmt);
    vsnprintf(v->fault.why, sizeof v->fault.why, fmt, ap);
    va_end(ap);
    return false;
}

void audit_verifier_begin(struct audit_verifier *v, const struct audit_keyset *keys, int64_t tenant, int64_t first,
                          const struct audit_hash *previous) {
    *v = (struct audit_verifier){.keys = keys, .tenant = tenant, .next = first, .checkpoint_known = first == 1};
    if (previous) v->last = *previous;
}

static bool checkpoint_missing(struct audit_verifier *v) {
    return audit_verifier_fail(v, v->next - 1, "the checkpoint at event %lld is missing", (long long)v->next - 1);
}

bool audit_verifier_event(struct audit_verifier *v, int64_t tenant, const struct audit_event *event,
                          const struct audit_hash *hash) {
    struct audit_hash computed;
    long long seq = event->seq;
    if (v->faulty) return false;
    if (tenant != v->tenant) return audit_verifier_fail(v, seq, "event %lld is of another tenant's chain", seq);
    if (v->checkpoint_due) return checkpoint_missing(v);
    if (event->seq > v->next && event->seq == v->next + 1)
        return audit_verifier_fail(v, v->next, "event %lld is missing", (long long)v->next);
    if (event->seq > v->next)
        return audit_verifier_fail(v, v->next, "events %lld to %lld are missing", (long long)v->next, seq - 1);
    if (event->seq < v->next)
        return audit_verifier_fail(v, seq, "event %lld stands after event %lld: it was moved or inserted", seq,
                                   (long long)v->next - 1);
    audit_hash_event(tenant, &v->last, event, &computed);
    if (memcmp(computed.p, hash->p, sizeof computed.p) != 0)
        return audit_verifier_fail(v, seq,
                                   "event %lld does not match its hash: it, or the hash of the one before it, was "
                                   "changed",
                                   seq);
    v->last = *hash;
    v->last_at = event->at;
    v->next = event->seq + 1;
    v->events++;
    bool timely = v->checkpoint_known && event->at - v->checkpoint_at >= AUDIT_CHECKPOINT_NS;
    v->checkpoint_due = seq == 1 || seq % AUDIT_CHECKPOINT_EVENTS == 0 || timely;
    return true;
}

static bool signature_check(struct audit_verifier *v, const struct audit_head *head, const char *what) {
    const struct audit_keyset_key *key = keyset_find(v->keys, head->key_id);
    long long seq = head->seq;
    if (!key || !key->trusted)
        return audit_verifier_fail(v, seq, "the %s at event %lld is signed by key %lld, which %s", what, seq,
                                   (long long)head->key_id, key ? "no trusted key vouches for" : "does not exist");
    if (!audit_head_signed(head, key->key.p))
        return audit_verifier_fail(v, seq, "the signature of the %s at event %lld is false", what, seq);
    return true;
}

static bool same_event(const struct audit_verifier *v, const struct audit_head *head) {
    return head->tenant == v->tenant && head->at == v->last_at && !memcmp(head->hash.p, v->last.p, sizeof v->last.p);
}

bool audit_verifier_checkpoint(struct audit_verifier *v, const struct audit_head *head) {
    long long seq = head->seq;
    if (v->faulty) return false;
    if (head->seq >= v->next) {
        if (v->checkpoint_due) return checkpoint_missing(v);
        return audit_verifier_fail(v, v->next, "event %lld is missing: there is a checkpoint of event %lld",
                                   (long long)v->next, seq);
    }
    if (head->seq != v->next - 1)
        return audit_verifier_fail(v, seq, "the checkpoint at event %lld is out of place", seq);
    if (v->checkpoint_known && !v->checkpoint_due)
        return audit_verifier_fail(v, seq, "there should be no checkpoint at event %lld", seq);
    if (!same_event(v, head))
        return audit_verifier_fail(v, seq, "the checkpoint at event %lld is not of this event", seq);
    if (!signature_check(v, head, "checkpoint")) return false;
    v->checkpoint_due = false;
    v->checkpoint_known = true;
    v->checkpoint_seq = head->seq;
    v->checkpoint_at = head->at;
    v->checkpoints++;
    return true;
}

bool audit_verifier_end(struct audit_verifier *v, const struct audit_head *head) {
    if (v->faulty) return false;
    if (v->checkpoint_due) return checkpoint_missing(v);
    if (!head)
        return audit_verifier_fail(v, v->next - 1, "the head of the chain is missing: events after %lld may be, too",
                                   (long long)v->next - 1);
    long long seq = head->seq;
    if (head->seq >= v->next) {
        if (!signature_check(v, head, "head")) return false;
        return audit_verifier_fail(v, v->next, "the end is missing: events %lld to %lld", (long long)v->next, seq);
    }
    if (head->seq < v->next - 1)
        return audit_verifier_fail(v, seq + 1,
                                   "the head of the chain is at event %lld: what comes after it was added, "
                                   "or the head was put back",
                                   seq);
    if (v->events && !same_event(v, head))
        return audit_verifier_fail(v, seq, "the head of the chain is not of event %lld", seq);
    return signature_check(v, head, "head");
}
