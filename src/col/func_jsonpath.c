// func_jsonpath.c - jsonb_path_exists, _match, _query_first and _query_array, and the operators @?
// and @@. Paths are given as text; one is parsed once for each run of rows that have the same.
#include "base/must.h"
#include "col/func_text_int.h"
#include "col/jsonpath.h"

#define SCRATCH_BYTES 16384

typedef enum path_want {
    WANT_EXISTS,
    WANT_MATCH,
    WANT_FIRST,
    WANT_ARRAY,
} path_want;

typedef struct path_call {
    base_arena *scratch; // of a row
    base_str source;
    const jsonpath *path;
    bool silent;
} path_call;

static base_rc prepare(col_func_ctx *ctx, path_call *call, base_str text, base_error *err) {
    if (call->path != NULL && base_str_eq(call->source, text)) return BASE_OK;
    call->path = NULL;
    call->source = text;
    const jsonpath *path;
    base_rc rc = jsonpath_parse(text, ctx->arena, &path, err);
    if (rc == BASE_OK) call->path = path;
    return rc;
}

static base_rc not_single(base_error *err) {
    return base_fail(err, BASE_E_INVALID, "22038", "single boolean result is expected");
}

static base_rc put_items(col_func_ctx *ctx, path_call *call, const jsonpath_items *items,
                         path_want want, col_vec *out, uint32_t row, base_error *err) {
    if (want == WANT_MATCH) {
        const col_json *one = items->n == 1 ? items->items[0] : NULL;
        bool truth = one != NULL && one->kind == COL_JSON_TRUE;
        if (truth || (one != NULL && one->kind == COL_JSON_FALSE)) {
            col_u8(out)[row] = truth;
            return BASE_OK;
        }
        col_vec_set_null(out, ctx->arena, row);
        return call->silent || (one != NULL && one->kind == COL_JSON_NULL) ? BASE_OK
                                                                           : not_single(err);
    }
    if (want == WANT_FIRST && items->n == 0) {
        col_vec_set_null(out, ctx->arena, row);
        return BASE_OK;
    }
    const col_json *node = items->n > 0 ? items->items[0] : NULL;
    col_json array = {.kind = COL_JSON_ARRAY, .n = items->n};
    if (want == WANT_ARRAY) {
        array.items = base_arena_array(call->scratch, col_json *, items->n + 1);
        for (uint32_t i = 0; i < items->n; i++) {
            array.items[i] = base_arena_new(call->scratch, col_json);
            *array.items[i] = *items->items[i];
        }
        node = &array;
    }
    base_str text;
    base_rc rc = col_json_print(node, call->scratch, &text, err);
    if (rc != BASE_OK) return rc;
    col_str(out)[row] = (base_str){base_arena_memdup(ctx->arena, text.p, text.n), text.n};
    return BASE_OK;
}

static base_rc path_row(col_func_ctx *ctx, path_call *call, uint32_t nargs,
                        const col_vec *const *args, path_want want, col_vec *out, uint32_t row,
                        base_error *err) {
    col_json *root, *vars = NULL;
    base_rc rc = prepare(ctx, call, col_str(args[1])[row], err);
    if (rc == BASE_OK) rc = col_json_parse(col_str(args[0])[row], call->scratch, &root, err);
    if (rc == BASE_OK && nargs > 2) {
        rc = col_json_parse(col_str(args[2])[row], call->scratch, &vars, err);
        if (rc == BASE_OK && vars->kind != COL_JSON_OBJECT) {
            rc = base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_INVALID_PARAMETER,
                           "\"vars\" argument is not an object");
            base_error_detail(
                err,
                "Jsonpath parameters should be encoded as key-value pairs of \"vars\" object.");
        }
    }
    if (rc != BASE_OK) return rc;
    jsonpath_items items = {0};
    bool exists, failed;
    rc = jsonpath_run(call->path, root, vars, call->silent, call->scratch,
                      want == WANT_EXISTS ? NULL : &items, &exists, &failed, err);
    if (rc != BASE_OK) return rc;
    if (failed && want == WANT_EXISTS) {
        col_vec_set_null(out, ctx->arena, row);
        return BASE_OK;
    }
    if (want == WANT_EXISTS) {
        col_u8(out)[row] = exists;
        return BASE_OK;
    }
    return put_items(ctx, call, &items, want, out, row, err);
}

static base_rc path_rows(col_func_ctx *ctx, uint32_t n, uint32_t nargs, const col_vec *const *args,
                         col_vec *out, path_want want, bool silent) {
    base_arena scratch;
    base_arena_init(&scratch, SCRATCH_BYTES);
    path_call call = {.scratch = &scratch};
    base_rc rc = BASE_OK;
    for (uint32_t i = 0; i < n && rc == BASE_OK; i++) {
        if (col_is_null(out, i)) continue;
        base_error e;
        base_arena_reset(&scratch);
        call.silent = nargs > 3 ? col_u8(args[3])[i] != 0 : silent;
        rc = path_row(ctx, &call, nargs, args, want, out, i, &e);
        if (rc != BASE_OK) rc = func_row_error(ctx, out, i, &e);
    }
    base_arena_deinit(&scratch);
    return rc;
}

#define PATH_KERNEL(name, want, silent)                                                            \
    FUNC_KERNEL(name) {                                                                            \
        return path_rows(ctx, n, nargs, args, out, want, silent);                                  \
    }
PATH_KERNEL(path_exists, WANT_EXISTS, false)
PATH_KERNEL(path_match, WANT_MATCH, false)
PATH_KERNEL(path_first, WANT_FIRST, false)
PATH_KERNEL(path_array, WANT_ARRAY, false)
PATH_KERNEL(path_exists_silent, WANT_EXISTS, true)
PATH_KERNEL(path_match_silent, WANT_MATCH, true)

#define S COL_FUNC_STRICT
#define J COL_JSONB
#define T COL_TEXT
#define B COL_BOOL
#define THREE(name, ret, kernel)                                                                   \
    {name, 2, {J, T}, ret, S, kernel, NULL}, {name, 3, {J, T, J}, ret, S, kernel, NULL}, {         \
        name, 4, {J, T, J, B}, ret, S, kernel, NULL                                                \
    }

static const col_func rows[] = {
    {"@?", 2, {J, T}, B, S, path_exists_silent, NULL},
    {"@@", 2, {J, T}, B, S, path_match_silent, NULL},
    THREE("jsonb_path_exists", B, path_exists),
    THREE("jsonb_path_match", B, path_match),
    THREE("jsonb_path_query_first", J, path_first),
    THREE("jsonb_path_query_array", J, path_array),
};
FUNC_TABLE(func_jsonpath_table, rows);
