// A temporary directory for one test program: temp_dir() makes it, temp_path() names files in it, exit removes it.
#ifndef TESTS_TEMP_DIR_H
#define TESTS_TEMP_DIR_H

#include "base/str.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char g_temp_dir[128];
static pid_t g_temp_owner;

static void temp_remove_tree(const char *path) {
    DIR *dir = opendir(path);
    if (dir) {
        for (const struct dirent *e; (e = readdir(dir));) {
            char below[1024];
            struct stat st;
            if (e->d_name[0] == '.' && (e->d_name[1] == '\0' || (e->d_name[1] == '.' && e->d_name[2] == '\0')))
                continue;
            snprintf(below, sizeof below, "%s/%s", path, e->d_name);
            if (lstat(below, &st) == 0 && S_ISDIR(st.st_mode))
                temp_remove_tree(below);
            else
                unlink(below);
        }
        closedir(dir);
    }
    rmdir(path);
}

// A forked child that calls exit must leave the parent's files alone.
static void temp_remove(void) {
    if (g_temp_owner == getpid()) temp_remove_tree(g_temp_dir);
}

static inline const char *temp_dir(void) {
    if (g_temp_owner) return g_temp_dir;
    const char *base = getenv("TMPDIR");
    snprintf(g_temp_dir, sizeof g_temp_dir, "%.100s/penstock-XXXXXX", base && *base ? base : "/tmp");
    if (!mkdtemp(g_temp_dir)) abort();
    g_temp_owner = getpid();
    atexit(temp_remove);
    return g_temp_dir;
}

// "DIR/name" in one of a few rotating buffers.
static inline struct str temp_path(const char *name) {
    static char paths[8][512];
    static unsigned next;
    char *p = paths[next++ % 8];
    snprintf(p, sizeof paths[0], "%s/%s", temp_dir(), name);
    return str_c(p);
}

#endif
