// Loads the catalogue of models from its file or address.
#include "admin/models.h"

#include "base/mem.h"
#include "model/facts.h"
#include "net/fetch.h"
#include "os/file.h"

#define KEPT "models.json"

static bool read_text(struct str text, struct str source, struct model_catalog **out_models, struct err *err) {
    struct model_catalog *builtin;
    if (!model_catalog_builtin(&builtin, err)) return false;
    bool ok = model_catalog_read(text, source, builtin, out_models, err) || err_wrap(err, "%.*s", STR_ARG(source));
    model_catalog_unref(builtin);
    return ok;
}

static bool read_file(struct str path, struct str source, struct model_catalog **out_models, struct err *err) {
    BUF_AUTO struct buf text = BUF_INIT(CATALOG_TEXT_MAX);
    return file_read_all(path, CATALOG_TEXT_MAX, &text, err) && read_text(buf_str(&text), source, out_models, err);
}

static void kept_path(const struct conf *conf, struct buf *out) { path_join(out, conf->storage.data, STR(KEPT)); }

// A copy that cannot be written is missed at the next start alone, and only when the address does not answer.
static void keep_copy(const struct conf *conf, struct str text) {
    BUF_AUTO struct buf path = BUF_INIT(4096);
    struct err err;
    kept_path(conf, &path);
    if (!path.failed) (void)!file_replace(buf_str(&path), text, 0600, &err);
}

static bool load_url(const struct conf *conf, bool keep, struct model_catalog **out_models, struct err *err) {
    const struct conf_catalog *c = &conf->catalog;
    struct fetch_request request = {
        .url = c->url, .tls_ca = c->tls_ca, .timeout_ms = (unsigned)c->timeout, .max_body = CATALOG_TEXT_MAX};
    struct fetch_answer answer;
    if (!fetch(&request, &answer, err)) return err_wrap(err, "catalog.url");
    bool ok = answer.status == 200 || err_set(err, ERR_UPSTREAM_STATUS, "catalog.url %.*s answers with status %d",
                                              STR_ARG(c->url), answer.status);
    ok = ok && read_text(buf_str(&answer.body), c->url, out_models, err);
    if (ok && keep) keep_copy(conf, buf_str(&answer.body));
    fetch_answer_free(&answer);
    return ok;
}

bool models_load(const struct conf *conf, bool keep, struct model_catalog **out_models, struct err *err) {
    if (conf->catalog.file.n)
        return read_file(conf->catalog.file, conf->catalog.file, out_models, err) || err_wrap(err, "catalog.file");
    if (conf->catalog.url.n) return load_url(conf, keep, out_models, err);
    return model_catalog_builtin(out_models, err);
}

bool models_load_kept(const struct conf *conf, struct model_catalog **out_models, struct err *err) {
    BUF_AUTO struct buf path = BUF_INIT(4096);
    struct err ignored;
    if (!conf->catalog.url.n) return models_load(conf, false, out_models, err);
    kept_path(conf, &path);
    if (!path.failed && read_file(buf_str(&path), conf->catalog.url, out_models, &ignored)) return true;
    return model_catalog_builtin(out_models, err);
}

bool models_at_start(const struct conf *conf, struct model_catalog **out_models, struct err *out_missed,
                     struct err *err) {
    out_missed->code = ERR_COUNT;
    if (!conf->catalog.url.n) return models_load(conf, false, out_models, err);
    return models_load(conf, true, out_models, out_missed) || models_load_kept(conf, out_models, err);
}

static const struct conf_model *without_base(const struct conf_model *list, size_t n,
                                             const struct model_catalog *models) {
    for (size_t i = 0; i < n; i++)
        if (list[i].base.n && !model_catalog_get(models, list[i].base)) return &list[i];
    return NULL;
}

const struct conf_model *models_without_base(const struct conf *conf, const struct model_catalog *models) {
    struct conf_level_at at = {0};
    const struct conf_model *m = without_base(conf->models.p, conf->models.n, models);
    for (const struct conf_tenant *t; !m && (t = conf_level_next(conf, &at));)
        m = without_base(t->models.p, t->models.n, models);
    return m;
}

bool models_lack_reference(const struct conf *conf, const struct model_catalog *models, struct str *out_near) {
    struct str name = conf->usage.reference_model;
    *out_near = STR_NONE;
    if (!name.n || model_reference_price(models, conf).known) return false;
    *out_near = conf_near_model(conf, NULL, name);
    size_t n = model_catalog_count(models);
    struct str *names = out_near->n ? NULL : mem_zalloc(n ? n : 1, sizeof *names);
    for (size_t i = 0; names && i < n; i++) names[i] = model_catalog_at(models, i)->name;
    if (names) *out_near = opt_nearest(name, names, n);
    mem_free(names);
    return true;
}
