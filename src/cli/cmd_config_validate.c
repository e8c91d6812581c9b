// penstock config validate.
#include "admin/models.h"
#include "cli/commands.h"
#include "conf/conf.h"
#include "store/config_env.h"

#define TEXT_MAX ((size_t)16 * 1024 * 1024)

static void put_json(struct buf *out, const struct conf_problems *problems, bool valid, struct str file) {
    struct json_writer w;
    BUF_AUTO struct buf list = BUF_INIT(TEXT_MAX);
    conf_problems_json(problems, &list);
    json_writer_init(&w, out);
    json_put_object(&w);
    json_put_member_str(&w, STR("file"), file);
    json_put_member_bool(&w, STR("valid"), valid);
    json_put_member_raw(&w, STR("problems"), str_trim(buf_str(&list)));
    json_put_object_end(&w);
    buf_putc(out, '\n');
    if (list.failed) out->failed = true;
}

// What only the catalogue of models can tell; of one that is not at hand nothing is said.
static void look_at_models(const struct conf *conf, struct conf_problems *problems) {
    const struct conf_node *node = conf_node_get(conf_node_get(conf->root, STR("usage")), STR("reference_model"));
    struct model_catalog *models;
    struct str near;
    struct err err;
    if (!node || !models_load_kept(conf, &models, &err)) return;
    if (models_lack_reference(conf, models, &near))
        conf_problem_add(problems, CONF_WARNING, node->source, node->pos,
                         "usage.reference_model: no price is known of \"%.*s\", so nothing is compared%s%.*s%s",
                         STR_ARG(conf->usage.reference_model), near.n ? "; did you mean \"" : "", STR_ARG(near),
                         near.n ? "\"?" : "");
    model_catalog_unref(models);
}

static bool validate(const struct cli_args *args, struct conf_env *env, struct str file, struct buf *out) {
    struct conf_problems problems;
    struct conf *conf = NULL;
    BUF_AUTO struct buf faults = BUF_INIT(TEXT_MAX);
    conf_problems_init(&problems);
    bool valid = conf_load(file, env, &problems, &conf);
    if (valid) look_at_models(conf, &problems);
    if (cli_given(args, CLI_JSON)) {
        put_json(out, &problems, valid, file);
    } else {
        conf_problems_print(&problems, &faults);
        if (valid && !cli_given(args, CLI_QUIET)) buf_printf(out, "%.*s: valid\n", STR_ARG(file));
    }
    fwrite(faults.p ? faults.p : "", 1, faults.n, args->io->err);
    if (valid) conf_unref(conf);
    conf_problems_free(&problems);
    return valid;
}

int cmd_config_validate(const struct cli_args *args) {
    if (!cli_one_config(args)) return CLI_USAGE;
    struct config_env stores = {.no_live = true};
    struct conf_env env = config_env_system(&stores);
    struct conf_override *overrides;
    struct arena arena;
    BUF_AUTO struct buf out = BUF_INIT(TEXT_MAX);
    int code = CLI_USAGE;
    arena_init(&arena, NULL, 0, 64 * 1024);
    if (cli_overrides(args, &arena, &overrides, &env.n_overrides)) {
        bool valid = true;
        env.overrides = overrides;
        env.offline = cli_given(args, CLI_OFFLINE);
        env.profile = cli_value(args, CLI_PROFILE);
        for (size_t i = 0; i < args->n_operands; i++)
            valid = validate(args, &env, str_c(args->operands[i]), &out) && valid;
        struct str file = cli_config_file(args);
        if (!args->n_operands) valid = validate(args, &env, file.n ? file : STR("penstock.yaml"), &out);
        if (!args->n_operands && !file.n)
            fprintf(args->io->err, "  Try: penstock config validate FILE; or penstock config init\n");
        code = cli_print(args->io, &out);
        if (code == CLI_OK && !valid) code = CLI_FAILED;
    }
    arena_free(&arena);
    config_env_end(&stores);
    return code;
}
