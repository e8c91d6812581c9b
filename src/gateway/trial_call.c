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
    if (call->inner && call->inner->shadow) {
        part->shadow = (struct trial_seat){call->inner->shadow, TRIAL_RIVAL, 0};
        return STR("");
    }
    if (!tried) return STR("");
    part->ab.trial = tried->ab;
    if (!tried->canary || !conf_tenant_allows(call->tenant, m->conf->canary.model)) return STR("");
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

// It was answered by others than those of its side.
static bool was_helped(const struct call *call) { return call->at->target >= call->trials.own; }

// Where others had to help out, its own have failed, whatever the client has seen.
static bool has_failed(const struct call *call) { return call->status >= 400 || call->error || was_helped(call); }

static void note(const struct call *call, const struct trial_seat *seat) {
    if (!seat->trial) return;
    const struct trial_note n = {.arm = seat->arm,
                                 .step = seat->step,
                                 .failed = has_failed(call),
                                 .ns = call->end_ns - call->req->start_ns,
                                 .priced = call->cost_known,
                                 .cost_nano = call->cost_nano};
    trial_note(seat->trial, &n);
}

// Its arm is that of the target that answers, or of the last that did not.
static void seat_in_arm(struct call *call) {
    struct trial_seat *seat = &call->trials.ab;
    const struct route_node *node = call->at->provider ? call->route.targets[call->at->target].node : NULL;
    if (!seat->trial) return;
    if (node && node->model->strategy == STRATEGY_AB && !was_helped(call))
        seat->arm = trial_arm_of(seat->trial, node->conf);
    else
        seat->trial = NULL; // none of its arms
}

// What the model itself does not take either, or could not be asked about, says nothing of its canary; nor does it of
// the model.
static bool is_of_request(const struct call *call) {
    return call->status >= 400 && (call->trials.refused || failure_is_of_request(call->failover.why));
}

void trial_end(struct call *call) {
    const struct trial_part *part = &call->trials;
    seat_in_arm(call);
    if (!call->at->sent_ns) return; // another call was sent for it, and counts
    // Only what a target was asked says something of it; and who leaves has seen nothing.
    if (!call->attempts || !call->at->provider || client_left(call)) return;
    // A second call that came first is no failure of the first target.
    bool told = !was_helped(call) || call->failover.why != FAILURE_NONE;
    if (told && !is_of_request(call)) note(call, &part->canary);
    note(call, &part->shadow);
    note(call, &part->ab);
}

#define ALL 1000000

struct trial_part trial_answered(const struct call *call) {
    return was_helped(call) ? (struct trial_part){.own = 0} : call->trials;
}

int64_t trial_scored(const struct call *call) {
    const struct trial_part *part = &call->trials;
    if (was_helped(call)) return 0;
    if (part->shadow.trial || part->ab.trial) return ALL;
    if (!part->canary.trial) return 0;
    return part->canary.arm == TRIAL_RIVAL ? ALL : ALL / 10; // of the base there are many
}

void trial_judged(const struct trial_part *part, double quality) {
    const struct trial_seat *seats[] = {&part->canary, &part->shadow, &part->ab};
    for (size_t i = 0; i < ARRAY_LEN(seats); i++) {
        const struct trial_note n = {
            .arm = seats[i]->arm, .step = seats[i]->step, .judged = true, .quality = quality, .late = true};
        if (seats[i]->trial) trial_note(seats[i]->trial, &n);
    }
}
