// What an answer is worth: what is wrong with it, and the score that follows.
//
// Ownership: nothing is kept. Thread rule: pure. Time: that of model/score.h and complexity.h. Units: scores 0..1.
#ifndef ROUTE_SCORE_H
#define ROUTE_SCORE_H

#include "model/score.h"
#include "route/complexity.h"

#define SCORE_FAULT(id) (1u << FAULT_##id)

// What was asked for, as far as it is known.
struct score_ask {
    bool json;              // the answer has to be JSON
    struct str schema;      // and as this says; empty: any
    bool limited;           // the client set how long it may be: that it ended there is no fault of the target
    bool other_language;    // it may well be in another language than the prompt
    enum language language; // of the prompt; ANY: not known
};
// Of a request in the neutral form. out_complexity may be NULL.
struct score_ask score_ask_of(const struct complexity_lexicon *lexicon, const struct chat *chat,
                              struct complexity *out_complexity);

// The faults of `which`, as bits of enum conf_fault, that the answer has.
unsigned score_faults(const struct complexity_lexicon *lexicon, const struct score_ask *ask,
                      const struct score_answer *answer, unsigned which, struct arena *arena);
#define SCORE_ALL ((1u << FAULT_COUNT) - 1)
float score_of_faults(unsigned faults);

// "refused, truncated"; the length, cut at `max`.
#define SCORE_FAULTS_TEXT_MAX 80
size_t score_faults_put(unsigned faults, char *out, size_t max);

#endif
