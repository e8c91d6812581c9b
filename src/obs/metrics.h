// Metrics for Prometheus: families declared in metrics.def, counted without locks per loop, summed when read.
//
//   struct metric m = metric_find(shard, METRIC_REQUESTS, (const struct str[]){endpoint, model, provider, status}, 4);
//   metric_add(shard, m, 1);
//
// Each loop has a shard of its own: an update is a load and a store of a cell that only it writes. Series are made on
// first use and live as long as the metrics. Cardinality is bounded: past max_series a family's further label values
// share one series whose labels all say "other".
//
// Ownership: metrics_create … metrics_free; shards belong to the metrics. Thread rule: a shard is its loop's; what
// takes `struct metrics` is for any thread. Units: all values are integers: seconds are given in nanoseconds, dollars
// in nanodollars, ratios in billionths, everything else as it is; metrics.def says which. Errors: an update for which
// there is no memory is lost.
#ifndef OBS_METRICS_H
#define OBS_METRICS_H

#include "base/buf.h"
#include "base/err.h"
#include "base/map.h"

enum metric_family {
#define METRIC(id, ...) METRIC_##id,
#include "obs/metrics.def"
#undef METRIC
    METRIC_FAMILY_COUNT
};

#define METRIC_LABELS_MAX 4
#define METRIC_LABEL_BYTES_MAX 128 // longer values are cut between characters

struct metrics;
struct metric { // a series; a value to keep
    uint32_t cell;
    uint32_t family;
};

#define METRIC_CHUNK_BITS 10
#define METRIC_CHUNKS_MAX 1024
struct metric_shard { // its fields are for metrics.c and the inline functions below
    uint64_t *chunk[METRIC_CHUNKS_MAX];
    struct metrics *metrics;
    struct map known; // label values to series, for metric_find
};

struct metrics_options {
    unsigned shards;     // one a loop
    uint64_t max_series; // per family; 0 = 1,000
    struct str version;  // for penstock_build_info
};
NODISCARD bool metrics_create(const struct metrics_options *options, struct metrics **out_metrics, struct err *err);
void metrics_free(struct metrics *metrics); // NULL is fine
// i < shards.
struct metric_shard *metrics_shard(struct metrics *metrics, unsigned i);

// The series with these label values, in the order of metrics.def; n is the family's number of labels (else an
// invariant breaks). Takes a lock: keep the result. Any thread; the series serves every shard.
struct metric metric_series(struct metrics *metrics, enum metric_family family, const struct str *labels, size_t n);
// The same by way of the shard's own table: no lock after the first time. The shard's thread.
struct metric metric_find(struct metric_shard *shard, enum metric_family family, const struct str *labels, size_t n);

uint64_t *metric_cell_slow(struct metric_shard *shard, uint32_t cell);
// NULL when out of memory.
static inline uint64_t *metric_cell(struct metric_shard *shard, uint32_t cell) {
    // Only this thread writes the pointer, so a relaxed load sees the latest.
    uint64_t *chunk = __atomic_load_n(&shard->chunk[cell >> METRIC_CHUNK_BITS], __ATOMIC_RELAXED);
    if (UNLIKELY(!chunk)) return metric_cell_slow(shard, cell);
    return &chunk[cell & ((1u << METRIC_CHUNK_BITS) - 1)];
}

// The shard's thread. Counters and gauges; a gauge is the sum of what the shards have, and may be lowered by a negative
// number (as its two's complement).
static inline void metric_add(struct metric_shard *shard, struct metric m, uint64_t v) {
    uint64_t *p = metric_cell(shard, m.cell);
    if (LIKELY(p != NULL)) __atomic_store_n(p, __atomic_load_n(p, __ATOMIC_RELAXED) + v, __ATOMIC_RELAXED);
}
static inline void metric_sub(struct metric_shard *shard, struct metric m, uint64_t v) { metric_add(shard, m, 0 - v); }
static inline void metric_set(struct metric_shard *shard, struct metric m, uint64_t v) {
    uint64_t *p = metric_cell(shard, m.cell);
    if (LIKELY(p != NULL)) __atomic_store_n(p, v, __ATOMIC_RELAXED);
}
// Histograms. request_id: shown as the exemplar of its bucket to scrapers that ask for OpenMetrics; 0 = none.
void metric_observe(struct metric_shard *shard, struct metric m, uint64_t ns, uint64_t request_id);

// Any thread, for what is rare.
void metrics_add(struct metrics *metrics, struct metric m, uint64_t v);
void metrics_set(struct metrics *metrics, struct metric m, uint64_t v);

// fn is called before each rendering, on the renderer's thread, to bring up to date what is read from elsewhere: it
// calls metrics_set with the absolute value, for counters too (one that is lower than before is ignored). Two
// renderings at a time call it at the same time. Register before the first rendering; at most 8.
NODISCARD bool metrics_collect(struct metrics *metrics, void (*fn)(void *arg, struct metrics *metrics), void *arg);

// Appends all series in the Prometheus text format 0.0.4, or in OpenMetrics 1.0 with exemplars.
void metrics_render(struct metrics *metrics, struct buf *out, bool openmetrics);
#define METRICS_TYPE_TEXT "text/plain; version=0.0.4; charset=utf-8"
#define METRICS_TYPE_OPENMETRICS "application/openmetrics-text; version=1.0.0; charset=utf-8"

#endif
