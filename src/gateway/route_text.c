// How a call was routed, in one line.
#include "gateway/route_text.h"

#include "gateway/need.h"
#include "net/http.h"
#include "os/clock.h"

#define TEXT_MAX ((size_t)4096)

static void put(struct buf *b, struct str name, struct str value) {
    if (!value.n || !http_is_field_value(value)) return;
    if (b->n) buf_lit(b, "; ");
    buf_put(b, name);
    buf_putc(b, '=');
    buf_put(b, value);
}

static struct str done(struct call *call, struct buf *b) {
    struct str text = b->n && !b->failed ? arena_str(&call->req->arena, buf_str(b)) : STR_NONE;
    buf_free(b);
    return text.p ? text : STR("");
}

struct str route_text(struct call *call) {
    const struct need *need = call->need;
    const struct conf_model *m = call->route.model;
    struct buf b = BUF_INIT(TEXT_MAX);
    if (!need || !call_target(call)) return STR("");
    bool choice = m && call->route.considered > 1;
    if (!choice && !call->task.n && !need->odd_task.n) return STR("");
    if (choice) put(&b, STR("strategy"), strategy_name((enum conf_strategy)m->strategy));
    if (need->judged && need->chat) put(&b, STR("tier"), tier_name(need->complexity.tier));
    put(&b, STR("task"), call->task);
    put(&b, STR("model"), call->task_model);
    if (need->odd_task.n) put(&b, STR("ignored"), STR("metadata.task"));
    if (call->route.explored && !call->at->target) put(&b, STR("explored"), STR("1"));
    return done(call, &b);
}

static void put_try(struct buf *b, const struct try_note *t) {
    struct str model = http_is_field_value(t->model) ? t->model : STR("?");
    buf_printf(b, "%s%.*s/%.*s ", b->n ? ", " : "", STR_ARG(t->provider->name), STR_ARG(model));
    if (t->error)
        buf_put(b, str_c(t->error));
    else
        buf_put_u64(b, (uint64_t)t->status);
    if (t->ms) buf_printf(b, " %ums", t->ms);
    if (t->opened) buf_lit(b, " (breaker opened)");
    if (t->calls > 1) buf_printf(b, " (%u calls)", t->calls);
}

// The one whose answer is on its way is not over.
static void put_present(struct buf *b, struct call *call) {
    const struct route_target *target = call_target(call);
    const struct try_note t = {.provider = target->provider,
                               .model = target->model,
                               .status = call->upstream_status,
                               .calls = call->at->calls};
    put_try(b, &t);
}

struct str route_tried_text(struct call *call) {
    const struct failover *f = &call->failover;
    struct buf b = BUF_INIT(TEXT_MAX);
    if (call->calls < 2 || !call_target(call)) return STR("");
    for (size_t i = 0; i < f->tried_count; i++) put_try(&b, &f->tried[i]);
    if (f->tried_count < call->attempts && f->tried_count < ARRAY_LEN(f->tried)) put_present(&b, call);
    return done(call, &b);
}
