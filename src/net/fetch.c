// One awaited HTTP request on libcurl, for the control plane.
#include "net/fetch.h"

#include "base/mem.h"
#include "base/secret.h"

#include <curl/curl.h>

#define TIMEOUT_DEFAULT_MS 10000U
#define BODY_DEFAULT ((size_t)1 << 20)
#define HEAD_MAX ((size_t)64 * 1024) // all header lines of an answer
#define FIELDS_MAX 64
#define URL_MAX 8192

struct transfer {
    CURL *curl;
    const struct fetch_request *request;
    struct curl_slist *fields;
    struct buf url, ca, proxy;
    struct buf body;
    size_t body_max, head_bytes;
    bool body_too_large, head_too_large, no_memory;
    struct str host; // "https://vault.example.com:8200" of the URL, for messages
    char date[64], cookie[512];
    char reason[CURL_ERROR_SIZE];
};

// --- libcurl's memory: ours, and wiped when it is given back, for tokens pass through its buffers ---

static void *memory_get(size_t n) { return mem_alloc(n); }
static void *memory_zeroed(size_t count, size_t size) { return mem_zalloc(count, size); }
static char *memory_copy(const char *text) { return mem_strdup(str_c(text)); }

static void memory_put(void *p) {
    if (p) secret_wipe(p, mem_size(p));
    mem_free(p);
}

static void *memory_more(void *p, size_t n) {
    void *q = mem_alloc(n);
    if (!q) return NULL;
    if (p) memcpy(q, p, MIN(n, mem_size(p)));
    memory_put(p);
    return q;
}

// libcurl itself counts its users and does nothing where there is nothing to do.
bool fetch_global_begin(struct err *err) {
    CURLcode code =
        curl_global_init_mem(CURL_GLOBAL_DEFAULT, memory_get, memory_put, memory_more, memory_copy, memory_zeroed);
    if (code != CURLE_OK) return err_set(err, ERR_INTERNAL, "libcurl can't begin: %s", curl_easy_strerror(code));
    return true;
}

void fetch_global_end(void) { curl_global_cleanup(); }

// --- receiving ---

static void wiped_free(struct buf *b) {
    secret_wipe(b->p, b->n);
    buf_free(b);
}

// As buf_append, but leaves no copy of what was received in memory that is given back.
static bool wiped_append(struct buf *b, const char *p, size_t n) {
    if (b->cap - b->n < n) {
        struct buf larger = BUF_INIT(b->max);
        if (!buf_reserve(&larger, MIN(b->max, MAX(b->n + n, b->cap * 2)))) return false;
        buf_put(&larger, buf_str(b));
        wiped_free(b);
        *b = larger;
    }
    buf_append(b, p, n);
    return !b->failed;
}

static size_t take_body(char *p, size_t size, size_t count, void *ctx) {
    struct transfer *t = ctx;
    size_t n = size * count;
    long status = 0;
    if (t->request->sink && curl_easy_getinfo(t->curl, CURLINFO_RESPONSE_CODE, &status) == CURLE_OK &&
        status / 100 == 2)
        return t->request->sink(t->request->sink_ctx, str_of(p, n)) ? n : 0;
    if (n > t->body_max - t->body.n)
        t->body_too_large = true;
    else if (!wiped_append(&t->body, p, n))
        t->no_memory = true;
    else
        return n;
    return 0; // anything but n ends the transfer
}

static void field_keep(char *out, size_t size, struct str value) {
    if (value.n >= size) return;
    if (value.n) memcpy(out, value.p, value.n);
    out[value.n] = '\0';
}

static size_t take_field(char *p, size_t size, size_t count, void *ctx) {
    struct transfer *t = ctx;
    size_t n = size * count;
    t->head_bytes += n;
    if (t->head_bytes > HEAD_MAX) {
        t->head_too_large = true;
        return 0;
    }
    struct str line = str_of(p, n);
    size_t colon = str_find_char(line, ':');
    struct str name = str_head(line, colon), value = str_trim(str_from(line, colon + 1));
    if (str_eq_nocase(name, STR("date"))) field_keep(t->date, sizeof t->date, value);
    if (str_eq_nocase(name, STR("set-cookie")) && !t->cookie[0])
        field_keep(t->cookie, sizeof t->cookie, str_head(value, str_find_char(value, ';')));
    return n;
}

// Called about once a second, and when something moves.
static int look_for_stop(void *ctx, curl_off_t down_all, curl_off_t down, curl_off_t up_all, curl_off_t up) {
    const struct transfer *t = ctx;
    (void)down_all, (void)down, (void)up_all, (void)up;
    return t->request->stop && atomic_load(t->request->stop); // not 0 ends the transfer
}

// --- the request ---

// Scheme, host and port: what of a URL may stand in a message (paths and queries can hold tokens).
static struct str host_of(struct str url) {
    size_t scheme = str_find(url, STR("://"));
    size_t from = scheme < url.n ? scheme + 3 : 0, to = from;
    while (to < url.n && !strchr("/?#", url.p[to])) to++;
    return str_head(url, to);
}

static bool url_check(struct transfer *t, struct err *err) {
    struct str url = t->request->url;
    t->host = host_of(url);
    for (size_t i = 0; i < url.n; i++) {
        if ((unsigned char)url.p[i] <= 0x20 || url.p[i] == 0x7f)
            return err_set(err, ERR_INVALID_REQUEST, "the URL holds a space or a control character");
    }
    if (!str_starts(url, STR("http://")) && !str_starts(url, STR("https://")))
        return err_set(err, ERR_INVALID_REQUEST, "the URL must begin with http:// or https://");
    if (url.n > URL_MAX) return err_set(err, ERR_URI_TOO_LONG, "the URL is longer than %d bytes", URL_MAX);
    if (str_find_char(t->host, '@') < t->host.n)
        return err_set(err, ERR_INVALID_REQUEST, "the URL must not hold a user or a password");
    return true;
}

static bool field_add(struct transfer *t, struct str name, struct str value, struct err *err) {
    if (!http_is_token(name) || !http_is_field_value(value))
        return err_set(err, ERR_INVALID_REQUEST, "a header field is not valid: \"%.*s\"", STR_ARG(str_head(name, 64)));
    struct buf line = BUF_INIT(1 << 20);
    // Reserved at once, so that no half of a secret is left behind by growing.
    if (buf_reserve(&line, name.n + value.n + 3)) {
        buf_put(&line, name);
        if (value.n) {
            buf_lit(&line, ": ");
            buf_put(&line, value);
        } else {
            buf_putc(&line, ';'); // how libcurl is told to send an empty one
        }
    }
    const char *text = buf_cstr(&line);
    struct curl_slist *longer = text ? curl_slist_append(t->fields, text) : NULL;
    wiped_free(&line);
    if (!longer) return err_no_memory(err);
    t->fields = longer;
    return true;
}

// A line "Name:" keeps libcurl from adding a field of its own.
static bool field_suppress(struct transfer *t, const char *line, struct err *err) {
    struct curl_slist *longer = curl_slist_append(t->fields, line);
    if (!longer) return err_no_memory(err);
    t->fields = longer;
    return true;
}

static bool fields_set(struct transfer *t, struct err *err) {
    const struct fetch_request *r = t->request;
    bool typed = false, agent = false;
    if (r->n_fields > FIELDS_MAX) return err_set(err, ERR_INVALID_REQUEST, "more than %d header fields", FIELDS_MAX);
    for (size_t i = 0; i < r->n_fields; i++) {
        if (!field_add(t, r->fields[i].name, r->fields[i].value, err)) return false;
        typed |= str_eq_nocase(r->fields[i].name, STR("content-type"));
        agent |= str_eq_nocase(r->fields[i].name, STR("user-agent"));
    }
    if (!agent && !field_add(t, STR("User-Agent"), STR("penstock"), err)) return false;
    return field_suppress(t, "Expect:", err) && (typed || field_suppress(t, "Content-Type:", err));
}

#define SET(t, option, value) (curl_easy_setopt((t)->curl, option, value) == CURLE_OK)

static bool method_set(struct transfer *t, struct err *err) {
    struct str method = t->request->method.n ? t->request->method : STR("GET");
    if (!http_is_token(method) || method.n > 16) return err_set(err, ERR_INVALID_REQUEST, "the method is not a token");
    char name[17] = {0};
    memcpy(name, method.p, method.n);
    bool ok = true;
    if (str_eq(method, STR("HEAD")))
        ok = SET(t, CURLOPT_NOBODY, 1L);
    else if (t->request->body.n || str_eq(method, STR("POST")) || str_eq(method, STR("PUT")))
        ok = SET(t, CURLOPT_POST, 1L) && SET(t, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)t->request->body.n) &&
             SET(t, CURLOPT_POSTFIELDS, t->request->body.n ? t->request->body.p : "");
    return (ok && SET(t, CURLOPT_CUSTOMREQUEST, name)) || err_no_memory(err);
}

static const char *text_of(struct buf *b, struct str s) {
    buf_init(b, s.n + 1);
    buf_put(b, s);
    return buf_cstr(b);
}

static bool options_set(struct transfer *t, struct err *err) {
    const struct fetch_request *r = t->request;
    long timeout = (long)(r->timeout_ms ? r->timeout_ms : TIMEOUT_DEFAULT_MS);
    long connect = r->connect_ms ? (long)MIN(r->connect_ms, (unsigned)timeout) : timeout;
    long verify = r->no_verify ? 0 : 1;
    const char *url = text_of(&t->url, r->url), *proxy = text_of(&t->proxy, r->proxy), *ca = text_of(&t->ca, r->tls_ca);
    if (!url || !proxy || !ca) return err_no_memory(err);
    // An empty proxy also keeps libcurl from asking the environment for one.
    bool ok = SET(t, CURLOPT_URL, url) && SET(t, CURLOPT_PROXY, proxy) && SET(t, CURLOPT_PROTOCOLS_STR, "http,https") &&
              SET(t, CURLOPT_FOLLOWLOCATION, 0L) && SET(t, CURLOPT_NOSIGNAL, 1L) && SET(t, CURLOPT_NETRC, 0L) &&
              SET(t, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1) && SET(t, CURLOPT_HTTP09_ALLOWED, 0L) &&
              SET(t, CURLOPT_TIMEOUT_MS, timeout) && SET(t, CURLOPT_CONNECTTIMEOUT_MS, connect) &&
              SET(t, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2) && SET(t, CURLOPT_CERTINFO, 1L) &&
              SET(t, CURLOPT_SSL_VERIFYPEER, verify) && SET(t, CURLOPT_SSL_VERIFYHOST, verify * 2) &&
              SET(t, CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)t->body_max) && SET(t, CURLOPT_ERRORBUFFER, t->reason) &&
              SET(t, CURLOPT_WRITEFUNCTION, take_body) && SET(t, CURLOPT_WRITEDATA, t) &&
              SET(t, CURLOPT_HEADERFUNCTION, take_field) && SET(t, CURLOPT_HEADERDATA, t) &&
              SET(t, CURLOPT_HTTPHEADER, t->fields) && (!r->tls_ca.n || SET(t, CURLOPT_CAINFO, ca));
    // A resolver that does not answer must not hold up who has waited long enough.
    ok = ok && SET(t, CURLOPT_QUICK_EXIT, 1L);
    if (r->stop)
        ok = ok && SET(t, CURLOPT_NOPROGRESS, 0L) && SET(t, CURLOPT_XFERINFOFUNCTION, look_for_stop) &&
             SET(t, CURLOPT_XFERINFODATA, t);
    return ok || err_no_memory(err);
}

// --- the outcome ---

static unsigned step_us(struct transfer *t, CURLINFO info) {
    curl_off_t us = 0;
    if (curl_easy_getinfo(t->curl, info, &us) != CURLE_OK || us < 0) return 0;
    return us > UINT32_MAX ? UINT32_MAX : (unsigned)us;
}

static const char *step_name(struct transfer *t) {
    bool tls = str_starts(t->request->url, STR("https:"));
    if (!step_us(t, CURLINFO_NAMELOOKUP_TIME_T)) return "looking the name up";
    if (!step_us(t, CURLINFO_CONNECT_TIME_T)) return "connecting";
    if (tls && !step_us(t, CURLINFO_APPCONNECT_TIME_T)) return "agreeing on TLS";
    if (!step_us(t, CURLINFO_STARTTRANSFER_TIME_T)) return "waiting for the answer";
    return "reading the answer";
}

static enum err_code code_of(CURLcode code) {
    switch (code) { // the rest of libcurl's long list cannot come of the options set here, or means the same
    case CURLE_OPERATION_TIMEDOUT:
        return ERR_UPSTREAM_TIMEOUT;
    case CURLE_GOT_NOTHING:
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
    case CURLE_PARTIAL_FILE:
        return ERR_UPSTREAM_RESET;
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_BAD_CONTENT_ENCODING:
    case CURLE_HTTP2:
        return ERR_UPSTREAM_INVALID;
    case CURLE_URL_MALFORMAT:
        return ERR_INVALID_REQUEST;
    default:
        return ERR_UPSTREAM_REFUSED;
    }
}

static enum fetch_fault fault_of(CURLcode code) {
    switch (code) { // the others need no advice of their own
    case CURLE_COULDNT_RESOLVE_HOST:
        return FETCH_FAULT_RESOLVE;
    case CURLE_COULDNT_RESOLVE_PROXY:
        return FETCH_FAULT_RESOLVE_PROXY;
    case CURLE_COULDNT_CONNECT:
        return FETCH_FAULT_CONNECT;
    case CURLE_SSL_CONNECT_ERROR:
        return FETCH_FAULT_TLS;
    case CURLE_PEER_FAILED_VERIFICATION:
        return FETCH_FAULT_CERTIFICATE;
    case CURLE_SSL_CACERT_BADFILE:
        return FETCH_FAULT_CA_FILE;
    case CURLE_OPERATION_TIMEDOUT:
        return FETCH_FAULT_TIMEOUT;
    default:
        return FETCH_FAULT_OTHER;
    }
}

static bool failed(struct transfer *t, CURLcode code, struct err *err) {
    if (t->request->out_fault) *t->request->out_fault = fault_of(code);
    const char *reason = t->reason[0] ? t->reason : curl_easy_strerror(code);
    if (t->no_memory || code == CURLE_OUT_OF_MEMORY) return err_no_memory(err);
    if (t->body_too_large || code == CURLE_FILESIZE_EXCEEDED)
        return err_set(err, ERR_UPSTREAM_TOO_LARGE, "%.*s: the answer is larger than %zu bytes", STR_ARG(t->host),
                       t->body_max);
    if (t->head_too_large)
        return err_set(err, ERR_UPSTREAM_TOO_LARGE, "%.*s: the answer's header fields are larger than %zu bytes",
                       STR_ARG(t->host), HEAD_MAX);
    if (code == CURLE_SSL_CACERT_BADFILE)
        return err_set(err, ERR_UPSTREAM_REFUSED,
                       "%.*s: \"%.*s\" can't be used as the file of certificate authorities: is it there, readable, "
                       "and does it hold certificates in PEM form?",
                       STR_ARG(t->host), STR_ARG(str_head(t->request->tls_ca, 200)));
    return err_set(err, code_of(code), "%.*s: failed while %s: %s", STR_ARG(str_head(t->host, 120)), step_name(t),
                   reason);
}

static int64_t cert_expires(CURL *curl) {
    struct curl_certinfo *chain = NULL;
    if (curl_easy_getinfo(curl, CURLINFO_CERTINFO, &chain) != CURLE_OK || !chain || chain->num_of_certs < 1) return 0;
    for (const struct curl_slist *line = chain->certinfo[0]; line; line = line->next) {
        struct str text = str_c(line->data), label = STR("Expire date:");
        if (!str_starts(text, label)) continue;
        time_t at = curl_getdate(line->data + label.n, NULL);
        return at > 0 ? (int64_t)at : 0;
    }
    return 0;
}

// Appends to the answer's text; what does not fit is left out.
static struct str text_put(struct fetch_answer *a, size_t *used, const char *text) {
    size_t n = text ? strlen(text) : 0;
    if (!n || n >= sizeof a->text - *used) return STR_NONE;
    char *at = a->text + *used;
    memcpy(at, text, n + 1);
    *used += n + 1;
    return str_of(at, n);
}

static void succeeded(struct transfer *t, struct fetch_answer *out) {
    long status = 0;
    char *type = NULL;
    size_t used = 0;
    (void)curl_easy_getinfo(t->curl, CURLINFO_RESPONSE_CODE, &status);
    (void)curl_easy_getinfo(t->curl, CURLINFO_CONTENT_TYPE, &type);
    *out = (struct fetch_answer){.status = (int)status,
                                 .body = t->body,
                                 .cert_expires_s = cert_expires(t->curl),
                                 .resolve_us = step_us(t, CURLINFO_NAMELOOKUP_TIME_T),
                                 .connect_us = step_us(t, CURLINFO_CONNECT_TIME_T),
                                 .tls_us = step_us(t, CURLINFO_APPCONNECT_TIME_T),
                                 .first_byte_us = step_us(t, CURLINFO_STARTTRANSFER_TIME_T),
                                 .total_us = step_us(t, CURLINFO_TOTAL_TIME_T)};
    time_t date = t->date[0] ? curl_getdate(t->date, NULL) : 0;
    out->date_s = date > 0 ? (int64_t)date : 0;
    out->date = text_put(out, &used, t->date);
    out->content_type = text_put(out, &used, type);
    out->cookie = text_put(out, &used, t->cookie);
    buf_init(&t->body, 0); // it is the caller's now
}

static bool perform(struct transfer *t, struct fetch_answer *out_answer, struct err *err) {
    if (!url_check(t, err) || !fields_set(t, err) || !options_set(t, err) || !method_set(t, err)) return false;
    CURLcode code = curl_easy_perform(t->curl);
    if (code != CURLE_OK) return failed(t, code, err);
    succeeded(t, out_answer);
    return true;
}

bool fetch(const struct fetch_request *request, struct fetch_answer *out_answer, struct err *err) {
    if (request->out_fault) *request->out_fault = FETCH_FAULT_OTHER;
    struct transfer t = {.request = request, .body_max = request->max_body ? request->max_body : BODY_DEFAULT};
    t.curl = curl_easy_init();
    if (!t.curl) return err_no_memory(err);
    buf_init(&t.body, t.body_max);
    bool ok = perform(&t, out_answer, err);
    curl_easy_cleanup(t.curl);
    for (struct curl_slist *f = t.fields; f; f = f->next) secret_wipe(f->data, strlen(f->data));
    curl_slist_free_all(t.fields);
    wiped_free(&t.body);
    buf_free(&t.url);
    buf_free(&t.ca);
    buf_free(&t.proxy);
    secret_wipe(t.cookie, sizeof t.cookie);
    return ok;
}

void fetch_answer_free(struct fetch_answer *answer) {
    wiped_free(&answer->body);
    secret_wipe(answer->text, sizeof answer->text);
    *answer = (struct fetch_answer){0};
}
