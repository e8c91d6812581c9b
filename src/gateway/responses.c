// What the stages of responses share: look-ups off the loop, and the keeping of answers.
#include "gateway/responses.h"

#include "gateway/answer.h"
#include "gateway/need.h"
#include "gateway/pipeline.h"

#include "base/mem.h"
#include "model/responses/responses.h"
#include "os/clock.h"
#include "store/tenant.h"

#define WORK_MAX ((size_t)256 << 20) // of what one look-up reads
#define CHAIN_MAX 4096               // responses of a conversation
#define RETRIES 3
#define RETRY_MS 200 // another server may be about to write what was not found

struct str responses_place(const struct call *call, struct arena *arena) {
    const struct key_entry *key = call->key;
    if (!key) return STR("");
    if (key->project_id) return arena_printf(arena, "project:%lld", (long long)key->project_id);
    if (key->owner.kind == PRINCIPAL_USER) return arena_printf(arena, "user:%lld", (long long)key->owner.id);
    if (key->owner.kind == PRINCIPAL_SERVICE_ACCOUNT)
        return arena_printf(arena, "service_account:%lld", (long long)key->owner.id);
    return STR("");
}

static int64_t tenant_of(const struct call *call) { return call->key ? call->key->tenant_id : TENANT_DEFAULT; }

// --- look-ups ---

static void on_pool(struct work *work) {
    struct response_work *w = (struct response_work *)work;
    w->look(w);
}

static void again(struct timer *timer) {
    struct call *call = CONTAINER_OF(timer, struct call, timer);
    struct response_work *w = call->previous->done;
    struct err err;
    call->previous->done = NULL;
    if (response_work_start(w, &err)) return;
    response_work_free(w);
    call_fail(call, &err);
}

static void on_loop(struct work *work) {
    struct response_work *w = (struct response_work *)work;
    if (!w->call) {
        response_work_free(w);
        return;
    }
    struct previous *p = w->call->previous;
    p->work = NULL;
    p->done = w;
    bool may_come = !w->ok && w->err.code == ERR_NOT_FOUND && response_log_is_shared(w->log);
    if (!may_come || p->tries++ == RETRIES) {
        w->found(w);
        return;
    }
    w->call->timer.fn = again;
    timer_set(&w->call->timer, RETRY_MS);
}

struct response_work *response_work_make(struct call *call, struct str name) {
    struct response_work *w = mem_zalloc(1, sizeof *w);
    if (!w) return NULL;
    arena_init(&w->arena, NULL, 0, WORK_MAX);
    w->call = call;
    w->log = call->gl->gateway->o.responses;
    w->ask.tenant = tenant_of(call);
    w->ask.place = responses_place(call, &w->arena);
    w->ask.name = arena_str(&w->arena, name);
    w->body = arena_str(&w->arena, call->request.body);
    w->query = arena_str(&w->arena, call->req->query);
    w->max_body = (size_t)(call->tenant ? call->tenant->limits.max_body : call->runtime->conf->limits.max_body);
    bool short_of = (name.n && !w->ask.name.p) || (call->request.body.n && !w->body.p) || !w->ask.place.p;
    if (!short_of) return w;
    response_work_free(w);
    return NULL;
}

bool response_work_start(struct response_work *w, struct err *err) {
    w->work = (struct work){.run = on_pool, .done = on_loop};
    if (!loop_work(w->call->gl->loop, &w->work)) return err_no_memory(err);
    w->call->previous->work = w;
    return true;
}

void response_work_free(struct response_work *w) {
    if (!w) return;
    arena_free(&w->arena);
    mem_free(w);
}

bool response_chain_read(struct response_work *w, struct str name, struct response_chain *out_chain, struct err *err) {
    struct response_chain chain = {.rows = ARENA_ARRAY(&w->arena, struct response_row, 16)};
    size_t cap = 16;
    if (!chain.rows) return err_no_memory(err);
    while (name.n) {
        if (chain.count == CHAIN_MAX)
            return err_set(err, ERR_INVALID_REQUEST, "the conversation has more than %d responses", CHAIN_MAX);
        if (chain.count == cap) {
            struct response_row *more = ARENA_ARRAY(&w->arena, struct response_row, cap * 2);
            if (!more) return err_no_memory(err);
            memcpy(more, chain.rows, cap * sizeof *more);
            chain.rows = more;
            cap *= 2;
        }
        struct response_ask ask = {.tenant = w->ask.tenant, .place = w->ask.place, .name = name};
        if (!response_log_get(w->log, &ask, &w->arena, &chain.rows[chain.count], err)) return false;
        w->private = w->private || chain.rows[chain.count].private;
        name = chain.rows[chain.count++].previous;
    }
    *out_chain = chain;
    return true;
}

// --- keeping ---

// The last event of a stream has the response.
static bool on_frame(void *arg, const struct frame *frame, struct err *err) {
    struct previous *p = arg;
    struct str object = responses_ended(frame->event, frame->data);
    (void)err;
    if (!object.p) return true;
    buf_clear(&p->answer);
    buf_put(&p->answer, object);
    return true;
}

void responses_add(struct call *call, const struct str *parts, size_t count) {
    struct previous *p = call->previous;
    struct err err;
    if (!p || !p->keep || call->recorded || (!call->at->provider && !call->chain)) return;
    if (call->mode != ANSWER_STREAM) {
        for (size_t i = 0; i < count; i++) buf_put(&p->answer, parts[i]);
        return;
    }
    if (!p->framed) framer_init(&p->framer, FRAME_SSE, RESPONSE_TEXT_MAX);
    p->framed = true;
    for (size_t i = 0; i < count && p->keep; i++)
        if (!framer_feed(&p->framer, parts[i], false, on_frame, p, &err)) p->keep = false;
}

static struct str name_of(struct str answer, struct arena *arena) {
    struct str name = STR_NONE;
    struct str raw = responses_string(answer, STR("id"));
    return raw.p && json_string_text(raw, arena, &name) ? name : STR("");
}

void responses_end(struct call *call) {
    struct previous *p = call->previous;
    if (!p || !p->keep || call->status != 200 || !p->answer.n || p->answer.failed || call->error) return;
    struct arena *arena = &call->req->arena;
    int64_t now = clock_unix_ns(), keep = call->runtime->conf->responses.keep;
    struct response_row row = {.tenant = tenant_of(call),
                               .key_id = call->key ? call->key->id : 0,
                               .previous = p->id,
                               .place = responses_place(call, arena),
                               .model = call->request.model,
                               .private = call->need && call->need->route.private,
                               .input = p->input,
                               .answer = buf_str(&p->answer),
                               .created_at = now,
                               .expires_at = now + keep * (int64_t)NS_PER_MS};
    row.name = name_of(row.answer, arena);
    if (row.name.n && row.place.p) response_log_put(call->gl->gateway->o.responses, &row);
}

void responses_free(struct call *call) {
    struct previous *p = call->previous;
    if (!p) return;
    if (p->work) p->work->call = NULL;
    response_work_free(p->done);
    if (p->framed) framer_free(&p->framer);
    buf_free(&p->answer);
}
