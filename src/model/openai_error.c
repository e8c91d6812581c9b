// Errors in OpenAI's dialect.
#include "model/openai_error.h"

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
