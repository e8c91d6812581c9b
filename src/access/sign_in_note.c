// Counts attempts and writes what came of them.
#include "access/seal_text.h"
#include "access/sign_in_impl.h"

#include "base/ip.h"
#include "base/text.h"
#include "os/clock.h"

#include <sodium.h>

#define DAY_NS INT64_C(86400000000000)

// --- whom attempts are counted for ---

static void put_hex(struct subject *s, const char *prefix, const void *bytes, size_t n) {
    size_t at = strlen(prefix);
    INVARIANT(at + 2 * n + 1 <= sizeof s->p);
    memcpy(s->p, prefix, at);
    sodium_bin2hex(s->p + at, sizeof s->p - at, bytes, n);
    s->n = at + 2 * n;
}

// Keyed: what people type where their address belongs, at times a password, is not written down. usual: from where they
// last signed in, they are counted by themselves, so that nobody elsewhere keeps them out.
static struct subject email_subject(const struct datadir *dir, struct str email, bool usual) {
    unsigned char hash[crypto_generichash_BYTES];
    const struct secret *key = hash_secret(dir);
    crypto_generichash_state state;
    struct subject s;
    crypto_generichash_init(&state, (const unsigned char *)key->p, key->n, sizeof hash);
    crypto_generichash_update(&state, (const unsigned char *)"sign_in:", 8);
    crypto_generichash_update(&state, (const unsigned char *)email.p, email.n);
    crypto_generichash_final(&state, hash, sizeof hash);
    put_hex(&s, usual ? "usual:" : "email:", hash, sizeof hash);
    return s;
}

// A customer has a whole /64 of IPv6.
static struct subject address_subject(struct str address) {
    struct subject s = {.n = 0};
    struct ip ip;
    static const unsigned char v4[12] = {[10] = 0xff, [11] = 0xff};
    if (ip_parse(address, &ip)) put_hex(&s, "address:", ip.p, memcmp(ip.p, v4, sizeof v4) == 0 ? 16 : 8);
    return s;
}

// --- counting ---

static int64_t from_ms(int64_t ms) { return ms * (int64_t)NS_PER_MS; }

static struct throttle email_rule(const struct conf_sign_in *c) {
    return (struct throttle){
        .max = c->max_failures, .base = from_ms(c->lock_base), .cap = from_ms(c->lock_max), .forget = DAY_NS};
}

static struct throttle address_rule(const struct conf_sign_in *c) {
    return (struct throttle){.max = c->max_address_failures,
                             .base = from_ms(c->lock_base),
                             .cap = from_ms(c->lock_max),
                             .leak = from_ms(c->lock_base),
                             .forget = DAY_NS};
}

static bool locked(int64_t wait_ns, const char *what, struct err *err) {
    long long seconds = (long long)((wait_ns + (int64_t)NS_PER_SEC - 1) / (int64_t)NS_PER_SEC);
    err_set(err, ERR_RATE_LIMITED, "too many failed sign-ins with this %s: try again in %lld s", what, seconds);
    err->retry_s = (unsigned)MIN(MAX(seconds, 1), (long long)UINT32_MAX);
    return false;
}

static bool count(struct sql *db, const struct subject *subject, const struct throttle *rule, const char *what,
                  int64_t now_ns, struct sign_in_failure *out_row, struct err *err) {
    struct sign_in_failure row;
    int64_t wait;
    if (!subject->n) return true;
    if (!sign_in_failure_get(db, subject_str(subject), &row, err)) return false;
    if (!throttle_take(rule, &row, now_ns, &wait)) return locked(wait, what, err);
    if (!sign_in_failure_put(db, subject_str(subject), &row, err)) return false;
    *out_row = row;
    return true;
}

bool attempt_begin(const struct sign_in_room *room, struct str email, struct str address, int64_t now_ns,
                   struct attempt *out_attempt, struct err *err) {
    struct attempt a = {.address = address_subject(address), .email_text = email};
    struct throttle by_email = email_rule(&room->auth->sign_in), by_address = address_rule(&room->auth->sign_in);
    struct sign_in_failure ignored;
    bool usual;
    if (!user_is_usual(room->db, email, address, &usual, err)) return false;
    a.email = email_subject(room->dir, email, usual);
    if (!sql_begin(room->db, err)) return false;
    if (count(room->db, &a.address, &by_address, "client address", now_ns, &ignored, err) &&
        count(room->db, &a.email, &by_email, "e-mail address", now_ns, &a.count, err)) {
        if (!sql_commit(room->db, err)) return false;
        *out_attempt = a;
        return true;
    }
    sql_rollback(room->db);
    return false;
}

static bool take_back(struct sql *db, const struct subject *subject, struct err *err) {
    struct sign_in_failure row;
    if (!subject->n) return true;
    if (!sign_in_failure_get(db, subject_str(subject), &row, err)) return false;
    throttle_give_back(&row);
    return sign_in_failure_put(db, subject_str(subject), &row, err);
}

bool attempt_right(const struct sign_in_room *room, const struct attempt *attempt, bool wholly, struct err *err) {
    static const struct sign_in_failure none = {0};
    if (!take_back(room->db, &attempt->address, err)) return false;
    return wholly ? sign_in_failure_put(room->db, subject_str(&attempt->email), &none, err)
                  : take_back(room->db, &attempt->email, err);
}

void attempt_undo(const struct sign_in_room *room, const struct attempt *attempt) {
    struct err ignored;
    if (!sql_begin(room->db, &ignored)) return;
    if (!attempt_right(room, attempt, false, &ignored))
        sql_rollback(room->db);
    else if (!sql_commit(room->db, &ignored))
        return;
}

bool attempt_forget(const struct sign_in_room *room, struct str email, struct err *err) {
    static const struct sign_in_failure none = {0};
    struct subject any = email_subject(room->dir, email, false), usual = email_subject(room->dir, email, true);
    return sign_in_failure_put(room->db, subject_str(&any), &none, err) &&
           sign_in_failure_put(room->db, subject_str(&usual), &none, err) &&
           user_note_failure(room->db, email, 0, 0, 0, err);
}

bool attempt_purge(struct sql *db, int64_t now_ns, struct err *err) {
    return sign_in_failure_purge(db, now_ns - DAY_NS, now_ns, err);
}

// --- events ---

static struct str id_text(const char *prefix, int64_t id, char out[32]) {
    size_t n = strlen(prefix);
    memcpy(out, prefix, n);
    base32_u64(out + n, (uint64_t)id);
    return str_of(out, n + BASE32_U64_LEN);
}

static bool append(const struct sign_in_room *room, struct sql_scope tenant, struct audit_event *event,
                   struct err *err) {
    struct err why;
    bool lost;
    if (!room->lose) return audit_append(tenant, room->signer, event, err);
    if (!audit_append_or_lose(tenant, room->signer, event, &lost, &why, err)) return false;
    if (lost) room->lose(room->ctx, event, &why);
    return true;
}

bool note_put(const struct sign_in_room *room, int64_t tenant, const struct note *note, int64_t now_ns,
              struct err *err) {
    char user[32], session[32];
    struct audit_event event = room->from;
    if (!room->signer) return true;
    event.at = now_ns;
    event.action = str_c(note->action);
    event.outcome = note->outcome;
    event.reason = note->reason ? str_c(note->reason) : STR("");
    event.after = note->after;
    event.resource_type = note->session ? STR("session") : STR("user");
    event.resource_name = note->user ? note->user->email : str_head(note->email, USER_EMAIL_MAX);
    if (note->session)
        event.resource_id = id_text("session_", note->session, session);
    else if (note->user)
        event.resource_id = id_text("user_", note->user->id, user);
    if (note->user && note->by_user) {
        event.actor_kind = STR("user");
        event.actor_id = id_text("user_", note->user->id, user);
        event.actor_name = note->user->email;
    }
    return append(room, sql_tenant(room->db, tenant), &event, err);
}

static bool note_failures(const struct sign_in_room *room, const struct attempt *attempt, const char *action,
                          const struct user_row *user, int64_t tenant, int64_t now_ns, struct err *err) {
    struct note note = {.action = action,
                        .outcome = AUDIT_DENIED,
                        .reason = user ? "wrong password or code, or not active" : "unknown e-mail address",
                        .user = user,
                        .email = attempt->email_text};
    struct note lock = {.action = "session.lock_out",
                        .outcome = AUDIT_DENIED,
                        .reason = "too many failures",
                        .user = user,
                        .email = attempt->email_text};
    return note_put(room, tenant, &note, now_ns, err) &&
           (!attempt->count.locked_until || note_put(room, tenant, &lock, now_ns, err));
}

bool note_failure(const struct sign_in_room *room, const struct attempt *attempt, const char *action,
                  const struct user_row *users, size_t n, int64_t tenant, int64_t now_ns, struct err *err) {
    if (!sql_begin(room->db, err)) return false;
    bool ok = user_note_failure(room->db, attempt->email_text, attempt->count.failures, attempt->count.locked_until,
                                now_ns, err);
    for (size_t i = 0; ok && i < n; i++)
        ok = note_failures(room, attempt, action, &users[i], users[i].tenant_id, now_ns, err);
    if (ok && n == 0) ok = note_failures(room, attempt, action, NULL, tenant, now_ns, err);
    if (ok) return sql_commit(room->db, err);
    sql_rollback(room->db);
    return false;
}
