// What a request needs of the model that is to serve it.
#include "model/need.h"

#include "base/scan.h"

#define MEDIA_TOKENS 1000 // a guess at those of a picture or the like

// Lists of inputs are as many requests, and to count tokens is to take none.
static bool is_prompt(const struct model_request *r) {
    bool one = r->operation == OPERATION_COMPLETIONS && r->input.n && r->input.p[0] == '"';
    return r->operation == OPERATION_CHAT || one;
}

struct model_need model_need_of_request(const struct model_request *request) {
    uint64_t output = request->max_output == MODEL_OUTPUT_MAX ? 0 : request->max_output;
    bool answers = request->operation == OPERATION_CHAT || request->operation == OPERATION_COMPLETIONS;
    return (struct model_need){.can = answers && request->stream ? MODEL_CAN_STREAMING : 0,
                               .tokens = model_request_estimate(request),
                               .most = is_prompt(request) ? request->input.n : 0,
                               .output = output,
                               .each = output / MAX(request->choices, (uint64_t)1)};
}

// Parts, tools and schemas all have a "type" in these dialects, and what else there is to need was seen by peek.
bool model_need_plain(const struct model_request *request) {
    if (request->dialect != DIALECT_OPENAI && request->dialect != DIALECT_ANTHROPIC) return false;
    return !request->asks && scan_find(request->body, STR("\"type\"")) == request->body.n;
}

static unsigned of_media(const struct chat_part *p) {
    bool pdf = p->kind == CHAT_FILE && !p->media.text.p;
    return p->kind == CHAT_IMAGE   ? MODEL_CAN_VISION
           : p->kind == CHAT_AUDIO ? MODEL_CAN_AUDIO_INPUT
           : p->kind == CHAT_VIDEO ? MODEL_CAN_VIDEO_INPUT
           : pdf                   ? MODEL_CAN_PDF
                                   : 0;
}

static uint64_t media_bytes(const struct chat_part *p, uint64_t *io_count) {
    uint64_t n = p->media.data.n + p->media.url.n;
    *io_count += n > 0;
    for (size_t k = 0; k < p->count; k++) n += media_bytes(&p->parts[k], io_count);
    return n;
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
    uint64_t media = 0;
    for (size_t i = 0; i < chat->count; i++)
        for (size_t k = 0; k < chat->turns[i].count; k++) need.media += media_bytes(&chat->turns[i].parts[k], &media);
    need.media = MIN(need.media, request->input.n);
    need.tokens = (request->input.n - need.media + 3) / 4 + media * MEDIA_TOKENS;
    need.turns = chat->count;
    need.tools = chat->tool_count;
    need.can |= of_output(chat);
    if (chat->tool_count) need.can |= MODEL_CAN_TOOLS;
    if (chat->tool_count && chat->parallel_tools == 1) need.can |= MODEL_CAN_PARALLEL_TOOLS;
    for (size_t i = 0; i < chat->count; i++) need.can |= of_parts(chat->turns[i].parts, chat->turns[i].count);
    return need;
}
