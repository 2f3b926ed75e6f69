// rate.c - the counts of rate.h. Rows of "engine.expect": 'R', object, partition -> rate_head; and
// 'R', object, partition, hour -> its count.
//
// In memory a partition has a ring of counts, by the hour: the hours that are kept differ in their
// place. Entry points: engine_rates_count, engine_rate_expect.
#include "engine/finality/rate.h"

#include <stdlib.h>
#include <string.h>

#include "base/be.h"
#include "base/must.h"

#define RING         1024u
#define HOUR_US      (3600 * BASE_US_PER_SECOND)
#define AHEAD_HOURS  24 // of its append, that an event is counted
#define KEY_BYTES    17 // of an hour's row; a head's key ends before the hour
#define HEAD_BYTES   9
#define SAMPLES_MIN  2u
#define WEEK_SAMPLES 4u
#define DAY_SAMPLES  7u

typedef struct rate_head {
    uint32_t version; // 1
    uint32_t zero;
    int64_t first, last;
} rate_head;
_Static_assert(sizeof(rate_head) == 24, "rate_head is a disk format");

typedef struct partition_rates {
    bool any, changed;
    bool moved; // its head has changed since it was saved, and hours may have fallen out
    int64_t first, last;
    uint64_t counts[RING]; // of hours that are not kept: 0
    uint8_t dirty[RING];
} partition_rates;

struct engine_rates {
    uint32_t object_id, npartitions;
    partition_rates *parts;
};

static int64_t hour_of(int64_t us) {
    int64_t hour = us / HOUR_US;
    return us % HOUR_US < 0 ? hour - 1 : hour;
}

static uint32_t place(int64_t hour) {
    return (uint32_t)((uint64_t)hour & (RING - 1));
}

static int64_t first_kept(const partition_rates *part) {
    return part->last - (int64_t)ENGINE_RATE_HOURS + 1;
}

// Ascending hours have ascending keys.
static base_str row_key(char out[KEY_BYTES], uint32_t object_id, uint32_t p, int64_t hour) {
    out[0] = 'R';
    base_be_put(out + 1, object_id, 4);
    base_be_put(out + 5, p, 4);
    base_be_put(out + HEAD_BYTES, (uint64_t)hour ^ (1ull << 63), 8);
    return (base_str){out, KEY_BYTES};
}

engine_rates *engine_rates_create(const engine_input *input) {
    if (input->object->kind != PLAN_OBJECT_STREAM || input->contract->event_time < 0) return NULL;
    engine_rates *rates = calloc(1, sizeof *rates);
    must(rates != NULL);
    *rates = (engine_rates){input->object->id, input->npartitions,
                            calloc(input->npartitions, sizeof *rates->parts)};
    must(rates->parts != NULL);
    return rates;
}

void engine_rates_destroy(engine_rates *rates) {
    if (rates == NULL) return;
    free(rates->parts);
    free(rates);
}

// ---- stored form ------------------------------------------------------------------------------

typedef void (*rate_visit)(void *arg, int64_t hour, uint64_t count);

// What is stored of a partition; *any false: nothing.
static base_rc read_partition(const engine_flow *flow, state_txn *txn, uint32_t object_id,
                              uint32_t p, rate_head *head, bool *any, rate_visit visit, void *arg,
                              base_error *err) {
    char bytes[KEY_BYTES];
    base_str prefix = {row_key(bytes, object_id, p, 0).p, HEAD_BYTES}, key, value;
    state_cursor *cursor;
    bool end;
    *any = false;
    base_rc rc = state_cursor_open(txn, flow->t_expect, &cursor, err);
    if (rc != BASE_OK) return rc;
    rc = state_cursor_seek(cursor, prefix, &key, &value, &end, err);
    while (rc == BASE_OK && !end && base_str_starts(key, prefix)) {
        uint64_t count;
        bool is_head = key.n == HEAD_BYTES;
        if (value.n != (is_head ? sizeof *head : sizeof count)) {
            rc = base_fail(err, BASE_E_CORRUPT, NULL, "the counts of a stream's hours are damaged");
            break;
        }
        if (is_head) {
            memcpy(head, value.p, sizeof *head);
            *any = true;
        } else if (*any) {
            memcpy(&count, value.p, sizeof count);
            int64_t hour = (int64_t)(base_be_get(key.p + HEAD_BYTES, 8) ^ (1ull << 63));
            if (hour <= head->last && head->last - hour < (int64_t)ENGINE_RATE_HOURS)
                visit(arg, hour, count);
        }
        rc = state_cursor_next(cursor, &key, &value, &end, err);
    }
    state_cursor_close(cursor);
    return rc;
}

static void take_hour(void *arg, int64_t hour, uint64_t count) {
    ((uint64_t *)arg)[place(hour)] = count;
}

base_rc engine_rates_load(engine_rates *rates, engine_flow *flow, state_txn *txn, base_error *err) {
    base_rc rc = BASE_OK;
    for (uint32_t p = 0; rates != NULL && rc == BASE_OK && p < rates->npartitions; p++) {
        partition_rates *part = &rates->parts[p];
        rate_head head = {0};
        memset(part, 0, sizeof *part);
        rc = read_partition(flow, txn, rates->object_id, p, &head, &part->any, take_hour,
                            part->counts, err);
        part->first = head.first;
        part->last = head.last;
    }
    return rc;
}

static base_rc save_partition(const engine_rates *rates, engine_flow *flow, uint32_t p,
                              base_error *err) {
    partition_rates *part = &rates->parts[p];
    char from[KEY_BYTES], key[KEY_BYTES];
    base_rc rc = BASE_OK;
    if (part->moved) {
        uint64_t deleted;
        rate_head head = {1, 0, part->first, part->last};
        base_str to = row_key(key, rates->object_id, p, first_kept(part));
        rc = state_delete_range(flow->txn, flow->t_expect,
                                row_key(from, rates->object_id, p, INT64_MIN), to, &deleted, err);
        if (rc == BASE_OK)
            rc = state_put(flow->txn, flow->t_expect, (base_str){from, HEAD_BYTES},
                           (base_str){(const char *)&head, sizeof head}, err);
        part->moved = false;
    }
    for (int64_t hour = first_kept(part); rc == BASE_OK && hour <= part->last; hour++) {
        if (part->dirty[place(hour)] == 0) continue;
        part->dirty[place(hour)] = 0;
        rc = state_put(flow->txn, flow->t_expect, row_key(key, rates->object_id, p, hour),
                       (base_str){(const char *)&part->counts[place(hour)], sizeof(uint64_t)}, err);
    }
    part->changed = false;
    return rc;
}

base_rc engine_rates_save(engine_rates *rates, engine_flow *flow, base_error *err) {
    base_rc rc = BASE_OK;
    for (uint32_t p = 0; rates != NULL && rc == BASE_OK && p < rates->npartitions; p++)
        if (rates->parts[p].changed) rc = save_partition(rates, flow, p, err);
    return rc;
}

// ---- counting ---------------------------------------------------------------------------------

// The greatest hour moves on: what falls out makes place.
static void move_on(partition_rates *part, int64_t hour) {
    int64_t kept = (int64_t)ENGINE_RATE_HOURS;
    bool anew = !part->any || hour - part->last >= kept;
    if (anew) {
        memset(part->counts, 0, sizeof part->counts);
        memset(part->dirty, 0, sizeof part->dirty);
        part->first = hour; // what was before says nothing of how many there are now
    }
    for (int64_t h = part->last + 1; !anew && h <= hour; h++) {
        part->counts[place(h - kept)] = 0;
        part->dirty[place(h - kept)] = 0;
    }
    part->any = part->moved = true;
    part->last = hour;
}

static void count_hour(partition_rates *part, int64_t hour, int64_t most_hour, uint64_t n) {
    if (hour > most_hour) return;
    if (!part->any || hour > part->last) move_on(part, hour);
    if (hour < first_kept(part)) return;
    if (hour < part->first) {
        part->first = hour;
        part->moved = true;
    }
    part->counts[place(hour)] += n;
    part->dirty[place(hour)] = 1;
    part->changed = true;
}

void engine_rates_count(engine_rates *rates, uint32_t p, const engine_decoded *d,
                        int64_t append_us) {
    if (rates == NULL || d->event_us == NULL) return;
    int64_t most_hour = hour_of(append_us) + AHEAD_HOURS;
    int64_t hour = 0, from_us = 0;
    uint64_t n = 0; // of the hour, which begins at from_us, one after the other
    for (uint32_t row = 0; row < d->nrows; row++) {
        int64_t us = d->event_us[row];
        if (us == INT64_MIN) continue;
        if (n > 0 && (uint64_t)us - (uint64_t)from_us < (uint64_t)HOUR_US) {
            n++;
            continue;
        }
        if (n > 0) count_hour(&rates->parts[p], hour, most_hour, n);
        hour = hour_of(us);
        from_us = (int64_t)((uint64_t)hour *
                            (uint64_t)HOUR_US); // wraps far off, where nothing is counted
        n = 1;
    }
    if (n > 0) count_hour(&rates->parts[p], hour, most_hour, n);
}

// ---- what is to be expected -------------------------------------------------------------------

base_rc engine_rates_read(const engine_flow *flow, state_txn *txn, uint32_t object_id,
                          uint32_t npartitions, engine_rate_table *out, base_error *err) {
    memset(out, 0, sizeof *out);
    uint64_t(*counts)[RING] = calloc(npartitions, sizeof *counts);
    rate_head *heads = calloc(npartitions, sizeof *heads);
    bool *any = calloc(npartitions, sizeof *any);
    must(counts != NULL && heads != NULL && any != NULL);
    base_rc rc = BASE_OK;
    for (uint32_t p = 0; rc == BASE_OK && p < npartitions; p++) {
        rc = read_partition(flow, txn, object_id, p, &heads[p], &any[p], take_hour, counts[p], err);
        if (rc != BASE_OK || !any[p]) continue;
        if (!out->any || heads[p].last > out->last) out->last = heads[p].last;
        out->any = true;
    }
    int64_t begin = out->last - (int64_t)ENGINE_RATE_HOURS + 1;
    out->first = out->last;
    for (uint32_t p = 0; rc == BASE_OK && p < npartitions; p++) {
        if (!any[p] || heads[p].last < begin) continue; // silent for all that time
        if (heads[p].first < out->first) out->first = heads[p].first;
        for (int64_t hour = begin; hour <= heads[p].last; hour++)
            out->counts[place(hour)] += counts[p][place(hour)];
    }
    free(counts);
    free(heads);
    free(any);
    return rc;
}

uint64_t engine_rate_of(const engine_rate_table *table, int64_t hour) {
    bool kept =
        table->any && hour <= table->last && table->last - hour < (int64_t)ENGINE_RATE_HOURS;
    return kept ? table->counts[place(hour)] : 0;
}

static int by_size(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

// The median of the hours `step` apart before this one; of an even number of them the mean of the
// two in the middle, rounded down.
static bool median(const engine_rate_table *table, int64_t hour, int64_t step, uint32_t most,
                   engine_rate_expected *out) {
    uint64_t counts[WEEK_SAMPLES + DAY_SAMPLES];
    uint32_t n = 0;
    for (uint32_t k = 1; k <= most; k++) {
        int64_t at = hour - step * k;
        // Of the first hour only a part may have been seen.
        bool kept = at > table->first && table->last - at < (int64_t)ENGINE_RATE_HOURS;
        if (kept) counts[n++] = engine_rate_of(table, at);
    }
    if (n < SAMPLES_MIN) return false;
    qsort(counts, n, sizeof *counts, by_size);
    uint64_t low = counts[(n - 1) / 2], high = counts[n / 2];
    *out = (engine_rate_expected){.known = true, .events = low + (high - low) / 2, .hours = n};
    return true;
}

engine_rate_expected engine_rate_expect(const engine_rate_table *table, int64_t hour) {
    engine_rate_expected out = {0};
    if (!table->any) return out;
    if (median(table, hour, 7 * 24, WEEK_SAMPLES, &out))
        out.method = "same hour of the weekday, last 4 weeks";
    else if (median(table, hour, 24, DAY_SAMPLES, &out))
        out.method = "same hour, last 7 days";
    return out;
}
