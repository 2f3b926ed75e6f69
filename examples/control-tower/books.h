// books.h - the ERP's file of record: revenue and orders by closed store-day, as CSV. It is the
// truth of world.h but for a few rows a day that disagree, which are counted and said. Replaced
// atomically.
#ifndef CONTROL_TOWER_BOOKS_H
#define CONTROL_TOWER_BOOKS_H

#include "base/error.h"
#include "world.h"

// A day is in the books once no window of it can be provisional any more: three hours after its
// end, as sales.revenue_1d has it, and some minutes.
#define BOOKS_CLOSE_MINUTES 185

// What a reconciliation of the file finds when weir has every event.
typedef struct books_counts {
    uint32_t days, matched, missing, unexpected, differing;
} books_counts;

// Writes the days that are closed at a time. Errors: as plat_replace_file.
BASE_MUST_USE base_rc books_write(const world *w, int64_t now_us, const char *path,
                                  books_counts *counts, base_error *err);

#endif
