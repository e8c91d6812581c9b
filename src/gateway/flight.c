// Flights: their calls, and the answers as they are kept.
#include "gateway/flight_impl.h"

#include "base/mem.h"
#include "gateway/answer.h"
#include "gateway/record.h"
#include "gateway/translation.h"
#include "os/rand.h"

#define PIECE ((size_t)16 * 1024 - 64)
#define HEAD_MAX ((size_t)64 * 1024)

// --- all flights ---

bool flights_create(struct flights **out_flights, struct err *err) {
    struct flights *all = mem_zalloc(1, sizeof *all);
    if (!all) return err_no_memory(err);
    mutex_init(&all->lock);
    map_init(&all->map, rand_u64());
    *out_flights = all;
    return true;
}

void flights_free(struct flights *all) {
    if (!all) return;
    map_free(&all->map);
    mutex_free(&all->lock);
    mem_free(all);
}

void flight_unlist(struct flight *f) {
    mutex_lock(&f->flights->lock);
    if (f->listed) (void)map_del(&f->flights->map, f->identity);
    f->listed = false;
    mutex_unlock(&f->flights->lock);
}

// --- one ---

static struct flight_piece *piece_create(size_t cap) {
    struct flight_piece *p = mem_alloc(sizeof *p + cap);
    if (p) *p = (struct flight_piece){.cap = cap};
    return p;
}

static struct str copied(char **at, struct str s) {
    struct str out = str_of(*at, s.n);
    if (s.n) memcpy(*at, s.p, s.n);
    *at += s.n;
    return out;
}

// Whose key it was is told to nobody.
static bool is_kept(struct str name) {
    static const struct str secrets[] = {STR_INIT("authorization"), STR_INIT("x-api-key"), STR_INIT("api-key"),
                                         STR_INIT("x-goog-api-key"), STR_INIT("cookie")};
    for (size_t i = 0; i < ARRAY_LEN(secrets); i++)
        if (str_eq_nocase(name, secrets[i])) return false;
    return true;
}

static size_t request_size(const struct http_req *req) {
    size_t n = req->path.n + req->query.n + req->peer.n;
    for (size_t i = 0; i < req->field_count; i++)
        n += sizeof *req->fields + req->fields[i].name.n + req->fields[i].value.n;
    return n;
}

static void on_stop(struct task *task);
static void on_resume(struct task *task);

struct flight *flight_create(struct call *call, struct str identity) {
    const struct http_req *req = call->req;
    size_t size = sizeof(struct flight);
    struct flight *f = mem_alloc(size + request_size(req) + identity.n);
    struct flight_piece *first = f ? piece_create(0) : NULL;
    if (!first) {
        mem_free(f);
        return NULL;
    }
    *f = (struct flight){.refs = 1, .flights = call->gl->gateway->flights, .gl = call->gl, .first = first};
    f->last = first;
    f->ahead_max = (size_t)call->runtime->conf->limits.stream_buffer;
    f->fields = (struct http_field *)(f + 1);
    char *at = (char *)(f->fields + req->field_count);
    for (size_t i = 0; i < req->field_count; i++) {
        if (!is_kept(req->fields[i].name)) continue;
        struct http_field *field = &f->fields[f->field_count++];
        field->name = copied(&at, req->fields[i].name);
        field->value = copied(&at, req->fields[i].value);
    }
    f->path = copied(&at, req->path);
    f->query = copied(&at, req->query);
    f->peer = copied(&at, req->peer);
    f->identity = copied(&at, identity);
    f->body = str_from(f->identity, identity.n - req->body.n);
    struct str origin = http_field_get(f->fields, f->field_count, STR("origin"));
    f->caller = (struct inner_caller){.ring = call->ring ? keyring_ref(call->ring) : NULL,
                                      .key = call->key,
                                      .origin = origin.p ? origin : STR(""),
                                      .flight = f};
    f->stop.fn = on_stop;
    f->resume.fn = on_resume;
    mutex_init(&f->lock);
    buf_init(&f->kept, HEAD_MAX);
    buf_init(&f->asked.model, HEAD_MAX);
    return f;
}

void flight_unref(struct flight *f) {
    if (atomic_fetch_sub(&f->refs, 1) != 1) return;
    while (f->first) {
        struct flight_piece *p = f->first;
        f->first = p->next;
        mem_free(p);
    }
    while (f->seats) {
        struct flight_seat *s = f->seats;
        f->seats = s->next;
        mem_free(s);
    }
    keyring_unref(f->caller.ring);
    mutex_free(&f->lock);
    buf_free(&f->kept);
    buf_free(&f->asked.model);
    mem_free(f->head.passed);
    mem_free(f);
}

void flight_tell(struct flight *f, struct flight_seat *seat) {
    if (seat->posted) return;
    seat->posted = true;
    flight_ref(f);
    loop_post(seat->gl->loop, &seat->task);
}

static void tell_all(struct flight *f) {
    for (struct flight_seat *s = f->seats; s; s = s->next) flight_tell(f, s);
}

void flight_moved(struct flight *f) {
    bool trims = f->total > FLIGHT_KEPT && !f->head.whole;
    while (trims && f->first != f->last && !f->first->readers) {
        struct flight_piece *p = f->first;
        f->first = p->next;
        mem_free(p);
    }
    if (!f->held || f->resuming || f->total - f->furthest > f->ahead_max / 2) return;
    f->held = false;
    f->resuming = true;
    flight_ref(f);
    loop_post(f->gl->loop, &f->resume);
}

void flight_asks(const struct call *call, bool asks) {
    struct flight *f = call->inner->flight;
    const struct route_target *t = call_target(call);
    mutex_lock(&f->lock);
    buf_clear(&f->asked.model);
    if (asks) buf_put(&f->asked.model, t->model);
    f->asked.provider = asks && !f->asked.model.failed ? call->at->provider : NULL;
    if (f->asked.provider) {
        f->asked.at = *t;
        f->asked.price = *t->price;
    }
    mutex_unlock(&f->lock);
}

// --- its answer ---

// What riders read of the head lies in one buffer that does not move any more once all is in it.
static bool keep_head(struct flight *f, const struct call *call, struct str type) {
    struct flight_head *h = &f->head;
    struct str dropped = translation_dropped(call), model = h->at.model;
    size_t need = type.n + dropped.n + model.n;
    for (size_t i = 0; i < call->passed_count; i++) need += call->passed[i].name.n + call->passed[i].value.n;
    for (size_t i = 0; i < call->failover.tried_count; i++) need += call->failover.tried[i].model.n;
    h->passed = mem_zalloc(call->passed_count + 1, sizeof *h->passed);
    if (!h->passed || !buf_reserve(&f->kept, need + 1)) return false;
    char *at = f->kept.p;
    h->type = copied(&at, type);
    h->dropped = copied(&at, dropped);
    h->at.model = copied(&at, model);
    for (size_t i = 0; i < call->failover.tried_count; i++) {
        h->tried[i] = call->failover.tried[i];
        h->tried[i].model = copied(&at, h->tried[i].model);
    }
    h->tried_count = call->failover.tried_count;
    h->attempts = call->attempts;
    h->calls = call->calls;
    for (size_t i = 0; i < call->passed_count; i++) {
        if (str_eq(call->passed[i].name, STR("content-type"))) continue;
        h->passed[h->passed_count].name = copied(&at, call->passed[i].name);
        h->passed[h->passed_count++].value = copied(&at, call->passed[i].value);
    }
    return true;
}

static void on_head(struct http_inner *inner, int status, const struct http_field *fields, size_t count) {
    struct flight *f = inner->user;
    const struct call *call = inner->req.user;
    struct flight_head *h = &f->head;
    struct str type = http_field_get(fields, count, STR("content-type"));
    mutex_lock(&f->lock);
    h->status = status;
    h->whole = !call || call->mode != ANSWER_STREAM;
    h->target = call && call_target(call);
    if (h->target) {
        h->provider = call->at->provider;
        h->at = *call_target(call);
        h->price = *h->at.price;
        h->at.price = &h->price;
    }
    if (call) h->canary = call->trials.canary;
    if (call) memcpy(f->id_text, call->id_text, sizeof f->id_text);
    if (call && !keep_head(f, call, type)) f->ended = true; // what comes is not kept: it ends too early for all
    f->begun = true;
    tell_all(f);
    mutex_unlock(&f->lock);
}

// more: what comes behind it at once.
static bool append(struct flight *f, struct str s, size_t more) {
    while (s.n) {
        struct flight_piece *p = f->last;
        if (p->n == p->cap) {
            p = piece_create(f->head.whole ? s.n + more : PIECE);
            if (!p) return false;
            f->last->next = p;
            f->last = p;
        }
        size_t n = MIN(s.n, p->cap - p->n);
        memcpy(p->bytes + p->n, s.p, n);
        p->n += n;
        f->total += n;
        s = str_from(s, n);
    }
    return true;
}

static struct flight_bill bill_of(const struct call *call) {
    return (struct flight_bill){.usage = call->usage,
                                .cost_nano = call->cost_nano,
                                .reference_nano = call->reference_nano,
                                .usage_known = call->usage_known,
                                .cost_known = call->cost_known,
                                .reference_known = call->reference_known,
                                .error = call->error};
}

// Under its lock.
static void end(struct flight *f, const struct call *call, bool whole) {
    if (f->ended) return;
    f->ended = true;
    f->whole = whole;
    if (call) f->bill = bill_of(call);
    tell_all(f);
}

static size_t on_data(struct http_inner *inner, const struct str *parts, size_t count, bool last) {
    struct flight *f = inner->user;
    const struct call *call = inner->req.user;
    size_t more = 0;
    bool ok = true;
    for (size_t i = 0; i < count; i++) more += parts[i].n;
    mutex_lock(&f->lock);
    for (size_t i = 0; i < count && ok && !f->ended; i++) {
        more -= parts[i].n;
        ok = append(f, parts[i], more);
    }
    if (!last) f->events = record_streamed(call);
    if (!ok || last) end(f, call, ok);
    if (!f->ended) tell_all(f);
    bool full = f->total > FLIGHT_KEPT || f->ended;
    size_t ahead = (size_t)(f->total - f->furthest);
    f->held = f->held || (!f->ended && ahead > f->ahead_max);
    mutex_unlock(&f->lock);
    if (full) flight_unlist(f);
    return ahead;
}

static void on_done(struct http_inner *inner) {
    struct flight *f = inner->user;
    f->inner = NULL;
    mutex_lock(&f->lock);
    end(f, inner->req.user, false);
    mutex_unlock(&f->lock);
    flight_unlist(f);
    flight_unref(f);
}

// --- its call ---

static const struct http_inner_sink k_sink = {.head = on_head, .data = on_data};

void flight_begin(struct flight *f) {
    const struct http_inner_options o = {.loop = f->gl->loop,
                                         .method = HTTP_POST,
                                         .path = f->path,
                                         .query = f->query,
                                         .fields = f->fields,
                                         .field_count = f->field_count,
                                         .sink = &k_sink,
                                         .body = f->body,
                                         .peer = f->peer,
                                         .done = on_done,
                                         .user = f};
    f->inner = http_inner_create(&o);
    if (!f->inner) {
        mutex_lock(&f->lock);
        end(f, NULL, false);
        mutex_unlock(&f->lock);
        flight_unlist(f);
        return;
    }
    flight_ref(f);
    gateway_on_inner(f->gl, &f->inner->req, &f->caller);
}

// Nobody wants its answer any more.
static void on_stop(struct task *task) {
    struct flight *f = CONTAINER_OF(task, struct flight, stop);
    struct http_inner *inner = f->inner;
    f->inner = NULL;
    if (inner) {
        call_abort(inner->req.user);
        http_inner_free(inner);
        flight_unref(f);
    }
    flight_unref(f);
}

static void on_resume(struct task *task) {
    struct flight *f = CONTAINER_OF(task, struct flight, resume);
    mutex_lock(&f->lock);
    f->resuming = false;
    mutex_unlock(&f->lock);
    if (f->inner) answer_resume(f->inner->req.user);
    flight_unref(f);
}
