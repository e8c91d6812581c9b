// The API of sessions: one's own, and with the permission those of others.
#include "admin/api_signing.h"

#include "base/json_write.h"

#define LIMIT_MAX 200

struct page {
    struct api_call *call;
    struct json_writer *w;
    int64_t limit, n, last;
};

static void put_time(struct json_writer *w, struct str name, int64_t at) {
    char text[TIME_TEXT_LEN];
    time_text(text, at);
    json_put_member_str(w, name, str_of(text, sizeof text));
}

static bool put_one(void *arg, const struct session_row *row, struct err *err) {
    struct page *p = arg;
    char id[SESSION_ID_TEXT_LEN], user[ENTITY_ID_TEXT_MAX];
    (void)err;
    if (p->n++ == p->limit) return true; // there is another page
    session_id_text(id, row->id);
    json_put_object(p->w);
    json_put_member_str(p->w, STR("id"), str_of(id, sizeof id));
    json_put_member_str(p->w, STR("user_id"), entity_id_text(&entity_user, row->user_id, user));
    json_put_member_str(p->w, STR("email"), row->email);
    put_time(p->w, STR("created_at"), row->created_at);
    put_time(p->w, STR("seen_at"), row->seen_at);
    put_time(p->w, STR("expires_at"), row->expires_at);
    json_put_member_str(p->w, STR("address"), row->address);
    json_put_member_str(p->w, STR("agent"), row->agent);
    json_put_member_bool(p->w, STR("second_factor"), row->second_factor);
    json_put_member_bool(p->w, STR("current"), row->id == p->call->who.session_id);
    json_put_object_end(p->w);
    p->last = row->id;
    return true;
}

static bool may_on(struct api_call *call, enum action action, struct err *err) {
    struct policy_resource r = {.type = RESOURCE_SESSION, .tenant = call->who.tenant};
    return api_check(call, action, &r, err);
}

// One's own need no permission; a key or token needs it among its scopes.
static bool is_own(const struct api_call *call, enum action action) {
    const struct permission_set *within = call->request->within;
    return call->who.principal.kind == PRINCIPAL_USER && call->who.tenant == call->who.home &&
           (!within || permission_has(within, RESOURCE_SESSION, action));
}

// Whose: "me" (what people get when they say nothing), a user, or "all".
static bool read_wanted(struct api_call *call, struct session_wanted *out, struct err *err) {
    struct str user = api_param(call, "user"), limit = api_param(call, "limit"), cursor = api_param(call, "cursor");
    struct session_wanted w = {.limit = 50, .now = call->now};
    bool person = is_own(call, ACTION_READ);
    uint64_t n;
    if (limit.n) {
        if (!str_to_u64(limit, &n) || n < 1 || n > LIMIT_MAX)
            return api_wrong(err, "limit", "limit: expected a number from 1 to %d", LIMIT_MAX);
        w.limit = (int64_t)n;
    }
    if (cursor.n && !session_id_parse(cursor, &w.before))
        return api_wrong(err, "cursor", "cursor: expected the one that the page before gave");
    if (person && (!user.n || str_eq(user, STR("me")))) {
        w.user = call->who.principal.id;
    } else {
        if (user.n && !str_eq(user, STR("all")) && !entity_id_parse(&entity_user, user, &w.user))
            return api_wrong(err, "user", "user: expected the id of a user, \"me\" or \"all\"");
        if (!may_on(call, ACTION_READ, err)) return false;
    }
    *out = w;
    return true;
}

static bool get_sessions(struct api_call *call, struct err *err) {
    struct session_wanted wanted = {0};
    struct json_writer w;
    struct api_auth auth;
    char cursor[SESSION_ID_TEXT_LEN];
    if (!read_wanted(call, &wanted, err)) return false;
    struct page page = {.call = call, .w = &w, .limit = wanted.limit++};
    api_auth_begin(call->api, &auth);
    wanted.idle = auth.auth->session.idle * 1000000;
    api_auth_end(&auth);
    api_answer(call, &w);
    json_put_object(&w);
    json_put_member_array(&w, STR("data"));
    if (!session_each(call->scope, &wanted, put_one, &page, err)) return false;
    json_put_array_end(&w);
    if (page.n > page.limit) {
        session_id_text(cursor, page.last);
        json_put_member_str(&w, STR("next_cursor"), str_of(cursor, sizeof cursor));
    } else {
        json_put_member_null(&w, STR("next_cursor"));
    }
    json_put_object_end(&w);
    return true;
}

static bool delete_one(struct api_call *call, struct err *err) {
    int64_t id, user;
    if (!session_id_parse(call->params[0], &id)) return err_set(err, ERR_NOT_FOUND, "there is no such session");
    bool found = session_owner(call->scope, id, &user, err);
    if (!found && err->code != ERR_NOT_FOUND) return false;
    bool own = found && user == call->who.principal.id && is_own(call, ACTION_DELETE);
    // Whoever may not end others' is not told which there are.
    if (!own && !may_on(call, ACTION_DELETE, err)) return false;
    if (!session_revoke(call->scope, id, call->now, err)) return false;
    call->event.resource_id = call->params[0];
    call->reply->status = 204;
    return true;
}

static const struct api_endpoint k_sessions[] = {
    {.method = HTTP_GET,
     .path = STR_INIT("/api/v1/sessions"),
     .resource = RESOURCE_SESSION,
     .action = ACTION_READ,
     .flags = API_OPEN,
     .handle = get_sessions,
     .query = "user limit cursor",
     .summary = "Lists one's own sessions; with session:read those of a user, or all"},
    {.method = HTTP_DELETE,
     .path = STR_INIT("/api/v1/sessions/:id"),
     .resource = RESOURCE_SESSION,
     .action = ACTION_DELETE,
     .flags = API_OPEN | API_CHANGES,
     .handle = delete_one,
     .query = "",
     .summary = "Ends one of one's own sessions; with session:delete, anybody's"},
};
const struct api_table api_table_sessions = {"Sessions", k_sessions, ARRAY_LEN(k_sessions)};
