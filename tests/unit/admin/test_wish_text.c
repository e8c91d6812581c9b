// Tests of admin/wish_text.h: what is written reads back, and what is neither wish nor answer is refused.
#include "check.h"

#include "admin/wish_text.h"

static struct err err;
static struct arena arena;

static void wishes(void) {
    static struct conf_override list[] = {{.key = STR_INIT("log.level"), .value = STR_INIT("\"debug\"")},
                                          {.key = STR_INIT("models.\"a.b\""), .value = STR_INIT("null")}};
    struct buf text = BUF_INIT(10000);
    for (int kind = WISH_RELOAD; kind <= WISH_ROLLBACK; kind++) {
        struct admin_wish in = {.kind = (enum admin_wish_kind)kind,
                                .dry_run = kind % 2,
                                .actor = STR("command line (é\n)"),
                                .version = kind * 7,
                                .list = list,
                                .n = (size_t)kind % 3};
        struct admin_wish out;
        buf_clear(&text);
        wish_put(&in, &text);
        REQUIRE(wish_read(buf_str(&text), &arena, &out, &err));
        CHECK_INT(out.kind, in.kind);
        CHECK_INT(out.dry_run, in.dry_run);
        CHECK_INT(out.version, in.version);
        CHECK_INT(out.expected, -1);
        CHECK_STR(out.actor, in.actor);
        REQUIRE(out.n == in.n);
        for (size_t i = 0; i < in.n; i++) {
            CHECK_STR(out.list[i].key, in.list[i].key);
            CHECK_STR(out.list[i].value, in.list[i].value);
        }
    }
    buf_free(&text);
}

static void answers(void) {
    struct buf text = BUF_INIT(10000);
    struct wish_answer in = {
        .ok = true, .version = 12, .added = true, .shown = STR("~ a → b\n"), .changes = STR("[{\"key\":\"a\"}]\n")};
    struct wish_answer out;
    wish_answer_put(&in, &text);
    REQUIRE(wish_answer_read(buf_str(&text), &arena, &out, &err));
    CHECK(out.ok && out.added);
    CHECK_INT(out.version, 12);
    CHECK_STR(out.shown, in.shown);
    CHECK_STR(out.changes, STR("[{\"key\":\"a\"}]"));
    buf_clear(&text);
    in = (struct wish_answer){.reason = STR("f:1:2: no\n")};
    err_set(&in.err, ERR_CONFIG_INVALID, "it is not valid");
    wish_answer_put(&in, &text);
    REQUIRE(wish_answer_read(buf_str(&text), &arena, &out, &err));
    CHECK(!out.ok);
    CHECK_INT(out.err.code, ERR_CONFIG_INVALID);
    CHECK_STR(str_c(out.err.message), STR("it is not valid"));
    CHECK_STR(out.reason, in.reason);
    buf_free(&text);
}

static void damaged(void) {
    static const char *const texts[] = {"",
                                        "{}",
                                        "[]",
                                        "null",
                                        "{\"kind\":9,\"dry_run\":false,\"actor\":\"\",\"version\":0,\"list\":[]}",
                                        "{\"kind\":-1,\"dry_run\":false,\"actor\":\"\",\"version\":0,\"list\":[]}",
                                        "{\"kind\":1,\"dry_run\":false,\"actor\":\"\",\"version\":0,\"list\":[\"a\"]}",
                                        "{\"kind\":1,\"dry_run\":false,\"actor\":\"\",\"version\":0,\"list\":[1,2]}",
                                        "{\"kind\":1,\"dry_run\":0,\"actor\":\"\",\"version\":0,\"list\":[]}",
                                        ("{\"ok\":false,\"code\":100000,\"message\":\"\",\"reason\":\"\",\"version\":0,"
                                         "\"added\":false,\"shown\":\"\",\"changes\":[]}")};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct admin_wish wish;
        struct wish_answer answer;
        CHECK(!wish_read(str_c(texts[i]), &arena, &wish, &err));
        CHECK_INT(err.code, ERR_STORE);
        CHECK(!wish_answer_read(str_c(texts[i]), &arena, &answer, &err));
        CHECK_INT(err.code, ERR_STORE);
    }
}

static void setup(void) { arena_init(&arena, NULL, 0, 1 << 20); }
static void teardown(void) { arena_free(&arena); }

TEST_MAIN(setup, wishes, answers, damaged, teardown)
