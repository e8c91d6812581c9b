// The API of one's own session: signing in and out, password, second factor.
#include "admin/api_signing.h"

#include "access/host_table.h"

#include "base/json_write.h"

#define ISSUER "Penstock"

static struct sign_in_room room_of(struct api_call *call, const struct api_auth *auth) {
    struct sign_in_room room = {.db = call->db,
                                .dir = call->api->dir,
                                .auth = auth->auth,
                                .hasher = call->api->hasher,
                                .signer = call->api->signer,
                                .from = call->event,
                                .lose = api_may_lose(call->api) ? api_event_lost : NULL,
                                .ctx = call->api};
    room.from.resource_id = room.from.resource_type = STR("");
    return room;
}

// --- what is asked ---

#define TEXTS_MAX 4
// Text members of the body; names ends with NULL, one that begins with '?' may be left out.
static bool read_texts(struct api_call *call, const char *const *names, struct str *out_texts, struct err *err) {
    struct json_field f[TEXTS_MAX] = {0};
    size_t n = 0;
    for (; names[n]; n++) {
        bool may_lack = names[n][0] == '?';
        f[n].name = str_c(names[n] + may_lack);
        f[n].kinds = JSON_IS(JSON_STRING) | (may_lack ? JSON_OR_NULL : 0);
        f[n].required = !may_lack;
    }
    if (!json_scan(call->request->body, f, n, err)) return false;
    for (size_t i = 0; i < n; i++) {
        out_texts[i] = STR("");
        if (f[i].found && f[i].kind == JSON_STRING && !json_string_text(f[i].raw, call->arena, &out_texts[i]))
            return err_no_memory(err);
    }
    return true;
}

static bool need_person(const struct api_call *call, struct err *err) {
    if (call->who.principal.kind == PRINCIPAL_USER && call->who.session_id && !call->who.key_id &&
        call->request->credential.session.n)
        return true;
    return err_set(err, ERR_FORBIDDEN, "this is for people who signed in, not for keys and tokens");
}

// --- what is answered ---

static void put_person(struct json_writer *w, int64_t user, struct str email, struct str name, struct str tenant_name,
                       int64_t tenant) {
    char id[ENTITY_ID_TEXT_MAX];
    json_put_member_object(w, STR("user"));
    json_put_member_str(w, STR("id"), entity_id_text(&entity_user, user, id));
    json_put_member_str(w, STR("email"), email);
    json_put_member_str(w, STR("name"), name);
    json_put_object_end(w);
    json_put_member_object(w, STR("tenant"));
    json_put_member_str(w, STR("id"), entity_id_text(&entity_tenant, tenant, id));
    json_put_member_str(w, STR("name"), tenant_name);
    json_put_object_end(w);
}

static void put_time(struct json_writer *w, struct str name, int64_t at) {
    char text[TIME_TEXT_LEN];
    time_text(text, at);
    json_put_member_str(w, name, str_of(text, sizeof text));
}

static void put_session(struct json_writer *w, int64_t id, int64_t expires_at, bool second_factor, enum session_due due,
                        struct str csrf) {
    char text[SESSION_ID_TEXT_LEN];
    session_id_text(text, id);
    json_put_member_object(w, STR("session"));
    json_put_member_str(w, STR("id"), str_of(text, sizeof text));
    put_time(w, STR("expires_at"), expires_at);
    json_put_member_bool(w, STR("second_factor"), second_factor);
    json_put_object_end(w);
    // What is to be done before anything else.
    if (due == SESSION_DUE_NOTHING)
        json_put_member_null(w, STR("due"));
    else
        json_put_member_str(w, STR("due"), session_due_name(due));
    json_put_member_str(w, STR("csrf_token"), csrf);
}

// --- signing in and out ---

static bool enter(struct api_call *call, const struct sign_in_wanted *wanted, struct sign_in_done *out_done,
                  struct err *err) {
    struct api_auth auth;
    api_auth_begin(call->api, &auth);
    struct sign_in_room room = room_of(call, &auth);
    room.from.actor_id = room.from.actor_name = STR("");
    bool ok = sign_in(&room, wanted, call->now, call->arena, out_done, err);
    api_auth_end(&auth);
    return ok;
}

// At a tenant's own address, it is that tenant's people who sign in.
static bool host_place(struct api_call *call, struct str *tenant, struct err *err) {
    char id[ENTITY_ID_TEXT_MAX];
    int64_t of;
    struct entity_row *row = ARENA_NEW(call->arena, struct entity_row);
    if (!row) return err_no_memory(err);
    if (!host_tenant(call->db, call->request->credential.door.host, &of, err)) return false;
    if (!of) return true;
    if (!entity_get(sql_platform(call->db), &entity_tenant, of, call->arena, row, err)) return false;
    struct str own = arena_str(call->arena, entity_id_text(&entity_tenant, of, id));
    if (!own.p) return err_no_memory(err);
    bool same = !tenant->n || str_eq(*tenant, own) || str_eq(*tenant, entity_at(&entity_tenant, row, "name")->s);
    *tenant = own;
    return same ||
           err_set(err, ERR_FORBIDDEN, "this address is of one tenant: leave \"tenant\" out, or use another address");
}

static bool post_session(struct api_call *call, struct err *err) {
    static const char *const names[] = {"email", "password", "?tenant", "?code", NULL};
    struct str t[TEXTS_MAX];
    struct sign_in_done done;
    struct json_writer w;
    // Nobody is signed in by a page of another site.
    if (!session_origin_check(&call->request->credential.origin, NULL, err) || !read_texts(call, names, t, err) ||
        (!call->db && !datadir_open_db(call->api->dir, SQL_BUSY_MS_DEFAULT, &call->db, err)))
        return false;
    if (!host_place(call, &t[2], err)) return false;
    struct sign_in_wanted wanted = {t[0], t[1], t[2], t[3]};
    if (!enter(call, &wanted, &done, err)) return false;
    api_set_cookie(call, session_text_str(&done.session.text), done.session.expires_at);
    api_answer(call, &w);
    json_put_object(&w);
    put_person(&w, done.user.id, done.user.email, done.user.name, done.user.tenant, done.user.tenant_id);
    put_session(&w, done.session.id, done.session.expires_at, done.second_factor, done.due,
                str_of(done.session.csrf, SESSION_CSRF_LEN));
    json_put_object_end(&w);
    return call->reply->cookie.n || err_no_memory(err);
}

static void put_other(struct api_call *call) {
    char id[ENTITY_ID_TEXT_MAX];
    struct json_writer w;
    api_answer(call, &w);
    json_put_object(&w);
    json_put_member_str(&w, STR("kind"), principal_kind_name(call->who.principal.kind));
    json_put_member_str(&w, STR("principal"), api_principal_text(call->who.principal, id));
    json_put_member_str(&w, STR("name"), call->who.name);
    json_put_member_str(&w, STR("tenant"), entity_id_text(&entity_tenant, call->who.tenant, id));
    json_put_object_end(&w);
}

static bool get_session(struct api_call *call, struct err *err) {
    struct session_found found;
    struct user_row user;
    struct api_auth auth;
    struct json_writer w;
    // Of keys and tokens: who they are for.
    if (!call->request->credential.session.n) {
        put_other(call);
        return true;
    }
    api_auth_begin(call->api, &auth);
    bool ok =
        session_check(call->db, auth.auth, call->request->credential.session, call->now, call->arena, &found, err);
    api_auth_end(&auth);
    if (!ok || !user_get(sql_tenant(call->db, found.who.home), found.who.principal.id, call->arena, &user, err))
        return false;
    api_answer(call, &w);
    json_put_object(&w);
    json_put_member_str(&w, STR("kind"), STR("user"));
    put_person(&w, user.id, user.email, user.name, user.tenant, user.tenant_id);
    put_session(&w, found.who.session_id, found.expires_at, found.second_factor, found.due, found.csrf);
    json_put_member_bool(&w, STR("has_second_factor"), user.totp_at != 0);
    json_put_object_end(&w);
    return true;
}

static bool delete_session(struct api_call *call, struct err *err) {
    struct api_auth auth;
    if (!need_person(call, err)) return false;
    api_auth_begin(call->api, &auth);
    struct sign_in_room room = room_of(call, &auth);
    bool ok = sign_out(&room, &call->who, call->now, err);
    api_auth_end(&auth);
    if (!ok) return false;
    api_set_cookie(call, STR(""), 0);
    call->reply->status = 204;
    return true;
}

// --- password and second factor ---

static bool post_password(struct api_call *call, struct err *err) {
    static const char *const names[] = {"password", "new_password", NULL};
    struct str t[TEXTS_MAX];
    struct session_text text;
    struct api_auth auth;
    if (!need_person(call, err) || !read_texts(call, names, t, err)) return false;
    api_auth_begin(call->api, &auth);
    struct sign_in_room room = room_of(call, &auth);
    bool ok = account_change_password(&room, &call->who, call->request->credential.session, t[0], t[1], call->now,
                                      call->arena, &text, err);
    if (ok) api_set_cookie(call, session_text_str(&text), call->now + auth.auth->session.lifetime * 1000000);
    api_auth_end(&auth);
    call->reply->status = 204;
    return ok;
}

static bool post_totp(struct api_call *call, struct err *err) {
    static const char *const names[] = {"password", NULL};
    struct str t[TEXTS_MAX];
    char secret[TOTP_SECRET_SIZE];
    struct api_auth auth;
    struct json_writer w;
    if (!need_person(call, err) || !read_texts(call, names, t, err)) return false;
    api_auth_begin(call->api, &auth);
    struct sign_in_room room = room_of(call, &auth);
    bool ok = account_begin_totp(&room, &call->who, t[0], call->now, call->arena, secret, err);
    api_auth_end(&auth);
    if (!ok) return false;
    struct buf text = BUF_INIT(256), uri = BUF_INIT(4096);
    totp_secret_put(&text, secret);
    totp_uri_put(&uri, secret, STR(ISSUER), call->who.name);
    api_answer(call, &w);
    json_put_object(&w);
    json_put_member_str(&w, STR("secret"), buf_str(&text));
    json_put_member_str(&w, STR("uri"), buf_str(&uri));
    json_put_object_end(&w);
    ok = (!text.failed && !uri.failed) || err_no_memory(err);
    secret_wipe(secret, sizeof secret);
    secret_wipe(text.p, text.n);
    secret_wipe(uri.p, uri.n);
    buf_free(&text);
    buf_free(&uri);
    return ok;
}

static void put_codes(struct api_call *call, struct recovery_codes *codes) {
    struct json_writer w;
    api_answer(call, &w);
    json_put_object(&w);
    json_put_member_array(&w, STR("recovery_codes"));
    for (size_t i = 0; i < RECOVERY_CODES; i++) json_put_str(&w, str_of(codes->p[i], RECOVERY_CODE_LEN));
    json_put_array_end(&w);
    json_put_object_end(&w);
    secret_wipe(codes, sizeof *codes);
}

static bool post_confirm(struct api_call *call, struct err *err) {
    static const char *const names[] = {"code", NULL};
    struct str t[TEXTS_MAX];
    struct recovery_codes codes;
    struct api_auth auth;
    if (!need_person(call, err) || !read_texts(call, names, t, err)) return false;
    api_auth_begin(call->api, &auth);
    struct sign_in_room room = room_of(call, &auth);
    bool ok = account_confirm_totp(&room, &call->who, t[0], call->now, call->arena, &codes, err);
    api_auth_end(&auth);
    if (ok) put_codes(call, &codes);
    return ok;
}

static bool delete_totp(struct api_call *call, struct err *err) {
    static const char *const names[] = {"password", NULL};
    struct str t[TEXTS_MAX];
    struct api_auth auth;
    if (!need_person(call, err) || !read_texts(call, names, t, err)) return false;
    api_auth_begin(call->api, &auth);
    struct sign_in_room room = room_of(call, &auth);
    bool ok = account_end_totp(&room, &call->who, t[0], call->now, call->arena, err);
    api_auth_end(&auth);
    call->reply->status = 204;
    return ok;
}

static bool post_codes(struct api_call *call, struct err *err) {
    static const char *const names[] = {"password", NULL};
    struct str t[TEXTS_MAX];
    struct recovery_codes codes;
    struct api_auth auth;
    if (!need_person(call, err) || !read_texts(call, names, t, err)) return false;
    api_auth_begin(call->api, &auth);
    struct sign_in_room room = room_of(call, &auth);
    bool ok = account_renew_codes(&room, &call->who, t[0], call->now, call->arena, &codes, err);
    api_auth_end(&auth);
    if (ok) put_codes(call, &codes);
    return ok;
}

// Somebody else's: whoever sets it can sign in as that one, so must hold all that one holds.
static bool post_user_password(struct api_call *call, struct err *err) {
    struct json_field f[] = {{.name = STR_INIT("password"), .kinds = JSON_IS(JSON_STRING), .required = true},
                             {.name = STR_INIT("must_change"), .kinds = JSON_IS(JSON_BOOL)}};
    struct entity_row *row = ARENA_NEW(call->arena, struct entity_row);
    struct api_auth auth;
    struct str password;
    bool must_change = true;
    if (!row) return err_no_memory(err);
    if (!api_find(call, &api_kind_user, ACTION_UPDATE, row, err) ||
        !json_scan(call->request->body, f, ARRAY_LEN(f), err))
        return false;
    struct principal other = {PRINCIPAL_USER, row->id};
    if (!api_policy_with(call, &other, 1, err)) return false;
    if (!policy_may_become(call->policy, &call->subject, other, row->tenant_id, NULL, call->now, err)) {
        call->denied = true;
        return false;
    }
    if (!json_string_text(f[0].raw, call->arena, &password)) return err_no_memory(err);
    if (f[1].found && !json_raw_bool(f[1].raw, &must_change)) return false;
    api_auth_begin(call->api, &auth);
    struct sign_in_room room = room_of(call, &auth);
    bool ok = account_reset_password(&room, sql_tenant(call->db, row->tenant_id), row->id, password, must_change,
                                     call->now, call->arena, err);
    api_auth_end(&auth);
    call->reply->status = 204;
    return ok;
}

#define OBJECT(required, members) "{\"type\":\"object\",\"required\":[" required "],\"properties\":{" members "}}"
#define TEXT(name) "\"" name "\":{\"type\":\"string\"}"
#define OWN .resource = RESOURCE_SESSION, .action = ACTION_READ, .query = ""

static const struct api_endpoint k_session[] = {
    {.method = HTTP_POST,
     .path = STR_INIT("/api/v1/session"),
     OWN,
     .flags = API_OPEN | API_ANYBODY | API_TELLS,
     .handle = post_session,
     .body = OBJECT("\"email\",\"password\"", TEXT("email") "," TEXT("password") "," TEXT("tenant") "," TEXT("code")),
     .summary = "Signs in: sets the session's cookie"},
    {.method = HTTP_GET,
     .path = STR_INIT("/api/v1/session"),
     OWN,
     .flags = API_OPEN | API_DUE,
     .handle = get_session,
     .summary = "Shows who is signed in, and the token that changes must bring along"},
    {.method = HTTP_DELETE,
     .path = STR_INIT("/api/v1/session"),
     OWN,
     .flags = API_OPEN | API_TELLS | API_DUE,
     .handle = delete_session,
     .summary = "Signs out"},
    {.method = HTTP_POST,
     .path = STR_INIT("/api/v1/session/password"),
     OWN,
     .flags = API_OPEN | API_TELLS | API_DUE,
     .handle = post_password,
     .body = OBJECT("\"password\",\"new_password\"", TEXT("password") "," TEXT("new_password")),
     .summary = "Changes one's own password; other sessions end"},
    {.method = HTTP_POST,
     .path = STR_INIT("/api/v1/session/totp"),
     OWN,
     .flags = API_OPEN | API_TELLS | API_DUE,
     .handle = post_totp,
     .body = OBJECT("\"password\"", TEXT("password")),
     .summary = "Begins to set up a second factor: its secret, shown once"},
    {.method = HTTP_POST,
     .path = STR_INIT("/api/v1/session/totp/confirm"),
     OWN,
     .flags = API_OPEN | API_TELLS | API_DUE,
     .handle = post_confirm,
     .body = OBJECT("\"code\"", TEXT("code")),
     .summary = "Confirms the second factor by a code; shows recovery codes, once"},
    {.method = HTTP_DELETE,
     .path = STR_INIT("/api/v1/session/totp"),
     OWN,
     .flags = API_OPEN | API_TELLS | API_DUE,
     .handle = delete_totp,
     .body = OBJECT("\"password\"", TEXT("password")),
     .summary = "Takes the second factor away"},
    {.method = HTTP_POST,
     .path = STR_INIT("/api/v1/session/recovery-codes"),
     OWN,
     .flags = API_OPEN | API_TELLS | API_DUE,
     .handle = post_codes,
     .body = OBJECT("\"password\"", TEXT("password")),
     .summary = "Makes other recovery codes in place of those there are"},
    {.method = HTTP_POST,
     .path = STR_INIT("/api/v1/users/:id/password"),
     .resource = RESOURCE_USER,
     .action = ACTION_UPDATE,
     .flags = API_ROW | API_TELLS,
     .handle = post_user_password,
     .kind = &api_kind_user,
     .query = "",
     .body = OBJECT("\"password\"", TEXT("password") ",\"must_change\":{\"type\":\"boolean\",\"default\":true}"),
     .summary = "Sets a user's password, to be changed at their next sign-in; their sessions end",
     .audit = "user.reset_password"},
};
const struct api_table api_table_session = {"Signing in", k_session, ARRAY_LEN(k_session)};
