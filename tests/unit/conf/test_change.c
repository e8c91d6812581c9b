// Configurations are compared by meaning: a table of pairs, every option one at a time, and what is not told.
#include "check.h"
#include "conf/change.h"
#include "conf/opt_text.h"
#include "conf/opt_value.h"
#include "conf/path.h"

static const char *env_get(void *ctx, const char *name) {
    (void)ctx;
    if (strcmp(name, "OPENAI_API_KEY") == 0) return "sk-environment";
    if (strcmp(name, "DATABASE_URL") == 0) return "postgres://h/d";
    if (strcmp(name, "REDIS_URL") == 0) return "redis://h";
    return strcmp(name, "URL") == 0 ? "http://127.0.0.1:1/v1" : NULL;
}

static struct conf *load(const char *text) {
    static const struct conf_env env = {.get = env_get};
    struct conf_problems problems;
    struct conf *c = NULL;
    conf_problems_init(&problems);
    if (!conf_load_text(str_c(text), STR("penstock.yaml"), &env, &problems, &c)) {
        struct buf b = BUF_INIT(1 << 16);
        conf_problems_print(&problems, &b);
        fprintf(stderr, "%.*s", STR_ARG(buf_str(&b)));
        buf_free(&b);
    }
    conf_problems_free(&problems);
    REQUIRE(c != NULL);
    return c;
}

#define P "providers: [{name: a, kind: demo}, {name: b, kind: openai, base_url: \"http://127.0.0.1:1/v1\"}]\n"
#define NO_PASS "passthrough_models: false\n"
#define LEVELS_BUT(more)                                                                                               \
    "tenants: [{name: t, " more "teams: [{name: ml}, {name: web}], projects: [{name: search, team: ml}, "              \
    "{name: free}],\nkeys: [{name: nightly, project: search}, {name: \"a, b\"}]}, {name: v, parent: t, teams: "        \
    "[{name: ml}]}]\n"
#define LEVELS LEVELS_BUT("")

static const struct {
    const char *a, *b, *want;
} pairs[] = {
    {"", "", ""},
    {"limits: {max_body: 1 MiB}\n", "limits: {max_body: 1048576}\n", ""}, // as it is meant, not as it is written
    {"limits: {max_body: 32 MiB}\n", "", ""},
    {"", "limits: {max_body: 64 MiB}\n", "~ limits.max_body: 32 MiB → 64 MiB   live   every request\n"},
    {"", "server: {workers: 4}\n", "~ server.workers: 0 → 4   restart   every request\n"},
    {"", "server: {port: 9090}\n", "~ server.port: 8080 → 9090   drain   every request\n"},
    {"", "log: {level: debug, file: a b}\n", "~ log.level: info → debug   live\n~ log.file: null → a b   live\n"},
    {"", "timeouts: {total: 700s}\n", "~ timeouts.total: 10m → 11m40s   live   every request\n"},
    // Listeners
    {"listeners: [{address: \":1\"}]\n", "listeners: [{address: \":1\"}, {address: \":2\"}]\n",
     "+ listeners.:2: {}   drain   listeners :2\n"},
    {"listeners: [{address: \":1\"}, {address: \":2\"}]\n", "listeners: [{address: \":2\"}, {address: \":1\"}]\n", ""},
    {"listeners: [{address: \":1\"}]\n", "listeners: [{address: \":1\", tls: {cert: c, key: k}}]\n",
     "~ listeners.:1.tls.cert: null → c   drain   listeners :1\n"
     "~ listeners.:1.tls.key: null → k   drain   listeners :1\n"},
    // Providers
    {P NO_PASS, "providers: [{name: a, kind: demo}]\n" NO_PASS,
     "- providers.b: {kind: openai, base_url: http://127.0.0.1:1/v1}   live\n"},
    {P, "providers: [{name: a, kind: demo}]\n",
     "- providers.b: {kind: openai, base_url: http://127.0.0.1:1/v1}   live   models b/*\n"},
    {P, "providers: [{name: b, kind: openai, base_url: \"http://127.0.0.1:1/v1\"}, {name: a, kind: demo}]\n",
     "~ providers: a, b → b, a   live   every request\n"},
    {"providers: [{name: openai, api_key: aaa}]\n" NO_PASS, "providers: [{name: openai, api_key: bbb}]\n" NO_PASS,
     "~ providers.openai.api_key: *** → ***   live\n"},
    {"providers: [{name: openai}]\n" NO_PASS, "providers: [{name: openai, api_key: sk-environment}]\n" NO_PASS, ""},
    {"providers: [{name: openai, headers: {X-A: one, X-B: two}}]\n" NO_PASS,
     "providers: [{name: openai, headers: {X-B: 2, X-C: three}}]\n" NO_PASS,
     "- providers.openai.headers.X-A: ***   live\n"
     "~ providers.openai.headers.X-B: *** → ***   live\n"
     "+ providers.openai.headers.X-C: ***   live\n"},
    {"providers: [{name: a, kind: openai, base_url: \"${env:URL}\"}]\n" NO_PASS,
     "providers: [{name: a, kind: openai, base_url: \"http://127.0.0.1:1/v1\"}]\n" NO_PASS, ""},
    {"providers: [{name: a, kind: openai, base_url: \"${env:URL}\"}]\n" NO_PASS,
     "providers: [{name: a, kind: openai, base_url: \"http://127.0.0.1:2/v1\"}]\n" NO_PASS,
     "~ providers.a.base_url: \"${env:URL}\" → http://127.0.0.1:2/v1   live\n"},
    // Models, aliases and tenants that a provider's change reaches
    {P NO_PASS "models: [{name: m, targets: [{provider: a}]}, {name: n, targets: [{provider: b}]}]\n"
               "aliases: {x: m, y: x, z: n}\n"
               "tenants: [{name: t, allow_models: [y]}, {name: u, allow_models: [z]}, {name: v}]\n",
     "providers: [{name: a, kind: demo, max_idle_connections: 3}, {name: b, kind: openai, base_url: "
     "\"http://127.0.0.1:1/v1\"}]\n" NO_PASS
     "models: [{name: m, targets: [{provider: a}]}, {name: n, targets: [{provider: b}]}]\n"
     "aliases: {x: m, y: x, z: n}\n"
     "tenants: [{name: t, allow_models: [y]}, {name: u, allow_models: [z]}, {name: v}]\n",
     "~ providers.a.max_idle_connections: 256 → 3   live   models m; aliases x, y; tenants t, v\n"},
    {P "models: [{name: m, targets: [{provider: a}]}]\naliases: {x: m}\n",
     P "models: [{name: m, targets: [{provider: a}, {provider: b, weight: 2}]}]\naliases: {x: m}\n",
     "~ models.m.targets: [{provider: a}] → [{provider: a}, {provider: b, weight: 2}]   live   models m; aliases x\n"},
    {P "models: [{name: m, targets: [{provider: a}]}]\n", P "models: [{name: m, targets: [{provider: b}]}]\n",
     "~ models.m.targets[0].provider: a → b   live   models m\n"},
    {P "models: [{name: m, targets: [{provider: a}]}]\n",
     P "models: [{name: m, targets: [{provider: a}]}, {name: n.1, targets: [{provider: a}], price: {input: 2}}]\n",
     "+ models.\"n.1\": {targets: [{provider: a}], price: {input: 2}}   live   models n.1\n"},
    {P "aliases: {x: a/q, y: x}\n", P "aliases: {x: a/r, y: x, z: b/s}\n",
     "~ aliases.x: a/q → a/r   live   aliases x, y\n+ aliases.z: b/s   live   aliases z\n"},
    {P "prices: {a/q: {input: 1}}\n", P "prices: {a/q: {input: 1.5, output: 2}}\n",
     "~ prices.a/q.input: 1 → 1.5   live   models a/q\n~ prices.a/q.output: null → 2   live   models a/q\n"},
    {P "tenants: [{name: t}, {name: u, parent: t}]\n",
     P "tenants: [{name: t, limits: {max_body: 1 MiB}}, {name: u, parent: t}]\n",
     "~ tenants.t.limits.max_body: 32 MiB → 1 MiB   live   tenants t, u\n"},
    {P "tenants: [{name: t}]\n", P "tenants: [{name: t}, {name: u, branding: {name: U}}]\n",
     "+ tenants.u: {branding: {name: U}}   live   tenants u\n"},
    // Teams, projects, keys: of a change they are touched below it
    {P LEVELS, P LEVELS_BUT("limits: {max_body: 1 MiB}, "),
     "~ tenants.t.limits.max_body: 32 MiB → 1 MiB   live   tenants t, v; teams t/ml, t/web, v/ml; projects t/free, "
     "t/search; keys t/\"a, b\", t/nightly\n"},
    {P LEVELS,
     P "tenants: [{name: t, teams: [{name: ml, aliases: {x: a/y}}, {name: web}],\n"
       "projects: [{name: search, team: ml}, {name: free}], keys: [{name: nightly, project: search},\n"
       "{name: \"a, b\"}]}, {name: v, parent: t, teams: [{name: ml}]}]\n",
     "+ tenants.t.teams.ml.aliases.x: a/y   live   teams t/ml; projects t/search; keys t/nightly\n"},
    {P LEVELS,
     P "tenants: [{name: t, teams: [{name: ml}], projects: [{name: search}, {name: free}],\n"
       "keys: [{name: nightly, project: search}, {name: \"a, b\"}, {name: new}]}, {name: v, parent: t, "
       "teams: [{name: ml}]}]\n",
     "- tenants.t.teams.web: {}   live   teams t/web\n"
     "~ tenants.t.projects.search.team: ml → null   live   projects t/search; keys t/nightly\n"
     "+ tenants.t.keys.new: {}   live   keys t/new\n"},
    {P NO_PASS "models: [{name: m, targets: [{provider: a}]}]\n"
               "tenants: [{name: t, allow_models: [m], teams: [{name: on}, {name: off, allow_models: [z]}]}]\n",
     P NO_PASS "models: [{name: m, targets: [{provider: b}]}]\n"
               "tenants: [{name: t, allow_models: [m], teams: [{name: on}, {name: off, allow_models: [z]}]}]\n",
     "~ models.m.targets[0].provider: a → b   live   models m; tenants t; teams t/on\n"},
    {"webhooks: [{name: w, url: \"https://x.example/\", secret: s1}]\n",
     "webhooks: [{name: w, url: \"https://x.example/\", secret: s2, events: [config.*]}]\n",
     "~ webhooks.w.secret: *** → ***   live\n~ webhooks.w.events: [] → [config.*]   live\n"},
    // How it is made up is no difference.
    {"version: 2\nprofiles: {p: {log: {level: debug}}}\n", "", ""},
};

static struct str changes_text(const struct conf *a, const struct conf *b, struct buf *out) {
    struct conf_changes changes;
    conf_changes_init(&changes);
    conf_compare(a, b, &changes);
    CHECK(!changes.failed);
    buf_clear(out);
    conf_changes_print(&changes, out);
    conf_changes_free(&changes);
    return buf_str(out);
}

static void table_of_pairs(void) {
    struct buf out = BUF_INIT(1 << 16);
    for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
        struct conf *a = load(pairs[i].a), *b = load(pairs[i].b);
        CHECK_STR(changes_text(a, b, &out), str_c(pairs[i].want));
        CHECK_STR(changes_text(a, a, &out), STR(""));
        CHECK_STR(changes_text(b, b, &out), STR(""));
        if (!*pairs[i].want) CHECK_STR(changes_text(b, a, &out), STR(""));
        conf_unref(a);
        conf_unref(b);
    }
    buf_free(&out);
}

static void as_json(void) {
    struct conf *a = load(P "tenants: [{name: t}]\n"),
                *b = load("providers: [{name: a, kind: demo, tls_verify: false}]\n"
                          "auth: {required: false}\ntenants: [{name: t}]\n");
    struct buf out = BUF_INIT(1 << 16);
    struct conf_changes changes;
    conf_changes_init(&changes);
    conf_compare(a, b, &changes);
    conf_changes_json(&changes, &out);
    CHECK_STR(
        buf_str(&out),
        STR("[{\"key\":\"providers.a.tls_verify\",\"change\":\"set\",\"before\":\"true\",\"after\":\"false\","
            "\"apply\":\"live\",\"touches\":{\"all\":false,\"models\":[\"a/"
            "*\"],\"aliases\":[],\"tenants\":[\"t\"],\"teams\":[],\"projects\":[],\"keys\":[],"
            "\"listeners\":[]}},"
            "{\"key\":\"providers.b\",\"change\":\"removed\",\"before\":\"{kind: openai, base_url: "
            "http://127.0.0.1:1/v1}\",\"after\":null,\"apply\":\"live\",\"touches\":{\"all\":false,\"models\":"
            "[\"b/*\"],\"aliases\":[],\"tenants\":[\"t\"],\"teams\":[],\"projects\":[],\"keys\":[],\"listeners\":[]}},"
            "{\"key\":\"auth.required\",\"change\":\"set\",\"before\":\"true\",\"after\":\"false\",\"apply\":"
            "\"live\",\"touches\":{\"all\":true,\"models\":[],\"aliases\":[],\"tenants\":[],\"teams\":[],\"projects\":["
            "],\"keys\":[],\"listeners\":[]}}]"));
    conf_changes_free(&changes);
    buf_free(&out);
    conf_unref(a);
    conf_unref(b);
}

// --- every option, one at a time ---

#define OF_LEVEL                                                                                                       \
    "limits: {max_body: 1 MiB, max_response: 1 MiB}, branding: {name: n, support: s},\n"                               \
    "    timeouts: {connect: 1s, first_byte: 1s, idle: 1s, total: 5m}, privacy: private, regions: [eu],\n"             \
    "    private_when: [email]"
#define OF_RATES                                                                                                       \
    "input: 1, output: 1, cached_input: 1, cache_write: 1, cache_write_1h: 1, reasoning: 1, audio_input: 1,\n"         \
    "    audio_output: 1"
#define OF_LIMITS                                                                                                      \
    "limits: {requests_per_minute: 5, tokens_per_minute: 5, input_tokens_per_minute: 5, output_tokens_per_minute: 5, " \
    "concurrency: 5}"
#define OF_ROUTING                                                                                                     \
    "routing: {retry: {attempts: 2, same_target: 1, base: 1s, max: 2s, share: 0.5}, "                                  \
    "hedge: {share: 0.1, after: 1s, quantile: 0.9}, breaker: {failures: 3, error_rate: 0.2, min_requests: 5, "         \
    "window: 5s, open: 1s, max_open: 9s, probes: 2, max_ejected: 0.1, slow_start: 1s}, "                               \
    "timeouts: {first_token: 1s, inter_token: 1s, total: 1s, min_rate: 1}, "                                           \
    "balance: {cost: 2, latency: 2, quality: 2}, queue: {max_wait: 1s, max_length: 5}, "                               \
    "fallbacks: {general: [m2], context_window: [m2], content_policy: [m2], timeout: [m2], rate_limit: [m2]}, "        \
    "quality: {share: 0.5, judge: {model: m2, share: 0.1}, explore: 0.1, retry_on: [empty]}, "                         \
    "min_quality: 0.1, max_cost: 0.1, continue: 1, affinity: user, coalesce: all, coalesce_billing: one, "             \
    "warm: always}"
#define OF_TRIALS                                                                                                      \
    "   canary: {model: m2, steps: [0.1, 0.2], every: 1m, min_requests: 5, max_error_increase: 0.1, "                  \
    "max_quality_drop: 0.1, significance: 0.1}, shadow: {model: m2, share: 0.1, max_in_flight: 5, charge: false},\n"
#define OF_PRICE OF_RATES ", image: 1, batch: 0.5, long_prompt: {above: 5, " OF_RATES "}"
static const char everything[] =
    "server: {workers: 2, drain_timeout: 1m, host: 127.0.0.1, port: 1, trusted_proxies: [10.0.0.0/8]}\n"
    "listeners:\n"
    "- address: 127.0.0.1:8080\n"
    "  tls: {cert: c, key: k, client_ca: ca, client_auth: required, min_version: \"1.2\",\n"
    "        sni: [{name: x.example, cert: a, key: b}]}\n"
    "providers:\n"
    "- {name: p, kind: openai, dialect: openai, passthrough: false, base_url: \"http://127.0.0.1:1/v1\", api_key: k, "
    "headers: {X-A: b},\n"
    "   region: r, access_key_id: i, session_token: t, api_version: v,\n"
    "   credentials: c, project: j, location: l,\n"
    "   proxy: \"http://127.0.0.1:3\", tls_ca: ca, tls_verify: true, max_idle_connections: 2,\n"
    "   timeouts: {connect: 1s, first_byte: 1s, idle: 1s, total: 5m}, privacy: remote,\n"
    "   health_check: {path: /h, interval: 1s, timeout: 1s, rise: 5, fall: 5}, " OF_LIMITS "}\n"
    "- {name: p2, base_url: \"http://127.0.0.1:1/v1\", keys: [{name: kk, api_key: k, weight: 2, " OF_LIMITS "}]}\n"
    "models:\n"
    "- {name: m, targets: [{provider: p, model: q, weight: 1, priority: 1, region: r, arm: a, tags: [t],\n"
    "   when: tokens > 5, tiers: [simple], " OF_LIMITS
    "}], base: openai/gpt-4o, strategy: cost, tasks: {code: m2}, " OF_ROUTING ",\n" OF_TRIALS
    "   chain_max_cost: 1, chain_timeout: 1s,\n"
    "   context_window: 5, max_output_tokens: 5, capabilities: [tools], price: {" OF_PRICE "}}\n"
    "- {name: m2, targets: [{provider: p}]}\n"
    "- {name: some, targets: [{provider: p}]}\n"
    "aliases: {x: m}\n"
    "passthrough_models: true\n"
    "vault: {address: \"http://127.0.0.1:4\", namespace: n, auth: token, mount: m, token: t, role_id: r, secret_id: "
    "s,\n"
    "        role: o, jwt_file: j, tls_ca: c, tls_verify: true, timeout: 1s, poll_interval: 10s}\n";
// Lists of sections that are stated otherwise by their defaults.
static const char lists[] =
    "audit:\n"
    "  on_failure: refuse\n"
    "  sinks: [{name: s, type: syslog, address: \"udp://127.0.0.1:6\", path: p, format: json, facility: local0, "
    "secret: s,\n"
    "           tls_ca: c, rotate_size: 1 MiB, keep: 2}]\n"
    "content_log: [{tenant: t, enabled: true, mask: [email], max_bytes: 1 KiB, keep: 1d}]\n"
    "prices: {p/q: {" OF_PRICE "}}\n"
    "tenants:\n"
    "- {name: t, parent: u, allow_models: [m], aliases: {m2: m}, limits: {max_body: 1 MiB, max_response: 1 MiB},\n"
    "   timeouts: {connect: 1s, first_byte: 1s, idle: 1s, total: 5m}, branding: {name: n, support: s},\n"
    "   privacy: private, regions: [eu], private_when: [email],\n"
    "   models: [{name: mc, strategy: cost, chain_max_cost: 1, routing: {affinity: user, coalesce: all, "
    "coalesce_billing: one, warm: always},\n" OF_TRIALS "   chain: "
    "[{name: s, model: m, "
    "prompt: p, system: s, conversation: true, answer: true,\n"
    "     max_tokens: 5, max_cost: 1, timeout: 1s, when: tokens > 5, pass: x, on_failure: fallback, fallback: m}]}],\n"
    "   teams: [{name: tt, allow_models: [m], aliases: {m3: m}, " OF_LEVEL "}],\n"
    "   projects: [{name: tp, team: tt, allow_models: [m], aliases: {m4: m}, " OF_LEVEL "}],\n"
    "   keys: [{name: tk, project: tp, team: tt, allow_models: [m], aliases: {m5: m}, " OF_LEVEL "}]}\n"
    "- {name: u}\n"
    "webhooks: [{name: w, url: \"http://127.0.0.1:5/\", secret: s, events: [config.*], timeout: 1s}]\n";

#define COVERED_MAX 512
struct trying {
    const struct conf *a;
    struct conf *b;
    struct buf path;
    const struct opt *covered[COVERED_MAX];
    size_t n;
};

static void check_one(struct trying *t, const struct opt *opt, enum conf_change_kind kind) {
    enum conf_apply apply = !(opt->flags & OPT_RELOAD) ? APPLY_RESTART
                            : opt->flags & OPT_DRAIN   ? APPLY_DRAIN
                                                       : APPLY_LIVE;
    struct conf_changes changes;
    conf_changes_init(&changes);
    conf_compare(t->a, t->b, &changes);
    CHECK_INT(changes.list.n, 1);
    if (changes.list.n == 1) {
        CHECK_STR(changes.list.p[0].path, buf_str(&t->path));
        CHECK_INT(changes.list.p[0].apply, apply);
        CHECK_INT(changes.list.p[0].kind, kind);
        CHECK(changes.list.p[0].secret == opt_is_secret(opt));
        if (opt_is_secret(opt)) CHECK_STR(changes.list.p[0].after, STR("***"));
    } else {
        fprintf(stderr, "of %.*s\n", STR_ARG(buf_str(&t->path)));
    }
    conf_changes_free(&changes);
    CHECK(t->n < COVERED_MAX);
    t->covered[t->n++] = opt;
}

static void change_value(struct trying *t, const struct opt *opt, char *field) {
    static const struct str other = STR_INIT("something-else");
    union {
        bool truth;
        int choice;
        int64_t number;
        struct str text;
    } old;
    size_t size = opt->type == OPT_BOOL   ? sizeof(bool)
                  : opt->type == OPT_ENUM ? sizeof(int)
                  : opt_is_number(opt)    ? sizeof(int64_t)
                                          : sizeof(struct str);
    memcpy(&old, field, size);
    if (opt->type == OPT_BOOL)
        *field = !*field;
    else if (opt->type == OPT_ENUM)
        *(int *)(void *)field = old.choice == opt->values[0].value ? opt->values[1].value : opt->values[0].value;
    else if (opt_is_number(opt))
        *(int64_t *)(void *)field += 1000;
    else if (opt->type == OPT_STRS)
        ((struct opt_list *)(void *)field)->n = 0;
    else
        memcpy(field, &other, sizeof other);
    check_one(t, opt, CHANGE_SET);
    memcpy(field, &old, size);
}

static void try_table(struct trying *t, const struct opt_table *table, char *b, bool named);

static void try_items(struct trying *t, const struct opt *opt, struct opt_list *list) {
    bool named = opt->type != OPT_LIST || (opt->flags & OPT_NAMED);
    size_t base = t->path.n;
    for (size_t i = 0; i < list->n && i < 1; i++) {
        char *item = (char *)(uintptr_t)opt_item_at(opt, *list, i);
        if (named)
            conf_path_put(&t->path, opt_text_at(item));
        else
            buf_printf(&t->path, "[%zu]", i);
        if (opt->type == OPT_MAP)
            change_value(t, opt, (char *)&((struct opt_pair *)(void *)item)->value);
        else
            try_table(t, opt->sub, item, opt->type == OPT_LIST && named);
        t->path.n = base;
    }
}

static void try_table(struct trying *t, const struct opt_table *table, char *b, bool named) {
    size_t base = t->path.n;
    for (size_t i = named ? 1 : 0; i < table->n; i++) {
        const struct opt *opt = &table->opts[i];
        char *field = b + opt->offset;
        if (opt_is_about_files(opt)) continue;
        conf_path_put(&t->path, str_c(opt->name));
        if (opt->type == OPT_STRUCT)
            try_table(t, opt->sub, field, false);
        else if (opt->type != OPT_MAP && opt_has_items(opt) && opt->type != OPT_STRS)
            try_items(t, opt, (struct opt_list *)(void *)field);
        else if (opt->type == OPT_MAP && opt_list_at(field).n)
            try_items(t, opt, (struct opt_list *)(void *)field);
        else if (opt->type != OPT_MAP && !opt_is_unset(opt, field))
            change_value(t, opt, field);
        t->path.n = base;
    }
}

// A provider has one key or several: the second has several.
static void try_provider_keys(struct trying *t, struct conf *b) {
    const struct opt *providers = opt_get(&conf_table, STR("providers"));
    buf_lit(&t->path, "providers.p2.keys");
    try_items(t, opt_get(providers->sub, STR("keys")), (struct opt_list *)(void *)&b->providers.p[1].keys);
    t->path.n = 0;
}

// Every option that holds a value of its own was among those that were changed.
static void all_covered(const struct trying *t, const struct opt_table *table, bool named) {
    for (size_t i = named ? 1 : 0; i < table->n; i++) {
        const struct opt *opt = &table->opts[i];
        bool seen = false;
        if (opt_is_about_files(opt)) continue;
        if (opt->sub) {
            all_covered(t, opt->sub, opt->type == OPT_LIST && (opt->flags & OPT_NAMED));
            continue;
        }
        for (size_t k = 0; k < t->n && !seen; k++) seen = t->covered[k] == opt;
        if (!seen) fprintf(stderr, "%s of %s was not tried\n", opt->name, table->title);
        CHECK(seen);
    }
}

static void state_section(struct buf *text, const struct opt_table *table, int indent) {
    for (size_t k = 0; k < table->n; k++) {
        const struct opt *opt = &table->opts[k];
        bool typed = opt->check && opt->check(STR("some")) && opt->example;
        const char *value = opt->type == OPT_STRS ? (opt->example ? opt->example : "[m]")
                            : opt->def            ? opt->def
                            : typed               ? opt->example
                            : opt_is_number(opt)  ? (opt->type == OPT_DURATION ? "1s" : "1")
                                                  : "some";
        const char *quote = opt->type == OPT_STR && opt->def ? "\"" : "";
        buf_printf(text, "%*s%s: %s%s%s\n", indent, "", opt->name, quote, opt->type == OPT_STRUCT ? "" : value, quote);
        if (opt->type == OPT_STRUCT) state_section(text, opt->sub, indent + 2);
    }
}

// What is not stated is stated by its default, so that every value has been set.
static struct conf *load_stated(void) {
    struct buf text = BUF_INIT(1 << 16);
    buf_put(&text, str_c(everything));
    buf_put(&text, str_c(lists));
    for (size_t i = 0; i < conf_table.n; i++) {
        const struct opt *section = &conf_table.opts[i];
        char key[64];
        snprintf(key, sizeof key, "\n%s:", section->name);
        if (section->type != OPT_STRUCT || strstr(everything, key) || str_starts(str_c(lists), str_c(key + 1)) ||
            str_starts(str_c(everything), str_c(key + 1)))
            continue;
        buf_printf(&text, "%s:\n", section->name);
        state_section(&text, section->sub, 2);
    }
    struct conf *c = load(buf_cstr(&text));
    buf_free(&text);
    return c;
}

static void every_option(void) {
    struct conf *a = load_stated(), *b = load_stated();
    struct trying t = {.a = a, .b = b, .path = BUF_INIT(4096)};
    try_table(&t, &conf_table, (char *)b, false);
    try_provider_keys(&t, b);
    CHECK(t.n > 80);
    all_covered(&t, &conf_table, false);
    buf_free(&t.path);
    conf_unref(a);
    conf_unref(b);
}

static void names_of_classes(void) {
    CHECK_STR(str_c(conf_apply_name(APPLY_LIVE)), STR("live"));
    CHECK_STR(str_c(conf_apply_name(APPLY_DRAIN)), STR("drain"));
    CHECK_STR(str_c(conf_apply_name(APPLY_RESTART)), STR("restart"));
}

// Many names, some of them twice: each is paired once.
static void many_items(void) {
    struct buf a = BUF_INIT(1 << 20), b = BUF_INIT(1 << 20), out = BUF_INIT(1 << 16);
    buf_lit(&a, P "aliases:\n");
    buf_lit(&b, P "aliases:\n");
    for (int i = 0; i < 3000; i++) buf_printf(&a, "  n%d: a/x%d\n", i, i);
    for (int i = 2999; i >= 0; i--)
        if (i != 7) buf_printf(&b, "  n%d: a/x%d\n", i, i == 11 ? 12 : i);
    struct conf *x = load(buf_cstr(&a)), *y = load(buf_cstr(&b));
    CHECK_STR(changes_text(x, y, &out),
              STR("- aliases.n7: a/x7   live   aliases n7\n~ aliases.n11: a/x11 → a/x12   live   aliases n11\n"));
    conf_unref(x);
    conf_unref(y);
    x = load("listeners: [{address: \"a:0\"}, {address: \"a:0\"}]\n");
    y = load("listeners: [{address: \"a:0\"}, {address: \"a:0\"}, {address: \"a:0\"}]\n");
    CHECK_STR(changes_text(x, x, &out), STR(""));
    CHECK_STR(changes_text(x, y, &out), STR("+ listeners.a:0: {}   drain   listeners a:0\n"));
    conf_unref(x);
    conf_unref(y);
    buf_free(&a);
    buf_free(&b);
    buf_free(&out);
}

// Of those whom it touches only so many are told by name.
static void many_touched(void) {
    struct buf text = BUF_INIT(1 << 20), out = BUF_INIT(1 << 20);
    buf_lit(&text, P NO_PASS "models: [{name: m, targets: [{provider: a}]}]\naliases:\n");
    for (int i = 0; i < 150; i++) buf_printf(&text, "  n%03d: m\n", i);
    struct conf *a = load(buf_cstr(&text));
    buf_lit(&text, "prices: {m: {input: 1}}\n");
    struct conf *b = load(buf_cstr(&text));
    struct str said = changes_text(a, b, &out);
    CHECK(str_starts(said, STR("+ prices.m: {input: 1}   live   models m; aliases n000, n001, ")));
    CHECK(str_ends(said, STR(", n019 and 130 more\n")));
    struct conf_changes changes;
    conf_changes_init(&changes);
    conf_compare(a, b, &changes);
    buf_clear(&out);
    conf_changes_json(&changes, &out);
    CHECK(str_ends(
        buf_str(&out),
        STR("\"n099\"],\"tenants\":[],\"teams\":[],\"projects\":[],\"keys\":[],\"listeners\":[],\"more\":50}}]")));
    conf_changes_free(&changes);
    conf_unref(a);
    conf_unref(b);
    buf_free(&text);
    buf_free(&out);
}

TEST_MAIN(table_of_pairs, as_json, every_option, names_of_classes, many_items, many_touched)
