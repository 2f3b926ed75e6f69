// world.c - see world.h. The scenery is in tables at the top, then chance, then orders with all
// that follows from them, goods, and last the faults of the way from the tills to weir: disorder,
// records sent twice, stores without a connection, broken records. Entry point: world_play.
#include "world.h"

#include <math.h>
#include <stdlib.h>

#include "base/calendar.h"
#include "base/hash.h"
#include "base/must.h"

#define SECOND BASE_US_PER_SECOND
#define MINUTE BASE_US_PER_MINUTE

#define EVENTS_AN_ORDER 7.6 // as a mean, all streams together
#define WEB_SHARE       0.30
#define DUPLICATE_SHARE 0.010
#define MALFORMED_SHARE 0.003
#define GOODS_MINUTES   120 // goods are ordered so often
#define OUTAGE_MINUTES  30  // one store comes back so often
#define OUTAGE_LONGEST  150

const char *const world_stream_names[WORLD_STREAMS] = {
    "sales.store",           "sales.product",        "sales.promotion",       "sales.order_line",
    "inventory.stock_entry", "fulfilment.milestone", "pricing.margin_posting"};

static const struct {
    const char *name, *region, *country;
    double weight; // of the orders
} stores[WORLD_STORES] = {
    {"Hamburg Jungfernstieg", "north", "DE", 9.5}, {"Hamburg Altona", "north", "DE", 5.0},
    {"Bremen Domshof", "north", "DE", 4.0},        {"Kiel Holstenplatz", "north", "DE", 2.5},
    {"Berlin Alexanderplatz", "east", "DE", 11.0}, {"Berlin Neukölln", "east", "DE", 5.5},
    {"Leipzig Markt", "east", "DE", 5.0},          {"Dresden Altmarkt", "east", "DE", 4.5},
    {"Köln Schildergasse", "west", "DE", 9.0},     {"Düsseldorf Kö", "west", "DE", 7.5},
    {"Essen Limbecker Platz", "west", "DE", 5.0},  {"Maastricht Markt", "west", "NL", 3.0},
    {"München Marienplatz", "south", "DE", 12.0},  {"Stuttgart Königstraße", "south", "DE", 7.0},
    {"Salzburg Altstadt", "south", "AT", 4.0},     {"Freiburg Münster", "south", "DE", 2.5}};

static const struct {
    const char *sku, *name, *category;
    int32_t price_cents, cost_cents;
    double weight;
} products[WORLD_PRODUCTS] = {{"COF-250", "Coffee beans 250 g", "coffee", 699, 389, 12},
                              {"COF-1000", "Coffee beans 1 kg", "coffee", 2199, 1340, 6},
                              {"COF-DEC", "Decaf 250 g", "coffee", 749, 420, 3},
                              {"COF-POT", "Moka pot", "coffee", 3490, 1810, 2},
                              {"TEA-GRN", "Green tea 100 g", "tea", 590, 245, 7},
                              {"TEA-BLK", "Black tea 100 g", "tea", 490, 190, 7},
                              {"TEA-HRB", "Herbal tea 20 bags", "tea", 329, 140, 6},
                              {"TEA-POT", "Glass teapot", "tea", 2990, 1480, 1.5},
                              {"CHO-DRK", "Dark chocolate 70%", "sweets", 279, 128, 14},
                              {"CHO-MLK", "Milk chocolate", "sweets", 249, 110, 13},
                              {"CHO-BOX", "Pralines, box of 16", "sweets", 1490, 720, 4},
                              {"BIS-TIN", "Biscuits, tin", "sweets", 990, 450, 4},
                              {"MUG-STD", "Mug", "kitchen", 890, 310, 5},
                              {"MUG-SET", "Mugs, set of 4", "kitchen", 2990, 1180, 2},
                              {"KNF-CHF", "Chef's knife", "kitchen", 5990, 2950, 1},
                              {"BRD-OAK", "Oak cutting board", "kitchen", 3990, 1900, 1.2},
                              {"CDL-STD", "Candle", "home", 490, 160, 6},
                              {"CDL-BIG", "Three-wick candle", "home", 1990, 720, 2.5},
                              {"BLK-WOL", "Wool blanket", "home", 7990, 3900, 0.8},
                              {"VAS-CER", "Ceramic vase", "home", 2490, 980, 1.2},
                              {"NTB-A5", "Notebook A5", "paper", 690, 210, 5},
                              {"PEN-GEL", "Gel pen", "paper", 229, 70, 8},
                              {"CAR-SET", "Cards, set of 10", "paper", 899, 260, 3},
                              {"WRP-ROL", "Wrapping paper", "paper", 399, 120, 4}};

static const struct {
    const char *id, *name, *category;
    int percent;
    int cycle, on, phase; // minutes
    bool flash;           // its row is deleted when it stops
} promotions[WORLD_PROMOTIONS] = {
    {"COFFEE-HOUR", "Coffee hour", "coffee", 15, 120, 60, 0, false},
    {"TEA-TIME", "Tea time", "tea", 20, 90, 45, 25, false},
    {"SWEET-40", "Sweet forty", "sweets", 10, 80, 40, 10, false},
    {"KITCHEN-WEEK", "Kitchen week", "kitchen", 25, 1440, 900, 400, false},
    {"COSY-EVENING", "Cosy evening", "home", 15, 720, 300, 180, false},
    {"PAPER-PLUS", "Paper plus", "paper", 30, 60, 25, 35, false},
    {"FLASH", "Flash sale: pralines and biscuits", "sweets", 35, 45, 10, 5, true}};

// Orders by hour of the day (UTC), about 1 as a mean. The web shop never sleeps.
static const double hours[24] = {0.70, 0.60, 0.55, 0.55, 0.55, 0.60, 0.70, 0.85,
                                 0.95, 1.10, 1.20, 1.30, 1.35, 1.25, 1.20, 1.25,
                                 1.40, 1.55, 1.50, 1.30, 1.10, 0.95, 0.85, 0.75};

// ---- chance ------------------------------------------------------------------------------------

uint64_t world_hash(uint64_t seed, uint64_t a, uint64_t b) {
    uint64_t parts[3] = {seed, a, b};
    return base_hash64(parts, sizeof parts);
}

static double unit(world *w) {
    return base_random_unit(&w->random);
}

static int64_t between(world *w, int64_t low, int64_t high) { // both included
    return low + (int64_t)base_random_below(&w->random, (uint64_t)(high - low + 1));
}

static uint32_t poisson(world *w, double mean) {
    if (mean > 60) { // near enough to a normal one
        double normal = sqrt(-2 * log(1 - unit(w))) * cos(6.283185307179586 * unit(w));
        double value = mean + sqrt(mean) * normal;
        return value < 0 ? 0 : (uint32_t)(value + 0.5);
    }
    double limit = exp(-mean), product = unit(w);
    uint32_t n = 0;
    for (; product > limit; n++) product *= unit(w);
    return n;
}

static int pick_store(world *w) {
    double at = unit(w) * 97.0; // the sum of the weights
    for (int s = 0; s < WORLD_STORES; s++)
        if ((at -= stores[s].weight) < 0) return s;
    return WORLD_STORES - 1;
}

static double product_weights(void) {
    double sum = 0;
    for (int p = 0; p < WORLD_PRODUCTS; p++) sum += products[p].weight;
    return sum;
}

static int pick_product(world *w) {
    double at = unit(w) * product_weights();
    for (int p = 0; p < WORLD_PRODUCTS; p++)
        if ((at -= products[p].weight) < 0) return p;
    return WORLD_PRODUCTS - 1;
}

// ---- promotions and outages: functions of the minute
// ---------------------------------------------

static int64_t promotion_phase(int p, int64_t minute) {
    return (minute + promotions[p].phase) % promotions[p].cycle;
}

static bool promotion_runs(int p, int64_t minute) {
    return promotion_phase(p, minute) < promotions[p].on;
}

static int promotion_for(int product, int64_t minute) { // -1: none
    for (int p = WORLD_PROMOTIONS - 1; p >= 0; p--)
        if (strcmp(promotions[p].category, products[product].category) == 0 &&
            promotion_runs(p, minute) && (!promotions[p].flash || product >= 10))
            return p;
    return -1;
}

// In each slot of half an hour one store comes back, after having been away for 5 to 150.
static void outage(const world *w, int64_t slot, int *store, int64_t *from, int64_t *until) {
    base_random random;
    base_random_seed(&random, world_hash(w->seed, (uint64_t)slot, 0x6f757461));
    *store = (int)base_random_below(&random, WORLD_STORES);
    *until = slot * OUTAGE_MINUTES + (int64_t)base_random_below(&random, OUTAGE_MINUTES);
    double length = base_random_unit(&random);
    *from = *until - 5 - (int64_t)(length * length * (OUTAGE_LONGEST - 5));
}

// When a store that is away in this minute comes back; -1: it is there.
static int64_t away_until(const world *w, int store, int64_t minute) {
    int64_t back = -1, first = minute / OUTAGE_MINUTES;
    for (int64_t slot = first; slot <= first + OUTAGE_LONGEST / OUTAGE_MINUTES + 1; slot++) {
        int who;
        int64_t from, until;
        outage(w, slot, &who, &from, &until);
        if (who == store && minute >= from && minute < until && until > back) back = until;
    }
    return back;
}

// ---- records and their way
// -----------------------------------------------------------------------

static void add_time(base_buf *json, const char *name, int64_t us) {
    char text[BASE_TIME_TEXT_MAX];
    int n = base_rfc3339_format(us, text);
    base_buf_printf(json, ",\"%s\":\"%.*s\"", name, n, text);
}

static void add_cents(base_buf *json, const char *name, int64_t cents) {
    base_buf_printf(json, ",\"%s\":\"%s%lld.%02lld\"", name, cents < 0 ? "-" : "",
                    (long long)llabs(cents) / 100, (long long)llabs(cents) % 100);
}

// Breaks the record in w->json in one of the ways in which tills, hands and cables do.
static void send_broken(world *w, world_stream stream, int64_t deliver_us) {
    base_buf broken = {0};
    const char *text = base_buf_cstr(&w->json);
    const char *qty = strstr(text, "\"qty\":"), *store = strstr(text, "\"store_id\":");
    const char *rest;
    switch (between(w, 0, 4)) {
    case 0: // a field is missing
    case 1: // a field has the wrong type
        must(store != NULL);
        rest = store + strcspn(store, ",}");
        base_buf_add(&broken, text, (size_t)(store - text));
        if (between(w, 0, 1) == 0)
            base_buf_add_cstr(&broken, "\"store_id\":\"unknown\"");
        else
            rest += *rest == ',';
        base_buf_add_cstr(&broken, rest);
        break;
    case 2: // nothing was counted
    case 3:
        if (qty != NULL) {
            base_buf_add(&broken, text, (size_t)(qty - text));
            base_buf_add_cstr(&broken, stream == WORLD_ORDER_LINE ? "\"qty\":0" : "\"qty\":\"-\"");
            base_buf_add_cstr(&broken, qty + strcspn(qty, ",}"));
            break;
        }
        base_buf_add(&broken, text, w->json.n - 1);
        base_buf_add_cstr(&broken, ",\"till_firmware\":\"0.9-beta\"}"); // nobody agreed on that
        break;
    default: // the line broke
        base_buf_add(&broken, text, w->json.n * 2 / 3);
    }
    w->sink(w->sink_arg, stream, deliver_us, base_buf_str(&broken));
    w->counts.malformed++;
    base_buf_deinit(&broken);
}

// Sends w->json, an event of a time in a store; at_till: it waits while the store is away. Draws
// the same chances whether or not there is a sink: what comes after must not depend on it.
static void send(world *w, world_stream stream, int64_t at_us, int store, bool at_till) {
    double speed = unit(w);
    int64_t delay = speed < 0.70   ? between(w, 0, SECOND)
                    : speed < 0.98 ? between(w, SECOND, 8 * SECOND)
                                   : between(w, 8 * SECOND, 28 * SECOND);
    double faults = unit(w);
    int64_t again = between(w, SECOND / 2, 30 * SECOND);
    if (w->sink == NULL) return;
    base_random before = w->random;
    int64_t deliver_us = at_us + delay;
    int64_t back = at_till ? away_until(w, store, at_us / MINUTE) : -1;
    if (back >= 0 && back * MINUTE > deliver_us) {
        deliver_us = back * MINUTE + delay;
        w->counts.late++;
    }
    if (faults < MALFORMED_SHARE) send_broken(w, stream, deliver_us);
    w->sink(w->sink_arg, stream, deliver_us, base_buf_str(&w->json));
    w->counts.records++;
    if (faults > 1 - DUPLICATE_SHARE) {
        w->sink(w->sink_arg, stream, deliver_us + again, base_buf_str(&w->json));
        w->counts.duplicates++;
    }
    w->random = before;
}

// ---- orders
// ---------------------------------------------------------------------------------------

typedef struct line {
    int product, promotion;
    int32_t qty;
    int64_t net_cents, cost_cents;
} line;

typedef struct order {
    uint64_t id;
    int store;
    bool web;
    int64_t placed_us;
    int customer; // -1: no card was shown
    uint32_t nlines;
    line lines[5];
} order;

static world_day *day_of(world *w, int64_t us) {
    int64_t day = us / BASE_US_PER_DAY - w->first_minute / WORLD_MINUTES_A_DAY;
    must(day >= 0 && day < 100000);
    if (day >= w->days_cap) {
        uint32_t cap = (uint32_t)day * 2 + 8;
        w->days = realloc(w->days, cap * sizeof *w->days);
        must(w->days != NULL);
        memset(w->days + w->days_cap, 0, (cap - w->days_cap) * sizeof *w->days);
        w->days_cap = cap;
    }
    if (day >= w->ndays) w->ndays = (uint32_t)day + 1;
    return &w->days[day];
}

static void send_line(world *w, const order *o, uint32_t i, bool cancels, int64_t at_us) {
    static const char *const segments[] = {"new", "regular", "gold"};
    const line *l = &o->lines[i];
    base_buf *json = &w->json;
    int sign = cancels ? -1 : 1;
    base_buf_clear(json);
    base_buf_printf(json,
                    "{\"order_id\":%llu,\"line_no\":%u,\"kind\":\"%s\",\"store_id\":%d,"
                    "\"channel\":\"%s\",\"sku\":\"%s\",\"qty\":%d",
                    (unsigned long long)o->id, i + 1, cancels ? "cancellation" : "sale",
                    world_store_id(o->store), o->web ? "web" : "till", products[l->product].sku,
                    sign * l->qty);
    add_cents(json, "net_amount", sign * l->net_cents);
    if (l->promotion >= 0)
        base_buf_printf(json, ",\"promo_id\":\"%s\"", promotions[l->promotion].id);
    if (o->customer >= 0)
        base_buf_printf(json,
                        ",\"customer\":{\"segment\":\"%s\",\"country\":\"%s\",\"loyalty\":"
                        "{\"tier\":\"%c\",\"points\":%d}}",
                        segments[o->customer % 3], stores[o->store].country,
                        'A' + o->customer / 3 % 3, o->customer * 7);
    add_time(json, "placed_at", at_us);
    base_buf_add_byte(json, '}');
    send(w, WORLD_ORDER_LINE, at_us, o->store, !o->web);
    world_day *day = day_of(w, at_us);
    day->revenue_cents[o->store] += sign * l->net_cents;
    if (cancels)
        w->counts.cancellations += w->sink != NULL;
    else if (i == 0)
        day->orders[o->store]++;
}

static void send_entry(world *w, int store, int product, const char *entry, int32_t qty,
                       uint64_t order_id, int64_t at_us, bool at_till) {
    base_buf *json = &w->json;
    base_buf_clear(json);
    base_buf_printf(json,
                    "{\"entry_id\":%llu,\"sku\":\"%s\",\"store_id\":%d,\"entry\":\"%s\","
                    "\"qty\":%d",
                    (unsigned long long)w->entries++, products[product].sku, world_store_id(store),
                    entry, qty);
    if (order_id > 0) base_buf_printf(json, ",\"order_id\":%llu", (unsigned long long)order_id);
    add_time(json, "moved_at", at_us);
    base_buf_add_byte(json, '}');
    send(w, WORLD_STOCK, at_us, store, at_till);
}

static void send_entries(world *w, const order *o, const char *entry, int64_t at_us) {
    for (uint32_t i = 0; i < o->nlines; i++)
        send_entry(w, o->store, o->lines[i].product, entry, o->lines[i].qty, o->id, at_us, !o->web);
}

static void send_milestone(world *w, const order *o, const char *milestone, int64_t at_us) {
    static const char *const carriers[] = {"DHL", "GLS", "bike"};
    base_buf *json = &w->json;
    base_buf_clear(json);
    base_buf_printf(json, "{\"order_id\":%llu,\"milestone\":\"%s\",\"store_id\":%d",
                    (unsigned long long)o->id, milestone, world_store_id(o->store));
    if (milestone[0] == 's' || milestone[2] == 'l')
        base_buf_printf(json, ",\"carrier\":\"%s\"", carriers[o->id % 3]);
    add_time(json, "happened_at", at_us);
    base_buf_add_byte(json, '}');
    send(w, WORLD_MILESTONE, at_us, o->store, false);
}

static void send_posting(world *w, int store, const char *category, const char *reason,
                         int64_t revenue_cents, int64_t cost_cents, int64_t day, int64_t at_us) {
    base_buf *json = &w->json;
    char date[BASE_TIME_TEXT_MAX];
    int n = base_date_format((int32_t)day, date);
    base_buf_clear(json);
    base_buf_printf(json,
                    "{\"posting_id\":%llu,\"store_id\":%d,\"category\":\"%s\",\"reason\":\"%s\"",
                    (unsigned long long)w->postings++, world_store_id(store), category, reason);
    add_cents(json, "revenue", revenue_cents);
    add_cents(json, "cost", cost_cents);
    base_buf_printf(json, ",\"booked_on\":\"%.*s\"", n, date);
    add_time(json, "posted_at", at_us);
    base_buf_add_byte(json, '}');
    send(w, WORLD_MARGIN, at_us, store, false);
}

static void cancel_order(world *w, const order *o, int64_t at_us) {
    for (uint32_t i = 0; i < o->nlines; i++) send_line(w, o, i, true, at_us);
}

// A web order on its way: paid, then one of several ends.
static void fulfil(world *w, const order *o) {
    int64_t paid_us = o->placed_us + between(w, 5, 60) * SECOND;
    int64_t deadline_us = o->placed_us + 60 * MINUTE, shipped_us = 0, cancelled_us = 0;
    double fate = unit(w);
    send_entries(w, o, "reserved", o->placed_us);
    send_milestone(w, o, "paid", paid_us);
    if (fate < 0.86)
        shipped_us = o->placed_us + between(w, 10, 58) * MINUTE;
    else if (fate < 0.92)
        shipped_us = o->placed_us + between(w, 62, 150) * MINUTE; // late
    else if (fate < 0.955)
        shipped_us = o->placed_us + between(w, 180, 300) * MINUTE; // lay about
    else if (fate < 0.96)
        shipped_us = 0; // lost
    else if (fate < 0.99)
        cancelled_us = paid_us + between(w, 5, 30) * MINUTE;
    else {
        shipped_us = o->placed_us + between(w, 10, 30) * MINUTE;
        cancelled_us = shipped_us + between(w, 5, 60) * MINUTE; // too late
    }
    if (shipped_us > 0) {
        send_milestone(w, o, "shipped", shipped_us);
        send_entries(w, o, "shipped", shipped_us);
    }
    if (cancelled_us > 0) {
        send_milestone(w, o, "cancelled", cancelled_us);
        if (shipped_us == 0) send_entries(w, o, "released", cancelled_us);
        cancel_order(w, o, cancelled_us);
    } else if (shipped_us > 0) {
        send_milestone(w, o, "delivered", shipped_us + between(w, 40, 120) * MINUTE);
    }
    send_milestone(w, o, "deadline", deadline_us);
}

static void make_order(world *w, int64_t minute) {
    static const double sizes[] = {0.35, 0.63, 0.81, 0.93, 1};
    order o = {.id = w->orders++, .customer = -1};
    o.placed_us = minute * MINUTE + between(w, 0, MINUTE - 1);
    o.store = pick_store(w);
    o.web = unit(w) < WEB_SHARE;
    if (unit(w) < 0.4) o.customer = (int)between(w, 0, 999);
    double size = unit(w);
    while (size >= sizes[o.nlines]) o.nlines++;
    o.nlines++;
    int64_t net_cents = 0, cost_cents = 0;
    for (uint32_t i = 0; i < o.nlines; i++) {
        line *l = &o.lines[i];
        l->product = pick_product(w);
        l->qty =
            products[l->product].price_cents > 2000 || unit(w) < 0.7 ? 1 : (int)between(w, 2, 4);
        l->promotion = unit(w) < 0.85 ? promotion_for(l->product, minute) : -1;
        int64_t price = products[l->product].price_cents;
        if (l->promotion >= 0) price = price * (100 - promotions[l->promotion].percent) / 100;
        l->net_cents = price * l->qty;
        l->cost_cents = (int64_t)products[l->product].cost_cents * l->qty;
        net_cents += l->net_cents;
        cost_cents += l->cost_cents;
        w->demand[o.store][l->product] += l->qty;
        send_line(w, &o, i, false, o.placed_us);
    }
    send_posting(w, o.store, products[o.lines[0].product].category, "sale", net_cents, cost_cents,
                 o.placed_us / BASE_US_PER_DAY, o.placed_us + between(w, 1, 20) * SECOND);
    if (o.web) {
        fulfil(w, &o);
        return;
    }
    send_entries(w, &o, "sold", o.placed_us);
    if (unit(w) < 0.02) send_line(w, &o, 0, true, o.placed_us + between(w, 10, 120) * MINUTE);
}

// ---- goods and tables
// -----------------------------------------------------------------------------

// What was asked for since the last time comes back, mostly soon; some lorries are late.
static void order_goods(world *w, int64_t minute) {
    double mean = w->rate * 60 / EVENTS_AN_ORDER * GOODS_MINUTES * 2.28 * 1.5;
    for (int s = 0; s < WORLD_STORES; s++)
        for (int p = 0; p < WORLD_PRODUCTS; p++) {
            int32_t qty = w->demand[s][p];
            bool first = minute == w->first_minute;
            w->demand[s][p] = 0;
            if (first && world_hash(w->seed, (uint64_t)s, (uint64_t)p) % 100 < 7)
                qty = 1 + (p & 1); // a short shelf, which will often be empty
            else if (first)
                qty = 4 + (int32_t)(mean * 1.8 * stores[s].weight / 97 * products[p].weight /
                                    product_weights());
            bool late = unit(w) < 0.06;
            int64_t at = minute + (first ? 0 : late ? between(w, 60, 110) : between(w, 1, 30));
            if (qty > 0)
                send_entry(w, s, p, "received", qty, 0, at * MINUTE + between(w, 0, SECOND), false);
        }
}

static void send_promotion(world *w, int p, int64_t minute, int64_t at_us, bool deletes) {
    int64_t phase = promotion_phase(p, minute);
    bool runs = phase < promotions[p].on;
    base_buf *json = &w->json;
    base_buf_clear(json);
    if (deletes) {
        base_buf_printf(json, "{\"_op\":\"delete\",\"promo_id\":\"%s\"}", promotions[p].id);
    } else {
        base_buf_printf(json,
                        "{\"_op\":\"upsert\",\"promo_id\":\"%s\",\"name\":\"%s\",\"category\":"
                        "\"%s\",\"discount\":0.%02d,\"running\":%s",
                        promotions[p].id, promotions[p].name, promotions[p].category,
                        promotions[p].percent, runs ? "true" : "false");
        int64_t begin = minute - phase;
        add_time(json, "starts_at", begin * MINUTE);
        add_time(json, "ends_at", (begin + promotions[p].on) * MINUTE);
        base_buf_add_byte(json, '}');
    }
    w->sink(w->sink_arg, WORLD_PROMOTION, at_us, base_buf_str(json));
    w->counts.records++;
}

static void send_store(world *w, int s, int64_t minute, int64_t at_us) {
    base_buf *json = &w->json;
    base_buf_clear(json);
    base_buf_printf(
        json,
        "{\"store_id\":%d,\"name\":\"%s\",\"region\":\"%s\",\"opened\":\"20%02d-03-01\","
        "\"offline\":%s}",
        world_store_id(s), stores[s].name, stores[s].region, 4 + s,
        away_until(w, s, minute) >= 0 ? "true" : "false");
    w->sink(w->sink_arg, WORLD_STORE, at_us, base_buf_str(json));
    w->counts.records++;
}

static void change_tables(world *w, int64_t minute) {
    if (w->sink == NULL) return;
    for (int p = 0; p < WORLD_PROMOTIONS; p++)
        if (promotion_runs(p, minute) != promotion_runs(p, minute - 1))
            send_promotion(w, p, minute, minute * MINUTE,
                           promotions[p].flash && !promotion_runs(p, minute));
    for (int s = 0; s < WORLD_STORES; s++)
        if ((away_until(w, s, minute) >= 0) != (away_until(w, s, minute - 1) >= 0))
            send_store(w, s, minute, minute * MINUTE);
}

void world_tables(world *w, int64_t us, world_sink sink, void *arg) {
    int64_t minute = us / MINUTE;
    w->sink = sink;
    w->sink_arg = arg;
    for (int s = 0; s < WORLD_STORES; s++) send_store(w, s, minute, us);
    for (int p = 0; p < WORLD_PRODUCTS; p++) {
        base_buf_clear(&w->json);
        base_buf_printf(&w->json, "{\"sku\":\"%s\",\"name\":\"%s\",\"category\":\"%s\"",
                        products[p].sku, products[p].name, products[p].category);
        add_cents(&w->json, "list_price", products[p].price_cents);
        add_cents(&w->json, "unit_cost", products[p].cost_cents);
        base_buf_add_byte(&w->json, '}');
        sink(arg, WORLD_PRODUCT, us, base_buf_str(&w->json));
        w->counts.records++;
    }
    for (int p = 0; p < WORLD_PROMOTIONS; p++)
        if (!promotions[p].flash || promotion_runs(p, minute))
            send_promotion(w, p, minute, us, false);
}

// ---- a minute
// -------------------------------------------------------------------------------------

int world_store_id(int store) {
    return store + 1;
}

void world_init(world *w, uint64_t seed, double rate, int64_t first_minute) {
    must(first_minute % WORLD_MINUTES_A_DAY == 0);
    *w = (world){
        .seed = seed, .rate = rate, .first_minute = first_minute, .next_minute = first_minute};
}

void world_deinit(world *w) {
    free(w->days);
    base_buf_deinit(&w->json);
}

void world_play(world *w, world_sink sink, void *arg) {
    int64_t minute = w->next_minute++;
    w->sink = sink;
    w->sink_arg = arg;
    base_random_seed(&w->random, world_hash(w->seed, (uint64_t)minute, 0x6d696e75));
    w->orders = (uint64_t)minute * 10000;
    w->entries = (uint64_t)minute * 100000;
    w->postings = (uint64_t)minute * 10000;
    change_tables(w, minute);
    if (minute % GOODS_MINUTES == 0) order_goods(w, minute);
    int64_t of_day = minute % WORLD_MINUTES_A_DAY;
    double share = (double)(of_day % 60) / 60;
    double busy = hours[of_day / 60] * (1 - share) + hours[(of_day / 60 + 1) % 24] * share;
    uint32_t n = poisson(w, w->rate * 60 / EVENTS_AN_ORDER * busy);
    for (uint32_t i = 0; i < n && i < 9999; i++) make_order(w, minute);
    if (unit(w) < 0.2) { // what finance hears of later: it counts for a day that is over
        int64_t day = minute / WORLD_MINUTES_A_DAY - between(w, 1, 4);
        int store = pick_store(w);
        bool bonus = unit(w) < 0.7;
        send_posting(w, store, products[pick_product(w)].category,
                     bonus ? "supplier bonus" : "correction", 0,
                     bonus ? -between(w, 1000, 25000) : between(w, 100, 4000), day,
                     minute * MINUTE + between(w, 0, MINUTE - 1));
    }
}
