/* Builds the answers of the mock upstream in the shape of an OpenAI-compatible server. */
#include "mock_answer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK_ID "\"id\":\"chatcmpl-BqT7mock4vN2cZk8RwYx\""

static const char *const WORDS[] = {" water", " runs", " through", " the",     " gated",  " pipe",
                                    " and",   " the",  " wheel",   " turns",   " slowly", " under",
                                    " its",   " own",  " weight",  " at last", ".",       " Then"};
enum { WORD_COUNT = sizeof WORDS / sizeof WORDS[0] };

struct writer {
    char *p;
    size_t n, cap;
};

static void writer_add(struct writer *w, const char *p, size_t n) {
    if (w->cap - w->n < n) {
        size_t cap = (w->cap + n) * 2;
        char *grown = realloc(w->p, cap);
        if (grown == NULL) abort();
        w->p = grown;
        w->cap = cap;
    }
    memcpy(w->p + w->n, p, n);
    w->n += n;
}

__attribute__((format(printf, 2, 3))) static void writer_printf(struct writer *w, const char *format, ...) {
    char text[1024];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (n < 0 || (size_t)n >= sizeof text) abort();
    writer_add(w, text, (size_t)n);
}

static struct bytes writer_take(struct writer *w) {
    struct bytes taken = {w->p, w->n};
    *w = (struct writer){0};
    return taken;
}

static void add_http_chunk(struct writer *w, const struct writer *data) {
    writer_printf(w, "%zx\r\n", data->n);
    writer_add(w, data->p, data->n);
    writer_printf(w, "\r\n");
}

static void add_plain(struct writer *w, const char *model, size_t size) {
    struct writer body = {0};
    writer_printf(&body,
                  "{" CHUNK_ID ",\"object\":\"chat.completion\",\"created\":1735689600,"
                  "\"model\":\"%s\",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\","
                  "\"content\":\"Slowly",
                  model);
    const size_t rest = 330; /* what follows the text, about */
    for (uint32_t i = 0; body.n + rest < size; i++) {
        const char *word = WORDS[i % WORD_COUNT];
        writer_add(&body, word, strlen(word));
    }
    writer_printf(&body, "\",\"refusal\":null},\"logprobs\":null,\"finish_reason\":\"stop\"}],"
                         "\"usage\":{\"prompt_tokens\":352,\"completion_tokens\":128,\"total_tokens\":480,"
                         "\"prompt_tokens_details\":{\"cached_tokens\":0,\"audio_tokens\":0},"
                         "\"completion_tokens_details\":{\"reasoning_tokens\":0,\"audio_tokens\":0}},"
                         "\"service_tier\":\"default\",\"system_fingerprint\":\"fp_44709d6fcb\"}\n");
    writer_printf(w,
                  "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %zu\r\n"
                  "x-request-id: req_mock\r\nopenai-processing-ms: 1\r\nserver: mock\r\n\r\n",
                  body.n);
    writer_add(w, body.p, body.n);
    free(body.p);
}

static void add_stream_head(struct writer *w) {
    writer_printf(w, "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\n"
                     "cache-control: no-cache\r\ntransfer-encoding: chunked\r\n"
                     "x-request-id: req_mock\r\nopenai-processing-ms: 1\r\nserver: mock\r\n\r\n");
}

static void add_event(struct writer *w, const char *model, uint32_t i, uint32_t events) {
    struct writer event = {0};
    writer_printf(&event,
                  "data: {" CHUNK_ID ",\"object\":\"chat.completion.chunk\","
                  "\"created\":1735689600,\"model\":\"%s\","
                  "\"choices\":[{\"index\":0,\"delta\":",
                  model);
    if (i == 0) {
        writer_printf(&event, "{\"role\":\"assistant\",\"content\":\"\"}");
    } else if (i + 1 == events) {
        writer_printf(&event, "{}");
    } else {
        writer_printf(&event, "{\"content\":\"%s\"}", WORDS[i % WORD_COUNT]);
    }
    writer_printf(&event, ",\"logprobs\":null,\"finish_reason\":%s}]}\n\n",
                  i > 0 && i + 1 == events ? "\"stop\"" : "null");
    add_http_chunk(w, &event);
    free(event.p);
}

static void add_stream_tail(struct writer *w, const char *model, uint32_t events, bool usage) {
    struct writer event = {0};
    if (usage) {
        writer_printf(&event,
                      "data: {" CHUNK_ID ",\"object\":\"chat.completion.chunk\","
                      "\"created\":1735689600,\"model\":\"%s\",\"choices\":[],\"usage\":{"
                      "\"prompt_tokens\":352,\"completion_tokens\":%u,\"total_tokens\":%u}}\n\n",
                      model, events, 352 + events);
        add_http_chunk(w, &event);
        event.n = 0;
    }
    writer_printf(&event, "data: [DONE]\n\n");
    add_http_chunk(w, &event);
    free(event.p);
    writer_printf(w, "0\r\n\r\n");
}

/* The same stream as add_event and add_stream_tail make, as Anthropic says it. */
static void add_anthropic(struct writer *w, const char *name, const char *data) {
    struct writer event = {0};
    writer_printf(&event, "event: %s\ndata: {\"type\":\"%s\"%s}\n\n", name, name, data);
    add_http_chunk(w, &event);
    free(event.p);
}

static void add_anthropic_event(struct writer *w, const char *model, uint32_t i, uint32_t events) {
    char text[512];
    if (i == 0) {
        snprintf(text, sizeof text,
                 ",\"message\":{\"id\":\"msg_01BqT7mock4vN2cZk8RwYx\",\"type\":\"message\",\"role\":\"assistant\","
                 "\"model\":\"%s\",\"content\":[],\"stop_reason\":null,\"stop_sequence\":null,\"usage\":{"
                 "\"input_tokens\":352,\"cache_creation_input_tokens\":0,\"cache_read_input_tokens\":0,"
                 "\"output_tokens\":1}}",
                 model);
        add_anthropic(w, "message_start", text);
        add_anthropic(w, "content_block_start", ",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}");
    } else if (i + 1 == events) {
        add_anthropic(w, "content_block_stop", ",\"index\":0");
        snprintf(text, sizeof text,
                 ",\"delta\":{\"stop_reason\":\"end_turn\",\"stop_sequence\":null},\"usage\":{\"output_tokens\":%u}",
                 events);
        add_anthropic(w, "message_delta", text);
        add_anthropic(w, "message_stop", "");
    } else {
        snprintf(text, sizeof text, ",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"%s\"}",
                 WORDS[i % WORD_COUNT]);
        add_anthropic(w, "content_block_delta", text);
    }
}

/* Cuts the stream after whole events, so that each write carries about as many as the others. */
static void build_stream(struct answer *a, const char *model, uint32_t writes) {
    struct writer w = {0};
    uint32_t pieces = writes == 0 ? a->script.size : writes;
    if (pieces > a->script.size) pieces = a->script.size;
    if (pieces > ANSWER_WRITES_MAX) pieces = ANSWER_WRITES_MAX;
    add_stream_head(&w);
    for (uint32_t i = 0; i < a->script.size; i++) {
        if (a->script.anthropic)
            add_anthropic_event(&w, model, i, a->script.size);
        else
            add_event(&w, model, i, a->script.size);
        uint64_t due = (uint64_t)(i + 1) * pieces / a->script.size;
        if (due > a->cuts && a->cuts + 1 < pieces) a->cut[a->cuts++] = w.n;
    }
    if (a->script.anthropic)
        writer_printf(&w, "0\r\n\r\n");
    else
        add_stream_tail(&w, model, a->script.size, a->script.usage);
    a->cut[a->cuts++] = w.n;
    a->whole = writer_take(&w);
}

static void build_slow(struct answer *a, const char *model) {
    struct writer w = {0};
    add_stream_head(&w);
    a->head = writer_take(&w);
    add_event(&w, model, 1, a->script.size + 2);
    a->event = writer_take(&w);
    add_stream_tail(&w, model, a->script.size, a->script.usage);
    a->tail = writer_take(&w);
}

static void build_plain(struct answer *a, const char *model) {
    struct writer w = {0};
    add_plain(&w, model, a->script.size);
    a->whole = writer_take(&w);
    a->cut[0] = a->whole.n;
    a->cuts = 1;
}

/* Reads digits at *at, moves it past them, refuses more than max. */
static bool take_number(const char **at, uint32_t max, uint32_t *out_value) {
    const char *p = *at;
    uint64_t value = 0;
    if (*p < '0' || *p > '9') return false;
    for (; *p >= '0' && *p <= '9'; p++) {
        value = value * 10 + (uint64_t)(*p - '0');
        if (value > max) return false;
    }
    *at = p;
    *out_value = (uint32_t)value;
    return true;
}

static bool take_word(const char **at, const char *word) {
    size_t n = strlen(word);
    if (strncmp(*at, word, n) != 0) return false;
    *at += n;
    return true;
}

/* Fills kind, size and delay from the model's name. */
static bool script_parse(const char *model, struct answer_script *a) {
    const char *at = model;
    a->anthropic = take_word(&at, "a-");
    if (take_word(&at, "plain-")) {
        a->kind = ANSWER_PLAIN;
        if (!take_number(&at, 1U << 20, &a->size)) return false;
        if (take_word(&at, "k")) a->size *= 1024;
        return *at == '\0' && a->size <= 1U << 26;
    }
    if (take_word(&at, "stream-")) {
        a->kind = ANSWER_STREAM;
        return take_number(&at, ANSWER_EVENTS_MAX, &a->size) && *at == '\0' && a->size > 0;
    }
    if (take_word(&at, "slow-")) {
        a->kind = ANSWER_SLOW;
        return take_number(&at, ANSWER_EVENTS_MAX, &a->size) && a->size > 0 && take_word(&at, "-") &&
               take_number(&at, 3600000, &a->delay_ms) && *at == '\0';
    }
    if (take_word(&at, "lat-")) {
        a->kind = ANSWER_LATE;
        a->size = 1024;
        return take_number(&at, 3600000, &a->delay_ms) && *at == '\0';
    }
    return false;
}

static bool script_same(const struct answer_script *a, const struct answer_script *b) {
    return a->kind == b->kind && a->size == b->size && a->delay_ms == b->delay_ms && a->usage == b->usage &&
           a->anthropic == b->anthropic;
}

const struct answer *answer_find(struct answer_book *book, const char *model, size_t n, bool with_usage) {
    char name[48];
    struct answer_script key = {0};
    if (n >= sizeof name) return NULL;
    memcpy(name, model, n);
    name[n] = '\0';
    if (!script_parse(name, &key)) return NULL;
    key.usage = with_usage && (key.kind == ANSWER_STREAM || key.kind == ANSWER_SLOW);
    for (uint32_t i = 0; i < book->count; i++) {
        if (script_same(&book->answers[i]->script, &key)) return book->answers[i];
    }
    if (book->count == ANSWER_BOOK_MAX) return NULL;
    struct answer *wanted = calloc(1, sizeof *wanted);
    if (wanted == NULL) abort();
    wanted->script = key;
    if (key.kind == ANSWER_STREAM) {
        build_stream(wanted, name, book->writes);
    } else if (key.kind == ANSWER_SLOW) {
        build_slow(wanted, name);
    } else {
        build_plain(wanted, name);
    }
    book->answers[book->count++] = wanted;
    return wanted;
}
