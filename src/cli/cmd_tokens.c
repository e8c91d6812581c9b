// penstock tokens: counts the tokens of files, without a server.
#include "cli/commands.h"
#include "model/token/tokenizer.h"
#include "os/file.h"

#define FILE_MAX ((size_t)1 << 30)
#define OUT_MAX ((size_t)4 << 30)
#define ARENA_MAX ((size_t)64 * 1024 * 1024)

struct counting {
    const struct cli_args *args;
    const struct tokenizer *tokenizer;
    bool exact;
    struct arena *arena;
    struct cli_table *table;
    struct buf *out;
    size_t bytes, tokens;
};

// --- Without files: which tokenizers there are
// ------------------------------------------------------------------------

static int list(const struct cli_args *args, struct arena *arena) {
    static const struct cli_column columns[] = {{"TOKENIZER", false, 0}, {"EXACT", false, 0}, {"OF", false, 20}};
    struct cli_table table = {.columns = columns, .n_columns = ARRAY_LEN(columns), .arena = arena};
    BUF_AUTO struct buf out = BUF_INIT(OUT_MAX);
    for (enum tokenizer_id id = 0; id < TOKENIZER_COUNT; id++) {
        const struct tokenizer *t = tokenizer_get(id);
        struct str cells[] = {tokenizer_name(t), tokenizer_exact(t) ? STR("yes") : STR("no"), tokenizer_about(t)};
        if (!cli_given(args, CLI_JSON)) {
            cli_table_add(&table, cells);
            continue;
        }
        struct json_writer w;
        json_writer_init(&w, &out);
        json_put_object(&w);
        json_put_member_str(&w, STR("tokenizer"), cells[0]);
        json_put_member_bool(&w, STR("exact"), tokenizer_exact(t));
        json_put_member_str(&w, STR("of"), cells[2]);
        json_put_object_end(&w);
        buf_putc(&out, '\n');
    }
    if (!cli_given(args, CLI_JSON)) cli_table_print(&table, args->io, &out);
    return cli_print(args->io, &out);
}

// --- Files
// ------------------------------------------------------------------------------------------------------------

static bool read_input(struct cli_io *io, struct buf *text, struct err *err) {
    while (!feof(io->in)) {
        if (!buf_reserve(text, 65536)) return err_set(err, ERR_BODY_TOO_LARGE, "the limit is 1 GiB");
        text->n += fread(text->p + text->n, 1, text->cap - text->n, io->in);
        if (ferror(io->in)) return err_set(err, ERR_INTERNAL, "standard input cannot be read");
    }
    return true;
}

static void put_json(struct counting *c, struct str name, size_t bytes, const struct token_ids *ids) {
    struct json_writer w;
    json_writer_init(&w, c->out);
    json_put_object(&w);
    json_put_member_str(&w, STR("file"), name);
    json_put_member_str(&w, STR("tokenizer"), tokenizer_name(c->tokenizer));
    json_put_member_bool(&w, STR("exact"), c->exact);
    json_put_member_u64(&w, STR("bytes"), bytes);
    json_put_member_u64(&w, STR("tokens"), ids->n);
    if (ids->p) {
        json_put_member_array(&w, STR("ids"));
        for (size_t i = 0; i < ids->n; i++) json_put_u64(&w, ids->p[i]);
        json_put_array_end(&w);
    }
    json_put_object_end(&w);
    buf_putc(c->out, '\n');
}

static void put_row(struct counting *c, struct str name, size_t bytes, size_t tokens) {
    cli_table_add(c->table, (struct str[]){name, cli_count_text(c->arena, bytes), cli_count_text(c->arena, tokens)});
}

static void put(struct counting *c, struct str name, size_t bytes, const struct token_ids *ids) {
    c->bytes += bytes;
    c->tokens += ids->n;
    if (cli_given(c->args, CLI_JSON)) {
        put_json(c, name, bytes, ids);
    } else if (cli_given(c->args, CLI_IDS)) {
        for (size_t i = 0; i < ids->n; i++) buf_printf(c->out, "%s%u", i ? " " : "", ids->p[i]);
        buf_putc(c->out, '\n');
    } else {
        put_row(c, name, bytes, ids->n);
    }
}

static bool count(struct counting *c, struct str name, struct err *err) {
    BUF_AUTO struct buf text = BUF_INIT(FILE_MAX);
    struct token_ids ids = {0};
    const bool standard = str_eq(name, STR("-"));
    if (standard ? !read_input(c->args->io, &text, err) : !file_read_all(name, FILE_MAX, &text, err)) return false;
    if (!cli_given(c->args, CLI_IDS))
        ids.n = tokenizer_count(c->tokenizer, buf_str(&text));
    else if (!tokenizer_encode(c->tokenizer, buf_str(&text), &ids, err))
        return false;
    put(c, name, text.n, &ids);
    mem_free(ids.p);
    return true;
}

static int count_all(struct counting *c) {
    const struct cli_args *args = c->args;
    struct err err;
    for (size_t i = 0; i < args->n_operands; i++) {
        if (count(c, str_c(args->operands[i]), &err)) continue;
        char what[256];
        snprintf(what, sizeof what, "cannot count the tokens of %s", args->operands[i]);
        return cli_fail_err(args->io, &err, what, NULL);
    }
    if (cli_given(args, CLI_JSON) || cli_given(args, CLI_IDS)) return cli_print(args->io, c->out);
    if (args->n_operands > 1) put_row(c, STR("total"), c->bytes, c->tokens);
    cli_table_print(c->table, args->io, c->out);
    if (!cli_given(args, CLI_QUIET))
        fprintf(args->io->err, "Counted with %.*s%s.\n", STR_ARG(tokenizer_name(c->tokenizer)),
                c->exact ? "" : ", which is near what the model's vendor counts, not the same");
    return cli_print(args->io, c->out);
}

int cmd_tokens(const struct cli_args *args) {
    static const struct cli_column columns[] = {{"FILE", false, 20}, {"BYTES", true, 0}, {"TOKENS", true, 0}};
    struct arena arena;
    BUF_AUTO struct buf out = BUF_INIT(OUT_MAX);
    struct cli_table table = {.columns = columns, .n_columns = ARRAY_LEN(columns), .arena = &arena};
    struct counting c = {.args = args, .arena = &arena, .table = &table, .out = &out};
    if (cli_given(args, CLI_MODEL) && cli_given(args, CLI_TOKENIZER))
        return cli_fail(args->io, CLI_USAGE, "--model and --tokenizer exclude each other", NULL, NULL);
    if (cli_given(args, CLI_MODEL)) {
        c.tokenizer = tokenizer_for_model(cli_value(args, CLI_MODEL), &c.exact);
    } else {
        c.tokenizer =
            tokenizer_find(cli_given(args, CLI_TOKENIZER) ? cli_value(args, CLI_TOKENIZER) : STR("o200k_base"));
        c.exact = tokenizer_exact(c.tokenizer);
    }
    arena_init(&arena, NULL, 0, ARENA_MAX);
    const int code = args->n_operands ? count_all(&c) : list(args, &arena);
    arena_free(&arena);
    return code;
}
