// dump.c - `weir log dump`: walks segment files with plain reads (no mapping, since a server may
// cut a file's unused end at any moment) and prints batches and records. Entry point: log_dump().
#include "log/dump.h"

#include "base/calendar.h"
#include "base/must.h"
#include "log/log_int.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define PIECE_BYTES (64u << 10)
#define SCAN_BYTES  (1u << 20)

typedef struct dump {
    plat *plat;
    const log_dump_options *options;
    base_rc (*emit)(void *arg, base_str piece, base_error *err);
    void *arg;
    base_error *err;
    log_dump_stats stats;
    base_buf out, stored, plain;
    void *zstd;
    // Where the dump is.
    uint64_t partition;
    const char *path;
    plat_file *file;
    uint64_t size, salt;
} dump;

static base_rc flush_out(dump *d, size_t least) {
    if (d->out.n <= least) return BASE_OK;
    base_rc rc = d->emit(d->arg, base_buf_str(&d->out), d->err);
    base_buf_clear(&d->out);
    return rc;
}

static void print_time(base_buf *out, int64_t us) {
    char text[BASE_TIME_TEXT_MAX];
    int n = base_rfc3339_format(us, text);
    base_buf_add(out, text, (size_t)n);
}

static const char *codec_name(uint8_t codec) {
    static const char *const names[] = {"none", "lz4", "zstd"};
    return names[codec];
}

static void print_batch(dump *d, const log_batch_header *h, uint64_t position) {
    base_buf *out = &d->out;
    base_buf_printf(out,
                    "# partition %" PRIu64 " offsets %" PRIu64 "..%" PRIu64 " at byte %" PRIu64
                    " of %s: %" PRIu32 " records, %" PRIu32 " bytes, stored %" PRIu32
                    " (%s), contract %" PRIu32 ", appended ",
                    d->partition, h->base_offset, h->base_offset + h->count - 1, position, d->path,
                    h->count, h->payload_bytes, h->stored_bytes, codec_name(h->codec),
                    h->contract_version);
    print_time(out, h->append_us);
    if (h->event_us_min != INT64_MIN) {
        base_buf_add_cstr(out, ", events ");
        print_time(out, h->event_us_min);
        base_buf_add_cstr(out, " to ");
        print_time(out, h->event_us_max);
    }
    base_buf_add_byte(out, '\n');
}

// Bytes as a JSON string; what is not UTF-8 as hexadecimal, under a name that says so.
static void print_json_bytes(base_buf *out, char lead, const char *name, base_str bytes) {
    if (base_utf8_valid_prefix(bytes) == bytes.n) {
        base_buf_printf(out, "%c\"%s\":", lead, name);
        base_buf_add_json_string(out, bytes);
        return;
    }
    base_buf_printf(out, "%c\"%s_hex\":\"", lead, name);
    for (size_t i = 0; i < bytes.n; i++) base_buf_printf(out, "%02x", (unsigned char)bytes.p[i]);
    base_buf_add_byte(out, '"');
}

static void print_json(dump *d, const log_batch *batch, uint32_t i) {
    base_buf *out = &d->out;
    base_buf_printf(out, "{\"partition\":%" PRIu64 ",\"offset\":%" PRIu64 ",\"append_time\":\"",
                    d->partition, batch->base_offset + i);
    print_time(out, batch->info.append_us);
    base_buf_printf(out, "\",\"contract_version\":%" PRIu32, batch->info.contract_version);
    base_str headers = log_batch_headers(batch, i), name, value;
    if (headers.n > 0) {
        base_buf_add_cstr(out, ",\"headers\":[");
        bool first = true;
        for (size_t at = 0; log_headers_next(headers, &at, &name, &value); first = false) {
            if (!first) base_buf_add_byte(out, ',');
            print_json_bytes(out, '{', "name", name);
            print_json_bytes(out, ',', "value", value);
            base_buf_add_byte(out, '}');
        }
        base_buf_add_byte(out, ']');
    }
    print_json_bytes(out, ',', "payload", log_batch_record(batch, i));
    base_buf_add_cstr(out, "}\n");
}

static base_rc print_records(dump *d, const log_batch *batch) {
    base_rc rc = BASE_OK;
    for (uint32_t i = 0; rc == BASE_OK && i < batch->count; i++) {
        uint64_t offset = batch->base_offset + i;
        if (offset < d->options->from || offset >= d->options->to) continue;
        base_str payload = log_batch_record(batch, i);
        d->stats.records++;
        d->stats.payload_bytes += payload.n;
        if (d->options->format == LOG_DUMP_JSON) {
            print_json(d, batch, i);
        } else if (d->options->format != LOG_DUMP_BATCH) {
            if (d->options->format == LOG_DUMP_TEXT)
                base_buf_printf(&d->out, "%" PRIu64 "\t", offset);
            base_buf_add_str(&d->out, payload);
            base_buf_add_byte(&d->out, '\n');
        }
        rc = flush_out(d, PIECE_BYTES);
    }
    return rc;
}

static base_rc print_damage(dump *d, uint64_t position, const char *what) {
    d->stats.damaged++;
    if (d->options->format == LOG_DUMP_RAW) return BASE_OK;
    if (d->options->format == LOG_DUMP_JSON) {
        base_buf_printf(&d->out, "{\"partition\":%" PRIu64 ",\"damage\":", d->partition);
        base_buf_add_json_string(&d->out, base_str_of(what));
        base_buf_add_cstr(&d->out, ",\"file\":");
        base_buf_add_json_string(&d->out, base_str_of(d->path));
        base_buf_printf(&d->out, ",\"byte\":%" PRIu64 "}\n", position);
    } else {
        base_buf_printf(&d->out, "# DAMAGE at byte %" PRIu64 " of %s: %s\n", position, d->path,
                        what);
    }
    return flush_out(d, PIECE_BYTES);
}

// Reads exactly n bytes into buf; a file that ends before is *whole = false.
static base_rc read_into(dump *d, base_buf *buf, uint64_t position, size_t n, bool *whole) {
    base_buf_clear(buf);
    base_buf_reserve(buf, n + LOG_READ_PADDING);
    size_t got = 0;
    base_rc rc = plat_read_at(d->file, buf->p, n, position, &got, d->err);
    buf->n = got;
    *whole = rc == BASE_OK && got == n;
    return rc;
}

static base_rc dump_body(dump *d, const log_batch_header *h, uint64_t position) {
    bool whole;
    base_rc rc = read_into(d, &d->stored, position + sizeof *h, h->stored_bytes, &whole);
    if (rc != BASE_OK) return rc;
    if (!whole) return print_damage(d, position, "the file ends inside a batch");
    if (!log_batch_body_valid(h, d->stored.p)) {
        return print_damage(d, position, "the checksum of a batch does not match");
    }
    const char *plain = d->stored.p;
    if (h->codec != LOG_CODEC_NONE) {
        base_buf_clear(&d->plain);
        base_buf_reserve(&d->plain, log_batch_plain_bytes(h) + LOG_READ_PADDING);
        if (!log_batch_decompress(h, d->stored.p, d->plain.p, &d->zstd)) {
            return print_damage(d, position, "a batch does not decompress");
        }
        plain = d->plain.p;
    }
    log_batch batch;
    if (!log_batch_view(h, plain, &batch)) {
        return print_damage(d, position, "the record ends of a batch are not in order");
    }
    return print_records(d, &batch);
}

static base_rc read_header(dump *d, uint64_t position, log_batch_header *h, bool *well) {
    size_t got = 0;
    char bytes[sizeof *h];
    *well = false;
    if (position >= d->size) return BASE_OK;
    base_rc rc = plat_read_at(d->file, bytes, sizeof bytes, position, &got, d->err);
    if (rc == BASE_OK && got == sizeof bytes) {
        *well = log_batch_header_read(bytes, d->size - position, d->salt, position, h);
    }
    return rc;
}

// Looks for the next batch behind a place where there is none. *found is UINT64_MAX if only the end
// follows; *empty tells that all of it is zero.
static base_rc resync(dump *d, uint64_t from, uint64_t *found, bool *empty) {
    *found = UINT64_MAX;
    *empty = true;
    base_rc rc = BASE_OK;
    for (uint64_t at = from; rc == BASE_OK && at < d->size; at += SCAN_BYTES) {
        bool whole;
        rc = read_into(d, &d->stored, at, SCAN_BYTES, &whole);
        if (rc != BASE_OK) return rc;
        if (log_bytes_zero(d->stored.p, d->stored.n)) continue;
        *empty = false;
        for (size_t i = 0; i + 4 <= d->stored.n; i += LOG_BATCH_ALIGN) {
            uint32_t magic;
            memcpy(&magic, d->stored.p + i, sizeof magic);
            if (magic != LOG_BATCH_MAGIC || at + i == from) continue;
            log_batch_header h;
            bool well;
            rc = read_header(d, at + i, &h, &well);
            if (rc != BASE_OK) return rc;
            if (well) {
                *found = at + i;
                return BASE_OK;
            }
        }
    }
    return rc;
}

static base_rc dump_batches(dump *d) {
    const log_dump_options *o = d->options;
    uint64_t position = sizeof(log_segment_header);
    base_rc rc = BASE_OK;
    while (rc == BASE_OK) {
        log_batch_header h;
        bool well;
        rc = read_header(d, position, &h, &well);
        if (rc != BASE_OK) break;
        if (!well) {
            uint64_t found;
            bool empty;
            rc = resync(d, position, &found, &empty);
            if (rc != BASE_OK || empty) break;
            rc = print_damage(d, position,
                              found == UINT64_MAX ? "bytes that are no batch, to the end"
                                                  : "no valid batch header");
            if (found == UINT64_MAX) break;
            position = found;
            continue;
        }
        if (h.base_offset >= o->to) break;
        bool wanted = h.base_offset + h.count > o->from;
        if (wanted) {
            d->stats.batches++;
            if (o->format == LOG_DUMP_TEXT || o->format == LOG_DUMP_BATCH)
                print_batch(d, &h, position);
            if (o->format != LOG_DUMP_BATCH || o->verify) {
                rc = dump_body(d, &h, position);
            } else { // counted from the header alone
                uint64_t first = h.base_offset > o->from ? h.base_offset : o->from;
                uint64_t end = h.base_offset + h.count < o->to ? h.base_offset + h.count : o->to;
                d->stats.records += end - first;
                d->stats.payload_bytes += h.payload_bytes - (h.count - 1); // separators
            }
            if (rc == BASE_OK) rc = flush_out(d, PIECE_BYTES);
        }
        position += log_batch_total_bytes(&h);
    }
    return rc;
}

static base_rc dump_segment(dump *d) {
    base_rc rc = plat_open(d->plat, d->path, PLAT_OPEN_READ, &d->file, d->err);
    if (rc != BASE_OK) return rc;
    log_segment_header header = {0};
    size_t got = 0;
    rc = plat_size(d->file, &d->size, d->err);
    if (rc == BASE_OK) rc = plat_read_at(d->file, &header, sizeof header, 0, &got, d->err);
    if (rc == BASE_OK) {
        d->stats.segments++;
        d->salt = header.salt;
        bool well = got == sizeof header && log_segment_header_valid(&header);
        rc = well ? dump_batches(d) : print_damage(d, 0, "the header of the segment is not valid");
    }
    plat_close(d->file);
    return rc;
}

typedef struct names {
    char **at;
    size_t count, cap;
} names;

static base_rc visit_segment(void *arg, const plat_dir_entry *entry) {
    names *list = arg;
    size_t n = strlen(entry->name);
    if (entry->is_dir || n != 24 || strcmp(entry->name + 20, ".seg") != 0) return BASE_OK;
    if (list->count == list->cap) {
        list->cap = list->cap == 0 ? 16 : list->cap * 2;
        list->at = realloc(list->at, list->cap * sizeof *list->at);
        must(list->at != NULL);
    }
    list->at[list->count] = strdup(entry->name);
    must(list->at[list->count] != NULL);
    list->count++;
    return BASE_OK;
}

static base_rc dump_partition(dump *d, const char *dir) {
    names list = {0};
    base_buf path = {0};
    base_rc rc = d->plat->ops->list_dir(d->plat, dir, visit_segment, &list, d->err);
    for (size_t i = 0; i < list.count; i++) {
        uint64_t next = i + 1 < list.count ? strtoull(list.at[i + 1], NULL, 10) : UINT64_MAX;
        uint64_t base = strtoull(list.at[i], NULL, 10);
        if (rc == BASE_OK && next > d->options->from && base < d->options->to) {
            base_buf_clear(&path);
            base_buf_printf(&path, "%s/%s", dir, list.at[i]);
            d->path = base_buf_cstr(&path);
            rc = dump_segment(d);
            if (rc == BASE_E_NOT_FOUND) rc = BASE_OK; // retention was quicker
        }
    }
    for (size_t i = 0; i < list.count; i++) free(list.at[i]);
    free(list.at);
    base_buf_deinit(&path);
    return rc;
}

base_rc log_dump(plat *pl, const char *dir, const log_dump_options *options,
                 base_rc (*emit)(void *arg, base_str piece, base_error *err), void *arg,
                 log_dump_stats *stats, base_error *err) {
    dump d = {.plat = pl, .options = options, .emit = emit, .arg = arg, .err = err};
    base_buf path = {0};
    base_buf_printf(&path, "%s/", dir);
    base_rc rc = BASE_OK;
    bool exists = false, is_dir = false;
    if (!log_stream_dir_name(options->stream, &path)) {
        rc = base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_INVALID_PARAMETER,
                       "a stream must be named");
    }
    size_t stem = path.n;
    uint64_t first = options->partition < 0 ? 0 : (uint64_t)options->partition;
    for (uint64_t i = first; rc == BASE_OK && i < LOG_PARTITIONS_MAX; i++) {
        path.n = stem;
        base_buf_printf(&path, "/%" PRIu64, i);
        rc = pl->ops->exists(pl, base_buf_cstr(&path), &exists, &is_dir, err);
        if (rc == BASE_OK && (!exists || !is_dir)) {
            if (i != first) break; // all are done
            rc = base_fail(err, BASE_E_NOT_FOUND, NULL,
                           "stream \"%.*s\" has no partition %" PRIu64 " in \"%s\"",
                           BASE_STR_ARG(options->stream), i, dir);
        }
        d.partition = i;
        if (rc == BASE_OK) rc = dump_partition(&d, base_buf_cstr(&path));
        if (options->partition >= 0) break;
    }
    if (rc == BASE_OK) rc = flush_out(&d, 0);
    if (stats != NULL) *stats = d.stats;
    base_buf_deinit(&path);
    base_buf_deinit(&d.out);
    base_buf_deinit(&d.stored);
    base_buf_deinit(&d.plain);
    log_decompress_deinit(&d.zstd);
    return rc;
}
