// nexmark.h - the Nexmark benchmark: an auction site's people, auctions and bids, and 23 queries
// over them. Internal to src/cli.
// Source: Tucker, Tufte, Papadimos, Maier, "NEXMark - A Benchmark for Queries over Data Streams"
// (2008), and the generator's parameters as the Beam and Flink implementations publish them: of 50
// events 1 person, 3 auctions, 46 bids; every second bid goes to a hot auction, three of four
// sellers and bidders are hot; half of the bids come by 4 hot channels, the others by 10,000;
// events average 200, 500 and 100 bytes before JSON. An event is a function of the seed and its
// number alone.
#ifndef WEIR_CLI_NEXMARK_H
#define WEIR_CLI_NEXMARK_H

#include "base/str.h"

typedef enum nexmark_stream {
    NEXMARK_PERSON,
    NEXMARK_AUCTION,
    NEXMARK_BID,
    NEXMARK_STREAMS
} nexmark_stream;

typedef struct nexmark_config {
    uint64_t seed;
    uint32_t per_second;  // events of a second of event time
    uint32_t disorder_ms; // events come up to so much out of order; 0: in order
    uint32_t late;        // of 1000 events so many arrive late,
    uint32_t late_ms;     // by so much of event time
} nexmark_config;

// Event n as one JSON object without line feed, added to buf; returns its stream. Events of each
// stream have their own columns, see nexmark_ddl.
nexmark_stream nexmark_event(const nexmark_config *config, uint64_t n, base_buf *buf);
const char *nexmark_stream_name(nexmark_stream stream); // "person", "auction", "bid"

// The order in which events 0 .. events - 1 arrive. init/deinit.
typedef struct nexmark_arrivals {
    const nexmark_config *config;
    uint64_t events, at;      // at: events looked at
    uint64_t *waiting;        // late events, in order; a queue
    size_t first, count, cap; // of waiting; cap a power of two
} nexmark_arrivals;
void nexmark_arrivals_init(nexmark_arrivals *arrivals, const nexmark_config *config,
                           uint64_t events);
void nexmark_arrivals_deinit(nexmark_arrivals *arrivals);
bool nexmark_arrivals_next(nexmark_arrivals *arrivals, uint64_t *n); // false: no more

typedef struct nexmark_query {
    const char *name;    // "q0"
    const char *subject; // one line
    unsigned streams;    // bit 1 << nexmark_stream: what it reads
    uint32_t aim;        // thousands of events/s on one core; 0: none stated
    const char *sql;     // the SELECT, over nexmark.person, .auction, .bid, .side_input
} nexmark_query;

extern const nexmark_query nexmark_queries[];
extern const uint32_t nexmark_queries_count;

// CREATE SCHEMA, STREAM and TABLE statements, NULL-terminated.
extern const char *const nexmark_ddl[];
#define NEXMARK_SIDE_ROWS 10000u // rows of nexmark.side_input: key i, value text

#endif
