// func_format_number.c - to_char of numbers by PostgreSQL's patterns: 9 0 . D , G FM S MI PL SG PR
// TH V RN EEEE L and literals; B and SP are read and mean nothing. A number is rounded to the
// pattern's decimals; one with too many digits shows as #. The other way: func_to_number.c.
#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "base/must.h"
#include "col/func_number_format_int.h"
#include "col/func_text_int.h"

static bool starts(base_str s, size_t at, const char *prefix) {
    size_t n = strlen(prefix);
    return s.n - at >= n && base_str_eq_nocase((base_str){s.p + at, n}, (base_str){prefix, n});
}

static base_rc format_error(const char *what, base_error *err) {
    return base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_SYNTAX, "%s", what);
}

static bool push(number_format *f, number_token token, bool lower, base_str text) {
    if (f->n == FORMAT_NODES_MAX) return false;
    f->nodes[f->n++] = (number_node){token, lower, text};
    return true;
}

static const struct {
    const char *name;
    number_token token;
} tokens[] = {
    {"MI", NT_MINUS}, {"PL", NT_PLUS},    {"SG", NT_EITHER}, {"PR", NT_BRACKET}, {"TH", NT_ORDINAL},
    {"S", NT_SIGN},   {"L", NT_CURRENCY}, {".", NT_POINT},   {"D", NT_POINT},    {",", NT_GROUP},
    {"G", NT_GROUP},  {"9", NT_DIGIT},    {"0", NT_ZERO},
};

// Counts a digit position, by where it stands.
static void count_digit(number_format *f, bool zero, bool shifting) {
    if (f->has_point) {
        f->after++;
        if (zero) f->last_zero_after = f->after;
        return;
    }
    if (zero && f->zero_from < 0) f->zero_from = f->before;
    f->before++;
    if (shifting) f->shift++;
}

static base_rc note_token(number_format *f, number_token token, bool shifting, base_error *err) {
    switch (token) {
    case NT_DIGIT:
    case NT_ZERO:
        if (f->bracket) return format_error("\"9\" must be ahead of \"PR\"", err);
        count_digit(f, token == NT_ZERO, shifting);
        if (f->before + f->after > FORMAT_DIGITS_MAX) {
            return base_fail(err, BASE_E_LIMIT, BASE_SQLSTATE_LIMIT, "too many digits in a format");
        }
        return BASE_OK;
    case NT_POINT:
        if (f->has_point) return format_error("multiple decimal points", err);
        f->has_point = true;
        return BASE_OK;
    case NT_SIGN:
        if (f->sign_pattern) return format_error("cannot use \"S\" twice", err);
        f->sign_pattern = true;
        f->sign_leads = f->before == 0 && !f->has_point;
        f->has_sign_pattern = true;
        return BASE_OK;
    case NT_BRACKET:
        f->bracket = true;
        f->has_sign_pattern = true;
        return BASE_OK;
    case NT_MINUS:
    case NT_PLUS: // stands beside the ordinary sign
    case NT_EITHER:
        if (f->sign_pattern) {
            return format_error("cannot use \"S\" and \"PL\"/\"MI\"/\"SG\"/\"PR\" together", err);
        }
        if (token != NT_PLUS) f->has_sign_pattern = true;
        f->minus |= token == NT_MINUS;
        f->plus |= token != NT_MINUS;
        return BASE_OK;
    default:
        return BASE_OK;
    }
}

static base_rc parse_one(number_format *f, base_str s, size_t *at, bool shifting, base_error *err) {
    for (size_t k = 0; k < sizeof tokens / sizeof tokens[0]; k++) {
        if (!starts(s, *at, tokens[k].name)) continue;
        size_t length = strlen(tokens[k].name);
        bool lower = s.p[*at] >= 'a' && s.p[*at] <= 'z';
        if (!push(f, tokens[k].token, lower, (base_str){0})) break;
        *at += length;
        return note_token(f, tokens[k].token, shifting, err);
    }
    size_t begin = *at, length;
    if (s.p[begin] == '"') {
        size_t end = begin + 1;
        while (end < s.n && s.p[end] != '"') end++;
        *at = end < s.n ? end + 1 : end;
        begin++;
        length = end - begin;
    } else {
        length = func_utf8_len((uint8_t)s.p[begin]);
        if (length > s.n - begin) length = s.n - begin;
        *at += length;
    }
    if (push(f, NT_LITERAL, false, (base_str){s.p + begin, length})) return BASE_OK;
    return base_fail(err, BASE_E_LIMIT, BASE_SQLSTATE_LIMIT, "format is too long");
}

// EEEE goes with digits and a point only.
static base_rc note_scientific(number_format *f, bool shifting, base_error *err) {
    if (f->scientific) return format_error("cannot use \"EEEE\" twice", err);
    if (f->fill || f->sign_pattern || f->bracket || f->minus || f->plus || f->roman || shifting)
        return format_error("\"EEEE\" is incompatible with other formats", err);
    f->scientific = true;
    return BASE_OK;
}

// Patterns that say something of the whole format. *length 0: it is none of them.
static base_rc parse_whole(number_format *f, base_str s, size_t at, bool *shifting, size_t *length,
                           base_error *err) {
    *length = 0;
    if (starts(s, at, "EEEE")) {
        *length = 4;
        return note_scientific(f, *shifting, err);
    }
    if (starts(s, at, "FM")) {
        f->fill = true;
        *length = 2;
    } else if (starts(s, at, "RN")) {
        f->roman = true;
        f->roman_lower = s.p[at] == 'r';
        *length = 2;
    } else if (starts(s, at, "V")) {
        if (f->has_point) return format_error("cannot use \"V\" and decimal point together", err);
        *shifting = true;
        *length = 1;
    } else if (starts(s, at, "SP")) {
        *length = 2;
    } else if (starts(s, at, "B")) {
        *length = 1;
    }
    if (*length > 0 && f->scientific)
        return format_error("\"EEEE\" must be the last pattern used", err);
    return BASE_OK;
}

base_rc func_number_format(number_format *f, base_str s, base_error *err) {
    *f = (number_format){.source = s, .zero_from = -1};
    bool shifting = false;
    for (size_t at = 0; at < s.n;) {
        size_t length;
        base_rc rc = parse_whole(f, s, at, &shifting, &length, err);
        at += length;
        if (rc == BASE_OK && length == 0) {
            rc = parse_one(f, s, &at, shifting, err);
            if (rc == BASE_OK && f->scientific && f->nodes[f->n - 1].token != NT_LITERAL &&
                f->nodes[f->n - 1].token != NT_ORDINAL)
                rc = format_error("\"EEEE\" must be the last pattern used", err);
        }
        if (rc != BASE_OK) return rc;
    }
    f->ready = true;
    return BASE_OK;
}

static void add_roman(base_buf *buf, const number_format *f, int64_t v) {
    static const char *const ones[] = {"", "I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX"};
    static const char *const tens[] = {"", "X", "XX", "XXX", "XL", "L", "LX", "LXX", "LXXX", "XC"};
    static const char *const hundreds[] = {"",  "C",  "CC",  "CCC",  "CD",
                                           "D", "DC", "DCC", "DCCC", "CM"};
    static const char *const thousands[] = {"", "M", "MM", "MMM"};
    char text[32];
    if (v < 1 || v > 3999) {
        snprintf(text, sizeof text, "###############");
    } else {
        snprintf(text, sizeof text, "%s%s%s%s", thousands[v / 1000], hundreds[v / 100 % 10],
                 tens[v / 10 % 10], ones[v % 10]);
    }
    for (char *c = text; f->roman_lower && *c != '\0'; c++) {
        if (*c >= 'A' && *c <= 'Z') *c = (char)(*c - 'A' + 'a');
    }
    base_buf_printf(buf, f->fill ? "%s" : "%15s", text);
}

// The digits to show: whole[before] right-aligned, then after decimals.
typedef struct number_digits {
    char whole[FORMAT_DIGITS_MAX + 1];
    char part[FORMAT_DIGITS_MAX + 1];
    bool negative, overflow;
    int first; // the first position before the point that shows a digit
    int last;  // decimals to show
} number_digits;

// text: plain decimal digits, rounded to the format's decimals already. after: the decimals that
// the number has, of a float often fewer than the format's.
static void place_digits(const number_format *f, base_str text, int after, number_digits *d) {
    *d = (number_digits){0};
    size_t i = 0;
    if (text.n > 0 && text.p[0] == '-') {
        d->negative = true;
        i = 1;
    }
    const char *point = memchr(text.p, '.', text.n);
    size_t whole_end = point == NULL ? text.n : (size_t)(point - text.p);
    while (i < whole_end && text.p[i] == '0') i++;
    int have = (int)(whole_end - i);
    d->overflow = (have > 0 ? have : 1) > f->before;
    memset(d->whole, '0', (size_t)f->before);
    memset(d->part, '0', (size_t)f->after);
    if (d->overflow) {
        memset(d->whole, '#', (size_t)f->before);
        memset(d->part, '#', (size_t)f->after);
        have = f->before;
    } else {
        memcpy(d->whole + f->before - have, text.p + i, (size_t)have);
        for (size_t k = 0; point != NULL && whole_end + 1 + k < text.n && (int)k < f->after; k++) {
            d->part[k] = text.p[whole_end + 1 + k];
        }
    }
    d->first = f->before - have;
    d->last = d->overflow ? after : f->after;
    if (f->fill && !d->overflow) {
        while (d->last > f->last_zero_after && d->part[d->last - 1] == '0') d->last--;
    }
    // A lone zero shows if nothing follows the point.
    if (have == 0 && f->before > 0 && d->last == 0) d->first = f->before - 1;
    if (f->zero_from >= 0 && f->zero_from < d->first) d->first = f->zero_from;
}

static void add_ordinal(base_buf *buf, const number_digits *d, const number_format *f, bool lower) {
    static const char *const upper_text[] = {"TH", "ST", "ND", "RD"};
    static const char *const lower_text[] = {"th", "st", "nd", "rd"};
    int last = f->before > 0 ? d->whole[f->before - 1] - '0' : 0;
    int tens = f->before > 1 ? d->whole[f->before - 2] - '0' : 0;
    int which = tens == 1 || last > 3 ? 0 : last;
    if (d->negative || d->overflow) return;
    base_buf_add_cstr(buf, (lower ? lower_text : upper_text)[which]);
}

typedef struct number_writer {
    base_buf *buf;
    const number_format *f;
    const number_digits *d;
    int before, after; // positions written
    bool sign_done;
} number_writer;

// The sign stands before the first digit (or the point).
static void write_sign(number_writer *w) {
    if (w->sign_done) return;
    w->sign_done = true;
    if (w->f->sign_pattern) {
        if (w->f->sign_leads) base_buf_add_byte(w->buf, w->d->negative ? '-' : '+');
    } else if (w->f->bracket) {
        if (w->d->negative) {
            base_buf_add_byte(w->buf, '<');
        } else if (!w->f->fill) {
            base_buf_add_byte(w->buf, ' ');
        }
    } else if (!w->f->has_sign_pattern) {
        if (w->d->negative) {
            base_buf_add_byte(w->buf, '-');
        } else if (!w->f->fill) {
            base_buf_add_byte(w->buf, ' ');
        }
    }
}

static void write_blank(number_writer *w) {
    if (!w->f->fill) base_buf_add_byte(w->buf, ' ');
}

static void write_digit(number_writer *w) {
    if (w->f->has_point && w->before == w->f->before) {
        if (w->after < w->d->last) base_buf_add_byte(w->buf, (uint8_t)w->d->part[w->after]);
        w->after++;
        return;
    }
    if (w->before >= w->d->first) {
        write_sign(w);
        base_buf_add_byte(w->buf, (uint8_t)w->d->whole[w->before]);
    } else {
        write_blank(w);
    }
    w->before++;
}

static void write_node(number_writer *w, const number_node *node) {
    bool negative = w->d->negative;
    switch (node->token) {
    case NT_LITERAL:
        base_buf_add_str(w->buf, node->text);
        return;
    case NT_DIGIT:
    case NT_ZERO:
        write_digit(w);
        return;
    case NT_POINT:
        write_sign(w);
        if (w->f->after > 0 || w->d->overflow) base_buf_add_byte(w->buf, '.');
        return;
    case NT_GROUP:
        if (w->before > w->d->first || w->sign_done) {
            base_buf_add_byte(w->buf, ',');
        } else {
            write_blank(w);
        }
        return;
    case NT_SIGN:
        if (!w->f->sign_leads) base_buf_add_byte(w->buf, negative ? '-' : '+');
        return;
    case NT_MINUS:
        if (negative) {
            base_buf_add_byte(w->buf, '-');
        } else {
            write_blank(w);
        }
        return;
    case NT_PLUS:
        if (!negative) {
            base_buf_add_byte(w->buf, '+');
        } else {
            write_blank(w);
        }
        return;
    case NT_EITHER:
        base_buf_add_byte(w->buf, negative ? '-' : '+');
        return;
    case NT_BRACKET:
        if (negative) {
            base_buf_add_byte(w->buf, '>');
        } else {
            write_blank(w);
        }
        return;
    case NT_ORDINAL:
        add_ordinal(w->buf, w->d, w->f, node->lower);
        return;
    case NT_CURRENCY: // of the C locale
        base_buf_add_byte(w->buf, ' ');
        return;
    }
}

static void add_formatted(base_buf *buf, const number_format *f, base_str text, int after) {
    number_digits d;
    place_digits(f, text, after, &d);
    number_writer w = {.buf = buf, .f = f, .d = &d};
    for (uint32_t k = 0; k < f->n; k++) write_node(&w, &f->nodes[k]);
}

// The number's plain digits, rounded to the format's decimals and shifted by V.
static base_rc digits_text(const col_vec *vec, uint32_t row, const number_format *f, char *text,
                           size_t size, int *after, base_error *err) {
    *after = f->after;
    if (vec->type.kind == COL_FLOAT4 || vec->type.kind == COL_FLOAT8) {
        bool single = vec->type.kind == COL_FLOAT4;
        double v = single ? (double)col_f32(vec)[row] : col_f64(vec)[row];
        v *= pow(10, f->shift);
        if (!isfinite(v) || fabs(v) >= 1e60) { // shows as #
            snprintf(text, size, "%s1%060d", v < 0 ? "-" : "", 0);
            *after = isinf(v) && !single && f->after < 7 ? f->after : 0;
            return BASE_OK;
        }
        // As many decimals as the type has digits.
        char whole[80];
        int before = snprintf(whole, sizeof whole, "%.0f", fabs(v));
        int most = (single ? 6 : 15) - before;
        *after = f->after < most ? f->after : most < 0 ? 0 : most;
        snprintf(text, size, "%.*f", *after, v);
        return BASE_OK;
    }
    base_decimal d;
    if (vec->type.kind == COL_NUMERIC) {
        d = col_dec(vec)[row];
    } else {
        d = base_decimal_from_i64(vec->type.kind == COL_INT4 ? col_i32(vec)[row]
                                                             : col_i64(vec)[row]);
    }
    base_rc rc = BASE_OK;
    if (f->shift > 0) {
        base_i128 by = 1;
        for (int k = 0; k < f->shift && k < 37; k++) by *= 10;
        rc = base_decimal_mul(d, base_decimal_make(by, 0), &d, err);
    }
    if (rc == BASE_OK && d.scale > f->after) rc = base_decimal_round(d, f->after, &d, err);
    if (rc == BASE_OK) text[base_decimal_format(d, text)] = '\0';
    return rc;
}

// "d.ddde+XX" with a place for the sign.
static base_rc add_scientific(base_buf *buf, const number_format *f, const col_vec *vec,
                              uint32_t row, base_error *err) {
    col_kind kind = vec->type.kind;
    if (kind != COL_NUMERIC && kind != COL_INT8) {
        double v = kind == COL_INT4     ? col_i32(vec)[row]
                   : kind == COL_FLOAT4 ? (double)col_f32(vec)[row]
                                        : col_f64(vec)[row];
        size_t from = buf->n;
        if (isfinite(v)) {
            base_buf_printf(buf, "%+.*e", f->after, v);
            if (buf->p[from] == '+') buf->p[from] = ' ';
            return BASE_OK;
        }
        base_buf_add_byte(buf, ' ');
        for (int i = 1; i < f->before + f->after + 6; i++) base_buf_add_byte(buf, '#');
        if (from + (size_t)f->before + 1 < buf->n) buf->p[from + (size_t)f->before + 1] = '.';
        return BASE_OK;
    }
    base_decimal v =
        kind == COL_NUMERIC ? col_dec(vec)[row] : base_decimal_from_i64(col_i64(vec)[row]);
    bool negative = base_decimal_sign(v) < 0;
    int digits = 0;
    for (base_i128 rest = base_decimal_unscaled(v); rest != 0; rest /= 10) digits++;
    int exponent = digits == 0 ? 0 : digits - 1 - v.scale;
    base_decimal part = base_decimal_make(base_decimal_unscaled(v), digits == 0 ? 0 : digits - 1);
    if (part.scale > f->after) {
        base_rc rc = base_decimal_round(part, f->after, &part, err);
        if (rc != BASE_OK) return rc;
    }
    char text[80];
    base_str shown = {text, (size_t)base_decimal_format(part, text)};
    if (negative) shown = (base_str){shown.p + 1, shown.n - 1};
    base_buf_add_byte(buf, negative ? '-' : ' ');
    base_buf_add_str(buf, shown);
    const char *point = memchr(shown.p, '.', shown.n);
    int after = point == NULL ? 0 : (int)(shown.p + shown.n - point) - 1;
    if (after == 0 && f->after > 0) base_buf_add_byte(buf, '.');
    for (; after < f->after; after++) base_buf_add_byte(buf, '0');
    base_buf_printf(buf, "e%c%02d", exponent < 0 ? '-' : '+', exponent < 0 ? -exponent : exponent);
    return BASE_OK;
}

// Integers are multiplied (V) as such, and roman numbers are integers.
static base_rc check_range(const number_format *f, const col_vec *vec, uint32_t row,
                           base_error *err) {
    col_kind kind = vec->type.kind;
    if (kind != COL_INT4 && kind != COL_INT8) {
        double x = kind == COL_NUMERIC ? base_decimal_to_double(col_dec(vec)[row]) : 0;
        if (!f->roman || (x > -2147483648.5 && x < 2147483647.5)) return BASE_OK;
        return base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_NUMERIC_RANGE, "integer out of range");
    }
    int64_t v = kind == COL_INT4 ? col_i32(vec)[row] : col_i64(vec)[row], by = 1;
    bool over = f->shift > 18;
    for (int i = 0; i < f->shift && !over; i++) by *= 10;
    over |= __builtin_mul_overflow(v, by, &v);
    bool narrow = kind == COL_INT4 || f->roman;
    over |= narrow && (v < INT32_MIN || v > INT32_MAX);
    if (!over) return BASE_OK;
    return base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_NUMERIC_RANGE, "%s out of range",
                     narrow ? "integer" : "bigint");
}

static base_rc add_number_text(base_buf *buf, const number_format *f, const col_vec *vec,
                               uint32_t row, base_error *err) {
    char text[160];
    if (f->scientific) return add_scientific(buf, f, vec, row, err);
    int after;
    base_rc rc = check_range(f, vec, row, err);
    if (rc == BASE_OK) rc = digits_text(vec, row, f, text, sizeof text, &after, err);
    if (rc != BASE_OK) return rc;
    if (f->roman) {
        double v = 0;
        sscanf(text, "%lf", &v);
        add_roman(buf, f, fabs(v) < 1e6 ? (int64_t)v : 0);
    } else {
        add_formatted(buf, f, base_str_of(text), after);
    }
    return BASE_OK;
}

FUNC_KERNEL(to_char_number) {
    FUNC_UNUSED;
    size_t budget = FUNC_BATCH_BYTES_MAX;
    number_format *f = base_arena_new(ctx->arena, number_format);
    base_buf buf = {0};
    base_error e;
    base_rc rc = BASE_OK;
    for (uint32_t i = 0; i < n && rc == BASE_OK; i++) {
        if (col_is_null(out, i)) continue;
        base_str pattern = col_str(args[1])[i];
        if (!f->ready || !base_str_eq(f->source, pattern)) rc = func_number_format(f, pattern, &e);
        base_buf_clear(&buf);
        if (rc == BASE_OK) rc = add_number_text(&buf, f, args[0], i, &e);
        rc = rc == BASE_OK ? func_put_text(ctx, &budget, &buf, out, i)
                           : func_row_error(ctx, out, i, &e);
    }
    base_buf_deinit(&buf);
    return rc;
}

#define S COL_FUNC_STRICT

static const col_func rows[] = {
    {"to_char", 2, {COL_INT4, COL_TEXT}, COL_TEXT, S, to_char_number, NULL},
    {"to_char", 2, {COL_INT8, COL_TEXT}, COL_TEXT, S, to_char_number, NULL},
    {"to_char", 2, {COL_FLOAT4, COL_TEXT}, COL_TEXT, S, to_char_number, NULL},
    {"to_char", 2, {COL_FLOAT8, COL_TEXT}, COL_TEXT, S, to_char_number, NULL},
    {"to_char", 2, {COL_NUMERIC, COL_TEXT}, COL_TEXT, S, to_char_number, NULL},
};
FUNC_TABLE(func_format_number_table, rows);
