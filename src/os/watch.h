// Tells that files or directories changed: by the system's notices (inotify), and by a slow look where there are none.
//
// A file is watched by its directory, and by the directory that its symbolic links lead through, so that atomic
// renames, Kubernetes' ..data symlink swaps, editors' temporary files and files that do not exist yet are all seen.
// What is told is only that something in those directories changed; whether it matters is for the owner to find out
// (file_stat).
//
// A directory that was removed or moved away is looked for anew at its path; until it is there, its nearest existing
// ancestor is watched. A directory that is moved away with its parents is found out by the slow look only.
//
// Ownership: watch_create … watch_free; fn may call watch_set and watch_free. Thread rule: the loop's thread; each set
// and each call looks up the metadata of the paths there. Units: milliseconds.
#ifndef OS_WATCH_H
#define OS_WATCH_H

#include "os/loop.h"

struct watch;
typedef void watch_fn(void *ctx);
// fn is called debounce_ms after the last notice of a burst, at the latest 10 × that after its first, and every look_ms
// regardless (network file systems give no notices); 0 = never.
NODISCARD bool watch_create(struct loop *loop, unsigned debounce_ms, unsigned look_ms, watch_fn *fn, void *ctx,
                            struct watch **out_watch, struct err *err);
// Watches these paths (files or directories, existing or not) and no others from now on. What happened before this
// returns is not told. On failure (the system's limit on notices, a directory that may not be read) all that can be
// watched is watched all the same, and the call every look_ms covers the rest; with ERR_NO_MEMORY the old paths may
// stay.
NODISCARD bool watch_set(struct watch *watch, const struct str *paths, size_t n, struct err *err);
// Directories now watched, for tests and figures.
size_t watch_count(const struct watch *watch);
void watch_free(struct watch *watch);

#endif
