// books.c - see books.h. Each closed day has, by the seed and the day: one store that is not in the
// file, one row of a store that weir has never heard of, one store that is a cent off, and one for
// which a credit note was booked by hand. Entry point: books_write.
#include "books.h"

#include <stdlib.h>

#include "base/calendar.h"
#include "plat/plat.h"

static void add_row(base_buf *csv, int32_t day, int store_id, int64_t orders, int64_t cents) {
    char text[BASE_TIME_TEXT_MAX];
    int n = base_date_format(day, text);
    base_buf_printf(csv, "%.*s,%d,%lld,%s%lld.%02lld,EUR\n", n, text, store_id, (long long)orders,
                    cents < 0 ? "-" : "", (long long)llabs(cents) / 100,
                    (long long)llabs(cents) % 100);
}

static void add_day(const world *w, uint32_t index, base_buf *csv, books_counts *counts) {
    const world_day *day = &w->days[index];
    int32_t date = (int32_t)(w->first_minute / WORLD_MINUTES_A_DAY) + (int32_t)index;
    base_random random;
    base_random_seed(&random, world_hash(w->seed, (uint64_t)date, 0x626f6f6b));
    // Three different stores: steps of 5 and 10 around a ring of 16.
    int absent = (int)base_random_below(&random, WORLD_STORES);
    int cent = (absent + 5) % WORLD_STORES, credit = (absent + 10) % WORLD_STORES;
    int64_t credit_cents = 2500 + (int64_t)base_random_below(&random, 15000);
    for (int s = 0; s < WORLD_STORES; s++) {
        if (day->orders[s] == 0 && day->revenue_cents[s] == 0) continue; // weir has no row either
        if (s == absent) {
            counts->unexpected++;
            continue;
        }
        int64_t cents = day->revenue_cents[s];
        if (s == cent) cents += 1;
        if (s == credit) cents -= credit_cents;
        if (s == cent || s == credit)
            counts->differing++;
        else
            counts->matched++;
        add_row(csv, date, world_store_id(s), day->orders[s], cents);
    }
    add_row(csv, date, 99, 3, 14700); // the mail-order desk, which nobody has told about weir
    counts->missing++;
    counts->days++;
}

base_rc books_write(const world *w, int64_t now_us, const char *path, books_counts *counts,
                    base_error *err) {
    base_buf csv = {0};
    *counts = (books_counts){0};
    base_buf_add_cstr(&csv, "day,store_id,orders,revenue,currency\n");
    for (uint32_t i = 0; i < w->ndays; i++) {
        int64_t end_minute = w->first_minute + (int64_t)(i + 1) * WORLD_MINUTES_A_DAY;
        if ((end_minute + BOOKS_CLOSE_MINUTES) * BASE_US_PER_MINUTE <= now_us)
            add_day(w, i, &csv, counts);
    }
    base_rc rc = plat_replace_file(plat_os(), path, base_buf_str(&csv), err);
    base_buf_deinit(&csv);
    return rc;
}
