// What all servers together have used of budgets, read from Redis by a thread that may wait.
#include "gateway/quota_look.h"

#include "base/mem.h"
#include "gateway/quota_redis_internal.h"

#define BATCH 256
#define WORDS 4 // HMGET key u r

struct looking {
    const struct conf *conf;
    struct redis_options options;
    const struct quota_part *parts[BATCH];
    size_t n, answered;
    struct str words[BATCH][WORDS];
    struct redis_ask asks[BATCH];
    struct buf keys;
    size_t ends[BATCH];
};

bool quota_is_shared(const struct conf *conf) { return conf->redis.url.n && conf->quota.mode != QUOTA_LOCAL; }

static uint64_t number_of(const struct resp *r) {
    int64_t v;
    if (r->type == RESP_INT) return (uint64_t)MAX(r->integer, INT64_C(0));
    return r->type == RESP_STRING && str_to_i64(r->text, &v) && v > 0 ? (uint64_t)v : 0;
}

static void on_answer(void *ctx, const struct resp *reply, const struct err *err) {
    struct looking *l = ctx;
    const struct quota_part *part = l->parts[l->answered++];
    (void)err;
    if (reply && reply->type == RESP_ARRAY && reply->n == 2)
        quota_heard(part, number_of(&reply->items[0]), number_of(&reply->items[1]));
}

static bool ask(struct looking *l, struct err *err) {
    struct redis_options o = l->options;
    if (!l->n) return true;
    if (l->keys.failed) return err_no_memory(err);
    for (size_t i = 0, from = 0; i < l->n; from = l->ends[i++]) {
        l->words[i][0] = STR("HMGET");
        l->words[i][1] = str_of(l->keys.p + from, l->ends[i] - from);
        l->words[i][2] = STR("u");
        l->words[i][3] = STR("r");
        l->asks[i] = (struct redis_ask){l->words[i], WORDS};
    }
    l->answered = 0;
    bool ok = redis_ask_all(&o, l->asks, l->n, QUOTA_LOOK_MS, on_answer, l, err);
    l->n = 0;
    buf_clear(&l->keys);
    return ok;
}

static bool look_at(struct looking *l, const struct quota_part *part, struct err *err) {
    struct quota_state state;
    if (!quota_part_state(part, &state)) return true;
    quota_put_counter_key(&l->keys, l->conf->redis.key_prefix, part->budget, state.start);
    l->ends[l->n] = l->keys.n;
    l->parts[l->n++] = part;
    return l->n < BATCH || ask(l, err);
}

bool quota_look(const struct conf *conf, const struct quota_list *list, bool stirring, struct err *err) {
    struct looking *l = mem_zalloc(1, sizeof *l);
    if (!l) return err_no_memory(err);
    l->conf = conf;
    buf_init(&l->keys, BATCH * QUOTA_KEY_MAX);
    bool ok = redis_options_of(&conf->redis, &l->options) ||
              err_set(err, ERR_CONFIG_INVALID, "redis.url is not the address of a Redis");
    l->options.connect_ms = l->options.timeout_ms = QUOTA_LOOK_MS;
    for (size_t i = 0; ok && i < list->n; i++)
        if (!stirring || quota_stirs(&list->parts[i])) ok = look_at(l, &list->parts[i], err);
    ok = ok && ask(l, err);
    redis_url_wipe(&l->options.at);
    buf_free(&l->keys);
    mem_free(l);
    return ok;
}
