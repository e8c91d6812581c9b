// Notes uses of keys in a loop's seat, writes the last ones, and tells what looks like misuse.
#include "govern/key_watch.h"

#include "base/hash.h"
#include "base/vec.h"
#include "os/rand.h"
#include "os/thread.h"

#define TELL_EVERY_NS ((int64_t)60 * 1000000000)
#define ADDRESS_MAX 48

struct use {
    int64_t key, tenant, at;
    uint8_t prefix_n, address_n;
    char prefix[KEY_PREFIX_LEN], address[ADDRESS_MAX];
};
struct uses {
    VEC(struct use) list;
};
struct key_watch {
    struct audit_notes *notes;
    struct mutex lock;
    struct uses waiting; // under the lock
    struct uses taken;   // the saver's
};

bool key_watch_create(struct audit_notes *notes, struct key_watch **out_watch, struct err *err) {
    struct key_watch *w = mem_zalloc(1, sizeof *w);
    if (!w) return err_no_memory(err);
    w->notes = notes;
    mutex_init(&w->lock);
    *out_watch = w;
    return true;
}

void key_watch_free(struct key_watch *w) {
    if (!w) return;
    vec_free(&w->waiting.list);
    vec_free(&w->taken.list);
    mutex_free(&w->lock);
    mem_free(w);
}

// --- noting ---

void key_seat_init(struct key_seat *seat, struct key_watch *watch) {
    memset(seat, 0, sizeof *seat);
    seat->watch = watch;
    seat->seed = rand_u64();
}

static void hand_over(struct key_watch *w, const struct key_entry *e, struct str peer, int64_t now_ns) {
    struct use use = {.key = e->id, .tenant = e->tenant_id, .at = now_ns};
    peer = str_head(peer, ADDRESS_MAX);
    struct str prefix = str_head(e->prefix, KEY_PREFIX_LEN);
    use.address_n = (uint8_t)peer.n;
    use.prefix_n = (uint8_t)prefix.n;
    if (peer.n) memcpy(use.address, peer.p, peer.n);
    if (prefix.n) memcpy(use.prefix, prefix.p, prefix.n);
    mutex_lock(&w->lock);
    if (w->waiting.list.n < KEY_USES_MAX) (void)!vec_push(&w->waiting.list, use);
    mutex_unlock(&w->lock);
}

void key_seat_used(struct key_seat *seat, const struct key_entry *entry, struct str peer, int64_t now_ns) {
    if (!seat->watch || !entry->id) return;
    uint64_t tag = hash_bytes(peer, seat->seed ^ (uint64_t)entry->id * 0x9e3779b97f4a7c15);
    size_t slot = tag % KEY_SEAT_SLOTS;
    int64_t since = now_ns - seat->slots[slot].told;
    if (LIKELY(seat->slots[slot].tag == tag && since >= 0 && since < TELL_EVERY_NS)) return;
    seat->slots[slot].tag = tag;
    seat->slots[slot].told = now_ns;
    hand_over(seat->watch, entry, peer, now_ns);
}

static void tell(struct key_seat *seat, const struct key_entry *entry, const char *reason, struct str peer,
                 struct str request_id, uint64_t least) {
    struct audit_denial d = {.tenant = entry ? entry->tenant_id : 0,
                             .key = entry ? entry->id : 0,
                             .name = entry ? entry->prefix : STR(""),
                             .action = STR("key.anomaly"),
                             .reason = str_c(reason),
                             .address = peer,
                             .request_id = request_id,
                             .is_anomaly = true,
                             .least = least};
    audit_note_denied(seat->watch->notes, &d);
}

void key_seat_refused(struct key_seat *seat, const struct keyring *ring, struct str presented, struct str peer,
                      struct str request_id, int64_t now_ns) {
    const struct key_entry *entry;
    if (!seat->watch) return;
    switch (keyring_refusal(ring, presented, now_ns, &entry)) {
    case KEYRING_MALFORMED:
        return;
    case KEYRING_UNKNOWN:
        tell(seat, NULL, "unknown_keys", peer, request_id, KEY_BURST);
        return;
    case KEYRING_REVOKED:
        tell(seat, entry, "revoked_key", peer, request_id, 0);
        return;
    case KEYRING_EXPIRED:
        tell(seat, entry, "expired_key", peer, request_id, 0);
        return;
    }
}

void key_seat_misplaced(struct key_seat *seat, const struct key_entry *entry, struct str peer, struct str request_id) {
    struct key_place anywhere = entry->place;
    struct err ignored;
    if (!seat->watch || !entry->id || policy_suspended(&entry->subject)) return;
    if (entry->place.any_address && entry->place.any_origin) return;
    anywhere.any_origin = true;
    bool origin = key_place_allows(&anywhere, peer, STR(""), &ignored);
    tell(seat, entry, origin ? "origin_not_allowed" : "address_not_allowed", peer, request_id, 0);
}

// --- writing ---

// Of version 6, a network's first half: hosts change the other one by themselves.
static bool same_place(struct str a, struct str b) {
    static const uint8_t four[12] = {[10] = 0xff, [11] = 0xff};
    uint8_t x[16], y[16];
    if (str_eq(a, b)) return true;
    if (!address_parse(a, x) || !address_parse(b, y)) return false;
    return memcmp(x, y, memcmp(x, four, sizeof four) == 0 ? 16 : 8) == 0;
}

static bool update(struct sql *db, const struct use *use, struct str address, int64_t since, struct err *err) {
    struct sql_stmt *st;
    if (!sql_prepare(sql_platform(db),
                     STR("UPDATE api_key SET last_used_at = CASE WHEN last_used_at < ?2 THEN ?2 ELSE last_used_at END,"
                         " last_used_address = ?3, address_since = ?4 WHERE id = ?1"),
                     &st, err))
        return false;
    sql_bind_i64(st, 1, use->key);
    sql_bind_i64(st, 2, use->at);
    sql_bind_text(st, 3, address);
    sql_bind_i64(st, 4, since);
    return sql_run(st, err);
}

struct usual {
    int64_t since;
    size_t n;
    char address[ADDRESS_MAX];
};

// What is known of the key so far; *out_there false: it is gone.
static bool read_usual(struct sql *db, int64_t key, struct usual *out, bool *out_there, struct err *err) {
    struct sql_stmt *st;
    if (!sql_prepare(sql_platform(db), STR("SELECT last_used_address, address_since FROM api_key WHERE id = ?1"), &st,
                     err))
        return false;
    sql_bind_i64(st, 1, key);
    if (!sql_step(st, out_there, err)) return false;
    if (!*out_there) return true;
    struct str address = str_head(sql_col_text(st, 0), ADDRESS_MAX);
    *out = (struct usual){.since = sql_col_i64(st, 1), .n = address.n};
    if (address.n) memcpy(out->address, address.p, address.n);
    sql_reset(st);
    return true;
}

static void tell_new_address(struct key_watch *w, const struct use *use, const struct usual *was) {
    struct audit_denial d = {.tenant = use->tenant,
                             .key = use->key,
                             .name = str_of(use->prefix, use->prefix_n),
                             .action = STR("key.anomaly"),
                             .reason = STR("new_address"),
                             .address = str_of(use->address, use->address_n),
                             .usual_address = str_of(was->address, was->n),
                             .is_anomaly = true,
                             .was_allowed = true};
    audit_note_denied(w->notes, &d);
}

static bool save_one(struct key_watch *w, struct sql *db, const struct use *use, struct err *err) {
    struct str address = str_of(use->address, use->address_n);
    struct usual was;
    bool there;
    if (!read_usual(db, use->key, &was, &there, err)) return false;
    if (!there) return true;
    bool same = was.n && same_place(str_of(was.address, was.n), address);
    bool stable = was.n && was.since && use->at - was.since >= KEY_STABLE_NS;
    if (!update(db, use, address, same && was.since ? was.since : use->at, err)) return false;
    // Before the commit, which may fail: it is told twice rather than not at all.
    if (!same && stable) tell_new_address(w, use, &was);
    return true;
}

bool key_watch_save(struct key_watch *w, struct sql *db, struct err *err) {
    if (w->taken.list.n == 0) {
        mutex_lock(&w->lock);
        struct uses empty = w->taken;
        w->taken = w->waiting;
        w->waiting = empty;
        mutex_unlock(&w->lock);
    }
    if (w->taken.list.n == 0) return true;
    bool ok = sql_begin(db, err);
    for (size_t i = 0; ok && i < w->taken.list.n; i++) ok = save_one(w, db, &w->taken.list.p[i], err);
    if (!ok || !sql_commit(db, err)) {
        sql_rollback(db);
        return false;
    }
    w->taken.list.n = 0;
    return true;
}
