// jsonb_order.h - how jsonb cells compare, by value and in PostgreSQL's order (jsonb_order.c).
// Texts are canonical. Not for other folders.
#ifndef WEIR_COL_JSONB_ORDER_H
#define WEIR_COL_JSONB_ORDER_H

#include "col/batch.h"

uint64_t col_jsonb_hash(base_str text); // equal values hash alike
bool col_jsonb_equal(base_str a, base_str b);
int col_jsonb_compare(base_str a, base_str b);
// What tells a text apart from those of equal values: 0 of one without fractions.
uint64_t col_jsonb_spelling(base_str text);
// Bytes whose memcmp order is that of the values; appended.
void col_jsonb_key(base_str text, base_buf *out);
// Keys of a column, as BYTEA.
col_vec *col_jsonb_keys(base_arena *arena, const col_vec *vec);
// The value of a key, its numbers without zeros at the end of fractions; false: it is no key.
BASE_MUST_USE bool col_jsonb_from_key(base_str key, base_arena *arena, base_str *out);

#endif
