// How hard a request is, what it is about and in which language, read from its text: a score of 0 to 100, a tier, and
// what each feature added to the score.
//
// The method, in full: docs/guides/routing.md, "Complexity". The words it knows: complexity_words.def; features, tasks,
// languages: the .def files beside it. It is a rule of thumb made of counts and sums: the same request always gets the
// same score, and the contributions add up to it.
//
// How to use it: complexity_lexicon_init once (at the start, or with a configuration), then complexity_of_chat or
// complexity_of_text for each request, only when somebody asks for tier, task, complexity or language.
//
// Ownership: nothing is kept, nothing allocated; names are static. Thread rule: the lexicon is immutable after init.
// Time: linear; of the last message the first 4 KiB and the last 1 KiB are looked at, the rest counts by its length.
// Units: bytes; tokens are estimates. Errors: none, any bytes are a text.
#ifndef ROUTE_COMPLEXITY_H
#define ROUTE_COMPLEXITY_H

#include "conf/conf_routing.h"
#include "model/chat.h"

enum complexity_feature {
#define FEATURE(id, name, words) COMPLEXITY_##id,
#include "route/complexity_feature.def"
#undef FEATURE
    COMPLEXITY_FEATURE_COUNT
};

enum prompt_task {
#define TASK(id, name, words) TASK_##id,
#include "route/task.def"
#undef TASK
    TASK_COUNT
};

enum language {
#define LANGUAGE(id, code) LANGUAGE_##id,
#include "route/language.def"
#undef LANGUAGE
    LANGUAGE_COUNT
};

#define COMPLEXITY_MAX 100
// Where the tiers begin; `simple` at 0.
#define COMPLEXITY_FROM_MEDIUM 25
#define COMPLEXITY_FROM_COMPLEX 50
#define COMPLEXITY_FROM_REASONING 75

#define LEXICON_BUCKETS 4096
#define LEXICON_WORDS_MAX 4000
struct complexity_lexicon {
    uint16_t first[LEXICON_BUCKETS]; // index + 1 of a bucket's first word; 0: none
    uint16_t next[LEXICON_WORDS_MAX];
};
void complexity_lexicon_init(struct complexity_lexicon *out_lexicon);

// What is known of a request besides the text of its last message.
struct complexity_around {
    uint64_t message_bytes; // of the last message, decoded or nearly; the text may be its beginning and end
    uint64_t context_bytes; // of all other messages and instructions
    unsigned turns;         // of user and assistant
    unsigned tools;
    bool images;
};

struct complexity {
    unsigned score; // 0 to COMPLEXITY_MAX: the sum of points
    enum conf_tier tier;
    enum prompt_task task;
    enum language language; // ANY: not recognised
    int points[COMPLEXITY_FEATURE_COUNT];
};

// Of a decoded text; its first 4 KiB and last 1 KiB are read.
void complexity_of_text(const struct complexity_lexicon *lexicon, struct str text,
                        const struct complexity_around *around, struct complexity *out_complexity);
// Of a conversation in the neutral form: its last message of a user that has text, and what is around.
void complexity_of_chat(const struct complexity_lexicon *lexicon, const struct chat *chat,
                        struct complexity *out_complexity);

struct str complexity_feature_name(enum complexity_feature feature);
struct str complexity_feature_words(enum complexity_feature feature);
struct str task_name(enum prompt_task task);
struct str language_code(enum language language);

// "complexity 81: base 6, maths 4, reasoning 71; tier reasoning, task math, language en": the features that added
// something, for a header, a log line, a trace. The length, cut at `max`.
#define COMPLEXITY_TEXT_MAX 320
size_t complexity_put(const struct complexity *c, char *out, size_t max);

#endif
