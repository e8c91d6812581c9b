// What requests for chats and for single answers have in common in Ollama's dialect: options, format, thinking, images.
#include "model/ollama/ollama.h"

#include <math.h>

enum {
    TEMPERATURE,
    TOP_P,
    TOP_K,
    SEED,
    FREQUENCY,
    PRESENCE,
    NUM_PREDICT,
    STOP,
    // How a server of one's own is to run the model; nothing that an answer is to say.
    NUM_CTX,
    NUM_KEEP,
    NUM_BATCH,
    NUM_GPU,
    MAIN_GPU,
    NUM_THREAD,
    NUMA,
    LOW_VRAM,
    F16_KV,
    VOCAB_ONLY,
    USE_MMAP,
    USE_MLOCK,
    OPTIONS
};

#define NUMBER_FIELD(text)                                                                                             \
    { .name = STR_INIT(text), .kinds = JSON_IS(JSON_NUMBER) | JSON_OR_NULL }

static bool read_stop(struct chat *chat, const struct json_field *field, struct arena *arena, struct err *err) {
    struct chat_path path = chat_path_of("options");
    struct json_reader r;
    struct str raw;
    enum json_kind kind;
    if (!chat_given(field).p) return true;
    size_t n = field->kind == JSON_ARRAY ? chat_count(field->raw) : 1;
    chat->stop = ARENA_ARRAY(arena, struct str, n ? n : 1);
    if (!chat->stop) return err_no_memory(err);
    if (field->kind == JSON_STRING) {
        chat->stop[chat->stop_count++] = field->raw;
        return true;
    }
    json_reader_init(&r, field->raw, 0);
    if (!json_enter_array(&r)) return json_error(&r, err);
    while (json_element(&r, &kind)) {
        if (kind != JSON_STRING || !json_skip(&r, &raw))
            return chat_wrong(err, &path, "stop", "must be a list of strings");
        chat->stop[chat->stop_count++] = raw;
    }
    return json_end(&r, err);
}

static bool read_options(struct chat *chat, struct str options, struct arena *arena, struct err *err) {
    struct chat_path path = chat_path_of("options");
    struct json_field f[] = {
        [TEMPERATURE] = NUMBER_FIELD("temperature"),
        [TOP_P] = NUMBER_FIELD("top_p"),
        [TOP_K] = NUMBER_FIELD("top_k"),
        [SEED] = NUMBER_FIELD("seed"),
        [FREQUENCY] = NUMBER_FIELD("frequency_penalty"),
        [PRESENCE] = NUMBER_FIELD("presence_penalty"),
        [NUM_PREDICT] = NUMBER_FIELD("num_predict"),
        [STOP] = {.name = STR_INIT("stop"), .kinds = JSON_IS(JSON_ARRAY) | JSON_IS(JSON_STRING) | JSON_OR_NULL},
        [NUM_CTX] = {.name = STR_INIT("num_ctx")},
        [NUM_KEEP] = {.name = STR_INIT("num_keep")},
        [NUM_BATCH] = {.name = STR_INIT("num_batch")},
        [NUM_GPU] = {.name = STR_INIT("num_gpu")},
        [MAIN_GPU] = {.name = STR_INIT("main_gpu")},
        [NUM_THREAD] = {.name = STR_INIT("num_thread")},
        [NUMA] = {.name = STR_INIT("numa")},
        [LOW_VRAM] = {.name = STR_INIT("low_vram")},
        [F16_KV] = {.name = STR_INIT("f16_kv")},
        [VOCAB_ONLY] = {.name = STR_INIT("vocab_only")},
        [USE_MMAP] = {.name = STR_INIT("use_mmap")},
        [USE_MLOCK] = {.name = STR_INIT("use_mlock")},
    };
    double most;
    if (!chat_scan(options, &path, f, ARRAY_LEN(f), err)) return false;
    chat->sampling = (struct chat_sampling){.temperature = chat_given(&f[TEMPERATURE]),
                                            .top_p = chat_given(&f[TOP_P]),
                                            .top_k = chat_given(&f[TOP_K]),
                                            .seed = chat_given(&f[SEED]),
                                            .frequency_penalty = chat_given(&f[FREQUENCY]),
                                            .presence_penalty = chat_given(&f[PRESENCE])};
    if (chat_given(&f[NUM_PREDICT]).p && json_raw_double(f[NUM_PREDICT].raw, &most) && most >= 1)
        chat->max_output = most >= (double)MODEL_OUTPUT_MAX ? MODEL_OUTPUT_MAX : (uint64_t)most;
    chat_note_others(options, f, ARRAY_LEN(f), STR("options."), arena,
                     (struct chat_names){chat->others, &chat->other_count});
    return read_stop(chat, &f[STOP], arena, err);
}

static bool read_format(struct chat *chat, const struct json_field *format, struct err *err) {
    struct chat_path top = chat_path_of("%s", "");
    if (!chat_given(format).p || str_eq(format->raw, STR("\"\""))) return true;
    if (format->kind == JSON_OBJECT) {
        chat->output = CHAT_OUTPUT_SCHEMA;
        chat->output_schema = format->raw;
        return true;
    }
    if (!json_string_eq(format->raw, STR("json")))
        return chat_wrong(err, &top, "format", "must be \"json\" or a JSON schema");
    chat->output = CHAT_OUTPUT_JSON;
    return true;
}

static bool read_think(struct chat *chat, const struct json_field *think, struct err *err) {
    struct chat_path top = chat_path_of("%s", "");
    int flag = chat_flag(think);
    if (!chat_given(think).p) return true;
    if (flag >= 0)
        chat->reasoning.effort = flag ? CHAT_EFFORT_MEDIUM : CHAT_EFFORT_NONE;
    else
        chat->reasoning.effort = chat_effort_of(think->raw);
    if (chat->reasoning.effort != CHAT_EFFORT_UNSET) return true;
    return chat_wrong(err, &top, "think", "must be true, false, \"low\", \"medium\" or \"high\"");
}

bool ollama_common_read(struct chat *chat, struct arena *arena, const struct ollama_common *common, struct err *err) {
    chat->parallel_tools = -1;
    chat->output_strict = -1;
    chat->stream = chat_flag(common->stream) != 0;
    if (chat_given(common->options).p && !read_options(chat, common->options->raw, arena, err)) return false;
    return read_format(chat, common->format, err) && read_think(chat, common->think, err);
}

bool ollama_images_read(struct str list, const struct chat_path *path, struct arena *arena, struct chat_part *parts,
                        size_t *io_count, struct err *err) {
    struct json_reader r;
    struct str raw;
    enum json_kind kind;
    json_reader_init(&r, list, 0);
    if (!json_enter_array(&r)) return json_error(&r, err);
    while (json_element(&r, &kind)) {
        struct chat_part *part = &parts[*io_count];
        if (kind != JSON_STRING || !json_skip(&r, &raw))
            return chat_wrong(err, path, "images", "must be a list of images in base64");
        *part = (struct chat_part){.kind = CHAT_IMAGE};
        if (!chat_media_of_url(raw, arena, &part->media)) {
            part->media = (struct chat_media){0};
            if (!json_string_text(raw, arena, &part->media.data)) return err_no_memory(err);
            part->media.mime = chat_image_type(part->media.data);
            if (!part->media.mime.n) return chat_wrong(err, path, "images", "must be PNG, JPEG, GIF or WebP in base64");
        }
        ++*io_count;
    }
    return json_end(&r, err);
}
