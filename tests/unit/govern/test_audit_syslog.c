// Tests of the syslog message: its form by RFC 5424, and what an event's text cannot do to it.
#include "check.h"

#include "govern/audit_sink.h"

static void test_message(void) {
    struct buf out = BUF_INIT(1 << 16);
    struct audit_record r = {.tenant = 7,
                             .event = {.seq = 42,
                                       .at = 1700000000123456789,
                                       .action = STR("key.create"),
                                       .actor_name = STR("a\"b]c\\d\ne"),
                                       .outcome = AUDIT_DENIED}};
    audit_put_syslog(&out, &r, 16, AUDIT_CEF, STR("1"));
    struct str want = STR("<132>1 2023-11-14T22:13:20.123Z - penstock - audit [audit@32473 tenant=\"7\" seq=\"42\""
                          " action=\"key.create\" outcome=\"denied\" actor=\"a\\\"b\\]c\\\\d e\"] CEF:0|Penstock|");
    CHECK_STR(str_head(buf_str(&out), want.n), want);
    CHECK(!memchr(out.p, '\n', out.n));
    buf_clear(&out);
    r.event.outcome = AUDIT_OK;
    audit_put_syslog(&out, &r, 13, AUDIT_JSONL, STR("1"));
    CHECK(str_starts(buf_str(&out), STR("<110>1 ")));
    CHECK(str_ends(buf_str(&out), STR("}")));
    CHECK(!memchr(out.p, '\n', out.n));
    buf_free(&out);
}

TEST_MAIN(test_message)
