// window.h - windows of time as a plan has them: fixed lengths, or calendar days and months in a
// time zone, whose lengths differ. Instants are microseconds since 2000 UTC; for TIMESTAMP columns
// they are the local time as it stands. The same arithmetic serves the operator that gives rows
// their windows and the engine, which asks when a window ends.
//
// Windows start at multiples of their size since 1970-01-01 00:00:00 plus the offset, told in the
// zone's local time; days in sevens are weeks and start on a Monday if the unit is days. Fixed
// lengths of a window without a zone count from 1970-01-01 alone.
#ifndef WEIR_PLAN_WINDOW_H
#define WEIR_PLAN_WINDOW_H

#include "base/calendar.h"
#include "col/batch.h"

typedef enum plan_window_form {
    PLAN_WINDOW_TUMBLE,
    PLAN_WINDOW_HOP,
    PLAN_WINDOW_CUMULATE,
    PLAN_WINDOW_SESSION, // ends a gap after its last row; operators of its own find it
} plan_window_form;

typedef enum plan_unit { PLAN_UNIT_US, PLAN_UNIT_DAYS, PLAN_UNIT_MONTHS } plan_unit;

typedef struct plan_span {
    plan_unit unit;
    int64_t n; // of the unit; positive
} plan_span;

typedef struct plan_window {
    plan_window_form form;
    plan_span size; // of a window; CUMULATE: of the longest; SESSION: the gap
    plan_span step; // HOP: slide; CUMULATE: by how much windows grow; else the size
    int64_t offset_us;
    const base_zone *zone; // NULL: none, or UTC
    const char *zone_name; // with zone
    bool derived;          // of date_trunc and the like; a window where rows are grouped by it
    uint32_t npartition;   // SESSION: columns of the input
    const uint32_t *partition;
} plan_window;

#define PLAN_WINDOWS_MAX 4096u // that hold one instant

static inline bool plan_window_is_fixed(const plan_window *w) {
    return w->zone == NULL && w->size.unit == PLAN_UNIT_US && w->step.unit == PLAN_UNIT_US;
}
bool plan_window_equal(const plan_window *a, const plan_window *b); // NULL equals NULL

// The windows that hold an instant, latest start first (CUMULATE: earliest end first), and the
// range around it of instants with the very same windows. starts and ends have room for
// PLAN_WINDOWS_MAX. An infinite instant is a window of its own.
typedef struct plan_window_set {
    uint32_t n;
    int64_t *starts, *ends;
    int64_t from, until; // instants in [from, until) have these windows; empty if from == until
} plan_window_set;
void plan_window_find(const plan_window *w, int64_t at, plan_window_set *set);
// How many windows may hold one instant.
uint64_t plan_windows_max(const plan_window *w);
// When the last window that starts at `start` ends.
int64_t plan_window_end(const plan_window *w, int64_t start);
// A local time of the window's zone as an instant.
int64_t plan_window_utc(const plan_window *w, int64_t local);

// What a span is called: "1 minute", "2 months".
void plan_span_print(const plan_span *span, base_buf *buf);

#endif
