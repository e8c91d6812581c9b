// Turns what was read of a text into points, a tier and a task.
#include "route/complexity_impl.h"

#include <stdio.h>

// From so many points of words on, a conclusion has to be found.
#define REASONING_ENOUGH 45

struct str complexity_feature_name(enum complexity_feature feature) {
    static const struct str names[] = {
#define FEATURE(id, name, words) STR_INIT(name),
#include "route/complexity_feature.def"
#undef FEATURE
    };
    return names[feature];
}

struct str complexity_feature_words(enum complexity_feature feature) {
    static const struct str texts[] = {
#define FEATURE(id, name, words) STR_INIT(words),
#include "route/complexity_feature.def"
#undef FEATURE
    };
    return texts[feature];
}

struct str task_name(enum prompt_task task) {
    static const struct str names[] = {
#define TASK(id, name, words) STR_INIT(name),
#include "route/task.def"
#undef TASK
    };
    return names[task];
}

struct str language_code(enum language language) {
    static const struct str codes[] = {
#define LANGUAGE(id, code) STR_INIT(code),
#include "route/language.def"
#undef LANGUAGE
    };
    return codes[language];
}

enum prompt_task complexity_group_task(enum word_group group) {
    static const enum prompt_task tasks[] = {
#define GROUP(id, task, vote) TASK_##task,
#include "route/complexity_group.def"
#undef GROUP
    };
    return tasks[group];
}

unsigned complexity_group_vote(enum word_group group) {
    static const unsigned votes[] = {
#define GROUP(id, task, vote) vote,
#include "route/complexity_group.def"
#undef GROUP
    };
    return votes[group];
}

// What was found of a group in the text's language, in English, which is mixed into all others, and of what is common
// to all.
static struct found found_of(const struct reading *r, enum word_group g) {
    struct found sum = r->found[LANGUAGE_ANY][g];
    enum language languages[2] = {LANGUAGE_EN, r->language};
    const unsigned n = r->language < LANGUAGE_KO && r->language > LANGUAGE_EN ? 2 : 1;
    for (unsigned i = 0; i < n; i++) {
        const struct found *f = &r->found[languages[i]][g];
        sum.sum = (uint16_t)(sum.sum + f->sum);
        sum.count = (uint16_t)(sum.count + f->count);
        if (f->most > sum.most) sum.most = f->most;
        if (f->where && (!sum.where || f->where < sum.where)) sum.where = f->where;
    }
    return sum;
}

static int length_points(uint64_t tokens) {
    static const struct {
        unsigned tokens;
        int points;
    } steps[] = {{8000, 34}, {2000, 28}, {1000, 24}, {400, 20}, {200, 16}, {100, 14},
                 {60, 12},   {40, 8},    {25, 4},    {16, 3},   {10, 2}};
    for (size_t i = 0; i < ARRAY_LEN(steps); i++)
        if (tokens >= steps[i].tokens) return steps[i].points;
    return 0;
}

static int at_most(unsigned n, int most) { return n > (unsigned)most ? most : (int)n; }

// About four letters a token, one wide character.
static uint64_t tokens_of(const struct reading *r, uint64_t bytes) {
    const struct marks *m = &r->marks;
    const unsigned wide = m->wide + m->kana + m->hangul;
    if (m->bytes == 0) return 0;
    const uint64_t sampled = wide + (m->bytes - MIN(m->bytes, wide * 3)) / 4;
    return bytes <= m->bytes ? sampled : sampled * (bytes / m->bytes);
}

// Work on a given text is as large as the text, unless its words say more.
#define GIVEN_TEXT_TOKENS 40
#define GIVEN_TEXT_WORK 20
#define UNKNOWN_TOKENS 12

static int work_points(const struct reading *r, uint64_t tokens) {
    static const enum word_group given[] = {GROUP_TRANSLATE, GROUP_CLASSIFY, GROUP_EXTRACT, GROUP_REWRITE};
    static const enum word_group others[] = {GROUP_EXPLAIN, GROUP_SUMMARISE, GROUP_CALC, GROUP_CODE, GROUP_BUILD};
    unsigned most = 0;
    uint16_t where = UINT16_MAX;
    for (size_t i = 0; i < ARRAY_LEN(given); i++) {
        const struct found f = found_of(r, given[i]);
        if (!f.count) continue;
        if (f.where < where) where = f.where;
        most = MAX(most, MAX((unsigned)f.most, tokens >= GIVEN_TEXT_TOKENS ? GIVEN_TEXT_WORK : 0u));
    }
    for (size_t i = 0; i < ARRAY_LEN(others); i++) most = MAX(most, (unsigned)found_of(r, others[i]).most);
    // "Extract the address from this letter" writes none.
    const struct found write = found_of(r, GROUP_WRITE);
    if (write.count && write.where <= where) most = MAX(most, (unsigned)write.most);
    if (where < UINT16_MAX && found_of(r, GROUP_CODE).sum >= 10) most = MAX(most, GIVEN_TEXT_WORK);
    // No word that is known, no question: something is to be done all the same.
    if (!most && !r->marks.questions && tokens >= UNKNOWN_TOKENS) most = GIVEN_TEXT_WORK;
    return (int)most;
}

static int demand_points(const struct reading *r) {
    const struct found demands = found_of(r, GROUP_DEMAND), build = found_of(r, GROUP_BUILD);
    const unsigned n = r->marks.commas * 4 + r->marks.items * 5 + demands.count * 4u + (build.count > 1 ? 6 : 0);
    return n <= 8 ? 0 : at_most(n - 8, 44);
}

// Words of proof, cause and choice; more so where it is about somebody's own case, with its numbers.
static int reasoning_points(const struct reading *r) {
    const struct found reason = found_of(r, GROUP_REASON), proof = found_of(r, GROUP_PROOF);
    const struct found fault = found_of(r, GROUP_FAULT);
    const bool own = found_of(r, GROUP_OWN).count > 0, asks = r->marks.questions > 0, figures = r->marks.numbers >= 2;
    unsigned n = reason.sum + proof.sum + (unsigned)fault.sum;
    if (own && n >= 20) n += asks ? 15 : 8;
    if (n >= 15 && figures && asks) n += 10;
    if (n > 20 && r->marks.questions > 1) n += 8;
    return at_most(n, 70);
}

static enum conf_tier tier_of(int score) {
    if (score >= COMPLEXITY_FROM_REASONING) return TIER_REASONING;
    if (score >= COMPLEXITY_FROM_COMPLEX) return TIER_COMPLEX;
    return score >= COMPLEXITY_FROM_MEDIUM ? TIER_MEDIUM : TIER_SIMPLE;
}

static void score(const struct reading *r, const struct complexity_around *a, struct complexity *out) {
    const struct marks *m = &r->marks;
    int *p = out->points;
    p[COMPLEXITY_BASE] = 6;
    const uint64_t tokens = tokens_of(r, a->message_bytes);
    p[COMPLEXITY_LENGTH] = length_points(tokens);
    p[COMPLEXITY_WORK] = work_points(r, tokens);
    p[COMPLEXITY_DEMANDS] = demand_points(r);
    p[COMPLEXITY_QUESTIONS] = m->questions > 1 ? at_most((m->questions - 1) * 4, 12) : 0;
    p[COMPLEXITY_CODE] = at_most(m->code_lines ? m->code_lines * 2 + 2 : 0, 12) + at_most(m->traces * 5, 10);
    p[COMPLEXITY_MATHS] = at_most(m->formula * 2, 10);
    p[COMPLEXITY_CONTEXT] = a->context_bytes >= 4000 ? at_most((unsigned)MIN(a->context_bytes / 4000, 8u), 8) : 0;
    p[COMPLEXITY_TURNS] = a->turns > 6 ? at_most((a->turns - 6) / 2, 5) : 0;
    p[COMPLEXITY_TOOLS] = at_most(a->tools, 5);
    p[COMPLEXITY_REASONING] = reasoning_points(r);
    int sum = 0;
    for (unsigned i = 0; i < COMPLEXITY_FEATURE_COUNT; i++) sum += p[i];
    // Much work is no reasoning, and reasoning may take few words.
    const bool reasons = p[COMPLEXITY_REASONING] >= REASONING_ENOUGH;
    const int low = reasons ? COMPLEXITY_FROM_REASONING : 0;
    const int high = reasons ? COMPLEXITY_MAX : COMPLEXITY_FROM_REASONING - 1;
    const int score = sum < low ? low : sum > high ? high : sum;
    p[COMPLEXITY_LIMIT] = score - sum;
    out->score = (unsigned)score;
    out->tier = tier_of(score);
}

// Each group votes for its task; what is named first has more to say.
static enum prompt_task task_of(const struct reading *r, const struct complexity_around *a,
                                const struct complexity *c) {
    unsigned votes[TASK_COUNT] = {0};
    if (a->images) return TASK_VISION;
    for (unsigned g = GROUP_STOP + 1; g < GROUP_COUNT; g++) {
        const struct found f = found_of(r, (enum word_group)g);
        if (!f.count) continue;
        const unsigned vote = complexity_group_vote((enum word_group)g);
        votes[complexity_group_task((enum word_group)g)] += vote * MIN(f.count, 3u) + (f.where < 30 ? vote / 2 : 0);
    }
    votes[TASK_CODE] += MIN(r->marks.code_lines, 3u) * 14 + (r->marks.traces ? 14 : 0);
    votes[TASK_MATH] += MIN(r->marks.formula, 3u) * 5;
    // A program is not written as a letter is.
    if (found_of(r, GROUP_CODE).sum >= 10) votes[TASK_WRITE] /= 3, votes[TASK_QUESTION] /= 2;
    if (c->points[COMPLEXITY_REASONING] >= REASONING_ENOUGH) {
        // A conclusion is wanted, whatever text it comes in; about a program or a formula it is of their kind.
        static const enum prompt_task others[] = {TASK_WRITE, TASK_QUESTION, TASK_EXTRACT, TASK_REWRITE, TASK_CLASSIFY};
        for (size_t i = 0; i < ARRAY_LEN(others); i++) votes[others[i]] /= 4;
    } else {
        votes[TASK_REASON] /= 3;
    }
    enum prompt_task best = TASK_CHAT;
    for (unsigned t = 0; t < TASK_COUNT; t++)
        if (votes[t] > votes[best]) best = (enum prompt_task)t;
    return votes[best] == 0 && r->marks.questions ? TASK_QUESTION : best;
}

void complexity_judge(const struct complexity_lexicon *lexicon, struct str sample,
                      const struct complexity_around *around, struct complexity *out) {
    struct reading reading;
    complexity_read(lexicon, sample, &reading);
    memset(out, 0, sizeof *out);
    out->language = reading.language;
    score(&reading, around, out);
    out->task = task_of(&reading, around, out);
}

size_t complexity_put(const struct complexity *c, char *out, size_t max) {
    static const char *const tiers[] = {
#define TIER(id, name, words) name,
#include "conf/tier.def"
#undef TIER
    };
    size_t n = 0;
#define ADD(...)                                                                                                       \
    do {                                                                                                               \
        const int added = n < max ? snprintf(out + n, max - n, __VA_ARGS__) : 0;                                       \
        n += added > 0 ? (size_t)added : 0;                                                                            \
    } while (0)
    ADD("complexity %u:", c->score);
    const char *between = " ";
    for (unsigned i = 0; i < COMPLEXITY_FEATURE_COUNT; i++) {
        if (!c->points[i]) continue;
        ADD("%s%.*s %d", between, STR_ARG(complexity_feature_name((enum complexity_feature)i)), c->points[i]);
        between = ", ";
    }
    ADD("; tier %s, task %.*s", tiers[c->tier], STR_ARG(task_name(c->task)));
    if (c->language) ADD(", language %.*s", STR_ARG(language_code(c->language)));
#undef ADD
    return MIN(n, max ? max - 1 : 0);
}
