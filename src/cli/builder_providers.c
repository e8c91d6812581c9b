// Asks for providers: those found first, then where each is and how its key is known.
#include "cli/builder.h"
#include "conf/provider_preset.h"
#include "store/sealed.h"

// The kinds in the order they are offered.
struct offer {
    enum provider_kind kinds[PROVIDER_KIND_COUNT];
    size_t n_found; // of them, at the beginning
};

static bool has_variable(const struct builder *b, const struct provider_preset *p) {
    const char *value = p->variable.n ? b->args->io->env(p->variable.p) : NULL;
    return value && *value;
}

static void offer_make(struct builder *b, struct offer *o) {
    bool local[PROVIDER_KIND_COUNT], first[PROVIDER_KIND_COUNT];
    size_t n = 0;
    build_find_local(b, local);
    for (unsigned k = 0; k < PROVIDER_KIND_COUNT; k++)
        first[k] = local[k] || has_variable(b, provider_preset_get((enum provider_kind)k));
    for (unsigned k = 0; k < PROVIDER_KIND_COUNT; k++)
        if (first[k]) o->kinds[n++] = (enum provider_kind)k;
    o->n_found = n;
    for (unsigned k = 0; k < PROVIDER_KIND_COUNT; k++)
        if (!first[k]) o->kinds[n++] = (enum provider_kind)k;
    build_say(b, "\nProviders\n");
    for (size_t i = 0; i < n; i++) {
        const struct provider_preset *p = provider_preset_get(o->kinds[i]);
        build_say(b, "  %2zu  %-12.*s %.*s", i + 1, STR_ARG(p->name), STR_ARG(p->title));
        if (has_variable(b, p)) build_say(b, "; its key is in %.*s", STR_ARG(p->variable));
        if (local[p->kind]) build_say(b, "; runs at %.*s", STR_ARG(p->base_url));
        build_say(b, "\n");
    }
}

static bool choice_kind(const struct offer *o, struct str said, enum provider_kind *out_kind) {
    const struct provider_preset *p = provider_preset_find(said);
    uint64_t number;
    if (p) {
        *out_kind = p->kind;
        return true;
    }
    if (!str_to_u64(said, &number) || number < 1 || number > PROVIDER_KIND_COUNT) return false;
    *out_kind = o->kinds[number - 1];
    return true;
}

#define CHOSEN_MAX 64
static bool choices(struct builder *b, const struct offer *o, struct str said, enum provider_kind out[CHOSEN_MAX],
                    size_t *out_n) {
    struct str rest = said, part;
    size_t n = 0;
    while (str_split(&rest, ',', &part)) {
        part = str_trim(part);
        if (!part.n) continue;
        if (n == CHOSEN_MAX || !choice_kind(o, part, &out[n])) {
            build_say(b, "  There is no provider \"%.*s\" in the list.\n", STR_ARG(part));
            return false;
        }
        n++;
    }
    *out_n = n;
    return n > 0;
}

// --- one provider ---

static bool name_taken(const struct builder *b, struct str name) {
    for (size_t i = 0; i < b->providers.n; i++)
        if (str_eq(b->providers.p[i].name, name)) return true;
    return false;
}

static bool free_name(struct builder *b, struct str wanted, struct str *out_name) {
    *out_name = wanted;
    for (unsigned i = 2; name_taken(b, *out_name); i++) {
        *out_name = arena_printf(&b->arena, "%.*s-%u", STR_ARG(wanted), i);
        if (!out_name->p) return build_keep(b, wanted, out_name);
    }
    return true;
}

static bool ask_name(struct builder *b, struct built_provider *p) {
    struct str fallback;
    if (!free_name(b, p->name, &fallback)) return false;
    for (;;) {
        if (!build_ask(b, "  Name", fallback, &p->name)) return false;
        if (!name_taken(b, p->name)) return true;
        build_say(b, "  There is a provider of this name already.\n");
    }
}

static bool is_variable(struct str text) {
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        if (!(c >= 'A' && c <= 'Z') && c != '_' && !(i && c >= '0' && c <= '9')) return false;
    }
    return text.n > 0;
}

static bool keep_reference(struct builder *b, const char *store, struct str name, struct str *out_key) {
    *out_key = arena_printf(&b->arena, "${%s:%.*s}", store, STR_ARG(name));
    return out_key->p || build_keep(b, name, out_key);
}

static bool take_secret(struct builder *b, struct str name, struct str *out_key, bool *out_done) {
    struct err err;
    *out_done = sealed_name_check(name, &err);
    if (*out_done) return build_ask_secret(b, name) && keep_reference(b, "secret", name, out_key);
    build_say(b, "  %s\n", err.message);
    return true;
}

static bool take_key(struct builder *b, struct str said, struct str *out_key, bool *out_done) {
    // "${env:NAME}", as in the file, means the same as env:NAME.
    if (str_starts(said, STR("${")) && str_ends(said, STR("}"))) said = str_head(str_from(said, 2), said.n - 3);
    *out_done = true;
    if (str_eq_nocase(said, STR("none"))) {
        *out_key = STR_NONE;
        return true;
    }
    if (str_starts(said, STR("env:")) && is_variable(str_from(said, 4)))
        return keep_reference(b, "env", str_from(said, 4), out_key);
    if (str_starts(said, STR("file:")) && said.n > 5) return keep_reference(b, "file", str_from(said, 5), out_key);
    if (str_starts(said, STR("secret:"))) return take_secret(b, str_from(said, 7), out_key, out_done);
    *out_done = false;
    secret_wipe((void *)(uintptr_t)said.p, said.n); // build_ask's copy
    build_say(b, "  A key itself is not taken here: in the file, everybody could read it who reads the file, and it\n"
                 "  would end up in version control. Say where it is: env:NAME, file:/path, or secret:NAME to type\n"
                 "  it unseen and have it kept encrypted.\n");
    return true;
}

static bool ask_key(struct builder *b, struct built_provider *p) {
    const struct provider_preset *preset = provider_preset_get(p->kind);
    struct str fallback = STR("none"), said;
    bool done = false;
    if (has_variable(b, preset))
        fallback = arena_printf(&b->arena, "env:%.*s", STR_ARG(preset->variable));
    else if (preset->variable.n)
        fallback = arena_printf(&b->arena, "secret:%.*s-key", STR_ARG(p->name));
    while (!done)
        if (!build_ask(b, "  Key: env:NAME, secret:NAME, file:PATH or none", fallback, &said) ||
            !take_key(b, said, &p->key, &done))
            return false;
    return true;
}

static bool ask_address(struct builder *b, struct built_provider *p) {
    struct str usual = provider_preset_get(p->kind)->base_url, fallback = p->base_url.n ? p->base_url : usual;
    if (!build_ask(b, "  Address of its API", fallback, &p->base_url)) return false;
    if (str_eq(p->base_url, usual)) p->base_url = STR_NONE;
    return true;
}

static bool ask_one(struct builder *b, enum provider_kind kind) {
    const struct provider_preset *preset = provider_preset_get(kind);
    struct built_provider p = {.kind = kind, .name = preset->name};
    enum build_next next = BUILD_AGAIN;
    build_say(b, "\n%.*s\n", STR_ARG(preset->title));
    while (next == BUILD_AGAIN) {
        struct buf text BUF_AUTO = BUF_INIT(BUILDER_TEXT_MAX);
        char what[100];
        if (!ask_name(b, &p)) return false;
        if (kind != PROVIDER_DEMO && (!ask_address(b, &p) || !ask_key(b, &p))) return false;
        build_text_provider(&p, &text);
        snprintf(what, sizeof what, "%.*s", STR_ARG(str_head(p.name, 64)));
        if (!build_try(b, what, buf_str(&text), CHECK_KIND(CHECK_PROVIDER), &next)) return false;
    }
    if (next == BUILD_DROP) return true;
    return vec_push(&b->providers, p) || build_stop(b, cli_fail(b->args->io, CLI_FAILED, "out of memory", NULL, NULL));
}

static struct str usual_choice(struct builder *b, const struct offer *o) {
    struct buf text BUF_AUTO = BUF_INIT(1024);
    for (size_t i = 0; i < o->n_found; i++) buf_printf(&text, "%s%zu", i ? "," : "", i + 1);
    struct str usual;
    return o->n_found && build_keep(b, buf_str(&text), &usual) ? usual : STR("demo");
}

bool build_providers(struct builder *b) {
    struct offer offer;
    offer_make(b, &offer);
    struct str usual = usual_choice(b, &offer);
    while (!b->providers.n) {
        enum provider_kind kinds[CHOSEN_MAX];
        struct str said;
        size_t n = 0;
        if (!build_ask(b, "Which, by number or kind, commas between", usual, &said)) return false;
        if (!choices(b, &offer, said, kinds, &n)) continue;
        for (size_t i = 0; i < n; i++)
            if (!ask_one(b, kinds[i])) return false;
        if (!b->providers.n) build_say(b, "  At least one is needed; \"demo\" answers by itself.\n");
    }
    return true;
}
