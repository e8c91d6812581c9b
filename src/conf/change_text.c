// Writes changes between configurations for people and for programs.
#include "conf/change.h"

#include "base/json_write.h"

static void put_names(struct buf *out, const char *what, struct str names, bool *io_any) {
    if (!names.n) return;
    buf_printf(out, "%s%s %.*s", *io_any ? "; " : "   ", what, STR_ARG(names));
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

static void json_names(struct json_writer *w, struct str key, struct str names) {
    json_put_member_array(w, key);
    while (names.n) {
        size_t n = str_find(names, STR(", ")); // names hold no spaces
        json_put_str(w, str_head(names, n));
        names = str_from(names, n + 2);
    }
    json_put_array_end(w);
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
        json_put_member_object(&w, STR("touches"));
        json_put_member_bool(&w, STR("all"), change->all);
        json_names(&w, STR("models"), change->models);
        json_names(&w, STR("aliases"), change->aliases);
        json_names(&w, STR("tenants"), change->tenants);
        json_names(&w, STR("listeners"), change->listeners);
        json_put_object_end(&w);
        json_put_object_end(&w);
    }
    json_put_array_end(&w);
    json_writer_done(&w);
}
