// Fuzzes the search for keys in text: what is found lies in it, has the form, and the search comes to an end.
#include "access/key_text.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool ok) {
    if (!ok) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct str text = str_of((const char *)data, size), key;
    enum key_form form;
    size_t at = 0, last = 0;
    check(key_text_form(text) == KEY_FORM_NONE || size == KEY_TEXT_LEN || size == KEY_TEXT_EARLY_LEN);
    while (key_text_find(text, &at, &key, &form)) {
        check(key.p >= text.p && key.p + key.n == text.p + at && at <= size && at >= last + key.n);
        check(key_text_valid(key) && form == key_text_form(key));
        last = at;
    }
    check(at == size);
    return 0;
}
