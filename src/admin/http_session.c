// Takes what tells who somebody is, other than a key, from the fields of a request.
#include "access/token.h"
#include "admin/call.h"

static struct str field(const struct admin_call *call, const char *name) {
    struct str value = http_field_get(call->req->fields, call->req->field_count, str_c(name));
    return value.p ? value : STR("");
}

static struct str bearer(const struct admin_call *call) {
    struct str value = field(call, "authorization");
    bool is = value.n > 7 && str_eq_nocase(str_head(value, 7), STR("bearer "));
    return is ? str_trim(str_from(value, 7)) : STR("");
}

static struct session_door door_of(const struct admin_call *call) {
    return (struct session_door){.tls = call->req->tls, .peer = call->req->peer, .host = call->req->host};
}

// A key that is shown goes before a cookie, which browsers send unasked.
static struct str session_of(const struct admin_call *call) {
    struct session_door door = door_of(call);
    struct str text;
    if (field(call, "authorization").n || field(call, "x-api-key").n) return STR("");
    return session_cookie_find(field(call, "cookie"), &door, &text) ? text : STR("");
}

bool admin_signed_in(const struct admin_call *call) { return token_looks_like(bearer(call)) || session_of(call).n; }

bool admin_credential(struct admin_call *call) {
    struct api_credential *c = &call->request.credential;
    struct str token = bearer(call), *const texts[] = {&c->session,       &c->token,
                                                       &c->door.peer,     &c->door.host,
                                                       &c->agent,         &c->origin.csrf_header,
                                                       &c->origin.origin, &c->origin.fetch_site,
                                                       &c->origin.host};
    *c = (struct api_credential){
        .session = session_of(call),
        .token = token_looks_like(token) ? token : STR(""),
        .door = door_of(call),
        .origin = {.csrf_header = field(call, SESSION_CSRF_HEADER),
                   .origin = field(call, "origin"),
                   .fetch_site = field(call, "sec-fetch-site"),
                   .host = call->req->host,
                   .tls = call->req->tls},
        .agent = str_head(field(call, "user-agent"), 256),
        .out_name = &call->name,
    };
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        *texts[i] = arena_str(&call->arena, *texts[i]);
        if (!texts[i]->p) return false;
    }
    return true;
}
