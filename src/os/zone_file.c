// Finds a time zone's file in the system's tzdata.
#include "os/zone_file.h"

#include "os/file.h"

#define NAME_MAX_LEN 64
#define FILE_MAX ((size_t)256 * 1024)

static bool is_name(struct str name) {
    if (name.n == 0 || name.n > NAME_MAX_LEN || str_find(name, STR("..")) < name.n) return false;
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        bool mark = c == '_' || c == '+' || c == '-' || (c == '/' && i > 0 && i + 1 < name.n);
        if (!letter && !mark) return false;
    }
    return true;
}

static bool is_utc(struct str name) {
    static const struct str names[] = {STR_INIT("UTC"), STR_INIT("Etc/UTC"), STR_INIT("GMT"), STR_INIT("Z")};
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (str_eq(name, names[i])) return true;
    return name.n == 0;
}

bool zone_find(struct str name, struct zone **out_zone, struct err *err) {
    static const struct str folders[] = {STR_INIT("/usr/share/zoneinfo"), STR_INIT("/usr/lib/zoneinfo"),
                                         STR_INIT("/etc/zoneinfo")};
    if (is_utc(name)) {
        *out_zone = NULL;
        return true;
    }
    if (!is_name(name))
        return err_set(err, ERR_INVALID_FIELD, "\"%.*s\" is no time zone's name, as \"Europe/Berlin\" is one",
                       STR_ARG(str_head(name, NAME_MAX_LEN)));
    for (size_t i = 0; i < ARRAY_LEN(folders); i++) {
        BUF_AUTO struct buf path = BUF_INIT(256), bytes = BUF_INIT(FILE_MAX);
        path_join(&path, folders[i], name);
        if (file_read_all(buf_str(&path), FILE_MAX, &bytes, err)) return zone_parse(buf_str(&bytes), out_zone, err);
    }
    return err_set(err, ERR_NOT_FOUND, "this system knows no time zone \"%.*s\" (is its package tzdata installed?)",
                   STR_ARG(name));
}
