// What a configuration snapshot means to the data path: the snapshot, the catalogue of models, and for each provider an
// origin to connect to and the fields every request to it carries.
//
// Ownership: reference-counted; loops and calls hold references. Thread rule: read-only once made.
#ifndef GATEWAY_RUNTIME_H
#define GATEWAY_RUNTIME_H

#include "gateway/trials.h"
#include "model/catalog.h"
#include "net/http_client.h"
#include "route/table.h"

#define RUNTIME_FIELDS_MAX 24

struct credential;
struct runtime_provider {
    const struct conf_provider *conf;
    struct http_origin origin;
    struct str authority;                         // for Host
    struct http_field fields[RUNTIME_FIELDS_MAX]; // credentials and configured headers
    size_t field_count;
    struct http_field *keys; // in the place of the first field, as conf->keys; NULL: there are no several
    bool demo;
    struct credential *credential; // what has to be fetched; NULL: nothing
};

// What a model is tried against; NULL: nothing.
struct runtime_trials {
    struct trial *canary, *shadow, *ab;
};

struct runtime {
    atomic_uint refs;
    struct conf *conf;
    struct model_catalog *models;
    struct route_table *routes;
    struct runtime_trials *tried;       // by conf_model.index; NULL: there are no trials
    struct runtime_provider *providers; // as conf->providers
    struct arena arena;
    struct tls_ctx *tls_default;
    struct price reference; // of the model that costs are compared with; not known: nothing is compared
};

// Takes its own references to conf and models; board and trials (which may be NULL) outlive it.
NODISCARD bool runtime_create(struct conf *conf, struct model_catalog *models, struct board *board,
                              struct trials *trials, struct runtime **out_runtime, struct err *err);
struct runtime *runtime_ref(struct runtime *rt);
void runtime_unref(struct runtime *rt);

#endif
