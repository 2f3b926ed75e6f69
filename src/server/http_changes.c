// http_changes.c - GET /v1/views/SCHEMA.NAME/changes: a view's changes as server-sent events.
//
// A subscriber begins with a snapshot, or after the step that it names (Last-Event-ID, ?after=).
// Its connection reads from a buffer; when that is empty the connection is suspended, and a commit
// makes a worker fill the buffer (one turn at a time) and resume it. So a slow client holds one
// buffer, and no thread; what it misses stays in the view's change log, and if that has been
// trimmed meanwhile it gets "reset" and a snapshot.
//
// Invariants: `waiting` is true exactly while the connection is suspended; whoever sets it false
// resumes it. A subscriber has a reference from its request and one from its turn in the queue.
// Locks: a subscriber's own goes before a pool's; http->lock before a subscriber's. Entry points:
// http_changes, http_subscriber_work, http_subscribers_notify.

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/must.h"
#include "server/http_int.h"

#define FILL_BYTES        (256u << 10)
#define SNAPSHOT_ROWS     500 // of one snapshot event
#define HEARTBEAT_US      (10 * BASE_US_PER_SECOND)
#define REPEATED_ROWS_MAX 1000000 // of one change: a weight may say "a thousand of these"

struct http_subscriber {
    server_http *http;
    struct MHD_Connection *connection;
    http_subscriber *next, **link; // http->subscribers, under http->lock
    int fd;
    char *name;
    // A worker's.
    const plan_object *view;
    const char **keys;
    uint32_t ncolumns; // declared: what a change has
    uint64_t after;    // the last step told
    uint64_t looked;   // the view's step when the change log was last read to its end
    bool need_snapshot;
    base_arena names, scratch;
    // Shared, under lock.
    plat_mutex lock;
    uint32_t refs;
    base_buf out;
    size_t out_at;
    bool waiting, queued, dirty, ended, left;
    int64_t wrote_us;
};

static void release(http_subscriber *s) { // lock held; gives it up
    bool last = --s->refs == 0;
    plat_mutex_unlock(&s->lock);
    if (!last) return;
    plat_mutex_deinit(&s->lock);
    base_buf_deinit(&s->out);
    base_arena_deinit(&s->scratch);
    base_arena_deinit(&s->names);
    free(s->name);
    free(s);
}

// lock held
static void resume(http_subscriber *s) {
    if (!s->waiting) return;
    s->waiting = false;
    MHD_resume_connection(s->connection);
}

// lock held
static void queue_turn(http_subscriber *s) {
    if (s->queued || s->ended || s->left) return;
    s->queued = true;
    s->refs++;
    if (http_pool_push_subscriber(s->http->changes, s)) return;
    s->queued = false; // the server stops
    s->refs--;
    s->ended = true;
}

// ---- the connection's side ----

ssize_t http_subscriber_read(void *arg, uint64_t position, char *to, size_t max) {
    (void)position;
    http_subscriber *s = arg;
    plat_mutex_lock(&s->lock);
    ssize_t n = 0;
    if (s->out_at < s->out.n) {
        size_t left = s->out.n - s->out_at;
        n = (ssize_t)(left < max ? left : max);
        memcpy(to, s->out.p + s->out_at, (size_t)n);
        s->out_at += (size_t)n;
        s->wrote_us = server_now_us(s->http->server);
        if (s->out_at == s->out.n) {
            s->out_at = 0;
            base_buf_clear(&s->out);
            if (s->out.cap > 4 * FILL_BYTES) base_buf_deinit(&s->out);
        }
    } else {
        if (s->dirty) queue_turn(s);
        if (s->ended || atomic_load(&s->http->stopping)) {
            n = MHD_CONTENT_READER_END_OF_STREAM;
        } else {
            s->waiting = true;
            MHD_suspend_connection(s->connection);
        }
    }
    plat_mutex_unlock(&s->lock);
    return n;
}

void http_subscriber_leave(http_subscriber *s) {
    plat_mutex_lock(&s->http->lock);
    *s->link = s->next;
    if (s->next != NULL) s->next->link = s->link;
    s->http->nsubscribers--;
    atomic_fetch_sub(&s->http->server->counters.subscribers, 1);
    plat_mutex_unlock(&s->http->lock);
    plat_mutex_lock(&s->lock);
    s->left = true;
    s->waiting = false;
    release(s);
}

// ---- events ----

// What comes has its standing, as in a snapshot, if the view has windows.
static void add_status(base_buf *buf, const http_subscriber *s, const engine_change *change,
                       uint32_t row) {
    if (s->view->window_column < 0) return;
    must(buf->n > 0 && buf->p[buf->n - 1] == '}');
    buf->n--;
    base_buf_printf(buf, ",\"_status\":\"%s\"}",
                    engine_change_is_final(s->view, change, row) ? "final" : "provisional");
}

static void add_rows(base_buf *buf, const http_subscriber *s, const engine_change *change,
                     int sign) {
    const col_batch *delta = change->delta;
    uint64_t n = 0;
    for (uint32_t row = 0; row < delta->nrows; row++) {
        int64_t weight = col_weight(delta, row) * sign;
        for (; weight > 0 && n < REPEATED_ROWS_MAX; weight--) {
            if (n++ > 0) base_buf_add_byte(buf, ',');
            http_row_object(buf, delta, row, s->ncolumns, s->keys);
            if (sign > 0) add_status(buf, s, change, row);
        }
    }
}

static void add_instant(base_buf *buf, const char *name, int64_t us) {
    char text[BASE_TIME_TEXT_MAX];
    if (us == INT64_MIN) {
        base_buf_printf(buf, ",\"%s\":null", name);
        return;
    }
    base_rfc3339_format(us, text);
    base_buf_printf(buf, ",\"%s\":\"%s\"", name, text);
}

static void add_change(base_buf *buf, const http_subscriber *s, const engine_change *change) {
    base_buf_printf(buf, "id: %llu\nevent: change\ndata: {\"step\":%llu",
                    (unsigned long long)change->step, (unsigned long long)change->step);
    add_instant(buf, "at", change->at_us);
    add_instant(buf, "watermark", change->watermark_us);
    base_buf_add_cstr(buf, ",\"insert\":[");
    add_rows(buf, s, change, 1);
    base_buf_add_cstr(buf, "],\"delete\":[");
    add_rows(buf, s, change, -1);
    base_buf_add_cstr(buf, "]}\n\n");
    atomic_fetch_add(&s->http->server->counters.events_sent, 1);
}

static void add_error(base_buf *buf, const base_error *err) {
    base_buf_add_cstr(buf, "event: error\ndata: {\"sqlstate\":");
    http_json_text(buf, base_str_of(err->sqlstate));
    base_buf_add_cstr(buf, ",\"message\":");
    http_json_text(buf, base_str_of(err->message));
    base_buf_add_cstr(buf, "}\n\n");
}

typedef struct snapshot {
    http_subscriber *subscriber;
    base_buf *buf;
    const char **keys; // declared columns and standing
    uint32_t ncolumns;
    uint32_t rows; // of the open event
    bool open;
} snapshot;

static void snapshot_open(snapshot *snap) {
    base_buf_add_cstr(snap->buf, "event: snapshot\ndata: {\"view\":");
    http_json_text(snap->buf, base_str_of(snap->subscriber->name));
    base_buf_add_cstr(snap->buf, ",\"rows\":[");
    snap->open = true;
    snap->rows = 0;
}

static base_rc snapshot_rows(void *arg, const col_batch *rows, base_error *err) {
    snapshot *snap = arg;
    for (uint32_t row = 0; row < rows->nrows; row++) {
        if (snap->rows == SNAPSHOT_ROWS) {
            base_buf_add_cstr(snap->buf, "],\"more\":true}\n\n");
            snap->open = false;
        }
        if (!snap->open) snapshot_open(snap);
        if (snap->rows++ > 0) base_buf_add_byte(snap->buf, ',');
        uint32_t n = rows->ncols < snap->ncolumns ? rows->ncols : snap->ncolumns;
        for (int64_t w = col_weight(rows, row); w > 0; w--) {
            http_row_object(snap->buf, rows, row, n, snap->keys);
            if (w > 1) base_buf_add_byte(snap->buf, ',');
            if (snap->buf->n > SERVER_HTTP_SNAPSHOT_BYTES)
                return base_fail(err, BASE_E_LIMIT, NULL,
                                 "the view is too large for a snapshot here (%llu bytes): read "
                                 "/v1/views/%s and go on with ?after= its step",
                                 (unsigned long long)SERVER_HTTP_SNAPSHOT_BYTES,
                                 snap->subscriber->name);
        }
    }
    return BASE_OK;
}

static base_rc add_snapshot(http_subscriber *s, base_buf *buf, base_error *err) {
    static const char *const standing[] = {"_status", "_revision", "_updated_at"};
    const char **names = base_arena_array(&s->scratch, const char *, s->ncolumns + 4);
    for (uint32_t i = 0; i < s->ncolumns; i++) names[i] = s->view->columns[i].name;
    for (uint32_t i = 0; i < 3; i++) names[s->ncolumns + i] = standing[i];
    snapshot snap = {.subscriber = s, .buf = buf, .ncolumns = s->ncolumns + 3};
    snap.keys = http_keys(&s->scratch, snap.ncolumns, names);
    uint64_t step = 0;
    snapshot_open(&snap);
    base_rc rc = engine_view_scan(s->http->server->engine, s->view, &s->scratch, &step,
                                  snapshot_rows, &snap, err);
    if (rc != BASE_OK) return rc;
    if (!snap.open) snapshot_open(&snap);
    // The id stands with the last part alone: who loses the connection before it begins again.
    base_buf_printf(buf, "],\"more\":false,\"step\":%llu}\nid: %llu\n\n", (unsigned long long)step,
                    (unsigned long long)step);
    s->after = s->looked = step;
    s->need_snapshot = false;
    atomic_fetch_add(&s->http->server->counters.snapshots_sent, 1);
    return BASE_OK;
}

// ---- a worker's turn ----

static base_rc find_view(http_subscriber *s, base_buf *buf, base_error *err) {
    const plan_object *view = engine_find(s->http->server->engine, base_str_of(s->name));
    if (view == NULL || view->kind != PLAN_OBJECT_VIEW)
        return base_fail(err, BASE_E_NOT_FOUND, BASE_SQLSTATE_UNDEFINED_TABLE,
                         "materialized view \"%s\" does not exist", s->name);
    if (view == s->view) return BASE_OK;
    bool same = s->view != NULL && s->view->id == view->id;
    if (s->view != NULL && !same) { // the view was replaced: its steps and rows are others
        base_buf_add_cstr(buf, "event: reset\ndata: {\"reason\":\"the view was replaced\"}\n\n");
        s->need_snapshot = true;
        s->after = s->looked = 0;
    }
    s->view = view;
    s->ncolumns = 0;
    while (s->ncolumns < view->ncolumns && !view->columns[s->ncolumns].hidden) s->ncolumns++;
    base_arena_reset(&s->names);
    const char **names = base_arena_array(&s->names, const char *, s->ncolumns + 1);
    for (uint32_t i = 0; i < s->ncolumns; i++) names[i] = view->columns[i].name;
    s->keys = http_keys(&s->names, s->ncolumns, names);
    return BASE_OK;
}

static void reset_to_snapshot(http_subscriber *s, base_buf *buf, const char *reason) {
    base_buf_add_cstr(buf, "event: reset\ndata: {\"reason\":");
    http_json_text(buf, base_str_of(reason));
    base_buf_add_cstr(buf, "}\n\n");
    s->need_snapshot = true;
}

// Fills buf with what there is; *more: the buffer is full and there may be more.
static base_rc fill(http_subscriber *s, base_buf *buf, bool *more, base_error *err) {
    engine *e = s->http->server->engine;
    *more = false;
    base_rc rc = find_view(s, buf, err);
    if (rc != BASE_OK) return rc;
    uint64_t step;
    rc = engine_view_step(e, s->view, &step, err);
    if (rc != BASE_OK) return rc;
    if (!s->need_snapshot && s->after > step) // of another life of the data directory
        reset_to_snapshot(s, buf, "the step asked for is not reached yet");
    if (!s->need_snapshot && s->looked == step && s->looked > 0) return BASE_OK;
    for (;;) {
        base_arena_reset(&s->scratch);
        if (s->need_snapshot) {
            rc = add_snapshot(s, buf, err);
            if (rc != BASE_OK) return rc;
        }
        if (buf->n >= FILL_BYTES) {
            *more = true;
            return BASE_OK;
        }
        engine_change change;
        bool found;
        rc = engine_change_next(e, s->view, s->after, &s->scratch, &change, &found, err);
        if (rc == BASE_E_NOT_FOUND) {
            // Trimmed, or the view has gone: the snapshot or the look-up of the name tells which.
            rc = find_view(s, buf, err);
            if (rc != BASE_OK) return rc;
            reset_to_snapshot(s, buf, "changes after this step are not kept any more");
            continue;
        }
        if (rc != BASE_OK) return rc;
        if (!found) break;
        add_change(buf, s, &change);
        s->after = change.step;
    }
    if (s->looked < step) s->looked = step;
    return BASE_OK;
}

void http_subscriber_work(http_subscriber *s) {
    plat_mutex_lock(&s->lock);
    bool idle = s->left || s->ended;
    s->dirty = false;
    plat_mutex_unlock(&s->lock);
    base_buf buf = {0};
    base_error err = {0};
    bool more = false;
    base_rc rc = idle ? BASE_OK : fill(s, &buf, &more, &err);
    base_arena_reset(&s->scratch);
    if (rc != BASE_OK) add_error(&buf, &err);
    plat_mutex_lock(&s->lock);
    s->queued = false;
    if (rc != BASE_OK) s->ended = true; // after the error has been read
    if (more) s->dirty = true;          // the reader asks for the next turn
    if (!s->left && buf.n > 0) base_buf_add_str(&s->out, base_buf_str(&buf));
    if (s->out.n > 0 || s->ended)
        resume(s);
    else if (s->dirty && s->waiting)
        queue_turn(s); // a commit came meanwhile
    base_buf_deinit(&buf);
    release(s);
}

// ---- all subscribers ----

void http_subscribers_notify(void *arg) {
    server_http *http = arg;
    plat_mutex_lock(&http->lock);
    for (http_subscriber *s = http->subscribers; s != NULL; s = s->next) {
        plat_mutex_lock(&s->lock);
        s->dirty = true;
        if (s->waiting) queue_turn(s);
        plat_mutex_unlock(&s->lock);
    }
    plat_mutex_unlock(&http->lock);
}

// A suspended connection is not watched by the library: look for the client's end.
static bool hung_up(const http_subscriber *s) {
    char byte;
    return s->fd >= 0 && recv(s->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

void http_subscribers_tick(server_http *http) {
    int64_t now = server_now_us(http->server);
    plat_mutex_lock(&http->lock);
    for (http_subscriber *s = http->subscribers; s != NULL; s = s->next) {
        plat_mutex_lock(&s->lock);
        if (s->waiting && hung_up(s)) {
            s->ended = true;
            resume(s);
        } else if (s->waiting && now - s->wrote_us >= HEARTBEAT_US) {
            base_buf_add_cstr(&s->out, ": heartbeat\n\n");
            resume(s);
        }
        plat_mutex_unlock(&s->lock);
    }
    plat_mutex_unlock(&http->lock);
}

void http_subscribers_end(server_http *http) {
    plat_mutex_lock(&http->lock);
    for (http_subscriber *s = http->subscribers; s != NULL; s = s->next) {
        plat_mutex_lock(&s->lock);
        s->ended = true;
        resume(s);
        plat_mutex_unlock(&s->lock);
    }
    plat_mutex_unlock(&http->lock);
}

// ---- the request ----

static base_rc read_position(http_request *request, uint64_t *after, bool *given, base_error *err) {
    const http_pair *arg = http_arg(request, "after");
    base_str text = {NULL, 0};
    if (arg != NULL) text = arg->value;
    // What the client has seen last counts more than where its address once began.
    if (request->last_event_id != NULL) text = base_str_trim(base_str_of(request->last_event_id));
    *given = text.n > 0;
    if (!*given || http_parse_u64(text, after)) return BASE_OK;
    return base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_INVALID_PARAMETER,
                     "Last-Event-ID (or after) must be the id of an event: a step");
}

static bool enter(http_request *request, http_subscriber *s) {
    server_http *http = request->http;
    plat_mutex_lock(&http->lock);
    bool room = http->nsubscribers < http->server->config.subscribers_max;
    if (room) {
        s->next = http->subscribers;
        s->link = &http->subscribers;
        if (s->next != NULL) s->next->link = &s->next;
        http->subscribers = s;
        http->nsubscribers++;
        atomic_fetch_add(&http->server->counters.subscribers, 1);
    }
    plat_mutex_unlock(&http->lock);
    return room;
}

static http_subscriber *subscriber_create(http_request *request, const plan_object *view) {
    http_subscriber *s = calloc(1, sizeof *s);
    must(s != NULL);
    s->http = request->http;
    s->connection = request->connection;
    s->refs = 1;
    s->dirty = true; // the first turn
    base_arena_init(&s->scratch, 4096);
    base_arena_init(&s->names, 1024);
    plat_mutex_init(&s->lock);
    base_buf name = {0};
    base_buf_printf(&name, "%s.%s", view->schema, view->name);
    s->name = strdup(base_buf_cstr(&name));
    must(s->name != NULL);
    base_buf_deinit(&name);
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(request->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    s->fd = info == NULL ? -1 : info->connect_fd;
    return s;
}

void http_changes(http_request *request) {
    base_error err = {0};
    uint64_t after = 0;
    bool given;
    if (read_position(request, &after, &given, &err) != BASE_OK) {
        http_fail(request, &err);
        return;
    }
    const plan_object *view = engine_find(request->http->server->engine, request->name);
    if (view == NULL || view->kind != PLAN_OBJECT_VIEW) {
        http_no_view(request, view, true);
        return;
    }
    http_subscriber *s = subscriber_create(request, view);
    s->after = after;
    s->need_snapshot = !given;
    base_buf_add_cstr(&s->out, "retry: 2000\n\n");
    s->wrote_us = server_now_us(request->http->server);
    if (!enter(request, s)) {
        plat_mutex_lock(&s->lock);
        release(s);
        http_fail_with(request, MHD_HTTP_TOO_MANY_REQUESTS, BASE_E_BUSY, NULL,
                       "there are %u open streams of changes: no more are taken",
                       request->http->server->config.subscribers_max);
        return;
    }
    request->subscriber = s;
    http_answer(request, MHD_HTTP_OK, "text/event-stream");
    http_answer_header(request, "Cache-Control", "no-store");
    http_answer_header(request, "X-Accel-Buffering", "no");
}
