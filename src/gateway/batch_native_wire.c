// What is said to a provider's batch API, and read from its answers.
#include "gateway/batch_native.h"

#include "base/json_read.h"
#include "base/json_write.h"
#include "os/rand.h"

#define ID_MAX 256
#define CUSTOM STR("line-")

// --- said ---

void native_line_put(struct buf *out, int64_t line, struct str url, struct str body) {
    struct json_writer w;
    size_t from = out->n, to;
    char id[32];
    int n = snprintf(id, sizeof id, "line-%lld", (long long)line);
    json_writer_init(&w, out);
    json_put_object(&w);
    json_put_member_str(&w, STR("custom_id"), str_of(id, (size_t)n));
    json_put_member_str(&w, STR("method"), STR("POST"));
    json_put_member_str(&w, STR("url"), url);
    json_put_member_raw(&w, STR("body"), body);
    json_put_object_end(&w);
    if (out->failed) return;
    // Line ends stand between the tokens of JSON, never within them.
    to = from;
    for (size_t i = from; i < out->n; i++)
        if (out->p[i] != '\n' && out->p[i] != '\r') out->p[to++] = out->p[i];
    out->n = to;
    buf_putc(out, '\n');
}

bool native_say_upload(struct native_ask *ask, struct str name, struct str lines) {
    struct arena *a = &ask->arena;
    unsigned long long mark[2] = {rand_u64(), rand_u64()};
    ask->method = STR("POST");
    ask->target = STR("/files");
    ask->type = arena_printf(a, "multipart/form-data; boundary=penstock-%016llx%016llx", mark[0], mark[1]);
    ask->body[0] = arena_printf(a,
                                "--penstock-%016llx%016llx\r\nContent-Disposition: form-data; name=\"purpose\"\r\n\r\n"
                                "batch\r\n--penstock-%016llx%016llx\r\nContent-Disposition: form-data; name=\"file\"; "
                                "filename=\"%.*s.jsonl\"\r\nContent-Type: application/jsonl\r\n\r\n",
                                mark[0], mark[1], mark[0], mark[1], STR_ARG(name));
    ask->body[1] = lines;
    ask->body[2] = arena_printf(a, "\r\n--penstock-%016llx%016llx--\r\n", mark[0], mark[1]);
    ask->n_body = 3;
    return ask->type.p && ask->body[0].p && ask->body[2].p;
}

bool native_say_create(struct native_ask *ask, struct str file, struct str url, struct str name) {
    struct json_writer w;
    buf_init(&ask->upload, 8192);
    json_writer_init(&w, &ask->upload);
    json_put_object(&w);
    json_put_member_str(&w, STR("input_file_id"), file);
    json_put_member_str(&w, STR("endpoint"), url);
    json_put_member_str(&w, STR("completion_window"), STR("24h"));
    json_put_member_object(&w, STR("metadata"));
    json_put_member_str(&w, STR("penstock_batch"), name);
    json_put_object_end(&w);
    json_put_object_end(&w);
    ask->method = STR("POST");
    ask->target = STR("/batches");
    ask->type = STR("application/json");
    ask->body[0] = buf_str(&ask->upload);
    ask->n_body = 1;
    return !ask->upload.failed;
}

// --- read ---

// It becomes a part of paths.
static bool is_id(struct str id) {
    if (!id.n || id.n > ID_MAX || id.p[0] == '.') return false;
    for (size_t i = 0; i < id.n; i++) {
        char c = id.p[i];
        bool fits = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
                    c == '_' || c == '.';
        if (!fits) return false;
    }
    return true;
}

static struct str id_of(struct str json, struct str name, struct arena *arena) {
    struct str raw, id;
    if (!json_get(json, &name, 1, &raw) || json_raw_kind(raw) != JSON_STRING || !json_string_borrow(raw, &id) ||
        !is_id(id))
        return STR("");
    id = arena_str(arena, id);
    return id.p ? id : STR("");
}

struct str native_hear_id(struct str json, struct arena *arena) {
    struct str id = id_of(json, STR("id"), arena);
    return id.n ? id : STR_NONE;
}

struct str native_hear_error(struct str json) {
    struct str raw, text;
    if (JSON_GET(json, &raw, STR("error"), STR("message")) && json_raw_kind(raw) == JSON_STRING &&
        json_string_borrow(raw, &text))
        return str_head(text, 200);
    return STR("no error object");
}

bool native_hear_batch(struct str json, struct arena *arena, struct native_batch *out) {
    static const struct str ends[] = {STR_INIT("completed"), STR_INIT("failed"), STR_INIT("expired"),
                                      STR_INIT("cancelled")};
    *out = (struct native_batch){.id = id_of(json, STR("id"), arena),
                                 .status = id_of(json, STR("status"), arena),
                                 .output_file = id_of(json, STR("output_file_id"), arena),
                                 .error_file = id_of(json, STR("error_file_id"), arena)};
    for (size_t i = 0; i < ARRAY_LEN(ends); i++) out->ended |= str_eq(out->status, ends[i]);
    return out->id.n && out->status.n;
}

static bool is_of_file(struct str json, struct str file) {
    struct str raw;
    return JSON_GET(json, &raw, STR("input_file_id")) && json_raw_kind(raw) == JSON_STRING && json_string_eq(raw, file);
}

bool native_hear_list(struct str json, struct str file, struct arena *arena, struct native_batch *out,
                      struct str *out_last) {
    struct json_reader r;
    struct str data, one, more, last = STR("");
    enum json_kind kind;
    bool has_more = false;
    *out_last = STR("");
    if (!JSON_GET(json, &data, STR("data")) || json_raw_kind(data) != JSON_ARRAY) return false;
    json_reader_init(&r, data, 0);
    json_enter_array(&r);
    while (json_element(&r, &kind) && json_skip(&r, &one)) {
        if (is_of_file(one, file)) return native_hear_batch(one, arena, out);
        last = one;
    }
    if (JSON_GET(json, &more, STR("has_more")) && json_raw_bool(more, &has_more) && has_more && last.n)
        *out_last = id_of(last, STR("id"), arena);
    return false;
}

// --- results ---

static bool number_of(struct str line, int64_t *out_number) {
    struct str raw, text;
    uint64_t number;
    if (!JSON_GET(line, &raw, STR("custom_id")) || json_raw_kind(raw) != JSON_STRING ||
        !json_string_borrow(raw, &text) || !str_starts(text, CUSTOM) ||
        !str_to_u64(str_from(text, CUSTOM.n), &number) || number >= (uint64_t)BATCH_LINES_MAX)
        return false;
    *out_number = (int64_t)number;
    return true;
}

static bool has_answer(struct str line, int *out_status, struct str *out_body) {
    struct str response, status, body;
    int64_t code;
    if (!JSON_GET(line, &response, STR("response")) || json_raw_kind(response) != JSON_OBJECT ||
        !JSON_GET(response, &status, STR("status_code")) || !json_raw_i64(status, &code) || code < 200 || code > 599 ||
        !JSON_GET(response, &body, STR("body")) || json_raw_kind(body) != JSON_OBJECT)
        return false;
    *out_status = (int)code;
    *out_body = body;
    return true;
}

static int by_line(const void *a, const void *b) {
    const struct native_result *x = a, *y = b;
    if (x->line != y->line) return x->line < y->line ? -1 : 1;
    return x->from < y->from ? -1 : x->from > y->from;
}

bool native_results_index(struct native_results *results) {
    struct str rest = buf_str(&results->text), body;
    struct err ignored;
    results->index.n = 0;
    while (rest.n) {
        size_t end = str_find_char(rest, '\n');
        struct str line = str_trim(str_head(rest, end));
        struct native_result r = {.n = line.n};
        int status;
        rest = str_from(rest, MIN(end + 1, rest.n));
        if (!line.n || !json_validate(line, JSON_DEPTH_MAX, &ignored) || !number_of(line, &r.line) ||
            !has_answer(line, &status, &body))
            continue;
        r.from = (size_t)(line.p - results->text.p);
        if (!vec_push(&results->index, r)) return false;
    }
    if (results->index.n) qsort(results->index.p, results->index.n, sizeof *results->index.p, by_line);
    return true;
}

bool native_results_find(const struct native_results *results, int64_t line, int *out_status, struct str *out_body) {
    size_t low = 0, high = results->index.n;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (results->index.p[mid].line < line)
            low = mid + 1;
        else
            high = mid;
    }
    if (low == results->index.n || results->index.p[low].line != line) return false;
    const struct native_result *r = &results->index.p[low];
    return has_answer(str_of(results->text.p + r->from, r->n), out_status, out_body);
}
