// Endpoints that look at a configuration without putting it in force: validate, diff, schema.
#include "admin/call.h"

#include "base/json_write.h"
#include "conf/change.h"

static void put_problems(struct json_writer *w, const struct conf_problems *problems) {
    struct buf json = BUF_INIT((size_t)4 << 20);
    conf_problems_json(problems, &json);
    struct str text = str_trim(buf_str(&json));
    json_put_member_raw(w, STR("problems"), json.failed || !text.n ? STR("[]") : text);
    if (json.failed) w->out->failed = true;
    buf_free(&json);
}

static bool check(struct admin_call *call, struct conf_problems *problems, struct conf **out_conf) {
    const struct admin_host *host = call->al->admin->host;
    return host->check(host->ctx, call->body, problems, out_conf);
}

static bool run_validate(struct admin_call *call, struct err *err) {
    struct conf_problems problems;
    struct conf *conf = NULL;
    struct json_writer w;
    (void)err;
    conf_problems_init(&problems);
    bool valid = check(call, &problems, &conf);
    json_writer_init(&w, &call->out);
    json_put_object(&w);
    json_put_member_bool(&w, STR("valid"), valid);
    put_problems(&w, &problems);
    json_put_object_end(&w);
    if (valid) conf_unref(conf);
    conf_problems_free(&problems);
    return true;
}

void api_config_validate(struct admin_call *call) { admin_work_body(call, run_validate); }

static bool put_changes(struct admin_call *call, const struct conf *now, const struct conf *then, struct err *err) {
    struct conf_changes changes;
    struct json_writer w;
    size_t restarts = 0;
    conf_changes_init(&changes);
    conf_compare(now, then, &changes);
    struct buf json = BUF_INIT(ADMIN_ANSWER_MAX / 2);
    conf_changes_json(&changes, &json);
    for (size_t i = 0; i < changes.list.n; i++) restarts += changes.list.p[i].apply == APPLY_RESTART;
    bool ok = (!changes.failed && !json.failed) || err_no_memory(err);
    if (ok) {
        struct str text = str_trim(buf_str(&json));
        json_writer_init(&w, &call->out);
        json_put_object(&w);
        json_put_member_raw(&w, STR("changes"), text.n ? text : STR("[]"));
        json_put_member_u64(&w, STR("restarts"), restarts);
        json_put_object_end(&w);
    }
    buf_free(&json);
    conf_changes_free(&changes);
    return ok;
}

static void keep_problems(struct admin_call *call, const struct conf_problems *problems) {
    struct buf json = BUF_INIT((size_t)4 << 20);
    conf_problems_json(problems, &json);
    if (!json.failed) call->problems = arena_str(&call->arena, str_trim(buf_str(&json)));
    buf_free(&json);
}

static bool run_diff(struct admin_call *call, struct err *err) {
    const struct admin_host *host = call->al->admin->host;
    struct conf_problems problems;
    struct conf *then = NULL;
    conf_problems_init(&problems);
    bool ok = check(call, &problems, &then);
    if (ok) {
        struct conf *now = host->conf(host->ctx);
        ok = put_changes(call, now, then, err);
        conf_unref(now);
        conf_unref(then);
    } else {
        err_set(err, ERR_CONFIG_INVALID, "the configuration is not valid");
        keep_problems(call, &problems);
    }
    conf_problems_free(&problems);
    return ok;
}

void api_config_diff(struct admin_call *call) { admin_work_body(call, run_diff); }

static bool run_schema(struct admin_call *call, struct err *err) {
    (void)err;
    conf_schema(&call->out);
    call->out.n = str_trim(buf_str(&call->out)).n;
    return true;
}

void api_config_schema(struct admin_call *call) { admin_work(call, run_schema); }
