// How a call is answered, and how it is handed to other threads and comes back.
#include "admin/call.h"

#include "base/json_write.h"
#include "govern/mask.h"
#include "os/clock.h"

#define ERROR_MAX ((size_t)1 << 20)
#define FIELDS_MAX 14

void admin_call_free(struct admin_call *call) {
    if (call->pieces) call->pieces->free(call->pieces);
    keyring_unref(call->ring);
    buf_free(&call->out);
    buf_free(&call->name);
    arena_wipe_free(&call->arena); // patches may hold secrets
    mem_free(call);
}

// --- the answer ---

static bool is_logged(const struct admin_host *host) {
    struct conf *conf = host->conf(host->ctx);
    bool logged = conf->log.access;
    conf_unref(conf);
    return logged;
}

static void record(const struct admin_call *call, int status) {
    const struct admin_options *o = &call->al->admin->o;
    const struct http_req *req = call->req;
    char text[20];
    const struct str labels[] = {STR("admin"), STR(""), STR(""), str_of(text, fmt_u64(text, (uint64_t)status))};
    if (o->metrics) metrics_add(o->metrics, metric_series(o->metrics, METRIC_REQUESTS, labels, 4), 1);
    if (!o->access || !log_on(o->access, LOG_INFO) || !is_logged(call->al->admin->host)) return;
    struct log_line line;
    char masked[MASK_PATH_MAX];
    log_line_begin(&line, o->access, LOG_INFO, 0, STR("request"));
    log_line_str(&line, "request_id", str_of(call->id_text, REQUEST_ID_TEXT_LEN));
    log_line_str(&line, "method", req->method_text);
    log_line_str(&line, "path", mask_path(req->path, masked));
    log_line_u64(&line, "status", (uint64_t)status);
    log_line_fixed(&line, "duration_ms", (clock_mono_ns() - req->start_ns) / NS_PER_US, 3);
    log_line_str(&line, "client", req->peer);
    if (call->key) log_line_str(&line, "key", call->key->prefix);
    log_line_end(&line);
}

// For the page: nothing from elsewhere, nothing inline, no frame around it.
static size_t put_page_fields(struct http_field *f) {
    static const struct http_field fields[] = {
        {STR_INIT("content-security-policy"),
         STR_INIT("default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; "
                  "form-action 'none'; frame-ancestors 'none'")},
        {STR_INIT("x-content-type-options"), STR_INIT("nosniff")},
        {STR_INIT("referrer-policy"), STR_INIT("no-referrer")},
    };
    memcpy(f, fields, sizeof fields);
    return ARRAY_LEN(fields);
}

// For pictures that somebody else made: nothing in them is run or fetched, wherever they are opened.
static size_t put_image_fields(struct http_field *f) {
    static const struct http_field fields[] = {
        {STR_INIT("content-security-policy"), STR_INIT("default-src 'none'; sandbox")},
        {STR_INIT("x-content-type-options"), STR_INIT("nosniff")},
        {STR_INIT("cross-origin-resource-policy"), STR_INIT("cross-origin")},
    };
    memcpy(f, fields, sizeof fields);
    return ARRAY_LEN(fields);
}

void admin_begin_reply(struct admin_call *call, int status, struct str type, uint64_t length) {
    struct http_field f[FIELDS_MAX];
    char etag[32], retry[24];
    size_t n = 0;
    record(call, status);
    f[n++] = (struct http_field){STR("content-type"), type};
    f[n++] = (struct http_field){STR("cache-control"),
                                 str_starts(type, STR("image/")) ? STR("public, max-age=300") : STR("no-store")};
    f[n++] = (struct http_field){STR("x-request-id"), str_of(call->id_text, REQUEST_ID_TEXT_LEN)};
    if (call->version >= 0) {
        int len = snprintf(etag, sizeof etag, "\"%lld\"", (long long)call->version);
        f[n++] = (struct http_field){STR("etag"), str_of(etag, (size_t)len)};
    }
    if (call->location.n) f[n++] = (struct http_field){STR("location"), call->location};
    if (call->replayed) f[n++] = (struct http_field){STR("idempotency-replayed"), STR("true")};
    if (str_starts(type, STR("text/html"))) n += put_page_fields(f + n);
    if (str_starts(type, STR("image/"))) n += put_image_fields(f + n);
    if (call->allow.n) f[n++] = (struct http_field){STR("allow"), call->allow};
    if (call->cookie.n) f[n++] = (struct http_field){STR("set-cookie"), call->cookie};
    if (call->retry_s) f[n++] = (struct http_field){STR("retry-after"), str_of(retry, fmt_u64(retry, call->retry_s))};
    if (status == 401) f[n++] = (struct http_field){STR("www-authenticate"), STR("Bearer realm=\"penstock\"")};
    http_reply_head(call->req, status, f, n, length);
}

void admin_reply(struct admin_call *call, int status) {
    if (call->out.failed) {
        struct err err;
        err_set(&err, ERR_NO_MEMORY, "there was no memory for the answer");
        buf_free(&call->out);
        buf_init(&call->out, ERROR_MAX);
        admin_fail(call, &err);
        return;
    }
    // Lines of an export end by themselves.
    if (status != 204 && call->out.n && call->out.p[call->out.n - 1] != '\n' && !str_starts(call->type, STR("image/")))
        buf_putc(&call->out, '\n');
    struct http_req *req = call->req;
    struct buf out = call->out;
    struct str body = buf_str(&out);
    buf_init(&call->out, 0);
    admin_begin_reply(call, status, call->type.n ? call->type : STR("application/json"), body.n);
    // Gone before its last bytes are handed over: the connection may go on to its next request.
    admin_call_free(call);
    http_reply_data(req, &body, 1, true);
    buf_free(&out);
}

void admin_error_put(struct json_writer *w, const struct err *err) {
    const struct err_info *info = err_info(err->code);
    json_put_object(w);
    json_put_member_str(w, STR("message"), str_c(err->message));
    json_put_member_str(w, STR("type"), str_c(info->type));
    json_put_member_str(w, STR("code"), str_c(info->wire_code));
    json_put_object_end(w);
}

// Where and why the database failed is for operators and the log.
static void hide_fault(const struct admin_call *call, struct err *err) {
    if (!err_is_inner(err) || call->who.principal.kind == PRINCIPAL_OPERATOR) return;
    log_error(call->al->admin->host->log, LOG_MSG("a request of the admin API failed"),
              LOG_STR("request_id", str_of(call->id_text, REQUEST_ID_TEXT_LEN)), LOG_ERR(err));
    err_hide(err);
}

void admin_fail(struct admin_call *call, const struct err *given) {
    struct err told = *given, *err = &told;
    struct json_writer w;
    hide_fault(call, err);
    int status = err->code == ERR_CONFIG_INVALID ? 422 : err->status;
    if (!call->retry_s) call->retry_s = err->retry_s;
    buf_clear(&call->out);
    if (admin_api_answers(call)) {
        api_problem_put(&call->out, err, call->api_endpoint, str_of(call->id_text, REQUEST_ID_TEXT_LEN));
        call->type = STR("application/problem+json");
        call->version = -1;
        if (!call->out.failed || err->code != ERR_NO_MEMORY) {
            admin_reply(call, status);
            return;
        }
    }
    json_writer_init(&w, &call->out);
    json_put_object(&w);
    json_put_key(&w, STR("error"));
    admin_error_put(&w, err);
    if (status == 422) json_put_member_raw(&w, STR("problems"), call->problems.n ? call->problems : STR("[]"));
    json_put_object_end(&w);
    if (call->out.failed && err->code == ERR_NO_MEMORY) {
        struct http_req *req = call->req;
        admin_call_free(call);
        http_reply_abort(req);
        return;
    }
    admin_reply(call, status);
}

// --- away and back ---

void admin_suspend(struct admin_call *call) {
    call->pending = true;
    call->al->busy++;
}

bool admin_resume(struct admin_call *call) {
    call->pending = call->begun = false;
    call->al->busy--;
    if (call->req) return true;
    admin_call_free(call);
    return false;
}

static void answer(struct admin_call *call) {
    if (call->ok && call->pieces)
        pieces_begin(call);
    else if (call->ok)
        admin_reply(call, call->status);
    else
        admin_fail(call, &call->err);
}

bool admin_work_begin(struct admin_call *call, void (*run)(struct share_work *work),
                      void (*done)(struct share_work *work), struct err *err) {
    bool heavy = call->api_endpoint && call->api_endpoint->flags & API_HEAVY;
    call->work = (struct share_work){.run = run, .done = done, .heavy = heavy};
    // What is found when it has its turn and cannot be run.
    call->ok = false;
    err_no_memory(&call->err);
    if (!share_work_begin(call->al->admin->share, call->al->loop, &call->work, err)) return false;
    call->begun = true;
    admin_suspend(call);
    return true;
}

bool admin_work_forget(struct admin_call *call) {
    if (!call->begun || !share_work_cancel(&call->work)) return false;
    call->begun = call->pending = false;
    call->al->busy--;
    return true;
}

static void work_run(struct share_work *work) {
    struct admin_call *call = CONTAINER_OF(work, struct admin_call, work);
    call->ok = call->run(call, &call->err);
}

static void work_done(struct share_work *work) {
    struct admin_call *call = CONTAINER_OF(work, struct admin_call, work);
    if (admin_resume(call)) answer(call);
}

void admin_work(struct admin_call *call, bool (*run)(struct admin_call *call, struct err *err)) {
    struct err err;
    call->run = run;
    if (!admin_work_begin(call, work_run, work_done, &err)) admin_fail(call, &err);
}

void admin_work_body(struct admin_call *call, bool (*run)(struct admin_call *call, struct err *err)) {
    call->body = arena_str(&call->arena, call->req->body);
    if (call->req->body.n && !call->body.p) {
        err_no_memory(&call->err);
        admin_fail(call, &call->err);
        return;
    }
    admin_work(call, run);
}

bool admin_db(struct admin_call *call, struct sql **out_db, struct err *err) {
    return datadir_open_db(call->al->admin->host->dir, SQL_BUSY_MS_DEFAULT, out_db, err);
}

// --- wishes ---

static void wish_refused(struct admin_call *call) {
    const struct admin_wish *wish = &call->wish;
    struct err err = wish->err;
    call->problems = wish->problems;
    if (err.code == ERR_EXISTS && wish->expected >= 0) err.code = ERR_CONFLICT, err.status = 412;
    admin_fail(call, &err);
}

static void wish_done(struct admin_wish *wish) {
    struct admin_call *call = CONTAINER_OF(wish, struct admin_call, wish);
    struct json_writer w;
    if (!admin_resume(call)) return;
    if (!wish->ok) {
        wish_refused(call);
        return;
    }
    if (wish->kind == WISH_MODELS) {
        buf_put(&call->out, wish->models);
        admin_reply(call, 200);
        return;
    }
    json_writer_init(&w, &call->out);
    json_put_object(&w);
    json_put_key(&w, STR("version"));
    if (wish->new_version > 0)
        json_put_i64(&w, wish->new_version);
    else
        json_put_null(&w);
    json_put_member_raw(&w, STR("changes"), wish->changes.n ? wish->changes : STR("[]"));
    json_put_member_u64(&w, STR("restarts"), wish->restarts);
    json_put_member_bool(&w, STR("dry_run"), wish->dry_run);
    json_put_object_end(&w);
    if (wish->new_version > 0) call->version = wish->new_version;
    admin_reply(call, 200);
}

void admin_wish(struct admin_call *call) {
    struct admin_wish *wish = &call->wish;
    const struct admin_host *host = call->al->admin->host;
    wish->actor = call->actor;
    wish->arena = &call->arena;
    wish->done = wish_done;
    wish->loop = call->al->loop;
    admin_suspend(call);
    host->wish(host->ctx, wish);
}
