// set.c - runs set-returning functions row by row, and finds them by name. Entry points:
// col_set_run(), col_set_find().
#include "col/set_int.h"

#include "base/must.h"

#define FIRST_ROWS 64u

static const set_table *const tables[] = {&set_series_table, &set_text_table, &set_json_table,
                                          &set_regex_table};

size_t col_set_find(base_str name, const col_func **out, size_t max) {
    size_t n = 0;
    for (size_t t = 0; t < sizeof tables / sizeof tables[0]; t++) {
        for (size_t i = 0; i < tables[t]->count && n < max; i++) {
            const col_set_func *func = &tables[t]->rows[i];
            if (base_str_eq_nocase(base_str_of(func->sig.name), name)) out[n++] = &func->sig;
        }
    }
    return n;
}

static void grow(col_set *set) {
    uint32_t cap = set->cap == 0 ? FIRST_ROWS : set->cap * 2;
    for (uint32_t c = 0; c < set->ncols; c++) {
        col_vec *old = &set->cols[c], more;
        must(old->type.kind != COL_STRUCT);
        col_vec_init(&more, set->arena, old->type, cap);
        size_t width = col_kind_width(old->type.kind);
        if (set->n > 0) memcpy(more.data, old->data, width * set->n);
        if (old->nulls != NULL) {
            col_vec_need_nulls(&more, set->arena);
            memcpy(more.nulls, old->nulls, set->n);
        }
        *old = more;
    }
    set->cap = cap;
}

base_rc col_set_add(col_set *set, base_error *err) {
    if (set->n == COL_SET_ROWS_MAX) {
        return base_fail(err, BASE_E_LIMIT, BASE_SQLSTATE_LIMIT,
                         "a function gives more than %u rows at once", COL_SET_ROWS_MAX);
    }
    if (set->n == set->cap) grow(set);
    set->n++;
    return BASE_OK;
}

static bool any_null(uint32_t nargs, const col_vec *const *args, uint32_t row) {
    for (uint32_t a = 0; a < nargs; a++) {
        if (col_is_null(args[a], row)) return true;
    }
    return false;
}

// What a failed row has left behind goes; the next writes over it.
static void take_back(col_set *set, uint32_t begin) {
    for (uint32_t c = 0; c < set->ncols; c++) {
        size_t width = col_kind_width(set->cols[c].type.kind);
        memset((char *)set->cols[c].data + width * begin, 0, width * (set->n - begin));
        if (set->cols[c].nulls != NULL) memset(set->cols[c].nulls + begin, 0, set->n - begin);
    }
    set->n = begin;
}

base_rc col_set_run(const col_set_func *func, col_func_ctx *ctx, uint32_t n, uint32_t nargs,
                    const col_vec *const *args, uint32_t ncols, const col_type *types,
                    uint32_t limit, col_set *set) {
    *set = (col_set){.arena = ctx->arena, .ncols = ncols};
    set->cols = base_arena_array(ctx->arena, col_vec, ncols);
    set->counts = base_arena_array(ctx->arena, uint32_t, (size_t)n + 1);
    for (uint32_t c = 0; c < ncols; c++) col_vec_init(&set->cols[c], ctx->arena, types[c], 0);
    base_arena_init(&set->scratch, 1024);
    bool strict = (func->sig.flags & COL_FUNC_STRICT) != 0;
    base_rc rc = BASE_OK;
    while (set->done < n && rc == BASE_OK && (set->done == 0 || set->n < limit)) {
        uint32_t row = set->done++, begin = set->n;
        if (strict && any_null(nargs, args, row)) continue;
        base_arena_reset(&set->scratch);
        base_error e;
        if (func->give(ctx, nargs, args, row, set, &e) == BASE_OK) {
            set->counts[row] = set->n - begin;
            continue;
        }
        take_back(set, begin);
        if (ctx->err != NULL && (ctx->failed == NULL || ctx->err->code == BASE_OK)) *ctx->err = e;
        if (ctx->failed == NULL) rc = e.code;
        if (ctx->failed != NULL) ctx->failed[row] = 1;
    }
    base_arena_deinit(&set->scratch);
    if (set->kept != NULL) set->drop(set->kept);
    set->kept = NULL;
    for (uint32_t c = 0; c < ncols; c++) set->cols[c].n = set->n;
    return rc;
}

SET_GIVE(give_scalar) {
    SET_UNUSED;
    SET_TRY(col_set_add(set, err));
    col_vec_copy_cell(&set->cols[0], set->n - 1, args[0], row, set->arena);
    return BASE_OK;
}

const col_set_func col_set_scalar = SET_ONE("scalar", 1, COL_UNKNOWN, 0, give_scalar, COL_UNKNOWN);
