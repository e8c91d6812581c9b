// Changes passwords, second factors and recovery codes.
#include "access/account.h"

#include "access/seal_text.h"
#include "access/sign_in_impl.h"

static struct sql_scope home_of(const struct sign_in_room *room, const struct who *who) {
    return sql_tenant(room->db, who->home);
}

static bool own_row(const struct sign_in_room *room, const struct who *who, struct arena *arena,
                    struct user_row *out_user, struct err *err) {
    if (who->principal.kind != PRINCIPAL_USER)
        return err_set(err, ERR_FORBIDDEN, "this is for people who signed in, not for keys");
    return user_get(home_of(room, who), who->principal.id, arena, out_user, err);
}

// Ends a transaction that `ok` says went well so far.
static bool finish(const struct sign_in_room *room, bool ok, struct err *err) {
    if (ok) return sql_commit(room->db, err);
    sql_rollback(room->db);
    return false;
}

// Asks for the password once more. The attempt is still to be ended, by attempt_right.
static bool prove_password(const struct sign_in_room *room, const struct user_row *user, struct str password,
                           const char *action, int64_t now_ns, struct attempt *out_attempt, struct err *err) {
    struct attempt attempt;
    bool fits;
    if (!attempt_begin(room, user->email, room->from.address, now_ns, &attempt, err)) return false;
    if (!password_verify(room->hasher, &room->auth->password, user->password_hash, password, &fits, err)) {
        attempt_undo(room, &attempt);
        return false;
    }
    if (!fits)
        return note_failure(room, &attempt, action, user, 1, user->tenant_id, now_ns, err) &&
               err_set(err, ERR_FORBIDDEN, "the password is wrong");
    *out_attempt = attempt;
    return true;
}

// --- password ---

static bool make_hash(const struct sign_in_room *room, const struct user_row *user, struct str fresh,
                      char out_hash[PASSWORD_HASH_MAX], struct err *err) {
    const struct str personal[] = {user->email, user->name, user->tenant};
    return password_check(fresh, personal, ARRAY_LEN(personal), err) &&
           password_hash(room->hasher, &room->auth->password, fresh, out_hash, err);
}

static bool write_password(struct sql_scope tenant, const struct user_row *user, struct str hash, int64_t at,
                           int64_t but_session, int64_t now_ns, struct err *err) {
    int64_t ended;
    return user_set_password(tenant, user->id, hash, at, now_ns, err) &&
           session_revoke_all(tenant, user->id, but_session, now_ns, &ended, err);
}

bool account_change_password(const struct sign_in_room *room, const struct who *who, struct str session,
                             struct str present, struct str fresh, int64_t now_ns, struct arena *arena,
                             struct session_text *out_text, struct err *err) {
    struct sql_scope tenant = home_of(room, who);
    struct user_row user;
    struct attempt attempt;
    struct session_text text;
    char hash[PASSWORD_HASH_MAX];
    if (!own_row(room, who, arena, &user, err) ||
        !prove_password(room, &user, present, "user.change_password", now_ns, &attempt, err))
        return false;
    bool same = str_eq_secret(present, fresh);
    if (same) err_set(err, ERR_INVALID_FIELD, "the new password is the present one");
    if (same || !make_hash(room, &user, fresh, hash, err)) {
        attempt_undo(room, &attempt);
        return false;
    }
    struct note note = {.action = "user.change_password", .user = &user, .by_user = true};
    if (!sql_begin(room->db, err)) return false;
    bool ok = attempt_right(room, &attempt, true, err) &&
              write_password(tenant, &user, str_c(hash), now_ns, who->session_id, now_ns, err) &&
              session_renew(tenant, who->session_id, session, user.rights, 0, now_ns, &text, err) &&
              note_put(room, user.tenant_id, &note, now_ns, err);
    if (!finish(room, ok, err)) return false;
    *out_text = text;
    return true;
}

bool account_reset_password(const struct sign_in_room *room, struct sql_scope tenant, int64_t user_id, struct str fresh,
                            bool must_change, int64_t now_ns, struct arena *arena, struct err *err) {
    struct user_row user;
    char hash[PASSWORD_HASH_MAX];
    if (!user_get(tenant, user_id, arena, &user, err) || !make_hash(room, &user, fresh, hash, err)) return false;
    struct note note = {.action = "user.reset_password",
                        .user = &user,
                        .after = must_change ? STR("{\"must_change\":true}") : STR("{\"must_change\":false}")};
    if (!sql_begin(room->db, err)) return false;
    bool ok = write_password(tenant, &user, str_c(hash), must_change ? 0 : now_ns, 0, now_ns, err) &&
              attempt_forget(room, user.email, err) && note_put(room, user.tenant_id, &note, now_ns, err);
    return finish(room, ok, err);
}

// --- second factor ---

bool account_begin_totp(const struct sign_in_room *room, const struct who *who, struct str password, int64_t now_ns,
                        struct arena *arena, char out_secret[TOTP_SECRET_SIZE], struct err *err) {
    struct sql_scope tenant = home_of(room, who);
    struct user_row user;
    char secret[TOTP_SECRET_SIZE];
    struct attempt attempt;
    if (!own_row(room, who, arena, &user, err)) return false;
    if (user.totp_at != 0)
        return err_set(err, ERR_EXISTS, "there is a second factor already: take it away before setting up another");
    // A session somebody left open, or lost, must not be enough to lock its owner out.
    if (!prove_password(room, &user, password, "user.begin_second_factor", now_ns, &attempt, err)) return false;
    struct note note = {.action = "user.begin_second_factor", .user = &user, .by_user = true};
    BUF_AUTO struct buf sealed = BUF_INIT(1024);
    totp_secret_make(secret);
    if (!sql_begin(room->db, err)) return false;
    bool ok = attempt_right(room, &attempt, true, err) &&
              text_seal(tenant, room->dir, "totp", user.id, str_of(secret, sizeof secret), &sealed, err) &&
              user_set_totp(tenant, user.id, buf_str(&sealed), now_ns, err) &&
              note_put(room, user.tenant_id, &note, now_ns, err);
    ok = finish(room, ok, err);
    if (ok) memcpy(out_secret, secret, sizeof secret);
    secret_wipe(secret, sizeof secret);
    return ok;
}

static bool write_codes(const struct sign_in_room *room, struct sql_scope tenant, int64_t user,
                        struct recovery_codes *out_codes, struct err *err) {
    struct recovery_hash hashes[RECOVERY_CODES];
    for (size_t i = 0; i < RECOVERY_CODES; i++) {
        recovery_make(out_codes->p[i]);
        INVARIANT(recovery_hash(hash_secret(room->dir), str_of(out_codes->p[i], RECOVERY_CODE_LEN), hashes[i].p));
    }
    return recovery_replace(tenant, user, hashes, RECOVERY_CODES, err);
}

static bool check_code(const struct sign_in_room *room, const struct user_row *user, struct str code, int64_t now_ns,
                       int64_t *out_step, struct err *err) {
    struct buf secret = BUF_INIT(256);
    bool ok = text_unseal(sql_tenant(room->db, user->tenant_id), room->dir, "totp", user->id, user->totp_secret,
                          &secret, err);
    if (ok && !totp_check(buf_str(&secret), str_trim(code), now_ns, 0, out_step))
        ok = err_set(err, ERR_INVALID_FIELD,
                     "the code is wrong: is the clock of the device right, and the secret typed in whole?");
    secret_wipe(secret.p, secret.n);
    buf_free(&secret);
    return ok;
}

bool account_confirm_totp(const struct sign_in_room *room, const struct who *who, struct str code, int64_t now_ns,
                          struct arena *arena, struct recovery_codes *out_codes, struct err *err) {
    struct sql_scope tenant = home_of(room, who);
    struct user_row user;
    struct recovery_codes codes;
    int64_t step;
    if (!own_row(room, who, arena, &user, err)) return false;
    if (user.totp_at != 0) return err_set(err, ERR_EXISTS, "the second factor is confirmed already");
    if (!user.totp_secret.n)
        return err_set(err, ERR_NOT_FOUND, "no second factor is being set up: POST /api/v1/session/totp begins it");
    if (!check_code(room, &user, code, now_ns, &step, err)) return false;
    struct note note = {.action = "user.add_second_factor", .user = &user, .by_user = true};
    if (!sql_begin(room->db, err)) return false;
    bool ok = user_confirm_totp(tenant, user.id, step, now_ns, err) &&
              write_codes(room, tenant, user.id, &codes, err) && note_put(room, user.tenant_id, &note, now_ns, err);
    if (!finish(room, ok, err)) return false;
    *out_codes = codes;
    return true;
}

bool account_end_totp(const struct sign_in_room *room, const struct who *who, struct str password, int64_t now_ns,
                      struct arena *arena, struct err *err) {
    struct sql_scope tenant = home_of(room, who);
    struct user_row user;
    struct attempt attempt;
    if (!own_row(room, who, arena, &user, err)) return false;
    if (!user.totp_secret.n) return err_set(err, ERR_NOT_FOUND, "there is no second factor");
    if (!prove_password(room, &user, password, "user.remove_second_factor", now_ns, &attempt, err)) return false;
    struct note note = {.action = "user.remove_second_factor", .user = &user, .by_user = true};
    if (!sql_begin(room->db, err)) return false;
    bool ok = attempt_right(room, &attempt, true, err) && user_set_totp(tenant, user.id, STR(""), now_ns, err) &&
              recovery_replace(tenant, user.id, NULL, 0, err) && note_put(room, user.tenant_id, &note, now_ns, err);
    return finish(room, ok, err);
}

bool account_renew_codes(const struct sign_in_room *room, const struct who *who, struct str password, int64_t now_ns,
                         struct arena *arena, struct recovery_codes *out_codes, struct err *err) {
    struct sql_scope tenant = home_of(room, who);
    struct user_row user;
    struct attempt attempt;
    struct recovery_codes codes;
    if (!own_row(room, who, arena, &user, err)) return false;
    if (user.totp_at == 0) return err_set(err, ERR_NOT_FOUND, "there is no second factor");
    if (!prove_password(room, &user, password, "user.renew_recovery_codes", now_ns, &attempt, err)) return false;
    struct note note = {.action = "user.renew_recovery_codes", .user = &user, .by_user = true};
    if (!sql_begin(room->db, err)) return false;
    bool ok = attempt_right(room, &attempt, true, err) && write_codes(room, tenant, user.id, &codes, err) &&
              note_put(room, user.tenant_id, &note, now_ns, err);
    if (!finish(room, ok, err)) return false;
    *out_codes = codes;
    return true;
}
