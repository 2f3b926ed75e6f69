// viewkey.h - the key of one row of a view, as users write it (viewkey.c).
#ifndef WEIR_ENGINE_VIEWKEY_H
#define WEIR_ENGINE_VIEWKEY_H

#include "col/batch.h"
#include "plan/catalog.h"

typedef struct engine_view_key {
    uint32_t n;
    const uint32_t *columns; // that identify a row: the view's key, or all of them
    const col_batch *row;    // one row of the view's declared columns; only those are filled
    base_str bytes;          // the key in the view's table
} engine_view_key;

// From JSON: an object with a value for each column of the key by its name, an array of the values
// in the key's order, or, for a key of one column, the value itself. Values are read as text of the
// column's type is (zone: for times without one). Else 22023, which says what the key is.
BASE_MUST_USE base_rc engine_view_key_of_json(const plan_object *view, base_str json,
                                              const base_zone *zone, base_arena *arena,
                                              engine_view_key *out, base_error *err);

#endif
