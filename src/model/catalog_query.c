// Chooses and orders entries of the catalogue.
#include "model/catalog_query.h"

#include "base/json_write.h"

#include <stdlib.h>

static const char k_sorts[] = "name, cost, context or output, with \"-\" in front for the largest first";

static bool wrong(struct err *err, const char *param, const char *what, struct str text) {
    err_set(err, ERR_INVALID_FIELD, "%s: expected %s, found \"%.*s\"", param, what, STR_ARG(str_head(text, 60)));
    memcpy(err->param, param, strlen(param) + 1);
    return false;
}

static bool read_can(struct str text, unsigned *out_can, struct err *err) {
    struct str one;
    unsigned bit;
    while (text.n && str_split(&text, ',', &one)) {
        if (!model_can_parse(str_trim(one), &bit))
            return wrong(
                err, "can",
                "words such as vision, audio_input, pdf, tools, parallel_tools, json_schema, reasoning, caching "
                "or streaming, \",\" between",
                one);
        *out_can |= bit;
    }
    return true;
}

static bool read_mode(struct str text, struct model_query *q, struct err *err) {
    for (unsigned i = 0; i < MODEL_MODE_COUNT && !q->has_mode; i++) {
        q->has_mode = str_eq(text, model_mode_name((enum model_mode)i));
        q->mode = (enum model_mode)i;
    }
    return q->has_mode ||
           wrong(err, "mode", "chat, completion, embedding, image, speech, transcription, moderation or rerank", text);
}

static bool read_sort(struct str text, struct model_query *q, struct err *err) {
    static const struct str names[] = {[MODEL_SORT_NAME] = STR_INIT("name"),
                                       [MODEL_SORT_COST] = STR_INIT("cost"),
                                       [MODEL_SORT_CONTEXT] = STR_INIT("context"),
                                       [MODEL_SORT_OUTPUT] = STR_INIT("output")};
    struct str name = text;
    q->backwards = str_starts(name, STR("-"));
    if (q->backwards) name = str_from(name, 1);
    for (unsigned i = 0; i < ARRAY_LEN(names); i++) {
        if (!str_eq(name, names[i])) continue;
        q->sort = (enum model_sort)i;
        return true;
    }
    return wrong(err, "sort", k_sorts, text);
}

bool model_query_read(const struct model_query_text *text, struct model_query *out_query, struct err *err) {
    struct model_query q = {.provider = text->provider, .search = text->search};
    bool ok = read_can(text->can, &q.can, err) && (!text->mode.n || read_mode(text->mode, &q, err)) &&
              (!text->sort.n || read_sort(text->sort, &q, err));
    if (ok) *out_query = q;
    return ok;
}

// --- choosing ---

static struct str provider_of(const struct model_entry *e) { return str_head(e->name, str_find_char(e->name, '/')); }
static struct str model_of(const struct model_entry *e) { return str_from(e->name, provider_of(e).n + 1); }

static bool fits(const struct model_entry *e, const struct model_query *q) {
    if ((e->can & q->can) != q->can || (q->has_mode && e->mode != q->mode)) return false;
    if (q->provider.n && !str_eq(q->provider, provider_of(e))) return false;
    return !q->search.n || str_find(e->name, q->search) < e->name.n;
}

// What it is sorted by, small first; UINT64_MAX: not known.
static uint64_t rank_of(const struct model_entry *e, enum model_sort sort) {
    const struct price_rates *r = &e->price.rates;
    switch (sort) {
    case MODEL_SORT_COST:
        if (r->input == PRICE_NONE || r->output == PRICE_NONE) return UINT64_MAX;
        return 3 * (uint64_t)r->input + (uint64_t)r->output;
    case MODEL_SORT_CONTEXT:
        return e->context_window ? e->context_window : UINT64_MAX;
    case MODEL_SORT_OUTPUT:
        return e->max_output ? e->max_output : UINT64_MAX;
    case MODEL_SORT_NAME:
        break;
    }
    return 0;
}

struct ranked {
    const struct model_entry *e;
    uint64_t rank;
    bool backwards;
};

static int by_rank(const void *a, const void *b) {
    const struct ranked *x = a, *y = b;
    int order = x->rank < y->rank ? -1 : x->rank > y->rank;
    bool unknown = x->rank == UINT64_MAX || y->rank == UINT64_MAX;
    if (!order) order = str_cmp(x->e->name, y->e->name);
    return x->backwards && !unknown ? -order : order;
}

const struct model_entry **model_query_run(const struct model_catalog *catalog, const struct model_query *q,
                                           struct arena *arena, size_t *out_n) {
    size_t total = model_catalog_count(catalog), n = 0;
    struct ranked *list = ARENA_ARRAY(arena, struct ranked, total + 1);
    const struct model_entry **out = ARENA_ARRAY(arena, const struct model_entry *, total + 1);
    if (!list || !out) return NULL;
    for (size_t i = 0; i < total; i++) {
        const struct model_entry *e = model_catalog_at(catalog, i);
        if (fits(e, q)) list[n++] = (struct ranked){e, rank_of(e, q->sort), q->backwards};
    }
    qsort(list, n, sizeof *list, by_rank);
    for (size_t i = 0; i < n; i++) out[i] = list[i].e;
    *out_n = n;
    return out;
}

bool model_query_put(const struct model_catalog *catalog, const struct model_query *q, struct arena *arena,
                     struct buf *out, struct err *err) {
    struct json_writer w;
    size_t n;
    const struct model_entry **list = model_query_run(catalog, q, arena, &n);
    if (!list) return err_no_memory(err);
    json_writer_init(&w, out);
    json_put_object(&w);
    json_put_member_str(&w, STR("source"), model_catalog_source(catalog));
    json_put_member_u64(&w, STR("total"), n);
    json_put_member_array(&w, STR("data"));
    for (size_t i = 0; i < n; i++) {
        json_put_object(&w);
        json_put_member_str(&w, STR("id"), list[i]->name);
        json_put_member_str(&w, STR("provider"), provider_of(list[i]));
        json_put_member_str(&w, STR("model"), model_of(list[i]));
        model_entry_put(&w, list[i]);
        json_put_member_text(&w, STR("as_of"), list[i]->as_of);
        json_put_object_end(&w);
    }
    json_put_array_end(&w);
    json_put_object_end(&w);
    return !out->failed || err_no_memory(err);
}
