// The answer's way back: from a provider to the client, whole or streamed.
#include "gateway/answer.h"

#include "base/json_read.h"
#include "gateway/chain.h"
#include "gateway/clerk.h"
#include "gateway/content.h"
#include "gateway/credential.h"
#include "gateway/fan.h"
#include "gateway/flight.h"
#include "gateway/hedge.h"
#include "gateway/held.h"
#include "gateway/pipeline.h"
#include "gateway/record.h"
#include "gateway/reply.h"
#include "gateway/translation.h"
#include "os/clock.h"

static void finish_stream(struct call *call, const struct str *parts, size_t count);

static void attempt_over(struct call *call, const struct err *err) {
    char text[20];
    if (!call->at->provider) return; // the answer is a chain's
    const char *error = err ? err_info(err->code)->wire_code : NULL;
    record_attempt(call, error ? str_c(error) : str_of(text, fmt_u64(text, (uint64_t)call->upstream_status)));
    failover_note(call, call->at, error, error ? 0 : call->upstream_status);
}

// What is under way is given up.
static void stop_upstream(struct call *call) {
    hedge_stop(call);
    chain_stop(call);
    timer_stop(&call->timer);
    if (call->at->exchange) http_exchange_cancel(call->at->exchange);
    call->at->exchange = NULL;
    fan_cancel(call->at);
}

// --- the upstream's head ---

// The upstream's fields that mean something to the client.
static bool passes_to_client(struct str name) {
    switch (name.p[0] | 0x20) { // most fields are neither
    case 'a':
    case 'c':
    case 'o':
    case 'r':
    case 'x':
        break;
    default:
        return false;
    }
    static const struct str prefixes[] = {STR_INIT("x-ratelimit-"), STR_INIT("openai-"), STR_INIT("retry-after"),
                                          STR_INIT("anthropic-ratelimit-")};
    static const struct str exact[] = {STR_INIT("content-type"), STR_INIT("x-should-retry"), STR_INIT("cache-control")};
    for (size_t i = 0; i < ARRAY_LEN(prefixes); i++)
        if (name.n >= prefixes[i].n && str_eq_nocase(str_head(name, prefixes[i].n), prefixes[i])) return true;
    for (size_t i = 0; i < ARRAY_LEN(exact); i++)
        if (str_eq_nocase(name, exact[i])) return true;
    return false;
}

// HTTP/2 wants names in lower case.
static struct str lower_name(struct arena *arena, struct str name) {
    char *p = arena_alloc(arena, name.n);
    if (!p) return STR_NONE;
    for (size_t i = 0; i < name.n; i++)
        p[i] = (char)(name.p[i] >= 'A' && name.p[i] <= 'Z' ? name.p[i] + 32 : name.p[i]);
    return str_of(p, name.n);
}

size_t answer_fields(struct call *call, const struct http_field *fields, size_t count,
                     struct http_field out[CALL_FIELDS_MAX]) {
    struct arena *arena = &call->req->arena;
    size_t n = 0;
    for (size_t i = 0; i < count && n < CALL_FIELDS_MAX; i++) {
        bool upstream_id =
            str_eq_nocase(fields[i].name, STR("x-request-id")) || str_eq_nocase(fields[i].name, STR("request-id"));
        if (!upstream_id && !passes_to_client(fields[i].name)) continue;
        struct str name = upstream_id ? STR("x-penstock-upstream-request-id") : lower_name(arena, fields[i].name);
        struct str value = arena_str(arena, fields[i].value);
        if (name.p && value.p) out[n++] = (struct http_field){name, value};
    }
    return n;
}

static bool is_type(struct str type, struct str wanted) {
    return type.n >= wanted.n && str_eq_nocase(str_head(type, wanted.n), wanted);
}

static bool is_json(struct str type) { return is_type(type, STR("application/json")) || !type.n; }

// Whether the answer comes in pieces, by what the upstream says that it is.
static enum answer_mode mode_of(const struct attempt *a, struct str type) {
    static const struct str streams[] = {STR_INIT("text/event-stream"), STR_INIT("application/x-ndjson"),
                                         STR_INIT("application/vnd.amazon.eventstream")};
    for (size_t i = 0; i < ARRAY_LEN(streams); i++)
        if (is_type(type, streams[i])) return ANSWER_STREAM;
    // Sound and the like, and Gemini's arrays, go through as they come.
    bool array = a->call->request.array && a->call->request.stream;
    return !a->translated && (array || !is_json(type)) ? ANSWER_STREAM : ANSWER_WHOLE;
}

static enum relay_kind relay_kind_of(const struct call *call, struct str type) {
    if (is_type(type, STR("text/event-stream"))) return RELAY_EVENTS;
    return is_type(type, STR("application/x-ndjson")) || call->request.array ? RELAY_FRAMES : RELAY_BYTES;
}

bool answer_is_framed(const struct attempt *a, const struct http_field *fields, size_t count,
                      enum frame_kind *out_frames) {
    struct str type = http_field_get(fields, count, STR("content-type"));
    enum relay_kind kind = relay_kind_of(a->call, type);
    if (mode_of(a, type) != ANSWER_STREAM) return false;
    *out_frames = a->upstream->frames;
    if (a->translated) return true;
    if (kind == RELAY_EVENTS) *out_frames = FRAME_SSE;
    if (kind == RELAY_FRAMES && a->call->request.array) *out_frames = FRAME_ARRAY;
    return kind != RELAY_BYTES;
}

#define GO_ON_MAX ((size_t)1 << 20) // of an answer's text

static bool begin_translation(struct call *call, bool gather, struct err *err) {
    if (call->continued.pending) return continuation_begin(call, err);
    if (!translation_begin(call, err)) return false;
    if (gather) translator_gather(&call->translation->translator, GO_ON_MAX);
    return true;
}

static bool begin_stream(struct call *call, struct str type) {
    struct err err;
    enum relay_kind kind = relay_kind_of(call, type);
    bool wanted =
        !call->continued.pending && (call->at->translated || kind != RELAY_BYTES) && continuation_wanted(call);
    call->at->retold = wanted && !call->at->translated;
    if (call_translates(call)) {
        if (begin_translation(call, wanted, &err)) return true;
        answer_error(call, &err);
        return false;
    }
    relay_begin(&call->relay, call->dialect, kind, call->request.array);
    call->relay.strip_usage = call->request.stream && !call->request.wants_usage;
    return true;
}

bool answer_head(struct call *call, int status, const struct http_field *fields, size_t count) {
    call->upstream_status = status;
    if (status_is_failure(status) && failover_again(call, failure_of_status(status))) {
        attempt_over(call, NULL);
        failover_go(call);
        return false;
    }
    struct http_field passed[CALL_FIELDS_MAX];
    return answer_opened(call, status, passed, answer_fields(call, fields, count, passed));
}

bool answer_opened(struct call *call, int status, const struct http_field *passed, size_t count) {
    struct str type = http_field_get(passed, count, STR("content-type"));
    call->upstream_status = status;
    memcpy(call->passed, passed, count * sizeof *passed);
    call->passed_count = count;
    call->mode = status < 300 ? mode_of(call->at, type) : ANSWER_WHOLE;
    if (call->mode == ANSWER_WHOLE) attempt_first(call->at);
    return call->mode != ANSWER_STREAM || begin_stream(call, type);
}

// --- a whole answer ---

static void finish_whole(struct call *call, int status, struct str type, struct str body) {
    call->status = status;
    content_add(call, &body, 1);
    record_end(call);
    reply_head(call, status, type, body.n);
    reply_last(call, &body, 1);
}

#define SECRET_TOLD_MIN 8 // shorter ones are found in any text

static struct str request_id(const struct call *call) { return str_of(call->id_text, REQUEST_ID_TEXT_LEN); }

// Some say within the body when to try again; clients look for it in the head.
static void tell_retry(struct call *call, unsigned seconds) {
    if (!seconds || call->passed_count == CALL_FIELDS_MAX ||
        http_field_get(call->passed, call->passed_count, STR("retry-after")).p)
        return;
    struct str value = arena_printf(&call->req->arena, "%u", seconds);
    if (value.p) call->passed[call->passed_count++] = (struct http_field){STR("retry-after"), value};
}

// The provider's error, told in the client's dialect.
static void tell_failure(struct call *call, const struct chat_failure *failure) {
    struct buf *out = &call->answer;
    struct buf body = BUF_INIT(MAX(out->max, (size_t)64 * 1024));
    call->dialect->put_failure(failure, request_id(call), &body);
    tell_retry(call, failure->retry_s);
    buf_free(out); // the failure's texts may lie in it
    *out = body;
    finish_whole(call, failure->status, STR("application/json"), buf_str(out));
}

// Some proxies tell what they were sent.
static bool tells_secret(const struct runtime_provider *p, struct str body) {
    const struct str secrets[] = {secret_str(&p->conf->api_key), secret_str(&p->conf->session_token)};
    for (size_t i = 0; i < ARRAY_LEN(secrets); i++)
        if (secrets[i].n >= SECRET_TOLD_MIN && str_find(body, secrets[i]) < body.n) return true;
    for (size_t i = 0; i < p->conf->keys.n; i++) {
        struct str key = secret_str(&p->conf->keys.p[i].api_key);
        if (key.n >= SECRET_TOLD_MIN && str_find(body, key) < body.n) return true;
    }
    return p->credential && credential_is_in(p->credential, body);
}

// Those who say so in the body mean it as those who say it in the head.
static void note_retry(struct attempt *a, const struct chat_failure *failure) {
    if (!failure->retry_s || a->rate.has_retry_after) return;
    a->rate.has_retry_after = true;
    a->rate.retry_after_ns = failure->retry_s * NS_PER_SEC;
}

// A fetched credential that has run out is no fault of the target's: with another it may answer at once.
static enum failure failure_of(const struct call *call, const struct chat_failure *failure, int status,
                               struct str body) {
    struct credential *credential = call->at->provider->credential;
    if (credential_is_over(credential, status, body) && credential_refused(credential, call->at->credential_serial))
        return FAILURE_CREDENTIAL_OVER;
    return failure ? failure_of_kind(failure->kind, status) : failure_of_status(status);
}

// The upstream's error: in the client's dialect its body goes through as it is, from another it is translated; our
// credentials' failure, and what is no error object (failure is NULL), become errors of ours.
static void refuse(struct call *call, const struct chat_failure *failure, int status, struct str body) {
    struct err err;
    struct str name = call->at->provider->conf->name;
    if (failure) note_retry(call->at, failure);
    if (failover_again(call, failure_of(call, failure, status, body))) {
        failover_go(call);
        return;
    }
    if (held_give(call)) return;
    if (call->reply_started) { // of what another target has begun
        err_set(&err, ERR_UPSTREAM_STATUS, "provider \"%.*s\" answered with status %d", STR_ARG(name), status);
        call_fail(call, &err);
    } else if (status == 401 || status == 403) {
        err_set(&err, ERR_UPSTREAM_STATUS,
                "provider \"%.*s\" refused the credentials configured for it (status %d); check its api_key",
                STR_ARG(name), status);
        call_fail(call, &err);
    } else if (failure && status >= 400 && status < 600) {
        call->error = err_info(ERR_UPSTREAM_STATUS)->wire_code;
        if (call->at->translated || !body.n)
            tell_failure(call, failure);
        else
            finish_whole(call, status, STR("application/json"), body);
    } else {
        err_set(&err, ERR_UPSTREAM_STATUS, "provider \"%.*s\" answered with status %d and no error object",
                STR_ARG(name), status);
        bool any = call->at->asks == OPERATION_PASSTHROUGH && status >= 400;
        if ((status >= 500 && status < 600) || status == 429 || (any && status < 500)) err.status = status;
        call_fail(call, &err);
    }
}

static void finish_upstream_error(struct call *call, struct str body) {
    struct chat_failure failure;
    int status = call->upstream_status;
    bool known = call->at->upstream->read_failure(body, status, &call->req->arena, &failure) &&
                 !tells_secret(call->at->provider, body);
    attempt_over(call, NULL);
    refuse(call, known ? &failure : NULL, status, body);
}

void answer_refused(struct call *call, const struct chat_failure *told) {
    struct err err;
    struct chat_failure failure = *told;
    const struct runtime_provider *p = call->at->provider;
    bool secret = tells_secret(p, failure.message) || tells_secret(p, failure.code) || tells_secret(p, failure.type) ||
                  tells_secret(p, failure.param);
    failure.status = chat_failure_status(told);
    err_set(&err, ERR_UPSTREAM_STATUS, "provider \"%.*s\" answered with an error", STR_ARG(p->conf->name));
    attempt_over(call, &err);
    refuse(call, secret ? NULL : &failure, failure.status, STR(""));
}

// Whether an answer of status 200 is an error all the same; then it is dealt with as one.
static bool is_refusal(struct call *call, struct str body) {
    struct chat_failure failure;
    enum operation asks = call->at->asks;
    bool told = asks == OPERATION_CHAT || asks == OPERATION_COMPLETIONS || asks == OPERATION_EMBEDDINGS;
    if (!told || !call->at->provider || !call->at->upstream->read_failure(body, 200, &call->req->arena, &failure))
        return false;
    answer_refused(call, &failure);
    return true;
}

// The provider's answer is not what it should be: another target's may be.
static void invalid_answer(struct call *call, struct str body, const struct err *err) {
    if (is_refusal(call, body)) return;
    attempt_over(call, NULL);
    if (failover_again(call, FAILURE_INVALID_ANSWER))
        failover_go(call);
    else
        call_fail(call, err);
}

// A whole answer though the client wants a stream: told as one.
static void stream_of_whole(struct call *call, struct str body) {
    struct err err;
    if (call->continued.pending && is_refusal(call, body)) return; // before the answer so far is touched
    if (!begin_translation(call, false, &err) ||
        !translator_feed_answer(&call->translation->translator, body, &call->req->arena, &err)) {
        invalid_answer(call, body, &err);
        return;
    }
    if (call->translation->translator.failed && is_refusal(call, body)) return;
    attempt_over(call, NULL);
    struct str part = buf_str(&call->translation->translator.out);
    call->mode = ANSWER_STREAM;
    call->status = call->upstream_status;
    if (!call->first_ns) call->first_ns = clock_mono_ns();
    finish_stream(call, &part, 1);
}

static void translate_whole(struct call *call, struct str body) {
    struct buf out = BUF_INIT(MAX(call->answer.max, (size_t)64 * 1024));
    struct err err;
    if (!translation_answer(call, body, &out, &err)) {
        buf_free(&out);
        invalid_answer(call, body, &err);
        return;
    }
    attempt_over(call, NULL);
    buf_free(&call->answer);
    call->answer = out;
    record_price(call);
    finish_whole(call, call->upstream_status, STR("application/json"), buf_str(&call->answer));
}

static void whole_arrived(struct call *call, struct str body) {
    struct err err;
    if (call->upstream_status >= 300) {
        finish_upstream_error(call, body);
        return;
    }
    if (!call->at->translated) call->usage_known = call->dialect->usage_of(body, &call->usage);
    // What tells usage was read to its end; what is passed through may be anything, or nothing.
    bool any = call->at->asks == OPERATION_PASSTHROUGH;
    if (!call->usage_known && !any && !json_validate(body, 0, &err)) {
        err_set(&err, ERR_UPSTREAM_INVALID, "provider \"%.*s\" answered with status %d and a body that is not JSON",
                STR_ARG(call->at->provider->conf->name), call->upstream_status);
        invalid_answer(call, body, &err);
        return;
    }
    if (!call->usage_known && !any && !call->at->translated && is_refusal(call, body)) return;
    if (grade_holds_back(call, body)) {
        attempt_over(call, NULL);
        held_keep(call, body);
        failover_go(call);
        return;
    }
    if (call->at->translated && call->request.stream) {
        stream_of_whole(call, body);
        return;
    }
    if (call->at->translated) {
        translate_whole(call, body);
        return;
    }
    attempt_over(call, NULL);
    record_price(call);
    finish_whole(call, call->upstream_status, STR_NONE, body);
}

static void too_large(struct call *call) {
    struct err err;
    const struct conf_tenant *t = call->tenant;
    err_set(&err, ERR_UPSTREAM_TOO_LARGE,
            "provider \"%.*s\": the answer is larger than limits.max_response%s%s%s%.*s%s",
            STR_ARG(call->at->provider->conf->name), t ? " of " : "", t ? conf_level_word(t->kind) : "", t ? " \"" : "",
            STR_ARG(t ? t->name : STR("")), t ? "\"" : "");
    stop_upstream(call);
    answer_error(call, &err);
}

static void data_whole(struct call *call, struct str data, bool last) {
    if (data.n > call->answer.max) {
        too_large(call);
        return;
    }
    if (last && call->answer.n == 0) {
        whole_arrived(call, data); // it came in one piece: no copy
        return;
    }
    buf_put(&call->answer, data);
    if (call->answer.failed) {
        too_large(call);
    } else if (last) {
        whole_arrived(call, buf_str(&call->answer));
    }
}

// --- a streamed answer ---

static struct str stream_type(const struct call *call) {
    if (!call_translates(call)) return STR_NONE;
    return call->request.array ? STR("application/json") : call->dialect->stream_type;
}

static void finish_stream(struct call *call, const struct str *parts, size_t count) {
    record_usage(call);
    record_price(call);
    content_add(call, parts, count);
    record_end(call);
    if (!call->reply_started) reply_head(call, call->status, stream_type(call), HTTP_LENGTH_UNKNOWN);
    reply_last(call, parts, count);
}

// Nothing can be said within bytes that are no text: the client sees that they end too early.
void call_cut(struct call *call) {
    struct http_req *req = call->req;
    record_usage(call);
    record_price(call);
    record_end(call);
    call_release(call);
    http_reply_abort(req);
}

// The answer has begun, so the error is an event of the client's dialect; no finish_reason is made up.
static void fail_stream(struct call *call, const struct err *err) {
    struct chat_failure failure = chat_failure_of_err(err, &call->req->arena);
    struct str event;
    call->error = err_info(err->code)->wire_code;
    // Nor can an array of Google's be ended well within an element.
    bool translates = call_translates(call) || call->continued.pending;
    if (!translates && (call->relay.kind == RELAY_BYTES || call->request.array)) {
        call_cut(call);
        return;
    }
    if (translates) {
        translator_fail(&call->translation->translator, &failure);
        event = buf_str(&call->translation->translator.out);
    } else {
        buf_clear(&call->answer);
        call->dialect->put_failure_event(&failure, request_id(call), &call->answer);
        event = buf_str(&call->answer);
    }
    finish_stream(call, &event, 1);
}

// The provider has told an error within its stream, which the client has not been told.
static bool broke_off(struct call *call, struct err *err) {
    err_set(err, ERR_UPSTREAM_STATUS, "provider \"%.*s\" broke its answer off with an error",
            STR_ARG(call->at->provider->conf->name));
    err->status = chat_failure_status(&call->translation->translator.failure);
    return false;
}

// The same, and the client has been told.
static void note_broken(struct call *call, const struct chat_failure *failure) {
    note_retry(call->at, failure);
    call->error = err_info(ERR_UPSTREAM_STATUS)->wire_code;
    call->failover.why = failure_of_kind(failure->kind, chat_failure_status(failure));
}

static void relay_ended(struct call *call) {
    struct chat_failure failure;
    enum operation asks = call->at->asks;
    bool told = asks == OPERATION_CHAT || asks == OPERATION_COMPLETIONS;
    if (told && relay_failed(&call->relay, MAX(call->request.choices, (uint64_t)1), &call->req->arena, &failure))
        note_broken(call, &failure);
}

// What is for the client, as up to RELAY_PARTS slices that live until the next call.
static bool feed_stream(struct call *call, struct str data, bool last, struct str parts[RELAY_PARTS], size_t *out_count,
                        struct err *err) {
    if (!call_translates(call)) {
        if (!relay_feed(&call->relay, data, last, parts, out_count, err)) return false;
        if (last) relay_ended(call);
        return true;
    }
    struct translator *t = &call->translation->translator;
    t->reply.elapsed_ns = clock_mono_ns() - call->req->start_ns;
    buf_clear(&t->out);
    if (!translator_feed(t, data, last, err)) return false;
    if (t->failed && t->gathers) return broke_off(call, err);
    if (t->failed) note_broken(call, &t->failure);
    parts[0] = buf_str(&t->out);
    *out_count = t->out.n ? 1 : 0;
    return true;
}

void answer_begin(struct call *call) {
    if (call->reply_started) return;
    call->status = call->upstream_status;
    reply_head(call, call->status, stream_type(call), HTTP_LENGTH_UNKNOWN);
}

// Of a target that is being tried the first event is looked at, not the stream's end: that may be minutes away.
static void look_at_first(struct call *call) {
    struct chat_failure told;
    struct relay *relay = &call->relay;
    bool translates = call_translates(call), bytes = !translates && relay->kind == RELAY_BYTES;
    // Comments that only keep a connection open are none.
    if (!attempt_is_probe(call->at) || (!bytes && record_streamed(call) <= call->continued.events)) return;
    bool failed =
        translates ? call->translation->translator.failed : relay_failed(relay, UINT64_MAX, &call->req->arena, &told);
    attempt_looked(call->at, !failed);
}

static void data_stream(struct call *call, struct str data, bool last) {
    struct str parts[RELAY_PARTS];
    size_t count = 0;
    struct err err;
    if (!feed_stream(call, data, last, parts, &count, &err)) {
        stop_upstream(call);
        answer_error(call, &err);
        return;
    }
    if (count && !call->first_ns) {
        call->first_ns = clock_mono_ns();
        attempt_first(call->at);
    }
    if (last) {
        attempt_over(call, NULL);
        call->status = call->upstream_status;
        finish_stream(call, parts, count);
        return;
    }
    look_at_first(call);
    if (call->first_ns) watch_moved(call, record_streamed(call));
    if (!count) return;
    content_add(call, parts, count);
    answer_begin(call);
    size_t queued = http_reply_data(call->req, parts, count, false);
    // What is told of an error later must not tell this again.
    if (call_translates(call)) buf_clear(&call->translation->translator.out);
    if (queued > (size_t)call->runtime->conf->limits.stream_buffer) answer_pause(call);
}

void answer_data(struct call *call, struct str data, bool last) {
    if (call->mode == ANSWER_STREAM)
        data_stream(call, data, last);
    else
        data_whole(call, data, last);
}

void answer_made(struct call *call, struct buf *body) {
    attempt_over(call, NULL);
    buf_free(&call->answer);
    call->answer = *body;
    call->mode = ANSWER_WHOLE;
    record_price(call);
    finish_whole(call, 200, STR("application/json"), buf_str(&call->answer));
}

static void end_with(struct call *call, const struct err *err) {
    stop_upstream(call);
    if (call->reply_started)
        fail_stream(call, err);
    else
        call_fail(call, err);
}

// Whether the client has all of the answer, but not that it is over.
static bool is_told(const struct call *call) {
    uint64_t choices = MAX(call->request.choices, (uint64_t)1);
    if (!call->reply_started || call->mode != ANSWER_STREAM || call->continued.pending) return false;
    if (call_translates(call)) return translator_is_done(&call->translation->translator, choices);
    return relay_finished(&call->relay) >= choices;
}

// All was told but that it is over.
static void end_done(struct call *call) {
    struct str part;
    struct err err;
    stop_upstream(call);
    if (!call_translates(call)) {
        part = relay_end(&call->relay);
    } else {
        if (!translator_end(&call->translation->translator, &err)) {
            fail_stream(call, &err);
            return;
        }
        part = buf_str(&call->translation->translator.out);
    }
    call->status = call->upstream_status;
    finish_stream(call, &part, part.n > 0);
}

void answer_failed(struct call *call, enum failure why, const struct err *err) {
    attempt_over(call, err);
    if (is_told(call)) {
        end_done(call);
        return;
    }
    if (call->reply_started) call->error = err_info(err->code)->wire_code; // of the part that is told by then
    if (failover_again(call, why))
        failover_go(call);
    else
        end_with(call, err);
}

void answer_error(struct call *call, const struct err *err) {
    enum failure why = failure_of_err(err);
    bool idle = why == FAILURE_TIMEOUT_FIRST_TOKEN && call->first_ns;
    answer_failed(call, idle ? FAILURE_TIMEOUT_IDLE : why, err);
}

void answer_late(struct call *call, enum failure why, const struct err *err) {
    // It may wait for what it needs first: a token of the provider's, or the time to ask it again.
    wait_leave(call);
    queue_leave(call);
    failover_stop(call);
    if (call->at->taken && call->at->sent_ns) attempt_over(call, err);
    fan_charge(call->at);
    if (is_told(call)) {
        end_done(call);
        return;
    }
    call->failover.why = why;
    end_with(call, err);
}

// --- ends of our own ---

// A refusal of ours says whom the tenant's people ask; what went wrong at a provider is none.
static bool names_support(const struct call *call, const struct err *err) {
    return call->tenant && call->tenant->branding.support.n && !call->at->provider && err->status >= 400 &&
           err->status < 500;
}

static struct err with_support(const struct call *call, const struct err *err) {
    struct err out = *err;
    size_t n = strlen(err->message);
    const char *stop = n && strchr(".!?", err->message[n - 1]) ? "" : ".";
    snprintf(out.message, sizeof out.message, "%.*s%s Ask %.*s.", (int)MIN(n, ERR_MESSAGE_MAX - (size_t)220),
             err->message, stop, STR_ARG(call->tenant->branding.support));
    return out;
}

void call_fail(struct call *call, const struct err *given) {
    struct err refusal, told = *given;
    const struct err *err = &told;
    err_hide(&told);
    stop_upstream(call);
    if (call->reply_started) { // another target has begun what this one was to go on with
        fail_stream(call, err);
        return;
    }
    if (held_give(call)) return;
    buf_clear(&call->answer);
    if (call->answer.max < 64 * 1024) call->answer.max = 64 * 1024;
    if (names_support(call, err)) {
        refusal = with_support(call, err);
        err = &refusal;
    }
    struct chat_failure failure = chat_failure_of_err(err, &call->req->arena);
    call->dialect->put_failure(&failure, request_id(call), &call->answer);
    call->error = err_info(err->code)->wire_code;
    call->passed_count = 0;
    call->mode = ANSWER_NONE;
    tell_retry(call, told.retry_s);
    finish_whole(call, err->status, STR("application/json"), buf_str(&call->answer));
}

void call_reply(struct call *call, int status, struct str content_type, struct str body) {
    struct err err;
    if (call->answer.failed) { // the body was made there, and is cut short
        err_no_memory(&err);
        call_fail(call, &err);
        return;
    }
    finish_whole(call, status, content_type, body);
}

void call_abort(struct call *call) {
    struct err err;
    err_set(&err, ERR_CLIENT_GONE, "the client left");
    call_give_up(call, &err);
}

void call_give_up(struct call *call, const struct err *why) {
    wait_leave(call);
    queue_leave(call);
    clerk_leave(call);
    stop_upstream(call);
    reply_forget_sync(call);
    if (!call->recorded) {
        // Else it still waits: for what the provider needs first, or for the time to ask one anew.
        bool sent = call->at->taken && call->at->sent_ns;
        if (sent) attempt_over(call, why);
        call->failover.why = FAILURE_CANCELLED; // which is no fault of the target's
        call->error = err_info(why->code)->wire_code;
        if (!call->status) call->status = why->status;
        record_usage(call);
        if (sent) record_price(call);
        if (call->rider)
            flight_leave(call);
        else
            record_end(call);
    }
    call_release(call);
}
