// Fuzzes the making harmless of pictures: what comes out is taken again, unchanged, and holds nothing that runs.
#include "govern/png.h"
#include "govern/svg.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

// No value holds a "=", so what stands before one is an attribute's name.
static void check_tag(struct str tag) {
    static const struct str never[] = {STR_INIT("<script"), STR_INIT("href="),  STR_INIT("<!"),
                                       STR_INIT("<?"),      STR_INIT("<style"), STR_INIT("javascript:")};
    for (size_t i = 0; i < ARRAY_LEN(never); i++)
        if (str_find(tag, never[i]) < tag.n) abort();
    for (size_t at = 0; at < tag.n; at++) {
        if (tag.p[at] != '=') continue;
        size_t name = at;
        while (name > 0 && tag.p[name - 1] != ' ') name--;
        if (str_starts(str_from(tag, name), STR("on"))) abort();
    }
}

static void check_svg(struct str text) {
    BUF_AUTO struct buf once = BUF_INIT(2 * SVG_MAX);
    BUF_AUTO struct buf twice = BUF_INIT(2 * SVG_MAX);
    struct err err;
    if (!svg_sanitise(text, &once, &err)) return;
    if (!svg_sanitise(buf_str(&once), &twice, &err) || !str_eq(buf_str(&once), buf_str(&twice))) abort();
    struct str made = buf_str(&once);
    // In a tag: text may say anything.
    for (size_t at = 0; at < made.n;) {
        size_t open = at + str_find_char(str_from(made, at), '<');
        if (open >= made.n) break;
        at = open + str_find_char(str_from(made, open), '>');
        check_tag(str_of(made.p + open, at - open));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct str text = str_of((const char *)data, size);
    BUF_AUTO struct buf png = BUF_INIT(2 * PNG_MAX);
    struct err err;
    check_svg(text);
    if (png_sanitise(text, &png, &err)) {
        BUF_AUTO struct buf again = BUF_INIT(2 * PNG_MAX);
        if (!png_sanitise(buf_str(&png), &again, &err) || !str_eq(buf_str(&png), buf_str(&again))) abort();
    }
    return 0;
}
