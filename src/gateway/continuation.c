// A stream that has broken off in the middle of its text, gone on with by another target.
#include "gateway/continuation.h"

#include "gateway/answer.h"
#include "gateway/content.h"
#include "gateway/flight.h"
#include "gateway/record.h"
#include "gateway/translation.h"
#include "model/chat_go_on.h"
#include "os/clock.h"

static struct translator *translator_of(const struct call *call) {
    struct translation *t = call->translation;
    return t && t->translator.open && t->translator.gathers ? &t->translator : NULL;
}

// --- whether ---

static int64_t most_of(const struct call *call) {
    const struct conf_model *m = call->route.model;
    return m ? m->policy.continuations : call->runtime->conf->routing.continuations;
}

// What text alone can be gone on with.
static bool is_plain(const struct chat *chat) {
    return chat->output == CHAT_OUTPUT_TEXT && chat->choices <= 1 && !chat->logprobs.p && !chat->modalities.p &&
           !chat->audio.p;
}

// What an answer might have that the neutral form does not know.
static bool is_known(const struct chat *chat) {
    for (size_t i = 0; i < chat->tool_count; i++)
        if (chat->tools[i].hosted.p) return false;
    return chat->other_count == 0;
}

bool continuation_wanted(struct call *call) {
    const struct chat *chat;
    struct err ignored;
    if (most_of(call) <= 0 || call->request.operation != OPERATION_CHAT || !call->request.stream) return false;
    if (!call->at->provider || flight_is(call) || !call->dialect->encoder_size || !call->dialect->read) return false;
    if (!call->at->translated && (!call->at->upstream->decode || call->request.array)) return false;
    return translation_chat(call, &chat, &ignored) && is_plain(chat) && (call->at->translated || is_known(chat));
}

bool continuation_may(const struct call *call) {
    const struct continuation *c = &call->continued;
    const struct translator *t = translator_of(call);
    return t && (int64_t)c->count < most_of(call) && translator_can_go_on(t);
}

// --- from one to the other ---

void continuation_count(struct call *call) {
    struct continuation *c = &call->continued;
    if (c->pending) return; // it has brought nothing
    record_usage(call);
    record_price(call);
    record_part(call);
    usage_add(&c->used, &call->usage);
    c->tokens += call->usage.prompt + call->usage.output;
    c->cost_nano += call->cost_nano;
    c->calls = call->calls;
}

void continuation_go(struct call *call) {
    struct translator *t = translator_of(call);
    struct str part = buf_str(&t->out);
    if (part.n) {
        content_add(call, &part, 1);
        (void)http_reply_data(call->req, &part, 1, false);
        buf_clear(&t->out);
    }
    // Whether the client reads slowly is seen anew when there is something for it.
    if (call->paused) watch_paused(call, false);
    call->paused = false;
    call->continued.pending = true;
    call->continued.events = t->events;
    t->reply.before = &call->continued.used;
    call->mode = ANSWER_NONE;
    call->usage = (struct usage){0};
    call->usage_known = call->cost_known = call->reference_known = false;
    call->cost_nano = 0;
    call->error = NULL;
    buf_clear(&call->answer);
}

bool continuation_chat(struct call *call, const struct chat_target *target, const struct chat **io_chat,
                       struct err *err) {
    const struct translator *t = translator_of(call);
    const struct dialect_ops *to = call->at->upstream;
    struct arena *arena = &call->req->arena;
    struct chat *made = ARENA_NEW(arena, struct chat);
    struct str said = arena_str(arena, buf_str(&t->said));
    if (!made || (t->said.n && !said.p)) return err_no_memory(err);
    const struct chat_go_on g = {
        .said = said, .tokens = t->events, .prefill = to->prefills && to->prefills(*io_chat, target)};
    if (!chat_go_on(*io_chat, &g, arena, made, &call->continued.skip, err)) return false;
    *io_chat = made;
    return true;
}

bool continuation_begin(struct call *call, struct err *err) {
    struct continuation *c = &call->continued;
    struct translator *t = translator_of(call);
    if (!translator_go_on(t, call->at->upstream, c->skip, &call->req->arena, err)) return false;
    c->pending = false;
    c->count++;
    attempt_first(call->at);
    watch_arm(call);
    return true;
}
