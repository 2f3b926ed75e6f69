// window.c - the arithmetic of window.h. A cell is a stretch of time between two neighbouring
// multiples of a span; its bounds are counted in local time and told in UTC. Where a change of the
// zone's offset makes the local clock skip or repeat the bound of a cell, the cell found by the
// local clock may be a neighbour of the one that holds the instant: find_cell steps to the right
// one, so that cells never overlap and leave no gap. Entry points: plan_window_find,
// plan_window_end.
#include "plan/window.h"

#include "base/must.h"

#define MONDAY_DAYS 4 // 1970-01-05

static int64_t clamp(__int128 v) {
    return v < INT64_MIN ? INT64_MIN : v > INT64_MAX ? INT64_MAX : (int64_t)v;
}

static int64_t floor_div(__int128 a, int64_t b) {
    __int128 q = a / b;
    return clamp(a % b < 0 ? q - 1 : q);
}

static bool is_infinite(int64_t at) {
    return at == INT64_MIN || at == INT64_MAX;
}

static int64_t to_local(const plan_window *w, int64_t at) {
    if (w->zone == NULL || is_infinite(at)) return at;
    return clamp((__int128)at + base_zone_offset_at(w->zone, at) * BASE_US_PER_SECOND);
}

static int64_t to_utc(const plan_window *w, int64_t local) {
    if (w->zone == NULL || is_infinite(local)) return local;
    return clamp((__int128)local - base_zone_offset_local(w->zone, local) * BASE_US_PER_SECOND);
}

// First bound of cells, in local time; of months that of January 1970.
static __int128 origin(const plan_window *w, const plan_span *span) {
    bool weeks = span->unit == PLAN_UNIT_DAYS && span->n % 7 == 0;
    return (__int128)w->offset_us - BASE_UNIX_EPOCH_US +
           (weeks ? MONDAY_DAYS * BASE_US_PER_DAY : 0);
}

static int64_t span_us(const plan_span *span) {
    return span->unit == PLAN_UNIT_DAYS ? span->n * BASE_US_PER_DAY : span->n;
}

static int64_t cell_at(const plan_window *w, const plan_span *span, int64_t local) {
    if (span->unit != PLAN_UNIT_MONTHS)
        return floor_div((__int128)local - origin(w, span), span_us(span));
    base_civil civil = base_civil_from_us(clamp((__int128)local - w->offset_us));
    return floor_div(((__int128)civil.year - 1970) * 12 + civil.month - 1, span->n);
}

static int64_t cell_local(const plan_window *w, const plan_span *span, int64_t cell) {
    if (span->unit != PLAN_UNIT_MONTHS)
        return clamp(origin(w, span) + (__int128)cell * span_us(span));
    __int128 months = (__int128)cell * span->n;
    int64_t year = 1970 + floor_div(months, 12);
    if (year < -4800) return INT64_MIN;
    if (year > 294276) return INT64_MAX;
    int32_t month = (int32_t)(months - (__int128)(year - 1970) * 12) + 1;
    base_civil first = {.year = (int32_t)year, .month = month, .day = 1};
    return clamp((__int128)base_us_from_civil(&first) + w->offset_us);
}

static int64_t cell_start(const plan_window *w, const plan_span *span, int64_t cell) {
    return to_utc(w, cell_local(w, span, cell));
}

// The cell that holds an instant.
static int64_t find_cell(const plan_window *w, const plan_span *span, int64_t at) {
    int64_t cell = cell_at(w, span, to_local(w, at));
    while (cell > INT64_MIN && cell_start(w, span, cell) > at) cell--;
    while (cell < INT64_MAX && cell_start(w, span, cell + 1) <= at) cell++;
    return cell;
}

// local + n * span.
static int64_t add_span(int64_t local, const plan_span *span, int64_t n) {
    if (is_infinite(local)) return local;
    if (span->unit != PLAN_UNIT_MONTHS) return clamp((__int128)local + (__int128)n * span_us(span));
    __int128 months = (__int128)n * span->n;
    if (months > INT32_MAX) return INT64_MAX;
    base_interval interval = {.months = (int32_t)months};
    base_error err;
    int64_t out;
    return base_timestamp_add(local, &interval, &out, &err) == BASE_OK ? out : INT64_MAX;
}

static void find_tumble(const plan_window *w, int64_t at, plan_window_set *set) {
    int64_t cell = find_cell(w, &w->size, at);
    set->n = 1;
    set->starts[0] = set->from = cell_start(w, &w->size, cell);
    set->ends[0] = set->until = cell_start(w, &w->size, cell + 1);
}

static int64_t hop_end(const plan_window *w, int64_t cell) {
    return to_utc(w, add_span(cell_local(w, &w->step, cell), &w->size, 1));
}

static void find_hop(const plan_window *w, int64_t at, plan_window_set *set) {
    int64_t cell = find_cell(w, &w->step, at);
    set->n = 0;
    set->from = cell_start(w, &w->step, cell);
    set->until = cell_start(w, &w->step, cell + 1);
    for (; set->n < PLAN_WINDOWS_MAX; cell--) {
        int64_t end = hop_end(w, cell);
        if (end <= at) {
            if (end > set->from) set->from = end;
            break;
        }
        if (end < set->until) set->until = end;
        // A day that the zone left out begins and ends with its neighbour.
        if (set->n > 0 && end == set->ends[set->n - 1] &&
            cell_start(w, &w->step, cell) == set->starts[set->n - 1])
            continue;
        set->starts[set->n] = cell_start(w, &w->step, cell);
        set->ends[set->n++] = end;
    }
}

static void find_cumulate(const plan_window *w, int64_t at, plan_window_set *set) {
    int64_t cell = find_cell(w, &w->size, at), local = cell_local(w, &w->size, cell);
    int64_t start = cell_start(w, &w->size, cell), last = cell_start(w, &w->size, cell + 1);
    int64_t i = 1, before = start;
    if (w->step.unit == PLAN_UNIT_US && !is_infinite(start))
        i = 1 + floor_div((__int128)at - start, w->step.n);
    set->n = 0;
    for (;; i++) {
        int64_t end = w->step.unit == PLAN_UNIT_US ? add_span(start, &w->step, i)
                                                   : to_utc(w, add_span(local, &w->step, i));
        if (end > last || set->n == PLAN_WINDOWS_MAX - 1) end = last;
        if (set->n > 0 && end == set->ends[set->n - 1]) continue;
        if (end > at) {
            if (set->n == 0) set->until = end;
            set->starts[set->n] = start;
            set->ends[set->n++] = end;
        } else {
            before = end;
        }
        if (end == last) break;
    }
    if (i > 1 && before == start && w->step.unit == PLAN_UNIT_US)
        before = clamp((__int128)set->ends[0] - w->step.n); // the estimate skipped those before
    set->from = before;
}

void plan_window_find(const plan_window *w, int64_t at, plan_window_set *set) {
    if (is_infinite(at)) {
        set->n = 1;
        set->starts[0] = set->ends[0] = set->from = set->until = at;
        return;
    }
    switch (w->form) {
    case PLAN_WINDOW_TUMBLE:
        find_tumble(w, at, set);
        return;
    case PLAN_WINDOW_HOP:
        find_hop(w, at, set);
        return;
    case PLAN_WINDOW_CUMULATE:
        find_cumulate(w, at, set);
        return;
    case PLAN_WINDOW_SESSION:
        break;
    }
    must(w->form != PLAN_WINDOW_SESSION); // what a session is depends on its rows
}

// The longest that a span may be, in microseconds.
static __int128 most_us(const plan_span *span) {
    if (span->unit == PLAN_UNIT_MONTHS) return (__int128)span->n * 31 * BASE_US_PER_DAY;
    return (__int128)span->n * (span->unit == PLAN_UNIT_DAYS ? BASE_US_PER_DAY : 1);
}
static __int128 least_us(const plan_span *span) {
    if (span->unit == PLAN_UNIT_MONTHS) return (__int128)span->n * 28 * BASE_US_PER_DAY;
    return most_us(span);
}

uint64_t plan_windows_max(const plan_window *w) {
    if (w->form != PLAN_WINDOW_HOP && w->form != PLAN_WINDOW_CUMULATE) return 1;
    __int128 n = (most_us(&w->size) + least_us(&w->step) - 1) / least_us(&w->step);
    return n > UINT32_MAX ? UINT32_MAX : (uint64_t)n;
}

int64_t plan_window_end(const plan_window *w, int64_t start) {
    if (is_infinite(start)) return start;
    if (plan_window_is_fixed(w) && w->form != PLAN_WINDOW_SESSION)
        return clamp((__int128)start + w->size.n);
    switch (w->form) {
    case PLAN_WINDOW_TUMBLE:
    case PLAN_WINDOW_CUMULATE:
        return cell_start(w, &w->size, find_cell(w, &w->size, start) + 1);
    case PLAN_WINDOW_HOP:
        return hop_end(w, find_cell(w, &w->step, start));
    case PLAN_WINDOW_SESSION:
        break;
    }
    return INT64_MAX; // its start does not say
}

int64_t plan_window_utc(const plan_window *w, int64_t local) {
    return to_utc(w, local);
}

static bool span_equal(const plan_span *a, const plan_span *b) {
    return a->unit == b->unit && a->n == b->n;
}

bool plan_window_equal(const plan_window *a, const plan_window *b) {
    if (a == NULL || b == NULL) return a == b;
    return a->form == b->form && span_equal(&a->size, &b->size) && span_equal(&a->step, &b->step) &&
           a->offset_us == b->offset_us && a->zone == b->zone;
}

void plan_span_print(const plan_span *span, base_buf *buf) {
    base_interval interval = {0};
    if (span->unit == PLAN_UNIT_US) interval.us = span->n;
    if (span->unit == PLAN_UNIT_DAYS) interval.days = (int32_t)span->n;
    if (span->unit == PLAN_UNIT_MONTHS) interval.months = (int32_t)span->n;
    char text[BASE_INTERVAL_TEXT_MAX];
    base_interval_format(&interval, text);
    base_buf_add_cstr(buf, text);
}
