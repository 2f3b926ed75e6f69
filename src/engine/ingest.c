// ingest.c - events in: a request is cut into records, each record meets its contract, the good
// ones go to the stream's log and the others to its quarantine, and the answer is given once all of
// it is durable.
//
// Invariants: every record of an acknowledged request is durable in exactly one of the two logs;
// the order of records of one key within a request is kept. Backpressure: requests are bounded by
// the caller (bytes) and by the log (its own limits). Entry points: engine_ingest,
// engine_ingest_rows, engine_quarantine.

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/must.h"
#include "col/codec.h"
#include "engine/engine_int.h"

#define INGEST_CHUNK_DOCS 65536u

engine_stream *engine_stream_of(engine *e, const plan_object *object) {
    base_buf name = {0};
    base_buf_printf(&name, "%s.%s", object->schema, object->name);
    plat_mutex_lock(&e->catalog_lock);
    engine_stream *stream = base_map_get(e->streams, base_buf_str(&name));
    plat_mutex_unlock(&e->catalog_lock);
    base_buf_deinit(&name);
    return stream;
}

engine_stream *engine_stream_hold(engine *e, const plan_object *object) {
    base_buf name = {0};
    base_buf_printf(&name, "%s.%s", object->schema, object->name);
    plat_mutex_lock(&e->catalog_lock);
    engine_stream *stream = base_map_get(e->streams, base_buf_str(&name));
    if (stream != NULL) stream->holds++;
    plat_mutex_unlock(&e->catalog_lock);
    base_buf_deinit(&name);
    return stream;
}

void engine_stream_release(engine_stream *stream) {
    if (stream == NULL) return;
    plat_mutex_lock(&stream->engine->catalog_lock);
    must(stream->holds > 0);
    if (--stream->holds == 0) plat_cond_broadcast(&stream->engine->stream_released);
    plat_mutex_unlock(&stream->engine->catalog_lock);
}

static engine_contract *edge_take(engine_stream *stream) {
    plat_mutex_lock(&stream->lock);
    engine_contract *contract = stream->npool > 0 ? stream->pool[--stream->npool] : NULL;
    const plan_object *object = stream->object;
    plat_mutex_unlock(&stream->lock);
    if (contract != NULL && contract->object != object) {
        engine_contract_destroy(contract);
        contract = NULL;
    }
    if (contract != NULL) return contract;
    uint32_t n = engine_declared_columns(object);
    uint32_t *columns = malloc((n + 1) * sizeof *columns);
    must(columns != NULL);
    for (uint32_t i = 0; i < n; i++) columns[i] = i;
    contract = engine_contract_create(object, true, n, columns);
    free(columns);
    return contract;
}

static void edge_give_back(engine_stream *stream, engine_contract *contract) {
    plat_mutex_lock(&stream->lock);
    if (stream->npool < sizeof stream->pool / sizeof *stream->pool) {
        stream->pool[stream->npool++] = contract;
        contract = NULL;
    }
    plat_mutex_unlock(&stream->lock);
    engine_contract_destroy(contract);
}

// ---- quarantine
// --------------------------------------------------------------------------------------

// The quarantine log of a stream is made with its first bad record.
static base_rc quarantine_log(engine_stream *stream, log_stream **out, base_error *err) {
    plat_mutex_lock(&stream->lock);
    base_rc rc = BASE_OK;
    if (stream->quarantine == NULL) {
        base_buf name = {0};
        base_buf_printf(&name, "%s.%s!quarantine", stream->object->schema, stream->object->name);
        log_stream_config config = {
            .partitions = 1, .segment_bytes = 8u << 20, .codec = LOG_CODEC_ZSTD};
        bool exists;
        rc = log_stream_exists(stream->engine->log, base_buf_str(&name), &exists, err);
        if (rc == BASE_OK && exists)
            rc = log_stream_open(stream->engine->log, base_buf_str(&name), &config, NULL,
                                 &stream->quarantine, err);
        else if (rc == BASE_OK)
            rc = log_stream_create(stream->engine->log, base_buf_str(&name), &config,
                                   &stream->quarantine, err);
        base_buf_deinit(&name);
    }
    *out = stream->quarantine;
    plat_mutex_unlock(&stream->lock);
    return rc;
}

static base_str quarantine_headers(base_arena *arena, const char *sqlstate, const char *cause,
                                   const char *field, uint64_t record, uint32_t byte,
                                   const char *source, base_str headers) {
    base_buf buf = {0};
    char number[32];
    log_headers_add(&buf, BASE_STR("sqlstate"), base_str_of(sqlstate));
    log_headers_add(&buf, BASE_STR("cause"), base_str_of(cause));
    if (field != NULL) log_headers_add(&buf, BASE_STR("field"), base_str_of(field));
    log_headers_add(&buf, BASE_STR("source"), base_str_of(source == NULL ? "" : source));
    snprintf(number, sizeof number, "%llu", (unsigned long long)record);
    log_headers_add(&buf, BASE_STR("record"), base_str_of(number));
    if (byte != UINT32_MAX) {
        snprintf(number, sizeof number, "%u", byte);
        log_headers_add(&buf, BASE_STR("byte"), base_str_of(number));
    }
    base_buf_add_str(&buf, headers); // of the record itself: its origin
    base_str out = {base_arena_memdup(arena, buf.p, buf.n), buf.n};
    base_buf_deinit(&buf);
    return out;
}

// ---- one request
// ---------------------------------------------------------------------------------------

typedef struct request {
    engine *engine;
    engine_stream *stream;
    engine_contract *contract;
    const char *source;
    const base_str *headers; // of the chunk's records; or NULL
    base_arena *arena;       // of the answer
    base_arena scratch;      // of a chunk
    int64_t now_us;
    uint64_t touched[(LOG_PARTITIONS_MAX + 63) / 64];
    bool quarantine_touched;
    bool *was_good; // by record: they come from quarantine, and the others stay there; or NULL
    engine_ingest_result *out;
} request;

static base_rc append_bad(request *r, const base_str *docs, uint64_t first_record,
                          const engine_decoded *d, base_error *err) {
    if (d->nfaults == 0) return BASE_OK;
    log_stream *log;
    base_rc rc = quarantine_log(r->stream, &log, err);
    if (rc != BASE_OK) return rc;
    log_record *records = base_arena_array(&r->scratch, log_record, d->nfaults);
    for (uint32_t i = 0; i < d->nfaults; i++) {
        const wire_json_fault *fault = &d->faults[i];
        uint64_t record = first_record + fault->doc;
        const char *field = fault->field >= 0 ? r->contract->fields[fault->field].name : NULL;
        records[i].payload = docs[fault->doc];
        records[i].headers = quarantine_headers(
            &r->scratch, fault->sqlstate, fault->message, field, record, fault->byte, r->source,
            r->headers == NULL ? (base_str){NULL, 0} : r->headers[fault->doc]);
        if (r->out->nfaults < ENGINE_INGEST_FAULTS_MAX)
            r->out->faults[r->out->nfaults++] =
                (engine_ingest_fault){record, base_arena_strdup(r->arena, fault->sqlstate),
                                      base_arena_strdup(r->arena, fault->message)};
    }
    log_batch_info info = {.append_us = r->now_us,
                           .event_us_min = INT64_MIN,
                           .event_us_max = INT64_MIN,
                           .contract_version = r->stream->object->version};
    uint64_t first;
    rc = log_append(log, 0, records, d->nfaults, &info, &first, err);
    if (rc != BASE_OK) return rc;
    r->quarantine_touched = true;
    r->out->quarantined += d->nfaults;
    return BASE_OK;
}

// The partition of each row: by the hash of the business key (part of the disk format: XXH3 of the
// ordered key encoding, modulo), or in turn, a request at a time, where there is no key.
static uint32_t *choose_partitions(request *r, const engine_decoded *d, uint32_t npartitions) {
    uint32_t *partition = base_arena_array(&r->scratch, uint32_t, d->nrows + 1);
    const plan_object *object = r->stream->object;
    if (npartitions == 1) return partition;
    if (object->nkey == 0) {
        uint32_t one = (uint32_t)(atomic_fetch_add(&r->stream->next_partition, 1) % npartitions);
        for (uint32_t i = 0; i < d->nrows; i++) partition[i] = one;
        return partition;
    }
    base_str *keys = base_arena_array(&r->scratch, base_str, d->nrows + 1);
    col_key_encode_batch(&r->scratch, d->batch, object->nkey, object->key, keys);
    for (uint32_t i = 0; i < d->nrows; i++)
        partition[i] = (uint32_t)(base_hash64(keys[i].p, keys[i].n) % npartitions);
    return partition;
}

static void widen_event_range(const engine_decoded *d, uint32_t row, log_batch_info *info) {
    if (d->event_us == NULL || d->event_us[row] == INT64_MIN) return;
    int64_t us = d->event_us[row];
    if (info->event_us_min == INT64_MIN || us < info->event_us_min) info->event_us_min = us;
    if (info->event_us_max == INT64_MIN || us > info->event_us_max) info->event_us_max = us;
}

static base_rc append_good(request *r, const base_str *docs, const engine_decoded *d,
                           base_error *err) {
    if (d->nrows == 0) return BASE_OK;
    uint32_t npartitions = log_stream_partitions(r->stream->log);
    uint32_t *partition = choose_partitions(r, d, npartitions);
    uint32_t *count = base_arena_array(&r->scratch, uint32_t, npartitions + 1);
    for (uint32_t i = 0; i < d->nrows; i++) count[partition[i]]++;
    log_record *records = base_arena_array(&r->scratch, log_record, d->nrows);
    for (uint32_t p = 0; p < npartitions; p++) {
        if (count[p] == 0) continue;
        log_batch_info info = {.append_us = r->now_us,
                               .event_us_min = INT64_MIN,
                               .event_us_max = INT64_MIN,
                               .contract_version = r->stream->object->version};
        uint32_t n = 0;
        for (uint32_t i = 0; i < d->nrows; i++) {
            if (partition[i] != p) continue;
            records[n] = (log_record){docs[d->doc[i]], {NULL, 0}};
            if (r->headers != NULL) records[n].headers = r->headers[d->doc[i]];
            n++;
            widen_event_range(d, i, &info);
        }
        uint64_t first;
        base_rc rc = log_append(r->stream->log, p, records, n, &info, &first, err);
        if (rc != BASE_OK) return rc;
        r->touched[p / 64] |= 1ull << (p % 64);
        r->out->accepted += n;
    }
    return BASE_OK;
}

// Decodes and appends documents [0, n) of one chunk.
static base_rc ingest_chunk(request *r, const base_str *docs, uint32_t n, uint64_t first_record,
                            base_error *err) {
    base_arena_reset(&r->scratch);
    size_t bytes = 0;
    for (uint32_t i = 0; i < n; i++) bytes += docs[i].n + 1;
    char *text = base_arena_alloc(&r->scratch, bytes + WIRE_JSON_PADDING);
    uint32_t *ends = base_arena_alloc(&r->scratch, (n + 1) * sizeof *ends);
    size_t at = 0;
    for (uint32_t i = 0; i < n; i++) {
        memcpy(text + at, docs[i].p, docs[i].n);
        at += docs[i].n;
        ends[i] = (uint32_t)at;
        text[at++] = '\n';
    }
    memset(text + at, 0, WIRE_JSON_PADDING);
    engine_decoded d;
    engine_contract_decode(r->contract, text, at, ends, 0, n, 0, 0, r->now_us, &r->scratch, &d);
    base_rc rc = append_good(r, docs, &d, err);
    for (uint32_t i = 0; rc == BASE_OK && r->was_good != NULL && i < d.nrows; i++)
        r->was_good[first_record + d.doc[i]] = true;
    if (rc == BASE_OK && r->was_good == NULL) rc = append_bad(r, docs, first_record, &d, err);
    return rc;
}

static base_rc sync_touched(request *r, base_error *err) {
    uint32_t npartitions = log_stream_partitions(r->stream->log);
    for (uint32_t p = 0; p < npartitions; p++) {
        if ((r->touched[p / 64] & (1ull << (p % 64))) == 0) continue;
        base_rc rc = log_sync(r->stream->log, p, err);
        if (rc != BASE_OK) return rc;
    }
    if (r->quarantine_touched) return log_sync(r->stream->quarantine, 0, err);
    return BASE_OK;
}

// A record that the log cannot hold goes nowhere: its request is refused before anything is
// written.
static base_rc check_sizes(const base_str *docs, size_t ndocs, base_error *err) {
    for (size_t i = 0; i < ndocs; i++) {
        if (docs[i].n <= LOG_RECORD_BYTES_MAX) continue;
        base_fail(
            err, BASE_E_LIMIT, BASE_SQLSTATE_LIMIT,
            "record %zu of the request has %zu bytes, more than the %u that a record may have", i,
            docs[i].n, LOG_RECORD_BYTES_MAX);
        base_error_hint(err, "Nothing of this request was stored.");
        return BASE_E_LIMIT;
    }
    return BASE_OK;
}

static base_rc ingest_docs(engine_stream *stream, const base_str *docs, size_t ndocs,
                           const base_str *headers, const char *source, bool *was_good,
                           base_arena *arena, engine_ingest_result *out, base_error *err) {
    engine *e = stream->engine;
    memset(out, 0, sizeof *out);
    base_rc rc = check_sizes(docs, ndocs, err);
    if (rc != BASE_OK) return rc;
    request r = {.engine = e,
                 .stream = stream,
                 .contract = edge_take(stream),
                 .source = source,
                 .was_good = was_good,
                 .arena = arena,
                 .now_us = plat_wall_us(e->plat),
                 .out = out};
    base_arena_init(&r.scratch, 1 << 16);
    uint64_t bytes = 0;
    for (size_t at = 0; rc == BASE_OK && at < ndocs;) {
        size_t n = 0, chunk_bytes = 0;
        while (at + n < ndocs && n < INGEST_CHUNK_DOCS &&
               (n == 0 || chunk_bytes + docs[at + n].n < LOG_BATCH_BYTES_MAX / 2)) {
            chunk_bytes += docs[at + n].n + 1;
            n++;
        }
        r.headers = headers == NULL ? NULL : headers + at;
        rc = ingest_chunk(&r, docs + at, (uint32_t)n, at, err);
        bytes += chunk_bytes;
        at += n;
    }
    if (rc == BASE_OK) rc = sync_touched(&r, err);
    if (rc == BASE_OK) {
        atomic_fetch_add(&stream->accepted, out->accepted);
        atomic_fetch_add(&stream->quarantined, out->quarantined);
        atomic_fetch_add(&stream->bytes, bytes);
    } else {
        base_error_prefix(err, "%s.%s", stream->object->schema, stream->object->name);
    }
    base_arena_deinit(&r.scratch);
    edge_give_back(stream, r.contract);
    return rc;
}

static base_rc find_stream(engine *e, base_str name, engine_stream **out, base_error *err) {
    const plan_object *object = engine_find(e, name);
    if (object == NULL)
        return base_fail(err, BASE_E_NOT_FOUND, BASE_SQLSTATE_UNDEFINED_TABLE,
                         "stream \"%.*s\" does not exist", BASE_STR_ARG(name));
    *out = engine_stream_hold(e, object);
    if (*out == NULL)
        return base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_DATATYPE_MISMATCH,
                         "\"%.*s\" is a %s: events go to streams and tables", BASE_STR_ARG(name),
                         plan_object_kind_name(object->kind));
    return BASE_OK;
}

base_rc engine_ingest(engine *e, base_str stream_name, base_str body, const char *source,
                      base_arena *arena, engine_ingest_result *out, base_error *err) {
    memset(out, 0, sizeof *out);
    engine_stream *stream;
    base_rc rc = find_stream(e, stream_name, &stream, err);
    if (rc != BASE_OK) return rc;
    base_str *docs;
    size_t ndocs;
    bool truncated;
    wire_json_cut(body, arena, &docs, &ndocs, &truncated);
    rc = ingest_docs(stream, docs, ndocs, NULL, source, NULL, arena, out, err);
    out->truncated = truncated;
    engine_stream_release(stream);
    return rc;
}

static base_rc hold_target(engine *e, const plan_object *object, engine_stream **out,
                           base_error *err) {
    *out = engine_stream_hold(e, object);
    if (*out != NULL) return BASE_OK;
    return base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_DATATYPE_MISMATCH,
                     "\"%s.%s\" is a %s: rows go to streams and tables", object->schema,
                     object->name, plan_object_kind_name(object->kind));
}

base_rc engine_ingest_docs(engine *e, const plan_object *object, size_t ndocs, const base_str *docs,
                           const base_str *headers, const char *source, base_arena *arena,
                           engine_ingest_result *out, base_error *err) {
    memset(out, 0, sizeof *out);
    engine_stream *stream;
    base_rc rc = hold_target(e, object, &stream, err);
    if (rc != BASE_OK) return rc;
    rc = ingest_docs(stream, docs, ndocs, headers, source, NULL, arena, out, err);
    engine_stream_release(stream);
    return rc;
}

base_rc engine_ingest_again(engine *e, const plan_object *object, size_t ndocs,
                            const base_str *docs, const base_str *headers, bool *was_good,
                            base_error *err) {
    engine_stream *stream;
    base_rc rc = hold_target(e, object, &stream, err);
    if (rc != BASE_OK) return rc;
    base_arena arena;
    engine_ingest_result result;
    base_arena_init(&arena, 1 << 12);
    memset(was_good, 0, ndocs * sizeof *was_good);
    rc = ingest_docs(stream, docs, ndocs, headers, "quarantine", was_good, &arena, &result, err);
    base_arena_deinit(&arena);
    engine_stream_release(stream);
    return rc;
}

void engine_delete_doc(const plan_object *object, const col_batch *keys, uint32_t row,
                       base_buf *buf) {
    base_buf_add_cstr(buf, "{\"_op\":\"delete\"");
    for (uint32_t k = 0; k < object->nkey; k++) {
        base_buf_add_byte(buf, ',');
        base_buf_add_json_string(buf, base_str_of(object->columns[object->key[k]].name));
        base_buf_add_byte(buf, ':');
        col_json_format(&keys->cols[k], row, buf);
    }
    base_buf_add_byte(buf, '}');
}

base_rc engine_ingest_deletes(engine *e, const plan_object *object, const col_batch *keys,
                              const char *source, base_str origin, base_arena *arena,
                              engine_ingest_result *out, base_error *err) {
    base_buf text = {0}, header = {0};
    log_headers_add(&header, BASE_STR(ENGINE_HEADER_ORIGIN), origin);
    base_str *docs = base_arena_array(arena, base_str, keys->nrows + 1);
    base_str *headers = base_arena_array(arena, base_str, keys->nrows + 1);
    for (uint32_t i = 0; i < keys->nrows; i++) {
        base_buf_clear(&text);
        engine_delete_doc(object, keys, i, &text);
        docs[i] = (base_str){base_arena_memdup(arena, text.p, text.n), text.n};
        headers[i] = base_buf_str(&header);
    }
    base_rc rc = engine_ingest_docs(e, object, keys->nrows, docs, headers, source, arena, out, err);
    base_buf_deinit(&text);
    base_buf_deinit(&header);
    return rc;
}

base_rc engine_ingest_rows(engine *e, const plan_object *object, uint32_t ncolumns,
                           const uint32_t *columns, const col_batch *rows, const char *source,
                           base_arena *arena, engine_ingest_result *out, base_error *err) {
    memset(out, 0, sizeof *out);
    engine_stream *stream;
    base_rc rc = hold_target(e, object, &stream, err);
    if (rc != BASE_OK) return rc;
    wire_json_field *fields = base_arena_array(arena, wire_json_field, ncolumns + 1);
    for (uint32_t i = 0; i < ncolumns; i++)
        fields[i] = (wire_json_field){object->columns[columns[i]].name,
                                      object->columns[columns[i]].type, false};
    base_str *docs = base_arena_array(arena, base_str, rows->nrows + 1);
    base_buf text = {0};
    size_t *begins = base_arena_alloc(arena, (rows->nrows + 1) * sizeof *begins);
    for (uint32_t i = 0; i < rows->nrows; i++) {
        begins[i] = text.n;
        wire_json_encode_row(ncolumns, fields, rows, i, &text);
    }
    begins[rows->nrows] = text.n;
    for (uint32_t i = 0; i < rows->nrows; i++)
        docs[i] = (base_str){text.p + begins[i], begins[i + 1] - begins[i]};
    rc = ingest_docs(stream, docs, rows->nrows, NULL, source, NULL, arena, out, err);
    engine_stream_release(stream);
    base_buf_deinit(&text);
    return rc;
}

static base_rc quarantine_one(engine_stream *stream, base_str raw, const char *source,
                              const char *sqlstate, const char *cause, base_error *err) {
    log_stream *log;
    base_rc rc = quarantine_log(stream, &log, err);
    if (rc != BASE_OK) return rc;
    base_arena scratch;
    base_arena_init(&scratch, 4096);
    log_record record = {raw, quarantine_headers(&scratch, sqlstate, cause, NULL, 0, UINT32_MAX,
                                                 source, (base_str){NULL, 0})};
    log_batch_info info = {.append_us = plat_wall_us(stream->engine->plat),
                           .event_us_min = INT64_MIN,
                           .event_us_max = INT64_MIN,
                           .contract_version = stream->object->version};
    uint64_t first;
    rc = log_append(log, 0, &record, 1, &info, &first, err);
    if (rc == BASE_OK) rc = log_sync(log, 0, err);
    if (rc == BASE_OK) atomic_fetch_add(&stream->quarantined, 1);
    base_arena_deinit(&scratch);
    return rc;
}

base_rc engine_quarantine(engine *e, base_str stream_name, base_str raw, const char *source,
                          const char *sqlstate, const char *cause, base_error *err) {
    engine_stream *stream;
    base_rc rc = find_stream(e, stream_name, &stream, err);
    if (rc != BASE_OK) return rc;
    rc = quarantine_one(stream, raw, source, sqlstate, cause, err);
    engine_stream_release(stream);
    return rc;
}
