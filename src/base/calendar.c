// calendar.c - the arithmetic of calendar.h: civil dates, adding intervals, date_trunc, extract.
// Years are astronomical inside (0 is 1 BC) and shown without a year 0. Division rounds down
// everywhere, so that times before 2000 need no special cases.
// Entry points: base_days_from_civil(), base_civil_from_us().
#include "base/calendar.h"

#include "base/calendar_int.h"
#include "base/must.h"

#define DAYS_PER_ERA 146097 // of 400 Gregorian years

// The year starts in March here: the leap day is its last, and month lengths follow one formula.
int32_t base_days_from_civil(int32_t year, int32_t month, int32_t day) {
    int64_t y = (int64_t)year - (month <= 2);
    int64_t era = floor_div(y, 400);
    int32_t year_of_era = (int32_t)(y - era * 400);
    int32_t month_from_march = month > 2 ? month - 3 : month + 9;
    int32_t day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    int32_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return (int32_t)(era * DAYS_PER_ERA + day_of_era - DAYS_FROM_0000_MAR);
}

void base_civil_from_days(int32_t days, int32_t *year, int32_t *month, int32_t *day) {
    int64_t d = (int64_t)days + DAYS_FROM_0000_MAR;
    int64_t era = floor_div(d, DAYS_PER_ERA);
    int32_t day_of_era = (int32_t)(d - era * DAYS_PER_ERA);
    // Leave out the leap days before this one, then years are equally long.
    int32_t leap_days = day_of_era / 1460 - day_of_era / 36524 + day_of_era / 146096;
    int32_t year_of_era = (day_of_era - leap_days) / 365;
    int32_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int32_t month_from_march = (5 * day_of_year + 2) / 153;
    *day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    *month = month_from_march < 10 ? month_from_march + 3 : month_from_march - 9;
    *year = (int32_t)(era * 400 + year_of_era + (*month <= 2));
}

base_civil base_civil_from_us(int64_t us) {
    base_civil c;
    int64_t rest, days = split_days(us, &rest);
    base_civil_from_days((int32_t)days, &c.year, &c.month, &c.day);
    c.hour = (int32_t)(rest / BASE_US_PER_HOUR);
    rest %= BASE_US_PER_HOUR;
    c.minute = (int32_t)(rest / BASE_US_PER_MINUTE);
    rest %= BASE_US_PER_MINUTE;
    c.second = (int32_t)(rest / BASE_US_PER_SECOND);
    c.us = (int32_t)(rest % BASE_US_PER_SECOND);
    return c;
}

int64_t base_us_from_civil(const base_civil *c) {
    int64_t days = base_days_from_civil(c->year, c->month, c->day);
    return days * BASE_US_PER_DAY + c->hour * BASE_US_PER_HOUR + c->minute * BASE_US_PER_MINUTE +
           c->second * BASE_US_PER_SECOND + c->us;
}

static base_rc fail_out_of_range(base_error *err) {
    return base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_DATETIME_OVERFLOW,
                     "timestamp out of range");
}

static bool is_infinite(int64_t us) {
    return us == INT64_MIN || us == INT64_MAX;
}

static bool is_finite_valid(int64_t us) {
    return us >= BASE_TIMESTAMP_MIN && us < BASE_TIMESTAMP_END;
}

// The same time of day `months` later, on the month's last day if it has no such day.
static bool add_months(int64_t us, int32_t months, int64_t *out) {
    int64_t time_of_day, days = split_days(us, &time_of_day);
    int32_t year, month, day;
    base_civil_from_days((int32_t)days, &year, &month, &day);
    int64_t total = (int64_t)year * 12 + (month - 1) + months;
    int64_t new_year = floor_div(total, 12);
    if (new_year < -4800 || new_year > 300000) return false;
    month = (int32_t)(total - new_year * 12) + 1;
    int32_t last = days_in_month((int32_t)new_year, month);
    if (day > last) day = last;
    int64_t new_days = base_days_from_civil((int32_t)new_year, month, day);
    return !__builtin_mul_overflow(new_days, BASE_US_PER_DAY, out) &&
           !__builtin_add_overflow(*out, time_of_day, out) && is_finite_valid(*out);
}

base_rc base_timestamp_add(int64_t us, const base_interval *interval, int64_t *out,
                           base_error *err) {
    if (is_infinite(us)) {
        *out = us;
        return BASE_OK;
    }
    if (interval->months != 0 && !add_months(us, interval->months, &us)) {
        return fail_out_of_range(err);
    }
    int64_t days_us;
    if (__builtin_mul_overflow((int64_t)interval->days, BASE_US_PER_DAY, &days_us) ||
        __builtin_add_overflow(us, days_us, &us) || !is_finite_valid(us)) {
        return fail_out_of_range(err);
    }
    if (__builtin_add_overflow(us, interval->us, &us) || !is_finite_valid(us)) {
        return fail_out_of_range(err);
    }
    *out = us;
    return BASE_OK;
}

// ---------------------------------------------------------------------------------------------------
// Fields

typedef struct field_name {
    base_str name;
    base_time_field field;
} field_name;

#define FIELD(text, value)                                                                         \
    { {text, sizeof(text) - 1}, BASE_FIELD_##value }

static const field_name field_names[] = {
    FIELD("microseconds", MICROSECONDS),
    FIELD("microsecond", MICROSECONDS),
    FIELD("us", MICROSECONDS),
    FIELD("usec", MICROSECONDS),
    FIELD("usecs", MICROSECONDS),
    FIELD("useconds", MICROSECONDS),
    FIELD("usecond", MICROSECONDS),
    FIELD("milliseconds", MILLISECONDS),
    FIELD("millisecond", MILLISECONDS),
    FIELD("ms", MILLISECONDS),
    FIELD("msec", MILLISECONDS),
    FIELD("msecs", MILLISECONDS),
    FIELD("mseconds", MILLISECONDS),
    FIELD("msecond", MILLISECONDS),
    FIELD("second", SECOND),
    FIELD("seconds", SECOND),
    FIELD("sec", SECOND),
    FIELD("secs", SECOND),
    FIELD("s", SECOND),
    FIELD("minute", MINUTE),
    FIELD("minutes", MINUTE),
    FIELD("min", MINUTE),
    FIELD("mins", MINUTE),
    FIELD("m", MINUTE),
    FIELD("hour", HOUR),
    FIELD("hours", HOUR),
    FIELD("hr", HOUR),
    FIELD("hrs", HOUR),
    FIELD("h", HOUR),
    FIELD("day", DAY),
    FIELD("days", DAY),
    FIELD("d", DAY),
    FIELD("week", WEEK),
    FIELD("weeks", WEEK),
    FIELD("w", WEEK),
    FIELD("month", MONTH),
    FIELD("months", MONTH),
    FIELD("mon", MONTH),
    FIELD("mons", MONTH),
    FIELD("quarter", QUARTER),
    FIELD("qtr", QUARTER),
    FIELD("year", YEAR),
    FIELD("years", YEAR),
    FIELD("yr", YEAR),
    FIELD("yrs", YEAR),
    FIELD("y", YEAR),
    FIELD("decade", DECADE),
    FIELD("decades", DECADE),
    FIELD("dec", DECADE),
    FIELD("decs", DECADE),
    FIELD("century", CENTURY),
    FIELD("centuries", CENTURY),
    FIELD("cent", CENTURY),
    FIELD("c", CENTURY),
    FIELD("millennium", MILLENNIUM),
    FIELD("millennia", MILLENNIUM),
    FIELD("mil", MILLENNIUM),
    FIELD("mils", MILLENNIUM),
    FIELD("isoyear", ISOYEAR),
    FIELD("dow", DOW),
    FIELD("isodow", ISODOW),
    FIELD("doy", DOY),
    FIELD("epoch", EPOCH),
};

static const base_time_field *find_field(base_str name) {
    for (size_t i = 0; i < sizeof field_names / sizeof field_names[0]; i++) {
        if (base_str_eq_nocase(name, field_names[i].name)) return &field_names[i].field;
    }
    return NULL;
}

bool base_interval_unit_find(base_str name, base_time_field *field) {
    const base_time_field *found = find_field(name);
    if (found == NULL || *found > BASE_FIELD_MILLENNIUM || *found == BASE_FIELD_QUARTER)
        return false;
    *field = *found;
    return true;
}

static base_rc fail_field(base_str name, base_error *err) {
    return base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_INVALID_PARAMETER,
                     "unit \"%.*s\" not recognized for type timestamp without time zone",
                     name.n > 64 ? 64 : (int)name.n, name.p);
}

base_rc base_time_field_find(base_str name, base_time_field *field, base_error *err) {
    const base_time_field *found = find_field(name);
    if (found == NULL) return fail_field(name, err);
    *field = *found;
    return BASE_OK;
}

// Monday is 0. 2000-01-01 was a Saturday.
static int32_t weekday_from_monday(int64_t days) {
    int64_t n = days + 5;
    return (int32_t)(n - floor_div(n, 7) * 7);
}

static int64_t year_start_us(int64_t year) {
    return base_days_from_civil((int32_t)year, 1, 1) * BASE_US_PER_DAY;
}

// Years, decades, centuries and millennia; the last two begin with a year ...1.
static int64_t truncate_year(base_time_field field, int64_t year) {
    switch (field) {
    case BASE_FIELD_DECADE:
        return floor_div(year, 10) * 10;
    case BASE_FIELD_CENTURY:
        return floor_div(year - 1, 100) * 100 + 1;
    case BASE_FIELD_MILLENNIUM:
        return floor_div(year - 1, 1000) * 1000 + 1;
    default:
        return year;
    }
}

base_rc base_timestamp_trunc_field(base_time_field field, int64_t us, int64_t *out,
                                   base_error *err) {
    *out = us;
    if (is_infinite(us)) return BASE_OK;
    static const int64_t fixed_us[] = {
        1, 1000, BASE_US_PER_SECOND, BASE_US_PER_MINUTE, BASE_US_PER_HOUR, BASE_US_PER_DAY};
    if (field <= BASE_FIELD_DAY) {
        *out = floor_div(us, fixed_us[field]) * fixed_us[field];
        return BASE_OK;
    }
    int64_t days = floor_div(us, BASE_US_PER_DAY);
    if (field == BASE_FIELD_WEEK) {
        *out = (days - weekday_from_monday(days)) * BASE_US_PER_DAY;
    } else {
        int32_t year, month, day;
        base_civil_from_days((int32_t)days, &year, &month, &day);
        switch (field) {
        case BASE_FIELD_MONTH:
            *out = base_days_from_civil(year, month, 1) * BASE_US_PER_DAY;
            break;
        case BASE_FIELD_QUARTER:
            *out = base_days_from_civil(year, (month - 1) / 3 * 3 + 1, 1) * BASE_US_PER_DAY;
            break;
        case BASE_FIELD_YEAR:
        case BASE_FIELD_DECADE:
        case BASE_FIELD_CENTURY:
        case BASE_FIELD_MILLENNIUM:
            *out = year_start_us(truncate_year(field, year));
            break;
        default:
            return base_fail(err, BASE_E_UNSUPPORTED, NULL,
                             "unit not supported by date_trunc for type timestamp");
        }
    }
    return is_finite_valid(*out) ? BASE_OK : fail_out_of_range(err);
}

base_rc base_timestamp_trunc(base_str field, int64_t us, int64_t *out, base_error *err) {
    base_time_field found;
    base_rc rc = base_time_field_find(field, &found, err);
    if (rc != BASE_OK) return rc;
    return base_timestamp_trunc_field(found, us, out, err);
}

// The ISO 8601 year and week: a week belongs to the year of its Thursday.
static void iso_week(int64_t days, int32_t *year, int32_t *week) {
    int64_t thursday = days - weekday_from_monday(days) + 3;
    int32_t month, day;
    base_civil_from_days((int32_t)thursday, year, &month, &day);
    *week = (int32_t)((thursday - base_days_from_civil(*year, 1, 1)) / 7) + 1;
}

static int64_t shown_year(int64_t year) {
    return year > 0 ? year : year - 1; // there is no year 0
}

int64_t base_date_extract_field(base_time_field field, int32_t days) {
    int32_t year, month, day, week;
    base_civil_from_days(days, &year, &month, &day);
    switch (field) {
    case BASE_FIELD_DAY:
        return day;
    case BASE_FIELD_MONTH:
        return month;
    case BASE_FIELD_QUARTER:
        return (month - 1) / 3 + 1;
    case BASE_FIELD_YEAR:
        return shown_year(year);
    case BASE_FIELD_DECADE:
        return floor_div(year, 10);
    case BASE_FIELD_CENTURY: {
        int64_t n = floor_div((int64_t)year - 1, 100) + 1;
        return n > 0 ? n : n - 1;
    }
    case BASE_FIELD_MILLENNIUM: {
        int64_t n = floor_div((int64_t)year - 1, 1000) + 1;
        return n > 0 ? n : n - 1;
    }
    case BASE_FIELD_WEEK:
        iso_week(days, &year, &week);
        return week;
    case BASE_FIELD_ISOYEAR:
        iso_week(days, &year, &week);
        return shown_year(year);
    case BASE_FIELD_DOW:
        return (weekday_from_monday(days) + 1) % 7;
    case BASE_FIELD_ISODOW:
        return weekday_from_monday(days) + 1;
    case BASE_FIELD_DOY:
        return days - base_days_from_civil(year, 1, 1) + 1;
    default:
        must(!"a field of dates");
        return 0;
    }
}

base_rc base_timestamp_extract_field(base_time_field field, int64_t us, int64_t *unscaled,
                                     int *scale, base_error *err) {
    if (is_infinite(us)) {
        return base_fail(err, BASE_E_UNSUPPORTED, NULL, "extract from infinity is not supported");
    }
    *scale = 0;
    int64_t time_of_day, days = split_days(us, &time_of_day);
    switch (field) {
    case BASE_FIELD_MICROSECONDS:
        *unscaled = time_of_day % BASE_US_PER_MINUTE;
        return BASE_OK;
    case BASE_FIELD_MILLISECONDS:
        *scale = 3;
        *unscaled = time_of_day % BASE_US_PER_MINUTE;
        return BASE_OK;
    case BASE_FIELD_SECOND:
        *scale = 6;
        *unscaled = time_of_day % BASE_US_PER_MINUTE;
        return BASE_OK;
    case BASE_FIELD_MINUTE:
        *unscaled = time_of_day % BASE_US_PER_HOUR / BASE_US_PER_MINUTE;
        return BASE_OK;
    case BASE_FIELD_HOUR:
        *unscaled = time_of_day / BASE_US_PER_HOUR;
        return BASE_OK;
    case BASE_FIELD_EPOCH:
        *scale = 6;
        return __builtin_add_overflow(us, BASE_UNIX_EPOCH_US, unscaled) ? fail_out_of_range(err)
                                                                        : BASE_OK;
    default:
        *unscaled = base_date_extract_field(field, (int32_t)days);
        return BASE_OK;
    }
}

base_rc base_timestamp_extract(base_str field, int64_t us, int64_t *unscaled, int *scale,
                               base_error *err) {
    base_time_field found;
    base_rc rc = base_time_field_find(field, &found, err);
    if (rc != BASE_OK) return rc;
    return base_timestamp_extract_field(found, us, unscaled, scale, err);
}
