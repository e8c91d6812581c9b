// Fuzzes addresses, blocks of them and origins: what is accepted holds its own address, and only texts of their shape
// are.
#include "access/key_place.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool ok) {
    if (!ok) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct str text = str_of((const char *)data, size);
    struct cidr block;
    uint8_t bytes[16];
    struct arena arena;
    struct key_place place;
    struct err err;
    bool damaged;
    if (size == 0) return 0;
    if (cidr_parse(text, &block)) {
        check(block.bits <= 128 && cidr_has(&block, block.bytes));
        check(address_parse(str_head(text, str_find_char(text, '/')), bytes) && !memcmp(bytes, block.bytes, 16));
    }
    if (address_parse(text, bytes))
        check(cidr_parse(str_head(text, str_find_char(text, '%')), &block) || text.p[0] == '[');
    arena_init(&arena, NULL, 0, 1 << 20);
    if (key_place_read(&arena, text, text, &place, &damaged)) {
        // A list that cannot be read lets nobody in.
        if (damaged) check(!key_place_allows(&place, STR("10.0.0.1"), STR("https://a.b"), &err));
        (void)!key_place_allows(&place, text, text, &err);
    }
    arena_free(&arena);
    return 0;
}
