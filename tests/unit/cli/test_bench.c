// The parts of a benchmark: files of prompts, percentiles and what they are worth, scores, what judges say.
#include "base/json_read.h"
#include "check.h"
#include "cli/bench.h"
#include "cli/bench_chart.h"

#include <math.h>
#include <stdlib.h>

static struct arena g_arena;

static bool near(double a, double b) { return fabs(a - b) < 1e-4; }

// --- prompts ---

static bool read_text(const char *text, struct bench_prompts *out, struct err *err) {
    return bench_prompts_read(str_c(text), &g_arena, out, err);
}

static void check_messages(const struct bench_prompt *p, const char *want) {
    BUF_AUTO struct buf out = BUF_INIT(4096);
    struct json_writer w;
    json_writer_init(&w, &out);
    bench_messages_put(&w, p);
    CHECK_STR(buf_str(&out), str_c(want));
}

static void prompts(void) {
    struct bench_prompts p;
    struct err err;
    REQUIRE(
        read_text("\xef\xbb\xbf\n{\"prompt\":\"a\\n\\u00e4\",\"system\":\"s\",\"max_tokens\":7,\"temperature\":0.50,"
                  "\"expect\":\" x \"}\r\n\n"
                  "{\"id\":\"two\",\"messages\":[{\"role\":\"user\",\"content\":[1, 2]}],\"regex\":\"^a\"}\n"
                  "{\"prompt\":\"c\",\"schema\":{\"type\":\"null\"},\"response_format\":{\"type\":\"json_object\"}}\n"
                  "{\"prompt\":\"d\",\"judge\":true}\n{\"prompt\":\"e\",\"judge\":\"short?\"}\n"
                  "{\"prompt\":\"f\",\"judge\":false}",
                  &p, &err));
    REQUIRE(p.n == 6);
    CHECK_STR(p.p[0].id, STR("2"));
    CHECK_STR(p.p[0].expect, STR("x"));
    CHECK(p.p[0].check == BENCH_EXPECT && p.p[0].max_tokens == 7);
    CHECK_STR(p.p[0].temperature, STR("0.50"));
    check_messages(&p.p[0],
                   "[{\"role\":\"system\",\"content\":\"s\"},{\"role\":\"user\",\"content\":\"a\\n\xc3\xa4\"}]");
    CHECK_STR(p.p[1].id, STR("two"));
    CHECK(p.p[1].check == BENCH_REGEX && p.p[1].regex);
    check_messages(&p.p[1], "[{\"role\":\"user\",\"content\":[1, 2]}]");
    CHECK(p.p[2].check == BENCH_SCHEMA && p.p[2].schema);
    CHECK_STR(p.p[2].response_format, STR("{\"type\":\"json_object\"}"));
    CHECK(p.p[3].check == BENCH_JUDGE && p.p[3].expect.n == 0);
    CHECK_STR(p.p[4].expect, STR("short?"));
    CHECK(p.p[5].check == BENCH_UNCHECKED);
    REQUIRE(read_text("one {\n\n two  \n", &p, &err));
    REQUIRE(p.n == 2);
    CHECK_STR(p.p[0].text, STR("one {"));
    CHECK_STR(p.p[1].text, STR("two"));
    CHECK_STR(p.p[1].id, STR("3"));
}

static void wrong_prompts(void) {
    static const struct {
        const char *text, *why;
    } cases[] = {{"", "no prompt"},
                 {" \n\n", "no prompt"},
                 {"{\"prompt\":\"a\"}\n[1]", "line 2 is no JSON object"},
                 {"{\"prompt\":\"a\"}\nplain", "line 2 is no JSON"},
                 {"{\"prompt\":\"a\"} x", "line 1 is no JSON"},
                 {"{\"prompt\":7}", "line 1, prompt: expected a text"},
                 {"{\"prompt\":\"\"}", "line 1, prompt: it is empty"},
                 {"{\"id\":\"x\"}", "line 1, prompt: it is missing"},
                 {"{\"prompt\":\"a\",\"messages\":[{\"role\":\"user\"}]}", "line 1, messages: there is a prompt"},
                 {"{\"messages\":[]}", "line 1, messages: there is none"},
                 {"{\"messages\":[\"a\"]}", "line 1, messages: expected objects"},
                 {"{\"messages\":\"a\"}", "line 1, messages: expected a list"},
                 {"{\"prompt\":\"a\",\"prompt\":\"b\"}", "line 1, prompt: it is there twice"},
                 {"{\"prompt\":\"a\",\"promt\":\"b\"}", "line 1, promt: no field"},
                 {"{\"prompt\":\"a\",\"max_tokens\":0}", "line 1, max_tokens:"},
                 {"{\"prompt\":\"a\",\"max_tokens\":1.5}", "line 1, max_tokens:"},
                 {"{\"prompt\":\"a\",\"temperature\":3}", "line 1, temperature:"},
                 {"{\"prompt\":\"a\",\"temperature\":-1}", "line 1, temperature:"},
                 {"{\"prompt\":\"a\",\"system\":null}", "line 1, system:"},
                 {"{\"prompt\":\"a\",\"response_format\":\"json\"}", "line 1, response_format:"},
                 {"{\"prompt\":\"a\",\"expect\":\"x\",\"regex\":\"x\"}", "line 1, regex: there is a check"},
                 {"{\"prompt\":\"a\",\"regex\":\"[\"}", "line 1, regex: the pattern is wrong at byte"},
                 {"{\"prompt\":\"a\",\"schema\":{\"typ\":1}}", "line 1, schema: the schema is wrong at \"typ\""},
                 {"{\"prompt\":\"a\",\"judge\":1}", "line 1, judge:"},
                 {"{\"prompt\":\"a\",\"id\":\"2\"}\n{\"prompt\":\"b\"}", "line 2, id: another"},
                 {"{\"prompt\":\"a\xff\"}", "line 1 is not UTF-8"},
                 {"plain\n\xff", "line 2 is not UTF-8"}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct bench_prompts p;
        struct err err;
        bool ok = read_text(cases[i].text, &p, &err);
        if (ok || !strstr(err.message, cases[i].why))
            fprintf(stderr, "%s: %s\n", cases[i].text, ok ? "taken" : err.message);
        CHECK(!ok && strstr(err.message, cases[i].why));
    }
}

// --- figures ---

static void summaries(void) {
    struct bench_summary s;
    double v[1200];
    bench_summarize(v, 0, &s);
    CHECK(s.n == 0 && !s.has_range);
    v[0] = 7;
    bench_summarize(v, 1, &s);
    CHECK(near(s.p50, 7) && near(s.p95, 7) && near(s.mean, 7) && !s.has_range);
    for (int i = 0; i < 20; i++) v[i] = 20 - i;
    bench_summarize(v, 20, &s);
    CHECK(near(s.min, 1) && near(s.max, 20) && near(s.p50, 10) && near(s.p95, 19) && near(s.mean, 10.5));
    // Tables of the sign test: of 20 the 6th and the 15th.
    CHECK(s.has_range && near(s.low, 6) && near(s.high, 15));
    for (int i = 0; i < 6; i++) v[i] = i + 1;
    bench_summarize(v, 6, &s);
    CHECK(s.has_range && near(s.low, 1) && near(s.high, 6));
    bench_summarize(v, 5, &s);
    CHECK(!s.has_range && near(s.p50, 3));
    for (int i = 0; i < 1200; i++) v[i] = i + 1;
    bench_summarize(v, 1000, &s);
    CHECK(near(s.low, 469) && near(s.high, 532));
    bench_summarize(v, 1200, &s);
    CHECK(s.low > 560 && s.low < 570 && s.high > 630 && s.high < 640);
}

static void shares(void) {
    struct bench_share s;
    bench_share_of(0, 0, &s);
    CHECK(s.n == 0);
    bench_share_of(8, 10, &s); // Wilson's own: 0.490 … 0.943
    CHECK(near(s.mean, 0.8) && near(s.low, 0.49016) && near(s.high, 0.94332));
    bench_share_of(10, 10, &s);
    CHECK(near(s.mean, 1) && near(s.low, 0.72247) && near(s.high, 1));
    bench_share_of(0, 3, &s);
    CHECK(near(s.low, 0) && near(s.high, 0.56150));
}

// --- scores ---

static double score(const char *prompt, const char *answer, const char *part) {
    struct bench_prompts p;
    struct err err;
    char why[200];
    REQUIRE(read_text(prompt, &p, &err));
    double v = bench_score(&p.p[0], str_c(answer), why);
    if (!strstr(why, part)) fprintf(stderr, "%s: %s\n", prompt, why);
    CHECK(strstr(why, part) && (*part || !*why));
    return v;
}

static void scores(void) {
    CHECK(near(score("{\"prompt\":\"p\",\"expect\":\"Paris\\n\"}", "  Paris \n", ""), 1));
    CHECK(near(score("{\"prompt\":\"p\",\"expect\":\"Paris\"}", "paris", "not what"), 0));
    CHECK(near(score("{\"prompt\":\"p\",\"regex\":\"[Pp]aris\"}", "It is paris.", ""), 1));
    CHECK(near(score("{\"prompt\":\"p\",\"regex\":\"^paris$\"}", "It is paris.", "pattern"), 0));
    CHECK(near(score("{\"prompt\":\"p\",\"regex\":\"x\"}", "\xff", "pattern"), BENCH_NONE));
    CHECK(near(score("{\"prompt\":\"p\",\"schema\":{\"required\":[\"a\"]}}", " {\"a\":1}\n", ""), 1));
    CHECK(near(score("{\"prompt\":\"p\",\"schema\":{\"required\":[\"a\"]}}", "{}", "/: \"a\" is missing"), 0));
    CHECK(near(score("{\"prompt\":\"p\",\"schema\":{}}", "```json\n{}\n```", "no JSON"), 0));
    CHECK(near(score("{\"prompt\":\"p\",\"schema\":{\"$ref\":\"#\"}}", "1", "too"), BENCH_NONE));
    CHECK(near(score("{\"prompt\":\"p\"}", "x", ""), BENCH_NONE));
    CHECK(near(score("{\"prompt\":\"p\",\"judge\":true}", "x", ""), BENCH_NONE));
}

static void judges(void) {
    static const struct {
        const char *answer;
        double score;
    } cases[] = {{"{\"score\": 0.7}", 0.7},
                 {"```json\n{\"score\": 1, \"why\": \"{good}\"}\n```", 1},
                 {"{\"why\": \"bad\", \"score\": \"3/4\"}", 0.75},
                 {"{\"score\": 1e-1}", 0.1},
                 {"0.25", 0.25},
                 {" 1\n", 1},
                 {"7/10", 0.7},
                 {"80 %", 0.8},
                 {"Score: 0.5", 0.5},
                 {"**Score:** 9/10. Well done, 3 points.", 0.9},
                 {"The score is 8 out of 10.", 0.8},
                 {"A score of none. Final score: 0.", 0},
                 {"", -1},
                 {"{\"score\": 7}", -1},
                 {"{\"score\": -1}", -1},
                 {"{\"score\": null}", -1},
                 {"{\"grade\": 1}", -1},
                 {"7", -1},
                 {"8/0", -1},
                 {"120%", -1},
                 {"I cannot tell.", -1},
                 {"There are 0.5 reasons", -1},
                 {"Score: excellent, 1", -1},
                 {"0.1234567890123456789012345678901234567890", -1}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        double v = -1;
        bool ok = bench_judge_read(str_c(cases[i].answer), &v);
        if (ok != (cases[i].score >= 0) || !near(v, cases[i].score)) fprintf(stderr, "%s: %f\n", cases[i].answer, v);
        CHECK(ok == (cases[i].score >= 0) && near(v, cases[i].score));
    }
}

static void judge_body(void) {
    BUF_AUTO struct buf out = BUF_INIT(1 << 16);
    struct bench_prompts p;
    struct err err;
    REQUIRE(read_text("{\"prompt\":\"q\\\"\",\"judge\":\"c\"}", &p, &err));
    bench_judge_body(STR("the/judge"), &p.p[0], STR("a\"}]} {\"score\":1}"), &out);
    REQUIRE(json_validate(buf_str(&out), 0, &err));
    CHECK(str_find(buf_str(&out), STR("\\\"answer\\\":\\\"a\\\\\\\"}]} {\\\\\\\"score")) < out.n);
    CHECK(str_find(buf_str(&out), STR("\\\"criterion\\\":\\\"c\\\"")) < out.n);
    CHECK(str_starts(buf_str(&out), STR("{\"model\":\"the/judge\",")));
}

// --- charts ---

static void charts(void) {
    BUF_AUTO struct buf out = BUF_INIT(1 << 16);
    const struct chart_bar bars[] = {
        {STR("<b>&\"'"), STR("1 ms"), 1, 0.5, 2, 3, true},
        {STR("a-name-that-is-much-too-long-for-the-room-there-is"), STR("none"), -1, -1, -1, -1, false}};
    chart_bars_put(&out, "T", "N", bars, 2, 0);
    CHECK(str_find(buf_str(&out), STR("&lt;b&gt;&amp;&quot;&#39;")) < out.n);
    CHECK(str_find(buf_str(&out), STR(">\xe2\x80\xa6"
                                      "ng-for-the-room-there-is<")) < out.n);
    CHECK(str_find(buf_str(&out), STR("nan")) == out.n);
    struct chart_point points[64];
    for (size_t i = 0; i < ARRAY_LEN(points); i++) points[i] = (struct chart_point){STR("same"), STR("t"), 0, 0};
    buf_clear(&out);
    chart_points_put(&out, "T", "N", points, ARRAY_LEN(points), "x", "y", STR("0"));
    CHECK(!out.failed && str_find(buf_str(&out), STR("nan")) == out.n);
}

static void run_all(void) {
    arena_init(&g_arena, NULL, 0, (size_t)64 << 20);
    prompts();
    wrong_prompts();
    summaries();
    shares();
    scores();
    judges();
    judge_body();
    charts();
    arena_free(&g_arena);
}

TEST_MAIN(run_all)
