// AWS Signature Version 4.
#include "model/sigv4.h"

#include "base/text.h"

#include <sodium.h>
#include <stdlib.h>

#define HASH_LEN crypto_hash_sha256_BYTES
#define PARAMS_MAX 64

struct hash {
    unsigned char bytes[HASH_LEN];
};

static struct str hash_str(const struct hash *h) { return str_of((const char *)h->bytes, HASH_LEN); }

static struct hash sha256(const struct str *pieces, size_t n) {
    crypto_hash_sha256_state state;
    struct hash h;
    crypto_hash_sha256_init(&state);
    for (size_t i = 0; i < n; i++)
        if (pieces[i].n) crypto_hash_sha256_update(&state, (const unsigned char *)pieces[i].p, pieces[i].n);
    crypto_hash_sha256_final(&state, h.bytes);
    return h;
}

static struct hash hmac(struct str key, struct str text) {
    crypto_auth_hmacsha256_state state;
    struct hash h;
    crypto_auth_hmacsha256_init(&state, (const unsigned char *)key.p, key.n);
    crypto_auth_hmacsha256_update(&state, (const unsigned char *)text.p, text.n);
    crypto_auth_hmacsha256_final(&state, h.bytes);
    sodium_memzero(&state, sizeof state);
    return h;
}

static void put_path(struct buf *out, struct str path) {
    if (!path.n) buf_putc(out, '/');
    percent_put(out, path, "/");
}

// --- what is in order of the names ---

static int by_bytes(const void *a, const void *b) { return str_cmp(*(const struct str *)a, *(const struct str *)b); }

static bool put_query(struct buf *out, struct str query, struct err *err) {
    struct str params[PARAMS_MAX], rest = query;
    size_t n = 0;
    if (!query.n) return true;
    while (n < PARAMS_MAX && str_split(&rest, '&', &params[n]))
        if (params[n].n) n++;
    if (rest.p) return err_set(err, ERR_INTERNAL, "a request to sign has more than %d parameters", PARAMS_MAX);
    qsort(params, n, sizeof params[0], by_bytes);
    for (size_t i = 0; i < n; i++) {
        if (i) buf_putc(out, '&');
        buf_put(out, params[i]);
        if (str_find_char(params[i], '=') == params[i].n) buf_putc(out, '=');
    }
    return true;
}

struct signed_field {
    char name[64]; // in lower case
    struct str value;
    size_t order; // fields of one name stay in theirs
};

static int by_name(const void *a, const void *b) {
    const struct signed_field *x = a, *y = b;
    int c = strcmp(x->name, y->name);
    return c ? c : (x->order > y->order) - (x->order < y->order);
}

static void add_field(struct signed_field *list, size_t *io_n, struct str name, struct str value) {
    struct signed_field *f = &list[*io_n];
    size_t n = MIN(name.n, sizeof f->name - 1);
    for (size_t i = 0; i < n; i++) {
        char c = name.p[i];
        f->name[i] = (char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
    }
    f->name[n] = '\0';
    f->value = value;
    f->order = (*io_n)++;
}

// Without spaces around it, and with one where there were several.
static void put_value(struct buf *out, struct str value) {
    bool space = false;
    value = str_trim(value);
    for (size_t i = 0; i < value.n; i++) {
        if (value.p[i] == ' ' && space) continue;
        space = value.p[i] == ' ';
        buf_putc(out, value.p[i]);
    }
}

static void put_fields(struct buf *out, const struct signed_field *list, size_t n) {
    for (size_t i = 0; i < n; i++) {
        bool again = i && strcmp(list[i].name, list[i - 1].name) == 0;
        buf_put(out, again ? STR(",") : str_c(list[i].name));
        if (!again) buf_putc(out, ':');
        put_value(out, list[i].value);
        if (i + 1 == n || strcmp(list[i].name, list[i + 1].name) != 0) buf_putc(out, '\n');
    }
}

static void put_names(struct buf *out, const struct signed_field *list, size_t n) {
    for (size_t i = 0; i < n; i++) {
        if (i && strcmp(list[i].name, list[i - 1].name) == 0) continue;
        if (i) buf_putc(out, ';');
        buf_put(out, str_c(list[i].name));
    }
}

// --- the signature ---

static void put_date(char out[SIGV4_DATE_LEN], int64_t now) {
    char text[TIME_TEXT_LEN]; // 2015-08-30T12:36:00.000Z
    time_text(text, now * 1000000000);
    size_t n = 0;
    for (size_t i = 0; i < 19; i++)
        if (text[i] != '-' && text[i] != ':') out[n++] = text[i];
    out[n] = 'Z';
}

static struct hash signing_key(const struct sigv4_request *r, const struct sigv4_key *key, struct str day) {
    struct buf secret = BUF_INIT(key->secret.n + 8);
    buf_lit(&secret, "AWS4");
    buf_put(&secret, key->secret);
    struct hash h = hmac(buf_str(&secret), day);
    if (secret.p) sodium_memzero(secret.p, secret.cap);
    buf_free(&secret);
    h = hmac(hash_str(&h), r->region);
    h = hmac(hash_str(&h), r->service);
    return hmac(hash_str(&h), STR("aws4_request"));
}

// The request in the one form that both sides make of it.
static bool put_canonical(struct buf *out, const struct sigv4_request *r, const struct signed_field *list, size_t n,
                          struct err *err) {
    struct hash payload = sha256(r->body, r->body_count);
    buf_put(out, r->method);
    buf_putc(out, '\n');
    put_path(out, r->path);
    buf_putc(out, '\n');
    if (!put_query(out, r->query, err)) return false;
    buf_putc(out, '\n');
    put_fields(out, list, n);
    buf_putc(out, '\n');
    put_names(out, list, n);
    buf_putc(out, '\n');
    hex_put(out, hash_str(&payload));
    return !out->failed || err_no_memory(err);
}

static void put_scope(struct buf *out, const struct sigv4_request *r, struct str day) {
    buf_printf(out, "%.*s/%.*s/%.*s/aws4_request", STR_ARG(day), STR_ARG(r->region), STR_ARG(r->service));
}

bool sigv4_sign(const struct sigv4_request *r, const struct sigv4_key *key, char out_date[SIGV4_DATE_LEN],
                struct buf *out_authorization, struct err *err) {
    struct signed_field list[SIGV4_FIELDS_MAX + 2];
    BUF_AUTO struct buf canonical = BUF_INIT(64 << 10), text = BUF_INIT(4096);
    size_t n = 0;
    if (r->field_count > SIGV4_FIELDS_MAX)
        return err_set(err, ERR_INTERNAL, "a request to sign has more than %d fields", SIGV4_FIELDS_MAX);
    put_date(out_date, r->now);
    struct str date = str_of(out_date, SIGV4_DATE_LEN), day = str_of(out_date, 8);
    for (size_t i = 0; i < r->field_count; i++) add_field(list, &n, r->fields[i].name, r->fields[i].value);
    add_field(list, &n, STR("x-amz-date"), date);
    if (key->session_token.n) add_field(list, &n, STR("x-amz-security-token"), key->session_token);
    qsort(list, n, sizeof list[0], by_name);
    if (!put_canonical(&canonical, r, list, n, err)) return false;
    struct str whole = buf_str(&canonical);
    struct hash digest = sha256(&whole, 1), secret = signing_key(r, key, day);
    buf_lit(&text, "AWS4-HMAC-SHA256\n");
    buf_put(&text, date);
    buf_putc(&text, '\n');
    put_scope(&text, r, day);
    buf_putc(&text, '\n');
    hex_put(&text, hash_str(&digest));
    struct hash signature = hmac(hash_str(&secret), buf_str(&text));
    sodium_memzero(&secret, sizeof secret);
    if (text.failed) return err_no_memory(err);
    buf_lit(out_authorization, "AWS4-HMAC-SHA256 Credential=");
    buf_put(out_authorization, key->id);
    buf_putc(out_authorization, '/');
    put_scope(out_authorization, r, day);
    buf_lit(out_authorization, ", SignedHeaders=");
    put_names(out_authorization, list, n);
    buf_lit(out_authorization, ", Signature=");
    hex_put(out_authorization, hash_str(&signature));
    return !out_authorization->failed || err_no_memory(err);
}
