// Writes what was answered as a configuration file.
#include "base/json_write.h"
#include "cli/builder.h"

// JSON's strings are YAML's, too, whatever is in them.
static void put_text(struct buf *out, struct str text) {
    buf_putc(out, '"');
    json_escape_put(out, text);
    buf_putc(out, '"');
}

static void put_member(struct buf *out, const char *key, struct str text) {
    buf_printf(out, "%s: ", key);
    put_text(out, text);
    buf_putc(out, '\n');
}

static void put_provider(struct buf *out, const struct built_provider *p) {
    put_member(out, "  - name", p->name);
    buf_printf(out, "    kind: %.*s\n", STR_ARG(provider_preset_get(p->kind)->name));
    if (p->base_url.n) put_member(out, "    base_url", p->base_url);
    if (p->key.n) put_member(out, "    api_key", p->key);
}

void build_text_provider(const struct built_provider *p, struct buf *out) {
    buf_lit(out, "providers:\n");
    put_provider(out, p);
}

static void put_listeners(const struct builder *b, struct buf *out) {
    if (!b->listeners.n) return;
    buf_lit(out, "\nlisteners:\n");
    for (size_t i = 0; i < b->listeners.n; i++) {
        const struct built_listener *l = &b->listeners.p[i];
        put_member(out, "  - address", l->address);
        if (!l->cert.n) continue;
        buf_lit(out, "    tls:\n");
        put_member(out, "      cert", l->cert);
        put_member(out, "      key", l->key);
    }
}

void build_text(const struct builder *b, struct buf *out) {
    buf_lit(out, "# yaml-language-server: $schema=penstock.schema.json\n"
                 "# Made by \"penstock config init --interactive\".\n");
    buf_printf(out, "version: %d\n", CONF_VERSION);
    put_listeners(b, out);
    if (b->listeners.n)
        buf_printf(out, "\n# Whether requests need a key; \"penstock key create\" makes one.\nauth:\n  required: %s\n",
                   b->keys_required ? "true" : "false");
    if (b->providers.n) buf_lit(out, "\nproviders:\n");
    for (size_t i = 0; i < b->providers.n; i++) put_provider(out, &b->providers.p[i]);
    if (b->data.n) {
        buf_lit(out, "\nstorage:\n");
        put_member(out, "  data", b->data);
        if (b->durability.n) buf_printf(out, "  durability: %.*s\n", STR_ARG(b->durability));
    }
    if (b->log_level.n) buf_printf(out, "\nlog:\n  level: %.*s\n", STR_ARG(b->log_level));
    if (b->log_level.n && b->log_file.n) put_member(out, "  file", b->log_file);
}
