// past.h - what a view showed at an earlier step. The change log of a view is an undo log: beside
// each step's delta stands what the rows that it took the place of were headed by (revision, time,
// flags, weight), so that the rows of any step within the view's history are known exactly: for
// each key, the first change after the step says how it was; keys without one are as they are now.
#ifndef WEIR_ENGINE_PAST_H
#define WEIR_ENGINE_PAST_H

#include "engine/engine_int.h"

// Heads a row's value in vN; the row encoding follows. A disk format.
typedef struct engine_row_head {
    uint8_t version; // 1
    uint8_t flags;
    uint16_t zero;
    uint32_t revision;
    int64_t updated_us;
    int64_t weight;
} engine_row_head;
_Static_assert(sizeof(engine_row_head) == 24, "engine_row_head is a disk format");

// ---- writing (view.c)

// Of a key that had a row before the step: `row` of the delta is that row.
void engine_undo_add(base_buf *undo, uint32_t row, const engine_row_head *was, int64_t now_us);
// A step's record in the change log.
void engine_change_encode(base_buf *out, int64_t at_us, int64_t watermark_us, base_str undo,
                          const col_batch *delta);
// The same of a view that keeps no history: without an undo.
void engine_change_encode_plain(base_buf *out, int64_t at_us, int64_t watermark_us,
                                const col_batch *delta);
// Its parts. Of a view that only grows or keeps no history, and of a program that had none yet,
// there is no undo: p is NULL. BASE_E_CORRUPT.
BASE_MUST_USE base_rc engine_change_parts(base_str value, base_str *undo, base_str *delta,
                                          base_error *err);
// Keys of a view's rows, as they are in vN. workers may be NULL.
void engine_view_keys(const plan_object *view, plat_workers *workers, base_arena *arena,
                      const col_batch *rows, base_str *out);

// ---- reading

typedef struct engine_past engine_past;

// Called between two records of the log, so that a reader may stop.
typedef base_rc engine_past_check(void *arg, base_error *err);

// How a view that is kept by key was at `step`, against the snapshot. memory_bytes: that what has
// changed since may take, about (a quarter more while it is sorted); beyond, it goes to files of
// the engine's scratch directory. One thread at a time.
BASE_MUST_USE base_rc engine_past_open(engine *e, const plan_object *view,
                                       const engine_view_snapshot *snapshot, uint64_t step,
                                       uint64_t memory_bytes, engine_past_check *may_go_on,
                                       void *arg, engine_past **out, base_error *err);
void engine_past_close(engine_past *past); // NULL is allowed
// The keys of the snapshot are asked for in their order. Whether the row of a key was another;
// *value: as in vN, borrowed until the next call; p NULL: there was none.
BASE_MUST_USE base_rc engine_past_row(engine_past *past, base_str key, base_str *value, bool *other,
                                      base_error *err);
// Before a key of the snapshot is asked for, and after the last of them (key NULL): the next row
// whose key has none there, until *found is false.
BASE_MUST_USE base_rc engine_past_gone(engine_past *past, const base_str *key, base_str *value,
                                       bool *found, base_error *err);
// engine_view_scan_txn of a view that is kept by key, as it was (view.c).
BASE_MUST_USE base_rc engine_view_scan_past(const plan_object *object, state_table rows,
                                            state_txn *txn, engine_past *past, int64_t final_us,
                                            uint32_t batch_rows,
                                            base_rc (*visit)(void *arg, const col_batch *rows,
                                                             base_error *err),
                                            void *arg, base_error *err);

#endif
