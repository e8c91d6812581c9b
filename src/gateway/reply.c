// What goes out to the client: the fields of every reply, and its last bytes once the record is safe.
#include "gateway/reply.h"

#include "base/mem.h"
#include "gateway/chain.h"
#include "gateway/pipeline.h"
#include "gateway/route_text.h"
#include "gateway/translation.h"

// Dollars from nanodollars, without zeros at the end: "0.000123".
static struct str dollars(struct arena *arena, uint64_t nano) {
    char *p = arena_alloc(arena, 32);
    if (!p) return STR("");
    size_t n = fmt_u64(p, nano / 1000000000u);
    p[n++] = '.';
    uint64_t rest = nano % 1000000000u;
    for (uint64_t digit = 100000000u; digit; digit /= 10) p[n++] = (char)('0' + rest / digit % 10);
    while (p[n - 1] == '0') n--;
    if (p[n - 1] == '.') n--;
    return str_of(p, n);
}

void reply_head(struct call *call, int status, struct str content_type, uint64_t length) {
    struct http_field f[REPLY_FIELDS_MAX];
    size_t n = 0;
    const struct route_target *target = call_target(call);
    f[n++] = (struct http_field){STR("x-request-id"), str_of(call->id_text, REQUEST_ID_TEXT_LEN)};
    if (call->dialect && call->dialect->id_field.n)
        f[n++] = (struct http_field){call->dialect->id_field, str_of(call->id_text, REQUEST_ID_TEXT_LEN)};
    if (content_type.n) f[n++] = (struct http_field){STR("content-type"), content_type};
    if (target) {
        f[n++] = (struct http_field){STR("x-penstock-provider"), target->provider->name};
        if (http_is_field_value(target->model)) f[n++] = (struct http_field){STR("x-penstock-model"), target->model};
    }
    if (call->calls > 1) {
        struct str attempts = arena_printf(&call->req->arena, "%zu", call->calls);
        f[n++] = (struct http_field){STR("x-penstock-attempts"), attempts};
    }
    struct str route = route_text(call), tried = route_tried_text(call);
    if (route.n) f[n++] = (struct http_field){STR("x-penstock-route"), route};
    if (tried.n) f[n++] = (struct http_field){STR("x-penstock-tried"), tried};
    if (call->coalesced) f[n++] = (struct http_field){STR("x-penstock-coalesced"), STR("1")};
    struct str chain = chain_trace(call);
    if (chain.n) f[n++] = (struct http_field){STR("x-penstock-chain"), chain};
    struct str dropped = translation_dropped(call);
    if (dropped.n) f[n++] = (struct http_field){STR("x-penstock-dropped-params"), dropped};
    if ((target || chain.n) && call->mode == ANSWER_WHOLE && status < 300)
        f[n++] = (struct http_field){STR("x-penstock-cost-usd"),
                                     call->cost_known ? dollars(&call->req->arena, call->cost_nano) : STR("unknown")};
    if (status == 401) f[n++] = (struct http_field){STR("www-authenticate"), STR("Bearer realm=\"penstock\"")};
    size_t own = admit_fields(call, f + n);
    n += own;
    for (size_t i = 0; i < call->passed_count; i++) {
        bool type = str_eq(call->passed[i].name, STR("content-type"));
        // The provider's limits are not the caller's, who has some of ours.
        bool limit = own && str_starts(call->passed[i].name, STR("x-ratelimit-"));
        if ((!type || !content_type.n) && !limit) f[n++] = call->passed[i];
    }
    call->reply_started = true;
    http_reply_head(call->req, status, f, n, length);
}

// The call is gone before its last bytes are handed to the connection, since the connection may go on to the next one.
static void send_last(struct call *call, const struct str *parts, size_t count) {
    struct http_req *req = call->req;
    struct buf answer = call->answer, rest = call->relay.rest; // the parts may lie in these, or in the translator's
    struct buf *translated = call->translation ? &call->translation->translator.out : NULL;
    struct buf out = translated ? *translated : (struct buf)BUF_INIT(0);
    buf_init(&call->answer, 0);
    buf_init(&call->relay.rest, 0);
    if (translated) buf_init(translated, 0);
    call_release(call);
    http_reply_data(req, parts, count, true);
    buf_free(&answer);
    buf_free(&rest);
    buf_free(&out);
}

// --- durability: sync ---

struct sync_wait {
    struct task task;  // back on the loop
    struct call *call; // NULL: the client left meanwhile
    struct gateway_loop *gl;
    struct buf bytes;
};

static void on_loop_synced(struct task *task) {
    struct sync_wait *wait = CONTAINER_OF(task, struct sync_wait, task);
    wait->gl->syncing--;
    if (wait->call) {
        struct str part = buf_str(&wait->bytes);
        wait->call->sync = NULL;
        send_last(wait->call, &part, 1);
    }
    buf_free(&wait->bytes);
    mem_free(wait);
}

static void on_disk(void *arg, bool ok) {
    (void)ok; // the ledger reports a failing disk; the answer is the client's all the same
    struct sync_wait *wait = arg;
    loop_post(wait->gl->loop, &wait->task);
}

static bool wait_for_disk(struct call *call, const struct str *parts, size_t count) {
    struct sync_wait *wait = mem_zalloc(1, sizeof *wait);
    if (!wait) return false;
    *wait = (struct sync_wait){.task = {.fn = on_loop_synced}, .call = call, .gl = call->gl};
    buf_init(&wait->bytes, SIZE_MAX);
    for (size_t i = 0; i < count; i++) buf_put(&wait->bytes, parts[i]);
    if (wait->bytes.failed || !ledger_sync_wait(call->gl->ledger, on_disk, wait)) {
        buf_free(&wait->bytes);
        mem_free(wait);
        return false;
    }
    call->sync = wait;
    call->gl->syncing++;
    return true;
}

void reply_forget_sync(struct call *call) {
    if (call->sync) call->sync->call = NULL;
    call->sync = NULL;
}

void reply_last(struct call *call, const struct str *parts, size_t count) {
    bool sync = call->gl->gateway->o.sync && call->begun;
    if (!sync || !wait_for_disk(call, parts, count)) send_last(call, parts, count);
}
