// Writes audit events as JSON, CSV, CEF and OCSF.
#include "govern/audit_format.h"

#include "base/ip.h"
#include "base/json_csv.h"
#include "base/text.h"

static const struct {
    struct str name, type;
} k_formats[] = {[AUDIT_JSONL] = {STR_INIT("jsonl"), STR_INIT("application/x-ndjson")},
                 [AUDIT_CSV] = {STR_INIT("csv"), STR_INIT("text/csv; charset=utf-8")},
                 [AUDIT_CEF] = {STR_INIT("cef"), STR_INIT("text/plain; charset=utf-8")},
                 [AUDIT_OCSF] = {STR_INIT("ocsf"), STR_INIT("application/x-ndjson")}};

bool audit_format_parse(struct str name, enum audit_format *out_format) {
    for (size_t i = 0; i < ARRAY_LEN(k_formats); i++) {
        if (!str_eq(name, k_formats[i].name)) continue;
        *out_format = (enum audit_format)i;
        return true;
    }
    return false;
}

struct str audit_format_name(enum audit_format format) {
    return k_formats[format].name;
}
struct str audit_format_type(enum audit_format format) {
    return k_formats[format].type;
}

// --- JSON ---

static void put_hex(struct json_writer *w, const char *key, const unsigned char *p, size_t n) {
    BUF_AUTO struct buf hex = BUF_INIT(256);
    hex_put(&hex, str_of((const char *)p, n));
    json_put_member_str(w, str_c(key), buf_str(&hex));
}

static void put_time(struct json_writer *w, const char *key, int64_t at) {
    char text[TIME_TEXT_LEN];
    time_text(text, at);
    json_put_member_str(w, str_c(key), str_of(text, sizeof text));
}

static void put_object_or_null(struct json_writer *w, struct str key, struct str object) {
    if (object.n)
        json_put_member_raw(w, key, object);
    else
        json_put_member_null(w, key);
}

void audit_put_json(struct json_writer *w, const struct audit_record *r, struct str type) {
    const struct audit_event *e = &r->event;
    json_put_object(w);
    if (type.n) json_put_member_str(w, STR("type"), type);
    json_put_member_i64(w, STR("tenant"), r->tenant);
    json_put_member_i64(w, STR("seq"), e->seq);
    put_time(w, "time", e->at);
    json_put_member_i64(w, STR("at"), e->at);
    json_put_member_str(w, STR("actor_kind"), e->actor_kind);
    json_put_member_str(w, STR("actor_id"), e->actor_id);
    json_put_member_str(w, STR("actor_name"), e->actor_name);
    json_put_member_str(w, STR("on_behalf"), e->on_behalf);
    json_put_member_str(w, STR("action"), e->action);
    json_put_member_str(w, STR("resource_type"), e->resource_type);
    json_put_member_str(w, STR("resource_id"), e->resource_id);
    json_put_member_str(w, STR("resource_name"), e->resource_name);
    json_put_member_str(w, STR("outcome"), audit_outcome_name(e->outcome));
    json_put_member_str(w, STR("reason"), e->reason);
    json_put_member_str(w, STR("address"), e->address);
    json_put_member_str(w, STR("agent"), e->agent);
    json_put_member_str(w, STR("request_id"), e->request_id);
    put_object_or_null(w, STR("before"), e->before);
    put_object_or_null(w, STR("after"), e->after);
    put_hex(w, "hash", r->hash.p, sizeof r->hash.p);
    json_put_object_end(w);
}

void audit_put_head_json(struct json_writer *w, const struct audit_head *head, struct str type) {
    json_put_object(w);
    if (type.n) json_put_member_str(w, STR("type"), type);
    json_put_member_i64(w, STR("tenant"), head->tenant);
    json_put_member_i64(w, STR("seq"), head->seq);
    put_time(w, "time", head->at);
    json_put_member_i64(w, STR("at"), head->at);
    put_hex(w, "hash", head->hash.p, sizeof head->hash.p);
    json_put_member_i64(w, STR("key"), head->key_id);
    put_hex(w, "signature", head->signature, sizeof head->signature);
    json_put_object_end(w);
}

void audit_put_key_json(struct json_writer *w, const struct audit_public *key, struct str type) {
    json_put_object(w);
    if (type.n) json_put_member_str(w, STR("type"), type);
    json_put_member_i64(w, STR("id"), key->id);
    put_hex(w, "public_key", key->p, sizeof key->p);
    json_put_member_i64(w, STR("created_at"), key->created_at);
    if (key->has_by_previous) put_hex(w, "by_previous", key->by_previous, sizeof key->by_previous);
    if (key->has_of_previous) put_hex(w, "of_previous", key->of_previous, sizeof key->of_previous);
    json_put_object_end(w);
}

// --- CSV: RFC 4180; a text that a spreadsheet would take for a formula is made one that it does not ---

void audit_put_csv_names(struct buf *out) {
    buf_lit(out, "tenant,seq,time,outcome");
#define NAME(field) buf_lit(out, "," #field);
    AUDIT_TEXTS(NAME)
#undef NAME
    buf_lit(out, ",hash\r\n");
}

static void put_csv(struct buf *out, const struct audit_record *r) {
    char time[TIME_TEXT_LEN];
    time_text(time, r->event.at);
    buf_put_i64(out, r->tenant);
    buf_putc(out, ',');
    buf_put_i64(out, r->event.seq);
    buf_putc(out, ',');
    buf_put(out, str_of(time, sizeof time));
    buf_putc(out, ',');
    buf_put(out, audit_outcome_name(r->event.outcome));
#define PUT(field) buf_putc(out, ','), csv_put_text(out, r->event.field);
    AUDIT_TEXTS(PUT)
#undef PUT
    buf_putc(out, ',');
    hex_put(out, str_of((const char *)r->hash.p, sizeof r->hash.p));
    buf_lit(out, "\r\n");
}

// --- CEF ---

static void cef_header(struct buf *out, struct str text) {
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        if (c == '\\' || c == '|') buf_putc(out, '\\');
        buf_putc(out, (unsigned char)c < ' ' ? ' ' : c);
    }
    buf_putc(out, '|');
}

static void cef_pair(struct buf *out, const char *key, struct str text) {
    if (!text.n) return;
    buf_putc(out, ' ');
    buf_put(out, str_c(key));
    buf_putc(out, '=');
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        if (c == '\n' || c == '\r') {
            buf_put(out, c == '\n' ? STR("\\n") : STR("\\r"));
            continue;
        }
        if (c == '\\' || c == '=') buf_putc(out, '\\');
        buf_putc(out, (unsigned char)c < ' ' ? ' ' : c);
    }
}

static unsigned cef_severity(enum audit_outcome outcome) {
    switch (outcome) {
    case AUDIT_OK:
    case AUDIT_OUTCOME_COUNT:
        return 3;
    case AUDIT_FAILED:
        return 5;
    case AUDIT_DENIED:
        return 7;
    }
    return 3;
}

static void put_cef(struct buf *out, const struct audit_record *r, struct str version) {
    const struct audit_event *e = &r->event;
    struct ip ip;
    buf_lit(out, "CEF:0|Penstock|Penstock|");
    cef_header(out, version);
    cef_header(out, e->action);
    cef_header(out, e->action);
    buf_printf(out, "%u|rt=%lld externalId=%lld cn1Label=tenant cn1=%lld", cef_severity(e->outcome),
               (long long)(e->at / 1000000), (long long)e->seq, (long long)r->tenant);
    cef_pair(out, "act", e->action);
    cef_pair(out, "outcome", audit_outcome_name(e->outcome));
    cef_pair(out, "suser", e->actor_name);
    cef_pair(out, "suid", e->actor_id);
    cef_pair(out, "spriv", e->actor_kind);
    if (ip_parse(e->address, &ip) && str_find_char(e->address, ':') == e->address.n) {
        cef_pair(out, "src", e->address);
    } else if (e->address.n) {
        cef_pair(out, "c6a2Label", STR("source address"));
        cef_pair(out, "c6a2", e->address);
    }
    cef_pair(out, "requestClientApplication", e->agent);
    cef_pair(out, "reason", e->reason);
    const struct {
        const char *label, *key;
        struct str name, value;
    } own[] = {{"cs1Label", "cs1", STR("resource"), e->resource_id},
               {"cs2Label", "cs2", STR("resourceType"), e->resource_type},
               {"cs3Label", "cs3", STR("resourceName"), e->resource_name},
               {"cs4Label", "cs4", STR("requestId"), e->request_id},
               {"cs5Label", "cs5", STR("before"), e->before},
               {"cs6Label", "cs6", STR("after"), e->after}};
    for (size_t i = 0; i < ARRAY_LEN(own); i++) {
        if (!own[i].value.n) continue;
        cef_pair(out, own[i].label, own[i].name);
        cef_pair(out, own[i].key, own[i].value);
    }
    cef_pair(out, "sntdom", e->on_behalf);
    buf_putc(out, '\n');
}

// --- OCSF 1.1 ---

struct ocsf_class {
    unsigned category, class, activity;
    struct str activity_name;
};

static struct ocsf_class ocsf_class_of(struct str action) {
    static const struct {
        struct str ending, name;
        unsigned activity;
    } activities[] = {{STR_INIT(".create"), STR_INIT("Create"), 1}, {STR_INIT(".read"), STR_INIT("Read"), 2},
                      {STR_INIT(".export"), STR_INIT("Read"), 2},   {STR_INIT(".verify"), STR_INIT("Read"), 2},
                      {STR_INIT(".update"), STR_INIT("Update"), 3}, {STR_INIT(".change"), STR_INIT("Update"), 3},
                      {STR_INIT(".rotate"), STR_INIT("Update"), 3}, {STR_INIT(".delete"), STR_INIT("Delete"), 4},
                      {STR_INIT(".revoke"), STR_INIT("Delete"), 4}};
    if (str_eq(action, STR("session.sign_in"))) return (struct ocsf_class){3, 3002, 1, STR("Logon")};
    if (str_eq(action, STR("session.sign_out"))) return (struct ocsf_class){3, 3002, 2, STR("Logoff")};
    for (size_t i = 0; i < ARRAY_LEN(activities); i++)
        if (str_ends(action, activities[i].ending))
            return (struct ocsf_class){6, 6003, activities[i].activity, activities[i].name};
    return (struct ocsf_class){6, 6003, 99, STR("Other")};
}

static void ocsf_metadata(struct json_writer *w, const struct audit_record *r, struct str version) {
    char uid[48];
    snprintf(uid, sizeof uid, "%lld-%lld", (long long)r->tenant, (long long)r->event.seq);
    json_put_member_object(w, STR("metadata"));
    json_put_member_str(w, STR("version"), STR("1.1.0"));
    json_put_member_object(w, STR("product"));
    json_put_member_str(w, STR("name"), STR("Penstock"));
    json_put_member_str(w, STR("vendor_name"), STR("Penstock"));
    json_put_member_str(w, STR("version"), version);
    json_put_object_end(w);
    json_put_member_str(w, STR("uid"), str_c(uid));
    json_put_member_i64(w, STR("sequence"), r->event.seq);
    snprintf(uid, sizeof uid, "%lld", (long long)r->tenant);
    json_put_member_str(w, STR("tenant_uid"), str_c(uid));
    json_put_object_end(w);
}

static void ocsf_user(struct json_writer *w, const struct audit_event *e) {
    bool person = str_eq(e->actor_kind, STR("user")), admin = str_eq(e->actor_kind, STR("operator"));
    json_put_member_object(w, STR("user"));
    json_put_member_str(w, STR("name"), e->actor_name.n ? e->actor_name : e->actor_kind);
    if (e->actor_id.n) json_put_member_str(w, STR("uid"), e->actor_id);
    json_put_member_i64(w, STR("type_id"), person ? 1 : admin ? 2 : 3);
    json_put_object_end(w);
}

static void ocsf_about(struct json_writer *w, const struct audit_event *e) {
    json_put_member_object(w, STR("api"));
    json_put_member_str(w, STR("operation"), e->action);
    json_put_member_object(w, STR("request"));
    json_put_member_str(w, STR("uid"), e->request_id);
    json_put_object_end(w);
    json_put_member_object(w, STR("service"));
    json_put_member_str(w, STR("name"), STR("penstock"));
    json_put_object_end(w);
    json_put_object_end(w);
    if (!e->resource_type.n) return;
    json_put_member_array(w, STR("resources"));
    json_put_object(w);
    json_put_member_str(w, STR("type"), e->resource_type);
    if (e->resource_id.n) json_put_member_str(w, STR("uid"), e->resource_id);
    if (e->resource_name.n) json_put_member_str(w, STR("name"), e->resource_name);
    json_put_object_end(w);
    json_put_array_end(w);
}

static void put_ocsf(struct buf *out, const struct audit_record *r, struct str version) {
    const struct audit_event *e = &r->event;
    struct ocsf_class class = ocsf_class_of(e->action);
    struct json_writer w;
    json_writer_init(&w, out);
    json_put_object(&w);
    json_put_member_i64(&w, STR("category_uid"), class.category);
    json_put_member_i64(&w, STR("class_uid"), class.class);
    json_put_member_i64(&w, STR("activity_id"), class.activity);
    json_put_member_str(&w, STR("activity_name"), class.activity_name);
    json_put_member_i64(&w, STR("type_uid"), class.class * 100 + class.activity);
    json_put_member_i64(&w, STR("time"), e->at / 1000000);
    json_put_member_i64(&w, STR("severity_id"), e->outcome == AUDIT_OK ? 1 : e->outcome == AUDIT_FAILED ? 2 : 3);
    json_put_member_i64(&w, STR("status_id"), e->outcome == AUDIT_OK ? 1 : 2);
    json_put_member_str(&w, STR("status"), e->outcome == AUDIT_OK ? STR("Success") : STR("Failure"));
    if (e->reason.n) json_put_member_str(&w, STR("status_detail"), e->reason);
    ocsf_metadata(&w, r, version);
    json_put_member_object(&w, STR("actor"));
    ocsf_user(&w, e);
    json_put_object_end(&w);
    if (class.class == 3002)
        ocsf_user(&w, e);
    else
        ocsf_about(&w, e);
    json_put_member_object(&w, STR("src_endpoint"));
    if (e->address.n)
        json_put_member_str(&w, STR("ip"), e->address);
    else
        json_put_member_str(&w, STR("name"), STR("local"));
    json_put_object_end(&w);
    if (e->agent.n) {
        json_put_member_object(&w, STR("http_request"));
        json_put_member_str(&w, STR("user_agent"), e->agent);
        json_put_object_end(&w);
    }
    json_put_member_object(&w, STR("unmapped"));
    json_put_member_str(&w, STR("outcome"), audit_outcome_name(e->outcome));
    if (e->on_behalf.n) json_put_member_str(&w, STR("on_behalf"), e->on_behalf);
    if (e->before.n) json_put_member_raw(&w, STR("before"), e->before);
    if (e->after.n) json_put_member_raw(&w, STR("after"), e->after);
    put_hex(&w, "hash", r->hash.p, sizeof r->hash.p);
    json_put_object_end(&w);
    json_put_object_end(&w);
    buf_putc(out, '\n');
}

void audit_put(struct buf *out, enum audit_format format, const struct audit_record *record, struct str version) {
    struct json_writer w;
    switch (format) {
    case AUDIT_JSONL:
        json_writer_init(&w, out);
        audit_put_json(&w, record, STR("event"));
        buf_putc(out, '\n');
        return;
    case AUDIT_CSV:
        put_csv(out, record);
        return;
    case AUDIT_CEF:
        put_cef(out, record, version);
        return;
    case AUDIT_OCSF:
        put_ocsf(out, record, version);
        return;
    case AUDIT_FORMAT_COUNT: // no format
        return;
    }
}
