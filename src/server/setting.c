// Makes settings, and has every loop go over to one.
#include "server/server_internal.h"

#include "base/mem.h"
#include "os/file.h"

struct setting_order {
    struct task task;
    struct setting_order *next; // of another loop, until posted
    struct server_loop *sl;
    struct setting *setting, *old;
};

// Nobody is left who may take them: each order holds a reference until it was carried out.
void setting_unref(struct setting *setting) {
    if (!setting || atomic_fetch_sub_explicit(&setting->refs, 1, memory_order_acq_rel) != 1) return;
    for (struct setting_order *next; setting->orders; setting->orders = next) {
        next = setting->orders->next;
        mem_free(setting->orders);
    }
    listener_set_free(&setting->listeners);
    runtime_unref(setting->runtime);
    conf_unref(setting->conf);
    mem_free(setting);
}

struct setting *setting_ref(struct setting *setting) {
    atomic_fetch_add_explicit(&setting->refs, 1, memory_order_relaxed);
    return setting;
}

static void carry_out(struct task *task) {
    struct setting_order *order = CONTAINER_OF(task, struct setting_order, task);
    struct server_loop *sl = order->sl;
    struct server *s = sl->server;
    struct http_server_options o = gateway_server_options(order->setting->conf, s->n_loops);
    struct err err;
    gateway_loop_set_runtime(sl->gl, order->setting->runtime);
    http_server_set_options(sl->http, &o);
    if (!listener_set_take(&order->setting->listeners, &order->old->listeners, loop_index(sl->loop), sl->http, &err) &&
        !atomic_load(&s->gateway->draining))
        log_error(s->log, LOG_MSG("a new address could not be listened on"), LOG_ERR(&err));
    setting_unref(order->setting);
    setting_unref(order->old);
    mem_free(order);
}

// All that is needed, or nothing: a change reaches every loop or none.
static bool orders_make(struct server *s, struct setting *setting, struct err *err) {
    for (unsigned i = 0; i < s->n_loops; i++) {
        struct setting_order *order = mem_zalloc(1, sizeof *order);
        if (!order) return err_no_memory(err);
        *order = (struct setting_order){.task = {.fn = carry_out}, .sl = &s->loops[i], .next = setting->orders};
        setting->orders = order;
    }
    return true;
}

static bool log_writable(const struct conf *conf, struct err *err) {
    struct file f = {0};
    if (!conf->log.file.n) return true;
    if (!file_open(conf->log.file, FILE_WRITE | FILE_CREATE | FILE_APPEND, 0640, &f, err))
        return err_wrap(err, "log.file %.*s", STR_ARG(conf->log.file));
    file_close(&f);
    return true;
}

bool setting_prepare(struct server *s, struct conf *conf, struct model_catalog *models, const struct setting *old,
                     struct setting **out, struct err *err) {
    struct setting *setting = mem_zalloc(1, sizeof *setting);
    if (!setting) return err_no_memory(err);
    atomic_init(&setting->refs, 1);
    setting->conf = conf_ref(conf);
    bool ok = log_writable(conf, err) && runtime_create(conf, models, s->board, s->trials, &setting->runtime, err) &&
              listener_set_prepare(conf, old ? &old->listeners : NULL, s->n_loops, &setting->listeners, err) &&
              (!old || orders_make(s, setting, err));
    if (!ok) {
        setting_unref(setting);
        return false;
    }
    *out = setting;
    return true;
}

void setting_switch(struct server *s, struct setting *next, struct setting *old) {
    (void)s;
    while (next->orders) {
        struct setting_order *order = next->orders;
        next->orders = order->next;
        order->setting = setting_ref(next);
        order->old = setting_ref(old);
        loop_post(order->sl->loop, &order->task);
    }
}
