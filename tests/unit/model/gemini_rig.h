// What the tests of Google's dialect share: a request read, written, and both; an answer's events as text.
#ifndef TESTS_MODEL_GEMINI_RIG_H
#define TESTS_MODEL_GEMINI_RIG_H

#include "check.h"

#include "model/chat_order.h"
#include "model/gemini/gemini.h"
#include "model/provider.h"
#include "model/translate.h"

#include <stdlib.h>

struct rig {
    struct arena arena;
    struct chat chat;
    struct chat_report report;
    struct buf out;
    struct err err;
};

static inline void rig_begin(struct rig *g) {
    *g = (struct rig){.err = {.message = ""}};
    arena_init(&g->arena, NULL, 0, (size_t)64 << 20);
    buf_init(&g->out, (size_t)64 << 20);
}
static inline void rig_end(struct rig *g) {
    buf_free(&g->out);
    arena_free(&g->arena);
}

static inline bool rig_read_as(struct rig *g, const char *body, const char *action) {
    struct model_request q;
    struct model_request_in in = {
        .operation = OPERATION_CHAT, .body = str_c(body), .model = STR("m"), .action = str_c(action), .depth = 64};
    return dialect_get(DIALECT_GEMINI)->peek(&in, &g->arena, &q, &g->err) &&
           dialect_get(DIALECT_GEMINI)->read(&q, &g->arena, &g->chat, &g->err);
}
static inline bool rig_read(struct rig *g, const char *body) { return rig_read_as(g, body, "generateContent"); }

static inline bool rig_write_for(struct rig *g, const char *model, enum provider_kind kind) {
    struct provider_traits traits = {.kind = kind, .dialect = DIALECT_GEMINI};
    struct chat_target target = {.model = str_c(model), .traits = &traits};
    buf_clear(&g->out);
    g->report.count = 0;
    if (!dialect_get(DIALECT_GEMINI)->write(&g->chat, &target, &g->arena, &g->out, &g->report, &g->err)) return false;
    struct err invalid;
    if (!json_validate(buf_str(&g->out), 0, &invalid)) {
        fprintf(stderr, "written is no JSON: %s\n%.*s\n", invalid.message, STR_ARG(buf_str(&g->out)));
        exit(1);
    }
    return true;
}
static inline bool rig_write(struct rig *g, const char *model) { return rig_write_for(g, model, PROVIDER_GEMINI); }

static inline bool rig_reports(const struct rig *g, const char *name) {
    for (size_t i = 0; i < g->report.count; i++)
        if (str_eq(g->report.names[i], str_c(name))) return true;
    return false;
}
static inline bool rig_other(const struct rig *g, const char *name) {
    for (size_t i = 0; i < g->chat.other_count; i++)
        if (str_eq(g->chat.others[i], str_c(name))) return true;
    return false;
}

// The request `body` as it is written for `model`.
#define CHECK_TURNS(model, body, wanted)                                                                               \
    do {                                                                                                               \
        struct rig g_;                                                                                                 \
        rig_begin(&g_);                                                                                                \
        if (!rig_read(&g_, body) || !rig_write(&g_, model)) fprintf(stderr, "%s\n", g_.err.message);                   \
        CHECK_STR(buf_str(&g_.out), str_c(wanted));                                                                    \
        rig_end(&g_);                                                                                                  \
    } while (0)
// It is refused, with this param.
#define CHECK_REFUSED(body, wanted_param)                                                                              \
    do {                                                                                                               \
        struct rig g_;                                                                                                 \
        rig_begin(&g_);                                                                                                \
        CHECK(!rig_read(&g_, body));                                                                                   \
        CHECK_STR(str_c(g_.err.param), str_c(wanted_param));                                                           \
        CHECK_INT(g_.err.status, 400);                                                                                 \
        rig_end(&g_);                                                                                                  \
    } while (0)

// --- events as text ---

struct teller {
    struct chat_sink sink;
    struct buf out;
};

static const char *const k_part_names[] = {"text", "image",  "audio",    "video",    "file",
                                           "call", "result", "thinking", "redacted", "refusal"};
static const char *const k_finish_names[] = {"none", "stop", "sequence", "length", "tools", "filter", "pause"};

static inline void teller_take(struct chat_sink *sink, const struct chat_event *e) {
    struct teller *t = (struct teller *)(void *)sink;
    struct buf *o = &t->out;
    if (e->choice) buf_printf(o, "%u:", e->choice);
    switch (e->kind) {
    case CHAT_BEGIN:
        buf_printf(o, "begin %.*s %.*s\n", STR_ARG(e->id), STR_ARG(e->name));
        break;
    case CHAT_PART_BEGIN:
        buf_printf(o, "%s", k_part_names[e->part_kind]);
        if (e->name.n) buf_printf(o, " %.*s %.*s", STR_ARG(e->id), STR_ARG(e->name));
        if (e->mime.n) buf_printf(o, " %.*s", STR_ARG(e->mime));
        buf_putc(o, '\n');
        break;
    case CHAT_DELTA:
        buf_printf(o, "+%.*s\n", STR_ARG(e->text));
        break;
    case CHAT_SIGNATURE:
        buf_printf(o, "signature %.*s\n", STR_ARG(e->text));
        break;
    case CHAT_CITATION:
        buf_printf(o, "citation %.*s\n", STR_ARG(e->raw));
        break;
    case CHAT_PART_END:
        buf_lit(o, "end\n");
        break;
    case CHAT_USAGE:
        buf_printf(o, "usage %d %d %d %d %d\n", (int)e->usage->prompt, (int)e->usage->cached, (int)e->usage->output,
                   (int)e->usage->reasoning, (int)e->usage->images);
        break;
    case CHAT_FINISH:
        buf_printf(o, "finish %s\n", k_finish_names[e->finish]);
        break;
    case CHAT_FAIL:
        buf_printf(o, "fail %d %d %.*s\n", (int)e->failure->kind, e->failure->status, STR_ARG(e->failure->message));
        break;
    case CHAT_END:
        buf_lit(o, "over\n");
        break;
    }
}

static inline struct str file_text(const char *path, struct arena *arena) {
    FILE *f = fopen(path, "rb");
    REQUIRE(f);
    char *text = arena_alloc(arena, 1 << 20);
    REQUIRE(text);
    size_t n = fread(text, 1, 1 << 20, f);
    fclose(f);
    return str_of(text, n);
}

#endif
