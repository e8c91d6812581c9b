// A call whose target speaks another dialect than its client.
#include "gateway/translation.h"

#include "model/provider.h"
#include "os/clock.h"

#define WRITTEN_MAX ((size_t)256 << 20) // a body may grow by escapes, but not without end

static struct translation *translation_of(struct call *call, struct err *err) {
    if (call->translation) return call->translation;
    struct translation *t = ARENA_NEW(&call->req->arena, struct translation);
    if (!t) {
        err_no_memory(err);
        return NULL;
    }
    buf_init(&t->written, WRITTEN_MAX);
    call->translation = t;
    return t;
}

static bool unsupported(const struct call *call, struct err *err) {
    err_set(err, ERR_UNSUPPORTED, "provider \"%.*s\" has nothing for this endpoint; ask for a model of another one",
            STR_ARG(call->provider->conf->name));
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
    call->dropped = NULL;
    if (!report->count) return true;
    if (call->strict) {
        BUF_AUTO struct buf names = BUF_INIT(4096);
        put_names(report, &names);
        return err_set(err, ERR_UNSUPPORTED,
                       "provider \"%.*s\" cannot be told: %.*s (strict mode; without it these are dropped)",
                       STR_ARG(call->provider->conf->name), STR_ARG(str_head(buf_str(&names), 300)));
    }
    struct chat_report *kept = ARENA_NEW(&call->req->arena, struct chat_report);
    if (!kept) return err_no_memory(err);
    *kept = *report;
    call->dropped = kept;
    return true;
}

static bool read_once(struct call *call, struct translation *t, struct err *err) {
    if (t->read) return true;
    t->read = call->dialect->read(&call->request, &call->req->arena, &t->chat, err);
    return t->read;
}

// The demonstration reads what was written as any provider would.
static bool read_back(struct call *call, struct translation *t, struct err *err) {
    const struct model_request_in in = {.operation = OPERATION_CHAT, .body = buf_str(&t->written)};
    return !call->provider->demo || call->upstream->peek(&in, &call->req->arena, &t->spoken, err);
}

bool translation_write(struct call *call, struct err *err) {
    struct translation *t = translation_of(call, err);
    const struct route_target *to = &call->route.targets[call->target];
    bool chat = call->request.operation == OPERATION_CHAT || call->request.operation == OPERATION_COMPLETIONS;
    if (!t) return false;
    if (!chat || !call->dialect->read || !call->upstream->write) return unsupported(call, err);
    if (!read_once(call, t, err)) return false;
    const struct chat_target target = {.model = to->model,
                                       .traits = provider_traits_get((enum provider_kind)to->provider->kind)};
    buf_clear(&t->written);
    struct chat_report report = {.count = 0};
    for (size_t i = 0; i < t->chat.other_count; i++) chat_drop(&report, t->chat.others[i]);
    if (!call->upstream->write(&t->chat, &target, &call->req->arena, &t->written, &report, err)) return false;
    if (t->written.failed) return err_no_memory(err);
    if (!translation_note_dropped(call, &report, err)) return false;
    call->body[0] = buf_str(&t->written);
    call->body_count = 1;
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
                               .arena = &call->req->arena};
}

bool translation_begin(struct call *call, struct err *err) {
    struct chat_reply reply = reply_of(call);
    return translator_init(&call->translation->translator, call->upstream, call->dialect, &reply,
                           (size_t)call->runtime->conf->limits.max_event, &call->req->arena, err);
}

bool translation_answer(struct call *call, struct str body, struct buf *out, struct err *err) {
    struct chat_reply reply = reply_of(call);
    return translate_answer(call->upstream, call->dialect, &reply, body, &call->req->arena, out, &call->usage,
                            &call->usage_known, err);
}

void translation_reset(struct call *call) {
    if (call->translation) translator_free(&call->translation->translator);
}

void translation_free(struct call *call) {
    if (!call->translation) return;
    translator_free(&call->translation->translator);
    buf_free(&call->translation->written);
}

struct str translation_dropped(const struct call *call) {
    if (!call->dropped) return STR("");
    BUF_AUTO struct buf names = BUF_INIT(4096);
    put_names(call->dropped, &names);
    struct str kept = arena_str(&call->req->arena, str_head(buf_str(&names), 2000));
    return kept.p ? kept : STR("");
}
