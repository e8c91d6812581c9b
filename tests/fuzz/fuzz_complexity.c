// Fuzzes the scorer of complexity: any bytes, as a text and as escaped parts of a message, give a score that is the sum
// of its points.
#include "route/complexity.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool ok) {
    if (!ok) abort();
}

static void check_result(const struct complexity *c) {
    int sum = 0;
    char text[COMPLEXITY_TEXT_MAX], little[7];
    for (unsigned i = 0; i < COMPLEXITY_FEATURE_COUNT; i++) sum += c->points[i];
    check(sum == (int)c->score && c->score <= COMPLEXITY_MAX);
    check(c->tier < TIER_COUNT && c->task < TASK_COUNT && c->language < LANGUAGE_COUNT);
    check(complexity_put(c, text, sizeof text) < sizeof text - 1);
    check(complexity_put(c, little, sizeof little) == sizeof little - 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct complexity_lexicon lexicon;
    struct complexity c;
    const struct str text = str_of((const char *)data, size);
    complexity_lexicon_init(&lexicon);
    complexity_of_text(&lexicon, text, &(struct complexity_around){.message_bytes = size}, &c);
    check_result(&c);
    // As the insides of two JSON strings that no reader has checked.
    struct chat_part parts[] = {{.kind = CHAT_TEXT, .text = str_head(text, size / 2)},
                                {.kind = CHAT_TEXT, .text = str_from(text, size / 2)}};
    struct chat_turn turn = {.role = CHAT_USER, .parts = parts, .count = ARRAY_LEN(parts)};
    complexity_of_chat(&lexicon, &(struct chat){.turns = &turn, .count = 1}, &c);
    check_result(&c);
    return 0;
}
