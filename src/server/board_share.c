// What servers tell each other of routing's targets through Redis.
#include "server/board_share.h"

#include "base/map.h"
#include "base/mem.h"
#include "os/clock.h"
#include "os/rand.h"
#include "server/server_internal.h"

#define ROUND_MS 250
#define ALIVE_MS 2000 // without an answer for so long, Redis counts as away
#define TELL_MAX 128  // slots in one round
#define ARGS_FIXED 3
#define TEXT_MAX (BOARD_NAME_MAX + (size_t)64)

// KEYS: what is known, by slot; the servers. ARGV: this server, then name, open until, cooldown until, key refused
// until (Unix ms) of each. Times of one slot are "OPEN:COOLDOWN:REFUSED"; the later ones stay. Returns the number of
// servers, then what is known.
static const char k_script[] =
    "local t = redis.call('TIME') local now = t[1] * 1000 + math.floor(t[2] / 1000) "
    "redis.call('ZADD', KEYS[2], now, ARGV[1]) redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now - 3000) "
    "redis.call('PEXPIRE', KEYS[2], 10000) "
    "for i = 2, #ARGV, 4 do local open, cool, no = tonumber(ARGV[i + 1]), tonumber(ARGV[i + 2]), tonumber(ARGV[i + 3]) "
    "local was = redis.call('HGET', KEYS[1], ARGV[i]) "
    "if was then local o, c, n = string.match(was, '(%d+):(%d+):(%d+)') "
    "open = math.max(open, tonumber(o or 0)) cool = math.max(cool, tonumber(c or 0)) "
    "no = math.max(no, tonumber(n or 0)) end "
    "redis.call('HSET', KEYS[1], ARGV[i], string.format('%.0f:%.0f:%.0f', open, cool, no)) end "
    "local all = redis.call('HGETALL', KEYS[1]) local out = {redis.call('ZCARD', KEYS[2])} "
    "for i = 1, #all, 2 do local o, c = string.match(all[i + 1], '(%d+):(%d+)') "
    "if math.max(tonumber(o or 0), tonumber(c or 0)) <= now then redis.call('HDEL', KEYS[1], all[i]) "
    "else out[#out + 1] = all[i] out[#out + 1] = all[i + 1] end end "
    "redis.call('PEXPIRE', KEYS[1], 900000) return out";

struct board_share_rounds {
    struct server *server;
    struct timer timer;
    struct redis_script script;
    struct redis_call *call; // under way; NULL: none
    char node[17];
    struct board_slot **slots; // room for all
    uint64_t answered_ns;      // when Redis last did; at first when it was to be asked
    uint32_t servers;          // then
    bool shared;               // limits are divided, or may be
    bool away;                 // as was logged
};

// --- names ---

static struct str slot_name(const struct board_slot *slot, char out[TEXT_MAX]) {
    int n = snprintf(out, TEXT_MAX, "%.*s\x1f%.*s\x1f%.*s", STR_ARG(board_slot_provider(slot)),
                     STR_ARG(board_slot_model(slot)), STR_ARG(board_slot_key(slot)));
    return str_of(out, (size_t)n);
}

static size_t take_slots(struct board_share_rounds *r) {
    return board_slots(r->server->board, r->slots, BOARD_SLOTS_MAX);
}

static void put_slots(struct board_share_rounds *r, size_t n) {
    for (size_t i = 0; i < n; i++) board_slot_put(r->slots[i]);
}

// --- limits ---

static void divide(struct board_share_rounds *r, uint32_t servers, bool closed) {
    size_t n = take_slots(r);
    for (size_t i = 0; i < n; i++) board_slot_divide(r->slots[i], servers, closed);
    put_slots(r, n);
}

static bool is_away(const struct board_share_rounds *r, uint64_t now_ns) {
    return now_ns - r->answered_ns > ALIVE_MS * NS_PER_MS;
}

static void apply_limits(struct board_share_rounds *r, enum conf_redis_failure policy, uint64_t now_ns) {
    bool away = is_away(r, now_ns);
    uint32_t servers = MAX(r->servers, 1U);
    if (away != r->away) {
        if (away)
            log_warn(r->server->log, LOG_MSG("routing's state is not shared: Redis does not answer"));
        else
            log_info(r->server->log, LOG_MSG("routing's state is shared again"));
    }
    r->away = away;
    r->shared = true;
    divide(r, away && policy != REDIS_FAILURE_SHARE ? 1 : servers, away && policy == REDIS_FAILURE_CLOSED);
}

// --- what others found ---

static bool read_time(struct str text, int64_t *out_ns) {
    uint64_t ms;
    if (!str_to_u64(text, &ms) || ms > (uint64_t)INT64_MAX / NS_PER_MS) return false;
    *out_ns = (int64_t)(ms * NS_PER_MS);
    return true;
}

static bool read_share(struct str text, struct board_share *out) {
    struct str open, cooldown, refused;
    return str_split(&text, ':', &open) && str_split(&text, ':', &cooldown) && str_split(&text, ':', &refused) &&
           read_time(open, &out->open_until_unix_ns) && read_time(cooldown, &out->cooldown_until_unix_ns) &&
           read_time(refused, &out->refused_until_unix_ns);
}

static void learn(struct board_share_rounds *r, const struct resp *reply) {
    struct map known;
    uint64_t now = clock_mono_ns();
    int64_t unix_ns = clock_unix_ns();
    char name[TEXT_MAX];
    map_init(&known, rand_u64());
    for (size_t i = 1; i + 1 < reply->n; i += 2)
        if (reply->items[i].type == RESP_STRING && reply->items[i + 1].type == RESP_STRING &&
            !map_put(&known, reply->items[i].text, &reply->items[i + 1]))
            break;
    size_t n = reply->n > 2 ? take_slots(r) : 0;
    for (size_t i = 0; i < n; i++) {
        const struct resp *value = map_get(&known, slot_name(r->slots[i], name));
        struct board_share share;
        if (value && read_share(value->text, &share)) board_slot_learn(r->slots[i], &share, now, unix_ns);
    }
    put_slots(r, n);
    map_free(&known);
}

static void on_answer(void *ctx, const struct resp *reply, const struct err *err) {
    struct board_share_rounds *r = ctx;
    int64_t servers;
    (void)err;
    r->call = NULL;
    if (!reply || reply->type != RESP_ARRAY || !reply->n || !resp_integer(&reply->items[0], &servers)) return;
    r->answered_ns = clock_mono_ns();
    r->servers = (uint32_t)MIN(MAX(servers, (int64_t)1), (int64_t)100000);
    learn(r, reply);
}

// --- what this one found ---

static struct str number(char out[24], int64_t unix_ns) {
    return str_of(out, (size_t)snprintf(out, 24, "%lld", (long long)(unix_ns / (int64_t)NS_PER_MS)));
}

struct told {
    char name[TEXT_MAX], open[24], cooldown[24], refused[24];
};

static void tell(struct board_share_rounds *r, struct redis *redis, struct str prefix) {
    struct str args[ARGS_FIXED + TELL_MAX * 4];
    struct told *told = mem_alloc(TELL_MAX * sizeof *told);
    char keys[2][128];
    size_t n = 0, used = 0, slots = told ? take_slots(r) : 0;
    uint64_t now = clock_mono_ns();
    int64_t unix_ns = clock_unix_ns();
    struct err err;
    static const char *const names[2] = {"state", "servers"};
    for (size_t k = 0; k < 2; k++)
        args[n++] = str_of(
            keys[k], (size_t)snprintf(keys[k], sizeof keys[k], "%.*sroute:{board}:%s", STR_ARG(prefix), names[k]));
    args[n++] = str_c(r->node);
    for (size_t i = 0; i < slots && used < TELL_MAX; i++) {
        struct board_share share;
        struct told *t = &told[used];
        board_slot_share(r->slots[i], now, unix_ns, &share);
        if (!share.open_until_unix_ns && !share.cooldown_until_unix_ns) continue;
        args[n++] = slot_name(r->slots[i], t->name);
        args[n++] = number(t->open, share.open_until_unix_ns);
        args[n++] = number(t->cooldown, share.cooldown_until_unix_ns);
        args[n++] = number(t->refused, share.refused_until_unix_ns);
        used++;
    }
    put_slots(r, slots);
    const struct redis_wish wish = {.fn = on_answer, .ctx = r, .timeout_ms = ALIVE_MS};
    if (!redis_eval(redis, &r->script, args, 2, n, &wish, &r->call, &err)) r->call = NULL;
    mem_free(told);
}

// --- the round ---

static void on_timer(struct timer *timer) {
    struct board_share_rounds *r = CONTAINER_OF(timer, struct board_share_rounds, timer);
    const struct conf *conf = r->server->setting->conf;
    struct redis *redis = r->server->loops[0].redis;
    timer_set(timer, ROUND_MS);
    if (conf->routing.state != ROUTING_STATE_REDIS || !redis) {
        if (r->shared) divide(r, 1, false);
        r->shared = false;
        return;
    }
    if (!r->shared) r->answered_ns = clock_mono_ns(); // nobody has asked it yet: it has as long to answer
    if (!r->call) tell(r, redis, conf->redis.key_prefix);
    apply_limits(r, (enum conf_redis_failure)conf->routing.on_redis_failure, clock_mono_ns());
}

bool board_share_start(struct server *s, struct board_share_rounds **out_rounds, struct err *err) {
    struct board_share_rounds *r = mem_zalloc(1, sizeof *r);
    if (!r) return err_no_memory(err);
    r->server = s;
    r->slots = mem_alloc(BOARD_SLOTS_MAX * sizeof(struct board_slot *));
    timer_init(&r->timer, s->loops[0].loop, on_timer);
    snprintf(r->node, sizeof r->node, "%016llx", (unsigned long long)rand_u64());
    if (!r->slots || !redis_script_init(&r->script, str_of(k_script, sizeof k_script - 1), err)) {
        if (!r->slots) err_no_memory(err);
        board_share_stop(r);
        return false;
    }
    timer_set(&r->timer, ROUND_MS);
    *out_rounds = r;
    return true;
}

void board_share_stop(struct board_share_rounds *r) {
    if (!r) return;
    timer_stop(&r->timer);
    if (r->call) redis_forget(r->call);
    mem_free(r->slots);
    mem_free(r);
}
