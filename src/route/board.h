// The living state of every target of the process: whether it can be used, how busy, how fast, how good it is.
//
// A slot stands for a provider's model under one of its keys. Slots outlive configurations: whoever builds a table of
// targets gets its slots once, keeps the pointers, and puts them back when the table goes. An attempt is board_begin,
// perhaps board_first_token, and exactly one board_end.
//
// Ownership: the board owns its slots; board_slot_get takes a reference. Thread rule: any thread. board_view, its
// parts and board_quality take no lock and write nothing; all that writes takes the slot's own lock for well under a
// microsecond; nothing is called back. Units: ns of the monotonic clock, always passed in; `draw` is any random number.
#ifndef ROUTE_BOARD_H
#define ROUTE_BOARD_H

#include "route/breaker.h"
#include "route/failure.h"
#include "route/limit.h"
#include "route/outlier.h"
#include "route/quality.h"
#include "route/rate_headers.h"

struct board;
struct board_slot;

#define BOARD_SLOTS_MAX 8192
#define BOARD_NAME_MAX 512 // bytes of provider, model and key together
#define BOARD_TASKS_MAX 16 // task 0 is any other

NODISCARD struct board *board_create(void); // NULL without memory
// No slot may be in use.
void board_free(struct board *board);

// Finds or makes it; for load time. key: a name for the provider's key, or empty. NULL: without memory, a name too
// long, or full of slots that are referenced. A slot that nobody references stays, and is the first to be given to
// another name when the board is full.
NODISCARD struct board_slot *board_slot_get(struct board *board, struct str provider, struct str model, struct str key);
void board_slot_put(struct board_slot *slot);
// One more reference to a slot that the caller has one of.
void board_slot_hold(struct board_slot *slot);
// As given; valid while referenced.
struct str board_slot_provider(const struct board_slot *slot);
struct str board_slot_model(const struct board_slot *slot);
struct str board_slot_key(const struct board_slot *slot);
// Up to `max` slots that somebody references, each with a reference for the caller to put back.
size_t board_slots(struct board *board, struct board_slot **out_slots, size_t max);
// Likewise those that board_slots has given out before and that nobody references any more, once each.
size_t board_slots_left(struct board *board, struct board_slot **out_slots, size_t max);

struct board_tuning {
    struct breaker_rules breaker;
    struct limit_rules limits;
    struct quality_rules quality;
    uint64_t slow_start_ns;    // after it came back a target's share grows for so long; 0 = at once
    uint64_t latency_half_ns;  // of the averages, also while nothing is seen and no first token awaited
    uint64_t quantile_half_ns; // of the quantiles and of tokens a second
    uint64_t cooldown_ns;      // after a 429 that does not say how long
    uint64_t cooldown_auth_ns; // after credentials were refused
    uint64_t cooldown_max_ns;  // whatever a provider says
    float quantile;            // what the views tell, 0..1
    uint32_t quantile_min;     // fewer samples give no quantile
    uint32_t rise, fall;       // active checks in a row that bring it up, take it down; at least 1
};
// Slow start 30 s, half-lives 10 s and 5 min, cooldowns 5 s and 60 s up to 10 min, 20 samples, rise 2, fall 3.
struct board_tuning board_tuning_default(void);
// May come at any time; what was observed stays.
void board_slot_tune(struct board_slot *slot, const struct board_tuning *tuning);

// How many servers the limits are divided among, 0 and 1 alike; closed: what has limits lets nothing begin.
void board_slot_divide(struct board_slot *slot, uint32_t servers, bool closed);

enum board_why {
    BOARD_USABLE,
    BOARD_UNHEALTHY,   // by active checks
    BOARD_COOLDOWN,    // the provider, or somebody, asked to stay away
    BOARD_KEY_REFUSED, // the provider has refused the key: left alone for a while
    BOARD_OPEN,        // the breaker
    BOARD_PROBING,     // half-open, and its probes are under way
    BOARD_CONCURRENCY, // as many calls as it may have
    BOARD_REQUESTS,    // the minute's requests are used up
    BOARD_TOKENS,      // the minute's tokens
    BOARD_INPUT_TOKENS,
    BOARD_OUTPUT_TOKENS,
    BOARD_TOO_LARGE,  // more tokens, or requests, than a minute ever has
    BOARD_REDIS_AWAY, // its limits are shared, with nobody to ask, and then nothing is to begin
    BOARD_WHY_COUNT
};
// "open", "cooldown", …: for programs.
struct str board_why_text(enum board_why why);
// The same in words: "its circuit breaker is open after failures".
struct str board_why_words(enum board_why why);
// Nothing is wrong with it: there will be room.
static inline bool board_is_limit(enum board_why why) {
    return why == BOARD_CONCURRENCY || why == BOARD_REQUESTS || why == BOARD_TOKENS || why == BOARD_INPUT_TOKENS ||
           why == BOARD_OUTPUT_TOKENS || why == BOARD_COOLDOWN || why == BOARD_REDIS_AWAY;
}
// It has failed: asked all the same (BOARD_FORCE) when nothing else is left.
static inline bool board_is_sick(enum board_why why) {
    return why == BOARD_UNHEALTHY || why == BOARD_OPEN || why == BOARD_PROBING;
}

struct board_view {
    bool usable;                // board_begin would very likely succeed now, for a small request
    bool probe;                 // it would be a probe: give such a target a call now and then, or it never comes back
    bool panic;                 // usable only because too many of its group are not (board_panic)
    bool healthy;               // by active checks
    enum board_why why;         // it is not usable
    enum breaker_state breaker; // OPEN until a probe begins, also when its time is over
    uint64_t retry_at_ns;       // when it may be usable; now when it is, UINT64_MAX when nobody knows
    uint64_t open_until_ns;     // 0 unless open
    uint64_t cooldown_until_ns; // 0 = none
    uint32_t in_flight;         // attempts
    uint32_t concurrency;       // 0 = no limit
    float slow_start;           // 0.1..1: multiply a weight by it
    float first_token_ns, total_ns; // peak-EWMA, fading while no first token is awaited; 0 = unknown
    float error_rate;               // 0..1, of the breaker's window
    uint32_t window_requests;       // that the rate is of
    uint64_t first_token_slow_ns;   // tuning.quantile of them are faster; 0 = too few seen
    uint64_t total_slow_ns;
    float tokens_second;      // output, mean; 0 = unknown
    float share[LIMIT_KINDS]; // of a minute that is free, 0..1; 1 when there is no limit
    float room[LIMIT_KINDS];  // likewise absolute; -1 when there is no limit
};
void board_view(const struct board_slot *slot, uint64_t now_ns, struct board_view *out);
// What choosing asks of every target; the rest of the view only where somebody wants it.
struct board_state {
    bool usable;
    uint8_t why; // enum board_why
    uint32_t in_flight;
    float slow_start;
};
void board_state(const struct board_slot *slot, uint64_t now_ns, struct board_state *out);
float board_first_token_ns(const struct board_slot *slot, uint64_t now_ns);
// The least that is free of its tokens, of input and of output.
float board_tokens_share(const struct board_slot *slot, uint64_t now_ns);
// Of the targets of one model: when more than max_out_permille are unusable for their health (unhealthy, open,
// probing), those become usable with `panic`; begin them with BOARD_FORCE. Whether it is so.
bool board_panic(struct board_view *views, size_t n, const struct outlier_rules *rules);

struct board_ticket {
    struct breaker_permit permit;
    bool under_way; // begun and not ended; board_end of one that is not does nothing
    uint64_t begun_ns, first_ns, number;
    struct limit_tokens tokens;
    uint32_t more, places; // requests and places beside the first
};

struct board_refusal {
    enum board_why why;
    uint64_t retry_at_ns; // UINT64_MAX: nobody knows, or never
};
// Which of two tells more to who is refused by both: where there will be room, then whose key may be taken again, then
// what is never taken; of these the earlier.
bool board_refusal_before(const struct board_refusal *a, const struct board_refusal *b);

enum board_begin_flags {
    BOARD_FORCE = 1, // past health and breaker (panic), not past cooldown and limits
};
// tokens: an estimate. draw: for the breaker's jitter.
NODISCARD bool board_begin(struct board_slot *slot, struct limit_tokens tokens, unsigned flags, uint64_t now_ns,
                           uint64_t draw, struct board_ticket *out_ticket, struct board_refusal *out_refusal);
// For a call that is several to its provider: counts so many further requests, all or none. Before anything is sent.
NODISCARD bool board_more(struct board_slot *slot, struct board_ticket *ticket, uint32_t requests, uint64_t now_ns,
                          struct board_refusal *out_refusal);
// Takes one further place of the calls at a time, until board_end. False: there is none.
NODISCARD bool board_widen(struct board_slot *slot, struct board_ticket *ticket, uint64_t now_ns);
// Gives one of those back before.
void board_narrow(struct board_slot *slot, struct board_ticket *ticket, uint64_t now_ns);
// The first byte of the answer's content; later calls for the same ticket change nothing.
void board_first_token(struct board_slot *slot, struct board_ticket *ticket, uint64_t now_ns);
// What has come of its answer shows that the target is well: to be told of one that the breaker tries it with.
void board_proved(struct board_slot *slot, struct board_ticket *ticket, uint64_t now_ns);

struct board_outcome {
    enum failure failure;
    bool unsent;                     // it counts in no limit, nor, when cancelled, as an attempt
    bool tokens_known;               // else what was estimated counts as used
    uint64_t input_tokens;           // really used
    uint64_t cached_tokens;          // the part of them that came from the provider's prompt cache
    uint64_t output_tokens;          // also for tokens a second; 0 = unknown
    const struct rate_headers *rate; // or NULL
    uint64_t draw;
};
// Whether it has opened the breaker.
bool board_end(struct board_slot *slot, struct board_ticket *ticket, const struct board_outcome *outcome,
               uint64_t now_ns);

// Calls that wait for room at it, in classes of which 0 goes first; by all loops together.
#define BOARD_CLASSES 3
void board_wait(struct board_slot *slot, unsigned class);
void board_wait_over(struct board_slot *slot, unsigned class);
// How many wait of the first `classes` classes. No lock.
uint64_t board_waiting(const struct board_slot *slot, unsigned classes);

// Longer than what is set; cut at cooldown_max_ns from now. until_ns 0 ends it.
void board_cooldown(struct board_slot *slot, uint64_t until_ns, uint64_t now_ns);
// The result of an active check. Whether the target went up or down by it.
bool board_health(struct board_slot *slot, bool good, uint64_t now_ns);
// Ejects targets of one group that do markedly worse than the rest; how many. Now and then, not for each call.
size_t board_outliers(struct board_slot *const *slots, size_t n, const struct outlier_rules *rules, uint64_t now_ns,
                      uint64_t draw);

// task: 1..BOARD_TASKS_MAX - 1, or 0 for none; a task's score also counts for 0, which is all of them.
void board_quality_add(struct board_slot *slot, unsigned task, float score, float weight, uint64_t now_ns);
// The same of one of several who share the slot, `who` being any number of theirs: what each has said weighs a
// sixteenth of all that is known of the task at most, and what is more is not heard.
#define BOARD_VOICE_SHARE 0.0625F
void board_quality_say(struct board_slot *slot, unsigned task, float score, float weight, uint64_t who,
                       uint64_t now_ns);
float board_quality(const struct board_slot *slot, unsigned task, uint64_t now_ns);
// How many scores that is known from, those that fade counting less.
float board_quality_weight(const struct board_slot *slot, unsigned task, uint64_t now_ns);

// What was done with a slot since it was made, for metrics and the status of targets.
struct board_totals {
    uint64_t begun, refused, openings, cooldowns;
    uint64_t ejections;            // openings because it did worse than its like
    uint64_t ended[FAILURE_COUNT]; // by class; NONE = went well
};
void board_totals(const struct board_slot *slot, struct board_totals *out);
// Whether it is well: USABLE, else OPEN (until its breaker has closed again) or UNHEALTHY. True when it is another than
// at the last call, which was *out_before: so that a change is told of once.
bool board_turned(struct board_slot *slot, const struct board_view *view, enum board_why *out_before,
                  enum board_why *out_now);

// What replicas tell each other of a slot: as wall-clock times, for their monotonic clocks differ. 0 = not.
struct board_share {
    int64_t open_until_unix_ns, cooldown_until_unix_ns;
    int64_t refused_until_unix_ns; // as far as it cools down because its key was refused
};
void board_slot_share(const struct board_slot *slot, uint64_t now_ns, int64_t unix_ns, struct board_share *out);
// Takes what another found: opens a closed breaker, lengthens a cooldown; never the reverse.
void board_slot_learn(struct board_slot *slot, const struct board_share *share, uint64_t now_ns, int64_t unix_ns);

#endif
