// Takes from a text, or from a conversation in the neutral form, the sample that is looked at.
#include "base/utf8.h"
#include "route/complexity_impl.h"

// A text of which the beginning and the end are kept.
struct sample {
    char p[SAMPLE_MAX];
    size_t n;
};

static void sample_put(struct sample *s, struct str text, size_t max) {
    text = str_head(text, MIN(max, sizeof s->p - s->n));
    if (text.n) memcpy(s->p + s->n, text.p, text.n);
    s->n += text.n;
}

void complexity_of_text(const struct complexity_lexicon *lexicon, struct str text,
                        const struct complexity_around *around, struct complexity *out_complexity) {
    if (text.n <= HEAD_MAX + TAIL_MAX) {
        complexity_judge(lexicon, text, around, out_complexity);
        return;
    }
    struct sample s;
    s.n = 0;
    sample_put(&s, text, HEAD_MAX);
    sample_put(&s, STR("\n"), 1);
    sample_put(&s, str_from(text, text.n - TAIL_MAX), TAIL_MAX);
    complexity_judge(lexicon, str_of(s.p, s.n), around, out_complexity);
}

// --- the neutral form ---

static int hex_value(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static bool hex4(struct str s, uint32_t *out) {
    uint32_t v = 0;
    if (s.n < 4) return false;
    for (size_t i = 0; i < 4; i++) {
        const int digit = hex_value(s.p[i]);
        if (digit < 0) return false;
        v = v << 4 | (uint32_t)digit;
    }
    *out = v;
    return true;
}

// A \u escape, or a pair of them, at the front of s; how many bytes it took.
static size_t take_unicode(struct str s, struct sample *out) {
    uint32_t c = 0, low = 0;
    size_t n = 6;
    char bytes[UTF8_MAX_BYTES];
    if (!hex4(str_from(s, 2), &c)) return 2;
    if (c >= 0xd800 && c < 0xdc00 && str_starts(str_from(s, 6), STR("\\u")) && hex4(str_from(s, 8), &low) &&
        low >= 0xdc00 && low < 0xe000) {
        c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
        n = 12;
    }
    sample_put(out, str_of(bytes, utf8_encode(bytes, c)), UTF8_MAX_BYTES);
    return n;
}

// Decodes what stands between the quotes of a JSON string, until `max` bytes came out.
static void decode(struct str s, struct sample *out, size_t max) {
    const size_t end = MIN(out->n + max, sizeof out->p - UTF8_MAX_BYTES);
    size_t i = 0;
    while (i < s.n && out->n < end) {
        if (s.p[i] != '\\') {
            out->p[out->n++] = s.p[i++];
        } else if (i + 1 < s.n && s.p[i + 1] == 'u') {
            i += take_unicode(str_from(s, i), out);
        } else {
            const char c = i + 1 < s.n ? s.p[i + 1] : ' ';
            out->p[out->n++] = c == 'n' || c == 'r' ? '\n' : c == 't' || c == 'b' || c == 'f' ? ' ' : c;
            i += 2;
        }
    }
}

// Where the last `max` bytes of an escaped text may be cut without cutting an escape: at a space or a character that
// none has.
static struct str tail_of(struct str s, size_t max) {
    size_t i = s.n > max ? s.n - max : 0;
    const size_t stop = MIN(i + 64, s.n);
    for (; i < stop; i++)
        if (s.p[i] == ' ' || (uint8_t)s.p[i] >= 0xc2) return str_from(s, i);
    return STR_NONE;
}

static bool is_text(const struct chat_part *part) { return part->kind == CHAT_TEXT; }

static uint64_t turn_bytes(const struct chat_turn *turn) {
    uint64_t n = 0;
    for (size_t i = 0; i < turn->count; i++) {
        const struct chat_part *part = &turn->parts[i];
        n += part->text.n + part->media.text.n + part->args.n;
        for (size_t k = 0; k < part->count; k++) n += part->parts[k].text.n;
    }
    return n;
}

static uint64_t text_bytes(const struct chat_turn *turn) {
    uint64_t n = 0;
    for (size_t i = 0; i < turn->count; i++)
        if (is_text(&turn->parts[i])) n += chat_inner(turn->parts[i].text).n;
    return n;
}

// The last message of a user that says something: results of tools are none.
static const struct chat_turn *last_message(const struct chat *chat) {
    for (size_t i = chat->count; i-- > 0;)
        if (chat->turns[i].role == CHAT_USER && text_bytes(&chat->turns[i]) > 0) return &chat->turns[i];
    return NULL;
}

static void sample_message(const struct chat_turn *turn, struct sample *s) {
    size_t room = HEAD_MAX;
    struct str last = STR_NONE;
    for (size_t i = 0; i < turn->count && room > 1; i++) {
        if (!is_text(&turn->parts[i])) continue;
        const size_t before = s->n;
        if (before) sample_put(s, STR("\n"), 1);
        decode(chat_inner(turn->parts[i].text), s, room - (before ? 1 : 0));
        room -= MIN(room, s->n - before);
    }
    for (size_t i = 0; i < turn->count; i++)
        if (is_text(&turn->parts[i])) last = chat_inner(turn->parts[i].text);
    if (text_bytes(turn) <= HEAD_MAX) return;
    sample_put(s, STR("\n"), 1);
    decode(tail_of(last, TAIL_MAX), s, TAIL_MAX);
}

void complexity_of_chat(const struct complexity_lexicon *lexicon, const struct chat *chat,
                        struct complexity *out_complexity) {
    struct complexity_around around = {.tools = (unsigned)MIN(chat->tool_count, 1000u)};
    const struct chat_turn *message = last_message(chat);
    struct sample s;
    s.n = 0;
    for (size_t i = 0; i < chat->count; i++) {
        if (chat->turns[i].role != CHAT_SYSTEM && around.turns < 1000) around.turns++;
        if (&chat->turns[i] != message) around.context_bytes += turn_bytes(&chat->turns[i]);
    }
    if (message) {
        for (size_t i = 0; i < message->count; i++) around.images |= message->parts[i].kind == CHAT_IMAGE;
        around.message_bytes = text_bytes(message);
        sample_message(message, &s);
    }
    complexity_judge(lexicon, str_of(s.p, s.n), &around, out_complexity);
}
