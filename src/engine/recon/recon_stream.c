// recon_stream.c - a stream's events as one side of a reconciliation: each event that counts, as a
// 32-byte entry with the position of its key, the digest of what is compared and its place in the
// log, sorted by key.
//
// An event counts by the rule of the flows' source operator: of events of one business key (PRIMARY
// KEY) the first, until it is taken back by a delete, if the stream takes any; of a table the last
// row, unless it was deleted; without a business key every one. With dedup_horizon, events of one
// key whose event times lie further apart than the horizon count both. Records that a flow would
// refuse as too late are left out.
//
// The log is read once, from the first retained record to the durable ends that were noted before.
// Entry points: recon_entries_make, recon_take_events.

#include "engine/recon/recon_int.h"

#include <stdlib.h>
#include <string.h>

#include "base/be.h"
#include "base/hash.h"
#include "base/must.h"
#include "engine/recon/canon.h"

#define DECODE_ROWS      8192u
#define FILE_WRITE_BYTES (1u << 20)
#define CHUNK_ENTRIES    (1u << 20) // read from the log again at a time
#define SPAN_GAP         8u         // records decoded in vain rather than in two calls

// What is sorted: the value beside a key of which the first KEY_BYTES say which business key.
typedef struct event {
    recon_entry entry;
    int64_t event_us; // INT64_MIN: none
    uint64_t deleted;
} event;
_Static_assert(sizeof(event) == 48, "no padding: it is copied as bytes");

#define KEY_BYTES   16u
#define PLACE_BYTES 12u

typedef struct making {
    engine_recon *x;
    const plan_object *stream;
    bool by_value, same_key; // KEY and PRIMARY KEY are the same columns
    bool canon_key, canon;   // KEY has a canonical text; all that is compared has
    uint32_t ncolumns;
    uint32_t *columns;             // of the stream, decoded
    uint32_t *key, *all, *primary; // positions in the batch: KEY, KEY and COMPARE, PRIMARY KEY
    int32_t settle;                // position; -1
    const plan_expr *filter;       // over the batch
    engine_contract *contract;
    recon_sorter *sorter;
    base_arena arena;
    base_buf text;
} making;

// ---- columns ------------------------------------------------------------------------------------

static uint32_t position_of(const making *m, uint32_t column) {
    for (uint32_t i = 0; i < m->ncolumns; i++)
        if (m->columns[i] == column) return i;
    must(!"a column that is not decoded");
    return 0;
}

static void choose_columns(making *m) {
    const plan_object *r = m->x->r, *s = m->stream;
    base_arena *arena = m->x->arena;
    bool *used = base_arena_array(arena, bool, s->ncolumns + 1);
    for (uint32_t i = 0; i < r->nrecon_key; i++) used[r->recon_key[i]] = true;
    for (uint32_t i = 0; i < r->ncompare; i++) used[r->compare[i].column] = true;
    for (uint32_t i = 0; i < s->nkey; i++) used[s->key[i]] = true;
    if (s->event_time >= 0) used[s->event_time] = true;
    if (r->settle_column >= 0) used[r->settle_column] = true;
    if (r->filter != NULL) plan_expr_columns(r->filter, used);
    m->columns = base_arena_array(arena, uint32_t, s->ncolumns + 1);
    for (uint32_t i = 0; i < s->ncolumns; i++)
        if (used[i]) m->columns[m->ncolumns++] = i;
    uint32_t n = r->nrecon_key + r->ncompare;
    m->all = base_arena_array(arena, uint32_t, n + 1);
    m->primary = base_arena_array(arena, uint32_t, s->nkey + 1);
    for (uint32_t i = 0; i < n; i++)
        m->all[i] = position_of(m, (uint32_t)(engine_recon_column(r, i) - s->columns));
    m->key = m->all;
    m->canon_key = m->canon = true;
    for (uint32_t i = 0; i < n; i++) {
        bool has = engine_canon_has(engine_recon_column(r, i)->type.kind);
        m->canon &= has;
        m->canon_key &= has || i >= r->nrecon_key;
    }
    for (uint32_t i = 0; i < s->nkey; i++) m->primary[i] = position_of(m, s->key[i]);
    m->settle = r->settle_column < 0 ? -1 : (int32_t)position_of(m, (uint32_t)r->settle_column);
    m->same_key = s->nkey == r->nrecon_key;
    for (uint32_t i = 0; i < s->nkey; i++) {
        bool found = false;
        for (uint32_t k = 0; k < r->nrecon_key; k++) found |= r->recon_key[k] == s->key[i];
        m->same_key &= found;
    }
    if (r->filter == NULL) return;
    const plan_expr **map = base_arena_array(arena, const plan_expr *, s->ncolumns);
    for (uint32_t i = 0; i < m->ncolumns; i++)
        map[m->columns[i]] = plan_expr_column(arena, i, s->columns[m->columns[i]].type);
    m->filter = plan_expr_substitute(arena, r->filter, map);
}

// ---- from the log to the sorter -----------------------------------------------------------------

// Sorts by position and key2.
static void entry_key(const recon_entry *entry, char out[KEY_BYTES]) {
    base_be_put(out, (uint64_t)entry->pos ^ (1ull << 63), 8);
    base_be_put(out + 8, entry->key2, 8);
}

static int64_t integer_of(const col_vec *vec, uint32_t row) {
    return vec->type.kind == COL_INT2   ? col_i16(vec)[row]
           : vec->type.kind == COL_INT4 ? col_i32(vec)[row]
                                        : col_i64(vec)[row];
}

static void set_position(making *m, const col_batch *batch, uint32_t row, recon_entry *entry) {
    if (m->by_value) {
        bool null = col_is_null(&batch->cols[m->key[0]], row);
        entry->pos = null ? INT64_MIN : integer_of(&batch->cols[m->key[0]], row);
        entry->key2 = null; // it stands beside the least integer
        return;
    }
    base_buf_clear(&m->text);
    uint32_t nkey = m->x->r->nrecon_key;
    if (m->canon_key) {
        engine_canon_add(&m->text, batch, row, nkey, m->key);
        entry->pos = (int64_t)engine_canon_digest(base_buf_str(&m->text), &entry->key2);
        return;
    }
    // No book is asked for ranges of such keys: any position does that is the key's alone.
    uint8_t hash[16];
    col_key_encode_row(&m->text, batch, row, nkey, m->key);
    base_hash128(m->text.p, m->text.n, hash);
    entry->pos = (int64_t)(base_be_get((const char *)hash, 8) >> 4);
    entry->key2 = base_be_get((const char *)hash + 8, 8);
}

static base_rc add_event(making *m, const engine_decoded *d, uint32_t row, uint32_t partition,
                         uint64_t offset, bool in_scope, base_error *err) {
    event e = {.event_us = d->event_us == NULL ? INT64_MIN : d->event_us[row]};
    e.deleted = d->deletes != NULL && d->deletes[row];
    set_position(m, d->batch, row, &e.entry);
    if (m->canon && !e.deleted) {
        base_buf_clear(&m->text);
        engine_canon_add(&m->text, d->batch, row, m->x->r->nrecon_key + m->x->r->ncompare, m->all);
        e.entry.sum = engine_canon_digest(base_buf_str(&m->text), NULL);
    }
    const col_vec *times = m->settle < 0 ? NULL : &d->batch->cols[m->settle];
    bool young = !e.deleted && recon_is_young(m->x, times, row);
    e.entry.place =
        (uint64_t)partition << 52 | offset << 2 | (uint64_t)young << 1 | (uint64_t)in_scope;
    char key[KEY_BYTES + PLACE_BYTES];
    if (m->stream->nkey > 0 && !m->same_key) {
        base_buf_clear(&m->text);
        col_key_encode_row(&m->text, d->batch, row, m->stream->nkey, m->primary);
        base_hash128(m->text.p, m->text.n, (uint8_t *)key);
    } else {
        entry_key(&e.entry, key);
    }
    base_be_put(key + KEY_BYTES, partition, 4);
    base_be_put(key + KEY_BYTES + 4, offset, 8);
    return recon_sorter_add(m->sorter, (base_str){key, sizeof key},
                            (base_str){(const char *)&e, sizeof e}, err);
}

static base_rc add_records(making *m, const log_batch *batch, uint32_t first, uint32_t n,
                           uint32_t partition, engine_clock *clock, base_error *err) {
    base_rc rc = recon_go_on(m->x, err);
    if (rc != BASE_OK) return rc;
    if (engine_batch_is_control(batch)) { // no events
        engine_clock_advance(clock, batch, first);
        return BASE_OK;
    }
    base_arena_reset(&m->arena);
    engine_decoded d;
    engine_contract_decode_batch(m->contract, batch, first, n, partition, &m->arena, &d);
    engine_clock_skip(m->contract->object, clock, &m->arena, &d);
    uint8_t *keep = base_arena_alloc(&m->arena, d.nrows + 1u);
    rc = recon_filter(m->x, m->filter, d.batch, &m->arena, keep, err);
    for (uint32_t row = 0; rc == BASE_OK && row < d.nrows; row++)
        rc = add_event(m, &d, row, partition, batch->base_offset + first + d.doc[row], keep[row],
                       err);
    return rc;
}

static base_rc scan_partition(making *m, log_stream *log, uint32_t partition, uint64_t upto,
                              base_error *err) {
    uint64_t from = log_begin(log, partition);
    if (from >= upto) return BASE_OK;
    log_reader *reader;
    base_rc rc = log_reader_open(log, partition, from, &reader, err);
    if (rc != BASE_OK) return rc;
    engine_clock clock;
    engine_clock_init(&clock, m->contract->object);
    while (rc == BASE_OK && log_reader_offset(reader) < upto) {
        log_batch batch;
        bool end;
        rc = log_reader_next(reader, &batch, &end, err);
        if (rc != BASE_OK || end) break;
        uint32_t count = batch.base_offset + batch.count > upto
                             ? (uint32_t)(upto - batch.base_offset)
                             : batch.count;
        for (uint32_t at = 0; rc == BASE_OK && at < count; at += DECODE_ROWS) {
            uint32_t n = count - at < DECODE_ROWS ? count - at : DECODE_ROWS;
            rc = add_records(m, &batch, at, n, partition, &clock, err);
        }
        log_reader_release(reader);
    }
    engine_clock_deinit(&clock);
    log_reader_close(reader);
    return rc;
}

static base_rc scan(making *m, engine_stream *stream, base_error *err) {
    uint32_t n = log_stream_partitions(stream->log);
    // The instant: what is durable now.
    uint64_t *ends = base_arena_array(m->x->arena, uint64_t, n + 1);
    for (uint32_t p = 0; p < n; p++) ends[p] = log_end(stream->log, p);
    m->x->run->as_of_us = m->x->run->taken_us = plat_wall_us(m->x->engine->plat);
    m->contract = engine_contract_create(m->stream, false, m->ncolumns, m->columns);
    base_rc rc = BASE_OK;
    for (uint32_t p = 0; rc == BASE_OK && p < n; p++)
        rc = scan_partition(m, stream->log, p, ends[p], err);
    engine_contract_destroy(m->contract);
    return rc;
}

// ---- which of them count ------------------------------------------------------------------------

// Where what counts goes: to the file, or to be sorted once more.
typedef struct output {
    engine_recon *x;
    uint64_t memory_bytes;  // more go to a file
    recon_entries *entries; // or
    recon_sorter *sorter;
    base_buf buf;
    uint64_t size;
} output;

static base_rc put_entry(output *o, const recon_entry *entry, base_error *err) {
    if (o->sorter != NULL) {
        char key[KEY_BYTES + 8];
        entry_key(entry, key);
        base_be_put(key + KEY_BYTES, entry->place, 8);
        return recon_sorter_add(o->sorter, (base_str){key, sizeof key},
                                (base_str){(const char *)entry, sizeof *entry}, err);
    }
    base_buf_add(&o->buf, entry, sizeof *entry);
    o->entries->n++;
    bool in_file = o->entries->file != NULL;
    if (o->buf.n < (in_file ? FILE_WRITE_BYTES : o->memory_bytes)) return BASE_OK;
    base_rc rc = in_file ? BASE_OK
                         : recon_scratch_open(o->x->engine, "entries", &o->entries->file,
                                              &o->entries->path, err);
    if (rc != BASE_OK) return rc;
    rc = plat_write_at(o->entries->file, o->buf.p, o->buf.n, o->size, err);
    o->size += o->buf.n;
    base_buf_clear(&o->buf);
    return rc;
}

// Of the events of one business key, in the order of the log, the one that counts so far.
typedef struct current {
    bool is_table;
    int64_t horizon_us;
    bool live;
    event event;
} current;

static bool is_apart(int64_t a_us, int64_t b_us, int64_t horizon_us) {
    int64_t us;
    return __builtin_sub_overflow(a_us, b_us, &us) || us > horizon_us || us < -horizon_us;
}

// An event that counts beside `*now` is put out; else *now is what counts.
static base_rc advance(current *c, const event *e, output *o, base_error *err) {
    if (e->deleted) {
        c->live = false;
        return BASE_OK;
    }
    bool apart = c->live && c->horizon_us > 0 && e->event_us != INT64_MIN &&
                 c->event.event_us != INT64_MIN &&
                 is_apart(e->event_us, c->event.event_us, c->horizon_us);
    base_rc rc = apart ? put_entry(o, &c->event.entry, err) : BASE_OK;
    if (!c->live || c->is_table || apart) c->event = *e;
    c->live = true;
    return rc;
}

static base_rc choose(making *m, recon_sorter *sorter, output *o, base_error *err) {
    current c = {.is_table = m->stream->kind == PLAN_OBJECT_TABLE,
                 .horizon_us = m->stream->dedup_horizon_us};
    char last[KEY_BYTES] = {0};
    bool end = false, first = true;
    base_rc rc = BASE_OK;
    while (rc == BASE_OK) {
        base_str key, value;
        event e;
        rc = recon_sorter_next(sorter, &key, &value, &end, err);
        if (rc != BASE_OK || end) break;
        must(value.n == sizeof e);
        memcpy(&e, value.p, sizeof e);
        bool other = first || m->stream->nkey == 0 || memcmp(last, key.p, KEY_BYTES) != 0;
        if (other && c.live) rc = put_entry(o, &c.event.entry, err);
        if (other) c.live = false;
        memcpy(last, key.p, KEY_BYTES);
        first = false;
        if (rc == BASE_OK) rc = advance(&c, &e, o, err);
    }
    if (rc == BASE_OK && c.live) rc = put_entry(o, &c.event.entry, err);
    return rc;
}

// The file is mapped once it is whole.
static base_rc finish_entries(output *o, base_error *err) {
    recon_entries *entries = o->entries;
    if (entries->file == NULL) { // they fit into memory
        entries->items = (const recon_entry *)o->buf.p;
        o->buf = (base_buf){0};
        return BASE_OK;
    }
    base_rc rc = plat_write_at(entries->file, o->buf.p, o->buf.n, o->size, err);
    const char *mapped = NULL;
    if (rc == BASE_OK && entries->n > 0)
        rc = plat_map(entries->file, entries->n * sizeof(recon_entry), &mapped, err);
    entries->items = (const recon_entry *)mapped;
    return rc;
}

static base_rc choose_again(making *m, output *o, base_error *err) {
    output once = {.x = m->x,
                   .sorter = recon_sorter_create(m->x->engine, "events", m->x->memory_bytes / 4)};
    base_rc rc = choose(m, m->sorter, &once, err);
    if (rc == BASE_OK) rc = recon_sorter_finish(once.sorter, err);
    bool end = false;
    while (rc == BASE_OK) {
        base_str key, value;
        recon_entry entry;
        rc = recon_sorter_next(once.sorter, &key, &value, &end, err);
        if (rc != BASE_OK || end) break;
        memcpy(&entry, value.p, sizeof entry);
        rc = put_entry(o, &entry, err);
    }
    recon_sorter_destroy(once.sorter);
    return rc;
}

base_rc recon_entries_make(engine_recon *x, bool by_value, recon_entries *out, base_error *err) {
    *out = (recon_entries){.engine = x->engine};
    making m = {.x = x, .stream = x->r->from, .by_value = by_value};
    engine_stream *stream = engine_stream_hold(x->engine, m.stream);
    if (stream == NULL)
        return base_fail(err, BASE_E_NOT_FOUND, BASE_SQLSTATE_UNDEFINED_TABLE,
                         "stream \"%s.%s\" does not exist", m.stream->schema, m.stream->name);
    choose_columns(&m);
    m.sorter = recon_sorter_create(x->engine, "events", x->memory_bytes / 4);
    base_arena_init(&m.arena, 1 << 16);
    base_rc rc = scan(&m, stream, err);
    engine_stream_release(stream);
    output o = {.x = x, .entries = out, .memory_bytes = x->memory_bytes / 8};
    if (rc == BASE_OK) rc = recon_sorter_finish(m.sorter, err);
    bool twice = m.stream->nkey > 0 && !m.same_key;
    if (rc == BASE_OK) rc = twice ? choose_again(&m, &o, err) : choose(&m, m.sorter, &o, err);
    if (rc == BASE_OK) rc = finish_entries(&o, err);
    base_buf_deinit(&o.buf);
    base_buf_deinit(&m.text);
    base_arena_deinit(&m.arena);
    recon_sorter_destroy(m.sorter);
    if (rc != BASE_OK) recon_entries_close(out);
    return rc;
}

void recon_entries_close(recon_entries *entries) {
    plat *p = entries->engine->plat;
    if (entries->file == NULL)
        free((void *)(uintptr_t)entries->items);
    else if (entries->items != NULL)
        p->ops->unmap(p, (const char *)entries->items, entries->n * sizeof(recon_entry));
    recon_scratch_close(entries->engine, entries->file, entries->path);
    *entries = (recon_entries){.engine = entries->engine};
}

// ---- events read again --------------------------------------------------------------------------

typedef struct rereading {
    engine_recon *x;
    recon_side *side;
    log_stream *log;
    engine_contract *contract;
    uint32_t *positions; // of the side's columns in the batch
    uint64_t *places;
    size_t n;
    base_arena arena;
} rereading;

static uint32_t place_partition(uint64_t place) {
    return (uint32_t)(place >> 52);
}
static uint64_t place_offset(uint64_t place) {
    return place << 12 >> 14;
}

static int by_place(const void *a, const void *b) {
    const uint64_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

// Records places[0..n), all of them in the batch and near to each other.
static base_rc take_span(rereading *t, const log_batch *batch, const uint64_t *places, size_t n,
                         base_error *err) {
    base_arena_reset(&t->arena);
    uint32_t partition = place_partition(places[0]);
    uint32_t first = (uint32_t)(place_offset(places[0]) - batch->base_offset);
    uint32_t last = (uint32_t)(place_offset(places[n - 1]) - batch->base_offset);
    engine_decoded d;
    engine_contract_decode(t->contract, batch->payload, batch->payload_bytes, batch->ends, first,
                           last - first + 1, batch->base_offset + first, partition,
                           batch->info.append_us, &t->arena, &d);
    uint32_t *sel = base_arena_array(&t->arena, uint32_t, n + 1);
    recon_row_info *infos = base_arena_array(&t->arena, recon_row_info, n + 1);
    uint32_t found = 0;
    for (uint32_t row = 0; row < d.nrows && found < n; row++) {
        uint64_t offset = batch->base_offset + first + d.doc[row], place = places[found];
        if (offset != place_offset(place)) continue;
        sel[found] = row;
        infos[found++] = (recon_row_info){.count = 1,
                                          .offset = offset,
                                          .partition = partition,
                                          .in_scope = place & 1,
                                          .young = place >> 1 & 1};
    }
    must(found == n); // they were decoded before
    const col_batch *rows = col_batch_gather(&t->arena, d.batch, sel, found);
    return recon_side_add(t->side, rows, t->positions, infos, NULL, err);
}

static base_rc take_batch(rereading *t, const log_batch *batch, const uint64_t *places, size_t n,
                          base_error *err) {
    base_rc rc = BASE_OK;
    for (size_t at = 0; rc == BASE_OK && at < n;) {
        size_t end = at + 1;
        while (end < n && end - at < DECODE_ROWS &&
               place_offset(places[end]) - place_offset(places[end - 1]) <= SPAN_GAP)
            end++;
        rc = take_span(t, batch, places + at, end - at, err);
        at = end;
    }
    return rc;
}

static base_rc take_places(rereading *t, base_error *err) {
    if (t->n > 1) qsort(t->places, t->n, sizeof *t->places, by_place);
    base_rc rc = BASE_OK;
    for (size_t at = 0; rc == BASE_OK && at < t->n;) {
        uint32_t partition = place_partition(t->places[at]);
        log_reader *reader;
        rc = log_reader_open(t->log, partition, place_offset(t->places[at]), &reader, err);
        if (rc != BASE_OK) break;
        // On through the partition while the next place is near, else it is looked up again.
        for (bool near = true; rc == BASE_OK && near;) {
            log_batch batch;
            bool end_of_log;
            rc = log_reader_next(reader, &batch, &end_of_log, err);
            if (rc == BASE_OK && end_of_log)
                rc = base_fail(err, BASE_E_CORRUPT, NULL, "an event read before is gone");
            if (rc != BASE_OK) break;
            size_t end = at;
            uint64_t upto = batch.base_offset + batch.count;
            while (end < t->n && place_partition(t->places[end]) == partition &&
                   place_offset(t->places[end]) < upto)
                end++;
            if (end > at) rc = take_batch(t, &batch, t->places + at, end - at, err);
            at = end;
            near = at < t->n && place_partition(t->places[at]) == partition &&
                   place_offset(t->places[at]) < upto + batch.count;
        }
        log_reader_close(reader);
    }
    t->n = 0;
    return rc;
}

// The side's columns, ascending as a contract wants them.
static void choose_side_columns(rereading *t, uint32_t *columns, uint32_t *ncolumns) {
    const plan_object *r = t->x->r;
    uint32_t n = r->nrecon_key + r->ncompare;
    for (uint32_t c = 0; c < r->from->ncolumns; c++) {
        bool used = false;
        for (uint32_t i = 0; i < n; i++) used |= engine_recon_column(r, i) == &r->from->columns[c];
        for (uint32_t i = 0; used && i < n; i++)
            if (engine_recon_column(r, i) == &r->from->columns[c]) t->positions[i] = *ncolumns;
        if (used) columns[(*ncolumns)++] = c;
    }
}

base_rc recon_take_events(engine_recon *x, const recon_entries *entries, uint32_t nspans,
                          const recon_span *spans, recon_side *side, base_error *err) {
    rereading t = {.x = x, .side = side};
    engine_stream *stream = engine_stream_hold(x->engine, x->r->from);
    if (stream == NULL)
        return base_fail(err, BASE_E_NOT_FOUND, BASE_SQLSTATE_UNDEFINED_TABLE,
                         "stream \"%s.%s\" does not exist", x->r->from->schema, x->r->from->name);
    t.log = stream->log;
    uint32_t n = 0;
    uint32_t *columns = base_arena_array(x->arena, uint32_t, x->r->from->ncolumns + 1);
    t.positions = base_arena_array(x->arena, uint32_t, x->r->nrecon_key + x->r->ncompare + 1);
    choose_side_columns(&t, columns, &n);
    t.contract = engine_contract_create(x->r->from, false, n, columns);
    base_arena_init(&t.arena, 1 << 16);
    t.places = malloc(CHUNK_ENTRIES * sizeof *t.places);
    must(t.places != NULL);
    base_rc rc = BASE_OK;
    for (uint32_t s = 0; rc == BASE_OK && s < nspans; s++)
        for (uint64_t i = spans[s].from; rc == BASE_OK && i < spans[s].to; i++) {
            t.places[t.n++] = entries->items[i].place;
            if (t.n == CHUNK_ENTRIES) rc = take_places(&t, err);
        }
    if (rc == BASE_OK) rc = take_places(&t, err);
    free(t.places);
    base_arena_deinit(&t.arena);
    engine_contract_destroy(t.contract);
    engine_stream_release(stream);
    return rc;
}

base_rc recon_event_at(engine *e, const plan_object *object, const engine_finding_place *place,
                       base_arena *arena, const col_batch **out, base_error *err) {
    engine_stream *stream = engine_stream_hold(e, object);
    if (stream == NULL)
        return base_fail(err, BASE_E_NOT_FOUND, BASE_SQLSTATE_UNDEFINED_TABLE,
                         "stream \"%s.%s\" does not exist", object->schema, object->name);
    uint32_t *columns = base_arena_array(arena, uint32_t, object->ncolumns + 1);
    for (uint32_t i = 0; i < object->ncolumns; i++) columns[i] = i;
    engine_contract *contract = engine_contract_create(object, false, object->ncolumns, columns);
    log_reader *reader = NULL;
    log_batch batch;
    bool end = false;
    base_rc rc = log_reader_open(stream->log, place->partition, place->offset, &reader, err);
    if (rc == BASE_OK) rc = log_reader_next(reader, &batch, &end, err);
    if (rc == BASE_OK && !end) {
        uint32_t i = (uint32_t)(place->offset - batch.base_offset);
        engine_decoded d;
        engine_contract_decode(contract, batch.payload, batch.payload_bytes, batch.ends, i, 1,
                               place->offset, place->partition, batch.info.append_us, arena, &d);
        *out = col_batch_copy(arena, d.batch); // strings are the log's
        end = d.nrows == 0;
    }
    if (rc == BASE_OK && end)
        rc = base_fail(err, BASE_E_NOT_FOUND, NULL, "the event at %u/%llu is gone",
                       place->partition, (unsigned long long)place->offset);
    if (reader != NULL) log_reader_close(reader);
    engine_contract_destroy(contract);
    engine_stream_release(stream);
    return rc;
}
