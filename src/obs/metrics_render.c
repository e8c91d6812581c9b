// Writes all series in the Prometheus text format or in OpenMetrics.
//
// Formats: "Exposition formats" of the Prometheus documentation (0.0.4), and OpenMetrics 1.0.
#include "obs/metrics_impl.h"

#include "base/text.h"
#include "os/clock.h"

struct render {
    struct metrics *metrics;
    struct buf *out;
    bool openmetrics;
    const struct family_info *family;
};

struct exemplar {
    uint64_t id; // 0 = none
    uint64_t ns;
};

static uint64_t cell_of(const struct metric_shard *shard, uint32_t cell) {
    uint64_t *const *slot = &shard->chunk[cell >> METRIC_CHUNK_BITS];
    const uint64_t *chunk = __atomic_load_n(slot, __ATOMIC_ACQUIRE);
    return chunk ? atom_load_relaxed(&chunk[cell & ((1u << METRIC_CHUNK_BITS) - 1)]) : 0;
}

static uint64_t cell_sum(const struct metrics *metrics, uint32_t cell) {
    uint64_t sum = cell_of(&metrics->shared, cell);
    for (unsigned i = 0; i < metrics->n_shards; i++) sum += cell_of(&metrics->shards[i], cell);
    return sum;
}

// In billionths, without zeros at the end.
static void put_nano(struct buf *out, uint64_t v) {
    buf_put_u64(out, v / NS_PER_SEC);
    uint64_t rest = v % NS_PER_SEC;
    int width = 9;
    if (rest == 0) return;
    while (rest % 10 == 0) rest /= 10, width--;
    buf_printf(out, ".%0*llu", width, (unsigned long long)rest);
}

static void put_value(const struct render *r, uint64_t v) {
    if (r->family->type == METRIC_TYPE_GAUGE && (int64_t)v < 0) {
        buf_putc(r->out, '-');
        v = 0 - v;
    }
    enum metric_unit unit = r->family->unit;
    if (unit == METRIC_UNIT_SECONDS || unit == METRIC_UNIT_DOLLARS || unit == METRIC_UNIT_RATIO)
        put_nano(r->out, v);
    else
        buf_put_u64(r->out, v);
}

static void put_head(const struct render *r) {
    static const char *const types[] = {
        [METRIC_TYPE_COUNTER] = "counter", [METRIC_TYPE_GAUGE] = "gauge", [METRIC_TYPE_HISTOGRAM] = "histogram"};
    // OpenMetrics names a counter's family without the _total that its samples have.
    const char *total = r->family->type == METRIC_TYPE_COUNTER && !r->openmetrics ? "_total" : "";
    const char *name = r->family->name;
    buf_printf(r->out, "# HELP %s%s %s\n", name, total, r->family->help);
    buf_printf(r->out, "# TYPE %s%s %s\n", name, total, types[r->family->type]);
    if (!r->openmetrics) return;
    if (r->family->unit == METRIC_UNIT_SECONDS) buf_printf(r->out, "# UNIT %s seconds\n", name);
    if (r->family->unit == METRIC_UNIT_BYTES) buf_printf(r->out, "# UNIT %s bytes\n", name);
}

// name + suffix{labels,le="…"} and a space.
static void put_sample(const struct render *r, const char *suffix, struct str labels, const char *le) {
    buf_put(r->out, str_c(r->family->name));
    buf_put(r->out, str_c(suffix));
    if (labels.n || le) {
        buf_putc(r->out, '{');
        buf_put(r->out, labels);
        if (labels.n && le) buf_putc(r->out, ',');
        if (le) buf_printf(r->out, "le=\"%s\"", le);
        buf_putc(r->out, '}');
    }
    buf_putc(r->out, ' ');
}

static void put_plain(const struct render *r, const struct series *s) {
    put_sample(r, r->family->type == METRIC_TYPE_COUNTER ? "_total" : "", s->labels, NULL);
    put_value(r, cell_sum(r->metrics, s->metric.cell));
    buf_putc(r->out, '\n');
}

static void exemplar_take(const struct metric_shard *shard, uint32_t cell, struct exemplar found[METRIC_BUCKETS]) {
    uint64_t id = cell_of(shard, cell + HISTOGRAM_EXEMPLAR_ID), ns = cell_of(shard, cell + HISTOGRAM_EXEMPLAR_NS);
    if (id == 0 || cell_of(shard, cell + HISTOGRAM_EXEMPLAR_CHECK) != (id ^ ns)) return;
    size_t i = 0;
    while (ns > METRIC_BOUNDS[i].ns) i++;
    found[i] = (struct exemplar){id, ns};
}

static void put_exemplar(const struct render *r, struct exemplar e) {
    if (e.id == 0) return;
    char id[BASE32_U64_LEN];
    base32_u64(id, e.id);
    buf_printf(r->out, " # {request_id=\"req_%.*s\"} ", BASE32_U64_LEN, id);
    put_nano(r->out, e.ns);
}

static void put_histogram(const struct render *r, const struct series *s) {
    struct exemplar exemplars[METRIC_BUCKETS] = {0};
    uint32_t cell = s->metric.cell;
    if (r->openmetrics)
        for (unsigned i = 0; i < r->metrics->n_shards; i++) exemplar_take(&r->metrics->shards[i], cell, exemplars);
    uint64_t count = 0;
    for (uint32_t i = 0; i < METRIC_BUCKETS; i++) {
        count += cell_sum(r->metrics, cell + i);
        put_sample(r, "_bucket", s->labels, METRIC_BOUNDS[i].le);
        buf_put_u64(r->out, count);
        put_exemplar(r, exemplars[i]);
        buf_putc(r->out, '\n');
    }
    put_sample(r, "_sum", s->labels, NULL);
    put_nano(r->out, cell_sum(r->metrics, cell + HISTOGRAM_SUM));
    buf_putc(r->out, '\n');
    // From the buckets, so that the two agree even while loops count on.
    put_sample(r, "_count", s->labels, NULL);
    buf_put_u64(r->out, count);
    buf_putc(r->out, '\n');
}

// The series of a family as they are now; they never go, so that the lock is needed for the list alone.
static struct series **series_now(struct metrics *metrics, enum metric_family family, size_t *out_n) {
    mutex_lock(&metrics->mutex);
    size_t n = metrics->series[family].all.n;
    struct series **copy = n ? mem_alloc(n * sizeof *copy) : NULL;
    if (copy) memcpy(copy, metrics->series[family].all.p, n * sizeof(struct series *));
    mutex_unlock(&metrics->mutex);
    if (n && !copy) return NULL;
    *out_n = n;
    return copy;
}

static void put_family(struct render *r, enum metric_family family) {
    size_t n = 0;
    AUTO_FREE struct series **all = series_now(r->metrics, family, &n);
    if (!all) return;
    r->family = &METRIC_FAMILIES[family];
    put_head(r);
    for (size_t i = 0; i < n; i++) {
        if (r->family->type == METRIC_TYPE_HISTOGRAM)
            put_histogram(r, all[i]);
        else
            put_plain(r, all[i]);
    }
}

void metrics_render(struct metrics *metrics, struct buf *out, bool openmetrics) {
    metrics_collect_process(metrics);
    for (size_t i = 0; i < metrics->n_collectors; i++) metrics->collectors[i].fn(metrics->collectors[i].arg, metrics);
    struct render r = {.metrics = metrics, .out = out, .openmetrics = openmetrics};
    for (unsigned i = 0; i < METRIC_FAMILY_COUNT; i++) put_family(&r, i);
    if (openmetrics) buf_lit(out, "# EOF\n");
}
