// moment.c - moments of a flow's steps: see moment.h.
//
// Table "engine.moment": step (8 bytes, big-endian) -> moment_head, then varints. A whole moment
// lists all inputs and views; one that is not only what differs from the moment before it, by its
// place in those lists. Invariants: a moment whose step is a multiple of WHOLE_EVERY is whole, so
// is one that has other inputs or views than the one before it, and moments go by multiples of
// WHOLE_EVERY only: so whoever begins at the multiple at or below a step meets a whole one before
// any difference to it. What is written depends on the steps alone, not on restarts between them.
// Of a flow with a view that closes by the clock, each moment has that clock behind its head.
// A quiet step costs 17 bytes, one that read a partition about 25.
// Entry points: engine_moment_stage, engine_moment_at_time.

#include "engine/history/moment.h"

#include "base/be.h"
#include "base/must.h"

#define WHOLE_EVERY   64u
#define TRIM_LOT      256u  // moments that go at once at least, and
#define TRIM_MOST     4096u // at most: one step does not pay for a long pause of trimming
#define MOMENT_WHOLE  1u
#define MOMENT_CLOSED 2u         // the closing clock (8 bytes) follows the head
#define ENTRIES_LIMIT (1u << 24) // of a stored moment; more is damage

// Heads a moment; a disk format.
typedef struct moment_head {
    uint8_t version; // 1
    uint8_t flags;
    uint8_t zero[6];
    int64_t at_us;
} moment_head;
_Static_assert(sizeof(moment_head) == 16, "moment_head is a disk format");

static base_str step_key(char out[8], uint64_t step) {
    base_be_put(out, step, 8);
    return (base_str){out, 8};
}

static uint64_t key_step(base_str key) {
    return base_be_get(key.p, 8);
}

// ---- bytes
// ---------------------------------------------------------------------------------------

static void add_number(base_buf *buf, uint64_t v) {
    for (; v >= 0x80; v >>= 7) base_buf_add_byte(buf, (uint8_t)(v | 0x80));
    base_buf_add_byte(buf, (uint8_t)v);
}

// Small differences in either direction are small numbers. They wrap: "no watermark" is one too.
static void add_difference(base_buf *buf, uint64_t now, uint64_t before) {
    uint64_t d = now - before;
    add_number(buf, d << 1 ^ (0 - (d >> 63)));
}

typedef struct bytes {
    const uint8_t *p, *end;
    bool bad;
} bytes;

static uint64_t take_number(bytes *b) {
    uint64_t v = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        if (b->p == b->end) break;
        uint8_t byte = *b->p++;
        v |= (uint64_t)(byte & 0x7f) << shift;
        if ((byte & 0x80) == 0) return v;
    }
    b->bad = true;
    return 0;
}

static uint64_t take_difference(bytes *b, uint64_t before) {
    uint64_t z = take_number(b);
    return before + (z >> 1 ^ (0 - (z & 1)));
}

// ---- writing
// -------------------------------------------------------------------------------------

static uint64_t next_of(const engine_input *input, uint32_t p) {
    return input->upstream != NULL ? input->upstream_step : input->partitions[p].next;
}

static int64_t watermark_of(const engine_input *input, uint32_t p) {
    return input->upstream != NULL ? input->watermark_us : input->partitions[p].watermark_us;
}

static void add_whole(const engine_flow *flow, base_buf *out) {
    uint32_t n = 0;
    for (uint32_t i = 0; i < flow->ninputs; i++) n += flow->inputs[i].npartitions;
    add_number(out, n);
    for (uint32_t i = 0; i < flow->ninputs; i++) {
        const engine_input *input = &flow->inputs[i];
        for (uint32_t p = 0; p < input->npartitions; p++) {
            add_number(out, input->object->id);
            add_number(out, p);
            add_number(out, next_of(input, p));
            base_buf_add_u64le(out, (uint64_t)watermark_of(input, p));
        }
    }
    add_number(out, flow->nviews);
    for (uint32_t i = 0; i < flow->nviews; i++) {
        add_number(out, flow->views[i].object->id);
        base_buf_add_u64le(out, (uint64_t)flow->views[i].watermark_us);
    }
}

// Each entry that moved: 1 + how many before it did not, then by how much. The list of inputs ends
// with 0; that of views with the value.
static void add_moved(const engine_flow *flow, base_buf *out) {
    uint32_t still = 0;
    for (uint32_t i = 0; i < flow->ninputs; i++) {
        const engine_input *input = &flow->inputs[i];
        for (uint32_t p = 0; p < input->npartitions; p++, still++) {
            const engine_partition *part = &input->partitions[p];
            uint64_t next = next_of(input, p);
            int64_t watermark_us = watermark_of(input, p);
            if (next == part->noted_next && watermark_us == part->noted_watermark_us) continue;
            add_number(out, 1 + still);
            add_difference(out, next, part->noted_next);
            add_difference(out, (uint64_t)watermark_us, (uint64_t)part->noted_watermark_us);
            still = UINT32_MAX; // the next entry counts from 0
        }
    }
    add_number(out, 0);
    still = 0;
    for (uint32_t i = 0; i < flow->nviews; i++, still++) {
        const engine_view *view = &flow->views[i];
        if (view->watermark_us == view->noted_watermark_us) continue;
        add_number(out, 1 + still);
        add_difference(out, (uint64_t)view->watermark_us, (uint64_t)view->noted_watermark_us);
        still = UINT32_MAX;
    }
}

static void note(engine_flow *flow) {
    for (uint32_t i = 0; i < flow->ninputs; i++) {
        engine_input *input = &flow->inputs[i];
        for (uint32_t p = 0; p < input->npartitions; p++) {
            input->partitions[p].noted_next = next_of(input, p);
            input->partitions[p].noted_watermark_us = watermark_of(input, p);
        }
    }
    for (uint32_t i = 0; i < flow->nviews; i++)
        flow->views[i].noted_watermark_us = flow->views[i].watermark_us;
}

base_rc engine_moment_stage(engine_flow *flow, base_error *err) {
    uint64_t step = flow->step + 1;
    bool whole = !flow->moment_noted || step % WHOLE_EVERY == 0;
    moment_head head = {.version = 1, .flags = whole ? MOMENT_WHOLE : 0, .at_us = flow->now_us};
    base_buf value = {0};
    bool closing = engine_any_by_clock(flow);
    if (closing) head.flags |= MOMENT_CLOSED;
    base_buf_add(&value, &head, sizeof head);
    if (closing) base_buf_add_u64le(&value, (uint64_t)flow->closed_us);
    if (whole)
        add_whole(flow, &value);
    else
        add_moved(flow, &value);
    char key[8];
    base_rc rc =
        state_append(flow->txn, flow->t_moment, step_key(key, step), base_buf_str(&value), err);
    base_buf_deinit(&value);
    if (rc != BASE_OK) return rc;
    note(flow);
    flow->moment_noted = true; // if the commit fails, a reload takes it back
    return BASE_OK;
}

// ---- trimming
// ------------------------------------------------------------------------------------

base_rc engine_moments_trim(engine_flow *flow, base_error *err) {
    if (flow->nviews == 0) return BASE_OK;
    uint64_t upto = UINT64_MAX; // the first step that a view's history, or its changes, need
    for (uint32_t i = 0; i < flow->nviews; i++) {
        uint64_t step = engine_view_trimmed_upto(&flow->views[i]);
        if (step < upto) upto = step;
    }
    if (upto < TRIM_LOT) return BASE_OK;
    upto -= upto % WHOLE_EVERY;
    if (upto < flow->moments_from + TRIM_LOT) return BASE_OK;
    char key[8];
    if (flow->moments_from == 0) { // where they begin is not known yet
        state_cursor *cursor;
        base_str first, value;
        bool end;
        base_rc rc = state_cursor_open(flow->txn, flow->t_moment, &cursor, err);
        if (rc != BASE_OK) return rc;
        rc = state_cursor_seek(cursor, (base_str){NULL, 0}, &first, &value, &end, err);
        flow->moments_from = rc == BASE_OK && !end && first.n == 8 ? key_step(first) : upto;
        state_cursor_close(cursor);
        if (rc != BASE_OK) return rc;
        if (upto < flow->moments_from + TRIM_LOT) return BASE_OK;
    }
    if (upto - flow->moments_from > TRIM_MOST) upto = flow->moments_from + TRIM_MOST;
    upto -= upto % WHOLE_EVERY;
    uint64_t deleted;
    base_rc rc = state_delete_range(flow->txn, flow->t_moment, (base_str){NULL, 0},
                                    step_key(key, upto), &deleted, err);
    if (rc == BASE_OK) flow->moments_from = upto;
    return rc;
}

// ---- reading
// -------------------------------------------------------------------------------------

static base_rc damaged(uint64_t step, base_error *err) {
    return base_fail(err, BASE_E_CORRUPT, BASE_SQLSTATE_CORRUPT,
                     "the moment of step %llu is damaged", (unsigned long long)step);
}

static base_rc read_head(base_str key, base_str value, moment_head *head, base_error *err) {
    if (key.n != 8 || value.n < sizeof *head) return damaged(key.n == 8 ? key_step(key) : 0, err);
    memcpy(head, value.p, sizeof *head);
    return head->version == 1 ? BASE_OK : damaged(key_step(key), err);
}

static int64_t take_instant(bytes *b) {
    uint64_t v = 0;
    if (b->end - b->p < 8) {
        b->bad = true;
        return 0;
    }
    for (int i = 7; i >= 0; i--) v = v << 8 | b->p[i];
    b->p += 8;
    return (int64_t)v;
}

static void read_whole(bytes *b, base_arena *arena, engine_moment *m) {
    uint64_t n = take_number(b);
    if (n > ENTRIES_LIMIT || n > (uint64_t)(b->end - b->p)) b->bad = true;
    if (b->bad) return;
    m->ninputs = (uint32_t)n;
    m->inputs = base_arena_array(arena, engine_moment_input, n + 1);
    for (uint32_t i = 0; i < m->ninputs; i++) {
        engine_moment_input *input = &m->inputs[i];
        input->object_id = (uint32_t)take_number(b);
        input->partition = (uint32_t)take_number(b);
        input->next = take_number(b);
        input->watermark_us = take_instant(b);
    }
    n = take_number(b);
    if (n > ENTRIES_LIMIT || n > (uint64_t)(b->end - b->p)) b->bad = true;
    if (b->bad) return;
    m->nviews = (uint32_t)n;
    m->views = base_arena_array(arena, engine_moment_view, n + 1);
    for (uint32_t i = 0; i < m->nviews; i++) {
        m->views[i].view_id = (uint32_t)take_number(b);
        m->views[i].watermark_us = take_instant(b);
    }
}

static void read_moved(bytes *b, engine_moment *m) {
    uint64_t at = 0;
    for (uint64_t skip = take_number(b); !b->bad && skip > 0; skip = take_number(b)) {
        at += skip - 1;
        if (at >= m->ninputs) {
            b->bad = true;
            return;
        }
        engine_moment_input *input = &m->inputs[at++];
        input->next = take_difference(b, input->next);
        input->watermark_us = (int64_t)take_difference(b, (uint64_t)input->watermark_us);
    }
    at = 0;
    while (!b->bad && b->p < b->end) {
        uint64_t skip = take_number(b);
        at += skip - 1;
        if (skip == 0 || at >= m->nviews) {
            b->bad = true;
            return;
        }
        engine_moment_view *view = &m->views[at++];
        view->watermark_us = (int64_t)take_difference(b, (uint64_t)view->watermark_us);
    }
}

// The moment of a step that has one: from the whole one below it on.
static base_rc read_moment(state_cursor *cursor, uint64_t step, base_arena *arena,
                           engine_moment *out, base_error *err) {
    char from[8];
    base_str key, value;
    bool end, begun = false;
    *out = (engine_moment){0};
    base_rc rc = state_cursor_seek(cursor, step_key(from, step - step % WHOLE_EVERY), &key, &value,
                                   &end, err);
    while (rc == BASE_OK && !end) {
        moment_head head;
        rc = read_head(key, value, &head, err);
        if (rc != BASE_OK) return rc;
        if (key_step(key) > step) break;
        const uint8_t *p = (const uint8_t *)value.p;
        bytes b = {p + sizeof head, p + value.n, false};
        out->closed_us = (head.flags & MOMENT_CLOSED) != 0 ? take_instant(&b) : ENGINE_NO_WATERMARK;
        if ((head.flags & MOMENT_WHOLE) != 0) {
            read_whole(&b, arena, out);
            begun = true;
        } else if (begun) {
            read_moved(&b, out);
        }
        out->step = key_step(key);
        out->at_us = head.at_us;
        if (b.bad || !begun) return damaged(out->step, err);
        rc = state_cursor_next(cursor, &key, &value, &end, err);
    }
    if (rc == BASE_OK && !begun) return damaged(step, err);
    return rc;
}

base_rc engine_moment_at_step(state_txn *txn, state_table t_moment, uint64_t step,
                              base_arena *arena, engine_moment *out, bool *found, base_error *err) {
    *found = false;
    state_cursor *cursor;
    base_rc rc = state_cursor_open(txn, t_moment, &cursor, err);
    if (rc != BASE_OK) return rc;
    char from[8];
    base_str key, value;
    bool end;
    rc = state_cursor_seek(cursor, step_key(from, step), &key, &value, &end, err);
    if (rc == BASE_OK && (end || key.n != 8 || key_step(key) != step))
        rc = end ? state_cursor_last(cursor, &key, &value, &end, err)
                 : state_cursor_prev(cursor, &key, &value, &end, err);
    if (rc == BASE_OK && !end) {
        rc = key.n == 8 ? read_moment(cursor, key_step(key), arena, out, err) : damaged(step, err);
        *found = rc == BASE_OK;
    }
    state_cursor_close(cursor);
    return rc;
}

// The step of the last moment not after an instant: their times do not descend.
static base_rc search(state_cursor *cursor, int64_t us, uint64_t *step, bool *found,
                      base_error *err) {
    base_str key, value;
    moment_head head;
    bool end;
    *found = false;
    base_rc rc = state_cursor_last(cursor, &key, &value, &end, err);
    if (rc != BASE_OK || end) return rc;
    rc = read_head(key, value, &head, err);
    if (rc != BASE_OK) return rc;
    uint64_t above = key_step(key); // its time, and that of all from it on, is after us
    *found = true;
    *step = above;
    if (head.at_us <= us) return BASE_OK;
    rc = state_cursor_seek(cursor, (base_str){NULL, 0}, &key, &value, &end, err);
    if (rc == BASE_OK && !end) rc = read_head(key, value, &head, err);
    if (rc != BASE_OK) return rc;
    *step = key_step(key);
    *found = head.at_us <= us;
    while (*found && rc == BASE_OK && *step + 1 < above) {
        uint64_t middle = *step + (above - *step) / 2;
        char from[8];
        rc = state_cursor_seek(cursor, step_key(from, middle), &key, &value, &end, err);
        if (rc == BASE_OK) rc = end ? damaged(middle, err) : read_head(key, value, &head, err);
        if (rc != BASE_OK) return rc;
        if (key_step(key) < above && head.at_us <= us)
            *step = key_step(key);
        else
            above = middle;
    }
    return rc;
}

base_rc engine_moment_at_time(state_txn *txn, state_table t_moment, int64_t us, base_arena *arena,
                              engine_moment *out, bool *found, base_error *err) {
    *found = false;
    state_cursor *cursor;
    base_rc rc = state_cursor_open(txn, t_moment, &cursor, err);
    if (rc != BASE_OK) return rc;
    uint64_t step;
    rc = search(cursor, us, &step, found, err);
    if (rc == BASE_OK && *found) rc = read_moment(cursor, step, arena, out, err);
    state_cursor_close(cursor);
    return rc;
}

base_rc engine_moment_first(state_txn *txn, state_table t_moment, uint64_t step, uint64_t *out_step,
                            int64_t *out_us, bool *found, base_error *err) {
    *found = false;
    state_cursor *cursor;
    base_rc rc = state_cursor_open(txn, t_moment, &cursor, err);
    if (rc != BASE_OK) return rc;
    char from[8];
    base_str key, value;
    bool end;
    moment_head head;
    rc = state_cursor_seek(cursor, step_key(from, step), &key, &value, &end, err);
    if (rc == BASE_OK && !end) {
        rc = read_head(key, value, &head, err);
        *found = rc == BASE_OK;
    }
    if (*found) {
        *out_step = key_step(key);
        *out_us = head.at_us;
    }
    state_cursor_close(cursor);
    return rc;
}

const engine_moment_input *engine_moment_find(const engine_moment *moment, uint32_t object_id,
                                              uint32_t partition) {
    for (uint32_t i = 0; i < moment->ninputs; i++)
        if (moment->inputs[i].object_id == object_id && moment->inputs[i].partition == partition)
            return &moment->inputs[i];
    return NULL;
}

const engine_moment_view *engine_moment_find_view(const engine_moment *moment, uint32_t view_id) {
    for (uint32_t i = 0; i < moment->nviews; i++)
        if (moment->views[i].view_id == view_id) return &moment->views[i];
    return NULL;
}

// ---- where a flow goes on
// ------------------------------------------------------------------------

// Whether a moment is of the inputs and views that the flow has now.
static bool is_of_flow(const engine_moment *m, const engine_flow *flow) {
    uint32_t at = 0;
    for (uint32_t i = 0; i < flow->ninputs; i++) {
        const engine_input *input = &flow->inputs[i];
        for (uint32_t p = 0; p < input->npartitions; p++, at++)
            if (at >= m->ninputs || m->inputs[at].object_id != input->object->id ||
                m->inputs[at].partition != p)
                return false;
    }
    bool same = at == m->ninputs && flow->nviews == m->nviews;
    for (uint32_t i = 0; same && i < m->nviews; i++)
        same = m->views[i].view_id == flow->views[i].object->id;
    return same;
}

base_rc engine_moment_load(engine_flow *flow, state_txn *txn, base_error *err) {
    flow->moment_noted = false;
    flow->moments_from = 0;
    base_arena arena;
    base_arena_init(&arena, 1 << 12);
    engine_moment m;
    base_rc rc = engine_moment_at_step(txn, flow->t_moment, flow->step, &arena, &m,
                                       &flow->moment_noted, err);
    if (rc == BASE_OK && flow->moment_noted) {
        flow->moment_noted = m.step == flow->step && is_of_flow(&m, flow);
        for (uint32_t i = 0, at = 0; flow->moment_noted && i < flow->ninputs; i++) {
            engine_input *input = &flow->inputs[i];
            for (uint32_t p = 0; p < input->npartitions; p++, at++) {
                input->partitions[p].noted_next = m.inputs[at].next;
                input->partitions[p].noted_watermark_us = m.inputs[at].watermark_us;
            }
        }
        for (uint32_t i = 0; flow->moment_noted && i < flow->nviews; i++)
            flow->views[i].noted_watermark_us = m.views[i].watermark_us;
    }
    base_arena_deinit(&arena);
    return rc;
}
