// What the files of the metrics share: the registry of series, and the layout of their cells.
//
// A plain series has one cell a shard. A histogram's are its buckets (not cumulative), the sum, and the last
// observation that had a request id: id, value, and both xor-ed, by which a torn read is told.
#ifndef OBS_METRICS_IMPL_H
#define OBS_METRICS_IMPL_H

#include "obs/metrics.h"

#include "base/arena.h"
#include "base/vec.h"
#include "os/thread.h"

enum metric_type { METRIC_TYPE_COUNTER, METRIC_TYPE_GAUGE, METRIC_TYPE_HISTOGRAM };
enum metric_unit { METRIC_UNIT_PLAIN, METRIC_UNIT_SECONDS, METRIC_UNIT_DOLLARS, METRIC_UNIT_BYTES, METRIC_UNIT_RATIO };

struct family_info {
    enum metric_type type;
    enum metric_unit unit;
    const char *name;
    const char *help;
    const char *labels[METRIC_LABELS_MAX]; // as many as there are, then NULL or ""
};
extern const struct family_info METRIC_FAMILIES[METRIC_FAMILY_COUNT];
size_t family_labels(enum metric_family family);

struct bucket {
    uint64_t ns;
    const char *le;
};
#define METRIC_BUCKETS 18 // the last is +Inf
extern const struct bucket METRIC_BOUNDS[METRIC_BUCKETS];
enum {
    HISTOGRAM_SUM = METRIC_BUCKETS,
    HISTOGRAM_EXEMPLAR_ID,
    HISTOGRAM_EXEMPLAR_NS,
    HISTOGRAM_EXEMPLAR_CHECK,
    HISTOGRAM_CELLS
};

struct series {
    struct str key;
    struct str labels; // rendered: a="x",b="y"
    struct metric metric;
};
struct series_list {
    VEC(struct series *) all;
    struct series *other; // of `all`; NULL until it is needed
};

#define COLLECTORS_MAX 8
struct collector {
    void (*fn)(void *arg, struct metrics *metrics);
    void *arg;
};

struct metrics {
    unsigned n_shards;
    struct metric_shard *shards;
    uint64_t max_series;
    int64_t start_ns; // unix time
    struct collector collectors[COLLECTORS_MAX];
    size_t n_collectors;

    struct mutex shared_mutex;  // guards the writing of `shared`
    struct metric_shard shared; // what has no loop

    struct mutex mutex; // guards what follows
    struct map by_key;
    struct arena arena;
    struct series_list series[METRIC_FAMILY_COUNT];
    uint32_t next_cell;
};

// Process figures (CPU, memory, file descriptors), read from the system.
void metrics_collect_process(struct metrics *metrics);

#endif
