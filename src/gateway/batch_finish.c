// The end of a batch: what came of its lines becomes two files, one of successes and one of the rest.
#include "gateway/batch_run.h"

#include "base/json_read.h"
#include "base/json_write.h"
#include "os/clock.h"

#define LINES_AT_ONCE 64
#define OUT_MAX ((size_t)1 << 30)

// --- a line ---

bool batch_line_ok(const struct batch_line *line) { return line->whole && line->status >= 200 && line->status < 300; }

bool batch_line_may_retry(const struct batch_line *line) {
    struct str code;
    if (!line->whole) return line->status >= 500 || line->status == 0;
    if (line->status != 408 && line->status != 429 && line->status < 500) return false;
    // What a budget refuses it will refuse in a minute too.
    return !JSON_GET(buf_str(&line->answer), &code, STR("error"), STR("code")) ||
           !json_string_eq(code, STR("insufficient_quota"));
}

static void put_id(struct json_writer *w, int64_t batch, int64_t line, struct str custom_id) {
    char id[10 + BASE32_U64_LEN] = "batch_req_";
    base32_u64(id + 10, (uint64_t)(batch * BATCH_LINES_MAX + line));
    json_put_member_str(w, STR("id"), str_of(id, sizeof id));
    json_put_member_str(w, STR("custom_id"), custom_id);
}

// On one line: line ends stand between the tokens of JSON, never within them.
static void put_body(struct json_writer *w, struct str body) {
    struct err ignored;
    json_put_key(w, STR("body"));
    if (!json_validate(body, JSON_DEPTH_MAX, &ignored)) {
        json_put_str(w, body);
        return;
    }
    size_t from = w->out->n, to = from;
    json_put_raw(w, str_trim(body));
    if (w->out->failed) return;
    for (size_t i = from; i < w->out->n; i++)
        if (w->out->p[i] != '\n' && w->out->p[i] != '\r') w->out->p[to++] = w->out->p[i];
    w->out->n = to;
}

static void put_error(struct json_writer *w, const char *code, const char *message) {
    json_put_member_object(w, STR("error"));
    json_put_member_str(w, STR("code"), str_c(code));
    json_put_member_str(w, STR("message"), str_c(message));
    json_put_object_end(w);
}

void batch_result_put(struct buf *out, const struct batch_line *line, int64_t batch) {
    struct json_writer w;
    json_writer_init(&w, out);
    json_put_object(&w);
    put_id(&w, batch, line->number, line->custom_id);
    if (line->whole) {
        json_put_member_object(&w, STR("response"));
        json_put_member_i64(&w, STR("status_code"), line->status);
        json_put_member_str(&w, STR("request_id"), str_c(line->request_id));
        put_body(&w, buf_str(&line->answer));
        json_put_object_end(&w);
        json_put_member_null(&w, STR("error"));
    } else {
        json_put_member_null(&w, STR("response"));
        if (line->lost)
            put_error(&w, "provider_batch_failed", line->lost);
        else
            put_error(&w, "response_incomplete", "the answer broke off, or was larger than limits.max_response");
    }
    json_put_object_end(&w);
    buf_putc(out, '\n');
}

void batch_result_put_missing(struct buf *out, struct str custom_id, int64_t batch, int64_t line,
                              enum batch_status outcome) {
    struct json_writer w;
    json_writer_init(&w, out);
    json_put_object(&w);
    put_id(&w, batch, line, custom_id);
    json_put_member_null(&w, STR("response"));
    if (outcome == BATCH_EXPIRED)
        put_error(&w, "batch_expired", "This request could not be executed before the completion window expired.");
    else
        put_error(&w, "batch_cancelled", "This request was not executed because the batch was cancelled.");
    json_put_object_end(&w);
    buf_putc(out, '\n');
}

// --- a file ---

struct file_out {
    const struct batch_work *w;
    const struct batch_run *run;
    const char *what;
    int64_t id, pieces, bytes, last_line; // id 0: nothing was written yet
    struct buf buf;
};

static bool file_begin(struct file_out *f, struct err *err) {
    char batch[BATCH_ID_LEN], name[64];
    const struct batch *b = &f->run->batch;
    batch_id_text(batch, b->id);
    int n = snprintf(name, sizeof name, "%.*s_%s.jsonl", (int)sizeof batch, batch, f->what);
    int64_t now = clock_unix_ns();
    struct stored_file file = {.key_id = b->key_id,
                               .created_at = now,
                               .expires_at = b->output_ttl_s ? now + b->output_ttl_s * (int64_t)NS_PER_SEC : 0,
                               .place = b->place,
                               .purpose = STR("batch_output"),
                               .name = str_of(name, (size_t)n)};
    if (!stored_file_begin(batch_scope(f->w, f->run), &file, 0, err)) return false;
    f->id = file.id;
    return true;
}

static bool file_flush(struct file_out *f, bool all, struct err *err) {
    if (f->buf.failed) return err_no_memory(err);
    if (!f->id && f->buf.n && !file_begin(f, err)) return false;
    struct str rest = buf_str(&f->buf);
    while (rest.n >= STORED_FILE_PIECE || (all && rest.n)) {
        struct str piece = str_head(rest, STORED_FILE_PIECE);
        if (!stored_file_add(batch_scope(f->w, f->run), f->w->dir, f->id, f->pieces++, piece, err)) return false;
        f->bytes += (int64_t)piece.n;
        rest = str_from(rest, piece.n);
    }
    buf_drop(&f->buf, f->buf.n - rest.n);
    return true;
}

static bool add_result(void *arg, int64_t line, struct str result, struct err *err) {
    struct file_out *f = arg;
    buf_put(&f->buf, result);
    f->last_line = line;
    return file_flush(f, false, err);
}

static bool given_up(const struct batch_work *w, struct err *err) {
    return atomic_load(w->stop) && !err_set(err, ERR_SHUTTING_DOWN, "the server stops");
}

static bool write_results(struct file_out *f, bool ok, struct err *err) {
    f->last_line = -1;
    for (int n = LINES_AT_ONCE; n == LINES_AT_ONCE;) {
        if (given_up(f->w, err)) return false;
        if (!batch_lines_read(batch_scope(f->w, f->run), f->w->dir, f->run->batch.id, ok, f->last_line, LINES_AT_ONCE,
                              add_result, f, &n, err))
            return false;
    }
    return true;
}

static bool add_missing(struct file_out *f, const struct batch_reader *r, struct str line, struct err *err) {
    struct arena scratch;
    struct batch_item item;
    struct batch_fault ignored;
    arena_init(&scratch, NULL, 0, 64 * 1024);
    if (batch_item_read(line, f->run->batch.endpoint, &scratch, &item, &ignored))
        batch_result_put_missing(&f->buf, item.custom_id, f->run->batch.id, r->line, f->run->batch.outcome);
    arena_free(&scratch);
    return file_flush(f, false, err);
}

// Those that were not run, of a batch that came so far as to have lines.
static bool write_missing(struct file_out *f, struct err *err) {
    const struct batch *b = &f->run->batch;
    struct batch_reader r;
    struct str line;
    bool ok;
    if (b->outcome == BATCH_COMPLETED || !b->total) return true;
    batch_reader_init(&r, f->w->dir, b->tenant, b->input_file, (size_t)f->w->conf->limits.max_body);
    while ((ok = batch_reader_next(&r, f->w->db, &line, err)) && line.p && ok) {
        if (given_up(f->w, err)) ok = false;
        if (ok && !batch_run_is_done(f->run, r.line)) ok = add_missing(f, &r, line, err);
        if (!ok) break;
    }
    batch_reader_free(&r);
    return ok;
}

static bool end_all(const struct batch_work *w, struct batch_run *run, const struct file_out *output,
                    const struct file_out *errors, struct err *err) {
    struct sql_scope scope = batch_scope(w, run);
    struct batch_step step = {.to = run->batch.outcome, .output_file = output->id, .error_file = errors->id};
    return (!output->id || stored_file_finish(scope, output->id, output->bytes, err)) &&
           (!errors->id || stored_file_finish(scope, errors->id, errors->bytes, err)) &&
           batch_run_go(w, run, &step, err) && (!run->over || batch_lines_delete(scope, run->batch.id, err));
}

bool batch_run_finish(const struct batch_work *w, struct batch_run *run, struct err *err) {
    struct file_out output = {.w = w, .run = run, .what = "output", .buf = BUF_INIT(OUT_MAX)};
    struct file_out errors = {.w = w, .run = run, .what = "error", .buf = BUF_INIT(OUT_MAX)};
    bool ok = write_results(&output, true, err) && file_flush(&output, true, err) &&
              write_results(&errors, false, err) && write_missing(&errors, err) && file_flush(&errors, true, err);
    if (ok && (ok = sql_begin(w->db, err))) {
        ok = sql_durable(w->db, err) && end_all(w, run, &output, &errors, err);
        // Another server has it meanwhile: these files are not its.
        if (ok && !run->over) sql_rollback(w->db);
        if (ok && run->over) ok = sql_commit(w->db, err);
        if (!ok) sql_rollback(w->db);
        if (!ok) run->over = false;
        if (!ok) run->status = BATCH_FINALIZING;
    }
    buf_free(&output.buf);
    buf_free(&errors.buf);
    return ok;
}
