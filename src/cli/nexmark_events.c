// nexmark_events.c - the events of Nexmark. Invariants: an event depends on the seed and its number
// alone, so any part of the series can be made by itself and again; event times rise with the
// numbers; disorder permutes the arrival within groups as the published generator does. Entry
// point: nexmark_event.
#include "cli/nexmark.h"

#include <math.h>
#include <stdlib.h>

#include "base/calendar.h"
#include "base/hash.h"
#include "base/must.h"
#include "base/random.h"

#define PEOPLE       1u // of EPOCH events
#define AUCTIONS     3u
#define EPOCH        50u
#define FIRST_ID     1000u // of people and auctions
#define CATEGORY     10u   // the first of CATEGORIES
#define CATEGORIES   5u
#define HOT_GROUP    100u // one of so many neighbours is the hot one
#define IN_FLIGHT    100u // auctions open at a time
#define ACTIVE       1000u
#define ID_LEAD      10u // ids that may be named before they exist
#define CHANNELS     10000u
#define STEP         953u // prime, and no divisor of a group: spreads a group's events
#define PERSON_SIZE  200u
#define AUCTION_SIZE 500u
#define BID_SIZE     100u

#define ONE_OF(random, list) list[base_random_below(random, sizeof(list) / sizeof((list)[0]))]

static const char *const first_names[] = {"Peter", "Paul",  "Luke",  "John",   "Saul",  "Vicky",
                                          "Kate",  "Julie", "Sarah", "Deiter", "Walter"};
static const char *const last_names[] = {"Shultz", "Abrams", "Spencer", "White", "Bartels",
                                         "Walton", "Smith",  "Jones",   "Noris"};
static const char *const cities[] = {"Phoenix",  "Los Angeles", "San Francisco", "Boise",
                                     "Portland", "Bend",        "Redmond",       "Seattle",
                                     "Kent",     "Cheyenne"};
static const char *const states[] = {"AZ", "CA", "ID", "OR", "WA", "WY"};
static const char *const hot_channels[] = {"Google", "Facebook", "Baidu", "Apple"};

const char *nexmark_stream_name(nexmark_stream stream) {
    static const char *const names[] = {"person", "auction", "bid"};
    return names[stream];
}

// ---- texts --------------------------------------------------------------------------------------

static void add_word(base_buf *buf, base_random *random, size_t most, char blank) {
    size_t n = 3 + base_random_below(random, most - 3);
    for (size_t i = 0; i < n; i++) {
        bool gap = base_random_below(random, 13) == 0;
        base_buf_add_byte(buf,
                          gap ? (uint8_t)blank : (uint8_t)('a' + base_random_below(random, 26)));
    }
}

// Pads an event of `size` bytes so that events have `average` bytes, give or take a fifth.
static void add_extra(base_buf *buf, base_random *random, size_t size, size_t average) {
    base_buf_add_cstr(buf, ",\"extra\":\"");
    if (size < average) {
        size_t rest = average - size, delta = (rest + 2) / 5;
        size_t n = rest - delta + (delta == 0 ? 0 : base_random_below(random, 2 * delta));
        uint64_t bits = 0;
        for (size_t i = 0; i < n; i++) {
            if (i % 12 == 0) bits = base_random_u64(random); // 26^12 < 2^57
            base_buf_add_byte(buf, (uint8_t)('a' + bits % 26));
            bits /= 26;
        }
    }
    base_buf_add_cstr(buf, "\"}");
}

static void add_number(base_buf *buf, const char *key, uint64_t v) {
    base_buf_printf(buf, "%s%llu", key, (unsigned long long)v);
}

static void add_time(base_buf *buf, const char *key, int64_t ms) {
    int64_t begin_us = (int64_t)base_days_from_civil(2015, 7, 15) * BASE_US_PER_DAY;
    base_civil c = base_civil_from_us(begin_us + ms * 1000);
    base_buf_printf(buf, "%s\"%04d-%02d-%02dT%02d:%02d:%02d.%03d\"", key, c.year, c.month, c.day,
                    c.hour, c.minute, c.second, c.us / 1000);
}

static void add_base_url(base_buf *buf, base_random *random) {
    base_buf_add_cstr(buf, "https://www.nexmark.com/");
    for (int i = 0; i < 3; i++) {
        add_word(buf, random, 5, '_');
        base_buf_add_byte(buf, '/');
    }
    base_buf_add_cstr(buf, "item.htm?query=1");
}

// ---- ids ----------------------------------------------------------------------------------------

// Auctions and people are numbered from 0 in the order of their events; these give the last one
// made when event n is.
static uint64_t last_person(uint64_t n) {
    return n / EPOCH; // one an epoch, its first event
}

static uint64_t last_auction(uint64_t n) {
    uint64_t epoch = n / EPOCH, offset = n % EPOCH;
    if (offset < PEOPLE) return epoch == 0 ? 0 : epoch * AUCTIONS - 1;
    if (offset >= PEOPLE + AUCTIONS) return epoch * AUCTIONS + AUCTIONS - 1;
    return epoch * AUCTIONS + offset - PEOPLE;
}

static uint64_t some_person(base_random *random, uint64_t n) {
    uint64_t people = last_person(n) + 1, active = people < ACTIVE ? people : ACTIVE;
    return people - active + base_random_below(random, active + ID_LEAD);
}

static uint64_t some_auction(base_random *random, uint64_t n) {
    uint64_t last = last_auction(n), first = last > IN_FLIGHT ? last - IN_FLIGHT : 0;
    return first + base_random_below(random, last - first + 1 + ID_LEAD);
}

static uint64_t some_price(base_random *random) {
    return (uint64_t)llround(pow(10.0, base_random_unit(random) * 6.0) * 100.0);
}

static int64_t time_ms(const nexmark_config *config, uint64_t n) {
    return (int64_t)(n * 1000 / config->per_second);
}

// ---- events -------------------------------------------------------------------------------------

static void add_person(const nexmark_config *config, uint64_t n, base_random *random,
                       base_buf *buf) {
    size_t begin = buf->n;
    add_number(buf, "{\"id\":", last_person(n) + FIRST_ID);
    base_buf_printf(buf, ",\"name\":\"%s %s\",\"email_address\":\"", ONE_OF(random, first_names),
                    ONE_OF(random, last_names));
    add_word(buf, random, 7, '.');
    base_buf_add_byte(buf, '@');
    add_word(buf, random, 5, '.');
    base_buf_add_cstr(buf, ".com\",\"credit_card\":\"");
    for (int i = 0; i < 4; i++)
        base_buf_printf(buf, "%s%04u", i > 0 ? " " : "",
                        (unsigned)base_random_below(random, 10000));
    base_buf_printf(buf, "\",\"city\":\"%s\",\"state\":\"%s\"", ONE_OF(random, cities),
                    ONE_OF(random, states));
    size_t names =
        sizeof "\"id\":,\"name\":,\"email_address\":,\"credit_card\":,\"city\":,\"state\":";
    size_t size = buf->n - begin - names;
    add_time(buf, ",\"date_time\":", time_ms(config, n));
    add_extra(buf, random, size, PERSON_SIZE);
}

static void add_auction(const nexmark_config *config, uint64_t n, base_random *random,
                        base_buf *buf) {
    add_number(buf, "{\"id\":", last_auction(n) + FIRST_ID);
    size_t begin = buf->n;
    base_buf_add_cstr(buf, ",\"item_name\":\"");
    add_word(buf, random, 20, ' ');
    base_buf_add_cstr(buf, "\",\"description\":\"");
    add_word(buf, random, 100, ' ');
    base_buf_add_byte(buf, '"');
    size_t texts = buf->n - begin - sizeof ",\"item_name\":\"\",\"description\":\"";
    uint64_t initial = some_price(random);
    add_number(buf, ",\"initial_bid\":", initial);
    add_number(buf, ",\"reserve\":", initial + some_price(random));
    int64_t at_ms = time_ms(config, n);
    add_time(buf, ",\"date_time\":", at_ms);
    // An auction is open for as long as IN_FLIGHT auctions take, on average.
    int64_t horizon_ms = time_ms(config, n + IN_FLIGHT * EPOCH / AUCTIONS) - at_ms;
    uint64_t most_ms = horizon_ms > 0 ? (uint64_t)horizon_ms * 2 : 1;
    add_time(buf, ",\"expires\":", at_ms + 1 + (int64_t)base_random_below(random, most_ms));
    uint64_t seller = base_random_below(random, 4) > 0 ? last_person(n) / HOT_GROUP * HOT_GROUP
                                                       : some_person(random, n);
    add_number(buf, ",\"seller\":", seller + FIRST_ID);
    add_number(buf, ",\"category\":", CATEGORY + base_random_below(random, CATEGORIES));
    add_extra(buf, random, 8 + texts + 5 * 8, AUCTION_SIZE);
}

// A channel's url is the channel's: made from its number alone.
static void add_channel(const nexmark_config *config, base_random *random, base_buf *buf) {
    bool hot = base_random_below(random, 2) > 0;
    uint32_t number = hot ? (uint32_t)base_random_below(random, 4)
                          : (uint32_t)base_random_below(random, CHANNELS);
    base_random own;
    base_random_seed(&own, base_mix64(config->seed + 1) ^ (number * 2u + (hot ? 1u : 0u)));
    if (hot)
        base_buf_printf(buf, ",\"channel\":\"%s\",\"url\":\"", hot_channels[number]);
    else
        base_buf_printf(buf, ",\"channel\":\"channel-%u\",\"url\":\"", number);
    add_base_url(buf, &own);
    if (!hot && base_random_below(&own, 10) > 0)
        base_buf_printf(buf, "&channel_id=%u", (uint32_t)(base_mix64(number) & 0x7fffffffu));
    base_buf_add_byte(buf, '"');
}

static void add_bid(const nexmark_config *config, uint64_t n, base_random *random, base_buf *buf) {
    uint64_t auction = base_random_below(random, 2) > 0 ? last_auction(n) / HOT_GROUP * HOT_GROUP
                                                        : some_auction(random, n);
    uint64_t bidder = base_random_below(random, 4) > 0 ? last_person(n) / HOT_GROUP * HOT_GROUP + 1
                                                       : some_person(random, n);
    add_number(buf, "{\"auction\":", auction + FIRST_ID);
    add_number(buf, ",\"bidder\":", bidder + FIRST_ID);
    add_number(buf, ",\"price\":", some_price(random));
    add_channel(config, random, buf);
    add_time(buf, ",\"date_time\":", time_ms(config, n));
    add_extra(buf, random, 4 * 8, BID_SIZE);
}

nexmark_stream nexmark_event(const nexmark_config *config, uint64_t n, base_buf *buf) {
    uint64_t place = n % EPOCH;
    base_random random;
    base_random_seed(&random, base_mix64(config->seed) + n);
    if (place < PEOPLE) {
        add_person(config, n, &random, buf);
        return NEXMARK_PERSON;
    }
    if (place < PEOPLE + AUCTIONS) {
        add_auction(config, n, &random, buf);
        return NEXMARK_AUCTION;
    }
    add_bid(config, n, &random, buf);
    return NEXMARK_BID;
}

// ---- arrival ------------------------------------------------------------------------------------

void nexmark_arrivals_init(nexmark_arrivals *arrivals, const nexmark_config *config,
                           uint64_t events) {
    *arrivals = (nexmark_arrivals){.config = config, .events = events};
}

void nexmark_arrivals_deinit(nexmark_arrivals *arrivals) {
    free(arrivals->waiting);
}

// Events of a group as long as the disorder change places, as in the published generator.
static uint64_t shuffled(const nexmark_arrivals *arrivals, uint64_t i) {
    uint64_t group = (uint64_t)arrivals->config->disorder_ms * arrivals->config->per_second / 1000;
    while (group > 1 && group % STEP == 0) group--;
    // The last group may be short; it stays as it is.
    if (group < 2 || (i / group + 1) * group > arrivals->events) return i;
    return i / group * group + i * STEP % group;
}

static bool is_late(const nexmark_config *config, uint64_t n) {
    return config->late > 0 && base_mix64(base_mix64(config->seed + 2) ^ n) % 1000 < config->late;
}

static void wait(nexmark_arrivals *arrivals, uint64_t n) {
    if (arrivals->count == arrivals->cap) {
        size_t cap = arrivals->cap == 0 ? 64 : arrivals->cap * 2;
        uint64_t *more = malloc(sizeof *more * cap);
        must(more != NULL);
        for (size_t i = 0; i < arrivals->count; i++)
            more[i] = arrivals->waiting[(arrivals->first + i) & (arrivals->cap - 1)];
        free(arrivals->waiting);
        arrivals->waiting = more;
        arrivals->first = 0;
        arrivals->cap = cap;
    }
    arrivals->waiting[(arrivals->first + arrivals->count++) & (arrivals->cap - 1)] = n;
}

bool nexmark_arrivals_next(nexmark_arrivals *arrivals, uint64_t *n) {
    const nexmark_config *config = arrivals->config;
    uint64_t gap = (uint64_t)config->late_ms * config->per_second / 1000;
    for (;;) {
        uint64_t first = arrivals->count == 0 ? 0 : arrivals->waiting[arrivals->first];
        bool over = arrivals->at == arrivals->events;
        if (arrivals->count > 0 && (over || first + gap <= arrivals->at)) {
            arrivals->first = (arrivals->first + 1) & (arrivals->cap - 1);
            arrivals->count--;
            *n = first;
            return true;
        }
        if (over) return false;
        *n = shuffled(arrivals, arrivals->at++);
        if (!is_late(config, *n)) return true;
        wait(arrivals, *n);
    }
}
