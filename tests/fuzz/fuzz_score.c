// Fuzzes the scorers: a dialect by the first byte, then an answer, whole and as a stream, and the text as it is.
#include "route/score.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct complexity_lexicon *lexicon, const struct score_answer *a, struct arena *arena) {
    const struct score_ask ask = {
        .json = a->text.n % 2, .schema = STR("{\"type\":\"object\"}"), .language = LANGUAGE_EN};
    char text[SCORE_FAULTS_TEXT_MAX];
    if (a->text.n > SCORE_TEXT_MAX) abort();
    unsigned faults = score_faults(lexicon, &ask, a, SCORE_ALL, arena);
    float score = score_of_faults(faults);
    if (!(score >= 0 && score <= 1) || (faults == 0) != (score == 1.0f)) abort();
    if (score_faults_put(faults, text, sizeof text) > sizeof text) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct complexity_lexicon lexicon;
    static bool ready;
    struct arena arena;
    struct score_answer a = {0};
    if (!size) return 0;
    if (!ready) complexity_lexicon_init(&lexicon);
    ready = true;
    arena_init(&arena, NULL, 0, (size_t)64 << 20);
    const struct dialect_ops *ops = dialect_get((enum dialect)(data[0] % DIALECT_COUNT));
    struct str text = str_of((const char *)data + 1, size - 1);
    if (score_read(ops, text, &arena, &a)) check(&lexicon, &a, &arena);
    if (score_read_stream(ops, ops->frames, text, data[0] >= 128, &arena, &a)) check(&lexicon, &a, &arena);
    a = (struct score_answer){.text = str_head(text, SCORE_TEXT_MAX)};
    check(&lexicon, &a, &arena);
    arena_free(&arena);
    return 0;
}
