// lineage.c - runs the plan of plan/lineage.h over the logs, as far as the view had read them, and
// fetches the records. Entry point: engine_lineage_of.

#include "engine/history/lineage.h"

#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "engine/history/known.h"
#include "engine/history/moment.h"
#include "plan/lineage.h"

#define DUPLICATES_MAX 1000000u // looked through

// ---- how far the view had read ------------------------------------------------------------------

typedef struct places {
    engine *engine;
    base_arena *arena;
    engine_flow *flow;
    engine_moment moment;
    bool has_moment, exact;
    state_txn *txn;
    uint32_t n, cap, depth;
    engine_upto *items;
    base_rc rc;
    base_error *err;
} places;

static void add_place(places *s, uint32_t object_id, uint32_t partition, uint64_t next) {
    for (uint32_t i = 0; i < s->n; i++)
        if (s->items[i].object_id == object_id && s->items[i].partition == partition) return;
    if (s->n == s->cap) {
        uint32_t cap = s->cap == 0 ? 16 : s->cap * 2;
        engine_upto *more = base_arena_array(s->arena, engine_upto, cap);
        if (s->n > 0) memcpy(more, s->items, s->n * sizeof *more);
        s->items = more, s->cap = cap;
    }
    s->items[s->n++] = (engine_upto){object_id, partition, next};
}

static uint64_t next_of(places *s, uint32_t object_id, uint32_t partition) {
    const engine_moment_input *input =
        s->has_moment ? engine_moment_find(&s->moment, object_id, partition) : NULL;
    if (input != NULL) return input->next;
    if (s->has_moment) return 0; // had not been read
    engine_cursor cursor = {0};
    bool found;
    base_rc rc = engine_cursor_read(s->txn, s->flow->t_cursor, object_id, partition, &cursor,
                                    &found, s->err);
    if (rc != BASE_OK) s->rc = rc;
    return rc == BASE_OK && found ? cursor.next : 0;
}

static void view_places(places *s, const plan_object *view, uint64_t step);

static void visit_place(void *arg, const plan_node *scan) {
    places *s = arg;
    const plan_object *object = scan->object;
    if (s->rc != BASE_OK) return;
    if (object->kind == PLAN_OBJECT_VIEW) {
        if (engine_flow_of_view(s->engine, object->id) == s->flow)
            plan_node_scans(object->plan, visit_place, s);
        else
            view_places(s, object, next_of(s, object->id, 0));
        return;
    }
    for (uint32_t p = 0; p < object->partitions; p++)
        add_place(s, object->id, p, next_of(s, object->id, p));
}

// Of a view whose flow is another than that of `s`, which goes on as it was afterwards.
static void view_places(places *s, const plan_object *view, uint64_t step) {
    places inner = *s;
    inner.flow = engine_flow_of_view(s->engine, view->id);
    if (inner.flow == NULL || ++inner.depth > ENGINE_FLOWS_MAX) return;
    s->rc = engine_flow_begin_read(inner.flow, &inner.txn, s->err);
    if (s->rc != BASE_OK) return;
    inner.has_moment = false;
    inner.rc = engine_moment_at_step(inner.txn, inner.flow->t_moment, step > 0 ? step : UINT64_MAX,
                                     s->arena, &inner.moment, &inner.has_moment, s->err);
    inner.exact = s->exact && inner.has_moment;
    if (inner.rc == BASE_OK) plan_node_scans(view->plan, visit_place, &inner);
    state_abort(inner.txn);
    s->n = inner.n, s->cap = inner.cap, s->items = inner.items;
    s->exact = inner.exact, s->rc = inner.rc;
}

base_rc engine_lineage_places(engine *e, const plan_object *view, uint64_t step, base_arena *arena,
                              uint32_t *n, engine_upto **out, bool *exact, base_error *err) {
    places s = {.engine = e, .arena = arena, .exact = true, .err = err};
    view_places(&s, view, step);
    *n = s.n;
    *out = s.items;
    *exact = s.exact;
    return s.rc;
}

// ---- duplicates ---------------------------------------------------------------------------------

typedef struct duplicate {
    uint32_t object_id, partition, original_partition;
    uint64_t offset, original_offset;
} duplicate;

typedef struct duplicates {
    uint32_t n, cap;
    duplicate *items;
} duplicates;

static void note_duplicate(void *self, const plan_object *object, uint32_t partition,
                           uint64_t offset, uint32_t original_partition, uint64_t original_offset) {
    duplicates *d = self;
    if (d->n == DUPLICATES_MAX) return;
    if (d->n == d->cap) {
        d->cap = d->cap == 0 ? 64 : d->cap * 2;
        d->items = realloc(d->items, d->cap * sizeof *d->items);
        must(d->items != NULL);
    }
    d->items[d->n++] =
        (duplicate){object->id, partition, original_partition, offset, original_offset};
}

static void ignore_failed(void *self, uint32_t node_id, const col_batch *batch, uint32_t row,
                          const base_error *err) {
    (void)self, (void)node_id, (void)batch, (void)row, (void)err; // the view has left it out too
}

static void ignore_unmatched(void *self, const plan_object *object, uint32_t partition,
                             uint64_t offset) {
    (void)self, (void)object, (void)partition, (void)offset;
}

// ---- records ------------------------------------------------------------------------------------

static int by_place(const void *x, const void *y) {
    const engine_lineage_event *a = x, *b = y;
    if (a->object->id != b->object->id) return a->object->id < b->object->id ? -1 : 1;
    if (a->partition != b->partition) return a->partition < b->partition ? -1 : 1;
    return (a->offset > b->offset) - (a->offset < b->offset);
}

static int by_time(const void *x, const void *y) {
    const engine_lineage_event *a = x, *b = y;
    if (a->ingested_us != b->ingested_us) return a->ingested_us < b->ingested_us ? -1 : 1;
    return by_place(x, y);
}

static int by_place_of(const void *x, const void *y) {
    return by_place(*(const engine_lineage_event *const *)x,
                    *(const engine_lineage_event *const *)y);
}

const engine_lineage_event **engine_lineage_by_place(const engine_lineage *lineage,
                                                     base_arena *arena, uint32_t *n) {
    const engine_lineage_event **out =
        base_arena_array(arena, const engine_lineage_event *, lineage->n + 1);
    *n = 0;
    for (uint32_t i = 0; i < lineage->n; i++)
        if (!lineage->events[i].duplicate) out[(*n)++] = &lineage->events[i];
    if (*n > 1) qsort(out, *n, sizeof *out, by_place_of);
    return out;
}

uint32_t engine_lineage_seek(const engine_lineage_event *const *events, uint32_t n,
                             uint32_t object_id, uint32_t partition, uint64_t offset) {
    const plan_object object = {.id = object_id};
    const engine_lineage_event key = {.object = &object, .partition = partition, .offset = offset};
    uint32_t low = 0, high = n;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (by_place(events[middle], &key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

// Distinct places, ascending.
static void take_rows(const plan_lineage *plan, const col_batch *rows, base_arena *arena,
                      engine_lineage *out) {
    out->events = base_arena_array(arena, engine_lineage_event, rows->nrows + 1);
    for (uint32_t i = 0; i < rows->nrows; i++) {
        if (col_is_null(&rows->cols[PLAN_LINEAGE_OFFSET], i)) continue; // no row of that side
        out->events[out->n++] = (engine_lineage_event){
            .object = plan->leaves[col_i32(&rows->cols[PLAN_LINEAGE_LEAF])[i]],
            .partition = (uint32_t)col_i32(&rows->cols[PLAN_LINEAGE_PARTITION])[i],
            .offset = (uint64_t)col_i64(&rows->cols[PLAN_LINEAGE_OFFSET])[i],
            .ingested_us = col_i64(&rows->cols[PLAN_LINEAGE_INGESTED_AT])[i],
            .event_us = INT64_MIN};
    }
    if (out->n > 1) qsort(out->events, out->n, sizeof *out->events, by_place);
    uint32_t n = 0;
    for (uint32_t i = 0; i < out->n; i++)
        if (n == 0 || by_place(&out->events[n - 1], &out->events[i]) != 0)
            out->events[n++] = out->events[i];
    out->n = n;
}

// Of the duplicates those whose original is among the events.
static void take_duplicates(const duplicates *d, uint32_t limit, base_arena *arena,
                            engine_lineage *out) {
    uint32_t n = out->n, more = d->n < limit ? d->n : limit;
    engine_lineage_event *all = base_arena_array(arena, engine_lineage_event, n + more + 1);
    if (n > 0) memcpy(all, out->events, n * sizeof *all);
    for (uint32_t i = 0; i < d->n; i++) {
        const duplicate *one = &d->items[i];
        plan_object object = {.id = one->object_id};
        engine_lineage_event key = {.object = &object,
                                    .partition = one->original_partition,
                                    .offset = one->original_offset};
        const engine_lineage_event *found =
            n == 0 ? NULL : bsearch(&key, out->events, n, sizeof key, by_place);
        if (found == NULL) continue;
        if (out->n == n + more) {
            out->truncated = true;
            break;
        }
        all[out->n++] = (engine_lineage_event){.object = found->object,
                                               .partition = one->partition,
                                               .offset = one->offset,
                                               .ingested_us = INT64_MIN,
                                               .event_us = INT64_MIN,
                                               .duplicate = true,
                                               .original_partition = one->original_partition,
                                               .original_offset = one->original_offset};
    }
    out->events = all;
}

typedef struct fetch {
    engine_session *session;
    uint64_t memory_limit;
    engine_stream *stream;
    engine_contract *contract; // NULL: no event time
    log_reader *reader;
    uint32_t partition;
    log_batch batch; // count 0: none
    base_arena scratch;
    base_arena *arena;
    bool raw;
} fetch;

static bool in_batch(const fetch *f, const engine_lineage_event *event) {
    return f->reader != NULL && f->batch.count > 0 && event->partition == f->partition &&
           event->offset >= f->batch.base_offset &&
           event->offset < f->batch.base_offset + f->batch.count;
}

static base_rc find_batch(fetch *f, const engine_lineage_event *event, bool *found,
                          base_error *err) {
    if (f->reader != NULL) log_reader_close(f->reader);
    f->reader = NULL;
    f->batch.count = 0;
    f->partition = event->partition;
    base_rc rc = log_reader_open(f->stream->log, event->partition, event->offset, &f->reader, err);
    bool end = false;
    while (rc == BASE_OK && !end && !in_batch(f, event)) {
        if (log_reader_offset(f->reader) > event->offset) break;
        rc = log_reader_next(f->reader, &f->batch, &end, err);
        if (end) f->batch.count = 0;
    }
    *found = rc == BASE_OK && in_batch(f, event);
    return rc;
}

static base_rc may_fetch(const fetch *f, base_error *err) {
    if (f->session->cancel)
        return base_fail(err, BASE_E_CANCELLED, NULL, "canceling statement due to user request");
    if (f->arena->total_bytes <= f->memory_limit) return BASE_OK;
    return base_fail(err, BASE_E_LIMIT, BASE_SQLSTATE_OUT_OF_MEMORY,
                     "the events need more than the %llu MB of memory of a query",
                     (unsigned long long)(f->memory_limit >> 20));
}

static base_rc fetch_event(fetch *f, engine_lineage_event *event, base_error *err) {
    if (may_fetch(f, err) != BASE_OK) return err->code;
    bool found = in_batch(f, event);
    base_rc rc = found ? BASE_OK : find_batch(f, event, &found, err);
    if (rc != BASE_OK || !found) return rc; // retention has taken it meanwhile
    uint32_t at = (uint32_t)(event->offset - f->batch.base_offset);
    event->ingested_us = f->batch.info.append_us;
    base_str record = log_batch_record(&f->batch, at);
    if (f->raw) event->raw = (base_str){base_arena_memdup(f->arena, record.p, record.n), record.n};
    if (f->contract == NULL) return BASE_OK;
    base_arena_reset(&f->scratch);
    engine_decoded d;
    engine_contract_decode_batch(f->contract, &f->batch, at, 1, event->partition, &f->scratch, &d);
    if (d.nrows == 1 && d.event_us != NULL && d.event_us[0] != INT64_MAX)
        event->event_us = d.event_us[0];
    return BASE_OK;
}

// Events of one object: n of them, in order of place.
static base_rc fetch_object(engine_session *session, engine_lineage_event *events, uint32_t n,
                            bool raw, base_arena *arena, base_error *err) {
    const plan_object *object = events[0].object;
    uint64_t limit = session->engine->config.query_memory_bytes;
    fetch f = {.session = session,
               .memory_limit = limit > 0 ? limit : 1ull << 30,
               .stream = engine_stream_hold(session->engine, object),
               .arena = arena,
               .raw = raw};
    if (f.stream == NULL)
        return base_fail(err, BASE_E_NOT_FOUND, BASE_SQLSTATE_UNDEFINED_TABLE,
                         "relation \"%s.%s\" does not exist", object->schema, object->name);
    base_arena_init(&f.scratch, 1 << 14);
    if (object->event_time >= 0) {
        uint32_t column = (uint32_t)object->event_time;
        f.contract = engine_contract_create(object, false, 1, &column);
    }
    base_rc rc = BASE_OK;
    for (uint32_t i = 0; rc == BASE_OK && i < n; i++) rc = fetch_event(&f, &events[i], err);
    if (f.reader != NULL) log_reader_close(f.reader);
    if (f.contract != NULL) engine_contract_destroy(f.contract);
    base_arena_deinit(&f.scratch);
    engine_stream_release(f.stream);
    return rc;
}

base_rc engine_lineage_fetch(engine_session *session, bool raw, base_arena *arena,
                             engine_lineage *out, base_error *err) {
    if (out->n > 1) qsort(out->events, out->n, sizeof *out->events, by_place);
    base_rc rc = BASE_OK;
    for (uint32_t begin = 0, end; rc == BASE_OK && begin < out->n; begin = end) {
        end = begin + 1;
        while (end < out->n && out->events[end].object->id == out->events[begin].object->id) end++;
        rc = fetch_object(session, out->events + begin, end - begin, raw, arena, err);
    }
    if (rc == BASE_OK && out->n > 1) qsort(out->events, out->n, sizeof *out->events, by_time);
    return rc;
}

// ---- the whole ----------------------------------------------------------------------------------

static bool is_cut(engine *e, const plan_lineage *plan) {
    bool cut = false;
    for (uint32_t i = 0; i < plan->nleaves && !cut; i++) {
        engine_stream *stream = engine_stream_hold(e, plan->leaves[i]);
        for (uint32_t p = 0; stream != NULL && p < log_stream_partitions(stream->log); p++)
            cut = cut || log_begin(stream->log, p) > 0;
        engine_stream_release(stream);
    }
    return cut;
}

static const plan_expr **key_values(const engine_view_key *key, base_arena *arena) {
    const plan_expr **values = base_arena_array(arena, const plan_expr *, key->n + 1);
    for (uint32_t i = 0; i < key->n; i++)
        values[i] = plan_expr_const(arena, &key->row->cols[key->columns[i]]);
    return values;
}

// Of a log only what can make rows of the plan is read. Duplicates that are known are noted here:
// the plan does not meet them.
typedef struct narrowing {
    engine *engine;
    const plan_object *view;
    const plan_lineage *plan;
    const engine_query_options *options;
    duplicates *found;
} narrowing;

static bool was_read(const engine_query_options *options, uint32_t object_id, uint32_t partition,
                     uint64_t offset) {
    for (uint32_t i = 0; i < options->nupto; i++)
        if (options->upto[i].object_id == object_id && options->upto[i].partition == partition)
            return offset < options->upto[i].next;
    return true;
}

static engine_narrow *narrow_log(void *arg, const plan_object *object, base_arena *arena) {
    const narrowing *w = arg;
    plan_log_filter filter;
    plan_log_filter_of(arena, w->plan->plan, object, &filter);
    if (filter.predicate == NULL) return NULL;
    uint32_t n = 0;
    engine_known_duplicate *known = NULL;
    bool all = false;
    base_error err; // what is not known is looked for
    if (object->kind == PLAN_OBJECT_STREAM && object->nkey > 0 &&
        engine_known_duplicates(w->engine, w->view, object, arena, &n, &known, &all, &err) !=
            BASE_OK)
        all = false;
    engine_narrow *narrow = engine_narrow_open(object, &filter, all, n, known, arena);
    if (narrow == NULL || !engine_narrow_leaves_known(narrow)) return narrow;
    for (uint32_t i = 0; i < n; i++)
        if (was_read(w->options, object->id, known[i].partition, known[i].offset))
            note_duplicate(w->found, object, known[i].partition, known[i].offset,
                           known[i].original_partition, known[i].original_offset);
    return narrow;
}

base_rc engine_lineage_of(engine_session *session, const plan_object *view,
                          const engine_view_key *key, const engine_lineage_at *at, uint32_t limit,
                          bool raw, base_arena *arena, engine_lineage *out, base_error *err) {
    *out = (engine_lineage){0};
    plan_lineage plan;
    base_rc rc =
        plan_lineage_of(arena, view, key->n, key->columns, key_values(key, arena), &plan, err);
    if (rc != BASE_OK || plan.plan == NULL) return rc;
    if (limit > ENGINE_LINEAGE_EVENTS_MAX) limit = ENGINE_LINEAGE_EVENTS_MAX;
    out->whole = plan.whole;
    out->only_grows = plan.only_grows;
    out->cut = is_cut(session->engine, &plan);
    duplicates found = {0};
    flow_hooks hooks = {.self = &found,
                        .row_failed = ignore_failed,
                        .duplicate = note_duplicate,
                        .unmatched = ignore_unmatched};
    engine_query_options options = {
        .now_us = at->now_us, .hooks = &hooks, .as_views = true, .exact = true};
    options.nupto = at->nupto, options.upto = at->upto;
    narrowing narrow = {session->engine, view, &plan, &options, &found};
    options.narrow = narrow_log, options.narrow_arg = &narrow;
    bool exact;
    engine_upto *upto = NULL;
    if (at->upto == NULL)
        rc = engine_lineage_places(session->engine, view, at->step, arena, &options.nupto, &upto,
                                   &exact, err);
    if (at->upto == NULL) options.upto = upto;
    const col_batch *rows = NULL;
    engine_standing standing;
    if (rc == BASE_OK)
        rc = engine_query_with(session, plan.plan, &options, arena, &rows, &standing, err);
    if (rc == BASE_OK) {
        take_rows(&plan, rows, arena, out);
        if (out->n > limit) out->n = limit, out->truncated = true;
        take_duplicates(&found, limit, arena, out);
        if (!at->places_only) rc = engine_lineage_fetch(session, raw, arena, out, err);
    }
    free(found.items);
    if (rc != BASE_OK)
        base_error_prefix(err, "the events of a row of \"%s.%s\"", view->schema, view->name);
    return rc;
}
