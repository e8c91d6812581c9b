// Makes the text of keys.
#include "access/key_text.h"

#include "base/text.h"
#include "os/rand.h"

bool key_text_make(struct secret *out_text, struct err *err) {
    char random[32];
    struct buf text = BUF_INIT(KEY_TEXT_LEN);
    // Reserved at once: growing would leave copies behind.
    bool ok = buf_reserve(&text, KEY_TEXT_LEN);
    rand_bytes(random, sizeof random);
    buf_lit(&text, "ps-");
    base64url_put(&text, str_of(random, sizeof random));
    ok = ok && !text.failed && secret_set(out_text, buf_str(&text));
    secret_wipe(random, sizeof random);
    secret_wipe(text.p, text.n);
    buf_free(&text);
    return ok || err_no_memory(err);
}

void key_text_hash(const struct datadir *dir, struct str text, char out_hash[KEY_HASH_SIZE]) {
    key_hash(datadir_secret(dir), text, out_hash);
}
