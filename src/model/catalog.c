// Makes catalogues of models: from the text that is built in, and from others over it.
#include "model/catalog_impl.h"

#include "base/mem.h"

#include <stdlib.h>

#define ARENA_MAX ((size_t)64 << 20)
#define MAP_SEED 0x6d6f64656c73ULL // the names are an operator's, not a caller's

extern const char embedded_models[];
extern const size_t embedded_models_size;

// --- values ---

bool catalog_wrong(struct catalog_read *r, struct str at, const char *what) {
    return json_fail(&r->json, at.p ? at : str_of(r->json.at, 0), what);
}

bool catalog_text(struct catalog_read *r, size_t max, struct str *out_text) {
    struct str raw, text;
    if (!json_string(&r->json, &raw)) return false;
    size_t n = json_string_len(raw);
    if (n == 0 || n > max) return catalog_wrong(r, raw, "a text that is empty or too long");
    if (!json_string_text(raw, &r->catalog->arena, &text)) return catalog_wrong(r, raw, "out of memory");
    for (size_t i = 0; i < text.n; i++)
        if ((unsigned char)text.p[i] < ' ' || text.p[i] == 0x7f)
            return catalog_wrong(r, raw, "a text with control characters");
    text = arena_str(&r->catalog->arena, text);
    if (!text.p) return catalog_wrong(r, raw, "out of memory");
    *out_text = text;
    return true;
}

static bool number(struct catalog_read *r, double max, double *out_value, struct str *out_raw) {
    if (!json_number(&r->json, out_raw)) return false;
    if (!json_raw_double(*out_raw, out_value) || *out_value < 0 || *out_value > max)
        return catalog_wrong(r, *out_raw, "a number that is negative or too large");
    return true;
}

bool catalog_tokens(struct catalog_read *r, uint64_t *out_tokens) {
    struct str raw;
    double v;
    if (!number(r, (double)CATALOG_TOKENS_MAX, &v, &raw)) return false;
    uint64_t tokens = (uint64_t)v;
    if ((double)tokens < v) return catalog_wrong(r, raw, "expected a whole number of tokens");
    *out_tokens = tokens;
    return true;
}

bool catalog_money(struct catalog_read *r, double max, double unit, int64_t *out_value) {
    struct str raw;
    double v;
    if (!number(r, max, &v, &raw)) return false;
    *out_value = (int64_t)(v * unit + 0.5);
    return true;
}

bool catalog_is_day(struct str s) {
    static const char form[] = "dddd-dd-dd";
    if (s.n != sizeof form - 1) return false;
    for (size_t i = 0; i < s.n; i++)
        if (form[i] == 'd' ? s.p[i] < '0' || s.p[i] > '9' : s.p[i] != form[i]) return false;
    int month = (s.p[5] - '0') * 10 + s.p[6] - '0', day = (s.p[8] - '0') * 10 + s.p[9] - '0';
    return month >= 1 && month <= 12 && day >= 1 && day <= 31;
}

bool catalog_is_name(struct str s) {
    size_t slash = str_find_char(s, '/');
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] < ' ' || s.p[i] == 0x7f) return false;
    return s.n <= CATALOG_NAME_MAX && slash > 0 && slash + 1 < s.n;
}

bool catalog_add(struct catalog_read *r, const struct model_entry *entry) {
    struct model_catalog *c = r->catalog;
    if (c->entries.n >= CATALOG_MODELS_MAX) return catalog_wrong(r, STR_NONE, "too many models");
    if (vec_push(&c->entries, *entry)) return true;
    return catalog_wrong(r, STR_NONE, "out of memory");
}

// --- making ---

static struct model_catalog *create(struct model_catalog *under) {
    struct model_catalog *c = mem_zalloc(1, sizeof *c);
    if (!c) return NULL;
    atomic_init(&c->refs, 1);
    arena_init(&c->arena, NULL, 64 * 1024, ARENA_MAX);
    map_init(&c->by_name, MAP_SEED);
    if (under) c->under = model_catalog_ref(under);
    return c;
}

static int by_name(const void *a, const void *b) {
    return str_cmp(((const struct model_entry *)a)->name, ((const struct model_entry *)b)->name);
}

static void add_source(struct catalog_read *r, struct model_entry *e) {
    struct str vendor = str_head(e->name, str_find_char(e->name, '/'));
    for (size_t i = 0; i < r->sources.n; i++) {
        if (!str_eq(r->sources.p[i].vendor, vendor)) continue;
        e->as_of = r->sources.p[i].as_of;
        e->from = r->sources.p[i].from;
    }
}

// One of two of the same name: that with a price, else the first.
static void keep_one(struct model_catalog *c) {
    size_t n = 0;
    for (size_t i = 0; i < c->entries.n; i++) {
        struct model_entry *e = &c->entries.p[i], *last = n ? &c->entries.p[n - 1] : NULL;
        if (!last || !str_eq(e->name, last->name))
            c->entries.p[n++] = *e;
        else if (e->price.known && !last->price.known)
            *last = *e;
    }
    c->entries.n = n;
}

// Sorts what was read, and refuses what is in there twice.
static bool settle(struct catalog_read *r, struct err *err) {
    struct model_catalog *c = r->catalog;
    if (!c->entries.n) return err_set(err, ERR_INVALID_FIELD, "there is no model in it");
    qsort(c->entries.p, c->entries.n, sizeof *c->entries.p, by_name);
    if (r->lenient) keep_one(c);
    for (size_t i = 0; i < c->entries.n; i++) {
        struct model_entry *e = &c->entries.p[i];
        if (i && str_eq(e->name, e[-1].name))
            return err_set(err, ERR_INVALID_FIELD, "model \"%.*s\" is in it twice", STR_ARG(e->name));
        add_source(r, e);
    }
    c->own = c->entries.n;
    return true;
}

static bool index_names(struct model_catalog *c, struct err *err) {
    map_free(&c->by_name);
    map_init(&c->by_name, MAP_SEED);
    for (size_t i = 0; i < c->entries.n; i++)
        if (!map_put(&c->by_name, c->entries.p[i].name, &c->entries.p[i])) return err_no_memory(err);
    return true;
}

// Those below that have no entry of the same name above.
static bool join(struct model_catalog *c, struct err *err) {
    size_t own = c->entries.n;
    if (!c->under) return true;
    if (!index_names(c, err)) return false;
    for (size_t i = 0; i < c->under->entries.n; i++) {
        const struct model_entry *e = &c->under->entries.p[i];
        if (map_get(&c->by_name, e->name)) continue;
        if (!vec_push(&c->entries, *e)) return err_no_memory(err);
    }
    if (c->entries.n > own) qsort(c->entries.p, c->entries.n, sizeof *c->entries.p, by_name);
    return true;
}

// Which of the two forms: only LiteLLM's has no member "models".
static bool read(struct catalog_read *r, struct str text) {
    struct str models;
    bool own = JSON_GET(text, &models, STR("models")) && json_raw_kind(models) == JSON_OBJECT;
    json_reader_init(&r->json, text, 0);
    return json_enter_object(&r->json) && (own ? catalog_read_own(r) : catalog_read_litellm(r));
}

static bool told(const struct catalog_read *r, struct err *err) {
    if (!r->name.n) return false;
    return err_wrap(err, "model \"%.*s\"", STR_ARG(str_head(r->name, 100)));
}

bool model_catalog_read(struct str text, struct str source, struct model_catalog *under,
                        struct model_catalog **out_catalog, struct err *err) {
    struct model_catalog *c;
    if (text.n > CATALOG_TEXT_MAX)
        return err_set(err, ERR_INVALID_FIELD, "a catalogue of more than %zu bytes is not taken", CATALOG_TEXT_MAX);
    if (!json_validate(text, 0, err)) return false;
    if (!(c = create(under))) return err_no_memory(err);
    struct catalog_read r = {.catalog = c};
    c->source = arena_str(&c->arena, source);
    bool ok = (read(&r, text) && json_end(&r.json, err)) || (!json_ok(&r.json) && json_error(&r.json, err));
    if (!ok) (void)told(&r, err);
    ok = ok && settle(&r, err) && join(c, err) && index_names(c, err);
    vec_free(&r.sources);
    if (ok)
        *out_catalog = c;
    else
        model_catalog_unref(c);
    return ok;
}

bool model_catalog_builtin(struct model_catalog **out_catalog, struct err *err) {
    return model_catalog_read(str_of(embedded_models, embedded_models_size), STR("built in"), NULL, out_catalog, err);
}

struct model_catalog *model_catalog_ref(struct model_catalog *c) {
    atomic_fetch_add_explicit(&c->refs, 1, memory_order_relaxed);
    return c;
}

void model_catalog_unref(struct model_catalog *c) {
    if (!c || atomic_fetch_sub_explicit(&c->refs, 1, memory_order_acq_rel) != 1) return;
    model_catalog_unref(c->under);
    map_free(&c->by_name);
    vec_free(&c->entries);
    arena_free(&c->arena);
    mem_free(c);
}

size_t model_catalog_count(const struct model_catalog *c) { return c->entries.n; }
const struct model_entry *model_catalog_at(const struct model_catalog *c, size_t i) { return &c->entries.p[i]; }
size_t model_catalog_own(const struct model_catalog *c) { return c->own; }
struct str model_catalog_source(const struct model_catalog *c) {
    return c->source;
}
