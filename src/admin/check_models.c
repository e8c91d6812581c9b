// Tries the catalogue of models: its file or address, all that is in it, and the bases that models name.
#include "admin/check_impl.h"
#include "admin/models.h"

static bool has_base(const struct conf *conf) {
    struct conf_level_at at = {0};
    bool any = false;
    for (size_t i = 0; i < conf->models.n; i++) any = any || conf->models.p[i].base.n;
    for (const struct conf_tenant *t; !any && (t = conf_level_next(conf, &at));)
        for (size_t i = 0; i < t->models.n; i++) any = any || t->models.p[i].base.n;
    return any;
}

static void run_models(struct check_list *l, struct check *c) {
    struct model_catalog *models;
    struct err err;
    if (!models_load(l->conf, false, &models, &err)) {
        check_note(c, CHECK_FAILED, "%s", err.message);
        check_advise(c, "penstock models refresh --dry-run says the same; nothing is taken that is wrong anywhere");
        return;
    }
    check_note(c, CHECK_OK, "%zu models, %zu of them from %.*s", model_catalog_count(models), model_catalog_own(models),
               STR_ARG(model_catalog_source(models)));
    const struct conf_model *m = models_without_base(l->conf, models);
    if (m) {
        check_note(c, CHECK_WARNING, "the base of model \"%.*s\", %.*s, is not in it", STR_ARG(m->name),
                   STR_ARG(m->base));
        check_advise(c, "penstock models --search NAME");
    }
    struct str near;
    if (models_lack_reference(l->conf, models, &near)) {
        check_note(c, CHECK_WARNING, "usage.reference_model: no price is known of \"%.*s\", so nothing is compared",
                   STR_ARG(l->conf->usage.reference_model));
        if (near.n) check_advise(c, "did you mean \"%.*s\"?", STR_ARG(near));
    }
    model_catalog_unref(models);
}

void check_add_models(struct check_list *l) {
    const struct conf_catalog *c = &l->conf->catalog;
    if (c->file.n)
        check_add(l, CHECK_MODELS, c->file, run_models, NULL, "catalog.file");
    else if (c->url.n)
        check_add(l, CHECK_MODELS, c->url, run_models, NULL, "catalog.url");
    else if (has_base(l->conf) || l->conf->usage.reference_model.n)
        check_add(l, CHECK_MODELS, STR("built in"), run_models, NULL, "models");
}
