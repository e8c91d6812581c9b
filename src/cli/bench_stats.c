// Percentiles with what they are worth: intervals of confidence that assume nothing about how times are spread.
#include "cli/bench.h"

#include <math.h>
#include <stdlib.h>

#define Z95 1.959963984540054

static int order(const void *a, const void *b) {
    double x, y;
    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    return (x > y) - (x < y);
}

// The value that a share p of all are not above.
static double rank(const double *sorted, size_t n, double p) {
    size_t k = (size_t)ceil(p * (double)n);
    return sorted[k ? MIN(k, n) - 1 : 0];
}

// How many values at either end may be left out so that the median is within the others with 95 % confidence: each
// value is below the median with probability 1/2, so their number has a binomial distribution. 0: there are too few.
static size_t tail(size_t n) {
    if (n > 1000) return (size_t)floor((double)n / 2 - Z95 * sqrt((double)n) / 2);
    double term = pow(0.5, (double)n), sum = 0;
    for (size_t k = 0; k < n; k++) {
        sum += term;
        if (sum > 0.025) return k;
        term = term * (double)(n - k) / (double)(k + 1);
    }
    return 0;
}

void bench_summarize(double *v, size_t n, struct bench_summary *out) {
    double sum = 0;
    *out = (struct bench_summary){.n = n};
    if (!n) return;
    qsort(v, n, sizeof *v, order);
    for (size_t i = 0; i < n; i++) sum += v[i];
    out->min = v[0];
    out->max = v[n - 1];
    out->mean = sum / (double)n;
    out->p50 = rank(v, n, 0.5);
    out->p95 = rank(v, n, 0.95);
    size_t k = tail(n);
    out->has_range = k > 0;
    if (!k) return;
    out->low = v[k - 1];
    out->high = v[n - k];
}

void bench_share_of(double sum, size_t n, struct bench_share *out) {
    *out = (struct bench_share){.n = n};
    if (!n) return;
    double count = (double)n, p = sum / count, z2 = Z95 * Z95;
    double middle = (p + z2 / (2 * count)) / (1 + z2 / count);
    double half = Z95 * sqrt(fmax(0, p * (1 - p) / count + z2 / (4 * count * count))) / (1 + z2 / count);
    out->mean = p;
    out->low = fmax(0, middle - half);
    out->high = fmin(1, middle + half);
}
