// shadow.c - shadow flows; see shadow.h.
//
// A shadow is an engine_flow that stands in no slot, with bounds (engine_int.h) instead of a
// place among those that step on their own. It advances by the stages of every step
// (engine_step_with), so what it computes is what its flow computes.
//
// Invariants: bounds only move up; a durable shadow's cursors are in its store, so that it goes on
// after a crash as a flow does. Entry points: engine_shadow_open, engine_shadow_run.
#include "engine/version/shadow.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/must.h"

#define RATE_STEP_BYTES   (256u << 10) // so that a limited rate is kept in small steps
#define FOLLOW_STEP_BYTES (4u << 20)   // of which it is known what they change

struct engine_shadow {
    engine *engine;
    const engine_flow *of;
    engine_flow *flow;
    engine_bounds bounds;
    engine_selection selection;
    base_arena arena; // texts of the selection
    bool durable, settling, alone;
    uint64_t rate;
    uint32_t nheld;
    engine_stream **held;
    int64_t *watermarks;                          // by view of the flow
    base_rc (*after)(void *arg, base_error *err); // a step, while it follows
    void *after_arg;
    atomic_uint_fast64_t read, total, steps;
};

engine_flow *engine_shadow_flow(engine_shadow *shadow) {
    return shadow->flow;
}

void engine_shadow_follow(engine_shadow *shadow, base_rc (*after)(void *arg, base_error *err),
                          void *arg) {
    shadow->rate = 0;
    shadow->bounds.step_bytes = FOLLOW_STEP_BYTES;
    shadow->after = after;
    shadow->after_arg = arg;
}

bool engine_shadow_is_awaited(const engine_shadow *shadow) {
    const engine_flow *flow = shadow->flow;
    for (uint32_t i = 0; i < flow->ninputs; i++) {
        const engine_input *input = &flow->inputs[i];
        if (input->stream != NULL &&
            engine_stream_of(shadow->engine, input->object) != input->stream)
            return true;
    }
    return false;
}

engine_shadow_progress engine_shadow_progress_of(const engine_shadow *shadow) {
    return (engine_shadow_progress){atomic_load(&shadow->read), atomic_load(&shadow->total),
                                    atomic_load(&shadow->steps)};
}

uint64_t engine_shadow_lost(const engine_shadow *shadow) {
    uint64_t lost = 0;
    for (uint32_t i = 0; i < shadow->flow->ninputs; i++) {
        const engine_input *input = &shadow->flow->inputs[i];
        for (uint32_t p = 0; input->stream != NULL && p < input->npartitions; p++) {
            const engine_bound *bound = engine_bound_of(&shadow->bounds, input->object->id, p);
            if (bound == NULL || bound->upto <= bound->from) continue;
            // Offsets that were passed without a record having been read.
            const engine_partition *part = &input->partitions[p];
            uint64_t next = part->next < bound->upto ? part->next : bound->upto;
            uint64_t seen = bound->from + part->records + bound->unread;
            if (next > seen) lost += next - seen;
        }
    }
    return lost;
}

// ---- which views --------------------------------------------------------------------------------

typedef struct closure {
    engine *engine;
    const engine_flow *of;
    const plan_object **views; // by id; ENGINE_OBJECTS_MAX
} closure;

static void add_with_inputs(closure *c, const plan_object *view);

static void visit_scan(void *arg, const plan_node *scan) {
    closure *c = arg;
    if (scan->object->kind != PLAN_OBJECT_VIEW || c->views[scan->object->id] != NULL) return;
    const plan_object *view = engine_catalog_by_id(c->engine, scan->object->id);
    if (view != NULL && engine_flow_takes(c->of, view->schema, view->refresh_us))
        add_with_inputs(c, view);
}

static void add_with_inputs(closure *c, const plan_object *view) {
    c->views[view->id] = view;
    plan_node_scans(view->plan, visit_scan, c);
}

static const plan_object **views_of(engine *e, const engine_flow *of, const plan_object *view,
                                    uint32_t *n) {
    closure c = {e, of, calloc(ENGINE_OBJECTS_MAX, sizeof *c.views)};
    must(c.views != NULL);
    if (view != NULL) {
        add_with_inputs(&c, view);
    } else {
        const plan_object **all = engine_flow_views(e, of, n);
        for (uint32_t i = 0; i < *n; i++) c.views[all[i]->id] = all[i];
        free(all);
    }
    *n = 0;
    for (uint32_t id = 0; id < ENGINE_OBJECTS_MAX; id++)
        if (c.views[id] != NULL) c.views[(*n)++] = c.views[id];
    return c.views;
}

// ---- opening ------------------------------------------------------------------------------------

static base_rc remove_dir(engine *e, const char *dir, base_error *err) {
    if (e->config.memory_for != NULL) return BASE_OK; // its stores have no files
    bool exists, is_dir;
    base_rc rc = e->plat->ops->exists(e->plat, dir, &exists, &is_dir, err);
    return rc == BASE_OK && exists ? plat_remove_tree(e->plat, dir, err) : rc;
}

static void copy_selection(engine_shadow *shadow, const engine_selection *from) {
    if (from == NULL) return;
    shadow->selection = *from;
    for (uint32_t i = 0; i < from->nkey; i++)
        shadow->selection.key[i] = base_arena_strdup(&shadow->arena, from->key[i]);
}

static void move_watermark(void *arg, engine_view *view) {
    const engine_shadow *shadow = arg;
    if (!shadow->settling) return;
    int64_t us = shadow->watermarks[view - shadow->flow->views];
    if (us > view->watermark_us) view->watermark_us = us;
}

static void make_flow(engine_shadow *shadow, const char *name) {
    engine *e = shadow->engine;
    const engine_flow *of = shadow->of;
    engine_flow *flow = engine_flow_create(e, of->schema, of->refresh_us);
    snprintf(flow->name, sizeof flow->name, "%.100s (shadow %.60s)", of->name, name);
    base_buf dir = {0};
    base_buf_printf(&dir, "%s/shadow/%s", e->dir, name);
    free(flow->dir);
    flow->dir = strdup(base_buf_cstr(&dir));
    must(flow->dir != NULL);
    base_buf_deinit(&dir);
    shadow->bounds.watermark = move_watermark;
    shadow->bounds.arg = shadow;
    shadow->bounds.now_us = plat_wall_us(e->plat);
    shadow->bounds.closed_us = ENGINE_NO_WATERMARK;
    if (shadow->rate > 0) shadow->bounds.step_bytes = RATE_STEP_BYTES;
    flow->bounds = &shadow->bounds;
    flow->scratch = !shadow->durable;
    flow->alone = shadow->alone;
    shadow->flow = flow;
}

// Streams stay while they are read.
static base_rc hold_streams(engine_shadow *shadow, base_error *err) {
    engine_flow *flow = shadow->flow;
    shadow->held = calloc(flow->ninputs + 1, sizeof *shadow->held);
    must(shadow->held != NULL);
    for (uint32_t i = 0; i < flow->ninputs; i++) {
        engine_input *input = &flow->inputs[i];
        if (input->stream == NULL) continue;
        engine_stream *stream = engine_stream_hold(shadow->engine, input->object);
        if (stream != NULL) shadow->held[shadow->nheld++] = stream;
        if (stream != input->stream)
            return base_fail(err, BASE_E_NOT_FOUND, BASE_SQLSTATE_UNDEFINED_TABLE,
                             "\"%s.%s\" has been dropped", input->object->schema,
                             input->object->name);
    }
    return BASE_OK;
}

static void select_rows(void *arg, const engine_input *input, base_arena *arena, engine_decoded *d);
static bool is_passed(void *arg, const engine_input *input, const log_batch_info *info);

static base_rc open_parts(engine_shadow *shadow, const plan_object *view, base_error *err) {
    engine_flow *flow = shadow->flow;
    base_rc rc = BASE_OK;
    if (!shadow->durable) rc = remove_dir(shadow->engine, flow->dir, err);
    if (rc == BASE_OK) rc = engine_flow_open_store(flow, err);
    if (rc != BASE_OK) return rc;
    uint32_t n;
    const plan_object **views = views_of(shadow->engine, shadow->of, view, &n);
    rc = engine_flow_open_views(flow, n, views, err);
    free(views);
    if (rc == BASE_OK) rc = hold_streams(shadow, err);
    if (rc != BASE_OK) return rc;
    for (uint32_t i = 0; i < flow->nviews; i++) {
        flow->views[i].filling = true; // no change log
        flow->views[i].fill_seq = 0;
    }
    shadow->watermarks = calloc(flow->nviews + 1, sizeof *shadow->watermarks);
    uint32_t nbounds = 0;
    for (uint32_t i = 0; i < flow->ninputs; i++) nbounds += flow->inputs[i].npartitions;
    shadow->bounds.all = calloc(nbounds + 1, sizeof *shadow->bounds.all);
    must(shadow->watermarks != NULL && shadow->bounds.all != NULL);
    if (shadow->selection.kind == ENGINE_SELECT_EVENT_TIME ||
        shadow->selection.kind == ENGINE_SELECT_KEY)
        shadow->bounds.select = select_rows;
    if (shadow->selection.kind == ENGINE_SELECT_EVENT_TIME) shadow->bounds.passes = is_passed;
    return BASE_OK;
}

base_rc engine_shadow_open(engine *e, const engine_flow *of, const plan_object *view,
                           const engine_shadow_config *config, engine_shadow **out,
                           base_error *err) {
    engine_shadow *shadow = calloc(1, sizeof *shadow);
    must(shadow != NULL);
    shadow->engine = e;
    shadow->of = of;
    shadow->durable = config->durable;
    shadow->alone = config->alone;
    shadow->rate = config->rate;
    base_arena_init(&shadow->arena, 1024);
    copy_selection(shadow, config->selection);
    make_flow(shadow, config->name);
    // No stream or view may go before it is held.
    if (!config->ddl_locked) plat_mutex_lock(&e->ddl_lock);
    base_rc rc = open_parts(shadow, view, err);
    if (!config->ddl_locked) plat_mutex_unlock(&e->ddl_lock);
    if (rc != BASE_OK) {
        engine_shadow_close(shadow, false);
        return rc;
    }
    *out = shadow;
    return BASE_OK;
}

void engine_shadow_close(engine_shadow *shadow, bool remove) {
    if (shadow == NULL) return;
    engine *e = shadow->engine;
    base_buf dir = {0};
    base_buf_add_cstr(&dir, shadow->flow->dir);
    engine_flow_close(shadow->flow);
    base_error err;
    if ((remove || !shadow->durable) && remove_dir(e, base_buf_cstr(&dir), &err) != BASE_OK)
        engine_say(e, ENGINE_WARNING, "%s", err.message);
    base_buf_deinit(&dir);
    for (uint32_t i = 0; i < shadow->nheld; i++) engine_stream_release(shadow->held[i]);
    free(shadow->held);
    free(shadow->watermarks);
    free(shadow->bounds.all);
    base_arena_deinit(&shadow->arena);
    free(shadow);
}

// ---- the selection ------------------------------------------------------------------------------

static base_rc select_offsets(const engine_shadow *shadow, const engine_input *input,
                              engine_bound *bound, base_error *err) {
    const engine_selection *s = &shadow->selection;
    if (input->object->kind != PLAN_OBJECT_STREAM) return BASE_OK;
    uint64_t from = 0, upto = UINT64_MAX;
    base_rc rc = BASE_OK;
    if (s->kind == ENGINE_SELECT_PARTITION ||
        (s->kind == ENGINE_SELECT_OFFSETS && s->has_partition))
        if (bound->partition != s->partition) upto = 0;
    if (s->kind == ENGINE_SELECT_OFFSETS) {
        from = s->from;
        if (s->upto < upto) upto = s->upto;
    }
    if (s->kind == ENGINE_SELECT_APPEND_TIME) {
        rc = log_find_time(input->stream->log, bound->partition, s->from_us, &from, err);
        if (rc == BASE_OK)
            rc = log_find_time(input->stream->log, bound->partition, s->upto_us, &upto, err);
    }
    bound->from = from;
    if (upto < bound->upto) bound->upto = upto;
    return rc;
}

static bool has_key(const engine_selection *s, const engine_input *input, const col_batch *batch,
                    uint32_t row, base_buf *text) {
    const plan_object *object = input->object;
    for (uint32_t k = 0; k < s->nkey; k++) {
        const engine_contract *contract = input->contract;
        uint32_t at = 0;
        while (at < contract->ncolumns && contract->columns[at] != object->key[k]) at++;
        if (at == contract->ncolumns || col_is_null(&batch->cols[at], row)) return false;
        base_buf_clear(text);
        col_text_format(&batch->cols[at], row, 0, text);
        if (!base_str_eq(base_buf_str(text), base_str_of(s->key[k]))) return false;
    }
    return true;
}

// Rows of the selection by what is in them; the others of a stream are as if they were not there.
static void select_rows(void *arg, const engine_input *input, base_arena *arena,
                        engine_decoded *d) {
    const engine_selection *s = &((engine_shadow *)arg)->selection;
    if (input->object->kind != PLAN_OBJECT_STREAM || d->nrows == 0) return;
    if (s->kind == ENGINE_SELECT_EVENT_TIME && d->event_us == NULL) return;
    if (s->kind == ENGINE_SELECT_KEY && input->object->nkey != s->nkey) return;
    uint32_t *kept = base_arena_alloc(arena, sizeof *kept * d->nrows), n = 0;
    base_buf text = {0};
    for (uint32_t row = 0; row < d->nrows; row++) {
        bool take = s->kind == ENGINE_SELECT_KEY
                        ? has_key(s, input, d->batch, row, &text)
                        : d->event_us[row] >= s->from_us && d->event_us[row] < s->upto_us;
        if (take) kept[n++] = row;
    }
    base_buf_deinit(&text);
    if (n < d->nrows) engine_decoded_keep(d, arena, n, kept);
}

static bool is_passed(void *arg, const engine_input *input, const log_batch_info *info) {
    const engine_selection *s = &((const engine_shadow *)arg)->selection;
    if (input->object->kind != PLAN_OBJECT_STREAM || info->event_us_min == INT64_MIN) return false;
    return info->event_us_max < s->from_us || info->event_us_min >= s->upto_us;
}

// ---- aiming -------------------------------------------------------------------------------------

static base_rc aim_log(engine_shadow *shadow, engine_input *input, state_txn *txn,
                       base_error *err) {
    engine_bounds *bounds = &shadow->bounds;
    for (uint32_t p = 0; p < input->npartitions; p++) {
        engine_cursor cursor;
        bool found;
        base_rc rc = engine_cursor_read(txn, shadow->of->t_cursor, input->object->id, p, &cursor,
                                        &found, err);
        if (rc != BASE_OK) return rc;
        log_stream *log = input->stream->log;
        engine_bound *bound = &bounds->all[bounds->n++];
        *bound = (engine_bound){input->object->id, p, 0, found ? cursor.next : log_end(log, p), 0};
        // The flow itself may have begun after retention had.
        if (found && cursor.next > cursor.records) bound->unread = cursor.next - cursor.records;
        rc = select_offsets(shadow, input, bound, err);
        if (rc != BASE_OK) return rc;
        // What has begun stays begun; what has not begins at its bound.
        engine_partition *part = &input->partitions[p];
        uint64_t begin = log_begin(log, p), from = bound->from;
        if (part->records == 0 && part->next < from) part->next = from;
        if (begin > from) from = begin;
        if (bound->upto > from) atomic_fetch_add(&shadow->total, bound->upto - from);
    }
    return BASE_OK;
}

static base_rc aim_upstream(engine_shadow *shadow, engine_input *input, state_txn *txn,
                            base_error *err) {
    engine_cursor cursor;
    bool found;
    base_rc rc =
        engine_cursor_read(txn, shadow->of->t_cursor, input->object->id, 0, &cursor, &found, err);
    if (rc != BASE_OK) return rc;
    uint64_t upto = found && cursor.started ? cursor.next : UINT64_MAX;
    shadow->bounds.all[shadow->bounds.n++] = (engine_bound){input->object->id, 0, 0, upto, 0};
    return BASE_OK;
}

// A version that is being made has none yet: its view's.
static base_rc view_watermark(engine_shadow *shadow, state_txn *txn, uint32_t i, base_error *err) {
    const plan_object *view = shadow->flow->views[i].object;
    uint32_t id = view->version_of != 0 ? view->version_of : view->id;
    base_rc rc = engine_view_watermark_in(shadow->of, txn, view->id, &shadow->watermarks[i], err);
    if (rc == BASE_OK && shadow->watermarks[i] == ENGINE_NO_WATERMARK && id != view->id)
        rc = engine_view_watermark_in(shadow->of, txn, id, &shadow->watermarks[i], err);
    return rc;
}

base_rc engine_shadow_aim(engine_shadow *shadow, state_txn *txn, base_error *err) {
    engine_flow *flow = shadow->flow;
    shadow->bounds.n = 0;
    atomic_store(&shadow->total, 0);
    base_str value;
    bool found;
    base_rc rc = state_get(txn, shadow->of->t_flow, BASE_STR("step"), &value, &found, err);
    if (rc == BASE_OK && found && value.n == sizeof(engine_flow_row)) {
        engine_flow_row row;
        memcpy(&row, value.p, sizeof row);
        shadow->bounds.now_us = row.now_us;
    }
    shadow->bounds.closed_us = engine_closed_us(shadow->of, txn);
    for (uint32_t i = 0; rc == BASE_OK && i < flow->ninputs; i++) {
        engine_input *input = &flow->inputs[i];
        rc = input->stream != NULL ? aim_log(shadow, input, txn, err)
                                   : aim_upstream(shadow, input, txn, err);
    }
    for (uint32_t i = 0; rc == BASE_OK && i < flow->nviews; i++)
        rc = view_watermark(shadow, txn, i, err);
    return rc;
}

// ---- running ------------------------------------------------------------------------------------

static base_rc gather(engine_flow *flow, void *arg, uint64_t *rows, base_error *err) {
    (void)arg;
    return engine_inputs_gather(flow, rows, err);
}

static bool at_aim(const engine_shadow *shadow) {
    const engine_flow *flow = shadow->flow;
    for (uint32_t i = 0; i < flow->ninputs; i++) {
        const engine_input *input = &flow->inputs[i];
        for (uint32_t p = 0; p < input->npartitions; p++) {
            const engine_bound *bound = engine_bound_of(&shadow->bounds, input->object->id, p);
            uint64_t next =
                input->upstream != NULL ? input->upstream_step : input->partitions[p].next;
            if (input->upstream != NULL && !input->started) return false;
            if (bound != NULL && bound->upto != UINT64_MAX && next < bound->upto) return false;
        }
    }
    return true;
}

static uint64_t records_read(const engine_flow *flow) {
    uint64_t n = 0;
    for (uint32_t i = 0; i < flow->ninputs; i++)
        for (uint32_t p = 0; flow->inputs[i].stream != NULL && p < flow->inputs[i].npartitions; p++)
            n += flow->inputs[i].partitions[p].records;
    return n;
}

// Sleeps as long as the records read since the beginning are ahead of the rate.
static void keep_rate(const engine_shadow *shadow, uint64_t nread, uint64_t begin_ns,
                      volatile bool *cancel) {
    if (shadow->rate == 0 || !shadow->engine->config.threads) return; // nobody to give way to
    plat *plat = shadow->engine->plat;
    uint64_t due_ns = begin_ns + (uint64_t)((double)nread / (double)shadow->rate * 1e9);
    for (;;) {
        uint64_t now_ns = plat_monotonic_ns(plat);
        if (now_ns >= due_ns || (cancel != NULL && *cancel) || engine_shadow_is_awaited(shadow))
            return;
        uint64_t us = (due_ns - now_ns) / 1000 + 1;
        plat_sleep_us((int64_t)(us < 50000 ? us : 50000));
    }
}

static base_rc one_step(engine_shadow *shadow, base_error *err) {
    engine_flow *flow = shadow->flow;
    bool progressed;
    plat_mutex_lock(&flow->lock);
    base_rc rc = flow->reload ? engine_flow_reload(flow, err) : BASE_OK;
    if (rc == BASE_OK) rc = engine_step_with(flow, gather, NULL, &progressed, err);
    plat_mutex_unlock(&flow->lock);
    if (rc == BASE_OK) atomic_fetch_add(&shadow->steps, 1);
    atomic_store(&shadow->read, records_read(flow));
    return rc == BASE_OK && shadow->after != NULL ? shadow->after(shadow->after_arg, err) : rc;
}

base_rc engine_shadow_run(engine_shadow *shadow, bool settle, volatile bool *cancel,
                          base_error *err) {
    engine_flow *flow = shadow->flow;
    uint64_t begin_ns = plat_monotonic_ns(shadow->engine->plat), before = records_read(flow);
    base_rc rc = BASE_OK;
    uint32_t idle = 0;
    while (rc == BASE_OK && !at_aim(shadow)) {
        if (cancel != NULL && *cancel)
            return base_fail(err, BASE_E_CANCELLED, BASE_SQLSTATE_CANCELLED, "cancelled");
        if (engine_shadow_is_awaited(shadow))
            return base_fail(err, BASE_E_NOT_FOUND, BASE_SQLSTATE_UNDEFINED_TABLE,
                             "flow %s: a stream that it reads is being dropped", flow->name);
        uint64_t steps_before = records_read(flow);
        rc = one_step(shadow, err);
        if (rc != BASE_OK) break;
        uint64_t now = records_read(flow);
        keep_rate(shadow, now - before, begin_ns, cancel);
        // Nothing came although the aim is not reached: an upstream that is being made, or a log
        // whose end is lost. It is waited for, not for ever.
        idle = now == steps_before ? idle + 1 : 0;
        if (idle > 16) plat_sleep_us(10000);
        if (idle > 1000)
            return base_fail(err, BASE_E_BUSY, BASE_SQLSTATE_NOT_IN_STATE,
                             "flow %s: its inputs do not give what flow %s has read of them",
                             flow->name, shadow->of->name);
    }
    // Places in the log without a record (heartbeats) were counted before they were read.
    if (rc == BASE_OK) atomic_store(&shadow->total, atomic_load(&shadow->read));
    if (rc == BASE_OK && settle) {
        shadow->settling = true;
        rc = one_step(shadow, err);
        shadow->settling = false;
    }
    return rc;
}

// ---- digest -------------------------------------------------------------------------------------

typedef struct digesting {
    engine_shadow *shadow;
    state_txn *txn;
    base_u128 sum;
    base_error *err;
    uint32_t n;
    char **names;
} digesting;

static base_rc note_table(void *arg, const char *name) {
    digesting *d = arg;
    d->names = realloc(d->names, (d->n + 1) * sizeof *d->names);
    must(d->names != NULL);
    d->names[d->n] = strdup(name);
    must(d->names[d->n] != NULL);
    d->n++;
    return BASE_OK;
}

static base_rc digest_table(digesting *d, const char *name, base_error *err) {
    state_table table;
    base_rc rc = state_table_open(d->shadow->flow->store, name, &table, err);
    state_txn *txn;
    if (rc == BASE_OK) rc = state_begin_read(d->shadow->flow->store, &txn, err);
    if (rc != BASE_OK) return rc;
    state_cursor *cursor;
    rc = state_cursor_open(txn, table, &cursor, err);
    base_str key, value;
    bool end = false;
    base_buf row = {0};
    if (rc == BASE_OK) {
        rc = state_cursor_seek(cursor, (base_str){NULL, 0}, &key, &value, &end, err);
        while (rc == BASE_OK && !end) {
            base_buf_clear(&row);
            base_buf_printf(&row, "%s %zu ", name, key.n);
            base_buf_add(&row, key.p, key.n);
            base_buf_add(&row, value.p, value.n);
            uint8_t hash[16];
            base_hash128(row.p, row.n, hash);
            base_u128 v;
            memcpy(&v, hash, sizeof v);
            d->sum += v;
            rc = state_cursor_next(cursor, &key, &value, &end, err);
        }
        state_cursor_close(cursor);
    }
    base_buf_deinit(&row);
    state_abort(txn);
    return rc;
}

base_rc engine_shadow_digest(engine_shadow *shadow, uint8_t out[16], base_error *err) {
    digesting d = {.shadow = shadow, .err = err};
    base_rc rc = state_table_list(shadow->flow->store, note_table, &d, err);
    for (uint32_t i = 0; i < d.n; i++) {
        // The catalogue's identity is random.
        if (rc == BASE_OK && strcmp(d.names[i], "engine.flow") != 0)
            rc = digest_table(&d, d.names[i], err);
        free(d.names[i]);
    }
    free(d.names);
    memcpy(out, &d.sum, 16);
    return rc;
}
