// Loads the catalogue of models that a configuration names: catalog.file or catalog.url, over what is built in.
//
// What was fetched is kept in the data directory (models.json), so that a start finds it when the address does not
// answer. Thread rule: blocks: a worker thread, or a command; not before fetch_global_begin. Errors: of the file, the
// network, and those of model_catalog_read; nothing is kept or changed then.
#ifndef ADMIN_MODELS_H
#define ADMIN_MODELS_H

#include "model/catalog.h"

// The file, or what the address gives now, which is kept when `keep` says so.
NODISCARD bool models_load(const struct conf *conf, bool keep, struct model_catalog **out_models, struct err *err);
// The file, or what was kept of the address; where nothing was, what is built in.
NODISCARD bool models_load_kept(const struct conf *conf, struct model_catalog **out_models, struct err *err);
// The file, or what the address gives; when that fails, *out_missed says why (else its code is ERR_COUNT) and it is
// what was kept.
NODISCARD bool models_at_start(const struct conf *conf, struct model_catalog **out_models, struct err *out_missed,
                               struct err *err);
// The first model whose `base` is not in the catalogue, or NULL.
const struct conf_model *models_without_base(const struct conf *conf, const struct model_catalog *models);
// Whether nothing has a price for `usage.reference_model`, so that nothing is compared. *out_near: the name that is
// most like it, of models of the configuration and the catalogue; or empty.
bool models_lack_reference(const struct conf *conf, const struct model_catalog *models, struct str *out_near);

#endif
