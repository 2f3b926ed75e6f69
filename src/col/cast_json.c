// cast_json.c - casts of jsonb scalars to SQL values, and of a struct to jsonb.
#include <stdlib.h>

#include "col/cast_int.h"
#include "col/codec.h"

static base_rc cannot_cast(base_str json, const char *type_name, base_error *err) {
    const char *what = "numeric";
    switch (json.n == 0 ? 'n' : json.p[0]) {
    case '{':
        what = "object";
        break;
    case '[':
        what = "array";
        break;
    case '"':
        what = "string";
        break;
    case 't':
    case 'f':
        what = "boolean";
        break;
    case 'n':
        what = "null";
        break;
    default:
        break;
    }
    return base_fail(err, BASE_E_INVALID, BASE_SQLSTATE_INVALID_PARAMETER,
                     "cannot cast jsonb %s to type %s", what, type_name);
}

CAST_DECLARE(cast_jsonb_bool) {
    FUNC_UNUSED;
    base_error e;
    FUNC_EACH(i) {
        base_str json = col_str(args[0])[i];
        bool truth = base_str_eq(json, BASE_STR("true"));
        if (truth || base_str_eq(json, BASE_STR("false"))) {
            col_u8(out)[i] = truth;
        } else {
            FUNC_ROW_CALL(cannot_cast(json, "boolean", &e));
        }
    }
    return BASE_OK;
}

static base_rc number_put(base_decimal v, col_vec *out, uint32_t row, base_error *err) {
    int64_t integer = 0;
    base_rc rc = BASE_OK;
    switch (out->type.kind) {
    case COL_INT2:
        rc = func_numeric_to_int(v, INT16_MIN, INT16_MAX, "smallint", &integer, err);
        col_i16(out)[row] = (int16_t)integer;
        return rc;
    case COL_INT4:
        rc = func_numeric_to_int(v, INT32_MIN, INT32_MAX, "integer", &integer, err);
        col_i32(out)[row] = (int32_t)integer;
        return rc;
    case COL_INT8:
        return func_numeric_to_int(v, INT64_MIN, INT64_MAX, "bigint", &col_i64(out)[row], err);
    default:
        col_dec(out)[row] = v;
        if (out->type.precision == 0) return BASE_OK;
        return base_decimal_coerce(v, out->type.precision, out->type.scale, &col_dec(out)[row],
                                   err);
    }
}

CAST_DECLARE(cast_jsonb_number) {
    FUNC_UNUSED;
    base_error e;
    FUNC_EACH(i) {
        base_str json = col_str(args[0])[i];
        bool number = json.n > 0 && (json.p[0] == '-' || (json.p[0] >= '0' && json.p[0] <= '9'));
        base_rc rc;
        if (!number) {
            rc = cannot_cast(json, col_kind_name(out->type.kind), &e);
        } else if (out->type.kind == COL_FLOAT4 || out->type.kind == COL_FLOAT8) {
            rc = col_text_parse(json, 0, out, i, ctx->arena, &e);
        } else {
            base_decimal v;
            rc = base_decimal_parse(json, &v, &e);
            if (rc == BASE_OK) rc = number_put(v, out, i, &e);
        }
        FUNC_ROW_CALL(rc);
    }
    return BASE_OK;
}

CAST_DECLARE(cast_struct_jsonb) {
    FUNC_UNUSED;
    base_buf buf = {0};
    base_error e;
    base_rc rc = BASE_OK;
    for (uint32_t i = 0; i < n && rc == BASE_OK; i++) {
        if (col_is_null(out, i)) continue;
        base_buf_clear(&buf);
        col_json_format(args[0], i, &buf);
        rc = col_jsonb_canonical(base_buf_str(&buf), ctx->arena, &col_str(out)[i], &e);
        if (rc != BASE_OK) {
            rc = func_row_error(ctx, out, i, &e);
        } else {
            // The canonical text may share bytes with its input, which the next row overwrites.
            base_str *to = &col_str(out)[i];
            to->p = base_arena_memdup(ctx->arena, to->p, to->n);
        }
    }
    base_buf_deinit(&buf);
    return rc;
}
