// The targets of all configured models with all that choosing needs to know of them, put together once a configuration:
// a request that is routed looks nothing up by name.
//
// Ownership: route_table_create … route_table_free; configuration, catalogue and board are borrowed and outlive it.
// Thread rule: read-only once made, but for turns and retry budgets, which are atomic, and the board's slots, which
// have their own rule.
#ifndef ROUTE_TABLE_H
#define ROUTE_TABLE_H

#include "model/facts.h"
#include "model/prompt_tokens.h"
#include "route/board.h"
#include "route/complexity.h"
#include "route/retry.h"

#define ROUTE_NODES_MAX 64 // as many targets as a model can have
#define ROUTE_CONDITIONS_MAX ROUTE_NODES_MAX

struct route_node {
    const struct conf_target *conf;
    const struct conf_model *model;
    struct board_slot *slot;
    int64_t priority;            // as configured
    double weight;               // likewise
    size_t when;                 // its condition's place among the model's, + 1; 0: none
    bool known;                  // it is known what it can do
    struct model_entry *facts;   // with the price that holds where the model is configured
    struct board_slot *provider; // of all its provider's targets together
    struct board_slot **keys;    // under each of its provider's keys; NULL: it has no several
    struct board_slot **wholes;  // likewise, of all that is sent under each of them
    uint64_t place;              // what it is known by among others, also in the next configuration
    uint64_t arm;                // the same of its arm of an experiment
    double arm_weight;           // of all of the arm's targets
};

struct route_model {
    const struct conf_model *conf;
    const struct conf_tenant *level; // where it is configured; NULL: in general
    struct route_node *nodes;        // in the configuration's order
    size_t count;
    struct prompt_way way;    // how the first of them counts tokens
    bool known;               // of one of them at least it is known what it can do
    struct model_entry least; // what each of them can and takes at least, as far as it is known
    bool whole;               // none is taken out by a weight of 0
    bool one_priority;        // they have all the same
    const struct condition *conditions[ROUTE_CONDITIONS_MAX]; // each once
    size_t condition_count;
    uint64_t uses;                         // CONDITION_USES of all of them
    _Atomic uint64_t turns, turns_of_some; // of requests that could go to all its targets, and of others
    struct retry_rules retry_rules, hedge_rules;
    struct retry_budget retries, hedges;
};

struct route_table {
    const struct conf *conf;
    const struct model_catalog *catalog;
    struct route_model *models; // by conf_model.index
    size_t count;
    struct route_node **by_slot; // all nodes: those of one slot together, in the configuration's order
    size_t nodes;
    struct complexity_lexicon lexicon;
    struct board_slot **providers; // by conf_provider.index; what is asked for directly counts here alone
    struct board_slot ***keys;     // likewise, of all that is sent under each of a provider's keys
    struct arena arena;
};

// Errors: no memory; more targets than the board has slots for.
NODISCARD bool route_table_create(const struct conf *conf, const struct model_catalog *catalog, struct board *board,
                                  uint64_t now_ns, struct route_table **out_table, struct err *err);
// The table is in force from now on: what it says of limits, breakers and checks holds for its slots. A table that was
// only made, as of a configuration that is checked or refused, changes nothing.
void route_table_tune(const struct route_table *table);
void route_table_free(struct route_table *table); // NULL is fine
// As board_state and board_view of its slot; but where none of its provider's keys can be used, it can't be asked, for
// the reason of the key that may be used first.
void route_node_state(const struct route_node *node, uint64_t now_ns, struct board_state *out);
void route_node_view(const struct route_node *node, uint64_t now_ns, struct board_view *out);

#endif
