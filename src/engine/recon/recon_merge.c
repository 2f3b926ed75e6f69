// recon_merge.c - two sorted sides, merged to counts and findings. Each key falls in exactly one
// class:
//   matched      once on each side, and every compared column agrees (within its tolerance)
//   differing    once on each side, and some column does not; NULL agrees with NULL only
//   missing      in the book, not in weir
//   unexpected   in weir, not in the book
//   duplicated   more than once in the book, or in weir: there is nothing to compare it with
// A key of which some row, on either side, is younger than the settling time is not judged.
// WHERE says which rows are compared. It is asked of weir's rows and, if it uses key columns only,
// of the book's; a row of the book whose key weir has only in rows that WHERE leaves out is
// skipped, not missing (so "WHERE _status = 'final'" does not report what is not final yet).
//
// Invariants: findings come in the order of their keys, so that equal inputs give equal results.
// Entry point: recon_merge.

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/must.h"
#include "col/kernel.h"
#include "engine/recon/recon_int.h"

#define LINES_SHOWN 5u

// The rows of one key on one side.
typedef struct group {
    int64_t in, out; // rows in scope and not
    bool young;
    bool taken;   // row holds one in scope
    base_buf row; // the value of the first in scope (or of the first)
    uint32_t nplaces, nlines;
    engine_finding_place places[ENGINE_FINDING_PLACES];
    uint32_t lines[LINES_SHOWN];
    uint32_t rows; // entries
} group;

typedef struct reader {
    recon_side *side;
    base_buf key; // of the entry that comes next, unless end
    base_buf value;
    bool end;
    group group;
    col_batch *row; // the group's row, decoded; one row
    base_arena arena;
    base_str status;
} reader;

typedef struct merging {
    engine_recon *x;
    reader weir, book;
    base_arena scratch; // of one key
    col_builder *keys, *weir_rows, *book_rows;
    engine_finding *items;
    uint32_t n, cap;
} merging;

// ---- reading groups -----------------------------------------------------------------------------

static base_rc next_entry(reader *r, base_error *err) {
    base_str key, value;
    base_rc rc = recon_sorter_next(r->side->sorter, &key, &value, &r->end, err);
    if (rc != BASE_OK || r->end) return rc;
    base_buf_clear(&r->key);
    base_buf_clear(&r->value);
    base_buf_add_str(&r->key, key);
    base_buf_add_str(&r->value, value);
    return BASE_OK;
}

static void add_to_group(group *g, base_str value) {
    recon_row_info info;
    must(value.n >= sizeof info);
    memcpy(&info, value.p, sizeof info);
    g->young |= info.young;
    if (g->nlines < LINES_SHOWN) g->lines[g->nlines++] = info.line;
    g->rows++;
    if (info.partition != UINT32_MAX && g->nplaces < ENGINE_FINDING_PLACES)
        g->places[g->nplaces++] = (engine_finding_place){info.partition, 0, info.offset};
    if (g->rows == 1 || (info.in_scope && g->in == 0)) {
        base_buf_clear(&g->row);
        base_buf_add_str(&g->row, value);
    }
    *(info.in_scope ? &g->in : &g->out) += info.count;
}

// Takes all entries of the key that comes next, and leaves the entry after them.
static base_rc read_group(reader *r, base_buf *key, base_error *err) {
    base_buf_clear(key);
    base_buf_add_str(key, base_buf_str(&r->key));
    base_rc rc = BASE_OK;
    while (rc == BASE_OK && !r->end && base_str_eq(base_buf_str(&r->key), base_buf_str(key))) {
        add_to_group(&r->group, base_buf_str(&r->value));
        rc = next_entry(r, err);
    }
    return rc;
}

static void clear_group(group *g) {
    base_buf row = g->row;
    base_buf_clear(&row);
    *g = (group){.row = row};
}

// The group's row as a batch; strings are borrowed from the group.
static base_rc decode_row(reader *r, base_error *err) {
    base_arena_reset(&r->arena);
    recon_row_info info;
    memcpy(&info, r->group.row.p, sizeof info);
    base_str bytes = base_buf_str(&r->group.row);
    r->status = (base_str){bytes.p + sizeof info, info.status_n};
    size_t at = sizeof info + info.status_n;
    uint32_t n = r->side->ncols;
    uint32_t *columns = base_arena_array(&r->arena, uint32_t, n + 1);
    for (uint32_t i = 0; i < n; i++) columns[i] = i;
    r->row = col_batch_create(&r->arena, n, r->side->types, 1);
    return col_row_decode(bytes, &at, r->row, 0, n, columns, &r->arena, err);
}

// ---- comparing ----------------------------------------------------------------------------------

base_decimal recon_decimal_of(const col_vec *vec, uint32_t row) {
    switch (vec->type.kind) {
    case COL_INT2:
        return base_decimal_from_i64(col_i16(vec)[row]);
    case COL_INT4:
        return base_decimal_from_i64(col_i32(vec)[row]);
    case COL_INT8:
        return base_decimal_from_i64(col_i64(vec)[row]);
    default:
        must(vec->type.kind == COL_NUMERIC);
        return col_dec(vec)[row];
    }
}

double recon_double_of(const col_vec *vec, uint32_t row) {
    if (vec->type.kind == COL_FLOAT4) return (double)col_f32(vec)[row];
    if (vec->type.kind == COL_FLOAT8) return col_f64(vec)[row];
    return base_decimal_to_double(recon_decimal_of(vec, row));
}

static bool floats_agree(const col_vec *weir, const col_vec *book, uint32_t row,
                         const plan_compare *compare) {
    double a = weir->type.kind == COL_FLOAT4 ? col_f32(weir)[row] : col_f64(weir)[row];
    double b = col_f64(book)[row];
    // The book's text may have more digits than a real keeps.
    if (weir->type.kind == COL_FLOAT4) b = (double)(float)b;
    if (a == b || (isnan(a) && isnan(b))) return true;
    if (!isfinite(a) || !isfinite(b)) return false; // a share of infinity would be near to all
    double tolerance = base_decimal_to_double(compare->tolerance);
    if (compare->percent) tolerance = fabs(b) / 100 * tolerance;
    return fabs(a - b) <= tolerance;
}

static bool decimals_agree(base_decimal a, base_decimal b, const plan_compare *compare) {
    if (base_decimal_cmp(a, b) == 0) return true;
    base_decimal d, share;
    base_error ignored;
    if (base_decimal_sub(a, b, &d, &ignored) != BASE_OK) return false; // beyond 38 digits: not near
    d = base_decimal_abs(d);
    if (!compare->percent) return base_decimal_cmp(d, compare->tolerance) <= 0;
    // |a - b| * 100 <= |b| * tolerance
    if (base_decimal_mul(d, base_decimal_from_i64(100), &d, &ignored) != BASE_OK) return false;
    if (base_decimal_mul(base_decimal_abs(b), compare->tolerance, &share, &ignored) != BASE_OK)
        return false;
    return base_decimal_cmp(d, share) <= 0;
}

bool recon_cells_agree(const plan_compare *compare, const col_vec *weir, const col_vec *book,
                       uint32_t row) {
    if (col_is_null(weir, row) || col_is_null(book, row))
        return col_is_null(weir, row) && col_is_null(book, row);
    if (weir->type.kind == COL_FLOAT4 || weir->type.kind == COL_FLOAT8)
        return floats_agree(weir, book, row, compare);
    if (col_kind_is_number(weir->type.kind))
        return decimals_agree(recon_decimal_of(weir, row), recon_decimal_of(book, row), compare);
    return col_cells_equal(weir, row, book, row);
}

static bool rows_agree(const merging *m) {
    uint32_t nkey = m->x->r->nrecon_key;
    for (uint32_t i = nkey; i < nkey + m->x->r->ncompare; i++)
        if (!recon_cells_agree(&m->x->r->compare[i - nkey], &m->weir.row->cols[i],
                               &m->book.row->cols[i], 0))
            return false;
    return true;
}

// ---- findings -----------------------------------------------------------------------------------

// A copy of a row whose strings live as long as the run.
static const col_batch *kept_row(merging *m, const reader *r) {
    return r->group.rows == 0 ? NULL : col_batch_copy(m->x->arena, r->row);
}

static void add_cells(col_builder *builder, const col_batch *row, uint32_t first, uint32_t n) {
    col_builder_new_row(builder, 1);
    for (uint32_t i = 0; row != NULL && i < n; i++)
        if (!col_is_null(&row->cols[first + i], 0))
            col_builder_set(builder, i, &row->cols[first + i], 0);
}

// Of the kind, the key and the values that were compared: what else a row holds may change.
static uint64_t digest_of(const merging *m, engine_finding_kind kind, const engine_finding *f) {
    uint32_t nkey = m->x->r->nrecon_key, n = nkey + m->x->r->ncompare;
    base_buf buf = {0};
    base_buf_add_byte(&buf, (uint8_t)kind);
    base_buf_add_u64be(&buf, (uint64_t)f->weir_count);
    base_buf_add_u64be(&buf, (uint64_t)f->book_count);
    const reader *readers[] = {&m->weir, &m->book};
    for (uint32_t s = 0; s < 2; s++)
        for (uint32_t i = 0; readers[s]->group.rows > 0 && i < n; i++)
            col_key_encode(&buf, &readers[s]->row->cols[i], 0);
    uint64_t digest = base_hash64(buf.p, buf.n);
    base_buf_deinit(&buf);
    return digest;
}

static char *rows_note(const merging *m, const group *g) {
    base_buf buf = {0};
    if (g->lines[0] == 0) {
        base_buf_printf(&buf, "%lld rows", (long long)g->in);
    } else {
        base_buf_add_cstr(&buf, "lines ");
        for (uint32_t i = 0; i < g->nlines; i++)
            base_buf_printf(&buf, "%s%u", i > 0 ? ", " : "", g->lines[i]);
        if (g->rows > g->nlines) base_buf_printf(&buf, " and %u more", g->rows - g->nlines);
    }
    char *text = base_arena_memdup(m->x->arena, buf.p, buf.n);
    base_buf_deinit(&buf);
    return text;
}

static bool has_room(const merging *m) {
    return m->n < ENGINE_FINDINGS_MAX && m->x->arena->total_bytes < m->x->memory_bytes / 2;
}

static void add_finding(merging *m, engine_finding_kind kind) {
    engine_recon *x = m->x;
    if (!has_room(m)) {
        x->run->findings.unlisted++;
        return;
    }
    if (m->n == m->cap) {
        m->cap = m->cap == 0 ? 64 : m->cap * 2;
        m->items = realloc(m->items, m->cap * sizeof *m->items);
        must(m->items != NULL);
    }
    const group *w = &m->weir.group, *b = &m->book.group;
    engine_finding *f = &m->items[m->n++];
    *f = (engine_finding){.kind = kind, .weir_count = w->in, .book_count = b->in};
    f->first_seen_us = x->run->as_of_us;
    f->digest = digest_of(m, kind, f);
    f->nplaces = w->nplaces;
    if (w->nplaces > 0) {
        engine_finding_place *places = base_arena_array(x->arena, engine_finding_place, w->nplaces);
        memcpy(places, w->places, w->nplaces * sizeof *places);
        f->places = places;
    }
    if (m->weir.group.rows > 0 && m->weir.status.n > 0)
        f->status = base_arena_memdup(x->arena, m->weir.status.p, m->weir.status.n);
    if (kind == ENGINE_FINDING_DUPLICATED) f->reason = rows_note(m, w);
    if (kind == ENGINE_FINDING_DUPLICATED_IN_BOOK) f->reason = rows_note(m, b);
    uint32_t nkey = x->r->nrecon_key;
    const col_batch *weir = kept_row(m, &m->weir), *book = kept_row(m, &m->book);
    add_cells(m->keys, weir != NULL ? weir : book, 0, nkey);
    add_cells(m->weir_rows, weir, nkey, x->r->ncompare);
    add_cells(m->book_rows, book, 0, x->spec.nfields);
}

// ---- merging ------------------------------------------------------------------------------------

static void judge_pair(merging *m) {
    if (rows_agree(m)) {
        m->x->run->matched++;
    } else {
        m->x->run->differing++;
        add_finding(m, ENGINE_FINDING_DIFFERING);
    }
}

static base_rc classify(merging *m, base_error *err) {
    engine_recon_run *run = m->x->run;
    const group *b = &m->book.group, *w = &m->weir.group;
    run->record_rows += (uint64_t)b->in;
    run->view_rows += (uint64_t)w->in;
    run->skipped += (uint64_t)b->out;
    if (b->in > 0 && w->in == 0 && w->out > 0) {
        run->skipped += (uint64_t)b->in;
        run->record_rows -= (uint64_t)b->in;
        return BASE_OK;
    }
    if (b->in == 0 && (w->in == 0 || b->out > 0)) return BASE_OK;
    if (b->young || w->young) {
        run->young++;
        return BASE_OK;
    }
    base_rc rc = BASE_OK;
    if (w->rows > 0) rc = decode_row(&m->weir, err);
    if (rc == BASE_OK && b->rows > 0) rc = decode_row(&m->book, err);
    if (rc != BASE_OK) return rc;
    if (b->in == 1 && w->in == 1) {
        judge_pair(m);
    } else if (b->in > 1) {
        run->duplicate++;
        add_finding(m, ENGINE_FINDING_DUPLICATED_IN_BOOK);
    } else if (w->in > 1) {
        run->duplicate++;
        add_finding(m, ENGINE_FINDING_DUPLICATED);
    } else if (b->in == 1) {
        run->missing++;
        add_finding(m, ENGINE_FINDING_MISSING);
    } else if (w->in == 1) {
        run->unexpected++;
        add_finding(m, ENGINE_FINDING_UNEXPECTED);
    }
    return BASE_OK;
}

static base_rc merge(merging *m, base_error *err) {
    base_buf key = {0};
    uint64_t groups = 0;
    base_rc rc = next_entry(&m->weir, err);
    if (rc == BASE_OK) rc = next_entry(&m->book, err);
    while (rc == BASE_OK && !(m->weir.end && m->book.end)) {
        int c = m->book.end ? 1
                : m->weir.end
                    ? -1
                    : base_str_cmp(base_buf_str(&m->book.key), base_buf_str(&m->weir.key));
        clear_group(&m->weir.group);
        clear_group(&m->book.group);
        if (c <= 0) rc = read_group(&m->book, &key, err);
        if (rc == BASE_OK && c >= 0) rc = read_group(&m->weir, &key, err);
        if (rc == BASE_OK) rc = classify(m, err);
        if (rc == BASE_OK && ++groups % 4096 == 0) rc = recon_go_on(m->x, err);
    }
    base_buf_deinit(&key);
    return rc;
}

static void reader_deinit(reader *r) {
    base_buf_deinit(&r->key);
    base_buf_deinit(&r->value);
    base_buf_deinit(&r->group.row);
    base_arena_deinit(&r->arena);
}

base_rc recon_merge(engine_recon *x, recon_side *weir, recon_side *book, base_error *err) {
    merging m = {.x = x, .weir = {.side = weir}, .book = {.side = book}};
    base_arena_init(&m.weir.arena, 4096);
    base_arena_init(&m.book.arena, 4096);
    uint32_t nkey = x->r->nrecon_key;
    m.keys = col_builder_create(x->arena, nkey, weir->types);
    m.weir_rows = col_builder_create(x->arena, x->r->ncompare, weir->types + nkey);
    m.book_rows = col_builder_create(x->arena, x->spec.nfields, book->types);
    base_rc rc = recon_sorter_finish(weir->sorter, err);
    if (rc == BASE_OK) rc = recon_sorter_finish(book->sorter, err);
    if (rc == BASE_OK) rc = merge(&m, err);
    if (rc == BASE_OK) {
        engine_findings *findings = &x->run->findings;
        findings->n = m.n;
        findings->items = base_arena_array(x->arena, engine_finding, m.n + 1);
        if (m.n > 0) memcpy(findings->items, m.items, m.n * sizeof *m.items);
        findings->keys = col_builder_finish(m.keys);
        findings->weir = col_builder_finish(m.weir_rows);
        findings->book = col_builder_finish(m.book_rows);
        findings->nbook_columns = x->spec.nfields;
        findings->book_columns = x->columns;
    }
    reader_deinit(&m.weir);
    reader_deinit(&m.book);
    free(m.items);
    return rc;
}
