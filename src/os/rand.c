// Random bytes from the operating system's generator.
#include "os/rand.h"

#include <sodium.h>

void rand_bytes(void *out, size_t n) { randombytes_buf(out, n); }

uint64_t rand_u64(void) {
    uint64_t v;
    rand_bytes(&v, sizeof v);
    return v;
}
