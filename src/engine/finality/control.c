// control.c - control records: what a source says of its stream, in the stream's log and in its
// order, but no event of it. There is one kind, the heartbeat (ADVANCE WATERMARK): no event before
// an instant will come any more, and perhaps, how many events the source has sent so far.
//
// A control record is a log batch of its own with the flag ENGINE_BATCH_CONTROL. Its headers say
// what it is ("control", "to", "events", "source"), its payload the same in JSON, to be read by
// people. It has an offset like any record; whoever reads events skips it
// (engine_contract_decode_batch gives no rows for it). A reader that meets a kind that it does not
// know skips it too.
//
// Invariants: a heartbeat without a partition is appended to all of them, and acknowledged once it
// is durable in each; said again, it changes nothing. Entry points: engine_advance,
// engine_control_take.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "engine/engine_int.h"
#include "engine/finality/expect.h"

// ---- reading ------------------------------------------------------------------------------------

static bool read_number(base_str text, int64_t *out) {
    char number[32];
    if (text.n == 0 || text.n >= sizeof number) return false;
    memcpy(number, text.p, text.n);
    number[text.n] = '\0';
    char *end;
    *out = strtoll(number, &end, 10);
    return *end == '\0';
}

bool engine_control_read(const log_batch *batch, uint32_t record, engine_heartbeat *out) {
    base_str name, value;
    size_t at = 0;
    bool is_heartbeat = false, has_to = false;
    *out = (engine_heartbeat){.partition = -1};
    while (log_headers_next(log_batch_headers(batch, record), &at, &name, &value)) {
        int64_t number = 0;
        if (base_str_eq(name, BASE_STR("control"))) {
            is_heartbeat = base_str_eq(value, BASE_STR("watermark"));
        } else if (base_str_eq(name, BASE_STR("to"))) {
            has_to = read_number(value, &out->to_us);
        } else if (base_str_eq(name, BASE_STR("events"))) {
            out->has_events = read_number(value, &number) && number >= 0;
            out->events = (uint64_t)number;
        } else if (base_str_eq(name, BASE_STR("partition"))) {
            if (read_number(value, &number)) out->partition = (int32_t)number;
        } else if (base_str_eq(name, BASE_STR("source"))) {
            out->source = value;
        }
    }
    return is_heartbeat && has_to;
}

void engine_clock_advance(engine_clock *clock, const log_batch *batch, uint32_t record) {
    engine_heartbeat beat;
    if (engine_control_read(batch, record, &beat) && beat.to_us > clock->watermark_us)
        clock->watermark_us = beat.to_us;
}

base_rc engine_control_take(engine_flow *flow, engine_input *input, uint32_t p,
                            const log_batch *batch, uint32_t record, base_error *err) {
    engine_partition *part = &input->partitions[p];
    engine_heartbeat beat;
    if (!engine_control_read(batch, record, &beat)) return BASE_OK;
    if (input->contract->watermark != NULL && beat.to_us > part->watermark_us)
        part->watermark_us = beat.to_us;
    if (!beat.has_events) return BASE_OK;
    uint64_t seen = part->records - part->faults - part->duplicates;
    return engine_expect_count(flow, input->object->id, p, &beat, seen, batch->info.append_us, err);
}

// ---- writing ------------------------------------------------------------------------------------

static void heartbeat_texts(const plan_object *object, const engine_heartbeat *beat,
                            base_buf *headers, base_buf *payload) {
    char number[32], time[BASE_TIME_TEXT_MAX];
    base_rfc3339_format(beat->to_us, time);
    // A local time has no zone to tell.
    bool local = object->columns[object->event_time].type.kind == COL_TIMESTAMP;
    if (local && strlen(time) > 0) time[strlen(time) - 1] = '\0';
    log_headers_add(headers, BASE_STR("control"), BASE_STR("watermark"));
    snprintf(number, sizeof number, "%lld", (long long)beat->to_us);
    log_headers_add(headers, BASE_STR("to"), base_str_of(number));
    base_buf_printf(payload, "{\"control\":\"watermark\",\"to\":\"%s\"", time);
    if (beat->has_events) {
        snprintf(number, sizeof number, "%llu", (unsigned long long)beat->events);
        log_headers_add(headers, BASE_STR("events"), base_str_of(number));
        base_buf_printf(payload, ",\"events\":%s", number);
    }
    if (beat->partition >= 0) {
        snprintf(number, sizeof number, "%d", beat->partition);
        log_headers_add(headers, BASE_STR("partition"), base_str_of(number));
        base_buf_printf(payload, ",\"partition\":%s", number);
    }
    log_headers_add(headers, BASE_STR("source"), beat->source);
    base_buf_add_cstr(payload, ",\"source\":");
    base_buf_add_json_string(payload, beat->source);
    base_buf_add_byte(payload, '}');
}

static base_rc append_heartbeat(engine_stream *stream, const engine_heartbeat *beat,
                                base_error *err) {
    base_buf headers = {0}, payload = {0};
    heartbeat_texts(stream->object, beat, &headers, &payload);
    log_record record = {base_buf_str(&payload), base_buf_str(&headers)};
    log_batch_info info = {.append_us = plat_wall_us(stream->engine->plat),
                           .event_us_min = INT64_MIN,
                           .event_us_max = INT64_MIN,
                           .contract_version = stream->object->version,
                           .flags = ENGINE_BATCH_CONTROL};
    uint32_t first = beat->partition < 0 ? 0 : (uint32_t)beat->partition;
    uint32_t end = beat->partition < 0 ? log_stream_partitions(stream->log) : first + 1;
    base_rc rc = BASE_OK;
    uint64_t offset;
    for (uint32_t p = first; rc == BASE_OK && p < end; p++)
        rc = log_append(stream->log, p, &record, 1, &info, &offset, err);
    for (uint32_t p = first; rc == BASE_OK && p < end; p++) rc = log_sync(stream->log, p, err);
    base_buf_deinit(&headers);
    base_buf_deinit(&payload);
    return rc;
}

static base_rc check_heartbeat(const plan_object *object, const engine_heartbeat *beat,
                               int64_t now_us, base_error *err) {
    if (object->kind != PLAN_OBJECT_STREAM || object->watermark == NULL)
        return base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_INVALID_PARAMETER,
                         "%s \"%s.%s\" has no WATERMARK to advance",
                         plan_object_kind_name(object->kind), object->schema, object->name);
    if (beat->partition >= (int32_t)object->partitions)
        return base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_INVALID_PARAMETER,
                         "stream \"%s.%s\" has %u partitions, from 0", object->schema, object->name,
                         object->partitions);
    if (beat->to_us == INT64_MIN || beat->to_us == INT64_MAX)
        return base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_INVALID_PARAMETER,
                         "a watermark cannot be advanced to infinity: it never goes back");
    int64_t most_us;
    if (object->limits_ahead && !__builtin_add_overflow(now_us, object->max_ahead_us, &most_us) &&
        beat->to_us > most_us)
        return base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_INVALID_PARAMETER,
                         "a watermark of \"%s.%s\" cannot be advanced further ahead of the clock "
                         "than the stream's max_ahead: it never goes back",
                         object->schema, object->name);
    if (beat->source.n > ENGINE_SOURCE_BYTES_MAX)
        return base_fail(err, BASE_E_LIMIT, BASE_SQLSTATE_LIMIT,
                         "the name of a source may have at most %u bytes", ENGINE_SOURCE_BYTES_MAX);
    return BASE_OK;
}

base_rc engine_advance(engine *e, const plan_object *object, const engine_heartbeat *beat,
                       base_error *err) {
    base_rc rc = check_heartbeat(object, beat, plat_wall_us(e->plat), err);
    if (rc != BASE_OK) return rc;
    engine_stream *stream = engine_stream_hold(e, object);
    if (stream == NULL)
        return base_fail(err, BASE_E_NOT_FOUND, BASE_SQLSTATE_UNDEFINED_TABLE,
                         "stream \"%s.%s\" does not exist", object->schema, object->name);
    rc = append_heartbeat(stream, beat, err);
    engine_stream_release(stream);
    if (rc != BASE_OK) base_error_prefix(err, "%s.%s", object->schema, object->name);
    return rc;
}

base_rc engine_heartbeat_time(const plan_object *object, base_str text, const base_zone *zone,
                              int64_t *us, base_error *err) {
    bool local =
        object->event_time >= 0 && object->columns[object->event_time].type.kind == COL_TIMESTAMP;
    return local ? base_timestamp_parse(text, us, err)
                 : base_timestamptz_parse(text, zone, us, err);
}
