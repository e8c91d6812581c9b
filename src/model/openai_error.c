// Errors in OpenAI's dialect.
#include "model/openai_error.h"

#include "base/json_read.h"
#include "base/json_write.h"

void openai_error_put(struct buf *out, const struct err *err) {
    const struct err_info *info = err_info(err->code);
    struct json_writer w;
    json_writer_init(&w, out);
    json_put_object(&w);
    json_put_member_object(&w, STR("error"));
    json_put_member_str(&w, STR("message"), str_c(err->message));
    json_put_member_str(&w, STR("type"), str_c(info->type));
    if (err->param[0])
        json_put_member_str(&w, STR("param"), str_c(err->param));
    else
        json_put_member_null(&w, STR("param"));
    json_put_member_str(&w, STR("code"), str_c(info->wire_code));
    json_put_object_end(&w);
    json_put_object_end(&w);
    json_writer_done(&w);
}

void openai_error_event_put(struct buf *out, const struct err *err) {
    buf_lit(out, "data: ");
    openai_error_put(out, err);
    buf_lit(out, "\n\n");
}

bool openai_error_recognise(struct str body, struct str *out_message) {
    struct json_field f[] = {{.name = STR_INIT("error"), .kinds = JSON_IS(JSON_OBJECT) | JSON_IS(JSON_STRING)}};
    struct err err;
    struct str message;
    *out_message = STR("");
    if (!json_scan(body, f, 1, &err) || !f[0].found) return false;
    struct str raw = f[0].raw;
    bool text = f[0].kind == JSON_STRING;
    if (text || (JSON_GET(f[0].raw, &raw, STR("message")) && json_raw_kind(raw) == JSON_STRING)) {
        message = str_of(raw.p + 1, raw.n - 2);
        *out_message = message;
    }
    return true;
}
