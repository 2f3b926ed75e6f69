// index.c - the sparse index in memory and as bytes (see index.h).
#include "log/index.h"

#include "base/hash.h"
#include "base/must.h"

#include <stdlib.h>

static const uint8_t index_magic[8] = {'W', 'E', 'I', 'R', 'I', 'D', 'X', '1'};
#define INDEX_VERSION 1u

void log_index_deinit(log_index *index) {
    free(index->entries);
    *index = (log_index){0};
}

void log_index_add(log_index *index, uint64_t offset, uint64_t position,
                   int64_t append_us_max_before) {
    if (index->count == index->cap) {
        index->cap = index->cap == 0 ? 16 : index->cap * 2;
        index->entries = realloc(index->entries, index->cap * sizeof *index->entries);
        must(index->entries != NULL);
    }
    index->entries[index->count++] = (log_index_entry){
        .offset = offset, .position = position, .append_us_max_before = append_us_max_before};
}

void log_index_cut(log_index *index, uint64_t position) {
    while (index->count > 0 && index->entries[index->count - 1].position >= position)
        index->count--;
    if (index->written > index->count) index->written = index->count;
}

const log_index_entry *log_index_find(const log_index *index, uint64_t offset) {
    uint32_t low = 0,
             high = index->count; // entries[low - 1].offset <= offset < entries[high].offset
    while (low < high) {
        uint32_t mid = low + (high - low) / 2;
        if (index->entries[mid].offset <= offset) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return low == 0 ? NULL : &index->entries[low - 1];
}

const log_index_entry *log_index_find_time(const log_index *index, int64_t append_us) {
    uint32_t low = 0, high = index->count;
    while (low < high) {
        uint32_t mid = low + (high - low) / 2;
        if (index->entries[mid].append_us_max_before < append_us) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return low == 0 ? NULL : &index->entries[low - 1];
}

static uint32_t index_header_crc(const log_index_header *header, uint64_t salt) {
    log_index_header copy = *header;
    copy.crc = 0;
    return base_crc32c(base_crc32c(0, &salt, sizeof salt), &copy, sizeof copy);
}

static uint32_t index_entry_crc(const log_index_entry *entry, uint64_t salt) {
    return base_crc32c(base_crc32c(0, &salt, sizeof salt), entry, offsetof(log_index_entry, crc));
}

void log_index_header_make(log_index_header *header, uint64_t salt, uint64_t base_offset,
                           uint64_t durable_position, uint64_t durable_offset) {
    *header = (log_index_header){.version = INDEX_VERSION,
                                 .base_offset = base_offset,
                                 .durable_position = durable_position,
                                 .durable_offset = durable_offset};
    memcpy(header->magic, index_magic, sizeof index_magic);
    header->crc = index_header_crc(header, salt);
}

void log_index_encode(const log_index *index, uint32_t from, uint32_t to, uint64_t salt,
                      base_buf *out) {
    for (uint32_t i = from; i < to; i++) {
        log_index_entry entry = index->entries[i];
        entry.crc = index_entry_crc(&entry, salt);
        base_buf_add(out, &entry, sizeof entry);
    }
}

bool log_index_decode(base_str bytes, uint64_t salt, uint64_t base_offset, log_index_header *header,
                      log_index *index) {
    *header = (log_index_header){0};
    if (bytes.n < sizeof *header) return false;
    memcpy(header, bytes.p, sizeof *header);
    bool well = memcmp(header->magic, index_magic, sizeof index_magic) == 0 &&
                header->version == INDEX_VERSION && header->base_offset == base_offset &&
                header->crc == index_header_crc(header, salt);
    if (!well) *header = (log_index_header){0};
    for (size_t at = sizeof *header; at + sizeof(log_index_entry) <= bytes.n;
         at += sizeof(log_index_entry)) {
        log_index_entry entry;
        memcpy(&entry, bytes.p + at, sizeof entry);
        if (entry.crc != index_entry_crc(&entry, salt) || entry.offset < base_offset) break;
        const log_index_entry *last = index->count > 0 ? &index->entries[index->count - 1] : NULL;
        if (last != NULL && (entry.offset <= last->offset || entry.position <= last->position))
            break;
        log_index_add(index, entry.offset, entry.position, entry.append_us_max_before);
    }
    index->written = index->count;
    return well;
}
