// Tries a login at Vault, to tell whether the settings are good.
#include "store/vault_internal.h"

static bool token_known(struct vault_session *s, struct err *err) {
    struct vault_answer answer;
    struct str path = STR("auth/token/lookup-self");
    if (!vault_call(s, "GET", path, STR_NONE, &answer, err)) return false;
    // A policy may keep a token from looking itself up; the default one does not.
    bool ok = vault_answer_ok(&answer) || vault_refused(s, &answer, path, err);
    vault_answer_free(&answer);
    return ok;
}

bool vault_login_check(const struct conf_vault *settings, struct err *err) {
    const uint64_t no_skew = 0;
    struct vault_session *s = vault_session_new(settings, &no_skew);
    if (!s) return err_no_memory(err);
    bool ok = vault_auth_ready(s, err) && (settings->auth != VAULT_AUTH_TOKEN || token_known(s, err));
    vault_session_free(s);
    return ok;
}
