// The registry of metric series and the shards' cells that count them.
#include "obs/metrics_impl.h"

#include "base/utf8.h"
#include "os/clock.h"
#include "os/rand.h"

#define MAX_SERIES_DEFAULT 1000
#define CELLS_MAX ((uint32_t)METRIC_CHUNKS_MAX << METRIC_CHUNK_BITS)
// The first cells of each shard belong to no series: updates of one that could not be made end there.
#define VOID_CELLS ((uint32_t)HISTOGRAM_CELLS)
#define ARENA_MAX ((size_t)64 * 1024 * 1024)
#define KEY_MAX (1 + METRIC_LABELS_MAX * (1 + METRIC_LABEL_BYTES_MAX))

#define METRIC(id, type_name, metric_name, unit_name, help_text, ...)                                                  \
    [METRIC_##id] = {.type = METRIC_TYPE_##type_name,                                                                  \
                     .unit = METRIC_UNIT_##unit_name,                                                                  \
                     .name = metric_name,                                                                              \
                     .help = help_text,                                                                                \
                     .labels = {__VA_ARGS__}},
const struct family_info METRIC_FAMILIES[METRIC_FAMILY_COUNT] = {
#include "obs/metrics.def"
};
#undef METRIC

#define MS(n) ((n)*NS_PER_MS)
const struct bucket METRIC_BOUNDS[METRIC_BUCKETS] = {
    {MS(1), "0.001"},      {MS(2) + MS(1) / 2, "0.0025"},
    {MS(5), "0.005"},      {MS(10), "0.01"},
    {MS(25), "0.025"},     {MS(50), "0.05"},
    {MS(100), "0.1"},      {MS(250), "0.25"},
    {MS(500), "0.5"},      {MS(1000), "1.0"},
    {MS(2500), "2.5"},     {MS(5000), "5.0"},
    {MS(10000), "10.0"},   {MS(30000), "30.0"},
    {MS(60000), "60.0"},   {MS(120000), "120.0"},
    {MS(300000), "300.0"}, {UINT64_MAX, "+Inf"},
};

size_t family_labels(enum metric_family family) {
    const char *const *labels = METRIC_FAMILIES[family].labels;
    size_t n = 0;
    while (n < METRIC_LABELS_MAX && labels[n] && labels[n][0]) n++;
    return n;
}

// --- cells ---

uint64_t *metric_cell_slow(struct metric_shard *shard, uint32_t cell) {
    uint64_t *chunk = mem_zalloc((size_t)1 << METRIC_CHUNK_BITS, sizeof *chunk);
    if (!chunk) return NULL;
    // Released, so that a reader who sees the pointer sees the zeros.
    __atomic_store_n(&shard->chunk[cell >> METRIC_CHUNK_BITS], chunk, __ATOMIC_RELEASE);
    return &chunk[cell & ((1u << METRIC_CHUNK_BITS) - 1)];
}

void metric_observe(struct metric_shard *shard, struct metric m, uint64_t ns, uint64_t request_id) {
    size_t i = 0;
    while (ns > METRIC_BOUNDS[i].ns) i++;
    uint64_t *cells = metric_cell(shard, m.cell); // a histogram's cells are in one chunk
    if (!cells) return;
    atom_store_relaxed(&cells[i], atom_load_relaxed(&cells[i]) + 1);
    atom_store_relaxed(&cells[HISTOGRAM_SUM], atom_load_relaxed(&cells[HISTOGRAM_SUM]) + ns);
    if (request_id == 0) return;
    atom_store_relaxed(&cells[HISTOGRAM_EXEMPLAR_ID], request_id);
    atom_store_relaxed(&cells[HISTOGRAM_EXEMPLAR_NS], ns);
    atom_store_relaxed(&cells[HISTOGRAM_EXEMPLAR_CHECK], request_id ^ ns);
}

void metrics_add(struct metrics *metrics, struct metric m, uint64_t v) {
    mutex_lock(&metrics->shared_mutex);
    metric_add(&metrics->shared, m, v);
    mutex_unlock(&metrics->shared_mutex);
}

void metrics_set(struct metrics *metrics, struct metric m, uint64_t v) {
    mutex_lock(&metrics->shared_mutex);
    uint64_t *p = metric_cell(&metrics->shared, m.cell);
    bool back = METRIC_FAMILIES[m.family].type == METRIC_TYPE_COUNTER && p && v < *p;
    if (p && !back) atom_store_relaxed(p, v);
    mutex_unlock(&metrics->shared_mutex);
}

// Cells for a new series: one, or a histogram's, which never straddle two chunks. Holds the mutex.
static bool cells_take(struct metrics *metrics, enum metric_family family, uint32_t *out_cell) {
    uint32_t n = METRIC_FAMILIES[family].type == METRIC_TYPE_HISTOGRAM ? HISTOGRAM_CELLS : 1;
    uint32_t at = metrics->next_cell, chunk = 1u << METRIC_CHUNK_BITS;
    if (at % chunk + n > chunk) at += chunk - at % chunk;
    if (at > CELLS_MAX - n) return false;
    metrics->next_cell = at + n;
    *out_cell = at;
    return true;
}

// --- series ---

static struct str label_cut(struct str value) {
    if (value.n <= METRIC_LABEL_BYTES_MAX) return value;
    size_t n = METRIC_LABEL_BYTES_MAX;
    for (int back = 0; back < 3 && ((unsigned char)value.p[n] & 0xc0) == 0x80; back++) n--;
    return str_head(value, n);
}

static size_t key_build(char out[KEY_MAX], enum metric_family family, const struct str *labels, size_t n) {
    size_t at = 0;
    out[at++] = (char)family;
    for (size_t i = 0; i < n; i++) {
        struct str value = label_cut(labels[i]);
        out[at++] = (char)(unsigned char)value.n;
        if (value.n) memcpy(out + at, value.p, value.n);
        at += value.n;
    }
    return at;
}
static_assert(METRIC_FAMILY_COUNT <= 256 && METRIC_LABEL_BYTES_MAX <= 255, "one byte each in a key");

static void label_render(struct buf *out, struct str value) {
    while (value.n) {
        uint32_t c;
        size_t len = utf8_decode(value, &c);
        if (len == 0)
            buf_lit(out, "\xef\xbf\xbd");
        else if (c == '\n')
            buf_lit(out, "\\n");
        else if (c == '"' || c == '\\')
            buf_printf(out, "\\%c", (int)c);
        else if (c < 0x20 || c == 0x7f)
            buf_putc(out, '?');
        else
            buf_put(out, str_head(value, len));
        value = str_from(value, len ? len : 1);
    }
}

static struct str labels_render(struct metrics *metrics, enum metric_family family, const struct str *labels) {
    BUF_AUTO struct buf text = BUF_INIT(METRIC_LABELS_MAX * (64 + 3 * METRIC_LABEL_BYTES_MAX));
    for (size_t i = 0; i < family_labels(family); i++) {
        if (i) buf_putc(&text, ',');
        buf_printf(&text, "%s=\"", METRIC_FAMILIES[family].labels[i]);
        label_render(&text, label_cut(labels[i]));
        buf_putc(&text, '"');
    }
    if (text.failed) return STR_NONE;
    return arena_str(&metrics->arena, buf_str(&text));
}

// Holds the mutex; NULL when out of memory or cells.
static struct series *series_make(struct metrics *metrics, enum metric_family family, const struct str *labels,
                                  struct str key) {
    struct series_list *list = &metrics->series[family];
    struct series *series = ARENA_NEW(&metrics->arena, struct series);
    if (!series) return NULL;
    series->key = arena_str(&metrics->arena, key);
    series->labels = labels_render(metrics, family, labels);
    series->metric.family = (uint32_t)family;
    bool whole = series->key.n && (series->labels.n || family_labels(family) == 0);
    if (!whole || !cells_take(metrics, family, &series->metric.cell)) return NULL;
    if (!map_put(&metrics->by_key, series->key, series)) return NULL;
    if (vec_push(&list->all, series)) return series;
    map_del(&metrics->by_key, series->key);
    return NULL;
}

static struct series *series_other(struct metrics *metrics, enum metric_family family) {
    struct series_list *list = &metrics->series[family];
    if (list->other) return list->other;
    const struct str other = STR("other");
    const struct str labels[METRIC_LABELS_MAX] = {other, other, other, other};
    char key[KEY_MAX];
    struct str k = str_of(key, key_build(key, family, labels, family_labels(family)));
    list->other = map_get(&metrics->by_key, k);
    if (!list->other) list->other = series_make(metrics, family, labels, k);
    return list->other;
}

static struct series *series_get(struct metrics *metrics, enum metric_family family, const struct str *labels,
                                 struct str key) {
    mutex_lock(&metrics->mutex);
    struct series *series = map_get(&metrics->by_key, key);
    if (!series && metrics->series[family].all.n < metrics->max_series)
        series = series_make(metrics, family, labels, key);
    if (!series) series = series_other(metrics, family);
    mutex_unlock(&metrics->mutex);
    return series;
}

static struct metric metric_of(const struct series *series, enum metric_family family) {
    return series ? series->metric : (struct metric){.cell = 0, .family = (uint32_t)family};
}

struct metric metric_series(struct metrics *metrics, enum metric_family family, const struct str *labels, size_t n) {
    INVARIANT(n == family_labels(family));
    char key[KEY_MAX];
    struct str k = str_of(key, key_build(key, family, labels, n));
    return metric_of(series_get(metrics, family, labels, k), family);
}

struct metric metric_find(struct metric_shard *shard, enum metric_family family, const struct str *labels, size_t n) {
    INVARIANT(n == family_labels(family));
    char key[KEY_MAX];
    struct str k = str_of(key, key_build(key, family, labels, n));
    struct series *series = map_get(&shard->known, k);
    if (LIKELY(series != NULL)) return series->metric;
    series = series_get(shard->metrics, family, labels, k);
    // Values that were put under "other" are not remembered: they could be without number. Nor is it an error when
    // there is no memory to remember one.
    if (series && str_eq(series->key, k) && !map_put(&shard->known, series->key, series)) return series->metric;
    return metric_of(series, family);
}

// --- life ---

static void shard_init(struct metric_shard *shard, struct metrics *metrics) {
    shard->metrics = metrics;
    map_init(&shard->known, rand_u64());
}

static void shard_free(struct metric_shard *shard) {
    for (size_t i = 0; i < METRIC_CHUNKS_MAX; i++) mem_free(shard->chunk[i]);
    map_free(&shard->known);
}

void metrics_free(struct metrics *metrics) {
    if (!metrics) return;
    for (unsigned i = 0; i < metrics->n_shards; i++) shard_free(&metrics->shards[i]);
    shard_free(&metrics->shared);
    for (size_t i = 0; i < METRIC_FAMILY_COUNT; i++) vec_free(&metrics->series[i].all);
    map_free(&metrics->by_key);
    arena_free(&metrics->arena);
    mem_free(metrics->shards);
    mutex_free(&metrics->mutex);
    mutex_free(&metrics->shared_mutex);
    mem_free(metrics);
}

bool metrics_create(const struct metrics_options *options, struct metrics **out_metrics, struct err *err) {
    struct metrics *metrics = mem_zalloc(1, sizeof *metrics);
    if (!metrics) return err_no_memory(err);
    metrics->shards = mem_zalloc(options->shards ? options->shards : 1, sizeof *metrics->shards);
    if (!metrics->shards) {
        mem_free(metrics);
        return err_no_memory(err);
    }
    metrics->n_shards = options->shards;
    metrics->max_series = options->max_series ? options->max_series : MAX_SERIES_DEFAULT;
    metrics->start_ns = clock_unix_ns();
    metrics->next_cell = VOID_CELLS;
    mutex_init(&metrics->mutex);
    mutex_init(&metrics->shared_mutex);
    map_init(&metrics->by_key, rand_u64());
    arena_init(&metrics->arena, NULL, 0, ARENA_MAX);
    for (unsigned i = 0; i < options->shards; i++) shard_init(&metrics->shards[i], metrics);
    shard_init(&metrics->shared, metrics);
    // What has no labels is there from the start, as zero.
    for (unsigned i = 0; i < METRIC_FAMILY_COUNT; i++)
        if (family_labels(i) == 0) metric_series(metrics, i, NULL, 0);
    metrics_set(metrics, metric_series(metrics, METRIC_BUILD_INFO, &options->version, 1), 1);
    *out_metrics = metrics;
    return true;
}

struct metric_shard *metrics_shard(struct metrics *metrics, unsigned i) {
    INVARIANT(i < metrics->n_shards);
    return &metrics->shards[i];
}

bool metrics_collect(struct metrics *metrics, void (*fn)(void *arg, struct metrics *metrics), void *arg) {
    if (metrics->n_collectors == COLLECTORS_MAX) return false;
    metrics->collectors[metrics->n_collectors++] = (struct collector){fn, arg};
    return true;
}
