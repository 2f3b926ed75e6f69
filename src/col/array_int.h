// array_int.h - what the text forms of src/col share about arrays.
#ifndef WEIR_COL_ARRAY_INT_H
#define WEIR_COL_ARRAY_INT_H

#include "col/array.h"
#include "col/json_tree.h"

// A JSON array into a cell of an array kind.
BASE_MUST_USE base_rc col_array_of_json(const col_json *node, col_vec *vec, uint32_t row,
                                        base_arena *arena, base_error *err);

#endif
