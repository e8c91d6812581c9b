// Opening, reading, writing, syncing and replacing files.
#include "os/file_os.h"

#include "base/mem.h"
#include "base/text.h"
#include "os/rand.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

bool path_to_z(struct str path, struct path_z *out_path, struct err *err) {
    if (path.n == 0) return err_set(err, ERR_INVALID_FIELD, "a path is empty");
    if (path.n >= sizeof out_path->z)
        return err_set(err, ERR_INVALID_FIELD, "a path of %zu bytes is too long (limit %zu): %.*s…", path.n,
                       sizeof out_path->z - 1, 80, path.p);
    if (memchr(path.p, '\0', path.n)) return err_set(err, ERR_INVALID_FIELD, "a path contains a NUL byte");
    memcpy(out_path->z, path.p, path.n);
    out_path->z[path.n] = '\0';
    return true;
}

static enum err_code code_of(int code) {
    switch (code) {
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
        return ERR_STORE_FULL;
    case ENOENT:
        return ERR_NOT_FOUND;
    case EEXIST:
        return ERR_EXISTS;
    case ENOMEM:
        return ERR_NO_MEMORY;
    case EWOULDBLOCK:
        return ERR_STORE_BUSY;
    default:
        return ERR_IO;
    }
}

bool file_failed(struct err *err, int code, const char *verb, const char *path) {
    char reason[128];
    const char *text = strerror_r(code, reason, sizeof reason);
    return err_set(err, code_of(code), "cannot %s %s: %s", verb, path, text);
}

int file_open_fd(const char *z, int flags, unsigned mode) {
    int fd;
    do {
        fd = open(z, flags | O_CLOEXEC, (mode_t)mode);
    } while (fd < 0 && errno == EINTR);
    return fd;
}

bool file_open(struct str path, unsigned how, unsigned mode, struct file *out_file, struct err *err) {
    struct path_z z;
    if (!path_to_z(path, &z, err)) return false;
    int flags = (how & FILE_WRITE) ? ((how & FILE_READ) ? O_RDWR : O_WRONLY) : O_RDONLY;
    if (how & FILE_CREATE) flags |= O_CREAT;
    if (how & FILE_EXCLUSIVE) flags |= O_EXCL;
    if (how & FILE_TRUNCATE) flags |= O_TRUNC;
    if (how & FILE_APPEND) flags |= O_APPEND;
    char *copy = mem_strdup(path);
    if (!copy) return err_no_memory(err);
    int fd = file_open_fd(z.z, flags, mode);
    if (fd < 0) {
        mem_free(copy);
        return file_failed(err, errno, "open", z.z);
    }
    *out_file = (struct file){.fd = fd, .path = copy};
    return true;
}

void file_close(struct file *f) {
    if (!f->path) return;
    close(f->fd);
    mem_free(f->path);
    *f = (struct file){.fd = -1};
}

bool file_read_at(const struct file *f, uint64_t offset, void *p, size_t n, size_t *out_n, struct err *err) {
    size_t got = 0;
    while (got < n) {
        ssize_t r = pread(f->fd, (char *)p + got, n - got, (off_t)(offset + got));
        if (r < 0 && errno == EINTR) continue;
        if (r < 0) return file_failed(err, errno, "read", f->path);
        if (r == 0) break;
        got += (size_t)r;
    }
    *out_n = got;
    return true;
}

bool file_write_at(const struct file *f, uint64_t offset, struct str bytes, struct err *err) {
    while (bytes.n) {
        ssize_t w = pwrite(f->fd, bytes.p, bytes.n, (off_t)offset);
        if (w < 0 && errno == EINTR) continue;
        if (w < 0) return file_failed(err, errno, "write", f->path);
        if (w == 0) return file_failed(err, ENOSPC, "write", f->path);
        bytes = str_from(bytes, (size_t)w);
        offset += (uint64_t)w;
    }
    return true;
}

bool file_append(const struct file *f, struct str bytes, struct err *err) {
    while (bytes.n) {
        ssize_t w = write(f->fd, bytes.p, bytes.n);
        if (w < 0 && errno == EINTR) continue;
        if (w < 0) return file_failed(err, errno, "append to", f->path);
        if (w == 0) return file_failed(err, ENOSPC, "append to", f->path);
        bytes = str_from(bytes, (size_t)w);
    }
    return true;
}

// Not repeated after a failure: the kernel reports a lost write once and then forgets it.
bool file_sync(const struct file *f, struct err *err) {
    int r;
    do {
        r = fdatasync(f->fd);
    } while (r < 0 && errno == EINTR);
    return r == 0 || file_failed(err, errno, "sync", f->path);
}

bool file_truncate(const struct file *f, uint64_t size, struct err *err) {
    int r;
    do {
        r = ftruncate(f->fd, (off_t)size);
    } while (r < 0 && errno == EINTR);
    return r == 0 || file_failed(err, errno, "resize", f->path);
}

bool file_allocate(const struct file *f, uint64_t size, struct err *err) {
    int code;
    if (size == 0) return true;
    do {
        code = posix_fallocate(f->fd, 0, (off_t)size);
    } while (code == EINTR);
    return code == 0 || file_failed(err, code, "allocate room for", f->path);
}

bool file_touch(const struct file *f, struct err *err) {
    // Only with the other time left alone does the system tell watchers of a modification.
    const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_nsec = UTIME_NOW}};
    return futimens(f->fd, times) == 0 || file_failed(err, errno, "set the time of", f->path);
}

bool file_size(const struct file *f, uint64_t *out_size, struct err *err) {
    struct stat st;
    if (fstat(f->fd, &st) < 0) return file_failed(err, errno, "stat", f->path);
    *out_size = (uint64_t)st.st_size;
    return true;
}

// What can be read only once, in its order, has no places.
static bool read_next(const struct file *f, bool once, uint64_t offset, void *p, size_t n, size_t *out_n,
                      struct err *err) {
    if (!once) return file_read_at(f, offset, p, n, out_n, err);
    ssize_t r;
    do {
        r = read(f->fd, p, n);
    } while (r < 0 && errno == EINTR);
    if (r < 0) return file_failed(err, errno, "read", f->path);
    *out_n = (size_t)r;
    return true;
}

// Read until the end rather than to the size the file says: files in /proc and growing ones say less than they hold.
static bool read_to_end(const struct file *f, size_t max, struct buf *out, struct err *err) {
    enum { STEP = 64 * 1024 };
    uint64_t offset = 0, size;
    bool once = lseek(f->fd, 0, SEEK_CUR) < 0 && errno == ESPIPE;
    if (!file_size(f, &size, err)) return false;
    if (size > max) goto too_large;
    if (!buf_reserve(out, (size_t)size + 1)) return err_no_memory(err);
    for (;;) {
        if (!buf_reserve(out, out->cap > out->n ? 1 : MIN(STEP, max + 1 - offset))) return err_no_memory(err);
        size_t got = 0, room = out->cap - out->n;
        if (!read_next(f, once, offset, out->p + out->n, room, &got, err)) return false;
        out->n += got;
        offset += got;
        if (offset > max) goto too_large;
        if (once ? got == 0 : got < room) return true;
    }
too_large:
    return err_set(err, ERR_IO, "%s is larger than %zu bytes, the most that is accepted for it", f->path, max);
}

bool file_read_rest(const struct file *f, size_t max, struct buf *out, struct err *err) {
    size_t before = out->n;
    bool failed = out->failed;
    if (read_to_end(f, max, out, err)) return true;
    out->n = before;
    out->failed = failed;
    return false;
}

bool file_read_all(struct str path, size_t max, struct buf *out, struct err *err) {
    CLEANUP(file_close) struct file f = {0};
    return file_open(path, FILE_READ, 0, &f, err) && file_read_rest(&f, max, out, err);
}

// A name beside `path` that no one else uses.
static bool temp_path(struct str path, struct path_z *out_path, struct err *err) {
    char random[8], digits[2 * sizeof random];
    struct buf hex = BUF_INIT(sizeof digits);
    rand_bytes(random, sizeof random);
    hex_put(&hex, str_of(random, sizeof random));
    bool fits = !hex.failed;
    if (fits) memcpy(digits, hex.p, sizeof digits);
    buf_free(&hex);
    if (!fits) return err_no_memory(err);
    int n = snprintf(out_path->z, sizeof out_path->z, "%.*s.%.*s.tmp", STR_ARG(path), (int)sizeof digits, digits);
    if (n < 0 || (size_t)n >= sizeof out_path->z) return file_failed(err, ENAMETOOLONG, "write beside", "the path");
    return true;
}

static bool write_synced(struct str path, struct str bytes, unsigned mode, struct err *err) {
    CLEANUP(file_close) struct file f = {0};
    if (!file_open(path, FILE_WRITE | FILE_CREATE | FILE_EXCLUSIVE, mode, &f, err)) return false;
    // The mode as asked for, whatever the umask.
    if (fchmod(f.fd, (mode_t)mode) < 0) return file_failed(err, errno, "set the mode of", f.path);
    return file_write_at(&f, 0, bytes, err) && file_sync(&f, err);
}

bool file_replace(struct str path, struct str bytes, unsigned mode, struct err *err) {
    struct path_z z, temp;
    if (!path_to_z(path, &z, err) || !temp_path(path, &temp, err)) return false;
    if (write_synced(str_c(temp.z), bytes, mode, err) && file_rename(str_c(temp.z), path, err)) return true;
    unlink(temp.z);
    return false;
}

bool file_create_once(struct str path, struct str bytes, unsigned mode, bool *out_created, struct err *err) {
    struct path_z z, temp;
    if (!path_to_z(path, &z, err) || !temp_path(path, &temp, err)) return false;
    struct file_info info;
    if (!file_stat(path, &info, err)) return false;
    if (info.kind != FILE_KIND_ABSENT) {
        *out_created = false;
        return true;
    }
    bool ok = write_synced(str_c(temp.z), bytes, mode, err);
    // link, unlike rename, fails when another process was first.
    int linked = ok ? link(temp.z, z.z) : -1, code = errno;
    unlink(temp.z);
    if (!ok) return false;
    if (linked < 0 && code != EEXIST) return file_failed(err, code, "create", z.z);
    if (!dir_sync(path_dir(path), err)) return false;
    *out_created = linked == 0;
    return true;
}

bool file_remove(struct str path, struct err *err) {
    struct path_z z;
    if (!path_to_z(path, &z, err)) return false;
    return unlink(z.z) == 0 || errno == ENOENT || file_failed(err, errno, "remove", z.z);
}

bool file_rename(struct str from, struct str to, struct err *err) {
    struct path_z a, b;
    if (!path_to_z(from, &a, err) || !path_to_z(to, &b, err)) return false;
    if (rename(a.z, b.z) < 0) return file_failed(err, errno, "replace", b.z);
    return dir_sync(path_dir(to), err);
}
