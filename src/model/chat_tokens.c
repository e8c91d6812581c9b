// How many tokens a conversation has.
#include "model/chat_tokens.h"

#include "base/json_read.h"

struct tally {
    const struct tokenizer *t;
    struct arena *arena;
    uint64_t n;
    bool failed;
};

// JSON that is counted as it stands: schemas, arguments.
static void add_raw(struct tally *tally, struct str raw) {
    if (raw.n) tally->n += tokenizer_count(tally->t, raw);
}

static void add_text(struct tally *tally, struct str json_string) {
    struct str text;
    if (!json_string.p) return;
    if (json_string_text(json_string, tally->arena, &text))
        add_raw(tally, text);
    else
        tally->failed = true;
}

static void add_part(struct tally *tally, const struct chat_part *part) {
    add_text(tally, part->text);
    add_text(tally, part->name);
    add_raw(tally, part->args);
    add_text(tally, part->media.text);
    if (part->kind == CHAT_IMAGE) tally->n += CHAT_TOKENS_PICTURE;
    bool unread = part->kind == CHAT_FILE || part->kind == CHAT_AUDIO || part->kind == CHAT_VIDEO;
    if (unread && !part->media.text.p) tally->n += CHAT_TOKENS_DOCUMENT;
}

static void add_parts(struct tally *tally, const struct chat_part *parts, size_t count) {
    for (size_t i = 0; i < count; i++) {
        add_part(tally, &parts[i]);
        // Results hold texts and pictures, but no results.
        for (size_t k = 0; k < parts[i].count; k++) add_part(tally, &parts[i].parts[k]);
    }
}

static void add_tool(struct tally *tally, const struct chat_tool *tool) {
    tally->n += CHAT_TOKENS_TOOL;
    add_text(tally, tool->name);
    add_text(tally, tool->description);
    add_raw(tally, tool->schema);
}

bool chat_tokens(const struct chat *chat, const struct tokenizer *tokenizer, struct arena *arena, uint64_t *out_tokens,
                 struct err *err) {
    struct tally tally = {.t = tokenizer, .arena = arena, .n = TOKENS_REPLY};
    for (size_t i = 0; i < chat->count; i++) {
        tally.n += TOKENS_EACH_MESSAGE;
        add_text(&tally, chat->turns[i].name);
        add_parts(&tally, chat->turns[i].parts, chat->turns[i].count);
    }
    for (size_t i = 0; i < chat->tool_count; i++) add_tool(&tally, &chat->tools[i]);
    add_raw(&tally, chat->output_schema);
    if (tally.failed) return err_no_memory(err);
    *out_tokens = tally.n;
    return true;
}
