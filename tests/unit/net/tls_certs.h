// Makes certificates for the TLS tests: authorities, and leaves with names and dates, as PEM files in a temporary
// folder.
#ifndef TESTS_TLS_CERTS_H
#define TESTS_TLS_CERTS_H

#include "base/str.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <unistd.h>

struct test_cert {
    X509 *x509;
    EVP_PKEY *key;
    char cert_path[512], key_path[512];
};

struct test_cert_spec {
    const char *file; // stem of the two files
    const char *cn;
    const char *alt; // "DNS:a,DNS:b", or NULL
    const struct test_cert *issuer;
    int from_s, to_s; // from now
    bool authority;
};

static inline void test_cert_extension(X509 *x, int nid, const char *value) {
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, nid, value);
    if (!e || !X509_add_ext(x, e, -1)) abort();
    X509_EXTENSION_free(e);
}

static inline void test_cert_write(const char *dir, const struct test_cert_spec *spec, struct test_cert *c) {
    snprintf(c->cert_path, sizeof c->cert_path, "%s/%s.pem", dir, spec->file);
    snprintf(c->key_path, sizeof c->key_path, "%s/%s.key", dir, spec->file);
    FILE *f = fopen(c->cert_path, "w");
    if (!f || !PEM_write_X509(f, c->x509)) abort();
    fclose(f);
    f = fopen(c->key_path, "w");
    if (!f || !PEM_write_PrivateKey(f, c->key, NULL, NULL, 0, NULL, NULL)) abort();
    fclose(f);
}

static inline struct test_cert test_cert_make(const char *dir, struct test_cert_spec spec) {
    static long serial = 1000;
    struct test_cert c = {.x509 = X509_new(), .key = EVP_EC_gen("P-256")};
    if (!c.x509 || !c.key) abort();
    X509_set_version(c.x509, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(c.x509), ++serial);
    X509_gmtime_adj(X509_getm_notBefore(c.x509), spec.from_s ? spec.from_s : -3600);
    X509_gmtime_adj(X509_getm_notAfter(c.x509), spec.to_s ? spec.to_s : 86400);
    X509_set_pubkey(c.x509, c.key);
    X509_NAME *name = X509_get_subject_name(c.x509);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)spec.cn, -1, -1, 0);
    X509_set_issuer_name(c.x509, spec.issuer ? X509_get_subject_name(spec.issuer->x509) : name);
    if (spec.authority) test_cert_extension(c.x509, NID_basic_constraints, "critical,CA:TRUE");
    if (spec.alt) test_cert_extension(c.x509, NID_subject_alt_name, spec.alt);
    if (!X509_sign(c.x509, spec.issuer ? spec.issuer->key : c.key, EVP_sha256())) abort();
    test_cert_write(dir, &spec, &c);
    return c;
}

static inline void test_cert_free(struct test_cert *c) {
    unlink(c->cert_path);
    unlink(c->key_path);
    X509_free(c->x509);
    EVP_PKEY_free(c->key);
}

#endif
