// A fresh key's text, and the hash it is known by.
//
// Ownership: the text is the caller's secret. Thread rule: any. Errors: ERR_NO_MEMORY.
#ifndef ACCESS_KEY_TEXT_H
#define ACCESS_KEY_TEXT_H

#include "access/key.h"

NODISCARD bool key_text_make(struct secret *out_text, struct err *err);
void key_text_hash(const struct datadir *dir, struct str text, char out_hash[KEY_HASH_SIZE]);

#endif
