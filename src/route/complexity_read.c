// Reads a text once: counts its marks, brings it into small letters without punctuation, and looks for known words in
// that.
//
// The material of a task ("Summarise: …", quoted texts, code) says nothing of what is asked for, so words are looked
// for in the rest only, the instruction.
#include "route/complexity_impl.h"

#include "base/utf8.h"

struct lexicon_word {
    struct str text;
    uint8_t language, group, weight;
};
static const struct lexicon_word WORDS[] = {
#define W(language, group, weight, text) {STR_INIT(text), LANGUAGE_##language, GROUP_##group, weight},
#include "route/complexity_words.def"
#include "route/complexity_words_en.def"
#undef W
};
static_assert(ARRAY_LEN(WORDS) <= LEXICON_WORDS_MAX, "the lexicon has room for every word");

// Words are filed under their first four bytes, short ones under three. A whole word has a space after it, so one of
// three letters has four bytes as well.
#define KEY_SHORT 3
#define KEY_LONG 4

static unsigned bucket_of(const char *p, size_t n) {
    uint32_t key = (uint32_t)(uint8_t)p[0] | (uint32_t)(uint8_t)p[1] << 8 | (uint32_t)(uint8_t)p[2] << 16;
    if (n == KEY_LONG) key |= (uint32_t)(uint8_t)p[3] << 24;
    return (key * 0x9e3779b1u) >> 20;
}
static_assert(LEXICON_BUCKETS == 1 << 12, "a bucket is twelve bits");

static bool is_unbounded(const struct lexicon_word *w) {
    return w->language == LANGUAGE_ZH || w->language == LANGUAGE_JA;
}

void complexity_lexicon_init(struct complexity_lexicon *out_lexicon) {
    memset(out_lexicon, 0, sizeof *out_lexicon);
    for (unsigned i = ARRAY_LEN(WORDS); i-- > 0;) {
        const struct str t = WORDS[i].text;
        const bool open = t.p[t.n - 1] == '*';
        const size_t n = open ? t.n - 1 : is_unbounded(&WORDS[i]) ? t.n : t.n + 1;
        const char key[KEY_LONG] = {t.p[0], t.p[1], t.n > 2 ? t.p[2] : ' ', t.n > 3 ? t.p[3] : ' '};
        const unsigned bucket = bucket_of(key, n >= KEY_LONG ? KEY_LONG : KEY_SHORT);
        out_lexicon->next[i] = out_lexicon->first[bucket];
        out_lexicon->first[bucket] = (uint16_t)(i + 1);
    }
}

// The instruction in small letters: words with one space between them and around all.
struct plain {
    char p[SAMPLE_MAX * 2 + 8];
    size_t n;
};

static void note(struct reading *r, const struct lexicon_word *w, size_t at) {
    struct found *f = &r->found[w->language][w->group];
    f->sum = (uint16_t)(f->sum + w->weight);
    if (w->weight > f->most) f->most = w->weight;
    f->count++;
    if (!f->where) f->where = (uint16_t)(at + 1);
}

static bool word_is_at(const struct lexicon_word *w, const struct plain *t, size_t at) {
    struct str text = w->text;
    const bool open = text.p[text.n - 1] == '*';
    if (open) text.n--;
    if (t->n - at < text.n || memcmp(t->p + at, text.p, text.n) != 0) return false;
    return open || is_unbounded(w) || at + text.n == t->n || t->p[at + text.n] == ' ';
}

// --- the pass over the text ---

struct pass {
    struct str text;
    size_t at;
    const struct complexity_lexicon *lexicon;
    struct reading *reading;
    struct marks *marks; // the reading's
    struct plain *plain;
    size_t searched;   // how much of plain words were looked for in
    size_t line_words; // words of this line so far: a list's mark stands before them
    bool material;     // from here on it is what the task is about
};

static void find_filed(const struct pass *s, size_t at, size_t key) {
    if (at + key > s->plain->n) return;
    for (unsigned w = s->lexicon->first[bucket_of(s->plain->p + at, key)]; w; w = s->lexicon->next[w - 1])
        if (word_is_at(&WORDS[w - 1], s->plain, at)) note(s->reading, &WORDS[w - 1], at);
}

// Looks for the words of what was added since the last time.
static void find_words(struct pass *s) {
    const struct plain *t = s->plain;
    for (size_t i = s->searched; i < t->n; i++) {
        // A word begins after a space; in wide scripts with each character.
        if ((uint8_t)t->p[i] < 0xe3 && i > 0 && t->p[i - 1] != ' ') continue;
        if (t->p[i] == ' ' || ((uint8_t)t->p[i] & 0xc0) == 0x80) continue;
        find_filed(s, i, KEY_SHORT);
        find_filed(s, i, KEY_LONG);
    }
    s->searched = t->n;
}

static void put(struct plain *t, char c) {
    if (t->n + 1 < sizeof t->p) t->p[t->n++] = c;
}

static void put_space(struct plain *t) {
    if (t->n && t->p[t->n - 1] != ' ') put(t, ' ');
}

static bool starts(const struct pass *s, const char *what) { return str_starts(str_from(s->text, s->at), str_c(what)); }

// Whether a task that comes with its material was named so far.
static bool has_material_task(struct pass *s) {
    static const enum word_group groups[] = {GROUP_TRANSLATE, GROUP_SUMMARISE, GROUP_CLASSIFY,
                                             GROUP_EXTRACT,   GROUP_REWRITE,   GROUP_MATERIAL};
    unsigned n = 0;
    find_words(s);
    for (size_t g = 0; g < ARRAY_LEN(groups); g++)
        for (unsigned l = 0; l < LANGUAGE_KO; l++) n += s->reading->found[l][groups[g]].count;
    return n > 0;
}

// A colon before a new sentence, a new line or a quotation: what follows is what the task is about. Before a list, or
// words that go on, it is not.
static bool opens_material(struct pass *s, bool wide) {
    size_t i = s->at;
    const struct str t = s->text;
    while (i < t.n && t.p[i] == ' ') i++;
    if (i == t.n) return false;
    const char c = t.p[i];
    const bool sentence = wide || c == '\n' || c == '"' || (c >= 'A' && c <= 'Z') || (uint8_t)c >= 0xc3;
    const bool list = c == '\n' && i + 1 < t.n && t.p[i + 1] >= '1' && t.p[i + 1] <= '9';
    return sentence && !list && t.n - i > 8 && has_material_task(s);
}

// Steps over "quoted words": at the opening quote; n the length of the closing one. What is not closed nearby is none.
static bool skip_quoted(struct pass *s, const char *close, size_t open) {
    const struct str rest = str_from(s->text, s->at + open);
    const size_t n = str_find(str_head(rest, 400), str_c(close));
    const struct str inner = str_head(rest, n);
    if (n >= MIN(rest.n, (size_t)400) || n < 12 || str_find_char(inner, ' ') == inner.n) return false;
    s->at += open + n + strlen(close);
    put_space(s->plain);
    return true;
}

static bool skip_fence(struct pass *s) {
    const struct str rest = str_from(s->text, s->at + 3);
    const size_t n = str_find(rest, STR("```"));
    for (size_t i = 0; i < n; i++) s->marks->code_lines += rest.p[i] == '\n';
    s->marks->code_lines++;
    s->at += 3 + (n < rest.n ? n + 3 : n);
    put_space(s->plain);
    return true;
}

static void count_script(struct marks *m, uint32_t c) {
    if (c >= 0x3040 && c <= 0x30ff)
        m->kana++;
    else if (c >= 0x3400 && c <= 0x9fff)
        m->wide++;
    else if (c >= 0xac00 && c <= 0xd7a3)
        m->hangul++;
    else if (c >= 0x400 && c <= 0x52f)
        m->cyrillic++;
    else if (c >= 0x370 && c <= 0x3ff)
        m->greek++;
    else if (c >= 0x590 && c <= 0x5ff)
        m->hebrew++;
    else if (c >= 0x600 && c <= 0x6ff)
        m->arabic++;
    else if (c >= 0x900 && c <= 0x97f)
        m->devanagari++;
    else if (c >= 0xe00 && c <= 0xe7f)
        m->thai++;
    else
        m->letters++;
}

static void take_wide(struct pass *s) {
    uint32_t c = 0;
    const size_t n = utf8_decode(str_from(s->text, s->at), &c);
    if (n == 0) {
        s->at++;
        put_space(s->plain);
        return;
    }
    const char *p = s->text.p + s->at;
    s->at += n;
    if (c == 0xff0c || c == 0x3001 || c == 0xff1b) s->marks->commas += !s->material;
    if (c == 0xff1f) s->marks->questions += !s->material;
    if (c == 0x221a || (c >= 0x2200 && c <= 0x22ff) || c == 0xb2 || c == 0xb3) s->marks->formula++;
    if (c == 0xff1a && !s->material) s->material = opens_material(s, true);
    if ((c >= 0x2000 && c <= 0x206f) || (c >= 0x3000 && c <= 0x303f) || c >= 0xff00 || c == 0xa0 || c == 0xbf ||
        c == 0xa1) {
        put_space(s->plain);
        return;
    }
    count_script(s->marks, c);
    s->line_words = 1;
    if (s->material) return;
    for (size_t i = 0; i < n; i++) {
        // À to Þ become à to þ.
        const bool capital = c >= 0xc0 && c <= 0xde && c != 0xd7 && i == 1;
        put(s->plain, capital ? (char)(p[i] + 0x20) : p[i]);
    }
}

static void take_letter(struct pass *s, char c) {
    s->marks->letters++;
    s->line_words = 1;
    if (!s->material) put(s->plain, c >= 'A' && c <= 'Z' ? (char)(c + 32) : c);
    s->at++;
}

// "1. ", "2) ", "- ", "* " where a line begins, and "2) " within one.
static bool is_item(const struct pass *s) {
    const struct str rest = str_from(s->text, s->at);
    if (rest.n < 3) return false;
    if ((rest.p[0] == '-' || rest.p[0] == '*') && rest.p[1] == ' ') return s->line_words == 0;
    if (rest.p[0] < '1' || rest.p[0] > '9') return false;
    if (s->at && s->text.p[s->at - 1] != ' ' && s->text.p[s->at - 1] != '\n') return false;
    return (rest.p[1] == ')' && rest.p[2] == ' ') || (rest.p[1] == '.' && rest.p[2] == ' ' && s->line_words == 0);
}

static void take_mark(struct pass *s, char c) {
    struct marks *m = s->marks;
    const char next = s->at + 1 < s->text.n ? s->text.p[s->at + 1] : ' ';
    const char before = s->at ? s->text.p[s->at - 1] : ' ';
    s->at++;
    switch (c) {
    case '\n':
        s->line_words = 0;
        break;
    case ',':
        m->commas += !s->material && next == ' ';
        break;
    case ';':
        m->commas += !s->material && next == ' ';
        m->code_lines += next == '\n';
        break;
    case '{':
        m->code_lines += next == '\n';
        break;
    case '?':
        m->questions += !s->material;
        break;
    case '=':
    case '^':
        m->formula++;
        break;
    case '$':
        m->formula += next == '\\' || before == ' ';
        break;
    case '\\':
        m->formula += (next >= 'a' && next <= 'z') || next == '(';
        break;
    case ':':
        if (!s->material) s->material = opens_material(s, false);
        break;
    default:
        break;
    }
    // "c++" and "c#" are words.
    if ((c == '+' || c == '#') && before != ' ' && !s->material)
        put(s->plain, c);
    else
        put_space(s->plain);
}

static bool skip_part(struct pass *s, char c) {
    if (c == '`' && starts(s, "```")) return skip_fence(s);
    if (c == '"') return skip_quoted(s, "\"", 1);
    if ((uint8_t)c < 0xc2) return false;
    if (starts(s, "“")) return skip_quoted(s, "”", 3);
    if (starts(s, "„")) return skip_quoted(s, "“", 3);
    if (starts(s, "«")) return skip_quoted(s, "»", 2);
    return false;
}

static void take_all(struct pass *s) {
    put(s->plain, ' ');
    while (s->at < s->text.n) {
        const char c = s->text.p[s->at];
        if (skip_part(s, c)) continue;
        if (!s->material && is_item(s)) s->marks->items++;
        if ((uint8_t)c >= 0x80) {
            take_wide(s);
        } else if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) {
            take_letter(s, c);
        } else if (c >= '0' && c <= '9') {
            const char before = s->at ? s->text.p[s->at - 1] : ' ';
            s->marks->digits++;
            s->marks->numbers += !s->material && (before < '0' || before > '9');
            take_letter(s, c);
        } else {
            take_mark(s, c);
        }
    }
    put_space(s->plain);
}

static void count_traces(struct str text, struct marks *m) {
    static const struct str signs[] = {STR_INIT("Traceback (most"), STR_INIT("Exception"), STR_INIT("panic:"),
                                       STR_INIT(".java:"),          STR_INIT("SIGSEGV"),   STR_INIT("stack trace"),
                                       STR_INIT("Segmentation f"),  STR_INIT("Error: "),   STR_INIT("core dumped")};
    for (size_t i = 0; i < ARRAY_LEN(signs); i++) m->traces += str_find(text, signs[i]) < text.n;
}

// The script first; among the languages in Latin letters the one with most of its small words.
static enum language language_of(const struct reading *r) {
    const struct marks *m = &r->marks;
    const unsigned latin = m->letters - MIN(m->letters, m->digits);
    const unsigned weight = latin / 4; // a wide character is about a word
    if (m->kana > 0 && m->kana + m->wide > weight) return LANGUAGE_JA;
    if (m->wide > weight) return LANGUAGE_ZH;
    const struct {
        unsigned n;
        enum language language;
    } scripts[] = {{m->hangul * 3, LANGUAGE_KO}, {m->cyrillic, LANGUAGE_RU}, {m->greek, LANGUAGE_EL},
                   {m->hebrew, LANGUAGE_HE},     {m->arabic, LANGUAGE_AR},   {m->devanagari, LANGUAGE_HI},
                   {m->thai, LANGUAGE_TH}};
    for (size_t i = 0; i < ARRAY_LEN(scripts); i++)
        if (scripts[i].n > latin) return scripts[i].language;
    enum language best = LANGUAGE_ANY;
    unsigned most = 0;
    for (unsigned l = LANGUAGE_EN; l <= LANGUAGE_PT; l++) {
        unsigned n = r->found[l][GROUP_STOP].count * 2u;
        for (unsigned g = GROUP_STOP + 1; g < GROUP_COUNT; g++) n += r->found[l][g].count;
        if (n > most) most = n, best = (enum language)l;
    }
    return best;
}

void complexity_read(const struct complexity_lexicon *lexicon, struct str text, struct reading *out_reading) {
    struct plain plain;
    plain.n = 0;
    memset(out_reading, 0, sizeof *out_reading);
    out_reading->marks.bytes = (unsigned)text.n;
    struct pass s = {
        .text = text, .lexicon = lexicon, .reading = out_reading, .marks = &out_reading->marks, .plain = &plain};
    take_all(&s);
    count_traces(text, &out_reading->marks);
    find_words(&s);
    out_reading->language = language_of(out_reading);
}
