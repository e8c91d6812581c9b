// Streams in Anthropic's dialect: each fixture, cut at every byte, gives the events that are expected, and these give a
// stream of the same dialect that means the same.
#include "check.h"
#include "model/anthropic/anthropic.h"
#include "model/chat_order.h"
#include "model/event_text.h"

#include <stdlib.h>

#define ROOM ((size_t)1 << 20)

static struct buf read_fixture(const char *name) {
    struct buf out = BUF_INIT(ROOM);
    char path[128], data[4096];
    size_t n;
    snprintf(path, sizeof path, "tests/data/streams/anthropic/%s.sse", name);
    FILE *f = fopen(path, "rb");
    REQUIRE(f != NULL);
    while ((n = fread(data, 1, sizeof data, f)) > 0) buf_append(&out, data, n);
    fclose(f);
    REQUIRE(out.n > 0 && !out.failed);
    return out;
}

struct reading {
    void *decoder;
    struct chat_order order;
};

static bool visit(void *arg, const struct frame *frame, struct err *err) {
    struct reading *r = arg;
    return anthropic_decode(r->decoder, frame, &r->order.sink, err);
}

// Feeds the stream in pieces that end at the given places.
static void decode(struct str stream, size_t cut, size_t step, struct chat_sink *to) {
    char decoder[ANTHROPIC_DECODER_SIZE] __attribute__((aligned(16)));
    struct reading r = {.decoder = decoder};
    struct framer framer;
    struct err err;
    framer_init(&framer, FRAME_SSE, ROOM);
    anthropic_decoder_init(decoder);
    chat_order_init(&r.order, to, 1, ROOM);
    if (step) {
        for (size_t at = 0; at < stream.n; at += step)
            REQUIRE(framer_feed(&framer, str_head(str_from(stream, at), step), false, visit, &r, &err));
        REQUIRE(framer_feed(&framer, STR(""), true, visit, &r, &err));
    } else {
        REQUIRE(framer_feed(&framer, str_head(stream, cut), false, visit, &r, &err));
        REQUIRE(framer_feed(&framer, str_from(stream, cut), true, visit, &r, &err));
    }
    anthropic_decode_end(decoder, &r.order.sink);
    chat_order_end(&r.order);
    chat_order_free(&r.order);
    framer_free(&framer);
}

static const struct chat_reply k_reply = {
    .id = STR_INIT("0123"), .model = STR_INIT("my \"model\""), .prompt_estimate = 17};

static void encode(struct str stream, size_t cut, size_t step, struct buf *out) {
    char encoder[ANTHROPIC_ENCODER_SIZE] __attribute__((aligned(16)));
    anthropic_encoder_init((struct chat_sink *)encoder, &k_reply, out);
    decode(stream, cut, step, (struct chat_sink *)encoder);
}

// The events but for the line of BEGIN and the usage, which a translation is free to tell otherwise.
static void keep(struct str events, struct buf *out) {
    struct str line;
    while (str_split(&events, '\n', &line)) {
        if (!line.n || str_starts(line, STR("answer ")) || str_starts(line, STR("usage "))) continue;
        buf_put(out, line);
        buf_putc(out, '\n');
    }
}

static void check_again(const char *name, struct str stream, struct str events) {
    struct event_text again;
    struct buf want = BUF_INIT(ROOM), got = BUF_INIT(ROOM);
    event_text_init(&again);
    decode(stream, 0, 0, &again.sink);
    keep(events, &want);
    keep(buf_str(&again.text), &got);
    if (!str_eq(buf_str(&got), buf_str(&want))) fprintf(stderr, "in %s:\n", name);
    CHECK_STR(buf_str(&got), buf_str(&want));
    buf_free(&want);
    buf_free(&got);
    buf_free(&again.text);
}

static void check_fixture(const char *name, const char *events) {
    struct buf stream = read_fixture(name), whole = BUF_INIT(ROOM);
    struct event_text text;
    event_text_init(&text);
    decode(buf_str(&stream), 0, 0, &text.sink);
    if (!str_eq(buf_str(&text.text), str_c(events))) fprintf(stderr, "in %s:\n", name);
    CHECK_STR(buf_str(&text.text), str_c(events));
    encode(buf_str(&stream), 0, 0, &whole);
    CHECK(!whole.failed);
    check_again(name, buf_str(&whole), buf_str(&text.text));
    for (size_t cut = 0; cut <= stream.n; cut++) {
        struct buf out = BUF_INIT(ROOM);
        encode(buf_str(&stream), cut, 0, &out);
        CHECK_STR(buf_str(&out), buf_str(&whole));
        buf_free(&out);
    }
    for (size_t step = 1; step <= 3; step += 2) {
        struct buf out = BUF_INIT(ROOM);
        encode(buf_str(&stream), 0, step, &out);
        CHECK_STR(buf_str(&out), buf_str(&whole));
        buf_free(&out);
    }
    buf_free(&text.text);
    buf_free(&stream);
    buf_free(&whole);
}

#define BEGIN "answer msg_01XFDUDYJgAACzvnptvVoYEL claude-sonnet-4-5-20250929\nusage 25 1\n"
#define SIGNATURE "EqQBCgIYAhIM1gbcDa9GJwZA2b3hGgxBdjrkzLoky3dl1pkiMOYds/QWVwk+aGfw=="

static void test_text(void) {
    static const char events[] = BEGIN "begin 0.0 text  \ndelta 0.0 Wasser\ndelta 0.0  strömt \\\"durch\\\"\\n\n"
                                       "delta 0.0 das 🌊 Tor\nend 0.0\nusage 25 12\nfinish 0 stop \nover\n";
    check_fixture("text", events);
    check_fixture("crlf_comments", events);
}

static void test_tool(void) {
    check_fixture("tool",
                  BEGIN "begin 0.0 text  \ndelta 0.0 I'll look.\nend 0.0\n"
                        "begin 0.1 call toolu_01A09q90qw90lq917835lq9 weather\n"
                        "delta 0.1 {\\\"city\\\": \\\"Zür\ndelta 0.1 ich\\\", \\\"unit\\\"\n"
                        "delta 0.1 : \\\"°C\\\", \\\"n\\\": 1.50}\nend 0.1\nusage 25 65\nfinish 0 tools \nover\n");
}

// Trap 4: a call without arguments streams an empty text; it is told "{}" once. Trap 5: parallel calls.
static void test_parallel_tools_and_no_arguments(void) {
    check_fixture("parallel_tools",
                  BEGIN "begin 0.0 call toolu_1 weather\ndelta 0.0 {\\\"city\\\":\\\"Bern\\\"}\nend 0.0\n"
                        "begin 0.1 call toolu_2 clock\ndelta 0.1 {}\nend 0.1\n"
                        "begin 0.2 call toolu_3 weather\ndelta 0.2 {\\\"city\\\":\ndelta 0.2 \\\"Thun\\\"}\nend 0.2\n"
                        "usage 25 90\nfinish 0 tools \nover\n");
}

// Trap 10: the signature comes through byte for byte.
static void test_thinking(void) {
    check_fixture("thinking",
                  BEGIN "begin 0.0 thinking  \ndelta 0.0 First, the \\\"tide\\\".\\n\ndelta 0.0  Then 🌊.\n"
                        "signature 0.0 " SIGNATURE "\nend 0.0\nbegin 0.1 text  \ndelta 0.1 High tide.\nend 0.1\n"
                        "usage 25 40\nfinish 0 stop \nover\n");
    check_fixture("redacted", BEGIN
                  "begin 0.0 redacted  \ndelta 0.0 EmwKAhgBEgy3va3pzix/LafPsn4aDFIT2Xlxh0L5L8rLVyIwxtE3rAFBa8cr3qpPkNRj"
                  "2YfWXGmKDxH4mPnZ5sQ7vB9URj2pLmN3kF8/dW5hR7xJ0aP1oLs9yTcMnKVf2wRpEGjH9XZaBt4UvDcPrQ=\nend 0.0\n"
                  "begin 0.1 text  \ndelta 0.1 Based on that.\nend 0.1\nusage 25 20\nfinish 0 stop \nover\n");
}

// Trap 8: what was read from and written to the cache is part of our prompt.
static void test_cache_usage(void) {
    check_fixture("cache", "answer msg_01XFDUDYJgAACzvnptvVoYEL claude-sonnet-4-5-20250929\nusage 2312 2\n"
                           "begin 0.0 text  \ndelta 0.0 Cached.\nend 0.0\nusage 2312 7\nfinish 0 stop \nover\n");
}

static void test_citations(void) {
    check_fixture("citations",
                  BEGIN "begin 0.0 text  \ndelta 0.0 Grass is green.\n"
                        "citation 0.0 {\"type\":\"char_location\",\"cited_text\":\"The grass is green.\","
                        "\"document_index\":0,\"document_title\":\"My \\\"doc\\\"\",\"start_char_index\":0,"
                        "\"end_char_index\":20,\"file_id\":null}\nend 0.0\nbegin 0.1 text  \ndelta 0.1  Indeed.\n"
                        "end 0.1\nusage 25 15\nfinish 0 stop \nover\n");
}

// What Anthropic's own tools do is left out; the text around it stays.
static void test_server_tools_are_left_out(void) {
    check_fixture("server_tool", BEGIN "begin 0.0 text  \ndelta 0.0 I'll search.\nend 0.0\n"
                                       "begin 0.1 text  \ndelta 0.1 High at noon.\nend 0.1\n"
                                       "usage 10682 50\nfinish 0 stop \nover\n");
}

// Trap 7: why it ended. Arguments that were cut off stay as they are.
static void test_stop_reasons(void) {
    check_fixture("max_tokens", BEGIN "begin 0.0 call toolu_1 weather\ndelta 0.0 {\\\"city\\\": \\\"Zü\nend 0.0\n"
                                      "usage 25 16\nfinish 0 length \nover\n");
    check_fixture("refusal", BEGIN "begin 0.0 text  \ndelta 0.0 I can\nend 0.0\nusage 25 3\nfinish 0 filter \nover\n");
    check_fixture("stop_sequence", BEGIN "begin 0.0 text  \ndelta 0.0 One, two\nend 0.0\nusage 25 4\n"
                                         "finish 0 stop_sequence \\n\\\"END\\\"\nover\n");
    static const struct {
        struct str reason;
        enum chat_finish finish;
    } k_reasons[] = {{STR_INIT("\"end_turn\""), CHAT_FINISH_STOP},
                     {STR_INIT("\"pause_turn\""), CHAT_FINISH_PAUSE},
                     {STR_INIT("\"model_context_window_exceeded\""), CHAT_FINISH_LENGTH},
                     {STR_INIT("\"something_new\""), CHAT_FINISH_STOP},
                     {STR_INIT("null"), CHAT_FINISH_NONE},
                     {STR_INIT("7"), CHAT_FINISH_NONE}};
    for (size_t i = 0; i < ARRAY_LEN(k_reasons); i++)
        CHECK_INT(anthropic_finish_of(k_reasons[i].reason), k_reasons[i].finish);
}

// Trap 6: the stream is closed however the provider's ends. Trap 18: an error within it.
static void test_bad_ends(void) {
    check_fixture("cut",
                  BEGIN "begin 0.0 text  \ndelta 0.0 Half a\ndelta 0.0  sentence\nend 0.0\nfinish 0 stop \nover\n");
    check_fixture("cut_in_call",
                  BEGIN "begin 0.0 call toolu_1 weather\ndelta 0.0 {\\\"city\\\":\nend 0.0\nfinish 0 tools \nover\n");
    check_fixture("error", BEGIN "begin 0.0 text  \ndelta 0.0 Half a\nfail 529 Overloaded\nover\n");
}

// The forced tool that stands for a schema is the answer's text, and its call no call.
static void test_json_tool_is_unwrapped(void) {
    check_fixture("json_tool", "answer msg_01XFDUDYJgAACzvnptvVoYEL claude-3-5-sonnet-20241022\nusage 25 1\n"
                               "begin 0.0 text  \ndelta 0.0 {\\\"tide\\\": \\\"\ndelta 0.0 high\\\"}\nend 0.0\n"
                               "usage 25 9\nfinish 0 stop \nover\n");
}

static void test_encoded_names_come_back(void) {
    check_fixture("encoded_name",
                  BEGIN "begin 0.0 call call:1 maps.route\ndelta 0.0 {\\\"to\\\":\\\"Bern\\\"}\nend 0.0\n"
                        "usage 25 9\nfinish 0 tools \nover\n");
}

// --- what the encoder writes ---

static void test_encoded_bytes(void) {
    struct buf stream = read_fixture("tool"), out = BUF_INIT(ROOM);
    encode(buf_str(&stream), 0, 0, &out);
    CHECK_STR(buf_str(&out),
              STR("event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_0123\","
                  "\"type\":\"message\",\"role\":\"assistant\",\"model\":\"my \\\"model\\\"\",\"content\":[],"
                  "\"stop_reason\":null,\"stop_sequence\":null,\"usage\":{\"input_tokens\":17,"
                  "\"cache_creation_input_tokens\":0,\"cache_read_input_tokens\":0,\"output_tokens\":1}}}\n\n"
                  "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,"
                  "\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n"
                  "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,"
                  "\"delta\":{\"type\":\"text_delta\",\"text\":\"I'll look.\"}}\n\n"
                  "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\n"
                  "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":1,"
                  "\"content_block\":{\"type\":\"tool_use\",\"id\":\"toolu_01A09q90qw90lq917835lq9\","
                  "\"name\":\"weather\",\"input\":{}}}\n\n"
                  "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":1,"
                  "\"delta\":{\"type\":\"input_json_delta\",\"partial_json\":\"{\\\"city\\\": \\\"Zür\"}}\n\n"
                  "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":1,"
                  "\"delta\":{\"type\":\"input_json_delta\",\"partial_json\":\"ich\\\", \\\"unit\\\"\"}}\n\n"
                  "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":1,"
                  "\"delta\":{\"type\":\"input_json_delta\",\"partial_json\":\": \\\"°C\\\", \\\"n\\\": "
                  "1.50}\"}}\n\n"
                  "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":1}\n\n"
                  "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":"
                  "\"tool_use\",\"stop_sequence\":null},\"usage\":{\"input_tokens\":25,"
                  "\"cache_creation_input_tokens\":0,\"cache_read_input_tokens\":0,\"output_tokens\":65}}\n\n"
                  "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"));
    buf_free(&stream);
    buf_free(&out);
}

static void emit(struct chat_sink *sink, struct chat_event event) { chat_emit(sink, &event); }

// A picture and sound in the answer, a call without an id, usage that nobody told.
static void test_what_others_have(void) {
    char encoder[ANTHROPIC_ENCODER_SIZE] __attribute__((aligned(16)));
    struct chat_sink *sink = (struct chat_sink *)encoder;
    struct buf out = BUF_INIT(ROOM);
    anthropic_encoder_init(sink, &k_reply, &out);
    emit(sink, (struct chat_event){.kind = CHAT_BEGIN});
    size_t start = out.n;
    emit(sink, (struct chat_event){.kind = CHAT_PART_BEGIN, .part_kind = CHAT_IMAGE, .mime = STR("image/png")});
    emit(sink, (struct chat_event){.kind = CHAT_DELTA, .text = STR("AAAA")});
    emit(sink, (struct chat_event){.kind = CHAT_PART_END});
    emit(sink, (struct chat_event){.kind = CHAT_PART_BEGIN, .part = 1, .part_kind = CHAT_AUDIO});
    emit(sink, (struct chat_event){.kind = CHAT_DELTA, .part = 1, .text = STR("UklGR")});
    emit(sink, (struct chat_event){.kind = CHAT_PART_END, .part = 1});
    emit(sink, (struct chat_event){.kind = CHAT_PART_BEGIN, .part = 1, .part_kind = CHAT_TOOL_CALL, .name = STR("f")});
    emit(sink, (struct chat_event){.kind = CHAT_SIGNATURE, .part = 1, .text = STR("of Gemini's")});
    emit(sink, (struct chat_event){.kind = CHAT_PART_END, .part = 1});
    emit(sink, (struct chat_event){.kind = CHAT_DELTA, .choice = 1, .text = STR("of another answer")});
    emit(sink, (struct chat_event){.kind = CHAT_FINISH, .finish = CHAT_FINISH_STOP});
    emit(sink, (struct chat_event){.kind = CHAT_END});
    CHECK_STR(str_from(buf_str(&out), start),
              STR("event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{"
                  "\"type\":\"text\",\"text\":\"![image](data:image/png;base64,AAAA)\"}}\n\n"
                  "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\n"
                  "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":1,\"content_block\":{"
                  "\"type\":\"tool_use\",\"id\":\"toolu_0123_1\",\"name\":\"f\",\"input\":{}}}\n\n"
                  "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":1}\n\n"
                  "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"tool_use\","
                  "\"stop_sequence\":null},\"usage\":{\"output_tokens\":0}}\n\n"
                  "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"));
    buf_free(&out);
}

// --- hostile streams ---

static void test_wrong_events(void) {
    static const char *const k_wrong[] = {
        "data: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"x\"}}\n\n",
        "data: {\"type\":\"content_block_stop\",\"index\":4}\n\n",
        "data: {\"type\":\"content_block_start\"}\n\n",
        "data: {\"type\":\"content_block_start\",\"index\":-1,\"content_block\":7}\n\n",
        "data: {\"type\":\"content_block_start\",\"index\":1e99,\"content_block\":{\"type\":\"text\",\"text\":7}}\n\n",
        "data: {\"type\":\"message_start\",\"message\":[]}\n\ndata: {\"type\":\"message_start\"}\n\n",
        "data: {\"type\":\"message_delta\",\"delta\":null,\"usage\":{\"output_tokens\":\"x\"}}\n\n",
        "data: {\"type\":7}\n\ndata: {}\n\n",
        "data: {\"type\":\"something_new\",\"more\":[1]}\n\n",
        "event: ping\n\n",
    };
    for (size_t i = 0; i < ARRAY_LEN(k_wrong); i++) {
        struct event_text text;
        event_text_init(&text);
        decode(str_c(k_wrong[i]), 0, 0, &text.sink);
        CHECK(str_ends(buf_str(&text.text), STR("finish 0 stop \nover\n")));
        buf_free(&text.text);
    }
    char decoder[ANTHROPIC_DECODER_SIZE] __attribute__((aligned(16)));
    struct event_text text;
    struct err err;
    event_text_init(&text);
    anthropic_decoder_init(decoder);
    const struct frame bad[] = {
        {.data = STR_INIT("{\"type\":")}, {.data = STR_INIT("[]")}, {.data = STR_INIT("[DONE]")}};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        CHECK(!anthropic_decode(decoder, &bad[i], &text.sink, &err));
        CHECK_INT(err.code, ERR_UPSTREAM_INVALID);
    }
    CHECK_INT(text.text.n, 0);
    buf_free(&text.text);
}

TEST_MAIN(test_text, test_tool, test_parallel_tools_and_no_arguments, test_thinking, test_cache_usage, test_citations,
          test_server_tools_are_left_out, test_stop_reasons, test_bad_ends, test_json_tool_is_unwrapped,
          test_encoded_names_come_back, test_encoded_bytes, test_what_others_have, test_wrong_events)
