// agg_whole.c - results from all values of a group, in order. Results follow PostgreSQL 15; where
// it leaves an order open (no ORDER BY, or peers under it) the values' own order decides, so that
// the result never depends on history. Delta rule: none; a group whose values changed is worked out
// anew. Entry point: agg_whole.
#include "flow/agg_whole.h"

#include <math.h>

#include "col/array.h"
#include "flow/agg_sketch.h"

#define RESULT_BYTES_MAX ((size_t)256 << 20)

// A walk over the values that are there for a use, equal ones once if it is DISTINCT.
typedef struct walk {
    const agg_use *use;
    const agg_rows *rows;
    uint32_t at; // the next row
    uint32_t row;
    int64_t times;
    uint32_t last; // the last row given, or AGG_NONE
} walk;

static walk walk_start(const agg_use *use, const agg_rows *rows) {
    return (walk){.use = use, .rows = rows, .at = rows->begin, .last = AGG_NONE};
}

static bool repeats(const walk *w, uint32_t row) {
    if (!w->use->distinct || w->last == AGG_NONE) return false;
    const plan_agg *agg = w->use->agg;
    // The JSON ones are in order of their arguments as they were, before they became JSON.
    bool json = agg->def->id == PLAN_AGG_JSONB_AGG || agg->def->id == PLAN_AGG_JSONB_OBJECT_AGG;
    for (uint32_t i = 0; i < (json ? agg->nsort : w->use->nargs); i++) {
        uint32_t column = json ? i : w->use->args[i];
        if (column == AGG_NONE) continue;
        const col_vec *vec = &w->rows->rows->cols[column];
        if (!col_cells_equal(vec, row, vec, w->last)) return false;
    }
    return true;
}

static bool walk_next(walk *w) {
    uint32_t end = w->rows->begin + w->rows->n;
    while (w->at < end) {
        uint32_t row = w->at++;
        int64_t times = w->rows->counts[(size_t)row * w->rows->nfilters + w->use->filter];
        if (times <= 0 || repeats(w, row)) continue;
        w->row = w->last = row;
        w->times = w->use->distinct ? 1 : times;
        return true;
    }
    return false;
}

static int64_t count_values(const agg_use *use, const agg_rows *rows) {
    int64_t n = 0;
    for (walk w = walk_start(use, rows); walk_next(&w);) n += w.times;
    return n;
}

static const col_vec *argument(const walk *w, uint32_t i, uint32_t *row) {
    bool constant = w->use->args[i] == AGG_NONE;
    *row = constant ? 0 : w->row;
    return constant ? w->use->constants[i] : &w->rows->rows->cols[w->use->args[i]];
}

// ------------------------------------------------------------------------------------ lists

static base_rc keep_string(base_buf *buf, base_arena *arena, col_vec *out) {
    col_str(out)[0] = (base_str){base_arena_memdup(arena, buf->p, buf->n), buf->n};
    return BASE_OK;
}

static void string_agg(const agg_use *use, const agg_rows *rows, base_arena *arena, col_vec *out,
                       const char **failed) {
    base_buf buf = {0};
    bool first = true;
    for (walk w = walk_start(use, rows); *failed == NULL && walk_next(&w);) {
        uint32_t row, delimiter_row;
        const col_vec *value = argument(&w, 0, &row);
        const col_vec *delimiter = argument(&w, 1, &delimiter_row);
        for (int64_t i = 0; i < w.times && *failed == NULL; i++, first = false) {
            if (!first && !col_is_null(delimiter, delimiter_row)) {
                base_buf_add_str(&buf, col_str(delimiter)[delimiter_row]);
            }
            base_buf_add_str(&buf, col_str(value)[row]);
            if (buf.n > RESULT_BYTES_MAX) *failed = BASE_SQLSTATE_LIMIT;
        }
    }
    if (first) {
        col_vec_set_null(out, arena, 0);
    } else if (*failed == NULL) {
        keep_string(&buf, arena, out);
    }
    base_buf_deinit(&buf);
}

static void array_agg(const agg_use *use, const agg_rows *rows, base_arena *arena, col_vec *out,
                      const char **failed) {
    col_array_writer writer = {0};
    bool any = false;
    for (walk w = walk_start(use, rows); *failed == NULL && walk_next(&w); any = true) {
        uint32_t row;
        const col_vec *value = argument(&w, 0, &row);
        if (!any) col_array_writer_begin(&writer, value->type.kind);
        for (int64_t i = 0; i < w.times && *failed == NULL; i++) {
            col_array_writer_add(&writer, value, row);
            if (col_array_writer_bytes(&writer) > RESULT_BYTES_MAX) *failed = BASE_SQLSTATE_LIMIT;
        }
    }
    if (!any) {
        col_vec_set_null(out, arena, 0);
    } else if (*failed == NULL) {
        col_str(out)[0] = col_array_writer_end(&writer, arena);
    }
    col_array_writer_deinit(&writer);
}

static void add_element(base_buf *buf, const col_vec *value, uint32_t row) {
    if (col_is_null(value, row)) {
        base_buf_add_cstr(buf, "null");
    } else {
        base_buf_add_str(buf, col_str(value)[row]);
    }
}

static void jsonb_agg(const agg_use *use, const agg_rows *rows, base_arena *arena, col_vec *out,
                      const char **failed) {
    base_buf buf = {0};
    for (walk w = walk_start(use, rows); *failed == NULL && walk_next(&w);) {
        uint32_t row;
        const col_vec *value = argument(&w, 0, &row);
        for (int64_t i = 0; i < w.times && *failed == NULL; i++) {
            base_buf_add_cstr(&buf, buf.n == 0 ? "[" : ", ");
            add_element(&buf, value, row);
            if (buf.n > RESULT_BYTES_MAX) *failed = BASE_SQLSTATE_LIMIT;
        }
    }
    if (buf.n == 0) {
        col_vec_set_null(out, arena, 0);
    } else {
        base_buf_add_byte(&buf, ']');
        keep_string(&buf, arena, out);
    }
    base_buf_deinit(&buf);
}

static base_rc jsonb_object_agg(const agg_use *use, const agg_rows *rows, base_arena *arena,
                                col_vec *out, const char **failed, base_error *err) {
    base_buf buf = {0};
    base_rc rc = BASE_OK;
    for (walk w = walk_start(use, rows); *failed == NULL && walk_next(&w);) {
        uint32_t key_row, row;
        const col_vec *key = argument(&w, 0, &key_row), *value = argument(&w, 1, &row);
        if (col_is_null(key, key_row)) {
            *failed = ACC_SQLSTATE_NULL_KEY;
            break;
        }
        base_buf_add_byte(&buf, buf.n == 0 ? '{' : ',');
        base_buf_add_json_string(&buf, col_str(key)[key_row]);
        base_buf_add_byte(&buf, ':');
        add_element(&buf, value, row);
        if (buf.n > RESULT_BYTES_MAX) *failed = BASE_SQLSTATE_LIMIT;
    }
    if (buf.n == 0) {
        col_vec_set_null(out, arena, 0);
    } else if (*failed == NULL) {
        base_buf_add_byte(&buf, '}');
        base_str text = {base_arena_memdup(arena, buf.p, buf.n), buf.n};
        rc = col_jsonb_canonical(text, arena, &col_str(out)[0], err);
    }
    base_buf_deinit(&buf);
    return rc;
}

// ------------------------------------------------------------------------------------ one value

static void give(const walk *w, uint32_t row, col_vec *out, base_arena *arena) {
    col_vec_copy_cell(out, 0, &w->rows->rows->cols[w->use->args[0]], row, arena);
}

static void mode(const agg_use *use, const agg_rows *rows, base_arena *arena, col_vec *out) {
    int64_t most = 0, times = 0;
    uint32_t begin = AGG_NONE, best = AGG_NONE;
    walk w = walk_start(use, rows);
    while (walk_next(&w)) {
        const col_vec *value = &rows->rows->cols[use->args[0]];
        bool same = begin != AGG_NONE && col_cells_equal(value, begin, value, w.row);
        times = same ? times + w.times : w.times;
        if (!same) begin = w.row;
        if (times <= most) continue;
        most = times;
        best = begin;
    }
    if (best == AGG_NONE) {
        col_vec_set_null(out, arena, 0);
    } else {
        give(&w, best, out, arena);
    }
}

// Where values are looked for by their place: in rows, or in ranks.
typedef struct places {
    const agg_use *use;
    const agg_rows *rows;
    agg_ranks *ranks; // or NULL
} places;

// The value at a place counted from 0, as a vector of one row.
static base_rc value_at(places *p, int64_t place, base_arena *arena, col_vec *one,
                        base_error *err) {
    if (p->ranks != NULL) {
        base_rc rc = agg_rank_at(p->ranks, p->use->filter, &place, err);
        if (rc != BASE_OK) return rc;
        p->rows = &p->ranks->rows;
    }
    walk w = walk_start(p->use, p->rows);
    while (walk_next(&w)) {
        if (place < w.times) break;
        place -= w.times;
    }
    const col_vec *column = &p->rows->rows->cols[p->use->args[0]];
    col_vec_init(one, arena, column->type, 1);
    col_vec_copy_cell(one, 0, column, w.row, arena);
    return BASE_OK;
}

// Of the first value that has the fraction p of all at or before it.
int64_t agg_whole_place(int64_t n, double p) {
    int64_t place = (int64_t)ceil(p * (double)n);
    return place < 1 ? 0 : place - 1;
}

// low + (high - low) * part
static bool between(const col_vec *low, const col_vec *high, double part, col_vec *out) {
    if (low->type.kind == COL_FLOAT8) {
        double a = col_f64(low)[0], b = col_f64(high)[0];
        col_f64(out)[0] = a + part * (b - a);
        return true;
    }
    base_interval a = col_interval(low)[0], b = col_interval(high)[0], gap, *to;
    base_error err;
    to = &col_interval(out)[0];
    if (__builtin_sub_overflow(b.us, a.us, &gap.us) ||
        __builtin_sub_overflow(b.days, a.days, &gap.days) ||
        __builtin_sub_overflow(b.months, a.months, &gap.months) ||
        col_interval_scale(gap, part, false, to, &err) != BASE_OK) {
        return false;
    }
    return !__builtin_add_overflow(to->us, a.us, &to->us) &&
           !__builtin_add_overflow(to->days, a.days, &to->days) &&
           !__builtin_add_overflow(to->months, a.months, &to->months);
}

static base_rc percentile_cont(places *from, int64_t n, double p, base_arena *arena, col_vec *out,
                               const char **failed, base_error *err) {
    double place = p * (double)(n - 1);
    int64_t low = (int64_t)floor(place), high = (int64_t)ceil(place);
    col_vec first, second;
    base_rc rc = value_at(from, low, arena, &first, err);
    if (rc != BASE_OK) return rc;
    if (low == high) {
        *out = first;
        return BASE_OK;
    }
    rc = value_at(from, high, arena, &second, err);
    if (rc != BASE_OK) return rc;
    if (!between(&first, &second, place - (double)low, out)) {
        *failed = BASE_SQLSTATE_DATETIME_OVERFLOW;
    }
    return BASE_OK;
}

// The fractions asked for; false: a null in place of them.
static bool fractions_of(const agg_use *use, base_arena *arena, col_vec *out) {
    const col_vec *direct = use->direct[0];
    if (col_is_null(direct, 0)) return false;
    *out = *direct;
    if (!col_kind_is_array(direct->type.kind)) return true;
    col_lists lists;
    col_array_flatten(arena, direct, &lists);
    *out = lists.elements;
    return true;
}

bool agg_whole_fractions(const agg_use *use, base_arena *arena, const col_vec **out, uint32_t *n) {
    col_vec *fractions = base_arena_new(arena, col_vec);
    if (!fractions_of(use, arena, fractions)) return false;
    *out = fractions;
    *n = fractions->n;
    return true;
}

void agg_whole_give(const acc_spec *spec, const col_vec *values, base_arena *arena, col_vec *out,
                    uint32_t row) {
    if (col_kind_is_array(spec->type.kind) && !col_kind_is_array(values->type.kind)) {
        col_str(out)[row] = col_array_make(arena, values, 0, values->n);
    } else {
        col_vec_copy_cell(out, row, values, 0, arena);
    }
}

// The value for a fraction p of n, as a vector of one row that is ready for it.
static base_rc one_percentile(places *from, const acc_spec *spec, int64_t n, double p,
                              base_arena *arena, col_vec *one, const char **failed,
                              base_error *err) {
    if (spec->id == PLAN_AGG_PERCENTILE_CONT)
        return percentile_cont(from, n, p, arena, one, failed, err);
    col_vec value;
    base_rc rc = value_at(from, agg_whole_place(n, p), arena, &value, err);
    if (rc != BASE_OK) return rc;
    if (spec->id == PLAN_AGG_APPROX_PERCENTILE) {
        double error = agg_whole_error(from->use->agg);
        col_f64(one)[0] = agg_bucket_value(col_i32(&value)[0], error);
    } else {
        *one = value;
    }
    return BASE_OK;
}

static base_rc percentile(places *from, const acc_spec *spec, int64_t n, base_arena *arena,
                          col_vec *out, const char **failed, base_error *err) {
    const agg_use *use = from->use;
    col_vec fractions, values;
    if (n == 0 || !fractions_of(use, arena, &fractions)) {
        col_vec_set_null(out, arena, 0);
        return BASE_OK;
    }
    bool many = col_kind_is_array(use->direct[0]->type.kind);
    col_type type = many ? col_type_element(&spec->type) : spec->type;
    col_vec_init(&values, arena, type, fractions.n);
    for (uint32_t i = 0; i < fractions.n && *failed == NULL; i++) {
        col_vec one;
        col_vec_init(&one, arena, type, 1);
        if (col_is_null(&fractions, i)) {
            col_vec_set_null(&one, arena, 0);
        } else {
            base_rc rc =
                one_percentile(from, spec, n, col_f64(&fractions)[i], arena, &one, failed, err);
            if (rc != BASE_OK) return rc;
        }
        if (*failed == NULL) col_vec_copy_cell(&values, i, &one, 0, arena);
    }
    if (*failed == NULL) agg_whole_give(spec, &values, arena, out, 0);
    return BASE_OK;
}

// ------------------------------------------------------------------------------------ ranks

// How row stands to the hypothetical one: negative if it comes before.
static int compare_direct(const agg_use *use, const col_batch *rows, uint32_t row) {
    const plan_agg *agg = use->agg;
    for (uint32_t k = 0; k < agg->nsort; k++) {
        const col_vec *mine = &rows->cols[k], *theirs = use->direct[k];
        bool a = col_is_null(mine, row), b = col_is_null(theirs, 0);
        if (a && b) continue;
        if (a || b) return a == agg->sort[k].nulls_first ? -1 : 1;
        int order = col_cells_compare(mine, row, theirs, 0);
        if (order != 0) return agg->sort[k].descending ? -order : order;
    }
    return 0;
}

static bool same_keys(const agg_use *use, const col_batch *rows, uint32_t a, uint32_t b) {
    for (uint32_t k = 0; k < use->agg->nsort; k++) {
        if (!col_cells_equal(&rows->cols[k], a, &rows->cols[k], b)) return false;
    }
    return true;
}

static void hypothetical(const agg_use *use, const acc_spec *spec, const agg_rows *rows,
                         col_vec *out) {
    int64_t n = 0, before = 0, peers = 0, ranks = 0;
    uint32_t last = AGG_NONE;
    for (walk w = walk_start(use, rows); walk_next(&w);) {
        int order = compare_direct(use, rows->rows, w.row);
        n += w.times;
        before += order < 0 ? w.times : 0;
        peers += order == 0 ? w.times : 0;
        if (order >= 0) continue;
        if (last == AGG_NONE || !same_keys(use, rows->rows, last, w.row)) ranks++;
        last = w.row;
    }
    switch (spec->id) {
    case PLAN_AGG_RANK:
        col_i64(out)[0] = before + 1;
        return;
    case PLAN_AGG_DENSE_RANK:
        col_i64(out)[0] = ranks + 1;
        return;
    case PLAN_AGG_PERCENT_RANK:
        col_f64(out)[0] = n == 0 ? 0 : (double)before / (double)n;
        return;
    default:
        col_f64(out)[0] = (double)(before + peers + 1) / (double)(n + 1);
    }
}

bool agg_whole_of_nothing(plan_agg_id id) {
    return id == PLAN_AGG_RANK || id == PLAN_AGG_DENSE_RANK || id == PLAN_AGG_PERCENT_RANK ||
           id == PLAN_AGG_CUME_DIST;
}

// ------------------------------------------------------------------------------------ linear ones

// A linear aggregate fed with every distinct value.
static base_rc linear(const agg_use *use, const agg_rows *rows, base_arena *arena, col_vec *out,
                      const char **failed, base_error *err) {
    uint32_t *sel = base_arena_alloc(arena, sizeof(uint32_t) * (rows->n + 1u)), n = 0;
    for (walk w = walk_start(use, rows); walk_next(&w);) sel[n++] = w.row;
    col_vec values[AGG_ARGS_MAX];
    for (uint32_t i = 0; i < use->linear.nargs; i++) {
        if (use->args[i] != AGG_NONE) {
            values[i] = *col_vec_gather(arena, &rows->rows->cols[use->args[i]], sel, n);
            continue;
        }
        uint32_t *zeros = base_arena_array(arena, uint32_t, n + 1u);
        values[i] = *col_vec_gather(arena, use->constants[i], zeros, n);
    }
    char *block = base_arena_zalloc(arena, use->linear.offset + use->linear.size + 8u);
    uint32_t *zeros = base_arena_array(arena, uint32_t, n + 1u);
    base_rc rc = acc_update(&use->linear, block, 0, zeros, values, NULL, arena, err);
    if (rc != BASE_OK) return rc;
    base_error own;
    if (acc_result(&use->linear, block, out, 0, arena, &own) != BASE_OK) {
        *failed = base_arena_strdup(arena, own.sqlstate);
    }
    return BASE_OK;
}

// ------------------------------------------------------------------------------------ entry

static base_rc constant_of(const plan_expr *expr, const char *name, const col_vec **out,
                           base_error *err) {
    if (expr->kind != PLAN_EXPR_CONST) {
        return base_fail(err, BASE_E_UNSUPPORTED, NULL,
                         "a direct argument of %s must be a constant", name);
    }
    *out = expr->constant;
    return BASE_OK;
}

double agg_whole_error(const plan_agg *agg) {
    bool given = agg->def->nargs == 3 && !col_is_null(agg->more[1]->constant, 0);
    return given ? col_f64(agg->more[1]->constant)[0] : PLAN_APPROX_ERROR;
}

base_rc agg_whole_init(agg_use *use, const acc_spec *spec, base_arena *arena, base_error *err) {
    const plan_agg *agg = use->agg;
    if (spec->id < PLAN_AGG_STRING_AGG) {
        plan_agg once = *agg;
        once.distinct = false; // it is fed with each value once
        base_rc rc = acc_spec_init(&use->linear, &once, true, err);
        use->linear.offset = sizeof(int64_t);
        return rc;
    }
    bool hypothetical_set = agg->def->form == PLAN_AGG_HYPOTHETICAL;
    if (agg->def->form != PLAN_AGG_ORDERED_SET && !hypothetical_set) return BASE_OK;
    uint32_t n = hypothetical_set ? agg->nsort : agg->def->nargs - 1u;
    use->direct = base_arena_array(arena, const col_vec *, n + 1u);
    for (uint32_t i = 0; i < n; i++) {
        base_rc rc = constant_of(agg->more[i], agg->def->name, &use->direct[i], err);
        if (rc != BASE_OK) return rc;
    }
    if (spec->id == PLAN_AGG_APPROX_PERCENTILE) {
        double error = agg_whole_error(agg);
        if (!(error >= PLAN_APPROX_ERROR_LEAST && error <= PLAN_APPROX_ERROR_MOST)) {
            return base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_NUMERIC_RANGE,
                             "relative error %g is not between %g and %g", error,
                             PLAN_APPROX_ERROR_LEAST, PLAN_APPROX_ERROR_MOST);
        }
    }
    col_vec fractions;
    if (hypothetical_set || n == 0 || !fractions_of(use, arena, &fractions)) return BASE_OK;
    for (uint32_t i = 0; i < fractions.n; i++) {
        double p = col_is_null(&fractions, i) ? 0 : col_f64(&fractions)[i];
        if (!(p >= 0 && p <= 1)) {
            return base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_NUMERIC_RANGE,
                             "percentile value %g is not between 0 and 1", p);
        }
    }
    return BASE_OK;
}

base_rc agg_whole(const agg_use *use, const acc_spec *spec, const agg_rows *rows, base_arena *arena,
                  col_vec *out, const char **failed, base_error *err) {
    *failed = NULL;
    switch (spec->id) {
    case PLAN_AGG_STRING_AGG:
        string_agg(use, rows, arena, out, failed);
        return BASE_OK;
    case PLAN_AGG_ARRAY_AGG:
        array_agg(use, rows, arena, out, failed);
        return BASE_OK;
    case PLAN_AGG_JSONB_AGG:
        jsonb_agg(use, rows, arena, out, failed);
        return BASE_OK;
    case PLAN_AGG_JSONB_OBJECT_AGG:
        return jsonb_object_agg(use, rows, arena, out, failed, err);
    case PLAN_AGG_MODE:
        mode(use, rows, arena, out);
        return BASE_OK;
    case PLAN_AGG_PERCENTILE_DISC:
    case PLAN_AGG_PERCENTILE_CONT:
    case PLAN_AGG_APPROX_PERCENTILE:
        return percentile(&(places){use, rows, NULL}, spec, count_values(use, rows), arena, out,
                          failed, err);
    case PLAN_AGG_RANK:
    case PLAN_AGG_DENSE_RANK:
    case PLAN_AGG_PERCENT_RANK:
    case PLAN_AGG_CUME_DIST:
        hypothetical(use, spec, rows, out);
        return BASE_OK;
    default:
        return linear(use, rows, arena, out, failed, err);
    }
}

base_rc agg_whole_ranked(const agg_use *use, const acc_spec *spec, agg_ranks *ranks,
                         base_arena *arena, col_vec *out, const char **failed, base_error *err) {
    if (ranks->whole) return agg_whole(use, spec, &ranks->rows, arena, out, failed, err);
    *failed = NULL;
    int64_t n = agg_rank_total(ranks, use->filter);
    if (spec->id != PLAN_AGG_MODE)
        return percentile(&(places){use, NULL, ranks}, spec, n, arena, out, failed, err);
    if (n == 0) {
        col_vec_set_null(out, arena, 0);
        return BASE_OK;
    }
    base_rc rc = agg_rank_most(ranks, use->filter, err);
    if (rc == BASE_OK) mode(use, &ranks->rows, arena, out);
    return rc;
}
