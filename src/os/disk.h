// What is left of the disk behind a path.
//
// Thread rule: any thread; a blocking call. Units: bytes. Errors: as os/file.h.
#ifndef OS_DISK_H
#define OS_DISK_H

#include "base/err.h"

// Bytes that this user may still write on the file system the path is on; the path must exist.
NODISCARD bool disk_free(struct str path, uint64_t *out_bytes, struct err *err);

#endif
