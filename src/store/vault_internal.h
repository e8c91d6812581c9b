// What the parts of the Vault client share: a session with one Vault, what was read there, and one exchange with it.
//
// Ownership: a session owns copies of its settings, its token and all documents; they are wiped when freed. Thread
// rule: under the vault's lock. Units: monotonic nanoseconds, seconds for what Vault grants. Errors: as vault.h.
#ifndef STORE_VAULT_INTERNAL_H
#define STORE_VAULT_INTERNAL_H

#include "base/arena.h"
#include "base/json_read.h"
#include "base/secret.h"
#include "base/vec.h"
#include "os/thread.h"
#include "store/vault.h"

#define VAULT_ANSWER_MAX ((size_t)1 << 20)
#define VAULT_NAME_MAX 8192 // of "path#key"; the key may be a ciphertext
#define VAULT_PATH_MAX 512
#define VAULT_DOCS_MAX 4096
#define VAULT_TTL_MAX_S (100LL * 365 * 86400)

// How long something is granted, and from when.
struct vault_lifetime {
    uint64_t from_ns;
    uint64_t ttl_s;   // 0 = without end
    uint64_t first_s; // as it was granted at first; shorter renewals mean that the end of all renewing is near
    bool renewable;
};
void vault_lifetime_set(struct vault_lifetime *l, uint64_t now_ns, int64_t ttl_s, bool renewable);
// Takes a renewal; false when it gave less than half of the first grant.
bool vault_lifetime_renewed(struct vault_lifetime *l, uint64_t now_ns, int64_t ttl_s, bool renewable);
// Two thirds are over, or one third is and the end comes before the next look, `wait_ns` from now.
bool vault_lifetime_due(const struct vault_lifetime *l, uint64_t now_ns, uint64_t wait_ns);
bool vault_lifetime_over(const struct vault_lifetime *l, uint64_t now_ns);

// One secret as read: the `data` object of its answer, or a transit plaintext.
struct vault_doc {
    char *path;         // as the reference writes it; of a transit name, all of it
    struct secret data; // JSON object; transit: the plaintext
    bool transit;
    char *lease_id; // NULL = none
    struct vault_lifetime lease;
};
// A value that was handed out.
struct vault_value {
    char *name; // "path#key"
    struct secret handed;
    bool kept; // mark of vault_retain
};
struct vault_mount {
    char *path; // "secret/"
    bool kv2;
};

struct vault_session {
    struct conf_vault settings; // texts in the arena; its two secrets are owned here
    struct arena arena;
    const uint64_t *skew_ns; // tests move the clock on with it
    struct secret token;
    struct vault_lifetime life;
    uint64_t calls; // exchanges so far
    // Of the call under way: Vault refused or could not be asked, and what was kept serves on.
    bool faulty;
    struct err fault;
    VEC(struct vault_mount) mounts;
    VEC(struct vault_doc) docs;
    VEC(struct vault_value) values;
};

struct vault {
    struct mutex lock; // of the session; held while Vault is asked
    struct vault_session *session;
    uint64_t skew_ns;
    struct mutex health_lock;
    struct vault_health health;
};

uint64_t vault_now(const struct vault_session *s);

// --- vault_http.c: one exchange ---

struct vault_answer {
    int status;
    struct buf body;
};
void vault_answer_free(struct vault_answer *a);
// path: below /v1/, already encoded. Any status is an answer; false when there was none or it is not Vault's.
NODISCARD bool vault_call(struct vault_session *s, const char *method, struct str path, struct str body,
                          struct vault_answer *out_answer, struct err *err);
static inline bool vault_answer_ok(const struct vault_answer *a) { return a->status >= 200 && a->status < 300; }
// Vault itself can't work at present (sealed, in trouble), as opposed to refusing this request.
static inline bool vault_answer_down(const struct vault_answer *a) { return a->status >= 502 && a->status <= 504; }
// What the answer says was wrong and what to do about it; always returns false.
bool vault_refused(const struct vault_session *s, const struct vault_answer *a, struct str path, struct err *err);
// The answer's text is not what Vault sends; always returns false.
bool vault_answer_odd(struct str path, const char *what, struct err *err);
// Appends the path with all but unreserved characters and slashes percent-encoded.
void vault_path_put(struct buf *out, struct str path);
// NULL, or what is wrong with a path.
const char *vault_path_fault(struct str path);
// Vault could not be asked at all, as opposed to refusing this request.
NODISCARD bool vault_is_unreachable(const struct err *err);

// --- vault_auth.c: the token ---

// There is a token that should be good now; renews what is due, logs in where needed.
NODISCARD bool vault_auth_ready(struct vault_session *s, struct err *err);
// As vault_call, with the token; a token that Vault no longer knows is replaced by a new login, once.
NODISCARD bool vault_ask(struct vault_session *s, const char *method, struct str path, struct str body,
                         struct vault_answer *out_answer, struct err *err);

// --- vault_kv.c: secrets ---

// Reads a document anew. *doc is untouched on failure; path may be its own.
NODISCARD bool vault_doc_read(struct vault_session *s, struct str path, struct vault_doc *doc, struct err *err);
// The answer to a read, as a document.
NODISCARD bool vault_doc_parse(struct vault_session *s, struct str path, bool kv2, struct str body,
                               struct vault_doc *doc, struct err *err);
// Appends one value of the document. key may be empty when there is only one.
NODISCARD bool vault_doc_value(const struct vault_doc *doc, struct str key, struct buf *out, struct err *err);
// The lease goes on; false when it can't be renewed and must be read anew.
NODISCARD bool vault_lease_renew(struct vault_session *s, struct vault_doc *doc, struct err *err);
void vault_doc_free(struct vault_doc *doc);

// --- vault_transit.c: ciphertexts ---

// "transit/decrypt/KEY" and a key that begins with "vault:v".
bool vault_is_transit(struct str path, struct str key);
NODISCARD bool vault_transit_read(struct vault_session *s, struct str path, struct str ciphertext,
                                  struct vault_doc *doc, struct err *err);
// The answer to a decryption, likewise.
NODISCARD bool vault_plaintext_parse(struct str path, struct str ciphertext, struct str body, struct vault_doc *doc,
                                     struct err *err);

// --- vault_wrap.c: bytes wrapped by a transit key ---

// wrap: bytes become the text of a ciphertext, else that text becomes the bytes again; appended.
NODISCARD bool vault_transit_wrap(struct vault_session *s, struct str mount, struct str key, bool wrap,
                                  struct str bytes, struct buf *out, struct err *err);
// The answer to it, likewise.
NODISCARD bool vault_wrap_parse(struct str path, bool wrap, struct str body, struct buf *out, struct err *err);

// --- vault_session.c ---

NODISCARD struct vault_session *vault_session_new(const struct conf_vault *settings, const uint64_t *skew_ns);
void vault_session_free(struct vault_session *s);
// Same Vault, same identity.
bool vault_session_fits(const struct vault_session *s, const struct conf_vault *settings);
// Takes over what may change without a new login.
void vault_session_tune(struct vault_session *s, const struct conf_vault *settings);

#endif
