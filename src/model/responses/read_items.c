// Reads the items of a Responses request: messages, calls and their results, thoughts.
#include "model/responses/read.h"

#include <stdio.h>

#define PATH_MAX_LEN 64

struct reading {
    struct chat *chat;
    struct arena *arena;
    struct err *err;
    struct chat_part *parts; // all turns', in their order
    size_t part_count, part_max, turn_max;
    char path[PATH_MAX_LEN]; // of what is being read
};

static bool wrong(struct reading *r, const char *member, const char *what) {
    char path[PATH_MAX_LEN + 40];
    snprintf(path, sizeof path, "%s%s%s", r->path, member[0] ? "." : "", member);
    return responses_wrong(r->err, path, "%s", what);
}

static bool drop(struct reading *r, struct str type) {
    struct str text;
    if (!json_string_text(type, r->arena, &text)) return err_no_memory(r->err);
    struct str name = arena_printf(r->arena, "input[].%.*s", STR_ARG(str_head(text, 60)));
    return (name.n && responses_other(r->chat, name)) || err_no_memory(r->err);
}

// --- turns ---

static struct chat_turn *open_turn(struct reading *r, enum chat_role role, bool go_on) {
    struct chat *chat = r->chat;
    struct chat_turn *last = chat->count ? &chat->turns[chat->count - 1] : NULL;
    if (go_on && last && last->role == role) return last;
    INVARIANT(chat->count < r->turn_max);
    chat->turns[chat->count] = (struct chat_turn){.role = role, .parts = &r->parts[r->part_count]};
    return &chat->turns[chat->count++];
}

static struct chat_part *add_part(struct reading *r, struct chat_turn *turn, enum chat_part_kind kind) {
    INVARIANT(r->part_count < r->part_max && turn->parts + turn->count == &r->parts[r->part_count]);
    r->parts[r->part_count] = (struct chat_part){.kind = kind};
    turn->count++;
    return &r->parts[r->part_count++];
}

// --- content ---

static bool read_image(struct reading *r, struct str raw, struct chat_part *p) {
    struct str url = responses_string(raw, STR("image_url")), file = responses_string(raw, STR("file_id"));
    p->kind = CHAT_IMAGE;
    if (url.p)
        (void)chat_media_of_url(url, r->arena, &p->media);
    else if (file.p)
        p->media.file_id = file;
    else
        return wrong(r, "image_url", "must be a URL or a data URL, unless file_id is given");
    p->media.detail = responses_string(raw, STR("detail"));
    return true;
}

static bool read_file(struct reading *r, struct str raw, struct chat_part *p) {
    struct str data = responses_string(raw, STR("file_data")), id = responses_string(raw, STR("file_id")),
               url = responses_string(raw, STR("file_url"));
    p->kind = CHAT_FILE;
    if (data.p) {
        // Some send base64 without the rest of a data URL.
        if (!chat_media_of_url(data, r->arena, &p->media)) {
            p->media = (struct chat_media){.mime = STR("application/pdf")};
            if (!json_string_text(data, r->arena, &p->media.data)) return err_no_memory(r->err);
        }
    } else if (url.p) {
        p->media.url = url;
    } else if (id.p) {
        p->media.file_id = id;
    } else {
        return wrong(r, "file_data", "must be a data URL, unless file_id or file_url is given");
    }
    p->media.name = responses_string(raw, STR("filename"));
    return true;
}

static bool read_audio(struct reading *r, struct str raw, struct chat_part *p) {
    struct str audio, data, format;
    if (!JSON_GET(raw, &audio, STR("input_audio"))) return wrong(r, "input_audio", "is missing");
    data = responses_string(audio, STR("data"));
    format = responses_string(audio, STR("format"));
    p->kind = CHAT_AUDIO;
    if (!data.p || !format.p) return wrong(r, "input_audio", "must have data and format");
    if (!json_string_text(data, r->arena, &p->media.data)) return err_no_memory(r->err);
    p->media.mime = json_string_eq(format, STR("mp3")) ? STR("audio/mpeg") : STR("audio/wav");
    return true;
}

static bool read_text(struct reading *r, struct str raw, const char *member, enum chat_part_kind kind,
                      struct chat_part *p) {
    p->kind = kind;
    p->text = responses_string(raw, str_c(member));
    return p->text.p || wrong(r, member, "must be a string");
}

// One part of a message's or a result's content.
static bool read_content(struct reading *r, struct str raw, struct chat_part *p) {
    struct str type = responses_string(raw, STR("type"));
    if (json_string_eq(type, STR("input_text")) || json_string_eq(type, STR("output_text")) ||
        json_string_eq(type, STR("text")))
        return read_text(r, raw, "text", CHAT_TEXT, p);
    if (json_string_eq(type, STR("input_image"))) return read_image(r, raw, p);
    if (json_string_eq(type, STR("input_file"))) return read_file(r, raw, p);
    if (json_string_eq(type, STR("refusal"))) return read_text(r, raw, "refusal", CHAT_REFUSAL, p);
    if (json_string_eq(type, STR("input_audio"))) return read_audio(r, raw, p);
    return wrong(r, "type", "must be input_text, input_image, input_file, output_text or refusal");
}

static bool at_content(struct reading *r, const char *member, size_t i, char save[PATH_MAX_LEN]) {
    memcpy(save, r->path, PATH_MAX_LEN);
    return snprintf(r->path, sizeof r->path, "%.20s.%.10s[%zu]", save, member, i) > 0;
}

static bool role_of(struct str raw, enum chat_role *out_role) {
    if (json_string_eq(raw, STR("user")))
        *out_role = CHAT_USER;
    else if (json_string_eq(raw, STR("assistant")))
        *out_role = CHAT_ASSISTANT;
    else if (json_string_eq(raw, STR("system")) || json_string_eq(raw, STR("developer")))
        *out_role = CHAT_SYSTEM;
    else
        return false;
    return true;
}

static bool read_message(struct reading *r, struct str raw) {
    struct str content, *items;
    enum chat_role role;
    char save[PATH_MAX_LEN];
    size_t n;
    if (!role_of(responses_string(raw, STR("role")), &role))
        return wrong(r, "role", "must be user, assistant, system or developer");
    if (!JSON_GET(raw, &content, STR("content"))) return wrong(r, "content", "is missing");
    // What an assistant said, thought and called between two turns of others is one turn.
    struct chat_turn *turn = open_turn(r, role, role == CHAT_ASSISTANT);
    if (json_raw_kind(content) == JSON_STRING) {
        add_part(r, turn, CHAT_TEXT)->text = content;
        return true;
    }
    if (json_raw_kind(content) != JSON_ARRAY) return wrong(r, "content", "must be a string or a list");
    if (!responses_array(content, &items, &n, r->arena)) return err_no_memory(r->err);
    for (size_t i = 0; i < n; i++) {
        at_content(r, "content", i, save);
        if (!read_content(r, items[i], add_part(r, turn, CHAT_TEXT))) return false;
        memcpy(r->path, save, sizeof save);
    }
    return true;
}

// --- calls ---

static bool read_call(struct reading *r, struct str raw) {
    struct str id = responses_string(raw, STR("call_id")), name = responses_string(raw, STR("name")),
               args = responses_string(raw, STR("arguments"));
    if (!id.p) return wrong(r, "call_id", "must be a string");
    if (!name.p) return wrong(r, "name", "must be a string");
    if (!args.p) return wrong(r, "arguments", "must be a string of JSON");
    struct chat_part *p = add_part(r, open_turn(r, CHAT_ASSISTANT, true), CHAT_TOOL_CALL);
    p->id = id;
    p->name = name;
    p->args_text = args;
    return chat_args_of_text(args, r->arena, &p->args, r->err);
}

static bool read_free_call(struct reading *r, struct str raw) {
    struct str id = responses_string(raw, STR("call_id")), name = responses_string(raw, STR("name")),
               input = responses_string(raw, STR("input"));
    if (!id.p) return wrong(r, "call_id", "must be a string");
    if (!name.p) return wrong(r, "name", "must be a string");
    if (!input.p) return wrong(r, "input", "must be a string");
    struct chat_part *p = add_part(r, open_turn(r, CHAT_ASSISTANT, true), CHAT_TOOL_CALL);
    p->id = id;
    p->name = name;
    p->args = arena_printf(r->arena, "{\"" RESPONSES_FREE_INPUT "\":%.*s}", STR_ARG(input));
    return p->args.n || err_no_memory(r->err);
}

static bool read_output(struct reading *r, struct str output, struct chat_part *p) {
    struct str *items;
    char save[PATH_MAX_LEN];
    size_t n;
    if (json_raw_kind(output) == JSON_STRING) {
        p->parts = ARENA_NEW(r->arena, struct chat_part);
        if (!p->parts) return err_no_memory(r->err);
        p->parts[p->count++] = (struct chat_part){.kind = CHAT_TEXT, .text = output};
        return true;
    }
    if (json_raw_kind(output) != JSON_ARRAY) return wrong(r, "output", "must be a string or a list");
    if (!responses_array(output, &items, &n, r->arena)) return err_no_memory(r->err);
    p->parts = n ? ARENA_ARRAY(r->arena, struct chat_part, n) : NULL;
    if (n && !p->parts) return err_no_memory(r->err);
    for (; p->count < n; p->count++) {
        at_content(r, "output", p->count, save);
        if (!read_content(r, items[p->count], &p->parts[p->count])) return false;
        memcpy(r->path, save, sizeof save);
    }
    return true;
}

static bool last_is_result(const struct chat *chat) {
    const struct chat_turn *t = chat->count ? &chat->turns[chat->count - 1] : NULL;
    return t && t->role == CHAT_USER && t->count && t->parts[0].kind == CHAT_TOOL_RESULT;
}

static bool read_result(struct reading *r, struct str raw) {
    struct str id = responses_string(raw, STR("call_id")), output;
    if (!id.p) return wrong(r, "call_id", "must be a string");
    if (!JSON_GET(raw, &output, STR("output"))) return wrong(r, "output", "is missing");
    // All results of one turn of calls are one turn.
    struct chat_part *p = add_part(r, open_turn(r, CHAT_USER, last_is_result(r->chat)), CHAT_TOOL_RESULT);
    p->id = id;
    return read_output(r, output, p);
}

// --- thoughts ---

// The string's text from byte `from` of its inside on, as a string of its own.
static struct str tail_of(struct str json, size_t from, struct str prefix, struct arena *arena) {
    struct str inner = str_from(chat_inner(json), from);
    return arena_printf(arena, "\"%.*s%.*s\"", STR_ARG(prefix), STR_ARG(inner));
}

// The newest part of this kind in the assistant's turn at the end.
static struct chat_part *newest(struct chat *chat, enum chat_part_kind kind) {
    struct chat_turn *t = chat->count ? &chat->turns[chat->count - 1] : NULL;
    for (size_t i = t && t->role == CHAT_ASSISTANT ? t->count : 0; i-- > 0;)
        if (t->parts[i].kind == kind) return &t->parts[i];
    return NULL;
}

// Summaries, or else the thoughts themselves, joined.
static bool thought_text(struct reading *r, struct str raw, struct str *out_text) {
    static const struct str members[] = {STR_INIT("summary"), STR_INIT("content")};
    struct buf b = BUF_INIT(raw.n + 8);
    struct str list, *items;
    size_t n;
    buf_lit(&b, "\"");
    for (size_t m = 0; m < ARRAY_LEN(members) && b.n == 1; m++) {
        if (!json_get(raw, &members[m], 1, &list)) continue;
        if (!responses_array(list, &items, &n, r->arena)) b.failed = true;
        for (size_t i = 0; i < n && !b.failed; i++) {
            struct str text = responses_string(items[i], STR("text"));
            if (!text.p) continue;
            if (b.n > 1) buf_lit(&b, "\\n\\n");
            buf_put(&b, chat_inner(text));
        }
    }
    buf_lit(&b, "\"");
    *out_text = b.failed ? STR_NONE : arena_str(r->arena, buf_str(&b));
    buf_free(&b);
    return out_text->p || err_no_memory(r->err);
}

static bool read_reasoning(struct reading *r, struct str raw) {
    static const struct str thinking = STR_INIT(RESPONSES_MARK "thinking:"),
                            redacted = STR_INIT(RESPONSES_MARK "redacted:"), call = STR_INIT(RESPONSES_MARK "call:"),
                            said = STR_INIT(RESPONSES_MARK "text:"), own = STR_INIT(RESPONSES_OWN);
    struct str secret = responses_string(raw, STR("encrypted_content")), inner = chat_inner(secret);
    struct str text, none = STR("");
    bool of_call = str_starts(inner, call), of_text = str_starts(inner, said);
    if (of_call || of_text) {
        struct chat_part *p = newest(r->chat, of_call ? CHAT_TOOL_CALL : CHAT_TEXT);
        if (p) p->signature = tail_of(secret, of_call ? call.n : said.n, none, r->arena);
        return !p || p->signature.n || err_no_memory(r->err);
    }
    if (!thought_text(r, raw, &text)) return false;
    if (text.n <= 2 && !inner.n) return true; // a thought that its provider keeps: there is nothing of it here
    struct chat_part *p = add_part(r, open_turn(r, CHAT_ASSISTANT, true), CHAT_THINKING);
    p->text = text;
    if (str_starts(inner, redacted)) {
        p->kind = CHAT_REDACTED_THINKING;
        p->text = tail_of(secret, redacted.n, none, r->arena);
        return p->text.n || err_no_memory(r->err);
    }
    if (str_starts(inner, thinking))
        p->signature = tail_of(secret, thinking.n, none, r->arena);
    else if (inner.n && !str_starts(inner, STR(RESPONSES_MARK)))
        p->signature = tail_of(secret, 0, own, r->arena);
    return true;
}

// --- items ---

static bool read_item(struct reading *r, struct str raw) {
    static const struct {
        struct str type;
        bool (*read)(struct reading *r, struct str raw);
    } readers[] = {
        {STR_INIT("message"), read_message},
        {STR_INIT("function_call"), read_call},
        {STR_INIT("function_call_output"), read_result},
        {STR_INIT("custom_tool_call"), read_free_call},
        {STR_INIT("custom_tool_call_output"), read_result},
        {STR_INIT("reasoning"), read_reasoning},
    };
    if (json_raw_kind(raw) != JSON_OBJECT) return wrong(r, "", "must be an object");
    struct str type = responses_string(raw, STR("type"));
    if (!type.p) return read_message(r, raw);
    for (size_t i = 0; i < ARRAY_LEN(readers); i++)
        if (json_string_eq(type, readers[i].type)) return readers[i].read(r, raw);
    if (json_string_eq(type, STR("item_reference")))
        return wrong(r, "id", "names an item that is not kept here; send the item itself");
    return drop(r, type);
}

// How many parts an item can become.
static size_t count_parts(struct str item) {
    struct json_reader r;
    enum json_kind kind;
    struct str content;
    size_t n = 0;
    if (!JSON_GET(item, &content, STR("content")) || json_raw_kind(content) != JSON_ARRAY) return 1;
    json_reader_init(&r, content, JSON_DEPTH_MAX);
    if (json_enter_array(&r))
        while (json_element(&r, &kind)) n++;
    return n + 1;
}

static bool read_list(struct reading *r, const char *member, const struct str *items, size_t n) {
    for (size_t i = 0; i < n; i++) {
        snprintf(r->path, sizeof r->path, "%s[%zu]", member, i);
        if (!read_item(r, items[i])) return false;
    }
    return true;
}

// A text alone is a message.
static bool read_string(struct reading *r, enum chat_role role, const struct json_field *f) {
    if (f->found && f->kind == JSON_STRING) add_part(r, open_turn(r, role, false), CHAT_TEXT)->text = f->raw;
    return true;
}

bool responses_read_items(struct chat *chat, const struct json_field *instructions, const struct json_field *input,
                          struct arena *arena, struct err *err) {
    struct reading r = {.chat = chat, .arena = arena, .err = err};
    struct str *first, *items;
    size_t first_n, n;
    if (!responses_array(instructions->raw, &first, &first_n, arena) || !responses_array(input->raw, &items, &n, arena))
        return err_no_memory(err);
    r.turn_max = first_n + n + 2;
    r.part_max = 2;
    for (size_t i = 0; i < first_n; i++) r.part_max += count_parts(first[i]);
    for (size_t i = 0; i < n; i++) r.part_max += count_parts(items[i]);
    chat->turns = ARENA_ARRAY(arena, struct chat_turn, r.turn_max);
    r.parts = ARENA_ARRAY(arena, struct chat_part, r.part_max);
    if (!chat->turns || !r.parts) return err_no_memory(err);
    bool ok = read_string(&r, CHAT_SYSTEM, instructions) && read_list(&r, "instructions", first, first_n) &&
              read_string(&r, CHAT_USER, input) && read_list(&r, "input", items, n);
    if (!ok) return false;
    for (size_t i = 0; i < chat->count; i++)
        if (chat->turns[i].role != CHAT_SYSTEM) return true;
    return responses_wrong(err, "input", "must be a text or a list of items; it is missing or empty");
}
