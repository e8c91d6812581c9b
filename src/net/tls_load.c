// Certificates, keys and trust anchors from PEM files, with errors that name the file and what is wrong with it.
#include "net/tls_internal.h"
#include "os/file.h"

#include <openssl/err.h>
#include <openssl/pem.h>

#define PEM_FILE_MAX ((size_t)16 * 1024 * 1024) // a system bundle is well below 1 MiB

const char *tls_library_error(void) {
    unsigned long code = ERR_peek_last_error();
    const char *text = code ? ERR_reason_error_string(code) : NULL;
    ERR_clear_error();
    return text ? text : "unknown fault";
}

// The file's bytes, and a BIO over them. Both are NULL or set.
struct pem {
    struct buf bytes;
    BIO *bio;
};

static void pem_close(struct pem *pem) {
    BIO_free(pem->bio);
    if (pem->bytes.p) OPENSSL_cleanse(pem->bytes.p, pem->bytes.cap);
    buf_free(&pem->bytes);
}

static bool pem_open(struct str file, const char *what, struct pem *pem, struct err *err) {
    *pem = (struct pem){.bytes = BUF_INIT(PEM_FILE_MAX)};
    if (!file_read_all(file, PEM_FILE_MAX, &pem->bytes, err)) {
        err->code = err->code == ERR_NO_MEMORY ? ERR_NO_MEMORY : ERR_CONFIG_INVALID;
        return err_wrap(err, "%s", what);
    }
    if (pem->bytes.n == 0) return err_set(err, ERR_CONFIG_INVALID, "%s: %.*s is empty", what, STR_ARG(file));
    pem->bio = BIO_new_mem_buf(pem->bytes.p, (int)pem->bytes.n);
    return pem->bio ? true : err_no_memory(err);
}

// There is nobody to ask for a passphrase.
static int no_passphrase(char *buf, int size, int writing, void *user) {
    (void)buf, (void)size, (void)writing;
    *(bool *)user = true;
    return -1;
}

static bool check_dates(const X509 *cert, struct str file, struct err *err) {
    if (X509_cmp_current_time(X509_get0_notAfter(cert)) < 0)
        return err_set(err, ERR_CONFIG_INVALID, "TLS certificate %.*s has expired", STR_ARG(file));
    if (X509_cmp_current_time(X509_get0_notBefore(cert)) > 0)
        return err_set(err, ERR_CONFIG_INVALID, "TLS certificate %.*s is not valid yet", STR_ARG(file));
    return true;
}

// After a PEM_read failed: true when it was just the end of the file.
static bool at_pem_end(void) {
    unsigned long code = ERR_peek_last_error();
    bool end = ERR_GET_LIB(code) == ERR_LIB_PEM && ERR_GET_REASON(code) == PEM_R_NO_START_LINE;
    if (end) ERR_clear_error();
    return end;
}

static bool use_chain(SSL_CTX *ctx, BIO *bio, struct str file, struct err *err) {
    X509 *leaf = PEM_read_bio_X509_AUX(bio, NULL, NULL, NULL);
    if (!leaf)
        return err_set(err, ERR_CONFIG_INVALID, "TLS certificate %.*s holds no certificate in PEM form (%s)",
                       STR_ARG(file), tls_library_error());
    bool ok = check_dates(leaf, file, err);
    if (ok && SSL_CTX_use_certificate(ctx, leaf) != 1)
        ok = err_set(err, ERR_CONFIG_INVALID, "TLS certificate %.*s cannot be used (%s)", STR_ARG(file),
                     tls_library_error());
    X509_free(leaf);
    while (ok) {
        X509 *next = PEM_read_bio_X509(bio, NULL, NULL, NULL);
        if (!next) break;
        if (SSL_CTX_add0_chain_cert(ctx, next) != 1) {
            X509_free(next);
            return err_no_memory(err);
        }
    }
    if (!ok) return false;
    return at_pem_end() ? true
                        : err_set(err, ERR_CONFIG_INVALID, "TLS certificate %.*s is damaged after the first (%s)",
                                  STR_ARG(file), tls_library_error());
}

static bool use_key(SSL_CTX *ctx, BIO *bio, const struct tls_cert *cert, struct err *err) {
    bool locked = false;
    EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, &locked);
    if (!key && locked) {
        ERR_clear_error();
        return err_set(err, ERR_CONFIG_INVALID, "TLS key %.*s is protected by a passphrase; it must not be",
                       STR_ARG(cert->key));
    }
    if (!key)
        return err_set(err, ERR_CONFIG_INVALID, "TLS key %.*s holds no private key in PEM form (%s)",
                       STR_ARG(cert->key), tls_library_error());
    // The certificate is already in place, so a key of another one is refused here.
    bool ok = SSL_CTX_use_PrivateKey(ctx, key) == 1 && SSL_CTX_check_private_key(ctx) == 1;
    EVP_PKEY_free(key);
    if (ok) return true;
    return err_set(err, ERR_CONFIG_INVALID, "TLS key %.*s does not belong to certificate %.*s (%s)", STR_ARG(cert->key),
                   STR_ARG(cert->cert), tls_library_error());
}

bool tls_load_pair(SSL_CTX *ctx, const struct tls_cert *cert, struct err *err) {
    struct pem pem;
    ERR_clear_error();
    bool ok = pem_open(cert->cert, "TLS certificate", &pem, err) && use_chain(ctx, pem.bio, cert->cert, err);
    pem_close(&pem);
    if (!ok) return false;
    ok = pem_open(cert->key, "TLS key", &pem, err) && use_key(ctx, pem.bio, cert, err);
    pem_close(&pem);
    return ok;
}

static bool trust(SSL_CTX *ctx, X509 *cert, bool names) {
    if (X509_STORE_add_cert(SSL_CTX_get_cert_store(ctx), cert) != 1) return false;
    return !names || SSL_CTX_add_client_CA(ctx, cert) == 1;
}

bool tls_load_ca(SSL_CTX *ctx, struct str file, bool names, struct err *err) {
    struct pem pem;
    ERR_clear_error();
    if (!pem_open(file, "TLS authorities", &pem, err)) {
        pem_close(&pem);
        return false;
    }
    size_t count = 0;
    bool ok = true;
    for (X509 *cert; ok && (cert = PEM_read_bio_X509_AUX(pem.bio, NULL, NULL, NULL)); count++) {
        ok = trust(ctx, cert, names);
        X509_free(cert);
    }
    bool whole = ok && count && at_pem_end();
    pem_close(&pem);
    if (whole) return true;
    return err_set(err, ERR_CONFIG_INVALID, "TLS authorities %.*s: %s (%s)", STR_ARG(file),
                   count ? "a certificate is damaged" : "no certificate in PEM form", tls_library_error());
}

// Names like "4042bcee.0" are made by `openssl rehash`: such a directory can be searched without reading all of it.
static bool is_hashed(const char *dir) {
    struct file_names names = {0};
    struct err ignored;
    if (!dir_list(str_c(dir), &names, &ignored)) return false;
    bool hashed = false;
    for (size_t i = 0; i < names.n && !hashed; i++) hashed = str_ends(str_c(names.p[i]), STR(".0"));
    file_names_free(&names);
    return hashed;
}

bool tls_load_system_ca(SSL_CTX *ctx, struct err *err) {
    ERR_clear_error();
    bool ok;
    if (getenv(X509_get_default_cert_file_env()) || getenv(X509_get_default_cert_dir_env()))
        ok = SSL_CTX_set_default_verify_paths(ctx) == 1;
    else if (is_hashed(X509_get_default_cert_dir()))
        ok = SSL_CTX_set_default_verify_dir(ctx) == 1;
    else
        ok = SSL_CTX_set_default_verify_paths(ctx) == 1;
    if (ok) {
        ERR_clear_error(); // an absent default is not an error, but is left in the queue
        return true;
    }
    return err_set(err, ERR_CONFIG_INVALID, "the system's TLS authorities cannot be read (%s)", tls_library_error());
}
