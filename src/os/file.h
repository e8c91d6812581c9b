// Files and directories: whole-file reads, atomic replacement, positioned I/O, locks and shared mappings.
//
// Ownership: a struct file, file_lock, file_map or file_names belongs to the caller until its close/free function, each
// of which also accepts a zeroed or already closed one. Thread rule: blocking calls, so never on an event loop, save
// file_write_at, file_append and stores into a mapping, which end in the page cache. Units: bytes; times are unix
// nanoseconds. Errors: ERR_STORE_FULL when the disk, its quota or a size limit is reached, ERR_NOT_FOUND when the path
// is absent, ERR_EXISTS when it must not be, ERR_NO_MEMORY, ERR_IO for the rest; the message names the path and the
// reason.
#ifndef OS_FILE_H
#define OS_FILE_H

#include "base/buf.h"
#include "base/err.h"

enum file_how {
    FILE_READ = 1,
    FILE_WRITE = 2,
    FILE_CREATE = 4,    // when absent
    FILE_EXCLUSIVE = 8, // with FILE_CREATE: must be absent
    FILE_TRUNCATE = 16,
    FILE_APPEND = 32, // every write goes to the end
};

struct file {
    int fd;     // valid while path is not NULL
    char *path; // owned, for messages
};

// how: enum file_how values or-ed; mode: permissions of a file this call creates. Close-on-exec; a final symbolic link
// is followed.
NODISCARD bool file_open(struct str path, unsigned how, unsigned mode, struct file *out_file, struct err *err);
void file_close(struct file *f);

// Reads up to n bytes from offset, fewer only at the end of the file.
NODISCARD bool file_read_at(const struct file *f, uint64_t offset, void *p, size_t n, size_t *out_n, struct err *err);
// All or an error; after an error a part may have been written.
NODISCARD bool file_write_at(const struct file *f, uint64_t offset, struct str bytes, struct err *err);
// To the end (of a file opened with FILE_APPEND), otherwise as file_write_at.
NODISCARD bool file_append(const struct file *f, struct str bytes, struct err *err);
// The content and size reach the disk (fdatasync).
NODISCARD bool file_sync(const struct file *f, struct err *err);
NODISCARD bool file_truncate(const struct file *f, uint64_t size, struct err *err);
// Blocks for [0, size) are really there afterwards, and the file is at least that long: no later write within can find
// the disk full.
NODISCARD bool file_allocate(const struct file *f, uint64_t size, struct err *err);
// The time of modification becomes now, as after a write: watchers are told of one.
NODISCARD bool file_touch(const struct file *f, struct err *err);
NODISCARD bool file_size(const struct file *f, uint64_t *out_size, struct err *err);

// Appends the whole file, or all that comes through a pipe, to *out; more than `max` bytes is an error. On failure *out
// is as before.
NODISCARD bool file_read_all(struct str path, size_t max, struct buf *out, struct err *err);
// The same of one that is open.
NODISCARD bool file_read_rest(const struct file *f, size_t max, struct buf *out, struct err *err);
// *out_path can be read as often as one likes: the path itself ("-" is standard input), or, where that is a pipe, what
// came through it, which is in memory as long as the process lives. room keeps the new path, if one is needed.
#define FILE_KEPT_MAX 32
NODISCARD bool file_keep(struct str path, size_t max, char room[FILE_KEPT_MAX], struct str *out_path, struct err *err);
// The path holds either its old content or all of the new one, whatever happens: temporary file beside it, synced,
// renamed over, directory synced.
NODISCARD bool file_replace(struct str path, struct str bytes, unsigned mode, struct err *err);
// Creates the path with that content unless something is there already, which stays as it is. A racing reader sees all
// of it or nothing. *out_created says who won.
NODISCARD bool file_create_once(struct str path, struct str bytes, unsigned mode, bool *out_created, struct err *err);
// An absent path is fine.
NODISCARD bool file_remove(struct str path, struct err *err);
// Replaces `to`; the directory of `to` is synced.
NODISCARD bool file_rename(struct str from, struct str to, struct err *err);

enum file_kind { FILE_KIND_ABSENT, FILE_KIND_REGULAR, FILE_KIND_DIRECTORY, FILE_KIND_OTHER };
struct file_info {
    enum file_kind kind;
    unsigned mode; // permission bits
    uint64_t size;
    uint64_t inode;
    int64_t modified_ns;
};
// Absence is an answer (FILE_KIND_ABSENT), not an error.
NODISCARD bool file_stat(struct str path, struct file_info *out_info, struct err *err);

// Creates the directory and its missing parents; existing ones keep their mode.
NODISCARD bool dir_make(struct str path, unsigned mode, struct err *err);
// Entries created, renamed or removed in the directory reach the disk.
NODISCARD bool dir_sync(struct str path, struct err *err);

struct file_names {
    char **p; // sorted, without "." and ".."
    size_t n;
    size_t cap;
};
NODISCARD bool dir_list(struct str path, struct file_names *out_names, struct err *err);
void file_names_free(struct file_names *names);

// Appends the paths that match a shell pattern (* ? [ ]), sorted, a line each; a pattern without any of these stands
// for itself when it exists. None is no error.
NODISCARD bool file_match(struct str pattern, struct buf *out_lines, struct err *err);

// "dir/name" into *out (appended), one slash between.
void path_join(struct buf *out, struct str dir, struct str name);
// The part before the last slash: "." when there is none, "/" for a path directly below the root.
struct str path_dir(struct str path);

// An advisory lock (flock) on a file that exists for it; held until released or the process ends.
struct file_lock {
    struct file file;
};
// wait: block until it is free; otherwise ERR_STORE_BUSY when another holder has it.
NODISCARD bool file_lock_take(struct str path, bool wait, struct file_lock *out_lock, struct err *err);
void file_lock_release(struct file_lock *lock);

// A shared, writable mapping. Its blocks are allocated first, so that a full disk is an error of file_map_open and
// never a SIGBUS at a store.
struct file_map {
    char *p;
    size_t n;
    struct file file;
};
// Opens or creates the file and makes it at least `size` bytes (new ones are zero); maps exactly `size`. size 0: the
// file must exist and is mapped whole; an empty one gives n = 0 and p = NULL.
NODISCARD bool file_map_open(struct str path, size_t size, unsigned mode, struct file_map *out_map, struct err *err);
void file_map_close(struct file_map *map);
// Bytes [offset, offset + n) reach the disk (msync), with the file's size.
NODISCARD bool file_map_sync(const struct file_map *map, size_t offset, size_t n, struct err *err);
// Makes [offset, offset + n) ready for stores, which then do not stop to look the pages up one at a time. Only a hint.
void file_map_prepare(const struct file_map *map, size_t offset, size_t n);
// The whole pages within [offset, offset + n) leave this process's resident set; their content stays in the page cache.
void file_map_forget(const struct file_map *map, size_t offset, size_t n);

#endif
