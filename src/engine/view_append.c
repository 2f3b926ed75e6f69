// view_append.c - the rows of views whose plan only ever adds rows and gives them no key: each
// step's delta is kept as one batch, column by column, in the order of steps. The same record is
// the step's entry in the change log: such a view has no other, and it is never trimmed.
//
// Table vN: step (8 bytes, big-endian) -> at_us, watermark_us, batch (col_batch_encode), as in cN
// of other views. A large delta is several records of RECORD_ROWS rows at most, so that the bytes
// of one are still in the processor's cache when they are summed and stored; those after the first
// lie under the step and PART_FLAG | number (4 bytes more). What a fill writes lies under the step
// and a running number without the flag: history is part of the view, but of no change.
// Entry points: engine_append_apply, engine_append_scan.

#include <string.h>

#include "base/must.h"
#include "col/codec.h"
#include "engine/engine_int.h"

#define HEAD_BYTES  16u // at_us, watermark_us
#define RECORD_ROWS 4096u
#define PART_FLAG   0x80000000u

static base_rc check_grows(const engine_view *view, const col_batch *delta, base_error *err) {
    for (uint32_t i = 0; delta->weights != NULL && i < delta->nrows; i++) {
        if (delta->weights[i] > 0) continue;
        return base_fail(err, BASE_E_INTERNAL, NULL,
                         "view \"%s.%s\": a row was retracted from a view that only grows",
                         view->object->schema, view->object->name);
    }
    return BASE_OK;
}

// One record; `part`: its number in the step's delta.
static base_rc append_record(engine_flow *flow, engine_view *view, uint32_t part,
                             const col_batch *rows, base_buf *value, base_error *err) {
    base_rc rc = check_grows(view, rows, err);
    if (rc != BASE_OK) return rc;
    char bytes[12];
    base_buf key = {.p = bytes, .cap = sizeof bytes};
    base_buf_add_u64be(&key, flow->step + 1);
    if (view->filling)
        base_buf_add_u32be(&key, view->fill_seq++);
    else if (part > 0)
        base_buf_add_u32be(&key, PART_FLAG | part);
    base_buf_clear(value);
    base_buf_add_u64le(value, (uint64_t)flow->now_us);
    base_buf_add_u64le(value, (uint64_t)view->watermark_us);
    col_batch_encode(value, rows);
    rc = state_append(flow->txn, view->rows, base_buf_str(&key), base_buf_str(value), err);
    for (uint32_t i = 0; rc == BASE_OK && i < rows->nrows; i++)
        view->nrows += (uint64_t)col_weight(rows, i);
    return rc;
}

base_rc engine_append_apply(engine_flow *flow, engine_view *view, uint32_t n,
                            const col_batch *const *parts, base_error *err) {
    base_arena *arena = &flow->step_arena;
    uint32_t most = flow->engine->config.batch_rows;
    if (most == 0 || most > RECORD_ROWS) most = RECORD_ROWS;
    base_buf value = {0};
    base_rc rc = BASE_OK;
    uint32_t number = 0;
    for (uint32_t i = 0; rc == BASE_OK && i < n;) {
        // Small batches go together, large ones in slices.
        uint32_t some = 1;
        uint64_t rows = parts[i]->nrows;
        while (i + some < n && rows + parts[i + some]->nrows <= most)
            rows += parts[i + some++]->nrows;
        const col_batch *all = parts[i];
        if (some > 1) {
            col_type *types = base_arena_array(arena, col_type, all->ncols + 1);
            for (uint32_t c = 0; c < all->ncols; c++) types[c] = all->cols[c].type;
            all = col_batch_concat(arena, all->ncols, types, some, parts + i);
        }
        for (uint32_t at = 0; rc == BASE_OK && at < all->nrows; at += most) {
            uint32_t left = all->nrows - at;
            const col_batch *slice =
                left == all->nrows && left <= most
                    ? all
                    : col_batch_slice(arena, all, at, left < most ? left : most);
            rc = append_record(flow, view, number++, slice, &value, err);
        }
        i += some;
    }
    base_buf_deinit(&value);
    if (rc == BASE_OK && number > 0) view->changed_step = flow->step + 1;
    return rc;
}

bool engine_append_is_part(base_str key, uint64_t step) {
    uint64_t of = 0;
    for (size_t i = 0; key.n == 12 && i < 8; i++) of = of << 8 | (uint8_t)key.p[i];
    return key.n == 12 && of == step && ((uint8_t)key.p[8] & 0x80) != 0;
}

// ---- reading ------------------------------------------------------------------------------------

// Small batches are joined up to `most` rows, larger ones cut, so that a visitor is called neither
// a row at a time nor with all at once.
typedef struct append_scan {
    const plan_object *object;
    uint32_t declared, most;
    col_type *types; // of the declared columns
    base_arena arena;
    uint32_t npieces, nrows;
    const col_batch **pieces; // of the declared columns and the system columns
    base_rc (*visit)(void *arg, const col_batch *rows, base_error *err);
    void *arg;
} append_scan;

#define PIECES_MAX 1024u

static col_batch *with_system_columns(append_scan *s, const col_batch *rows, int64_t at_us) {
    uint32_t n = rows->nrows;
    col_batch *out = base_arena_new(&s->arena, col_batch);
    *out = (col_batch){
        .ncols = s->declared + ENGINE_VIEW_SYSTEM_COLUMNS, .nrows = n, .weights = rows->weights};
    out->cols = base_arena_array(&s->arena, col_vec, out->ncols);
    memcpy(out->cols, rows->cols, s->declared * sizeof *rows->cols);
    col_vec *status = &out->cols[s->declared], *revision = status + 1, *updated = status + 2;
    col_vec_init(status, &s->arena, col_type_of(COL_TEXT), n);
    col_vec_init(revision, &s->arena, col_type_of(COL_INT8), n);
    col_vec_init(updated, &s->arena, col_type_of(COL_TIMESTAMPTZ), n);
    for (uint32_t i = 0; i < n; i++) {
        col_str(status)[i] = BASE_STR("current");
        col_i64(revision)[i] = 1;
        col_i64(updated)[i] = at_us;
    }
    return out;
}

static base_rc give_pieces(append_scan *s, base_error *err) {
    base_rc rc = BASE_OK;
    if (s->nrows > 0) {
        uint32_t n = s->declared + ENGINE_VIEW_SYSTEM_COLUMNS;
        col_type *types = base_arena_array(&s->arena, col_type, n);
        for (uint32_t i = 0; i < n; i++) types[i] = s->pieces[0]->cols[i].type;
        const col_batch *all = s->npieces == 1
                                   ? s->pieces[0]
                                   : col_batch_concat(&s->arena, n, types, s->npieces, s->pieces);
        for (uint32_t at = 0; rc == BASE_OK && at < all->nrows; at += s->most) {
            uint32_t some = all->nrows - at < s->most ? all->nrows - at : s->most;
            rc = s->visit(s->arg, col_batch_slice(&s->arena, all, at, some), err);
        }
    }
    s->npieces = s->nrows = 0;
    base_arena_reset(&s->arena);
    s->pieces = base_arena_array(&s->arena, const col_batch *, PIECES_MAX);
    return rc;
}

static base_rc scan_record(append_scan *s, base_str value, base_error *err) {
    if (value.n < HEAD_BYTES)
        return base_fail(err, BASE_E_CORRUPT, NULL, "view \"%s.%s\": a stored batch is damaged",
                         s->object->schema, s->object->name);
    uint32_t n = col_batch_encoded_rows((base_str){value.p + HEAD_BYTES, value.n - HEAD_BYTES});
    if (s->npieces == PIECES_MAX || (s->nrows > 0 && s->nrows + n > s->most)) {
        base_rc rc = give_pieces(s, err);
        if (rc != BASE_OK) return rc;
    }
    // A visitor may outlive the snapshot, and the decoded strings are borrowed.
    base_str bytes = {base_arena_memdup(&s->arena, value.p, value.n), value.n};
    int64_t at_us;
    memcpy(&at_us, bytes.p, sizeof at_us);
    col_batch *rows;
    base_rc rc = col_batch_decode((base_str){bytes.p + HEAD_BYTES, bytes.n - HEAD_BYTES}, &s->arena,
                                  s->declared, s->types, &rows, err);
    if (rc != BASE_OK) return rc;
    s->pieces[s->npieces++] = with_system_columns(s, rows, at_us);
    s->nrows += rows->nrows;
    return BASE_OK;
}

base_rc engine_append_scan(const plan_object *object, state_table rows, state_txn *txn,
                           uint32_t batch_rows,
                           base_rc (*visit)(void *arg, const col_batch *rows, base_error *err),
                           void *arg, base_error *err) {
    return engine_append_scan_upto(object, rows, txn, UINT64_MAX, batch_rows, visit, arg, err);
}

static bool is_after(base_str key, uint64_t step) {
    uint64_t of = 0;
    for (size_t i = 0; i < 8 && i < key.n; i++) of = of << 8 | (uint8_t)key.p[i];
    return of > step;
}

base_rc engine_append_scan_upto(const plan_object *object, state_table rows, state_txn *txn,
                                uint64_t upto, uint32_t batch_rows,
                                base_rc (*visit)(void *arg, const col_batch *rows, base_error *err),
                                void *arg, base_error *err) {
    append_scan s = {.object = object,
                     .declared = engine_declared_columns(object),
                     .most = batch_rows,
                     .visit = visit,
                     .arg = arg};
    base_arena kept;
    base_arena_init(&kept, 1 << 12);
    base_arena_init(&s.arena, 1 << 16);
    s.types = base_arena_array(&kept, col_type, s.declared + 1);
    for (uint32_t i = 0; i < s.declared; i++) s.types[i] = object->columns[i].type;
    state_cursor *cursor;
    base_rc rc = state_cursor_open(txn, rows, &cursor, err);
    if (rc == BASE_OK) {
        base_str key, value;
        bool end;
        rc = give_pieces(&s, err);
        if (rc == BASE_OK)
            rc = state_cursor_seek(cursor, (base_str){NULL, 0}, &key, &value, &end, err);
        while (rc == BASE_OK && !end && !is_after(key, upto)) {
            rc = scan_record(&s, value, err);
            if (rc == BASE_OK) rc = state_cursor_next(cursor, &key, &value, &end, err);
        }
        if (rc == BASE_OK) rc = give_pieces(&s, err);
        state_cursor_close(cursor);
    }
    base_arena_deinit(&s.arena);
    base_arena_deinit(&kept);
    return rc;
}
