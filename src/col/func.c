// func.c - the function catalogue: the tables of all files joined, an index by name built once, and
// helpers that kernels share. Invariant: the index is immutable after its first use, so any thread
// may look up without a lock. Entry points: col_func_find(), col_func_row_failed().
#include "col/func.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/must.h"
#include "col/array.h"
#include "col/func_int.h"

#define FUNC_NAME_MAX 63
#define SLOT_COUNT    2048u // a power of two, well above the number of names

static const func_table *const tables[] = {
    &func_arith_table,       &func_compare_table,       &func_math_table,
    &func_text_table,        &func_match_table,         &func_time_table,
    &func_field_table,       &func_json_table,          &func_encode_table,
    &func_format_table,      &func_format_number_table, &func_system_table,
    &func_array_table,       &func_array_make_table,    &func_regex_table,
    &func_number_table,      &func_jsonpath_table,      &func_jsonb_edit_table,
    &func_bytes_table,       &func_format_read_table,   &func_to_number_table,
    &func_choose_table,      &func_convert_table,       &func_ident_table,
    &func_format_text_table, &func_time_make_table,     &func_random_table,
};

static pthread_once_t index_once = PTHREAD_ONCE_INIT;
static const col_func **by_position; // all functions
static const col_func **by_name;     // the same, those of one name together
static size_t func_total;
static struct {
    uint32_t first, count; // in by_name; count 0: free
} slots[SLOT_COUNT];

static int compare_names(const void *a, const void *b) {
    const col_func *x = *(const col_func *const *)a, *y = *(const col_func *const *)b;
    int order = strcmp(x->name, y->name);
    if (order != 0) return order;
    if (x->nargs != y->nargs) return x->nargs < y->nargs ? -1 : 1;
    return memcmp(x->args, y->args, sizeof x->args);
}

static uint32_t slot_of(base_str name) {
    return (uint32_t)base_hash64(name.p, name.n) & (SLOT_COUNT - 1);
}

static void index_build(void) {
    for (size_t t = 0; t < sizeof tables / sizeof tables[0]; t++) func_total += tables[t]->count;
    by_position = malloc(func_total * sizeof *by_position);
    by_name = malloc(func_total * sizeof *by_name);
    must(by_position != NULL && by_name != NULL);
    size_t at = 0;
    for (size_t t = 0; t < sizeof tables / sizeof tables[0]; t++) {
        for (size_t i = 0; i < tables[t]->count; i++) by_position[at++] = &tables[t]->rows[i];
    }
    memcpy(by_name, by_position, func_total * sizeof *by_name);
    qsort(by_name, func_total, sizeof *by_name, compare_names);
    size_t names = 0;
    for (size_t i = 0; i < func_total;) {
        size_t end = i + 1;
        while (end < func_total && strcmp(by_name[end]->name, by_name[i]->name) == 0) end++;
        uint32_t slot = slot_of(base_str_of(by_name[i]->name));
        while (slots[slot].count != 0) slot = (slot + 1) & (SLOT_COUNT - 1);
        slots[slot].first = (uint32_t)i;
        slots[slot].count = (uint32_t)(end - i);
        names++;
        i = end;
    }
    must(names < SLOT_COUNT / 2);
}

size_t col_func_find(base_str name, const col_func *const **out) {
    pthread_once(&index_once, index_build);
    *out = NULL;
    char lower[FUNC_NAME_MAX];
    if (name.n > sizeof lower) return 0;
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        lower[i] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
    }
    base_str key = {lower, name.n};
    for (uint32_t slot = slot_of(key); slots[slot].count != 0;
         slot = (slot + 1) & (SLOT_COUNT - 1)) {
        if (!base_str_eq(base_str_of(by_name[slots[slot].first]->name), key)) continue;
        *out = &by_name[slots[slot].first];
        return slots[slot].count;
    }
    return 0;
}

size_t col_func_count(void) {
    pthread_once(&index_once, index_build);
    return func_total;
}

const col_func *col_func_at(size_t i) {
    pthread_once(&index_once, index_build);
    must(i < func_total);
    return by_position[i];
}

base_rc col_func_row_failed(col_func_ctx *ctx, col_vec *out, uint32_t row) {
    must(ctx->err == NULL || ctx->err->code != BASE_OK);
    if (ctx->failed == NULL) return ctx->err != NULL ? ctx->err->code : BASE_E_INVALID;
    ctx->failed[row] = 1;
    col_vec_set_null(out, ctx->arena, row);
    return BASE_OK;
}

base_rc func_row_error(col_func_ctx *ctx, col_vec *out, uint32_t row, const base_error *error) {
    must(error->code != BASE_OK);
    if (ctx->err != NULL && (ctx->failed == NULL || ctx->err->code == BASE_OK)) *ctx->err = *error;
    return col_func_row_failed(ctx, out, row);
}

base_rc func_row_fail(col_func_ctx *ctx, col_vec *out, uint32_t row, base_rc code,
                      const char *sqlstate, const char *fmt, ...) {
    char text[sizeof((base_error *)0)->message];
    va_list args;
    va_start(args, fmt);
    int length = vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    must(length >= 0);
    base_error e;
    base_fail(&e, code, sqlstate, "%s", text);
    return func_row_error(ctx, out, row, &e);
}

base_rc func_take_bytes(size_t *budget, uint64_t bytes, base_error *err) {
    if (bytes > FUNC_VALUE_BYTES_MAX) {
        return base_fail(err, BASE_E_LIMIT, BASE_SQLSTATE_LIMIT, "requested length too large");
    }
    if (bytes > *budget) {
        return base_fail(err, BASE_E_LIMIT, BASE_SQLSTATE_LIMIT,
                         "the text made in one batch exceeds %u MB", FUNC_BATCH_BYTES_MAX >> 20);
    }
    *budget -= bytes;
    return BASE_OK;
}

int64_t func_utf8_count(base_str s) {
    int64_t count = 0;
    for (size_t i = 0; i < s.n; i++) count += ((uint8_t)s.p[i] & 0xc0) != 0x80;
    return count;
}

size_t func_utf8_offset(base_str s, int64_t chars) {
    size_t at = 0;
    while (chars > 0 && at < s.n) {
        at += func_utf8_len((uint8_t)s.p[at]);
        chars--;
    }
    return at < s.n ? at : s.n;
}

uint32_t func_utf8_decode(base_str s, size_t *at) {
    uint8_t lead = (uint8_t)s.p[*at];
    size_t length = func_utf8_len(lead);
    if (lead < 0x80 || length > s.n - *at) {
        (*at)++;
        return lead;
    }
    uint32_t code = length == 2 ? lead & 0x1fu : length == 3 ? lead & 0x0fu : lead & 0x07u;
    for (size_t i = 1; i < length; i++) code = code << 6 | ((uint8_t)s.p[*at + i] & 0x3fu);
    *at += length;
    return code;
}

size_t func_utf8_encode(uint32_t code, char out[4]) {
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    size_t length = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    static const uint8_t leads[] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (size_t i = length - 1; i > 0; i--) {
        out[i] = (char)(0x80 | (code & 0x3f));
        code >>= 6;
    }
    out[0] = (char)(leads[length] | code);
    return length;
}

void func_text_items(const col_vec *arrays, uint32_t row, base_arena *arena, base_str **items,
                     size_t *count) {
    must(arrays->type.kind == COL_TEXT_ARRAY);
    uint32_t n = col_array_length(arrays, row);
    *items = base_arena_array(arena, base_str, n + 1);
    *count = n;
    col_array_reader reader;
    col_array_reader_init(&reader, arrays, row, arena);
    for (size_t i = 0; col_array_reader_next(&reader); i++) {
        (*items)[i] = reader.null != 0 ? (base_str){NULL, 0} : col_str(&reader.cell)[0];
    }
}

char col_kind_category(col_kind kind) {
    if (col_kind_is_array(kind)) return 'A';
    switch (kind) {
    case COL_BOOL:
        return 'B';
    case COL_INT2:
    case COL_INT4:
    case COL_INT8:
    case COL_FLOAT4:
    case COL_FLOAT8:
    case COL_NUMERIC:
    case COL_OID:
    case COL_REGCLASS:
        return 'N';
    case COL_TEXT:
    case COL_VARCHAR:
    case COL_NAME:
        return 'S';
    case COL_CHAR:
        return 'Z';
    case COL_DATE:
    case COL_TIME:
    case COL_TIMESTAMP:
    case COL_TIMESTAMPTZ:
        return 'D';
    case COL_INTERVAL:
        return 'T';
    case COL_UNKNOWN:
        return 'X';
    case COL_BYTEA:
    case COL_UUID:
    case COL_JSONB:
    case COL_STRUCT:
    default:
        break;
    }
    return 'U';
}

bool col_kind_preferred(col_kind kind) {
    return kind == COL_BOOL || kind == COL_FLOAT8 || kind == COL_OID || kind == COL_TEXT ||
           kind == COL_TIMESTAMPTZ || kind == COL_INTERVAL;
}
