// The API of teams and their members.
#include "admin/api_impl.h"

#include "base/json_write.h"

static bool removing(struct api_call *call, struct entity_row *row, bool *out_done, struct err *err) {
    const struct principal team = {PRINCIPAL_TEAM, row->id};
    (void)out_done;
    // With the team goes what it is denied.
    if (!api_policy_with(call, &team, 1, err)) return false;
    if (!policy_may_become(call->policy, &call->subject, team, row->tenant_id, NULL, call->now, err)) {
        call->denied = true;
        return false;
    }
    // Keys that were revoked stay for the usage they had; they no longer hold the team.
    const int64_t values[] = {row->id};
    return api_forget_principal(call, team, err) &&
           api_run(call,
                   STR("UPDATE api_key SET team_id = NULL WHERE tenant_id = ?1 AND team_id = ?2 AND"
                       " revoked_at <> 0"),
                   values, 1, err);
}

const struct api_kind api_kind_team = {.entity = &entity_team, .resource = RESOURCE_TEAM, .removing = removing};

// --- members ---

static const struct api_kind *const k_member_kinds[] = {&api_kind_user, &api_kind_service_account};

static void put_member(struct json_writer *w, const struct api_kind *kind, struct sql_stmt *st) {
    char id[ENTITY_ID_TEXT_MAX], at[TIME_TEXT_LEN];
    json_put_object(w);
    json_put_member_str(w, STR("principal"), entity_id_text(kind->entity, sql_col_i64(st, 0), id));
    json_put_member_str(w, STR("kind"), kind->entity->name);
    json_put_member_str(w, STR("name"), sql_col_text(st, 1));
    time_text(at, sql_col_i64(st, 2));
    json_put_member_str(w, STR("created_at"), str_of(at, sizeof at));
    json_put_object_end(w);
}

static bool put_members(struct api_call *call, const struct api_kind *kind, int64_t team, struct json_writer *w,
                        uint64_t *io_total, struct err *err) {
    struct sql_stmt *st;
    struct str text = kind == &api_kind_user
                          ? STR("SELECT u.id, u.email, m.created_at FROM team_member m JOIN app_user u ON u.id ="
                                " m.principal_id AND u.tenant_id = m.tenant_id WHERE m.tenant_id = ?1 AND m.team_id ="
                                " ?2 AND m.principal_kind = 'user' ORDER BY u.id")
                          : STR("SELECT s.id, s.name, m.created_at FROM team_member m JOIN service_account s ON s.id ="
                                " m.principal_id AND s.tenant_id = m.tenant_id WHERE m.tenant_id = ?1 AND m.team_id ="
                                " ?2 AND m.principal_kind = 'service_account' ORDER BY s.id");
    if (!sql_prepare(call->scope, text, &st, err)) return false;
    sql_bind_i64(st, 2, team);
    for (bool row;;) {
        if (!sql_step(st, &row, err)) return false;
        if (!row) return true;
        put_member(w, kind, st);
        ++*io_total;
    }
}

static bool list_members(struct api_call *call, struct err *err) {
    struct entity_row *team = ARENA_NEW(call->arena, struct entity_row);
    struct json_writer w;
    uint64_t total = 0;
    if (!team) return err_no_memory(err);
    if (!api_find(call, &api_kind_team, ACTION_READ, team, err)) return false;
    api_answer(call, &w);
    json_put_object(&w);
    json_put_member_array(&w, STR("data"));
    for (size_t i = 0; i < ARRAY_LEN(k_member_kinds); i++)
        if (!put_members(call, k_member_kinds[i], team->id, &w, &total, err)) return false;
    api_put_page_end(&w, false, STR_NONE, total);
    return true;
}

// The path's second part: an id, or "user/NAME" with the slash encoded, or an e-mail address.
static bool find_member(struct api_call *call, struct principal *out, struct err *err) {
    struct entity_row *row = ARENA_NEW(call->arena, struct entity_row);
    struct str what = call->params[1];
    if (!row) return err_no_memory(err);
    for (size_t i = 0; i < ARRAY_LEN(k_member_kinds); i++) {
        const struct entity *e = k_member_kinds[i]->entity;
        size_t slash = str_find_char(what, '/');
        bool named = slash < what.n;
        if (named && !str_eq(str_head(what, slash), e->name)) continue;
        if (entity_resolve(call->scope, e, named ? str_from(what, slash + 1) : what, call->arena, row, err)) {
            principal_kind_parse(e->name, &out->kind);
            out->id = row->id;
            return true;
        }
        if (err->code != ERR_NOT_FOUND) return false;
    }
    return err_set(err, ERR_NOT_FOUND, "there is no such user or service account");
}

static bool find_both(struct api_call *call, struct entity_row **out_team, struct principal *out_member,
                      struct err *err) {
    struct entity_row *team = *out_team = ARENA_NEW(call->arena, struct entity_row);
    char id[ENTITY_ID_TEXT_MAX];
    if (!team) return err_no_memory(err);
    if (!api_find(call, &api_kind_team, ACTION_UPDATE, team, err) || !find_member(call, out_member, err)) return false;
    // What the team may do goes to whoever joins it, and leaves with whoever leaves.
    struct principal about[] = {{PRINCIPAL_TEAM, team->id}, *out_member};
    if (!api_policy_with(call, about, 2, err)) return false;
    if (!policy_may_become(call->policy, &call->subject, about[0], call->who.tenant, NULL, call->now, err)) {
        call->denied = true;
        return false;
    }
    call->event.after =
        arena_printf(call->arena, "{\"member\":\"%.*s\"}", STR_ARG(api_principal_text(*out_member, id)));
    return call->event.after.n || err_no_memory(err);
}

static bool bind_member(struct api_call *call, struct str text, const struct entity_row *team, struct principal member,
                        struct sql_stmt **out_st, struct err *err) {
    if (!sql_prepare(call->scope, text, out_st, err)) return false;
    sql_bind_i64(*out_st, 2, team->id);
    sql_bind_text(*out_st, 3, principal_kind_name(member.kind));
    sql_bind_i64(*out_st, 4, member.id);
    return true;
}

static bool add_member(struct api_call *call, struct err *err) {
    struct entity_row *team;
    struct principal member;
    struct sql_stmt *st;
    if (!find_both(call, &team, &member, err)) return false;
    if (!bind_member(call,
                     STR("INSERT INTO team_member (tenant_id, team_id, principal_kind, principal_id, created_at)"
                         " VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO NOTHING"),
                     team, member, &st, err))
        return false;
    sql_bind_i64(st, 5, call->now);
    call->reply->status = 204;
    return sql_run(st, err);
}

static bool remove_member(struct api_call *call, struct err *err) {
    struct entity_row *team;
    struct principal member;
    struct sql_stmt *st;
    bool row;
    if (!find_both(call, &team, &member, err)) return false;
    call->event.before = call->event.after;
    call->event.after = STR_NONE;
    if (!bind_member(call,
                     STR("DELETE FROM team_member WHERE tenant_id = ?1 AND team_id = ?2 AND principal_kind = ?3 AND"
                         " principal_id = ?4 RETURNING principal_id"),
                     team, member, &st, err) ||
        !sql_step(st, &row, err))
        return false;
    if (!row) return err_set(err, ERR_NOT_FOUND, "that is no member of the team");
    call->reply->status = 204;
    return sql_run(st, err);
}

static const char k_members_answer[] =
    "{\"type\":\"object\",\"properties\":{\"data\":{\"type\":\"array\",\"items\":{\"type\":\"object\",\"properties\":"
    "{\"principal\":{\"type\":\"string\"},\"kind\":{\"type\":\"string\"},\"name\":{\"type\":\"string\"},"
    "\"created_at\":{\"type\":\"string\",\"format\":\"date-time\"}}}},\"next_cursor\":{\"type\":\"null\"},"
    "\"total\":{\"type\":\"integer\"}}}";

static const struct api_endpoint k_endpoints[] = {
    API_LIST("teams", TEAM, api_kind_team, "teams"),
    API_CREATE("teams", TEAM, api_kind_team, "a team"),
    API_GET("teams", TEAM, api_kind_team, "a team"),
    API_CHANGE("teams", TEAM, api_kind_team, "a team"),
    API_DELETE("teams", TEAM, api_kind_team, "Deletes a team; what was granted to it ends"),
    {.method = HTTP_GET,
     .path = STR_INIT("/api/v1/teams/:id/members"),
     .resource = RESOURCE_TEAM,
     .action = ACTION_READ,
     .flags = API_ROW,
     .kind = &api_kind_team,
     .handle = list_members,
     .answer = k_members_answer,
     .summary = "Lists a team's members"},
    {.method = HTTP_PUT,
     .path = STR_INIT("/api/v1/teams/:id/members/:principal"),
     .resource = RESOURCE_TEAM,
     .action = ACTION_UPDATE,
     .flags = API_CHANGES | API_ROW,
     .kind = &api_kind_team,
     .handle = add_member,
     .summary = "Takes a user or service account into a team",
     .audit = "team.member_add"},
    {.method = HTTP_DELETE,
     .path = STR_INIT("/api/v1/teams/:id/members/:principal"),
     .resource = RESOURCE_TEAM,
     .action = ACTION_UPDATE,
     .flags = API_CHANGES | API_ROW,
     .kind = &api_kind_team,
     .handle = remove_member,
     .summary = "Takes a member out of a team",
     .audit = "team.member_remove"},
};
const struct api_table api_table_teams = {"Teams", k_endpoints, ARRAY_LEN(k_endpoints)};
