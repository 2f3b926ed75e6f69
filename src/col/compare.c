// compare.c - equality and order of cells, and selection by a byte mask. See kernel.h for the
// order.
#include "base/must.h"
#include "col/col_int.h"
#include "col/jsonb_order.h"
#include "col/kernel.h"

#define THREE_WAY(a, b) (((a) > (b)) - ((a) < (b)))

bool col_cells_equal(const col_vec *a, uint32_t a_row, const col_vec *b, uint32_t b_row) {
    bool a_null = col_is_null(a, a_row), b_null = col_is_null(b, b_row);
    if (a_null || b_null) return a_null && b_null;
    must(col_storage_of(a) == col_storage_of(b));
    switch (col_storage_of(a)) {
    case COL_ST_NONE:
        return true;
    case COL_ST_U8:
        return col_u8(a)[a_row] == col_u8(b)[b_row];
    case COL_ST_I16:
        return col_i16(a)[a_row] == col_i16(b)[b_row];
    case COL_ST_I32:
        return col_i32(a)[a_row] == col_i32(b)[b_row];
    case COL_ST_U32:
        return col_u32(a)[a_row] == col_u32(b)[b_row];
    case COL_ST_I64:
        return col_i64(a)[a_row] == col_i64(b)[b_row];
    case COL_ST_F32:
        return col_f32_bits(col_f32(a)[a_row]) == col_f32_bits(col_f32(b)[b_row]);
    case COL_ST_F64:
        return col_f64_bits(col_f64(a)[a_row]) == col_f64_bits(col_f64(b)[b_row]);
    case COL_ST_DEC: {
        const base_decimal *x = &col_dec(a)[a_row], *y = &col_dec(b)[b_row];
        if (x->scale == y->scale) return x->lo == y->lo && x->hi == y->hi;
        return base_decimal_cmp(*x, *y) == 0;
    }
    case COL_ST_STR:
        return base_str_eq(col_str(a)[a_row], col_str(b)[b_row]);
    case COL_ST_ARRAY:
        return base_str_eq(col_array_key(col_str(a)[a_row]), col_array_key(col_str(b)[b_row]));
    case COL_ST_JSON:
        return col_jsonb_equal(col_str(a)[a_row], col_str(b)[b_row]);
    case COL_ST_INTERVAL:
        return col_interval_total(&col_interval(a)[a_row]) ==
               col_interval_total(&col_interval(b)[b_row]);
    case COL_ST_UUID:
        return memcmp(col_uuid(a, a_row), col_uuid(b, b_row), 16) == 0;
    case COL_ST_STRUCT:
        must(a->type.nfields == b->type.nfields);
        for (uint16_t i = 0; i < a->type.nfields; i++) {
            if (!col_cells_equal(&a->children[i], a_row, &b->children[i], b_row)) return false;
        }
        return true;
    }
    return false;
}

static int compare_structs(const col_vec *a, uint32_t a_row, const col_vec *b, uint32_t b_row) {
    must(a->type.nfields == b->type.nfields);
    for (uint16_t i = 0; i < a->type.nfields; i++) {
        int c = col_cells_compare(&a->children[i], a_row, &b->children[i], b_row);
        if (c != 0) return c;
    }
    return 0;
}

int col_cells_compare(const col_vec *a, uint32_t a_row, const col_vec *b, uint32_t b_row) {
    bool a_null = col_is_null(a, a_row), b_null = col_is_null(b, b_row);
    if (a_null || b_null) return (int)a_null - (int)b_null;
    must(col_storage_of(a) == col_storage_of(b));
    switch (col_storage_of(a)) {
    case COL_ST_NONE:
        return 0;
    case COL_ST_U8:
        return THREE_WAY(col_u8(a)[a_row], col_u8(b)[b_row]);
    case COL_ST_I16:
        return THREE_WAY(col_i16(a)[a_row], col_i16(b)[b_row]);
    case COL_ST_I32:
        return THREE_WAY(col_i32(a)[a_row], col_i32(b)[b_row]);
    case COL_ST_U32:
        return THREE_WAY(col_u32(a)[a_row], col_u32(b)[b_row]);
    case COL_ST_I64:
        return THREE_WAY(col_i64(a)[a_row], col_i64(b)[b_row]);
    case COL_ST_F32:
        return col_f64_compare(col_f32(a)[a_row], col_f32(b)[b_row]);
    case COL_ST_F64:
        return col_f64_compare(col_f64(a)[a_row], col_f64(b)[b_row]);
    case COL_ST_DEC: {
        int c = base_decimal_cmp(col_dec(a)[a_row], col_dec(b)[b_row]);
        return THREE_WAY(c, 0);
    }
    case COL_ST_STR: {
        int c = base_str_cmp(col_str(a)[a_row], col_str(b)[b_row]);
        return THREE_WAY(c, 0);
    }
    case COL_ST_ARRAY: {
        int c = base_str_cmp(col_array_key(col_str(a)[a_row]), col_array_key(col_str(b)[b_row]));
        return THREE_WAY(c, 0);
    }
    case COL_ST_JSON: {
        int c = col_jsonb_compare(col_str(a)[a_row], col_str(b)[b_row]);
        return THREE_WAY(c, 0);
    }
    case COL_ST_INTERVAL: {
        __int128 x = col_interval_total(&col_interval(a)[a_row]);
        __int128 y = col_interval_total(&col_interval(b)[b_row]);
        return THREE_WAY(x, y);
    }
    case COL_ST_UUID: {
        int c = memcmp(col_uuid(a, a_row), col_uuid(b, b_row), 16);
        return THREE_WAY(c, 0);
    }
    case COL_ST_STRUCT:
        return compare_structs(a, a_row, b, b_row);
    }
    return 0;
}

bool col_rows_equal(const col_batch *a, uint32_t a_row, const col_batch *b, uint32_t b_row,
                    uint32_t nkeys, const uint32_t *a_keys, const uint32_t *b_keys) {
    for (uint32_t k = 0; k < nkeys; k++) {
        if (!col_cells_equal(&a->cols[a_keys[k]], a_row, &b->cols[b_keys[k]], b_row)) return false;
    }
    return true;
}

uint32_t col_select(const uint8_t *keep, uint32_t n, uint32_t *sel) {
    // Without a branch: the store is always made, the place moves only for a kept row. The last
    // store of a row that is not kept lands at sel[count] with count <= i < n.
    uint32_t count = 0;
    for (uint32_t i = 0; i < n; i++) {
        sel[count] = i;
        count += keep[i] != 0;
    }
    return count;
}
