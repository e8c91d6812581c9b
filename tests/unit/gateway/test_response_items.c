// Tests of gateway/response_items.c: pages of what a response was asked with.
#include "check.h"
#include "gateway/responses.h"

static struct arena arena;
static struct err err;

static struct str page(const char *query) {
    struct response_row rows[] = {
        {.name = STR("resp_b"),
         .input = STR("{\"role\":\"user\",\"content\":\"two\"}"),
         .answer = STR("{\"output\":[]}")},
        {.name = STR("resp_a"),
         .input = STR("{\"role\":\"user\",\"content\":[{\"type\":\"input_text\",\"text\":\"one\"}]},"
                      "{\"type\":\"function_call_output\",\"call_id\":\"c\",\"output\":\"x\"}"),
         .answer = STR("{\"output\":[{\"id\":\"msg_9\",\"type\":\"message\",\"status\":\"completed\",\"role\":"
                       "\"assistant\",\"content\":[]}]}")},
    };
    struct response_chain chain = {.rows = rows, .count = 2};
    struct str out = STR("");
    err.code = ERR_COUNT;
    if (!response_items_put(&chain, str_c(query), &arena, &out, &err)) return STR("");
    return out;
}

#define ONE                                                                                                            \
    "{\"id\":\"msg_a_i0\",\"type\":\"message\",\"status\":\"completed\",\"role\":\"user\",\"content\":[{\"type\":"     \
    "\"input_text\",\"text\":\"one\"}]}"
#define RESULT "{\"id\":\"item_a_i1\",\"type\":\"function_call_output\",\"call_id\":\"c\",\"output\":\"x\"}"
#define SAID "{\"id\":\"msg_9\",\"type\":\"message\",\"status\":\"completed\",\"role\":\"assistant\",\"content\":[]}"
#define TWO                                                                                                            \
    "{\"id\":\"msg_b_i0\",\"type\":\"message\",\"status\":\"completed\",\"role\":\"user\",\"content\":[{\"type\":"     \
    "\"input_text\",\"text\":\"two\"}]}"

static void pages(void) {
    arena_init(&arena, NULL, 0, SIZE_MAX);
    CHECK_STR(page("order=asc"), STR("{\"object\":\"list\",\"data\":[" ONE "," RESULT "," SAID "," TWO
                                     "],\"first_id\":\"msg_a_i0\",\"last_id\":\"msg_b_i0\",\"has_more\":false}"));
    CHECK_STR(page("limit=2"), STR("{\"object\":\"list\",\"data\":[" TWO "," SAID
                                   "],\"first_id\":\"msg_b_i0\",\"last_id\":\"msg_9\",\"has_more\":true}"));
    CHECK_STR(page("limit=2&after=msg_9"),
              STR("{\"object\":\"list\",\"data\":[" RESULT "," ONE
                  "],\"first_id\":\"item_a_i1\",\"last_id\":\"msg_a_i0\",\"has_more\":false}"));
    CHECK_STR(page("order=asc&after=msg_b_i0"),
              STR("{\"object\":\"list\",\"data\":[],\"first_id\":null,\"last_id\":null,\"has_more\":false}"));
    arena_free(&arena);
}

static void wrong_ones(void) {
    arena_init(&arena, NULL, 0, SIZE_MAX);
    static const char *const bad[] = {"limit=0", "limit=101", "limit=x", "limit=", "order=up", "order"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) CHECK(!page(bad[i]).n && err.code == ERR_INVALID_FIELD);
    CHECK(!page("after=nothing").n && err.code == ERR_NOT_FOUND);
    CHECK(page("include=x&odd").n > 0);
    arena_free(&arena);
}

TEST_MAIN(pages, wrong_ones)
