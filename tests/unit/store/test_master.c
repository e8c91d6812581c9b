// Tests of store/master.h and of what Vault answers to wrapping: forms of keys, labels, odd answers.
#include "check.h"

#include "os/rand.h"
#include "store/master.h"
#include "store/vault_internal.h"

static struct err err;

static void test_parse(void) {
    static const struct {
        const char *text;
        bool raw, ok;
    } cases[] = {
        {"0123456789abcdef0123456789abcdef", true, true},   // 32 bytes as they are
        {"0123456789abcdef0123456789abcdef", false, false}, // base64 of 24
        {"000102030405060708090a0b0c0d0e0f000102030405060708090A0B0C0D0E0F", false, true},
        {"000102030405060708090a0b0c0d0e0f000102030405060708090a0b0c0d0e0g", true, false},
        {"000102030405060708090a0b0c0d0e0f000102030405060708090a0b0c0d0e", true, false},
        {"AAECAwQFBgcICQoLDA0ODwABAgMEBQYHCAkKCwwNDg8=", false, true},
        {"AAECAwQFBgcICQoLDA0ODwABAgMEBQYHCAkKCwwNDg8", true, true},
        {"-_ECAwQFBgcICQoLDA0ODwABAgMEBQYHCAkKCwwNDg8", true, true},
        {"+/ECAwQFBgcICQoLDA0ODwABAgMEBQYHCAkKCwwNDg8=", true, true},
        {"AAECAwQFBgcICQoLDA0ODwABAgMEBQYHCAkKCwwNDg8=x", true, false},
        {"AAECAwQFBgcICQoLDA0ODwABAgMEBQYHCAkKCwwNDg8PDw==", true, false},
        {"\n AAECAwQFBgcICQoLDA0ODwABAgMEBQYHCAkKCwwNDg8= \r\n", true, true},
        {"", true, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        unsigned char key[MASTER_KEY_SIZE] = {0}, zeros[MASTER_KEY_SIZE] = {0};
        CHECK(master_key_parse(str_c(cases[i].text), cases[i].raw, key) == cases[i].ok);
        CHECK((memcmp(key, zeros, sizeof key) != 0) == cases[i].ok);
    }
}

static void test_labels(void) {
    unsigned char key[MASTER_KEY_SIZE], got[MASTER_KEY_SIZE], label[MASTER_LABEL_SIZE] = {1},
                                                              other[MASTER_LABEL_SIZE] = {2};
    struct master *a, *b;
    BUF_AUTO struct buf wrapped = BUF_INIT(1000), again = BUF_INIT(1000);
    rand_bytes(key, sizeof key);
    REQUIRE(master_of(key, &a, &err) && master_of(label, &b, &err));
    REQUIRE(master_wrap(a, label, key, &wrapped, &err) && master_wrap(a, label, key, &again, &err));
    CHECK(!str_eq(buf_str(&wrapped), buf_str(&again))); // a nonce of its own
    CHECK(!memmem(wrapped.p, wrapped.n, key, sizeof key));
    CHECK(master_unwrap(a, label, buf_str(&wrapped), got, &err) && memcmp(got, key, sizeof key) == 0);
    CHECK(!master_unwrap(a, other, buf_str(&wrapped), got, &err) && err.code == ERR_STORE);
    CHECK(!master_unwrap(b, label, buf_str(&wrapped), got, &err) && strstr(err.message, "another master key"));
    CHECK(!master_unwrap(a, label, STR("\2vault:v1:x"), got, &err) && strstr(err.message, "elsewhere"));
    CHECK(!master_unwrap(a, label, STR("\1"), got, &err) && !master_unwrap(a, label, STR_NONE, got, &err));
    master_free(a);
    master_free(b);
    master_free(NULL);
}

static void test_vault_answers(void) {
    static const char *const odd[] = {"",
                                      "[]",
                                      "{}",
                                      "{\"data\":1}",
                                      "{\"data\":{}}",
                                      "{\"data\":{\"plaintext\":1,\"ciphertext\":2}}",
                                      "{\"data\":{\"plaintext\":\"***\",\"ciphertext\":\"nothing of Vault's\"}}",
                                      "{\"data\":{\"plaintext\":\"QUI\",\"ciphertext\":\"\"}}"};
    BUF_AUTO struct buf out = BUF_INIT(1000);
    buf_lit(&out, "kept");
    for (size_t i = 0; i < ARRAY_LEN(odd); i++)
        for (int wrap = 0; wrap < 2; wrap++) {
            CHECK(!vault_wrap_parse(STR("transit/x"), wrap, str_c(odd[i]), &out, &err));
            CHECK(strstr(err.message, "transit/x"));
            CHECK_STR(buf_str(&out), STR("kept"));
        }
    CHECK(vault_wrap_parse(STR("p"), true, STR("{\"data\":{\"ciphertext\":\"vault:v1:ab\"}}"), &out, &err));
    CHECK_STR(buf_str(&out), STR("keptvault:v1:ab"));
    CHECK(vault_wrap_parse(STR("p"), false, STR("{\"data\":{\"plaintext\":\"AP9B\"}}"), &out, &err));
    CHECK_STR(buf_str(&out), STR("keptvault:v1:ab\0\xff"
                                 "A"));
}

TEST_MAIN(test_parse, test_labels, test_vault_answers)
