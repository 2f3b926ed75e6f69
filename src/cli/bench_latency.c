// bench_latency.c - from an event's moment to its being visible: a server and HTTP senders in one
// process. Each event has a scheduled moment (evenly spaced); a sender posts what has become due
// since its last request; after each commit the view is read, and every event that it counts
// becomes visible at the moment the read ended. So waiting in a sender that falls behind counts
// too (no coordinated omission), and so do batching, HTTP, the contract, the log's sync, the step,
// the commit and the read.
//
// Invariants: events of a sender are appended in their order (one request at a time), so the number
// of its events that the view counts says which they are. Entry point: bench_latency.

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/must.h"
#include "cli/bench.h"
#include "plat/thread.h"
#include "server/server.h"

#define SENDERS_MAX    64
#define REQUEST_EVENTS 2000 // at most in a request
#define WARM_SECONDS   1
#define DRAIN_SECONDS  10

typedef struct latency latency;

// Events of a sender are numbered from 0; event n is due at begin_us + n * interval. Sender s owns
// the key s of the probe view, whose count is the number of its events that are visible.
typedef struct sender {
    latency *all;
    uint32_t index;
    plat_thread thread;
    int socket;
    atomic_uint_fast64_t sent; // acknowledged
    uint64_t seen;             // watcher's: visible up to here
    atomic_bool done, failed;
    char error[256];
    base_buf request;
    bench_histogram answers; // from the begin of a request to its answer, an event each
} sender;

struct latency {
    const bench_options *options;
    bool history;       // another stream and view in the flow
    const char *replay; // what of it is replayed meanwhile; NULL: nothing
    bench_replayer replayer;
    bench_engine b;
    server *server;
    const plan_object *probe;
    sender senders[SENDERS_MAX];
    double interval_us;   // between events of one sender
    int64_t begin_us;     // monotonic
    uint64_t warm, total; // events of a sender
    plat_mutex lock;
    plat_cond committed;
    uint64_t commits;
    bench_histogram histogram;
    uint64_t counts[SENDERS_MAX];
};

static int64_t now_us(void) {
    return (int64_t)(plat_monotonic_ns(plat_os()) / 1000);
}

// ---- senders ------------------------------------------------------------------------------------

static bool dial(sender *s) {
    s->socket = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons(server_http_port(s->all->server)),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int one = 1;
    setsockopt(s->socket, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return connect(s->socket, (struct sockaddr *)&to, sizeof to) == 0;
}

static bool send_all(int fd, const char *p, size_t n) {
    while (n > 0) {
        ssize_t sent = send(fd, p, n, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR) continue;
        if (sent <= 0) return false;
        p += sent;
        n -= (size_t)sent;
    }
    return true;
}

// Reads one answer; it must be 200 and small.
static bool read_answer(sender *s) {
    char text[8192];
    size_t n = 0;
    for (;;) {
        ssize_t got = recv(s->socket, text + n, sizeof text - 1 - n, 0);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) {
            snprintf(s->error, sizeof s->error, "the server hung up");
            return false;
        }
        n += (size_t)got;
        text[n] = '\0';
        const char *end = strstr(text, "\r\n\r\n"), *length = strcasestr(text, "content-length:");
        if (end != NULL && length != NULL && length < end) {
            size_t body = strtoul(length + 15, NULL, 10);
            if (n >= (size_t)(end - text) + 4 + body) break;
        }
        if (n == sizeof text - 1) {
            snprintf(s->error, sizeof s->error, "an answer that is too long");
            return false;
        }
    }
    if (strncmp(text, "HTTP/1.1 200", 12) == 0) return true;
    const char *body = strstr(text, "\r\n\r\n");
    snprintf(s->error, sizeof s->error, "%.12s: %.200s", text, body + 4);
    return false;
}

static bool post(sender *s, uint64_t first, uint64_t n) {
    const latency *all = s->all;
    base_buf *buf = &s->request;
    uint32_t bytes = all->options->latency_bytes;
    base_buf_clear(buf);
    base_buf_printf(buf,
                    "POST /v1/streams/bench.events HTTP/1.1\r\nHost: bench\r\n"
                    "Content-Type: application/x-ndjson\r\nContent-Length: %llu\r\n\r\n",
                    (unsigned long long)(n * (bytes + 1)));
    int64_t wall = plat_wall_us(plat_os());
    for (uint64_t i = 0; i < n; i++) {
        base_buf_reserve(buf, bytes + 64);
        uint64_t number = (first + i) * all->options->senders + s->index;
        buf->n += bench_event(number, all->options->keys, wall, bytes, buf->p + buf->n);
        base_buf_add_byte(buf, '\n');
    }
    return send_all(s->socket, buf->p, buf->n) && read_answer(s);
}

static void *run_sender(void *arg) {
    sender *s = arg;
    const latency *all = s->all;
    uint64_t next = 0;
    while (next < all->total && !cli_interrupted) {
        int64_t now = now_us();
        uint64_t due = now < all->begin_us
                           ? 0
                           : (uint64_t)((double)(now - all->begin_us) / all->interval_us) + 1;
        if (due > all->total) due = all->total;
        if (due > next + REQUEST_EVENTS) due = next + REQUEST_EVENTS;
        if (due > next) {
            int64_t asked = now_us();
            bool posted = post(s, next, due - next);
            if (next >= all->warm)
                bench_histogram_add(&s->answers, (uint64_t)(now_us() - asked), due - next);
            if (!posted) {
                if (s->error[0] == '\0') snprintf(s->error, sizeof s->error, "%s", strerror(errno));
                atomic_store(&s->failed, true);
                break;
            }
            next = due;
            atomic_store(&s->sent, next);
        }
        int64_t wait = all->options->linger_us - (now_us() - now);
        if (wait > 0) plat_sleep_us(wait);
    }
    atomic_store(&s->done, true);
    return NULL;
}

// ---- the watcher --------------------------------------------------------------------------------

static void on_commit(void *arg) {
    latency *all = arg;
    plat_mutex_lock(&all->lock);
    all->commits++;
    plat_cond_signal(&all->committed);
    plat_mutex_unlock(&all->lock);
}

static base_rc read_counts(void *arg, const col_batch *rows, base_error *err) {
    (void)err;
    latency *all = arg;
    for (uint32_t i = 0; i < rows->nrows; i++) {
        int64_t index = col_i64(&rows->cols[0])[i], count = col_i64(&rows->cols[1])[i];
        if (index >= 0 && index < SENDERS_MAX) all->counts[index] = (uint64_t)count;
    }
    return BASE_OK;
}

// Reads the probe view; every event that it counts for the first time has become visible now.
static base_rc look(latency *all, base_arena *arena, base_error *err) {
    base_arena_reset(arena);
    memset(all->counts, 0, sizeof all->counts);
    base_rc rc = engine_view_scan(all->b.engine, all->probe, arena, NULL, read_counts, all, err);
    if (rc != BASE_OK) return rc;
    int64_t now = now_us();
    for (uint32_t i = 0; i < all->options->senders; i++) {
        sender *s = &all->senders[i];
        for (; s->seen < all->counts[i]; s->seen++) {
            if (s->seen < all->warm) continue;
            double due = (double)all->begin_us + (double)s->seen * all->interval_us;
            double wait = (double)now - due;
            bench_histogram_add(&all->histogram, wait < 0 ? 0 : (uint64_t)wait, 1);
        }
    }
    return BASE_OK;
}

static bool all_seen(const latency *all) {
    for (uint32_t i = 0; i < all->options->senders; i++) {
        const sender *s = &all->senders[i];
        if (!atomic_load(&s->done) || s->seen < atomic_load(&s->sent)) return false;
    }
    return true;
}

static base_rc watch(latency *all, base_error *err) {
    base_arena arena;
    base_arena_init(&arena, 1 << 16);
    uint64_t seen_commits = 0;
    base_rc rc = BASE_OK;
    double limit = cli_seconds() + WARM_SECONDS + all->options->seconds * 3 + DRAIN_SECONDS;
    while (rc == BASE_OK && !all_seen(all)) {
        plat_mutex_lock(&all->lock);
        if (all->commits == seen_commits) plat_cond_wait_for(&all->committed, &all->lock, 100000);
        bool committed = all->commits != seen_commits;
        seen_commits = all->commits;
        plat_mutex_unlock(&all->lock);
        if (committed) rc = look(all, &arena, err);
        if (cli_interrupted) rc = base_fail(err, BASE_E_CANCELLED, NULL, "stopped by a signal");
        if (cli_seconds() > limit)
            rc = base_fail(err, BASE_E_LIMIT, NULL,
                           "events are not all visible after %d seconds: the rate is too high",
                           (int)(WARM_SECONDS + all->options->seconds * 3 + DRAIN_SECONDS));
    }
    base_arena_deinit(&arena);
    return rc;
}

// ---- one measurement ----------------------------------------------------------------------------

static base_rc make_views(latency *all, const char *refresh, base_error *err) {
    base_buf sql = {0};
    base_rc rc = bench_sql(&all->b, "CREATE SCHEMA bench", err);
    bench_stream_ddl(&sql, "bench.events", false);
    if (rc == BASE_OK) rc = bench_sql(&all->b, base_buf_cstr(&sql), err);
    base_buf_clear(&sql);
    bench_view_ddl(&sql, "bench.revenue_1m", "bench.events", refresh);
    if (rc == BASE_OK) rc = bench_sql(&all->b, base_buf_cstr(&sql), err);
    base_buf_clear(&sql);
    // The events of sender i have numbers that are i modulo the number of senders.
    base_buf_printf(&sql,
                    "CREATE MATERIALIZED VIEW bench.probe WITH (refresh = '%s') AS "
                    "SELECT (order_id - 1000000) %% %u AS sender, count(*) AS seen "
                    "FROM bench.events GROUP BY (order_id - 1000000) %% %u",
                    refresh, all->options->senders, all->options->senders);
    if (rc == BASE_OK) rc = bench_sql(&all->b, base_buf_cstr(&sql), err);
    base_buf_deinit(&sql);
    if (rc == BASE_OK) all->probe = engine_find(all->b.engine, BASE_STR("bench.probe"));
    return rc;
}

static base_rc start(latency *all, const char *refresh, base_error *err) {
    base_rc rc = bench_open(&all->b, all->options, err);
    if (rc != BASE_OK) return rc;
    all->b.config.threads = true;
    rc = bench_reopen(&all->b, 0, false, 0, err);
    if (rc == BASE_OK) rc = make_views(all, refresh, err);
    if (rc == BASE_OK && all->history) rc = bench_history_make(&all->b, refresh, err);
    if (rc == BASE_OK && all->replay != NULL && strcmp(all->replay, BENCH_PROMOTE) == 0)
        rc = bench_version_make(&all->b, refresh, err);
    if (rc != BASE_OK) return rc;
    server_config config;
    server_config_init(&config);
    config.pg_port = config.http_port = 0;
    return server_start(all->b.engine, &config, &all->server, err);
}

static base_rc measure(latency *all, base_error *err) {
    const bench_options *o = all->options;
    all->interval_us = 1e6 * o->senders / o->rate;
    all->warm = (uint64_t)(WARM_SECONDS * 1e6 / all->interval_us);
    all->total = all->warm + (uint64_t)(o->seconds * 1e6 / all->interval_us);
    uint32_t id = engine_on_commit(all->b.engine, on_commit, all);
    all->begin_us = now_us() + 100000;
    uint32_t started = 0;
    base_rc rc = BASE_OK;
    for (; rc == BASE_OK && started < o->senders; started++) {
        sender *s = &all->senders[started];
        s->all = all;
        s->index = started;
        if (!dial(s)) {
            rc = base_fail_errno(err, errno, "cannot connect to the server");
            close(s->socket);
            break;
        }
        plat_thread_start(&s->thread, "sender", run_sender, s);
    }
    if (rc == BASE_OK && all->replay != NULL)
        bench_replayer_start(&all->replayer, all->b.engine, all->replay);
    if (rc == BASE_OK) rc = watch(all, err);
    if (rc != BASE_OK) cli_interrupted = true; // senders stop, and so does the bench
    for (uint32_t i = 0; i < started; i++) {
        sender *s = &all->senders[i];
        plat_thread_join(s->thread);
        close(s->socket);
        base_buf_deinit(&s->request);
        if (rc == BASE_OK && atomic_load(&s->failed))
            rc = base_fail(err, BASE_E_IO, NULL, "a sender failed: %s", s->error);
    }
    engine_off_commit(all->b.engine, id);
    return rc;
}

// Where the time went: the way into the log, and the flow's steps.
static base_rc print_parts(latency *all, base_error *err) {
    static bench_histogram answers;
    memset(&answers, 0, sizeof answers);
    for (uint32_t i = 0; i < all->options->senders; i++)
        bench_histogram_merge(&answers, &all->senders[i].answers);
    printf("    of it, request to answer (contract and log): p50 %.3f   p99 %.3f   p99.9 %.3f ms\n",
           (double)bench_histogram_at(&answers, 0.5) / 1e3,
           (double)bench_histogram_at(&answers, 0.99) / 1e3,
           (double)bench_histogram_at(&answers, 0.999) / 1e3);
    base_arena arena;
    base_arena_init(&arena, 1 << 14);
    engine_session session;
    engine_session_init(&session, all->b.engine);
    engine_result result;
    base_rc rc = engine_run_sql(&session,
                                BASE_STR("SELECT steps, step_p50::text, step_p99::text, "
                                         "commit_mean::text FROM weir.flows"),
                                &arena, &result, err);
    for (uint32_t i = 0; rc == BASE_OK && i < result.rows->nrows; i++) {
        const col_vec *cols = result.rows->cols;
        if (col_is_null(&cols[1], i)) continue;
        printf("    %lld steps, each %.*s at the median and %.*s at p99, commit %.*s on average\n",
               (long long)col_i64(&cols[0])[i], BASE_STR_ARG(col_str(&cols[1])[i]),
               BASE_STR_ARG(col_str(&cols[2])[i]), BASE_STR_ARG(col_str(&cols[3])[i]));
    }
    base_arena_deinit(&arena);
    return rc;
}

static base_rc one(const bench_options *o, const char *refresh, bool history, const char *replay,
                   base_error *err) {
    latency *all = calloc(1, sizeof *all);
    must(all != NULL);
    all->options = o;
    all->history = history;
    all->replay = replay;
    plat_mutex_init(&all->lock);
    plat_cond_init(&all->committed);
    base_rc rc = start(all, refresh, err);
    if (rc == BASE_OK) rc = measure(all, err);
    base_error replay_err;
    base_rc replayed =
        all->replayer.engine == NULL ? BASE_OK : bench_replayer_stop(&all->replayer, &replay_err);
    if (rc == BASE_OK && replayed != BASE_OK) *err = replay_err, rc = replayed;
    if (rc == BASE_OK) {
        const bench_histogram *h = &all->histogram;
        double seconds = (double)o->seconds;
        printf("  %-12s %9.0f events/s   p50 %9.3f   p99 %9.3f   p99.9 %9.3f   max %9.3f ms\n",
               refresh, (double)h->n / seconds, (double)bench_histogram_at(h, 0.5) / 1e3,
               (double)bench_histogram_at(h, 0.99) / 1e3,
               (double)bench_histogram_at(h, 0.999) / 1e3, (double)h->max / 1e3);
        rc = print_parts(all, err);
        fflush(stdout);
    }
    server_stop(all->server);
    bench_close(&all->b);
    plat_cond_deinit(&all->committed);
    plat_mutex_deinit(&all->lock);
    free(all);
    return rc;
}

int bench_latency(const bench_options *o) {
    printf("\nlatency: %s events/s of %u bytes over HTTP (%u senders, %u us linger) for %u s, to\n"
           "being visible in a one-minute tumbling view by %s keys and a second view\n",
           cli_number(o->rate), o->latency_bytes, o->senders, o->linger_us, o->seconds,
           cli_number(o->keys));
    fflush(stdout);
    base_error err = {0};
    base_rc rc = one(o, "immediate", false, NULL, &err);
    if (rc == BASE_OK) rc = one(o, "1 second", false, NULL, &err);
    return rc == BASE_OK ? CLI_OK : cli_error(&err);
}

int bench_replay(const bench_options *o) {
    printf("\nreplay: %s events/s of %u bytes over HTTP for %u s to being visible, in a flow that "
           "also\n"
           "has a view by the hour over 30 days of 86,400 events: undisturbed, while one day is\n"
           "replayed into a version again and again, while all of it is, with a limited rate, and\n"
           "while a version of which one row of a hundred differs is promoted and rolled back\n",
           cli_number(o->rate), o->latency_bytes, o->seconds);
    fflush(stdout);
    base_error err = {0};
    base_rc rc = one(o, "immediate", true, NULL, &err);
    if (rc == BASE_OK) rc = one(o, "immediate", true, BENCH_REPLAY_DAY, &err);
    if (rc == BASE_OK) rc = one(o, "immediate", true, BENCH_REPLAY_ALL, &err);
    if (rc == BASE_OK) rc = one(o, "immediate", true, BENCH_REPLAY_SLOWLY, &err);
    if (rc == BASE_OK) rc = one(o, "immediate", true, BENCH_PROMOTE, &err);
    return rc == BASE_OK ? CLI_OK : cli_error(&err);
}
