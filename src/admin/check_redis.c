// Tries the Redis that the configuration names: sign-in, version, what it does when its memory is full.
#include "admin/check_impl.h"
#include "net/redis.h"

#include <stdio.h>

#define OLDEST 6

struct findings {
    struct check *c;
    size_t answers;
    char version[32], policy[32];
    uint64_t memory; // 0 = no limit
    bool no_config;  // it does not tell
};

// The value of "name:value\r\n" in the text of INFO.
static void info_value(struct str info, struct str name, char *out, size_t cap) {
    struct str line;
    while (str_split(&info, '\n', &line)) {
        line = str_trim(line);
        if (!str_starts(line, name) || line.n <= name.n || line.p[name.n] != ':') continue;
        snprintf(out, cap, "%.*s", STR_ARG(str_from(line, name.n + 1)));
        return;
    }
}

static void on_answer(void *ctx, const struct resp *reply, const struct err *err) {
    struct findings *f = ctx;
    const struct resp *value;
    switch (f->answers++) {
    case 0:
        if (!reply) check_note(f->c, CHECK_FAILED, "it does not answer a PING: %s", err->message);
        return;
    case 1:
        if (reply && reply->type == RESP_STRING)
            info_value(reply->text, STR("redis_version"), f->version, sizeof f->version);
        return;
    case 2:
        value = reply ? resp_member(reply, STR("maxmemory-policy")) : NULL;
        f->no_config = !value || value->type != RESP_STRING;
        if (!f->no_config) snprintf(f->policy, sizeof f->policy, "%.*s", STR_ARG(value->text));
        return;
    default:
        value = reply ? resp_member(reply, STR("maxmemory")) : NULL;
        if (!value || value->type != RESP_STRING || !str_to_u64(value->text, &f->memory)) f->memory = 0;
    }
}

static void judge(struct check *c, const struct findings *f) {
    uint64_t major = 0;
    struct str rest = str_c(f->version), number = STR_NONE;
    if (str_split(&rest, '.', &number) && str_to_u64(number, &major) && major < OLDEST) {
        check_note(c, CHECK_FAILED, "it is version %s", f->version);
        check_advise(c, "version %d or later is needed", OLDEST);
        return;
    }
    if (c->verdict == CHECK_FAILED) return;
    check_note(c, CHECK_OK, "signed in, version %s", f->version[0] ? f->version : "unknown");
    if (f->no_config) {
        check_note(c, CHECK_OK, "it does not tell its settings");
    } else if (f->memory && strcmp(f->policy, "noeviction") != 0) {
        check_note(c, CHECK_WARNING, "it throws keys away when its memory is full (maxmemory-policy %s)", f->policy);
        check_advise(c, "counters that are thrown away begin anew: set maxmemory-policy noeviction");
    }
}

static void advise(struct check *c, const struct err *err) {
    struct str text = str_c(err->message);
    if (str_find(text, STR("login was refused")) < text.n)
        check_advise(c, "are user and password of redis.url right?");
    else if (str_find(text, STR("certificate")) < text.n)
        check_advise(c, "look at redis.tls_ca");
    else
        check_advise(c, "is redis.url right, and does it listen there?");
}

static void run_redis(struct check_list *l, struct check *c) {
    static const struct str ping[] = {STR_INIT("PING")}, info[] = {STR_INIT("INFO"), STR_INIT("server")},
                            policy[] = {STR_INIT("CONFIG"), STR_INIT("GET"), STR_INIT("maxmemory-policy")},
                            memory[] = {STR_INIT("CONFIG"), STR_INIT("GET"), STR_INIT("maxmemory")};
    static const struct redis_ask asks[] = {{ping, 1}, {info, 2}, {policy, 3}, {memory, 3}};
    struct findings f = {.c = c};
    struct redis_options o;
    struct err err;
    if (!redis_options_of(&l->conf->redis, &o)) {
        check_note(c, CHECK_FAILED, "its address cannot be understood");
        return;
    }
    if (redis_ask_all(&o, asks, ARRAY_LEN(asks), check_time_left(l, CHECK_OWN_MS), on_answer, &f, &err)) {
        judge(c, &f);
    } else {
        check_note(c, CHECK_FAILED, "%s", err.message);
        advise(c, &err);
    }
    redis_url_wipe(&o.at);
}

void check_add_redis(struct check_list *l) {
    if (l->conf->redis.url.n) check_add(l, CHECK_REDIS, STR("redis"), run_redis, NULL, "redis");
}
