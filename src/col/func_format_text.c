// func_format_text.c - format(): a text with places for values, %[position$][-][width]type. A width
// may be an argument itself (*, *position$). Source: PostgreSQL 15, "format".
#include "base/must.h"
#include "col/cast_int.h"
#include "col/codec.h"
#include "col/func_text_int.h"

typedef struct format_call {
    const col_func_ctx *ctx;
    base_str format;
    size_t at;
    uint32_t row, nargs;
    const col_vec *const *args; // args[0] is the format
    uint32_t last;              // argument that was taken last
    base_buf *out;
} format_call;

typedef struct format_spec {
    uint32_t position; // 0: the next
    bool left, width_is_argument;
    uint32_t width_position;
    int64_t width;
    char type;
} format_spec;

static base_rc invalid(base_error *err, const char *text) {
    return base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_INVALID_PARAMETER, "%s", text);
}

static base_rc unterminated(base_error *err) {
    invalid(err, "unterminated format() type specifier");
    base_error_hint(err, "For a single \"%%\" use \"%%%%\".");
    return err->code;
}

static bool is_digit(const format_call *f) {
    return f->at < f->format.n && f->format.p[f->at] >= '0' && f->format.p[f->at] <= '9';
}

static base_rc take_number(format_call *f, int64_t *number, base_error *err) {
    *number = 0;
    while (is_digit(f)) {
        *number = *number * 10 + (f->format.p[f->at++] - '0');
        if (*number > INT32_MAX)
            return base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_NUMERIC_RANGE,
                             "number is out of range");
    }
    return f->at < f->format.n ? BASE_OK : unterminated(err);
}

static base_rc check_position(int64_t position, uint32_t *out, base_error *err) {
    if (position == 0)
        return invalid(err, "format specifies argument 0, but arguments are numbered from 1");
    *out = position > UINT32_MAX / 2 ? UINT32_MAX / 2 : (uint32_t)position;
    return BASE_OK;
}

static base_rc take_spec(format_call *f, format_spec *spec, base_error *err) {
    int64_t number;
    base_rc rc;
    *spec = (format_spec){0};
    if (is_digit(f)) {
        rc = take_number(f, &number, err);
        if (rc != BASE_OK) return rc;
        if (f->format.p[f->at] != '$') { // a width, and so the end of what may come
            spec->width = number;
            return BASE_OK;
        }
        f->at++;
        rc = check_position(number, &spec->position, err);
        if (rc != BASE_OK) return rc;
    }
    while (f->at < f->format.n && f->format.p[f->at] == '-') {
        spec->left = true;
        f->at++;
    }
    if (f->at >= f->format.n) return unterminated(err);
    if (f->format.p[f->at] != '*') return is_digit(f) ? take_number(f, &spec->width, err) : BASE_OK;
    f->at++;
    spec->width_is_argument = true;
    if (!is_digit(f)) return f->at < f->format.n ? BASE_OK : unterminated(err);
    rc = take_number(f, &number, err);
    if (rc != BASE_OK) return rc;
    if (f->format.p[f->at] != '$')
        return invalid(err, "width argument position must be ended by \"$\"");
    f->at++;
    return check_position(number, &spec->width_position, err);
}

static base_rc next_argument(format_call *f, uint32_t position, const col_vec **arg,
                             base_error *err) {
    f->last = position > 0 ? position : f->last + 1;
    if (f->last >= f->nargs) return invalid(err, "too few arguments for format()");
    *arg = f->args[f->last];
    return BASE_OK;
}

static base_rc take_width(format_call *f, format_spec *spec, base_error *err) {
    const col_vec *arg;
    base_rc rc = next_argument(f, spec->width_position, &arg, err);
    if (rc != BASE_OK || col_is_null(arg, f->row)) return rc;
    if (arg->type.kind == COL_INT4) {
        spec->width = col_i32(arg)[f->row];
    } else if (arg->type.kind == COL_INT2) {
        spec->width = col_i16(arg)[f->row];
    } else {
        base_buf text = {0};
        int32_t value = 0;
        func_add_text(&text, f->ctx, arg, f->row);
        col_vec cell = {.type = col_type_of(COL_INT4), .n = 1, .data = &value};
        rc = col_text_parse(base_buf_str(&text), NULL, &cell, 0, f->ctx->arena, err);
        base_buf_deinit(&text);
        spec->width = value;
    }
    if (spec->width < 0) {
        spec->left = true;
        spec->width = -spec->width;
    }
    return rc;
}

static base_rc pad(format_call *f, const format_spec *spec, base_str text, base_error *err) {
    int64_t blanks = spec->width - func_utf8_count(text);
    if (spec->width > FUNC_VALUE_BYTES_MAX)
        return base_fail(err, BASE_E_LIMIT, BASE_SQLSTATE_LIMIT, "requested length too large");
    for (int64_t i = blanks; !spec->left && i > 0; i--) base_buf_add_byte(f->out, ' ');
    base_buf_add_str(f->out, text);
    for (int64_t i = blanks; spec->left && i > 0; i--) base_buf_add_byte(f->out, ' ');
    return BASE_OK;
}

static base_rc add_value(format_call *f, const format_spec *spec, base_error *err) {
    const col_vec *arg;
    base_rc rc = next_argument(f, spec->position, &arg, err);
    if (rc != BASE_OK) return rc;
    if (col_is_null(arg, f->row)) {
        if (spec->type == 'I')
            return base_fail(err, BASE_E_INVALID, "22004",
                             "null values cannot be formatted as an SQL identifier");
        return pad(f, spec, spec->type == 'L' ? BASE_STR("NULL") : BASE_STR(""), err);
    }
    base_buf text = {0}, quoted = {0};
    func_add_text(&text, f->ctx, arg, f->row);
    if (spec->type == 'I') func_quote_ident(&quoted, base_buf_str(&text));
    if (spec->type == 'L') func_add_literal(&quoted, base_buf_str(&text));
    rc = pad(f, spec, base_buf_str(spec->type == 's' ? &text : &quoted), err);
    base_buf_deinit(&text);
    base_buf_deinit(&quoted);
    return rc;
}

static base_rc format_row(format_call *f, base_error *err) {
    while (f->at < f->format.n) {
        char c = f->format.p[f->at++];
        if (c != '%') {
            base_buf_add_byte(f->out, (uint8_t)c);
            continue;
        }
        if (f->at >= f->format.n) return unterminated(err);
        if (f->format.p[f->at] == '%') {
            base_buf_add_byte(f->out, '%');
            f->at++;
            continue;
        }
        format_spec spec;
        base_rc rc = take_spec(f, &spec, err);
        if (rc != BASE_OK) return rc;
        spec.type = f->format.p[f->at];
        base_str type = {f->format.p + f->at, func_utf8_len((uint8_t)spec.type)};
        f->at++;
        if (spec.type != 's' && spec.type != 'I' && spec.type != 'L') {
            base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_INVALID_PARAMETER,
                      "unrecognized format() type specifier \"%.*s\"", BASE_STR_ARG(type));
            base_error_hint(err, "For a single \"%%\" use \"%%%%\".");
            return err->code;
        }
        if (spec.width_is_argument) rc = take_width(f, &spec, err);
        if (rc == BASE_OK) rc = add_value(f, &spec, err);
        if (rc != BASE_OK) return rc;
    }
    return BASE_OK;
}

FUNC_KERNEL(format_text) {
    size_t budget = FUNC_BATCH_BYTES_MAX;
    base_buf buf = {0};
    base_error e;
    base_rc rc = BASE_OK;
    for (uint32_t i = 0; i < n && rc == BASE_OK; i++) {
        if (col_is_null(args[0], i)) {
            col_vec_set_null(out, ctx->arena, i);
            continue;
        }
        base_buf_clear(&buf);
        format_call f = {.ctx = ctx,
                         .format = col_str(args[0])[i],
                         .row = i,
                         .nargs = nargs,
                         .args = args,
                         .out = &buf};
        rc = format_row(&f, &e);
        rc = rc == BASE_OK ? func_put_text(ctx, &budget, &buf, out, i)
                           : func_row_error(ctx, out, i, &e);
    }
    base_buf_deinit(&buf);
    return rc;
}

static const col_func rows[] = {
    {"format", 1, {COL_TEXT}, COL_TEXT, 0, format_text, NULL},
    {"format", 2, {COL_TEXT, COL_UNKNOWN}, COL_TEXT, COL_FUNC_VARIADIC, format_text, NULL},
};
FUNC_TABLE(func_format_text_table, rows);
