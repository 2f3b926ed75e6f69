// expect.h - what a stream should have: how many events its sources say they have sent (heartbeats
// with a count), and which numbers of a producer's sequence have not come (SEQUENCE (producer, n)).
// Both are exact and a function of the log; they are rows of the flow's store, "engine.expect",
// which move in the step's commit (docs/formats.md). Internal to src/engine. Threads: the flow's;
// the readers: any, in a snapshot.
#ifndef WEIR_ENGINE_EXPECT_H
#define WEIR_ENGINE_EXPECT_H

#include "engine/engine_int.h"

// ---- counts of heartbeats

// The newest heartbeat with a count that a flow has met in a partition.
typedef struct engine_expected {
    bool whole;        // it is of all partitions together
    uint64_t expected; // events sent, by the heartbeat
    uint64_t seen;     // events in this partition before it: without duplicates and faults
    int64_t to_us, at_us;
} engine_expected;

BASE_MUST_USE base_rc engine_expect_count(engine_flow *flow, uint32_t object_id, uint32_t p,
                                          const engine_heartbeat *beat, uint64_t seen,
                                          int64_t at_us, base_error *err);
BASE_MUST_USE base_rc engine_expect_read(const engine_flow *flow, state_txn *txn,
                                         uint32_t object_id, uint32_t p, engine_expected *out,
                                         bool *found, base_error *err);

// With the cursors of the object: a view that reads it later begins anew.
BASE_MUST_USE base_rc engine_expect_drop(engine_flow *flow, state_txn *txn, uint32_t object_id,
                                         base_error *err);

// ---- numbers of sequences

#define ENGINE_SEQUENCE_RANGES    1024u  // of a producer; beyond, the oldest gap is given up
#define ENGINE_SEQUENCE_PRODUCERS 65536u // of a stream; more are counted, not followed

// Numbers without a gap, and the event times of the first and the last of them.
typedef struct engine_sequence_range {
    int64_t first, last;
    int64_t first_us, last_us; // INT64_MIN: unknown
} engine_sequence_range;
_Static_assert(sizeof(engine_sequence_range) == 32, "engine_sequence_range is a disk format");

// Of one producer, ascending. Gaps are what lies between ranges.
typedef struct engine_sequence {
    base_str producer; // its key's encoding; empty: the stream has one producer
    uint64_t seen;     // numbers, each once
    uint64_t again;    // numbers that came again
    uint64_t given_up; // missing numbers that are no longer kept apart
    uint32_t nranges;
    const engine_sequence_range *ranges;
} engine_sequence;

typedef struct engine_sequences engine_sequences;
// NULL: the object has no SEQUENCE.
engine_sequences *engine_sequences_create(const engine_input *input);
void engine_sequences_destroy(engine_sequences *s); // NULL is allowed
void engine_sequences_reset(engine_sequences *s);   // what was not saved is forgotten
BASE_MUST_USE base_rc engine_sequences_see(engine_sequences *s, engine_flow *flow,
                                           base_arena *arena, const engine_decoded *d,
                                           base_error *err);
BASE_MUST_USE base_rc engine_sequences_save(engine_sequences *s, engine_flow *flow,
                                            base_error *err);
// Visits each producer, in the order of keys. What is visited is borrowed for the call.
BASE_MUST_USE base_rc engine_sequences_each(const engine_flow *flow, state_txn *txn,
                                            uint32_t object_id,
                                            base_rc (*visit)(void *arg, const engine_sequence *one,
                                                             base_error *err),
                                            void *arg, base_error *err);
// Numbers that lie in gaps, and those given up.
uint64_t engine_sequence_missing(const engine_sequence *one);

#endif
