// How the targets of a model that can and may serve a request are put in an order: one row of conf/strategy.def and one
// file a strategy.
//
// Ownership: candidates are the caller's. Thread rule: pure, but for the turns of round robin. Units: ns, nanodollars.
#ifndef ROUTE_STRATEGY_H
#define ROUTE_STRATEGY_H

#include "route/need.h"
#include "route/table.h"

// Why a target is not asked, or only when nothing better is left. In words in route/explain.c.
enum route_drop {
#define DROP(id, name, soft, text) ROUTE_DROP_##id,
#include "route/drop.def"
#undef DROP
    ROUTE_DROP_COUNT
};

struct candidate {
    const struct route_node *node;
    struct board_state state;
    enum route_drop drop;
    float first_token_ns; // where the strategy wants it; 0: unknown
    float tokens_share;   // likewise, of its minute's tokens that are free
    bool priced;
    uint64_t cost_nano; // of this request, where priced
    double quality;     // 0..1, of the answers to such tasks
    double score;       // the lowest goes first; as the strategy says
};

struct strategy_in {
    struct route_model *model;
    const struct route_need *need;
    uint64_t draw; // random
    bool look;     // turns are not used up
    bool all;      // of the model's targets none was left out
};

struct strategy_ops {
    bool wants_cost, wants_quality, wants_first_token, wants_tokens_share; // of each candidate
    // Gives each a score; those that are equal keep the configuration's order. n is at least 1.
    void (*rank)(const struct strategy_in *in, struct candidate *list, size_t n);
    // Those it would rather not have, by drop, before ranking. NULL: takes all.
    void (*sift)(const struct strategy_in *in, struct candidate *list, size_t n);
};

const struct strategy_ops *strategy_get(enum conf_strategy strategy);

#define STRATEGY(id, name, help) extern const struct strategy_ops strategy_of_##id;
#include "conf/strategy.def"
#undef STRATEGY

// "simple", "medium", …
struct str tier_name(enum conf_tier tier);
struct str strategy_name(enum conf_strategy strategy);

// --- what several share ---

// The weight of a target, from 0 up: as configured, less while it starts slowly.
double candidate_weight(const struct candidate *c);
// Draws one by weight; n at least 1.
size_t candidate_draw(const struct candidate *list, size_t n, uint64_t draw);
// Those whose answers were worse than min_quality.
void strategy_sift_quality(const struct strategy_in *in, struct candidate *list, size_t n);
// Another random number of the same draw.
uint64_t strategy_redraw(uint64_t draw);
// A random number as one from 0 up to less than 1.
double strategy_share(uint64_t draw);
// Where a thing belongs among weighted places, always the same for the same key, and moved by nothing but a change of
// its own place: the place with the least is the one. weight above 0. Source: weighted rendezvous hashing (Thaler and
// Ravishankar 1998; logarithmic weights, Schindelhauer and Schomaker 2005).
double rendezvous_score(uint64_t key, uint64_t place, double weight);

#endif
