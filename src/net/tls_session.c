// One TLS session: ciphertext in and out through its own buffers, plaintext on the other side.
//
// The SSL object reads and writes through a BIO over two buffers. Both are empty, and hold no memory, while nothing is
// in transit, so that a resting connection costs no more than OpenSSL's own state.
#include "base/buf.h"
#include "base/mem.h"
#include "net/tls_internal.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include <stdio.h>

#define IN_MAX ((size_t)1024 * 1024)       // ciphertext fed and not read yet: far more than one turn of a loop brings
#define OUT_MAX ((size_t)64 * 1024 * 1024) // ciphertext not sent yet
#define HOST_MAX 255

struct tls {
    SSL *ssl;
    struct tls_ctx *ctx;
    struct buf in, out;
    size_t in_at, out_at; // used up to here
    enum tls_state state;
    char error[192];
};

static int bio_read(BIO *bio, char *p, size_t n, size_t *out_n) {
    struct tls *t = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    size_t have = t->in.n - t->in_at;
    if (have == 0) {
        BIO_set_retry_read(bio);
        return 0;
    }
    *out_n = MIN(n, have);
    memcpy(p, t->in.p + t->in_at, *out_n);
    t->in_at += *out_n;
    return 1;
}

static int bio_write(BIO *bio, const char *p, size_t n, size_t *out_n) {
    struct tls *t = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    buf_append(&t->out, p, n);
    if (t->out.failed) return 0;
    *out_n = n;
    return 1;
}

static long bio_ctrl(BIO *bio, int command, long number, void *p) {
    (void)bio, (void)number, (void)p;
    return command == BIO_CTRL_FLUSH;
}

BIO_METHOD *tls_bio_method(void) {
    BIO_METHOD *method = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "penstock");
    if (!method) return NULL;
    if (BIO_meth_set_read_ex(method, bio_read) && BIO_meth_set_write_ex(method, bio_write) &&
        BIO_meth_set_ctrl(method, bio_ctrl))
        return method;
    BIO_meth_free(method);
    return NULL;
}

static bool is_address(const char *host) {
    ASN1_OCTET_STRING *ip = a2i_IPADDRESS(host);
    ASN1_OCTET_STRING_free(ip);
    ERR_clear_error();
    return ip != NULL;
}

// What the peer's certificate must say, and what to ask the peer for.
static bool set_host(struct tls *t, struct str host) {
    if (str_starts(host, STR("[")) && str_ends(host, STR("]"))) host = str_of(host.p + 1, host.n - 2);
    if (str_ends(host, STR("."))) host.n--;
    char name[HOST_MAX + 1];
    if (host.n == 0 || host.n > HOST_MAX || memchr(host.p, '\0', host.n)) return false;
    memcpy(name, host.p, host.n);
    name[host.n] = '\0';
    X509_VERIFY_PARAM *param = SSL_get0_param(t->ssl);
    if (is_address(name)) return X509_VERIFY_PARAM_set1_ip_asc(param, name) == 1;
    X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return X509_VERIFY_PARAM_set1_host(param, name, 0) == 1 && SSL_set_tlsext_host_name(t->ssl, name) == 1;
}

struct tls *tls_new(struct tls_ctx *ctx, struct str host) {
    struct tls *t = mem_zalloc(1, sizeof *t);
    if (!t) return NULL;
    buf_init(&t->in, IN_MAX);
    buf_init(&t->out, OUT_MAX);
    t->ctx = tls_ctx_ref(ctx);
    t->ssl = SSL_new(ctx->sites[0].ctx);
    BIO *bio = BIO_new(ctx->bio);
    if (!t->ssl || !bio) {
        BIO_free(bio);
        tls_free(t);
        return NULL;
    }
    BIO_set_data(bio, t);
    BIO_set_init(bio, 1);
    SSL_set_bio(t->ssl, bio, bio);
    if (ctx->server) {
        SSL_set_accept_state(t->ssl);
        return t;
    }
    SSL_set_connect_state(t->ssl);
    if (!set_host(t, host) && !ctx->no_verify) {
        t->state = TLS_FAILED;
        snprintf(t->error, sizeof t->error, "\"%.*s\" is not a host name that a certificate can be checked against",
                 STR_ARG(str_head(host, 64)));
    }
    ERR_clear_error();
    return t;
}

void tls_free(struct tls *tls) {
    if (!tls) return;
    SSL_free(tls->ssl);
    buf_free(&tls->in);
    buf_free(&tls->out);
    tls_ctx_unref(tls->ctx);
    mem_free(tls);
    ERR_clear_error();
}

static const struct {
    int reason;
    const char *text;
} k_reasons[] = {
    {SSL_R_HTTP_REQUEST, "the client spoke plain HTTP to a TLS port"},
    {SSL_R_HTTPS_PROXY_REQUEST, "the client spoke plain HTTP to a TLS port"},
    {SSL_R_WRONG_VERSION_NUMBER, "the peer does not speak TLS"},
    {SSL_R_UNSUPPORTED_PROTOCOL, "the peer offers only TLS versions that are too old"},
    {SSL_R_TLSV1_ALERT_PROTOCOL_VERSION, "the peer refused the TLS version"},
    {SSL_R_NO_SHARED_CIPHER, "the peer offers no cipher that is accepted"},
    {SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE, "the client sent no certificate, and one is required"},
    {SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED, "the peer requires a client certificate"},
    {SSL_R_TLSV1_ALERT_UNKNOWN_CA, "the peer does not trust the authority of the certificate"},
    {SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED, "the peer says that the certificate has expired"},
    {SSL_R_SSLV3_ALERT_BAD_CERTIFICATE, "the peer refused the certificate"},
    {SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN, "the peer refused the certificate"},
    {SSL_R_NO_APPLICATION_PROTOCOL, "the peer speaks none of the offered protocols"},
    {SSL_R_TLSV1_ALERT_NO_APPLICATION_PROTOCOL, "the peer speaks none of the offered protocols"},
};

static const char *reason_text(unsigned long code) {
    if (code && ERR_GET_LIB(code) == ERR_LIB_SSL)
        for (size_t i = 0; i < ARRAY_LEN(k_reasons); i++)
            if (k_reasons[i].reason == ERR_GET_REASON(code)) return k_reasons[i].text;
    const char *text = code ? ERR_reason_error_string(code) : NULL;
    return text ? text : "the TLS session broke";
}

// Why the peer's certificate was not accepted, for people.
static void explain_verify(struct tls *t, long result) {
    const char *hint = "";
    if (result == X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY ||
        result == X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE || result == X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN ||
        result == X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT)
        hint = "; its authority is not among those trusted";
    const char *text = result == X509_V_ERR_HOSTNAME_MISMATCH || result == X509_V_ERR_IP_ADDRESS_MISMATCH
                           ? "hostname mismatch: it was issued for another name"
                           : X509_verify_cert_error_string(result);
    snprintf(t->error, sizeof t->error, "the peer's certificate was refused: %s%s", text, hint);
}

static enum tls_state fail(struct tls *t) {
    unsigned long code = ERR_peek_error(); // the first in the queue is the cause, what follows are its callers
    long verify = SSL_get_verify_result(t->ssl);
    bool by_verify = ERR_GET_LIB(code) == ERR_LIB_SSL && ERR_GET_REASON(code) == SSL_R_CERTIFICATE_VERIFY_FAILED;
    if (t->in.failed || t->out.failed)
        snprintf(t->error, sizeof t->error, "no room for TLS data");
    else if (by_verify && verify != X509_V_OK)
        explain_verify(t, verify);
    else
        snprintf(t->error, sizeof t->error, "%s", reason_text(code));
    ERR_clear_error();
    return t->state = TLS_FAILED;
}

// After a call on the SSL that did not succeed.
static enum tls_state settle(struct tls *t, int rc) {
    int why = SSL_get_error(t->ssl, rc);
    if (why == SSL_ERROR_WANT_READ) return t->state;
    if (why == SSL_ERROR_ZERO_RETURN) return t->state = TLS_CLOSED;
    return fail(t);
}

static void release_in(struct tls *t) {
    if (t->in_at < t->in.n) return;
    buf_free(&t->in);
    t->in_at = 0;
}

static enum tls_state handshake(struct tls *t) {
    ERR_clear_error();
    int rc = SSL_do_handshake(t->ssl);
    if (rc == 1)
        t->state = TLS_OPEN;
    else
        settle(t, rc);
    release_in(t);
    return t->state;
}

enum tls_state tls_start(struct tls *tls) { return tls->state == TLS_HANDSHAKE ? handshake(tls) : tls->state; }

enum tls_state tls_feed(struct tls *tls, struct str cipher) {
    if (tls->state == TLS_CLOSED || tls->state == TLS_FAILED) return tls->state;
    if (tls->in_at) {
        buf_drop(&tls->in, tls->in_at);
        tls->in_at = 0;
    }
    buf_put(&tls->in, cipher);
    if (tls->in.failed) return fail(tls);
    return tls->state == TLS_HANDSHAKE ? handshake(tls) : tls->state;
}

size_t tls_read(struct tls *tls, char *out, size_t cap) {
    if (tls->state != TLS_OPEN || cap == 0) return 0;
    ERR_clear_error();
    size_t n = 0;
    int rc = SSL_read_ex(tls->ssl, out, cap, &n);
    if (rc != 1) {
        n = 0;
        settle(tls, rc);
    }
    release_in(tls);
    return n;
}

bool tls_write(struct tls *tls, struct str plain) {
    if (tls->state != TLS_OPEN) return false;
    if (plain.n == 0) return true;
    ERR_clear_error();
    size_t n = 0;
    if (SSL_write_ex(tls->ssl, plain.p, plain.n, &n) == 1 && n == plain.n) return true;
    fail(tls);
    return false;
}

void tls_shutdown(struct tls *tls) {
    if (tls->state != TLS_OPEN && tls->state != TLS_CLOSED) return;
    ERR_clear_error();
    (void)SSL_shutdown(tls->ssl);
    ERR_clear_error();
}

struct str tls_pending(struct tls *tls) {
    return tls->out.p ? str_of(tls->out.p + tls->out_at, tls->out.n - tls->out_at) : STR_NONE;
}

void tls_sent(struct tls *tls, size_t n) {
    tls->out_at += MIN(n, tls->out.n - tls->out_at);
    if (tls->out_at < tls->out.n) return;
    buf_free(&tls->out);
    tls->out_at = 0;
}

enum tls_state tls_state(const struct tls *tls) { return tls->state; }
const char *tls_error(const struct tls *tls) { return tls->state == TLS_FAILED ? tls->error : ""; }

struct str tls_alpn(const struct tls *tls) {
    const unsigned char *p = NULL;
    unsigned n = 0;
    SSL_get0_alpn_selected(tls->ssl, &p, &n);
    return str_of((const char *)p, n);
}

const char *tls_version(const struct tls *tls) { return SSL_get_version(tls->ssl); }
