// Random bytes from the operating system's generator, fit for keys.
#ifndef OS_RAND_H
#define OS_RAND_H

#include "base/defs.h"

void rand_bytes(void *out, size_t n);
uint64_t rand_u64(void);

#endif
