// compare.c - the rows of a view on two sides; see compare.h.
//
// Method: rows are cast into buckets by the hash of their key, and the digests of each bucket are
// compared. Where all are equal one pass over both sides was enough, in memory that does not grow.
// Else the rows of differing buckets alone are collected, as many buckets at a time as a limit of
// rows allows, sorted by key and merged. Entry point: engine_compare.
#include "engine/version/compare.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/decimal.h"
#include "base/hash.h"
#include "base/must.h"
#include "col/kernel.h"

#define BUCKETS      65536u
#define COLLECT_ROWS 200000u // at once
#define CLOSE        1e-9

typedef struct bucket {
    base_u128 difference; // of the sides' sums
    uint64_t rows;        // of both
} bucket;

typedef struct kept_row {
    base_str key, bytes;
    int64_t weight;
    bool of_b;
} kept_row;

typedef struct comparing {
    const engine_side *a, *b;
    uint32_t declared;
    col_type *types;
    uint32_t *columns; // 0, 1, 2, ...
    bucket *buckets;
    base_arena batch_arena; // reset for each batch
    base_buf row;
    base_rc (*visit)(void *arg, const engine_difference *d, base_error *err);
    base_rc (*each)(void *arg, const col_batch *rows, base_error *err);
    void *arg;
    volatile bool *cancel;
    engine_compare_result *out;
    // The side and the pass at hand.
    bool of_b;
    base_u128 sum;
    uint64_t nrows;
    uint32_t from, upto; // buckets that are collected
    base_arena kept_arena;
    kept_row *kept;
    uint32_t nkept, kept_cap;
} comparing;

engine_side engine_side_of(const plan_object *object, const engine_view_snapshot *snapshot) {
    return (engine_side){object, snapshot->appended, snapshot->rows, snapshot->txn, false};
}

static base_str *keys_of(comparing *c, const col_batch *rows) {
    const plan_object *object = c->a->object;
    base_str *keys = base_arena_array(&c->batch_arena, base_str, rows->nrows + 1);
    if (object->nview_key > 0)
        col_keys_encode(NULL, &c->batch_arena, rows, object->nview_key, object->view_key, keys);
    else
        col_keys_encode_exact(NULL, &c->batch_arena, rows, c->declared, c->columns, c->types, keys);
    return keys;
}

static uint32_t bucket_of(base_str key) {
    return (uint32_t)(base_hash64(key.p, key.n) % BUCKETS);
}

static base_rc begin_batch(comparing *c, const col_batch **rows, base_error *err) {
    if (c->cancel != NULL && *c->cancel)
        return base_fail(err, BASE_E_CANCELLED, BASE_SQLSTATE_CANCELLED, "cancelled");
    base_arena_reset(&c->batch_arena);
    *rows = col_batch_project(&c->batch_arena, *rows, c->declared, c->columns);
    return BASE_OK;
}

static base_rc count_rows(void *arg, const col_batch *rows, base_error *err) {
    comparing *c = arg;
    base_rc rc = begin_batch(c, &rows, err);
    if (rc != BASE_OK) return rc;
    const base_str *keys = keys_of(c, rows);
    for (uint32_t i = 0; i < rows->nrows; i++) {
        base_buf_clear(&c->row);
        base_buf_add_u32be(&c->row, (uint32_t)keys[i].n);
        base_buf_add(&c->row, keys[i].p, keys[i].n);
        col_row_encode(&c->row, rows, i, c->declared, c->columns);
        uint8_t bytes[16];
        base_u128 hash;
        base_hash128(c->row.p, c->row.n, bytes);
        memcpy(&hash, bytes, sizeof hash);
        int64_t weight = col_weight(rows, i);
        hash *= (base_u128)(base_i128)weight;
        bucket *to = &c->buckets[bucket_of(keys[i])];
        to->difference += c->of_b ? -hash : hash;
        to->rows++;
        c->sum += hash;
        c->nrows += (uint64_t)weight;
    }
    return c->each != NULL && !c->of_b ? c->each(c->arg, rows, err) : BASE_OK;
}

static base_rc keep_rows(void *arg, const col_batch *rows, base_error *err) {
    comparing *c = arg;
    base_rc rc = begin_batch(c, &rows, err);
    if (rc != BASE_OK) return rc;
    const base_str *keys = keys_of(c, rows);
    for (uint32_t i = 0; i < rows->nrows; i++) {
        uint32_t at = bucket_of(keys[i]);
        if (at < c->from || at >= c->upto || c->buckets[at].difference == 0) continue;
        if (c->nkept == c->kept_cap) {
            c->kept_cap = c->kept_cap == 0 ? 1024 : c->kept_cap * 2;
            c->kept = realloc(c->kept, c->kept_cap * sizeof *c->kept);
            must(c->kept != NULL);
        }
        base_buf_clear(&c->row);
        col_row_encode(&c->row, rows, i, c->declared, c->columns);
        c->kept[c->nkept++] =
            (kept_row){{base_arena_memdup(&c->kept_arena, keys[i].p, keys[i].n), keys[i].n},
                       {base_arena_memdup(&c->kept_arena, c->row.p, c->row.n), c->row.n},
                       col_weight(rows, i),
                       c->of_b};
    }
    return BASE_OK;
}

static base_rc scan(comparing *c, bool of_b,
                    base_rc (*take)(void *arg, const col_batch *rows, base_error *err),
                    base_error *err) {
    const engine_side *side = of_b ? c->b : c->a;
    c->of_b = of_b;
    return engine_view_scan_txn(side->object, side->appended, side->rows, side->txn,
                                ENGINE_NO_WATERMARK, 8192, take, c, err);
}

// ---- one key ------------------------------------------------------------------------------------

static base_rc decode(comparing *c, base_str bytes, const col_batch **out, base_error *err) {
    col_batch *batch = col_batch_create(&c->batch_arena, c->declared, c->types, 1);
    size_t at = 0;
    base_rc rc =
        col_row_decode(bytes, &at, batch, 0, c->declared, c->columns, &c->batch_arena, err);
    *out = col_batch_slice(&c->batch_arena, batch, 0, 1);
    return rc;
}

static bool close_floats(double a, double b) {
    if (a == b || (isnan(a) && isnan(b))) return true;
    return fabs(a - b) <= CLOSE * fmax(fabs(a), fabs(b));
}

static bool is_close(const comparing *c, const col_batch *a, const col_batch *b) {
    for (uint32_t i = 0; i < c->declared; i++) {
        const col_vec *x = &a->cols[i], *y = &b->cols[i];
        bool no_x = col_is_null(x, 0), no_y = col_is_null(y, 0);
        if (no_x || no_y) {
            if (no_x != no_y) return false;
            continue;
        }
        bool same = x->type.kind == COL_FLOAT8   ? close_floats(col_f64(x)[0], col_f64(y)[0])
                    : x->type.kind == COL_FLOAT4 ? close_floats(col_f32(x)[0], col_f32(y)[0])
                                                 : col_cells_equal(x, 0, y, 0);
        if (!same) return false;
    }
    return true;
}

static base_rc compare_key(comparing *c, const kept_row *a, const kept_row *b, base_error *err) {
    if (a != NULL && b != NULL && a->weight == b->weight && base_str_eq(a->bytes, b->bytes))
        return BASE_OK;
    base_arena_reset(&c->batch_arena);
    engine_difference d = {NULL, NULL, a == NULL ? 0 : a->weight, b == NULL ? 0 : b->weight};
    base_rc rc = BASE_OK;
    if (a != NULL) rc = decode(c, a->bytes, &d.a, err);
    if (rc == BASE_OK && b != NULL) rc = decode(c, b->bytes, &d.b, err);
    if (rc != BASE_OK) return rc;
    if (!c->a->exact && d.a != NULL && d.b != NULL && d.a_weight == d.b_weight &&
        is_close(c, d.a, d.b)) {
        c->out->close++;
        return BASE_OK;
    }
    if (b == NULL)
        c->out->only_a++;
    else if (a == NULL)
        c->out->only_b++;
    else
        c->out->differing++;
    return c->visit == NULL ? BASE_OK : c->visit(c->arg, &d, err);
}

static int by_key(const void *x, const void *y) {
    const kept_row *a = x, *b = y;
    int order = base_str_cmp(a->key, b->key);
    return order != 0 ? order : (int)a->of_b - (int)b->of_b;
}

// A view without a key that only grows may have a row in several places: as one.
static uint32_t join_same(kept_row *rows, uint32_t n) {
    uint32_t m = 0;
    for (uint32_t i = 0; i < n; i++) {
        if (m > 0 && by_key(&rows[m - 1], &rows[i]) == 0 &&
            base_str_eq(rows[m - 1].bytes, rows[i].bytes))
            rows[m - 1].weight += rows[i].weight;
        else
            rows[m++] = rows[i];
    }
    return m;
}

static base_rc compare_kept(comparing *c, base_error *err) {
    if (c->nkept > 0) qsort(c->kept, c->nkept, sizeof *c->kept, by_key);
    uint32_t n = join_same(c->kept, c->nkept);
    base_rc rc = BASE_OK;
    for (uint32_t i = 0; rc == BASE_OK && i < n;) {
        const kept_row *first = &c->kept[i], *second = i + 1 < n ? first + 1 : NULL;
        bool pair =
            second != NULL && !first->of_b && second->of_b && base_str_eq(first->key, second->key);
        if (pair)
            rc = compare_key(c, first, second, err);
        else
            rc = compare_key(c, first->of_b ? NULL : first, first->of_b ? first : NULL, err);
        i += pair ? 2 : 1;
    }
    return rc;
}

// ---- the passes ---------------------------------------------------------------------------------

static base_rc first_pass(comparing *c, base_error *err) {
    base_rc rc = scan(c, false, count_rows, err);
    memcpy(c->out->a_digest, &c->sum, 16);
    c->out->a_rows = c->nrows;
    c->sum = 0, c->nrows = 0;
    if (rc == BASE_OK) rc = scan(c, true, count_rows, err);
    memcpy(c->out->b_digest, &c->sum, 16);
    c->out->b_rows = c->nrows;
    return rc;
}

static base_rc further_passes(comparing *c, base_error *err) {
    base_rc rc = BASE_OK;
    for (uint32_t at = 0; rc == BASE_OK && at < BUCKETS;) {
        uint64_t rows = 0;
        c->from = at;
        do {
            if (c->buckets[at].difference != 0) rows += c->buckets[at].rows;
            at++;
        } while (at < BUCKETS &&
                 (c->buckets[at].difference == 0 || rows + c->buckets[at].rows <= COLLECT_ROWS));
        c->upto = at;
        if (rows == 0) continue;
        c->nkept = 0;
        base_arena_reset(&c->kept_arena);
        rc = scan(c, false, keep_rows, err);
        if (rc == BASE_OK) rc = scan(c, true, keep_rows, err);
        if (rc == BASE_OK) rc = compare_kept(c, err);
    }
    return rc;
}

base_rc engine_compare(const engine_side *a, const engine_side *b,
                       base_rc (*visit)(void *arg, const engine_difference *d, base_error *err),
                       base_rc (*each)(void *arg, const col_batch *rows, base_error *err),
                       void *arg, volatile bool *cancel, engine_compare_result *out,
                       base_error *err) {
    *out = (engine_compare_result){0};
    comparing c = {.a = a,
                   .b = b,
                   .declared = engine_declared_columns(a->object),
                   .visit = visit,
                   .each = each,
                   .arg = arg,
                   .cancel = cancel,
                   .out = out};
    must(c.declared == engine_declared_columns(b->object));
    base_arena fixed;
    base_arena_init(&fixed, 1024);
    base_arena_init(&c.batch_arena, 1 << 16);
    base_arena_init(&c.kept_arena, 1 << 16);
    c.types = base_arena_array(&fixed, col_type, c.declared + 1);
    c.columns = base_arena_array(&fixed, uint32_t, c.declared + 1);
    for (uint32_t i = 0; i < c.declared; i++) {
        c.types[i] = a->object->columns[i].type;
        c.columns[i] = i;
    }
    c.buckets = calloc(BUCKETS, sizeof *c.buckets);
    must(c.buckets != NULL);
    base_rc rc = first_pass(&c, err);
    if (rc == BASE_OK) rc = further_passes(&c, err);
    free(c.buckets);
    free(c.kept);
    base_buf_deinit(&c.row);
    base_arena_deinit(&c.kept_arena);
    base_arena_deinit(&c.batch_arena);
    base_arena_deinit(&fixed);
    return rc;
}

// ---- texts --------------------------------------------------------------------------------------

static void add_cell(const plan_object *view, const col_batch *rows, uint32_t row, uint32_t i,
                     base_buf *buf) {
    if (buf->n > 0 && buf->p[buf->n - 1] != '{') base_buf_add_byte(buf, ',');
    base_buf_add_json_string(buf, base_str_of(view->columns[i].name));
    base_buf_add_byte(buf, ':');
    if (col_is_null(&rows->cols[i], row))
        base_buf_add_cstr(buf, "null");
    else
        col_json_format(&rows->cols[i], row, buf);
}

void engine_row_json(const plan_object *view, const col_batch *rows, uint32_t row, base_buf *buf) {
    base_buf_add_byte(buf, '{');
    for (uint32_t i = 0; i < engine_declared_columns(view); i++) add_cell(view, rows, row, i, buf);
    base_buf_add_byte(buf, '}');
}

void engine_key_json(const plan_object *view, const col_batch *rows, uint32_t row, base_buf *buf) {
    if (view->nview_key == 0) {
        engine_row_json(view, rows, row, buf);
        return;
    }
    base_buf_add_byte(buf, '{');
    for (uint32_t k = 0; k < view->nview_key; k++)
        add_cell(view, rows, row, view->view_key[k], buf);
    base_buf_add_byte(buf, '}');
}
