// Fuzzes imports: whatever another gateway's file holds, what comes out is a configuration that loads.
//
// The first byte chooses the format.
#include "conf/import.h"

static bool env_read(void *ctx, struct str path, size_t max, struct buf *out, struct err *err) {
    (void)ctx, (void)max, (void)path;
    buf_lit(out, "model_list: [{model_name: a, litellm_params: {model: groq/b, api_key: secret}}]\n");
    return out->failed ? err_no_memory(err) : true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const struct conf_env env = {.read_file = env_read};
    struct str all = str_of((const char *)data, size), text = str_from(all, 1);
    enum import_format format = size && data[0] == 'p' ? IMPORT_PORTKEY : IMPORT_LITELLM;
    struct conf_problems problems;
    struct import_result result;
    struct buf out = BUF_INIT((size_t)1 << 22);
    conf_problems_init(&problems);
    if (import_run(format, text, STR("foreign"), &env, &problems, &result)) {
        import_notes_print(&result, &out);
        import_result_free(&result);
    }
    for (size_t i = 0; i < problems.list.n; i++) {
        struct str message = problems.list.p[i].message;
        INVARIANT(str_find(message, STR("would not be valid")) == message.n);
    }
    conf_problems_free(&problems);
    buf_free(&out);
    return 0;
}
