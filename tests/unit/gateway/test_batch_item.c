// Tests of gateway/batch_item.h: what a line of a batch must be, and lines across the pieces of a file.
#include "check.h"
#include "temp_dir.h"

#include "gateway/batch_item.h"
#include "store/tenant.h"

#define URL "\"url\":\"/v1/embeddings\""
#define POST "\"method\":\"POST\""
#define BODY "\"body\":{\"model\":\"m\",\"input\":\"x\"}"

static struct err err;

static void check_line(const char *line, const char *code, const char *param) {
    struct arena arena;
    struct batch_item item;
    struct batch_fault fault = {0};
    arena_init(&arena, NULL, 0, 4096);
    bool ok = batch_item_read(str_c(line), STR("/v1/embeddings"), &arena, &item, &fault);
    CHECK_INT(ok, code == NULL);
    if (code) {
        CHECK_STR(str_c(fault.code), str_c(code));
        CHECK_STR(str_c(fault.param), str_c(param));
        CHECK(fault.message[0]);
    }
    arena_free(&arena);
}

static void test_lines(void) {
    check_line("{\"custom_id\":\"a\"," POST "," URL "," BODY "}", NULL, NULL);
    check_line("{" BODY "," URL "," POST ",\"custom_id\":\"\\u00fc\",\"more\":1}", NULL, NULL);
    check_line("", "invalid_json_line", NULL);
    check_line("[]", "invalid_json_line", NULL);
    check_line("{\"custom_id\":\"a\"", "invalid_json_line", NULL);
    check_line("{\"custom_id\":\"a\",\"custom_id\":\"b\"," POST "," URL "," BODY "}", "invalid_json_line", NULL);
    check_line("{" POST "," URL "," BODY "}", "missing_required_parameter", "custom_id");
    check_line("{\"custom_id\":\"a\"," URL "," BODY "}", "missing_required_parameter", "method");
    check_line("{\"custom_id\":\"a\"," POST "," BODY "}", "missing_required_parameter", "url");
    check_line("{\"custom_id\":\"a\"," POST "," URL "}", "missing_required_parameter", "body");
    check_line("{\"custom_id\":null," POST "," URL "," BODY "}", "invalid_type", "custom_id");
    check_line("{\"custom_id\":\"\"," POST "," URL "," BODY "}", "invalid_custom_id", "custom_id");
    check_line("{\"custom_id\":\"a\",\"method\":\"post\"," URL "," BODY "}", "invalid_method", "method");
    check_line("{\"custom_id\":\"a\"," POST ",\"url\":\"/v1/x\"," BODY "}", "mismatched_url", "url");
    check_line("{\"custom_id\":\"a\"," POST "," URL ",\"body\":\"x\"}", "invalid_type", "body");
    check_line("{\"custom_id\":\"a\"," POST "," URL ",\"body\":{}}", "missing_required_parameter", "body.model");
    check_line("{\"custom_id\":\"a\"," POST "," URL ",\"body\":{\"model\":\"m\",\"stream\":true}}", "invalid_value",
               "body.stream");
    check_line("{\"custom_id\":\"a\"," POST "," URL ",\"body\":{\"model\":\"m\",\"stream\":false}}", NULL, NULL);
    char id[BATCH_CUSTOM_ID_MAX + 2], line[1024];
    memset(id, 'x', sizeof id);
    for (int over = 0; over < 2; over++) {
        snprintf(line, sizeof line, "{\"custom_id\":\"%.*s\"," POST "," URL "," BODY "}", BATCH_CUSTOM_ID_MAX + over,
                 id);
        check_line(line, over ? "invalid_custom_id" : NULL, "custom_id");
    }
}

static void test_all_lines(void) {
    struct batch_check c;
    batch_check_init(&c, STR("/v1/embeddings"), 3);
    CHECK(batch_check_line(&c, 1, STR("{\"custom_id\":\"a\"," POST "," URL "," BODY "}")));
    CHECK(batch_check_line(&c, 2, STR("{\"custom_id\":\"b\"," POST "," URL "," BODY "}")));
    CHECK_INT(c.n_faults, 0);
    CHECK(batch_check_line(&c, 4, STR("{\"custom_id\":\"\\u0061\"," POST "," URL "," BODY "}")));
    CHECK(!batch_check_line(&c, 5, STR("{\"custom_id\":\"d\"," POST "," URL "," BODY "}")));
    CHECK_STR(
        batch_check_end(&c),
        STR("[{\"code\":\"duplicate_custom_id\",\"line\":4,\"message\":\"this custom_id is used by an earlier line\","
            "\"param\":\"custom_id\"},{\"code\":\"too_many_tasks\",\"line\":null,\"message\":\"a batch may have 3 lines"
            " (batches.max_lines)\",\"param\":null}]"));
    batch_check_free(&c);
    batch_check_init(&c, STR("/v1/embeddings"), 3);
    CHECK(str_starts(batch_check_end(&c), STR("[{\"code\":\"empty_file\"")));
    batch_check_free(&c);
    for (int i = 0; i < 2; i++) {
        batch_check_init(&c, STR("/v1/embeddings"), 1000);
        int told = 0;
        while (batch_check_line(&c, told + 1, STR("x"))) told++;
        CHECK_INT(told + 1, BATCH_FAULTS_MAX);
        batch_check_free(&c);
    }
    CHECK(batch_endpoint_known(STR("/v1/messages")));
    CHECK(!batch_endpoint_known(STR("/v1/models")));
}

// A file whose line ends lie before, at and behind the end of a piece.
static void check_reader(size_t pad, bool last_end) {
    static struct datadir dir;
    static char text[3 * STORED_FILE_PIECE];
    static int files;
    struct sql *db;
    char name[20];
    snprintf(name, sizeof name, "reader%d", files++);
    REQUIRE(datadir_open(temp_path(name), &dir, &err) && datadir_open_db(&dir, 1000, &db, &err));
    struct sql_scope scope = sql_tenant(db, TENANT_DEFAULT);
    size_t n = 0;
    n += (size_t)snprintf(text, sizeof text, "\xef\xbb\xbf{1}\r\n \n");
    memset(text + n, 'y', pad);
    n += pad;
    n += (size_t)snprintf(text + n, sizeof text - n, "\nlast%s", last_end ? "\n" : "");
    struct stored_file f = {.bytes = (int64_t)n, .purpose = STR("batch"), .name = STR("n")};
    REQUIRE(stored_file_begin(scope, &f, 0, &err));
    for (size_t at = 0, i = 0; at < n; at += STORED_FILE_PIECE, i++)
        REQUIRE(stored_file_add(scope, &dir, f.id, (int64_t)i, str_head(str_of(text + at, n - at), STORED_FILE_PIECE),
                                &err));
    struct batch_reader r;
    struct str line;
    batch_reader_init(&r, &dir, TENANT_DEFAULT, f.id, STORED_FILE_PIECE);
    CHECK(batch_reader_next(&r, db, &line, &err));
    CHECK_STR(line, STR("{1}"));
    CHECK_INT(r.line, 1);
    CHECK(batch_reader_next(&r, db, &line, &err));
    CHECK_INT(line.n, pad);
    CHECK_INT(r.line, 3);
    CHECK(batch_reader_next(&r, db, &line, &err));
    CHECK_STR(line, STR("last"));
    for (int i = 0; i < 2; i++) CHECK(batch_reader_next(&r, db, &line, &err) && !line.p);
    batch_reader_free(&r);
    sql_close(db);
    datadir_close(&dir);
}

static void test_reader(void) {
    const size_t head = 11; // bytes before the long line
    for (size_t by = 0; by < 8; by++) check_reader(STORED_FILE_PIECE - head - by, by % 2);
    check_reader(STORED_FILE_PIECE + 5, true);
}

TEST_MAIN(test_lines, test_all_lines, test_reader)
