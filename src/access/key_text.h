// The text of keys: what one looks like, how a fresh one is made, and how texts like it are found among others.
//
// A key is "ps-", 43 random characters of 0-9A-Za-z (256 bits), and 6 more that are their checksum: the CRC-32 of the
// first 46 characters (as zlib's crc32), written in base 62 with the digits in that order, the highest first. So a
// scanner knows one by its form alone: of chance texts of that shape, one of four billion has the checksum. Keys of
// early versions are "ps-" and 43 characters of base64url without a checksum, and stay good.
//
// Ownership: a text made is the caller's secret; what is found lies in the text searched. Thread rule: any. Errors:
// ERR_NO_MEMORY.
#ifndef ACCESS_KEY_TEXT_H
#define ACCESS_KEY_TEXT_H

#include "access/key.h"

#define KEY_TEXT_REGEX "\\bps-[0-9A-Za-z]{49}\\b"

enum key_form {
    KEY_FORM_NONE,
    KEY_FORM_EARLY,   // of an early version: nothing to check it by
    KEY_FORM_DAMAGED, // its checksum is wrong: mistyped, cut and filled up, or no key
    KEY_FORM_GOOD,
};
enum key_form key_text_form(struct str text);
// "good", "early", "damaged", "none".
struct str key_form_name(enum key_form form);

// The next text of good or early form at or after *io_at, which is moved behind it. False: there is none.
NODISCARD bool key_text_find(struct str text, size_t *io_at, struct str *out_key, enum key_form *out_form);

NODISCARD bool key_text_make(struct secret *out_text, struct err *err);
void key_text_hash(const struct datadir *dir, struct str text, char out_hash[KEY_HASH_SIZE]);

#endif
