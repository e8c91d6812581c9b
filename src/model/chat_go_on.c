// The request by which another provider is asked to go on with an answer that broke off.
#include "model/chat_go_on.h"

#define GO_ON                                                                                                          \
    "\"Your last message broke off where it ends, through a technical fault. Go on with it exactly there: your "       \
    "answer "                                                                                                          \
    "is appended to it as it is. Repeat nothing of it, and say nothing about this.\""

// Where the white space at the end begins, and where a half of a character that \u writes as two.
static size_t solid_end(struct str said, size_t *out_whole) {
    size_t end = 0, i = 0;
    *out_whole = said.n;
    while (i < said.n) {
        size_t n = said.p[i] != '\\' ? 1 : i + 1 < said.n && said.p[i + 1] == 'u' ? 6 : 2;
        n = MIN(n, said.n - i);
        bool space =
            said.p[i] == ' ' || (n == 2 && (said.p[i + 1] == 'n' || said.p[i + 1] == 't' || said.p[i + 1] == 'r'));
        bool high = n == 6 && (said.p[i + 2] | 0x20) == 'd' && said.p[i + 3] >= '8' && (said.p[i + 3] | 0x20) <= 'b';
        if (high && i + n == said.n) {
            *out_whole = i;
            break;
        }
        i += n;
        if (!space) end = i;
    }
    return end;
}

static struct str quoted(struct arena *arena, struct str escaped) {
    return arena_printf(arena, "\"%.*s\"", STR_ARG(escaped));
}

static bool add_turn(struct chat *chat, enum chat_role role, struct str text, struct arena *arena) {
    struct chat_part *part = ARENA_NEW(arena, struct chat_part);
    if (!part || !text.p) return false;
    *part = (struct chat_part){.kind = CHAT_TEXT, .text = text};
    chat->turns[chat->count++] = (struct chat_turn){.role = role, .parts = part, .count = 1};
    return true;
}

bool chat_go_on(const struct chat *chat, const struct chat_go_on *g, struct arena *arena, struct chat *out_chat,
                struct str *out_skip, struct err *err) {
    struct chat made = *chat;
    size_t whole;
    size_t solid = solid_end(g->said, &whole);
    struct str said = str_head(g->said, g->prefill ? solid : whole);
    struct str skip = str_of(g->said.p + said.n, whole - said.n);
    if (!solid) { // nobody takes a message of white space
        said = STR("");
        skip = str_head(g->said, whole);
    }
    if (said.n) {
        made.turns = ARENA_ARRAY(arena, struct chat_turn, chat->count + 2);
        if (!made.turns) return err_no_memory(err);
        memcpy(made.turns, chat->turns, chat->count * sizeof *made.turns);
        if (!add_turn(&made, CHAT_ASSISTANT, quoted(arena, said), arena) ||
            (!g->prefill && !add_turn(&made, CHAT_USER, STR(GO_ON), arena)))
            return err_no_memory(err);
    }
    bool thinks = chat->reasoning.budget || chat->reasoning.adaptive || chat->reasoning.effort > CHAT_EFFORT_NONE;
    if (made.max_output > 1 && !thinks) made.max_output -= MIN(g->tokens, made.max_output - 1);
    *out_chat = made;
    *out_skip = skip;
    return true;
}
