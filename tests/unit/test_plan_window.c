// The arithmetic of windows: whatever the form, the zone and the instant, the windows found hold
// it, none is missing, and the range that is said to have the same windows has them.

#include "base/must.h"
#include "base/random.h"
#include "plan/window.h"
#include "test.h"

#include <string.h>

#define ROOM PLAN_WINDOWS_MAX

static int64_t buffers[4][ROOM];

static plan_window_set find(const plan_window *w, int64_t at, int which) {
    plan_window_set set = {.starts = buffers[which * 2], .ends = buffers[which * 2 + 1]};
    plan_window_find(w, at, &set);
    return set;
}

static int64_t instant(const char *text) {
    int64_t us;
    base_error err;
    must(base_timestamptz_parse(base_str_of(text), 0, &us, &err) == BASE_OK);
    return us;
}

static bool same_windows(const plan_window_set *a, const plan_window_set *b) {
    return a->n == b->n && memcmp(a->starts, b->starts, sizeof(int64_t) * a->n) == 0 &&
           memcmp(a->ends, b->ends, sizeof(int64_t) * a->n) == 0;
}

static bool holds(const plan_window *w, int64_t at) {
    plan_window_set set = find(w, at, 0), other;
    bool good = set.n <= plan_windows_max(w) && at >= set.from && at < set.until;
    good &= set.n > 0 || w->form == PLAN_WINDOW_HOP;
    for (uint32_t i = 0; i < set.n; i++) {
        good &= set.starts[i] <= at && at < set.ends[i];
        for (uint32_t k = 0; k < i; k++)
            good &= set.starts[i] != set.starts[k] || set.ends[i] != set.ends[k];
        int64_t end = plan_window_end(w, set.starts[i]);
        // A day that a zone left out begins with the next.
        good &= w->form == PLAN_WINDOW_TUMBLE ? end == set.ends[i] : end >= set.ends[i];
    }
    other = find(w, set.from, 1);
    good &= same_windows(&set, &other);
    other = find(w, set.until - 1, 1);
    good &= same_windows(&set, &other);
    other = find(w, set.until, 1);
    good &= !same_windows(&set, &other) || set.n == 0;
    other = find(w, set.from - 1, 1);
    good &= !same_windows(&set, &other) || set.n == 0;
    // Windows side by side leave no gap.
    if (w->form == PLAN_WINDOW_TUMBLE) {
        other = find(w, set.ends[0], 1);
        good &= other.starts[0] == set.ends[0];
    }
    return good;
}

static plan_span random_span(base_random *random, bool zoned) {
    static const int64_t us[] = {BASE_US_PER_SECOND, 7 * BASE_US_PER_MINUTE, BASE_US_PER_HOUR,
                                 BASE_US_PER_DAY};
    switch (base_random_below(random, zoned ? 2 : 3)) {
    case 0:
        return (plan_span){PLAN_UNIT_DAYS, 1 + (int64_t)base_random_below(random, 8)};
    case 1:
        return (plan_span){PLAN_UNIT_MONTHS, 1 + (int64_t)base_random_below(random, 12)};
    default:
        return (plan_span){PLAN_UNIT_US, us[base_random_below(random, 4)]};
    }
}

static plan_window random_window(base_random *random) {
    static const char *const zones[] = {"Europe/Berlin", "America/New_York",  "Australia/Lord_Howe",
                                        "Asia/Kolkata",  "America/Sao_Paulo", "Pacific/Apia"};
    plan_window w = {.form = (plan_window_form)base_random_below(random, 3)};
    base_error err;
    bool zoned = base_random_below(random, 3) != 0;
    if (zoned)
        must(base_zone_find(base_str_of(zones[base_random_below(random, 6)]), &w.zone, &err) ==
             BASE_OK);
    w.size = w.step = random_span(random, zoned);
    int64_t times = 1 + (int64_t)base_random_below(random, 6);
    if (w.form == PLAN_WINDOW_HOP)
        w.size.n = w.size.n * times - (times > 2 && w.size.n > 3 ? 1 : 0);
    if (w.form == PLAN_WINDOW_CUMULATE) w.size.n *= times;
    if (w.form == PLAN_WINDOW_CUMULATE && w.size.unit == PLAN_UNIT_MONTHS && times > 3)
        w = (plan_window){.form = w.form,
                          .size = {PLAN_UNIT_MONTHS, 1},
                          .step = {PLAN_UNIT_DAYS, 3},
                          .zone = w.zone};
    if (w.form == PLAN_WINDOW_CUMULATE && w.size.unit == PLAN_UNIT_DAYS && times > 3) {
        w.size.n = 1;
        w.step = (plan_span){PLAN_UNIT_US, BASE_US_PER_HOUR};
    }
    if (base_random_below(random, 2))
        w.offset_us = (int64_t)base_random_below(random, 24) * BASE_US_PER_HOUR;
    return w;
}

TEST(windows_hold_their_instants) {
    base_random random;
    base_random_seed(&random, 11);
    // Around changes of clocks: Berlin, New York, Lord Howe (half an hour), Apia (a day left out),
    // Sao Paulo (at midnight), and before zones had rules.
    static const char *const around[] = {"2026-03-29 01:00:00Z", "2026-10-25 01:00:00Z",
                                         "2026-11-01 06:00:00Z", "2026-04-04 15:00:00Z",
                                         "2011-12-30 10:00:00Z", "2018-11-04 03:00:00Z",
                                         "1969-12-31 23:59:59Z", "1850-01-01 00:00:00Z"};
    for (int i = 0; i < 20000; i++) {
        plan_window w = random_window(&random);
        int64_t at = instant(around[base_random_below(&random, 8)]);
        uint64_t range =
            base_random_below(&random, 2) ? 2 * BASE_US_PER_HOUR : 90 * BASE_US_PER_DAY;
        at += (int64_t)base_random_below(&random, range) - (int64_t)(range / 2);
        if (base_random_below(&random, 2)) at -= at % (30 * BASE_US_PER_MINUTE);
        bool good = holds(&w, at);
        EXPECT(good);
        if (!good) {
            fprintf(stderr, "form %d unit %d n %lld step %d %lld offset %lld zone %d at %lld\n",
                    (int)w.form, (int)w.size.unit, (long long)w.size.n, (int)w.step.unit,
                    (long long)w.step.n, (long long)w.offset_us, w.zone != NULL, (long long)at);
            return;
        }
    }
}

TEST(ends_of_time) {
    plan_window w = {
        .form = PLAN_WINDOW_TUMBLE, .size = {PLAN_UNIT_MONTHS, 1}, .step = {PLAN_UNIT_MONTHS, 1}};
    static const int64_t ends[] = {INT64_MIN, INT64_MAX, BASE_TIMESTAMP_MIN,
                                   BASE_TIMESTAMP_END - 1};
    for (int form = 0; form < 3; form++)
        for (int i = 0; i < 4; i++) {
            w.form = (plan_window_form)form;
            plan_window_set set = find(&w, ends[i], 0);
            EXPECT(set.n >= 1 && set.starts[0] <= ends[i] && set.ends[0] >= ends[i]);
        }
}

TEST_MAIN(TEST_ENTRY(windows_hold_their_instants), TEST_ENTRY(ends_of_time))
