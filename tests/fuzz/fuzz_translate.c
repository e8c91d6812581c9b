// Fuzzes the way of answers from every provider's dialect into every client's: never crashes, is the same however the
// stream is cut, and what comes out is valid in the client's dialect.
#include "base/json_read.h"
#include "model/translate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MAX_EVENT 20000

// By a letter, so that seeds can be read: o(penai), a(nthropic), g(emini), r(esponses), c(ompletions), l (Ollama),
// n (its generate), b(edrock), h (Cohere); any other byte is a number.
static const struct dialect_ops *pick(uint8_t byte, bool client) {
    static const struct {
        char letter;
        const char *name;
    } k_letters[] = {{'o', "openai"},          {'a', "anthropic"},   {'g', "gemini"},
                     {'r', "responses"},       {'c', "completions"}, {'l', "ollama"},
                     {'n', "ollama_generate"}, {'b', "bedrock"},     {'h', "cohere"}};
    const struct dialect_ops *named = NULL;
    for (size_t i = 0; i < ARRAY_LEN(k_letters); i++)
        if (byte == k_letters[i].letter) named = dialect_find(str_c(k_letters[i].name));
    for (unsigned i = 0; i < DIALECT_COUNT; i++) {
        const struct dialect_ops *d = named && i == 0 ? named : dialect_get((enum dialect)((byte + i) % DIALECT_COUNT));
        if (client ? d->encoder_init != NULL : d->decode != NULL) return d;
    }
    return NULL;
}

struct run {
    const struct dialect_ops *from, *to;
    struct arena arena;
    struct chat_reply reply;
    struct chat chat;
    struct model_request request;
};

static void run_open(struct run *r, const struct dialect_ops *from, const struct dialect_ops *to, bool array) {
    *r = (struct run){.from = from, .to = to};
    arena_init(&r->arena, NULL, 0, (size_t)64 << 20);
    r->chat.stream = r->request.stream = true;
    r->request.array = array;
    r->request.dialect = to->dialect;
    r->request.body = STR("{}");
    r->request.model = STR("m");
    r->reply = (struct chat_reply){.id = STR("0000g00000000"),
                                   .model = STR("m"),
                                   .created = 1700000000,
                                   .wants_usage = true,
                                   .array = array,
                                   .prompt_estimate = 7,
                                   .elapsed_ns = 1000000,
                                   .request = &r->request,
                                   .chat = &r->chat,
                                   .arena = &r->arena};
}

// The stream in pieces of `step`; false: the provider's bytes are wrong, and the client was told so.
static bool run_stream(struct run *r, struct str text, size_t step, struct buf *out) {
    struct translator t;
    struct err err;
    bool ok = true;
    INVARIANT(translator_init(&t, r->from, r->to, &r->reply, MAX_EVENT, &r->arena, &err));
    for (bool last = false; ok && !last;) {
        struct str piece = str_head(text, step);
        text = str_from(text, piece.n);
        last = text.n == 0;
        ok = translator_feed(&t, piece, last, &err);
    }
    if (!ok) {
        struct chat_failure failure = chat_failure_of_err(&err, &r->arena);
        translator_fail(&t, &failure);
    }
    buf_put(out, buf_str(&t.out));
    translator_free(&t);
    return ok;
}

struct checking {
    const struct dialect_ops *to;
    int open; // Anthropic: blocks that are open
    bool started, stopped, failed;
};

static struct str event_type(struct str data) {
    struct json_field f = {.name = STR_INIT("type"), .kinds = JSON_IS(JSON_STRING)};
    struct err err;
    return json_scan(data, &f, 1, &err) && f.found ? str_of(f.raw.p + 1, f.raw.n - 2) : STR("");
}

static void check_blocks(struct checking *c, struct str data) {
    struct str type = event_type(data);
    INVARIANT(!c->stopped && !c->failed);
    if (str_eq(type, STR("message_start"))) INVARIANT(!c->started);
    if (str_eq(type, STR("message_start"))) c->started = true;
    if (str_eq(type, STR("error"))) c->failed = true;
    if (!c->failed && !str_eq(type, STR("ping"))) INVARIANT(c->started);
    if (str_eq(type, STR("content_block_start"))) INVARIANT(c->open++ == 0);
    if (str_eq(type, STR("content_block_delta"))) INVARIANT(c->open == 1);
    if (str_eq(type, STR("content_block_stop"))) INVARIANT(--c->open == 0);
    if (str_eq(type, STR("message_delta")) || str_eq(type, STR("message_stop"))) INVARIANT(c->open == 0);
    if (str_eq(type, STR("message_stop"))) c->stopped = true;
}

static bool check_frame(void *arg, const struct frame *frame, struct err *err) {
    struct checking *c = arg;
    if (str_eq(frame->data, STR("[DONE]"))) return true;
    INVARIANT(json_validate(frame->data, 0, err));
    if (str_eq(c->to->name, STR("anthropic"))) check_blocks(c, frame->data);
    return true;
}

static void check_output(const struct run *r, struct str out) {
    struct checking c = {.to = r->to};
    struct framer f;
    struct err err;
    bool lines = str_eq(r->to->stream_type, STR("application/x-ndjson"));
    framer_init(&f, r->request.array ? FRAME_ARRAY : lines ? FRAME_LINES : FRAME_SSE, (size_t)32 << 20);
    INVARIANT(framer_feed(&f, out, true, check_frame, &c, &err));
    framer_free(&f);
    if (str_eq(r->to->name, STR("anthropic"))) INVARIANT(c.stopped || c.failed);
}

static void whole(struct run *r, struct str text) {
    BUF_AUTO struct buf out = BUF_INIT((size_t)64 << 20);
    struct usage usage;
    struct err err;
    bool has;
    r->chat.stream = r->request.stream = false;
    if (!r->from->decode_answer || !r->to->put_answer) return;
    if (translate_answer(r->from, r->to, &r->reply, text, &r->arena, &out, &usage, &has, &err))
        INVARIANT(json_validate(buf_str(&out), 0, &err));
}

static void failure(struct run *r, struct str text, int status) {
    BUF_AUTO struct buf out = BUF_INIT((size_t)64 << 20);
    struct chat_failure f;
    struct err err;
    if (!r->from->read_failure || !r->from->read_failure(text, status, &r->arena, &f)) return;
    r->to->put_failure(&f, STR("req_0000g00000000"), &out);
    INVARIANT(json_validate(buf_str(&out), 0, &err));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct run r;
    if (size < 3) return 0;
    const struct dialect_ops *from = pick(data[0], false), *to = pick(data[1], true);
    if (!from || !to) return 0;
    struct str text = str_of((const char *)data + 3, size - 3);
    BUF_AUTO struct buf a = BUF_INIT((size_t)64 << 20), b = BUF_INIT((size_t)64 << 20);
    bool array = (data[2] & 0x80) && str_eq(to->name, STR("gemini"));
    run_open(&r, from, to, array);
    bool once = run_stream(&r, text, SIZE_MAX, &a), pieces = run_stream(&r, text, 1 + data[2] % 64u, &b);
    check_output(&r, buf_str(&a));
    check_output(&r, buf_str(&b));
    if (once && pieces) INVARIANT(str_eq(buf_str(&a), buf_str(&b)));
    whole(&r, text);
    failure(&r, text, 400 + data[2] % 200);
    arena_free(&r.arena);
    return 0;
}
