// func_format.c - to_char of times and intervals, to_date and to_timestamp by a pattern.
// Patterns are PostgreSQL 15's, English names; to_char of numbers: func_format_number.c.
// A pattern is parsed to nodes once for each run of rows that have the same.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/must.h"
#include "col/cast_int.h"
#include "col/func_text_int.h"

#define PATTERN_NODES_MAX 512

typedef enum time_pattern {
    TP_LITERAL,
    TP_AD,
    TP_AD_DOTS,
    TP_AM,
    TP_AM_DOTS,
    TP_CC,
    TP_DAY,
    TP_DDD,
    TP_DD,
    TP_DY,
    TP_D,
    TP_FF1,
    TP_FF2,
    TP_FF3,
    TP_FF4,
    TP_FF5,
    TP_FF6,
    TP_HH24,
    TP_HH12,
    TP_IDDD,
    TP_ID,
    TP_IW,
    TP_IYYY,
    TP_IYY,
    TP_IY,
    TP_I,
    TP_J,
    TP_MI,
    TP_MM,
    TP_MONTH,
    TP_MON,
    TP_MS,
    TP_OF,
    TP_Q,
    TP_RM,
    TP_SSSS,
    TP_SS,
    TP_TZH,
    TP_TZM,
    TP_TZ,
    TP_US,
    TP_WW,
    TP_W,
    TP_Y_YYY,
    TP_YYYY,
    TP_YYY,
    TP_YY,
    TP_Y,
} time_pattern;

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
    {"Y", TP_Y},
};

typedef enum letter_case {
    LETTERS_UPPER,
    LETTERS_FIRST,
    LETTERS_LOWER,
} letter_case;

typedef struct pattern_node {
    time_pattern pattern;
    bool fill;       // FM: no padding
    uint8_t ordinal; // 0, 'T' for TH, 't' for th
    letter_case letters;
    base_str text; // LITERAL
} pattern_node;

typedef struct pattern_list {
    base_str source;
    uint32_t n;
    bool ready;
    pattern_node nodes[PATTERN_NODES_MAX];
} pattern_list;

static const char *const month_names[] = {"January",   "February", "March",    "April",
                                          "May",       "June",     "July",     "August",
                                          "September", "October",  "November", "December"};
static const char *const day_names[] = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                        "Thursday", "Friday", "Saturday"};
static const char *const roman_months[] = {"I",   "II",   "III", "IV", "V",  "VI",
                                           "VII", "VIII", "IX",  "X",  "XI", "XII"};

static bool starts_nocase(base_str s, size_t at, const char *prefix) {
    size_t n = strlen(prefix);
    return s.n - at >= n && base_str_eq_nocase((base_str){s.p + at, n}, (base_str){prefix, n});
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
    }
    *at = i < s.n ? i + 1 : i;
    return true;
}

static base_rc parse_pattern(pattern_list *list, base_str s, base_error *err) {
    list->source = s;
    list->n = 0;
    list->ready = false;
    for (size_t at = 0; at < s.n;) {
        bool fill = starts_nocase(s, at, "FM");
        if (fill) at += 2;
        if (starts_nocase(s, at, "TM") || starts_nocase(s, at, "FX")) at += 2;
        if (at >= s.n) break;
        size_t best = sizeof patterns / sizeof patterns[0], length = 0;
        for (size_t k = 0; k < sizeof patterns / sizeof patterns[0]; k++) {
            if (!starts_nocase(s, at, patterns[k].name)) continue;
            if (strlen(patterns[k].name) <= length) continue;
            best = k;
            length = strlen(patterns[k].name);
        }
        bool good = true;
        if (length == 0) {
            good = parse_literal(list, s, &at);
        } else {
            pattern_node *node = add_node(list);
            good = node != NULL;
            if (good) {
                *node = (pattern_node){.pattern = patterns[best].pattern,
                                       .fill = fill,
                                       .letters = letters_of((base_str){s.p + at, length})};
                at += length;
                if (starts_nocase(s, at, "TH")) {
                    node->ordinal = (uint8_t)s.p[at];
                    at += 2;
                }
            }
        }
        if (!good) {
            return base_fail(err, BASE_E_LIMIT, BASE_SQLSTATE_LIMIT, "format is too long");
        }
    }
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
    bool zoned, interval;
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
    if (node->fill) {
        base_buf_printf(buf, "%" PRId64, v);
    } else {
        base_buf_printf(buf, "%0*" PRId64, v < 0 ? width + 1 : width, v);
    }
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
    switch (node->pattern) {
    case TP_Y_YYY:
        base_buf_printf(buf, "%d,%03d", year / 1000, year % 1000);
        return;
    case TP_YYYY:
    case TP_IYYY:
        add_number(buf, node, year, 4);
        return;
    case TP_YYY:
    case TP_IYY:
        add_number(buf, node, year % 1000, 3);
        return;
    case TP_YY:
    case TP_IY:
        add_number(buf, node, year % 100, 2);
        return;
    default:
        add_number(buf, node, year % 10, 1);
        return;
    }
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
        if (!t->zoned) return;
        if (offset == 0) {
            base_buf_add_cstr(buf, node->letters == LETTERS_LOWER ? "utc" : "UTC");
        } else {
            base_buf_printf(buf, "%c%02d", offset < 0 ? '-' : '+', away / 3600);
            if (away / 60 % 60 != 0) base_buf_printf(buf, ":%02d", away / 60 % 60);
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
        add_name(buf, node, day_names[t->weekday], 9, 9);
        return;
    case TP_DY:
        add_name(buf, node, day_names[t->weekday], 3, 3);
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
        if (c->month > 0) add_number(buf, node, (c->month - 1) / 3 + 1, 1);
        return;
    case TP_MM:
        add_number(buf, node, c->month, 2);
        return;
    case TP_MONTH:
        if (c->month > 0) add_name(buf, node, month_names[c->month - 1], 9, 9);
        return;
    case TP_MON:
        if (c->month > 0) add_name(buf, node, month_names[c->month - 1], 3, 3);
        return;
    case TP_RM:
        if (c->month > 0) add_name(buf, node, roman_months[c->month - 1], 4, 4);
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

static time_parts parts_of(int64_t us, int32_t zone_offset, bool zoned) {
    time_parts t = {.zone_offset = zone_offset, .zoned = zoned};
    us += zone_offset * BASE_US_PER_SECOND;
    int32_t days = func_us_to_days(us);
    t.civil = base_civil_from_us(us);
    t.hours = t.civil.hour;
    t.total_seconds = (t.civil.hour * 60 + t.civil.minute) * 60 + t.civil.second;
    t.day_of_year = days - base_days_from_civil(t.civil.year, 1, 1) + 1;
    t.weekday = (int32_t)(((days + 6ll) % 7 + 7) % 7); // 2000-01-01 was a Saturday
    int32_t monday_based = (t.weekday + 6) % 7, month, day;
    base_civil_from_days(days - monday_based + 3, &t.iso_year, &month, &day);
    int32_t first = base_days_from_civil(t.iso_year, 1, 4); // is always in week 1
    int32_t first_monday = first - (int32_t)(((first + 5ll) % 7 + 7) % 7);
    t.iso_day_of_year = days - first_monday + 1;
    t.iso_week = (days - first_monday) / 7 + 1;
    t.julian = days + 2451545;
    return t;
}

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
    t.day_of_year = v->months * 30 + v->days;
    return t;
}

static void add_times(base_buf *buf, const pattern_list *list, const time_parts *t) {
    for (uint32_t k = 0; k < list->n; k++) {
        const pattern_node *node = &list->nodes[k];
        if (node->pattern == TP_LITERAL) {
            base_buf_add_str(buf, node->text);
        } else if (!add_clock(buf, node, t)) {
            add_date_part(buf, node, t);
        }
    }
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
            rc = parse_pattern(list, format, &e);
        }
        if (rc != BASE_OK) {
            rc = func_row_error(ctx, out, i, &e);
            continue;
        }
        bool zoned = kind == COL_TIMESTAMPTZ;
        time_parts t = kind == COL_INTERVAL
                           ? parts_of_interval(&col_interval(args[0])[i])
                           : parts_of(us, zoned ? ctx->zone_offset_seconds : 0, zoned);
        base_buf_clear(&buf);
        add_times(&buf, list, &t);
        rc = func_put_text(ctx, &budget, &buf, out, i);
    }
    base_buf_deinit(&buf);
    return rc;
}

// ---- to_date, to_timestamp ----

typedef struct time_input {
    base_str text;
    size_t at;
    int32_t year, month, day, hour, minute, second, us, day_of_year, zone_offset;
    bool has_zone, has_half, pm, bc, twelve;
} time_input;

static base_rc input_error(const time_input *in, const char *what, base_error *err) {
    base_str rest = {in->text.p + in->at, in->text.n - in->at};
    rest.n = func_utf8_offset(rest, 20);
    return base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_INVALID_DATETIME,
                     "invalid value \"%.*s\" for \"%s\"", BASE_STR_ARG(rest), what);
}

static bool is_space(char c) {
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

// Digits: at most `most` of them.
static base_rc read_number(time_input *in, int most, const char *what, int32_t *v, int *digits,
                           base_error *err) {
    while (in->at < in->text.n && is_space(in->text.p[in->at])) in->at++;
    *v = 0;
    *digits = 0;
    while (in->at < in->text.n && is_digit(in->text.p[in->at]) && *digits < most) {
        *v = *v * 10 + (in->text.p[in->at++] - '0');
        (*digits)++;
    }
    return *digits > 0 ? BASE_OK : input_error(in, what, err);
}

static base_rc read_name(time_input *in, const char *const *names, int count, size_t most,
                         const char *what, int32_t *index, base_error *err) {
    while (in->at < in->text.n && is_space(in->text.p[in->at])) in->at++;
    for (int k = 0; k < count; k++) {
        size_t n = strlen(names[k]) < most ? strlen(names[k]) : most;
        base_str name = {names[k], n};
        if (in->text.n - in->at < n) continue;
        if (!base_str_eq_nocase((base_str){in->text.p + in->at, n}, name)) continue;
        in->at += n;
        *index = k;
        return BASE_OK;
    }
    return input_error(in, what, err);
}

static base_rc read_zone(time_input *in, base_error *err) {
    if (in->at >= in->text.n || (in->text.p[in->at] != '+' && in->text.p[in->at] != '-')) {
        return input_error(in, "TZH", err);
    }
    bool west = in->text.p[in->at++] == '-';
    int32_t hours;
    int digits;
    base_rc rc = read_number(in, 2, "TZH", &hours, &digits, err);
    in->has_zone = true;
    in->zone_offset = (west ? -1 : 1) * hours * 3600;
    return rc;
}

static base_rc read_year(time_input *in, const pattern_node *node, int most, base_error *err) {
    int digits;
    base_rc rc = read_number(in, most, "YYYY", &in->year, &digits, err);
    if (rc == BASE_OK && node->pattern != TP_YYYY && digits < 4) { // the nearest to 2020
        if (digits <= 2) in->year += in->year < 70 ? 2000 : 1900;
        if (digits == 3) in->year += in->year < 520 ? 2000 : 1000;
    }
    return rc;
}

// Whether a pattern takes digits, so that one before it may not take more than its width.
static bool takes_digits(const pattern_node *node) {
    return node->pattern != TP_LITERAL && node->pattern != TP_MONTH && node->pattern != TP_MON &&
           node->pattern != TP_DAY && node->pattern != TP_DY && node->pattern != TP_AM &&
           node->pattern != TP_AM_DOTS && node->pattern != TP_AD && node->pattern != TP_AD_DOTS;
}

static base_rc read_fraction(time_input *in, int most, const char *what, base_error *err) {
    int digits;
    base_rc rc = read_number(in, most, what, &in->us, &digits, err);
    for (; rc == BASE_OK && digits < 6; digits++) in->us *= 10;
    return rc;
}

static base_rc read_node(time_input *in, const pattern_node *node, bool digits_follow,
                         base_error *err) {
    static const char *const halves[] = {"AM", "PM", "A.M.", "P.M."};
    static const char *const eras[] = {"AD", "BC", "A.D.", "B.C."};
    int digits;
    int32_t index = 0;
    base_rc rc;
    switch (node->pattern) {
    case TP_YYYY:
    case TP_Y_YYY:
        return read_year(in, &(pattern_node){.pattern = TP_YYYY}, digits_follow ? 4 : 9, err);
    case TP_YYY:
        return read_year(in, node, digits_follow ? 3 : 4, err);
    case TP_YY:
        return read_year(in, node, digits_follow ? 2 : 4, err);
    case TP_MM:
        return read_number(in, 2, "MM", &in->month, &digits, err);
    case TP_MONTH:
    case TP_MON:
        rc = read_name(in, month_names, 12, node->pattern == TP_MON ? 3 : 9,
                       node->pattern == TP_MON ? "Mon" : "Month", &index, err);
        in->month = index + 1;
        return rc;
    case TP_DAY:
        return read_name(in, day_names, 7, 9, "Day", &index, err);
    case TP_DY:
        return read_name(in, day_names, 7, 3, "Dy", &index, err);
    case TP_DD:
        return read_number(in, 2, "DD", &in->day, &digits, err);
    case TP_DDD:
        return read_number(in, 3, "DDD", &in->day_of_year, &digits, err);
    case TP_HH24:
        return read_number(in, 2, "HH24", &in->hour, &digits, err);
    case TP_HH12:
        in->twelve = true;
        return read_number(in, 2, "HH12", &in->hour, &digits, err);
    case TP_MI:
        return read_number(in, 2, "MI", &in->minute, &digits, err);
    case TP_SS:
        return read_number(in, 2, "SS", &in->second, &digits, err);
    case TP_MS:
        return read_fraction(in, 3, "MS", err);
    case TP_US:
    case TP_FF6:
        return read_fraction(in, 6, "US", err);
    case TP_AM:
    case TP_AM_DOTS:
        rc = read_name(in, halves, 4, 4, "AM", &index, err);
        in->twelve = true;
        in->pm = index % 2 == 1;
        return rc;
    case TP_AD:
    case TP_AD_DOTS:
        rc = read_name(in, eras, 4, 4, "AD", &index, err);
        in->bc = index % 2 == 1;
        return rc;
    case TP_TZH:
    case TP_OF:
        return read_zone(in, err);
    case TP_TZM:
        rc = read_number(in, 2, "TZM", &index, &digits, err);
        in->zone_offset += (in->zone_offset < 0 ? -1 : 1) * index * 60;
        return rc;
    default:
        return base_fail(err, BASE_E_UNSUPPORTED, NULL,
                         "this pattern is not supported in to_date or to_timestamp");
    }
}

static base_rc out_of_range(base_str text, base_error *err) {
    return base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_DATETIME_OVERFLOW,
                     "date/time field value out of range: \"%.*s\"",
                     (int)(text.n < 200 ? text.n : 200), text.p);
}

static base_rc input_to_us(const time_input *in, int32_t *days, int64_t *us, base_error *err) {
    int32_t hour = in->hour;
    if (in->twelve) {
        if (hour < 1 || hour > 12) {
            return base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_INVALID_DATETIME,
                             "hour \"%d\" is invalid for the 12-hour clock", hour);
        }
        hour = hour % 12 + (in->pm ? 12 : 0);
    }
    int32_t year = in->bc ? 1 - in->year : in->year, y, m, d;
    bool good = in->month >= 1 && in->month <= 12 && in->day >= 1 && in->day <= 31 && hour < 24 &&
                in->minute < 60 && in->second < 60 && in->year <= 294276;
    if (!good) return out_of_range(in->text, err);
    *days = base_days_from_civil(year, in->month, in->day);
    base_civil_from_days(*days, &y, &m, &d);
    if (m != in->month) return out_of_range(in->text, err);
    if (in->day_of_year > 0) *days = base_days_from_civil(year, 1, 1) + in->day_of_year - 1;
    base_rc rc = func_date_to_us(*days, us, err);
    if (rc != BASE_OK) return rc;
    int64_t time = hour * BASE_US_PER_HOUR + in->minute * BASE_US_PER_MINUTE +
                   in->second * BASE_US_PER_SECOND + in->us;
    return func_shift_us(*us, time, us, err);
}

static base_rc read_times(const pattern_list *list, time_input *in, base_error *err) {
    for (uint32_t k = 0; k < list->n; k++) {
        const pattern_node *node = &list->nodes[k];
        if (in->at >= in->text.n) return BASE_OK; // the rest keeps its defaults
        if (node->pattern == TP_LITERAL) {
            in->at++; // any separator stands for any other
            continue;
        }
        bool digits_follow = k + 1 < list->n && takes_digits(&list->nodes[k + 1]);
        base_rc rc = read_node(in, node, digits_follow, err);
        if (rc != BASE_OK) return rc;
    }
    return BASE_OK;
}

static base_rc from_text(col_func_ctx *ctx, uint32_t n, const col_vec *const *args, col_vec *out,
                         bool date) {
    pattern_list *list = base_arena_new(ctx->arena, pattern_list);
    base_error e;
    FUNC_EACH(i) {
        base_str format = col_str(args[1])[i];
        time_input in = {.text = base_str_trim(col_str(args[0])[i]), .month = 1, .day = 1};
        in.zone_offset = ctx->zone_offset_seconds;
        int32_t days = 0;
        int64_t us = 0;
        base_rc rc = BASE_OK;
        if (!list->ready || !base_str_eq(list->source, format)) {
            rc = parse_pattern(list, format, &e);
        }
        if (rc == BASE_OK) rc = read_times(list, &in, &e);
        if (rc == BASE_OK) rc = input_to_us(&in, &days, &us, &e);
        if (rc == BASE_OK && !date) {
            rc = func_shift_us(us, -in.zone_offset * BASE_US_PER_SECOND, &us, &e);
        }
        FUNC_ROW_CALL(rc);
        if (date) {
            col_i32(out)[i] = days;
        } else {
            col_i64(out)[i] = us;
        }
    }
    return BASE_OK;
}

FUNC_KERNEL(to_date_text) {
    FUNC_UNUSED;
    return from_text(ctx, n, args, out, true);
}

FUNC_KERNEL(to_timestamp_text) {
    FUNC_UNUSED;
    return from_text(ctx, n, args, out, false);
}

#define S      COL_FUNC_STRICT
#define STABLE (COL_FUNC_STRICT | COL_FUNC_STABLE)
#define T      COL_TEXT

static const col_func rows[] = {
    {"to_char", 2, {COL_TIMESTAMP, T}, T, S, to_char_time, NULL},
    {"to_char", 2, {COL_TIMESTAMPTZ, T}, T, STABLE, to_char_time, NULL},
    {"to_char", 2, {COL_INTERVAL, T}, T, S, to_char_time, NULL},
    {"to_date", 2, {T, T}, COL_DATE, S, to_date_text, NULL},
    {"to_timestamp", 2, {T, T}, COL_TIMESTAMPTZ, STABLE, to_timestamp_text, NULL},
};
FUNC_TABLE(func_format_table, rows);
