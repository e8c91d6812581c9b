// The standard process figures of Prometheus, read from Linux's /proc.
#include "obs/metrics_impl.h"

#include "base/mem.h"
#include "os/clock.h"
#include "os/file.h"

#define PROC_MAX ((size_t)64 * 1024)
#define PROC_ROOM (4 * PROC_MAX) // reading grows the buffer by large steps

static void set(struct metrics *metrics, enum metric_family family, uint64_t v) {
    metrics_set(metrics, metric_series(metrics, family, NULL, 0), v);
}

// The number that follows `name` and spaces in a file of /proc; 0 when there is none ("unlimited" too).
static uint64_t number_after(struct str text, struct str name) {
    struct str rest = str_trim(str_from(text, str_find(text, name) + name.n));
    size_t digits = 0;
    uint64_t v = 0;
    while (digits < rest.n && rest.p[digits] >= '0' && rest.p[digits] <= '9') digits++;
    return str_to_u64(str_head(rest, digits), &v) ? v : 0;
}

static void collect_memory(struct metrics *metrics) {
    BUF_AUTO struct buf text = BUF_INIT(PROC_ROOM);
    struct err err;
    if (!file_read_all(STR("/proc/self/status"), PROC_MAX, &text, &err)) return;
    set(metrics, METRIC_PROCESS_RESIDENT, number_after(buf_str(&text), STR("\nVmRSS:")) * 1024);
    set(metrics, METRIC_PROCESS_VIRTUAL, number_after(buf_str(&text), STR("\nVmSize:")) * 1024);
    struct mem_stats stats;
    mem_stats_get(&stats);
    set(metrics, METRIC_MEMORY, stats.bytes);
}

static void collect_files(struct metrics *metrics) {
    struct err err;
    struct file_info info;
    if (!file_stat(STR("/proc/self/fd"), &info, &err)) return;
    if (info.size) { // Linux 6.2 tells the number there
        set(metrics, METRIC_PROCESS_OPEN_FDS, info.size);
    } else {
        struct file_names names = {0};
        if (dir_list(STR("/proc/self/fd"), &names, &err)) set(metrics, METRIC_PROCESS_OPEN_FDS, names.n);
        file_names_free(&names);
    }
    BUF_AUTO struct buf text = BUF_INIT(PROC_ROOM);
    if (file_read_all(STR("/proc/self/limits"), PROC_MAX, &text, &err))
        set(metrics, METRIC_PROCESS_MAX_FDS, number_after(buf_str(&text), STR("\nMax open files")));
}

void metrics_collect_process(struct metrics *metrics) {
    set(metrics, METRIC_PROCESS_CPU, clock_cpu_ns());
    set(metrics, METRIC_PROCESS_START, (uint64_t)metrics->start_ns);
    collect_memory(metrics);
    collect_files(metrics);
}
