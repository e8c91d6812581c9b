// TLS 1.2 and 1.3 as pure bytes in, bytes out, on OpenSSL with memory BIOs: no sockets here.
//
// Ownership: contexts are reference-counted and immutable once made (certificate reload makes a new one); a session
// belongs to its stream and holds a reference. Thread rule: contexts may be shared between threads, a session may not.
#ifndef NET_TLS_H
#define NET_TLS_H

#include "base/err.h"

struct tls_ctx;
struct tls;

enum tls_client_auth { TLS_CLIENT_NONE, TLS_CLIENT_OPTIONAL, TLS_CLIENT_REQUIRED };

struct tls_cert {
    struct str name; // SNI name it serves ("*.example.com" too); empty = the default
    struct str cert; // PEM file: leaf, then intermediates
    struct str key;  // PEM file
};
struct tls_server_options {
    const struct tls_cert *certs; // the first is the default
    size_t cert_count;
    struct str client_ca; // PEM file
    enum tls_client_auth client_auth;
    bool allow_tls12;
    bool offer_h2; // ALPN: h2, then http/1.1
};
struct tls_client_options {
    struct str ca; // PEM file; empty = the system's
    bool no_verify;
};
// Errors name the file and what is wrong with it (missing, not PEM, key does not match, expired).
NODISCARD bool tls_ctx_server(const struct tls_server_options *options, struct tls_ctx **out_ctx, struct err *err);
NODISCARD bool tls_ctx_client(const struct tls_client_options *options, struct tls_ctx **out_ctx, struct err *err);
// What a server's certificate says of itself.
struct tls_cert_facts {
    int64_t left_s; // seconds until it ends; below 0 = it has ended
    bool covers;    // it is for the name asked about
};
// name: as in SNI, "*.example.com" too; empty = none is asked about.
NODISCARD bool tls_cert_look(struct str file, struct str name, struct tls_cert_facts *out_facts, struct err *err);
struct tls_ctx *tls_ctx_ref(struct tls_ctx *ctx);
void tls_ctx_unref(struct tls_ctx *ctx);

enum tls_state {
    TLS_HANDSHAKE,
    TLS_OPEN,
    TLS_CLOSED, // the peer said close_notify
    TLS_FAILED, // tls_error says why
};

// host: for clients, the name to verify and send as SNI. NULL when out of memory.
struct tls *tls_new(struct tls_ctx *ctx, struct str host);
void tls_free(struct tls *tls);
// Takes ciphertext from the wire (all of it) and moves the handshake on.
enum tls_state tls_feed(struct tls *tls, struct str cipher);
// Starts the client's handshake (a server's starts with the first bytes fed).
enum tls_state tls_start(struct tls *tls);
// Takes out plaintext, up to cap; 0 when there is none now.
size_t tls_read(struct tls *tls, char *out, size_t cap);
// Puts plaintext in (only when open); false when out of memory or broken.
bool tls_write(struct tls *tls, struct str plain);
// Puts in close_notify.
void tls_shutdown(struct tls *tls);
// Ciphertext that waits to be sent, as one slice, until tls_sent takes it away.
struct str tls_pending(struct tls *tls);
void tls_sent(struct tls *tls, size_t n);
enum tls_state tls_state(const struct tls *tls);
const char *tls_error(const struct tls *tls);
// Protocol chosen by ALPN, or empty.
struct str tls_alpn(const struct tls *tls);
// "TLSv1.3", for the log.
const char *tls_version(const struct tls *tls);

#endif
