// world.h - the retailer that the simulator plays: stores, products, promotions, and what happens
// in a minute of their lives.
//
// A minute is a pure function of (seed, rate, first day, minute). So the same records with the same
// business keys come out whenever a minute is played again, after a crash or in another process,
// and the file of record can be computed rather than remembered. Minutes must be played in order,
// from the first: the stock that is delivered follows from what was sold before.
//
// Times are microseconds since 2000-01-01 UTC (base/calendar.h), minutes and days count from there
// too. One thread.
#ifndef CONTROL_TOWER_WORLD_H
#define CONTROL_TOWER_WORLD_H

#include "base/random.h"
#include "base/str.h"

enum { WORLD_STORES = 16, WORLD_PRODUCTS = 24, WORLD_PROMOTIONS = 7, WORLD_MINUTES_A_DAY = 1440 };

// Nothing that a minute brings about is delivered later than this many minutes after it.
#define WORLD_REACH_MINUTES 600

typedef enum world_stream {
    WORLD_STORE,
    WORLD_PRODUCT,
    WORLD_PROMOTION,
    WORLD_ORDER_LINE,
    WORLD_STOCK,
    WORLD_MILESTONE,
    WORLD_MARGIN,
    WORLD_STREAMS
} world_stream;
extern const char *const world_stream_names[WORLD_STREAMS]; // "sales.store"

// What was made, by minute played with a sink.
typedef struct world_counts {
    uint64_t records, duplicates, late, malformed, cancellations;
} world_counts;

// Takes one record; json is borrowed. deliver_us: when it reaches weir.
typedef void (*world_sink)(void *arg, world_stream stream, int64_t deliver_us, base_str json);

// A store's day as it truly was.
typedef struct world_day {
    int64_t revenue_cents[WORLD_STORES];
    int64_t orders[WORLD_STORES];
} world_day;

typedef struct world {
    uint64_t seed;
    double rate; // events a second, as a mean over the day
    int64_t first_minute;
    int64_t next_minute;                          // to be played
    int32_t demand[WORLD_STORES][WORLD_PRODUCTS]; // since goods were last ordered
    uint32_t ndays, days_cap;
    world_day *days; // from first_minute's day on
    world_counts counts;
    // Of the minute being played.
    base_random random;
    world_sink sink; // NULL: only what it comes to is kept, not the records
    void *sink_arg;
    uint64_t orders, entries, postings;
    base_buf json;
} world;

// first_minute begins a day.
void world_init(world *w, uint64_t seed, double rate, int64_t first_minute);
void world_deinit(world *w);
void world_play(world *w, world_sink sink, void *arg); // next_minute, and goes on to the one after
// Stores, products and promotions as they stand at a time.
void world_tables(world *w, int64_t us, world_sink sink, void *arg);
// The number of a store as records have it: 1 for the first.
int world_store_id(int store);
uint64_t world_hash(uint64_t seed, uint64_t a, uint64_t b);

#endif
