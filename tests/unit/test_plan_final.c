// When windows are final: closing times against a walk over the minutes around changes of clocks in
// both directions, and what is known of them by name.

#include "base/must.h"
#include "base/random.h"
#include "plan/final.h"
#include "test.h"

#define MINUTE BASE_US_PER_MINUTE

static int64_t instant(const char *text) {
    int64_t us;
    base_error err;
    must(base_timestamptz_parse(base_str_of(text), 0, &us, &err) == BASE_OK);
    return us;
}

static plan_finality closing(const char *text, int64_t lateness_us) {
    plan_finality f = {.lateness_us = lateness_us};
    base_str zone;
    must(plan_close_parse(text, &f, &zone));
    return f;
}

static int64_t local(const plan_finality *f, int64_t us) {
    return us + base_zone_offset_at(f->zone, us) * BASE_US_PER_SECOND;
}

// The closing time of a local day by walking: the last minute whose local time it is; if the clock
// skips it, as long after the change as it would have been after the last minute before.
static int64_t walked_close(const plan_finality *f, int64_t day_start) {
    int64_t wanted = day_start + f->close_us, found = INT64_MIN;
    for (int64_t t = wanted - 26 * BASE_US_PER_HOUR; t < wanted + 26 * BASE_US_PER_HOUR;
         t += MINUTE) {
        if (local(f, t) == wanted) found = t;
        int64_t before = local(f, t - MINUTE) + MINUTE;
        if (found == INT64_MIN && before <= wanted && local(f, t) > wanted && before < local(f, t))
            return t + (wanted - before);
    }
    return found;
}

static int64_t walked_from(const plan_finality *f, int64_t us) {
    int64_t day = local(f, us), best = INT64_MAX;
    day -= ((day % BASE_US_PER_DAY) + BASE_US_PER_DAY) % BASE_US_PER_DAY;
    for (int i = -2; i <= 2; i++) {
        int64_t close = walked_close(f, day + i * BASE_US_PER_DAY);
        if (close >= us && close < best) best = close;
    }
    return best;
}

static const struct {
    const char *zone;
    const char *forward, *back; // the instants of the changes
} zones[] = {
    {"Europe/Berlin", "2026-03-29 01:00Z", "2026-10-25 01:00Z"},
    {"America/New_York", "2026-03-08 07:00Z", "2026-11-01 06:00Z"},
    {"Australia/Lord_Howe", "2026-10-03 15:30Z", "2026-04-04 15:00Z"}, // by half an hour
    {"Asia/Kolkata", "2026-03-29 01:00Z", "2026-10-25 01:00Z"},        // none
};

TEST(closing_times_over_changes_of_clocks) {
    static const char *const times[] = {"00:00", "01:45", "02:15", "02:30",
                                        "03:00", "06:00", "23:30"};
    base_random random;
    base_random_seed(&random, 5);
    for (size_t z = 0; z < sizeof zones / sizeof *zones; z++) {
        for (size_t t = 0; t < sizeof times / sizeof *times; t++) {
            char text[60];
            snprintf(text, sizeof text, "%s %s", times[t], zones[z].zone);
            plan_finality f = closing(text, 0);
            for (int i = 0; i < 40; i++) {
                int64_t at = instant(i % 2 ? zones[z].forward : zones[z].back);
                at += ((int64_t)base_random_below(&random, 6 * 1440) - 3 * 1440) * MINUTE;
                int64_t close = plan_close_from(&f, at);
                EXPECT_EQ_INT(close, walked_from(&f, at));
                // The same from the other side, and there is none in between.
                EXPECT_EQ_INT(plan_close_upto(&f, close), close);
                EXPECT_EQ_INT(plan_close_from(&f, close), close);
                EXPECT(plan_close_upto(&f, close - 1) < at || close == at);
            }
        }
    }
}

TEST(known_closing_times) {
    static const struct {
        const char *close, *end, *final;
        int64_t lateness_us;
    } known[] = {
        // The day of 23 hours, of 25 hours, and one like others; a week and a month end so too.
        {"06:00 Europe/Berlin", "2026-03-29 22:00Z", "2026-03-30 04:00Z", 0},
        {"06:00 Europe/Berlin", "2026-10-25 23:00Z", "2026-10-26 05:00Z", 0},
        {"06:00 Europe/Berlin", "2026-06-30 22:00Z", "2026-07-01 04:00Z", 0},
        // 02:30 is skipped: it closes at 03:30, an hour and a half after midnight.
        {"02:30 Europe/Berlin", "2026-03-28 23:00Z", "2026-03-29 01:30Z", 0},
        // 02:30 comes twice: the second counts.
        {"02:30 Europe/Berlin", "2026-10-24 22:00Z", "2026-10-25 01:30Z", 0},
        {"02:30 America/New_York", "2026-03-08 05:00Z", "2026-03-08 07:30Z", 0},
        {"01:30 America/New_York", "2026-11-01 04:00Z", "2026-11-01 06:30Z", 0},
        // Half an hour: 02:15 is skipped in October, 01:45 comes twice in April.
        {"02:15 Australia/Lord_Howe", "2026-10-03 13:30Z", "2026-10-03 15:45Z", 0},
        {"01:45 Australia/Lord_Howe", "2026-04-04 13:00Z", "2026-04-04 15:15Z", 0},
        {"06:00 Asia/Kolkata", "2026-03-28 18:30Z", "2026-03-29 00:30Z", 0},
        // The closing time itself counts; lateness is waited for first.
        {"06:00", "2026-01-02 06:00Z", "2026-01-02 06:00Z", 0},
        {"06:00 UTC", "2026-01-02 06:00Z", "2026-01-03 06:00Z", 1},
        {"06:00 UTC", "2026-01-02 00:00Z", "2026-01-03 06:00Z", 7 * BASE_US_PER_HOUR},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        plan_finality f = closing(known[i].close, known[i].lateness_us);
        EXPECT_EQ_INT(plan_final_at(&f, instant(known[i].end)), instant(known[i].final));
    }
}

// plan_final_end is the other side of plan_final_at.
TEST(what_is_final_by_a_clock) {
    base_random random;
    base_random_seed(&random, 6);
    for (int i = 0; i < 4000; i++) {
        char text[60];
        snprintf(text, sizeof text, "%02u:%02u %s", (unsigned)base_random_below(&random, 24),
                 (unsigned)base_random_below(&random, 60),
                 zones[base_random_below(&random, 4)].zone);
        plan_finality f = closing(text, (int64_t)base_random_below(&random, 30) * BASE_US_PER_HOUR);
        if (base_random_below(&random, 4) == 0) f.by_calendar = false;
        int64_t clock = instant("2026-01-01") +
                        (int64_t)base_random_below(&random, (uint64_t)(366 * BASE_US_PER_DAY));
        int64_t end = plan_final_end(&f, clock);
        EXPECT(plan_final_at(&f, end) <= clock);
        EXPECT(plan_final_at(&f, end + 1) > clock);
    }
}

TEST(ends_of_time) {
    plan_finality f = closing("06:00 Europe/Berlin", BASE_US_PER_HOUR);
    EXPECT(plan_final_at(&f, INT64_MAX) == INT64_MAX);
    EXPECT(plan_final_at(&f, INT64_MIN) == INT64_MIN);
    EXPECT(plan_final_end(&f, INT64_MIN) == INT64_MIN);
    EXPECT(plan_final_end(&f, INT64_MAX) == INT64_MAX);
    EXPECT(plan_final_at(&f, INT64_MAX - 1) == INT64_MAX);
    EXPECT(plan_final_end(&f, INT64_MIN + 1) == INT64_MIN);
    EXPECT(plan_final_at(&f, INT64_MIN + 1) > INT64_MIN);
}

TEST(texts) {
    plan_finality f;
    base_str zone;
    EXPECT(!plan_close_parse("", &f, &zone) && zone.n == 0);
    EXPECT(!plan_close_parse("noon", &f, &zone) && zone.n == 0);
    EXPECT(!plan_close_parse("24:00", &f, &zone) && zone.n == 0);
    EXPECT(!plan_close_parse("06:00 Europe/Nowhere", &f, &zone) && zone.n > 0);
    EXPECT(plan_close_parse("  23:59:59.5   Asia/Kolkata ", &f, &zone));
    EXPECT(f.close_us == BASE_US_PER_DAY - 500000 && f.zone != NULL);
    EXPECT(plan_close_parse("06:00", &f, &zone) && f.zone == NULL);
}

TEST_MAIN(TEST_ENTRY(closing_times_over_changes_of_clocks), TEST_ENTRY(known_closing_times),
          TEST_ENTRY(what_is_final_by_a_clock), TEST_ENTRY(ends_of_time), TEST_ENTRY(texts))
