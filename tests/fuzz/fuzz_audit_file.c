// Fuzzes the reader of exported audit trails: in pieces of any size, it says the same as in one, and never that a file
// without a valid signature is sound.
#include "govern/audit_export.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct audit_verdict verdict_of(struct str text, size_t piece) {
    static const unsigned char key[AUDIT_KEY_SIZE] = {1}; // whose secret nobody has
    struct audit_file f;
    struct audit_verdict v;
    struct err err;
    audit_file_begin(&f, key);
    while (text.n && audit_file_put(&f, str_head(text, piece), &err)) text = str_from(text, piece);
    audit_file_end(&f, &v);
    audit_file_free(&f);
    return v;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct str text = str_of((const char *)data, size);
    struct audit_verdict whole = verdict_of(text, size ? size : 1), pieces = verdict_of(text, 7);
    if (!whole.faulty || !pieces.faulty) abort();
    if (whole.fault.seq != pieces.fault.seq || strcmp(whole.fault.why, pieces.fault.why) != 0) abort();
    // With the file's own key.
    struct audit_file f;
    struct audit_verdict v;
    struct err err;
    audit_file_begin(&f, NULL);
    (void)!audit_file_put(&f, text, &err);
    audit_file_end(&f, &v);
    audit_file_free(&f);
    return 0;
}
