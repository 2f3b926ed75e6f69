// func_format.c - patterns of times, and to_char of times and intervals by them. Patterns are
// PostgreSQL 15's, with English names. The other way: func_format_read.c; of numbers:
// func_format_number.c.
// A pattern is parsed to nodes once for each run of rows that have the same.
#include <stdlib.h>

#include "base/must.h"
#include "col/cast_int.h"
#include "col/func_format_int.h"
#include "col/func_text_int.h"

static const struct {
    const char *name;
    time_pattern pattern;
} patterns[] = {
    {"A.D.", TP_AD_DOTS}, {"A.M.", TP_AM_DOTS}, {"AD", TP_AD},     {"AM", TP_AM},
    {"B.C.", TP_AD_DOTS}, {"BC", TP_AD},        {"CC", TP_CC},     {"DAY", TP_DAY},
    {"DDD", TP_DDD},      {"DD", TP_DD},        {"DY", TP_DY},     {"D", TP_D},
    {"FF1", TP_FF1},      {"FF2", TP_FF2},      {"FF3", TP_FF3},   {"FF4", TP_FF4},
    {"FF5", TP_FF5},      {"FF6", TP_FF6},      {"HH24", TP_HH24}, {"HH12", TP_HH12},
    {"HH", TP_HH12},      {"IDDD", TP_IDDD},    {"ID", TP_ID},     {"IW", TP_IW},
    {"IYYY", TP_IYYY},    {"IYY", TP_IYY},      {"IY", TP_IY},     {"I", TP_I},
    {"J", TP_J},          {"MI", TP_MI},        {"MM", TP_MM},     {"MONTH", TP_MONTH},
    {"MON", TP_MON},      {"MS", TP_MS},        {"OF", TP_OF},     {"P.M.", TP_AM_DOTS},
    {"PM", TP_AM},        {"Q", TP_Q},          {"RM", TP_RM},     {"SSSSS", TP_SSSS},
    {"SSSS", TP_SSSS},    {"SS", TP_SS},        {"TZH", TP_TZH},   {"TZM", TP_TZM},
    {"TZ", TP_TZ},        {"US", TP_US},        {"WW", TP_WW},     {"W", TP_W},
    {"Y,YYY", TP_Y_YYY},  {"YYYY", TP_YYYY},    {"YYY", TP_YYY},   {"YY", TP_YY},
    {"Y", TP_Y},          {"FX", TP_FX},
};

const char *const func_month_names[] = {"January",   "February", "March",    "April",
                                        "May",       "June",     "July",     "August",
                                        "September", "October",  "November", "December"};
const char *const func_day_names[] = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                      "Thursday", "Friday", "Saturday"};
static const char *const roman_months[] = {"I",   "II",   "III", "IV", "V",  "VI",
                                           "VII", "VIII", "IX",  "X",  "XI", "XII"};

static bool starts(base_str s, size_t at, const char *prefix) {
    size_t n = strlen(prefix);
    return s.n - at >= n && memcmp(s.p + at, prefix, n) == 0;
}

// In capitals or in small letters throughout; of names also with a capital first.
static bool starts_pattern(base_str s, size_t at, const char *name, bool is_name) {
    size_t n = strlen(name);
    if (s.n - at < n) return false;
    bool upper = true, lower = true, first = is_name;
    for (size_t i = 0; i < n; i++) {
        char c = s.p[at + i], small = name[i];
        if (small >= 'A' && small <= 'Z') small = (char)(small - 'A' + 'a');
        upper &= c == name[i];
        lower &= c == small;
        first &= c == (i == 0 ? name[i] : small);
    }
    return upper || lower || first;
}

static letter_case letters_of(base_str s) {
    if (s.p[0] >= 'a' && s.p[0] <= 'z') return LETTERS_LOWER;
    return s.n > 1 && s.p[1] >= 'a' && s.p[1] <= 'z' ? LETTERS_FIRST : LETTERS_UPPER;
}

static pattern_node *add_node(pattern_list *list) {
    if (list->n == PATTERN_NODES_MAX) return NULL;
    pattern_node *node = &list->nodes[list->n++];
    *node = (pattern_node){0};
    return node;
}

// A quoted text or one character at *at.
static bool parse_literal(pattern_list *list, base_str s, size_t *at) {
    pattern_node *node;
    if (s.p[*at] != '"') {
        if (s.p[*at] == '\\' && *at + 1 < s.n && s.p[*at + 1] == '"') (*at)++;
        size_t n = func_utf8_len((uint8_t)s.p[*at]);
        if (n > s.n - *at) n = s.n - *at;
        node = add_node(list);
        if (node == NULL) return false;
        node->text = (base_str){s.p + *at, n};
        *at += n;
        return true;
    }
    size_t i = *at + 1;
    while (i < s.n && s.p[i] != '"') {
        if (s.p[i] == '\\' && i + 1 < s.n) i++;
        size_t begin = i++;
        while (i < s.n && s.p[i] != '"' && s.p[i] != '\\') i++;
        node = add_node(list);
        if (node == NULL) return false;
        node->text = (base_str){s.p + begin, i - begin};
        node->quoted = true;
    }
    *at = i < s.n ? i + 1 : i;
    return true;
}

static bool is_name(time_pattern pattern) {
    return pattern == TP_DAY || pattern == TP_DY || pattern == TP_MONTH || pattern == TP_MON;
}

// The longest pattern at *at with what stands before and after it; false: there is none.
static bool parse_field(pattern_list *list, base_str s, size_t *at, bool fill, bool *full) {
    size_t best = 0, length = 0;
    for (size_t k = 0; k < sizeof patterns / sizeof patterns[0]; k++) {
        if (strlen(patterns[k].name) <= length) continue;
        if (!starts_pattern(s, *at, patterns[k].name, is_name(patterns[k].pattern))) continue;
        best = k;
        length = strlen(patterns[k].name);
    }
    if (length == 0) return false;
    pattern_node *node = add_node(list);
    if (node == NULL) {
        *full = true;
        return true;
    }
    *node = (pattern_node){.pattern = patterns[best].pattern,
                           .fill = fill,
                           .name = patterns[best].name,
                           .letters = letters_of((base_str){s.p + *at, length})};
    *at += length;
    if (starts(s, *at, "TH") || starts(s, *at, "th")) {
        node->ordinal = (uint8_t)s.p[*at];
        *at += 2;
    } else if (starts(s, *at, "SP")) { // taken, without a meaning
        *at += 2;
    }
    return true;
}

base_rc func_time_pattern(pattern_list *list, base_str s, base_error *err) {
    list->source = s;
    list->n = 0;
    list->ready = false;
    bool full = false;
    for (size_t at = 0; at < s.n && !full;) {
        bool fill = starts(s, at, "FM") || starts(s, at, "fm");
        if (fill || starts(s, at, "TM") || starts(s, at, "tm")) at += 2;
        if (at >= s.n) break;
        if (!parse_field(list, s, &at, fill, &full)) full = !parse_literal(list, s, &at);
    }
    if (full) return base_fail(err, BASE_E_LIMIT, BASE_SQLSTATE_LIMIT, "format is too long");
    list->ready = true;
    return BASE_OK;
}

// ---- to_char ----

typedef struct time_parts {
    base_civil civil;
    int64_t hours; // of an interval: all of them
    int64_t total_seconds;
    int32_t day_of_year, weekday; // 0: Sunday
    int32_t iso_year, iso_week, iso_day_of_year;
    int32_t julian;
    int32_t zone_offset;
    const char *zone_name; // NULL: there is none
    bool interval;
} time_parts;

static void add_name(base_buf *buf, const pattern_node *node, const char *name, size_t most,
                     int width) {
    size_t n = strlen(name) < most ? strlen(name) : most;
    for (size_t i = 0; i < n; i++) {
        char c = name[i];
        bool upper = node->letters == LETTERS_UPPER || (node->letters == LETTERS_FIRST && i == 0);
        if (c >= 'a' && c <= 'z' && upper) c = (char)(c - 'a' + 'A');
        if (c >= 'A' && c <= 'Z' && !upper) c = (char)(c - 'A' + 'a');
        base_buf_add_byte(buf, (uint8_t)c);
    }
    for (size_t i = n; !node->fill && (int)i < width; i++) base_buf_add_byte(buf, ' ');
}

static void add_number(base_buf *buf, const pattern_node *node, int64_t v, int width) {
    char text[24];
    int n = 0, least = node->fill ? 1 : width;
    for (uint64_t rest = v < 0 ? 0 - (uint64_t)v : (uint64_t)v; rest != 0 || n < least; rest /= 10)
        text[sizeof text - (size_t)++n] = (char)('0' + rest % 10);
    if (v < 0) text[sizeof text - (size_t)++n] = '-';
    base_buf_add_str(buf, (base_str){text + sizeof text - (size_t)n, (size_t)n});
    if (node->ordinal == 0) return;
    static const char *const upper[] = {"TH", "ST", "ND", "RD"};
    static const char *const lower[] = {"th", "st", "nd", "rd"};
    int64_t last = v < 0 ? -v : v;
    int64_t which = last % 100 / 10 == 1 || last % 10 > 3 ? 0 : last % 10;
    base_buf_add_cstr(buf, (node->ordinal == 'T' ? upper : lower)[which]);
}

static int32_t shown_year(int32_t year, bool interval) {
    return interval || year > 0 ? year : 1 - year;
}

static void add_year(base_buf *buf, const pattern_node *node, const time_parts *t) {
    bool iso = node->pattern >= TP_IYYY && node->pattern <= TP_I;
    int32_t year = shown_year(iso ? t->iso_year : t->civil.year, t->interval);
    int width;
    switch (node->pattern) {
    case TP_Y_YYY:
        base_buf_printf(buf, "%d,%03d", year / 1000, year % 1000);
        return;
    case TP_YYYY:
    case TP_IYYY:
        width = 4;
        break;
    case TP_YYY:
    case TP_IYY:
        year %= 1000;
        width = 3;
        break;
    case TP_YY:
    case TP_IY:
        year %= 100;
        width = 2;
        break;
    default:
        year %= 10;
        width = 1;
        break;
    }
    // Room for a sign is by the calendar's year, also where that of the week is shown.
    bool sign = t->interval && t->civil.year < 0;
    add_number(buf, node, year, year < 0 && !sign ? width - 1 : width);
}

static void add_zone(base_buf *buf, const pattern_node *node, const time_parts *t) {
    int32_t offset = t->zone_offset, away = abs(offset);
    switch (node->pattern) {
    case TP_TZH:
        base_buf_printf(buf, "%c%02d", offset < 0 ? '-' : '+', away / 3600);
        return;
    case TP_TZM:
        base_buf_printf(buf, "%02d", away / 60 % 60);
        return;
    case TP_OF:
        base_buf_printf(buf, "%c%02d", offset < 0 ? '-' : '+', away / 3600);
        if (away / 60 % 60 != 0) base_buf_printf(buf, ":%02d", away / 60 % 60);
        return;
    default:
        for (const char *p = t->zone_name == NULL ? "" : t->zone_name; *p != '\0'; p++) {
            bool lower = node->letters == LETTERS_LOWER && *p >= 'A' && *p <= 'Z';
            base_buf_add_byte(buf, (uint8_t)(lower ? *p - 'A' + 'a' : *p));
        }
        return;
    }
}

static int64_t century(const time_parts *t) {
    int64_t year = t->civil.year;
    if (t->interval) return year / 100;
    return year > 0 ? (year - 1) / 100 + 1 : year / 100 - 1;
}

// Patterns of the time of day; false if it is another.
static bool add_clock(base_buf *buf, const pattern_node *node, const time_parts *t) {
    static const int powers[] = {100000, 10000, 1000, 100, 10, 1};
    switch (node->pattern) {
    case TP_HH24:
        add_number(buf, node, t->hours, 2);
        return true;
    case TP_HH12:
        add_number(buf, node, t->hours % 12 == 0 ? 12 : t->hours % 12, 2);
        return true;
    case TP_MI:
        add_number(buf, node, t->civil.minute, 2);
        return true;
    case TP_SS:
        add_number(buf, node, t->civil.second, 2);
        return true;
    case TP_MS:
        add_number(buf, &(pattern_node){.ordinal = node->ordinal}, t->civil.us / 1000, 3);
        return true;
    case TP_US:
        add_number(buf, &(pattern_node){.ordinal = node->ordinal}, t->civil.us, 6);
        return true;
    case TP_FF1:
    case TP_FF2:
    case TP_FF3:
    case TP_FF4:
    case TP_FF5:
    case TP_FF6: {
        int digits = (int)node->pattern - TP_FF1;
        add_number(buf, &(pattern_node){.ordinal = node->ordinal}, t->civil.us / powers[digits],
                   digits + 1);
        return true;
    }
    case TP_SSSS:
        add_number(buf, &(pattern_node){.fill = true, .ordinal = node->ordinal}, t->total_seconds,
                   1);
        return true;
    case TP_AM:
    case TP_AM_DOTS: {
        bool pm = t->hours % 24 >= 12, dots = node->pattern == TP_AM_DOTS;
        pattern_node plain = {.fill = true,
                              .letters =
                                  node->letters == LETTERS_LOWER ? LETTERS_LOWER : LETTERS_UPPER};
        add_name(buf, &plain, pm ? (dots ? "P.M." : "PM") : (dots ? "A.M." : "AM"), 4, 0);
        return true;
    }
    default:
        return false;
    }
}

static void add_date_part(base_buf *buf, const pattern_node *node, const time_parts *t) {
    const base_civil *c = &t->civil;
    switch (node->pattern) {
    case TP_AD:
    case TP_AD_DOTS: {
        bool dots = node->pattern == TP_AD_DOTS;
        pattern_node plain = {.fill = true,
                              .letters =
                                  node->letters == LETTERS_LOWER ? LETTERS_LOWER : LETTERS_UPPER};
        add_name(buf, &plain, c->year <= 0 ? (dots ? "B.C." : "BC") : (dots ? "A.D." : "AD"), 4, 0);
        return;
    }
    case TP_CC:
        add_number(buf, node, century(t), 2);
        return;
    case TP_DAY:
        add_name(buf, node, func_day_names[t->weekday], 9, 9);
        return;
    case TP_DY:
        add_name(buf, node, func_day_names[t->weekday], 3, 3);
        return;
    case TP_DDD: // of an interval's days below zero PostgreSQL counts the sign as a digit
        add_number(buf, node, t->day_of_year, t->day_of_year < 0 ? 2 : 3);
        return;
    case TP_IDDD:
        add_number(buf, node, t->iso_day_of_year, 3);
        return;
    case TP_DD:
        add_number(buf, node, c->day, c->day < 0 ? 1 : 2);
        return;
    case TP_D:
        add_number(buf, node, t->weekday + 1, 1);
        return;
    case TP_ID:
        add_number(buf, node, t->weekday == 0 ? 7 : t->weekday, 1);
        return;
    case TP_WW:
        add_number(buf, node, (t->day_of_year - 1) / 7 + 1, 2);
        return;
    case TP_IW:
        add_number(buf, node, t->iso_week, 2);
        return;
    case TP_W:
        add_number(buf, node, (c->day - 1) / 7 + 1, 1);
        return;
    case TP_Q:
        if (c->month != 0) add_number(buf, node, (c->month - 1) / 3 + 1, 1);
        return;
    case TP_MM:
        add_number(buf, node, c->month, 2);
        return;
    case TP_MONTH:
        if (c->month > 0) add_name(buf, node, func_month_names[c->month - 1], 9, 9);
        return;
    case TP_MON:
        if (c->month > 0) add_name(buf, node, func_month_names[c->month - 1], 3, 3);
        return;
    case TP_RM:
        if (c->month != 0)
            add_name(buf, node, roman_months[c->month > 0 ? c->month - 1 : c->month + 12], 4, 4);
        return;
    case TP_J:
        add_number(buf, node, t->julian, 1);
        return;
    case TP_OF:
    case TP_TZ:
    case TP_TZH:
    case TP_TZM:
        add_zone(buf, node, t);
        return;
    default:
        add_year(buf, node, t);
        return;
    }
}

// The ISO week, and what goes with it, of a day.
static void add_week(time_parts *t, int32_t days) {
    t->weekday = (int32_t)(((days + 6ll) % 7 + 7) % 7); // 2000-01-01 was a Saturday
    int32_t monday_based = (t->weekday + 6) % 7, month, day;
    base_civil_from_days(days - monday_based + 3, &t->iso_year, &month, &day);
    int32_t first = base_days_from_civil(t->iso_year, 1, 4); // is always in week 1
    int32_t first_monday = first - (int32_t)(((first + 5ll) % 7 + 7) % 7);
    t->iso_day_of_year = days - first_monday + 1;
    t->iso_week = (days - first_monday) / 7 + 1;
    t->julian = days + 2451545;
}

static time_parts parts_of(int64_t us, const base_zone *zone, bool zoned) {
    int32_t zone_offset = base_zone_offset_at(zone, us);
    time_parts t = {.zone_offset = zone_offset};
    if (zoned) t.zone_name = base_zone_abbreviation(zone, us);
    us += zone_offset * BASE_US_PER_SECOND;
    int32_t days = func_us_to_days(us);
    t.civil = base_civil_from_us(us);
    t.hours = t.civil.hour;
    t.total_seconds = (t.civil.hour * 60 + t.civil.minute) * 60 + t.civil.second;
    t.day_of_year = days - base_days_from_civil(t.civil.year, 1, 1) + 1;
    add_week(&t, days);
    return t;
}

// What PostgreSQL shows of an interval's week and Julian day is that of its fields as a date.
static time_parts parts_of_interval(const base_interval *v) {
    time_parts t = {.interval = true};
    t.civil.year = v->months / 12;
    t.civil.month = v->months % 12;
    t.civil.day = v->days;
    t.hours = v->us / BASE_US_PER_HOUR;
    t.civil.minute = (int32_t)(v->us / BASE_US_PER_MINUTE % 60);
    t.civil.second = (int32_t)(v->us / BASE_US_PER_SECOND % 60);
    t.civil.us = (int32_t)(v->us % BASE_US_PER_SECOND);
    t.total_seconds = v->us / BASE_US_PER_SECOND;
    t.day_of_year = (int32_t)((uint32_t)v->months * 30u + (uint32_t)v->days);
    int64_t months = (int64_t)t.civil.year * 12 + t.civil.month - 1;
    int64_t year = months / 12 - (months % 12 < 0);
    if (year > -100000 && year < 5800000) {
        int64_t days = base_days_from_civil((int32_t)year, (int32_t)(months - year * 12) + 1, 1) +
                       (int64_t)v->days - 1;
        if (days > BASE_DATE_MIN * 10ll && days < BASE_DATE_END) add_week(&t, (int32_t)days);
    }
    return t;
}

// Patterns that need a calendar or a clock of a place.
static bool fits_interval(time_pattern pattern) {
    switch (pattern) {
    case TP_AD:
    case TP_AD_DOTS:
    case TP_DAY:
    case TP_DY:
    case TP_D:
    case TP_ID:
    case TP_MONTH:
    case TP_MON:
    case TP_OF:
    case TP_TZH:
    case TP_TZM:
    case TP_TZ:
        return false;
    default:
        return true;
    }
}

static base_rc add_times(base_buf *buf, const pattern_list *list, const time_parts *t,
                         base_error *err) {
    for (uint32_t k = 0; k < list->n; k++) {
        const pattern_node *node = &list->nodes[k];
        if (node->pattern == TP_LITERAL) {
            base_buf_add_str(buf, node->text);
        } else if (t->interval && !fits_interval(node->pattern)) {
            base_rc rc = base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_INVALID_DATETIME,
                                   "the pattern \"%s\" has no meaning for an interval", node->name);
            base_error_hint(err, "Intervals are not tied to dates of a calendar.");
            return rc;
        } else if (node->pattern != TP_FX && !add_clock(buf, node, t)) {
            add_date_part(buf, node, t);
        }
    }
    return BASE_OK;
}

FUNC_KERNEL(to_char_time) {
    FUNC_UNUSED;
    size_t budget = FUNC_BATCH_BYTES_MAX;
    col_kind kind = args[0]->type.kind;
    pattern_list *list = base_arena_new(ctx->arena, pattern_list);
    base_buf buf = {0};
    base_error e;
    base_rc rc = BASE_OK;
    for (uint32_t i = 0; i < n && rc == BASE_OK; i++) {
        if (col_is_null(out, i)) continue;
        base_str format = col_str(args[1])[i];
        int64_t us = kind == COL_INTERVAL ? 0 : col_i64(args[0])[i];
        if (format.n == 0 || us == INT64_MIN || us == INT64_MAX) {
            col_vec_set_null(out, ctx->arena, i);
            continue;
        }
        if (!list->ready || !base_str_eq(list->source, format)) {
            rc = func_time_pattern(list, format, &e);
        }
        if (rc != BASE_OK) {
            rc = func_row_error(ctx, out, i, &e);
            continue;
        }
        bool zoned = kind == COL_TIMESTAMPTZ;
        time_parts t = kind == COL_INTERVAL ? parts_of_interval(&col_interval(args[0])[i])
                                            : parts_of(us, zoned ? ctx->zone : NULL, zoned);
        base_buf_clear(&buf);
        rc = add_times(&buf, list, &t, &e);
        rc = rc == BASE_OK ? func_put_text(ctx, &budget, &buf, out, i)
                           : func_row_error(ctx, out, i, &e);
    }
    base_buf_deinit(&buf);
    return rc;
}

#define S      COL_FUNC_STRICT
#define STABLE (COL_FUNC_STRICT | COL_FUNC_STABLE)
#define T      COL_TEXT

static const col_func rows[] = {
    {"to_char", 2, {COL_TIMESTAMP, T}, T, S, to_char_time, NULL},
    {"to_char", 2, {COL_TIMESTAMPTZ, T}, T, STABLE, to_char_time, NULL},
    {"to_char", 2, {COL_INTERVAL, T}, T, S, to_char_time, NULL},
};
FUNC_TABLE(func_format_table, rows);
