// completeness.c - what weir knows of how complete its streams and windows are, as rows of system
// objects: events seen against events expected, late ones, delays against measured disorder, gaps
// of sequences, windows that lack events; and advice on delays. Entry point:
// system_completeness_defs.
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "engine/finality/advise.h"
#include "engine/finality/expect.h"
#include "engine/finality/rate.h"
#include "engine/finality/rules.h"
#include "engine/system_int.h"

// ---- weir.advise_watermark('stream')

static bool session_goes_on(void *arg, uint64_t done, uint64_t all) {
    (void)done, (void)all;
    const engine_session *session = arg;
    if (session->cancel) return false;
    return session->deadline_us == 0 ||
           (int64_t)(plat_monotonic_ns(session->engine->plat) / 1000) <= session->deadline_us;
}

static base_rc fill_advice(system_rows *r, base_error *err) {
    const char *name = system_argument(r, 0);
    if (name == NULL) return BASE_OK;
    const plan_object *stream = engine_find(r->engine, base_str_of(name));
    if (stream == NULL)
        return base_fail(err, BASE_E_NOT_FOUND, BASE_SQLSTATE_UNDEFINED_TABLE,
                         "stream \"%s\" does not exist", name);
    engine_advice advice;
    base_rc rc =
        engine_advise(r->engine, stream, session_goes_on, r->session, r->arena, &advice, err);
    for (uint32_t i = 0; rc == BASE_OK && i < advice.nrows; i++) {
        const engine_advice_row *row = &advice.rows[i];
        system_row(r);
        if (row->partition >= 0) system_i64(r, "partition", row->partition);
        system_text(r, "target", row->target);
        if (row->delay_us != INT64_MAX) system_us(r, "delay", row->delay_us);
        if (row->delay_us != INT64_MAX) system_f64(r, "delay_seconds", (double)row->delay_us / 1e6);
        system_bool(r, "exact", advice.exact);
        system_i64(r, "records", (int64_t)row->records);
        system_i64(r, "on_time", (int64_t)row->on_time);
        system_i64(r, "late", (int64_t)(row->records - row->on_time));
        system_f64(r, "on_time_share", (double)row->on_time / (double)row->records);
        if (row->has_windows) system_i64(r, "windows", (int64_t)row->windows);
        if (row->has_windows) system_i64(r, "corrected", (int64_t)row->corrected);
        if (row->partition < 0) system_text(r, "views", advice.views);
        system_text(r, "ddl", row->ddl);
    }
    return rc;
}

// ---- flows and the streams they read

static uint32_t flow_count(engine *e) {
    plat_mutex_lock(&e->flows_lock);
    uint32_t n = e->nflows;
    plat_mutex_unlock(&e->flows_lock);
    return n;
}

// A flow's view of a stream, in a snapshot of the flow's store.
typedef struct flow_stream {
    engine_flow *flow;
    state_txn *txn;
    const plan_object *stream;
} flow_stream;

static uint32_t partitions_of(const plan_object *stream) {
    return stream->partitions > 0 ? stream->partitions : 1;
}

static base_rc reads_stream(const flow_stream *s, bool *reads, base_error *err) {
    engine_cursor cursor;
    *reads = false;
    base_rc rc = BASE_OK;
    for (uint32_t p = 0; rc == BASE_OK && !*reads && p < partitions_of(s->stream); p++)
        rc = engine_cursor_read(s->txn, s->flow->t_cursor, s->stream->id, p, &cursor, reads, err);
    return rc;
}

typedef base_rc (*stream_visit)(system_rows *r, const flow_stream *s, base_error *err);

static base_rc each_flow_stream(system_rows *r, stream_visit visit, base_error *err) {
    uint32_t n;
    const plan_object **objects = system_objects(r, &n);
    for (uint32_t f = 0; f < flow_count(r->engine); f++) {
        flow_stream s = {.flow = r->engine->flows[f]};
        if (s.flow->store == NULL) continue; // failed: weir.flows says so
        base_rc rc = engine_flow_begin_read(s.flow, &s.txn, err);
        if (rc != BASE_OK) return rc;
        for (uint32_t i = 0; rc == BASE_OK && i < n; i++) {
            s.stream = objects[i];
            bool reads;
            if (s.stream->kind != PLAN_OBJECT_STREAM) continue;
            rc = reads_stream(&s, &reads, err);
            if (rc == BASE_OK && reads) rc = visit(r, &s, err);
        }
        state_abort(s.txn);
        if (rc != BASE_OK) return rc;
    }
    return BASE_OK;
}

static void head(system_rows *r, const flow_stream *s) {
    system_row(r);
    system_text(r, "flow", s->flow->name);
    system_text(r, "schema", s->stream->schema);
    system_text(r, "name", s->stream->name);
}

// ---- weir.completeness: by flow, stream and partition

static base_rc completeness_row(system_rows *r, const flow_stream *s, uint32_t p, base_error *err) {
    static const struct {
        const char *column;
        double share;
    } shares[] = {{"disorder_p50", 0.5},
                  {"disorder_p90", 0.9},
                  {"disorder_p99", 0.99},
                  {"disorder_p999", 0.999},
                  {"disorder_p9999", 0.9999}};
    engine_cursor cursor;
    bool found;
    base_rc rc =
        engine_cursor_read(s->txn, s->flow->t_cursor, s->stream->id, p, &cursor, &found, err);
    if (rc != BASE_OK || !found) return rc;
    engine_disorder disorder;
    rc = engine_disorder_read(s->flow, s->txn, s->stream->id, p, &disorder, &found, err);
    if (rc != BASE_OK) return rc;
    head(r, s);
    system_i64(r, "partition", p);
    system_i64(r, "records", (int64_t)cursor.records);
    system_i64(r, "events", (int64_t)(cursor.records - cursor.duplicates - cursor.faults));
    system_i64(r, "late", (int64_t)cursor.late);
    if (cursor.records > 0)
        system_f64(r, "late_share", (double)cursor.late / (double)cursor.records);
    int64_t delay_us;
    if (cursor.watermark_us != ENGINE_NO_WATERMARK && cursor.max_event_us != INT64_MIN &&
        cursor.watermark_us != ENGINE_END_OF_TIME &&
        !__builtin_sub_overflow(cursor.max_event_us, cursor.watermark_us, &delay_us))
        system_us(r, "delay", delay_us);
    if (!found || disorder.records == 0) return BASE_OK;
    system_i64(r, "behind", (int64_t)disorder.behind);
    for (size_t i = 0; i < sizeof shares / sizeof *shares; i++)
        system_us(r, shares[i].column, engine_disorder_delay(&disorder, shares[i].share));
    system_us(r, "disorder_most", disorder.most_us);
    return BASE_OK;
}

static base_rc completeness_rows(system_rows *r, const flow_stream *s, base_error *err) {
    base_rc rc = BASE_OK;
    for (uint32_t p = 0; rc == BASE_OK && p < partitions_of(s->stream); p++)
        rc = completeness_row(r, s, p, err);
    return rc;
}

static base_rc fill_completeness(system_rows *r, base_error *err) {
    return each_flow_stream(r, completeness_rows, err);
}

// ---- weir.expected_events: what heartbeats with a count say

static void expected_row(system_rows *r, const flow_stream *s, int32_t partition,
                         const engine_expected *e) {
    head(r, s);
    if (partition >= 0) system_i64(r, "partition", partition);
    system_i64(r, "expected", (int64_t)e->expected);
    system_i64(r, "seen", (int64_t)e->seen);
    system_i64(r, "missing", e->expected > e->seen ? (int64_t)(e->expected - e->seen) : 0);
    system_i64(r, "unexpected", e->seen > e->expected ? (int64_t)(e->seen - e->expected) : 0);
    system_i64(r, "heartbeat_to", e->to_us);
    system_i64(r, "heartbeat_at", e->at_us);
}

// A heartbeat of all partitions can be told when the flow has met it in each.
static base_rc expected_rows(system_rows *r, const flow_stream *s, base_error *err) {
    engine_expected all = {0};
    uint32_t n = partitions_of(s->stream), whole = 0;
    for (uint32_t p = 0; p < n; p++) {
        engine_expected one;
        bool found;
        base_rc rc = engine_expect_read(s->flow, s->txn, s->stream->id, p, &one, &found, err);
        if (rc != BASE_OK) return rc;
        if (!found) continue;
        if (!one.whole) {
            expected_row(r, s, (int32_t)p, &one);
            continue;
        }
        if (whole > 0 && (all.expected != one.expected || all.to_us != one.to_us)) return BASE_OK;
        uint64_t seen = all.seen + one.seen;
        all = one;
        all.seen = seen;
        whole++;
    }
    if (whole == n) expected_row(r, s, -1, &all);
    return BASE_OK;
}

static base_rc fill_expected(system_rows *r, base_error *err) {
    return each_flow_stream(r, expected_rows, err);
}

// ---- weir.sequences and weir.sequence_gaps

typedef struct sequence_rows {
    system_rows *r;
    const flow_stream *s;
    bool gaps;
} sequence_rows;

// The producer as text; null: the stream has one.
static base_rc producer_cell(system_rows *r, const plan_object *stream, base_str key,
                             base_error *err) {
    if (stream->sequence_source < 0) return BASE_OK;
    col_vec vec;
    col_vec_init(&vec, r->arena, stream->columns[stream->sequence_source].type, 1);
    size_t at = 0;
    base_str copy = {base_arena_memdup(r->arena, key.p, key.n), key.n};
    base_rc rc = col_key_decode(copy, &at, &vec, 0, r->arena, err);
    if (rc != BASE_OK || col_is_null(&vec, 0)) return rc;
    base_buf text = {0};
    col_text_format(&vec, 0, NULL, &text);
    system_copy(r, "producer", base_buf_str(&text));
    base_buf_deinit(&text);
    return BASE_OK;
}

// As many numbers can be missing as there are, which no bigint holds.
static int64_t clamped(uint64_t n) {
    return n > INT64_MAX ? INT64_MAX : (int64_t)n;
}

static base_rc sequence_row(const sequence_rows *rows, const engine_sequence *one,
                            base_error *err) {
    system_rows *r = rows->r;
    const engine_sequence_range *first = &one->ranges[0], *last = &one->ranges[one->nranges - 1];
    head(r, rows->s);
    system_i64(r, "first", first->first);
    system_i64(r, "last", last->last);
    system_i64(r, "seen", (int64_t)one->seen);
    system_i64(r, "again", (int64_t)one->again);
    system_i64(r, "missing", clamped(engine_sequence_missing(one)));
    system_i64(r, "gaps", one->nranges - 1);
    system_i64(r, "given_up", clamped(one->given_up));
    system_time(r, "last_event", last->last_us, INT64_MIN);
    return producer_cell(r, rows->s->stream, one->producer, err);
}

static base_rc gap_rows(const sequence_rows *rows, const engine_sequence *one, base_error *err) {
    system_rows *r = rows->r;
    base_rc rc = BASE_OK;
    for (uint32_t i = 1; rc == BASE_OK && i < one->nranges; i++) {
        const engine_sequence_range *before = &one->ranges[i - 1], *after = &one->ranges[i];
        head(r, rows->s);
        system_i64(r, "first_missing", before->last + 1);
        system_i64(r, "last_missing", after->first - 1);
        system_i64(r, "missing", clamped((uint64_t)after->first - (uint64_t)before->last - 1));
        system_time(r, "event_before", before->last_us, INT64_MIN);
        system_time(r, "event_after", after->first_us, INT64_MIN);
        rc = producer_cell(r, rows->s->stream, one->producer, err);
    }
    return rc;
}

static base_rc visit_sequence(void *arg, const engine_sequence *one, base_error *err) {
    const sequence_rows *rows = arg;
    if (one->nranges == 0) return BASE_OK;
    return rows->gaps ? gap_rows(rows, one, err) : sequence_row(rows, one, err);
}

static base_rc sequences_of(system_rows *r, const flow_stream *s, base_error *err) {
    sequence_rows rows = {r, s, false};
    return engine_sequences_each(s->flow, s->txn, s->stream->id, visit_sequence, &rows, err);
}

static base_rc gaps_of(system_rows *r, const flow_stream *s, base_error *err) {
    sequence_rows rows = {r, s, true};
    return engine_sequences_each(s->flow, s->txn, s->stream->id, visit_sequence, &rows, err);
}

static base_rc fill_sequences(system_rows *r, base_error *err) {
    return each_flow_stream(r, sequences_of, err);
}

static base_rc fill_gaps(system_rows *r, base_error *err) {
    return each_flow_stream(r, gaps_of, err);
}

// ---- metrics

typedef struct stream_facts {
    const engine_flow *flow;
    const plan_object *stream;
    double delay_s, disorder_s; // the greatest of its partitions; < 0: unknown
    uint64_t missing;           // by SEQUENCE
} stream_facts;

typedef struct facts_list {
    system_rows rows; // for each_flow_stream; the first member
    uint32_t n, cap;
    stream_facts *facts;
} facts_list;

static base_rc count_missing(void *arg, const engine_sequence *one, base_error *err) {
    (void)err;
    uint64_t *sum = arg;
    if (__builtin_add_overflow(*sum, engine_sequence_missing(one), sum)) *sum = UINT64_MAX;
    return BASE_OK;
}

static base_rc take_facts(system_rows *r, const flow_stream *s, base_error *err) {
    facts_list *list = (facts_list *)r;
    stream_facts facts = {s->flow, s->stream, -1, -1, 0};
    base_rc rc = BASE_OK;
    for (uint32_t p = 0; rc == BASE_OK && p < partitions_of(s->stream); p++) {
        engine_cursor cursor;
        engine_disorder disorder;
        bool found;
        rc = engine_cursor_read(s->txn, s->flow->t_cursor, s->stream->id, p, &cursor, &found, err);
        if (rc != BASE_OK || !found) continue;
        if (cursor.watermark_us != ENGINE_NO_WATERMARK && cursor.max_event_us != INT64_MIN) {
            double delay_s = ((double)cursor.max_event_us - (double)cursor.watermark_us) / 1e6;
            if (cursor.watermark_us != ENGINE_END_OF_TIME && delay_s > facts.delay_s)
                facts.delay_s = delay_s;
        }
        rc = engine_disorder_read(s->flow, s->txn, s->stream->id, p, &disorder, &found, err);
        if (rc != BASE_OK || !found) continue;
        double disorder_s = (double)engine_disorder_delay(&disorder, 0.99) / 1e6;
        if (disorder_s > facts.disorder_s) facts.disorder_s = disorder_s;
    }
    if (rc == BASE_OK && s->stream->has_sequence)
        rc = engine_sequences_each(s->flow, s->txn, s->stream->id, count_missing, &facts.missing,
                                   err);
    if (rc != BASE_OK) return rc;
    if (list->n == list->cap) {
        list->cap = list->cap == 0 ? 16 : list->cap * 2;
        list->facts = realloc(list->facts, list->cap * sizeof *list->facts);
        must(list->facts != NULL);
    }
    list->facts[list->n++] = facts;
    return BASE_OK;
}

static void print_facts(base_buf *buf, const char *name, const stream_facts *f, double value) {
    base_buf_printf(buf, "%s{flow=", name);
    base_buf_add_json_string(buf, base_str_of(f->flow->name));
    base_buf stream = {0};
    base_buf_printf(&stream, "%s.%s", f->stream->schema, f->stream->name);
    base_buf_add_cstr(buf, ",stream=");
    base_buf_add_json_string(buf, base_buf_str(&stream));
    base_buf_deinit(&stream);
    base_buf_printf(buf, "} %.17g\n", value);
}

void engine_completeness_metrics(engine *e, base_buf *buf) {
    static const char *const names[] = {"weir_stream_watermark_delay_seconds",
                                        "weir_stream_disorder_p99_seconds",
                                        "weir_stream_missing_numbers"};
    static const char *const help[] = {
        "How far the watermark is behind the newest event, the greatest of the partitions.",
        "Disorder that 99 % of the newest records keep, the greatest of the partitions.",
        "Numbers of the stream's SEQUENCE that have not come."};
    base_arena arena;
    base_arena_init(&arena, 1 << 14);
    facts_list list = {.rows = {.engine = e, .arena = &arena}};
    base_error err;
    // What cannot be read now is left out.
    (void)!each_flow_stream(&list.rows, take_facts, &err);
    for (size_t m = 0; m < sizeof names / sizeof *names; m++) {
        base_buf_printf(buf, "# HELP %s %s\n# TYPE %s gauge\n", names[m], help[m], names[m]);
        for (uint32_t i = 0; i < list.n; i++) {
            const stream_facts *f = &list.facts[i];
            if (m == 0 && f->delay_s >= 0) print_facts(buf, names[m], f, f->delay_s);
            if (m == 1 && f->disorder_s >= 0) print_facts(buf, names[m], f, f->disorder_s);
            if (m == 2 && f->stream->has_sequence)
                print_facts(buf, names[m], f, (double)f->missing);
        }
    }
    free(list.facts);
    base_arena_deinit(&arena);
}

// ---- weir.expected_by_hour: what earlier days let expect, where no source says it

#define SHOWN_HOURS 168 // up to the greatest

static base_rc has_counts(const flow_stream *s, bool *has, base_error *err) {
    *has = s->stream->has_sequence;
    base_rc rc = BASE_OK;
    for (uint32_t p = 0; rc == BASE_OK && !*has && p < partitions_of(s->stream); p++) {
        engine_expected ignored;
        rc = engine_expect_read(s->flow, s->txn, s->stream->id, p, &ignored, has, err);
    }
    return rc;
}

// The least watermark of the partitions that have had an event.
static base_rc least_watermark(const flow_stream *s, int64_t *us, base_error *err) {
    *us = ENGINE_NO_WATERMARK;
    bool any = false;
    for (uint32_t p = 0; p < partitions_of(s->stream); p++) {
        engine_cursor cursor;
        bool found;
        base_rc rc =
            engine_cursor_read(s->txn, s->flow->t_cursor, s->stream->id, p, &cursor, &found, err);
        if (rc != BASE_OK) return rc;
        if (!found || cursor.records == 0) continue;
        if (!any || cursor.watermark_us < *us) *us = cursor.watermark_us;
        any = true;
    }
    return BASE_OK;
}

static void hour_row(system_rows *r, const flow_stream *s, const engine_rate_table *table,
                     int64_t hour, int64_t watermark_us) {
    int64_t hour_us = 3600 * BASE_US_PER_SECOND, end_us = (hour + 1) * hour_us;
    engine_rate_expected e = engine_rate_expect(table, hour);
    uint64_t seen = engine_rate_of(table, hour);
    bool final = watermark_us != ENGINE_NO_WATERMARK && end_us <= watermark_us;
    head(r, s);
    system_i64(r, "hour_start", hour * hour_us);
    system_i64(r, "hour_end", end_us);
    system_text(r, "status", final ? "final" : "provisional");
    system_text(r, "basis", "history");
    system_i64(r, "seen", (int64_t)seen);
    system_i64(r, "rests_on", e.hours);
    if (!e.known) return;
    system_text(r, "method", e.method);
    system_i64(r, "expected", (int64_t)e.events);
    if (!final) return; // it may come yet
    system_i64(r, "missing", e.events > seen ? (int64_t)(e.events - seen) : 0);
    system_i64(r, "unexpected", seen > e.events ? (int64_t)(seen - e.events) : 0);
}

static base_rc hour_rows(system_rows *r, const flow_stream *s, base_error *err) {
    bool has;
    int64_t watermark_us;
    base_rc rc = has_counts(s, &has, err);
    if (rc != BASE_OK || has || s->stream->event_time < 0) return rc;
    engine_rate_table *table = base_arena_new(r->arena, engine_rate_table);
    rc = engine_rates_read(s->flow, s->txn, s->stream->id, partitions_of(s->stream), table, err);
    if (rc == BASE_OK) rc = least_watermark(s, &watermark_us, err);
    if (rc != BASE_OK || !table->any) return rc;
    int64_t hour = table->last - SHOWN_HOURS + 1;
    if (hour < table->first) hour = table->first;
    for (; hour <= table->last; hour++) hour_row(r, s, table, hour, watermark_us);
    return BASE_OK;
}

static base_rc fill_by_hour(system_rows *r, base_error *err) {
    return each_flow_stream(r, hour_rows, err);
}

// ---- weir.watermark_rules: what the watermarks of streams were from, and for which records

static base_rc fill_rules(system_rows *r, base_error *err) {
    (void)err;
    uint32_t n;
    const plan_object **objects = system_objects(r, &n);
    for (uint32_t i = 0; i < n; i++) {
        const plan_object *stream = objects[i];
        const engine_rule_list *list = engine_rules_of(stream);
        if (stream->kind != PLAN_OBJECT_STREAM || stream->watermark == NULL) continue;
        for (uint32_t k = 0; k < (list == NULL ? 1 : list->n); k++) {
            const engine_rule *rule = list == NULL ? NULL : list->all[k];
            for (uint32_t p = 0; p < partitions_of(stream); p++) {
                system_row(r);
                system_text(r, "schema", stream->schema);
                system_text(r, "name", stream->name);
                system_i64(r, "rule", rule == NULL ? 1 : rule->number + 1);
                system_i64(r, "partition", p);
                if (rule != NULL) system_i64(r, "from_offset", (int64_t)rule->from[p]);
                if (rule != NULL) system_time(r, "since", rule->since_us, 0);
                system_str(r, "watermark",
                           rule == NULL ? engine_rules_clause(stream) : rule->clause);
            }
        }
    }
    return BASE_OK;
}

// ---- all of them

const system_def system_completeness_defs[] = {
    {15030, "weir", "advise_watermark",
     "(1) partition integer?, target text, delay interval?, delay_seconds double precision?, exact "
     "boolean, records bigint, on_time bigint, late bigint, on_time_share double precision, "
     "windows bigint?, corrected bigint?, views text?, ddl text?",
     fill_advice,
     "what delay of a stream's watermark would have kept records on time, by its log; FROM "
     "weir.advise_watermark('stream')"},
    {15031, "weir", "completeness",
     "flow text, schema name, name name, partition integer, records bigint, events bigint, late "
     "bigint, late_share double precision?, delay interval?, behind bigint?, disorder_p50 "
     "interval?, disorder_p90 interval?, disorder_p99 interval?, disorder_p999 interval?, "
     "disorder_p9999 interval?, disorder_most interval?",
     fill_completeness,
     "events of each partition, how many came late, and the watermark's delay against the measured "
     "disorder"},
    {15032, "weir", "expected_events",
     "flow text, schema name, name name, partition integer?, expected bigint, seen bigint, missing "
     "bigint, unexpected bigint, heartbeat_to timestamptz, heartbeat_at timestamptz",
     fill_expected, "events seen against the count of the newest heartbeat"},
    {15033, "weir", "sequences",
     "flow text, schema name, name name, producer text?, first bigint, last bigint, seen bigint, "
     "again bigint, missing bigint, gaps bigint, given_up bigint, last_event timestamptz?",
     fill_sequences, "the numbers of each producer of streams with a SEQUENCE"},
    {15034, "weir", "sequence_gaps",
     "flow text, schema name, name name, producer text?, first_missing bigint, last_missing "
     "bigint, "
     "missing bigint, event_before timestamptz?, event_after timestamptz?",
     fill_gaps, "numbers that have not come, and the events around them"},
    {15035, "weir", "window_completeness",
     "schema name, view name, window_start timestamptz?, window_end timestamptz, final_at "
     "timestamptz?, status text, rows bigint, corrected bigint, missing bigint?",
     system_fill_windows,
     "windows of views: rows, how many changed after they were final, and events that may be "
     "missing"},
    {15037, "weir", "expected_by_hour",
     "flow text, schema name, name name, hour_start timestamptz, hour_end timestamptz, status "
     "text, basis text, seen bigint, expected bigint?, missing bigint?, unexpected bigint?, "
     "rests_on integer, method text?",
     fill_by_hour,
     "events of each hour against the same hour of earlier days, of streams without a SEQUENCE and "
     "heartbeats with a count"},
    {15036, "weir", "watermark_rules",
     "schema name, name name, rule bigint, partition integer, from_offset bigint, since "
     "timestamptz?, watermark text",
     fill_rules,
     "what the watermark of a stream is from, and the offset of each partition from which on"},
};
const size_t system_completeness_def_count =
    sizeof system_completeness_defs / sizeof system_completeness_defs[0];
