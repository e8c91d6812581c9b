// Looks for OpenAI-compatible model servers on this machine, at the ports where they usually listen.
#include "net/http1_parse.h"
#include "server/server_internal.h"

#define LOOK_TIMEOUT_MS 300

struct search {
    struct loop *loop;
    size_t pending;
};

struct probe {
    struct search *search;
    const struct provider_preset *preset;
    struct http_origin origin;
    struct http_exchange *x;
    bool found;
};

static void probe_done(struct probe *probe, bool found) {
    probe->found = found;
    probe->x = NULL;
    if (--probe->search->pending == 0) loop_stop(probe->search->loop);
}

// Any server answers something; a model list says that it is one.
static void on_head(struct http_exchange *x, const struct http1_head *head) {
    struct probe *probe = http_exchange_user(x);
    struct str type = http_field_get(head->fields, head->field_count, STR("content-type"));
    bool found = head->status == 200 && str_find(type, STR("json")) < type.n;
    http_exchange_cancel(x);
    probe_done(probe, found);
}

static void on_data(struct http_exchange *x, struct str data, bool last) {
    (void)data; // on_head has ended the exchange
    (void)last;
    (void)x;
}

static void on_error(struct http_exchange *x, const struct err *err) {
    (void)err; // nobody there
    probe_done(http_exchange_user(x), false);
}

static void probe_start(struct probe *probe, struct http_client *client) {
    static const struct http_exchange_ops ops = {.on_head = on_head, .on_data = on_data, .on_error = on_error};
    struct http_request request = {.method = STR("GET"), .target = STR("/v1/models"), .authority = STR("127.0.0.1")};
    struct err err;
    probe->origin = (struct http_origin){.name = probe->preset->name,
                                         .host = STR("127.0.0.1"),
                                         .port = probe->preset->local_port,
                                         .connect_ms = LOOK_TIMEOUT_MS,
                                         .first_byte_ms = LOOK_TIMEOUT_MS,
                                         .total_ms = LOOK_TIMEOUT_MS};
    if (http_client_send(client, &probe->origin, &request, &ops, probe, &probe->x, &err)) probe->search->pending++;
}

size_t locals_find(uint16_t own_port, struct arena *arena, struct conf_local out[LOCALS_MAX]) {
    struct search search = {0};
    struct probe probes[PROVIDER_KIND_COUNT] = {0};
    struct http_client *client;
    struct err err;
    size_t n = 0;
    if (!loop_create(0, &search.loop, &err)) return 0;
    if (!http_client_create(search.loop, 16 * 1024, &client, &err)) {
        loop_free(search.loop);
        return 0;
    }
    for (unsigned k = 0; k < PROVIDER_KIND_COUNT; k++) {
        probes[k] = (struct probe){.search = &search, .preset = provider_preset_get((enum provider_kind)k)};
        uint16_t port = probes[k].preset->local_port;
        if (port && port != own_port) probe_start(&probes[k], client);
    }
    if (search.pending) loop_run(search.loop);
    for (unsigned k = 0; k < PROVIDER_KIND_COUNT; k++) {
        http_client_forget(client, &probes[k].origin);
        if (!probes[k].found || n == LOCALS_MAX) continue;
        struct str url = arena_printf(arena, "http://127.0.0.1:%u/v1", probes[k].preset->local_port);
        if (url.p) out[n++] = (struct conf_local){.kind = (enum provider_kind)k, .base_url = url};
    }
    loop_drain_handles(search.loop);
    http_client_free(client);
    loop_free(search.loop);
    return n;
}
