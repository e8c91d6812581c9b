// The configuration's view of the real environment variables and files.
#include "conf/env.h"
#include "os/file.h"

static const char *system_get(void *ctx, const char *name) {
    (void)ctx;
    return getenv(name);
}

static bool system_read(void *ctx, struct str path, size_t max, struct buf *out, struct err *err) {
    (void)ctx;
    return file_read_all(path, max, out, err);
}

static bool system_match(void *ctx, struct str pattern, struct buf *out_lines, struct err *err) {
    (void)ctx;
    return file_match(pattern, out_lines, err);
}

extern char **environ;

struct conf_env conf_env_system(void) {
    return (struct conf_env){.get = system_get,
                             .read_file = system_read,
                             .match_files = system_match,
                             .variables = (const char *const *)environ};
}
