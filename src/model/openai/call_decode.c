// Tool calls of a delta or a message as chat events, also from vendors that number them badly.
//
// A call's pieces are told together by `index`. Some vendors send index 0 for every call, or none; a new id, or a name
// after arguments have begun, is a new call then. Some send no id: one is made of the answer's id and the call's place,
// so that it differs from those of other answers.
#include "base/hash.h"
#include "base/text.h"
#include "model/openai/openai.h"

static struct openai_call_seen *find(struct openai_decoder *d, unsigned choice, bool indexed, uint32_t index) {
    for (unsigned i = d->call_count; i > 0; i--) {
        struct openai_call_seen *c = &d->calls[i - 1];
        if (c->choice == choice && (!indexed || c->index == index)) return c;
    }
    return NULL;
}

static bool is_new(const struct openai_call_seen *c, bool indexed, struct str id, struct str name, uint64_t id_hash) {
    if (!c) return true;
    if (id.n) return c->id_hash ? c->id_hash != id_hash : c->args || !indexed;
    return name.n && (c->args || !indexed);
}

static void emit(const struct openai_saying *s, const struct openai_call_seen *c, enum chat_event_kind kind,
                 struct str text) {
    if (!text.n) return;
    struct chat_event e = {
        .kind = kind, .choice = s->choice, .part = c->part, .part_kind = CHAT_TOOL_CALL, .text = text};
    chat_emit(s->sink, &e);
}

// Arguments that came as an object: its text with quotes, backslashes and line ends escaped.
static void emit_object(const struct openai_saying *s, const struct openai_call_seen *c, struct str raw) {
    static const char special[] = "\"\\\n\r\t", names[] = "\"\\nrt";
    while (raw.n) {
        size_t n = 0;
        while (n < raw.n && !strchr(special, raw.p[n])) n++;
        emit(s, c, CHAT_DELTA, str_head(raw, n));
        if (n == raw.n) return;
        const char two[2] = {'\\', names[strchr(special, raw.p[n]) - special]};
        emit(s, c, CHAT_DELTA, str_of(two, 2));
        raw = str_from(raw, n + 1);
    }
}

static struct openai_call_seen *begin_call(const struct openai_saying *s, uint32_t index, struct str id,
                                           struct str name, uint64_t id_hash) {
    struct openai_decoder *d = s->d;
    char made[5 + BASE32_U64_LEN] = "call_";
    if (d->call_count == OPENAI_CALLS_MAX) return NULL;
    struct openai_call_seen *c = &d->calls[d->call_count++];
    *c = (struct openai_call_seen){.id_hash = id_hash, .index = index, .choice = s->choice};
    if (!id.n) {
        uint64_t place[3] = {d->answer_hash, s->choice, d->call_count};
        base32_u64(made + 5, hash_bytes(str_of((const char *)place, sizeof place), 2));
        id = str_of(made, sizeof made);
    }
    c->part = d->choices[s->choice].parts;
    openai_part_begin(s, CHAT_TOOL_CALL, id, name, STR(""));
    return c;
}

// More calls than anybody makes.
static void fail_full(const struct openai_saying *s) {
    static const struct chat_failure full = {.kind = CHAT_FAIL_SERVER,
                                             .status = 502,
                                             .message = STR_INIT("the provider's answer calls too many tools"),
                                             .code = STR_INIT("upstream_too_large"),
                                             .type = STR_INIT(""),
                                             .param = STR_INIT("")};
    if (s->d->failed) return;
    s->d->failed = true;
    chat_emit(s->sink, &(struct chat_event){.kind = CHAT_FAIL, .failure = &full});
}

void openai_decode_call(const struct openai_saying *s, const struct json_field *index, struct str id, struct str name,
                        struct str args, struct str signature) {
    uint64_t number = 0;
    bool indexed =
        index->found && index->kind == JSON_NUMBER && json_raw_u64(index->raw, &number) && number < UINT32_MAX;
    uint64_t id_hash = id.n ? hash_bytes(id, 3) | 1 : 0;
    struct openai_call_seen *c = find(s->d, s->choice, indexed, (uint32_t)number);
    if (is_new(c, indexed, id, name, id_hash)) c = begin_call(s, (uint32_t)number, id, name, id_hash);
    if (!c) {
        fail_full(s);
        return;
    }
    if (!c->id_hash) c->id_hash = id_hash;
    enum json_kind kind = args.p ? json_raw_kind(args) : JSON_NULL;
    if (kind == JSON_STRING) emit(s, c, CHAT_DELTA, chat_inner(args));
    if (kind == JSON_OBJECT) emit_object(s, c, args);
    if ((kind == JSON_STRING && args.n > 2) || kind == JSON_OBJECT) c->args = true;
    emit(s, c, CHAT_SIGNATURE, signature);
}

static struct str text_at(const struct json_field *f) {
    return f->found && f->kind == JSON_STRING ? chat_inner(f->raw) : STR("");
}

bool openai_decode_calls(const struct openai_saying *s, struct str array, struct err *err) {
    struct json_reader r;
    enum json_kind kind;
    json_reader_init(&r, array, 0);
    if (!json_enter_array(&r)) return json_error(&r, err);
    while (json_element(&r, &kind)) {
        struct json_field f[] = {{.name = STR_INIT("index")},
                                 {.name = STR_INIT("id")},
                                 {.name = STR_INIT("function")},
                                 {.name = STR_INIT("extra_content")}};
        struct json_field g[] = {{.name = STR_INIT("name")}, {.name = STR_INIT("arguments")}};
        struct str signature;
        if (kind != JSON_OBJECT) continue;
        if (!json_object_scan(&r, f, ARRAY_LEN(f), err)) return false;
        if (f[2].found && f[2].kind == JSON_OBJECT && !json_scan(f[2].raw, g, ARRAY_LEN(g), err)) return false;
        bool signed_by = f[3].found && JSON_GET(f[3].raw, &signature, STR("google"), STR("thought_signature")) &&
                         json_raw_kind(signature) == JSON_STRING;
        // In a whole message they are told apart by their places.
        struct json_field none = {0};
        openai_decode_call(s, s->whole ? &none : &f[0], text_at(&f[1]), text_at(&g[0]),
                           g[1].found ? g[1].raw : STR_NONE, signed_by ? chat_inner(signature) : STR(""));
    }
    return json_ok(&r) || json_error(&r, err);
}
