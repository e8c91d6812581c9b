// Words before a number that say what it is.
#include "govern/pii_impl.h"

#define NEAR_MAX ((size_t)40) // before it

static const struct str k_others[] = {
    STR_INIT("version"), STR_INIT("ver."), STR_INIT("release"),  STR_INIT("build"),   STR_INIT("rev"),
    STR_INIT("section"), STR_INIT("sec."), STR_INIT("chapter"),  STR_INIT("clause"),  STR_INIT("paragraph"),
    STR_INIT("figure"),  STR_INIT("fig."), STR_INIT("firmware"), STR_INIT("upgrade"), STR_INIT("table"),
};

static char lower(char c) { return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c; }

static bool is_at(const struct pii_text *t, size_t i, size_t end, struct str word) {
    if (word.n > end - i) return false;
    for (size_t k = 0; k < word.n; k++)
        if (lower(t->p[i + k]) != word.p[k]) return false;
    return true;
}

// Only letters begin such a word.
static bool may_begin(char c) { return pii_letter(c) || (unsigned char)c >= 0xc0; }

// "cellPhone" and "user_phone" have it, too: parts of names.
static bool word_begins(const struct pii_text *t, size_t i) {
    char before = pii_before(t, i);
    return !pii_letter(before) || (pii_upper(t->p[i]) && !pii_upper(before));
}

// Notes the word that begins at i.
static void note_word(const struct pii_text *t, size_t i, size_t end) {
    switch (lower(t->p[i])) {
    default:
#define LETTER(c)                                                                                                      \
    break;                                                                                                             \
    case c:
#define NEAR(id, text)                                                                                                 \
    if (is_at(t, i, end, STR(text))) t->memo->near[PII_##id] = i + 1;
#include "govern/pii_near.def"
#undef LETTER
#undef NEAR
    }
}

// Each is looked for once: none has a digit in it, so none that begins before one number is whole only before the next.
bool pii_named(const struct pii_text *t, size_t at, enum pii_kind kind) {
    struct pii_memo *memo = t->memo;
    for (size_t i = MAX(memo->near_end, at > NEAR_MAX ? at - NEAR_MAX : 0); i < at; i++)
        if (may_begin(t->p[i]) && word_begins(t, i)) note_word(t, i, at);
    memo->near_end = at;
    return memo->near[kind] && memo->near[kind] - 1 + NEAR_MAX >= at;
}

// Only the word right before it.
bool pii_misnamed(const struct pii_text *t, size_t at) {
    size_t end = at, from;
    while (end && (t->p[end - 1] == ' ' || t->p[end - 1] == ':' || t->p[end - 1] == '=' || t->p[end - 1] == '"')) {
        if (at - end > 4) return false;
        end--;
    }
    for (from = end; from && end - from < 10 && (pii_letter(t->p[from - 1]) || t->p[from - 1] == '.');) from--;
    for (size_t k = 0; k < ARRAY_LEN(k_others); k++)
        if (is_at(t, from, end, k_others[k])) return true;
    return false;
}
