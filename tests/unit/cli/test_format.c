// Tests times, amounts and tables as the command line shows them.
#include "check.h"

#include "cli/commands.h"

static struct arena g_arena;
static void setup(void) { arena_init(&g_arena, NULL, 0, (size_t)16 << 20); }
static void teardown(void) { arena_free(&g_arena); }

static void check_when(const char *text, bool past, int64_t want) {
    int64_t got = -1, now = INT64_C(1795246200000000000);
    bool ok = cli_when(str_c(text), now, past, &got);
    CHECK_INT(ok, want >= 0);
    if (ok) CHECK_INT(got, want);
}

static void test_when(void) {
    int64_t now = INT64_C(1795246200000000000), second = 1000000000;
    check_when("90s", true, now - 90 * second);
    check_when("15m", false, now + 900 * second);
    check_when("24h", true, now - 86400 * second);
    check_when("7d", true, now - 7 * 86400 * second);
    check_when("4w", false, now + 28 * 86400 * second);
    check_when("2026-11-21", true, INT64_C(1795219200000000000));
    check_when("2026-11-21T07:30:00Z", true, now);
    check_when("", true, -1);
    check_when("d", true, -1);
    check_when("-7d", true, -1);
    check_when("7 d", true, -1);
    check_when("7y", true, -1);
    check_when("99999999999999999999d", true, -1);
    check_when("999999999w", true, -1);
    check_when("9999999w", true, -1);
    check_when("yesterday", true, -1);
    check_when("2026-13-01", true, -1);
}

static void test_amounts(void) {
    CHECK_STR(cli_dollars(&g_arena, 0), STR("0"));
    CHECK_STR(cli_dollars(&g_arena, 1), STR("0.000000001"));
    CHECK_STR(cli_dollars(&g_arena, 1500000000), STR("1.5"));
    CHECK_STR(cli_dollars(&g_arena, -1500000000), STR("-1.5"));
    CHECK_STR(cli_dollars(&g_arena, INT64_MAX), STR("9223372036.854775807"));
    CHECK_STR(cli_dollars(&g_arena, INT64_MIN), STR("-9223372036.854775808"));
    CHECK_STR(cli_dollars_short(&g_arena, 0), STR("0.00"));
    CHECK_STR(cli_dollars_short(&g_arena, 1500000000), STR("1.50"));
    CHECK_STR(cli_dollars_short(&g_arena, 1234567), STR("0.001235"));
    CHECK_STR(cli_dollars_short(&g_arena, 999999999), STR("1.00"));
    CHECK_STR(cli_count_text(&g_arena, 0), STR("0"));
    CHECK_STR(cli_count_text(&g_arena, 999), STR("999"));
    CHECK_STR(cli_count_text(&g_arena, 1000), STR("1,000"));
    CHECK_STR(cli_count_text(&g_arena, UINT64_MAX), STR("18,446,744,073,709,551,615"));
    CHECK_STR(cli_time_short(&g_arena, 0), STR("never"));
    CHECK_STR(cli_time_short(&g_arena, INT64_C(1795246200000000000)), STR("2026-11-21 07:30"));
}

static struct buf table_of(struct cli_io *io, const struct str (*rows)[3], size_t n) {
    static const struct cli_column columns[] = {
        {.title = "NAME", .min = 4}, {.title = "N", .right = true}, {.title = "LAST"}};
    struct cli_table table = {.columns = columns, .n_columns = 3, .arena = &g_arena};
    struct buf out = BUF_INIT((size_t)1 << 20);
    for (size_t i = 0; i < n; i++) cli_table_add(&table, rows[i]);
    cli_table_print(&table, io, &out);
    CHECK(!out.failed);
    return out;
}

static void test_table(void) {
    const struct str rows[][3] = {{STR("caf\xc3\xa9"), STR("1"), STR("x")},
                                  {STR("a long name"), STR("1,000"), STR("")}};
    struct cli_io io = {0};
    struct buf out = table_of(&io, rows, 2);
    CHECK_STR(buf_str(&out), STR("NAME             N  LAST\n"
                                 "caf\xc3\xa9             1  x\n"
                                 "a long name  1,000  \n"));
    buf_free(&out);
    io = (struct cli_io){.out_tty = true, .columns = 20};
    out = table_of(&io, rows, 2);
    CHECK_STR(buf_str(&out), STR("NAME         N  LAST\n"
                                 "caf\xc3\xa9         1  x\n"
                                 "a long\xe2\x80\xa6  1,000  \n"));
    buf_free(&out);
    io.columns = 1; // narrower than can be
    out = table_of(&io, rows, 2);
    CHECK(out.n > 0);
    buf_free(&out);
}

static void test_table_is_safe(void) {
    const struct str rows[][3] = {{STR("\x1b[2J\nx\xff\xe2\x80\xae"), STR("\xc2\x9b"), STR("ok")}};
    struct cli_io io = {0};
    struct buf out = table_of(&io, rows, 1);
    CHECK_STR(buf_str(&out), STR("NAME      N  LAST\n?[2J?x??  ?  ok\n"));
    buf_free(&out);
}

TEST_MAIN(setup, test_when, test_amounts, test_table, test_table_is_safe, teardown)
