// Delivers events to a syslog server, a file that is rotated, or a webhook.
#include "govern/audit_sink_impl.h"

#include "base/hash.h"
#include "base/text.h"
#include "net/fetch.h"
#include "net/webhook_sign.h"

#define OUT_MAX ((size_t)8 << 20)
#define PATH_MAX_BYTES 4096

static enum audit_format format_of(const struct conf_audit_sink *conf) {
    switch ((enum audit_sink_format)conf->format) {
    case AUDIT_SINK_JSON:
        return AUDIT_JSONL;
    case AUDIT_SINK_CEF:
        return AUDIT_CEF;
    case AUDIT_SINK_OCSF:
        return AUDIT_OCSF;
    }
    return AUDIT_JSONL;
}

uint64_t sink_end_settings(const struct conf_audit_sink *c) {
    const struct str texts[] = {c->address, c->path, c->tls_ca};
    uint64_t h = (uint64_t)c->type << 32 ^ (uint64_t)c->format << 16 ^ (uint64_t)c->facility ^ (uint64_t)c->rotate_size;
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) h = hash_bytes(texts[i], h + i);
    return h;
}

// --- the file ---

// A line that a crash cut is ended, so that the next one stands by itself.
static bool file_open_end(struct sink_end *end, struct str path, struct err *err) {
    char last = '\n';
    size_t n = 0;
    if (!file_open(path, FILE_READ | FILE_WRITE | FILE_CREATE | FILE_APPEND, 0600, &end->file, err) ||
        !file_size(&end->file, &end->size, err))
        return false;
    if (end->size && !file_read_at(&end->file, end->size - 1, &last, 1, &n, err)) return false;
    if (last == '\n') return true;
    end->size++;
    return file_append(&end->file, STR("\n"), err);
}

static struct str numbered(char out[PATH_MAX_BYTES], struct str path, int64_t i) {
    int n = i ? snprintf(out, PATH_MAX_BYTES, "%.*s.%lld", STR_ARG(path), (long long)i)
              : snprintf(out, PATH_MAX_BYTES, "%.*s", STR_ARG(path));
    return str_of(out, n > 0 && n < PATH_MAX_BYTES ? (size_t)n : 0);
}

// PATH.1 becomes PATH.2 and so on, up to `keep`; PATH becomes PATH.1.
static bool file_rotate(struct sink_end *end, const struct conf_audit_sink *conf, struct err *err) {
    char from[PATH_MAX_BYTES], to[PATH_MAX_BYTES];
    struct file_info info;
    file_close(&end->file);
    for (int64_t i = conf->keep; i-- > 0;) {
        struct str a = numbered(from, conf->path, i), b = numbered(to, conf->path, i + 1);
        if (!a.n || !b.n) return err_set(err, ERR_IO, "the path is too long");
        if (!file_stat(a, &info, err)) return false;
        if (info.kind != FILE_KIND_ABSENT && !file_rename(a, b, err)) return false;
    }
    return file_open_end(end, conf->path, err);
}

static bool file_write_out(struct sink_end *end, struct err *err) {
    if (end->out.failed) return err_no_memory(err);
    if (!end->out.n) return true;
    bool ok = file_append(&end->file, buf_str(&end->out), err);
    if (ok) end->size += end->out.n;
    buf_clear(&end->out);
    return ok;
}

static bool file_send(struct sink_end *end, const struct conf_audit_sink *conf, const struct audit_record *record,
                      struct str version, struct err *err) {
    if (end->size + end->out.n >= (uint64_t)conf->rotate_size) {
        if (!sink_end_flush(end, err) || !file_rotate(end, conf, err)) return false;
    }
    audit_put(&end->out, format_of(conf), record, version);
    return !end->out.failed || err_no_memory(err);
}

// --- syslog ---

static bool syslog_send(struct sink_end *end, const struct conf_audit_sink *conf, const struct audit_record *record,
                        struct str version, const atomic_bool *stop, struct err *err) {
    struct audit_record cut = *record;
    char length[24];
    buf_clear(&end->out);
    audit_put_syslog(&end->out, record, conf->facility, format_of(conf), version);
    if (!outlet_is_stream(&end->outlet)) {
        if (end->out.n > DATAGRAM_MAX) { // no datagram holds it: without what was before and after
            cut.event.before = cut.event.after = STR_NONE;
            buf_clear(&end->out);
            audit_put_syslog(&end->out, &cut, conf->facility, format_of(conf), version);
        }
        if (end->out.failed) return err_no_memory(err);
        return outlet_send(&end->outlet, buf_str(&end->out), stop, err);
    }
    if (end->out.failed) return err_no_memory(err);
    int n = snprintf(length, sizeof length, "%zu ", end->out.n);
    return outlet_send(&end->outlet, str_of(length, (size_t)n), stop, err) &&
           outlet_send(&end->outlet, buf_str(&end->out), stop, err);
}

// --- webhook ---

static bool webhook_send(struct sink_end *end, const struct conf_audit_sink *conf, const struct audit_record *record,
                         struct str version, atomic_bool *stop, struct err *err) {
    char id[64], time[24];
    int64_t now = clock_unix_ns() / (int64_t)NS_PER_SEC;
    BUF_AUTO struct buf signature = BUF_INIT(256);
    struct fetch_answer answer;
    struct str secret = secret_str(&conf->secret);
    int id_n = snprintf(id, sizeof id, "audit-%lld-%lld", (long long)record->tenant, (long long)record->event.seq);
    int time_n = snprintf(time, sizeof time, "%lld", (long long)now);
    buf_clear(&end->out);
    audit_put(&end->out, format_of(conf), record, version);
    if (end->out.failed) return err_no_memory(err);
    if (secret.n && !webhook_sign(secret, str_of(id, (size_t)id_n), now, buf_str(&end->out), &signature, err))
        return false;
    struct http_field f[4] = {{STR("content-type"), STR("application/json")},
                              {STR("webhook-id"), str_of(id, (size_t)id_n)},
                              {STR("webhook-timestamp"), str_of(time, (size_t)time_n)},
                              {STR("webhook-signature"), buf_str(&signature)}};
    struct fetch_request request = {.method = STR("POST"),
                                    .url = conf->address,
                                    .fields = f,
                                    .n_fields = secret.n ? 4 : 3,
                                    .body = buf_str(&end->out),
                                    .tls_ca = conf->tls_ca,
                                    .stop = stop};
    if (!fetch(&request, &answer, err)) return false;
    int status = answer.status;
    fetch_answer_free(&answer);
    return status / 100 == 2 || err_set(err, ERR_UPSTREAM_STATUS, "it answered with status %d", status);
}

// --- all of them ---

bool sink_end_open(struct sink_end *end, const struct conf_audit_sink *conf, struct err *err) {
    bool ok = true;
    *end = (struct sink_end){.type = conf->type, .out = BUF_INIT(OUT_MAX)};
    if (conf->type == AUDIT_SINK_FILE) ok = file_open_end(end, conf->path, err);
    if (conf->type == AUDIT_SINK_SYSLOG) ok = outlet_open(conf->address, conf->tls_ca, &end->outlet, err);
    end->open = true;
    if (!ok) sink_end_close(end);
    return ok;
}

bool sink_end_send(struct sink_end *end, const struct conf_audit_sink *conf, const struct audit_record *record,
                   struct str version, atomic_bool *stop, struct err *err) {
    if (end->type == AUDIT_SINK_FILE) return file_send(end, conf, record, version, err);
    if (end->type == AUDIT_SINK_SYSLOG) return syslog_send(end, conf, record, version, stop, err);
    return webhook_send(end, conf, record, version, stop, err);
}

bool sink_end_flush(struct sink_end *end, struct err *err) {
    if (end->type != AUDIT_SINK_FILE) return true;
    return file_write_out(end, err) && file_sync(&end->file, err);
}

bool sink_end_alive(struct sink_end *end) { return end->type != AUDIT_SINK_SYSLOG || outlet_alive(&end->outlet); }

bool sink_end_delivered(struct sink_end *end) {
    return !sink_end_settles(end) || (outlet_alive(&end->outlet) && outlet_unsent(&end->outlet) == 0);
}

bool sink_end_settles(const struct sink_end *end) {
    return end->type == AUDIT_SINK_SYSLOG && outlet_is_stream(&end->outlet);
}

void sink_end_close(struct sink_end *end) {
    if (end->type == AUDIT_SINK_SYSLOG) outlet_close(&end->outlet);
    file_close(&end->file);
    if (end->open) buf_free(&end->out);
    *end = (struct sink_end){0};
}
