// Shared by the files that make up TLS: the context and how its certificates are loaded.
//
// Ownership: a context owns its SSL_CTXs, one a certificate. Thread rule: immutable once made. Only net/tls*.c include
// this.
#ifndef NET_TLS_INTERNAL_H
#define NET_TLS_INTERNAL_H

#include "net/tls.h"

#include <openssl/ssl.h>

struct tls_site {
    char *name; // owned, without a trailing dot; "" = only as the default
    SSL_CTX *ctx;
};

struct tls_ctx {
    unsigned refs; // atomic
    bool server, offer_h2, no_verify;
    BIO_METHOD *bio;
    struct tls_site *sites; // the first is the default; a client has exactly one
    size_t site_count;
};

// The certificate chain and key of one PEM pair go into ctx: checked to be there, well-formed, in force and a pair.
NODISCARD bool tls_load_pair(SSL_CTX *ctx, const struct tls_cert *cert, struct err *err);
// Every certificate of a PEM file becomes trusted by ctx; names: also announced to clients as acceptable.
NODISCARD bool tls_load_ca(SSL_CTX *ctx, struct str file, bool names, struct err *err);
// What the system trusts: its directory of hashed certificates, read one by one when needed, else its bundle.
NODISCARD bool tls_load_system_ca(SSL_CTX *ctx, struct err *err);
// What OpenSSL last complained about on this thread, in its own words; never NULL. Empties its queue.
const char *tls_library_error(void);

// How a session's SSL reads and writes: through the buffers of the struct tls it belongs to.
NODISCARD BIO_METHOD *tls_bio_method(void);

#endif
