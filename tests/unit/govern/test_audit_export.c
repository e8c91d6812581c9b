// Tests of govern/audit_export.h: what is exported proves itself, and any byte of it that is changed is found.
#include "../store/audit_fixture.h"

#include "base/json_read.h"
#include "govern/audit_export.h"

static struct buf g_out;

static bool keep(void *arg, struct str bytes, struct err *e) {
    buf_put(arg, bytes);
    return !((struct buf *)arg)->failed || err_no_memory(e);
}

static void export_as(enum audit_format format, int64_t since, const struct audit_query *search) {
    buf_clear(&g_out);
    struct audit_export o = {.format = format, .since = since, .search = search, .version = STR("1.2|3")};
    bool ok = audit_export(sql_tenant(db, 1), &o, keep, &g_out, &err);
    if (!ok) fprintf(stderr, "%s\n", err.message);
    REQUIRE(ok && !g_out.failed);
}

static struct audit_verdict verify(struct str text, size_t piece, const unsigned char *key) {
    struct audit_file f;
    struct audit_verdict v;
    audit_file_begin(&f, key);
    while (text.n) {
        if (!audit_file_put(&f, str_head(text, piece), &err)) break;
        text = str_from(text, piece);
    }
    audit_file_end(&f, &v);
    audit_file_free(&f);
    return v;
}

static void test_sound(void) {
    struct audit_public key;
    trail_open("sound");
    trail_fill(1, 600, 600);
    REQUIRE(sql_begin(db, &err) && audit_key_rotate(db, signer, 9, &key, &err) && sql_commit(db, &err));
    trail_fill(1, 3, 3);
    export_as(AUDIT_JSONL, 0, NULL);
    struct audit_verdict v = verify(buf_str(&g_out), 1000, NULL);
    CHECK(!v.faulty);
    if (v.faulty) fprintf(stderr, "%s\n", v.fault.why);
    CHECK_INT(v.events, 603);
    CHECK_INT(v.checkpoints, 3);
    CHECK(!memcmp(v.key, key.p, sizeof key.p));
    CHECK(!verify(buf_str(&g_out), 1, key.p).faulty);
    unsigned char stranger[AUDIT_KEY_SIZE] = {5};
    v = verify(buf_str(&g_out), 1 << 20, stranger);
    CHECK(v.faulty && strstr(v.fault.why, "never signed by that key"));
    export_as(AUDIT_JSONL, 300, NULL);
    v = verify(buf_str(&g_out), 1 << 20, NULL);
    CHECK(!v.faulty);
    CHECK_INT(v.events, 304);
    // Two in one file.
    struct buf twice = BUF_INIT(1 << 24);
    buf_put(&twice, buf_str(&g_out));
    buf_put(&twice, buf_str(&g_out));
    v = verify(buf_str(&twice), 1 << 20, NULL);
    CHECK(!v.faulty);
    CHECK_INT(v.chains, 2);
    buf_free(&twice);
    export_as(AUDIT_JSONL, 0, &(struct audit_query){.action = STR("key.create")});
    v = verify(buf_str(&g_out), 1 << 20, NULL);
    CHECK(v.faulty && strstr(v.fault.why, "search"));
    trail_close();
}

// Every byte of a small export, changed in two ways, and every line left out, doubled, exchanged for the next.
static void test_tampering(void) {
    struct buf other = BUF_INIT(1 << 20);
    trail_open("tamper");
    trail_fill(1, 6, 6);
    export_as(AUDIT_JSONL, 0, NULL);
    for (size_t i = 0; i < g_out.n; i++) {
        char old = g_out.p[i];
        for (int way = 0; way < 2; way++) {
            g_out.p[i] = way ? (char)(old ^ 1) : ' ';
            if (g_out.p[i] == old) continue;
            struct audit_verdict v = verify(buf_str(&g_out), 1 << 20, NULL);
            CHECK(v.faulty);
            if (!v.faulty) fprintf(stderr, "byte %zu: %.*s\n", i, 60, g_out.p + (i > 30 ? i - 30 : 0));
        }
        g_out.p[i] = old;
    }
    size_t lines = 0;
    for (size_t i = 0; i < g_out.n; i++) lines += g_out.p[i] == '\n';
    for (size_t skip = 0; skip < lines; skip++) {
        for (int way = 0; way < 3; way++) {
            struct str rest = buf_str(&g_out), line, held = STR_NONE;
            buf_clear(&other);
            for (size_t n = 0; n < lines && str_split(&rest, '\n', &line); n++) {
                if (n == skip && way == 0) continue;
                if (n == skip && way == 2) {
                    held = line;
                    continue;
                }
                for (int k = 0; k < (n == skip ? 2 : 1); k++) {
                    buf_put(&other, line);
                    buf_putc(&other, '\n');
                }
                if (held.p) {
                    buf_put(&other, held);
                    buf_putc(&other, '\n');
                    held = STR_NONE;
                }
            }
            if (str_eq(buf_str(&other), buf_str(&g_out))) continue;
            CHECK(verify(buf_str(&other), 1 << 20, NULL).faulty);
        }
    }
    for (size_t n = 0; n < g_out.n; n += 7) CHECK(verify(str_head(buf_str(&g_out), n), 1 << 20, NULL).faulty);
    buf_free(&other);
    trail_close();
}

static bool has(const char *text) { return str_find(buf_str(&g_out), str_c(text)) < g_out.n; }

static void test_formats(void) {
    trail_open("formats");
    struct audit_event e = trail_event(1);
    e.reason = STR("=cmd|' /C calc'!A0, \"x\"\nnew\\line=|");
    e.address = STR("2001:db8::1");
    e.outcome = AUDIT_DENIED;
    CHECK(audit_append_alone(sql_tenant(db, 1), signer, &e, &err));
    e = trail_event(2);
    e.action = STR("session.sign_in");
    e.before = STR("{\n\"a\" : 1,\t\"b\":\"x\"}");
    CHECK(audit_append_alone(sql_tenant(db, 1), signer, &e, &err));
    export_as(AUDIT_CSV, 0, NULL);
    CHECK(has("tenant,seq,time,outcome,actor_kind,actor_id,"));
    CHECK(has(",\"'=cmd|' /C calc'!A0, \"\"x\"\"\nnew\\line=|\","));
    export_as(AUDIT_CEF, 0, NULL);
    CHECK(has("CEF:0|Penstock|Penstock|1.2\\|3|key.create|key.create|7|rt=2000 externalId=1"));
    CHECK(has(" reason=\\=cmd|' /C calc'!A0, \"x\"\\nnew\\\\line\\=|"));
    CHECK(has(" c6a2Label=source address c6a2=2001:db8::1"));
    CHECK(has(" src=192.0.2.7 "));
    export_as(AUDIT_OCSF, 0, NULL);
    struct str rest = buf_str(&g_out), line;
    while (str_split(&rest, '\n', &line) && line.n) CHECK(json_validate(line, 0, &err));
    CHECK(has("{\"category_uid\":6,\"class_uid\":6003,\"activity_id\":1,\"activity_name\":\"Create\","
              "\"type_uid\":600301,\"time\":2000,\"severity_id\":3,\"status_id\":2"));
    CHECK(has("{\"category_uid\":3,\"class_uid\":3002,\"activity_id\":1,\"activity_name\":\"Logon\","
              "\"type_uid\":300201,\"time\":3000,\"severity_id\":1,\"status_id\":1"));
    export_as(AUDIT_JSONL, 0, NULL);
    CHECK(has("\"before\":{ \"a\" : 1, \"b\":\"x\"},"));
    CHECK(!verify(buf_str(&g_out), 1 << 20, NULL).faulty);
    trail_close();
}

int main(void) {
    buf_init(&g_out, 1 << 24);
    test_sound();
    test_tampering();
    test_formats();
    buf_free(&g_out);
    printf("%d checks, %d failures\n", g_check_count, g_check_failures);
    return g_check_failures != 0;
}
