// Reads the configuration of LiteLLM's proxy: model_list, router_settings, litellm_settings, general_settings.
#include "conf/import_impl.h"
#include "os/file.h"

#define INCLUDES_MAX 16
#define WEIGHT_UNIT 1000 // of a weight while it is worked on: it may be a fraction there

struct litellm {
    struct importer *im;
    struct conf_node *root;
    const struct conf_node *credentials; // credential_list
    bool by_rate;                        // entries without weights are picked by their rpm or tpm
};

static const struct import_lack param_lacks[] = {
    {"api_version", "the API's version is a query parameter of Azure's", NULL},
    {"stream_timeout", "what a stream may take is said of a model", "set models[].routing.timeouts.first_token"},
    {"max_retries", "retries are of a model, not of a target", "set models[].routing.retry"},
    {"num_retries", "retries are of a model, not of a target", "set models[].routing.retry"},
    {"temperature", "parameters are not set for a model", "let the application send it"},
    {"top_p", "parameters are not set for a model", "let the application send it"},
    {"max_tokens", "parameters are not set for a model", "let the application send it"},
    {"seed", "parameters are not set for a model", "let the application send it"},
    {"stop", "parameters are not set for a model", "let the application send it"},
    {"extra_body", "parameters are not set for a model", "let the application send them"},
    {"drop_params", "parameters that a model does not take are not dropped", "let the application leave them out"},
    {"mock_response", "answers are not made up for a model", "use a provider of kind demo"},
    {"tags", "requests ask for tags with x-penstock-tags", "set models[].targets[].tags"},
    {"input_cost_per_second", "prices are by tokens", NULL},
    {"output_cost_per_second", "prices are by tokens", NULL},
    {"litellm_credential_name", "credential_list has none of that name", NULL},
};

static const struct import_lack router_lacks[] = {
    {"max_fallbacks", "it is the calls for a request that are counted", "set routing.retry.attempts"},
    {"stream_timeout", "it is told from the first token and from what stands still",
     "set routing.timeouts.first_token and inter_token"},
    {"redis_host", "it is said once, for all that is shared", "set redis.url and routing.state: redis"},
    {"redis_port", "it is said once, for all that is shared", "set redis.url and routing.state: redis"},
    {"redis_password", "it is said once, for all that is shared", "set redis.url and routing.state: redis"},
    {"redis_url", "it is said once, for all that is shared", "set redis.url and routing.state: redis"},
    {"allowed_fails_policy", "failures are counted alike, whatever their kind", "set routing.breaker"},
    {"retry_policy", "what follows a failure goes by its kind, and is not configured", NULL},
    {"model_group_retry_policy", "what follows a failure goes by its kind, and is not configured", NULL},
    {"retry_after", "waits are drawn, and what providers ask for is kept to", "set routing.retry.base"},
    {"routing_strategy_args", "strategies have options of their own", "see models[].routing"},
    {"enable_tag_filtering", "requests ask for tags with x-penstock-tags", "set models[].targets[].tags"},
    {"default_max_parallel_requests", "there is no limit for all targets alike", "set providers[].limits.concurrency"},
    {"cache_responses", "there is no cache of answers", NULL},
};

static const struct import_lack library_lacks[] = {
    {"cache", "there is no cache of answers", NULL},
    {"cache_params", "there is no cache of answers", NULL},
    {"callbacks", "there are no callbacks", "collect /metrics, the log and \"penstock usage\""},
    {"success_callback", "there are no callbacks", "collect /metrics, the log and \"penstock usage\""},
    {"failure_callback", "there are no callbacks", "collect /metrics, the log and \"penstock usage\""},
    {"service_callbacks", "there are no callbacks", "collect /metrics, the log and \"penstock usage\""},
    {"drop_params", "parameters that a model does not take are not dropped", "let the application leave them out"},
    {"modify_params", "requests are not changed to suit a model", NULL},
    {"ssl_verify", "certificates are verified for each provider", "set providers[].tls_verify"},
    {"max_budget", "it is a budget", "penstock budget create metric=cost"},
    {"budget_duration", "it is a budget", "penstock budget create metric=cost"},
    {"turn_off_message_logging", "messages are never logged", NULL},
    {"default_team_settings", "teams have no callbacks", NULL},
    {"guardrails", "there are no guardrails", NULL},
};

static const struct import_lack general_lacks[] = {
    {"master_key", "keys are made by Penstock and kept as hashes", "penstock key create --admin"},
    {"database_url", "keys and usage are kept in Penstock's own data directory", "set storage.data"},
    {"database_connection_pool_limit", "keys and usage are kept in Penstock's own data directory", NULL},
    {"database_connection_timeout", "keys and usage are kept in Penstock's own data directory", NULL},
    {"store_model_in_db", "models are kept in the configuration",
     "\"penstock config set\", which changes them while running"},
    {"alerting", "events go to webhooks", "set webhooks"},
    {"alerting_threshold", "events go to webhooks", "set webhooks"},
    {"custom_auth", "callers are known by their keys", "penstock key create"},
    {"enable_jwt_auth", "callers are known by their keys", "penstock key create"},
    {"litellm_jwtauth", "callers are known by their keys", "penstock key create"},
    {"background_health_checks", "it is said of each provider", "set providers[].health_check"},
    {"health_check_interval", "it is said of each provider", "set providers[].health_check"},
    {"max_parallel_requests", "it is a budget", "penstock budget create metric=concurrency"},
    {"global_max_parallel_requests", "it is a budget", "penstock budget create metric=concurrency"},
    {"allowed_routes", "keys are limited by models, not by paths", "penstock key create --models"},
    {"key_management_system", "secrets come from the environment, files or a vault", "use ${vault:…} references"},
    {"key_management_settings", "secrets come from the environment, files or a vault", "use ${vault:…} references"},
    {"pass_through_endpoints", "a provider's own paths are below /passthrough/PROVIDER",
     "let the application use them"},
    {"completion_model", "each request names its model", "let the application send it"},
    {"ui_access_mode", "there is no such page", NULL},
};

static const struct import_lack top_lacks[] = {
    {"callback_settings", "there are no callbacks", "collect /metrics, the log and \"penstock usage\""},
    {"guardrails", "there are no guardrails", NULL},
    {"mcp_servers", "MCP servers are not served", NULL},
    {"vector_store_registry", "there are no vector stores", NULL},
    {"files_settings", "files are kept by Penstock, or go to the provider of the request", NULL},
    {"finetune_settings", "fine-tuning is not passed on", NULL},
    {"assistant_settings", "assistants are not passed on", NULL},
};

static const struct conf_node *section(const struct litellm *l, const char *key) {
    return conf_node_get(l->root, str_c(key));
}

static struct conf_node *map_joined(struct litellm *l, const struct conf_node *a, const struct conf_node *b) {
    struct conf_node *node = ARENA_NEW(l->im->arena, struct conf_node);
    size_t n = a->n + b->n;
    if (!node) return NULL;
    *node = *a;
    node->keys = ARENA_ARRAY(l->im->arena, struct conf_node *, n + 1);
    node->values = ARENA_ARRAY(l->im->arena, struct conf_node *, n + 1);
    if (!node->keys || !node->values) return NULL;
    for (size_t i = 0; i < a->n; i++) {
        if (a->kind == NODE_MAP) node->keys[i] = a->keys[i];
        node->values[i] = a->values[i];
    }
    for (size_t i = 0; i < b->n; i++) {
        size_t at = node->n;
        for (size_t k = 0; a->kind == NODE_MAP && k < a->n; k++) {
            if (str_eq(a->keys[k]->text, b->keys[i]->text)) at = k;
        }
        if (a->kind == NODE_MAP) node->keys[at] = b->keys[i];
        bool lists = at < node->n && node->values[at]->kind == NODE_LIST && b->values[i]->kind == NODE_LIST;
        node->values[at] = lists ? map_joined(l, node->values[at], b->values[i]) : b->values[i];
        if (!node->values[at]) return NULL;
        if (at == node->n) node->n++;
    }
    return node;
}

// Included files: their lists are appended, all else takes the place of what was there.
static void include_one(struct litellm *l, const struct conf_node *node, struct str name, struct str path) {
    struct importer *im = l->im;
    struct buf text = BUF_INIT(CONF_FILE_MAX), file = BUF_INIT(4096);
    struct err err;
    struct conf_node *root = NULL;
    path_join(&file, path_dir(name), node->text);
    struct str at = str_starts(node->text, STR("/")) ? node->text : buf_str(&file);
    if (node->kind != NODE_SCALAR || !node->text.n || file.failed || !im->env || !im->env->read_file) {
        import_note(im, IMPORT_LOST, node, path, NULL, "the file is not read");
    } else if (!im->env->read_file(im->env->ctx, at, CONF_FILE_MAX, &text, &err)) {
        import_note(im, IMPORT_LOST, node, path, "import that file too", "the file is not read: %s", err.message);
    } else {
        struct str copy = arena_str(im->arena, buf_str(&text));
        if (copy.p && import_read(im, copy, at, &root) && root && root->kind == NODE_MAP) {
            struct conf_node *joined = map_joined(l, l->root, root);
            if (joined) l->root = joined;
            im->failed = im->failed || !joined;
        } else {
            import_note(im, IMPORT_LOST, node, path, "import that file too", "the file is no map of settings");
        }
        secret_wipe((char *)(uintptr_t)copy.p, copy.n); // the nodes have their own
    }
    secret_wipe(text.p, text.p ? text.cap : 0);
    buf_free(&text);
    buf_free(&file);
}

static void includes(struct litellm *l, struct str name) {
    const struct conf_node *list = section(l, "include");
    for (size_t i = 0; list && list->kind == NODE_LIST && i < list->n; i++) {
        struct str path = import_path_index(l->im, STR("include"), i);
        if (i < INCLUDES_MAX)
            include_one(l, list->values[i], name, path);
        else
            import_note(l->im, IMPORT_LOST, list->values[i], path, NULL, "more than %d files", INCLUDES_MAX);
    }
}

// "azure/gpt-4o" is the service and what it calls the model; a name alone belongs to the kind that owns it.
static void model_split(struct str model, struct str custom, struct str *out_service, struct str *out_name) {
    size_t slash = str_find_char(model, '/');
    struct import_kind kind;
    const char *instead;
    *out_name = model;
    if (custom.n) {
        *out_service = custom;
        if (slash < model.n && str_eq(str_head(model, slash), custom)) *out_name = str_from(model, slash + 1);
        return;
    }
    if (slash < model.n) {
        *out_service = str_head(model, slash);
        *out_name = str_from(model, slash + 1);
        return;
    }
    *out_service = STR("openai");
    for (int k = 0; k < PROVIDER_KIND_COUNT; k++) {
        const struct provider_preset *preset = provider_preset_get((enum provider_kind)k);
        if (provider_preset_owns(preset, model) && import_kind_find(preset->name, &kind, &instead))
            *out_service = preset->name;
    }
}

struct entry {
    const struct conf_node *node, *params;
    struct str path, params_path;
    struct str name, service, model; // asked for; "openai"; "gpt-5"
    struct import_kind kind;
};

static const struct conf_node *credential(const struct litellm *l, struct str name) {
    const struct conf_node *list = l->credentials;
    for (size_t i = 0; list && list->kind == NODE_LIST && i < list->n; i++) {
        const struct conf_node *its = conf_node_get(list->values[i], STR("credential_name"));
        if (its && its->kind == NODE_SCALAR && str_eq(its->text, name))
            return conf_node_get(list->values[i], STR("credential_values"));
    }
    return NULL;
}

// From the entry, else from the credential that it names.
static const struct conf_node *param(const struct litellm *l, const struct entry *e, const char *key) {
    const struct conf_node *node = conf_node_get(e->params, str_c(key));
    const struct conf_node *name = conf_node_get(e->params, STR("litellm_credential_name"));
    if (!conf_node_is_null(node) || !name || name->kind != NODE_SCALAR) return node;
    return conf_node_get(credential(l, name->text), str_c(key));
}

// What people write where a local server wants no key.
static bool is_dummy(struct str key) {
    static const struct str words[] = {STR_INIT("none"),     STR_INIT("empty"),
                                       STR_INIT("fake"),     STR_INIT("fake-key"),
                                       STR_INIT("dummy"),    STR_INIT("na"),
                                       STR_INIT("no-key"),   STR_INIT("not-needed"),
                                       STR_INIT("anything"), STR_INIT("sk-no-key-required")};
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (str_eq_nocase(key, words[i])) return true;
    }
    return false;
}

static struct str variable_for(struct importer *im, struct str name, const char *what) {
    struct buf out = BUF_INIT(256);
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        bool word = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
        buf_putc(&out, !word ? '_' : c >= 'a' ? (char)(c - 32) : c);
    }
    struct str s = import_text(im, "%s%.*s_%s", name.n && name.p[0] >= '0' && name.p[0] <= '9' ? "_" : "",
                               STR_ARG(buf_str(&out)), what);
    buf_free(&out);
    return s;
}

static bool is_secret_header(struct str name) {
    static const struct str parts[] = {STR_INIT("auth"), STR_INIT("key"), STR_INIT("token"), STR_INIT("secret"),
                                       STR_INIT("cookie")};
    for (size_t i = 0; i < name.n; i++) {
        for (size_t k = 0; k < ARRAY_LEN(parts); k++) {
            if (str_eq_nocase(str_head(str_from(name, i), parts[k].n), parts[k])) return true;
        }
    }
    return false;
}

static void header_add(struct importer *im, struct draft_provider *p, struct str name, struct str value) {
    for (size_t i = 0; i < p->headers.n; i++) {
        if (str_eq_nocase(p->headers.p[i].name, name)) return;
    }
    if (!vec_push(&p->headers, (struct opt_pair){name, value})) im->failed = true;
}

static bool header_is_ours(struct str name) {
    static const char *const ours[] = {"host", "content-length", "transfer-encoding", "connection", "upgrade",
                                       "te",   "trailer",        "keep-alive",        "expect"};
    bool bad = !name.n;
    for (size_t i = 0; i < ARRAY_LEN(ours); i++) bad = bad || str_eq_nocase(name, str_c(ours[i]));
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        bool word = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
        bad = bad || !word;
    }
    return bad;
}

static void headers_read(struct litellm *l, const struct entry *e, const char *key, struct draft_provider *p) {
    struct importer *im = l->im;
    const struct conf_node *map = conf_node_get(e->params, str_c(key));
    struct str path = import_path(im, e->params_path, key), value;
    for (size_t i = 0; map && map->kind == NODE_MAP && i < map->n && i < 32; i++) {
        struct str name = map->keys[i]->text, at = import_path(im, path, name.p);
        if (header_is_ours(name) || !import_str(im, map, name.p, path, &value))
            import_note(im, IMPORT_LOST, map->keys[i], at, NULL, "it is no header that can be added");
        else if (is_secret_header(name))
            header_add(im, p, name, import_secret(im, map->values[i], at, variable_for(im, p->name, "HEADER")));
        else
            header_add(im, p, name, import_value(im, value));
    }
}

static bool provider_address(struct litellm *l, const struct entry *e, struct draft_provider *p, bool *out_own) {
    struct importer *im = l->im;
    const char *key = conf_node_is_null(param(l, e, "api_base")) ? "base_url" : "api_base";
    const struct conf_node *node = param(l, e, key);
    p->base_url = e->kind.base_url;
    *out_own = node && node->kind == NODE_SCALAR && node->text.n;
    if (!*out_own) return true;
    struct str path = import_path(im, e->params_path, key);
    if (!import_base_url(im, node, path, p->kind, node->text, &p->base_url)) return false;
    const struct provider_preset *preset = provider_preset_find(p->kind);
    if (preset && str_eq(p->base_url, preset->base_url)) {
        p->base_url = STR_NONE;
        *out_own = false;
    } else if (str_eq(e->kind.name, STR("openai"))) {
        p->name = import_name_of_url(im, p->base_url, STR("openai-compatible"));
    }
    return true;
}

static void provider_key(struct litellm *l, const struct entry *e, struct draft_provider *p, bool own_address) {
    struct importer *im = l->im;
    const struct conf_node *key = param(l, e, "api_key");
    bool given = key && key->kind == NODE_SCALAR && key->text.n && !conf_node_is_null(key);
    if (given && own_address && is_dummy(key->text)) return;
    if (given) {
        struct str variable =
            own_address || !e->kind.variable.n ? variable_for(im, p->name, "API_KEY") : e->kind.variable;
        p->api_key = import_secret(im, key, import_path(im, e->params_path, "api_key"), variable);
    } else if (!own_address && e->kind.variable.n) {
        p->api_key = import_text(im, "${env:%.*s}", STR_ARG(e->kind.variable));
    }
}

static bool provider_make(struct litellm *l, const struct entry *e, size_t *out_index) {
    struct importer *im = l->im;
    struct draft_provider p = {.name = e->kind.name, .kind = e->kind.kind};
    bool own;
    struct str text;
    if (!provider_address(l, e, &p, &own)) return false;
    provider_key(l, e, &p, own);
    if (import_str(im, e->params, "organization", e->params_path, &text))
        header_add(im, &p, STR("OpenAI-Organization"), import_value(im, text));
    headers_read(l, e, "headers", &p);
    headers_read(l, e, "extra_headers", &p);
    (void)!import_duration(im, e->params, "timeout", e->params_path, 1000, &p.total);
    *out_index = import_provider(im, &p);
    return !im->failed;
}

static void price_part(struct litellm *l, const struct entry *e, const char *key, struct str *out_price) {
    const struct conf_node *info = conf_node_get(e->node, STR("model_info"));
    const struct conf_node *node = conf_node_get(e->params, str_c(key));
    if (conf_node_is_null(node)) node = conf_node_get(info, str_c(key));
    if (conf_node_is_null(node)) return;
    if (node->kind != NODE_SCALAR || !import_price(l->im, node->text, out_price))
        import_note(l->im, IMPORT_LOST, node, import_path(l->im, e->path, key), "set it in prices",
                    "it is no price in dollars a token");
}

static void prices(struct litellm *l, const struct entry *e, struct str provider) {
    struct importer *im = l->im;
    struct draft_price p = {0};
    price_part(l, e, "input_cost_per_token", &p.input);
    price_part(l, e, "output_cost_per_token", &p.output);
    price_part(l, e, "cache_read_input_token_cost", &p.cached_input);
    price_part(l, e, "cache_creation_input_token_cost", &p.cache_write);
    if (!p.input.n && !p.output.n && !p.cached_input.n && !p.cache_write.n) return;
    p.name = import_text(im, "%.*s/%.*s", STR_ARG(provider), STR_ARG(e->model));
    for (size_t i = 0; i < im->prices.n; i++) {
        if (str_eq(im->prices.p[i].name, p.name)) return;
    }
    if (!vec_push(&im->prices, p)) im->failed = true;
}

static bool count_of(const struct conf_node *map, const char *key, int64_t max, int64_t *out_value) {
    double v;
    if (!import_number(conf_node_get(map, str_c(key)), &v) || v > (double)max) return false;
    *out_value = (int64_t)v;
    return true;
}

static void target_add(struct litellm *l, const struct entry *e, size_t provider) {
    struct importer *im = l->im;
    struct draft_target t = {.provider = provider, .model = import_value(im, e->model), .weight = WEIGHT_UNIT};
    const struct conf_node *weight = conf_node_get(e->params, STR("weight"));
    double v;
    if (import_number(weight, &v) && v <= 1000000) {
        t.weight = (int64_t)(v * WEIGHT_UNIT + 0.5);
    } else if (l->by_rate &&
               (count_of(e->params, "rpm", INT32_MAX, &t.weight) || count_of(e->params, "tpm", INT32_MAX, &t.weight))) {
        t.weight *= WEIGHT_UNIT;
        import_note(im, IMPORT_CHANGED, e->params, e->params_path, "set weight",
                    "targets are picked in the ratio of their rpm or tpm, which is now their weight");
    }
    if (!count_of(e->params, "order", IMPORT_PRIORITY_MAX, &t.priority)) t.priority = 0;
    if (!count_of(e->params, "rpm", INT32_MAX, &t.requests)) t.requests = 0;
    if (!count_of(e->params, "tpm", INT32_MAX, &t.tokens)) t.tokens = 0;
    if (!count_of(e->params, "itpm", INT32_MAX, &t.input_tokens)) t.input_tokens = 0;
    if (!count_of(e->params, "otpm", INT32_MAX, &t.output_tokens)) t.output_tokens = 0;
    if (!count_of(e->params, "max_parallel_requests", INT32_MAX, &t.concurrency)) t.concurrency = 0;
    import_target(im, import_model(im, e->name), t);
}

static void info_read(struct litellm *l, const struct entry *e) {
    const struct conf_node *info = conf_node_get(e->node, STR("model_info"));
    struct str mode, path = import_path(l->im, e->path, "model_info");
    if (!import_str(l->im, info, "mode", path, &mode)) return;
    if (!import_word_in(
            "chat completion embedding responses image_generation audio_transcription audio_speech moderation rerank",
            mode))
        import_note(l->im, IMPORT_LOST, conf_node_get(info, STR("mode")), import_path(l->im, path, "mode"), NULL,
                    "models of this kind are not served");
}

static bool name_fits(struct str name) {
    for (size_t i = 0; i < name.n; i++) {
        if ((unsigned char)name.p[i] <= 0x20 || name.p[i] == 0x7f) return false;
    }
    return name.n > 0 && name.n <= 256 && str_find(name, STR("${")) == name.n;
}

static bool entry_open(struct litellm *l, const struct conf_node *node, size_t index, struct entry *e) {
    struct importer *im = l->im;
    struct str model, custom = STR_NONE;
    *e = (struct entry){.node = node, .path = import_path_index(im, STR("model_list"), index)};
    e->params = conf_node_get(node, STR("litellm_params"));
    e->params_path = import_path(im, e->path, "litellm_params");
    if (!import_str(im, e->params, "model", e->params_path, &model)) return false;
    if (!import_str(im, node, "model_name", e->path, &e->name)) e->name = model;
    (void)!import_str(im, e->params, "custom_llm_provider", e->params_path, &custom);
    model_split(model, custom, &e->service, &e->model);
    return name_fits(e->name) && name_fits(e->model);
}

static void entry_read(struct litellm *l, const struct conf_node *node, size_t index) {
    struct importer *im = l->im;
    struct entry e;
    const char *instead;
    size_t provider;
    if (!entry_open(l, node, index, &e)) {
        import_note(im, IMPORT_LOST, node, e.path, NULL,
                    "it has no model_name or litellm_params.model that can be used");
        return;
    }
    if (!import_kind_find(e.service, &e.kind, &instead)) {
        import_note(im, IMPORT_LOST, node, e.path, instead, "%.*s: providers of %.*s have to be set up by hand",
                    STR_ARG(str_head(e.name, 100)), STR_ARG(str_head(e.service, 60)));
        return;
    }
    if (!provider_make(l, &e, &provider)) return;
    bool wild = str_find_char(e.name, '*') < e.name.n || str_find_char(e.model, '*') < e.model.n;
    if (wild) {
        im->passthrough = true;
        struct str to = im->providers.p[provider].name;
        import_note(im, IMPORT_CHANGED, node, e.path, "limit keys with \"penstock key create --models\"",
                    "%.*s: models are asked for as %.*s/NAME, and so are those of all other providers",
                    STR_ARG(str_head(e.name, 100)), STR_ARG(to));
    } else {
        target_add(l, &e, provider);
        prices(l, &e, im->providers.p[provider].name);
    }
    info_read(l, &e);
    const struct conf_node *credentials_name = conf_node_get(e.params, STR("litellm_credential_name"));
    bool known = credentials_name && credentials_name->kind == NODE_SCALAR && credential(l, credentials_name->text);
    import_rest(im, e.params, e.params_path,
                known
                    ? "model custom_llm_provider api_key api_base base_url organization headers extra_headers timeout "
                      "weight order rpm tpm itpm otpm max_parallel_requests input_cost_per_token output_cost_per_token "
                      "cache_read_input_token_cost "
                      "cache_creation_input_token_cost litellm_credential_name"
                    : "model custom_llm_provider api_key api_base base_url organization headers extra_headers timeout "
                      "weight order rpm tpm itpm otpm max_parallel_requests input_cost_per_token output_cost_per_token "
                      "cache_read_input_token_cost "
                      "cache_creation_input_token_cost",
                param_lacks, ARRAY_LEN(param_lacks));
}

// Variables that entries without a key of their own mean, so that no literal key gets their name.
static void reserve_implied(struct litellm *l, const struct conf_node *list) {
    for (size_t i = 0; list && list->kind == NODE_LIST && i < list->n; i++) {
        const struct conf_node *params = conf_node_get(list->values[i], STR("litellm_params"));
        const struct conf_node *model = conf_node_get(params, STR("model"));
        struct str service, name;
        struct import_kind kind;
        const char *instead;
        if (!model || model->kind != NODE_SCALAR || !conf_node_is_null(conf_node_get(params, STR("api_key")))) continue;
        model_split(model->text, STR_NONE, &service, &name);
        if (import_kind_find(service, &kind, &instead)) import_reserve(l->im, kind.variable);
    }
    const struct conf_node *variables = section(l, "environment_variables");
    for (size_t i = 0; variables && variables->kind == NODE_MAP && i < variables->n; i++)
        import_reserve(l->im, variables->keys[i]->text);
}

static void model_list(struct litellm *l) {
    const struct conf_node *list = section(l, "model_list");
    reserve_implied(l, list);
    if (list && list->kind != NODE_LIST) {
        if (!conf_node_is_null(list)) import_note(l->im, IMPORT_LOST, list, STR("model_list"), NULL, "it is no list");
        return;
    }
    for (size_t i = 0; list && i < list->n && !l->im->failed; i++) entry_read(l, list->values[i], i);
    for (size_t i = 0; i < l->im->models.n; i++) import_weights_reduce(&l->im->models.p[i]);
}

static int64_t last_priority(const struct draft_model *m) {
    int64_t last = 0;
    for (size_t i = 0; i < m->targets.n; i++) last = MAX(last, m->targets.p[i].priority);
    return last;
}

// The fallback's targets go behind the model's own; a fallback of the fallback is not followed.
static void fallback_add(struct litellm *l, size_t model, const struct conf_node *to, struct str path, size_t own) {
    struct importer *im = l->im;
    const struct draft_model *other = to->kind == NODE_SCALAR ? import_model_find(im, to->text) : NULL;
    if (!other) {
        import_note(im, IMPORT_LOST, to, path, "add its targets to the model's by hand",
                    to->kind == NODE_SCALAR ? "there is no such model in what was carried over"
                                            : "a fallback with parameters of its own");
        return;
    }
    struct draft_model *m = &im->models.p[model];
    if (other == m) return;
    int64_t base = last_priority(m) + 1;
    size_t n = MIN(other->targets.n, own);
    for (size_t i = 0; i < n && base <= IMPORT_PRIORITY_MAX; i++) {
        struct draft_target t = other->targets.p[i];
        t.priority += base;
        import_target(im, m, t);
    }
}

// How many targets each model had before fallbacks were added; arena-owned.
static size_t *counts_of(struct importer *im) {
    size_t *counts = ARENA_ARRAY(im->arena, size_t, im->models.n + 1);
    for (size_t i = 0; counts && i < im->models.n; i++) counts[i] = im->models.p[i].targets.n;
    if (!counts) im->failed = true;
    return counts;
}

static void fallbacks_to(struct litellm *l, size_t model, const struct conf_node *list, struct str path,
                         const size_t *counts) {
    struct importer *im = l->im;
    for (size_t i = 0; list && list->kind == NODE_LIST && i < list->n && i < 64; i++) {
        const struct conf_node *to = list->values[i];
        const struct draft_model *other = to->kind == NODE_SCALAR ? import_model_find(im, to->text) : NULL;
        fallback_add(l, model, to, import_path_index(im, path, i), other ? counts[other - im->models.p] : 0);
    }
}

static void fallbacks(struct litellm *l) {
    struct importer *im = l->im;
    const char *where = conf_node_is_null(conf_node_get(section(l, "router_settings"), STR("fallbacks")))
                            ? "litellm_settings"
                            : "router_settings";
    const struct conf_node *list = conf_node_get(section(l, where), STR("fallbacks"));
    const struct conf_node *general = conf_node_get(section(l, where), STR("default_fallbacks"));
    const size_t *counts = counts_of(im);
    struct str path = import_path(im, str_c(where), "fallbacks");
    for (size_t i = 0; counts && list && list->kind == NODE_LIST && i < list->n; i++) {
        const struct conf_node *map = list->values[i];
        for (size_t k = 0; map->kind == NODE_MAP && k < map->n; k++) {
            struct str at = import_path(im, import_path_index(im, path, i), map->keys[k]->text.p);
            const struct draft_model *m = import_model_find(im, map->keys[k]->text);
            if (m)
                fallbacks_to(l, (size_t)(m - im->models.p), map->values[k], at, counts);
            else if (str_eq(map->keys[k]->text, STR("*")))
                general = map->values[k];
            else
                import_note(im, IMPORT_LOST, map->keys[k], at, "add its targets to a model by hand",
                            "there is no such model in what was carried over");
        }
    }
    struct str general_path = import_path(im, str_c(where), "default_fallbacks");
    for (size_t i = 0; counts && general && i < im->models.n; i++) {
        if (im->models.p[i].targets.n == counts[i]) fallbacks_to(l, i, general, general_path, counts);
    }
}

static void aliases(struct litellm *l) {
    struct importer *im = l->im;
    const struct conf_node *map = conf_node_get(section(l, "router_settings"), STR("model_group_alias"));
    for (size_t i = 0; map && map->kind == NODE_MAP && i < map->n; i++) {
        struct str name = map->keys[i]->text;
        struct str path = import_path(im, STR("router_settings.model_group_alias"), name.p);
        const struct conf_node *to = map->values[i];
        if (to->kind == NODE_MAP) to = conf_node_get(to, STR("model"));
        bool ok = to && to->kind == NODE_SCALAR && import_model_find(im, to->text);
        if (!ok || !name_fits(name) || import_model_find(im, name)) {
            import_note(im, IMPORT_LOST, map->keys[i], path, NULL,
                        ok ? "there is a model of the same name" : "there is no such model in what was carried over");
            continue;
        }
        if (!vec_push(&im->aliases, (struct opt_pair){name, import_value(im, to->text)})) im->failed = true;
    }
}

static void megabytes(struct litellm *l, const char *key, int64_t *out_mib) {
    const struct conf_node *general = section(l, "general_settings");
    double v;
    if (!import_number(conf_node_get(general, str_c(key)), &v) || v < 1 || v > 1024) return;
    *out_mib = (int64_t)v;
}

static bool is_true(const struct conf_node *node) {
    return node && node->kind == NODE_SCALAR && node->plain && str_eq_nocase(node->text, STR("true"));
}

static void settings(struct litellm *l) {
    struct importer *im = l->im;
    const struct conf_node *router = section(l, "router_settings"), *library = section(l, "litellm_settings");
    if (!import_duration(im, router, "timeout", STR("router_settings"), 1000, &im->total))
        (void)!import_duration(im, library, "request_timeout", STR("litellm_settings"), 1000, &im->total);
    im->debug = is_true(conf_node_get(library, STR("set_verbose")));
    im->json_logs = is_true(conf_node_get(library, STR("json_logs")));
    megabytes(l, "max_request_size_mb", &im->max_body);
    megabytes(l, "max_response_size_mb", &im->max_response);
    import_rest(im, router, STR("router_settings"),
                "routing_strategy model_group_alias fallbacks default_fallbacks timeout num_retries allowed_fails "
                "cooldown_time context_window_fallbacks content_policy_fallbacks enable_pre_call_checks",
                router_lacks, ARRAY_LEN(router_lacks));
    import_rest(
        im, library, STR("litellm_settings"),
        "fallbacks default_fallbacks request_timeout set_verbose json_logs num_retries allowed_fails cooldown_time "
        "context_window_fallbacks content_policy_fallbacks",
        library_lacks, ARRAY_LEN(library_lacks));
    import_rest(im, section(l, "general_settings"), STR("general_settings"), "max_request_size_mb max_response_size_mb",
                general_lacks, ARRAY_LEN(general_lacks));
    const struct conf_node *variables = section(l, "environment_variables");
    for (size_t i = 0; variables && variables->kind == NODE_MAP && i < variables->n; i++) {
        struct str name = variables->keys[i]->text;
        import_note(im, IMPORT_SECRET, variables->keys[i], import_path(im, STR("environment_variables"), name.p),
                    import_text(im, "set %.*s where Penstock runs", STR_ARG(str_head(name, 200))).p,
                    "a configuration sets no environment variables");
    }
}

void import_litellm(struct importer *im, struct conf_node *root, struct str name) {
    struct litellm l = {.im = im, .root = root};
    im->heading = STR("From LiteLLM's configuration, by \"penstock config import\".");
    includes(&l, name);
    im->tree = l.root;
    l.credentials = section(&l, "credential_list");
    import_reserve_tree(im, l.root);
    l.by_rate = import_strategy(im, section(&l, "router_settings"));
    model_list(&l);
    fallbacks(&l);
    import_routing(im, section(&l, "router_settings"), section(&l, "litellm_settings"));
    aliases(&l);
    settings(&l);
    import_rest(im, l.root, STR(""),
                "model_list router_settings litellm_settings general_settings environment_variables include "
                "credential_list",
                top_lacks, ARRAY_LEN(top_lacks));
}
