// TLS contexts from files: every fault of a certificate, key or authority file is told with the file's name.
#include "net/tls.h"

#include "base/mem.h"
#include "check.h"
#include "tls_certs.h"

static char g_dir[64];
static struct test_cert g_ca, g_leaf, g_second, g_expired, g_future;

static void make_certs(void) {
    snprintf(g_dir, sizeof g_dir, "/tmp/penstock-tls-XXXXXX");
    REQUIRE(mkdtemp(g_dir));
    g_ca = test_cert_make(g_dir, (struct test_cert_spec){.file = "ca", .cn = "CA", .authority = true});
    g_leaf = test_cert_make(g_dir, (struct test_cert_spec){.file = "leaf", .cn = "leaf", .issuer = &g_ca});
    g_second = test_cert_make(g_dir, (struct test_cert_spec){.file = "second", .cn = "second", .issuer = &g_ca});
    g_expired = test_cert_make(
        g_dir, (struct test_cert_spec){.file = "old", .cn = "old", .issuer = &g_ca, .from_s = -7200, .to_s = -60});
    g_future =
        test_cert_make(g_dir, (struct test_cert_spec){.file = "new", .cn = "new", .issuer = &g_ca, .from_s = 3600});
}

static void remove_certs(void) {
    struct test_cert *all[] = {&g_ca, &g_leaf, &g_second, &g_expired, &g_future};
    for (size_t i = 0; i < ARRAY_LEN(all); i++) test_cert_free(all[i]);
    rmdir(g_dir);
}

static const char *write_file(const char *name, const char *bytes, size_t n) {
    static char path[128];
    snprintf(path, sizeof path, "%s/%s", g_dir, name);
    FILE *f = fopen(path, "w");
    REQUIRE(f && fwrite(bytes, 1, n, f) == n);
    fclose(f);
    return path;
}

static void expect_message(bool ok, const struct err *err, const char *file, const char *says) {
    CHECK(!ok);
    if (ok) return;
    CHECK(strstr(err->message, says) != NULL);
    CHECK(strstr(err->message, file) != NULL);
    if (!strstr(err->message, says) || !strstr(err->message, file))
        fprintf(stderr, "message is: %s (wanted \"%s\", \"%s\")\n", err->message, file, says);
}

static void expect_pair_error(const char *cert, const char *key, const char *file, const char *says) {
    struct tls_cert pair = {.cert = str_c(cert), .key = str_c(key)};
    struct tls_server_options o = {.certs = &pair, .cert_count = 1};
    struct tls_ctx *ctx = NULL;
    struct err err = {0};
    expect_message(tls_ctx_server(&o, &ctx, &err), &err, file, says);
    CHECK(ctx == NULL);
}

static void test_certificate_files(void) {
    const char *key = g_leaf.key_path;
    expect_pair_error("/nonexistent/a.pem", key, "/nonexistent/a.pem", "TLS certificate");
    expect_pair_error(g_leaf.key_path, key, "leaf.key", "no certificate in PEM form");
    expect_pair_error(g_expired.cert_path, g_expired.key_path, "old.pem", "has expired");
    expect_pair_error(g_future.cert_path, g_future.key_path, "new.pem", "not valid yet");
    expect_pair_error(g_dir, key, g_dir, "TLS certificate");

    const char *path = write_file("empty.pem", "", 0);
    expect_pair_error(path, key, "empty.pem", "is empty");
    unlink(path);
    path = write_file("text.pem", "hello\n", 6);
    expect_pair_error(path, key, "text.pem", "no certificate in PEM form");
    unlink(path);
}

static size_t read_file(const char *path, char *out, size_t cap) {
    FILE *f = fopen(path, "r");
    REQUIRE(f);
    size_t n = fread(out, 1, cap, f);
    fclose(f);
    return n;
}

// A chain whose second certificate is cut off.
static void test_damaged_chain(void) {
    char bytes[8192];
    size_t leaf = read_file(g_leaf.cert_path, bytes, 4096), ca = read_file(g_ca.cert_path, bytes + leaf, 4096);
    const char *path = write_file("chain.pem", bytes, leaf + ca / 2);
    expect_pair_error(path, g_leaf.key_path, "chain.pem", "damaged");
    path = write_file("chain.pem", bytes, leaf + ca);
    struct tls_cert pair = {.cert = str_c(path), .key = str_c(g_leaf.key_path)};
    struct tls_server_options o = {.certs = &pair, .cert_count = 1};
    struct tls_ctx *ctx = NULL;
    struct err err = {0};
    CHECK(tls_ctx_server(&o, &ctx, &err));
    tls_ctx_unref(ctx);
    unlink(path);
}

static void test_key_files(void) {
    expect_pair_error(g_leaf.cert_path, "/nonexistent/a.key", "/nonexistent/a.key", "TLS key");
    expect_pair_error(g_leaf.cert_path, g_leaf.cert_path, "leaf.pem", "no private key in PEM form");
    expect_pair_error(g_leaf.cert_path, g_second.key_path, "second.key", "does not belong to certificate");

    char path[128];
    snprintf(path, sizeof path, "%s/locked.key", g_dir);
    FILE *f = fopen(path, "w");
    unsigned char pass[] = "secret";
    REQUIRE(f && PEM_write_PrivateKey(f, g_leaf.key, EVP_aes_128_cbc(), pass, 6, NULL, NULL));
    fclose(f);
    expect_pair_error(g_leaf.cert_path, path, "locked.key", "passphrase");
    unlink(path);

    // Another kind of key than the certificate's.
    snprintf(path, sizeof path, "%s/rsa.key", g_dir);
    EVP_PKEY *rsa = EVP_RSA_gen(2048);
    f = fopen(path, "w");
    REQUIRE(rsa && f && PEM_write_PrivateKey(f, rsa, NULL, NULL, 0, NULL, NULL));
    fclose(f);
    EVP_PKEY_free(rsa);
    expect_pair_error(g_leaf.cert_path, path, "rsa.key", "does not belong to certificate");
    unlink(path);
}

static void test_authority_files(void) {
    struct tls_ctx *ctx = NULL;
    struct err err = {0};
    struct tls_client_options client = {.ca = STR("/nonexistent/ca.pem")};
    expect_message(tls_ctx_client(&client, &ctx, &err), &err, "/nonexistent/ca.pem", "TLS authorities");
    client.ca = str_c(g_leaf.key_path);
    expect_message(tls_ctx_client(&client, &ctx, &err), &err, "leaf.key", "no certificate in PEM form");

    struct tls_cert pair = {.cert = str_c(g_leaf.cert_path), .key = str_c(g_leaf.key_path)};
    struct tls_server_options server = {.certs = &pair, .cert_count = 1, .client_auth = TLS_CLIENT_REQUIRED};
    expect_message(tls_ctx_server(&server, &ctx, &err), &err, "", "no authority is named");
    server.client_ca = str_c(g_leaf.key_path);
    expect_message(tls_ctx_server(&server, &ctx, &err), &err, "leaf.key", "no certificate in PEM form");
    server.cert_count = 0;
    expect_message(tls_ctx_server(&server, &ctx, &err), &err, "", "certificates");
    CHECK(ctx == NULL);
}

// Each allocation of ours fails in turn: an error, or success, never a crash or a leak.
static void test_no_memory(void) {
    struct tls_cert pair = {.cert = str_c(g_leaf.cert_path), .key = str_c(g_leaf.key_path)};
    struct tls_server_options o = {.certs = &pair, .cert_count = 1};
    struct mem_stats before, after;
    mem_stats_get(&before);
    unsigned failed = 0;
    for (uint64_t n = 1; n < 40; n++) {
        struct tls_ctx *ctx = NULL;
        struct err err = {0};
        mem_fail_nth(n);
        struct tls *session = NULL;
        if (tls_ctx_server(&o, &ctx, &err)) session = tls_new(ctx, STR_NONE);
        if (session) tls_feed(session, STR("\x16\x03\x01\x00\x05hello"));
        mem_fail_nth(0);
        failed += !session;
        tls_free(session);
        tls_ctx_unref(ctx);
    }
    mem_stats_get(&after);
    CHECK(failed >= 4 && failed < 39);
    CHECK_INT(after.bytes, before.bytes);
}

TEST_MAIN(make_certs, test_certificate_files, test_damaged_chain, test_key_files, test_authority_files, test_no_memory,
          remove_certs)
