// Writes audit events as syslog messages (RFC 5424).
#include "govern/audit_sink.h"

#include "base/text.h"

// A value of structured data: '"', '\' and ']' are escaped.
static void put_param(struct buf *out, const char *name, struct str value) {
    if (!value.n) return;
    buf_putc(out, ' ');
    buf_put(out, str_c(name));
    buf_lit(out, "=\"");
    for (size_t i = 0; i < value.n; i++) {
        char c = value.p[i];
        if (c == '"' || c == '\\' || c == ']') buf_putc(out, '\\');
        buf_putc(out, (unsigned char)c < ' ' ? ' ' : c);
    }
    buf_putc(out, '"');
}

void audit_put_syslog(struct buf *out, const struct audit_record *r, int facility, enum audit_format format,
                      struct str version) {
    static const int severities[] = {[AUDIT_OK] = 6, [AUDIT_DENIED] = 4, [AUDIT_FAILED] = 3};
    const struct audit_event *e = &r->event;
    char time[TIME_TEXT_LEN], number[24];
    time_text(time, e->at);
    // The number 32473 is the one for uses without an enterprise number of their own (RFC 5612).
    buf_printf(out, "<%d>1 %.*s - penstock - audit [audit@32473", facility * 8 + severities[e->outcome], TIME_TEXT_LEN,
               time);
    snprintf(number, sizeof number, "%lld", (long long)r->tenant);
    put_param(out, "tenant", str_c(number));
    snprintf(number, sizeof number, "%lld", (long long)e->seq);
    put_param(out, "seq", str_c(number));
    put_param(out, "action", e->action);
    put_param(out, "outcome", audit_outcome_name(e->outcome));
    put_param(out, "actor", e->actor_name);
    put_param(out, "resource", e->resource_id);
    buf_lit(out, "] ");
    size_t before = out->n;
    audit_put(out, format, r, version);
    if (!out->failed && out->n > before && out->p[out->n - 1] == '\n') out->n--;
}
