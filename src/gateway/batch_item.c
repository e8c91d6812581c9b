// Reads lines out of a batch's file, and checks them.
#include "gateway/batch_item.h"

#include "base/json_read.h"
#include "base/json_write.h"
#include "os/rand.h"

#include <stdio.h>

#define ID_ARENA_MAX ((size_t)1 << 30)
#define FAULTS_BYTES_MAX ((size_t)1 << 20)

// --- reading ---

void batch_reader_init(struct batch_reader *r, const struct datadir *dir, int64_t tenant, int64_t file,
                       size_t max_line) {
    *r = (struct batch_reader){.dir = dir, .tenant = tenant, .file = file};
    buf_init(&r->buf, max_line + 2 * STORED_FILE_PIECE);
}

void batch_reader_free(struct batch_reader *r) { buf_free(&r->buf); }

static bool more(struct batch_reader *r, struct sql *db, struct err *err) {
    buf_drop(&r->buf, r->at);
    r->at = 0;
    size_t before = r->buf.n;
    if (before + STORED_FILE_PIECE > r->buf.max)
        return err_set(err, ERR_BODY_TOO_LARGE, "line %lld is longer than a request may be (limits.max_body)",
                       (long long)r->line + 1);
    if (!stored_file_piece(sql_tenant(db, r->tenant), r->dir, r->file, r->piece, &r->buf, err)) {
        if (err->code != ERR_NOT_FOUND) return false;
        r->at_end = true;
        return true;
    }
    r->piece++;
    r->at_end = r->buf.n - before < STORED_FILE_PIECE;
    return true;
}

static struct str trimmed(struct batch_reader *r, struct str line) {
    if (r->line == 1 && str_starts(line, STR("\xef\xbb\xbf"))) line = str_from(line, 3);
    return str_trim(line);
}

bool batch_reader_next(struct batch_reader *r, struct sql *db, struct str *out_line, struct err *err) {
    for (size_t looked = 0;;) {
        struct str rest = str_from(buf_str(&r->buf), r->at);
        size_t end = looked + str_find_char(str_from(rest, looked), '\n');
        if (end >= rest.n && !r->at_end) {
            looked = rest.n;
            if (!more(r, db, err)) return false;
            continue;
        }
        if (!rest.n) {
            *out_line = STR_NONE;
            return true;
        }
        if (++r->line >= BATCH_LINES_MAX) return err_set(err, ERR_BODY_TOO_LARGE, "the file has too many lines");
        r->at += MIN(end + 1, rest.n);
        looked = 0;
        *out_line = trimmed(r, str_head(rest, end));
        if (out_line->n) return true;
    }
}

// --- a line ---

bool batch_endpoint_known(struct str path) {
    static const struct str known[] = {STR_INIT("/v1/chat/completions"), STR_INIT("/v1/responses"),
                                       STR_INIT("/v1/embeddings"), STR_INIT("/v1/completions"),
                                       STR_INIT("/v1/messages")};
    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (str_eq(path, known[i])) return true;
    return false;
}

PRINTF_LIKE(4, 5)
static bool fault_set(struct batch_fault *f, const char *code, const char *param, const char *fmt, ...) {
    va_list ap;
    f->code = code;
    f->param = param;
    va_start(ap, fmt);
    vsnprintf(f->message, sizeof f->message, fmt, ap);
    va_end(ap);
    return false;
}

enum { ITEM_ID, ITEM_METHOD, ITEM_URL, ITEM_BODY, ITEM_FIELDS };

static bool check_fields(struct json_field *f, struct str endpoint, struct batch_fault *fault) {
    static const enum json_kind kinds[] = {JSON_STRING, JSON_STRING, JSON_STRING, JSON_OBJECT};
    for (size_t i = 0; i < ITEM_FIELDS; i++) {
        if (!f[i].found)
            return fault_set(fault, "missing_required_parameter", f[i].name.p, "\"%s\" is missing", f[i].name.p);
        if (f[i].kind != kinds[i])
            return fault_set(fault, "invalid_type", f[i].name.p, "\"%s\" must be %s", f[i].name.p,
                             kinds[i] == JSON_STRING ? "a string" : "an object");
    }
    if (!json_string_eq(f[ITEM_METHOD].raw, STR("POST")))
        return fault_set(fault, "invalid_method", "method", "\"method\" must be \"POST\"");
    if (!json_string_eq(f[ITEM_URL].raw, endpoint))
        return fault_set(fault, "mismatched_url", "url", "\"url\" must be the batch's endpoint, \"%.*s\"",
                         STR_ARG(endpoint));
    size_t n = json_string_len(f[ITEM_ID].raw);
    if (n < 1 || n > BATCH_CUSTOM_ID_MAX)
        return fault_set(fault, "invalid_custom_id", "custom_id", "\"custom_id\" must have 1 to %d bytes",
                         BATCH_CUSTOM_ID_MAX);
    return true;
}

static bool check_body(struct str body, struct batch_fault *fault) {
    struct str raw;
    bool stream = false;
    if (JSON_GET(body, &raw, STR("stream")) && json_raw_bool(raw, &stream) && stream)
        return fault_set(fault, "invalid_value", "body.stream", "lines of a batch are not streamed");
    if (!JSON_GET(body, &raw, STR("model")) || json_raw_kind(raw) != JSON_STRING)
        return fault_set(fault, "missing_required_parameter", "body.model", "\"body\" must name a model");
    return true;
}

bool batch_item_read(struct str line, struct str endpoint, struct arena *arena, struct batch_item *out,
                     struct batch_fault *fault) {
    *out = (struct batch_item){STR_NONE, STR_NONE};
    struct json_field f[ITEM_FIELDS] = {[ITEM_ID] = {.name = STR("custom_id")},
                                        [ITEM_METHOD] = {.name = STR("method")},
                                        [ITEM_URL] = {.name = STR("url")},
                                        [ITEM_BODY] = {.name = STR("body")}};
    struct err err;
    if (!json_scan(line, f, ITEM_FIELDS, &err))
        return fault_set(fault, "invalid_json_line", NULL, "this line is not a valid JSON object: %.200s", err.message);
    if (!check_fields(f, endpoint, fault) || !check_body(f[ITEM_BODY].raw, fault)) return false;
    if (!json_string_text(f[ITEM_ID].raw, arena, &out->custom_id))
        return fault_set(fault, "internal_error", NULL, "there was no memory for the line");
    out->body = f[ITEM_BODY].raw;
    return true;
}

// --- all lines ---

void batch_check_init(struct batch_check *c, struct str endpoint, int64_t max_lines) {
    *c = (struct batch_check){.endpoint = endpoint, .max_lines = max_lines};
    arena_init(&c->arena, NULL, 64 * 1024, ID_ARENA_MAX);
    map_init(&c->ids, rand_u64());
    buf_init(&c->faults, FAULTS_BYTES_MAX);
}

void batch_check_free(struct batch_check *c) {
    map_free(&c->ids);
    arena_free(&c->arena);
    buf_free(&c->faults);
}

void batch_check_fault(struct batch_check *c, int64_t number, const struct batch_fault *fault) {
    struct json_writer w;
    buf_putc(&c->faults, c->n_faults++ ? ',' : '[');
    json_writer_init(&w, &c->faults);
    json_put_object(&w);
    json_put_member_str(&w, STR("code"), str_c(fault->code));
    if (number)
        json_put_member_i64(&w, STR("line"), number);
    else
        json_put_member_null(&w, STR("line"));
    json_put_member_str(&w, STR("message"), str_c(fault->message));
    json_put_member_text(&w, STR("param"), str_c(fault->param));
    json_put_object_end(&w);
}

// Twice the same id, and what came of the two could not be told apart.
static bool check_unique(struct batch_check *c, struct str id, struct batch_fault *fault) {
    static char mark;
    struct str kept = arena_str(&c->arena, id);
    if (!kept.p) return fault_set(fault, "internal_error", NULL, "there was no memory to check the line");
    if (map_get(&c->ids, kept))
        return fault_set(fault, "duplicate_custom_id", "custom_id", "this custom_id is used by an earlier line");
    return map_put(&c->ids, kept, &mark) ||
           fault_set(fault, "internal_error", NULL, "there was no memory to check the line");
}

bool batch_check_line(struct batch_check *c, int64_t number, struct str line) {
    struct arena scratch;
    struct batch_item item;
    struct batch_fault fault;
    if (c->lines == c->max_lines) {
        fault_set(&fault, "too_many_tasks", NULL, "a batch may have %lld lines (batches.max_lines)",
                  (long long)c->max_lines);
        batch_check_fault(c, 0, &fault);
        return false;
    }
    c->lines++;
    arena_init(&scratch, NULL, 0, 64 * 1024);
    if (!batch_item_read(line, c->endpoint, &scratch, &item, &fault) || !check_unique(c, item.custom_id, &fault))
        batch_check_fault(c, number, &fault);
    arena_free(&scratch);
    return c->n_faults < BATCH_FAULTS_MAX;
}

struct str batch_check_end(struct batch_check *c) {
    struct batch_fault fault;
    if (!c->lines && !c->n_faults) {
        fault_set(&fault, "empty_file", NULL, "the file has no lines");
        batch_check_fault(c, 0, &fault);
    }
    if (c->n_faults) buf_putc(&c->faults, ']');
    return buf_str(&c->faults);
}
