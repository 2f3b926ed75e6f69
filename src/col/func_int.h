// func_int.h - what the files of the function library share: their tables, row errors, and loops
// over rows. Not for other folders.
#ifndef WEIR_COL_FUNC_INT_H
#define WEIR_COL_FUNC_INT_H

#include "col/array.h"
#include "col/func.h"

// The functions of one file; func.c joins them.
typedef struct func_table {
    const col_func *rows;
    size_t count;
} func_table;

extern const func_table func_arith_table;
extern const func_table func_compare_table;
extern const func_table func_math_table;
extern const func_table func_text_table;
extern const func_table func_match_table;
extern const func_table func_regex_table;
extern const func_table func_number_table;
extern const func_table func_jsonpath_table;
extern const func_table func_jsonb_edit_table;
extern const func_table func_bytes_table;
extern const func_table func_encode_table;
extern const func_table func_format_table;
extern const func_table func_format_read_table;
extern const func_table func_to_number_table;
extern const func_table func_choose_table;
extern const func_table func_convert_table;
extern const func_table func_ident_table;
extern const func_table func_format_text_table;
extern const func_table func_time_make_table;
extern const func_table func_random_table;
extern const func_table func_format_number_table;
extern const func_table func_time_table;
extern const func_table func_field_table;
extern const func_table func_json_table;
extern const func_table func_system_table;
extern const func_table func_array_table;
extern const func_table func_array_make_table;

#define FUNC_TABLE(name, array)                                                                    \
    const func_table name = {(array), sizeof(array) / sizeof((array)[0])}

// The parameters of every kernel, so that a kernel's line shows its name.
#define FUNC_KERNEL(name)                                                                          \
    static base_rc name(col_func_ctx *ctx, uint32_t n, uint32_t nargs, const col_vec *const *args, \
                        col_vec *out)
#define FUNC_UNUSED ((void)ctx, (void)nargs, (void)args)

// Row failures. The text of the first one stays in ctx->err. Both give BASE_OK in tolerant mode.
base_rc func_row_error(col_func_ctx *ctx, col_vec *out, uint32_t row, const base_error *error);
base_rc func_row_fail(col_func_ctx *ctx, col_vec *out, uint32_t row, base_rc code,
                      const char *sqlstate, const char *fmt, ...) BASE_PRINTF(6, 7);

// Leaves the kernel with an error unless the failure was tolerated.
#define FUNC_TOLERATE(call)                                                                        \
    do {                                                                                           \
        base_rc tolerate_rc_ = (call);                                                             \
        if (tolerate_rc_ != BASE_OK) return tolerate_rc_;                                          \
    } while (0)
// A fallible call for one row, with a local `base_error e`.
#define FUNC_ROW_CALL(call)                                                                        \
    do {                                                                                           \
        if ((call) != BASE_OK) FUNC_TOLERATE(func_row_error(ctx, out, i, &e));                     \
    } while (0)
// All rows i that are not null.
#define FUNC_EACH(i)                                                                               \
    for (uint32_t i = 0; i < n; i++)                                                               \
        if (!col_is_null(out, i))

// What one kernel call may make of strings beyond the sum of its inputs: the sizes below come from
// clients, and an arena does not survive running out of memory.
#define FUNC_VALUE_BYTES_MAX (64u << 20)
#define FUNC_BATCH_BYTES_MAX (512u << 20)
// Takes `bytes` from *budget (start with FUNC_BATCH_BYTES_MAX); 54000 if it is too much.
BASE_MUST_USE base_rc func_take_bytes(size_t *budget, uint64_t bytes, base_error *err);

// UTF-8 (well-formed by the contract of TEXT).
static inline size_t func_utf8_len(uint8_t lead) {
    return lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
}
int64_t func_utf8_count(base_str s);
size_t func_utf8_offset(base_str s, int64_t chars); // byte offset of that character, at most s.n
uint32_t func_utf8_decode(base_str s, size_t *at);
size_t func_utf8_encode(uint32_t code, char out[4]);

// Elements of a text[]; null elements have p == NULL.
void func_text_items(const col_vec *arrays, uint32_t row, base_arena *arena, base_str **items,
                     size_t *count);

// What the writer holds becomes out[row], within the budget (54000).
base_rc func_put_array(col_func_ctx *ctx, size_t *budget, col_array_writer *writer, col_vec *out,
                       uint32_t row);
// The next piece of *rest, which begins as the text and ends as p == NULL. An empty separator does
// not cut; by_character cuts after each character of a text that is not empty.
bool func_split_next(base_str *rest, base_str separator, bool by_character, base_str *item);

// Shared pieces.
base_rc func_numeric_to_int(base_decimal v, int64_t lo, int64_t hi, const char *type_name,
                            int64_t *out, base_error *err);
// VARCHAR(limit): explicit casts cut, others allow only spaces to be cut (22001).
base_rc func_varchar_fit(base_str s, int16_t limit, bool explicit_cast, base_str *out,
                         base_error *err);

#endif
