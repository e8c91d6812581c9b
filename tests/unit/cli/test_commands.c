// Tests the commands on a data directory of their own: keys, usage, configuration, and a server that is not there.
#include "run.h"

#include "base/json_read.h"
#include "os/file.h"
#include "store/datadir.h"
#include "store/ledger.h"

#include <unistd.h>

static char g_dir[64], g_data[80], g_file[80];

static void setup(void) {
    snprintf(g_dir, sizeof g_dir, "/tmp/penstock-cli-XXXXXX");
    REQUIRE(mkdtemp(g_dir) != NULL);
    snprintf(g_data, sizeof g_data, "%s/data", g_dir);
    snprintf(g_file, sizeof g_file, "%s/penstock.yaml", g_dir);
}

// path: NUL-terminated.
static void remove_all(struct str path) {
    struct err err;
    struct file_names names = {0};
    REQUIRE(dir_list(path, &names, &err));
    for (size_t i = 0; i < names.n; i++) {
        BUF_AUTO struct buf one = BUF_INIT(4096);
        struct file_info info;
        path_join(&one, path, str_c(names.p[i]));
        REQUIRE(file_stat(buf_str(&one), &info, &err));
        if (info.kind == FILE_KIND_DIRECTORY)
            remove_all(str_c(buf_cstr(&one)));
        else
            CHECK(file_remove(buf_str(&one), &err));
    }
    file_names_free(&names);
    CHECK(rmdir(path.p) == 0);
}
static void teardown(void) { remove_all(str_c(g_dir)); }

// The value of a member, decoded when it is a string; all of `json` is one object.
static struct str member(char out[256], struct str json, const char *name) {
    struct json_field f = {.name = str_c(name), .required = true};
    struct err err;
    bool found = json_scan(json, &f, 1, &err);
    if (!found) fprintf(stderr, "%s in %.*s\n", err.message, STR_ARG(json));
    REQUIRE(found);
    struct buf text = BUF_INIT(256);
    if (f.kind == JSON_STRING)
        REQUIRE(json_string_decode(f.raw, &text));
    else
        buf_put(&text, f.raw);
    memcpy(out, text.p ? text.p : "", text.n);
    struct str value = str_of(out, text.n);
    buf_free(&text);
    return value;
}
static void check_member(struct str json, const char *name, const char *want) {
    char text[256];
    struct str got = member(text, json, name);
    if (!str_eq(got, str_c(want))) fprintf(stderr, "member %s:\n", name);
    CHECK_STR(got, str_c(want));
}

static void test_no_data(void) {
    check_run(4, "there is no data directory", RUN("key", "list", "--data", g_data));
    check_run(4, "there is no data directory", RUN("key", "revoke", "x", "--data", g_data));
    check_run(4, "there is no data directory", RUN("usage", "--data", g_data));
    check_run(1, "cannot open the data directory", RUN("key", "create", "--data", "/dev/null/x"));
}

static void test_key_create(void) {
    char text[256];
    struct ran ran = RUN("key", "create", "--admin", "--name", "na\"me", "--data", g_data, "--json");
    CHECK_INT(ran.code, 0);
    CHECK(str_starts(member(text, str_c(ran.out), "key"), STR("ps-")));
    check_member(str_c(ran.out), "id", "key_0000000000001");
    check_member(str_c(ran.out), "admin", "true");
    check_member(str_c(ran.out), "name", "na\"me");
    check_member(str_c(ran.out), "models", "null");
    check_member(str_c(ran.out), "expires_at", "null");
    CHECK_INT(ran.out[ran.out_n - 1], '\n');
    CHECK_INT(str_find_char(str_c(ran.out), '\n'), ran.out_n - 1);
    ran_free(&ran);

    // For people: the key alone on standard output, and nothing of it among the messages.
    ran = RUN("key", "create", "--data", g_data, "--models", "gpt-5*, b", "--expires", "30d");
    CHECK_INT(ran.code, 0);
    CHECK_INT(ran.out_n, 53);
    CHECK(has(ran.err, "key_0000000000002"));
    ran.out[52] = '\0';
    CHECK(!has(ran.err, ran.out));
    ran_free(&ran);

    check_run(2, "--expires cannot be \"soon\"", RUN("key", "create", "--data", g_data, "--expires", "soon"));
    check_run(2, "in the past", RUN("key", "create", "--data", g_data, "--expires", "2020-01-01"));
    check_run(2, "may stand only at the end", RUN("key", "create", "--data", g_data, "--models", "*x*"));
}

static void test_key_list(void) {
    struct ran ran = RUN("key", "list", "--data", g_data, "--json");
    CHECK_INT(ran.code, 0);
    struct str rest = str_c(ran.out), line;
    REQUIRE(str_split(&rest, '\n', &line));
    check_member(line, "name", "na\"me");
    check_member(line, "state", "active");
    REQUIRE(str_split(&rest, '\n', &line));
    check_member(line, "models", "[\"gpt-5*\",\"b\"]");
    check_member(line, "revoked_at", "null");
    CHECK_INT(rest.n, 0);
    CHECK(!has(ran.out, "hash"));
    ran_free(&ran);
    check_run(0, "na\"me", RUN("key", "list", "--data", g_data));
}

static void test_key_revoke(void) {
    char text[256];
    check_run(4, "cannot find the key", RUN("key", "revoke", "nobody", "--data", g_data));
    struct ran ran = RUN("key", "revoke", "na\"me", "--data", g_data, "--json");
    CHECK_INT(ran.code, 0);
    check_member(str_c(ran.out), "state", "revoked");
    char first[256];
    struct str when = member(first, str_c(ran.out), "revoked_at");
    ran_free(&ran);
    // Once more changes nothing.
    ran = RUN("key", "revoke", "key_0000000000001", "--data", g_data, "--json");
    CHECK_INT(ran.code, 0);
    CHECK_STR(member(text, str_c(ran.out), "revoked_at"), when);
    ran_free(&ran);
    check_run(0, "\"state\":\"revoked\"", RUN("key", "list", "--data", g_data, "--json"));
}

#define NOON INT64_C(1795262400000000000)
static void write_ledger(void) {
    struct ledger *ledger;
    struct err err;
    struct ledger_options options = {.data_dir = str_c(g_data), .writers = 1};
    REQUIRE(ledger_open(&options, &ledger, &err));
    struct ledger_writer *w = ledger_writer(ledger, 0);
    struct usage_record rec = {.id = 1,
                               .tenant_id = 1,
                               .key_id = 1,
                               .ts = NOON,
                               .provider = STR("openai"),
                               .model = STR("gpt-5"),
                               .upstream_model = STR("gpt-5-2025"),
                               .endpoint = USAGE_ENDPOINT_CHAT,
                               .status = 200,
                               .flags = USAGE_STREAM,
                               .tokens_in = 1000,
                               .tokens_cached = 100,
                               .tokens_out = 50,
                               .tokens_reasoning = 5,
                               .cost_nano = 1234567,
                               .latency_us = 1500,
                               .ttft_us = 700};
    CHECK_INT(ledger_end(w, &rec), LEDGER_KEPT);
    rec = (struct usage_record){.id = 2,
                                .tenant_id = 1,
                                .key_id = 2,
                                .ts = NOON + INT64_C(86400000000000),
                                .provider = STR("local"),
                                .model = STR("llama"),
                                .error = STR("upstream_timeout"),
                                .endpoint = USAGE_ENDPOINT_CHAT,
                                .status = 504,
                                .flags = USAGE_PRICE_UNKNOWN,
                                .latency_us = 9};
    CHECK_INT(ledger_end(w, &rec), LEDGER_KEPT);
    ledger_close(ledger, 5000);
}

static void test_usage_records(void) {
    write_ledger();
    struct ran ran = RUN("usage", "--data", g_data, "--json");
    CHECK_INT(ran.code, 0);
    struct str rest = str_c(ran.out), line;
    REQUIRE(str_split(&rest, '\n', &line));
    check_member(line, "request_id", "req_0000000000002");
    check_member(line, "status", "504");
    check_member(line, "error", "upstream_timeout");
    check_member(line, "cost_usd", "null");
    check_member(line, "price_known", "false");
    check_member(line, "time_to_first_token_ms", "null");
    check_member(line, "latency_ms", "0.009");
    REQUIRE(str_split(&rest, '\n', &line));
    check_member(line, "request_id", "req_0000000000001");
    check_member(line, "ts", "2026-11-21T12:00:00.000Z");
    check_member(line, "key", "key_0000000000001");
    check_member(line, "key_name", "na\"me");
    check_member(line, "provider", "openai");
    check_member(line, "model", "gpt-5");
    check_member(line, "upstream_model", "gpt-5-2025");
    check_member(line, "endpoint", "chat");
    check_member(line, "input_tokens", "1000");
    check_member(line, "cached_tokens", "100");
    check_member(line, "output_tokens", "50");
    check_member(line, "reasoning_tokens", "5");
    check_member(line, "cost_usd", "0.001234567");
    check_member(line, "latency_ms", "1.500");
    check_member(line, "time_to_first_token_ms", "0.700");
    check_member(line, "stream", "true");
    CHECK_INT(rest.n, 0);
    ran_free(&ran);
}

static void test_usage_groups(void) {
    struct ran ran = RUN("usage", "--data", g_data, "--json", "--by", "model");
    CHECK_INT(ran.code, 0);
    struct str rest = str_c(ran.out), line;
    REQUIRE(str_split(&rest, '\n', &line));
    check_member(line, "model", "gpt-5");
    check_member(line, "requests", "1");
    check_member(line, "cost_usd", "0.001234567");
    REQUIRE(str_split(&rest, '\n', &line));
    check_member(line, "model", "llama");
    check_member(line, "errors", "1");
    check_member(line, "unpriced_requests", "1");
    ran_free(&ran);
    check_run(0, "\"day\":\"2026-11-21\"", RUN("usage", "--data", g_data, "--json", "--by", "day"));
    check_run(0, "\"provider\":\"local\"", RUN("usage", "--data", g_data, "--json", "--by", "provider"));
    check_run(0, "\"key_name\":\"na\\\"me\"", RUN("usage", "--data", g_data, "--json", "--by", "key"));
    check_run(0, "MODEL", RUN("usage", "--data", g_data));
    check_run(0, "0.001235", RUN("usage", "--data", g_data, "--by", "key"));
    check_run(0, "2026-11-22 12:00", RUN("usage", "--data", g_data, "--records"));
}

static void test_usage_filters(void) {
    struct ran ran = RUN("usage", "--data", g_data, "--json", "--key", "na\"me", "--since", "2026-11-21", "--until",
                         "2026-11-22", "--model", "gpt-5-2025");
    CHECK_INT(ran.code, 0);
    check_member(str_c(ran.out), "request_id", "req_0000000000001");
    ran_free(&ran);
    ran = RUN("usage", "--data", g_data, "--json", "--limit", "1");
    check_member(str_c(ran.out), "request_id", "req_0000000000002");
    ran_free(&ran);
    ran = RUN("usage", "--data", g_data, "--json", "--until", "2026-11-01");
    CHECK_INT(ran.code, 0);
    CHECK_INT(ran.out_n, 0);
    ran_free(&ran);
    ran = RUN("usage", "--data", g_data, "--until", "2026-11-01");
    CHECK(has(ran.err, "There are no requests"));
    ran_free(&ran);
    check_run(4, "cannot find the key", RUN("usage", "--data", g_data, "--key", "nobody"));
    check_run(2, "--since cannot be", RUN("usage", "--data", g_data, "--since", "then"));
    check_run(2, "--until is not after",
              RUN("usage", "--data", g_data, "--since", "2026-11-02", "--until", "2026-11-01"));
    check_run(2, "exclude each other", RUN("usage", "--data", g_data, "--by", "day", "--records"));
}

static void write_file(const char *text) {
    struct err err;
    REQUIRE(file_replace(str_c(g_file), str_c(text), 0600, &err));
}

static void test_config(void) {
    write_file("providers:\n  - {name: a, kind: openai, base_url: 'http://127.0.0.1:1/v1', api_key: k}\n");
    check_run(0, "valid", RUN("config", "validate", g_file));
    check_run(0, "\"valid\":true", RUN("config", "validate", g_file, "--json"));
    write_file("provders: []\n");
    check_run(1, "did you mean \"providers\"", RUN("config", "validate", g_file));
    struct ran ran = RUN("config", "validate", g_file, "--json");
    CHECK_INT(ran.code, 1);
    check_member(str_c(ran.out), "valid", "false");
    ran_free(&ran);
    char absent[100];
    snprintf(absent, sizeof absent, "%s/absent.yaml", g_dir);
    check_run(1, "absent.yaml", RUN("config", "validate", absent));
    check_run(0, "providers", RUN("config", "docs"));
}

static void test_chat_unreachable(void) {
    // Port 1 of this machine: nobody listens there.
    check_run(6, "cannot reach Penstock at 127.0.0.1:1", RUN("chat", "m", "hi", "--url", "http://127.0.0.1:1"));
    check_run(2, "--url is not", RUN("chat", "m", "hi", "--url", "ftp://x"));
    check_run(2, "not UTF-8", RUN("chat", "m", "\xff", "--url", "http://127.0.0.1:1"));
    check_run(6, "cannot reach",
              run_with("a prompt", (const char *const[]){"chat", "m", "-", "-uhttp://127.0.0.1:1", NULL}));
}

TEST_MAIN(setup, test_no_data, test_key_create, test_key_list, test_key_revoke, test_usage_records, test_usage_groups,
          test_usage_filters, test_config, test_chat_unreachable, teardown)
