// Finds a model in the catalogue by what providers call it: versions, regions, and who resells whose.
#include "model/catalog_impl.h"

static bool all_digits(struct str s) {
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] < '0' || s.p[i] > '9') return false;
    }
    return s.n > 0;
}

// The part after the last '-' or '@', and what is before it.
static bool last_part(struct str s, struct str *out_head, struct str *out_part) {
    size_t i = s.n;
    while (i > 0 && s.p[i - 1] != '-' && s.p[i - 1] != '@') i--;
    if (i < 2) return false;
    *out_head = str_head(s, i - 1);
    *out_part = str_from(s, i);
    return true;
}

// Drops what names a version from the end: a word, a number of three digits or more ("-001", "-0613", "-20250514"), or
// a day in parts ("-2024-08-06", "-05-06"). A short number alone ("-4-5") is part of the name.
static bool version_drop(struct str *model) {
    static const struct str words[] = {STR_INIT("latest"), STR_INIT("preview"), STR_INIT("exp"), STR_INIT("beta"),
                                       STR_INIT("default")};
    struct str head, part, head2, part2;
    if (!last_part(*model, &head, &part)) return false;
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (!str_eq(part, words[i])) continue;
        *model = head;
        return true;
    }
    if (!all_digits(part)) return false;
    bool two = part.n == 2 && last_part(head, &head2, &part2) && part2.n == 2 && all_digits(part2);
    if (part.n < 3 && !two) return false;
    *model = two ? head2 : head;
    return true;
}

static const struct model_entry *exact(const struct model_catalog *c, struct str kind, struct str model) {
    char key[CATALOG_NAME_MAX];
    if (!model.n || kind.n + 1 + model.n > sizeof key) return NULL;
    memcpy(key, kind.p, kind.n);
    key[kind.n] = '/';
    memcpy(key + kind.n + 1, model.p, model.n);
    return map_get(&c->by_name, str_of(key, kind.n + 1 + model.n));
}

static const struct model_entry *versioned(const struct model_catalog *c, struct str kind, struct str model) {
    const struct model_entry *e;
    while (!(e = exact(c, kind, model)) && version_drop(&model)) {
    }
    return e;
}

// --- makers, as resellers call them ---

static const struct {
    struct str prefix, kind;
} k_makers[] = {
    {STR_INIT("openai/"), STR_INIT("openai")},
    {STR_INIT("anthropic/"), STR_INIT("anthropic")},
    {STR_INIT("google/"), STR_INIT("gemini")},
    {STR_INIT("mistralai/"), STR_INIT("mistral")},
    {STR_INIT("mistral-ai/"), STR_INIT("mistral")},
    {STR_INIT("deepseek/"), STR_INIT("deepseek")},
    {STR_INIT("x-ai/"), STR_INIT("xai")},
    {STR_INIT("xai/"), STR_INIT("xai")},
    {STR_INIT("cohere/"), STR_INIT("cohere")},
    {STR_INIT("moonshotai/"), STR_INIT("moonshot")},
    {STR_INIT("z-ai/"), STR_INIT("zai")},
    {STR_INIT("ai21/"), STR_INIT("ai21")},
    {STR_INIT("perplexity/"), STR_INIT("perplexity")},
};

// "anthropic/claude-opus-4.5": Anthropic's own name has a dash there.
static const struct model_entry *of_maker(const struct model_catalog *c, struct str model) {
    char text[CATALOG_NAME_MAX];
    for (size_t i = 0; i < ARRAY_LEN(k_makers); i++) {
        if (!str_starts(model, k_makers[i].prefix)) continue;
        struct str name = str_from(model, k_makers[i].prefix.n);
        const struct model_entry *e = versioned(c, k_makers[i].kind, name);
        if (e || name.n > sizeof text) return e;
        for (size_t k = 0; k < name.n; k++) text[k] = name.p[k] == '.' ? '-' : name.p[k];
        return versioned(c, k_makers[i].kind, str_of(text, name.n));
    }
    return NULL;
}

// "arn:aws:bedrock:…/us.anthropic.claude-sonnet-4-5-20250929-v1:0": without what is before the last slash, without the
// region, and at last as Anthropic has it.
static const struct model_entry *of_bedrock(const struct model_catalog *c, struct str model) {
    static const struct str regions[] = {STR_INIT("us."), STR_INIT("eu."), STR_INIT("apac."),   STR_INIT("au."),
                                         STR_INIT("jp."), STR_INIT("ca."), STR_INIT("global."), STR_INIT("us-gov.")};
    for (size_t at; (at = str_find_char(model, '/')) < model.n;) model = str_from(model, at + 1);
    for (size_t i = 0; i < ARRAY_LEN(regions); i++) {
        if (!str_starts(model, regions[i])) continue;
        model = str_from(model, regions[i].n);
        break;
    }
    const struct model_entry *e = versioned(c, STR("bedrock"), model);
    if (e || !str_starts(model, STR("anthropic."))) return e;
    model = str_from(model, 10);
    model = str_head(model, str_find_char(model, ':'));
    if (model.n > 3 && str_eq(str_from(model, model.n - 3), STR("-v1"))) model.n -= 3;
    return versioned(c, STR("anthropic"), model);
}

static const struct model_entry *of_vertex(const struct model_catalog *c, struct str model) {
    if (str_starts(model, STR("publishers/")))
        for (size_t at; (at = str_find_char(model, '/')) < model.n;) model = str_from(model, at + 1);
    if (str_starts(model, STR("google/"))) model = str_from(model, 7);
    const struct model_entry *e = versioned(c, STR("vertex"), model);
    if (!e && str_starts(model, STR("claude-"))) e = versioned(c, STR("anthropic"), model);
    return e ? e : versioned(c, STR("gemini"), model);
}

static const struct model_entry *of_fireworks(const struct model_catalog *c, struct str model) {
    char text[CATALOG_NAME_MAX];
    static const struct str front = STR_INIT("accounts/fireworks/models/");
    if (str_find_char(model, '/') < model.n || front.n + model.n > sizeof text) return NULL;
    memcpy(text, front.p, front.n);
    memcpy(text + front.n, model.p, model.n);
    return exact(c, STR("fireworks"), str_of(text, front.n + model.n));
}

// "ft:gpt-4o-mini-2024-07-18:org:name:id": what follows the base is one's own. A tuned model has a price of its own, so
// the base alone is not looked for.
static struct str tuned(struct str model) {
    if (!str_starts(model, STR("ft:"))) return model;
    size_t n = str_find_char(str_from(model, 3), ':');
    return str_head(model, 3 + n);
}

const struct model_entry *model_catalog_find(const struct model_catalog *c, struct str kind, struct str model) {
    const struct model_entry *e;
    if (str_starts(model, STR("models/"))) model = str_from(model, 7);
    model = tuned(model);
    if ((e = versioned(c, kind, model))) return e;
    if (str_eq(kind, STR("bedrock"))) return of_bedrock(c, model);
    if (str_eq(kind, STR("vertex"))) return of_vertex(c, model);
    if (str_eq(kind, STR("fireworks"))) return of_fireworks(c, model);
    if (str_eq(kind, STR("azure"))) return versioned(c, STR("openai"), model);
    if (str_eq(kind, STR("openrouter")) || str_eq(kind, STR("github")) || str_eq(kind, STR("perplexity")))
        return of_maker(c, model);
    return NULL;
}

const struct model_entry *model_catalog_get(const struct model_catalog *c, struct str name) {
    size_t slash = str_find_char(name, '/');
    return slash < name.n ? model_catalog_find(c, str_head(name, slash), str_from(name, slash + 1)) : NULL;
}
