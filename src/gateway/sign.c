// What each request to a provider needs for itself: a signature, or a token that was fetched.
#include "gateway/sign.h"

#include "gateway/credential.h"
#include "model/sigv4.h"
#include "os/clock.h"

static bool add_token(struct call *call, struct http_request *r, struct http_field *fields, struct err *err) {
    struct str bearer =
        credential_bearer(call->at->provider->credential, &call->req->arena, &call->at->credential_serial);
    if (!bearer.n) return err_no_memory(err);
    fields[r->field_count++] = (struct http_field){STR("authorization"), bearer};
    return true;
}

bool sign_request(struct call *call, struct http_request *r, struct http_field *fields, struct err *err) {
    const struct conf_provider *p = call->at->provider->conf;
    struct arena *arena = &call->req->arena;
    char date[SIGV4_DATE_LEN];
    BUF_AUTO struct buf authorization = BUF_INIT(4096);
    struct credential *fetched = call->at->provider->credential;
    if (fetched && p->kind != PROVIDER_BEDROCK) return add_token(call, r, fields, err);
    if (p->kind != PROVIDER_BEDROCK || (!fetched && !p->access_key_id.n)) return true;
    const struct sigv4_field signed_fields[] = {
        {STR("host"), r->authority},
        {STR("content-type"), http_field_get(r->fields, r->field_count, STR("content-type"))}};
    struct sigv4_key key = {p->access_key_id, secret_str(&p->api_key), secret_str(&p->session_token)};
    if (fetched && !credential_key(fetched, arena, &key, &call->at->credential_serial)) return err_no_memory(err);
    size_t query = str_find_char(r->target, '?');
    const struct sigv4_request sig = {.method = r->method,
                                      .path = str_head(r->target, query),
                                      .query = str_from(r->target, query + 1),
                                      .fields = signed_fields,
                                      .field_count = ARRAY_LEN(signed_fields),
                                      .body = r->body,
                                      .body_count = r->body_count,
                                      .region = p->region,
                                      .service = STR("bedrock"),
                                      .now = clock_unix_ns() / (int64_t)NS_PER_SEC};
    if (!sigv4_sign(&sig, &key, date, &authorization, err)) return false;
    struct str when = arena_str(arena, str_of(date, sizeof date)), value = arena_str(arena, buf_str(&authorization));
    if (!when.p || !value.p) return err_no_memory(err);
    fields[r->field_count++] = (struct http_field){STR("x-amz-date"), when};
    fields[r->field_count++] = (struct http_field){STR("authorization"), value};
    if (key.session_token.n)
        fields[r->field_count++] = (struct http_field){STR("x-amz-security-token"), key.session_token};
    return true;
}
