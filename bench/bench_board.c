// Measures the board: looking at fifty slots, and an attempt from begin to end, in nanoseconds.
#include "os/clock.h"
#include "route/board.h"

#include <stdio.h>

#define SLOTS 50
#define ROUNDS 200000

static volatile float g_sink;

static double views(struct board_slot *const *slots, uint64_t now_ns) {
    struct board_view v[SLOTS];
    uint64_t from = clock_mono_ns();
    for (int r = 0; r < ROUNDS; r++) {
        for (int i = 0; i < SLOTS; i++) board_view(slots[i], now_ns + (uint64_t)r, &v[i]);
        g_sink = v[r % SLOTS].first_token_ns;
    }
    return (double)(clock_mono_ns() - from) / ROUNDS;
}

static double attempts(struct board_slot *const *slots, uint64_t *now_ns) {
    uint64_t from = clock_mono_ns();
    for (int r = 0; r < ROUNDS; r++) {
        struct board_ticket ticket;
        struct board_refusal refusal;
        struct board_slot *slot = slots[r % SLOTS];
        uint64_t now = *now_ns += 100000;
        if (!board_begin(slot, limit_tokens(500, 0), 0, now, (uint64_t)r, &ticket, &refusal)) continue;
        board_first_token(slot, &ticket, now + 200000000);
        struct board_outcome out = {.tokens_known = true, .input_tokens = 200, .output_tokens = 200};
        board_end(slot, &ticket, &out, now + 900000000);
    }
    return (double)(clock_mono_ns() - from) / ROUNDS;
}

int main(void) {
    struct board *board = board_create();
    struct board_slot *slots[SLOTS];
    struct board_tuning tuning = board_tuning_default();
    uint64_t now = clock_mono_ns();
    if (!board) return 1;
    tuning.limits = (struct limit_rules){.requests = 1000000, .tokens = 1000000000, .concurrency = 100};
    for (int i = 0; i < SLOTS; i++) {
        char model[16];
        int n = snprintf(model, sizeof model, "model-%d", i);
        slots[i] = board_slot_get(board, STR("bench"), str_of(model, (size_t)n), STR(""));
        if (!slots[i]) return 1;
        board_slot_tune(slots[i], &tuning);
    }
    double attempt = attempts(slots, &now);
    double view = views(slots, now);
    printf("views of %d slots   %8.0f ns\nan attempt          %8.0f ns\n", SLOTS, view, attempt);
    board_free(board);
    return 0;
}
