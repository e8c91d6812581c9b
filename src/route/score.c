// What an answer is worth.
#include "route/score.h"

#define LANGUAGE_TEXT_MIN 80 // of less nobody can say which language it is
#define NAMES_TEXT_MAX ((size_t)32 * 1024)

// Names of languages: a prompt that has one may want its answer in that language.
static const struct str k_names[] = {
    STR_INIT("english"),
    STR_INIT("german"),
    STR_INIT("french"),
    STR_INIT("spanish"),
    STR_INIT("italian"),
    STR_INIT("portug"),
    STR_INIT("chinese"),
    STR_INIT("mandarin"),
    STR_INIT("japan"),
    STR_INIT("korean"),
    STR_INIT("russian"),
    STR_INIT("greek"),
    STR_INIT("hebrew"),
    STR_INIT("arabic"),
    STR_INIT("hindi"),
    STR_INIT("thai"),
    STR_INIT("translat"),
    STR_INIT("language"),
    STR_INIT("sprache"),
    STR_INIT("deutsch"),
    STR_INIT("englisch"),
    STR_INIT("bersetz"),
    STR_INIT("anglais"),
    STR_INIT("allemand"),
    STR_INIT("fran\xc3\xa7"),
    STR_INIT("espagnol"),
    STR_INIT("ingl\xc3\xa9s"),
    STR_INIT("alem\xc3"),
    STR_INIT("espa\xc3\xb1ol"),
    STR_INIT("inglese"),
    STR_INIT("tedesco"),
    STR_INIT("idioma"),
    STR_INIT("lingua"),
    STR_INIT("langue"),
    STR_INIT("\xe8\x8b\xb1\xe6\x96\x87"),
    STR_INIT("\xe8\x8b\xb1\xe8\xaa\x9e"),
    STR_INIT("\xe8\x8b\xb1\xe8\xaf\xad"),
    STR_INIT("\xe4\xb8\xad\xe6\x96\x87"),
    STR_INIT("\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e"),
    STR_INIT("\xd0\xb0\xd0\xbd\xd0\xb3\xd0\xbb\xd0\xb8\xd0\xb9"),
};

static bool names_language(struct str text) {
    char low[512];
    text = str_head(text, NAMES_TEXT_MAX);
    // Pieces overlap by more than a name.
    for (size_t from = 0; from < text.n; from += sizeof low - 32) {
        struct str piece = str_head(str_from(text, from), sizeof low);
        for (size_t i = 0; i < piece.n; i++)
            low[i] = (char)(piece.p[i] >= 'A' && piece.p[i] <= 'Z' ? piece.p[i] + 32 : piece.p[i]);
        piece.p = low;
        for (size_t i = 0; i < ARRAY_LEN(k_names); i++)
            if (str_find(piece, k_names[i]) < piece.n) return true;
    }
    return false;
}

static bool chat_names_language(const struct chat *chat) {
    for (size_t i = 0; i < chat->count; i++)
        for (size_t k = 0; k < chat->turns[i].count; k++)
            if (chat->turns[i].role != CHAT_ASSISTANT && names_language(chat->turns[i].parts[k].text)) return true;
    return false;
}

struct score_ask score_ask_of(const struct complexity_lexicon *lexicon, const struct chat *chat,
                              struct complexity *out_complexity) {
    struct complexity c = {0};
    complexity_of_chat(lexicon, chat, &c);
    struct score_ask ask = {.json = chat->output != CHAT_OUTPUT_TEXT,
                            .schema = chat->output == CHAT_OUTPUT_SCHEMA ? chat->output_schema : STR(""),
                            .limited = chat->max_output > 0,
                            .language = c.language};
    bool free = c.task == TASK_TRANSLATE || c.task == TASK_CODE || c.task == TASK_EXTRACT || c.task == TASK_CLASSIFY;
    ask.other_language = ask.json || free || chat_names_language(chat);
    if (out_complexity) *out_complexity = c;
    return ask;
}

static bool is_in_another(const struct complexity_lexicon *lexicon, const struct score_ask *ask, struct str text) {
    const struct complexity_around none = {0};
    struct complexity c = {0};
    if (ask->language == LANGUAGE_ANY || ask->other_language || text.n < LANGUAGE_TEXT_MIN) return false;
    complexity_of_text(lexicon, text, &none, &c);
    return c.language != LANGUAGE_ANY && c.language != ask->language;
}

static bool breaks_schema(const struct score_ask *ask, const struct score_answer *a, struct arena *arena) {
    if (!ask->json || a->cut || a->tools || a->refusal) return false;
    return score_schema(ask->schema, a->text, arena) == SCORE_SCHEMA_INVALID;
}

unsigned score_faults(const struct complexity_lexicon *lexicon, const struct score_ask *ask,
                      const struct score_answer *a, unsigned which, struct arena *arena) {
    unsigned faults = 0;
    if (a->refusal || ((which & SCORE_FAULT(REFUSED)) && !a->tools && !ask->json && score_refused(a->text)))
        faults |= SCORE_FAULT(REFUSED);
    if (score_empty(a)) faults |= SCORE_FAULT(EMPTY);
    if (a->finish == CHAT_FINISH_LENGTH && !ask->limited) faults |= SCORE_FAULT(TRUNCATED);
    if ((which & SCORE_FAULT(SCHEMA)) && breaks_schema(ask, a, arena)) faults |= SCORE_FAULT(SCHEMA);
    if ((which & SCORE_FAULT(REPETITION)) && score_repeats(a->text)) faults |= SCORE_FAULT(REPETITION);
    if ((which & SCORE_FAULT(LANGUAGE)) && !faults && is_in_another(lexicon, ask, a->text))
        faults |= SCORE_FAULT(LANGUAGE);
    return faults & which;
}

static const struct {
    struct str name;
    unsigned score;
} k_faults[] = {
#define FAULT(id, word, hard, worth, help) {STR_INIT(word), worth},
#include "conf/fault.def"
#undef FAULT
};

float score_of_faults(unsigned faults) {
    unsigned score = 1000;
    for (size_t i = 0; i < ARRAY_LEN(k_faults); i++)
        if (faults >> i & 1) score = MIN(score, k_faults[i].score);
    return (float)score / 1000;
}

size_t score_faults_put(unsigned faults, char *out, size_t max) {
    size_t n = 0;
    for (size_t i = 0; i < ARRAY_LEN(k_faults); i++) {
        struct str name = k_faults[i].name;
        if (!(faults >> i & 1) || n + name.n + 2 > max) continue;
        if (n) out[n++] = ',';
        if (n > 0) out[n++] = ' ';
        memcpy(out + n, name.p, name.n);
        n += name.n;
    }
    return n;
}
