// recon_explain.c - EXPLAIN BY: the figures of a view that do not agree, explained by the events
// that do not. The companion is a reconciliation of a stream that the view is made of. It is run as
// well (and stored, as any run of it), and each event that it finds is led through the view's own
// plan, alone: the rows that come out say to which figures the event belongs. So it is right for
// any view whose key follows from one event (and from the tables that it is joined with), and says
// nothing of others.
//
// An event that differs is led through as weir has it and as the book has it: it may belong to two
// figures. Bounds: events beyond EVENTS_MAX are not led through, and reasons that name fewer events
// than there are say how many more.
//
// Invariants: a companion that fails does not fail the run; the reason then says so.
// Entry point: recon_explain.

#include <string.h>

#include "base/map.h"
#include "base/must.h"
#include "engine/query_int.h"
#include "engine/recon/recon_int.h"

#define EVENTS_MAX 1000u
#define NAMED_MAX  5u // events in a reason
#define VIEWS_DEEP 8u // views between the stream and the view

typedef struct reason {
    base_buf text;
    uint32_t named, more;
    uint32_t last; // event + 1: an event is named once
} reason;

typedef struct explaining {
    engine_recon *x;      // of the figures
    engine_recon *events; // the companion
    engine_session session;
    base_arena scratch; // of one event
    base_map *by_key;   // encoded key -> reason
    reason *reasons;    // of each finding
} explaining;

// ---- an event's rows ----------------------------------------------------------------------------

base_rc recon_convert_cell(const col_vec *from, uint32_t row, col_vec *to, base_arena *arena,
                           base_error *err) {
    if (col_is_null(from, row)) {
        col_vec_set_null(to, arena, 0);
        return BASE_OK;
    }
    if (from->type.kind == to->type.kind) {
        col_vec_copy_cell(to, 0, from, row, arena);
        return BASE_OK;
    }
    base_buf text = {0};
    col_text_format(from, row, NULL, &text);
    base_str kept = {base_arena_memdup(arena, text.p == NULL ? "" : text.p, text.n), text.n};
    base_buf_deinit(&text);
    return col_text_parse(kept, NULL, to, 0, arena, err);
}

// The stream's row of finding i, as the book or as weir has it; what is not known is null.
static base_rc event_row(explaining *p, uint32_t i, bool of_book, const col_batch **out,
                         base_error *err) {
    const plan_object *stream = p->events->r->from;
    const engine_findings *found = &p->events->run->findings;
    const plan_object *r = p->events->r;
    col_type *types = base_arena_array(&p->scratch, col_type, stream->ncolumns + 1);
    for (uint32_t c = 0; c < stream->ncolumns; c++) types[c] = stream->columns[c].type;
    col_batch *batch = col_batch_create(&p->scratch, stream->ncolumns, types, 1);
    for (uint32_t c = 0; c < stream->ncolumns; c++)
        col_vec_set_null(&batch->cols[c], &p->scratch, 0);
    base_rc rc = BASE_OK;
    uint32_t n = of_book ? found->nbook_columns : r->nrecon_key + r->ncompare;
    for (uint32_t k = 0; rc == BASE_OK && k < n; k++) {
        const col_vec *from = of_book             ? &found->book->cols[k]
                              : k < r->nrecon_key ? &found->keys->cols[k]
                                                  : &found->weir->cols[k - r->nrecon_key];
        uint32_t column = found->book_columns[k];
        col_vec *to = &batch->cols[column];
        col_vec_init(to, &p->scratch, types[column], 1);
        rc = recon_convert_cell(from, i, to, &p->scratch, err);
    }
    *out = batch;
    return rc;
}

// What the log has of the event beside what was compared.
static base_rc logged_row(explaining *p, uint32_t i, const col_batch **out, base_error *err) {
    const plan_object *stream = p->events->r->from;
    const engine_finding *f = &p->events->run->findings.items[i];
    if (f->nplaces == 0) return event_row(p, i, false, out, err);
    return recon_event_at(p->x->engine, stream, &f->places[0], &p->scratch, out, err);
}

// ---- through the view ---------------------------------------------------------------------------

typedef struct search {
    const plan_object *stream;
    const plan_object *views[VIEWS_DEEP]; // that are read and made of the stream
    uint32_t n, depth;
    bool reads;
} search;

static void look_for_stream(const plan_object *view, search *s);

static void see_scan(void *arg, const plan_node *scan) {
    search *s = arg;
    if (scan->object == s->stream || scan->object->id == s->stream->id) s->reads = true;
    if (scan->object->kind != PLAN_OBJECT_VIEW || s->depth == VIEWS_DEEP) return;
    search below = {.stream = s->stream, .depth = s->depth + 1};
    look_for_stream(scan->object, &below);
    if (!below.reads) return;
    s->reads = true;
    for (uint32_t i = 0; i < s->n; i++)
        if (s->views[i]->id == scan->object->id) return;
    if (s->n < VIEWS_DEEP) s->views[s->n++] = scan->object;
}

static void look_for_stream(const plan_object *view, search *s) {
    plan_node_scans(view->plan, see_scan, s);
}

// The rows that the view makes of the event alone; *out NULL: the view is not made of the stream.
static base_rc rows_of_view(explaining *p, const plan_object *view, const col_batch *event,
                            uint32_t depth, const col_batch **out, base_error *err) {
    search s = {.stream = p->events->r->from, .depth = depth};
    look_for_stream(view, &s);
    *out = NULL;
    if (!s.reads || depth > VIEWS_DEEP) return BASE_OK;
    engine_query_given given[VIEWS_DEEP + 1] = {{s.stream, event}};
    uint32_t n = 1;
    for (uint32_t i = 0; i < s.n; i++) {
        const col_batch *rows;
        base_rc rc = rows_of_view(p, s.views[i], event, depth + 1, &rows, err);
        if (rc != BASE_OK) return rc;
        if (rows != NULL) given[n++] = (engine_query_given){s.views[i], rows};
    }
    engine_standing ignored;
    return engine_query_over(&p->session, view->plan, n, given, &p->scratch, out, &ignored, err);
}

// ---- reasons ------------------------------------------------------------------------------------

static void add_cell(base_buf *buf, const char *name, const col_vec *vec, uint32_t row) {
    base_buf_printf(buf, "%s ", name);
    if (col_is_null(vec, row))
        base_buf_add_cstr(buf, "null");
    else
        col_text_format(vec, row, NULL, buf);
}

// "order_id 4711 is missing (amount 19.90)"
static void name_event(const explaining *p, uint32_t i, base_buf *buf) {
    const plan_object *r = p->events->r;
    const engine_findings *found = &p->events->run->findings;
    const engine_finding *f = &found->items[i];
    for (uint32_t k = 0; k < r->nrecon_key; k++) {
        if (k > 0) base_buf_add_cstr(buf, ", ");
        add_cell(buf, engine_recon_column(r, k)->name, &found->keys->cols[k], i);
    }
    static const char *const verbs[] = {[ENGINE_FINDING_MISSING] = "is missing",
                                        [ENGINE_FINDING_UNEXPECTED] = "is not in the book",
                                        [ENGINE_FINDING_DIFFERING] = "differs",
                                        [ENGINE_FINDING_DUPLICATED] = "is there more than once",
                                        [ENGINE_FINDING_DUPLICATED_IN_BOOK] =
                                            "is in the book more than once"};
    base_buf_printf(buf, " %s", verbs[f->kind]);
    if (r->ncompare > 0) base_buf_add_cstr(buf, " (");
    for (uint32_t c = 0; c < r->ncompare; c++) {
        const col_vec *weir = &found->weir->cols[c], *book = &found->book->cols[r->nrecon_key + c];
        bool differs = f->kind == ENGINE_FINDING_DIFFERING;
        if (differs && recon_cells_agree(&r->compare[c], weir, book, i)) continue;
        if (buf->p[buf->n - 1] != '(') base_buf_add_cstr(buf, ", ");
        add_cell(buf, engine_recon_column(r, r->nrecon_key + c)->name,
                 f->weir_count > 0 ? weir : book, i);
        if (differs) add_cell(buf, ", in the book", book, i);
    }
    if (r->ncompare > 0) base_buf_add_byte(buf, ')');
    if (f->pending) base_buf_add_cstr(buf, ", not confirmed yet");
}

static void note_event(explaining *p, uint32_t i, const col_batch *rows) {
    const plan_object *r = p->x->r;
    base_str *keys = base_arena_array(&p->scratch, base_str, rows->nrows + 1);
    col_key_encode_batch(&p->scratch, rows, r->nrecon_key, r->recon_key, keys);
    for (uint32_t row = 0; row < rows->nrows; row++) {
        reason *why = base_map_get(p->by_key, keys[row]);
        if (why == NULL || why->last == i + 1) continue;
        why->last = i + 1;
        if (why->named == NAMED_MAX) {
            why->more++;
            continue;
        }
        if (why->named++ > 0) base_buf_add_cstr(&why->text, "; ");
        name_event(p, i, &why->text);
    }
}

static base_rc lead_through(explaining *p, uint32_t i, base_error *err) {
    const engine_finding *f = &p->events->run->findings.items[i];
    for (uint32_t side = 0; side < 2; side++) {
        bool of_book = side == 1;
        if (of_book ? f->book_count == 0 : f->weir_count == 0) continue;
        base_arena_reset(&p->scratch);
        const col_batch *event, *rows;
        base_rc rc = of_book ? event_row(p, i, true, &event, err) : logged_row(p, i, &event, err);
        if (rc == BASE_OK) rc = rows_of_view(p, p->x->r->from, event, 0, &rows, err);
        if (rc != BASE_OK) return rc;
        if (rows != NULL) note_event(p, i, rows);
    }
    return BASE_OK;
}

// ---- the whole ----------------------------------------------------------------------------------

static void index_figures(explaining *p) {
    const engine_findings *found = &p->x->run->findings;
    uint32_t nkey = p->x->r->nrecon_key;
    uint32_t *columns = base_arena_array(p->x->arena, uint32_t, nkey + 1);
    for (uint32_t i = 0; i < nkey; i++) columns[i] = i;
    base_str *keys = base_arena_array(p->x->arena, base_str, found->n + 1);
    col_key_encode_batch(p->x->arena, found->keys, nkey, columns, keys);
    for (uint32_t i = 0; i < found->n; i++) base_map_put(p->by_key, keys[i], &p->reasons[i]);
}

static void set_reasons(explaining *p, const char *failure) {
    engine_recon *x = p->x;
    const char *name = p->events->r->name;
    for (uint32_t i = 0; i < x->run->findings.n; i++) {
        engine_finding *f = &x->run->findings.items[i];
        reason *why = &p->reasons[i];
        if (why->named == 0 && f->reason != NULL) continue; // duplicates say how many
        if (failure != NULL)
            base_buf_printf(&why->text, "its events could not be compared: %s", failure);
        else if (why->named == 0)
            base_buf_printf(&why->text, "no event that \"%s\" found belongs to it", name);
        if (why->more > 0) base_buf_printf(&why->text, "; and %u more", why->more);
        f->reason = base_arena_memdup(x->arena, why->text.p, why->text.n);
    }
}

void recon_explain(engine_recon *x) {
    if (x->r->explain_by == NULL || x->run->findings.n == 0) return;
    engine_recon_run run;
    engine_recon events;
    base_error failure = {0};
    base_rc rc = recon_run_stored(x->engine, x->spec.session, x->r->explain_by, x->arena, &events,
                                  &run, &failure);
    explaining p = {.x = x, .events = &events};
    engine_session_init(&p.session, x->engine);
    base_arena_init(&p.scratch, 1 << 16);
    p.by_key = base_map_create();
    p.reasons = base_arena_array(x->arena, reason, x->run->findings.n + 1);
    index_figures(&p);
    for (uint32_t i = 0; rc == BASE_OK && i < run.findings.n && i < EVENTS_MAX; i++) {
        rc = recon_go_on(x, &failure);
        if (rc == BASE_OK) rc = lead_through(&p, i, &failure);
    }
    set_reasons(&p, rc == BASE_OK ? NULL : failure.message);
    for (uint32_t i = 0; i < x->run->findings.n; i++) base_buf_deinit(&p.reasons[i].text);
    base_map_destroy(p.by_key);
    base_arena_deinit(&p.scratch);
}
