// Tests of govern/mask.h: what is masked and what is not, in plain text and in JSON.
#include "check.h"

#include "govern/mask.h"

static void gives(struct mask *mask, const char *text, const char *want) {
    struct buf out = BUF_INIT(4096);
    mask_put(&out, mask, str_c(text));
    CHECK(!out.failed);
    CHECK_STR(buf_str(&out), str_c(want));
    buf_free(&out);
}

static void test_kinds(void) {
    struct mask m = {0};
    gives(&m, "ada@example.com 4111111111111111", "ada@example.com 4111111111111111");
    mask_add(&m, STR("email"));
    mask_add(&m, STR("nonsense"));
    gives(&m, "", "");
    gives(&m, "write to ada.l+x@mail.example.com.", "write to [email].");
    gives(&m, "{\"to\":\"a@b.de\",\"x\":\"\\na@b.de\"}", "{\"to\":\"[email]\",\"x\":\"\\n[email]\"}");
    gives(&m, "a@b @example.com a@ x@1.2", "a@b @example.com a@ x@1.2");
    gives(&m, "a@b.de,c@d.org", "[email],[email]");
    mask_add(&m, STR("card"));
    gives(&m, "4111 1111 1111 1111 and 4111111111111112", "[card] and 4111111111111112");
    gives(&m, "n=5500-0000-0000-0004;", "n=[card];");
    gives(&m, "41111111111111111111", "41111111111111111111");
    mask_add(&m, STR("address"));
    gives(&m, "from 192.0.2.7, 1.2.3.4.5, 1.2.3, 300.1.1.1", "from [address], 1.2.3.4.5, 1.2.3, 300.1.1.1");
    mask_add(&m, STR("secret"));
    gives(&m, "key sk-abcdefghijklmnop and sk-short", "key [secret] and sk-short");
    gives(&m, "\"Bearer eyJhbGciOiJI.eyJzdWIiOiIx.c2lnbmF0dXJl\"", "\"[secret]\"");
    gives(&m, "task-abcdefghijklmnop", "task-abcdefghijklmnop");
}

static void test_texts(void) {
    struct mask m = {0};
    mask_add(&m, STR("text:Project Blue*"));
    mask_add(&m, STR("text:acme"));
    mask_add(&m, STR("text:"));
    mask_add(&m, STR("text:*"));
    CHECK_INT(m.n, 2);
    gives(&m, "about project BLUEbird-7, and Acmeology", "about [masked], and [masked]ology");
    gives(&m, "project blu", "project blu");
}

// The path itself, or what stands in its place.
static void path_gives(const char *path, const char *want) {
    char out[MASK_PATH_MAX];
    struct str text = str_c(path), shown = mask_path(text, out);
    CHECK_STR(shown, str_c(want));
    CHECK((shown.p == text.p) == !strcmp(path, want));
}

static void test_paths(void) {
    path_gives("", "");
    path_gives("/v1/chat/completions", "/v1/chat/completions");
    path_gives("/api/v1/keys/key_0000000000001/rotate", "/api/v1/keys/key_0000000000001/rotate");
    path_gives("/api/v1/keys/ps-abc123/rotate", "/api/v1/keys/ps-abc123/rotate");
    path_gives("/api/v1/keys/ps-0123456789abcdefghij/rotate", "/api/v1/keys/[secret]/rotate");
    path_gives("/nowhere/sk-0123456789abcdefghij", "/nowhere/[secret]");
    char longer[4 * MASK_PATH_MAX + 1], out[MASK_PATH_MAX];
    for (size_t i = 0; i < sizeof longer - 1; i++) longer[i] = "/sk-0123456789abcdefghij?"[i % 25];
    longer[sizeof longer - 1] = '\0';
    struct str shown = mask_path(str_c(longer), out);
    CHECK(shown.n <= MASK_PATH_MAX && str_find(shown, STR("0123")) == shown.n);
}

TEST_MAIN(test_kinds, test_texts, test_paths)
