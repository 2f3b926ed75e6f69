// partition.c - appending to a partition, rolling to a new segment, and group sync.
//
// Order that crash safety rests on (recover.c relies on it):
//   1. A segment is written and synced as a whole before the next one is created.
//   2. A new segment's header and name are durable before the first batch is written to it; once
//   its
//      creation was begun, the segment before takes no more appends (must_roll).
//   3. The durable end moves only after the sync that covers it; only then may the index mention
//   it.
// Entry points: log_append(), log_sync().
#include "log/log_int.h"

#include "base/must.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

void log_partition_init(log_partition *p, log_stream *stream, uint32_t id) {
    *p = (log_partition){.stream = stream, .id = id, .append_us_max = INT64_MIN};
    base_buf path;
    base_buf_init(&path);
    base_buf_printf(&path, "%s/%" PRIu32, stream->dir, id);
    p->dir = strdup(base_buf_cstr(&path));
    must(p->dir != NULL);
    base_buf_deinit(&path);
    plat_mutex_init(&p->mutex);
    plat_cond_init(&p->changed);
}

const char *log_segment_path(const log_partition *p, uint64_t base_offset, const char *suffix,
                             base_buf *buf) {
    base_buf_clear(buf);
    base_buf_printf(buf, "%s/%020" PRIu64 ".%s", p->dir, base_offset, suffix);
    return base_buf_cstr(buf);
}

log_segment *log_partition_add_segment(log_partition *p) {
    if (p->segment_count == p->segment_cap) {
        p->segment_cap = p->segment_cap == 0 ? 8 : p->segment_cap * 2;
        p->segments = realloc(p->segments, p->segment_cap * sizeof *p->segments);
        must(p->segments != NULL);
    }
    log_segment *segment = calloc(1, sizeof *segment);
    must(segment != NULL);
    p->segments[p->segment_count++] = segment;
    return segment;
}

void log_segment_destroy(log_segment *segment) {
    if (segment->mapping != NULL) segment->mapping->segment = NULL;
    log_index_deinit(&segment->index);
    free(segment);
}

uint32_t log_partition_find(const log_partition *p, uint64_t offset) {
    must(p->segment_count > 0);
    uint32_t low = 0, high = p->segment_count;
    while (low < high) {
        uint32_t mid = low + (high - low) / 2;
        if (p->segments[mid]->base_offset <= offset) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return low == 0 ? 0 : low - 1;
}

log_partition *log_stream_partition(log_stream *stream, uint32_t partition) {
    must(partition < stream->config.partitions);
    return &stream->partitions[partition];
}

static log_segment *last_segment(log_partition *p) {
    return p->segment_count == 0 ? NULL : p->segments[p->segment_count - 1];
}

// Puts the header and the entries that became durable since the last time into index_out. Returns
// false if there is nothing new. Lock held, and the caller is the only one at work.
static bool index_prepare(log_partition *p, bool always, uint32_t *first) {
    log_segment *segment = last_segment(p);
    log_index *index = &segment->index;
    uint32_t to = index->written;
    while (to < index->count && index->entries[to].position < p->durable_position) to++;
    *first = index->written;
    if (p->index_broken || (to == index->written && !always)) return false;
    base_buf_clear(&p->index_out);
    log_index_header header;
    log_index_header_make(&header, segment->salt, segment->base_offset, p->durable_position,
                          atomic_load_explicit(&p->durable_end, memory_order_relaxed));
    base_buf_add(&p->index_out, &header, sizeof header);
    log_index_encode(index, index->written, to, segment->salt, &p->index_out);
    index->written = to;
    return true;
}

// Writes index_out. The index can be rebuilt, so a failure here fails nobody.
static void index_store(log_partition *p, uint64_t base_offset, uint32_t first) {
    base_rc rc = BASE_OK;
    if (p->index_file == NULL) {
        base_buf path;
        base_buf_init(&path);
        rc = plat_open(p->stream->store->plat, log_segment_path(p, base_offset, "idx", &path),
                       PLAT_OPEN_READ | PLAT_OPEN_WRITE | PLAT_OPEN_CREATE, &p->index_file, NULL);
        base_buf_deinit(&path);
    }
    size_t header = sizeof(log_index_header), entries = p->index_out.n - header;
    if (rc == BASE_OK && entries > 0) {
        rc = plat_write_at(p->index_file, p->index_out.p + header, entries,
                           header + (uint64_t)first * sizeof(log_index_entry), NULL);
    }
    if (rc == BASE_OK) rc = plat_write_at(p->index_file, p->index_out.p, header, 0, NULL);
    if (rc != BASE_OK) p->index_broken = true;
}

void log_partition_write_index(log_partition *p) {
    uint32_t first;
    if (last_segment(p) == NULL || !index_prepare(p, true, &first)) return;
    index_store(p, last_segment(p)->base_offset, first);
}

void log_partition_notify(log_partition *p) {
    log_store *store = p->stream->store;
    if (store->notify != NULL) store->notify(store->notify_arg, p->stream, p->id);
}

// After a failed write or sync nobody can say what of [from, to) reached the disk. None of it was
// acknowledged, so it is blanked (as well as the disk lets us): reopening then finds a clean end,
// and not bytes that are in the page cache only.
static void blank(plat_file *file, uint64_t from, uint64_t to) {
    static const char zeros[64 << 10];
    while (from < to) {
        size_t n = to - from < sizeof zeros ? (size_t)(to - from) : sizeof zeros;
        if (plat_write_at(file, zeros, n, from, NULL) != BASE_OK) return;
        from += n;
    }
}

static base_rc report_failed(const log_partition *p, base_error *err) {
    base_fail(err, BASE_E_IO, NULL,
              "partition %" PRIu32 " of stream \"%s\" refuses writes after a failed write: %s",
              p->id, p->stream->name, p->failure.message);
    if (err != NULL) base_error_hint(err, "check the disk, then restart to reopen the log");
    return BASE_E_IO;
}

static void fail_partition(log_partition *p, const base_error *cause) {
    p->failed = true;
    p->failure = *cause;
    base_buf_clear(&p->pending);
    log_index_cut(&last_segment(p)->index, p->durable_position);
    p->end_position = p->written_position = p->durable_position;
    p->next_offset = atomic_load_explicit(&p->durable_end, memory_order_relaxed);
    plat_cond_broadcast(&p->changed);
}

// A write found the disk full (where space cannot be allocated ahead, or its owner's share of it is
// used up). What was to be written is pending again, before what came meanwhile, and the next flush
// writes it to the same place: nobody was told that it is there, so it may come late, but it may
// not be taken back, as the callers of log_append have its offsets and may yet call log_sync.
static void keep_pending(log_partition *p, base_error *err, const base_error *failure) {
    base_buf_add(&p->writing, p->pending.p, p->pending.n);
    base_buf all = p->writing;
    p->writing = p->pending;
    p->pending = all;
    base_buf_clear(&p->writing);
    p->busy = false;
    plat_cond_broadcast(&p->changed);
    if (err != NULL) *err = *failure;
}

// Writes all that is pending, and syncs if asked. Lock held and not busy; the lock is given up
// meanwhile and held again on return. A failure fails the partition.
static base_rc flush(log_partition *p, bool sync, base_error *err) {
    must(!p->busy && !p->failed);
    base_error failure;
    base_buf out = p->pending;
    p->pending = p->writing;
    p->writing = out;
    plat_file *file = p->file;
    uint64_t from = p->written_position, to = p->end_position, offset = p->next_offset;
    uint64_t durable = p->durable_position;
    p->busy = true;
    plat_mutex_unlock(&p->mutex);

    base_rc rc = BASE_OK;
    if (out.n > 0) rc = plat_write_at(file, out.p, out.n, from, &failure);
    bool wrote = rc == BASE_OK;
    if (rc == BASE_OK && sync) rc = plat_sync(file, &failure);
    if (rc != BASE_OK && (wrote || rc != BASE_E_FULL)) blank(file, durable, to);

    plat_mutex_lock(&p->mutex);
    if (rc == BASE_E_FULL && !wrote) {
        keep_pending(p, err, &failure);
        return rc;
    }
    base_buf_clear(&p->writing);
    if (p->writing.cap > 4 * LOG_PENDING_BYTES_MAX) base_buf_deinit(&p->writing);
    if (rc != BASE_OK) {
        p->busy = false;
        fail_partition(p, &failure);
        if (err != NULL) *err = failure;
        return rc;
    }
    p->written_position = to;
    if (sync) {
        p->durable_position = to;
        atomic_store_explicit(&p->durable_end, offset, memory_order_release);
        uint32_t first;
        if (index_prepare(p, false, &first)) {
            uint64_t base_offset = last_segment(p)->base_offset;
            plat_cond_broadcast(
                &p->changed); // those who waited for this sync need not wait for the index
            plat_mutex_unlock(&p->mutex);
            index_store(p, base_offset, first);
            plat_mutex_lock(&p->mutex);
        }
    }
    p->busy = false;
    plat_cond_broadcast(&p->changed);
    return BASE_OK;
}

// Creates the file of a segment that begins at base_offset: allocated, its header and name durable.
static base_rc create_segment_file(log_partition *p, const log_segment_header *header,
                                   uint64_t size, plat_file **out, base_error *err) {
    plat *pl = p->stream->store->plat;
    base_buf path;
    base_buf_init(&path);
    plat_file *file = NULL;
    // A file of that name can only be left over from an attempt that failed: it holds no batch.
    base_rc rc = plat_open(pl, log_segment_path(p, header->base_offset, "seg", &path),
                           PLAT_OPEN_READ | PLAT_OPEN_WRITE | PLAT_OPEN_CREATE | PLAT_OPEN_TRUNCATE,
                           &file, err);
    base_buf_deinit(&path);
    if (rc == BASE_OK) rc = plat_allocate(file, size, err);
    if (rc == BASE_OK) rc = plat_write_at(file, header, sizeof *header, 0, err);
    if (rc == BASE_OK) rc = plat_sync(file, err);
    if (rc == BASE_OK) rc = pl->ops->sync_dir(pl, p->dir, err);
    if (rc != BASE_OK) {
        plat_close(file);
        return rc;
    }
    *out = file;
    return BASE_OK;
}

// Makes the last segment durable as a whole, gives back what it did not use, and closes it.
static base_rc finish_segment(log_partition *p, base_error *err) {
    base_error failure;
    base_rc rc = BASE_OK;
    if (p->pending.n > 0) {
        rc = plat_write_at(p->file, p->pending.p, p->pending.n, p->written_position, &failure);
    }
    if (rc == BASE_E_FULL) { // all stays pending, as in keep_pending
        if (err != NULL) *err = failure;
        return rc;
    }
    if (rc == BASE_OK && p->end_position > p->durable_position) rc = plat_sync(p->file, &failure);
    if (rc != BASE_OK) {
        blank(p->file, p->durable_position, p->end_position);
        fail_partition(p, &failure);
        if (err != NULL) *err = failure;
        return rc;
    }
    base_buf_clear(&p->pending);
    p->written_position = p->durable_position = p->end_position;
    atomic_store_explicit(&p->durable_end, p->next_offset, memory_order_release);
    plat_cond_broadcast(&p->changed);
    return BASE_OK;
}

base_rc log_partition_roll(log_partition *p, base_error *err) {
    must(!p->busy && !p->failed);
    plat *pl = p->stream->store->plat;
    log_segment *before = last_segment(p);
    if (before != NULL) {
        base_rc rc = finish_segment(p, err);
        if (rc != BASE_OK) return rc;
    }
    uint64_t size = p->stream->config.segment_bytes;
    if (size > LOG_ALLOCATE_BYTES_MIN) size = LOG_ALLOCATE_BYTES_MIN;
    log_segment_header header;
    log_segment_header_make(&header, p->next_offset,
                            before == NULL ? UINT64_MAX : before->base_offset,
                            pl->ops->random_u64(pl), p->append_us_max, p->id);
    p->must_roll = true;
    plat_file *file;
    base_rc rc = create_segment_file(p, &header, size, &file, err);
    if (rc != BASE_OK) return rc;

    if (before != NULL) {
        log_partition_write_index(p);
        // As it will be found when it is opened: with the slack that readers may look into.
        before->bytes = log_align(p->end_position + LOG_SEGMENT_SLACK, LOG_SEGMENT_PAGE);
        p->sealed_bytes += before->bytes;
        // Giving space back may fail without harm: the zeros at the end just stay.
        (void)plat_truncate(p->file, before->bytes, NULL);
        plat_close(p->file);
        plat_close(p->index_file);
        p->index_file = NULL;
    }
    log_segment *segment = log_partition_add_segment(p);
    segment->base_offset = header.base_offset;
    segment->previous_base = header.previous_base;
    segment->salt = header.salt;
    segment->append_us_max_before = header.append_us_max_before;
    segment->index_loaded = true;
    p->file = file;
    p->allocated = size;
    p->end_position = p->written_position = p->durable_position = sizeof header;
    p->must_roll = false;
    p->index_broken = false;
    return BASE_OK;
}

// Sees to it that the last segment's file holds size bytes. Lock held.
static base_rc grow(log_partition *p, uint64_t size, base_error *err) {
    if (size <= p->allocated) return BASE_OK;
    uint64_t step = p->allocated < LOG_ALLOCATE_STEP_MAX ? p->allocated : LOG_ALLOCATE_STEP_MAX;
    uint64_t want = p->allocated + step, least = log_align(size, LOG_SEGMENT_PAGE);
    if (want > p->stream->config.segment_bytes) want = p->stream->config.segment_bytes;
    if (want > least && plat_allocate(p->file, want, err) == BASE_OK) {
        p->allocated = want;
        return BASE_OK;
    }
    base_rc rc = plat_allocate(p->file, least, err); // all we need, on a disk that is nearly full
    if (rc != BASE_OK) {
        if (err != NULL && rc == BASE_E_FULL) {
            base_error_hint(err, "free disk space or shorten the retention; nothing that was "
                                 "acknowledged is lost");
        }
        return rc;
    }
    p->allocated = least;
    return BASE_OK;
}

// Waits until the partition can take bytes more: a segment with room, and not too much pending.
// Lock held; rolled is set if the durable end moved.
static base_rc make_room(log_partition *p, uint64_t bytes, bool *rolled, base_error *err) {
    for (;;) {
        if (p->failed) return report_failed(p, err);
        uint64_t capacity = p->stream->config.segment_bytes;
        uint64_t need = p->end_position + bytes + LOG_SEGMENT_SLACK;
        bool has_batches = p->end_position > sizeof(log_segment_header);
        bool roll = p->segment_count == 0 || p->must_roll || (has_batches && need > capacity);
        bool full = p->pending.n > 0 && p->pending.n + bytes > LOG_PENDING_BYTES_MAX;
        if (p->busy && (roll || full)) {
            plat_cond_wait(&p->changed, &p->mutex);
        } else if (roll) {
            base_rc rc = log_partition_roll(p, err);
            *rolled = true;
            if (rc != BASE_OK) return rc;
        } else if (full) {
            base_rc rc = flush(p, false, err);
            if (rc != BASE_OK) return rc;
        } else {
            return grow(p, need, err);
        }
    }
}

// Gives the encoded batches their places and makes them pending. Lock held; there is room.
static void place_batches(log_partition *p, base_buf *batches) {
    log_segment *segment = last_segment(p);
    log_index *index = &segment->index;
    for (size_t at = 0; at < batches->n;) {
        log_batch_header *header = (log_batch_header *)(void *)(batches->p + at);
        uint64_t total = log_batch_total_bytes(header);
        log_batch_place(header, segment->salt, p->end_position, p->next_offset,
                        p->durable_position);
        uint64_t indexed = index->count == 0 ? 0 : index->entries[index->count - 1].position;
        if (p->end_position - indexed >= p->stream->config.index_bytes) {
            log_index_add(index, p->next_offset, p->end_position, p->append_us_max);
        }
        if (header->append_us > p->append_us_max) p->append_us_max = header->append_us;
        p->end_position += total;
        p->next_offset += header->count;
        at += total;
    }
    base_buf_add(&p->pending, batches->p, batches->n);
}

static base_rc check_sizes(const log_record *records, size_t n, base_error *err) {
    uint64_t total = 0;
    for (size_t i = 0; i < n; i++) {
        uint64_t bytes = (uint64_t)records[i].payload.n + records[i].headers.n;
        if (bytes > LOG_RECORD_BYTES_MAX) {
            return base_fail(err, BASE_E_LIMIT, NULL,
                             "record %zu has %" PRIu64 " bytes with its headers, more than %u", i,
                             bytes, LOG_RECORD_BYTES_MAX);
        }
        total += bytes + 1;
    }
    if (total > LOG_APPEND_BYTES_MAX) {
        base_fail(err, BASE_E_LIMIT, NULL, "one append of %" PRIu64 " bytes is more than %u", total,
                  LOG_APPEND_BYTES_MAX);
        if (err != NULL) base_error_hint(err, "send the records in smaller requests");
        return BASE_E_LIMIT;
    }
    return BASE_OK;
}

static base_rc encode_all(log_encoder *encoder, const log_record *records, size_t n,
                          const log_batch_info *info, log_codec codec, base_error *err) {
    base_buf_clear(&encoder->out);
    for (size_t from = 0; from < n;) {
        size_t to = from;
        uint64_t bytes = 0;
        while (to < n && (to == from || bytes < LOG_BATCH_TARGET_BYTES)) {
            uint64_t next = (uint64_t)records[to].payload.n + records[to].headers.n + 1;
            if (to > from && bytes + next > LOG_BATCH_BYTES_MAX) break;
            bytes += next;
            to++;
        }
        base_rc rc =
            log_batch_encode(encoder, records + from, (uint32_t)(to - from), info, codec, err);
        if (rc != BASE_OK) return rc;
        from = to;
    }
    return BASE_OK;
}

static log_encoder *take_encoder(log_partition *p) {
    plat_mutex_lock(&p->mutex);
    log_encoder *encoder = p->encoders;
    if (encoder != NULL) p->encoders = encoder->next;
    plat_mutex_unlock(&p->mutex);
    if (encoder == NULL) encoder = calloc(1, sizeof *encoder);
    must(encoder != NULL);
    return encoder;
}

base_rc log_append(log_stream *stream, uint32_t partition, const log_record *records, size_t n,
                   const log_batch_info *info, uint64_t *first_offset, base_error *err) {
    log_partition *p = log_stream_partition(stream, partition);
    base_rc rc = check_sizes(records, n, err);
    if (rc != BASE_OK) return rc;
    log_encoder *encoder = take_encoder(p);
    rc = encode_all(encoder, records, n, info, stream->config.codec, err);
    bool rolled = false;
    plat_mutex_lock(&p->mutex);
    if (rc == BASE_OK && n > 0) rc = make_room(p, encoder->out.n, &rolled, err);
    if (rc == BASE_OK) {
        if (first_offset != NULL) *first_offset = p->next_offset;
        if (n > 0) place_batches(p, &encoder->out);
    }
    if (encoder->out.cap > 4 * LOG_PENDING_BYTES_MAX) base_buf_deinit(&encoder->out);
    if (encoder->plain.cap > 4 * LOG_PENDING_BYTES_MAX) base_buf_deinit(&encoder->plain);
    encoder->next = p->encoders;
    p->encoders = encoder;
    plat_mutex_unlock(&p->mutex);
    if (rolled) log_partition_notify(p);
    return rc;
}

base_rc log_sync(log_stream *stream, uint32_t partition, base_error *err) {
    log_partition *p = log_stream_partition(stream, partition);
    base_rc rc = BASE_OK;
    bool led = false;
    plat_mutex_lock(&p->mutex);
    uint64_t target = p->next_offset;
    for (;;) {
        // Also when the offsets look durable: the records of this thread may have been taken back.
        if (p->failed) {
            rc = report_failed(p, err);
            break;
        }
        if (atomic_load_explicit(&p->durable_end, memory_order_relaxed) >= target) break;
        if (p->busy) {
            plat_cond_wait(&p->changed, &p->mutex);
            continue;
        }
        led = true;
        rc = flush(p, true, err);
        break;
    }
    plat_mutex_unlock(&p->mutex);
    if (led && rc == BASE_OK) log_partition_notify(p);
    return rc;
}

base_rc log_skip_to(log_stream *stream, uint32_t partition, uint64_t offset, base_error *err) {
    log_partition *p = log_stream_partition(stream, partition);
    base_rc rc = BASE_OK;
    plat_mutex_lock(&p->mutex);
    while (p->busy) plat_cond_wait(&p->changed, &p->mutex);
    if (p->failed) {
        rc = report_failed(p, err);
    } else if (offset > p->next_offset) {
        if (last_segment(p) != NULL) rc = finish_segment(p, err);
        uint64_t before = p->next_offset;
        bool first = p->segment_count == 0;
        if (rc == BASE_OK) {
            p->next_offset = offset;
            rc = log_partition_roll(p, err);
            if (rc != BASE_OK) p->next_offset = before;
            if (rc == BASE_OK && first) atomic_store(&p->begin, offset);
            atomic_store_explicit(&p->durable_end, p->next_offset, memory_order_release);
        }
    }
    plat_mutex_unlock(&p->mutex);
    return rc;
}

void log_partition_deinit(log_partition *p) {
    plat_mutex_lock(&p->mutex);
    must(!p->busy);
    if (p->file != NULL && !p->failed && finish_segment(p, NULL) == BASE_OK) {
        // A clean end: recovery has nothing to look at, and unused space goes back to the disk.
        log_partition_write_index(p);
        uint64_t size = log_align(p->end_position + LOG_SEGMENT_SLACK, LOG_SEGMENT_PAGE);
        if (size < p->allocated) (void)plat_truncate(p->file, size, NULL);
    }
    plat_mutex_unlock(&p->mutex);
    plat_close(p->file);
    plat_close(p->index_file);
    for (uint32_t i = 0; i < p->segment_count; i++) log_segment_destroy(p->segments[i]);
    free(p->segments);
    while (p->encoders != NULL) {
        log_encoder *encoder = p->encoders;
        p->encoders = encoder->next;
        log_encoder_deinit(encoder);
        free(encoder);
    }
    base_buf_deinit(&p->pending);
    base_buf_deinit(&p->writing);
    base_buf_deinit(&p->index_out);
    plat_cond_deinit(&p->changed);
    plat_mutex_deinit(&p->mutex);
    free(p->dir);
}

uint64_t log_begin(log_stream *stream, uint32_t partition) {
    return atomic_load_explicit(&log_stream_partition(stream, partition)->begin,
                                memory_order_acquire);
}

uint64_t log_end(log_stream *stream, uint32_t partition) {
    return atomic_load_explicit(&log_stream_partition(stream, partition)->durable_end,
                                memory_order_acquire);
}

uint64_t log_bytes(log_stream *stream, uint32_t partition) {
    log_partition *p = log_stream_partition(stream, partition);
    plat_mutex_lock(&p->mutex);
    uint64_t bytes = p->sealed_bytes + p->end_position;
    plat_mutex_unlock(&p->mutex);
    return bytes;
}
