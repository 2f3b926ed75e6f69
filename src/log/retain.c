// retain.c - deleting whole segments that retention no longer asks for, oldest first.
//
// Invariant: the retained segments are without a gap, also after a power loss: a removal is made
// durable before the next one. A reader that is inside a deleted segment keeps its mapping.
// Entry point: log_retain().
#include "log/log_int.h"

#include "base/must.h"

static base_rc sync_removals(log_partition *p, base_error *err) {
    plat *pl = p->stream->store->plat;
    if (!p->dir_dirty) return BASE_OK;
    base_rc rc = pl->ops->sync_dir(pl, p->dir, err);
    if (rc == BASE_OK) p->dir_dirty = false;
    return rc;
}

// Removes the first segment: the index first, since it is of no use alone.
static base_rc delete_first(log_partition *p, base_error *err) {
    plat *pl = p->stream->store->plat;
    must(p->segment_count > 1);
    log_segment *segment = p->segments[0];
    base_buf path = {0};
    base_rc rc = pl->ops->remove(pl, log_segment_path(p, segment->base_offset, "idx", &path), err);
    if (rc == BASE_E_NOT_FOUND) rc = BASE_OK;
    if (rc == BASE_OK) {
        rc = pl->ops->remove(pl, log_segment_path(p, segment->base_offset, "seg", &path), err);
    }
    base_buf_deinit(&path);
    if (rc != BASE_OK) return rc;
    p->dir_dirty = true;
    p->sealed_bytes -= segment->bytes;
    p->segment_count--;
    memmove(p->segments, p->segments + 1, p->segment_count * sizeof *p->segments);
    atomic_store_explicit(&p->begin, p->segments[0]->base_offset, memory_order_release);
    log_segment_destroy(segment);
    return sync_removals(p, err);
}

// True if the first segment has outlived what the stream keeps. The next segment's header says how
// late the last append to this one was.
static bool first_expired(const log_partition *p, int64_t now_us) {
    const log_stream_config *config = &p->stream->config;
    const log_segment *first = p->segments[0], *next = p->segments[1];
    if (config->retention_us > 0 && !next->damaged && now_us >= INT64_MIN + config->retention_us &&
        next->append_us_max_before < now_us - config->retention_us) {
        return true;
    }
    uint64_t left = p->sealed_bytes + p->end_position - first->bytes;
    return config->retention_bytes > 0 && left >= config->retention_bytes;
}

// A stream that has gone quiet would keep its last segment for ever: if all of it is too old and
// nobody needs it, a new one is begun so that it can go.
static bool last_expired(const log_partition *p, int64_t now_us, uint64_t keep_from) {
    int64_t retention_us = p->stream->config.retention_us;
    return retention_us > 0 && p->segment_count > 0 && !p->failed && !p->busy &&
           p->end_position > sizeof(log_segment_header) && p->pending.n == 0 &&
           p->durable_position == p->end_position && p->next_offset <= keep_from &&
           now_us >= INT64_MIN + retention_us && p->append_us_max < now_us - retention_us;
}

base_rc log_retain(log_stream *stream, uint32_t partition, int64_t now_us, uint64_t keep_from,
                   uint32_t *segments_deleted, base_error *err) {
    log_partition *p = log_stream_partition(stream, partition);
    uint32_t deleted = 0;
    plat_mutex_lock(&p->mutex);
    base_rc rc = sync_removals(p, err);
    for (int pass = 0; rc == BASE_OK && pass < 2; pass++) {
        while (rc == BASE_OK && p->segment_count > 1 && p->segments[1]->base_offset <= keep_from &&
               first_expired(p, now_us)) {
            rc = delete_first(p, err);
            deleted += rc == BASE_OK;
        }
        if (rc != BASE_OK || pass > 0 || !last_expired(p, now_us, keep_from)) break;
        rc = log_partition_roll(p, err);
    }
    plat_mutex_unlock(&p->mutex);
    if (segments_deleted != NULL) *segments_deleted = deleted;
    return rc;
}
