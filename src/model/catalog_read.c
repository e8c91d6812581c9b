// Reads a catalogue in Penstock's own form.
#include "model/catalog_impl.h"

#define TEXT_MAX 300
#define DOLLARS_MAX 1e6 // a million tokens, or an image

// --- prices ---

static const struct {
    struct str name;
    size_t offset;
} k_rates[] = {
#define RATE(name, field)                                                                                              \
    { STR_INIT(name), offsetof(struct price_rates, field) }
    RATE("input", input),
    RATE("output", output),
    RATE("cached_input", cached_input),
    RATE("cache_write", cache_write),
    RATE("cache_write_1h", cache_write_1h),
    RATE("reasoning", reasoning),
    RATE("audio_input", audio_in),
    RATE("audio_output", audio_out),
#undef RATE
};

// *out_known: it is one of them. False: it is wrong, or there twice.
static bool read_rate(struct catalog_read *r, struct str key, struct price_rates *rates, bool *out_known) {
    *out_known = false;
    for (size_t i = 0; i < ARRAY_LEN(k_rates) && !*out_known; i++) {
        if (!json_string_eq(key, k_rates[i].name)) continue;
        int64_t *rate = (int64_t *)(void *)((char *)rates + k_rates[i].offset);
        *out_known = true;
        if (*rate != PRICE_NONE) return catalog_wrong(r, key, "a price that is there twice");
        if (!catalog_money(r, DOLLARS_MAX, 1e6, rate)) return false;
    }
    return true;
}

static bool read_long(struct catalog_read *r, struct price *p) {
    struct str key;
    enum json_kind kind;
    bool known;
    if (p->long_from) return catalog_wrong(r, STR_NONE, "a long_prompt that is there twice");
    if (!json_enter_object(&r->json)) return false;
    while (json_member(&r->json, &key, &kind)) {
        if (!read_rate(r, key, &p->long_rates, &known)) return false;
        if (known) continue;
        if (!json_string_eq(key, STR("above"))) return catalog_wrong(r, key, "not known here");
        if (!catalog_tokens(r, &p->long_from)) return false;
    }
    if (!json_ok(&r->json)) return false;
    const struct price_rates *l = &p->long_rates;
    return (p->long_from && l->input != PRICE_NONE && l->output != PRICE_NONE) ||
           catalog_wrong(r, STR_NONE, "long_prompt has above, input and output");
}

static bool read_price(struct catalog_read *r, struct price *p) {
    struct str key;
    enum json_kind kind;
    bool known;
    if (!json_enter_object(&r->json)) return false;
    while (json_member(&r->json, &key, &kind)) {
        bool ok = read_rate(r, key, &p->rates, &known);
        if (!ok) return false;
        if (known) continue;
        if (json_string_eq(key, STR("image")))
            ok = catalog_money(r, DOLLARS_MAX, 1e12, &p->rates.image);
        else if (json_string_eq(key, STR("batch")))
            ok = catalog_money(r, 1, (double)PRICE_BATCH_SAME, &p->batch);
        else if (json_string_eq(key, STR("long_prompt")))
            ok = read_long(r, p);
        else
            ok = catalog_wrong(r, key, "not known here");
        if (!ok) return false;
    }
    if (!json_ok(&r->json)) return false;
    price_settle(p);
    p->source = PRICE_FROM_TABLE;
    return p->known || catalog_wrong(r, STR_NONE, "a price has input and output, or image");
}

// --- a model ---

static bool read_mode(struct catalog_read *r, enum model_mode *out_mode) {
    struct str raw;
    if (!json_string(&r->json, &raw)) return false;
    for (unsigned i = 0; i < MODEL_MODE_COUNT; i++) {
        if (!json_string_eq(raw, model_mode_name((enum model_mode)i))) continue;
        *out_mode = (enum model_mode)i;
        return true;
    }
    return catalog_wrong(r, raw,
                         "expected chat, completion, embedding, image, speech, transcription, moderation or rerank");
}

static bool read_can(struct catalog_read *r, unsigned *out_can) {
    enum json_kind kind;
    struct str raw, name;
    unsigned bit;
    if (!json_enter_array(&r->json)) return false;
    while (json_element(&r->json, &kind)) {
        if (!json_string(&r->json, &raw)) return false;
        if (!json_string_borrow(raw, &name) || !model_can_parse(name, &bit))
            return catalog_wrong(r, raw, "not something a model can do");
        *out_can |= bit;
    }
    return json_ok(&r->json);
}

static bool read_day(struct catalog_read *r, struct str *out_day) {
    if (!catalog_text(r, TEXT_MAX, out_day)) return false;
    return catalog_is_day(*out_day) || catalog_wrong(r, STR_NONE, "expected a day such as \"2027-01-31\"");
}

enum member { MODE, CONTEXT, OUTPUT, CAN, CANNOT, PRICE, DEPRECATED, MEMBER_COUNT };

static bool read_member(struct catalog_read *r, enum member member, struct model_entry *e) {
    switch (member) {
    case MODE:
        return read_mode(r, &e->mode);
    case CONTEXT:
        return catalog_tokens(r, &e->context_window);
    case OUTPUT:
        return catalog_tokens(r, &e->max_output);
    case CAN:
        return read_can(r, &e->can);
    case CANNOT:
        return read_can(r, &e->cannot);
    case PRICE:
        return read_price(r, &e->price);
    case DEPRECATED:
        return read_day(r, &e->deprecated);
    case MEMBER_COUNT:
        break;
    }
    return false;
}

static bool read_model(struct catalog_read *r, struct model_entry *e) {
    static const struct str names[] = {[MODE] = STR_INIT("mode"),
                                       [CONTEXT] = STR_INIT("context_window"),
                                       [OUTPUT] = STR_INIT("max_output_tokens"),
                                       [CAN] = STR_INIT("capabilities"),
                                       [CANNOT] = STR_INIT("cannot"),
                                       [PRICE] = STR_INIT("price"),
                                       [DEPRECATED] = STR_INIT("deprecated")};
    struct str key;
    enum json_kind kind;
    unsigned seen = 0;
    if (!json_enter_object(&r->json)) return false;
    while (json_member(&r->json, &key, &kind)) {
        unsigned m = 0;
        if (json_string_eq(key, STR("modalities"))) continue; // follows from the capabilities
        while (m < MEMBER_COUNT && !json_string_eq(key, names[m])) m++;
        if (m == MEMBER_COUNT) return catalog_wrong(r, key, "not known here");
        if (seen & 1u << m) return catalog_wrong(r, key, "there twice");
        seen |= 1u << m;
        if (kind != JSON_NULL && !read_member(r, (enum member)m, e)) return false;
    }
    if (!json_ok(&r->json)) return false;
    if (!(seen & 1u << MODE)) return catalog_wrong(r, STR_NONE, "mode is missing");
    if (e->can & e->cannot) return catalog_wrong(r, STR_NONE, "something that it can and cannot do");
    return !e->context_window || e->max_output <= e->context_window ||
           catalog_wrong(r, STR_NONE, "max_output_tokens is more than context_window");
}

static bool read_models(struct catalog_read *r) {
    struct str key;
    enum json_kind kind;
    if (!json_enter_object(&r->json)) return false;
    while (json_member(&r->json, &key, &kind)) {
        struct model_entry e = {.price = PRICE_UNKNOWN};
        if (!json_string_text(key, &r->catalog->arena, &e.name)) return catalog_wrong(r, key, "out of memory");
        r->name = e.name = arena_str(&r->catalog->arena, e.name);
        if (!catalog_is_name(e.name))
            return catalog_wrong(r, key, "a name is a provider's kind and a model: openai/gpt-4o");
        if (!read_model(r, &e) || !catalog_add(r, &e)) return false;
    }
    r->name = STR_NONE;
    return json_ok(&r->json);
}

// --- the whole ---

static bool read_source(struct catalog_read *r, struct catalog_source *s) {
    struct str key;
    enum json_kind kind;
    if (!json_enter_object(&r->json)) return false;
    while (json_member(&r->json, &key, &kind)) {
        bool ok = false;
        if (json_string_eq(key, STR("as_of")))
            ok = read_day(r, &s->as_of);
        else if (json_string_eq(key, STR("from")))
            ok = catalog_text(r, TEXT_MAX, &s->from);
        else
            ok = catalog_wrong(r, key, "not known here");
        if (!ok) return false;
    }
    return json_ok(&r->json);
}

static bool read_sources(struct catalog_read *r) {
    struct str key;
    enum json_kind kind;
    if (!json_enter_object(&r->json)) return false;
    while (json_member(&r->json, &key, &kind)) {
        struct catalog_source s = {0};
        if (!json_string_text(key, &r->catalog->arena, &s.vendor)) return catalog_wrong(r, key, "out of memory");
        s.vendor = arena_str(&r->catalog->arena, s.vendor);
        if (!read_source(r, &s)) return false;
        if (r->sources.n >= 1000 || !vec_push(&r->sources, s)) return catalog_wrong(r, key, "too many sources");
    }
    return json_ok(&r->json);
}

bool catalog_read_own(struct catalog_read *r) {
    static const struct str names[] = {STR_INIT("penstock_models"), STR_INIT("sources"), STR_INIT("models")};
    struct str key;
    enum json_kind kind;
    unsigned seen = 0;
    uint64_t version = 0;
    while (json_member(&r->json, &key, &kind)) {
        unsigned m = 0;
        while (m < ARRAY_LEN(names) && !json_string_eq(key, names[m])) m++;
        if (m == ARRAY_LEN(names)) return catalog_wrong(r, key, "not known here");
        if (seen & 1u << m) return catalog_wrong(r, key, "there twice");
        seen |= 1u << m;
        bool ok = m == 0 ? json_u64(&r->json, &version) : m == 1 ? read_sources(r) : read_models(r);
        if (!ok) return false;
        if (m == 0 && version != 1) return catalog_wrong(r, key, "only version 1 of the form is known");
    }
    if (!json_ok(&r->json)) return false;
    return (seen & 1) || catalog_wrong(r, STR_NONE, "\"penstock_models\": 1 is missing");
}
