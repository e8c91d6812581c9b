// The API of projects.
#include "admin/api_impl.h"

// Elsewhere other grants hold, and what was denied is not: whoever moves a project must have all of it where it lies.
static bool prepare(struct api_call *call, struct entity_row *row, const struct entity_row *old, struct err *err) {
    int64_t from = old ? entity_at(&entity_project, (struct entity_row *)old, "team_id")->i : 0;
    if (!old || entity_at(&entity_project, row, "team_id")->i == from) return true;
    const struct policy_grant all = {.tenant = row->tenant_id,
                                     .deny = true,
                                     .role = STR("admin"),
                                     .scope = SCOPE_PROJECT,
                                     .scope_id = row->id,
                                     .scope_team = from};
    if (policy_may_lift(call->policy, &call->subject, &all, call->now, err)) return true;
    call->denied = true;
    return err_wrap(err, "to move a project to another team takes all rights in it");
}

// Keys of a project are of its team.
static bool written(struct api_call *call, struct entity_row *row, const struct entity_row *old, struct err *err) {
    int64_t team = entity_at(&entity_project, row, "team_id")->i;
    const int64_t both[] = {row->id, team}, one[] = {row->id};
    if (!old || row->v[entity_field_index(&entity_project, STR("team_id"))].given == false) return true;
    if (!team)
        return api_run(call, STR("UPDATE api_key SET team_id = NULL WHERE tenant_id = ?1 AND project_id = ?2"), one, 1,
                       err);
    return api_run(call, STR("UPDATE api_key SET team_id = ?3 WHERE tenant_id = ?1 AND project_id = ?2"), both, 2, err);
}

static bool removing(struct api_call *call, struct entity_row *row, bool *out_done, struct err *err) {
    (void)out_done;
    const int64_t values[] = {row->id, call->now};
    return api_run(call,
                   STR("UPDATE api_key SET project_id = NULL WHERE tenant_id = ?1 AND project_id = ?2 AND"
                       " revoked_at <> 0"),
                   values, 1, err) &&
           api_run(call,
                   STR("UPDATE access_grant SET revoked_at = ?3 WHERE tenant_id = ?1 AND scope_kind = 'project'"
                       " AND scope_id = ?2 AND revoked_at = 0"),
                   values, 2, err);
}

const struct api_kind api_kind_project = {.entity = &entity_project,
                                          .resource = RESOURCE_PROJECT,
                                          .prepare = prepare,
                                          .written = written,
                                          .removing = removing};

static const struct api_endpoint k_endpoints[] = {
    API_LIST("projects", PROJECT, api_kind_project, "projects"),
    API_CREATE("projects", PROJECT, api_kind_project, "a project"),
    API_GET("projects", PROJECT, api_kind_project, "a project"),
    API_CHANGE("projects", PROJECT, api_kind_project, "a project"),
    API_DELETE("projects", PROJECT, api_kind_project, "Deletes a project that has no keys in use"),
};
const struct api_table api_table_projects = {"Projects", k_endpoints, ARRAY_LEN(k_endpoints)};
