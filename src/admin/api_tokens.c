// The API of access tokens: making one, and the keys that others check them with.
#include "admin/api_signing.h"

#include "access/token.h"
#include "base/json_write.h"

#define NOTE_MAX 8192

static bool may_make(const struct api_call *call, struct err *err) {
    enum principal_kind kind = call->who.principal.kind;
    // Else one could be kept alive for ever.
    if (call->request->credential.token.n && !call->request->credential.session.n)
        return err_set(err, ERR_FORBIDDEN, "an access token cannot make another one");
    if (kind == PRINCIPAL_USER || kind == PRINCIPAL_SERVICE_ACCOUNT || kind == PRINCIPAL_KEY) return true;
    return err_set(err, ERR_FORBIDDEN, "admin keys have no access tokens: use a key, a user or a service account");
}

static bool read_permissions(struct api_call *call, struct str raw, struct permission_set *out, struct err *err) {
    struct json_reader r;
    enum json_kind kind;
    struct str item, text;
    size_t n = 0;
    json_reader_init(&r, raw, 2);
    if (json_enter_array(&r))
        while (json_element(&r, &kind)) {
            if (!json_string(&r, &item)) break;
            if (!json_string_text(item, call->arena, &text)) return err_no_memory(err);
            if (!permission_add(out, text, err)) {
                snprintf(err->param, sizeof err->param, "permissions");
                return false;
            }
            n++;
        }
    if (!json_end(&r, err)) return false;
    return n || api_wrong(err, "permissions", "permissions: expected at least one, such as \"model:use\"");
}

static bool read_wanted(struct api_call *call, const struct conf_auth *auth, struct token_claims *out,
                        struct err *err) {
    struct json_field f[] = {{.name = STR_INIT("permissions"), .kinds = JSON_IS(JSON_ARRAY), .required = true},
                             {.name = STR_INIT("expires_in"), .kinds = JSON_IS(JSON_NUMBER)}};
    int64_t seconds = MIN(INT64_C(900), auth->tokens.lifetime / 1000);
    if (!json_scan(call->request->body, f, ARRAY_LEN(f), err) || !read_permissions(call, f[0].raw, &out->scopes, err))
        return false;
    if (f[1].found && (!json_raw_i64(f[1].raw, &seconds) || seconds < 1 || seconds > auth->tokens.lifetime / 1000))
        return api_wrong(err, "expires_in", "expires_in: expected a number of seconds from 1 to %lld",
                         (long long)(auth->tokens.lifetime / 1000));
    if (call->request->within && !permission_subset(&out->scopes, call->request->within))
        return err_set(err, ERR_FORBIDDEN, "the scopes of your key leave out some of these permissions");
    out->expires_at = call->now + seconds * 1000000000;
    return true;
}

static bool write_event(struct api_call *call, const struct token_claims *claims, struct err *err) {
    BUF_AUTO struct buf after = BUF_INIT(NOTE_MAX);
    struct json_writer w;
    char text[TIME_TEXT_LEN];
    time_text(text, claims->expires_at);
    json_writer_init(&w, &after);
    json_put_object(&w);
    json_put_member_str(&w, STR("expires_at"), str_of(text, sizeof text));
    json_put_member_array(&w, STR("permissions"));
    for (unsigned t = 0; t < RESOURCE_TYPE_COUNT; t++)
        for (unsigned a = 0; a < ACTION_COUNT; a++) {
            if (!permission_has(&claims->scopes, (enum resource_type)t, (enum action)a)) continue;
            struct str type = resource_type_name((enum resource_type)t), action = action_name((enum action)a);
            json_put_str(&w, arena_printf(call->arena, "%.*s:%.*s", STR_ARG(type), STR_ARG(action)));
        }
    json_put_array_end(&w);
    json_put_object_end(&w);
    if (after.failed) return err_no_memory(err);
    call->event.resource_type = STR("token");
    call->event.resource_id = str_of(claims->jti, TOKEN_JTI_LEN);
    call->event.after = buf_str(&after);
    if (!sql_begin(call->db, err)) return false;
    bool ok = api_event_append(call, AUDIT_OK, STR_NONE, err);
    call->event.after = STR_NONE;
    if (ok) return sql_commit(call->db, err);
    sql_rollback(call->db);
    return false;
}

static void answer(struct api_call *call, const struct token_claims *claims, struct str token) {
    struct json_writer w;
    api_answer(call, &w);
    json_put_object(&w);
    json_put_member_str(&w, STR("access_token"), token);
    json_put_member_str(&w, STR("token_type"), STR("Bearer"));
    json_put_member_i64(&w, STR("expires_in"), (claims->expires_at - call->now) / 1000000000);
    json_put_object_end(&w);
}

static bool make(struct api_call *call, const struct conf_auth *auth, struct err *err) {
    struct token_claims claims = {.principal = call->who.principal,
                                  .home = call->who.home,
                                  .tenant = call->who.tenant,
                                  .key_id = call->who.key_id,
                                  .session_id = call->who.session_id};
    struct buf text = BUF_INIT(TOKEN_MAX);
    bool new_key = false;
    bool ok = read_wanted(call, auth, &claims, err) &&
              token_make(call->db, call->api->dir, auth, call->now, &claims, &text, &new_key, err) &&
              write_event(call, &claims, err);
    if (new_key) datadir_key_changed(call->api->dir);
    if (ok) answer(call, &claims, buf_str(&text));
    secret_wipe(text.p, text.n);
    buf_free(&text);
    return ok;
}

static bool post_token(struct api_call *call, struct err *err) {
    struct api_auth auth;
    if (!may_make(call, err)) return false;
    api_auth_begin(call->api, &auth);
    bool ok = make(call, auth.auth, err);
    api_auth_end(&auth);
    call->reply->status = 201;
    return ok;
}

static bool get_key_set(struct api_call *call, struct err *err) {
    struct token_keys *keys;
    struct json_writer w;
    if ((!call->db && !datadir_open_db(call->api->dir, SQL_BUSY_MS_DEFAULT, &call->db, err)) ||
        !token_keys_load(call->db, call->now, &keys, err))
        return false;
    api_answer(call, &w);
    token_keys_put(&w, keys, call->now);
    token_keys_unref(keys);
    return true;
}

static const struct api_endpoint k_tokens[] = {
    {.method = HTTP_POST,
     .path = STR_INIT("/api/v1/tokens"),
     .resource = RESOURCE_SESSION,
     .action = ACTION_READ,
     .flags = API_OPEN | API_TELLS,
     .handle = post_token,
     .query = "",
     .body = "{\"type\":\"object\",\"required\":[\"permissions\"],\"properties\":{\"permissions\":{\"type\":\"array\","
             "\"items\":{\"type\":\"string\"}},\"expires_in\":{\"type\":\"integer\",\"minimum\":1}}}",
     .summary = "Makes a short-lived access token for some of one's own permissions, for the tenant one acts for",
     .audit = "token.create"},
    {.method = HTTP_GET,
     .path = STR_INIT("/.well-known/jwks.json"),
     .resource = RESOURCE_SESSION,
     .action = ACTION_READ,
     .flags = API_OPEN | API_ANYBODY,
     .handle = get_key_set,
     .query = "",
     .summary = "The public keys that access tokens are checked with"},
};
const struct api_table api_table_tokens = {"Access tokens", k_tokens, ARRAY_LEN(k_tokens)};
