// Measures the JSON reader: GB/s on long prose, dense numbers and small objects, and the time of a typical request.
#include "base/json_read.h"
#include "base/json_write.h"
#include "base/scan_level.h"

#include <stdio.h>
#include <time.h>

static double now_s(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static uint64_t random_next(uint64_t *state) {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

// Words of 2 to 9 letters, an escape every 60 to 80 bytes; `other` is put in now and then.
static void put_prose(struct buf *out, size_t bytes, uint64_t seed, const char *other) {
    size_t end = out->n + bytes, escape_at = out->n + 70;
    while (out->n < end) {
        size_t letters = 2 + random_next(&seed) % 8;
        for (size_t i = 0; i < letters; i++) buf_putc(out, (char)('a' + random_next(&seed) % 26));
        buf_putc(out, ' ');
        if (other) buf_put(out, str_c(other));
        if (out->n < escape_at) continue;
        buf_put(out, random_next(&seed) % 3 ? STR("\\n") : STR("\\\"quoted\\\" "));
        escape_at = out->n + 60 + random_next(&seed) % 20;
    }
}

static void put_chat(struct buf *out, size_t prose, const char *other) {
    buf_lit(out, "{\"model\":\"gpt-4o-mini\",\"messages\":[{\"role\":\"system\",\"content\":\"You are a helpful "
                 "assistant.\"},{\"role\":\"user\",\"content\":\"");
    put_prose(out, prose, 42, other);
    buf_lit(out, "\"}],\"temperature\":0.7,\"max_tokens\":512,\"stream\":true,\"user\":\"u-1234\"}");
}

static void put_numbers(struct buf *out) {
    uint64_t seed = 7;
    buf_lit(out, "{\"embedding\":[");
    for (int i = 0; i < 8000; i++) {
        if (i) buf_putc(out, ',');
        buf_printf(out, "%s0.%09u", random_next(&seed) % 2 ? "-" : "", (unsigned)(random_next(&seed) % 1000000000));
    }
    buf_lit(out, "]}");
}

static void put_tokens(struct buf *out) {
    uint64_t seed = 9;
    buf_lit(out, "{\"input\":[");
    for (int i = 0; i < 16000; i++) buf_printf(out, "%s%u", i ? "," : "", (unsigned)(random_next(&seed) % 100000));
    buf_lit(out, "]}");
}

static void put_objects(struct buf *out, const char *gap) {
    uint64_t seed = 11;
    buf_lit(out, "{\"items\":[");
    for (int i = 0; i < 1500; i++)
        buf_printf(out, "%s%s{\"id\":%d,%s\"name\":\"item %u\",\"tags\":[\"a\",\"bc\"],%s\"ok\":%s,\"sub\":{\"x\":%u}}",
                   i ? "," : "", gap, i, gap, (unsigned)(random_next(&seed) % 1000), gap,
                   random_next(&seed) % 2 ? "true" : "false", (unsigned)(random_next(&seed) % 100));
    buf_lit(out, "]}");
}

static struct json_field k_fields[] = {{.name = STR_INIT("model")},       {.name = STR_INIT("messages")},
                                       {.name = STR_INIT("stream")},      {.name = STR_INIT("stream_options")},
                                       {.name = STR_INIT("temperature")}, {.name = STR_INIT("max_tokens")},
                                       {.name = STR_INIT("user")}};

static bool scan_once(struct str body, const struct scan_ops *ops) {
    struct json_field fields[ARRAY_LEN(k_fields)];
    struct json_reader r;
    struct err err;
    memcpy(fields, k_fields, sizeof fields);
    json_reader_init(&r, body, 0);
    r.ops = ops;
    if (json_object_scan(&r, fields, ARRAY_LEN(fields), &err) && json_end(&r, &err)) return true;
    fprintf(stderr, "%s\n", err.message);
    return false;
}

// The best of several rounds, in seconds a call.
static double measure(struct str body, const struct scan_ops *ops) {
    double best = 1e9;
    size_t calls = 1 + 8000000 / (body.n + 1);
    for (int round = 0; round < 9; round++) {
        double start = now_s();
        for (size_t i = 0; i < calls; i++)
            if (!scan_once(body, ops)) return -1;
        double each = (now_s() - start) / (double)calls;
        best = MIN(best, each);
    }
    return best;
}

int main(void) {
    static const char *const levels[] = {"portable", "avx2", "avx512"};
    static const char *const names[] = {"prose 100 KB", "prose 100 KB, Russian", "embedding",  "token ids",
                                        "objects",      "objects, indented",     "chat 1.5 KB"};
    struct buf bodies[ARRAY_LEN(names)];
    for (size_t i = 0; i < ARRAY_LEN(bodies); i++) buf_init(&bodies[i], 1 << 22);
    put_chat(&bodies[0], 100000, NULL);
    put_chat(&bodies[1], 100000, "\xd0\xbf\xd1\x80\xd0\xb8\xd0\xb2\xd0\xb5\xd1\x82 ");
    put_numbers(&bodies[2]);
    put_tokens(&bodies[3]);
    put_objects(&bodies[4], "");
    put_objects(&bodies[5], "\n      ");
    put_chat(&bodies[6], 1300, NULL);
    for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
        printf("%-24s %7zu bytes", names[i], bodies[i].n);
        for (int level = 0; level < SCAN_LEVEL_COUNT; level++) {
            const struct scan_ops *ops = scan_ops_at((enum scan_level)level);
            if (!ops) continue;
            double each = measure(buf_str(&bodies[i]), ops);
            printf("   %s %6.2f GB/s %9.0f ns", levels[level], (double)bodies[i].n / each * 1e-9, each * 1e9);
        }
        printf("\n");
        buf_free(&bodies[i]);
    }
    return 0;
}
