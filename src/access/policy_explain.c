// Explains a decision: the chain of grants that made it, and why the others did not.
#include "access/policy_impl.h"

#include "base/text.h"

#define CONSIDERED_MAX 200 // grants shown of those that were looked at

static const struct str k_why[WHY_COUNT] = {
    [WHY_APPLIES] = STR_INIT("it applies"),
    [WHY_REVOKED] = STR_INIT("it was revoked"),
    [WHY_NOT_YET] = STR_INIT("its time has not come"),
    [WHY_EXPIRED] = STR_INIT("its time is over"),
    [WHY_OTHER_PERMISSION] = STR_INIT("its permissions do not hold this one"),
    [WHY_OTHER_SCOPE] = STR_INIT("the resource lies outside of its scope"),
    [WHY_OTHER_RESOURCE] = STR_INIT("it means other resources"),
    [WHY_CONDITION] = STR_INIT("the resource's tags do not meet its condition"),
    [WHY_IDLE] = STR_INIT("the tenant it is of is suspended"),
    [WHY_PARENT_GONE] = STR_INIT("the grant it was delegated from is gone, over or revoked"),
    [WHY_PARENT_NARROWER] = STR_INIT("the grant it was delegated from does not reach this far"),
    [WHY_GIVER_LOST] = STR_INIT("who delegated it no longer holds what it came from"),
    [WHY_GIVER_DENIED] = STR_INIT("who delegated it is denied this"),
    [WHY_TENANT_DENIES] = STR_INIT("the tenant denies it to everybody"),
};

static const char *const k_because[POLICY_REASON_COUNT] = {
    [POLICY_OPERATOR] = "operators may do everything",
    [POLICY_GRANTED] = "a grant allows it",
    [POLICY_DENIED] = "a grant denies it, and a deny goes before every allow",
    [POLICY_NO_GRANT] = "no grant allows it",
    [POLICY_BEYOND_SCOPES] = "the scopes of the key or token leave it out",
    [POLICY_BY_SCOPES] = "the scopes of the key allow it, which has no owner whose rights would bound them",
    [POLICY_SUSPENDED] = "the caller or its tenant is suspended",
};

static void put_id(struct json_writer *w, const char *key, const char *prefix, int64_t id) {
    char text[16 + BASE32_U64_LEN];
    size_t n = strlen(prefix);
    memcpy(text, prefix, n);
    base32_u64(text + n, (uint64_t)id);
    json_put_member_str(w, str_c(key), str_of(text, n + BASE32_U64_LEN));
}

static void put_principal(struct json_writer *w, const char *key, struct principal p) {
    static const char *const prefixes[PRINCIPAL_KIND_COUNT] = {[PRINCIPAL_USER] = "user_",
                                                               [PRINCIPAL_SERVICE_ACCOUNT] = "sa_",
                                                               [PRINCIPAL_KEY] = "key_",
                                                               [PRINCIPAL_TEAM] = "team_",
                                                               [PRINCIPAL_TENANT] = "tenant_"};
    json_put_member_object(w, str_c(key));
    json_put_member_str(w, STR("kind"), principal_kind_name(p.kind));
    if (prefixes[p.kind]) put_id(w, "id", prefixes[p.kind], p.id);
    json_put_object_end(w);
}

static void put_when(struct json_writer *w, const char *key, int64_t ns) {
    char text[TIME_TEXT_LEN];
    if (!ns) return;
    time_text(text, ns);
    json_put_member_str(w, str_c(key), str_of(text, sizeof text));
}

static void put_text(struct json_writer *w, const char *key, struct str text) {
    if (text.n) json_put_member_str(w, str_c(key), text);
}

static void put_grant(struct json_writer *w, const struct policy *p, uint32_t at) {
    const struct policy_grant *t = &p->told.p[at];
    const struct grant *g = &p->grants[at];
    json_put_object(w);
    put_id(w, "id", "grant_", t->id);
    json_put_member_str(w, STR("effect"), t->deny ? STR("deny") : STR("allow"));
    put_principal(w, "principal", t->principal);
    put_text(w, "role", t->role);
    if (!t->role.n) {
        json_put_key(w, STR("permissions"));
        permission_put_json(w, g->permissions);
    }
    json_put_member_str(w, STR("scope"), scope_kind_name(t->scope));
    if (t->scope == SCOPE_TENANT) put_id(w, "scope_id", "tenant_", g->reach.scope_id);
    if (t->scope == SCOPE_TEAM) put_id(w, "scope_id", "team_", g->reach.scope_id);
    if (t->scope == SCOPE_PROJECT) put_id(w, "scope_id", "proj_", g->reach.scope_id);
    put_text(w, "resource", t->resource);
    put_text(w, "condition", t->condition);
    put_when(w, "not_before", t->not_before);
    put_when(w, "expires_at", t->expires_at);
    put_when(w, "revoked_at", t->revoked_at);
    if (t->granted_by.kind != PRINCIPAL_NOBODY) put_principal(w, "granted_by", t->granted_by);
    if (t->parent) put_id(w, "parent", "grant_", t->parent);
    if (t->elevation) put_id(w, "elevation", "elev_", t->elevation);
    json_put_object_end(w);
}

static void put_chain(struct json_writer *w, const struct policy *p, const struct policy_grant *grant) {
    json_put_member_array(w, STR("chain"));
    uint32_t at = grant ? (uint32_t)(grant - p->told.p) : NO_GRANT;
    for (unsigned i = 0; at != NO_GRANT && i <= POLICY_CHAIN_MAX; i++) {
        put_grant(w, p, at);
        at = p->grants[at].parent;
    }
    json_put_array_end(w);
}

// Every grant of the subject's principals, whether it says something on this or not.
static void put_considered(struct json_writer *w, struct query *q, const struct policy_subject *subject) {
    const struct policy *p = q->policy;
    const struct policy_slot *slot;
    size_t shown = 0, left_out = 0;
    json_put_member_array(w, STR("considered"));
    for (uint32_t i = 0; (slot = subject_slot(p, subject, &i));) {
        for (uint32_t k = 0; k < slot->n_grants; k++) {
            uint32_t at = p->by_holder[slot->grants + k];
            if (shown == CONSIDERED_MAX) {
                left_out++;
                continue;
            }
            enum why why = grant_applies(q, at, subject->tenant);
            json_put_object(w);
            json_put_key(w, STR("grant"));
            put_grant(w, p, at);
            json_put_member_bool(w, STR("applies"), why == WHY_APPLIES);
            if (why != WHY_APPLIES) json_put_member_str(w, STR("why_not"), k_why[why]);
            json_put_object_end(w);
            shown++;
        }
    }
    json_put_array_end(w);
    json_put_member_u64(w, STR("left_out"), left_out);
}

static void put_resource(struct json_writer *w, const struct policy_resource *r) {
    json_put_member_object(w, STR("resource"));
    json_put_member_str(w, STR("type"), resource_type_name(r->type));
    put_text(w, "id", r->id);
    put_text(w, "name", r->name);
    if (r->tenant) put_id(w, "tenant", "tenant_", r->tenant);
    if (r->team) put_id(w, "team", "team_", r->team);
    if (r->project) put_id(w, "project", "proj_", r->project);
    put_text(w, "tags", r->tags);
    json_put_object_end(w);
}

bool policy_explain(const struct policy *policy, const struct policy_subject *subject, enum action action,
                    const struct policy_resource *resource, int64_t now_ns, struct buf *out_json) {
    struct query q = {.policy = policy, .action = action, .resource = resource, .now = now_ns};
    struct policy_decision d;
    struct json_writer w;
    char text[PERMISSION_TEXT_MAX];
    policy_decide(policy, subject, action, resource, now_ns, &d);
    json_writer_init(&w, out_json);
    json_put_object(&w);
    json_put_member_bool(&w, STR("allowed"), d.allowed);
    json_put_member_str(&w, STR("reason"), policy_reason_text(d.reason));
    json_put_member_str(&w, STR("because"), str_c(k_because[d.reason]));
    put_principal(&w, "principal", subject->principal);
    json_put_member_str(&w, STR("permission"), permission_text(resource->type, action, text));
    put_resource(&w, resource);
    json_put_key(&w, STR("grant"));
    if (d.grant)
        put_grant(&w, policy, (uint32_t)(d.grant - policy->told.p));
    else
        json_put_null(&w);
    put_chain(&w, policy, d.grant);
    put_considered(&w, &q, subject);
    json_put_object_end(&w);
    json_writer_done(&w);
    return d.allowed;
}
