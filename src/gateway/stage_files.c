// /v1/files: clients put files in, list them, fetch them and take them away.
#include "gateway/answer.h"
#include "gateway/clerk.h"
#include "gateway/pipeline.h"
#include "gateway/record.h"
#include "gateway/reply.h"
#include "gateway/store_reply.h"

#include "base/mem.h"
#include "base/utf8.h"
#include "conf/value.h"
#include "model/openai/multipart.h"
#include "os/clock.h"

#define NAME_MAX_BYTES 512
#define PIECES 4 // that go to the clerk at once
#define LIST_MAX 10000
#define EXPIRY_MIN 3600
#define EXPIRY_MAX 2592000
#define ANSWER_MAX ((size_t)16 << 20)

struct file_job {
    struct clerk_job job; // first
    struct arena arena;   // texts of `file` and `list`
    const struct datadir *dir;
    struct store_caller by;
    int64_t now_ns;
    struct stored_file file;
    // Taking one in.
    enum { PUT_BEGIN, PUT_BYTES, PUT_END } step;
    int64_t max_total, pieces;
    struct str rest; // of the body, which is the call's
    struct buf part; // a copy of what the clerk writes
    // Giving out.
    struct stored_file_list list;
    struct buf out;
};

static struct file_job *of_job(struct clerk_job *job) { return CONTAINER_OF(job, struct file_job, job); }

static void job_free(struct clerk_job *job) {
    struct file_job *f = of_job(job);
    buf_free(&f->part);
    buf_free(&f->out);
    arena_free(&f->arena);
    mem_free(f);
}

static struct file_job *job_new(struct call *call, struct err *err) {
    if (!store_admits(call, err)) return NULL;
    struct file_job *f = mem_zalloc(1, sizeof *f);
    if (!f) {
        err_no_memory(err);
        return NULL;
    }
    f->job.free = job_free;
    f->dir = call->gl->gateway->o.dir;
    f->by = store_caller_of(call);
    f->now_ns = call->ts;
    arena_init(&f->arena, NULL, 0, 64 * 1024);
    buf_init(&f->part, PIECES * STORED_FILE_PIECE);
    buf_init(&f->out, ANSWER_MAX);
    return f;
}

static struct sql_scope scope_of(const struct file_job *f, struct sql *db) { return sql_tenant(db, f->by.tenant); }

// False: the call was ended, or there is none any more, and the job is gone.
static bool is_well(struct clerk_job *job) {
    struct call *call = job->call;
    if (call && job->ok) return true;
    struct err err = job->err;
    clerk_finish(job);
    if (call) call_fail(call, &err);
    return false;
}

static void ask(struct clerk_job *job) {
    struct call *call = job->call;
    struct err err;
    if (clerk_ask(call, job, &err)) return;
    clerk_finish(job);
    call_fail(call, &err);
}

static enum stage_result begin(struct call *call, struct file_job *f, struct err *err) {
    if (clerk_ask(call, &f->job, err)) return STAGE_WAIT;
    job_free(&f->job);
    return STAGE_FAIL;
}

static void put_file(struct json_writer *w, const struct stored_file *f) {
    char id[STORED_FILE_ID_LEN];
    stored_file_id_text(id, f->id);
    json_put_object(w);
    json_put_member_str(w, STR("id"), str_of(id, sizeof id));
    json_put_member_str(w, STR("object"), STR("file"));
    json_put_member_i64(w, STR("bytes"), f->bytes);
    store_put_time(w, STR("created_at"), f->created_at);
    if (f->expires_at) store_put_time(w, STR("expires_at"), f->expires_at);
    json_put_member_str(w, STR("filename"), f->name);
    json_put_member_str(w, STR("purpose"), f->purpose);
    json_put_member_str(w, STR("status"), STR("processed"));
    json_put_member_null(w, STR("status_details"));
    json_put_object_end(w);
}

// The answer is in f->out.
static void answer(struct file_job *f) {
    struct call *call = f->job.call;
    if (f->out.failed) f->out.n = 0;
    buf_free(&call->answer);
    call->answer = f->out;
    buf_init(&f->out, 0);
    clerk_finish(&f->job);
    call_reply(call, 200, STR("application/json"), buf_str(&call->answer));
}

static void answer_file(struct file_job *f) {
    struct json_writer w;
    json_writer_init(&w, &f->out);
    put_file(&w, &f->file);
    answer(f);
}

static void note(const struct file_job *f, struct str action) {
    char id[STORED_FILE_ID_LEN];
    stored_file_id_text(id, f->file.id);
    store_note(f->job.call, action, STR("file"), str_of(id, sizeof id));
}

// --- putting one in ---

static bool put_bytes(struct file_job *f, struct sql *db, struct err *err) {
    struct str rest = buf_str(&f->part);
    for (; rest.n; rest = str_from(rest, STORED_FILE_PIECE))
        if (!stored_file_add(scope_of(f, db), f->dir, f->file.id, f->pieces++, str_head(rest, STORED_FILE_PIECE), err))
            return false;
    return true;
}

static bool put_run(struct clerk_job *job, struct sql *db, struct err *err) {
    struct file_job *f = of_job(job);
    switch (f->step) {
    case PUT_BEGIN:
        return stored_file_begin(scope_of(f, db), &f->file, f->max_total, err);
    case PUT_BYTES:
        return put_bytes(f, db, err);
    case PUT_END:
        break;
    }
    return stored_file_finish(scope_of(f, db), f->file.id, f->file.bytes, err);
}

static void put_done(struct clerk_job *job) {
    struct file_job *f = of_job(job);
    if (!is_well(job)) return;
    if (f->step == PUT_END) {
        note(f, STR("file.create"));
        answer_file(f);
        return;
    }
    struct str part = str_head(f->rest, PIECES * STORED_FILE_PIECE);
    f->step = part.n ? PUT_BYTES : PUT_END;
    f->rest = str_from(f->rest, part.n);
    buf_clear(&f->part);
    buf_put(&f->part, part);
    if (f->part.failed) {
        job->ok = err_no_memory(&job->err);
        (void)is_well(job);
        return;
    }
    ask(job);
}

static bool wrong(struct err *err, const char *param, const char *what) {
    err_set(err, ERR_INVALID_FIELD, "%s", what);
    snprintf(err->param, sizeof err->param, "%s", param);
    return false;
}

static bool missing(struct err *err, const char *param) {
    err_set(err, ERR_MISSING_FIELD, "the form's field \"%s\" is missing", param);
    snprintf(err->param, sizeof err->param, "%s", param);
    return false;
}

static bool check_purpose(struct str purpose, struct err *err) {
    static const struct str known[] = {STR_INIT("batch"),  STR_INIT("user_data"), STR_INIT("assistants"),
                                       STR_INIT("vision"), STR_INIT("evals"),     STR_INIT("fine-tune")};
    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (str_eq(purpose, known[i])) return true;
    return wrong(err, "purpose",
                 "purpose must be one of \"batch\", \"user_data\", \"assistants\", \"vision\", \"evals\" and "
                 "\"fine-tune\"");
}

// expires_after[anchor] is "created_at", the only one there is.
static bool read_expiry(const struct multipart_field *anchor, const struct multipart_field *seconds, int64_t now_ns,
                        int64_t *out_at, struct err *err) {
    int64_t s;
    *out_at = 0;
    if (!anchor->found && !seconds->found) return true;
    if (!anchor->found || !str_eq(anchor->value, STR("created_at")))
        return wrong(err, "expires_after.anchor", "expires_after[anchor] must be \"created_at\"");
    if (!seconds->found || !str_to_i64(seconds->value, &s) || s < EXPIRY_MIN || s > EXPIRY_MAX)
        return wrong(err, "expires_after.seconds", "expires_after[seconds] must be a number from 3600 to 2592000");
    *out_at = now_ns + s * (int64_t)NS_PER_SEC;
    return true;
}

static bool check_size(const struct call *call, size_t bytes, struct err *err) {
    BUF_AUTO struct buf most = BUF_INIT(64);
    int64_t max = call->runtime->conf->files.max_size;
    if ((int64_t)bytes <= max) return true;
    value_put_size(&most, max);
    return err_set(err, ERR_BODY_TOO_LARGE,
                   "the file has %zu bytes; the largest that is taken has %.*s (files.max_size)", bytes,
                   STR_ARG(buf_str(&most)));
}

// The name is shown to people and programs: a plain line of text.
static bool check_name(struct str name, struct err *err) {
    bool ok = name.n && name.n <= NAME_MAX_BYTES && utf8_valid(name);
    for (size_t i = 0; ok && i < name.n; i++) ok = (unsigned char)name.p[i] >= 0x20 && name.p[i] != 0x7f;
    return ok || wrong(err, "file", "the file must have a name of 1 to 512 bytes of UTF-8 text");
}

enum { FORM_FILE, FORM_PURPOSE, FORM_ANCHOR, FORM_SECONDS, FORM_FIELDS };

static bool read_form(struct call *call, struct file_job *f, struct err *err) {
    struct multipart_field form[FORM_FIELDS] = {
        [FORM_FILE] = {.name = STR("file"), .file = true},
        [FORM_PURPOSE] = {.name = STR("purpose")},
        [FORM_ANCHOR] = {.name = STR("expires_after[anchor]")},
        [FORM_SECONDS] = {.name = STR("expires_after[seconds]")},
    };
    struct str boundary, type = http_field_get(call->req->fields, call->req->field_count, STR("content-type"));
    if (!multipart_boundary(type, &boundary))
        return err_set(err, ERR_INVALID_REQUEST, "a file comes as multipart/form-data, with a boundary");
    if (!multipart_scan(call->req->body, boundary, form, FORM_FIELDS, err)) return false;
    if (!form[FORM_FILE].found) return missing(err, "file");
    if (!form[FORM_PURPOSE].found) return missing(err, "purpose");
    int64_t expires;
    if (!check_purpose(form[FORM_PURPOSE].value, err) || !check_name(form[FORM_FILE].filename, err) ||
        !check_size(call, form[FORM_FILE].value.n, err) ||
        !read_expiry(&form[FORM_ANCHOR], &form[FORM_SECONDS], call->ts, &expires, err))
        return false;
    f->file = (struct stored_file){.key_id = f->by.key,
                                   .created_at = call->ts,
                                   .expires_at = expires,
                                   .bytes = (int64_t)form[FORM_FILE].value.n,
                                   .place = f->by.place,
                                   .purpose = arena_str(&f->arena, form[FORM_PURPOSE].value),
                                   .name = arena_str(&f->arena, form[FORM_FILE].filename)};
    f->rest = form[FORM_FILE].value;
    return (f->file.purpose.p && f->file.name.p) || err_no_memory(err);
}

enum stage_result stage_file_put(struct call *call, struct err *err) {
    struct file_job *f = job_new(call, err);
    if (!f) return STAGE_FAIL;
    f->job.run = put_run;
    f->job.done = put_done;
    f->max_total = call->runtime->conf->files.max_total;
    if (read_form(call, f, err)) return begin(call, f, err);
    job_free(&f->job);
    return STAGE_FAIL;
}

// --- one ---

static bool get_run(struct clerk_job *job, struct sql *db, struct err *err) {
    struct file_job *f = of_job(job);
    return stored_file_get(scope_of(f, db), &f->by.place, f->file.id, f->now_ns, &f->arena, &f->file, err);
}

static void get_done(struct clerk_job *job) {
    if (is_well(job)) answer_file(of_job(job));
}

static bool delete_run(struct clerk_job *job, struct sql *db, struct err *err) {
    struct file_job *f = of_job(job);
    return stored_file_delete(scope_of(f, db), &f->by.place, f->file.id, err);
}

static void delete_done(struct clerk_job *job) {
    struct file_job *f = of_job(job);
    char id[STORED_FILE_ID_LEN];
    struct json_writer w;
    if (!is_well(job)) return;
    note(f, STR("file.delete"));
    stored_file_id_text(id, f->file.id);
    json_writer_init(&w, &f->out);
    json_put_object(&w);
    json_put_member_str(&w, STR("id"), str_of(id, sizeof id));
    json_put_member_str(&w, STR("object"), STR("file"));
    json_put_member_bool(&w, STR("deleted"), true);
    json_put_object_end(&w);
    answer(f);
}

static enum stage_result with_one(struct call *call, bool (*run)(struct clerk_job *, struct sql *, struct err *),
                                  void (*done)(struct clerk_job *), struct err *err) {
    struct str text = store_path_id(call);
    int64_t id;
    if (!stored_file_id_parse(text, &id)) {
        err_set(err, ERR_NOT_FOUND, "there is no such file");
        return STAGE_FAIL;
    }
    struct file_job *f = job_new(call, err);
    if (!f) return STAGE_FAIL;
    f->file.id = id;
    f->job.run = run;
    f->job.done = done;
    return begin(call, f, err);
}

enum stage_result stage_file_get(struct call *call, struct err *err) { return with_one(call, get_run, get_done, err); }

enum stage_result stage_file_delete(struct call *call, struct err *err) {
    return with_one(call, delete_run, delete_done, err);
}

// --- its content ---

static bool content_run(struct clerk_job *job, struct sql *db, struct err *err) {
    struct file_job *f = of_job(job);
    buf_clear(&f->part);
    return stored_file_piece(scope_of(f, db), f->dir, f->file.id, f->pieces, &f->part, err);
}

static void cut(struct file_job *f) {
    struct call *call = f->job.call;
    log_error(call->gl->gateway->o.log, LOG_MSG("a file could not be given out to its end"),
              LOG_STR("request_id", str_of(call->id_text, REQUEST_ID_TEXT_LEN)), LOG_ERR(&f->job.err));
    clerk_finish(&f->job);
    call_cut(call);
}

static void content_next(struct clerk_job *job) {
    if (!clerk_ask(job->call, job, &job->err)) cut(of_job(job));
}

static void content_end(struct file_job *f, struct str last) {
    struct call *call = f->job.call;
    buf_free(&call->answer);
    call->answer = f->part; // lives until it was sent
    buf_init(&f->part, 0);
    clerk_finish(&f->job);
    record_end(call);
    reply_last(call, &last, 1);
}

static void content_done(struct clerk_job *job) {
    struct file_job *f = of_job(job);
    struct call *call = job->call;
    if (!call) {
        clerk_finish(job);
        return;
    }
    struct str piece = buf_str(&f->part);
    int64_t sent = f->pieces * (int64_t)STORED_FILE_PIECE + (int64_t)piece.n;
    if (!job->ok || (piece.n < STORED_FILE_PIECE && sent < f->file.bytes)) {
        if (job->ok) err_set(&job->err, ERR_STORE, "a piece of the file is too short");
        cut(f);
        return;
    }
    f->pieces++;
    if (sent >= f->file.bytes) {
        content_end(f, piece);
        return;
    }
    size_t queued = http_reply_data(call->req, &piece, 1, false);
    if (queued <= (size_t)call->runtime->conf->limits.stream_buffer) content_next(job);
}

static void content_begin(struct clerk_job *job) {
    struct file_job *f = of_job(job);
    if (!is_well(job)) return;
    struct call *call = job->call;
    bool lines = str_ends(f->file.name, STR(".jsonl"));
    call->status = 200;
    reply_head(call, 200, lines ? STR("application/jsonl") : STR("application/octet-stream"), (uint64_t)f->file.bytes);
    if (f->file.bytes == 0 || call->req->method == HTTP_HEAD) {
        content_end(f, STR(""));
        return;
    }
    job->run = content_run;
    job->done = content_done;
    job->drained = content_next;
    content_next(job);
}

enum stage_result stage_file_content(struct call *call, struct err *err) {
    return with_one(call, get_run, content_begin, err);
}

// --- all ---

static bool list_one(void *arg, const struct stored_file *file, struct err *err) {
    struct store_list *l = arg;
    char id[STORED_FILE_ID_LEN];
    (void)err;
    stored_file_id_text(id, file->id);
    if (store_list_next(l, str_of(id, sizeof id))) put_file(&l->w, file);
    return true;
}

static bool list_run(struct clerk_job *job, struct sql *db, struct err *err) {
    struct file_job *f = of_job(job);
    struct store_list l;
    store_list_begin(&l, &f->out, f->list.limit);
    f->list.limit++; // whether there are more
    bool ok = stored_file_each(scope_of(f, db), &f->list, list_one, &l, err);
    if (ok) store_list_end(&l);
    return ok;
}

static void list_done(struct clerk_job *job) {
    if (is_well(job)) answer(of_job(job));
}

static bool read_list(const struct call *call, struct file_job *f, struct err *err) {
    struct str after, order, purpose;
    if (!store_query(call, STR("after"), &after, err) || !store_query(call, STR("order"), &order, err) ||
        !store_query(call, STR("purpose"), &purpose, err) ||
        !store_query_limit(call, 1, LIST_MAX, LIST_MAX, &f->list.limit, err))
        return false;
    if (after.n && !stored_file_id_parse(after, &f->list.after))
        return wrong(err, "after", "after must be a file's id");
    f->list.oldest_first = str_eq(order, STR("asc"));
    if (order.n && !f->list.oldest_first && !str_eq(order, STR("desc")))
        return wrong(err, "order", "order must be \"asc\" or \"desc\"");
    f->list.place = f->by.place;
    f->list.now_ns = f->now_ns;
    f->list.purpose = arena_str(&f->arena, purpose);
    return f->list.purpose.p || err_no_memory(err);
}

enum stage_result stage_file_list(struct call *call, struct err *err) {
    struct file_job *f = job_new(call, err);
    if (!f) return STAGE_FAIL;
    f->job.run = list_run;
    f->job.done = list_done;
    if (read_list(call, f, err)) return begin(call, f, err);
    job_free(&f->job);
    return STAGE_FAIL;
}
