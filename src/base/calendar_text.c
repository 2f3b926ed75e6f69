// calendar_text.c - dates, times and timestamps as text. A first, branch-poor scan reads the fixed
// ISO layout that events carry; what it does not take goes to a general scanner of PostgreSQL's ISO
// forms, so the first may be strict. Entry points: base_timestamptz_parse(),
// base_timestamp_format().
#include "base/calendar_int.h"
#include "base/must.h"

// ---------------------------------------------------------------------------------------------------
// The fixed layout: YYYY-MM-DD[T ]HH:MM:SS[.f{1,6}][Z|+hh[[:]mm]]

static inline unsigned digit_at(const char *p, unsigned *bad) {
    unsigned d = (unsigned char)*p - (unsigned)'0';
    *bad |= d > 9;
    return d;
}

static inline unsigned two_at(const char *p, unsigned *bad) {
    return digit_at(p, bad) * 10 + digit_at(p + 1, bad);
}

// Takes eight characters at once. zero has '0' where a digit must be and elsewhere the very
// character; most has 0x7f less the largest difference allowed (9 or 0). Byte k of the result is
// then the number that the digits k and k + 1 make. A borrow or a carry between bytes comes only
// from a byte that is bad itself.
static inline uint64_t eight_at(const char *p, const char zero[8], uint64_t most, unsigned *bad) {
    uint64_t word, base;
    memcpy(&word, p, 8); // little-endian, which str.c asserts: the first character is lowest
    memcpy(&base, zero, 8);
    word -= base;
    *bad |= (((word + most) | word) & 0x8080808080808080ull) != 0;
    return word * 10 + (word >> 8);
}

static inline unsigned byte_of(uint64_t word, int k) {
    return (unsigned)(word >> (8 * k)) & 0xff;
}

// Days since 2000 of the ten bytes at p.
static inline bool fixed_date(const char *p, int32_t *days) {
    unsigned bad = 0;
    uint64_t pairs = eight_at(p, "0000-00-", 0x7f76767f76767676ull, &bad);
    unsigned day = two_at(p + 8, &bad);
    if (bad) return false;
    unsigned year = byte_of(pairs, 0) * 100 + byte_of(pairs, 2), month = byte_of(pairs, 5);
    if ((year == 0) | (month - 1 > 11)) return false;
    if (day - 1 >= 28 && day - 1 >= (unsigned)days_in_month((int32_t)year, (int32_t)month)) {
        return false; // as day 0 is, which wraps to the largest
    }
    // base_days_from_civil() without negative years.
    unsigned y = year - (month <= 2), month_from_march = month > 2 ? month - 3 : month + 9;
    unsigned day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    *days = (int32_t)(y * 365 + y / 4 - y / 100 + y / 400 + day_of_year) - DAYS_FROM_0000_MAR;
    return true;
}

typedef struct fixed_timestamp {
    int64_t us; // as written, without the zone
    int32_t zone_seconds;
    bool has_zone;
} fixed_timestamp;

static inline bool fixed_scan(const char *p, size_t n, fixed_timestamp *out) {
    int32_t days;
    if (n < 19 || (p[10] != 'T' && p[10] != ' ') || !fixed_date(p, &days)) return false;
    unsigned bad = 0;
    uint64_t pairs = eight_at(p + 11, "00:00:00", 0x76767f76767f7676ull, &bad);
    unsigned hour = byte_of(pairs, 0), minute = byte_of(pairs, 3), second = byte_of(pairs, 6);
    if (bad | (hour > 23) | (minute > 59) | (second > 59)) return false;
    const char *end = p + n;
    p += 19;
    unsigned fraction = 0;
    if (p < end && *p == '.') {
        p++;
        unsigned weight = 1000000;
        while (p < end && is_digit(*p)) {
            if (weight == 1) return false; // a seventh digit: rounding is for the general scanner
            weight /= 10;
            fraction += (unsigned)(*p++ - '0') * weight;
        }
        if (weight == 1000000) return false;
    }
    out->us = days * BASE_US_PER_DAY +
              (int64_t)(hour * 3600 + minute * 60 + second) * BASE_US_PER_SECOND + fraction;
    out->has_zone = p < end;
    out->zone_seconds = 0;
    if (p == end) return true;
    size_t left = (size_t)(end - p);
    if (*p == 'Z') return left == 1;
    if (*p != '+' && *p != '-') return false;
    unsigned zone_hour, zone_minute = 0;
    bad = 0;
    if (left == 3) {
        zone_hour = two_at(p + 1, &bad);
    } else if (left == 6 && p[3] == ':') {
        zone_hour = two_at(p + 1, &bad);
        zone_minute = two_at(p + 4, &bad);
    } else if (left == 5) {
        zone_hour = two_at(p + 1, &bad);
        zone_minute = two_at(p + 3, &bad);
    } else {
        return false;
    }
    if (bad | (zone_hour > 15) | (zone_minute > 59)) return false;
    int32_t seconds = (int32_t)(zone_hour * 3600 + zone_minute * 60);
    out->zone_seconds = *p == '-' ? -seconds : seconds;
    return true;
}

// ---------------------------------------------------------------------------------------------------
// The general scanner

typedef enum scan_result {
    SCAN_OK,
    SCAN_SYNTAX,       // no date or time at all
    SCAN_RANGE,        // a field has a value that it cannot have
    SCAN_DISPLACEMENT, // a zone 16 hours or more away
    SCAN_CLOCK,        // a word that means the current time
} scan_result;

typedef enum special_value {
    SPECIAL_NONE,
    SPECIAL_INFINITY,
    SPECIAL_MINUS_INFINITY,
    SPECIAL_EPOCH,
} special_value;

typedef struct time_fields {
    special_value special;
    bool has_date, has_time, bc, am, pm, has_zone;
    int32_t year, month, day; // as written: a BC year is positive
    int32_t hour, minute, second, us;
    int32_t zone_seconds;
    base_str zone_name; // instead of zone_seconds; n is 0 if there is none
} time_fields;

typedef struct cursor {
    const char *p, *end;
} cursor;

static void skip_blanks(cursor *c) {
    while (c->p < c->end && is_blank(*c->p)) c->p++;
}

static size_t digits_ahead(const cursor *c) {
    const char *p = c->p;
    while (p < c->end && is_digit(*p)) p++;
    return (size_t)(p - c->p);
}

// Takes n digits, at most 9.
static int32_t take_number(cursor *c, size_t n) {
    int32_t v = 0;
    for (size_t i = 0; i < n; i++) v = v * 10 + (*c->p++ - '0');
    return v;
}

static bool take_char(cursor *c, char wanted) {
    if (c->p == c->end || *c->p != wanted) return false;
    c->p++;
    return true;
}

int32_t base_scan_fraction_us(const char **p, const char *end) {
    int32_t us = 0, weight = 100000;
    const char *at = *p;
    for (; at < end && is_digit(*at) && weight > 0; at++) {
        us += (*at - '0') * weight;
        weight /= 10;
    }
    if (at < end && is_digit(*at)) {
        us += *at >= '5';
        while (at < end && is_digit(*at)) at++;
    }
    *p = at;
    return us;
}

static scan_result scan_date(cursor *c, time_fields *f) {
    size_t n = digits_ahead(c);
    char separator = c->p + n < c->end ? c->p[n] : '\0';
    if (separator != '-' && separator != '/') {
        if (n < 8 || n > 10) return SCAN_SYNTAX; // yyyymmdd, or more digits of the year
        f->year = take_number(c, n - 4);
        f->month = take_number(c, 2);
        f->day = take_number(c, 2);
        f->has_date = true;
        return SCAN_OK;
    }
    if (n < 1) return SCAN_SYNTAX;
    // Fewer than three digits would be a month in PostgreSQL's default order, which is not read
    // here.
    if (n < 3 || n > 9) return SCAN_RANGE;
    f->year = take_number(c, n);
    c->p++;
    n = digits_ahead(c);
    if (n < 1) return SCAN_SYNTAX;
    if (n > 2) return SCAN_RANGE;
    f->month = take_number(c, n);
    if (!take_char(c, separator)) return SCAN_SYNTAX;
    n = digits_ahead(c);
    if (n < 1) return SCAN_SYNTAX;
    if (n > 2) return SCAN_RANGE;
    f->day = take_number(c, n);
    f->has_date = true;
    return SCAN_OK;
}

static scan_result scan_time(cursor *c, time_fields *f) {
    size_t n = digits_ahead(c);
    if (n == 0) return SCAN_SYNTAX;
    if (c->p + n < c->end && c->p[n] == ':') {
        if (n > 2) return SCAN_RANGE;
        f->hour = take_number(c, n);
        c->p++;
        n = digits_ahead(c);
        if (n == 0) return SCAN_SYNTAX;
        if (n > 2) return SCAN_RANGE;
        f->minute = take_number(c, n);
        if (take_char(c, ':')) {
            n = digits_ahead(c);
            if (n == 0) return SCAN_SYNTAX;
            if (n > 2) return SCAN_RANGE;
            f->second = take_number(c, n);
        } else if (c->p < c->end && *c->p == '.') {
            return SCAN_SYNTAX;
        }
    } else if (n == 6 || n == 4) {
        f->hour = take_number(c, 2);
        f->minute = take_number(c, 2);
        if (n == 6) f->second = take_number(c, 2);
    } else {
        return SCAN_SYNTAX;
    }
    if (take_char(c, '.')) f->us = base_scan_fraction_us(&c->p, c->end);
    f->has_time = true;
    return SCAN_OK;
}

int base_scan_displacement(const char **p, const char *end, int32_t *offset_seconds) {
    cursor c = {*p, end};
    bool negative = *c.p++ == '-';
    size_t n = digits_ahead(&c);
    int32_t hour, minute = 0, second = 0;
    if (n == 1 || n == 2) {
        hour = take_number(&c, n);
        if (take_char(&c, ':')) {
            n = digits_ahead(&c);
            if (n != 2) return 0;
            minute = take_number(&c, 2);
            if (take_char(&c, ':')) {
                n = digits_ahead(&c);
                if (n != 2) return 0;
                second = take_number(&c, 2);
            }
        }
    } else if (n == 3 || n == 4 || n == 6) {
        hour = take_number(&c, n == 3 ? 1 : 2);
        minute = take_number(&c, 2);
        if (n == 6) second = take_number(&c, 2);
    } else {
        return 0;
    }
    if (hour > 15 || minute > 59 || second > 59) return -1;
    int32_t seconds = hour * 3600 + minute * 60 + second;
    *offset_seconds = negative ? -seconds : seconds;
    *p = c.p;
    return 1;
}

int base_displacement_parse(base_str text, int32_t *offset_seconds) {
    if (text.n < 2 || (text.p[0] != '+' && text.p[0] != '-')) return 0;
    const char *p = text.p, *end = text.p + text.n;
    int found = base_scan_displacement(&p, end, offset_seconds);
    return found > 0 && p != end ? 0 : found;
}

static bool is_zone_part(char c) {
    return c == '/' || c == '_' || c == '+' || c == '-' || is_digit(c);
}

static base_str take_word(cursor *c) {
    const char *from = c->p;
    while (c->p < c->end && is_letter(*c->p)) c->p++;
    // A zone's name goes on with these: "Europe/Paris", "Etc/GMT+3", "America/Port-au-Prince",
    // "UTC+3", "EST5EDT".
    if (c->p > from && c->p < c->end && is_zone_part(*c->p)) {
        while (c->p < c->end && !is_blank(*c->p)) c->p++;
    }
    return (base_str){from, (size_t)(c->p - from)};
}

// What may follow a date or a time: zone, AM/PM, BC, in any order, each once.
static scan_result scan_suffix(cursor *c, time_fields *f) {
    if (*c->p == '+' || *c->p == '-') {
        if (f->has_zone) return SCAN_SYNTAX;
        f->has_zone = true;
        int r = base_scan_displacement(&c->p, c->end, &f->zone_seconds);
        return r > 0 ? SCAN_OK : r == 0 ? SCAN_SYNTAX : SCAN_DISPLACEMENT;
    }
    base_str word = take_word(c);
    if (word.n == 0) return SCAN_SYNTAX;
    if (base_str_eq_nocase(word, BASE_STR("bc"))) {
        if (f->bc || !f->has_date) return SCAN_SYNTAX;
        f->bc = true;
    } else if (base_str_eq_nocase(word, BASE_STR("ad"))) {
        return f->has_date ? SCAN_OK : SCAN_SYNTAX;
    } else if (base_str_eq_nocase(word, BASE_STR("am")) && f->has_time) {
        f->am = true;
    } else if (base_str_eq_nocase(word, BASE_STR("pm")) && f->has_time) {
        f->pm = true;
    } else if (!f->has_zone) {
        f->has_zone = true;
        if (base_str_eq_nocase(word, BASE_STR("z"))) return SCAN_OK;
        f->zone_name = word;
        // A word that is no zone's name is just wrong; "Area/Place" is checked by who needs it.
        const base_zone *zone;
        if (memchr(word.p, '/', word.n) == NULL &&
            base_zone_find_any(word, &zone, NULL) != BASE_OK) {
            return SCAN_SYNTAX;
        }
    } else {
        return SCAN_SYNTAX;
    }
    return SCAN_OK;
}

static scan_result scan_special(cursor c, time_fields *f) {
    base_str word = base_str_trim((base_str){c.p, (size_t)(c.end - c.p)});
    static const base_str clock_words[] = {
        {"now", 3}, {"today", 5}, {"tomorrow", 8}, {"yesterday", 9}};
    if (base_str_eq_nocase(word, BASE_STR("infinity")) ||
        base_str_eq_nocase(word, BASE_STR("+infinity"))) {
        f->special = SPECIAL_INFINITY;
    } else if (base_str_eq_nocase(word, BASE_STR("-infinity"))) {
        f->special = SPECIAL_MINUS_INFINITY;
    } else if (base_str_eq_nocase(word, BASE_STR("epoch"))) {
        f->special = SPECIAL_EPOCH;
    } else {
        for (size_t i = 0; i < sizeof clock_words / sizeof clock_words[0]; i++) {
            if (base_str_eq_nocase(word, clock_words[i])) return SCAN_CLOCK;
        }
        return SCAN_SYNTAX;
    }
    return SCAN_OK;
}

static scan_result check_fields(time_fields *f) {
    if (f->has_date) {
        if (f->year == 0 || f->month < 1 || f->month > 12 || f->day < 1) return SCAN_RANGE;
        int32_t year = f->bc ? 1 - f->year : f->year;
        if (f->day > days_in_month(year, f->month)) return SCAN_RANGE;
        f->year = year;
    }
    if (f->am && f->pm) return SCAN_SYNTAX;
    if (f->am || f->pm) {
        if (f->hour > 12) return SCAN_RANGE;
        f->hour = f->hour % 12 + (f->pm ? 12 : 0);
    }
    if (f->hour > 24 || f->minute > 59 || f->second > 60) return SCAN_RANGE;
    if (f->hour == 24 && (f->minute | f->second | f->us) != 0) return SCAN_RANGE;
    return SCAN_OK;
}

static scan_result scan_fields(base_str text, bool want_date, time_fields *f) {
    cursor c = {text.p, text.p + text.n};
    skip_blanks(&c);
    if (c.p == c.end) return SCAN_SYNTAX;
    bool time_mark = take_char(&c, 'T') || take_char(&c, 't');
    if (time_mark && (want_date || c.p == c.end || !is_digit(*c.p))) {
        c.p--;
        return scan_special(c, f);
    }
    if (!is_digit(*c.p)) return scan_special(c, f);
    scan_result r;
    size_t n = digits_ahead(&c);
    char after = c.p + n < c.end ? c.p[n] : '\0';
    bool date_first = !time_mark && (want_date || after == '-' || after == '/' || n >= 8);
    if (date_first) {
        r = scan_date(&c, f);
        if (r != SCAN_OK) return r;
        skip_blanks(&c);
        if (c.p + 1 < c.end && (*c.p == 'T' || *c.p == 't') && is_digit(c.p[1])) c.p++;
    }
    if (c.p < c.end && is_digit(*c.p)) {
        r = scan_time(&c, f);
        if (r != SCAN_OK) return r;
    }
    for (skip_blanks(&c); c.p < c.end; skip_blanks(&c)) {
        r = scan_suffix(&c, f);
        if (r != SCAN_OK) return r;
    }
    if (want_date ? !f->has_date : !f->has_time) return SCAN_SYNTAX;
    return check_fields(f);
}

static base_rc fail_scan(scan_result r, const char *type, base_str text, base_error *err) {
    int shown = text.n > 200 ? 200 : (int)text.n;
    switch (r) {
    case SCAN_RANGE:
        return base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_DATETIME_OVERFLOW,
                         "date/time field value out of range: \"%.*s\"", shown, text.p);
    case SCAN_DISPLACEMENT:
        return base_fail(err, BASE_E_INVALID, "22009",
                         "time zone displacement out of range: \"%.*s\"", shown, text.p);
    case SCAN_CLOCK: {
        base_rc rc = base_fail(err, BASE_E_UNSUPPORTED, NULL,
                               "\"%.*s\" is not supported as text of type %s", shown, text.p, type);
        base_error_hint(err, "Use now() or current_date.");
        return rc;
    }
    default:
        return base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_INVALID_DATETIME,
                         "invalid input syntax for type %s: \"%.*s\"", type, shown, text.p);
    }
}

static base_rc fail_range(const char *what, base_str text, base_error *err) {
    return base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_DATETIME_OVERFLOW,
                     "%s out of range: \"%.*s\"", what, text.n > 200 ? 200 : (int)text.n, text.p);
}

// Whole days of the fields; the year is already astronomical.
static bool days_of(const time_fields *f, int32_t *days) {
    if (f->year < -4713 || f->year > 5874897) return false;
    *days = base_days_from_civil(f->year, f->month, f->day);
    return *days >= BASE_DATE_MIN && *days < BASE_DATE_END;
}

static int64_t time_of(const time_fields *f) {
    return f->hour * BASE_US_PER_HOUR + f->minute * BASE_US_PER_MINUTE +
           f->second * BASE_US_PER_SECOND + f->us;
}

base_rc base_date_parse(base_str text, int32_t *days, base_error *err) {
    if (text.n == 10 && fixed_date(text.p, days)) return BASE_OK;
    time_fields f = {0};
    scan_result r = scan_fields(text, true, &f);
    if (r != SCAN_OK) return fail_scan(r, "date", text, err);
    switch (f.special) {
    case SPECIAL_INFINITY:
        *days = INT32_MAX;
        return BASE_OK;
    case SPECIAL_MINUS_INFINITY:
        *days = INT32_MIN;
        return BASE_OK;
    case SPECIAL_EPOCH:
        *days = (int32_t)(-BASE_UNIX_EPOCH_US / BASE_US_PER_DAY);
        return BASE_OK;
    case SPECIAL_NONE:
        break;
    }
    return days_of(&f, days) ? BASE_OK : fail_range("date", text, err);
}

base_rc base_time_parse(base_str text, int64_t *us, base_error *err) {
    time_fields f = {0};
    scan_result r = scan_fields(text, false, &f);
    if (r == SCAN_OK && f.special != SPECIAL_NONE) r = SCAN_SYNTAX;
    if (r != SCAN_OK) return fail_scan(r, "time", text, err);
    *us = time_of(&f);
    return *us <= BASE_US_PER_DAY ? BASE_OK : fail_scan(SCAN_RANGE, "time", text, err);
}

// Local microseconds of the text; *f tells the zone. Specials give their value and zone UTC.
static base_rc parse_local(base_str text, const char *type, time_fields *f, int64_t *us,
                           base_error *err) {
    scan_result r = scan_fields(text, true, f);
    if (r != SCAN_OK) return fail_scan(r, type, text, err);
    switch (f->special) {
    case SPECIAL_INFINITY:
        *us = INT64_MAX;
        return BASE_OK;
    case SPECIAL_MINUS_INFINITY:
        *us = INT64_MIN;
        return BASE_OK;
    case SPECIAL_EPOCH:
        *us = -BASE_UNIX_EPOCH_US;
        return BASE_OK;
    case SPECIAL_NONE:
        break;
    }
    int32_t days;
    int64_t day_us;
    // A day beyond the last may still come back by its zone; two days over cannot.
    if (!days_of(f, &days) || __builtin_mul_overflow((int64_t)days, BASE_US_PER_DAY, &day_us) ||
        __builtin_add_overflow(day_us, time_of(f), us)) {
        return fail_range("timestamp", text, err);
    }
    return BASE_OK;
}

base_rc base_timestamp_parse(base_str text, int64_t *us, base_error *err) {
    fixed_timestamp fixed;
    if (fixed_scan(text.p, text.n, &fixed)) {
        *us = fixed.us; // a zone is read and has no meaning here, as in PostgreSQL
        return BASE_OK;
    }
    time_fields f = {0};
    base_rc rc = parse_local(text, "timestamp", &f, us, err);
    if (rc != BASE_OK) return rc;
    if (f.zone_name.n > 0) { // it has no meaning here, but must be one
        const base_zone *zone;
        rc = base_zone_find_any(f.zone_name, &zone, err);
        if (rc != BASE_OK) return rc;
    }
    return base_timestamp_valid(*us) ? BASE_OK : fail_range("timestamp", text, err);
}

base_rc base_timestamptz_parse(base_str text, const base_zone *zone, int64_t *us, base_error *err) {
    fixed_timestamp fixed;
    if (fixed_scan(text.p, text.n, &fixed)) {
        int32_t offset =
            fixed.has_zone ? fixed.zone_seconds : base_zone_offset_local(zone, fixed.us);
        *us = fixed.us - offset * BASE_US_PER_SECOND;
        return BASE_OK;
    }
    time_fields f = {0};
    base_rc rc = parse_local(text, "timestamp with time zone", &f, us, err);
    if (rc != BASE_OK || f.special != SPECIAL_NONE) return rc;
    if (f.zone_name.n > 0) {
        rc = base_zone_find_any(f.zone_name, &zone, err);
        if (rc != BASE_OK) return rc;
    }
    bool displaced = f.has_zone && f.zone_name.n == 0;
    int32_t offset = displaced ? f.zone_seconds : base_zone_offset_local(zone, *us);
    if (__builtin_sub_overflow(*us, offset * BASE_US_PER_SECOND, us) ||
        !base_timestamp_valid(*us)) {
        return fail_range("timestamp", text, err);
    }
    return BASE_OK;
}

base_rc base_until_parse(base_str text, const base_zone *zone, int64_t *us, base_error *err) {
    time_fields f = {0};
    if (scan_fields(text, true, &f) != SCAN_OK || f.special != SPECIAL_NONE || f.has_time ||
        f.has_zone)
        return base_timestamptz_parse(text, zone, us, err);
    int64_t next;
    base_rc rc = parse_local(text, "timestamp with time zone", &f, &next, err);
    if (rc != BASE_OK) return rc;
    if (__builtin_add_overflow(next, BASE_US_PER_DAY, &next))
        return fail_range("timestamp", text, err);
    *us = next - base_zone_offset_local(zone, next) * BASE_US_PER_SECOND - 1;
    return base_timestamp_valid(*us) ? BASE_OK : fail_range("timestamp", text, err);
}

// ---------------------------------------------------------------------------------------------------
// Output

static int finish(char *out, char *end) {
    *end = '\0';
    return (int)(end - out);
}

static int put_word(char *out, const char *word) {
    size_t n = strlen(word);
    memcpy(out, word, n + 1);
    return (int)n;
}

// "YYYY-MM-DD", the year without its era; sets *bc.
static char *put_date(char *to, int32_t days, bool *bc) {
    int32_t year, month, day;
    base_civil_from_days(days, &year, &month, &day);
    *bc = year <= 0;
    to = put_number(to, *bc ? 1 - (int64_t)year : year, 4);
    *to++ = '-';
    to = put_two(to, month);
    *to++ = '-';
    return put_two(to, day);
}

static char *put_bc(char *to, bool bc) {
    if (!bc) return to;
    memcpy(to, " BC", 3);
    return to + 3;
}

int base_date_format(int32_t days, char out[BASE_TIME_TEXT_MAX]) {
    if (days == INT32_MAX) return put_word(out, "infinity");
    if (days == INT32_MIN) return put_word(out, "-infinity");
    bool bc;
    char *to = put_date(out, days, &bc);
    return finish(out, put_bc(to, bc));
}

int base_time_format(int64_t us, char out[BASE_TIME_TEXT_MAX]) {
    must(us >= 0 && us <= BASE_US_PER_DAY);
    return finish(out, put_time_of_day(out, us));
}

// Date, separator and time of a finite timestamp.
static char *put_timestamp(char *to, int64_t us, char separator, bool *bc) {
    int64_t time_of_day, days = split_days(us, &time_of_day);
    to = put_date(to, (int32_t)days, bc);
    *to++ = separator;
    return put_time_of_day(to, time_of_day);
}

int base_timestamp_format(int64_t us, char out[BASE_TIME_TEXT_MAX]) {
    if (us == INT64_MAX) return put_word(out, "infinity");
    if (us == INT64_MIN) return put_word(out, "-infinity");
    bool bc;
    char *to = put_timestamp(out, us, ' ', &bc);
    return finish(out, put_bc(to, bc));
}

int base_timestamptz_format(int64_t us, const base_zone *zone, char out[BASE_TIME_TEXT_MAX]) {
    if (us == INT64_MAX) return put_word(out, "infinity");
    if (us == INT64_MIN) return put_word(out, "-infinity");
    int32_t zone_offset_seconds = base_zone_offset_at(zone, us);
    int64_t local;
    if (__builtin_add_overflow(us, zone_offset_seconds * BASE_US_PER_SECOND, &local)) {
        local = us; // within a day of the end of time: shown in UTC
        zone_offset_seconds = 0;
    }
    bool bc;
    char *to = put_timestamp(out, local, ' ', &bc);
    *to++ = zone_offset_seconds < 0 ? '-' : '+';
    int32_t offset = zone_offset_seconds < 0 ? -zone_offset_seconds : zone_offset_seconds;
    to = put_two(to, offset / 3600);
    if (offset % 3600 != 0) {
        *to++ = ':';
        to = put_two(to, offset % 3600 / 60);
    }
    if (offset % 60 != 0) {
        *to++ = ':';
        to = put_two(to, offset % 60);
    }
    return finish(out, put_bc(to, bc));
}

int base_rfc3339_format(int64_t us, char out[BASE_TIME_TEXT_MAX]) {
    if (us == INT64_MAX) return put_word(out, "infinity");
    if (us == INT64_MIN) return put_word(out, "-infinity");
    // RFC 3339 ends at year 9999 and begins at 0; beyond, the text says BC as PostgreSQL's does.
    bool bc;
    char *to = put_timestamp(out, us, 'T', &bc);
    *to++ = 'Z';
    return finish(out, put_bc(to, bc));
}
