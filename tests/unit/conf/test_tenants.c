// Tenants: what they inherit and override, what names mean to them, and that thousands of them load at once.
#include "check.h"
#include "conf/conf.h"
#include "conf/pii_kind.h"
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

// What makes them private: the innermost that speaks of it, at last in general.
static void private_when(void) {
    struct conf *c = load("providers: [{name: a, base_url: \"http://127.0.0.1:1/v1\"}]\n"
                          "models: [{name: m, targets: [{provider: a}]}]\n"
                          "routing: {private_when: [iban]}\n"
                          "tenants:\n"
                          "- {name: under, parent: clinic}\n"
                          "- {name: clinic, private_when: [email, credit_card],\n"
                          "   teams: [{name: press, private_when: [none]}, {name: lab, privacy: any}],\n"
                          "   keys: [{name: vault, private_when: [all]}]}\n"
                          "- {name: plain}\n");
    static const struct {
        const char *tenant;
        struct conf_caller caller;
        unsigned kinds;
    } cases[] = {
        {"clinic", {.team = {0}}, PII_BIT(PII_EMAIL) | PII_BIT(PII_CREDIT_CARD)},
        {"under", {.team = {0}}, PII_BIT(PII_EMAIL) | PII_BIT(PII_CREDIT_CARD)},
        {"clinic", {.team = STR_INIT("press")}, 0},
        {"clinic", {.team = STR_INIT("lab")}, PII_BIT(PII_EMAIL) | PII_BIT(PII_CREDIT_CARD)},
        {"clinic", {.team = STR_INIT("press"), .key = STR_INIT("vault")}, PII_ALL},
        {"plain", {.team = {0}}, PII_BIT(PII_IBAN)},
    };
    struct arena a;
    struct err err;
    arena_init(&a, NULL, 0, (size_t)1 << 20);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const struct conf_tenant *t;
        REQUIRE(conf_level_of(conf_tenant_find(c, str_c(cases[i].tenant)), &cases[i].caller, &a, &t, &err));
        CHECK_INT(conf_level_private_when(c, t), cases[i].kinds);
    }
    CHECK_INT(conf_level_private_when(c, NULL), PII_BIT(PII_IBAN));
    arena_free(&a);
    conf_unref(c);
}

// Where requests may go: the innermost that speaks of it.
static void places(void) {
    struct conf *c = load("providers: [{name: a, base_url: \"http://127.0.0.1:1/v1\"}]\n"
                          "models: [{name: m, targets: [{provider: a}]}]\n"
                          "tenants:\n"
                          "- {name: under, parent: clinic}\n"
                          "- {name: clinic, privacy: private, regions: [eu, ch],\n"
                          "   teams: [{name: press, privacy: any, regions: [any]}, {name: lab, privacy: inherit}],\n"
                          "   projects: [{name: site, team: press, regions: [us]}, {name: free}],\n"
                          "   keys: [{name: vault, privacy: private}]}\n"
                          "- {name: plain}\n");
    static const struct {
        const char *tenant;
        struct conf_caller caller;
        bool private;
        const char *regions;
    } cases[] = {{"clinic", {.team = {0}}, true, "eu ch "},
                 {"under", {.team = {0}}, true, "eu ch "},
                 {"clinic", {.team = STR_INIT("press")}, false, ""},
                 {"clinic", {.team = STR_INIT("lab")}, true, "eu ch "},
                 {"clinic", {.project = STR_INIT("site")}, false, "us "},
                 {"clinic", {.project = STR_INIT("site"), .key = STR_INIT("vault")}, true, "us "},
                 {"clinic", {.team = STR_INIT("press"), .project = STR_INIT("free")}, false, ""},
                 {"plain", {.team = {0}}, false, ""}};
    struct arena a;
    struct err err;
    arena_init(&a, NULL, 0, (size_t)1 << 20);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const struct conf_tenant *t;
        const struct str *regions;
        struct buf got = BUF_INIT(100);
        REQUIRE(conf_level_of(conf_tenant_find(c, str_c(cases[i].tenant)), &cases[i].caller, &a, &t, &err));
        CHECK_INT(conf_level_private(t), cases[i].private);
        size_t n = conf_level_regions(t, &regions);
        for (size_t k = 0; k < n; k++) buf_printf(&got, "%.*s ", STR_ARG(regions[k]));
        CHECK_STR(buf_str(&got), str_c(cases[i].regions));
        buf_free(&got);
    }
    const struct str *none;
    CHECK(!conf_level_private(NULL) && conf_level_regions(NULL, &none) == 0);
    arena_free(&a);
    conf_unref(c);
}

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
    CHECK_INT(conf_price_find(c, NULL, STR("a"), STR("shared"))->rates.output, 1000000);
    CHECK_INT(conf_price_find(c, conf_tenant_find(c, STR("acme")), STR("a"), STR("shared"))->rates.output, 2000000);
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

// --- teams, projects, keys ---

static const char levels_text[] =
    "providers: [{name: a, kind: demo}, {name: b, kind: demo}]\n"
    "passthrough_models: false\n"
    "models: [{name: general, targets: [{provider: a, model: g}]}, {name: x, targets: [{provider: a}]},\n"
    "  {name: y, targets: [{provider: a}]}]\n"
    "aliases: {best: general}\n"
    "tenants:\n"
    "- name: acme\n"
    "  limits: {max_body: 8 MiB}\n"
    "  timeouts: {total: 30s}\n"
    "  branding: {name: Acme, support: acme@example.com}\n"
    "  keys:\n" // before what they lie in
    "  - {name: nightly, project: search, limits: {max_body: 1 MiB}, aliases: {best: own}}\n"
    "  - {name: loose, limits: {max_body: 5 MiB}, aliases: {best: general, x: y}}\n"
    "  - {name: helper, team: ml, branding: {support: helper@example.com}}\n"
    "  - {name: sealed, project: search, team: ml}\n"
    "  projects:\n"
    "  - {name: search, team: ml, models: [{name: own, targets: [{provider: b, model: o}]}]}\n"
    "  - {name: free, allow_models: [general, best], limits: {max_body: 6 MiB}, aliases: {y: x}}\n"
    "  teams:\n"
    "  - {name: ml, limits: {max_body: 4 MiB}, timeouts: {idle: 20s}, aliases: {best: x}}\n"
    "  - {name: web, allow_models: [best, general, x]}\n"
    "- {name: lab, parent: acme, teams: [{name: ml}]}\n"
    "- {name: bare}\n";

static const struct conf_tenant *level_get(const struct conf *c, const char *tenant, enum conf_level_kind kind,
                                           const char *name) {
    return conf_level_find(conf_tenant_find(c, str_c(tenant)), kind, str_c(name));
}

static void chains(void) {
    struct conf *c = load(levels_text);
    const struct conf_tenant *acme = conf_tenant_find(c, STR("acme"));
    const struct conf_tenant *ml = level_get(c, "acme", LEVEL_TEAM, "ml"),
                             *web = level_get(c, "acme", LEVEL_TEAM, "web");
    const struct conf_tenant *search = level_get(c, "acme", LEVEL_PROJECT, "search");
    const struct conf_tenant *nightly = level_get(c, "acme", LEVEL_KEY, "nightly");
    const struct conf_tenant *lab = level_get(c, "lab", LEVEL_TEAM, "ml");
    REQUIRE(acme && ml && web && search && nightly && lab);
    CHECK(nightly->up == search && search->up == ml && ml->up == acme && !acme->up);
    CHECK(level_get(c, "acme", LEVEL_KEY, "loose")->up == acme);
    CHECK(level_get(c, "acme", LEVEL_KEY, "helper")->up == ml);
    CHECK(level_get(c, "acme", LEVEL_KEY, "sealed")->up == search);
    CHECK(level_get(c, "acme", LEVEL_PROJECT, "free")->up == acme);
    CHECK(lab != ml && lab->of == conf_tenant_find(c, STR("lab")) && lab->up == lab->of && lab->up->up == acme);
    CHECK(!level_get(c, "acme", LEVEL_TEAM, "search") && !level_get(c, "bare", LEVEL_TEAM, "ml"));
    CHECK(!level_get(c, "acme", LEVEL_TEAM, "") && !level_get(c, "acme", LEVEL_TENANT, "ml"));
    CHECK_INT(nightly->limits.max_body, 1 << 20);
    CHECK_INT(search->limits.max_body, 4 << 20);
    CHECK_INT(web->limits.max_body, 8 << 20);
    CHECK_INT(nightly->timeouts.total, 30000);
    CHECK_INT(nightly->timeouts.idle, 20000);
    CHECK_INT(web->timeouts.idle, OPT_UNSET);
    CHECK_STR(nightly->branding.support, STR("acme@example.com"));
    CHECK(conf_tenant_refuser(web, STR("y")) == web && !conf_tenant_refuser(web, STR("best")));
    struct conf_level_at at = {0};
    struct buf all = BUF_INIT(1024);
    for (const struct conf_tenant *t; (t = conf_level_next(c, &at)) != NULL;)
        buf_printf(&all, "%s %.*s of %.*s\n", conf_level_word(t->kind), STR_ARG(t->name), STR_ARG(t->of->name));
    CHECK_STR(
        buf_str(&all),
        STR("tenant acme of acme\nteam ml of acme\nteam web of acme\nproject search of acme\nproject free of acme\n"
            "key nightly of acme\nkey loose of acme\nkey helper of acme\nkey sealed of acme\n"
            "tenant lab of lab\nteam ml of lab\ntenant bare of bare\n"));
    buf_free(&all);
    conf_unref(c);
}

// "key nightly > project search > …", then limits.max_body and where "best" leads to; or the refusal.
static struct str held(const struct conf *c, const char *tenant, struct conf_caller caller, struct arena *a) {
    const struct conf_tenant *t = NULL;
    struct conf_choice choice;
    struct err err;
    struct buf out = BUF_INIT(4096);
    if (!conf_level_of(conf_tenant_find(c, str_c(tenant)), &caller, a, &t, &err)) {
        CHECK(err.code == ERR_FORBIDDEN);
        buf_put(&out, str_c(err.message));
    }
    for (const struct conf_tenant *up = t; up; up = up->up)
        buf_printf(&out, "%s%s %.*s", up == t ? "" : " > ", conf_level_word(up->kind), STR_ARG(up->name));
    if (t) buf_printf(&out, "; %lld MiB", (long long)(t->limits.max_body >> 20));
    if (t && conf_resolve(c, t, STR("best"), &choice)) buf_printf(&out, "; %.*s", STR_ARG(choice.model->name));
    struct str kept = arena_str(a, buf_str(&out));
    buf_free(&out);
    return kept;
}

static const struct {
    const char *tenant, *team, *project, *key, *want;
} k_callers[] = {
    {"bare", "ml", "search", "nightly", "tenant bare; 32 MiB; general"},
    {"acme", "", "", "", "tenant acme; 8 MiB; general"},
    {"acme", "other", "other", "other", "tenant acme; 8 MiB; general"},
    {"acme", "ml", "", "", "team ml > tenant acme; 4 MiB; x"},
    // The configuration names the team alone
    {"acme", "ml", "unknown", "unknown", "team ml > tenant acme; 4 MiB; x"},
    {"acme", "ml", "search", "", "project search > team ml > tenant acme; 4 MiB; x"},
    // It says more than is known of the project
    {"acme", "", "search", "", "project search > team ml > tenant acme; 4 MiB; x"},
    {"acme", "ml", "search", "nightly", "key nightly > project search > team ml > tenant acme; 1 MiB; own"},
    // A key of that name in another place is another
    {"acme", "ml", "", "nightly", "team ml > tenant acme; 4 MiB; x"},
    {"acme", "", "free", "nightly", "project free > tenant acme; 6 MiB; general"},
    {"acme", "ml", "", "helper", "key helper > team ml > tenant acme; 4 MiB; x"},
    {"acme", "ml", "unknown", "helper", "key helper > team ml > tenant acme; 4 MiB; x"},
    {"acme", "web", "", "helper", "team web > tenant acme; 8 MiB; general"},
    {"acme", "", "search", "sealed", "key sealed > project search > team ml > tenant acme; 4 MiB; x"},
    // What does not say where it lies is wherever it was made
    {"acme", "", "", "loose", "key loose > tenant acme; 5 MiB; general"},
    {"acme", "ml", "search", "loose", "key loose > project search > team ml > tenant acme; 4 MiB; general"},
    {"acme", "web", "", "loose", "key loose > team web > tenant acme; 5 MiB; general"},
    {"acme", "web", "free", "", "project free > team web > tenant acme; 6 MiB; general"},
    {"acme", "ml", "free", "loose", "key loose > project free > team ml > tenant acme; 4 MiB; general"},
    {"acme", "ml", "search", "helper", "key helper > project search > team ml > tenant acme; 4 MiB; x"},
    {"lab", "ml", "search", "nightly", "team ml > tenant lab > tenant acme; 8 MiB; general"},
    // It says otherwise
    {"acme", "web", "search", "",
     "project \"search\" of this key lies in team \"web\", and the configuration has it in team \"ml\"; the "
     "operator "
     "can correct `team` of the project under `tenants`, or move the project"},
};

static void callers(void) {
    struct conf *c = load(levels_text);
    struct arena a;
    arena_init(&a, NULL, 0, 1 << 20);
    for (size_t i = 0; i < ARRAY_LEN(k_callers); i++) {
        struct conf_caller caller = {str_c(k_callers[i].team), str_c(k_callers[i].project), str_c(k_callers[i].key)};
        CHECK_STR(held(c, k_callers[i].tenant, caller, &a), str_c(k_callers[i].want));
    }
    // What is made for a caller inherits as what is configured does.
    const struct conf_tenant *t, *acme = conf_tenant_find(c, STR("acme"));
    struct err err;
    struct conf_caller caller = {STR("ml"), STR("free"), STR("loose")};
    REQUIRE(conf_level_of(acme, &caller, &a, &t, &err));
    CHECK(t != level_get(c, "acme", LEVEL_KEY, "loose") && t->of == acme);
    CHECK_INT(t->timeouts.idle, 20000);
    CHECK_INT(t->timeouts.total, 30000);
    CHECK_STR(t->branding.support, STR("acme@example.com"));
    CHECK_STR(conf_tenant_refuser(t, STR("own"))->name, STR("free"));
    // Two aliases that meet only here go in a circle, and lead nowhere.
    struct conf_choice choice;
    CHECK(!conf_resolve(c, t, STR("x"), &choice) && !conf_resolve(c, t, STR("y"), &choice));
    CHECK(conf_resolve(c, level_get(c, "acme", LEVEL_KEY, "loose"), STR("x"), &choice));
    arena_free(&a);
    // Without memory nothing is made, and that is said.
    arena_init(&a, NULL, 0, 64);
    CHECK(!conf_level_of(acme, &caller, &a, &t, &err));
    arena_free(&a);
    conf_unref(c);
}

TEST_MAIN(inheritance, private_when, places, names, chains, callers, allowed_models, warnings, waits_and_buffers,
          thousands)
