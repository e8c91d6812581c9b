// Reads a single prompt in Ollama's dialect (/api/generate) into the neutral form.
#include "model/ollama/ollama.h"

static bool add_turn(struct chat *chat, enum chat_role role, struct str text, struct arena *arena, struct err *err) {
    struct chat_turn *turn = &chat->turns[chat->count++];
    turn->role = role;
    turn->parts = ARENA_NEW(arena, struct chat_part);
    if (!turn->parts) return err_no_memory(err);
    turn->parts[turn->count++] = (struct chat_part){.kind = CHAT_TEXT, .text = text};
    return true;
}

// What only Ollama's own templates and its cache give a meaning.
static void note_unknown(struct chat *chat, const struct json_field *field) {
    if (!chat_given(field).p) return;
    bool empty = str_eq(field->raw, STR("\"\"")) || str_eq(field->raw, STR("[]")) || str_eq(field->raw, STR("false"));
    if (!empty) chat_note_other((struct chat_names){chat->others, &chat->other_count}, field->name);
}

enum {
    MODEL,
    PROMPT,
    SYSTEM,
    IMAGES,
    OPTIONS,
    FORMAT,
    THINK,
    STREAM,
    KEEP_ALIVE,
    STRICT,
    SUFFIX,
    TEMPLATE,
    RAW,
    CONTEXT
};

static bool read_turns(struct chat *chat, const struct json_field *f, struct arena *arena, struct err *err) {
    struct chat_path top = chat_path_of("%s", "");
    struct str system = chat_given(&f[SYSTEM]), images = chat_given(&f[IMAGES]);
    chat->turns = ARENA_ARRAY(arena, struct chat_turn, 2);
    if (!chat->turns) return err_no_memory(err);
    if (system.n > 2 && !add_turn(chat, CHAT_SYSTEM, system, arena, err)) return false;
    struct chat_turn *turn = &chat->turns[chat->count++];
    turn->role = CHAT_USER;
    turn->parts = ARENA_ARRAY(arena, struct chat_part, (images.p ? chat_count(images) : 0) + 1);
    if (!turn->parts) return err_no_memory(err);
    if (images.p && !ollama_images_read(images, &top, arena, turn->parts, &turn->count, err)) return false;
    turn->parts[turn->count++] = (struct chat_part){.kind = CHAT_TEXT, .text = f[PROMPT].raw};
    return true;
}

bool ollama_generate_read(const struct model_request *request, struct arena *arena, struct chat *out_chat,
                          struct err *err) {
    struct chat_path top = chat_path_of("%s", "");
    struct json_field f[] = {
        [MODEL] = {.name = STR_INIT("model")},
        [PROMPT] = {.name = STR_INIT("prompt"), .kinds = JSON_IS(JSON_STRING), .required = true},
        [SYSTEM] = {.name = STR_INIT("system"), .kinds = JSON_IS(JSON_STRING) | JSON_OR_NULL},
        [IMAGES] = {.name = STR_INIT("images"), .kinds = JSON_IS(JSON_ARRAY) | JSON_OR_NULL},
        [OPTIONS] = {.name = STR_INIT("options"), .kinds = JSON_IS(JSON_OBJECT) | JSON_OR_NULL},
        [FORMAT] = {.name = STR_INIT("format"), .kinds = JSON_IS(JSON_STRING) | JSON_IS(JSON_OBJECT) | JSON_OR_NULL},
        [THINK] = {.name = STR_INIT("think"), .kinds = JSON_IS(JSON_STRING) | JSON_IS(JSON_BOOL) | JSON_OR_NULL},
        [STREAM] = {.name = STR_INIT("stream"), .kinds = JSON_IS(JSON_BOOL) | JSON_OR_NULL},
        [KEEP_ALIVE] = {.name = STR_INIT("keep_alive")},
        [STRICT] = {.name = STR_INIT("strict")},
        [SUFFIX] = {.name = STR_INIT("suffix"), .kinds = JSON_IS(JSON_STRING) | JSON_OR_NULL},
        [TEMPLATE] = {.name = STR_INIT("template"), .kinds = JSON_IS(JSON_STRING) | JSON_OR_NULL},
        [RAW] = {.name = STR_INIT("raw"), .kinds = JSON_IS(JSON_BOOL) | JSON_OR_NULL},
        [CONTEXT] = {.name = STR_INIT("context"), .kinds = JSON_IS(JSON_ARRAY) | JSON_OR_NULL},
    };
    struct ollama_common common = {&f[OPTIONS], &f[FORMAT], &f[THINK], &f[STREAM]};
    *out_chat = (struct chat){0};
    if (!chat_scan(request->body, &top, f, ARRAY_LEN(f), err)) return false;
    if (!ollama_common_read(out_chat, arena, &common, err)) return false;
    chat_note_others(request->body, f, ARRAY_LEN(f), STR(""), arena,
                     (struct chat_names){out_chat->others, &out_chat->other_count});
    for (unsigned i = SUFFIX; i <= CONTEXT; i++) note_unknown(out_chat, &f[i]);
    return read_turns(out_chat, f, arena, err);
}
