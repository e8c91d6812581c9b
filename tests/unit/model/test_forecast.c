// Forecasts: what is asked for which models, ranges of answers, costs in order, sums, wrong requests.
#include "base/json_write.h"
#include "check.h"
#include "model/forecast.h"

#include <stdlib.h>

#define HI "\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]"

static bool read_text(const char *text, struct arena *a, struct forecast_request *q, struct err *err) {
    return forecast_read(str_c(text), 64, a, q, err);
}

static void reading(void) {
    struct forecast_request q;
    struct arena a;
    struct err err;
    arena_init(&a, NULL, 0, 1 << 22);
    REQUIRE(read_text("{\"model\":\"m\"," HI ",\"max_tokens\":7}", &a, &q, &err));
    CHECK(q.operation == OPERATION_CHAT && q.max_output == 7 && q.name_count == 1 && !q.all);
    CHECK_STR(q.names[0], STR("m"));
    REQUIRE(read_text("{\"models\":[\"a\",\"\\u0062\"]," HI "}", &a, &q, &err));
    CHECK(q.name_count == 2);
    CHECK_STR(q.names[1], STR("b"));
    REQUIRE(read_text("{\"models\":\"all\",\"input\":[\"x\"]}", &a, &q, &err));
    CHECK(q.all && q.operation == OPERATION_EMBEDDINGS && forecast_fits_mode(&q, MODEL_EMBEDDING));
    CHECK(!forecast_fits_mode(&q, MODEL_CHAT));
    REQUIRE(read_text("{\"model\":\"m\",\"prompt\":\"x\"}", &a, &q, &err));
    CHECK(q.operation == OPERATION_COMPLETIONS);
    static const struct {
        const char *text;
    } wrong[] = {{""},
                 {"[]"},
                 {"{}"},
                 {"{" HI "}"},
                 {"{\"models\":[]," HI "}"},
                 {"{\"models\":\"some\"," HI "}"},
                 {"{\"models\":[1]," HI "}"},
                 {"{\"models\":{}," HI "}"},
                 {"{\"model\":7," HI "}"},
                 {"{\"model\":\"m\",\"messages\":3}"},
                 {"{\"model\":\"m\",\"messages\":[]}"},
                 {"{\"model\":\"m\"," HI ",\"model\":\"n\"}"},
                 {"{\"model\":\"m\"," HI}};
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        bool ok = read_text(wrong[i].text, &a, &q, &err);
        if (ok) fprintf(stderr, "%s\n", wrong[i].text);
        CHECK(!ok);
    }
    arena_free(&a);
}

static struct forecast_model model(const char *name, int64_t input, int64_t output, uint64_t window, uint64_t most) {
    struct forecast_model m = {.name = str_c(name), .upstream = str_c(name), .facts = {.price = PRICE_UNKNOWN}};
    m.facts.context_window = window;
    m.facts.max_output = most;
    m.facts.price.rates.input = input;
    m.facts.price.rates.output = output;
    price_settle(&m.facts.price);
    return m;
}

static void ranges(void) {
    struct forecast_request q;
    struct arena a;
    struct err err;
    arena_init(&a, NULL, 0, 1 << 22);
    struct forecast_model models[] = {model("gpt-4o", 1000, 10000, 128000, 0),
                                      model("nobody-unpriced", PRICE_NONE, PRICE_NONE, 0, 0),
                                      model("gpt-4o-mini", 100, 1000, 3, 100), model("claude-x", 10, 10, 0, 0)};
    models[3].observed = 40;
    REQUIRE(read_text("{\"models\":\"all\"," HI "}", &a, &q, &err));
    struct forecast *f = forecast_make(&q, models, ARRAY_LEN(models), 500, &a);
    REQUIRE(f);
    CHECK_STR(f[0].model->name, STR("claude-x")); // in the order of cost
    CHECK_STR(f[1].model->name, STR("gpt-4o-mini"));
    CHECK_STR(f[2].model->name, STR("gpt-4o"));
    CHECK_STR(f[3].model->name, STR("nobody-unpriced"));
    CHECK(!f[3].cost_known && f[2].cost_known);
    CHECK_INT(f[0].output.expected, 40);
    CHECK_INT(f[0].output.low, 10);
    CHECK_INT(f[0].output.high, 160);
    CHECK_INT(f[1].output.expected, 100); // no more than it gives
    CHECK_INT(f[1].output.high, 100);
    CHECK(!f[1].fits && f[2].fits);
    CHECK_INT(f[2].output.expected, 500);
    CHECK_INT(f[2].input.total, 8);
    CHECK_INT(f[2].cost.expected, 8 + 5000);
    CHECK_INT(f[2].cost.high, 8 + 20000);
    CHECK(f[2].input.exact && !f[0].input.exact);
    struct forecast sum = f[2];
    forecast_add(&sum, &f[2]);
    CHECK_INT(sum.cost.expected, 2 * (8 + 5000));
    CHECK_INT(sum.input.total, 16);
    REQUIRE(read_text("{\"models\":\"all\"," HI ",\"max_tokens\":20}", &a, &q, &err));
    f = forecast_make(&q, models, 1, 500, &a);
    REQUIRE(f);
    CHECK(f[0].output.low == 5 && f[0].output.expected == 20 && f[0].output.high == 20);
    REQUIRE(read_text("{\"models\":\"all\",\"input\":\"hi there\"}", &a, &q, &err));
    f = forecast_make(&q, models, 1, 500, &a);
    REQUIRE(f);
    CHECK(f[0].output.high == 0 && f[0].input.total == 2 && f[0].cost.high == 2);
    struct buf out = BUF_INIT(4096);
    struct json_writer w;
    json_writer_init(&w, &out);
    forecast_put(&w, &f[0]);
    CHECK(json_validate(buf_str(&out), 0, &err));
    buf_free(&out);
    arena_free(&a);
}

TEST_MAIN(reading, ranges)
