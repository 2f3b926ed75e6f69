// func_format_read.c - to_date and to_timestamp: a text read by a pattern, with PostgreSQL 15's
// rules. Three stages, a row each: read_all() takes fields out of the text, resolve() makes a day
// and a time of day of them (centuries, week dates, days of the year, 12-hour clocks), and the
// callers make a date or an instant of these. Without FX a separator of the pattern matches one
// of the text or nothing, and what was skipped beyond the pattern counts for the literals after it.
#include <stdlib.h>

#include "base/must.h"
#include "col/cast_int.h"
#include "col/func_format_int.h"

typedef enum date_mode {
    DATE_MODE_NONE,
    DATE_MODE_CALENDAR,
    DATE_MODE_WEEKS, // ISO 8601 week dates
} date_mode;

// Fields as they were read; 0 is "not there".
typedef struct time_input {
    base_str text;
    size_t at;
    int64_t skipped; // blanks more than the pattern has
    bool exact;      // FX
    date_mode mode;
    int64_t year, month, day, weekday, day_of_year, week, week_of_month, century, julian;
    int64_t hour, minute, second, ms, us, seconds_of_day, zone_hour, zone_minute;
    int64_t year_digits, zone_sign, pm, bc;
    int fraction_digits; // of FF1 to FF6, which round what they read
    bool twelve;
} time_input;

typedef struct time_result {
    int64_t year, month, day; // year: astronomical
    int64_t time_us;
    bool has_zone;
    int32_t zone_seconds;
    int fraction_digits;
} time_result;

static base_rc input_error(const time_input *in, const pattern_node *node, base_error *err) {
    base_str rest = {in->text.p + in->at, in->text.n - in->at};
    rest.n = func_utf8_offset(rest, 20);
    return base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_INVALID_DATETIME,
                     "invalid value \"%.*s\" for \"%s\"", BASE_STR_ARG(rest), node->name);
}

static base_rc range_error(base_str text, base_error *err) {
    if (text.n > 200) text.n = base_utf8_valid_prefix((base_str){text.p, 200});
    return base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_DATETIME_OVERFLOW,
                     "date/time field value out of range: \"%.*s\"", BASE_STR_ARG(text));
}

static bool is_space(char c) {
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

static bool is_separator(char c) {
    return c > ' ' && c < 0x7f && !is_digit(c) && !(c >= 'a' && c <= 'z') &&
           !(c >= 'A' && c <= 'Z');
}

static char here(const time_input *in) {
    return in->at < in->text.n ? in->text.p[in->at] : '\0';
}

static void skip_character(time_input *in) {
    if (in->at >= in->text.n) return;
    size_t n = func_utf8_len((uint8_t)in->text.p[in->at]);
    in->at = n < in->text.n - in->at ? in->at + n : in->text.n;
}

static void skip_spaces(time_input *in) {
    while (is_space(here(in))) {
        in->at++;
        in->skipped++;
    }
}

// Whether a pattern's text is of digits, so that a number before it may not take more than its
// width.
static bool reads_digits(const pattern_node *node) {
    switch (node->pattern) {
    case TP_LITERAL:
        return is_digit(node->text.p[0]);
    case TP_AD:
    case TP_AD_DOTS:
    case TP_AM:
    case TP_AM_DOTS:
    case TP_DAY:
    case TP_DY:
    case TP_MONTH:
    case TP_MON:
    case TP_RM:
    case TP_FF1:
    case TP_FF2:
    case TP_FF3:
    case TP_FF4:
    case TP_FF5:
    case TP_FF6:
    case TP_OF:
    case TP_TZ:
    case TP_TZH:
    case TP_FX:
        return false;
    default:
        return true;
    }
}

// Stores a field that may have been given before.
static base_rc put_field(int64_t *field, int64_t v, const pattern_node *node, base_error *err) {
    if (*field != 0 && *field != v) {
        base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_INVALID_DATETIME,
                  "conflicting values for the field \"%s\"", node->name);
        base_error_detail(err, "The text gives this field twice, with different values.");
        return err->code;
    }
    *field = v;
    return BASE_OK;
}

// [blanks][sign]digits in text[at..end). Returns where it ends, or `at` if there are no digits.
static size_t scan_integer(base_str text, size_t at, size_t end, int64_t *v) {
    size_t i = at;
    *v = 0;
    while (i < end && is_space(text.p[i])) i++;
    bool negative = i < end && text.p[i] == '-';
    if (i < end && (text.p[i] == '-' || text.p[i] == '+')) i++;
    size_t digits = i;
    for (; i < end && is_digit(text.p[i]); i++) {
        if (*v < INT64_MAX / 100) *v = *v * 10 + (text.p[i] - '0');
    }
    if (negative) *v = -*v;
    return i > digits ? i : at;
}

// A number of `width` characters, or as long as it is where that cannot be misread: with FM, and
// where the pattern goes on with something else. *length: the characters taken, with blanks.
static base_rc read_number(time_input *in, const pattern_list *list, uint32_t k, size_t width,
                           int64_t *field, int64_t *length, base_error *err) {
    const pattern_node *node = &list->nodes[k];
    size_t begin = in->at, end;
    int64_t v;
    if (node->fill || node->ordinal != 0 || k + 1 == list->n || !reads_digits(node + 1)) {
        end = scan_integer(in->text, in->at, in->text.n, &v);
        if (end == begin) return input_error(in, node, err);
        in->at = end;
    } else {
        while (is_space(here(in))) in->at++;
        size_t from = in->at;
        if (in->text.n - from < width) {
            base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_INVALID_DATETIME,
                      "source string is too short for the field \"%s\"", node->name);
            base_error_detail(err, "The field needs %zu characters.", width);
            return err->code;
        }
        end = scan_integer(in->text, from, from + width, &v);
        if (end == from || end < from + width) {
            input_error(in, node, err);
            base_error_hint(err, "Where a text does not have fields of fixed width, use FM.");
            return err->code;
        }
        in->at = end;
    }
    if (v < INT32_MIN || v > INT32_MAX) {
        return base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_DATETIME_OVERFLOW,
                         "the value for \"%s\" is out of range", node->name);
    }
    *length = (int64_t)(in->at - begin);
    return field == NULL ? BASE_OK : put_field(field, v, node, err);
}

// The index of the first name that the text goes on with.
static base_rc read_name(time_input *in, const pattern_node *node, const char *const *names,
                         int count, size_t most, int64_t *index, base_error *err) {
    for (int k = 0; k < count; k++) {
        base_str name = base_str_of(names[k]);
        if (name.n > most) name.n = most;
        if (in->text.n - in->at < name.n) continue;
        if (!base_str_eq_nocase((base_str){in->text.p + in->at, name.n}, name)) continue;
        in->at += name.n;
        *index = k;
        return BASE_OK;
    }
    return input_error(in, node, err);
}

static base_rc read_fraction(time_input *in, const pattern_list *list, uint32_t k, int width,
                             int unit_digits, int64_t *field, base_error *err) {
    int64_t length;
    base_rc rc = read_number(in, list, k, (size_t)width, field, &length, err);
    for (; rc == BASE_OK && length < unit_digits; length++) *field *= 10; // "25" is 0.25
    return rc;
}

// TZH: a minus may have been taken for a separator.
static base_rc read_zone_hour(time_input *in, const pattern_list *list, uint32_t k,
                              base_error *err) {
    int64_t length;
    char c = here(in);
    if (c == '+' || c == '-' || c == ' ') {
        in->zone_sign = c == '-' ? -1 : 1;
        in->at++;
    } else {
        in->zone_sign = in->skipped > 0 && in->at > 0 && in->text.p[in->at - 1] == '-' ? -1 : 1;
    }
    return read_number(in, list, k, 2, &in->zone_hour, &length, err);
}

static base_rc read_year(time_input *in, const pattern_list *list, uint32_t k, base_error *err) {
    const pattern_node *node = &list->nodes[k];
    time_pattern pattern = node->pattern;
    int64_t length = 0, year = 0, given = in->year;
    size_t width = pattern == TP_YYYY || pattern == TP_IYYY ? 4
                   : pattern == TP_YYY || pattern == TP_IYY ? 3
                   : pattern == TP_YY || pattern == TP_IY   ? 2
                                                            : 1;
    if (pattern == TP_Y_YYY) {
        size_t end = scan_integer(in->text, in->at, in->text.n, &year);
        int64_t rest;
        if (end == in->at || end >= in->text.n || in->text.p[end] != ',')
            return input_error(in, node, err);
        size_t from = end + 1, limit = from + 3 < in->text.n ? from + 3 : in->text.n;
        end = scan_integer(in->text, from, limit, &rest);
        if (end == from) return input_error(in, node, err);
        in->at = end;
        in->year_digits = 4;
        if (year < -2000000 || year > 2000000) return range_error(in->text, err);
        return put_field(&in->year, year * 1000 + rest, node, err);
    }
    base_rc rc = read_number(in, list, k, width, &year, &length, err);
    if (rc != BASE_OK) return rc;
    // As PostgreSQL: a second year must be the first one as it was completed.
    rc = given == 0 ? BASE_OK : put_field(&given, year, node, err);
    if (rc != BASE_OK) return rc;
    if (width < 4 && length < 4) { // the nearest to 2020
        if (year < 70) {
            year += 2000;
        } else if (year < 100) {
            year += 1900;
        } else if (year < 520) {
            year += 2000;
        } else if (year < 1000) {
            year += 1000;
        }
    }
    in->year = year;
    in->year_digits = (int64_t)width;
    return BASE_OK;
}

static base_rc read_half(time_input *in, const pattern_node *node, base_error *err) {
    static const char *const halves[] = {"AM", "PM"}, *const dotted[] = {"A.M.", "P.M."};
    static const char *const eras[] = {"AD", "BC"}, *const dotted_eras[] = {"A.D.", "B.C."};
    int64_t index = 0;
    bool era = node->pattern == TP_AD || node->pattern == TP_AD_DOTS;
    bool dots = node->pattern == TP_AD_DOTS || node->pattern == TP_AM_DOTS;
    base_rc rc = read_name(in, node, era ? (dots ? dotted_eras : eras) : (dots ? dotted : halves),
                           2, 4, &index, err);
    if (rc == BASE_OK) rc = put_field(era ? &in->bc : &in->pm, index, node, err);
    in->twelve |= !era;
    return rc;
}

// Names of months and days, roman months.
static base_rc read_named(time_input *in, const pattern_node *node, base_error *err) {
    static const char *const romans[] = {"XII", "XI", "X",  "IX",  "VIII", "VII",
                                         "VI",  "V",  "IV", "III", "II",   "I"};
    int64_t index = 0;
    base_rc rc;
    switch (node->pattern) {
    case TP_RM:
        rc = read_name(in, node, romans, 12, 4, &index, err);
        return rc == BASE_OK ? put_field(&in->month, 12 - index, node, err) : rc;
    case TP_MONTH:
    case TP_MON:
        rc =
            read_name(in, node, func_month_names, 12, node->pattern == TP_MON ? 3 : 9, &index, err);
        return rc == BASE_OK ? put_field(&in->month, index + 1, node, err) : rc;
    default:
        rc = read_name(in, node, func_day_names, 7, node->pattern == TP_DY ? 3 : 9, &index, err);
        if (rc == BASE_OK) rc = put_field(&in->weekday, index, node, err);
        in->weekday = index + 1;
        return rc;
    }
}

// Fields that are numbers and nothing else.
static int64_t *number_field(time_input *in, time_pattern pattern, size_t *width) {
    *width = 2;
    switch (pattern) {
    case TP_HH24:
    case TP_HH12:
        in->twelve |= pattern == TP_HH12;
        return &in->hour;
    case TP_MI:
        return &in->minute;
    case TP_SS:
        return &in->second;
    case TP_SSSS:
        *width = 5;
        return &in->seconds_of_day;
    case TP_MM:
        return &in->month;
    case TP_DDD:
    case TP_IDDD:
        *width = 3;
        return &in->day_of_year;
    case TP_DD:
        return &in->day;
    case TP_D:
    case TP_ID:
        *width = 1;
        return &in->weekday;
    case TP_WW:
    case TP_IW:
        return &in->week;
    case TP_CC:
        return &in->century;
    case TP_W:
        *width = 1;
        return &in->week_of_month;
    case TP_J:
        *width = 1;
        return &in->julian;
    case TP_TZM:
        if (in->zone_sign == 0) in->zone_sign = 1;
        return &in->zone_minute;
    default:
        return NULL;
    }
}

static base_rc read_node(time_input *in, const pattern_list *list, uint32_t k, base_error *err) {
    const pattern_node *node = &list->nodes[k];
    int64_t length;
    size_t width;
    base_rc rc;
    switch (node->pattern) {
    case TP_AM:
    case TP_AM_DOTS:
    case TP_AD:
    case TP_AD_DOTS:
        return read_half(in, node, err);
    case TP_MONTH:
    case TP_MON:
    case TP_DAY:
    case TP_DY:
    case TP_RM:
        return read_named(in, node, err);
    case TP_TZH:
        return read_zone_hour(in, list, k, err);
    case TP_OF:
    case TP_TZ:
        return base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_UNSUPPORTED,
                         "the pattern \"%s\" is for to_char only", node->name);
    case TP_MS:
        return read_fraction(in, list, k, 3, 3, &in->ms, err);
    case TP_US:
        return read_fraction(in, list, k, 6, 6, &in->us, err);
    case TP_Q: // a quarter says nothing that a date could be made of
        return read_number(in, list, k, 1, NULL, &length, err);
    default:
        break;
    }
    if (node->pattern >= TP_FF1 && node->pattern <= TP_FF6) {
        in->fraction_digits = (int)(node->pattern - TP_FF1) + 1;
        return read_fraction(in, list, k, in->fraction_digits, 6, &in->us, err);
    }
    int64_t *field = number_field(in, node->pattern, &width);
    if (field == NULL) return read_year(in, list, k, err);
    rc = read_number(in, list, k, width, field, &length, err);
    if (rc == BASE_OK && node->pattern == TP_ID) // from Monday to from Sunday
        in->weekday = in->weekday >= 7 ? 1 : in->weekday + 1;
    return rc;
}

static date_mode mode_of(time_pattern pattern) {
    switch (pattern) {
    case TP_IDDD:
    case TP_ID:
    case TP_IW:
    case TP_IYYY:
    case TP_IYY:
    case TP_IY:
    case TP_I:
        return DATE_MODE_WEEKS;
    case TP_DDD:
    case TP_DD:
    case TP_D:
    case TP_MM:
    case TP_MONTH:
    case TP_MON:
    case TP_RM:
    case TP_WW:
    case TP_W:
    case TP_Y_YYY:
    case TP_YYYY:
    case TP_YYY:
    case TP_YY:
    case TP_Y:
        return DATE_MODE_CALENDAR;
    default:
        return DATE_MODE_NONE;
    }
}

static base_rc check_mode(time_input *in, time_pattern pattern, base_error *err) {
    date_mode mode = mode_of(pattern);
    if (mode == DATE_MODE_NONE || mode == in->mode) return BASE_OK;
    if (in->mode == DATE_MODE_NONE) {
        in->mode = mode;
        return BASE_OK;
    }
    base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_INVALID_DATETIME,
              "week dates and calendar dates are mixed in one format");
    base_error_hint(err, "Use either ISO week patterns (IYYY, IW, ID) or calendar patterns.");
    return err->code;
}

// A literal of the pattern; each of its characters may take one of the text.
static void skip_literal(time_input *in, const pattern_node *node) {
    char c = node->text.p[0];
    if (!node->quoted && (is_space(c) || is_separator(c))) {
        if (in->exact) {
            skip_character(in);
        } else {
            in->skipped--;
            if (is_space(here(in)) || is_separator(here(in))) {
                in->at++;
                in->skipped++;
            }
        }
        return;
    }
    for (int64_t n = func_utf8_count(node->text); n > 0 && in->at < in->text.n; n--) {
        if (!in->exact && in->skipped > 0) {
            in->skipped--;
        } else {
            skip_character(in);
        }
    }
}

static base_rc read_all(const pattern_list *list, time_input *in, base_error *err) {
    for (uint32_t k = 0; k < list->n && in->at < in->text.n; k++) {
        const pattern_node *node = &list->nodes[k];
        bool literal = node->pattern == TP_LITERAL;
        if (!in->exact && node->pattern != TP_TZH && (!literal || k == 0)) skip_spaces(in);
        if (literal) {
            skip_literal(in, node);
            continue;
        }
        if (node->pattern == TP_FX) {
            in->exact = true;
            continue;
        }
        base_rc rc = check_mode(in, node->pattern, err);
        if (rc == BASE_OK) rc = read_node(in, list, k, err);
        if (rc != BASE_OK) return rc;
        if (node->ordinal != 0 && mode_of(node->pattern) != DATE_MODE_NONE) {
            skip_character(in);
            skip_character(in);
        }
        if (!in->exact) {
            in->skipped = 0;
            skip_spaces(in);
        }
    }
    return BASE_OK;
}

// ---- what the fields say ----

static int64_t days_from(int64_t year, int64_t month, int64_t day) {
    return base_days_from_civil((int32_t)year, (int32_t)month, 1) + day - 1;
}

static bool take_days(int64_t days, time_result *r) {
    if (days < BASE_DATE_MIN || days >= BASE_DATE_END) return false;
    int32_t year, month, day;
    base_civil_from_days((int32_t)days, &year, &month, &day);
    r->year = year;
    r->month = month;
    r->day = day;
    return true;
}

static int64_t iso_year_start(int64_t year) { // Monday of week 1
    int64_t fourth = days_from(year, 1, 4);
    return fourth - ((fourth + 5) % 7 + 7) % 7; // 2000-01-01 was a Saturday
}

static void resolve_year(time_input *in, time_result *r) {
    if (in->year != 0) {
        if (in->century != 0 && in->year_digits <= 2) {
            int64_t century = in->bc ? -in->century : in->century, rest = in->year % 100;
            if (rest == 0) {
                r->year = century * 100 + (century >= 0 ? 0 : 1);
            } else {
                r->year =
                    century >= 0 ? rest + (century - 1) * 100 : (century + 1) * 100 - rest + 1;
            }
        } else {
            r->year = in->bc ? -in->year : in->year;
            if (r->year < 0) r->year++;
        }
    } else if (in->century != 0) {
        int64_t century = in->bc ? -in->century : in->century;
        r->year = century >= 0 ? (century - 1) * 100 + 1 : century * 100 + 1;
    }
}

static bool resolve_day_of_year(const time_input *in, int64_t day_of_year, time_result *r) {
    if (in->mode == DATE_MODE_WEEKS) return take_days(iso_year_start(r->year) + day_of_year - 1, r);
    int64_t month = 1;
    while (month < 12 &&
           day_of_year >= days_from(r->year, month + 1, 1) - days_from(r->year, 1, 1) + 1)
        month++;
    int64_t before = days_from(r->year, month, 1) - days_from(r->year, 1, 1);
    int64_t length = month < 12 ? 31 : days_from(r->year + 1, 1, 1) - days_from(r->year, 12, 1);
    if (day_of_year < 1 || day_of_year - before > length) return false;
    if (r->month <= 1) r->month = month;
    if (r->day <= 1) r->day = day_of_year - before;
    return true;
}

static base_rc resolve_date(time_input *in, time_result *r, base_error *err) {
    r->month = r->day = 1;
    resolve_year(in, r);
    if (r->year < -300000 || r->year > 6000000) return range_error(in->text, err);
    if (in->julian != 0 && !take_days(in->julian - 2451545, r)) return range_error(in->text, err);
    int64_t day_of_year = in->day_of_year;
    if (in->week != 0 && in->mode == DATE_MODE_WEEKS) {
        int64_t day = in->weekday == 0 ? 0 : in->weekday > 1 ? in->weekday - 2 : 6;
        if (!take_days(iso_year_start(r->year) + (in->week - 1) * 7 + day, r))
            return range_error(in->text, err);
    } else if (in->week != 0) {
        day_of_year = (in->week - 1) * 7 + 1;
    }
    if (in->week_of_month != 0) in->day = (in->week_of_month - 1) * 7 + 1;
    if (in->day != 0) r->day = in->day;
    if (in->month != 0) r->month = in->month;
    if (day_of_year != 0 && (r->month <= 1 || r->day <= 1)) {
        if (r->year == 0 && !in->bc)
            return base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_INVALID_DATETIME,
                             "a day of the year needs a year");
        if (!resolve_day_of_year(in, day_of_year, r)) return range_error(in->text, err);
    }
    if (r->month < 1 || r->month > 12 || r->day < 1 || r->day > 31)
        return range_error(in->text, err);
    // A day beyond its month's end is an error where the text says all three.
    bool year = in->year != 0 || in->century != 0;
    if (year && in->month != 0 && in->day != 0 &&
        r->day > days_from(r->year + (r->month == 12), r->month % 12 + 1, 1) -
                     days_from(r->year, r->month, 1))
        return range_error(in->text, err);
    return BASE_OK;
}

static base_rc resolve_time(const time_input *in, time_result *r, base_error *err) {
    int64_t hour = in->seconds_of_day / 3600, minute = in->seconds_of_day / 60 % 60;
    int64_t second = in->seconds_of_day % 60, us = in->ms * 1000 + in->us;
    if (in->second != 0) second = in->second;
    if (in->minute != 0) minute = in->minute;
    if (in->hour != 0) hour = in->hour;
    if (in->twelve) {
        if (hour < 1 || hour > 12) {
            base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_INVALID_DATETIME,
                      "hour \"%lld\" is invalid for the 12-hour clock", (long long)hour);
            base_error_hint(err, "Use the 24-hour clock, or give an hour between 1 and 12.");
            return err->code;
        }
        hour = hour % 12 + (in->pm != 0 ? 12 : 0);
    }
    if (hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 59 || us < 0 ||
        us >= BASE_US_PER_SECOND)
        return range_error(in->text, err);
    r->time_us =
        hour * BASE_US_PER_HOUR + minute * BASE_US_PER_MINUTE + second * BASE_US_PER_SECOND + us;
    if (in->zone_sign == 0) return BASE_OK;
    if (in->zone_hour < 0 || in->zone_hour > 15 || in->zone_minute < 0 || in->zone_minute > 59)
        return base_fail(err, BASE_E_INVALID, "22009", "time zone displacement out of range");
    r->has_zone = true;
    r->zone_seconds = (int32_t)(in->zone_sign * (in->zone_hour * 3600 + in->zone_minute * 60));
    return BASE_OK;
}

static base_rc parse(pattern_list *list, base_str text, base_str format, time_result *r,
                     base_error *err) {
    time_input in = {.text = text};
    *r = (time_result){0};
    base_rc rc = BASE_OK;
    if (!list->ready || !base_str_eq(list->source, format))
        rc = func_time_pattern(list, format, err);
    if (rc == BASE_OK) rc = read_all(list, &in, err);
    if (rc == BASE_OK) rc = resolve_time(&in, r, err);
    r->fraction_digits = in.fraction_digits;
    return rc == BASE_OK ? resolve_date(&in, r, err) : rc;
}

FUNC_KERNEL(to_date_text) {
    FUNC_UNUSED;
    pattern_list *list = base_arena_new(ctx->arena, pattern_list);
    base_error e;
    FUNC_EACH(i) {
        time_result r;
        base_rc rc = parse(list, col_str(args[0])[i], col_str(args[1])[i], &r, &e);
        if (rc == BASE_OK) {
            int64_t days = days_from(r.year, r.month, r.day);
            if (days < BASE_DATE_MIN || days >= BASE_DATE_END) {
                rc = base_fail(&e, BASE_E_INVALID, BASE_SQLSTATE_DATETIME_OVERFLOW,
                               "date out of range");
            }
            col_i32(out)[i] = (int32_t)days;
        }
        FUNC_ROW_CALL(rc);
    }
    return BASE_OK;
}

static void round_fraction(int64_t *us, int digits) {
    if (digits == 0 || *us == INT64_MIN || *us == INT64_MAX) return;
    int64_t unit = 1;
    for (int k = digits; k < 6; k++) unit *= 10;
    *us = *us >= 0 ? (*us + unit / 2) / unit * unit : -((-*us + unit / 2) / unit * unit);
}

FUNC_KERNEL(to_timestamp_text) {
    FUNC_UNUSED;
    pattern_list *list = base_arena_new(ctx->arena, pattern_list);
    base_error e;
    FUNC_EACH(i) {
        time_result r;
        int64_t us = 0;
        base_rc rc = parse(list, col_str(args[0])[i], col_str(args[1])[i], &r, &e);
        if (rc == BASE_OK) {
            int64_t days = days_from(r.year, r.month, r.day);
            bool fits = days >= BASE_DATE_MIN && days <= BASE_TIMESTAMP_END / BASE_US_PER_DAY;
            if (!fits || __builtin_add_overflow(days * BASE_US_PER_DAY, r.time_us, &us)) {
                rc = base_fail(&e, BASE_E_INVALID, BASE_SQLSTATE_DATETIME_OVERFLOW,
                               "timestamp out of range");
            }
        }
        if (rc == BASE_OK) {
            rc = r.has_zone
                     ? func_shift_us(us, -r.zone_seconds * BASE_US_PER_SECOND, &col_i64(out)[i], &e)
                     : func_from_local(ctx->zone, us, &col_i64(out)[i], &e);
        }
        if (rc == BASE_OK) round_fraction(&col_i64(out)[i], r.fraction_digits);
        FUNC_ROW_CALL(rc);
    }
    return BASE_OK;
}

static const col_func rows[] = {
    {"to_date", 2, {COL_TEXT, COL_TEXT}, COL_DATE, COL_FUNC_STRICT, to_date_text, NULL},
    {"to_timestamp",
     2,
     {COL_TEXT, COL_TEXT},
     COL_TIMESTAMPTZ,
     COL_FUNC_STRICT | COL_FUNC_STABLE,
     to_timestamp_text,
     NULL},
};
FUNC_TABLE(func_format_read_table, rows);
