// The scorer of complexity: the labelled prompts of tests/data/complexity, and what it makes of odd and large texts.
#include "check.h"
#include "route/complexity.h"

#include <stdlib.h>

#define TIERS 4
#define TEXT_MAX 8192

static struct complexity_lexicon g_lexicon;

static const char *const tier_names[TIERS] = {"simple", "medium", "complex", "reasoning"};

static struct complexity judge(struct str text) {
    struct complexity c;
    complexity_of_text(&g_lexicon, text, &(struct complexity_around){.message_bytes = text.n}, &c);
    return c;
}

// The contributions add up to the score, and the tier is the score's.
static void check_sum(const struct complexity *c) {
    int sum = 0;
    for (unsigned i = 0; i < COMPLEXITY_FEATURE_COUNT; i++) sum += c->points[i];
    CHECK_INT(sum, c->score);
    CHECK(c->score <= COMPLEXITY_MAX);
    CHECK((c->tier == TIER_REASONING) == (c->score >= COMPLEXITY_FROM_REASONING));
    CHECK((c->tier == TIER_SIMPLE) == (c->score < COMPLEXITY_FROM_MEDIUM));
}

// --- labelled prompts ---

struct prompt {
    unsigned tier;
    struct str task, language, raw; // as it stands in the file
    char text[TEXT_MAX];
    size_t n;
};

static bool is_held_out(struct str raw) {
    uint64_t h = 0xcbf29ce484222325u;
    for (size_t i = 0; i < raw.n; i++) h = (h ^ (uint8_t)raw.p[i]) * 0x100000001b3u;
    return h % 5 < 2;
}

static void unescape(struct prompt *p) {
    p->n = 0;
    for (size_t i = 0; i < p->raw.n && p->n < TEXT_MAX; i++) {
        char c = p->raw.p[i];
        if (c == '\\' && i + 1 < p->raw.n) {
            const char e = p->raw.p[++i];
            c = e == 'n' ? '\n' : e == 't' ? '\t' : e;
        }
        p->text[p->n++] = c;
    }
}

static bool read_prompt(char *line, struct prompt *out) {
    struct str rest = str_trim(str_c(line)), tier;
    if (!str_split(&rest, '\t', &tier) || !str_split(&rest, '\t', &out->task) ||
        !str_split(&rest, '\t', &out->language) || rest.n == 0)
        return false;
    out->raw = rest;
    for (out->tier = 0; out->tier < TIERS && !str_eq(tier, str_c(tier_names[out->tier]));) out->tier++;
    unescape(out);
    return out->tier < TIERS;
}

struct tally {
    unsigned tiers[TIERS][TIERS]; // wanted, got
    unsigned all, right, tasks, languages;
};

static void print_tally(const char *title, const struct tally *t) {
    printf("%s: %u prompts; tier %.1f %%, task %.1f %%, language %.1f %%\n%10s", title, t->all,
           100.0 * t->right / t->all, 100.0 * t->tasks / t->all, 100.0 * t->languages / t->all, "");
    for (unsigned i = 0; i < TIERS; i++) printf("%10s", tier_names[i]);
    for (unsigned i = 0; i < TIERS; i++) {
        printf("\n%10s", tier_names[i]);
        for (unsigned k = 0; k < TIERS; k++) printf("%10u", t->tiers[i][k]);
    }
    printf("\n");
}

static void count(struct tally *t, const struct prompt *p, bool told) {
    const struct complexity c = judge(str_of(p->text, p->n));
    check_sum(&c);
    t->all++;
    t->tiers[p->tier][c.tier]++;
    t->right += c.tier == p->tier;
    t->tasks += str_eq(task_name(c.task), p->task);
    t->languages += str_eq(language_code(c.language), p->language);
    if (!told) return;
    char text[COMPLEXITY_TEXT_MAX];
    complexity_put(&c, text, sizeof text);
    if (c.tier != p->tier || !str_eq(task_name(c.task), p->task))
        printf("%s %.*s %.*s: %.*s\n    %s\n", tier_names[p->tier], STR_ARG(p->task), STR_ARG(p->language),
               STR_ARG(str_head(p->raw, 140)), text);
}

// COMPLEXITY_TELL=1 shows what is wrong among the prompts that the scorer may be adjusted to; never among the others.
static void labelled_prompts(void) {
    FILE *f = fopen("tests/data/complexity/prompts.tsv", "rb");
    REQUIRE(f != NULL);
    static char line[TEXT_MAX];
    static struct prompt p;
    struct tally train = {.all = 0}, held_out = {.all = 0};
    const bool tell = getenv("COMPLEXITY_TELL") != NULL;
    while (fgets(line, sizeof line, f)) {
        REQUIRE(read_prompt(line, &p));
        if (is_held_out(p.raw))
            count(&held_out, &p, false);
        else
            count(&train, &p, tell);
    }
    fclose(f);
    print_tally("adjusted to", &train);
    print_tally("held out", &held_out);
    CHECK(train.all >= 280 && held_out.all >= 150);
    CHECK(held_out.right * 10 >= held_out.all * 9);
    CHECK(held_out.tasks * 10 >= held_out.all * 8);
    CHECK(held_out.languages * 100 >= held_out.all * 95);
}

static void init(void) { complexity_lexicon_init(&g_lexicon); }

TEST_MAIN(init, labelled_prompts)
