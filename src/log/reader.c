// reader.c - reading batches from mapped segments, without copying unless they are compressed.
//
// A reader is a position in one mapping and the offset expected there. It takes the partition's
// lock only to change segments (or to map one anew that has grown), never per batch: up to the
// durable end, which it reads atomically, the bytes under it do not change. Invariant: what
// log_reader_next returns was durable, passed its checksums, and lies within a mapping that the
// reader holds until log_reader_release. Entry points: log_reader_open(), log_reader_next().
#include "log/log_int.h"

#include "base/must.h"

#include <inttypes.h>
#include <stdlib.h>

struct log_reader {
    log_partition *partition;
    uint64_t next_offset;
    log_mapping *mapping; // or NULL: to be found by next_offset
    uint64_t position;    // in mapping, of the batch that holds next_offset
    bool lent;            // batches borrowed from mapping are out
    log_mapping **held;   // earlier mappings that batches are borrowed from
    uint32_t held_count, held_cap;
    base_arena arena; // decompressed batches
    void *zstd;
};

// ---- mappings ----

static base_rc map_segment(log_partition *p, log_segment *segment, bool last, base_error *err) {
    plat *pl = p->stream->store->plat;
    plat_file *file = p->file;
    base_rc rc = BASE_OK;
    if (!last) {
        base_buf path = {0};
        rc = plat_open(pl, log_segment_path(p, segment->base_offset, "seg", &path), PLAT_OPEN_READ,
                       &file, err);
        base_buf_deinit(&path);
        if (rc != BASE_OK) return rc;
    }
    uint64_t size = 0;
    const char *bytes = NULL;
    rc = plat_size(file, &size, err);
    if (rc == BASE_OK && size < sizeof(log_segment_header) + LOG_SEGMENT_SLACK) {
        rc = base_fail(err, BASE_E_CORRUPT, NULL,
                       "segment file %" PRIu64 " of \"%s\" has only %" PRIu64 " bytes",
                       segment->base_offset, p->dir, size);
    }
    if (rc == BASE_OK) rc = plat_map(file, size, &bytes, err);
    if (!last) plat_close(file);
    if (rc != BASE_OK) return rc;
    log_mapping *mapping = malloc(sizeof *mapping);
    must(mapping != NULL);
    *mapping = (log_mapping){.segment = segment,
                             .bytes = bytes,
                             .n = size,
                             .base_offset = segment->base_offset,
                             .salt = segment->salt};
    if (segment->mapping != NULL) segment->mapping->segment = NULL;
    segment->mapping = mapping;
    return BASE_OK;
}

base_rc log_mapping_acquire(log_partition *p, uint32_t i, log_mapping **out, base_error *err) {
    log_segment *segment = p->segments[i];
    bool last = i + 1 == p->segment_count;
    // A segment may have grown since it was mapped, and may have been sealed since it grew.
    uint64_t whole = last ? p->allocated : segment->bytes;
    if (segment->mapping == NULL || segment->mapping->n < whole) {
        base_rc rc = map_segment(p, segment, last, err);
        if (rc != BASE_OK) return rc;
    }
    segment->mapping->refs++;
    *out = segment->mapping;
    return BASE_OK;
}

void log_mapping_release(log_partition *p, log_mapping *mapping) {
    must(mapping->refs > 0);
    if (--mapping->refs > 0) return;
    plat *pl = p->stream->store->plat;
    if (mapping->segment != NULL) mapping->segment->mapping = NULL;
    pl->ops->unmap(pl, mapping->bytes, mapping->n);
    free(mapping);
}

// ---- the index of earlier segments ----

// A segment without an index file gets one from a walk over its headers. Up to a first damaged
// place, that is; behind it, finding a batch takes a longer walk.
static void rebuild_index(log_partition *p, log_segment *segment, const log_mapping *mapping) {
    uint64_t position = sizeof(log_segment_header), indexed = 0, offset = segment->base_offset;
    int64_t append_us_max = segment->append_us_max_before;
    log_batch_header batch;
    while (position < mapping->n &&
           log_batch_header_read(mapping->bytes + position, mapping->n - position, mapping->salt,
                                 position, &batch) &&
           batch.base_offset == offset) {
        if (position - indexed >= p->stream->config.index_bytes) {
            log_index_add(&segment->index, offset, position, append_us_max);
            indexed = position;
        }
        if (batch.append_us > append_us_max) append_us_max = batch.append_us;
        position += log_batch_total_bytes(&batch);
        offset += batch.count;
    }
    log_index_header header;
    log_index_header_make(&header, segment->salt, segment->base_offset, position, offset);
    base_buf path = {0}, bytes = {0};
    base_buf_add(&bytes, &header, sizeof header);
    log_index_encode(&segment->index, 0, segment->index.count, segment->salt, &bytes);
    // Only a help to the next start: failing to write it fails nothing.
    base_rc rc = plat_replace_file(p->stream->store->plat,
                                   log_segment_path(p, segment->base_offset, "idx", &path),
                                   base_buf_str(&bytes), NULL);
    if (rc == BASE_OK) segment->index.written = segment->index.count;
    base_buf_deinit(&bytes);
    base_buf_deinit(&path);
}

static void load_index(log_partition *p, log_segment *segment, const log_mapping *mapping) {
    if (segment->index_loaded) return;
    base_buf path = {0}, bytes = {0};
    log_index_header header = {0};
    base_rc rc = plat_read_file(p->stream->store->plat,
                                log_segment_path(p, segment->base_offset, "idx", &path), 256u << 20,
                                &bytes, NULL);
    bool well = rc == BASE_OK && log_index_decode(base_buf_str(&bytes), segment->salt,
                                                  segment->base_offset, &header, &segment->index);
    base_buf_deinit(&bytes);
    base_buf_deinit(&path);
    if (!well) {
        log_index_cut(&segment->index, 0);
        rebuild_index(p, segment, mapping);
    }
    segment->index_loaded = true;
}

// ---- finding a place ----

// Where the batch that holds target is, walking headers from an entry of the index. A damaged batch
// on the way is passed over; if target may be inside the damage, that is the place.
static uint64_t walk_to(const log_mapping *m, uint64_t target, uint64_t limit, uint64_t position,
                        uint64_t offset) {
    bool from_index = position != sizeof(log_segment_header);
    while (offset != target) {
        log_batch_header batch;
        bool well = position < limit &&
                    log_batch_header_read(m->bytes + position, limit - position, m->salt, position,
                                          &batch) &&
                    batch.base_offset == offset;
        if (well) {
            if (batch.count > target - offset) return position;
            offset += batch.count;
            position += log_batch_total_bytes(&batch);
        } else if (from_index) { // the index may be wrong: begin at the beginning
            position = sizeof(log_segment_header);
            offset = m->base_offset;
        } else {
            uint64_t next = log_segment_scan(m->bytes, position + LOG_BATCH_ALIGN, limit, m->salt,
                                             offset, &batch);
            if (next == UINT64_MAX || batch.base_offset > target) return position;
            position = next;
            offset = batch.base_offset;
        }
        from_index = false;
    }
    return position;
}

static base_rc fail_damaged(const log_reader *r, uint64_t base_offset, uint64_t position,
                            const char *what, base_error *err) {
    base_buf path = {0};
    base_fail(err, BASE_E_CORRUPT, NULL, "segment file \"%s\" is damaged at byte %" PRIu64 ": %s",
              log_segment_path(r->partition, base_offset, "seg", &path), position, what);
    if (err != NULL) {
        base_error_detail(err, "Stream \"%s\", partition %" PRIu32 ", offset %" PRIu64 ".",
                          r->partition->stream->name, r->partition->id, r->next_offset);
        base_error_hint(err, "restore the file from a backup, or skip the damaged records");
    }
    base_buf_deinit(&path);
    return BASE_E_CORRUPT;
}

static void leave_mapping(log_reader *r) { // lock held
    if (r->mapping == NULL) return;
    if (!r->lent) {
        log_mapping_release(r->partition, r->mapping);
    } else {
        if (r->held_count == r->held_cap) {
            r->held_cap = r->held_cap == 0 ? 4 : r->held_cap * 2;
            r->held = realloc(r->held, r->held_cap * sizeof *r->held);
            must(r->held != NULL);
        }
        r->held[r->held_count++] = r->mapping;
    }
    r->mapping = NULL;
    r->lent = false;
}

static base_rc check_range(const log_reader *r, uint64_t offset, base_error *err) {
    uint64_t begin = atomic_load_explicit(&r->partition->begin, memory_order_acquire);
    uint64_t end = atomic_load_explicit(&r->partition->durable_end, memory_order_acquire);
    const char *name = r->partition->stream->name;
    if (offset < begin) {
        return base_fail(err, BASE_E_NOT_FOUND, NULL,
                         "offset %" PRIu64 " of stream \"%s\", partition %" PRIu32
                         " is no longer kept; the first retained offset is %" PRIu64,
                         offset, name, r->partition->id, begin);
    }
    if (offset > end) {
        return base_fail(err, BASE_E_NOT_FOUND, NULL,
                         "offset %" PRIu64 " of stream \"%s\", partition %" PRIu32
                         " is beyond the end, %" PRIu64,
                         offset, name, r->partition->id, end);
    }
    return BASE_OK;
}

// How far a segment's bytes may be looked at: a file that is sealed later keeps at least that much.
static uint64_t segment_limit(const log_partition *p, uint32_t i, const log_mapping *m) {
    uint64_t limit = i + 1 == p->segment_count ? p->written_position : p->segments[i]->bytes;
    return limit < m->n ? limit : m->n;
}

// Maps the segment that holds next_offset and finds the batch in it.
static base_rc locate(log_reader *r, base_error *err) {
    log_partition *p = r->partition;
    base_rc rc = check_range(r, r->next_offset, err);
    if (rc != BASE_OK) return rc;
    plat_mutex_lock(&p->mutex);
    leave_mapping(r);
    uint32_t i = log_partition_find(p, r->next_offset);
    log_segment *segment = p->segments[i];
    uint64_t position = sizeof(log_segment_header), offset = segment->base_offset, limit = 0;
    if (r->next_offset < offset) {
        rc = check_range(r, r->next_offset, err); // retention went by since
        if (rc == BASE_OK) rc = fail_damaged(r, offset, 0, "records before it are missing", err);
    } else if (segment->damaged) {
        rc = fail_damaged(r, offset, 0, "its header is not valid", err);
    } else {
        rc = log_mapping_acquire(p, i, &r->mapping, err);
    }
    if (rc == BASE_OK) {
        limit = segment_limit(p, i, r->mapping);
        load_index(p, segment, r->mapping);
        const log_index_entry *entry = log_index_find(&segment->index, r->next_offset);
        if (entry != NULL && entry->position < limit) {
            position = entry->position;
            offset = entry->offset;
        }
    }
    plat_mutex_unlock(&p->mutex);
    if (rc == BASE_OK) r->position = walk_to(r->mapping, r->next_offset, limit, position, offset);
    return rc;
}

// ---- the reader ----

base_rc log_reader_open(log_stream *stream, uint32_t partition, uint64_t offset, log_reader **out,
                        base_error *err) {
    log_reader *r = calloc(1, sizeof *r);
    must(r != NULL);
    r->partition = log_stream_partition(stream, partition);
    r->next_offset = offset;
    base_rc rc = check_range(r, offset, err);
    if (rc != BASE_OK) {
        free(r);
        return rc;
    }
    base_arena_init(&r->arena, 64 << 10);
    *out = r;
    return BASE_OK;
}

void log_reader_release(log_reader *r) {
    if (r->held_count > 0) {
        plat_mutex_lock(&r->partition->mutex);
        while (r->held_count > 0) log_mapping_release(r->partition, r->held[--r->held_count]);
        plat_mutex_unlock(&r->partition->mutex);
    }
    r->lent = false;
    base_arena_reset(&r->arena);
}

void log_reader_close(log_reader *r) {
    if (r == NULL) return;
    log_reader_release(r);
    plat_mutex_lock(&r->partition->mutex);
    leave_mapping(r);
    plat_mutex_unlock(&r->partition->mutex);
    base_arena_deinit(&r->arena);
    log_decompress_deinit(&r->zstd);
    free(r->held);
    free(r);
}

uint64_t log_reader_offset(const log_reader *r) {
    return r->next_offset;
}

// Only a batch with LOG_READ_PADDING bytes behind it counts: in a mapping from before the segment
// grew, a later batch may end just where the mapping does, and who decodes it looks past its end.
static bool header_here(const log_reader *r, log_batch_header *batch) {
    const log_mapping *m = r->mapping;
    return r->position + LOG_READ_PADDING < m->n &&
           log_batch_header_read(m->bytes + r->position, m->n - LOG_READ_PADDING - r->position,
                                 m->salt, r->position, batch) &&
           batch->base_offset <= r->next_offset &&
           batch->count > r->next_offset - batch->base_offset;
}

// Brings the reader to the batch that holds next_offset and reads its header.
static base_rc find_batch(log_reader *r, log_batch_header *batch, bool *end, base_error *err) {
    log_partition *p = r->partition;
    uint64_t durable_end = atomic_load_explicit(&p->durable_end, memory_order_acquire);
    *end = r->next_offset >= durable_end;
    if (*end) return BASE_OK;
    if (r->mapping == NULL) {
        base_rc rc = locate(r, err);
        if (rc != BASE_OK) return rc;
    }
    if (header_here(r, batch)) return BASE_OK;

    // Not here: the segment has come to its end, or was mapped before it grew, or is damaged.
    plat_mutex_lock(&p->mutex);
    uint32_t i = log_partition_find(p, r->next_offset);
    bool elsewhere = p->segments[i]->base_offset != r->mapping->base_offset;
    uint64_t whole = i + 1 == p->segment_count ? p->allocated : p->segments[i]->bytes;
    bool grown = !elsewhere && r->mapping->n < whole;
    base_rc rc = BASE_OK;
    if (grown) {
        leave_mapping(r);
        rc = log_mapping_acquire(p, i, &r->mapping, err);
    }
    plat_mutex_unlock(&p->mutex);
    if (elsewhere) rc = locate(r, err);
    if (rc != BASE_OK) return rc;
    if (header_here(r, batch)) return BASE_OK;
    return fail_damaged(r, r->mapping->base_offset, r->position, "no valid batch header", err);
}

base_rc log_reader_next(log_reader *r, log_batch *out, bool *end, base_error *err) {
    log_batch_header batch;
    base_rc rc = find_batch(r, &batch, end, err);
    if (rc != BASE_OK || *end) return rc;
    const char *body = r->mapping->bytes + r->position + sizeof batch;
    if (!log_batch_body_valid(&batch, body)) {
        return fail_damaged(r, r->mapping->base_offset, r->position,
                            "the checksum of a batch does not match", err);
    }
    if (batch.codec != LOG_CODEC_NONE) {
        uint64_t n = log_batch_plain_bytes(&batch);
        char *plain = base_arena_alloc(&r->arena, n + LOG_READ_PADDING);
        memset(plain + n, 0, LOG_READ_PADDING);
        if (!log_batch_decompress(&batch, body, plain, &r->zstd)) {
            return fail_damaged(r, r->mapping->base_offset, r->position,
                                "a batch does not decompress", err);
        }
        body = plain;
    }
    if (!log_batch_view(&batch, body, out)) {
        return fail_damaged(r, r->mapping->base_offset, r->position,
                            "the record ends of a batch are not in order", err);
    }
    if (batch.codec == LOG_CODEC_NONE) r->lent = true;
    r->next_offset = batch.base_offset + batch.count;
    r->position += log_batch_total_bytes(&batch);
    return BASE_OK;
}

base_rc log_reader_skip_damage(log_reader *r, uint64_t *next_offset, base_error *err) {
    log_partition *p = r->partition;
    uint64_t durable_end = atomic_load_explicit(&p->durable_end, memory_order_acquire);
    if (r->next_offset < durable_end && r->mapping == NULL) {
        base_rc rc = locate(r, err);
        if (rc != BASE_OK && rc != BASE_E_CORRUPT) return rc;
    }
    plat_mutex_lock(&p->mutex);
    uint64_t found = durable_end, limit = 0;
    if (r->next_offset < durable_end) {
        uint32_t i = log_partition_find(p, r->next_offset);
        bool before = r->next_offset < p->segments[i]->base_offset;
        if (before) {
            found = p->segments[i]->base_offset;
        } else if (i + 1 < p->segment_count) {
            found = p->segments[i + 1]->base_offset;
        }
        bool here = r->mapping != NULL && p->segments[i]->base_offset == r->mapping->base_offset;
        if (here && !before) limit = segment_limit(p, i, r->mapping);
    }
    plat_mutex_unlock(&p->mutex);
    if (limit > 0) {
        log_batch_header batch;
        // One further than the damaged batch, so the offset found is always beyond next_offset.
        uint64_t at = log_segment_scan(r->mapping->bytes, r->position + LOG_BATCH_ALIGN, limit,
                                       r->mapping->salt, r->next_offset + 1, &batch);
        if (at != UINT64_MAX && batch.base_offset < found) found = batch.base_offset;
    }
    // The place is found anew by its offset: the damage is behind it then.
    plat_mutex_lock(&p->mutex);
    leave_mapping(r);
    plat_mutex_unlock(&p->mutex);
    r->next_offset = found;
    *next_offset = found;
    return BASE_OK;
}

// ---- by time ----

// Where the search begins: no batch before it was appended at or after append_us.
static uint64_t time_search_start(log_partition *p, int64_t append_us, base_error *err,
                                  base_rc *rc) {
    *rc = BASE_OK;
    if (p->segment_count == 0) return 0;
    uint32_t i = p->segment_count - 1;
    while (i > 0 && (p->segments[i]->damaged || p->segments[i]->append_us_max_before >= append_us))
        i--;
    log_segment *segment = p->segments[i];
    if (segment->damaged) return segment->base_offset;
    log_mapping *mapping;
    *rc = log_mapping_acquire(p, i, &mapping, err);
    if (*rc != BASE_OK) return 0;
    load_index(p, segment, mapping);
    log_mapping_release(p, mapping);
    const log_index_entry *entry = log_index_find_time(&segment->index, append_us);
    return entry == NULL ? segment->base_offset : entry->offset;
}

base_rc log_find_time(log_stream *stream, uint32_t partition, int64_t append_us, uint64_t *offset,
                      base_error *err) {
    log_partition *p = log_stream_partition(stream, partition);
    base_rc rc;
    plat_mutex_lock(&p->mutex);
    uint64_t start = time_search_start(p, append_us, err, &rc);
    plat_mutex_unlock(&p->mutex);
    if (rc != BASE_OK) return rc;
    uint64_t end_offset = log_end(stream, partition);
    if (start >= end_offset) {
        *offset = end_offset;
        return BASE_OK;
    }
    log_reader *r;
    rc = log_reader_open(stream, partition, start, &r, err);
    if (rc != BASE_OK) return rc;
    bool end = false;
    while (rc == BASE_OK && !end) {
        log_batch_header batch;
        rc = find_batch(r, &batch, &end, err);
        if (rc == BASE_E_CORRUPT) { // damaged records have no time: look behind them
            rc = log_reader_skip_damage(r, offset, err);
            continue;
        }
        if (rc != BASE_OK || end || batch.append_us >= append_us) break;
        r->next_offset = batch.base_offset + batch.count;
        r->position += log_batch_total_bytes(&batch);
    }
    *offset = r->next_offset;
    log_reader_close(r);
    return rc;
}
