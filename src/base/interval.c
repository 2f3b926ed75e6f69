// interval.c - intervals: text in PostgreSQL's verbose style and ISO 8601, output, order.
// Fractions go down as PostgreSQL 15 has it: of years to whole months, of months to days of 30 to
// the month and then to microseconds, of weeks and days to microseconds. An interval's fields never
// carry into each other otherwise. Entry points: base_interval_parse(), base_interval_format().
#include <math.h>

#include "base/calendar_int.h"

typedef enum interval_result {
    INTERVAL_OK,
    INTERVAL_SYNTAX,
    INTERVAL_RANGE,
} interval_result;

// ---------------------------------------------------------------------------------------------------
// Adding amounts of units

static bool add_fraction_us(base_interval *v, double fraction, int64_t unit_us) {
    if (fraction == 0) return true;
    fraction *= (double)unit_us;
    int64_t us = (int64_t)fraction;
    fraction -= (double)us;
    if (fraction > 0.5) us++;
    if (fraction < -0.5) us--;
    return !__builtin_add_overflow(v->us, us, &v->us);
}

static bool add_fraction_days(base_interval *v, double fraction, int unit_days) {
    if (fraction == 0) return true;
    fraction *= unit_days;
    int32_t days = (int32_t)fraction;
    if (__builtin_add_overflow(v->days, days, &v->days)) return false;
    return add_fraction_us(v, fraction - days, BASE_US_PER_DAY);
}

static bool add_us(base_interval *v, int64_t amount, double fraction, int64_t unit_us) {
    int64_t us;
    return !__builtin_mul_overflow(amount, unit_us, &us) &&
           !__builtin_add_overflow(v->us, us, &v->us) && add_fraction_us(v, fraction, unit_us);
}

static bool add_days(base_interval *v, int64_t amount, int unit_days) {
    int64_t days;
    return !__builtin_mul_overflow(amount, (int64_t)unit_days, &days) &&
           !__builtin_add_overflow(v->days, days, &v->days);
}

static bool add_months(base_interval *v, int64_t amount, double fraction, int unit_months) {
    int64_t months;
    if (__builtin_mul_overflow(amount, (int64_t)unit_months, &months) ||
        __builtin_add_overflow(v->months, months, &v->months)) {
        return false;
    }
    return !__builtin_add_overflow(v->months, (int32_t)rint(fraction * unit_months), &v->months);
}

static bool add_unit(base_interval *v, base_time_field unit, int64_t amount, double fraction) {
    switch (unit) {
    case BASE_FIELD_MICROSECONDS:
        return add_us(v, amount, fraction, 1);
    case BASE_FIELD_MILLISECONDS:
        return add_us(v, amount, fraction, 1000);
    case BASE_FIELD_SECOND:
        return add_us(v, amount, fraction, BASE_US_PER_SECOND);
    case BASE_FIELD_MINUTE:
        return add_us(v, amount, fraction, BASE_US_PER_MINUTE);
    case BASE_FIELD_HOUR:
        return add_us(v, amount, fraction, BASE_US_PER_HOUR);
    case BASE_FIELD_DAY:
        return add_days(v, amount, 1) && add_fraction_us(v, fraction, BASE_US_PER_DAY);
    case BASE_FIELD_WEEK:
        return add_days(v, amount, 7) && add_fraction_days(v, fraction, 7);
    case BASE_FIELD_MONTH:
        return add_months(v, amount, 0, 1) && add_fraction_days(v, fraction, 30);
    case BASE_FIELD_YEAR:
        return add_months(v, amount, fraction, 12);
    case BASE_FIELD_DECADE:
        return add_months(v, amount, fraction, 120);
    case BASE_FIELD_CENTURY:
        return add_months(v, amount, fraction, 1200);
    case BASE_FIELD_MILLENNIUM:
        return add_months(v, amount, fraction, 12000);
    default:
        return false;
    }
}

// ---------------------------------------------------------------------------------------------------
// Reading

typedef struct number_text {
    bool negative, has_sign, has_point;
    int64_t whole;   // signed
    double fraction; // signed
} number_text;

// A sign, digits, and a fraction. Nothing is taken unless there is a digit.
static interval_result take_number(const char **at, const char *end, number_text *n) {
    const char *p = *at;
    *n = (number_text){0};
    if (p < end && (*p == '+' || *p == '-')) {
        n->has_sign = true;
        n->negative = *p++ == '-';
    }
    const char *first = p;
    bool range = false;
    for (; p < end && is_digit(*p); p++) {
        range |= __builtin_mul_overflow(n->whole, (int64_t)10, &n->whole) ||
                 __builtin_sub_overflow(n->whole, (int64_t)(*p - '0'), &n->whole);
    }
    int64_t digits = p - first;
    if (p < end && *p == '.') {
        n->has_point = true;
        double value = 0, scale = 1;
        for (p++; p < end && is_digit(*p); p++) {
            digits++;
            if (scale < 1e15) { // what follows is below a double's precision
                value = value * 10 + (*p - '0');
                scale *= 10;
            }
        }
        n->fraction = value / scale;
    }
    if (digits == 0) return INTERVAL_SYNTAX;
    // Gathered as a negative number, which reaches one further.
    if (!n->negative) {
        range |= n->whole == INT64_MIN;
        n->whole = range ? 0 : -n->whole;
    } else {
        n->fraction = -n->fraction;
    }
    *at = p;
    return range ? INTERVAL_RANGE : INTERVAL_OK;
}

static void skip_blanks(const char **p, const char *end) {
    while (*p < end && is_blank(**p)) (*p)++;
}

// Digits at *at, at most `most`; -1 if there are none or more.
static int64_t take_digits(const char **at, const char *end, int most) {
    const char *p = *at;
    int64_t v = 0;
    while (p < end && is_digit(*p)) {
        if (p - *at == most) return -1;
        v = v * 10 + (*p++ - '0');
    }
    if (p == *at) return -1;
    *at = p;
    return v;
}

// "hh:mm", "hh:mm:ss[.f]" or "mm:ss.f", the sign already taken.
static interval_result take_clock(const char **at, const char *end, bool negative,
                                  base_interval *v) {
    const char *p = *at;
    int64_t hour = take_digits(&p, end, 18), minute, second = 0, us = 0;
    if (hour < 0 || p == end || *p != ':') return INTERVAL_SYNTAX;
    p++;
    minute = take_digits(&p, end, 9);
    if (minute < 0) return INTERVAL_SYNTAX;
    if (p < end && *p == ':') {
        p++;
        second = take_digits(&p, end, 9);
        if (second < 0) return INTERVAL_SYNTAX;
    } else if (p < end && *p == '.') {
        second = minute;
        minute = hour;
        hour = 0;
    }
    if (p < end && *p == '.') {
        p++;
        us = base_scan_fraction_us(&p, end);
    }
    if (minute > 59 || second > 60) return INTERVAL_RANGE;
    int64_t total;
    if (__builtin_mul_overflow(hour, BASE_US_PER_HOUR, &total) ||
        __builtin_add_overflow(
            total, minute * BASE_US_PER_MINUTE + second * BASE_US_PER_SECOND + us, &total) ||
        __builtin_add_overflow(v->us, negative ? -total : total, &v->us)) {
        return INTERVAL_RANGE;
    }
    *at = p;
    return INTERVAL_OK;
}

// Each unit may be given once; a clock time stands for hours, minutes and seconds.
static bool claim(uint32_t *taken, uint32_t units) {
    if ((*taken & units) != 0) return false;
    *taken |= units;
    return true;
}

#define UNIT_BIT(field) (1u << (field))
#define SECOND_BITS                                                                                \
    (UNIT_BIT(BASE_FIELD_SECOND) | UNIT_BIT(BASE_FIELD_MILLISECONDS) |                             \
     UNIT_BIT(BASE_FIELD_MICROSECONDS))
#define CLOCK_BITS (UNIT_BIT(BASE_FIELD_HOUR) | UNIT_BIT(BASE_FIELD_MINUTE) | SECOND_BITS)

static bool looks_like_clock(const char *p, const char *end) {
    if (p < end && (*p == '+' || *p == '-')) p++;
    while (p < end && is_digit(*p)) p++;
    return p < end && *p == ':';
}

// "1-2" (years and months), the rest after the years at *at.
static interval_result take_months(const char **at, const char *end, const number_text *years,
                                   base_interval *v) {
    const char *p = *at + 1;
    int64_t months = take_digits(&p, end, 9);
    if (months < 0 || (p < end && *p == '-')) return INTERVAL_SYNTAX; // a date is no interval
    if (months >= 12) return INTERVAL_RANGE;
    if (years->negative) months = -months;
    if (!add_months(v, years->whole, 0, 12) || !add_months(v, months, 0, 1)) return INTERVAL_RANGE;
    *at = p;
    return INTERVAL_OK;
}

static base_str take_word(const char **at, const char *end) {
    const char *from = *at;
    while (*at < end && is_letter(**at)) (*at)++;
    return (base_str){from, (size_t)(*at - from)};
}

// A number and its unit. Without a unit it is days before a clock time and seconds at the end.
static interval_result take_amount(const char **at, const char *end, uint32_t *taken,
                                   base_interval *v) {
    number_text number;
    interval_result r = take_number(at, end, &number);
    if (r != INTERVAL_OK) return r;
    if (*at < end && **at == '-' && !number.has_point && *at + 1 < end && is_digit((*at)[1])) {
        if (!claim(taken, UNIT_BIT(BASE_FIELD_YEAR) | UNIT_BIT(BASE_FIELD_MONTH))) {
            return INTERVAL_SYNTAX;
        }
        return take_months(at, end, &number, v);
    }
    skip_blanks(at, end);
    base_str word = take_word(at, end);
    base_time_field unit;
    if (word.n == 0 || base_str_eq_nocase(word, BASE_STR("ago"))) {
        *at -= word.n;
        if (word.n == 0 && *at < end && !looks_like_clock(*at, end)) return INTERVAL_SYNTAX;
        unit = word.n == 0 && *at < end ? BASE_FIELD_DAY : BASE_FIELD_SECOND;
    } else if (!base_interval_unit_find(word, &unit)) {
        return INTERVAL_SYNTAX;
    }
    uint32_t units = UNIT_BIT(unit);
    if (unit == BASE_FIELD_SECOND && number.fraction != 0) units = SECOND_BITS;
    if (!claim(taken, units)) return INTERVAL_SYNTAX;
    return add_unit(v, unit, number.whole, number.fraction) ? INTERVAL_OK : INTERVAL_RANGE;
}

static bool negate(base_interval *v) {
    return !__builtin_sub_overflow(0, v->us, &v->us) &&
           !__builtin_sub_overflow(0, v->days, &v->days) &&
           !__builtin_sub_overflow(0, v->months, &v->months);
}

static interval_result parse_verbose(const char *p, const char *end, base_interval *v) {
    uint32_t taken = 0;
    if (p < end && *p == '@') p++;
    skip_blanks(&p, end);
    if (p == end) return INTERVAL_SYNTAX;
    while (p < end) {
        interval_result r;
        if (is_letter(*p)) {
            // Only "ago", and only at the end, after something.
            base_str word = take_word(&p, end);
            if (!base_str_eq_nocase(word, BASE_STR("ago")) || taken == 0) return INTERVAL_SYNTAX;
            skip_blanks(&p, end);
            if (p < end) return INTERVAL_SYNTAX;
            return negate(v) ? INTERVAL_OK : INTERVAL_RANGE;
        }
        if (looks_like_clock(p, end)) {
            bool negative = *p == '-';
            if (*p == '-' || *p == '+') p++;
            if (!claim(&taken, CLOCK_BITS)) return INTERVAL_SYNTAX;
            r = take_clock(&p, end, negative, v);
        } else {
            r = take_amount(&p, end, &taken, v);
        }
        if (r != INTERVAL_OK) return r;
        skip_blanks(&p, end);
    }
    return INTERVAL_OK;
}

static bool iso_unit(char c, bool in_time, base_time_field *unit) {
    switch (c) {
    case 'Y':
        *unit = BASE_FIELD_YEAR;
        return !in_time;
    case 'M':
        *unit = in_time ? BASE_FIELD_MINUTE : BASE_FIELD_MONTH;
        return true;
    case 'W':
        *unit = BASE_FIELD_WEEK;
        return !in_time;
    case 'D':
        *unit = BASE_FIELD_DAY;
        return !in_time;
    case 'H':
        *unit = BASE_FIELD_HOUR;
        return in_time;
    case 'S':
        *unit = BASE_FIELD_SECOND;
        return in_time;
    default:
        return false;
    }
}

// The alternative form after 'P': yyyy-mm-dd[Thh:mm:ss[.f]].
static interval_result parse_iso_alternative(const char *p, const char *end, base_interval *v) {
    int64_t field[3];
    for (int i = 0; i < 3; i++) {
        if (i > 0 && (p == end || *p++ != '-')) return INTERVAL_SYNTAX;
        field[i] = take_digits(&p, end, 9);
        if (field[i] < 0) return INTERVAL_SYNTAX;
    }
    if (!add_months(v, field[0], 0, 12) || !add_months(v, field[1], 0, 1) ||
        !add_days(v, field[2], 1)) {
        return INTERVAL_RANGE;
    }
    if (p == end) return INTERVAL_OK;
    if (*p++ != 'T') return INTERVAL_SYNTAX;
    interval_result r = take_clock(&p, end, false, v);
    return r == INTERVAL_OK && p != end ? INTERVAL_SYNTAX : r;
}

static interval_result parse_iso(const char *p, const char *end, base_interval *v) {
    const char *q = p;
    if (take_digits(&q, end, 9) >= 0 && q < end && *q == '-') {
        return parse_iso_alternative(p, end, v);
    }
    bool in_time = false;
    size_t fields = 0;
    while (p < end) {
        if (*p == 'T' && !in_time) {
            in_time = true;
            p++;
            continue;
        }
        number_text number;
        base_time_field unit;
        if (*p == '+') return INTERVAL_SYNTAX; // ISO 8601 knows no plus here, nor does PostgreSQL
        interval_result r = take_number(&p, end, &number);
        if (r != INTERVAL_OK) return r;
        if (p == end || !iso_unit(*p++, in_time, &unit)) return INTERVAL_SYNTAX;
        if (!add_unit(v, unit, number.whole, number.fraction)) return INTERVAL_RANGE;
        fields++;
    }
    return fields > 0 ? INTERVAL_OK : INTERVAL_SYNTAX;
}

base_rc base_interval_parse(base_str text, base_interval *out, base_error *err) {
    base_str trimmed = base_str_trim(text);
    const char *p = trimmed.p, *end = trimmed.p + trimmed.n;
    base_interval v = {0};
    interval_result r =
        trimmed.n > 1 && *p == 'P' ? parse_iso(p + 1, end, &v) : parse_verbose(p, end, &v);
    int shown = text.n > 200 ? 200 : (int)text.n;
    if (r == INTERVAL_SYNTAX) {
        return base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_INVALID_DATETIME,
                         "invalid input syntax for type interval: \"%.*s\"", shown, text.p);
    }
    if (r == INTERVAL_RANGE) {
        return base_fail(err, BASE_E_INVALID, "22015",
                         "interval field value out of range: \"%.*s\"", shown, text.p);
    }
    *out = v;
    return BASE_OK;
}

// ---------------------------------------------------------------------------------------------------
// Output and order

typedef struct interval_writer {
    char *to;
    bool any;            // something is written
    bool after_negative; // then a positive field shows its sign
} interval_writer;

static void put_part(interval_writer *w, int64_t value, const char *unit) {
    if (value == 0) return;
    if (w->any) *w->to++ = ' ';
    if (w->after_negative && value > 0) *w->to++ = '+';
    if (value < 0) *w->to++ = '-';
    w->to = put_number(w->to, value < 0 ? -value : value, 1);
    *w->to++ = ' ';
    size_t n = strlen(unit);
    memcpy(w->to, unit, n);
    w->to += n;
    if (value != 1) *w->to++ = 's';
    w->any = true;
    w->after_negative = value < 0;
}

int base_interval_format(const base_interval *interval, char out[BASE_INTERVAL_TEXT_MAX]) {
    interval_writer w = {.to = out};
    put_part(&w, interval->months / 12, "year");
    put_part(&w, interval->months % 12, "mon");
    put_part(&w, interval->days, "day");
    if (!w.any || interval->us != 0) {
        if (w.any) *w.to++ = ' ';
        if (interval->us < 0) {
            *w.to++ = '-';
        } else if (w.after_negative) {
            *w.to++ = '+';
        }
        // The hours may be many and INT64_MIN has no positive: split before the sign goes.
        int64_t hours = interval->us / BASE_US_PER_HOUR, rest = interval->us % BASE_US_PER_HOUR;
        if (interval->us < 0) {
            hours = -hours;
            rest = -rest;
        }
        w.to = put_number(w.to, hours, 2);
        *w.to++ = ':';
        w.to = put_two(w.to, rest / BASE_US_PER_MINUTE);
        *w.to++ = ':';
        w.to = put_two(w.to, rest % BASE_US_PER_MINUTE / BASE_US_PER_SECOND);
        w.to = put_fraction(w.to, rest % BASE_US_PER_SECOND);
    }
    *w.to = '\0';
    return (int)(w.to - out);
}

static __int128 total_of(const base_interval *v) {
    int64_t days = (int64_t)v->months * 30 + v->days;
    return (__int128)days * BASE_US_PER_DAY + v->us;
}

int base_interval_cmp(const base_interval *a, const base_interval *b) {
    __int128 x = total_of(a), y = total_of(b);
    return (x > y) - (x < y);
}

base_rc base_interval_total_us(const base_interval *a, int64_t *us, base_error *err) {
    __int128 total = total_of(a);
    if (total < INT64_MIN || total > INT64_MAX) {
        return base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_DATETIME_OVERFLOW,
                         "interval out of range");
    }
    *us = (int64_t)total;
    return BASE_OK;
}
