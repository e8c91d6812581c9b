// Finds out who is behind a session's cookie or an access token, and what that may be used for.
#include "admin/api_signing.h"

#include "access/key_place.h"
#include "access/token.h"

bool api_caller_given(const struct api_request *request) {
    return request->credential.session.n || request->credential.token.n;
}

bool api_auth_begin(const struct api *api, struct api_auth *out_auth) {
    static const struct conf_auth plain = {
        .required = true,
        .sign_in = {.max_failures = 5, .max_address_failures = 50, .lock_base = 30000, .lock_max = 900000},
        .session = {.idle = INT64_C(12) * 3600000, .lifetime = INT64_C(7) * 86400000},
        .password = {.memory = 32 << 20, .passes = 2},
        .tokens = {.lifetime = 3600000, .rotate = INT64_C(30) * 86400000},
    };
    out_auth->conf = api->conf ? api->conf(api->ctx) : NULL;
    out_auth->auth = out_auth->conf ? &out_auth->conf->auth : &plain;
    return out_auth->conf != NULL;
}

void api_auth_end(struct api_auth *auth) { conf_unref(auth->conf); }

// --- sessions ---

void api_set_cookie(struct api_call *call, struct str text, int64_t expires_at) {
    BUF_AUTO struct buf out = BUF_INIT(1024);
    session_cookie_put(&out, &call->request->credential.door, text, (expires_at - call->now) / 1000000000);
    call->reply->cookie = out.failed ? STR_NONE : arena_str(call->arena, buf_str(&out));
}

static bool check_due(const struct api_call *call, enum session_due due, struct err *err) {
    if (call->endpoint->flags & API_DUE || due == SESSION_DUE_NOTHING) return true;
    return err_set(err, ERR_FORBIDDEN,
                   due == SESSION_DUE_PASSWORD
                       ? "the password was set by somebody else and is to be changed first: POST "
                         "/api/v1/session/password"
                       : "a second factor is required and to be set up first: POST "
                         "/api/v1/session/totp");
}

static bool changes(enum http_method method) {
    return method != HTTP_GET && method != HTTP_HEAD && method != HTTP_OPTIONS;
}

static bool find_session(struct api_call *call, struct err *err) {
    const struct api_credential *c = &call->request->credential;
    struct session_found found;
    struct api_auth auth;
    api_auth_begin(call->api, &auth);
    bool ok = session_check(call->db, auth.auth, c->session, call->now, call->arena, &found, err);
    api_auth_end(&auth);
    if (!ok || (changes(call->request->method) && !session_origin_check(&c->origin, &found.csrf, err))) return false;
    if (found.renewed) {
        struct str text = arena_str(call->arena, session_text_str(&found.text));
        if (!text.p) return err_no_memory(err);
        api_set_cookie(call, text, found.expires_at);
    }
    call->who = found.who;
    return check_due(call, found.due, err);
}

// --- tokens ---

// Where a key may not be used, neither may its tokens.
static bool check_place(struct api_call *call, struct str addresses, struct str origins, struct err *err) {
    const struct api_credential *c = &call->request->credential;
    struct key_place place;
    bool damaged;
    if (!key_place_read(call->arena, addresses, origins, &place, &damaged)) return err_no_memory(err);
    return key_place_allows(&place, c->door.peer, c->origin.origin, err);
}

// What the token was made with must still be good.
static bool maker_lives(struct api_call *call, const struct token_claims *c, struct api_request *request,
                        struct err *err) {
    struct sql_stmt *st;
    bool row;
    if (!c->key_id && !c->session_id) return true;
    struct str text =
        c->key_id ? STR("SELECT coalesce(team_id, 0), coalesce(project_id, 0), name, addresses, origins FROM api_key"
                        " WHERE tenant_id = ?1 AND id = ?2 AND revoked_at = 0"
                        " AND (expires_at = 0 OR expires_at > ?3)")
                  : STR("SELECT 0, 0, u.email FROM session s JOIN app_user u ON u.id = s.user_id"
                        " WHERE s.tenant_id = ?1 AND s.id = ?2 AND s.revoked_at = 0 AND s.expires_at > ?3");
    if (!sql_prepare(sql_tenant(call->db, c->home), text, &st, err)) return false;
    sql_bind_i64(st, 2, c->key_id ? c->key_id : c->session_id);
    sql_bind_i64(st, 3, call->now);
    if (!sql_step(st, &row, err)) return false;
    if (!row) return err_set(err, ERR_UNAUTHENTICATED, "what the access token was made with has ended or was revoked");
    if (c->principal.kind == PRINCIPAL_KEY) {
        request->key_team = sql_col_i64(st, 0);
        request->key_project = sql_col_i64(st, 1);
    }
    struct str name = arena_str(call->arena, sql_col_text(st, 2));
    bool here = !c->key_id || check_place(call, sql_col_text(st, 3), sql_col_text(st, 4), err);
    sql_reset(st);
    if (!here) return false;
    call->who.name = c->session_id ? name : arena_printf(call->arena, "token of key \"%.*s\"", STR_ARG(name));
    return call->who.name.p || err_no_memory(err);
}

static bool find_token(struct api_call *call, struct err *err) {
    struct token_keys *keys;
    struct token_claims *claims = ARENA_NEW(call->arena, struct token_claims);
    struct api_request *request = ARENA_NEW(call->arena, struct api_request);
    if (!claims || !request) return err_no_memory(err);
    if (!token_keys_load(call->db, call->now, &keys, err)) return false;
    bool ok = token_check(keys, call->request->credential.token, call->now, claims, err);
    token_keys_unref(keys);
    if (!ok && err->code == ERR_NOT_FOUND)
        err_set(err, ERR_UNAUTHENTICATED, "the access token was not made by this server");
    if (!ok) return false;
    call->who = (struct who){.principal = claims->principal,
                             .key_id = claims->key_id,
                             .session_id = claims->session_id,
                             .home = claims->home,
                             .tenant = claims->tenant};
    *request = *call->request;
    request->within = &claims->scopes;
    call->request = request;
    return maker_lives(call, claims, request, err);
}

bool api_caller_find(struct api_call *call, struct err *err) {
    const struct api_credential *c = &call->request->credential;
    if (call->db && c->session.n && !(call->endpoint->flags & API_ANYBODY) && !find_session(call, err)) return false;
    if (call->db && c->token.n && !c->session.n && !find_token(call, err)) return false;
    if (!call->who.address.n) call->who.address = c->door.peer;
    if (!call->who.agent.n) call->who.agent = c->agent;
    if (call->who.tenant) call->scope = sql_tenant(call->db, call->who.tenant);
    if (c->out_name && call->who.name.n) buf_put(c->out_name, call->who.name);
    return true;
}
