// func_array.c - functions that ask an array: its size, elements and parts, what it contains.
// Entry point: func_array_table.
#include "base/must.h"
#include "col/array.h"
#include "col/func_text_int.h"
#include "col/kernel.h"

// ---- size

FUNC_KERNEL(cardinality) {
    FUNC_UNUSED;
    FUNC_EACH(i) col_i32(out)[i] = (int32_t)col_array_length(args[0], i);
    return BASE_OK;
}

// The upper bound of dimension 1, which is the length too; null of others and of empty arrays.
FUNC_KERNEL(array_length) {
    FUNC_UNUSED;
    FUNC_EACH(i) {
        uint32_t length = col_array_length(args[0], i);
        col_i32(out)[i] = (int32_t)length;
        if (length == 0 || col_i32(args[1])[i] != 1) col_vec_set_null(out, ctx->arena, i);
    }
    return BASE_OK;
}

FUNC_KERNEL(array_lower) {
    FUNC_UNUSED;
    FUNC_EACH(i) {
        col_i32(out)[i] = 1;
        if (col_str(args[0])[i].n == 0 || col_i32(args[1])[i] != 1) {
            col_vec_set_null(out, ctx->arena, i);
        }
    }
    return BASE_OK;
}

FUNC_KERNEL(array_ndims) {
    FUNC_UNUSED;
    FUNC_EACH(i) {
        col_i32(out)[i] = 1;
        if (col_str(args[0])[i].n == 0) col_vec_set_null(out, ctx->arena, i);
    }
    return BASE_OK;
}

FUNC_KERNEL(array_dims) {
    FUNC_UNUSED;
    FUNC_EACH(i) {
        uint32_t length = col_array_length(args[0], i);
        if (length == 0) {
            col_vec_set_null(out, ctx->arena, i);
        } else {
            col_str(out)[i] = base_str_of(base_arena_printf(ctx->arena, "[1:%u]", length));
        }
    }
    return BASE_OK;
}

// ---- elements

// array[index]: null beyond the ends.
FUNC_KERNEL(array_element) {
    FUNC_UNUSED;
    col_array_reader reader;
    FUNC_EACH(i) {
        int64_t left = col_i32(args[1])[i];
        bool found = left >= 1;
        col_array_reader_init(&reader, args[0], i, ctx->arena);
        while (found && left-- > 0) found = col_array_reader_next(&reader);
        if (found && reader.null == 0) {
            col_vec_copy_cell(out, i, &reader.cell, 0, ctx->arena);
            // What a string borrows must outlive the reader's cell: it lies in the array.
        } else {
            col_vec_set_null(out, ctx->arena, i);
        }
    }
    return BASE_OK;
}

// array[low:high]
FUNC_KERNEL(array_slice) {
    FUNC_UNUSED;
    size_t budget = FUNC_BATCH_BYTES_MAX;
    col_array_writer writer = {0};
    col_array_reader reader;
    base_rc rc = BASE_OK;
    for (uint32_t i = 0; i < n && rc == BASE_OK; i++) {
        if (col_is_null(out, i)) continue;
        int64_t low = col_i32(args[1])[i], high = col_i32(args[2])[i], at = 1;
        col_array_reader_init(&reader, args[0], i, ctx->arena);
        col_array_writer_begin(&writer, reader.cell.type.kind);
        for (; at <= high && col_array_reader_next(&reader); at++) {
            if (at >= low) col_array_writer_add(&writer, &reader.cell, 0);
        }
        rc = func_put_array(ctx, &budget, &writer, out, i);
    }
    col_array_writer_deinit(&writer);
    return rc;
}

FUNC_KERNEL(array_trim) {
    FUNC_UNUSED;
    size_t budget = FUNC_BATCH_BYTES_MAX;
    col_array_writer writer = {0};
    col_array_reader reader;
    base_rc rc = BASE_OK;
    for (uint32_t i = 0; i < n && rc == BASE_OK; i++) {
        if (col_is_null(out, i)) continue;
        int64_t length = col_array_length(args[0], i), cut = col_i32(args[1])[i];
        if (cut < 0 || cut > length) {
            rc = func_row_fail(ctx, out, i, BASE_E_INVALID, "2202E",
                               "number of elements to trim must be between 0 and %lld",
                               (long long)length);
            continue;
        }
        col_array_reader_init(&reader, args[0], i, ctx->arena);
        col_array_writer_begin(&writer, reader.cell.type.kind);
        for (int64_t keep = length - cut; keep > 0 && col_array_reader_next(&reader); keep--) {
            col_array_writer_add(&writer, &reader.cell, 0);
        }
        rc = func_put_array(ctx, &budget, &writer, out, i);
    }
    col_array_writer_deinit(&writer);
    return rc;
}

// ---- search: a null is found by a null

// array_position(array, value [, start])
FUNC_KERNEL(array_position) {
    col_array_reader reader;
    for (uint32_t i = 0; i < n; i++) {
        col_i32(out)[i] = 0;
        if (!col_is_null(args[0], i) && nargs == 3 && col_is_null(args[2], i)) {
            FUNC_TOLERATE(func_row_fail(ctx, out, i, BASE_E_INVALID, "22004",
                                        "initial position must not be null"));
            continue;
        }
        if (!col_is_null(args[0], i)) {
            int32_t at = 1, start = nargs == 3 ? col_i32(args[2])[i] : 1;
            col_array_reader_init(&reader, args[0], i, ctx->arena);
            for (; col_array_reader_next(&reader); at++) {
                if (at < start || !col_cells_equal(&reader.cell, 0, args[1], i)) continue;
                col_i32(out)[i] = at;
                break;
            }
        }
        if (col_i32(out)[i] == 0) col_vec_set_null(out, ctx->arena, i);
    }
    return BASE_OK;
}

FUNC_KERNEL(array_positions) {
    FUNC_UNUSED;
    size_t budget = FUNC_BATCH_BYTES_MAX;
    col_array_writer writer = {0};
    col_array_reader reader;
    col_vec place;
    base_rc rc = BASE_OK;
    col_vec_init(&place, ctx->arena, col_type_of(COL_INT4), 1);
    for (uint32_t i = 0; i < n && rc == BASE_OK; i++) {
        if (col_is_null(args[0], i)) {
            col_vec_set_null(out, ctx->arena, i);
            continue;
        }
        col_array_reader_init(&reader, args[0], i, ctx->arena);
        col_array_writer_begin(&writer, COL_INT4);
        for (int32_t at = 1; col_array_reader_next(&reader); at++) {
            if (!col_cells_equal(&reader.cell, 0, args[1], i)) continue;
            col_i32(&place)[0] = at;
            col_array_writer_add(&writer, &place, 0);
        }
        rc = func_put_array(ctx, &budget, &writer, out, i);
    }
    col_array_writer_deinit(&writer);
    return rc;
}

// ---- sets: a null element equals nothing

// Arrays of a batch with their elements side by side, those of each row sorted once there are many.
typedef struct set_side {
    col_lists lists;
    uint32_t *order; // element numbers; of a row: in its range
} set_side;

#define SETS_NAIVE_MAX 256u // pairs that are compared one by one

static void set_side_init(set_side *side, base_arena *arena, const col_vec *arrays) {
    col_array_flatten(arena, arrays, &side->lists);
    uint32_t n = side->lists.elements.n;
    side->order = base_arena_alloc(arena, sizeof *side->order * ((size_t)n + 1));
    for (uint32_t i = 0; i < n; i++) side->order[i] = i;
}

// A view of elements [begin, end) of a vector without children.
static col_vec range_of(const col_vec *vec, uint32_t begin, uint32_t end) {
    col_vec range = *vec;
    range.n = end - begin;
    range.data = (char *)vec->data + col_kind_width(vec->type.kind) * (size_t)begin;
    if (vec->nulls != NULL) range.nulls = vec->nulls + begin;
    return range;
}

static void set_side_sort(set_side *side, base_arena *arena, uint32_t begin, uint32_t end) {
    col_vec range = range_of(&side->lists.elements, begin, end);
    col_batch batch = {1, end - begin, &range, NULL};
    const col_sort_key key = {0, false, false};
    const uint32_t *perm = col_sort(arena, &batch, 1, &key);
    for (uint32_t i = 0; i < batch.nrows; i++) side->order[begin + i] = begin + perm[i];
}

// Whether the left elements that stand on the right are all (every) or any of them.
static bool sets_match(set_side *a, uint32_t a_begin, uint32_t a_end, set_side *b, uint32_t b_begin,
                       uint32_t b_end, bool every, base_arena *arena) {
    const col_vec *av = &a->lists.elements, *bv = &b->lists.elements;
    bool sorted = (uint64_t)(a_end - a_begin) * (b_end - b_begin) > SETS_NAIVE_MAX;
    if (sorted) set_side_sort(a, arena, a_begin, a_end);
    if (sorted) set_side_sort(b, arena, b_begin, b_end);
    uint32_t k = b_begin;
    for (uint32_t i = a_begin; i < a_end; i++) {
        uint32_t x = a->order[i];
        bool found = false;
        if (col_is_null(av, x)) {
            // equals nothing
        } else if (sorted) {
            int c = -1;
            while (k < b_end && (c = col_cells_compare(bv, b->order[k], av, x)) < 0) k++;
            found = k < b_end && c == 0;
        } else {
            for (uint32_t j = b_begin; j < b_end && !found; j++) {
                found = !col_is_null(bv, j) && col_cells_equal(av, x, bv, j);
            }
        }
        if (found != every) return found;
    }
    return every;
}

static base_rc compare_sets(col_func_ctx *ctx, uint32_t n, const col_vec *left,
                            const col_vec *right, col_vec *out, bool every) {
    set_side a, b;
    set_side_init(&a, ctx->arena, left);
    set_side_init(&b, ctx->arena, right);
    FUNC_EACH(i) {
        col_u8(out)[i] = sets_match(&a, a.lists.offsets[i], a.lists.offsets[i + 1], &b,
                                    b.lists.offsets[i], b.lists.offsets[i + 1], every, ctx->arena);
    }
    return BASE_OK;
}

FUNC_KERNEL(array_contains) {
    FUNC_UNUSED;
    return compare_sets(ctx, n, args[1], args[0], out, true);
}
FUNC_KERNEL(array_contained) {
    FUNC_UNUSED;
    return compare_sets(ctx, n, args[0], args[1], out, true);
}
FUNC_KERNEL(array_overlaps) {
    FUNC_UNUSED;
    return compare_sets(ctx, n, args[0], args[1], out, false);
}

// ---- to text

// array_to_string(array, separator [, text of nulls])
FUNC_KERNEL(array_to_string) {
    size_t budget = FUNC_BATCH_BYTES_MAX;
    base_buf buf = {0};
    col_array_reader reader;
    base_rc rc = BASE_OK;
    for (uint32_t i = 0; i < n && rc == BASE_OK; i++) {
        if (col_is_null(args[0], i) || col_is_null(args[1], i)) {
            col_vec_set_null(out, ctx->arena, i);
            continue;
        }
        bool show_nulls = nargs > 2 && !col_is_null(args[2], i), first = true;
        base_buf_clear(&buf);
        col_array_reader_init(&reader, args[0], i, ctx->arena);
        while (col_array_reader_next(&reader)) {
            if (reader.null != 0 && !show_nulls) continue;
            if (!first) base_buf_add_str(&buf, col_str(args[1])[i]);
            first = false;
            if (reader.null != 0) {
                base_buf_add_str(&buf, col_str(args[2])[i]);
            } else {
                func_add_text(&buf, ctx, &reader.cell, 0);
            }
            if (buf.n > FUNC_VALUE_BYTES_MAX) break; // refused below
        }
        rc = func_put_text(ctx, &budget, &buf, out, i);
    }
    base_buf_deinit(&buf);
    return rc;
}

#define S    COL_FUNC_STRICT
#define SAME COL_FUNC_ANY_SAME
#define ANY  COL_UNKNOWN
#define ARR  COL_ARRAY
#define I4   COL_INT4
#define B    COL_BOOL
#define T    COL_TEXT

static const col_func rows[] = {
    {"cardinality", 1, {ARR}, I4, S, cardinality, NULL},
    {"array_length", 2, {ARR, I4}, I4, S, array_length, NULL},
    {"array_upper", 2, {ARR, I4}, I4, S, array_length, NULL},
    {"array_lower", 2, {ARR, I4}, I4, S, array_lower, NULL},
    {"array_ndims", 1, {ARR}, I4, S, array_ndims, NULL},
    {"array_dims", 1, {ARR}, T, S, array_dims, NULL},
    {"[]", 2, {ARR, I4}, ANY, S, array_element, NULL}, // names that nobody can write
    {"[:]", 3, {ARR, I4, I4}, ARR, S, array_slice, NULL},
    {"trim_array", 2, {ARR, I4}, ARR, S, array_trim, NULL},
    {"array_position", 2, {ARR, ANY}, I4, SAME, array_position, NULL},
    {"array_position", 3, {ARR, ANY, I4}, I4, SAME, array_position, NULL},
    {"array_positions", 2, {ARR, ANY}, COL_ARRAY | COL_INT4, SAME, array_positions, NULL},
    {"@>", 2, {ARR, ARR}, B, S | SAME, array_contains, NULL},
    {"<@", 2, {ARR, ARR}, B, S | SAME, array_contained, NULL},
    {"&&", 2, {ARR, ARR}, B, S | SAME, array_overlaps, NULL},
    {"array_to_string", 2, {ARR, T}, T, 0, array_to_string, NULL},
    {"array_to_string", 3, {ARR, T, T}, T, 0, array_to_string, NULL},
};
FUNC_TABLE(func_array_table, rows);
