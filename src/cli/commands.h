// The commands, one function each: run with parsed arguments, return the exit code.
#ifndef CLI_COMMANDS_H
#define CLI_COMMANDS_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/json_write.h"
#include "cli/cli.h"
#include "store/datadir.h"

int cmd_key_create(const struct cli_args *args);
int cmd_key_list(const struct cli_args *args);
int cmd_key_revoke(const struct cli_args *args);
int cmd_usage(const struct cli_args *args);
int cmd_chat(const struct cli_args *args);
int cmd_models(const struct cli_args *args);
int cmd_targets(const struct cli_args *args);
int cmd_quality(const struct cli_args *args);
int cmd_estimate(const struct cli_args *args);
int cmd_route_explain(const struct cli_args *args);
int cmd_tokens(const struct cli_args *args);
int cmd_batch_run(const struct cli_args *args);
int cmd_batch_list(const struct cli_args *args);
int cmd_batch_show(const struct cli_args *args);
int cmd_batch_cancel(const struct cli_args *args);
int cmd_bench_models(const struct cli_args *args);
int cmd_file_list(const struct cli_args *args);
int cmd_file_put(const struct cli_args *args);
int cmd_file_get(const struct cli_args *args);
int cmd_file_delete(const struct cli_args *args);
int cmd_config_init(const struct cli_args *args);
int cmd_config_validate(const struct cli_args *args);
int cmd_config_show(const struct cli_args *args);
int cmd_config_trace(const struct cli_args *args);
int cmd_config_test(const struct cli_args *args);
int cmd_config_diff(const struct cli_args *args);
int cmd_config_schema(const struct cli_args *args);
int cmd_config_docs(const struct cli_args *args);
int cmd_config_explain(const struct cli_args *args);
int cmd_config_migrate(const struct cli_args *args);
int cmd_config_import(const struct cli_args *args);
int cmd_config_set(const struct cli_args *args);
int cmd_config_unset(const struct cli_args *args);
int cmd_config_history(const struct cli_args *args);
int cmd_config_rollback(const struct cli_args *args);
int cmd_secret_set(const struct cli_args *args);
int cmd_secret_list(const struct cli_args *args);
int cmd_secret_delete(const struct cli_args *args);
int cmd_secret_rekey(const struct cli_args *args);
int cmd_secret_rotate_master(const struct cli_args *args);
int cmd_audit_list(const struct cli_args *args);
int cmd_audit_tail(const struct cli_args *args);
int cmd_audit_export(const struct cli_args *args);
int cmd_audit_verify(const struct cli_args *args);
int cmd_audit_key(const struct cli_args *args);
int cmd_audit_rotate(const struct cli_args *args);
int cmd_resource(const struct cli_args *args); // list, show, create, update, delete of every entity
int cmd_tenant_delete(const struct cli_args *args);
int cmd_tenant_branding(const struct cli_args *args);
int cmd_tenant_logo(const struct cli_args *args);
int cmd_tenant_export(const struct cli_args *args);
int cmd_tenant_proof(const struct cli_args *args);
int cmd_tenant_verify_proof(const struct cli_args *args);
int cmd_tenant_suspend(const struct cli_args *args);
int cmd_tenant_resume(const struct cli_args *args);
int cmd_user_passwd(const struct cli_args *args);
int cmd_budget_history(const struct cli_args *args);
int cmd_team_members(const struct cli_args *args);
int cmd_team_add(const struct cli_args *args);
int cmd_team_remove(const struct cli_args *args);
int cmd_elevation_approve(const struct cli_args *args);
int cmd_elevation_refuse(const struct cli_args *args);
int cmd_key_show(const struct cli_args *args);
int cmd_key_rotate(const struct cli_args *args);
int cmd_key_collect(const struct cli_args *args);
int cmd_key_identify(const struct cli_args *args);
int cmd_key_scan(const struct cli_args *args);
int cmd_canary_list(const struct cli_args *args);
int cmd_canary_pause(const struct cli_args *args);
int cmd_canary_resume(const struct cli_args *args);
int cmd_canary_promote(const struct cli_args *args);
int cmd_canary_rollback(const struct cli_args *args);
int cmd_canary_restart(const struct cli_args *args);
int cmd_shadow_report(const struct cli_args *args);
int cmd_experiment_report(const struct cli_args *args);
int cmd_session_list(const struct cli_args *args);
int cmd_session_revoke(const struct cli_args *args);
int cmd_login(const struct cli_args *args);
int cmd_logout(const struct cli_args *args);
int cmd_whoami(const struct cli_args *args);
int cmd_access_explain(const struct cli_args *args);
int cmd_access_matrix(const struct cli_args *args);
int cmd_version(const struct cli_args *args);

// Writes text to standard output; the exit code.
int cli_print(const struct cli_io *io, const struct buf *text);

// The configuration a command works on: all layers, as `serve` with the same options would have them.
struct cli_conf_wanted {
    struct str file;    // empty = --config, else ./penstock.yaml if there is one
    struct str profile; // empty = --env
    bool files_only;    // without live changes
};
struct conf;
struct conf_show;
// --tenant, --team, --project and --key, of which the last three exclude each other and need the first.
int cli_conf_whose(const struct cli_args *args, struct conf_show *out_how);
// CLI_OK, or the exit code (`invalid`) after all problems were printed. Warnings are printed unless --quiet.
int cli_conf_load(const struct cli_args *args, const struct cli_conf_wanted *wanted, int invalid,
                  struct conf **out_conf);
// --config, else ./penstock.yaml if there is one, else empty.
struct str cli_config_file(const struct cli_args *args);
// False after it was said that --config and an operand both name one (CLI_USAGE).
bool cli_one_config(const struct cli_args *args);
// What --config-override, --data and the options of `serve` set; the list lives in the arena. False after it was said
// what is wrong (CLI_USAGE).
struct conf_override;
NODISCARD bool cli_overrides(const struct cli_args *args, struct arena *arena, struct conf_override **out_list,
                             size_t *out_n);

// The data directory and its database, for commands on keys and usage.
struct cli_data {
    struct datadir dir;
    struct sql *db;
};
// create: an absent directory is made; otherwise it is CLI_NOT_FOUND. CLI_OK, or the exit code after it was said why.
int cli_data_open(const struct cli_args *args, bool create, struct cli_data *out_data);
// The same for a directory given; messages name it. conf: where the database and its keys are, if not in there; NULL =
// in there.
int cli_data_open_at(const struct cli_args *args, struct str path, const struct conf *conf, bool create,
                     struct cli_data *out_data);
// *out_there: there was one, where cli_data_open looks, and it is open.
int cli_data_open_existing(const struct cli_args *args, struct cli_data *out_data, bool *out_there);
void cli_data_close(struct cli_data *data);

// A moment: "2026-11-21", "2026-11-21T07:30:00Z", or a length of time ("90s", "15m", "24h", "7d", "4w") from now, in
// the past or in the future. False when it is none of these.
NODISCARD bool cli_when(struct str text, int64_t now_ns, bool past, int64_t *out_ns);
// The same for an option, or `fallback` when it was not given. False after it was said what is wrong.
NODISCARD bool cli_when_option(const struct cli_args *args, enum cli_option_id id, bool past, int64_t fallback,
                               int64_t *out_ns);

// A table in columns; numbers stand to the right.
#define CLI_TABLE_COLUMNS 12
struct cli_column {
    const char *title;
    bool right;
    size_t min; // may be cut to so many characters where the terminal is narrow; 0 = never cut
};
struct cli_table {
    const struct cli_column *columns;
    size_t n_columns;
    struct arena *arena;
    struct str *cells; // row by row
    size_t n, cap;
    bool failed;
};
// The cells of a row are copied; they may hold anything.
void cli_table_add(struct cli_table *table, const struct str *cells);
void cli_table_print(struct cli_table *table, const struct cli_io *io, struct buf *out);

// Thousands apart: "1,234,567".
struct str cli_count_text(struct arena *arena, uint64_t v);
// Nanodollars as "0.001234", exactly; and for people, with at least two and at most six decimals.
struct str cli_dollars(struct arena *arena, int64_t nano);
struct str cli_dollars_short(struct arena *arena, int64_t nano);
// "2026-11-21T07:30:00.123Z"; "2026-11-21 07:30"; "never" for 0.
struct str cli_time(struct arena *arena, int64_t ns);
struct str cli_time_short(struct arena *arena, int64_t ns);

#endif
