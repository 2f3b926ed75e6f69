// over.h - what the files of the OVER operator share: a segment of a partition as one side of a
// step sees it (the rows before it, or after), frames, running states. Internal to over*.c.
#ifndef WEIR_FLOW_OVER_H
#define WEIR_FLOW_OVER_H

#include "flow/acc.h"
#include "flow/partition.h"
#include "plan/over.h"

typedef struct over_func {
    const plan_over *def;
    acc_spec spec;     // AGGREGATE
    bool retracts;     // ... and a value can be taken out of it again, exactly
    uint32_t block_at; // ... and its block within a state's
    uint32_t block_size;
} over_func;

// What is known after a row of all rows up to it.
typedef struct over_state {
    int64_t rows, groups;
    char *blocks;    // of aggregates
    col_vec *firsts; // a function: for FIRST_VALUE one row, or none yet
} over_state;

typedef struct over_plan {
    const plan_node *node;
    uint32_t nfuncs;
    over_func *funcs;
    uint32_t blocks_size;
    plan_reach reach;
    bool running; // forward: results are computed from a state on
    bool peers;   // a row's result depends on its peers
} over_plan;

// A segment's rows on one side. Positions count each row as often as it is there.
typedef struct over_side {
    const flow_segment *segment;
    const col_batch *rows; // columns of the segment's rows
    uint32_t n;
    uint32_t *row;   // of the segment, by position
    uint32_t *begin; // position of the first of a segment's row; segment->n + 1
    uint32_t ngroups;
    uint32_t *group;       // of peers, by position
    uint32_t *group_begin; // ngroups + 1
    uint32_t origin;       // position that the state stands before; what is before is context
    const over_state *state;
    col_vec *results;     // a function, n each
    uint8_t *failed;      // by position: a function has no result
    base_error failure;   // of the first of them
    uint32_t nsnaps;      // states are wanted after these rows of the segment, ascending,
    const uint32_t *snap; // each the last of its peers
    over_state *snaps;
} over_side;

// over_state.c
void over_state_init(const over_plan *plan, base_arena *arena, over_state *state);
void over_state_copy_func(const over_plan *plan, uint32_t func, over_state *to, const char *block,
                          const col_vec *first, base_arena *arena);
bool over_state_equal(const over_plan *plan, const over_state *a, const over_state *b);
void over_state_encode(const over_plan *plan, const over_state *state, base_buf *buf);
BASE_MUST_USE base_rc over_state_decode(const over_plan *plan, base_str bytes, base_arena *arena,
                                        over_state *state, base_error *err);
bool over_state_storable(const over_plan *plan); // the aggregates are of a kind that can be kept

// over_eval.c
void over_side_init(over_side *side, base_arena *arena, const flow_segment *segment,
                    const col_batch *rows, bool after, uint32_t origin_row);
// A failing function marks its row; other errors are returned.
BASE_MUST_USE base_rc over_eval(const over_plan *plan, over_side *side, base_arena *arena,
                                base_error *err);

// over_list.c: aggregates that are made of all values of a frame.
bool over_is_list(const acc_spec *spec);
BASE_MUST_USE base_rc over_eval_list(const over_plan *plan, over_side *side, uint32_t number,
                                     base_arena *arena, base_error *err);

// over_frame.c
typedef struct over_frames { // [start, end) by position, before EXCLUDE
    uint32_t *start, *end;
} over_frames;
BASE_MUST_USE base_rc over_frames_make(const over_plan *plan, const over_side *side,
                                       const plan_frame *frame, base_arena *arena, over_frames *out,
                                       base_error *err);
// What is left of position i's frame: up to 3 pieces.
typedef struct over_pieces {
    uint32_t n;
    uint32_t begin[3], end[3];
} over_pieces;
over_pieces over_frame_pieces(const over_side *side, const over_frames *frames,
                              plan_frame_exclude exclude, uint32_t i);
// The order key, encoded as the partition has it, that lies `times` times all offsets of the frames
// before (after) that of the row: out->p NULL if there is none so far out.
BASE_MUST_USE base_rc over_bound_key(const over_plan *plan, const col_batch *row, uint32_t i,
                                     bool before, uint32_t times, base_buf *buf, bool *bounded,
                                     base_error *err);

#endif
