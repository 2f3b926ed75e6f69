// func_array_make.c - functions that put arrays together, and casts of them. Entry point:
// func_array_make_table.
#include "base/must.h"
#include "col/array.h"
#include "col/cast_int.h"
#include "col/kernel.h"

base_rc func_put_array(col_func_ctx *ctx, size_t *budget, col_array_writer *writer, col_vec *out,
                       uint32_t row) {
    base_error e;
    if (writer->n > COL_BATCH_ROWS_MAX) {
        return func_row_fail(ctx, out, row, BASE_E_LIMIT, BASE_SQLSTATE_LIMIT,
                             "array size exceeds the maximum allowed (%u)", COL_BATCH_ROWS_MAX);
    }
    if (func_take_bytes(budget, col_array_writer_bytes(writer), &e) != BASE_OK) {
        return func_row_error(ctx, out, row, &e);
    }
    col_str(out)[row] = col_array_writer_end(writer, ctx->arena);
    return BASE_OK;
}

// ARRAY[a, ...]
FUNC_KERNEL(array_of_values) {
    size_t budget = FUNC_BATCH_BYTES_MAX;
    col_array_writer writer = {0};
    base_rc rc = BASE_OK;
    for (uint32_t i = 0; i < n && rc == BASE_OK; i++) {
        col_array_writer_begin(&writer, col_kind_element(out->type.kind));
        for (uint32_t a = 0; a < nargs; a++) col_array_writer_add(&writer, args[a], i);
        rc = func_put_array(ctx, &budget, &writer, out, i);
    }
    col_array_writer_deinit(&writer);
    return rc;
}

static void add_array(col_array_writer *writer, const col_vec *arrays, uint32_t row,
                      base_arena *arena) {
    if (col_is_null(arrays, row)) return;
    col_array_reader reader;
    col_array_reader_init(&reader, arrays, row, arena);
    col_array_writer_rest(writer, &reader);
}

// What one row's array is made of, for the kernels that go through arrays in one way.
typedef void (*array_row)(const col_vec *const *args, uint32_t row, col_array_writer *writer,
                          base_arena *arena);

// null_args: how many of the first arguments make the result null if all of them are.
static base_rc make_rows(col_func_ctx *ctx, uint32_t n, const col_vec *const *args, col_vec *out,
                         uint32_t null_args, array_row make) {
    size_t budget = FUNC_BATCH_BYTES_MAX;
    col_array_writer writer = {0};
    base_rc rc = BASE_OK;
    for (uint32_t i = 0; i < n && rc == BASE_OK; i++) {
        bool null = null_args > 0;
        for (uint32_t a = 0; a < null_args; a++) null &= col_is_null(args[a], i);
        if (null) {
            col_vec_set_null(out, ctx->arena, i);
            continue;
        }
        col_array_writer_begin(&writer, col_kind_element(out->type.kind));
        make(args, i, &writer, ctx->arena);
        rc = func_put_array(ctx, &budget, &writer, out, i);
    }
    col_array_writer_deinit(&writer);
    return rc;
}

static void append_row(const col_vec *const *args, uint32_t row, col_array_writer *writer,
                       base_arena *arena) {
    add_array(writer, args[0], row, arena);
    col_array_writer_add(writer, args[1], row);
}
static void prepend_row(const col_vec *const *args, uint32_t row, col_array_writer *writer,
                        base_arena *arena) {
    col_array_writer_add(writer, args[0], row);
    add_array(writer, args[1], row, arena);
}
static void cat_row(const col_vec *const *args, uint32_t row, col_array_writer *writer,
                    base_arena *arena) {
    add_array(writer, args[0], row, arena);
    add_array(writer, args[1], row, arena);
}
static void remove_row(const col_vec *const *args, uint32_t row, col_array_writer *writer,
                       base_arena *arena) {
    col_array_reader reader;
    col_array_reader_init(&reader, args[0], row, arena);
    while (col_array_reader_next(&reader)) {
        if (!col_cells_equal(&reader.cell, 0, args[1], row)) {
            col_array_writer_add(writer, &reader.cell, 0);
        }
    }
}
static void replace_row(const col_vec *const *args, uint32_t row, col_array_writer *writer,
                        base_arena *arena) {
    col_array_reader reader;
    col_array_reader_init(&reader, args[0], row, arena);
    while (col_array_reader_next(&reader)) {
        if (col_cells_equal(&reader.cell, 0, args[1], row)) {
            col_array_writer_add(writer, args[2], row);
        } else {
            col_array_writer_add(writer, &reader.cell, 0);
        }
    }
}

FUNC_KERNEL(array_append) {
    FUNC_UNUSED;
    return make_rows(ctx, n, args, out, 0, append_row);
}
FUNC_KERNEL(array_prepend) {
    FUNC_UNUSED;
    return make_rows(ctx, n, args, out, 0, prepend_row);
}
FUNC_KERNEL(array_cat) {
    FUNC_UNUSED;
    return make_rows(ctx, n, args, out, 2, cat_row);
}
FUNC_KERNEL(array_remove) {
    FUNC_UNUSED;
    return make_rows(ctx, n, args, out, 1, remove_row);
}
FUNC_KERNEL(array_replace) {
    FUNC_UNUSED;
    return make_rows(ctx, n, args, out, 1, replace_row);
}

// The number of elements that array_fill's dimensions ask for.
static base_rc fill_length(const col_vec *const *args, uint32_t nargs, uint32_t row,
                           base_arena *arena, int64_t *length, base_error *err) {
    for (uint32_t a = 1; a < nargs; a++) {
        if (!col_is_null(args[a], row)) continue;
        return base_fail(err, BASE_E_INVALID, "22004",
                         "dimension array or low bound array cannot be null");
    }
    uint32_t dims = col_array_length(args[1], row);
    *length = 0;
    if (dims == 0) return BASE_OK;
    if (dims > 1) {
        return base_fail(err, BASE_E_UNSUPPORTED, NULL,
                         "arrays of more than one dimension are not supported");
    }
    col_array_reader reader;
    for (uint32_t a = 1; a < nargs; a++) {
        if (col_array_length(args[a], row) != 1) {
            return base_fail(err, BASE_E_INVALID, "2202E", "wrong number of array subscripts");
        }
        col_array_reader_init(&reader, args[a], row, arena);
        must(col_array_reader_next(&reader));
        if (reader.null != 0) {
            return base_fail(err, BASE_E_INVALID, "22004", "dimension values cannot be null");
        }
        if (a == 1) {
            *length = col_i32(&reader.cell)[0];
        } else if (col_i32(&reader.cell)[0] != 1) {
            return base_fail(err, BASE_E_UNSUPPORTED, NULL,
                             "arrays with a lower bound other than 1 are not supported");
        }
    }
    if (*length < 0 || *length > COL_BATCH_ROWS_MAX) {
        return base_fail(err, BASE_E_LIMIT, BASE_SQLSTATE_LIMIT,
                         "array size exceeds the maximum allowed (%u)", COL_BATCH_ROWS_MAX);
    }
    return BASE_OK;
}

// array_fill(value, dimensions [, lower bounds])
FUNC_KERNEL(array_fill) {
    size_t budget = FUNC_BATCH_BYTES_MAX;
    col_array_writer writer = {0};
    base_rc rc = BASE_OK;
    for (uint32_t i = 0; i < n && rc == BASE_OK; i++) {
        base_error e;
        int64_t length = 0;
        if (fill_length(args, nargs, i, ctx->arena, &length, &e) != BASE_OK) {
            rc = func_row_error(ctx, out, i, &e);
            continue;
        }
        col_array_writer_begin(&writer, args[0]->type.kind);
        while (length-- > 0 && col_array_writer_bytes(&writer) <= FUNC_VALUE_BYTES_MAX) {
            col_array_writer_add(&writer, args[0], i);
        }
        rc = func_put_array(ctx, &budget, &writer, out, i);
    }
    col_array_writer_deinit(&writer);
    return rc;
}

// ---- string_to_array

bool func_split_next(base_str *rest, base_str separator, bool by_character, base_str *item) {
    if (rest->p == NULL) return false;
    size_t n = rest->n, skip = 0;
    if (by_character) {
        size_t length = func_utf8_len((uint8_t)rest->p[0]);
        n = length < rest->n ? length : rest->n;
    } else if (separator.n > 0) {
        const char *at = memmem(rest->p, rest->n, separator.p, separator.n);
        if (at != NULL) n = (size_t)(at - rest->p);
        if (at != NULL) skip = separator.n;
    }
    *item = (base_str){rest->p, n};
    bool last = by_character ? n == rest->n : skip == 0;
    *rest = last ? (base_str){NULL, 0} : (base_str){rest->p + n + skip, rest->n - n - skip};
    return true;
}

// string_to_array(text, separator [, text of nulls]): a null separator cuts after each character.
FUNC_KERNEL(string_to_array) {
    size_t budget = FUNC_BATCH_BYTES_MAX;
    col_array_writer writer = {0};
    col_vec cell;
    base_rc rc = BASE_OK;
    col_vec_init(&cell, ctx->arena, col_type_of(COL_TEXT), 1);
    for (uint32_t i = 0; i < n && rc == BASE_OK; i++) {
        if (col_is_null(args[0], i)) {
            col_vec_set_null(out, ctx->arena, i);
            continue;
        }
        bool by_character = col_is_null(args[1], i), nulls = nargs > 2 && !col_is_null(args[2], i);
        base_str rest = col_str(args[0])[i], item;
        base_str separator = by_character ? (base_str){NULL, 0} : col_str(args[1])[i];
        if (rest.n == 0) rest.p = NULL;
        col_array_writer_begin(&writer, COL_TEXT);
        while (func_split_next(&rest, separator, by_character, &item)) {
            if (nulls && base_str_eq(item, col_str(args[2])[i])) {
                col_vec_set_null(&cell, ctx->arena, 0);
            } else {
                if (cell.nulls != NULL) cell.nulls[0] = 0;
                col_str(&cell)[0] = item;
            }
            col_array_writer_add(&writer, &cell, 0);
        }
        rc = func_put_array(ctx, &budget, &writer, out, i);
    }
    col_array_writer_deinit(&writer);
    return rc;
}

// ---- casts: element by element, all rows at once

static base_rc cast_arrays(col_func_ctx *ctx, const col_vec *from, col_vec *out,
                           col_cast_context context) {
    col_lists lists;
    col_array_flatten(ctx->arena, from, &lists);
    uint32_t n = lists.elements.n;
    col_type type = col_type_element(&out->type);
    const col_func *cast = col_cast_find(lists.elements.type.kind, type.kind, context);
    must(cast != NULL);
    col_vec cells;
    col_vec_init(&cells, ctx->arena, type, n);
    if (lists.elements.nulls != NULL) {
        col_vec_need_nulls(&cells, ctx->arena);
        memcpy(cells.nulls, lists.elements.nulls, n);
    }
    const col_vec *args[] = {&lists.elements};
    col_func_ctx inner = *ctx;
    if (ctx->failed != NULL) inner.failed = base_arena_array(ctx->arena, uint8_t, (size_t)n + 1);
    base_rc rc = cast->kernel(&inner, n, 1, args, &cells);
    if (rc != BASE_OK) return rc;
    for (uint32_t i = 0; ctx->failed != NULL && i < out->n; i++) {
        for (uint32_t k = lists.offsets[i]; k < lists.offsets[i + 1]; k++) {
            if (inner.failed[k] == 0) continue;
            ctx->failed[i] = 1;
            col_vec_set_null(out, ctx->arena, i);
        }
    }
    col_array_pack(ctx->arena, &cells, lists.offsets, out);
    return BASE_OK;
}

base_rc cast_array_array(col_func_ctx *ctx, uint32_t n, uint32_t nargs, const col_vec *const *args,
                         col_vec *out) {
    (void)n, (void)nargs;
    return cast_arrays(ctx, args[0], out, COL_CAST_ASSIGNMENT);
}
base_rc cast_array_array_explicit(col_func_ctx *ctx, uint32_t n, uint32_t nargs,
                                  const col_vec *const *args, col_vec *out) {
    (void)n, (void)nargs;
    return cast_arrays(ctx, args[0], out, COL_CAST_EXPLICIT);
}

#define SAME COL_FUNC_ANY_SAME
#define ANY  COL_UNKNOWN
#define ARR  COL_ARRAY
#define I4A  COL_ARRAY | COL_INT4
#define T    COL_TEXT

static const col_func rows[] = {
    {"array[]", 1, {ANY}, ARR, SAME | COL_FUNC_VARIADIC, array_of_values, NULL},
    {"array_append", 2, {ARR, ANY}, ARR, SAME, array_append, NULL},
    {"array_prepend", 2, {ANY, ARR}, ARR, SAME, array_prepend, NULL},
    {"array_cat", 2, {ARR, ARR}, ARR, SAME, array_cat, NULL},
    {"array_remove", 2, {ARR, ANY}, ARR, SAME, array_remove, NULL},
    {"array_replace", 3, {ARR, ANY, ANY}, ARR, SAME, array_replace, NULL},
    {"array_fill", 2, {ANY, I4A}, ARR, 0, array_fill, NULL},
    {"array_fill", 3, {ANY, I4A, I4A}, ARR, 0, array_fill, NULL},
    {"string_to_array", 2, {T, T}, COL_TEXT_ARRAY, 0, string_to_array, NULL},
    {"string_to_array", 3, {T, T, T}, COL_TEXT_ARRAY, 0, string_to_array, NULL},
};
FUNC_TABLE(func_array_make_table, rows);
