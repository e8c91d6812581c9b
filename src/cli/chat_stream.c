// Reads a streamed chat answer.
#include "cli/chat_stream.h"

#include "base/json_read.h"
#include "model/dialect.h"

#define ERROR_SHOWN 300

void chat_stream_init(struct chat_stream *s, void (*text)(void *arg, struct str text), void *arg) {
    *s = (struct chat_stream){
        .line = BUF_INIT(CHAT_LINE_MAX), .decoded = BUF_INIT(CHAT_LINE_MAX), .text = text, .arg = arg};
}

void chat_stream_free(struct chat_stream *s) {
    buf_free(&s->line);
    buf_free(&s->decoded);
}

void chat_error_text(struct str body, struct buf *out) {
    struct err err;
    struct str message;
    if (json_validate(body, 0, &err) && JSON_GET(body, &message, STR("error"), STR("message")) &&
        json_string_decode(message, out))
        return;
    buf_put(out, str_head(str_trim(body), ERROR_SHOWN));
}

static void take_choice(struct chat_stream *s, struct str choice) {
    struct str content;
    if (!JSON_GET(choice, &content, STR("delta"), STR("content"))) return;
    buf_clear(&s->decoded);
    if (json_string_decode(content, &s->decoded) && s->decoded.n) s->text(s->arg, buf_str(&s->decoded));
}

static void take_choices(struct chat_stream *s, struct str choices) {
    struct json_reader r;
    enum json_kind kind;
    struct str choice;
    json_reader_init(&r, choices, 0);
    if (!json_enter_array(&r)) return;
    while (json_element(&r, &kind))
        if (json_skip(&r, &choice)) take_choice(s, choice);
}

static bool take_error(struct str data, struct err *err) {
    BUF_AUTO struct buf message = BUF_INIT(ERR_MESSAGE_MAX * 16);
    chat_error_text(data, &message);
    return err_set(err, ERR_UPSTREAM_STATUS, "%.*s", STR_ARG(buf_str(&message)));
}

static bool take_data(struct chat_stream *s, struct str data, struct err *err) {
    if (str_eq(data, STR("[DONE]"))) {
        s->done = true;
        return true;
    }
    struct json_field f[] = {
        {.name = STR_INIT("choices"), .kinds = JSON_IS(JSON_ARRAY) | JSON_OR_NULL},
        {.name = STR_INIT("usage"), .kinds = JSON_IS(JSON_OBJECT) | JSON_OR_NULL},
        {.name = STR_INIT("error")},
    };
    struct err why;
    if (!json_scan(data, f, ARRAY_LEN(f), &why))
        return err_set(err, ERR_UPSTREAM_INVALID, "an event of the answer is not what it should be: %.200s",
                       why.message);
    if (f[2].found && f[2].kind != JSON_NULL) return take_error(data, err);
    if (f[0].found && f[0].kind == JSON_ARRAY) take_choices(s, f[0].raw);
    if (f[1].found && f[1].kind == JSON_OBJECT) s->has_usage |= dialect_get(DIALECT_OPENAI)->usage_of(data, &s->usage);
    return true;
}

// OpenAI's events are one data line each; other fields and comments do not matter here.
static bool take_line(struct chat_stream *s, struct str line, struct err *err) {
    if (str_ends(line, STR("\r"))) line.n--;
    if (!str_starts(line, STR("data:"))) return true;
    return take_data(s, str_trim(str_from(line, 5)), err);
}

bool chat_stream_feed(struct chat_stream *s, struct str bytes, struct err *err) {
    while (bytes.n && !s->done) {
        size_t end = str_find_char(bytes, '\n');
        buf_put(&s->line, str_head(bytes, end));
        if (s->line.failed)
            return err_set(err, ERR_UPSTREAM_INVALID, "a line of the answer is longer than %zu bytes", CHAT_LINE_MAX);
        if (end == bytes.n) return true;
        bytes = str_from(bytes, end + 1);
        bool ok = take_line(s, buf_str(&s->line), err);
        buf_clear(&s->line);
        if (!ok) return false;
    }
    return true;
}
