// Tenants: what they inherit and override, what names mean to them, and that thousands of them load at once.
#include "check.h"
#include "conf/conf.h"
#include "os/clock.h"

static const char *no_var(void *ctx, const char *name) {
    (void)ctx, (void)name;
    return NULL;
}
static bool no_file(void *ctx, struct str path, size_t max, struct buf *out, struct err *err) {
    (void)ctx, (void)path, (void)max, (void)out;
    return err_set(err, ERR_NOT_FOUND, "no such file");
}

// *out_problems: what was said, warnings too.
static struct conf *load_str(struct str text, struct buf *out_problems) {
    struct conf_problems problems;
    struct conf_env env = {.get = no_var, .read_file = no_file};
    struct conf *c = NULL;
    struct buf b = BUF_INIT(1 << 16);
    conf_problems_init(&problems);
    bool ok = conf_load_text(text, STR("penstock.yaml"), &env, &problems, &c);
    conf_problems_print(&problems, &b);
    if (!ok) fprintf(stderr, "%.*s", STR_ARG(buf_str(&b)));
    if (out_problems) buf_put(out_problems, buf_str(&b));
    conf_problems_free(&problems);
    buf_free(&b);
    REQUIRE(c != NULL);
    return c;
}

static struct conf *load(const char *text) { return load_str(str_c(text), NULL); }

static const char house[] = "providers:\n"
                            "  - {name: a, kind: demo}\n"
                            "  - {name: b, kind: demo}\n"
                            "limits: {max_body: 8 MiB}\n"
                            "models:\n"
                            "  - {name: general, targets: [{provider: a, model: g}]}\n"
                            "  - {name: shared, targets: [{provider: a, model: s}]}\n"
                            "aliases: {fast: shared, best: general}\n"
                            "prices: {shared: {input: 1, output: 1}}\n"
                            "tenants:\n"
                            "  - name: project\n" // before its parents
                            "    parent: team\n"
                            "    limits: {max_response: 1 MiB}\n"
                            "    branding: {support: project@example.com}\n"
                            "  - name: acme\n"
                            "    limits: {max_body: 4 MiB}\n"
                            "    timeouts: {total: 30s, idle: 10s}\n"
                            "    branding: {name: Acme AI, support: help@example.com}\n"
                            "    models: [{name: own, targets: [{provider: b, model: o}]}]\n"
                            "    aliases: {best: own}\n"
                            "    prices: {shared: {output: 2}}\n"
                            "  - name: team\n"
                            "    parent: acme\n"
                            "    timeouts: {idle: 20s}\n"
                            "    models: [{name: shared, targets: [{provider: b, model: t}]}]\n"
                            "  - name: other\n";

static void inheritance(void) {
    struct conf *c = load(house);
    const struct conf_tenant *acme = conf_tenant_find(c, STR("acme")), *team = conf_tenant_find(c, STR("team"));
    const struct conf_tenant *project = conf_tenant_find(c, STR("project")), *other = conf_tenant_find(c, STR("other"));
    REQUIRE(acme && team && project && other);
    CHECK(project->up == team && team->up == acme && !acme->up && !other->up);
    CHECK(!conf_tenant_find(c, STR("nobody")) && !conf_tenant_find(c, STR("")));
    CHECK_INT(acme->limits.max_body, 4 << 20);
    CHECK_INT(team->limits.max_body, 4 << 20);
    CHECK_INT(project->limits.max_body, 4 << 20);
    CHECK_INT(project->limits.max_response, 1 << 20);
    CHECK_INT(team->limits.max_response, 32 << 20);
    CHECK_INT(other->limits.max_body, 8 << 20);
    CHECK_INT(project->timeouts.total, 30000);
    CHECK_INT(project->timeouts.idle, 20000);
    CHECK_INT(acme->timeouts.idle, 10000);
    CHECK_INT(project->timeouts.connect, OPT_UNSET);
    CHECK_INT(other->timeouts.total, OPT_UNSET);
    CHECK_STR(project->branding.name, STR("Acme AI"));
    CHECK_STR(project->branding.support, STR("project@example.com"));
    CHECK_STR(team->branding.support, STR("help@example.com"));
    CHECK_INT(other->branding.support.n, 0);
    conf_unref(c);
}

// "b:o": provider and upstream model of what a name leads to; "" for nothing.
static void leads_to(const struct conf *c, const char *tenant, const char *name, const char *want) {
    struct conf_choice choice;
    char got[100] = "";
    const struct conf_tenant *t = *tenant ? conf_tenant_find(c, str_c(tenant)) : NULL;
    if (conf_resolve(c, t, str_c(name), &choice)) {
        struct str provider = choice.model ? choice.model->targets.p[0].provider : choice.peer->name;
        struct str model = choice.model ? choice.model->targets.p[0].model : choice.upstream;
        snprintf(got, sizeof got, "%.*s:%.*s", STR_ARG(provider), STR_ARG(model));
    }
    if (strcmp(got, want) != 0) fprintf(stderr, "%s of \"%s\":\n", name, tenant);
    CHECK_STR(str_c(got), str_c(want));
}

static void names(void) {
    struct conf *c = load(house);
    leads_to(c, "", "own", "");
    leads_to(c, "other", "own", "");
    leads_to(c, "acme", "own", "b:o");
    leads_to(c, "project", "own", "b:o");
    leads_to(c, "", "shared", "a:s");
    leads_to(c, "acme", "shared", "a:s");
    leads_to(c, "team", "shared", "b:t");
    leads_to(c, "project", "shared", "b:t");
    leads_to(c, "", "best", "a:g");
    leads_to(c, "other", "best", "a:g");
    leads_to(c, "project", "best", "b:o");
    // A general alias leads to what its target is to the tenant.
    leads_to(c, "", "fast", "a:s");
    leads_to(c, "team", "fast", "b:t");
    leads_to(c, "team", "a/x", "a:x");
    leads_to(c, "team", "", "");
    CHECK_INT(conf_price_find(c, NULL, STR("a"), STR("shared"))->output, 1000000);
    CHECK_INT(conf_price_find(c, conf_tenant_find(c, STR("acme")), STR("a"), STR("shared"))->output, 2000000);
    CHECK(!conf_price_find(c, conf_tenant_find(c, STR("team")), STR("a"), STR("shared")));
    conf_unref(c);
}

static void allowed_models(void) {
    struct conf *c = load("providers: [{name: a, kind: demo}]\n"
                          "tenants:\n"
                          "  - {name: top, allow_models: [\"gpt-5*\", claude, a/echo]}\n"
                          "  - {name: middle, parent: top}\n"
                          "  - {name: low, parent: middle, allow_models: [gpt-5-mini, claude, llama]}\n"
                          "  - {name: all, allow_models: [\"*\"]}\n");
    static const struct {
        const char *tenant, *model, *refuser;
    } cases[] = {
        {"top", "gpt-5", ""},     {"top", "gpt-5-mini", ""},  {"top", "gpt-4", "top"}, {"top", "gpt", "top"},
        {"top", "claude", ""},    {"top", "claude-3", "top"}, {"top", "", "top"},      {"top", "GPT-5", "top"},
        {"top", "a/echo", ""},    {"top", "a/demo", "top"},   {"middle", "gpt-5", ""}, {"middle", "llama", "top"},
        {"low", "gpt-5", "low"},  {"low", "gpt-5-mini", ""},  {"low", "claude", ""},   {"low", "llama", "top"},
        {"low", "gpt-5*", "low"}, {"all", "anything", ""},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const struct conf_tenant *t = conf_tenant_find(c, str_c(cases[i].tenant));
        const struct conf_tenant *by = conf_tenant_refuser(t, str_c(cases[i].model));
        CHECK_STR(by ? by->name : STR(""), str_c(cases[i].refuser));
        CHECK(conf_tenant_allows(t, str_c(cases[i].model)) == !by);
    }
    CHECK(conf_tenant_allows(NULL, STR("anything")));
    conf_unref(c);
}

static void warnings(void) {
    struct buf said = BUF_INIT(1 << 16);
    struct conf *c = load_str(STR("providers: [{name: a, kind: demo}]\n"
                                  "tenants:\n"
                                  "  - {name: top, allow_models: [nothing-known]}\n"
                                  "  - name: low\n"
                                  "    parent: top\n"
                                  "    models: [{name: own, targets: [{provider: a}]}]\n"),
                              &said);
    CHECK_STR(
        str_head(buf_str(&said), str_find_char(buf_str(&said), '\n')),
        STR("penstock.yaml:6:21: warning: tenants[1]: its keys can't use its own \"own\": allow_models of \"top\" "
            "leaves it out"));
    CHECK(str_find(buf_str(&said), STR("nothing-known")) == said.n);
    conf_unref(c);
    buf_clear(&said);
    c = load_str(STR("providers: [{name: a, kind: demo}]\n"
                     "passthrough_models: false\n"
                     "models: [{name: gpt-5-mini, targets: [{provider: a}]}]\n"
                     "aliases: {fast: gpt-5-mini}\n"
                     "tenants:\n"
                     "  - name: top\n"
                     "    models: [{name: llama-4, targets: [{provider: a}]}]\n"
                     "    allow_models: [gpt-5-mini, gpt-5*, fast, llama*, \"*\"]\n"
                     "  - {name: low, parent: top, allow_models: [llama-4]}\n"),
                 &said);
    CHECK_INT(said.n, 0);
    conf_unref(c);
    buf_free(&said);
}

static void waits_and_buffers(void) {
    struct buf said = BUF_INIT(1 << 16);
    // A short total alone is no fault, nor is a tenant's that is above a provider's.
    struct conf *c = load_str(STR("providers: [{name: a, kind: demo, timeouts: {total: 10s}}]\n"
                                  "timeouts: {total: 20s}\n"
                                  "limits: {max_response: 1 MiB}\n"
                                  "tenants: [{name: t, timeouts: {first_byte: 1h, total: 2h}}]\n"),
                              &said);
    CHECK_INT(said.n, 0);
    conf_unref(c);
    buf_free(&said);
}

// Chains of eight, each tenant with models, aliases and patterns of its own.
static void thousands(void) {
    enum { TENANTS = 5000 };
    struct buf text = BUF_INIT((size_t)8 << 20);
    buf_lit(&text, "passthrough_models: false\nproviders: [{name: a, kind: demo}]\nmodels:\n");
    for (int i = 0; i < 500; i++) buf_printf(&text, "  - {name: gpt-%d, targets: [{provider: a}]}\n", i);
    buf_lit(&text, "tenants:\n");
    for (int i = 0; i < TENANTS; i++) {
        buf_printf(&text, "  - name: t%d\n    allow_models: [\"gpt-*\", \"own*\"]\n    aliases: {own-fast: gpt-%d}\n",
                   i, i % 500);
        buf_printf(&text, "    models: [{name: own%d, targets: [{provider: a}]}]\n", i);
        if (i % 8) buf_printf(&text, "    parent: t%d\n    limits: {max_body: %d KiB}\n", i - 1, 1000 - i % 8);
    }
    struct conf *c = load_str(buf_str(&text), NULL);
    CHECK_INT(c->tenants.n, TENANTS);
    leads_to(c, "t4999", "own4993", "a:own4993");
    leads_to(c, "t4999", "own4991", "");
    leads_to(c, "t4999", "own-fast", "a:gpt-499");
    CHECK_INT(conf_tenant_find(c, STR("t4999"))->limits.max_body, 993 << 10);
    conf_unref(c);
    buf_free(&text);
}

TEST_MAIN(inheritance, names, allowed_models, warnings, waits_and_buffers, thousands)
