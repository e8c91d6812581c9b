// A client of HashiCorp Vault and OpenBao: secrets for ${vault:path#key}, kept and renewed.
//
// Reads KV version 2 and 1 and any other engine that answers GET with `data`; the engine's kind is asked for once per
// mount (sys/internal/ui/mounts). Logs in by token, AppRole or Kubernetes; renews the token at two thirds of its time
// and logs in anew when that fails; renews leases of dynamic secrets likewise. When Vault can't be reached, a value
// that was read before stays in use and vault_health tells. Sources: https://developer.hashicorp.com/vault/api-docs
// (secret/kv/kv-v2, auth/approle, auth/kubernetes, system/leases).
//
// Ownership: vault_create … vault_free; secrets in memory are wiped. Thread rule: any thread; all calls may block on
// the network. Units: unix nanoseconds. Errors: ERR_UPSTREAM_… with the path (never a value) and Vault's own message.
#ifndef STORE_VAULT_H
#define STORE_VAULT_H

#include "base/buf.h"
#include "base/err.h"
#include "conf/conf.h"

struct vault;
NODISCARD bool vault_create(struct vault **out_vault, struct err *err);
void vault_free(struct vault *vault);
// Appends the value of "path#key" (key may be left out when the secret has a single one). The settings may differ from
// call to call; others than those of the last call log in anew. A value that is kept is not fetched again unless
// vault_refresh found it changed.
NODISCARD bool vault_read(struct vault *vault, const struct conf_vault *settings, struct str name, struct buf *out,
                          struct err *err);
// Reads all that is kept again and renews what is due; *out_changed: some value differs from the one handed out. To be
// called every settings->poll_interval from a worker thread. False when Vault could not be asked.
NODISCARD bool vault_refresh(struct vault *vault, bool *out_changed, struct err *err);
// What vault_read has given is forgotten, save these names: those of the configuration in use, after a switch. Without
// this call all that was ever read is refreshed on.
void vault_retain(struct vault *vault, const struct str *names, size_t n);
// Nanoseconds from now at which vault_refresh should be called: the poll interval, or less when a token or a lease is
// to be renewed before; at least a second. UINT64_MAX = nothing is kept.
uint64_t vault_due_in(struct vault *vault);
// Logs in with these settings, apart from what any client keeps; a token is asked whether Vault knows it.
NODISCARD bool vault_login_check(const struct conf_vault *settings, struct err *err);
struct vault_health {
    bool used;          // any secret is kept
    bool ok;            // the last exchange went well
    int64_t last_ok_ns; // unix; 0 = never
    char last_error[256];
};
void vault_health_get(struct vault *vault, struct vault_health *out_health);

#endif
