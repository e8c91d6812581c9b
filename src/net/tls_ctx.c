// TLS contexts: what a listener offers, or what the client accepts, made once and shared.
#include "base/mem.h"
#include "net/tls_internal.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>

#define SUITES_TLS13 "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"
#define CIPHERS_TLS12 "ECDHE+AESGCM:ECDHE+CHACHA20"
#define CERTS_MAX 1024
#define SECURITY_BITS_112 2

static const unsigned char k_h2_h1[] = "\x02h2\x08http/1.1";
static const unsigned char k_h1[] = "\x08http/1.1";

struct tls_ctx *tls_ctx_ref(struct tls_ctx *ctx) {
    if (ctx) __atomic_add_fetch(&ctx->refs, 1, __ATOMIC_RELAXED);
    return ctx;
}

static void ctx_free(struct tls_ctx *ctx) {
    for (size_t i = 0; i < ctx->site_count; i++) {
        SSL_CTX_free(ctx->sites[i].ctx);
        mem_free(ctx->sites[i].name);
    }
    BIO_meth_free(ctx->bio);
    mem_free(ctx->sites);
    mem_free(ctx);
}

void tls_ctx_unref(struct tls_ctx *ctx) {
    if (ctx && __atomic_sub_fetch(&ctx->refs, 1, __ATOMIC_ACQ_REL) == 0) ctx_free(ctx);
}

static struct tls_ctx *ctx_new(size_t sites) {
    // Without reading openssl.cnf: what it may say is set here explicitly, and it costs start-up time.
    if (OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_CONFIG, NULL) != 1) return NULL;
    struct tls_ctx *ctx = mem_zalloc(1, sizeof *ctx);
    if (!ctx) return NULL;
    ctx->refs = 1;
    ctx->bio = tls_bio_method();
    ctx->sites = mem_zalloc(sites, sizeof *ctx->sites);
    if (ctx->bio && ctx->sites) return ctx;
    ctx_free(ctx);
    return NULL;
}

static SSL_CTX *ssl_ctx_new(const SSL_METHOD *method, int min_version) {
    SSL_CTX *ssl = SSL_CTX_new(method);
    if (!ssl) return NULL;
    SSL_CTX_set_options(ssl, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE |
                                 SSL_OP_PRIORITIZE_CHACHA);
    SSL_CTX_set_mode(ssl, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_security_level(ssl, SECURITY_BITS_112);
    bool ok = SSL_CTX_set_min_proto_version(ssl, min_version) == 1 &&
              SSL_CTX_set_ciphersuites(ssl, SUITES_TLS13) == 1 && SSL_CTX_set_cipher_list(ssl, CIPHERS_TLS12) == 1;
    if (ok) return ssl;
    SSL_CTX_free(ssl);
    return NULL;
}

// "*.example.com" stands for exactly one more label.
static bool name_matches(struct str pattern, struct str host) {
    if (!str_starts(pattern, STR("*."))) return pattern.n && str_eq_nocase(pattern, host);
    size_t dot = str_find_char(host, '.');
    return dot > 0 && dot < host.n && str_eq_nocase(str_from(pattern, 1), str_from(host, dot));
}

static const struct tls_site *site_for(const struct tls_ctx *ctx, struct str host) {
    if (str_ends(host, STR("."))) host.n--;
    const struct tls_site *wild = NULL;
    for (size_t i = 0; i < ctx->site_count; i++) {
        struct str name = str_c(ctx->sites[i].name);
        if (!name_matches(name, host)) continue;
        if (name.p[0] != '*') return &ctx->sites[i];
        if (!wild) wild = &ctx->sites[i];
    }
    return wild ? wild : &ctx->sites[0];
}

static int on_server_name(SSL *ssl, int *alert, void *arg) {
    (void)alert;
    const char *host = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    if (!host) return SSL_TLSEXT_ERR_NOACK;
    const struct tls_ctx *ctx = arg;
    const struct tls_site *site = site_for(ctx, str_c(host));
    if (site != &ctx->sites[0]) SSL_set_SSL_CTX(ssl, site->ctx);
    return SSL_TLSEXT_ERR_OK;
}

static int on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_n, const unsigned char *in, unsigned in_n,
                   void *arg) {
    (void)ssl;
    const struct tls_ctx *ctx = arg;
    const unsigned char *offer = ctx->offer_h2 ? k_h2_h1 : k_h1;
    unsigned n = ctx->offer_h2 ? sizeof k_h2_h1 - 1 : sizeof k_h1 - 1;
    unsigned char *chosen;
    if (SSL_select_next_proto(&chosen, out_n, offer, n, in, in_n) != OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL; // RFC 7301, 3.2
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

static bool set_client_auth(SSL_CTX *ssl, const struct tls_server_options *o, struct err *err) {
    if (o->client_auth == TLS_CLIENT_NONE) return true;
    if (o->client_ca.n == 0)
        return err_set(err, ERR_CONFIG_INVALID, "client certificates are asked for, but no authority is named");
    int mode = SSL_VERIFY_PEER | (o->client_auth == TLS_CLIENT_REQUIRED ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0);
    SSL_CTX_set_verify(ssl, mode, NULL);
    X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(ssl), X509_V_FLAG_PARTIAL_CHAIN);
    // A resumed session would skip the check of the certificate, whatever has happened to it since.
    SSL_CTX_set_options(ssl, SSL_OP_NO_TICKET);
    SSL_CTX_set_num_tickets(ssl, 0);
    return tls_load_ca(ssl, o->client_ca, true, err);
}

static bool add_site(struct tls_ctx *ctx, const struct tls_server_options *o, const struct tls_cert *cert,
                     struct err *err) {
    struct tls_site *site = &ctx->sites[ctx->site_count];
    struct str name = cert->name;
    if (str_ends(name, STR("."))) name.n--;
    site->name = mem_strdup(name);
    site->ctx = ssl_ctx_new(TLS_server_method(), o->allow_tls12 ? TLS1_2_VERSION : TLS1_3_VERSION);
    ctx->site_count++;
    if (!site->name || !site->ctx) return err_no_memory(err);
    SSL_CTX_set_num_tickets(site->ctx, 1);
    if (!set_client_auth(site->ctx, o, err) || !tls_load_pair(site->ctx, cert, err)) return false;
    static const unsigned char k_id[] = "penstock";
    if (SSL_CTX_set_session_id_context(site->ctx, k_id, sizeof k_id - 1) != 1) return err_no_memory(err);
    SSL_CTX_set_alpn_select_cb(site->ctx, on_alpn, ctx);
    SSL_CTX_set_tlsext_servername_callback(site->ctx, on_server_name);
    SSL_CTX_set_tlsext_servername_arg(site->ctx, ctx);
    return true;
}

bool tls_ctx_server(const struct tls_server_options *options, struct tls_ctx **out_ctx, struct err *err) {
    if (options->cert_count == 0 || options->cert_count > CERTS_MAX)
        return err_set(err, ERR_CONFIG_INVALID, "TLS needs from 1 to %d certificates", CERTS_MAX);
    struct tls_ctx *ctx = ctx_new(options->cert_count);
    if (!ctx) return err_no_memory(err);
    ctx->server = true;
    ctx->offer_h2 = options->offer_h2;
    bool ok = true;
    for (size_t i = 0; ok && i < options->cert_count; i++) ok = add_site(ctx, options, &options->certs[i], err);
    ERR_clear_error();
    if (!ok) {
        ctx_free(ctx);
        return false;
    }
    *out_ctx = ctx;
    return true;
}

static bool set_trust(SSL_CTX *ssl, const struct tls_client_options *o, struct err *err) {
    if (o->no_verify) {
        SSL_CTX_set_verify(ssl, SSL_VERIFY_NONE, NULL);
        return true;
    }
    SSL_CTX_set_verify(ssl, SSL_VERIFY_PEER, NULL);
    if (o->ca.n == 0) return tls_load_system_ca(ssl, err);
    // A given file is trusted as it stands, even where it holds an intermediate or the server's own certificate.
    X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(ssl), X509_V_FLAG_PARTIAL_CHAIN);
    return tls_load_ca(ssl, o->ca, false, err);
}

bool tls_ctx_client(const struct tls_client_options *options, struct tls_ctx **out_ctx, struct err *err) {
    struct tls_ctx *ctx = ctx_new(1);
    if (!ctx) return err_no_memory(err);
    ctx->no_verify = options->no_verify;
    SSL_CTX *ssl = ctx->sites[0].ctx = ssl_ctx_new(TLS_client_method(), TLS1_2_VERSION);
    ctx->site_count = 1;
    bool ok = ssl && SSL_CTX_set_alpn_protos(ssl, k_h1, sizeof k_h1 - 1) == 0; // 0 is success here
    if (!ok) err_no_memory(err);
    ok = ok && set_trust(ssl, options, err);
    ERR_clear_error();
    if (!ok) {
        ctx_free(ctx);
        return false;
    }
    *out_ctx = ctx;
    return true;
}
