// bench_json.cpp - how much of simdjson's own speed the decoder keeps: the same events, in the same
// run, through simdjson's On Demand document stream (values only, stored to arrays) and through
// wire_json_decode (values checked and in columns), for 3 and for 7 fields.
// Usage: bench_json [megabytes] [rounds]
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <simdjson.h>
#include <string>
#include <string_view>
#include <vector>

#define WEIR_BENCH_TEXT_(x) #x
#define WEIR_BENCH_TEXT(x)  WEIR_BENCH_TEXT_(x)
#define WEIR_BENCH_SIMDJSON WEIR_BENCH_TEXT(SIMDJSON_VERSION)
#define _Static_assert static_assert // the headers are C
extern "C" {
#include "wire/json.h"
}

static const size_t event_bytes = 231;

// One event; the note fills it up to event_bytes.
static std::string make_event(uint64_t i) {
    char head[512];
    unsigned us = (unsigned)(i * 37 % 1000000), second = (unsigned)(i / 50000);
    snprintf(
        head, sizeof head,
        "{\"order_id\":%llu,\"store_id\":%u,\"sku\":\"SKU-%06u\",\"qty\":%u,\"net_amount\":%u.%02u,"
        "\"placed_at\":\"2024-05-17T%02u:%02u:%02u.%06uZ\",\"channel\":\"%s\",\"customer\":\"c%"
        "08u\","
        "\"express\":%s,\"note\":\"",
        (unsigned long long)(1000000 + i), (unsigned)(i * 7919 % 10000),
        (unsigned)(i * 31 % 999983), (unsigned)(1 + i % 9), (unsigned)(i * 13 % 900),
        (unsigned)(i % 100), second / 3600 % 24, second / 60 % 60, second % 60, us,
        i % 3 == 0 ? "web" : "shop", (unsigned)(i * 101 % 100000000),
        i % 4 == 0 ? "true" : "false");
    std::string event(head);
    while (event.size() < event_bytes - 2) event += (char)('a' + event.size() % 26);
    return event + "\"}";
}

struct Corpus {
    std::string text;
    size_t bytes = 0;
    std::vector<uint32_t> ends;
};

static Corpus make_corpus(size_t bytes) {
    Corpus corpus;
    for (uint64_t i = 0; corpus.text.size() + event_bytes + 1 <= bytes; i++) {
        corpus.text += make_event(i);
        corpus.ends.push_back((uint32_t)corpus.text.size());
        corpus.text += '\n';
    }
    corpus.bytes = corpus.text.size();
    corpus.text.append(WIRE_JSON_PADDING + simdjson::SIMDJSON_PADDING, ' ');
    return corpus;
}

struct Row {
    int64_t order_id, store_id, qty;
    double net_amount;
    std::string_view placed_at, sku, channel;
};

static double now() {
    using namespace std::chrono;
    return duration<double>(steady_clock::now().time_since_epoch()).count();
}

// Fields in the events' own order, which is the fastest way to ask simdjson.
template <int fields> static uint64_t run_simdjson(const Corpus &corpus, std::vector<Row> &rows) {
    simdjson::ondemand::parser parser;
    simdjson::ondemand::document_stream stream;
    if (parser.iterate_many(corpus.text.data(), corpus.bytes, 1000000).get(stream)) abort();
    size_t n = 0;
    for (auto doc : stream) {
        Row &row = rows[n++];
        simdjson::ondemand::object object;
        if (doc.get_object().get(object)) abort();
        if (fields == 7 && object.find_field("order_id").get_int64().get(row.order_id)) abort();
        if (object.find_field("store_id").get_int64().get(row.store_id)) abort();
        if (fields == 7 && object.find_field("sku").get_string().get(row.sku)) abort();
        if (fields == 7 && object.find_field("qty").get_int64().get(row.qty)) abort();
        if (object.find_field("net_amount").get_double().get(row.net_amount)) abort();
        if (object.find_field("placed_at").get_string().get(row.placed_at)) abort();
        if (fields == 7 && object.find_field("channel").get_string().get(row.channel)) abort();
    }
    return n;
}

static uint64_t run_decode(const Corpus &corpus, wire_json_decoder *decoder, base_arena *arena) {
    uint64_t n = 0;
    const uint32_t batch_rows = 4096;
    for (uint32_t first = 0; first < corpus.ends.size(); first += batch_rows) {
        uint32_t rows = std::min<uint32_t>(batch_rows, (uint32_t)corpus.ends.size() - first);
        col_batch *batch;
        wire_json_fault *faults;
        uint32_t nfaults;
        wire_json_decode(decoder, corpus.text.data(), corpus.bytes, corpus.ends.data(), first, rows,
                         arena, &batch, nullptr, &faults, &nfaults);
        if (nfaults != 0) {
            fprintf(stderr, "document %u: %s\n", first + faults[0].doc, faults[0].message);
            exit(1);
        }
        n += batch->nrows;
        base_arena_reset(arena);
    }
    return n;
}

template <int fields> static void compare(const Corpus &corpus, int rounds) {
    std::vector<wire_json_field> wanted;
    auto add = [&](const char *name, col_kind kind) {
        wanted.push_back({name, col_type_of(kind), true});
    };
    if (fields == 7) add("order_id", COL_INT8);
    add("store_id", COL_INT4);
    if (fields == 7) add("sku", COL_TEXT);
    if (fields == 7) add("qty", COL_INT4);
    add("net_amount", COL_NUMERIC);
    if (fields == 7) wanted.back().type.precision = 12, wanted.back().type.scale = 2;
    add("placed_at", COL_TIMESTAMPTZ);
    if (fields == 7) add("channel", COL_TEXT);
    wire_json_decoder *decoder =
        wire_json_decoder_create(wanted.size(), wanted.data(), WIRE_JSON_UNKNOWN_IGNORE);
    base_arena arena;
    base_arena_init(&arena, 1 << 20);
    std::vector<Row> rows(corpus.ends.size() + 1);
    double simdjson_best = 1e9, decode_best = 1e9;
    for (int round = 0; round < rounds; round++) {
        double t0 = now();
        if (run_simdjson<fields>(corpus, rows) != corpus.ends.size()) abort();
        double t1 = now();
        if (run_decode(corpus, decoder, &arena) != corpus.ends.size()) abort();
        double t2 = now();
        simdjson_best = std::min(simdjson_best, t1 - t0);
        decode_best = std::min(decode_best, t2 - t1);
    }
    double gb = (double)corpus.bytes / 1e9, millions = (double)corpus.ends.size() / 1e6;
    printf("%d fields: simdjson alone %.2f GB/s (%.1f M events/s), to columns %.2f GB/s (%.1f M "
           "events/s), ratio %.0f%%\n",
           fields, gb / simdjson_best, millions / simdjson_best, gb / decode_best,
           millions / decode_best, 100 * simdjson_best / decode_best);
    base_arena_deinit(&arena);
    wire_json_decoder_destroy(decoder);
}

int main(int argc, char **argv) {
    size_t megabytes = argc > 1 ? strtoul(argv[1], nullptr, 10) : 64;
    int rounds = argc > 2 ? atoi(argv[2]) : 7;
    if (megabytes == 0 || megabytes > 2000 || rounds < 1) {
        fprintf(stderr, "usage: bench_json [megabytes, 1 to 2000] [rounds]\n");
        return 2;
    }
    Corpus corpus = make_corpus(megabytes << 20);
    printf("%zu events of %zu bytes; simdjson %s, index by %s, On Demand by %s\n",
           corpus.ends.size(), event_bytes, WEIR_BENCH_SIMDJSON,
           simdjson::get_active_implementation()->name().c_str(),
           WEIR_BENCH_TEXT(SIMDJSON_BUILTIN_IMPLEMENTATION));
    compare<3>(corpus, rounds);
    compare<7>(corpus, rounds);
    return 0;
}
