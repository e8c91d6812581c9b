// Tokens of requests: OpenAI's published examples, pictures by each vendor's rule, tools, lists of inputs.
#include "check.h"
#include "model/dialect.h"
#include "model/prompt_tokens.h"

#include <stdlib.h>

static struct prompt_tokens count(const char *model, const char *rest) {
    struct arena a;
    struct buf body = BUF_INIT(1 << 20);
    struct err err;
    struct chat chat;
    struct model_request request;
    struct prompt_tokens tokens;
    arena_init(&a, NULL, 0, 1 << 24);
    buf_printf(&body, "{\"model\":\"%s\",%s}", model, rest);
    const struct dialect_ops *openai = dialect_get(DIALECT_OPENAI);
    struct model_request_in in = {.operation = OPERATION_CHAT, .body = buf_str(&body), .depth = 64};
    if (!openai->peek(&in, &a, &request, &err) || !openai->read(&request, &a, &chat, &err)) {
        fprintf(stderr, "%s\n", err.message);
        exit(1);
    }
    struct prompt_way way = prompt_way_of(str_c(model));
    REQUIRE(prompt_count_chat(&way, &chat, &a, &tokens));
    arena_free(&a);
    buf_free(&body);
    return tokens;
}

// "How to count tokens with tiktoken", with what OpenAI's API counted.
static const char jargon[] =
    "\"messages\":[{\"role\":\"system\",\"content\":\"You are a helpful, pattern-following assistant that translates "
    "corporate jargon into plain English.\"},{\"role\":\"system\",\"name\":\"example_user\",\"content\":\"New "
    "synergies "
    "will help drive top-line growth.\"},{\"role\":\"system\",\"name\":\"example_assistant\",\"content\":\"Things "
    "working "
    "well together will increase revenue.\"},{\"role\":\"system\",\"name\":\"example_user\",\"content\":\"Let's circle "
    "back when we have more bandwidth to touch base on opportunities for increased leverage.\"},{\"role\":\"system\","
    "\"name\":\"example_assistant\",\"content\":\"Let's talk later when we're less busy about how to do better.\"},"
    "{\"role\":\"user\",\"content\":\"This late pivot means we don't have time to boil the ocean for the client "
    "deliverable.\"}]";
static const char weather[] =
    "\"messages\":[{\"role\":\"system\",\"content\":\"You are a helpful assistant that can answer to questions about "
    "the "
    "weather.\"},{\"role\":\"user\",\"content\":\"What's the weather like in San Francisco?\"}],\"tools\":[{\"type\":"
    "\"function\",\"function\":{\"name\":\"get_current_weather\",\"description\":\"Get the current weather in a given "
    "location\",\"parameters\":{\"type\":\"object\",\"properties\":{\"location\":{\"type\":\"string\",\"description\":"
    "\"The city and state, e.g. San Francisco, CA\"},\"unit\":{\"type\":\"string\",\"description\":\"The unit of "
    "temperature to return\",\"enum\":[\"celsius\",\"fahrenheit\"]}},\"required\":[\"location\"]}}}]";

static void published(void) {
    CHECK_INT(count("gpt-4o", jargon).total, 124);
    CHECK_INT(count("gpt-4o-mini", jargon).total, 124);
    CHECK_INT(count("gpt-4", jargon).total, 129);
    CHECK_INT(count("gpt-3.5-turbo", jargon).total, 129);
    CHECK(count("gpt-4o", jargon).exact);
    CHECK_INT(count("gpt-4o", weather).total, 101);
    CHECK_INT(count("gpt-4", weather).total, 105);
    CHECK(!count("gpt-4o", weather).exact);
    CHECK(count("gpt-4o", weather).tools > 0);
}

static void others(void) {
    static const char hello[] = "\"messages\":[{\"role\":\"user\",\"content\":\"Hello\"}]";
    static const char *const models[] = {"claude-sonnet-4-5", "gemini-2.5-pro", "llama-3.3-70b", "mistral-large",
                                         "nobody-knows-this"};
    for (size_t i = 0; i < ARRAY_LEN(models); i++) {
        struct prompt_tokens t = count(models[i], hello);
        CHECK(t.total >= 1 && t.total < 20);
        CHECK(!t.uncounted);
    }
    CHECK(!count("claude-sonnet-4-5", hello).exact);
    CHECK(!count("nobody-knows-this", hello).exact);
    struct prompt_tokens with = count("claude-sonnet-4-5", weather), gpt = count("gpt-4o", weather);
    CHECK(with.tools > 346 && with.tools < 346 + 200);
    CHECK(gpt.text == with.text || with.text < gpt.text + 20);
}

#define PNG(base64) "data:image/png;base64," base64
// A head of 300 x 200, with nothing behind it.
#define SMALL PNG("iVBORw0KGgoAAAANSUhEUgAAASwAAADICAYAAAA=")
#define IMAGE(url, detail)                                                                                             \
    "\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"image_url\",\"image_url\":{\"url\":\"" url              \
    "\",\"detail\":\"" detail "\"}}]}]"

static void pictures_in_requests(void) {
    CHECK_INT(count("gpt-4o", IMAGE(SMALL, "low")).images, 85);
    CHECK_INT(count("gpt-4o", IMAGE(SMALL, "high")).images, 85 + 170);
    CHECK_INT(count("gpt-4o-mini", IMAGE(SMALL, "auto")).images, 2833 + 5667);
    CHECK_INT(count("claude-sonnet-4-5", IMAGE(SMALL, "auto")).images, 80);
    CHECK_INT(count("gemini-2.5-flash", IMAGE(SMALL, "auto")).images, 258);
    CHECK_INT(count("gpt-4o", IMAGE("https://example.com/x.png", "high")).images, 765); // as of 1024 x 1024
    CHECK(!count("gpt-4o", IMAGE(SMALL, "low")).exact);
    struct prompt_tokens t = count("gpt-4o", "\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"input_audio\","
                                             "\"input_audio\":{\"data\":\"AAAA\",\"format\":\"wav\"}}]}]");
    CHECK_INT(t.uncounted, 1);
}

static uint64_t picture(const char *model, uint32_t width, uint32_t height) {
    return prompt_picture_tokens(prompt_picture_of(str_c(model)), &(struct image_size){width, height}, false);
}

// Examples of the vendors' own pages.
static void picture_rules(void) {
    CHECK_INT(picture("gpt-4o", 1024, 1024), 765);
    CHECK_INT(picture("gpt-4o", 2048, 4096), 1105);
    CHECK_INT(picture("gpt-4.1-mini", 1024, 1024), 1659); // 1024 patches, times 1.62
    CHECK_INT(picture("o4-mini", 1800, 2400), 2498);      // 1452 patches, times 1.72
    CHECK_INT(picture("claude-opus-4-5", 200, 200), 54);
    CHECK_INT(picture("claude-opus-4-5", 1000, 1000), 1334);
    CHECK_INT(picture("claude-opus-4-5", 8000, 8000), 1600);
    CHECK_INT(picture("gemini-2.5-pro", 384, 384), 258);
    CHECK_INT(picture("gemini-2.5-pro", 960, 540), 258 * 6);
    CHECK_INT(picture("gemini-3-pro", 10, 10), 1120);
    for (uint32_t side = 1; side <= IMAGE_SIDE_MAX; side = side * 3 + 1) {
        static const char *const models[] = {"gpt-4o", "gpt-4.1-mini", "claude-x", "gemini-2.5", "anything"};
        for (size_t i = 0; i < ARRAY_LEN(models); i++) {
            CHECK(picture(models[i], side, 1) > 0 && picture(models[i], 1, side) > 0);
            CHECK(picture(models[i], side, side) > 0);
        }
    }
}

static void inputs(void) {
    static const struct {
        const char *raw;
        uint64_t text, uncounted;
    } rows[] = {
        {"\"hello world\"", 2, 0},
        {"[\"hello world\",\"hello\"]", 3, 0},
        {"[15339,1917]", 2, 0},
        {"[[1,2,3],[4]]", 4, 0},
        {"[]", 0, 0},
        {"{\"image\":1}", 0, 1},
        {"[{\"a\":1},\"hello\"]", 1, 1},
        {"\"\"", 0, 0},
    };
    struct prompt_way way = prompt_way_of(STR("text-embedding-3-small"));
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct prompt_tokens t;
        struct arena a;
        arena_init(&a, NULL, 0, 1 << 20);
        CHECK(prompt_count_input(&way, str_c(rows[i].raw), &a, &t));
        CHECK_INT(t.total, rows[i].text);
        CHECK_INT(t.uncounted, rows[i].uncounted);
        arena_free(&a);
    }
}

TEST_MAIN(published, others, pictures_in_requests, picture_rules, inputs)
