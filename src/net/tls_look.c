// Looks at a certificate file without using it: when it ends, and whether it is for a name.
#include "net/tls.h"
#include "net/tls_internal.h"
#include "os/file.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <time.h>

#define CERT_FILE_MAX ((size_t)4 * 1024 * 1024)
#define DAY_S 86400

static bool leaf_read(struct str file, X509 **out_leaf, struct err *err) {
    struct buf bytes BUF_AUTO = BUF_INIT(CERT_FILE_MAX);
    if (!file_read_all(file, CERT_FILE_MAX, &bytes, err)) return err_wrap(err, "TLS certificate");
    BIO *bio = bytes.n ? BIO_new_mem_buf(bytes.p, (int)bytes.n) : NULL;
    X509 *leaf = bio ? PEM_read_bio_X509_AUX(bio, NULL, NULL, NULL) : NULL;
    BIO_free(bio);
    if (!leaf)
        return err_set(err, ERR_CONFIG_INVALID, "TLS certificate %.*s holds no certificate in PEM form (%s)",
                       STR_ARG(file), tls_library_error());
    *out_leaf = leaf;
    return true;
}

// A certificate that is for all of "*.example.com" is for any one name of it.
static bool covers(X509 *leaf, struct str name) {
    char text[300];
    bool wild = str_starts(name, STR("*."));
    int n = snprintf(text, sizeof text, "%s%.*s", wild ? "any" : "", STR_ARG(wild ? str_from(name, 1) : name));
    return n > 0 && (size_t)n < sizeof text && X509_check_host(leaf, text, (size_t)n, 0, NULL) == 1;
}

bool tls_cert_look(struct str file, struct str name, struct tls_cert_facts *out_facts, struct err *err) {
    X509 *leaf = NULL;
    int days = 0, seconds = 0;
    if (!leaf_read(file, &leaf, err)) return false;
    bool ok = ASN1_TIME_diff(&days, &seconds, NULL, X509_get0_notAfter(leaf)) == 1;
    if (ok)
        *out_facts =
            (struct tls_cert_facts){.left_s = (int64_t)days * DAY_S + seconds, .covers = !name.n || covers(leaf, name)};
    X509_free(leaf);
    if (ok) return true;
    return err_set(err, ERR_CONFIG_INVALID, "TLS certificate %.*s: its end is not a date", STR_ARG(file));
}
