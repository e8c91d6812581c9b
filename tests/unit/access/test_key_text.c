// Tests of access/key_text.h: the form of keys, their checksum, and finding them in other text.
#include "check.h"

#include "access/key_text.h"

static struct err err;

// Their last six characters computed with Python's zlib.crc32.
#define GOOD "ps-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefg3mCui3"
#define GOOD2 "ps-zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz2LGqcb"
#define EARLY "ps-0123456789012345678901234567890123456789-_z"

static void test_form(void) {
    CHECK_INT(key_text_form(STR(GOOD)), KEY_FORM_GOOD);
    CHECK_INT(key_text_form(STR(GOOD2)), KEY_FORM_GOOD);
    CHECK_INT(key_text_form(STR(EARLY)), KEY_FORM_EARLY);
    CHECK_INT(key_text_form(STR("")), KEY_FORM_NONE);
    CHECK_INT(key_text_form(STR_NONE), KEY_FORM_NONE);
    CHECK_INT(key_text_form(STR("ps-")), KEY_FORM_NONE);
    CHECK_INT(key_text_form(STR(GOOD "0")), KEY_FORM_NONE);
    CHECK_INT(key_text_form(str_head(STR(GOOD), KEY_TEXT_LEN - 1)), KEY_FORM_NONE);
    CHECK(key_text_valid(STR(GOOD)) && key_text_valid(STR(EARLY)) && !key_text_valid(STR(GOOD "0")));
}

// Whatever one character is changed to, it is no key any more.
static void test_damage(void) {
    char text[KEY_TEXT_LEN];
    for (size_t i = 0; i < KEY_TEXT_LEN; i++)
        for (int c = 0; c < 256; c++) {
            memcpy(text, GOOD, sizeof text);
            if (text[i] == (char)c) continue;
            text[i] = (char)c;
            enum key_form form = key_text_form(str_of(text, sizeof text));
            bool alnum = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
            CHECK_INT(form, i >= 3 && alnum ? KEY_FORM_DAMAGED : KEY_FORM_NONE);
        }
    // Two neighbours exchanged.
    memcpy(text, GOOD, sizeof text);
    text[10] = GOOD[11];
    text[11] = GOOD[10];
    CHECK_INT(key_text_form(str_of(text, sizeof text)), KEY_FORM_DAMAGED);
}

static void test_make(void) {
    bool seen[128] = {false};
    for (size_t i = 0; i < 200; i++) {
        SECRET_AUTO struct secret text = {0};
        REQUIRE(key_text_make(&text, &err));
        CHECK_INT(key_text_form(secret_str(&text)), KEY_FORM_GOOD);
        for (size_t k = 3; k < text.n; k++) seen[text.p[k] & 127] = true;
    }
    size_t n = 0;
    for (size_t i = 0; i < sizeof seen; i++) n += seen[i];
    CHECK_INT(n, 62);
}

static void check_found(struct str text, const char *want, enum key_form form) {
    size_t at = 0;
    struct str key;
    enum key_form found;
    if (!want) {
        CHECK(!key_text_find(text, &at, &key, &found));
        CHECK_INT(at, text.n);
        return;
    }
    REQUIRE(key_text_find(text, &at, &key, &found));
    CHECK_STR(key, str_c(want));
    CHECK_INT(found, form);
    CHECK(!key_text_find(text, &at, &key, &found));
}

static void test_find(void) {
    check_found(STR("KEY=" GOOD "\n"), GOOD, KEY_FORM_GOOD);
    check_found(STR(GOOD), GOOD, KEY_FORM_GOOD);
    check_found(STR("\"" EARLY "\","), EARLY, KEY_FORM_EARLY);
    check_found(STR("ps-" GOOD "-suffix"), GOOD, KEY_FORM_GOOD);
    check_found(STR("ps-ps-ps-" GOOD), GOOD, KEY_FORM_GOOD);
    check_found(STR("apps-"
                    "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefg3mCui3"),
                NULL, KEY_FORM_NONE);
    check_found(STR(GOOD "x"), NULL, KEY_FORM_NONE);
    check_found(STR(GOOD "_"), NULL, KEY_FORM_NONE);
    check_found(STR("ps-"), NULL, KEY_FORM_NONE);
    check_found(STR("ps"), NULL, KEY_FORM_NONE);
    check_found(STR_NONE, NULL, KEY_FORM_NONE);
    struct str text = STR("a " GOOD " b " EARLY "," GOOD2 "."), key;
    enum key_form form;
    size_t at = 0;
    REQUIRE(key_text_find(text, &at, &key, &form) && str_eq(key, STR(GOOD)));
    REQUIRE(key_text_find(text, &at, &key, &form) && str_eq(key, STR(EARLY)));
    REQUIRE(key_text_find(text, &at, &key, &form) && str_eq(key, STR(GOOD2)));
    CHECK(!key_text_find(text, &at, &key, &form));
}

TEST_MAIN(test_form, test_damage, test_make, test_find)
