// Thought signatures packed into the ids of calls, so that clients of any dialect give them back.
#include "model/gemini/gemini.h"

static bool is_base64(struct str s) {
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        bool word = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!word && (!c || !strchr("+/-_=", c))) return false;
    }
    return s.n > 0;
}

// In the alphabet that ids of every vendor may have; Google reads either alphabet, padded or not.
void gemini_id_pack(struct buf *out, struct str id, struct str signature) {
    buf_put(out, id);
    if (!is_base64(signature)) return;
    buf_lit(out, GEMINI_SIGNATURE_MARK);
    for (size_t i = 0; i < signature.n; i++) {
        char c = signature.p[i];
        if (c == '=') break;
        buf_putc(out, (char)(c == '+' ? '-' : c == '/' ? '_' : c));
    }
}

void gemini_id_unpack(struct str packed, struct str *out_id, struct str *out_signature) {
    size_t at = str_find(packed, STR(GEMINI_SIGNATURE_MARK));
    *out_id = str_head(packed, at);
    *out_signature = at == packed.n ? STR_NONE : str_from(packed, at + sizeof GEMINI_SIGNATURE_MARK - 1);
}
