// A call whose target speaks another dialect than its client.
#include "gateway/translation.h"

#include "gateway/chain.h"
#include "gateway/fan.h"
#include "model/facts.h"
#include "model/provider.h"
#include "os/clock.h"

static struct translation *translation_of(struct call *call, struct err *err) {
    if (call->translation) return call->translation;
    struct translation *t = ARENA_NEW(&call->req->arena, struct translation);
    if (!t) {
        err_no_memory(err);
        return NULL;
    }
    call->translation = t;
    return t;
}

static bool unsupported(const struct call *call, struct err *err) {
    err_set(err, ERR_UNSUPPORTED, "provider \"%.*s\" has nothing for this endpoint; ask for a model of another one",
            STR_ARG(call->at->provider->conf->name));
    memcpy(err->param, "model", sizeof "model");
    return false;
}

// Names come from clients; those that no header can hold are left out.
static void put_names(const struct chat_report *report, struct buf *out) {
    for (size_t i = 0; i < report->count; i++) {
        if (!http_is_field_value(report->names[i])) continue;
        if (out->n) buf_lit(out, ", ");
        buf_put(out, report->names[i]);
    }
}

bool translation_note_dropped(struct call *call, const struct chat_report *report, struct err *err) {
    call->at->dropped = NULL;
    if (!report->count) return true;
    if (call->strict) {
        BUF_AUTO struct buf names = BUF_INIT(4096);
        put_names(report, &names);
        return err_set(err, ERR_UNSUPPORTED,
                       "provider \"%.*s\" cannot be told: %.*s (strict mode; without it these are dropped)",
                       STR_ARG(call->at->provider->conf->name), STR_ARG(str_head(buf_str(&names), 300)));
    }
    struct chat_report *kept = ARENA_NEW(&call->req->arena, struct chat_report);
    if (!kept) return err_no_memory(err);
    *kept = *report;
    call->at->dropped = kept;
    return true;
}

bool translation_chat(struct call *call, const struct chat **out_chat, struct err *err) {
    struct translation *t = translation_of(call, err);
    if (!t || (!t->read && !call->dialect->read(&call->request, &call->req->arena, &t->chat, err))) return false;
    t->read = true;
    *out_chat = &t->chat;
    return true;
}

static bool write_chat(struct call *call, struct translation *t, const struct chat_target *target,
                       struct chat_report *report, struct err *err) {
    if (!call->dialect->read || !call->at->upstream->write) return unsupported(call, err);
    const struct chat *chat;
    if (!translation_chat(call, &chat, err)) return false;
    if (call->continued.pending && !continuation_chat(call, target, &chat, err)) return false;
    for (size_t i = 0; i < t->chat.other_count; i++) chat_drop(report, t->chat.others[i]);
    return call->at->upstream->write(chat, target, &call->req->arena, &call->at->written, report, err);
}

static bool write_embed(struct call *call, struct translation *t, const struct chat_target *target,
                        struct chat_report *report, struct err *err) {
    const struct embed_ops *from = call->dialect->embed, *to = call->at->upstream->embed;
    if (!from || !from->read || !to || !to->write) return unsupported(call, err);
    if (!t->read && !from->read(&call->request, &call->req->arena, &t->embed, err)) return false;
    t->read = true;
    for (size_t i = 0; i < t->embed.other_count; i++) chat_drop(report, t->embed.others[i]);
    if (t->embed.count > to->max_inputs) return fan_write(call, target, report, err);
    return to->write(&t->embed, target, &call->req->arena, &call->at->written, report, err);
}

static bool write_rerank(struct call *call, struct translation *t, const struct chat_target *target,
                         struct chat_report *report, struct err *err) {
    const struct rerank_ops *from = call->dialect->rerank, *to = call->at->upstream->rerank;
    if (!from || !from->read || !to || !to->write || call->at->provider->demo) return unsupported(call, err);
    if (!t->read && !from->read(&call->request, &call->req->arena, &t->rerank, err)) return false;
    t->read = true;
    for (size_t i = 0; i < t->rerank.other_count; i++) chat_drop(report, t->rerank.others[i]);
    return to->write(&t->rerank, target, &call->req->arena, &call->at->written, report, err);
}

static bool write_any(struct call *call, struct translation *t, const struct chat_target *target,
                      struct chat_report *report, struct err *err) {
    switch (call->request.operation) {
    case OPERATION_CHAT:
    case OPERATION_COMPLETIONS:
        return write_chat(call, t, target, report, err);
    case OPERATION_EMBEDDINGS:
        return write_embed(call, t, target, report, err);
    case OPERATION_RERANK:
        return write_rerank(call, t, target, report, err);
    default:
        return unsupported(call, err);
    }
}

// What the target is asked for: of a client's older completions a chat is made.
static enum operation asked_operation(const struct call *call) {
    return call->request.operation == OPERATION_COMPLETIONS ? OPERATION_CHAT : call->request.operation;
}

// The demonstration reads what was written as any provider would.
static bool read_back(struct call *call, struct translation *t, struct err *err) {
    const struct model_request_in in = {.operation = asked_operation(call), .body = buf_str(&call->at->written)};
    return !call->at->provider->demo || call->at->upstream->peek(&in, &call->req->arena, &t->spoken, err);
}

bool translation_write(struct call *call, struct err *err) {
    struct translation *t = translation_of(call, err);
    const struct route_target *to = &call->route.targets[call->at->target];
    struct chat_report report = {.count = 0};
    if (!t) return false;
    const struct model_target of = {call->route.model, to->provider, to->model};
    struct model_entry facts;
    // What the catalogue does not know the dialect guesses.
    (void)model_facts(call->runtime->models, call->runtime->conf, call->tenant, &of, &facts);
    const struct chat_target target = {.model = to->model,
                                       .max_output = facts.max_output,
                                       .traits = provider_traits_get((enum provider_kind)to->provider->kind)};
    buf_clear(&call->at->written);
    if (!write_any(call, t, &target, &report, err)) return false;
    if (call->at->written.failed) return err_no_memory(err);
    if (!translation_note_dropped(call, &report, err)) return false;
    call->at->asks = asked_operation(call);
    call->at->body[0] = buf_str(&call->at->written);
    call->at->body_count = 1;
    return read_back(call, t, err);
}

static struct chat_reply reply_of(struct call *call) {
    return (struct chat_reply){.id = str_of(call->id_text + 4, REQUEST_ID_TEXT_LEN - 4),
                               .model =
                                   call->admission.asked_model.p ? call->admission.asked_model : call->request.model,
                               .created = call->ts / (int64_t)NS_PER_SEC,
                               .wants_usage = call->request.wants_usage,
                               .array = call->request.array,
                               .prompt_estimate = model_request_estimate(&call->request),
                               .elapsed_ns = clock_mono_ns() - call->req->start_ns,
                               .request = &call->request,
                               .chat = &call->translation->chat,
                               .before = chain_spent(call),
                               .arena = &call->req->arena};
}

bool translation_begin(struct call *call, struct err *err) {
    struct chat_reply reply = reply_of(call);
    return translator_init(&call->translation->translator, call->at->upstream, call->dialect, &reply,
                           (size_t)call->runtime->conf->limits.max_event, &call->req->arena, err);
}

static bool embed_answer(struct call *call, const struct chat_reply *reply, struct str body, struct buf *out,
                         struct err *err) {
    struct embed_answer answer = {.count = 0};
    if (!call->at->upstream->embed->read_answer(body, &call->req->arena, &answer, err)) return false;
    return translation_embedded(call, &answer, reply, out, err);
}

static bool rerank_answer(struct call *call, const struct chat_reply *reply, struct str body, struct buf *out,
                          struct err *err) {
    struct rerank_answer answer = {.count = 0};
    if (!call->at->upstream->rerank->read_answer(body, &call->req->arena, &answer, err)) return false;
    call->usage = answer.usage;
    call->usage_known = answer.has_usage;
    call->dialect->rerank->put_answer(&answer, &call->translation->rerank, reply, out);
    return !out->failed || err_no_memory(err);
}

bool translation_embedded(struct call *call, const struct embed_answer *answer, const struct chat_reply *reply,
                          struct buf *out, struct err *err) {
    const struct embed_request *asked = &call->translation->embed;
    struct chat_reply made;
    if (answer->count != asked->count)
        return err_set(err, ERR_UPSTREAM_INVALID, "provider \"%.*s\" answered %zu inputs with %zu vectors",
                       STR_ARG(call->at->provider->conf->name), asked->count, answer->count);
    if (!reply) made = reply_of(call);
    call->usage = answer->usage;
    call->usage_known = answer->has_usage;
    call->dialect->embed->put_answer(answer, asked, reply ? reply : &made, out);
    return !out->failed || err_no_memory(err);
}

bool translation_answer(struct call *call, struct str body, struct buf *out, struct err *err) {
    struct chat_reply reply = reply_of(call);
    if (call->request.operation == OPERATION_EMBEDDINGS) return embed_answer(call, &reply, body, out, err);
    if (call->request.operation == OPERATION_RERANK) return rerank_answer(call, &reply, body, out, err);
    return translate_answer(call->at->upstream, call->dialect, &reply, body, &call->req->arena, out, &call->usage,
                            &call->usage_known, err);
}

void translation_reset(struct call *call) {
    if (!call->translation) return;
    struct translator *t = &call->translation->translator;
    translator_free(t);
    t->has_usage = false;
    t->events = 0;
}

void translation_free(struct call *call) {
    if (!call->translation) return;
    translator_free(&call->translation->translator);
}

struct str translation_dropped(const struct call *call) {
    if (!call->at->dropped) return STR("");
    BUF_AUTO struct buf names = BUF_INIT(4096);
    put_names(call->at->dropped, &names);
    struct str kept = arena_str(&call->req->arena, str_head(buf_str(&names), 2000));
    return kept.p ? kept : STR("");
}
