// penstock key identify, scan: which keys are texts, and which texts hold keys; none is shown whole.
#include "access/key_text.h"
#include "base/json_read.h"
#include "cli/resource.h"

#define ARENA_MAX ((size_t)64 << 20)
#define INPUT_MAX ((size_t)1 << 30)
#define TEXT_MAX ((size_t)4096) // of one that is to be identified

struct looking {
    const struct cli_args *args;
    struct cli_api api;
    bool open; // api is; otherwise only the form is told
    struct arena a;
    struct buf in, out;
    size_t found;
};

static int begin(struct looking *l, const struct cli_args *args) {
    struct cli_data data;
    *l = (struct looking){.args = args, .in = BUF_INIT(INPUT_MAX), .out = BUF_INIT(INPUT_MAX)};
    const char *server = args->io->env("PENSTOCK_SERVER");
    bool there = cli_given(args, CLI_SERVER) || (server && *server);
    if (!there && !cli_given(args, CLI_OFFLINE)) {
        int code = cli_data_open_existing(args, &data, &there);
        if (code != CLI_OK) return code;
        if (there) cli_data_close(&data);
    }
    if (there && !cli_given(args, CLI_OFFLINE)) {
        int code = cli_api_open(args, false, &l->api);
        if (code != CLI_OK) return code;
        l->open = true;
    }
    arena_init(&l->a, NULL, 0, ARENA_MAX);
    return CLI_OK;
}

static int end(struct looking *l, int code) {
    if (l->in.p) secret_wipe(l->in.p, l->in.cap);
    buf_free(&l->in);
    buf_free(&l->out);
    arena_wipe_free(&l->a);
    if (l->open) cli_api_close(&l->api);
    return code;
}

// What the data says of a text; *out_answer: p NULL where it was not asked.
static int ask(struct looking *l, struct str text, struct str *out_answer) {
    BUF_AUTO struct buf body = BUF_INIT(8 * TEXT_MAX);
    struct cli_answer answer;
    struct json_writer w;
    *out_answer = STR_NONE;
    if (!l->open) return CLI_OK;
    json_writer_init(&w, &body);
    json_put_object(&w);
    json_put_member_str(&w, STR("key"), text);
    json_put_object_end(&w);
    int code = cli_api_call(&l->api, HTTP_POST, STR("/api/v1/keys/identify"), STR(""), buf_str(&body), &answer);
    if (code == CLI_OK) *out_answer = arena_str(&l->a, buf_str(&answer.body));
    cli_answer_free(&answer);
    secret_wipe(body.p, body.cap);
    return code;
}

struct finding {
    struct str file; // p NULL: none was searched
    size_t line;
    struct str text; // the key
    enum key_form form;
    struct str answer; // p NULL: the data was not asked
};

static bool is_known(struct looking *l, const struct finding *f) {
    return str_eq(cli_json_text(&l->a, f->answer, STR("known")), STR("true"));
}

static void put_json(struct looking *l, const struct finding *f, struct str row) {
    static const struct str fields[] = {STR_INIT("id"), STR_INIT("name"), STR_INIT("state")};
    struct json_writer w;
    json_writer_init(&w, &l->out);
    json_put_object(&w);
    if (f->file.p) json_put_member_str(&w, STR("file"), f->file);
    if (f->file.p) json_put_member_u64(&w, STR("line"), f->line);
    json_put_member_str(&w, STR("form"), key_form_name(f->form));
    if (f->form != KEY_FORM_NONE) json_put_member_str(&w, STR("prefix"), str_head(f->text, KEY_PREFIX_LEN));
    if (f->answer.p) json_put_member_bool(&w, STR("known"), is_known(l, f));
    for (size_t i = 0; row.n && i < ARRAY_LEN(fields); i++)
        json_put_member_str(&w, fields[i], cli_json_text(&l->a, row, fields[i]));
    if (row.n) json_put_member_str(&w, STR("tenant_id"), cli_json_text(&l->a, f->answer, STR("tenant_id")));
    json_put_object_end(&w);
    buf_putc(&l->out, '\n');
}

static const char *words_of(enum key_form form) {
    switch (form) {
    case KEY_FORM_GOOD:
        return "a key";
    case KEY_FORM_EARLY:
        return "a key of an early version, or a text that looks like one";
    case KEY_FORM_DAMAGED:
        return "no key: its checksum is wrong";
    case KEY_FORM_NONE:
        break;
    }
    return "no key";
}

static void put_words(struct looking *l, const struct finding *f, struct str row) {
    if (f->file.p) buf_printf(&l->out, "%.*s:%zu: ", STR_ARG(f->file), f->line);
    if (f->form != KEY_FORM_NONE) buf_printf(&l->out, "%.*s… ", STR_ARG(str_head(f->text, KEY_PREFIX_LEN)));
    buf_put(&l->out, str_c(words_of(f->form)));
    if (row.n) {
        struct str id = cli_json_text(&l->a, row, STR("id")), name = cli_json_text(&l->a, row, STR("name")),
                   state = cli_json_text(&l->a, row, STR("state"));
        buf_printf(&l->out, ": %.*s \"%.*s\", %.*s", STR_ARG(id), STR_ARG(name), STR_ARG(state));
    } else if (f->answer.p && (f->form == KEY_FORM_GOOD || f->form == KEY_FORM_EARLY)) {
        buf_lit(&l->out, ", not known here");
    }
    buf_putc(&l->out, '\n');
}

static int put_finding(struct looking *l, struct finding *f) {
    struct str row = STR("");
    int code = ask(l, f->text, &f->answer);
    if (code != CLI_OK) return code;
    if (f->answer.p && is_known(l, f) && !JSON_GET(f->answer, &row, STR("key"))) row = STR("");
    if (cli_given(l->args, CLI_JSON))
        put_json(l, f, row);
    else
        put_words(l, f, row);
    return CLI_OK;
}

// --- identify ---

static int read_text(struct looking *l, struct str *out_text) {
    const struct cli_args *args = l->args;
    bool given = args->n_operands && strcmp(args->operands[0], "-") != 0;
    if (given) {
        *out_text = str_trim(str_c(args->operands[0]));
    } else {
        if (!buf_reserve(&l->in, TEXT_MAX)) return cli_fail(args->io, CLI_FAILED, "out of memory", NULL, NULL);
        setvbuf(args->io->in, NULL, _IONBF, 0);
        l->in.n = fread(l->in.p, 1, TEXT_MAX, args->io->in);
        *out_text = str_trim(buf_str(&l->in));
    }
    if (out_text->n && out_text->n < TEXT_MAX) return CLI_OK;
    return cli_fail(args->io, CLI_USAGE, out_text->n ? "the text is too long for a key" : "there is no text to look at",
                    NULL, "penstock key scan FILE, for keys in other text");
}

int cmd_key_identify(const struct cli_args *args) {
    struct looking l;
    struct finding f = {0};
    int code = begin(&l, args);
    if (code != CLI_OK) return code;
    code = read_text(&l, &f.text);
    if (code == CLI_OK) {
        f.form = key_text_form(f.text);
        code = put_finding(&l, &f);
    }
    if (code == CLI_OK) code = cli_print(args->io, &l.out);
    if (code == CLI_OK && !key_text_valid(f.text)) code = CLI_FAILED;
    if (code == CLI_OK && f.answer.p && !is_known(&l, &f)) code = CLI_NOT_FOUND;
    return end(&l, code);
}

// --- scan ---

static int read_input(struct looking *l, const char *name) {
    const struct cli_io *io = l->args->io;
    struct err err;
    buf_clear(&l->in);
    if (strcmp(name, "-") != 0)
        return file_read_all(str_c(name), INPUT_MAX, &l->in, &err)
                   ? CLI_OK
                   : cli_fail_err(io, &err, "cannot read what is to be searched", NULL);
    for (size_t n = 1; n && buf_reserve(&l->in, 65536);) {
        n = fread(l->in.p + l->in.n, 1, 65536, io->in);
        l->in.n += n;
    }
    return ferror(io->in) || l->in.failed ? cli_fail(io, CLI_FAILED, "cannot read standard input", NULL, NULL) : CLI_OK;
}

static int scan(struct looking *l, const char *name) {
    struct finding f = {.file = strcmp(name, "-") == 0 ? STR("standard input") : str_c(name), .line = 1};
    int code = read_input(l, name);
    size_t at = 0, counted = 0;
    while (code == CLI_OK && key_text_find(buf_str(&l->in), &at, &f.text, &f.form)) {
        for (; counted < at; counted++) f.line += l->in.p[counted] == '\n';
        l->found++;
        code = put_finding(l, &f);
    }
    return code;
}

int cmd_key_scan(const struct cli_args *args) {
    struct looking l;
    int code = begin(&l, args);
    if (code != CLI_OK) return code;
    for (size_t i = 0; i < args->n_operands && code == CLI_OK; i++) code = scan(&l, args->operands[i]);
    if (args->n_operands == 0) code = scan(&l, "-");
    int printed = cli_print(args->io, &l.out);
    if (code == CLI_OK) code = printed;
    if (code == CLI_OK && l.found) code = CLI_FAILED;
    if (!l.found && code == CLI_OK && !cli_given(args, CLI_QUIET) && !cli_given(args, CLI_JSON))
        fputs("No keys were found.\n", args->io->err);
    return end(&l, code);
}
