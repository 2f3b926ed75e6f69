// recover.c - opening a partition: finding its segments, and the true end of the last one.
//
// Only the last segment can have a torn tail (partition.c syncs a segment before it creates the
// next), so of all others the header alone is read. In the last one the walk begins at its last
// index entry. Where a batch is not well, the question is whether that place had been durable, that
// is, perhaps acknowledged. Witnesses are a batch further on whose durable_position is beyond the
// place, and the index, which only speaks of what was synced:
//   no witness: a torn tail. It is cut (batches in it that read well are first copied to a file).
//   a witness:  damage. All is kept, appends go behind it, and readers get BASE_E_CORRUPT there.
// Invariant: nothing that a witness vouches for is ever cut or written over.
// Entry point: log_partition_recover().
#include "log/log_int.h"

#include "base/must.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define INDEX_FILE_BYTES_MAX (256u << 20)
#define BASE_DIGITS          20

typedef struct base_list {
    uint64_t *bases;
    uint32_t count, cap;
} base_list;

// "<20 digits>.seg"; other names are not ours to touch.
static bool parse_segment_name(const char *name, uint64_t *base) {
    if (strlen(name) != BASE_DIGITS + 4 || strcmp(name + BASE_DIGITS, ".seg") != 0) return false;
    uint64_t v = 0;
    for (int i = 0; i < BASE_DIGITS; i++) {
        if (name[i] < '0' || name[i] > '9') return false;
        uint64_t digit = (uint64_t)(name[i] - '0');
        if (v > (UINT64_MAX - digit) / 10) return false;
        v = v * 10 + digit;
    }
    *base = v;
    return true;
}

static base_rc visit_entry(void *arg, const plat_dir_entry *entry) {
    base_list *list = arg;
    uint64_t base;
    if (entry->is_dir || !parse_segment_name(entry->name, &base)) return BASE_OK;
    if (list->count == list->cap) {
        uint32_t cap = list->cap == 0 ? 16 : list->cap * 2;
        list->bases = realloc(list->bases, cap * sizeof *list->bases);
        must(list->bases != NULL);
        list->cap = cap;
    }
    list->bases[list->count++] = base; // sorted, since names have a fixed width
    return BASE_OK;
}

static void say(log_open_report *report, const char *fmt, ...) BASE_PRINTF(2, 3);
static void say(log_open_report *report, const char *fmt, ...) {
    if (report == NULL || report->text[0] != '\0') return; // the first thing found is the one told
    va_list args;
    va_start(args, fmt);
    vsnprintf(report->text, sizeof report->text, fmt, args);
    va_end(args);
}

// Reads the header of one segment file into a new segment of the partition.
static base_rc load_segment(log_partition *p, uint64_t base, log_open_report *report,
                            base_error *err) {
    plat *pl = p->stream->store->plat;
    base_buf path = {0};
    plat_file *file;
    log_segment_header header = {0};
    size_t got = 0;
    uint64_t size = 0;
    const char *name = log_segment_path(p, base, "seg", &path);
    base_rc rc = plat_open(pl, name, PLAT_OPEN_READ, &file, err);
    if (rc == BASE_OK) {
        rc = plat_size(file, &size, err);
        if (rc == BASE_OK) rc = plat_read_at(file, &header, sizeof header, 0, &got, err);
        plat_close(file);
    }
    if (rc == BASE_OK) {
        log_segment *segment = log_partition_add_segment(p);
        segment->base_offset = base;
        segment->bytes = size;
        segment->damaged = got < sizeof header || !log_segment_header_valid(&header) ||
                           header.base_offset != base || header.partition != p->id;
        if (!segment->damaged) {
            segment->previous_base = header.previous_base;
            segment->salt = header.salt;
            segment->append_us_max_before = header.append_us_max_before;
        } else {
            segment->append_us_max_before = INT64_MIN;
        }
        const log_segment *before = p->segment_count < 2 ? NULL : p->segments[p->segment_count - 2];
        if (before != NULL && !segment->damaged && segment->previous_base != before->base_offset) {
            say(report, "a segment file is missing before \"%s\"", name);
        }
    }
    base_buf_deinit(&path);
    return rc;
}

static base_rc file_is_zero(plat_file *file, uint64_t from, uint64_t to, bool *zero,
                            base_error *err) {
    enum { CHUNK = 256 << 10 };
    char *chunk = malloc(CHUNK);
    base_rc rc = BASE_OK;
    *zero = true;
    while (rc == BASE_OK && *zero && from < to) {
        size_t want = to - from < CHUNK ? (size_t)(to - from) : CHUNK, got = 0;
        rc = plat_read_at(file, chunk, want, from, &got, err);
        if (rc != BASE_OK || got == 0) break;
        *zero = log_bytes_zero(chunk, got);
        from += got;
    }
    free(chunk);
    return rc;
}

// The last segment has no valid header. If it holds nothing else, then its creation was cut short
// and it goes; the segment before it is the last one again.
static base_rc drop_unfinished(log_partition *p, log_open_report *report, base_error *err) {
    plat *pl = p->stream->store->plat;
    log_segment *segment = p->segments[p->segment_count - 1];
    base_buf path = {0};
    plat_file *file;
    bool empty = false;
    const char *name = log_segment_path(p, segment->base_offset, "seg", &path);
    base_rc rc = plat_open(pl, name, PLAT_OPEN_READ, &file, err);
    if (rc == BASE_OK) {
        rc = file_is_zero(file, sizeof(log_segment_header), segment->bytes, &empty, err);
        plat_close(file);
    }
    // As the only segment it cannot be unfinished unless it is the very first; dropping it would
    // lose which offset comes next.
    if (p->segment_count == 1 && segment->base_offset > 0) empty = false;
    if (rc == BASE_OK && !empty) {
        rc = base_fail(err, BASE_E_CORRUPT, NULL,
                       "segment file \"%s\" has a damaged header at byte 0", name);
        base_error_hint(err, "restore the file from a backup, or move it away to go on without its "
                             "records");
    }
    if (rc == BASE_OK) rc = pl->ops->remove(pl, name, err);
    // Durable before anything else is written, or it could come back in front of newer records.
    if (rc == BASE_OK) rc = pl->ops->sync_dir(pl, p->dir, err);
    if (rc == BASE_OK) {
        say(report, "removed the unfinished segment file \"%s\"", name);
        log_segment_destroy(segment);
        p->segment_count--;
    }
    base_buf_deinit(&path);
    return rc;
}

// What the walk over the last segment knows.
typedef struct walk {
    log_partition *p;
    log_segment *segment;
    const char *bytes;
    uint64_t size;
    uint64_t position;        // of the next batch
    uint64_t offset;          // expected there
    int64_t append_us_max;    // of all batches before it
    uint64_t durable_witness; // the index says that all before this position was durable...
    uint64_t durable_offset;  // ...and that this offset came next; 0: not known
    uint64_t durable_seen;    // the index or a batch says that all before it was durable
    uint64_t salvage;         // a batch that reads well inside a torn tail, or UINT64_MAX
} walk;

// Loads the index and sets the walk at its last entry whose batch is there.
static void begin_walk(walk *w) {
    base_buf path = {0}, bytes = {0};
    log_segment *segment = w->segment;
    log_index_header header = {0};
    base_rc rc = plat_read_file(w->p->stream->store->plat,
                                log_segment_path(w->p, segment->base_offset, "idx", &path),
                                INDEX_FILE_BYTES_MAX, &bytes, NULL);
    log_index *index = &segment->index;
    if (rc == BASE_OK) {
        (void)log_index_decode(base_buf_str(&bytes), segment->salt, segment->base_offset, &header,
                               index);
    }
    base_buf_deinit(&bytes);
    base_buf_deinit(&path);
    w->durable_witness = w->durable_seen = header.durable_position;
    w->durable_offset = header.durable_offset;
    w->position = sizeof(log_segment_header);
    w->offset = segment->base_offset;
    w->append_us_max = segment->append_us_max_before;
    while (index->count > 0) {
        const log_index_entry *entry = &index->entries[index->count - 1];
        log_batch_header batch;
        if (entry->position < w->size &&
            log_batch_header_read(w->bytes + entry->position, w->size - entry->position,
                                  segment->salt, entry->position, &batch) &&
            batch.base_offset == entry->offset) {
            w->position = entry->position;
            w->offset = entry->offset;
            w->append_us_max = entry->append_us_max_before;
            if (entry->position > w->durable_seen) w->durable_seen = entry->position;
            return;
        }
        if (entry->position >= w->durable_witness) {
            w->durable_witness = entry->position + 1;
            w->durable_offset = 0;
        }
        index->count--;
    }
    index->written = index->count;
}

// At w->position no batch reads well. Finds where to go on, or that this is the end.
static base_rc resolve(walk *w, bool *end, log_open_report *report, base_error *err) {
    base_buf path = {0};
    log_batch_header batch;
    uint64_t at = w->position, next = UINT64_MAX, next_offset = 0;
    bool durable = w->durable_witness > at;
    for (uint64_t q = at + LOG_BATCH_ALIGN;;) {
        q = log_segment_scan(w->bytes, q, w->size, w->segment->salt, w->offset, &batch);
        if (q == UINT64_MAX) break;
        if (next == UINT64_MAX) {
            next = q;
            next_offset = batch.base_offset;
        }
        durable |= batch.durable_position > at;
        if (durable) break;
        q += log_batch_total_bytes(&batch);
    }
    *end = false;
    base_rc rc = BASE_OK;
    const char *name = log_segment_path(w->p, w->segment->base_offset, "seg", &path);
    if (!durable) {
        w->salvage = next;
        *end = true;
    } else {
        say(report, "segment file \"%s\" is damaged at byte %" PRIu64 ", offset %" PRIu64, name, at,
            w->offset);
        if (w->durable_witness > at && (next == UINT64_MAX || next > w->durable_witness)) {
            if (w->durable_offset == 0) {
                rc = base_fail(err, BASE_E_CORRUPT, NULL,
                               "segment file \"%s\" is damaged at byte %" PRIu64
                               " and its end cannot be found",
                               name, at);
                base_error_hint(err, "restore the file from a backup, or move it away to go on "
                                     "without its records");
            }
            next = log_align(w->durable_witness, LOG_BATCH_ALIGN);
            next_offset = w->durable_offset;
        }
        w->position = next;
        if (next_offset > w->offset) w->offset = next_offset;
    }
    base_buf_deinit(&path);
    return rc;
}

static base_rc run_walk(walk *w, log_open_report *report, base_error *err) {
    log_index *index = &w->segment->index;
    uint64_t indexed = index->count == 0 ? 0 : index->entries[index->count - 1].position;
    for (;;) {
        log_batch_header batch;
        uint64_t at = w->position;
        bool well =
            at < w->size &&
            log_batch_header_read(w->bytes + at, w->size - at, w->segment->salt, at, &batch) &&
            batch.base_offset == w->offset;
        // Bodies that are known to have been durable are left to the readers to check.
        if (well && at >= w->durable_witness) {
            well = log_batch_body_valid(&batch, w->bytes + at + sizeof batch);
        }
        if (!well) {
            bool end;
            base_rc rc = resolve(w, &end, report, err);
            if (rc != BASE_OK || end) return rc;
            continue;
        }
        if (at - indexed >= w->p->stream->config.index_bytes) {
            log_index_add(index, w->offset, at, w->append_us_max);
            indexed = at;
        }
        if (batch.append_us > w->append_us_max) w->append_us_max = batch.append_us;
        if (batch.durable_position > w->durable_seen) w->durable_seen = batch.durable_position;
        w->position += log_batch_total_bytes(&batch);
        w->offset += batch.count;
    }
}

// Copies a torn tail that holds whole batches, for an operator to look at. It was never
// acknowledged as far as anything on disk tells, so failing to copy it fails nothing.
static void salvage_tail(const walk *w, uint64_t tail_end, log_open_report *report) {
    base_buf path = {0};
    char suffix[48];
    snprintf(suffix, sizeof suffix, "torn-%" PRIu64, w->position);
    const char *name = log_segment_path(w->p, w->segment->base_offset, suffix, &path);
    base_str bytes = {w->bytes + w->position, tail_end - w->position};
    if (plat_replace_file(w->p->stream->store->plat, name, bytes, NULL) == BASE_OK) {
        say(report, "cut a torn tail of %zu bytes, not known as synced, and kept a copy in \"%s\"",
            bytes.n, name);
    }
    base_buf_deinit(&path);
}

// Makes the end that the walk found the durable one: cuts what lies behind it, leaves
// LOG_SEGMENT_SLACK readable bytes, and writes anew what no witness calls durable. To sync alone
// would not do: where a sync failed before, the page cache shows bytes (or the blanks put over
// them) that count as clean and never reached the disk.
static base_rc settle_tail(walk *w, plat_file *file, const base_buf *tail, uint64_t tail_position,
                           base_error *err) {
    uint64_t size = log_align(w->position + LOG_SEGMENT_SLACK, LOG_SEGMENT_PAGE);
    base_rc rc = BASE_OK;
    if (w->size != size) rc = plat_truncate(file, size, err);
    if (rc == BASE_OK) rc = plat_write_at(file, tail->p, tail->n, tail_position, err);
    if (rc == BASE_OK) rc = plat_sync(file, err);
    w->size = size;
    return rc;
}

// Tells of what lies between the end that the walk found and the last byte that is not zero.
static void report_tail(const walk *w, log_open_report *report) {
    uint64_t tail_end = w->size;
    while (tail_end > w->position && w->bytes[tail_end - 1] == 0) {
        // In large steps first: an allocated but unused end is megabytes of zeros.
        uint64_t step = 64 << 10;
        bool zero =
            tail_end - w->position > step && log_bytes_zero(w->bytes + tail_end - step, step);
        tail_end -= zero ? step : 1;
    }
    if (tail_end == w->position) return;
    if (w->salvage != UINT64_MAX) salvage_tail(w, tail_end, report);
    if (report != NULL) {
        report->torn_bytes += tail_end - w->position;
        report->torn_segments++;
    }
    say(report, "cut a torn tail of %" PRIu64 " bytes, not known as synced, at offset %" PRIu64,
        tail_end - w->position, w->offset);
}

static base_rc walk_file(walk *w, plat_file *file, log_open_report *report, base_error *err) {
    plat *pl = w->p->stream->store->plat;
    base_rc rc = plat_size(file, &w->size, err);
    uint64_t mapped = w->size;
    if (rc == BASE_OK) rc = plat_map(file, mapped, &w->bytes, err);
    if (rc != BASE_OK) return rc;
    begin_walk(w);
    rc = run_walk(w, report, err);
    base_buf tail = {0};
    uint64_t tail_position = w->durable_seen < w->position ? w->durable_seen : w->position;
    if (rc == BASE_OK) {
        report_tail(w, report);
        // Up to the page that the slack ends in, with zeros behind the last batch.
        uint64_t end = log_align(w->position + LOG_SEGMENT_SLACK, LOG_SEGMENT_PAGE);
        base_buf_reserve(&tail, end - tail_position);
        // The end is beyond the file only if damage hides it.
        uint64_t have = w->position < w->size ? w->position : w->size;
        if (have > tail_position)
            base_buf_add(&tail, w->bytes + tail_position, have - tail_position);
        memset(tail.p + tail.n, 0, end - tail_position - tail.n);
        tail.n = end - tail_position;
    }
    pl->ops->unmap(pl, w->bytes, mapped);
    if (rc == BASE_OK) rc = settle_tail(w, file, &tail, tail_position, err);
    base_buf_deinit(&tail);
    return rc;
}

static base_rc recover_last(log_partition *p, log_open_report *report, base_error *err) {
    walk w = {.p = p, .segment = p->segments[p->segment_count - 1], .salvage = UINT64_MAX};
    base_buf path = {0};
    plat_file *file;
    base_rc rc =
        plat_open(p->stream->store->plat, log_segment_path(p, w.segment->base_offset, "seg", &path),
                  PLAT_OPEN_READ | PLAT_OPEN_WRITE, &file, err);
    base_buf_deinit(&path);
    if (rc != BASE_OK) return rc;
    rc = walk_file(&w, file, report, err);
    if (rc != BASE_OK) {
        plat_close(file);
        return rc;
    }
    w.segment->index_loaded = true;
    p->file = file;
    p->allocated = w.size;
    p->end_position = p->written_position = p->durable_position = w.position;
    p->next_offset = w.offset;
    p->append_us_max = w.append_us_max;
    return BASE_OK;
}

base_rc log_partition_recover(log_partition *p, log_open_report *report, base_error *err) {
    plat *pl = p->stream->store->plat;
    base_list list = {0};
    if (report != NULL) *report = (log_open_report){0};
    // First make sure that what is listed is what a power loss would leave: a start that failed
    // half way, or retention, may have removed a file whose name could still come back.
    base_rc rc = pl->ops->sync_dir(pl, p->dir, err);
    if (rc == BASE_OK) rc = pl->ops->list_dir(pl, p->dir, visit_entry, &list, err);
    for (uint32_t i = 0; rc == BASE_OK && i < list.count; i++) {
        rc = load_segment(p, list.bases[i], report, err);
    }
    free(list.bases);
    while (rc == BASE_OK && p->segment_count > 0 && p->segments[p->segment_count - 1]->damaged) {
        rc = drop_unfinished(p, report, err);
    }
    if (rc == BASE_OK && p->segment_count > 0) rc = recover_last(p, report, err);
    if (rc != BASE_OK) return rc;
    if (report != NULL) report->segments = p->segment_count;
    for (uint32_t i = 0; i + 1 < p->segment_count; i++) p->sealed_bytes += p->segments[i]->bytes;
    atomic_store(&p->begin, p->segment_count == 0 ? 0 : p->segments[0]->base_offset);
    atomic_store(&p->durable_end, p->next_offset);
    return BASE_OK;
}
