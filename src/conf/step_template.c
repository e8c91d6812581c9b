// Takes the templates of a chain's steps apart.
#include "conf/step_template.h"

static bool is_name(struct str s) {
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        bool fine = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
                    c == '_' || c == '.';
        if (!fine) return false;
    }
    return s.n > 0;
}

bool step_template_next(struct str *rest, struct str *out_text, struct str *out_name) {
    struct str all = *rest;
    if (!all.n) return false;
    for (size_t at = 0; at < all.n;) {
        size_t open = at + str_find(str_from(all, at), STR("{{"));
        if (open >= all.n) break;
        size_t close = open + 2 + str_find(str_from(all, open + 2), STR("}}"));
        if (close >= all.n) break;
        struct str name = str_trim(str_head(str_from(all, open + 2), close - open - 2));
        if (is_name(name)) {
            *out_text = str_head(all, open);
            *out_name = name;
            *rest = str_from(all, close + 2);
            return true;
        }
        at = open + 1;
    }
    *out_text = all;
    *out_name = STR_NONE;
    *rest = STR("");
    return true;
}
