// Files of usage: which are due, what is in them, that each is written once.
#include "govern/usage_export.h"

#include "access/who.h"
#include "base/json_csv.h"
#include "base/json_write.h"
#include "base/text.h"
#include "os/clock.h"
#include "store/entity.h"
#include "store/usage_hours.h"

#include <stdio.h>

#define HOUR_NS INT64_C(3600000000000)
#define LEASE_NS (INT64_C(120) * (int64_t)NS_PER_SEC)
#define FILE_MAX ((size_t)1 << 30)
#define LINE_MAX ((size_t)1 << 20)
#define PATH_LEN 2048
#define MODE 0600

struct export {
    struct sql *db;
    const struct conf_usage_export *conf;
    struct buf target, text, line;
    int64_t now, period_ns, holder;
};

// --- a line ---

static void put_whose(struct json_writer *w, const struct usage_hour_row *row) {
    const struct usage_record *r = &row->rec;
    char time[TIME_TEXT_LEN];
    time_text(time, row->hour * HOUR_NS);
    json_put_member_str(w, STR("hour"), str_of(time, sizeof time));
    entity_put_id(w, STR("tenant"), &entity_tenant, (int64_t)r->tenant_id);
    json_put_member_text(w, STR("tenant_name"), row->tenant_name);
    entity_put_id(w, STR("key"), &entity_key, (int64_t)r->key_id);
    json_put_member_text(w, STR("key_name"), row->key_name);
    entity_put_id(w, STR("team"), &entity_team, (int64_t)r->team_id);
    entity_put_id(w, STR("project"), &entity_project, (int64_t)r->project_id);
    entity_put_id(w, STR("owner"), r->owner_kind == PRINCIPAL_SERVICE_ACCOUNT ? &entity_service_account : &entity_user,
                  (int64_t)r->owner_id);
    json_put_member_text(w, STR("provider"), r->provider);
    json_put_member_text(w, STR("model"), r->model);
    json_put_member_text(w, STR("upstream_model"), r->upstream_model);
    json_put_member_str(w, STR("endpoint"), usage_endpoint_name(r->endpoint));
    if (r->status == USAGE_STATUS_UNKNOWN)
        json_put_member_null(w, STR("status"));
    else
        json_put_member_u64(w, STR("status"), r->status);
    json_put_member_text(w, STR("error"), r->error);
    json_put_member_raw(w, STR("tags"), r->tags.n ? r->tags : STR("{}"));
    json_put_member_text(w, STR("task"), r->task);
}

static void put_row(struct json_writer *w, const struct usage_hour_row *row) {
    const struct usage_record *r = &row->rec;
    json_put_object(w);
    put_whose(w, row);
    json_put_member_u64(w, STR("requests"), row->requests);
    json_put_member_u64(w, STR("unpriced_requests"), row->unpriced);
    json_put_member_u64(w, STR("input_tokens"), r->tokens_in);
    json_put_member_u64(w, STR("cached_tokens"), r->tokens_cached);
    json_put_member_u64(w, STR("cache_write_tokens"), r->tokens_cache_write);
    json_put_member_u64(w, STR("output_tokens"), r->tokens_out);
    json_put_member_u64(w, STR("reasoning_tokens"), r->tokens_reasoning);
    json_put_member_fixed(w, STR("cost_usd"), MAX(r->cost_nano, INT64_C(0)), 9);
    json_put_member_fixed(w, STR("latency_ms_sum"), (int64_t)row->latency_us, 3);
    json_put_member_fixed(w, STR("time_to_first_token_ms_sum"), (int64_t)row->ttft_us, 3);
    json_put_member_u64(w, STR("time_to_first_token_requests"), row->ttft_requests);
    json_put_member_u64(w, STR("attempts"), r->attempts);
    json_put_member_fixed(w, STR("reference_usd"), r->reference_nano, 9);
    json_put_member_fixed(w, STR("saved_usd"), row->saved_nano, 9);
    json_put_object_end(w);
}

// So that a file of an hour without requests has its names too.
static bool put_names(struct export *x) {
    const struct usage_hour_row none = {0};
    struct json_writer w;
    if (x->conf->format != USAGE_EXPORT_CSV) return true;
    buf_clear(&x->line);
    json_writer_init(&w, &x->line);
    put_row(&w, &none);
    return json_csv_names(&x->text, buf_str(&x->line));
}

static bool add_row(void *arg, const struct usage_hour_row *row, struct err *err) {
    struct export *x = arg;
    bool csv = x->conf->format == USAGE_EXPORT_CSV;
    struct json_writer w;
    buf_clear(&x->line);
    json_writer_init(&w, csv ? &x->line : &x->text);
    put_row(&w, row);
    if (csv && !json_csv_row(&x->text, buf_str(&x->line)))
        return err_set(err, ERR_STORE, "a combination of usage cannot be written as CSV");
    if (!csv) buf_putc(&x->text, '\n');
    return !x->text.failed || err_no_memory(err);
}

// --- a file ---

static bool file_path(const struct export *x, int64_t period, struct buf *out) {
    char time[TIME_TEXT_LEN], name[80];
    time_text(time, period); // 2026-11-21T08:00:00.000Z
    int n = snprintf(name, sizeof name, "usage-%.4s%.2s%.2sT%.2s%.2s%.2sZ.%s", time, time + 5, time + 8, time + 11,
                     time + 14, time + 17, x->conf->format == USAGE_EXPORT_CSV ? "csv" : "jsonl");
    path_join(out, x->conf->path, str_of(name, (size_t)n));
    return !out->failed;
}

// The sums and the mark are of one moment.
static bool read_period(struct export *x, int64_t period, struct usage_mark *out_mark, struct err *err) {
    int64_t from = period / HOUR_NS, to = (period + x->period_ns) / HOUR_NS;
    buf_clear(&x->text);
    if (!put_names(x)) return err_no_memory(err);
    if (!sql_begin_read(x->db, err)) return false;
    bool ok = usage_hours_mark(x->db, from, to, out_mark, err) && usage_hours_each(x->db, from, to, add_row, x, err);
    sql_rollback(x->db);
    return ok;
}

static bool write_period(struct export *x, int64_t period, struct err *err) {
    BUF_AUTO struct buf path = BUF_INIT(PATH_LEN);
    struct usage_mark mark;
    if (!file_path(x, period, &path)) return err_set(err, ERR_IO, "usage.export.path is too long");
    return read_period(x, period, &mark, err) && file_replace(buf_str(&path), buf_str(&x->text), MODE, err) &&
           usage_export_note(x->db, buf_str(&x->target), period, &mark, x->now, x->now - 30 * USAGE_EXPORT_BACK_NS,
                             err);
}

// last: the newest that was written. Before the first one, periods without requests get no file.
static bool is_due(struct export *x, int64_t period, int64_t last, bool *out_due, struct err *err) {
    struct usage_mark now, then;
    bool found;
    if (!usage_hours_mark(x->db, period / HOUR_NS, (period + x->period_ns) / HOUR_NS, &now, err) ||
        !usage_export_find(x->db, buf_str(&x->target), period, &found, &then, err))
        return false;
    *out_due = found ? !usage_mark_eq(&now, &then) : now.requests > 0 || (last >= 0 && period > last);
    return true;
}

// --- all of them ---

static bool write_due(struct export *x, struct usage_exported *out, struct err *err) {
    struct str target = buf_str(&x->target);
    int64_t last, back = x->now - USAGE_EXPORT_BACK_NS, end = x->now - USAGE_EXPORT_WAIT_NS;
    if (!usage_export_last(x->db, target, &last, err)) return false;
    int64_t first = last >= 0 && last < back ? last : back;
    first -= first % x->period_ns;
    for (int64_t period = first; period + x->period_ns <= end; period += x->period_ns) {
        bool due;
        if (!is_due(x, period, last, &due, err)) return false;
        if (!due) continue;
        // It may take a while to make up for a long time.
        int64_t now = clock_unix_ns();
        if (!usage_export_lease(x->db, target, x->holder, now + LEASE_NS, now, &out->holds, err)) return false;
        if (!out->holds) return true;
        if (!write_period(x, period, err)) return false;
        out->files++;
    }
    return true;
}

static bool export_open(struct export *x, const struct datadir *dir, struct err *err) {
    const struct conf_usage_export *c = x->conf;
    buf_printf(&x->target, "%s %lld %.*s", c->format == USAGE_EXPORT_CSV ? "csv" : "jsonl", (long long)c->every,
               STR_ARG(c->path));
    if (x->target.failed) return err_no_memory(err);
    return dir_make(c->path, 0700, err) && datadir_open_db(dir, SQL_BUSY_MS_DEFAULT, &x->db, err);
}

bool usage_export_run(const struct datadir *dir, const struct conf *conf, int64_t now,
                      struct usage_exported *out_exported, struct err *err) {
    struct export x = {.conf = &conf->usage.export,
                       .target = BUF_INIT(PATH_LEN),
                       .text = BUF_INIT(FILE_MAX),
                       .line = BUF_INIT(LINE_MAX),
                       .now = now,
                       .holder = dir->id,
                       .period_ns = conf->usage.export.every * (int64_t)NS_PER_MS};
    *out_exported = (struct usage_exported){0};
    if (!x.conf->path.n) return true;
    bool ok = export_open(&x, dir, err) &&
              usage_export_lease(x.db, buf_str(&x.target), x.holder, now + LEASE_NS, now, &out_exported->holds, err);
    if (ok && out_exported->holds) ok = write_due(&x, out_exported, err);
    sql_close(x.db);
    buf_free(&x.target);
    buf_free(&x.text);
    buf_free(&x.line);
    return ok;
}

int64_t usage_export_next(const struct conf *conf, int64_t now) {
    int64_t period = conf->usage.export.every * (int64_t)NS_PER_MS;
    int64_t ended = now - USAGE_EXPORT_WAIT_NS, next = ended - ended % period + period + USAGE_EXPORT_WAIT_NS;
    return MIN(next, now + INT64_C(60) * (int64_t)NS_PER_SEC);
}
