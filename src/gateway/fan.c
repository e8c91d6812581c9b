// One call as several to its provider: split, sent in parallel, joined in order.
#include "gateway/fan.h"

#include "base/mem.h"
#include "gateway/answer.h"
#include "gateway/record.h"
#include "gateway/send.h"
#include "gateway/translation.h"
#include "model/provider.h"
#include "net/http1_parse.h"
#include "os/clock.h"

#define WRITTEN_MAX ((size_t)64 << 20)
#define CANCELLED "cancelled" // of the metrics: with another piece, or with the call
#define SPACED 2              // times what the client gets, for some put a line's end and spaces before each number

struct piece {
    struct fan *fan;
    size_t from, count; // of the inputs
    struct buf written, answer;
    struct str body; // written, for the exchange
    struct http_exchange *x;
    uint64_t sent_ns;
    int status;
    bool done;
};

struct fan {
    struct call *call;
    struct piece *pieces;
    size_t count, sent, done;
    size_t bytes; // of all answers so far
    bool over;    // one of the pieces has ended the attempt, and is in the metrics as its end
};

size_t fan_pieces(const struct call *call, const struct conf_provider *provider) {
    if (call->request.operation != OPERATION_EMBEDDINGS || provider->kind == PROVIDER_DEMO) return 1;
    const struct embed_ops *ops = dialect_get(provider_dialect(provider))->embed;
    if (!ops || call->request.inputs <= ops->max_inputs) return 1;
    return (size_t)((call->request.inputs + ops->max_inputs - 1) / ops->max_inputs);
}

bool fan_write(struct call *call, const struct chat_target *target, struct chat_report *report, struct err *err) {
    const struct embed_ops *ops = call->at->upstream->embed;
    const struct embed_request *all = &call->translation->embed;
    struct arena *arena = &call->req->arena;
    size_t n = (all->count + ops->max_inputs - 1) / ops->max_inputs;
    struct fan *fan = ARENA_NEW(arena, struct fan);
    struct piece *pieces = ARENA_ARRAY(arena, struct piece, n);
    if (!fan || !pieces) return err_no_memory(err);
    fan_cancel(call->at); // of the target before
    *fan = (struct fan){.call = call, .pieces = pieces, .count = n};
    for (size_t i = 0; i < n; i++) {
        buf_init(&pieces[i].written, WRITTEN_MAX);
        buf_init(&pieces[i].answer, call->answer.max);
    }
    call->at->fan = fan;
    for (size_t i = 0; i < n; i++) {
        struct piece *p = &pieces[i];
        struct embed_request part = *all;
        p->fan = fan;
        p->from = i * ops->max_inputs;
        p->count = part.count = MIN(ops->max_inputs, all->count - p->from);
        part.inputs = all->inputs + p->from;
        part.single = false;
        if (!ops->write(&part, target, arena, &p->written, report, err)) return false;
        if (p->written.failed) return err_no_memory(err);
        p->body = buf_str(&p->written);
    }
    return true;
}

// --- answers ---

// The pieces' vectors, one list after the other.
static bool join(struct fan *fan, struct embed_answer *out, struct err *err) {
    struct call *call = fan->call;
    struct arena *arena = &call->req->arena;
    *out = (struct embed_answer){.has_usage = true};
    out->vectors = ARENA_ARRAY(arena, struct str, call->translation->embed.count);
    if (!out->vectors) return err_no_memory(err);
    for (size_t i = 0; i < fan->count; i++) {
        struct piece *p = &fan->pieces[i];
        struct embed_answer part = {.count = 0};
        if (!call->at->upstream->embed->read_answer(buf_str(&p->answer), arena, &part, err)) return false;
        if (part.count != p->count)
            return err_set(err, ERR_UPSTREAM_INVALID, "provider \"%.*s\" answered %zu inputs with %zu vectors",
                           STR_ARG(call->at->provider->conf->name), p->count, part.count);
        memcpy(out->vectors + out->count, part.vectors, part.count * sizeof *part.vectors);
        out->count += part.count;
        out->base64 = part.base64;
        out->usage.prompt += part.usage.prompt;
        out->has_usage = out->has_usage && part.has_usage;
    }
    return true;
}

// Pieces that were answered are paid for, though the call fails.
void fan_charge(struct attempt *a) {
    const struct fan *fan = a->fan;
    struct call *call = a->call;
    struct usage usage = {.prompt = 0};
    struct err ignored;
    for (size_t i = 0; fan && i < fan->count; i++) {
        const struct piece *p = &fan->pieces[i];
        struct embed_answer part = {.count = 0};
        if (!p->done || p->status >= 300) continue;
        if (call->at->upstream->embed->read_answer(buf_str(&p->answer), &call->req->arena, &part, &ignored))
            usage.prompt += part.usage.prompt;
    }
    if (!usage.prompt) return;
    call->usage = usage;
    call->usage_known = true;
    record_price(call);
}

static bool too_large(const struct fan *fan, struct err *err) {
    return err_set(err, ERR_UPSTREAM_TOO_LARGE, "provider \"%.*s\": the answer is larger than limits.max_response",
                   STR_ARG(fan->call->at->provider->conf->name));
}

static void all_arrived(struct fan *fan) {
    struct call *call = fan->call;
    struct buf out = BUF_INIT(MAX(call->answer.max, (size_t)64 * 1024));
    struct embed_answer answer;
    struct err err;
    call->upstream_status = 200;
    fan->over = true;
    bool ok = join(fan, &answer, &err) && translation_embedded(call, &answer, NULL, &out, &err);
    if (ok) {
        answer_made(call, &out);
        return;
    }
    if (out.failed) (void)too_large(fan, &err);
    buf_free(&out);
    fan_charge(call->at);
    fan_cancel(call->at);
    answer_error(call, &err);
}

static bool send_next(struct fan *fan, struct err *err);

static void piece_failed(struct piece *p, const struct err *err) {
    struct call *call = p->fan->call;
    p->x = NULL;
    p->fan->over = true;
    fan_charge(call->at);
    fan_cancel(call->at);
    answer_error(call, err);
}

// An error's status and body go the way that the answer to a single call would.
static void piece_refused(struct piece *p) {
    struct call *call = p->fan->call;
    struct buf body = p->answer;
    buf_init(&p->answer, 0);
    struct http_field type = {STR("content-type"), STR("application/json")};
    int status = p->status;
    p->fan->over = true;
    fan_charge(call->at);
    fan_cancel(call->at);
    if (answer_head(call, status, &type, 1)) answer_data(call, buf_str(&body), true);
    buf_free(&body);
}

// In the metrics; error: NULL, the status says it.
static void count(const struct piece *p, const char *error) {
    char text[20];
    struct str status = error ? str_c(error) : str_of(text, fmt_u64(text, (uint64_t)p->status));
    record_call(p->fan->call, status, p->sent_ns);
}

static void on_head(struct http_exchange *x, const struct http1_head *head) {
    struct piece *p = http_exchange_user(x);
    p->status = head->status;
    if (head->status >= 300)
        (void)rate_headers_read(&p->fan->call->at->rate, head->fields, head->field_count, clock_unix_ns());
}

static void on_data(struct http_exchange *x, struct str data, bool last) {
    struct piece *p = http_exchange_user(x);
    struct fan *fan = p->fan;
    struct err err;
    buf_put(&p->answer, data);
    fan->bytes += data.n;
    if (p->answer.failed || fan->bytes / SPACED > fan->call->answer.max) {
        if (!last) http_exchange_cancel(x);
        (void)too_large(fan, &err);
        piece_failed(p, &err);
        return;
    }
    if (!last) return;
    p->x = NULL;
    p->done = true;
    fan->done++;
    if (p->status >= 300) {
        piece_refused(p);
        return;
    }
    if (fan->done == fan->count) {
        all_arrived(fan);
        return;
    }
    count(p, NULL);
    if (fan->sent < fan->count && !send_next(fan, &err)) piece_failed(p, &err);
}

static void on_error(struct http_exchange *x, const struct err *err) {
    struct err kept = *err;
    piece_failed(http_exchange_user(x), &kept);
}

static const struct http_exchange_ops k_ops = {.on_head = on_head, .on_data = on_data, .on_error = on_error};

static bool send_next(struct fan *fan, struct err *err) {
    struct call *call = fan->call;
    struct piece *p = &fan->pieces[fan->sent];
    p->sent_ns = clock_mono_ns();
    if (fan->sent) { // of the first it is known
        call->calls++;
        call->at->calls++;
    }
    call->inputs_sent += p->count;
    if (!send_request(call, &p->body, 1, &k_ops, p, &p->x, err)) return false;
    fan->sent++;
    return true;
}

bool fan_send(struct call *call, struct err *err) {
    struct fan *fan = call->at->fan;
    while (fan->sent < fan->count && fan->sent < FAN_PARALLEL) {
        if (fan->sent && !attempt_widen(call->at)) break; // the next goes when one of these has ended
        if (send_next(fan, err)) continue;
        fan->over = true;
        fan_cancel(call->at);
        return false;
    }
    return true;
}

void fan_cancel(struct attempt *a) {
    struct fan *fan = a->fan;
    if (!fan) return;
    a->fan = NULL;
    for (size_t i = 0; i < fan->count; i++) {
        struct piece *p = &fan->pieces[i];
        if (p->x) http_exchange_cancel(p->x);
        if (p->x && fan->over) count(p, CANCELLED);
        fan->over |= p->x != NULL; // given up as a whole: the first of them is what the attempt's end counts
        p->x = NULL;
        buf_free(&p->written);
        buf_free(&p->answer);
    }
}
