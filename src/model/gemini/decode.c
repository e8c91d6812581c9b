// Answers in Google's dialect as chat events: each chunk of a stream is an answer of its own, and so is a whole answer.
#include "model/gemini/gemini.h"

#include "base/hash.h"
#include "base/text.h"

enum { CANDIDATES, FEEDBACK, USAGE, MODEL, ID, ERROR, CHUNK_MEMBERS };
static const struct gemini_member k_chunk[] = {
    [CANDIDATES] = {STR_INIT("candidates"), JSON_IS(JSON_ARRAY)},
    [FEEDBACK] = {STR_INIT("promptFeedback"), JSON_IS(JSON_OBJECT)},
    [USAGE] = {STR_INIT("usageMetadata"), JSON_IS(JSON_OBJECT)},
    [MODEL] = {STR_INIT("modelVersion"), JSON_IS(JSON_STRING)},
    [ID] = {STR_INIT("responseId"), JSON_IS(JSON_STRING)},
    [ERROR] = {STR_INIT("error"), JSON_IS(JSON_OBJECT)},
};

struct decode {
    struct gemini_decoder *d;
    struct chat_sink *sink;
    struct gemini_read rd;
    struct str data; // the chunk
    uint64_t hash;   // of it, once it is needed; else 0
    unsigned choice;
};

static struct str inner_or(struct str raw, struct str otherwise) { return raw.p ? chat_inner(raw) : otherwise; }

static void emit(struct decode *x, enum chat_event_kind kind, struct str text) {
    unsigned parts = x->d->choice[x->choice].parts;
    chat_emit(x->sink, &(struct chat_event){.kind = kind,
                                            .choice = x->choice,
                                            .part = parts ? parts - 1 : 0,
                                            .part_kind = x->d->choice[x->choice].kind,
                                            .text = text});
}

static void close_part(struct decode *x) {
    if (!x->d->choice[x->choice].open) return;
    x->d->choice[x->choice].open = false;
    emit(x, CHAT_PART_END, STR(""));
}

static void open_part(struct decode *x, const struct chat_event *event) {
    struct chat_event e = *event;
    close_part(x);
    e.kind = CHAT_PART_BEGIN;
    e.choice = x->choice;
    e.part = x->d->choice[x->choice].parts++;
    x->d->choice[x->choice].open = true;
    x->d->choice[x->choice].kind = e.part_kind;
    chat_emit(x->sink, &e);
}

// --- parts ---

static void put_signature(struct decode *x, struct str raw) {
    if (raw.n > 2) emit(x, CHAT_SIGNATURE, chat_inner(raw));
}

static void take_text(struct decode *x, struct str text, bool thought, struct str signature) {
    enum chat_part_kind kind = thought ? CHAT_THINKING : CHAT_TEXT;
    bool goes_on = x->d->choice[x->choice].open && x->d->choice[x->choice].kind == kind;
    if (text.n <= 2 && (signature.n <= 2 || !goes_on)) return;
    if (!goes_on) open_part(x, &(struct chat_event){.part_kind = kind});
    if (text.n > 2) emit(x, CHAT_DELTA, chat_inner(text));
    put_signature(x, signature);
}

#define PIECE 4096

// The arguments as their text, escaped once; white space between the values goes.
static void put_args(struct decode *x, struct str args) {
    char piece[PIECE + 8];
    size_t n = 0;
    bool in_string = false, escaped = false;
    for (size_t i = 0; i < args.n; i++) {
        char c = args.p[i];
        if (!in_string && (c == ' ' || c == '\n' || c == '\r' || c == '\t')) continue;
        if (in_string && escaped)
            escaped = false;
        else if (in_string && c == '\\')
            escaped = true;
        else if (c == '"')
            in_string = !in_string;
        // A piece ends before a character, never within one.
        if (n >= PIECE && ((unsigned char)c & 0xc0) != 0x80) {
            emit(x, CHAT_DELTA, str_of(piece, n));
            n = 0;
        }
        if (c == '"' || c == '\\') piece[n++] = '\\';
        piece[n++] = c;
    }
    if (n) emit(x, CHAT_DELTA, str_of(piece, n));
}

// An id as other dialects want one, with the signature in it.
static bool put_id(struct decode *x, struct str given, struct str signature, struct buf *out) {
    struct buf text = BUF_INIT(1 << 20), id = BUF_INIT(4096);
    char digits[BASE32_U64_LEN];
    if (given.n > 2) {
        buf_put(&id, chat_inner(given));
    } else {
        // The chunk has the answer's id and its counts in it, so no other call gets the same.
        if (!x->hash) x->hash = hash_bytes(x->data, 0x67656d696e69) | 1;
        base32_u64(digits, x->hash);
        buf_lit(&id, "call_");
        buf_append(&id, digits, sizeof digits);
        buf_printf(&id, "%u", x->d->choice[x->choice].parts);
    }
    bool good = signature.n <= 2 || json_string_decode(signature, &text);
    gemini_id_pack(out, buf_str(&id), buf_str(&text));
    good = good && !id.failed && !text.failed && !out->failed;
    buf_free(&id);
    buf_free(&text);
    return good;
}

static bool take_call(struct decode *x, struct str raw, struct str signature) {
    static const struct gemini_member members[] = {{STR_INIT("id"), JSON_IS(JSON_STRING)},
                                                   {STR_INIT("name"), JSON_IS(JSON_STRING)},
                                                   {STR_INIT("args"), JSON_IS(JSON_OBJECT)}};
    struct str f[3];
    struct buf id = BUF_INIT(2 << 20);
    if (!gemini_object(&x->rd, raw, NULL, members, 3, f)) return false;
    bool good = put_id(x, f[0], signature, &id);
    if (good) {
        open_part(
            x, &(struct chat_event){.part_kind = CHAT_TOOL_CALL, .id = buf_str(&id), .name = inner_or(f[1], STR(""))});
        x->d->choice[x->choice].called = true;
        put_args(x, f[2].p ? f[2] : STR("{}"));
        close_part(x);
    }
    buf_free(&id);
    return good || err_set(x->rd.err, ERR_UPSTREAM_INVALID, "a call's id or signature is too large");
}

static void take_media(struct decode *x, struct str raw) {
    struct str mime, data, text;
    bool named = JSON_GET(raw, &mime, STR("mimeType")) || JSON_GET(raw, &mime, STR("mime_type"));
    if (!JSON_GET(raw, &data, STR("data")) || data.p[0] != '"') return;
    if (!named || !json_string_borrow(mime, &text)) text = STR("application/octet-stream");
    enum chat_part_kind kind = str_starts(text, STR("image/"))   ? CHAT_IMAGE
                               : str_starts(text, STR("audio/")) ? CHAT_AUDIO
                               : str_starts(text, STR("video/")) ? CHAT_VIDEO
                                                                 : CHAT_FILE;
    open_part(x, &(struct chat_event){.part_kind = kind, .mime = text});
    emit(x, CHAT_DELTA, chat_inner(data));
    close_part(x);
    x->d->usage.images += kind == CHAT_IMAGE;
}

// Code that Google ran, and what came of it, is told as text.
static void take_code(struct decode *x, struct str raw) {
    struct str text;
    bool code = JSON_GET(raw, &text, STR("code"));
    if ((!code && !JSON_GET(raw, &text, STR("output"))) || text.n <= 2 || text.p[0] != '"') return;
    take_text(x, code ? STR("\"```python\\n\"") : STR("\"```\\n\""), false, STR_NONE);
    take_text(x, text, false, STR_NONE);
    take_text(x, STR("\"\\n```\\n\""), false, STR_NONE);
}

static bool take_part(struct decode *x, struct str raw) {
    enum { TEXT, THOUGHT, SIGNATURE, INLINE, CALL, CODE, CODE_RESULT, N };
    static const struct gemini_member members[] = {
        [TEXT] = {STR_INIT("text"), JSON_IS(JSON_STRING)},
        [THOUGHT] = {STR_INIT("thought"), JSON_IS(JSON_BOOL)},
        [SIGNATURE] = {STR_INIT("thoughtSignature"), JSON_IS(JSON_STRING)},
        [INLINE] = {STR_INIT("inlineData"), JSON_IS(JSON_OBJECT)},
        [CALL] = {STR_INIT("functionCall"), JSON_IS(JSON_OBJECT)},
        [CODE] = {STR_INIT("executableCode"), JSON_IS(JSON_OBJECT)},
        [CODE_RESULT] = {STR_INIT("codeExecutionResult"), JSON_IS(JSON_OBJECT)},
    };
    struct str f[N];
    if (!gemini_object(&x->rd, raw, NULL, members, N, f)) return false;
    if (f[CALL].p) return take_call(x, f[CALL], f[SIGNATURE]);
    if (f[INLINE].p) take_media(x, f[INLINE]);
    if (f[CODE].p || f[CODE_RESULT].p) take_code(x, f[CODE].p ? f[CODE] : f[CODE_RESULT]);
    if (f[TEXT].p || f[SIGNATURE].p) take_text(x, f[TEXT], gemini_is_true(f[THOUGHT]), f[SIGNATURE]);
    return true;
}

// --- sources ---

#define SOURCES_MAX 256

static void put_source(struct decode *x, struct str web, struct str cited) {
    struct str uri, title;
    struct buf raw = BUF_INIT(1 << 20);
    if (!JSON_GET(web, &uri, STR("uri")) || uri.p[0] != '"') return;
    if (!JSON_GET(web, &title, STR("title")) || title.p[0] != '"') title = STR("\"\"");
    buf_lit(&raw, "{\"type\":\"web_search_result_location\",\"url\":");
    buf_put(&raw, uri);
    buf_lit(&raw, ",\"title\":");
    buf_put(&raw, title);
    buf_lit(&raw, ",\"cited_text\":");
    buf_put(&raw, cited.p ? cited : STR("\"\""));
    buf_lit(&raw, ",\"encrypted_index\":\"\"}");
    struct chat_event e = {.kind = CHAT_CITATION, .choice = x->choice, .raw = buf_str(&raw)};
    e.part = x->d->choice[x->choice].parts - 1;
    e.part_kind = CHAT_TEXT;
    if (!raw.failed) chat_emit(x->sink, &e);
    buf_free(&raw);
}

static size_t gather_sources(struct str chunks, struct str out[SOURCES_MAX]) {
    struct json_reader r;
    struct str one;
    enum json_kind kind;
    size_t n = 0;
    json_reader_init(&r, chunks, 0);
    if (json_enter_array(&r))
        while (n < SOURCES_MAX && json_element(&r, &kind)) {
            if (!json_skip(&r, &one)) break;
            if (!JSON_GET(one, &out[n], STR("web"))) out[n] = STR("{}");
            n++;
        }
    return n;
}

// One claim, and which sources bear it out.
static size_t put_support(struct decode *x, struct str support, const struct str *sources, size_t n) {
    struct json_reader r;
    struct str list, text, raw;
    enum json_kind kind;
    uint64_t index;
    size_t told = 0;
    if (!JSON_GET(support, &list, STR("groundingChunkIndices"))) return 0;
    if (!JSON_GET(support, &text, STR("segment"), STR("text")) || text.p[0] != '"') text = STR_NONE;
    json_reader_init(&r, list, 0);
    if (json_enter_array(&r))
        while (told < 16 && json_element(&r, &kind))
            if (json_skip(&r, &raw) && gemini_u64(raw, &index) && index < n) {
                put_source(x, sources[index], text);
                told++;
            }
    return told;
}

static void take_grounding(struct decode *x, struct str raw) {
    struct str chunks, supports, one, sources[SOURCES_MAX];
    struct json_reader r;
    enum json_kind kind;
    size_t told = 0;
    if (!x->d->choice[x->choice].open || x->d->choice[x->choice].kind != CHAT_TEXT) return;
    if (!JSON_GET(raw, &chunks, STR("groundingChunks"))) return;
    size_t n = gather_sources(chunks, sources);
    json_reader_init(&r, JSON_GET(raw, &supports, STR("groundingSupports")) ? supports : STR("[]"), 0);
    if (json_enter_array(&r))
        while (told < SOURCES_MAX && json_element(&r, &kind))
            if (json_skip(&r, &one)) told += put_support(x, one, sources, n);
    for (size_t i = 0; told == 0 && i < n; i++) put_source(x, sources[i], STR_NONE);
}

// --- candidates ---

static enum chat_finish finish_of(struct str reason) {
    static const struct str filters[] = {STR_INIT("SAFETY"),
                                         STR_INIT("RECITATION"),
                                         STR_INIT("LANGUAGE"),
                                         STR_INIT("BLOCKLIST"),
                                         STR_INIT("PROHIBITED_CONTENT"),
                                         STR_INIT("SPII"),
                                         STR_INIT("IMAGE_SAFETY"),
                                         STR_INIT("IMAGE_PROHIBITED_CONTENT"),
                                         STR_INIT("IMAGE_RECITATION"),
                                         STR_INIT("MODEL_ARMOR")};
    if (str_eq(reason, STR("MAX_TOKENS"))) return CHAT_FINISH_LENGTH;
    for (size_t i = 0; i < ARRAY_LEN(filters); i++)
        if (str_eq(reason, filters[i])) return CHAT_FINISH_FILTER;
    return CHAT_FINISH_STOP;
}

static bool take_parts(struct decode *x, struct str content) {
    struct json_reader r;
    struct str parts, one;
    enum json_kind kind;
    if (!JSON_GET(content, &parts, STR("parts"))) return true;
    json_reader_init(&r, parts, JSON_DEPTH_MAX);
    if (json_raw_kind(parts) == JSON_ARRAY && json_enter_array(&r))
        while (json_element(&r, &kind))
            if (json_skip(&r, &one) && kind == JSON_OBJECT && !take_part(x, one)) return false;
    return true;
}

static bool take_candidate(struct decode *x, struct str raw) {
    enum { CONTENT, REASON, INDEX, GROUNDING, N };
    static const struct gemini_member members[] = {
        [CONTENT] = {STR_INIT("content"), JSON_IS(JSON_OBJECT)},
        [REASON] = {STR_INIT("finishReason"), JSON_IS(JSON_STRING)},
        [INDEX] = {STR_INIT("index"), JSON_IS(JSON_NUMBER)},
        [GROUNDING] = {STR_INIT("groundingMetadata"), JSON_IS(JSON_OBJECT)},
    };
    struct str f[N];
    uint64_t index = 0;
    if (!gemini_object(&x->rd, raw, NULL, members, N, f)) return false;
    if (f[INDEX].p && !gemini_u64(f[INDEX], &index)) return true;
    if (index >= CHAT_CHOICES_MAX) return true;
    x->choice = (unsigned)index;
    if (f[CONTENT].p && !take_parts(x, f[CONTENT])) return false;
    if (f[GROUNDING].p) take_grounding(x, f[GROUNDING]);
    if (f[REASON].p && !json_string_eq(f[REASON], STR("FINISH_REASON_UNSPECIFIED"))) {
        x->d->choice[index].finished = true;
        x->d->choice[index].finish = finish_of(chat_inner(f[REASON]));
    }
    return true;
}

static bool take_candidates(struct decode *x, struct str raw) {
    struct json_reader r;
    struct str one;
    enum json_kind kind;
    json_reader_init(&r, raw, JSON_DEPTH_MAX);
    if (json_enter_array(&r))
        while (json_element(&r, &kind))
            if (json_skip(&r, &one) && kind == JSON_OBJECT && !take_candidate(x, one)) return false;
    return true;
}

static void take_feedback(struct decode *x, struct str raw) {
    struct str reason;
    if (!JSON_GET(raw, &reason, STR("blockReason")) || reason.p[0] != '"') return;
    x->d->choice[0].finished = true;
    x->d->choice[0].finish = CHAT_FINISH_FILTER;
}

static void take_error(struct decode *x) {
    struct chat_failure failure;
    if (!gemini_read_failure(x->data, 200, NULL, &failure))
        failure = (struct chat_failure){.kind = CHAT_FAIL_SERVER, .status = 500, .message = STR("the provider failed")};
    x->d->failed = true;
    chat_emit(x->sink, &(struct chat_event){.kind = CHAT_FAIL, .failure = &failure});
}

static bool decode_chunk(struct gemini_decoder *d, struct str data, struct chat_sink *sink, struct err *err) {
    struct decode x = {
        .d = d, .sink = sink, .rd = {.err = err, .lenient = true, .depth = JSON_DEPTH_MAX}, .data = data};
    struct str f[CHUNK_MEMBERS];
    struct err inner;
    x.rd.err = &inner;
    if (!gemini_object(&x.rd, data, NULL, k_chunk, CHUNK_MEMBERS, f))
        return err_set(err, ERR_UPSTREAM_INVALID, "the provider's answer: %s", inner.message);
    x.rd.err = err;
    if (f[ERROR].p) {
        take_error(&x);
        return true;
    }
    if (!d->begun)
        chat_emit(sink, &(struct chat_event){
                            .kind = CHAT_BEGIN, .id = inner_or(f[ID], STR("")), .name = inner_or(f[MODEL], STR(""))});
    d->begun = true;
    if (f[CANDIDATES].p && !take_candidates(&x, f[CANDIDATES])) return false;
    if (f[FEEDBACK].p) take_feedback(&x, f[FEEDBACK]);
    if (f[USAGE].p && gemini_usage_read(f[USAGE], &d->usage)) d->has_usage = true;
    return true;
}

void gemini_decoder_init(void *decoder) { *(struct gemini_decoder *)decoder = (struct gemini_decoder){0}; }

bool gemini_decode(void *decoder, const struct frame *frame, struct chat_sink *sink, struct err *err) {
    struct gemini_decoder *d = decoder;
    struct str data = str_trim(frame->data);
    if (d->failed || !data.n || str_eq(data, STR("[DONE]"))) return true;
    return decode_chunk(d, data, sink, err);
}

unsigned gemini_decode_finished(const void *decoder) {
    const struct gemini_decoder *d = decoder;
    unsigned n = 0;
    for (size_t i = 0; i < CHAT_CHOICES_MAX; i++) n += d->choice[i].finished;
    return n;
}

void gemini_decode_end(void *decoder, struct chat_sink *sink) {
    struct gemini_decoder *d = decoder;
    if (d->failed) return;
    struct decode x = {.d = d, .sink = sink};
    for (x.choice = 0; x.choice < CHAT_CHOICES_MAX; x.choice++) close_part(&x);
    // The counts are those of all that came, so only the last ones are told.
    if (d->has_usage) chat_emit(sink, &(struct chat_event){.kind = CHAT_USAGE, .usage = &d->usage});
    for (x.choice = 0; x.choice < CHAT_CHOICES_MAX; x.choice++) {
        enum chat_finish finish = d->choice[x.choice].finish;
        if (!d->choice[x.choice].finished) continue;
        if (d->choice[x.choice].called && finish == CHAT_FINISH_STOP) finish = CHAT_FINISH_TOOLS;
        chat_emit(sink, &(struct chat_event){.kind = CHAT_FINISH, .choice = x.choice, .finish = finish});
    }
}

bool gemini_decode_answer(struct str body, struct arena *arena, struct chat_sink *sink, struct err *err) {
    struct gemini_decoder d;
    (void)arena;
    gemini_decoder_init(&d);
    if (!decode_chunk(&d, str_trim(body), sink, err)) return false;
    gemini_decode_end(&d, sink);
    return true;
}
