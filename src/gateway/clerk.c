// A thread that works off a queue of jobs.
#include "gateway/clerk.h"

#include "base/mem.h"
#include "os/thread.h"

#define WAITING_MAX 1000

struct clerk {
    const struct datadir *dir;
    struct thread thread;
    struct mutex lock; // of all below
    struct cond news;
    struct clerk_job *first, **last;
    size_t waiting;
    bool stop;
};

static struct clerk_job *take(struct clerk *clerk) {
    mutex_lock(&clerk->lock);
    while (!clerk->first && !clerk->stop) cond_wait(&clerk->news, &clerk->lock);
    struct clerk_job *job = clerk->first;
    if (job) {
        clerk->first = job->next;
        if (!clerk->first) clerk->last = &clerk->first;
        clerk->waiting--;
    }
    mutex_unlock(&clerk->lock);
    return job;
}

static void back(struct task *task) {
    struct clerk_job *job = CONTAINER_OF(task, struct clerk_job, task);
    job->away = false;
    job->gl->jobs--;
    job->done(job);
}

static void run(void *arg) {
    struct clerk *clerk = arg;
    struct sql *db = NULL;
    for (struct clerk_job *job; (job = take(clerk));) {
        job->ok =
            (db || datadir_open_db(clerk->dir, SQL_BUSY_MS_DEFAULT, &db, &job->err)) && job->run(job, db, &job->err);
        loop_post(job->gl->loop, &job->task);
    }
    sql_close(db);
}

bool clerk_start(const struct datadir *dir, struct clerk **out_clerk, struct err *err) {
    struct clerk *clerk = mem_zalloc(1, sizeof *clerk);
    if (!clerk) return err_no_memory(err);
    clerk->dir = dir;
    clerk->last = &clerk->first;
    mutex_init(&clerk->lock);
    cond_init(&clerk->news);
    if (thread_start(&clerk->thread, "clerk", 0, run, clerk, err)) {
        *out_clerk = clerk;
        return true;
    }
    clerk_end(clerk);
    return false;
}

void clerk_end(struct clerk *clerk) {
    if (!clerk) return;
    mutex_lock(&clerk->lock);
    clerk->stop = true;
    cond_signal(&clerk->news);
    mutex_unlock(&clerk->lock);
    thread_join(&clerk->thread);
    cond_free(&clerk->news);
    mutex_free(&clerk->lock);
    mem_free(clerk);
}

bool clerk_ask(struct call *call, struct clerk_job *job, struct err *err) {
    struct clerk *clerk = call->gl->gateway->o.clerk;
    if (!clerk) return err_set(err, ERR_UNSUPPORTED, "this server keeps no files");
    mutex_lock(&clerk->lock);
    bool full = clerk->waiting >= WAITING_MAX;
    if (!full) {
        job->call = call;
        job->gl = call->gl;
        job->task = (struct task){.fn = back};
        job->next = NULL;
        job->away = true;
        call->job = job;
        call->gl->jobs++;
        *clerk->last = job;
        clerk->last = &job->next;
        clerk->waiting++;
        cond_signal(&clerk->news);
    }
    mutex_unlock(&clerk->lock);
    if (!full) return true;
    err_set(err, ERR_OVERLOADED, "more requests for files and batches wait than the server takes: try again later");
    err->retry_s = 2;
    return false;
}

void clerk_leave(struct call *call) {
    struct clerk_job *job = call->job;
    call->job = NULL;
    if (!job) return;
    job->call = NULL;
    if (!job->away) job->free(job);
}

void clerk_finish(struct clerk_job *job) {
    if (job->call) job->call->job = NULL;
    job->free(job);
}
