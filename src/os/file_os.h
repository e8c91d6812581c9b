// Shared by the file sources of this room: paths as C strings at the system-call edge, and errno as struct err.
#ifndef OS_FILE_OS_H
#define OS_FILE_OS_H

#include "os/file.h"

#include <limits.h>

struct path_z {
    char z[PATH_MAX];
};
// False (ERR_INVALID_FIELD) for an empty or too long path, or one with a NUL byte.
NODISCARD bool path_to_z(struct str path, struct path_z *out_path, struct err *err);
// "cannot <verb> <path>: <reason>" with the code that errno `code` stands for; always false.
bool file_failed(struct err *err, int code, const char *verb, const char *path);
// open(2), again after EINTR, close-on-exec; -1 with errno set.
int file_open_fd(const char *z, int flags, unsigned mode);

#endif
