// Checks who signs in, and begins or ends the session.
#include "access/sign_in.h"

#include "access/seal_text.h"
#include "access/sign_in_impl.h"
#include "access/totp.h"
#include "base/text.h"
#include "base/utf8.h"
#include "store/tenant.h"

#define DAY_NS INT64_C(86400000000000)

// --- what was typed ---

bool email_normalize(struct str text, struct arena *arena, struct str *out_email, struct err *err) {
    struct str email = str_trim(text);
    size_t at = str_find_char(email, '@');
    bool ok = email.n <= USER_EMAIL_MAX && at > 0 && at + 1 < email.n && utf8_valid(email);
    for (size_t i = 0; ok && i < email.n; i++) ok = (unsigned char)email.p[i] > ' ' && email.p[i] != 0x7f;
    if (!ok) {
        err_set(err, ERR_INVALID_FIELD, "that is not an e-mail address");
        snprintf(err->param, sizeof err->param, "email");
        return false;
    }
    char *copy = arena_cstr(arena, email);
    if (!copy) return err_no_memory(err);
    for (size_t i = 0; i < email.n; i++)
        if (copy[i] >= 'A' && copy[i] <= 'Z') copy[i] = (char)(copy[i] + ('a' - 'A'));
    *out_email = str_of(copy, email.n);
    return true;
}

struct candidates {
    struct user_row users[SIGN_IN_TENANTS];
    size_t n, slots; // slots: how many passwords are looked at, known or not
    int64_t tenant;  // whose chain tells of an address that nobody has
};

static bool tenant_named(struct sql *db, struct str name, int64_t *out_id, bool *out_found, struct err *err) {
    uint64_t id;
    *out_found = true;
    if (str_starts(name, STR("tenant_")) && base32_u64_parse(str_from(name, 7), &id) && id > 0 && id <= INT64_MAX) {
        *out_id = (int64_t)id;
        return true;
    }
    if (tenant_find(db, name, out_id, err)) return true;
    *out_found = false;
    return err->code == ERR_NOT_FOUND;
}

static bool find_candidates(const struct sign_in_room *room, const struct sign_in_wanted *w, struct str email,
                            struct arena *arena, struct candidates *out, struct err *err) {
    struct candidates c = {.slots = w->tenant.n ? 1 : SIGN_IN_TENANTS, .tenant = TENANT_DEFAULT};
    struct sql_scope scope = sql_platform(room->db);
    int64_t id;
    bool found = true;
    if (w->tenant.n) {
        if (!tenant_named(room->db, w->tenant, &id, &found, err)) return false;
        if (found) scope = sql_tenant(room->db, id);
    }
    if (found && !user_by_email(scope, email, arena, c.users, c.slots, &c.n, err)) return false;
    *out = c;
    return true;
}

// As many hashes are computed as there are slots, until one fits. Who is not active has no password that fits.
static bool find_fitting(const struct sign_in_room *room, const struct candidates *c, struct str password,
                         const struct user_row **out_user, struct err *err) {
    const struct user_row *user = NULL;
    for (size_t i = 0; i < (user ? c->n : c->slots); i++) {
        struct str hash = i < c->n ? c->users[i].password_hash : STR("");
        bool fits;
        if (!password_verify(room->hasher, &room->auth->password, hash, password, &fits, err)) return false;
        if (!fits || i >= c->n || !user_may_act(&c->users[i])) continue;
        if (user)
            return err_set(err, ERR_INVALID_FIELD,
                           "several tenants know this address by this password: say which one is meant");
        user = &c->users[i];
    }
    *out_user = user;
    return true;
}

// --- the second factor ---

enum factor { FACTOR_NONE, FACTOR_TOTP, FACTOR_RECOVERY, FACTOR_WRONG };
struct proof {
    enum factor factor;
    int64_t step;
    char recovery[RECOVERY_HASH_SIZE];
};

static bool prove(const struct sign_in_room *room, const struct user_row *user, struct str code, int64_t now_ns,
                  struct proof *out_proof, struct err *err) {
    struct proof proof = {.factor = FACTOR_WRONG};
    struct str trimmed = str_trim(code);
    if (user->totp_at == 0) {
        *out_proof = (struct proof){.factor = FACTOR_NONE};
        return true;
    }
    struct buf secret = BUF_INIT(256);
    bool ok = text_unseal(sql_tenant(room->db, user->tenant_id), room->dir, "totp", user->id, user->totp_secret,
                          &secret, err);
    if (ok && totp_check(buf_str(&secret), trimmed, now_ns, user->totp_step, &proof.step))
        proof.factor = FACTOR_TOTP;
    else if (ok && recovery_hash(hash_secret(room->dir), trimmed, proof.recovery))
        proof.factor = FACTOR_RECOVERY;
    secret_wipe(secret.p, secret.n);
    buf_free(&secret);
    if (ok) *out_proof = proof;
    return ok;
}

// Within the transaction, so that a code serves once however many come at a time.
static bool use_proof(struct sql_scope tenant, const struct user_row *user, const struct proof *proof, int64_t now_ns,
                      bool *out_taken, struct err *err) {
    switch (proof->factor) {
    case FACTOR_NONE:
        *out_taken = true;
        return true;
    case FACTOR_TOTP:
        return user_take_step(tenant, user->id, proof->step, out_taken, err);
    case FACTOR_RECOVERY:
        return recovery_take(tenant, user->id, proof->recovery, now_ns, out_taken, err);
    case FACTOR_WRONG:
        break;
    }
    *out_taken = false;
    return true;
}

// --- the outcome ---

static bool refused(struct err *err) {
    return err_set(err, ERR_CREDENTIALS, "the e-mail address or the password is wrong, or the code");
}

static bool fail(const struct sign_in_room *room, const struct attempt *attempt, const struct candidates *c,
                 int64_t now_ns, struct err *err) {
    return note_failure(room, attempt, "session.sign_in", c->users, c->n, c->tenant, now_ns, err) && refused(err);
}

// The password was right and no code came: no failure, and no success that would forget earlier failures.
static bool ask_for_code(const struct sign_in_room *room, const struct attempt *attempt, struct err *err) {
    attempt_undo(room, attempt);
    return err_set(err, ERR_SECOND_FACTOR, "a code of the second factor is needed: send it as \"code\"");
}

struct success {
    const struct attempt *attempt;
    const struct user_row *user;
    const struct proof *proof;
    struct str rehashed; // empty: the hash is left as it is
    int64_t now;
};

static bool write_success(const struct sign_in_room *room, const struct success *s, struct session_begun *out_session,
                          struct err *err) {
    static const char *const after[] = {[FACTOR_NONE] = "{\"second_factor\":null}",
                                        [FACTOR_TOTP] = "{\"second_factor\":\"totp\"}",
                                        [FACTOR_RECOVERY] = "{\"second_factor\":\"recovery_code\"}"};
    struct sql_scope tenant = sql_tenant(room->db, s->user->tenant_id);
    struct note note = {
        .action = "session.sign_in", .user = s->user, .by_user = true, .after = str_c(after[s->proof->factor])};
    if (!attempt_right(room, s->attempt, true, err) || !attempt_purge(room->db, s->now, err) ||
        !session_purge(room->db, s->now - 7 * DAY_NS, err))
        return false;
    if (s->rehashed.n && !user_rehash(tenant, s->user->id, s->rehashed, err)) return false;
    if (!session_begin(tenant, room->auth, s->user, room->from.address, room->from.agent,
                       s->proof->factor != FACTOR_NONE, s->now, out_session, err))
        return false;
    note.session = out_session->id;
    return note_put(room, s->user->tenant_id, &note, s->now, err);
}

// Hashing takes long: a password that was changed meanwhile, and all its sessions ended, begins no new one.
static bool take(const struct sign_in_room *room, const struct success *s, bool *out_taken, struct err *err) {
    struct sql_scope tenant = sql_tenant(room->db, s->user->tenant_id);
    if (!use_proof(tenant, s->user, s->proof, s->now, out_taken, err)) return false;
    return !*out_taken || user_signed_in(tenant, s->user, room->from.address, s->now, out_taken, err);
}

// *out_taken false: the code had been used, or what was proved holds no longer.
static bool succeed(const struct sign_in_room *room, const struct success *s, struct session_begun *out_session,
                    bool *out_taken, struct err *err) {
    bool taken = false;
    if (!sql_begin(room->db, err)) return false;
    bool ok = take(room, s, &taken, err) && (!taken || write_success(room, s, out_session, err));
    if (!ok || !taken)
        sql_rollback(room->db);
    else
        ok = sql_commit(room->db, err);
    *out_taken = taken;
    return ok;
}

static bool admit(const struct sign_in_room *room, const struct sign_in_wanted *w, const struct attempt *attempt,
                  const struct candidates *c, const struct user_row *user, int64_t now_ns,
                  struct sign_in_done *out_done, struct err *err) {
    struct proof proof;
    char hash[PASSWORD_HASH_MAX] = "";
    struct session_begun session;
    bool taken;
    if (user->totp_at != 0 && !str_trim(w->code).n) return ask_for_code(room, attempt, err);
    if (!prove(room, user, w->code, now_ns, &proof, err)) return false;
    if (proof.factor == FACTOR_WRONG) return fail(room, attempt, c, now_ns, err);
    if (password_is_cheap(user->password_hash, &room->auth->password) &&
        !password_hash(room->hasher, &room->auth->password, w->password, hash, err))
        return false;
    struct success s = {attempt, user, &proof, str_c(hash), now_ns};
    if (!succeed(room, &s, &session, &taken, err)) return false;
    if (!taken) return fail(room, attempt, c, now_ns, err);
    *out_done = (struct sign_in_done){.session = session,
                                      .user = *user,
                                      .due = session_due_of(room->auth, user->password_at, user->totp_at),
                                      .second_factor = proof.factor != FACTOR_NONE,
                                      .recovery = proof.factor == FACTOR_RECOVERY};
    return true;
}

bool sign_in(const struct sign_in_room *room, const struct sign_in_wanted *wanted, int64_t now_ns, struct arena *arena,
             struct sign_in_done *out_done, struct err *err) {
    struct str email;
    struct attempt attempt;
    struct candidates c;
    const struct user_row *user = NULL;
    if (!email_normalize(wanted->email, arena, &email, err) ||
        !attempt_begin(room, email, room->from.address, now_ns, &attempt, err))
        return false;
    if (!find_candidates(room, wanted, email, arena, &c, err) ||
        !find_fitting(room, &c, wanted->password, &user, err)) {
        attempt_undo(room, &attempt);
        return false;
    }
    return user ? admit(room, wanted, &attempt, &c, user, now_ns, out_done, err)
                : fail(room, &attempt, &c, now_ns, err);
}

bool sign_out(const struct sign_in_room *room, const struct who *who, int64_t now_ns, struct err *err) {
    struct user_row user = {.id = who->principal.id, .email = who->name};
    struct note note = {.action = "session.sign_out", .user = &user, .by_user = true, .session = who->session_id};
    if (!sql_begin(room->db, err)) return false;
    if (session_revoke(sql_tenant(room->db, who->home), who->session_id, now_ns, err) &&
        note_put(room, who->home, &note, now_ns, err))
        return sql_commit(room->db, err);
    sql_rollback(room->db);
    return false;
}
