// The proof that a tenant was deleted: a JSON document, signed with the key that signs the audit trail.
//
//   {"proof": {…}, "signature": {"algorithm": "Ed25519", "key_id": 1, "public_key": "…", "value": "…"}}
//
// What is signed is the text of the member "proof" without white space between its parts: white space may be put in or
// taken out, nothing else. It names the tenant, who deleted it and when, how many rows of each table there were, the
// head and length of its audit trail, and the data keys that were destroyed.
//
// Ownership: text borrowed. Thread rule: pure, but for tenant_proof_make. Errors: ERR_INVALID_FIELD for what is no
// proof.
#ifndef STORE_TENANT_PROOF_H
#define STORE_TENANT_PROOF_H

#include "base/buf.h"
#include "store/audit_chain.h"

#define TENANT_PROOF_MAX ((size_t)1 << 20)
#define TENANT_DELETED_EVENT "tenant.delete" // of the default tenant's chain; after: {"proof": digest, …}

// Appends the whole document to *out; proof: the object, as a JSON writer makes it. Within the caller's transaction.
NODISCARD bool tenant_proof_make(struct sql *db, const struct audit_signer *signer, struct str proof, struct buf *out,
                                 struct err *err);
// The digest of a document's proof, in hexadecimal, appended.
NODISCARD bool tenant_proof_digest(struct str document, struct buf *out, struct err *err);
// Whether the event with this `after` tells of that document.
bool tenant_proof_told(struct str after, struct str document);

struct tenant_proof_verdict {
    bool sound; // the signature is this key's
    int64_t key_id;
    unsigned char key[AUDIT_KEY_SIZE]; // that the document names
    struct str proof;                  // the signed object, a slice of the document
};
NODISCARD bool tenant_proof_check(struct str document, struct tenant_proof_verdict *out_verdict, struct err *err);

#endif
