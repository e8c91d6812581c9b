// Tests of gateway/estimate.h: what a request sets, what its model's answers have shown, what is assumed before.
#include "check.h"

#include "gateway/estimate.h"

static struct model_request request(const char *model, uint64_t max_output) {
    return (struct model_request){.operation = OPERATION_CHAT, .model = str_c(model), .max_output = max_output};
}

static void test_what_is_said(void) {
    static struct estimates e;
    struct model_request q = request("m", 77);
    CHECK_INT(estimate_output(&e, &q, 512), 77);
    estimate_learn(&e, STR("m"), 5000);
    CHECK_INT(estimate_output(&e, &q, 512), 77);
    q.operation = OPERATION_EMBEDDINGS;
    CHECK_INT(estimate_output(&e, &q, 512), 0);
}

static void test_learning(void) {
    static struct estimates e;
    struct model_request q = request("m", 0), other = request("n", 0);
    CHECK_INT(estimate_output(&e, &q, 512), 512);
    CHECK_INT(estimate_output(&e, &q, 0), 0);
    estimate_learn(&e, STR("m"), 100);
    CHECK_INT(estimate_output(&e, &q, 512), 100);
    CHECK_INT(estimate_output(&e, &other, 512), 512);
    for (int i = 0; i < 100; i++) estimate_learn(&e, STR("m"), 1000);
    CHECK_INT(estimate_output(&e, &q, 512), 1000);
    for (int i = 0; i < 200; i++) estimate_learn(&e, STR("m"), 0);
    CHECK(estimate_output(&e, &q, 512) <= 1);
    // An upstream's lie harms nobody.
    estimate_learn(&e, STR("m"), UINT64_MAX);
    CHECK(estimate_output(&e, &q, 512) <= MODEL_OUTPUT_MAX);
}

// More models than there are slots: some are forgotten, none is mistaken for another.
static void test_many_models(void) {
    static struct estimates e;
    unsigned known = 0;
    char name[20];
    for (unsigned i = 0; i < 4 * ESTIMATE_SLOTS; i++) {
        snprintf(name, sizeof name, "model-%u", i);
        estimate_learn(&e, str_c(name), i + 1000);
    }
    for (unsigned i = 0; i < 4 * ESTIMATE_SLOTS; i++) {
        snprintf(name, sizeof name, "model-%u", i);
        struct model_request q = request(name, 0);
        uint64_t n = estimate_output(&e, &q, 7);
        CHECK(n == 7 || n == i + 1000);
        known += n != 7;
    }
    CHECK(known > ESTIMATE_SLOTS / 2 && known <= ESTIMATE_SLOTS);
}

TEST_MAIN(test_what_is_said, test_learning, test_many_models)
