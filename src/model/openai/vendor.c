// What a model at a vendor takes of OpenAI's dialect.
//
// Source: OpenAI's guide to reasoning models (no sampling parameters but their defaults, max_completion_tokens; which
// efforts which generation knows), the vendors' API references for what provider.def says of them.
#include "model/openai/openai.h"

// The model's own name: "openai/gpt-5" is "gpt-5".
static struct str bare(struct str model) {
    for (size_t i = model.n; i > 0; i--)
        if (model.p[i - 1] == '/') return str_from(model, i);
    return model;
}

// "gpt-5.2" is 52, "gpt-5-mini" 50, "gpt-4o" 40; 0: another family.
static unsigned generation(struct str model) {
    if (!str_starts(model, STR("gpt-"))) return 0;
    struct str rest = str_from(model, 4);
    unsigned major = 0, minor = 0;
    while (rest.n && rest.p[0] >= '0' && rest.p[0] <= '9' && major < 100) {
        major = major * 10 + (unsigned)(rest.p[0] - '0');
        rest = str_from(rest, 1);
    }
    if (rest.n >= 2 && rest.p[0] == '.' && rest.p[1] >= '0' && rest.p[1] <= '9') minor = (unsigned)(rest.p[1] - '0');
    return major * 10 + minor;
}

static bool o_series(struct str model) {
    return model.n >= 2 && model.p[0] == 'o' && model.p[1] >= '1' && model.p[1] <= '9' &&
           (model.n == 2 || model.p[2] == '-');
}

static bool reasons(struct str model) {
    if (o_series(model)) return true;
    return generation(model) >= 50 && str_find(model, STR("-chat")) == model.n;
}

// Of xAI's models those that reason, which all do unless their name says otherwise, refuse more.
static bool xai_reasons(struct str model) {
    return str_find(model, STR("non-reasoning")) == model.n &&
           (str_find(model, STR("grok-4")) < model.n || str_find(model, STR("mini")) < model.n ||
            str_find(model, STR("code")) < model.n);
}

struct openai_vendor openai_vendor_of(const struct chat_target *target) {
    const struct provider_traits *t = target->traits;
    struct openai_vendor v = {.kind = t->kind, .model = bare(target->model), .thoughts = t->reasoning};
    v.inventor = t->kind == PROVIDER_OPENAI || t->kind == PROVIDER_AZURE || t->kind == PROVIDER_GITHUB;
    v.reasoning = v.inventor && reasons(v.model);
    v.completion_name = t->max_completion_tokens || v.reasoning;
    v.refuses = t->refuses;
    if (t->kind == PROVIDER_XAI && xai_reasons(v.model))
        v.refuses = STR("top_k,logit_bias,frequency_penalty,presence_penalty,stop,verbosity,service_tier,store");
    v.flat = openai_vendor_refuses(&v, STR("content[]"));
    return v;
}

bool openai_vendor_refuses(const struct openai_vendor *v, struct str member) {
    struct str rest = v->refuses, name;
    while (rest.n && str_split(&rest, ',', &name))
        if (str_eq(name, member)) return true;
    return false;
}

static struct str effort_of_openai(const struct openai_vendor *v, enum chat_effort effort) {
    unsigned g = generation(v->model);
    bool codex_max = str_find(v->model, STR("codex-max")) < v->model.n;
    if (!v->reasoning) return STR("");
    switch (effort) {
    case CHAT_EFFORT_NONE:
        return g >= 51 ? STR("none") : g == 50 ? STR("minimal") : STR("low");
    case CHAT_EFFORT_MINIMAL:
        return g == 50 ? STR("minimal") : STR("low");
    case CHAT_EFFORT_LOW:
        return STR("low");
    case CHAT_EFFORT_MEDIUM:
        return STR("medium");
    case CHAT_EFFORT_MAX:
        return g >= 52 || codex_max ? STR("xhigh") : STR("high");
    case CHAT_EFFORT_HIGH:
        return STR("high");
    case CHAT_EFFORT_UNSET:
        break;
    }
    return STR("");
}

static struct str effort_of_three(enum chat_effort effort) {
    if (effort <= CHAT_EFFORT_LOW) return STR("low");
    return effort == CHAT_EFFORT_MEDIUM ? STR("medium") : STR("high");
}

static bool names(struct str model, struct str part) { return str_find(model, part) < model.n; }

static struct str effort_of_groq(const struct openai_vendor *v, enum chat_effort effort) {
    if (names(v->model, STR("gpt-oss"))) return effort_of_three(effort);
    if (!names(v->model, STR("qwen3"))) return STR("");
    return effort == CHAT_EFFORT_NONE ? STR("none") : STR("default");
}

// Those of Mistral's whose thinking can be set.
static struct str effort_of_mistral(const struct openai_vendor *v, enum chat_effort effort) {
    if (!names(v->model, STR("small")) && !names(v->model, STR("medium"))) return STR("");
    return effort == CHAT_EFFORT_NONE ? STR("none") : STR("high");
}

struct str openai_vendor_effort(const struct openai_vendor *v, enum chat_effort effort) {
    if (effort == CHAT_EFFORT_UNSET || openai_vendor_refuses(v, STR("reasoning_effort"))) return STR("");
    if (v->inventor) return effort_of_openai(v, effort);
    switch (v->kind) {
    case PROVIDER_GROQ:
        return effort_of_groq(v, effort);
    case PROVIDER_XAI: // its others always think, and refuse the member
        if (!names(v->model, STR("mini"))) return STR("");
        return effort <= CHAT_EFFORT_MEDIUM ? STR("low") : STR("high");
    case PROVIDER_PERPLEXITY:
        return names(v->model, STR("deep-research")) ? effort_of_three(effort) : STR("");
    case PROVIDER_TOGETHER:
    case PROVIDER_NVIDIA:
        return names(v->model, STR("gpt-oss")) ? effort_of_three(effort) : STR("");
    case PROVIDER_MISTRAL:
        return effort_of_mistral(v, effort);
    default:
        return effort == CHAT_EFFORT_NONE ? STR("none") : effort_of_three(effort);
    }
}
