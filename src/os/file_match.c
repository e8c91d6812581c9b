// Finds files by shell patterns.
#include "os/file.h"

#include <glob.h>

bool file_match(struct str pattern, struct buf *out_lines, struct err *err) {
    char z[4096];
    glob_t found;
    if (!pattern.n || pattern.n >= sizeof z || memchr(pattern.p, 0, pattern.n))
        return err_set(err, ERR_INVALID_FIELD, "a path pattern has 1 to 4095 bytes");
    memcpy(z, pattern.p, pattern.n);
    z[pattern.n] = 0;
    int rc = glob(z, 0, NULL, &found);
    if (rc == GLOB_NOMATCH) return true;
    if (rc != 0) return err_set(err, ERR_IO, "%.200s: the directory cannot be read", z);
    for (size_t i = 0; i < found.gl_pathc; i++) buf_printf(out_lines, "%s\n", found.gl_pathv[i]);
    globfree(&found);
    return !out_lines->failed || err_no_memory(err);
}
