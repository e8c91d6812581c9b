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

// --- features, one by one ---

static int points(struct str text, enum complexity_feature feature) {
    const struct complexity c = judge(text);
    check_sum(&c);
    return c.points[feature];
}

static void features_tell_of_their_causes(void) {
    CHECK_INT(points(STR("hello"), COMPLEXITY_REASONING), 0);
    CHECK(points(STR("Prove that 2 is even."), COMPLEXITY_REASONING) >= 45);
    CHECK_INT(points(STR("What is this?"), COMPLEXITY_QUESTIONS), 0);
    CHECK(points(STR("What is this? Whose is it? Why?"), COMPLEXITY_QUESTIONS) > 0);
    CHECK_INT(points(STR("one line"), COMPLEXITY_CODE), 0);
    CHECK(points(STR("look:\n```c\nint x;\nint y;\n```"), COMPLEXITY_CODE) > 0);
    CHECK(points(STR("Traceback (most recent call last):\n  File x"), COMPLEXITY_CODE) > 0);
    CHECK(points(STR("$\\sum_i x_i^2 = 4$"), COMPLEXITY_MATHS) > 0);
    CHECK(points(STR("It must be short, plain, kind, true and new. 1) a 2) b 3) c"), COMPLEXITY_DEMANDS) > 10);
}

static void material_says_nothing_of_the_task(void) {
    struct complexity c = judge(STR("Translate into German: Prove that there are infinitely many primes."));
    CHECK_INT(c.tier, TIER_SIMPLE);
    CHECK_INT(c.task, TASK_TRANSLATE);
    c = judge(STR("Is \"prove that the root cause is a deadlock\" good English?"));
    CHECK_INT(c.points[COMPLEXITY_REASONING], 0);
    c = judge(STR("What language is this?\n```\nprove that the root cause\n```"));
    CHECK_INT(c.points[COMPLEXITY_REASONING], 0);
}

static void length_counts_past_what_is_read(void) {
    static char text[1 << 20];
    memset(text, 'x', sizeof text);
    for (size_t i = 0; i < sizeof text; i += 6) text[i] = ' ';
    struct complexity c = judge(str_of(text, sizeof text));
    CHECK_INT(c.points[COMPLEXITY_LENGTH], 34);
    // The end is read as well.
    const char end[] = " Prove that this is so.";
    memcpy(text + sizeof text - sizeof end, end, sizeof end - 1);
    c = judge(str_of(text, sizeof text - 1));
    CHECK_INT(c.tier, TIER_REASONING);
}

static void odd_texts_are_texts(void) {
    static const char *const odd[] = {"",  " ",  "\n\n\n",       "???", "```",      "\"",           ":",
                                      "{", "\\", "\xff\xfe\x80", "1)",  "\xe4\xbd", "\xef\xbc\x9a", "\xe2\x80\x9c"};
    for (size_t i = 0; i < ARRAY_LEN(odd); i++) {
        const struct complexity c = judge(str_c(odd[i]));
        check_sum(&c);
        CHECK_INT(c.tier, TIER_SIMPLE);
    }
    const struct complexity none = judge(STR_NONE);
    CHECK_INT(none.task, TASK_CHAT);
    CHECK_INT(none.language, LANGUAGE_ANY);
}

static void languages_by_script(void) {
    CHECK_INT(judge(STR("Как дела у вас сегодня?")).language, LANGUAGE_RU);
    CHECK_INT(judge(STR("안녕하세요 만나서 반갑습니다")).language, LANGUAGE_KO);
    CHECK_INT(judge(STR("Καλημέρα σας")).language, LANGUAGE_EL);
    CHECK_INT(judge(STR("שלום לכולם")).language, LANGUAGE_HE);
    CHECK_INT(judge(STR("مرحبا بكم")).language, LANGUAGE_AR);
    CHECK_INT(judge(STR("नमस्ते दुनिया")).language, LANGUAGE_HI);
    CHECK_INT(judge(STR("สวัสดีครับ")).language, LANGUAGE_TH);
    CHECK_INT(judge(STR("12 + 34 = 46")).language, LANGUAGE_ANY);
}

static void reasons_are_told(void) {
    const struct complexity c = judge(STR("Prove that the square root of 2 is irrational."));
    char text[COMPLEXITY_TEXT_MAX], little[12];
    const size_t n = complexity_put(&c, text, sizeof text);
    const struct str told = str_of(text, n);
    CHECK_INT(n, strlen(text));
    CHECK(str_starts(told, STR("complexity ")));
    CHECK(str_find(told, STR("reasoning 70")) < n);
    CHECK(str_ends(told, STR("; tier reasoning, task math, language en")));
    CHECK_INT(complexity_put(&c, little, sizeof little), sizeof little - 1);
    CHECK_INT(complexity_put(&c, little, 0), 0);
}

// --- the neutral form ---

static struct chat_part text_part(const char *json) {
    return (struct chat_part){.kind = CHAT_TEXT, .text = str_c(json)};
}

static struct complexity judge_chat(const struct chat *chat) {
    struct complexity c;
    complexity_of_chat(&g_lexicon, chat, &c);
    check_sum(&c);
    return c;
}

static void the_last_message_counts(void) {
    struct chat_part first = text_part("\"Prove that pi is irrational.\""), answer = text_part("\"No.\"");
    struct chat_part parts[] = {text_part("\"\\u00dcbersetze ins\\nEnglische: \\\"Hallo\\\"\""), {.kind = CHAT_IMAGE}};
    struct chat_part result = {.kind = CHAT_TOOL_RESULT, .id = STR("\"1\"")};
    struct chat_turn turns[] = {{.role = CHAT_USER, .parts = &first, .count = 1},
                                {.role = CHAT_ASSISTANT, .parts = &answer, .count = 1},
                                {.role = CHAT_USER, .parts = parts, .count = 1},
                                {.role = CHAT_USER, .parts = &result, .count = 1}};
    struct chat chat = {.turns = turns, .count = ARRAY_LEN(turns)};
    struct complexity c = judge_chat(&chat);
    CHECK_INT(c.tier, TIER_SIMPLE);
    CHECK_INT(c.task, TASK_TRANSLATE);
    CHECK_INT(c.language, LANGUAGE_DE);
    CHECK_INT(c.points[COMPLEXITY_TOOLS], 0);
    chat.tool_count = 3;
    turns[2].count = 2;
    c = judge_chat(&chat);
    CHECK_INT(c.points[COMPLEXITY_TOOLS], 3);
    CHECK_INT(c.task, TASK_VISION);
    chat.count = 1;
    CHECK_INT(judge_chat(&chat).tier, TIER_REASONING);
    chat.count = 0;
    CHECK_INT(judge_chat(&chat).tier, TIER_SIMPLE);
}

static void escapes_are_read(void) {
    // \u8bc1\u660e is "prove" in Chinese; halves of pairs and cut escapes are survived.
    static const char *const texts[] = {"\"\\u8bc1\\u660e\\u6839\\u53f72\\u662f\\u65e0\\u7406\\u6570\"",
                                        "\"\\ud83d\\ude00 prove that\"",
                                        "\"prove that \\ud83d\"",
                                        "\"prove that\\u12\"",
                                        "\"prove that\\\"",
                                        "\"prove that\\\\\""};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct chat_part part = text_part(texts[i]);
        struct chat_turn turn = {.role = CHAT_USER, .parts = &part, .count = 1};
        const struct chat chat = {.turns = &turn, .count = 1};
        CHECK_INT(judge_chat(&chat).tier, TIER_REASONING);
    }
}

static void a_long_conversation_adds(void) {
    static char system_text[40002];
    memset(system_text, 'a', sizeof system_text);
    system_text[0] = system_text[sizeof system_text - 1] = '"';
    struct chat_part instruction = {.kind = CHAT_TEXT, .text = str_of(system_text, sizeof system_text)};
    struct chat_part part = text_part("\"hello\"");
    struct chat_turn turns[20];
    for (size_t i = 0; i < ARRAY_LEN(turns); i++)
        turns[i] = (struct chat_turn){.role = i % 2 ? CHAT_USER : CHAT_ASSISTANT, .parts = &part, .count = 1};
    turns[0] = (struct chat_turn){.role = CHAT_SYSTEM, .parts = &instruction, .count = 1};
    const struct complexity c = judge_chat(&(struct chat){.turns = turns, .count = ARRAY_LEN(turns)});
    CHECK_INT(c.points[COMPLEXITY_TURNS], 5);
    CHECK_INT(c.points[COMPLEXITY_CONTEXT], 8);
    // Parts that fill the sample to its brim, and more.
    struct chat_part many[] = {instruction, part, instruction, part};
    struct chat_turn turn = {.role = CHAT_USER, .parts = many, .count = ARRAY_LEN(many)};
    CHECK(judge_chat(&(struct chat){.turns = &turn, .count = 1}).points[COMPLEXITY_LENGTH] == 34);
}

TEST_MAIN(init, labelled_prompts, features_tell_of_their_causes, material_says_nothing_of_the_task,
          length_counts_past_what_is_read, odd_texts_are_texts, languages_by_script, reasons_are_told,
          the_last_message_counts, escapes_are_read, a_long_conversation_adds)
