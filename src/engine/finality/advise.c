// advise.c - the measurements of advise.h, in one pass over the log. A record's disorder is by how
// much its event time is below the greatest before it in its partition: it is on time under every
// delay of at least that. A window has been corrected under every delay up to the greatest, over
// its records, of what the stream's least partition had seen before, less the instant at which the
// window is final. So one number a record and one a window tell of all delays. Entry point:
// engine_advise.
#include "engine/finality/advise.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/must.h"
#include "engine/engine_int.h"

static const struct {
    const char *name;
    double share;
} targets[ENGINE_ADVISE_TARGETS - 1] = {{"50 %", 0.5},     {"90 %", 0.9},       {"99 %", 0.99},
                                        {"99.9 %", 0.999}, {"99.99 %", 0.9999}, {"all", 1}};

// ---- counted values -----------------------------------------------------------------------------

typedef struct counted {
    int64_t value;
    uint64_t n; // 0: an empty slot
} counted;

typedef struct value_table {
    uint32_t n, cap; // cap: a power of two, or 0
    counted *slots;
} value_table;

static uint64_t hash_of(int64_t a, int64_t b) {
    int64_t words[2] = {a, b};
    return base_hash64((const char *)words, sizeof words);
}

static void value_add(value_table *t, int64_t value, uint64_t n);

static void value_grow(value_table *t) {
    value_table old = *t;
    t->n = 0;
    t->cap = old.cap == 0 ? 64 : old.cap * 2;
    t->slots = calloc(t->cap, sizeof *t->slots);
    must(t->slots != NULL);
    for (uint32_t i = 0; i < old.cap; i++)
        if (old.slots[i].n > 0) value_add(t, old.slots[i].value, old.slots[i].n);
    free(old.slots);
}

static void value_add(value_table *t, int64_t value, uint64_t n) {
    if (t->n * 4 >= t->cap * 3) value_grow(t);
    uint32_t at = (uint32_t)hash_of(value, 0) & (t->cap - 1);
    while (t->slots[at].n > 0 && t->slots[at].value != value) at = (at + 1) & (t->cap - 1);
    if (t->slots[at].n == 0) t->n++;
    t->slots[at].value = value;
    t->slots[at].n += n;
}

// Up, to a number of 12 significant bits.
static int64_t rounded(int64_t value) {
    uint64_t v = (uint64_t)value;
    if (v < 4096) return value;
    uint32_t drop = 63u - (uint32_t)__builtin_clzll(v) - 11;
    uint64_t low = (1ull << drop) - 1;
    uint64_t up = (v + low) & ~low;
    return up > INT64_MAX ? INT64_MAX : (int64_t)up;
}

static void value_round(value_table *t) {
    value_table old = *t;
    *t = (value_table){0};
    for (uint32_t i = 0; i < old.cap; i++)
        if (old.slots[i].n > 0) value_add(t, rounded(old.slots[i].value), old.slots[i].n);
    free(old.slots);
}

static int by_value(const void *a, const void *b) {
    int64_t x = ((const counted *)a)->value, y = ((const counted *)b)->value;
    return (x > y) - (x < y);
}

static counted *value_sorted(base_arena *arena, const value_table *t) {
    counted *all = base_arena_array(arena, counted, t->n + 1);
    uint32_t n = 0;
    for (uint32_t i = 0; i < t->cap; i++)
        if (t->slots[i].n > 0) all[n++] = t->slots[i];
    if (n > 1) qsort(all, n, sizeof *all, by_value);
    return all;
}

// ---- windows ------------------------------------------------------------------------------------

// A window of a view that has records.
typedef struct window_entry {
    int64_t end;
    int64_t most_us; // the greatest delay under which it was corrected
    uint32_t view;   // number in the list, from 1; 0: an empty slot
    bool corrected;  // by the watermark as it was
} window_entry;

typedef struct window_table {
    uint32_t n, cap;
    window_entry *slots;
} window_table;

static window_entry *window_find(window_table *t, uint32_t view, int64_t end) {
    if (t->n * 4 >= t->cap * 3) {
        window_table old = *t;
        t->n = 0;
        t->cap = old.cap == 0 ? 64 : old.cap * 2;
        t->slots = calloc(t->cap, sizeof *t->slots);
        must(t->slots != NULL);
        for (uint32_t i = 0; i < old.cap; i++)
            if (old.slots[i].view > 0)
                *window_find(t, old.slots[i].view, old.slots[i].end) = old.slots[i];
        free(old.slots);
    }
    uint32_t at = (uint32_t)hash_of(end, view) & (t->cap - 1);
    while (t->slots[at].view > 0 && (t->slots[at].view != view || t->slots[at].end != end))
        at = (at + 1) & (t->cap - 1);
    if (t->slots[at].view == 0) {
        t->slots[at] = (window_entry){end, INT64_MIN, view, false};
        t->n++;
    }
    return &t->slots[at];
}

typedef struct counted_view {
    const plan_object *view;
    const plan_window *window;
    // What the last record's windows were.
    plan_window_set set;
    int64_t *finals; // of its windows
} counted_view;

// ---- the pass -----------------------------------------------------------------------------------

typedef struct advised_partition {
    log_reader *reader;
    log_batch batch; // the next one; count 0: there is none
    uint64_t upto;
    engine_clock clock;
    uint64_t refused; // as too late: late too
    value_table values;
    uint64_t records;
} advised_partition;

typedef struct advising {
    engine *e;
    const plan_object *object;
    engine_stream *stream;
    engine_contract *contract;
    base_arena scratch; // of a batch
    base_arena *arena;  // of the answer
    uint32_t npartitions;
    advised_partition *parts;
    uint32_t nviews;
    counted_view *views;
    window_table windows;
    bool too_many_windows;
    bool exact;
    base_error *err;
} advising;

// The least over the partitions that have had a record.
static int64_t least_seen(const advising *a, bool watermark) {
    int64_t least = INT64_MAX;
    for (uint32_t p = 0; p < a->npartitions; p++) {
        const engine_clock *clock = &a->parts[p].clock;
        if (a->parts[p].records == 0) continue;
        int64_t us = watermark ? clock->watermark_us : clock->max_event_us;
        if (us < least) least = us;
    }
    return least == INT64_MAX ? INT64_MIN : least;
}

// The windows of a record at `us`; seen and watermark: the stream's before it.
static void count_windows(advising *a, int64_t us, int64_t seen_us, int64_t watermark_us) {
    for (uint32_t i = 0; i < a->nviews && !a->too_many_windows; i++) {
        counted_view *v = &a->views[i];
        if (us < v->set.from || us >= v->set.until) {
            plan_window_find(v->window, us, &v->set);
            for (uint32_t k = 0; k < v->set.n; k++)
                v->finals[k] = plan_final_at(&v->view->finality, v->set.ends[k]);
        }
        for (uint32_t k = 0; k < v->set.n; k++) {
            window_entry *entry = window_find(&a->windows, i + 1, v->set.ends[k]);
            int64_t most_us;
            if (watermark_us != INT64_MIN && v->finals[k] <= watermark_us) entry->corrected = true;
            if (seen_us != INT64_MIN && !__builtin_sub_overflow(seen_us, v->finals[k], &most_us) &&
                most_us > entry->most_us)
                entry->most_us = most_us;
        }
        a->too_many_windows = a->windows.n > ENGINE_ADVISE_WINDOWS;
    }
}

static void bound_values(advising *a) {
    uint64_t n = 0;
    for (uint32_t p = 0; p < a->npartitions; p++) n += a->parts[p].values.n;
    if (!a->exact || n <= ENGINE_ADVISE_VALUES) return;
    a->exact = false;
    for (uint32_t p = 0; p < a->npartitions; p++) value_round(&a->parts[p].values);
}

// A record of a reconciliation or of a person moves the clock, and says nothing of producers.
static void take_row(advising *a, advised_partition *part, const engine_decoded *one, bool ours) {
    int64_t us = one->event_us[0], behind = 0, before = part->clock.max_event_us;
    if (ours) {
        (void)engine_clock_refuses(a->object, &part->clock, one);
        return;
    }
    if (before != INT64_MIN && us < before && __builtin_sub_overflow(before, us, &behind))
        behind = INT64_MAX;
    value_add(&part->values, a->exact ? behind : rounded(behind), 1);
    int64_t seen_us = least_seen(a, false), watermark_us = least_seen(a, true);
    part->records++;
    if (engine_clock_refuses(a->object, &part->clock, one))
        part->refused++;
    else
        count_windows(a, us, seen_us, watermark_us);
}

// Row by row, since each may move the clock that the next is measured by.
static void take_rows(advising *a, advised_partition *part, const engine_decoded *d) {
    for (uint32_t row = 0; row < d->nrows; row++) {
        if (d->event_us[row] == INT64_MIN) continue;
        engine_decoded one = {.nrows = 1, .event_us = d->event_us + row, .rule = d->rule};
        one.watermark_us = d->watermark_us != NULL ? d->watermark_us + row : NULL;
        one.ours = d->ours != NULL ? d->ours + row : NULL;
        take_row(a, part, &one, one.ours != NULL && one.ours[0] != 0);
    }
}

static base_rc next_batch(advising *a, advised_partition *part) {
    bool end = false;
    part->batch.count = 0;
    log_reader_release(part->reader);
    if (log_reader_offset(part->reader) >= part->upto) return BASE_OK;
    base_rc rc = log_reader_next(part->reader, &part->batch, &end, a->err);
    if (rc == BASE_OK && end) part->batch.count = 0;
    return rc;
}

static base_rc open_partition(advising *a, uint32_t p, uint64_t *records) {
    advised_partition *part = &a->parts[p];
    log_stream *log = a->stream->log;
    engine_clock_init(&part->clock, a->object);
    uint64_t begin = log_begin(log, p);
    part->upto = log_end(log, p);
    if (begin >= part->upto) return BASE_OK;
    *records += part->upto - begin;
    base_rc rc = log_reader_open(log, p, begin, &part->reader, a->err);
    return rc == BASE_OK ? next_batch(a, part) : rc;
}

// Batches of all partitions in the order of append.
static base_rc read_log(advising *a, bool (*keep_going)(void *arg, uint64_t done, uint64_t all),
                        void *arg) {
    uint64_t all = 0, done = 0;
    base_rc rc = BASE_OK;
    for (uint32_t p = 0; rc == BASE_OK && p < a->npartitions; p++) rc = open_partition(a, p, &all);
    while (rc == BASE_OK) {
        uint32_t next = UINT32_MAX;
        for (uint32_t p = 0; p < a->npartitions; p++) {
            const log_batch *batch = &a->parts[p].batch;
            if (batch->count > 0 &&
                (next == UINT32_MAX || batch->info.append_us < a->parts[next].batch.info.append_us))
                next = p;
        }
        if (next == UINT32_MAX) return BASE_OK;
        if (!keep_going(arg, done, all))
            return base_fail(a->err, BASE_E_CANCELLED, NULL, "stopped after %llu of %llu records",
                             (unsigned long long)done, (unsigned long long)all);
        advised_partition *part = &a->parts[next];
        engine_decoded d;
        base_arena_reset(&a->scratch);
        engine_contract_decode_batch(a->contract, &part->batch, 0, part->batch.count, next,
                                     &a->scratch, &d);
        if (engine_batch_is_control(&part->batch))
            engine_clock_advance(&part->clock, &part->batch, 0);
        else
            take_rows(a, part, &d);
        bound_values(a);
        done += part->batch.count;
        rc = next_batch(a, part);
    }
    return rc;
}

// ---- which views --------------------------------------------------------------------------------

typedef struct reading {
    uint32_t id;
    bool reads, only; // reads the stream; and what rows come from is nothing else
} reading;

static void visit_driving(void *arg, const plan_node *scan) {
    reading *r = arg;
    if (scan->object->id == r->id)
        r->reads = true;
    else
        r->only = false;
}

// Whether a column is the event time of the stream, as it stands.
static bool is_event_time(const plan_node *node, uint32_t column) {
    switch (node->kind) {
    case PLAN_NODE_SCAN:
        return node->object->kind == PLAN_OBJECT_STREAM &&
               node->indexes[column] == (uint32_t)node->object->event_time;
    case PLAN_NODE_FILTER:
        return is_event_time(node->inputs[0], column);
    case PLAN_NODE_PROJECT:
        return node->exprs[column]->kind == PLAN_EXPR_COLUMN &&
               is_event_time(node->inputs[0], node->exprs[column]->index);
    default:
        return false;
    }
}

// Windows by date_trunc and the like are of a stream's event time; those of TUMBLE of any column.
static bool goes_by_event_time(const plan_node *node, const plan_window *window) {
    if (window->derived) return true;
    if (node->kind == PLAN_NODE_WINDOW && plan_window_equal(node->window, window))
        return is_event_time(node->inputs[0], node->time_column);
    for (uint32_t i = 0; i < node->ninputs; i++)
        if (goes_by_event_time(node->inputs[i], window)) return true;
    return false;
}

typedef struct view_list {
    advising *a;
    base_buf counted, left_out;
} view_list;

static void add_name(base_buf *buf, const plan_object *view) {
    base_buf_printf(buf, "%s%s.%s", buf->n > 0 ? ", " : "", view->schema, view->name);
}

static void visit_object(void *arg, const plan_object *object) {
    view_list *list = arg;
    advising *a = list->a;
    if (object->kind != PLAN_OBJECT_VIEW || object->version_of != 0) return;
    reading r = {a->object->id, false, true};
    plan_node_driving_scans(object->plan, visit_driving, &r);
    if (!r.reads || object->window_column < 0) return;
    const plan_window *window = object->columns[object->window_column].window;
    if (!r.only || window == NULL || window->form == PLAN_WINDOW_SESSION ||
        object->finality.by_clock || !goes_by_event_time(object->plan, window)) {
        add_name(&list->left_out, object);
        return;
    }
    add_name(&list->counted, object);
    a->views = realloc(a->views, (a->nviews + 1) * sizeof *a->views);
    must(a->views != NULL);
    counted_view *v = &a->views[a->nviews++];
    *v = (counted_view){.view = object, .window = window};
    v->set.starts = base_arena_array(a->arena, int64_t, PLAN_WINDOWS_MAX);
    v->set.ends = base_arena_array(a->arena, int64_t, PLAN_WINDOWS_MAX);
    v->finals = base_arena_array(a->arena, int64_t, PLAN_WINDOWS_MAX);
}

static void list_views(advising *a, engine_advice *out) {
    view_list list = {.a = a};
    engine_objects(a->e, visit_object, &list);
    out->views = base_arena_strdup(a->arena, base_buf_cstr(&list.counted));
    out->left_out = base_arena_strdup(a->arena, base_buf_cstr(&list.left_out));
    base_buf_deinit(&list.counted);
    base_buf_deinit(&list.left_out);
}

// ---- the answer ---------------------------------------------------------------------------------

static const char *clause(advising *a, int64_t delay_us) {
    const char *column = a->object->columns[a->object->event_time].name;
    char text[BASE_INTERVAL_TEXT_MAX];
    base_interval interval = {.us = delay_us};
    base_interval_format(&interval, text);
    return base_arena_printf(a->arena, "WATERMARK FOR %s AS %s - INTERVAL '%s'", column, column,
                             text);
}

static void corrected_under(const advising *a, engine_advice_row *row, bool present) {
    if (a->nviews == 0 || a->too_many_windows) return;
    row->has_windows = true;
    row->windows = a->windows.n;
    for (uint32_t i = 0; i < a->windows.cap; i++) {
        const window_entry *entry = &a->windows.slots[i];
        if (entry->view > 0 && (present ? entry->corrected : entry->most_us >= row->delay_us))
            row->corrected++;
    }
}

// The rows of one partition, or of all (-1).
static void add_rows(advising *a, int32_t partition, const value_table *values, uint64_t late,
                     int64_t present_us, engine_advice *out) {
    counted *sorted = value_sorted(a->arena, values);
    uint64_t records = 0;
    for (uint32_t i = 0; i < values->n; i++) records += sorted[i].n;
    if (records == 0) return;
    uint32_t at = 0;
    uint64_t sum = sorted[0].n;
    for (size_t t = 0; t < ENGINE_ADVISE_TARGETS; t++) {
        engine_advice_row *row = &out->rows[out->nrows++];
        bool present = t == ENGINE_ADVISE_TARGETS - 1;
        *row = (engine_advice_row){.partition = partition, .records = records};
        if (present) {
            row->target = "present";
            row->delay_us = present_us;
            row->on_time = records - late;
        } else {
            uint64_t want = (uint64_t)ceil(targets[t].share * (double)records);
            while (sum < want && at + 1 < values->n) sum += sorted[++at].n;
            row->target = targets[t].name;
            row->delay_us = sorted[at].value;
            row->on_time = sum;
        }
        if (partition >= 0) continue;
        if (!present) row->ddl = clause(a, row->delay_us);
        corrected_under(a, row, present);
    }
}

// The delay of the watermark as it stands; INT64_MAX: there is none yet.
static int64_t present_delay(const engine_clock *clock) {
    int64_t us;
    if (clock->watermark_us == ENGINE_NO_WATERMARK ||
        __builtin_sub_overflow(clock->max_event_us, clock->watermark_us, &us))
        return INT64_MAX;
    return us;
}

static void make_rows(advising *a, engine_advice *out) {
    out->exact = a->exact;
    out->rows =
        base_arena_array(a->arena, engine_advice_row, (a->npartitions + 1) * ENGINE_ADVISE_TARGETS);
    value_table all = {0};
    uint64_t late = 0;
    int64_t present_us = INT64_MIN;
    for (uint32_t p = 0; p < a->npartitions; p++) {
        const advised_partition *part = &a->parts[p];
        for (uint32_t i = 0; i < part->values.cap; i++)
            if (part->values.slots[i].n > 0)
                value_add(&all, part->values.slots[i].value, part->values.slots[i].n);
        late += part->clock.late + part->refused;
        if (part->records > 0 && present_delay(&part->clock) > present_us)
            present_us = present_delay(&part->clock);
    }
    add_rows(a, -1, &all, late, present_us, out);
    free(all.slots);
    for (uint32_t p = 0; a->npartitions > 1 && p < a->npartitions; p++) {
        const advised_partition *part = &a->parts[p];
        add_rows(a, (int32_t)p, &part->values, part->clock.late + part->refused,
                 present_delay(&part->clock), out);
    }
}

static void clean_up(advising *a) {
    for (uint32_t p = 0; p < a->npartitions; p++) {
        if (a->parts[p].reader != NULL) log_reader_close(a->parts[p].reader);
        engine_clock_deinit(&a->parts[p].clock);
        free(a->parts[p].values.slots);
    }
    engine_contract_destroy(a->contract);
    base_arena_deinit(&a->scratch);
    free(a->views);
    free(a->windows.slots);
    free(a->parts);
    engine_stream_release(a->stream);
}

base_rc engine_advise(engine *e, const plan_object *object,
                      bool (*keep_going)(void *arg, uint64_t done, uint64_t all), void *arg,
                      base_arena *arena, engine_advice *out, base_error *err) {
    memset(out, 0, sizeof *out);
    if (object->kind != PLAN_OBJECT_STREAM || object->event_time < 0)
        return base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_INVALID_PARAMETER,
                         "%s \"%s.%s\" has no WATERMARK to advise on",
                         plan_object_kind_name(object->kind), object->schema, object->name);
    advising a = {.e = e, .object = object, .arena = arena, .exact = true, .err = err};
    a.stream = engine_stream_hold(e, object);
    if (a.stream == NULL)
        return base_fail(err, BASE_E_NOT_FOUND, BASE_SQLSTATE_UNDEFINED_TABLE,
                         "stream \"%s.%s\" does not exist", object->schema, object->name);
    uint32_t column = (uint32_t)object->event_time;
    a.contract = engine_contract_create(object, false, 1, &column);
    a.npartitions = log_stream_partitions(a.stream->log);
    a.parts = calloc(a.npartitions, sizeof *a.parts);
    must(a.parts != NULL);
    base_arena_init(&a.scratch, 1 << 16);
    list_views(&a, out);
    base_rc rc = read_log(&a, keep_going, arg);
    if (rc == BASE_OK) make_rows(&a, out);
    clean_up(&a);
    return rc;
}
