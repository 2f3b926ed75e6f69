// log_filter.h - which records of a log a plan can have rows of: what stands right above its scans
// (log_filter.c). For readers that leave out what cannot matter; the plan's own conditions decide.
#ifndef WEIR_PLAN_LOG_FILTER_H
#define WEIR_PLAN_LOG_FILTER_H

#include "plan/node.h"

#define PLAN_LOG_FILTER_SCANS_MAX 32u // of one object; with more, all records may matter

typedef struct plan_log_filter {
    // Over the columns of the object; NULL: any record may matter. A record for which it is not
    // true makes no row; one of which it cannot be computed does not either.
    const plan_expr *predicate;
    // Event times of records that matter, microseconds since 2000: [from_us, to_us). A record
    // without an event time matters only if the range is INT64_MIN to INT64_MAX.
    int64_t from_us, to_us;
} plan_log_filter;

void plan_log_filter_of(base_arena *arena, const plan_node *plan, const plan_object *object,
                        plan_log_filter *out);

#endif
