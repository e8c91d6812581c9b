// Sends over streams (by libcurl, which also does TLS) and datagrams.
#include "net/outlet.h"

#include "base/buf.h"
#include "os/clock.h"
#include "os/tcp_info.h"

#include <curl/curl.h>

#define CONNECT_MS 5000L
#define SEND_NS (10 * NS_PER_SEC)

// "HOST:PORT", the host perhaps in brackets.
static bool host_port(struct str text, struct str *out_host, uint16_t *out_port) {
    size_t colon = text.n;
    while (colon && text.p[colon - 1] != ':') colon--;
    uint64_t port;
    if (colon < 2 || !str_to_u64(str_from(text, colon), &port) || !port || port > UINT16_MAX) return false;
    struct str host = str_head(text, colon - 1);
    if (host.n > 2 && host.p[0] == '[' && host.p[host.n - 1] == ']') host = str_of(host.p + 1, host.n - 2);
    *out_host = host;
    *out_port = (uint16_t)port;
    return true;
}

static bool open_stream(struct str address, bool tls, struct str tls_ca, struct outlet *o, struct err *err) {
    BUF_AUTO struct buf url = BUF_INIT(2048), ca = BUF_INIT(8192);
    char reason[CURL_ERROR_SIZE] = "";
    buf_put(&url, tls ? STR("https://") : STR("http://"));
    buf_put(&url, str_from(address, 6)); // both schemes are as long
    buf_put(&ca, tls_ca);
    const char *url_z = buf_cstr(&url), *ca_z = buf_cstr(&ca);
    CURL *curl = url_z && ca_z ? curl_easy_init() : NULL;
    if (!curl) return err_no_memory(err);
    curl_easy_setopt(curl, CURLOPT_URL, url_z);
    curl_easy_setopt(curl, CURLOPT_CONNECT_ONLY, 1L);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MS);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_SSL_ENABLE_ALPN, 0L);
    curl_easy_setopt(curl, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, reason);
    if (tls_ca.n) curl_easy_setopt(curl, CURLOPT_CAINFO, ca_z);
    CURLcode code = curl_easy_perform(curl);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, NULL);
    if (code != CURLE_OK) {
        curl_easy_cleanup(curl);
        return err_set(err, ERR_IO, "%.*s: %s", STR_ARG(address), reason[0] ? reason : curl_easy_strerror(code));
    }
    *o = (struct outlet){.curl = curl, .open = true};
    return true;
}

bool outlet_open(struct str address, struct str tls_ca, struct outlet *out_outlet, struct err *err) {
    struct outlet o = {0};
    struct str host;
    uint16_t port;
    bool ok;
    if (str_starts(address, STR("unix://"))) {
        ok = datagram_open_unix(str_from(address, 7), &o.datagram, err);
    } else if (!host_port(str_from(address, 6), &host, &port)) {
        return err_set(err, ERR_IO, "%.*s: a host and a port are needed", STR_ARG(str_head(address, 200)));
    } else if (str_starts(address, STR("udp://"))) {
        ok = datagram_open_udp(host, port, &o.datagram, err);
    } else {
        return open_stream(address, str_starts(address, STR("tls://")), tls_ca, out_outlet, err);
    }
    o.open = ok;
    if (ok) *out_outlet = o;
    return ok;
}

bool outlet_send(struct outlet *o, struct str bytes, const atomic_bool *stop, struct err *err) {
    if (!o->curl) return datagram_send(&o->datagram, bytes, err);
    uint64_t deadline = clock_mono_ns() + SEND_NS;
    while (bytes.n) {
        size_t n = 0;
        CURLcode code = curl_easy_send(o->curl, bytes.p, bytes.n, &n);
        if (code == CURLE_OK) {
            bytes = str_from(bytes, n);
            continue;
        }
        if (code != CURLE_AGAIN) return err_set(err, ERR_IO, "%s", curl_easy_strerror(code));
        if (clock_mono_ns() >= deadline || atomic_load(stop)) return err_set(err, ERR_IO, "it does not take more");
        clock_pause_ns(2 * NS_PER_MS);
    }
    return true;
}

bool outlet_alive(struct outlet *o) {
    char ignored[512];
    if (!o->open || !o->curl) return o->open;
    for (;;) {
        size_t n = 0;
        CURLcode code = curl_easy_recv(o->curl, ignored, sizeof ignored, &n);
        if (code == CURLE_AGAIN) return true;
        if (code != CURLE_OK || n == 0) return false;
    }
}

int64_t outlet_unsent(struct outlet *o) {
    curl_socket_t fd = CURL_SOCKET_BAD;
    if (!o->curl || curl_easy_getinfo(o->curl, CURLINFO_ACTIVESOCKET, &fd) != CURLE_OK || fd == CURL_SOCKET_BAD)
        return 0;
    return tcp_info_unsent((int)fd);
}

void outlet_close(struct outlet *o) {
    if (o->curl) curl_easy_cleanup(o->curl);
    datagram_close(&o->datagram);
    *o = (struct outlet){0};
}
