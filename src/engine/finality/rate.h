// rate.h - how many events each hour of event time has had, and by that how many an hour should
// have: what a stream is expected to send where no source says it, neither by a SEQUENCE nor by
// heartbeats with a count. An estimate, never mixed with those, which are exact.
//
// The expectation of an hour is the median of the same hour of the same weekday of the 4 weeks
// before it; where fewer than two of them are known, of the same hour of the 7 days before it;
// none, where fewer than two of those are. Hours are of UTC, or of local event times as they stand.
//
// Counts are kept by flow, stream and partition, as rows of "engine.expect" that move in the step's
// commit (docs/formats.md): a function of the records read, in the order of their partition. They
// are of records as they came: one that was sent twice counts twice, one refused as too late or
// that takes an event back does not. Kept are the 35 days up to the greatest hour; an event more
// than a day after it was appended is not counted, so that a wrong clock does not end all that is
// known. Internal to src/engine. Threads: the flow's; the readers: any, in a snapshot.
#ifndef WEIR_ENGINE_RATE_H
#define WEIR_ENGINE_RATE_H

#include "engine/engine_int.h"

#define ENGINE_RATE_HOURS 840u // of a partition, up to its greatest

typedef struct engine_rates engine_rates;

engine_rates *engine_rates_create(const engine_input *input); // NULL: it has no event time
void engine_rates_destroy(engine_rates *rates);
BASE_MUST_USE base_rc engine_rates_load(engine_rates *rates, engine_flow *flow, state_txn *txn,
                                        base_error *err);
// What was decoded of partition p, and is taken.
void engine_rates_count(engine_rates *rates, uint32_t p, const engine_decoded *d,
                        int64_t append_us);
BASE_MUST_USE base_rc engine_rates_save(engine_rates *rates, engine_flow *flow, base_error *err);

// All partitions together. Hours count from 1970.
typedef struct engine_rate_table {
    bool any;
    int64_t first;         // the stream is known from here on
    int64_t last;          // the greatest
    uint64_t counts[1024]; // of hour h: [h & 1023]; those of (last - ENGINE_RATE_HOURS, last]
} engine_rate_table;

typedef struct engine_rate_expected {
    bool known;
    uint64_t events;
    uint32_t hours;     // that it rests on
    const char *method; // which ones
} engine_rate_expected;

BASE_MUST_USE base_rc engine_rates_read(const engine_flow *flow, state_txn *txn, uint32_t object_id,
                                        uint32_t npartitions, engine_rate_table *out,
                                        base_error *err);
uint64_t engine_rate_of(const engine_rate_table *table, int64_t hour);
engine_rate_expected engine_rate_expect(const engine_rate_table *table, int64_t hour);

#endif
