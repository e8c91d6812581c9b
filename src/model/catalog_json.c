// The words for what models are and can do, and an entry as JSON.
#include "model/catalog.h"

#include "base/json_write.h"

static const struct str k_modes[] = {
#define MODE(id, name) STR_INIT(name),
#include "model/mode.def"
#undef MODE
};
static const struct str k_can[] = {
#define CAPABILITY(id, name, help) STR_INIT(name),
#include "conf/capability.def"
#undef CAPABILITY
};

struct str model_mode_name(enum model_mode mode) {
    return k_modes[mode];
}

bool model_can_parse(struct str name, unsigned *out_bit) {
    for (unsigned i = 0; i < MODEL_CAN_COUNT; i++) {
        if (!str_eq(name, k_can[i])) continue;
        *out_bit = 1u << i;
        return true;
    }
    return false;
}

// Millionths, or picodollars a token as dollars a million tokens.
static void put_rate(struct json_writer *w, struct str name, int64_t rate) {
    char text[40];
    if (rate == PRICE_NONE) return;
    size_t n = fmt_u64(text, (uint64_t)rate / 1000000);
    uint64_t part = (uint64_t)rate % 1000000;
    if (part) text[n++] = '.';
    for (uint64_t unit = 100000; part; unit /= 10) {
        text[n++] = (char)('0' + part / unit);
        part %= unit;
    }
    json_put_member_raw(w, name, str_of(text, n));
}

static void put_rates(struct json_writer *w, const struct price_rates *r) {
    put_rate(w, STR("input"), r->input);
    put_rate(w, STR("cached_input"), r->cached_input);
    put_rate(w, STR("cache_write"), r->cache_write);
    put_rate(w, STR("cache_write_1h"), r->cache_write_1h);
    put_rate(w, STR("output"), r->output);
    put_rate(w, STR("reasoning"), r->reasoning);
    put_rate(w, STR("audio_input"), r->audio_in);
    put_rate(w, STR("audio_output"), r->audio_out);
}

static void put_price(struct json_writer *w, const struct price *p) {
    if (!p->known) {
        json_put_member_null(w, STR("price"));
        return;
    }
    json_put_member_object(w, STR("price"));
    put_rates(w, &p->rates);
    put_rate(w, STR("image"), p->rates.image == PRICE_NONE ? PRICE_NONE : p->rates.image / 1000000);
    put_rate(w, STR("batch"), p->batch);
    if (p->long_from) {
        json_put_member_object(w, STR("long_prompt"));
        json_put_member_u64(w, STR("above"), p->long_from);
        put_rates(w, &p->long_rates);
        json_put_object_end(w);
    }
    json_put_object_end(w);
}

static void put_tokens(struct json_writer *w, struct str name, uint64_t tokens) {
    if (tokens)
        json_put_member_u64(w, name, tokens);
    else
        json_put_member_null(w, name);
}

static void put_kinds(struct json_writer *w, struct str name, bool text, unsigned can, const unsigned bits[3],
                      const char *const words[3]) {
    json_put_member_array(w, name);
    if (text) json_put_str(w, STR("text"));
    for (size_t i = 0; i < 3; i++)
        if (can & bits[i]) json_put_str(w, str_c(words[i]));
    json_put_array_end(w);
}

static void put_modalities(struct json_writer *w, const struct model_entry *e) {
    static const unsigned in[] = {MODEL_CAN_VISION, MODEL_CAN_AUDIO_INPUT, MODEL_CAN_VIDEO_INPUT};
    static const unsigned out[] = {MODEL_CAN_IMAGE_OUTPUT, MODEL_CAN_AUDIO_OUTPUT, 0};
    static const char *const in_words[] = {"image", "audio", "video"}, *const out_words[] = {"image", "audio", ""};
    bool says = e->mode == MODEL_CHAT || e->mode == MODEL_COMPLETION || e->mode == MODEL_TRANSCRIPTION;
    json_put_member_object(w, STR("modalities"));
    put_kinds(w, STR("input"), e->mode != MODEL_TRANSCRIPTION, e->can, in, in_words);
    put_kinds(w, STR("output"), says, e->can, out, out_words);
    json_put_object_end(w);
}

static void put_can(struct json_writer *w, struct str name, unsigned can) {
    json_put_member_array(w, name);
    for (unsigned i = 0; i < MODEL_CAN_COUNT; i++)
        if (can & 1u << i) json_put_str(w, k_can[i]);
    json_put_array_end(w);
}

void model_entry_put_abilities(struct json_writer *w, const struct model_entry *e, bool known) {
    put_tokens(w, STR("context_window"), e->context_window);
    put_tokens(w, STR("max_output_tokens"), e->max_output);
    if (!known) {
        json_put_member_null(w, STR("capabilities"));
        return;
    }
    put_can(w, STR("capabilities"), e->can);
}

void model_entry_put(struct json_writer *w, const struct model_entry *e) {
    json_put_member_str(w, STR("mode"), k_modes[e->mode]);
    model_entry_put_abilities(w, e, true);
    put_modalities(w, e);
    put_price(w, &e->price);
    json_put_member_text(w, STR("deprecated"), e->deprecated);
}

static void put_sources(struct json_writer *w, const struct model_catalog *c) {
    struct str last = STR_NONE;
    json_put_member_object(w, STR("sources"));
    for (size_t i = 0; i < model_catalog_count(c); i++) { // by name, so those of a vendor stand together
        const struct model_entry *e = model_catalog_at(c, i);
        struct str vendor = str_head(e->name, str_find_char(e->name, '/'));
        if (!e->as_of.n || str_eq(vendor, last)) continue;
        json_put_member_object(w, vendor);
        json_put_member_str(w, STR("as_of"), e->as_of);
        if (e->from.n) json_put_member_str(w, STR("from"), e->from);
        json_put_object_end(w);
        last = vendor;
    }
    json_put_object_end(w);
}

void model_catalog_put(const struct model_catalog *c, struct buf *out) {
    struct json_writer w;
    json_writer_init(&w, out);
    json_put_object(&w);
    json_put_member_u64(&w, STR("penstock_models"), 1);
    put_sources(&w, c);
    json_put_member_object(&w, STR("models"));
    for (size_t i = 0; i < model_catalog_count(c); i++) {
        json_put_member_object(&w, model_catalog_at(c, i)->name);
        model_entry_put(&w, model_catalog_at(c, i));
        if (model_catalog_at(c, i)->cannot) put_can(&w, STR("cannot"), model_catalog_at(c, i)->cannot);
        json_put_object_end(&w);
    }
    json_put_object_end(&w);
    json_put_object_end(&w);
}
