// advise.h - what delay a stream's watermark should have: read from its log, not guessed. For each
// partition and for all: the delay that keeps 50, 90, 99, 99.9, 99.99 % and all of the records on
// time, what the present watermark keeps, and how many windows of views would have been corrected.
//
// How exact: delays and counts are exact as long as the records' disorder has at most
// ENGINE_ADVISE_VALUES different values in microseconds, over all partitions; beyond, delays are
// rounded up by at most 1/2048, and `exact` is false. Windows are counted as if every record of the
// stream were a row of the view, read in the order of append over the partitions; of more than
// ENGINE_ADVISE_WINDOWS windows none are told. Memory is bounded by both, whatever the log's size.
#ifndef WEIR_ENGINE_ADVISE_H
#define WEIR_ENGINE_ADVISE_H

#include "engine/engine.h"

#define ENGINE_ADVISE_VALUES  (1u << 20)
#define ENGINE_ADVISE_WINDOWS (1u << 20)
#define ENGINE_ADVISE_TARGETS 7u // six shares, and the present watermark

typedef struct engine_advice_row {
    int32_t partition;  // -1: all
    const char *target; // "50 %", ..., "all", "present"
    int64_t delay_us;   // of the present one: at the end of the log
    uint64_t records, on_time;
    bool has_windows; // what follows is known: of all partitions, and there are views
    uint64_t windows, corrected;
    const char *ddl; // the WATERMARK clause; NULL: of one partition
} engine_advice_row;

typedef struct engine_advice {
    uint32_t nrows;
    engine_advice_row *rows; // of all first, then by partition
    bool exact;
    const char *views;    // whose windows were counted: names, by commas; "": none
    const char *left_out; // the others that read the stream
} engine_advice;

// keep_going is asked now and then, with the records read and those there are; false: stop,
// BASE_E_CANCELLED. What is told lives in arena. Beside a running engine: the log up to now.
BASE_MUST_USE base_rc engine_advise(engine *e, const plan_object *stream,
                                    bool (*keep_going)(void *arg, uint64_t done, uint64_t all),
                                    void *arg, base_arena *arena, engine_advice *out,
                                    base_error *err);

#endif
