// The API of kept contents: what a request said and was answered, for those who may read it; each look is an event.
#include "admin/api_impl.h"

#include "base/text.h"
#include "base/utf8.h"
#include "govern/content_log.h"

static void put_text(struct json_writer *w, const char *name, struct str text) {
    json_put_member_str(w, str_c(name), str_head(text, utf8_valid_prefix(text)));
}

static bool put_entry(void *arg, const struct content_entry *e, struct err *err UNUSED) {
    struct api_call *call = arg;
    struct json_writer w;
    char time[TIME_TEXT_LEN], key[KEY_ID_TEXT_LEN];
    api_answer(call, &w);
    json_put_object(&w);
    json_put_member_str(&w, STR("request_id"), e->request_id);
    time_text(time, e->at);
    json_put_member_str(&w, STR("time"), str_of(time, sizeof time));
    time_text(time, e->expires_at);
    json_put_member_str(&w, STR("expires_at"), str_of(time, sizeof time));
    key_id_text(key, e->key);
    json_put_member_str(&w, STR("key_id"), e->key ? str_of(key, sizeof key) : STR(""));
    json_put_member_str(&w, STR("model"), e->model);
    json_put_member_i64(&w, STR("status"), e->status);
    put_text(&w, "request", e->request);
    put_text(&w, "answer", e->answer);
    json_put_object_end(&w);
    return true;
}

// The event is on the disk before the content is shown.
static bool tell(struct api_call *call, struct err *err) {
    if (!sql_begin(call->db, err)) return false;
    if (api_event_append(call, AUDIT_OK, STR_NONE, err)) return sql_commit(call->db, err);
    sql_rollback(call->db);
    return false;
}

static bool get(struct api_call *call, struct err *err) {
    return content_read(sql_tenant(call->db, call->who.tenant), call->api->dir, call->params[0], call->now, put_entry,
                        call, err) &&
           tell(call, err);
}

static bool delete (struct api_call *call, struct err *err) {
    int64_t n;
    if (!content_delete(sql_tenant(call->db, call->who.tenant), call->params[0], &n, err)) return false;
    call->reply->status = 204;
    return n || err_set(err, ERR_NOT_FOUND, "nothing is kept of this request");
}

static const struct api_endpoint k_endpoints[] = {
    {.method = HTTP_GET,
     .path = STR_INIT("/api/v1/content/:request_id"),
     .resource = RESOURCE_CONTENT,
     .action = ACTION_READ,
     .flags = API_TELLS,
     .handle = get,
     .query = "",
     .answer =
         "{\"type\":\"object\",\"properties\":{\"request\":{\"type\":\"string\"},\"answer\":{\"type\":\"string\"}}}",
     .summary = "Shows what a request said and was answered, masked, where that is kept"},
    {.method = HTTP_DELETE,
     .path = STR_INIT("/api/v1/content/:request_id"),
     .resource = RESOURCE_CONTENT,
     .action = ACTION_DELETE,
     .flags = API_CHANGES,
     .handle = delete,
     .query = "",
     .summary = "Deletes what is kept of a request"},
};
const struct api_table api_table_content = {"Contents", k_endpoints, ARRAY_LEN(k_endpoints)};
