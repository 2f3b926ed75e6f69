// http_pool.c - workers with a bounded queue. Two kinds of work come: a request, whose connection
// is suspended until its answer is there, and a subscriber's turn.
//
// Invariant: a connection is suspended only with its work in the queue, and each piece of work in
// the queue is run, also while the pool closes. Entry points: http_pool_push, http_pool_close.

#include <stdlib.h>

#include "base/must.h"
#include "server/http_int.h"

typedef struct pool_job {
    http_request *request;
    http_subscriber *subscriber;
} pool_job;

struct http_pool {
    plat_mutex lock;
    plat_cond wake;
    plat_thread *threads;
    uint32_t nthreads;
    pool_job *jobs; // a ring that grows to the limit
    uint32_t njobs, first, cap, waiting_max;
    bool closed;
};

static void run_request(http_request *request) {
    if (atomic_load(&request->http->stopping))
        http_fail_with(request, MHD_HTTP_SERVICE_UNAVAILABLE, BASE_E_BUSY, BASE_SQLSTATE_SHUTDOWN,
                       "the server is stopping");
    else
        request->work(request);
    request->state = HTTP_ANSWERED;
    atomic_fetch_sub(&request->http->server->counters.http_requests_open, 1);
    MHD_resume_connection(request->connection);
}

static void *run_worker(void *arg) {
    http_pool *pool = arg;
    plat_mutex_lock(&pool->lock);
    for (;;) {
        while (pool->njobs == 0 && !pool->closed) plat_cond_wait(&pool->wake, &pool->lock);
        if (pool->njobs == 0) break;
        pool_job job = pool->jobs[pool->first];
        pool->first = (pool->first + 1) % pool->cap;
        pool->njobs--;
        plat_mutex_unlock(&pool->lock);
        if (job.request != NULL)
            run_request(job.request);
        else
            http_subscriber_work(job.subscriber);
        plat_mutex_lock(&pool->lock);
    }
    plat_mutex_unlock(&pool->lock);
    return NULL;
}

http_pool *http_pool_create(const char *name, uint32_t threads, uint32_t waiting_max) {
    http_pool *pool = calloc(1, sizeof *pool);
    must(pool != NULL);
    plat_mutex_init(&pool->lock);
    plat_cond_init(&pool->wake);
    pool->waiting_max = waiting_max;
    pool->cap = 64;
    pool->jobs = calloc(pool->cap, sizeof *pool->jobs);
    pool->threads = calloc(threads, sizeof *pool->threads);
    must(pool->jobs != NULL && pool->threads != NULL);
    pool->nthreads = threads;
    for (uint32_t i = 0; i < threads; i++)
        plat_thread_start(&pool->threads[i], name, run_worker, pool);
    return pool;
}

// lock held
static void enqueue(http_pool *pool, pool_job job) {
    if (pool->njobs == pool->cap) {
        pool_job *jobs = calloc(pool->cap * 2, sizeof *jobs);
        must(jobs != NULL);
        for (uint32_t i = 0; i < pool->njobs; i++)
            jobs[i] = pool->jobs[(pool->first + i) % pool->cap];
        free(pool->jobs);
        pool->jobs = jobs;
        pool->first = 0;
        pool->cap *= 2;
    }
    pool->jobs[(pool->first + pool->njobs++) % pool->cap] = job;
    plat_cond_signal(&pool->wake);
}

bool http_pool_push(http_pool *pool, http_request *request) {
    plat_mutex_lock(&pool->lock);
    bool room = !pool->closed && pool->njobs < pool->waiting_max;
    if (room) {
        request->state = HTTP_WORKING;
        atomic_fetch_add(&request->http->server->counters.http_requests_open, 1);
        MHD_suspend_connection(request->connection);
        enqueue(pool, (pool_job){request, NULL});
    }
    plat_mutex_unlock(&pool->lock);
    return room;
}

bool http_pool_push_subscriber(http_pool *pool, http_subscriber *subscriber) {
    plat_mutex_lock(&pool->lock);
    bool open = !pool->closed;
    if (open) enqueue(pool, (pool_job){NULL, subscriber}); // one a subscriber: bounded by those
    plat_mutex_unlock(&pool->lock);
    return open;
}

void http_pool_close(http_pool *pool) {
    if (pool == NULL) return;
    plat_mutex_lock(&pool->lock);
    pool->closed = true;
    plat_cond_broadcast(&pool->wake);
    plat_mutex_unlock(&pool->lock);
    for (uint32_t i = 0; i < pool->nthreads; i++) plat_thread_join(pool->threads[i]);
}

void http_pool_destroy(http_pool *pool) {
    if (pool == NULL) return;
    plat_cond_deinit(&pool->wake);
    plat_mutex_deinit(&pool->lock);
    free(pool->threads);
    free(pool->jobs);
    free(pool);
}
