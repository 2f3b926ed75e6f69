// set_text.c - set-returning functions over text. Entry point: set_text_table.
#include "base/must.h"
#include "col/set_int.h"

// string_to_table(text, separator [, text of nulls])
SET_GIVE(string_to_table) {
    SET_UNUSED;
    if (col_is_null(args[0], row)) return BASE_OK;
    bool by_character = col_is_null(args[1], row), nulls = nargs > 2 && !col_is_null(args[2], row);
    base_str rest = col_str(args[0])[row], item;
    base_str separator = by_character ? (base_str){NULL, 0} : col_str(args[1])[row];
    if (rest.n == 0) rest.p = NULL;
    while (func_split_next(&rest, separator, by_character, &item)) {
        SET_TRY(col_set_add(set, err));
        if (nulls && base_str_eq(item, col_str(args[2])[row])) {
            col_vec_set_null(&set->cols[0], set->arena, set->n - 1);
        } else {
            col_str(&set->cols[0])[set->n - 1] = item;
        }
    }
    return BASE_OK;
}

#define T COL_TEXT

static const col_set_func rows[] = {
    SET_ONE("string_to_table", 2, T, 0, string_to_table, T, T),
    SET_ONE("string_to_table", 3, T, 0, string_to_table, T, T, T),
};
SET_TABLE(set_text_table, rows);
