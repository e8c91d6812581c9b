// Tests of access/permission.h: names, patterns, what is refused and with what advice, sets to JSON and back.
#include "check.h"

#include "access/permission.h"

static struct err err;

static bool adds(struct permission_set *set, const char *text) {
    *set = (struct permission_set){0};
    return permission_add(set, str_c(text), &err);
}

static void test_patterns(void) {
    struct permission_set set, all;
    permission_all(&all);
    CHECK(adds(&set, "key:create") && permission_has(&set, RESOURCE_KEY, ACTION_CREATE));
    CHECK(!permission_has(&set, RESOURCE_KEY, ACTION_READ) && !permission_has(&set, RESOURCE_TEAM, ACTION_CREATE));
    CHECK(adds(&set, "key:*") && set.actions[RESOURCE_KEY] == resource_actions(RESOURCE_KEY));
    CHECK(adds(&set, "*:verify") && permission_has(&set, RESOURCE_AUDIT, ACTION_VERIFY));
    CHECK(!permission_has(&set, RESOURCE_KEY, ACTION_VERIFY)); // which keys do not have
    CHECK(adds(&set, "*") && permission_subset(&all, &set) && permission_subset(&set, &all));
    CHECK(adds(&set, "*:*") && permission_subset(&all, &set));
    struct permission_set part = {0};
    CHECK(permission_empty(&part) && permission_subset(&part, &set) && !permission_subset(&set, &part));
}

static void test_refused(void) {
    static const struct {
        const char *text, *says;
    } bad[] = {
        {"", "there is no resource \"\""},     {"key", "can be done with"},     {"key:", "can be done with"},
        {":read", "there is no resource"},     {"kye:read", "\"key\""},         {"key:raed", "\"read\""},
        {"key:use", "read create update"},     {"model:create", "read use"},    {"*:", "no action"},
        {"*:fly", "no action \"fly\""},        {"key:read:x", "no action"},     {"KEY:READ", "did you mean \"key\""},
        {"key :read", "did you mean \"key\""}, {"elephants:read", "RESOURCE:"}, {"**", "RESOURCE:"}};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct permission_set set;
        bool added = adds(&set, bad[i].text), told = strstr(err.message, bad[i].says) != NULL;
        if (added || !told) fprintf(stderr, "\"%s\": %s\n", bad[i].text, err.message);
        CHECK(!added && told && err.code == ERR_INVALID_FIELD && permission_empty(&set));
    }
    static char huge[5000];
    memset(huge, 'k', sizeof huge);
    struct permission_set set = {0};
    CHECK(!permission_add(&set, str_of(huge, sizeof huge), &err));
}

static void round_trip(const char *json, const char *want) {
    struct permission_set set = {0}, again = {0};
    struct buf out = BUF_INIT(8192);
    struct json_writer w;
    CHECK(permission_read_json(&set, str_c(json), &err));
    json_writer_init(&w, &out);
    permission_put_json(&w, &set);
    json_writer_done(&w);
    CHECK_STR(buf_str(&out), str_c(want));
    CHECK(permission_read_json(&again, buf_str(&out), &err) && !memcmp(&set, &again, sizeof set));
    buf_free(&out);
}

static void test_json(void) {
    round_trip("[]", "[]");
    round_trip("[\"*\"]", "[\"*\"]");
    round_trip("[\"key:read\",\"key:create\",\"key:read\"]", "[\"key:read\",\"key:create\"]");
    round_trip("[\"model:use\",\"model:read\"]", "[\"model:*\"]");
    round_trip("[\"\\u006bey:read\"]", "[\"key:read\"]");
    static const char *const bad[] = {"",      "{}",       "[", "[7]", "[\"key:read\"", "[\"key:read\",null]",
                                      "\"*\"", "[[\"*\"]]"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct permission_set set = {0};
        CHECK(!permission_read_json(&set, str_c(bad[i]), &err));
        CHECK(!permission_has(&set, RESOURCE_KEY, ACTION_DELETE));
    }
    // The good ones beside a bad one count.
    struct permission_set set = {0};
    CHECK(!permission_read_json(&set, STR("[\"nothing:x\",\"key:read\"]"), &err) && strstr(err.message, "nothing"));
    CHECK(permission_has(&set, RESOURCE_KEY, ACTION_READ));
}

static void test_names(void) {
    for (unsigned t = 0; t < RESOURCE_TYPE_COUNT; t++) {
        enum resource_type type;
        CHECK(resource_type_parse(resource_type_name((enum resource_type)t), &type) && type == t);
        CHECK(resource_actions(type) != 0 && resource_type_help(type).n > 0);
    }
    for (unsigned a = 0; a < ACTION_COUNT; a++) {
        enum action action;
        CHECK(action_parse(action_name((enum action)a), &action) && action == a);
        uint32_t someone = 0;
        for (unsigned t = 0; t < RESOURCE_TYPE_COUNT; t++) someone |= resource_actions((enum resource_type)t);
        CHECK(someone >> a & 1);
    }
    char text[PERMISSION_TEXT_MAX];
    CHECK_STR(permission_text(RESOURCE_SERVICE_ACCOUNT, ACTION_DELETE, text), STR("service_account:delete"));
}

TEST_MAIN(test_patterns, test_refused, test_json, test_names)
