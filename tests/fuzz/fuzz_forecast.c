// An estimate of any request adds up, its ranges are in order, and pictures have a size within bounds.
#include "base/json_write.h"
#include "base/mem.h"
#include "model/forecast.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct forecast *f) {
    const struct prompt_tokens *t = &f->input;
    if (t->total != t->text + t->tools + t->images) abort();
    if (f->output.low > f->output.expected || f->output.expected > f->output.high) abort();
    if (f->cost_known && (f->cost.low > f->cost.expected || f->cost.expected > f->cost.high)) abort();
    if (t->exact && (t->tools || t->images || t->uncounted)) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const struct str names[] = {STR_INIT("gpt-4o"), STR_INIT("claude-sonnet-4-5"), STR_INIT("gemini-2.5-pro"),
                                       STR_INIT("mistral-large")};
    struct forecast_model models[ARRAY_LEN(names)];
    struct forecast_request request;
    struct image_size picture;
    struct arena arena;
    struct err err;
    struct buf out = BUF_INIT((size_t)1 << 20);
    struct str text = str_of((const char *)data, size);
    if (image_size_of(text, &picture) && (picture.width < 1 || picture.width > IMAGE_SIDE_MAX)) abort();
    arena_init(&arena, NULL, 0, (size_t)64 << 20);
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        models[i] = (struct forecast_model){.name = names[i], .upstream = names[i], .facts = {.price = PRICE_UNKNOWN}};
        models[i].facts.price.rates.input = models[i].facts.price.rates.output = 1000;
        price_settle(&models[i].facts.price);
    }
    if (size < 65536 && forecast_read(text, 64, &arena, &request, &err)) {
        struct forecast *list = forecast_make(&request, models, ARRAY_LEN(names), 512, &arena);
        for (size_t i = 0; list && i < ARRAY_LEN(names); i++) {
            struct json_writer w;
            check(&list[i]);
            buf_clear(&out);
            json_writer_init(&w, &out);
            forecast_put(&w, &list[i]);
            if (!out.failed && !json_validate(buf_str(&out), 0, &err)) abort();
        }
    }
    arena_free(&arena);
    buf_free(&out);
    return 0;
}
