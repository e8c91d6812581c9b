// What the API tells of itself: its description, and the page to read and try it.
#include "admin/api_impl.h"
#include "admin/api_openapi.h"

extern const char embedded_docs_page[], embedded_docs_script[], embedded_docs_style[];
extern const size_t embedded_docs_page_size, embedded_docs_script_size, embedded_docs_style_size;

static bool openapi(struct api_call *call, struct err *err) {
    (void)err;
    api_openapi_put(&call->reply->body);
    return true;
}

static bool docs(struct api_call *call, struct err *err) {
    static const struct {
        struct str path, type;
        const char *bytes;
        const size_t *size;
    } files[] = {
        {STR_INIT("/docs"), STR_INIT("text/html; charset=utf-8"), embedded_docs_page, &embedded_docs_page_size},
        {STR_INIT("/docs/page.js"), STR_INIT("text/javascript; charset=utf-8"), embedded_docs_script,
         &embedded_docs_script_size},
        {STR_INIT("/docs/page.css"), STR_INIT("text/css; charset=utf-8"), embedded_docs_style,
         &embedded_docs_style_size},
    };
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        if (!str_eq(files[i].path, call->request->path)) continue;
        buf_append(&call->reply->body, files[i].bytes, *files[i].size);
        call->reply->type = files[i].type;
        return true;
    }
    return err_set(err, ERR_NOT_FOUND, "there is no such file");
}

#define FILE_OF_PAGE(p, what)                                                                                          \
    {                                                                                                                  \
        .method = HTTP_GET, .path = STR_INIT(p), .flags = API_OPEN | API_ANYBODY, .handle = docs,                      \
        .answer = "{\"type\":\"string\"}", .summary = what                                                             \
    }

static const struct api_endpoint k_endpoints[] = {
    {.method = HTTP_GET,
     .path = STR_INIT("/api/openapi.json"),
     .flags = API_OPEN | API_ANYBODY,
     .handle = openapi,
     .answer = "{\"type\":\"object\"}",
     .summary = "This description"},
    FILE_OF_PAGE("/docs", "A page to read it and try it"),
    FILE_OF_PAGE("/docs/page.js", "The page's script"),
    FILE_OF_PAGE("/docs/page.css", "The page's style"),
};
const struct api_table api_table_about = {"About", k_endpoints, ARRAY_LEN(k_endpoints)};
