// Tests of what answers are worth: faults by what was asked for, languages, scores.
#include "route/score.h"

#include "../check.h"

static struct arena g_arena;
static struct complexity_lexicon g_lexicon;

static unsigned faults_of(const struct score_ask *ask, const struct score_answer *a) {
    return score_faults(&g_lexicon, ask, a, SCORE_ALL, &g_arena);
}

static const char k_german[] = "Der Himmel ist blau, weil das Licht der Sonne an den Teilchen der Luft gestreut wird, "
                               "und zwar das blaue mehr als das rote.";
static const char k_english[] = "The sky is blue because the light of the sun is scattered by the air, and the blue "
                                "part of it is scattered more than the red.";

static void faults_are_by_what_was_asked(void) {
    const struct score_ask plain = {.language = LANGUAGE_EN};
    struct score_answer a = {.text = str_c(k_english), .finish = CHAT_FINISH_STOP};
    CHECK_INT(faults_of(&plain, &a), 0);
    a.finish = CHAT_FINISH_LENGTH;
    CHECK_INT(faults_of(&plain, &a), SCORE_FAULT(TRUNCATED));
    const struct score_ask limited = {.limited = true};
    CHECK_INT(faults_of(&limited, &a), 0); // as long as the client would have it
    const struct score_ask json = {.json = true, .schema = STR("{\"type\":\"object\"}")};
    a.finish = CHAT_FINISH_STOP;
    CHECK_INT(faults_of(&json, &a), SCORE_FAULT(SCHEMA));
    a.cut = true; // nobody knows how it goes on
    CHECK_INT(faults_of(&json, &a), 0);
    a = (struct score_answer){.text = STR("{}")};
    CHECK_INT(faults_of(&json, &a), 0);
    a = (struct score_answer){.text = STR("")};
    CHECK_INT(faults_of(&plain, &a), SCORE_FAULT(EMPTY));
    a.refusal = true;
    CHECK_INT(faults_of(&plain, &a), SCORE_FAULT(REFUSED));
    CHECK_INT(score_faults(&g_lexicon, &plain, &a, SCORE_FAULT(EMPTY), &g_arena), 0);
}

static void languages_are_compared(void) {
    struct score_ask ask = {.language = LANGUAGE_EN};
    struct score_answer a = {.text = str_c(k_german)};
    CHECK_INT(faults_of(&ask, &a), SCORE_FAULT(LANGUAGE));
    ask.other_language = true;
    CHECK_INT(faults_of(&ask, &a), 0);
    ask = (struct score_ask){.language = LANGUAGE_DE};
    CHECK_INT(faults_of(&ask, &a), 0);
    ask.language = LANGUAGE_ANY;
    CHECK_INT(faults_of(&ask, &a), 0);
    ask.language = LANGUAGE_EN;
    a.text = STR("Der Himmel."); // too short to tell
    CHECK_INT(faults_of(&ask, &a), 0);
}

static struct score_ask ask_of(const char *json_text) {
    struct chat_part part = {.kind = CHAT_TEXT, .text = str_c(json_text)};
    struct chat_turn turn = {.role = CHAT_USER, .parts = &part, .count = 1};
    const struct chat chat = {.turns = &turn, .count = 1};
    return score_ask_of(&g_lexicon, &chat, NULL);
}

static void prompts_say_which_language(void) {
    struct score_ask ask = ask_of("\"Why is the sky blue, and what would the people on the moon see?\"");
    CHECK(!ask.other_language);
    CHECK_INT(ask.language, LANGUAGE_EN);
    CHECK(ask_of("\"Why is the sky blue? Answer in German, please.\"").other_language);
    CHECK(ask_of("\"Translate this into French: the sky is blue.\"").other_language);
}

static void scores_are_the_least(void) {
    char text[SCORE_FAULTS_TEXT_MAX];
    unsigned both = SCORE_FAULT(REFUSED) | SCORE_FAULT(TRUNCATED);
    CHECK_INT(score_of_faults(0) * 1000, 1000);
    CHECK_INT(score_of_faults(SCORE_FAULT(EMPTY)) * 1000, 0);
    CHECK(score_of_faults(both) <= score_of_faults(SCORE_FAULT(REFUSED)));
    CHECK_STR(str_of(text, score_faults_put(both, text, sizeof text)), STR("refused, truncated"));
    CHECK_INT(score_faults_put(0, text, sizeof text), 0);
    CHECK(score_faults_put(SCORE_ALL, text, sizeof text) <= sizeof text);
    CHECK(score_faults_put(SCORE_ALL, text, 9) <= 9);
}

static void begin(void) {
    arena_init(&g_arena, NULL, 0, (size_t)8 << 20);
    complexity_lexicon_init(&g_lexicon);
}
static void end(void) { arena_free(&g_arena); }

TEST_MAIN(begin, faults_are_by_what_was_asked, languages_are_compared, prompts_say_which_language, scores_are_the_least,
          end)
