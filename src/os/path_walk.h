// Which directories decide what a path means, for those who wait for it to change.
//
// Ownership: nothing is kept; what the callback is given lives for the call. Thread rule: blocking look-ups of
// metadata. Errors: only those of the callback, and ERR_IO for a path that is too long; a path that leads nowhere is no
// error.
#ifndef OS_PATH_WALK_H
#define OS_PATH_WALK_H

#include "base/err.h"

// A directory that exists, as an absolute path without symbolic links, and the name in it that matters: a link on the
// way, the last part, or the first that is missing. An empty name: the path is this directory. False ends the walk.
typedef bool path_met_fn(void *ctx, struct str dir, struct str name, struct err *err);
// path: absolute.
NODISCARD bool path_walk(const char *path, path_met_fn *met, void *ctx, struct err *err);

#endif
