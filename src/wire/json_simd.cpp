// json_simd.cpp - the only C++ file: simdjson's first stage, and correctly rounded floats. Only the
// first stage is used: it finds the structure of many documents at several gigabytes a second, and
// the walk over its index (json.c) knows the columns, so it needs no intermediate values. The
// implementation for this processor is chosen at run time by simdjson.
// Entry point: wire_simd_index.
#include "wire/json_int.h"

#include <charconv>
#include <cstdlib>
#include <memory>
#include <simdjson.h>

#ifdef WIRE_JSON_SCAN
// This file is compiled again, for benches only, with WIRE_JSON_SCAN as the name of this one
// function: once for any processor and once for those with AVX2, since simdjson's On Demand
// interface, unlike its first stage, is fixed when it is compiled. wire_json_scan (json_scan.c)
// chooses.
extern "C" uint64_t WIRE_JSON_SCAN(const char *text, size_t n, const char *integer,
                                   const char *number, const char *string, double *sum);

uint64_t WIRE_JSON_SCAN(const char *text, size_t n, const char *integer, const char *number,
                        const char *string, double *sum) {
    simdjson::ondemand::parser parser;
#ifdef SIMDJSON_THREADS_ENABLED
    parser.threaded = false; // one core is what is compared
#endif
    simdjson::ondemand::document_stream stream;
    std::string_view integer_name(integer), number_name(number), string_name(string);
    uint64_t count = 0;
    if (parser.iterate_many(text, n, 1u << 20).get(stream)) return 0;
    for (auto doc : stream) {
        simdjson::ondemand::object object;
        int64_t i;
        double d;
        std::string_view s;
        if (doc.get_object().get(object) || object.find_field(integer_name).get_int64().get(i) ||
            object.find_field(number_name).get_double().get(d) ||
            object.find_field(string_name).get_string().get(s)) {
            continue;
        }
        *sum += (double)i + d + (double)s.size();
        count++;
    }
    return count;
}

#else // the decoder

// One large document may need a large index (four bytes for each of its own); what is beyond
// kept_bytes is given back at the next ordinary call.
static constexpr size_t ordinary_bytes = 64u << 10;
static constexpr size_t kept_bytes = 1u << 20;

struct wire_simd {
    std::unique_ptr<simdjson::internal::dom_parser_implementation> parser;
    size_t capacity = 0;
};

static bool set_capacity(wire_simd *simd, size_t bytes) {
    simdjson::error_code error;
    if (!simd->parser) {
        error = simdjson::get_active_implementation()->create_dom_parser_implementation(
            bytes, 1, simd->parser);
    } else {
        error = simd->parser->set_capacity(bytes);
    }
    simd->capacity = error == simdjson::SUCCESS ? bytes : 0;
    return error == simdjson::SUCCESS;
}

wire_simd *wire_simd_create(void) {
    wire_simd *simd = new (std::nothrow) wire_simd;
    if (simd != nullptr && !set_capacity(simd, ordinary_bytes)) {
        delete simd;
        simd = nullptr;
    }
    return simd;
}

void wire_simd_destroy(wire_simd *simd) {
    delete simd;
}

wire_simd_status wire_simd_index(wire_simd *simd, const char *text, size_t n,
                                 const uint32_t **positions, uint32_t *count) {
    bool too_large = n > simd->capacity;
    bool too_generous = simd->capacity > kept_bytes && n <= ordinary_bytes;
    if ((too_large || too_generous) &&
        !set_capacity(simd, n > ordinary_bytes ? n + n / 4 : ordinary_bytes)) {
        return WIRE_SIMD_TOO_BIG;
    }
    simdjson::error_code error = simd->parser->stage1(reinterpret_cast<const uint8_t *>(text), n,
                                                      simdjson::stage1_mode::regular);
    switch (error) {
    case simdjson::SUCCESS:
        break;
    case simdjson::EMPTY:
        return WIRE_SIMD_EMPTY;
    case simdjson::UTF8_ERROR:
        return WIRE_SIMD_UTF8;
    case simdjson::UNESCAPED_CHARS:
        return WIRE_SIMD_CONTROL;
    case simdjson::UNCLOSED_STRING:
        return WIRE_SIMD_UNCLOSED;
    default:
        return WIRE_SIMD_TOO_BIG;
    }
    // simdjson allocates nine entries more than the capacity rounded up to 64.
    uint32_t *index = simd->parser->structural_indexes.get();
    *count = simd->parser->n_structural_indexes;
    for (int i = 0; i < WIRE_SIMD_SENTINELS; i++) index[*count + i] = UINT32_MAX;
    *positions = index;
    return WIRE_SIMD_OK;
}

bool wire_simd_double(const char *p, const char *e, double *out) {
    std::from_chars_result result = std::from_chars(p, e, *out);
    return result.ec == std::errc() && result.ptr == e;
}

bool wire_simd_float(const char *p, const char *e, float *out) {
    std::from_chars_result result = std::from_chars(p, e, *out);
    return result.ec == std::errc() && result.ptr == e;
}

#endif
