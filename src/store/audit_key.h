// The keys that sign the audit trail: one at a time, the older ones kept to verify by.
//
// Ownership: values. Thread rule: any thread; keys are read
// through the caller's connection. Errors: those of sql.h; ERR_STORE when the key does not open (another server's
// database, or a lost secret.key).
#ifndef STORE_AUDIT_KEY_H
#define STORE_AUDIT_KEY_H

#include "store/audit_chain.h"

// Signs with the newest key, as this transaction sees it: made now if there is none. Sets head->key_id and the
// signature.
NODISCARD bool audit_signer_sign(const struct audit_signer *signer, struct sql *db, struct audit_head *head,
                                 struct err *err);

// A document instead (audit_sign_text), with the newest key; within the caller's transaction.
NODISCARD bool audit_signer_seal(const struct audit_signer *signer, struct sql *db, struct str what, struct str text,
                                 struct audit_seal *out_seal, struct err *err);

// In the caller's transaction: a new key, which the one before signs and which signs that one; the old secret is wiped.
NODISCARD bool audit_key_rotate(struct sql *db, const struct audit_signer *signer, int64_t now_ns,
                                struct audit_public *out_key, struct err *err);
// Oldest first.
typedef bool audit_key_visit(void *arg, const struct audit_public *key, struct err *err);
NODISCARD bool audit_key_each(struct sql *db, audit_key_visit *visit, void *arg, struct err *err);
// Whether the secret kept for the newest key is its own and opens with this server's secret: what a verifier on the
// spot trusts when no key is named. ERR_NOT_FOUND when there is no key yet.
NODISCARD bool audit_key_own(struct sql *db, const struct datadir *dir, struct audit_public *out_key, struct err *err);

#endif
