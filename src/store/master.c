// Wraps and unwraps data keys with a key at hand, by a program, or by Vault.
#include "store/master.h"

#include "conf/env.h"
#include "os/child.h"
#include "os/clock.h"
#include "os/file.h"
#include "os/rand.h"
#include "store/aead.h"
#include "store/vault_internal.h"

#include <sodium.h>
#include <stdio.h>

// A wrapped key: its kind; then for a local one the master's mark, a nonce, the key's bytes encrypted and a tag, and
// for a remote one what came back.
#define KIND_LOCAL '\1'
#define KIND_REMOTE '\2'
#define MARK_SIZE 8
#define LOCAL_SIZE (1 + MARK_SIZE + AEAD_NONCE_SIZE + MASTER_KEY_SIZE + AEAD_TAG_SIZE)
#define REMOTE_TEXT_SIZE (MASTER_KEY_SIZE + MASTER_LABEL_SIZE)
#define FILE_MAX ((size_t)4096)
#define ARGS_MAX 64

// Subkeys of the master's bytes, which in a data directory of an early version have hashed API keys too.
#define CONTEXT "penstock"
#define SUBKEY_WRAP 2
#define SUBKEY_MARK 3

struct master {
    const struct conf_master_key *settings; // of a remote one
    struct vault_session *vault;
    bool local;
    struct held {
        unsigned char key[MASTER_KEY_SIZE]; // the subkey that wraps
    } * held;                               // locked
    unsigned char mark[MARK_SIZE];          // tells master keys apart, says nothing about them
};

void master_name(const struct conf_master_key *c, char out_name[MASTER_NAME_MAX]) {
    switch ((enum conf_master_source)c->source) {
    case MASTER_NONE:
        snprintf(out_name, MASTER_NAME_MAX, "none");
        break;
    case MASTER_FILE:
        snprintf(out_name, MASTER_NAME_MAX, "file%s%.*s", c->file.n ? " " : "", STR_ARG(str_head(c->file, 200)));
        break;
    case MASTER_ENV:
        snprintf(out_name, MASTER_NAME_MAX, "env %.*s", STR_ARG(str_head(c->env, 200)));
        break;
    case MASTER_COMMAND:
        snprintf(out_name, MASTER_NAME_MAX, "command %.*s",
                 STR_ARG(str_head(c->command.n ? c->command.p[0] : STR_NONE, 200)));
        break;
    case MASTER_VAULT_TRANSIT:
        snprintf(out_name, MASTER_NAME_MAX, "vault_transit %.*s/%.*s", STR_ARG(str_head(c->mount, 100)),
                 STR_ARG(str_head(c->key, 100)));
        break;
    }
}

// --- keys at hand ---

static bool parse_exact(struct str text, unsigned char out[MASTER_KEY_SIZE]) {
    static const int variants[] = {sodium_base64_VARIANT_ORIGINAL, sodium_base64_VARIANT_ORIGINAL_NO_PADDING,
                                   sodium_base64_VARIANT_URLSAFE, sodium_base64_VARIANT_URLSAFE_NO_PADDING};
    const char *end;
    size_t n;
    if (text.n == 2 * MASTER_KEY_SIZE)
        return sodium_hex2bin(out, MASTER_KEY_SIZE, text.p, text.n, NULL, &n, &end) == 0 && n == MASTER_KEY_SIZE &&
               end == text.p + text.n;
    for (size_t i = 0; i < ARRAY_LEN(variants); i++)
        if (sodium_base642bin(out, MASTER_KEY_SIZE, text.p, text.n, NULL, &n, &end, variants[i]) == 0 &&
            n == MASTER_KEY_SIZE && end == text.p + text.n)
            return true;
    return false;
}

bool master_key_parse(struct str text, bool raw, unsigned char out_key[MASTER_KEY_SIZE]) {
    unsigned char key[MASTER_KEY_SIZE];
    if (raw && text.n == MASTER_KEY_SIZE) {
        memcpy(out_key, text.p, MASTER_KEY_SIZE);
        return true;
    }
    bool ok = parse_exact(str_trim(text), key);
    if (ok) memcpy(out_key, key, sizeof key);
    secret_wipe(key, sizeof key);
    return ok;
}

bool master_of(const unsigned char key[MASTER_KEY_SIZE], struct master **out_master, struct err *err) {
    if (sodium_init() < 0) return err_set(err, ERR_INTERNAL, "the cryptographic library cannot start");
    struct master *m = mem_zalloc(1, sizeof *m);
    struct held *held = m ? sodium_malloc(sizeof *held) : NULL;
    if (!held) {
        mem_free(m);
        return err_no_memory(err);
    }
    unsigned char mark[crypto_kdf_BYTES_MIN];
    INVARIANT(crypto_kdf_derive_from_key(held->key, sizeof held->key, SUBKEY_WRAP, CONTEXT, key) == 0 &&
              crypto_kdf_derive_from_key(mark, sizeof mark, SUBKEY_MARK, CONTEXT, key) == 0);
    memcpy(m->mark, mark, MARK_SIZE);
    m->local = true;
    m->held = held;
    *out_master = m;
    return true;
}

static bool open_text(struct str text, bool raw, const char *what, struct str name, struct master **out_master,
                      struct err *err) {
    unsigned char key[MASTER_KEY_SIZE];
    if (!master_key_parse(text, raw, key))
        return err_set(err, ERR_CONFIG_INVALID,
                       "%s %.*s holds no master key: 32 bytes in base64 or hexadecimal are expected", what,
                       STR_ARG(str_head(name, 200)));
    bool ok = master_of(key, out_master, err);
    secret_wipe(key, sizeof key);
    return ok;
}

static bool open_env(const struct conf_master_key *c, struct master **out_master, struct err *err) {
    struct conf_env env = conf_env_system();
    char name[256];
    snprintf(name, sizeof name, "%.*s", STR_ARG(c->env));
    const char *value = env.get(env.ctx, name);
    if (!value || !*value)
        return err_set(err, ERR_CONFIG_INVALID, "the environment variable %s, of storage.master_key, is not set", name);
    return open_text(str_c(value), false, "the environment variable", c->env, out_master, err);
}

static bool make_file(struct str path, struct err *err) {
    char fresh[MASTER_KEY_SIZE];
    bool created;
    rand_bytes(fresh, sizeof fresh);
    bool ok = file_create_once(path, str_of(fresh, sizeof fresh), 0600, &created, err);
    secret_wipe(fresh, sizeof fresh);
    return ok;
}

static bool open_file(struct str path, bool create, struct master **out_master, struct err *err) {
    char bytes[FILE_MAX];
    CLEANUP(file_close) struct file f = {0};
    size_t n;
    if (create && !make_file(path, err)) return false;
    if (!file_open(path, FILE_READ, 0, &f, err)) {
        if (err->code != ERR_NOT_FOUND) return false;
        return err_set(err, ERR_STORE, "the master key %.*s is missing", STR_ARG(str_head(path, 200)));
    }
    // Read back even when just made: what is on disk is what other processes use.
    if (!file_read_at(&f, 0, bytes, sizeof bytes, &n, err)) return false;
    bool ok = open_text(str_of(bytes, n), true, "the file", path, out_master, err);
    if (!ok && err->code == ERR_CONFIG_INVALID)
        err_set(err, ERR_STORE, "%.*s has the wrong size or form (32 bytes are expected): restore it from a backup",
                STR_ARG(str_head(path, 200)));
    secret_wipe(bytes, sizeof bytes);
    return ok;
}

static bool open_remote(const struct conf_master_key *c, struct vault_session *vault, struct master **out_master,
                        struct err *err) {
    if (c->source == MASTER_VAULT_TRANSIT && !vault)
        return err_set(err, ERR_CONFIG_INVALID, "the master key is in Vault, but vault.address is not set");
    if (c->source == MASTER_COMMAND && (!c->command.n || c->command.n > ARGS_MAX))
        return err_set(err, ERR_CONFIG_INVALID, "storage.master_key.command names no program");
    struct master *m = mem_zalloc(1, sizeof *m);
    if (!m) return err_no_memory(err);
    m->settings = c;
    m->vault = vault;
    *out_master = m;
    return true;
}

bool master_open(const struct conf_master_key *c, struct str file, bool create, struct vault_session *vault,
                 struct master **out_master, struct err *err) {
    switch ((enum conf_master_source)c->source) {
    case MASTER_NONE:
        break;
    case MASTER_FILE:
        return open_file(c->file.n ? c->file : file, create && !c->file.n, out_master, err);
    case MASTER_ENV:
        return open_env(c, out_master, err);
    case MASTER_COMMAND:
    case MASTER_VAULT_TRANSIT:
        return open_remote(c, vault, out_master, err);
    }
    return err_set(err, ERR_CONFIG_INVALID, "no master key is configured");
}

void master_free(struct master *m) {
    if (!m) return;
    sodium_free(m->held); // wipes
    mem_free(m);
}

// --- wrapping here ---

#define AD_SIZE (1 + MARK_SIZE + MASTER_LABEL_SIZE)
static struct str local_ad(const struct master *m, const unsigned char label[MASTER_LABEL_SIZE], char out[AD_SIZE]) {
    out[0] = KIND_LOCAL;
    memcpy(out + 1, m->mark, MARK_SIZE);
    memcpy(out + 1 + MARK_SIZE, label, MASTER_LABEL_SIZE);
    return str_of(out, AD_SIZE);
}

static bool local_wrap(struct master *m, const unsigned char label[MASTER_LABEL_SIZE], struct str key, struct buf *out,
                       struct err *err) {
    unsigned char nonce[AEAD_NONCE_SIZE];
    char ad[AD_SIZE];
    size_t before = out->n;
    rand_bytes(nonce, sizeof nonce);
    buf_putc(out, KIND_LOCAL);
    buf_append(out, m->mark, MARK_SIZE);
    buf_append(out, nonce, sizeof nonce);
    if (!out->failed && aead_seal(m->held->key, nonce, local_ad(m, label, ad), key, out, err)) return true;
    out->n = before;
    return err_no_memory(err);
}

static bool local_unwrap(struct master *m, const unsigned char label[MASTER_LABEL_SIZE], struct str wrapped,
                         struct buf *out, struct err *err) {
    char ad[AD_SIZE];
    if (wrapped.n != LOCAL_SIZE) return err_set(err, ERR_STORE, "a wrapped key is damaged");
    if (memcmp(wrapped.p + 1, m->mark, MARK_SIZE) != 0)
        return err_set(err, ERR_STORE, "it is another master key than the one in use");
    const unsigned char *nonce = (const unsigned char *)wrapped.p + 1 + MARK_SIZE;
    return aead_open(m->held->key, nonce, local_ad(m, label, ad), str_from(wrapped, 1 + MARK_SIZE + AEAD_NONCE_SIZE),
                     out, err) ||
           (err->code == ERR_STORE && err_set(err, ERR_STORE, "a wrapped key is damaged, or another's"));
}

// --- wrapping elsewhere ---

static bool by_command(struct master *m, const char *verb, struct str bytes, struct buf *out, struct err *err) {
    const char *argv[ARGS_MAX + 2];
    const struct conf_master_key *c = m->settings;
    for (size_t i = 0; i < c->command.n; i++) argv[i] = c->command.p[i].p; // ends with a NUL, as all of conf.h
    argv[c->command.n] = verb;
    argv[c->command.n + 1] = NULL;
    struct child_task task = {.argv = argv,
                              .input = bytes,
                              .output_max = MASTER_WRAPPED_MAX - 1,
                              .timeout_ns = (uint64_t)c->timeout * NS_PER_MS};
    return child_run(&task, out, err);
}

static bool remote(struct master *m, bool wrap, struct str bytes, struct buf *out, struct err *err) {
    const struct conf_master_key *c = m->settings;
    if (c->source == MASTER_COMMAND) return by_command(m, wrap ? "wrap" : "unwrap", bytes, out, err);
    return vault_transit_wrap(m->vault, c->mount, c->key, wrap, bytes, out, err);
}

static bool remote_wrap(struct master *m, const unsigned char label[MASTER_LABEL_SIZE], struct str key, struct buf *out,
                        struct err *err) {
    char text[REMOTE_TEXT_SIZE];
    size_t before = out->n;
    memcpy(text, key.p, MASTER_KEY_SIZE);
    memcpy(text + MASTER_KEY_SIZE, label, MASTER_LABEL_SIZE);
    buf_putc(out, KIND_REMOTE);
    bool ok = out->failed ? err_no_memory(err) : remote(m, true, str_of(text, sizeof text), out, err);
    // A program that gives back what it was given protects nothing.
    if (ok && (out->n == before + 1 || str_find(buf_str(out), str_of(text, MASTER_KEY_SIZE)) < out->n))
        ok = err_set(err, ERR_STORE, "what should wrap the key gave %s",
                     out->n == before + 1 ? "nothing" : "the key itself back");
    secret_wipe(text, sizeof text);
    if (!ok) out->n = before;
    return ok;
}

static bool remote_unwrap(struct master *m, const unsigned char label[MASTER_LABEL_SIZE], struct str wrapped,
                          struct buf *out, struct err *err) {
    size_t before = out->n;
    if (!remote(m, false, str_from(wrapped, 1), out, err)) return false;
    if (out->n - before != REMOTE_TEXT_SIZE)
        return err_set(err, ERR_STORE, "what was unwrapped is no key: it has %zu bytes", out->n - before);
    if (sodium_memcmp(out->p + before + MASTER_KEY_SIZE, label, MASTER_LABEL_SIZE) != 0)
        return err_set(err, ERR_STORE, "a wrapped key is another's");
    return true;
}

// --- either ---

bool master_wrap(struct master *m, const unsigned char label[MASTER_LABEL_SIZE],
                 const unsigned char key[MASTER_KEY_SIZE], struct buf *out, struct err *err) {
    struct str bytes = str_of((const char *)key, MASTER_KEY_SIZE);
    return m->local ? local_wrap(m, label, bytes, out, err) : remote_wrap(m, label, bytes, out, err);
}

bool master_unwrap(struct master *m, const unsigned char label[MASTER_LABEL_SIZE], struct str wrapped,
                   unsigned char out_key[MASTER_KEY_SIZE], struct err *err) {
    struct buf text = BUF_INIT(MASTER_WRAPPED_MAX);
    char kind = m->local ? KIND_LOCAL : KIND_REMOTE;
    if (wrapped.n < 2 || wrapped.n > MASTER_WRAPPED_MAX) return err_set(err, ERR_STORE, "a wrapped key is damaged");
    if (wrapped.p[0] != kind)
        return err_set(err, ERR_STORE, "the master key in use is %s", m->local ? "elsewhere" : "a key at hand");
    bool ok = m->local ? local_unwrap(m, label, wrapped, &text, err) : remote_unwrap(m, label, wrapped, &text, err);
    if (ok) memcpy(out_key, text.p, MASTER_KEY_SIZE);
    secret_wipe(text.p, text.n);
    buf_free(&text);
    return ok;
}
