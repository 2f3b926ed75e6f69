// recon_list.c - a run's findings as the rows of weir.reconciliation_result: of a key that differs
// a row for each column that does, of one that a side lacks a row for each compared column, of
// duplicated ones a row. "rows" is 1 in the first of them and 0 in the others, so that it adds up.
// Entry point: recon_list.

#include "base/must.h"
#include "engine/recon/recon_int.h"

enum {
    DETAIL_KIND,
    DETAIL_ROWS,
    DETAIL_KEY,
    DETAIL_COLUMN,
    DETAIL_VIEW,
    DETAIL_RECORD,
    DETAIL_DIFFERENCE,
    DETAIL_STATUS,
    DETAIL_EVENTS,
    DETAIL_REASON,
    DETAIL_FIRST_SEEN,
    DETAIL_COLUMNS,
};
_Static_assert(DETAIL_COLUMNS == ENGINE_RECON_RESULT_NCOLUMNS - ENGINE_RECON_RESULT_FIRST,
               "a listed row is the columns from kind on");

typedef struct listing {
    engine_recon *x;
    col_builder *details;
    uint32_t i; // the finding
    base_str key;
    uint32_t listed; // rows of this finding
} listing;

const char *engine_finding_kind_name(engine_finding_kind kind) {
    switch (kind) {
    case ENGINE_FINDING_MISSING:
        return "missing";
    case ENGINE_FINDING_UNEXPECTED:
        return "unexpected";
    case ENGINE_FINDING_DIFFERING:
        return "differing";
    case ENGINE_FINDING_DUPLICATED:
        return "duplicate in view";
    case ENGINE_FINDING_DUPLICATED_IN_BOOK:
        return "duplicate in record";
    }
    return "";
}

static const engine_finding *finding(const listing *l) {
    return &l->x->run->findings.items[l->i];
}

static base_str kept(base_arena *arena, base_buf *buf) {
    base_str text = {base_arena_memdup(arena, buf->p == NULL ? "" : buf->p, buf->n), buf->n};
    base_buf_deinit(buf);
    return text;
}

base_str recon_key_text(const engine_recon *x, uint32_t i) {
    base_buf buf = {0};
    for (uint32_t k = 0; k < x->r->nrecon_key; k++) {
        base_buf_add_byte(&buf, k == 0 ? '{' : ',');
        base_buf_add_json_string(&buf, base_str_of(engine_recon_column(x->r, k)->name));
        base_buf_add_byte(&buf, ':');
        col_json_format(&x->run->findings.keys->cols[k], i, &buf);
    }
    base_buf_add_byte(&buf, '}');
    return kept(x->arena, &buf);
}

static base_str events_text(const listing *l) {
    const engine_finding *f = finding(l);
    base_buf buf = {0};
    for (uint32_t i = 0; i < f->nplaces; i++)
        base_buf_printf(&buf, "%s%u/%llu", i > 0 ? ", " : "", f->places[i].partition,
                        (unsigned long long)f->places[i].offset);
    return kept(l->x->arena, &buf);
}

// False: there is no room for another row.
static bool new_row(listing *l) {
    if (col_builder_rows(l->details) >= ENGINE_RECON_ROWS_MAX) return false;
    const engine_finding *f = finding(l);
    const char *kind = engine_finding_kind_name(f->kind);
    if (f->kind == ENGINE_FINDING_DUPLICATED && l->x->r->from->kind != PLAN_OBJECT_VIEW)
        kind = "duplicate in stream";
    if (f->pending) kind = base_arena_printf(l->x->arena, "pending %s", kind);
    col_builder_new_row(l->details, 1);
    col_builder_set_str(l->details, DETAIL_KIND, base_str_of(kind));
    col_builder_set_i64(l->details, DETAIL_ROWS, l->listed++ == 0);
    col_builder_set_str(l->details, DETAIL_KEY, l->key);
    if (f->status != NULL) col_builder_set_str(l->details, DETAIL_STATUS, base_str_of(f->status));
    if (f->events != NULL) col_builder_set_str(l->details, DETAIL_EVENTS, base_str_of(f->events));
    if (f->nplaces > 0) col_builder_set_str(l->details, DETAIL_EVENTS, events_text(l));
    if (f->reason != NULL) col_builder_set_str(l->details, DETAIL_REASON, base_str_of(f->reason));
    if (f->first_seen_us != 0) col_builder_set_i64(l->details, DETAIL_FIRST_SEEN, f->first_seen_us);
    return true;
}

static void set_value(listing *l, uint32_t detail, const col_vec *vec) {
    if (col_is_null(vec, l->i)) return;
    base_buf buf = {0};
    col_text_format(vec, l->i, NULL, &buf);
    col_builder_set_str(l->details, detail, kept(l->x->arena, &buf));
}

// weir's value less the book's, of numbers.
static void set_difference(listing *l, const col_vec *weir, const col_vec *book) {
    if (!col_kind_is_number(weir->type.kind) || col_is_null(weir, l->i) || col_is_null(book, l->i))
        return;
    col_vec d;
    if (weir->type.kind == COL_FLOAT4 || weir->type.kind == COL_FLOAT8) {
        double a = weir->type.kind == COL_FLOAT4 ? col_f32(weir)[l->i] : col_f64(weir)[l->i];
        double b = col_f64(book)[l->i];
        if (weir->type.kind == COL_FLOAT4) b = (double)(float)b;
        col_vec_init(&d, l->x->arena, col_type_of(COL_FLOAT8), 1);
        col_f64(&d)[0] = a - b;
    } else {
        base_decimal a = weir->type.kind == COL_INT2   ? base_decimal_from_i64(col_i16(weir)[l->i])
                         : weir->type.kind == COL_INT4 ? base_decimal_from_i64(col_i32(weir)[l->i])
                         : weir->type.kind == COL_INT8 ? base_decimal_from_i64(col_i64(weir)[l->i])
                                                       : col_dec(weir)[l->i];
        base_error ignored;
        col_vec_init(&d, l->x->arena, col_type_of(COL_NUMERIC), 1);
        // Beyond 38 digits it is not said.
        if (base_decimal_sub(a, col_dec(book)[l->i], &col_dec(&d)[0], &ignored) != BASE_OK) return;
    }
    base_buf buf = {0};
    col_text_format(&d, 0, NULL, &buf);
    col_builder_set_str(l->details, DETAIL_DIFFERENCE, kept(l->x->arena, &buf));
}

static void list_columns(listing *l) {
    const plan_object *r = l->x->r;
    const engine_findings *all = &l->x->run->findings;
    bool differing = finding(l)->kind == ENGINE_FINDING_DIFFERING;
    if (r->ncompare == 0 && new_row(l)) return;
    for (uint32_t c = 0; c < r->ncompare; c++) {
        const col_vec *weir = &all->weir->cols[c], *book = &all->book->cols[r->nrecon_key + c];
        if (differing && recon_cells_agree(&r->compare[c], weir, book, l->i)) continue;
        if (!new_row(l)) return;
        col_builder_set_str(l->details, DETAIL_COLUMN,
                            base_str_of(engine_recon_column(r, r->nrecon_key + c)->name));
        if (finding(l)->weir_count > 0) set_value(l, DETAIL_VIEW, weir);
        if (finding(l)->book_count > 0) set_value(l, DETAIL_RECORD, book);
        if (differing) set_difference(l, weir, book);
    }
}

static void list_duplicate(listing *l) {
    const engine_finding *f = finding(l);
    bool in_book = f->kind == ENGINE_FINDING_DUPLICATED_IN_BOOK;
    if (!new_row(l)) return;
    col_builder_set_str(l->details, in_book ? DETAIL_RECORD : DETAIL_VIEW, base_str_of(f->reason));
}

void recon_list(engine_recon *x) {
    listing l = {.x = x};
    l.details = col_builder_create(x->arena, DETAIL_COLUMNS,
                                   engine_recon_types(x->arena, engine_recon_result_columns,
                                                      ENGINE_RECON_RESULT_FIRST,
                                                      ENGINE_RECON_RESULT_NCOLUMNS));
    for (l.i = 0; l.i < x->run->findings.n; l.i++) {
        if (col_builder_rows(l.details) >= ENGINE_RECON_ROWS_MAX) break;
        l.key = recon_key_text(x, l.i);
        l.listed = 0;
        engine_finding_kind kind = finding(&l)->kind;
        if (kind == ENGINE_FINDING_DUPLICATED || kind == ENGINE_FINDING_DUPLICATED_IN_BOOK)
            list_duplicate(&l);
        else
            list_columns(&l);
    }
    x->run->details = col_builder_finish(l.details);
}
