// Fuzzes the making harmless of pictures: what comes out is taken again, unchanged, and holds nothing that runs.
#include "govern/png.h"
#include "govern/svg.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_svg(struct str text) {
    static const struct str never[] = {STR_INIT("<script"), STR_INIT(" on"),    STR_INIT("href"),       STR_INIT("<!"),
                                       STR_INIT("<?"),      STR_INIT("<style"), STR_INIT("javascript:")};
    BUF_AUTO struct buf once = BUF_INIT(2 * SVG_MAX);
    BUF_AUTO struct buf twice = BUF_INIT(2 * SVG_MAX);
    struct err err;
    if (!svg_sanitise(text, &once, &err)) return;
    if (!svg_sanitise(buf_str(&once), &twice, &err) || !str_eq(buf_str(&once), buf_str(&twice))) abort();
    struct str made = buf_str(&once);
    // In a tag: text may say anything.
    for (size_t at = 0; at < made.n;) {
        size_t open = at + str_find_char(str_from(made, at), '<'), end;
        if (open >= made.n) break;
        end = open + str_find_char(str_from(made, open), '>');
        struct str tag = str_of(made.p + open, end - open);
        for (size_t i = 0; i < ARRAY_LEN(never); i++)
            if (i != 1 && str_find(tag, never[i]) < tag.n) abort();
        at = end;
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
