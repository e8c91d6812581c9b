// The compact form of a usage record: a version byte, twenty-three varints, six counted strings; in version 2
// twenty-one and five, in version 1 fifteen and four.
#include "store/usage.h"

#define FORMAT 3
#define VARINT_MAX 10

struct str usage_endpoint_name(unsigned endpoint) {
    static const struct str names[USAGE_ENDPOINT_COUNT] = {
        [USAGE_ENDPOINT_OTHER] = STR_INIT("other"),
        [USAGE_ENDPOINT_CHAT] = STR_INIT("chat"),
        [USAGE_ENDPOINT_COMPLETIONS] = STR_INIT("completions"),
        [USAGE_ENDPOINT_EMBEDDINGS] = STR_INIT("embeddings"),
        [USAGE_ENDPOINT_MODELS] = STR_INIT("models"),
        [USAGE_ENDPOINT_RESPONSES] = STR_INIT("responses"),
        [USAGE_ENDPOINT_MESSAGES] = STR_INIT("messages"),
        [USAGE_ENDPOINT_GENERATE_CONTENT] = STR_INIT("generate_content"),
        [USAGE_ENDPOINT_RERANK] = STR_INIT("rerank"),
        [USAGE_ENDPOINT_MODERATIONS] = STR_INIT("moderations"),
        [USAGE_ENDPOINT_IMAGES] = STR_INIT("images"),
        [USAGE_ENDPOINT_SPEECH] = STR_INIT("speech"),
        [USAGE_ENDPOINT_TRANSCRIPTIONS] = STR_INIT("transcriptions"),
        [USAGE_ENDPOINT_OLLAMA] = STR_INIT("ollama"),
        [USAGE_ENDPOINT_PASSTHROUGH] = STR_INIT("passthrough"),
        [USAGE_ENDPOINT_SHADOW] = STR_INIT("shadow"),
        [USAGE_ENDPOINT_CHAIN] = STR_INIT("chain"),
    };
    return names[endpoint < USAGE_ENDPOINT_COUNT ? endpoint : USAGE_ENDPOINT_OTHER];
}

// Seven bits a byte, the lowest first: eight bytes of it at once, from and to the 56 bits they hold.
static uint64_t spread(uint64_t v) {
    v = (v & 0x000000000fffffffULL) | (v & 0x00fffffff0000000ULL) << 4;
    v = (v & 0x00003fff00003fffULL) | (v & 0x0fffc0000fffc000ULL) << 2;
    return (v & 0x007f007f007f007fULL) | (v & 0x3f803f803f803f80ULL) << 1;
}
static uint64_t gather(uint64_t v) {
    v = (v & 0x007f007f007f007fULL) | (v & 0x7f007f007f007f00ULL) >> 1;
    v = (v & 0x00003fff00003fffULL) | (v & 0x3fff00003fff0000ULL) >> 2;
    return (v & 0x000000000fffffffULL) | (v & 0x0fffffff00000000ULL) >> 4;
}
static uint64_t little(uint64_t v) {
#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
    v = __builtin_bswap64(v);
#endif
    return v;
}

static char *put_u64(char *p, uint64_t v) {
    while (v >= 0x80) {
        *p++ = (char)(v | 0x80);
        v >>= 7;
    }
    *p++ = (char)v;
    return p;
}

// For long ones: writes more bytes than it takes, so more must follow.
static char *put_wide(char *p, uint64_t v) {
    uint64_t more = v >> 56;
    unsigned n = more ? 8 : (70 - (unsigned)__builtin_clzll(v | 1)) / 7;
    uint64_t goes_on = more ? UINT64_MAX : (1ULL << (8 * (n - 1))) - 1;
    uint64_t bytes = little(spread(v & 0x00ffffffffffffffULL) | (goes_on & 0x8080808080808080ULL));
    memcpy(p, &bytes, sizeof bytes);
    return more ? put_u64(p + n, more) : p + n;
}

static char *put_count(char *p, uint64_t v) { return put_u64(p, MIN(v, USAGE_COUNT_MAX)); }
static char *put_tokens(char *p, uint64_t v) { return put_u64(p, MIN(v, USAGE_TOKENS_MAX)); }

// Zigzag: small numbers of either sign are short.
static uint64_t zigzag(int64_t v) { return ((uint64_t)v << 1) ^ (uint64_t)(v >> 63); }

static char *put_money(char *p, int64_t v) { return put_u64(p, zigzag(MAX(MIN(v, USAGE_COST_MAX), -USAGE_COST_MAX))); }

static char *put_name(char *p, struct str s) {
    s = str_head(s, USAGE_NAME_MAX);
    p = put_u64(p, s.n);
    if (s.n) memcpy(p, s.p, s.n);
    return p + s.n;
}

size_t usage_encode(const struct usage_record *rec, char *out) {
    static_assert(USAGE_ENCODED_MAX >= 1 + 23 * VARINT_MAX + 6 * (2 + USAGE_NAME_MAX), "the longest record fits");
    INVARIANT(rec->id != 0 && rec->id <= INT64_MAX);
    char *p = out;
    *p++ = FORMAT;
    p = put_wide(p, rec->id);
    p = put_u64(p, MIN(rec->tenant_id, (uint64_t)INT64_MAX));
    p = put_u64(p, MIN(rec->key_id, (uint64_t)INT64_MAX));
    p = put_wide(p, zigzag(rec->ts));
    p = put_u64(p, rec->endpoint);
    p = put_u64(p, MIN((unsigned)rec->status, 999U));
    p = put_u64(p, rec->flags);
    p = put_tokens(p, rec->tokens_in);
    p = put_tokens(p, rec->tokens_cached);
    p = put_tokens(p, rec->tokens_cache_write);
    p = put_tokens(p, rec->tokens_out);
    p = put_tokens(p, rec->tokens_reasoning);
    p = put_money(p, rec->cost_nano);
    p = put_count(p, rec->latency_us);
    p = put_count(p, rec->ttft_us);
    p = put_u64(p, MIN(rec->team_id, (uint64_t)INT64_MAX));
    p = put_u64(p, MIN(rec->project_id, (uint64_t)INT64_MAX));
    p = put_u64(p, rec->owner_kind);
    p = put_u64(p, MIN(rec->owner_id, (uint64_t)INT64_MAX));
    p = put_count(p, rec->reserved_tokens);
    p = put_count(p, rec->reserved_nano);
    p = put_count(p, rec->attempts);
    p = put_money(p, rec->reference_nano);
    p = put_name(p, rec->provider);
    p = put_name(p, rec->model);
    p = put_name(p, rec->upstream_model);
    p = put_name(p, rec->error);
    p = put_name(p, rec->tags.n <= USAGE_NAME_MAX ? rec->tags : STR("")); // JSON, of which half is no use
    p = put_name(p, rec->task);
    return (size_t)(p - out);
}

// Reads past the end or of a malformed value set `bad` and give zero, so that one test at the end is enough.
struct reader {
    const unsigned char *p, *end;
    bool bad;
};

static uint64_t get_bytewise(struct reader *r, uint64_t max) {
    uint64_t v = 0;
    for (unsigned shift = 0; r->p < r->end && shift < 64; shift += 7) {
        unsigned char c = *r->p++;
        if (shift == 63 && c > 1) break;
        v |= (uint64_t)(c & 0x7f) << shift;
        if (c & 0x80) continue;
        // One spelling a number: no leading zero groups.
        if ((c == 0 && shift > 0) || v > max) break;
        return v;
    }
    r->bad = true;
    return 0;
}

// Up to nine bytes at once, where so many may be read; what is wrong with them the careful way finds out.
static uint64_t get_long(struct reader *r, uint64_t max) {
    uint64_t bytes;
    if (r->end - r->p < 9) return get_bytewise(r, max);
    memcpy(&bytes, r->p, sizeof bytes);
    bytes = little(bytes);
    uint64_t ends = ~bytes & 0x8080808080808080ULL, v;
    unsigned n = 9;
    if (ends) {
        n = (unsigned)__builtin_ctzll(ends) / 8 + 1;
        v = gather(bytes & (ends ^ (ends - 1)));
    } else {
        v = gather(bytes) | (uint64_t)r->p[8] << 56;
    }
    if (r->p[n - 1] == 0 || r->p[n - 1] >= 0x80 || v > max) return get_bytewise(r, max);
    r->p += n;
    return v;
}

static inline uint64_t get_u64(struct reader *r, uint64_t max) {
    // Most are short: flags, counts, lengths.
    if (LIKELY(r->p < r->end) && *r->p < 0x80 && *r->p <= max) return *r->p++;
    return get_long(r, max);
}

static int64_t get_i64(struct reader *r) {
    uint64_t v = get_u64(r, UINT64_MAX);
    return (int64_t)((v >> 1) ^ (0 - (v & 1)));
}

// As much as there ever was in a record.
#define COST_READ_MAX ((int64_t)1 << 50)

static int64_t get_money(struct reader *r) {
    int64_t v = get_i64(r);
    r->bad |= v > COST_READ_MAX || v < -COST_READ_MAX;
    return v;
}

static struct str get_name(struct reader *r) {
    size_t n = (size_t)get_u64(r, USAGE_NAME_MAX);
    if (r->bad || (size_t)(r->end - r->p) < n) {
        r->bad = true;
        return STR_NONE;
    }
    struct str s = {(const char *)r->p, n};
    r->p += n;
    return s;
}

static bool format_known(struct str bytes) { return bytes.n && bytes.p[0] >= 1 && bytes.p[0] <= FORMAT; }

static void get_owner(struct reader *r, struct usage_record *rec) {
    rec->team_id = get_u64(r, INT64_MAX);
    rec->project_id = get_u64(r, INT64_MAX);
    rec->owner_kind = (uint8_t)get_u64(r, UINT8_MAX);
    rec->owner_id = get_u64(r, INT64_MAX);
    rec->reserved_tokens = get_u64(r, USAGE_COUNT_MAX);
    rec->reserved_nano = get_u64(r, USAGE_COUNT_MAX);
}

bool usage_decode(struct str bytes, struct usage_record *out_rec) {
    if (!format_known(bytes)) return false;
    int format = (unsigned char)bytes.p[0];
    struct reader r = {.p = (const unsigned char *)bytes.p + 1, .end = (const unsigned char *)bytes.p + bytes.n};
    struct usage_record rec = {0};
    rec.id = get_u64(&r, INT64_MAX);
    rec.tenant_id = get_u64(&r, INT64_MAX);
    rec.key_id = get_u64(&r, INT64_MAX);
    rec.ts = get_i64(&r);
    rec.endpoint = (uint16_t)get_u64(&r, UINT16_MAX);
    rec.status = (uint16_t)get_u64(&r, 999);
    rec.flags = (uint32_t)get_u64(&r, UINT32_MAX);
    rec.tokens_in = get_u64(&r, USAGE_COUNT_MAX);
    rec.tokens_cached = get_u64(&r, USAGE_COUNT_MAX);
    rec.tokens_cache_write = get_u64(&r, USAGE_COUNT_MAX);
    rec.tokens_out = get_u64(&r, USAGE_COUNT_MAX);
    rec.tokens_reasoning = get_u64(&r, USAGE_COUNT_MAX);
    rec.cost_nano = get_money(&r);
    rec.latency_us = get_u64(&r, USAGE_COUNT_MAX);
    rec.ttft_us = get_u64(&r, USAGE_COUNT_MAX);
    if (format >= 2) get_owner(&r, &rec);
    if (format >= 3) rec.attempts = get_u64(&r, USAGE_COUNT_MAX);
    if (format >= 3) rec.reference_nano = get_money(&r);
    rec.provider = get_name(&r);
    rec.model = get_name(&r);
    rec.upstream_model = get_name(&r);
    rec.error = get_name(&r);
    if (format >= 2) rec.tags = get_name(&r);
    if (format >= 3) rec.task = get_name(&r);
    if (r.bad || r.p != r.end || rec.id == 0) return false;
    *out_rec = rec;
    return true;
}

uint64_t usage_decode_id(struct str bytes) {
    if (!format_known(bytes)) return 0;
    struct reader r = {.p = (const unsigned char *)bytes.p + 1, .end = (const unsigned char *)bytes.p + bytes.n};
    return get_u64(&r, INT64_MAX);
}
