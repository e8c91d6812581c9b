// Tests of the usage record's compact form.
#include "check.h"
#include "store/usage.h"

#include "base/mem.h"

static const struct usage_record sample = {.id = 0x123456789abcdef,
                                           .tenant_id = 7,
                                           .key_id = 42,
                                           .ts = 1780000000123456789,
                                           .provider = STR_INIT("openai"),
                                           .model = STR_INIT("fast"),
                                           .upstream_model = STR_INIT("gpt-4o-mini"),
                                           .error = STR_INIT("upstream_timeout"),
                                           .endpoint = USAGE_ENDPOINT_CHAT,
                                           .status = 504,
                                           .flags = USAGE_STREAM | USAGE_DEMO,
                                           .tokens_in = 1000,
                                           .tokens_cached = 128,
                                           .tokens_cache_write = 5,
                                           .tokens_out = 300000,
                                           .tokens_reasoning = 17,
                                           .cost_nano = 123456789,
                                           .latency_us = 1234567,
                                           .ttft_us = 65432,
                                           .team_id = 3,
                                           .project_id = 1ULL << 40,
                                           .owner_id = 99,
                                           .owner_kind = 2,
                                           .reserved_tokens = 4096,
                                           .reserved_nano = 7654321,
                                           .attempts = 3,
                                           .reference_nano = 987654321,
                                           .tags = STR_INIT("{\"env\":\"prod\"}"),
                                           .task = STR_INIT("summarise")};

static void check_same(const struct usage_record *a, const struct usage_record *b) {
    CHECK_INT(a->id, b->id);
    CHECK_INT(a->tenant_id, b->tenant_id);
    CHECK_INT(a->key_id, b->key_id);
    CHECK_INT(a->ts, b->ts);
    CHECK_STR(a->provider, b->provider);
    CHECK_STR(a->model, b->model);
    CHECK_STR(a->upstream_model, b->upstream_model);
    CHECK_STR(a->error, b->error);
    CHECK_INT(a->endpoint, b->endpoint);
    CHECK_INT(a->status, b->status);
    CHECK_INT(a->flags, b->flags);
    CHECK_INT(a->tokens_in, b->tokens_in);
    CHECK_INT(a->tokens_cached, b->tokens_cached);
    CHECK_INT(a->tokens_cache_write, b->tokens_cache_write);
    CHECK_INT(a->tokens_out, b->tokens_out);
    CHECK_INT(a->tokens_reasoning, b->tokens_reasoning);
    CHECK_INT(a->cost_nano, b->cost_nano);
    CHECK_INT(a->latency_us, b->latency_us);
    CHECK_INT(a->ttft_us, b->ttft_us);
    CHECK_INT(a->team_id, b->team_id);
    CHECK_INT(a->project_id, b->project_id);
    CHECK_INT(a->owner_kind, b->owner_kind);
    CHECK_INT(a->owner_id, b->owner_id);
    CHECK_INT(a->reserved_tokens, b->reserved_tokens);
    CHECK_INT(a->reserved_nano, b->reserved_nano);
    CHECK_INT(a->attempts, b->attempts);
    CHECK_INT(a->reference_nano, b->reference_nano);
    CHECK_STR(a->tags, b->tags);
    CHECK_STR(a->task, b->task);
}

static void test_round_trip(void) {
    char out[USAGE_ENCODED_MAX];
    struct usage_record got;
    size_t n = usage_encode(&sample, out);
    REQUIRE(usage_decode(str_of(out, n), &got));
    check_same(&got, &sample);
    CHECK_INT(usage_decode_id(str_of(out, n)), sample.id);

    struct usage_record bare = {.id = INT64_MAX, .ts = INT64_MIN, .cost_nano = -5};
    n = usage_encode(&bare, out);
    REQUIRE(usage_decode(str_of(out, n), &got));
    check_same(&got, &bare);
}

static void test_limits(void) {
    char text[1000], out[USAGE_ENCODED_MAX];
    memset(text, 'x', sizeof text);
    struct str name = {text, sizeof text};
    struct usage_record got, big = {.id = INT64_MAX,
                                    .tenant_id = UINT64_MAX,
                                    .key_id = UINT64_MAX,
                                    .ts = INT64_MAX,
                                    .provider = name,
                                    .model = name,
                                    .upstream_model = name,
                                    .error = name,
                                    .endpoint = UINT16_MAX,
                                    .status = UINT16_MAX,
                                    .flags = UINT32_MAX,
                                    .tokens_in = UINT64_MAX,
                                    .tokens_out = UINT64_MAX,
                                    .cost_nano = INT64_MIN,
                                    .attempts = UINT64_MAX,
                                    .reference_nano = INT64_MAX,
                                    .task = name,
                                    .latency_us = UINT64_MAX};
    size_t n = usage_encode(&big, out);
    CHECK(n <= USAGE_ENCODED_MAX);
    REQUIRE(usage_decode(str_of(out, n), &got));
    CHECK_INT(got.tokens_in, USAGE_TOKENS_MAX);
    CHECK_INT(got.latency_us, USAGE_COUNT_MAX);
    CHECK_INT(got.cost_nano, -USAGE_COST_MAX);
    CHECK_INT(got.reference_nano, USAGE_COST_MAX);
    CHECK_INT(got.attempts, USAGE_COUNT_MAX);
    CHECK_INT(got.task.n, USAGE_NAME_MAX);
    CHECK_INT(got.key_id, INT64_MAX);
    CHECK_INT(got.status, 999);
    CHECK_INT(got.model.n, USAGE_NAME_MAX);
    CHECK_INT(got.error.n, USAGE_NAME_MAX);
}

static void test_every_truncation(void) {
    char out[USAGE_ENCODED_MAX];
    size_t n = usage_encode(&sample, out);
    for (size_t cut = 0; cut < n; cut++) {
        // An exact allocation, so that a sanitizer sees one byte too far.
        char *part = mem_must(mem_alloc(cut + 1));
        memcpy(part, out, cut);
        struct usage_record got = {.id = 99};
        CHECK(!usage_decode(str_of(part, cut), &got));
        CHECK_INT(got.id, 99);
        mem_free(part);
    }
    out[n] = 0;
    struct usage_record got;
    CHECK(!usage_decode(str_of(out, n + 1), &got));
}

static void test_malformed(void) {
    char out[USAGE_ENCODED_MAX];
    struct usage_record got, one = {.id = 1};
    size_t n = usage_encode(&one, out);
    REQUIRE(usage_decode(str_of(out, n), &got));
    out[0] = 4; // another version
    CHECK(!usage_decode(str_of(out, n), &got));
    CHECK_INT(usage_decode_id(str_of(out, n)), 0);
    out[0] = 3;
    out[1] = 0; // no id
    CHECK(!usage_decode(str_of(out, n), &got));
    // A number in more groups than it needs, one of eleven groups, one past 64 bits.
    static const char longer[] = "\x01\x81\x00", eleven[] = "\x01\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01",
                      past[] = "\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02";
    CHECK_INT(usage_decode_id(str_of(longer, 3)), 0);
    CHECK_INT(usage_decode_id(str_of(eleven, 12)), 0);
    CHECK_INT(usage_decode_id(str_of(past, 11)), 0);
    CHECK(!usage_decode(STR_NONE, &got));
}

// Segments of an earlier version may wait to be replayed.
static void test_first_version(void) {
    static const char bytes[] = "\x01\x05\x02\x07\0\x01\x48\0\x09\0\0\x03\0\0\0\0\x01o\x01m\0\0";
    struct usage_record got = {.team_id = 1};
    REQUIRE(usage_decode(str_of(bytes, sizeof bytes - 1), &got));
    CHECK_INT(got.id, 5);
    CHECK_INT(got.tenant_id, 2);
    CHECK_INT(got.key_id, 7);
    CHECK_INT(got.status, 72);
    CHECK_INT(got.tokens_in, 9);
    CHECK_INT(got.tokens_out, 3);
    CHECK_STR(got.provider, STR("o"));
    CHECK_STR(got.model, STR("m"));
    CHECK_INT(got.team_id, 0);
    CHECK_INT(got.tags.n, 0);
    CHECK_INT(usage_decode_id(str_of(bytes, sizeof bytes - 1)), 5);
}

static void test_second_version(void) {
    static const char bytes[] =
        "\x02\x05\x02\x07\0\x01\x48\0\x09\0\0\x03\0\0\0\0\x04\x06\x02\x08\x01\x02\x01o\x01m\0\0\x02{}";
    struct usage_record got = {.attempts = 9};
    REQUIRE(usage_decode(str_of(bytes, sizeof bytes - 1), &got));
    CHECK_INT(got.team_id, 4);
    CHECK_INT(got.owner_id, 8);
    CHECK_INT(got.reserved_nano, 2);
    CHECK_STR(got.model, STR("m"));
    CHECK_STR(got.tags, STR("{}"));
    CHECK_INT(got.attempts, 0);
    CHECK_INT(got.reference_nano, 0);
    CHECK_INT(got.task.n, 0);
    // What the third one has behind it is not of the second.
    char more[sizeof bytes];
    memcpy(more, bytes, sizeof bytes);
    CHECK(!usage_decode(str_of(more, sizeof more), &got));
    more[0] = 3;
    CHECK(!usage_decode(str_of(more, sizeof more - 1), &got));
}

static void test_saved(void) {
    struct usage_record rec = {.cost_nano = 40, .reference_nano = 100, .flags = USAGE_COMPARED};
    CHECK_INT(usage_saved(&rec), 60);
    rec.cost_nano = 150;
    CHECK_INT(usage_saved(&rec), -50);
    rec.flags = 0;
    CHECK_INT(usage_saved(&rec), 0);
}

// Numbers of each length, spelled as a loop over their groups would.
static void check_number(uint64_t v) {
    char out[USAGE_ENCODED_MAX], want[10];
    struct usage_record got, rec = {.id = v, .ts = (int64_t)(v << 1) ^ -(int64_t)(v & 1), .tenant_id = v};
    size_t k = 0;
    for (uint64_t rest = v; k == 0 || rest; rest >>= 7) want[k++] = (char)((rest & 0x7f) | (rest >> 7 ? 0x80 : 0));
    memset(out, 0x55, sizeof out);
    size_t n = usage_encode(&rec, out);
    CHECK_STR(str_of(out + 1, k), str_of(want, k));
    CHECK_STR(str_of(out + 1 + k, k), str_of(want, k));
    // Nothing is left behind the record: what follows a segment's last one must be zero.
    for (size_t i = n; i < sizeof out; i++) CHECK_INT(out[i], 0x55);
    char *exact = mem_must(mem_alloc(n));
    memcpy(exact, out, n);
    REQUIRE(usage_decode(str_of(exact, n), &got));
    check_same(&got, &rec);
    mem_free(exact);
}

static void test_every_width(void) {
    for (unsigned bit = 0; bit < 63; bit++)
        for (uint64_t d = 0; d < 3; d++)
            if ((1ULL << bit) + d > 1) check_number((1ULL << bit) + d - 1);
    check_number(INT64_MAX);
    for (uint64_t v = INT64_MAX, i = 0; i < 2000; i++, v = v / 3 * 2 + i % 7) check_number(v | 1);
}

static void test_names(void) {
    CHECK_STR(usage_endpoint_name(USAGE_ENDPOINT_CHAT), STR("chat"));
    CHECK_STR(usage_endpoint_name(USAGE_ENDPOINT_MODELS), STR("models"));
    CHECK_STR(usage_endpoint_name(12345), STR("other"));
    for (unsigned i = 0; i < USAGE_ENDPOINT_COUNT; i++) CHECK(usage_endpoint_name(i).n > 0);
}

TEST_MAIN(test_round_trip, test_limits, test_every_truncation, test_malformed, test_first_version, test_second_version,
          test_saved, test_every_width, test_names)
