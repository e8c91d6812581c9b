// Which calls the canary takes, and what calls count as in the trials they have a part in.
#include "gateway/trial_call.h"

#include "gateway/need.h"

// --- dealing ---

static const struct runtime_trials *trials_of(const struct call *call, const struct route_model *m) {
    return m && call->runtime->tried ? &call->runtime->tried[m->conf->index] : NULL;
}

struct str trial_deal(struct call *call) {
    const struct route_model *m = route_model_find(call->runtime->routes, call->tenant, call->request.model);
    const struct runtime_trials *tried = trials_of(call, m);
    struct trial_part *part = &call->trials;
    uint64_t key;
    *part = (struct trial_part){.own = SIZE_MAX};
    if (!tried || (call->inner && call->inner->shadow)) return STR("");
    part->ab = tried->ab;
    if (!tried->canary) return STR("");
    uint32_t share = trial_share(tried->canary);
    part->canary = (struct trial_seat){tried->canary, TRIAL_BASE, trial_step(tried->canary)};
    // Whoever is the same person, or in the same session, is answered by the same model.
    if (!need_affinity(call->need, m, &key)) key = gateway_draw(call->gl);
    if (!canary_takes(key, trial_place(tried->canary), share)) return STR("");
    part->canary.arm = TRIAL_RIVAL;
    return m->conf->canary.model;
}

// --- counting ---

static bool client_left(const struct call *call) {
    return call->error && !strcmp(call->error, err_info(ERR_CLIENT_GONE)->wire_code);
}

// Where others had to help out, its own have failed, whatever the client has seen.
static bool has_failed(const struct call *call, size_t own) {
    return call->status >= 400 || call->error || call->at->target >= own;
}

static void note(const struct call *call, struct trial *trial, unsigned arm, unsigned step, size_t own) {
    if (!trial) return;
    const struct trial_note n = {.arm = arm,
                                 .step = step,
                                 .failed = has_failed(call, own),
                                 .ns = call->end_ns - call->req->start_ns,
                                 .priced = call->cost_known,
                                 .cost_nano = call->cost_nano};
    trial_note(trial, &n);
}

void trial_end(const struct call *call) {
    const struct trial_part *part = &call->trials;
    bool shadow = call->inner && call->inner->shadow;
    if (!call->at->sent_ns) return; // another call was sent for it, and counts
    // Only what a target was asked says something of it; and who leaves has seen nothing.
    if (!call->attempts || !call->at->provider || client_left(call)) return;
    if (shadow) {
        note(call, call->inner->shadow, TRIAL_RIVAL, 0, SIZE_MAX);
        return;
    }
    // A second call that came first is no failure of the first target.
    bool helped = call->at->target >= part->own;
    if (!helped || call->failover.why != FAILURE_NONE)
        note(call, part->canary.trial, part->canary.arm, part->canary.step, part->own);
    note(call, part->shadow.trial, TRIAL_BASE, 0, part->own);
    const struct route_node *node = part->ab ? call->route.targets[call->at->target].node : NULL;
    if (node && node->model->strategy == STRATEGY_AB && !helped)
        note(call, part->ab, trial_arm_of(part->ab, node->conf), 0, part->own);
}

void trial_judged(const struct trial_part *part, double quality) {
    const struct trial_seat *seats[] = {&part->canary, &part->shadow};
    for (size_t i = 0; i < ARRAY_LEN(seats); i++) {
        const struct trial_note n = {
            .arm = seats[i]->arm, .step = seats[i]->step, .judged = true, .quality = quality, .late = true};
        if (seats[i]->trial) trial_note(seats[i]->trial, &n);
    }
}
