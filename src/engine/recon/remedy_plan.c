// remedy_plan.c - findings to actions. Entry point: engine_remedy_make.
//
// Events: one that is missing is appended as the book has it (columns by name, then SET); of a
// wrong one, weir's event is taken back and comes again with the compared columns as the book has
// them; an unexpected one is taken back; of duplicated ones all but one. In a table a row takes the
// place of another of its key, so a wrong one needs no taking back. Figures: a compensating event a
// finding, by the INTO expressions.
//
// Invariants: actions come in the order of the findings, and of one finding retractions before what
// is appended; no action for a pending finding; a finding that the run before acted on, or that was
// rejected, and that is the same (digest: key, kind and values) is not acted on again, for then the
// act does not help: what was refused would be refused in each run, and an event that a view leaves
// out would be compensated without end.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "engine/recon/remedy.h"
#include "plan/remedy.h"
#include "wire/json.h"

typedef struct planning {
    engine_recon *x;
    const plan_remedy *remedy;
    const engine_findings *found;
    engine_remedy_plan *plan;
    const engine_remedy_plan *before;
    base_arena scratch; // of one finding
    plan_remedy_input input;
    wire_json_field *fields; // of `into`
    uint32_t ndeclared;      // of `into`
    uint32_t i;              // the finding
    uint32_t cap;
    base_str key;
    double total;
} planning;

static const engine_finding *finding(const planning *p) {
    return &p->found->items[p->i];
}

// ---- actions ------------------------------------------------------------------------------------

static base_rc add(planning *p, engine_remedy_verb verb, base_str record, base_str outcome,
                   base_error *err) {
    engine_remedy_plan *plan = p->plan;
    if (plan->nactions == ENGINE_REMEDY_ACTIONS_MAX)
        return base_fail(err, BASE_E_LIMIT, BASE_SQLSTATE_LIMIT, "a remedy of more than %u actions",
                         ENGINE_REMEDY_ACTIONS_MAX);
    if (plan->nactions == p->cap) {
        uint32_t cap = p->cap == 0 ? 64 : p->cap * 2;
        engine_remedy_action *more = base_arena_array(p->x->arena, engine_remedy_action, cap);
        if (p->cap > 0) memcpy(more, plan->actions, p->cap * sizeof *more);
        plan->actions = more;
        p->cap = cap;
    }
    engine_finding_kind kind = finding(p)->kind;
    bool twice = kind == ENGINE_FINDING_DUPLICATED || kind == ENGINE_FINDING_DUPLICATED_IN_BOOK;
    plan->actions[plan->nactions++] =
        (engine_remedy_action){.verb = verb,
                               .digest = finding(p)->digest,
                               .kind = twice ? "duplicate" : engine_finding_kind_name(kind),
                               .key = p->key,
                               .record = record,
                               .outcome = outcome};
    return BASE_OK;
}

static base_str kept(planning *p, base_buf *buf) {
    base_str text = {base_arena_memdup(p->x->arena, buf->p == NULL ? "" : buf->p, buf->n), buf->n};
    base_buf_deinit(buf);
    return text;
}

static base_rc leave(planning *p, const char *why, base_error *err) {
    return add(p, ENGINE_REMEDY_NONE, (base_str){NULL, 0},
               base_str_of(base_arena_strdup(p->x->arena, why)), err);
}

// A row of `into` that cannot be made is a finding about which nothing can be done, and no failure.
static base_rc leave_failed(planning *p, const base_error *why, base_error *err) {
    return leave(p, base_arena_printf(&p->scratch, "cannot be made: %s", why->message), err);
}

static base_rc append_row(planning *p, const col_batch *row, base_error *err) {
    base_buf text = {0};
    wire_json_encode_row(p->ndeclared, p->fields, row, 0, &text);
    return add(p, ENGINE_REMEDY_APPEND, kept(p, &text), (base_str){NULL, 0}, err);
}

static base_rc retract_row(planning *p, const col_batch *row, base_error *err) {
    const plan_object *into = p->remedy->into;
    col_batch keys = {.nrows = 1, .ncols = into->nkey};
    keys.cols = base_arena_array(&p->scratch, col_vec, into->nkey);
    for (uint32_t k = 0; k < into->nkey; k++) keys.cols[k] = row->cols[into->key[k]];
    base_buf text = {0};
    engine_delete_doc(into, &keys, 0, &text);
    return add(p, ENGINE_REMEDY_RETRACT, kept(p, &text), (base_str){NULL, 0}, err);
}

// ---- rows of one finding ------------------------------------------------------------------------

static col_batch *null_row(planning *p, uint32_t n, const plan_column *columns) {
    col_type *types = base_arena_array(&p->scratch, col_type, n + 1);
    for (uint32_t c = 0; c < n; c++) types[c] = columns[c].type;
    col_batch *row = col_batch_create(&p->scratch, n, types, 1);
    row->nrows = 1;
    for (uint32_t c = 0; c < n; c++) col_vec_set_null(&row->cols[c], &p->scratch, 0);
    return row;
}

static base_rc set_cell(planning *p, col_batch *row, uint32_t column, const col_vec *from,
                        uint32_t from_row, base_error *err) {
    col_vec *to = &row->cols[column];
    col_type type = to->type;
    col_vec_init(to, &p->scratch, type, 1);
    return recon_convert_cell(from, from_row, to, &p->scratch, err);
}

// The expressions over `input` into columns of `row`.
static base_rc set_by_expressions(planning *p, const col_batch *input, col_batch *row,
                                  base_error *err) {
    col_func_ctx ctx = {.arena = &p->scratch, .err = err, .now_us = p->x->run->started_us};
    for (uint32_t i = 0; i < p->remedy->nset; i++) {
        const col_vec *value;
        base_rc rc = plan_eval(p->remedy->set[i], input, &ctx, &value);
        if (rc == BASE_OK) rc = set_cell(p, row, p->remedy->set_columns[i], value, 0, err);
        if (rc != BASE_OK) return rc;
    }
    return BASE_OK;
}

static void set_run(planning *p, col_vec *cell) {
    col_vec_init(cell, &p->scratch, col_type_of(COL_INT8), 1);
    col_i64(cell)[0] = (int64_t)p->x->run->run;
}

// ---- events -------------------------------------------------------------------------------------

// The event that is missing, as the book has it.
static base_rc book_row(planning *p, col_batch **out, base_error *err) {
    const plan_object *stream = p->remedy->into;
    col_batch *row = null_row(p, p->ndeclared, stream->columns);
    base_rc rc = BASE_OK;
    for (uint32_t f = 0; rc == BASE_OK && f < p->found->nbook_columns; f++)
        if (p->found->book_columns[f] < p->ndeclared)
            rc = set_cell(p, row, p->found->book_columns[f], &p->found->book->cols[f], p->i, err);
    if (rc != BASE_OK || p->remedy->nset == 0) return *out = row, rc;
    col_batch *input = null_row(p, p->input.n, p->input.columns);
    for (uint32_t c = 0; c < p->input.n; c++) {
        if (p->input.roles[c] == PLAN_REMEDY_RUN)
            set_run(p, &input->cols[c]);
        else
            input->cols[c] = row->cols[p->input.indexes[c]];
    }
    *out = row;
    return set_by_expressions(p, input, row, err);
}

static base_rc append_missing(planning *p, base_error *err) {
    col_batch *row;
    base_error why = {0};
    return book_row(p, &row, &why) == BASE_OK ? append_row(p, row, err)
                                              : leave_failed(p, &why, err);
}

static const col_vec *book_cell(const planning *p, uint32_t compared) {
    return &p->found->book->cols[p->x->r->nrecon_key + compared];
}

// Whether weir's event agrees with the book's in all that is compared.
static bool event_agrees(planning *p, const col_batch *event) {
    const plan_object *r = p->x->r;
    const col_batch *book = col_batch_slice(&p->scratch, p->found->book, p->i, 1);
    for (uint32_t c = 0; c < r->ncompare; c++)
        if (!recon_cells_agree(&r->compare[c], &event->cols[r->compare[c].column],
                               &book->cols[r->nrecon_key + c], 0))
            return false;
    return true;
}

// weir's event with the compared columns as the book has them.
static base_rc append_right(planning *p, const col_batch *event, base_error *err) {
    const plan_object *r = p->x->r;
    col_batch *row = col_batch_copy(&p->scratch, event);
    base_error why = {0};
    for (uint32_t c = 0; c < r->ncompare; c++)
        if (set_cell(p, row, r->compare[c].column, book_cell(p, c), p->i, &why) != BASE_OK)
            return leave_failed(p, &why, err);
    if (p->remedy->into->kind == PLAN_OBJECT_STREAM) {
        base_rc rc = retract_row(p, event, err);
        if (rc != BASE_OK) return rc;
    }
    return append_row(p, row, err);
}

static base_rc events_of(planning *p, const col_batch **events, base_error *err) {
    const engine_finding *f = finding(p);
    for (uint32_t i = 0; i < f->nplaces; i++) {
        base_rc rc = recon_event_at(p->x->engine, p->remedy->into, &f->places[i], &p->scratch,
                                    &events[i], err);
        if (rc != BASE_OK) return rc;
    }
    return BASE_OK;
}

// weir's events of the key, one or more; the book has one, or none.
static base_rc correct_events(planning *p, base_error *err) {
    const engine_finding *f = finding(p);
    bool more = f->nplaces == ENGINE_FINDING_PLACES; // then perhaps not all are known
    if (f->nplaces == 0 || (more && p->x->r->filter != NULL) ||
        (!more && f->weir_count != (int64_t)f->nplaces))
        return leave(p, "WHERE leaves out some of the key's events", err);
    const col_batch *events[ENGINE_FINDING_PLACES];
    base_error why = {0};
    if (events_of(p, events, &why) != BASE_OK) return leave_failed(p, &why, err);
    uint32_t keep = UINT32_MAX;
    if (f->book_count > 0) {
        keep = 0;
        for (uint32_t i = f->nplaces; i-- > 0;)
            if (event_agrees(p, events[i])) keep = i;
    }
    base_rc rc = BASE_OK;
    for (uint32_t i = 0; rc == BASE_OK && i < f->nplaces; i++)
        if (i != keep) rc = retract_row(p, events[i], err);
    if (rc == BASE_OK && keep != UINT32_MAX && !event_agrees(p, events[keep]))
        rc = append_right(p, events[keep], err);
    return rc;
}

static base_rc plan_event(planning *p, base_error *err) {
    engine_finding_kind kind = finding(p)->kind;
    if (kind == ENGINE_FINDING_MISSING) return append_missing(p, err);
    if (kind == ENGINE_FINDING_DUPLICATED_IN_BOOK)
        return leave(p, "the book has it more than once", err);
    if (!p->remedy->corrects) return leave(p, "BACKFILL appends what is missing only", err);
    return correct_events(p, err);
}

// ---- figures ------------------------------------------------------------------------------------

// a - b, a side without a value as 0. Beyond 38 digits: null.
static void set_difference(planning *p, const col_vec *a, const col_vec *b, col_vec *out) {
    col_type type = out->type;
    col_vec_init(out, &p->scratch, type, 1);
    bool no_a = col_is_null(a, p->i), no_b = col_is_null(b, p->i);
    if (type.kind == COL_FLOAT8) {
        col_f64(out)[0] =
            (no_a ? 0 : recon_double_of(a, p->i)) - (no_b ? 0 : recon_double_of(b, p->i));
        return;
    }
    base_decimal zero = base_decimal_from_i64(0);
    base_error ignored;
    if (base_decimal_sub(no_a ? zero : recon_decimal_of(a, p->i),
                         no_b ? zero : recon_decimal_of(b, p->i), &col_dec(out)[0],
                         &ignored) != BASE_OK)
        col_vec_set_null(out, &p->scratch, 0);
}

static base_rc finding_row(planning *p, col_batch **out, base_error *err) {
    col_batch *row = null_row(p, p->input.n, p->input.columns);
    *out = row;
    for (uint32_t c = 0; c < p->input.n; c++) {
        uint32_t index = p->input.indexes[c];
        const col_vec *weir = NULL, *book = NULL;
        if (p->input.roles[c] >= PLAN_REMEDY_VIEW && p->input.roles[c] <= PLAN_REMEDY_ADJUSTMENT) {
            weir = &p->found->weir->cols[index];
            book = book_cell(p, index);
        }
        base_rc rc = BASE_OK;
        switch (p->input.roles[c]) {
        case PLAN_REMEDY_KEY:
            rc = set_cell(p, row, c, &p->found->keys->cols[index], p->i, err);
            break;
        case PLAN_REMEDY_VIEW:
            rc = set_cell(p, row, c, weir, p->i, err);
            break;
        case PLAN_REMEDY_BOOK:
            rc = set_cell(p, row, c, book, p->i, err);
            break;
        case PLAN_REMEDY_DIFFERENCE:
            set_difference(p, weir, book, &row->cols[c]);
            break;
        case PLAN_REMEDY_ADJUSTMENT:
            set_difference(p, book, weir, &row->cols[c]);
            break;
        case PLAN_REMEDY_KIND: {
            col_vec_init(&row->cols[c], &p->scratch, col_type_of(COL_TEXT), 1);
            col_str(&row->cols[c])[0] = base_str_of(engine_finding_kind_name(finding(p)->kind));
            break;
        }
        default:
            set_run(p, &row->cols[c]);
        }
        if (rc != BASE_OK) return rc;
    }
    return BASE_OK;
}

static base_rc plan_figure(planning *p, base_error *err) {
    if (finding(p)->kind == ENGINE_FINDING_DUPLICATED ||
        finding(p)->kind == ENGINE_FINDING_DUPLICATED_IN_BOOK)
        return leave(p, "a figure that is there more than once has no difference", err);
    col_batch *input, *row = null_row(p, p->ndeclared, p->remedy->into->columns);
    base_error why = {0};
    base_rc rc = finding_row(p, &input, &why);
    if (rc == BASE_OK) rc = set_by_expressions(p, input, row, &why);
    return rc == BASE_OK ? append_row(p, row, err) : leave_failed(p, &why, err);
}

// ---- all ----------------------------------------------------------------------------------------

// Sum of what the compared numbers differ by; a side that has none counts as 0.
static void add_to_total(planning *p) {
    for (uint32_t c = 0; c < p->x->r->ncompare; c++) {
        const col_vec *weir = &p->found->weir->cols[c], *book = book_cell(p, c);
        if (!col_kind_is_number(weir->type.kind)) continue;
        double a = col_is_null(weir, p->i) ? 0 : recon_double_of(weir, p->i);
        double b = col_is_null(book, p->i) ? 0 : recon_double_of(book, p->i);
        p->total += fabs(a - b);
    }
}

static int by_digest(const void *a, const void *b) {
    uint64_t x = (*(const engine_remedy_action *const *)a)->digest;
    uint64_t y = (*(const engine_remedy_action *const *)b)->digest;
    return (x > y) - (x < y);
}

// What the run before did, or left because it had been done, by finding.
static const engine_remedy_action **sorted_before(const planning *p, uint32_t *n) {
    const engine_remedy_plan *before = p->before;
    uint32_t all = before == NULL ? 0 : before->nactions;
    const engine_remedy_action **items =
        base_arena_alloc(p->x->arena, (all + 1) * sizeof(engine_remedy_action *));
    bool decided = before != NULL && before->state != ENGINE_REMEDY_WAITING;
    *n = 0;
    for (uint32_t i = 0; i < all; i++) {
        engine_remedy_verb verb = before->actions[i].verb;
        if (verb == ENGINE_REMEDY_TRIED ||
            (decided && verb != ENGINE_REMEDY_NONE && verb != ENGINE_REMEDY_GONE))
            items[(*n)++] = &before->actions[i];
    }
    if (*n > 0) qsort(items, *n, sizeof *items, by_digest);
    return items;
}

// Whether the finding is left as it is because the run before has done what can be done.
static base_rc leave_tried(planning *p, uint32_t n, const engine_remedy_action **items, bool *left,
                           base_error *err) {
    engine_remedy_action wanted = {.digest = finding(p)->digest};
    const engine_remedy_action *key = &wanted;
    const engine_remedy_action **found =
        n == 0 ? NULL : bsearch(&key, items, n, sizeof *items, by_digest);
    *left = found != NULL;
    if (found == NULL) return BASE_OK;
    const engine_remedy_action *action = *found;
    const engine_remedy_plan *before = p->before;
    if (action->verb == ENGINE_REMEDY_TRIED)
        return add(p, ENGINE_REMEDY_TRIED, (base_str){NULL, 0}, action->outcome, err);
    char *why =
        before->state == ENGINE_REMEDY_REJECTED
            ? base_arena_printf(&p->scratch, "rejected by %s in run %llu", before->decided_by,
                                (unsigned long long)before->run)
            : base_arena_printf(&p->scratch, "the remedy of run %llu did not help: %.*s",
                                (unsigned long long)before->run, BASE_STR_ARG(action->outcome));
    return add(p, ENGINE_REMEDY_TRIED, (base_str){NULL, 0},
               base_str_of(base_arena_strdup(p->x->arena, why)), err);
}

base_rc engine_remedy_make(engine_recon *x, const engine_remedy_plan *before,
                           engine_remedy_plan *plan, base_error *err) {
    const plan_object *into = x->r->remedy->into;
    planning p = {.x = x,
                  .remedy = x->r->remedy,
                  .found = &x->run->findings,
                  .plan = plan,
                  .before = before,
                  .ndeclared = engine_declared_columns(into)};
    base_arena_init(&p.scratch, 1 << 14);
    p.input = plan_remedy_input_of(x->arena, x->r);
    p.fields = base_arena_array(x->arena, wire_json_field, p.ndeclared + 1);
    for (uint32_t i = 0; i < p.ndeclared; i++)
        p.fields[i] = (wire_json_field){into->columns[i].name, into->columns[i].type, false};
    uint32_t nbefore;
    const engine_remedy_action **tried = sorted_before(&p, &nbefore);
    base_rc rc = BASE_OK;
    for (p.i = 0; rc == BASE_OK && p.i < p.found->n; p.i++) {
        if (finding(&p)->pending) continue;
        if (p.i % 1024 == 0) rc = recon_go_on(x, err);
        base_arena_reset(&p.scratch);
        p.key = recon_key_text(x, p.i);
        bool left = false;
        if (rc == BASE_OK) rc = leave_tried(&p, nbefore, tried, &left, err);
        if (rc != BASE_OK || left) continue;
        uint32_t first = plan->nactions;
        rc = x->r->from->kind == PLAN_OBJECT_VIEW ? plan_figure(&p, err) : plan_event(&p, err);
        if (rc != BASE_OK || plan->actions[plan->nactions - 1].verb >= ENGINE_REMEDY_NONE) continue;
        must(plan->nactions > first);
        plan->keys++;
        plan->records += plan->nactions - first;
        add_to_total(&p);
    }
    plan->total = p.total;
    base_arena_deinit(&p.scratch);
    return rc;
}
