// Text of decimals, dates, times, timestamps and intervals. What is accepted must be printable, and
// its print must be accepted again as the same value.
#include <stdlib.h>

#include "base/calendar.h"
#include "base/decimal.h"
#include "base/must.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void try_decimal(base_str text) {
    base_decimal d, back;
    base_error err;
    if (base_decimal_parse(text, &d, &err) != BASE_OK) return;
    char out[BASE_DECIMAL_TEXT_MAX];
    int out_n = base_decimal_format(d, out);
    must(out_n < BASE_DECIMAL_TEXT_MAX && d.scale >= 0 && d.scale <= BASE_DECIMAL_DIGITS_MAX);
    must(base_decimal_parse((base_str){out, (size_t)out_n}, &back, &err) == BASE_OK);
    must(base_decimal_cmp(d, back) == 0 && d.scale == back.scale);
    must(base_decimal_hash(base_decimal_normalize(d)) == base_decimal_hash(d));
    // Every operation either fails with a reason or gives a value in range.
    base_decimal other = base_decimal_make(-7, 3), r;
    if (base_decimal_mul(d, d, &r, &err) == BASE_OK) must(base_decimal_sign(r) >= 0);
    if (base_decimal_div(other, d, &r, &err) == BASE_OK) base_decimal_format(r, out);
    if (base_decimal_div(d, other, &r, &err) == BASE_OK) base_decimal_format(r, out);
    if (base_decimal_mod(d, other, &r, &err) == BASE_OK) base_decimal_format(r, out);
    if (base_decimal_round(d, 2, &r, &err) == BASE_OK) base_decimal_format(r, out);
}

static void try_times(base_str text) {
    base_error err;
    int32_t days, days_back;
    int64_t us, back;
    char out[BASE_TIME_TEXT_MAX];
    if (base_date_parse(text, &days, &err) == BASE_OK) {
        int n = base_date_format(days, out);
        must(base_date_parse((base_str){out, (size_t)n}, &days_back, &err) == BASE_OK);
        must(days == days_back);
    }
    if (base_time_parse(text, &us, &err) == BASE_OK) {
        int n = base_time_format(us, out);
        must(base_time_parse((base_str){out, (size_t)n}, &back, &err) == BASE_OK && us == back);
    }
    if (base_timestamp_parse(text, &us, &err) == BASE_OK) {
        int n = base_timestamp_format(us, out);
        must(base_timestamp_parse((base_str){out, (size_t)n}, &back, &err) == BASE_OK &&
             us == back);
        base_interval interval = {us % BASE_US_PER_DAY, (int32_t)us, (int32_t)(us >> 32)};
        if (base_timestamp_add(us, &interval, &back, &err) == BASE_OK) {
            must(base_timestamp_valid(back));
        }
    }
    if (base_timestamptz_parse(text, NULL, &us, &err) == BASE_OK) {
        int n = base_timestamptz_format(us, 0, out);
        must(base_timestamptz_parse((base_str){out, (size_t)n}, 0, &back, &err) == BASE_OK);
        must(us == back);
    }
}

static void try_interval(base_str text) {
    base_error err;
    base_interval interval, back;
    if (base_interval_parse(text, &interval, &err) != BASE_OK) return;
    char out[BASE_INTERVAL_TEXT_MAX];
    int n = base_interval_format(&interval, out);
    must(n < BASE_INTERVAL_TEXT_MAX);
    must(base_interval_parse((base_str){out, (size_t)n}, &back, &err) == BASE_OK);
    must(memcmp(&interval, &back, sizeof back) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
    // A copy of the exact size, so that a read past the end is seen.
    char *copy = malloc(n == 0 ? 1 : n);
    must(copy != NULL);
    if (n > 0) memcpy(copy, data, n);
    base_str text = {copy, n};
    try_decimal(text);
    try_times(text);
    try_interval(text);
    free(copy);
    return 0;
}
