// Commands on the rows of entities, shared by those on one entity only.
//
// Thread rule: the main thread. Errors: printed; the exit code is returned.
#ifndef CLI_RESOURCE_H
#define CLI_RESOURCE_H

#include "cli/api_client.h"

enum resource_verb { RESOURCE_LIST, RESOURCE_SHOW, RESOURCE_NEW, RESOURCE_CHANGE, RESOURCE_REMOVE };
// What a command of cmd_resource is about; NULL when its first word is no entity's name.
const struct entity *resource_entity(const struct cli_command *command);
// The whole command: operands are NAME where one row is meant, then FIELD=VALUE.
int resource_run(const struct cli_args *args, const struct entity *e, enum resource_verb verb);

// "/api/v1/teams/NAME/ACTION"; row and action may be NULL.
struct str resource_path(struct arena *a, const struct entity *e, const char *row, const char *action);
// The row a word means: itself, for the API knows ids and names; for a key, also its prefix or a name that is not
// unique.
int resource_row(struct cli_api *api, struct arena *a, const struct entity *e, const char *word, const char **out_row);
// FIELD=VALUE operands from `first` on as a JSON object; e NULL: all are texts.
int resource_body(const struct cli_args *args, const struct entity *e, size_t first, struct buf *out);
int resource_list(struct cli_api *api, const struct entity *e, struct str path, size_t first);
// Sends, prints what comes back, then `done` on standard error (may be NULL).
int resource_send(struct cli_api *api, enum http_method method, struct str path, struct str body, const char *done);
// DELETE of the tenant at this path, with --confirm and reason=TEXT: prints the proof (cmd_tenant.c).
int tenant_remove(struct cli_api *api, struct str path);
// Keys by the API: of a server, of a tenant, with more fields than there are options (cmd_key_api.c).
bool key_by_api(const struct cli_args *args, bool of_tenant);
int key_create_by_api(const struct cli_args *args);
int key_list_by_api(const struct cli_args *args);
int key_revoke_by_api(const struct cli_args *args);
// One row: a line a field for people, as it is for --json. resource_show tells what ids mean.
int resource_print(const struct cli_args *args, struct str row);
int resource_show(struct cli_api *api, struct str row);

#endif
