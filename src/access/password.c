// Hashes passwords with Argon2id, a bounded number at a time.
#include "access/password.h"

#include "base/mem.h"
#include "os/thread.h"

#include <sodium.h>

static_assert(PASSWORD_HASH_MAX == crypto_pwhash_argon2id_STRBYTES, "the size of libsodium's text form");

#define MEMORY_KIB_MAX (UINT64_C(4) << 20)
#define PASSES_MAX 1000
#define WAIT_NS UINT64_C(5000000000)

struct password_hasher {
    struct mutex mutex;
    struct cond freed;
    unsigned running, waiting, max_running, max_waiting;
};

bool password_hasher_create(unsigned running, unsigned waiting, struct password_hasher **out_hasher, struct err *err) {
    struct password_hasher *h = mem_zalloc(1, sizeof *h);
    if (!h) return err_no_memory(err);
    if (sodium_init() < 0) {
        mem_free(h);
        return err_set(err, ERR_INTERNAL, "the cryptographic library cannot start");
    }
    mutex_init(&h->mutex);
    cond_init(&h->freed);
    h->max_running = running ? running : 1;
    h->max_waiting = waiting;
    *out_hasher = h;
    return true;
}

void password_hasher_free(struct password_hasher *hasher) {
    if (!hasher) return;
    INVARIANT(!hasher->running && !hasher->waiting);
    cond_free(&hasher->freed);
    mutex_free(&hasher->mutex);
    mem_free(hasher);
}

static bool wait_turn(struct password_hasher *h) {
    bool free = true;
    if (h->waiting >= h->max_waiting) return false;
    h->waiting++;
    while (free && h->running == h->max_running) free = cond_wait_for(&h->freed, &h->mutex, WAIT_NS);
    h->waiting--;
    return free;
}

static bool enter(struct password_hasher *h, struct err *err) {
    if (!h) return true;
    mutex_lock(&h->mutex);
    bool in = h->running < h->max_running || wait_turn(h);
    h->running += in;
    mutex_unlock(&h->mutex);
    return in || err_set(err, ERR_OVERLOADED, "too many people sign in at this moment: try again in a few seconds");
}

static void leave(struct password_hasher *h) {
    if (!h) return;
    mutex_lock(&h->mutex);
    h->running--;
    cond_signal(&h->freed);
    mutex_unlock(&h->mutex);
}

// --- the text form: $argon2id$v=19$m=32768,t=2,p=1$SALT$HASH ---

static bool take_number(struct str *rest, struct str name, char end, uint64_t max, uint64_t *out_value) {
    struct str digits;
    if (!str_starts(*rest, name)) return false;
    *rest = str_from(*rest, name.n);
    return str_split(rest, end, &digits) && str_to_u64(digits, out_value) && *out_value <= max;
}

// What a hash says it cost; false when it is none, or says what no configuration allows.
static bool read_cost(struct str hash, uint64_t *out_kib, uint64_t *out_passes) {
    struct str rest = hash, begin = STR("$argon2id$v=19$");
    if (hash.n >= PASSWORD_HASH_MAX || !str_starts(rest, begin)) return false;
    rest = str_from(rest, begin.n);
    return take_number(&rest, STR("m="), ',', MEMORY_KIB_MAX, out_kib) &&
           take_number(&rest, STR("t="), ',', PASSES_MAX, out_passes) && str_starts(rest, STR("p=1$"));
}

bool password_is_cheap(struct str hash, const struct conf_password *cost) {
    uint64_t kib, passes;
    if (!read_cost(hash, &kib, &passes)) return true;
    return kib < (uint64_t)cost->memory / 1024 || passes < (uint64_t)cost->passes;
}

static bool hash_now(const struct conf_password *cost, struct str password, char out[PASSWORD_HASH_MAX],
                     struct err *err) {
    memset(out, 0, PASSWORD_HASH_MAX);
    if (crypto_pwhash_argon2id_str(out, password.p, password.n, (unsigned long long)cost->passes,
                                   (size_t)cost->memory) == 0)
        return true;
    return err_set(err, ERR_NO_MEMORY,
                   "there was no memory to hash a password: auth.password.memory asks for %lld bytes",
                   (long long)cost->memory);
}

bool password_hash(struct password_hasher *hasher, const struct conf_password *cost, struct str password,
                   char out_hash[PASSWORD_HASH_MAX], struct err *err) {
    char hash[PASSWORD_HASH_MAX];
    if (!enter(hasher, err)) return false;
    bool ok = hash_now(cost, password, hash, err);
    leave(hasher);
    if (ok) memcpy(out_hash, hash, sizeof hash);
    return ok;
}

bool password_verify(struct password_hasher *hasher, const struct conf_password *cost, struct str hash,
                     struct str password, bool *out_fits, struct err *err) {
    char text[PASSWORD_HASH_MAX] = {0};
    uint64_t kib, passes;
    bool known = read_cost(hash, &kib, &passes), fits = false, ok = true;
    // A longer one was never taken; what it costs to say so must not grow with it.
    struct str tried = str_head(password, PASSWORD_MAX);
    if (!enter(hasher, err)) return false;
    if (known) {
        memcpy(text, hash.p, hash.n);
        fits = crypto_pwhash_argon2id_str_verify(text, tried.p, tried.n) == 0 && tried.n == password.n;
    } else {
        ok = hash_now(cost, tried, text, err);
    }
    leave(hasher);
    if (ok) *out_fits = fits;
    return ok;
}
