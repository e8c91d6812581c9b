// A catalogue of models is taken whole or not at all, and what is written of one that was taken is taken again.
#include "base/buf.h"
#include "base/mem.h"
#include "model/catalog.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_entry(const struct model_catalog *c, const struct model_entry *e) {
    if (!e->name.n || e->name.n > CATALOG_NAME_MAX || str_find_char(e->name, '/') >= e->name.n) abort();
    if (e->context_window && e->max_output > e->context_window) abort();
    if (e->price.known && e->price.rates.input < 0 && e->price.rates.image < 0) abort();
    if (e->price.batch != PRICE_NONE && (e->price.batch < 0 || e->price.batch > PRICE_BATCH_SAME)) abort();
    (void)model_catalog_get(c, e->name);
    uint64_t nano;
    struct usage u = {.prompt = 1000, .cached = 10, .cache_write = 10, .cache_write_1h = 5, .output = 50, .images = 1};
    (void)!price_cost(&e->price, &u, &nano);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct model_catalog *c, *again;
    struct err err;
    struct buf out = BUF_INIT((size_t)8 << 20);
    if (!model_catalog_read(str_of((const char *)data, size), STR("f"), NULL, &c, &err)) return 0;
    if (!model_catalog_count(c)) abort();
    for (size_t i = 0; i < model_catalog_count(c); i++) {
        check_entry(c, model_catalog_at(c, i));
        if (i && str_cmp(model_catalog_at(c, i - 1)->name, model_catalog_at(c, i)->name) >= 0) abort();
    }
    model_catalog_put(c, &out);
    if (!out.failed) {
        if (!model_catalog_read(buf_str(&out), STR("g"), c, &again, &err)) abort();
        if (model_catalog_count(again) != model_catalog_count(c)) abort();
        model_catalog_unref(again);
    }
    model_catalog_unref(c);
    buf_free(&out);
    return 0;
}
