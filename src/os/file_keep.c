// Keeps what comes through a pipe, so that it can be opened like a file, as often as one likes.
#include "os/file_os.h"

#include "base/secret.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

// The descriptor that the path names; -1: none.
static int named_fd(struct str path) {
    static const struct str folders[] = {STR_INIT("/dev/fd/"), STR_INIT("/proc/self/fd/")};
    uint64_t number;
    if (str_eq(path, STR("/dev/stdin"))) return 0;
    for (size_t i = 0; i < ARRAY_LEN(folders); i++)
        if (str_starts(path, folders[i]) && str_to_u64(str_from(path, folders[i].n), &number) && number <= INT_MAX)
            return (int)number;
    return -1;
}

static bool read_pipe(struct str path, size_t max, struct buf *out, bool *out_pipe, struct err *err) {
    CLEANUP(file_close) struct file f = {0};
    struct stat st;
    *out_pipe = false;
    if (!file_open(path, FILE_READ, 0, &f, err)) return true; // which is for who reads it to say
    if (fstat(f.fd, &st) < 0) return file_failed(err, errno, "stat", f.path);
    if (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode) || lseek(f.fd, 0, SEEK_CUR) >= 0) return true;
    *out_pipe = true;
    if (!file_read_rest(&f, max, out, err)) return false;
    return out->n || err_set(err, ERR_IO, "nothing came through %s", f.path);
}

// Its end is where the next one who reads standard input goes on: there is nothing left for it.
static bool put(struct str text, int to, char room[FILE_KEPT_MAX], struct str *out_path, struct err *err) {
    struct file f = {.fd = memfd_create("kept", MFD_CLOEXEC), .path = room};
    snprintf(room, FILE_KEPT_MAX, "/dev/fd/%d", f.fd);
    if (f.fd < 0) return file_failed(err, errno, "keep", "what came through a pipe");
    bool ok = file_append(&f, text, err);
    if (ok && to >= 0 && dup3(f.fd, to, O_CLOEXEC) < 0)
        ok = file_failed(err, errno, "keep", "what came through a pipe");
    if (to >= 0 || !ok)
        close(f.fd);
    else
        *out_path = str_c(room);
    return ok;
}

bool file_keep(struct str path, size_t max, char room[FILE_KEPT_MAX], struct str *out_path, struct err *err) {
    struct buf text = BUF_INIT(max + 1);
    bool pipe;
    if (str_eq(path, STR("-"))) path = STR("/dev/stdin");
    *out_path = path;
    bool ok =
        read_pipe(path, max, &text, &pipe, err) && (!pipe || put(buf_str(&text), named_fd(path), room, out_path, err));
    secret_wipe(text.p, text.cap);
    buf_free(&text);
    return ok;
}
