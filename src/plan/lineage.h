// lineage.h - a view's plan turned round: a plan whose rows are the records that make up one row of
// the view. Why-provenance by query rewriting: each scan of a log is followed up to the view's
// output, with its place in the log beside it; what an aggregate sums up, a head chooses or a
// window looks at comes back by a join with the rows that went in (Glavic and Alonso, "Perm:
// Processing Provenance and Data on the Same Data Model through Query Rewriting", ICDE 2009; Cui
// and Widom, "Lineage Tracing for General Data Warehouse Transformations", VLDB Journal 12, 2003).
//
// What comes is said for each operator in docs/sql.md: exactly the rows that count for filters,
// projections, windows, aggregates, joins, set operations, DISTINCT, temporal filters, heads, ASOF;
// all rows of the partition for MATCH_RECOGNIZE, and for OVER, less those after or before the row
// that no function looks at (lineage_over.c); all rows of the inputs for RECURSIVE. A side whose
// rows keep others away (the right of EXCEPT and of an anti join) is not followed: there is nothing
// in it that makes the row.
#ifndef WEIR_PLAN_LINEAGE_H
#define WEIR_PLAN_LINEAGE_H

#include "base/error.h"
#include "plan/node.h"

#define PLAN_LINEAGE_LEAVES_MAX 64u    // scans of logs, through all views
#define PLAN_LINEAGE_NODES_MAX  20000u // of the plan that comes of them

// Output columns of the plan.
enum {
    PLAN_LINEAGE_LEAF,        // int4: which of `leaves`
    PLAN_LINEAGE_PARTITION,   // int4
    PLAN_LINEAGE_OFFSET,      // int8
    PLAN_LINEAGE_INGESTED_AT, // timestamptz
    PLAN_LINEAGE_COLUMNS
};

typedef struct plan_lineage {
    const plan_node *plan; // a record may come more than once; NULL: no log is read
    uint32_t nleaves;
    const plan_object **leaves; // the stream or table of each scan
    bool whole;                 // some rows come because they are of a partition or an input
    bool reads_tables;          // rows may have been replaced: those of now are not those of then
    bool only_grows;            // a record that makes up the row does so from then on
} plan_lineage;

// The row of `view` whose columns[i] is not distinct from values[i], a constant. Views that the
// view reads, of any flow, are followed to their logs. Unsupported (0A000): a plan that reads
// system columns of a view; too large (54001): beyond the limits above.
BASE_MUST_USE base_rc plan_lineage_of(base_arena *arena, const plan_object *view, uint32_t n,
                                      const uint32_t *columns, const plan_expr *const *values,
                                      plan_lineage *out, base_error *err);

#endif
