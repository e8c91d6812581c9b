// Verifies an export line by line: each is read, and must be, byte for byte, what its values are written as.
#include "base/json_read.h"
#include "govern/audit_export.h"

bool audit_key_parse(struct str text, unsigned char out_key[AUDIT_KEY_SIZE]) {
    unsigned char bytes[AUDIT_KEY_SIZE];
    if (text.n != 2 * sizeof bytes) return false;
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
        if (digit < 0) return false;
        bytes[i / 2] = (unsigned char)(i % 2 ? bytes[i / 2] | digit : digit << 4);
    }
    memcpy(out_key, bytes, sizeof bytes);
    return true;
}

static bool fault(struct audit_file *f, const char *why) {
    return audit_verifier_fail(&f->v, f->in_chain ? f->v.next : 0, "line %llu %s", (unsigned long long)f->number, why);
}

// --- values ---

static bool number_of(const struct json_field *field, int64_t *out) {
    return field->found && json_raw_i64(field->raw, out);
}

static bool text_of(const struct json_field *field, struct arena *a, struct str *out) {
    return field->found && json_string_text(field->raw, a, out);
}

// 2n hexadecimal digits.
static bool bytes_of(const struct json_field *field, unsigned char *out, size_t n) {
    struct str text;
    unsigned char half[AUDIT_KEY_SIZE];
    if (!field->found || !json_string_borrow(field->raw, &text) || text.n != 2 * n) return false;
    for (size_t at = 0; at < n; at += sizeof half) {
        if (!audit_key_parse(str_head(str_from(text, 2 * at), 2 * sizeof half), half)) return false;
        memcpy(out + at, half, sizeof half);
    }
    return true;
}

static bool same_as_written(struct audit_file *f, struct str line) {
    return (!f->again.failed && str_eq(buf_str(&f->again), line)) || fault(f, "is not as it was exported");
}

// --- lines ---

static bool export_line(struct audit_file *f, struct str line) {
    struct json_field fields[] = {{.name = STR_INIT("type")},   {.name = STR_INIT("format")},
                                  {.name = STR_INIT("tenant")}, {.name = STR_INIT("complete")},
                                  {.name = STR_INIT("since")},  {.name = STR_INIT("previous")}};
    struct audit_hash previous;
    struct err why;
    int64_t tenant, since, format;
    bool complete;
    if (f->in_chain) return fault(f, "begins another export before the head of the one before it");
    if (!json_scan(line, fields, ARRAY_LEN(fields), &why) || !number_of(&fields[1], &format) ||
        !number_of(&fields[2], &tenant) || !fields[3].found || !json_raw_bool(fields[3].raw, &complete) ||
        !number_of(&fields[4], &since) || !bytes_of(&fields[5], previous.p, sizeof previous.p))
        return fault(f, "is no beginning of an export");
    if (format != 1) return fault(f, "is of a format that this version does not know");
    if (!complete)
        return fault(f, "says that this export holds what a search found, which proves nothing: export a "
                        "whole chain");
    if (since < 1 || tenant < 1) return fault(f, "is no beginning of an export");
    if (since == 1)
        for (size_t i = 0; i < sizeof previous.p; i++)
            if (previous.p[i]) return fault(f, "names a hash before the first event");
    audit_keyset_free(&f->keys);
    f->trusted = false;
    audit_verifier_begin(&f->v, &f->keys, tenant, since, &previous);
    f->in_chain = true;
    return true;
}

static bool key_line(struct audit_file *f, struct str line, struct err *err) {
    struct json_field fields[] = {{.name = STR_INIT("type")},        {.name = STR_INIT("id")},
                                  {.name = STR_INIT("public_key")},  {.name = STR_INIT("created_at")},
                                  {.name = STR_INIT("by_previous")}, {.name = STR_INIT("of_previous")}};
    struct audit_public key = {0};
    struct json_writer w;
    struct err why;
    if (!f->in_chain || f->v.events) return fault(f, "is a key out of place");
    if (!json_scan(line, fields, ARRAY_LEN(fields), &why) || !number_of(&fields[1], &key.id) ||
        !bytes_of(&fields[2], key.p, sizeof key.p) || !number_of(&fields[3], &key.created_at))
        return fault(f, "is no key");
    key.has_by_previous = fields[4].found;
    key.has_of_previous = fields[5].found;
    if ((fields[4].found && !bytes_of(&fields[4], key.by_previous, sizeof key.by_previous)) ||
        (fields[5].found && !bytes_of(&fields[5], key.of_previous, sizeof key.of_previous)))
        return fault(f, "is no key");
    if (f->keys.keys.n && f->keys.keys.p[f->keys.keys.n - 1].key.id >= key.id) return fault(f, "is a key out of place");
    json_writer_init(&w, &f->again);
    audit_put_key_json(&w, &key, STR("key"));
    return same_as_written(f, line) && audit_keyset_add(&f->keys, &key, err);
}

// With the first event the keys are all there.
static bool keys_trust(struct audit_file *f) {
    if (f->trusted) return true;
    if (!f->keys.keys.n) return fault(f, "stands before any key");
    const unsigned char *key = f->key;
    if (!key) key = f->keys.keys.p[f->keys.keys.n - 1].key.p;
    if (!audit_keyset_trust(&f->keys, key)) return fault(f, "is of an export that was never signed by that key");
    memcpy(f->verdict.key, key, AUDIT_KEY_SIZE);
    f->trusted = true;
    return true;
}

static bool event_read(struct str line, struct arena *a, struct audit_record *out) {
    enum { TENANT = 1, SEQ, AT, OUTCOME, HASH, BEFORE, AFTER, TIME, TEXTS };
    struct json_field fields[] = {
        {.name = STR_INIT("type")},        {.name = STR_INIT("tenant")},        {.name = STR_INIT("seq")},
        {.name = STR_INIT("at")},          {.name = STR_INIT("outcome")},       {.name = STR_INIT("hash")},
        {.name = STR_INIT("before")},      {.name = STR_INIT("after")},         {.name = STR_INIT("time")},
        {.name = STR_INIT("actor_kind")},  {.name = STR_INIT("actor_id")},      {.name = STR_INIT("actor_name")},
        {.name = STR_INIT("on_behalf")},   {.name = STR_INIT("action")},        {.name = STR_INIT("resource_type")},
        {.name = STR_INIT("resource_id")}, {.name = STR_INIT("resource_name")}, {.name = STR_INIT("reason")},
        {.name = STR_INIT("address")},     {.name = STR_INIT("agent")},         {.name = STR_INIT("request_id")}};
    struct audit_record r = {0};
    struct audit_event *e = &r.event;
    struct str *texts[] = {&e->actor_kind, &e->actor_id,      &e->actor_name,  &e->on_behalf,
                           &e->action,     &e->resource_type, &e->resource_id, &e->resource_name,
                           &e->reason,     &e->address,       &e->agent,       &e->request_id};
    struct str outcome;
    struct err why;
    if (!json_scan(line, fields, ARRAY_LEN(fields), &why) || !number_of(&fields[TENANT], &r.tenant) ||
        !number_of(&fields[SEQ], &e->seq) || !number_of(&fields[AT], &e->at) ||
        !text_of(&fields[OUTCOME], a, &outcome) || !audit_outcome_parse(outcome, &e->outcome) ||
        !bytes_of(&fields[HASH], r.hash.p, sizeof r.hash.p) || !fields[BEFORE].found || !fields[AFTER].found)
        return false;
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        if (!text_of(&fields[TEXTS + i], a, texts[i])) return false;
    if (json_raw_kind(fields[BEFORE].raw) == JSON_OBJECT) e->before = fields[BEFORE].raw;
    if (json_raw_kind(fields[AFTER].raw) == JSON_OBJECT) e->after = fields[AFTER].raw;
    *out = r;
    return true;
}

static bool event_line(struct audit_file *f, struct str line) {
    struct arena arena;
    struct audit_record r;
    struct json_writer w;
    if (!f->in_chain) return fault(f, "is an event outside of an export");
    if (!keys_trust(f)) return false;
    arena_init(&arena, NULL, 0, 4 * AUDIT_LINE_MAX);
    bool ok = event_read(line, &arena, &r);
    if (ok) {
        json_writer_init(&w, &f->again);
        audit_put_json(&w, &r, STR("event"));
        // The order and the hash say more than that the line differs.
        ok = audit_verifier_event(&f->v, r.tenant, &r.event, &r.hash) && same_as_written(f, line);
    } else {
        fault(f, "is no event");
    }
    arena_free(&arena);
    return ok;
}

static bool head_line(struct audit_file *f, struct str line, struct str type) {
    struct json_field fields[] = {{.name = STR_INIT("type")},      {.name = STR_INIT("tenant")},
                                  {.name = STR_INIT("seq")},       {.name = STR_INIT("at")},
                                  {.name = STR_INIT("hash")},      {.name = STR_INIT("key")},
                                  {.name = STR_INIT("signature")}, {.name = STR_INIT("time")}};
    struct audit_head head = {0};
    struct json_writer w;
    struct err why;
    bool last = str_eq(type, STR("head"));
    if (!f->in_chain) return fault(f, "is a signature outside of an export");
    if (!keys_trust(f)) return false;
    if (!json_scan(line, fields, ARRAY_LEN(fields), &why) || !number_of(&fields[1], &head.tenant) ||
        !number_of(&fields[2], &head.seq) || !number_of(&fields[3], &head.at) ||
        !bytes_of(&fields[4], head.hash.p, sizeof head.hash.p) || !number_of(&fields[5], &head.key_id) ||
        !bytes_of(&fields[6], head.signature, sizeof head.signature))
        return fault(f, "is no signed head");
    json_writer_init(&w, &f->again);
    audit_put_head_json(&w, &head, type);
    if (!same_as_written(f, line)) return false;
    if (!last) return audit_verifier_checkpoint(&f->v, &head);
    if (!audit_verifier_end(&f->v, &head)) return false;
    f->in_chain = false;
    f->verdict.chains++;
    f->verdict.events += f->v.events;
    f->verdict.checkpoints += f->v.checkpoints;
    return true;
}

static bool line_take(struct audit_file *f, struct str line, struct err *err) {
    struct str raw, type;
    f->number++;
    buf_clear(&f->again);
    struct err why;
    if (!line.n && !f->in_chain) return true; // between exports
    if (!json_validate(line, 0, &why)) return fault(f, "is no JSON object");
    if (!JSON_GET(line, &raw, STR("type")) || !json_string_borrow(raw, &type)) return fault(f, "has no type");
    if (str_eq(type, STR("event"))) return event_line(f, line);
    if (str_eq(type, STR("checkpoint")) || str_eq(type, STR("head"))) return head_line(f, line, type);
    if (str_eq(type, STR("key"))) return key_line(f, line, err);
    if (str_eq(type, STR("export"))) return export_line(f, line);
    return fault(f, "is of an unknown type");
}

// --- the file ---

void audit_file_begin(struct audit_file *f, const unsigned char *key) {
    *f = (struct audit_file){.key = key, .line = BUF_INIT(AUDIT_LINE_MAX), .again = BUF_INIT(2 * AUDIT_LINE_MAX)};
}

bool audit_file_put(struct audit_file *f, struct str bytes, struct err *err) {
    while (bytes.n) {
        size_t end = str_find_char(bytes, '\n');
        buf_put(&f->line, str_head(bytes, end));
        if (f->line.failed) return fault(f, "is followed by one that is too long");
        bytes = str_from(bytes, end);
        if (!bytes.n) return true;
        bytes = str_from(bytes, 1);
        err->code = (enum err_code)0;
        if (!line_take(f, buf_str(&f->line), err)) return false;
        buf_clear(&f->line);
    }
    return true;
}

void audit_file_end(struct audit_file *f, struct audit_verdict *out_verdict) {
    if (!f->v.faulty && f->line.n) {
        f->number++;
        fault(f, "is cut off: the end of the file is missing");
    }
    if (!f->v.faulty && f->in_chain)
        audit_verifier_fail(&f->v, f->v.next, "the end of the file is missing: event %lld, or the head of the chain",
                            (long long)f->v.next);
    if (!f->v.faulty && !f->verdict.chains) audit_verifier_fail(&f->v, 0, "the file holds no chain");
    f->verdict.faulty = f->v.faulty;
    f->verdict.fault = f->v.fault;
    *out_verdict = f->verdict;
}

void audit_file_free(struct audit_file *f) {
    audit_keyset_free(&f->keys);
    buf_free(&f->line);
    buf_free(&f->again);
}
