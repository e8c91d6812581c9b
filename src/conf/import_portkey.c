// Reads a config of Portkey's gateway: a tree of targets with strategies, in JSON.
#include "conf/import_impl.h"

#define TARGETS_MAX 256

struct portkey {
    struct importer *im;
    size_t n; // targets seen
};

// A target, and what it has from the configs around it.
struct scope {
    struct str path;
    const struct conf_node *up[CONF_DEPTH_MAX]; // outermost first; the last is the node itself
    size_t n;
};

static const struct import_lack lacks[] = {
    {"retry", "retries are of a model, not of a target", "set models[].routing.retry"},
    {"cache", "there is no cache of answers", NULL},
    {"input_guardrails", "there are no guardrails", NULL},
    {"output_guardrails", "there are no guardrails", NULL},
    {"before_request_hooks", "there are no hooks", NULL},
    {"after_request_hooks", "there are no hooks", NULL},
    {"default_input_guardrails", "there are no guardrails", NULL},
    {"default_output_guardrails", "there are no guardrails", NULL},
    {"forward_headers", "headers of requests are not passed on", "set providers[].headers"},
    {"strict_open_ai_compliance", "answers have OpenAI's form", NULL},
    {"passthrough", "there is no such setting", NULL},
    {"transform_to_form_data", "files are not passed on", NULL},
    {"azure_resource_name", "it is part of the address", "set base_url of a provider of kind azure"},
};

static const char done[] = "strategy targets provider api_key virtual_key custom_host weight override_params "
                           "request_timeout name index openai_organization openai_project on_status_codes "
                           "provider_options";

// The nearest value on the way out from the target.
static const struct conf_node *inherited(const struct scope *s, const char *key) {
    for (size_t i = s->n; i-- > 0;) {
        const struct conf_node *node = conf_node_get(s->up[i], str_c(key));
        if (!conf_node_is_null(node)) return node;
    }
    return NULL;
}

static struct str text_of(const struct conf_node *node) {
    bool fine = node && node->kind == NODE_SCALAR && !conf_node_is_null(node) && node->text.n <= 1024;
    for (size_t i = 0; fine && i < node->text.n; i++) fine = (unsigned char)node->text.p[i] > 0x20;
    return fine ? node->text : STR_NONE;
}

static struct str upper(struct importer *im, struct str s) {
    struct buf out = BUF_INIT(256);
    for (size_t i = 0; i < s.n && i < 100; i++) {
        char c = s.p[i];
        bool low = c >= 'a' && c <= 'z', word = low || (c >= 'A' && c <= 'Z') || (i && c >= '0' && c <= '9');
        buf_putc(&out, low ? (char)(c - 32) : word ? c : '_');
    }
    struct str copy = arena_str(im->arena, buf_str(&out));
    buf_free(&out);
    return copy.n ? copy : STR("PROVIDER");
}

// "@openai-prod/gpt-5": a provider of Portkey's model catalogue, and a model of it.
static struct str catalogue_split(struct str model, struct str *out_slug) {
    *out_slug = STR_NONE;
    if (!str_starts(model, STR("@"))) return model;
    size_t slash = str_find_char(model, '/');
    *out_slug = str_of(model.p + 1, slash - 1);
    return str_from(model, slash + 1);
}

// What a slug such as "openai-prod" or "anthropic_eu" most likely stands for.
static bool slug_kind(struct str slug, struct import_kind *out_kind) {
    const char *instead;
    for (size_t n = slug.n; n > 0; n--) {
        bool ends = n == slug.n || slug.p[n] == '-' || slug.p[n] == '_';
        if (ends && import_kind_find(str_head(slug, n), out_kind, &instead)) return true;
    }
    return false;
}

static struct str slug_name(struct importer *im, struct str slug) {
    struct buf out = BUF_INIT(64);
    for (size_t i = 0; i < slug.n && i < 48; i++) {
        char c = slug.p[i];
        if (c >= 'A' && c <= 'Z') c = (char)(c + 32);
        buf_putc(&out, (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (i && (c == '_' || c == '.')) ? c : '-');
    }
    struct str copy = arena_str(im->arena, buf_str(&out));
    buf_free(&out);
    return copy.n && copy.p[0] != '-' ? copy : STR("provider");
}

// From a virtual key or a slug: the key itself is kept by Portkey.
static bool kept_key(struct portkey *p, const struct conf_node *node, struct str path, struct str slug,
                     struct draft_provider *provider, struct import_kind *kind) {
    struct importer *im = p->im;
    if (!kind->kind.n && !slug_kind(slug, kind)) {
        import_note(im, IMPORT_LOST, node, path, "add a provider with its kind and key",
                    "Portkey keeps what %.*s stands for", STR_ARG(str_head(slug, 80)));
        return false;
    }
    struct str variable = import_text(im, "%.*s_API_KEY", STR_ARG(upper(im, slug)));
    provider->name = slug_name(im, slug);
    provider->api_key = import_text(im, "${env:%.*s}", STR_ARG(variable));
    for (size_t i = 0; i < im->providers.n; i++) {
        if (str_eq(im->providers.p[i].api_key, provider->api_key)) return true;
    }
    import_note(im, IMPORT_SECRET, node, path, import_text(im, "set %.*s where Penstock runs", STR_ARG(variable)).p,
                "Portkey keeps the key; it is taken for one of %.*s", STR_ARG(kind->name));
    return true;
}

// The kind, the name and the key. False after a note.
static bool identity(struct portkey *p, const struct scope *s, struct str slug, struct draft_provider *out,
                     struct import_kind *kind) {
    struct importer *im = p->im;
    const struct conf_node *service = inherited(s, "provider"), *key = inherited(s, "api_key");
    const struct conf_node *kept = inherited(s, "virtual_key"), *self = s->up[s->n - 1];
    struct str name = text_of(service);
    const char *instead = "name a provider";
    *kind = (struct import_kind){0};
    if (str_starts(name, STR("@"))) slug = str_from(name, 1), name = STR_NONE;
    if (name.n && !import_kind_find(name, kind, &instead)) {
        import_note(im, IMPORT_LOST, service, s->path, instead, "providers of %.*s have to be set up by hand",
                    STR_ARG(str_head(name, 60)));
        return false;
    }
    out->name = kind->name;
    if (text_of(key).n && kind->kind.n) {
        struct str variable =
            kind->variable.n ? kind->variable : import_text(im, "%.*s_API_KEY", STR_ARG(upper(im, kind->name)));
        out->api_key = import_secret(im, key, import_path(im, s->path, "api_key"), variable);
    } else if (slug.n) {
        return kept_key(p, self, s->path, slug, out, kind);
    } else if (text_of(kept).n) {
        return kept_key(p, kept, import_path(im, s->path, "virtual_key"), text_of(kept), out, kind);
    } else if (kind->kind.n && kind->variable.n) {
        out->api_key = import_text(im, "${env:%.*s}", STR_ARG(kind->variable));
    }
    if (kind->kind.n) return true;
    import_note(im, IMPORT_LOST, self, s->path, "add a provider with its kind and key", "it names no provider");
    return false;
}

static bool provider_make(struct portkey *p, const struct scope *s, struct str slug, size_t *out_index) {
    struct importer *im = p->im;
    struct draft_provider out = {0};
    struct import_kind kind;
    if (!identity(p, s, slug, &out, &kind)) return false;
    out.kind = kind.kind;
    out.base_url = kind.base_url;
    const struct conf_node *host = inherited(s, "custom_host");
    if (text_of(host).n) {
        struct str path = import_path(im, s->path, "custom_host");
        if (!import_base_url(im, host, path, out.kind, text_of(host), &out.base_url)) return false;
        if (str_eq(out.name, STR("openai"))) out.name = import_name_of_url(im, out.base_url, STR("openai-compatible"));
        if (!inherited(s, "api_key") && !inherited(s, "virtual_key") && !slug.n) out.api_key = STR_NONE;
    }
    struct str organization = text_of(inherited(s, "openai_organization")),
               project = text_of(inherited(s, "openai_project"));
    if (organization.n &&
        !vec_push(&out.headers, (struct opt_pair){STR("OpenAI-Organization"), import_value(im, organization)}))
        im->failed = true;
    if (project.n && !vec_push(&out.headers, (struct opt_pair){STR("OpenAI-Project"), import_value(im, project)}))
        im->failed = true;
    for (size_t i = s->n; i-- > 0 && !out.total;)
        (void)!import_duration(im, s->up[i], "request_timeout", s->path, 1, &out.total);
    *out_index = import_provider(im, &out);
    return !im->failed;
}

static void parameters(struct portkey *p, const struct conf_node *params, struct str path) {
    for (size_t i = 0; params && params->kind == NODE_MAP && i < params->n; i++) {
        if (str_eq(params->keys[i]->text, STR("model"))) continue;
        import_note(p->im, IMPORT_LOST, params->keys[i], import_path(p->im, path, params->keys[i]->text.p),
                    "let the application send it", "parameters are not set for a model");
    }
}

// Codes after which Penstock goes on to the next target are fine.
static void status_codes(struct portkey *p, const struct conf_node *map, struct str path) {
    const struct conf_node *list = conf_node_get(map, STR("on_status_codes"));
    for (size_t i = 0; list && list->kind == NODE_LIST && i < list->n; i++) {
        double v;
        if (import_number(list->values[i], &v) && (v == 408 || v == 429 || v >= 500)) continue;
        import_note(p->im, IMPORT_LOST, list, import_path(p->im, path, "on_status_codes"), NULL,
                    "what follows a failure goes by its kind, and is not configured");
        return;
    }
}

static void leaf(struct portkey *p, struct draft_model *group, const struct scope *s, int64_t priority, double weight) {
    struct importer *im = p->im;
    const struct conf_node *params = inherited(s, "override_params");
    const struct conf_node *named = conf_node_get(params, STR("model"));
    struct str slug, model = catalogue_split(text_of(named), &slug);
    size_t provider;
    parameters(p, conf_node_get(s->up[s->n - 1], STR("override_params")), import_path(im, s->path, "override_params"));
    if (!provider_make(p, s, slug, &provider)) return;
    if (!model.n || model.n > 256) {
        im->passthrough = true;
        import_note(im, s->n > 1 ? IMPORT_LOST : IMPORT_CHANGED, s->up[s->n - 1], s->path,
                    "add a model for each name that applications ask for",
                    "it serves any model: applications ask for %.*s/NAME", STR_ARG(im->providers.p[provider].name));
        return;
    }
    struct draft_target t = {.provider = provider, .model = import_value(im, model), .priority = priority};
    t.weight = weight <= 0 ? 0 : MAX((int64_t)1, (int64_t)(MIN(weight, 1000.0) * 1000 + 0.5));
    if (!vec_push(&group->targets, t)) im->failed = true;
}

static struct str mode_of(const struct conf_node *node) {
    struct str mode = text_of(conf_node_get(conf_node_get(node, STR("strategy")), STR("mode")));
    return mode.n ? mode : STR("single");
}

static int64_t flatten(struct portkey *p, struct draft_model *group, const struct scope *s, int64_t priority,
                       double weight);

static bool scope_into(struct portkey *p, const struct scope *s, const struct conf_node *targets, size_t i,
                       struct scope *out) {
    *out = *s;
    out->path = import_path_index(p->im, import_path(p->im, s->path, "targets"), i);
    if (targets->values[i]->kind == NODE_MAP && s->n < CONF_DEPTH_MAX && p->n < TARGETS_MAX) {
        out->up[out->n++] = targets->values[i];
        return true;
    }
    import_note(p->im, IMPORT_LOST, targets->values[i], out->path, NULL,
                p->n < TARGETS_MAX ? "it is no target" : "more than 256 targets");
    return false;
}

static double weight_of(const struct conf_node *target) {
    double v;
    return import_number(conf_node_get(target, STR("weight")), &v) ? v : 1;
}

// The share of each among its siblings goes on to what is in it; its fallbacks come after all first choices.
static int64_t balance(struct portkey *p, struct draft_model *group, const struct scope *s,
                       const struct conf_node *targets, int64_t priority, double weight, bool nested) {
    int64_t next = priority + 1;
    double sum = 0;
    for (size_t i = 0; i < targets->n; i++) sum += weight_of(targets->values[i]);
    for (size_t i = 0; i < targets->n; i++) {
        struct scope in;
        double w = weight_of(targets->values[i]);
        if (!scope_into(p, s, targets, i, &in)) continue;
        next = MAX(next, flatten(p, group, &in, priority, nested && sum > 0 ? weight * w / sum : w));
    }
    return next;
}

// Returns the first priority that is free.
static int64_t flatten(struct portkey *p, struct draft_model *group, const struct scope *s, int64_t priority,
                       double weight) {
    const struct conf_node *node = s->up[s->n - 1], *targets = conf_node_get(node, STR("targets"));
    struct str mode = mode_of(node);
    p->n++;
    import_rest(p->im, node, s->path, done, lacks, ARRAY_LEN(lacks));
    status_codes(p, conf_node_get(node, STR("strategy")), import_path(p->im, s->path, "strategy"));
    if (!targets || targets->kind != NODE_LIST || !targets->n) {
        leaf(p, group, s, priority, weight);
        return priority + 1;
    }
    if (str_eq(mode, STR("loadbalance"))) return balance(p, group, s, targets, priority, weight, s->n > 1);
    if (str_eq(mode, STR("conditional")))
        import_note(p->im, IMPORT_LOST, conf_node_get(node, STR("strategy")), import_path(p->im, s->path, "strategy"),
                    "make a model for each target", "conditions inside of other targets; the first target is taken");
    else if (!str_eq(mode, STR("single")) && !str_eq(mode, STR("fallback")))
        import_note(p->im, IMPORT_LOST, conf_node_get(node, STR("strategy")), import_path(p->im, s->path, "strategy"),
                    "set weights and priorities of targets", "there is no strategy %.*s; the first target is taken",
                    STR_ARG(str_head(mode, 60)));
    size_t n = str_eq(mode, STR("fallback")) ? targets->n : 1;
    for (size_t i = 0; i < n; i++) {
        struct scope in;
        if (scope_into(p, s, targets, i, &in)) priority = flatten(p, group, &in, priority, weight);
    }
    if (n < targets->n && str_eq(mode, STR("single")))
        import_note(p->im, IMPORT_LOST, targets->values[1], import_path(p->im, s->path, "targets[1]"),
                    "set strategy.mode to fallback", "only the first target of a single one is ever used");
    return priority;
}

static void model_keep(struct portkey *p, struct str name, struct draft_model *group) {
    import_weights_reduce(group);
    if (group->targets.n && !import_model_find(p->im, name)) {
        struct draft_model *m = import_model(p->im, name);
        for (size_t i = 0; m && i < group->targets.n; i++) import_target(p->im, m, group->targets.p[i]);
    }
    vec_free(&group->targets);
}

static size_t target_named(const struct conf_node *targets, struct str name) {
    size_t i = 0;
    while (i < targets->n && !str_eq(text_of(conf_node_get(targets->values[i], STR("name"))), name)) i++;
    return i;
}

// {"params.model": {"$eq": "fast"}}: a model of that name.
static struct str condition_model(const struct conf_node *query) {
    const struct conf_node *test = query && query->kind == NODE_MAP && query->n == 1 ? query->values[0] : NULL;
    if (!test || !str_eq(query->keys[0]->text, STR("params.model"))) return STR_NONE;
    if (test->kind == NODE_MAP && test->n == 1 && str_eq(test->keys[0]->text, STR("$eq"))) test = test->values[0];
    struct str name = text_of(test);
    return name.n <= 256 ? name : STR_NONE;
}

static void conditional(struct portkey *p, const struct scope *s, const struct conf_node *targets) {
    struct importer *im = p->im;
    const struct conf_node *strategy = conf_node_get(s->up[0], STR("strategy"));
    const struct conf_node *list = conf_node_get(strategy, STR("conditions"));
    struct str path = import_path(im, STR("strategy"), "conditions");
    for (size_t i = 0; list && list->kind == NODE_LIST && i < list->n; i++) {
        const struct conf_node *c = list->values[i];
        struct str name = condition_model(conf_node_get(c, STR("query"))), at = import_path_index(im, path, i);
        size_t to = target_named(targets, text_of(conf_node_get(c, STR("then"))));
        struct draft_model group = {0};
        struct scope in;
        if (!name.n || to == targets->n) {
            import_note(im, IMPORT_LOST, c, at, "make a model for each target, and let the application choose",
                        name.n ? "there is no target of that name"
                               : "only conditions on params.model with $eq are known");
        } else if (scope_into(p, s, targets, to, &in)) {
            flatten(p, &group, &in, 0, 1);
            model_keep(p, name, &group);
        }
    }
    struct str rest = text_of(conf_node_get(strategy, STR("default")));
    size_t to = target_named(targets, rest);
    struct scope in;
    if (!rest.n || to == targets->n || !scope_into(p, s, targets, to, &in)) return;
    struct draft_model group = {0};
    flatten(p, &group, &in, 0, 1);
    model_keep(p, STR("default"), &group);
    import_note(im, IMPORT_CHANGED, conf_node_get(strategy, STR("default")),
                import_path(im, STR("strategy"), "default"), "add aliases for other names",
                "applications ask for the model \"default\"");
}

void import_portkey(struct importer *im, const struct conf_node *root) {
    struct portkey p = {.im = im};
    struct scope s = {.path = STR(""), .up = {root}, .n = 1};
    const struct conf_node *targets = conf_node_get(root, STR("targets"));
    im->heading = STR("From a config of Portkey's gateway, by \"penstock config import\".");
    if (targets && targets->kind == NODE_LIST && targets->n && str_eq(mode_of(root), STR("conditional"))) {
        import_rest(im, root, STR(""), done, lacks, ARRAY_LEN(lacks));
        conditional(&p, &s, targets);
        return;
    }
    struct draft_model group = {0};
    flatten(&p, &group, &s, 0, 1);
    bool any = group.targets.n > 0;
    model_keep(&p, STR("default"), &group);
    if (any)
        import_note(im, IMPORT_CHANGED, root, STR("targets"), "add aliases for the names they ask for now",
                    "applications ask for the model \"default\"");
}
