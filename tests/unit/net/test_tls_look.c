// What a certificate file says of itself: its end, and the names it is for.
#include "net/tls.h"

#include "check.h"
#include "temp_dir.h"
#include "tls_certs.h"

static bool covers(const struct test_cert *c, struct str name) {
    struct tls_cert_facts facts = {0};
    struct err err;
    CHECK(tls_cert_look(str_c(c->cert_path), name, &facts, &err));
    return facts.covers;
}

static void test_names(void) {
    const char *dir = temp_dir();
    struct test_cert c = test_cert_make(
        dir, (struct test_cert_spec){.file = "a", .cn = "x", .alt = "DNS:a.example.com,DNS:*.wild.example"});
    CHECK(covers(&c, STR("")));
    CHECK(covers(&c, STR("a.example.com")));
    CHECK(!covers(&c, STR("b.example.com")));
    CHECK(covers(&c, STR("b.wild.example")));
    CHECK(covers(&c, STR("*.wild.example")));
    CHECK(!covers(&c, STR("*.example.com")));
    test_cert_free(&c);
}

static void test_end(void) {
    const char *dir = temp_dir();
    struct test_cert soon = test_cert_make(dir, (struct test_cert_spec){.file = "s", .cn = "s", .to_s = 90000});
    struct test_cert over =
        test_cert_make(dir, (struct test_cert_spec){.file = "o", .cn = "o", .from_s = -7200, .to_s = -3600});
    struct tls_cert_facts facts;
    struct err err;
    CHECK(tls_cert_look(str_c(soon.cert_path), STR_NONE, &facts, &err));
    CHECK(facts.left_s > 80000 && facts.left_s <= 90000);
    CHECK(tls_cert_look(str_c(over.cert_path), STR_NONE, &facts, &err));
    CHECK(facts.left_s < 0);
    test_cert_free(&soon);
    test_cert_free(&over);
}

static void test_bad_files(void) {
    struct test_cert c = test_cert_make(temp_dir(), (struct test_cert_spec){.file = "k", .cn = "k"});
    struct tls_cert_facts facts = {.left_s = 7};
    struct err err;
    CHECK(!tls_cert_look(STR("/nonexistent/a.pem"), STR_NONE, &facts, &err));
    CHECK(strstr(err.message, "/nonexistent/a.pem"));
    CHECK(!tls_cert_look(str_c(c.key_path), STR_NONE, &facts, &err));
    CHECK(strstr(err.message, "no certificate in PEM form"));
    FILE *f = fopen(c.key_path, "w");
    REQUIRE(f);
    fclose(f);
    CHECK(!tls_cert_look(str_c(c.key_path), STR_NONE, &facts, &err));
    CHECK_INT(facts.left_s, 7);
    test_cert_free(&c);
}

TEST_MAIN(test_names, test_end, test_bad_files)
