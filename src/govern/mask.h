// Leaves out of a text what must not be kept: e-mail addresses, numbers of payment cards, network addresses, keys, and
// texts that are named.
//
// Ownership: borrowed. Thread rule: pure functions. Errors: a full buf says so itself.
#ifndef GOVERN_MASK_H
#define GOVERN_MASK_H

#include "base/buf.h"

enum mask_kind { MASK_EMAIL = 1, MASK_CARD = 2, MASK_ADDRESS = 4, MASK_SECRET = 8 };
#define MASK_TEXTS_MAX 64
struct mask {
    unsigned kinds;                   // enum mask_kind, or-ed
    struct str texts[MASK_TEXTS_MAX]; // any case of ASCII; one that ends in '*' takes the rest of its word with it
    size_t n;
};
// "email", "card", "address", "secret", "text:WORDS"; what is none of them is passed over.
void mask_add(struct mask *mask, struct str pattern);
// The text with "[email]", "[card]", "[address]", "[secret]", "[masked]" in place of what is masked.
void mask_put(struct buf *out, const struct mask *mask, struct str text);
// Of one that was cut before it was masked, all but an end that may be half of what is masked, and so was not known.
struct str mask_whole(const struct mask *mask, struct str masked);

// A request's path as it may be logged and answered with: keys in it masked, where they do not belong, and then cut at
// MASK_PATH_MAX. `out` is used only when there are any; without, it is the path itself.
#define MASK_PATH_MAX 512
struct str mask_path(struct str path, char out[MASK_PATH_MAX]);

#endif
