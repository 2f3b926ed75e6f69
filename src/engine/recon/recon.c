// recon.c - a run of a reconciliation: a view's rows by key, or a stream's events by business key,
// compared with a book.
//
// The book is opened first, which takes its snapshot, then weir's: of a view the last step, of a
// stream the durable ends of its log. Both sides are then read as of these, which lie as close
// together as two systems allow; what happens between them is what the settling time is for
// (recon_settle.c).
//
// Invariants: rows are listed in the order of their keys, so that equal inputs give equal results;
// a run that fails is stored too, with its error, and finds nothing. Entry point: engine_reconcile.

#include <string.h>

#include "base/must.h"
#include "engine/recon/remedy.h"

#define VIEW_BEHIND_US (60 * BASE_US_PER_SECOND)

static base_rc check_definition(const plan_object *r, base_error *err) {
    if (r->nrecon_key == 0)
        return base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_INVALID_DEFINITION,
                         "reconciliation \"%s.%s\" has no KEY", r->schema, r->name);
    uint32_t n = r->nrecon_key + r->ncompare;
    for (uint32_t i = 0; i < n; i++) {
        const plan_column *column = engine_recon_column(r, i);
        if (i >= r->nrecon_key && base_decimal_sign(r->compare[i - r->nrecon_key].tolerance) != 0 &&
            !col_kind_is_number(column->type.kind))
            return base_fail(err, BASE_E_UNSUPPORTED, NULL,
                             "TOLERANCE is for numbers, and column \"%s\" is of type %s",
                             column->name, col_kind_name(column->type.kind));
        // A column twice: its values would go to one of them only.
        for (uint32_t k = 0; k < i; k++)
            if (column == engine_recon_column(r, k))
                return base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_DUPLICATE_COLUMN,
                                 "reconciliation \"%s.%s\" names column \"%s\" twice", r->schema,
                                 r->name, column->name);
    }
    return BASE_OK;
}

static uint32_t field_of(const engine_recon *x, uint32_t column) {
    uint32_t i = 0;
    while (i < x->spec.nfields && x->columns[i] != column) i++;
    return i;
}

static void add_field(engine_recon *x, engine_book_field *fields, uint32_t column, bool compared,
                      bool needed) {
    if (field_of(x, column) < x->spec.nfields) return;
    const plan_column *c = &x->r->from->columns[column];
    x->columns[x->spec.nfields] = column;
    fields[x->spec.nfields++] =
        (engine_book_field){c->name, engine_recon_record_type(c, compared), needed};
}

// What is wanted of the book: the key, what is compared, how old a row is, and of a stream all that
// an event needs, so that a missing one can be made.
static void make_spec(engine_recon *x) {
    const plan_object *r = x->r;
    uint32_t declared = engine_declared_columns(r->from);
    x->spec = (engine_book_spec){.engine = x->engine,
                                 .session = x->spec.session,
                                 .reconciliation = r,
                                 .settle_field = -1,
                                 .memory_bytes = x->memory_bytes / 2};
    x->columns = base_arena_array(x->arena, uint32_t, r->from->ncolumns + 1);
    engine_book_field *fields =
        base_arena_array(x->arena, engine_book_field, r->from->ncolumns + 1);
    x->spec.fields = fields;
    for (uint32_t i = 0; i < r->nrecon_key; i++) add_field(x, fields, r->recon_key[i], false, true);
    for (uint32_t i = 0; i < r->ncompare; i++)
        add_field(x, fields, r->compare[i].column, true, true);
    x->spec.nkey = r->nrecon_key;
    x->spec.ncompare = r->ncompare;
    if (r->settle_column >= 0) {
        add_field(x, fields, (uint32_t)r->settle_column, false, true);
        x->spec.settle_field = (int32_t)field_of(x, (uint32_t)r->settle_column);
    }
    for (uint32_t i = 0; r->from->kind != PLAN_OBJECT_VIEW && i < declared; i++)
        add_field(x, fields, i, false, false);
}

// WHERE over the book's fields, or NULL if it uses other columns than the key's.
static const plan_expr *book_filter(engine_recon *x) {
    const plan_object *r = x->r;
    if (r->filter == NULL) return NULL;
    uint32_t n = r->from->ncolumns;
    bool *used = base_arena_array(x->arena, bool, n);
    const plan_expr **map = base_arena_array(x->arena, const plan_expr *, n);
    plan_expr_columns(r->filter, used);
    for (uint32_t i = 0; i < r->nrecon_key; i++) {
        uint32_t column = r->recon_key[i];
        map[column] = plan_expr_column(x->arena, i, r->from->columns[column].type);
    }
    for (uint32_t i = 0; i < n; i++)
        if (used[i] && map[i] == NULL) return NULL;
    return plan_expr_substitute(x->arena, r->filter, map);
}

base_rc recon_go_on(const engine_recon *x, base_error *err) {
    if (!engine_book_stopped(&x->spec)) return BASE_OK;
    return base_fail(err, BASE_E_CANCELLED, NULL, "the reconciliation was canceled");
}

static base_rc take_sides(engine_recon *x, recon_side *weir, recon_side *book, base_error *err) {
    if (x->r->from->kind != PLAN_OBJECT_VIEW) return recon_take_stream(x, weir, book, err);
    base_rc rc = recon_take_view(x, weir, err);
    return rc == BASE_OK ? recon_take_book(x, book, 0, NULL, err) : rc;
}

static base_rc compare(engine_recon *x, base_error *err) {
    recon_side weir, book;
    recon_side_init(&weir, x, false);
    recon_side_init(&book, x, true);
    base_rc rc = take_sides(x, &weir, &book, err);
    if (rc == BASE_OK) rc = recon_merge(x, &weir, &book, err);
    recon_side_deinit(&weir);
    recon_side_deinit(&book);
    return rc;
}

// A flow that is behind has not shown yet what the log has: a figure that is corrected for that
// would be wrong once it has. So who acts on figures waits for the view; of events the log is read.
static base_rc wait_for_view(const engine_recon *x, base_error *err) {
    if (x->r->remedy == NULL || x->r->from->kind != PLAN_OBJECT_VIEW) return BASE_OK;
    engine_session *session = (engine_session *)x->spec.session;
    volatile bool *cancel = session == NULL ? NULL : &session->cancel;
    base_rc rc = engine_flush(x->engine, VIEW_BEHIND_US, cancel, err);
    if (rc != BASE_OK && err != NULL) base_error_prefix(err, "the view is behind its log");
    return rc;
}

static base_rc run_once(engine_recon *x, base_error *err) {
    base_rc rc = check_definition(x->r, err);
    if (rc == BASE_OK) rc = wait_for_view(x, err);
    if (rc != BASE_OK) return rc;
    engine_recon_run *run = x->run;
    make_spec(x);
    x->filter = book_filter(x);
    x->settled_us = x->r->settle_us > 0 ? run->started_us - x->r->settle_us : INT64_MAX;
    if (x->r->settle_us > 0) run->settled_us = x->settled_us;
    rc = engine_book_open(&x->spec, x->arena, &x->book, err);
    if (rc != BASE_OK) return rc;
    run->path = x->book->name;
    if (x->book->fed_us != 0) run->fed_us = x->book->fed_us;
    rc = compare(x, err);
    run->bytes = x->book->bytes;
    run->statements = x->book->statements;
    run->digest = x->book->content_digest;
    run->file_bytes = run->digest == 0 ? 0 : x->book->bytes;
    x->book->ops->close(x->book);
    if (rc == BASE_OK && !x->looks) rc = recon_settle(x, err);
    if (rc != BASE_OK || x->looks) return rc;
    recon_trace(x);
    recon_explain(x);
    recon_list(x);
    return BASE_OK;
}

// A run that failed has counted what it had seen by then.
static void forget_counts(engine_recon_run *run) {
    run->record_rows = run->view_rows = run->matched = run->missing = run->unexpected = 0;
    run->differing = run->duplicate = run->skipped = run->young = run->pending = 0;
    run->findings = (engine_findings){0};
    run->details = run->kept = NULL;
}

static void begin_run(engine *e, const engine_session *session, const plan_object *reconciliation,
                      base_arena *arena, engine_recon *x, engine_recon_run *run) {
    must(reconciliation->kind == PLAN_OBJECT_RECONCILIATION);
    *run = (engine_recon_run){.started_us = plat_wall_us(e->plat),
                              .watermark_us = ENGINE_NO_WATERMARK,
                              .fed_us = INT64_MAX,
                              .path = reconciliation->path == NULL ? reconciliation->connector
                                                                   : reconciliation->path};
    *x = (engine_recon){.engine = e, .r = reconciliation, .run = run, .arena = arena};
    x->spec.session = session;
    x->memory_bytes = e->config.query_memory_bytes > 0 ? e->config.query_memory_bytes : 1ull << 30;
}

base_rc recon_look(engine *e, const engine_session *session, const plan_object *reconciliation,
                   base_arena *arena, engine_recon *x, engine_recon_run *run, base_error *err) {
    begin_run(e, session, reconciliation, arena, x, run);
    x->looks = true;
    return run_once(x, err);
}

base_rc recon_run_stored(engine *e, const engine_session *session,
                         const plan_object *reconciliation, base_arena *arena, engine_recon *x,
                         engine_recon_run *run, base_error *err) {
    begin_run(e, session, reconciliation, arena, x, run);
    base_error failure = {0};
    base_rc rc = run_once(x, &failure);
    if (rc != BASE_OK) {
        run->error = base_arena_strdup(arena, failure.message);
        forget_counts(run);
    }
    base_error store_failure = {0};
    base_rc stored = engine_recon_store(e, reconciliation, run, &store_failure);
    if (rc == BASE_OK && stored != BASE_OK) {
        rc = stored;
        failure = store_failure;
    }
    if (rc != BASE_OK && err != NULL) *err = failure;
    return rc;
}

static base_rc reconcile(engine *e, const engine_session *session,
                         const plan_object *reconciliation, engine_reconcile_result *out,
                         base_error *err) {
    bool remedies = reconciliation->remedy != NULL;
    if (remedies && !engine_remedy_begin(e, session, reconciliation))
        return base_fail(err, BASE_E_CANCELLED, NULL, "the reconciliation was canceled");
    base_arena arena;
    base_arena_init(&arena, 1 << 16);
    engine_recon_run run = {0};
    engine_recon x;
    uint64_t began_ns = plat_monotonic_ns(e->plat);
    base_rc rc = remedies ? engine_remedy_before(e, session, reconciliation, err) : BASE_OK;
    if (rc == BASE_OK) rc = recon_run_stored(e, session, reconciliation, &arena, &x, &run, err);
    if (rc == BASE_OK && remedies) rc = engine_remedy_after(&x, err);
    if (remedies) engine_remedy_end(e, reconciliation);
    engine_recon_count_run(e, reconciliation->id, rc != BASE_OK,
                           (int64_t)((plat_monotonic_ns(e->plat) - began_ns) / 1000));
    engine_notify_listeners(e);
    *out = (engine_reconcile_result){.run = run.run,
                                     .matched = run.matched,
                                     .missing = run.missing,
                                     .unexpected = run.unexpected,
                                     .differing = run.differing,
                                     .duplicate = run.duplicate,
                                     .pending = run.pending,
                                     .skipped = run.skipped,
                                     .as_of_us = run.as_of_us,
                                     .step = run.step};
    base_arena_deinit(&arena);
    return rc;
}

base_rc engine_reconcile(engine *e, const plan_object *reconciliation, engine_reconcile_result *out,
                         base_error *err) {
    return reconcile(e, NULL, reconciliation, out, err);
}

base_rc engine_reconcile_for(const engine_session *session, const plan_object *reconciliation,
                             engine_reconcile_result *out, base_error *err) {
    return reconcile(session->engine, session, reconciliation, out, err);
}
