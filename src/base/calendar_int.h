// calendar_int.h - what calendar.c, calendar_text.c, interval.c and zone.c share.
#ifndef WEIR_BASE_CALENDAR_INT_H
#define WEIR_BASE_CALENDAR_INT_H

#include "base/calendar.h"

#define DAYS_FROM_0000_MAR 730425 // 2000-01-01 minus 0000-03-01

static inline int64_t floor_div(int64_t a, int64_t b) { // b > 0
    return a / b - (a % b < 0);
}

// Days and the time of day; unlike days * BASE_US_PER_DAY it cannot overflow at the least values.
static inline int64_t split_days(int64_t us, int64_t *time_of_day) {
    int64_t rest = us % BASE_US_PER_DAY;
    if (rest < 0) rest += BASE_US_PER_DAY;
    *time_of_day = rest;
    return floor_div(us, BASE_US_PER_DAY);
}

static inline bool is_leap_year(int32_t year) {
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static inline int32_t days_in_month(int32_t year, int32_t month) {
    static const uint8_t days[13] = {0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return days[month] + (month == 2 && is_leap_year(year));
}

static inline bool is_digit(char c) {
    return c >= '0' && c <= '9';
}
static inline bool is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
static inline bool is_blank(char c) {
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static inline char *put_two(char *to, int64_t v) { // 0..99
    to[0] = (char)('0' + v / 10);
    to[1] = (char)('0' + v % 10);
    return to + 2;
}

// At least min_digits digits.
static inline char *put_number(char *to, int64_t v, int min_digits) {
    char text[20];
    int n = 0;
    do {
        text[n++] = (char)('0' + v % 10);
        v /= 10;
    } while (v != 0);
    while (n < min_digits) text[n++] = '0';
    while (n > 0) *to++ = text[--n];
    return to;
}

// ".ffffff" without zeros at its end; nothing for 0.
static inline char *put_fraction(char *to, int64_t us) {
    if (us == 0) return to;
    *to++ = '.';
    int n = 6;
    while (us % 10 == 0) {
        us /= 10;
        n--;
    }
    for (int i = n - 1; i >= 0; i--) {
        to[i] = (char)('0' + us % 10);
        us /= 10;
    }
    return to + n;
}

static inline char *put_time_of_day(char *to, int64_t us) { // 0 <= us <= a day
    to = put_two(to, us / BASE_US_PER_HOUR);
    *to++ = ':';
    to = put_two(to, us % BASE_US_PER_HOUR / BASE_US_PER_MINUTE);
    *to++ = ':';
    to = put_two(to, us % BASE_US_PER_MINUTE / BASE_US_PER_SECOND);
    return put_fraction(to, us % BASE_US_PER_SECOND);
}

// Reads digits after a point at *p as microseconds, rounded at the seventh; may give 1000000.
int32_t base_scan_fraction_us(const char **p, const char *end);

// The units that an interval's text may name: all fields of date_trunc but quarters.
bool base_interval_unit_find(base_str name, base_time_field *field);

// "+hh", "+hhmm", "+hh:mm", "+hh:mm:ss" at *p (which is at the sign). Returns 1 if read, 0 if it is
// no displacement, -1 if it is out of range (16 hours and more).
int base_scan_displacement(const char **p, const char *end, int32_t *offset_seconds);

#endif
