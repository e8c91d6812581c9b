// Shared file mappings and advisory file locks.
#include "os/file_os.h"

#include <errno.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <unistd.h>

bool file_lock_take(struct str path, bool wait, struct file_lock *out_lock, struct err *err) {
    struct file f = {0};
    if (!file_open(path, FILE_READ | FILE_WRITE | FILE_CREATE, 0600, &f, err)) return false;
    int r;
    do {
        r = flock(f.fd, LOCK_EX | (wait ? 0 : LOCK_NB));
    } while (r < 0 && errno == EINTR);
    if (r < 0) {
        int code = errno;
        file_failed(err, code, "lock", f.path);
        file_close(&f);
        return false;
    }
    out_lock->file = f;
    return true;
}

void file_lock_release(struct file_lock *lock) { file_close(&lock->file); }

static bool map_file(const struct file *f, size_t size, char **out_p, struct err *err) {
    *out_p = NULL;
    if (size == 0) return true;
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, f->fd, 0);
    if (p == MAP_FAILED) return file_failed(err, errno, "map", f->path);
    *out_p = p;
    return true;
}

bool file_map_open(struct str path, size_t size, unsigned mode, struct file_map *out_map, struct err *err) {
    struct file f = {0};
    unsigned how = FILE_READ | FILE_WRITE | (size ? FILE_CREATE : 0);
    uint64_t whole = size;
    char *p;
    if (!file_open(path, how, mode, &f, err)) return false;
    bool ok = size ? file_allocate(&f, size, err) : file_size(&f, &whole, err);
    if (ok && whole > SIZE_MAX / 2) ok = file_failed(err, ENOMEM, "map", f.path);
    if (!ok || !map_file(&f, (size_t)whole, &p, err)) {
        file_close(&f);
        return false;
    }
    *out_map = (struct file_map){.p = p, .n = (size_t)whole, .file = f};
    return true;
}

void file_map_close(struct file_map *map) {
    if (map->p) munmap(map->p, map->n);
    file_close(&map->file);
    *map = (struct file_map){0};
}

bool file_map_sync(const struct file_map *map, size_t offset, size_t n, struct err *err) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE), from = offset / page * page;
    INVARIANT(offset <= map->n && n <= map->n - offset);
    if (n == 0) return true;
    if (msync(map->p + from, offset - from + n, MS_SYNC) == 0) return true;
    return file_failed(err, errno, "sync", map->file.path);
}

void file_map_prepare(const struct file_map *map, size_t offset, size_t n) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE), from = offset / page * page;
    INVARIANT(offset <= map->n && n <= map->n - offset);
#ifdef MADV_POPULATE_WRITE
    // An older kernel refuses: then each page is looked up at the first store into it.
    if (n) (void)madvise(map->p + from, offset - from + n, MADV_POPULATE_WRITE);
#else
    (void)from;
#endif
}

void file_map_forget(const struct file_map *map, size_t offset, size_t n) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    INVARIANT(offset <= map->n && n <= map->n - offset);
    size_t from = (offset + page - 1) / page * page, to = (offset + n) / page * page;
    // Only advice: when it fails the pages simply stay.
    if (to > from) (void)madvise(map->p + from, to - from, MADV_DONTNEED);
}
