// simulator.c - weir-control-tower: plays the retailer of world.h against a running weir.
//
// First it catches up, from the first day (or where it stopped the last time) to now, then it goes
// with the clock. Records wait in a heap for the time at which they are delivered. The file beside
// the books holds where it is; with it lost or old, records are sent again, and weir knows them by
// their business keys. Entry point: main.
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/calendar.h"
#include "base/must.h"
#include "books.h"
#include "client.h"
#include "plat/plat.h"
#include "plat/thread.h"
#include "world.h"

#define BATCH_BYTES    (512u << 10)
#define CATCH_UP_US    (10 * BASE_US_PER_MINUTE) // of simulated time at once
#define TICK_US        200000
#define BACKFILL_LEAST (WORLD_MINUTES_A_DAY + BOOKS_CLOSE_MINUTES)
#define STATE_FILE_MAX 4096

static volatile sig_atomic_t stopping;

static void on_signal(int number) {
    (void)number;
    stopping = 1;
}

typedef struct options {
    const char *url, *erp_path;
    uint64_t seed;
    double rate, speed;
    int64_t duration_s, backfill_minutes, erp_every_s;
    bool quiet;
} options;

// ---- records that wait ------------------------------------------------------------------------

typedef struct waiting {
    int64_t deliver_us;
    uint64_t order; // as they were made
    world_stream stream;
    uint32_t n;
    char *json;
} waiting;

typedef struct simulator {
    options o;
    world world;
    client *client;
    waiting *heap;
    size_t nheap, heap_cap;
    uint64_t made;
    base_buf batches[WORLD_STREAMS];
    base_buf state_path, lock_path;
    plat_file *lock;
    int64_t resumed_minute; // -1: a first run
    int64_t resumed_us;     // up to here the last run has delivered; 0: not known
    int64_t delivered_us;   // what was due by then is not sent again
    uint32_t days_closed;
    books_counts books;
} simulator;

static bool before(const waiting *a, const waiting *b) {
    return a->deliver_us != b->deliver_us ? a->deliver_us < b->deliver_us : a->order < b->order;
}

static void heap_push(void *arg, world_stream stream, int64_t deliver_us, base_str json) {
    simulator *s = arg;
    if (deliver_us <= s->delivered_us) return;
    if (s->nheap == s->heap_cap) {
        s->heap_cap = s->heap_cap * 2 + 1024;
        s->heap = realloc(s->heap, s->heap_cap * sizeof *s->heap);
        must(s->heap != NULL);
    }
    waiting item = {deliver_us, s->made++, stream, (uint32_t)json.n, malloc(json.n)};
    must(item.json != NULL);
    memcpy(item.json, json.p, json.n);
    size_t at = s->nheap++;
    for (; at > 0 && before(&item, &s->heap[(at - 1) / 2]); at = (at - 1) / 2)
        s->heap[at] = s->heap[(at - 1) / 2];
    s->heap[at] = item;
}

static waiting heap_pop(simulator *s) {
    waiting top = s->heap[0], last = s->heap[--s->nheap];
    size_t at = 0;
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= s->nheap) break;
        if (child + 1 < s->nheap && before(&s->heap[child + 1], &s->heap[child])) child++;
        if (!before(&s->heap[child], &last)) break;
        s->heap[at] = s->heap[child];
        at = child;
    }
    s->heap[at] = last;
    return top;
}

// ---- sending ----------------------------------------------------------------------------------

static base_rc send_batch(simulator *s, world_stream stream, base_error *err) {
    base_buf *batch = &s->batches[stream];
    if (batch->n == 0) return BASE_OK;
    base_rc rc = client_post(s->client, world_stream_names[stream], base_buf_str(batch), err);
    base_buf_clear(batch);
    return rc;
}

static base_rc deliver(simulator *s, int64_t now_us, base_error *err) {
    base_rc rc = BASE_OK;
    while (rc == BASE_OK && s->nheap > 0 && s->heap[0].deliver_us <= now_us) {
        waiting item = heap_pop(s);
        base_buf *batch = &s->batches[item.stream];
        base_buf_add(batch, item.json, item.n);
        base_buf_add_byte(batch, '\n');
        free(item.json);
        if (batch->n >= BATCH_BYTES) rc = send_batch(s, item.stream, err);
    }
    for (int stream = 0; rc == BASE_OK && stream < WORLD_STREAMS; stream++)
        rc = send_batch(s, (world_stream)stream, err);
    return rc;
}

static base_rc write_state(simulator *s, int64_t now_us, base_error *err) {
    base_buf text = {0};
    base_buf_printf(
        &text, "seed=%llu\nrate=%.17g\nfirst_minute=%lld\nminute=%lld\ndelivered_us=%lld\n",
        (unsigned long long)s->world.seed, s->world.rate, (long long)s->world.first_minute,
        (long long)(now_us / BASE_US_PER_MINUTE), (long long)now_us);
    base_rc rc =
        plat_replace_file(plat_os(), base_buf_cstr(&s->state_path), base_buf_str(&text), err);
    base_buf_deinit(&text);
    return rc;
}

static base_rc write_books(simulator *s, int64_t now_us, base_error *err) {
    base_rc rc = books_write(&s->world, now_us, s->o.erp_path, &s->books, err);
    if (rc != BASE_OK) return rc;
    if (s->books.days > s->days_closed && !s->o.quiet)
        printf("books: %u days closed in %s; a reconciliation finds %u matched, %u missing, %u "
               "unexpected, %u differing\n",
               s->books.days, s->o.erp_path, s->books.matched, s->books.missing,
               s->books.unexpected, s->books.differing);
    s->days_closed = s->books.days;
    return BASE_OK;
}

static void tell(simulator *s, int64_t now_us) {
    const client_counts *c = client_counted(s->client);
    char text[BASE_TIME_TEXT_MAX];
    if (s->o.quiet) return;
    int n = base_rfc3339_format(now_us - now_us % BASE_US_PER_SECOND, text);
    printf("%.*s: %llu accepted, %llu quarantined, %llu sent twice, %llu late, %zu on their way\n",
           n, text, (unsigned long long)c->accepted, (unsigned long long)c->quarantined,
           (unsigned long long)s->world.counts.duplicates, (unsigned long long)s->world.counts.late,
           s->nheap);
}

// Plays what begins before a time, delivers what is due.
static base_rc advance(simulator *s, int64_t now_us, base_error *err) {
    while (s->world.next_minute * BASE_US_PER_MINUTE <= now_us) world_play(&s->world, heap_push, s);
    return deliver(s, now_us, err);
}

// ---- running ----------------------------------------------------------------------------------

static base_rc catch_up(simulator *s, int64_t *now_us, base_error *err) {
    int64_t told = 0;
    base_rc rc = BASE_OK;
    while (rc == BASE_OK && !stopping) {
        int64_t wall_us = plat_wall_us(plat_os());
        bool done = *now_us + CATCH_UP_US >= wall_us;
        *now_us = done ? wall_us : *now_us + CATCH_UP_US;
        rc = advance(s, *now_us, err);
        if (rc == BASE_OK) rc = write_books(s, *now_us, err);
        if (rc == BASE_OK) rc = write_state(s, *now_us, err);
        if (done) break;
        if (wall_us - told > 2 * BASE_US_PER_SECOND) tell(s, *now_us);
        if (wall_us - told > 2 * BASE_US_PER_SECOND) told = wall_us;
    }
    return rc;
}

static base_rc live(simulator *s, int64_t from_us, uint64_t begin_ns, base_error *err) {
    plat *p = plat_os();
    uint64_t live_ns = plat_monotonic_ns(p);
    int64_t told_s = 0, books_s = 0, stated_s = 0;
    base_rc rc = BASE_OK;
    tell(s, from_us);
    while (rc == BASE_OK && !stopping) {
        uint64_t ns = plat_monotonic_ns(p);
        int64_t second = (int64_t)((ns - live_ns) / 1000000000);
        int64_t now_us = from_us + (int64_t)((double)(ns - live_ns) / 1000 * s->o.speed);
        if (s->o.duration_s > 0 && (int64_t)((ns - begin_ns) / 1000000000) >= s->o.duration_s)
            break;
        rc = advance(s, now_us, err);
        if (rc == BASE_OK && second - books_s >= s->o.erp_every_s) {
            rc = write_books(s, now_us, err);
            books_s = second;
        }
        if (rc == BASE_OK && second - stated_s >= 2) {
            rc = write_state(s, now_us, err);
            stated_s = second;
        }
        if (second - told_s >= 30) {
            tell(s, now_us);
            told_s = second;
        }
        plat_sleep_us(TICK_US);
    }
    return rc;
}

static bool state_number(const base_buf *text, const char *name, double *out) {
    const char *at = strstr(text->p, name);
    if (at == NULL) return false;
    *out = strtod(at + strlen(name), NULL);
    return true;
}

// Where the last run was; what it played stays as it was, whatever the options say now.
static base_rc read_state(simulator *s, int64_t *first_minute, base_error *err) {
    base_buf text = {0};
    double seed, rate, first, minute, delivered;
    s->resumed_minute = -1;
    base_rc rc =
        plat_read_file(plat_os(), base_buf_cstr(&s->state_path), STATE_FILE_MAX, &text, err);
    if (rc == BASE_OK) {
        base_buf_cstr(&text);
        if (state_number(&text, "seed=", &seed) && state_number(&text, "rate=", &rate) &&
            state_number(&text, "first_minute=", &first) &&
            state_number(&text, "\nminute=", &minute)) {
            if ((uint64_t)seed != s->o.seed || rate != s->o.rate)
                fprintf(stderr, "control-tower: goes on with seed %.0f and rate %g, as %s has it\n",
                        seed, rate, base_buf_cstr(&s->state_path));
            s->o.seed = (uint64_t)seed;
            s->o.rate = rate;
            *first_minute = (int64_t)first;
            s->resumed_minute = (int64_t)minute;
            if (state_number(&text, "delivered_us=", &delivered))
                s->resumed_us = (int64_t)delivered;
        } else {
            rc = base_fail(err, BASE_E_INVALID, NULL, "\"%s\" cannot be read: remove it",
                           base_buf_cstr(&s->state_path));
        }
    } else if (rc == BASE_E_NOT_FOUND) {
        rc = BASE_OK;
    }
    base_buf_deinit(&text);
    return rc;
}

static base_rc run(simulator *s, base_error *err) {
    uint64_t begin_ns = plat_monotonic_ns(plat_os());
    int64_t minute = plat_wall_us(plat_os()) / BASE_US_PER_MINUTE;
    int64_t first = minute - s->o.backfill_minutes;
    first -= first % WORLD_MINUTES_A_DAY; // the books want whole days
    // Two of them at one file would undo each other's work.
    base_rc rc = plat_lock_file(plat_os(), base_buf_cstr(&s->lock_path), &s->lock, err);
    if (rc == BASE_OK) rc = read_state(s, &first, err);
    if (rc != BASE_OK) return rc;
    world_init(&s->world, s->o.seed, s->o.rate, first);
    // What was on its way the last time is sent, and again what may not have arrived; before that,
    // only the sums matter.
    if (s->resumed_minute >= 0)
        while (s->world.next_minute < s->resumed_minute - WORLD_REACH_MINUTES)
            world_play(&s->world, NULL, NULL);
    int64_t now_us = s->world.next_minute * BASE_US_PER_MINUTE;
    if (!s->o.quiet) {
        char text[BASE_TIME_TEXT_MAX];
        int n = base_rfc3339_format(now_us, text);
        printf("%s %.*s to now, seed %llu, about %g events a second\n",
               s->resumed_minute >= 0 ? "goes on: from" : "plays from", n, text,
               (unsigned long long)s->o.seed, s->o.rate);
    }
    world_tables(&s->world, now_us, heap_push, s);
    s->delivered_us = s->resumed_us;
    rc = catch_up(s, &now_us, err);
    if (rc == BASE_OK && !stopping) rc = live(s, now_us, begin_ns, err);
    return rc;
}

// ---- the command line ---------------------------------------------------------------------------

static void usage(FILE *to) {
    fprintf(to,
            "usage: weir-control-tower --erp-file FILE [options]\n\n"
            "Plays a retailer of sixteen stores against a running weir that serves\n"
            "control-tower.sql: first the past days, as fast as weir takes them, then with the\n"
            "clock. The same seed gives the same records; a second run goes on where the first\n"
            "one stopped (FILE.state says where).\n\n"
            "Options:\n"
            "  --url URL               of weir's HTTP (http://127.0.0.1:8480)\n"
            "  --erp-file FILE         the file of record to write, CSV\n"
            "  --erp-every SECONDS     how often it is written (10)\n"
            "  --rate N                events a second, a day's mean (4)\n"
            "  --seed N                (7)\n"
            "  --speed X               simulated seconds a second, once caught up (1)\n"
            "  --backfill-minutes N    of the past, made whole days (%d)\n"
            "  --duration SECONDS      stop after so long; 0: on SIGINT or SIGTERM (0)\n"
            "  --quiet                 say errors only\n",
            BACKFILL_LEAST);
}

static bool number(const char *text, double low, double high, double *out) {
    char *end;
    *out = strtod(text, &end);
    return end != text && *end == '\0' && *out >= low && *out <= high;
}

// 0: go; else the exit code + 1.
static int parse(int argc, char **argv, options *o) {
    static const struct option longs[] = {
        {"url", 1, NULL, 'u'},      {"erp-file", 1, NULL, 'e'},
        {"rate", 1, NULL, 'r'},     {"erp-every", 1, NULL, 'n'},
        {"seed", 1, NULL, 's'},     {"speed", 1, NULL, 'x'},
        {"duration", 1, NULL, 'd'}, {"backfill-minutes", 1, NULL, 'b'},
        {"quiet", 0, NULL, 'q'},    {"help", 0, NULL, 'h'},
        {NULL, 0, NULL, 0}};
    int which, index = 0;
    while ((which = getopt_long(argc, argv, "", longs, &index)) != -1) {
        double value = 0;
        bool good = true;
        switch (which) {
        case 'u':
            o->url = optarg;
            break;
        case 'e':
            o->erp_path = optarg;
            break;
        case 'q':
            o->quiet = true;
            break;
        case 'h':
            usage(stdout);
            return 1;
        case 'r':
            good = number(optarg, 0.01, 500, &o->rate);
            break;
        case 'x':
            good = number(optarg, 0.01, 10000, &o->speed);
            break;
        case 's':
            good = number(optarg, 0, 1e15, &value);
            o->seed = (uint64_t)value;
            break;
        case 'n':
            good = number(optarg, 1, 1e6, &value);
            o->erp_every_s = (int64_t)value;
            break;
        case 'd':
            good = number(optarg, 0, 1e9, &value);
            o->duration_s = (int64_t)value;
            break;
        case 'b':
            good = number(optarg, 0, 1e6, &value);
            o->backfill_minutes = (int64_t)value;
            break;
        default:
            usage(stderr);
            return 3;
        }
        if (!good) {
            fprintf(stderr, "control-tower: --%s %s: not a number that it takes\n",
                    longs[index].name, optarg);
            return 3;
        }
    }
    if (o->erp_path == NULL || optind < argc) {
        usage(stderr);
        return 3;
    }
    return 0;
}

int main(int argc, char **argv) {
    simulator s = {.o = {.url = "http://127.0.0.1:8480",
                         .seed = 7,
                         .rate = 4,
                         .speed = 1,
                         .backfill_minutes = BACKFILL_LEAST,
                         .erp_every_s = 10}};
    setvbuf(stdout, NULL, _IOLBF, 0); // mixed with stderr in one log
    int parsed = parse(argc, argv, &s.o);
    if (parsed != 0) return parsed - 1;
    struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    base_buf_printf(&s.state_path, "%s.state", s.o.erp_path);
    base_buf_printf(&s.lock_path, "%s.lock", s.o.erp_path);
    s.client = client_create(s.o.url, &stopping);
    base_error err = {0};
    base_rc rc = run(&s, &err);
    if (rc == BASE_E_CANCELLED && stopping) rc = BASE_OK; // the state file says what to send again
    if (rc != BASE_OK) fprintf(stderr, "control-tower: %s\n", err.message);
    const client_counts *c = client_counted(s.client);
    if (!s.o.quiet)
        printf("stopped: %llu accepted, %llu quarantined (%llu malformed were sent), %llu sent "
               "twice, %llu late, %llu cancellations, %llu tries again\n",
               (unsigned long long)c->accepted, (unsigned long long)c->quarantined,
               (unsigned long long)s.world.counts.malformed,
               (unsigned long long)s.world.counts.duplicates,
               (unsigned long long)s.world.counts.late,
               (unsigned long long)s.world.counts.cancellations, (unsigned long long)c->retries);
    client_destroy(s.client);
    while (s.nheap > 0) free(heap_pop(&s).json);
    free(s.heap);
    for (int i = 0; i < WORLD_STREAMS; i++) base_buf_deinit(&s.batches[i]);
    base_buf_deinit(&s.state_path);
    base_buf_deinit(&s.lock_path);
    plat_close(s.lock);
    world_deinit(&s.world);
    return rc == BASE_OK ? 0 : 1;
}
