// What a request needs of the model that is to serve it.
#include "model/need.h"

struct model_need model_need_of_request(const struct model_request *request) {
    return (struct model_need){.tokens = model_request_estimate(request),
                               .most = request->input.n,
                               .output = request->max_output == MODEL_OUTPUT_MAX ? 0 : request->max_output};
}

// Parts, tools and schemas all have a "type" in these dialects, and what else there is to need has a name of its own.
bool model_need_plain(const struct model_request *request) {
    struct json_field f[] = {{.name = STR_INIT("tools")},         {.name = STR_INIT("functions")},
                             {.name = STR_INIT("reasoning")},     {.name = STR_INIT("reasoning_effort")},
                             {.name = STR_INIT("thinking")},      {.name = STR_INIT("modalities")},
                             {.name = STR_INIT("output_config")}, {.name = STR_INIT("output_format")},
                             {.name = STR_INIT("audio")}};
    struct err ignored;
    if (request->dialect != DIALECT_OPENAI && request->dialect != DIALECT_ANTHROPIC) return false;
    if (str_find(request->body, STR("\"type\"")) < request->body.n) return false;
    if (!json_scan(request->body, f, ARRAY_LEN(f), &ignored)) return false;
    for (size_t i = 0; i < ARRAY_LEN(f); i++)
        if (f[i].found) return false;
    return true;
}

static unsigned of_media(const struct chat_part *p) {
    bool pdf = p->kind == CHAT_FILE && !p->media.text.p;
    return p->kind == CHAT_IMAGE   ? MODEL_CAN_VISION
           : p->kind == CHAT_AUDIO ? MODEL_CAN_AUDIO_INPUT
           : p->kind == CHAT_VIDEO ? MODEL_CAN_VIDEO_INPUT
           : pdf                   ? MODEL_CAN_PDF
                                   : 0;
}

static unsigned of_parts(const struct chat_part *parts, size_t count) {
    unsigned can = 0;
    for (size_t i = 0; i < count; i++) {
        const struct chat_part *p = &parts[i];
        can |= of_media(p);
        if (p->kind == CHAT_TOOL_CALL) can |= MODEL_CAN_TOOLS;
        for (size_t k = 0; k < p->count; k++) can |= of_media(&p->parts[k]);
    }
    return can;
}

static unsigned of_output(const struct chat *chat) {
    unsigned can = 0;
    if (chat->output == CHAT_OUTPUT_SCHEMA) can |= MODEL_CAN_JSON_SCHEMA;
    if (str_find(chat->modalities, STR("\"audio\"")) < chat->modalities.n) can |= MODEL_CAN_AUDIO_OUTPUT;
    if (str_find(chat->modalities, STR("\"image\"")) < chat->modalities.n) can |= MODEL_CAN_IMAGE_OUTPUT;
    bool thinks = chat->reasoning.effort > CHAT_EFFORT_NONE || chat->reasoning.budget || chat->reasoning.adaptive;
    if (thinks) can |= MODEL_CAN_REASONING;
    return can;
}

struct model_need model_need_of_chat(const struct model_request *request, const struct chat *chat) {
    struct model_need need = model_need_of_request(request);
    need.most = request->body.n; // tools are part of the prompt
    need.read = true;
    need.turns = chat->count;
    need.tools = chat->tool_count;
    need.can = of_output(chat);
    if (chat->tool_count) need.can |= MODEL_CAN_TOOLS;
    if (chat->tool_count && chat->parallel_tools == 1) need.can |= MODEL_CAN_PARALLEL_TOOLS;
    for (size_t i = 0; i < chat->count; i++) need.can |= of_parts(chat->turns[i].parts, chat->turns[i].count);
    return need;
}
