// The directories that decide what a path means, with its symbolic links followed one by one.
#include "os/path_walk.h"

#include "os/file_os.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINKS_MAX 40 // in one path, as in the kernel

// Where the walk is: `at` is a directory that exists, absolute and without links ("" is the root); `rest` is to come.
struct walk {
    char at[PATH_MAX], rest[PATH_MAX];
    unsigned links;
    path_met_fn *met;
    void *ctx;
    struct err *err;
};

static bool meet(struct walk *walk, struct str name) {
    return walk->met(walk->ctx, str_c(walk->at[0] ? walk->at : "/"), name, walk->err);
}

static struct str next_part(struct walk *walk) {
    struct str rest = str_c(walk->rest);
    while (rest.n && rest.p[0] == '/') rest = str_from(rest, 1);
    return str_head(rest, str_find_char(rest, '/'));
}

static bool has_more(struct str part) {
    const char *p = part.p + part.n;
    while (*p == '/') p++;
    return *p != '\0';
}

static void set_rest(struct walk *walk, struct str part) {
    const char *after = part.p + part.n;
    memmove(walk->rest, after, strlen(after) + 1);
}

static void go_up(struct walk *walk) {
    char *slash = strrchr(walk->at, '/');
    if (slash) *slash = '\0';
}

// The link's text takes the place of the part. False when it leads nowhere.
static bool follow(struct walk *walk, const char *link, struct str part) {
    char text[PATH_MAX], joined[PATH_MAX];
    ssize_t n = readlink(link, text, sizeof text - 1);
    if (n <= 0 || ++walk->links > LINKS_MAX) return false;
    text[n] = '\0';
    int length = snprintf(joined, sizeof joined, "%s%s", text, part.p + part.n);
    if (length < 0 || (size_t)length >= sizeof joined) return false;
    memcpy(walk->rest, joined, (size_t)length + 1);
    if (text[0] == '/') walk->at[0] = '\0';
    return true;
}

// One part of the path. *out_more: the walk goes on.
static bool step(struct walk *walk, bool *out_more) {
    char below[PATH_MAX];
    struct stat st;
    struct str part = next_part(walk);
    *out_more = part.n != 0;
    if (part.n == 0) return meet(walk, STR("")); // the path is this directory
    if (str_eq(part, STR(".")) || str_eq(part, STR(".."))) {
        if (part.n == 2) go_up(walk);
        set_rest(walk, part);
        return true;
    }
    int n = snprintf(below, sizeof below, "%s/%.*s", walk->at, STR_ARG(part));
    bool there = n > 0 && (size_t)n < sizeof below && lstat(below, &st) == 0;
    bool link = there && S_ISLNK(st.st_mode), dir = there && S_ISDIR(st.st_mode);
    // What may change here: a link, the last part, and the part that is missing.
    if ((!dir || !has_more(part)) && !meet(walk, part)) return false;
    if (link) {
        *out_more = follow(walk, below, part);
    } else if (dir) {
        memcpy(walk->at, below, (size_t)n + 1);
        set_rest(walk, part);
    } else {
        *out_more = false;
    }
    return true;
}

bool path_walk(const char *path, path_met_fn *met, void *ctx, struct err *err) {
    struct walk walk = {.met = met, .ctx = ctx, .err = err};
    size_t n = strlen(path);
    if (n >= sizeof walk.rest) return file_failed(err, ENAMETOOLONG, "follow", path);
    memcpy(walk.rest, path, n + 1);
    for (bool more = true; more;)
        if (!step(&walk, &more)) return false;
    return true;
}
