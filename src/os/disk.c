// Asks the kernel how much room is left on a file system.
#include "os/disk.h"

#include "os/file_os.h"

#include <errno.h>
#include <sys/statvfs.h>

bool disk_free(struct str path, uint64_t *out_bytes, struct err *err) {
    struct path_z z;
    struct statvfs fs;
    if (!path_to_z(path, &z, err)) return false;
    while (statvfs(z.z, &fs) < 0) {
        if (errno != EINTR) return file_failed(err, errno, "ask for the free space of", z.z);
    }
    uint64_t bytes;
    *out_bytes = __builtin_mul_overflow((uint64_t)fs.f_bavail, (uint64_t)fs.f_frsize, &bytes) ? UINT64_MAX : bytes;
    return true;
}
