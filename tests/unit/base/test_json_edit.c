// The span editor: replacing, inserting and deleting members, with their commas, in every combination.
#include "base/json_edit.h"

#include "base/json_read.h"

#include "../../fuzz/json_naive.h"
#include "check.h"

static void check_result(const struct json_edits *e, struct str want) {
    BUF_AUTO struct buf out = BUF_INIT(1 << 16);
    struct str slices[JSON_EDIT_SLICES_MAX];
    struct err err;
    size_t n = 0;
    CHECK(json_edits_put(e, &out, &err));
    CHECK_STR(buf_str(&out), want);
    CHECK(json_edits_slices(e, slices, &n, &err));
    CHECK_INT(json_slices_len(slices, n), want.n);
    CHECK(n <= JSON_EDIT_SLICES_MAX);
    for (size_t i = 0; i < n; i++) CHECK(slices[i].n > 0);
}

static void rewrites_a_request(void) {
    struct str body =
        STR("{ \"model\": \"small\", \"user\":\"u\",\n\"messages\":[{\"content\":\"hi\"}], \"stream\":true }");
    struct json_field f[] = {{.name = STR_INIT("model")}, {.name = STR_INIT("user")}};
    struct json_edits e;
    struct err err;
    REQUIRE(json_scan(body, f, ARRAY_LEN(f), &err));
    json_edits_init(&e, body);
    json_edit_delete(&e, f[1].member);
    json_edit_replace(&e, f[0].raw, STR("\"big\""));
    json_edit_insert(&e, body, STR("\"stream_options\":{\"include_usage\":true}"));
    check_result(&e,
                 STR("{\"stream_options\":{\"include_usage\":true}, \"model\": \"big\", \n\"messages\":[{\"content\":"
                     "\"hi\"}], \"stream\":true }"));
}

static void kept_parts_are_not_copied(void) {
    struct str body = STR("{\"a\":1,\"b\":2}");
    struct json_edits e;
    struct err err;
    struct str slices[JSON_EDIT_SLICES_MAX];
    size_t n = 0;
    json_edits_init(&e, body);
    REQUIRE(json_edits_slices(&e, slices, &n, &err));
    CHECK(n == 1 && slices[0].p == body.p && slices[0].n == body.n);
    json_edit_replace(&e, str_of(body.p + 5, 1), STR("10"));
    REQUIRE(json_edits_slices(&e, slices, &n, &err));
    REQUIRE(n == 3);
    CHECK(slices[0].p == body.p && slices[0].n == 5);
    CHECK_STR(slices[1], STR("10"));
    CHECK(slices[2].p == body.p + 6 && slices[2].n == body.n - 6);
}

static void inserts_into_empty_objects(void) {
    struct str bodies[] = {STR("{}"), STR("{ \n }")},
               wants[] = {STR("{\"x\":1,\"y\":2}"), STR("{\"x\":1,\"y\":2 \n }")};
    for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
        struct json_edits e;
        json_edits_init(&e, bodies[i]);
        json_edit_insert(&e, bodies[i], STR("\"x\":1"));
        json_edit_insert(&e, bodies[i], STR("\"y\":2"));
        check_result(&e, wants[i]);
    }
}

// Every subset of the members of each object deleted, with 0 to 2 members inserted: the result is valid, and holds what
// it should, by name.
static void every_subset_of_deletions(void) {
    static const struct str bodies[] = {STR_INIT("{\"a\":1}"), STR_INIT("{\"a\":1,\"b\":2}"),
                                        STR_INIT("{\"a\":1,\"b\":[2,3],\"c\":{\"d\":4}}"),
                                        STR_INIT(" { \"a\" : 1 ,\n \"b\" : \"x,y\" , \"c\" : 3 , \"d\" : [ ] } "),
                                        STR_INIT("{\"a\":{},\"b\":{},\"c\":{},\"d\":{},\"e\":{}}")};
    static const struct str added[] = {STR_INIT("\"x\":[1,2]"), STR_INIT("\"y\":{}")};
    for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
        struct json_field f[5] = {{.name = STR_INIT("a")},
                                  {.name = STR_INIT("b")},
                                  {.name = STR_INIT("c")},
                                  {.name = STR_INIT("d")},
                                  {.name = STR_INIT("e")}};
        struct err err;
        REQUIRE(json_scan(bodies[i], f, ARRAY_LEN(f), &err));
        for (unsigned mask = 0; mask < 32; mask++) {
            for (size_t inserts = 0; inserts <= 2; inserts++) {
                struct json_edits e;
                json_edits_init(&e, bodies[i]);
                // Backwards, so that sorting has work to do.
                for (size_t k = 5; k-- > 0;)
                    if (f[k].found && mask >> k & 1) json_edit_delete(&e, f[k].member);
                for (size_t k = 0; k < inserts; k++) json_edit_insert(&e, str_trim(bodies[i]), added[k]);
                BUF_AUTO struct buf out = BUF_INIT(1 << 12);
                REQUIRE(json_edits_put(&e, &out, &err));
                struct json_field g[7] = {{.name = STR_INIT("a")}, {.name = STR_INIT("b")}, {.name = STR_INIT("c")},
                                          {.name = STR_INIT("d")}, {.name = STR_INIT("e")}, {.name = STR_INIT("x")},
                                          {.name = STR_INIT("y")}};
                CHECK(naive_json_valid(out.p, out.n, 128));
                REQUIRE(json_scan(buf_str(&out), g, ARRAY_LEN(g), &err));
                for (size_t k = 0; k < 5; k++) {
                    CHECK(g[k].found == (f[k].found && !(mask >> k & 1)));
                    if (g[k].found) CHECK_STR(g[k].raw, f[k].raw);
                }
                CHECK(g[5].found == (inserts > 0) && g[6].found == (inserts > 1));
            }
        }
    }
}

static void nested_objects_are_edited_too(void) {
    struct str body = STR("{\"a\":{\"b\":1,\"c\":2},\"d\":{}}"), a, d, b;
    REQUIRE(JSON_GET(body, &a, STR("a")) && JSON_GET(body, &d, STR("d")) && JSON_GET(body, &b, STR("a"), STR("b")));
    struct json_edits e;
    json_edits_init(&e, body);
    json_edit_insert(&e, d, STR("\"z\":0"));
    json_edit_insert(&e, a, STR("\"y\":0"));
    json_edit_replace(&e, b, STR("[]"));
    check_result(&e, STR("{\"a\":{\"y\":0,\"b\":[],\"c\":2},\"d\":{\"z\":0}}"));
}

static void array_elements_can_go(void) {
    struct str body = STR("[1, 22 ,3]");
    struct json_edits e;
    json_edits_init(&e, body);
    json_edit_delete(&e, str_of(body.p + 4, 2));
    check_result(&e, STR("[1, 3]"));
    json_edit_delete(&e, str_of(body.p + 8, 1));
    check_result(&e, STR("[1]"));
    json_edit_delete(&e, str_of(body.p + 1, 1));
    check_result(&e, STR("[]"));
}

static void bad_edits_are_errors(void) {
    struct str body = STR("{\"a\":[1,2],\"b\":3}");
    struct json_edits e;
    struct err err;
    BUF_AUTO struct buf out = BUF_INIT(100), tiny = BUF_INIT(3);
    json_edits_init(&e, body);
    json_edit_replace(&e, str_of(body.p + 5, 5), STR("0"));
    json_edit_replace(&e, str_of(body.p + 6, 1), STR("0"));
    CHECK(!json_edits_put(&e, &out, &err) && err.code == ERR_INTERNAL && out.n == 0);

    json_edits_init(&e, body);
    for (int i = 0; i <= JSON_EDITS_MAX; i++) json_edit_insert(&e, body, STR("\"x\":1"));
    CHECK(!json_edits_put(&e, &out, &err) && err.code == ERR_INTERNAL && out.n == 0);

    json_edits_init(&e, body);
    CHECK(!json_edits_put(&e, &tiny, &err) && err.code == ERR_NO_MEMORY);
}

TEST_MAIN(rewrites_a_request, kept_parts_are_not_copied, inserts_into_empty_objects, every_subset_of_deletions,
          nested_objects_are_edited_too, array_elements_can_go, bad_edits_are_errors)
