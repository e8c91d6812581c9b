// The texts made from the tables of the whole configuration: its reference, its variables, its JSON Schema.
#include "conf/conf.h"
#include "conf/opt_explain.h"

static void put_intro(struct buf *out) {
    buf_lit(
        out,
        "# Configuration reference\n\n"
        "This page is generated from the option tables; `penstock config docs` prints it, and `penstock config "
        "explain\n"
        "KEY` shows one option. The environment variables are in [config-env.md](config-env.md), and editors complete\n"
        "and check by [penstock.schema.json](penstock.schema.json) (`penstock config schema`).\n\n"
        "`penstock.yaml` is one YAML document. Nothing in it is required: with no file at all Penstock listens on\n"
        "`127.0.0.1:8080` and finds its providers itself. Whatever is wrong with a file is reported at once, with\n"
        "line, column and the nearest known name, and a wrong file never takes the place of a running one.\n\n"
        "- **Sizes** are written `64 KiB`, `32 MiB`, `1 GiB` (or `KB`, `MB`, `GB` for powers of 1000), **durations**\n"
        "  `500ms`, `30s`, `5m`, `1h30m`, and booleans `true` or `false` only.\n"
        "- **`null`** is the same as leaving a key out; over another layer it takes the value away.\n"
        "- Anchors, aliases and `<<` may be used. A key given twice, a second document and tags are errors. A file "
        "may\n"
        "  have 1 MiB, 200000 values once aliases are expanded, and 32 levels.\n"
        "- Paths are relative to the working directory, those of `include` to the file they stand in.\n\n"
        "**Keys** name a value, on the command line, in messages and in the API: `limits.max_body`,\n"
        "`listeners[0].tls.cert`, `providers.openai.api_key`. The items of lists of named things go by their name, "
        "others\n"
        "by their position. A name with a dot in it stands in quotes: `models.\"gpt-4.1\".targets`.\n\n");
}

static void put_layers(struct buf *out) {
    static const struct {
        enum conf_layer layer;
        const char *what;
    } rows[] = {
        {LAYER_DEFAULT, "The defaults on this page."},
        {LAYER_FOUND, "Providers found by the keys in the environment and by model servers on this machine, when "
                      "nothing below names any."},
        {LAYER_INCLUDE, "The files that `include` names, in its order, then `conf.d/*.yaml` beside the main file, in "
                        "the order of their names. What includes goes before what it includes."},
        {LAYER_FILE, "The main file: `--config`, else `./penstock.yaml`."},
        {LAYER_ENV, "`PENSTOCK_CONFIG_JSON`, a configuration as one JSON object; then the variables of single options, "
                    "`PENSTOCK_LIMITS__MAX_BODY` for `limits.max_body`."},
        {LAYER_PROFILE, "The section of `profiles` that `--env NAME`, else `PENSTOCK_ENV`, names."},
        {LAYER_OVERRIDE, "`--config-override KEY=VALUE`, which may be given again, and options such as `--listen`."},
        {LAYER_LIVE, "What was changed while the server runs: `penstock config set`, or the admin API. It is kept in "
                     "the data directory and survives a restart."},
    };
    buf_lit(out, "## Layers\n\n"
                 "A value may come from several places. A later one goes before an earlier one; `penstock config "
                 "trace KEY` shows\nwhere a value came from, and `penstock config show --sources` where all did.\n\n"
                 "| | layer | what it is |\n|---|---|---|\n");
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        buf_printf(out, "| %zu | %s | %s |\n", i + 1, conf_layer_name(rows[i].layer), rows[i].what);
    buf_lit(
        out,
        "\nMaps are joined key by key, and lists of named things (`providers`, `models`, `tenants`, …) name by "
        "name: a later\nlayer may change one option of one provider. Other lists and values are replaced as a "
        "whole.\n\n"
        "**How a change applies.** When a file or a secret changes, on SIGHUP, and with each live change, the whole "
        "new\nconfiguration is checked, and then takes the place of the old one at once. An option counts from the "
        "next\nrequest on, unless its row says *Open connections keep the old value* or *Needs a restart*.\n\n");
}

static void put_references(struct buf *out) {
    buf_lit(out, "## References\n\n"
                 "They may stand in any value, also as a part of it, in every layer. One that can't be resolved is an "
                 "error.\n`$${` stands for `${` itself.\n\n"
                 "| reference | stands for |\n|---|---|\n"
                 "| `${env:NAME}` | An environment variable. |\n"
                 "| `${file:/path}` | A file's content without its last line end; read again when it changes. |\n"
                 "| `${secret:name}` | A secret kept sealed in the data directory: `penstock secret set`. |\n"
                 "| `${vault:path#key}` | A field of a secret in HashiCorp Vault or OpenBao; see `vault` below. |\n\n");
}

static void put_models(struct buf *out) {
    buf_lit(out,
            "## Names of models\n\n"
            "A model name in a request is looked up as an alias, then as a model, then (with `passthrough_models`) as\n"
            "`provider/model`; then it goes to the first provider whose kind owns names of that form (`gpt-…` is "
            "OpenAI's,\n"
            "`claude-…` Anthropic's), and then to the only provider, when there is just one.\n\n"
            "## Kinds of provider\n\n"
            "| kind | name | key from | default `base_url` |\n|---|---|---|---|\n");
    for (enum provider_kind k = 0; k < PROVIDER_KIND_COUNT; k++) {
        const struct provider_preset *p = provider_preset_get(k);
        buf_printf(out, "| `%.*s` | %.*s | %s%.*s%s | %s%.*s%s |\n", STR_ARG(p->name), STR_ARG(p->title),
                   p->variable.n ? "`" : "", STR_ARG(p->variable), p->variable.n ? "`" : "", p->base_url.n ? "`" : "",
                   STR_ARG(p->base_url), p->base_url.n ? "`" : "");
    }
}

// One line end at the end of the text.
static void end_tidily(struct buf *out) {
    while (out->n > 1 && out->p[out->n - 1] == '\n' && out->p[out->n - 2] == '\n') out->n--;
}

void conf_describe(struct buf *out) {
    put_intro(out);
    put_layers(out);
    put_references(out);
    put_models(out);
    buf_lit(out, "\n## The file\n\n");
    opt_describe(&conf_table, out);
    end_tidily(out);
}

void conf_describe_env(struct buf *out) {
    buf_lit(
        out,
        "# Environment variables\n\n"
        "This page is generated from the option tables; `penstock config docs --env-reference` prints it.\n\n"
        "Every option has a variable: `PENSTOCK_` and its key in capitals, with `__` where the key has a dot. It "
        "goes\nbefore the files; what goes before it is told under [layers](config.md#layers).\n\n"
        "- `NAME` is the name of an item, in capitals, with `_` for each of `-`, `.`, `/`, `:` and the space:\n"
        "  `PENSTOCK_PROVIDERS__MY_OPENAI__API_KEY` is the key of the provider `my-openai`. A number is a position,\n"
        "  from 0.\n"
        "- A variable of a list or a map holds YAML, of which JSON is a part, and takes the place of the whole.\n"
        "- `null` takes the value of the layers below away. References (`${file:/run/secrets/key}`) may stand in "
        "all.\n"
        "- A variable that begins with `PENSTOCK_`, has `__` in it and names no option is an error, so that one "
        "misspelt\n  is noticed. Others are left alone.\n\n"
        "The variables of the kinds of provider, such as `OPENAI_API_KEY`, are in the\n"
        "[reference](config.md#kinds-of-provider).\n\n");
    opt_variables(&conf_table, out);
    end_tidily(out);
}

void conf_schema(struct buf *out) {
    opt_schema(&conf_table, "Penstock configuration", "penstock.yaml, the configuration of the Penstock AI gateway.",
               out);
}
