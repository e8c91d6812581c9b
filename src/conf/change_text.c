// Writes changes between configurations for people and for programs.
#include "conf/change.h"

#include "base/json_write.h"

#define NAMES_PRINTED 20 // of each kind; of more it is told how many
#define NAMES_JSON 100

void conf_names_next(struct str *io_names, struct str *out_name) {
    struct str names = *io_names;
    size_t n = 0;
    bool quoted = false;
    for (; n < names.n && (quoted || names.p[n] != ','); n++) {
        if (names.p[n] == '"') quoted = !quoted;
        if (names.p[n] == '\\' && quoted && n + 1 < names.n) n++;
    }
    *out_name = str_head(names, n);
    *io_names = str_from(names, MIN(n + 2, names.n));
}

// Takes the next name off the list.
static bool next_name(struct str *names, struct str *out_name) {
    if (!names->n) return false;
    conf_names_next(names, out_name);
    return true;
}

static size_t count_names(struct str names) {
    struct str name;
    size_t n = 0;
    while (next_name(&names, &name)) n++;
    return n;
}

static void put_names(struct buf *out, const char *what, struct str names, bool *io_any) {
    struct str name;
    if (!names.n) return;
    buf_printf(out, "%s%s ", *io_any ? "; " : "   ", what);
    for (size_t i = 0; i < NAMES_PRINTED && next_name(&names, &name); i++)
        buf_printf(out, "%s%.*s", i ? ", " : "", STR_ARG(name));
    if (names.n) buf_printf(out, " and %zu more", count_names(names));
    *io_any = true;
}

static void put_touches(const struct conf_change *change, struct buf *out) {
    bool any = false;
    if (change->all) {
        buf_lit(out, "   every request");
        return;
    }
    put_names(out, "models", change->models, &any);
    put_names(out, "aliases", change->aliases, &any);
    put_names(out, "tenants", change->tenants, &any);
    put_names(out, "teams", change->teams, &any);
    put_names(out, "projects", change->projects, &any);
    put_names(out, "keys", change->keys, &any);
    put_names(out, "listeners", change->listeners, &any);
}

void conf_changes_print(const struct conf_changes *changes, struct buf *out) {
    static const char *const signs[] = {[CHANGE_SET] = "~", [CHANGE_ADDED] = "+", [CHANGE_REMOVED] = "-"};
    for (size_t i = 0; i < changes->list.n; i++) {
        const struct conf_change *change = &changes->list.p[i];
        buf_printf(out, "%s %.*s: %.*s", signs[change->kind], STR_ARG(change->path), STR_ARG(change->before));
        if (change->kind == CHANGE_SET) buf_lit(out, " → ");
        buf_printf(out, "%.*s   %s", STR_ARG(change->after), conf_apply_name(change->apply));
        put_touches(change, out);
        buf_putc(out, '\n');
    }
    if (changes->failed) buf_lit(out, "! out of memory: there are more\n");
}

// The count of names that were left out.
static size_t json_names(struct json_writer *w, struct str key, struct str names) {
    struct str name;
    json_put_member_array(w, key);
    for (size_t i = 0; i < NAMES_JSON && next_name(&names, &name); i++) json_put_str(w, name);
    json_put_array_end(w);
    return count_names(names);
}

static void json_touches(struct json_writer *w, const struct conf_change *change) {
    size_t more;
    json_put_member_object(w, STR("touches"));
    json_put_member_bool(w, STR("all"), change->all);
    more = json_names(w, STR("models"), change->models);
    more += json_names(w, STR("aliases"), change->aliases);
    more += json_names(w, STR("tenants"), change->tenants);
    more += json_names(w, STR("teams"), change->teams);
    more += json_names(w, STR("projects"), change->projects);
    more += json_names(w, STR("keys"), change->keys);
    more += json_names(w, STR("listeners"), change->listeners);
    if (more) json_put_member_u64(w, STR("more"), more);
    json_put_object_end(w);
}

static void json_value(struct json_writer *w, struct str key, struct str text) {
    if (text.n)
        json_put_member_str(w, key, text);
    else
        json_put_member_null(w, key);
}

void conf_changes_json(const struct conf_changes *changes, struct buf *out) {
    static const struct str kinds[] = {
        [CHANGE_SET] = STR_INIT("set"), [CHANGE_ADDED] = STR_INIT("added"), [CHANGE_REMOVED] = STR_INIT("removed")};
    struct json_writer w;
    json_writer_init(&w, out);
    json_put_array(&w);
    for (size_t i = 0; i < changes->list.n; i++) {
        const struct conf_change *change = &changes->list.p[i];
        json_put_object(&w);
        json_put_member_str(&w, STR("key"), change->path);
        json_put_member_str(&w, STR("change"), kinds[change->kind]);
        json_value(&w, STR("before"), change->before);
        json_value(&w, STR("after"), change->after);
        json_put_member_str(&w, STR("apply"), str_c(conf_apply_name(change->apply)));
        json_touches(&w, change);
        json_put_object_end(&w);
    }
    json_put_array_end(&w);
    json_writer_done(&w);
}
