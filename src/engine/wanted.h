// wanted.h - what a query asks of a system object whose rows it need not all make: the values that
// its columns must be equal to (wanted.c). The query's filter still stands; this only spares work.
#ifndef WEIR_ENGINE_WANTED_H
#define WEIR_ENGINE_WANTED_H

#include "plan/node.h"

#define ENGINE_WANTED_MAX 16u
typedef struct engine_wanted {
    uint32_t n;
    struct {
        const plan_object *object;
        uint32_t column;
        const col_vec *value; // one row
    } items[ENGINE_WANTED_MAX];
} engine_wanted;

// From a plan without parameters left: filters of the form column = a value that depends on no row,
// directly over the only scan of a system object. Values are computed with ctx, in its arena; one
// that cannot be computed is left to the query.
void engine_wanted_find(const plan_node *plan, const col_func_ctx *ctx, engine_wanted *out);
// The value that is wanted of a column; NULL: any. Row 0 of it may be null: then no row is wanted.
const col_vec *engine_wanted_get(const engine_wanted *wanted, const plan_object *object,
                                 const char *column);

#endif
