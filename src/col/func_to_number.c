// func_to_number.c - to_number: a text read by a pattern of digits, with PostgreSQL 15's rules.
// Each part of the pattern takes what it can of the text: a digit position a digit or the point, a
// group separator only itself, a sign also where it stands beside the digits that were read, a
// literal any character. What is left of the text is not looked at.
#include "base/must.h"
#include "col/func_number_format_int.h"

typedef struct number_input {
    const number_format *f;
    base_str text;
    size_t at;
    char sign; // ' ': none yet
    char digits[FORMAT_DIGITS_MAX * 2 + 2];
    size_t n;
    int before, after; // digits read
    bool point;
} number_input;

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

static bool at_end(const number_input *in) {
    return in->at >= in->text.n;
}

static char here(const number_input *in) {
    return in->text.p[in->at];
}

static void skip_character(number_input *in) {
    size_t n = func_utf8_len((uint8_t)here(in));
    in->at += n < in->text.n - in->at ? n : in->text.n - in->at;
}

// Up to n characters that cannot be part of a number.
static void skip_others(number_input *in, int n) {
    while (n-- > 0 && !at_end(in) && strchr("0123456789.,+-", here(in)) == NULL) skip_character(in);
}

static void take_sign(number_input *in) {
    char c = here(in);
    if (in->f->sign_pattern && in->f->sign_leads) {
        if (c != '-' && c != '+') return;
        in->sign = c;
        in->at++;
    } else if (c == '-' || (in->f->bracket && c == '<')) {
        in->sign = '-';
        in->at++;
    } else if (c == '+') {
        in->sign = '+';
        in->at++;
    }
}

// A sign behind the last digit: S right behind it, MI, PL and SG where the next thing is one. With
// S the place moves on to the sign, so that the caller's step passes it.
static void take_sign_behind(number_input *in, bool read) {
    if (in->f->sign_pattern) {
        if (!read || in->at + 1 >= in->text.n || is_digit(in->text.p[in->at + 1])) return;
        char c = in->text.p[in->at + 1];
        if (c != '-' && c != '+') return;
        in->sign = c;
        in->at++;
    } else if (!read && (in->f->plus || in->f->minus) && (here(in) == '-' || here(in) == '+')) {
        in->sign = here(in);
    }
}

// 9, 0, D or the point. True: the text's character was taken and the place is to go on by one.
static bool read_digit(number_input *in, bool is_digit_pattern) {
    bool read = false;
    if (here(in) == ' ') in->at++;
    if (at_end(in)) return false;
    if (in->sign == ' ' && is_digit_pattern && in->before + in->after == 0) take_sign(in);
    if (at_end(in)) return false;
    if (is_digit(here(in))) {
        if (in->point && in->after == in->f->after) return true;
        in->digits[in->n++] = here(in);
        if (in->point) {
            in->after++;
        } else {
            in->before++;
        }
        read = true;
    } else if (in->f->has_point && !in->point && here(in) == '.') {
        in->digits[in->n++] = '.';
        in->point = true;
        read = true;
    }
    if (in->sign == ' ' && in->before + in->after > 0) take_sign_behind(in, read);
    return true;
}

// True: the place in the text goes on by one character.
static bool read_node(number_input *in, const number_node *node) {
    switch (node->token) {
    case NT_DIGIT:
    case NT_ZERO:
    case NT_POINT:
        return read_digit(in, node->token != NT_POINT);
    case NT_GROUP:
        return !in->f->fill && here(in) == ',';
    case NT_MINUS:
    case NT_PLUS:
    case NT_EITHER: {
        char c = here(in);
        bool taken = (c == '-' && node->token != NT_PLUS) || (c == '+' && node->token != NT_MINUS);
        if (taken) {
            in->sign = c;
        } else {
            skip_others(in, 1);
        }
        return taken;
    }
    case NT_ORDINAL:
        if (!in->f->has_point && in->sign != '-') skip_others(in, 2);
        return false;
    case NT_CURRENCY:
        skip_others(in, 1);
        return false;
    case NT_LITERAL:
        for (int64_t n = func_utf8_count(node->text); n > 0 && !at_end(in); n--) skip_character(in);
        return false;
    case NT_SIGN:
    case NT_BRACKET:
        return false;
    }
    return false;
}

static base_rc read_number(const number_format *f, base_str text, base_decimal *out,
                           base_error *err) {
    if (f->roman || f->scientific)
        return base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_UNSUPPORTED,
                         "the pattern \"%s\" is for to_char only", f->roman ? "RN" : "EEEE");
    number_input in = {.f = f, .text = text, .sign = ' '};
    // A position of the pattern adds one character of digits at most.
    for (uint32_t k = 0; k < f->n && !at_end(&in); k++)
        if (read_node(&in, &f->nodes[k]) && !at_end(&in)) in.at++;
    if (in.n > 0 && in.digits[in.n - 1] == '.') in.n--;
    char number[sizeof in.digits + 1];
    number[0] = in.sign;
    memcpy(number + 1, in.digits, in.n);
    base_rc rc = base_decimal_parse((base_str){number, in.n + 1}, out, err);
    if (rc != BASE_OK) return rc;
    int precision = f->before + in.after;
    if (precision > BASE_DECIMAL_DIGITS_MAX) precision = BASE_DECIMAL_DIGITS_MAX;
    if (precision < 1) precision = 1;
    rc = base_decimal_coerce(*out, precision, in.after, out, err);
    if (rc != BASE_OK || f->shift == 0) return rc;
    // V: the last digits are decimals; as a product with a power of ten, 16 digits are kept.
    base_decimal by = base_decimal_make(1, f->shift < 16 ? 16 : f->shift);
    base_i128 unit = 1;
    for (int k = f->shift; k < 16; k++) unit *= 10;
    by = base_decimal_make(unit, by.scale);
    return base_decimal_mul(*out, by, out, err);
}

FUNC_KERNEL(to_number_text) {
    FUNC_UNUSED;
    number_format *f = base_arena_new(ctx->arena, number_format);
    base_error e;
    FUNC_EACH(i) {
        base_str pattern = col_str(args[1])[i];
        base_rc rc = BASE_OK;
        if (pattern.n == 0) {
            col_vec_set_null(out, ctx->arena, i);
            continue;
        }
        if (!f->ready || !base_str_eq(f->source, pattern)) rc = func_number_format(f, pattern, &e);
        if (rc == BASE_OK) rc = read_number(f, col_str(args[0])[i], &col_dec(out)[i], &e);
        FUNC_ROW_CALL(rc);
    }
    return BASE_OK;
}

static const col_func rows[] = {
    {"to_number", 2, {COL_TEXT, COL_TEXT}, COL_NUMERIC, COL_FUNC_STRICT, to_number_text, NULL},
};
FUNC_TABLE(func_to_number_table, rows);
