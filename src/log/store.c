// store.c - a directory of streams: create, open, close, drop.
//
// DIR/<stream>/stream.json says that the stream exists and how many partitions it has; it is
// written last at creation and removed first at drop, so a directory without it is a leftover.
// Entry points: log_store_open(), log_stream_create(), log_stream_open().
#include "log/log_int.h"

#include "base/hash.h"
#include "base/must.h"

#include <inttypes.h>
#include <stdlib.h>

#define SEGMENT_BYTES_DEFAULT (64ull << 20)
#define SEGMENT_BYTES_MIN     4096ull
#define SEGMENT_BYTES_MAX     (1ull << 40)
#define INDEX_BYTES_DEFAULT   (64u << 10)
#define DIR_NAME_BYTES_MAX    240 // most file systems take 255
#define STREAM_JSON_BYTES_MAX 4096

// Makes the directory with its parents, each name durable in the directory above it: a log must not
// vanish in a power loss because the directory it was put into did.
static base_rc make_store_dir(plat *pl, const char *dir, base_error *err) {
    base_buf path = {0};
    base_rc rc = BASE_OK;
    size_t n = strlen(dir), made_from = n; // names that end behind made_from are new
    for (size_t end = 1; rc == BASE_OK && end <= n && made_from == n; end++) {
        if (end < n && dir[end] != '/') continue;
        bool exists, is_dir;
        base_buf_clear(&path);
        base_buf_add(&path, dir, end);
        rc = pl->ops->exists(pl, base_buf_cstr(&path), &exists, &is_dir, err);
        if (rc == BASE_OK && !exists) made_from = end - 1;
    }
    if (rc == BASE_OK) rc = pl->ops->make_dir(pl, dir, err);
    for (size_t end = n; rc == BASE_OK && end > 0; end--) {
        if (end < n && dir[end] != '/') continue;
        size_t parent = end;
        while (parent > 0 && dir[parent - 1] != '/') parent--;
        base_buf_clear(&path);
        base_buf_add(&path, dir, parent);
        if (parent == 0) base_buf_add_cstr(&path, ".");
        // Those that were there before are synced as well as we are allowed to: a start that was
        // cut short may have made them.
        base_rc synced = pl->ops->sync_dir(pl, base_buf_cstr(&path), end > made_from ? err : NULL);
        if (end > made_from) rc = synced;
    }
    base_buf_deinit(&path);
    return rc;
}

base_rc log_store_open(plat *pl, const char *dir, log_store **out, base_error *err) {
    base_rc rc = make_store_dir(pl, dir, err);
    if (rc != BASE_OK) return rc;
    log_store *store = calloc(1, sizeof *store);
    must(store != NULL);
    store->plat = pl;
    store->dir = strdup(dir);
    must(store->dir != NULL);
    store->streams = base_map_create();
    plat_mutex_init(&store->mutex);
    *out = store;
    return BASE_OK;
}

static void stream_destroy(log_stream *stream) {
    if (stream->partitions != NULL) {
        for (uint32_t i = 0; i < stream->config.partitions; i++) {
            log_partition_deinit(&stream->partitions[i]);
        }
    }
    free(stream->partitions);
    free(stream->name);
    free(stream->dir);
    free(stream);
}

void log_store_close(log_store *store) {
    if (store == NULL) return;
    base_str name;
    void *value;
    for (size_t i = 0; base_map_at(store->streams, &i, &name, &value);) stream_destroy(value);
    base_map_destroy(store->streams);
    plat_mutex_deinit(&store->mutex);
    free(store->dir);
    free(store);
}

void log_store_on_durable(log_store *store,
                          void (*notify)(void *arg, log_stream *stream, uint32_t partition),
                          void *arg) {
    store->notify = notify;
    store->notify_arg = arg;
}

bool log_stream_dir_name(base_str name, base_buf *buf) {
    size_t start = buf->n;
    for (size_t i = 0; i < name.n; i++) {
        unsigned char c = (unsigned char)name.p[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                     c == '_' || c == '-' || (c == '.' && i > 0);
        if (plain) {
            base_buf_add_byte(buf, c);
        } else {
            base_buf_printf(buf, "%%%02x", c);
        }
    }
    return name.n > 0 && buf->n - start <= DIR_NAME_BYTES_MAX;
}

// The directory of a stream, on the heap; NULL (and err) if the name will not do.
static char *stream_dir(const log_store *store, base_str name, base_error *err) {
    base_buf buf = {0};
    base_buf_printf(&buf, "%s/", store->dir);
    char *dir = NULL;
    if (log_stream_dir_name(name, &buf)) {
        dir = strdup(base_buf_cstr(&buf));
        must(dir != NULL);
    } else {
        base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_INVALID_PARAMETER,
                  "a stream's name must have 1 to %d bytes", DIR_NAME_BYTES_MAX);
    }
    base_buf_deinit(&buf);
    return dir;
}

static base_rc take_config(log_stream_config *to, const log_stream_config *from, base_error *err) {
    if (from != NULL) *to = *from;
    if (to->segment_bytes == 0) to->segment_bytes = SEGMENT_BYTES_DEFAULT;
    if (to->index_bytes == 0) to->index_bytes = INDEX_BYTES_DEFAULT;
    if (to->partitions > LOG_PARTITIONS_MAX) {
        return base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_INVALID_PARAMETER,
                         "%" PRIu32 " partitions are more than %d", to->partitions,
                         LOG_PARTITIONS_MAX);
    }
    if (to->segment_bytes < SEGMENT_BYTES_MIN || to->segment_bytes > SEGMENT_BYTES_MAX) {
        return base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_INVALID_PARAMETER,
                         "segment size %" PRIu64 " is not between %llu and %llu bytes",
                         to->segment_bytes, SEGMENT_BYTES_MIN, SEGMENT_BYTES_MAX);
    }
    if ((unsigned)to->codec > LOG_CODEC_ZSTD || to->retention_us < 0) {
        return base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_INVALID_PARAMETER,
                         "unknown codec or negative retention");
    }
    return BASE_OK;
}

// ---- stream.json ----

#define CHECK_KEY ",\"check\":\""

static void stream_json_write(base_buf *buf, base_str name, uint32_t partitions,
                              int64_t created_us) {
    base_buf_printf(
        buf, "{\"weir_stream\":1,\"partitions\":%" PRIu32 ",\"created_us\":%" PRId64 ",\"name\":",
        partitions, created_us);
    base_buf_add_json_string(buf, name);
    uint64_t check = base_hash64(buf->p, buf->n);
    base_buf_printf(buf, CHECK_KEY "%016" PRIx64 "\"}\n", check);
}

// Our own text only, so its fixed beginning is all there is to parse once the check has passed.
static bool stream_json_read(base_str text, uint32_t *partitions) {
    static const char begin[] = "{\"weir_stream\":1,\"partitions\":";
    const size_t tail = sizeof CHECK_KEY - 1 + 16 + 3;
    if (text.n < sizeof begin + tail || memcmp(text.p, begin, sizeof begin - 1) != 0) return false;
    size_t body = text.n - tail;
    base_buf expected = {0};
    base_buf_printf(&expected, CHECK_KEY "%016" PRIx64 "\"}\n", base_hash64(text.p, body));
    bool well = expected.n == tail && memcmp(expected.p, text.p + body, tail) == 0;
    base_buf_deinit(&expected);
    uint32_t n = 0;
    for (size_t i = sizeof begin - 1; i < body && text.p[i] >= '0' && text.p[i] <= '9'; i++) {
        n = n * 10 + (uint32_t)(text.p[i] - '0');
        if (n > LOG_PARTITIONS_MAX) return false;
    }
    *partitions = n;
    return well && n > 0;
}

static base_rc load_stream_json(log_store *store, const char *dir, uint32_t *partitions,
                                base_error *err) {
    base_buf path = {0}, text = {0};
    base_buf_printf(&path, "%s/stream.json", dir);
    base_rc rc =
        plat_read_file(store->plat, base_buf_cstr(&path), STREAM_JSON_BYTES_MAX, &text, err);
    if (rc == BASE_OK && !stream_json_read(base_buf_str(&text), partitions)) {
        rc = base_fail(err, BASE_E_CORRUPT, NULL, "\"%s\" is damaged: its checksum does not match",
                       base_buf_cstr(&path));
        base_error_hint(err, "restore the file from a backup");
    }
    base_buf_deinit(&text);
    base_buf_deinit(&path);
    return rc;
}

// ---- create, open, drop ----

static base_rc stream_exists(log_store *store, const char *dir, bool *exists, base_error *err) {
    base_buf path = {0};
    bool is_dir;
    base_buf_printf(&path, "%s/stream.json", dir);
    base_rc rc = store->plat->ops->exists(store->plat, base_buf_cstr(&path), exists, &is_dir, err);
    base_buf_deinit(&path);
    return rc;
}

base_rc log_stream_exists(log_store *store, base_str name, bool *exists, base_error *err) {
    char *dir = stream_dir(store, name, err);
    if (dir == NULL) return BASE_E_INVALID;
    base_rc rc = stream_exists(store, dir, exists, err);
    free(dir);
    return rc;
}

// Makes the stream's directories durable; stream.json comes last.
static base_rc make_dirs(log_store *store, const char *dir, uint32_t partitions, base_error *err) {
    plat *pl = store->plat;
    base_buf path = {0};
    bool leftover, is_dir;
    base_rc rc = pl->ops->exists(pl, dir, &leftover, &is_dir, err);
    if (rc == BASE_OK && leftover) rc = plat_remove_tree(pl, dir, err);
    if (rc == BASE_OK) rc = pl->ops->make_dir(pl, dir, err);
    for (uint32_t i = 0; rc == BASE_OK && i < partitions; i++) {
        base_buf_clear(&path);
        base_buf_printf(&path, "%s/%" PRIu32, dir, i);
        rc = pl->ops->make_dir(pl, base_buf_cstr(&path), err);
    }
    if (rc == BASE_OK) rc = pl->ops->sync_dir(pl, dir, err);
    if (rc == BASE_OK) rc = pl->ops->sync_dir(pl, store->dir, err);
    base_buf_deinit(&path);
    return rc;
}

// Opens the partitions of a stream that is there. Takes dir.
static base_rc open_at(log_store *store, base_str name, char *dir, uint32_t partitions,
                       const log_stream_config *config, log_open_report *reports, log_stream **out,
                       base_error *err) {
    log_stream *stream = calloc(1, sizeof *stream);
    must(stream != NULL);
    stream->store = store;
    stream->dir = dir;
    stream->name = strndup(name.p, name.n);
    must(stream->name != NULL);
    base_rc rc = take_config(&stream->config, config, err);
    if (rc == BASE_OK && stream->config.partitions != 0 &&
        stream->config.partitions != partitions) {
        rc = base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_INVALID_PARAMETER,
                       "stream \"%s\" has %" PRIu32 " partitions, not %" PRIu32, stream->name,
                       partitions, stream->config.partitions);
    }
    stream->config.partitions = partitions;
    if (rc == BASE_OK) {
        stream->partitions = calloc(partitions, sizeof *stream->partitions);
        must(stream->partitions != NULL);
        for (uint32_t i = 0; i < partitions; i++)
            log_partition_init(&stream->partitions[i], stream, i);
    }
    for (uint32_t i = 0; rc == BASE_OK && i < partitions; i++) {
        rc = log_partition_recover(&stream->partitions[i], reports == NULL ? NULL : &reports[i],
                                   err);
    }
    if (rc != BASE_OK) {
        stream_destroy(stream);
        return rc;
    }
    base_map_put(store->streams, name, stream);
    *out = stream;
    return BASE_OK;
}

base_rc log_stream_create(log_store *store, base_str name, const log_stream_config *config,
                          log_stream **out, base_error *err) {
    log_stream_config checked = {0};
    base_rc rc = take_config(&checked, config, err);
    if (rc == BASE_OK && checked.partitions == 0) {
        rc = base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_INVALID_PARAMETER,
                       "a stream needs at least one partition");
    }
    char *dir = rc == BASE_OK ? stream_dir(store, name, err) : NULL;
    if (dir == NULL) return rc == BASE_OK ? BASE_E_INVALID : rc;

    plat_mutex_lock(&store->mutex);
    bool exists = false;
    rc = stream_exists(store, dir, &exists, err);
    if (rc == BASE_OK && exists) {
        rc = base_fail(err, BASE_E_EXISTS, NULL, "stream \"%.*s\" already exists in the log",
                       BASE_STR_ARG(name));
    }
    if (rc == BASE_OK) rc = make_dirs(store, dir, checked.partitions, err);
    if (rc == BASE_OK) {
        base_buf path = {0}, text = {0};
        base_buf_printf(&path, "%s/stream.json", dir);
        stream_json_write(&text, name, checked.partitions, plat_wall_us(store->plat));
        rc = plat_replace_file(store->plat, base_buf_cstr(&path), base_buf_str(&text), err);
        base_buf_deinit(&text);
        base_buf_deinit(&path);
    }
    if (rc == BASE_OK) {
        rc = open_at(store, name, dir, checked.partitions, &checked, NULL, out, err);
    } else {
        free(dir);
    }
    plat_mutex_unlock(&store->mutex);
    return rc;
}

base_rc log_stream_open(log_store *store, base_str name, const log_stream_config *config,
                        log_open_report *reports, log_stream **out, base_error *err) {
    char *dir = stream_dir(store, name, err);
    if (dir == NULL) return BASE_E_INVALID;
    plat_mutex_lock(&store->mutex);
    log_stream *stream = base_map_get(store->streams, name);
    base_rc rc = BASE_OK;
    if (stream != NULL) {
        log_stream_config next = stream->config;
        rc = take_config(&next, config, err);
        if (rc == BASE_OK && next.partitions != 0 && next.partitions != stream->config.partitions) {
            rc = base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_INVALID_PARAMETER,
                           "stream \"%s\" has %" PRIu32 " partitions, not %" PRIu32, stream->name,
                           stream->config.partitions, next.partitions);
        }
        if (rc == BASE_OK) {
            next.partitions = stream->config.partitions;
            stream->config = next;
            if (reports != NULL) memset(reports, 0, next.partitions * sizeof *reports);
            *out = stream;
        }
        free(dir);
    } else {
        uint32_t partitions = 0;
        rc = load_stream_json(store, dir, &partitions, err);
        if (rc == BASE_E_NOT_FOUND) {
            rc = base_fail(err, BASE_E_NOT_FOUND, NULL, "stream \"%.*s\" is not in the log",
                           BASE_STR_ARG(name));
        }
        // Its creation may have failed at the last step, before the names were durable.
        if (rc == BASE_OK) rc = store->plat->ops->sync_dir(store->plat, dir, err);
        if (rc == BASE_OK) rc = store->plat->ops->sync_dir(store->plat, store->dir, err);
        if (rc == BASE_OK) {
            rc = open_at(store, name, dir, partitions, config, reports, out, err);
        } else {
            free(dir);
        }
    }
    plat_mutex_unlock(&store->mutex);
    return rc;
}

base_rc log_stream_drop(log_store *store, base_str name, base_error *err) {
    char *dir = stream_dir(store, name, err);
    if (dir == NULL) return BASE_E_INVALID;
    plat *pl = store->plat;
    base_buf path = {0};
    base_buf_printf(&path, "%s/stream.json", dir);
    plat_mutex_lock(&store->mutex);
    bool exists = false;
    base_rc rc = stream_exists(store, dir, &exists, err);
    if (rc == BASE_OK && !exists) {
        rc = base_fail(err, BASE_E_NOT_FOUND, NULL, "stream \"%.*s\" is not in the log",
                       BASE_STR_ARG(name));
    }
    if (rc == BASE_OK) rc = pl->ops->remove(pl, base_buf_cstr(&path), err);
    if (rc == BASE_OK) {
        // From here on the stream is gone for this process, whatever else fails.
        log_stream *stream = base_map_remove(store->streams, name);
        if (stream != NULL) stream_destroy(stream);
        rc = pl->ops->sync_dir(pl, dir, err);
        if (rc == BASE_OK) rc = plat_remove_tree(pl, dir, err);
        if (rc == BASE_OK) rc = pl->ops->sync_dir(pl, store->dir, err);
    }
    plat_mutex_unlock(&store->mutex);
    base_buf_deinit(&path);
    free(dir);
    return rc;
}

uint32_t log_stream_partitions(const log_stream *stream) {
    return stream->config.partitions;
}

base_str log_stream_name(const log_stream *stream) {
    return base_str_of(stream->name);
}
