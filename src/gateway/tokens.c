// Checks access tokens on the worker pool and remembers those seen lately.
#include "gateway/tokens.h"

#include "access/token.h"
#include "base/hash.h"
#include "gateway/answer.h"
#include "gateway/keys.h"
#include "os/clock.h"
#include "os/rand.h"

#define SLOTS 64
#define FRESH_NS (NS_PER_SEC / 2)

struct slot {
    struct secret text; // empty: free
    struct keyring *ring;
    const struct key_entry *entry;
    uint64_t checked_ns; // monotonic
};

struct tokens {
    uint64_t seed;
    struct look_up *under_way;
    struct slot slots[SLOTS];
};

struct look_up {
    struct work work;
    struct gateway_loop *gl;
    struct look_up *next;
    struct secret text;
    struct wait_list waiting;
    int64_t now;
    bool ok;
    struct keyring *ring;
    const struct key_entry *entry;
    struct err err;
};

static struct slot *slot_of(struct tokens *tokens, struct str text) {
    return &tokens->slots[hash_bytes(text, tokens->seed) % SLOTS];
}

static void slot_clear(struct slot *slot) {
    keyring_unref(slot->ring);
    secret_free(&slot->text);
    *slot = (struct slot){0};
}

void tokens_free(struct tokens *tokens) {
    if (!tokens) return;
    INVARIANT(!tokens->under_way);
    for (size_t i = 0; i < SLOTS; i++) slot_clear(&tokens->slots[i]);
    mem_free(tokens);
}

// --- looking up ---

static void look_up_run(struct work *work) {
    struct look_up *l = CONTAINER_OF(work, struct look_up, work);
    l->ok = keys_token(l->gl->gateway->o.keys, secret_str(&l->text), l->now, &l->ring, &l->entry, &l->err);
}

static void keep(struct look_up *l) {
    struct slot *slot = slot_of(l->gl->tokens, secret_str(&l->text));
    slot_clear(slot);
    *slot = (struct slot){l->text, l->ring, l->entry, clock_mono_ns()};
    l->text = (struct secret){0};
}

static void look_up_done(struct work *work) {
    struct look_up *l = CONTAINER_OF(work, struct look_up, work), **at = &l->gl->tokens->under_way;
    while (*at != l) at = &(*at)->next;
    *at = l->next;
    if (l->ok)
        keep(l);
    else
        slot_clear(slot_of(l->gl->tokens, secret_str(&l->text)));
    if (!l->ok && err_is_inner(&l->err))
        log_error(l->gl->gateway->o.log, LOG_MSG("an access token could not be looked at"), LOG_ERR(&l->err));
    for (struct call *call; (call = wait_take(&l->waiting));) {
        if (l->ok)
            pipeline_resume(call);
        else
            call_fail(call, &l->err);
    }
    secret_free(&l->text);
    mem_free(l);
}

static bool begin(struct gateway_loop *gl, struct str text, int64_t now, struct look_up **out_look_up,
                  struct err *err) {
    struct look_up *l = mem_zalloc(1, sizeof *l);
    if (!l) return err_no_memory(err);
    *l = (struct look_up){.work = {.run = look_up_run, .done = look_up_done}, .gl = gl, .now = now};
    if (!secret_set(&l->text, text) || !loop_work(gl->loop, &l->work)) {
        secret_free(&l->text);
        mem_free(l);
        return err_no_memory(err);
    }
    l->next = gl->tokens->under_way;
    gl->tokens->under_way = l;
    *out_look_up = l;
    return true;
}

static struct look_up *find_under_way(struct tokens *tokens, struct str text) {
    struct look_up *l = tokens->under_way;
    while (l && !str_eq_secret(secret_str(&l->text), text)) l = l->next;
    return l;
}

static bool have_tokens(struct gateway_loop *gl, struct err *err) {
    if (gl->tokens) return true;
    gl->tokens = mem_zalloc(1, sizeof *gl->tokens);
    if (!gl->tokens) return err_no_memory(err);
    gl->tokens->seed = rand_u64();
    return true;
}

enum stage_result tokens_find(struct call *call, struct str text, struct err *err) {
    struct gateway_loop *gl = call->gl;
    struct look_up *l;
    if (text.n > TOKEN_MAX) {
        err_set(err, ERR_UNAUTHENTICATED, "the access token is longer than any that this server makes");
        return STAGE_FAIL;
    }
    if (!have_tokens(gl, err)) return STAGE_FAIL;
    const struct slot *slot = slot_of(gl->tokens, text);
    bool known = slot->ring && str_eq_secret(secret_str(&slot->text), text);
    if (known && clock_mono_ns() - slot->checked_ns < FRESH_NS && slot->entry->expires_at > call->ts) {
        call->ring = keyring_ref(slot->ring);
        call->key = slot->entry;
        return STAGE_DONE;
    }
    l = find_under_way(gl->tokens, text);
    if (!l && !begin(gl, text, call->ts, &l, err)) return STAGE_FAIL;
    wait_add(&l->waiting, call);
    return STAGE_WAIT;
}
