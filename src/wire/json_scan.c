// json_scan.c - simdjson by itself, as the measure of what could be reached: chooses the
// compilation of json_simd.cpp that fits this processor. For benches only.
#include "wire/json.h"

// simdjson alone (json_simd.cpp), by processor.
uint64_t wire_json_scan_plain(const char *text, size_t n, const char *integer, const char *number,
                              const char *string, double *sum);
uint64_t wire_json_scan_avx2(const char *text, size_t n, const char *integer, const char *number,
                             const char *string, double *sum);

uint64_t wire_json_scan(const char *text, size_t n, const char *integer, const char *number,
                        const char *string, double *sum) {
#ifdef WIRE_JSON_SCAN_AVX2
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") &&
        __builtin_cpu_supports("pclmul"))
        return wire_json_scan_avx2(text, n, integer, number, string, sum);
#endif
    return wire_json_scan_plain(text, n, integer, number, string, sum);
}
