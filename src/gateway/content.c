// Copies an answer's beginning as it goes by, and hands it over with the request.
#include "gateway/content.h"

#include "gateway/flight.h"
#include "gateway/responses.h"
#include "govern/content_log.h"
#include "os/clock.h"

static const struct conf_content *rule_of(const struct call *call) {
    const struct conf *conf = call->runtime->conf;
    if (!call->gl->gateway->o.content || !conf->content_log.n || !call->at->provider) return NULL;
    return content_rule(conf, call->key ? call->key->tenant : STR(""));
}

void content_add(struct call *call, const struct str *parts, size_t count) {
    const struct conf_content *rule = rule_of(call);
    if (flight_is(call)) return; // those who wait for it have contents
    responses_add(call, parts, count);
    if (!call->coalesced) grade_add(call, parts, count); // once for all who wait for it
    if (!rule) return;
    call->content.max = (size_t)rule->max_bytes;
    for (size_t i = 0; i < count && !call->content.failed; i++)
        buf_put(&call->content, str_head(parts[i], call->content.max - call->content.n));
}

void content_end(struct call *call) {
    const struct conf_content *rule = rule_of(call);
    responses_end(call);
    grade_end(call);
    if (!rule) return;
    int64_t now = clock_unix_ns();
    struct content_entry e = {.tenant = call->key ? call->key->tenant_id : 1,
                              .key = call->key ? call->key->id : 0,
                              .at = call->ts,
                              .expires_at = now + rule->keep * (int64_t)NS_PER_MS,
                              .request_id = str_of(call->id_text, REQUEST_ID_TEXT_LEN),
                              .model = call->request.model,
                              .status = call->status,
                              .request = call->req->body,
                              .answer = buf_str(&call->content)};
    content_log_put(call->gl->gateway->o.content, rule, &e);
    buf_free(&call->content);
}
