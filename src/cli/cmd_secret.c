// penstock secret set, list, delete.
#include "cli/audit_command.h"
#include "os/clock.h"
#include "os/term.h"
#include "store/sealed.h"

#define ARENA_MAX ((size_t)64 * 1024 * 1024)
#define OUT_MAX ((size_t)64 * 1024 * 1024)
#define INPUT_MAX (SEALED_VALUE_MAX + 2) // with a line end

static void put_line_json(struct buf *out, struct str name, struct str member, struct str text) {
    struct json_writer w;
    json_writer_init(&w, out);
    json_put_object(&w);
    json_put_member_str(&w, STR("name"), name);
    json_put_member_str(&w, member, text);
    json_put_object_end(&w);
    buf_putc(out, '\n');
}

static bool find_tenant(const struct cli_args *args, struct sql *db, struct sql_scope *out_scope, struct err *err) {
    int64_t id = TENANT_DEFAULT;
    if (cli_given(args, CLI_TENANT) && !tenant_find(db, cli_value(args, CLI_TENANT), &id, err)) return false;
    *out_scope = sql_tenant(db, id);
    return true;
}

// Opens the database for the tenant asked for.
static int open_scope(const struct cli_args *args, bool create, struct cli_data *out_data,
                      struct sql_scope *out_scope) {
    struct err err;
    int code = cli_data_open(args, create, out_data);
    if (code != CLI_OK || find_tenant(args, out_data->db, out_scope, &err)) return code;
    cli_data_close(out_data);
    return cli_fail_err(args->io, &err, "cannot find the tenant", NULL);
}

// Says what was done: as JSON on standard output, for people on the other one.
static int print_done(const struct cli_args *args, const char *done) {
    BUF_AUTO struct buf out = BUF_INIT(OUT_MAX);
    if (cli_given(args, CLI_JSON))
        put_line_json(&out, str_c(args->operands[0]), STR("state"), str_c(done));
    else if (!cli_given(args, CLI_QUIET))
        fprintf(args->io->err, "Secret \"%s\" is %s.\n", args->operands[0], done);
    return cli_print(args->io, &out);
}

// --- set ---

static int read_terminal(const struct cli_args *args, struct buf *value) {
    char prompt[SEALED_NAME_MAX + 64];
    enum term_answer answer;
    struct err err;
    snprintf(prompt, sizeof prompt, "Value of %.*s (it is not shown): ", SEALED_NAME_MAX, args->operands[0]);
    fflush(args->io->err);
    if (!term_ask_hidden(fileno(args->io->in), fileno(args->io->err), str_c(prompt), value, &answer, &err))
        return cli_fail_err(args->io, &err, "cannot read the secret's value", "--from-file FILE");
    return answer == TERM_INTERRUPTED ? CLI_INTERRUPTED : CLI_OK;
}

static int read_stream(const struct cli_args *args, struct buf *value) {
    // Not through a buffer of the stream's, which would keep a copy.
    setvbuf(args->io->in, NULL, _IONBF, 0);
    value->n = fread(value->p, 1, value->cap, args->io->in);
    if (ferror(args->io->in)) return cli_fail(args->io, CLI_FAILED, "cannot read standard input", NULL, NULL);
    return CLI_OK;
}

static int read_file(const struct cli_args *args, struct buf *value) {
    struct err err;
    if (file_read_all(cli_value(args, CLI_FROM_FILE), INPUT_MAX, value, &err)) return CLI_OK;
    return cli_fail_err(args->io, &err, "cannot read the secret's value", NULL);
}

// Line ends at the end are no part of a secret: editors and echo put them there.
static int check_value(const struct cli_args *args, struct buf *value) {
    bool whole = value->n <= INPUT_MAX; // what was read, and not the beginning of more
    while (value->n && (value->p[value->n - 1] == '\n' || value->p[value->n - 1] == '\r')) value->n--;
    if (value->n == 0)
        return cli_fail(args->io, CLI_USAGE, "the secret's value is empty", NULL,
                        "penstock secret set NAME <FILE, or type it when asked");
    if (!whole || value->n > SEALED_VALUE_MAX)
        return cli_fail(args->io, CLI_USAGE, "the secret's value is too long", "the limit is 65536 bytes", NULL);
    if (memchr(value->p, '\0', value->n))
        return cli_fail(args->io, CLI_USAGE, "the secret's value holds a NUL byte",
                        "a secret is text, as the configuration is", NULL);
    return CLI_OK;
}

static int read_value(const struct cli_args *args, struct buf *value) {
    int code;
    if (cli_given(args, CLI_FROM_FILE))
        code = read_file(args, value);
    else if (args->io->in_tty)
        code = read_terminal(args, value);
    else
        code = read_stream(args, value);
    return code == CLI_OK ? check_value(args, value) : code;
}

// The act, which is named by its action, and its event in one transaction; value.p NULL: the secret is deleted.
static bool act(struct cli_data *data, struct sql_scope scope, const char *action, struct str name, struct str value,
                struct err *err) {
    struct audit_event event = {.action = str_c(action), .resource_type = STR("secret"), .resource_id = name};
    if (!sql_begin(data->db, err)) return false;
    bool ok =
        value.p ? sealed_put(scope, &data->dir, name, value, clock_unix_ns(), err) : sealed_delete(scope, name, err);
    if (ok && audit_command_tell(data, scope.tenant, &event, err)) return sql_commit(data->db, err);
    sql_rollback(data->db);
    return false;
}

static int keep(const struct cli_args *args, struct str value) {
    struct cli_data data;
    struct sql_scope scope = {0};
    struct err err;
    int code = open_scope(args, true, &data, &scope);
    if (code != CLI_OK) return code;
    if (act(&data, scope, "secret.create", str_c(args->operands[0]), value, &err))
        datadir_config_changed(&data.dir);
    else
        code = cli_fail_err(args->io, &err, "cannot keep the secret", NULL);
    cli_data_close(&data);
    return code == CLI_OK ? print_done(args, "set") : code;
}

int cmd_secret_set(const struct cli_args *args) {
    struct buf value = BUF_INIT(INPUT_MAX + 2);
    struct err err;
    // Before the value is asked for, and before anything is made on the disk.
    if (!sealed_name_check(str_c(args->operands[0]), &err))
        return cli_fail_err(args->io, &err, "this cannot be a secret's name", NULL);
    // All of it at once: growing would leave copies behind.
    if (!buf_reserve(&value, INPUT_MAX + 2)) return cli_fail(args->io, CLI_FAILED, "out of memory", NULL, NULL);
    int code = read_value(args, &value);
    if (code == CLI_OK) code = keep(args, buf_str(&value));
    secret_wipe(value.p, value.cap);
    buf_free(&value);
    return code;
}

// --- list ---

struct listing {
    const struct cli_args *args;
    struct arena arena;
    struct buf out;
    struct cli_table table;
};

static void put_row_json(struct listing *l, const struct sealed_row *row) {
    struct json_writer w;
    json_writer_init(&w, &l->out);
    json_put_object(&w);
    json_put_member_str(&w, STR("name"), row->name);
    json_put_member_str(&w, STR("created_at"), cli_time(&l->arena, row->created_at));
    json_put_member_str(&w, STR("updated_at"), cli_time(&l->arena, row->updated_at));
    json_put_object_end(&w);
    buf_putc(&l->out, '\n');
}

static bool list_row(void *arg, const struct sealed_row *row, struct err *err) {
    struct listing *l = arg;
    if (cli_given(l->args, CLI_JSON)) {
        put_row_json(l, row);
    } else {
        const struct str cells[] = {row->name, cli_time_short(&l->arena, row->created_at),
                                    cli_time_short(&l->arena, row->updated_at)};
        cli_table_add(&l->table, cells);
    }
    return !l->out.failed && !l->table.failed ? true : err_no_memory(err);
}

static const struct cli_column SECRET_COLUMNS[] = {
    {.title = "NAME", .min = 8}, {.title = "CREATED", .min = 10}, {.title = "UPDATED", .min = 10}};

int cmd_secret_list(const struct cli_args *args) {
    struct cli_data data;
    struct sql_scope scope = {0};
    struct err err;
    int code = open_scope(args, false, &data, &scope);
    if (code != CLI_OK) return code;
    struct listing l = {.args = args, .out = BUF_INIT(OUT_MAX)};
    arena_init(&l.arena, NULL, 0, ARENA_MAX);
    l.table = (struct cli_table){.columns = SECRET_COLUMNS, .n_columns = ARRAY_LEN(SECRET_COLUMNS), .arena = &l.arena};
    if (!sealed_each(scope, list_row, &l, &err)) {
        code = cli_fail_err(args->io, &err, "cannot read the secrets", NULL);
    } else {
        if (l.table.n) cli_table_print(&l.table, args->io, &l.out);
        code = cli_print(args->io, &l.out);
        if (!cli_given(args, CLI_JSON) && !l.table.n && !cli_given(args, CLI_QUIET))
            fputs("There are no secrets yet. Keep one: penstock secret set NAME\n", args->io->err);
    }
    buf_free(&l.out);
    arena_free(&l.arena);
    cli_data_close(&data);
    return code;
}

// --- delete ---

static bool confirmed(const struct cli_args *args) {
    char answer[16];
    if (cli_given(args, CLI_YES) || !args->io->in_tty) return true;
    fprintf(args->io->err, "Delete the secret \"%s\" for good? [y/N] ", args->operands[0]);
    fflush(args->io->err);
    if (!fgets(answer, sizeof answer, args->io->in)) return false;
    struct str said = str_trim(str_c(answer));
    return str_eq_nocase(said, STR("y")) || str_eq_nocase(said, STR("yes"));
}

int cmd_secret_delete(const struct cli_args *args) {
    struct cli_data data;
    struct sql_scope scope = {0};
    struct err err;
    if (!sealed_name_check(str_c(args->operands[0]), &err))
        return cli_fail_err(args->io, &err, "this cannot be a secret's name", NULL);
    int code = open_scope(args, false, &data, &scope);
    if (code != CLI_OK) return code;
    if (!confirmed(args))
        code = cli_fail(args->io, CLI_FAILED, "nothing was deleted", NULL, NULL);
    else if (act(&data, scope, "secret.delete", str_c(args->operands[0]), STR_NONE, &err))
        datadir_config_changed(&data.dir);
    else
        code = cli_fail_err(args->io, &err, "cannot delete the secret", "penstock secret list");
    cli_data_close(&data);
    return code == CLI_OK ? print_done(args, "deleted") : code;
}
