// Tests the commands that tell of the configuration's options; docs/config-env.md is what one of them prints.
//
// UPDATE_DOCS=1 writes the page anew.
#include "run.h"

#include "base/json_read.h"
#include "base/utf8.h"
#include "os/file.h"

#define PAGE "docs/config-env.md"

static void env_page_is_current(void) {
    struct ran ran = RUN("config", "docs", "--env-reference");
    struct buf got = BUF_INIT(1 << 22);
    struct err err;
    CHECK_INT(ran.code, 0);
    if (getenv("UPDATE_DOCS")) REQUIRE(file_replace(STR(PAGE), str_of(ran.out, ran.out_n), 0644, &err));
    CHECK(file_read_all(STR(PAGE), 1 << 22, &got, &err));
    bool same = str_eq(buf_str(&got), str_of(ran.out, ran.out_n));
    if (!same) fprintf(stderr, PAGE " is stale: run this test with UPDATE_DOCS=1\n");
    CHECK(same);
    buf_free(&got);
    ran_free(&ran);
}

static void docs_and_schema(void) {
    struct err err;
    check_run(0, "## Layers", RUN("config", "docs"));
    check_run(0, "| `PENSTOCK_PROVIDERS__NAME__API_KEY` | `providers[].api_key` |",
              RUN("config", "docs", "--env-reference"));
    check_run(0, "| `PENSTOCK_API_KEY` |", RUN("config", "docs", "--env-reference"));
    struct ran ran = RUN("config", "schema");
    CHECK_INT(ran.code, 0);
    CHECK(json_validate(str_of(ran.out, ran.out_n), 0, &err));
    CHECK(has(ran.out, "\"$schema\": \"https://json-schema.org/draft/2020-12/schema\""));
    ran_free(&ran);
}

static void check_lines(const char *text) {
    struct str rest = str_c(text), line;
    while (rest.n && str_split(&rest, '\n', &line)) {
        if (utf8_count(line) > 80) fprintf(stderr, "too wide: %.*s\n", STR_ARG(line));
        CHECK(utf8_count(line) <= 80);
        CHECK(!line.n || line.p[line.n - 1] != ' ');
    }
}

static void explain_says(const char *key, const char *const *parts) {
    struct ran ran = RUN("config", "explain", key);
    CHECK_INT(ran.code, 0);
    for (; *parts; parts++) {
        if (!has(ran.out, *parts)) fprintf(stderr, "%s: no \"%s\" in\n%s\n", key, *parts, ran.out);
        CHECK(has(ran.out, *parts));
    }
    CHECK(!has(ran.out, "\x1b") && !has(ran.out, "`"));
    check_lines(ran.out);
    ran_free(&ran);
}
#define SAYS(key, ...) explain_says(key, (const char *const[]){__VA_ARGS__, NULL})

static void explain_options(void) {
    SAYS("limits.max_body", "limits.max_body\n  The largest request body", "  Type         size, written 64 KiB",
         "  Default      32 MiB\n", "  Range        1 KiB to 1 GiB\n", "  Change       A change applies at once.\n",
         "  Since        0.1.0\n", "  Variable     PENSTOCK_LIMITS__MAX_BODY\n",
         "  Example\n    limits:\n      max_body: 32 MiB\n", "  Beside it\n    limits.max_header_bytes,");
    SAYS("providers.openai.api_key", "providers[].api_key\n", "  Secret       yes", "${env:OPENAI_API_KEY}",
         "PENSTOCK_PROVIDERS__NAME__API_KEY");
    SAYS("storage.durability", "one of the values below",
         "  Values\n    group               together, every \"group_interval\"", "needs a restart");
    SAYS("timeouts.keepalive", "keep the old value until they end.");
    SAYS("providers.name", "none: it is required");
    SAYS("server.host", "  See also\n");
    SAYS("providers", "  Options of providers[]\n", "    name                How the rest",
         "  Limits       1 to 1000 entries");
    SAYS("aliases.fast", "an entry of a map of texts");
    SAYS("", "The configuration\n", "    limits  ");
}

static void explain_in_colour(void) {
    struct ran ran = RUN("config", "explain", "limits.max_body", "--color", "always");
    CHECK(has(ran.out, "\x1b[1mlimits.max_body\x1b[0m\n"));
    CHECK(has(ran.out, "  \x1b[1mDefault\x1b[0m      32 MiB\n"));
    ran_free(&ran);
}

static void explain_as_json(void) {
    struct err err;
    struct ran ran = RUN("config", "explain", "limits.max_body", "--json");
    CHECK_INT(ran.code, 0);
    CHECK(json_validate(str_trim(str_of(ran.out, ran.out_n)), 0, &err));
    CHECK(has(ran.out, "\"key\":\"limits.max_body\"") && has(ran.out, "\"default\":\"32 MiB\""));
    CHECK(has(ran.out, "\"apply\":\"live\"") && has(ran.out, "\"deprecated\":null"));
    CHECK(has(ran.out, "\"variable\":\"PENSTOCK_LIMITS__MAX_BODY\""));
    ran_free(&ran);
    check_run(0, "\"options\":[{\"key\":\"limits.max_body\"", RUN("config", "explain", "limits", "--json"));
    check_run(0, "{\"name\":\"openai\",\"help\":\"OpenAI\"}", RUN("config", "explain", "providers.kind", "--json"));
}

static void explain_nothing(void) {
    check_run(4, "Try: penstock config explain limits.max_body", RUN("config", "explain", "limits.max_bdy"));
    check_run(4, "Try: penstock config explain limits.max_body", RUN("config", "explain", "max_body"));
    check_run(4, "there is no option \"zebra\"", RUN("config", "explain", "zebra"));
    check_run(4, "is no key", RUN("config", "explain", "a..b"));
    check_run(2, "", RUN("config", "explain"));
}

TEST_MAIN(env_page_is_current, docs_and_schema, explain_options, explain_in_colour, explain_as_json, explain_nothing)
