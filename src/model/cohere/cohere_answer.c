// Whole answers of Cohere's chat, and what they share with streams: reasons, counts, citations, errors.
#include "model/cohere/cohere.h"

#define COUNT_MAX ((uint64_t)1 << 40) // more is a lying upstream

enum chat_finish cohere_finish_of(struct str raw) {
    static const struct {
        struct str name;
        enum chat_finish finish;
    } reasons[] = {
        {STR_INIT("COMPLETE"), CHAT_FINISH_STOP},     {STR_INIT("STOP_SEQUENCE"), CHAT_FINISH_STOP_SEQUENCE},
        {STR_INIT("MAX_TOKENS"), CHAT_FINISH_LENGTH}, {STR_INIT("ERROR_LIMIT"), CHAT_FINISH_LENGTH},
        {STR_INIT("TOOL_CALL"), CHAT_FINISH_TOOLS},   {STR_INIT("ERROR_TOXIC"), CHAT_FINISH_FILTER},
    };
    for (size_t i = 0; i < ARRAY_LEN(reasons); i++)
        if (json_string_eq(raw, reasons[i].name)) return reasons[i].finish;
    return CHAT_FINISH_STOP;
}

static bool count_at(struct str raw, struct str group, struct str name, uint64_t *out_count) {
    struct str value;
    double v;
    if (!JSON_GET(raw, &value, group, name) || !json_raw_double(value, &v) || v < 0) return false;
    *out_count = v >= (double)COUNT_MAX ? COUNT_MAX : (uint64_t)v;
    return true;
}

// What was read is `tokens`; what is paid for, `billed_units`, leaves out Cohere's own preamble. Costs go by the
// latter.
bool cohere_usage_read(struct str raw, struct usage *io_usage) {
    struct str cached;
    uint64_t v, in = 0, out = 0;
    if (json_raw_kind(raw) != JSON_OBJECT) return false;
    bool has_in = count_at(raw, STR("billed_units"), STR("input_tokens"), &in) ||
                  count_at(raw, STR("tokens"), STR("input_tokens"), &in);
    bool has_out = count_at(raw, STR("billed_units"), STR("output_tokens"), &out) ||
                   count_at(raw, STR("tokens"), STR("output_tokens"), &out);
    if (!has_in && !has_out) return false;
    if (has_in) io_usage->prompt = in;
    if (has_out) io_usage->output = out;
    if (JSON_GET(raw, &cached, STR("cached_tokens")) && json_raw_u64(cached, &v))
        io_usage->cached = MIN(v, io_usage->prompt);
    return true;
}

bool cohere_usage_of(struct str data, struct usage *io_usage) {
    struct str raw;
    if (JSON_GET(data, &raw, STR("usage")) || JSON_GET(data, &raw, STR("delta"), STR("usage")) ||
        JSON_GET(data, &raw, STR("meta")))
        return cohere_usage_read(raw, io_usage);
    return false;
}

static struct str text_at(struct str raw, struct str name) {
    struct str value;
    return JSON_GET(raw, &value, name) && json_raw_kind(value) == JSON_STRING ? value : STR_NONE;
}

// The first source's document, in the words of Anthropic's citations.
void cohere_emit_citation(struct str raw, unsigned part, struct chat_sink *sink) {
    BUF_AUTO struct buf out = BUF_INIT(raw.n * 2 + 1024);
    struct json_writer w;
    struct json_reader r;
    struct str sources, source = STR_NONE, document = STR_NONE;
    enum json_kind kind;
    if (json_raw_kind(raw) != JSON_OBJECT) return;
    if (JSON_GET(raw, &sources, STR("sources")) && json_raw_kind(sources) == JSON_ARRAY) {
        json_reader_init(&r, sources, 0);
        if (json_enter_array(&r) && json_element(&r, &kind) && kind == JSON_OBJECT) json_skip(&r, &source);
    }
    if (source.p && !JSON_GET(source, &document, STR("document"))) document = STR_NONE;
    struct str url = document.p ? text_at(document, STR("url")) : STR_NONE;
    struct str title = document.p ? text_at(document, STR("title")) : STR_NONE;
    struct str id = source.p ? text_at(source, STR("id")) : STR_NONE, text = text_at(raw, STR("text"));
    json_writer_init(&w, &out);
    json_put_object(&w);
    json_put_member_str(&w, STR("type"), url.p ? STR("web_search_result_location") : STR("search_result_location"));
    json_put_member_raw(&w, STR("cited_text"), text.p ? text : STR("\"\""));
    if (url.p)
        json_put_member_raw(&w, STR("url"), url);
    else
        chat_put_given(&w, STR("source"), id);
    chat_put_given(&w, STR("title"), title.p ? title : id);
    json_put_object_end(&w);
    if (out.failed) return;
    chat_emit(sink,
              &(struct chat_event){.kind = CHAT_CITATION, .part = part, .part_kind = CHAT_TEXT, .raw = buf_str(&out)});
}

// --- whole ---

struct whole {
    struct chat_sink *sink;
    struct str citations;
    bool cited;
    unsigned part; // that they are of
};

static void put_part(struct chat_sink *sink, unsigned part, enum chat_part_kind kind, struct str json_text) {
    struct chat_event e = {.kind = CHAT_PART_BEGIN, .part = part, .part_kind = kind};
    chat_emit(sink, &e);
    e.kind = CHAT_DELTA;
    e.text = chat_inner(json_text);
    chat_emit(sink, &e);
}

static void end_part(struct chat_sink *sink, unsigned part) {
    chat_emit(sink, &(struct chat_event){.kind = CHAT_PART_END, .part = part});
}

static bool visit_citation(void *arg, size_t index, struct str raw, struct err *err) {
    struct whole *x = arg;
    (void)index, (void)err;
    cohere_emit_citation(raw, x->part, x->sink);
    return true;
}

static bool visit_content(void *arg, size_t index, struct str raw, struct err *err) {
    struct whole *x = arg;
    struct json_field f[] = {{.name = STR_INIT("type"), .kinds = JSON_IS(JSON_STRING), .required = true},
                             {.name = STR_INIT("text"), .kinds = JSON_IS(JSON_STRING) | JSON_OR_NULL},
                             {.name = STR_INIT("thinking"), .kinds = JSON_IS(JSON_STRING) | JSON_OR_NULL}};
    unsigned part = cohere_content_part(index);
    if (!json_scan(raw, f, ARRAY_LEN(f), err)) return false;
    if (json_string_eq(f[0].raw, STR("thinking")) && chat_given(&f[2]).p) {
        put_part(x->sink, part, CHAT_THINKING, f[2].raw);
    } else if (chat_given(&f[1]).p) {
        put_part(x->sink, part, CHAT_TEXT, f[1].raw);
        struct whole at = {.sink = x->sink, .part = part};
        if (x->citations.p && !x->cited && !chat_each(x->citations, visit_citation, &at, err)) return false;
        x->cited = true;
    } else {
        return true;
    }
    end_part(x->sink, part);
    return true;
}

static bool visit_call(void *arg, size_t index, struct str raw, struct err *err) {
    struct whole *x = arg;
    struct json_field f[] = {{.name = STR_INIT("id"), .kinds = JSON_IS(JSON_STRING), .required = true},
                             {.name = STR_INIT("function"), .kinds = JSON_IS(JSON_OBJECT), .required = true}};
    struct json_field fn[] = {{.name = STR_INIT("name"), .kinds = JSON_IS(JSON_STRING), .required = true},
                              {.name = STR_INIT("arguments"), .kinds = JSON_IS(JSON_STRING) | JSON_OR_NULL}};
    unsigned part = cohere_call_part(index);
    if (!json_scan(raw, f, ARRAY_LEN(f), err) || !json_scan(f[1].raw, fn, ARRAY_LEN(fn), err)) return false;
    struct chat_event e = {.kind = CHAT_PART_BEGIN,
                           .part = part,
                           .part_kind = CHAT_TOOL_CALL,
                           .id = chat_inner(f[0].raw),
                           .name = chat_inner(fn[0].raw)};
    chat_emit(x->sink, &e);
    e.kind = CHAT_DELTA;
    e.text = chat_given(&fn[1]).p ? chat_inner(fn[1].raw) : STR("");
    if (e.text.n) chat_emit(x->sink, &e);
    end_part(x->sink, part);
    return true;
}

static bool put_message(struct str message, struct chat_sink *sink, struct err *err) {
    enum { CONTENT, CALLS, PLAN, CITATIONS };
    struct json_field f[] = {
        [CONTENT] = {.name = STR_INIT("content"), .kinds = JSON_IS(JSON_ARRAY) | JSON_OR_NULL},
        [CALLS] = {.name = STR_INIT("tool_calls"), .kinds = JSON_IS(JSON_ARRAY) | JSON_OR_NULL},
        [PLAN] = {.name = STR_INIT("tool_plan"), .kinds = JSON_IS(JSON_STRING) | JSON_OR_NULL},
        [CITATIONS] = {.name = STR_INIT("citations"), .kinds = JSON_IS(JSON_ARRAY) | JSON_OR_NULL}};
    struct whole x = {.sink = sink};
    if (!json_scan(message, f, ARRAY_LEN(f), err)) return false;
    x.citations = chat_given(&f[CITATIONS]);
    if (chat_given(&f[PLAN]).n > 2) {
        put_part(sink, COHERE_PART_PLAN, CHAT_THINKING, f[PLAN].raw);
        end_part(sink, COHERE_PART_PLAN);
    }
    if (chat_given(&f[CONTENT]).p && !chat_each(f[CONTENT].raw, visit_content, &x, err)) return false;
    return !chat_given(&f[CALLS]).p || chat_each(f[CALLS].raw, visit_call, &x, err);
}

static bool decode_whole(struct str body, struct chat_sink *sink, struct err *err) {
    enum { ID, MESSAGE, REASON, USAGE };
    struct json_field f[] = {[ID] = {.name = STR_INIT("id"), .kinds = JSON_IS(JSON_STRING) | JSON_OR_NULL},
                             [MESSAGE] = {.name = STR_INIT("message"), .kinds = JSON_IS(JSON_OBJECT), .required = true},
                             [REASON] = {.name = STR_INIT("finish_reason")},
                             [USAGE] = {.name = STR_INIT("usage")}};
    struct usage usage = {0};
    if (!json_scan(body, f, ARRAY_LEN(f), err)) return false;
    chat_emit(sink,
              &(struct chat_event){.kind = CHAT_BEGIN, .id = chat_given(&f[ID]).p ? chat_inner(f[ID].raw) : STR("")});
    if (!put_message(f[MESSAGE].raw, sink, err)) return false;
    if (f[USAGE].found && cohere_usage_read(f[USAGE].raw, &usage))
        chat_emit(sink, &(struct chat_event){.kind = CHAT_USAGE, .usage = &usage});
    chat_emit(sink, &(struct chat_event){.kind = CHAT_FINISH, .finish = cohere_finish_of(f[REASON].raw)});
    return true;
}

bool cohere_decode_answer(struct str body, struct arena *arena, struct chat_sink *sink, struct err *err) {
    (void)arena;
    if (decode_whole(body, sink, err)) return true;
    err->code = ERR_UPSTREAM_INVALID;
    err->status = err_info(ERR_UPSTREAM_INVALID)->status;
    return err_wrap(err, "the provider's answer");
}

bool cohere_read_failure(struct str body, int status, struct arena *arena, struct chat_failure *out_failure) {
    struct json_field f[] = {{.name = STR_INIT("message"), .kinds = JSON_IS(JSON_STRING), .required = true}};
    struct err ignored;
    (void)arena;
    if (!json_scan(body, f, 1, &ignored)) return false;
    if (status < 400) status = 500;
    *out_failure = (struct chat_failure){.kind = chat_failure_kind_of_status(status), .status = status};
    out_failure->message = chat_inner(f[0].raw);
    out_failure->kind = chat_failure_kind_of_text(STR(""), out_failure->message, out_failure->kind);
    if (str_find(out_failure->message, STR("too many tokens")) < out_failure->message.n)
        out_failure->kind = CHAT_FAIL_CONTEXT_LENGTH;
    return true;
}

void cohere_put_failure(const struct chat_failure *failure, struct str request_id, struct buf *out) {
    buf_lit(out, "{\"id\":\"");
    json_escape_put(out, request_id);
    buf_lit(out, "\",\"message\":\"");
    buf_put(out, failure->message);
    buf_lit(out, "\"}");
}
