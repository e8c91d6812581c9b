// The usage record: what one request cost, for whom, in its compact form for the write-ahead log.
//
// Ownership: the slices of a record are borrowed; after usage_decode they point into the bytes decoded. Thread rule:
// pure values. Units: ts in ns since 1970 UTC, cost in 1e-9 dollars, latency and ttft in microseconds. Errors: decoding
// is strict: anything but exactly one well-formed record is refused.
#ifndef STORE_USAGE_H
#define STORE_USAGE_H

#include "base/str.h"

// The numbers are stored: append only.
enum usage_endpoint {
    USAGE_ENDPOINT_OTHER,
    USAGE_ENDPOINT_CHAT,
    USAGE_ENDPOINT_COMPLETIONS,
    USAGE_ENDPOINT_EMBEDDINGS,
    USAGE_ENDPOINT_MODELS,
    USAGE_ENDPOINT_RESPONSES,
    USAGE_ENDPOINT_MESSAGES,
    USAGE_ENDPOINT_GENERATE_CONTENT,
    USAGE_ENDPOINT_RERANK,
    USAGE_ENDPOINT_MODERATIONS,
    USAGE_ENDPOINT_IMAGES,
    USAGE_ENDPOINT_SPEECH,
    USAGE_ENDPOINT_TRANSCRIPTIONS,
    USAGE_ENDPOINT_OLLAMA,
    USAGE_ENDPOINT_PASSTHROUGH,
    USAGE_ENDPOINT_SHADOW, // a call of another, sent to a second model as well, that its caller is not charged for
    USAGE_ENDPOINT_CHAIN,  // a call of a model that is a chain, whose steps have records of their own
    USAGE_ENDPOINT_COUNT
};
// "chat", "completions", …; "other" for what is not known (a newer version wrote it).
struct str usage_endpoint_name(unsigned endpoint);

// Bits of usage_record.flags, stored: append only.
enum usage_flag {
    USAGE_STREAM = 1,        // the answer was streamed
    USAGE_PRICE_UNKNOWN = 2, // cost_nano is 0 because nobody knows the price
    USAGE_ESTIMATED = 4,     // the upstream gave no token counts: they are ours
    USAGE_CLIENT_GONE = 8,   // the client left before its answer was complete
    USAGE_DEMO = 16,         // answered by the demonstration provider
    USAGE_DOWNGRADED = 32,   // a budget sent it to this model, another one was asked for
    USAGE_COMPARED = 64,     // reference_nano is known, and so is cost_nano
    USAGE_COALESCED = 128,   // answered by the call of another request; its attempts are 0
    USAGE_SHADOW = 256,      // a request of another's, sent to a second model as well
    USAGE_CANARY = 512,      // the canary's
    USAGE_BATCH = 1024,      // a line of a batch
    USAGE_PART = 2048,       // of an answer that broke off and was gone on with; the request has a record of its own
};
// How many requests a record with such flags is, where they are added up.
static inline unsigned usage_requests(uint64_t flags) { return !(flags & USAGE_PART); }

#define USAGE_STATUS_UNKNOWN 0 // begun, and the process died before it was answered

struct usage_record {
    uint64_t id;                // the request's id: 1 … 2^63-1
    uint64_t tenant_id, key_id; // 0 = the first tenant; no key
    int64_t ts;                 // when the request came in
    // Names longer than USAGE_NAME_MAX are cut when encoded. Empty = none.
    struct str provider;
    struct str model; // as requested
    struct str upstream_model;
    struct str error;  // err_info()->wire_code, or empty
    uint16_t endpoint; // enum usage_endpoint
    uint16_t status;   // HTTP status sent to the client; USAGE_STATUS_UNKNOWN
    uint32_t flags;
    uint64_t tokens_in, tokens_cached, tokens_cache_write, tokens_out, tokens_reasoning;
    int64_t cost_nano;
    uint64_t latency_us, ttft_us;
    // Whose the key is, when the request came in; 0 = none.
    uint64_t team_id, project_id, owner_id;
    uint8_t owner_kind; // enum principal_kind
    // What was set aside for it, of tokens and money: what a request that was never ended counts as.
    uint64_t reserved_tokens, reserved_nano;
    uint64_t attempts;      // at upstreams
    int64_t reference_nano; // what its tokens would have cost on the reference model; 0 without USAGE_COMPARED
    struct str tags;        // of the key and the request: a JSON object of strings, or empty; dropped when too long
    struct str task;        // what it was for, as routing has it, or empty
};

// A status of 400 or more, or an error in the middle of a stream.
static inline bool usage_is_error(const struct usage_record *rec) { return rec->status >= 400 || rec->error.n; }

// What was saved by not asking the reference model; less than 0 where that would have been cheaper.
static inline int64_t usage_saved(const struct usage_record *rec) {
    return rec->flags & USAGE_COMPARED ? rec->reference_nano - rec->cost_nano : 0;
}

#define USAGE_NAME_MAX 256
// No record's encoding is longer.
#define USAGE_ENCODED_MAX (24 * 10 + 6 * (2 + USAGE_NAME_MAX))

// Larger counts and durations are stored as this, so that no upstream's lie makes a sum overflow: of tokens two billion
// records fit into one, of money half a million (and then it stays as it is, see usage_rollup.c).
#define USAGE_COUNT_MAX ((uint64_t)1 << 40)
#define USAGE_TOKENS_MAX ((uint64_t)1 << 32)
#define USAGE_COST_MAX ((int64_t)1 << 44)

// Writes the record to out, which has at least USAGE_ENCODED_MAX bytes; returns the length. id must be in its range.
size_t usage_encode(const struct usage_record *rec, char *out);
// False when bytes is not exactly one record; *out_rec is untouched then.
NODISCARD bool usage_decode(struct str bytes, struct usage_record *out_rec);
// The id alone; 0 when the beginning is not a record's.
uint64_t usage_decode_id(struct str bytes);

#endif
