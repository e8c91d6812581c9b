// The HTTP requests of checks: their failures explained, the server's clock and certificate looked at.
#include "admin/check_impl.h"
#include "os/clock.h"

static void advise(struct check *c, enum fetch_fault fault, const struct fetch_request *r, struct str what) {
    switch (fault) {
    case FETCH_FAULT_RESOLVE:
        check_advise(c, "is the name written right, and can this machine resolve it (getent hosts NAME)?");
        break;
    case FETCH_FAULT_RESOLVE_PROXY:
        check_advise(c, "the proxy's name is not known: look at %.*s.proxy", STR_ARG(what));
        break;
    case FETCH_FAULT_CONNECT:
        check_advise(c, "is it running, on that port, and does no firewall stand between?%s",
                     r->proxy.n ? " The connection goes through the proxy" : "");
        break;
    case FETCH_FAULT_TLS:
        check_advise(c, "does that port speak TLS 1.2 or later? A plain one needs http:// in place of https://");
        break;
    case FETCH_FAULT_CERTIFICATE:
        check_advise(c, "an authority of your own is named by %.*s.tls_ca; otherwise the server's certificate is wrong",
                     STR_ARG(what));
        break;
    case FETCH_FAULT_CA_FILE:
        check_advise(c, "look at %.*s.tls_ca", STR_ARG(what));
        break;
    case FETCH_FAULT_TIMEOUT:
        check_advise(c, "it may be overloaded, or a firewall drops what is sent to it");
        break;
    case FETCH_FAULT_OTHER:
        break;
    }
}

bool check_fetch(struct check *c, struct fetch_request *request, struct str what, struct fetch_answer *out_answer) {
    enum fetch_fault fault;
    struct err err;
    request->out_fault = &fault;
    if (!fetch(request, out_answer, &err)) {
        check_note(c, CHECK_FAILED, "%s", err.message);
        advise(c, fault, request, what);
        return false;
    }
    int64_t now = clock_unix_ns() / (int64_t)NS_PER_SEC;
    if (out_answer->date_s) {
        c->dated = true;
        c->clock_ahead_s = now - out_answer->date_s;
    }
    if (out_answer->cert_expires_s) check_cert_end(c, out_answer->cert_expires_s - now, false);
    return true;
}

void check_cert_end(struct check *c, int64_t left_s, bool ours) {
    const char *whose = ours ? "it" : "its certificate";
    if (left_s >= CHECK_CERT_SOON_S) return;
    if (left_s < 0)
        check_note(c, CHECK_WARNING, "%s has ended", whose);
    else if (left_s < 2 * 86400)
        check_note(c, CHECK_WARNING, "%s ends in %lld hours", whose, (long long)(left_s / 3600));
    else
        check_note(c, CHECK_WARNING, "%s ends in %lld days", whose, (long long)(left_s / 86400));
    check_advise(c, ours ? "renew it; a new one is taken up without a restart" : "whoever runs it must renew it");
}
