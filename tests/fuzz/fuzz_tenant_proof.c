// Fuzzes the reader of proofs of deletion: what is no proof is refused, and none is ever sound, for nobody has the key.
#include "store/tenant_proof.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct str text = str_of((const char *)data, size);
    struct tenant_proof_verdict v;
    struct err err;
    BUF_AUTO struct buf digest = BUF_INIT(1000);
    bool read = tenant_proof_check(text, &v, &err);
    // All-zero keys and the like are of small order: their signatures prove nothing, and libsodium refuses them.
    if (read && v.sound) abort();
    if (read && (!tenant_proof_digest(text, &digest, &err) || digest.n != 64)) abort();
    if (tenant_proof_told(text, text) && !read) return 0;
    return 0;
}
