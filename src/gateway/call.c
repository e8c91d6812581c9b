// One request on its way through the gateway: how it begins and what it gives back.
#include "gateway/call.h"

#include "gateway/admit.h"
#include "gateway/chain.h"
#include "gateway/held.h"
#include "gateway/responses.h"
#include "gateway/translation.h"

#include "os/clock.h"

static void demo_timer_idle(struct timer *timer) { (void)timer; }

struct call *call_create(struct gateway_loop *gl, struct http_req *req) {
    struct call *call = arena_alloc(&req->arena, sizeof *call);
    if (!call) return NULL;
    memset(call, 0, offsetof(struct call, passed));
    if (!request_ids_next(&gl->ids, &call->id)) return NULL;
    call->gl = gl;
    call->req = req;
    call->runtime = runtime_ref(gl->runtime);
    call->ts = clock_unix_ns();
    request_id_text(call->id_text, call->id);
    timer_init(&call->timer, gl->loop, demo_timer_idle);
    failover_init(call);
    watch_init(call);
    queue_place_init(call);
    buf_init(&call->answer, (size_t)call->runtime->conf->limits.max_response);
    relay_init(&call->relay, (size_t)call->runtime->conf->limits.max_event);
    req->user = call;
    gl->active++;
    return call;
}

void call_release(struct call *call) {
    timer_stop(&call->timer);
    failover_stop(call);
    watch_stop(call);
    queue_leave(call);
    chain_free(call);
    attempt_release(&call->tries[0]);
    attempt_release(&call->tries[1]);
    admit_release(call);
    keyring_unref(call->ring);
    runtime_unref(call->runtime);
    buf_free(&call->answer);
    buf_free(&call->content);
    relay_free(&call->relay);
    translation_free(call);
    responses_free(call);
    grade_free(call);
    held_free(call);
    call->gl->active--;
}

const struct route_target *call_target(const struct call *call) {
    return call->at->provider ? &call->route.targets[call->at->target] : NULL;
}

struct str call_model_label(const struct call *call) {
    return call->route.model ? call->route.model->name : STR("other");
}
