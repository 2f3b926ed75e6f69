// file.c - the connector 'file': a JSON line a change, appended, synced, then acknowledged.
//
// Exactly once. Lines of steps up to the sink's cursor are durable, for they were synced before the
// cursor moved. What stands behind them after a crash is lines of later steps, whole or damaged: it
// is cut off and written again from the change log, which gives the same bytes. A line is known as
// this sink's by its id, which begins with the sink's token and its step.
//
// Invariants: nothing is cut but lines of this sink that are behind the cursor, and damage (a line
// with NUL bytes, or one that ends in the middle of what this sink writes); another line, whole, is
// a user's, and the search ends there. The file is opened for each batch, so that it may be renamed
// away (rotated) at any time.
// Entry points: connect_file_deliver, connect_append.

#include <string.h>

#include "base/must.h"
#include "connect/connect_int.h"

#define WINDOW_FIRST (1u << 20)
#define WINDOW_MAX   (1u << 30)

// ---- recognising
// -----------------------------------------------------------------------------------------

typedef enum verdict { LINE_KEEP, LINE_CUT } verdict;

// Step of a line of this sink; false: it is none.
static bool own_step(const connect_sink *sink, base_str line, uint64_t *step) {
    base_buf prefix = {0};
    base_buf_printf(&prefix, "{\"id\":\"%s-", sink->token);
    size_t at = prefix.n;
    bool own = base_str_starts(line, base_buf_str(&prefix));
    base_buf_deinit(&prefix);
    if (!own) return false;
    *step = 0;
    size_t first = at;
    while (at < line.n && at - first < 20 && line.p[at] >= '0' && line.p[at] <= '9')
        *step = *step * 10 + (uint64_t)(line.p[at++] - '0');
    // An id of a change goes on with its place in the step, one of a run ends.
    char after = connect_is_told_runs(sink) ? '"' : '-';
    return at > first && at < line.n && line.p[at] == after;
}

static verdict judge(const connect_sink *sink, base_str line, bool ended) {
    if (memchr(line.p, '\0', line.n) != NULL) return LINE_CUT;
    uint64_t step;
    if (own_step(sink, line, &step)) return step > sink->acked ? LINE_CUT : LINE_KEEP;
    if (ended) return LINE_KEEP;
    // Torn so early that the step cannot be told.
    base_buf prefix = {0};
    base_buf_printf(&prefix, "{\"id\":\"%s-", sink->token);
    size_t n = line.n < prefix.n ? line.n : prefix.n;
    bool torn = memcmp(line.p, prefix.p, n) == 0;
    base_buf_deinit(&prefix);
    return torn ? LINE_CUT : LINE_KEEP;
}

// Walks back over the lines of window, the file's last bytes. *keep: how much of the window stays;
// *ended: what stays ends with a newline. False: the answer lies before the window.
static bool search(const connect_sink *sink, base_str window, bool whole, size_t *keep,
                   bool *ended) {
    size_t end = window.n;
    while (end > 0) {
        *ended = window.p[end - 1] == '\n';
        size_t text_end = *ended ? end - 1 : end;
        const char *newline = memrchr(window.p, '\n', text_end);
        size_t start = newline == NULL ? 0 : (size_t)(newline - window.p) + 1;
        if (start == 0 && !whole) return false; // the line may begin before
        if (judge(sink, (base_str){window.p + start, text_end - start}, *ended) == LINE_KEEP) {
            *keep = end;
            return true;
        }
        end = start;
    }
    *keep = 0;
    *ended = true;
    return whole;
}

// ---- recovering
// ------------------------------------------------------------------------------------------

static base_rc cut(connect_sink *sink, plat_file *file, uint64_t keep, bool ended,
                   base_error *err) {
    base_rc rc = plat_truncate(file, keep, err);
    sink->file_end = keep;
    if (rc == BASE_OK && !ended) { // a user's last line, which shall stay a line of its own
        rc = plat_write_at(file, "\n", 1, keep, err);
        sink->file_end++;
    }
    return rc == BASE_OK ? plat_sync(file, err) : rc;
}

static base_rc recover(connect_sink *sink, plat_file *file, uint64_t size, base_error *err) {
    base_buf buf = {0};
    base_rc rc = BASE_OK;
    uint64_t window = size < WINDOW_FIRST ? size : WINDOW_FIRST;
    for (;;) {
        size_t got = 0, keep;
        bool ended;
        base_buf_clear(&buf);
        base_buf_reserve(&buf, (size_t)window + 1);
        rc = plat_read_at(file, buf.p, (size_t)window, size - window, &got, err);
        if (rc == BASE_OK && got < window)
            rc = base_fail(err, BASE_E_BUSY, NULL, "the file became shorter while it was read");
        if (rc != BASE_OK) break;
        if (search(sink, (base_str){buf.p, got}, window == size, &keep, &ended)) {
            rc = cut(sink, file, size - window + keep, ended, err);
            break;
        }
        if (window >= WINDOW_MAX) {
            rc = base_fail(err, BASE_E_LIMIT, NULL,
                           "no line of this sink's is whole in its last %u MB", WINDOW_MAX >> 20);
            break;
        }
        window = window * 4 < size ? window * 4 : size;
    }
    base_buf_deinit(&buf);
    return rc;
}

// ---- opening
// ---------------------------------------------------------------------------------------------

// The directory of a path; "" for a path that has no more.
static base_str parent_of(base_str path) {
    while (path.n > 0 && path.p[path.n - 1] != '/') path.n--;
    while (path.n > 1 && path.p[path.n - 1] == '/') path.n--;
    return path;
}

// Makes the names that lead to a file durable: its own, and those of directories that were made for
// it. Of directories that were there before, failures do not count: one may not be ours to open.
static base_rc sync_names(plat *p, const char *path, bool made_dirs, base_error *err) {
    base_buf dir = {0};
    base_str parent = parent_of(base_str_of(path));
    base_rc rc = BASE_OK;
    for (bool first = true; rc == BASE_OK; first = false) {
        base_buf_clear(&dir);
        base_buf_add_str(&dir, parent.n == 0 ? BASE_STR(".") : parent);
        base_error ignored;
        rc = p->ops->sync_dir(p, base_buf_cstr(&dir), first || made_dirs ? err : &ignored);
        if (!first && !made_dirs) rc = BASE_OK;
        if (parent.n <= 1) break;
        parent = parent_of(parent);
    }
    base_buf_deinit(&dir);
    return rc;
}

static base_rc open_append(plat *p, const char *path, bool *made_dirs, plat_file **out,
                           base_error *err) {
    const int flags = PLAT_OPEN_READ | PLAT_OPEN_WRITE | PLAT_OPEN_CREATE;
    base_rc rc = plat_open(p, path, flags, out, err);
    base_str parent = parent_of(base_str_of(path));
    if (rc != BASE_E_NOT_FOUND || parent.n == 0) return rc;
    base_buf dir = {0};
    base_buf_add_str(&dir, parent);
    *made_dirs = true;
    rc = p->ops->make_dir(p, base_buf_cstr(&dir), err);
    base_buf_deinit(&dir);
    return rc == BASE_OK ? plat_open(p, path, flags, out, err) : rc;
}

base_rc connect_append(plat *p, const char *path, base_str text, uint64_t limit, base_error *err) {
    plat_file *file;
    uint64_t size;
    bool made_dirs = false;
    base_rc rc = open_append(p, path, &made_dirs, &file, err);
    if (rc != BASE_OK) return rc;
    rc = sync_names(p, path, made_dirs, err);
    if (rc == BASE_OK) rc = plat_size(file, &size, err);
    if (rc == BASE_OK && limit > 0 && size + text.n > limit)
        rc = base_fail(err, BASE_E_LIMIT, NULL, "\"%s\" would be larger than %llu MB", path,
                       (unsigned long long)(limit >> 20));
    if (rc == BASE_OK) rc = plat_write_at(file, text.p, text.n, size, err);
    if (rc == BASE_OK) rc = plat_sync(file, err);
    plat_close(file);
    return rc;
}

static base_rc write_lines(connect_sink *sink, base_str lines, base_error *err) {
    plat_file *file;
    const char *path = sink->object->path;
    base_rc rc = open_append(sink->hub->plat, path, &sink->made_dirs, &file, err);
    if (rc != BASE_OK) return rc;
    uint64_t size;
    rc = plat_size(file, &size, err);
    // A file of another size is another file, or somebody has written into it.
    if (rc == BASE_OK && (!sink->file_checked || size != sink->file_end)) {
        rc = recover(sink, file, size, err);
        if (rc != BASE_OK) base_error_prefix(err, "file \"%s\"", path);
        if (rc == BASE_OK) rc = sync_names(sink->hub->plat, path, sink->made_dirs, err);
        if (rc == BASE_OK) sink->made_dirs = false;
        sink->file_checked = rc == BASE_OK;
    }
    if (rc == BASE_OK && lines.n > 0) {
        rc = plat_write_at(file, lines.p, lines.n, sink->file_end, err);
        if (rc == BASE_OK) rc = plat_sync(file, err);
        if (rc == BASE_OK) sink->file_end += lines.n;
    }
    plat_close(file);
    return rc;
}

// ---- delivering
// ------------------------------------------------------------------------------------------

// Lines of the next steps; `at` of the sink moves over them.
static base_rc gather(connect_sink *sink, base_buf *lines, uint64_t *nchanges, base_error *err) {
    for (uint32_t i = 0; i < CONNECT_FILE_STEPS && lines->n < CONNECT_FILE_BYTES; i++) {
        bool found;
        base_rc rc = connect_sink_load(sink, &found, err);
        if (rc != BASE_OK && lines->n > 0) { // what is there is delivered; then it fails again
            sink->lost = false;
            break;
        }
        if (rc != BASE_OK) return rc;
        if (!found) break;
        const connect_changes *changes = &sink->changes;
        for (uint32_t item = 0; item < changes->nitems; item++)
            connect_write_line(lines, sink->token, sink->name, changes, item);
        *nchanges += changes->nitems;
        connect_sink_pass(sink);
    }
    return BASE_OK;
}

static const connect_sink *same_path(const connect_sink *sink) {
    for (const connect_sink *other = sink->hub->sinks; other != sink; other = other->next)
        if (other->is_file && strcmp(other->object->path, sink->object->path) == 0) return other;
    return NULL;
}

base_rc connect_file_deliver(connect_sink *sink, bool *progressed, base_error *err) {
    const connect_sink *other = same_path(sink);
    if (other != NULL)
        return base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_INVALID_PARAMETER,
                         "file \"%s\" is written by sink %s already", sink->object->path,
                         other->name);
    base_buf lines = {0};
    uint64_t nchanges = 0;
    base_rc rc = gather(sink, &lines, &nchanges, err);
    // Not before the lines are written: what stands behind the cursor is taken for undelivered.
    if (rc == BASE_OK && lines.n == 0) rc = connect_sink_idle(sink, err);
    if (rc == BASE_OK && lines.n > 0) {
        rc = write_lines(sink, base_buf_str(&lines), err);
        if (rc == BASE_OK) rc = connect_sink_ack(sink, err);
        if (rc == BASE_OK) {
            connect_sink_succeeded(sink, nchanges);
            *progressed = true;
        }
    }
    base_buf_deinit(&lines);
    if (rc != BASE_OK) { // what was written or not is found out from the file and the cursor
        sink->file_checked = false;
        sink->cursor_known = false;
    }
    return rc;
}
