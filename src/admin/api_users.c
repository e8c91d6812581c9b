// The API of users, and of service accounts, who are treated alike.
#include "admin/api_impl.h"

static bool lower(struct api_call *call, struct str *text, struct err *err) {
    char *p = arena_alloc(call->arena, text->n + 1);
    if (!p) return err_no_memory(err);
    for (size_t i = 0; i < text->n; i++) {
        char c = text->p[i];
        p[i] = c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
    }
    text->p = p;
    return true;
}

// Whoever changes where a person's mail goes, keeps one out, lets one in again or removes one must have what that one
// has: else the lesser could be rid of the greater.
static bool must_match(struct api_call *call, const struct entity_row *row, struct err *err) {
    struct principal other = {PRINCIPAL_USER, row->id};
    if (!api_policy_with(call, &other, 1, err)) return false;
    if (policy_may_become(call->policy, &call->subject, other, row->tenant_id, NULL, call->now, err)) return true;
    call->denied = true;
    return false;
}

static bool prepare_user(struct api_call *call, struct entity_row *row, const struct entity_row *old, struct err *err) {
    struct entity_value *email = entity_at(&entity_user, row, "email");
    if (!lower(call, &email->s, err)) return false;
    if (!old || (!email->given && !entity_at(&entity_user, row, "status")->given)) return true;
    return must_match(call, row, err);
}

static bool remove_principal(struct api_call *call, struct entity_row *row, enum principal_kind kind, struct err *err) {
    struct principal other = {kind, row->id};
    return api_forget_principal(call, other, err);
}

static bool removing_user(struct api_call *call, struct entity_row *row, bool *out_done, struct err *err) {
    const int64_t values[] = {row->id};
    (void)out_done;
    return must_match(call, row, err) && remove_principal(call, row, PRINCIPAL_USER, err) &&
           api_run(call, STR("DELETE FROM elevation WHERE tenant_id = ?1 AND user_id = ?2"), values, 1, err);
}

static bool removing_account(struct api_call *call, struct entity_row *row, bool *out_done, struct err *err) {
    (void)out_done;
    return remove_principal(call, row, PRINCIPAL_SERVICE_ACCOUNT, err);
}

const struct api_kind api_kind_user = {
    .entity = &entity_user, .resource = RESOURCE_USER, .prepare = prepare_user, .removing = removing_user};
const struct api_kind api_kind_service_account = {
    .entity = &entity_service_account, .resource = RESOURCE_SERVICE_ACCOUNT, .removing = removing_account};

static const struct api_endpoint k_users[] = {
    API_LIST("users", USER, api_kind_user, "users"),
    API_CREATE("users", USER, api_kind_user, "a user, who has no password yet"),
    API_GET("users", USER, api_kind_user, "a user"),
    API_CHANGE("users", USER, api_kind_user, "a user"),
    API_DELETE("users", USER, api_kind_user, "Deletes a user; their keys, grants and sessions end"),
};
static const struct api_endpoint k_accounts[] = {
    API_LIST("service_accounts", SERVICE_ACCOUNT, api_kind_service_account, "service accounts"),
    API_CREATE("service_accounts", SERVICE_ACCOUNT, api_kind_service_account, "a service account"),
    API_GET("service_accounts", SERVICE_ACCOUNT, api_kind_service_account, "a service account"),
    API_CHANGE("service_accounts", SERVICE_ACCOUNT, api_kind_service_account, "a service account"),
    API_DELETE("service_accounts", SERVICE_ACCOUNT, api_kind_service_account,
               "Deletes a service account; its keys and grants end"),
};
const struct api_table api_table_users = {"Users", k_users, ARRAY_LEN(k_users)};
const struct api_table api_table_service_accounts = {"Service accounts", k_accounts, ARRAY_LEN(k_accounts)};
