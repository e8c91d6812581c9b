// Judges whether a password is one that guessers try first.
#include "access/password.h"

#include "base/secret.h"
#include "base/utf8.h"

#include <sodium.h>

#define HASH_SIZE 5
#define CORE_MIN 4   // bytes of a word that counts
#define AROUND_MAX 6 // bytes beside a word that do not make it a good password
#define NOVEL_MIN 4  // characters that do not just go on from the one before

extern const char embedded_common_passwords[]; // made by tools/common_passwords.py
extern const size_t embedded_common_passwords_size;

static bool listed(struct str word) {
    unsigned char hash[crypto_generichash_BYTES_MIN];
    if (word.n < CORE_MIN) return false;
    INVARIANT(crypto_generichash(hash, sizeof hash, (const unsigned char *)word.p, word.n, NULL, 0) == 0);
    size_t low = 0, high = embedded_common_passwords_size / HASH_SIZE;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = memcmp(embedded_common_passwords + middle * HASH_SIZE, hash, HASH_SIZE);
        if (order == 0) return true;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return false;
}

static char lower(char c) { return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c; }
static bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (unsigned char)c >= 0x80; }

// The letter that a digit or sign is written for.
static char meant(char c) {
    switch (c) {
    case '@':
    case '4':
        return 'a';
    case '3':
        return 'e';
    case '1':
    case '!':
        return 'i';
    case '0':
        return 'o';
    case '5':
    case '$':
        return 's';
    case '7':
    case '+':
        return 't';
    default:
        return c;
    }
}

static bool word_common(struct str word) {
    char text[PASSWORD_MAX];
    if (listed(word)) return true;
    for (size_t i = 0; i < word.n; i++) text[i] = meant(word.p[i]);
    return listed(str_of(text, word.n));
}

bool password_is_common(struct str password) {
    char text[PASSWORD_MAX];
    if (password.n > sizeof text) return false;
    for (size_t i = 0; i < password.n; i++) text[i] = lower(password.p[i]);
    struct str core = str_of(text, password.n);
    bool common = word_common(core);
    while (core.n && !is_letter(core.p[0])) core = str_from(core, 1);
    while (core.n && !is_letter(core.p[core.n - 1])) core.n--;
    common = common || (password.n - core.n <= AROUND_MAX && word_common(core));
    secret_wipe(text, sizeof text);
    return common;
}

// A personal text with little beside it.
static bool is_personal(struct str password, struct str text) {
    if (text.n < CORE_MIN || text.n > password.n || password.n - text.n > AROUND_MAX) return false;
    for (size_t at = 0; at + text.n <= password.n; at++)
        if (str_eq_nocase(str_of(password.p + at, text.n), text)) return true;
    return false;
}

static bool any_personal(struct str password, struct str text) {
    struct str part, rest = text;
    if (is_personal(password, text)) return true;
    // The parts of an address or a name.
    while (rest.n) {
        size_t n = 0;
        while (n < rest.n && rest.p[n] != '@' && rest.p[n] != ' ' && rest.p[n] != '.') n++;
        part = str_head(rest, n);
        rest = str_from(rest, n + 1);
        if (is_personal(password, part)) return true;
    }
    return false;
}

// The length of the shortest beginning of which it is nothing but copies.
static size_t period(struct str s) {
    for (size_t p = 1; p <= s.n / 2; p++)
        if (s.n % p == 0 && memcmp(s.p, s.p + p, s.n - p) == 0) return p;
    return s.n;
}

// "aaaaabbbbb", "1234567890", "abcdef654321".
static bool is_run(struct str s) {
    size_t novel = 1;
    for (size_t i = 1; i < s.n; i++) {
        int step = s.p[i] - s.p[i - 1];
        novel += step < -1 || step > 1;
    }
    return novel < NOVEL_MIN;
}

static const char *fault(struct str password, const struct str *personal, size_t n) {
    struct str unit = str_head(password, period(password));
    if (is_run(unit)) return "it is made of repeated or consecutive characters";
    if (unit.n < PASSWORD_MIN && unit.n < password.n) return "it repeats a shorter text";
    if (password_is_common(unit)) return "it is, but for a few characters, a common password, word or name";
    if (any_personal(unit, STR("penstock"))) return "it is little more than the name of this service";
    for (size_t i = 0; i < n; i++)
        if (any_personal(unit, personal[i])) return "it is little more than the user's own name or address";
    return NULL;
}

bool password_check(struct str password, const struct str *personal, size_t n, struct err *err) {
    if (password.n < PASSWORD_MIN)
        err_set(err, ERR_INVALID_FIELD, "the password is too short: it needs at least %d characters", PASSWORD_MIN);
    else if (password.n > PASSWORD_MAX)
        err_set(err, ERR_INVALID_FIELD, "the password is longer than %d bytes", PASSWORD_MAX);
    else if (!utf8_valid(password))
        err_set(err, ERR_INVALID_FIELD, "the password is not UTF-8");
    else {
        const char *why = fault(password, personal, n);
        if (!why) return true;
        err_set(err, ERR_INVALID_FIELD,
                "the password is too easy to guess: %s; take several words, or let a password "
                "manager make one",
                why);
    }
    snprintf(err->param, sizeof err->param, "password");
    return false;
}
