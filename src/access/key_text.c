// Makes the text of keys, tells their form, and finds them in other text.
#include "access/key_text.h"

#include "os/rand.h"

#define CHECK_LEN 6
#define BODY_LEN (KEY_TEXT_LEN - CHECK_LEN)
#define RANDOM_LEN (BODY_LEN - 3)

static const char k_digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

static bool is_base62(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); }
static bool is_base64url(char c) { return is_base62(c) || c == '-' || c == '_'; }

// CRC-32 of ISO 3309, which every scanner's language has at hand; half a byte at a time.
static uint32_t crc32_of(struct str text) {
    static const uint32_t table[16] = {0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4,
                                       0x4db26158, 0x5005713c, 0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c,
                                       0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c};
    uint32_t crc = UINT32_MAX;
    for (size_t i = 0; i < text.n; i++) {
        crc ^= (unsigned char)text.p[i];
        crc = crc >> 4 ^ table[crc & 15];
        crc = crc >> 4 ^ table[crc & 15];
    }
    return ~crc;
}

static void checksum(struct str body, char out[CHECK_LEN]) {
    uint32_t crc = crc32_of(body);
    for (size_t i = CHECK_LEN; i-- > 0; crc /= 62) out[i] = k_digits[crc % 62];
}

// How many characters from `at` on are of the kind, up to one more than would do.
static size_t run_of(struct str text, size_t at, bool (*is_kind)(char), size_t enough) {
    size_t n = 0;
    while (n <= enough && at + n < text.n && is_kind(text.p[at + n])) n++;
    return n;
}

enum key_form key_text_form(struct str text) {
    char check[CHECK_LEN];
    if (!str_starts(text, STR("ps-"))) return KEY_FORM_NONE;
    if (text.n == KEY_TEXT_EARLY_LEN)
        return run_of(text, 3, is_base64url, text.n) == text.n - 3 ? KEY_FORM_EARLY : KEY_FORM_NONE;
    if (text.n != KEY_TEXT_LEN || run_of(text, 3, is_base62, text.n) != text.n - 3) return KEY_FORM_NONE;
    checksum(str_head(text, BODY_LEN), check);
    // Nothing secret: whoever has the text can work it out.
    return memcmp(check, text.p + BODY_LEN, CHECK_LEN) == 0 ? KEY_FORM_GOOD : KEY_FORM_DAMAGED;
}

bool key_text_valid(struct str text) {
    enum key_form form = key_text_form(text);
    return form == KEY_FORM_GOOD || form == KEY_FORM_EARLY;
}

struct str key_form_name(enum key_form form) {
    switch (form) {
    case KEY_FORM_EARLY:
        return STR("early");
    case KEY_FORM_DAMAGED:
        return STR("damaged");
    case KEY_FORM_GOOD:
        return STR("good");
    case KEY_FORM_NONE:
        break;
    }
    return STR("none");
}

// The key that begins here, if one does.
static bool key_at(struct str text, size_t at, struct str *out_key, enum key_form *out_form) {
    size_t n = run_of(text, at + 3, is_base62, KEY_TEXT_LEN);
    bool ends = at + 3 + n == text.n || text.p[at + 3 + n] != '_';
    if (n != KEY_TEXT_LEN - 3 || !ends) n = run_of(text, at + 3, is_base64url, KEY_TEXT_EARLY_LEN);
    *out_key = str_of(text.p + at, n + 3);
    *out_form = key_text_form(*out_key);
    return *out_form == KEY_FORM_GOOD || *out_form == KEY_FORM_EARLY;
}

bool key_text_find(struct str text, size_t *io_at, struct str *out_key, enum key_form *out_form) {
    for (size_t at = *io_at; at < text.n; at += 3) {
        at += str_find(str_from(text, at), STR("ps-"));
        if (at >= text.n) break;
        bool begins = at == 0 || !(is_base62(text.p[at - 1]) || text.p[at - 1] == '_');
        if (!begins || !key_at(text, at, out_key, out_form)) continue;
        *io_at = at + out_key->n;
        return true;
    }
    *io_at = text.n;
    return false;
}

// Each of the 62 as likely as the others: bytes beyond the last whole 62 are drawn again.
static void put_random(struct buf *out, size_t n) {
    while (n) {
        unsigned char random[64];
        rand_bytes(random, sizeof random);
        for (size_t i = 0; i < sizeof random && n; i++) {
            if (random[i] >= 248) continue;
            buf_putc(out, k_digits[random[i] % 62]);
            n--;
        }
        secret_wipe(random, sizeof random);
    }
}

bool key_text_make(struct secret *out_text, struct err *err) {
    struct buf text = BUF_INIT(KEY_TEXT_LEN);
    char check[CHECK_LEN];
    // Reserved at once: growing would leave copies behind.
    bool ok = buf_reserve(&text, KEY_TEXT_LEN);
    if (ok) {
        buf_lit(&text, "ps-");
        put_random(&text, RANDOM_LEN);
        checksum(buf_str(&text), check);
        buf_put(&text, str_of(check, sizeof check));
        ok = !text.failed && secret_set(out_text, buf_str(&text));
        secret_wipe(text.p, text.n);
    }
    buf_free(&text);
    return ok || err_no_memory(err);
}

void key_text_hash(const struct datadir *dir, struct str text, char out_hash[KEY_HASH_SIZE]) {
    key_hash(datadir_secret(dir), text, out_hash);
}
