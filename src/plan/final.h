// final.h - when a window is final: the one place that says so. A window is final once a clock has
// reached the instant that plan_final_at gives. The clock is the view's watermark or, if the books
// close by the wall clock, the flow's reading of it.
//
// Without a calendar that instant is the window's end plus the lateness. With one (close = '06:00
// Europe/Berlin') it is the first closing time, that hour of a local day, at or after that: what
// becomes final does so at closing times only. Where a change of the zone's offset skips the hour
// of a day, it closes as much later as the clock was moved; where the hour comes twice, at the
// second (PostgreSQL's reading of such local times).
//
// Instants are microseconds since 2000 UTC. Source: the calendar of base/calendar.h. Threads: pure.
#ifndef WEIR_PLAN_FINAL_H
#define WEIR_PLAN_FINAL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/calendar.h"
#include "base/str.h"

typedef struct plan_finality {
    int64_t lateness_us;
    bool by_calendar;      // what follows counts
    bool by_clock;         // the wall clock decides, not the watermark
    int64_t close_us;      // time of the local day, from midnight
    const base_zone *zone; // NULL: UTC
    const char *zone_name; // as given; with by_calendar
} plan_finality;

// When a window that ends at `end` is final; INT64_MAX: never.
int64_t plan_final_at(const plan_finality *f, int64_t end);
// The greatest end of windows that are final when the clock reads `us`: plan_final_at(end) <= us.
// INT64_MIN: there is none. Infinite clocks stay what they are.
int64_t plan_final_end(const plan_finality *f, int64_t us);
// The first closing time at or after `us`, and the last one at or before it. by_calendar only.
int64_t plan_close_from(const plan_finality *f, int64_t us);
int64_t plan_close_upto(const plan_finality *f, int64_t us);

// "06:00", "06:00 Europe/Berlin", "23:59:30.5 UTC": a time of day and perhaps a zone. False: it is
// not one; *zone_text is then empty or what no zone is called. The texts are borrowed.
bool plan_close_parse(const char *text, plan_finality *out, base_str *zone_text);
// The same, and the lateness, for a plan's text.
void plan_finality_print(const plan_finality *f, base_buf *buf);

#endif
