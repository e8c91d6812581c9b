// Begins lines of batches on a loop, as many as other requests leave room for.
#include "gateway/batch_lines.h"

#include "base/mem.h"
#include "gateway/answer.h"
#include "gateway/native_ask.h"
#include "gateway/need.h"

#include <stdio.h>

struct batch_lines {
    struct gateway_loop *gl;
    struct batch_line *first, **last; // waiting
    struct batch_line *running;
    unsigned active, cap;
    struct task task; // looks for the next
    bool posted;
};

static void look(struct task *task);

static struct batch_lines *lines_of(struct gateway_loop *gl) {
    if (gl->lines) return gl->lines;
    struct batch_lines *l = gl->lines = mem_zalloc(1, sizeof *l);
    if (!l) return NULL;
    l->gl = gl;
    l->last = &l->first;
    l->task.fn = look;
    return l;
}

void batch_lines_free(struct batch_lines *lines) { mem_free(lines); }

static void look_soon(struct batch_lines *l) {
    if (l->posted) return;
    l->posted = true;
    loop_post(l->gl->loop, &l->task);
}

static void leave(struct batch_lines *l, const struct batch_line *line) {
    struct batch_line **at = &l->running;
    while (*at != line) at = &(*at)->next;
    *at = line->next;
    l->active--;
}

static void on_done(struct http_inner *inner) {
    struct batch_line *line = inner->user;
    struct batch_lines *l = line->gl->lines;
    uint64_t retry = 0;
    leave(l, line);
    line->inner = NULL;
    line->status = inner->status;
    line->whole = inner->whole;
    line->retry_s = str_to_u64(inner->retry_after, &retry) ? (unsigned)MIN(retry, 86400U) : 0;
    snprintf(line->request_id, sizeof line->request_id, "%.*s", STR_ARG(inner->request_id));
    buf_free(&line->answer);
    line->answer = inner->body;
    buf_init(&inner->body, 0);
    batch_line_done(line);
    look_soon(l);
}

static void failed(struct batch_line *line) {
    line->status = 503;
    line->whole = false;
    line->retry_s = 1;
    batch_line_done(line);
}

// "name: value\n" and so on. False: there are more than were ever written.
static bool read_wishes(struct str text, struct http_field out[NEED_FIELDS_MAX], size_t *out_n) {
    struct str one;
    size_t n = 0;
    while (text.n && str_split(&text, '\n', &one)) {
        size_t colon = str_find_char(one, ':');
        if (!one.n) continue;
        if (n == NEED_FIELDS_MAX || colon == one.n) return false;
        out[n++] = (struct http_field){str_head(one, colon), str_trim(str_from(one, colon + 1))};
    }
    *out_n = n;
    return true;
}

static void begin(struct batch_lines *l, struct batch_line *line) {
    struct http_field fields[NEED_FIELDS_MAX];
    size_t count = 0;
    bool read = read_wishes(line->wishes, fields, &count);
    struct http_inner_options o = {.loop = l->gl->loop,
                                   .method = HTTP_POST,
                                   .path = line->path,
                                   .content_type = STR("application/json"),
                                   .fields = fields,
                                   .field_count = count,
                                   .body = line->body,
                                   .peer = line->address,
                                   .max_reply = line->max_answer,
                                   .done = on_done,
                                   .user = line};
    line->inner = read ? http_inner_create(&o) : NULL;
    if (!line->inner) {
        failed(line);
        return;
    }
    line->next = l->running;
    l->running = line;
    l->active++;
    gateway_on_inner(l->gl, &line->inner->req, &line->caller);
}

// Other requests go first, but there is always one line.
static bool has_room(const struct batch_lines *l) {
    uint64_t others = l->gl->active > l->active ? l->gl->active - l->active : 0;
    uint64_t room = l->cap > others ? l->cap - others : 1;
    return l->active < room;
}

static void look(struct task *task) {
    struct batch_lines *l = CONTAINER_OF(task, struct batch_lines, task);
    l->posted = false;
    while (l->first && has_room(l)) {
        struct batch_line *line = l->first;
        l->first = line->next;
        if (!l->first) l->last = &l->first;
        begin(l, line);
    }
}

static void arrive(struct task *task) {
    struct batch_line *line = CONTAINER_OF(task, struct batch_line, task);
    struct batch_lines *l = lines_of(line->gl);
    if (!l) {
        failed(line);
        return;
    }
    l->cap = line->cap;
    line->next = NULL;
    *l->last = line;
    l->last = &line->next;
    look_soon(l);
}

void batch_line_post(struct batch_line *line, struct gateway_loop *gl) {
    line->gl = gl;
    line->task.fn = arrive;
    loop_post(gl->loop, &line->task);
}

void batch_lines_stop(struct gateway_loop *gl) {
    struct batch_lines *l = gl->lines;
    native_asks_stop(gl);
    if (!l) return;
    l->first = NULL;
    l->last = &l->first;
    while (l->running) {
        struct batch_line *line = l->running;
        struct http_inner *inner = line->inner;
        leave(l, line);
        line->inner = NULL;
        call_abort(inner->req.user);
        http_inner_free(inner);
    }
}
