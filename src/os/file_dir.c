// Paths and directories: making, syncing, listing, and what lies at a path.
#include "os/file_os.h"

#include "base/mem.h"
#include "base/vec.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

bool file_stat(struct str path, struct file_info *out_info, struct err *err) {
    struct path_z z;
    struct stat st;
    if (!path_to_z(path, &z, err)) return false;
    if (stat(z.z, &st) < 0) {
        if (errno != ENOENT) return file_failed(err, errno, "look at", z.z);
        *out_info = (struct file_info){.kind = FILE_KIND_ABSENT};
        return true;
    }
    *out_info = (struct file_info){
        .kind = S_ISREG(st.st_mode)   ? FILE_KIND_REGULAR
                : S_ISDIR(st.st_mode) ? FILE_KIND_DIRECTORY
                                      : FILE_KIND_OTHER,
        .mode = st.st_mode & 07777,
        .size = (uint64_t)st.st_size,
        .inode = (uint64_t)st.st_ino,
        .modified_ns = (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec,
    };
    return true;
}

static bool make_one(const char *z, unsigned mode, struct err *err) {
    struct stat st;
    if (mkdir(z, (mode_t)mode) == 0) return true;
    int code = errno;
    // Whatever mkdir says (EEXIST, but also EROFS or EACCES on a parent), a directory that is there is good.
    if (stat(z, &st) == 0) {
        if (S_ISDIR(st.st_mode)) return true;
        return err_set(err, ERR_IO, "cannot create the directory %s: something else has that name", z);
    }
    return file_failed(err, code, "create the directory", z);
}

bool dir_make(struct str path, unsigned mode, struct err *err) {
    struct path_z z;
    if (!path_to_z(path, &z, err)) return false;
    for (size_t i = 1; i < path.n; i++) {
        if (z.z[i] != '/') continue;
        z.z[i] = '\0';
        bool ok = make_one(z.z, mode, err);
        z.z[i] = '/';
        if (!ok) return false;
    }
    return make_one(z.z, mode, err);
}

bool dir_sync(struct str path, struct err *err) {
    struct path_z z;
    if (!path_to_z(path, &z, err)) return false;
    int fd = file_open_fd(z.z, O_RDONLY | O_DIRECTORY, 0);
    if (fd < 0) return file_failed(err, errno, "open the directory", z.z);
    int r = fsync(fd), code = errno;
    close(fd);
    // Some file systems cannot sync a directory and say so; they order its entries themselves.
    return r == 0 || code == EINVAL || file_failed(err, code, "sync the directory", z.z);
}

static int compare_names(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

static bool read_names(DIR *dir, const char *path, struct file_names *names, struct err *err) {
    for (;;) {
        errno = 0;
        const struct dirent *entry = readdir(dir);
        if (!entry) return errno == 0 || file_failed(err, errno, "list the directory", path);
        struct str name = str_c(entry->d_name);
        if (str_eq(name, STR(".")) || str_eq(name, STR(".."))) continue;
        char *copy = mem_strdup(name);
        if (!copy || !vec_push(names, copy)) {
            mem_free(copy);
            return err_no_memory(err);
        }
    }
}

bool dir_list(struct str path, struct file_names *out_names, struct err *err) {
    struct path_z z;
    struct file_names names = {0};
    if (!path_to_z(path, &z, err)) return false;
    DIR *dir = opendir(z.z);
    if (!dir) return file_failed(err, errno, "list the directory", z.z);
    bool ok = read_names(dir, z.z, &names, err);
    closedir(dir);
    if (!ok) {
        file_names_free(&names);
        return false;
    }
    if (names.n) qsort(names.p, names.n, sizeof *names.p, compare_names);
    *out_names = names;
    return true;
}

void file_names_free(struct file_names *names) {
    for (size_t i = 0; i < names->n; i++) mem_free(names->p[i]);
    vec_free(names);
}

void path_join(struct buf *out, struct str dir, struct str name) {
    buf_put(out, dir);
    if (dir.n && dir.p[dir.n - 1] != '/') buf_putc(out, '/');
    buf_put(out, name);
}

struct str path_dir(struct str path) {
    size_t n = path.n;
    while (n && path.p[n - 1] != '/') n--;
    if (n == 0) return STR(".");
    while (n > 1 && path.p[n - 1] == '/') n--;
    return str_head(path, n);
}
