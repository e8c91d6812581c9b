// /v1/batches: requests in a file, carried out by the server; made, looked at, listed, cancelled.
#include "gateway/answer.h"
#include "gateway/batch_item.h"
#include "gateway/batches.h"
#include "gateway/clerk.h"
#include "gateway/finding.h"
#include "gateway/need.h"
#include "gateway/pipeline.h"
#include "gateway/store_reply.h"

#include "base/json_read.h"
#include "base/mem.h"
#include "os/clock.h"

#define WINDOW_NS (INT64_C(24) * 3600 * (int64_t)NS_PER_SEC)
#define METADATA_MAX 16
#define METADATA_KEY_MAX 64
#define METADATA_VALUE_MAX 512
#define EXPIRY_MIN 3600
#define EXPIRY_MAX 2592000
#define LIST_MAX 100
#define LIST_DEFAULT 20
#define ANSWER_MAX ((size_t)16 << 20)

struct batch_job {
    struct clerk_job job; // first
    struct arena arena;
    struct store_caller by;
    int64_t now_ns;
    struct batch batch;
    int64_t max_open, after, limit;
    struct buf out;
};

static struct batch_job *of_job(struct clerk_job *job) { return CONTAINER_OF(job, struct batch_job, job); }

static void job_free(struct clerk_job *job) {
    struct batch_job *b = of_job(job);
    buf_free(&b->out);
    arena_free(&b->arena);
    mem_free(b);
}

static struct sql_scope scope_of(const struct batch_job *b, struct sql *db) { return sql_tenant(db, b->by.tenant); }

// --- what a batch looks like ---

static void put_file_id(struct json_writer *w, struct str name, int64_t id) {
    char text[STORED_FILE_ID_LEN];
    stored_file_id_text(text, id);
    json_put_member_text(w, name, id ? str_of(text, sizeof text) : STR(""));
}

static void put_times(struct json_writer *w, const struct batch *b) {
    store_put_time(w, STR("created_at"), b->created_at);
    store_put_time(w, STR("in_progress_at"), b->at[BATCH_IN_PROGRESS]);
    store_put_time(w, STR("expires_at"), b->expires_at);
    store_put_time(w, STR("finalizing_at"), b->at[BATCH_FINALIZING]);
    store_put_time(w, STR("completed_at"), b->at[BATCH_COMPLETED]);
    store_put_time(w, STR("failed_at"), b->at[BATCH_FAILED]);
    store_put_time(w, STR("expired_at"), b->at[BATCH_EXPIRED]);
    store_put_time(w, STR("cancelling_at"), b->at[BATCH_CANCELLING]);
    store_put_time(w, STR("cancelled_at"), b->at[BATCH_CANCELLED]);
}

static void put_errors(struct json_writer *w, const struct batch *b) {
    if (!b->errors.n) {
        json_put_member_null(w, STR("errors"));
        return;
    }
    json_put_member_object(w, STR("errors"));
    json_put_member_str(w, STR("object"), STR("list"));
    json_put_member_raw(w, STR("data"), b->errors);
    json_put_object_end(w);
}

static void put_batch(struct json_writer *w, const struct batch *b) {
    char id[BATCH_ID_LEN];
    struct str status = batch_status_text(b->status);
    batch_id_text(id, b->id);
    json_put_object(w);
    json_put_member_str(w, STR("id"), str_of(id, sizeof id));
    json_put_member_str(w, STR("object"), STR("batch"));
    json_put_member_str(w, STR("endpoint"), b->endpoint);
    put_errors(w, b);
    put_file_id(w, STR("input_file_id"), b->input_file);
    json_put_member_str(w, STR("completion_window"), STR("24h"));
    json_put_member_str(w, STR("status"), status);
    put_file_id(w, STR("output_file_id"), b->output_file);
    put_file_id(w, STR("error_file_id"), b->error_file);
    put_times(w, b);
    json_put_member_object(w, STR("request_counts"));
    json_put_member_i64(w, STR("total"), b->total);
    json_put_member_i64(w, STR("completed"), b->completed);
    json_put_member_i64(w, STR("failed"), b->failed);
    json_put_object_end(w);
    json_put_member_raw(w, STR("metadata"), b->metadata.n > 2 ? b->metadata : STR("null"));
    json_put_object_end(w);
}

// --- jobs ---

static void done(struct clerk_job *job) {
    struct batch_job *b = of_job(job);
    struct call *call = job->call;
    struct err err = job->err;
    if (!call || !job->ok) {
        clerk_finish(job);
        if (call) call_fail(call, &err);
        return;
    }
    buf_free(&call->answer);
    call->answer = b->out;
    buf_init(&b->out, 0);
    clerk_finish(job);
    call_reply(call, 200, STR("application/json"), buf_str(&call->answer));
}

static struct batch_job *job_new(struct call *call, bool (*run)(struct clerk_job *, struct sql *, struct err *),
                                 struct err *err) {
    if (!store_admits(call, err)) return NULL;
    struct batch_job *b = mem_zalloc(1, sizeof *b);
    if (!b) {
        err_no_memory(err);
        return NULL;
    }
    b->job = (struct clerk_job){.run = run, .done = done, .free = job_free};
    b->by = store_caller_of(call);
    b->now_ns = call->ts;
    arena_init(&b->arena, NULL, 0, (size_t)4 << 20);
    buf_init(&b->out, ANSWER_MAX);
    return b;
}

static enum stage_result begin(struct call *call, struct batch_job *b, bool ok, struct err *err) {
    if (ok && clerk_ask(call, &b->job, err)) return STAGE_WAIT;
    job_free(&b->job);
    return STAGE_FAIL;
}

static bool show(struct batch_job *b, struct sql *db, struct err *err) {
    struct json_writer w;
    if (!batch_get(scope_of(b, db), &b->by.place, b->batch.id, &b->arena, &b->batch, err)) return false;
    json_writer_init(&w, &b->out);
    put_batch(&w, &b->batch);
    return true;
}

// --- making one ---

PRINTF_LIKE(3, 4) static bool wrong(struct err *err, const char *param, const char *fmt, ...) {
    va_list ap;
    char text[256];
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    err_set(err, ERR_INVALID_FIELD, "%s", text);
    snprintf(err->param, sizeof err->param, "%s", param);
    return false;
}

static bool check_metadata(struct str raw, struct err *err) {
    struct json_reader r;
    struct str key, value;
    enum json_kind kind;
    size_t n = 0;
    json_reader_init(&r, raw, 2);
    if (json_enter_object(&r)) {
        while (json_member(&r, &key, &kind)) {
            bool fits = json_string_len(key) <= METADATA_KEY_MAX && kind == JSON_STRING && json_string(&r, &value) &&
                        json_string_len(value) <= METADATA_VALUE_MAX;
            if (!fits || ++n > METADATA_MAX)
                return wrong(err, "metadata", "metadata may have %d keys of up to %d bytes, with strings of up to %d",
                             METADATA_MAX, METADATA_KEY_MAX, METADATA_VALUE_MAX);
        }
    }
    return json_end(&r, err);
}

static bool read_expiry(struct str raw, int64_t *out_s, struct err *err) {
    struct json_field f[] = {{.name = STR("anchor"), .kinds = JSON_IS(JSON_STRING), .required = true},
                             {.name = STR("seconds"), .kinds = JSON_IS(JSON_NUMBER), .required = true}};
    if (!json_scan(raw, f, ARRAY_LEN(f), err)) return false;
    if (!json_string_eq(f[0].raw, STR("created_at")))
        return wrong(err, "output_expires_after.anchor", "anchor must be \"created_at\"");
    return (json_raw_i64(f[1].raw, out_s) && *out_s >= EXPIRY_MIN && *out_s <= EXPIRY_MAX) ||
           wrong(err, "output_expires_after.seconds", "seconds must be a number from %d to %d", EXPIRY_MIN, EXPIRY_MAX);
}

enum { IN_FILE, IN_ENDPOINT, IN_WINDOW, IN_METADATA, IN_EXPIRY, IN_CONCURRENCY, IN_FIELDS };

static bool read_endpoint(struct str raw, struct batch_job *b, struct err *err) {
    bool ignored;
    if (!json_string_text(raw, &b->arena, &b->batch.endpoint)) return err_no_memory(err);
    struct str path = b->batch.endpoint;
    return (batch_endpoint_known(path) && endpoint_find(HTTP_POST, path, &ignored)) ||
           wrong(err, "endpoint", "there are no batches of \"%.*s\"", STR_ARG(str_head(path, 100)));
}

static bool read_more(struct json_field *f, struct batch_job *b, struct err *err) {
    struct batch *batch = &b->batch;
    batch->metadata = STR("{}");
    if (f[IN_METADATA].found && f[IN_METADATA].kind == JSON_OBJECT) {
        if (!check_metadata(f[IN_METADATA].raw, err)) return false;
        batch->metadata = arena_str(&b->arena, f[IN_METADATA].raw);
        if (!batch->metadata.p) return err_no_memory(err);
    }
    if (f[IN_EXPIRY].found && f[IN_EXPIRY].kind == JSON_OBJECT &&
        !read_expiry(f[IN_EXPIRY].raw, &batch->output_ttl_s, err))
        return false;
    if (!f[IN_CONCURRENCY].found || f[IN_CONCURRENCY].kind == JSON_NULL) return true;
    return (json_raw_i64(f[IN_CONCURRENCY].raw, &batch->concurrency) && batch->concurrency >= 1 &&
            batch->concurrency <= 1000) ||
           wrong(err, "concurrency", "concurrency must be a number from 1 to 1000");
}

static bool read_batch(struct call *call, struct batch_job *b, struct err *err) {
    struct json_field f[IN_FIELDS] = {
        [IN_FILE] = {.name = STR("input_file_id"), .kinds = JSON_IS(JSON_STRING), .required = true},
        [IN_ENDPOINT] = {.name = STR("endpoint"), .kinds = JSON_IS(JSON_STRING), .required = true},
        [IN_WINDOW] = {.name = STR("completion_window"), .kinds = JSON_IS(JSON_STRING), .required = true},
        [IN_METADATA] = {.name = STR("metadata"), .kinds = JSON_IS(JSON_OBJECT) | JSON_OR_NULL},
        [IN_EXPIRY] = {.name = STR("output_expires_after"), .kinds = JSON_IS(JSON_OBJECT) | JSON_OR_NULL},
        [IN_CONCURRENCY] = {.name = STR("concurrency"), .kinds = JSON_IS(JSON_NUMBER) | JSON_OR_NULL},
    };
    struct str file;
    if (!json_scan(call->req->body, f, IN_FIELDS, err) || !read_endpoint(f[IN_ENDPOINT].raw, b, err)) return false;
    if (!json_string_eq(f[IN_WINDOW].raw, STR("24h")))
        return wrong(err, "completion_window", "completion_window must be \"24h\"");
    if (!json_string_text(f[IN_FILE].raw, &b->arena, &file)) return err_no_memory(err);
    if (!stored_file_id_parse(file, &b->batch.input_file)) {
        wrong(err, "input_file_id", "there is no such file");
        err->code = ERR_NOT_FOUND, err->status = 404;
        return false;
    }
    return read_more(f, b, err);
}

// Where it may go holds for its lines.
static bool read_wishes(struct call *call, struct batch_job *b, struct err *err) {
    struct http_field fields[NEED_FIELDS_MAX];
    size_t n;
    BUF_AUTO struct buf text = BUF_INIT(1 << 18);
    if (!need_fill(call, err)) return false;
    if (!need_fields(call->need, &call->req->arena, fields, &n)) return err_no_memory(err);
    for (size_t i = 0; i < n; i++) buf_printf(&text, "%.*s: %.*s\n", STR_ARG(fields[i].name), STR_ARG(fields[i].value));
    b->batch.wishes = text.failed ? STR_NONE : arena_str(&b->arena, buf_str(&text));
    return b->batch.wishes.p || err_no_memory(err);
}

// It goes on when the request is long over: by a key, which can be looked at again.
static bool check_caller(struct call *call, struct batch_job *b, struct err *err) {
    const struct http_req *req = call->req;
    bool plain = !call->key || (call->key->id && call->ring == call->gl->ring); // tokens have rings of their own
    if (!plain)
        return err_set(err, ERR_FORBIDDEN,
                       "a batch goes on for longer than an access token lasts: make it with an API key");
    b->batch.address = arena_str(&b->arena, req->peer);
    b->batch.origin = arena_str(&b->arena, http_field_get(req->fields, req->field_count, STR("origin")));
    return (b->batch.address.p && b->batch.origin.p) || err_no_memory(err);
}

static bool make_run(struct clerk_job *job, struct sql *db, struct err *err) {
    struct batch_job *b = of_job(job);
    return batch_insert(scope_of(b, db), &b->batch, b->max_open, err) && show(b, db, err);
}

static void note(const struct clerk_job *job, struct str action) {
    char id[BATCH_ID_LEN];
    if (!job->call || !job->ok) return;
    batch_id_text(id, CONTAINER_OF(job, struct batch_job, job)->batch.id);
    store_note(job->call, action, STR("batch"), str_of(id, sizeof id));
}

static void make_done(struct clerk_job *job) {
    note(job, STR("batch.create"));
    batches_wake(job->gl->gateway->o.batches);
    done(job);
}

enum stage_result stage_batch_make(struct call *call, struct err *err) {
    enum stage_result ahead = finding_ahead(call, err);
    if (ahead != STAGE_DONE) return ahead;
    struct batch_job *b = job_new(call, make_run, err);
    if (!b) return STAGE_FAIL;
    b->job.done = make_done;
    b->max_open = call->runtime->conf->batches.max_open;
    b->batch.key_id = b->by.key;
    b->batch.place = b->by.place;
    b->batch.created_at = b->now_ns;
    b->batch.expires_at = b->now_ns + WINDOW_NS;
    return begin(call, b, check_caller(call, b, err) && read_wishes(call, b, err) && read_batch(call, b, err), err);
}

// --- one ---

static bool get_run(struct clerk_job *job, struct sql *db, struct err *err) { return show(of_job(job), db, err); }

static bool cancel_run(struct clerk_job *job, struct sql *db, struct err *err) {
    struct batch_job *b = of_job(job);
    return batch_cancel(scope_of(b, db), &b->by.place, b->batch.id, b->now_ns, err) && show(b, db, err);
}

static enum stage_result with_one(struct call *call, bool (*run)(struct clerk_job *, struct sql *, struct err *),
                                  struct err *err) {
    int64_t id;
    if (!batch_id_parse(store_path_id(call), &id)) {
        err_set(err, ERR_NOT_FOUND, "there is no such batch");
        return STAGE_FAIL;
    }
    struct batch_job *b = job_new(call, run, err);
    if (!b) return STAGE_FAIL;
    b->batch.id = id;
    return begin(call, b, true, err);
}

enum stage_result stage_batch_get(struct call *call, struct err *err) { return with_one(call, get_run, err); }

static void cancel_done(struct clerk_job *job) {
    note(job, STR("batch.cancel"));
    batches_wake(job->gl->gateway->o.batches);
    done(job);
}

enum stage_result stage_batch_cancel(struct call *call, struct err *err) {
    enum stage_result r = with_one(call, cancel_run, err);
    if (r == STAGE_WAIT) call->job->done = cancel_done;
    return r;
}

// --- all ---

static bool list_one(void *arg, const struct batch *batch, struct err *err) {
    struct store_list *l = arg;
    char id[BATCH_ID_LEN];
    (void)err;
    batch_id_text(id, batch->id);
    if (store_list_next(l, str_of(id, sizeof id))) put_batch(&l->w, batch);
    return true;
}

static bool list_run(struct clerk_job *job, struct sql *db, struct err *err) {
    struct batch_job *b = of_job(job);
    struct store_list l;
    store_list_begin(&l, &b->out, b->limit);
    bool ok = batch_each(scope_of(b, db), &b->by.place, b->after, b->limit + 1, list_one, &l, err);
    if (ok) store_list_end(&l);
    return ok;
}

enum stage_result stage_batch_list(struct call *call, struct err *err) {
    struct batch_job *b = job_new(call, list_run, err);
    struct str after;
    if (!b) return STAGE_FAIL;
    bool ok = store_query(call, STR("after"), &after, err) &&
              store_query_limit(call, 1, LIST_MAX, LIST_DEFAULT, &b->limit, err);
    if (ok && after.n && !batch_id_parse(after, &b->after)) ok = wrong(err, "after", "after must be a batch's id");
    return begin(call, b, ok, err);
}
