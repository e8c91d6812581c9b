/* Clocks, CPU pinning, addresses and fatal errors of the bench programs. */
#include "bench_os.h"

#include <arpa/inet.h>
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

uint64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

uint64_t process_cpu_ns(pid_t pid) {
    clockid_t clock;
    struct timespec t;
    if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &t) != 0) return 0;
    return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

void pin_to_cpu(int cpu) {
    cpu_set_t set;
    if (cpu < 0) return;
    CPU_ZERO(&set);
    CPU_SET((size_t)cpu, &set);
    if (sched_setaffinity(0, sizeof set, &set) != 0) die_errno("pinning to the CPU");
}

void raise_file_limit(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
}

bool addr_parse(const char *text, size_t n, struct sockaddr_in *out_addr) {
    char host[64];
    char port_text[8];
    uint64_t port;
    const char *colon = memchr(text, ':', n);
    if (colon == NULL) return false;
    size_t host_len = (size_t)(colon - text);
    size_t port_len = n - host_len - 1;
    if (host_len >= sizeof host || port_len >= sizeof port_text) return false;
    memcpy(host, text, host_len);
    host[host_len] = '\0';
    memcpy(port_text, colon + 1, port_len);
    port_text[port_len] = '\0';
    if (!number_parse(port_text, 65535, &port)) return false;
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    if (inet_pton(AF_INET, host, &addr.sin_addr) != 1) return false;
    *out_addr = addr;
    return true;
}

bool number_parse(const char *text, uint64_t max, uint64_t *out_value) {
    uint64_t value = 0;
    if (*text == '\0') return false;
    for (; *text != '\0'; text++) {
        if (*text < '0' || *text > '9') return false;
        value = value * 10 + (uint64_t)(*text - '0');
        if (value > max) return false;
    }
    *out_value = value;
    return true;
}

void die_usage(const char *message, const char *detail) {
    fprintf(stderr, "error: %s: %s\n", message, detail);
    exit(2);
}

void die_errno(const char *what) {
    fprintf(stderr, "error: %s: %s\n", what, strerror(errno));
    exit(2);
}
