// How a new connection to Redis is made ready: HELLO 3 with the credentials, or AUTH where that is unknown; SELECT.
#include "net/redis_internal.h"

#include <stdio.h>

enum { STEP_HELLO, STEP_AUTH, STEP_SELECT };

static void send_step(struct redis *r, uint8_t step, const struct str *args, size_t n) {
    r->greeting = step;
    bool sent = redis_own(r, REDIS_GREETING, args, n);
    secret_wipe(r->out.p, r->out.cap); // it may have held the password
    if (!sent) redis_lost(r, ERR_NO_MEMORY, "out of memory");
}

static void greet_select(struct redis *r) {
    char db[20];
    const struct str args[] = {STR("SELECT"), str_of(db, fmt_u64(db, r->o.at.db))};
    if (r->o.at.db)
        send_step(r, STEP_SELECT, args, ARRAY_LEN(args));
    else
        redis_is_up(r);
}

static bool has_login(const struct redis *r) { return r->o.at.user[0] || r->o.at.password[0]; }

// For servers before version 6.
static void greet_auth(struct redis *r) {
    const struct str args[] = {STR("AUTH"), str_c(r->o.at.user), str_c(r->o.at.password)};
    const struct str plain[] = {STR("AUTH"), str_c(r->o.at.password)};
    if (!has_login(r))
        greet_select(r);
    else if (r->o.at.user[0])
        send_step(r, STEP_AUTH, args, ARRAY_LEN(args));
    else
        send_step(r, STEP_AUTH, plain, ARRAY_LEN(plain));
}

void redis_greet(struct redis *r) {
    const char *user = r->o.at.user[0] ? r->o.at.user : "default";
    const struct str args[] = {STR("HELLO"),   STR("3"),       STR("AUTH"), str_c(user), str_c(r->o.at.password),
                               STR("SETNAME"), STR("penstock")};
    const struct str anonymous[] = {STR("HELLO"), STR("3"), STR("SETNAME"), STR("penstock")};
    if (has_login(r))
        send_step(r, STEP_HELLO, args, ARRAY_LEN(args));
    else
        send_step(r, STEP_HELLO, anonymous, ARRAY_LEN(anonymous));
}

static bool no_hello(struct str error) {
    return str_starts(error, STR("NOPROTO")) || str_starts(error, STR("ERR unknown command"));
}

static void refused(struct redis *r, const char *step, struct str error) {
    char what[160];
    snprintf(what, sizeof what, "%s was refused: %.*s", step, (int)MIN(error.n, (size_t)120), error.p);
    redis_lost(r, ERR_UPSTREAM_REFUSED, what);
}

static void hello_answered(struct redis *r, const struct resp *reply) {
    const struct resp *version = resp_member(reply, STR("version"));
    r->stats.resp3 = reply->type == RESP_MAP;
    if (version && version->type == RESP_STRING)
        snprintf(r->stats.version, sizeof r->stats.version, "%.*s", STR_ARG(version->text));
    greet_select(r);
}

// reply may be a RESP_ERROR here.
void redis_greeting(struct redis *r, const struct resp *reply) {
    bool error = reply->type == RESP_ERROR;
    switch (r->greeting) {
    case STEP_HELLO:
        if (!error) {
            hello_answered(r, reply);
        } else if (no_hello(reply->text)) {
            r->stats.resp3 = false;
            greet_auth(r);
        } else {
            refused(r, "the login", reply->text);
        }
        return;
    case STEP_AUTH:
        if (error)
            refused(r, "the login", reply->text);
        else
            greet_select(r);
        return;
    default:
        if (error)
            refused(r, "the database", reply->text);
        else
            redis_is_up(r);
    }
}
