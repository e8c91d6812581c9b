// Begins, checks and renews sessions.
#include "access/session.h"

#include "os/clock.h"
#include "os/rand.h"

#include <sodium.h>

#define GRACE_NS INT64_C(30000000000)
#define SEEN_NS INT64_C(60000000000) // a session that is in use is written down as often as this
#define AGENT_MAX 256

static_assert(SESSION_HASH_SIZE == crypto_generichash_BYTES, "the stored hash is libsodium's default size");

static int64_t from_ms(int64_t ms) { return ms * (int64_t)NS_PER_MS; }

// --- text ---

static void random_text(char *out, size_t n) {
    char random[32], text[44];
    rand_bytes(random, sizeof random);
    sodium_bin2base64(text, sizeof text, (const unsigned char *)random, sizeof random,
                      sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    memcpy(out, text, n);
    secret_wipe(random, sizeof random);
    secret_wipe(text, sizeof text);
}

static struct session_text text_make(void) {
    struct session_text t;
    memcpy(t.p, "pss-", 4);
    random_text(t.p + 4, SESSION_TEXT_LEN - 4);
    return t;
}

bool session_text_valid(struct str text) {
    if (text.n != SESSION_TEXT_LEN || !str_starts(text, STR("pss-"))) return false;
    for (size_t i = 4; i < text.n; i++) {
        char c = text.p[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_'))
            return false;
    }
    return true;
}

// Not keyed: nobody guesses 256 random bits.
static void text_hash(struct str text, char out[SESSION_HASH_SIZE]) {
    INVARIANT(crypto_generichash((unsigned char *)out, SESSION_HASH_SIZE, (const unsigned char *)text.p, text.n, NULL,
                                 0) == 0);
}

// --- what is due ---

struct str session_due_name(enum session_due due) {
    switch (due) {
    case SESSION_DUE_NOTHING:
        break;
    case SESSION_DUE_PASSWORD:
        return STR("password");
    case SESSION_DUE_FACTOR:
        return STR("second_factor");
    }
    return STR("");
}

enum session_due session_due_of(const struct conf_auth *auth, int64_t password_at, int64_t totp_at) {
    if (password_at == 0) return SESSION_DUE_PASSWORD;
    if (auth->sign_in.second_factor == SECOND_FACTOR_REQUIRED && totp_at == 0) return SESSION_DUE_FACTOR;
    return SESSION_DUE_NOTHING;
}

// --- beginning ---

bool session_begin(struct sql_scope tenant, const struct conf_auth *auth, const struct user_row *user,
                   struct str address, struct str agent, bool second_factor, int64_t now_ns,
                   struct session_begun *out_session, struct err *err) {
    struct session_begun s = {.expires_at = now_ns + from_ms(auth->session.lifetime), .text = text_make()};
    random_text(s.csrf, sizeof s.csrf);
    struct session_row row = {
        .user_id = user->id,
        .created_at = now_ns,
        .seen_at = now_ns,
        .expires_at = s.expires_at,
        .address = address,
        .agent = str_head(agent, AGENT_MAX),
        .second_factor = second_factor,
        .csrf = str_of(s.csrf, sizeof s.csrf),
        .rights = user->rights,
    };
    text_hash(session_text_str(&s.text), row.hash);
    if (!session_insert(tenant, &row, &s.id, err)) return false;
    *out_session = s;
    return true;
}

// --- checking ---

static bool over(struct err *err) { return err_set(err, ERR_UNAUTHENTICATED, "the session has ended: sign in again"); }

static bool is_alive(const struct conf_auth *auth, const struct session_row *row, int64_t now_ns) {
    int64_t idle = from_ms(auth->session.idle), lifetime = from_ms(auth->session.lifetime);
    // The configuration may have become stricter since it was begun.
    return row->may_act && row->revoked_at == 0 && now_ns < row->expires_at && now_ns < row->created_at + lifetime &&
           now_ns < row->seen_at + idle;
}

bool session_renew(struct sql_scope tenant, int64_t id, struct str old, struct str rights, int64_t grace_ns,
                   int64_t now_ns, struct session_text *out_text, struct err *err) {
    char old_hash[SESSION_HASH_SIZE], hash[SESSION_HASH_SIZE];
    struct session_text text = text_make();
    bool done;
    text_hash(old, old_hash);
    text_hash(session_text_str(&text), hash);
    if (!session_rehash(tenant, id, old_hash, hash, rights, now_ns + grace_ns, &done, err)) return false;
    if (!done) return over(err);
    *out_text = text;
    return true;
}

// Best effort: neither a busy database nor another request that was first keeps this one from being served.
static void keep_up(struct sql *db, const struct session_row *row, int64_t idle, struct str text, int64_t now_ns,
                    struct session_found *found) {
    struct sql_scope tenant = sql_tenant(db, row->tenant_id);
    int64_t often = MIN(SEEN_NS, idle / 4);
    struct err ignored;
    if (!row->is_old && !str_eq(row->rights, row->rights_now))
        found->renewed =
            session_renew(tenant, row->id, text, row->rights_now, GRACE_NS, now_ns, &found->text, &ignored);
    if (now_ns - row->seen_at >= often && session_touch(tenant, row->id, now_ns, &ignored)) found->seen_at = now_ns;
}

bool session_check(struct sql *db, const struct conf_auth *auth, struct str text, int64_t now_ns, struct arena *arena,
                   struct session_found *out_session, struct err *err) {
    char hash[SESSION_HASH_SIZE];
    struct session_row row;
    bool found;
    if (!session_text_valid(text)) return over(err);
    text_hash(text, hash);
    if (!session_by_hash(db, hash, now_ns, arena, &row, &found, err)) return false;
    if (!found || !is_alive(auth, &row, now_ns)) return over(err);
    struct session_found s = {
        .who = {.principal = {PRINCIPAL_USER, row.user_id},
                .name = row.email,
                .session_id = row.id,
                .home = row.tenant_id,
                .tenant = row.tenant_id,
                .tenant_name = row.tenant},
        .csrf = row.csrf,
        .created_at = row.created_at,
        .seen_at = row.seen_at,
        .expires_at = row.expires_at,
        .second_factor = row.second_factor,
        .due = session_due_of(auth, row.password_at, row.totp_at),
    };
    keep_up(db, &row, from_ms(auth->session.idle), text, now_ns, &s);
    *out_session = s;
    return true;
}
