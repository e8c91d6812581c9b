// Shared by the commands on the audit trail.
#ifndef CLI_AUDIT_COMMAND_H
#define CLI_AUDIT_COMMAND_H

#include "base/text.h"
#include "cli/commands.h"
#include "govern/audit_export.h"
#include "store/tenant.h"

// The data directory, and the tenant that --tenant names; CLI_OK, or the exit code after it was said why.
int audit_command_open(const struct cli_args *args, struct cli_data *out_data, int64_t *out_tenant);
// Appends an event of the person at the command line: to the open transaction, or in one of its own.
NODISCARD bool audit_command_tell(struct cli_data *data, int64_t tenant, struct audit_event *event, struct err *err);

// The same of a server.
int audit_list_by_api(const struct cli_args *args, const struct audit_query *q);
int audit_export_by_api(const struct cli_args *args, const struct audit_query *q);
int audit_verify_by_api(const struct cli_args *args, int64_t since);

#define AUDIT_COLUMNS 8
extern const struct cli_column AUDIT_TABLE[AUDIT_COLUMNS];

#endif
