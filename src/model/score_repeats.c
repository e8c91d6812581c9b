// Finds texts that go round in circles.
#include "base/hash.h"
#include "model/score.h"

#define TAIL_MAX 4096       // of the end that is looked at for a loop
#define LOOP_BYTES 240      // as long as a loop must be
#define LOOP_TURNS 4        // and as often the same
#define SENTENCE_MIN 24     // shorter lines come again in any text: braces, labels
#define SENTENCES 2048      // that are remembered
#define SAID_BEFORE 4       // the fourth time is too often
#define REPEATED_PERCENT 30 // of a text's sentences, by their length
#define TEXT_MIN 240

// The end is read backwards, by the borders of its beginnings (Knuth, Morris, Pratt): n bytes whose longest border has
// b bytes have the period n - b.
static bool ends_in_loop(struct str text) {
    uint16_t border[TAIL_MAX + 1];
    size_t n = MIN(text.n, (size_t)TAIL_MAX), b = 0;
    const char *end = text.p + text.n - 1;
    border[0] = border[1] = 0;
    for (size_t i = 1; i < n; i++) {
        while (b && end[-(ptrdiff_t)i] != end[-(ptrdiff_t)b]) b = border[b];
        if (end[-(ptrdiff_t)i] == end[-(ptrdiff_t)b]) b++;
        border[i + 1] = (uint16_t)b;
        size_t len = i + 1, period = len - b;
        if (len >= LOOP_BYTES && len >= period * LOOP_TURNS) return true;
    }
    return false;
}

struct sentences {
    struct {
        uint32_t hash;
        uint32_t times;
    } seen[SENTENCES];
    size_t bytes, again;
};

static void take(struct sentences *s, struct str sentence) {
    sentence = str_trim(sentence);
    if (sentence.n < SENTENCE_MIN) return;
    s->bytes += sentence.n;
    uint32_t hash = (uint32_t)hash_bytes(sentence, 0);
    hash += !hash; // 0 is none
    for (size_t k = 0, at = hash % SENTENCES; k < 16; k++, at = (at + 1) % SENTENCES) {
        if (s->seen[at].hash && s->seen[at].hash != hash) continue;
        s->seen[at].hash = hash;
        if (++s->seen[at].times >= SAID_BEFORE) s->again += sentence.n;
        return;
    }
}

// Ends of sentences: of a line, and the stops of several scripts.
static size_t stop_at(struct str rest) {
    switch (rest.p[0]) {
    case '\n':
    case '!':
    case '?':
    case '.':
        return 1;
    default:
        return str_starts(rest, STR("\xe3\x80\x82")) || str_starts(rest, STR("\xe0\xa5\xa4")) ? 3 : 0;
    }
}

static bool says_again(struct str text) {
    struct sentences s = {.bytes = 0};
    size_t from = 0;
    for (size_t at = 0; at < text.n;) {
        size_t stop = stop_at(str_from(text, at));
        if (stop) {
            take(&s, str_of(text.p + from, at - from));
            from = at + stop;
        }
        at += stop ? stop : 1;
    }
    take(&s, str_from(text, from));
    return s.bytes >= TEXT_MIN && s.again * 100 > s.bytes * REPEATED_PERCENT;
}

bool score_repeats(struct str text) {
    text = str_head(str_trim(text), SCORE_TEXT_MAX);
    return text.n >= TEXT_MIN && (ends_in_loop(text) || says_again(text));
}
